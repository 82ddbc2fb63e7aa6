//! The server: opens its socket, waits for requests, and handles each in one of three styles.

use std::error::Error;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::error::ServeError;
use super::request::{Handler, Peer, Request, SendError};
use crate::address::Family;
use crate::admission::{ClientProcesses, ClientThreads, OneAtATime, Session};
use crate::call::{
    self, Domain, Fork, IPV6_V6ONLY, MSG_TRUNC, Pid, SO_REUSEADDR, TcpListener, TcpStream, Type,
    UdpSocket, WaitPidFlag, pollfd,
};
use crate::lang::Lang;
use crate::server::{self, Senders, ServerArgs, Stats};
use crate::stop::Stop;

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

/// A bound socket whose requests go to handlers.
///
/// ```
/// use netplay::handler::{self, Handler, Request, Server, Style};
/// use netplay::stop::Stop;
///
/// struct Shout;
/// impl Handler for Shout {
///     fn handle(&mut self, request: &mut Request<'_>) -> handler::Result {
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
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    socket: Socket,
    address: SocketAddr,
    /// How many requests may be handled at once, in a style that can.
    pub max_clients: usize,
    /// Whether to end after the first request.
    pub once: bool,
    /// How many datagrams came, and from which addresses.
    datagrams: AtomicU64,
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
    /// The address is not available.
    pub fn tcp(address: SocketAddr, backlog: i32) -> call::Result<Server> {
        Server::tcp_of(address, None, backlog)
    }

    /// The same, for one version of IP if it is asked for.
    pub(crate) fn tcp_of(
        address: SocketAddr,
        family: Option<Family>,
        backlog: i32,
    ) -> call::Result<Server> {
        let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
        call::setsockopt(&socket, SO_REUSEADDR, 1)?;
        if let Some(alone) = server::v6_alone(address, family) {
            call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
        }
        call::bind(&socket, address)?;
        let listener: TcpListener = call::listen(socket, backlog)?;
        let address = call::getsockname(&listener)?;
        Ok(Server::of(Socket::Tcp(listener), address))
    }

    /// A UDP server at this address.
    ///
    /// # Errors
    /// The address is not available.
    pub fn udp(address: SocketAddr, bufsize: usize) -> call::Result<Server> {
        Server::udp_of(address, None, bufsize)
    }

    /// The same, for one version of IP if it is asked for.
    pub(crate) fn udp_of(
        address: SocketAddr,
        family: Option<Family>,
        bufsize: usize,
    ) -> call::Result<Server> {
        let socket = call::socket(Domain::for_address(address), Type::DGRAM, 0)?;
        if let Some(alone) = server::v6_alone(address, family) {
            call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
        }
        call::bind(&socket, address)?;
        let socket = UdpSocket::from(socket);
        let address = call::getsockname(&socket)?;
        Ok(Server::of(Socket::Udp(socket, bufsize), address))
    }

    fn of(socket: Socket, address: SocketAddr) -> Server {
        let (datagrams, senders) = Default::default();
        Server { socket, address, max_clients: 256, once: false, datagrams, senders }
    }

    /// Its address, with the port that the kernel chose, if the port was 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Handles every request with a handler that `make` makes for it, until the stop; then waits
    /// for the handlers that still run, and closes the socket.
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
    ) -> Result<Stats, ServeError> {
        let (max_clients, once) = (self.max_clients, self.once);
        let args = &ServerArgs { max_clients, once, ..ServerArgs::default() };
        match style {
            Style::Iterative => self.iterative(make, args, stop),
            Style::Forking => self.forking(make, args, stop),
            Style::Threading => self.threading(make, args, stop),
        }
    }

    /// The loop of tcp_echo.rs.
    fn iterative<H: Handler>(
        self,
        make: impl Fn() -> H,
        args: &ServerArgs,
        stop: &Stop,
    ) -> Result<Stats, ServeError> {
        let mut clients = OneAtATime::new(args, stop, &self);
        while let Some(Some(arrival)) = clients.next(|| self.receive())? {
            let client = arrival.client();
            let handled = handle(arrival, self.datagram_socket(), &make, &mut clients.session);
            clients.finish(client, handled);
        }
        let stats = self.told(clients.end());
        self.close()?;
        Ok(stats)
    }

    /// The loop of thread.rs.
    fn threading<H: Handler>(
        self,
        make: impl Fn() -> H + Sync,
        args: &ServerArgs,
        stop: &Stop,
    ) -> Result<Stats, ServeError> {
        let (server, make) = (&self, &make);
        let threads = ClientThreads::new(args, stop, server)?;
        thread::scope(|scope| -> Result<(), ServeError> {
            while let Some(mut session) = threads.room()?
                && let Some(Some(arrival)) = threads.next(|| server.receive())?
            {
                let client = arrival.client();
                let handle_it = move || {
                    let datagrams = server.datagram_socket();
                    let handled = handle(arrival, datagrams, make, &mut session);
                    session.finish(client, handled);
                };
                if let Err(error) = thread::Builder::new().spawn_scoped(scope, handle_it) {
                    server::no_thread(client, &error);
                }
            }
            Ok(())
        })?;
        let stats = self.told(threads.end());
        self.close()?;
        Ok(stats)
    }

    /// The loop of fork.rs.
    fn forking<H: Handler>(
        self,
        make: impl Fn() -> H,
        args: &ServerArgs,
        stop: &Stop,
    ) -> Result<Stats, ServeError> {
        let mut children = ClientProcesses::new(args, stop, &self);
        while children.goes_on() {
            let (fd, events) = (self.as_fd().as_raw_fd(), children.interest());
            let mut list = [pollfd { fd, events, revents: 0 }];
            // SIGCHLD ends the wait; but in a program with more threads another one may get it.
            let look = children.any().then_some(Duration::from_secs(1));
            let timeout = children.timeout().or(look);
            let waited = call::ppoll(&mut list, timeout, children.let_in());
            let in_vain = matches!(waited, Ok(0));
            if children.may_have_ended(waited)? || in_vain {
                // A library must not wait for "any child": the others belong to other code of the program.
                for child in children.all().collect::<Vec<Pid>>() {
                    if call::waitpid(Some(child), WaitPidFlag::WNOHANG)?.pid().is_some() {
                        children.remove(child);
                    }
                }
            }
            if list[0].revents == 0 {
                continue;
            }
            let Some(Some(arrival)) = children.admit(self.receive())? else { continue };
            match call::fork() {
                Ok(Fork::Child) => {
                    let mut session = children.in_child();
                    let datagrams = match self.socket {
                        Socket::Udp(socket, _) => Some(socket),
                        Socket::Tcp(listener) => {
                            let _ = call::close(listener); // recorded; a child has no caller to return it to
                            None
                        }
                    };
                    let client = arrival.client();
                    let handled = handle(arrival, datagrams.as_ref(), &make, &mut session);
                    session.finish(client, handled);
                    std::process::exit(if session.stats.failed > 0 { 1 } else { 0 })
                }
                Ok(Fork::Parent(child)) => children.add(child),
                Err(error) => server::lost(arrival.client(), &error),
            }
            arrival.close()?;
        }
        let stats = self.told(children.end()?);
        self.close()?;
        Ok(stats)
    }

    /// The call that returns a request: accept, or recvfrom. `None`: the socket was shut down.
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
                    self.datagrams.fetch_add(1, Relaxed);
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
                let datagrams = self.datagrams.load(Relaxed);
                Stats { clients: 0, datagrams, addresses: Some(addresses), ..stats }
            }
        }
    }

    /// The socket that answers datagrams, if that is what this server receives.
    fn datagram_socket(&self) -> Option<&UdpSocket> {
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
    session: &mut Session<'_>,
) -> super::Result {
    let client = arrival.client();
    let converse = |peer, session: &mut Session<'_>| {
        let mut request = Request { client, peer, stats: Stats::default() };
        let handled = steps(&make, &mut request).map_err(opened);
        request.stats.failed = u64::from(handled.is_err());
        session.stats.add(request.stats);
        handled
    };
    match (arrival, datagrams) {
        (Arrival::Connection(peer, _), _) => {
            let handled = converse(Peer::Stream(&peer, session.watch(&peer)), session);
            handled.and(Ok(call::close(peer)?))
        }
        (Arrival::Datagram(data, _), Some(socket)) => {
            converse(Peer::Datagram(socket, Some(data)), session)
        }
        (Arrival::Datagram(..), None) => unreachable!("only a datagram socket receives datagrams"),
    }
}

/// The steps of a handler. Each may panic: that ends this request, but `finish` is still called.
fn steps<H: Handler>(make: impl Fn() -> H, request: &mut Request<'_>) -> super::Result {
    let mut handler = caught(|| Ok(make()))?;
    caught(|| handler.setup(request))?;
    let handled = caught(|| handler.handle(request));
    let finished = caught(|| {
        handler.finish(request);
        Ok(())
    });
    handled.and(finished)
}

fn caught<T>(step: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let done = catch_unwind(AssertUnwindSafe(step));
    done.unwrap_or_else(|_| {
        Err(Lang::current().pick("the handler panicked", "处理程序 panic 了").into())
    })
}

type Failure = Box<dyn Error + Send + Sync>;

/// The error of a call as its own type, so that a timeout is recognised after it went through the handler.
fn opened(failure: Failure) -> Failure {
    match failure.downcast::<SendError>().map(|error| *error) {
        Ok(SendError::Call(error)) => error.into(),
        Ok(error) => error.into(),
        Err(other) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::CallError;

    #[test]
    fn a_call_that_failed_in_a_handler_is_told_as_itself() {
        let socket = call::socket(Domain::IPV4, Type::DGRAM, 0).unwrap();
        let unconnected = call::send(&UdpSocket::from(socket), b"a", 0).unwrap_err();
        let told = opened(SendError::from(unconnected).into());
        assert_eq!(told.downcast_ref().map(CallError::call), Some("send"));
        let told = opened(SendError::Stops.into());
        assert_eq!(told.to_string(), "the server stops before all was sent");
    }
}
