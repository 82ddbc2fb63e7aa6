//! Processes and signals.

use super::text::{Args, number};
use super::{Event, Failure, Moves, Told};

/// A call about processes or signals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Process {
    /// fork(2)
    Fork,
    /// waitpid(2), and how the child ended, if one has.
    Waitpid(Option<Ending>),
    /// kill(2): whom, and with what.
    Kill(i32, String),
    /// sigprocmask(2), with the signals: `SIGIO`.
    Sigprocmask(Vec<String>),
    /// sigtimedwait(2), and the signal that came.
    Sigtimedwait(Option<String>),
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It called exit with this.
    Exited(i32),
    /// This signal ended it.
    Signaled(String),
}

impl Ending {
    /// From strace's words for the status: `[{WIFEXITED(s) && WEXITSTATUS(s) == 0}]`.
    fn read(args: Args<'_>) -> Option<Ending> {
        let end = &['}', ' '];
        let code = args.field("WEXITSTATUS(s) == ", end).and_then(|code| code.parse().ok());
        let signal = || args.field("WTERMSIG(s) == ", end).map(str::to_owned);
        code.map(Ending::Exited).or_else(|| signal().map(Ending::Signaled))
    }
}

impl Told for Process {
    fn read(name: &str, event: &Event) -> Option<Process> {
        let args = Args::of(event);
        Some(match name {
            "fork" => Process::Fork,
            "waitpid" => Process::Waitpid(Ending::read(args)),
            "kill" => {
                Process::Kill(args.nth(0).parse().unwrap_or_default(), args.nth(1).to_owned())
            }
            "sigprocmask" => {
                let names = args.field("[", &[']']).unwrap_or_default();
                let signals = names.split_whitespace().map(|name| format!("SIG{name}"));
                Process::Sigprocmask(signals.collect())
            }
            "sigtimedwait" => {
                let signal = event.out.as_deref().map(|out| out.trim_matches(['(', ')']));
                Process::Sigtimedwait(signal.map(str::to_owned))
            }
            _ => return None,
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Process::Fork => "fork",
            Process::Waitpid(_) => "waitpid",
            Process::Kill(..) => "kill",
            Process::Sigprocmask(_) => "sigprocmask",
            Process::Sigtimedwait(_) => "sigtimedwait",
        }
    }

    fn english(&self, event: &Event) -> String {
        let ret = event.ret.unwrap_or_default();
        match self {
            Process::Fork => format!("a child process, {ret}: from here on there are two"),
            Process::Waitpid(_) if ret == 0 => "no child has ended".to_owned(),
            Process::Waitpid(ending) => {
                let ending = match ending {
                    Some(Ending::Exited(code)) => format!("it exited with {code}"),
                    Some(Ending::Signaled(signal)) => format!("{signal} ended it"),
                    None => "it ended".to_owned(),
                };
                format!("child process {ret} is reaped: {ending}")
            }
            Process::Kill(process, signal) => format!("{signal} goes to process {process}"),
            Process::Sigprocmask(signals) => format!(
                "{} is held back: it waits until the program asks for it",
                signals.join(", ")
            ),
            Process::Sigtimedwait(signal) => format!(
                "{} has come: something happened; what, the program must find out",
                signal.as_deref().unwrap_or("a signal")
            ),
        }
    }

    fn failure(&self, errno: &str, _: &Event) -> Option<Failure> {
        let ordinary = match (self, errno) {
            (Process::Sigtimedwait(_), "EAGAIN") => "no signal came in time (EAGAIN)",
            (Process::Sigtimedwait(_), "EINTR") => "a signal ended the wait (EINTR)",
            (Process::Waitpid(_), "ECHILD") => "there are no children (ECHILD)",
            _ => return None,
        };
        Some(Failure::Ordinary(ordinary.to_owned()))
    }

    fn asked(&self, on: String, _: &Event) -> String {
        match self {
            Process::Kill(process, _) => format!("kill {process}"),
            Process::Fork
            | Process::Waitpid(_)
            | Process::Sigprocmask(_)
            | Process::Sigtimedwait(_) => on,
        }
    }

    fn answered(&self, event: &Event) -> String {
        let ret = event.ret.unwrap_or_default();
        match self {
            Process::Fork => format!("child {ret}"),
            Process::Waitpid(_) if ret == 0 => "none has ended".to_owned(),
            Process::Waitpid(_) => format!("child {ret} is reaped"),
            Process::Kill(..) | Process::Sigprocmask(_) | Process::Sigtimedwait(_) => {
                number(event.ret)
            }
        }
    }

    fn waits(&self) -> bool {
        matches!(self, Process::Waitpid(_) | Process::Sigtimedwait(_))
    }

    fn moves(&self) -> Moves {
        match self {
            Process::Fork => Moves::Copies,
            Process::Waitpid(_) => Moves::Ends,
            _ => Moves::Nothing,
        }
    }

    fn acts_at_once(&self) -> bool {
        *self == Process::Fork
    }
}
