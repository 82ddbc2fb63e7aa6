//! # io_uring: operations instead of calls
//!
//! ```text
//!   io_uring_setup = 4        two rings, shared with the kernel: what is to be done, what is done
//!   io_uring_register         a heap of buffers that the kernel may fill
//!   accept, please            one submission, an answer for every client
//!   ┌▶ io_uring_enter         hands over what was submitted, sleeps until something is done
//!   │    accept = 5           recv on 5, please: one submission, an answer whenever bytes come
//!   │    recv(5) = 5 "hello"  send on 5, please, out of the buffer that they are in
//!   │    send(5) = 5          the buffer goes back onto the heap
//!   └─ …
//! ```
//!
//! With select, poll and epoll the kernel says who is *ready*, and the program calls. Here the program
//! says what it wants, and the kernel says when it is *done*. Watch for the order: every recv is
//! submitted before its bytes have come. And watch for the calls: submissions and completions are
//! written into memory, and one io_uring_enter moves as many of them as there are: the busier the
//! server, the fewer calls a request.
//!
//! What is under way cannot be taken back. Memory that was lent belongs to the kernel until the
//! completion; one send at a time, or bytes change places; and a socket is closed when all its
//! operations are done: shutdown makes them end.
//!
//! **Many shots.** A recv of one shot needs a buffer from the start, for a client that may never say a
//! word. One of many shots stays, and takes a buffer off the heap when there are bytes to put into
//! it, so that ten thousand silent clients share a few. An answer without IORING_CQE_F_MORE is its
//! last: it is to be submitted again. Kernels before 6.1 lack what this needs; there, and with
//! `--single-shot`, each operation is submitted anew each time.

mod client;

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsRawFd, RawFd};

use anyhow::Result;
use clap::Args;
use nix::errno::Errno;

use super::row::{self, Example, Place, Service};
use super::script::{self, Demo};
use super::tcp_echo;
use crate::call::{
    self, Domain, IPV6_V6ONLY, ONE_THREAD, Operation, Ring, SO_REUSEADDR, Shots, TcpListener, Type,
};
use crate::patience::Patience;
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::Stop;
use client::Client;

/// How many answers are read between two waits. Each may lead to a few submissions, for which the ring
/// has room.
const ANSWERS: usize = 128;
const SUBMISSIONS: u32 = 1024;

/// More memory than this for buffers, and it would no longer stay in the processor's cache.
const HEAP: usize = 512 * 1024;

/// Does whatever is done until the stop.
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

    let mut stats = Stats::default();
    let mut made = Vec::new();
    let mut patience = Patience::default();
    let mut clients: HashMap<RawFd, Client> = HashMap::new();
    // An accept of many shots takes everybody in the queue, and cannot be told for how many there is
    // room. When there is none it is cancelled; whoever it brought before that waits here.
    let mut early: VecDeque<Client> = VecDeque::new();
    let (mut accepting, mut cancelled) = (None, false);
    // Asked for no event, this is done when the stop shuts the listener down, accept or no accept.
    ring.prep_poll(&listener, 0)?;
    let waiting = stop.watch(&listener);
    while !(stop.requested() || clients.is_empty() && args.full(stats.clients)) {
        while has_room(&clients, args, &stats)
            && let Some(mut client) = early.pop_front()
        {
            stats.clients += 1;
            client.go_on(&mut ring, shots)?;
            clients.insert(client.peer.as_raw_fd(), client);
        }
        let look = has_room(&clients, args, &stats) && patience.left().is_none();
        match accepting {
            None if look => accepting = Some(ring.prep_accept(&listener, shots)?),
            Some(accept) if !look && !cancelled => {
                ring.prep_cancel(accept)?;
                cancelled = true;
            }
            _ => {}
        }
        let idle = || clients.values().filter_map(|client| client.time_left(args)).min();
        let idle = args.idle_timeout.and_then(|_| idle());
        let timeout = idle.into_iter().chain(patience.left()).min();
        let wait = || {
            let submissions = ring.to_submit();
            match call::io_uring_enter(&mut ring, submissions, 1, timeout) {
                // EBUSY: an older kernel wants its answers to be read first.
                Err(error) if error.timed_out() || error.errno() == Errno::EBUSY => Ok(0),
                taken => taken,
            }
        };
        let Some(_) = waiting.or(wait)? else { break };

        for _ in 0..ANSWERS {
            let Some(done) = ring.cqe() else { break };
            match done.operation {
                Operation::Accept => {
                    if !done.more {
                        (accepting, cancelled) = (None, false);
                    }
                    match done.result {
                        Ok(_) => early.extend(done.accepted.and_then(|fd| Client::new(fd, args))),
                        Err(_) if stop.requested() => break,
                        Err(error) if error.cancelled() => {} // by us, for lack of room
                        Err(error) => patience.with(error)?,
                    }
                }
                Operation::Recv | Operation::Send => {
                    let fd = done.fd;
                    let client =
                        clients.get_mut(&fd).expect("it stays until its operations are done");
                    client.take(done, &mut ring, args, &mut made, &mut stats)?;
                    client.go_on(&mut ring, shots)?;
                    if client.is_gone() {
                        let client = clients.remove(&fd).expect("it was found above");
                        call::close(client.peer)?;
                        patience.end();
                    }
                }
                _ => {} // a cancel: the operation itself says how it ended
            }
        }
        if args.idle_timeout.is_some() {
            clients.values_mut().for_each(|client| client.end_if_idle(args));
        }
    }
    drop(waiting);
    while let Some(unread) = ring.cqe() {
        if let Some(peer) = unread.accepted {
            call::close(peer)?; // it was ours already
        }
    }
    drop(ring); // and the kernel lets go of what was under way
    for client in clients.into_values().chain(early) {
        call::close(client.peer)?;
    }
    call::close(listener)?;
    Ok(stats)
}

/// Two rings and buffers; of many shots, if this kernel knows how.
///
/// # Errors
/// This kernel has no io_uring, or allows none here.
pub fn set_up(args: &ServerArgs, options: &Options) -> Result<(Ring, Shots)> {
    // For each client one to receive and one to send: nobody, however slow, can keep all of them.
    let buffers = (2 * most(args)).max(512) as u16;
    if !options.single_shot {
        let few = (HEAP / args.bufsize).clamp(1, 512);
        let made = call::io_uring_setup(SUBMISSIONS, ONE_THREAD).and_then(|mut ring| {
            call::io_uring_register_buf_ring(&mut ring, args.bufsize, few, buffers)?;
            Ok(ring)
        });
        match made {
            Ok(ring) => return Ok((ring, Shots::Many)),
            Err(error) if error.errno() == Errno::EINVAL => server::single_shot(error),
            Err(error) => return Err(error.into()),
        }
    }
    let mut ring = call::io_uring_setup(SUBMISSIONS, 0)?;
    ring.lend_buffers(args.bufsize, buffers);
    Ok((ring, Shots::One))
}

fn has_room(clients: &HashMap<RawFd, Client>, args: &ServerArgs, stats: &Stats) -> bool {
    clients.len() < most(args) && !args.full(stats.clients)
}

/// How many clients are served at once: a heap has 32,768 buffers at most.
fn most(args: &ServerArgs) -> usize {
    args.at_once().min(16_384)
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
    service: Service::Echo,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&row::Server(serve)),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo { server: &["--reply=echo"], client: &[], steps: script::THREE },
    next: Some("netplay io-uring server --single-shot"),
    lesson: "io-uring",
};
