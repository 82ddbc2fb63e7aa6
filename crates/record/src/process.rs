//! Processes and signals.

use std::time::Duration;

use netplay_text::lang::Lang;
use netplay_text::say;

use super::text::{Args, interrupted, number};
use super::{Event, Facts, Failure, Moves, Outcome, Shows, Strace, Told, strace};

/// A call about processes or signals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Process {
    /// fork(2), also by vfork, clone and clone3.
    Fork,
    /// waitpid(2), and waitid(2), which returns 0 and names the child in its answer.
    Waitpid {
        /// The child; -1 is any. Of `waitid`, the one that ended, if one has.
        child: i32,
        /// Whether it waits: without WNOHANG.
        waits: bool,
        /// How the child ended, if one has.
        ending: Option<Ending>,
    },
    /// execve(2), of the program at this path, escaped.
    Execve(String),
    /// kill(2), also of one thread (tgkill): the process, and the signal.
    Kill(i32, String),
    /// sigprocmask(2), with the signals: `SIGIO`.
    Sigprocmask(Mask, Vec<String>),
    /// sigtimedwait(2)
    Sigtimedwait {
        /// The signals that it waits for.
        signals: Vec<String>,
        /// How long it waits; `None` is for ever.
        timeout: Option<Duration>,
        /// The signal that came.
        came: Option<Came>,
    },
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It called exit with this.
    Exited(i32),
    /// This signal ended it.
    Signaled {
        /// `SIGKILL` and others.
        signal: String,
        /// Whether it dumped core.
        core: bool,
    },
}

/// What `sigprocmask` does with the signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// SIG_BLOCK
    Block,
    /// SIG_UNBLOCK
    Unblock,
    /// SIG_SETMASK
    Set,
}

/// A signal that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Came {
    /// `SIGIO` and others.
    pub signal: String,
    /// Why: SI_KERNEL, SI_USER and others.
    pub code: i32,
    /// The process and the user that sent it, if one did.
    pub by: Option<(i32, u32)>,
}

impl Came {
    /// The sender, in the two common cases: the kernel, or a process.
    #[must_use]
    pub fn strace(&self) -> String {
        let code = match (self.code, self.by) {
            (libc::SI_KERNEL, _) => "SI_KERNEL".to_owned(),
            (_, Some((pid, uid))) => format!("SI_USER, si_pid={pid}, si_uid={uid}"),
            (other, None) => other.to_string(),
        };
        format!("{{si_signo={}, si_code={code}}}", self.signal)
    }
}

impl Ending {
    /// From strace's words for the status: `[{WIFEXITED(s) && WEXITSTATUS(s) == 0}]`.
    fn read(args: Args<'_>) -> Option<Ending> {
        let end = &['}', ' '];
        let code = args.field("WEXITSTATUS(s) == ", end).and_then(|code| code.parse().ok());
        let signal = || args.field("WTERMSIG(s) == ", end).map(str::to_owned);
        let core = args.has("WCOREDUMP") || args.has("CLD_DUMPED");
        // Of waitid: {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=5, si_uid=0, si_status=0, …}
        if let Some(status) = args.field("si_status=", &[',', '}']) {
            return Some(match status.parse() {
                Ok(code) if args.has("CLD_EXITED") => Ending::Exited(code),
                _ => Ending::Signaled { signal: status.to_owned(), core },
            });
        }
        code.map(Ending::Exited)
            .or_else(|| signal().map(|signal| Ending::Signaled { signal, core }))
    }

    /// `[{WIFEXITED(s) && WEXITSTATUS(s) == 0}]`
    #[must_use]
    pub fn strace(&self) -> String {
        match self {
            Ending::Exited(code) => format!("[{{WIFEXITED(s) && WEXITSTATUS(s) == {code}}}]"),
            Ending::Signaled { signal, core } => {
                let core = if *core { " && WCOREDUMP(s)" } else { "" };
                format!("[{{WIFSIGNALED(s) && WTERMSIG(s) == {signal}{core}}}]")
            }
        }
    }
}

names! {
    ProcessName:
    Fork = "fork",
    Waitpid = "waitpid",
    Execve = "execve",
    Kill = "kill",
    Sigprocmask = "sigprocmask",
    Sigtimedwait = "sigtimedwait",
}

impl Told for Process {
    type Name = ProcessName;

    fn read(name: ProcessName, event: &Event) -> Process {
        let args = Args::of(event);
        match name {
            ProcessName::Fork => Process::Fork,
            ProcessName::Waitpid => Process::Waitpid {
                child: match args.field("si_pid=", &[',', '}']) {
                    Some(ended) => ended.parse().unwrap_or(-1),
                    None => args.nth(0).parse().unwrap_or(-1),
                },
                waits: !args.has("WNOHANG"),
                ending: Ending::read(args),
            },
            // The path is escaped, so that no quote stands in it.
            ProcessName::Execve => {
                Process::Execve(args.quoted().next().unwrap_or_default().to_owned())
            }
            ProcessName::Kill if event.syscall.as_deref() == Some("tgkill") => {
                Process::Kill(args.nth(0).parse().unwrap_or_default(), args.nth(2).to_owned())
            }
            ProcessName::Kill => {
                Process::Kill(args.nth(0).parse().unwrap_or_default(), args.nth(1).to_owned())
            }
            ProcessName::Sigprocmask => {
                let names = args.field("[", &[']']).unwrap_or_default();
                let signals = names.split_whitespace().map(|name| format!("SIG{name}"));
                let mask = match args.nth(0) {
                    "SIG_UNBLOCK" => Mask::Unblock,
                    "SIG_SETMASK" => Mask::Set,
                    _ => Mask::Block,
                };
                Process::Sigprocmask(mask, signals.collect())
            }
            ProcessName::Sigtimedwait => {
                let signal = event.out.as_deref().map(|out| out.trim_matches(['(', ')']));
                let came = signal.map(|of| Came { signal: of.to_owned(), code: 0, by: None });
                Process::Sigtimedwait { signals: Vec::new(), timeout: None, came }
            }
        }
    }

    fn name(&self) -> ProcessName {
        match self {
            Process::Fork => ProcessName::Fork,
            Process::Waitpid { .. } => ProcessName::Waitpid,
            Process::Execve(_) => ProcessName::Execve,
            Process::Kill(..) => ProcessName::Kill,
            Process::Sigprocmask(..) => ProcessName::Sigprocmask,
            Process::Sigtimedwait { .. } => ProcessName::Sigtimedwait,
        }
    }

    fn strace(&self, outcome: &Outcome) -> Strace {
        match self {
            // The C library's `fork` calls it on Linux.
            Process::Fork => Strace::new(
                "clone",
                "child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD",
            ),
            Process::Waitpid { child, waits, ending } => {
                let how = ending.as_ref().map_or("0x...".to_owned(), Ending::strace);
                let flags = if *waits { "0" } else { "WNOHANG" };
                Strace::new("wait4", format!("{child}, {how}, {flags}, NULL"))
            }
            Process::Execve(path) => Strace::new("execve", format!("\"{path}\", [...], 0x...")),
            Process::Kill(process, signal) => Strace::new("kill", format!("{process}, {signal}")),
            Process::Sigprocmask(mask, signals) => {
                let mask = match mask {
                    Mask::Block => "SIG_BLOCK",
                    Mask::Unblock => "SIG_UNBLOCK",
                    Mask::Set => "SIG_SETMASK",
                };
                let signals = strace::signals(signals);
                Strace::new("rt_sigprocmask", format!("{mask}, {signals}, NULL, 8"))
            }
            Process::Sigtimedwait { signals, timeout, came } => {
                let about = came.as_ref().map_or("0x...".to_owned(), Came::strace);
                let (signals, time) = (strace::signals(signals), strace::timeout(*timeout));
                let told = Strace::new("rt_sigtimedwait", format!("{signals}, {about}, {time}, 8"));
                match came {
                    Some(came) if outcome.done().is_some() => {
                        told.out(format!("({})", came.signal))
                    }
                    _ => told,
                }
            }
        }
    }

    fn facts(&self, _: &Outcome) -> Facts {
        Facts::default()
    }

    fn sentence(&self, event: &Event, lang: Lang) -> String {
        let ret = event.ret.unwrap_or_default();
        match self {
            Process::Fork => say!(
                lang,
                "a child process, {ret}: from here on there are two",
                "产生子进程 {ret}：从这里起有两个进程",
            ),
            Process::Waitpid { ending: None, .. } if ret == 0 => {
                say!(lang, "no child has ended", "没有子进程结束")
            }
            Process::Waitpid { child, ending, .. } => {
                let ret = if ret == 0 { i64::from(*child) } else { ret };
                let ending = match ending {
                    Some(Ending::Exited(code)) => {
                        say!(lang, "it exited with {code}", "退出码 {code}")
                    }
                    Some(Ending::Signaled { signal, .. }) => {
                        say!(lang, "{signal} ended it", "被 {signal} 终止")
                    }
                    None => say!(lang, "it ended", "已结束"),
                };
                say!(lang, "child process {ret} is reaped: {ending}", "收回子进程 {ret}：{ending}",)
            }
            Process::Execve(path) => {
                say!(lang, "the process runs {path} from here on", "从这里起，进程运行 {path}",)
            }
            Process::Kill(process, signal) => {
                say!(lang, "sent {signal} to process {process}", "向进程 {process} 发送 {signal}")
            }
            Process::Sigprocmask(_, signals) => {
                let signals = signals.join(", ");
                say!(
                    lang,
                    "blocked {signals}: it stays pending until the program asks for it",
                    "阻塞 {signals}：它保持未决，直到程序来取",
                )
            }
            Process::Sigtimedwait { came, .. } => {
                let signal = match came {
                    Some(came) => &came.signal,
                    None => lang.pick("a signal", "一个信号"),
                };
                say!(
                    lang,
                    "{signal} has come: something happened, and the program must find out what",
                    "收到 {signal}：发生了某件事，程序要自己去查是什么",
                )
            }
        }
    }

    fn failure(&self, errno: &str, _: &Event, lang: Lang) -> Option<Failure> {
        let ordinary = match (self, errno) {
            (Process::Sigtimedwait { .. }, "EAGAIN") => {
                say!(lang, "no signal came in time (EAGAIN)", "限定的时间内没有信号 (EAGAIN)")
            }
            (Process::Sigtimedwait { .. }, "EINTR") => interrupted(lang),
            (Process::Waitpid { .. }, "ECHILD") => {
                say!(lang, "there are no children (ECHILD)", "没有子进程 (ECHILD)")
            }
            (
                Process::Fork
                | Process::Waitpid { .. }
                | Process::Execve(_)
                | Process::Kill(..)
                | Process::Sigprocmask(..)
                | Process::Sigtimedwait { .. },
                _,
            ) => return None,
        };
        Some(Failure::Ordinary(ordinary))
    }

    fn asked(&self, on: String, _: &Event, _: Lang) -> String {
        match self {
            Process::Execve(path) => format!("{on} {path}"),
            Process::Kill(process, _) => format!("kill {process}"),
            Process::Fork
            | Process::Waitpid { .. }
            | Process::Sigprocmask(..)
            | Process::Sigtimedwait { .. } => on,
        }
    }

    fn answered(&self, event: &Event, lang: Lang) -> String {
        let ret = event.ret.unwrap_or_default();
        match self {
            Process::Fork => say!(lang, "child {ret}", "子进程 {ret}"),
            Process::Waitpid { ending: None, .. } if ret == 0 => {
                say!(lang, "none has ended", "没有结束的")
            }
            Process::Waitpid { child, .. } if ret == 0 => {
                say!(lang, "child {child} is reaped", "收回子进程 {child}")
            }
            Process::Waitpid { .. } => say!(lang, "child {ret} is reaped", "收回子进程 {ret}"),
            Process::Execve(_)
            | Process::Kill(..)
            | Process::Sigprocmask(..)
            | Process::Sigtimedwait { .. } => number(event.ret),
        }
    }

    fn waits(&self) -> bool {
        match self {
            Process::Waitpid { .. } | Process::Sigtimedwait { .. } => true,
            Process::Fork | Process::Execve(_) | Process::Kill(..) | Process::Sigprocmask(..) => {
                false
            }
        }
    }

    fn waiting(&self, _: &Event, lang: Lang) -> Option<String> {
        match self {
            Process::Waitpid { .. } => {
                Some(say!(lang, "waiting for the end of a child", "等待子进程结束"))
            }
            Process::Sigtimedwait { .. } => Some(say!(lang, "waiting for a signal", "等待信号")),
            Process::Fork | Process::Execve(_) | Process::Kill(..) | Process::Sigprocmask(..) => {
                None
            }
        }
    }

    fn moves(&self) -> Moves {
        match self {
            Process::Fork => Moves::Copies,
            Process::Execve(_) => Moves::Executes,
            Process::Waitpid { child, ending, .. } => {
                Moves::Ends { child: ending.as_ref().map(|_| *child).filter(|&child| child > 0) }
            }
            Process::Kill(..) | Process::Sigprocmask(..) | Process::Sigtimedwait { .. } => {
                Moves::Nothing
            }
        }
    }

    fn shows(&self) -> Shows {
        match self {
            Process::Fork => Shows::Arrow,
            Process::Execve(_)
            | Process::Waitpid { .. }
            | Process::Kill(..)
            | Process::Sigprocmask(..)
            | Process::Sigtimedwait { .. } => Shows::Itself,
        }
    }

    fn acts_at_once(&self) -> bool {
        match self {
            Process::Fork => true,
            Process::Execve(_)
            | Process::Waitpid { .. }
            | Process::Kill(..)
            | Process::Sigprocmask(..)
            | Process::Sigtimedwait { .. } => false,
        }
    }
}
