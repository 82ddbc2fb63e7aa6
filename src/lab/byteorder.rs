//! Numbers have a byte order: on the network, in `sin_port` too, the most significant byte comes first.

use std::mem::offset_of;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::ops::Range;

use anyhow::{Result, bail};
use netplay_text::say;
use nix::errno::Errno;

use super::{CannotRun, NOT_THERE, Stage, Value};
use crate::byte_order::{htons, ntohs};
use crate::call::{self, CallError, Domain, Socket, TcpListener, TcpStream, Type};
use crate::escape::escape;
use crate::lang::Lang;
use crate::words::hex;

pub(super) const PLAYS: super::Plays = &[];

/// The port that the server is meant to have: the first of these that is free.
const PORTS: Range<u16> = 8080..8192;

/// What becomes of a port number before it stands in `sin_port`.
type Put = fn(u16) -> u16;

/// `sin_port = port`
const AS_IT_IS: Put = |port| port;

/// A server that writes its port number as it is, and two clients; then a structure, sent as it is.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    if cfg!(target_endian = "big") {
        let reason = Lang::current().pick(
            "this machine is big-endian, where htons does nothing; take an x86-64 or ARM one",
            "本机是大端序，htons 什么也不做；请换一台 x86-64 或 ARM 机器",
        );
        return Err(CannotRun(reason.to_owned()).into());
    }
    // The first socket only reserves the intended port, so that no other program answers there.
    let (port, [meant, socket]) = bind_first([htons, AS_IT_IS])?;
    let (listener, bound) = serve_at(stage, port, AS_IT_IS, socket)?;
    let client = || Ok((reach(address(htons(port)))?, reach(address(port))?));
    let ((), (right, same)) = stage.both(|| serve_one(&listener), client)?;
    call::close(listener)?;
    drop(meant);
    stage.figure("right", right.clone());
    stage.figure("same", same.clone());
    stage.answer(match bound {
        _ if bound == port => Some(1),
        _ if bound == htons(port) => Some(2),
        _ => None,
    });
    stage.claim("swapped", bound == htons(port) && bound != port);
    stage.claim("refused", right == Value::Text("ECONNREFUSED".to_owned()));
    stage.claim("hidden", same == Value::Word("reached"));

    let read = hand_over(stage, &as_in_memory(&SENT))?;
    stage.claim("garbled", read != SENT);
    Ok(())
}

/// The same server and the right client, with htons; then the same fields, one by one.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let (port, [socket]) = bind_first([htons])?;
    let (listener, bound) = serve_at(stage, port, htons, socket)?;
    let ((), right) = stage.both(|| serve_one(&listener), || reach(address(htons(port))))?;
    call::close(listener)?;
    stage.claim("there", bound == port && right == Value::Word("reached"));
    stage.figure("right", right);

    let read = hand_over(stage, &field_by_field(&SENT))?;
    stage.claim("whole", read == SENT);
    Ok(())
}

/// An address with this number in `sin_port`. Rust's own type has the port as people say it, and swaps its
/// bytes on the way to the kernel; so they are swapped back before.
fn address(sin_port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, ntohs(sin_port))
}

/// Binds a socket for each way to write the number of one port: the first that is free in every way.
fn bind_first<const N: usize>(ways: [Put; N]) -> Result<(u16, [Socket; N])> {
    let bind = |sin_port| {
        let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
        call::bind(&socket, SocketAddr::from(address(sin_port)))?;
        Ok(socket)
    };
    for port in PORTS {
        let bound: call::Result<Vec<Socket>> = ways.iter().map(|put| bind(put(port))).collect();
        match bound.map(<[Socket; N]>::try_from) {
            Ok(sockets) => return Ok((port, sockets.expect("there is a socket for each way"))),
            Err(error) if error.errno() == Errno::EADDRINUSE => {} // then the next
            Err(error) => return Err(error.into()),
        }
    }
    let (first, last) = (PORTS.start, PORTS.end - 1);
    bail!(say!(
        Lang::current(),
        "no port from {first} to {last} is free",
        "从 {first} 到 {last} 没有空闲的端口"
    ))
}

/// Listens, and measures where: the number, its bytes on the way, and what the kernel made of them.
fn serve_at(stage: &mut Stage, port: u16, put: Put, socket: Socket) -> Result<(TcpListener, u16)> {
    let listener: TcpListener = call::listen(socket, 128)?;
    let bound = call::getsockname(&listener)?.port();
    stage.figure("meant", port.to_string());
    stage.figure("memory", hex(&port.to_ne_bytes()).to_uppercase());
    stage.figure("sockaddr", hex(&put(port).to_ne_bytes()).to_uppercase());
    stage.figure("bound", bound.to_string());
    Ok((listener, bound))
}

/// Serves one client, who leaves first.
fn serve_one(listener: &TcpListener) -> Result<()> {
    let (peer, _) = call::accept(listener)?;
    call::recv(&peer, &mut [0; 16], 0)?;
    Ok(call::close(peer)?)
}

/// Whether there is a server at this address.
fn reach(address: SocketAddrV4) -> Result<Value> {
    match super::connect(address.into()) {
        Ok(socket) => Ok(call::close(socket).map(|()| Value::Word("reached"))?),
        Err(error) => match error.downcast_ref::<CallError>() {
            // Else there was no connect: the other side would wait for a client that never comes.
            Some(error) if NOT_THERE.contains(&error.errno()) => {
                Ok(format!("{:?}", error.errno()).into())
            }
            _ => Err(error),
        },
    }
}

/// The fields of a message's header.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
struct Header {
    kind: u8,
    length: u32,
    port: u16,
}

const SENT: Header = Header { kind: 1, length: 300, port: 5858 };

/// What `send(fd, &header, sizeof header)` sends in C: the fields where the compiler put them, in the order of
/// this machine, and between them what lay there before.
fn as_in_memory(header: &Header) -> Vec<u8> {
    let mut memory: [u8; size_of::<Header>()] = *b"old password";
    let mut put = |at: usize, field: &[u8]| memory[at..at + field.len()].copy_from_slice(field);
    put(offset_of!(Header, kind), &[header.kind]);
    put(offset_of!(Header, length), &header.length.to_ne_bytes());
    put(offset_of!(Header, port), &header.port.to_ne_bytes());
    memory.to_vec()
}

/// What a protocol says: each field, one behind the other, the most significant byte first.
fn field_by_field(header: &Header) -> Vec<u8> {
    let mut bytes = vec![header.kind];
    bytes.extend(header.length.to_be_bytes());
    bytes.extend(header.port.to_be_bytes());
    bytes
}

/// Sends these bytes to a server that reads a header as the protocol says it; the header it reads.
fn hand_over(stage: &mut Stage, bytes: &[u8]) -> Result<Header> {
    let (listener, address) = super::listener()?;
    let server = || {
        let (peer, _) = call::accept(&listener)?;
        let mut buf = [0; 64];
        let n = call::recv(&peer, &mut buf, 0)?;
        call::recv(&peer, &mut [0; 64], 0)?;
        call::close(peer)?;
        Ok(buf[..n].to_vec())
    };
    let client = || {
        let server: TcpStream = super::connect(address)?;
        call::send(&server, bytes, 0)?;
        Ok(call::close(server)?)
    };
    let (got, ()) = stage.both(server, client)?;
    call::close(listener)?;
    let [kind, a, b, c, d, e, f, ..] = got[..] else { bail!("the header came in pieces") };
    let (length, port) = (u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, f]));
    let read = Header { kind, length, port };
    stage.figure("size", Value::Bytes(got.len() as u64));
    stage.figure("wire", hex(&got).to_uppercase());
    stage.figure("text", escape(&got));
    let row = |field: &str, sent: u32, read: u32| -> Vec<Value> {
        vec![field.to_owned().into(), sent.to_string().into(), read.to_string().into()]
    };
    let rows = vec![
        row("kind", SENT.kind.into(), read.kind.into()),
        row("length", SENT.length, read.length),
        row("port", SENT.port.into(), read.port.into()),
    ];
    stage.table("fields", &["field", "sent", "read"], rows);
    Ok(read)
}
