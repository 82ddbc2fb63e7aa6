//! # Socket options: what can be read and set, and what the kernel makes of it
//!
//! ```text
//! level        whose options                          socket
//! ----------   ------------------------------------   -----------------------------
//! SOL_SOCKET   every socket's: buffers, timeouts      tcp   udp   unix   socket(7)
//!     |
//! SOL_IP       of IPv4: TTL, multicast, errors        tcp   udp          ip(7)
//! SOL_IPV6     of IPv6, on AF_INET6 sockets           tcp   udp          ipv6(7)
//!     |
//! SOL_TCP      Nagle, keepalive, congestion           tcp                tcp(7)
//! SOL_UDP      joining and cutting datagrams                udp          udp(7)
//!
//! socket       a fresh one for each option: one may change another (SO_TIMESTAMPNS ends SO_TIMESTAMP)
//! getsockopt   the default
//! setsockopt   another value
//! getsockopt   what the kernel made of it
//! close
//! ```
//!
//! Watch for a success that is not one: setsockopt returns 0, but the value is different.
//!
//! - The kernel doubles SO_RCVBUF and SO_SNDBUF, because it keeps its own bookkeeping
//!   in the buffer; values above net.core.rmem_max and wmem_max are capped first, without an error.
//! - SO_REUSEADDR is not SO_REUSEPORT. The first ignores old connections in TIME_WAIT; the second
//!   lets several live sockets share one address.
//! - TCP_NODELAY does not make TCP faster. It only stops a small segment from waiting for the
//!   acknowledgement of the one before, which helps a dialogue but not a download.
//! - SO_TYPE, SO_ERROR and TCP_INFO are read-only; and reading SO_ERROR clears it.

mod code;
mod does;
pub mod told;
pub mod words;

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use nix::errno::Errno;

use super::row;
use crate::call::{self, *};
use crate::lang::Lang;
use netplay_text::say;
pub use words::Options;

/// A kind of socket whose options are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A stream over IP.
    Tcp,
    /// Datagrams over IP.
    Udp,
    /// A stream within the machine.
    Unix,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Unix];

    /// `tcp`, `udp`, `unix`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Unix => "unix",
        }
    }

    /// Whether its sockets have options of that level at all.
    #[must_use]
    pub fn has(self, level: &str) -> bool {
        match level {
            "SOL_SOCKET" => true,
            "SOL_TCP" => self == Protocol::Tcp,
            "SOL_UDP" => self == Protocol::Udp,
            _ => self != Protocol::Unix,
        }
    }

    /// A fresh socket that has the options of the level.
    fn socket(self, level: &str) -> call::Result<Socket> {
        let internet = if level == "SOL_IPV6" { Domain::IPV6 } else { Domain::IPV4 };
        match self {
            Protocol::Tcp => call::socket(internet, Type::STREAM, 0),
            Protocol::Udp => call::socket(internet, Type::DGRAM, 0),
            Protocol::Unix => call::socket(Domain::UNIX, Type::STREAM, 0),
        }
    }
}

/// The result for one option on one fresh socket.
#[derive(Debug)]
pub struct Row {
    /// The kind of socket.
    pub protocol: Protocol,
    /// The option.
    pub option: Opt,
    /// The value before.
    pub default: call::Result<OptValue>,
    /// The value to set.
    pub asked: OptValue,
    /// The value after. The error is that of the call that failed, and names it.
    pub kernel: call::Result<OptValue>,
}

/// Reads an option of a fresh socket, sets it to `value`, or to a value other than the one it has, and
/// reads it again.
///
/// ```
/// use netplay::call::{OptValue, SO_RCVBUF, SO_TYPE};
/// use netplay::examples::sockopt::{Protocol, probe};
/// use netplay::lang::Lang;
///
/// let row = probe(Protocol::Tcp, SO_RCVBUF, Some(5000.into()))?;
/// assert_eq!(row.kernel.as_ref().unwrap(), &OptValue::Int(10_000));
/// assert!(row.remark(Lang::En).starts_with("doubled"));
/// assert_eq!(probe(Protocol::Tcp, SO_TYPE, None)?.remark(Lang::En), "read-only");
/// # Ok::<(), netplay::call::CallError>(())
/// ```
///
/// # Errors
/// There is no such socket: a machine without IPv6, or without a free descriptor. What the option's
/// calls answer is in the row.
pub fn probe(protocol: Protocol, option: Opt, value: Option<OptValue>) -> call::Result<Row> {
    let socket = protocol.socket(option.level())?;
    let default = call::getsockopt(&socket, option);
    let asked = value.unwrap_or_else(|| another(option, default.as_ref().ok()));
    let kernel = call::setsockopt(&socket, option, asked.clone())
        .and_then(|()| call::getsockopt(&socket, option));
    drop(socket); // a close, recorded as one
    Ok(Row { protocol, option, default, asked, kernel })
}

/// Tries every option of the socket's own levels. Without IPv6 on the machine those of SOL_IPV6 are
/// left out.
///
/// # Errors
/// As [`probe`].
pub fn probe_all(protocol: Protocol) -> call::Result<Vec<Row>> {
    OPTIONS
        .iter()
        .filter(|option| protocol.has(option.level()))
        .map(|&option| probe(protocol, option, None))
        .filter(|row| !matches!(row, Err(error) if error.errno() == Errno::EAFNOSUPPORT))
        .collect()
}

/// A value that the option does not have yet, and that is harmless on a socket about to be closed.
fn another(option: Opt, default: Option<&OptValue>) -> OptValue {
    // A multicast group that never leaves the machine, joined on loopback.
    let ipv4_group = [239, 255, 0, 1, 127, 0, 0, 1];
    let sender = [127, 0, 0, 1];
    let ipv6_group =
        [&[0xff, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], &1u32.to_ne_bytes()[..]];
    match (option, default) {
        (SO_RCVBUF | SO_SNDBUF | SO_RCVBUFFORCE | SO_SNDBUFFORCE, _) => 5000.into(),
        (SO_RCVLOWAT, _) => 10.into(),
        (SO_ATTACH_BPF | SO_ATTACH_REUSEPORT_EBPF, _) => (-1).into(),
        (SO_BINDTODEVICE, _) => "lo".into(),
        (IP_TOS, _) => 16.into(),
        (IP_MULTICAST_IF, _) => Ipv4Addr::LOCALHOST.into(),
        (IP_ADD_MEMBERSHIP | IP_DROP_MEMBERSHIP, _) => ipv4_group.to_vec().into(),
        (
            IP_ADD_SOURCE_MEMBERSHIP
            | IP_DROP_SOURCE_MEMBERSHIP
            | IP_BLOCK_SOURCE
            | IP_UNBLOCK_SOURCE,
            _,
        ) => [&ipv4_group[..], &sender].concat().into(),
        (IPV6_ADD_MEMBERSHIP | IPV6_DROP_MEMBERSHIP, _) => ipv6_group.concat().into(),
        (IPV6_ADDRFORM, _) => libc::AF_INET.into(),
        (IPV6_MTU, _) => 1280.into(),
        (TCP_CONGESTION, Some(now)) if now.to_string() == "reno" => "cubic".into(),
        (TCP_CONGESTION, _) => "reno".into(),
        (TCP_DEFER_ACCEPT, _) => 5.into(),
        (TCP_USER_TIMEOUT | TCP_WINDOW_CLAMP, _) => 30_000.into(),
        (UDP_SEGMENT, _) => 1000.into(),
        (_, Some(OptValue::Int(-1 | 1))) => 0.into(),
        (_, Some(OptValue::Int(n @ 2..))) => (n / 2).into(),
        // netplay does not use it elsewhere, so only its size is known.
        (_, Some(value @ (OptValue::Text(_) | OptValue::Bytes(_)))) => value.clone(),
        _ => match option.kind() {
            Kind::Int => 1.into(),
            Kind::Time => Duration::from_millis(1500).into(),
            Kind::Linger => Some(Duration::from_secs(5)).into(),
            Kind::Address => Ipv4Addr::LOCALHOST.into(),
            // At least as long as an int, or the kernel does not check which option it is.
            Kind::Text(_) => OptValue::Text(vec![0; 4]),
            Kind::Bytes(size) => vec![0; size].into(),
        },
    }
}

impl Row {
    /// What the results mean, in a few words.
    #[must_use]
    pub fn remark(&self, lang: Lang) -> String {
        let said = |en: &str, zh: &str| lang.pick(en, zh).to_owned();
        match (&self.default, &self.kernel) {
            (_, Ok(kernel)) => self.compare(kernel, lang),
            (_, Err(error)) if error.name() == SockoptName::Getsockopt.into() => {
                said("set, but cannot be asked back", "已设置，但不能读回")
            }
            (Ok(_), Err(error)) if error.errno() == Errno::ENOPROTOOPT => said("read-only", "只读"),
            (Ok(_), Err(error)) if unknown(error.errno()) => {
                said("can only be asked here", "在这里只能读取")
            }
            (Err(error), Err(set)) if unknown(set.errno()) => why(error.errno(), lang),
            (_, Err(error)) => why(error.errno(), lang),
        }
    }

    /// Whether the kernel knows how to set the option on this socket.
    fn can_be_set(&self) -> bool {
        match &self.kernel {
            Ok(_) => true,
            Err(error) => error.name() == SockoptName::Getsockopt.into() || !unknown(error.errno()),
        }
    }

    fn compare(&self, kernel: &OptValue, lang: Lang) -> String {
        let (en, zh) = match (&self.asked, kernel) {
            (asked, kernel) if asked == kernel => ("as asked", "与请求一致"),
            // One of the two may end in a zero byte.
            (OptValue::Text(_), text) if self.asked.to_string() == text.to_string() => {
                ("as asked", "与请求一致")
            }
            (_, kernel) if self.default.as_ref().is_ok_and(|default| default == kernel) => {
                ("accepted and ignored", "接受但忽略")
            }
            (&OptValue::Int(asked), &OptValue::Int(kernel)) => {
                return compare_numbers(self.option, asked.into(), kernel.into(), lang);
            }
            (OptValue::Time(asked), OptValue::Time(kernel))
                if kernel.abs_diff(*asked) <= Duration::from_millis(10) =>
            {
                ("rounded to the kernel's clock tick", "取整到内核的时钟节拍")
            }
            _ => ("something else", "变成了别的值"),
        };
        lang.pick(en, zh).to_owned()
    }
}

fn compare_numbers(option: Opt, asked: i64, kernel: i64, lang: Lang) -> String {
    let (en, zh) = match cap(option) {
        Some(_) if kernel == 2 * asked => {
            ("doubled, bookkeeping included", "加倍，包括内核自己的管理数据")
        }
        Some((name, cap)) if asked > cap && kernel == 2 * cap => {
            return say!(
                lang,
                "capped at {name} = {cap}, then doubled",
                "先限制到 {name} = {cap}，再加倍"
            );
        }
        _ if kernel > asked => ("raised", "调高了"),
        _ => ("lowered", "调低了"),
    };
    lang.pick(en, zh).to_owned()
}

/// The limit on a buffer for an unprivileged program, before it is doubled.
fn cap(option: Opt) -> Option<(&'static str, i64)> {
    let (name, file) = match option {
        SO_RCVBUF => ("net.core.rmem_max", "/proc/sys/net/core/rmem_max"),
        SO_SNDBUF => ("net.core.wmem_max", "/proc/sys/net/core/wmem_max"),
        _ => return None,
    };
    Some((name, fs::read_to_string(file).ok()?.trim().parse().ok()?))
}

/// The two ways to say that there is no such option.
fn unknown(errno: Errno) -> bool {
    matches!(errno, Errno::ENOPROTOOPT | Errno::EOPNOTSUPP)
}

fn why(errno: Errno, lang: Lang) -> String {
    let (en, zh) = match errno {
        Errno::EPERM | Errno::EACCES => ("needs privilege", "需要特权"),
        Errno::ENOTCONN => ("only when connected", "连接后才能用"),
        Errno::EINVAL => ("refused here", "在这里被拒绝"),
        errno if unknown(errno) => {
            return lang.pick("no such option here", "这里没有这个选项").to_owned();
        }
        _ => return format!("{errno:?}"),
    };
    format!("{errno:?}{}", lang.pick(": ", "：")) + lang.pick(en, zh)
}

/// Its row in the table.
pub const ROW: row::Row = row::Row::Command {
    name: "sockopt",
    summary: row::Both {
        en: "every socket option, read and set",
        zh: "每个套接字选项，查询与设置",
    },
    next: Some(row::Both::same("netplay sockopt SO_RCVBUF")),
    lesson: "socket-api",
};
