//! # io_uring, multishot: an operation that stays
//!
//! ```text
//!   io_uring_register         provided buffers, which the kernel may fill
//!   accept, please            one submission, an answer for every client
//!   ┌▶ io_uring_enter         hands over what was submitted, sleeps until something is done
//!   │    accept = 5           recv on 5, please: one submission, an answer whenever bytes come
//!   │    recv(5) = 5 "hello"  send on 5, please, out of the buffer that they are in
//!   │    send(5) = 5          the buffer is provided again
//!   └─ …
//! ```
//!
//! A single-shot recv holds a buffer from its submission on, even if its client never sends a byte. A
//! multishot recv takes one of the provided buffers when bytes have come, so ten thousand silent clients
//! share a few. A completion without IORING_CQE_F_MORE is the last one: then it is submitted again.
//!
//! Watch for the price. A multishot accept drains the whole queue; it cannot be told to stop at
//! `--max-clients`. A multishot recv goes on though its client is owed too much. To stop either, the server
//! cancels it, and more completions may come until the cancellation takes effect.

mod client;

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsRawFd, RawFd};

use anyhow::Result;

use super::{ANSWERS, end, most, submit_and_wait};
use crate::call::{self, Operation, Ring, Shots, TcpListener};
use crate::entrance::Entrance;
use crate::server::{ServerArgs, Stats};
use crate::stop::Stop;
use client::Client;

/// Serves with multishot operations, until the stop.
pub fn serve_on(
    listener: &TcpListener,
    mut ring: Ring,
    args: &ServerArgs,
    stop: &Stop,
) -> Result<Stats> {
    let mut entrance = Entrance::new(args, stop, most(args));
    let mut made = Vec::new();
    let mut clients: HashMap<RawFd, Client> = HashMap::new();
    // Clients that the accept brought before it was cancelled for lack of room: they wait here.
    let mut early: VecDeque<Client> = VecDeque::new();
    let (mut accepting, mut cancelled) = (None, false);
    // Asked for no event, this is done when the stop shuts the listener down, accept or no accept.
    ring.prep_poll(listener, 0)?;
    let waiting = stop.watch(listener);
    while entrance.goes_on(clients.len()) {
        while entrance.has_place(clients.len())
            && let Some(mut client) = early.pop_front()
        {
            entrance.stats.clients += 1;
            client.go_on(&mut ring)?;
            clients.insert(client.peer.as_raw_fd(), client);
        }
        let look = entrance.has_room(clients.len());
        match accepting {
            None if look => accepting = Some(ring.prep_accept(listener, Shots::Many)?),
            Some(accept) if !look && !cancelled => {
                ring.prep_cancel(accept)?;
                cancelled = true;
            }
            _ => {}
        }
        let idle = || clients.values().filter_map(|client| client.silence.left()).min();
        let idle = args.idle_timeout.and_then(|_| idle());
        let timeout = idle.into_iter().chain(entrance.timeout()).min();
        let Some(_) = waiting.or(|| submit_and_wait(&mut ring, timeout))? else { break };

        for _ in 0..ANSWERS {
            let Some(done) = ring.cqe() else { break };
            match done.operation {
                Operation::Accept => {
                    if !done.more {
                        (accepting, cancelled) = (None, false);
                    }
                    match done.result {
                        Ok(_) => early.extend(done.accepted.and_then(|fd| Client::new(fd, args))),
                        Err(error) if error.cancelled() => {} // by us, for lack of room
                        Err(error) => drop(entrance.admit::<()>(Err(error))?),
                    }
                }
                Operation::Recv | Operation::Send => {
                    let fd = done.fd;
                    let client =
                        clients.get_mut(&fd).expect("it stays until its operations are done");
                    client.take(done, &mut ring, args, &mut made, &mut entrance.stats)?;
                    client.go_on(&mut ring)?;
                    if client.is_gone() {
                        let client = clients.remove(&fd).expect("it was found above");
                        call::close(client.peer)?;
                        entrance.left();
                    }
                }
                _ => {} // a cancel: the operation itself says how it ended
            }
        }
        if args.idle_timeout.is_some() {
            clients.values_mut().for_each(|client| client.end_if_silent());
        }
    }
    drop(waiting);
    end(ring)?;
    for client in clients.into_values().chain(early) {
        call::close(client.peer)?;
    }
    Ok(entrance.stats)
}
