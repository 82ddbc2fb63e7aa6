//! send, until the kernel has taken all.

use std::os::fd::AsFd;

use netplay_call::{self as call, MSG_NOSIGNAL};

/// Sends all of `data`. One `send` may take less: the kernel takes what fits into its buffer.
///
/// A program that ignores the number which send returns loses the rest, and only when it is busy.
/// MSG_NOSIGNAL: sending to a peer that is gone is to fail, and nothing else. Without it a signal comes
/// as well (SIGPIPE), which ends a C program; Rust's start-up code has it ignored.
///
/// # Errors
/// What send failed with (send(2)).
pub fn sendall(peer: &impl AsFd, mut data: &[u8]) -> call::Result<()> {
    while !data.is_empty() {
        match call::send(peer, data, MSG_NOSIGNAL) {
            Ok(taken) => data = &data[taken..],
            Err(error) if error.interrupted() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
