//! The ends of processes: what the tester has started does not outlive its test.

use std::time::Duration;

use netplay_watch::Status;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use super::still::{self, Look};

/// Sends a signal to a process that netplay has started.
#[expect(clippy::disallowed_methods, reason = "the tester's own call is not one of a program")]
pub(crate) fn kill(pid: i32, signal: Signal) {
    let _ = nix::sys::signal::kill(Pid::from_raw(pid), signal);
}

/// Kills a process group, and all processes that have left it or that no group is known of.
pub(crate) fn kill_all(group: Option<i32>) {
    if let Some(group) = group {
        kill(-group, Signal::SIGKILL);
    }
    // A process that starts others while it is looked for is found at the next look; a stopped one starts none.
    for _ in 0..200 {
        let all = still::below(nix::unistd::getpid().as_raw());
        if all.is_empty() {
            return;
        }
        all.iter().for_each(|&pid| kill(pid, Signal::SIGSTOP));
        all.iter().for_each(|&pid| kill(pid, Signal::SIGKILL));
        if Look::at_all_below(nix::unistd::getpid().as_raw()).processes.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How a child ended, if it has.
#[expect(clippy::disallowed_methods, reason = "the tester's own call is not one of a program")]
pub(crate) fn waited(pid: i32) -> Option<Status> {
    match nix::sys::wait::waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::Exited(_, code)) => Some(Status::Exited(code)),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(Status::Killed(signal as i32)),
        Err(_) => Some(Status::Exited(0)),
        Ok(_) => None,
    }
}

/// Waits for the orphans that have become netplay's children.
#[expect(clippy::disallowed_methods, reason = "the tester's own call is not one of a program")]
pub(crate) fn reap() {
    while let Ok(status) = nix::sys::wait::waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            return;
        }
    }
}
