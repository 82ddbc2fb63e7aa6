//! # select: one thread asks the kernel which socket is ready
//!
//! ```text
//!   ┌▶ sets: read {bell, listener, 5, 6}   write {clients with unsent bytes}
//!   │  select        sleeps until one of them is ready, and leaves only the ready ones in the sets
//!   │  listener in the read set?   accept
//!   │  5 in the read set?          recv, send
//!   │  5 in the write set?         send its unsent bytes
//!   └─ …
//! ```
//!
//! Watch for the wait: one call waits for all clients, and the processor rests. The cost: at every turn the program
//! builds the sets and the kernel checks every descriptor in them; and a set holds only
//! descriptors below 1024 (FD_SETSIZE). In C a larger one silently writes beyond the set.
//!
//! The sockets are still non-blocking: "ready" is a hint, and what was there may be gone
//! before the call that fetches it (select(2), BUGS).
//!
//! The set also contains the *bell*, a socket that only ends the loop: Ctrl-C shuts it down. (The
//! self-pipe trick does the same with a pipe.) A flag alone is not enough, because the signal may come just before
//! select begins to sleep. Nor is the listener, because it is not in the set while there is no room.

use anyhow::{Result, ensure};

use super::nonblocking::{Client, Service, set_nonblocking};
use super::row::{self, Both, Example, Place};
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
    // Nothing is sent to it. When the stop shuts it down it becomes readable, and select returns.
    let bell = call::socket(Domain::UNIX, Type::DGRAM, 0)?;
    let fit = FdSet::fits(&listener) && FdSet::fits(&bell);
    ensure!(fit, server::too_high(FdSet::SIZE));
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
            // FD_SETSIZE: a set cannot hold a client with a descriptor of 1024 or more.
            let accepted = call::accept4(&listener, SOCK_NONBLOCK);
            clients.extend(service.admit_below(FdSet::SIZE, accepted)?);
        }
        let ready = |fd: &TcpStream| reads.contains(fd) || writes.contains(fd);
        for client in clients.iter_mut().filter(|client| ready(&client.peer)) {
            if !client.is_owed() {
                client.received(call::recv(&client.peer, service.buffer(), 0), &mut service);
            }
            // Answer at once: if the client had no unsent bytes, its send buffer almost always has room.
            if client.is_owed() {
                client.sent(call::send(&client.peer, client.owed(), MSG_NOSIGNAL), &mut service);
            }
        }
        // Last, so that no new socket can get the number of a closed one, and its bit in the sets.
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
    summary: Both {
        en: "one thread, many clients: the kernel says which socket is ready",
        zh: "一个线程，多个客户端：内核告诉你哪个套接字就绪",
    },
    watch: Both {
        en: "one call waits for all clients; A, B and C are served in the order in which they \
              send",
        zh: "一次调用等待所有客户端；A、B、C 谁先发送，谁先得到服务",
    },
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
