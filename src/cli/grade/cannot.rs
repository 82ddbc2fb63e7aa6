//! Why there is no grade at all, for the command line.

use anyhow::anyhow;

use crate::child::CannotRun;
use crate::client::Interrupted;
use crate::grade::GradeError;
use crate::watch::StartFailure;

/// The error that has the right exit code.
pub(super) fn no_grade(error: GradeError) -> anyhow::Error {
    match error {
        GradeError::Start(error) => match error.why {
            StartFailure::Forbidden(..) => CannotRun(error.to_string()).into(),
            _ => anyhow::Error::new(error),
        },
        GradeError::Interrupted => anyhow!(Interrupted),
    }
}
