//! Standard output, whose errors say what could not be written: `standard output: No space left on device`.

use std::fmt;
use std::io::{self, IsTerminal, StdoutLock, Write};

/// Standard output, held until it is dropped.
#[derive(Debug)]
pub struct Output(StdoutLock<'static>);

/// Standard output, for results. It waits until another thread that holds it lets it go.
#[must_use]
pub fn stdout() -> Output {
    Output(io::stdout().lock())
}

impl Output {
    /// Whether people see it as it comes.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(named)
    }
}

/// An error of standard output. The kind stays, because a pipe without a reader is no failure (`| head`).
fn named(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::Interrupted => error,
        kind => io::Error::new(kind, OfStdout(error)),
    }
}

#[derive(Debug)]
struct OfStdout(io::Error);

impl fmt::Display for OfStdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "standard output: {}", self.0)
    }
}

impl std::error::Error for OfStdout {}
