//! The children of a server: fork them and reap them without missing a signal.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use nix::sys::signal::{SaFlags, SigHandler, SigSet, SigmaskHow, Signal};
use nix::unistd::{Pid, getpid};

use super::{PARENT, SIGNAL, Slot, Stop, WAITS, here, install, is_orphan, nothing};
use crate::{self as call, WaitPidFlag};
use netplay_text::lang::Lang;
use netplay_text::say;

/// How long a child may take to end by itself after the parent has asked it to.
const GRACE: Duration = Duration::from_secs(1);

impl Stop {
    /// Call it before a `fork`: until [`in_child`](Stop::in_child), or until this is dropped in
    /// the parent, SIGINT, SIGTERM and SIGHUP are blocked. The child starts with the parent's handler, which would
    /// shut down the parent's listener. Threads that are started meanwhile also block these signals.
    #[must_use]
    pub fn undisturbed(&self) -> Undisturbed {
        Undisturbed::begin()
    }

    /// The stop of a child process, after `fork`: it watches nothing of its parent's.
    ///
    /// SIGTERM requests it; SIGINT and SIGHUP, which a terminal sends to parent and children alike, are
    /// left to the parent, which passes them on. If the parent dies without doing so, the kernel sends SIGTERM.
    #[must_use]
    pub fn in_child(&self, since: Undisturbed) -> Stop {
        let requested = self.requested();
        WAITS.iter().for_each(Slot::free);
        SIGNAL.store(0, SeqCst);
        PARENT.store(since.parent.as_raw(), SeqCst);
        let stop = Stop::new();
        if self.hears_signals() {
            // The parent's handlers stay: from now on they react only to SIGTERM.
            stop.0.signalled.store(here(), SeqCst);
        } else {
            stop.on(&[Signal::SIGTERM], SaFlags::SA_RESTART);
            install(&[Signal::SIGINT, Signal::SIGHUP], SigHandler::SigIgn, SaFlags::empty());
        }
        nix::sys::prctl::set_pdeathsig(Signal::SIGTERM).expect("SIGTERM is a signal");
        // A stop, or the parent's death, may have happened before these lines took effect.
        if requested || is_orphan() {
            stop.request();
        }
        stop
    }
}

/// The end of a forked child, at once: `_exit(2)`.
///
/// `exit(3)` would first flush buffers and run the exit handlers of the program and its libraries. In a child
/// these are copies of the parent's, and the parent also runs its own; a line in a buffer would be written
/// twice.
#[expect(unsafe_code, reason = "nothing of this program runs after it, no destructor either")]
pub fn end_child(code: i32) -> ! {
    // SAFETY: the system call takes a number, and does not return.
    unsafe { libc::_exit(code) }
}

/// A time in which the signals of a stop are blocked: around a `fork`, or around work that must not be left half done. It
/// ends when this is dropped.
#[derive(Debug)]
pub struct Undisturbed {
    mask: SigSet,
    parent: Pid,
}

impl Undisturbed {
    /// Blocks SIGINT, SIGTERM and SIGHUP in this thread from now on.
    #[must_use]
    pub fn begin() -> Undisturbed {
        Undisturbed { mask: Undisturbed::block(), parent: getpid() }
    }

    /// Blocks them, and returns the mask before.
    fn block() -> SigSet {
        let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
        signals.thread_swap_mask(SigmaskHow::SIG_BLOCK).expect("they may be blocked")
    }

    /// Unblocks them while this runs, so that pending ones also arrive.
    pub fn interrupted<T>(&mut self, work: impl FnOnce() -> T) -> T {
        self.mask.thread_set_mask().expect("the mask was in force before");
        let done = work();
        self.mask = Undisturbed::block();
        done
    }
}

impl Drop for Undisturbed {
    fn drop(&mut self) {
        self.mask.thread_set_mask().expect("the mask was in force before");
    }
}

/// SIGCHLD for the waits that ask for it: it is blocked at all other times, so no child can
/// end unnoticed between reaping and the wait.
#[derive(Debug)]
pub struct Sigchld {
    /// The mask to give to [`call::ppoll`], in which the signal is let in.
    pub let_in: SigSet,
}

impl Sigchld {
    /// Blocks the signal in this thread, and gives it a handler that does nothing. Any handler interrupts poll
    /// and similar calls; other calls, perhaps of other threads, continue (SA_RESTART).
    #[must_use]
    pub fn keep() -> Sigchld {
        install(&[Signal::SIGCHLD], SigHandler::Handler(nothing), SaFlags::SA_RESTART);
        let mut let_in = SigSet::from(Signal::SIGCHLD)
            .thread_swap_mask(SigmaskHow::SIG_BLOCK)
            .expect("SIGCHLD may be blocked");
        let_in.remove(Signal::SIGCHLD);
        Sigchld { let_in }
    }

    /// Whether one has come, after a wait with [`let_in`](Sigchld::let_in): it interrupted the wait, or the wait
    /// had something else to return with at once, and it is still kept.
    ///
    /// # Errors
    /// The wait failed for another reason.
    pub fn came<T>(&self, waited: call::Result<T>) -> call::Result<bool> {
        match waited {
            Ok(_) => Ok(call::is_pending(&[Signal::SIGCHLD])),
            Err(error) if error.interrupted() => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// Ends the children of a server and waits for them: SIGTERM, and SIGKILL after a second for one that
/// has not ended by then. A process that was stopped (SIGSTOP, or a debugger) handles no SIGTERM.
///
/// # Errors
/// Not for one's own children, as kill(2) and waitpid(2) document.
pub fn end_children(
    children: impl IntoIterator<Item = Pid>,
    sigchld: &Sigchld,
) -> call::Result<()> {
    let mut children: Vec<Pid> = children.into_iter().collect();
    for &child in &children {
        call::kill(child, Signal::SIGTERM)?;
    }
    let end = Instant::now() + GRACE;
    while !children.is_empty() {
        let mut left = Vec::new();
        for &child in &children {
            if call::waitpid(Some(child), WaitPidFlag::WNOHANG)?.pid().is_none() {
                left.push(child);
            }
        }
        children = left;
        let time = end.saturating_duration_since(Instant::now());
        if children.is_empty() || time.is_zero() {
            break;
        }
        // SIGCHLD ends the wait; where the process has more threads, another one may get it.
        match call::ppoll(&mut [], Some(time.min(Duration::from_millis(100))), &sigchld.let_in) {
            Err(error) if !error.interrupted() => return Err(error),
            _ => {}
        }
    }
    for child in children {
        let told = say!(
            Lang::current(),
            "child {child} did not end within a second: SIGKILL",
            "子进程 {child} 一秒内没有结束：SIGKILL",
        );
        tracing::warn!("{told}");
        call::kill(child, Signal::SIGKILL)?;
        call::waitpid(Some(child), WaitPidFlag::empty())?;
    }
    Ok(())
}
