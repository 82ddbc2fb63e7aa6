//! A client of a server that never waits for it: its socket, and the bytes it is still owed.
//!
//! When the kernel takes only a part of an answer, a blocking server waits in `send`. These servers
//! (nonblocking, select, poll, epoll) keep the rest here and turn to the others; and while a client
//! is owed too much it is not listened to, or one that sends without reading would fill the memory.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::call::{self, MSG_NOSIGNAL, TcpStream};
use crate::patience::Patience;
use crate::server::{self, ServerArgs, Stats};

/// A connected socket, and the bytes that its client is still owed.
#[derive(Debug)]
pub struct Client {
    /// The connected socket.
    pub peer: TcpStream,
    /// The address of the other end.
    pub name: SocketAddr,
    owed: Vec<u8>,
    /// How much of `owed` the kernel has taken.
    taken: usize,
    /// The client will send no more.
    ended: bool,
    /// When it last sent or took something, if that matters.
    active: Option<Instant>,
}

/// Whether a client is served further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is.
    Stay,
    /// It has ended, or failed: its socket is to be closed.
    Leave,
}

impl Client {
    /// How many bytes a client may be owed before it is no longer listened to.
    const MOST_OWED: usize = 64 * 1024;

    /// A client that was just accepted.
    #[must_use]
    pub fn new(peer: TcpStream, name: SocketAddr, args: &ServerArgs) -> Client {
        let active = args.idle_timeout.is_some().then(Instant::now);
        Client { peer, name, owed: Vec::new(), taken: 0, ended: false, active }
    }

    /// Whether there is a reason to call `recv`.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        !self.ended && self.owed.len() - self.taken < Client::MOST_OWED
    }

    /// Whether there is a reason to call `send`.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.taken < self.owed.len()
    }

    /// Receives once, and sends as much of the answer as the kernel takes.
    ///
    /// # Errors
    /// The connection has failed. EAGAIN is no error here, but counted.
    pub fn read(
        &mut self,
        args: &ServerArgs,
        buf: &mut [u8],
        made: &mut Vec<u8>,
        stats: &mut Stats,
    ) -> call::Result<()> {
        self.receive(args, buf, made, stats).map(drop)
    }

    /// The same for who wants to know how many bytes came: 0 if there were none, or it was the end.
    ///
    /// # Errors
    /// As [`read`](Client::read).
    pub fn receive(
        &mut self,
        args: &ServerArgs,
        buf: &mut [u8],
        made: &mut Vec<u8>,
        stats: &mut Stats,
    ) -> call::Result<usize> {
        let n = match call::recv(&self.peer, buf, 0) {
            Ok(n) => n,
            Err(error) if error.would_block() => {
                stats.eagain += 1;
                return Ok(0);
            }
            Err(error) => return Err(error),
        };
        stats.received += n as u64;
        self.touch(args);
        // A server that never answers has heard enough once it has heard something.
        self.ended = n == 0 || args.reply.is_none();
        let answer = if n > 0 { args.answer(&buf[..n], made) } else { &[] };
        // What is owed goes first, or the bytes would change their order.
        let taken = if self.wants_write() { 0 } else { send(&self.peer, answer, stats)? };
        self.owed.extend_from_slice(&answer[taken..]);
        Ok(n)
    }

    /// Sends what is owed, as far as the kernel takes it.
    ///
    /// # Errors
    /// As [`read`](Client::read).
    pub fn write(&mut self, args: &ServerArgs, stats: &mut Stats) -> call::Result<()> {
        let taken = send(&self.peer, &self.owed[self.taken..], stats)?;
        self.taken += taken;
        if taken > 0 {
            self.touch(args);
        }
        if !self.wants_write() || self.taken > Client::MOST_OWED {
            self.owed.drain(..self.taken);
            self.taken = 0;
        }
        Ok(())
    }

    /// What to do with the client after a turn that ended so.
    pub fn next(&mut self, turn: call::Result<()>, args: &ServerArgs) -> Next {
        match turn {
            Err(error) => server::lost(self.name, error),
            Ok(()) if self.ended && !self.wants_write() => {}
            Ok(()) if self.time_left(args) == Some(Duration::ZERO) => server::idle(self.name),
            Ok(()) => return Next::Stay,
        }
        Next::Leave
    }

    /// How much longer the client may be idle; `None`: for ever.
    fn time_left(&self, args: &ServerArgs) -> Option<Duration> {
        Some(args.idle_timeout?.saturating_sub(self.active?.elapsed()))
    }

    /// The client has done something. Nobody reads the clock if nobody wants to know.
    fn touch(&mut self, args: &ServerArgs) {
        self.active = args.idle_timeout.is_some().then(Instant::now);
    }
}

/// Sends as much as the kernel takes now, which may be nothing.
fn send(peer: &TcpStream, data: &[u8], stats: &mut Stats) -> call::Result<usize> {
    if data.is_empty() {
        return Ok(0);
    }
    match call::send(peer, data, MSG_NOSIGNAL) {
        Ok(n) => {
            stats.sent += n as u64;
            Ok(n)
        }
        Err(error) if error.would_block() => {
            stats.eagain += 1;
            Ok(0)
        }
        Err(error) => Err(error),
    }
}

/// How long a wait for these clients may last: until one has been idle for too long, or until it is
/// time to look at the listener again. Nobody looks at the clients if they may be idle for ever.
#[must_use]
pub fn longest_wait<'a>(
    clients: impl IntoIterator<Item = &'a Client>,
    args: &ServerArgs,
    patience: &mut Patience,
) -> Option<Duration> {
    let time_left = |client: &Client| client.time_left(args);
    let shortest = || clients.into_iter().filter_map(time_left).min();
    let clients = args.idle_timeout.and_then(|_| shortest());
    clients.into_iter().chain(patience.left()).min()
}
