//! Waiting for stops: wait4(2) for what there is, sigtimedwait(2) until there is more.

use std::io;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::seen::Status;

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

/// Everything that has happened, in the order in which the kernel tells it.
#[expect(unsafe_code, reason = "nix does not know stops at real-time signals")]
pub(crate) fn drain() -> Vec<(i32, Change)> {
    let mut all = Vec::new();
    loop {
        let mut status = 0;
        // SAFETY: the kernel writes one number.
        let tid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::WNOHANG) };
        match tid {
            1.. => all.extend(Change::of(status).map(|change| (tid, change))),
            -1 if Errno::last() == Errno::EINTR => {}
            _ => return all,
        }
    }
}

/// Waits for a signal to netplay itself: SIGCHLD means that there is something to [`drain`]. `None`: the time is over.
#[expect(unsafe_code, reason = "nix has no sigtimedwait that returns a number")]
pub(crate) fn sleep(limit: Option<Duration>) -> io::Result<Option<i32>> {
    let end = limit.map(|limit| Instant::now() + limit);
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let time = left.map(|left| libc::timespec {
            tv_sec: left.as_secs() as libc::time_t,
            tv_nsec: left.subsec_nanos().into(),
        });
        let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: the set is initialised by sigemptyset, and the time outlives the call.
        let signal = unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in [libc::SIGCHLD, libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
                libc::sigaddset(&raw mut set, signal);
            }
            libc::sigtimedwait(&raw const set, std::ptr::null_mut(), time)
        };
        match signal {
            1.. => return Ok(Some(signal)),
            _ => match Errno::last() {
                Errno::EAGAIN => return Ok(None),
                Errno::EINTR => {}
                errno => return Err(errno.into()),
            },
        }
    }
}
