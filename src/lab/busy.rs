//! Whether the machine has time for a lab.
//!
//! A lab that measures while other programs have the processors measures them. What it claims may then not
//! show, and that says nothing about sockets: so it must not be denied either.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};

use crate::call::CallError;

/// How long the question takes.
const ASKED: Duration = Duration::from_millis(200);

/// A program that gets less than this part of the processor time it wants is not alone.
const ENOUGH: f64 = 0.75;

/// What to say of a machine that is too busy for a lab; `None` if it is not.
pub(super) fn too_busy() -> Option<String> {
    let got = share();
    (got < ENOUGH).then(|| {
        format!(
            "the machine is too busy for this lab (it got {:.0} % of the processor time that it asked for): \
             run it again when less is running beside it",
            got * 100.0
        )
    })
}

/// Whether a call failed because of a limit or for lack of a right, and would have on a machine that does nothing
/// else.
pub(super) fn is_no_reason_for(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let call = cause.downcast_ref().map(CallError::errno);
        let errno = call.or_else(|| {
            let code = cause.downcast_ref::<io::Error>()?.raw_os_error()?;
            Some(Errno::from_raw(code))
        });
        use Errno::{EACCES, EMFILE, ENFILE, ENOMEM, EPERM};
        matches!(errno, Some(EMFILE | ENFILE | ENOMEM | EACCES | EPERM))
    })
}

/// How much of the processors two threads get, if they want all of two: 1.0 is all of it.
fn share() -> f64 {
    let sides = thread::available_parallelism().map_or(1, |n| n.get().min(2));
    let work = || {
        let (begun, before) = (Instant::now(), cpu());
        while begun.elapsed() < ASKED {}
        let (wanted, got) = (begun.elapsed(), cpu().saturating_sub(before));
        got.as_secs_f64() / wanted.as_secs_f64()
    };
    thread::scope(|scope| {
        let other = (sides > 1).then(|| scope.spawn(work));
        let mine = work();
        other.and_then(|other| other.join().ok()).map_or(mine, |other| mine.min(other))
    })
}

/// The processor time of this thread.
pub(super) fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
