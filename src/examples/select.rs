//! # select: one thread asks the kernel which socket is ready
//!
//! ```text
//!   ┌▶ sets: read {bell, listener, 5, 6}   write {those still owed bytes}
//!   │  select        sleeps until one of them is ready, and leaves only the ready ones in the sets
//!   │  listener in the read set?   accept
//!   │  5 in the read set?          recv, send
//!   │  5 in the write set?         send what is owed
//!   └─ …
//! ```
//!
//! Watch for the wait: all clients wait in one call, and the processor rests. Its price: the sets
//! are built and the kernel looks at every descriptor in them at every turn; and a set holds
//! descriptors below 1024 (FD_SETSIZE) only. In C a larger one silently writes beyond the set.
//!
//! The sockets are non-blocking all the same: "ready" is a hint, and what was there may be gone
//! before the call that fetches it (select(2), BUGS).
//!
//! What ends the loop is in the set as well: the *bell*, a socket for nothing else, which Ctrl-C shuts down. (The
//! self-pipe trick does the same with a pipe.) A flag alone would not do, because the signal may come just before
//! select begins to sleep. Nor would the listener, because it is not in the set while there is no room.

use anyhow::{Result, ensure};

use super::nonblocking::{Client, Service, set_nonblocking};
use super::row::{self, Example, Place};
use super::script::{self, Demo};
use super::tcp_echo;
use crate::call::{
    self, Domain, FdSet, IPV6_V6ONLY, MSG_NOSIGNAL, SO_REUSEADDR, SOCK_NONBLOCK, TcpListener,
    TcpStream, Type,
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
    // Nothing is sent to it. When the stop shuts it down it can be read, and select returns.
    let bell = call::socket(Domain::UNIX, Type::DGRAM, 0)?;
    let fit = FdSet::fits(&listener) && FdSet::fits(&bell);
    ensure!(fit, "select takes descriptors below {} only", FdSet::SIZE);
    server::announce("tcp", call::getsockname(&listener)?)?;

    let mut service = Service::new(args, stop, args.max_clients);
    let mut clients: Vec<Client> = Vec::new();
    let waiting = stop.watch(&bell);
    while service.goes_on() {
        let (mut reads, mut writes) = (FdSet::new(), FdSet::new());
        reads.insert(&bell);
        if service.has_room() {
            reads.insert(&listener); // otherwise clients wait in its queue
        }
        for client in &clients {
            let set = if client.is_owed() { &mut writes } else { &mut reads };
            set.insert(&client.peer);
        }
        let (nfds, timeout) = (reads.nfds().max(writes.nfds()), service.timeout(&clients));
        let wait = || call::select(nfds, &mut reads, &mut writes, timeout);
        let Some(_) = waiting.or(wait)? else { break };

        if reads.contains(&listener) {
            // FD_SETSIZE: no set can hold a client with a descriptor from 1024 on.
            let accepted = call::accept4(&listener, SOCK_NONBLOCK);
            clients.extend(service.admit_below(FdSet::SIZE, accepted)?);
        }
        let ready = |fd: &TcpStream| reads.contains(fd) || writes.contains(fd);
        for client in clients.iter_mut().filter(|client| ready(&client.peer)) {
            if !client.is_owed() {
                client.received(call::recv(&client.peer, service.buffer(), 0), &mut service);
            }
            // Answer at once: the send buffer of a client that was owed nothing nearly always has room.
            if client.is_owed() {
                client.sent(call::send(&client.peer, client.owed(), MSG_NOSIGNAL), &mut service);
            }
        }
        // Last, so that no other socket can have the number of a closed one, and its place in the sets.
        for client in clients.extract_if(.., |client| client.is_done()) {
            call::close(service.release(client))?;
        }
    }
    Ok(service.stats()) // dropped here, the sockets are closed
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "select",
    short: None,
    summary: "one thread, many clients: the kernel says which socket is ready",
    watch: "one call waits for all clients; A, B and C are served in the order in which they speak",
    place: Place::Internet,
    purpose: row::Purpose::Echo,
    at_once: row::AtOnce::All,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&serve),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo::of(script::THREE),
    next: None,
    lesson: "select",
};
