//! What the command line promises: what it says, where it says it, and how it ends.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::common::{
    self, ANYBODY, DEADLINE, Nobody, Said, Server, alone, finish, have, netplay, run,
    said_word_for_word, skip, text, transcript, until, wait,
};
use netplay::examples::{Place, TABLE, examples};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// It ends with this code, and says this somewhere.
fn says(output: &Output, code: i32, needle: &str) {
    let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{all}");
    assert!(all.contains(needle), "no {needle:?} in: {all}");
}

/// A port of loopback that nobody listens on, and nobody is given: its socket is bound, no more.
fn closed_port() -> (socket2::Socket, String) {
    let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None).unwrap();
    socket.set_only_v6(false).unwrap();
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port.to_string())
}

fn have_ipv6() -> bool {
    let there = TcpListener::bind("[::1]:0").is_ok();
    if !there {
        skip("no IPv6");
    }
    there
}

// What it says about itself.

#[test]
fn the_menu_names_every_example_and_three_commands() {
    let menu = run(&[], b"");
    for row in TABLE {
        says(&menu, 0, row.name());
        says(&menu, 0, row.summary().en);
    }
    for first in ["netplay demo", "netplay tcp-server", "netplay tcp-client"] {
        says(&menu, 0, first);
    }
    assert!(menu.stderr.is_empty());
}

#[test]
fn a_mistyped_command_is_answered_with_the_right_one() {
    for (typed, meant) in [
        ("tcp-srver", "'tcp-server'"),
        ("slect", "'select'"),
        ("udp-ehco", "'udp-echo'"),
        ("dmeo", "'demo'"),
    ] {
        says(&run(&[typed], b""), 2, meant);
    }
    // The nearest is the first, and few are beside it, though every example has a server.
    for (typed, meant) in [
        ("tcpserver", "exist: 'tcp-server', 'ftp-server', 'udp-server'\n"),
        ("slect", "exist: 'select', 'select-client', 'select-server'\n"),
        ("epol", "exist: 'epoll', 'poll', 'pool'\n"),
    ] {
        says(&run(&[typed], b""), 2, meant);
    }
    says(&run(&["tcp-echo", "sever"], b""), 2, "'server'");
    says(&run(&["tcp-client", "--mesage", "x"], b""), 2, "'--message'");
    // Also where the side that has the option was not named.
    for (typed, meant) in [
        (&["tcp-echo", "--replay", "stamp"][..], "netplay tcp-echo server has '--reply'"),
        (&["--lang", "zh", "select", "--max-client"], "netplay select server has '--max-clients'"),
        (&["udp-echo", "client", "--reply", "x"], "netplay udp-echo server has '--reply'"),
    ] {
        says(&run(typed, b""), 2, meant);
    }
}

/// Bad input is one clear sentence, with a code that tells whose fault it is.
#[test]
fn bad_input_is_one_clear_line() {
    let mut said = String::new();
    for (args, code) in [
        (&["tcp-client", "127.0.0.1", "99999"][..], 2),
        (&["tcp-client", "127.0.0.1", "http"], 2),
        (&["tcp-client", "99999"], 2),
        (&["tcp-client", "a", "1", "b"], 2),
        (&["tcp-client", ""], 2),
        (&["tcp-server", "", "0"], 2),
        (&["tcp-client", "-4", "-6"], 2),
        (&["tcp-client", "-q", "-v"], 2),
        (&["tcp-server", "--reply", ""], 2),
        (&["tcp-server", "--bufsize", "0"], 2),
        (&["tcp-server", "--max-clients", "0"], 2),
        (&["tcp-client", "--timeout", "0"], 2),
        (&["tcp-client", "--timeout", "soon"], 2),
        (&["tcp-client", "--bogus"], 2),
        (&["--color", "pink"], 2),
        (&["completions", "tcsh"], 2),
        (&["tcp-client", "-6", "127.0.0.1"], 2),
        (&["tcp-server", "-4", "::1"], 2),
        (&["tcp-client", "-4", "[::1]", "1"], 2),
        (&["tcp-server", "192.0.2.1", "0", "-q"], 1),
        (&["unix-client", "/nobody/here", "-q"], 1),
        (&["man", "/nobody/here"], 1),
        (&["tcp-client", "--trace", "/nobody/here", "1"], 1),
    ] {
        let output = run(args, b"");
        says(&output, code, "");
        said += &transcript(args, &output);
        let stderr = text(&output.stderr);
        let first = stderr.lines().next().unwrap();
        assert!(output.stdout.is_empty(), "{args:?}");
        let whose = if code == 2 { "error: " } else { "netplay: " };
        assert!(first.starts_with(whose), "{args:?}: {stderr}");
        if code == 1 {
            assert!(stderr.lines().skip(1).all(|line| line.starts_with("  hint: ")), "{stderr}");
        }
    }
    said_word_for_word("bad_input", &said);
    // What stands behind this is the resolver's own.
    let nameless = run(&["tcp-client", "nobody.invalid", "1"], b"");
    says(&nameless, 1, "netplay: ");
    says(&nameless, 1, "\"nobody.invalid\"");
}

#[test]
fn a_privileged_port_is_code_4_with_the_way_out() {
    let start = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if start.is_ok_and(|start| start.trim().parse::<u16>().is_ok_and(|port| port <= 80)) {
        return skip("no privileged ports");
    }
    let Some(nobody) = Nobody::new() else { return };
    let output = finish(nobody.command().args(["tcp-server", "127.0.0.1", "80", "-q"]), b"");
    Said::on("cli_privileged").ends("bind to port 80", &output, 4);
}

// Where it goes.

/// The refused client's error names the address it tried.
fn tries(args: &[&str], address: &str) {
    let output = run(&[args, &["-q"]].concat(), b"");
    says(
        &output,
        1,
        &format!("netplay: connect {address}: {}\n  hint: ", Errno::ECONNREFUSED.desc()),
    );
}

#[test]
fn host_and_port_are_optional_and_a_lone_number_is_the_port() {
    let (_socket, port) = closed_port();
    let here = format!("127.0.0.1:{port}");
    tries(&["tcp-client", &port], &here);
    tries(&["tcp-echo", "client", &port], &here);
    tries(&["tcp-client", "127.0.0.1", &port], &here);
    tries(&["tcp-client", "-4", "localhost", &port], &here);
    // Somebody may have the usual port, or not: the story names it either way.
    let output = run(&["tcp-client", "--message", "x", "--timeout", "1"], b"");
    assert!(text(&output.stderr).contains("127.0.0.1:5858"), "{}", text(&output.stderr));
}

#[test]
fn ipv6_literals_need_no_option() {
    if have_ipv6() {
        let (_socket, port) = closed_port();
        let here = format!("[::1]:{port}");
        tries(&["tcp-client", "::1", &port], &here);
        tries(&["tcp-client", "[::1]", &port], &here);
        tries(&["tcp-client", "-6", &port], &here);
        tries(&["select", "client", "-6", "::1", &port], &here);
    }
}

#[test]
fn global_options_stand_before_or_after_the_subcommand() {
    let (_socket, port) = closed_port();
    for args in [
        &["-q", "tcp-client", &port][..],
        &["tcp-client", "-q", &port],
        &["tcp-client", &port, "-q"],
        &["-q", "tcp-echo", "client", &port],
        &["tcp-echo", "-q", "client", &port],
    ] {
        let output = run(args, b"");
        assert!(text(&output.stderr).starts_with("netplay: connect"), "{args:?}");
    }
}

// Payload on standard output, everything else on standard error.

/// Everything that a server says on standard output, from its start to a SIGTERM.
fn server_says(args: &[&str]) -> String {
    let said = tempfile::NamedTempFile::new().unwrap();
    let mut server = netplay()
        .args(args)
        .stdin(Stdio::null())
        .stdout(said.reopen().unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the server says a line, or ends", || {
        fs::read_to_string(said.path()).unwrap().contains('\n')
            || server.try_wait().unwrap().is_some()
    });
    let _ = kill(Pid::from_raw(server.id().cast_signed()), Signal::SIGTERM);
    assert_eq!(wait(&mut server).code(), Some(0), "{args:?}");
    fs::read_to_string(said.path()).unwrap()
}

/// `ready: tcp 127.0.0.1:40321`, and no port 0.
fn is_ready(args: &[&str], kind_and_host: &str) {
    let said = server_says(args);
    let port = said.strip_prefix(&format!("ready: {kind_and_host}:"));
    let port = port.and_then(|port| port.strip_suffix('\n')).and_then(|port| port.parse().ok());
    assert!(matches!(port, Some(1u16..)), "{args:?}: {said:?}");
}

#[test]
fn a_server_says_one_line_and_it_is_where_it_can_be_reached() {
    for example in examples().filter(|row| row.place == Place::Internet) {
        let udp = example.name == "udp-echo" || example.name == "iterative";
        let kind = if udp { "udp 127.0.0.1" } else { "tcp 127.0.0.1" };
        is_ready(&[example.name, "server", "0"], kind);
        is_ready(&[&format!("{}-server", example.name), "127.0.0.1", "0", "-vv"], kind);
    }
    is_ready(&["iterative", "server", "0", "--tcp"], "tcp 127.0.0.1");
    is_ready(&["tcp-server", "0.0.0.0", "0"], "tcp 0.0.0.0");
}

#[test]
fn a_server_on_ipv6_says_so_in_brackets() {
    if have_ipv6() {
        is_ready(&["tcp-server", "-6", "0"], "tcp [::1]");
        is_ready(&["udp-server", "::1", "0"], "udp [::1]");
    }
}

#[test]
fn a_server_on_a_path_says_the_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket").display().to_string();
    assert_eq!(server_says(&["unix-server", &path]), format!("ready: unix {path}\n"));
}

#[test]
fn a_server_of_files_takes_a_folder_whose_name_is_no_text() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join(OsStr::from_bytes(b"\xff"));
    fs::create_dir(&folder).unwrap();
    for name in ["mini-ftp", "ftp"] {
        let server = Server::of(name).arg("--root").arg(&folder).start();
        assert_eq!(server.stop().status.code(), Some(0), "{name}");
    }
}

#[test]
fn how_much_is_said_never_changes_the_payload() {
    let server = Server::of("tcp-echo").args(["--reply", "echo"]).start();
    let stderr = |options: &[&str]| {
        let output =
            run(&[&["tcp-client", "127.0.0.1", &server.port(), "-m", "hi"], options].concat(), b"");
        says(&output, 0, "");
        assert_eq!(text(&output.stdout), "hi\n", "{options:?}");
        text(&output.stderr)
    };
    let (story, calls, sockets) = (stderr(&[]), stderr(&["-v"]), stderr(&["-vv"]));
    assert_eq!(stderr(&["-q"]), "");
    let sent = "sendto(3, \"hi\", 2, MSG_NOSIGNAL, NULL, 0) = 2";
    assert!(story.contains(&server.place) && story.contains("netplay "), "{story}");
    assert!(!story.contains("sendto("), "{story}");
    assert!(calls.contains(sent), "{calls}");
    // TCP's state is what the third adds.
    assert!(!calls.contains("ESTABLISHED"), "{calls}");
    assert!(sockets.contains(sent) && sockets.contains("ESTABLISHED"), "{sockets}");
}

#[test]
fn ascii_keeps_the_story_plain_and_the_payload_whole() {
    let server = Server::of("tcp-echo").args(["--reply", "echo"]).start();
    let client = |option: &[&str], locale: &str| {
        let port = server.port();
        let mut command = netplay();
        command
            .args([&["tcp-client", &port, "-m", "grüße"], option].concat())
            .env("LC_ALL", locale);
        let output = finish(&mut command, b"");
        assert_eq!(text(&output.stdout), "grüße\n");
        text(&output.stderr)
    };
    assert!(client(&[], "C.UTF-8").contains("grüße"));
    for plain in [client(&["--ascii"], "C.UTF-8"), client(&[], "C")] {
        assert!(plain.is_ascii() && plain.contains(r"gr\u{fc}\u{df}e"), "{plain}");
    }
}

// `| head`: whoever reads has seen enough.

/// Runs with standard output, or both outputs, going to a pipe that nobody reads.
fn to_nobody(args: &[&str], stderr_too: bool) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = netplay();
    command.args(args).stdin(Stdio::null()).stdout(writer.try_clone().unwrap());
    let said = tempfile::NamedTempFile::new().unwrap();
    match stderr_too {
        true => command.stderr(writer),
        false => command.stderr(said.reopen().unwrap()),
    };
    let status = wait(&mut command.spawn().unwrap());
    (status.code(), fs::read_to_string(said.path()).unwrap())
}

#[test]
fn the_help_of_an_example_says_what_its_demo_does() {
    let help = String::from_utf8(run(&["select", "--help"], b"").stdout).unwrap();
    let demo = netplay::cli::command();
    let demo = demo.find_subcommand("select").unwrap().find_subcommand("demo").unwrap();
    let says = format!("  demo     {}", demo.get_about().unwrap());
    assert!(help.lines().any(|line| line == says), "{help}");
}

#[test]
fn output_that_nobody_reads_is_no_error() {
    for args in [
        &["completions", "bash"][..],
        &["man"],
        &["demo"],
        &["thread", "demo"],
        &["byte-order"],
        &["explain", "tcp"],
        &["--help"],
        &[],
    ] {
        for stderr_too in [false, true] {
            assert_eq!(to_nobody(args, stderr_too), (Some(0), String::new()), "{args:?}");
        }
    }
}

#[test]
fn an_error_that_nobody_reads_keeps_its_code() {
    let (_socket, port) = closed_port();
    assert_eq!(to_nobody(&["tcp-client", &port], true).0, Some(1));
    assert_eq!(to_nobody(&["tcp-client", "--bogus"], true).0, Some(2));
}

#[test]
fn a_server_whose_story_nobody_reads_serves_to_its_end() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let said = tempfile::NamedTempFile::new().unwrap();
    let mut server = netplay()
        .args(["tcp-server", "0", "--once", "--reply", "echo"])
        .stdout(said.reopen().unwrap())
        .stderr(writer)
        .spawn()
        .unwrap();
    let ready = || fs::read_to_string(said.path()).unwrap();
    until("the server is ready", || ready().ends_with('\n'));
    let ready = ready();
    let address = ready.trim_end().strip_prefix("ready: tcp ").unwrap().parse().unwrap();
    assert_eq!(common::ask(&mut common::connect(address), b"hello", 5), b"hello");
    assert_eq!(wait(&mut server).code(), Some(0));
}

#[test]
fn head_gets_its_line_and_nobody_complains() {
    for command in ["completions bash", "man", "explain tcp", "demo", "select demo"] {
        let script = format!("\"$0\" {command} | head -1");
        let mut shell = Command::new("sh");
        let output = finish(shell.args(["-c", &script, env!("CARGO_BIN_EXE_netplay")]), b"");
        assert_eq!(text(&output.stdout).lines().count(), 1, "{command}");
        assert_eq!(text(&output.stderr), "", "{command}");
    }
}

// What a client sends, and when it ends.

/// A TCP server for one client: a byte for whatever it receives, `end` after the end. It returns
/// all that it heard.
fn listener() -> (String, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let heard = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        let (mut heard, mut buf) = (Vec::new(), vec![0; 4096]);
        while let n @ 1.. = peer.read(&mut buf).unwrap() {
            heard.extend_from_slice(&buf[..n]);
            peer.write_all(b".").unwrap();
        }
        peer.write_all(b"end").unwrap();
        heard
    });
    (port, heard)
}

/// What is heard over TCP of a client with this input, and the client's own standard error.
fn sent_over_tcp(input: &[u8], options: &[&str]) -> (Vec<u8>, String) {
    let (port, heard) = listener();
    let output = run(&[&["tcp-client", &port, "--timeout", "10"], options].concat(), input);
    says(&output, 0, "end\n");
    (heard.join().unwrap(), text(&output.stderr))
}

#[test]
fn over_tcp_lines_lose_their_ends_and_the_last_needs_none() {
    assert_eq!(sent_over_tcp(b"one\ntwo\nlast", &["-q"]).0, b"onetwolast");
    assert_eq!(sent_over_tcp(b"", &["-q"]).0, b"");
}

#[test]
fn over_tcp_an_empty_line_is_no_message_and_that_is_said() {
    let (heard, stderr) = sent_over_tcp(b"one\n\n\ntwo\n", &[]);
    assert_eq!(heard, b"onetwo");
    Said::on("cli_empty_line")
        .add("one, two empty ones, two", &common::remarks(&stderr).join("\n"));
}

#[test]
fn any_byte_but_the_line_end_is_payload() {
    let bytes: Vec<u8> = (0..=255).filter(|&byte| byte != b'\n').collect();
    assert_eq!(sent_over_tcp(&bytes, &["-q"]).0, bytes);
}

/// Longer than what is read at once, and just as long.
#[test]
fn a_line_longer_than_64_kib_arrives_whole() {
    for length in [64 * 1024, 200_000] {
        let line = vec![b'x'; length];
        let (heard, _) = sent_over_tcp(&[&line[..], b"\nend\n"].concat(), &["-q"]);
        assert!(heard == [&line[..], b"end"].concat(), "{} of {length} bytes", heard.len());
    }
}

#[test]
fn messages_are_sent_in_their_order_and_nothing_is_read() {
    let (heard, _) =
        sent_over_tcp(b"not this", &["-q", "-m", "one", "--message", "two", "--message=-3"]);
    assert_eq!(heard, b"onetwo-3");
}

#[test]
fn the_end_of_the_input_is_told_and_what_still_comes_is_read() {
    let (port, heard) = listener();
    let output = run(&["tcp-client", &port], b"one\n");
    assert_eq!(text(&output.stdout), ".\nend\n");
    says(&output, 0, "  shutdown  ");
    assert_eq!(heard.join().unwrap(), b"one");
}

/// UDP reports no loss: after two seconds of silence the client says so, once, and waits on.
#[test]
fn a_udp_client_says_that_silence_tells_nothing() {
    for (lang, page) in [("en", "cli_udp_silence"), ("zh", "cli_udp_silence_zh")] {
        let server = common::udp();
        let port = server.local_addr().unwrap().port().to_string();
        let mut command = netplay();
        command.args(["udp-client", "127.0.0.1", &port, "-m", "hello", "--lang", lang]);
        let mut client = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (_, from) = server.recv_from(&mut [0; 16]).unwrap();
        let mut lines = BufReader::new(client.stderr.take().unwrap()).lines().map(Result::unwrap);
        let note = lines.by_ref().find(|line| line.contains("  -- ")).expect("it says so");
        Said::on(page).add("silence", note.split_once("  -- ").unwrap().1);
        server.send_to(b"late", from).unwrap();
        let rest: Vec<String> = lines.collect();
        assert!(common::wait(&mut client).success(), "{rest:?}");
        let mut reply = String::new();
        client.stdout.take().unwrap().read_to_string(&mut reply).unwrap();
        assert_eq!(reply, "late\n");
        assert!(!rest.iter().any(|line| line.contains("  -- ")), "{rest:?}");
    }
}

#[test]
fn over_udp_an_empty_line_is_an_empty_datagram() {
    let socket = common::udp();
    let port = socket.local_addr().unwrap().port().to_string();
    let heard = thread::spawn(move || {
        let mut buf = [0; 100];
        let mut next = || {
            let (n, from) = socket.recv_from(&mut buf).unwrap();
            socket.send_to(b".", from).unwrap();
            text(&buf[..n])
        };
        [next(), next(), next()]
    });
    let output = run(&["udp-client", &port, "-q", "--timeout", "10"], b"one\n\nlast");
    assert_eq!(text(&output.stdout), ".\n.\n.\n");
    assert_eq!(heard.join().unwrap(), ["one", "", "last"]);
}

#[test]
fn a_datagram_that_is_too_long_is_an_error_with_the_limit() {
    let socket = common::udp();
    let port = socket.local_addr().unwrap().port().to_string();
    let output = run(&["udp-client", &port, "-q"], &[b'x'; 66_000]);
    Said::on("cli_long_datagram").ends("66,000 bytes", &output, 1);
}

/// A server that reads once, answers, and closes.
fn closes_early(input: &[u8]) -> Output {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let peer = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        peer.read_exact(&mut [0; 3]).unwrap();
    });
    let output = run(&["tcp-client", &port, "-q", "--timeout", "10"], input);
    peer.join().unwrap();
    output
}

#[test]
fn what_an_early_close_leaves_unsent_is_an_error() {
    Said::on("cli_unsent").ends("one two", &closes_early(b"one\ntwo\n"), 1);
    says(&closes_early(b"one\n"), 0, "");
}

// --timeout bounds every wait.

/// The client fails, in time, in the call that is told.
fn gives_up(said: &Said, args: &[&str], input: &[u8]) {
    let start = Instant::now();
    let output = run(&[args, &["-q", "--timeout", "0.3"]].concat(), input);
    // Who has a full queue is not always found in time, and the hint says that.
    match text(&output.stderr).starts_with("netplay: connect ") {
        true => said.fails(&args.join(" "), &output, 1),
        false => said.ends(&args.join(" "), &output, 1),
    }
    assert!(start.elapsed() >= Duration::from_millis(300), "{args:?} did not wait");
}

#[test]
fn a_receive_from_a_silent_server_ends_in_time() {
    let said = Said::on("cli_silent_server");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    said.hide(&port, "[port]");
    gives_up(&said, &["tcp-client", &port, "-m", "x"], b"");
    gives_up(&said, &["nonblocking-client", &port, "-m", "x"], b"");
    gives_up(&said, &["tcp-client", &port], b""); // after the half-close
    let silent = common::udp();
    let port = silent.local_addr().unwrap().port().to_string();
    said.hide(&port, "[port]");
    gives_up(&said, &["udp-client", &port, "-m", "x"], b"");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let _silent = UnixListener::bind(&path).unwrap();
    gives_up(&said, &["unix-client", path.to_str().unwrap(), "-m", "x"], b"");
}

#[test]
fn a_connect_to_a_full_backlog_ends_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    no_queue(&listener);
    let address = listener.local_addr().unwrap();
    let short = Duration::from_millis(500);
    let waiting: Vec<TcpStream> =
        (0..10).map_while(|_| TcpStream::connect_timeout(&address, short).ok()).collect();
    assert!(waiting.len() < 10, "the queue does not fill");
    let said = Said::on("cli_full_backlog");
    said.hide(address.port(), "[port]");
    gives_up(&said, &["tcp-client", &address.port().to_string(), "-m", "x"], b"");
    gives_up(&said, &["nonblocking-client", &address.port().to_string(), "-m", "x"], b"");
}

/// listen(2) again only changes the length of the queue: no room beside the first in it.
fn no_queue(listener: &TcpListener) {
    socket2::SockRef::from(listener).listen(0).unwrap();
}

#[test]
fn a_connect_to_a_full_backlog_of_a_path_ends_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    socket2::SockRef::from(&listener).listen(0).unwrap();
    let _first = UnixStream::connect(&path).unwrap();
    let said = Said::on("cli_full_backlog_of_a_path");
    gives_up(&said, &["unix-client", path.to_str().unwrap(), "-m", "x"], b"");
}

/// It answers in advance, so that the client sends on, until no buffer takes more.
#[test]
fn a_send_to_a_server_that_does_not_read_ends_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let peer = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        while peer.write_all(&[b'.'; 4096]).is_ok() {}
    });
    let said = Said::on("cli_server_does_not_read");
    said.hide(&port, "[port]");
    gives_up(&said, &["tcp-client", &port], &vec![b'x'; 64 << 20]);
    peer.join().unwrap();
}

// What packages ship.

/// Completions for a shell, read by that shell.
fn completes(shell: &str, check: &[&str]) {
    let script = run(&["completions", shell], b"");
    says(&script, 0, "netplay");
    says(&script, 0, "tcp-echo");
    if !have(shell) {
        return skip(&format!("no {shell}"));
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&script.stdout).unwrap();
    let read = finish(Command::new(shell).args(check).arg(file.path()), b"");
    assert!(read.status.success() && read.stderr.is_empty(), "{}", text(&read.stderr));
}

#[test]
fn bash_reads_its_completions() {
    completes("bash", &["-n"]);
}

#[test]
fn zsh_reads_its_completions() {
    completes("zsh", &["-n"]);
}

#[test]
fn fish_reads_its_completions() {
    completes("fish", &["-n"]);
}

/// Neither groff nor mandoc has anything to say about these pages, and both show what they are about.
fn renders(folder: &Path, pages: &[PathBuf]) {
    if !have("groff") {
        skip("no groff");
    } else {
        let mut groff = Command::new("groff");
        groff.args(["-man", "-Tascii", "-ww", "-P-cbu"]).args(pages);
        let read = finish(groff.current_dir(folder), b"");
        assert!(read.status.success() && read.stderr.is_empty(), "{}", text(&read.stderr));
        assert_eq!(text(&read.stdout).matches("\nSYNOPSIS\n").count(), pages.len());
    }
    if !have("mandoc") {
        return skip("no mandoc");
    }
    let mut mandoc = Command::new("mandoc");
    mandoc.args(["-T", "lint"]).args(pages);
    let read = finish(mandoc.current_dir(folder), b"");
    let said = text(&read.stdout) + &text(&read.stderr);
    assert!(read.status.success() && said.is_empty(), "{said}");
}

#[test]
fn manual_pages_for_a_folder_that_is_not_there_say_how_to_make_it() {
    let folder = tempfile::tempdir().unwrap();
    let output = finish(netplay().arg("man").arg(folder.path().join("new")), b"");
    assert!(text(&output.stderr).contains("mkdir -p"), "{output:?}");
    Said::on("cli_man_folder").ends("man new", &output, 1);
}

#[test]
fn every_command_has_a_manual_page_without_a_fault() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let man = |args: &[&str]| {
        let day = "1234567890"; // 2009-02-13
        let output = finish(netplay().arg("man").args(args).env("SOURCE_DATE_EPOCH", day), b"");
        says(&output, 0, "");
        text(&output.stdout)
    };
    let page = man(&[]);
    assert!(page.contains("\n.TH NETPLAY 1 2009-02-13 \"netplay "), "{page}");
    assert_eq!(man(&[path]), "");
    assert_eq!(fs::read_to_string(directory.path().join("netplay.1")).unwrap(), page);
    for example in examples() {
        let side = if example.server.is_some() { "server" } else { "client" };
        let path = directory.path().join(format!("netplay-{}-{side}.1", example.name));
        assert!(path.is_file(), "no {}", path.display());
    }
    let pages: Vec<PathBuf> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(pages.len() > 100, "{pages:?}");
    renders(directory.path(), &pages);
}

// On a terminal.

/// Runs netplay on a terminal of its own; each step waits for a text, then types another. Returns
/// what was on the screen and the exit code.
fn terminal(steps: &[[&str; 2]], args: &[&str], env: &[(&str, &str)]) -> Option<(String, i32)> {
    terminal_for(steps, &[&[env!("CARGO_BIN_EXE_netplay")], args].concat(), env)
}

fn terminal_for(
    steps: &[[&str; 2]],
    command: &[&str],
    env: &[(&str, &str)],
) -> Option<(String, i32)> {
    let mut terminal = common::terminal(steps.as_flattened())?;
    terminal.args(command).envs(env.iter().copied());
    let output = finish(&mut terminal, b"");
    let (screen, failed) = (text(&output.stdout), text(&output.stderr));
    assert!(failed.is_empty(), "{failed}\non the screen: {screen}");
    Some((screen, output.status.code().unwrap()))
}

#[test]
fn the_prompt_has_history_and_line_editing_and_an_empty_line_ends_it() {
    let server = Server::of("tcp-echo").start();
    let steps = [
        ["> ", "hello\r"],
        ["] : hello", ""],
        ["> ", "\x1b[A\r"], // up: the last line again
        ["] : hello", ""],
        ["> ", "wrld\x1b[D\x1b[D\x1b[Do\r"], // back three characters, and the o
        ["] : world", ""],
        ["> ", "\r"],
    ];
    let args = ["tcp-client", "-q", &server.port()];
    let Some((screen, code)) = terminal(&steps, &args, &[]) else { return };
    assert_eq!(code, 0, "{screen}");
}

#[test]
fn a_lab_says_what_a_prediction_is_and_takes_none() {
    let state = tempfile::tempdir().unwrap();
    let env = [("XDG_STATE_HOME", state.path().to_str().unwrap())];
    let steps = [
        ["(1-3) ", "banana\r"],
        ["\r\n", ""],
        ["(1-3) ", "9\r"],
        ["\r\n", ""],
        ["(1-3) ", "\r"],
        ["measured ", ""],
    ];
    let args = ["lab", "byteorder", "--lang", "en"];
    let keys = [["all the rest]", " "], ["all the rest]", "c"]];
    let steps: Vec<[&str; 2]> = steps.into_iter().chain(keys).collect();
    let Some((screen, code)) = terminal(&steps, &args, &env) else { return };
    assert_eq!(code, 0, "{screen}");
    let answer = |typed: &str| screen.lines().skip_while(|line| !line.ends_with(typed)).nth(1);
    let said = Said::on("cli_prediction");
    for typed in ["banana", "9"] {
        said.add(typed, answer(typed).unwrap_or_else(|| panic!("{screen}")));
    }
    assert!(!screen.contains("  you "), "{screen}");
    let Some((screen, code)) = terminal(&[["(1-3) ", "\x04"]], &args, &env) else { return };
    let (_, told) = screen.split_once("(1-3) ").unwrap();
    said.add("Ctrl-D", &common::errors(told));
    assert_eq!(code, 1, "{screen}");
}

#[test]
fn ctrl_c_at_the_prompt_is_code_130_without_a_word() {
    let server = Server::of("tcp-echo").start();
    let args = ["tcp-client", "-q", &server.port()];
    let Some((screen, code)) = terminal(&[["> ", "\x03"]], &args, &[]) else { return };
    assert_eq!(code, 130, "{screen}");
    assert!(!screen.contains("netplay:"), "{screen}");
}

#[test]
fn ctrl_c_in_a_wait_is_the_signals_own_end() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let steps = [["> ", "hello\r"], ["sendto(3, \"hello\"", "\x03"]];
    let Some((screen, code)) = terminal(&steps, &["tcp-client", &port, "-v"], &[]) else { return };
    assert_eq!(code, 130, "{screen}");
}

#[test]
fn ctrl_c_in_a_demo_is_code_130_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = netplay();
    command.args(["nonblocking", "demo"]).env("TMPDIR", folder.path());
    // A group of its own, as on a terminal: Ctrl-C goes to the demo and to both of its sides.
    let mut demo =
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(demo.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("== nonblocking"), "{line}");
    killpg(Pid::from_raw(demo.id().cast_signed()), Signal::SIGINT).unwrap();
    let ended = demo.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), text(&ended.stderr)), (Some(130), String::new()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the demo's folder stays behind");
}

#[test]
fn ctrl_c_ends_a_server_well() {
    let Some((screen, code)) = terminal(&[["ready: ", "\x03"]], &["select-server", "0"], &[])
    else {
        return;
    };
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("netplay "), "{screen}");
}

#[test]
fn a_server_that_closes_at_the_prompt_is_told() {
    let server = Server::of("nonblocking").start();
    let args = ["tcp-client", "-q", &server.port()];
    let Some((screen, code)) = terminal(&[["> ", "hello\r"]], &args, &[]) else { return };
    assert_eq!(code, 0);
    Said::on("cli_closed_at_the_prompt").add("hello", screen.trim_end().lines().last().unwrap());
}

/// `netplay tcp-client > FILE`, typed at: the prompt is on the terminal, the file has the replies.
#[test]
fn the_prompt_is_no_payload() {
    let server = Server::of("tcp-echo").args(["--reply", "echo"]).start();
    let replies = tempfile::NamedTempFile::new().unwrap();
    let script = "exec \"$0\" tcp-client -q \"$1\" > \"$2\"";
    let path = replies.path().to_str().unwrap();
    let program = env!("CARGO_BIN_EXE_netplay");
    let command = ["sh", "-c", script, program, &server.port(), path];
    let steps = [["> ", "hello\r"], ["hello", ""], ["> ", "\r"]];
    let Some((screen, code)) = terminal_for(&steps, &command, &[]) else { return };
    assert_eq!(code, 0, "{screen}");
    assert_eq!(fs::read_to_string(path).unwrap(), "hello\n");
}

#[test]
fn without_a_terminal_there_is_no_prompt() {
    let server = Server::of("tcp-echo").args(["--reply", "echo"]).start();
    let output = run(&["tcp-client", &server.port()], b"hello\n");
    assert_eq!(text(&output.stdout), "hello\n");
    assert!(!text(&output.stderr).contains("> "));
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let (_socket, port) = closed_port();
    let colours = |options: &[&str], env: &[(&str, &str)]| {
        let args = [&["tcp-client", &port], options].concat();
        terminal(&[], &args, env).map(|(screen, _)| screen.contains("\x1b["))
    };
    let Some(usually) = colours(&[], &[]) else { return };
    assert!(usually);
    for (options, env, expected) in [
        (&["--color", "never"][..], &[][..], false),
        (&["--color", "always"], &[("NO_COLOR", "1")], true),
        (&[], &[("NO_COLOR", "1")], false),
        (&[], &[("NO_COLOR", "")], true),
        (&[], &[("TERM", "dumb")], false),
        (&["--color", "always"], &[("TERM", "dumb")], true),
    ] {
        assert_eq!(colours(options, env), Some(expected), "{options:?} {env:?}");
    }
    let pipe = |options| text(&run(&[&["tcp-client", &port][..], options].concat(), b"").stderr);
    assert!(!pipe(&[]).contains('\x1b'));
    assert!(pipe(&["--color", "always"]).contains('\x1b'));
}

/// What a peer says to steer a terminal: clear the screen, ring, go to column 1, in 8 bits and 7.
const STEERING: &[u8] = b"\x1b[2J\x07\r\xc2\x9b2J";
/// How that is shown: as bytes in the story, and as text where a reply is shown.
const SHOWN: [&str; 2] = [r"\x1b[2J\x07\r\xc2\x9b2J", r"\x1b[2J\x07\r\u{9b}2J"];

/// Line ends apart, nothing on this screen is a control character; and the peer's are shown.
fn is_clean(screen: &str) {
    assert!(screen.replace("\r\n", "").chars().all(|c| !c.is_control()), "{screen:?}");
    assert!(SHOWN.iter().any(|shown| screen.contains(shown)), "{screen:?}");
}

/// Runs a client on a terminal without colours, as loud as can be, and looks at the screen.
fn client_stays_clean(args: &[&str]) {
    for loudness in ["-q", "-v", "-vv"] {
        let args = [args, &["-m", "x", "--timeout", "10", loudness]].concat();
        let Some((screen, code)) = terminal(&[], &args, &[("NO_COLOR", "1")]) else { return };
        assert_eq!(code, 0, "{screen:?}");
        is_clean(&screen);
    }
}

#[test]
fn no_escape_sequence_of_a_tcp_server_reaches_the_screen() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    thread::spawn(move || {
        while let Ok((mut peer, _)) = listener.accept() {
            let _ = peer.read(&mut [0; 16]);
            let _ = peer.write_all(STEERING);
        }
    });
    client_stays_clean(&["tcp-client", &port]);
    client_stays_clean(&["nonblocking-client", &port]);
}

#[test]
fn no_escape_sequence_of_a_udp_server_reaches_the_screen() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    thread::spawn(move || {
        while let Ok((_, client)) = socket.recv_from(&mut [0; 16]) {
            let _ = socket.send_to(STEERING, client);
        }
    });
    client_stays_clean(&["udp-client", &port]);
}

#[test]
fn no_escape_sequence_of_a_client_reaches_the_servers_screen() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    for loudness in ["--ascii", "-v", "-vv"] {
        let client = thread::spawn({
            let path = path.clone();
            move || steer(&path)
        });
        let args = ["unix-server", path.to_str().unwrap(), "--once", loudness];
        let screen = terminal(&[], &args, &[("NO_COLOR", "1")]);
        let Some((screen, code)) = screen else { return };
        client.join().unwrap();
        assert_eq!(code, 0, "{screen:?}");
        is_clean(&screen);
    }
}

fn steer(path: &Path) {
    let mut stream = None;
    until("the server is there", || {
        stream = UnixStream::connect(path).ok();
        stream.is_some()
    });
    stream.unwrap().write_all(STEERING).unwrap();
}

// The demos.

/// A demo ends well, soon (in two seconds, and on a busy machine before any side gives up), and tells both sides in the order of time.
fn tells(demo: &mut Command, roles: &[&str]) {
    let start = Instant::now();
    let output = finish(demo, b"");
    let args: Vec<_> = demo.get_args().collect();
    assert!(start.elapsed() < Duration::from_secs(20), "{args:?}: {:?}", start.elapsed());
    says(&output, 0, "");
    assert!(output.stderr.is_empty(), "{args:?}: {}", text(&output.stderr));
    let told = text(&output.stdout);
    for role in roles {
        assert!(told.lines().any(|line| line.contains(role)), "{args:?}: no {role:?} in {told}");
    }
    let mut last = 0.0;
    for line in told.lines() {
        if line.starts_with("== ") {
            last = 0.0; // the next demo of the tour has its own clock
        }
        let Some(Ok(time)) = line.split_whitespace().next().map(str::parse::<f64>) else {
            continue;
        };
        assert!(time >= last, "{args:?}: after {last} comes: {line}");
        last = time;
    }
    assert!(last > 0.0, "{args:?}: no times in {told}");
}

#[test]
fn every_demo_tells_both_sides_in_time_order_and_ends_soon() {
    for example in examples() {
        let sides: &[&str] = match example.server {
            Some(_) => &[" server  ", " client A "],
            None => &[" client A "],
        };
        let forbidden = example.server.is_none()
            && run(&[example.name, "demo", "-q"], b"").status.code() == Some(4);
        for args in [&[example.name, "demo"][..], &[example.name]] {
            if forbidden {
                let Some(mut alone) = alone(ANYBODY) else { continue };
                alone.arg(env!("CARGO_BIN_EXE_netplay"));
                tells(alone.args(args), sides);
            } else {
                tells(netplay().args(args), sides);
            }
        }
    }
}

#[test]
fn the_tour_shows_three_and_ends_soon() {
    let three = ["== tcp-echo: ", "== udp-echo: ", "== select: ", " client C ", "try next"];
    tells(netplay().arg("demo"), &three);
}

#[test]
fn a_quiet_demo_says_nothing() {
    let output = run(&["tcp-echo", "demo", "-q"], b"");
    says(&output, 0, "");
    assert_eq!((text(&output.stdout), text(&output.stderr)), Default::default());
}
