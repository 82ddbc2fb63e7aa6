//! Writing a result into a pipe or a device that the user has named.
//!
//! A FIFO may have no reader yet, and a pipe may have one that takes its time: that wait hears the first signal.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::FileError;
use crate::client::Interrupted;
use netplay_call::stop;

/// How long a FIFO may be without a reader.
const READER: Duration = Duration::from_secs(5);

/// How long a wait lasts before it looks whether there was a signal, in milliseconds.
const LOOK: u16 = 50;

/// Writes all of it.
///
/// # Errors
/// It cannot be opened or written; a FIFO has no reader; [`Interrupted`].
#[expect(clippy::disallowed_methods, reason = "a file's wait, no step of a page")]
pub(super) fn write(mut bytes: &[u8], path: &Path) -> Result<(), FileError> {
    let is_fifo = fs::metadata(path)?.file_type().is_fifo();
    let mut how = OpenOptions::new();
    how.write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let end = Instant::now() + READER;
    let mut file = loop {
        match how.open(path) {
            // A FIFO without a reader (fifo(7)).
            Err(error) if is_fifo && error.raw_os_error() == Some(libc::ENXIO) => {
                if Instant::now() >= end {
                    return Err(FileError::NoReader);
                }
                thread::sleep(Duration::from_millis(LOOK.into()));
                unless_interrupted()?;
            }
            opened => break opened?,
        }
    };
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let mut list = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
                let _ = poll(&mut list, PollTimeout::from(LOOK)); // EINTR: it looks at once
                unless_interrupted()?;
            }
            // The reader has seen enough: `| head` is no failure either.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn unless_interrupted() -> Result<(), FileError> {
    stop::signal().map_or(Ok(()), |_| Err(Interrupted.into()))
}
