//! # TCP echo: one client after the other
//!
//! ```text
//! server                                        client
//! socket                                        socket
//! setsockopt SO_REUSEADDR
//! bind
//! listen
//! accept   ◀─────── three-way handshake ─────── connect
//! recv     ◀─────── bytes ───────────────────── send
//! send     ──────── bytes ───────────────────▶  recv
//!   …                                             …
//! recv = 0 ◀─────── FIN ─────────────────────── shutdown(SHUT_WR)
//! close    ──────── FIN ─────────────────────▶  recv = 0
//!                                               close
//! ```
//!
//! Watch for two sockets on the server's side: the *listener*, which never carries a byte, and one
//! more for each client, which `accept` returns. While this server talks to a client, the kernel has
//! already connected the next one; but the server has not called `accept` for it, so it waits.

use std::net::Shutdown;
use std::os::fd::AsFd;

use anyhow::Result;

use super::row::{self, Both, Example, Place, Purpose};
use super::script::{self, Demo};
use crate::admission::{OneAtATime, Session};
use crate::call::{
    self, Domain, IPV6_V6ONLY, SO_RCVTIMEO, SO_REUSEADDR, SO_SNDTIMEO, TcpListener, TcpStream, Type,
};
use crate::client::ClientArgs;
use crate::sendall;
use crate::server::{self, Reply, ServerArgs, Stamp, Stats};
use crate::stop::Stop;

/// Serves one client after the other until the stop.
pub fn serve(args: &ServerArgs, stop: &Stop) -> Result<Stats> {
    let address = args.endpoint.resolve()?;
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    // Without it, bind fails for a minute after an earlier server that closed its connections first.
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    // Matters for `::` only: should it accept IPv4 clients as well?
    if let Some(alone) = server::v6_alone(address, args.endpoint.family) {
        call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
    }
    call::bind(&socket, address)?;
    let listener: TcpListener = call::listen(socket, args.backlog)?;
    // Port 0 meant "any": only now is the port known that clients need.
    server::announce("tcp", call::getsockname(&listener)?)?;

    let mut clients = OneAtATime::new(args, stop, &listener);
    // Ctrl-C shuts the listener down: accept fails, and there is no next client.
    while let Some((peer, client)) = clients.next(|| call::accept(&listener))? {
        let served = echo(&peer, &mut clients.session);
        clients.finish(client, served.and(call::close(peer)));
    }
    let stats = clients.end();
    call::close(listener)?;
    Ok(stats)
}

/// Answers whatever arrives, until the peer sends no more.
///
/// One `recv` is not one `send` of the peer: TCP keeps the order of bytes, not the boundaries between sends.
pub fn echo(peer: &impl AsFd, session: &mut Session<'_>) -> call::Result<()> {
    if let Some(limit) = session.idle_timeout() {
        call::setsockopt(peer, SO_RCVTIMEO, limit)?;
        call::setsockopt(peer, SO_SNDTIMEO, limit)?;
    }
    let mut buf = session.buffer();
    // Ctrl-C also shuts this socket down: that ends the wait, and `or` returns `None`.
    let waiting = session.watch(peer);
    while let Some(n @ 1..) = waiting.or(|| call::recv(peer, &mut buf, 0))? {
        let Some(answer) = session.answer(&buf[..n]) else { break };
        let Some(()) = waiting.or(|| sendall(peer, answer))? else { break };
        session.stats.sent += answer.len() as u64;
    }
    Ok(())
}

/// Connects, holds a conversation, closes.
pub fn client(args: &ClientArgs) -> Result<()> {
    let server = connect(args)?;
    // There was no bind here: connect chose an address and a free port for this end.
    call::getsockname(&server)?;
    converse(&server, args)?;
    Ok(call::close(server)?)
}

/// Connects to the first of the host's addresses at which a server listens.
///
/// A name may have several addresses, `localhost` both ::1 and 127.0.0.1, and its server only one of them. After a
/// failed connect a socket cannot be used again: the next try makes a new one.
pub fn connect(args: &ClientArgs) -> Result<TcpStream> {
    args.endpoint.first_of_all(|address| -> Result<TcpStream> {
        let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
        if let Some(limit) = args.timeout {
            call::setsockopt(&socket, SO_RCVTIMEO, limit)?;
            call::setsockopt(&socket, SO_SNDTIMEO, limit)?; // also limits connect
        }
        Ok(call::connect(socket, address)?)
    })
}

/// A message, a reply, and so on; then the half-close: nothing more to send, but still receiving.
///
/// While it sends it does not read. With a message that is larger than all buffers on the way, both sides
/// would wait in `send` for ever; `--timeout` ends that.
pub fn converse(server: &impl AsFd, args: &ClientArgs) -> Result<()> {
    let (mut talk, mut buf) = (args.talk()?, vec![0; args.bufsize]);
    while let Some(message) = talk.next_bytes()? {
        sendall(server, &message)?;
        match call::recv(server, &mut buf, 0)? {
            0 => return Ok(talk.ended_by_server()?),
            n => talk.show(&buf[..n])?,
        }
    }
    call::shutdown(server, Shutdown::Write)?;
    // Answers that are still on their way will arrive; a close now would discard them.
    while let n @ 1.. = call::recv(server, &mut buf, 0)? {
        talk.show_more(&buf[..n])?;
    }
    Ok(talk.end_line()?)
}

/// How this server stamps its answers.
pub const STAMP: Stamp = Stamp { open: "[", middle: "] : ", close: "" };

/// Its row in the table.
pub static ROW: Example = Example {
    name: "tcp-echo",
    short: Some("tcp"),
    summary: Both {
        en: "a TCP server and client, one connection after the other",
        zh: "TCP 服务器和客户端，一个连接接一个连接地服务",
    },
    watch: Both {
        en: "the listening socket never carries a byte: accept makes a second socket for the \
              client, and the server talks to the client on that one",
        zh: "监听套接字从不传输数据：accept 为客户端新建一个套接字，服务器在它上面与客户端通信",
    },
    place: Place::Internet,
    purpose: Purpose::Echo,
    at_once: row::AtOnce::One,
    reply: Some(Reply::Stamp(STAMP)),
    server: Some(&serve),
    client: &client,
    tools: &[],
    demo: Demo::of(script::ONE),
    next: None,
    lesson: "tcp",
};
