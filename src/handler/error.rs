//! Why a server had to end.

use std::error::Error;
use std::fmt;
use std::io;

use crate::call::CallError;

/// Why a server cannot go on. It prints as the error inside it.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// A call on the server's own socket has failed.
    Call(CallError),
    /// The wait for room for another thread has failed: see [`Semaphore`](crate::stop::Semaphore).
    Room(io::Error),
}

impl ServeError {
    /// The error inside it.
    #[must_use]
    pub fn itself(&self) -> &(dyn Error + 'static) {
        match self {
            ServeError::Call(error) => error,
            ServeError::Room(error) => error,
        }
    }
}

impl From<CallError> for ServeError {
    fn from(error: CallError) -> ServeError {
        ServeError::Call(error)
    }
}

impl From<io::Error> for ServeError {
    fn from(error: io::Error) -> ServeError {
        ServeError::Room(error)
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.itself(), f)
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.itself().source()
    }
}
