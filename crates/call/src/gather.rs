//! A listener that gathers events writes them before the process sleeps.
//!
//! A listener may gather events and write many at once. That must not delay a reader: if the server
//! sleeps, everything that it did before must be visible. So every call that may sleep first tells
//! the [`Gatherer`], if there is one. While a server is busy its calls return at once, and
//! its events are written in batches.
//!
//! This module also decides whether a call may sleep, from what is known about the socket or by asking the
//! kernel: most calls return at once, and a write before each would cost too much.

use std::any::Any;
use std::os::fd::RawFd;
use std::sync::OnceLock;

use super::known::never_waits;
use super::state;

/// A listener that keeps events back for a while.
pub trait Gatherer: Sync {
    /// Whether it keeps anything back now.
    fn pending(&self) -> bool;

    /// Writes all of it: the process may sleep now, for any length of time.
    fn tell(&self);

    /// Writes all of it, and gathers nothing until the result is dropped: the process forks, and the
    /// child must inherit neither gathered events nor a held lock.
    fn hold(&self) -> Box<dyn Any>;
}

static GATHERER: OnceLock<&dyn Gatherer> = OnceLock::new();

/// From now on this gatherer is told when the process may sleep, and when it forks. Only the first call counts.
pub fn gather(gatherer: &'static dyn Gatherer) {
    let _ = GATHERER.set(gatherer);
}

/// Brings a trace up to date: before a sleep outside a call, and before a message that makes another
/// program read the trace. It is not a call of the page; if nothing was gathered, it does nothing.
pub fn catch_up() {
    if let Some(gatherer) = GATHERER.get() {
        gatherer.tell();
    }
}

/// What a call may wait for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wait {
    /// An action of another program: a client connects, an answer arrives, a child ends.
    Others,
    /// A datagram: one of another client may have arrived already.
    Datagram,
    /// Room in the send buffer for this many bytes.
    Room(usize),
}

/// Call it before a call that may sleep: if it may, the gathered events are written.
pub(super) fn before(fd: Option<RawFd>, wait: Wait) {
    if let Some(gatherer) = GATHERER.get()
        && gatherer.pending()
        && fd.is_none_or(|fd| may_wait(fd, wait))
    {
        gatherer.tell();
    }
}

/// The smallest send buffer has room for more than this (socket(7): 2,048 bytes, which the kernel
/// doubles for its own use).
const SURE_ROOM: usize = 1024;

fn may_wait(fd: RawFd, wait: Wait) -> bool {
    if never_waits(fd) {
        return false;
    }
    match wait {
        Wait::Others => true,
        Wait::Datagram => state::to_receive(fd).is_none_or(|bytes| bytes == 0),
        Wait::Room(bytes) => bytes > SURE_ROOM || state::unsent(fd).is_none_or(|unsent| unsent > 0),
    }
}

/// Holds the gatherer still while the process forks.
pub(super) fn hold() -> impl Sized {
    GATHERER.get().map(|gatherer| gatherer.hold())
}
