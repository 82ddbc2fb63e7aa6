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
//! Watch for the two closes. A descriptor belongs to one process, but the socket behind it is shared. If the
//! parent kept 4, the connection would stay open after the child has closed it, and the parent would run
//! out of descriptors. Each client can wait, block or crash on its own; each costs a process.
//!
//! A child that has ended is a zombie until its parent calls waitpid. The lecture's script
//! calls it after the next accept, so the last child stays a zombie until another client comes.
//! Here SIGCHLD interrupts the wait. It is blocked at all other times: if it arrived just before a
//! plain `accept` went to sleep, nothing would wake the parent.

use std::os::fd::AsRawFd;

use anyhow::Result;

use super::row::{self, Both, Example, Place, Purpose};
use super::script::{self, Demo};
use super::tcp_echo::{self, echo};
use crate::admission::ClientProcesses;
use crate::call::{
    self, Domain, Fork, IPV6_V6ONLY, SO_REUSEADDR, TcpListener, Type, WaitPidFlag, pollfd,
};
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::Stop;

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

    // From here on SIGCHLD is blocked (sigprocmask): only ppoll lets it in.
    let mut children = ClientProcesses::new(args, stop, &listener);
    // Ctrl-C interrupts ppoll. If it comes just before, ppoll still returns, because Ctrl-C also shuts
    // the listener down (POLLHUP).
    while children.goes_on() {
        let mut list =
            [pollfd { fd: listener.as_raw_fd(), events: children.interest(), revents: 0 }];
        let waited = call::ppoll(&mut list, children.timeout(), children.let_in());
        let mut more = children.may_have_ended(waited)?;
        // Signals are not counted: one SIGCHLD may stand for many children.
        while more && let Some(child) = call::waitpid(None, WaitPidFlag::WNOHANG)?.pid() {
            more = children.remove(child);
        }
        if list[0].revents == 0 {
            continue; // no client: SIGCHLD, or the timeout
        }
        let Some((peer, client)) = children.admit(call::accept(&listener))? else { continue };
        match call::fork() {
            Ok(Fork::Child) => {
                let mut session = children.in_child();
                let closed = call::close(listener); // it never accepts
                let served = closed.and_then(|()| echo(&peer, &mut session));
                ClientProcesses::end_child(client, served.and(call::close(peer))) // it never returns
            }
            Ok(Fork::Parent(child)) => children.add(child),
            // No more processes, or no memory for one: only this client is affected.
            Err(error) => server::lost(client, &error),
        }
        call::close(peer)?; // in the parent: the child has its own
    }
    let stats = children.end()?;
    call::close(listener)?;
    Ok(stats)
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "fork",
    short: None,
    summary: Both { en: "a process for each client", zh: "每个客户端一个进程" },
    watch: Both {
        en: "fork returns twice: the parent closes the client's socket, and the child closes the \
              listener",
        zh: "fork 返回两次：父进程关闭客户端的套接字，子进程关闭监听套接字",
    },
    place: Place::Internet,
    purpose: Purpose::Echo,
    at_once: row::AtOnce::All,
    reply: Some(Reply::text("recv your message")),
    server: Some(&serve),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo::of(script::TWO),
    next: None,
    lesson: "fork",
};
