//! # io_uring: operations instead of calls
//!
//! ```text
//!   io_uring_setup = 4        two rings, shared with the kernel: what is to be done, what is done
//!   accept, please
//!   ┌▶ io_uring_enter         hands over what was submitted, sleeps until something is done
//!   │    accept = 5           recv on 5, please, into this buffer; and the next accept
//!   │    recv(5) = 5 "hello"  send on 5, please, out of the same buffer
//!   │    send(5) = 5          recv on 5, please
//!   └─ …
//! ```
//!
//! With select, poll and epoll the kernel says which socket is *ready*, and the program calls. Here the program
//! says what it wants, and the kernel says when it is *done*. Watch for the order: every recv is
//! submitted before its bytes have come. And watch for the calls: submissions and completions are
//! written into memory, and one io_uring_enter moves as many of them as there are: the busier the
//! server, the fewer calls a request.
//!
//! What is under way cannot be taken back. Memory that was lent belongs to the kernel until the
//! completion; one send at a time, or bytes change places; and a socket is closed when all its
//! operations are done: shutdown makes them end.
//!
//! On this page each operation completes once, and a client has one under way at a time. That is what
//! `--single-shot` asks for, and what a kernel before 6.1 gets. Otherwise the server uses multishot
//! operations: multishot.rs.

mod multishot;

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use nix::errno::Errno;

use super::row::{self, Example, Place, Service};
use super::script::{self, Demo};
use super::tcp_echo;
use crate::call::{
    self, Completion, Domain, IPV6_V6ONLY, ONE_THREAD, Operation, Ring, SO_REUSEADDR, Shots,
    TcpListener, TcpStream, Type,
};
use crate::entrance::{Entrance, Silence};
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::Stop;

/// How many answers are read between two waits. Each may lead to a few submissions, for which the ring
/// has room.
const ANSWERS: usize = 128;
const SUBMISSIONS: u32 = 1024;

/// More memory than this for buffers, and it would no longer stay in the processor's cache.
const HEAP: usize = 512 * 1024;

/// Opens the listener, and serves with the operations that this kernel has.
pub fn serve(args: &ServerArgs, options: &Options, stop: &Stop) -> Result<Stats> {
    let address = args.endpoint.resolve()?;
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    if let Some(alone) = server::v6_alone(address, args.endpoint.family) {
        call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
    }
    call::bind(&socket, address)?;
    let listener: TcpListener = call::listen(socket, args.backlog)?;
    let address = call::getsockname(&listener)?;
    let (ring, shots) = set_up(args, options)?;
    server::announce("tcp", address)?;
    let stats = match shots {
        Shots::One => serve_on(&listener, ring, args, stop)?,
        Shots::Many => multishot::serve_on(&listener, ring, args, stop)?,
    };
    call::close(listener)?;
    Ok(stats)
}

/// Serves with single-shot operations: each completion leads to the next submission.
fn serve_on(
    listener: &TcpListener,
    mut ring: Ring,
    args: &ServerArgs,
    stop: &Stop,
) -> Result<Stats> {
    let mut entrance = Entrance::new(args, stop, most(args));
    let mut clients: HashMap<RawFd, Client> = HashMap::new();
    let mut made = Vec::new();
    let mut accepting = false;
    // Asked for no event, this is done when the stop shuts the listener down, accept or no accept.
    ring.prep_poll(listener, 0)?;
    let waiting = stop.watch(listener);
    while entrance.goes_on(clients.len()) {
        if !accepting && entrance.has_room(clients.len()) {
            ring.prep_accept(listener, Shots::One)?;
            accepting = true;
        }
        let silent = || clients.values().filter_map(|client| client.silence.left()).min();
        let silent = args.idle_timeout.and_then(|_| silent());
        let timeout = silent.into_iter().chain(entrance.timeout()).min();
        let Some(_) = waiting.or(|| submit_and_wait(&mut ring, timeout))? else { break };

        for _ in 0..ANSWERS {
            let Some(done) = ring.cqe() else { break };
            match done.operation {
                Operation::Accept => {
                    accepting = false;
                    let accepted = done.result.map(|_| done.accepted);
                    if let Some(peer) = entrance.admit(accepted)?.flatten() {
                        let peer = TcpStream::from(peer);
                        match call::getpeername(&peer) {
                            Ok(name) => {
                                let fd = peer.as_raw_fd();
                                ring.prep_recv(&peer, Shots::One)?;
                                let silence = Silence::begin(args);
                                clients.insert(fd, Client { peer, name, silence, over: false });
                            }
                            Err(_) => drop(call::close(peer)), // it is gone already
                        }
                    }
                }
                Operation::Recv | Operation::Send => {
                    let fd = done.fd;
                    let client =
                        clients.get_mut(&fd).expect("it stays until its operation is done");
                    if !client.goes_on(done, &mut ring, args, &mut made, &mut entrance.stats)? {
                        let client = clients.remove(&fd).expect("it was found above");
                        call::close(client.peer)?;
                        entrance.left();
                    }
                }
                _ => {} // the poll: the stop
            }
        }
        if args.idle_timeout.is_some() {
            clients.values_mut().for_each(|client| client.end_if_silent());
        }
    }
    drop(waiting);
    end(ring)?;
    for client in clients.into_values() {
        call::close(client.peer)?;
    }
    Ok(entrance.stats)
}

/// Hands over what was submitted, and waits until something is done, or for so long.
fn submit_and_wait(ring: &mut Ring, timeout: Option<Duration>) -> call::Result<usize> {
    let submissions = ring.to_submit();
    match call::io_uring_enter(ring, submissions, 1, timeout) {
        // EBUSY: an older kernel wants its answers to be read first.
        Err(error) if error.timed_out() || error.errno() == Errno::EBUSY => Ok(0),
        taken => taken,
    }
}

/// Closes the ring, and with it the kernel lets go of what was under way. A client that was accepted
/// meanwhile is ours already.
fn end(mut ring: Ring) -> call::Result<()> {
    while let Some(unread) = ring.cqe() {
        unread.accepted.map_or(Ok(()), call::close)?;
    }
    drop(ring);
    Ok(())
}

/// A connected socket, for which a recv or a send is under way.
struct Client {
    peer: TcpStream,
    name: SocketAddr,
    silence: Silence,
    /// It was silent for too long: what is under way was made to end.
    over: bool,
}

impl Client {
    /// Takes the answer to the operation, and submits the next; `false` if there is none.
    ///
    /// # Errors
    /// The ring's, not the client's.
    fn goes_on(
        &mut self,
        done: Completion,
        ring: &mut Ring,
        args: &ServerArgs,
        made: &mut Vec<u8>,
        stats: &mut Stats,
    ) -> call::Result<bool> {
        let sent = done.operation == Operation::Send;
        match (done.result, done.buffer) {
            (Ok(n), Some(buffer)) if n > 0 => {
                self.silence.is_broken();
                if sent {
                    stats.sent += n as u64;
                    if buffer.is_sent() {
                        ring.give_back(buffer);
                        ring.prep_recv(&self.peer, Shots::One)?;
                    } else {
                        ring.prep_send(&self.peer, buffer)?; // the kernel has taken a part of it
                    }
                    return Ok(true);
                }
                stats.received += n as u64;
                let data = ring.bytes(&buffer);
                let answer = args.answer(data, made);
                if std::ptr::eq(answer, data) {
                    ring.prep_send(&self.peer, buffer)?; // an echo, out of the very buffer that it came in
                    return Ok(true);
                }
                let answer = answer.to_vec();
                ring.give_back(buffer);
                match args.reply {
                    None => return Ok(false), // a server that never answers has heard enough
                    Some(_) if answer.is_empty() => ring.prep_recv(&self.peer, Shots::One)?,
                    Some(_) => ring.prep_send(&self.peer, answer.into())?,
                };
                Ok(true)
            }
            (result, buffer) => {
                buffer.into_iter().for_each(|unused| ring.give_back(unused));
                match result {
                    Err(error) if error.errno() == Errno::ENOBUFS && !sent => {
                        ring.another_buffer();
                        ring.prep_recv(&self.peer, Shots::One)?;
                        return Ok(true);
                    }
                    Err(error) if !self.over => server::lost(self.name, error),
                    _ => {} // recv = 0
                }
                Ok(false)
            }
        }
    }

    /// Ends a client that was silent, or took nothing, for longer than it may: a recv ends with 0, a send
    /// with EPIPE.
    fn end_if_silent(&mut self) {
        if self.silence.is_over() {
            server::idle(self.name);
            self.silence.end();
            self.over = true;
            // ENOTCONN: the connection is no more, and its operation is ending by itself.
            let _ = call::shutdown(&self.peer, Shutdown::Both);
        }
    }
}

/// Two rings and buffers; of many shots, if this kernel knows how.
///
/// # Errors
/// This kernel has no io_uring, or allows none here.
pub fn set_up(args: &ServerArgs, options: &Options) -> Result<(Ring, Shots)> {
    // For each client one to receive and one to send: nobody, however slow, can keep all of them.
    let buffers = (2 * most(args)).max(512) as u16;
    if !options.single_shot {
        let few = (HEAP / args.bufsize).clamp(1, 512);
        let made = call::io_uring_setup(SUBMISSIONS, ONE_THREAD).and_then(|mut ring| {
            call::io_uring_register_buf_ring(&mut ring, args.bufsize, few, buffers)?;
            Ok(ring)
        });
        match made {
            Ok(ring) => return Ok((ring, Shots::Many)),
            Err(error) if error.errno() == Errno::EINVAL => server::single_shot(error),
            Err(error) => return Err(error.into()),
        }
    }
    let mut ring = call::io_uring_setup(SUBMISSIONS, 0)?;
    ring.lend_buffers(args.bufsize, buffers);
    Ok((ring, Shots::One))
}

/// How many clients are served at once: a heap has 32,768 buffers at most.
fn most(args: &ServerArgs) -> usize {
    args.at_once().min(16_384)
}

/// The option of the server.
#[derive(Debug, Default, Args)]
pub struct Options {
    /// Submit each accept and recv anew, with a buffer of its own, as before Linux 6.1
    #[arg(long)]
    single_shot: bool,
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "io-uring",
    short: None,
    summary: "operations instead of calls: the kernel says what is done, not who is ready",
    watch: "each recv is submitted before its bytes have come, and one io_uring_enter moves as many \
            submissions and answers as there are",
    place: Place::Internet,
    service: Service::Echo,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&row::Server(serve)),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo { server: &["--reply=echo"], client: &[], steps: script::THREE },
    next: Some("netplay io-uring server --single-shot"),
    lesson: "io-uring",
};
