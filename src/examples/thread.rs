//! # thread: a thread for each client
//!
//! ```text
//! main thread              thread for client 4        thread for client 5
//! accept = 4
//! spawn ─────────────────▶ recv, send, …
//! accept = 5
//! spawn ─────────────────────────────────────────────▶ recv, send, …
//! accept                   recv = 0, close(4), ends
//! ```
//!
//! Watch for what is *not* closed: threads share one table of descriptors, so the main thread must
//! not close 4 behind the back of the thread that uses it, as a parent process must.
//!
//! The threads are joined: the scope below ends only when the last of them has, so a stop leaves no
//! thread behind. While the server runs nobody waits for a particular one of them; the
//! lecture's script detaches its threads (`setDaemon`), and its end cuts them off.

use std::net::TcpListener;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Result;

use super::tcp_echo::echo;
use crate::call::{self, Domain, SO_REUSEADDR, Type};
use crate::server::{self, ServerArgs, Stats};
use crate::stop::Stop;

/// Starts a thread for each client until the stop.
pub fn serve(args: &ServerArgs, stop: &Stop) -> Result<Stats> {
    let address = args.endpoint.resolve()?;
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    call::bind(&socket, address)?;
    let listener: TcpListener = call::listen(socket, args.backlog)?;
    server::announce("tcp", call::getsockname(&listener)?)?;

    let total = &Mutex::new(Stats::default());
    let places = &stop.places(args.at_once())?;
    let waiting = stop.watch(&listener);
    let mut accepted = 0;
    thread::scope(|scope| -> Result<()> {
        // Without a free place there is no accept: the next client waits in the listener's queue.
        while places.take()?
            && !args.full(accepted)
            && let Some((peer, client)) = waiting.or(|| call::accept(&listener))?
        {
            accepted += 1;
            let (hand_over, handed) = sync_channel(1);
            let serve_one = move || {
                let Ok(peer) = handed.recv() else { return };
                let mut stats = Stats { clients: 1, ..Stats::default() };
                let served = echo(&peer, args, stop, &mut stats);
                let left = call::close(peer);
                if let Err(error) = served.and(left) {
                    server::lost(client, error);
                }
                total.lock().unwrap_or_else(PoisonError::into_inner).add(stats);
                places.give_back();
            };
            // The default stack of 2 MiB is address space for nothing: a conversation needs little.
            let thread = thread::Builder::new().stack_size(256 * 1024);
            // The thread first, then the socket: where there can be no thread, it is still ours.
            match thread.spawn_scoped(scope, serve_one) {
                Ok(_) => hand_over.send(peer).expect("the thread takes it first of all"),
                Err(error) => {
                    server::no_room(client, error);
                    call::close(peer)?;
                    places.give_back();
                }
            }
        }
        Ok(())
    })?;
    drop(waiting);
    call::close(listener)?;
    let total = total.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(*total)
}
