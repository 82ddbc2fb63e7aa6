//! The state of a socket after a call, for readers who want to see more than the calls.
//!
//! It takes system calls of the observer's own, made after the program's call and never recorded.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use netplay_record::{Descriptor, Type, address_text};
use netplay_text::tcp::{CLOSED, State};
use socket2::{SockAddr, SockRef};

/// What the observer saw of a socket.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// `ESTABLISHED, receive queue 0, send queue 31, rcvbuf 131072, sndbuf 2626560`; nothing when
    /// the descriptor is not a socket.
    pub(super) text: Option<String>,
    /// The address of this end, once it has one.
    pub(super) local: Option<SockAddr>,
}

/// Looks at the socket after a call. After a `close` the descriptor is free, but the kernel may
/// still have the connection: it is found by its two addresses.
pub(super) fn of(fd: RawFd, local: Option<&str>, peer: Option<&str>, closed: bool) -> Seen {
    let in_table = || table_state(local?, peer?);
    if closed {
        return Seen { text: in_table().map(str::to_owned), local: None };
    }
    let Some(mut text) = queues(fd) else { return Seen::default() };
    if let Some(state) = tcp_state(fd) {
        // A connection in TIME_WAIT lives on in a smaller record of the kernel's, and its socket says
        // CLOSED.
        let state = if state == CLOSED { in_table().unwrap_or(state) } else { state };
        text = format!("{state}, {text}");
    }
    Seen { text: Some(text), local: name(fd) }
}

/// The state, queues and buffers of a socket in words, by any descriptor of it. The addresses are those of a connection;
/// after a `close` it is looked for by them.
#[must_use]
pub fn state_of(
    fd: impl AsFd,
    local: Option<&str>,
    peer: Option<&str>,
    closed: bool,
) -> Option<String> {
    of(fd.as_fd().as_raw_fd(), local, peer, closed).text
}

/// What the kernel knows of a descriptor: its addresses and what it carries, if it is a socket. For an observer who
/// has not seen the calls that made it.
#[must_use]
pub fn found(fd: impl AsFd) -> Descriptor {
    let socket = SockRef::from(&fd);
    let name = |of: std::io::Result<SockAddr>| of.ok().map(|name| address_text(&name).into());
    let ty = socket.r#type().ok().map(|ty| match i32::from(ty) {
        libc::SOCK_STREAM => Type::Stream,
        libc::SOCK_DGRAM => Type::Datagram,
        libc::SOCK_RAW => Type::Raw,
        other => Type::Other(other),
    });
    Descriptor {
        socket: Some(ty.is_some()),
        local: name(socket.local_addr()),
        peer: name(socket.peer_addr()),
        never_waits: socket.nonblocking().unwrap_or(false),
        listens: socket.is_listener().unwrap_or(false),
        bound: true,
        ty,
        ..Descriptor::default()
    }
}

/// `receive queue 0, send queue 31, rcvbuf 131072, sndbuf 2626560`.
fn queues(fd: RawFd) -> Option<String> {
    let receive_buffer = int_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF)?;
    let send_buffer = int_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUF)?;
    let mut text = String::new();
    if let (Some(received), Some(unsent)) = (queue(fd, libc::FIONREAD), queue(fd, libc::TIOCOUTQ)) {
        text += &format!("receive queue {received}, send queue {unsent}, ");
    }
    Some(text + &format!("rcvbuf {receive_buffer}, sndbuf {send_buffer}"))
}

/// The first byte of TCP_INFO is the state (tcp(7)).
fn tcp_state(fd: RawFd) -> Option<&'static str> {
    get(fd, libc::IPPROTO_TCP, libc::TCP_INFO, [0u8; 8]).map(|info| State(info[0]).in_record())
}

/// The state of the connection between two addresses in the kernel's table, which also has those
/// that no descriptor belongs to any more (proc_pid_net(5), `/proc/net/tcp`). `CLOSED` when it is not
/// there.
fn table_state(local: &str, peer: &str) -> Option<&'static str> {
    let (local, peer) = (local.parse().ok()?, peer.parse().ok()?);
    let (file, here, there) = match local {
        SocketAddr::V4(_) => ("/proc/net/tcp", in_hex(local), in_hex(peer)),
        SocketAddr::V6(_) => ("/proc/net/tcp6", in_hex(local), in_hex(peer)),
    };
    // The kernel hands out the table in pieces, and a row may slip through while others come and go:
    // it is missing only if three readings miss it.
    for _ in 0..3 {
        let table = std::fs::read_to_string(file).ok()?;
        let row = table.lines().find_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            (fields.next()? == here && fields.next()? == there).then(|| fields.next())?
        });
        if let Some(state) = row {
            return u8::from_str_radix(state, 16).ok().map(|state| State(state).in_record());
        }
    }
    Some(CLOSED)
}

/// An address as `/proc/net/tcp` has it: `0100007F:16E2` for 127.0.0.1:5858. The address is written
/// as the numbers of 32 bits that this machine reads in memory, the port is not.
fn in_hex(address: SocketAddr) -> String {
    let octets = match address.ip() {
        std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
        std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = octets.chunks_exact(4).map(|word| word.try_into().expect("four octets a word"));
    let words: String = words.map(|word| format!("{:08X}", u32::from_ne_bytes(word))).collect();
    format!("{words}:{:04X}", address.port())
}

#[expect(unsafe_code, reason = "a descriptor known only by its number is borrowed")]
fn name(fd: RawFd) -> Option<SockAddr> {
    // SAFETY: it is only used to ask for the name of a socket; if another thread closed it
    // meanwhile, the answer is EBADF.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let name = SockRef::from(&fd).local_addr().ok()?;
    // A port of 0 is no address yet.
    name.as_socket().filter(|address| address.port() != 0).map(|_| name)
}

fn int_option(fd: RawFd, level: i32, name: i32) -> Option<i32> {
    get(fd, level, name, [0; 4]).map(i32::from_ne_bytes)
}

#[expect(unsafe_code, reason = "getsockopt writes through a pointer")]
fn get<const N: usize>(fd: RawFd, level: i32, name: i32, mut value: [u8; N]) -> Option<[u8; N]> {
    let mut len = N as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes, and `value` has that many.
    let done = unsafe { libc::getsockopt(fd, level, name, value.as_mut_ptr().cast(), &mut len) };
    (done == 0).then_some(value)
}

/// How many bytes wait to be received; for datagrams, the size of the first.
pub(super) fn to_receive(fd: RawFd) -> Option<i32> {
    queue(fd, libc::FIONREAD)
}

/// How many bytes wait to be sent, or for the peer to acknowledge them.
pub(super) fn unsent(fd: RawFd) -> Option<i32> {
    queue(fd, libc::TIOCOUTQ)
}

/// Bytes waiting in a queue of the socket: SIOCINQ and SIOCOUTQ of tcp(7), which have the numbers
/// of FIONREAD and TIOCOUTQ. A listener has none.
#[expect(unsafe_code, reason = "ioctl writes through a pointer")]
fn queue(fd: RawFd, which: libc::Ioctl) -> Option<i32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: both requests write one int, and `bytes` is one.
    let done = unsafe { libc::ioctl(fd, which, &raw mut bytes) };
    (done == 0).then_some(bytes)
}
