//! Processes and signals: fork, waitpid, kill; sigprocmask, sigtimedwait.

use std::io;
use std::mem::zeroed;
use std::ptr;
use std::time::Duration;

use nix::errno::Errno;
pub use nix::sys::signal::{SigSet, SigmaskHow, Signal};
pub use nix::sys::wait::WaitPidFlag;
use nix::unistd::ForkResult;
pub use nix::unistd::Pid;

use super::error::Result;
use super::gather::{self, Wait};
use super::step::{self, Answer, Step};
use netplay_record::{Came, Ending, Mask, Process, ProcessName};
use netplay_text::lang::Lang;
use netplay_text::say;

/// Which of the two processes this is, after [`fork`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// The one that called it; the child has this process ID.
    Parent(Pid),
    /// The new one.
    Child,
}

impl Answer for Fork {
    fn answer(&self) -> i64 {
        match self {
            Fork::Parent(child) => child.as_raw().into(),
            Fork::Child => 0,
        }
    }
}

/// Makes a second process, a copy of this one: memory (copied when written to), descriptors (the
/// same open sockets under the same numbers), everything except its other threads. It returns twice.
/// See fork(2).
///
/// EAGAIN: the limit on processes is reached.
///
/// The child of a program with several threads must not need a lock that another thread holds at
/// this moment: it would wait for ever. Recording is safe (its locks are held across the fork),
/// and so is glibc's `malloc`.
#[expect(unsafe_code, reason = "the child of a threaded program may only do what is safe there")]
pub fn fork() -> Result<Fork> {
    let step = Step::begin(ProcessName::Fork, None);
    // SAFETY: fork cannot break memory; but it can leave a lock locked in the child for
    // ever. The record's lock, if there is a listener, is held here and released in both; the callers follow
    // the documentation above.
    let forked = unsafe {
        if step.listening() {
            let _held = (gather::hold(), step::hold());
            nix::unistd::fork()
        } else {
            nix::unistd::fork()
        }
    };
    let forked = forked.map_err(io::Error::from).map(|forked| match forked {
        ForkResult::Parent { child } => Fork::Parent(child),
        ForkResult::Child => Fork::Child,
    });
    if let Ok(Fork::Child) = forked {
        step::forget_who();
        // One call, one event: the parent records it. Here it only returns a second time.
        let (child, parent) = (Pid::this(), Pid::parent());
        let said = say!(
            Lang::current(),
            "fork returned 0: this is the child, {child}, a copy of {parent}",
            "fork 返回 0：这里是子进程 {child}，它是 {parent} 的副本",
        );
        tracing::info!("{said}");
        return Ok(Fork::Child);
    }
    step.end(forked, |_| Process::Fork)
}

/// How a child ended, if it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitStatus {
    /// With WNOHANG: no child has ended.
    StillAlive,
    /// It called exit with this code.
    Exited(Pid, i32),
    /// This signal ended it. A number, because real-time signals have no names.
    Signaled(Pid, i32),
}

impl WaitStatus {
    /// The child that ended.
    #[must_use]
    pub fn pid(self) -> Option<Pid> {
        match self {
            WaitStatus::StillAlive => None,
            WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, _) => Some(pid),
        }
    }
}

impl Answer for WaitStatus {
    fn answer(&self) -> i64 {
        self.pid().map_or(0, |pid| pid.as_raw().into())
    }
}

/// Asks how a child ended, and lets the kernel forget it; until then it is a zombie. `None` waits
/// for any child. With `WNOHANG` it answers `StillAlive` at once if none has ended. Signals are not
/// counted, only flagged: after one SIGCHLD several children may have ended. See waitpid(2).
///
/// ECHILD: there is no child left to wait for.
#[expect(unsafe_code, reason = "waitpid writes through a pointer")]
pub fn waitpid(pid: Option<Pid>, flags: WaitPidFlag) -> Result<WaitStatus> {
    let step = Step::wait(ProcessName::Waitpid, None, Wait::Others);
    let (asked, mut status) = (pid.map_or(-1, Pid::as_raw), 0);
    // SAFETY: waitpid writes one int, and `status` is one.
    let answer = unsafe { libc::waitpid(asked, &mut status, flags.bits()) };
    let ended = match answer {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(WaitStatus::StillAlive),
        pid if libc::WIFSIGNALED(status) => {
            Ok(WaitStatus::Signaled(Pid::from_raw(pid), libc::WTERMSIG(status)))
        }
        pid => Ok(WaitStatus::Exited(Pid::from_raw(pid), libc::WEXITSTATUS(status))),
    };
    step.end(ended, |ended| Process::Waitpid {
        child: asked,
        waits: !flags.contains(WaitPidFlag::WNOHANG),
        ending: ended.and_then(|ended| match *ended {
            WaitStatus::StillAlive => None,
            WaitStatus::Exited(_, code) => Some(Ending::Exited(code)),
            WaitStatus::Signaled(_, signal) => {
                let core = libc::WCOREDUMP(status);
                Some(Ending::Signaled { signal: signal_name(signal), core })
            }
        }),
    })
}

/// `SIGKILL` for 9; as strace counts them, `SIGRT_2` for 34.
fn signal_name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.to_string(),
        Err(_) => format!("SIGRT_{}", number - 32),
    }
}

/// Sends a signal to a process. See kill(2). ESRCH: it has ended and was reaped.
pub fn kill(pid: Pid, signal: Signal) -> Result<()> {
    let step = Step::begin(ProcessName::Kill, None);
    let sent = nix::sys::signal::kill(pid, signal).map_err(io::Error::from);
    step.end(sent, |_| Process::Kill(pid.as_raw(), signal.to_string()))
}

/// Changes which signals are blocked in this thread. A blocked signal is not lost: it
/// stays pending, once, until it is unblocked, or taken by [`sigtimedwait`]. See sigprocmask(2).
pub fn sigprocmask(how: SigmaskHow, set: &SigSet) -> Result<()> {
    let step = Step::begin(ProcessName::Sigprocmask, None);
    let done = nix::sys::signal::sigprocmask(how, Some(set), None).map_err(io::Error::from);
    step.end(done, |_| {
        let mask = match how {
            SigmaskHow::SIG_BLOCK => Mask::Block,
            SigmaskHow::SIG_UNBLOCK => Mask::Unblock,
            _ => Mask::Set,
        };
        Process::Sigprocmask(mask, signal_names(set))
    })
}

/// `SIGIO` and others.
pub(super) fn signal_names(set: &SigSet) -> Vec<String> {
    set.iter().map(|signal| signal.to_string()).collect()
}

impl Answer for Signal {
    fn answer(&self) -> i64 {
        *self as i64
    }
}

/// Waits until one of these signals is pending, and takes it: no handler runs. They must be blocked;
/// otherwise their handler or default action runs. `None` waits for ever. See sigtimedwait(2).
///
/// EAGAIN: no signal came in time. EINTR: a handler of another signal ran.
#[expect(unsafe_code, reason = "sigtimedwait takes pointers")]
pub fn sigtimedwait(set: &SigSet, timeout: Option<Duration>) -> Result<Signal> {
    let step = Step::wait(ProcessName::Sigtimedwait, None, Wait::Others);
    let time = timeout.map(|time| libc::timespec {
        tv_sec: time.as_secs() as libc::time_t,
        tv_nsec: time.subsec_nanos().into(),
    });
    let time_ptr = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: a siginfo_t is made from zeroes and written by the kernel; the set and the time are
    // borrowed for the call, or null.
    let (taken, info) = unsafe {
        let mut info: libc::siginfo_t = zeroed();
        (libc::sigtimedwait(set.as_ref(), &raw mut info, time_ptr), info)
    };
    let taken = match taken {
        -1 => Err(io::Error::last_os_error()),
        number => Signal::try_from(number).map_err(|_| Errno::EINVAL.into()),
    };
    step.end(taken, |signal| {
        let came = signal.map(|&signal| came(signal, &info));
        Process::Sigtimedwait { signals: signal_names(set), timeout, came }
    })
}

/// A signal, and the process that sent it, if one did.
#[expect(unsafe_code, reason = "siginfo_t is a union")]
fn came(signal: Signal, info: &libc::siginfo_t) -> Came {
    let by = (info.si_code == libc::SI_USER).then(|| {
        // SAFETY: with this code, both are set.
        unsafe { (info.si_pid(), info.si_uid()) }
    });
    Came { signal: signal.to_string(), code: info.si_code, by }
}
