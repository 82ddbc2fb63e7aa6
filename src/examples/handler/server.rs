//! The server: opens its socket, waits for requests, and has each handled in one of three styles.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use libc::POLLIN;

use super::request::{Handler, Peer, Request};
use crate::address::Family;
use crate::call::{
    self, Domain, Fork, IPV6_V6ONLY, MSG_TRUNC, Pid, SO_REUSEADDR, TcpListener, TcpStream, Type,
    UdpSocket, WaitPidFlag, pollfd,
};
use crate::patience::Patience;
use crate::server::{self, Senders, Stats};
use crate::stop::{Sigchld, Stop, Watch, end_children};

/// Where a request is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Here, one after the other.
    Iterative,
    /// In a child process each.
    Forking,
    /// In a thread each.
    Threading,
}

/// A bound socket whose requests are for handlers.
///
/// ```
/// use netplay::examples::handler::{Handler, Request, Server, Style};
/// use netplay::stop::Stop;
///
/// struct Shout;
/// impl Handler for Shout {
///     fn handle(&mut self, request: &mut Request<'_>) -> anyhow::Result<()> {
///         let mut buf = [0; 1024];
///         while let Some(n) = request.recv(&mut buf)? {
///             request.send(&buf[..n].to_ascii_uppercase())?;
///         }
///         Ok(())
///     }
/// }
///
/// let server = Server::tcp("127.0.0.1:0".parse()?, 128)?;
/// let address = server.address();
/// let stop = Stop::new();
/// let from_outside = stop.clone();
/// let client = std::thread::spawn(move || {
///     use std::io::{Read, Write};
///     let mut stream = std::net::TcpStream::connect(address)?;
///     stream.write_all(b"hello")?;
///     let mut reply = [0; 5];
///     stream.read_exact(&mut reply)?;
///     from_outside.request();
///     std::io::Result::Ok(reply)
/// });
/// let stats = server.serve(Style::Threading, || Shout, &stop)?;
/// assert_eq!(&client.join().expect("the client does not panic")?, b"HELLO");
/// assert_eq!(stats.clients, 1);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Debug)]
pub struct Server {
    socket: Socket,
    address: SocketAddr,
    /// How many requests may be handled at once, in a style that can.
    pub max_clients: usize,
    /// Whether to end after the first request.
    pub once: bool,
    /// From which addresses datagrams came.
    senders: Mutex<Senders>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    /// The socket, and the size of the largest datagram it receives whole.
    Udp(UdpSocket, usize),
}

/// A request that has arrived.
#[derive(Debug)]
enum Arrival {
    Connection(TcpStream, SocketAddr),
    Datagram(Vec<u8>, SocketAddr),
}

impl Server {
    /// A TCP server at this address, listening.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn tcp(address: SocketAddr, backlog: i32) -> Result<Server> {
        Server::tcp_of(address, None, backlog)
    }

    /// The same, for one version of IP if it is asked for.
    pub(super) fn tcp_of(
        address: SocketAddr,
        family: Option<Family>,
        backlog: i32,
    ) -> Result<Server> {
        let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
        call::setsockopt(&socket, SO_REUSEADDR, 1)?;
        if let Some(alone) = server::v6_alone(address, family) {
            call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
        }
        call::bind(&socket, address)?;
        let listener: TcpListener = call::listen(socket, backlog)?;
        let address = call::getsockname(&listener)?;
        Ok(Server {
            socket: Socket::Tcp(listener),
            address,
            max_clients: 256,
            once: false,
            senders: Mutex::default(),
        })
    }

    /// A UDP server at this address.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn udp(address: SocketAddr, bufsize: usize) -> Result<Server> {
        Server::udp_of(address, None, bufsize)
    }

    /// The same, for one version of IP if it is asked for.
    pub(super) fn udp_of(
        address: SocketAddr,
        family: Option<Family>,
        bufsize: usize,
    ) -> Result<Server> {
        let socket = call::socket(Domain::for_address(address), Type::DGRAM, 0)?;
        if let Some(alone) = server::v6_alone(address, family) {
            call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
        }
        call::bind(&socket, address)?;
        let socket = UdpSocket::from(socket);
        let address = call::getsockname(&socket)?;
        Ok(Server {
            socket: Socket::Udp(socket, bufsize),
            address,
            max_clients: 256,
            once: false,
            senders: Mutex::default(),
        })
    }

    /// Where it can be reached: with the port that the kernel chose, if it was asked to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has every request handled by a handler that `make` makes for it, until the stop; then waits
    /// for those that are still running, and closes the socket.
    ///
    /// A handler that fails, or panics, ends its own request only.
    ///
    /// `Forking` in a program with other threads: the child is a copy in which only this thread runs,
    /// so the handler must need no lock that another thread may have held at that moment.
    ///
    /// # Errors
    /// The server's own socket failed.
    pub fn serve<H: Handler>(
        self,
        style: Style,
        make: impl Fn() -> H + Sync,
        stop: &Stop,
    ) -> Result<Stats> {
        match style {
            Style::Iterative => self.iterative(make, stop),
            Style::Forking => self.forking(make, stop),
            Style::Threading => self.threading(make, stop),
        }
    }

    fn iterative<H: Handler>(self, make: impl Fn() -> H, stop: &Stop) -> Result<Stats> {
        let mut stats = Stats::default();
        let waiting = stop.watch(&self);
        while !(self.once && stats.clients > 0)
            && let Some(arrival) = self.next(&waiting)?
        {
            stats.add(handle(arrival, self.datagrams(), &make, stop));
        }
        drop(waiting);
        let stats = self.told(stats);
        self.close()?;
        Ok(stats)
    }

    fn threading<H: Handler>(self, make: impl Fn() -> H + Sync, stop: &Stop) -> Result<Stats> {
        let (server, make) = (&self, &make);
        let total = &Mutex::new(Stats::default());
        let places = &stop.places(if self.once { 1 } else { self.max_clients })?;
        let mut requests = 0;
        let waiting = stop.watch(&self);
        thread::scope(|scope| -> Result<()> {
            while places.take()?
                && !(self.once && requests > 0)
                && let Some(arrival) = self.next(&waiting)?
            {
                requests += 1;
                let (hand_over, handed) = sync_channel(1);
                let handle_it = move || {
                    let Ok(arrival) = handed.recv() else { return };
                    let stats = handle(arrival, server.datagrams(), make, stop);
                    total.lock().unwrap_or_else(PoisonError::into_inner).add(stats);
                    places.give_back();
                };
                match thread::Builder::new().spawn_scoped(scope, handle_it) {
                    Ok(_) => hand_over.send(arrival).expect("the thread takes it first of all"),
                    Err(error) => {
                        let why = format_args!("no thread can be started ({error})");
                        server::no_room(arrival.client(), why);
                        arrival.close()?;
                        places.give_back();
                    }
                }
            }
            Ok(())
        })?;
        drop(waiting);
        let stats = self.told(*total.lock().unwrap_or_else(PoisonError::into_inner));
        self.close()?;
        Ok(stats)
    }

    fn forking<H: Handler>(self, make: impl Fn() -> H, stop: &Stop) -> Result<Stats> {
        let mut stats = Stats::default();
        let mut children: HashSet<Pid> = HashSet::new();
        let mut patience = Patience::default();
        let sigchld = Sigchld::keep();
        let waiting = stop.watch(&self);
        let mine = loop {
            let last = self.once && stats.clients > 0;
            if stop.requested() || children.is_empty() && last {
                break None;
            }
            let room = children.len() < self.max_clients && !last && patience.left().is_none();
            let events = if room { POLLIN } else { 0 };
            let mut list = [pollfd { fd: self.as_fd().as_raw_fd(), events, revents: 0 }];
            // SIGCHLD ends the wait; but in a program with more threads another one may get it.
            let timeout = (!children.is_empty()).then_some(Duration::from_secs(1));
            let waited = call::ppoll(&mut list, patience.left().or(timeout), &sigchld.let_in);
            let in_vain = matches!(waited, Ok(0));
            if sigchld.came(waited)? || in_vain {
                reap(&mut children)?;
            }
            if list[0].revents == 0 {
                continue;
            }
            let arrival = match self.receive() {
                Ok(Some(arrival)) => arrival,
                Ok(None) => break None,
                Err(_) if stop.requested() => break None,
                Err(error) => {
                    patience.with(error)?;
                    continue;
                }
            };
            stats.clients += 1;
            let undisturbed = stop.undisturbed();
            match call::fork() {
                Ok(Fork::Parent(child)) => {
                    children.insert(child);
                    arrival.close()?;
                }
                Ok(Fork::Child) => break Some((arrival, undisturbed)),
                Err(error) => {
                    server::lost(arrival.client(), error);
                    arrival.close()?;
                }
            }
        };
        if let Some((arrival, undisturbed)) = mine {
            // The child: it accepts nobody, handles its request, and never returns. The watch is the
            // parent's, and its lock may be held by a thread that does not exist here.
            std::mem::forget(waiting);
            let stop = stop.in_child(undisturbed);
            let datagrams = match self.socket {
                Socket::Udp(socket, _) => Some(socket),
                Socket::Tcp(listener) => {
                    let _ = call::close(listener); // recorded; a child has nobody to return to
                    None
                }
            };
            let stats = handle(arrival, datagrams.as_ref(), &make, &stop);
            std::process::exit(if stats.failed > 0 { 1 } else { 0 });
        }
        drop(waiting);
        let stats = self.told(stats);
        self.close()?;
        end_children(children, &sigchld)?;
        Ok(stats)
    }

    /// Waits for the next request; `None` is the stop.
    fn next(&self, waiting: &Watch<'_>) -> Result<Option<Arrival>> {
        Ok(waiting.or(|| self.receive())?.flatten())
    }

    /// The one call that makes a request: accept, or recvfrom. `None`: the socket was shut down.
    fn receive(&self) -> call::Result<Option<Arrival>> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (peer, client) = call::accept(listener)?;
                Ok(Some(Arrival::Connection(peer, client)))
            }
            Socket::Udp(socket, bufsize) => {
                let mut data = vec![0; *bufsize];
                let (len, client) = call::recvfrom(socket, &mut data, MSG_TRUNC)?;
                data.truncate(len);
                if let Some(client) = client {
                    self.senders.lock().unwrap_or_else(PoisonError::into_inner).note(client);
                }
                Ok(client.map(|client| Arrival::Datagram(data, client)))
            }
        }
    }

    /// What it did, in the words of its protocol: a request is a connection, or a datagram.
    fn told(&self, stats: Stats) -> Stats {
        match &self.socket {
            Socket::Tcp(_) => stats,
            Socket::Udp(..) => {
                let addresses = self.senders.lock().unwrap_or_else(PoisonError::into_inner).count();
                Stats { clients: 0, datagrams: stats.clients, addresses: Some(addresses), ..stats }
            }
        }
    }

    /// The socket that answers datagrams, if that is what this server receives.
    fn datagrams(&self) -> Option<&UdpSocket> {
        match &self.socket {
            Socket::Tcp(_) => None,
            Socket::Udp(socket, _) => Some(socket),
        }
    }

    fn close(self) -> call::Result<()> {
        match self.socket {
            Socket::Tcp(listener) => call::close(listener),
            Socket::Udp(socket, _) => call::close(socket),
        }
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Tcp(listener) => listener.as_fd(),
            Socket::Udp(socket, _) => socket.as_fd(),
        }
    }
}

impl Arrival {
    fn client(&self) -> SocketAddr {
        match self {
            Arrival::Connection(_, client) | Arrival::Datagram(_, client) => *client,
        }
    }

    /// The parent's copy of a connection that a child handles. A datagram has nothing to close.
    fn close(self) -> call::Result<()> {
        match self {
            Arrival::Connection(peer, _) => call::close(peer),
            Arrival::Datagram(..) => Ok(()),
        }
    }
}

/// Setup, handle, finish, close: one request from its arrival to its end.
fn handle<H: Handler>(
    arrival: Arrival,
    datagrams: Option<&UdpSocket>,
    make: impl Fn() -> H,
    stop: &Stop,
) -> Stats {
    let client = arrival.client();
    let converse = |peer| {
        let mut request = Request { client, peer, stats: Stats { clients: 1, ..Stats::default() } };
        if let Err(error) = steps(&make, &mut request) {
            request.stats.failed = 1;
            server::lost(client, error);
        }
        request.stats
    };
    match (arrival, datagrams) {
        (Arrival::Connection(peer, _), _) => {
            let stats = converse(Peer::Stream(&peer, stop.watch(&peer)));
            if let Err(error) = call::close(peer) {
                server::lost(client, error);
            }
            stats
        }
        (Arrival::Datagram(data, _), Some(socket)) => converse(Peer::Datagram(socket, Some(data))),
        (Arrival::Datagram(..), None) => unreachable!("only a datagram socket receives datagrams"),
    }
}

/// The steps of a handler. Each may panic: that ends this request, and `finish` comes all the same.
fn steps<H: Handler>(make: impl Fn() -> H, request: &mut Request<'_>) -> Result<()> {
    let mut handler = caught(|| Ok(make()))?;
    caught(|| handler.setup(request))?;
    let handled = caught(|| handler.handle(request));
    let finished = caught(|| {
        handler.finish(request);
        Ok(())
    });
    handled.and(finished)
}

fn caught<T>(step: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = catch_unwind(AssertUnwindSafe(step));
    done.unwrap_or_else(|_| Err(anyhow!("the handler panicked")))
}

/// Asks after each of our children whether it has ended. A library must not wait for "any child":
/// the others belong to somebody else.
fn reap(children: &mut HashSet<Pid>) -> call::Result<()> {
    let mut ended = Vec::new();
    for &child in children.iter() {
        if call::waitpid(Some(child), WaitPidFlag::WNOHANG)?.pid().is_some() {
            ended.push(child);
        }
    }
    children.retain(|child| !ended.contains(child));
    Ok(())
}
