//! What stands beside a call in a picture: shorter than the story's sentence, in the manual's words.

use super::Call;
use crate::escape::grouped;

/// Both in one line: `recv(4) → 5 bytes "hello"`.
#[must_use]
pub fn headline(call: &Call) -> String {
    let (asked, answered) = (call.record.asked(), call.record.answered());
    let times = if call.times > 1 { format!(" × {}", grouped(call.times)) } else { String::new() };
    match answered.as_str() {
        "" => asked,
        answered => format!("{asked} → {answered}{times}"),
    }
}

/// A time as people read it: `4 µs`, `12.4 ms`, `1.250 s`.
#[must_use]
pub fn time_text(ns: u64) -> String {
    match ns {
        0..1_000_000 => format!("{} µs", ns / 1_000),
        1_000_000..1_000_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        1_000_000_000..100_000_000_000 => format!("{:.3} s", ns as f64 / 1e9),
        _ => format!("{} s", grouped(ns / 1_000_000_000)),
    }
}
