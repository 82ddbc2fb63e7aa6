//! What `recvmsg` returns with the bytes: their sender, and what the kernel knows about them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use netplay_text::lang::Lang;
use netplay_text::say;
use socket2::SockAddr;

use super::strace;
use super::text::Args;

/// `N` bytes from this offset on; missing bytes are zero.
pub fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    for (to, from) in part.iter_mut().zip(bytes.iter().skip(at)) {
        *to = *from;
    }
    part
}

/// A `struct msghdr` that the kernel has filled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The sender of the message; of length 0 on a connection. `None` if it comes from a trace.
    pub name: Option<SockAddr>,
    /// The control messages: cmsg(3).
    pub control: Vec<Control>,
    /// How many bytes that takes.
    pub control_len: usize,
    /// `MSG_TRUNC` and others.
    pub flags: i32,
}

impl Header {
    /// What can be read of it in strace's words.
    pub(super) fn read(args: Args<'_>) -> Header {
        let hop_limit = format!("SOL_IPV6, cmsg_type={:#x}", libc::IPV6_HOPLIMIT);
        let known = [
            ("SO_TIMESTAMPNS", (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS)),
            ("cmsg_type=SCM_RIGHTS", (libc::SOL_SOCKET, libc::SCM_RIGHTS)),
            ("cmsg_type=IP_TTL", (libc::IPPROTO_IP, libc::IP_TTL)),
            (&hop_limit, (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT)),
        ];
        let there = known.into_iter().filter(|(word, _)| args.has(word));
        let control = there.map(|(_, kind)| match kind {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => Control::of_descriptors(&args.descriptors()),
            (level, name) => Control { level, name, data: Vec::new() },
        });
        let flags = if args.has("msg_flags=MSG_TRUNC") { libc::MSG_TRUNC } else { 0 };
        Header { control: control.collect(), flags, ..Header::default() }
    }

    /// The part of the sentence after the bytes.
    pub(super) fn beside(&self, lang: Lang) -> String {
        let cut = match self.flags & libc::MSG_TRUNC {
            0 => "",
            _ => lang.pick(
                "; it was cut: the rest did not fit and is lost (MSG_TRUNC)",
                "；它被截短：放不下的部分丢了 (MSG_TRUNC)",
            ),
        };
        self.arrived_with(lang) + cut
    }

    /// The descriptors that came with the bytes.
    #[must_use]
    pub fn descriptors(&self) -> Vec<i32> {
        self.control.iter().flat_map(Control::descriptors).collect()
    }

    fn arrived_with(&self, lang: Lang) -> String {
        let fds = self.descriptors();
        if !fds.is_empty() {
            let list = fds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return match fds.len() {
                1 => say!(
                    lang,
                    ", and a descriptor of the peer's, here {list}",
                    "，以及对端的一个描述符，在这里是 {list}",
                ),
                _ => say!(
                    lang,
                    ", and descriptors of the peer's, here {list}",
                    "，以及对端的几个描述符，在这里是 {list}",
                ),
            };
        }
        let kinds: Vec<(i32, i32)> = self.control.iter().map(Control::kind).collect();
        let with = match kinds {
            kinds if kinds.contains(&(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS)) => {
                lang.pick(", and the time of its arrival", "，以及到达的时间")
            }
            kinds if kinds.contains(&(libc::IPPROTO_IP, libc::IP_TTL)) => {
                lang.pick(", and its time to live", "，以及它的生存时间 (TTL)")
            }
            kinds if kinds.contains(&(libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT)) => {
                lang.pick(", and its hop limit", "，以及它的跳数限制")
            }
            _ => "",
        };
        with.to_owned()
    }

    /// The name, its length and the control messages, around the data and its buffer.
    pub(super) fn strace(&self, data: &str, size: usize, flags: &str) -> String {
        let name = match &self.name {
            Some(name) if name.len() > 0 => {
                format!("{}, msg_namelen=128 => {}", strace::sockaddr(name), name.len())
            }
            _ => "0x..., msg_namelen=128 => 0".to_owned(),
        };
        let control: Vec<String> = self.control.iter().map(Control::strace).collect();
        let control = match control.is_empty() {
            true => String::new(),
            false => format!("msg_control=[{}], ", control.join(", ")),
        };
        format!(
            "{{msg_name={name}, msg_iov=[{{iov_base={data}, iov_len={size}}}], msg_iovlen=1, \
             {control}msg_controllen={}, msg_flags={flags}}}",
            self.control_len,
        )
    }
}

/// One control message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// `SOL_SOCKET` and others.
    pub level: i32,
    /// What it is at that level.
    pub name: i32,
    /// What it says.
    pub data: Vec<u8>,
}

impl Control {
    /// Level and name.
    pub fn kind(&self) -> (i32, i32) {
        (self.level, self.name)
    }

    /// A `struct timespec`: two numbers of 64 bits.
    pub fn time(&self) -> Duration {
        let number = |at| i64::from_ne_bytes(part(&self.data, at));
        Duration::new(number(0) as u64, number(8) as u32)
    }

    /// These descriptors, on their way to another process: SCM_RIGHTS.
    #[must_use]
    pub fn of_descriptors(fds: &[i32]) -> Control {
        let data = fds.iter().flat_map(|fd| fd.to_ne_bytes()).collect();
        Control { level: libc::SOL_SOCKET, name: libc::SCM_RIGHTS, data }
    }

    /// The descriptors, if it is a message of them.
    #[must_use]
    pub fn descriptors(&self) -> Vec<i32> {
        match self.kind() {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                self.data.chunks_exact(4).map(|fd| i32::from_ne_bytes(part(fd, 0))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The room that it takes in the buffer: a multiple of eight bytes.
    pub(super) fn space(&self) -> usize {
        HEADER + self.data.len().next_multiple_of(size_of::<usize>())
    }

    /// `{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[5]}`
    #[must_use]
    pub fn strace(&self) -> String {
        let len = HEADER + self.data.len();
        match self.kind() {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                let fds: Vec<String> = self.descriptors().iter().map(ToString::to_string).collect();
                format!(
                    "{{cmsg_len={len}, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[{}]}}",
                    fds.join(", ")
                )
            }
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => format!(
                "{{cmsg_len={len}, cmsg_level=SOL_SOCKET, cmsg_type=SO_TIMESTAMPNS_OLD, \
                 cmsg_data={}}}",
                strace::timespec(self.time())
            ),
            (libc::IPPROTO_IP, libc::IP_TTL) => format!(
                "{{cmsg_len={len}, cmsg_level=SOL_IP, cmsg_type=IP_TTL, cmsg_data=[{}]}}",
                i32::from_ne_bytes(part(&self.data, 0))
            ),
            (libc::IPPROTO_IP, libc::IP_RECVERR) => format!(
                "{{cmsg_len={len}, cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={}}}",
                Complaint::read(&self.data).strace()
            ),
            // strace knows those of IPv6 by their numbers only.
            (libc::IPPROTO_IPV6, name) => {
                format!("{{cmsg_len={len}, cmsg_level=SOL_IPV6, cmsg_type={name:#x}}}")
            }
            (level, name) => format!("{{cmsg_len={len}, cmsg_level={level}, cmsg_type={name:#x}}}"),
        }
    }
}

/// The size of a `struct cmsghdr` before its data.
const HEADER: usize = size_of::<libc::cmsghdr>();

/// What a router, a host or the local kernel reported about a message that was sent: a
/// `struct sock_extended_err`, and behind it the address that reported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Complaint {
    /// The same as an error number.
    pub errno: i32,
    /// The type of the ICMP message that reported it; 0 if the local kernel did.
    pub kind: u8,
    /// The code of the ICMP message.
    pub code: u8,
    /// The sender of that; `None` if the local kernel reported it.
    pub by: Option<IpAddr>,
    origin: u8,
    info: u32,
    data: u32,
}

impl Complaint {
    /// Reads a `struct sock_extended_err` and the address behind it (ip(7), IP_RECVERR).
    #[must_use]
    pub fn read(bytes: &[u8]) -> Complaint {
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
