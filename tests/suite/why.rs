//! `netplay why`, and the hints: they name who really has a port, and what the kernel really says to it.
//!
//! The sockets are real, made here, by netplay and by Python; the peer is `ss`.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use crate::common::{self, Nobody, Said, Server, finish, have, netplay, run, skip, text, until};
use netplay::inspect::{self, Ask};
use nix::errno::Errno;
use regex::Regex;
use serde_json::Value;
use socket2::SockRef;
use tempfile::TempDir;

/// What `netplay why WHAT` prints.
fn why(what: &str) -> String {
    let output = run(&["why", what], b"");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    text(&output.stdout)
}

/// The same, as JSON.
fn facts(what: &str) -> Value {
    let output = run(&["why", what, "--json"], b"");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a command that fails says on standard error.
fn fails(args: &[&str]) -> String {
    let output = run(args, b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = text(&output.stderr);
    assert_eq!(said.lines().count(), 2, "an error and one hint: {said}");
    said
}

/// The first socket of the port that it is about.
fn socket(what: &str) -> Value {
    let facts = facts(what);
    let sockets = facts["port"]["sockets"].as_array().unwrap();
    // An earlier connection may have left its TIME_WAIT there.
    sockets.iter().find(|one| one["state"] != "TIME_WAIT").unwrap().clone()
}

/// What is said, without what is different each time: programs, times, sizes, ports, and the rows of the trials,
/// which depend on whether there is IPv6, and which JSON has.
fn words(said: &str) -> String {
    told(said, true)
}

/// The same; TIME_WAIT may be what it is about.
fn told(said: &str, without_time_wait: bool) -> String {
    static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let rules = [
            (r"(?m)^  \S+ +(?:works|E[A-Z]+) +(?:works|E[A-Z]+) +(?:works|E[A-Z]+)\n", ""),
            (r"(port|tcp-server) \d{4,5}\b", "$1 [port]"),
            // What an earlier connection of another test has left there.
            (r"(?m)^(?:  tcp|why:) TIME_WAIT.*\n", ""),
            (r"\b\d+ (s|bytes|datagrams)\b", "[n] $1"),
            (r"(\S) {2,}", "$1  "),
            (r"(?m)^ {3,}", "   "),
        ];
        rules.map(|(what, name)| (Regex::new(what).unwrap(), name)).into()
    });
    let said = common::settled(said);
    let rules =
        RULES.iter().filter(|(rule, _)| without_time_wait || !rule.as_str().contains("TIME"));
    rules.fold(said, |text, (what, name)| what.replace_all(&text, *name).into_owned())
}

/// What every line of it has: each of these.
fn has(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
}

/// The row of the table of trials for an address: plain, SO_REUSEADDR, SO_REUSEPORT.
fn trial(port: u16, address: &str) -> [Option<String>; 3] {
    let facts = facts(&format!(":{port}"));
    let rows = facts["port"]["bind"].as_array().unwrap().clone();
    let row = rows.iter().find(|row| row["address"] == address).unwrap();
    ["plain", "reuseaddr", "reuseport"].map(|how| row[how].as_str().map(String::from))
}

const TAKEN: Option<&str> = Some("EADDRINUSE");

/// A Python program that prints a line when it is ready, and then waits for its input to end.
struct Python(Child, String);

impl Python {
    fn start(code: &str) -> Option<Python> {
        Python::run(Command::new("python3").args(["-c", code]))
    }

    fn run(command: &mut Command) -> Option<Python> {
        if !have("python3") {
            skip("no python3");
            return None;
        }
        let (piped, to) = (Stdio::piped(), Stdio::piped());
        let mut child = command.stdin(piped).stdout(to).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Some(Python(child, line.trim().to_owned()))
    }

    /// The port that it printed.
    fn port(&self) -> u16 {
        self.1.parse().unwrap()
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nothing has, not even the TIME_WAIT of some earlier client: those the kernel hands out
/// by itself are full of them on a busy machine.
fn unused_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + std::process::id() as u16 % 200 * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Relaxed) % 100;
        let [tcp, udp] = [inspect::tcp, inspect::udp].map(|ask| ask(Ask::port(port)).unwrap());
        if tcp.is_empty() && udp.is_empty() {
            return port;
        }
    }
}

// Who has a port.

#[test]
fn a_server_is_named_with_its_pid_and_its_queue() {
    let server = Server::of("epoll").args(["--backlog", "7"]).start();
    let (port, pid) = (server.port(), server.child.id());
    let said = why(&format!(":{port}"));
    has(
        &said,
        &[
            "tcp LISTEN",
            &server.place,
            "netplay epoll server",
            &format!("(pid {pid}, "),
            &format!("kill {pid}\n"),
        ],
    );
    Said::on("why_server").add(":PORT", &words(&said));
    let socket = socket(&format!(":{port}"));
    assert_eq!([&socket["receive_queue"], &socket["send_queue"]], [0, 7], "queue, and backlog");
    let tried = trial(server.address().port(), &server.place);
    assert_eq!(tried.each_ref().map(Option::as_deref), [TAKEN; 3], "also with both options");
}

#[test]
fn each_address_is_told_by_itself() {
    let first = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = first.local_addr().unwrap().port();
    let _second = TcpListener::bind(("127.0.0.2", port)).unwrap();
    let _third = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    let said = why(&format!(":{port}"));
    for address in ["tcp LISTEN  127.0.0.1", "tcp LISTEN  127.0.0.2", "udp         127.0.0.1"] {
        has(&said, &[&format!("{address}:{port}")]);
    }
}

#[test]
fn a_wildcard_says_what_it_takes_in() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = Said::on("why_wildcard");
    said.add("0.0.0.0", &words(&why(&format!(":{port}"))));
    assert_eq!(socket(&format!(":{port}"))["local"], format!("0.0.0.0:{port}"));
    for only in [true, false] {
        let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None);
        let Ok(socket) = socket else { return skip("no IPv6") };
        socket.set_only_v6(only).unwrap();
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, unused_port()));
        if socket.bind(&any.into()).is_err() {
            return skip("no IPv6");
        }
        socket.listen(1).unwrap();
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        said.add(&format!("::, IPV6_V6ONLY {only}"), &words(&why(&format!(":{port}"))));
        assert_eq!(self::socket(&format!(":{port}"))["local"], format!("[::]:{port}"));
        let v4 = trial(port, &format!("0.0.0.0:{port}"))[0].is_none();
        assert_eq!(v4, only, "an IPv6 wildcard takes IPv4 in, unless told not to");
    }
}

#[test]
fn a_port_that_is_bound_and_does_not_listen_is_found() {
    let bound = "import socket\ns = socket.socket(); s.bind(('127.0.0.1', 0))\n\
         print(s.getsockname()[1], flush=True); input()";
    let Some(python) = Python::start(bound) else { return };
    let (port, address) = (python.port(), format!("127.0.0.1:{}", python.port()));
    assert_eq!(trial(port, &address).each_ref().map(Option::as_deref), [TAKEN; 3]);
    let said = why(&format!(":{port}"));
    if !said.contains("tcp BOUND") {
        Said::on("why_bound_unlisted").add(":PORT", &words(&said));
        return skip("no list of bound sockets (Linux 6.8 has it)");
    }
    has(&said, &["tcp BOUND", &address, &python.pid()]);
    let hint = fails(&["tcp-server", &port.to_string(), "-q"]);
    has(&hint, &[&format!("kill {}", python.pid())]);
    let page = Said::on("why_bound");
    page.add(":PORT", &words(&said));
    page.add("hint", &words(&hint));
}

/// A server without SO_REUSEADDR that closed first: its port is in TIME_WAIT.
fn time_wait() -> u16 {
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], unused_port())).into()).unwrap();
    listener.listen(1).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let client = TcpStream::connect(address).unwrap();
    drop(listener.accept().unwrap());
    drop((client, listener));
    until("the server's end is in TIME_WAIT", || seconds_left(address.port()).is_some());
    address.port()
}

fn seconds_left(port: u16) -> Option<f64> {
    let facts = facts(&format!(":{port}"));
    let sockets = facts["port"]["sockets"].as_array().unwrap();
    let waits = sockets.iter().find(|one| one["state"] == "TIME_WAIT")?;
    assert_eq!(waits["timer"]["kind"], "time-wait");
    waits["timer"]["left_s"].as_f64()
}

#[test]
fn time_wait_has_seconds_that_pass() {
    let port = time_wait();
    let first = seconds_left(port).unwrap();
    assert!((40.0..=60.0).contains(&first), "{first}");
    until("they pass", || seconds_left(port).unwrap() < first);
    let said = why(&format!(":{port}"));
    let hint = fails(&["tcp-server", &port.to_string(), "-q"]);
    for said in [&said, &hint] {
        has(said, &["TIME_WAIT", "SO_REUSEADDR"]);
    }
    let page = Said::on("why_time_wait");
    page.add(":PORT", &told(&said, false));
    page.add("hint", &told(&hint, false));
}

#[test]
fn ss_says_the_same_of_time_wait() {
    if !have("ss") {
        return skip("no ss");
    }
    let port = time_wait();
    let before = seconds_left(port).unwrap();
    let filter = format!("sport = :{port}");
    let ss = Command::new("ss").args(["-Htano", "state", "time-wait", &filter]).output().unwrap();
    let after = seconds_left(port).unwrap();
    let ss = text(&ss.stdout);
    // `timer:(timewait,59sec,0)`: whole seconds, cut.
    let timer = ss.split("timer:(timewait,").nth(1).unwrap();
    let theirs: f64 = timer.split("sec").next().unwrap().parse().unwrap();
    assert!(theirs <= before && after - 1.0 <= theirs, "{after} to {before}, ss: {theirs}");
}

#[test]
fn after_a_server_with_so_reuseaddr_the_next_can_start_at_once() {
    let listener = TcpListener::bind(("127.0.0.1", unused_port())).unwrap(); // std sets SO_REUSEADDR
    let port = listener.local_addr().unwrap().port();
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    drop(listener.accept().unwrap());
    drop((client, listener));
    until("TIME_WAIT", || seconds_left(port).is_some());
    let tried = trial(port, &format!("127.0.0.1:{port}"));
    assert_eq!(tried.each_ref().map(Option::as_deref), [TAKEN, None, TAKEN]);
    Said::on("why_time_wait_over").add(":PORT", &told(&why(&format!(":{port}")), false));
}

#[test]
fn a_full_accept_queue_is_seen_and_hinted_at() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    socket2::SockRef::from(&listener).listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let _waiting = [TcpStream::connect(address).unwrap(), TcpStream::connect(address).unwrap()];
    let port = address.port().to_string();
    until("both wait for accept", || {
        let socket = socket(&format!(":{port}"));
        socket["receive_queue"] == 2 && socket["send_queue"] == 1
    });
    let hint = fails(&["tcp-client", &port, "-q", "-m", "x", "--timeout", "0.3"]);
    let page = Said::on("why_full_queue");
    page.add(":PORT", &words(&why(&format!(":{port}"))));
    page.add("hint", &words(&hint));
}

#[test]
fn a_udp_socket_says_what_it_dropped() {
    let socket = UdpSocket::bind(("127.0.0.1", unused_port())).unwrap();
    let address = socket.local_addr().unwrap();
    let sender = common::udp();
    for _ in 0..2000 {
        sender.send_to(&[0; 1000], address).unwrap();
    }
    let pid = format!("pid {}", std::process::id());
    let said = why(&format!(":{}", address.port()));
    has(&said, &["udp ", &address.to_string(), &pid]);
    let facts = self::socket(&format!(":{}", address.port()));
    assert!(
        facts["drops"].as_u64() > Some(0) && facts["receive_queue"].as_u64() > Some(0),
        "{facts}"
    );
    let refused = fails(&["tcp-client", &address.port().to_string(), "-q", "-m", "x"]);
    let page = Said::on("why_udp");
    page.add(":PORT", &words(&said));
    page.add("hint", &words(&refused));
}

#[test]
fn nothing_there_is_an_answer() {
    let port = unused_port();
    let said = why(&format!(":{port}"));
    has(&said, &[&format!("netplay tcp-server {port}")]);
    let page = Said::on("why_nothing");
    page.add(":PORT", &words(&said));
    page.add("0", &words(&why("0")));
}

// Paths.

#[test]
fn a_path_names_its_listener_and_a_file_without_one() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("echo.sock");
    let name = path.to_str().unwrap();
    let page = Said::on("why_path");
    page.add("no file", &words(&why(name)));
    std::fs::write(&path, "somebody's").unwrap();
    let hint = fails(&["unix-client", name, "-q", "-m", "x"]);
    page.add("hint: a file", &words(&hint));
    assert!(!hint.contains("rm "), "{hint}");
    std::fs::remove_file(&path).unwrap();
    let server = Server::of("unix-echo").at([name]).start();
    let pid = server.child.id();
    has(&why(name), &["unix LISTEN", "netplay unix-echo server", &format!("(pid {pid},")]);
    has(&fails(&["unix-echo", "server", name, "-q"]), &[&format!("kill {pid}")]);
    drop(server); // SIGKILL: the file stays
    has(&why(name), &[&format!("rm {name}")]);
    page.add("nobody's", &words(&why(name)));
    page.add("hint: nobody's", &words(&fails(&["unix-client", name, "-q", "-m", "x"])));
}

#[test]
fn a_path_that_leads_nowhere_is_not_called_free() {
    let said = why("/dev/null/echo.sock");
    assert_eq!(facts("/dev/null/echo.sock")["path"]["bind"], "ENOTDIR");
    Said::on("why_path_nowhere").add("/dev/null/echo.sock", &words(&said));
}

/// Whatever stands at a path, and whoever asks: what `why` says of a bind is what a bind brings.
#[test]
fn what_is_said_of_a_path_is_what_a_bind_does() {
    let Some(nobody) = Nobody::new() else { return };
    if !have(PYTHON) {
        return skip("python3 of Debian, which anybody may run, is not installed");
    }
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(folder.path(), 0o777);
    std::fs::write(at("file"), "").unwrap();
    for (name, bits) in
        [("folder", 0o777), ("closed", 0o700), ("read-only", 0o755), ("sticky", 0o1777)]
    {
        std::fs::create_dir(at(name)).unwrap();
        mode(&at(name), bits);
    }
    let live = UnixListener::bind(at("live")).unwrap();
    SockRef::from(&live).listen(9).unwrap();
    drop(UnixListener::bind(at("dead")).unwrap());
    drop(UnixListener::bind(at("sticky/dead")).unwrap());
    mode(&at("sticky/dead"), 0o777);
    drop(UnixListener::bind(at("closed/dead")).unwrap());
    let _datagram = UnixDatagram::bind(at("datagram")).unwrap();
    let full = UnixListener::bind(at("full")).unwrap();
    SockRef::from(&full).listen(0).unwrap();
    let _waits = UnixStream::connect(at("full")).unwrap();
    let bound = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    bound.bind(&socket2::SockAddr::unix(at("bound")).unwrap()).unwrap();
    for (name, to) in [
        ("to-file", "file"),
        ("to-folder", "folder"),
        ("to-live", "live"),
        ("to-dead", "dead"),
        ("nowhere", "nothing"),
        ("round", "round"),
    ] {
        std::os::unix::fs::symlink(to, at(name)).unwrap();
    }
    let long = "x".repeat(107 - folder.path().as_os_str().len() - 1);
    let too_long = format!("{long}x");
    let page = Said::on("why_paths");
    page.hide(&too_long, "[108 bytes]");
    page.hide(&long, "[107 bytes]");
    for name in [
        "new",
        "file",
        "folder",
        "folder/.",
        "folder/new",
        "live",
        "dead",
        "datagram",
        "full",
        "bound",
        "to-file",
        "to-folder",
        "to-live",
        "to-dead",
        "nowhere",
        "nowhere/new",
        "round",
        "round/new",
        "to-folder/new",
        "missing/new",
        "new/",
        "file/new",
        "sticky/new",
        "sticky/dead",
        "read-only/new",
        "closed/new",
        "closed/dead",
        &*long,
        &*too_long,
    ] {
        let path = at(name);
        let path = if name.ends_with(['/', '.']) {
            format!("{}/{name}", folder.path().display())
        } else {
            path.display().to_string()
        };
        page.add(name, &words(&why(&path)));
        for root in [true, false] {
            let mut command = if root { netplay() } else { nobody.command() };
            let told = finish(command.args(["why", &path, "--json"]), b"");
            let told: Value = serde_json::from_slice(&told.stdout).unwrap();
            let errno = told["path"]["bind"].as_str().unwrap_or("0").to_owned();
            assert_eq!(errno, bind_as(root, &path), "{name}, root: {root}: {told:#}");
        }
    }
    // And who may not remove a file is not told to.
    let told =
        finish(nobody.command().args(["why", &at("sticky/dead").display().to_string()]), b"");
    let told = text(&told.stdout);
    if nix::unistd::geteuid().is_root() {
        has(&told, &["sudo rm "]);
        Said::on("why_path_of_another").add("sticky/dead", &words(&told));
    }
}

/// A name without a file: it is free as soon as its socket is closed.
#[test]
fn an_abstract_name_is_tried() {
    use std::os::linux::net::SocketAddrExt;
    let name = format!("netplay-test-{}", std::process::id());
    let word = format!("@{name}");
    let page = Said::on("why_abstract");
    page.hide(&name, "[name]");
    assert_eq!(facts(&word)["path"]["bind"], Value::Null);
    page.add("free", &words(&why(&word)));
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let bound = UnixListener::bind_addr(&address).unwrap();
    SockRef::from(&bound).listen(9).unwrap();
    has(&why(&word), &["unix LISTEN"]);
    page.add("taken", &words(&why(&word)));
    assert_eq!(facts(&word)["path"]["bind"], "EADDRINUSE");
}

/// One that every user may run; the first on the path may be in somebody's home.
const PYTHON: &str = "/usr/bin/python3";

/// What a real bind brings, by a user or another, and what it made is removed again.
fn bind_as(root: bool, path: &str) -> String {
    const BIND: &str = "\
import errno, os, socket, sys
try:
    socket.socket(socket.AF_UNIX).bind(sys.argv[1])
    os.unlink(sys.argv[1])
    print(0)
except OSError as error:
    print(errno.errorcode.get(error.errno, 'ENAMETOOLONG')) # Python itself says that it is too long
";
    let mut command = Command::new(if root { PYTHON } else { "setpriv" });
    if !root && nix::unistd::geteuid().is_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", PYTHON]);
    } else if !root {
        command = Command::new(PYTHON);
    }
    command.args(["-c", BIND, path]).current_dir("/");
    text(&finish(&mut command, b"").stdout).trim().to_owned()
}

#[test]
fn another_socket_of_the_same_name_is_not_the_one_at_the_path() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("same");
    let old = UnixListener::bind(&path).unwrap();
    let _client = UnixStream::connect(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let _new = UnixListener::bind(&path).unwrap();
    let listeners = |path: &Path| {
        let facts = facts(path.to_str().unwrap());
        let sockets = facts["path"]["sockets"].as_array().unwrap().clone();
        sockets.iter().filter(|one| one["listening"] == true).count()
    };
    assert_eq!(listeners(&path), 1, "{old:?} has lost its file");
}

// Others.

#[test]
fn a_process_of_another_user_is_said_to_be_one() {
    let Some(nobody) = Nobody::new() else { return };
    let Some(root) = common::as_root() else { return };
    let server = Server::of("tcp-echo").run_by(root).start();
    let why = ["why", &format!(":{}", server.port())];
    let said = text(&finish(nobody.command().args(why), b"").stdout);
    let sudo = format!("sudo netplay why {}", server.port());
    has(&said, &["uid 0", &sudo]);
    let page = Said::on("why_of_another_user");
    page.hide(server.port(), "[port]");
    page.add(":PORT", &words(&said));
    let mut second = nobody.command();
    second.args(["tcp-server", &server.port(), "-q"]);
    let second = text(&finish(&mut second, b"").stderr);
    has(&second, &[&sudo]);
    page.add("hint", &words(&second));
}

#[test]
fn a_hostile_name_stays_text() {
    let code = "import socket\n\
        open('/proc/self/comm', 'w').write('a\\x1b[2J)\\nb')\n\
        s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()\n\
        print(s.getsockname()[1], flush=True); input()";
    let mut python = Command::new("python3");
    python.args(["-c", code, "\x1b]0;owned\x07 \u{202e}\n) 1 2 3"]);
    let Some(python) = Python::run(&mut python) else { return };
    let port = python.port();
    let hint = fails(&["tcp-server", &port.to_string(), "-q"]);
    for said in [why(&format!(":{port}")), hint, facts(&format!(":{port}")).to_string()] {
        assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{said:?}");
        assert!(!said.contains('\u{202e}'), "{said:?}");
        has(&said, &[&python.pid()]);
    }
    let facts = facts(&format!(":{port}"));
    let holder = &facts["port"]["sockets"][0]["holders"][0];
    assert_eq!(holder["program"], r"a\x1b[2J)\nb");
    assert!(holder["started"].is_string(), "a bracket in the name is no end of it: {holder}");
}

/// What is proposed can be typed, whatever the name is made of.
#[test]
fn the_next_step_can_be_typed_for_any_name() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    if !have("bash") {
        return common::skip("bash is not installed");
    }
    let names: [&[u8]; 5] = [b"a\x1bb", "\u{202e}x".as_bytes(), b"it's", b"a\\b\n1", b"\x1b'\\"];
    for name in names {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join(OsStr::from_bytes(name)).join("socket");
        let output = finish(netplay().arg("why").arg(&path), b"");
        let said = String::from_utf8(output.stdout).unwrap();
        let next = said.lines().find_map(|line| line.strip_prefix("next: ")).unwrap();
        let typed = Command::new("bash").args(["-c", next]).status().unwrap();
        assert!(typed.success() && path.parent().unwrap().is_dir(), "{next}");
    }
}

// Errors, and the last failure.

#[test]
fn an_error_goes_by_name_and_number_in_any_case() {
    for word in ["EADDRNOTAVAIL", "eaddrnotavail"] {
        has(&why(word), &["EADDRNOTAVAIL (99)", Errno::EADDRNOTAVAIL.desc()]);
        has(&why(word), &["ip_local_port_range", "netplay explain EADDRNOTAVAIL"]);
    }
    has(&why("98"), &["EADDRINUSE (98)"]);
    assert_eq!(
        (&facts("98")["errno"]["number"], &facts("98")["port"]["port"]),
        (&98.into(), &98.into())
    );
    assert!(!why(":98").contains("EADDRINUSE (98)"));
    has(&why("EWOULDBLOCK"), &["EAGAIN (11)"]);
    let output = run(&["why", "EBOGUS\x1b[2J"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(!output.stderr.contains(&0x1b), "{output:?}");
}

#[test]
fn an_error_tells_what_this_machine_has_to_it() {
    let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    let limit = netplay::words::grouped(limit.0);
    for (word, fact) in [
        ("EMFILE", &*limit),
        ("EACCES", "ip_unprivileged_port_start"),
        ("EPERM", "ping_group_range"),
        ("ENOBUFS", "net.ipv4.tcp_mem"),
        ("EMSGSIZE", "lo 65536"),
        ("ETIMEDOUT", "tcp_syn_retries"),
        ("ECONNREFUSED", "TCP"),
        ("EADDRINUSE", "5858"),
    ] {
        has(&why(word), &[fact]);
    }
}

#[test]
fn alone_it_explains_the_last_failure_as_of_now() {
    let state = TempDir::new().unwrap();
    let ours = |args: &[&str]| {
        let output = finish(netplay().args(args).env("XDG_STATE_HOME", state.path()), b"");
        (text(&output.stdout), output.status.code())
    };
    let last =
        || serde_json::from_str::<Value>(&ours(&["why", "--json"]).0).unwrap()["last"].take();
    assert_eq!(last(), Value::Null);
    has(&ours(&["why"]).0, &["netplay why PORT"]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    assert_eq!(ours(&["tcp-client", &port, "-q", "-m", "x"]).1, Some(1));
    let (said, code) = ours(&["why"]);
    assert_eq!(code, Some(0));
    let call = format!("connect 127.0.0.1:{port}: Connection refused");
    has(&said, &[&call, &port, "ECONNREFUSED (111)"]);
    let facts: Value = serde_json::from_str(&ours(&["why", "--json"]).0).unwrap();
    assert_eq!(facts["last"]["errno"], "ECONNREFUSED");
    assert_eq!(facts["port"]["port"].to_string(), port);
    assert_eq!(facts["errno"]["number"], 111);
    // What is no failure of a call leaves it as it is; a broken file is none.
    ours(&["why", "nonsense"]);
    has(&ours(&["why"]).0, &[&call]);
    let mut file = std::fs::File::create(state.path().join("netplay/last-failure.json")).unwrap();
    file.write_all(b"{\"call\":\"\\u001b[2J").unwrap();
    assert_eq!(last(), Value::Null);
}

// The hints.

#[test]
fn a_hint_names_who_has_the_address() {
    let server = Server::of("select").start();
    let hint = fails(&["poll", "server", &server.port(), "-q"]);
    let (pid, place) = (server.child.id(), &server.place);
    has(&hint, &["netplay select server", place, &format!("kill {pid}")]);
    Said::on("why_hint_taken").add("hint", &words(&hint));
}

#[test]
fn a_refused_client_hears_where_the_server_is() {
    // Below the ports that the kernel hands out: no other test has it at 127.0.0.1.
    let free = (2000..9000).find_map(|port| {
        TcpListener::bind(("127.0.0.1", port)).ok()?;
        TcpListener::bind(("127.0.0.3", port)).ok()
    });
    let other = free.unwrap();
    let (port, pid) = (other.local_addr().unwrap().port(), std::process::id());
    let hint = fails(&["tcp-client", &port.to_string(), "-q", "-m", "x"]);
    for part in [format!("127.0.0.1:{port}"), format!("(pid {pid}"), format!("127.0.0.3:{port}")] {
        has(&hint, &[&part]);
    }
    Said::on("why_hint_elsewhere").add("hint", &words(&hint));
}

#[test]
fn json_has_the_same_shape_for_every_socket() {
    let server = Server::of("tcp-echo").start();
    let mut talking = server.connect();
    common::ask(&mut talking, b"x", 1);
    let facts = facts(&format!(":{}", server.port()));
    let sockets = facts["port"]["sockets"].as_array().unwrap();
    let with_holder: Vec<&Value> = sockets.iter().filter(|one| one["inode"] != 0).collect();
    assert_eq!(with_holder.len(), 2, "{facts:#}");
    for socket in with_holder {
        let keys: Vec<&str> = socket.as_object().unwrap().keys().map(String::as_str).collect();
        let known = [
            "drops",
            "holders",
            "inode",
            "local",
            "peer",
            "protocol",
            "receive_queue",
            "send_queue",
            "state",
            "timer",
            "uid",
            "v6only",
        ];
        assert_eq!(keys, known);
        let holder = &socket["holders"][0];
        assert_eq!(holder["pid"], server.child.id());
        let command = holder["command"].as_str().unwrap();
        assert!(command.split(' ').any(|word| word == "tcp-echo"), "{command}");
    }
}

/// A TCP server and a UDP server may share a port number: the hint must not send the reader to the wrong one.
#[test]
fn a_busy_udp_port_is_not_blamed_on_a_tcp_server() {
    let tcp = Server::of("tcp-echo").start();
    let port = tcp.port();
    let udp = Server::of("udp-echo").at(["127.0.0.1", &port]).start();
    let both = fails(&["udp-server", "127.0.0.1", &port, "-q"]);
    assert!(!both.contains("tcp-echo"), "{both}");
    let page = Said::on("why_hint_udp");
    page.add("a TCP server has the number as well", &words(&both));
    assert!(tcp.stop().status.success());
    let one = fails(&["udp-server", "127.0.0.1", &port, "-q"]);
    has(&one, &[&udp.child.id().to_string()]);
    page.add("alone", &words(&one));
}

/// Where /proc shows no process, a port is still somebody's.
#[test]
fn whose_a_port_is_may_be_unknown() {
    let Some(mut private) = common::private_mounts() else { return };
    let server = Server::of("tcp-echo").start();
    let script = "mount -t tmpfs none /proc || exit 99; exec \"$@\"";
    let netplay = env!("CARGO_BIN_EXE_netplay");
    let args = ["sh", "-c", script, "sh", netplay, "why", &server.port()];
    let output = finish(private.args(args).env("LC_ALL", "C.UTF-8"), b"");
    let said = text(&output.stdout);
    Said::on("why_holder_unknown").add(":PORT", &words(&said));
}
