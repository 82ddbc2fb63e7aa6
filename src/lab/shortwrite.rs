//! send may take less than it is given: it returns how much, and the rest is left to the program.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libc::POLLOUT;
use nix::errno::Errno;
use sha2::{Digest, Sha256};

use super::{Stage, Value, or_one_of};
use crate::call::{
    self, Domain, MSG_NOSIGNAL, SO_RCVBUF, SO_SNDBUF, TcpListener, TcpStream, Type, pollfd,
};
use crate::examples::nonblocking::set_nonblocking;
use crate::lang::Lang;

pub(super) const PLAYS: super::Plays = &[];

/// A message of four pieces, each larger than the buffers of both sides together.
const PIECES: usize = 4;
const PIECE: usize = 128 * 1024;

/// What the buffers are set to. The kernel doubles it, to have room for its own notes.
const BUFFER: i32 = 32 * 1024;

/// No side waits longer for the other.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client that sends each piece with one send, and never looks at what it returns.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let (listener, address) = listener()?;
    let (sent, asleep) = mpsc::channel();
    let (made_room, room) = mpsc::channel();
    let server = || {
        let (peer, _) = call::accept(&listener)?;
        wait_for(&asleep)?;
        let mut got = vec![0; PIECE];
        let n = call::recv(&peer, &mut got, 0)?;
        got.truncate(n);
        let _ = made_room.send(());
        drain(&peer, &mut got)?;
        call::close(peer)?;
        Ok(got)
    };
    let client = move || {
        let server = connect(address)?;
        let mut results = Vec::new();
        for (i, piece) in message().chunks(PIECE).enumerate() {
            if i == PIECES - 1 {
                let _ = sent.send(()); // the server wakes up, and reads once
                wait_for(&room)?;
            }
            // and that is all that it does
            results.push(or_one_of(call::send(&server, piece, MSG_NOSIGNAL), &[Errno::EAGAIN])?);
        }
        call::close(server)?;
        Ok(results)
    };
    let (got, results) = stage.both(server, client)?;
    call::close(listener)?;

    let answers = results.iter().enumerate().map(|(i, result)| {
        let answer = match result {
            Ok(n) => Value::Bytes(*n as u64),
            Err(errno) => Value::Text(format!("{errno:?}")),
        };
        vec![(i + 1).into(), Value::Bytes(PIECE as u64), answer]
    });
    stage.table("sends", &["piece", "asked", "returned"], answers.collect());
    arrived(stage, &got);
    let first = results[0].as_ref().map_or(0, |&n| n);
    stage.answer(match &results[0] {
        Ok(PIECE) => Some(1),
        Err(_) => Some(2),
        Ok(1..PIECE) => Some(3),
        _ => None,
    });
    stage.claim("short", (1..PIECE).contains(&first));
    let taken: usize = results.iter().flatten().sum();
    stage.claim("lost", got.len() == taken && taken < message().len());
    Ok(())
}

/// A client that keeps what send did not take, and waits until there is room.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let (listener, address) = listener()?;
    let (sent, asleep) = mpsc::channel();
    let server = || {
        let (peer, _) = call::accept(&listener)?;
        wait_for(&asleep)?;
        let mut got = Vec::new();
        drain(&peer, &mut got)?;
        call::close(peer)?;
        Ok(got)
    };
    let client = || {
        let server = connect(address)?;
        let message = message();
        let (mut owed, mut sends, mut waits) = (message.as_slice(), 0u64, 0u64);
        while !owed.is_empty() {
            match call::send(&server, owed, MSG_NOSIGNAL) {
                Ok(taken) => owed = &owed[taken..],
                Err(error) if error.would_block() => {
                    let _ = sent.send(()); // as late as before: the first time, the server wakes up
                    let mut list = [pollfd { fd: server.as_raw_fd(), events: POLLOUT, revents: 0 }];
                    ensure!(call::poll(&mut list, Some(PATIENCE))? > 0, "there is never room");
                    waits += 1;
                }
                Err(error) => return Err(error.into()),
            }
            sends += 1;
        }
        call::close(server)?;
        Ok((sends, waits))
    };
    let (got, (sends, waits)) = stage.both(server, client)?;
    call::close(listener)?;
    stage.figure("calls", sends);
    stage.figure("waits", waits);
    arrived(stage, &got);
    stage.claim("again", sends > 1 && waits > 0);
    stage.claim("whole", got == message());
    Ok(())
}

/// A listener whose connections have a small receive buffer: they inherit it.
fn listener() -> Result<(TcpListener, SocketAddr)> {
    let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_RCVBUF, BUFFER)?;
    call::bind(&socket, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let listener: TcpListener = call::listen(socket, 1)?;
    let address = call::getsockname(&listener)?;
    Ok((listener, address))
}

/// A connection with a small send buffer, which does not wait for room.
fn connect(address: SocketAddr) -> Result<TcpStream> {
    let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_SNDBUF, BUFFER)?;
    let stream: TcpStream = call::connect(socket, address)?;
    call::getsockname(&stream)?;
    set_nonblocking(&stream)?;
    Ok(stream)
}

/// Reads to the end.
fn drain(peer: &TcpStream, got: &mut Vec<u8>) -> Result<()> {
    let mut buf = vec![0; PIECE];
    while let n @ 1.. = call::recv(peer, &mut buf, 0)? {
        got.extend(&buf[..n]);
    }
    Ok(())
}

fn wait_for(cue: &Receiver<()>) -> Result<()> {
    cue.recv_timeout(PATIENCE).context(
        Lang::current().pick("the other side gave no sign to go on", "另一方没有给出继续的信号"),
    )
}

/// Numbered lines, so that no two parts of it are alike.
fn message() -> Vec<u8> {
    (0..PIECES * PIECE / 8).flat_map(|i| format!("{i:07}\n").into_bytes()).collect()
}

/// What was sent, what came, and the sums by which one can tell.
fn arrived(stage: &mut Stage, got: &[u8]) {
    let message = message();
    stage.figure("given", Value::Bytes(message.len() as u64));
    stage.figure("arrived", Value::Bytes(got.len() as u64));
    stage.figure("gone", Value::Bytes((message.len() - got.len()) as u64));
    stage.figure("sum-given", sum(&message));
    stage.figure("sum-arrived", sum(got));
}

/// The first bytes of the SHA-256: enough for the eye.
fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}
