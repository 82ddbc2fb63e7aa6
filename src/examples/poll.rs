//! # poll: a list of descriptors instead of a set
//!
//! ```text
//!   list: [{listener, POLLIN}, {4, POLLIN}, {5, POLLOUT}, …]      5 has unsent bytes
//!   ┌▶ poll        sleeps until something happens, and writes it into each entry:
//!   │                POLLIN   bytes, a client to accept, or the end (recv returns 0)
//!   │                POLLPRI  urgent data (MSG_OOB)
//!   │                POLLOUT  the kernel takes bytes again
//!   │                POLLERR  an error is pending: the next call returns it
//!   │                POLLHUP  both directions have ended
//!   │                POLLNVAL not an open descriptor: a bug of ours
//!   └─ …
//! ```
//!
//! The list belongs to the program, and poll does not overwrite it: clients are added once, not at every turn, and
//! no descriptor is too large. But the kernel still walks over the whole list at every call. It always reports the
//! last three events.
//!
//! The lecture's script goes wrong twice. It registers with Python's default mask, in which POLLOUT is
//! set: a socket is almost always writable, so poll would return at once, for ever. And when a client
//! resets its connection, `recv` fails, nothing catches the error, and the server ends.

use std::os::fd::AsRawFd;

use anyhow::Result;
use libc::{POLLIN, POLLOUT, POLLPRI};

use super::nonblocking::{Client, Service, set_nonblocking};
use super::row::{self, Both, Example, Place};
use super::script::{self, Demo};
use super::tcp_echo;
use crate::call::{
    self, Domain, IPV6_V6ONLY, MSG_NOSIGNAL, MSG_OOB, SO_REUSEADDR, SOCK_NONBLOCK, TcpListener,
    Type, pollfd,
};
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::Stop;

/// Serves the clients that are ready, until the stop.
pub fn serve(args: &ServerArgs, stop: &Stop) -> Result<Stats> {
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
    // list[0] is the listener, list[i + 1] belongs to clients[i].
    let mut clients: Vec<Client> = Vec::new();
    let mut list = vec![pollfd { fd: listener.as_raw_fd(), events: POLLIN, revents: 0 }];
    let waiting = stop.watch(&listener);
    while service.goes_on() {
        // Even with no events, poll reports the listener when the stop shuts it down (POLLHUP).
        list[0].events = if service.has_room() { POLLIN } else { 0 };
        let timeout = service.timeout(&clients);
        let Some(_) = waiting.or(|| call::poll(&mut list, timeout))? else { break };

        // From the end, so that the last entry, which has had its turn, can fill a gap.
        for i in (0..clients.len()).rev() {
            let (client, happened) = (&mut clients[i], list[i + 1].revents);
            if happened & POLLPRI != 0 {
                // Receive the urgent byte, beside the stream; otherwise poll would report POLLPRI every turn.
                client.received_urgent(call::recv(&client.peer, &mut [0], MSG_OOB), &mut service);
            }
            // Also after POLLERR and POLLHUP: recv returns the bytes that are left, then the error or 0.
            if happened & !(POLLOUT | POLLPRI) != 0 {
                client.received(call::recv(&client.peer, service.buffer(), 0), &mut service);
            }
            // Answer at once: if the client had no unsent bytes, its send buffer almost always has room.
            if happened != 0 && client.is_owed() {
                client.sent(call::send(&client.peer, client.owed(), MSG_NOSIGNAL), &mut service);
            }
            list[i + 1].events = interest(client);
            if client.is_done() {
                list.swap_remove(i + 1);
                call::close(service.release(clients.swap_remove(i)))?;
            }
        }
        if list[0].revents != 0
            && let Some(client) = service.admit(call::accept4(&listener, SOCK_NONBLOCK))?
        {
            let fd = client.peer.as_raw_fd();
            list.push(pollfd { fd, events: interest(&client), revents: 0 });
            clients.push(client);
        }
    }
    Ok(service.stats()) // dropped here, the sockets are closed
}

/// POLLOUT only while there are unsent bytes: see above what happens otherwise.
fn interest(client: &Client) -> i16 {
    if client.is_owed() { POLLOUT } else { POLLIN | POLLPRI }
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "poll",
    short: None,
    summary: Both {
        en: "the same with an array of descriptors, each with its own events",
        zh: "同样的做法，换成描述符数组：每个描述符有自己的事件",
    },
    watch: Both {
        en: "the array stays; the kernel writes into it what happened: POLLIN, POLLHUP, POLLERR",
        zh: "数组一直不变；内核把发生的事写进去：POLLIN、POLLHUP、POLLERR",
    },
    place: Place::Internet,
    purpose: row::Purpose::Echo,
    at_once: row::AtOnce::All,
    reply: Some(Reply::text("receive message")),
    server: Some(&serve),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo::of(script::THREE),
    next: None,
    lesson: "poll",
};
