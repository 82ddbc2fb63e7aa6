//! What it costs to draw a long trace: `cargo bench --bench draw`.
//!
//! 100,000 calls of 64 processes, every format; the time from the command to its end, and the processor's
//! time and the most memory that it took, as wait4(2) tells them.

#![allow(clippy::unwrap_used, reason = "a program to be watched, which may panic")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use netplay::trace::Event;

const CLIENTS: i32 = 63;
const CALLS: usize = 100_000;
const SERVER: &str = "127.0.0.1:5858";

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.jsonl");
    write_trace(&trace);
    let size = fs::metadata(&trace).unwrap().len();
    println!("{CALLS} calls of {} processes, a trace of {} MB\n", CLIENTS + 1, size / 1_000_000);
    println!("{:<6} {:>9} {:>11} {:>12} {:>12}", "", "time", "of it CPU", "memory", "picture");
    for format in ["txt", "svg", "html", "md", "json"] {
        let mut runs: Vec<Run> = (0..3).map(|_| draw(&trace, format)).collect();
        runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let Run { seconds, cpu, kilobytes, bytes } = runs[1];
        println!(
            "{format:<6} {seconds:>7.2} s {cpu:>9.2} s {:>9} MB {:>9} MB",
            kilobytes / 1000,
            bytes / 1_000_000
        );
    }
    println!("\nThe median of three runs each. The goal: under 2 s and 300 MB.");
}

/// What a picture cost, and its size.
#[derive(Clone, Copy)]
struct Run {
    seconds: f64,
    cpu: f64,
    kilobytes: i64,
    bytes: u64,
}

fn draw(trace: &Path, format: &str) -> Run {
    let picture = tempfile::tempfile().unwrap();
    let start = Instant::now();
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
        seconds: start.elapsed().as_secs_f64(),
        cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        kilobytes: usage.ru_maxrss,
        bytes: picture.metadata().unwrap().len(),
    }
}

/// Waits for a child, which must not fail, and tells what it used.
#[expect(unsafe_code, reason = "std's wait keeps the usage to itself")]
fn wait4(pid: i32) -> libc::rusage {
    let mut status = 0;
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() }; // SAFETY: plain numbers, all of which may be 0.
    // SAFETY: both places are there to be written to.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!((waited, status), (pid, 0), "it failed");
    usage
}

/// An echo server and its clients, in turns that overlap.
fn write_trace(path: &Path) {
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
            let args = "3, \"sixty-four bytes, as many as a re\"..., 64, MSG_NOSIGNAL, NULL, 0";
            let data = "sixty-four bytes, as many as a record shows, and not one more...";
            let bytes = Some(64);
            Event {
                bytes,
                asked: bytes,
                data: Some(data.into()),
                ..call(pid, at, took, name, Some(fd), 64, args)
            }
        };
        tell(ends(moves(pid, now, 2_000, "send", 3), &own, Some(SERVER)));
        tell(ends(moves(1, now + 2_100, 3_000, "recv", fd), SERVER, Some(&own)));
        tell(ends(moves(1, now + 5_500, 2_000, "send", fd), SERVER, Some(&own)));
        let done = tell(ends(moves(pid, now + 2_500, 6_000, "recv", 3), &own, Some(SERVER)));
        if done >= CALLS {
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

fn call(pid: i32, at: u64, took: u64, name: &str, fd: Option<i32>, ret: i64, args: &str) -> Event {
    Event {
        v: 1,
        start_ns: at,
        dur_ns: took,
        wall: "2026-11-22T10:00:00.000000+00:00".into(),
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
