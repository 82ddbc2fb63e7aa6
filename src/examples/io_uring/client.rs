//! What the two loops share: which clients are admitted, what is sent to a client next, and when it is done. Read it
//! before them.
//!
//! ```text
//! page                                          here
//! a completion of accept ──────────────────────▶ admit          a socket, if there is one
//! a completion of recv or send ────────────────▶ Client::take   the answer waits to be sent
//! prep_send ◀─────────────────────────────────── owed           what to send next, one at a time
//! prep_recv ◀─────────────────────────────────── wants_recv     it may send something, and no recv is in flight
//! is_gone? then close
//! ```
//!
//! The page makes all submissions; this file makes none. It takes completions, also failed ones: a
//! client's failure is told and ends only that client.

use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use nix::errno::Errno;

use crate::admission::{Admission, Silence};
use crate::call::{self, Buffer, Completion, Operation, Ring, Socket, TcpStream};
use crate::server::{self, ServerArgs};
use crate::stop::Stop;

/// How many completions to read between two waits. Each may lead to a few submissions, and the ring has room for
/// those.
pub(super) const COMPLETIONS: usize = 128;
pub(super) const SUBMISSIONS: u32 = 1024;

/// How many bytes may wait for a client before the server stops receiving from it.
const MOST_OWED: usize = 64 * 1024;

/// Which clients are admitted, what is answered, how long a client may be silent, and the counts.
pub struct Service<'a> {
    args: &'a ServerArgs,
    pub admission: Admission<'a>,
    /// A single-shot accept is in flight.
    accepting: bool,
    /// An answer that is not an echo.
    reply: Vec<u8>,
}

impl<'a> Service<'a> {
    pub fn new(args: &'a ServerArgs, stop: &'a Stop) -> Service<'a> {
        let admission = Admission::new(args, stop, most(args));
        Service { args, admission, accepting: false, reply: Vec::new() }
    }

    /// Whether to submit a single-shot accept now: there is room for a client, and no accept is in flight.
    pub fn wants_accept(&mut self, clients: usize) -> bool {
        let wants = !self.accepting && self.admission.has_room(clients);
        self.accepting |= wants;
        wants
    }

    /// How long a wait may last, as [`Admission::timeout_with`] has it.
    pub fn timeout<'c>(
        &mut self,
        clients: impl IntoIterator<Item = &'c Client>,
    ) -> Option<Duration> {
        self.admission.timeout_with(clients.into_iter().map(|client| &client.silence))
    }

    /// The result of a wait: a timeout is not an error.
    pub fn woken(waited: call::Result<usize>) -> call::Result<usize> {
        match waited {
            // EBUSY: on an older kernel the completions must be read first.
            Err(error) if error.timed_out() || error.errno() == Errno::EBUSY => Ok(0),
            waited => waited,
        }
    }

    /// The result of an accept: a client's socket, or `None` if there was no client, or no descriptor for it.
    ///
    /// # Errors
    /// As [`Admission::admit`].
    pub fn admit(&mut self, done: Completion) -> call::Result<Option<Socket>> {
        self.accepting = false;
        Ok(self.admission.admit(done.result.map(|_| done.accepted))?.flatten())
    }

    /// The same for a multishot accept, which may return more clients than are allowed: those are not admitted yet,
    /// and not counted.
    ///
    /// # Errors
    /// As [`Admission::admit`].
    pub fn accepted(&mut self, done: Completion) -> call::Result<Option<Socket>> {
        match done.result {
            Err(error) if error.cancelled() => {} // by us, because there was no room
            Err(error) => drop(self.admission.admit::<()>(Err(error))?),
            Ok(_) => {}
        }
        Ok(done.accepted)
    }

    /// Ends the clients that have sent and taken nothing for too long.
    pub fn end_silent<'c>(&self, clients: impl IntoIterator<Item = &'c mut Client>) {
        if self.args.idle_timeout.is_some() {
            clients.into_iter().for_each(Client::end_if_silent);
        }
    }
}

/// How many clients are served at once: the kernel takes 32,768 provided buffers at most.
fn most(args: &ServerArgs) -> usize {
    args.at_once().min(16_384)
}

/// How many buffers a ring may have: one to receive and one to send for each client, so that a slow client
/// cannot keep all of them.
pub fn buffers(args: &ServerArgs) -> u16 {
    (2 * most(args)).max(512) as u16
}

/// A connected socket, and its operations in flight: at most one recv and one send.
pub struct Client {
    pub peer: TcpStream,
    name: SocketAddr,
    /// The number of the recv that waits.
    pub receiving: Option<u64>,
    /// That recv was cancelled.
    cancelled: bool,
    sending: bool,
    /// An answer in the buffer of the ring that it came in, or the rest of one that was sent in part.
    next: Option<Buffer>,
    /// Answers that wait until the send before them completes.
    waiting: Vec<u8>,
    /// The client will send no more, or the server will not receive it.
    ended: bool,
    /// The client can no longer be sent to.
    lost: bool,
    silence: Silence,
}

impl Client {
    pub fn new(peer: TcpStream, name: SocketAddr, args: &ServerArgs) -> Client {
        Client {
            peer,
            name,
            receiving: None,
            cancelled: false,
            sending: false,
            next: None,
            waiting: Vec::new(),
            ended: false,
            lost: false,
            silence: Silence::begin(args),
        }
    }

    /// Takes the completion of one of its operations.
    pub fn take(&mut self, done: Completion, ring: &mut Ring, service: &mut Service<'_>) {
        let sent = done.operation == Operation::Send;
        if sent {
            self.sending = false;
        } else if !done.more {
            (self.receiving, self.cancelled) = (None, false);
        }
        match (done.result, done.buffer) {
            (Ok(n), Some(buffer)) => {
                self.silence.restart();
                let stats = &mut service.admission.stats;
                if !sent {
                    stats.received += n as u64;
                    self.answer(buffer, ring, service);
                    return;
                }
                stats.sent += n as u64;
                match buffer.is_sent() || self.lost {
                    true => ring.give_back(buffer),
                    false => self.next = Some(buffer), // the kernel has taken a part of it
                }
            }
            (Ok(_), None) => self.ended = true, // recv = 0, which needs no buffer
            (Err(error), buffer) => {
                buffer.into_iter().for_each(|unused| ring.give_back(unused));
                match error.errno() {
                    Errno::ECANCELED => {} // by us: too many bytes wait to be sent
                    Errno::ENOBUFS if !sent => ring.another_buffer(),
                    _ if self.lost => {}
                    _ => {
                        server::lost(self.name, &error);
                        self.hang_up();
                    }
                }
            }
        }
    }

    /// An echo is sent from the buffer that it arrived in, if no other answer is in flight.
    fn answer(&mut self, buffer: Buffer, ring: &mut Ring, service: &mut Service<'_>) {
        let data = ring.bytes(&buffer);
        let answer = if self.lost { &[] } else { service.args.answer(data, &mut service.reply) };
        self.ended |= service.args.reply.is_none(); // a server that never answers is done after the first recv
        let is_first = !self.sending && self.next.is_none() && self.waiting.is_empty();
        if std::ptr::eq(answer, data) && is_first {
            self.next = Some(buffer);
        } else {
            self.waiting.extend_from_slice(answer);
            ring.give_back(buffer);
        }
    }

    /// The buffer to send now, if any: one send at a time, or bytes may change places. After a send that
    /// took only a part, it is the rest.
    pub fn owed(&mut self) -> Option<Buffer> {
        if self.sending {
            return None;
        }
        if self.next.is_none() && !self.waiting.is_empty() {
            self.next = Some(std::mem::take(&mut self.waiting).into());
        }
        self.sending = self.next.is_some();
        self.next.take()
    }

    /// Whether to submit a recv: it may send something, not too many bytes wait for it, and no recv is in flight.
    pub fn wants_recv(&self) -> bool {
        !self.ended && self.waiting.len() < MOST_OWED && self.receiving.is_none()
    }

    /// The number of the recv to cancel, because too many bytes wait for this client.
    pub fn cancels_recv(&mut self) -> Option<u64> {
        let recv = self.receiving.filter(|_| self.waiting.len() >= MOST_OWED && !self.cancelled)?;
        self.cancelled = true;
        Some(recv)
    }

    /// Whether no operation is in flight, nor will be: then its socket can be closed.
    pub fn is_gone(&self) -> bool {
        let idle = self.receiving.is_none() && !self.sending;
        idle && self.ended && self.next.is_none() && self.waiting.is_empty()
    }

    /// Ends the operations in flight: the recv with 0, the send with EPIPE.
    fn hang_up(&mut self) {
        (self.ended, self.lost) = (true, true);
        self.waiting.clear();
        self.silence.end();
        if self.receiving.is_some() || self.sending {
            // ENOTCONN: the connection has ended, and its operations end by themselves.
            let _ = call::shutdown(&self.peer, Shutdown::Both);
        }
    }

    fn end_if_silent(&mut self) {
        if self.silence.is_over() {
            server::idle(self.name);
            self.hang_up();
        }
    }
}
