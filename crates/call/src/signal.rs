//! The one call that a signal handler makes.
//!
//! A handler interrupts the program anywhere, inside `malloc` or with a lock held; so it may only
//! use what signal-safety(7) lists. `shutdown` and `clock_gettime` are on the list; recording an
//! event is not. The handler therefore leaves a note of its call in a static table, and the same
//! thread records it with its next call, before or after it, in the order in which they returned.

use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};

use super::clock::monotonic;

/// More notes than a handler ever leaves: a server waits on a listener and on one client.
const NOTES: usize = 8;

static NOTED: [Note; NOTES] = [const { Note::empty() }; NOTES];
/// How many of them are `FULL`.
static FULL_ONES: AtomicUsize = AtomicUsize::new(0);

/// A shutdown that a handler made.
struct Note {
    /// `FREE`, `HELD` while a handler writes it, `FULL`.
    state: AtomicI32,
    fd: AtomicI32,
    errno: AtomicI32,
    start: AtomicU64,
    end: AtomicU64,
    tid: AtomicI32,
}

const FREE: i32 = 0;
const HELD: i32 = 1;
const FULL: i32 = 2;

impl Note {
    const fn empty() -> Note {
        Note {
            state: AtomicI32::new(FREE),
            fd: AtomicI32::new(0),
            errno: AtomicI32::new(0),
            start: AtomicU64::new(0),
            end: AtomicU64::new(0),
            tid: AtomicI32::new(0),
        }
    }

    fn claim(&self) -> bool {
        self.state.compare_exchange(FREE, HELD, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn is_full(&self) -> bool {
        self.state.load(Ordering::Acquire) == FULL
    }
}

/// [`shutdown`](super::shutdown) of both directions, for a signal handler: async-signal-safe,
/// leaves errno as it was, and is recorded with the next call.
#[expect(unsafe_code, reason = "a handler can borrow no owned descriptor")]
pub(crate) fn shutdown_in_handler(fd: RawFd) {
    let before = Errno::last_raw();
    let start = monotonic();
    // SAFETY: shutdown takes two integers; a stale descriptor is the error EBADF or ENOTSOCK.
    let done = unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
    let errno = if done == 0 { 0 } else { Errno::last_raw() };
    if let Some(note) = NOTED.iter().find(|note| note.claim()) {
        note.fd.store(fd, Ordering::Relaxed);
        note.errno.store(errno, Ordering::Relaxed);
        note.start.store(start, Ordering::Relaxed);
        note.end.store(monotonic(), Ordering::Relaxed);
        note.tid.store(nix::unistd::gettid().as_raw(), Ordering::Relaxed);
        note.state.store(FULL, Ordering::Release);
        FULL_ONES.fetch_add(1, Ordering::Release);
    }
    Errno::set_raw(before);
}

/// Whether one of these signals is pending: it came while it was blocked (sigpending(2)). This call is
/// the observer's own, and is not recorded.
#[expect(unsafe_code, reason = "sigpending writes through a pointer")]
pub fn is_pending(signals: &[Signal]) -> bool {
    let mut pending = SigSet::empty();
    // SAFETY: sigpending writes one whole sigset_t, which `pending` is.
    unsafe { libc::sigpending(ptr::from_mut(&mut pending).cast()) };
    signals.iter().any(|&signal| pending.contains(signal))
}

/// A shutdown of both directions that a handler made.
pub(super) struct Made {
    pub(super) fd: RawFd,
    /// 0: it went well.
    pub(super) errno: i32,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// Whether a handler of this thread has called shutdown on this socket, and the record does not have it yet. The
/// answer of that call does not matter, because ENOTCONN of a datagram socket wakes its receive all the same.
pub(super) fn has_shut_down(fd: RawFd) -> bool {
    if FULL_ONES.load(Ordering::Acquire) == 0 {
        return false;
    }
    let tid = nix::unistd::gettid().as_raw();
    let is_it = |note: &Note| {
        (note.fd.load(Ordering::Relaxed), note.tid.load(Ordering::Relaxed)) == (fd, tid)
    };
    NOTED.iter().any(|note| note.is_full() && is_it(note))
}

/// Hands out what handlers of this thread began to do before this time of CLOCK_MONOTONIC. The notes
/// of other threads are theirs to record, or one thread could tell another's calls out of order; and
/// a forked child has copies of its parent's notes, which are not its own either.
pub(super) fn take(before: u64, mut each: impl FnMut(Made)) {
    if FULL_ONES.load(Ordering::Acquire) == 0 {
        return;
    }
    let tid = nix::unistd::gettid().as_raw();
    for note in NOTED.iter().filter(|note| note.is_full()) {
        let made = Made {
            fd: note.fd.load(Ordering::Relaxed),
            errno: note.errno.load(Ordering::Relaxed),
            start: note.start.load(Ordering::Relaxed),
            end: note.end.load(Ordering::Relaxed),
        };
        if note.tid.load(Ordering::Relaxed) == tid && made.start < before {
            FULL_ONES.fetch_sub(1, Ordering::Relaxed);
            note.state.store(FREE, Ordering::Release);
            each(made);
        }
    }
}
