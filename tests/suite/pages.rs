//! What every page claims, on loopback pairs of the real binary.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use crate::common::{self, DEADLINE, Server, ask, run, skip, udp, until};
use netplay::examples::{Place, Purpose, examples};
use netplay::trace::{Event, Kind};

/// A server with a trace, and the folder that holds it.
struct Traced {
    server: Server,
    folder: tempfile::TempDir,
}

impl Traced {
    fn start(example: &str, options: &[&str]) -> Traced {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trace.jsonl").display().to_string();
        let server = Server::of(example).args([options, &["--trace", &file]].concat()).start();
        Traced { server, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("trace.jsonl")
    }

    /// The records so far.
    fn events(&self) -> Vec<Event> {
        let text = std::fs::read_to_string(self.file()).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How many records there are, once the last call is this one, or the last answer of a ring.
    fn settled_after(&self, call: &str) -> usize {
        let is_it =
            |event: &Event| event.call.as_deref() == Some(call) && event.kind != Kind::Submit;
        let last = || self.events().last().is_some_and(is_it);
        until(&format!("the last call is {call}"), last);
        self.events().len()
    }

    /// Stops the server; all its records.
    fn stop(self) -> Vec<Event> {
        let Traced { server, folder } = self;
        assert!(server.stop().status.success());
        let text = std::fs::read_to_string(folder.path().join("trace.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The names of the calls, in order.
fn calls(events: &[Event]) -> Vec<&str> {
    events.iter().filter_map(|event| event.call.as_deref()).collect()
}

fn count(events: &[Event], call: &str) -> usize {
    calls(events).iter().filter(|&&name| name == call).count()
}

/// Every row of the table that echoes: our client talks to our server, and both end well.
#[test]
fn every_example_answers_its_own_client() {
    for example in examples().filter(|example| example.purpose == Purpose::Echo) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket").display().to_string();
        let server = Server::of(example.name).args(["--reply", "echo"]);
        let server = match example.place {
            Place::Internet | Place::Group { .. } | Place::Host => server.start(),
            Place::Path => server.at([&path]).start(),
        };
        let mut args = vec![example.name, "client"];
        let port;
        match example.place {
            Place::Internet | Place::Group { .. } | Place::Host => {
                port = server.port();
                args.extend(["127.0.0.1", &port]);
            }
            Place::Path => args.push(&path),
        }
        let client = run(&[&args[..], &["-q", "--timeout", "10"]].concat(), b"one\ntwo\nthree\n");
        let name = example.name;
        assert!(client.status.success(), "{name}: {}", String::from_utf8_lossy(&client.stderr));
        assert_eq!(String::from_utf8_lossy(&client.stdout), "one\ntwo\nthree\n", "{name}");
        let ended = server.stop();
        assert!(ended.status.success(), "{name}: {:?} {}", ended.status, ended.stderr);
    }
}

// tcp-echo

#[test]
fn tcp_keeps_bytes_but_not_how_they_were_cut() {
    let server = Traced::start("tcp-echo", &["--reply", "echo", "--work", "300"]);
    let mut client = server.server.connect();
    // The first keeps the server at work; the other two arrive meanwhile, and become one recv.
    assert_eq!(ask(&mut client, b"1", 0), b"");
    until("the first is received", || count(&server.events(), "recv") == 1);
    client.write_all(b"two").unwrap();
    client.write_all(b"three").unwrap();
    let mut all = [0; 9];
    client.read_exact(&mut all).unwrap();
    assert_eq!(&all, b"1twothree");
    drop(client);
    let data: Vec<_> = server.stop().into_iter().filter_map(|event| event.data).collect();
    assert!(data.contains(&"twothree".into()), "{data:?}");
}

#[test]
fn the_tcp_server_makes_the_calls_of_its_page() {
    let server = Traced::start("tcp-echo", &[]);
    let mut client = server.server.connect();
    ask(&mut client, b"hello", 5);
    client.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    server.settled_after("close");
    let events = server.stop();
    let expected = "socket setsockopt bind listen getsockname accept recv send recv close \
                    shutdown accept close";
    assert_eq!(calls(&events).join(" "), expected);
}

// udp-echo

#[test]
fn udp_keeps_message_boundaries() {
    let server = Server::of("udp-echo").args(["--reply", "echo"]).start();
    let client = udp();
    for message in ["one", "", "three"] {
        client.send_to(message.as_bytes(), server.address()).unwrap();
    }
    let mut buf = [0; 100];
    let mut next = || {
        let n = client.recv(&mut buf).unwrap();
        String::from_utf8_lossy(&buf[..n]).into_owned()
    };
    assert_eq!([next(), next(), next()], ["one", "", "three"]);
}

#[test]
fn one_udp_socket_serves_everybody() {
    let server = Traced::start("udp-echo", &["--reply", "echo"]);
    let (a, b) = (udp(), udp());
    let mut buf = [0; 100];
    for (client, message) in [(&a, "from a"), (&b, "from b"), (&a, "a again")] {
        client.send_to(message.as_bytes(), server.server.address()).unwrap();
        let n = client.recv(&mut buf).unwrap();
        assert_eq!(&buf[..n], message.as_bytes());
    }
    let events = server.stop();
    assert_eq!(count(&events, "socket"), 1);
    assert_eq!(count(&events, "accept"), 0);
}

// iterative

#[test]
fn iterative_makes_the_second_client_wait() {
    let server = Server::of("iterative").args(["--tcp", "--reply", "echo"]).start();
    let mut first = server.connect();
    assert_eq!(ask(&mut first, b"first", 5), b"first");
    let mut second = server.connect(); // at once: the kernel connects
    second.write_all(b"second").unwrap();
    second.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(second.read(&mut [0; 10]).is_err(), "the second was served beside the first");
    drop(first);
    second.set_read_timeout(Some(DEADLINE)).unwrap();
    assert_eq!(ask(&mut second, b"", 6), b"second");
}

// nonblocking

#[test]
fn nonblocking_reads_once_and_closes_without_an_answer() {
    let server = Server::of("nonblocking").start();
    for _ in 0..2 {
        let mut client = server.connect();
        client.write_all(b"hello").unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"");
    }
}

#[test]
fn nonblocking_counts_its_eagains_and_its_cpu_time() {
    let told = |options: &[&str]| {
        let server = Server::of("nonblocking").aloud().args(["--trace", "/dev/null"]);
        let server = server.args(options).start();
        if options.is_empty() {
            until("accept finds nobody", || server.stderr().contains("(EAGAIN)"));
        }
        let mut client = server.connect();
        client.write_all(b"hello").unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
        let stderr = server.stop().stderr;
        stderr.lines().find(|line| line.starts_with("nonblocking: ")).unwrap().to_owned()
    };
    let said = common::Said::on("pages_nonblocking");
    for (case, options) in [("busy", &[][..]), ("--blocking", &["--blocking"])] {
        said.add(case, &common::uncounted(&told(options)));
    }
}

#[test]
fn nonblocking_with_a_reply_serves_several_clients_at_once() {
    let server = Server::of("nonblocking").args(["--reply", "echo"]).start();
    let mut clients = [server.connect(), server.connect(), server.connect()];
    for turn in 0..3 {
        for client in clients.iter_mut().rev() {
            let message = [b'0' + turn];
            assert_eq!(ask(client, &message, 1), message);
        }
    }
}

// select, poll and epoll

#[test]
fn the_readiness_models_serve_in_the_order_in_which_clients_speak() {
    for example in ["select", "poll", "epoll", "io-uring"] {
        let server = Traced::start(example, &["--reply", "echo"]);
        let mut clients =
            [server.server.connect(), server.server.connect(), server.server.connect()];
        for (client, message) in [(2, "third"), (0, "first"), (1, "second")] {
            ask(&mut clients[client], message.as_bytes(), message.len());
        }
        drop(clients);
        let events = server.stop();
        let heard: Vec<_> = events
            .iter()
            .filter(|event| event.call.as_deref() == Some("recv"))
            .filter_map(|event| event.data.as_deref())
            .filter(|data| !data.is_empty())
            .collect();
        assert_eq!(heard, ["third", "first", "second"], "{example}");
        let tids: HashSet<i32> = events.iter().map(|event| event.tid).collect();
        assert_eq!(tids.len(), 1, "{example} has one thread");
    }
}

#[test]
fn the_readiness_models_sleep_while_nobody_speaks() {
    for example in ["select", "poll", "epoll", "io-uring"] {
        let server = Traced::start(example, &["--reply", "echo"]);
        let mut client = server.server.connect();
        ask(&mut client, b"hello", 5);
        let before = server.settled_after("send");
        client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert!(client.read(&mut [0]).is_err());
        assert_eq!(server.events().len(), before, "{example} made calls while nothing happened");
    }
}

#[test]
fn poll_says_what_each_event_meant() {
    let server = Server::of("poll").aloud().args(["-v", "--reply", "echo"]).start();
    let mut client = server.connect();
    ask(&mut client, b"hello", 5);
    drop(client);
    let story = {
        until("the client has left", || server.stderr().contains("close  "));
        server.stop().stderr
    };
    let ready =
        story.lines().find_map(|line| line.split_once(" POLLIN (")).expect("a wait that found");
    let said = common::Said::on("pages_poll");
    said.add("what POLLIN means", ready.1.split("  [").next().unwrap());
    assert!(story.contains("revents=POLLIN}"), "{story}");
}

#[test]
fn poll_fetches_urgent_data_and_does_not_spin() {
    let server = Traced::start("poll", &["--reply", "echo"]);
    let mut client = server.server.connect();
    ask(&mut client, b"hello", 5);
    socket2::SockRef::from(&client).send_out_of_band(b"!").unwrap();
    until("the urgent byte is fetched", || {
        server.events().iter().any(|event| {
            event.args.as_deref().is_some_and(|args| args.contains("MSG_OOB"))
                && event.ret == Some(1)
        })
    });
    assert_eq!(ask(&mut client, b"on", 2), b"on");
    let before = server.settled_after("send");
    client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(client.read(&mut [0]).is_err());
    assert_eq!(server.events().len(), before, "POLLPRI is reported for ever");
}

#[test]
fn poll_takes_a_reset_client_off_its_list() {
    let server = Traced::start("poll", &["--reply", "echo"]);
    let client = server.server.connect();
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    until("it is accepted", || count(&server.events(), "accept") == 1);
    drop(client);
    until("it is closed", || count(&server.events(), "close") == 1);
    let last = server.events();
    let poll = last.iter().rfind(|event| event.call.as_deref() == Some("poll")).unwrap();
    assert!(poll.ready.as_deref().unwrap().contains("POLLERR"), "{poll:?}");
}

// epoll

/// How often epoll_wait brought this descriptor.
fn told_of(events: &[Event], fd: i32) -> usize {
    let waits = events.iter().filter(|event| event.call.as_deref() == Some("epoll_wait"));
    let ready = waits.filter_map(|event| event.ready.as_deref());
    ready.filter(|ready| ready.split(", ").any(|one| one.starts_with(&format!("{fd} ")))).count()
}

#[test]
fn an_edge_is_told_once_so_the_reader_reads_on() {
    for (way, times) in [(&[][..], 3), (&["--edge"], 1)] {
        let options = [&["--reply", "echo", "--bufsize", "4"], way].concat();
        let server = Traced::start("epoll", &options);
        let mut client = server.server.connect();
        assert_eq!(ask(&mut client, b"0123456789", 10), b"0123456789");
        let events = server.stop();
        let of_client = |event: &&Event| event.call.as_deref() == Some("recv");
        let parts: Vec<_> = events.iter().filter(of_client).map(|event| event.ret).collect();
        assert_eq!(parts, [Some(4), Some(4), Some(2)], "{way:?}");
        assert_eq!(told_of(&events, 5), times, "{way:?}");
    }
}

/// Bytes, urgent ones and the end, all there before the server looks: one edge tells of all of them,
/// and `recv` stops short at each.
#[test]
fn one_edge_of_bytes_and_the_end_is_read_to_the_end() {
    let server = Traced::start("epoll", &["--edge", "--reply", "echo", "--work", "300"]);
    let mut busy = server.server.connect();
    let mut client = server.server.connect();
    until("both are accepted", || count(&server.events(), "accept") == 2);
    busy.write_all(b"keep busy").unwrap();
    until("the server works", || count(&server.events(), "recv") == 1);
    client.write_all(b"before").unwrap();
    socket2::SockRef::from(&client).send_out_of_band(b"!").unwrap();
    client.write_all(b"behind").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"beforebehind");
    assert_eq!(told_of(&server.stop(), 6), 1);
}

/// A client that has sent a lot is put aside after a while, and told of again.
#[test]
fn a_greedy_client_does_not_keep_an_edge_triggered_server_from_others() {
    const MUCH: usize = 400;
    let options = ["--edge", "--reply", "echo", "--bufsize", "1", "--work", "5"];
    let server = Traced::start("epoll", &options);
    let mut greedy = server.server.connect();
    let mut modest = server.server.connect();
    until("both are accepted", || count(&server.events(), "accept") == 2);
    greedy.write_all(&[b'x'; MUCH]).unwrap();
    until("the server works", || count(&server.events(), "recv") > 0);
    assert_eq!(ask(&mut modest, b"1", 1), b"1");
    let received = count(&server.events(), "recv");
    assert!(received < MUCH, "the modest one was served after {received} bytes of the greedy one");
    assert_eq!(ask(&mut greedy, b"", MUCH), [b'x'; MUCH]);
}

#[test]
fn one_epoll_ctl_a_client_not_an_event() {
    for way in [&[][..], &["--edge"]] {
        let server = Traced::start("epoll", &[&["--reply", "echo"], way].concat());
        let mut clients =
            [server.server.connect(), server.server.connect(), server.server.connect()];
        for request in 0..1000 {
            assert_eq!(ask(&mut clients[request % 3], b"hello", 5), b"hello");
        }
        let events = server.stop();
        assert_eq!(count(&events, "recv"), 1000, "{way:?}");
        assert_eq!(count(&events, "epoll_ctl"), 1 + 3, "{way:?}: the listener, and each client");
    }
}

#[test]
fn each_worker_has_a_listener_a_list_and_clients_of_its_own() {
    let server = Traced::start("epoll", &["--workers", "3", "--reply", "echo"]);
    let mut clients = Vec::new();
    let accepted = |events: &[Event]| -> HashSet<(i32, Option<i64>)> {
        let accept = |event: &&Event| event.call.as_deref() == Some("accept");
        events.iter().filter(accept).map(|event| (event.tid, event.ret)).collect()
    };
    let tids =
        |of: &HashSet<(i32, Option<i64>)>| of.iter().map(|pair| pair.0).collect::<HashSet<_>>();
    until("two workers have clients", || {
        let mut client = server.server.connect();
        ask(&mut client, b"hello", 5);
        clients.push(client);
        tids(&accepted(&server.events())).len() > 1
    });
    let events = server.stop();
    for call in ["socket", "listen", "epoll_create"] {
        assert_eq!(count(&events, call), 3, "{call}");
    }
    let of_worker = accepted(&events);
    for recv in events.iter().filter(|event| event.call.as_deref() == Some("recv")) {
        let fd = recv.fd.map(i64::from);
        assert!(of_worker.contains(&(recv.tid, fd)), "{recv:?} is another worker's client");
    }
}

// io-uring

/// Whether this machine has io_uring; if not, that is said.
fn io_uring_is_there() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.jsonl").display().to_string();
    let tried = run(&["models", "--delay", "1ms", "-q", "--trace", &file], b"");
    assert!(tried.status.success(), "{tried:?}");
    let there = std::fs::read_to_string(file).unwrap().contains("io_uring_enter");
    if !there {
        skip("no io_uring");
    }
    there
}

/// The records of a kind for a call.
fn of_ring<'a>(events: &'a [Event], kind: Kind, call: &'a str) -> impl Iterator<Item = &'a Event> {
    events.iter().filter(move |event| event.kind == kind && event.call.as_deref() == Some(call))
}

#[test]
fn a_recv_is_submitted_before_its_bytes_have_come() {
    if !io_uring_is_there() {
        return;
    }
    for (way, submissions) in [(&[][..], 1), (&["--single-shot"], 4)] {
        let server = Traced::start("io-uring", &[&["--reply", "echo"], way].concat());
        let mut client = server.server.connect();
        let submitted = || of_ring(&server.events(), Kind::Submit, "recv").count();
        until("a recv is submitted", || submitted() == 1);
        for _ in 0..3 {
            assert_eq!(ask(&mut client, b"hello", 5), b"hello");
        }
        drop(client);
        until("the client is closed", || count(&server.events(), "close") == 1);
        let events = server.stop();
        // Multishot: submitted once, for three answers and the end.
        assert_eq!(of_ring(&events, Kind::Submit, "recv").count(), submissions, "{way:?}");
        let answers: Vec<_> = of_ring(&events, Kind::Complete, "recv").collect();
        assert_eq!(answers.iter().map(|e| e.ret).collect::<Vec<_>>(), [5, 5, 5, 0].map(Some));
        for done in answers {
            let number = |event: &&Event| event.user_data == done.user_data;
            let submit = of_ring(&events, Kind::Submit, "recv").filter(number);
            assert!(submit.into_iter().any(|submit| submit.start_ns == done.start_ns), "{done:?}");
            assert!(done.peer.is_some() && done.local.is_some(), "{done:?}");
        }
    }
}

#[test]
fn io_uring_makes_few_calls_a_request() {
    const CLIENTS: usize = 64;
    const ROUNDS: usize = 100;
    if !io_uring_is_there() {
        return;
    }
    let server = Traced::start("io-uring", &["--reply", "echo"]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.server.connect()).collect();
    for _ in 0..ROUNDS {
        clients.iter_mut().for_each(|client| client.write_all(b"hello").unwrap());
        clients.iter_mut().for_each(|client| assert_eq!(ask(client, b"", 5), b"hello"));
    }
    let events = server.stop();
    let requests = CLIENTS * ROUNDS;
    let received: u64 = of_ring(&events, Kind::Complete, "recv").filter_map(|e| e.bytes).sum();
    assert_eq!(received as usize, 5 * requests);
    let calls = count(&events, "io_uring_enter");
    assert!(calls * 5 <= requests, "{calls} calls for {requests} requests");
}

/// One accept takes the whole queue; but those for whom there is no place wait, as they would there.
#[test]
fn an_accept_of_many_shots_brings_nobody_to_a_full_server() {
    if !io_uring_is_there() {
        return;
    }
    let server = Server::of("io-uring").args(["--reply", "echo", "--max-clients", "2"]).start();
    let mut clients: Vec<_> = (0..10).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| client.write_all(b"hello").unwrap());
    while clients.len() > 2 {
        let third = &clients[2];
        third.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(third.peek(&mut [0]).is_err(), "a third client is served");
        third.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut first = clients.remove(0);
        assert_eq!(ask(&mut first, b"", 5), b"hello");
    }
    clients.iter_mut().for_each(|client| assert_eq!(ask(client, b"", 5), b"hello"));
}

/// Each has a send under way that does not end, and with it a buffer; there are two to begin with.
#[test]
fn clients_that_take_nothing_leave_buffers_for_others() {
    if !io_uring_is_there() {
        return;
    }
    let server = Traced::start("io-uring", &["--reply", "echo", "--bufsize", "262144"]);
    let mut clients: Vec<_> = (0..6).map(|_| server.server.connect()).collect();
    for client in &mut clients {
        client.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
        while client.write_all(&[b'x'; 100_000]).is_ok() {}
    }
    let mut another = server.server.connect();
    assert_eq!(ask(&mut another, b"hello", 5), b"hello");
    let events = server.stop();
    let mut recvs = of_ring(&events, Kind::Complete, "recv");
    assert!(recvs.any(|recv| recv.errno.as_deref() == Some("ENOBUFS")), "there were enough");
    let sends = |kind| of_ring(&events, kind, "send").count();
    assert!(sends(Kind::Submit) >= sends(Kind::Complete) + 6, "they took something");
}

/// A second send before the first is done could overtake it.
#[test]
fn one_send_of_a_client_is_under_way_at_a_time() {
    if !io_uring_is_there() {
        return;
    }
    for way in [&[][..], &["--single-shot"]] {
        let options = [&["--reply", "echo", "--bufsize", "1000"], way].concat();
        let server = Traced::start("io-uring", &options);
        let mut client = server.server.connect();
        let mut reader = client.try_clone().unwrap();
        let message = vec![b'x'; 3_000_000];
        let reading = std::thread::spawn(move || reader.read_exact(&mut vec![0; 3_000_000]));
        client.write_all(&message).unwrap();
        reading.join().unwrap().unwrap();
        let mut under_way = 0;
        for event in server.stop().iter().filter(|event| event.call.as_deref() == Some("send")) {
            under_way += if event.kind == Kind::Submit { 1 } else { -1 };
            assert!((0..=1).contains(&under_way), "{way:?}: {event:?}");
        }
    }
}

// fork, thread, handler

#[test]
fn fork_makes_a_process_and_thread_a_thread_for_each_client() {
    for (example, processes) in [("fork", 3), ("thread", 1), ("handler", 3)] {
        let server = Traced::start(example, &["--reply", "echo"]);
        let mut clients = [server.server.connect(), server.server.connect()];
        for client in &mut clients {
            ask(client, b"hello", 5);
        }
        drop(clients);
        until("both are closed", || {
            let closed =
                |event: &&Event| event.call.as_deref() == Some("close") && event.peer.is_some();
            server.events().iter().filter(closed).count() >= 2
        });
        let events = server.stop();
        let pids: HashSet<i32> = events.iter().map(|event| event.pid).collect();
        let tids: HashSet<i32> = events.iter().map(|event| event.tid).collect();
        assert_eq!((pids.len(), tids.len()), (processes, 3), "{example}");
    }
}

#[test]
fn after_fork_each_side_closes_what_it_does_not_need() {
    let server = Traced::start("fork", &["--reply", "echo"]);
    let mut client = server.server.connect();
    ask(&mut client, b"hello", 5);
    drop(client);
    until("the child is reaped", || {
        server
            .events()
            .iter()
            .any(|event| event.call.as_deref() == Some("waitpid") && event.ret > Some(0))
    });
    let events = server.stop();
    let parent = events[0].pid;
    let closes = |who: &dyn Fn(i32) -> bool| -> Vec<Option<i32>> {
        let close = |event: &&Event| event.call.as_deref() == Some("close") && who(event.pid);
        events.iter().filter(close).map(|event| event.fd).collect()
    };
    assert_eq!(closes(&|pid| pid != parent), [Some(3), Some(4)], "the child: listener, client");
    assert_eq!(closes(&|pid| pid == parent), [Some(4), Some(3)], "the parent: client, listener");
}

#[test]
fn handler_serves_in_every_style_over_both_transports() {
    for style in ["iterative", "forking", "threading"] {
        for transport in [&[][..], &["--udp"]] {
            let mut options = vec!["--reply", "echo", "--style", style];
            options.extend(transport);
            let server = Server::of("handler").args(&options).start();
            let port = server.port();
            let mut args = vec!["handler", "client", "127.0.0.1", &port, "-q", "--timeout", "10"];
            args.extend(transport);
            let client = run(&args, b"one\ntwo\n");
            assert_eq!(String::from_utf8_lossy(&client.stdout), "one\ntwo\n", "{options:?}");
            assert!(server.stop().status.success(), "{options:?}");
        }
    }
}

// unix-echo

fn unix_server(path: &str) -> Server {
    Server::of("unix-echo").at([path]).args(["--reply", "echo"]).start()
}

#[test]
fn unix_echo_takes_over_a_path_that_nobody_listens_on_and_removes_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    drop(UnixListener::bind(&path).unwrap()); // its server was killed: the file stays
    assert!(path.exists());
    let server = unix_server(&path.display().to_string());
    let mut client = UnixStream::connect(&path).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    client.write_all(b"hello").unwrap();
    let mut reply = [0; 5];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"hello");
    assert!(server.stop().status.success());
    assert!(!path.exists(), "the socket's file was left behind");
}

#[test]
fn unix_echo_takes_no_path_away_from_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    let _server = UnixListener::bind(&taken).unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    for path in [&taken, &file] {
        let output = run(&["unix-echo", "server", &path.display().to_string(), "-q"], b"");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(nix::errno::Errno::EADDRINUSE.desc()), "{stderr}");
        assert!(path.exists());
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"precious");
}

/// A datagram server knows datagrams and the addresses that they came from. It has no clients.
#[test]
fn what_comes_in_datagrams_is_counted_as_datagrams() {
    let page = common::Said::on("pages_datagrams");
    for (example, arguments) in [
        ("udp-echo", &[][..]),
        ("iterative", &[]),
        ("handler", &["--udp"]),
        ("handler", &["--udp", "--style", "threading"]),
        ("handler", &["--udp", "--style", "forking"]),
        ("multicast", &["--reply", "echo"]),
    ] {
        let server = Server::of(example).aloud().args(arguments).start();
        for socket in [common::udp(), common::udp()] {
            for word in [&b"one"[..], b"two"] {
                socket.send_to(word, server.address()).unwrap();
                socket.recv(&mut [0; 100]).unwrap();
            }
        }
        let said = server.stop().stderr;
        let summary = said.lines().find_map(|line| line.strip_prefix(&format!("{example}: ")));
        let summary = summary.unwrap_or_else(|| panic!("{arguments:?}: {said}"));
        page.add("4 from 2", summary.split([',', ';']).next().unwrap());
    }
}
