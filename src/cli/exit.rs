//! What a command ends with: 0 done · 1 network or run error · 2 usage · 3 an expectation was not met · 4 cannot run
//! here · 128+n ended by a signal.

use std::io;

use anyhow::Error;

use crate::bench::verdict::Unexpected;
use crate::call::CallError;
use crate::child::CannotRun;
use crate::client::{Interrupted, Usage};
use crate::lab::Unmet;
use crate::stop;
use crate::why::{self, cause};

/// The exit code for an error, which may be none.
pub(super) fn code(error: &Error) -> u8 {
    if cause::<Interrupted>(error).is_some() {
        return 128 + stop::signal().unwrap_or(libc::SIGINT) as u8;
    }
    if cause::<Usage>(error).is_some() {
        return 2;
    }
    if error.is::<Unexpected>() || error.is::<Unmet>() {
        return 3;
    }
    if error.is::<CannotRun>() || cause::<CallError>(error).is_some_and(why::cannot_run) {
        return 4;
    }
    match cause::<io::Error>(error).map(io::Error::kind) {
        // The reader of our output has seen enough: `| head`.
        Some(io::ErrorKind::BrokenPipe) => 0,
        // A signal ended a wait for a reader.
        Some(io::ErrorKind::TimedOut) => stop::signal().map_or(1, |signal| 128 + signal as u8),
        _ => 1,
    }
}
