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

use super::level::Trigger;
use crate::call::{self, EpollFlags, MSG_NOSIGNAL};
use crate::examples::nonblocking::{Client, Service};

/// How often a client is listened to before others get their turn.
const TURNS: usize = 16;

/// The loop is that of a level, with these two. What can stop a `recv` short of the last byte is to be told with
/// the event.
pub(super) static EDGE: Trigger = Trigger {
    always: EpollFlags::EPOLLET.union(EpollFlags::EPOLLRDHUP).union(EpollFlags::EPOLLPRI),
    turn,
};

/// Sends what is owed, and receives what has come. Bytes that come while something is owed are told anew
/// afterwards, when the kernel is asked anew.
fn turn(client: &mut Client, happened: EpollFlags, service: &mut Service<'_>) -> bool {
    if client.is_owed() {
        client.sent(call::send(&client.peer, client.owed(), MSG_NOSIGNAL), service);
    }
    !client.is_owed() && happened != EpollFlags::EPOLLOUT && drain(client, happened, service)
}

/// Receives until nothing is left, or it was often enough: then there may be more.
fn drain(client: &mut Client, happened: EpollFlags, service: &mut Service<'_>) -> bool {
    for _ in 0..TURNS {
        let n = client.heard(call::recv(&client.peer, service.room(), 0), service);
        if client.is_owed() {
            client.sent(call::send(&client.peer, client.owed(), MSG_NOSIGNAL), service);
        }
        let short = n < service.room().len() && happened == EpollFlags::EPOLLIN;
        if n == 0 || short || client.is_owed() {
            return false;
        }
    }
    true
}
