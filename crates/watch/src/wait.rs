//! Waiting for stops: wait4(2), which a timer interrupts from time to time.
//!
//! A tracer that sleeps in wait4 is woken at once, and as the kernel's hint says, on the processor of the thread that
//! stopped. A signal that came just before the sleep would not end it, so the timer ticks again and again: then there is
//! also time for deadlines.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::seen::Status;

/// How often the timer ticks, in microseconds.
const TICK: libc::suseconds_t = 50_000;

/// Whether it has ticked.
static TICKED: AtomicBool = AtomicBool::new(false);

extern "C" fn tick(_: i32) {
    TICKED.store(true, Relaxed);
}

/// A timer that ticks until this is dropped.
pub(crate) struct Timer(SigAction);

impl Timer {
    #[expect(unsafe_code, reason = "a handler of a signal")]
    pub(crate) fn begin() -> io::Result<Timer> {
        // Without SA_RESTART a tick ends the wait.
        let action = SigAction::new(SigHandler::Handler(tick), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler stores one number.
        let before = unsafe { sigaction(Signal::SIGALRM, &action) }?;
        set(TICK)?;
        Ok(Timer(before))
    }
}

impl Drop for Timer {
    #[expect(unsafe_code, reason = "a handler of a signal")]
    fn drop(&mut self) {
        let _ = set(0);
        // SAFETY: it is what was there before.
        let _ = unsafe { sigaction(Signal::SIGALRM, &self.0) };
    }
}

#[expect(unsafe_code, reason = "nix has no setitimer")]
fn set(every: libc::suseconds_t) -> io::Result<()> {
    let time = libc::timeval { tv_sec: 0, tv_usec: every };
    let timer = libc::itimerval { it_interval: time, it_value: time };
    // SAFETY: the kernel reads the timer, and writes nothing.
    let done =
        unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    Errno::result(done).map(drop).map_err(io::Error::from)
}

/// Whether the timer has ticked since this was last asked.
pub(crate) fn has_ticked() -> bool {
    TICKED.load(Relaxed) && TICKED.swap(false, Relaxed)
}

/// What happened to a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It ended.
    Ended(Status),
    /// It stopped at the entry or the return of a system call.
    Syscall,
    /// It stopped for another reason.
    Stopped {
        /// The signal; SIGTRAP for most events.
        signal: i32,
        /// `PTRACE_EVENT_…`; 0: the signal is about to reach it.
        event: i32,
    },
}

impl Change {
    fn of(status: i32) -> Option<Change> {
        if libc::WIFEXITED(status) {
            return Some(Change::Ended(Status::Exited(libc::WEXITSTATUS(status))));
        }
        if libc::WIFSIGNALED(status) {
            return Some(Change::Ended(Status::Killed(libc::WTERMSIG(status))));
        }
        if !libc::WIFSTOPPED(status) {
            return None;
        }
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        Some(match signal {
            // PTRACE_O_TRACESYSGOOD
            signal if signal == libc::SIGTRAP | 0x80 => Change::Syscall,
            signal => Change::Stopped { signal, event },
        })
    }
}

/// How often to ask before sleeping: some 20 µs. On an idle processor that is much shorter than to fall asleep and to be
/// woken, and the next stop mostly comes within that time.
const ASKS: u32 = 100;

/// With more threads than this each question takes long itself, because the kernel looks at one after the other, and some
/// thread has mostly stopped already.
const FEW: usize = 16;

/// Waits until something has happened to one of so many threads, and takes all that has, in the order in which the kernel
/// tells it. Nothing, if the timer ticked meanwhile.
pub(crate) fn wait(threads: usize, into: &mut Vec<(i32, Change)>) {
    let asks = if threads <= FEW { ASKS } else { 0 };
    for _ in 0..asks {
        drain(libc::WNOHANG, threads, into);
        if !into.is_empty() {
            return;
        }
    }
    drain(0, threads, into);
}

/// Takes what has happened, at most so many things: each thread stops once. `how` is for the first question; the others do not wait.
#[expect(unsafe_code, reason = "nix does not know stops at real-time signals")]
fn drain(mut how: libc::c_int, most: usize, into: &mut Vec<(i32, Change)>) {
    while into.len() < most {
        let mut status = 0;
        // SAFETY: the kernel writes one number.
        let tid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | how) };
        if tid <= 0 {
            return;
        }
        into.extend(Change::of(status).map(|change| (tid, change)));
        how = libc::WNOHANG;
    }
}
