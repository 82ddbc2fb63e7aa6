//! # epoll with a level: told until it is done
//!
//! ```text
//!   epoll_ctl ADD 5, EPOLLIN
//!   ┌▶ epoll_wait   5 has something
//!   │    recv = 1024, send     one of each: what is left is told again
//!   └─ …
//! ```
//!
//! A level says how things *are*: with every wait, each client that has sent something, until all of it is
//! received. So one `recv` a turn will do, and no client keeps the others waiting.
//!
//! Watch for EPOLLOUT, which is asked for only while a client is owed bytes. EPOLLHUP comes unasked: that is
//! how the loop learns of Ctrl-C, which shuts the listener down.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};

use anyhow::Result;

use crate::call::{
    self, EpollFlags, EpollOp, MSG_NOSIGNAL, SOCK_NONBLOCK, TcpListener, epoll_event,
};
use crate::examples::nonblocking::{Client, Service};
use crate::server::Stats;
use crate::stop::Stop;

/// What differs between a level and an edge.
pub(super) struct Trigger {
    /// What the kernel is asked to tell of every client.
    pub(super) always: EpollFlags,
    /// What is done for a client when something has happened; whether there may be more to receive.
    pub(super) turn: fn(&mut Client, EpollFlags, &mut Service<'_>) -> bool,
}

pub(super) static LEVEL: Trigger = Trigger { always: EpollFlags::empty(), turn };

/// Serves the clients that are ready, until the stop.
pub(super) fn serve_on(
    listener: &TcpListener,
    trigger: &Trigger,
    mut service: Service<'_>,
    stop: &Stop,
) -> Result<Stats> {
    let epoll = call::epoll_create()?;
    // A level, always: an edge would not tell again of a client that was not accepted at once.
    call::epoll_ctl(&epoll, EpollOp::EpollCtlAdd, listener, EpollFlags::EPOLLIN)?;
    let mut open = true;
    let mut clients: HashMap<RawFd, Client> = HashMap::new();
    // Room for what one wait brings; the others come with the next.
    let mut events = [epoll_event { events: 0, u64: 0 }; 256];
    let waiting = stop.watch(listener);
    while service.goes_on() {
        if service.has_room() != open {
            open = !open;
            // Asked for nothing, the listener still wakes us when the stop shuts it down (EPOLLHUP).
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
                let was_owed = client.is_owed();
                let more = (trigger.turn)(client, happened, &mut service);
                if client.leaves(&mut service) {
                    let client = clients.remove(&fd).expect("it was found above");
                    call::close(client.peer)?; // which takes it off the list
                } else if more || client.is_owed() != was_owed {
                    // Asked anew, the kernel looks anew: what is there already is told as an edge as well.
                    let wanted = interest(client) | trigger.always;
                    call::epoll_ctl(&epoll, EpollOp::EpollCtlMod, &client.peer, wanted)?;
                }
            } else if let Some(client) = service.admit(call::accept4(listener, SOCK_NONBLOCK))? {
                let wanted = interest(&client) | trigger.always;
                call::epoll_ctl(&epoll, EpollOp::EpollCtlAdd, &client.peer, wanted)?;
                clients.insert(client.peer.as_raw_fd(), client);
            }
        }
        // Silence is no event: where it is limited, every client is looked at, every turn.
        for client in service.silent(&mut clients) {
            call::close(client.peer)?;
        }
    }
    Ok(service.stats()) // dropped here, all is closed
}

/// Receives once, and sends the answer: a level tells again of what is left.
fn turn(client: &mut Client, _: EpollFlags, service: &mut Service<'_>) -> bool {
    // After EPOLLERR and EPOLLHUP as well: recv returns the bytes that are left, then the error or 0.
    if !client.is_owed() {
        client.heard(call::recv(&client.peer, service.room(), 0), service);
    }
    // The answer at once: a client that was owed nothing takes bytes, as a rule.
    if client.is_owed() {
        client.sent(call::send(&client.peer, client.owed(), MSG_NOSIGNAL), service);
    }
    false
}

/// EPOLLOUT only while something is owed: a client nearly always takes bytes, and would be told of at
/// every turn.
fn interest(client: &Client) -> EpollFlags {
    if client.is_owed() { EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN }
}
