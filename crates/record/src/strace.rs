//! The words of strace that the kinds of calls share, and that a tracer needs for forms of a call that
//! [`Call::strace`](super::Call::strace) does not print.
//!
//! Only memory addresses can differ from a real strace: where the kernel wrote nothing into a
//! buffer, strace prints its address.

use std::net::SocketAddr;
use std::time::Duration;

use nix::sys::epoll::EpollFlags;
use socket2::SockAddr;

use super::Data;

/// strace's default for the length of a string.
pub const STRING: usize = 32;

/// An address buffer of 128 bytes (sockaddr_storage) that the kernel filled or did not touch.
pub fn answered(address: Option<&SockAddr>) -> String {
    match address {
        Some(address) if address.len() > 0 => {
            format!("{}, [128 => {}]", sockaddr(address), address.len())
        }
        Some(_) => "0x..., [128 => 0]".to_owned(),
        None => "0x..., [128]".to_owned(),
    }
}

/// An address that the program gave, and its length.
pub fn given(address: Option<&SockAddr>) -> String {
    address.map_or("NULL, 0".to_owned(), |to| format!("{}, {}", sockaddr(to), to.len()))
}

/// `{sa_family=AF_INET, sin_port=htons(5858), sin_addr=inet_addr("127.0.0.1")}`
pub fn sockaddr(address: &SockAddr) -> String {
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

/// `[IO USR1]` for `SIGIO` and `SIGUSR1`.
pub fn signals(names: &[String]) -> String {
    let names: Vec<&str> = names.iter().map(|name| name.trim_start_matches("SIG")).collect();
    format!("[{}]", names.join(" "))
}

/// `{tv_sec=1, tv_nsec=500000000}`
pub fn timespec(time: Duration) -> String {
    format!("{{tv_sec={}, tv_nsec={}}}", time.as_secs(), time.subsec_nanos())
}

/// The time argument of a call, if it has one.
pub fn timeout(time: Option<Duration>) -> String {
    time.map_or("NULL".to_owned(), timespec)
}

/// The names of the bits that are set, `A|B`; `0` if no bit is set.
pub fn flags<'a>(set: impl IntoIterator<Item = &'a str>) -> String {
    let set: Vec<&str> = set.into_iter().collect();
    if set.is_empty() { "0".to_owned() } else { set.join("|") }
}

/// The first bytes of a buffer in double quotes, with three dots where there are more.
pub fn quoted(bytes: &[u8]) -> String {
    match bytes.split_at_checked(STRING) {
        Some((shown, rest)) if !rest.is_empty() => string(shown) + "...",
        _ => string(bytes),
    }
}

/// The same of a buffer of this length, of which at least the first bytes are there.
pub fn quoted_of(first: &[u8], len: usize) -> String {
    match first.len() < len && first.len() <= STRING {
        true => string(first) + "...",
        false => quoted(first),
    }
}

/// Linux has two options for each timeout and each time of arrival: the manual's, and one with 64 bits
/// of seconds on every machine. strace tells them apart, and calls the manual's the old one.
pub fn option_name(option: &str) -> &str {
    match option {
        "SO_RCVTIMEO" => "SO_RCVTIMEO_OLD",
        "SO_SNDTIMEO" => "SO_SNDTIMEO_OLD",
        "SO_TIMESTAMP" => "SO_TIMESTAMP_OLD",
        "SO_TIMESTAMPNS" => "SO_TIMESTAMPNS_OLD",
        name => name,
    }
}

/// How many elements of an array strace prints.
const ELEMENTS: usize = 32;

/// `[…, …]`, with three dots where there are more elements than strace prints.
pub fn array(elements: impl ExactSizeIterator<Item = String>) -> String {
    let more = (elements.len() > ELEMENTS).then(|| "...".to_owned());
    let all: Vec<String> = elements.take(ELEMENTS).chain(more).collect();
    format!("[{}]", all.join(", "))
}

/// `[3 4 5]`: descriptors of a set.
pub fn list(numbers: &[i32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("[{}]", numbers.join(" "))
}

/// Like [`quoted`], for bytes that moved; the record has more of them than strace prints.
pub fn data(data: &Data) -> String {
    quoted(&data.first)
}

/// The flags of a call that moves bytes, in strace's order.
const MSG: [(i32, &str); 17] = [
    (libc::MSG_OOB, "MSG_OOB"),
    (libc::MSG_PEEK, "MSG_PEEK"),
    (libc::MSG_DONTROUTE, "MSG_DONTROUTE"),
    (libc::MSG_CTRUNC, "MSG_CTRUNC"),
    (libc::MSG_TRUNC, "MSG_TRUNC"),
    (libc::MSG_DONTWAIT, "MSG_DONTWAIT"),
    (libc::MSG_EOR, "MSG_EOR"),
    (libc::MSG_WAITALL, "MSG_WAITALL"),
    (libc::MSG_CONFIRM, "MSG_CONFIRM"),
    (libc::MSG_ERRQUEUE, "MSG_ERRQUEUE"),
    (libc::MSG_NOSIGNAL, "MSG_NOSIGNAL"),
    (libc::MSG_MORE, "MSG_MORE"),
    (libc::MSG_WAITFORONE, "MSG_WAITFORONE"),
    (0x40000, "MSG_BATCH"),
    (0x0400_0000, "MSG_ZEROCOPY"),
    (libc::MSG_FASTOPEN, "MSG_FASTOPEN"),
    (libc::MSG_CMSG_CLOEXEC, "MSG_CMSG_CLOEXEC"),
];

/// `MSG_DONTWAIT|MSG_NOSIGNAL`, `0`; bits without a name as a number behind the others.
pub fn message_flags(flags: i32) -> String {
    let rest = MSG.iter().fold(flags, |rest, (flag, _)| rest & !flag);
    let set = MSG.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, name)| *name);
    with_rest(set, rest.cast_unsigned())
}

/// The names of the bits that are set, and the bits without a name as a number.
fn with_rest(set: impl Iterator<Item = &'static str>, rest: u32) -> String {
    let mut set: Vec<&str> = set.collect();
    let number = format!("{rest:#x}");
    set.extend((rest != 0).then_some(number.as_str()));
    flags(set)
}

/// The way back: the flags whose names the text has, as `has` finds them.
pub(super) fn read_message_flags(has: impl Fn(&str) -> bool) -> i32 {
    MSG.iter().filter(|(_, name)| has(name)).fold(0, |flags, (flag, _)| flags | flag)
}

/// The flags of an open file that have a name here; the last is O_ASYNC, by its older name.
const OPEN: [(i32, &str); 3] =
    [(libc::O_APPEND, "O_APPEND"), (libc::O_NONBLOCK, "O_NONBLOCK"), (libc::O_ASYNC, "FASYNC")];

/// `O_RDWR|O_NONBLOCK`: the flags of a socket.
pub fn open_flags(flags: i32) -> String {
    let set = OPEN.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, name)| *name);
    self::flags(std::iter::once("O_RDWR").chain(set))
}

/// The way back.
pub(super) fn read_open_flags(text: &str) -> i32 {
    OPEN.iter().filter(|(_, name)| text.contains(name)).fold(0, |flags, (flag, _)| flags | flag)
}

/// The events of poll, in the order in which strace prints them.
const POLL: [(i16, &str); 11] = [
    (libc::POLLIN, "POLLIN"),
    (libc::POLLPRI, "POLLPRI"),
    (libc::POLLOUT, "POLLOUT"),
    (libc::POLLRDNORM, "POLLRDNORM"),
    (libc::POLLWRNORM, "POLLWRNORM"),
    (libc::POLLRDBAND, "POLLRDBAND"),
    (libc::POLLWRBAND, "POLLWRBAND"),
    (libc::POLLERR, "POLLERR"),
    (libc::POLLHUP, "POLLHUP"),
    (libc::POLLNVAL, "POLLNVAL"),
    (libc::POLLRDHUP, "POLLRDHUP"),
];

/// `POLLIN|POLLHUP`
pub fn poll_events(bits: u32) -> String {
    let bit = |(bit, _): &(i16, _)| u32::from(bit.cast_unsigned());
    let set = POLL.iter().filter(|one| bits & bit(one) != 0).map(|(_, name)| *name);
    with_rest(set, POLL.iter().fold(bits, |rest, one| rest & !bit(one)))
}

/// `EPOLLIN|EPOLLET`
pub fn epoll_events(bits: u32) -> String {
    let known = EpollFlags::from_bits_truncate(bits.cast_signed());
    with_rest(known.iter_names().map(|(name, _)| name), bits & !known.bits().cast_unsigned())
}

/// The way back of both.
pub(super) fn read_event(name: &str) -> Option<u32> {
    let poll = POLL.iter().find(|(_, known)| *known == name);
    let poll = poll.map(|(bit, _)| u32::from(bit.cast_unsigned()));
    let epoll = || EpollFlags::from_name(name).map(|flag| flag.bits().cast_unsigned());
    poll.or_else(epoll)
}

/// C's escapes; an octal one is as short as the next character allows.
pub fn string(bytes: &[u8]) -> String {
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
