//! # prefork: a few processes, forked before the first client comes
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
//! fork ──────────────────────────────────────────────────────────▶ a replacement: accept
//! ```
//!
//! Watch for what a client does not cost: a fork. The worker exists already, but so does the limit:
//! four workers serve four clients. The kernel connects the fifth, which waits in the
//! listener's queue until one of the four leaves, however silent they are.
//!
//! A worker that is killed disconnects only its own client: its parent forks a replacement. If
//! the parent is killed, the kernel sends the workers SIGTERM.
//!
//! All workers sleep in `accept`. Which of them does a client wake? accept.rs has three answers (`--accept`).

mod accept;
mod workers;

pub use accept::{Accept, Options, WORKERS, open};

use std::fs::File;
use std::net::Shutdown;

use anyhow::Result;

use super::row::{self, Both, Example, Purpose};
use super::script::{self, Demo};
use super::tcp_echo::{self, echo};
use crate::admission::{OneAtATime, Session};
use crate::call::{self, Fork, TcpListener, WaitPidFlag};
use crate::server::{Reply, ServerArgs, Stats, Tally};
use crate::stop::Stop;
use accept::accept_in_turn;
use workers::WorkerProcesses;

/// Forks the workers, and a replacement for each that dies, until the stop.
pub fn serve(args: &ServerArgs, options: &Options, stop: &Stop) -> Result<Stats> {
    let (mut listeners, address) = open(args, options)?;
    let lock = (options.accept == Accept::Lock).then(tempfile::tempfile).transpose()?;
    // From here on SIGCHLD and the signals of a stop are blocked (sigprocmask): ppoll lets them in.
    let mut workers = WorkerProcesses::new(args, options.workers(args), stop)?;
    while workers.goes_on() {
        while let Some(slot) = workers.vacant() {
            match call::fork() {
                Ok(Fork::Child) => {
                    let (session, served) = workers.in_child();
                    let listener = listeners.swap_remove(slot % listeners.len());
                    let closed = listeners.into_iter().try_for_each(call::close); // those of the other workers
                    let worked =
                        closed.and_then(|()| work(listener, lock.as_ref(), session, &served));
                    WorkerProcesses::end_child(worked) // it never returns
                }
                Ok(Fork::Parent(worker)) => workers.add(slot, worker),
                Err(error) => workers.not_forked(error)?,
            }
        }
        workers.announce(address)?; // every slot has its worker, or a fork was tried
        let waited = call::ppoll(&mut [], workers.timeout(), workers.let_in());
        let mut more = workers.may_have_ended(waited)?;
        while more {
            more = workers.remove(call::waitpid(None, WaitPidFlag::WNOHANG)?);
        }
    }
    for listener in &listeners {
        call::shutdown(listener, Shutdown::Both)?; // wakes all workers that sleep in accept: it fails with EINVAL
    }
    let stats = workers.end()?;
    listeners.into_iter().try_for_each(call::close)?;
    Ok(stats)
}

/// A worker serves one client after the other. It shares the listener, so the parent shuts it down
/// when all should end; a signal to this worker alone interrupts its accept (EINTR).
fn work(
    listener: TcpListener,
    lock: Option<&File>,
    session: Session<'_>,
    served_by_all: &Tally,
) -> call::Result<()> {
    let mut clients = OneAtATime::shared(session, &listener);
    while let Some((peer, client)) = clients.next(|| accept_in_turn(&listener, lock))? {
        served_by_all.add_one(); // a variable would belong to this process: the parent would never see it
        let served = echo(&peer, &mut clients.session);
        clients.finish(client, served.and(call::close(peer)));
    }
    drop(clients);
    call::close(listener)
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "prefork",
    short: None,
    summary: Both {
        en: "a few processes, forked before the first client comes",
        zh: "几个进程，在第一个客户端到来之前就已创建",
    },
    watch: Both {
        en: "no fork per client, but only as many clients as workers: C is connected at once, and \
              served when B leaves",
        zh: "不再为每个客户端 fork，但有几个工作进程就只服务几个客户端：C 立刻连上，B 离开后才得到服务",
    },
    place: row::Place::Internet,
    purpose: Purpose::Echo,
    at_once: row::AtOnce::EachWorker,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&row::Server(serve)),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo { server: &["--workers=2"], client: &[], steps: script::A_POOL_OF_TWO },
    next: Some(Both::same("netplay prefork server --accept lock")),
    lesson: "prefork",
};
