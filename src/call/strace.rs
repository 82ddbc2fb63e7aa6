//! The arguments of a call as `strace` prints them.
//!
//! Only memory addresses can differ from a real strace: where the kernel wrote nothing into a
//! buffer, strace prints its address.

use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use nix::fcntl::{FcntlArg, OFlag};
use nix::sys::signal::SigSet;
use socket2::{Domain, SockAddr, Type};

use super::option::{
    IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP, Opt,
    OptValue, SO_PEERCRED, part,
};

/// strace's default for the length of a string.
const STRING: usize = 32;

pub(super) fn socket(domain: Domain, ty: Type, protocol: i32) -> String {
    let family = match i32::from(domain) {
        libc::AF_INET => "AF_INET".to_owned(),
        libc::AF_INET6 => "AF_INET6".to_owned(),
        libc::AF_UNIX => "AF_UNIX".to_owned(),
        other => other.to_string(),
    };
    let kind = match i32::from(ty) {
        libc::SOCK_STREAM => "SOCK_STREAM".to_owned(),
        libc::SOCK_DGRAM => "SOCK_DGRAM".to_owned(),
        libc::SOCK_RAW => "SOCK_RAW".to_owned(),
        other => other.to_string(),
    };
    let protocol = match (domain, protocol) {
        (Domain::UNIX, 0) => "0",
        (_, 0) => "IPPROTO_IP",
        (_, libc::IPPROTO_ICMP) => "IPPROTO_ICMP",
        (_, libc::IPPROTO_ICMPV6) => "IPPROTO_ICMPV6",
        (_, libc::IPPROTO_TCP) => "IPPROTO_TCP",
        (_, libc::IPPROTO_UDP) => "IPPROTO_UDP",
        (_, other) => return format!("{family}, {kind}|SOCK_CLOEXEC, {other}"),
    };
    format!("{family}, {kind}|SOCK_CLOEXEC, {protocol}")
}

/// `3, {sa_family=AF_INET, …}, 16`: bind and connect.
pub(super) fn named(fd: BorrowedFd<'_>, address: &SockAddr) -> String {
    format!("{}, {}, {}", fd.as_raw_fd(), sockaddr(address), address.len())
}

/// `3, {sa_family=AF_INET, …}, [128 => 16]`: getsockname and getpeername.
pub(super) fn name(fd: BorrowedFd<'_>, address: Option<&SockAddr>) -> String {
    format!("{}, {}", fd.as_raw_fd(), answered(address))
}

pub(super) fn accept(fd: BorrowedFd<'_>, peer: Option<&SockAddr>, flags: i32) -> String {
    let nonblock = if flags & libc::SOCK_NONBLOCK != 0 { "|SOCK_NONBLOCK" } else { "" };
    format!("{}, {}, SOCK_CLOEXEC{nonblock}", fd.as_raw_fd(), answered(peer))
}

pub(super) fn recv(fd: BorrowedFd<'_>, data: Option<&[u8]>, buf: &[u8], flags: i32) -> String {
    format!("{}, {}, {}, {}, NULL, NULL", fd.as_raw_fd(), filled(data, buf), buf.len(), msg(flags))
}

pub(super) fn recvfrom(
    fd: BorrowedFd<'_>,
    data: Option<&[u8]>,
    buf: &[u8],
    flags: i32,
    from: Option<&SockAddr>,
) -> String {
    let fd = fd.as_raw_fd();
    format!("{fd}, {}, {}, {}, {}", filled(data, buf), buf.len(), msg(flags), answered(from))
}

pub(super) fn send(fd: BorrowedFd<'_>, data: &[u8], flags: i32, to: Option<&SockAddr>) -> String {
    let (fd, text, len) = (fd.as_raw_fd(), quoted(data), data.len());
    let to = match to {
        Some(to) => format!("{}, {}", sockaddr(to), to.len()),
        None => "NULL, 0".to_owned(),
    };
    format!("{fd}, {text}, {len}, {}, {to}", msg(flags))
}

pub(super) fn shutdown(fd: RawFd, how: Shutdown) -> String {
    let how = match how {
        Shutdown::Read => "SHUT_RD",
        Shutdown::Write => "SHUT_WR",
        Shutdown::Both => "SHUT_RDWR",
    };
    format!("{fd}, {how}")
}

pub(super) fn fcntl(fd: BorrowedFd<'_>, arg: &FcntlArg<'_>) -> String {
    let fd = fd.as_raw_fd();
    match arg {
        FcntlArg::F_GETFL => format!("{fd}, F_GETFL"),
        FcntlArg::F_SETFL(flags) => format!("{fd}, F_SETFL, {}", open_flags(*flags)),
        FcntlArg::F_SETFD(flags) if flags.is_empty() => format!("{fd}, F_SETFD, 0"),
        FcntlArg::F_SETFD(_) => format!("{fd}, F_SETFD, FD_CLOEXEC"),
        FcntlArg::F_SETLKW(lock) => format!("{fd}, F_SETLKW, {}", record_lock(lock)),
        other => format!("{fd}, {other:?}"),
    }
}

fn record_lock(lock: &libc::flock) -> String {
    let kind = match i32::from(lock.l_type) {
        libc::F_RDLCK => "F_RDLCK",
        libc::F_WRLCK => "F_WRLCK",
        _ => "F_UNLCK",
    };
    let from = match i32::from(lock.l_whence) {
        libc::SEEK_SET => "SEEK_SET",
        libc::SEEK_CUR => "SEEK_CUR",
        _ => "SEEK_END",
    };
    let (start, len) = (lock.l_start, lock.l_len);
    format!("{{l_type={kind}, l_whence={from}, l_start={start}, l_len={len}}}")
}

/// `O_RDWR|O_NONBLOCK`
pub(super) fn open_flags(flags: OFlag) -> String {
    const NAMES: [(OFlag, &str); 3] = [
        (OFlag::O_APPEND, "O_APPEND"),
        (OFlag::O_NONBLOCK, "O_NONBLOCK"),
        (OFlag::O_ASYNC, "FASYNC"), // the same flag by its older name
    ];
    let mut text = "O_RDWR".to_owned();
    for (flag, name) in NAMES {
        if flags.contains(flag) {
            text += "|";
            text += name;
        }
    }
    text
}

pub(super) fn setsockopt(fd: BorrowedFd<'_>, option: Opt, value: &OptValue) -> String {
    let (level, name, len) = (option.level_name, option_name(option), value.len());
    format!("{}, {level}, {name}, {}, {len}", fd.as_raw_fd(), option_value(option, value))
}

pub(super) fn getsockopt(fd: BorrowedFd<'_>, option: Opt, value: Option<&OptValue>) -> String {
    let (level, name, room) = (option.level_name, option_name(option), option.kind().size());
    let text = match value {
        Some(value) if value.len() > 0 => option_value(option, value),
        _ => "0x...".to_owned(),
    };
    let len = match value.map(OptValue::len) {
        Some(len) if len != room => format!("{room} => {len}"),
        _ => room.to_string(),
    };
    format!("{}, {level}, {name}, {text}, [{len}]", fd.as_raw_fd())
}

/// Four bytes are a number to strace, whatever they mean. (Text too, but here it stays text.)
fn option_value(option: Opt, value: &OptValue) -> String {
    let memory = value.to_memory();
    let int = |at| i32::from_ne_bytes(part(&memory, at));
    let address = |at| Ipv4Addr::from(part(&memory, at));
    match (option, value, memory.len()) {
        (_, OptValue::Linger(_), _) => format!("{{l_onoff={}, l_linger={}}}", int(0), int(4)),
        (SO_PEERCRED, _, 12) => format!("{{pid={}, uid={}, gid={}}}", int(0), int(4), int(8)),
        (IP_ADD_MEMBERSHIP | IP_DROP_MEMBERSHIP, _, 8) => format!(
            "{{imr_multiaddr=inet_addr(\"{}\"), imr_interface=inet_addr(\"{}\")}}",
            address(0),
            address(4)
        ),
        (IPV6_ADD_MEMBERSHIP | IPV6_DROP_MEMBERSHIP, _, 20) => format!(
            "{{inet_pton(AF_INET6, \"{}\", &ipv6mr_multiaddr), ipv6mr_interface={}}}",
            Ipv6Addr::from(part::<16>(&memory, 0)),
            device(u32::from_ne_bytes(part(&memory, 16)))
        ),
        (_, OptValue::Int(_) | OptValue::Address(_) | OptValue::Bytes(_), 4) => {
            format!("[{}]", int(0))
        }
        _ => quoted(&memory),
    }
}

/// `if_nametoindex("eth0")`
fn device(number: u32) -> String {
    match device_name(number) {
        Some(name) => format!("if_nametoindex(\"{name}\")"),
        None => number.to_string(),
    }
}

/// strace asks the kernel for the name of a device; here a file says it.
pub(super) fn device_name(number: u32) -> Option<String> {
    let is_it = |path: &std::path::Path| {
        let of = std::fs::read_to_string(path.join("ifindex"));
        of.is_ok_and(|text| text.trim().parse() == Ok(number))
    };
    let devices = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let path = devices.map(|device| device.path()).find(|path| is_it(path))?;
    Some(path.file_name()?.to_string_lossy().into_owned())
}

/// Linux has two options for each timeout and each time of arrival: the manual's, and one with 64 bits
/// of seconds on every machine. strace tells them apart, and calls the manual's the old one.
fn option_name(option: Opt) -> &'static str {
    match option.text {
        "SO_RCVTIMEO" => "SO_RCVTIMEO_OLD",
        "SO_SNDTIMEO" => "SO_SNDTIMEO_OLD",
        "SO_TIMESTAMP" => "SO_TIMESTAMP_OLD",
        "SO_TIMESTAMPNS" => "SO_TIMESTAMPNS_OLD",
        name => name,
    }
}

/// An address buffer of 128 bytes (sockaddr_storage) that the kernel filled, or left alone.
fn answered(address: Option<&SockAddr>) -> String {
    match address {
        Some(address) if address.len() > 0 => {
            format!("{}, [128 => {}]", sockaddr(address), address.len())
        }
        Some(_) => "0x..., [128 => 0]".to_owned(),
        None => "0x..., [128]".to_owned(),
    }
}

pub(super) fn sockaddr(address: &SockAddr) -> String {
    match address.as_socket() {
        Some(SocketAddr::V4(v4)) => format!(
            "{{sa_family=AF_INET, sin_port=htons({}), sin_addr=inet_addr(\"{}\")}}",
            v4.port(),
            v4.ip()
        ),
        Some(SocketAddr::V6(v6)) => format!(
            "{{sa_family=AF_INET6, sin6_port=htons({}), sin6_flowinfo=htonl({}), \
             inet_pton(AF_INET6, \"{}\", &sin6_addr), sin6_scope_id={}}}",
            v6.port(),
            v6.flowinfo(),
            v6.ip(),
            v6.scope_id()
        ),
        None => match (address.as_pathname(), address.as_abstract_namespace()) {
            (Some(path), _) => {
                format!(
                    "{{sa_family=AF_UNIX, sun_path={}}}",
                    string(path.as_os_str().as_encoded_bytes())
                )
            }
            (None, Some(name)) => format!("{{sa_family=AF_UNIX, sun_path=@{}}}", string(name)),
            (None, None) => "{sa_family=AF_UNIX}".to_owned(),
        },
    }
}

/// `[IO USR1]`
pub(super) fn signals(set: &SigSet) -> String {
    let names: Vec<&str> = set.iter().map(|signal| &signal.as_str()[3..]).collect();
    format!("[{}]", names.join(" "))
}

fn filled(data: Option<&[u8]>, buf: &[u8]) -> String {
    match data {
        Some(data) => quoted(data),
        None => format!("{:p}", buf.as_ptr()),
    }
}

pub(super) fn msg(flags: i32) -> String {
    let names = [
        (libc::MSG_OOB, "MSG_OOB"),
        (libc::MSG_PEEK, "MSG_PEEK"),
        (libc::MSG_TRUNC, "MSG_TRUNC"),
        (libc::MSG_DONTWAIT, "MSG_DONTWAIT"),
        (libc::MSG_ERRQUEUE, "MSG_ERRQUEUE"),
        (libc::MSG_NOSIGNAL, "MSG_NOSIGNAL"),
    ];
    let set: Vec<&str> =
        names.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { flags.to_string() } else { set.join("|") }
}

/// The first bytes of a buffer in double quotes, with three dots where there are more.
pub(super) fn quoted(bytes: &[u8]) -> String {
    match bytes.split_at_checked(STRING) {
        Some((shown, rest)) if !rest.is_empty() => string(shown) + "...",
        _ => string(bytes),
    }
}

/// C's escapes, octal as short as what follows it allows.
fn string(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for (i, &byte) in bytes.iter().enumerate() {
        match byte {
            b'"' | b'\\' => text.extend(['\\', byte as char]),
            b'\n' => text += "\\n",
            b'\r' => text += "\\r",
            b'\t' => text += "\\t",
            0x0b => text += "\\v",
            0x0c => text += "\\f",
            b' '..=b'~' => text.push(byte as char),
            _ if matches!(bytes.get(i + 1), Some(b'0'..=b'7')) => text += &format!("\\{byte:03o}"),
            _ => text += &format!("\\{byte:o}"),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_is_short_unless_another_octal_digit_follows() {
        assert_eq!(string(b"\x007 \x009 \x00"), r#""\0007 \09 \0""#);
    }

    #[test]
    fn a_string_is_cut_after_32_bytes() {
        assert_eq!(quoted(&[b'x'; 32]), format!("\"{}\"", "x".repeat(32)));
        assert_eq!(quoted(&[b'x'; 33]), format!("\"{}\"...", "x".repeat(32)));
    }
}
