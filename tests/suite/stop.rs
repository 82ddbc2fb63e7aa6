//! A server that is told to stop stops: by either signal, whatever its clients do.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{self, Server, udp, until};
use crate::rows::{
    self, Kind, Running, concurrent, datagrams, process, push, sees_the_end, start, start_at,
    start_with_files, streams,
};
use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::signal::Signal::{self, SIGINT, SIGKILL, SIGTERM};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use socket2::Socket;

/// A server ends within a second; the other one is for a machine that is busy with something else.
const SOON: Duration = Duration::from_secs(2);

/// Every row, with what `clients` brings about, ends well by either signal; and then it is gone:
/// no child process, no connection, no port.
fn stops(options: &[&str], clients: fn(&Running, &Kind) -> Vec<Socket>) {
    for kind in streams() {
        for signal in [SIGINT, SIGTERM] {
            let what = format!("{kind} {options:?} {signal}");
            let server = start(&kind, options);
            let clients = clients(&server, &kind);
            let (port, children) = (port_of(&server), server.children());
            ends_well(server.server, signal, &what);
            let left: Vec<_> = children.into_iter().filter_map(process).map(|p| p.id).collect();
            assert!(left.is_empty(), "{what}: it left its children {left:?}");
            for mut client in clients {
                sees_the_end(&mut client, &what);
            }
            if let Some(port) = port {
                start_at(&port, &kind, &["-q"]).serves(&what);
            }
        }
    }
}

/// The signal ends the server, with exit code 0 and soon.
fn ends_well(mut server: Server, signal: Signal, what: &str) {
    let start = Instant::now();
    server.signal(signal);
    until(&format!("{what}: the server ends"), || server.child.try_wait().unwrap().is_some());
    let took = start.elapsed();
    let ended = server.ended();
    assert!(ended.status.success(), "{what}: {:?} {}", ended.status, ended.stderr);
    assert!(took < SOON, "{what}: it took {took:?}");
}

fn port_of(server: &Server) -> Option<String> {
    server.place.rsplit_once(':').map(|(_, port)| port.to_owned())
}

#[test]
fn an_idle_server_stops() {
    stops(&[], |_, _| Vec::new());
}

#[test]
fn a_server_with_silent_clients_stops() {
    stops(&[], silent);
}

/// One client that was answered and one that never spoke: where they are served in turn, it waits
/// in the queue.
fn silent(server: &Running, _: &Kind) -> Vec<Socket> {
    let mut first = server.connect();
    rows::echoes(&mut first, b"hello", "silent");
    vec![first, server.connect()]
}

/// The signal comes to one thread; all of them end.
#[test]
fn a_server_with_workers_stops() {
    let epoll = Kind { options: vec!["--workers", "3"], ..rows::kind("epoll") };
    for signal in [SIGINT, SIGTERM] {
        let server = start(&epoll, &[]);
        let mut clients: Vec<Socket> = (0..8).map(|_| server.connect()).collect();
        clients.iter_mut().for_each(|client| rows::echoes(client, b"hello", "a worker"));
        ends_well(server.server, signal, "epoll with workers");
        clients.iter_mut().for_each(|client| sees_the_end(client, "epoll with workers"));
    }
}

#[test]
fn a_server_without_a_free_place_stops() {
    stops(&["--max-clients", "1"], silent);
}

#[test]
fn a_server_at_its_last_client_stops() {
    stops(&["--once"], silent);
}

#[test]
fn a_server_whose_client_takes_nothing_stops() {
    stops(&[], |server, _| {
        let mut client = server.connect();
        push(&mut client, &vec![b'x'; 50_000_000]);
        vec![client]
    });
}

#[test]
fn a_server_under_load_stops() {
    stops(&[], |server, kind| {
        let clients: Vec<Socket> = (0..3).map(|_| server.connect()).collect();
        let busy = if kind.in_turn() { &clients[..1] } else { &clients };
        for client in busy {
            let (mut reader, mut writer) =
                (client.try_clone().unwrap(), client.try_clone().unwrap());
            // Both end when the server ends the connection.
            thread::spawn(move || while writer.write_all(&[b'x'; 1000]).is_ok() {});
            let mut buf = [0; 4096];
            reader.read_exact(&mut buf).unwrap();
            thread::spawn(move || while let Ok(1..) = reader.read(&mut buf) {});
        }
        clients
    });
}

/// One thread serves all: in one turn each of them is to be answered, and every answer is work.
#[test]
fn a_server_with_much_work_stops() {
    let one_thread = ["nonblocking", "select", "poll", "epoll", "io-uring"];
    thread::scope(|scope| {
        for kind in concurrent().filter(|kind| one_thread.contains(&kind.row.name)) {
            scope.spawn(move || {
                let server = start(&kind, &["--work", "500"]);
                let mut clients: Vec<Socket> = (0..8).map(|_| server.connect()).collect();
                clients.iter_mut().for_each(|client| client.write_all(b"work").unwrap());
                // Whoever has been answered was accepted: from now on all can have one turn.
                for client in &mut clients {
                    client.read_exact(&mut [0; 4]).unwrap();
                }
                clients.iter_mut().for_each(|client| client.write_all(b"work").unwrap());
                // It has seen all of them when it answers.
                until("an answer", || {
                    clients.iter().any(|client| rows::ready(client, PollFlags::POLLIN, 0))
                });
                ends_well(server.server, SIGTERM, &format!("{kind} with much work"));
            });
        }
    });
}

/// It looks away from its listener then; but not from the signal.
#[test]
fn a_server_out_of_descriptors_stops() {
    for kind in concurrent().filter(|kind| !kind.forks()) {
        let server = start_with_files(16, &kind, kind.for_many());
        let _clients: Vec<Socket> = (0..16).map(|_| server.connect()).collect();
        until(&format!("{kind} is out of descriptors"), || {
            server.stderr().contains(&crate::rows::out_of_descriptors())
        });
        ends_well(server.server, SIGTERM, &format!("{kind}, out of descriptors"));
    }
}

/// A queue that is never empty must not keep the server from looking up.
#[test]
fn a_datagram_server_under_load_stops() {
    for kind in datagrams() {
        let server = start(&kind, &["--work", "1"]);
        let address = server.address();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let _over = SetWhenDropped(&over);
            for _ in 0..2 {
                scope.spawn(|| {
                    let socket = udp();
                    while !over.load(Relaxed) {
                        let _ = socket.send_to(b"again", address);
                    }
                });
            }
            until("more comes than is answered", || lost_datagrams(address.port()) > 0);
            ends_well(server.server, SIGINT, &kind.to_string());
        });
    }
}

/// How many datagrams found the port's queue full: the last column of /proc/net/udp.
fn lost_datagrams(port: u16) -> u64 {
    let table = fs::read_to_string("/proc/net/udp").unwrap();
    let at = format!("0100007F:{port:04X}");
    let line = table.lines().find(|line| line.split_whitespace().nth(1) == Some(&at)).unwrap();
    line.split_whitespace().last().unwrap().parse().unwrap()
}

/// Ends the load even if the test fails.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn an_idle_datagram_server_stops_and_leaves_its_port() {
    for kind in datagrams() {
        for signal in [SIGINT, SIGTERM] {
            let server = start(&kind, &[]);
            let port = server.port();
            ends_well(server.server, signal, &kind.to_string());
            start_at(&port, &kind, &["-q"]);
        }
    }
}

/// Whoever starts it may have blocked them for himself, and a mask is inherited.
#[test]
fn a_server_hears_signals_that_its_parent_has_blocked() {
    for signal in [SIGINT, SIGTERM, Signal::SIGHUP] {
        let mut env = std::process::Command::new("env");
        env.args(["--block-signal=INT,TERM,HUP", env!("CARGO_BIN_EXE_netplay")]);
        let server = Server::of("iterative").run_by(env).aloud().arg("--tcp").start();
        ends_well(server, signal, &format!("blocked {signal}"));
    }
}

/// The first signal asks; but the server is busy with an answer that takes a second. The second one
/// does not ask.
#[test]
fn a_second_signal_ends_a_server_at_once() {
    for kind in streams() {
        let directory = tempfile::tempdir().unwrap();
        let trace = directory.path().join("trace").display().to_string();
        let server = start(&kind, &["--work", "1000", "--trace", &trace]);
        server.connect().write_all(b"take-your-time").unwrap();
        until("the server has received the message", || {
            fs::read_to_string(&trace).unwrap().contains("take-your-time")
        });
        let children = server.children();
        server.signal(SIGINT);
        let ended = server.stop_by(SIGTERM);
        let by = ended.status.signal();
        assert!(
            by == Some(SIGINT as i32) || by == Some(SIGTERM as i32),
            "{}: {:?}",
            kind,
            ended.status
        );
        gone(&children);
    }
}

/// Waits until none of these processes is left but as a zombie of somebody else's.
fn gone(children: &[u32]) {
    until("the children have ended", || {
        children.iter().all(|&child| process(child).is_none_or(|child| child.zombie))
    });
}

#[test]
fn a_forking_server_takes_its_children_along_when_it_is_killed() {
    for kind in streams().filter(Kind::forks_for_each) {
        let server = start(&kind, &[]);
        let mut clients: Vec<Socket> = (0..3).map(|_| server.connect()).collect();
        for client in &mut clients {
            rows::echoes(client, b"hello", "a forked child");
        }
        let children = server.children();
        assert_eq!(children.len(), 3, "{kind}");
        let ended = server.stop_by(SIGKILL);
        assert_eq!(ended.status.signal(), Some(SIGKILL as i32), "{kind}");
        gone(&children);
        for client in &mut clients {
            sees_the_end(client, &kind.to_string());
        }
    }
}

/// All that came from a process, once it is what it is to be: between fork and exec it is still a copy.
fn descendants(of: u32) -> Vec<u32> {
    let line = |pid: u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let everybody: Vec<_> = rows::processes().collect();
    let mut all = vec![of];
    let mut next = 0;
    while let Some(&pid) = all.get(next) {
        all.extend(everybody.iter().filter(|it| it.parent == pid).map(|it| it.id));
        next += 1;
    }
    let copy = |&pid: &u32| line(pid) == line(of);
    if all.iter().skip(1).any(copy) { Vec::new() } else { all.split_off(1) }
}

/// A demo, a lab or a bench that is ended ends all that came from it, and waits for that: also what was
/// stopped, and what lost its parent.
#[test]
fn nothing_of_a_demo_outlives_it() {
    let server = |all: &[u32]| all[0];
    // Which signal, to all but the first, or to the first alone; then SIGTERM to the whole?
    for (line, many, stopped, killed, term) in [
        ("prefork demo -q", 4, true, false, true),
        ("prefork demo -q", 4, false, false, true),
        ("prefork demo -q", 4, true, true, false),
        ("fork demo -q", 3, true, true, false),
        ("handler demo -q", 2, true, false, true),
        ("lab forkfd --no-ask -q", 2, false, false, true),
        ("lab halfclose --no-ask -q", 2, true, false, true),
        ("models -q", 1, false, false, true),
        ("bench --models prefork --connections 4 --rounds 1 -q", 4, true, false, true),
    ] {
        let what = format!("{line}: stopped {stopped}, server killed {killed}");
        let mut whole = common::netplay();
        let whole = whole.args(line.split(' ')).stdin(Stdio::null());
        let mut whole = whole.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut all = Vec::new();
        until(&format!("{what}: all of it is there"), || {
            all = descendants(whole.id());
            all.len() >= many
        });
        // One of them may just have ended by itself.
        let signal = |pid: u32, signal| match kill(Pid::from_raw(pid.cast_signed()), signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => panic!("{what}: {error}"),
        };
        if stopped {
            all.iter().skip(usize::from(killed)).for_each(|&pid| signal(pid, Signal::SIGSTOP));
        }
        if killed {
            signal(server(&all), SIGKILL);
        }
        if term {
            signal(whole.id(), SIGTERM);
        }
        let start = Instant::now();
        let status = common::wait(&mut whole);
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        assert_eq!(code, Some(if term { 128 + SIGTERM as i32 } else { 1 }), "{what}");
        // A bench asks a server to end and waits for three seconds before it ends it; the machine may be busy.
        assert!(start.elapsed() < Duration::from_secs(10), "{what}: {:?}", start.elapsed());
        let left: Vec<_> = all.into_iter().filter_map(process).map(|it| it.id).collect();
        assert!(left.is_empty(), "{what}: it left {left:?}");
    }
}
