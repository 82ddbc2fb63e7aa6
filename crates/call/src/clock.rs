//! The clock of the record, and how it compares with the calendar's.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of CLOCK_MONOTONIC: the same clock in every process of this machine. Reading it is
/// not a system call on Linux (vdso(7)), and async-signal-safe.
#[must_use]
pub fn monotonic() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).expect("Linux always has this clock");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// What to add to a time of CLOCK_REALTIME, which the kernel's times of arrival are, to have it on
/// CLOCK_MONOTONIC; in nanoseconds.
///
/// Two clocks cannot be read at once. So one is read between two readings of the other: it was read
/// somewhere between them, and half their distance is the most that the middle can be wrong.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    offset: i64,
    error: u64,
}

impl Clocks {
    /// Compares the clocks: the closest of a hundred pairs of readings.
    #[must_use]
    pub fn compare() -> Clocks {
        let pair = || {
            let before = monotonic();
            let calendar = read(ClockId::CLOCK_REALTIME);
            let after = monotonic();
            let middle = before + (after - before) / 2;
            Clocks {
                offset: middle.cast_signed() - calendar.cast_signed(),
                error: (after - before).div_ceil(2),
            }
        };
        let pairs = (0..100).map(|_| pair());
        pairs.min_by_key(|pair| pair.error).expect("there are a hundred")
    }

    /// A time of CLOCK_REALTIME on CLOCK_MONOTONIC.
    #[must_use]
    pub fn monotonic(&self, calendar: std::time::Duration) -> u64 {
        (calendar.as_nanos() as i64 + self.offset).max(0).cast_unsigned()
    }

    /// How wrong that can be, if `later` was compared after it: the calendar may have been set
    /// meanwhile, a little or a lot.
    #[must_use]
    pub fn error(&self, later: &Clocks) -> u64 {
        self.error.max(later.error) + self.offset.abs_diff(later.offset)
    }
}
