//! Numbers, counts and times as people read them, written the same way everywhere.

use std::error::Error;
use std::time::Duration;

/// An error and its causes, from the outermost to the innermost: `cannot read a: No such file or directory`.
///
/// ```
/// use netplay_text::words::with_causes;
/// let error = "many".parse::<u16>().unwrap_err();
/// assert_eq!(with_causes(&error), "invalid digit found in string"); // this one has no cause
/// ```
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A number: `1,234,567`.
///
/// ```
/// use netplay_text::words::grouped;
/// assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
/// ```
#[must_use]
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and the name of the thing: `1 byte`, `1,234 bytes`.
///
/// ```
/// use netplay_text::words::counted;
/// assert_eq!(counted(1, "byte"), "1 byte");
/// assert_eq!(counted(1_234, "process"), "1,234 processes");
/// ```
#[must_use]
pub fn counted(n: u64, one: &str) -> String {
    format!("{} {}", grouped(n), plural(n, one))
}

/// The name of a thing, for this number of it: `round`, `rounds`.
///
/// ```
/// use netplay_text::words::plural;
/// assert_eq!([plural(1, "address"), plural(0, "address")], ["address", "addresses"]);
/// ```
#[must_use]
pub fn plural(n: u64, one: &str) -> String {
    let end = match n {
        1 => "",
        _ if one.ends_with('s') => "es",
        _ => "s",
    };
    format!("{one}{end}")
}

/// Bytes in the order of memory, two hexadecimal digits each.
///
/// ```
/// use netplay_text::words::hex;
/// assert_eq!(hex(&5858_u16.to_be_bytes()), "16 e2");
/// ```
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// A measured time, in nanoseconds. It has three significant digits; seconds have
/// their milliseconds, like the clock beside them.
///
/// ```
/// use netplay_text::words::duration;
/// let times = [38, 4_200, 144_300, 12_345_678, 1_250_000_000, 7_200_000_000_000];
/// assert_eq!(times.map(duration), ["38 ns", "4.20 µs", "144 µs", "12.3 ms", "1.250 s", "7,200 s"]);
/// ```
#[must_use]
pub fn duration(ns: u64) -> String {
    let of = |unit: f64| ns as f64 / unit;
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..999_500 => format!("{} µs", three_digits(of(1e3))),
        999_500..999_500_000 => format!("{} ms", three_digits(of(1e6))),
        999_500_000..100_000_000_000 => format!("{:.3} s", of(1e9)),
        _ => format!("{} s", grouped(of(1e9).round() as u64)),
    }
}

/// Nanoseconds as milliseconds with three places, the same for all rows of a table or an axis: `144.301`.
///
/// ```
/// use netplay_text::words::milliseconds;
/// assert_eq!(milliseconds(144_301_999), "144.301");
/// ```
#[must_use]
pub fn milliseconds(ns: u64) -> String {
    format!("{}.{:03}", ns / 1_000_000, ns / 1_000 % 1_000)
}

/// A number from 1 to 999.
fn three_digits(value: f64) -> String {
    let decimals = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// A time that the user asked for, exactly: `50 ms`, `2500 ms`.
///
/// ```
/// use std::time::Duration;
/// use netplay_text::words::exactly;
/// let times = [50, 2_500, 10_000].map(Duration::from_millis);
/// assert_eq!(times.map(exactly), ["50 ms", "2500 ms", "10 s"]);
/// ```
#[must_use]
pub fn exactly(time: Duration) -> String {
    match time.as_millis() {
        0..10_000 => format!("{} ms", time.as_secs_f64() * 1e3),
        _ => format!("{} s", time.as_secs_f64()),
    }
}

/// An estimated time: `1.3 s`, `44 s`, `10 min`.
///
/// ```
/// use std::time::Duration;
/// use netplay_text::words::about;
/// let times = [1_260, 44_400, 600_000].map(Duration::from_millis);
/// assert_eq!(times.map(about), ["1.3 s", "44 s", "10 min"]);
/// ```
#[must_use]
pub fn about(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds @ ..9.5 => format!("{seconds:.1} s"),
        seconds @ ..119.5 => format!("{seconds:.0} s"),
        seconds => format!("{:.0} min", seconds / 60.0),
    }
}

/// How long something still lasts: `41 s`. A part of a second is rounded up, so that it is over when they have passed.
///
/// ```
/// use std::time::Duration;
/// use netplay_text::words::seconds_left;
/// assert_eq!(seconds_left(Duration::from_millis(40_001)), "41 s");
/// ```
#[must_use]
pub fn seconds_left(time: Duration) -> String {
    format!("{} s", grouped(time.as_millis().div_ceil(1000) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measured_time_has_its_digits_at_every_step() {
        let times =
            [0, 999, 1_000, 9_994, 9_996, 99_960, 999_499, 999_500, 999_499_999, 999_500_000];
        assert_eq!(
            times.map(duration),
            [
                "0 ns", "999 ns", "1.00 µs", "9.99 µs", "10.0 µs", "100 µs", "999 µs", "1.00 ms",
                "999 ms", "1.000 s"
            ]
        );
        assert_eq!(duration(99_999_600_000), "100.000 s");
        assert_eq!(duration(1_234_000_000_000), "1,234 s");
    }
}
