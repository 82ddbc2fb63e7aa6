//! Standard output, whose errors name it: `standard output: No space left on device`.
//! The wait for its reader is limited: a full pipe makes `write` wait, and without the limit the first
//! Ctrl-C would have no effect.

use std::fmt;
use std::io::{self, IsTerminal, StdoutLock, Write};
use std::os::fd::AsFd;

use netplay_call::stop::in_a_hurry;

use super::file;
use netplay_text::lang::Lang;
use netplay_text::say;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A pipe that is ready takes this much without waiting (PIPE_BUF, pipe(7)).
const AT_ONCE: usize = 4096;

/// How long a wait for a reader lasts before it checks whether a stop was requested, in milliseconds.
const LOOK: u16 = 100;

/// Standard output, held until it is dropped.
#[derive(Debug)]
pub struct Output(StdoutLock<'static>);

/// Standard output, for results. It waits until no other thread holds it.
#[must_use]
pub fn stdout() -> Output {
    Output(io::stdout().lock())
}

impl Output {
    /// Whether it is a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }

    /// Waits until the reader has made room, or a stop is requested. A file is always ready.
    #[expect(clippy::disallowed_methods, reason = "the observer's own wait, and for no socket")]
    fn wait_for_room(&self) -> io::Result<()> {
        loop {
            let mut list = [PollFd::new(self.0.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut list, PollTimeout::from(LOOK)) {
                Ok(0) | Err(nix::errno::Errno::EINTR) if in_a_hurry() => {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        Lang::current().pick("it is not being read", "没有程序在读取它"),
                    ));
                }
                Ok(0) | Err(nix::errno::Errno::EINTR) => {}
                // Ready; or poll failed, and the write reports the error.
                _ => return Ok(()),
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait_for_room().map_err(named)?;
        self.0.write(&bytes[..bytes.len().min(AT_ONCE)]).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(named)
    }

    /// Builds the whole text first: otherwise each of its pieces would wait separately.
    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.write_all(text.to_string().as_bytes())
    }
}

/// One `write`, unless a signal or a full disk cuts it short: so the lines of several processes never mix.
pub fn write_whole(fd: impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match nix::unistd::write(&fd, bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// An error of standard output. It keeps its kind, because a pipe without a reader is not a failure (`| head`).
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
        let lang = Lang::current();
        let why = file::why(&self.0, lang);
        f.write_str(&say!(lang, "standard output: {why}", "标准输出：{why}"))
    }
}

impl std::error::Error for OfStdout {}
