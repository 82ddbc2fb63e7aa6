//! # epoll: the list stays in the kernel
//!
//! ```text
//!   epoll_create = 4          an empty list
//!   epoll_ctl ADD listener    and each client once, when it is accepted
//!   ┌▶ epoll_wait             sleeps until something happens, and brings only what did
//!   │    the listener?        accept4 = 5, epoll_ctl ADD 5
//!   │    client 5?            recv, send
//!   └─ …                      close(5) takes it off the list
//! ```
//!
//! select and poll hand the whole list to the kernel at every call, and it looks at every entry. Here
//! the kernel keeps the list, and notes what is ready when it becomes so: ten thousand silent clients
//! cost a wait nothing. Watch for how rarely epoll_ctl is called: once a client, and then only when
//! what is wanted of it changes, because it is owed bytes that the kernel did not take.
//!
//! **Level or edge.** Usually epoll reports a *level*: a client is ready as long as there is something
//! to receive, so one `recv` a turn will do; what it leaves is told again. With `--edge` it reports an
//! *edge*: that something has come, once. Whoever then leaves a byte behind may wait for ever beside
//! it. So the program receives until nothing is left, and therefore must not block: O_NONBLOCK is a
//! matter of courtesy with a level, and of life with an edge.
//!
//! **`--workers N`.** So many threads, each with a listener, a list and clients of its own, and no
//! lock between them. SO_REUSEPORT lets the listeners have one address; a hash of the client's address
//! says whose it is, and so for good: nobody can hand over a client to a thread that has less to do.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::thread;

use anyhow::{Context, Result};
use clap::Args;

use super::nonblocking::{Client, Next, longest_wait, set_nonblocking};
use super::row::{self, Example, Place, Service, up_to};
use super::script::{self, Demo};
use super::tcp_echo;
use crate::call::{
    self, Domain, EpollFlags, EpollOp, SO_REUSEADDR, SO_REUSEPORT, SOCK_NONBLOCK, TcpListener,
    Type, epoll_event,
};
use crate::patience::Patience;
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::Stop;

/// How many events one wait can bring; the others come with the next.
const EVENTS: usize = 256;

/// How often a client is listened to, with an edge, before others get their turn.
const TURNS: usize = 16;

/// Opens the listeners, and serves each in a thread of its own; the first in this one.
pub fn serve(args: &ServerArgs, options: &Options, stop: &Stop) -> Result<Stats> {
    let mut address = args.endpoint.resolve()?;
    let workers = workers(args, options);
    let mut listeners: Vec<TcpListener> = Vec::new();
    for _ in 0..workers {
        let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
        call::setsockopt(&socket, SO_REUSEADDR, 1)?;
        server::versions(&socket, address, args.endpoint.family)?;
        if workers > 1 {
            call::setsockopt(&socket, SO_REUSEPORT, 1)?; // on each of them, and before bind
        }
        call::bind(&socket, address)?;
        let listener = call::listen(socket, args.backlog)?;
        set_nonblocking(&listener)?;
        address = call::getsockname(&listener)?; // the first one's port, if any would do
        listeners.push(listener);
    }
    let (first, others) = listeners.split_first().expect("there is at least one worker");
    let work = |listener| {
        let served = serve_one(listener, args, options, stop);
        if workers > 1 {
            stop.request(); // it was stopped, or it failed: the others are to end as well
        }
        served
    };
    let total = thread::scope(|scope| -> Result<Stats> {
        let start = |listener| thread::Builder::new().spawn_scoped(scope, move || work(listener));
        let threads: io::Result<Vec<_>> = others.iter().map(start).collect();
        let threads = threads.inspect_err(|_| stop.request());
        let threads = threads.context("cannot start a thread for a worker")?;
        server::announce("tcp", address).inspect_err(|_| stop.request())?;
        let mut total = work(first)?;
        for thread in threads {
            total.add(thread.join().expect("a worker does not panic")?);
        }
        Ok(total)
    })?;
    for listener in listeners {
        call::close(listener)?;
    }
    Ok(total)
}

/// How many there are: each has room for a client at least.
fn workers(args: &ServerArgs, options: &Options) -> usize {
    options.workers.min(args.at_once())
}

/// Serves whoever is ready until the stop: a server of its own, which knows of no other thread.
fn serve_one(
    listener: &TcpListener,
    args: &ServerArgs,
    options: &Options,
    stop: &Stop,
) -> Result<Stats> {
    let most = args.max_clients / workers(args, options);
    let mut stats = Stats::default();
    let (mut buf, mut made) = (vec![0; args.bufsize], Vec::new());
    let mut patience = Patience::default();
    // A client by its number, and what the kernel was asked to tell of it.
    let mut clients: HashMap<RawFd, (Client, EpollFlags)> = HashMap::new();
    let epoll = call::epoll_create()?;
    // A level, always: an edge would not tell again of a client that was not accepted at once.
    let mut asked = EpollFlags::EPOLLIN;
    call::epoll_ctl(&epoll, EpollOp::EpollCtlAdd, listener, asked)?;
    let mut events = [epoll_event { events: 0, u64: 0 }; EVENTS];
    let waiting = stop.watch(listener);
    while !(stop.requested() || clients.is_empty() && args.full(stats.clients)) {
        let room = clients.len() < most && !args.full(stats.clients);
        // With no event asked for, the listener still wakes us when the stop shuts it down (EPOLLHUP).
        let look = room && patience.left().is_none();
        let wanted = if look { EpollFlags::EPOLLIN } else { EpollFlags::empty() };
        if wanted != asked {
            call::epoll_ctl(&epoll, EpollOp::EpollCtlMod, listener, wanted)?;
            asked = wanted;
        }
        let timeout = longest_wait(clients.values().map(|(client, _)| client), args, &mut patience);
        let wait = || call::epoll_wait(&epoll, &mut events, timeout);
        let Some(n) = waiting.or(wait)? else { break };

        for event in &events[..n] {
            let fd = event.u64 as RawFd;
            let happened = EpollFlags::from_bits_retain(event.events.cast_signed());
            let Some((client, asked)) = clients.get_mut(&fd) else {
                // It is no client's number, so it is the listener's.
                match call::accept4(listener, SOCK_NONBLOCK) {
                    Ok((peer, name)) => {
                        let client = Client::new(peer, name, args);
                        let wanted = interest(&client, options);
                        call::epoll_ctl(&epoll, EpollOp::EpollCtlAdd, &client.peer, wanted)?;
                        clients.insert(client.peer.as_raw_fd(), (client, wanted));
                        stats.clients += 1;
                    }
                    Err(_) if stop.requested() => break,
                    Err(error) => patience.with(error)?,
                }
                continue;
            };
            let (mut turn, mut more) = (Ok(()), false);
            if happened.contains(EpollFlags::EPOLLOUT) {
                turn = client.write(args, &mut stats);
            }
            // EPOLLERR and EPOLLHUP too: recv returns the bytes that are left, then the error or 0.
            if turn.is_ok() && happened != EpollFlags::EPOLLOUT {
                let read = read(client, happened, args, options, &mut buf, &mut made, &mut stats);
                turn = read.map(|left| more = left);
            }
            match client.next(turn, args) {
                Next::Stay => {
                    let wanted = interest(client, options);
                    // Asked anew, the kernel looks anew: what is there already is told as an edge, too.
                    if wanted != *asked || more {
                        call::epoll_ctl(&epoll, EpollOp::EpollCtlMod, &client.peer, wanted)?;
                        *asked = wanted;
                    }
                }
                Next::Leave => {
                    let (client, _) = clients.remove(&fd).expect("it was found above");
                    call::close(client.peer)?; // which takes it off the list
                    patience.end();
                }
            }
        }
        if args.idle_timeout.is_some() {
            // Silence is no event: whoever wants to hear of it looks at everybody, every turn.
            let idle = |client: &mut Client| client.next(Ok(()), args) == Next::Leave;
            for (_, (client, _)) in clients.extract_if(|_, (client, _)| idle(client)) {
                call::close(client.peer)?;
                patience.end();
            }
        }
    }
    drop(waiting);
    for (client, _) in clients.into_values() {
        call::close(client.peer)?;
    }
    call::close(epoll)?;
    Ok(stats)
}

/// EPOLLOUT only while something is owed: a client nearly always takes bytes, and would be told of at
/// every turn. With an edge, what can stop a `recv` short of the last byte is to be told, too.
fn interest(client: &Client, options: &Options) -> EpollFlags {
    let mut wanted = EpollFlags::empty();
    wanted.set(EpollFlags::EPOLLIN, client.wants_read());
    wanted.set(EpollFlags::EPOLLOUT, client.wants_write());
    if options.edge {
        wanted |= EpollFlags::EPOLLET | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLPRI;
    }
    wanted
}

/// Receives once; but after an edge until nothing is left, or it was often enough: then there may be
/// more.
///
/// A `recv` that brings less than it has room for found no more, and saves the one that would fail
/// with EAGAIN (epoll(7)); what comes later is a new edge. It also stops short of an urgent byte and
/// of the end. Both are told with the event, if they were there; then only EAGAIN or 0 is the end.
fn read(
    client: &mut Client,
    happened: EpollFlags,
    args: &ServerArgs,
    options: &Options,
    buf: &mut [u8],
    made: &mut Vec<u8>,
    stats: &mut Stats,
) -> call::Result<bool> {
    if !options.edge {
        return client.read(args, buf, made, stats).map(|()| false);
    }
    for _ in 0..TURNS {
        let n = client.receive(args, buf, made, stats)?;
        let short = n < buf.len() && happened == EpollFlags::EPOLLIN;
        if n == 0 || short || !client.wants_read() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The options of the server.
#[derive(Debug, Args)]
pub struct Options {
    /// Be told once of what has come, not for as long as it is there
    #[arg(long)]
    edge: bool,
    /// How many threads there are, each with a listener and a list of its own, and its share of --max-clients
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = up_to::<usize>(256))]
    workers: usize,
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "epoll",
    short: None,
    summary: "the list stays in the kernel, and a wait brings only what has happened",
    watch: "an edge is told once: so the server receives until nothing is left, and B's last recv \
            would wait for ever on a blocking socket",
    place: Place::Internet,
    service: Service::Echo,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&row::Server(serve)),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo {
        server: &["--edge", "--bufsize=16", "--reply=echo"],
        client: &[],
        steps: script::TO_THE_LAST_BYTE,
    },
    next: "netplay io-uring demo",
    lesson: "epoll",
};
