//! What stands beside a call in a picture: shorter than the story's sentence, in the manual's words.

use super::Call;
use crate::escape::grouped;
use crate::trace::story::{kind_of_socket, option_name};
use crate::trace::{Event, Kind};

/// What the program asked: `recv(4)`, `send(4) "hello"`, `connect 127.0.0.1:5858`.
#[must_use]
pub fn asked(record: &Event) -> String {
    if record.kind == Kind::Note {
        return record.text.clone().unwrap_or_default();
    }
    let call = record.call.as_deref().unwrap_or_default();
    let args = record.args.as_deref().unwrap_or_default();
    let arg = |n| args.split(", ").nth(n).unwrap_or_default();
    let address = |address: &Option<String>| address.clone().unwrap_or_default();
    let data = record.data.as_deref().unwrap_or_default();
    let on = match record.fd {
        Some(fd) => format!("{call}({fd})"),
        None => call.to_owned(),
    };
    match call {
        _ if record.kind == Kind::Submit => format!("submit {on}"),
        "socket" => format!("socket {}", kind_of_socket(args)),
        "bind" => format!("{on} {}", address(&record.local)),
        "connect" => format!("{on} {}", address(&record.peer)),
        "listen" => format!("{on} backlog {}", arg(1)),
        "setsockopt" | "getsockopt" => {
            let value =
                record.value.as_deref().filter(|_| call == "setsockopt").unwrap_or_default();
            format!("{on} {} {value}", option_name(args)).trim_end().to_owned()
        }
        "fcntl" if args.contains("F_SETFL") && args.contains("O_NONBLOCK") => {
            format!("{on} O_NONBLOCK")
        }
        "fcntl" => format!("{on} {}", arg(1)),
        "shutdown" => format!("{on} {}", arg(1)),
        "send" => format!("{on} {}", quoted(data, record)),
        "sendto" => format!("{on} {} to {}", quoted(data, record), address(&record.peer)),
        "select" => format!("select {}", list(args)),
        "poll" | "ppoll" => format!("{call} [{}]", numbers_after("fd=", args)),
        "kill" => format!("kill {}", arg(0)),
        _ => on,
    }
}

/// What the kernel answered: `5 bytes "hello"`, `fd 4, client 127.0.0.1:40312`, `EAGAIN`; nothing where
/// there is no more to say than that it was done.
#[must_use]
pub fn answered(record: &Event) -> String {
    if matches!(record.kind, Kind::Note | Kind::Submit) {
        return String::new();
    }
    if let Some(errno) = &record.errno {
        return errno.clone();
    }
    let ret = record.ret.unwrap_or_default();
    let bytes = record.bytes.unwrap_or_default();
    let data = record.data.as_deref().unwrap_or_default();
    let address = |address: &Option<String>| address.clone().unwrap_or_default();
    match record.call.as_deref().unwrap_or_default() {
        "socket" => format!("fd {ret}"),
        "accept" => match &record.peer {
            Some(peer) if peer != "(unnamed)" => format!("fd {ret}, client {peer}"),
            _ => format!("fd {ret}"),
        },
        "connect" => "connected".to_owned(),
        "recv" | "recvmsg" if ret == 0 => "0: the end".to_owned(),
        "recvfrom" if ret == 0 && record.peer.is_none() => "0: shut down".to_owned(),
        "recv" => format!("{} {}", count(bytes), quoted(data, record)),
        "recvfrom" | "recvmsg" => match record.asked.filter(|&asked| asked > bytes) {
            Some(asked) => format!(
                "{} of {asked} {} from {}",
                bytes,
                quoted(data, record),
                address(&record.peer)
            ),
            None => {
                format!("{} {} from {}", count(bytes), quoted(data, record), address(&record.peer))
            }
        },
        "send" | "sendto" if record.asked.is_some_and(|asked| asked != bytes) => {
            format!("{} of {} bytes", grouped(bytes), grouped(record.asked.unwrap_or_default()))
        }
        "send" | "sendto" => count(bytes),
        "sendfile" | "splice" if ret == 0 => "0: the end".to_owned(),
        "sendfile" | "splice" => count(bytes),
        "getsockname" => address(&record.local),
        "getpeername" => address(&record.peer),
        "getsockopt" => record.value.clone().unwrap_or_default(),
        "select" | "poll" | "ppoll" | "epoll_wait" if ret == 0 => "nothing in time".to_owned(),
        "select" | "poll" | "ppoll" | "epoll_wait" => {
            format!("ready {}", record.ready.as_deref().unwrap_or_default())
        }
        "fork" => format!("child {ret}"),
        "waitpid" if ret == 0 => "none has ended".to_owned(),
        "waitpid" => format!("child {ret} is reaped"),
        _ if ret > 0 => ret.to_string(),
        _ => String::new(),
    }
}

/// Both in one line: `recv(4) → 5 bytes "hello"`.
#[must_use]
pub fn headline(call: &Call) -> String {
    let (asked, answered) = (asked(&call.record), answered(&call.record));
    let times = if call.times > 1 { format!(" × {}", grouped(call.times)) } else { String::new() };
    match answered.as_str() {
        "" => asked,
        answered => format!("{asked} → {answered}{times}"),
    }
}

/// A time as people read it: `4 µs`, `12.4 ms`, `1.250 s`.
#[must_use]
pub fn time_text(ns: u64) -> String {
    match ns {
        0..1_000_000 => format!("{} µs", ns / 1_000),
        1_000_000..1_000_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        1_000_000_000..100_000_000_000 => format!("{:.3} s", ns as f64 / 1e9),
        _ => format!("{} s", grouped(ns / 1_000_000_000)),
    }
}

fn count(bytes: u64) -> String {
    if bytes == 1 { "1 byte".to_owned() } else { format!("{} bytes", grouped(bytes)) }
}

/// The first bytes, in quotes; a record shows 64 of them at most.
fn quoted(data: &str, record: &Event) -> String {
    const SHOWN: usize = 24;
    if record.data.is_none() {
        return record.asked.map(count).unwrap_or_default();
    }
    // A trace of others may have letters among bytes that are no text.
    let binary = ["\\0", "\\x0", "\\x1", "\\x7f"].iter().any(|control| data.contains(control));
    let data = if binary { &bytes_of_letters(data) } else { data };
    let mut shown: String = data.chars().take(SHOWN).collect();
    if shown.len() < data.len() {
        shown.truncate(whole_escapes(&shown));
    }
    let all = shown.len() == data.len() && record.bytes.is_none_or(|bytes| bytes <= 64);
    format!("\"{shown}\"{}", if all { "" } else { "…" })
}

/// The text with the bytes of each character beyond ASCII: `\xd7\xb4`.
fn bytes_of_letters(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| match byte {
        0x80.. => all + &format!("\\x{byte:02x}"),
        _ => all + &char::from(byte).to_string(),
    })
}

/// How much of an escaped text is left without an escape that was cut in its middle: `a\x1` is `a`.
fn whole_escapes(text: &str) -> usize {
    let mut at = 0;
    while let Some(from) = text[at..].find('\\').map(|found| at + found) {
        let escape = &text[from..];
        let long = match escape.as_bytes().get(1) {
            None => return from,
            Some(b'x') => 4,
            Some(b'u') => escape.find('}').map_or(usize::MAX, |end| end + 1),
            Some(_) => 2,
        };
        if long > escape.len() {
            return from;
        }
        at = from + long;
    }
    text.len()
}

/// The descriptors of select's first set: `[3 4 5]`, of `7, [3 4 5], [], NULL, NULL, NULL`.
fn list(args: &str) -> &str {
    match (args.find('['), args.find(']')) {
        (Some(from), Some(to)) if from < to => &args[from..=to],
        _ => "",
    }
}

fn numbers_after(key: &str, args: &str) -> String {
    let number = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    args.split(key).skip(1).map(number).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_says_who_is_ready_or_that_nobody_was() {
        for call in ["select", "poll", "ppoll", "epoll_wait"] {
            let wait = |ret, ready: &str| Event {
                call: Some(call.to_owned()),
                ret: Some(ret),
                ready: Some(ready.to_owned()),
                ..Event::default()
            };
            assert_eq!(answered(&wait(0, "")), "nothing in time", "{call}");
            assert_eq!(answered(&wait(1, "5 EPOLLIN")), "ready 5 EPOLLIN", "{call}");
        }
    }

    #[test]
    fn letters_among_bytes_that_are_no_text_are_shown_as_bytes() {
        let record = Event { data: Some(String::new()), bytes: Some(9), ..Event::default() };
        assert_eq!(quoted("\\x08\\0ִa", &record), "\"\\x08\\0\\xd6\\xb4a\"");
        assert_eq!(quoted("世\\xe7", &record), "\"世\\xe7\"");
    }

    #[test]
    fn no_escape_is_cut_in_its_middle() {
        for (text, whole) in [
            ("hello", "hello"),
            ("\\r\\n", "\\r\\n"),
            ("a\\r\\", "a\\r"),
            ("a\\x1", "a"),
            ("a\\x1b", "a\\x1b"),
            ("a\\u{202e", "a"),
            ("\\\\", "\\\\"),
        ] {
            assert_eq!(&text[..whole_escapes(text)], whole, "{text}");
        }
    }
}
