//! What is wrong with a file that the user has named.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::client::Interrupted;
use netplay_text::escape::{escape, file_name};

/// Why a file cannot be read or written.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// What the kernel says.
    Io(io::Error),
    /// A signal ended the wait for the other end of a pipe.
    Interrupted,
    /// The file is longer than so many bytes.
    TooLong(usize),
    /// Its first line is longer than so many bytes.
    LongLine(usize),
    /// Nothing reads from this FIFO.
    NoReader,
    /// This file cannot be written, for that reason.
    Write(PathBuf, Box<FileError>),
    /// The folder of a file cannot be made.
    Folder(PathBuf, io::Error),
    /// This file, which is a lock, cannot be opened.
    OpenLock(PathBuf, io::Error),
    /// This file cannot be locked.
    Lock(PathBuf, Errno),
    /// Another process keeps this file locked.
    Locked(PathBuf),
}

impl FileError {
    /// The error that this one is, where it is another one as it stands: what the kernel says, or [`Interrupted`].
    #[must_use]
    pub fn itself(&self) -> &(dyn Error + 'static) {
        match self {
            FileError::Io(error) => error,
            FileError::Interrupted => &Interrupted,
            other => other,
        }
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> FileError {
        FileError::Io(error)
    }
}

impl From<Interrupted> for FileError {
    fn from(_: Interrupted) -> FileError {
        FileError::Interrupted
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &PathBuf| escape(path.as_os_str().as_encoded_bytes());
        match self {
            FileError::Io(error) => error.fmt(f),
            FileError::Interrupted => Interrupted.fmt(f),
            FileError::TooLong(most) => write!(f, "it is longer than {most} bytes"),
            FileError::LongLine(most) => write!(f, "its first line is longer than {most} bytes"),
            FileError::NoReader => f.write_str("this FIFO has no reader; start that first"),
            FileError::Write(path, _) => write!(f, "cannot write {}", file_name(path)),
            FileError::Folder(path, _) => write!(f, "there can be no folder {}", shown(path)),
            FileError::OpenLock(path, _) | FileError::Lock(path, _) => f.write_str(&shown(path)),
            FileError::Locked(path) => {
                write!(f, "another process keeps {} locked", shown(path))
            }
        }
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            FileError::Io(error) => error.source(),
            FileError::Write(_, error) => Some(&**error),
            FileError::Folder(_, error) | FileError::OpenLock(_, error) => Some(error),
            FileError::Lock(_, errno) => Some(errno),
            _ => None,
        }
    }
}
