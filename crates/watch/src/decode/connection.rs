//! A connection, from `socket` to `close`, and its descriptors.

use std::net::Shutdown;

use netplay_record::{Connection, DupName, Family, SocketKind, Type};

use super::address;
use super::asked::{Answer, Asked, Said};
use super::words::{FAMILY, NETLINK, PROTOCOL, SHUT, TYPE, TYPE_FLAGS, bits, named};
use crate::memory::Memory;
use crate::syscall::Syscall;

/// What kind of socket is asked for, and strace's words.
fn kind(asked: &Asked) -> (SocketKind, String) {
    kind_of(asked.int(0), asked.int(1), asked.int(2))
}

pub(super) fn kind_of(family: i32, ty: i32, protocol: i32) -> (SocketKind, String) {
    let flags = ty & (libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK);
    let ty = ty & !flags;
    let with =
        if flags == 0 { String::new() } else { format!("|{}", bits(flags as u64, TYPE_FLAGS)) };
    let protocol_text = match family {
        libc::AF_INET | libc::AF_INET6 => named(protocol, PROTOCOL),
        libc::AF_NETLINK => named(protocol, NETLINK),
        _ => protocol.to_string(),
    };
    let text = format!("{}, {}{with}, {protocol_text}", named(family, FAMILY), named(ty, TYPE));
    let family = match family {
        libc::AF_INET => Family::Inet,
        libc::AF_INET6 => Family::Inet6,
        libc::AF_UNIX => Family::Unix,
        other => Family::Other(other),
    };
    let ty = match ty {
        libc::SOCK_STREAM => Type::Stream,
        libc::SOCK_DGRAM => Type::Datagram,
        libc::SOCK_RAW => Type::Raw,
        other => Type::Other(other),
    };
    (SocketKind { family, ty, protocol, flags }, text)
}

pub(super) fn socket(asked: &Asked) -> Said {
    let (kind, text) = kind(asked);
    Said { call: Connection::Socket(kind).into(), strace: asked.strace(text), fd: None }
}

pub(super) fn socketpair(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let (kind, text) = kind(asked);
    let pair = answer.done().map(|_| {
        let both = memory.u64(asked.args[3]).to_ne_bytes();
        [0, 4].map(|at| i32::from_ne_bytes(netplay_record::part(&both, at)))
    });
    let ends = match pair {
        Some([one, other]) => format!("[{one}, {other}]"),
        None => format!("{:#x}", asked.args[3]),
    };
    let call = Connection::Socketpair(kind, pair).into();
    Said { call, strace: asked.strace(format!("{text}, {ends}")), fd: None }
}

pub(super) fn bind(asked: &Asked, memory: Memory) -> Said {
    let (to, text) = address::given(memory, asked.args[1], asked.args[2] as u32);
    said(asked, Connection::Bind(to.map(Box::new)), &text)
}

pub(super) fn connect(asked: &Asked, memory: Memory) -> Said {
    let (to, text) = address::given(memory, asked.args[1], asked.args[2] as u32);
    said(asked, Connection::Connect(to.map(Box::new)), &text)
}

pub(super) fn listen(asked: &Asked) -> Said {
    let backlog = asked.int(1);
    said(asked, Connection::Listen(Some(backlog)), &backlog.to_string())
}

pub(super) fn accept(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let at = (asked.args[1], asked.args[2]);
    let (peer, mut text) =
        address::answered(memory, at, asked.before_u32(0), answer.done().is_some());
    let set = if asked.call == Syscall::Accept4 { asked.int(3) } else { 0 };
    let (nonblock, cloexec) = (set & libc::SOCK_NONBLOCK != 0, set & libc::SOCK_CLOEXEC != 0);
    if asked.call == Syscall::Accept4 {
        text = format!("{text}, {}", bits(asked.args[3] & 0xffff_ffff, TYPE_FLAGS));
    }
    said(asked, Connection::Accept { peer: peer.map(Box::new), nonblock, cloexec }, &text)
}

pub(super) fn getsockname(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let at = (asked.args[1], asked.args[2]);
    let (name, text) = address::answered(memory, at, asked.before_u32(0), answer.done().is_some());
    said(asked, Connection::Getsockname(name.map(Box::new)), &text)
}

pub(super) fn getpeername(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let at = (asked.args[1], asked.args[2]);
    let (name, text) = address::answered(memory, at, asked.before_u32(0), answer.done().is_some());
    said(asked, Connection::Getpeername(name.map(Box::new)), &text)
}

pub(super) fn shutdown(asked: &Asked) -> Said {
    let how = match asked.int(1) {
        libc::SHUT_RD => Shutdown::Read,
        libc::SHUT_WR => Shutdown::Write,
        _ => Shutdown::Both,
    };
    said(asked, Connection::Shutdown(how), &named(asked.int(1), SHUT))
}

pub(super) fn close(asked: &Asked) -> Said {
    let fd = asked.int(0);
    let strace = asked.strace(fd.to_string());
    Said { call: Connection::Close.into(), strace, fd: Some(fd) }
}

pub(super) fn close_range(asked: &Asked) -> Said {
    const FLAGS: &[(i32, &str)] = &[(2, "CLOSE_RANGE_UNSHARE"), (4, "CLOSE_RANGE_CLOEXEC")];
    let (first, last) = (asked.args[0] as u32, asked.args[1] as u32);
    let flags = bits(asked.args[2] & 0xffff_ffff, FLAGS);
    let call = Connection::CloseRange { first, last, cloexec: asked.args[2] & 4 != 0 }.into();
    Said { call, strace: asked.strace(format!("{first}, {last}, {flags}")), fd: None }
}

/// dup, dup2 and dup3.
pub(super) fn dup(asked: &Asked) -> Said {
    let fd = asked.int(0);
    let (how, to) = match asked.call {
        Syscall::Dup => (DupName::Dup, None),
        Syscall::Dup3 => (DupName::Dup3, Some(asked.int(1))),
        _ => (DupName::Dup2, Some(asked.int(1))),
    };
    let cloexec = how == DupName::Dup3 && asked.int(2) & libc::O_CLOEXEC != 0;
    let to_text = to.map(|to| format!(", {to}")).unwrap_or_default();
    let flags = match how {
        DupName::Dup3 => {
            let cloexec: &[(i32, &str)] = &[(libc::O_CLOEXEC, "O_CLOEXEC")];
            format!(", {}", bits(asked.args[2], cloexec))
        }
        DupName::Dup | DupName::Dup2 => String::new(),
    };
    let strace = asked.strace(format!("{fd}{to_text}{flags}"));
    Said { call: Connection::Dup { how, to, cloexec }.into(), strace, fd: Some(fd) }
}

fn said(asked: &Asked, call: Connection, rest: &str) -> Said {
    let fd = asked.int(0);
    Said { call: call.into(), strace: asked.strace(format!("{fd}, {rest}")), fd: Some(fd) }
}
