//! What it costs a program to be watched: `cargo bench --bench watch`.
//!
//! ```text
//! pair 1, pair 64   an echo server and its clients in C, one connection and 64: round trips a second
//! reads             100,000 reads of a file; no socket
//! no socket         computes, allocates, asks for files
//! ```
//!
//! Each runs alone, under `netplay watch --trace FILE` and under `strace -f --seccomp-bpf -o FILE` with the same calls and as
//! many bytes of each string, in turns; the rates are medians. Only their ratios mean something, because they come from
//! one run on one machine. At the end: the most memory that `netplay watch` needs for a program that makes a
//! million calls, and ten million.

#![allow(clippy::unwrap_used, reason = "a program to be watched, which may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How often each program runs in each way.
const ROUNDS: usize = 7;

/// The calls at which netplay stops a program.
const CALLS: &str = "trace=socket,socketpair,bind,listen,accept,accept4,connect,getsockname,getpeername,\
    shutdown,sendto,recvfrom,sendmsg,recvmsg,sendmmsg,recvmmsg,setsockopt,getsockopt,read,write,readv,writev,\
    sendfile,splice,close,close_range,dup,?dup2,dup3,fcntl,ioctl,?select,pselect6,?poll,ppoll,?epoll_create,\
    epoll_create1,epoll_ctl,?epoll_wait,epoll_pwait,?epoll_pwait2,?fork,?vfork,clone,clone3,execve,execveat,\
    wait4,waitid,kill,rt_sigaction,rt_sigreturn,rt_sigtimedwait,?io_uring_setup,?io_uring_enter,\
    ?io_uring_register,sync_file_range,seccomp,restart_syscall";

/// A program, its arguments and what it counts.
struct Work {
    name: &'static str,
    source: &'static str,
    args: &'static [&'static str],
    unit: &'static str,
}

const WORKS: [Work; 4] = [
    Work {
        name: "pair, 1 connection",
        source: "pair.c",
        args: &["1", "8000"],
        unit: "round trips",
    },
    Work {
        name: "pair, 64 connections",
        source: "pair.c",
        args: &["64", "16000"],
        unit: "round trips",
    },
    Work { name: "reads of a file", source: "reads.c", args: &["100000"], unit: "reads" },
    Work { name: "no socket", source: "no_socket.c", args: &["400"], unit: "turns" },
];

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let has_strace = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok();
    if !has_strace {
        println!("strace is not installed: there is nothing to compare with");
    }
    println!(
        "{:<22} {:>12} {:>10} {:>10}   {:>14} {:>12}",
        "a second", "alone", "strace", "watch", "watch ÷ strace", "watch ÷ alone"
    );
    for work in &WORKS {
        let program = compile(work.source, folder.path());
        let (mut alone, mut strace, mut watch) = (vec![], vec![], vec![]);
        for _ in 0..ROUNDS {
            alone.push(rate(Command::new(&program).args(work.args)));
            if has_strace {
                let mut command = Command::new("strace");
                command.args(["-f", "--seccomp-bpf", "-e", CALLS, "-s", "64", "-o"]);
                strace.push(rate(
                    command.arg(folder.path().join("strace")).arg(&program).args(work.args),
                ));
            }
            let trace = folder.path().join("trace.jsonl");
            let mut command = Command::new(env!("CARGO_BIN_EXE_netplay"));
            command.args(["watch", "-q", "--trace"]).arg(&trace).arg("--");
            watch.push(rate(command.arg(&program).args(work.args)));
            std::fs::remove_file(trace).unwrap();
        }
        let [alone, strace, watch] = [alone, strace, watch].map(median);
        println!(
            "{:<22} {alone:>12.0} {strace:>10.0} {watch:>10.0}   {:>14.2} {:>12.3}   {}",
            work.name,
            watch / strace,
            watch / alone,
            work.unit
        );
    }
    let pair = compile("pair.c", folder.path());
    for calls in [1_000_000, 10_000_000] {
        // A round trip is four calls.
        let mut command = Command::new(env!("CARGO_BIN_EXE_netplay"));
        command.args(["watch", "-q", "--"]).arg(&pair).args(["8", &(calls / 4).to_string()]);
        println!("{calls} calls: at most {} MB of memory", most_memory(&mut command) / 1024);
    }
}

fn compile(source: &str, folder: &Path) -> PathBuf {
    let program = folder.join(source.trim_end_matches(".c"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/c").join(source);
    let mut cc = Command::new("cc");
    let done = cc.args(["-O2", "-pthread", "-o"]).arg(&program).arg(source).status().unwrap();
    assert!(done.success(), "cc");
    program
}

/// What the program prints: how much it did a second.
fn rate(command: &mut Command) -> f64 {
    let out = command.stderr(Stdio::null()).output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", out.status);
    String::from_utf8(out.stdout).unwrap().trim().parse().unwrap()
}

/// The most memory that the command needs, in kilobytes. Its program needs less.
fn most_memory(command: &mut Command) -> i64 {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut most = 0;
    let path = format!("/proc/{}/status", child.id());
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok());
        most = most.max(peak.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    most
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
