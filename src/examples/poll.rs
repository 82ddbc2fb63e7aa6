//! # poll: a list of descriptors instead of a set
//!
//! ```text
//!   list: [{listener, POLLIN}, {4, POLLIN}, {5, POLLIN|POLLOUT}, …]
//!   ┌▶ poll        sleeps until something happens, and writes into each entry what did:
//!   │                POLLIN   bytes, a client to accept, or the end (recv returns 0)
//!   │                POLLPRI  urgent data (MSG_OOB)
//!   │                POLLOUT  the kernel takes bytes again
//!   │                POLLERR  an error is pending: the next call returns it
//!   │                POLLHUP  both directions have ended
//!   │                POLLNVAL no open descriptor: a bug of ours
//!   └─ …
//! ```
//!
//! The list is the program's and stays as it is: clients are registered once, not every turn, and
//! no descriptor is too large. The kernel still walks the whole list at every call. The last three
//! events come unasked.
//!
//! The lecture's script goes wrong twice. It registers with Python's default mask, in which POLLOUT is
//! set: a socket is nearly always writable, so poll would return at once, for ever. And where a client
//! resets its connection, `recv` fails, nothing catches that, and the server is gone.

use std::os::fd::AsRawFd;

use anyhow::Result;
use libc::{POLLIN, POLLNVAL, POLLOUT, POLLPRI};

use super::nonblocking::{Client, Next, longest_wait, set_nonblocking};
use super::row::{Example, Place, Service};
use super::script::{self, Demo};
use super::tcp_echo;
use crate::call::{self, Domain, MSG_OOB, SO_REUSEADDR, SOCK_NONBLOCK, TcpListener, Type, pollfd};
use crate::patience::Patience;
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::Stop;

/// Serves whoever is ready until the stop.
pub fn serve(args: &ServerArgs, stop: &Stop) -> Result<Stats> {
    let address = args.endpoint.resolve()?;
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    server::versions(&socket, address, args.endpoint.family)?;
    call::bind(&socket, address)?;
    let listener: TcpListener = call::listen(socket, args.backlog)?;
    set_nonblocking(&listener)?;
    server::announce("tcp", call::getsockname(&listener)?)?;

    let mut stats = Stats::default();
    let (mut buf, mut made) = (vec![0; args.bufsize], Vec::new());
    let mut patience = Patience::default();
    // list[0] is the listener, list[i + 1] belongs to clients[i].
    let mut clients: Vec<Client> = Vec::new();
    let mut list = vec![pollfd { fd: listener.as_raw_fd(), events: POLLIN, revents: 0 }];
    let waiting = stop.watch(&listener);
    while !(stop.requested() || clients.is_empty() && args.full(stats.clients)) {
        let room = clients.len() < args.max_clients && !args.full(stats.clients);
        // With no event asked for, the listener still wakes us when the stop shuts it down (POLLHUP).
        list[0].events = if room && patience.left().is_none() { POLLIN } else { 0 };
        let timeout = longest_wait(&clients, args, &mut patience);
        let Some(_) = waiting.or(|| call::poll(&mut list, timeout))? else { break };

        if list[0].revents != 0 {
            match call::accept4(&listener, SOCK_NONBLOCK) {
                Ok((peer, name)) => {
                    stats.clients += 1;
                    register(&mut list, &mut clients, Client::new(peer, name, args));
                }
                Err(_) if stop.requested() => break,
                Err(error) => patience.with(error)?,
            }
        }
        let mut i = 0;
        while let Some(client) = clients.get_mut(i) {
            let happened = std::mem::take(&mut list[i + 1].revents);
            if happened == 0 && args.idle_timeout.is_none() {
                i += 1; // nothing has, and nobody minds for how long
                continue;
            }
            let mut turn = Ok(());
            if happened & POLLPRI != 0 {
                turn = urgent(client, &mut stats);
            }
            if turn.is_ok() && happened & POLLOUT != 0 {
                turn = client.write(args, &mut stats);
            }
            // POLLERR and POLLHUP too: recv returns the bytes that are left, then the error or 0.
            if turn.is_ok() && happened & !(POLLOUT | POLLPRI) != 0 {
                turn = client.read(args, &mut buf, &mut made, &mut stats);
            }
            debug_assert!(
                happened & POLLNVAL == 0,
                "an entry leaves the list before its socket closes"
            );
            match client.next(turn, args) {
                Next::Stay => {
                    list[i + 1].events = interest(client);
                    i += 1;
                }
                Next::Leave => {
                    call::close(unregister(&mut list, &mut clients, i).peer)?;
                    patience.end();
                }
            }
        }
    }
    drop(waiting);
    for client in clients {
        call::close(client.peer)?;
    }
    call::close(listener)?;
    Ok(stats)
}

fn register(list: &mut Vec<pollfd>, clients: &mut Vec<Client>, client: Client) {
    list.push(pollfd { fd: client.peer.as_raw_fd(), events: interest(&client), revents: 0 });
    clients.push(client);
}

/// The last entry moves into the gap, so the list never has holes.
fn unregister(list: &mut Vec<pollfd>, clients: &mut Vec<Client>, i: usize) -> Client {
    list.swap_remove(i + 1);
    clients.swap_remove(i)
}

/// POLLOUT only while something is owed: see above what happens otherwise.
fn interest(client: &Client) -> i16 {
    let read = if client.wants_read() { POLLIN | POLLPRI } else { 0 };
    let write = if client.wants_write() { POLLOUT } else { 0 };
    read | write
}

/// Fetches the urgent byte, beside the stream, or POLLPRI would come again each turn until the stream is
/// read past it.
fn urgent(client: &Client, stats: &mut Stats) -> call::Result<()> {
    let mut byte = [0];
    match call::recv(&client.peer, &mut byte, MSG_OOB) {
        Ok(n) => stats.received += n as u64,
        // Announced, but not here yet.
        Err(error) if error.would_block() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "poll",
    short: None,
    summary: "the same with a list of descriptors, and an event for each thing that can happen",
    watch: "the list stays; what happened is written into it: POLLIN, POLLHUP, POLLERR",
    place: Place::Internet,
    service: Service::Echo,
    reply: Some(Reply::text("receive message")),
    server: Some(&serve),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo::of(script::THREE),
    next: "netplay epoll demo",
    lesson: "poll",
};
