//! The kernel's buffers are finite: a program that writes everything before it reads anything can wait for ever.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use libc::{POLLIN, POLLOUT};

use super::{Stage, Value, unrecorded};
use crate::call::{
    self, Domain, MSG_DONTWAIT, MSG_NOSIGNAL, OptValue, SO_RCVBUF, SO_SNDBUF, SO_SNDTIMEO,
    TcpListener, TcpStream, Type, pollfd,
};
use crate::inspect::{self, Ask, Inet};
use crate::lang::Lang;
use crate::sendall;

pub(super) const PLAYS: super::Plays = &[];

/// What the client wants to have echoed: more than all four buffers and the server's hands hold.
const MESSAGE: usize = 192 * 1024;

/// The same, where the buffers grow as the kernel thinks right.
const LONG_MESSAGE: usize = 64 << 20;

/// As much of it is in memory: all of the shorter one.
const PIECE: usize = 1 << 20;

/// What the buffers are set to. The kernel doubles it, to have room for its own notes.
const BUFFER: i32 = 16 * 1024;

/// How much the server takes into its hands at a time.
const HAND: usize = 32 * 1024;

/// A send that has moved nothing for so long is given up. Otherwise it would wait for ever.
const GIVEN_UP: Duration = Duration::from_millis(300);

/// No side waits longer for the other.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a conversation went.
struct Talk {
    /// What the client's sends took, and what it read.
    taken: usize,
    back: usize,
    stuck: bool,
    tanks: Vec<Tank>,
}

/// A buffer on the way: how much was in it, and how much it is made for.
struct Tank {
    name: &'static str,
    bytes: u32,
    size: i32,
    /// How full the kernel thinks it is. To it a buffer is full of memory, not of bytes.
    fill: f64,
}

/// A client that writes all of its message before it reads, against an echo server.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let talk = converse(stage, Some(BUFFER), MESSAGE)?;
    tell(stage, &talk, MESSAGE);
    let grown = unrecorded(
        [
            "the same with the kernel's own buffers, and a longer message",
            "同样的实验，用内核默认的缓冲区和更长的消息",
        ],
        || converse(stage, None, LONG_MESSAGE),
    )?;
    let by_itself =
        if grown.stuck { Value::Bytes(grown.taken as u64) } else { Value::Word("never") };
    stage.figure("own", by_itself);
    let rows = talk.tanks.iter().map(|tank| {
        let (bytes, size) = (Value::Bytes(tank.bytes.into()), Value::Bytes(tank.size as u64));
        vec![Value::Word(tank.name), Value::Level(tank.fill), bytes, size]
    });
    stage.table("tanks", &["tank", "level", "holds", "size"], rows.collect());
    stage.answer(match (talk.stuck, talk.back) {
        (false, MESSAGE) => Some(1),
        (true, _) => Some(3),
        _ => None,
    });
    let unread = |name| talk.tanks.iter().any(|tank| tank.name == name && tank.bytes > 0);
    stage.claim("stuck", talk.stuck && talk.taken < MESSAGE);
    stage.claim("unread", unread("server-in") && unread("client-in"));
    Ok(())
}

/// The same client, which reads whenever there is something to read.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let (listener, address) = listener(Some(BUFFER))?;
    let server = || {
        let (peer, _) = call::accept(&listener)?;
        let (mut buf, mut echoed) = (vec![0; HAND], 0);
        while echoed < MESSAGE {
            let n = call::recv(&peer, &mut buf, 0)?;
            ensure!(n > 0, "the client left too early");
            sendall(&peer, &buf[..n])?;
            echoed += n;
        }
        call::close(peer)?;
        Ok(())
    };
    let client = || {
        let (server, _) = connect(address, Some(BUFFER))?;
        let (message, mut buf) = (vec![b'x'; MESSAGE], vec![0; MESSAGE]);
        let (mut taken, mut back) = (0, 0);
        while back < MESSAGE {
            let events = if taken < MESSAGE { POLLIN | POLLOUT } else { POLLIN };
            let mut list = [pollfd { fd: server.as_raw_fd(), events, revents: 0 }];
            ensure!(call::poll(&mut list, Some(PATIENCE))? > 0, "nothing moves any more");
            if list[0].revents & POLLIN != 0 {
                back += call::recv(&server, &mut buf, 0)?;
            }
            if list[0].revents & POLLOUT != 0 {
                taken += call::send(&server, &message[taken..], MSG_NOSIGNAL | MSG_DONTWAIT)?;
            }
        }
        call::close(server)?;
        Ok(Talk { taken, back, stuck: false, tanks: Vec::new() })
    };
    let ((), talk) = stage.both(server, client)?;
    call::close(listener)?;
    tell(stage, &talk, MESSAGE);
    stage.claim("whole", talk.back == MESSAGE);
    Ok(())
}

/// What the client wanted, and how far it came.
fn tell(stage: &mut Stage, talk: &Talk, message: usize) {
    stage.figure("message", Value::Bytes(message as u64));
    stage.figure("taken", Value::Bytes(talk.taken as u64));
    stage.figure("back", Value::Bytes(talk.back as u64));
    stage.figure("end", Value::Word(if talk.stuck { "waits" } else { "done" }));
}

/// Both sides, until the message is through or nothing moves any more.
fn converse(stage: &Stage, buffer: Option<i32>, message: usize) -> Result<Talk> {
    let (listener, address) = listener(buffer)?;
    let (server_stuck, hears_server) = mpsc::channel();
    let (looked, may_leave) = mpsc::channel();
    let server = move || echo(&listener, &server_stuck, &may_leave);
    let client = move || write_all(address, buffer, message, &hears_server, &looked);
    let ((), talk) = stage.both(server, client)?;
    Ok(talk)
}

/// The server: what it has received it sends back, and only then it receives again.
fn echo(listener: &TcpListener, stuck: &Sender<[i32; 2]>, may_leave: &Receiver<()>) -> Result<()> {
    let (peer, _) = call::accept(listener)?;
    call::setsockopt(&peer, SO_SNDTIMEO, GIVEN_UP)?;
    let mut buf = vec![0; HAND];
    while let n @ 1.. = call::recv(&peer, &mut buf, 0)? {
        if send_until_stuck(&peer, &buf[..n])? < n {
            // The client, which does not read, has left it no room. From here on it does not read either.
            let _ = stuck.send(sizes(&peer)?);
            may_leave.recv_timeout(PATIENCE).context(Lang::current().pick(
                "the client does not see that both sides are stuck",
                "客户端没有发现双方都已卡住",
            ))?;
            break;
        }
    }
    call::close(peer)?;
    Ok(())
}

/// The client: the whole message first.
fn write_all(
    address: SocketAddr,
    buffer: Option<i32>,
    message: usize,
    server_stuck: &Receiver<[i32; 2]>,
    looked: &Sender<()>,
) -> Result<Talk> {
    let (server, name) = connect(address, buffer)?;
    call::setsockopt(&server, SO_SNDTIMEO, GIVEN_UP)?;
    let (text, begun) = (vec![b'x'; message.min(PIECE)], Instant::now());
    let (mut taken, mut seen) = (0, None);
    while taken < message {
        let piece = &text[..text.len().min(message - taken)];
        let n = send_until_stuck(&server, piece)?;
        taken += n;
        if n == piece.len() {
            continue;
        }
        if seen.is_some() {
            break;
        }
        // The server may only be slow: it says itself when it is stuck.
        seen = server_stuck.try_recv().ok();
        ensure!(begun.elapsed() < PATIENCE, "the server neither reads nor is stuck");
    }
    let mut talk = Talk { taken, back: 0, stuck: taken < message, tanks: Vec::new() };
    if let Some(theirs) = seen {
        talk.tanks = tanks(&server, name, address, theirs)?;
    }
    let _ = looked.send(());
    let mut buf = vec![0; 64 * 1024];
    while !talk.stuck
        && talk.back < message
        && let n @ 1.. = call::recv(&server, &mut buf, 0)?
    {
        talk.back += n;
    }
    call::close(server)?;
    Ok(talk)
}

/// How many of the bytes were taken before a send moved nothing until it was given up.
fn send_until_stuck(to: &impl AsFd, bytes: &[u8]) -> Result<usize> {
    let mut taken = 0;
    while taken < bytes.len() {
        match call::send(to, &bytes[taken..], MSG_NOSIGNAL) {
            Ok(n) => taken += n,
            Err(error) if error.would_block() => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(taken)
}

/// The four buffers, in the order in which a byte goes through them.
fn tanks(
    client: &TcpStream,
    me: SocketAddr,
    server: SocketAddr,
    theirs: [i32; 2],
) -> Result<Vec<Tank>> {
    let find = |local: SocketAddr, peer| -> Result<Inet> {
        let all = inspect::tcp(Ask::port(local.port()).memory())?;
        all.into_iter().find(|one| one.peer == Some(peer)).context(
            Lang::current().pick("the kernel does not list this socket", "内核没有列出这个套接字"),
        )
    };
    let (ours, its) = (find(me, server)?, find(server, me)?);
    let [our_send, our_receive] = sizes(client)?;
    let sending = |name, socket: &Inet, size: i32| {
        let fill = f64::from(socket.send_queue) / f64::from(size);
        Tank { name, bytes: socket.send_queue, size, fill }
    };
    let receiving = |name, socket: &Inet, size: i32| {
        let memory = socket.memory.map_or(socket.receive_queue, |memory| memory.received);
        Tank { name, bytes: socket.receive_queue, size, fill: f64::from(memory) / f64::from(size) }
    };
    Ok(vec![
        sending("client-out", &ours, our_send),
        receiving("server-in", &its, theirs[1]),
        sending("server-out", &its, theirs[0]),
        receiving("client-in", &ours, our_receive),
    ])
}

/// The sizes of a socket's send and receive buffers.
fn sizes(socket: &impl AsFd) -> Result<[i32; 2]> {
    let size = |option| match call::getsockopt(socket, option)? {
        OptValue::Int(size) => Ok(size),
        other => anyhow::bail!("{} is {other}", option.name()),
    };
    Ok([size(SO_SNDBUF)?, size(SO_RCVBUF)?])
}

/// A listener whose connections have buffers of this size: they inherit it.
fn listener(buffer: Option<i32>) -> Result<(TcpListener, SocketAddr)> {
    let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
    set_buffers(&socket, buffer)?;
    call::bind(&socket, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let listener: TcpListener = call::listen(socket, 1)?;
    let address = call::getsockname(&listener)?;
    Ok((listener, address))
}

/// A connection with buffers of this size, and its own address.
fn connect(address: SocketAddr, buffer: Option<i32>) -> Result<(TcpStream, SocketAddr)> {
    let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
    set_buffers(&socket, buffer)?;
    let stream: TcpStream = call::connect(socket, address)?;
    let name = call::getsockname(&stream)?;
    Ok((stream, name))
}

fn set_buffers(socket: &impl AsFd, size: Option<i32>) -> Result<()> {
    if let Some(size) = size {
        call::setsockopt(socket, SO_SNDBUF, size)?;
        call::setsockopt(socket, SO_RCVBUF, size)?;
    }
    Ok(())
}
