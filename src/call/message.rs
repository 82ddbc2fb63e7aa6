//! recvmsg: a message, who sent it, and what the kernel knows about it.

use std::fmt;
use std::io;
use std::mem::zeroed;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;
use std::time::Duration;

use socket2::{SockAddr, SockAddrStorage};

use super::error::Result;
use super::gather::Wait;
use super::hide;
use super::option::part;
use super::step::Step;
use super::{received_by, strace};
use crate::record::{Beside, Bytes};

/// The memory that [`recvmsg`] fills: a `struct msghdr` and what it points to. It can be used again
/// and again.
pub struct Message {
    memory: Box<Memory>,
    received: usize,
}

/// In a box: the header points to its neighbours, and the kernel may still be writing to them when
/// the message moves (an operation of a ring).
struct Memory {
    header: libc::msghdr,
    part: libc::iovec,
    name: libc::sockaddr_storage,
    control: [u64; CONTROL / 8],
    data: Vec<u8>,
}

/// Room for a few control messages: each has a header of 16 bytes, and the longest here, a complaint from
/// the network, 44 bytes behind it.
const CONTROL: usize = 128;

/// Room for any address: 128 bytes.
const NAME: libc::socklen_t = size_of::<libc::sockaddr_storage>() as libc::socklen_t;

impl Message {
    /// Room for a message of so many bytes.
    #[expect(unsafe_code, reason = "a msghdr is made from zeroes")]
    #[must_use]
    pub fn new(size: usize) -> Message {
        // SAFETY: all three are numbers and pointers, for which zero is a value.
        let (header, part, name) = unsafe { (zeroed(), zeroed(), zeroed()) };
        let memory = Memory { header, part, name, control: [0; CONTROL / 8], data: vec![0; size] };
        Message { memory: Box::new(memory), received: 0 }
    }

    /// The bytes received.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.memory.data[..self.received.min(self.memory.data.len())]
    }

    /// Who sent the datagram; `None` on a connection, where that is known.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.name().as_socket()
    }

    /// When it arrived at the socket, as the kernel saw it: the time since 1970 on CLOCK_REALTIME.
    /// `None` unless SO_TIMESTAMPNS is set. Of a stream, the time of its last segment.
    ///
    /// The kernel begins to look at the clock for each packet only when a first socket has asked for
    /// it; a datagram that came before that gets the time at which it is received.
    #[must_use]
    pub fn arrived(&self) -> Option<Duration> {
        self.control().into_iter().find_map(|control| match control.kind() {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => Some(control.time()),
            _ => None,
        })
    }

    /// The time to live that it had left on arrival; over IPv6, the hop limit. `None` unless IP_RECVTTL
    /// or IPV6_RECVHOPLIMIT is set. See ip(7) and ipv6(7).
    #[must_use]
    pub fn ttl(&self) -> Option<i32> {
        self.control().into_iter().find_map(|control| match control.kind() {
            (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                Some(i32::from_ne_bytes(part(control.data, 0)))
            }
            _ => None,
        })
    }

    /// What became of an earlier message, which is then this message's data; only of one that was
    /// received with `MSG_ERRQUEUE`, from a socket with IP_RECVERR or IPV6_RECVERR. See ip(7).
    #[must_use]
    pub fn complaint(&self) -> Option<Complaint> {
        self.control().into_iter().find_map(|control| match control.kind() {
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => {
                Some(Complaint::read(control.data))
            }
            _ => None,
        })
    }

    /// What the kernel has to say beside the message: cmsg(3).
    #[expect(unsafe_code, reason = "control messages are walked by pointers")]
    fn control(&self) -> Vec<Control<'_>> {
        let header = &self.memory.header;
        let mut found = Vec::new();
        // SAFETY: the pointers and lengths in the header are those of `memory`, and the kernel has
        // shortened the lengths to what it wrote: each control message, its data and all, lies inside.
        // The slices live no longer than the borrow of `self`, and so of what they point to.
        unsafe {
            let mut at = libc::CMSG_FIRSTHDR(header);
            while let Some(control) = at.as_ref() {
                let len = control.cmsg_len;
                let data = len.saturating_sub(libc::CMSG_LEN(0) as usize);
                found.push(Control {
                    level: control.cmsg_level,
                    name: control.cmsg_type,
                    len,
                    data: std::slice::from_raw_parts(libc::CMSG_DATA(at), data),
                });
                at = libc::CMSG_NXTHDR(header, at);
            }
        }
        found
    }

    /// The header, pointing to all the room there is.
    pub(super) fn header(&mut self) -> *mut libc::msghdr {
        let memory = &mut *self.memory;
        memory.part.iov_base = memory.data.as_mut_ptr().cast();
        memory.part.iov_len = memory.data.len();
        memory.header.msg_name = ptr::from_mut(&mut memory.name).cast();
        memory.header.msg_namelen = NAME;
        memory.header.msg_iov = &raw mut memory.part;
        memory.header.msg_iovlen = 1;
        memory.header.msg_control = memory.control.as_mut_ptr().cast();
        memory.header.msg_controllen = CONTROL;
        memory.header.msg_flags = 0;
        &raw mut memory.header
    }

    /// The kernel has filled it, with so many bytes.
    pub(super) fn filled(&mut self, received: usize) {
        self.received = received;
    }

    #[expect(unsafe_code, reason = "the kernel wrote the name")]
    pub(super) fn name(&self) -> SockAddr {
        let mut name = SockAddrStorage::zeroed();
        // SAFETY: the two are the same structure, and the kernel has written so many bytes of a valid
        // address into it, or none.
        unsafe {
            *name.view_as() = self.memory.name;
            SockAddr::new(name, self.memory.header.msg_namelen)
        }
    }

    /// What it knows beside the bytes.
    fn beside(&self) -> Beside {
        let kinds: Vec<(i32, i32)> = self.control().iter().map(Control::kind).collect();
        let known = [
            ((libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS), Beside::Time),
            ((libc::IPPROTO_IP, libc::IP_TTL), Beside::TimeToLive),
            ((libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT), Beside::HopLimit),
        ];
        let found = known.into_iter().find(|(kind, _)| kinds.contains(kind));
        found.map(|(_, beside)| beside).unwrap_or_default()
    }

    /// What strace prints of the header: before the call only the room for a name is known.
    fn strace(&self, data: Option<&[u8]>) -> String {
        let room = NAME;
        let Some(data) = data else {
            return format!("{{msg_namelen={room}}}");
        };
        let name = match self.memory.header.msg_namelen {
            0 => format!("0x..., msg_namelen={room} => 0"),
            len => format!("{}, msg_namelen={room} => {len}", strace::sockaddr(&self.name())),
        };
        let (data, size) = (strace::quoted(data), self.memory.data.len());
        let control: Vec<String> = self.control().iter().map(Control::strace).collect();
        let control = match control.is_empty() {
            true => String::new(),
            false => format!("msg_control=[{}], ", control.join(", ")),
        };
        format!(
            "{{msg_name={name}, msg_iov=[{{iov_base={data}, iov_len={size}}}], msg_iovlen=1, \
             {control}msg_controllen={}, msg_flags={}}}",
            self.memory.header.msg_controllen,
            strace::msg(self.memory.header.msg_flags)
        )
    }
}

/// One control message.
struct Control<'a> {
    level: i32,
    name: i32,
    /// Header and data.
    len: usize,
    data: &'a [u8],
}

impl Control<'_> {
    fn kind(&self) -> (i32, i32) {
        (self.level, self.name)
    }

    /// A `struct timespec`: two numbers of 64 bits.
    fn time(&self) -> Duration {
        let number = |at| i64::from_ne_bytes(part(self.data, at));
        Duration::new(number(0) as u64, number(8) as u32)
    }

    fn strace(&self) -> String {
        let len = self.len;
        match self.kind() {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => format!(
                "{{cmsg_len={len}, cmsg_level=SOL_SOCKET, cmsg_type=SO_TIMESTAMPNS_OLD, \
                 cmsg_data={{tv_sec={}, tv_nsec={}}}}}",
                self.time().as_secs(),
                self.time().subsec_nanos()
            ),
            (libc::IPPROTO_IP, libc::IP_TTL) => format!(
                "{{cmsg_len={len}, cmsg_level=SOL_IP, cmsg_type=IP_TTL, cmsg_data=[{}]}}",
                i32::from_ne_bytes(part(self.data, 0))
            ),
            (libc::IPPROTO_IP, libc::IP_RECVERR) => format!(
                "{{cmsg_len={len}, cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={}}}",
                Complaint::read(self.data).strace()
            ),
            // strace knows those of IPv6 by their numbers only.
            (libc::IPPROTO_IPV6, name) => {
                format!("{{cmsg_len={len}, cmsg_level=SOL_IPV6, cmsg_type={name:#x}}}")
            }
            (level, name) => format!("{{cmsg_len={len}, cmsg_level={level}, cmsg_type={name:#x}}}"),
        }
    }
}

/// What a router, a host or the own kernel had to say about a message that was sent: a
/// `struct sock_extended_err`, and behind it who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Complaint {
    /// The same as an error number.
    pub errno: i32,
    /// The type of the ICMP message that brought it; 0 if the own kernel found it.
    pub kind: u8,
    /// The code of the ICMP message.
    pub code: u8,
    /// Who sent that; `None` if the own kernel found it.
    pub by: Option<IpAddr>,
    origin: u8,
    info: u32,
    data: u32,
}

impl Complaint {
    fn read(bytes: &[u8]) -> Complaint {
        let number = |at| u32::from_ne_bytes(part(bytes, at));
        let [origin, kind, code] = part(bytes, 4);
        // Behind it is a sockaddr_in, whose address begins with its byte 4, or a sockaddr_in6, with 8.
        let by = match i32::from(u16::from_ne_bytes(part(bytes, 16))) {
            libc::AF_INET => Some(Ipv4Addr::from(part::<4>(bytes, 20)).into()),
            libc::AF_INET6 => Some(Ipv6Addr::from(part::<16>(bytes, 24)).into()),
            _ => None,
        };
        let (errno, info, data) = (number(0).cast_signed(), number(8), number(12));
        Complaint { errno, kind, code, by, origin, info, data }
    }

    fn strace(&self) -> String {
        let Complaint { errno, kind, code, by, origin, info, data } = self;
        let by = match by {
            Some(by) => strace::sockaddr(&SocketAddr::new(*by, 0).into()),
            None => "{sa_family=AF_UNSPEC}".to_owned(),
        };
        format!(
            "{{ee_errno={errno}, ee_origin={origin}, ee_type={kind}, ee_code={code}, ee_info={info}, \
             ee_data={data}, offender={by}}}"
        )
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("data", &self.data()).finish_non_exhaustive()
    }
}

/// Takes what has arrived, as [`recv`](super::recv) and [`recvfrom`](super::recvfrom) do, together
/// with what the kernel has to say about it: who sent it, when it arrived, what time to live it had left.
/// It waits while nothing has arrived. See recvmsg(2).
///
/// With `MSG_ERRQUEUE` it takes from the other queue of the socket, in which lies what was sent and came
/// to nothing, each with a [`Complaint`]; it never waits for one.
pub fn recvmsg(socket: &impl AsFd, message: &mut Message, flags: i32) -> Result<usize> {
    let fd = socket.as_fd().as_raw_fd();
    let header = message.header();
    let step = Step::wait("recvmsg", "recvmsg", Some(fd), Wait::Others);
    let received = receive(fd, header, flags).inspect(|&n| message.filled(n));
    step.end(received, |told, ok| {
        let data = ok.map(|_| hide::received(fd, message.data()));
        let header = message.strace(data.as_deref());
        // Before that, what the last message brought still lies there.
        let beside = ok.map_or(Beside::Nothing, |_| message.beside());
        let call = Bytes::Recvmsg(received_by(flags), beside);
        let told = told.call(call, format!("{fd}, {header}, {}", strace::msg(flags)));
        match (ok, data) {
            (Some(&n), Some(data)) => told.message(message, data, n),
            _ => told,
        }
    })
}

#[expect(unsafe_code, reason = "recvmsg takes a pointer")]
fn receive(fd: i32, header: *mut libc::msghdr, flags: i32) -> io::Result<usize> {
    // SAFETY: the header is that of a Message, which is borrowed for the call; see `header`.
    let received = unsafe { libc::recvmsg(fd, header, flags) };
    usize::try_from(received).map_err(|_| io::Error::last_os_error())
}
