//! Programs that know nothing of netplay run twice: once under strace, once watched. Both must see the same calls, thread
//! by thread, with the same arguments and results.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use netplay::trace::{Event, Kind};
use regex::Regex;
use tempfile::TempDir;

use super::{by_thread, compiled, events, may_trace, same, source, watch};
use crate::common::{finish, have, skip};
use crate::strace::{name_of, split, without_addresses};

/// What strace traces: all that is watched. `rt_sigreturn` ends a handler, and `restart_syscall` goes on with a wait.
const CALLS: &str = "trace=socket,socketpair,bind,listen,?accept,accept4,connect,getsockname,getpeername,shutdown,sendto,\
    recvfrom,sendmsg,recvmsg,sendmmsg,recvmmsg,setsockopt,getsockopt,read,write,readv,writev,sendfile,splice,close,\
    close_range,dup,?dup2,dup3,fcntl,ioctl,?select,pselect6,?poll,ppoll,?epoll_create,epoll_create1,epoll_ctl,?epoll_wait,\
    epoll_pwait,?epoll_pwait2,?fork,?vfork,clone,?clone3,execve,?execveat,wait4,waitid,kill,rt_sigtimedwait,\
    rt_sigreturn,restart_syscall";

/// What strace says of an exec in a thread that is not the first: from now on it has the first one's number.
const CHANGED: &str = " <pid changed to ";

/// The calls of each thread of a program: as they are told, and as strace sees them.
fn run_both(program: &[&str]) -> (Vec<Vec<String>>, Vec<Vec<String>>) {
    let folder = TempDir::new().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-ff", "-y", "-e", CALLS, "-o"]).arg(folder.path().join("strace")).args(program);
    let under_strace = finish(strace.env("LC_ALL", "C.UTF-8"), b"");
    let trace = folder.path().join("trace");
    let watched = finish(watch(&trace, &[]).args(program), b"");
    assert_eq!(watched.stdout, under_strace.stdout, "{program:?}: {watched:?}");
    let ended = super::code(under_strace.status);
    assert_eq!(watched.status.code(), Some(ended), "{program:?}: {watched:?} {under_strace:?}");
    (seen(&trace), truth(folder.path()))
}

/// A program, and what it is run with.
fn judge(program: &[&str]) {
    let (mut seen, mut truth) = run_both(program);
    assert!(!truth.is_empty(), "{program:?} made no calls at all");
    // Threads have other numbers each time. Those that did the same need no name.
    truth.retain(|calls| match seen.iter().position(|seen| seen == calls) {
        Some(at) => {
            seen.remove(at);
            false
        }
        None => true,
    });
    for (n, truth) in truth.iter().enumerate() {
        let seen = seen.get(n).map_or(&[][..], Vec::as_slice);
        same(seen, truth).unwrap_or_else(|why| panic!("{program:?}: {why}"));
    }
    assert!(seen.is_empty(), "{program:?}: strace never saw these threads: {seen:?}");
}

/// The calls of each thread that made any, without the execve with which the program began.
fn seen(trace: &Path) -> Vec<Vec<String>> {
    let mut events = events(trace);
    events.retain(|event| event.kind == Kind::Call);
    assert_eq!(events.remove(0).call.as_deref(), Some("execve"));
    let threads = by_thread(events).into_values();
    threads.map(|events| events.iter().map(told).collect()).collect()
}

fn told(event: &Event) -> String {
    match event.ret {
        Some(_) => plain(&event.strace()),
        None => unfinished(event.syscall.as_deref().unwrap_or_default()),
    }
}

fn unfinished(call: &str) -> String {
    format!("{call}(... has not returned")
}

/// The same from strace's files, one a thread.
fn truth(folder: &Path) -> Vec<Vec<String>> {
    let mut files: Vec<(i32, String)> = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if let Some(tid) = name.strip_prefix("strace.") {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            files.push((tid.parse().unwrap(), text));
        }
    }
    // The first thread is the one that no other has made.
    let made = |tid: i32| files.iter().any(|(_, text)| text.contains(&format!(" = {tid}\n")));
    let first = files.iter().map(|(tid, _)| *tid).find(|&tid| !made(tid)).unwrap();
    // An exec of another thread than the first begins in one file and ends in the other.
    let begun: Vec<(i32, String)> =
        files.iter().filter_map(|(_, text)| exec_of_a_thread(text)).collect();
    let calls = files.iter().map(|(tid, text)| {
        let begun = begun.iter().find(|(to, _)| to == tid).map(|(_, path)| path.as_str());
        let mut calls = calls_in(text, begun);
        if *tid == first {
            calls.remove(0); // its execve is strace's
        }
        calls
    });
    calls.filter(|calls| !calls.is_empty()).collect()
}

/// Which number the thread has then, and the call: `execve("/bin/true", … <pid changed to 7 ...>`
fn exec_of_a_thread(text: &str) -> Option<(i32, String)> {
    let line = text.lines().find(|line| line.contains(CHANGED))?;
    let (call, to) = line.split_once(CHANGED)?;
    Some((to.split(' ').next()?.parse().ok()?, format!("{call}) = 0")))
}

/// The calls of one thread, in the order in which they returned; one that a signal interrupted where that came.
///
/// strace prints `?` for it, and what became of it is the result of the `rt_sigreturn` that ends the handler: EINTR, or
/// the kernel makes the call again, and then it stands once more below.
fn calls_in(text: &str, begun: Option<&str>) -> Vec<String> {
    let mut calls: Vec<Option<String>> = Vec::new();
    let (mut handlers, mut interrupted) = (Vec::new(), None);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("--- ") {
            handlers.push(interrupted.take());
            continue;
        }
        if line.starts_with("+++") || line.contains(CHANGED) {
            continue;
        }
        if line.starts_with("<... execve resumed>") {
            calls.push(begun.map(plain));
            continue;
        }
        let name = name_of(line);
        if name == "rt_sigreturn" {
            let at: Option<(usize, String)> = handlers.pop().flatten();
            if let Some((at, call)) = at.filter(|_| line.contains(" = -1 EINTR")) {
                calls[at] = Some(plain(&format!("{call} = -1 EINTR (Interrupted system call)")));
            }
            continue;
        }
        if name == "restart_syscall" {
            if let Some((at, call)) = interrupted.take().or_else(|| handlers.pop().flatten()) {
                calls[at] = None;
                let result = line.split_once(" = ").map_or("", |(_, result)| result);
                calls.push(Some(plain(&format!("{call} = {result}"))));
            }
            continue;
        }
        if !is_told(line) {
            continue;
        }
        // After a signal that has no handler the call begins again at once.
        let about = line.split([',', ')']).next().unwrap_or_default();
        if handlers.last().is_some_and(|of| of.as_ref().is_some_and(|of| of.1.starts_with(about))) {
            handlers.pop();
        }
        let by_signal = lines.peek().is_some_and(|next| next.starts_with("--- "));
        match split(line) {
            Some((call, result))
                if result.starts_with("? ERESTART")
                    || by_signal && result.starts_with("-1 EINTR") =>
            {
                interrupted = Some((calls.len(), call.to_owned()));
                calls.push(None);
            }
            Some((_, result)) if !result.starts_with('?') => calls.push(Some(plain(line))),
            _ => calls.push(Some(unfinished(name))),
        }
    }
    // A signal ended the thread, or its handler never returned: nor did the call.
    let left = handlers.into_iter().flatten().chain(interrupted);
    let left = left.map(|(_, call)| Some(unfinished(name_of(&call))));
    calls.into_iter().chain(left).flatten().collect()
}

/// Whether a call is one that watch tells: about a socket or an interest list, about a descriptor that is none, or
/// about processes. What programs do with files is none of its affairs, nor what is done with the standard streams by
/// calls that are for files as well.
fn is_told(line: &str) -> bool {
    static DESCRIPTOR: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\w+\((-?\d+)(<[^>]*>)?").unwrap());
    let is_socket = |text: &str| {
        ["<socket:[", "<anon_inode:[eventpoll]", "<anon_inode:[io_uring]"]
            .iter()
            .any(|kind| text.contains(kind))
    };
    let call = split(line).map_or(line, |(call, _)| call);
    match name_of(line) {
        "clone" | "clone3" => !line.contains("CLONE_THREAD"),
        "poll" => !line.starts_with("poll(NULL, "),
        "ppoll" => !line.starts_with("ppoll(NULL, ") || call.contains("], 8"),
        "select" | "pselect6" => !call.contains("(0, "),
        "dup2" | "dup3" | "splice" if is_socket(call) => true,
        name @ ("read" | "write" | "readv" | "writev" | "close" | "fcntl" | "ioctl" | "dup"
        | "dup2" | "dup3" | "sendfile" | "splice") => {
            let Some(about) = DESCRIPTOR.captures(line) else { return false };
            let standard = matches!(&about[1], "0" | "1" | "2");
            let copies = name.starts_with("dup");
            about.get(2).map_or(!standard, |kind| is_socket(kind.as_str()) && (copies || !standard))
        }
        _ => true,
    }
}

/// A line without what differs from run to run: addresses of memory, numbers of processes and of ports that the kernel
/// chose, and how much of a time was left; and without what strace alone prints: what kind a descriptor is, the
/// arguments of a program, comments on what it does not know.
fn plain(line: &str) -> String {
    static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let rule = |pattern, with| (Regex::new(pattern).unwrap(), with);
        vec![
            rule(
                r"(\d)<(socket:\[\d+\]|anon_inode:\[?[a-z_]+\]?|pipe:\[\d+\]|/[^>]*)>(\(deleted\))?",
                "$1",
            ),
            rule(r" /\* [A-Z_?]+ \*/", ""),
            rule(r"\)\s+= ", ") = "),
            rule(r"htons\(\d{4,5}\)", "htons(PORT)"),
            rule(r"\bu64=\d{11,}", "u64=POINTER"),
            rule(r"left \{[^}]*\}", "left {}"),
            rule(r"\bpid=\d+", "pid=PID"),
            rule(r"^(clone3?|v?fork)\(.*\) = \d+", "$1() = PID"),
            rule(r"^(execve)\((.*?), .*\) = ", "$1($2) = "),
            rule(r"^(wait4\()\d+", "${1}PID"),
            rule(r"^(wait4.*, )\{ru_utime.*\}\)", "${1}0x...)"),
            rule(r"^(wait4.* = )[1-9]\d*$", "${1}PID"),
            rule(r"^waitid\(.*\) = ", "waitid() = "),
            rule(r"^(kill\(-?)\d+", "${1}PID"),
        ]
    });
    let mut line = without_addresses(line);
    for (rule, with) in RULES.iter() {
        line = rule.replace_all(&line, *with).into_owned();
    }
    line
}

// ---- the programs ----

#[test]
fn the_calls_of_a_c_program_are_those_that_strace_sees() {
    for statically in [false, true] {
        let Some(program) = compiled("calls.c", statically) else { return };
        for mode in
            ["stream", "copies", "messages", "passes", "files", "waits", "options", "errors"]
        {
            judge(&[program.to_str().unwrap(), mode]);
        }
    }
}

#[test]
fn threads_processes_and_signals_are_told_as_strace_sees_them() {
    for statically in [false, true] {
        let Some(program) = compiled("processes.c", statically) else { return };
        for mode in [
            "threads", "leaves", "forks", "spawns", "child", "execs", "replaces", "mixes",
            "handlers", "signals", "killed",
        ] {
            judge(&[program.to_str().unwrap(), mode]);
        }
    }
}

/// A program of tests/programs/watch that another program runs, in one thread that makes calls.
fn judge_script(interpreter: &str, script: &str) {
    match have(interpreter) {
        true if may_trace() => judge(&[interpreter, source(script).to_str().unwrap()]),
        true => {}
        false => skip(&format!("no {interpreter}")),
    }
}

#[test]
fn python_is_told_as_strace_sees_it() {
    match have("/usr/bin/python3") {
        true if may_trace() => {
            judge_loosely(&["/usr/bin/python3", source("calls.py").to_str().unwrap()], 60);
        }
        true => {}
        false => skip("no /usr/bin/python3"),
    }
}

#[test]
fn perl_is_told_as_strace_sees_it() {
    judge_script("perl", "calls.pl");
}

#[test]
fn node_is_told_as_strace_sees_it() {
    judge_script("node", "calls.js");
}

#[test]
fn java_is_told_as_strace_sees_it() {
    if !have("javac") {
        return skip("no Java (javac)");
    }
    let folder = TempDir::new().unwrap();
    let done =
        finish(Command::new("javac").arg("-d").arg(folder.path()).arg(source("Calls.java")), b"");
    assert!(done.status.success(), "{done:?}");
    if may_trace() {
        judge_loosely(&["java", "-cp", folder.path().to_str().unwrap(), "Calls"], 30);
    }
}

#[test]
fn go_is_told_as_strace_sees_it() {
    let Some(program) = super::go_program() else { return };
    if may_trace() {
        judge_loosely(&[program.to_str().unwrap()], 100);
    }
}

/// A program whose threads share its descriptors: which number is free, which thread makes a call (in Go), and how often
/// it asks in vain is different each time. So all calls of its processes are compared, at least so many, in no order and
/// without the numbers of descriptors, except those that wait.
fn judge_loosely(program: &[&str], at_least: usize) {
    static NUMBERS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(\w+)\(\d+|\[\d+, \d+\]|, \d+$").unwrap());
    let waits = |call: &String| {
        let waits = ["epoll", "poll", "fcntl", "connect", "wait4"];
        let is_wait = waits.iter().any(|name| call.starts_with(name));
        is_wait || call.contains("EAGAIN") || call.contains(" SO_ERROR")
    };
    let all = |threads: Vec<Vec<String>>| {
        let calls = threads.into_iter().flatten().filter(|call| !waits(call));
        let plain = calls.map(|call| {
            let call = NUMBERS.replace_all(&call, "$1(FD").into_owned();
            match ["socket(", "accept", "dup"].iter().any(|name| call.starts_with(name)) {
                true => call.rsplit_once(" = ").unwrap().0.to_owned(),
                false => call,
            }
        });
        let mut all: Vec<String> = plain.collect();
        all.sort();
        all
    };
    let (seen, truth) = run_both(program);
    let (seen, truth) = (all(seen), all(truth));
    assert!(truth.len() >= at_least, "{} calls: {truth:#?}", truth.len());
    same(&seen, &truth).unwrap_or_else(|why| panic!("{program:?}: {why}"));
}
