//! # io_uring, multishot: an operation that completes again and again
//!
//! ```text
//!   io_uring_register         provided buffers, which the kernel may fill
//!   accept                    one submission, a completion for every client
//!   ┌▶ io_uring_enter         hands over what was submitted, sleeps until something is done
//!   │    accept = 5           submit recv on 5: one submission, a completion whenever bytes come
//!   │    recv(5) = 5 "hello"  submit send on 5, from the buffer that holds them
//!   │    send(5) = 5          the buffer is provided again
//!   └─ …
//! ```
//!
//! A single-shot recv holds a buffer from its submission on, even if its client never sends a byte. A
//! multishot recv takes one of the provided buffers when bytes arrive, so ten thousand silent clients
//! share a few. A completion without IORING_CQE_F_MORE is the last one: then the server submits it again.
//!
//! Watch for the cost. A multishot accept drains the whole queue; it cannot be told to stop at
//! `--max-clients`. A multishot recv goes on although too many bytes wait for its client. To stop either, the server
//! cancels it, and more completions may come until the cancellation takes effect.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsRawFd, RawFd};

use anyhow::Result;
use nix::errno::Errno;

use super::client::{COMPLETIONS, Client, SUBMISSIONS, Service, buffers};
use crate::call::{self, ONE_THREAD, Operation, Ring, Shot, TcpListener, TcpStream};
use crate::server::{self, ServerArgs, Stats};
use crate::stop::Stop;

/// How many bytes the provided buffers have at first: more would not fit into the processor's cache.
const PROVIDED: usize = 512 * 1024;

/// Two rings and provided buffers; `None` if this kernel has no multishot recv (before Linux 6.1).
pub fn set_up(args: &ServerArgs) -> Result<Option<Ring>> {
    let few = (PROVIDED / args.bufsize).clamp(1, 512);
    let ring = call::io_uring_setup(SUBMISSIONS, ONE_THREAD).and_then(|mut ring| {
        call::io_uring_register_buf_ring(&mut ring, args.bufsize, few, buffers(args))?;
        Ok(ring)
    });
    match ring {
        Ok(ring) => Ok(Some(ring)),
        Err(error) if error.errno() == Errno::EINVAL => {
            server::single_shot(error);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Serves with multishot operations, until the stop.
pub fn serve_on(
    listener: TcpListener,
    mut ring: Ring,
    args: &ServerArgs,
    stop: &Stop,
) -> Result<Stats> {
    let mut service = Service::new(args, stop);
    let mut clients: HashMap<RawFd, Client> = HashMap::new();
    // Clients that the accept returned before it was cancelled because there was no room: they wait here.
    let mut early: VecDeque<Client> = VecDeque::new();
    let (mut accepting, mut cancelled) = (None, false);
    // A poll for no events completes when the stop shuts the listener down, with or without an accept in flight.
    ring.prep_poll(&listener, 0)?;
    let waiting = stop.watch(&listener);
    while service.admission.goes_on(clients.len()) {
        while service.admission.allows(clients.len())
            && let Some(mut client) = early.pop_front()
        {
            service.admission.stats.clients += 1;
            submit(&mut client, &mut ring)?;
            clients.insert(client.peer.as_raw_fd(), client);
        }
        let open = service.admission.has_room(clients.len());
        match accepting {
            None if open => accepting = Some(ring.prep_accept(&listener, Shot::Multi)?),
            Some(accept) if !open && !cancelled => {
                ring.prep_cancel(accept)?;
                cancelled = true;
            }
            _ => {}
        }
        let (submissions, timeout) = (ring.to_submit(), service.timeout(clients.values()));
        let mut enter = || call::io_uring_enter(&mut ring, submissions, 1, timeout);
        let Some(_) = waiting.or(|| Service::woken(enter()))? else { break };

        for _ in 0..COMPLETIONS {
            let Some(done) = ring.cqe() else { break };
            let fd = done.fd;
            match done.operation {
                Operation::Accept => {
                    if !done.more {
                        (accepting, cancelled) = (None, false);
                    }
                    // A client that has gone has no name: its socket is dropped, and so closed.
                    if let Some(peer) = service.accepted(done)?.map(TcpStream::from)
                        && let Ok(name) = call::getpeername(&peer)
                    {
                        early.push_back(Client::new(peer, name, args));
                    }
                }
                Operation::Recv | Operation::Send => {
                    let client = clients.get_mut(&fd).expect("it stays until nothing is under way");
                    client.take(done, &mut ring, &mut service);
                    submit(client, &mut ring)?;
                    if client.is_gone()
                        && let Some(client) = clients.remove(&fd)
                    {
                        call::close(client.peer)?;
                        service.admission.release();
                    }
                }
                _ => {} // a cancel: the operation itself reports how it ended
            }
        }
        service.end_silent(clients.values_mut());
    }
    drop(waiting);
    while ring.cqe().is_some() {} // a client that was accepted meanwhile is closed as it is dropped
    drop(ring); // then the kernel ends the operations in flight
    clients.into_values().chain(early).try_for_each(|client| call::close(client.peer))?;
    call::close(listener)?;
    Ok(service.admission.stats)
}

/// Submits the next operations for a client: one send, and one recv unless too many bytes wait for it.
fn submit(client: &mut Client, ring: &mut Ring) -> call::Result<()> {
    if let Some(answer) = client.owed() {
        ring.prep_send(&client.peer, answer)?;
    }
    if client.wants_recv() {
        client.receiving = Some(ring.prep_recv(&client.peer, Shot::Multi)?);
    }
    if let Some(recv) = client.cancels_recv() {
        ring.prep_cancel(recv)?;
    }
    Ok(())
}
