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

use super::nonblocking::{Client, Service, set_nonblocking};
use super::row::{self, Example, Place};
use super::script::{self, Demo};
use super::tcp_echo;
use crate::call::{
    self, Domain, FdSet, IPV6_V6ONLY, MSG_NOSIGNAL, SO_REUSEADDR, SOCK_NONBLOCK, TcpListener, Type,
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
    ensure!(FdSet::fits(&listener), "select takes descriptors below {} only", FdSet::SIZE);
    server::announce("tcp", call::getsockname(&listener)?)?;

    let mut service = Service::new(args, stop, args.max_clients);
    let mut clients: Vec<Client> = Vec::new();
    let mut buf = vec![0; args.bufsize];
    let waiting = stop.watch(&listener);
    while service.goes_on(clients.len()) {
        let (mut reads, mut writes) = (FdSet::new(), FdSet::new());
        if service.has_room(clients.len()) {
            reads.insert(&listener);
        } else {
            writes.insert(&listener); // a listener is never writable, unless the stop shut it down
        }
        let mut highest = listener.as_raw_fd();
        for client in &clients {
            if client.wants_read() {
                reads.insert(&client.peer);
            }
            if client.wants_write() {
                writes.insert(&client.peer);
            }
            highest = highest.max(client.peer.as_raw_fd());
        }
        let timeout = service.timeout(&clients);
        let wait = || call::select(highest + 1, &mut reads, &mut writes, timeout);
        let Some(_) = waiting.or(wait)? else { break };

        for client in &mut clients {
            let (reads, writes) = (reads.contains(&client.peer), writes.contains(&client.peer));
            if reads {
                client.heard(call::recv(&client.peer, &mut buf, 0), &mut buf, &mut service);
            }
            // The answer at once: a client that was owed nothing takes bytes, as a rule.
            if (reads || writes) && client.wants_write() {
                let taken = call::send(&client.peer, client.owed(), MSG_NOSIGNAL);
                client.sent(taken, &mut service);
            }
        }
        for client in clients.extract_if(.., |client| client.leaves(&mut service)) {
            call::close(client.peer)?;
        }
        // Last, so that a new client cannot take the number of one that has just left, and with it
        // that one's place in the sets.
        if reads.contains(&listener)
            && let Some(client) = service.admit(call::accept4(&listener, SOCK_NONBLOCK))?
        {
            if FdSet::fits(&client.peer) {
                clients.push(client);
            } else {
                server::no_room(client.name, "select takes descriptors below 1024 only");
                call::close(client.peer)?;
            }
        }
    }
    drop(waiting);
    for client in clients {
        call::close(client.peer)?;
    }
    call::close(listener)?;
    Ok(service.stats())
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "select",
    short: None,
    summary: "one thread, many clients: the kernel says which socket is ready",
    watch: "one call waits for everybody; A, B and C are served in the order in which they speak",
    place: Place::Internet,
    service: row::Service::Echo,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&serve),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo::of(script::THREE),
    next: None,
    lesson: "select",
};
