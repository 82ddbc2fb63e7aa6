//! What the machine does not give, or somebody else does not do: a command says it in a sentence and ends with
//! the documented exit code, and a server stops all the same.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{
    self, Nobody, Said, Server, alone, ask, errors, finish, have, netplay, skip, until,
};
use netplay::words::grouped;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal::{SIGHUP, SIGSTOP, SIGTERM};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::Value;

/// A server ends within two seconds, whatever others do; the rest is for a machine that is busy.
const SOON: Duration = Duration::from_secs(10);

/// The words of a command line.
fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// The program, started by a shell after these lines.
fn after(lines: &str, args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let script = format!("{lines}; exec \"$0\" \"$@\"");
    command.args(["-c", &script]).arg(env!("CARGO_BIN_EXE_netplay")).args(args);
    command.env("LC_ALL", "C.UTF-8").env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// What shows something and runs nothing, and what runs something and shows it.
const SHOWS: &[&str] = &[
    "--help",
    "--version",
    "tcp-echo --help",
    "completions bash",
    "man",
    "explain",
    "explain tcp",
    "select explain",
    "explain EADDRINUSE",
    "lab",
    "lab framing --no-ask",
    "doctor",
    "why 1",
    "byte-order htons 5858",
    "sockopt SO_RCVBUF -q",
    "udp-echo demo -q",
    "udp-echo demo",
    "models",
    "tcp-server 127.0.0.1 0 -q",
];

#[test]
fn what_cannot_be_shown_is_no_success() {
    let said = Said::on("limits_output");
    for line in SHOWS {
        let closed = finish(&mut after("exec >&-", &words(line)), b"");
        said.ends(&format!("{line} >&-"), &closed, 1);
        let full = finish(&mut after("exec >/dev/full", &words(line)), b"");
        // A quiet demo has nothing to show.
        if *line != "udp-echo demo -q" {
            said.ends(&format!("{line} >/dev/full"), &full, 1);
        }
    }
    // A reader that has seen enough is no failure.
    let enough = finish(
        Command::new("sh")
            .args(["-c", "\"$0\" explain tcp | true"])
            .arg(env!("CARGO_BIN_EXE_netplay")),
        b"",
    );
    assert!(enough.status.success() && enough.stderr.is_empty(), "{enough:?}");
}

#[test]
fn a_file_that_may_not_grow_is_said_and_leaves_nothing_behind() {
    let said = Said::on("limits_file_size");
    for line in
        ["models --json -o m.svg", "udp-echo demo -q -o e.html", "lab framing --no-ask -o l.svg"]
    {
        let folder = tempfile::tempdir().unwrap();
        let output = finish(after("ulimit -f 1", &words(line)).current_dir(&folder), b"");
        said.ends(line, &output, 1);
        let left: Vec<_> = fs::read_dir(&folder).unwrap().collect();
        assert!(left.is_empty(), "{line}: {left:?}");
    }
}

#[test]
fn without_loopback_a_command_says_so_at_once() {
    let Some(mut lonely) = alone("ip link set lo down && ip addr flush dev lo") else { return };
    let folder = tempfile::tempdir().unwrap();
    let netplay = env!("CARGO_BIN_EXE_netplay");
    // All in one network: to make one costs more than these do.
    let script = "for line in 'tcp-echo demo' 'ping demo' 'models' 'lab framing --no-ask' \
        'bench --models epoll --rounds 1'; do \"$0\" $line 2>&1 >/dev/null; echo \"$line: $?\"; done";
    let start = Instant::now();
    let output = finish(
        lonely.args(["sh", "-c", script, netplay]).env("XDG_STATE_HOME", folder.path()),
        b"",
    );
    let said = String::from_utf8(output.stdout).unwrap();
    let page = Said::on("limits_loopback");
    let lines: Vec<&str> = said.lines().collect();
    for line in [
        "tcp-echo demo",
        "ping demo",
        "models",
        "lab framing --no-ask",
        "bench --models epoll --rounds 1",
    ] {
        let end = lines.iter().position(|said| *said == format!("{line}: 4"));
        page.add(line, lines[end.unwrap_or_else(|| panic!("{line}: {said}")) - 1]);
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn without_a_thread_or_a_process_a_command_says_so() {
    let Some(nobody) = Nobody::new() else { return };
    if !have("prlimit") {
        return skip("prlimit is not installed");
    }
    let said = Said::on("limits_threads");
    for line in [
        "tcp-echo demo -q",
        "lab framing --no-ask",
        "models",
        "bench --models epoll --rounds 1 -q",
        "bench --rounds 1 -q",
        // None of these is ready with no worker at all.
        "prefork server 127.0.0.1 0 -q",
        "pool server 127.0.0.1 0 -q",
        "epoll server 127.0.0.1 0 --workers 3 -q",
    ] {
        let bare = nobody.command();
        let mut command = Command::new("prlimit");
        command.args(["--nproc=0", "--"]).arg(bare.get_program()).args(bare.get_args());
        command.args(words(line)).current_dir("/").env("LC_ALL", "C.UTF-8");
        let state = tempfile::tempdir().unwrap();
        let output = finish(command.env("XDG_STATE_HOME", state.path()), b"");
        said.hide(bare.get_program().to_str().unwrap(), "[netplay]");
        said.ends(line, &output, 1);
        let shows = String::from_utf8_lossy(&output.stdout);
        assert!(!shows.contains("ready"), "{line}: {shows}");
    }
}

/// The servers whose ends differ: one thread, threads, processes for clients, processes before clients.
const KINDS: &[&str] = &["tcp-echo", "epoll", "thread", "fork", "prefork", "pool"];

#[test]
fn without_memory_a_command_says_so() {
    // The buffer alone is as large as all that the process may have.
    let args = words("udp-echo client 127.0.0.1 9 --message x --bufsize 67108864");
    let output = finish(&mut after("ulimit -v 65536", &args), b"");
    Said::on("limits_memory").ends("udp-echo", &output, 1);
}

#[test]
fn without_a_descriptor_nothing_is_left_and_nothing_hangs() {
    for most in 5..20 {
        for line in [
            "tcp-echo demo",
            "prefork demo",
            "unix-echo demo --trace trace",
            "lab byteorder --no-ask",
        ] {
            let here = tempfile::tempdir().unwrap();
            let mut command = after(&format!("ulimit -n {most}"), &words(line));
            let begun = Instant::now();
            let output = finish(command.env("TMPDIR", here.path()).current_dir(here.path()), b"");
            let what = format!("{line}, ulimit -n {most}");
            if !output.status.success() {
                // Which call it is depends on how far it came; that one says what errno(3) calls EMFILE.
                assert_eq!(output.status.code(), Some(1), "{what}: {output:?}");
                assert!(!output.stderr.is_empty(), "{what}");
                let why = errors(&common::text(&output.stderr));
                assert!(why.contains(Errno::EMFILE.desc()), "{what}: {output:?}");
            }
            let left = common::names_in(here.path());
            assert!(left.iter().all(|name| name == "trace"), "{what}: {left:?}");
            assert!(begun.elapsed() < Duration::from_secs(20), "{what}: {:?}", begun.elapsed());
        }
    }
}

#[test]
fn a_trace_that_nobody_reads_keeps_no_server_from_ending() {
    let said = Said::on("limits_trace_unread");
    for kind in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut reader = OpenOptions::new();
        reader.read(true).write(true).custom_flags(libc::O_NONBLOCK);
        let _never_reads = reader.open(&fifo).unwrap();
        let trace = fifo.to_str().unwrap();
        let mut server = Server::of(kind).args(["--reply", "echo", "--trace", trace]).start();
        // Until the pipe is full, and the server waits for its reader.
        for nth in 0.. {
            assert!(nth < 1000, "{kind}: the pipe is never full");
            let mut client = server.connect();
            client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let asked = client.write_all(b"x").and_then(|()| client.read_exact(&mut [0]));
            if asked.is_err() {
                break;
            }
        }
        server.signal(SIGTERM);
        let start = Instant::now();
        while server.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < SOON, "{kind}: SIGTERM is not heard");
            std::thread::sleep(Duration::from_millis(5));
        }
        let ended = server.ended();
        said.add("a server", &lost(&ended.stderr));
        assert_eq!(ended.status.code(), Some(1), "{kind}: {}", ended.stderr);
    }
}

/// What is said in the end of the records that a trace lacks, however many they are.
fn lost(stderr: &str) -> String {
    let words = errors(stderr);
    let last = words.lines().rfind(|line| !numbers(line).is_empty());
    let mut last = last.unwrap_or_else(|| panic!("no number of records: {stderr}")).to_owned();
    for number in numbers(&last) {
        last = last.replace(&grouped(number as u64), "[n]");
    }
    last
}

/// The numbers among the words of a text.
fn numbers(text: &str) -> Vec<usize> {
    text.split(' ').filter_map(|word| word.replace(',', "").parse().ok()).collect()
}

#[test]
fn a_fifo_without_a_reader_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let output =
        finish(netplay().args(["udp-server", "127.0.0.1", "0", "--trace"]).arg(&fifo), b"");
    Said::on("limits_trace_fifo").ends("--trace FIFO", &output, 1);
}

#[test]
fn a_worker_that_was_stopped_keeps_no_server_from_ending() {
    for kind in ["fork", "prefork", "handler"] {
        let server = Server::of(kind).args(["--reply", "echo"]).start();
        let mut client = server.connect();
        ask(&mut client, b"hi", 2);
        let workers = children(&server);
        assert!(!workers.is_empty(), "{kind} has no worker");
        for &worker in &workers {
            kill(worker, SIGSTOP).unwrap();
        }
        let ended = server.stop();
        assert!(ended.took < SOON, "{kind}: {:?}", ended.took);
        assert!(ended.status.success(), "{kind}: {}", ended.stderr);
        for worker in workers {
            assert!(!Path::new(&format!("/proc/{worker}")).exists(), "{kind}: {worker} is left");
        }
    }
}

fn children(server: &Server) -> Vec<Pid> {
    let tasks = format!("/proc/{}/task", server.child.id());
    let of_task = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap();
    let all: String = fs::read_dir(tasks).unwrap().map(|task| of_task(task.unwrap())).collect();
    all.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
}

#[test]
fn a_closed_terminal_ends_a_server_as_ctrl_c_does() {
    for kind in KINDS {
        let server = Server::of(kind).args(["--reply", "echo"]).start();
        ask(&mut server.connect(), b"hi", 2);
        let ended = server.stop_by(SIGHUP);
        assert!(ended.status.success() && ended.took < SOON, "{kind}: {}", ended.stderr);
    }
    // nohup
    let args = ["tcp-server", "127.0.0.1", "0", "-q", "--reply", "echo"];
    let server = Server::from(&mut after("trap '' HUP", &args));
    server.signal(SIGHUP);
    ask(&mut server.connect(), b"hi", 2);
    assert!(server.stop().status.success());
}

#[test]
fn a_closed_terminal_leaves_nothing_of_a_demo_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = netplay();
    demo.args(["mini-ftp", "demo"]).env("TMPDIR", folder.path()).stdin(Stdio::null());
    let mut demo = demo.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let files = || fs::read_dir(folder.path()).unwrap().count();
    until("the demo has its folder", || files() > 0);
    // Its sides are processes that have begun: it hears signals by then.
    demo.stdout.take().unwrap().read_exact(&mut [0; 200]).unwrap();
    kill(Pid::from_raw(demo.id().cast_signed()), SIGHUP).unwrap();
    assert_eq!(common::wait(&mut demo).code(), Some(128 + libc::SIGHUP));
    assert_eq!(files(), 0, "its folder is left");
}

/// While no file may grow, records are lost; when they may again, the trace goes on with whole lines.
#[test]
fn a_trace_goes_on_with_whole_lines_and_says_what_it_lost() {
    if !have("prlimit") {
        return skip("prlimit is not installed");
    }
    let said = Said::on("limits_trace_lost");
    for kind in ["tcp-echo", "fork"] {
        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("trace.jsonl");
        let server =
            Server::of(kind).args(["--reply", "echo", "--trace", trace.to_str().unwrap()]).start();
        let some = |n| (0..n).for_each(|_| _ = ask(&mut server.connect(), b"hello", 5));
        some(3);
        limit(&server, "8000:");
        some(60);
        limit(&server, "unlimited:");
        some(3);
        let ended = server.stop();
        let text = fs::read_to_string(&trace).unwrap();
        let records: Vec<Value> = text
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|e| panic!("{kind}: {e}: {line}"))
            })
            .collect();
        assert!(text.ends_with('\n'), "{kind}: the last line is torn");
        let notes = records.iter().filter(|record| record["kind"] == "note");
        let counts = |note: &Value| !numbers(note["text"].as_str().unwrap()).is_empty();
        assert!(notes.clone().any(counts), "{kind}: no line says how many are missing");
        said.add("a server", &lost(&ended.stderr));
        assert_eq!(ended.status.code(), Some(1), "{kind}: {}", ended.stderr);
    }
}

/// A small disk that gets room bit by bit, servers that share a trace there, and a client for each.
const ON_A_SMALL_DISK: &str = r#"
mount -t tmpfs -o size=32k none "$1" || exit 99
cd "$1"
printf '{"v":1,"an earlier process":"was ended he' >trace
servers=
for kind in thread epoll select fork; do
    "$0" $kind server 127.0.0.1 0 -q --reply echo --trace trace >ready.$kind 2>/dev/null &
    servers="$servers $!"
done
python3 -c '
import socket, threading, time
end = time.monotonic() + 15
def client(kind):
    line = ""
    while not line.endswith("\n") and time.monotonic() < end:
        line = open("ready." + kind).read()
    place = ("127.0.0.1", int(line.rsplit(":")[-1]))
    for _ in range(500):
        server = socket.create_connection(place, 10)
        for n in range(1, 4):
            server.sendall(b"hello" * n)
            server.recv(100)
        server.close()
for kind in "thread", "epoll", "select", "fork":
    threading.Thread(target=client, args=(kind,)).start()
' & clients=$!
size=32
while kill -0 $clients 2>/dev/null; do
    size=$((size + 4))
    mount -o remount,size=${size}k "$1"
    sleep 0.02
done
mount -o remount,size=64m "$1"
kill $servers
wait
cat trace
"#;

/// What one of several writers cuts off a full disk is its own, and none appends to what another is about to
/// cut off.
#[test]
fn a_trace_that_several_share_on_a_full_disk_has_whole_lines() {
    let Some(mut private) = common::private_mounts() else { return };
    if !have("python3") {
        return skip("no python3");
    }
    let folder = tempfile::tempdir().unwrap();
    let script = ["sh", "-c", ON_A_SMALL_DISK, env!("CARGO_BIN_EXE_netplay")];
    let output = finish(private.args(script).arg(folder.path()).env("LC_ALL", "C.UTF-8"), b"");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut missing = 0;
    for line in text.lines().skip(1) {
        let record: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let note = record["text"].as_str().unwrap_or_default();
        missing += usize::from(record["kind"] == "note" && !numbers(note).is_empty());
    }
    assert!(missing > 0, "nothing was ever lost");
    assert!(text.ends_with('\n'), "the last line is torn");
}

/// How large the files of a server, and of the children that it forks from now on, may become.
fn limit(server: &Server, size: &str) {
    let pid = server.child.id().to_string();
    let limit = format!("--fsize={size}");
    let done = finish(Command::new("prlimit").args(["--pid", &pid, &limit]), b"");
    assert!(done.status.success(), "{done:?}");
}

/// A UNIX server that is alive and busy: its queue is full, and a connect would wait.
#[test]
fn a_path_whose_server_has_a_full_queue_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full");
    let listener =
        socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    let address = socket2::SockAddr::unix(&path).unwrap();
    listener.bind(&address).unwrap();
    listener.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let client =
            socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        match client.connect(&address) {
            Ok(()) => waiting.push(client),
            Err(error) => break assert_eq!(error.raw_os_error(), Some(libc::EAGAIN)),
        }
    }
    let server = finish(netplay().args(["unix-server", path.to_str().unwrap()]), b"");
    let said = Said::on("limits_full_queue");
    said.fails("server", &server, 1);
    assert!(path.exists(), "the path is another server's");
    let client = ["unix-client", path.to_str().unwrap(), "--timeout", "0.2", "-m", "x"];
    said.ends("client", &finish(netplay().args(client), b""), 1);
}

/// A name may steer a terminal, or pass for a second line: no message shows it as it is.
#[test]
fn a_file_name_with_control_bytes_is_escaped_in_every_message() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("no\x1b[31m\nnetplay: all is well").join("x.svg");
    let name = name.to_str().unwrap();
    let long = folder.path().join(format!("{}\x1b[31m\nnetplay: x", "y".repeat(100)));
    let long = long.to_str().unwrap();
    for args in [
        &["udp-server", "127.0.0.1", "0", "--trace", name][..],
        &["draw", name],
        &["udp-echo", "demo", "-o", name],
        &["models", "-o", name],
        &["lab", "framing", "--no-ask", "-o", name],
        &["bench", "--from", name],
        &["man", name],
        &["unix-client", name, "-m", "x"],
        &["unix-server", long],
        &["why", name],
        &["why", long],
        &["ftp", "server", "127.0.0.1", "0", "--root", name],
        &["ftp", "server", "127.0.0.1", "0", "--user", "u", "--password-file", name],
        &["mini-ftp", "server", "127.0.0.1", "0", "--root", name],
        &["ftp", "get", "ftp://127.0.0.1:9/x", "-o", name],
    ] {
        let output = finish(netplay().args(args), b"");
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(!said.contains('\x1b'), "{args:?}: {said:?}");
        assert!(!said.contains("\nnetplay: all"), "{args:?}: {said}"); // as the name has it
        let named = ["\\x1b", "\\n", "\\033"].iter().any(|escaped| said.contains(escaped))
            || said.contains("\\u{a}");
        assert!(named, "{args:?} does not name it: {said}");
    }
}

#[test]
fn a_demo_says_how_many_records_its_trace_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.jsonl");
    let demo =
        |trace: &str| finish(netplay().args(["udp-echo", "demo", "-q", "--trace", trace]), b"");
    assert!(demo(trace.to_str().unwrap()).status.success());
    let records = fs::read_to_string(trace).unwrap().lines().count();
    let lacks = demo("/dev/full");
    assert_eq!(numbers(&errors(&common::text(&lacks.stderr))), [records], "{lacks:?}");
    assert_eq!(lacks.status.code(), Some(1));
    Said::on("limits_trace_demo").add("demo", &lost(&common::text(&lacks.stderr)));
}

/// Both streams go into one pipe, which is full and never read.
#[test]
fn a_demo_that_nobody_reads_hears_the_first_signal() {
    for signal in [SIGTERM, SIGHUP] {
        let (_never_reads, writer) = std::io::pipe().unwrap();
        let other = writer.try_clone().unwrap();
        nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        let temporary = tempfile::tempdir().unwrap();
        let mut demo = netplay();
        demo.args(["select", "demo", "-v"]).env("TMPDIR", temporary.path()).stdin(Stdio::null());
        let mut demo = demo.stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
        let is_full = || {
            let mut list = [PollFd::new(other.as_fd(), PollFlags::POLLOUT)];
            poll(&mut list, PollTimeout::ZERO) == Ok(0)
        };
        until("the pipe is full", is_full);
        kill(Pid::from_raw(demo.id().cast_signed()), signal).unwrap();
        let start = Instant::now();
        let status = common::wait(&mut demo);
        assert!(start.elapsed() < SOON, "{signal}: {:?}", start.elapsed());
        assert_eq!(status.code(), Some(128 + signal as i32), "{signal}");
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0, "{signal}");
    }
}

/// The line that says where the server is has no room in a pipe that is full.
#[test]
fn a_server_whose_ready_line_nobody_reads_hears_the_first_signal() {
    for row in ["tcp-echo", "udp-echo", "fork", "prefork", "pool", "epoll --workers=3", "ftp"] {
        let (_never_reads, mut writer) = std::io::pipe().unwrap();
        let size = nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_GETPIPE_SZ).unwrap();
        writer.write_all(&vec![b'x'; size as usize]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("trace");
        let row = words(row);
        let mut server = netplay();
        server.arg(row[0]).arg("server").args(&row[1..]).args(["127.0.0.1", "0", "--trace"]);
        server.arg(&trace).current_dir(&folder).stdin(Stdio::null()).stderr(Stdio::null());
        let mut server = server.stdout(writer).spawn().unwrap();
        let calls = if row[0] == "prefork" { "fork" } else { "getsockname" };
        until("it wants to say so", || {
            fs::read_to_string(&trace).is_ok_and(|trace| trace.contains(calls))
        });
        kill(Pid::from_raw(server.id().cast_signed()), SIGTERM).unwrap();
        let start = Instant::now();
        common::wait(&mut server);
        assert!(start.elapsed() < SOON, "{row:?}: {:?}", start.elapsed());
    }
}

/// What cannot be written is refused before anything runs.
#[test]
fn a_picture_that_cannot_be_written_is_refused_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let in_vain = folder.path().join("folder.svg");
    fs::create_dir(&in_vain).unwrap();
    let nowhere = folder.path().join("nowhere/x.svg");
    let long = folder.path().join("x".repeat(300) + ".svg");
    let slash = folder.path().join("new.svg/");
    let fifo = folder.path().join("never-read");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let said = Said::on("limits_picture");
    said.hide("x".repeat(300), "[x 300 times]");
    for path in [&in_vain, &nowhere, &long, &slash] {
        for line in [
            "udp-echo demo",
            "lab framing --no-ask",
            "models",
            "bench --models epoll",
            // Nobody writes into it: to read it would take for ever.
            &format!("draw {}", fifo.display()),
        ] {
            let mut command = netplay();
            command.args(words(line)).arg("-o").arg(path);
            let output = finish(&mut command, b"");
            said.ends(&format!("{line} -o {}", path.display()), &output, 1);
            assert!(output.stdout.is_empty(), "{line}: {:?}", String::from_utf8(output.stdout));
        }
    }
}

/// A file that its owner has protected is not replaced, although its folder would allow it.
#[test]
fn a_picture_replaces_no_file_that_may_not_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let Some(nobody) = Nobody::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let file = folder.path().join("kept.svg");
    fs::write(&file, "kept").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    let said = Said::on("limits_picture_kept");
    for line in ["udp-echo demo", "lab framing --no-ask", "models", "bench --models epoll"] {
        let mut command = nobody.command();
        command.args(words(line)).arg("-o").arg(&file);
        let output = finish(&mut command, b"");
        said.ends(&format!("{line} -o kept.svg"), &output, 1);
        assert!(output.stdout.is_empty(), "{line}: {:?}", String::from_utf8(output.stdout));
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something else is there");
}

/// Where there is no room for a picture, nothing runs.
#[test]
fn a_picture_without_room_is_refused_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.svg");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 0; exec \"$0\" udp-echo demo -o \"$1\""]);
    command.arg(env!("CARGO_BIN_EXE_netplay")).arg(&file);
    let output = finish(&mut command, b"");
    Said::on("limits_picture_room").ends("udp-echo demo", &output, 1);
    assert!(output.stdout.is_empty(), "{:?}", String::from_utf8(output.stdout));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something is left");
}

/// A picture may go into a FIFO, whose reader has not come, or does not read.
#[test]
fn a_picture_for_a_fifo_waits_for_no_reader_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("picture.html");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let demo = || {
        let mut demo = netplay();
        demo.args(["udp-echo", "demo", "-q", "-o"]).arg(&fifo).stdin(Stdio::null());
        demo
    };
    Said::on("limits_picture_fifo").ends("no reader", &finish(&mut demo(), b""), 1);

    let mut never_reads = OpenOptions::new();
    never_reads.read(true).custom_flags(libc::O_NONBLOCK);
    let reader = never_reads.open(&fifo).unwrap();
    nix::fcntl::fcntl(&reader, nix::fcntl::FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    let writer = OpenOptions::new().write(true).open(&fifo).unwrap();
    let is_full = || {
        let mut list = [PollFd::new(writer.as_fd(), PollFlags::POLLOUT)];
        poll(&mut list, PollTimeout::ZERO) == Ok(0)
    };
    let mut waits = demo().spawn().unwrap();
    until("the pipe is full", is_full);
    let start = Instant::now();
    kill(Pid::from_raw(waits.id().cast_signed()), SIGTERM).unwrap();
    assert_eq!(common::wait(&mut waits).code(), Some(128 + SIGTERM as i32));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

/// The command for the second terminal can be typed as it is shown.
#[test]
fn the_path_of_a_socket_is_shown_as_a_shell_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it's a \"socket\"");
    let server = Server::of("unix-echo").at([&path]).aloud().args(["--reply", "echo"]).start();
    let line = ": netplay unix-";
    until("the command is shown", || server.stderr().contains(line));
    let told = server.stderr();
    let shown = told.lines().find_map(|said| said.split_once(": netplay ")).unwrap().1;
    let typed = format!("exec \"$0\" {shown} -q -m hello");
    let client =
        finish(Command::new("sh").args(["-c", &typed]).arg(env!("CARGO_BIN_EXE_netplay")), b"");
    assert_eq!(client.stdout, b"hello\n", "{shown}: {client:?}");
}

/// A file with a password may be a pipe, of which the writer takes its time, or has none; or have no end.
#[test]
fn a_password_comes_from_whatever_file_it_is_in() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let path = fifo.to_str().unwrap();
    let server = |file| {
        let line = "ftp server 127.0.0.1 0 --user u --read-only --password-file";
        let mut command = netplay();
        command.args(words(line)).arg(file);
        command.args(["--root", folder.path().to_str().unwrap()]);
        command
    };
    let said = Said::on("limits_password");
    said.ends("no end", &finish(&mut server("/dev/zero"), b""), 1);
    let endless = finish(netplay().args(["bench", "--from", "/dev/zero"]), b"");
    said.ends("no end of a report", &endless, 1);
    let url = "ftp://u@127.0.0.1:9/x";
    let get = finish(netplay().args(["ftp", "get", url, "--password-file", "/dev/zero"]), b"");
    said.ends("no end of another", &get, 1);
    drop(said);

    // The pipe has no writer: a signal ends the wait.
    let mut waits = server(path).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let opened = |pid: u32| {
        let fds = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        fds.map(|fd| fs::read_link(fd.path())).any(|to| to.is_ok_and(|to| to == fifo))
    };
    until("it waits", || opened(waits.id()));
    let start = Instant::now();
    kill(Pid::from_raw(waits.id() as i32), SIGTERM).unwrap();
    let status = common::wait(&mut waits);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(status.code(), Some(128 + SIGTERM as i32), "{status:?}");

    // Somebody does, in pieces.
    let late = std::thread::spawn({
        let fifo = fifo.clone();
        move || {
            let mut pipe = OpenOptions::new().write(true).open(fifo).unwrap();
            pipe.write_all(b"sec").unwrap();
            pipe.write_all(b"ret\nmore\n").unwrap();
        }
    });
    let server = Server::from(server(path).arg("-q"));
    late.join().unwrap();
    let mut client = server.connect();
    client.write_all(b"USER u\r\nPASS secret\r\nQUIT\r\n").unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).unwrap();
    let codes: Vec<&str> = said.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["220", "331", "230", "221"]);
}
