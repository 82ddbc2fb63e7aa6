//! Whether the machine has time for a lab.
//!
//! A lab that measures while other programs have the processors measures them. What it claims may then not
//! show, and that says nothing about sockets: so it must not be denied either.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use netplay_text::say;
use nix::errno::Errno;
use nix::time::{ClockId, clock_gettime};

use super::actor::Ended;
use crate::call::{CallError, ProcessName};
use crate::lang::Lang;

/// How long the question takes.
const ASKED: Duration = Duration::from_millis(200);

/// A program that gets less than this part of the processor time it wants is not alone.
const ENOUGH: f64 = 0.75;

/// What to say of a machine that is too busy for a lab; `None` if it is not.
pub(super) fn too_busy() -> Option<String> {
    let got = share();
    (got < ENOUGH).then(|| {
        let percent = format!("{:.0} %", got * 100.0);
        say!(
            Lang::current(),
            "the machine is too busy for this lab (it got {percent} of the processor time that it asked for): \
             run it again when less is running beside it",
            "本机太忙，做不了这个实验（它只得到所需处理器时间的 {percent}）：等其他程序少一些再运行"
        )
    })
}

/// Whether this would have happened on a machine that does nothing else. Where a side is late, a call on a socket runs
/// out of time, or finds that the other side has left. Any other failure of a call has a reason of its own, and a
/// process that has ended says itself why.
pub(super) fn is_no_reason_for(error: &anyhow::Error) -> bool {
    use Errno::{EAGAIN, ECONNREFUSED, ECONNRESET, EINPROGRESS, ENOTCONN, EPIPE, ETIMEDOUT};
    let of_a_late_side =
        [EAGAIN, ETIMEDOUT, EINPROGRESS, ECONNREFUSED, ECONNRESET, EPIPE, ENOTCONN];
    error.chain().any(|cause| {
        let call: Option<&CallError> = cause.downcast_ref();
        let other: Option<&io::Error> = cause.downcast_ref();
        // EAGAIN of fork says that the user may have no more processes.
        call.is_some_and(|it| {
            it.name() == ProcessName::Fork.into() || !of_a_late_side.contains(&it.errno())
        }) || other.is_some_and(|it| it.raw_os_error().is_some())
            || cause.is::<Errno>()
            || cause.is::<Ended>()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_is_blamed_for_no_limit_and_for_no_process() {
        let of = |errno: Errno| anyhow::Error::from(io::Error::from(errno)).context("the server");
        for errno in [Errno::EMFILE, Errno::ENOENT, Errno::EPERM, Errno::EAGAIN] {
            assert!(is_no_reason_for(&of(errno)), "{errno}");
        }
        assert!(is_no_reason_for(&anyhow::Error::from(Ended).context("the client")));
        assert!(!is_no_reason_for(&anyhow::anyhow!("a process of the lab says nothing")));
        let socket = crate::call::socket(crate::call::Domain::IPV4, crate::call::Type::DGRAM, 0)
            .expect("a socket");
        let nothing = crate::call::recvfrom(&socket, &mut [0], libc::MSG_DONTWAIT);
        let nothing = nothing.expect_err("nothing has come");
        assert!(!is_no_reason_for(&nothing.into()), "EAGAIN of a socket: its time is over");
    }
}
