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

use super::{Trigger, interest as interest_of_level};
use crate::call::{self, EpollFlags, MSG_NOSIGNAL};
use crate::examples::nonblocking::{Client, Service};

/// How often a client is listened to before others get their turn.
const TURNS: usize = 16;

/// The loop is that of a level, with these two.
pub(super) static EDGE: Trigger = Trigger { interest, turn };

/// Sends what is owed, and receives what has come.
fn turn(
    client: &mut Client,
    happened: EpollFlags,
    buf: &mut Vec<u8>,
    service: &mut Service<'_>,
) -> bool {
    if happened.contains(EpollFlags::EPOLLOUT) && client.wants_write() {
        client.sent(call::send(&client.peer, client.owed(), MSG_NOSIGNAL), service);
    }
    happened != EpollFlags::EPOLLOUT && drain(client, happened, buf, service)
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
