//! recvmsg: a message, its sender, and what the kernel knows about it. sendmmsg: many messages at once.

use std::fmt;
use std::io;
use std::mem::zeroed;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;
use std::time::Duration;

use socket2::{SockAddr, SockAddrStorage};

use super::error::Result;
use super::gather::Wait;
use super::hide;
use super::step::Step;
use netplay_record::{Bytes, BytesName, Complaint, Control, Header, Many, Receive, part};

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

    /// The sender of the datagram; `None` on a connection, whose peer is known.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.name().as_socket()
    }

    /// When it arrived at the socket, as the kernel saw it: the time since 1970 on CLOCK_REALTIME.
    /// `None` unless SO_TIMESTAMPNS is set. Of a stream, the time of its last segment.
    ///
    /// The kernel reads the clock for each packet only after a first socket has asked for
    /// it; a datagram that arrived before gets the time at which it is received.
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
                Some(i32::from_ne_bytes(part(&control.data, 0)))
            }
            _ => None,
        })
    }

    /// Why an earlier message failed; that message is then this message's data. Only if it was
    /// received with `MSG_ERRQUEUE`, from a socket with IP_RECVERR or IPV6_RECVERR. See ip(7).
    #[must_use]
    pub fn complaint(&self) -> Option<Complaint> {
        self.control().into_iter().find_map(|control| match control.kind() {
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => {
                Some(Complaint::read(&control.data))
            }
            _ => None,
        })
    }

    /// What the kernel adds to the message: cmsg(3).
    #[expect(unsafe_code, reason = "control messages are walked by pointers")]
    fn control(&self) -> Vec<Control> {
        let header = &self.memory.header;
        let mut found = Vec::new();
        // SAFETY: the pointers and lengths in the header are those of `memory`, and the kernel has
        // shortened the lengths to what it wrote: each control message, its data and all, lies inside.
        unsafe {
            let mut at = libc::CMSG_FIRSTHDR(header);
            while let Some(control) = at.as_ref() {
                let data = control.cmsg_len.saturating_sub(libc::CMSG_LEN(0) as usize);
                let data = std::slice::from_raw_parts(libc::CMSG_DATA(at), data).to_vec();
                found.push(Control { level: control.cmsg_level, name: control.cmsg_type, data });
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

    /// The kernel has filled it with this many bytes.
    pub(super) fn filled(&mut self, received: usize) {
        self.received = received;
    }

    #[expect(unsafe_code, reason = "the kernel wrote the name")]
    fn name(&self) -> SockAddr {
        let mut name = SockAddrStorage::zeroed();
        // SAFETY: the two are the same structure, and the kernel has written so many bytes of a valid
        // address into it, or none.
        unsafe {
            *name.view_as() = self.memory.name;
            SockAddr::new(name, self.memory.header.msg_namelen)
        }
    }

    /// The value of a receive that put this many bytes into it, if it did not fail.
    pub(super) fn told(&self, fd: i32, flags: i32, received: Option<usize>) -> Bytes {
        let data = received.map(|_| hide::received(fd, self.data()));
        // Before that, it still holds the previous message.
        let header = received.map(|_| Header {
            name: Some(self.name()),
            control: self.control(),
            control_len: self.memory.header.msg_controllen,
            flags: self.memory.header.msg_flags,
        });
        let (at, room) = (self.memory.data.as_ptr().addr(), self.memory.data.len());
        Bytes::Recvmsg(Receive { flags, at, room, data }, header.map(Box::new))
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("data", &self.data()).finish_non_exhaustive()
    }
}

/// Takes what has arrived, as [`recv`](super::recv) and [`recvfrom`](super::recvfrom) do, together
/// with what the kernel knows about it: its sender, when it arrived, what time to live it had left.
/// It waits while nothing has arrived. See recvmsg(2).
///
/// With `MSG_ERRQUEUE` it takes from the error queue of the socket, which holds sent messages that
/// failed, each with a [`Complaint`]; it never waits for one.
pub fn recvmsg(socket: &impl AsFd, message: &mut Message, flags: i32) -> Result<usize> {
    let fd = socket.as_fd().as_raw_fd();
    let header = message.header();
    let step = Step::wait(BytesName::Recvmsg, Some(fd), Wait::Others);
    let received = receive(fd, header, flags).inspect(|&n| message.filled(n));
    step.end(received, |n| message.told(fd, flags, n.copied()))
}

#[expect(unsafe_code, reason = "recvmsg takes a pointer")]
fn receive(fd: i32, header: *mut libc::msghdr, flags: i32) -> io::Result<usize> {
    // SAFETY: the header is that of a Message, which is borrowed for the call; see `header`.
    let received = unsafe { libc::recvmsg(fd, header, flags) };
    usize::try_from(received).map_err(|_| io::Error::last_os_error())
}

/// Sends each of these to the address, as a datagram of its own and all with one call; returns how many the
/// kernel took. It ends at the first that fails, and reports the error only if that is the first of all. See sendmmsg(2).
///
/// Linux takes 1,024 at most.
#[expect(unsafe_code, reason = "sendmmsg takes pointers")]
pub fn sendmmsg(
    socket: &impl AsFd,
    datagrams: &[impl AsRef<[u8]>],
    flags: i32,
    to: impl Into<SockAddr>,
) -> Result<usize> {
    let (fd, to) = (socket.as_fd().as_raw_fd(), to.into());
    let bytes = datagrams.iter().map(AsRef::as_ref);
    let mut parts: Vec<libc::iovec> = (bytes.clone())
        .map(|bytes| libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        })
        .collect();
    let header = |part| {
        // SAFETY: it is numbers and pointers, for which zero is a value.
        let mut header: libc::mmsghdr = unsafe { zeroed() };
        header.msg_hdr.msg_name = to.as_ptr().cast_mut().cast();
        header.msg_hdr.msg_namelen = to.len();
        header.msg_hdr.msg_iov = part;
        header.msg_hdr.msg_iovlen = 1;
        header
    };
    let mut headers: Vec<libc::mmsghdr> = parts.iter_mut().map(|part| header(part)).collect();
    let count = u32::try_from(headers.len()).unwrap_or(u32::MAX);
    let room = Wait::Room(bytes.clone().map(<[u8]>::len).sum());
    let step = Step::wait(BytesName::Sendmmsg, Some(fd), room);
    // SAFETY: each header points to the address, and to a part that points to bytes: all are there until the
    // end of this function, and the kernel only reads them. There are `count` headers at least.
    let sent = unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), count, flags) };
    let sent = usize::try_from(sent).map_err(|_| io::Error::last_os_error());
    step.end(sent, |n| {
        let taken = n.copied().unwrap_or_default();
        let moved = |at: usize, bytes: &[u8]| if at < taken { bytes.len() } else { 0 };
        let datagrams =
            bytes.enumerate().map(|(at, of)| hide::sent(fd, of, moved(at, of))).collect();
        Bytes::Sendmmsg(Many { flags, datagrams, to: Some(to.clone().into()) })
    })
    .map_err(|error| error.about(&to))
}
