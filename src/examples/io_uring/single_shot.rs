//! # io_uring, single shot: an operation completes once
//!
//! ```text
//!   accept                    submitted, not called
//!   ┌▶ io_uring_enter         hands over what was submitted, sleeps until something is done
//!   │    accept = 5           submit recv on 5, into this buffer; and the next accept
//!   │    recv(5) = 5 "hello"  submit send on 5, out of the same buffer
//!   │    send(5) = 5          submit recv on 5
//!   └─ …
//! ```
//!
//! Each completion leads to the next submission, so a client has one operation in flight at a time. Watch for
//! the buffers: a recv holds one from its submission on, even if its client never sends a byte.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};

use anyhow::Result;

use super::client::{COMPLETIONS, Client, SUBMISSIONS, Service, buffers};
use crate::call::{self, Operation, Ring, Shot, TcpListener, TcpStream};
use crate::server::{ServerArgs, Stats};
use crate::stop::Stop;

/// Two rings, and buffers to lend to the kernel.
pub fn set_up(args: &ServerArgs) -> call::Result<Ring> {
    let mut ring = call::io_uring_setup(SUBMISSIONS, 0)?;
    ring.lend_buffers(args.bufsize, buffers(args));
    Ok(ring)
}

/// Serves with single-shot operations, until the stop.
pub fn serve_on(
    listener: TcpListener,
    mut ring: Ring,
    args: &ServerArgs,
    stop: &Stop,
) -> Result<Stats> {
    let mut service = Service::new(args, stop);
    let mut clients: HashMap<RawFd, Client> = HashMap::new();
    // A poll for no events completes when the stop shuts the listener down, with or without an accept in flight.
    ring.prep_poll(&listener, 0)?;
    let waiting = stop.watch(&listener);
    while service.admission.goes_on(clients.len()) {
        if service.wants_accept(clients.len()) {
            ring.prep_accept(&listener, Shot::Single)?;
        }
        let (submissions, timeout) = (ring.to_submit(), service.timeout(clients.values()));
        let mut enter = || call::io_uring_enter(&mut ring, submissions, 1, timeout);
        let Some(_) = waiting.or(|| Service::woken(enter()))? else { break };

        for _ in 0..COMPLETIONS {
            let Some(done) = ring.cqe() else { break };
            let fd = done.fd;
            match done.operation {
                Operation::Accept => {
                    // A client that has gone has no name: its socket is dropped, and so closed.
                    if let Some(peer) = service.admit(done)?.map(TcpStream::from)
                        && let Ok(name) = call::getpeername(&peer)
                    {
                        let mut client = Client::new(peer, name, args);
                        client.receiving = Some(ring.prep_recv(&client.peer, Shot::Single)?);
                        clients.insert(client.peer.as_raw_fd(), client);
                    }
                }
                Operation::Recv | Operation::Send => {
                    let client = clients.get_mut(&fd).expect("it stays until nothing is under way");
                    client.take(done, &mut ring, &mut service);
                    if let Some(answer) = client.owed() {
                        ring.prep_send(&client.peer, answer)?;
                    } else if client.wants_recv() {
                        client.receiving = Some(ring.prep_recv(&client.peer, Shot::Single)?);
                    } else if let Some(client) = clients.remove(&fd) {
                        call::close(client.peer)?;
                        service.admission.release();
                    }
                }
                _ => {} // the poll: the stop
            }
        }
        service.end_silent(clients.values_mut());
    }
    drop(waiting);
    while ring.cqe().is_some() {} // a client that was accepted meanwhile is closed as it is dropped
    drop(ring); // then the kernel ends the operations in flight
    clients.into_values().try_for_each(|client| call::close(client.peer))?;
    call::close(listener)?;
    Ok(service.admission.stats)
}
