//! # What the readiness loops share
//!
//! nonblocking, select, poll and epoll differ in how they learn which socket is ready. What they do with a
//! client is the same, and is here: read it before those pages.
//!
//! ```text
//! page                                          here
//! accept4 ─────────────────────────────────────▶ admit      a Client, if there is one
//! recv(buffer) ────────────────────────────────▶ received   the answer waits to be sent: it is owed
//! send(owed) ──────────────────────────────────▶ sent       what the kernel took is no longer owed
//! is_owed? wait until it takes bytes ◀────────── …          otherwise until it has sent some
//! is_done? close ◀────────────────────────────── release    its socket
//! ```
//!
//! The page makes all calls; this file makes none. It takes their results, also failures: EAGAIN is
//! counted, and a client's failure is told and ends only that client.
//!
//! When the kernel takes only a part of an answer, a blocking server waits in `send`. This one keeps the rest
//! and turns to the other clients. While bytes wait for a client, the server receives nothing from it, because
//! a client that sends and never reads would fill the memory.

use std::collections::HashMap;
use std::mem;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use crate::admission::{Admission, Silence};
use crate::call::{self, TcpStream};
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::Stop;

/// What accept returns.
type Accepted = call::Result<(TcpStream, SocketAddr)>;

/// Which clients are admitted, what is answered, how long a client may be silent, and the counts.
#[derive(Debug)]
pub struct Service<'a> {
    args: &'a ServerArgs,
    admission: Admission<'a>,
    /// How many clients there are.
    clients: usize,
    /// The buffer for the next bytes.
    buf: Vec<u8>,
    /// An answer that is not an echo.
    reply: Vec<u8>,
}

impl<'a> Service<'a> {
    /// For at most `most` clients at once.
    pub fn new(args: &'a ServerArgs, stop: &'a Stop, most: usize) -> Service<'a> {
        let (clients, buf, reply) = Default::default();
        Service { args, admission: Admission::new(args, stop, most), clients, buf, reply }
    }

    /// Whether there is anything left to wait for, as [`Admission::goes_on`] has it.
    pub fn goes_on(&self) -> bool {
        self.admission.goes_on(self.clients)
    }

    /// Whether another client may come in, as [`Admission::has_room`] has it.
    pub fn has_room(&mut self) -> bool {
        self.admission.has_room(self.clients)
    }

    /// How long a wait may last, as [`Admission::timeout_with`] has it.
    pub fn timeout<'c>(
        &mut self,
        clients: impl IntoIterator<Item = &'c Client>,
    ) -> Option<Duration> {
        self.admission.timeout_with(clients.into_iter().map(|client| &client.silence))
    }

    /// Removes the clients that have been silent for too long. Silence is not an event, so a loop that waits for events
    /// must ask at every turn; without an idle timeout, no client is checked.
    pub fn silent(&self, clients: &mut HashMap<RawFd, Client>) -> Vec<Client> {
        match self.args.idle_timeout {
            None => Vec::new(),
            Some(_) => clients.extract_if(|_, it| it.is_done()).map(|(_, it)| it).collect(),
        }
    }

    /// The result of an accept: a client, or `None` if there was no client, or no descriptor for it.
    ///
    /// # Errors
    /// As [`Admission::admit`].
    pub fn admit(&mut self, accepted: Accepted) -> call::Result<Option<Client>> {
        self.admit_below(RawFd::MAX, accepted)
    }

    /// The same for a loop that takes only descriptors below `end`: a client with a larger one is done at once.
    ///
    /// # Errors
    /// As [`Admission::admit`].
    pub fn admit_below(&mut self, end: RawFd, accepted: Accepted) -> call::Result<Option<Client>> {
        let Some((peer, name)) = self.admission.admit(accepted)? else { return Ok(None) };
        let ended = peer.as_raw_fd() >= end;
        if ended {
            server::no_room(name, server::too_high(end));
        }
        self.clients += 1;
        let (buf, silence) = (Vec::new(), Silence::begin(self.args));
        Ok(Some(Client { peer, name, buf, owed: 0..0, ended, silence }))
    }

    /// A client is done: returns its socket, to be closed.
    pub fn release(&mut self, client: Client) -> TcpStream {
        if !client.has_all() {
            server::idle(client.name);
        }
        self.clients -= 1;
        self.admission.release(); // its descriptor will be free
        client.peer
    }

    /// The buffer for what arrives next.
    pub fn buffer(&mut self) -> &mut [u8] {
        self.buf.resize(self.args.bufsize, 0);
        &mut self.buf
    }

    /// The buffer that holds the answer: for an echo, the one that its bytes arrived in.
    fn answer(&mut self) -> &mut Vec<u8> {
        if self.args.reply == Some(Reply::Echo) { &mut self.buf } else { &mut self.reply }
    }

    /// What was done so far.
    pub fn stats(&self) -> Stats {
        self.admission.stats
    }
}

/// A client: its socket, and the bytes that wait to be sent to it.
#[derive(Debug)]
pub struct Client {
    /// The connected socket.
    pub peer: TcpStream,
    /// The address of the other end.
    name: SocketAddr,
    /// A buffer whose unsent part is owed.
    buf: Vec<u8>,
    owed: Range<usize>,
    /// It will send no more, or has failed.
    ended: bool,
    silence: Silence,
}

impl Client {
    /// Whether bytes wait to be sent to it; until they are sent, nothing is received from it.
    pub fn is_owed(&self) -> bool {
        !self.owed.is_empty()
    }

    /// The bytes to send next.
    pub fn owed(&self) -> &[u8] {
        &self.buf[self.owed.clone()]
    }

    /// The result of a `recv` into the service's buffer: the answer to it is owed from now on. Returns the number of
    /// bytes: 0 if there were none, or at the end.
    pub fn received(&mut self, received: call::Result<usize>, service: &mut Service<'_>) -> usize {
        let Some(n) = self.result(received, service) else { return 0 };
        service.admission.stats.received += n as u64;
        // A server that never answers is done with a client after its first bytes.
        self.ended = n == 0 || service.args.reply.is_none();
        if n > 0 {
            self.owed = 0..service.args.answer(&service.buf[..n], &mut service.reply).len();
            mem::swap(&mut self.buf, service.answer());
        }
        n
    }

    /// The result of a `recv` of an urgent byte (MSG_OOB), which is not answered.
    pub fn received_urgent(&mut self, received: call::Result<usize>, service: &mut Service<'_>) {
        let n = self.result(received, service);
        service.admission.stats.received += n.unwrap_or_default() as u64;
    }

    /// The result of a `send` of the owed bytes: those that the kernel did not take stay owed.
    pub fn sent(&mut self, sent: call::Result<usize>, service: &mut Service<'_>) {
        let n = self.result(sent, service).unwrap_or_default();
        service.admission.stats.sent += n as u64;
        self.owed.start += n;
        if !self.is_owed() {
            *service.answer() = mem::take(&mut self.buf);
        }
    }

    /// The result of a call on its socket; `None` if it would wait, or the connection has failed.
    fn result(&mut self, result: call::Result<usize>, service: &mut Service<'_>) -> Option<usize> {
        match result {
            Ok(n) => {
                self.silence.restart();
                return Some(n);
            }
            Err(error) if error.would_block() => service.admission.stats.eagain += 1,
            Err(error) => {
                server::lost(self.name, &error);
                (self.ended, self.owed) = (true, 0..0);
            }
        }
        None
    }

    /// Whether it has ended or failed, and is owed nothing.
    fn has_all(&self) -> bool {
        self.ended && !self.is_owed()
    }

    /// Whether to close it: it has ended and has everything, it has failed, or it was silent for too long.
    pub fn is_done(&self) -> bool {
        self.has_all() || self.silence.is_over()
    }
}
