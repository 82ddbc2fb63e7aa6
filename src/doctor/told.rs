//! What was found, for people.

use std::fmt::Write as _;

use super::{Check, Verdict};
use crate::columns;

/// How it is to look.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// How many columns there are.
    pub columns: usize,
    /// Whether to keep to ASCII.
    pub ascii: bool,
    /// Whether to leave out what is as it should be, and the sum.
    pub brief: bool,
}

/// The checks, each with what it means and the line that mends it.
#[must_use]
pub fn told(checks: &[Check], look: Look) -> String {
    let mut text = String::new();
    let names = checks.iter().map(|check| check.what.len()).max().unwrap_or_default();
    for check in checks {
        let mark = mark(check.verdict, look.ascii);
        _ = writeln!(text, "{mark} {:<names$}  {}", check.what, check.found);
        if look.brief && check.verdict == Verdict::Good {
            continue;
        }
        let indent = columns::width(mark) + 1 + names + 2;
        let room = look.columns.clamp(40, 100).saturating_sub(indent);
        for line in columns::wrapped(&check.effect, room) {
            _ = writeln!(text, "{:indent$}{line}", "");
        }
        if let Some(mend) = &check.mend {
            _ = writeln!(text, "{:indent$}mend it: {mend}", ""); // in one line, to be copied
        }
    }
    if !look.brief {
        let good = checks.iter().filter(|check| check.verdict == Verdict::Good).count();
        let all = checks.len();
        _ = writeln!(text, "\n{good} of {all} are as netplay wants them. Try next: netplay lab");
    }
    text
}

fn mark(verdict: Verdict, ascii: bool) -> &'static str {
    match (verdict, ascii) {
        (Verdict::Good, false) => "✓",
        (Verdict::Less, false) => "~",
        (Verdict::Missing, false) => "✗",
        (Verdict::Good, true) => "ok  ",
        (Verdict::Less, true) => "less",
        (Verdict::Missing, true) => "NONE",
    }
}
