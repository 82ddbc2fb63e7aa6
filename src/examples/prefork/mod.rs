//! # prefork: a few processes, made before the first client comes
//!
//! ```text
//! parent                               worker                      worker
//! socket, setsockopt, bind, listen = 3
//! fork ──────────────────────────────▶ accept  sleeps
//! fork ──────────────────────────────────────────────────────────▶ accept  sleeps
//! ppoll   sleeps until a worker ends   accept = 4 ◀─── client A
//!                                      recv, send, … recv = 0
//!                                      close(4)
//!                                      accept  sleeps
//! SIGCHLD ◀─────────────────────────────────────────────────────── killed
//! waitpid
//! fork ──────────────────────────────────────────────────────────▶ a successor: accept
//! ```
//!
//! Watch for what a client does not cost: a fork. The worker is there already, and so is the limit:
//! four workers serve four clients. The fifth is connected, by the kernel, and waits in the
//! listener's queue until one of the four leaves, however silent they are.
//!
//! A worker that is killed takes its client along and nobody else: its parent forks a successor. If
//! it is the parent that is killed, the kernel sends the workers SIGTERM.
//!
//! All workers sleep in `accept`. Whom does a client wake? accept.rs has three answers (`--accept`).

mod accept;
mod crew;

pub use accept::{Accept, open};

use std::fs::File;
use std::net::Shutdown;

use anyhow::Result;
use clap::Args;

use super::row::{self, Example, Service, up_to};
use super::script::{self, Demo};
use super::tcp_echo::{self, echo};
use crate::call::{self, Fork, TcpListener, WaitPidFlag, WaitStatus};
use crate::server::{self, Reply, ServerArgs, Stats, Tally};
use crate::stop::{Sigchld, Stop, end_child, end_children};
use accept::accept_in_turn;
use crew::Crew;

/// Forks the workers, and a successor for each that dies, until the stop.
pub fn serve(args: &ServerArgs, options: &Options, stop: &Stop) -> Result<Stats> {
    let (accept, workers) = (options.accept, options.workers(args));
    let (listeners, address) = open(args, accept, workers)?;
    let lock = if accept == Accept::Lock { Some(tempfile::tempfile()?) } else { None };
    let clients = Tally::new()?;

    let mut crew = Crew::new(workers);
    let (mut done, mut announced) = (false, false);
    let sigchld = Sigchld::keep();
    // The signals of a stop are kept back, too: only ppoll lets them in, and none can be missed.
    let mut undisturbed = stop.undisturbed();
    // The parent stays in this loop until the stop; a child leaves it with its place.
    let mine = loop {
        if stop.requested() || done {
            break None;
        }
        if let Some(place) = crew.vacant() {
            match call::fork() {
                Ok(Fork::Parent(child)) => crew.joins(place, child),
                Ok(Fork::Child) => break Some(place),
                // Without any worker the server would be ready for clients, and serve none of them.
                Err(error) if !announced && crew.is_empty() => return Err(error.into()),
                Err(error) => server::worker_missing(error), // that may pass
            }
            continue;
        }
        if !announced {
            drop(undisturbed); // the line may have to wait for its reader, and that wait hears a stop
            server::announce("tcp", address)?; // every place has its worker, or has been tried
            undisturbed = stop.undisturbed();
            announced = true;
            continue; // a stop may have come
        }
        let waited = call::ppoll(&mut [], crew.timeout(), &sigchld.let_in);
        if sigchld.came(waited)? {
            done = reap(&mut crew)? && args.once;
        }
    };
    if let Some(place) = mine {
        be_a_worker(place, listeners, lock, args, &clients, &stop.in_child(undisturbed));
    }
    drop(undisturbed); // a second Ctrl-C ends this process, however long the workers take
    for listener in &listeners {
        call::shutdown(listener, Shutdown::Both)?; // wakes all that sleep in accept: it fails with EINVAL
    }
    end_children(crew.workers(), &sigchld)?;
    for listener in listeners {
        call::close(listener)?;
    }
    Ok(Stats { clients: clients.take(), ..Stats::default() })
}

/// Asks for every worker that has ended; whether one had done its work.
fn reap(crew: &mut Crew) -> call::Result<bool> {
    let mut done = false;
    while !crew.is_empty() {
        let ended = call::waitpid(None, WaitPidFlag::WNOHANG)?;
        let Some(worker) = ended.pid() else { break };
        done |= ended == WaitStatus::Exited(worker, 0);
        crew.leaves(worker);
    }
    Ok(done)
}

/// The worker's whole life: it never returns into the parent's loop.
fn be_a_worker(
    place: usize,
    mut listeners: Vec<TcpListener>,
    lock: Option<File>,
    args: &ServerArgs,
    clients: &Tally,
    stop: &Stop,
) -> ! {
    let listener = listeners.swap_remove(place % listeners.len());
    let others_closed = listeners.into_iter().try_for_each(call::close);
    match others_closed.and_then(|()| work(listener, lock.as_ref(), args, clients, stop)) {
        Ok(()) => end_child(0),
        Err(error) => {
            server::worker_missing(error);
            end_child(1)
        }
    }
}

/// Serves one client after the other. The listener is not this worker's alone, so the parent shuts it down
/// when all are to end; a signal to this worker alone interrupts its accept (EINTR).
fn work(
    listener: TcpListener,
    lock: Option<&File>,
    args: &ServerArgs,
    clients: &Tally,
    stop: &Stop,
) -> call::Result<()> {
    let mut stats = Stats::default();
    let waiting = stop.watch_shared(&listener);
    while !args.full(stats.clients)
        && let Some((peer, client)) = waiting.or(|| accept_in_turn(&listener, lock))?
    {
        stats.clients += 1;
        clients.add_one(); // a variable would be this process's own: the parent would never see it
        if let Err(error) = echo(&peer, args, stop, &mut stats) {
            server::lost(client, error);
        }
        call::close(peer)?;
    }
    drop(waiting);
    call::close(listener)
}

/// How many workers there are unless `--workers` says otherwise: enough to see who gets a client, few
/// enough to follow. One that waits costs no processor, so it is a number of clients, not of cores.
pub const WORKERS: usize = 4;

/// The options of a server with a fixed number of workers.
#[derive(Debug, Args)]
#[command(mut_arg("max_clients", |arg| {
    arg.help("How many clients to serve at once; there are no more workers than that")
}))]
pub struct Options {
    /// How many workers there are: each serves one client at a time
    #[arg(long, value_name = "N", default_value_t = WORKERS, value_parser = up_to::<usize>(256))]
    workers: usize,
    /// Who waits in accept: all on one listener, one after the other, or each on its own
    #[arg(long, value_name = "accept", default_value_t = Accept::Shared, value_enum)]
    pub accept: Accept,
}

impl Options {
    /// How many workers there are: never more than clients may be served at once.
    pub fn workers(&self, args: &ServerArgs) -> usize {
        self.workers.min(args.at_once())
    }
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "prefork",
    short: None,
    summary: "a few processes, made before the first client comes",
    watch: "no fork for a client, and no client without a worker: C is connected at once, and \
            served when B leaves",
    place: row::Place::Internet,
    service: Service::Echo,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&row::Server(serve)),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo { server: &["--workers=2"], client: &[], steps: script::A_POOL_OF_TWO },
    next: Some("netplay prefork server --accept lock"),
    lesson: "prefork",
};
