//! # epoll with an edge: told once
//!
//! ```text
//!   epoll_ctl ADD 5, EPOLLIN|EPOLLET
//!   ┌▶ epoll_wait   5 has something: a level would say so again, an edge does not
//!   │    recv = 1024, send
//!   │    recv = 1024, send
//!   │    recv = 300, send   less than there was room for: nothing is left
//!   └─ …
//! ```
//!
//! An edge tells that something *has come*, once. A server that then leaves a byte behind may wait for
//! ever beside it. So it receives until nothing is left, and therefore must not block: O_NONBLOCK is a
//! matter of courtesy with a level, and of life with an edge.
//!
//! Watch for how the last `recv` is saved. One that brings less than it has room for found no more, so
//! another, which would fail with EAGAIN, is not needed (epoll(7)); what comes later is a new edge. But
//! `recv` also stops short of an urgent byte and of the end. Both are told with the event, if they were
//! there; then only EAGAIN or 0 is the end.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};

use anyhow::Result;

use super::{EVENTS, close_the_silent, interest as interest_of_level};
use crate::call::{
    self, EpollFlags, EpollOp, MSG_NOSIGNAL, SOCK_NONBLOCK, TcpListener, epoll_event,
};
use crate::examples::nonblocking::{Client, Service};
use crate::server::{ServerArgs, Stats};
use crate::stop::Stop;

/// How often a client is listened to before others get their turn.
const TURNS: usize = 16;

/// Serves at most so many clients at once, whoever is ready, until the stop.
pub fn serve_on(
    listener: &TcpListener,
    most: usize,
    args: &ServerArgs,
    stop: &Stop,
) -> Result<Stats> {
    let mut service = Service::new(args, stop, most);
    let mut buf = vec![0; args.bufsize];
    let mut clients: HashMap<RawFd, (Client, EpollFlags)> = HashMap::new();
    let epoll = call::epoll_create()?;
    // A level: an edge would not tell again of a client that was not accepted at once.
    let mut asked = EpollFlags::EPOLLIN;
    call::epoll_ctl(&epoll, EpollOp::EpollCtlAdd, listener, asked)?;
    let mut events = [epoll_event { events: 0, u64: 0 }; EVENTS];
    let waiting = stop.watch(listener);
    while service.goes_on(clients.len()) {
        let room = service.has_room(clients.len());
        let wanted = if room { EpollFlags::EPOLLIN } else { EpollFlags::empty() };
        if wanted != asked {
            call::epoll_ctl(&epoll, EpollOp::EpollCtlMod, listener, wanted)?;
            asked = wanted;
        }
        let timeout = service.timeout(clients.values().map(|(client, _)| client));
        let wait = || call::epoll_wait(&epoll, &mut events, timeout);
        let Some(n) = waiting.or(wait)? else { break };

        for event in &events[..n] {
            let fd = event.u64 as RawFd;
            let happened = EpollFlags::from_bits_retain(event.events.cast_signed());
            let Some((client, asked)) = clients.get_mut(&fd) else {
                if let Some(client) = service.admit(call::accept4(listener, SOCK_NONBLOCK))? {
                    let wanted = interest(&client);
                    call::epoll_ctl(&epoll, EpollOp::EpollCtlAdd, &client.peer, wanted)?;
                    clients.insert(client.peer.as_raw_fd(), (client, wanted));
                }
                continue;
            };
            if happened.contains(EpollFlags::EPOLLOUT) && client.wants_write() {
                let taken = call::send(&client.peer, client.owed(), MSG_NOSIGNAL);
                client.sent(taken, &mut service);
            }
            let more =
                happened != EpollFlags::EPOLLOUT && drain(client, happened, &mut buf, &mut service);
            let wanted = interest(client);
            if client.leaves(&mut service) {
                let (client, _) = clients.remove(&fd).expect("it was found above");
                call::close(client.peer)?;
            } else if more || wanted != *asked {
                // Asked anew, the kernel looks anew: what is there already is told as an edge, too.
                call::epoll_ctl(&epoll, EpollOp::EpollCtlMod, &client.peer, wanted)?;
                *asked = wanted;
            }
        }
        close_the_silent(&mut clients, args, &mut service)?;
    }
    drop(waiting);
    for (client, _) in clients.into_values() {
        call::close(client.peer)?;
    }
    call::close(epoll)?;
    Ok(service.stats())
}

/// Receives until nothing is left, or it was often enough: then there may be more.
fn drain(
    client: &mut Client,
    happened: EpollFlags,
    buf: &mut Vec<u8>,
    service: &mut Service<'_>,
) -> bool {
    for _ in 0..TURNS {
        let n = client.heard(call::recv(&client.peer, buf, 0), buf, service);
        if client.wants_write() {
            client.sent(call::send(&client.peer, client.owed(), MSG_NOSIGNAL), service);
        }
        let short = n < buf.len() && happened == EpollFlags::EPOLLIN;
        if n == 0 || short || !client.wants_read() {
            return false;
        }
    }
    true
}

/// As with a level, and what can stop a `recv` short of the last byte: it is to be told with the event.
fn interest(client: &Client) -> EpollFlags {
    let stops = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLPRI;
    interest_of_level(client) | stops | EpollFlags::EPOLLET
}
