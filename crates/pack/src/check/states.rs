//! What the state of a socket allows: a listener accepts, a connected one moves bytes, and nothing follows an end.

use netplay_record::{Call, Connection, Direction, Event, Kind, Moves};

use super::sockets::Sockets;
use crate::run::Run;
use crate::{Fault, Rule};
use netplay_text::both;

pub(super) fn check(run: &Run, sockets: &Sockets, faults: &mut Vec<Fault>) {
    for socket in &sockets.all {
        if socket.shared || socket.made.is_none() || socket.stream.is_none() {
            continue;
        }
        let stream = socket.stream == Some(true);
        let mut listens: Option<u64> = None;
        let mut linked = socket.listener.is_some() || socket.pair.is_some();
        let mut connected: Option<usize> = None;
        let mut bound: Option<usize> = None;
        // The first end that was read, and the first shutdown of each direction.
        let mut ended: Option<usize> = None;
        let mut shut: [Option<usize>; 2] = [None, None];
        for &i in &socket.calls {
            let record = &*run.records[i];
            let mut fault = |said, at: &[usize]| faults.push(run.fault(Rule::State, said, at));
            let done = record.is_done();
            match (&*record.what, record.what.moves()) {
                (_, Moves::Listens) if done => {
                    listens = Some(listens.unwrap_or(record.start_ns).min(record.start_ns))
                }
                (_, Moves::Accepts { .. }) if done && stream => {
                    let late = |_: &u64| {
                        socket.calls.iter().any(|&other| {
                            let of = &run.records[other];
                            of.what.moves() == Moves::Listens
                                && of.is_done()
                                && of.start_ns <= run.end(i)
                        })
                    };
                    if listens.filter(late).is_none() && !late(&0) {
                        fault(
                            both!(
                                "accept succeeds on a socket that does not listen",
                                "在没有监听的套接字上 accept 成功"
                            ),
                            &[i],
                        );
                    }
                }
                (_, Moves::Connects) => {
                    let resets =
                        record.args.as_deref().is_some_and(|args| args.contains("AF_UNSPEC"));
                    if resets {
                        (connected, linked) = (None, false);
                        continue;
                    }
                    let begun = matches!(
                        record.errno.as_deref(),
                        None | Some("EINPROGRESS" | "EINTR" | "EALREADY" | "EISCONN" | "EAGAIN")
                    );
                    linked |= begun;
                    if done && stream {
                        match connected {
                            Some(before) if run.end(before) <= record.start_ns => fault(
                                both!(
                                    "a connected socket is connected once more, without an error",
                                    "已连接的套接字又一次 connect 成功"
                                ),
                                &[before, i],
                            ),
                            _ => connected = Some(i),
                        }
                        if listens.is_some_and(|since| since < record.start_ns) {
                            fault(
                                both!(
                                    "connect succeeds on a listening socket",
                                    "在监听套接字上 connect 成功"
                                ),
                                &[i],
                            );
                        }
                    }
                }
                (Call::Connection(Connection::Bind(_)), _) if done && stream => match bound {
                    Some(before) if run.end(before) <= record.start_ns => fault(
                        both!(
                            "a socket is bound twice, without an error",
                            "同一套接字 bind 成功了两次"
                        ),
                        &[before, i],
                    ),
                    _ => bound = Some(i),
                },
                (_, Moves::Shuts(how)) if done => {
                    let sides = match how {
                        std::net::Shutdown::Read => [true, false],
                        std::net::Shutdown::Write => [false, true],
                        std::net::Shutdown::Both => [true, true],
                    };
                    for (side, set) in shut.iter_mut().zip(sides) {
                        if set && side.is_none() {
                            *side = Some(i);
                        }
                    }
                }
                _ => {}
            }
            if !stream || record.kind != Kind::Call {
                continue;
            }
            let moved = moved(record);
            let opens = record.args.as_deref().is_some_and(|args| args.contains("MSG_FASTOPEN"));
            match moved {
                Some(_) if opens => linked = true,
                Some(Direction::In | Direction::Out) if !linked => {
                    fault(
                        both!(
                            "bytes move through a socket that was never connected",
                            "数据通过了一个从未连接的套接字"
                        ),
                        &[i],
                    );
                }
                Some(Direction::Out) => {
                    if let Some(shut) = shut[1].filter(|&shut| run.end(shut) < record.start_ns) {
                        fault(
                            both!(
                                "bytes are sent after the program shut down this direction",
                                "程序关闭发送方向之后又发送了数据"
                            ),
                            &[shut, i],
                        );
                    }
                }
                Some(Direction::In) => {
                    if let Some(end) = ended.filter(|&end| run.end(end) < record.start_ns) {
                        fault(
                            both!(
                                "bytes are received after the end of the stream",
                                "在流结束之后又收到了数据"
                            ),
                            &[end, i],
                        );
                    }
                }
                Some(Direction::End) if shut[0].is_none() && ended.is_none() => ended = Some(i),
                _ => {}
            }
        }
    }
}

/// What moved through a stream: bytes out or in, or the end.
pub(super) fn moved(record: &Event) -> Option<Direction> {
    record.what.way()?;
    match record.direction_on_connection()? {
        Direction::In if record.ret == Some(0) && record.room() != Some(0) => Some(Direction::End),
        Direction::In | Direction::Out if record.bytes.unwrap_or_default() == 0 => None,
        Direction::End if record.room() == Some(0) => None,
        direction => Some(direction),
    }
}
