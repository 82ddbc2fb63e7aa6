//! The words of strace that the kinds of calls share.
//!
//! Only memory addresses can differ from a real strace: where the kernel wrote nothing into a
//! buffer, strace prints its address.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockAddr;

use super::Data;

/// strace's default for the length of a string.
const STRING: usize = 32;

/// An address buffer of 128 bytes (sockaddr_storage) that the kernel filled or did not touch.
pub(super) fn answered(address: Option<&SockAddr>) -> String {
    match address {
        Some(address) if address.len() > 0 => {
            format!("{}, [128 => {}]", sockaddr(address), address.len())
        }
        Some(_) => "0x..., [128 => 0]".to_owned(),
        None => "0x..., [128]".to_owned(),
    }
}

/// An address that the program gave, and its length.
pub(super) fn given(address: Option<&SockAddr>) -> String {
    address.map_or("NULL, 0".to_owned(), |to| format!("{}, {}", sockaddr(to), to.len()))
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

/// `[IO USR1]` for `SIGIO` and `SIGUSR1`.
pub(super) fn signals(names: &[String]) -> String {
    let names: Vec<&str> = names.iter().map(|name| name.trim_start_matches("SIG")).collect();
    format!("[{}]", names.join(" "))
}

/// `{tv_sec=1, tv_nsec=500000000}`
pub(super) fn timespec(time: Duration) -> String {
    format!("{{tv_sec={}, tv_nsec={}}}", time.as_secs(), time.subsec_nanos())
}

/// The time argument of a call, if it has one.
pub(super) fn timeout(time: Option<Duration>) -> String {
    time.map_or("NULL".to_owned(), timespec)
}

/// The names of the bits that are set, `A|B`; `0` if no bit is set.
pub(super) fn flags<'a>(set: impl IntoIterator<Item = &'a str>) -> String {
    let set: Vec<&str> = set.into_iter().collect();
    if set.is_empty() { "0".to_owned() } else { set.join("|") }
}

/// The first bytes of a buffer in double quotes, with three dots where there are more.
pub(super) fn quoted(bytes: &[u8]) -> String {
    match bytes.split_at_checked(STRING) {
        Some((shown, rest)) if !rest.is_empty() => string(shown) + "...",
        _ => string(bytes),
    }
}

/// Like [`quoted`], for bytes that moved; the record has more of them than strace prints.
pub(super) fn data(data: &Data) -> String {
    quoted(&data.first)
}

/// C's escapes; an octal one is as short as the next character allows.
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
