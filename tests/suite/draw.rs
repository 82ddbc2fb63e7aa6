//! The timeline: which records belong together, and what `netplay draw` makes of bad ones.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use crate::common::{Said, Server, netplay, run};
use netplay::draw::read::read;
use netplay::draw::{Arrow, Format, Part, Rows, Time, Timeline, View};
use netplay::examples::examples;
use netplay::lang::Lang;
use netplay::trace::{Event, Kind, Text};
use serde_json::Value;
use tempfile::TempDir;

const SERVER: i32 = 100;
const CLIENT: i32 = 200;
const HERE: &str = "127.0.0.1:5858";
const THERE: &str = "127.0.0.1:40001";

/// A record of a process at a time, both in microseconds.
fn record(pid: i32, from: u64, to: u64, call: &str, fd: Option<i32>, ret: i64) -> Event {
    Event {
        v: 1,
        start_ns: from * 1000,
        dur_ns: (to - from) * 1000,
        wall: "2026-11-22T10:00:00.000000+00:00".into(),
        pid,
        tid: pid,
        role: if pid < CLIENT { "server".into() } else { "client".into() },
        example: "tcp-echo".into(),
        call: Some(call.into()),
        syscall: Some(call.into()),
        fd,
        args: Some("".into()),
        ret: Some(ret),
        ..Event::default()
    }
}

/// What both ends of a stream do.
trait Tell {
    fn args(self, args: &str) -> Event;
    fn ends(self, local: &str, peer: &str) -> Event;
    fn data(self, data: &str) -> Event;
    fn errno(self, errno: &str) -> Event;
    fn state(self, state: &str) -> Event;
}

impl Tell for Event {
    fn args(self, args: &str) -> Event {
        Event { args: Some(args.into()), ..self }
    }
    fn ends(self, local: &str, peer: &str) -> Event {
        let known = |address: &str| (!address.is_empty()).then(|| address.into());
        Event { local: known(local), peer: known(peer), ..self }
    }
    fn data(self, data: &str) -> Event {
        let bytes = Some(data.len() as u64);
        Event { data: Some(data.into()), bytes, asked: bytes, ret: Some(data.len() as i64), ..self }
    }
    fn errno(self, errno: &str) -> Event {
        Event { errno: Some(errno.into()), ret: Some(-1), bytes: None, data: None, ..self }
    }
    fn state(self, state: &str) -> Event {
        Event { state: Some(format!("{state}, receive queue 0").into()), ..self }
    }
}

/// A server that listens and a client that connects: the server's socket is fd 4, the client's fd 3.
fn connection() -> Vec<Event> {
    vec![
        record(SERVER, 0, 1, "socket", None, 3).args("AF_INET, SOCK_STREAM, IPPROTO_IP"),
        record(SERVER, 2, 3, "bind", Some(3), 0).ends(HERE, ""),
        record(SERVER, 4, 5, "listen", Some(3), 0).ends(HERE, ""),
        record(SERVER, 6, 25, "accept", Some(3), 4).ends(HERE, THERE),
        record(CLIENT, 10, 11, "socket", None, 3).args("AF_INET, SOCK_STREAM, IPPROTO_IP"),
        record(CLIENT, 12, 20, "connect", Some(3), 0).ends("", HERE),
        record(CLIENT, 21, 22, "getsockname", Some(3), 0).ends(THERE, HERE),
    ]
}

fn sends(at: u64, data: &str) -> Event {
    record(CLIENT, at, at + 1, "send", Some(3), 0).ends(THERE, HERE).data(data)
}

fn receives(from: u64, to: u64, data: &str) -> Event {
    record(SERVER, from, to, "recv", Some(4), 0).ends(HERE, THERE).data(data)
}

fn timeline(parts: &[&[Event]]) -> Timeline {
    let records = parts.concat().into_iter().map(Event::read).collect();
    Timeline::new(records, &HashMap::new())
}

/// `bytes 3: client A send@100 -> server recv@109`.
fn told(timeline: &Timeline) -> Vec<String> {
    let tip = |tip: Option<netplay::draw::Tip>| match tip {
        None => "nowhere".to_owned(),
        Some(tip) => {
            let call = tip.call.map_or("unseen", |call| timeline.calls[call].name());
            format!("{} {call}@{}", timeline.lanes[tip.lane].name, tip.at_ns / 1000)
        }
    };
    let told = |arrow: &Arrow| {
        let bytes = arrow.bytes.map(|bytes| format!(" {bytes}")).unwrap_or_default();
        let kind = format!("{:?}", arrow.kind).to_lowercase();
        format!("{kind}{bytes}: {} -> {}", tip(arrow.from), tip(arrow.to))
    };
    timeline.arrows.iter().map(told).collect()
}

const CONNECTED: &str = "connect: client A connect@12 -> server accept@25";

#[test]
fn three_sends_and_one_recv_are_three_arrows_into_one() {
    let three =
        [sends(100, "AAA"), sends(102, "BB"), sends(104, "CCCC"), receives(110, 111, "AAABBCCCC")];
    assert_eq!(
        told(&timeline(&[&connection(), &three])),
        [
            CONNECTED,
            "bytes 3: client A send@100 -> server recv@111",
            "bytes 2: client A send@102 -> server recv@111",
            "bytes 4: client A send@104 -> server recv@111",
        ]
    );
}

#[test]
fn one_send_may_be_taken_by_two_recvs_and_what_is_left_by_nobody() {
    let pieces = [sends(100, "hello"), receives(90, 101, "he"), receives(102, 103, "l")];
    assert_eq!(
        told(&timeline(&[&connection(), &pieces])),
        [
            CONNECTED,
            "bytes 2: client A send@100 -> server recv@101",
            "bytes 1: client A send@100 -> server recv@103",
            "bytes 2: client A send@100 -> nowhere",
        ]
    );
}

#[test]
fn bytes_that_nobody_was_seen_to_send_come_from_nowhere() {
    let lost_record = [sends(100, "he"), receives(101, 102, "hello")];
    let told = told(&timeline(&[&connection(), &lost_record]));
    assert_eq!(
        told[1..],
        ["bytes 2: client A send@100 -> server recv@102", "bytes 3: nowhere -> server recv@102"]
    );
}

#[test]
fn looking_first_moves_nothing() {
    let peek = receives(101, 102, "hello").args(r#"4, "hello", 1024, MSG_PEEK, NULL, NULL"#);
    let told = told(&timeline(&[
        &connection(),
        &[sends(100, "hello"), peek, receives(103, 104, "hello")],
    ]));
    assert_eq!(told[1..], ["bytes 5: client A send@100 -> server recv@104"]);
}

#[test]
fn the_end_comes_from_a_shutdown_if_there_was_one_otherwise_from_the_last_close() {
    let the_end = record(SERVER, 30, 120, "recv", Some(4), 0).ends(HERE, THERE);
    let close = |at| record(CLIENT, at, at + 1, "close", Some(3), 0).ends(THERE, HERE);
    let shutdown =
        record(CLIENT, 100, 101, "shutdown", Some(3), 0).args("3, SHUT_WR").ends(THERE, HERE);
    let both = timeline(&[&connection(), &[shutdown, the_end.clone(), close(110)]]);
    assert_eq!(told(&both)[1], "end: client A shutdown@100 -> server recv@120");
    let closed = timeline(&[&connection(), &[the_end, close(110)]]);
    assert_eq!(told(&closed)[1], "end: client A close@110 -> server recv@120");
}

#[test]
fn a_reset_comes_from_the_close_that_sent_it() {
    let reset = record(SERVER, 130, 131, "recv", Some(4), 0).ends(HERE, THERE).errno("ECONNRESET");
    let close = record(CLIENT, 110, 111, "close", Some(3), 0).ends(THERE, HERE);
    let cut = timeline(&[&connection(), &[close, reset]]);
    assert_eq!(told(&cut)[1], "reset: client A close@110 -> server recv@131");
    assert!(cut.calls.last().unwrap().failed());
}

#[test]
fn a_reset_comes_from_no_shutdown_that_only_ends_the_sending() {
    let shutdown =
        record(CLIENT, 100, 101, "shutdown", Some(3), 0).args("3, SHUT_WR").ends(THERE, HERE);
    let close = record(CLIENT, 110, 111, "close", Some(3), 0).ends(THERE, HERE);
    let reset = record(SERVER, 130, 131, "send", Some(4), 0).ends(HERE, THERE).errno("ECONNRESET");
    let cut = timeline(&[&connection(), &[shutdown, close, reset]]);
    assert_eq!(told(&cut)[1], "reset: client A close@110 -> server send@131");
}

#[test]
fn an_end_that_this_side_has_set_itself_comes_from_nobody() {
    let shutdown =
        |how| record(SERVER, 100, 101, "shutdown", Some(4), 0).args(how).ends(HERE, THERE);
    let the_end = record(SERVER, 30, 120, "recv", Some(4), 0).ends(HERE, THERE);
    let told = |how| told(&timeline(&[&connection(), &[shutdown(how), the_end.clone()]]));
    assert_eq!(told("4, SHUT_RDWR"), [CONNECTED]);
    assert_eq!(told("4, SHUT_WR")[1..], ["end: nowhere -> server recv@120"]);
}

#[test]
fn an_end_comes_from_no_shutdown_of_what_is_received() {
    let shutdown =
        record(CLIENT, 100, 101, "shutdown", Some(3), 0).args("3, SHUT_RD").ends(THERE, HERE);
    let the_end = record(SERVER, 30, 120, "recv", Some(4), 0).ends(HERE, THERE);
    let close = record(CLIENT, 110, 111, "close", Some(3), 0).ends(THERE, HERE);
    let told = told(&timeline(&[&connection(), &[shutdown, close, the_end]]));
    assert_eq!(told[1..], ["end: client A close@110 -> server recv@120"]);
}

#[test]
fn a_descriptor_that_is_given_out_again_is_another_socket() {
    let again = "127.0.0.1:40002";
    let second = [
        record(SERVER, 30, 31, "close", Some(4), 0).ends(HERE, THERE),
        record(SERVER, 32, 60, "accept", Some(3), 4).ends(HERE, again),
        record(CLIENT + 1, 40, 41, "socket", None, 3).args("AF_INET, SOCK_STREAM"),
        record(CLIENT + 1, 42, 50, "connect", Some(3), 0).ends("", HERE),
        record(CLIENT + 1, 51, 52, "getsockname", Some(3), 0).ends(again, HERE),
        record(CLIENT + 1, 55, 56, "send", Some(3), 0).ends(again, HERE).data("B"),
        record(SERVER, 61, 62, "recv", Some(4), 0).ends(HERE, again).data("B"),
    ];
    assert_eq!(
        told(&timeline(&[&connection(), &second])),
        [
            CONNECTED,
            "connect: client B connect@42 -> server accept@60",
            "bytes 1: client B send@55 -> server recv@62",
        ]
    );
}

#[test]
fn a_port_that_is_used_again_is_another_connection() {
    let closed = [
        record(CLIENT, 30, 31, "close", Some(3), 0).ends(THERE, HERE),
        record(SERVER, 32, 33, "close", Some(4), 0).ends(HERE, THERE),
    ];
    let later = connection()
        .into_iter()
        .skip(3)
        .map(|record| Event { start_ns: record.start_ns + 100_000, ..record });
    let later: Vec<Event> = later.collect();
    let both =
        timeline(&[&connection(), &closed, &later, &[sends(150, "x"), receives(151, 152, "x")]]);
    assert_eq!(
        told(&both),
        [
            CONNECTED,
            "connect: client A connect@112 -> server accept@125",
            "bytes 1: client A send@150 -> server recv@152"
        ]
    );
}

#[test]
fn a_forked_child_holds_its_parents_sockets() {
    const CHILD: i32 = 101;
    let forked = [
        record(SERVER, 30, 50, "fork", None, i64::from(CHILD)),
        Event {
            kind: Kind::Note,
            text: Some("fork returned 0".into()),
            call: None,
            ret: None,
            ..record(CHILD, 40, 40, "", None, 0)
        },
        record(SERVER, 45, 46, "close", Some(4), 0).ends(HERE, THERE), // before its record of the fork
        sends(60, "hi"),
        record(CHILD, 55, 61, "recv", Some(4), 0).ends(HERE, THERE).data("hi"),
        record(CHILD, 70, 71, "close", Some(4), 0).ends(HERE, THERE),
        record(CLIENT, 62, 72, "recv", Some(3), 0).ends(THERE, HERE),
    ];
    let timeline = timeline(&[&connection(), &forked]);
    let names: Vec<&str> = timeline.lanes.iter().map(|lane| lane.name.as_str()).collect();
    assert_eq!(names, ["server", "server, child 1", "client A"]);
    assert_eq!(
        told(&timeline),
        [
            CONNECTED,
            "fork: server fork@30 -> server, child 1 @40",
            "bytes 2: client A send@60 -> server, child 1 recv@61",
            // Not from the parent's close: that sent no FIN.
            "end: server, child 1 close@70 -> client A recv@72",
        ]
    );
}

#[test]
fn a_child_that_is_killed_closes_nothing() {
    const CHILD: i32 = 101;
    let killed = [
        record(SERVER, 30, 31, "fork", None, i64::from(CHILD)),
        record(SERVER, 45, 46, "close", Some(4), 0).ends(HERE, THERE),
        record(CHILD, 55, 56, "send", Some(4), 0).ends(HERE, THERE).data("hi"),
        record(CLIENT, 57, 58, "recv", Some(3), 0).ends(THERE, HERE).data("hi"),
        record(CLIENT, 62, 72, "recv", Some(3), 0).ends(THERE, HERE),
    ];
    assert_eq!(
        told(&timeline(&[&connection(), &killed])).last().unwrap(),
        "end: nowhere -> client A recv@72" // the parent's close sent no FIN
    );
}

#[test]
fn children_are_counted_in_the_order_of_their_forks() {
    let forked = [
        record(SERVER, 30, 31, "fork", None, 102),
        record(SERVER, 32, 33, "fork", None, 101),
        record(101, 40, 41, "accept", Some(3), 4).ends(HERE, THERE),
        record(102, 50, 51, "accept", Some(3), 4).ends(HERE, "127.0.0.1:40002"),
    ];
    let timeline = timeline(&[&forked]);
    let lane = |i: usize| (timeline.lanes[i].name.as_str(), timeline.lanes[i].thread.unwrap().0);
    assert_eq!([lane(1), lane(2)], [("server, child 1", 102), ("server, child 2", 101)]);
}

#[test]
fn a_fork_leads_to_the_child_and_not_to_who_had_its_number_before() {
    let forked = [
        record(101, 10, 11, "getpid", None, 0),
        record(SERVER, 30, 31, "fork", None, 101),
        record(101, 40, 41, "getpid", None, 0),
    ];
    assert_eq!(told(&timeline(&[&forked])), ["fork: server fork@20 -> server, child 1 getpid@30"]);
}

/// A server on a UNIX socket that has these clients, and those of its clients that left a trace.
fn on_a_path(received: &[(u64, &str)], sent: &[(u64, &str)]) -> Vec<String> {
    const PATH: &str = "/tmp/socket";
    let mut records = vec![
        record(SERVER, 0, 1, "socket", None, 3).args("AF_UNIX, SOCK_STREAM, 0"),
        record(SERVER, 2, 3, "bind", Some(3), 0).ends(PATH, ""),
        record(SERVER, 4, 5, "listen", Some(3), 0).ends(PATH, ""),
    ];
    for &(at, data) in received {
        records.extend([
            record(SERVER, at, at + 1, "accept", Some(3), 4).ends(PATH, "(unnamed)"),
            record(SERVER, at + 2, at + 3, "recv", Some(4), 0).ends(PATH, "(unnamed)").data(data),
            record(SERVER, at + 4, at + 5, "close", Some(4), 0).ends(PATH, "(unnamed)"),
        ]);
    }
    for (pid, &(at, data)) in (CLIENT..).zip(sent) {
        records.extend([
            record(pid, at, at + 1, "socket", None, 3).args("AF_UNIX, SOCK_STREAM, 0"),
            record(pid, at + 1, at + 2, "connect", Some(3), 0).ends("", PATH),
            record(pid, at + 3, at + 4, "send", Some(3), 0).ends("", PATH).data(data),
        ]);
    }
    let mut told = told(&timeline(&[&records]));
    told.retain(|arrow| arrow.starts_with("bytes"));
    told
}

#[test]
fn who_came_before_a_client_of_a_path_is_not_that_client() {
    assert_eq!(
        on_a_path(&[(10, "one"), (30, "two")], &[(25, "two")]),
        [
            "bytes 3: client unseen@13 -> server recv@13",
            "bytes 3: client A send@28 -> server recv@33"
        ]
    );
}

#[test]
fn clients_of_a_path_are_known_by_what_they_send() {
    assert_eq!(
        on_a_path(&[(30, "b\\xc3"), (40, "a")], &[(20, "a"), (21, "béé")]),
        [
            "bytes 1: client A send@23 -> server recv@43",
            "bytes 5: client B send@24 -> server recv@33"
        ]
        .map(str::to_owned)
        .as_slice()
    );
}

#[test]
fn a_client_of_ipv4_is_known_to_a_socket_of_ipv6() {
    let mapped = |address: &Option<Text>| {
        address.as_ref().map(|address| address.replace("127.0.0.1", "[::ffff:127.0.0.1]").into())
    };
    let any = |mut record: Event| {
        if record.pid == SERVER {
            let listens = matches!(record.call.as_deref(), Some("bind" | "listen"));
            record.local = if listens { Some("[::]:5858".into()) } else { mapped(&record.local) };
            record.peer = mapped(&record.peer);
        }
        record
    };
    let moves = [sends(100, "hello"), receives(100, 102, "hello")];
    let records: Vec<Event> = connection().into_iter().chain(moves).map(any).collect();
    assert_eq!(
        told(&timeline(&[&records])),
        [CONNECTED, "bytes 5: client A send@100 -> server recv@102"]
    );
}

#[test]
fn a_connection_that_nobody_accepts_ends_in_the_air() {
    let mut alone = connection();
    alone.retain(|record| record.call.as_deref() != Some("accept"));
    assert_eq!(told(&timeline(&[&alone])), ["connect: client A connect@12 -> nowhere"]);
}

#[test]
fn a_side_without_a_trace_is_a_lane_that_says_so() {
    let only = |pid, extra: &[Event]| {
        let own = connection()
            .into_iter()
            .chain(extra.iter().cloned())
            .filter(|record| record.pid == pid);
        timeline(&[&own.collect::<Vec<_>>()])
    };
    let moves = [sends(100, "hello"), receives(100, 102, "hello")];
    let server = only(SERVER, &moves);
    assert_eq!(server.lanes.last().unwrap().detail, "no trace of this side");
    assert_eq!(
        told(&server),
        [
            "connect: client unseen@25 -> server accept@25",
            "bytes 5: client unseen@102 -> server recv@102"
        ]
    );
    let client = only(CLIENT, &moves);
    assert_eq!(client.lanes.first().unwrap().detail, "no trace of this side");
    assert_eq!(
        told(&client),
        [
            "connect: client A connect@2 -> server unseen@10",
            "bytes 5: client A send@90 -> server unseen@91"
        ]
    );
}

#[test]
fn a_trace_that_begins_in_the_middle_knows_no_offsets() {
    let middle = [sends(100, "hello"), receives(101, 102, "hello")];
    let told = told(&timeline(&[&middle]));
    assert!(
        told.iter().all(|arrow| !arrow.starts_with("bytes 5: client A send@100 -> server recv")),
        "{told:?}"
    );
}

/// A UDP server and a client that never asks for its own address.
fn datagrams(received: &[Event]) -> Timeline {
    let socket = |pid, at| {
        record(pid, at, at + 1, "socket", None, 3).args("AF_INET, SOCK_DGRAM, IPPROTO_IP")
    };
    let send =
        |at, data| record(CLIENT, at, at + 1, "sendto", Some(3), 0).ends("", HERE).data(data);
    let sides = [
        socket(SERVER, 0),
        record(SERVER, 2, 3, "bind", Some(3), 0).ends(HERE, ""),
        socket(CLIENT, 10),
    ];
    timeline(&[&sides, &[send(20, "one"), send(22, "two"), send(24, "three")], received])
}

fn datagram(at: u64, data: &str) -> Event {
    record(SERVER, at, at + 1, "recvfrom", Some(3), 0).ends(HERE, THERE).data(data)
}

#[test]
fn a_lost_datagram_ends_in_the_air() {
    let answer = [
        record(SERVER, 40, 41, "sendto", Some(3), 0).ends(HERE, THERE).data("ok"),
        record(CLIENT, 30, 42, "recvfrom", Some(3), 0).ends("", HERE).data("ok"),
    ];
    assert_eq!(
        told(&datagrams(&[&[datagram(30, "one"), datagram(32, "three")], &answer[..]].concat())),
        [
            "datagram 3: client A sendto@20 -> server recvfrom@31",
            "datagram 3: client A sendto@22 -> nowhere",
            "datagram 5: client A sendto@24 -> server recvfrom@33",
            "datagram 2: server sendto@40 -> client A recvfrom@42",
        ]
    );
}

#[test]
fn a_datagram_to_any_address_goes_to_this_host() {
    let socket = |pid| record(pid, 0, 1, "socket", None, 3).args("AF_INET, SOCK_DGRAM, IPPROTO_IP");
    let bound = record(SERVER, 2, 3, "bind", Some(3), 0).ends(HERE, "");
    let sent = record(CLIENT, 20, 21, "sendto", Some(3), 0).ends("", "0.0.0.0:5858").data("one");
    assert_eq!(
        told(&timeline(&[&[socket(SERVER), bound, socket(CLIENT), sent, datagram(30, "one")]])),
        ["datagram 3: client A sendto@20 -> server recvfrom@31"]
    );
}

#[test]
fn a_datagram_that_was_cut_is_still_the_same() {
    let cut =
        Event { bytes: Some(2), data: Some("on".into()), asked: Some(3), ..datagram(30, "one") };
    assert_eq!(told(&datagrams(&[cut]))[0], "datagram 3: client A sendto@20 -> server recvfrom@31");
}

#[test]
fn a_state_is_told_when_it_changes() {
    let told = timeline(&[&[
        record(SERVER, 0, 1, "socket", None, 3).args("AF_INET, SOCK_STREAM").state("CLOSED"),
        record(SERVER, 2, 3, "listen", Some(3), 0).ends(HERE, "").state("LISTEN"),
        record(SERVER, 4, 5, "getsockname", Some(3), 0).ends(HERE, "").state("LISTEN"),
        record(SERVER, 6, 7, "shutdown", Some(3), 0).ends(HERE, "").state("CLOSED"),
    ]]);
    let states: Vec<Option<&str>> = told.calls.iter().map(|call| call.state.as_deref()).collect();
    assert_eq!(states, [None, Some("LISTEN"), None, Some("CLOSED")]);
}

#[test]
fn a_run_of_eagains_is_one_bar_with_their_number() {
    let in_vain =
        |at| record(SERVER, at, at + 1, "recv", Some(4), 0).ends(HERE, THERE).errno("EAGAIN");
    let run: Vec<Event> = (0..1000).map(|i| in_vain(100 + 2 * i)).collect();
    let timeline = timeline(&[&connection(), &run, &[receives(3000, 3001, "x")]]);
    let folded = timeline.calls.iter().find(|call| call.times > 1).unwrap();
    assert_eq!((folded.times, folded.from_ns, folded.to_ns), (1000, 100_000, 2_099_000));
    assert!(!folded.failed());
}

// Heights.

#[test]
fn a_call_in_which_something_else_happened_has_two_rows() {
    let timeline = timeline(&[&connection()]);
    let rows = Rows::of(&timeline);
    let of = |name: &str| -> Vec<Part> {
        rows.rows
            .iter()
            .filter(|row| timeline.calls[row.call].name() == name)
            .map(|row| row.part)
            .collect()
    };
    assert_eq!(of("accept"), [Part::Begin, Part::End]);
    assert_eq!(of("connect"), [Part::Whole]);
    assert!(rows.rows.is_sorted_by_key(|row| row.at_ns));
    for call in 0..timeline.calls.len() {
        assert!(rows.began[call] <= rows.returned[call]);
    }
}

#[test]
fn true_heights_are_in_proportion_and_a_long_wait_is_cut() {
    let silence = 1_000_000;
    let later = [
        sends(100, "x"),
        receives(30, 101, "x"),
        sends(silence, "y"),
        receives(103, silence + 1, "y"),
    ];
    let timeline = timeline(&[&connection(), &later]);
    let rows = Rows::of(&timeline);
    let heights = rows.heights(Time::True, 20.0);
    let cut: Vec<u64> = heights.breaks.iter().map(|cut| cut.ns / 1000).collect();
    assert_eq!(cut, [silence - 103], "{heights:?}");
    let scale = |i: usize| {
        let time = rows.rows[i + 1].at_ns - rows.rows[i].at_ns;
        (time > 0 && time < 1_000_000)
            .then(|| (heights.of_rows[i + 1] - heights.of_rows[i]) / time as f64)
    };
    let scales: Vec<f64> = (0..rows.rows.len() - 1).filter_map(scale).collect();
    assert!(scales.iter().all(|scale| (scale / scales[0] - 1.0).abs() < 1e-6), "{scales:?}");
    assert!(heights.height < 40.0 * rows.rows.len() as f64);
    let even = rows.heights(Time::Even, 20.0);
    assert_eq!(even.breaks, heights.breaks);
    assert_eq!(even.of_rows[1] - even.of_rows[0], 20.0);
}

// Real runs.

/// The timeline of an example's demo.
fn demo(example: &str) -> Value {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("picture.json");
    let output = run(&[example, "demo", "-q", "-o", file.to_str().unwrap()], b"");
    assert!(output.status.success(), "{example}: {output:?}");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn in_every_demo_every_byte_received_was_sent_by_somebody() {
    // Where the kernel answers, there is nobody who could be seen to send.
    for example in examples().filter(|example| example.server.is_some()) {
        let demo = demo(example.name);
        let (calls, arrows) =
            (demo["calls"].as_array().unwrap(), demo["arrows"].as_array().unwrap());
        for arrow in arrows {
            let (from, to) = (&arrow["from"], &arrow["to"]);
            assert!(from.is_object() && to.is_object(), "{}: {arrow} of {calls:#?}", example.name);
            assert!(
                from["at_ns"].as_u64() <= to["at_ns"].as_u64(),
                "{}: {arrow} goes back in time",
                example.name
            );
            assert!(
                from["call"].is_u64() && to["call"].is_u64(),
                "{}: {arrow} is not observed",
                example.name
            );
        }
        for (i, call) in calls.iter().enumerate() {
            let record = &call["record"];
            let into = arrows.iter().filter(|arrow| arrow["to"]["call"].as_u64() == Some(i as u64));
            let took: Vec<u64> =
                into.map(|arrow| arrow["bytes"].as_u64().unwrap_or_default()).collect();
            match record["call"].as_str().unwrap_or_default() {
                _ if record["kind"] == "submit" => {} // its completion took it
                "recv" | "recvfrom" if record["ret"].as_i64() > Some(0) => {
                    assert_eq!(
                        Some(took.iter().sum()),
                        record["bytes"].as_u64(),
                        "{}: {record}",
                        example.name
                    );
                }
                "accept" if record["errno"].is_null() => {
                    assert_eq!(took, [0], "{}: {record}", example.name)
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_demo_shows_the_life_of_a_tcp_connection() {
    let demo = demo("tcp-echo");
    let states: Vec<&str> = demo["calls"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|call| call["state"].as_str())
        .collect();
    for state in ["LISTEN", "ESTABLISHED", "CLOSE_WAIT", "TIME_WAIT"] {
        assert!(states.contains(&state), "no {state} in {states:?}");
    }
    // Until the client's kernel has confirmed the FIN of the server's close.
    assert!(states.contains(&"CLOSED") || states.contains(&"LAST_ACK"), "{states:?}");
}

#[test]
fn the_traces_of_two_terminals_are_one_picture() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (example, arrows) in [("tcp-echo", 5), ("udp-echo", 2)] {
        let (ours, theirs) = (path(&format!("{example}-s")), path(&format!("{example}-c")));
        let server = Server::of(example).args(["--trace", &ours]).start();
        let (host, port) = server.place.rsplit_once(':').unwrap();
        let client =
            run(&[example, "client", host, port, "-q", "--trace", &theirs, "-m", "hello"], b"");
        assert!(client.status.success(), "{client:?}");
        assert!(server.stop().status.success());
        let drawn = draw(&[&ours, &theirs, "--format", "json"]);
        assert_eq!(remarks(&drawn), [""; 0]);
        let drawn: Value = serde_json::from_slice(&drawn.stdout).unwrap();
        assert_eq!(drawn["arrows"].as_array().unwrap().len(), arrows, "{example}: {drawn:#}");
        assert_eq!(drawn["lanes"].as_array().unwrap().len(), 2);
    }
}

// Bad input.

fn draw(args: &[&str]) -> Output {
    run(&[&["draw", "-q"], args].concat(), b"")
}

fn remarks(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect()
}

/// A file with these records, and what else is given.
fn file(folder: &TempDir, name: &str, records: &[Event], extra: &str) -> String {
    let lines: String =
        records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect();
    let path = folder.path().join(name);
    fs::write(&path, lines + extra).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_cannot_be_drawn_is_named_and_counted_and_the_rest_is_drawn() {
    let folder = TempDir::new().unwrap();
    let torn = file(
        &folder,
        "torn",
        &connection(),
        "hello\n\n{\"v\":1}\n{\"v\":1,\"kind\":\"call\",\"start_ns\":12",
    );
    let drawn = draw(&[&torn]);
    assert!(drawn.status.success());
    assert!(String::from_utf8_lossy(&drawn.stdout).contains("accept"));
    let [first, second] = &remarks(&drawn)[..] else { panic!("{drawn:?}") };
    assert!(first.contains(&format!("{torn}:8: ")) && second.contains(&format!("{torn}:11: ")));
    Said::on("draw_torn").add("torn", &format!("{first}\n{second}"));
}

#[test]
fn hosts_without_traffic_between_them_have_no_common_clock() {
    let folder = TempDir::new().unwrap();
    let on = |boot: &str| -> Vec<Event> {
        connection().into_iter().map(|record| Event { boot: Some(boot.into()), ..record }).collect()
    };
    let (here, there) =
        (file(&folder, "here", &on("00000001"), ""), file(&folder, "there", &on("00000002"), ""));
    let said = Said::on("draw_another_boot");
    said.ends("here there", &draw(&[&here, &there, "--format", "json"]), 1);
    let drawn = draw(&[&here, &there, "--format", "json", "--raw"]);
    let drawn: Value = serde_json::from_slice(&drawn.stdout).unwrap();
    assert_eq!(drawn["calls"].as_array().unwrap().len(), 2 * connection().len());
    assert!(drawn.get("clock").is_none());
    // The loopback address of one host is not that of the other, and neither is a process.
    assert_eq!(drawn["arrows"].as_array().unwrap().len(), 2);
    assert_eq!(drawn["lanes"].as_array().unwrap().len(), 4);
    // A third one has no place.
    let other = file(&folder, "other", &on("00000003"), "");
    let drawn = draw(&[&here, &there, &other, "--format", "json", "--raw"]);
    said.add("a third host", &remarks(&drawn).join("\n"));
    let drawn: Value = serde_json::from_slice(&drawn.stdout).unwrap();
    assert_eq!(drawn["calls"].as_array().unwrap().len(), 2 * connection().len());
}

#[test]
fn traces_that_overlap_nowhere_are_drawn_with_a_word() {
    let folder = TempDir::new().unwrap();
    let later: Vec<Event> = connection()
        .into_iter()
        .map(|record| Event { start_ns: record.start_ns + 3_000_000_000, ..record })
        .collect();
    let (first, second) = (file(&folder, "a", &connection(), ""), file(&folder, "b", &later, ""));
    let drawn = draw(&[&second, &first]);
    assert!(drawn.status.success());
    Said::on("draw_apart").add("b a", &remarks(&drawn).join("\n"));
}

#[test]
fn clients_that_come_one_after_the_other_are_worth_no_word() {
    let folder = TempDir::new().unwrap();
    let end = record(SERVER, 900, 901, "close", Some(3), 0).ends(HERE, "");
    let server = file(&folder, "server", &[connection(), vec![end]].concat(), "");
    let clients = [100, 300].map(|at| file(&folder, &at.to_string(), &[sends(at, "x")], ""));
    assert_eq!(remarks(&draw(&[&server, &clients[0], &clients[1]])), [""; 0]);
}

#[test]
fn a_record_that_is_given_twice_is_drawn_once() {
    let folder = TempDir::new().unwrap();
    let trace = file(&folder, "trace", &connection(), "");
    let drawn = draw(&[&trace, &trace, "--format", "json"]);
    Said::on("draw_twice").add("trace trace", &remarks(&drawn).join("\n"));
    let drawn: Value = serde_json::from_slice(&drawn.stdout).unwrap();
    assert_eq!(drawn["calls"].as_array().unwrap().len(), connection().len());
}

#[test]
fn odd_records_are_drawn_in_every_format() {
    let folder = TempDir::new().unwrap();
    let all = |odd: fn(&mut Event)| {
        let mut records = connection();
        records.iter_mut().for_each(odd);
        records
    };
    let lasts_for_ever = all(|record| (record.start_ns, record.dur_ns) = (0, u64::MAX));
    let far = [connection(), vec![Event { start_ns: u64::MAX, ..sends(1, "x") }]].concat();
    // A long call with a short name, told in two rows of which the second has no name.
    let short = vec![record(SERVER, 0, 2000, "do", Some(3), 0)];
    let own_child = all(|record| {
        (record.call, record.ret) = (Some("fork".into()), Some(i64::from(record.pid)));
    });
    for (name, records) in [
        ("lasts for ever", lasts_for_ever),
        ("far apart", far),
        ("short name", short),
        ("its own child", own_child),
    ] {
        let trace = file(&folder, name, &records, "");
        for format in ["txt", "svg", "html", "md", "json"] {
            for time in ["even", "true"] {
                let drawn = draw(&[&trace, "--format", format, "--time", time]);
                assert!(drawn.status.success(), "{name}, {format}, {time}: {drawn:?}");
            }
        }
    }
}

#[test]
fn nothing_to_draw_is_an_error_of_one_line() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing");
    let empty = file(&folder, "empty", &[], "");
    let foreign = file(&folder, "foreign", &[], "PK\u{3}\u{4}\n");
    let said = Said::on("draw_nothing");
    for trace in [missing.to_str().unwrap(), folder.path().to_str().unwrap(), &empty, &foreign] {
        let output = draw(&[trace]);
        assert_eq!(remarks(&output).len(), 1, "{output:?}");
        said.ends(trace, &output, 1);
    }
}

#[test]
fn a_trace_cannot_steer_the_terminal() {
    let folder = TempDir::new().unwrap();
    let evil = Event {
        peer: Some("\u{1b}[2J".into()),
        role: "client\u{202e}".into(),
        ..sends(100, "\u{1b}]0;x\u{7}")
    };
    let trace = file(&folder, "evil", &[evil], "");
    for format in ["txt", "svg", "html", "md", "json"] {
        let drawn = draw(&[&trace, "--format", format]);
        let text = String::from_utf8(drawn.stdout).unwrap();
        assert!(
            !text.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'),
            "{format}: {text:?}"
        );
    }
}

#[test]
fn the_format_is_in_the_files_name() {
    let folder = TempDir::new().unwrap();
    let trace = file(&folder, "trace", &connection(), "");
    for name in ["x.svg", "x.html", "x.md", "x.json", "x.txt"] {
        let path = folder.path().join(name);
        let output = draw(&[&trace, "-o", path.to_str().unwrap()]);
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
        assert_eq!(Format::of(&path).map(|format| picture(format).is_empty()), Some(false));
        assert!(!fs::read_to_string(&path).unwrap().is_empty());
    }
    let output = draw(&[&trace, "-o", folder.path().join("x.png").to_str().unwrap()]);
    Said::on("draw_format").ends("x.png", &output, 2);
}

fn picture(format: Format) -> String {
    let view = View {
        title: "test".into(),
        time: Time::Even,
        columns: 80,
        ascii: false,
        color: false,
        lang: Lang::En,
    };
    timeline(&[&connection()]).picture(format, &view)
}

#[test]
fn a_picture_that_cannot_be_written_whole_is_not_there() {
    let folder = TempDir::new().unwrap();
    let trace = file(&folder, "trace", &connection(), "");
    let path = folder.path().join("no such folder").join("x.svg");
    let output = draw(&[&trace, "-o", path.to_str().unwrap()]);
    Said::on("draw_nowhere").ends("no such folder/x.svg", &output, 1);
    if Path::new("/dev/full").exists() {
        let full = netplay()
            .args(["draw", &trace])
            .stdout(fs::File::options().write(true).open("/dev/full").unwrap())
            .output()
            .unwrap();
        assert_eq!(full.status.code(), Some(1), "{full:?}");
    }
}

#[test]
fn a_picture_does_not_take_the_place_of_its_trace() {
    let folder = TempDir::new().unwrap();
    let trace = file(&folder, "trace.json", &connection(), "");
    let (before, link) = (fs::read(&trace).unwrap(), folder.path().join("link.json"));
    std::os::unix::fs::symlink("trace.json", &link).unwrap();
    let said = Said::on("draw_onto_itself");
    for picture in [&trace, &link.display().to_string()] {
        let output = draw(&[&trace, "-o", picture]);
        said.ends(&format!("-o {picture}"), &output, 1);
        assert_eq!(fs::read(&trace).unwrap(), before);
    }
}

#[test]
fn a_picture_replaces_the_file_behind_a_link_and_keeps_its_mode() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = TempDir::new().unwrap();
    let trace = file(&folder, "trace", &connection(), "");
    let (link, real) = (folder.path().join("link.svg"), folder.path().join("real.svg"));
    fs::write(&real, "old").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    symlink("real.svg", &link).unwrap();
    assert!(draw(&[&trace, "-o", link.to_str().unwrap()]).status.success());
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().starts_with("<svg"));
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_link_that_leads_to_no_file_yet_stays_a_link() {
    use std::os::unix::fs::symlink;
    let folder = TempDir::new().unwrap();
    let trace = file(&folder, "trace", &connection(), "");
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("sub")).unwrap();
    symlink("sub/second.svg", at("first.svg")).unwrap();
    symlink("real.svg", at("sub/second.svg")).unwrap();
    assert!(draw(&[&trace, "-o", at("first.svg").to_str().unwrap()]).status.success());
    for link in ["first.svg", "sub/second.svg"] {
        assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
    }
    assert!(fs::read_to_string(at("sub/real.svg")).unwrap().starts_with("<svg"));

    symlink("loop.svg", at("loop.svg")).unwrap();
    symlink("no/such.svg", at("astray.svg")).unwrap();
    for link in ["loop.svg", "astray.svg"] {
        let output = draw(&[&trace, "-o", at(link).to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
    }
}

#[test]
fn a_picture_that_does_not_fit_on_a_device_leaves_it_there() {
    let folder = TempDir::new().unwrap();
    let trace = file(&folder, "trace", &connection(), "");
    let link = folder.path().join("full.svg");
    std::os::unix::fs::symlink("/dev/full", &link).unwrap();
    let output = draw(&[&trace, "-o", link.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn a_trace_may_come_from_standard_input() {
    let lines: String =
        connection().iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect();
    let output = run(&["draw", "-"], lines.as_bytes());
    assert!(output.status.success() && !output.stdout.is_empty(), "{output:?}");
    assert!(read(&["/dev/null".into()]).is_err());
}

// ---- a long trace ----

/// So many children, each with a client of its own.
fn forking_server(children: i32) -> Vec<Event> {
    let mut records = Vec::new();
    let server = Text::from("127.0.0.1:5858");
    for nth in 0..children {
        let client = Text::from(format!("127.0.{}.{}:40000", nth / 250, nth % 250 + 1));
        let start = 1_000 * nth as u64;
        let mut call = |after: u64, role: &str, pid: i32, call: &str, fd: i32, ret: i64| {
            let of_client = role == "client";
            let ends = (Some(client.clone()), Some(server.clone()));
            let (local, peer) = if of_client { ends } else { (ends.1, ends.0) };
            records.push(Event {
                start_ns: start + after,
                dur_ns: 5,
                role: role.into(),
                pid,
                tid: pid,
                call: Some(call.into()),
                fd: Some(fd),
                ret: Some(ret),
                bytes: ["send", "recv"].contains(&call).then_some(5),
                data: Some("hello".into()),
                local,
                peer,
                ..Event::default()
            });
        };
        let (of_client, of_child) = (100_000 + nth, 200_000 + nth);
        call(0, "client", of_client, "connect", 3, 0);
        call(10, "server", 1, "accept", 3, 4);
        call(20, "server", 1, "fork", 3, of_child.into());
        call(30, "server", 1, "close", 4, 0);
        call(40, "client", of_client, "send", 3, 5);
        call(50, "server", of_child, "recv", 4, 5);
        call(60, "server", of_child, "close", 4, 0);
        call(70, "client", of_client, "close", 3, 0);
    }
    records
}

/// So many threads of a server, each with a client that nobody watched.
fn threaded_server(threads: i32) -> Vec<Event> {
    let of_thread = |nth: i32| Event {
        start_ns: 100 * nth as u64,
        dur_ns: 10,
        role: "server".into(),
        pid: 1,
        tid: 1 + nth,
        call: Some("recv".into()),
        fd: Some(3 + nth),
        ret: Some(5),
        bytes: Some(5),
        data: Some("hello".into()),
        local: Some("127.0.0.1:5858".into()),
        peer: Some(format!("127.0.0.1:{}", 1024 + nth).into()),
        ..Event::default()
    };
    (0..threads).map(of_thread).collect()
}

/// So many datagrams to one server, each from a socket of its own.
fn datagrams_to(
    count: i32,
    server: &str,
    client: impl Fn(i32) -> Option<Text>,
    receives: impl Fn(i32) -> bool,
) -> Vec<Event> {
    let mut records = Vec::new();
    for nth in 0..count {
        let datagram = |after: u64, pid: i32, role: &str, call: &str| Event {
            start_ns: 100 * nth as u64 + after,
            dur_ns: 5,
            role: role.into(),
            pid,
            tid: pid,
            call: Some(call.into()),
            fd: Some(3),
            ret: Some(5),
            bytes: Some(5),
            data: Some("hello".into()),
            ..Event::default()
        };
        let sent = datagram(0, 100_000 + nth, "client", "sendto");
        records.push(Event { local: client(nth), peer: Some(server.into()), ..sent });
        if receives(nth) {
            let received = datagram(10, 1, "server", "recvfrom");
            let peer = client(nth).or_else(|| Some(address_of(nth).into()));
            records.push(Event { local: Some(server.into()), peer, ..received });
        }
    }
    records
}

/// An address of its own for each client, and one port for all.
fn address_of(nth: i32) -> String {
    format!("127.1.{}.{}:40000", nth / 250, 1 + nth % 250)
}

fn clients_of_one_port(count: i32) -> Vec<Event> {
    datagrams_to(count, "127.0.0.1:5858", |nth| Some(address_of(nth).into()), |_| true)
}

fn clients_with_paths(count: i32) -> Vec<Event> {
    datagrams_to(count, "/run/server", |nth| Some(format!("/run/client-{nth}").into()), |_| true)
}

/// Every second datagram is lost, and no client knows its own address.
fn clients_without_addresses(count: i32) -> Vec<Event> {
    let mut records = datagrams_to(count, "127.0.0.1:5858", |_| None, |nth| nth % 2 == 0);
    for record in records.iter_mut().filter(|record| record.role == "client") {
        if record.pid % 2 == 1 {
            record.peer = Some("127.0.0.1:5859".into());
        }
    }
    records
}

/// One sender, a group, and one receiver.
fn multicast(count: i32) -> Vec<Event> {
    let mut records =
        datagrams_to(count, "224.0.0.1:5858", |_| Some("127.0.0.1:40000".into()), |_| true);
    for record in &mut records {
        if record.role == "client" {
            (record.pid, record.tid) = (2, 2);
        }
    }
    records
}

/// One sender and one receiver, and what is received is never what was sent.
fn never_received(count: i32) -> Vec<Event> {
    let mut records = multicast(count);
    for record in &mut records {
        for address in [&mut record.local, &mut record.peer].into_iter().flatten() {
            *address = address.replace("224.0.0.1", "127.0.0.1").into();
        }
        if record.role == "server" {
            record.data = Some("other".into());
        }
    }
    records
}

/// The same to a group.
fn never_received_by_a_group(count: i32) -> Vec<Event> {
    let mut records = multicast(count);
    records
        .iter_mut()
        .filter(|record| record.role == "server")
        .for_each(|record| record.data = Some("other".into()));
    records
}

/// The time that this thread has used, which other programs on the machine do not change.
fn thread_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    Duration::from(nix::time::clock_gettime(clock).unwrap())
}

/// Eight times the lanes take about eight times as long, not sixty-four.
#[test]
fn the_time_for_a_picture_grows_with_the_trace_and_not_with_its_square() {
    for (what, records) in [
        ("fork", forking_server as fn(i32) -> Vec<Event>),
        ("thread", threaded_server as fn(i32) -> Vec<Event>),
        ("one port", clients_of_one_port as fn(i32) -> Vec<Event>),
    ] {
        for format in [Format::Svg, Format::Html, Format::Text, Format::Markdown, Format::Json] {
            let time = |lanes| {
                let records: Vec<Event> = records(lanes).into_iter().map(Event::read).collect();
                let start = thread_time();
                let view = View {
                    title: what.into(),
                    time: Time::Even,
                    columns: 120,
                    ascii: false,
                    color: false,
                    lang: Lang::En,
                };
                let picture = Timeline::new(records, &HashMap::new()).picture(format, &view);
                assert!(!picture.is_empty());
                thread_time() - start
            };
            let (few, many) = (time(250).min(time(250)), time(2000));
            assert!(many < few * 20, "{what}, {format:?}: {few:?} and {many:?}");
        }
    }
}

/// A program whose server and client are threads, or one thread: the role decides the lane, and a client
/// that never asked for its own address has its arrows.
#[test]
fn server_and_client_of_one_program_have_a_lane_each() {
    let whole = "AF_INET, SOCK_STREAM, IPPROTO_IP";
    for thread in [SERVER + 1, SERVER] {
        let client = |record: Event| Event { role: "client".into(), tid: thread, ..record };
        let mut asks = record(SERVER, 30, 31, "connect", Some(4), 0);
        asks.peer = Some(HERE.into());
        let mut sends = record(SERVER, 50, 51, "send", Some(4), 5).data("hello");
        sends.peer = Some(HERE.into());
        let mut listens = record(SERVER, 10, 11, "listen", Some(3), 0).args("3, 128");
        listens.local = Some(HERE.into());
        let timeline = timeline(&[&[
            record(SERVER, 0, 1, "socket", None, 3).args(whole),
            listens,
            client(record(SERVER, 20, 21, "socket", None, 4).args(whole)),
            client(asks),
            record(SERVER, 40, 41, "accept", Some(3), 5).ends(HERE, THERE),
            client(sends),
            record(SERVER, 60, 61, "recv", Some(5), 5).data("hello").ends(HERE, THERE),
        ]]);
        let lanes: Vec<(&str, &str)> =
            timeline.lanes.iter().map(|lane| (&*lane.name, &*lane.role)).collect();
        assert_eq!(lanes, [("server", "server"), ("client A", "client")]);
        let ends: Vec<_> = timeline
            .arrows
            .iter()
            .map(|arrow| (arrow.from.map(|tip| tip.lane), arrow.to.map(|tip| tip.lane)))
            .collect();
        assert_eq!(ends, [(Some(1), Some(0)), (Some(1), Some(0))], "thread {thread}");
    }
}

/// A role is any name: one that has it alone is called by it.
#[test]
fn a_role_of_another_name_is_a_lane_of_that_name() {
    let socket = |pid: i32, role: &str| {
        let begin = u64::from(pid.unsigned_abs());
        Event { role: role.into(), ..record(pid, begin, begin + 1, "socket", None, 3) }
    };
    let lanes = |roles: &[&str]| -> Vec<String> {
        let records: Vec<Event> = (1..).zip(roles).map(|(pid, role)| socket(pid, role)).collect();
        timeline(&[&records]).lanes.into_iter().map(|lane| lane.name).collect()
    };
    assert_eq!(lanes(&["server", "proxy", "client"]), ["server", "proxy", "client A"]);
    assert_eq!(lanes(&["proxy", "proxy"]), ["proxy 1", "proxy 2"]);
}

/// What belongs together is found in a time that grows with the trace, whatever the addresses are.
#[test]
fn the_time_to_find_arrows_grows_with_the_trace_and_not_with_its_square() {
    for (what, records) in [
        ("one port", clients_of_one_port as fn(i32) -> Vec<Event>),
        ("paths", clients_with_paths),
        ("no addresses", clients_without_addresses),
        ("multicast", multicast),
        ("never received", never_received),
        ("never received by a group", never_received_by_a_group),
    ] {
        let time = |count| {
            let records: Vec<Event> = records(count).into_iter().map(Event::read).collect();
            let start = thread_time();
            let timeline = Timeline::new(records, &HashMap::new());
            assert!(timeline.arrows.len() >= count as usize, "{what}");
            thread_time() - start
        };
        let (few, many) = (time(1000).min(time(1000)), time(8000));
        assert!(many < few * 20, "{what}: {few:?} and {many:?}");
    }
}
