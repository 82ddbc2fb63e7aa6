//! A client whose operations are under way: what may be asked of the kernel next, and when all is done.

use std::net::{Shutdown, SocketAddr};

use nix::errno::Errno;

use crate::call::{self, Buffer, Completion, Operation, Ring, Shots, Socket, TcpStream};
use crate::entrance::Silence;
use crate::server::{self, ServerArgs, Stats};

/// How many bytes a client may be owed before it is no longer listened to.
const MOST_OWED: usize = 64 * 1024;

/// A connected socket, and what is under way for it: at most one recv and one send.
#[derive(Debug)]
pub struct Client {
    pub peer: TcpStream,
    name: SocketAddr,
    /// The number of the recv that waits.
    receiving: Option<u64>,
    /// It was asked to end.
    cancelled: bool,
    sending: bool,
    /// Answers that wait for the send before them.
    owed: Vec<u8>,
    /// The client will send no more, or nobody wants to hear it.
    ended: bool,
    /// Nothing can be sent to it any more.
    lost: bool,
    pub silence: Silence,
}

impl Client {
    /// A client that was just accepted; `None` if it is gone already.
    pub fn new(peer: Socket, args: &ServerArgs) -> Option<Client> {
        let peer = TcpStream::from(peer);
        match call::getpeername(&peer) {
            Ok(name) => Some(Client {
                peer,
                name,
                receiving: None,
                cancelled: false,
                sending: false,
                owed: Vec::new(),
                ended: false,
                lost: false,
                silence: Silence::begin(args),
            }),
            Err(_) => {
                let _ = call::close(peer); // what could its error tell that the other one did not?
                None
            }
        }
    }

    /// Takes the answer to one of its operations.
    ///
    /// # Errors
    /// The ring's, not the client's.
    pub fn take(
        &mut self,
        done: Completion,
        ring: &mut Ring,
        args: &ServerArgs,
        made: &mut Vec<u8>,
        stats: &mut Stats,
    ) -> call::Result<()> {
        let sent = done.operation == Operation::Send;
        if sent {
            self.sending = false;
        } else if !done.more {
            (self.receiving, self.cancelled) = (None, false);
        }
        match (done.result, done.buffer) {
            (Ok(n), Some(buffer)) => {
                self.silence.is_broken();
                if sent {
                    stats.sent += n as u64;
                    self.sent(buffer, ring)
                } else {
                    stats.received += n as u64;
                    self.answer(buffer, ring, args, made)
                }
            }
            (Ok(_), None) => {
                self.ended = true; // recv = 0, for which no buffer is needed
                Ok(())
            }
            (Err(error), buffer) => {
                buffer.into_iter().for_each(|unsent| ring.give_back(unsent));
                match error.errno() {
                    Errno::ECANCELED => {} // by us: it is owed too much
                    Errno::ENOBUFS if !sent => ring.another_buffer(),
                    _ if self.lost => {}
                    _ => {
                        server::lost(self.name, error);
                        self.hang_up();
                    }
                }
                Ok(())
            }
        }
    }

    /// An echo leaves from the very buffer that it came in, if no other answer is under way.
    fn answer(
        &mut self,
        buffer: Buffer,
        ring: &mut Ring,
        args: &ServerArgs,
        made: &mut Vec<u8>,
    ) -> call::Result<()> {
        let data = ring.bytes(&buffer);
        let answer = if self.lost { &[] } else { args.answer(data, made) };
        if std::ptr::eq(answer, data) && !self.sending && self.owed.is_empty() {
            return self.send(buffer, ring);
        }
        self.owed.extend_from_slice(answer);
        ring.give_back(buffer);
        Ok(())
    }

    /// The kernel may have taken less than all.
    fn sent(&mut self, buffer: Buffer, ring: &mut Ring) -> call::Result<()> {
        if !buffer.is_sent() && !self.lost {
            return self.send(buffer, ring);
        }
        ring.give_back(buffer);
        Ok(())
    }

    fn send(&mut self, buffer: Buffer, ring: &mut Ring) -> call::Result<()> {
        ring.prep_send(&self.peer, buffer)?;
        self.sending = true;
        Ok(())
    }

    /// Submits what can be done next: one send, and one recv unless it is owed too much.
    ///
    /// # Errors
    /// The ring is full.
    pub fn go_on(&mut self, ring: &mut Ring) -> call::Result<()> {
        if !self.sending && !self.owed.is_empty() {
            let owed = std::mem::take(&mut self.owed);
            self.send(owed.into(), ring)?;
        }
        let listen = self.owed.len() < MOST_OWED;
        match self.receiving {
            None if listen && !self.ended => {
                self.receiving = Some(ring.prep_recv(&self.peer, Shots::Many)?);
            }
            Some(recv) if !listen && !self.cancelled => {
                ring.prep_cancel(recv)?;
                self.cancelled = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether nothing is under way any more, nor will be: its socket is to be closed.
    pub fn is_gone(&self) -> bool {
        let idle = self.receiving.is_none() && !self.sending;
        idle && self.ended && self.owed.is_empty()
    }

    /// Makes what is under way end: the recv with 0, the send with EPIPE.
    fn hang_up(&mut self) {
        (self.ended, self.lost) = (true, true);
        self.owed.clear();
        self.silence.end();
        // ENOTCONN: the connection is no more, and its operations are ending by themselves.
        let _ = call::shutdown(&self.peer, Shutdown::Both);
    }

    /// Ends a client that was silent, or took nothing, for longer than it may.
    pub fn end_if_silent(&mut self) {
        if self.silence.is_over() {
            server::idle(self.name);
            self.hang_up();
        }
    }
}
