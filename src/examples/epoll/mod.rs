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
//! On this page epoll reports a *level*: a client is ready as long as there is something to receive, so
//! one `recv` a turn will do, and what it leaves is told again. `--edge` is edge.rs, `--workers N` is
//! workers.rs.

mod edge;
mod workers;

use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};

use anyhow::Result;
use clap::Args;

use super::nonblocking::{self, Client, Service, set_nonblocking};
use super::row::{self, Example, Place, up_to};
use super::script::{self, Demo};
use super::tcp_echo;
use crate::call::{
    self, EpollFlags, EpollOp, MSG_NOSIGNAL, SOCK_NONBLOCK, TcpListener, epoll_event,
};
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::Stop;

/// Serves the clients that are ready, until the stop.
pub fn serve(args: &ServerArgs, options: &Options, stop: &Stop) -> Result<Stats> {
    let trigger = if options.edge { &edge::EDGE } else { &LEVEL };
    let workers = options.workers.min(args.at_once()); // each has room for a client at least
    if workers > 1 {
        return workers::serve(workers, trigger, args, stop);
    }
    let listener = nonblocking::open(args)?;
    set_nonblocking(&listener)?;
    server::announce("tcp", call::getsockname(&listener)?)?;
    serve_on(&listener, trigger, Service::new(args, stop, args.max_clients), stop)
}

/// What differs between a level and an edge.
struct Trigger {
    /// What the kernel is asked to tell of every client.
    always: EpollFlags,
    /// What is done for a client when something has happened; whether there may be more to receive.
    turn: fn(&mut Client, EpollFlags, &mut Service<'_>) -> bool,
}

static LEVEL: Trigger = Trigger { always: EpollFlags::empty(), turn };

/// Serves the clients that are ready, until the stop.
fn serve_on(
    listener: &TcpListener,
    trigger: &Trigger,
    mut service: Service<'_>,
    stop: &Stop,
) -> Result<Stats> {
    let epoll = call::epoll_create()?;
    // A level, always: an edge would not tell again of a client that was not accepted at once.
    call::epoll_ctl(&epoll, EpollOp::EpollCtlAdd, listener, EpollFlags::EPOLLIN)?;
    let mut open = true;
    let mut clients: HashMap<RawFd, Client> = HashMap::new();
    // Room for what one wait brings; the others come with the next.
    let mut events = [epoll_event { events: 0, u64: 0 }; 256];
    let waiting = stop.watch(listener);
    while service.goes_on() {
        if service.has_room() != open {
            open = !open;
            // Asked for nothing, the listener still wakes us when the stop shuts it down (EPOLLHUP).
            let wanted = if open { EpollFlags::EPOLLIN } else { EpollFlags::empty() };
            call::epoll_ctl(&epoll, EpollOp::EpollCtlMod, listener, wanted)?;
        }
        let timeout = service.timeout(clients.values());
        let wait = || call::epoll_wait(&epoll, &mut events, timeout);
        let Some(n) = waiting.or(wait)? else { break };

        for event in &events[..n] {
            let fd = event.u64 as RawFd;
            let happened = EpollFlags::from_bits_retain(event.events.cast_signed());
            if let Some(client) = clients.get_mut(&fd) {
                let was_owed = client.is_owed();
                let more = (trigger.turn)(client, happened, &mut service);
                if client.leaves(&mut service) {
                    let client = clients.remove(&fd).expect("it was found above");
                    call::close(client.peer)?; // which takes it off the list
                } else if more || client.is_owed() != was_owed {
                    // Asked anew, the kernel looks anew: what is there already is told as an edge as well.
                    let wanted = interest(client) | trigger.always;
                    call::epoll_ctl(&epoll, EpollOp::EpollCtlMod, &client.peer, wanted)?;
                }
            } else if let Some(client) = service.admit(call::accept4(listener, SOCK_NONBLOCK))? {
                let wanted = interest(&client) | trigger.always;
                call::epoll_ctl(&epoll, EpollOp::EpollCtlAdd, &client.peer, wanted)?;
                clients.insert(client.peer.as_raw_fd(), client);
            }
        }
        // Silence is no event: where it is limited, every client is looked at, every turn.
        for client in service.silent(&mut clients) {
            call::close(client.peer)?;
        }
    }
    Ok(service.stats()) // dropped here, all is closed
}

/// Receives once, and sends the answer: a level tells again of what is left.
fn turn(client: &mut Client, _: EpollFlags, service: &mut Service<'_>) -> bool {
    // After EPOLLERR and EPOLLHUP as well: recv returns the bytes that are left, then the error or 0.
    if !client.is_owed() {
        client.heard(call::recv(&client.peer, service.room(), 0), service);
    }
    // The answer at once: a client that was owed nothing takes bytes, as a rule.
    if client.is_owed() {
        client.sent(call::send(&client.peer, client.owed(), MSG_NOSIGNAL), service);
    }
    false
}

/// EPOLLOUT only while something is owed: a client nearly always takes bytes, and would be told of at
/// every turn.
fn interest(client: &Client) -> EpollFlags {
    if client.is_owed() { EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN }
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
    service: row::Service::Echo,
    at_once: row::AtOnce::All,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&row::Server(serve)),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo {
        server: &["--edge", "--bufsize=16", "--reply=echo"],
        client: &[],
        steps: script::TO_THE_LAST_BYTE,
    },
    next: None,
    lesson: "epoll",
};
