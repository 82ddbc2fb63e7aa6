//! Why there is no grade at all, for the command line.

use anyhow::{Result, anyhow, bail};
use netplay_text::say;

use crate::child::CannotRun;
use crate::cli::global::Global;
use crate::client::{Interrupted, Usage};
use crate::grade::GradeError;
use crate::lang::Lang;
use crate::watch::{Forbidden, StartFailure};

/// The error that has the right exit code.
pub(super) fn no_grade(error: GradeError) -> anyhow::Error {
    match error {
        GradeError::Start(error) => match error.why {
            StartFailure::Forbidden(..) => unwatched(error.to_string()),
            _ => anyhow::Error::new(error),
        },
        GradeError::Interrupted => anyhow!(Interrupted),
    }
}

/// Programs cannot be watched here: there is another way to grade them.
pub(super) fn cannot_watch(forbidden: Forbidden) -> anyhow::Error {
    unwatched(crate::cli::watch::forbidden(forbidden).to_string())
}

fn unwatched(why: String) -> anyhow::Error {
    let lang = Lang::current();
    CannotRun(say!(
        lang,
        "{why}; --no-watch grades without watching, and proves less",
        "{why}；--no-watch 不观察程序也能评测，但证明力较弱",
    ))
    .into()
}

/// A grade has many traces, one for each failure: an option for one trace is refused, not ignored.
///
/// # Errors
/// `--trace` was given.
pub(super) fn refuse_trace(global: &Global, command: &str) -> Result<()> {
    if global.trace.is_none() {
        return Ok(());
    }
    let lang = Lang::current();
    bail!(Usage(say!(
        lang,
        "{command} does not write --trace: netplay grade -o DIR writes the trace of each failed test",
        "{command} 不写 --trace：netplay grade -o DIR 会写出每个失败测试的跟踪文件",
    )))
}
