//! The end of a program that waits in many places, but not on a socket: a lab, or the sender of `models`.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use nix::sys::signal::{SaFlags, SigHandler, SigSet, Signal, raise};

use super::{SIGNAL, install};

/// Whether a signal is about to end the process.
static ENDS: AtomicBool = AtomicBool::new(false);

/// Runs `last` when the first SIGINT, SIGTERM or SIGHUP comes; then the signal ends the process, as it would
/// by default. If SIGHUP is ignored (nohup), it stays ignored. Call it while this is the only thread:
/// all later threads leave these signals to the one that is started here.
///
/// # Errors
/// The thread that waits for the signals cannot be started.
pub fn set_in_order(last: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    // An ignored signal is never pending, blocked or not.
    signals.thread_block().expect("they may be blocked");
    let wait = move || {
        let Ok(signal) = signals.wait() else { return };
        ENDS.store(true, SeqCst);
        SIGNAL.store(signal as i32, SeqCst);
        last();
        install(&[signal], SigHandler::SigDfl, SaFlags::empty());
        let _ = raise(signal);
        let _ = SigSet::from(signal).thread_unblock(); // here it ends
    };
    let waits = thread::Builder::new().spawn(wait).map(drop);
    waits.inspect_err(|_| _ = signals.thread_unblock())
}

/// Unblocks SIGINT, SIGTERM and SIGHUP. A process inherits the mask of its parent, and one that a lab starts
/// would otherwise never receive them.
pub fn hear_signals() {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    signals.thread_unblock().expect("they may be unblocked");
}

/// Returns, unless a signal is about to end the process.
pub fn unless_it_ends() {
    while ENDS.load(SeqCst) {
        thread::park();
    }
}
