//! Bytes between a file and a socket without a copy into the program: sendfile and splice. And
//! sync_file_range, which tells the kernel to write such bytes to the disk.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

pub use libc::SYNC_FILE_RANGE_WRITE;
use nix::fcntl::SpliceFFlags;

use super::error::Result;
use super::gather::Wait;
use super::step::Step;
use netplay_record::{Bytes, BytesName};

/// Sends up to `count` bytes of the file from `offset` on, and moves `offset` behind them. The
/// kernel takes them from its page cache: they are never copied into this program. 0 is the end of
/// the file. See sendfile(2).
pub fn sendfile(socket: &impl AsFd, file: &File, offset: &mut u64, count: usize) -> Result<usize> {
    let fd = socket.as_fd();
    let step = Step::wait(BytesName::Sendfile, Some(fd.as_raw_fd()), Wait::Others);
    let from = i64::try_from(*offset).unwrap_or(i64::MAX);
    let mut at = from;
    let sent = nix::sys::sendfile::sendfile64(fd, file, Some(&mut at), count);
    step.end(sent.map_err(io::Error::from), |_| Bytes::Sendfile {
        file: file.as_raw_fd(),
        offset: from,
        end: at,
        count,
    })
    .inspect(|&n| *offset += n as u64)
}

/// Moves up to `count` bytes between a pipe and something else, at least one of the two being the
/// pipe; for a socket that does not wait, `SPLICE_F_NONBLOCK` is not enough: the socket needs
/// O_NONBLOCK. 0 is the end. See splice(2).
pub fn splice(from: &impl AsFd, to: &impl AsFd, count: usize) -> Result<usize> {
    let (from, to) = (from.as_fd(), to.as_fd());
    let step = Step::wait(BytesName::Splice, Some(from.as_raw_fd()), Wait::Others);
    let moved = nix::fcntl::splice(from, None, to, None, count, SpliceFFlags::SPLICE_F_MOVE);
    step.end(moved.map_err(io::Error::from), |_| Bytes::Splice { to: to.as_raw_fd(), count })
}

/// Tells the kernel to begin writing `count` bytes of the file from `offset` on to the disk, if
/// they are only in memory; a count of 0 means up to the end. With `SYNC_FILE_RANGE_WRITE` it does not
/// wait until they are there (only for room in the disk's queue). It promises nothing: the file's size
/// and place are not written with it, so an fsync must follow. See sync_file_range(2).
#[expect(unsafe_code, reason = "nix has no sync_file_range")]
pub fn sync_file_range(file: &impl AsFd, offset: i64, count: i64, flags: u32) -> Result<()> {
    let fd = file.as_fd().as_raw_fd();
    let step = Step::begin(BytesName::SyncFileRange, Some(fd));
    // SAFETY: it takes numbers only, and the descriptor is borrowed for the call.
    let begun = unsafe { libc::sync_file_range(fd, offset, count, flags) };
    let begun = nix::errno::Errno::result(begun).map(drop).map_err(io::Error::from);
    step.end(begun, |_| Bytes::SyncFileRange { offset, count, flags })
}
