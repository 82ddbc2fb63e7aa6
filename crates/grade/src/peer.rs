//! The tester's end of a connection. Its calls are recorded like those of any program, so that both ends are on one timeline.

use std::net::{Shutdown, SocketAddr};

use netplay_call::{self as call, CallError, Domain, MSG_DONTWAIT, MSG_NOSIGNAL, Type};
use nix::errno::Errno;

use super::guard::Stuck;
use super::program::Program;
use super::protocol::{Answer, Came, Exchange};

/// What went wrong at the tester's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No answer came, or not all of it.
    Stuck {
        /// How waiting ended.
        stuck: Stuck,
        /// What had come of the answer, and what was missing of it.
        got: Vec<u8>,
        missing: Vec<u8>,
    },
    /// The answer is another one. `before`: how many right bytes of it had come before these.
    Wrong { got: Vec<u8>, expected: Vec<u8>, at: usize, before: usize },
    /// An answer came before the request was whole: so many of its bytes were sent.
    Early { got: Vec<u8>, sent: usize, of: usize },
    /// The program closed the connection before the answer was whole.
    Closed { got: Vec<u8>, missing: Vec<u8> },
    /// The connection was reset.
    Reset { got: Vec<u8> },
    /// There is no listener any more.
    Refused,
    /// The tester itself cannot do it: no descriptor is left, say.
    Own(String),
    /// What the server should have sent before any request did not come, or not as it should.
    Greeting(Box<Trouble>),
}

impl Trouble {
    fn of(error: &CallError, got: &[u8]) -> Trouble {
        match error.errno() {
            Errno::ECONNRESET | Errno::EPIPE | Errno::ECONNABORTED => {
                Trouble::Reset { got: got.to_vec() }
            }
            Errno::ECONNREFUSED => Trouble::Refused,
            _ => Trouble::Own(error.to_string()),
        }
    }

    /// The same, told of a greeting; what ends the whole test stays as it is.
    pub(crate) fn of_greeting(self) -> Trouble {
        match self {
            Trouble::Stuck { stuck: Stuck::Interrupted | Stuck::Starved(_), .. }
            | Trouble::Own(_) => self,
            trouble => Trouble::Greeting(Box::new(trouble)),
        }
    }
}

/// A connection to the program.
pub(crate) struct Peer {
    stream: call::TcpStream,
    pub(crate) local: SocketAddr,
    /// How many bytes it has sent.
    pub(crate) sent: u64,
    /// How many bytes it has received.
    received: usize,
    /// What it has received, and no answer has used.
    got: Vec<u8>,
    ended: bool,
}

/// Runs a call that waits; the guard of the program may end it.
pub(crate) fn patient<T>(
    program: &Program,
    mut wait: impl FnMut() -> call::Result<T>,
) -> Result<call::Result<T>, Stuck> {
    program.guard.arm();
    let done = loop {
        match wait() {
            Err(error) if error.errno() == Errno::EINTR => match program.guard.stuck() {
                Some(stuck) => {
                    program.given_up(stuck);
                    break Err(stuck);
                }
                None => continue,
            },
            done => break Ok(done),
        }
    };
    program.guard.disarm();
    done
}

/// The socket of a client, and the buffers that it asks for.
fn socket(address: SocketAddr, ty: Type) -> Result<call::Socket, Trouble> {
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    call::socket(domain, ty, 0).map_err(|error| Trouble::of(&error, &[]))
}

impl Peer {
    /// Connects.
    ///
    /// # Errors
    /// The connection was refused, or did not come about.
    pub(crate) fn connect(program: &Program) -> Result<Peer, Trouble> {
        Peer::with(program, None)
    }

    /// Connects with small buffers, which are soon full.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub(crate) fn narrow(program: &Program) -> Result<Peer, Trouble> {
        Peer::with(program, Some(16 * 1024))
    }

    fn with(program: &Program, buffers: Option<i32>) -> Result<Peer, Trouble> {
        let mut socket = Some(socket(program.address, Type::STREAM)?);
        if let (Some(size), Some(socket)) = (buffers, &socket) {
            for option in [call::SO_RCVBUF, call::SO_SNDBUF] {
                let set = call::setsockopt(socket, option, size);
                set.map_err(|error| Trouble::of(&error, &[]))?;
            }
        }
        program.guard.arm();
        let connected = match socket.take() {
            Some(socket) => call::connect::<call::TcpStream>(socket, program.address),
            None => unreachable!("it was made above"),
        };
        let stuck = program.guard.stuck();
        program.guard.disarm();
        let stream = connected.map_err(|error| match stuck {
            Some(stuck) if error.errno() == Errno::EINTR => {
                Trouble::Stuck { stuck, got: Vec::new(), missing: Vec::new() }
            }
            _ => Trouble::of(&error, &[]),
        })?;
        let local = call::getsockname(&stream).map_err(|error| Trouble::of(&error, &[]))?;
        Ok(Peer { stream, local, sent: 0, received: 0, got: Vec::new(), ended: false })
    }

    /// The other side of a connection that this end has accepted.
    pub(crate) fn accepted(stream: call::TcpStream, address: SocketAddr) -> Peer {
        Peer { stream, local: address, sent: 0, received: 0, got: Vec::new(), ended: false }
    }

    /// Sends all of it.
    ///
    /// # Errors
    /// The program takes no more, or has gone.
    pub(crate) fn send(&mut self, program: &Program, bytes: &[u8]) -> Result<(), Trouble> {
        self.send_with(program, bytes, 0)
    }

    /// Sends all of it, with flags.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub(crate) fn send_with(
        &mut self,
        program: &Program,
        mut bytes: &[u8],
        flags: i32,
    ) -> Result<(), Trouble> {
        while !bytes.is_empty() {
            let sent = patient(program, || call::send(&self.stream, bytes, MSG_NOSIGNAL | flags));
            match sent {
                Ok(Ok(n)) => {
                    self.sent += n as u64;
                    bytes = &bytes[n..];
                }
                Ok(Err(error)) => return Err(Trouble::of(&error, &self.got)),
                Err(stuck) => {
                    return Err(Trouble::Stuck {
                        stuck,
                        got: self.got.clone(),
                        missing: Vec::new(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Sends as much as is taken at once.
    ///
    /// # Errors
    /// The program has gone.
    pub(crate) fn send_some(&mut self, bytes: &[u8]) -> Result<usize, Trouble> {
        match call::send(&self.stream, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) {
            Ok(n) => {
                self.sent += n as u64;
                Ok(n)
            }
            Err(error) if error.errno() == Errno::EAGAIN => Ok(0),
            Err(error) => Err(Trouble::of(&error, &self.got)),
        }
    }

    /// Receives once: how many bytes; 0 is the end.
    ///
    /// # Errors
    /// Nothing comes, or the connection was reset.
    pub(crate) fn receive(&mut self, program: &Program) -> Result<usize, Trouble> {
        self.receive_flags(program, 0)
    }

    /// What has come already; `None` if nothing has.
    ///
    /// # Errors
    /// The connection was reset.
    pub(crate) fn receive_now(&mut self, program: &Program) -> Result<Option<usize>, Trouble> {
        match self.receive_flags(program, MSG_DONTWAIT) {
            Err(Trouble::Own(_)) => Ok(None),
            done => done.map(Some),
        }
    }

    fn receive_flags(&mut self, program: &Program, flags: i32) -> Result<usize, Trouble> {
        let mut room = [0; 64 * 1024];
        let received = patient(program, || call::recv(&self.stream, &mut room, flags));
        if let Ok(Ok(n)) = received {
            self.got.extend_from_slice(&room[..n]);
            self.received += n;
        }
        match received {
            Ok(Ok(0)) => {
                self.ended = true;
                Ok(0)
            }
            Ok(Ok(n)) => Ok(n),
            Ok(Err(error)) => Err(Trouble::of(&error, &self.got)),
            Err(stuck) => Err(Trouble::Stuck { stuck, got: self.got.clone(), missing: Vec::new() }),
        }
    }

    /// Receives this answer, and nothing of what comes after it.
    ///
    /// # Errors
    /// It does not come, is another one, or the connection ends before it is whole.
    pub(crate) fn expect(&mut self, program: &Program, answer: &Answer) -> Result<(), Trouble> {
        loop {
            match answer.came(&self.got) {
                Came::Whole(n) => {
                    self.got.drain(..n);
                    return Ok(());
                }
                Came::Wrong(at) => {
                    let expected = answer.bytes().to_vec();
                    let got = self.got.clone();
                    return Err(Trouble::Wrong { got, expected, at, before: 0 });
                }
                Came::Part => {}
            }
            let missing = |got: &[u8]| answer.bytes().get(got.len()..).unwrap_or_default().to_vec();
            match self.receive(program) {
                Ok(0) => {
                    let (missing, got) = (missing(&self.got), self.got.clone());
                    return Err(Trouble::Closed { got, missing });
                }
                Ok(_) => {}
                Err(Trouble::Stuck { stuck, got, .. }) => {
                    let missing = missing(&got);
                    return Err(Trouble::Stuck { stuck, got, missing });
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// Sends a request and receives its answer.
    ///
    /// # Errors
    /// Those of [`send`](Self::send) and [`expect`](Self::expect).
    pub(crate) fn exchange(&mut self, program: &Program, one: &Exchange) -> Result<(), Trouble> {
        self.send(program, &one.send)?;
        self.expect(program, &one.answer)
    }

    /// Receives the end, and nothing before it.
    ///
    /// # Errors
    /// Bytes come, or the end does not.
    pub(crate) fn expect_end(&mut self, program: &Program) -> Result<(), Trouble> {
        while !self.ended && self.got.is_empty() {
            self.receive(program)?;
        }
        match self.got.is_empty() {
            true => Ok(()),
            false => {
                let got = self.got.clone();
                Err(Trouble::Wrong { got, expected: Vec::new(), at: 0, before: 0 })
            }
        }
    }

    /// How many of the bytes that have come were right before this trouble.
    pub(crate) fn right(&self, trouble: &Trouble) -> usize {
        match trouble {
            Trouble::Wrong { got, at, .. } => self.received.saturating_sub(got.len()) + at,
            _ => self.received,
        }
    }

    /// Bytes that have come, and that belong to no answer.
    pub(crate) fn left(&self) -> &[u8] {
        &self.got
    }

    /// Whether the end has come.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes all bytes that have come.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.got)
    }

    /// Says that it will send no more.
    ///
    /// # Errors
    /// The connection has gone.
    pub(crate) fn finish(&self) -> Result<(), Trouble> {
        let done = call::shutdown(&self.stream, Shutdown::Write);
        done.map_err(|error| match error.errno() {
            Errno::ENOTCONN => Trouble::Reset { got: self.got.clone() },
            _ => Trouble::of(&error, &self.got),
        })
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        let _ = call::setsockopt(&self.stream, call::SO_LINGER, Some(std::time::Duration::ZERO));
    }

    /// Waits until it can send.
    ///
    /// # Errors
    /// The program takes no more.
    pub(crate) fn room(&self, program: &Program) -> Result<(), Stuck> {
        let fd = std::os::fd::AsRawFd::as_raw_fd(&self.stream);
        let mut list = [call::pollfd { fd, events: libc::POLLOUT, revents: 0 }];
        patient(program, || call::poll(&mut list, None)).map(drop)
    }
}

/// A datagram socket of the tester.
pub(crate) struct Sender {
    socket: call::Socket,
}

impl Sender {
    /// A socket that no address is bound to yet.
    ///
    /// # Errors
    /// The tester has no descriptor left.
    pub(crate) fn new(program: &Program) -> Result<Sender, Trouble> {
        Ok(Sender { socket: socket(program.address, Type::DGRAM)? })
    }

    /// Sends a datagram.
    ///
    /// # Errors
    /// It is too long, or the tester's network cannot send it.
    pub(crate) fn send(&self, program: &Program, bytes: &[u8]) -> Result<(), Trouble> {
        let sent = patient(program, || call::sendto(&self.socket, bytes, 0, program.address));
        match sent {
            Ok(done) => done.map(drop).map_err(|error| Trouble::of(&error, &[])),
            Err(stuck) => Err(Trouble::Stuck { stuck, got: Vec::new(), missing: Vec::new() }),
        }
    }

    /// Receives a datagram.
    ///
    /// # Errors
    /// None comes.
    pub(crate) fn receive(&self, program: &Program) -> Result<Vec<u8>, Trouble> {
        let mut room = vec![0; 65536];
        match patient(program, || call::recvfrom(&self.socket, &mut room, 0)) {
            Ok(Ok((n, _))) => {
                room.truncate(n);
                Ok(room)
            }
            Ok(Err(error)) => Err(Trouble::of(&error, &[])),
            Err(stuck) => Err(Trouble::Stuck { stuck, got: Vec::new(), missing: Vec::new() }),
        }
    }

    /// Receives the answer to this request.
    ///
    /// # Errors
    /// None comes, or another one.
    pub(crate) fn expect(&self, program: &Program, wanted: &[u8]) -> Result<(), Trouble> {
        match self.receive(program) {
            Ok(got) if got == wanted => Ok(()),
            Ok(got) => {
                let at = got.iter().zip(wanted).position(|(a, b)| a != b);
                let at = at.unwrap_or(got.len().min(wanted.len()));
                Err(Trouble::Wrong { got, expected: wanted.to_vec(), at, before: 0 })
            }
            Err(Trouble::Stuck { stuck, .. }) => {
                Err(Trouble::Stuck { stuck, got: Vec::new(), missing: wanted.to_vec() })
            }
            Err(trouble) => Err(trouble),
        }
    }
}

/// A port that is free now. It lies below those that the kernel chooses for clients, so that no client takes it meanwhile.
///
/// # Errors
/// The machine has none.
pub(crate) fn free_port(host: std::net::IpAddr, datagrams: bool) -> call::Result<u16> {
    let ty = if datagrams { Type::DGRAM } else { Type::STREAM };
    let domain = if host.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let mut tries = 100;
    loop {
        let port = fastrand::u16(10_240..32_768);
        let swapped_is_free = port.swap_bytes() > 1024 && port != port.swap_bytes();
        let socket = call::socket(domain, ty, 0)?;
        match call::bind(&socket, SocketAddr::new(host, port)) {
            Ok(()) if swapped_is_free => return Ok(port),
            Err(error) if tries == 0 => return Err(error),
            _ => tries -= 1,
        }
    }
}
