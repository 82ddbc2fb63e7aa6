//! What `netplay bench` claims: figures that fit each other, and a clear report of whatever a server
//! does. Nothing here depends on how fast anything is.

use std::collections::VecDeque;
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use crate::common::{
    self, Nobody, Said, Server, finish, have, netplay, room_for, run, skip, until,
};
use netplay::bench::sample::Report;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Short turns, and few.
const SHORT: &[&str] = &["bench", "--rounds", "2", "--seconds", "0.05"];

/// What a run printed, and what it wrote.
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    report: Report,
}

/// Runs the bench with these options; its report must be there, whatever happened.
fn bench(options: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json").display().to_string();
    let output = run(&[SHORT, options, &["-o", &file]].concat(), b"");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let json = std::fs::read_to_string(file).unwrap_or_else(|_| panic!("no report: {stderr}"));
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr,
        report: Report::read(&json).unwrap(),
    }
}

/// What the run says below its tables, of one server or of what they show together.
fn notes(ran: &Run) -> String {
    let notes = ran.stdout.lines().filter_map(|line| line.strip_prefix("  "));
    notes.filter(|line| !line.starts_with(' ')).collect::<Vec<_>>().join("\n")
}

/// The line among them that is about this server, without its name.
fn note(ran: &Run, server: &str) -> String {
    let notes = notes(ran);
    let note = notes.lines().find_map(|line| line.strip_prefix(server));
    note.unwrap_or_else(|| panic!("nothing about {server}: {}", ran.stdout)).to_owned()
}

/// A server in this process: `serve` gets each connection, in a thread of its own.
fn server(serve: impl Fn(TcpStream) + Send + Sync + Copy + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(stream));
        }
    });
    address.to_string()
}

/// The bench beside a server that is not ours.
fn target(address: &str, options: &[&str]) -> Run {
    bench(&[&["--models", "poll", "--connections", "2", "--target", address], options].concat())
}

#[test]
fn the_report_has_every_round_and_fits_the_table() {
    let ran = bench(&["--models", "poll,thread", "--connections", "1,4"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.report.cells.len(), 2 * 3, "two servers and the yardstick again, twice");
    for cell in &ran.report.cells {
        let rounds: Vec<usize> = cell.turns.iter().map(|turn| turn.round).collect();
        assert_eq!(rounds, [1, 2], "{}", cell.model);
        for turn in &cell.turns {
            assert!(turn.replies > 0 && turn.all_replies >= turn.replies, "{turn:?}");
            let latency = turn.latency.unwrap();
            assert!(latency.p50 <= latency.p99 && latency.p99 <= latency.max, "{latency:?}");
            let used = turn.server.unwrap();
            assert!(used.cpu_ns > 0 && used.cpu_ns <= used.lifetime_cpu_ns, "{used:?}");
            assert_eq!((turn.served, turn.errors.count()), (cell.load.total() as u64, 0));
        }
        let rate = netplay::bench::report::whole(cell.rate().unwrap().median);
        assert!(ran.stdout.contains(&format!(" {rate} ")), "{rate} is not in {}", ran.stdout);
    }
    let again: Vec<bool> = ran.report.cells.iter().map(|cell| cell.again).collect();
    assert_eq!(again, [false, false, true, false, false, true]);
}

#[test]
fn the_cost_of_a_model_is_that_of_its_page() {
    let ran = bench(&["--models", "poll,thread,fork", "--connections", "4", "--seconds", "0.1"]);
    let of = |model: &str| ran.report.cells.iter().find(|cell| cell.model == model).unwrap();
    let looked = |model: &str| (of(model).look.processes.unwrap(), of(model).look.threads.unwrap());
    assert_eq!([looked("poll"), looked("thread"), looked("fork")], [(1, 1), (1, 5), (5, 5)]);
    let Some(calls) = of("thread").calls() else {
        return skip("no perf_event_open (perf_event_paranoid)");
    };
    // recv and send; the very last recv of each thread is entered and not left.
    assert!((calls - 2.0).abs() < 0.2, "{calls}");
    assert!(of("poll").calls().unwrap() > 2.0);
}

#[test]
fn without_privileges_strace_counts_the_calls() {
    if !have("strace") {
        return skip("no strace");
    }
    let Some(nobody) = Nobody::new() else { return };
    let mut command = nobody.command();
    command.args(SHORT).args(["--models", "poll,thread", "--connections", "1", "--json"]);
    let output = finish(&mut command, b"");
    let report = Report::read(&String::from_utf8(output.stdout).unwrap()).unwrap();
    let counted: Vec<f64> = report.cells.iter().filter_map(|cell| cell.calls()).collect();
    let [poll, thread, again] = counted[..] else { panic!("{:?}", report.cells) };
    assert!(report.cells[0].look.calls.unwrap().by_strace, "this kernel lets everybody count");
    for (measured, calls) in [(poll, 3.0), (thread, 2.0), (again, 3.0)] {
        assert!((measured - calls).abs() < 0.2, "{measured} where the page makes {calls}");
    }
}

#[test]
fn a_server_for_one_client_says_how_many_it_leaves_without_a_reply() {
    let ran = bench(&["--models", "poll,tcp-echo", "--connections", "5"]);
    let served = ran.report.cells.iter().map(|cell| cell.served());
    assert_eq!(served.collect::<Vec<_>>(), [Some(5), Some(1), Some(5)], "{}", ran.stdout);
    // And that the other one is not compared with it.
    Said::on("bench_unserved").add("poll, tcp-echo", &notes(&ran));
}

#[test]
fn every_request_can_have_a_connection_of_its_own() {
    let ran = bench(&["--models", "poll,fork", "--connections", "3", "--per-request"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    assert!(ran.report.cells.iter().all(|cell| cell.errors().count() == 0), "{}", ran.stdout);
}

#[test]
fn datagrams_are_measured_with_the_servers_that_serve_them() {
    let ran = bench(&["--udp", "--connections", "3"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    let models: Vec<&str> = ran.report.cells.iter().map(|cell| cell.model.as_str()).collect();
    assert!(models.contains(&"udp-echo") && !models.contains(&"tcp-echo"), "{models:?}");
}

#[test]
fn in_an_open_loop_a_wait_counts_from_when_the_request_was_due() {
    // Each answer takes 5 ms, and one is due every 4 ms: the later, the longer it waited.
    let slow = "tcp-echo --work 5";
    let pace = ["--rate", "250", "--seconds", "0.2"];
    let ran = bench(&[&["--models", slow, "--connections", "1"], &pace[..]].concat());
    let cell = &ran.report.cells[0];
    assert!(cell.latency(|latency| latency.p50).unwrap() > 10e6, "{:?}", cell.turns);
    assert!(cell.turns.iter().all(|turn| turn.unanswered > 4), "{:?}", cell.turns);
}

#[test]
fn large_messages_come_back_whole() {
    let ran = bench(&["--models", "poll", "--connections", "2", "--bulk", "--size", "1000000"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    assert!(ran.stdout.contains("MiB/s"), "{}", ran.stdout);
}

#[test]
fn a_refused_port_is_reported() {
    // A port that was free a moment ago.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let ran = target(&closed, &[]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout.contains(&format!("connect {closed}: Connection refused")),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_silent_server_is_reported_within_the_time() {
    let silent = server(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let ran = target(&silent, &[]);
    assert_eq!(ran.code, Some(1));
    Said::on("bench_silent").add("a silent server", &note(&ran, &silent));
}

#[test]
fn a_lying_server_is_caught() {
    let liar = server(|mut stream| {
        while let Ok(1..) = stream.read(&mut [0; 1024]) {
            let _ = stream.write_all(b"\x1b[2Jall is well");
        }
    });
    let ran = target(&liar, &[]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let said = r#""\x1b[2Jall is well""#;
    assert!(ran.stdout.contains(said) && ran.stderr.contains(said), "{}", ran.stdout);
    // Who expects nothing in particular is content.
    assert_eq!(target(&liar, &["--expect", "any"]).code, Some(0));
}

#[test]
fn an_old_answer_is_no_echo_either() {
    let parrot = server(|mut stream| {
        let mut first = [0; 64];
        if stream.read_exact(&mut first).is_ok() {
            while stream.write_all(&first).is_ok() && stream.read_exact(&mut [0; 64]).is_ok() {}
        }
    });
    assert_eq!(target(&parrot, &[]).code, Some(3));
}

#[test]
fn a_server_that_resets_its_clients_is_reported() {
    let rude = server(|stream| {
        // Closed with the request unread and no time to linger: a reset.
        socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    });
    let ran = target(&rude, &[]);
    assert_eq!(ran.code, Some(1));
    let cell = ran.report.cells.iter().find(|cell| cell.model == rude).unwrap();
    assert!(cell.errors().reset > 0, "{}", ran.stdout);
    let errors = [Errno::ECONNRESET, Errno::EPIPE].map(Errno::desc);
    assert!(errors.iter().any(|error| ran.stdout.contains(error)), "{}", ran.stdout);
}

#[test]
fn a_server_that_closes_early_is_reported() {
    let curt = server(|mut stream| {
        let mut first = [0];
        let _ = stream.read_exact(&mut first).and_then(|()| stream.write_all(&first));
        let _ = stream.read_exact(&mut [0; 63]); // what is unread would make the close a reset
    });
    let ran = target(&curt, &[]);
    assert_eq!(ran.code, Some(1));
    Said::on("bench_closes_early").add("after the first byte", &note(&ran, &curt));
}

#[test]
fn a_server_for_two_says_how_many_it_leaves_without_a_reply() {
    static SERVED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let pool_of_two = server(|mut stream| {
        use std::sync::atomic::Ordering::SeqCst;
        // A place is free again when a client leaves.
        let place = SERVED.fetch_update(SeqCst, SeqCst, |n| (n < 2).then_some(n + 1)).is_ok();
        let mut buf = [0; 1024];
        while let Ok(n @ 1..) = stream.read(&mut buf) {
            if place && stream.write_all(&buf[..n]).is_err() {
                break;
            }
        }
        if place {
            SERVED.fetch_sub(1, SeqCst);
        }
    });
    let ran = bench(&["--models", "poll", "--connections", "6", "--target", &pool_of_two]);
    Said::on("bench_serves_two").add("2 of 6", &note(&ran, &pool_of_two));
}

const PYTHON_ECHO: &str = "import socketserver, sys
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(1024):
            self.request.sendall(data)
socketserver.ThreadingTCPServer(('127.0.0.1', int(sys.argv[1])), Echo).serve_forever()
";

#[test]
fn a_server_in_any_language_is_measured_beside_ours() {
    if !have("python3") {
        return skip("no python3");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("echo.py");
    std::fs::write(&file, PYTHON_ECHO).unwrap();
    let command = format!("python3 {} {{port}}", file.display());
    let ran = bench(&["--models", "poll", "--connections", "2", "--cmd", &command]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let cell = ran.report.cells.iter().find(|cell| cell.model == command).unwrap();
    assert_eq!(cell.served(), Some(2));
    assert!(cell.turns.iter().all(|turn| turn.server.unwrap().cpu_ns > 0), "{:?}", cell.turns);
}

#[test]
fn servers_of_ipv6_are_measured_as_well() {
    if TcpListener::bind("[::1]:0").is_err() {
        return skip("no IPv6");
    }
    let program = env!("CARGO_BIN_EXE_netplay");
    let running = Server::of("poll").at(["::1", "0"]).args(["--reply", "echo"]).start();
    let command = format!("exec {program} poll server ::1 {{port}} -q --reply echo");
    for options in [&["--target", &running.place][..], &["--cmd", &command]] {
        for way in [&[][..], &["--per-request"]] {
            let ran = bench(&[&["--models", "none", "--connections", "2"], options, way].concat());
            assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
            assert!(ran.report.cells.iter().all(|cell| cell.served() == Some(2)), "{}", ran.stdout);
        }
    }
}

#[test]
fn a_command_that_ends_at_once_is_reported_with_its_last_words() {
    let ran = bench(&[
        "--models",
        "poll",
        "--connections",
        "1",
        "--cmd",
        "echo no-such-thing >&2; : {port}",
    ]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("no-such-thing"), "{}", ran.stdout);
}

/// The shell that runs a command is no part of its server: it has no request, no memory and no calls of it.
#[test]
fn a_shell_is_no_process_of_the_server() {
    let program = env!("CARGO_BIN_EXE_netplay");
    let server = format!("{program} poll server 127.0.0.1 {{port}} -q --reply echo");
    for command in [format!("cd /; {server}; true"), format!("sh -c '{server}; :' & wait")] {
        let ran = bench(&["--models", "poll", "--connections", "1", "--cmd", &command]);
        let of = |name: &str| ran.report.cells.iter().find(|cell| cell.model == name).unwrap();
        let [own, wrapped] = [of("poll"), of(&command)].map(|cell| cell.look.processes);
        assert_eq!((own, wrapped), (Some(1), Some(1)), "{command}: {}", ran.stdout);
        assert!(of(&command).turns.iter().all(|turn| turn.server.unwrap().cpu_ns > 0));
    }
}

/// What was not measured has its own reason, and no other.
#[test]
fn a_figure_that_is_missing_has_the_reason_that_is_so() {
    let running = Server::of("thread").args(["--reply", "echo"]).start();
    let once = ["--models", "none", "--connections", "1", "--rounds", "1"];
    let ran = bench(&[&once[..], &["--target", &running.place]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let said = Said::on("bench_missing");
    said.add("--target", &note(&ran, &running.place));
    said.add("how", ran.stdout.lines().find(|line| line.starts_with("TCP, ")).unwrap());
    let of_cpu = "\nCPU ";
    assert!(!ran.stdout.contains("strace") && !ran.stdout.contains(of_cpu), "{}", ran.stdout);
    let ended = bench(&[&once[..], &["--cmd", "false {port}"]].concat());
    assert_eq!(ended.code, Some(1));
    said.add("--cmd false", &notes(&ended));
    assert!(!ended.stdout.contains("strace"), "{}", ended.stdout);
    // Wherever it was counted, and wherever not, the reason is that of this machine.
    let ours = bench(&["--models", "poll", "--connections", "1", "--rounds", "1"]);
    assert!(ours.stdout.contains(of_cpu), "{}", ours.stdout);
    let look = &ours.report.cells[0].look;
    assert_ne!(look.calls.is_some(), look.uncounted.is_some(), "{}", ours.stdout);
    assert!(look.uncounted.is_none() || !have("strace"), "{look:?}");
}

/// The process of the server lives on, and its connections do not.
#[test]
fn a_server_that_closes_its_connections_in_the_midst_of_it_is_reported_as_one_that_dies() {
    let tires = server(|mut stream| {
        let mut request = [0; 64];
        for _ in 0..100 {
            if stream.read_exact(&mut request).and_then(|()| stream.write_all(&request)).is_err() {
                return;
            }
        }
    });
    let ran = target(&tires, &[]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    let note = note(&ran, &tires);
    assert!(ran.stderr.contains(&note), "{}{}", ran.stdout, ran.stderr);
    Said::on("bench_closes").add("after 100 answers", &note);
}

#[test]
fn a_server_that_dies_in_the_midst_of_it_is_reported_with_how_it_ended() {
    if !have("python3") {
        return skip("there is no python3 to write a server in");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dies.py");
    let dies = PYTHON_ECHO
        .replace("import socketserver, sys", "import os, socketserver, sys\nleft = [100]")
        .replace(
            "            self",
            "            left[0] -= 1\n            left[0] or os._exit(7)\n            self",
        );
    std::fs::write(&file, dies).unwrap();
    let command = format!("python3 {} {{port}}", file.display());
    let ran = bench(&["--models", "poll", "--connections", "1", "--cmd", &command]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    let notes = notes(&ran);
    let (_, note) = notes.lines().last().unwrap().rsplit_once(": it ").unwrap();
    assert!(note.contains("exit status: 7") && ran.stderr.contains(note), "{}", ran.stdout);
    Said::on("bench_dies").add("after 100 answers", note);
    let cell = ran.report.cells.iter().find(|cell| cell.model == command).unwrap();
    assert!(
        cell.turns.iter().all(|turn| turn.server.is_none()),
        "the dead have no clock: {cell:?}"
    );
}

/// The first line of a run, the number of seconds in it, and how many it took.
fn estimated(options: &[&str]) -> (String, String, f64) {
    let began = std::time::Instant::now();
    let ran = bench(options);
    let took = began.elapsed().as_secs_f64();
    let first = ran.stderr.lines().next().unwrap().to_owned();
    let number = first.split(' ').find(|word| word.parse::<f64>().is_ok());
    let number = number.unwrap_or_else(|| panic!("{}", ran.stderr)).to_owned();
    (first, number, took)
}

/// A server that serves fewer clients than there are is waited for: long when it is looked at, and later not.
#[test]
fn an_estimate_knows_that_a_command_serves_one_client_only() {
    let command =
        format!("{} tcp-server 127.0.0.1 {{port}} -q --reply echo", env!("CARGO_BIN_EXE_netplay"));
    let options = ["--models", "none", "--cmd", &command, "--connections", "4", "--rounds", "8"];
    let (_, number, took) = estimated(&options);
    let seconds: f64 = number.parse().unwrap();
    assert!(seconds < took * 1.3, "{seconds} s were said, and it took {took} s");
}

/// The first line says how long the run takes, and half as long or twice as long would be no estimate.
#[test]
fn it_says_beforehand_how_long_it_will_take() {
    let (first, number, took) =
        estimated(&["--models", "poll,thread", "--connections", "4", "--seconds", "0.7"]);
    let said = Said::on("bench_plan");
    said.hide(format!(" {number} "), " [n] ");
    said.add("poll,thread", &first);
    let seconds: f64 = number.parse().unwrap();
    // Six turns of 0.7 s, and what a busy machine adds.
    assert!((4.2..=took * 2.0).contains(&seconds), "{seconds} s were said, and it took {took} s");
    let quiet = bench(&["--models", "poll", "--connections", "1", "-q"]);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn two_reports_can_be_compared() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    for name in ["a.json", "b.json"] {
        let options = ["--models", "poll", "--connections", "1", "-o", &file(name)];
        assert!(run(&[SHORT, &options].concat(), b"").status.success());
    }
    let output = run(&["bench", "--compare", &file("a.json"), &file("b.json")], b"");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && stdout.contains("poll, again"), "{stdout}");
    let bad = run(&["bench", "--compare", &file("a.json"), "/dev/null"], b"");
    Said::on("bench_no_report").ends("/dev/null", &bad, 1);
}

#[test]
fn a_report_can_be_drawn_later_and_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    // A name is a command line, and may be anything.
    let odd = "printf '<b>&\\033[2J' >&2; : {port}";
    let options = ["--models", "poll,tcp-echo", "--connections", "1,2", "--cmd", odd];
    let first = run(&[SHORT, &options, &["-o", &file("a.json")]].concat(), b"");
    let written = |name: &str| {
        let again = run(&["bench", "--from", &file("a.json"), "-o", &file(name)], b"");
        assert_eq!(first.stdout, again.stdout);
        std::fs::read_to_string(file(name)).unwrap()
    };
    let (svg, html) = (written("a.svg"), written("a.html"));
    for picture in [&svg, &html] {
        assert!(picture.contains("tcp-echo (1 of 2)") && picture.contains("p99.9"), "{picture}");
        assert!(picture.contains("prefers-color-scheme: dark"));
        assert!(!picture.contains("<b>") && !picture.contains('\x1b'), "{picture}");
    }
    assert!(svg.contains(": {port}"), "the whole name: {svg}");
    // The widest name has room, from its first letter on.
    let wide = std::fs::read_to_string(file("a.json"))
        .unwrap()
        .replace("\"tcp-echo\"", &format!("\"{}\"", "W".repeat(40)));
    std::fs::write(file("wide.json"), wide).unwrap();
    let drawn = run(&["bench", "--from", &file("wide.json"), "-o", &file("wide.svg")], b"");
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    let wide = std::fs::read_to_string(file("wide.svg")).unwrap();
    let picture = roxmltree::Document::parse(&wide).unwrap();
    let name = picture.descendants().find(|node| {
        node.text().is_some_and(|text| text.trim().starts_with("WWW") && text.contains("(1 of 2)"))
    });
    let end: f64 = name.unwrap().attribute("x").unwrap().parse().unwrap();
    assert!(end > 24.0 * 12.9 + 70.0, "{end} is too little for its letters");
    let names = written("a.md").lines().filter(|line| line.starts_with("| poll, again")).count();
    assert_eq!(names, 4, "two tables for each of two loads");
    let csv = written("a.csv");
    assert_eq!(csv.lines().count(), 1 + 2 * 3 * 2, "a line for each turn: {csv}");
    let json = run(&["bench", "--from", &file("a.json"), "--json"], b"").stdout;
    assert_eq!(String::from_utf8(json).unwrap(), std::fs::read_to_string(file("a.json")).unwrap());
}

#[test]
fn what_cannot_be_held_is_refused_with_the_figure() {
    let refused = |options: &[&str]| {
        let output = run(&[SHORT, options].concat(), b"");
        assert_ne!(output.status.code(), Some(0), "{options:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let many = refused(&["--models", "poll", "--connections", "2000000000"]);
    assert!(many.contains(" 2000000064 "), "{many}");
    let large = refused(&["--udp", "--size", "70000"]);
    let nobody = refused(&["--models", "mini-ftp"]);
    let steers = refused(&["--models", "none", "--connections", "1", "--cmd", "\x1b[2J{port}"]);
    assert!(!steers.contains('\x1b') && steers.contains("\\u{1b}[2J"), "{steers}");
    let port = refused(&["--models", "poll", "--cmd", "./server"]);
    common::said_word_for_word("bench_refused", &[large, nobody, port].join("\n"));
}

#[test]
fn more_connections_than_one_address_has_ports_go_out_from_several() {
    let few = "echo 32768 33067 > /proc/sys/net/ipv4/ip_local_port_range"; // 300 of them
    let Some(mut command) = common::alone(few) else { return };
    command.arg(env!("CARGO_BIN_EXE_netplay")).args(SHORT);
    let output = command.args(["--models", "epoll", "--connections", "600"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.matches("600 of 600").count(), 2, "{said}"); // epoll, and epoll again
}

#[test]
fn ten_thousand_connections_are_held() {
    if !room_for(20_000) {
        return skip("no room for 20,000 descriptors (ulimit -Hn)");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // It answers everybody once, and holds ten thousand: one run after the other.
    let over = Arc::new(AtomicBool::new(false));
    let ends = over.clone();
    let server = thread::spawn(move || {
        let (mut held, mut buf) = (VecDeque::new(), [0; 64]);
        let streams = listener.incoming().map_while(Result::ok);
        for mut stream in streams.take_while(|_| !ends.load(Relaxed)) {
            if stream.read_exact(&mut buf).is_ok() && stream.write_all(&buf).is_ok() {
                held.push_back(stream);
            }
            if held.len() > 10_000 {
                held.pop_front();
            }
        }
    });
    let options = ["--models", "none", "--target", &address, "--connections", "10000"];
    let ran = bench(&[&options[..], &["--rounds", "1"]].concat());
    // A neighbour that looks for the holder of a socket reads all descriptors of this process, in a short time.
    over.store(true, Relaxed);
    TcpStream::connect(&address).unwrap();
    server.join().unwrap();
    let turn = &ran.report.cells[0].turns[0];
    assert_eq!((turn.served, turn.errors.count()), (10_000, 0), "{}", ran.stdout);
}

#[test]
fn an_interrupted_bench_prints_what_it_has_and_leaves_nobody_behind() {
    let mut child = netplay()
        .args(["bench", "--models", "poll", "--connections", "3", "--rounds", "1000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let children = move || {
        let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        list.unwrap_or_default()
    };
    until("a server runs", || !children().trim().is_empty());
    let server: i32 = children().split_whitespace().next().map_or(0, |n| n.parse().unwrap());
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGINT).unwrap();
    let mut stdout = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_to_string(&mut stdout).unwrap();
    assert_eq!(common::wait(&mut child).code(), Some(130));
    assert!(stdout.contains("INTERRUPTED"), "{stdout}");
    until("its server is gone", || !std::path::Path::new(&format!("/proc/{server}")).exists());
}
