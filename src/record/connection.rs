//! A connection, from `socket` to `close`.

use std::net::Shutdown;

use super::text::{Args, local, number, over_ipv4, peer};
use super::{Event, Failure, Moves, Told};

/// A call that makes, names or ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// socket(2)
    Socket(SocketKind),
    /// bind(2)
    Bind,
    /// listen(2), with its backlog, if that is known.
    Listen(Option<i32>),
    /// accept(2)
    Accept,
    /// connect(2)
    Connect,
    /// getsockname(2)
    Getsockname,
    /// getpeername(2)
    Getpeername,
    /// shutdown(2)
    Shutdown(Shutdown),
    /// close(2)
    Close,
}

/// What `socket` is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketKind {
    /// Its addresses.
    pub family: Family,
    /// What it carries.
    pub ty: Type,
    /// Whether it speaks ICMP.
    pub icmp: bool,
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
    /// Another.
    Other,
}

/// What a socket carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// SOCK_STREAM
    Stream,
    /// SOCK_DGRAM
    Datagram,
    /// SOCK_RAW: datagrams too, with a header of the program's own.
    Raw,
}

impl SocketKind {
    fn read(args: Args<'_>) -> SocketKind {
        let family = match args.nth(0) {
            "AF_INET" => Family::Inet,
            "AF_INET6" => Family::Inet6,
            "AF_UNIX" => Family::Unix,
            _ => Family::Other,
        };
        let ty = match args.nth(1) {
            ty if ty.contains("SOCK_DGRAM") => Type::Datagram,
            ty if ty.contains("SOCK_RAW") => Type::Raw,
            _ => Type::Stream,
        };
        SocketKind { family, ty, icmp: args.nth(2).starts_with("IPPROTO_ICMP") }
    }

    /// `TCP (IPv4)`
    #[must_use]
    pub fn name(self) -> &'static str {
        match (self.family, self.icmp, self.ty) {
            (Family::Inet, true, Type::Datagram) => "ICMP (IPv4)",
            (Family::Inet, true, _) => "raw ICMP (IPv4)",
            (Family::Inet6, true, Type::Datagram) => "ICMP (IPv6)",
            (Family::Inet6, true, _) => "raw ICMP (IPv6)",
            (Family::Inet, false, Type::Datagram) => "UDP (IPv4)",
            (Family::Inet, false, Type::Stream) => "TCP (IPv4)",
            (Family::Inet6, false, Type::Datagram) => "UDP (IPv6)",
            (Family::Inet6, false, Type::Stream) => "TCP (IPv6)",
            (Family::Unix, _, Type::Datagram) => "UNIX datagram",
            (Family::Unix, _, _) => "UNIX stream",
            (_, _, _) => "raw",
        }
    }
}

impl Told for Connection {
    fn read(name: &str, event: &Event) -> Option<Connection> {
        let args = Args::of(event);
        Some(match name {
            "socket" => Connection::Socket(SocketKind::read(args)),
            "bind" => Connection::Bind,
            "listen" => Connection::Listen(args.nth(1).parse().ok()),
            "accept" => Connection::Accept,
            "connect" => Connection::Connect,
            "getsockname" => Connection::Getsockname,
            "getpeername" => Connection::Getpeername,
            "shutdown" if args.end_with("SHUT_WR") => Connection::Shutdown(Shutdown::Write),
            "shutdown" if args.end_with("SHUT_RD") => Connection::Shutdown(Shutdown::Read),
            "shutdown" => Connection::Shutdown(Shutdown::Both),
            "close" => Connection::Close,
            _ => return None,
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Connection::Socket(_) => "socket",
            Connection::Bind => "bind",
            Connection::Listen(_) => "listen",
            Connection::Accept => "accept",
            Connection::Connect => "connect",
            Connection::Getsockname => "getsockname",
            Connection::Getpeername => "getpeername",
            Connection::Shutdown(_) => "shutdown",
            Connection::Close => "close",
        }
    }

    fn english(&self, event: &Event) -> String {
        let (local, peer, ret) = (local(event), peer(event), event.ret.unwrap_or_default());
        match self {
            Connection::Socket(kind) => {
                format!("a new {} socket: no address yet, no peer", kind.name())
            }
            Connection::Bind => match local.strip_suffix(":0") {
                Some(address) => {
                    format!("its address is {address}, and a free port that the kernel chooses")
                }
                None => format!("its address is {local}"),
            },
            Connection::Listen(backlog) => {
                // Linux compares with "more than": one more than the backlog may wait. And net.core.somaxconn
                // may be smaller.
                let most = backlog.and_then(|backlog| u32::try_from(backlog).ok()).map(|n| n + 1);
                let most = most.map_or_else(|| " them".to_owned(), |n| format!(" up to {n}"));
                format!("it listens: the kernel connects clients, and lets{most} wait for accept")
            }
            Connection::Accept if peer == "(unnamed)" || event.peer.is_none() => {
                format!("a client is connected: its socket is fd {ret}")
            }
            Connection::Accept => {
                format!("client {peer} is connected{}: its socket is fd {ret}", over_ipv4(peer))
            }
            Connection::Connect => format!("connected to {peer}"),
            Connection::Getsockname => format!("this end is {local}"),
            Connection::Getpeername => format!("the other end is {peer}"),
            Connection::Shutdown(Shutdown::Write) => {
                "this end will send no more: the peer's recv returns 0 after the last byte"
                    .to_owned()
            }
            Connection::Shutdown(Shutdown::Read) => "this end will receive no more".to_owned(),
            Connection::Shutdown(Shutdown::Both) => {
                "both directions end: whoever waits on it is woken".to_owned()
            }
            Connection::Close => "the descriptor is given back".to_owned(),
        }
    }

    fn failure(&self, errno: &str, event: &Event) -> Option<Failure> {
        let ordinary = match (self, errno) {
            (Connection::Accept, "EAGAIN") => "nothing has arrived yet (EAGAIN)".to_owned(),
            (Connection::Accept, "EINTR") => "a signal ended the wait (EINTR)".to_owned(),
            (Connection::Accept, "EINVAL") => "the listener was shut down (EINVAL)".to_owned(),
            (Connection::Connect, "EINPROGRESS") => format!(
                "the handshake with {} is not finished yet (EINPROGRESS)",
                event.peer.as_deref().unwrap_or("its peer")
            ),
            (Connection::Shutdown(_), "ENOTCONN") => {
                "nobody is connected (ENOTCONN); whoever waits on it is woken".to_owned()
            }
            (Connection::Accept, "EMFILE") => {
                return Some(Failure::Because("; the client waits in the listener's queue"));
            }
            (Connection::Connect, "ECONNREFUSED") => {
                return Some(Failure::Because("; nobody listens there"));
            }
            (Connection::Bind, "EADDRINUSE") => {
                return Some(Failure::Because("; somebody has this address"));
            }
            _ => return None,
        };
        Some(Failure::Ordinary(ordinary))
    }

    fn failed_at<'a>(&self, event: &'a Event) -> Option<&'a str> {
        match self {
            Connection::Bind => event.local.as_deref(),
            Connection::Connect => event.peer.as_deref(),
            _ => None,
        }
    }

    fn asked(&self, on: String, event: &Event) -> String {
        match self {
            Connection::Socket(kind) => format!("socket {}", kind.name()),
            Connection::Bind => format!("{on} {}", event.local.as_deref().unwrap_or_default()),
            Connection::Connect => format!("{on} {}", event.peer.as_deref().unwrap_or_default()),
            Connection::Listen(backlog) => {
                let backlog = backlog.map(|backlog| backlog.to_string()).unwrap_or_default();
                format!("{on} backlog {backlog}")
            }
            Connection::Shutdown(Shutdown::Write) => format!("{on} SHUT_WR"),
            Connection::Shutdown(Shutdown::Read) => format!("{on} SHUT_RD"),
            Connection::Shutdown(Shutdown::Both) => format!("{on} SHUT_RDWR"),
            Connection::Accept
            | Connection::Getsockname
            | Connection::Getpeername
            | Connection::Close => on,
        }
    }

    fn answered(&self, event: &Event) -> String {
        let ret = event.ret.unwrap_or_default();
        match self {
            Connection::Socket(_) => format!("fd {ret}"),
            Connection::Accept => match &event.peer {
                Some(peer) if peer != "(unnamed)" => format!("fd {ret}, client {peer}"),
                _ => format!("fd {ret}"),
            },
            Connection::Connect => "connected".to_owned(),
            Connection::Getsockname => event.local.clone().unwrap_or_default(),
            Connection::Getpeername => event.peer.clone().unwrap_or_default(),
            Connection::Bind
            | Connection::Listen(_)
            | Connection::Shutdown(_)
            | Connection::Close => number(event.ret),
        }
    }

    fn waits(&self) -> bool {
        matches!(self, Connection::Accept | Connection::Connect)
    }

    fn moves(&self) -> Moves {
        match self {
            Connection::Socket(_) => Moves::Makes,
            Connection::Accept => Moves::Accepts,
            Connection::Close => Moves::Closes,
            _ => Moves::Nothing,
        }
    }

    fn acts_at_once(&self) -> bool {
        match self {
            Connection::Socket(_)
            | Connection::Bind
            | Connection::Connect
            | Connection::Shutdown(_)
            | Connection::Close => true,
            Connection::Listen(_)
            | Connection::Accept
            | Connection::Getsockname
            | Connection::Getpeername => false,
        }
    }
}
