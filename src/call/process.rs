//! Processes: fork, waitpid, kill.

use std::io;

pub use nix::sys::signal::Signal;
pub use nix::sys::wait::WaitPidFlag;
use nix::unistd::ForkResult;
pub use nix::unistd::Pid;

use super::error::Result;
use super::record::{Answer, Step, hold};

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
/// same open sockets under the same numbers), everything but its other threads. It returns twice.
/// See fork(2).
///
/// EAGAIN: the limit on processes is reached.
///
/// The child of a program with several threads must not need a lock that another thread holds at
/// this moment: it would wait for ever. Recording is safe (its one lock is held across the fork),
/// and so is glibc's `malloc`.
#[expect(unsafe_code, reason = "the child of a threaded program may only do what is safe there")]
pub fn fork() -> Result<Fork> {
    let step = Step::begin("fork", FORK, None);
    let held = hold();
    // SAFETY: fork cannot break memory; what it can do is leave a lock locked in the child for
    // ever. The record's is held here and released in both; the callers keep to what the
    // documentation above asks.
    let forked = unsafe { nix::unistd::fork() };
    drop(held);
    let forked = forked.map_err(io::Error::from).map(|forked| match forked {
        ForkResult::Parent { child } => Fork::Parent(child),
        ForkResult::Child => Fork::Child,
    });
    if let Ok(Fork::Child) = forked {
        // One call, one event: the parent records it. Here it only returns a second time.
        let (child, parent) = (Pid::this(), Pid::parent());
        tracing::info!("fork returned 0: this is the child, {child}, a copy of {parent}");
        return Ok(Fork::Child);
    }
    step.end(forked, |told, _| {
        told.args("child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD".into())
    })
}

/// What the C library's `fork` calls on Linux.
const FORK: &str = "clone";

/// How a child ended, if it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitStatus {
    /// With WNOHANG: none has.
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
/// counted, only flagged: after one SIGCHLD any number of children may have ended. See waitpid(2).
///
/// ECHILD: there is no child left to wait for.
#[expect(unsafe_code, reason = "waitpid writes through a pointer")]
pub fn waitpid(pid: Option<Pid>, flags: WaitPidFlag) -> Result<WaitStatus> {
    let step = Step::begin("waitpid", "wait4", None);
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
    step.end(ended, |told, ended| {
        let flags = if flags.contains(WaitPidFlag::WNOHANG) { "WNOHANG" } else { "0" };
        let how = match ended {
            Some(WaitStatus::Exited(_, code)) => {
                format!("[{{WIFEXITED(s) && WEXITSTATUS(s) == {code}}}]")
            }
            Some(WaitStatus::Signaled(_, signal)) => {
                let core = if libc::WCOREDUMP(status) { " && WCOREDUMP(s)" } else { "" };
                let signal = signal_name(*signal);
                format!("[{{WIFSIGNALED(s) && WTERMSIG(s) == {signal}{core}}}]")
            }
            _ => "0x...".to_owned(),
        };
        told.args(format!("{asked}, {how}, {flags}, NULL"))
    })
}

/// `SIGKILL` for 9; as strace counts them, `SIGRT_2` for 34.
fn signal_name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.to_string(),
        Err(_) => format!("SIGRT_{}", number - 32),
    }
}

/// Sends a signal to a process. See kill(2). ESRCH: it has ended, and was waited for.
pub fn kill(pid: Pid, signal: Signal) -> Result<()> {
    let step = Step::begin("kill", "kill", None);
    let sent = nix::sys::signal::kill(pid, signal).map_err(io::Error::from);
    step.end(sent, |told, _| told.args(format!("{pid}, {signal}")))
}
