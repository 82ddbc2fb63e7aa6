//! A small second write waits for the acknowledgement of the first, and the receiver delays that: the cure is
//! at the sender.

use std::mem::offset_of;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Stage, Value, unrecorded};
use crate::call::{self, OptValue, TCP_INFO, TCP_NODELAY, TCP_QUICKACK, TcpListener, TcpStream};
use crate::lang::Lang;
use crate::sendall;

pub(super) const PLAYS: super::Plays = &[];

/// How many requests are made, and how many of them are drawn: the last.
const ROUNDS: usize = 12;
const DRAWN: usize = 2;

/// The two parts of a request, and its answer.
const HEADER: &[u8] = b"len=4;";
const BODY: &[u8] = b"body";
const ANSWER: &[u8] = b"ok";

/// How the two sides go about it.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    /// The client sets TCP_NODELAY.
    sender: bool,
    /// The server sets TCP_NODELAY.
    receiver: bool,
    /// The server sets TCP_QUICKACK before each recv.
    quickack: bool,
    /// The client hands header and body over in one call.
    one_send: bool,
}

const PLAIN: Way =
    Way { name: "plain", sender: false, receiver: false, quickack: false, one_send: false };

/// Two writes and a read; the same with TCP_NODELAY on the wrong side; and one write for comparison.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let plain = talk(stage, PLAIN)?;
    let (receiver, one_send) =
        unrecorded(["the other two ways", "另外两种方式"], || -> Result<_> {
            Ok((
                talk(stage, Way { name: "receiver", receiver: true, ..PLAIN })?,
                talk(stage, Way { name: "one", one_send: true, ..PLAIN })?,
            ))
        })?;
    let slow = |ways: &Rounds| ways.median() > 2 * one_send.median();
    stage.answer(match (slow(&plain), slow(&receiver)) {
        (true, false) => Some(1),
        (true, true) => Some(2),
        _ => None,
    });
    stage.claim("waits", slow(&plain));
    stage.claim("useless", slow(&receiver));
    let rows = [&plain, &receiver, &one_send].map(Rounds::row).to_vec();
    stage.table("rounds", &COLUMNS, rows);
    Ok(())
}

/// The same two writes, with TCP_NODELAY where they are made; one write; and what a receiver can do.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let sender = talk(stage, Way { name: "sender", sender: true, ..PLAIN })?;
    let (plain, one_send, quickack) =
        unrecorded(["the other ways", "其他方式"], || -> Result<_> {
            Ok((
                talk(stage, PLAIN)?,
                talk(stage, Way { name: "one", one_send: true, ..PLAIN })?,
                talk(stage, Way { name: "quickack", quickack: true, ..PLAIN })?,
            ))
        })?;
    let quick = |ways: &Rounds| 2 * ways.median() < plain.median();
    stage.claim("cured", quick(&sender) && quick(&one_send));
    // A sender that does not wait sends a segment for each write; a single write is a single segment.
    stage.claim("fewer", one_send.segments < sender.segments);
    let rows = [&plain, &sender, &one_send, &quickack].map(Rounds::row).to_vec();
    stage.table("rounds", &COLUMNS, rows);
    Ok(())
}

const COLUMNS: [&str; 4] = ["way", "median", "longest", "segments"];

/// How the rounds of one way went.
struct Rounds {
    way: Way,
    /// From the first send to the answer, the shortest first.
    times: Vec<Duration>,
    /// How many segments with data the client sent.
    segments: u32,
}

impl Rounds {
    fn median(&self) -> Duration {
        self.times[self.times.len() / 2]
    }

    fn row(&self) -> Vec<Value> {
        let longest = *self.times.last().expect("there are some rounds");
        let segments = u64::from(self.segments);
        vec![Value::Word(self.way.name), self.median().into(), longest.into(), segments.into()]
    }
}

/// All rounds over one connection.
fn talk(stage: &Stage, way: Way) -> Result<Rounds> {
    let (listener, address) = super::listener()?;
    let accept = || {
        let (peer, _) = call::accept::<TcpListener>(&listener)?;
        if way.receiver {
            call::setsockopt(&peer, TCP_NODELAY, 1)?;
        }
        Ok(peer)
    };
    let connect = || {
        let server = super::connect(address)?;
        if way.sender {
            call::setsockopt(&server, TCP_NODELAY, 1)?;
        }
        Ok(server)
    };
    let (peer, server) = stage.both(accept, connect)?;
    let some_rounds = |n: usize| -> Result<Vec<Duration>> {
        let answer = || (0..n).try_for_each(|_| answer(&peer, way));
        let ask = || (0..n).map(|_| ask(&server, way)).collect();
        Ok(stage.both(answer, ask)?.1)
    };
    let mut times =
        unrecorded(["the rounds before", "之前的各轮"], || some_rounds(ROUNDS - DRAWN))?;
    times.extend(some_rounds(DRAWN)?);
    times.sort();
    let segments = data_segments(&server)?;
    call::close(server)?;
    call::close(peer)?;
    call::close(listener)?;
    Ok(Rounds { way, times, segments })
}

/// The client: a request in two writes or one, then the answer. How long that took.
fn ask(server: &TcpStream, way: Way) -> Result<Duration> {
    let begun = Instant::now();
    if way.one_send {
        sendall(server, &[HEADER, BODY].concat())?;
    } else {
        sendall(server, HEADER)?;
        sendall(server, BODY)?;
    }
    receive(server, ANSWER.len(), false)?;
    Ok(begun.elapsed())
}

/// The server: answers when the whole request has come.
fn answer(peer: &TcpStream, way: Way) -> Result<()> {
    receive(peer, HEADER.len() + BODY.len(), way.quickack)?;
    Ok(sendall(peer, ANSWER)?)
}

/// Receives so many bytes, in as many calls as it takes.
fn receive(from: &TcpStream, all: usize, quickack: bool) -> Result<()> {
    let (mut got, mut buf) = (0, [0; 64]);
    while got < all {
        if quickack {
            call::setsockopt(from, TCP_QUICKACK, 1)?; // the kernel turns it off again by itself
        }
        match call::recv(from, &mut buf, 0)? {
            0 => {
                bail!(Lang::current().pick(
                    "the connection ended in the middle of a message",
                    "连接在消息中途结束了"
                ))
            }
            n => got += n,
        }
    }
    Ok(())
}

/// How many segments with data this side has sent, those sent again included (tcp(7), TCP_INFO).
fn data_segments(stream: &TcpStream) -> Result<u32> {
    let OptValue::Bytes(info) = call::getsockopt(stream, TCP_INFO)? else {
        bail!("TCP_INFO is a structure")
    };
    let at = offset_of!(libc::tcp_info, tcpi_data_segs_out);
    let field = info.get(at..at + 4).context(Lang::current().pick(
        "this kernel does not count segments, which needs Linux 4.6",
        "这个内核不统计报文段，需要 Linux 4.6",
    ))?;
    Ok(u32::from_ne_bytes(field.try_into()?))
}
