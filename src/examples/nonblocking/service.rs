//! # What the readiness loops share
//!
//! nonblocking, select, poll and epoll differ in how they learn which socket is ready. What they do with a
//! client is the same, and stands here: read it before those pages.
//!
//! ```text
//! page                                          here
//! accept4 ─────────────────────────────────────▶ admit    a Client, if there is one
//! recv ────────────────────────────────────────▶ heard    the answer is owed to the client
//! send(owed) ──────────────────────────────────▶ sent     what the kernel took is owed no longer
//! wants_read, wants_write ◀──────────────────── …         what the next wait is to wait for
//! leaves? then close
//! ```
//!
//! The calls are the page's, and nothing here makes any. A result goes in, an errno as well: EAGAIN is
//! counted, and a client's failure is told and ends that client alone.
//!
//! When the kernel takes only a part of an answer, a blocking server waits in `send`. Here the rest is
//! kept, and the server turns to the others. A client that is owed something is not listened to, or one
//! that sends and never reads would fill the memory.

use std::mem;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use crate::call::{self, TcpStream};
use crate::entrance::{Entrance, Silence};
use crate::server::{self, ServerArgs, Stats};
use crate::stop::Stop;

/// So many buffers are kept for the next answers.
const SPARE: usize = 16;

/// Who may come in, what is answered, how long a client may be silent, and what to tell in the end.
#[derive(Debug)]
pub struct Service<'a> {
    args: &'a ServerArgs,
    entrance: Entrance<'a>,
    /// An answer that is no echo.
    made: Vec<u8>,
    /// Buffers that nobody needs just now.
    spare: Vec<Vec<u8>>,
}

impl<'a> Service<'a> {
    /// For at most `most` clients at once.
    #[must_use]
    pub fn new(args: &'a ServerArgs, stop: &'a Stop, most: usize) -> Service<'a> {
        let (made, spare) = Default::default();
        Service { args, entrance: Entrance::new(args, stop, most), made, spare }
    }

    /// As [`Entrance::goes_on`].
    #[must_use]
    pub fn goes_on(&self, clients: usize) -> bool {
        self.entrance.goes_on(clients)
    }

    /// As [`Entrance::has_room`].
    pub fn has_room(&mut self, clients: usize) -> bool {
        self.entrance.has_room(clients)
    }

    /// How long a wait may last: until a client has been silent for too long, or until it is time to look at
    /// the listener again. `None`: for ever.
    pub fn timeout<'c>(
        &mut self,
        clients: impl IntoIterator<Item = &'c Client>,
    ) -> Option<Duration> {
        let silent = || clients.into_iter().filter_map(|client| client.silence.left()).min();
        let silent = self.args.idle_timeout.and_then(|_| silent()); // not looked at without a limit
        silent.into_iter().chain(self.entrance.timeout()).min()
    }

    /// What came of an accept: a client, or `None` if there was none, or no descriptor for it.
    ///
    /// # Errors
    /// As [`Entrance::admit`].
    pub fn admit(
        &mut self,
        accepted: call::Result<(TcpStream, SocketAddr)>,
    ) -> call::Result<Option<Client>> {
        let accepted = self.entrance.admit(accepted)?;
        Ok(accepted.map(|(peer, name)| Client::new(peer, name, self.args)))
    }

    /// What was done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.entrance.stats
    }
}

/// A client: its socket, and what it is owed.
#[derive(Debug)]
pub struct Client {
    /// The connected socket.
    pub peer: TcpStream,
    /// The address of the other end.
    pub name: SocketAddr,
    /// A buffer, and which part of it is owed.
    buf: Vec<u8>,
    owed: Range<usize>,
    /// It will send no more, or nobody wants to hear it.
    ended: bool,
    /// Its connection has failed.
    lost: bool,
    silence: Silence,
}

impl Client {
    fn new(peer: TcpStream, name: SocketAddr, args: &ServerArgs) -> Client {
        let (buf, silence) = (Vec::new(), Silence::begin(args));
        Client { peer, name, buf, owed: 0..0, ended: false, lost: false, silence }
    }

    /// Whether there is a reason to call `recv`.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        !self.ended && !self.lost && self.owed.is_empty()
    }

    /// Whether there is a reason to call `send`.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        !self.lost && !self.owed.is_empty()
    }

    /// The bytes that it is to get next.
    #[must_use]
    pub fn owed(&self) -> &[u8] {
        &self.buf[self.owed.clone()]
    }

    /// What came of a `recv` into `buf`: the answer to it is owed from now on. How many bytes came: 0 if there
    /// were none, or at the end.
    pub fn heard(
        &mut self,
        received: call::Result<usize>,
        buf: &mut Vec<u8>,
        service: &mut Service<'_>,
    ) -> usize {
        let Some(n) = self.result(received, service) else { return 0 };
        service.entrance.stats.received += n as u64;
        // A server that never answers has heard enough once it has heard something.
        self.ended = n == 0 || service.args.reply.is_none();
        if n == 0 {
            return 0;
        }
        let answer = service.args.answer(&buf[..n], &mut service.made);
        self.owed = 0..answer.len();
        if answer.as_ptr() == buf.as_ptr() {
            // An echo leaves from the very buffer that it came in, and the page gets another.
            let other = service.spare.pop().unwrap_or_else(|| vec![0; buf.len()]);
            self.buf = mem::replace(buf, other);
        } else {
            self.buf.clear();
            self.buf.extend_from_slice(answer);
        }
        n
    }

    /// What came of a `recv` of an urgent byte (MSG_OOB), which is not answered.
    pub fn heard_urgent(&mut self, received: call::Result<usize>, service: &mut Service<'_>) {
        let n = self.result(received, service);
        service.entrance.stats.received += n.unwrap_or_default() as u64;
    }

    /// What came of a `send` of the bytes that are owed: what the kernel did not take stays owed.
    pub fn sent(&mut self, sent: call::Result<usize>, service: &mut Service<'_>) {
        let n = self.result(sent, service).unwrap_or_default();
        service.entrance.stats.sent += n as u64;
        self.owed.start += n;
        let spare = self.buf.len() == service.args.bufsize && service.spare.len() < SPARE;
        if self.owed.is_empty() && spare {
            service.spare.push(mem::take(&mut self.buf));
        }
    }

    /// The result of a call on its socket; `None` if it brought nothing, or the connection has failed.
    fn result(&mut self, result: call::Result<usize>, service: &mut Service<'_>) -> Option<usize> {
        match result {
            Ok(n) => {
                self.silence.is_broken();
                Some(n)
            }
            Err(error) if error.would_block() => {
                service.entrance.stats.eagain += 1;
                None
            }
            Err(error) => {
                server::lost(self.name, error);
                self.lost = true;
                None
            }
        }
    }

    /// Whether it is to be closed: it has ended and has everything, it has failed, or it was silent for too long.
    #[must_use]
    pub fn leaves(&self, service: &mut Service<'_>) -> bool {
        if !(self.lost || self.ended && !self.wants_write()) {
            if !self.silence.is_over() {
                return false;
            }
            server::idle(self.name);
        }
        service.entrance.left(); // its descriptor will be free
        true
    }
}
