//! A full queue does not refuse clients: it stays silent, and the client's kernel tries again.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Stage, Value, unrecorded};
use crate::call::{
    self, Domain, FcntlArg, OFlag, OptValue, SO_ERROR, SO_RCVTIMEO, TcpListener, TcpStream, Type,
    pollfd,
};
use crate::escape::escape;
use crate::inspect::{self, Ask, Inet, State};

pub(super) const PLAYS: super::Plays = &[];

/// What the server asks listen for; and how many clients come.
const BACKLOG: i32 = 3;
const CLIENTS: usize = 6;

/// How long a client waits before it is called stuck.
const LOOK: Duration = Duration::from_millis(300);

/// Where a connection is to come, it is waited for; this long at most.
const PATIENCE: Duration = Duration::from_secs(30);

/// Clients connect until one is stuck, without an accept; then the server accepts.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let (listener, address) = super::listener_for(BACKLOG)?;
    call::setsockopt(&listener, SO_RCVTIMEO, PATIENCE)?;
    let (full, is_full) = mpsc::channel();
    let server = || {
        let clients: usize = is_full.recv().unwrap_or_default();
        (0..clients).map(|_| serve(&listener)).collect::<Result<Vec<String>>>()
    };
    let client = || {
        let full = full; // if this side fails, the other one must not wait for it
        let mut knocks = come(address)?;
        let connected = knocks.iter().filter(|knock| knock.is_in()).count();
        let last = knocks.last_mut().expect("one client has come at least");
        let (next, waited, state) = (last.news, last.begun.elapsed(), last.state(address)?);
        full.send(connected + usize::from(next == "silence"))?;
        if next == "silence" {
            last.wait(PATIENCE)?;
        }
        let (later, after) = (last.news, last.begun.elapsed());
        knocks.into_iter().try_for_each(|knock| call::close(knock.stream))?;
        Ok((connected, next, waited, state, later, after))
    };
    let (heard, (connected, next, waited, state, later, after)) = stage.both(server, client)?;
    call::close(listener)?;

    stage.figure("backlog", BACKLOG as u64);
    stage.figure("connected", connected);
    stage.figure("next", Value::Word(next));
    stage.figure("waited", waited);
    stage.figure("state", state);
    stage.figure("after", after);
    stage.figure("bytes", heard.join(", "));
    stage.answer(match (connected, next) {
        (0, _) => Some(1),
        (_, "refused") => Some(2),
        (_, "silence") => Some(3),
        (CLIENTS, _) => Some(4),
        _ => None,
    });
    stage.claim("queued", connected >= BACKLOG as usize);
    stage.claim("silent", next == "silence");
    stage.claim("later", later == "connected");
    let sent = (1..=heard.len()).map(|number| format!("client {number}"));
    stage.claim("kept", heard.len() > connected && sent.eq(heard));
    Ok(())
}

/// The same clients: a larger backlog, and a server that accepts.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let larger = unrecorded(
        ["a larger backlog, and still no accept", "更大的监听队列，仍然不 accept"],
        || -> Result<usize> {
            let (listener, address) = super::listener_for(BACKLOG + 1)?;
            let ((), knocks) = stage.both(|| Ok(()), || come(address))?;
            call::close(listener)?;
            Ok(knocks.iter().filter(|knock| knock.is_in()).count())
        },
    )?;
    let (listener, address) = super::listener_for(BACKLOG)?;
    call::setsockopt(&listener, SO_RCVTIMEO, PATIENCE)?;
    let server = || (0..CLIENTS).map(|_| serve(&listener)).collect::<Result<Vec<String>>>();
    let client = || {
        for number in 1..=CLIENTS {
            let server = super::connect(address)?;
            call::send(&server, hello(number).as_bytes(), 0)?;
            call::close(server)?;
        }
        Ok(())
    };
    let prompt = stage.both(server, client)?.0.len();
    call::close(listener)?;

    stage.figure("backlog", BACKLOG as u64);
    stage.figure("connected", prompt);
    let row = |backlog: i32, accept: &'static str, connected: usize| {
        vec![(backlog as u64).into(), Value::Word(accept), CLIENTS.into(), connected.into()]
    };
    let rows = vec![row(BACKLOG + 1, "never", larger), row(BACKLOG, "promptly", prompt)];
    stage.table("servers", &["backlog", "accept", "clients", "connected"], rows);
    stage.claim("delayed", (BACKLOG as usize + 1..CLIENTS).contains(&larger));
    stage.claim("prompt", prompt == CLIENTS);
    Ok(())
}

/// Takes a client out of the queue, and hears who it is.
fn serve(listener: &TcpListener) -> Result<String> {
    let (peer, _) = call::accept(listener)?;
    let mut buf = [0; 64];
    let n = call::recv(&peer, &mut buf, 0)?;
    call::close(peer)?;
    Ok(escape(&buf[..n]))
}

/// Lets clients come to a server that does not accept, one after the other, until one is stuck.
fn come(address: SocketAddr) -> Result<Vec<Knock>> {
    let mut knocks: Vec<Knock> = Vec::new();
    while knocks.len() < CLIENTS && knocks.iter().all(Knock::is_in) {
        let mut knock = Knock::at(address, knocks.len() + 1)?;
        knock.wait(LOOK)?;
        knocks.push(knock);
        super::until_queued(address, knocks.iter().filter(|knock| knock.is_in()).count())?;
    }
    Ok(knocks)
}

fn hello(number: usize) -> String {
    format!("client {number}")
}

/// A client that does not wait inside connect, so that one can see how it fares.
struct Knock {
    stream: TcpStream,
    begun: Instant,
    number: usize,
    /// `connected`, `refused`, or `silence`.
    news: &'static str,
}

impl Knock {
    fn at(address: SocketAddr, number: usize) -> Result<Knock> {
        let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
        call::fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let begun = Instant::now();
        let stream: TcpStream = call::connect_begin(socket, address)?;
        call::getsockname(&stream)?;
        Ok(Knock { stream, begun, number, news: "silence" })
    }

    /// Waits for the end of the handshake, and says hello.
    fn wait(&mut self, patience: Duration) -> Result<()> {
        let (fd, events) = (self.stream.as_raw_fd(), libc::POLLOUT);
        let mut list = [pollfd { fd, events, revents: 0 }];
        if call::poll(&mut list, Some(patience))? == 0 {
            return Ok(());
        }
        if call::getsockopt(&self.stream, SO_ERROR)? == OptValue::Int(0) {
            call::send(&self.stream, hello(self.number).as_bytes(), 0)?;
            self.news = "connected";
        } else {
            self.news = "refused";
        }
        Ok(())
    }

    fn is_in(&self) -> bool {
        self.news == "connected"
    }

    /// The state of its socket, as the kernel has it. Another client may have the same port, with another peer.
    fn state(&self, server: SocketAddr) -> Result<String> {
        let local = call::getsockname(&self.stream)?;
        let found = inspect::tcp(Ask::port(local.port()))?;
        let ours = |socket: &&Inet| socket.local == local && socket.peer == Some(server);
        Ok(found.iter().find(ours).map_or(State::CLOSE, |socket| socket.state).name().to_owned())
    }
}
