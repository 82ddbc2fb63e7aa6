//! Options of sockets, and flags of descriptors.

use netplay_call::{Kind, Opt, OptValue, option_set};
use netplay_record::{Fcntl, Get, Ioctl, RecordLock, Set, Sockopt, Strace, part, strace};

use super::asked::{Answer, Asked, Said};
use super::words::{ACCESS, FCNTL, OPEN, bits, named};
use crate::memory::Memory;

/// The levels of options by their numbers.
const LEVEL: &[(i32, &str)] = &[
    (libc::SOL_SOCKET, "SOL_SOCKET"),
    (libc::IPPROTO_IP, "SOL_IP"),
    (libc::IPPROTO_IPV6, "SOL_IPV6"),
    (libc::IPPROTO_TCP, "SOL_TCP"),
    (libc::IPPROTO_UDP, "SOL_UDP"),
    (libc::SOL_NETLINK, "SOL_NETLINK"),
];

/// The longest value that is read.
const LONGEST: usize = 256;

/// The value of an option that has no name here.
fn plain(bytes: Vec<u8>) -> OptValue {
    match bytes.len() {
        4 => OptValue::Int(i32::from_ne_bytes(part(&bytes, 0))),
        _ => OptValue::Bytes(bytes),
    }
}

pub(super) fn setsockopt(asked: &Asked, memory: Memory) -> Said {
    let (fd, level, name, len) = (asked.int(0), asked.int(1), asked.int(2), asked.int(4));
    let bytes = memory.bytes(asked.args[3], (len.max(0) as usize).min(LONGEST));
    let call = match Opt::of(level, name) {
        Some(option) => option_set(option, option.value(&bytes), false),
        None => Sockopt::Setsockopt(Set {
            level: named(level, LEVEL).into(),
            option: format!("{name:#x}").into(),
            value: Some(plain(bytes.clone())),
            group: None,
            datagrams: false,
        }),
    };
    let Sockopt::Setsockopt(set) = &call else { unreachable!("option_set makes one") };
    let text = match &set.value {
        Some(value) if bytes.len() >= 4 || len == 0 => set.value_text(value),
        _ => format!("{:#x}", asked.args[3]),
    };
    let text = if asked.args[3] == 0 { "NULL".to_owned() } else { text };
    let args = format!("{fd}, {}, {}, {text}, {len}", set.level, strace::option_name(&set.option));
    let strace = asked.strace(args);
    Said { call: call.into(), strace, fd: Some(fd) }
}

pub(super) fn getsockopt(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let (fd, level, name) = (asked.int(0), asked.int(1), asked.int(2));
    let room = asked.before_u32(0) as usize;
    let len = memory.u32(asked.args[4]) as usize;
    let bytes = answer.done().map(|_| memory.bytes(asked.args[3], len.min(LONGEST)));
    let (level, option, value) = match Opt::of(level, name) {
        Some(option) => (
            option.level().into(),
            option.name().into(),
            bytes.map(|bytes| match option.kind() {
                // A buffer that is larger than the value.
                Kind::Int if bytes.len() > 4 => option.value(&bytes[..4]),
                _ => option.value(&bytes),
            }),
        ),
        None => (named(level, LEVEL).into(), format!("{name:#x}").into(), bytes.map(plain)),
    };
    let get = Get { level, option, room, value };
    let text = match &get.value {
        Some(value) if value.size() > 0 => get.value_text(value),
        _ => format!("{:#x}", asked.args[3]),
    };
    let len = match answer.done().is_some() && len != room {
        true => format!("{room} => {len}"),
        false => room.to_string(),
    };
    let args =
        format!("{fd}, {}, {}, {text}, [{len}]", get.level, strace::option_name(&get.option));
    Said { call: Sockopt::Getsockopt(get).into(), strace: asked.strace(args), fd: Some(fd) }
}

/// `O_RDWR|O_NONBLOCK`
fn open_flags(flags: i64) -> String {
    let access = flags as i32 & libc::O_ACCMODE;
    let rest = flags as u64 & 0xffff_ffff & !u64::from(libc::O_ACCMODE.cast_unsigned());
    let access = named(access, ACCESS);
    if rest == 0 { access } else { format!("{access}|{}", bits(rest, OPEN)) }
}

pub(super) fn fcntl(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let (fd, command, with) = (asked.int(0), asked.int(1), asked.args[2]);
    let name = named(command, FCNTL);
    let mut out = None;
    let (call, text) = match command {
        libc::F_GETFL => {
            let flags = answer.done().unwrap_or_default();
            out = answer.done().map(|flags| format!("(flags {})", open_flags(flags)));
            (Fcntl::GetFlags(flags as i32), String::new())
        }
        libc::F_SETFL => (Fcntl::SetFlags(with as i32), format!(", {}", open_flags(with as i64))),
        libc::F_SETFD => {
            let cloexec: &[(i32, &str)] = &[(libc::FD_CLOEXEC, "FD_CLOEXEC")];
            (Fcntl::SetCloexec(with & 1 != 0), format!(", {}", bits(with & 0xffff_ffff, cloexec)))
        }
        libc::F_GETFD => {
            let set = answer.done().filter(|&flags| flags & 1 != 0);
            out = set.map(|_| "(flags FD_CLOEXEC)".to_owned());
            (Fcntl::Other(name.clone()), String::new())
        }
        libc::F_SETOWN => (Fcntl::SetOwner(with as i32), format!(", {}", with as i32)),
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => (
            Fcntl::Duplicate { from: with as i32, cloexec: command == libc::F_DUPFD_CLOEXEC },
            format!(", {}", with as i32),
        ),
        libc::F_SETLK | libc::F_SETLKW => {
            let bytes = memory.bytes(with, size_of::<libc::flock>());
            let short = |at| i32::from(i16::from_ne_bytes(part(&bytes, at)));
            let long = |at| i64::from_ne_bytes(part(&bytes, at));
            let lock =
                RecordLock { kind: short(0), whence: short(2), start: long(8), len: long(16) };
            (Fcntl::Lock(lock), format!(", {}", lock.strace()))
        }
        _ => (Fcntl::Other(name.clone()), format!(", {with:#x}")),
    };
    let strace = asked.strace(format!("{fd}, {name}{text}"));
    let strace = Strace { out, ..strace };
    Said { call: Sockopt::Fcntl(call).into(), strace, fd: Some(fd) }
}

pub(super) fn ioctl(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let (fd, request, at) = (asked.int(0), asked.args[1] & 0xffff_ffff, asked.args[2]);
    let before = i32::from_ne_bytes(part(&asked.before, 0));
    let after = answer.done().map(|_| memory.u32(at).cast_signed());
    let shown = after.map_or_else(|| format!("{at:#x}"), |number| format!("[{number}]"));
    let (call, text) = match request {
        libc::FIONBIO => (Ioctl::NonBlocking(before != 0), format!("FIONBIO, [{before}]")),
        libc::FIONREAD => (Ioctl::Readable(after), format!("FIONREAD, {shown}")),
        libc::TIOCOUTQ => (Ioctl::Unsent(after), format!("TIOCOUTQ, {shown}")),
        libc::TCGETS => (Ioctl::Other(request), format!("TCGETS, {at:#x}")),
        other => (Ioctl::Other(other), format!("{other:#x}, {at:#x}")),
    };
    let strace = asked.strace(format!("{fd}, {text}"));
    Said { call: Sockopt::Ioctl(call).into(), strace, fd: Some(fd) }
}
