//! # epoll, level-triggered: reported until everything is received
//!
//! ```text
//!   epoll_ctl ADD 5, EPOLLIN
//!   ┌▶ epoll_wait   5 has something
//!   │    recv = 16, send       one of each: the rest is reported again
//!   └─ …
//! ```
//!
//! Level-triggered epoll reports the *state*: every wait returns each client that has bytes to receive, until all of
//! them are received. So one `recv` per turn is enough, and no client keeps the others waiting.
//!
//! Watch for EPOLLOUT, which the loop asks for only while a client has unsent bytes. EPOLLHUP is always reported: that is
//! how the loop notices Ctrl-C, which shuts the listener down.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};

use anyhow::Result;

use crate::call::{
    self, EpollFlags, EpollOp, MSG_NOSIGNAL, SOCK_NONBLOCK, TcpListener, epoll_event,
};
use crate::examples::nonblocking::{Client, Service};
use crate::server::Stats;
use crate::stop::Stop;

/// Serves the clients that are ready, until the stop.
pub(super) fn serve_on(
    listener: &TcpListener,
    mut service: Service<'_>,
    stop: &Stop,
) -> Result<Stats> {
    let epoll = call::epoll_create()?;
    call::epoll_ctl(&epoll, EpollOp::EpollCtlAdd, listener, EpollFlags::EPOLLIN)?;
    let mut open = true;
    let mut clients: HashMap<RawFd, Client> = HashMap::new();
    // Room for the events of one wait; the next wait returns the others.
    let mut events = [epoll_event { events: 0, u64: 0 }; 256];
    let waiting = stop.watch(listener);
    while service.goes_on() {
        if service.has_room() != open {
            open = !open;
            // Even with no events, epoll reports the listener when the stop shuts it down (EPOLLHUP).
            let wanted = if open { EpollFlags::EPOLLIN } else { EpollFlags::empty() };
            call::epoll_ctl(&epoll, EpollOp::EpollCtlMod, listener, wanted)?;
        }
        let timeout = service.timeout(clients.values());
        let wait = || call::epoll_wait(&epoll, &mut events, timeout);
        let Some(n) = waiting.or(wait)? else { break };

        for event in &events[..n] {
            let fd = event.u64 as RawFd;
            if let Some(client) = clients.get_mut(&fd) {
                let asked = interest(client);
                // Also after EPOLLERR and EPOLLHUP: recv returns the bytes that are left, then the error or 0.
                if !client.is_owed() {
                    client.received(call::recv(&client.peer, service.buffer(), 0), &mut service);
                }
                // Answer at once: if the client had no unsent bytes, its send buffer almost always has room.
                if client.is_owed() {
                    client
                        .sent(call::send(&client.peer, client.owed(), MSG_NOSIGNAL), &mut service);
                }
                if client.is_done() {
                    let client = clients.remove(&fd).expect("it was found above");
                    call::close(service.release(client))?; // which removes it from the list
                } else if interest(client) != asked {
                    let wanted = interest(client);
                    call::epoll_ctl(&epoll, EpollOp::EpollCtlMod, &client.peer, wanted)?;
                }
            } else if let Some(client) = service.admit(call::accept4(listener, SOCK_NONBLOCK))? {
                call::epoll_ctl(&epoll, EpollOp::EpollCtlAdd, &client.peer, EpollFlags::EPOLLIN)?;
                clients.insert(client.peer.as_raw_fd(), client);
            }
        }
        // Silence is not an event: if there is an idle timeout, check every client at every turn.
        for client in service.silent(&mut clients) {
            call::close(service.release(client))?;
        }
    }
    Ok(service.stats()) // dropped here, all is closed
}

/// EPOLLOUT only while there are unsent bytes: a client can almost always take bytes, and would be reported at every turn.
fn interest(client: &Client) -> EpollFlags {
    if client.is_owed() { EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN }
}
