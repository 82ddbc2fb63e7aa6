//! # fork: a process for each client
//!
//! ```text
//! parent                                    child
//! ppoll      sleeps: a client, or SIGCHLD
//! accept = 4
//! fork ───────────────────────────────────▶ a copy, with the same sockets 3 and 4
//! close(4)   the child has its own          close(3)   never accepts
//! ppoll                                     recv, send, … recv = 0
//!                                           close(4)   only now does the connection end
//! SIGCHLD ◀──────────────────────────────── exit
//! waitpid    until then it is a zombie
//! ```
//!
//! Watch for the two closes. A descriptor is a process's, the socket behind it is shared: if the
//! parent kept 4, the connection would stay open when the child is done, and the parent would run
//! out of descriptors. Each client can wait, block or crash on its own; each costs a process.
//!
//! A child that ended is a zombie until its parent asks how (waitpid). The lecture's script
//! asks after the next accept, so the last child stays a zombie until another client comes.
//! Here SIGCHLD interrupts the wait. It is blocked at all other times: if it arrived just before a
//! plain `accept` went to sleep, nobody would wake up for it.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use anyhow::Result;
use libc::POLLIN;

use super::row::{Example, Place, Service};
use super::script::{self, Demo};
use super::tcp_echo::{self, echo};
use crate::call::{
    self, Domain, Fork, IPV6_V6ONLY, Pid, SO_REUSEADDR, TcpListener, TcpStream, Type, WaitPidFlag,
    pollfd,
};
use crate::entrance::Entrance;
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::{Sigchld, Stop, end_child, end_children};

/// Forks a child for each client until the stop.
pub fn serve(args: &ServerArgs, stop: &Stop) -> Result<Stats> {
    let address = args.endpoint.resolve()?;
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    if let Some(alone) = server::v6_alone(address, args.endpoint.family) {
        call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
    }
    call::bind(&socket, address)?;
    let listener: TcpListener = call::listen(socket, args.backlog)?;
    server::announce("tcp", call::getsockname(&listener)?)?;

    let mut entrance = Entrance::new(args, stop, args.max_clients);
    let mut children: HashSet<Pid> = HashSet::new();
    let sigchld = Sigchld::keep();
    let waiting = stop.watch(&listener);
    // The parent stays in this loop until the stop; a child leaves it with the client it is for.
    let mine = loop {
        if !entrance.goes_on(children.len()) {
            break None;
        }
        let events = if entrance.has_room(children.len()) { POLLIN } else { 0 };
        let mut list = [pollfd { fd: listener.as_raw_fd(), events, revents: 0 }];
        let waited = call::ppoll(&mut list, entrance.timeout(), &sigchld.let_in);
        if sigchld.came(waited)? {
            reap(&mut children)?;
        }
        if list[0].revents == 0 {
            continue;
        }
        let Some((peer, client)) = entrance.admit(call::accept(&listener))? else { continue };
        let undisturbed = stop.undisturbed(); // a stop now would find the child half made
        match call::fork() {
            Ok(Fork::Parent(child)) => drop(children.insert(child)),
            Ok(Fork::Child) => break Some((peer, client, undisturbed)),
            // No more processes, or no memory for one: this client's loss alone.
            Err(error) => server::lost(client, error),
        }
        call::close(peer)?; // in the parent: the child has it, too
    };
    drop(waiting);
    if let Some((peer, client, undisturbed)) = mine {
        be_the_child(listener, peer, client, args, &stop.in_child(undisturbed));
    }
    call::close(listener)?;
    end_children(children, &sigchld)?;
    Ok(entrance.stats)
}

/// The child's whole life: it never returns into the parent's loop.
fn be_the_child(
    listener: TcpListener,
    peer: TcpStream,
    client: SocketAddr,
    args: &ServerArgs,
    stop: &Stop,
) -> ! {
    let closed = call::close(listener); // it never accepts
    let served = closed.and_then(|()| echo(&peer, args, stop, &mut Stats::default()));
    match served.and(call::close(peer)) {
        Ok(()) => end_child(0),
        Err(error) => {
            server::lost(client, error);
            end_child(1)
        }
    }
}

/// Asks for every child that has ended: signals are not counted, so one SIGCHLD may stand for many.
fn reap(children: &mut HashSet<Pid>) -> Result<()> {
    while !children.is_empty()
        && let Some(child) = call::waitpid(None, WaitPidFlag::WNOHANG)?.pid()
    {
        children.remove(&child);
    }
    Ok(())
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "fork",
    short: None,
    summary: "a process for each client",
    watch: "fork returns twice; the parent closes the client's socket, the child the listener",
    place: Place::Internet,
    service: Service::Echo,
    reply: Some(Reply::text("recv your message")),
    server: Some(&serve),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo::of(script::TWO),
    next: None,
    lesson: "fork",
};
