//! What the two loops share: which clients are admitted, what a client is owed, and when it is done. Read it before
//! them.
//!
//! ```text
//! page                                          here
//! a completion of accept ──────────────────────▶ admit          a socket, if there is one
//! a completion of recv or send ────────────────▶ Client::take   the answer is owed to the client
//! prep_send ◀─────────────────────────────────── owed           what to send next, one at a time
//! prep_recv ◀─────────────────────────────────── wants_recv     it may send something, and no recv is under way
//! is_gone? then close
//! ```
//!
//! The submissions are the page's, and nothing here makes any. A completion goes in, an errno as well: a
//! client's failure is told and ends that client alone.

use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use nix::errno::Errno;

use crate::admission::{Admission, Silence};
use crate::call::{self, Buffer, Completion, Operation, Ring, Socket, TcpStream};
use crate::server::{self, ServerArgs};
use crate::stop::Stop;

/// How many completions are read between two waits. Each may lead to a few submissions, for which the ring
/// has room.
pub(super) const COMPLETIONS: usize = 128;
pub(super) const SUBMISSIONS: u32 = 1024;

/// How many bytes a client may be owed before nothing more is received from it.
const MOST_OWED: usize = 64 * 1024;

/// Which clients are admitted, what is answered, how long a client may be silent, and what was done.
pub struct Service<'a> {
    args: &'a ServerArgs,
    pub admission: Admission<'a>,
    /// A single-shot accept is under way.
    accepting: bool,
    /// An answer that is no echo.
    reply: Vec<u8>,
}

impl<'a> Service<'a> {
    pub fn new(args: &'a ServerArgs, stop: &'a Stop) -> Service<'a> {
        let admission = Admission::new(args, stop, most(args));
        Service { args, admission, accepting: false, reply: Vec::new() }
    }

    /// Whether a single-shot accept is to be submitted now: another client may come in, and none is under way.
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

    /// The result of a wait: that its time was over is no error.
    pub fn woken(waited: call::Result<usize>) -> call::Result<usize> {
        match waited {
            // EBUSY: an older kernel wants its answers to be read first.
            Err(error) if error.timed_out() || error.errno() == Errno::EBUSY => Ok(0),
            waited => waited,
        }
    }

    /// What came of an accept: a client's socket, or `None` if there was none, or no descriptor for it.
    ///
    /// # Errors
    /// As [`Admission::admit`].
    pub fn admit(&mut self, done: Completion) -> call::Result<Option<Socket>> {
        self.accepting = false;
        Ok(self.admission.admit(done.result.map(|_| done.accepted))?.flatten())
    }

    /// The same of a multishot accept, which may bring more clients than are allowed: those are not admitted yet,
    /// and not counted.
    ///
    /// # Errors
    /// As [`Admission::admit`].
    pub fn accepted(&mut self, done: Completion) -> call::Result<Option<Socket>> {
        match done.result {
            Err(error) if error.cancelled() => {} // by us, for lack of room
            Err(error) => drop(self.admission.admit::<()>(Err(error))?),
            Ok(_) => {}
        }
        Ok(done.accepted)
    }

    /// Ends the clients that were silent, or took nothing, for longer than they may.
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

/// How many buffers a ring may have: for each client one to receive and one to send, so that no client, however
/// slow, can keep all of them.
pub fn buffers(args: &ServerArgs) -> u16 {
    (2 * most(args)).max(512) as u16
}

/// A connected socket, and what is under way for it: at most one recv and one send.
pub struct Client {
    pub peer: TcpStream,
    name: SocketAddr,
    /// The number of the recv that waits.
    pub receiving: Option<u64>,
    /// That recv was asked to end.
    cancelled: bool,
    sending: bool,
    /// An answer in the buffer of the ring that it came in, or the rest of one that was sent in part.
    next: Option<Buffer>,
    /// Answers that wait for the send before them.
    waiting: Vec<u8>,
    /// The client will send no more, or what it sends is not wanted.
    ended: bool,
    /// Nothing can be sent to it any more.
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
            (Ok(_), None) => self.ended = true, // recv = 0, for which no buffer is needed
            (Err(error), buffer) => {
                buffer.into_iter().for_each(|unused| ring.give_back(unused));
                match error.errno() {
                    Errno::ECANCELED => {} // by us: it is owed too much
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

    /// An echo leaves from the very buffer that it came in, if no other answer is under way.
    fn answer(&mut self, buffer: Buffer, ring: &mut Ring, service: &mut Service<'_>) {
        let data = ring.bytes(&buffer);
        let answer = if self.lost { &[] } else { service.args.answer(data, &mut service.reply) };
        self.ended |= service.args.reply.is_none(); // a server that never answers wants no more
        let is_first = !self.sending && self.next.is_none() && self.waiting.is_empty();
        if std::ptr::eq(answer, data) && is_first {
            self.next = Some(buffer);
        } else {
            self.waiting.extend_from_slice(answer);
            ring.give_back(buffer);
        }
    }

    /// What is to be sent now, if anything is: one send at a time, or bytes change places. After a send that
    /// took only a part, that is the rest.
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

    /// Whether a recv is to be submitted: it may say something, it is not owed too much, and no recv waits.
    pub fn wants_recv(&self) -> bool {
        !self.ended && self.waiting.len() < MOST_OWED && self.receiving.is_none()
    }

    /// The number of a recv that is to be cancelled, because the client is owed too much.
    pub fn cancels_recv(&mut self) -> Option<u64> {
        let recv = self.receiving.filter(|_| self.waiting.len() >= MOST_OWED && !self.cancelled)?;
        self.cancelled = true;
        Some(recv)
    }

    /// Whether nothing is under way any more, nor will be: its socket is to be closed.
    pub fn is_gone(&self) -> bool {
        let idle = self.receiving.is_none() && !self.sending;
        idle && self.ended && self.next.is_none() && self.waiting.is_empty()
    }

    /// Makes what is under way end: the recv with 0, the send with EPIPE.
    fn hang_up(&mut self) {
        (self.ended, self.lost) = (true, true);
        self.waiting.clear();
        self.silence.end();
        if self.receiving.is_some() || self.sending {
            // ENOTCONN: the connection is no more, and its operations are ending by themselves.
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
