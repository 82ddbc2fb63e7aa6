//! What is wrong with the TOML of a file, in one line.

use std::ops::Range;

/// The line, from 1 on, in which a place of a text is.
pub(crate) fn line(text: &str, at: &Range<usize>) -> usize {
    let before = &text.as_bytes()[..at.start.min(text.len())];
    1 + before.iter().filter(|&&byte| byte == b'\n').count()
}

/// What is wrong, without the types of Rust.
pub(crate) fn what(error: &toml::de::Error) -> String {
    let what = error.message().lines().collect::<Vec<_>>().join(" ");
    let what = what.replace("expected f64", "expected a number");
    what.replace("expected u64", "expected a whole number")
}
