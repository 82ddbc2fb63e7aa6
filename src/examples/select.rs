//! # select: one thread asks the kernel who is ready
//!
//! ```text
//!   ┌▶ sets: read {listener, 4, 5}   write {those still owed bytes}
//!   │  select        sleeps until one of them is ready, and leaves only the ready ones in the sets
//!   │  listener in the read set?   accept
//!   │  4 in the read set?          recv, send
//!   │  4 in the write set?         send what is owed
//!   └─ …
//! ```
//!
//! Watch for the wait: all clients wait in one call, and the processor rests. Its price: the sets
//! are built and the kernel looks at every descriptor in them at every turn; and a set holds
//! descriptors below 1024 (FD_SETSIZE) only. In C a larger one silently writes beyond the set.
//!
//! The sockets are non-blocking all the same: "ready" is a hint, and what was there may be gone
//! before the call that fetches it (select(2), BUGS).

use std::os::fd::AsRawFd;

use anyhow::{Result, ensure};

use super::nonblocking::{Client, Next, longest_wait, set_nonblocking};
use super::row::{self, Example, Place, Service};
use super::script::{self, Demo};
use super::tcp_echo;
use crate::call::{self, Domain, FdSet, SO_REUSEADDR, SOCK_NONBLOCK, TcpListener, Type};
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
    ensure!(FdSet::fits(&listener), "select takes descriptors below {} only", FdSet::SIZE);
    server::announce("tcp", call::getsockname(&listener)?)?;

    let mut stats = Stats::default();
    let mut clients: Vec<Client> = Vec::new();
    let (mut buf, mut made) = (vec![0; args.bufsize], Vec::new());
    let mut patience = Patience::default();
    let waiting = stop.watch(&listener);
    while !(stop.requested() || clients.is_empty() && args.full(stats.clients)) {
        let (mut reads, mut writes) = (FdSet::new(), FdSet::new());
        let room = clients.len() < args.max_clients && !args.full(stats.clients);
        if room && patience.left().is_none() {
            reads.insert(&listener);
        } else {
            writes.insert(&listener); // a listener is never writable, unless the stop shut it down
        }
        let mut nfds = listener.as_raw_fd() + 1;
        for client in &clients {
            if client.wants_read() {
                reads.insert(&client.peer);
            }
            if client.wants_write() {
                writes.insert(&client.peer);
            }
            nfds = nfds.max(client.peer.as_raw_fd() + 1);
        }
        let timeout = longest_wait(&clients, args, &mut patience);
        let wait = || call::select(nfds, &mut reads, &mut writes, timeout);
        let Some(_) = waiting.or(wait)? else { break };

        let mut i = 0;
        while let Some(client) = clients.get_mut(i) {
            let mut turn = Ok(());
            if writes.contains(&client.peer) {
                turn = client.write(args, &mut stats);
            }
            if turn.is_ok() && reads.contains(&client.peer) {
                turn = client.read(args, &mut buf, &mut made, &mut stats);
            }
            match client.next(turn, args) {
                Next::Stay => i += 1,
                Next::Leave => {
                    call::close(clients.swap_remove(i).peer)?;
                    patience.end();
                }
            }
        }
        // Last, so that a new client cannot take the number of one that has just left, and with it
        // that one's place in the sets.
        if reads.contains(&listener) {
            match call::accept4(&listener, SOCK_NONBLOCK) {
                Ok((peer, name)) if !FdSet::fits(&peer) => {
                    server::no_room(name, "select takes descriptors below 1024 only");
                    call::close(peer)?;
                }
                Ok((peer, name)) => {
                    stats.clients += 1;
                    clients.push(Client::new(peer, name, args));
                }
                Err(_) if stop.requested() => break,
                Err(error) => patience.with(error)?,
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

/// Its row in the table.
pub static ROW: Example = Example {
    name: "select",
    short: None,
    summary: "one thread, many clients: the kernel says which socket is ready",
    watch: "one call waits for everybody; A, B and C are served in the order in which they speak",
    place: Place::Internet,
    service: Service::Echo,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&serve),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo::of(script::THREE),
    next: "netplay poll demo",
    lesson: "select",
};
