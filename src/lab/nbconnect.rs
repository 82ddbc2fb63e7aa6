//! Writable is not connected: it means that the handshake is over, one way or the other.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::Result;
use nix::errno::Errno;

use super::{NOT_THERE, Stage, Value, or_one_of, word};
use crate::call::{
    self, Domain, FcntlArg, FdSet, MSG_NOSIGNAL, OFlag, OptValue, SO_ERROR, SO_RCVTIMEO, TcpStream,
    Type,
};

pub(super) const PLAYS: super::Plays = &[];

/// How long a client waits for the end of the handshake.
const LOOK: Duration = Duration::from_millis(300);

/// Longer than anything takes that is to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client that takes a writable socket for a connected one, and sends.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let [live, dead, full] = three_ports(stage, false)?;
    stage.answer(match (dead.begun, dead.writable) {
        (false, _) => Some(1),
        (true, false) => Some(2),
        (true, true) => Some(3),
    });
    stage.claim("deceived", live.writable && dead.writable && dead.sent == "ECONNREFUSED");
    stage.claim("waiting", !full.writable);
    Ok(())
}

/// A client that asks SO_ERROR first.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let [live, dead, full] = three_ports(stage, true)?;
    stage.claim("asked", live.error == "0" && dead.error == "ECONNREFUSED" && dead.sent == "-");
    stage.claim("sent", live.sent == "5");
    stage.claim("unknown", !full.writable && full.error == "0");
    Ok(())
}

/// How a client fared.
struct Tried {
    /// Whether connect left the handshake to the kernel.
    begun: bool,
    readable: bool,
    writable: bool,
    /// What SO_ERROR said, if it was asked.
    error: String,
    /// What send returned, if it was called.
    sent: String,
}

/// The same client at a port with a server, one without, and one whose queue is full.
fn three_ports(stage: &mut Stage, asks: bool) -> Result<[Tried; 3]> {
    let (listener, live) = super::listener()?;
    let (closed, dead) = super::listener()?;
    call::close(closed)?;
    let (busy, full) = super::listener_for(0)?;
    call::setsockopt(&listener, SO_RCVTIMEO, PATIENCE)?;
    let server = || {
        let (peer, _) = call::accept(&listener)?;
        while call::recv(&peer, &mut [0; 64], 0)? > 0 {}
        Ok(call::close(peer)?)
    };
    let client = || {
        let tried = [connect(live, asks)?, connect(dead, asks)?];
        let first = super::connect(full)?;
        super::until_queued(full, 1)?;
        let [live, dead] = tried;
        let tried = [live, dead, connect(full, asks)?];
        call::close(first)?;
        Ok(tried)
    };
    let ((), tried) = stage.both(server, client)?;
    call::close(listener)?;
    call::close(busy)?;

    let yes = |is: bool| Value::Word(if is { "yes" } else { "no" });
    let row = |(port, tried): (&'static str, &Tried)| {
        let [error, sent] = [&tried.error, &tried.sent].map(|text| text.clone().into());
        vec![Value::Word(port), yes(tried.readable), yes(tried.writable), error, sent]
    };
    let rows = ["live", "dead", "full"].into_iter().zip(&tried).map(row).collect();
    stage.table("ports", &["port", "readable", "writable", "error", "send"], rows);
    Ok(tried)
}

/// Begins to connect, waits with select, and sends if it believes to be connected.
fn connect(address: SocketAddr, asks: bool) -> Result<Tried> {
    let unknown = || "-".to_owned();
    let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
    call::fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let mut tried =
        Tried { begun: false, readable: false, writable: false, error: unknown(), sent: unknown() };
    let stream: TcpStream = match or_one_of(call::connect_begin(socket, address), &NOT_THERE)? {
        Ok(stream) => stream,
        Err(errno) => return Ok(Tried { error: format!("{errno:?}"), ..tried }),
    };
    tried.begun = true;
    call::getsockname(&stream)?;
    let (mut reads, mut writes) = (FdSet::new(), FdSet::new());
    reads.insert(&stream);
    writes.insert(&stream);
    call::select(stream.as_raw_fd() + 1, &mut reads, &mut writes, Some(LOOK))?;
    tried.readable = reads.contains(&stream);
    tried.writable = writes.contains(&stream);
    if asks {
        tried.error = pending(&stream)?;
    }
    if tried.writable && (!asks || tried.error == "0") {
        // send also returns the pending error of the socket.
        let about = [&NOT_THERE[..], &[Errno::EPIPE, Errno::ECONNRESET]].concat();
        tried.sent = word(call::send(&stream, b"hello", MSG_NOSIGNAL), &about)?;
    }
    call::close(stream)?;
    Ok(tried)
}

/// The pending error of the socket; 0: no error.
fn pending(stream: &TcpStream) -> call::Result<String> {
    Ok(match call::getsockopt(stream, SO_ERROR)? {
        OptValue::Int(0) => "0".to_owned(),
        OptValue::Int(number) => format!("{:?}", Errno::from_raw(number)),
        other => other.to_string(),
    })
}
