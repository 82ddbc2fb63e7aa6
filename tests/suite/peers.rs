//! Peers that are not netplay, on either side: what is on the wire is what every other program
//! expects there.

use std::process::{Command, Output};

use crate::common::{Server, finish, have, run, skip, text, until};

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/client.py");
const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/server.py");

/// Two messages; an empty line, which ends the conversation; a third that must not be sent.
const TYPED: &[u8] = b"hello\nworld\n\nnever said\n";

/// A Python script, if there is Python.
fn python(script: &str) -> Option<Command> {
    if !have("python3") {
        skip("no python3");
        return None;
    }
    let mut command = Command::new("python3");
    command.arg(script);
    Some(command)
}

/// What a peer printed; it must have ended well.
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{:?}: {}", output.status, text(&output.stderr));
    text(&output.stdout)
}

/// A Python client of this kind gets these answers to `hello` and `world` from our server; CTIME
/// stands for what `time.ctime()` says.
fn python_hears(kind: &str, example: &str, options: &[&str], answers: [&str; 2]) {
    let Some(mut client) = python(CLIENT) else { return };
    let server = Server::of(example).args(options).start();
    let output = finish(client.args([kind, "127.0.0.1", &server.port()]), TYPED);
    assert_eq!(printed(&output), answers.map(|answer| format!("{answer}\n")).concat());
    assert!(server.stop().status.success());
}

#[test]
fn a_python_client_hears_tcp_echo() {
    python_hears("tcp", "tcp-echo", &[], ["[CTIME] : hello", "[CTIME] : world"]);
}

#[test]
fn a_python_client_hears_udp_echo() {
    python_hears("udp", "udp-echo", &[], ["[CTIME : hello]", "[CTIME : world]"]);
}

#[test]
fn a_python_client_hears_iterative_over_both() {
    python_hears("udp", "iterative", &[], ["[CTIME : hello]", "[CTIME : world]"]);
    python_hears("tcp", "iterative", &["--tcp"], ["[CTIME] : hello", "[CTIME] : world"]);
}

#[test]
fn a_python_client_of_nonblocking_hears_the_end_each_time() {
    python_hears("oneshot", "nonblocking", &[], ["", ""]);
    python_hears("oneshot", "nonblocking", &["--blocking"], ["", ""]);
}

#[test]
fn a_python_client_hears_nonblocking_if_it_is_told_to_answer() {
    python_hears("oneshot", "nonblocking", &["--reply", "yes"], ["yes", "yes"]);
}

#[test]
fn a_python_client_hears_select() {
    python_hears("tcp", "select", &[], ["[CTIME] :hello", "[CTIME] :world"]);
}

#[test]
fn a_python_client_hears_poll() {
    python_hears("tcp", "poll", &[], ["receive message"; 2]);
}

#[test]
fn a_python_client_hears_epoll() {
    for options in [&[][..], &["--edge"], &["--workers", "2"]] {
        python_hears("tcp", "epoll", options, ["[CTIME] :hello", "[CTIME] :world"]);
    }
}

#[test]
fn a_python_client_hears_io_uring() {
    for options in [&[][..], &["--single-shot"]] {
        python_hears("tcp", "io-uring", options, ["[CTIME] :hello", "[CTIME] :world"]);
    }
}

#[test]
fn a_python_client_hears_fork() {
    python_hears("tcp", "fork", &[], ["recv your message"; 2]);
}

#[test]
fn a_python_client_hears_thread() {
    python_hears("tcp", "thread", &[], ["receive your message"; 2]);
}

#[test]
fn a_python_client_hears_prefork_and_pool() {
    python_hears("tcp", "prefork", &[], ["[CTIME] :hello", "[CTIME] :world"]);
    python_hears("tcp", "pool", &[], ["[CTIME] :hello", "[CTIME] :world"]);
}

#[test]
fn a_python_client_hears_unix_echo() {
    let Some(mut client) = python(CLIENT) else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let server = Server::of("unix-echo").at([&path]).start();
    let output = finish(client.arg("unix").arg(&path), TYPED);
    assert_eq!(printed(&output), "[CTIME] :hello\n[CTIME] :world\n");
    assert!(server.stop().status.success());
}

/// Both read the same TZ, and this one is no zone in which a test machine stands.
#[test]
fn the_stamp_is_local_time() {
    let Some(mut client) = python(CLIENT) else { return };
    let zone = ("TZ", "XYZ-13:17");
    let server = Server::of("tcp-echo").env(zone.0, zone.1).start();
    let args = ["tcp", "127.0.0.1", &server.port()];
    let output = finish(client.args(args).env(zone.0, zone.1), b"hello\n");
    assert_eq!(printed(&output), "[CTIME] : hello\n");
}

/// Our client of this example speaks with a Python server of this kind: the server hears both
/// messages, and the client prints just what the server answered.
fn python_is_heard(example: &str, options: &[&str], kind: &str) {
    let Some(mut server) = python(SERVER) else { return };
    let directory = tempfile::tempdir().unwrap();
    let server = Server::from(server.arg(kind).arg(directory.path().join("socket")));
    let place = match server.place.rsplit_once(':') {
        Some((host, port)) => vec![host, port],
        None => vec![&server.place[..]],
    };
    let args = [&[example, "client", "-q", "--timeout", "10"], options, &place[..]].concat();
    let shown = printed(&run(&args, b"hello\nworld\n"));
    until("the server tells what it answered", || server.stderr().lines().count() == 2);
    let told = server.stderr();
    let answers: Vec<&str> = ["hello", "world"]
        .iter()
        .zip(told.lines())
        .map(|(said, told)| told.strip_prefix(&format!("heard {said}, answered ")).expect(told))
        .collect();
    assert_eq!(shown, answers.join("\n") + "\n");
}

#[test]
fn a_python_tcp_server_is_heard() {
    python_is_heard("tcp-echo", &[], "tcp");
    python_is_heard("iterative", &["--tcp"], "tcp");
}

#[test]
fn a_python_udp_server_is_heard() {
    python_is_heard("udp-echo", &[], "udp");
    python_is_heard("iterative", &[], "udp");
}

#[test]
fn a_python_server_that_reads_once_is_heard_message_by_message() {
    python_is_heard("nonblocking", &[], "oneshot");
}

#[test]
fn a_python_select_server_is_heard() {
    python_is_heard("select", &[], "select");
}

#[test]
fn a_python_poll_server_is_heard() {
    python_is_heard("poll", &[], "poll");
}

#[test]
fn a_python_fork_server_is_heard() {
    python_is_heard("fork", &[], "fork");
}

#[test]
fn a_python_thread_server_is_heard() {
    python_is_heard("thread", &[], "thread");
}

#[test]
fn the_forking_servers_of_pythons_library_are_heard() {
    python_is_heard("tcp-echo", &[], "forking-tcp");
    python_is_heard("udp-echo", &[], "forking-udp");
}

#[test]
fn the_threading_servers_of_pythons_library_are_heard() {
    python_is_heard("tcp-echo", &[], "threading-tcp");
    python_is_heard("udp-echo", &[], "threading-udp");
}

#[test]
fn python_servers_on_a_path_are_heard() {
    python_is_heard("unix-echo", &[], "unix");
    python_is_heard("unix-echo", &[], "threading-unix");
}

/// `printf 'hello' | TOOL`, where the tool half-closes at the end of its input, prints the answer
/// and comes to an end: with every server that keeps a connection.
fn a_pipe_gets_its_answer(tool: &dyn Fn(&str) -> Command) {
    let answers = [
        ("tcp-echo", "] : hello"),
        ("select", "] :hello"),
        ("poll", "receive message"),
        ("epoll", "] :hello"),
        ("io-uring", "] :hello"),
        ("fork", "recv your message"),
        ("thread", "receive your message"),
        ("prefork", "] :hello"),
        ("pool", "] :hello"),
    ];
    for (example, answer) in answers {
        let server = Server::of(example).start();
        let shown = printed(&finish(&mut tool(&server.port()), b"hello"));
        assert!(shown.trim_end().ends_with(answer), "{example}: {shown:?}");
        assert!(server.stop().status.success());
    }
}

#[test]
fn a_pipe_through_python_gets_its_answer() {
    if python(CLIENT).is_some() {
        a_pipe_gets_its_answer(&|port| {
            let mut command = python(CLIENT).unwrap();
            command.args(["pipe", "127.0.0.1", port]);
            command
        });
    }
}

/// The same with a tool of the machine, if it is there.
fn a_pipe_through(tool: &str, args: impl Fn(&str) -> Vec<String>) {
    if !have(tool) {
        return skip(&format!("no {tool}"));
    }
    a_pipe_gets_its_answer(&|port| {
        let mut command = Command::new(tool);
        command.args(args(port));
        command
    });
}

#[test]
fn a_pipe_through_ncat_gets_its_answer() {
    a_pipe_through("ncat", |port| vec!["127.0.0.1".into(), port.into()]);
}

/// Not every nc can half-close, and those that can want to be asked.
#[test]
fn a_pipe_through_nc_gets_its_answer() {
    let help = Command::new("nc").arg("-h").output();
    let help = help.map(|help| text(&[help.stdout, help.stderr].concat())).unwrap_or_default();
    if have("nc") && !help.contains("-N\t") {
        return skip("no nc that half-closes (-N)");
    }
    a_pipe_through("nc", |port| vec!["-N".into(), "127.0.0.1".into(), port.into()]);
}

#[test]
fn a_pipe_through_socat_gets_its_answer() {
    a_pipe_through("socat", |port| {
        vec!["-t20".into(), "-".into(), format!("TCP:127.0.0.1:{port}")]
    });
}

/// `cat` behind socat answers in pieces of its own choice, and ends when our client half-closes.
#[test]
fn a_cat_behind_socat_is_heard_to_its_end() {
    if !have("socat") {
        return skip("no socat");
    }
    let script = "socat -d -d TCP-LISTEN:0,bind=127.0.0.1,reuseaddr EXEC:cat 2>&1 | \
                  sed -un 's/.*listening on AF=2 /ready: tcp /p'";
    let server = Server::from(Command::new("sh").args(["-c", script]));
    let args = ["tcp-client", "-q", "--timeout", "10", "127.0.0.1", &server.port()];
    assert_eq!(printed(&run(&args, b"hello\nworld\n")), "hello\nworld\n");
    assert!(server.ended().status.success());
}
