//! Tests of how the story tells what runtimes do on their own account ([`netplay_record::noise`]): what is counted, and where
//! the number stands.

use crate::story::{Clock, Fold, Noise, Story};
use netplay_record::{
    Bytes, Call, Change, Connection, Event, Family, Fcntl, Interest, Kind, Outcome, Process,
    Receive, SocketKind, Sockopt, Type, Wait,
};
use netplay_text::lang::Lang;
use nix::errno::Errno;

fn event(call: impl Into<Call>, fd: i32, ret: Result<i64, Errno>) -> Event {
    let call = call.into();
    let outcome = Outcome {
        fd: Some(fd),
        ret: Some(ret.unwrap_or(-1)),
        errno: ret.err().map(|errno| errno as i32),
    };
    let strace = call.strace(&outcome);
    Event { role: "server".into(), ..Event::of(call, &outcome, strace) }
}

fn recv(fd: i32, ret: Result<i64, Errno>) -> Event {
    event(Bytes::Recv(Receive { room: 64, data: None, ..Receive::default() }), fd, ret)
}

fn again(fd: i32) -> Event {
    recv(fd, Err(Errno::EAGAIN))
}

fn epoll_wait(timeout: i32, found: i64) -> Event {
    event(Wait::EpollWait { ready: Vec::new(), room: 8, timeout }, 3, Ok(found))
}

fn epoll_ctl(fd: i32) -> Event {
    let change = Interest { change: Change::Add, fd, events: libc::EPOLLIN as u32 };
    event(Wait::EpollCtl(change), 3, Ok(0))
}

fn execve(ret: Result<i64, Errno>) -> Event {
    Event { fd: None, ..event(Process::Execve("/bin/ls".to_owned()), 0, ret) }
}

fn close(fd: i32) -> Event {
    event(Connection::Close, fd, Ok(0))
}

/// The lines without the time and the lane.
fn told(events: &[Event]) -> Vec<String> {
    let clock = Clock::Since(0);
    let story = Story { detail: 0, color: false, ascii: true, clock, lang: Lang::En };
    let (mut noise, mut fold) = (Noise::default(), Fold::default());
    let lines: String = events
        .iter()
        .map(|event| story.lines_of_program((&mut noise, &mut fold), event, "server"))
        .collect();
    lines.lines().map(|line| line.split_at(18).1.trim_end().to_owned()).collect()
}

#[test]
fn what_finds_nothing_before_a_wait_is_counted_with_the_wait() {
    let lines = told(&[
        epoll_ctl(4),
        epoll_wait(0, 0),
        recv(4, Ok(5)),
        again(4),
        epoll_wait(0, 0),
        epoll_wait(-1, 1),
        recv(4, Ok(5)),
    ]);
    let calls: Vec<_> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(calls, ["epoll_ctl", "recv", "epoll_wait", "recv"], "{lines:#?}");
    assert!(lines[2].ends_with("[asked 3 times before: nothing was ready]"), "{lines:#?}");
}

#[test]
fn a_question_to_nscd_is_one_line() {
    let kind = SocketKind { family: Family::Unix, ty: Type::Stream, protocol: 0, flags: 0 };
    let socket = event(Connection::Socket(kind), -1, Ok(3));
    let socket = Event { fd: None, ..socket };
    let connect = |path: &str, ret| {
        let call = event(Connection::Connect(None), 3, ret);
        Event { peer: Some(path.into()), ..call }
    };
    let nscd = connect("/var/run/nscd/socket", Err(Errno::ENOENT));
    let question = [socket.clone(), nscd, close(3)];
    let lines = told(&[&question[..], &question, &[close(4)]].concat());
    assert!(lines.len() == 2 && lines[0].contains("nscd"), "{lines:#?}");
    // A socket of the program's own is told, and so is a connect that goes elsewhere.
    for other in [connect("/run/other", Err(Errno::ENOENT)), close(5), close(3)] {
        let lines = told(&[socket.clone(), other, close(3)]);
        assert_eq!(lines.len(), 3, "{lines:#?}");
    }
}

/// What stands in a pair was sent by the process itself.
#[test]
fn a_look_into_a_pair_of_its_own_is_counted() {
    let kind = SocketKind { family: Family::Unix, ty: Type::Datagram, protocol: 0, flags: 0 };
    let pair = event(Connection::Socketpair(kind, Some([6, 7])), -1, Ok(0));
    let lines = told(&[pair.clone(), again(6), close(4), again(6), epoll_wait(-1, 1)]);
    assert!(lines.len() == 3 && lines[2].contains("[asked 2 times before"), "{lines:#?}");
    let lines = told(&[pair, close(6), again(6), close(6)]);
    assert!(lines.iter().any(|line| line.contains("EAGAIN")), "{lines:#?}");
}

#[test]
fn an_eagain_that_no_wait_follows_is_told() {
    let lines = told(&[again(4), close(4)]);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    let lines = told(&[epoll_ctl(4), again(4), recv(5, Ok(1)), close(4)]);
    assert!(lines.len() == 4 && lines[2].contains("EAGAIN"), "{lines:#?}");
    let end = Event { kind: Kind::Note, text: Some("ended".into()), ..Event::default() };
    let lines = told(&[again(4), end]);
    assert!(lines.len() == 2 && lines[0].contains("EAGAIN"), "{lines:#?}");
}

#[test]
fn a_loop_of_the_program_is_told_and_counted() {
    let mut events: Vec<Event> = (0..1000).map(|_| again(4)).collect();
    events.push(recv(4, Ok(5)));
    let lines = told(&events);
    assert!(lines[0].contains("EAGAIN"), "{lines:#?}");
    assert!(lines.len() == 3 && lines[1].contains("EAGAIN 999 more times"), "{lines:#?}");
    let mut events: Vec<Event> = (0..1000).map(|_| epoll_wait(0, 0)).collect();
    events.push(recv(4, Ok(5)));
    let lines = told(&events);
    assert!(lines[0].ends_with("[asked 16 times before: nothing was ready]"), "{lines:#?}");
    assert!(lines.len() == 3 && lines[1].contains("epoll_wait 983 more"), "{lines:#?}");
}

#[test]
fn a_send_that_finds_no_room_is_told() {
    let full = netplay_record::Send { flags: 0, data: netplay_record::Data::new(b"x", 0) };
    let full = event(Bytes::Send(full), 4, Err(Errno::EAGAIN));
    assert_eq!(told(&[epoll_ctl(4), full, epoll_wait(-1, 1)]).len(), 3);
}

#[test]
fn the_folders_of_path_are_counted() {
    let absent = || execve(Err(Errno::ENOENT));
    let lines = told(&[absent(), absent(), execve(Ok(0))]);
    assert!(lines.len() == 1, "{lines:#?}");
    assert!(lines[0].ends_with("[not found in 2 other places before]"), "{lines:#?}");
    let lines = told(&[absent(), absent(), absent(), close(4)]);
    assert!(lines.len() == 3, "{lines:#?}");
    assert!(lines[1].ends_with("nor was it found in 2 other places"), "{lines:#?}");
}

#[test]
fn what_a_runtime_looks_for_is_counted() {
    let probe = |fd| event(Sockopt::Fcntl(Fcntl::SetCloexec(true)), fd, Err(Errno::EBADF));
    let lines = told(&[probe(3), probe(4), probe(255), close(9)]);
    assert!(lines.len() == 2, "{lines:#?}");
    assert!(lines[0].contains("whether 3 descriptors are open: none is"), "{lines:#?}");
    // A program that uses the descriptor of a failed call has made a mistake.
    let mistake = event(Sockopt::Fcntl(Fcntl::SetCloexec(true)), -1, Err(Errno::EBADF));
    assert_eq!(told(&[mistake.clone(), mistake]).len(), 2);
}
