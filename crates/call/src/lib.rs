//! The system calls of netplay: one function for each, and each call is recorded.
//!
//! A function here has the name and the arguments of its manual page, makes **one** system call
//! and records **one** event. A page of netplay may use
//! no other way to the kernel for a socket. So what `strace` shows, line by line, is what the story tells.
//!
//! ```
//! use netplay_call::{self as call, Domain, TcpListener, TcpStream, Type};
//!
//! let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
//! call::bind(&socket, std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
//! let listener: TcpListener = call::listen(socket, 1)?;
//!
//! let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
//! let client: TcpStream = call::connect(socket, call::getsockname(&listener)?)?;
//! call::send(&client, b"hello", 0)?;
//!
//! let (peer, _address) = call::accept(&listener)?;
//! let mut buf = [0; 1024];
//! let n = call::recv(&peer, &mut buf, 0)?;
//! assert_eq!(&buf[..n], b"hello");
//! # Ok::<(), netplay_call::CallError>(())
//! ```
//!
//! ```text
//! a page ── call::recv(&peer, &mut buf, 0) ──▶ recvfrom(2)
//!                     │
//!                     └─ an event of `tracing`, target "netplay::call", if there is a listener
//! ```
//!
//! [`socket`] makes a [`Socket`], neither listening nor connected. The next calls return the type that it
//! becomes: [`listen`] makes a `TcpListener` or `UnixListener`, [`connect`] a `TcpStream`,
//! `UnixStream` or connected `UdpSocket`, [`accept`] a stream. They are this crate's own types, not
//! the standard library's, because dropping one is a [`close`] that is recorded like every other.
//!
//! Without a listener a call costs one load and one branch more than the system call itself: no
//! clock is read, nothing is formatted.
//!
//! There are also two modules that a server needs around its calls: [`stop`] ends calls that wait, [`shortage`] handles an
//! `accept` that fails because descriptors are short.

#![expect(clippy::disallowed_methods, reason = "the door to the kernel")]

pub mod descriptor;
pub mod shortage;
pub mod stop;

mod clock;
mod error;
mod owned;
mod option;
mod message;
mod wait;
mod epoll;
mod process;
mod buffers;
mod ring;
mod step;
mod gather;
mod known;
mod listener;
mod hide;
mod signal;
mod state;
mod transfer;

use std::io;
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use socket2::{SockAddr, SockRef};

use self::step::Step;
use gather::Wait;
use netplay_record::{
    self as record, Bytes, Connection, Family, Fcntl, Get, Receive, RecordLock, Send, SocketKind,
    Sockopt,
};
use owned::Descriptor;

pub use buffers::Buffer;
pub use clock::{Clocks, monotonic};
pub use epoll::{EpollFlags, EpollOp, epoll_create, epoll_ctl, epoll_event, epoll_wait};
pub use error::{CallError, Result};
pub use gather::{Gatherer, catch_up, gather};
pub use hide::{HIDDEN, Hide, hide, show_secrets};
pub use libc::{
    MSG_DONTWAIT, MSG_ERRQUEUE, MSG_NOSIGNAL, MSG_OOB, MSG_PEEK, MSG_TRUNC, SOCK_NONBLOCK,
};
pub use listener::TARGET;
pub use message::{Message, recvmsg, sendmmsg};
pub use netplay_record::{
    BytesName, Complaint, ConnectionName, Name, ProcessName, RingName, SockoptName, WaitName,
    strerror,
};
pub use nix::fcntl::{FcntlArg, FdFlag, OFlag};
pub use option::*;
pub use owned::{
    Epoll, Socket, TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream, close,
};
pub use process::{
    Fork, Pid, SigSet, SigmaskHow, Signal, WaitPidFlag, WaitStatus, fork, kill, sigprocmask,
    sigtimedwait, waitpid,
};
pub use ring::{
    Completion, ONE_THREAD, Operation, Ring, Shot, io_uring_enter, io_uring_register_buf_ring,
    io_uring_setup,
};
pub use signal::is_pending;
pub(crate) use signal::shutdown_in_handler;
pub use socket2::{Domain, Type};
pub use state::{found, state_of};
pub use step::{observe, who};
pub use transfer::{SYNC_FILE_RANGE_WRITE, sendfile, splice, sync_file_range};
pub use wait::{FdSet, poll, pollfd, ppoll, select};

/// A socket that accepts connections, and the types that `accept` returns.
pub trait Listener: AsFd {
    /// The connected socket that [`accept`] returns.
    type Stream: From<Socket>;
    /// The name of the client at its other end.
    type Address;
    /// The name as the listener's own family spells it.
    fn address(address: &SockAddr) -> Self::Address;
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Address = SocketAddr;

    fn address(address: &SockAddr) -> SocketAddr {
        address.as_socket().expect("accept on an IPv4 or IPv6 listener names an IPv4 or IPv6 peer")
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;
    /// A UNIX client is nameless unless it chose to bind.
    type Address = ();

    fn address(_: &SockAddr) {}
}

/// Makes a socket: a descriptor and the kernel's bookkeeping behind it, without an address or a
/// peer. It will be closed on exec (SOCK_CLOEXEC).
///
/// `protocol` 0 means the usual one: TCP for `STREAM`, UDP for `DGRAM`. See socket(2).
pub fn socket(domain: Domain, ty: Type, protocol: i32) -> Result<Socket> {
    let step = Step::begin(ConnectionName::Socket, None);
    let protocol_of = (protocol != 0).then(|| socket2::Protocol::from(protocol));
    let made = socket2::Socket::new(domain, ty, protocol_of);
    step.end(made, |_| Connection::Socket(socket_kind(domain, ty, protocol)))
        .map(|socket| Socket(Descriptor::new(socket)))
}

/// Gives the socket its own address. Port 0 asks the kernel for any free one; [`getsockname`]
/// tells which. See bind(2).
///
/// EADDRINUSE: another socket has the address. EADDRNOTAVAIL: this machine does not have it. EACCES: a
/// port below 1024 needs a privilege.
pub fn bind(socket: &impl AsFd, address: impl Into<SockAddr>) -> Result<()> {
    let (fd, address) = (socket.as_fd(), address.into());
    let step = Step::begin(ConnectionName::Bind, Some(fd.as_raw_fd()));
    let bound = SockRef::from(&fd).bind(&address);
    step.end(bound, |_| Connection::Bind(Some(address.clone().into())))
        .map_err(|error| error.about(&address))
}

/// Turns a bound socket into a listener: from now on the kernel answers connection requests by
/// itself, and keeps up to `backlog` finished connections until [`accept`] fetches them. See listen(2).
///
/// Linux keeps one more than the smaller of `backlog` and net.core.somaxconn. When the queue is full it
/// does not refuse: it drops the SYN, and the client sends it again and again.
pub fn listen<L: Listener + From<Socket>>(socket: Socket, backlog: i32) -> Result<L> {
    let fd = socket.as_fd().as_raw_fd();
    let step = Step::begin(ConnectionName::Listen, Some(fd));
    let listening = SockRef::from(&socket).listen(backlog);
    step.end(listening, |_| Connection::Listen(Some(backlog)))?;
    Ok(socket.into())
}

/// Takes the oldest finished connection out of the listener's queue, and waits while the queue is
/// empty. The connected socket is a new one; the listener stays as it was. See accept(2).
pub fn accept<L: Listener>(listener: &L) -> Result<(L::Stream, L::Address)> {
    accept4(listener, 0)
}

/// [`accept`] with flags for the new socket: `SOCK_NONBLOCK`, or 0. It is closed on exec either way.
///
/// An accepted socket does not inherit the listener's O_NONBLOCK on Linux; on BSD it does.
pub fn accept4<L: Listener>(listener: &L, flags: i32) -> Result<(L::Stream, L::Address)> {
    let fd = listener.as_fd();
    let step = Step::wait(ConnectionName::Accept, Some(fd.as_raw_fd()), Wait::Others);
    let accepted = SockRef::from(&fd).accept4(flags | libc::SOCK_CLOEXEC);
    step.end(accepted, |ok| Connection::Accept {
        peer: ok.map(|(_, address)| address.clone().into()),
        nonblock: flags & SOCK_NONBLOCK != 0,
        cloexec: true,
    })
    .map(|(peer, address)| (Socket(Descriptor::new(peer)).into(), L::address(&address)))
}

/// Connects the socket to a peer. For TCP this is the handshake, and the call waits until it is
/// done; the other *program* need not have called `accept` yet. For UDP nothing is sent: the kernel
/// only remembers the address. See connect(2).
pub fn connect<S: From<Socket>>(socket: Socket, address: impl Into<SockAddr>) -> Result<S> {
    let address = address.into();
    let fd = socket.as_fd();
    let step = Step::wait(ConnectionName::Connect, Some(fd.as_raw_fd()), Wait::Others);
    let connected = SockRef::from(&fd).connect(&address);
    step.end(connected, |_| Connection::Connect(Some(address.clone().into())))
        .map_err(|error| error.about(&address))?;
    Ok(socket.into())
}

/// [`connect`] on a socket with O_NONBLOCK: the handshake begins, and the call does not wait for its
/// end (EINPROGRESS, the usual answer, is not an error here). The socket becomes writable when it has
/// ended, and `SO_ERROR` says whether it succeeded. See connect(2).
pub fn connect_begin<S: From<Socket>>(socket: Socket, address: impl Into<SockAddr>) -> Result<S> {
    let address = address.into();
    let fd = socket.as_fd();
    let step = Step::wait(ConnectionName::Connect, Some(fd.as_raw_fd()), Wait::Others);
    let begun = SockRef::from(&fd).connect(&address);
    match step.end(begun, |_| Connection::Connect(Some(address.clone().into()))) {
        Err(error) if error.errno() != nix::errno::Errno::EINPROGRESS => Err(error.about(&address)),
        _ => Ok(socket.into()),
    }
}

/// Takes what has arrived, at most `buf.len()` bytes, and waits while nothing has. 0 is the end:
/// the peer will send no more. The boundaries between sends are not kept. See recv(2).
pub fn recv(stream: &impl AsFd, buf: &mut [u8], flags: i32) -> Result<usize> {
    let fd = stream.as_fd();
    let step = Step::wait(BytesName::Recv, Some(fd.as_raw_fd()), Wait::Others);
    let received = SockRef::from(&fd).recv_with_flags(uninit(buf), flags);
    step.end(received, |n| Bytes::Recv(receive(fd, buf, flags, n.copied())))
}

/// Hands bytes to the kernel, which sends them when it can; returns how many it took, which may
/// be fewer than given. It waits while the send buffer is full. See send(2).
///
/// With `MSG_NOSIGNAL` a peer that has gone causes an error (EPIPE), not a signal that ends the program.
pub fn send(stream: &impl AsFd, data: &[u8], flags: i32) -> Result<usize> {
    let fd = stream.as_fd();
    let room = Wait::Room(data.len());
    let step = Step::wait(BytesName::Send, Some(fd.as_raw_fd()), room);
    let sent = SockRef::from(&fd).send_with_flags(data, flags);
    step.end(sent, |n| Bytes::Send(sending(fd, data, flags, n.copied())))
}

/// Takes one datagram and returns its sender. What does not fit into `buf` is discarded; with
/// `MSG_TRUNC` the length returned is the datagram's own, so the loss can be seen. An empty datagram is
/// also a message. See recvfrom(2).
///
/// The sender is `None` only if the socket was shut down: no datagram arrived.
pub fn recvfrom(
    socket: &impl AsFd,
    buf: &mut [u8],
    flags: i32,
) -> Result<(usize, Option<SocketAddr>)> {
    let fd = socket.as_fd();
    let step = Step::wait(BytesName::Recvfrom, Some(fd.as_raw_fd()), Wait::Datagram);
    let received = SockRef::from(&fd).recv_from_with_flags(uninit(buf), flags);
    step.end(received, |ok| {
        let brought = receive(fd, buf, flags, ok.map(|(n, _)| *n));
        Bytes::Recvfrom(brought, ok.map(|(_, from)| from.clone().into()))
    })
    .map(|(n, from)| (n, from.as_socket()))
}

/// Sends one datagram to an address, whole or not at all. It returns when the kernel has taken it, which
/// does not mean that it is received. See sendto(2).
///
/// EMSGSIZE: over 65,507 bytes (IPv4). ECONNREFUSED: an ICMP answer to an *earlier* datagram.
pub fn sendto(
    socket: &impl AsFd,
    data: &[u8],
    flags: i32,
    to: impl Into<SockAddr>,
) -> Result<usize> {
    let (fd, to) = (socket.as_fd(), to.into());
    let room = Wait::Room(data.len());
    let step = Step::wait(BytesName::Sendto, Some(fd.as_raw_fd()), room);
    let sent = SockRef::from(&fd).send_to_with_flags(data, &to, flags);
    step.end(sent, |n| Bytes::Sendto(sending(fd, data, flags, n.copied()), Some(to.clone().into())))
        .map_err(|error| error.about(&to))
}

/// Ends one direction of a connection, or both, and keeps the descriptor. `Shutdown::Write` sends
/// FIN: the peer's `recv` returns 0 once it has read everything before it. Other processes that
/// hold the same socket also lose that direction, unlike with [`close`]. See shutdown(2).
pub fn shutdown(socket: &impl AsFd, how: Shutdown) -> Result<()> {
    let fd = socket.as_fd();
    let step = Step::begin(ConnectionName::Shutdown, Some(fd.as_raw_fd()));
    let done = SockRef::from(&fd).shutdown(how);
    step.end(done, |_| Connection::Shutdown(how))
}

/// A socket whose addresses are an IP address and a port.
pub trait Inet: AsFd {}

impl Inet for TcpListener {}
impl Inet for TcpStream {}
impl Inet for UdpSocket {}
/// A socket that is only bound: over ICMP its port is the identifier.
impl Inet for Socket {}

/// The socket's own address: after `bind` to port 0 or a `connect`, the one the kernel chose. See
/// getsockname(2).
pub fn getsockname(socket: &impl Inet) -> Result<SocketAddr> {
    let fd = socket.as_fd();
    let step = Step::begin(ConnectionName::Getsockname, Some(fd.as_raw_fd()));
    let name = SockRef::from(&fd).local_addr();
    step.end(name, |name| Connection::Getsockname(name.cloned().map(Box::new)))
        .map(|name| TcpListener::address(&name))
}

/// The address at the other end. ENOTCONN if the socket has no peer, and after the connection was reset:
/// so call it before the end, not after. See getpeername(2).
pub fn getpeername(socket: &impl Inet) -> Result<SocketAddr> {
    let fd = socket.as_fd();
    let step = Step::begin(ConnectionName::Getpeername, Some(fd.as_raw_fd()));
    let name = SockRef::from(&fd).peer_addr();
    step.end(name, |name| Connection::Getpeername(name.cloned().map(Box::new)))
        .map(|name| TcpListener::address(&name))
}

/// Reads or changes the flags of a descriptor: `F_GETFL`, or `F_SETFL(flags | O_NONBLOCK)` to make
/// its calls fail with EAGAIN where they would wait. `F_SETFD` sets whether the descriptor is closed on exec:
/// all descriptors of this module are, unless that is changed. See fcntl(2).
///
/// `F_SETLKW(&lock)` waits for a lock on a part of a file and takes it, or releases it. The lock belongs to
/// the process, not to the descriptor: a forked child does not inherit its parent's locks, and the kernel releases
/// those of a process that ends, however it ended.
pub fn fcntl(socket: &impl AsFd, arg: FcntlArg<'_>) -> Result<i32> {
    let fd = socket.as_fd();
    let step = match arg {
        FcntlArg::F_SETLKW(_) => Step::wait(SockoptName::Fcntl, Some(fd.as_raw_fd()), Wait::Others),
        _ => Step::begin(SockoptName::Fcntl, Some(fd.as_raw_fd())),
    };
    let asked = step.listening().then(|| fcntl_told(&arg));
    let answered = nix::fcntl::fcntl(fd, arg).map_err(io::Error::from);
    step.end(answered, |flags| match (asked.unwrap_or_default(), flags) {
        (Fcntl::GetFlags(_), Some(&flags)) => Sockopt::Fcntl(Fcntl::GetFlags(flags)),
        (asked, _) => Sockopt::Fcntl(asked),
    })
}

/// The other fcntl: `F_SETOWN` makes a process the owner of the socket. After [`fcntl`] has set O_ASYNC, the
/// process gets SIGIO when the socket becomes ready. See fcntl(2).
#[expect(unsafe_code, reason = "fcntl takes whatever the command wants; here, a number")]
pub fn fcntl_setown(socket: &impl AsFd, owner: Pid) -> Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    let step = Step::begin(SockoptName::Fcntl, Some(fd));
    // SAFETY: with this command fcntl takes two numbers.
    let done = unsafe { libc::fcntl(fd, libc::F_SETOWN, owner.as_raw()) };
    let done = if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) };
    step.end(done, |_| Sockopt::Fcntl(Fcntl::SetOwner(owner.as_raw())))
}

/// Sets an option of the socket. The kernel may round, double or cap the value: read it
/// back with [`getsockopt`]. See setsockopt(2), socket(7), ip(7), tcp(7), udp(7), unix(7).
///
/// ENOPROTOOPT: this kind of socket has no such option. EPERM: it needs a privilege.
pub fn setsockopt(socket: &impl AsFd, option: Opt, value: impl Into<OptValue>) -> Result<()> {
    let (fd, value) = (socket.as_fd(), value.into());
    let step = Step::begin(SockoptName::Setsockopt, Some(fd.as_raw_fd()));
    let set = option::set(fd, option, &value);
    step.end(set, |_| option::option_set(option, value, known::has_datagrams(fd.as_raw_fd())))
}

/// The value of an option, as the kernel has it. See getsockopt(2).
pub fn getsockopt(socket: &impl AsFd, option: Opt) -> Result<OptValue> {
    let fd = socket.as_fd();
    let step = Step::begin(SockoptName::Getsockopt, Some(fd.as_raw_fd()));
    let got = option::get(fd, option);
    step.end(got, |value| {
        let (level, option_name) = (option.level().into(), option.name().into());
        let (room, value) = (option.kind().size(), value.cloned());
        Sockopt::Getsockopt(Get { level, option: option_name, room, value })
    })
}

/// The value of an fcntl; only its result says which flags are set.
fn fcntl_told(arg: &FcntlArg<'_>) -> Fcntl {
    match arg {
        FcntlArg::F_GETFL => Fcntl::GetFlags(0),
        FcntlArg::F_SETFL(flags) => Fcntl::SetFlags(flags.bits()),
        FcntlArg::F_SETFD(flags) => Fcntl::SetCloexec(flags.contains(FdFlag::FD_CLOEXEC)),
        FcntlArg::F_SETLKW(lock) => Fcntl::Lock(RecordLock {
            kind: lock.l_type.into(),
            whence: lock.l_whence.into(),
            start: lock.l_start,
            len: lock.l_len,
        }),
        other => Fcntl::Other(format!("{other:?}")),
    }
}

/// The arguments of `socket`, as a value.
fn socket_kind(domain: Domain, ty: Type, protocol: i32) -> SocketKind {
    let family = match domain {
        Domain::IPV4 => Family::Inet,
        Domain::IPV6 => Family::Inet6,
        Domain::UNIX => Family::Unix,
        other => Family::Other(other.into()),
    };
    let ty = match i32::from(ty) {
        libc::SOCK_STREAM => record::Type::Stream,
        libc::SOCK_DGRAM => record::Type::Datagram,
        libc::SOCK_RAW => record::Type::Raw,
        other => record::Type::Other(other),
    };
    SocketKind { family, ty, protocol, flags: libc::SOCK_CLOEXEC }
}

/// The value of a call that received this many bytes, if it did not fail.
fn receive(fd: BorrowedFd<'_>, buf: &[u8], flags: i32, received: Option<usize>) -> Receive {
    let data = received.map(|n| hide::received(fd.as_raw_fd(), &buf[..n.min(buf.len())]));
    Receive { flags, at: buf.as_ptr().addr(), room: buf.len(), data }
}

/// The value of a call that was given these bytes and sent this many, if it did not fail.
fn sending(fd: BorrowedFd<'_>, data: &[u8], flags: i32, sent: Option<usize>) -> Send {
    Send { flags, data: hide::sent(fd.as_raw_fd(), data, sent.unwrap_or_default()) }
}

/// A buffer as the kernel takes it: bytes to be written, never read.
#[expect(unsafe_code, reason = "socket2 receives into memory that need not be initialised")]
fn uninit(buf: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    // SAFETY: the layouts are the same, and a receive only ever writes initialised bytes into it.
    unsafe { &mut *(std::ptr::from_mut(buf) as *mut [MaybeUninit<u8>]) }
}
