//! # io_uring: operations instead of calls
//!
//! ```text
//!   io_uring_setup = 4        two rings, shared with the kernel: what is to be done, what is done
//!   accept, please
//!   ┌▶ io_uring_enter         hands over what was submitted, sleeps until something is done
//!   │    accept = 5           recv on 5, please, into this buffer; and the next accept
//!   │    recv(5) = 5 "hello"  send on 5, please, out of the same buffer
//!   │    send(5) = 5          recv on 5, please
//!   └─ …
//! ```
//!
//! With select, poll and epoll the kernel says which socket is *ready*, and the program calls. Here the program
//! says what it wants, and the kernel says when it is *done*. Watch for the order: every recv is
//! submitted before its bytes have come. And watch for the calls: submissions and completions are
//! written into memory, and one io_uring_enter moves as many of them as there are: the busier the
//! server, the fewer calls a request.
//!
//! What is under way cannot be taken back. Memory that was lent belongs to the kernel until the
//! completion; one send at a time, or bytes change places; and a socket is closed when all its
//! operations are done: shutdown makes them end.
//!
//! On this page each operation completes once, and a client has one under way at a time. That is what
//! `--single-shot` asks for, and what a kernel before 6.1 gets. Otherwise the server uses multishot
//! operations: multishot.rs.

mod client;
mod multishot;

use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};

use anyhow::Result;
use clap::Args;

use super::row::{self, Example, Place};
use super::script::{self, Demo};
use super::tcp_echo;
use crate::call::{
    self, Domain, IPV6_V6ONLY, Operation, Ring, SO_REUSEADDR, Shots, TcpListener, TcpStream, Type,
};
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::Stop;
use client::{COMPLETIONS, Client, SUBMISSIONS, Service, buffers};

/// Serves with single-shot operations, each of whose completions leads to the next submission; or with multishot
/// ones, if this kernel has them.
pub fn serve(args: &ServerArgs, options: &Options, stop: &Stop) -> Result<Stats> {
    let address = args.endpoint.resolve()?;
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    if let Some(alone) = server::v6_alone(address, args.endpoint.family) {
        call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
    }
    call::bind(&socket, address)?;
    let listener: TcpListener = call::listen(socket, args.backlog)?;
    let address = call::getsockname(&listener)?;
    let (mut ring, shots) = set_up(args, options)?;
    server::announce("tcp", address)?;
    if shots == Shots::Many {
        return multishot::serve_on(listener, ring, args, stop);
    }

    let mut service = Service::new(args, stop);
    let mut clients: HashMap<RawFd, Client> = HashMap::new();
    // Asked for no event, this is done when the stop shuts the listener down, accept or no accept.
    ring.prep_poll(&listener, 0)?;
    let waiting = stop.watch(&listener);
    while service.admission.goes_on(clients.len()) {
        if service.wants_accept(clients.len()) {
            ring.prep_accept(&listener, Shots::One)?;
        }
        let (submissions, timeout) = (ring.to_submit(), service.timeout(clients.values()));
        let mut enter = || call::io_uring_enter(&mut ring, submissions, 1, timeout);
        let Some(_) = waiting.or(|| Service::woken(enter()))? else { break };

        for _ in 0..COMPLETIONS {
            let Some(done) = ring.cqe() else { break };
            let fd = done.fd;
            match done.operation {
                Operation::Accept => {
                    // A client that is gone already has no name: its socket is dropped, and so closed.
                    if let Some(peer) = service.admit(done)?.map(TcpStream::from)
                        && let Ok(name) = call::getpeername(&peer)
                    {
                        let mut client = Client::new(peer, name, args);
                        client.receiving = Some(ring.prep_recv(&client.peer, Shots::One)?);
                        clients.insert(client.peer.as_raw_fd(), client);
                    }
                }
                Operation::Recv | Operation::Send => {
                    let client = clients.get_mut(&fd).expect("it stays until nothing is under way");
                    client.take(done, &mut ring, &mut service);
                    if let Some(answer) = client.owed() {
                        ring.prep_send(&client.peer, answer)?;
                    } else if client.wants_recv() {
                        client.receiving = Some(ring.prep_recv(&client.peer, Shots::One)?);
                    } else if let Some(client) = clients.remove(&fd) {
                        call::close(client.peer)?;
                        service.admission.release();
                    }
                }
                _ => {} // the poll: the stop
            }
        }
        service.end_silent(clients.values_mut());
    }
    drop(waiting);
    while ring.cqe().is_some() {} // a client that was accepted meanwhile is closed as it is dropped
    drop(ring); // and with it the kernel lets go of what was under way
    clients.into_values().try_for_each(|client| call::close(client.peer))?;
    call::close(listener)?;
    Ok(service.admission.stats)
}

/// Two rings and buffers; for multishot operations, if this kernel has them.
///
/// # Errors
/// This kernel has no io_uring, or allows none here.
pub fn set_up(args: &ServerArgs, options: &Options) -> Result<(Ring, Shots)> {
    if !options.single_shot
        && let Some(ring) = multishot::set_up(args)?
    {
        return Ok((ring, Shots::Many));
    }
    let mut ring = call::io_uring_setup(SUBMISSIONS, 0)?;
    ring.lend_buffers(args.bufsize, buffers(args));
    Ok((ring, Shots::One))
}

/// The option of the server.
#[derive(Debug, Default, Args)]
pub struct Options {
    /// Submit each accept and recv anew, with a buffer of its own, as before Linux 6.1
    #[arg(long)]
    single_shot: bool,
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "io-uring",
    short: None,
    summary: "operations instead of calls: the kernel says what is done, not who is ready",
    watch: "each recv is submitted before its bytes have come, and one io_uring_enter moves as many \
            submissions and answers as there are",
    place: Place::Internet,
    purpose: row::Purpose::Echo,
    at_once: row::AtOnce::All,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&row::Server(serve)),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo { server: &["--reply=echo"], client: &[], steps: script::THREE },
    next: Some("netplay io-uring server --single-shot"),
    lesson: "io-uring",
};
