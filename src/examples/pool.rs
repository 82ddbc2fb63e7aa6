//! # pool: a few threads, started before the first client comes
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
//! - `lock` is a mutex, and is not in the record. It is a word in memory; only a thread that has to wait
//!   for it calls the kernel (futex(2)), and that is not a call about a socket.
//! - A stop kills no thread. The main thread, which accepts no clients, receives the signal and
//!   shuts the listener down: then accept fails in every thread.
//! - The threads share one table of descriptors. On Linux `accept` takes the number of the new
//!   socket before it goes to sleep: a waiting thread already has one, so the numbers follow the
//!   order in which the threads went to sleep.
//! - A dead thread is not replaced: what kills one of them kills the process, and with it all of them.

use std::os::fd::AsRawFd;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};

use super::prefork::{Accept, Options, open};
use super::row::{self, Both, Example, Place, Purpose};
use super::script::{self, Demo};
use super::tcp_echo::{self, echo};
use crate::admission::{OneAtATime, WorkerThreads};
use crate::call::{self, TcpListener, pollfd};
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::Stop;

/// Starts the threads, and waits for the stop.
pub fn serve(args: &ServerArgs, options: &Options, stop: &Stop) -> Result<Stats> {
    let (listeners, address) = open(args, options)?;
    let lock: &Lock = &(options.accept == Accept::Lock).then(Mutex::default);
    let workers = WorkerThreads::new(args, stop, &listeners);
    thread::scope(|scope| -> Result<()> {
        let _end = workers.end_on_drop(); // after an error below, no thread stays asleep in accept
        // Threads that are started meanwhile block the signals of a stop: this thread receives them.
        let undisturbed = stop.undisturbed();
        // Each has its own listener, or all have the same.
        for (listener, clients) in workers.with_listeners(&listeners).take(options.workers(args)) {
            let thread = thread::Builder::new().stack_size(256 * 1024);
            let worker = || workers.finish(work(listener, lock, clients));
            thread.spawn_scoped(scope, worker).context(server::NO_THREAD)?;
        }
        drop(undisturbed);
        server::announce("tcp", address)?;
        // Here it sleeps until the stop: even with no events, poll reports the shutdown of the listener.
        let mut list = [pollfd { fd: listeners[0].as_raw_fd(), events: 0, revents: 0 }];
        Ok(workers.wait_for_stop(|| call::poll(&mut list, None))?)
    })?;
    let stats = workers.end()?;
    listeners.into_iter().try_for_each(call::close)?;
    Ok(stats)
}

/// A thread must hold it to accept; `None`: all may accept at once.
type Lock = Option<Mutex<()>>;

/// Serves one client after the other, until the stop. With a lock, one thread accepts at a time.
fn work(listener: &TcpListener, lock: &Lock, mut clients: OneAtATime<'_>) -> call::Result<Stats> {
    let accept = || {
        let _turn = lock.as_ref().map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner));
        call::accept(listener)
    };
    while let Some((peer, client)) = clients.next(accept)? {
        let served = echo(&peer, &mut clients.session);
        clients.finish(client, served.and(call::close(peer)));
    }
    Ok(clients.end())
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "pool",
    short: None,
    summary: Both {
        en: "the same with threads: a few of them share the clients",
        zh: "同样的做法，换成线程：几个线程分担所有客户端",
    },
    watch: Both {
        en: "two threads sleep in accept on one listener; C is connected at once, and served when \
              B leaves",
        zh: "两个线程在同一个监听套接字的 accept 里睡眠；C 立刻连上，B 离开后才得到服务",
    },
    place: Place::Internet,
    purpose: Purpose::Echo,
    at_once: row::AtOnce::EachWorker,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&row::Server(serve)),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo { server: &["--workers=2"], client: &[], steps: script::A_POOL_OF_TWO },
    next: None,
    lesson: "pool",
};
