//! Reset, refused, timed out, broken pipe: four errors, and each says something else.

use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::errno::Errno;

use super::{NOT_THERE, Stage, Value, word};
use crate::call::{self, Domain, MSG_NOSIGNAL, SO_LINGER, SO_RCVTIMEO, TCP_SYNCNT, Type, pollfd};

pub(super) const PLAYS: super::Plays = &[];

/// How long a client waits for a peer that says nothing.
const LISTEN: Duration = Duration::from_millis(200);

/// Longer than anything takes that is to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Five ways in which a connection does not go well, and what the client is told.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let [recv, send] = close(stage, Before::Nothing)?;
    figures(stage, &recv, &send);
    stage.answer(match recv.result.as_str() {
        "0" => Some(1),
        "ECONNRESET" => Some(2),
        "EPIPE" => Some(3),
        _ => None,
    });
    let [lingered, _] = close(stage, Before::Linger)?;
    let refused = closed_port(stage)?;
    let full = full_queue(stage)?;
    let silent = silent_peer(stage)?;

    stage.claim("reset", [&recv, &lingered].iter().all(|seen| seen.result == "ECONNRESET"));
    stage.claim("pipe", send.result == "EPIPE");
    stage.claim("refused", refused.result == "ECONNREFUSED");
    let late = full.took > Duration::from_millis(500); // a refusal comes at once
    stage.claim("late", full.result == "ETIMEDOUT" && late);
    stage.claim("nothing", silent.result == "EAGAIN");
    let all = [
        ("unread", "recv", recv),
        ("again", "send", send),
        ("linger", "recv", lingered),
        ("closed", "connect", refused),
        ("full", "connect", full),
        ("silent", "recv", silent),
    ];
    let row = |(what, call, seen): (&'static str, &str, Seen)| {
        vec![Value::Word(what), call.to_owned().into(), seen.result.into(), seen.took.into()]
    };
    stage.table("errors", &["what", "call", "result", "took"], all.map(row).into());
    Ok(())
}

/// The first server again, which now says that it is done, and reads to the end before it closes.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let [recv, send] = close(stage, Before::ReadToTheEnd)?;
    figures(stage, &recv, &send);
    stage.claim("end", recv.result == "0");
    stage.claim("taken", send.result == "4");
    Ok(())
}

/// What a call returned, or its errno, and how long it took.
struct Seen {
    result: String,
    took: Duration,
}

impl Seen {
    fn of(call: impl FnOnce() -> call::Result<usize>) -> call::Result<Seen> {
        let begun = Instant::now();
        let returned = call();
        let took = begun.elapsed();
        let about = [&NOT_THERE[..], &[Errno::ECONNRESET, Errno::EPIPE, Errno::EAGAIN]].concat();
        Ok(Seen { result: word(returned, &about)?, took })
    }
}

fn figures(stage: &mut Stage, recv: &Seen, send: &Seen) {
    stage.figure("recv", recv.result.clone());
    stage.figure("send", send.result.clone());
}

/// What a server does before it closes.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    Linger,
    ReadToTheEnd,
}

/// A server closes the connection while the client's bytes lie in its receive buffer: what the client's
/// next recv and send return.
fn close(stage: &Stage, before: Before) -> Result<[Seen; 2]> {
    let (listener, address) = super::listener()?;
    let server = || {
        let (peer, _) = call::accept(&listener)?;
        let mut list = [pollfd { fd: peer.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        call::poll(&mut list, Some(PATIENCE))?; // they are here
        match before {
            Before::Nothing => {}
            Before::Linger => {
                call::recv(&peer, &mut [0; 16], 0)?;
                call::setsockopt(&peer, SO_LINGER, Some(Duration::ZERO))?;
            }
            Before::ReadToTheEnd => {
                call::shutdown(&peer, Shutdown::Write)?;
                while call::recv(&peer, &mut [0; 16], 0)? > 0 {}
            }
        }
        Ok(call::close(peer)?)
    };
    let client = || {
        let server = super::connect(address)?;
        call::send(&server, b"hello", 0)?;
        let recv = Seen::of(|| call::recv(&server, &mut [0; 16], 0))?;
        let send = Seen::of(|| call::send(&server, b"more", MSG_NOSIGNAL))?;
        call::close(server)?;
        Ok([recv, send])
    };
    let ((), seen) = stage.both(server, client)?;
    call::close(listener)?;
    Ok(seen)
}

/// A port that had a listener until just now.
fn closed_port(stage: &Stage) -> Result<Seen> {
    let (listener, address) = super::listener()?;
    call::close(listener)?;
    let client = || {
        let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
        Ok(Seen::of(|| call::connect::<call::TcpStream>(socket, address).map(|_| 0))?)
    };
    Ok(stage.both(|| Ok(()), client)?.1)
}

/// A listener with room for one client, who is there already, and is not accepted.
fn full_queue(stage: &Stage) -> Result<Seen> {
    let (listener, address) = super::listener_for(0)?;
    let client = || {
        let first = super::connect(address)?;
        super::until_queued(address, 1)?;
        let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
        // One more try instead of six: a few seconds, and not minutes.
        call::setsockopt(&socket, TCP_SYNCNT, 1)?;
        let seen = Seen::of(|| call::connect::<call::TcpStream>(socket, address).map(|_| 0))?;
        call::close(first)?;
        Ok(seen)
    };
    let ((), seen) = stage.both(|| Ok(()), client)?;
    call::close(listener)?;
    Ok(seen)
}

/// A server that is there, and says nothing while the client listens.
fn silent_peer(stage: &Stage) -> Result<Seen> {
    let (listener, address) = super::listener()?;
    let (gone, has_gone) = mpsc::channel::<()>();
    let server = || {
        let (peer, _) = call::accept(&listener)?;
        let _ = has_gone.recv();
        Ok(call::close(peer)?)
    };
    let client = || {
        let _gone = gone; // dropped when this side is done
        let server = super::connect(address)?;
        call::setsockopt(&server, SO_RCVTIMEO, LISTEN)?;
        let seen = Seen::of(|| call::recv(&server, &mut [0; 16], 0))?;
        call::close(server)?;
        Ok(seen)
    };
    let ((), seen) = stage.both(server, client)?;
    call::close(listener)?;
    Ok(seen)
}
