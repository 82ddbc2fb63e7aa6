//! The calendar time of a record. Many records fall into one second, and then only the
//! microseconds differ.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Local, SecondsFormat};

/// A second as RFC 3339 writes it.
#[derive(Default)]
struct Second {
    /// Its number since 1970.
    number: u64,
    /// `2026-11-22T10:29:31+01:00`
    text: String,
}

thread_local! {
    static LAST: RefCell<Second> = RefCell::default();
}

/// The local time at this time of CLOCK_MONOTONIC: `2026-11-22T10:29:31.456789+01:00`.
pub(super) fn rfc3339(at: u64) -> String {
    let (now, ago) = both(at);
    let then = now.saturating_sub(Duration::from_nanos(ago));
    LAST.with_borrow_mut(|last| {
        if last.number != then.as_secs() {
            let second = UNIX_EPOCH + Duration::from_secs(then.as_secs());
            let text = DateTime::<Local>::from(second).to_rfc3339_opts(SecondsFormat::Secs, false);
            *last = Second { number: then.as_secs(), text };
        }
        let (time, offset) = last.text.split_at(last.text.len() - "+01:00".len());
        format!("{time}.{:06}{offset}", then.subsec_micros())
    })
}

/// The two readings are no further apart than this, in nanoseconds, unless the machine is very busy.
const CLOSE: u64 = 100_000;

/// The calendar time since 1970, and how long ago that time of CLOCK_MONOTONIC is. Two clocks cannot be read at once, and a
/// process may have to wait for a processor between the two: then they are read once more.
fn both(at: u64) -> (Duration, u64) {
    let mut before = netplay_call::monotonic();
    let mut tries = 0;
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let after = netplay_call::monotonic();
        tries += 1;
        if after - before <= CLOSE || tries == 5 {
            return (now, after.saturating_sub(at));
        }
        before = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_chrono_writes_it() {
        for ago in [0, 1, 999_999_999, 60_000_000_000] {
            let written = rfc3339(netplay_call::monotonic().saturating_sub(ago));
            let read = DateTime::parse_from_rfc3339(&written).expect("it is RFC 3339");
            let local = read.with_timezone(&Local);
            assert_eq!(written, local.to_rfc3339_opts(SecondsFormat::Micros, false));
            let then = Local::now() - chrono::TimeDelta::nanoseconds(ago as i64);
            assert!((then - local).num_seconds().abs() < 10, "{written} is not {ago} ns ago");
        }
    }
}
