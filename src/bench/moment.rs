//! The moment at which several machines begin together, and what is known of the clock that tells it.
//!
//! The clocks that several hosts have in common are the wall clocks, so a moment is one of theirs: each host waits by
//! its own. How far these are apart is not known here; each kernel has an estimate of its own clock's error.

use std::mem::MaybeUninit;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};
use serde::{Deserialize, Serialize};

use crate::lang::Lang;
use crate::stop::Stop;
use netplay_text::say;

/// A moment of the wall clock.
///
/// ```
/// use netplay::bench::moment::Moment;
/// let moment: Moment = "2026-11-30T09:00:00+08:00".parse().unwrap();
/// assert_eq!(moment, "1796000400".parse().unwrap());
/// assert_eq!(moment.text(), "2026-11-30T01:00:00.000000000Z");
/// assert!("2026-11-30T09:00:00".parse::<Moment>().is_err(), "of which time zone?");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(DateTime<Utc>);

/// A start that is further away was not meant: most likely the milliseconds since 1970 were given.
const FURTHEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A wait looks so often whether it was interrupted.
const LOOK: TimeDelta = TimeDelta::milliseconds(50);

impl Moment {
    /// Now, by the clock of this host.
    #[must_use]
    pub fn now() -> Moment {
        Moment(Utc::now())
    }

    /// As RFC 3339 writes it, to the nanosecond, in UTC.
    #[must_use]
    pub fn text(self) -> String {
        self.0.to_rfc3339_opts(SecondsFormat::Nanos, true)
    }

    /// As people need it: to the millisecond, in UTC.
    #[must_use]
    pub fn short(self) -> String {
        self.0.to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// How many nanoseconds it is later than another one.
    #[must_use]
    pub fn after(self, other: Moment) -> i64 {
        let apart = self.0 - other.0;
        apart.num_nanoseconds().unwrap_or(if apart > TimeDelta::zero() {
            i64::MAX
        } else {
            i64::MIN
        })
    }

    /// How far away it still is.
    ///
    /// # Errors
    /// It has passed, or is more than a day away.
    pub fn ahead(self) -> Result<Duration> {
        let (lang, moment) = (Lang::current(), self.short());
        let now = Utc::now();
        let Ok(left) = (self.0 - now).to_std() else {
            let now = Moment(now).short();
            bail!(say!(
                lang,
                "--start-at {moment} has passed: it is {now} by the clock of this host",
                "--start-at {moment} 已经过去：本机的时钟现在是 {now}"
            ));
        };
        ensure!(
            left <= FURTHEST,
            say!(
                lang,
                "--start-at {moment} is more than a day away: a number is in seconds since 1970, as date +%s prints it",
                "--start-at {moment} 在一天以后：数字是 1970 年以来的秒数，即 date +%s 所打印的"
            )
        );
        Ok(left)
    }

    /// This moment, less this time.
    #[must_use]
    pub fn before(self, time: Duration) -> Moment {
        Moment(self.0 - time)
    }

    /// This moment, and this time more.
    #[must_use]
    pub fn later(self, time: Duration) -> Moment {
        Moment(self.0 + time)
    }

    /// Sleeps until then, unless it is told to stop. The clock may be set meanwhile: what it shows counts.
    pub fn wait(self, stop: &Stop) {
        while !stop.requested() {
            let now = Utc::now();
            if now >= self.0 {
                return;
            }
            let next = self.0.min(now + LOOK);
            let next = TimeSpec::new(next.timestamp(), i64::from(next.timestamp_subsec_nanos()));
            let absolute = ClockNanosleepFlags::TIMER_ABSTIME;
            // A signal ends the sleep early: then the loop looks once more.
            let _ = clock_nanosleep(ClockId::CLOCK_REALTIME, absolute, &next);
        }
    }
}

impl FromStr for Moment {
    type Err = anyhow::Error;

    /// RFC 3339, or seconds since 1970 as `date +%s` prints them.
    fn from_str(text: &str) -> Result<Moment> {
        const LAST: f64 = 253_402_300_799.0; // the year 9999
        if let Ok(seconds) = text.parse::<f64>() {
            ensure!(
                (0.0..=LAST).contains(&seconds),
                "seconds since 1970 are 0 to 253402300799; milliseconds are not taken"
            );
            let nanos = (seconds.fract() * 1e9) as u32;
            return DateTime::from_timestamp(seconds as i64, nanos)
                .map(Moment)
                .context("no such moment");
        }
        match DateTime::parse_from_rfc3339(text) {
            Ok(moment) => Ok(Moment(moment.to_utc())),
            Err(_) => bail!(
                "a moment is 2026-11-30T09:00:00Z, with Z or an offset such as +08:00, \
                 or seconds since 1970"
            ),
        }
    }
}

/// What the kernel knows of the wall clock of a host (adjtimex(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// Whether a program such as chronyd or ntpd keeps it right.
    pub synchronised: bool,
    /// By how many microseconds it may be wrong at most, as that program has told the kernel. Says nothing about a
    /// clock that is not synchronised.
    pub max_error_us: u64,
}

impl Clock {
    /// That of this host; `None` where the kernel does not tell, as in some sandboxes.
    #[must_use]
    #[expect(unsafe_code, reason = "adjtimex fills a structure in, and has no safe wrapper")]
    pub fn here() -> Option<Clock> {
        let mut state = MaybeUninit::<libc::timex>::zeroed();
        // SAFETY: all fields are numbers, so zeros are a valid value; with modes = 0 the kernel only writes to it.
        let (answer, state) = unsafe { (libc::adjtimex(state.as_mut_ptr()), state.assume_init()) };
        (answer >= 0).then(|| Clock {
            synchronised: answer != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0,
            max_error_us: state.maxerror.try_into().unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_back_as_it_was_written() {
        let now = Moment::now();
        assert_eq!(now.text().parse::<Moment>().unwrap(), now);
        assert_eq!(now.before(Duration::from_millis(1_500)).after(now), -1_500_000_000);
        assert_eq!("0.5".parse::<Moment>().unwrap().text(), "1970-01-01T00:00:00.500000000Z");
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "soon", "-1", "nan", "inf", "1e30", "2026-11-30", "2026-13-01T00:00:00Z"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_start_is_within_a_day() {
        let now = Moment::now();
        assert!(now.ahead().is_err());
        let soon = Moment(now.0 + Duration::from_secs(60));
        assert!(soon.ahead().unwrap() <= Duration::from_secs(60));
        let milliseconds = Moment(now.0 + FURTHEST + Duration::from_secs(60));
        assert!(milliseconds.ahead().is_err());
    }
}
