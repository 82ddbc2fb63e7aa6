//! Hiding secrets before a run is handed in: an asterisk for each byte of a password, as netplay's own pages do it.
//!
//! A trace does not say what is a secret. What is hidden are the forms in which protocols of courses carry one: a line that
//! begins with `PASS`, headers such as `Authorization:`, fields such as `password=`, and passwords in a command line.

use std::borrow::Cow;
use std::collections::HashMap;

use netplay_record::{Call, Event, Kind, Moves, Process, Way, strace};
use netplay_text::escape::{escape_message, hide_option, hide_password};

use netplay_text::escape::unescape;

/// Words at the start of a line after which all of the line is secret.
const COMMANDS: [&[u8]; 4] = [b"pass ", b"acct ", b"auth ", b"authenticate "];

/// Headers whose value is secret to the end of the line.
const HEADERS: [&[u8]; 5] =
    [b"authorization:", b"proxy-authorization:", b"cookie:", b"set-cookie:", b"x-api-key:"];

/// Names of fields whose value is secret: `password=…`, `"password": "…"`.
const FIELDS: [&[u8]; 7] =
    [b"password", b"passwd", b"secret", b"api_key", b"apikey", b"access_token", b"passphrase"];

/// So many bytes of a line are remembered for the calls that follow.
const REMEMBERED: usize = 512;

/// A direction of a socket: the process, the descriptor, and whether the bytes go out.
type Stream = (i32, i32, bool);

/// Hides secrets in these records, which are in the order of a trace.
pub(crate) fn hide(records: &mut [Box<Event>]) {
    // The line of each stream that has begun: a password may come in another call than the word before it.
    let mut begun: HashMap<Stream, Vec<u8>> = HashMap::new();
    for record in records {
        if record.kind == Kind::Note {
            continue;
        }
        if let Call::Process(Process::Execve(_)) = &*record.what {
            hide_in_command(record);
            continue;
        }
        match (record.what.way(), record.fd) {
            (Some(way), Some(fd)) => {
                let stream = (record.pid, fd, way == Way::Out);
                let line = begun.entry(stream).or_default();
                hide_in(record, line);
            }
            (None, fd) => {
                let new = record.ret.and_then(|fd| i32::try_from(fd).ok());
                let ends = matches!(record.what.moves(), Moves::Closes | Moves::Connects);
                let other = if ends { fd } else { new.filter(|_| record.is_done()) };
                if let Some(fd) = other.filter(|_| record.what.moves() != Moves::Nothing) {
                    begun.remove(&(record.pid, fd, true));
                    begun.remove(&(record.pid, fd, false));
                }
            }
            (Some(_), None) => {}
        }
    }
}

/// Hides what the call moved. `line` is the line that the earlier calls have begun; then it has what this one added.
fn hide_in(record: &mut Box<Event>, line: &mut Vec<u8>) {
    let moved = record.data.as_deref().map(unescape).unwrap_or_default();
    let mut hidden = 0;
    let mut changed = false;
    if let Some(args) = record.args.as_deref()
        && let Some(args) = hide_in_args(args, line)
    {
        hidden = args.1;
        record.args = Some(args.0.into());
        changed = true;
    }
    if !moved.is_empty() {
        let (with, n) = masked(line, &moved);
        if n > 0 {
            record.data = Some(escape_message(&with).into());
            hidden = n;
            changed = true;
        }
        let whole = record.bytes == Some(moved.len() as u64);
        if !whole {
            line.clear(); // what follows begins elsewhere
        } else if let Some(end) = moved.iter().rposition(|&byte| byte == b'\n') {
            line.clear();
            line.extend_from_slice(&moved[end + 1..]);
        } else {
            line.extend_from_slice(&moved);
        }
        line.truncate(REMEMBERED);
    }
    if changed {
        if hidden > 0 {
            record.hidden = Some(record.hidden.unwrap_or_default().max(hidden as u64));
        }
        **record = std::mem::take(&mut **record).read();
    }
}

/// The arguments with what is secret in their strings hidden, and how many bytes that is; `None`: nothing is.
fn hide_in_args(args: &str, line: &[u8]) -> Option<(String, usize)> {
    let mut new = String::new();
    let (mut rest, mut before, mut hidden) = (args, line.to_vec(), 0);
    while let Some((text, quoted)) = next_string(rest) {
        let bytes = from_strace(quoted);
        let (with, n) = masked(&before, &bytes);
        new.push_str(text);
        match n {
            0 => new.push_str(&format!("\"{quoted}\"")),
            _ => new.push_str(&strace::string(&with)),
        }
        hidden += n;
        before.extend_from_slice(&bytes);
        rest = &rest[text.len() + quoted.len() + 2..];
    }
    new.push_str(rest);
    (hidden > 0).then_some((new, hidden))
}

/// The text before the next string of bytes that moved, and what is between its quotes.
pub(crate) fn next_string(args: &str) -> Option<(&str, &str)> {
    // `4, "hello", 5` and `{iov_base="hello", iov_len=5}`; the quotes of an address stand behind other words.
    let part = args.find("iov_base=\"").map(|at| at + "iov_base=".len());
    let first = || {
        let (fd, rest) = args.split_once(", ")?;
        let is_fd = fd.bytes().all(|byte| byte.is_ascii_digit());
        (is_fd && rest.starts_with('"')).then_some(fd.len() + 2)
    };
    let at = first().or(part)?;
    let inside = &args[at + 1..];
    let mut escaped = false;
    let end = inside.bytes().position(|byte| {
        let quote = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        quote
    })?;
    Some((&args[..at], &inside[..end]))
}

/// The bytes of a string as strace prints it.
pub(crate) fn from_strace(text: &str) -> Vec<u8> {
    let text = text.as_bytes();
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let Some(&kind) = text.get(at) else { break };
        at += 1;
        bytes.push(match kind {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'f' => 0x0c,
            b'0'..=b'7' => {
                let mut value = u32::from(kind - b'0');
                for _ in 0..2 {
                    match text.get(at) {
                        Some(&digit @ b'0'..=b'7') => value = value * 8 + u32::from(digit - b'0'),
                        _ => break,
                    }
                    at += 1;
                }
                value as u8
            }
            other => other,
        });
    }
    bytes
}

/// The bytes with an asterisk for each secret one, and how many those are. `line` stands before them.
fn masked<'a>(line: &[u8], bytes: &'a [u8]) -> (Cow<'a, [u8]>, usize) {
    let whole: Cow<'_, [u8]> = match line.is_empty() {
        true => Cow::Borrowed(bytes),
        false => Cow::Owned([line, bytes].concat()),
    };
    let mut with = Cow::Borrowed(bytes);
    let mut hidden = 0;
    let mut at = 0;
    while let Some((from, to)) = secret(&whole, at) {
        for place in from.max(line.len())..to {
            let byte = place - line.len();
            if with[byte] != b'*' {
                with.to_mut()[byte] = b'*';
                hidden += 1;
            }
        }
        at = to.max(at + 1);
    }
    (with, hidden)
}

/// Where the next secret begins and ends, from this place on.
fn secret(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let begins = |at: usize, word: &[u8]| {
        text.get(at..at + word.len()).is_some_and(|there| there.eq_ignore_ascii_case(word))
    };
    for at in from..text.len() {
        // Few places can begin any of the words.
        if !matches!(text[at] | 0x20, b'a' | b'c' | b'p' | b's' | b'x') {
            continue;
        }
        let before = at.checked_sub(1).map(|before| text[before]);
        if before.is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            continue;
        }
        if matches!(before, None | Some(b'\n'))
            && let Some(word) = COMMANDS.iter().chain(&HEADERS).find(|word| begins(at, word))
        {
            let start = skip(text, at + word.len(), |byte| byte == b' ');
            return Some((start, skip(text, start, |byte| !matches!(byte, b'\r' | b'\n'))));
        }
        if let Some(word) = FIELDS.iter().find(|word| begins(at, word)) {
            let quote = |byte| matches!(byte, b'"' | b'\'' | b' ');
            let equals = skip(text, at + word.len(), quote);
            if !matches!(text.get(equals), Some(b'=' | b':')) {
                continue;
            }
            let start = skip(text, equals + 1, quote);
            let end = skip(text, start, |byte| {
                !matches!(byte, b'&' | b';' | b',' | b'"' | b'\'' | b'}' | b' ' | b'\r' | b'\n')
            });
            return Some((start, end));
        }
    }
    None
}

/// The first place from there on where this does not hold.
fn skip(text: &[u8], from: usize, holds: impl Fn(u8) -> bool) -> usize {
    let from = from.min(text.len());
    text[from..].iter().position(|&byte| !holds(byte)).map_or(text.len(), |n| from + n)
}

/// Hides passwords in the words of a command line.
fn hide_in_command(record: &mut Box<Event>) {
    let Some(args) = record.args.as_deref() else { return };
    // The words stand between quotes, and are escaped, so that no quote stands in one.
    let words: Vec<&str> = args.split('"').collect();
    let line: Vec<String> =
        words.iter().skip(1).step_by(2).map(|word| (*word).to_owned()).collect();
    let mut behind = false;
    let hidden: Vec<String> = line
        .iter()
        .map(|word| {
            let stars = "*".repeat(word.chars().count());
            match std::mem::replace(&mut behind, word == "--password") {
                true => stars,
                false if word.contains("://") => hide_password(word),
                false => hide_option(word),
            }
        })
        .collect();
    if hidden == line {
        return;
    }
    let mut hidden = hidden.into_iter();
    let with: Vec<String> = words
        .iter()
        .enumerate()
        .map(|(nth, word)| match nth % 2 {
            1 => hidden.next().unwrap_or_default(),
            _ => (*word).to_owned(),
        })
        .collect();
    record.args = Some(with.join("\"").into());
    **record = std::mem::take(&mut **record).read();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str, bytes: &str) -> String {
        String::from_utf8(masked(line.as_bytes(), bytes.as_bytes()).0.into_owned()).expect("text")
    }

    #[test]
    fn secrets_are_hidden_in_the_forms_that_protocols_have() {
        for (text, hidden) in [
            ("USER bob\r\nPASS s3cret\r\nLIST\r\n", "USER bob\r\nPASS ******\r\nLIST\r\n"),
            (
                "GET / HTTP/1.1\r\nauthorization: Basic Ym9i\r\n",
                "GET / HTTP/1.1\r\nauthorization: **********\r\n",
            ),
            ("a=1&password=x%20y&b=2", "a=1&password=*****&b=2"),
            (r#"{"password": "pw", "n": 1}"#, r#"{"password": "**", "n": 1}"#),
            ("compass north, passwords are long", "compass north, passwords are long"),
            ("pass", "pass"),
        ] {
            assert_eq!(of("", text), hidden);
            assert_eq!(of("", hidden), hidden, "it stays as it is");
        }
    }

    #[test]
    fn a_secret_may_begin_in_an_earlier_call() {
        assert_eq!(of("PA", "SS s3"), "SS **");
        assert_eq!(of("PASS s3", "cret\nLIST"), "****\nLIST");
        assert_eq!(of("pass\n", "s3cret"), "s3cret");
    }

    #[test]
    fn the_text_of_strace_is_read_back() {
        for bytes in [&b"a\"b\\\n\t\x0b"[..], b"\x007\x009\x00", b"\xff\x001"] {
            let text = strace::string(bytes);
            assert_eq!(from_strace(&text[1..text.len() - 1]), bytes);
        }
        let (before, string) =
            next_string("4, \"a\\\"b\", 3, 0, NULL, NULL").expect("there is one");
        assert_eq!((before, string), ("4, ", "a\\\"b"));
        assert_eq!(next_string("4, {sa_family=AF_UNIX, sun_path=\"/tmp/s\"}, 110"), None);
    }
}
