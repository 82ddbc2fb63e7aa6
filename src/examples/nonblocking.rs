//! # Non-blocking: ask, and ask again
//!
//! ```text
//! fcntl(O_NONBLOCK)
//!   ┌▶ accept   = EAGAIN   nobody there yet
//!   │  recv(4)  = EAGAIN   client 4 has sent nothing
//!   │  recv(5)  = 5        client 5 has
//!   └─ …                   and round again, at once: the processor is busy finding nothing
//! ```
//!
//! A call on a non-blocking socket never waits: it does what it can, or fails with EAGAIN. So one
//! thread can look after many clients; but this loop never sleeps either. Watch the count of EAGAINs
//! and the CPU time that the server reports when it ends. The cure is to ask the kernel *which*
//! socket is ready, and to sleep until one is: the next pages.
//!
//! By default the server reads once and closes without an answer. The script it comes from meant to
//! show this model, but calls `setblocking(1)`, which is the blocking one; `--blocking` does that.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::tcp_echo::sendall;
use crate::call::{
    self, Domain, FcntlArg::F_GETFL, FcntlArg::F_SETFL, MSG_NOSIGNAL, OFlag, SO_RCVTIMEO,
    SO_REUSEADDR, SO_SNDTIMEO, Type,
};
use crate::client::ClientArgs;
use crate::server::{self, Patience, ServerArgs, Stats};
use crate::stop::Stop;

/// Looks at every socket in turn until the stop.
pub fn serve(args: &ServerArgs, stop: &Stop) -> Result<Stats> {
    let address = args.endpoint.resolve()?;
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    call::bind(&socket, address)?;
    let listener: TcpListener = call::listen(socket, args.backlog)?;
    server::announce("tcp", call::getsockname(&listener)?)?;

    let mut stats = Stats::default();
    match args.options.has("blocking") {
        true => one_at_a_time(&listener, args, stop, &mut stats)?,
        false => all_in_turn(&listener, args, stop, &mut stats)?,
    }
    call::close(listener)?;
    Ok(stats)
}

/// The busy loop: no call in it ever waits.
fn all_in_turn(
    listener: &TcpListener,
    args: &ServerArgs,
    stop: &Stop,
    stats: &mut Stats,
) -> Result<()> {
    set_nonblocking(listener)?;
    let mut clients: Vec<Client> = Vec::new();
    let (mut buf, mut made) = (vec![0; args.bufsize], Vec::new());
    let mut patience = Patience::default();
    while !(stop.requested() || clients.is_empty() && args.full(stats.clients)) {
        if clients.len() < args.max_clients
            && !args.full(stats.clients)
            && patience.left().is_none()
        {
            match call::accept(listener) {
                Ok((peer, name)) => {
                    stats.clients += 1;
                    // An accepted socket does not inherit the listener's O_NONBLOCK.
                    set_nonblocking(&peer)?;
                    clients.push(Client::new(peer, name, args));
                }
                Err(error) => {
                    stats.eagain += u64::from(error.would_block());
                    patience.with(error)?;
                }
            }
        }
        let mut i = 0;
        while let Some(client) = clients.get_mut(i) {
            let mut turn = Ok(());
            if client.wants_write() {
                turn = client.write(args, stats);
            }
            if turn.is_ok() && client.wants_read() {
                turn = client.read(args, &mut buf, &mut made, stats);
            }
            match client.next(turn, args) {
                Next::Stay => i += 1,
                Next::Leave => {
                    call::close(clients.swap_remove(i).peer)?;
                    patience.end();
                }
            }
        }
    }
    for client in clients {
        call::close(client.peer)?;
    }
    Ok(())
}

/// What the script does: every call waits, so it serves one client at a time, and uses no time
/// while it waits.
fn one_at_a_time(
    listener: &TcpListener,
    args: &ServerArgs,
    stop: &Stop,
    stats: &mut Stats,
) -> Result<()> {
    let (mut buf, mut made) = (vec![0; args.bufsize], Vec::new());
    let waiting = stop.watch(listener);
    while !args.full(stats.clients)
        && let Some((peer, name)) = waiting.or(|| call::accept(listener))?
    {
        stats.clients += 1;
        let heard = stop.watch(&peer).or(|| {
            let n = call::recv(&peer, &mut buf, 0)?;
            stats.received += n as u64;
            sendall(&peer, if n > 0 { args.answer(&buf[..n], &mut made) } else { &[] })
        });
        if let Err(error) = heard {
            server::lost(name, error);
        }
        call::close(peer)?;
    }
    Ok(())
}

/// The flags are read first: writing O_NONBLOCK alone would clear all others.
pub fn set_nonblocking(socket: &impl std::os::fd::AsFd) -> call::Result<()> {
    let flags = call::fcntl(socket, F_GETFL)?;
    call::fcntl(socket, F_SETFL(OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// A client of a server that never waits for it: its socket, and the bytes it is still owed.
///
/// When the kernel takes only a part of an answer, a blocking server waits in `send`. This one
/// keeps the rest here and turns to the others; and while a client is owed too much, it is not
/// listened to, or a client that sends without reading would fill the server's memory.
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
        let n = match call::recv(&self.peer, buf, 0) {
            Ok(n) => n,
            Err(error) if error.would_block() => {
                stats.eagain += 1;
                return Ok(());
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
        Ok(())
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
        if !self.wants_write() {
            self.owed.clear();
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
/// time to look at the listener again.
#[must_use]
pub fn longest_wait(
    clients: &[Client],
    args: &ServerArgs,
    patience: &mut Patience,
) -> Option<Duration> {
    let clients = args.idle_timeout.and(clients.iter().filter_map(|c| c.time_left(args)).min());
    clients.into_iter().chain(patience.left()).min()
}

/// A connection for each message, as the server that reads only once wants it.
pub fn client(args: &ClientArgs) -> Result<()> {
    let address = args.endpoint.resolve()?;
    let mut talk = args.talk()?;
    let mut buf = vec![0; args.bufsize];
    while let Some(message) = talk.next_bytes()? {
        let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
        if let Some(limit) = args.timeout {
            call::setsockopt(&socket, SO_RCVTIMEO, limit)?;
            call::setsockopt(&socket, SO_SNDTIMEO, limit)?;
        }
        let server: TcpStream = call::connect(socket, address)?;
        call::getsockname(&server)?;
        let reply = sendall(&server, &message).and_then(|()| call::recv(&server, &mut buf, 0));
        call::close(server)?;
        talk.show(&buf[..reply?])?;
    }
    talk.end_line()
}
