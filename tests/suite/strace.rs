//! The record is true: what a run tells of itself is what strace sees of it.
//!
//! Every example runs under `strace -ff`, which writes one file a thread, and with `--trace`. Then,
//! thread by thread, the lines that `-v` prints for the record are compared with strace's own: the
//! same calls in the same order with the same arguments and results, none missing, none invented.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use crate::common::{
    self, DEADLINE, Server, ask, finish, ipv6_has_a_device, netplay, skip, strace_may_trace, until,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use clap::Arg;
use clap::builder::PossibleValue;
use netplay::call::{self, Domain, Type};
use netplay::child::WITH_PARENT;
use netplay::examples::{Example, Place, Purpose, examples};
use netplay::lang::Lang;
use netplay::trace::{self, Event, Kind, Settings, Speaker, TraceFile};

/// Every call that the call layer can make. `rt_sigreturn` ends a signal handler, `execve` begins the
/// program, and in `futex` a thread waits for another one. A `?` before a name: not every machine has it.
const CALLS: &str = "trace=socket,bind,listen,?accept,accept4,connect,sendto,recvfrom,?send,?recv,\
    sendmsg,?sendmmsg,recvmsg,shutdown,getsockname,getpeername,setsockopt,getsockopt,socketpair,close,fcntl,\
    ?select,pselect6,?poll,ppoll,?epoll_create,epoll_create1,epoll_ctl,?epoll_wait,epoll_pwait,\
    ?epoll_pwait2,?sendfile,splice,?sync_file_range,?io_uring_setup,?io_uring_enter,?io_uring_register,\
    ?fork,?vfork,clone,?clone3,wait4,waitid,kill,futex,rt_sigprocmask,rt_sigtimedwait,rt_sigreturn,execve";

/// Those in which a server with nothing to do is found.
const WAITS: &[&str] = &[
    "accept4",
    "recvfrom",
    "select",
    "pselect6",
    "poll",
    "ppoll",
    "epoll_wait",
    "epoll_pwait",
    "io_uring_enter",
    "wait4",
    "fcntl",
    "futex",
];

/// Messages that show how strings are quoted: controls, octal before a digit, quotes, bytes that are
/// no text, an empty line, more than strace shows of a string.
const MESSAGES: &[u8] = b"hello\n\x01\x027 \x1b[2J \x7f\xff\x00\x009\n\"quoted\" \\ \t\x0b\x0c\r\n\n\
    \xe4\xb8\x96\xe7\x95\x8c\n32 bytes are shown, not a byte m\n33 bytes are shown, not a byte mo\n";

/// What a client says.
pub(super) fn words(example: &Example) -> &'static [u8] {
    match example.purpose {
        Purpose::Echo | Purpose::Other => MESSAGES,
        Purpose::Files => files(example),
    }
}

/// What is said to a file server: by name, for what one can do another cannot. Clients run where
/// Cargo.toml is.
fn files(example: &Example) -> &'static [u8] {
    match example.name {
        "ftp" => b"list\nupload Cargo.toml\nverify Cargo.toml\nquit\n",
        _ => b"list\ndownload nothing\nquit\n",
    }
}

/// The calls that strace makes fail. Not `shutdown` in a server: without it no stop would be heard.
const FAIL_IN_A_SERVER: &[&str] = &[
    "socket",
    "setsockopt",
    "bind",
    "listen",
    "getsockname",
    "getpeername",
    "accept4",
    "recvfrom",
    "sendto",
    "poll",
    "ppoll",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "io_uring_setup",
    "io_uring_register",
    "io_uring_enter",
    "clone",
];
const FAIL_IN_A_CLIENT: &[&str] = &[
    "socket",
    "setsockopt",
    "getsockopt",
    "connect",
    "getsockname",
    "sendto",
    "recvfrom",
    "shutdown",
    "poll",
];

/// The options with which an example's two sides know each other. strace shows the password as it is.
fn login(example: &Example) -> Vec<String> {
    let words: &[&str] = match example.name {
        "ftp" => &["--user", "u", "--password", "p", "--show-secrets"],
        _ => &[],
    };
    words.iter().map(|&word| word.to_owned()).collect()
}

// ---- the runs ----

#[test]
fn every_example_tells_what_strace_sees() {
    for (example, server, client) in ways_to_run() {
        let Some(watched) = Watched::new() else { return };
        let server = watched.server(example, &server);
        let clients: Vec<_> = (0..3).map(|_| server.client(&watched, example, &client)).collect();
        for asking in clients {
            let client = asking.join().unwrap();
            assert!(client.status.success(), "{}: {client:?}", example.name);
        }
        server.stop(&watched);
        watched.compare(example.name);
    }
}

/// Of a small file neither side asks more than once; of this one the disk hears before its end.
#[test]
fn a_large_upload_is_told_as_strace_sees_it() {
    let Some(watched) = Watched::new() else { return };
    let server = watched.server(example("ftp"), &login(example("ftp")));
    let large = watched.path("large");
    fs::File::create(&large).unwrap().set_len(20 << 20).unwrap();
    let url = format!("ftp://u:p@{}/stored", server.server.place);
    let put = common::run(&["ftp", "put", large.to_str().unwrap(), &url], b"");
    assert!(put.status.success(), "{put:?}");
    server.stop(&watched);
    let told = watched.compare("ftp");
    let begun = told.matches("sync_file_range(").count();
    assert_eq!(begun, 2, "every 8 MiB of 20");
    assert!(told.contains(", 0, 0, SYNC_FILE_RANGE_WRITE) = 0"), "{told}");
}

/// The stop reaches sockets on which other threads and processes wait, and ends conversations.
#[test]
fn a_stop_in_the_middle_of_a_conversation_is_told_as_strace_sees_it() {
    let echo = |(example, ..): &(&Example, _, _)| example.purpose == Purpose::Echo;
    for (example, options, _) in ways_to_run().into_iter().filter(echo) {
        let Some(watched) = Watched::new() else { return };
        let options = [&options[..], &["--reply".into(), "echo".into()]].concat();
        let server = watched.server(example, &options);
        // Over UDP and on a path there is no connection of TCP to be held.
        let Ok(mut held) = TcpStream::connect(&server.server.place) else { continue };
        held.set_read_timeout(Some(DEADLINE)).unwrap();
        if options.iter().all(|option| option != "--blocking") {
            ask(&mut held, b"hello", 5);
        } else {
            // This server hangs up after the first message: so it stays without one.
            until("the server has accepted", || {
                watched.files().values().any(|text| text.contains("SOCK_CLOEXEC) = 4"))
            });
        }
        server.stop(&watched);
        watched.compare(example.name);
    }
}

/// The handler of a signal runs when a call that did not wait is about to return: what it does comes
/// after that call.
#[test]
fn what_a_handler_does_right_after_a_call_is_told_after_it() {
    for (name, call) in [("tcp-echo", "sendto"), ("select", "recvfrom")] {
        let Some(watched) = Watched::new() else { return };
        let traced = watched.traced(&[name, "server", "127.0.0.1", "0"]);
        // strace itself sends the signal, while the second call of this name is in the kernel.
        let mut strace = Command::new("strace");
        strace.args(["-e", &format!("inject={call}:signal=SIGTERM:when=2")]);
        let server = Server::from(strace.args(traced.get_args()).env(WITH_PARENT, "1"));
        let server = StracedServer { server };
        let client = server.client(&watched, example(name), &[]).join().unwrap();
        assert_eq!(client.status.code(), Some(1), "{call}: the server is gone: {client:?}");
        let ended = server.server.ended();
        assert!(ended.status.success(), "{call}: {:?} {}", ended.status, ended.stderr);
        let told = watched.compare(call);
        assert!(told.contains(", SHUT_RDWR) = 0"), "{call}: {told}");
    }
}

/// A wait that runs out: EAGAIN from a receive with a timeout, `Timeout` from select and poll.
#[test]
fn a_client_that_is_idle_for_too_long_is_told_as_strace_sees_it() {
    for name in
        ["tcp-echo", "select", "poll", "epoll", "io-uring", "fork", "thread", "prefork", "pool"]
    {
        let Some(watched) = Watched::new() else { return };
        let options = ["--idle-timeout", "0.25", "--reply", "echo"].map(String::from);
        let server = watched.server(example(name), &options);
        let mut idle = server.server.connect();
        ask(&mut idle, b"hello", 5);
        let more = idle.read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(more, 0, "{name} ends a silent connection");
        server.stop(&watched);
        let told = watched.compare(name);
        let waited_in_vain =
            ["EAGAIN", "(Timeout)", "epoll_wait(4, [], ", "epoll_pwait(4, [], ", "ETIME"];
        assert!(waited_in_vain.iter().any(|words| told.contains(words)), "{name}: {told}");
    }
}

/// Each worker is a thread, with calls of its own.
#[test]
fn the_workers_of_epoll_tell_what_strace_sees() {
    for way in [&["--workers", "3"][..], &["--workers", "3", "--edge"]] {
        let Some(watched) = Watched::new() else { return };
        let options: Vec<String> = way.iter().map(|&word| word.to_owned()).collect();
        let server = watched.server(example("epoll"), &options);
        let clients: Vec<_> =
            (0..4).map(|_| server.client(&watched, example("epoll"), &[])).collect();
        for asking in clients {
            let client = asking.join().unwrap();
            assert!(client.status.success(), "{way:?}: {client:?}");
        }
        server.stop(&watched);
        let told = watched.compare("epoll with workers");
        assert_eq!(told.matches("SO_REUSEPORT, [1]").count(), 3, "{told}");
    }
}

#[test]
fn ipv6_is_told_as_strace_sees_it() {
    for name in ["tcp-echo", "udp-echo"] {
        let Some(watched) = Watched::new() else { return };
        if TcpListener::bind("[::1]:0").is_err() {
            return skip("no IPv6");
        }
        let server = watched.server_at(example(name), &["::1", "0"], &[]);
        let client = server.client(&watched, example(name), &[]).join().unwrap();
        assert!(client.status.success(), "{name}: {client:?}");
        server.stop(&watched);
        assert!(watched.compare(name).contains("AF_INET6"));
    }
}

#[test]
fn a_group_of_ipv6_is_told_as_strace_sees_it() {
    let Some(watched) = Watched::new().filter(|_| ipv6_has_a_device()) else { return };
    let multicast = example("multicast");
    let server = watched.server_at(multicast, &["ff11::5858", "0"], &[]);
    let client = server.client(&watched, multicast, &["--no-loop".into()]).join().unwrap();
    assert!(client.status.success(), "{client:?}");
    server.stop(&watched);
    let told = watched.compare("multicast over IPv6");
    for option in
        ["IPV6_ADD_MEMBERSHIP", "IPV6_MULTICAST_IF", "IPV6_MULTICAST_HOPS", "IPV6_MULTICAST_LOOP"]
    {
        assert!(told.contains(option), "{option}: {told}");
    }
}

/// The socket that could not be bound is closed, and that is told too.
#[test]
fn a_failing_bind_is_told_as_strace_sees_it() {
    let Some(watched) = Watched::new() else { return };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let server = watched.run(&["tcp-echo", "server", "127.0.0.1", &port]);
    assert_eq!(server.status.code(), Some(1), "{server:?}");
    let told = watched.compare("a failing bind");
    assert!(told.contains("= -1 EADDRINUSE (Address already in use)\nclose(3) = 0"), "{told}");
}

#[test]
fn a_refused_connect_is_told_as_strace_sees_it() {
    let Some(watched) = Watched::new() else { return };
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let client = watched.run(&["tcp-echo", "client", "127.0.0.1", &free]);
    assert_eq!(client.status.code(), Some(1), "{client:?}");
    let told = watched.compare("a refused connect");
    assert!(told.contains("= -1 ECONNREFUSED (Connection refused)\nclose(3) = 0"), "{told}");
}

/// Wherever a call of a server fails, what the page has opened until then is closed, and each close is told.
#[test]
fn what_a_failing_server_leaves_open_is_closed_with_a_record() {
    for example in examples().filter(|example| example.server.is_some()) {
        let Some(watched) = Watched::new() else { return };
        watched.serve_one(example, None);
        for (call, when) in watched.could_fail(FAIL_IN_A_SERVER) {
            let Some(watched) = Watched::new() else { return };
            watched.serve_one(example, Some((&call, when)));
            watched.compare(&format!("{} server, {call} fails (number {when})", example.name));
        }
    }
}

/// The same for the clients.
#[test]
fn what_a_failing_client_leaves_open_is_closed_with_a_record() {
    for example in examples().filter(|example| example.server.is_some()) {
        let Some(serving) = Watched::new() else { return };
        let server = serving.server(example, &login(example));
        let Some(watched) = Watched::new() else { return };
        let whole = server.failing_client(&watched, example, None);
        assert!(whole.status.success(), "{}: {whole:?}", example.name);
        for (call, when) in watched.could_fail(FAIL_IN_A_CLIENT) {
            let Some(watched) = Watched::new() else { return };
            server.failing_client(&watched, example, Some((&call, when)));
            watched.compare(&format!("{} client, {call} fails (number {when})", example.name));
        }
    }
}

/// A path that a server left behind: bind fails, connect is refused, and the second bind succeeds.
#[test]
fn an_abandoned_path_is_told_as_strace_sees_it() {
    let Some(watched) = Watched::new() else { return };
    drop(UnixListener::bind(watched.path("socket")).unwrap());
    let example = example("unix-echo");
    let server = watched.server(example, &[]);
    let client = server.client(&watched, example, &[]).join().unwrap();
    assert!(client.status.success(), "{client:?}");
    server.stop(&watched);
    let told = watched.compare("an abandoned path");
    assert!(told.contains("EADDRINUSE") && told.contains("ECONNREFUSED"), "{told}");
}

/// strace has another name for some options than the manual.
#[test]
fn the_names_of_options_are_those_of_strace() {
    for option in ["SO_RCVTIMEO", "SO_SNDTIMEO", "SO_TIMESTAMP", "SO_TIMESTAMPNS"] {
        let Some(watched) = Watched::new() else { return };
        let run = watched.run(&["sockopt", "udp", &format!("{option}=1")]);
        assert!(run.status.success(), "{run:?}");
        assert!(watched.compare(option).contains(&format!("{option}_OLD")));
    }
}

/// Seven receivers, one after the other, and the sender that starts them.
#[test]
fn every_model_tells_what_strace_sees() {
    for options in [&[][..], &["--tcp"]] {
        let Some(watched) = Watched::new() else { return };
        let run = watched.run(&[&["models", "--delay", "5ms"], options].concat());
        assert!(run.status.success(), "{run:?}");
        let told = watched.compare("models");
        for call in ["recvmsg", "select", "poll", "epoll_wait", "rt_sigtimedwait", "SO_TIMESTAMPNS"]
        {
            assert!(told.contains(call), "{call}: {told}");
        }
        if told.contains("io_uring_setup") && !told.contains("io_uring_enter") {
            skip("no io_uring");
        }
    }
}

/// No page has need of sendmmsg, so this test is its own program: under strace it runs itself once more.
#[test]
fn many_datagrams_with_one_call_are_told_as_strace_sees_them() {
    const TRACE: &str = "NETPLAY_TEST_SENDMMSG";
    if let Some(file) = std::env::var_os(TRACE) {
        return send_many(Path::new(&file));
    }
    let Some(watched) = Watched::new() else { return };
    let name = "many_datagrams_with_one_call_are_told_as_strace_sees_them";
    let mut strace = Command::new("strace");
    strace.args(["-ff", "-y", "-e", CALLS, "-o"]).arg(watched.path("strace"));
    strace.arg(std::env::current_exe().unwrap()).args(["--exact", &format!("strace::{name}")]);
    let run = finish(strace.env(TRACE, watched.path("trace")), b"");
    assert!(run.status.success(), "{run:?}");
    let told = watched.compare("sendmmsg");
    for call in
        ["msg_len=5}, {", "}], 2, 0) = 2", ", ...], 40, MSG_DONTWAIT) = 40", "EMSGSIZE", "= 1"]
    {
        assert!(
            told.lines().any(|line| line.starts_with("sendmmsg(") && line.contains(call)),
            "{call}"
        );
    }
    let events = fs::read_to_string(watched.path("trace")).unwrap();
    let events = events.lines().map(|line| serde_json::from_str::<Event>(line).unwrap());
    let told: Vec<String> = events
        .filter(|event| event.call.as_deref() == Some("sendmmsg"))
        .map(|event| format!("{} | {}", event.sentence(Lang::En), event.answered(Lang::En)))
        .collect();
    for (told, has) in told.iter().zip(["2 of 2 ", "40 of 40 ", "1 of 2 ", "(EMSGSIZE)"]) {
        assert!(told.contains(has), "no {has:?} in {told}");
    }
    let page = common::Said::on("strace_sendmmsg");
    page.add("2 of 2", &told[0]);
    page.add("too long", &told[3]);
}

/// Two, and an empty one among them; more than strace prints; one that is too long after, and before another.
fn send_many(trace: &Path) {
    let file = Some(TraceFile::open(trace).unwrap());
    let speaker = Speaker { role: "server", example: "sendmmsg" };
    trace::install(Settings { speaker, file, ..Settings::default() }).unwrap();
    let socket = call::socket(Domain::IPV4, Type::DGRAM, 0).unwrap();
    call::bind(&socket, SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let socket: call::UdpSocket = socket.into();
    let to = call::getsockname(&socket).unwrap();
    let too_long = vec![b'x'; 65_508];
    assert_eq!(call::sendmmsg(&socket, &[&b"hello"[..], b""], 0, to).unwrap(), 2);
    assert_eq!(call::sendmmsg(&socket, &[b"more"; 40], call::MSG_DONTWAIT, to).unwrap(), 40);
    assert_eq!(call::sendmmsg(&socket, &[&b"one"[..], &too_long], 0, to).unwrap(), 1);
    assert!(call::sendmmsg(&socket, &[&too_long[..], b"one"], 0, to).is_err());
    call::close(socket).unwrap();
}

/// A kernel that refuses is told as it refuses, and no other model is the worse for it.
#[test]
fn where_io_uring_is_refused_the_reason_is_told_and_the_rest_goes_on() {
    for (errno, why) in
        [("ENOSYS", "this kernel has no io_uring"), ("EPERM", "kernel.io_uring_disabled")]
    {
        let Some(watched) = Watched::new() else { return };
        let mut strace = Command::new("strace");
        let inject = format!("inject=io_uring_setup:error={errno}");
        let traced = watched.traced(&["models", "--delay", "2ms", "--json"]);
        let run = finish(strace.args(["-e", &inject]).args(traced.get_args()), b"");
        assert!(run.status.success(), "{run:?}");
        let figures: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
        for model in figures["models"].as_array().unwrap() {
            let ring = model["name"] == "io_uring";
            assert_eq!(model["can_run"], !ring, "{model}");
            assert_eq!(model["reason"].is_string(), ring, "{model}");
            if ring {
                let reason = model["reason"].as_str().unwrap();
                assert!(reason.contains(why) && !reason.contains('\n'), "{reason}");
            }
        }
    }
}

#[test]
fn where_io_uring_is_forbidden_exit_4_says_why() {
    for (errno, why) in
        [("ENOSYS", "this kernel has no io_uring"), ("EPERM", "kernel.io_uring_disabled")]
    {
        let Some(watched) = Watched::new() else { return };
        let mut strace = Command::new("strace");
        strace.args(["-e", &format!("inject=io_uring_setup:error={errno}")]);
        let traced = watched.traced(&["io-uring", "server", "127.0.0.1", "0"]);
        let server = finish(strace.args(traced.get_args()), b"");
        let stderr = String::from_utf8_lossy(&server.stderr);
        assert_eq!(server.status.code(), Some(4), "{stderr}");
        assert!(stderr.contains("netplay: io_uring_setup: ") && stderr.contains(why), "{stderr}");
        assert!(server.stdout.is_empty(), "{errno}: nobody can reach it: {:?}", server.stdout);
    }
}

/// A kernel before 6.1, and one before 5.19, as it seems to the program.
#[test]
fn where_many_shots_are_unknown_the_reason_is_told_and_single_ones_serve() {
    for unknown in ["io_uring_setup:error=EINVAL:when=1", "io_uring_register:error=EINVAL"] {
        let Some(watched) = Watched::new() else { return };
        let mut strace = Command::new("strace");
        strace.args(["-e", &format!("inject={unknown}")]);
        let traced = watched.traced(&["io-uring", "server", "127.0.0.1", "0"]);
        let server = Server::from(strace.args(traced.get_args()).env(WITH_PARENT, "1"));
        let server = StracedServer { server };
        let client = server.client(&watched, example("io-uring"), &[]).join().unwrap();
        assert!(client.status.success(), "{unknown}: {client:?}");
        server.stop(&watched);
        let trace = fs::read_to_string(watched.path("trace")).unwrap();
        let call = unknown.split(':').next().unwrap();
        let why = format!("{call}: Invalid argument: this kernel has no multishot operations");
        assert_eq!(trace.matches(&why).count(), 1, "{trace}");
        assert_eq!(trace.matches("multishot").count(), 1, "{unknown}: {trace}");
    }
}

/// Both sockets of ping, over both versions of IP, in a network of their own in which every user may ping.
#[test]
fn ping_tells_what_strace_sees() {
    for host in ["127.0.0.1", "::1"] {
        for socket in [&[][..], &["--raw"]] {
            let Some(watched) = Watched::new() else { return };
            let Some(mut command) = common::alone(common::ANYBODY) else { return };
            let pings = ["ping", host, "--count", "2", "--interval", "0.05", "--headers"];
            let traced = watched.traced(&[&pings[..], socket].concat());
            let ping = finish(command.arg("strace").args(traced.get_args()), b"");
            assert!(ping.status.success(), "{ping:?}");
            let told = watched.compare("ping");
            let kind = if socket.is_empty() { "SOCK_DGRAM" } else { "SOCK_RAW" };
            assert!(told.contains(kind) && told.contains("recvmsg("), "{told}");
        }
    }
}

/// The same comparison with what `-v` really prints, on standard error.
#[test]
fn verbose_prints_what_strace_prints() {
    let Some(watched) = Watched::new() else { return };
    let server = Server::of("tcp-echo").start();
    let arguments = ["tcp-echo", "client", "127.0.0.1", &server.port(), "-v"];
    let client = finish(&mut watched.strace(CALLS, &arguments), MESSAGES);
    let printed = String::from_utf8(client.stderr).unwrap();
    let told = printed.lines().filter(|line| line.starts_with("         "));
    let told = told.map(|line| same_words(line.trim_start()));
    let seen = watched.seen().into_values().next().unwrap();
    same(&told.collect::<Vec<_>>(), &seen).unwrap_or_else(|why| panic!("{why}"));
}

/// A server that nobody listens to makes the calls of its page, and no other.
#[test]
fn without_narration_a_message_costs_its_own_calls_only() {
    for (name, options, each) in [
        ("tcp-echo", &[][..], &["recvfrom", "sendto"][..]),
        ("thread", &[], &["recvfrom", "sendto"]),
        ("fork", &[], &["recvfrom", "sendto"]),
        ("prefork", &[], &["recvfrom", "sendto"]),
        ("pool", &[], &["recvfrom", "sendto"]),
        ("select", &[], &["pselect6", "recvfrom", "sendto"]),
        ("poll", &[], &["poll", "recvfrom", "sendto"]),
        ("epoll", &[], &["epoll_wait", "recvfrom", "sendto"]),
        ("epoll", &["--edge"], &["epoll_wait", "recvfrom", "sendto"]),
        ("epoll", &["--workers", "2"], &["epoll_wait", "recvfrom", "sendto"]),
    ] {
        let Some(quiet) = Watched::new() else { return };
        for calls in calls_a_message(&quiet, name, options) {
            assert_eq!(calls, each, "{name} {options:?}");
        }
        // And the check sees a record that is kept: otherwise it would prove nothing.
        let Some(told) = Watched::new() else { return };
        let trace = told.path("trace").display().to_string();
        let calls = calls_a_message(&told, name, &[options, &["--trace", &trace]].concat());
        assert!(calls.concat().contains(&"write".to_owned()), "{name}: {calls:?}");
    }
}

/// Two records for each of a hundred requests that are there at once: not two hundred writes.
#[test]
fn a_busy_server_writes_many_records_at_once() {
    const CLIENTS: usize = 100;
    let Some(watched) = Watched::new() else { return };
    let trace = watched.path("trace").display().to_string();
    let arguments = ["epoll", "server", "127.0.0.1", "0", "-q", "--reply", "echo"];
    let arguments = [&arguments[..], &["--trace", &trace]].concat();
    let server = Server::from(watched.strace("trace=all", &arguments).env(WITH_PARENT, "1"));
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.connect()).collect();
    for client in &mut clients {
        ask(client, b"hello", 5); // it is accepted
    }
    let thread = *watched.files().keys().next().unwrap();
    let process = Pid::from_raw(thread);
    kill(process, Signal::SIGSTOP).unwrap();
    until("the server has stopped", || {
        let stat = fs::read_to_string(format!("/proc/{thread}/stat")).unwrap();
        stat.rsplit(") ").next().unwrap().starts_with(['T', 't'])
            && watched.files()[&thread].contains("--- stopped by SIGSTOP ---")
    });
    let before = watched.files()[&thread].len();
    for client in &mut clients {
        client.write_all(b"at once").unwrap();
    }
    kill(process, Signal::SIGCONT).unwrap();
    for client in &mut clients {
        client.read_exact(&mut [0; 7]).unwrap();
    }
    StracedServer { server }.stop(&watched);
    let calls = watched.files()[&thread][before..].to_owned();
    let mut names: Vec<&str> = calls.lines().map(name_of).collect();
    names.truncate(1 + names.iter().rposition(|&name| name == "sendto").unwrap());
    let count = |call| names.iter().filter(|&&name| name == call).count();
    assert_eq!(count("sendto"), CLIENTS);
    assert!(count("write") <= 20, "{} writes for {CLIENTS} requests", count("write"));
    let told = fs::read_to_string(trace).unwrap();
    assert_eq!(told.matches("\"data\":\"at once\"").count(), 2 * CLIENTS);
}

/// The names of all system calls from one answer of a conversation to the next.
fn calls_a_message(watched: &Watched, name: &str, options: &[&str]) -> Vec<Vec<String>> {
    const MESSAGES: usize = 20;
    let arguments = [name, "server", "127.0.0.1", "0", "-q", "--reply", "echo"];
    let arguments = [&arguments, options].concat();
    let server = Server::from(watched.strace("trace=all", &arguments).env(WITH_PARENT, "1"));
    let mut client = server.connect();
    for _ in 0..MESSAGES {
        ask(&mut client, b"hello", 5);
    }
    drop(client);
    StracedServer { server }.stop(watched);
    let conversation = watched.files().into_values().find(|text| text.contains("\nrecvfrom("));
    let conversation = conversation.expect("some thread has spoken with the client");
    let names: Vec<&str> = conversation.lines().map(name_of).collect();
    let sends: Vec<usize> = (0..names.len()).filter(|&i| names[i] == "sendto").collect();
    assert_eq!(sends.len(), MESSAGES, "{name} answers each message once");
    let turns = sends.windows(2).map(|two| &names[two[0] + 1..=two[1]]);
    turns.map(|turn| turn.iter().map(|&name| name.to_owned()).collect()).collect()
}

// ---- what runs ----

fn example(name: &str) -> &'static Example {
    examples().find(|example| example.name == name).expect("a row of the table")
}

/// Every row of the table, plain and with each of its own options: the example, and the options of
/// its two sides.
pub(super) fn ways_to_run() -> Vec<(&'static Example, Vec<String>, Vec<String>)> {
    let mut ways = Vec::new();
    for example in examples().filter(|example| example.server.is_some()) {
        if example.name == "ftp" {
            ways.push((example, login(example), login(example)));
            continue;
        }
        ways.push((example, vec![], vec![]));
        let (of_server, of_client) = (example.server_options(), example.client_options());
        let only_of_client = of_client.iter().filter(|option| !has(&of_server, option));
        for option in of_server.iter().chain(only_of_client) {
            let name = format!("--{}", option.get_long().unwrap());
            let given: Vec<Vec<String>> = match option.get_possible_values() {
                _ if !option.get_action().takes_values() => vec![vec![name]],
                // The first is the default, which has run already; where there is none, only the example
                // knows what it may be.
                values => {
                    let word = |value: &PossibleValue| value.get_name().to_owned();
                    values.iter().skip(1).map(|value| vec![name.clone(), word(value)]).collect()
                }
            };
            for given in given {
                let side = |options| if has(options, option) { given.clone() } else { vec![] };
                ways.push((example, side(&of_server), side(&of_client)));
            }
        }
    }
    ways
}

fn has(options: &[Arg], option: &Arg) -> bool {
    options.iter().any(|other| other.get_id() == option.get_id())
}

/// A run under strace, and the files that tell of it.
struct Watched {
    directory: TempDir,
}

/// A server under strace. The child of the test is strace, which ends as the server does.
struct StracedServer {
    server: Server,
}

impl Watched {
    /// `None` where strace cannot work: the caller returns.
    fn new() -> Option<Watched> {
        strace_may_trace().then(|| Watched { directory: tempfile::tempdir().unwrap() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// netplay under strace: a file a thread (so no line is torn in two), and behind each descriptor
    /// what it is.
    fn strace(&self, calls: &str, arguments: &[&str]) -> Command {
        let netplay = netplay();
        let mut strace = Command::new("strace");
        strace.args(["-ff", "-y", "-e", calls, "-o"]).arg(self.path("strace"));
        strace.arg(netplay.get_program()).args(arguments);
        for (name, value) in netplay.get_envs() {
            match value {
                Some(value) => strace.env(name, value),
                None => strace.env_remove(name),
            };
        }
        strace
    }

    /// The same with a trace, quietly.
    fn traced(&self, arguments: &[&str]) -> Command {
        let trace = self.path("trace").display().to_string();
        self.strace(CALLS, &[arguments, &["-q", "--trace", &trace]].concat())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        finish(&mut self.traced(arguments), MESSAGES)
    }

    fn server(&self, example: &Example, options: &[String]) -> StracedServer {
        match example.place {
            Place::Internet | Place::Host => self.server_at(example, &["127.0.0.1", "0"], options),
            Place::Group { v4, .. } => self.server_at(example, &[v4, "0"], options),
            Place::Path => {
                let path = self.path("socket").display().to_string();
                self.server_at(example, &[&path], options)
            }
        }
    }

    fn server_at(&self, example: &Example, place: &[&str], options: &[String]) -> StracedServer {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let mut command = self.traced(&[&[example.name, "server"], place, &options].concat());
        command.current_dir(self.directory.path()); // whose files a file server serves
        // If a test fails, its server ends with strace.
        StracedServer { server: Server::from(command.env(WITH_PARENT, "1")) }
    }

    /// What strace wrote, by thread.
    fn files(&self) -> BTreeMap<i32, String> {
        let files = fs::read_dir(self.directory.path()).unwrap().map(|file| file.unwrap().path());
        let text = |path: PathBuf| {
            let thread = path.file_name()?.to_str()?.strip_prefix("strace.")?.parse().ok()?;
            Some((thread, String::from_utf8(fs::read(&path).unwrap()).unwrap()))
        };
        files.filter_map(text).collect()
    }

    /// The calls that strace saw, by thread.
    fn seen(&self) -> BTreeMap<i32, Vec<String>> {
        let threads = self.files().into_iter().map(|(tid, text)| (tid, calls_in(&text)));
        threads.filter(|(_, calls)| !calls.is_empty()).collect()
    }

    /// The calls that the trace tells of, by thread, in the words of `-v`.
    fn told(&self) -> BTreeMap<i32, Vec<String>> {
        let mut told: BTreeMap<i32, Vec<String>> = BTreeMap::new();
        for line in fs::read_to_string(self.path("trace")).unwrap().lines() {
            let event: Event = serde_json::from_str(line).unwrap();
            // strace sees nothing of what goes through a ring.
            if event.kind == Kind::Call {
                told.entry(event.tid).or_default().push(same_words(&event.strace()));
            }
        }
        told
    }

    /// Holds the trace against strace, thread by thread; returns all that both tell.
    fn compare(&self, what: &str) -> String {
        let all = self.compared().unwrap_or_else(|why| panic!("{what}, {why}"));
        assert!(!all.is_empty(), "{what} made no calls at all");
        all
    }

    /// The calls of all threads, if the record tells what strace saw; if not, the first difference.
    fn compared(&self) -> Result<String, String> {
        let (mut told, seen) = (self.told(), self.seen());
        for (thread, seen) in &seen {
            let mut told = told.remove(thread).unwrap_or_default();
            on_the_way_out(&mut told, seen);
            same(&told, seen).map_err(|why| format!("thread {thread}: {why}"))?;
        }
        match told.is_empty() {
            true => Ok(seen.into_values().flatten().collect::<Vec<_>>().join("\n")),
            false => Err(format!("strace never saw these threads: {told:?}")),
        }
    }

    /// A server that a client says a line to, and its end: by itself if a call failed that it needs, with
    /// SIGTERM otherwise.
    fn serve_one(&self, example: &Example, fails: Option<(&str, usize)>) {
        let path = self.path("socket").display().to_string();
        let place = match example.place {
            Place::Internet | Place::Host => vec!["127.0.0.1", "0"],
            Place::Group { v4, .. } => vec![v4, "0"],
            Place::Path => vec![&path[..]],
        };
        let login = login(example);
        let login: Vec<&str> = login.iter().map(String::as_str).collect();
        let arguments = [&[example.name, "server"], &place[..], &login].concat();
        let out = self.path("out");
        let mut server = self.traced_failing(&arguments, fails);
        server.current_dir(self.directory.path()).env(WITH_PARENT, "1").stdin(Stdio::null());
        server.stdout(fs::File::create(&out).unwrap()).stderr(Stdio::null());
        let mut server = server.spawn().unwrap();
        let mut place = None;
        until("the server is ready or has ended", || {
            let line = fs::read_to_string(&out).unwrap();
            place =
                line.strip_suffix('\n').and_then(|line| line.rsplit(' ').next()).map(String::from);
            place.is_some() || server.try_wait().unwrap().is_some()
        });
        if let Some(place) = place {
            say_hello(example, &place);
        }
        until("every thread of the server waits or has ended", || {
            let idle = |(&thread, text): (&i32, &String)| has_nothing_to_do(thread, text);
            server.try_wait().unwrap().is_some() || self.files().iter().all(idle)
        });
        if server.try_wait().unwrap().is_none() {
            let files = self.files();
            let first = files.iter().find(|(_, text)| text.starts_with("execve("));
            let (&first, _) = first.expect("strace has begun with the program");
            let _ = kill(Pid::from_raw(first), Signal::SIGTERM); // unless it has just ended
        }
        common::wait(&mut server);
    }

    /// Of these calls, those that the program made: the first of each, and the second if there was one.
    fn could_fail(&self, calls: &[&str]) -> Vec<(String, usize)> {
        let files = self.files();
        let mut could = Vec::new();
        for &call in calls {
            let made = |text: &String| text.lines().filter(|line| name_of(line) == call).count();
            let made = files.values().map(made).max().unwrap_or_default();
            // Rust's start-up code asks poll about the standard descriptors, and aborts if it cannot.
            let first = if call == "poll" { 2 } else { 1 };
            could.extend((first..first + 2).filter(|&n| n <= made).map(|n| (call.to_owned(), n)));
        }
        could
    }

    /// netplay under strace with a trace, where the call of this name and number fails in every thread.
    fn traced_failing(&self, arguments: &[&str], fails: Option<(&str, usize)>) -> Command {
        let traced = self.traced(arguments);
        let Some((call, when)) = fails else { return traced };
        let mut strace = Command::new("strace");
        strace.args(["-e", &format!("inject={call}:error=EBADF:when={when}")]);
        strace.args(traced.get_args());
        strace
    }
}

/// Says a line to a server that may have failed already: so it expects nothing, and waits for no answer for
/// long.
fn say_hello(example: &Example, place: &str) {
    let limit = Some(Duration::from_millis(200));
    let mut stream: Box<dyn ReadWrite> = match (example.name, place.parse::<SocketAddr>()) {
        ("udp-echo" | "multicast" | "iterative", Ok(address)) => {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(limit).unwrap();
            let _ = socket.send_to(b"hello\n", address);
            let _ = socket.recv(&mut [0; 100]);
            return;
        }
        (_, Ok(address)) => match TcpStream::connect(address) {
            Ok(stream) => {
                stream.set_read_timeout(limit).unwrap();
                Box::new(stream)
            }
            Err(_) => return,
        },
        (_, Err(_)) => match UnixStream::connect(place) {
            Ok(stream) => {
                stream.set_read_timeout(limit).unwrap();
                Box::new(stream)
            }
            Err(_) => return,
        },
    };
    let _ = stream.write_all(b"hello\n");
    let _ = stream.read(&mut [0; 100]);
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

impl StracedServer {
    /// Our own client under strace, with [`MESSAGES`] on its standard input.
    fn client(
        &self,
        watched: &Watched,
        example: &Example,
        options: &[String],
    ) -> thread::JoinHandle<Output> {
        let place = self.place();
        let mut arguments = vec![example.name, "client", "--timeout", "10"];
        arguments.extend(place.iter().chain(options).map(String::as_str));
        let mut command = watched.traced(&arguments);
        let words = words(example);
        thread::spawn(move || finish(&mut command, words))
    }

    /// As [`client`](StracedServer::client), one of whose calls fails, and to its end.
    fn failing_client(
        &self,
        watched: &Watched,
        example: &Example,
        fails: Option<(&str, usize)>,
    ) -> Output {
        let place = self.place();
        let login = login(example);
        let arguments = [example.name, "client", "--timeout", "1"].into_iter();
        let arguments: Vec<&str> =
            arguments.chain(place.iter().chain(&login).map(String::as_str)).collect();
        finish(&mut watched.traced_failing(&arguments, fails), words(example))
    }

    /// Where it listens, as words of a command line.
    fn place(&self) -> Vec<String> {
        match self.server.place.parse::<SocketAddr>() {
            Ok(address) => vec![address.ip().to_string(), address.port().to_string()],
            Err(_) => vec![self.server.place.clone()],
        }
    }

    /// Stops the server once it has nothing left to do: then strace shows the call that the signal
    /// interrupts, and not one that was just about to return.
    fn stop(self, watched: &Watched) {
        until("every thread of the server waits or has ended", || {
            watched.files().iter().all(|(&thread, text)| has_nothing_to_do(thread, text))
        });
        let files = watched.files();
        // The clients' files begin so too, but have ended.
        let mut server = files
            .iter()
            .filter(|(_, text)| text.starts_with("execve(") && !text.contains("\n+++ exited"));
        let (&server, _) = server.next().expect("the server runs");
        kill(Pid::from_raw(server), Signal::SIGTERM).unwrap();
        let ended = self.server.ended();
        assert!(ended.status.success(), "{:?} {}", ended.status, ended.stderr);
    }
}

/// Whether a thread sleeps in a call that waits, or has ended.
fn has_nothing_to_do(thread: i32, strace: &str) -> bool {
    let last = strace.trim_end().rsplit('\n').next().unwrap_or_default();
    // The line of a call that has not returned has no result yet.
    let in_a_wait = WAITS.contains(&name_of(last)) && split(last).is_none();
    let asleep = || {
        let state = fs::read_to_string(format!("/proc/{thread}/stat")).unwrap_or_default();
        state.rsplit(')').next().is_some_and(|state| state.trim_start().starts_with('S'))
    };
    // A busy loop never sleeps; one that accepts in vain has nothing better to do.
    let busy = last.starts_with("accept4(") && last.contains("EAGAIN");
    last.starts_with("+++") || busy || in_a_wait && asleep()
}

// ---- strace's words ----

/// The calls of one thread that are ours to tell, in the order in which they returned to the
/// program.
///
/// strace prints `?` for a call that a signal interrupted. What became of it is the result of the
/// `rt_sigreturn` that ends the handler: EINTR, and then this is what the program is told, after
/// whatever the handler did; or the kernel makes the call again, and then it stands once more below.
/// Of epoll_wait and io_uring_enter, which are never made again, it prints EINTR at once: but to the
/// program they too return when the handler has run.
fn calls_in(strace: &str) -> Vec<String> {
    let mut calls = Vec::new();
    let mut interrupted = None;
    let mut handlers = Vec::new();
    let started = strace.lines().filter_map(split).filter(|(call, _)| starts_a_program(call));
    let started: Vec<String> = started.map(|(_, pid)| format!("wait4({pid},")).collect();
    for line in without_questions(strace) {
        if line.starts_with("--- ") {
            handlers.push(interrupted.take());
            continue;
        }
        interrupted = None;
        let Some((call, result)) = split(line) else { continue };
        if name_of(line) == "rt_sigreturn" {
            let call = handlers.pop().flatten();
            if let Some(call) = call.filter(|_| result.starts_with("-1 EINTR")) {
                calls.push(same_words(&format!("{call} = {result}")));
            }
        } else if is_ours(call) && (result.starts_with('?') || result.starts_with("-1 EINTR")) {
            interrupted = Some(call.to_owned());
        } else if is_ours(call) && !started.iter().any(|waits| call.starts_with(waits)) {
            calls.push(same_words(line));
        }
    }
    calls
}

/// The lines without those about a netlink socket: over one, a hint asks the kernel who has an address,
/// after the program has failed.
fn without_questions(strace: &str) -> impl Iterator<Item = &str> {
    let mut netlink = None;
    strace.lines().filter(move |line| {
        if let Some((call, fd)) =
            split(line).filter(|(call, _)| call.starts_with("socket(AF_NETLINK"))
        {
            assert!(call.contains("SOCK_CLOEXEC"), "{line}");
            netlink = fd.split('<').next();
            return false;
        }
        let Some(fd) = netlink else { return true };
        let about =
            line.split_once('(').is_some_and(|(_, args)| args.starts_with(&format!("{fd}<")));
        if about && name_of(line) == "close" {
            netlink = None;
        }
        !about
    })
}

/// Whether the call layer would make this call. A file's `close` is none of its affairs, nor is the
/// Rust runtime's look at the three standard descriptors, nor a new thread.
fn is_ours(call: &str) -> bool {
    const KINDS: [&str; 3] = ["<socket:[", "<anon_inode:[eventpoll]", "<anon_inode:[io_uring]"];
    match name_of(call) {
        "socket" | "socketpair" | "epoll_create1" | "io_uring_setup" => true,
        "splice" | "sync_file_range" => true,
        "wait4" | "waitid" | "kill" | "rt_sigtimedwait" => true,
        "fcntl" if call.contains("F_SETLK") => true, // a lock on a file, whichever it is
        "ppoll" if call.starts_with("ppoll([], ") => true, // a wait for a signal only
        // The C library and the runtime hold signals back, too: all of them, or those that end us.
        "rt_sigprocmask" => call.contains("[IO]"),
        "fork" | "vfork" | "clone" | "clone3" => {
            !call.contains("CLONE_THREAD") && !starts_a_program(call)
        }
        _ => {
            let mut ours = false;
            outside_strings(call, |text| {
                ours |= KINDS.iter().any(|kind| text.contains(kind));
                text.to_owned()
            });
            ours
        }
    }
}

/// How the standard library starts a program, and waits for it: no fork of a page.
fn starts_a_program(call: &str) -> bool {
    call.contains("CLONE_VFORK")
}

pub(super) fn name_of(line: &str) -> &str {
    line.split('(').next().unwrap_or_default()
}

/// The two halves of a line: `close(3)` and `0`.
pub(super) fn split(line: &str) -> Option<(&str, &str)> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for (i, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted && depth == 1 => {
                let result = line[i + 1..].trim_start().strip_prefix("= ")?;
                return Some((&line[..=i], result));
            }
            b')' if !quoted => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A line of strace or of `-v` without what cannot be the same in both:
///
/// - the spaces that strace puts before the result;
/// - what `strace -y` says behind a descriptor;
/// - memory addresses: where the kernel filled no buffer there is nothing else to show;
/// - of the rings, how they lie in memory, what else this kernel can do, and flags that are newer than
///   this strace;
/// - where fork's child finds its own number, an address that only the C library knows;
/// - the nanoseconds that `select` has left: its `timeval` has room for microseconds;
/// - that it was strace which made the call fail;
/// - all that `ppoll` has left: the C library keeps it to itself (ppoll(2), C library differences).
fn same_words(line: &str) -> String {
    let Some((call, result)) = split(line) else { return line.to_owned() };
    let call = outside_strings(call, |text| without_addresses(&without_kinds(text)));
    let mut result = without_nanoseconds(&without_kinds(result));
    if call.starts_with("ppoll(")
        && let Some((ready, _)) = result.split_once(", left ")
    {
        result = format!("{ready})");
    }
    let result = result.trim_end_matches(" (INJECTED)");
    format!("{} = {result}", without_layout(&call.replace(", child_tidptr=0x...", "")))
}

/// `io_uring_setup(1, {flags=0, …, sq_entries=1, cq_entries=2, features=…, sq_off={…}, cq_off={…}})`
fn without_layout(call: &str) -> String {
    let Some(rings) = call.strip_prefix("io_uring_setup(") else { return call.to_owned() };
    let entries =
        rings.split(", ").filter(|word| word.contains("entries=") && !word.contains("ring_"));
    let flags =
        rings.split(", ").skip(1).take(1).map(|flags| match flags.trim_end_matches([')', '}']) {
            "{flags=0" => "{flags=0",
            _ => "{flags=...",
        });
    let kept: Vec<&str> = rings.split(", ").take(1).chain(flags).chain(entries).collect();
    format!("io_uring_setup({})", kept.join(", ").trim_end_matches(['}', ')']))
}

pub(super) fn outside_strings(text: &str, mut change: impl FnMut(&str) -> String) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, string)) = rest.split_once('"') {
        let mut escaped = false;
        let end = string.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let (string, after) = string.split_at(end.expect("strace closes its strings"));
        out += &format!("{}\"{string}\"", change(before));
        rest = &after[1..];
    }
    out + &change(rest)
}

pub(super) fn without_kinds(text: &str) -> String {
    let mut parts = text.split('<');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let behind = part.split_once('>').expect("strace closes its brackets").1;
        // A file that has lost its name since it was opened.
        out += behind.strip_prefix("(deleted)").unwrap_or(behind);
    }
    out
}

pub(super) fn without_addresses(text: &str) -> String {
    let mut parts = text.split("0x");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out += "0x...";
        out += part.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == '.');
    }
    out
}

fn without_nanoseconds(result: &str) -> String {
    let Some((before, left)) = result.split_once("left {tv_sec=") else {
        return result.to_owned();
    };
    let (seconds, nanoseconds) = left.split_once(", tv_nsec=").unwrap();
    let microseconds = nanoseconds.split('}').next().unwrap().parse::<u64>().unwrap() / 1000;
    format!("{before}left {seconds} s and {microseconds} µs)")
}

// ---- the comparison ----

/// A signal that came while a `recv` was about to return 0 is handled on its way out, and no clock of the program
/// lies between the two: what the handler shuts down, the socket of the `recv` among it, may be told before the 0
/// that it seems to have caused. And where another process has shut the listener down, an `accept` may fail before
/// or after the handler finds it so.
fn on_the_way_out(told: &mut [String], seen: &[String]) {
    let shuts = |call: &String| call.starts_with("shutdown(");
    let ends = |handler: &String, call: &String| {
        let fd = handler.trim_start_matches("shutdown(").split(',').next().unwrap_or_default();
        let too_late = handler.contains(" = -1 ENOTCONN") && call.contains(" = -1 EINVAL");
        call.starts_with(&format!("recvfrom({fd}, \"\"")) && call.ends_with(" = 0")
            || call.starts_with(&format!("accept4({fd}, ")) && too_late
    };
    for first in 0..told.len().min(seen.len()) {
        let (told, seen) = (&mut told[first..], &seen[first..]);
        let handler = told.iter().take_while(|call| shuts(call)).count();
        if (1..told.len().min(seen.len())).contains(&handler) {
            let (shut, call) = (&told[..handler], &told[handler]);
            if shut.iter().any(|shut| ends(shut, call))
                && seen[0] == *call
                && seen[1..=handler] == *shut
            {
                told[..=handler].rotate_right(1);
            }
            continue;
        }
        let handler = told[1..].iter().take_while(|call| shuts(call)).count();
        if (1..seen.len()).contains(&handler) {
            let (call, shut) = (&told[0], &told[1..=handler]);
            if call.starts_with("accept4(")
                && shut.iter().any(|shut| ends(shut, call))
                && seen[..handler] == *shut
                && seen[handler] == *call
            {
                told[..=handler].rotate_left(1);
            }
        }
    }
}

#[test]
fn only_a_recv_that_returned_zero_may_have_come_before_the_handler() {
    let (shutdown, end) = ("shutdown(4, SHUT_RDWR) = 0", "recvfrom(4, \"\", 9, 0, NULL, NULL) = 0");
    let no_listener = "accept4(4, 0x..., [128], SOCK_CLOEXEC) = -1 EINVAL (Invalid argument)";
    let refused = "shutdown(4, SHUT_RDWR) = -1 ENOTCONN (Transport endpoint is not connected)";
    let other = "shutdown(3, SHUT_RDWR) = -1 ENOTCONN (Transport endpoint is not connected)";
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    for (told, seen, moved) in [
        (&[shutdown, end][..], &[end, shutdown][..], true),
        (&[shutdown, end], &[shutdown, end], false),
        (&[other, shutdown, end], &[end, other, shutdown], true),
        (&[other, end], &[end, other], false),
        (&[other, shutdown, end], &[end, shutdown, other], false),
        (&[shutdown, "recvfrom(5, \"\", 9) = 0"], &["recvfrom(5, \"\", 9) = 0", shutdown], false),
        (&[shutdown, "close(4) = 0"], &["close(4) = 0", shutdown], false),
        (&[refused, no_listener], &[no_listener, refused], true),
        (&[no_listener, refused], &[refused, no_listener], true),
        (&[no_listener, shutdown], &[shutdown, no_listener], false),
        (&[end, shutdown], &[shutdown, end], false),
    ] {
        let mut put = lines(told);
        on_the_way_out(&mut put, &lines(seen));
        assert_eq!(put, lines(if moved { seen } else { told }), "{told:?}");
    }
}

/// Whether the record tells what strace saw; if not, the first difference, and of which kind it is.
fn same(told: &[String], seen: &[String]) -> Result<(), String> {
    let both = told.iter().zip(seen).take_while(|(told, seen)| told == seen).count();
    let (rest_told, rest_seen) = (&told[both..], &seen[both..]);
    let why = match (rest_told.first(), rest_seen.first()) {
        (None, None) => return Ok(()),
        (None, Some(seen)) => format!("missing at the end: {seen}"),
        (Some(told), None) => format!("invented at the end: {told}"),
        (Some(told), Some(seen)) => match (rest_seen.contains(told), rest_told.contains(seen)) {
            (true, true) => format!("out of order: {told}\n   strace has first: {seen}"),
            (true, false) => format!("missing: {seen}"),
            (false, true) => format!("invented: {told}"),
            (false, false) => format!("told:   {told}\n   strace: {seen}"),
        },
    };
    let before = both.checked_sub(1).map_or("nothing", |last| &seen[last]);
    Err(format!("{why}\n   after {both} equal calls, the last of them: {before}"))
}

#[test]
fn the_comparison_finds_a_missing_an_invented_a_reordered_and_a_changed_call() {
    let lines = |text: &str| -> Vec<String> { text.split("; ").map(String::from).collect() };
    let seen = lines("socket() = 3; bind(3) = 0; listen(3) = 0; close(3) = 0");
    let finds = |told: &str| same(&lines(told), &seen).unwrap_err();
    assert_eq!(same(&seen, &seen), Ok(()));
    assert!(finds("socket() = 3; listen(3) = 0; close(3) = 0").starts_with("missing: bind(3) = 0"));
    assert!(finds("socket() = 3; bind(3) = 0; listen(3) = 0").starts_with("missing at the end"));
    assert!(
        finds("socket() = 3; bind(3) = 0; recv(3) = 5; listen(3) = 0; close(3) = 0")
            .starts_with("invented: recv(3) = 5")
    );
    assert!(
        finds("socket() = 3; bind(3) = 0; listen(3) = 0; close(3) = 0; close(3) = 0")
            .starts_with("invented at the end")
    );
    assert!(
        finds("socket() = 3; listen(3) = 0; bind(3) = 0; close(3) = 0").starts_with("out of order")
    );
    assert!(
        finds("socket() = 3; bind(3) = -1; listen(3) = 0; close(3) = 0")
            .starts_with("told:   bind")
    );
}

#[test]
fn of_strace_only_the_calls_on_sockets_and_processes_count() {
    let strace = r#"execve("netplay", ["netplay"], 0x7ffcb0a1a5a0 /* 35 vars */) = 0
close(3</etc/ld.so.cache>)              = 0
poll([{fd=0</dev/null>, events=0}], 1, 0) = 0 (Timeout)
socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 3<socket:[1]>
clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 7
clone(child_stack=NULL, flags=SIGCHLD, child_tidptr=0x7fb42c9d1c10) = 8
sendto(4<socket:[2]>, ") = 1 <x> 0x5 \"", 15, 0, NULL, 0)  = 15
write(4, "<socket:[1]", 11) = 11
exit_group(0)                           = ?
+++ exited with 0 +++
"#;
    assert_eq!(
        calls_in(strace),
        [
            "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 3",
            "clone(child_stack=NULL, flags=SIGCHLD) = 8",
            r#"sendto(4, ") = 1 <x> 0x5 \"", 15, 0, NULL, 0) = 15"#,
        ]
    );
}

#[test]
fn an_interrupted_call_counts_once_with_what_the_program_is_told() {
    let restarted = "accept4(3<socket:[1]>, 0x7ffc, [128], 0) = ? ERESTARTSYS (To be restarted)
--- SIGTERM {si_signo=SIGTERM} ---
shutdown(3<socket:[1]>, SHUT_RDWR) = 0
rt_sigreturn({mask=[]}) = 288
accept4(3<socket:[1]>, 0x7ffc, [128], 0) = -1 EINVAL (Invalid argument)
";
    assert_eq!(
        calls_in(restarted),
        [
            "shutdown(3, SHUT_RDWR) = 0",
            "accept4(3, 0x..., [128], 0) = -1 EINVAL (Invalid argument)"
        ]
    );
    let ended = "ppoll([{fd=3<socket:[1]>}], 1) = ? ERESTARTNOHAND (To be restarted if no handler)
--- SIGCHLD {si_signo=SIGCHLD} ---
--- SIGTERM {si_signo=SIGTERM} ---
shutdown(3<socket:[1]>, SHUT_RDWR) = 0
rt_sigreturn({mask=[]}) = 0
rt_sigreturn({mask=[]}) = -1 EINTR (Interrupted system call)
";
    assert_eq!(
        calls_in(ended),
        ["shutdown(3, SHUT_RDWR) = 0", "ppoll([{fd=3}], 1) = -1 EINTR (Interrupted system call)"]
    );
    let never_restarted =
        "epoll_wait(4<anon_inode:[eventpoll]>, 0x7ffc, 256, -1) = -1 EINTR (Inter)
--- SIGTERM {si_signo=SIGTERM} ---
shutdown(3<socket:[1]>, SHUT_RDWR) = 0
rt_sigreturn({mask=[]}) = -1 EINTR (Interrupted system call)
";
    assert_eq!(
        calls_in(never_restarted),
        [
            "shutdown(3, SHUT_RDWR) = 0",
            "epoll_wait(4, 0x..., 256, -1) = -1 EINTR (Interrupted system call)"
        ]
    );
}
