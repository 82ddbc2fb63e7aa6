//! Between the record and the sleep: what a listener has gathered is told before the process sleeps.
//!
//! A listener may gather events and write many at once. That must make nobody wait: whoever looks at a
//! server that sleeps is to see all that it did before. So every call that may sleep says so first, to
//! the [`Gatherer`], if there is one. While a server is busy its calls come back at once, and
//! what it did is told in pieces.
//!
//! Here is also what is known of a socket without asking, and what the kernel must be asked: two
//! of the calls for every message would seldom sleep, and a write before each would be a write too many.

use std::any::Any;
use std::os::fd::RawFd;
use std::sync::OnceLock;

use super::known::never_waits;
use super::state;

/// A listener that keeps events back for a while.
pub trait Gatherer: Sync {
    /// Whether it keeps anything back now.
    fn pending(&self) -> bool;

    /// Tells all of it: the process may sleep now, for as long as others like.
    fn tell(&self);

    /// Tells all of it, and keeps still until the answer is dropped: the process forks, and the
    /// child must inherit neither untold events nor a lock that is held.
    fn hold(&self) -> Box<dyn Any>;
}

static GATHERER: OnceLock<&dyn Gatherer> = OnceLock::new();

/// From now on this one is told when the process may sleep, and when it forks. Only the first counts.
pub fn gather(gatherer: &'static dyn Gatherer) {
    let _ = GATHERER.set(gatherer);
}

/// Lets a trace catch up: before a sleep elsewhere than in a call, and before a word to others that
/// makes them look. Not a call of the page: where nothing was gathered, it does nothing.
pub fn catch_up() {
    if let Some(gatherer) = GATHERER.get() {
        gatherer.tell();
    }
}

/// What a call may wait for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wait {
    /// What somebody else does: a client that comes, an answer, a child's end.
    Others,
    /// A datagram: another client's may be here already.
    Datagram,
    /// Room in the send buffer for so many bytes.
    Room(usize),
}

/// To be called before a call that may sleep: has told what was gathered if it may.
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
