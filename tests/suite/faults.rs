//! The servers outlive bad clients and bad days: resets, silence, clients that take nothing, and no
//! descriptors left. What they have accepted comes back, whole and in order.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{self, DEADLINE, room_for, udp, until};
use crate::rows::{
    Kind, Running, concurrent, datagrams, echoes, kind, numbered, process, push, ready,
    sees_the_end, start, start_at, start_with_files, streams,
};
use netplay::call::{self, MSG_NOSIGNAL};
use netplay::examples::nonblocking::Service;
use netplay::server::ServerArgs;
use netplay::stop::Stop;
use nix::poll::PollFlags;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socket2::{SockRef, Socket};

/// Closes so that the peer gets a reset, whatever is still on its way.
fn reset(client: Socket) {
    client.set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
}

#[test]
fn a_reset_costs_that_client_its_connection_and_nobody_else() {
    for kind in streams() {
        let server = start(&kind, &[]);
        reset(server.connect());
        server.serves("after a reset at once");

        let mut client = server.connect();
        echoes(&mut client, b"hello", "before the reset");
        reset(client);
        server.serves("after a reset between two messages");

        let mut client = server.connect();
        push(&mut client, &vec![b'x'; 20_000_000]);
        reset(client);
        server.serves("after a reset of a client that was owed a lot");
        assert!(server.stop().status.success(), "{kind}");
    }
}

#[test]
fn a_half_close_gets_every_answer_and_then_the_end() {
    let message = numbered(100_000);
    for kind in streams() {
        let server = start(&kind, &[]);
        let mut client = server.connect();
        client.write_all(&message).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert!(answer == message, "{kind}: {} bytes came back", answer.len());
    }
}

#[test]
fn a_silent_client_makes_the_next_one_wait_only_where_they_are_served_in_turn() {
    for kind in streams() {
        let server = start(&kind, &[]);
        let mut first = server.connect();
        echoes(&mut first, b"here I am", "the first client");
        let mut second = server.connect();
        second.write_all(b"and I").unwrap();
        if kind.in_turn() {
            let served = !kind.by_lot() && ready(&second, PollFlags::POLLIN, 200);
            assert!(!served, "{kind}: it was not made to wait");
            drop(first);
        }
        let mut answer = [0; 5];
        second.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"and I", "{kind}");
    }
}

/// Sends as much as goes without reading, then the rest while it reads; meanwhile others are served.
#[test]
fn a_mebibyte_sent_before_anything_is_read_comes_back_in_order() {
    let message = numbered(1 << 20);
    for kind in streams() {
        let server = start(&kind, &[]);
        let mut client = server.connect();
        let sent = push(&mut client, &message);
        if !kind.in_turn() {
            server.serves("beside a client that reads nothing");
        }
        let answer = read_all(&client, &message[sent..], message.len(), |_| {});
        assert!(answer == message, "{kind}: the answer differs");
    }
}

/// Sends the rest in a thread and reads so many bytes, calling `between` after each part.
fn read_all(client: &Socket, rest: &[u8], len: usize, mut between: impl FnMut(usize)) -> Vec<u8> {
    let (mut writer, mut reader) = (client.try_clone().unwrap(), client.try_clone().unwrap());
    thread::scope(|scope| {
        scope.spawn(move || writer.write_all(rest).unwrap());
        let mut answer = vec![0; len];
        let mut read = 0;
        while read < len {
            let part = (len - read).min(7000);
            let n = reader.read(&mut answer[read..read + part]).unwrap();
            assert!(n > 0, "the connection ended after {read} bytes");
            read += n;
            between(read);
        }
        answer
    })
}

/// A client with a small buffer takes a little at a time, so the kernel takes only parts of an answer.
#[test]
fn a_slow_reader_loses_nothing() {
    let message = numbered(2_000_000);
    for kind in streams() {
        let server = start(&kind, &["--bufsize", "30000"]);
        let client = server.socket();
        client.set_recv_buffer_size(20_000).unwrap();
        server.join(&client);
        let answer = read_all(&client, &message, message.len(), |_| thread::yield_now());
        assert!(answer == message, "{kind}: the answer differs");
    }
}

#[test]
fn every_byte_value_comes_back_as_it_was() {
    let all: Vec<u8> = (0..=255).collect();
    for kind in streams() {
        let server = start(&kind, &[]);
        let mut client = server.connect();
        for message in
            [&b"\0"[..], b"\0\0\0\0", b"\x1b[2J\x07\x1b]0;title\x07", b"%s%n\r\n\xff\xfe", &all[..]]
        {
            echoes(&mut client, message, &kind.to_string());
        }
    }
}

/// More than a server can have used for anything but what it keeps for its clients.
const SMALL: u64 = 8_000_000;

/// How much the server's memory grows while something happens.
fn grows(server: &Running, mut happens: impl FnMut()) -> u64 {
    let before = server.memory();
    happens();
    server.memory().saturating_sub(before)
}

#[test]
fn a_client_that_takes_nothing_does_not_fill_the_memory() {
    let much = vec![b'x'; 50_000_000];
    for kind in streams() {
        let server = start(&kind, &[]);
        let mut client = server.connect();
        echoes(&mut client, b"hello", "before the flood");
        let grown = grows(&server, || {
            let sent = push(&mut client, &much);
            assert!(sent < much.len(), "{kind} took all {sent} bytes");
        });
        assert!(grown < SMALL, "{kind} grew by {grown} bytes");
        if !kind.in_turn() {
            server.serves("beside a client that takes nothing");
        }
    }
}

/// It reads a little at a time, and the server's send buffer is small: so something is owed at every
/// moment, and the debt never starts anew.
#[test]
fn a_client_that_is_always_behind_is_owed_no_more_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (peer, name) = listener.accept().unwrap();
    SockRef::from(&peer).set_send_buffer_size(4096).unwrap();
    SockRef::from(&peer).set_tcp_nodelay(true).unwrap(); // or small sends wait for one another
    far.set_nonblocking(true).unwrap();
    peer.set_nonblocking(true).unwrap();

    let (args, stop) = (ServerArgs::default(), Stop::new());
    let mut buf = vec![0; args.bufsize];
    let mut service = Service::new(&args, &stop, 1);
    let accepted = (call::Socket::from(OwnedFd::from(peer)).into(), name);
    let mut client = service.admit(Ok(accepted)).unwrap().unwrap();
    let part = numbered(2000);
    let end = Instant::now() + DEADLINE;
    while service.stats().sent < 3_000_000 {
        assert!(Instant::now() < end, "only {} bytes have gone around", service.stats().sent);
        let _ = far.write(&part);
        while !client.is_owed() && ready(&client.peer, PollFlags::POLLIN, 0) {
            client.received(call::recv(&client.peer, service.buffer(), 0), &mut service);
            let _ = far.write(&part);
        }
        let _ = far.read(&mut buf);
        if client.is_owed() {
            client.sent(call::send(&client.peer, client.owed(), MSG_NOSIGNAL), &mut service);
        }
    }
    assert!(!client.is_done(), "the connection has not failed");
    // Debug shows each byte that is kept in at most five characters: "255, ".
    let kept = format!("{client:?}").len() / 5;
    assert!(kept < 200_000, "some {kept} bytes are kept");
}

/// Its end comes while the server cannot send: what it is still owed must not be forgotten over that.
#[test]
fn a_client_that_ends_while_it_is_owed_gets_all_of_it() {
    // Those that turn to others meanwhile, and have to remember.
    let remember = |kind: &Kind| ["poll", "epoll", "io-uring"].contains(&kind.row.name);
    all_at_once(|kind| {
        if !remember(kind) {
            return;
        }
        let server = start(kind, &[]);
        let mut client = server.connect();
        let from = client.local_addr().unwrap().as_socket().unwrap().port();
        // It takes nothing, and sends until the server does not receive any more.
        let part = numbered(64 * 1024);
        let mut sent = Vec::new();
        while sent.len() < 1 << 20 || all_received_soon(server.address().port(), from) {
            client.write_all(&part).unwrap();
            sent.extend_from_slice(&part);
        }
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!(answer.len(), sent.len(), "{kind}");
        assert!(answer == sent, "{kind} answers something else");
    });
}

/// Whether the server soon has received all that came from this port.
fn all_received_soon(server: u16, from: u16) -> bool {
    let (local, remote) = (format!("0100007F:{server:04X}"), format!("0100007F:{from:04X}"));
    let end = Instant::now() + Duration::from_millis(200);
    while Instant::now() < end {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let line = lines.find(|line| line[1] == local && line[2] == remote);
        if line.is_some_and(|line| line[4].ends_with(":00000000")) {
            return true;
        }
    }
    false
}

#[test]
fn a_server_out_of_descriptors_says_so_once_rests_and_goes_on() {
    for kind in concurrent() {
        // The three standard streams, the listener, perhaps one to wait with: some twelve clients.
        let server = start_with_files(16, &kind, kind.for_many());
        let mut clients: Vec<Socket> = (0..16).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.write_all(b"hello").unwrap();
        }
        let told = || server.stderr().matches(&crate::rows::out_of_descriptors()).count();
        if kind.forks() {
            // Each child has a table of descriptors of its own: nobody ever runs out.
            clients.iter_mut().for_each(|client| answered(client, &kind));
            assert_eq!(told(), 0, "{kind}");
            continue;
        }
        until(&format!("{kind} says so"), || told() > 0);
        if kind.row.name != "nonblocking" {
            // That one is never at rest, and says so itself.
            let ticks = || process(server.child.id()).unwrap().ticks;
            let before = ticks();
            assert!(!ready(clients.last().unwrap(), PollFlags::POLLIN, 500), "{kind}");
            assert!(ticks() - before < 10, "{kind} spins: {} ticks in 50", ticks() - before);
        }
        assert_eq!(told(), 1, "{kind} repeats itself");
        // First come, first served; each that leaves makes room for one that waits.
        for mut client in clients {
            answered(&mut client, &kind);
        }
        assert!(server.stop().status.success(), "{kind}");
    }
}

fn answered(client: &mut Socket, kind: &Kind) {
    let mut answer = [0; 5];
    client.read_exact(&mut answer).unwrap_or_else(|error| panic!("{kind}: {error}"));
    assert_eq!(&answer, b"hello", "{kind}");
}

#[test]
fn select_refuses_a_descriptor_that_no_set_can_hold_and_goes_on() {
    if !room_for(1200) {
        return common::skip("no room for 1,200 descriptors (ulimit -Hn)");
    }
    let server =
        start_with_files(1100, &kind("select"), &["--max-clients", "1100", "--backlog", "1100"]);
    let mut clients: Vec<Socket> = (0..1030).map(|_| server.connect()).collect();
    let refused = || server.stderr().matches(" below 1024 ").count();
    // All that fit are served, all others see the end of their connection, and each is told.
    let mut turned_away = 0;
    for client in &mut clients[1000..] {
        let mut answer = [0; 5];
        let served = client.write_all(b"hello").and_then(|()| client.read_exact(&mut answer));
        turned_away += usize::from(served.is_err());
    }
    assert!(turned_away > 0 && turned_away < 30, "{turned_away} turned away");
    until("each is told", || refused() == turned_away);
    echoes(&mut clients[0], b"hello", "the first client");
    drop(clients);
    // The next client is to have a low descriptor: so the crowd's are closed first.
    let fds = format!("/proc/{}/fd", server.child.id());
    until("the crowd's sockets are closed", || fs::read_dir(&fds).unwrap().count() < 100);
    server.serves("after the crowd has gone");
}

#[test]
fn a_client_beyond_max_clients_is_connected_and_waits() {
    for kind in concurrent() {
        let server = start(&kind, &["--max-clients", "2"]);
        let mut first = server.connect();
        let mut second = server.connect();
        echoes(&mut first, b"hello", "first");
        echoes(&mut second, b"hello", "second");
        let mut third = server.connect();
        third.write_all(b"hello").unwrap();
        assert!(!ready(&third, PollFlags::POLLIN, 200), "{kind} serves three");
        echoes(&mut first, b"still served", "first");
        drop(second);
        answered(&mut third, &kind);
    }
}

/// Every kind of server in a thread of the test's own, where what takes time is waiting.
fn all_at_once(test: impl Fn(&Kind) + Sync) {
    let test = &test;
    thread::scope(|scope| streams().for_each(|kind| drop(scope.spawn(move || test(&kind)))));
}

#[test]
fn an_idle_client_is_closed_and_so_is_one_that_takes_nothing() {
    all_at_once(|kind| {
        let server = start(kind, &["--idle-timeout", "0.7"]);
        let start = Instant::now();
        sees_the_end(&mut server.connect(), &format!("{kind}, silent"));
        assert!(start.elapsed() >= Duration::from_millis(700), "{kind} closes it too soon");

        let mut greedy = server.connect();
        greedy.set_nonblocking(true).unwrap();
        until(&format!("{kind} closes a client that takes nothing"), || {
            let more = greedy.write(&[b'x'; 100_000]);
            more.is_err_and(|error| error.kind() != ErrorKind::WouldBlock)
        });
        server.serves("after the idle ones");
    });
}

#[test]
fn a_client_that_speaks_in_time_is_not_idle() {
    all_at_once(|kind| {
        let server = start(kind, &["--idle-timeout", "2"]);
        let mut client = server.connect();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(2500) {
            echoes(&mut client, b"hello", &format!("{kind}, not idle"));
            thread::sleep(Duration::from_millis(100)); // the passing of time is the subject
        }
    });
}

#[test]
fn once_ends_after_the_first_client() {
    for kind in streams() {
        let server = start(&kind, &["--once"]);
        let mut client = server.connect();
        echoes(&mut client, b"hello", "the only client");
        echoes(&mut client, b"again", "the only client");
        drop(client);
        let ended = server.ended();
        assert!(ended.status.success(), "{kind}: {:?} {}", ended.status, ended.stderr);
    }
    for kind in datagrams() {
        let server = start(&kind, &["--once"]);
        assert_eq!(exchange(&udp(), &server, b"hello"), b"hello", "{kind}");
        assert!(server.ended().status.success(), "{kind}");
    }
}

/// Sends a datagram and returns the answer.
fn exchange(socket: &UdpSocket, server: &Running, message: &[u8]) -> Vec<u8> {
    socket.send_to(message, server.address()).unwrap();
    let mut answer = vec![0; 70_000];
    let n = socket.recv(&mut answer).unwrap();
    answer.truncate(n);
    answer
}

#[test]
fn no_zombie_stays_when_clients_of_a_forking_server_have_left() {
    for kind in streams().filter(Kind::forks_for_each) {
        let server = start(&kind, &[]);
        let mut clients: Vec<Socket> = (0..10).map(|_| server.connect()).collect();
        clients.iter_mut().for_each(|client| echoes(client, b"hello", "a forked child"));
        assert_eq!(server.children().len(), 10, "{kind}");
        drop(clients);
        // No later client comes to have them asked for: SIGCHLD alone must do.
        until(&format!("{kind} has no child, dead or alive"), || server.children().is_empty());
    }
}

#[test]
fn a_killed_child_takes_its_own_client_along_only() {
    for kind in streams().filter(Kind::forks_for_each) {
        let server = start(&kind, &[]);
        let mut first = server.connect();
        echoes(&mut first, b"hello", "first");
        let child = server.children()[0];
        let mut second = server.connect();
        echoes(&mut second, b"hello", "second");
        kill(Pid::from_raw(child.cast_signed()), Signal::SIGKILL).unwrap();
        sees_the_end(&mut first, "the client of the killed child");
        echoes(&mut second, b"still here", "the client of the other one");
        server.serves("after a killed child");
        until("it is no zombie", || process(child).is_none());
    }
}

#[test]
fn an_empty_datagram_is_answered_with_an_empty_one() {
    for kind in datagrams() {
        let server = start(&kind, &[]);
        assert_eq!(exchange(&udp(), &server, b""), b"", "{kind}");
        assert_eq!(exchange(&udp(), &server, b"more"), b"more", "{kind}");
    }
}

#[test]
fn the_largest_datagram_comes_back_whole() {
    let largest = numbered(65_507);
    for kind in datagrams() {
        let server = start(&kind, &["--bufsize", "65536"]);
        assert!(exchange(&udp(), &server, &largest) == largest, "{kind}: the answer differs");
    }
}

#[test]
fn a_datagram_larger_than_the_buffer_is_cut_and_that_is_told() {
    for kind in datagrams() {
        let server = start_at("0", &kind, &["--bufsize", "10"]);
        assert_eq!(exchange(&udp(), &server, b"0123456789abcdef"), b"0123456789", "{kind}");
        until(&format!("{kind} tells what was cut"), || {
            let told = server.stderr();
            told.lines().any(|line| line.contains(" 16 bytes") && line.contains(" 10"))
        });
    }
}

#[test]
fn an_answer_too_long_for_a_datagram_is_told_and_costs_nobody_else() {
    let said = common::Said::on("faults_answer_too_long");
    for kind in datagrams() {
        let server = start_at("0", &kind, &["--bufsize", "65536", "--reply", "stamp"]);
        let socket = udp();
        socket.send_to(&numbered(65_507), server.address()).unwrap();
        let error = format!("{}; ", nix::errno::Errno::EMSGSIZE.desc());
        until(&format!("{kind} tells"), || server.stderr().contains(&error));
        // There is no connection that ends.
        let told = server.stderr();
        let told = told.split_once(&error).unwrap().1.lines().next().unwrap();
        said.add("behind the error", told);
        let answer = exchange(&socket, &server, b"hello");
        assert!(String::from_utf8_lossy(&answer).contains("hello"), "{kind}");
    }
}

/// Its socket is closed before the answer comes: the kernel tells the server "port unreachable".
#[test]
fn a_datagram_client_that_is_gone_costs_nobody_else() {
    for kind in datagrams() {
        let server = start(&kind, &["--work", "50"]);
        let stays = udp(); // bound first: it must not get the port, and the answers, of one that left
        for _ in 0..3 {
            udp().send_to(b"never mind", server.address()).unwrap();
        }
        assert_eq!(exchange(&stays, &server, b"hello"), b"hello", "{kind}");
    }
}
