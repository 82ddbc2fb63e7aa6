//! The one call that a signal handler makes.
//!
//! A handler interrupts the program anywhere, inside `malloc` or with a lock held; so it may only
//! use what signal-safety(7) lists. `shutdown` and `clock_gettime` are on the list, recording an
//! event is not. The handler therefore leaves a note of its call in a static table, and the next
//! call that is recorded records it first, in the order in which the kernel saw them.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use nix::errno::Errno;

use super::clock::monotonic;

/// More than one handler run ever leaves: a server waits on a listener and on one client.
const NOTES: usize = 8;

static NOTED: [Note; NOTES] = [const { Note::empty() }; NOTES];
static ANY: AtomicBool = AtomicBool::new(false);

/// A shutdown that a handler made.
struct Note {
    /// `FREE`, `HELD` while one side reads or writes it, `FULL`.
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

    fn claim(&self, from: i32) -> bool {
        self.state.compare_exchange(from, HELD, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// [`shutdown`](super::shutdown) of both directions, for a signal handler: async-signal-safe,
/// leaves errno as it was, and is recorded with the next call.
#[expect(unsafe_code, reason = "a handler can borrow no owned descriptor")]
pub fn shutdown_in_handler(fd: RawFd) {
    let before = Errno::last_raw();
    let start = monotonic();
    // SAFETY: shutdown takes two integers; a stale descriptor is the error EBADF or ENOTSOCK.
    let done = unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
    let errno = if done == 0 { 0 } else { Errno::last_raw() };
    if let Some(note) = NOTED.iter().find(|note| note.claim(FREE)) {
        note.fd.store(fd, Ordering::Relaxed);
        note.errno.store(errno, Ordering::Relaxed);
        note.start.store(start, Ordering::Relaxed);
        note.end.store(monotonic(), Ordering::Relaxed);
        note.tid.store(nix::unistd::gettid().as_raw(), Ordering::Relaxed);
        note.state.store(FULL, Ordering::Release);
        ANY.store(true, Ordering::Release);
    }
    Errno::set_raw(before);
}

/// A shutdown of both directions that a handler made.
pub(super) struct Made {
    pub(super) fd: RawFd,
    /// 0: it went well.
    pub(super) errno: i32,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) tid: i32,
}

/// Hands out what handlers have made since the last time.
pub(super) fn take(mut each: impl FnMut(Made)) {
    if !ANY.swap(false, Ordering::Acquire) {
        return;
    }
    for note in NOTED.iter().filter(|note| note.claim(FULL)) {
        let made = Made {
            fd: note.fd.load(Ordering::Relaxed),
            errno: note.errno.load(Ordering::Relaxed),
            start: note.start.load(Ordering::Relaxed),
            end: note.end.load(Ordering::Relaxed),
            tid: note.tid.load(Ordering::Relaxed),
        };
        note.state.store(FREE, Ordering::Release);
        each(made);
    }
}
