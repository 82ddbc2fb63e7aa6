//! Bytes between a file and a socket without a detour through the program: sendfile and splice.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::fcntl::SpliceFFlags;

use super::error::Result;
use super::record::Step;

/// Sends up to `count` bytes of the file from `offset` on, and moves `offset` behind them. The
/// kernel takes them from its page cache: they are never copied into this program. 0 is the end of
/// the file. See sendfile(2).
pub fn sendfile(socket: &impl AsFd, file: &File, offset: &mut u64, count: usize) -> Result<usize> {
    let fd = socket.as_fd();
    let step = Step::begin("sendfile", "sendfile", Some(fd.as_raw_fd()));
    let from = i64::try_from(*offset).unwrap_or(i64::MAX);
    let mut at = from;
    let sent = nix::sys::sendfile::sendfile64(fd, file, Some(&mut at), count);
    step.end(sent.map_err(io::Error::from), |told, n| {
        let offset = if at == from { format!("[{from}]") } else { format!("[{from}] => [{at}]") };
        let args = format!("{}, {}, {offset}, {count}", fd.as_raw_fd(), file.as_raw_fd());
        told.args(args).moved(n.copied()).of(count)
    })
    .inspect(|&n| *offset += n as u64)
}

/// Moves up to `count` bytes between a pipe and something else, at least one of the two being the
/// pipe; for a socket that does not wait, `SPLICE_F_NONBLOCK` is not enough: the socket needs
/// O_NONBLOCK. 0 is the end. See splice(2).
pub fn splice(from: &impl AsFd, to: &impl AsFd, count: usize) -> Result<usize> {
    let (from, to) = (from.as_fd(), to.as_fd());
    let step = Step::begin("splice", "splice", Some(from.as_raw_fd()));
    let moved = nix::fcntl::splice(from, None, to, None, count, SpliceFFlags::SPLICE_F_MOVE);
    step.end(moved.map_err(io::Error::from), |told, n| {
        let args =
            format!("{}, NULL, {}, NULL, {count}, SPLICE_F_MOVE", from.as_raw_fd(), to.as_raw_fd());
        told.args(args).moved(n.copied()).of(count)
    })
}
