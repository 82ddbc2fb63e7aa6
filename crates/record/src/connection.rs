//! A connection, from `socket` to `close`.

use std::borrow::Cow;
use std::net::Shutdown;

use netplay_text::lang::Lang;
use netplay_text::say;
use socket2::SockAddr;

use super::text::{Args, interrupted, local, number, over_ipv4, peer};
use super::{
    Event, Facts, Failure, Known, Moves, Outcome, Shows, Strace, Told, address_text, strace,
};

/// A call that makes, names or ends a connection.
///
/// The addresses are `None` if the call that returns them failed, and in a value that was read from a
/// trace, whose line has them as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// socket(2)
    Socket(SocketKind),
    /// bind(2), to this address.
    Bind(Option<Box<SockAddr>>),
    /// listen(2), with its backlog, if that is known.
    Listen(Option<i32>),
    /// accept(2)
    Accept {
        /// The client.
        peer: Option<Box<SockAddr>>,
        /// Whether calls on the new socket do not wait: SOCK_NONBLOCK.
        nonblock: bool,
        /// Whether the new socket is closed on exec: SOCK_CLOEXEC.
        cloexec: bool,
    },
    /// connect(2), to this address.
    Connect(Option<Box<SockAddr>>),
    /// getsockname(2), and the name.
    Getsockname(Option<Box<SockAddr>>),
    /// getpeername(2), and the name.
    Getpeername(Option<Box<SockAddr>>),
    /// shutdown(2)
    Shutdown(Shutdown),
    /// close(2)
    Close,
    /// socketpair(2), with the two descriptors.
    Socketpair(SocketKind, Option<[i32; 2]>),
    /// dup(2), dup2(2), dup3(2)
    Dup {
        /// Which of the three.
        how: DupName,
        /// The number that the copy shall have; `dup` takes the lowest that is free.
        to: Option<i32>,
        /// Whether the copy is closed on exec: O_CLOEXEC of dup3.
        cloexec: bool,
    },
    /// close_range(2)
    CloseRange {
        /// The first descriptor.
        first: u32,
        /// The last one.
        last: u32,
        /// Whether it only marks them to be closed on exec: CLOSE_RANGE_CLOEXEC.
        cloexec: bool,
    },
}

/// The calls that copy a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DupName {
    /// dup(2)
    Dup,
    /// dup2(2)
    Dup2,
    /// dup3(2)
    Dup3,
}

/// The arguments of `socket`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketKind {
    /// Its addresses.
    pub family: Family,
    /// What it carries.
    pub ty: Type,
    /// IPPROTO_ICMP and others; 0 is the usual one.
    pub protocol: i32,
    /// SOCK_NONBLOCK and SOCK_CLOEXEC.
    pub flags: i32,
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// AF_INET
    Inet,
    /// AF_INET6
    Inet6,
    /// AF_UNIX
    Unix,
    /// Another, with its number.
    Other(i32),
}

/// What a socket carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// SOCK_STREAM
    Stream,
    /// SOCK_DGRAM
    Datagram,
    /// SOCK_RAW: also datagrams, with a header that the program writes.
    Raw,
    /// Another, with its number.
    Other(i32),
}

/// The protocols that have a name here.
const PROTOCOLS: [(i32, &str); 5] = [
    (0, "IPPROTO_IP"),
    (libc::IPPROTO_ICMP, "IPPROTO_ICMP"),
    (libc::IPPROTO_TCP, "IPPROTO_TCP"),
    (libc::IPPROTO_UDP, "IPPROTO_UDP"),
    (libc::IPPROTO_ICMPV6, "IPPROTO_ICMPV6"),
];

/// The flags of a new socket, in strace's order.
const SOCKET_FLAGS: [(i32, &str); 2] =
    [(libc::SOCK_CLOEXEC, "SOCK_CLOEXEC"), (libc::SOCK_NONBLOCK, "SOCK_NONBLOCK")];

impl SocketKind {
    fn read(args: Args<'_>) -> SocketKind {
        let family = match args.nth(0) {
            "AF_INET" => Family::Inet,
            "AF_INET6" => Family::Inet6,
            "AF_UNIX" => Family::Unix,
            "AF_NETLINK" => Family::Other(libc::AF_NETLINK),
            other => Family::Other(other.parse().unwrap_or_default()),
        };
        let ty = match args.nth(1) {
            ty if ty.contains("SOCK_DGRAM") => Type::Datagram,
            ty if ty.contains("SOCK_RAW") => Type::Raw,
            ty if ty.contains("SOCK_SEQPACKET") => Type::Other(libc::SOCK_SEQPACKET),
            _ => Type::Stream,
        };
        let named = |(_, name): &&(i32, &str)| *name == args.nth(2);
        let protocol = PROTOCOLS.iter().find(named).map_or(0, |(protocol, _)| *protocol);
        let set = SOCKET_FLAGS.iter().filter(|(_, name)| args.nth(1).contains(name));
        let flags = set.fold(0, |flags, (flag, _)| flags | flag);
        SocketKind { family, ty, protocol, flags }
    }

    /// Whether calls on it do not wait: SOCK_NONBLOCK.
    #[must_use]
    pub fn never_waits(self) -> bool {
        self.flags & libc::SOCK_NONBLOCK != 0
    }

    /// Whether it is closed on exec: SOCK_CLOEXEC.
    #[must_use]
    pub fn is_closed_on_exec(self) -> bool {
        self.flags & libc::SOCK_CLOEXEC != 0
    }

    /// Whether it carries messages, not a stream: datagrams, or packets.
    #[must_use]
    pub fn has_datagrams(self) -> bool {
        matches!(self.ty, Type::Datagram | Type::Raw) // of a raw socket: packets
    }

    /// `AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP`
    #[must_use]
    pub fn strace(self) -> String {
        let family = match self.family {
            Family::Inet => "AF_INET".to_owned(),
            Family::Inet6 => "AF_INET6".to_owned(),
            Family::Unix => "AF_UNIX".to_owned(),
            Family::Other(libc::AF_NETLINK) => "AF_NETLINK".to_owned(),
            Family::Other(other) => other.to_string(),
        };
        let ty = match self.ty {
            Type::Stream => "SOCK_STREAM".to_owned(),
            Type::Datagram => "SOCK_DGRAM".to_owned(),
            Type::Raw => "SOCK_RAW".to_owned(),
            Type::Other(libc::SOCK_SEQPACKET) => "SOCK_SEQPACKET".to_owned(),
            Type::Other(other) => other.to_string(),
        };
        let set = SOCKET_FLAGS.iter().filter(|(flag, _)| self.flags & flag != 0);
        let set: String = set.map(|(_, name)| format!("|{name}")).collect();
        let named = PROTOCOLS.iter().find(|(protocol, _)| *protocol == self.protocol);
        let protocol = match (self.family, named) {
            (Family::Unix, _) | (_, None) => self.protocol.to_string(),
            (_, Some((_, name))) => (*name).to_owned(),
        };
        format!("{family}, {ty}{set}, {protocol}")
    }

    /// `TCP (IPv4)`
    #[must_use]
    pub fn name(self) -> &'static str {
        let icmp = [libc::IPPROTO_ICMP, libc::IPPROTO_ICMPV6].contains(&self.protocol);
        match (self.family, icmp, self.ty) {
            (Family::Inet, true, Type::Datagram) => "ICMP (IPv4)",
            (Family::Inet, true, _) => "raw ICMP (IPv4)",
            (Family::Inet6, true, Type::Datagram) => "ICMP (IPv6)",
            (Family::Inet6, true, _) => "raw ICMP (IPv6)",
            (Family::Inet, false, Type::Datagram) => "UDP (IPv4)",
            (Family::Inet, false, Type::Stream) => "TCP (IPv4)",
            (Family::Inet6, false, Type::Datagram) => "UDP (IPv6)",
            (Family::Inet6, false, Type::Stream) => "TCP (IPv6)",
            (Family::Unix, _, Type::Datagram) => "UNIX datagram",
            (Family::Unix, _, Type::Other(libc::SOCK_SEQPACKET)) => "UNIX packets",
            (Family::Unix, _, _) => "UNIX stream",
            (Family::Other(libc::AF_NETLINK), ..) => "netlink",
            (_, _, _) => "raw",
        }
    }

    /// ` TCP (IPv4) `, with the spaces that stand around Latin letters in a Chinese sentence.
    fn name_in_chinese(self) -> Cow<'static, str> {
        Cow::Borrowed(match self.name() {
            "UNIX datagram" => " UNIX 数据报",
            "UNIX stream" => " UNIX 流式",
            "UNIX packets" => " UNIX 分组",
            "raw ICMP (IPv4)" => "原始 ICMP (IPv4) ",
            "raw ICMP (IPv6)" => "原始 ICMP (IPv6) ",
            "raw" => "原始",
            name => return Cow::Owned(format!(" {name} ")),
        })
    }
}

names! {
    ConnectionName:
    Socket = "socket",
    Bind = "bind",
    Listen = "listen",
    Accept = "accept",
    Connect = "connect",
    Getsockname = "getsockname",
    Getpeername = "getpeername",
    Shutdown = "shutdown",
    Close = "close",
    Socketpair = "socketpair",
    Dup = "dup",
    Dup2 = "dup2",
    Dup3 = "dup3",
    CloseRange = "close_range",
}

impl Told for Connection {
    type Name = ConnectionName;

    fn read(name: ConnectionName, event: &Event) -> Connection {
        let args = Args::of(event);
        match name {
            ConnectionName::Socket => Connection::Socket(SocketKind::read(args)),
            ConnectionName::Bind => Connection::Bind(None),
            ConnectionName::Listen => Connection::Listen(args.nth(1).parse().ok()),
            ConnectionName::Accept => {
                let (nonblock, cloexec) = (args.has("SOCK_NONBLOCK"), args.has("SOCK_CLOEXEC"));
                Connection::Accept { peer: None, nonblock, cloexec }
            }
            ConnectionName::Connect => Connection::Connect(None),
            ConnectionName::Getsockname => Connection::Getsockname(None),
            ConnectionName::Getpeername => Connection::Getpeername(None),
            ConnectionName::Shutdown if args.end_with("SHUT_WR") => {
                Connection::Shutdown(Shutdown::Write)
            }
            ConnectionName::Shutdown if args.end_with("SHUT_RD") => {
                Connection::Shutdown(Shutdown::Read)
            }
            ConnectionName::Shutdown => Connection::Shutdown(Shutdown::Both),
            ConnectionName::Close => Connection::Close,
            ConnectionName::Socketpair => {
                // AF_UNIX, SOCK_STREAM, 0, [3, 4]
                let fds = args.field("[", &[']']).and_then(|fds| fds.split_once(", "));
                let fds = fds.and_then(|(a, b)| Some([a.parse().ok()?, b.parse().ok()?]));
                Connection::Socketpair(SocketKind::read(args), fds)
            }
            ConnectionName::Dup => Connection::Dup { how: DupName::Dup, to: None, cloexec: false },
            ConnectionName::Dup2 => {
                Connection::Dup { how: DupName::Dup2, to: args.nth(1).parse().ok(), cloexec: false }
            }
            ConnectionName::Dup3 => Connection::Dup {
                how: DupName::Dup3,
                to: args.nth(1).parse().ok(),
                cloexec: args.has("O_CLOEXEC"),
            },
            ConnectionName::CloseRange => Connection::CloseRange {
                first: args.nth(0).parse().unwrap_or_default(),
                last: args.nth(1).parse().unwrap_or(u32::MAX),
                cloexec: args.has("CLOSE_RANGE_CLOEXEC"),
            },
        }
    }

    fn name(&self) -> ConnectionName {
        match self {
            Connection::Socket(_) => ConnectionName::Socket,
            Connection::Bind(_) => ConnectionName::Bind,
            Connection::Listen(_) => ConnectionName::Listen,
            Connection::Accept { .. } => ConnectionName::Accept,
            Connection::Connect(_) => ConnectionName::Connect,
            Connection::Getsockname(_) => ConnectionName::Getsockname,
            Connection::Getpeername(_) => ConnectionName::Getpeername,
            Connection::Shutdown(_) => ConnectionName::Shutdown,
            Connection::Close => ConnectionName::Close,
            Connection::Socketpair(..) => ConnectionName::Socketpair,
            Connection::Dup { how: DupName::Dup, .. } => ConnectionName::Dup,
            Connection::Dup { how: DupName::Dup2, .. } => ConnectionName::Dup2,
            Connection::Dup { how: DupName::Dup3, .. } => ConnectionName::Dup3,
            Connection::CloseRange { .. } => ConnectionName::CloseRange,
        }
    }

    fn strace(&self, outcome: &Outcome) -> Strace {
        let fd = outcome.fd();
        match self {
            Connection::Socket(kind) => Strace::new("socket", kind.strace()),
            Connection::Bind(to) => {
                Strace::new("bind", format!("{fd}, {}", strace::given(to.as_deref())))
            }
            Connection::Listen(backlog) => {
                Strace::new("listen", format!("{fd}, {}", backlog.unwrap_or_default()))
            }
            Connection::Accept { peer, nonblock, cloexec } => {
                let set = [*cloexec, *nonblock].into_iter().zip(SOCKET_FLAGS);
                let set = set.filter(|(set, _)| *set).map(|(_, (_, name))| name);
                let (set, peer) = (strace::flags(set), strace::answered(peer.as_deref()));
                Strace::new("accept4", format!("{fd}, {peer}, {set}"))
            }
            Connection::Connect(to) => {
                Strace::new("connect", format!("{fd}, {}", strace::given(to.as_deref())))
            }
            Connection::Getsockname(name) => {
                Strace::new("getsockname", format!("{fd}, {}", strace::answered(name.as_deref())))
            }
            Connection::Getpeername(name) => {
                Strace::new("getpeername", format!("{fd}, {}", strace::answered(name.as_deref())))
            }
            Connection::Shutdown(how) => Strace::new("shutdown", format!("{fd}, {}", shut(*how))),
            Connection::Close => Strace::new("close", fd),
            Connection::Socketpair(kind, fds) => {
                let fds =
                    fds.map_or("0x...".to_owned(), |[one, other]| format!("[{one}, {other}]"));
                Strace::new("socketpair", format!("{}, {fds}", kind.strace()))
            }
            Connection::Dup { how: DupName::Dup, .. } => Strace::new("dup", fd),
            Connection::Dup { how: DupName::Dup2, to, .. } => {
                Strace::new("dup2", format!("{fd}, {}", to.unwrap_or_default()))
            }
            Connection::Dup { how: DupName::Dup3, to, cloexec } => {
                let flags = if *cloexec { "O_CLOEXEC" } else { "0" };
                Strace::new("dup3", format!("{fd}, {}, {flags}", to.unwrap_or_default()))
            }
            Connection::CloseRange { first, last, cloexec } => {
                let flags = if *cloexec { "CLOSE_RANGE_CLOEXEC" } else { "0" };
                Strace::new("close_range", format!("{first}, {last}, {flags}"))
            }
        }
    }

    fn facts(&self, outcome: &Outcome) -> Facts {
        let done = outcome.done().is_some();
        match self {
            Connection::Bind(name) | Connection::Getsockname(name) => {
                // The kernel chooses the port; until getsockname, the address is not known.
                let chosen = name.as_deref().and_then(SockAddr::as_socket);
                let named = done && chosen.is_none_or(|address| address.port() != 0);
                Facts {
                    local: name.as_deref().map(address_text),
                    known: if named { Known::Local } else { Known::Nothing },
                    ..Facts::default()
                }
            }
            Connection::Accept { peer, .. } => {
                Facts { peer: peer.as_deref().map(address_text), ..Facts::default() }
            }
            Connection::Connect(peer) | Connection::Getpeername(peer) => {
                let begun = done || outcome.errno == Some(libc::EINPROGRESS);
                Facts {
                    peer: peer.as_deref().map(address_text),
                    known: if begun { Known::Peer } else { Known::Nothing },
                    ..Facts::default()
                }
            }
            Connection::Socket(_)
            | Connection::Listen(_)
            | Connection::Shutdown(_)
            | Connection::Close
            | Connection::Socketpair(..)
            | Connection::Dup { .. }
            | Connection::CloseRange { .. } => Facts::default(),
        }
    }

    fn sentence(&self, event: &Event, lang: Lang) -> String {
        let (local, peer) = (local(event, lang), peer(event, lang));
        let ret = event.ret.unwrap_or_default();
        match self {
            Connection::Socket(kind) => {
                let (en, zh) = (kind.name(), kind.name_in_chinese());
                say!(
                    lang,
                    "a new {en} socket: no address yet, no peer",
                    "新建{zh}套接字：还没有地址，也没有对端",
                )
            }
            Connection::Bind(_) => match local.strip_suffix(":0") {
                Some(address) => say!(
                    lang,
                    "its address is {address}; the kernel chooses a free port",
                    "地址是 {address}，端口由内核从空闲端口中挑选",
                ),
                None => say!(lang, "its address is {local}", "地址是 {local}"),
            },
            Connection::Listen(backlog) => {
                // Linux compares with "more than": one more than the backlog may wait. And net.core.somaxconn
                // may be smaller.
                match backlog.and_then(|backlog| u32::try_from(backlog).ok()).map(|n| n + 1) {
                    Some(most) => say!(
                        lang,
                        "listening: the kernel connects clients, and up to {most} wait for accept",
                        "开始监听：内核替它建立连接，最多 {most} 个客户端排队等待 accept",
                    ),
                    None => say!(
                        lang,
                        "listening: the kernel connects clients, and they wait for accept",
                        "开始监听：内核替它建立连接，客户端排队等待 accept",
                    ),
                }
            }
            Connection::Accept { .. } if peer == "(unnamed)" || event.peer.is_none() => say!(
                lang,
                "a client is connected: its socket is fd {ret}",
                "一个客户端已连接：它的套接字是 fd {ret}",
            ),
            Connection::Accept { .. } => {
                let over = over_ipv4(peer, lang);
                say!(
                    lang,
                    "client {peer} is connected{over}: its socket is fd {ret}",
                    "客户端 {peer} 已连接{over}：它的套接字是 fd {ret}",
                )
            }
            Connection::Connect(_) if event.has_datagrams() => say!(
                lang,
                "its datagrams go to {peer} from now on, and only those from there arrive: nothing was sent",
                "从现在起它的数据报发往 {peer}，也只接收来自那里的数据报：没有发送任何东西",
            ),
            Connection::Connect(_) => say!(lang, "connected to {peer}", "已连接到 {peer}"),
            Connection::Getsockname(_) => say!(lang, "this end is {local}", "本端是 {local}"),
            Connection::Getpeername(_) => say!(lang, "the other end is {peer}", "对端是 {peer}"),
            Connection::Shutdown(Shutdown::Write) => say!(
                lang,
                "this end will send no more: the peer's recv returns 0 after the last byte",
                "本端不再发送：对端读完最后一个字节后，recv 返回 0",
            ),
            Connection::Shutdown(Shutdown::Read) => {
                say!(lang, "this end will receive no more", "本端不再接收")
            }
            Connection::Shutdown(Shutdown::Both) => say!(
                lang,
                "both directions end, and every call that waits on the socket returns",
                "两个方向都结束，所有等在这个套接字上的调用都会返回",
            ),
            Connection::Close => say!(lang, "closed", "已关闭"),
            Connection::Socketpair(kind, fds) => {
                let (en, zh) = (kind.name(), kind.name_in_chinese());
                let [one, other] = fds.unwrap_or_default();
                say!(
                    lang,
                    "two {en} sockets, connected to each other: fd {one} and fd {other}",
                    "两个相互连接的{zh}套接字：fd {one} 和 fd {other}",
                )
            }
            Connection::Dup { .. } => {
                let fd = event.fd.unwrap_or_default();
                same(fd, ret, lang)
            }
            Connection::CloseRange { first, cloexec: true, .. } => say!(
                lang,
                "descriptors from {first} on are closed when another program begins",
                "从 {first} 起的描述符在执行另一个程序时关闭",
            ),
            Connection::CloseRange { first, last: u32::MAX, .. } => say!(
                lang,
                "closed every descriptor from {first} on",
                "已关闭从 {first} 起的所有描述符",
            ),
            Connection::CloseRange { first, last, .. } => say!(
                lang,
                "closed every descriptor from {first} to {last}",
                "已关闭从 {first} 到 {last} 的所有描述符",
            ),
        }
    }

    fn failure(&self, errno: &str, event: &Event, lang: Lang) -> Option<Failure> {
        let ordinary = match (self, errno) {
            (Connection::Accept { .. }, "EAGAIN") => {
                say!(lang, "no client is waiting yet (EAGAIN)", "还没有客户端 (EAGAIN)")
            }
            (Connection::Accept { .. }, "EINTR") => interrupted(lang),
            (Connection::Accept { .. }, "EINVAL") => {
                say!(lang, "the listener was shut down (EINVAL)", "监听套接字已被关停 (EINVAL)")
            }
            (Connection::Connect(_), "EINPROGRESS") => {
                let peer = peer(event, lang);
                say!(
                    lang,
                    "the handshake with {peer} is not finished yet (EINPROGRESS)",
                    "与 {peer} 的握手还没有完成 (EINPROGRESS)",
                )
            }
            (Connection::Shutdown(_), "ENOTCONN") => say!(
                lang,
                "it has no peer (ENOTCONN); every call that waits on it returns",
                "它没有对端 (ENOTCONN)；所有等在它上面的调用都会返回",
            ),
            (Connection::Accept { .. }, "EMFILE") => {
                return Some(Failure::Because(lang.pick(
                    "; the client waits in the listener's queue",
                    "；客户端留在监听队列里等待",
                )));
            }
            (Connection::Connect(_), "ECONNREFUSED") => {
                return Some(Failure::Because(
                    lang.pick("; nothing listens there", "；那里没有程序在监听"),
                ));
            }
            (Connection::Bind(_), "EADDRINUSE") => {
                return Some(Failure::Because(
                    lang.pick("; another socket has this address", "；另一个套接字占着这个地址"),
                ));
            }
            (
                Connection::Socket(_)
                | Connection::Bind(_)
                | Connection::Listen(_)
                | Connection::Accept { .. }
                | Connection::Connect(_)
                | Connection::Getsockname(_)
                | Connection::Getpeername(_)
                | Connection::Shutdown(_)
                | Connection::Close
                | Connection::Socketpair(..)
                | Connection::Dup { .. }
                | Connection::CloseRange { .. },
                _,
            ) => return None,
        };
        Some(Failure::Ordinary(ordinary))
    }

    fn failed_at<'a>(&self, event: &'a Event) -> Option<&'a str> {
        match self {
            Connection::Bind(_) => event.local.as_deref(),
            Connection::Connect(_) => event.peer.as_deref(),
            Connection::Socket(_)
            | Connection::Listen(_)
            | Connection::Accept { .. }
            | Connection::Getsockname(_)
            | Connection::Getpeername(_)
            | Connection::Shutdown(_)
            | Connection::Close
            | Connection::Socketpair(..)
            | Connection::Dup { .. }
            | Connection::CloseRange { .. } => None,
        }
    }

    fn asked(&self, on: String, event: &Event, _: Lang) -> String {
        match self {
            Connection::Socket(kind) => format!("socket {}", kind.name()),
            Connection::Bind(_) => format!("{on} {}", event.local.as_deref().unwrap_or_default()),
            Connection::Connect(_) => format!("{on} {}", event.peer.as_deref().unwrap_or_default()),
            Connection::Listen(backlog) => {
                let backlog = backlog.map(|backlog| backlog.to_string()).unwrap_or_default();
                format!("{on} backlog {backlog}")
            }
            Connection::Shutdown(how) => format!("{on} {}", shut(*how)),
            Connection::Socketpair(kind, _) => format!("socketpair {}", kind.name()),
            Connection::Dup { to: Some(to), .. } => format!("{on} {to}"),
            Connection::Dup { to: None, .. } => on,
            Connection::CloseRange { first, last: u32::MAX, .. } => format!("{on} {first} …"),
            Connection::CloseRange { first, last, .. } => format!("{on} {first} … {last}"),
            Connection::Accept { .. }
            | Connection::Getsockname(_)
            | Connection::Getpeername(_)
            | Connection::Close => on,
        }
    }

    fn answered(&self, event: &Event, lang: Lang) -> String {
        let ret = event.ret.unwrap_or_default();
        match self {
            Connection::Socket(_) => format!("fd {ret}"),
            Connection::Accept { .. } => match &event.peer {
                Some(peer) if peer != "(unnamed)" => {
                    say!(lang, "fd {ret}, client {peer}", "fd {ret}，客户端 {peer}")
                }
                _ => format!("fd {ret}"),
            },
            Connection::Connect(_) => say!(lang, "connected", "已连接"),
            Connection::Dup { .. } => format!("fd {ret}"),
            Connection::Socketpair(_, fds) => {
                let [one, other] = fds.unwrap_or_default();
                say!(lang, "fd {one} and fd {other}", "fd {one} 和 fd {other}")
            }
            Connection::Getsockname(_) => event.local.as_deref().unwrap_or_default().to_owned(),
            Connection::Getpeername(_) => event.peer.as_deref().unwrap_or_default().to_owned(),
            Connection::Bind(_)
            | Connection::Listen(_)
            | Connection::Shutdown(_)
            | Connection::Close
            | Connection::CloseRange { .. } => number(event.ret),
        }
    }

    fn waits(&self) -> bool {
        match self {
            Connection::Accept { .. } | Connection::Connect(_) => true,
            Connection::Socket(_)
            | Connection::Bind(_)
            | Connection::Listen(_)
            | Connection::Getsockname(_)
            | Connection::Getpeername(_)
            | Connection::Shutdown(_)
            | Connection::Close
            | Connection::Socketpair(..)
            | Connection::Dup { .. }
            | Connection::CloseRange { .. } => false,
        }
    }

    fn waiting(&self, event: &Event, lang: Lang) -> Option<String> {
        match self {
            Connection::Accept { .. } => Some(say!(lang, "waiting for a client", "等待客户端")),
            Connection::Connect(_) => {
                let peer = peer(event, lang);
                Some(say!(lang, "waiting for {peer} to answer", "等待 {peer} 应答"))
            }
            Connection::Socket(_)
            | Connection::Bind(_)
            | Connection::Listen(_)
            | Connection::Getsockname(_)
            | Connection::Getpeername(_)
            | Connection::Shutdown(_)
            | Connection::Close
            | Connection::Socketpair(..)
            | Connection::Dup { .. }
            | Connection::CloseRange { .. } => None,
        }
    }

    fn has_datagrams(&self, _: &Event) -> Option<bool> {
        matches!(self, Connection::Connect(_)).then_some(false)
    }

    fn moves(&self) -> Moves {
        match self {
            Connection::Socket(kind) => Moves::Makes { datagrams: kind.has_datagrams() },
            Connection::Socketpair(kind, fds) => {
                Moves::MakesTwo { datagrams: kind.has_datagrams(), fds: *fds }
            }
            Connection::Dup { .. } => Moves::Duplicates,
            Connection::CloseRange { cloexec: true, .. } => Moves::Nothing,
            &Connection::CloseRange { first, last, .. } => Moves::ClosesMany { first, last },
            Connection::Accept { nonblock, .. } => Moves::Accepts { nonblock: *nonblock },
            Connection::Listen(_) => Moves::Listens,
            Connection::Connect(_) => Moves::Connects,
            Connection::Shutdown(how) => Moves::Shuts(*how),
            Connection::Close => Moves::Closes,
            Connection::Bind(_) | Connection::Getsockname(_) | Connection::Getpeername(_) => {
                Moves::Nothing
            }
        }
    }

    fn shows(&self) -> Shows {
        match self {
            Connection::Connect(_) | Connection::Shutdown(_) => Shows::Arrow,
            Connection::Getsockname(_) | Connection::Getpeername(_) => Shows::Nothing,
            Connection::Dup { .. } | Connection::CloseRange { .. } => Shows::Nothing,
            Connection::Socketpair(..) => Shows::Itself,
            Connection::Socket(_)
            | Connection::Bind(_)
            | Connection::Listen(_)
            | Connection::Accept { .. }
            | Connection::Close => Shows::Itself,
        }
    }

    fn acts_at_once(&self) -> bool {
        match self {
            Connection::Socket(_)
            | Connection::Bind(_)
            | Connection::Connect(_)
            | Connection::Shutdown(_)
            | Connection::Close
            | Connection::Socketpair(..)
            | Connection::Dup { .. }
            | Connection::CloseRange { .. } => true,
            Connection::Listen(_)
            | Connection::Accept { .. }
            | Connection::Getsockname(_)
            | Connection::Getpeername(_) => false,
        }
    }
}

/// Two descriptors, one socket or file.
pub(super) fn same(fd: i32, copy: i64, lang: Lang) -> String {
    say!(
        lang,
        "fd {copy} now means the same as fd {fd}: it stays open until both are closed",
        "fd {copy} 与 fd {fd} 现在指同一个对象：两者都关闭后它才关闭",
    )
}

fn shut(how: Shutdown) -> &'static str {
    match how {
        Shutdown::Read => "SHUT_RD",
        Shutdown::Write => "SHUT_WR",
        Shutdown::Both => "SHUT_RDWR",
    }
}
