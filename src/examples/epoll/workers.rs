//! # epoll with workers: a list for each thread
//!
//! ```text
//! main thread                      thread
//! socket, SO_REUSEPORT, bind, listen = 3
//! socket, SO_REUSEPORT, bind, listen = 4
//! spawn ─────────────────────────▶ epoll_create = 6, epoll_ctl ADD 4
//! epoll_create = 5, ADD 3          epoll_wait   sleeps
//! epoll_wait   sleeps              accept4 = 7 ◀─── client A
//! ```
//!
//! Each thread has its own listener, list and clients, and needs no lock. SO_REUSEPORT lets the listeners
//! share one address. The kernel assigns each client to a listener by a hash of the addresses, and never moves it: watch
//! for a busy thread beside an idle one.

use std::io;
use std::thread;

use anyhow::{Context, Result};

use crate::call::{self, Domain, IPV6_V6ONLY, SO_REUSEADDR, SO_REUSEPORT, TcpListener, Type};
use crate::examples::nonblocking::{Service, set_nonblocking};
use crate::server::{self, ServerArgs, Stats};
use crate::stop::Stop;

/// A loop on a listener: level-triggered or edge-triggered.
pub(super) type Loop = fn(&TcpListener, Service<'_>, &Stop) -> Result<Stats>;

/// Opens the listeners, and serves each in its own thread; the first in this one.
pub(super) fn serve(
    workers: usize,
    serve_on: Loop,
    args: &ServerArgs,
    stop: &Stop,
) -> Result<Stats> {
    let mut address = args.endpoint.resolve()?;
    let mut listeners: Vec<TcpListener> = Vec::new();
    for _ in 0..workers {
        let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
        call::setsockopt(&socket, SO_REUSEADDR, 1)?;
        if let Some(alone) = server::v6_alone(address, args.endpoint.family) {
            call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
        }
        call::setsockopt(&socket, SO_REUSEPORT, 1)?; // on each of them, and before bind
        call::bind(&socket, address)?;
        let listener = call::listen(socket, args.backlog)?;
        set_nonblocking(&listener)?;
        address = call::getsockname(&listener)?; // the others share the first one's port, if that was 0
        listeners.push(listener);
    }
    let work = |listener| {
        let service = Service::new(args, stop, args.max_clients / workers);
        let served = serve_on(listener, service, stop);
        stop.request(); // it was stopped, or it failed: the others should also end
        served
    };
    let (first, others) = listeners.split_first().expect("there are two at least");
    thread::scope(|scope| -> Result<Stats> {
        let start = |listener| thread::Builder::new().spawn_scoped(scope, move || work(listener));
        let threads: io::Result<Vec<_>> = others.iter().map(start).collect();
        let threads = threads.inspect_err(|_| stop.request());
        let threads = threads.context(server::NO_THREAD)?;
        server::announce("tcp", address).inspect_err(|_| stop.request())?;
        let mut total = work(first)?;
        for thread in threads {
            total.add(thread.join().expect("a worker does not panic")?);
        }
        Ok(total)
    })
}
