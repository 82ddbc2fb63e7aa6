//! Socket options: their names, their levels, and how their values look in memory.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

pub use netplay_record::OptValue;
use netplay_record::{Set, Sockopt, part};

/// A socket option: what `setsockopt` and `getsockopt` call `level` and `optname`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opt {
    pub(super) level: i32,
    pub(super) name: i32,
    pub(super) level_name: &'static str,
    pub(super) text: &'static str,
    does: &'static str,
    kind: Kind,
}

/// The C type of an option's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An `int`: a number, or 0 and 1 for off and on.
    Int,
    /// A `struct timeval`.
    Time,
    /// A `struct linger`.
    Linger,
    /// A `struct in_addr`.
    Address,
    /// Text of up to this many bytes.
    Text(usize),
    /// Up to this many bytes: a structure.
    Bytes(usize),
}

impl Opt {
    /// Its name in the manual: `SO_REUSEADDR`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.text
    }

    /// The number behind the name, on this machine.
    #[must_use]
    pub fn number(self) -> i32 {
        self.name
    }

    /// The name of its level: `SOL_SOCKET`.
    #[must_use]
    pub fn level(self) -> &'static str {
        self.level_name
    }

    /// What it does, in a sentence.
    #[must_use]
    pub fn does(self) -> &'static str {
        self.does.trim_start()
    }

    /// The C type of its value.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.kind
    }

    /// The option with these numbers for `level` and `optname`, if it has a name here.
    #[must_use]
    pub fn of(level: i32, name: i32) -> Option<Opt> {
        OPTIONS.iter().copied().find(|option| (option.level, option.name) == (level, name))
    }

    /// A value as the kernel or a program has it in memory. What is missing there reads as zero.
    #[must_use]
    pub fn value(self, bytes: &[u8]) -> OptValue {
        from_memory(self.kind, bytes)
    }
}

use Kind::{Address, Bytes, Int, Linger, Text, Time};

/// A table of constants. Each line is an [`Opt`], with libc's number under the same name; the comment
/// is its documentation and what [`Opt::does`] says.
macro_rules! options {
    ($($level:ident: $($(#[doc = $does:literal])+ $name:ident $kind:expr;)+)+) => {
        $($(
            $(#[doc = $does])+
            pub const $name: Opt = Opt {
                level: libc::$level,
                name: libc::$name,
                level_name: level_name(libc::$level),
                text: stringify!($name),
                does: concat!($($does),+),
                kind: $kind,
            };
        )+)+
        /// Every option of this module, level by level.
        pub const OPTIONS: &[Opt] = &[$($($name),+),+];
    };
}

/// As strace writes it. POSIX names the levels of protocols IPPROTO_TCP and so on: the same numbers.
const fn level_name(level: i32) -> &'static str {
    match level {
        libc::SOL_SOCKET => "SOL_SOCKET",
        libc::IPPROTO_IP => "SOL_IP",
        libc::IPPROTO_IPV6 => "SOL_IPV6",
        libc::IPPROTO_TCP => "SOL_TCP",
        libc::IPPROTO_UDP => "SOL_UDP",
        _ => panic!("a level without a name"),
    }
}

// Left out on purpose: options whose value holds a pointer (SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF), because no safe
// function can check it, and IP_MSFILTER, which reads its own output buffer.
options! {
SOL_SOCKET:
    /// Is 1 if the socket listens.
    SO_ACCEPTCONN Int;
    /// Lets this eBPF program, given by its descriptor, pick and cut what arrives.
    SO_ATTACH_BPF Int;
    /// Lets this eBPF program, given by its descriptor, choose which of a SO_REUSEPORT group receives.
    SO_ATTACH_REUSEPORT_EBPF Int;
    /// Keeps the socket to one network device, such as lo; empty: to none.
    SO_BINDTODEVICE Text(libc::IFNAMSIZ);
    /// Allows datagrams to a broadcast address, which fail with EACCES otherwise.
    SO_BROADCAST Int;
    /// Once copied a bug of BSD; does nothing since Linux 2.4.
    SO_BSDCOMPAT Int;
    /// Looks for new packets in the network card for this many microseconds, instead of sleeping.
    SO_BUSY_POLL Int;
    /// Logs what the socket does in the kernel's log, if the kernel was built for that.
    SO_DEBUG Int;
    /// Removes a filter of either kind; ENOENT if the socket has no filter.
    SO_DETACH_FILTER Int;
    /// The family: 2 is AF_INET, 10 AF_INET6, 1 AF_UNIX.
    SO_DOMAIN Int;
    /// Sends to direct neighbours only, never through a gateway.
    SO_DONTROUTE Int;
    /// The error that is pending on the socket, 0 for none. Reading it clears it.
    SO_ERROR Int;
    /// The processor on which the last packet arrived; set on a listener, the one it prefers.
    SO_INCOMING_CPU Int;
    /// The receive queue of the network card on which the last packet arrived.
    SO_INCOMING_NAPI_ID Int;
    /// Probes a silent peer from time to time, to find out whether it is still there.
    SO_KEEPALIVE Int;
    /// What close does with unsent bytes; on with a time of zero it sends a reset instead.
    SO_LINGER Linger;
    /// Freezes the filter: it can no longer be changed or removed, in any process that has this socket.
    SO_LOCK_FILTER Int;
    /// Marks each packet with a number, which routing and firewall rules can see.
    SO_MARK Int;
    /// Leaves urgent bytes in the stream, instead of for MSG_OOB alone.
    SO_OOBINLINE Int;
    /// Delivers the sender's process, user and group with each message (SCM_CREDENTIALS).
    SO_PASSCRED Int;
    /// Delivers the sender's security label with each message (SCM_SECURITY).
    SO_PASSSEC Int;
    /// Where the next MSG_PEEK begins in the queue, in bytes; -1: always at the front.
    SO_PEEK_OFF Int;
    /// The process, user and group at the other end of a UNIX socket (struct ucred).
    SO_PEERCRED Bytes(size_of::<libc::ucred>());
    /// The security label of the other end.
    SO_PEERSEC Text(255);
    /// Which packets leave first when a device has more than it can send: 0 to 6, for root more.
    SO_PRIORITY Int;
    /// The protocol: 6 is TCP, 17 UDP, 0 that of a UNIX socket.
    SO_PROTOCOL Int;
    /// The size of the receive buffer; the kernel doubles what it is asked for.
    SO_RCVBUF Int;
    /// SO_RCVBUF for the privileged: net.core.rmem_max does not cap it.
    SO_RCVBUFFORCE Int;
    /// How many bytes must have arrived before a receive, or a wait for one, returns.
    SO_RCVLOWAT Int;
    /// How long a receive waits before it fails with EAGAIN; zero means for ever.
    SO_RCVTIMEO Time;
    /// Lets bind take an address whose last connections are still in TIME_WAIT. Two live listeners
    /// on one address stay impossible.
    SO_REUSEADDR Int;
    /// Lets several sockets of one user have one address, if all ask for it: the kernel shares the
    /// clients out among them.
    SO_REUSEPORT Int;
    /// Delivers with each message how many were dropped because the buffer was full.
    SO_RXQ_OVFL Int;
    /// Reports the error queue as an exceptional condition (POLLPRI), beside POLLERR.
    SO_SELECT_ERR_QUEUE Int;
    /// The size of the send buffer; the kernel doubles what it is asked for.
    SO_SNDBUF Int;
    /// SO_SNDBUF for the privileged: net.core.wmem_max does not cap it.
    SO_SNDBUFFORCE Int;
    /// How much room a send waits for; on Linux always 1.
    SO_SNDLOWAT Int;
    /// How long a send or connect waits before it fails with EAGAIN or EINPROGRESS; zero means for ever.
    SO_SNDTIMEO Time;
    /// Delivers with each message when it arrived, in microseconds.
    SO_TIMESTAMP Int;
    /// Delivers with each message when it arrived, in nanoseconds.
    SO_TIMESTAMPNS Int;
    /// The type: 1 is SOCK_STREAM, 2 SOCK_DGRAM.
    SO_TYPE Int;
IPPROTO_IP:
    /// Joins a multicast group: struct ip_mreq, the group and then an address of this machine.
    IP_ADD_MEMBERSHIP Bytes(size_of::<libc::ip_mreq>());
    /// Joins a multicast group for what one sender sends: struct ip_mreq_source.
    IP_ADD_SOURCE_MEMBERSHIP Bytes(size_of::<libc::ip_mreq_source>());
    /// Lets bind to port 0 leave the port open until connect, so that clients can share one.
    IP_BIND_ADDRESS_NO_PORT Int;
    /// Blocks one sender of a multicast group: struct ip_mreq_source.
    IP_BLOCK_SOURCE Bytes(size_of::<libc::ip_mreq_source>());
    /// Leaves a multicast group: struct ip_mreq.
    IP_DROP_MEMBERSHIP Bytes(size_of::<libc::ip_mreq>());
    /// Leaves a multicast group that was joined for one sender only: struct ip_mreq_source.
    IP_DROP_SOURCE_MEMBERSHIP Bytes(size_of::<libc::ip_mreq_source>());
    /// Lets bind take an address that this machine does not have, or not yet.
    IP_FREEBIND Int;
    /// The program writes the IP header itself; for raw sockets.
    IP_HDRINCL Int;
    /// The largest packet that the path to the connected peer carries (path MTU), as far as is known.
    IP_MTU Int;
    /// Whether to find out the largest packet for the way: 0 never, 1 as the route says, 2 always.
    IP_MTU_DISCOVER Int;
    /// Whether to receive every multicast group that a program on this machine has joined, or only its own.
    IP_MULTICAST_ALL Int;
    /// The address of the device through which multicast leaves; 0.0.0.0: as the route says.
    IP_MULTICAST_IF Address;
    /// Whether the sockets of this machine hear the multicast that it sends.
    IP_MULTICAST_LOOP Int;
    /// How many routers multicast may pass, plus one: 1 stays in the local network.
    IP_MULTICAST_TTL Int;
    /// Lets fragments pass the firewall as they are; for raw sockets.
    IP_NODEFRAG Int;
    /// The options in the IP header of each packet, at most 40 bytes.
    IP_OPTIONS Bytes(40);
    /// Delivers the security label of the peer with each datagram.
    IP_PASSSEC Int;
    /// Delivers with each datagram where it arrived: the device and the address it was sent to.
    IP_PKTINFO Int;
    /// Keeps errors that come back from the network (ICMP) in a queue, for MSG_ERRQUEUE.
    IP_RECVERR Int;
    /// Delivers the options of each packet's IP header.
    IP_RECVOPTS Int;
    /// Delivers the address for which each datagram was meant before a firewall redirected it.
    IP_RECVORIGDSTADDR Int;
    /// Delivers the type of service of each packet.
    IP_RECVTOS Int;
    /// Delivers the time to live that each packet had left.
    IP_RECVTTL Int;
    /// As IP_RECVOPTS, with the route and the times not filled in by this machine.
    IP_RETOPTS Int;
    /// Delivers packets with the router-alert option instead of forwarding them; for raw sockets.
    IP_ROUTER_ALERT Int;
    /// The type of service of each packet, such as 16 for low delay; now six bits of DSCP, two of ECN.
    IP_TOS Int;
    /// Lets the socket use addresses that are not this machine's: a transparent proxy.
    IP_TRANSPARENT Int;
    /// The time to live of each packet: how many routers it may pass, plus one.
    IP_TTL Int;
    /// Allows a sender again that IP_BLOCK_SOURCE has blocked: struct ip_mreq_source.
    IP_UNBLOCK_SOURCE Bytes(size_of::<libc::ip_mreq_source>());
IPPROTO_IPV6:
    /// Turns a socket that is connected to an IPv4-mapped address into an IPv4 one: set it to 2.
    IPV6_ADDRFORM Int;
    /// Joins a multicast group: struct ipv6_mreq, the group and then the number of a device.
    IPV6_ADD_MEMBERSHIP Bytes(size_of::<libc::ipv6_mreq>());
    /// Once delivered authentication headers.
    IPV6_AUTHHDR Int;
    /// Leaves a multicast group: struct ipv6_mreq.
    IPV6_DROP_MEMBERSHIP Bytes(size_of::<libc::ipv6_mreq>());
    /// The destination options that each packet gets.
    IPV6_DSTOPTS Bytes(2048);
    /// Delivers the flow label of each datagram.
    IPV6_FLOWINFO Int;
    /// The hop limit of one datagram, as a control message; as an option, IPV6_UNICAST_HOPS.
    IPV6_HOPLIMIT Int;
    /// The hop-by-hop options that each packet gets.
    IPV6_HOPOPTS Bytes(2048);
    /// The largest packet that the path to the connected peer carries; if set, a smaller limit.
    IPV6_MTU Int;
    /// Whether to find out the largest packet for the way: 0 never, 1 as the route says, 2 always.
    IPV6_MTU_DISCOVER Int;
    /// How many routers multicast may pass, plus one: 1 stays in the local network.
    IPV6_MULTICAST_HOPS Int;
    /// The number of the device through which multicast leaves; 0: as the route says.
    IPV6_MULTICAST_IF Int;
    /// Whether the sockets of this machine hear the multicast that it sends.
    IPV6_MULTICAST_LOOP Int;
    /// Delivers the destination options of each datagram.
    IPV6_RECVDSTOPTS Int;
    /// Keeps errors that come back from the network (ICMPv6) in a queue, for MSG_ERRQUEUE.
    IPV6_RECVERR Int;
    /// Delivers the hop limit that each datagram had left.
    IPV6_RECVHOPLIMIT Int;
    /// Delivers the hop-by-hop options of each datagram.
    IPV6_RECVHOPOPTS Int;
    /// Delivers with each datagram where it arrived: the address it was sent to and the device.
    IPV6_RECVPKTINFO Int;
    /// Delivers the routing header of each datagram.
    IPV6_RECVRTHDR Int;
    /// Delivers packets with the router-alert option instead of forwarding them; for raw sockets.
    IPV6_ROUTER_ALERT Int;
    /// The routing header that each packet gets.
    IPV6_RTHDR Bytes(2048);
    /// The hop limit of each packet: how many routers it may pass, plus one.
    IPV6_UNICAST_HOPS Int;
    /// Keeps IPv4 clients out of an IPv6 socket, so that another one can have the port for IPv4.
    IPV6_V6ONLY Int;
IPPROTO_TCP:
    /// How TCP finds its speed: cubic, reno, bbr.
    TCP_CONGESTION Text(16);
    /// Holds small segments back until it is off again, for at most 200 ms.
    TCP_CORK Int;
    /// Wakes accept only when the client has sent something, which it may do for this many seconds.
    TCP_DEFER_ACCEPT Int;
    /// How many clients may connect and send in one packet (Fast Open); set on a listener.
    TCP_FASTOPEN Int;
    /// Lets connect wait for the first send, to go out with it (Fast Open).
    TCP_FASTOPEN_CONNECT Int;
    /// What TCP knows about the connection: state, round-trip time, losses (struct tcp_info).
    TCP_INFO Bytes(size_of::<libc::tcp_info>());
    /// How many probes a silent peer may leave unanswered before it counts as gone.
    TCP_KEEPCNT Int;
    /// After how many seconds of silence SO_KEEPALIVE begins to probe.
    TCP_KEEPIDLE Int;
    /// How many seconds there are between two probes.
    TCP_KEEPINTVL Int;
    /// How many seconds a closed socket waits in FIN_WAIT2 until the peer also closes.
    TCP_LINGER2 Int;
    /// The most bytes in one segment; set before connect, the peer is told.
    TCP_MAXSEG Int;
    /// Sends small segments at once, without waiting for the acknowledgement of earlier ones.
    TCP_NODELAY Int;
    /// Acknowledges at once, instead of waiting for an answer to carry it; only for now.
    TCP_QUICKACK Int;
    /// How often connect repeats its SYN before it gives up.
    TCP_SYNCNT Int;
    /// After how many milliseconds without acknowledgement the connection fails; 0: the system's.
    TCP_USER_TIMEOUT Int;
    /// The largest window that the peer is offered: bytes it may send unacknowledged; 0: no limit.
    TCP_WINDOW_CLAMP Int;
IPPROTO_UDP:
    /// Gathers what is sent into one datagram, which leaves when it is off again.
    UDP_CORK Int;
    /// Delivers datagrams of one sender together, as one large receive.
    UDP_GRO Int;
    /// Cuts each large send into datagrams of this many bytes.
    UDP_SEGMENT Int;
}

/// The ports from which connect and bind choose one, for this socket: the lowest, and the highest in the upper
/// 16 bits; within those of the host (ip(7), since Linux 6.3). The C library's headers do not know it yet.
pub const IP_LOCAL_PORT_RANGE: Opt = Opt {
    level: libc::IPPROTO_IP,
    name: 51,
    level_name: level_name(libc::IPPROTO_IP),
    text: "IP_LOCAL_PORT_RANGE",
    does: "The ports from which connect and bind choose one, for this socket.",
    kind: Kind::Int,
};

impl Kind {
    /// How many bytes of memory `getsockopt` offers the kernel.
    pub(super) fn size(self) -> usize {
        match self {
            Kind::Int | Kind::Address => 4,
            Kind::Time => size_of::<libc::timeval>(),
            Kind::Linger => size_of::<libc::linger>(),
            Kind::Text(size) | Kind::Bytes(size) => size,
        }
    }
}

/// As large as a `struct timeval` or a `struct linger`: most values are no larger.
const SMALL: usize = 16;

/// A C `long` as bytes, of which a `struct timeval` has two.
const LONG: usize = size_of::<libc::c_long>();

/// A value as the kernel wrote it into memory. What it left out reads as zero.
fn from_memory(kind: Kind, bytes: &[u8]) -> OptValue {
    let int = |at| i32::from_ne_bytes(part(bytes, at));
    let long = |at| libc::c_long::from_ne_bytes(part::<LONG>(bytes, at));
    match kind {
        // Some kernels answer a small number with one byte, if that is all there is room for.
        Kind::Int if bytes.len() == 1 => OptValue::Int(bytes[0].into()),
        Kind::Int => OptValue::Int(int(0)),
        Kind::Time => OptValue::Time(Duration::new(long(0) as u64, long(LONG) as u32 * 1000)),
        Kind::Linger => OptValue::Linger((int(0) != 0).then(|| Duration::from_secs(int(4) as u64))),
        Kind::Address => OptValue::Address(part::<4>(bytes, 0).into()),
        Kind::Text(_) => OptValue::Text(bytes.to_vec()),
        Kind::Bytes(_) => OptValue::Bytes(bytes.to_vec()),
    }
}

#[expect(unsafe_code, reason = "setsockopt takes a pointer")]
pub(super) fn set(fd: BorrowedFd<'_>, option: Opt, value: &OptValue) -> io::Result<()> {
    let done = value.in_memory(|value| {
        let (at, len) = (value.as_ptr().cast(), value.len() as libc::socklen_t);
        // SAFETY: the pointer and the length are those of one slice, which the kernel only reads.
        unsafe { libc::setsockopt(fd.as_raw_fd(), option.level, option.name, at, len) }
    });
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[expect(unsafe_code, reason = "getsockopt takes pointers")]
pub(super) fn get(fd: BorrowedFd<'_>, option: Opt) -> io::Result<OptValue> {
    let size = option.kind.size();
    // Only a large value needs an allocation.
    let (mut small, mut large) = ([0; SMALL], Vec::new());
    let value = if size <= SMALL {
        &mut small[..size]
    } else {
        large.resize(size, 0);
        &mut large[..]
    };
    let mut len = size as libc::socklen_t;
    let at = value.as_mut_ptr().cast();
    // SAFETY: the kernel writes at most `len` bytes, and the slice has that many.
    let done = unsafe { libc::getsockopt(fd.as_raw_fd(), option.level, option.name, at, &mut len) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(from_memory(option.kind, &value[..size.min(len as usize)]))
}

/// The record of a `setsockopt` with this value, on a datagram socket or another.
pub fn option_set(option: Opt, value: OptValue, datagrams: bool) -> Sockopt {
    let memory = value.to_memory();
    let device = match (option, memory.len()) {
        (IP_ADD_MEMBERSHIP | IP_DROP_MEMBERSHIP, 8) => {
            Some(Ipv4Addr::from(part(&memory, 4)).to_string())
        }
        (IPV6_ADD_MEMBERSHIP | IPV6_DROP_MEMBERSHIP, 20) => {
            device_name(u32::from_ne_bytes(part(&memory, 16)))
        }
        _ => None,
    };
    Sockopt::Setsockopt(Set::new(option.level_name, option.text, value, device, datagrams))
}

/// The name of a device by its number. strace asks the kernel; this reads a file.
fn device_name(number: u32) -> Option<String> {
    let is_it = |path: &std::path::Path| {
        let of = std::fs::read_to_string(path.join("ifindex"));
        of.is_ok_and(|text| text.trim().parse() == Ok(number))
    };
    let devices = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let path = devices.map(|device| device.path()).find(|path| is_it(path))?;
    Some(path.file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Domain, Type, getsockopt, setsockopt, socket};

    #[test]
    fn a_short_time_does_not_become_none() {
        let socket = socket(Domain::UNIX, Type::STREAM, 0).unwrap();
        setsockopt(&socket, SO_RCVTIMEO, Duration::from_nanos(1)).unwrap();
        let least = getsockopt(&socket, SO_RCVTIMEO).unwrap();
        assert!(matches!(least, OptValue::Time(time) if !time.is_zero()), "{least}: for ever");
        setsockopt(&socket, SO_LINGER, Some(Duration::from_millis(500))).unwrap();
        let second = OptValue::Linger(Some(Duration::from_secs(1)));
        assert_eq!(getsockopt(&socket, SO_LINGER).unwrap(), second, "zero would be a reset");
    }
}
