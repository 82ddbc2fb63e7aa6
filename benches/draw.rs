//! What it costs to draw a long trace: `cargo bench --bench draw`.
//!
//! An echo server of 8 threads and its 63 clients, 100,000 and 1,000,000 calls (the second trace is 430 MB, in the
//! folder for temporary files), every format: the processor's time and the most memory that each call costs, as
//! wait4(2) tells them. Beside the time stands its ratio to the time in which serde_json reads the same lines into
//! values, in this run; so two machines, or two versions, can be compared.

#![allow(clippy::unwrap_used, reason = "a program to be watched, which may panic")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use netplay::trace::Event;

const CLIENTS: i32 = 63;
const THREADS: i32 = 8;
const SERVER: &str = "127.0.0.1:5858";

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.jsonl");
    for calls in [100_000, 1_000_000] {
        write_trace(&trace, calls);
        let size = fs::metadata(&trace).unwrap().len();
        let lines = BufReader::new(File::open(&trace).unwrap()).lines().count() as f64;
        println!("{lines} calls, a trace of {} MB", size / 1_000_000);
        let values = median((0..3).map(|_| read_as_values(&trace)).collect());
        println!("read as values: {:.2} µs of CPU time a call\n", values / lines * 1e6);
        println!(
            "{:<6} {:>11} {:>9} {:>13} {:>9}",
            "", "CPU/call", "÷ values", "memory/call", "picture"
        );
        for format in ["txt", "svg", "html", "md", "json"] {
            let runs: Vec<Run> = (0..3).map(|_| draw(&trace, format)).collect();
            let cpu = median(runs.iter().map(|run| run.cpu).collect());
            let memory = median(runs.iter().map(|run| run.kilobytes as f64 * 1024.0).collect());
            println!(
                "{format:<6} {:>8.2} µs {:>9.2} {:>8.0} bytes {:>6} MB",
                cpu / lines * 1e6,
                cpu / values,
                memory / lines,
                runs[0].bytes / 1_000_000
            );
        }
        println!();
    }
    println!("The median of three runs each. The goal: at most 1024 bytes a call.");
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The processor's time in which the lines become values, each dropped at once.
fn read_as_values(trace: &Path) -> f64 {
    let cpu = || {
        let usage =
            nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).unwrap();
        let seconds =
            |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        seconds(usage.user_time()) + seconds(usage.system_time())
    };
    let before = cpu();
    let mut lines = BufReader::with_capacity(1 << 16, File::open(trace).unwrap());
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).unwrap() > 0 {
        std::hint::black_box(serde_json::from_slice::<serde_json::Value>(&line).unwrap());
        line.clear();
    }
    cpu() - before
}

/// What a picture cost, and its size.
#[derive(Clone, Copy)]
struct Run {
    cpu: f64,
    kilobytes: i64,
    bytes: u64,
}

fn draw(trace: &Path, format: &str) -> Run {
    let picture = tempfile::tempfile().unwrap();
    #[expect(clippy::zombie_processes, reason = "wait4 waits")]
    let child = Command::new(env!("CARGO_BIN_EXE_netplay"))
        .args(["draw", "-q", trace.to_str().unwrap(), "--format", format])
        .stdout(picture.try_clone().unwrap())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let usage = wait4(child.id().cast_signed());
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Run {
        cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        kilobytes: usage.ru_maxrss,
        bytes: picture.metadata().unwrap().len(),
    }
}

/// Waits for a child, which must not fail, and tells what it used.
#[expect(unsafe_code, reason = "std's wait keeps the usage to itself")]
fn wait4(pid: i32) -> libc::rusage {
    let mut status = 0;
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() }; // SAFETY: it holds only numbers, which may be 0.
    // SAFETY: both variables may be written to.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!((waited, status), (pid, 0), "it failed");
    usage
}

/// An echo server and its clients, in turns that overlap.
fn write_trace(path: &Path, calls: usize) {
    let mut file = std::io::BufWriter::new(fs::File::create(path).unwrap());
    let mut written = 0;
    let mut tell = |event: Event| {
        serde_json::to_writer(&mut file, &event).unwrap();
        file.write_all(b"\n").unwrap();
        written += 1;
        written
    };
    let mut now = 1_000_000_000;
    tell(call(1, now, 900, "socket", None, 3, "AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP"));
    tell(ends(call(1, now + 1_000, 900, "listen", Some(3), 0, "3, 128"), SERVER, None));
    for client in 0..CLIENTS {
        now += 50_000;
        let (pid, own) = (client + 2, address(client));
        tell(call(
            pid,
            now,
            900,
            "socket",
            None,
            3,
            "AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP",
        ));
        let connect = call(pid, now + 2_000, 5_000, "connect", Some(3), 0, SOCKADDR);
        tell(Event { peer: Some(SERVER.into()), ..connect });
        let asked = call(pid, now + 8_000, 900, "getsockname", Some(3), 0, SOCKADDR);
        tell(ends(asked, &own, Some(SERVER)));
        let accept =
            call(1, now + 3_000, 6_000, "accept", Some(3), i64::from(client) + 4, SOCKADDR);
        tell(ends(accept, SERVER, Some(&own)));
    }
    for turn in 0.. {
        now += 9_000 + 7_919 * turn % 20_000;
        let client = (7 * turn % u64::from(CLIENTS.cast_unsigned())) as i32;
        let (pid, fd, own) = (client + 2, client + 4, address(client));
        let moves = |pid, at, took, name, fd| {
            // No two turns say the same.
            let data = format!("turn {turn:>7}, in as many bytes as a record shows of a message..");
            let args = format!("{fd}, \"{}\"..., 64, MSG_NOSIGNAL, NULL, 0", &data[..32]);
            let bytes = Some(data.len() as u64);
            let tid = if pid == 1 { 1 + client % THREADS } else { pid };
            let ret = data.len() as i64;
            let of = call(pid, at, took, name, Some(fd), ret, &args);
            Event { tid, bytes, asked: bytes, data: Some(data.into()), ..of }
        };
        tell(ends(moves(pid, now, 2_000, "send", 3), &own, Some(SERVER)));
        tell(ends(moves(1, now + 2_100, 3_000, "recv", fd), SERVER, Some(&own)));
        tell(ends(moves(1, now + 5_500, 2_000, "send", fd), SERVER, Some(&own)));
        let done = tell(ends(moves(pid, now + 2_500, 6_000, "recv", 3), &own, Some(SERVER)));
        if done >= calls {
            break;
        }
    }
    file.flush().unwrap();
}

const SOCKADDR: &str =
    "3, {sa_family=AF_INET, sin_port=htons(5858), sin_addr=inet_addr(\"127.0.0.1\")}, 16";

fn address(client: i32) -> String {
    format!("127.0.0.1:{}", 40_000 + client)
}

/// The calendar time of a call, an hour or less after the first one.
fn wall(at: u64) -> String {
    let (micros, seconds) = (at / 1_000 % 1_000_000, at / 1_000_000_000);
    format!("2026-11-22T10:{:02}:{:02}.{micros:06}+00:00", seconds / 60 % 60, seconds % 60)
}

fn call(pid: i32, at: u64, took: u64, name: &str, fd: Option<i32>, ret: i64, args: &str) -> Event {
    Event {
        v: 1,
        start_ns: at,
        dur_ns: took,
        wall: wall(at).into(),
        pid,
        tid: pid,
        role: if pid == 1 { "server".into() } else { "client".into() },
        example: "select".into(),
        call: Some(name.into()),
        syscall: Some(name.into()),
        fd,
        args: Some(args.into()),
        ret: Some(ret),
        boot: Some("00000001".into()),
        ..Event::default()
    }
}

fn ends(event: Event, local: &str, peer: Option<&str>) -> Event {
    Event { local: Some(local.into()), peer: peer.map(Into::into), ..event }
}
