//! # epoll, edge-triggered: reported once
//!
//! ```text
//!   epoll_ctl ADD 5, EPOLLIN|EPOLLET
//!   ┌▶ epoll_wait   5 has something: level-triggered would report it again, edge-triggered does not
//!   │    recv = 1024, send
//!   │    recv = 1024, send
//!   │    recv = 300, send   less than there was room for: nothing is left
//!   └─ …
//! ```
//!
//! Edge-triggered epoll reports once that something *has arrived*. A server that leaves a byte unread may never be woken
//! for it. So it receives until nothing is left, and therefore must not block: level-triggered, O_NONBLOCK is
//! a precaution; edge-triggered, the server does not work without it.
//!
//! Watch for how the last `recv` is saved. One that returns less than it has room for has emptied the buffer, so
//! another, which would fail with EAGAIN, is not needed (epoll(7)); later bytes are a new edge. But
//! `recv` also stops before an urgent byte and before the end. The event reports both, if they have
//! arrived; then only EAGAIN or 0 is the end.
//!
//! The loop is that of level.rs except for three things: EPOLLET, `turn` in place of one `recv`, and one more
//! epoll_ctl for a client that has sent a lot.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};

use anyhow::Result;

use crate::call::{
    self, EpollFlags, EpollOp, MSG_NOSIGNAL, SOCK_NONBLOCK, TcpListener, epoll_event,
};
use crate::examples::nonblocking::{Client, Service};
use crate::server::Stats;
use crate::stop::Stop;

/// How many times to receive from one client before the others get their turn.
const TURNS: usize = 16;

/// Serves the clients that have become ready, until the stop.
pub(super) fn serve_on(
    listener: &TcpListener,
    mut service: Service<'_>,
    stop: &Stop,
) -> Result<Stats> {
    let epoll = call::epoll_create()?;
    // The listener is level-triggered: otherwise a client that is not accepted at once would not be reported again.
    call::epoll_ctl(&epoll, EpollOp::EpollCtlAdd, listener, EpollFlags::EPOLLIN)?;
    let mut open = true;
    let mut clients: HashMap<RawFd, Client> = HashMap::new();
    let mut events = [epoll_event { events: 0, u64: 0 }; 256];
    let waiting = stop.watch(listener);
    while service.goes_on() {
        if service.has_room() != open {
            open = !open;
            let wanted = if open { EpollFlags::EPOLLIN } else { EpollFlags::empty() };
            call::epoll_ctl(&epoll, EpollOp::EpollCtlMod, listener, wanted)?;
        }
        let timeout = service.timeout(clients.values());
        let wait = || call::epoll_wait(&epoll, &mut events, timeout);
        let Some(n) = waiting.or(wait)? else { break };

        for event in &events[..n] {
            let fd = event.u64 as RawFd;
            let happened = EpollFlags::from_bits_retain(event.events.cast_signed());
            if let Some(client) = clients.get_mut(&fd) {
                let asked = interest(client);
                let more = turn(client, happened, &mut service);
                if client.is_done() {
                    let client = clients.remove(&fd).expect("it was found above");
                    call::close(service.release(client))?;
                } else if more || interest(client) != asked {
                    // After EPOLL_CTL_MOD the kernel checks again, and reports bytes that are already there as a new edge.
                    let wanted = interest(client);
                    call::epoll_ctl(&epoll, EpollOp::EpollCtlMod, &client.peer, wanted)?;
                }
            } else if let Some(client) = service.admit(call::accept4(listener, SOCK_NONBLOCK))? {
                call::epoll_ctl(&epoll, EpollOp::EpollCtlAdd, &client.peer, interest(&client))?;
                clients.insert(client.peer.as_raw_fd(), client);
            }
        }
        for client in service.silent(&mut clients) {
            call::close(service.release(client))?;
        }
    }
    Ok(service.stats()) // dropped here, all is closed
}

/// The event should also report what can stop a `recv` before the last byte: EPOLLPRI and EPOLLRDHUP.
fn interest(client: &Client) -> EpollFlags {
    let wanted = if client.is_owed() { EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN };
    wanted | EpollFlags::EPOLLET | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLPRI
}

/// Sends unsent bytes, and receives what has arrived; returns whether there may be more. Bytes that arrive while
/// some are unsent are reported again afterwards, by EPOLL_CTL_MOD.
fn turn(client: &mut Client, happened: EpollFlags, service: &mut Service<'_>) -> bool {
    if client.is_owed() {
        client.sent(call::send(&client.peer, client.owed(), MSG_NOSIGNAL), service);
    }
    !client.is_owed() && happened != EpollFlags::EPOLLOUT && drain(client, happened, service)
}

/// Receives until nothing is left, or `TURNS` times: then there may be more.
fn drain(client: &mut Client, happened: EpollFlags, service: &mut Service<'_>) -> bool {
    for _ in 0..TURNS {
        let n = client.received(call::recv(&client.peer, service.buffer(), 0), service);
        if client.is_owed() {
            client.sent(call::send(&client.peer, client.owed(), MSG_NOSIGNAL), service);
        }
        let short = n < service.buffer().len() && happened == EpollFlags::EPOLLIN;
        if n == 0 || short || client.is_owed() {
            return false;
        }
    }
    true
}
