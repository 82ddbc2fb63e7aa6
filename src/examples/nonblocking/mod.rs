//! # Non-blocking: ask, and ask again
//!
//! ```text
//! fcntl(O_NONBLOCK)
//!   ┌▶ accept   = EAGAIN   no client yet
//!   │  recv(4)  = EAGAIN   client 4 has sent nothing
//!   │  recv(5)  = 5        client 5 has
//!   └─ …                   and again, at once: the processor is busy finding nothing
//! ```
//!
//! A call on a non-blocking socket never waits: it does what it can, or fails with EAGAIN. So one
//! thread can serve many clients, but this loop never sleeps. Watch the count of EAGAINs
//! and the CPU time that the server reports when it ends. The cure is to ask the kernel *which*
//! socket is ready, and to sleep until one is: the next pages.
//!
//! By default the server reads once and closes without an answer. The lecture's script was meant to show
//! this model, but it calls `setblocking(1)`, which makes the socket blocking. `--blocking` does the same: it is
//! the loop of tcp_echo, in which every call waits, and the processor rests.

mod service;

pub use service::{Client, Service};

use std::os::fd::AsFd;

use anyhow::Result;
use clap::Args;

use super::row::{self, Both, Example, Place};
use super::script::{self, Demo};
use super::tcp_echo::{self, connect};
use crate::call::{
    self, Domain, FcntlArg::F_GETFL, FcntlArg::F_SETFL, IPV6_V6ONLY, MSG_NOSIGNAL, OFlag,
    SO_REUSEADDR, TcpListener, Type,
};
use crate::client::ClientArgs;
use crate::sendall;
use crate::server::{self, ServerArgs, Stats};
use crate::stop::Stop;

/// Tries every socket in turn, again and again without a pause, until the stop.
pub fn serve(args: &ServerArgs, options: &Options, stop: &Stop) -> Result<Stats> {
    if options.blocking {
        return tcp_echo::serve(args, stop);
    }
    let address = args.endpoint.resolve()?;
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    if let Some(alone) = server::v6_alone(address, args.endpoint.family) {
        call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
    }
    call::bind(&socket, address)?;
    let listener: TcpListener = call::listen(socket, args.backlog)?;
    set_nonblocking(&listener)?;
    server::announce("tcp", call::getsockname(&listener)?)?;

    let mut service = Service::new(args, stop, args.max_clients);
    let mut clients: Vec<Client> = Vec::new();
    while service.goes_on() {
        if service.has_room()
            && let Some(client) = service.admit(call::accept(&listener))?
        {
            // An accepted socket does not inherit the listener's O_NONBLOCK.
            set_nonblocking(&client.peer)?;
            clients.push(client);
        }
        for client in &mut clients {
            if !client.is_owed() {
                client.received(call::recv(&client.peer, service.buffer(), 0), &mut service);
            }
            if client.is_owed() {
                client.sent(call::send(&client.peer, client.owed(), MSG_NOSIGNAL), &mut service);
            }
        }
        for client in clients.extract_if(.., |client| client.is_done()) {
            call::close(service.release(client))?;
        }
    }
    Ok(service.stats()) // dropped here, the sockets are closed
}

/// Reads the flags first, because writing O_NONBLOCK alone would clear all others.
pub fn set_nonblocking(socket: &impl AsFd) -> call::Result<()> {
    let flags = call::fcntl(socket, F_GETFL)?;
    call::fcntl(socket, F_SETFL(OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// A connection for each message, because the server reads only once.
pub fn client(args: &ClientArgs) -> Result<()> {
    let mut talk = args.talk()?;
    let mut buf = vec![0; args.bufsize];
    while let Some(message) = talk.next_bytes()? {
        let server = connect(args)?;
        call::getsockname(&server)?;
        let reply = sendall(&server, &message).and_then(|()| call::recv(&server, &mut buf, 0));
        call::close(server)?;
        talk.show(&buf[..reply?])?;
    }
    Ok(talk.end_line()?)
}

/// The option of the server.
#[derive(Debug, Args)]
pub struct Options {
    /// Leave the sockets blocking: one client at a time, but the processor rests
    #[arg(long)]
    blocking: bool,
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "nonblocking",
    short: None,
    summary: Both {
        en: "calls that never wait: a busy loop, and what it costs",
        zh: "从不等待的调用：忙循环，以及它的代价",
    },
    watch: Both {
        en: "the server never sleeps: count the EAGAINs between one client and the next",
        zh: "服务器从不睡眠：数一数两个客户端之间有多少个 EAGAIN",
    },
    place: Place::Internet,
    purpose: row::Purpose::Echo,
    at_once: row::AtOnce::All,
    reply: None,
    server: Some(&row::Server(serve)),
    client: &client,
    tools: &[],
    demo: Demo::of(script::ONE_SHOT),
    next: Some(Both::same("netplay nonblocking server --blocking")),
    lesson: "nonblocking",
};
