//! What is special about a fixed number of workers, be they processes or threads.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::common::{self, Server, ask, have, netplay, skip, until};
use crate::rows::{Kind, Running, echoes, process, ready, sees_the_end, start, start_at, streams};
use netplay::child::WITH_PARENT;
use nix::poll::PollFlags;
use nix::sys::signal::Signal::{self, SIGKILL, SIGTERM};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use socket2::Socket;

/// Both pages, with each way to accept.
fn pools() -> impl Iterator<Item = Kind> {
    streams().filter(|kind| kind.options.contains(&"--accept"))
}

/// Those whose workers are processes.
fn preforked() -> impl Iterator<Item = Kind> {
    pools().filter(Kind::forks)
}

/// A client that has sent something, and may have to wait for the answer.
fn asks(server: &Running) -> Socket {
    let mut client = server.connect();
    client.write_all(b"hello").unwrap();
    client
}

fn is_answered(client: &mut Socket, what: &str) {
    let mut answer = [0; 5];
    client.read_exact(&mut answer).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(&answer, b"hello", "{what}");
}

fn waits(client: &Socket) -> bool {
    !ready(client, PollFlags::POLLIN, 200)
}

/// The server's workers, once there are so many and all of them live.
fn workers(server: &Running, how_many: usize) -> Vec<u32> {
    let mut found = Vec::new();
    until(&format!("there are {how_many} workers"), || {
        found = server.children();
        found.len() == how_many && found.iter().all(|&id| process(id).is_some_and(|p| !p.zombie))
    });
    found
}

fn send(signal: Signal, process: u32) {
    kill(Pid::from_raw(process.cast_signed()), signal).unwrap();
}

// ---- how many ----

#[test]
fn a_pool_of_two_serves_two_and_the_third_waits() {
    for kind in pools().filter(|kind| !kind.by_lot()) {
        let server = start(&kind, &["--workers", "2"]);
        let (mut first, mut second) = (server.connect(), server.connect());
        echoes(&mut first, b"hello", "the first");
        echoes(&mut second, b"hello", "the second");
        let mut third = asks(&server); // connected at once: the kernel connects
        assert!(waits(&third), "{kind}: the third is served beside the two");
        echoes(&mut first, b"still here", "the first");
        drop(second);
        is_answered(&mut third, &format!("{kind}: when the second has left, the third"));
        echoes(&mut first, b"still here", "the first");
    }
}

#[test]
fn there_are_no_more_workers_than_clients_to_be_served_at_once() {
    for kind in preforked() {
        workers(&start(&kind, &["--workers", "8", "--max-clients", "3"]), 3);
        workers(&start(&kind, &["--workers", "8", "--once"]), 1);
        workers(&start(&kind, &[]), 4);
    }
}

#[test]
fn a_number_of_workers_that_cannot_be_is_refused_before_anything_is_begun() {
    for example in ["prefork", "pool"] {
        for number in ["0", "257", "-1", "some"] {
            let option = format!("--workers={number}");
            let output = common::run(&[example, "server", "127.0.0.1", "0", &option], b"");
            assert_eq!(output.status.code(), Some(2), "{example} {option}: {output:?}");
            assert!(output.stdout.is_empty(), "{example} {option}");
        }
    }
}

#[test]
fn a_client_costs_no_fork_and_every_client_is_counted() {
    for kind in preforked() {
        let server = start_at("0", &kind, &["--workers", "2"]);
        let before = workers(&server, 2);
        (0..6).for_each(|_| server.serves("one of six"));
        assert_eq!(workers(&server, 2), before, "{kind}");
        let told = server.stop().stderr;
        assert_eq!(told.matches(" fork  ").count(), 2, "{kind}: {told}");
        assert!(told.contains("prefork: 6 clients"), "{kind}: {told}");
    }
}

// ---- workers that end ----

#[test]
fn a_killed_worker_is_replaced() {
    for kind in preforked() {
        for signal in [SIGKILL, SIGTERM] {
            let what = format!("{kind} {signal}");
            let server = start(&kind, &["--workers", "3"]);
            // All of them, for one is in accept, and has the lock if there is one.
            for old in workers(&server, 3) {
                send(signal, old);
                until(&format!("{what}: it is gone, and no zombie"), || process(old).is_none());
                let new = workers(&server, 3);
                assert!(!new.contains(&old), "{what}");
            }
            (0..6).for_each(|_| server.serves(&what));
            assert!(server.stop().status.success(), "{what}");
        }
    }
}

#[test]
fn a_killed_worker_takes_its_own_client_along_only() {
    for kind in preforked().filter(|kind| !kind.by_lot()) {
        for signal in [SIGKILL, SIGTERM] {
            let what = format!("{kind} {signal}");
            let server = start(&kind, &["--workers", "2"]);
            let all = workers(&server, 2);
            let mut clients = [server.connect(), server.connect()];
            clients.iter_mut().for_each(|client| echoes(client, b"hello", &what));
            send(signal, all[0]);
            until(&format!("{what}: one of the connections ends"), || {
                clients.iter().any(|client| ready(client, PollFlags::POLLIN, 10))
            });
            let lost = usize::from(ready(&clients[1], PollFlags::POLLIN, 0));
            sees_the_end(&mut clients[lost], &what);
            echoes(&mut clients[1 - lost], b"still here", &what);
            server.serves(&what);
        }
    }
}

/// With a listener of its own, too: its parent holds it for the successor.
#[test]
fn the_queue_of_a_killed_worker_goes_to_its_successor() {
    for kind in preforked() {
        let server = start(&kind, &["--workers", "1"]);
        let mut served = server.connect();
        echoes(&mut served, b"hello", "the client of the first worker");
        let mut queued = asks(&server);
        send(SIGKILL, workers(&server, 1)[0]);
        sees_the_end(&mut served, &kind.to_string());
        is_answered(&mut queued, &format!("{kind}: the client in the queue"));
    }
}

/// Each is killed as soon as it is seen: a server without patience would fork a thousand of them.
#[test]
fn workers_that_die_at_once_are_forked_once_a_second() {
    let server = start(&preforked().next().unwrap(), &["--workers", "1"]);
    let begun = Instant::now();
    let mut seen = BTreeSet::new();
    until("three seconds are over", || {
        for child in server.children() {
            if seen.insert(child) {
                send(SIGKILL, child);
            }
        }
        begun.elapsed() > Duration::from_secs(3)
    });
    assert!((2..=4).contains(&seen.len()), "{} workers in three seconds", seen.len());
    server.serves("when nobody kills them any more");
}

/// strace makes the kernel refuse the second fork.
#[test]
fn a_worker_that_cannot_be_forked_is_told_and_tried_again() {
    if !have("strace") {
        return skip("no strace");
    }
    let netplay = netplay();
    let mut strace = Command::new("strace");
    strace.args(["-o", "/dev/null", "-e", "inject=clone:error=EAGAIN:when=2"]);
    strace.arg(netplay.get_program()).args(["prefork", "server", "0", "--workers", "2"]);
    strace.args(["--reply", "echo"]).env(WITH_PARENT, "1");
    let server = Server::from(&mut strace);
    let mut clients = [server.connect(), server.connect()];
    // The second of them is the missing worker's.
    for client in &mut clients {
        assert_eq!(ask(client, b"hello", 5), b"hello");
    }
    let told = server.stderr();
    assert_eq!(told.matches(": fork: ").count(), 1, "{told}");
}

#[test]
fn no_child_outlives_the_parent() {
    for kind in preforked() {
        let server = start(&kind, &["--workers", "3"]);
        let mut client = server.connect();
        echoes(&mut client, b"hello", "a worker's client");
        let children = workers(&server, 3);
        server.stop_by(SIGKILL);
        until(&format!("{kind}: the workers have ended"), || {
            children.iter().all(|&child| process(child).is_none_or(|child| child.zombie))
        });
        sees_the_end(&mut client, &kind.to_string());
    }
}

// ---- who accepts ----

/// How many of the server's workers are in this call, as the kernel says; `None` if it does not.
fn workers_in(call: i64, server: &Running, kind: &Kind) -> Option<usize> {
    let id = server.child.id();
    let tasks: Vec<String> = match kind.forks() {
        true => server.children().iter().map(|id| format!("/proc/{id}/syscall")).collect(),
        false => {
            let threads = fs::read_dir(format!("/proc/{id}/task")).unwrap();
            threads.map(|thread| format!("{}/syscall", thread.unwrap().path().display())).collect()
        }
    };
    let mut count = 0;
    for task in tasks {
        let text = fs::read_to_string(task).ok()?;
        count += usize::from(text.split(' ').next() == Some(&call.to_string()));
    }
    Some(count)
}

/// Waits until so many workers are in accept, and the others, if any, in the call that waits for a
/// lock.
fn in_accept(options: [&str; 2], how_many: usize) {
    for kind in pools().filter(|kind| kind.options == options) {
        let server = start(&kind, &["--workers", "4"]);
        let lock = if kind.forks() { libc::SYS_fcntl } else { libc::SYS_futex };
        if workers_in(lock, &server, &kind).is_none() {
            return skip("no /proc/PID/syscall");
        }
        let count = |call| workers_in(call, &server, &kind);
        let settled =
            || count(libc::SYS_accept4).zip(count(lock)) == Some((how_many, 4 - how_many));
        until(&format!("{kind}: {how_many} in accept"), settled);
        // The one that had the turn is busy: the next one has it.
        let mut client = server.connect();
        echoes(&mut client, b"hello", "a client that stays");
        let after = how_many.min(3);
        let settled = || count(libc::SYS_accept4).zip(count(lock)) == Some((after, 3 - after));
        until(&format!("{kind}: {after} in accept beside a client"), settled);
    }
}

#[test]
fn with_a_lock_only_one_worker_waits_in_accept() {
    in_accept(["--accept", "lock"], 1);
}

#[test]
fn without_a_lock_all_workers_wait_in_accept() {
    in_accept(["--accept", "shared"], 4);
    in_accept(["--accept", "reuseport"], 4);
}

/// The inodes of the sockets that listen at the server's port: the last columns of /proc/net/tcp.
fn listeners(server: &Running) -> BTreeSet<String> {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let at = format!("0100007F:{:04X}", server.address().port());
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let listening = lines.filter(|words| words[1] == at && words[3] == "0A");
    listening.map(|words| words[9].to_owned()).collect()
}

/// The inodes of the sockets that a process holds.
fn sockets(process: u32) -> BTreeSet<String> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let names = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let inode = |name: &str| Some(name.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned());
    names.filter_map(|name| inode(name.to_str()?)).collect()
}

#[test]
fn reuseport_gives_each_worker_its_own_listener() {
    for kind in pools() {
        let server = start(&kind, &["--workers", "3"]);
        let listeners = listeners(&server);
        assert_eq!(listeners.len(), if kind.by_lot() { 3 } else { 1 }, "{kind}");
        if !kind.forks() {
            continue;
        }
        let children = workers(&server, 3);
        until(&format!("{kind}: a worker has one listener, and all have all"), || {
            let held: Vec<_> = children.iter().map(|&child| sockets(child)).collect();
            let all: BTreeSet<String> = held.iter().flatten().cloned().collect();
            held.iter().all(|held| held.len() == 1) && all == listeners
        });
    }
}

/// The kernel chooses a listener when the client connects, and does not know whose worker is busy.
#[test]
fn with_reuseport_a_client_may_wait_beside_an_idle_worker() {
    for kind in pools().filter(Kind::by_lot) {
        let server = start(&kind, &["--workers", "2"]);
        let mut first = server.connect();
        echoes(&mut first, b"hello", "the first");
        // Each that is answered leaves before the next one comes: so one worker is idle then.
        let unlucky = (0..30).map(|_| asks(&server)).find(waits);
        let mut unlucky = unlucky.expect("one of thirty, each with even chances, has to wait");
        server_serves_another(&server);
        drop(first);
        is_answered(&mut unlucky, &format!("{kind}: when the first has left"));
    }
}

/// Another client is served in the meantime: the other worker is idle, and works.
fn server_serves_another(server: &Running) {
    let lucky = (0..30).map(|_| asks(server)).find(|client| !waits(client));
    is_answered(&mut lucky.expect("one of thirty is served at once"), "another");
}
