//! # pool: a few threads, made before the first client comes
//!
//! ```text
//! main thread                thread                      thread
//! socket … listen = 3
//! spawn ───────────────────▶ accept  sleeps
//! spawn ───────────────────────────────────────────────▶ accept  sleeps
//! poll   sleeps to the end   accept = 4 ◀─── client A
//!                            recv, send, … recv = 0      accept = 5 ◀─── client B
//!                            close(4)                    recv, send, …
//!                            accept  sleeps
//! ```
//!
//! This is [`prefork`](super::prefork) with threads: the same limit, and the same three ways to
//! share out the clients. Watch for what is different in one process:
//!
//! - `lock` is a mutex, and not in the record. It is a word in memory; only who has to wait for it
//!   asks the kernel (futex(2)), and that is no call about a socket.
//! - A stop kills nobody. It comes to the main thread, which accepts nobody and has nothing else to do:
//!   the listener is shut down, and every thread comes out of its accept.
//! - The threads share one table of descriptors. On Linux `accept` takes the number of the new
//!   socket before it goes to sleep: a thread that waits already has one, and the numbers come in the
//!   order in which the threads went to sleep.
//! - No thread has a successor: what kills one of them kills the process, and with it all of them.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};

use super::prefork::{Accept, Options, open};
use super::row::{self, Example, Place, Service};
use super::script::{self, Demo};
use super::tcp_echo::{self, echo};
use crate::call::{self, TcpListener, TcpStream, pollfd};
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::{Stop, Watch};

/// Starts the threads, and waits for the stop.
pub fn serve(args: &ServerArgs, options: &Options, stop: &Stop) -> Result<Stats> {
    let (accept, workers) = (options.accept, options.workers(args));
    let (listeners, address) = open(args, accept, workers)?;
    let lock = (accept == Accept::Lock).then(Mutex::default);

    let mut stats = Stats::default();
    let waits: Vec<Watch<'_>> = listeners.iter().map(|listener| stop.watch(listener)).collect();
    thread::scope(|scope| -> Result<()> {
        let mut threads = Vec::new();
        // Threads that are made meanwhile get no signal of a stop, ever: this thread is to have it.
        let undisturbed = stop.undisturbed();
        // Each its own listener, or all the same.
        for (listener, waiting) in listeners.iter().zip(&waits).cycle().take(workers) {
            let worker = || {
                let worked = work(listener, waiting, lock.as_ref(), args, stop);
                if !stop.requested() {
                    stop.request(); // it was to have one client (`--once`), or cannot accept any
                }
                worked
            };
            match thread::Builder::new().stack_size(256 * 1024).spawn_scoped(scope, worker) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    stop.request(); // the scope waits for those that run already
                    return Err(error).context(server::NO_THREAD);
                }
            }
        }
        drop(undisturbed);
        server::announce("tcp", address).inspect_err(|_| stop.request())?;
        // And here it sleeps until then: asked for no event, poll still tells of the listener's end.
        let mut list = [pollfd { fd: listeners[0].as_raw_fd(), events: 0, revents: 0 }];
        while waits[0].or(|| call::poll(&mut list, None))?.is_some() {}
        for thread in threads {
            stats.add(thread.join().expect("a worker does not panic")?);
        }
        Ok(())
    })?;
    drop(waits);
    for listener in listeners {
        call::close(listener)?;
    }
    Ok(stats)
}

/// Serves one client after the other, until the stop.
fn work(
    listener: &TcpListener,
    waiting: &Watch<'_>,
    lock: Option<&Mutex<()>>,
    args: &ServerArgs,
    stop: &Stop,
) -> call::Result<Stats> {
    let mut stats = Stats::default();
    while !args.full(stats.clients)
        && let Some((peer, client)) = waiting.or(|| accept_in_turn(listener, lock))?
    {
        stats.clients += 1;
        let served = echo(&peer, args, stop, &mut stats);
        let left = call::close(peer);
        if let Err(error) = served.and(left) {
            server::lost(client, error);
        }
    }
    Ok(stats)
}

/// Accepts, alone if there is a lock.
fn accept_in_turn(
    listener: &TcpListener,
    lock: Option<&Mutex<()>>,
) -> call::Result<(TcpStream, SocketAddr)> {
    let _turn = lock.map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner));
    call::accept(listener)
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "pool",
    short: None,
    summary: "the same with threads: a few, that take turns at the clients",
    watch: "two threads sleep in accept on one listener; C is connected at once, and served when \
            B leaves",
    place: Place::Internet,
    service: Service::Echo,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&row::Server(serve)),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo { server: &["--workers=2"], client: &[], steps: script::A_POOL_OF_TWO },
    next: None,
    lesson: "pool",
};
