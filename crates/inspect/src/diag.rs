//! sock_diag(7): a request to the kernel over a netlink socket, and its answer, byte by byte.
//!
//! The formats are those of `linux/netlink.h`, `linux/inet_diag.h` and `linux/unix_diag.h`. Numbers are
//! in host order, ports and addresses in network order.
//!
//! They are written out here because they are short, and because the crate for them
//! (netlink-packet-sock-diag) leaves out how long a TIME_WAIT lasts, which netplay needs.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

use super::{Ask, Inet, Memory, Protocol, State, TcpInfo, Timer, TimerKind};
use super::{Unix, UnixKind, UnixName};

const SOCK_DIAG_BY_FAMILY: u16 = 20;

// The attributes of an answer, and the bits that ask for them: 1 << (number - 1).
const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_SKMEMINFO: u16 = 7;
const INET_DIAG_SKV6ONLY: u16 = 11;

const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_VFS: u16 = 1;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_RQLEN: u16 = 4;
const UNIX_DIAG_UID: u16 = 7;
/// SHOW_NAME, SHOW_VFS, SHOW_PEER, SHOW_RQLEN, SHOW_UID.
const UDIAG_SHOW: u32 = 1 | 2 | 4 | 16 | 64;

/// The sockets of both families, asked for one after the other.
pub(super) fn inet(protocol: Protocol, ask: Ask) -> io::Result<Vec<Inet>> {
    let mut found = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        dump(&inet_request(family, protocol, ask), |message| {
            found.extend(read_inet(protocol, message).filter(|socket| ask.wants(socket)));
        })?;
    }
    Ok(found)
}

/// Every UNIX domain socket.
pub(super) fn unix() -> io::Result<Vec<Unix>> {
    let mut found = Vec::new();
    // struct unix_diag_req: family, protocol, pad; states; inode; show; cookie.
    let mut request = vec![libc::AF_UNIX as u8, 0, 0, 0];
    for word in [u32::MAX, 0, UDIAG_SHOW, u32::MAX, u32::MAX] {
        request.extend(word.to_ne_bytes());
    }
    dump(&request, |message| found.extend(read_unix(message)))?;
    Ok(found)
}

/// `struct inet_diag_req_v2`: family, protocol, ext, pad; states; then the id of a socket, of which a
/// dump uses only the ports.
fn inet_request(family: i32, protocol: Protocol, ask: Ask) -> Vec<u8> {
    let number = match protocol {
        Protocol::Tcp => libc::IPPROTO_TCP,
        Protocol::Udp => libc::IPPROTO_UDP,
    };
    let bit = |wanted, attribute: u16| if wanted { 1 << (attribute - 1) } else { 0u8 };
    let ext = bit(ask.memory, INET_DIAG_SKMEMINFO) | bit(ask.tcp_info, INET_DIAG_INFO);
    let mut request = vec![family as u8, number as u8, ext, 0];
    let states = match ask.open {
        true => 1 << State::LISTEN.0 | 1 << State::CLOSE.0,
        false => u32::MAX, // all of them, also sockets that are only bound
    };
    request.extend(states.to_ne_bytes());
    request.extend(ask.port.unwrap_or(0).to_be_bytes());
    request.extend([0; 2 + 16 + 16 + 4]); // the peer's port, both addresses, the interface
    request.extend([0xff; 8]); // no cookie
    request
}

/// Sends a request for a dump, and passes on the messages of its answer.
fn dump(request: &[u8], mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let kernel: OwnedFd = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )?;
    // struct nlmsghdr: length; type, flags; sequence number; port.
    let mut message = Vec::new();
    message.extend((16 + request.len() as u32).to_ne_bytes());
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend(((libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(request);
    send(kernel.as_raw_fd(), &message, MsgFlags::empty())?;

    let mut buf = vec![0; 32 * 1024]; // as much as the kernel ever puts into one datagram of a dump
    loop {
        let n = match recv(kernel.as_raw_fd(), &mut buf, MsgFlags::empty()) {
            Err(nix::errno::Errno::EINTR) => continue,
            done => done?,
        };
        let mut rest = &buf[..n];
        if rest.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while let Some(length) = u32_at(rest, 0).map(|length| length as usize) {
            let body = rest.get(16..length).ok_or(io::ErrorKind::InvalidData)?;
            match i32::from(u16_at(rest, 4).unwrap_or_default()) {
                // Both carry a negative errno; that of NLMSG_DONE is the result of the dump.
                libc::NLMSG_DONE | libc::NLMSG_ERROR => {
                    return match u32_at(body, 0).unwrap_or_default().cast_signed() {
                        0 => Ok(()),
                        error => Err(io::Error::from_raw_os_error(-error)),
                    };
                }
                _ => each(body),
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

/// `struct inet_diag_msg`: family, state, timer, retransmissions; the id of the socket (ports,
/// addresses, interface, cookie); time left, queues, user, inode; then attributes.
fn read_inet(protocol: Protocol, message: &[u8]) -> Option<Inet> {
    const HEADER: usize = 72;
    let &[family, state, timer, rung, ..] = message else { return None };
    let word = |at| u32_at(message, at);
    let interface = word(40)?;
    let address = |port: usize, at: usize| {
        let port = u16::from_be_bytes(message.get(port..port + 2)?.try_into().ok()?);
        address(family, message.get(at..at + 16)?, port, interface)
    };
    let left = Duration::from_millis(word(52)?.into());
    let mut one = Inet {
        protocol,
        local: address(4, 8)?,
        peer: address(6, 24).filter(|peer| peer.port() != 0),
        state: State(state),
        receive_queue: word(56)?,
        send_queue: word(60)?,
        uid: word(64)?,
        inode: word(68)?.into(),
        interface,
        timer: TimerKind::from_number(timer).map(|kind| Timer { kind, left, rung }),
        v6only: None,
        memory: None,
        tcp_info: None,
    };
    for (number, value) in attributes(message.get(HEADER..)?) {
        match number {
            INET_DIAG_SKV6ONLY => one.v6only = value.first().map(|&only| only != 0),
            INET_DIAG_SKMEMINFO => one.memory = read_memory(value),
            INET_DIAG_INFO => one.tcp_info = read_tcp_info(value),
            _ => {}
        }
    }
    Some(one)
}

fn address(family: u8, bytes: &[u8], port: u16, interface: u32) -> Option<SocketAddr> {
    Some(match i32::from(family) {
        libc::AF_INET => {
            let octets: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
            SocketAddr::new(IpAddr::V4(Ipv4Addr::from(octets)), port)
        }
        libc::AF_INET6 => {
            let octets: [u8; 16] = bytes.try_into().ok()?;
            let ip = Ipv6Addr::from(octets);
            let scope = if ip.is_unicast_link_local() { interface } else { 0 };
            SocketAddrV6::new(ip, port, 0, scope).into()
        }
        _ => return None,
    })
}

/// The words of `SK_MEMINFO_…`.
fn read_memory(value: &[u8]) -> Option<Memory> {
    let word = |at: usize| u32_at(value, at * 4);
    Some(Memory {
        received: word(0)?,
        receive_buffer: word(1)?,
        unsent: word(2)?,
        send_buffer: word(3)?,
        drops: word(8).unwrap_or_default(), // since Linux 4.7
    })
}

/// `struct tcp_info`: eight bytes, then words.
fn read_tcp_info(value: &[u8]) -> Option<TcpInfo> {
    let word = |at: usize| u32_at(value, 8 + at * 4);
    Some(TcpInfo {
        retransmit_after: Duration::from_micros(word(0)?.into()),
        segment: word(2)?,
        under_way: word(4)?,
        last_received: Duration::from_millis(word(11)?.into()),
        round_trip: Duration::from_micros(word(15)?.into()),
        window: word(18)?,
        sent_again: word(23)?,
    })
}

/// `struct unix_diag_msg`: family, type, state, pad; inode; cookie; then attributes.
fn read_unix(message: &[u8]) -> Option<Unix> {
    let &[_, kind, state, ..] = message else { return None };
    let mut one = Unix {
        name: None,
        kind: UnixKind::from_number(kind)?,
        listening: State(state) == State::LISTEN,
        connected: State(state) == State::ESTABLISHED,
        receive_queue: None,
        send_queue: None,
        inode: u32_at(message, 4)?.into(),
        peer: None,
        uid: None,
        file: None,
    };
    for (number, value) in attributes(message.get(16..)?) {
        let word = |at| u32_at(value, at);
        match number {
            UNIX_DIAG_NAME => one.name = name(value),
            UNIX_DIAG_VFS => {
                // The kernel's own form of a device number: twenty bits for the minor one.
                let device = |dev: u32| libc::makedev(dev >> 20, dev & 0xf_ffff);
                one.file = word(0).zip(word(4)).map(|(inode, dev)| (device(dev), inode.into()));
            }
            UNIX_DIAG_PEER => one.peer = word(0).map(u64::from),
            UNIX_DIAG_RQLEN => (one.receive_queue, one.send_queue) = (word(0), word(4)),
            UNIX_DIAG_UID => one.uid = word(0),
            _ => {}
        }
    }
    Some(one)
}

/// A name that begins with a zero byte is in the abstract name space; a path may end in one.
fn name(bytes: &[u8]) -> Option<UnixName> {
    match bytes {
        [] => None,
        [0, name @ ..] => Some(UnixName::Abstract(name.to_vec())),
        path => {
            let path = path.strip_suffix(&[0]).unwrap_or(path);
            Some(UnixName::Path(PathBuf::from(std::ffi::OsStr::from_bytes(path))))
        }
    }
}

/// The attributes of a message: `struct rtattr` is length and number, the value follows, and the next
/// one begins at a multiple of four.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let (number, value) = (u16_at(rest, 2)?, rest.get(4..length)?);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((number, value))
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
