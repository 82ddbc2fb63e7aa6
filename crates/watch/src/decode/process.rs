//! Processes and signals.

use netplay_record::{Came, Ending, Process, part, strace};

use super::asked::{Answer, Asked, Said};
use super::words::{CLONE, WAIT, WAITID, bits, signal};
use crate::memory::Memory;
use crate::syscall::Syscall;

#[cfg(target_arch = "x86_64")]
pub(super) fn fork(asked: &Asked) -> Said {
    Said { call: Process::Fork.into(), strace: asked.strace(""), fd: None }
}

/// The flags of clone, and the signal at the child's end.
pub(crate) fn clone_flags(asked: &Asked) -> (u64, i32) {
    match asked.call {
        Syscall::Clone3 => {
            let number = |at| u64::from_ne_bytes(part(&asked.before, at));
            (number(0), number(32) as i32)
        }
        Syscall::Clone => (asked.args[0] & 0xffff_ff00, (asked.args[0] & 0xff) as i32),
        _ => (0, libc::SIGCHLD),
    }
}

/// A child process; a new thread is not told.
pub(super) fn clone(asked: &Asked) -> Option<Said> {
    let (flags, at_end) = clone_flags(asked);
    if flags & libc::CLONE_THREAD as u64 != 0 {
        return None;
    }
    let mut words = bits(flags, CLONE);
    if at_end != 0 {
        let signal = signal(at_end);
        words = if flags == 0 { signal } else { format!("{words}|{signal}") };
    }
    let text = match asked.call {
        Syscall::Clone3 => format!("{{flags={words}, ...}}, {}", asked.args[1]),
        _ => {
            let stack = match asked.args[1] {
                0 => "NULL".to_owned(),
                at => format!("{at:#x}"),
            };
            format!("child_stack={stack}, flags={words}")
        }
    };
    Some(Said { call: Process::Fork.into(), strace: asked.strace(text), fd: None })
}

/// How many words of a command line are read.
const WORDS: u64 = 32;

/// The path of a program and the words of its command line, each with a zero byte behind it.
pub(super) fn command_line(path: u64, words: u64, memory: Memory) -> Vec<u8> {
    let pointers = (0..WORDS).map(|nth| if words == 0 { 0 } else { memory.u64(words + 8 * nth) });
    let strings = std::iter::once(path).chain(pointers.take_while(|&at| at != 0));
    strings.flat_map(|at| [memory.string(at), vec![0]].concat()).collect()
}

pub(super) fn execve(asked: &Asked) -> Said {
    let mut strings = asked.before.split(|&byte| byte == 0);
    let path = strings.next().unwrap_or_default();
    let mut words: Vec<String> = strings.map(strace::string).collect();
    words.pop(); // behind the last zero byte
    if words.len() as u64 == WORDS {
        words.push("...".to_owned());
    }
    let at = usize::from(asked.call == Syscall::Execveat);
    let (quoted, words) = (strace::string(path), words.join(", "));
    let args = format!("{quoted}, [{words}], {:#x}", asked.args[2 + at]);
    let path = netplay_text::escape::escape(path);
    Said { call: Process::Execve(path).into(), strace: asked.strace(args), fd: None }
}

/// How a child ended, from the status of wait4; `None` if it has not.
fn ending(status: i32) -> Option<Ending> {
    if libc::WIFEXITED(status) {
        return Some(Ending::Exited(libc::WEXITSTATUS(status)));
    }
    let core = libc::WCOREDUMP(status);
    let signal = || signal(libc::WTERMSIG(status));
    libc::WIFSIGNALED(status).then(|| Ending::Signaled { signal: signal(), core })
}

/// `[{WIFEXITED(s) && WEXITSTATUS(s) == 0}]`
fn status_text(status: i32) -> String {
    match ending(status) {
        Some(ending) => ending.strace(),
        None if libc::WIFSTOPPED(status) => {
            let signal = signal(libc::WSTOPSIG(status));
            format!("[{{WIFSTOPPED(s) && WSTOPSIG(s) == {signal}}}]")
        }
        None => "[{WIFCONTINUED(s)}]".to_owned(),
    }
}

pub(super) fn wait4(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let (child, flags, at) = (asked.int(0), asked.int(2), asked.args[1]);
    let came = answer.done().is_some_and(|pid| pid > 0) && at != 0;
    let status = came.then(|| memory.u32(at).cast_signed());
    let status_text = match (status, at) {
        (_, 0) => "NULL".to_owned(),
        (Some(status), _) => status_text(status),
        (None, at) => format!("{at:#x}"),
    };
    let usage = match asked.args[3] {
        0 => "NULL".to_owned(),
        at => format!("{at:#x}"),
    };
    let flags_text = bits(u64::from(flags.cast_unsigned()), WAIT);
    let args = format!("{child}, {status_text}, {flags_text}, {usage}");
    let call = Process::Waitpid {
        child,
        waits: flags & libc::WNOHANG == 0,
        ending: status.and_then(ending),
    };
    Said { call: call.into(), strace: asked.strace(args), fd: None }
}

pub(super) fn waitid(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let (kind, id, at, flags) = (asked.int(0), asked.int(1), asked.args[2], asked.int(3));
    let kinds = ["P_ALL", "P_PID", "P_PGID", "P_PIDFD"];
    let kind_text = usize::try_from(kind).ok().and_then(|kind| kinds.get(kind).copied());
    // siginfo_t of SIGCHLD: number, error, code, then pid, user and status.
    let info = answer.done().map(|_| memory.array::<28>(at));
    let int = |at| info.map_or(0, |info| i32::from_ne_bytes(part(&info, at)));
    let (code, pid, status) = (int(8), int(12), int(20));
    let ending = match code {
        libc::CLD_EXITED => Some(Ending::Exited(status)),
        libc::CLD_KILLED | libc::CLD_DUMPED => {
            Some(Ending::Signaled { signal: signal(status), core: code == libc::CLD_DUMPED })
        }
        _ => None,
    };
    let info_text = match info {
        Some(_) if pid != 0 => format!("{{si_signo=SIGCHLD, si_pid={pid}, si_status={status}}}"),
        Some(_) => "{}".to_owned(),
        None => format!("{at:#x}"),
    };
    let flags_text = bits(u64::from(flags.cast_unsigned()), WAITID);
    let args = format!("{}, {id}, {info_text}, {flags_text}, NULL", kind_text.unwrap_or("?"));
    let child = if kind == 1 { id } else { -1 };
    let call = Process::Waitpid { child, waits: flags & libc::WNOHANG == 0, ending };
    Said { call: call.into(), strace: asked.strace(args), fd: None }
}

pub(super) fn kill(asked: &Asked) -> Said {
    let (process, signal) = (asked.int(0), signal(asked.int(1)));
    let args = format!("{process}, {signal}");
    Said { call: Process::Kill(process, signal).into(), strace: asked.strace(args), fd: None }
}

pub(super) fn sigtimedwait(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let signals = super::wait::signals(memory.u64(asked.args[0]));
    let timeout =
        (asked.args[2] != 0).then(|| super::wait::timespec(&memory.array::<16>(asked.args[2])));
    let info = memory.array::<24>(asked.args[1]);
    let int = |at| i32::from_ne_bytes(part(&info, at));
    let came = answer.done().map(|number| Came {
        signal: signal(number as i32),
        code: int(8),
        by: (asked.args[1] != 0 && int(8) == libc::SI_USER)
            .then(|| (int(12), int(16).cast_unsigned())),
    });
    let about = match (&came, asked.args[1]) {
        (_, 0) => "NULL".to_owned(),
        (Some(came), _) => came.strace(),
        (None, at) => format!("{at:#x}"),
    };
    let (names, time) = (strace::signals(&signals), strace::timeout(timeout));
    let told = asked.strace(format!("{names}, {about}, {time}, {}", asked.int(3)));
    let strace = match &came {
        Some(came) => told.out(format!("({})", came.signal)),
        None => told,
    };
    Said { call: Process::Sigtimedwait { signals, timeout, came }.into(), strace, fd: None }
}
