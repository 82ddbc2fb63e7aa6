//! Whether programs can be watched here, and what to do where they cannot.
//!
//! Tracing needs no privilege, but much can forbid it: the filter of a container, Yama, SELinux, a tracer that is there
//! already. No file says all of that, so it is tried: a child is started as a program is, and stops at its execve.

use std::fs;

use netplay_text::lang::Lang;
use netplay_text::say;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, geteuid};

use super::memory::Memory;
use super::request::{self, Stop};
use super::start::{self, Launch, StartFailure};

/// A call that watching needs, and that is forbidden or missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forbidden {
    /// The call: `ptrace(PTRACE_SEIZE)`.
    pub call: &'static str,
    /// Why it failed.
    pub errno: Errno,
}

/// Tries what it takes to watch a program.
///
/// # Errors
/// The first call that failed.
pub fn allowed() -> Result<(), Forbidden> {
    let forbidden = |call, errno| Err(Forbidden { call, errno });
    let pid = match start::start(&Launch { command: vec![START.into()], ..Launch::default() }) {
        Ok(pid) => pid,
        Err(error) => match error.why {
            StartFailure::Forbidden(call, errno) | StartFailure::Call(call, errno) => {
                return forbidden(call, errno);
            }
            StartFailure::NotFound => return forbidden("execve", Errno::ENOENT),
        },
    };
    let found = loop {
        match waitpid(pid, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_SECCOMP)) => break look(pid),
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(_) => {
                // A filter may kill instead of saying no.
                return match start::failure(pid) {
                    Some(
                        StartFailure::Forbidden(call, errno) | StartFailure::Call(call, errno),
                    ) => forbidden(call, errno),
                    _ => forbidden("seccomp", Errno::EPERM),
                };
            }
            Ok(_) => _ = request::resume(pid, request::Until::Event, 0),
        }
    };
    let _ = kill(pid, Signal::SIGKILL);
    let _ = waitpid(pid, Some(WaitPidFlag::__WALL));
    let _ = start::failure(pid); // closes the pipe
    found
}

/// The program of the child, which never begins.
const START: &str = "/proc/self/exe";

/// Looks at a child that has stopped at its execve.
fn look(pid: Pid) -> Result<(), Forbidden> {
    let call = "ptrace(PTRACE_GET_SYSCALL_INFO)";
    match request::stop(pid) {
        Ok(Stop::Entry { args: [path, ..], .. }) => {
            match Memory(pid).string(path) == START.as_bytes() {
                true => Ok(()),
                false => Err(Forbidden { call: "process_vm_readv", errno: Errno::EPERM }),
            }
        }
        Ok(_) => Err(Forbidden { call, errno: Errno::EINVAL }),
        Err(errno) => Err(Forbidden { call, errno }),
    }
}

impl Forbidden {
    /// What to do about it.
    #[must_use]
    pub fn way_out(&self, lang: Lang) -> String {
        match (self.call, self.errno) {
            ("seccomp" | "prctl(PR_SET_NO_NEW_PRIVS)", Errno::ENOSYS | Errno::EINVAL) => lang
                .pick(
                    "boot a kernel with CONFIG_SECCOMP_FILTER",
                    "使用带有 CONFIG_SECCOMP_FILTER 的内核",
                )
                .to_owned(),
            ("ptrace(PTRACE_GET_SYSCALL_INFO)", Errno::EINVAL | Errno::EIO) => lang
                .pick("boot a kernel of version 5.3 or later", "使用 5.3 或更新的内核")
                .to_owned(),
            _ => way_out_of(&Limits::read("self"), lang),
        }
    }
}

/// Why a process may not be traced that runs already, and what to do about it.
#[must_use]
pub fn way_out_for(pid: i32, lang: Lang) -> String {
    let of = Limits::read(&pid.to_string());
    let root = geteuid().is_root();
    if of.tracer != 0 {
        let tracer = of.tracer;
        return say!(
            lang,
            "process {tracer} traces it already: end that tracer (strace, gdb) first",
            "进程 {tracer} 已经在跟踪它：先结束那个跟踪者（strace、gdb）",
        );
    }
    if !root && of.user.is_some_and(|user| user != geteuid().as_raw()) {
        return say!(
            lang,
            "it is another user's: sudo netplay watch -p {pid}",
            "它属于别的用户：sudo netplay watch -p {pid}",
        );
    }
    if let Some(way_out) = (!root).then(|| way_out_of_yama(yama(), pid, lang)).flatten() {
        return way_out;
    }
    way_out_of(&Limits { tracer: 0, ..Limits::read("self") }, lang)
}

/// What to do where Yama keeps an ordinary user from tracing a process that runs already; `None` if Yama does not, or if
/// nothing helps.
fn way_out_of_yama(scope: u8, pid: i32, lang: Lang) -> Option<String> {
    match scope {
        1 => Some(say!(
            lang,
            "Yama allows a process to trace its own children only: start the program with \
             netplay watch -- CMD, or allow it: sudo sysctl -w kernel.yama.ptrace_scope=0",
            "Yama 只允许进程跟踪自己的子进程：用 netplay watch -- CMD 启动程序，\
             或者放开限制：sudo sysctl -w kernel.yama.ptrace_scope=0",
        )),
        2 => Some(say!(
            lang,
            "Yama allows an administrator only to trace: sudo netplay watch -p {pid}, \
             or allow it: sudo sysctl -w kernel.yama.ptrace_scope=0",
            "Yama 只允许管理员跟踪：sudo netplay watch -p {pid}，\
             或者放开限制：sudo sysctl -w kernel.yama.ptrace_scope=0",
        )),
        _ => None,
    }
}

/// Yama's `ptrace_scope`: 0 is no limit, 1 means children only, 2 an administrator only, 3 nothing at all.
#[must_use]
pub fn yama() -> u8 {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    scope.ok().and_then(|scope| scope.trim().parse().ok()).unwrap_or(0)
}

fn way_out_of(me: &Limits, lang: Lang) -> String {
    let tracer = me.tracer;
    let selinux = fs::read_to_string("/sys/fs/selinux/booleans/deny_ptrace");
    let text = match yama() {
        _ if tracer != 0 => {
            return say!(
                lang,
                "netplay itself is traced by process {tracer}: run it without that tracer (strace, gdb)",
                "netplay 自己正被进程 {tracer} 跟踪：不要用那个跟踪者（strace、gdb）运行它",
            );
        }
        3 => lang.pick(
            "kernel.yama.ptrace_scope is 3, which only a reboot can change",
            "kernel.yama.ptrace_scope 是 3，只有重启才能改变",
        ),
        2 if !geteuid().is_root() => "sudo sysctl -w kernel.yama.ptrace_scope=1",
        _ if selinux.is_ok_and(|value| value.starts_with('1')) => "sudo setsebool deny_ptrace 0",
        _ if me.filtered => lang.pick(
            "a seccomp filter forbids it: docker run --security-opt seccomp=unconfined …; \
             on a kernel before 4.8 docker run --cap-add=SYS_PTRACE …",
            "seccomp 过滤器禁止它：docker run --security-opt seccomp=unconfined …；\
             4.8 之前的内核用 docker run --cap-add=SYS_PTRACE …",
        ),
        _ => lang.pick(
            "in a container: docker run --cap-add=SYS_PTRACE --security-opt seccomp=unconfined …",
            "在容器里：docker run --cap-add=SYS_PTRACE --security-opt seccomp=unconfined …",
        ),
    };
    text.to_owned()
}

/// What /proc says of a process.
struct Limits {
    /// Its tracer; 0 if there is none.
    tracer: i32,
    /// Whether a seccomp filter holds for it.
    filtered: bool,
    /// Whose it is.
    user: Option<u32>,
}

impl Limits {
    fn read(process: &str) -> Limits {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()
        };
        Limits {
            tracer: field("TracerPid:").and_then(|pid| pid.parse().ok()).unwrap_or(0),
            filtered: field("Seccomp:") == Some("2"),
            user: field("Uid:").and_then(|user| user.parse().ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_out_is_said_in_both_languages() {
        let me = Limits { tracer: 0, filtered: true, user: None };
        for lang in Lang::ALL {
            let missing = Forbidden { call: "seccomp", errno: Errno::ENOSYS };
            assert!(missing.way_out(lang).contains("CONFIG_SECCOMP_FILTER"));
            let traced = Limits { tracer: 7, ..me };
            assert!(way_out_of(&traced, lang).contains('7'));
            assert!(!way_out_of(&me, lang).is_empty());
        }
    }

    #[test]
    fn a_process_that_runs_already_has_a_way_out_while_an_administrator_can_lift_the_limit() {
        for lang in Lang::ALL {
            let ways = [0, 1, 2, 3].map(|scope| way_out_of_yama(scope, 7, lang));
            let [None, Some(children), Some(administrator), None] = ways else {
                panic!("{ways:?}");
            };
            assert!(children.contains("watch -- CMD"), "{children}");
            assert!(administrator.contains("sudo netplay watch -p 7"), "{administrator}");
        }
    }

    #[test]
    fn a_child_that_is_tried_leaves_nothing_behind() {
        let _ = allowed();
        let _ = allowed();
        assert_eq!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Err(Errno::ECHILD));
    }
}
