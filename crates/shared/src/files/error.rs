//! What is wrong with a file that the user has named.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::client::Interrupted;
use crate::failure::alone;
use netplay_text::escape::{escape, file_name};
use netplay_text::lang::Lang;
use netplay_text::say;

/// Why a file cannot be read or written. It is told in the language of the process ([`Lang::current`]).
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
    /// Nothing was written to this pipe in the time that its writer has.
    NoWriter,
    /// Nothing reads from this FIFO.
    NoReader,
    /// This file cannot be written, for that reason.
    Write(PathBuf, Box<FileError>),
    /// This file cannot be read.
    Read(PathBuf, io::Error),
    /// This file cannot be removed.
    Remove(PathBuf, io::Error),
    /// What has this name is no file.
    NoFile(PathBuf),
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
        let lang = Lang::current();
        f.write_str(&match self {
            FileError::Io(error) => alone(error, lang),
            FileError::Interrupted => Interrupted.to_string(),
            FileError::TooLong(most) => {
                say!(lang, "it is longer than {most} bytes", "它超过了 {most} 字节")
            }
            FileError::LongLine(most) => say!(
                lang,
                "its first line is longer than {most} bytes",
                "它的第一行超过了 {most} 字节",
            ),
            FileError::NoWriter => {
                say!(lang, "nothing was written to it within a minute", "一分钟内没有数据写入",)
            }
            FileError::NoReader => say!(
                lang,
                "this FIFO has no reader: start the reader first",
                "这个 FIFO 没有读者：先启动读的一方",
            ),
            FileError::Write(path, _) => {
                let path = file_name(path);
                say!(lang, "cannot write {path}", "无法写入 {path}")
            }
            FileError::Folder(path, _) => {
                let path = shown(path);
                say!(lang, "cannot make the folder {path}", "无法创建目录 {path}")
            }
            FileError::Read(path, _) | FileError::OpenLock(path, _) | FileError::Lock(path, _) => {
                shown(path)
            }
            FileError::Remove(path, _) => {
                let path = shown(path);
                say!(lang, "cannot remove {path}", "无法删除 {path}")
            }
            FileError::NoFile(path) => {
                let path = shown(path);
                say!(lang, "{path} is not a file", "{path} 不是文件")
            }
            FileError::Locked(path) => {
                let path = shown(path);
                say!(lang, "another process keeps {path} locked", "另一个进程锁住了 {path}")
            }
        })
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            FileError::Io(error) => error.source(),
            FileError::Write(_, error) => Some(&**error),
            FileError::Read(_, error)
            | FileError::Remove(_, error)
            | FileError::Folder(_, error)
            | FileError::OpenLock(_, error) => Some(error),
            FileError::Lock(_, errno) => Some(errno),
            _ => None,
        }
    }
}
