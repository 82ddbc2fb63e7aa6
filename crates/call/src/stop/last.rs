//! The end of a program that waits in many places, and for no socket: a lab, or the sender of `models`.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use nix::sys::signal::{SaFlags, SigHandler, SigSet, Signal, raise};

use super::{SIGNAL, install};

/// Whether a signal is about to end the process.
static ENDS: AtomicBool = AtomicBool::new(false);

/// Has `last` done when the first SIGINT, SIGTERM or SIGHUP comes; then the signal ends the process, as it would
/// have without us. Where SIGHUP is ignored (nohup), it stays so. To be called while this is the only thread:
/// the others leave these signals to the one that is made here.
///
/// # Errors
/// There is no thread to wait for the signals.
pub fn set_in_order(last: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    // One that is ignored does not come, blocked or not.
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

/// Lets SIGINT, SIGTERM and SIGHUP come. A process is born with the mask of its parent, and one that a lab starts
/// would else never hear them.
pub fn hear_signals() {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    signals.thread_unblock().expect("they may be unblocked");
}

/// Returns, unless a signal is about to end the process: the rest is left to that.
pub fn unless_it_ends() {
    while ENDS.load(SeqCst) {
        thread::park();
    }
}
