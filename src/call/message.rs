//! recvmsg: a message, who sent it, and what the kernel knows about it.

use std::fmt;
use std::io;
use std::mem::zeroed;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;
use std::time::Duration;

use socket2::{SockAddr, SockAddrStorage};

use super::error::Result;
use super::record::Step;
use super::strace;

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

/// Room for one control message, the time of arrival: a header of 16 bytes and a `struct timespec`.
const CONTROL: usize = 32;

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
    #[expect(unsafe_code, reason = "control messages are walked by pointers")]
    #[must_use]
    pub fn arrived(&self) -> Option<Duration> {
        let header = &self.memory.header;
        // SAFETY: the pointers and lengths in the header are those of `memory`, and the kernel has
        // shortened the lengths to what it wrote. A timespec may be copied from any address.
        unsafe {
            let mut at = libc::CMSG_FIRSTHDR(header);
            while let Some(control) = at.as_ref() {
                if (control.cmsg_level, control.cmsg_type)
                    == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS)
                {
                    let time = libc::CMSG_DATA(at).cast::<libc::timespec>().read_unaligned();
                    return Some(Duration::new(time.tv_sec as u64, time.tv_nsec as u32));
                }
                at = libc::CMSG_NXTHDR(header, at);
            }
        }
        None
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

    /// What strace prints of the header: before the call only the room for a name is known.
    fn strace(&self, filled: bool) -> String {
        let room = NAME;
        if !filled {
            return format!("{{msg_namelen={room}}}");
        }
        let name = match self.memory.header.msg_namelen {
            0 => format!("0x..., msg_namelen={room} => 0"),
            len => format!("{}, msg_namelen={room} => {len}", strace::sockaddr(&self.name())),
        };
        let (data, size) = (strace::quoted(self.data()), self.memory.data.len());
        let control = match self.arrived() {
            Some(time) => format!(
                "msg_control=[{{cmsg_len={CONTROL}, cmsg_level=SOL_SOCKET, \
                 cmsg_type=SO_TIMESTAMPNS_OLD, cmsg_data={{tv_sec={}, tv_nsec={}}}}}], ",
                time.as_secs(),
                time.subsec_nanos()
            ),
            None => String::new(),
        };
        format!(
            "{{msg_name={name}, msg_iov=[{{iov_base={data}, iov_len={size}}}], msg_iovlen=1, \
             {control}msg_controllen={}, msg_flags={}}}",
            self.memory.header.msg_controllen,
            strace::msg(self.memory.header.msg_flags)
        )
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("data", &self.data()).finish_non_exhaustive()
    }
}

/// Takes what has arrived, as [`recv`](super::recv) and [`recvfrom`](super::recvfrom) do, together
/// with what the kernel has to say about it: who sent it, and when it arrived. It waits while nothing
/// has arrived. See recvmsg(2).
pub fn recvmsg(socket: &impl AsFd, message: &mut Message, flags: i32) -> Result<usize> {
    let fd = socket.as_fd().as_raw_fd();
    let header = message.header();
    let step = Step::begin("recvmsg", "recvmsg", Some(fd));
    let received = receive(fd, header, flags).inspect(|&n| message.filled(n));
    step.end(received, |told, ok| {
        let told =
            told.args(format!("{fd}, {}, {}", message.strace(ok.is_some()), strace::msg(flags)));
        match ok {
            Some(&n) => told.message(message, n),
            None => told,
        }
    })
}

#[expect(unsafe_code, reason = "recvmsg takes a pointer")]
fn receive(fd: i32, header: *mut libc::msghdr, flags: i32) -> io::Result<usize> {
    // SAFETY: the header is that of a Message, which is borrowed for the call; see `header`.
    let received = unsafe { libc::recvmsg(fd, header, flags) };
    usize::try_from(received).map_err(|_| io::Error::last_os_error())
}
