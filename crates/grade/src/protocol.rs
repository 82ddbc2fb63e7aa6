//! What a right answer is: the protocol that the tested program speaks.
//!
//! ```text
//! echo    the same bytes, in whatever pieces
//! line    a line for a line, the same one
//! a file  requests and answers, one after the other
//! ```
//!
//! A file is TOML (<https://toml.io>):
//!
//! ```toml
//! name = "length-prefixed"
//!
//! [[exchange]]
//! send = "\u0000\u0005hello"
//! expect = "\u0000\u0005HELLO"
//!
//! [[exchange]]
//! send-hex = "00 03 ff fe fd"
//! expect-hex = "00 03 ff fe fd"
//! ```

use std::fmt;
use std::path::Path;

use serde::Deserialize;

use super::toml_error;

/// What a right answer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// The same bytes.
    Echo,
    /// The same line, for each line of up to 4,096 bytes. A last line without its end is not a request.
    Line,
    /// What a file says.
    File(Box<Script>),
}

/// A request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The request; empty where the server speaks first.
    pub send: Vec<u8>,
    /// The answer.
    pub answer: Answer,
}

/// What answers are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Just these bytes.
    Bytes(Vec<u8>),
    /// Any that begin and end so: a line with a date in it.
    Like {
        /// How it begins.
        starts: Vec<u8>,
        /// How it ends: at the first place where this stands, the beginning aside.
        ends: Vec<u8>,
    },
}

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It has begun as it should, and is not whole.
    Part,
    /// It is whole, and has so many bytes.
    Whole(usize),
    /// It is another one, from this byte on.
    Wrong(usize),
}

impl Answer {
    /// How far the answer has come in these bytes.
    #[must_use]
    pub fn came(&self, got: &[u8]) -> Came {
        let differs = |wanted: &[u8]| wanted.iter().zip(got).position(|(a, b)| a != b);
        match self {
            Answer::Bytes(wanted) => match differs(wanted) {
                Some(at) => Came::Wrong(at),
                None if got.len() >= wanted.len() => Came::Whole(wanted.len()),
                None => Came::Part,
            },
            Answer::Like { starts, ends } => {
                if let Some(at) = differs(starts) {
                    return Came::Wrong(at);
                }
                let rest = got.get(starts.len()..).unwrap_or_default();
                match rest.windows(ends.len().max(1)).position(|part| part == ends) {
                    Some(at) => Came::Whole(starts.len() + at + ends.len()),
                    None if ends.is_empty() && got.len() >= starts.len() => {
                        Came::Whole(starts.len())
                    }
                    None => Came::Part,
                }
            }
        }
    }

    /// The answer in words, or its beginning.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Answer::Bytes(bytes) => bytes,
            Answer::Like { starts, .. } => starts,
        }
    }
}

/// A protocol in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// What it is called.
    pub name: String,
    /// What the server sends before any request.
    pub greeting: Option<Answer>,
    /// Requests and answers, one after the other.
    pub exchanges: Vec<Exchange>,
    /// Whether the exchanges may be repeated on one connection.
    pub repeats: bool,
    /// Whether a request may be sent before the answer to the one before has come.
    pub pipelines: bool,
}

/// Why a file is no protocol.
#[derive(Debug)]
pub enum ProtocolError {
    /// It cannot be read.
    Read(std::io::Error),
    /// It is not TOML, or has other keys.
    Parse {
        /// The line, from 1 on.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// Its text says something that no protocol is.
    Wrong {
        /// Which exchange, from 1; 0 is the whole.
        exchange: usize,
        /// What is wrong.
        what: &'static str,
    },
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProtocolError::Read(error) => error.fmt(f),
            ProtocolError::Parse { line, what } => write!(f, "line {line}: {what}"),
            ProtocolError::Wrong { exchange: 0, what } => f.write_str(what),
            ProtocolError::Wrong { exchange, what } => write!(f, "exchange {exchange}: {what}"),
        }
    }
}

impl std::error::Error for ProtocolError {}

/// The keys of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Keys {
    name: Option<String>,
    greeting: Option<Part>,
    #[serde(default = "yes")]
    repeats: bool,
    #[serde(default = "yes")]
    pipelines: bool,
    exchange: Vec<Pair>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Pair {
    send: Option<String>,
    send_hex: Option<String>,
    expect: Option<String>,
    expect_hex: Option<String>,
    expect_starts: Option<String>,
    expect_ends: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Part {
    expect: Option<String>,
    expect_hex: Option<String>,
    expect_starts: Option<String>,
    expect_ends: Option<String>,
}

/// The bytes of a text in hexadecimal digits, with spaces wherever they please.
fn hex(text: &str) -> Result<Vec<u8>, &'static str> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).ok_or("a -hex value has two hexadecimal digits for each byte"))
        .collect::<Result<_, _>>()?;
    match digits.len() % 2 {
        0 => Ok(digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()),
        _ => Err("a -hex value has two hexadecimal digits for each byte"),
    }
}

fn either(text: Option<String>, digits: Option<String>) -> Result<Option<Vec<u8>>, &'static str> {
    match (text, digits) {
        (Some(_), Some(_)) => Err("give it as text or as -hex, not both"),
        (Some(text), None) => Ok(Some(text.into_bytes())),
        (None, Some(digits)) => hex(&digits).map(Some),
        (None, None) => Ok(None),
    }
}

impl Part {
    fn answer(self) -> Result<Answer, &'static str> {
        match (either(self.expect, self.expect_hex)?, self.expect_starts, self.expect_ends) {
            (Some(bytes), None, None) => Ok(Answer::Bytes(bytes)),
            (None, None, None) => Err(
                "what is expected is missing: expect, expect-hex, or expect-starts and expect-ends",
            ),
            (None, _, None) => Err("expect-ends is missing: it says where the answer ends"),
            (None, starts, Some(ends)) if !ends.is_empty() => {
                let starts = starts.unwrap_or_default().into_bytes();
                Ok(Answer::Like { starts, ends: ends.into_bytes() })
            }
            (None, ..) => Err("expect-ends is empty: it says where the answer ends"),
            _ => Err("expect and expect-starts exclude each other"),
        }
    }
}

impl Script {
    /// Reads a protocol from the text of a file.
    ///
    /// # Errors
    /// [`ProtocolError`].
    pub fn read(text: &str, name: &str) -> Result<Script, ProtocolError> {
        let keys: Keys = toml::from_str(text).map_err(|error| ProtocolError::Parse {
            line: toml_error::line(text, &error.span().unwrap_or_default()),
            what: toml_error::what(&error),
        })?;
        let wrong = |exchange| move |what| ProtocolError::Wrong { exchange, what };
        let greeting = keys.greeting.map(Part::answer).transpose().map_err(wrong(0))?;
        let mut exchanges = Vec::new();
        for (n, pair) in (1..).zip(keys.exchange) {
            let Pair { send, send_hex, expect, expect_hex, expect_starts, expect_ends } = pair;
            let send = either(send, send_hex).map_err(wrong(n))?;
            let send = send.filter(|send| !send.is_empty());
            let send = send.ok_or("send is missing, or empty").map_err(wrong(n))?;
            let part = Part { expect, expect_hex, expect_starts, expect_ends };
            exchanges.push(Exchange { send, answer: part.answer().map_err(wrong(n))? });
        }
        if exchanges.is_empty() {
            return Err(wrong(0)("there is no [[exchange]]"));
        }
        let name = keys.name.unwrap_or_else(|| name.to_owned());
        let (repeats, pipelines) = (keys.repeats, keys.pipelines);
        Ok(Script { name, greeting, exchanges, repeats, pipelines })
    }
}

impl Protocol {
    /// The protocol of this name, or in this file.
    ///
    /// # Errors
    /// The file cannot be read, or is no protocol.
    pub fn of(name: &str) -> Result<Protocol, ProtocolError> {
        match name {
            "echo" => Ok(Protocol::Echo),
            "line" => Ok(Protocol::Line),
            file => {
                let text = std::fs::read_to_string(file).map_err(ProtocolError::Read)?;
                let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
                Ok(Protocol::File(Box::new(Script::read(&text, &stem)?)))
            }
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Protocol::Echo => "echo",
            Protocol::Line => "line",
            Protocol::File(script) => &script.name,
        }
    }

    /// What the server sends first.
    #[must_use]
    pub fn greeting(&self) -> Option<&Answer> {
        match self {
            Protocol::File(script) => script.greeting.as_ref(),
            Protocol::Echo | Protocol::Line => None,
        }
    }

    /// Whether requests may be repeated on one connection, and sent before the answers to earlier ones have come.
    #[must_use]
    pub fn pipelines(&self) -> bool {
        match self {
            Protocol::File(script) => script.repeats && script.pipelines,
            Protocol::Echo | Protocol::Line => true,
        }
    }

    /// Whether a request is whole only when all of its bytes have come: then no answer may come earlier.
    #[must_use]
    pub fn has_messages(&self) -> bool {
        *self != Protocol::Echo
    }

    /// The nth request of a connection, and its answer. The letters of echo and line follow from the seed.
    #[must_use]
    pub fn exchange(&self, n: usize, random: &mut fastrand::Rng) -> Exchange {
        let mut word = |n| -> Vec<u8> { (0..n).map(|_| random.lowercase() as u8).collect() };
        match self {
            Protocol::Echo => Exchange::same(word(12)),
            Protocol::Line => {
                Exchange::same([word(5), b" ".to_vec(), word(6), b"\n".to_vec()].concat())
            }
            Protocol::File(script) => script.exchanges[n % script.exchanges.len()].clone(),
        }
    }

    /// A request with bytes that are no text: NUL, 0xff, and all others that a request may have.
    #[must_use]
    pub fn binary(&self) -> Option<Exchange> {
        match self {
            Protocol::Echo => Some(Exchange::same((0..=255).chain([0, 0, 255, 255]).collect())),
            // The ends of a line may be trimmed, its middle may not.
            Protocol::Line => {
                let middle = (0..=255_u8).filter(|byte| !matches!(byte, b'\n' | b'\r'));
                Some(Exchange::same([b"a".to_vec(), middle.collect(), b"z\n".to_vec()].concat()))
            }
            Protocol::File(_) => None,
        }
    }

    /// A long request: as long as one may be, so that not too many make a megabyte.
    #[must_use]
    pub fn long(&self, n: usize, random: &mut fastrand::Rng) -> Exchange {
        match self {
            Protocol::Echo => Exchange::same((0..16384).map(|_| random.u8(..)).collect()),
            Protocol::Line => {
                let mut line: Vec<u8> = (0..1000).map(|_| random.lowercase() as u8).collect();
                line.push(b'\n');
                Exchange::same(line)
            }
            Protocol::File(_) => self.exchange(n, random),
        }
    }
}

impl Exchange {
    fn same(bytes: Vec<u8>) -> Exchange {
        Exchange { answer: Answer::Bytes(bytes.clone()), send: bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_protocol_or_says_what_is_wrong() {
        let read = |text| Script::read(text, "file");
        let script = read(
            "[[exchange]]\nsend-hex = \"00 ff\"\nexpect-starts = \"2\"\nexpect-ends = \"\\n\"",
        );
        let script = script.unwrap();
        assert_eq!(script.exchanges[0].send, [0, 255]);
        assert_eq!(script.exchanges[0].answer.came(b"200 it is done\nmore"), Came::Whole(15));
        assert_eq!(script.exchanges[0].answer.came(b"200 it"), Came::Part);
        assert_eq!(script.exchanges[0].answer.came(b"500"), Came::Wrong(0));
        for (text, exchange) in [
            ("exchange = []", 0),
            ("[[exchange]]\nsend = \"a\"", 1),
            ("[[exchange]]\nsend = \"\"\nexpect = \"a\"", 1),
            (
                "[[exchange]]\nsend = \"a\"\nexpect = \"a\"\n[[exchange]]\nsend-hex = \"0\"\nexpect = \"a\"",
                2,
            ),
            ("[[exchange]]\nsend = \"a\"\nexpect-starts = \"a\"", 1),
            ("[[exchange]]\nsend = \"a\"\nexpect-starts = \"a\"\nexpect-ends = \"\"", 1),
        ] {
            let found = read(text).unwrap_err();
            assert!(
                matches!(found, ProtocolError::Wrong { exchange: n, .. } if n == exchange),
                "{text}"
            );
        }
        assert!(matches!(
            read("[[exchange]]\nsand = \"a\""),
            Err(ProtocolError::Parse { line: 2, .. })
        ));
    }

    #[test]
    fn an_echo_is_whole_when_all_bytes_are_there() {
        let answer = Answer::Bytes(b"hello".to_vec());
        assert_eq!(answer.came(b"hel"), Came::Part);
        assert_eq!(answer.came(b"hello, world"), Came::Whole(5));
        assert_eq!(answer.came(b"help"), Came::Wrong(3));
    }
}
