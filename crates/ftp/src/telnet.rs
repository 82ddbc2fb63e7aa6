//! The control connection: lines as Telnet has them (RFC 854), each of them a command.
//!
//! ```text
//! U S E R   a CR LF                a line
//! U S E R   a LF                   a line too: what people type into nc
//! IAC IP IAC DM A B O R CR LF      ABOR: Telnet's own bytes are not part of the line
//! CR NUL                           a lone carriage return
//! IAC IAC                          the byte 255
//! ```
//!
//! Few clients know of the last line: they send a name with я in cp1251 with a single 255. So an IAC before
//! what is no command of Telnet is taken for that byte, and so is every one behind the first space of a
//! line: what interrupts a server stands before a command, not in the name of a file.
//!
//! TCP cuts the stream where it likes: a line comes in pieces, or several lines at once. [`Lines`]
//! takes bytes as they come and gives lines as they end. [`Control`] is the socket with it.
//!
//! A client need not wait for an answer before it says more. During a transfer it is read ahead, for
//! an ABOR may stand behind a thousand commands; but only so far, or a client that sends without end could
//! have all of the memory.

use std::collections::VecDeque;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use libc::{POLLERR, POLLHUP, POLLIN};

use netplay_call::stop::{Stop, Watch};
use netplay_call::{
    self as call, HIDDEN, Hide, MSG_DONTWAIT, SO_OOBINLINE, SO_SNDTIMEO, TCP_NODELAY, TcpStream,
    pollfd,
};
use netplay_shared::sendall;

/// The longest line: a verb and a path of PATH_MAX bytes fit in.
pub const LONGEST: usize = 8 * 1024;

/// No more is read while the lines that wait for their turn take so much memory: thousands of them.
/// What the client says beyond that stays in its kernel and ours, until TCP lets it send no more.
const AHEAD: usize = 256 * 1024;

/// What a line takes beside its bytes: an empty one is not free.
const BESIDE: usize = 64;

/// What is heard during a transfer, ahead of the lines that wait for its end.
const OUT_OF_TURN: [&str; 2] = ["ABOR", "STAT"];

/// A line that a client sent, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A whole line.
    Whole(Vec<u8>),
    /// A line longer than [`LONGEST`]: one command, to be refused. Its bytes were not kept.
    TooLong,
}

impl Line {
    /// Whether the line is this verb, in any case, and nothing else.
    #[must_use]
    pub fn is(&self, verb: &str) -> bool {
        matches!(self, Line::Whole(bytes) if bytes.trim_ascii().eq_ignore_ascii_case(verb.as_bytes()))
    }

    fn is_out_of_turn(&self) -> bool {
        OUT_OF_TURN.iter().any(|verb| self.is(verb))
    }

    fn memory(&self) -> usize {
        match self {
            Line::Whole(bytes) => bytes.len() + BESIDE,
            Line::TooLong => BESIDE,
        }
    }
}

/// Bytes become lines.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
    too_long: bool,
    telnet: Telnet,
    whole: VecDeque<Line>,
    /// What the whole lines take.
    memory: usize,
    /// How many of them are [`OUT_OF_TURN`]: mostly none, and none need be looked for.
    out_of_turn: usize,
}

/// What the next byte belongs to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After a carriage return.
    Return,
    /// After IAC, "interpret as command".
    Command,
    /// After WILL, WONT, DO or DONT: the option that it is about.
    Option,
    /// Inside a subnegotiation, and after an IAC in it.
    Sub,
    SubCommand,
}

const IAC: u8 = 255;
/// End of file (RFC 1184): the lowest of the commands behind IAC.
const FIRST_COMMAND: u8 = 236;
const WILL: u8 = 251;
const DONT: u8 = 254;
const SB: u8 = 250;
const SE: u8 = 240;

/// A stream of Telnet, byte by byte.
#[derive(Debug, Default, Clone)]
struct Telnet {
    state: State,
    /// Behind the first space of a line: such a byte is not meant for Telnet, it belongs to the name of a file.
    argument: bool,
}

impl Telnet {
    /// What the next byte is; and before it the last one, if only now it turns out to be text.
    fn take(&mut self, byte: u8) -> (Option<u8>, Byte) {
        let mut late = None;
        match self.state {
            State::Return if byte != b'\n' => late = Some(b'\r'),
            State::Command if byte < FIRST_COMMAND || self.argument && byte != IAC => {
                late = Some(IAC);
                self.state = State::Text;
            }
            _ => {}
        }
        let (next, what) = match (self.state, byte) {
            (State::Text | State::Return, b'\n') => (State::Text, Byte::LineEnd),
            (State::Text | State::Return, b'\r') => (State::Return, Byte::Telnet),
            (State::Text | State::Return, IAC) => (State::Command, Byte::Telnet),
            (State::Return, 0) => (State::Text, Byte::Telnet),
            (State::Text | State::Return, _) | (State::Command, IAC) => (State::Text, Byte::Text),
            (State::Command, WILL..=DONT) => (State::Option, Byte::Telnet),
            (State::Command, SB) => (State::Sub, Byte::Telnet),
            (State::Command | State::Option, _) => (State::Text, Byte::Telnet),
            (State::Sub, IAC) => (State::SubCommand, Byte::Telnet),
            (State::SubCommand, SE) => (State::Text, Byte::Telnet),
            (State::Sub | State::SubCommand, _) => (State::Sub, Byte::Telnet),
        };
        self.state = next;
        self.argument =
            what != Byte::LineEnd && (self.argument || what == Byte::Text && byte == b' ');
        (late, what)
    }
}

/// What a byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Byte {
    Text,
    /// A line feed, with or without a carriage return before it.
    LineEnd,
    /// Part of a command of Telnet, or a carriage return, of which the next byte says what it is.
    Telnet,
}

impl Lines {
    /// Takes bytes as they came.
    pub fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let (late, what) = self.telnet.take(byte);
            late.into_iter().for_each(|byte| self.push(byte));
            match what {
                Byte::Text => self.push(byte),
                Byte::LineEnd => self.end_line(),
                Byte::Telnet => {}
            }
        }
    }

    /// The oldest line that has not been taken yet.
    pub fn oldest(&mut self) -> Option<Line> {
        self.remove(0)
    }

    /// Whether the line that comes now is longer than [`LONGEST`] already: its end may never come.
    #[must_use]
    pub fn too_long(&self) -> bool {
        self.too_long
    }

    /// The oldest line that is ABOR or STAT, and nothing else: they do not wait for their turn.
    pub fn out_of_turn(&mut self) -> Option<Line> {
        if self.out_of_turn == 0 {
            return None;
        }
        let at = self.whole.iter().position(Line::is_out_of_turn)?;
        self.remove(at)
    }

    /// Whether so much waits for its turn that no more is to be read.
    #[must_use]
    pub fn are_enough(&self) -> bool {
        self.memory >= AHEAD
    }

    /// Whether a line that is this verb alone is waiting.
    #[must_use]
    pub fn has(&self, verb: &str) -> bool {
        self.whole.iter().any(|line| line.is(verb))
    }

    fn remove(&mut self, at: usize) -> Option<Line> {
        let line = self.whole.remove(at)?;
        self.memory -= line.memory();
        self.out_of_turn -= usize::from(line.is_out_of_turn());
        Some(line)
    }

    fn push(&mut self, byte: u8) {
        if self.line.len() < LONGEST {
            self.line.push(byte);
        } else {
            self.too_long = true;
        }
    }

    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        line.shrink_to_fit();
        let too_long = std::mem::take(&mut self.too_long);
        let line = if too_long { Line::TooLong } else { Line::Whole(line) };
        self.memory += line.memory();
        self.out_of_turn += usize::from(line.is_out_of_turn());
        self.whole.push_back(line);
    }
}

/// The commands whose arguments are hidden: what they carry is a password, or as good as one.
const SECRET: [&[u8]; 2] = [b"PASS", b"ACCT"];

/// The command that has a name behind it. Another word behind that is mostly a password, of a client, or of a user,
/// who puts both on one line.
const NAME: &[u8] = b"USER";

/// Commands behind which another may stand; and one that was typed into a client, or sent by mistake.
const ANOTHER: [&[u8]; 2] = [b"SITE", b"QUOTE"];

/// Where in an argument a URL has its user and host.
const AUTHORITY: &[u8] = b"://";

/// Follows a control connection, and hides the passwords on it, in whatever pieces they come:
///
/// ```
/// use netplay_call::Hide;
/// use netplay_ftp::telnet::Passwords;
/// let mut pieces = [&b"NOOP\r\npas"[..], b"s one", b" two\r\nQUIT\r\n"].map(<[u8]>::to_vec);
/// let mut passwords = Passwords::heard();
/// for piece in &mut pieces {
///     passwords.received(piece);
/// }
/// assert_eq!(pieces.concat(), b"NOOP\r\npass *******\r\nQUIT\r\n");
/// ```
///
/// A server that does not understand a command may well repeat it, so a client also hides what comes
/// back of the password that it sent.
#[derive(Debug, Clone)]
pub struct Passwords {
    commands: Commands,
    /// On the client's side: what was sent, in case it comes back.
    echo: Option<Echo>,
}

impl Passwords {
    /// On the server's side, which receives them.
    #[must_use]
    pub fn heard() -> Passwords {
        Passwords { commands: Commands::default(), echo: None }
    }

    /// On the client's side, which sends them.
    #[must_use]
    pub fn told() -> Passwords {
        Passwords { commands: Commands::default(), echo: Some(Echo::default()) }
    }
}

impl Hide for Passwords {
    fn received(&mut self, bytes: &mut [u8]) -> usize {
        match &mut self.echo {
            Some(echo) => echo.hide(bytes),
            None => self.commands.hide(bytes, |_| {}),
        }
    }

    fn sent(&mut self, bytes: &mut [u8]) -> usize {
        match &mut self.echo {
            Some(echo) => self.commands.hide(bytes, |secret| *echo = Echo::of(secret)),
            None => 0,
        }
    }

    fn missed(&mut self) {
        self.commands.line = Spot::Secret;
    }

    fn copy(&self) -> Box<dyn Hide> {
        Box::new(self.clone())
    }
}

/// Where in the stream of commands the next byte is.
#[derive(Debug, Clone, Default)]
struct Commands {
    telnet: Telnet,
    line: Spot,
    /// The first word of the line, or the secret behind it: as much of it as is needed.
    text: Vec<u8>,
}

/// Where in a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Spot {
    /// In its first word, or before it.
    #[default]
    Verb,
    /// Right behind a verb that a secret follows.
    Behind,
    /// In the secret.
    Secret,
    /// Behind USER: before the name, and in it.
    User,
    Name,
    /// In what every user may read.
    Open,
    /// In a URL: in its user, or its host.
    Authority,
}

impl Commands {
    /// Hides what is secret, counts it, and tells each secret when its line has ended.
    fn hide(&mut self, bytes: &mut [u8], mut told: impl FnMut(&[u8])) -> usize {
        let mut hidden = 0;
        let mut hide = |byte: &mut u8| {
            *byte = HIDDEN;
            hidden += 1;
        };
        for byte in bytes {
            let before = self.telnet.state;
            let in_text = matches!(before, State::Text | State::Return);
            match (self.telnet.take(*byte).1, self.line) {
                (Byte::LineEnd, line) => {
                    if line == Spot::Secret {
                        told(&self.text);
                    }
                    self.go(Spot::Verb);
                }
                // Whatever a subnegotiation says is no part of a command, and is not for the record either.
                (Byte::Telnet, _) if before == State::Sub && *byte != IAC => hide(byte),
                // No line end to the server, which refuses such a line; but perhaps to who sent it.
                (_, line)
                    if line != Spot::Behind
                        && line != Spot::Secret
                        && in_text
                        && matches!(byte, b'\r' | 0) =>
                {
                    self.go(Spot::Verb);
                }
                (Byte::Text, Spot::Verb) => self.verb(*byte),
                (Byte::Text, Spot::Behind) if is_blank(*byte) => self.line = Spot::Secret,
                (Byte::Text, Spot::Behind | Spot::Secret) => {
                    self.line = Spot::Secret;
                    if self.text.len() < LONGEST {
                        self.text.push(*byte);
                    }
                    hide(byte);
                }
                // Telnet's own bytes are no part of a password; but who hides something there is hidden.
                (Byte::Telnet, Spot::Secret) if *byte != b'\r' => hide(byte),
                (Byte::Text, Spot::User) if !is_blank(*byte) => self.line = Spot::Name,
                (Byte::Text, Spot::Name) if is_blank(*byte) => self.go(Spot::Behind),
                (Byte::Text, Spot::Open) => self.open(*byte),
                (Byte::Text, Spot::Authority) if *byte == b':' => self.go(Spot::Secret),
                (Byte::Text, Spot::Authority) if matches!(byte, b'/' | b' ') => self.go(Spot::Open),
                (Byte::Telnet, _) | (_, Spot::User | Spot::Name | Spot::Authority) => {}
            }
        }
        hidden
    }

    fn go(&mut self, to: Spot) {
        self.text.clear();
        self.line = to;
    }

    /// Any case, anything before it but a letter, anything in it but a letter or a blank, anything behind it:
    /// a user who mistypes the command of a password has typed a password all the same.
    fn verb(&mut self, byte: u8) {
        if byte.is_ascii_alphabetic() {
            self.text.push(byte.to_ascii_uppercase());
        }
        let whole = |verbs: &[&[u8]]| verbs.contains(&&*self.text);
        let all = SECRET.iter().chain(&ANOTHER).chain([&NAME]);
        let begins = { all }.any(|verb| verb.starts_with(&self.text));
        if !begins || is_blank(byte) && !self.text.is_empty() {
            self.go(Spot::Open);
        } else if whole(&SECRET) {
            self.go(Spot::Behind);
        } else if whole(&[NAME]) {
            self.go(Spot::User);
        } else if whole(&ANOTHER) {
            self.go(Spot::Verb);
        }
    }

    /// A URL in an argument may have a password. Where that ends, only the last `@` says: so all behind it is hidden.
    fn open(&mut self, byte: u8) {
        if byte != AUTHORITY[self.text.len()] {
            self.text.clear();
        }
        if byte == AUTHORITY[self.text.len()] {
            self.text.push(byte);
        }
        if self.text == AUTHORITY {
            self.go(Spot::Authority);
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What a password looks like that comes back.
#[derive(Debug, Clone, Default)]
pub struct Echo {
    /// What to look for; nothing, while no password was sent.
    needle: Vec<u8>,
    /// How much of that is not secret.
    open: usize,
    /// The last bytes looked at, for the needle may come in pieces.
    tail: Vec<u8>,
}

/// A password shorter than this may stand in any word, and is looked for behind its command only.
const A_WORD: usize = 4;

impl Echo {
    /// How this password would come back.
    #[must_use]
    pub fn of(secret: &[u8]) -> Echo {
        let open = if secret.len() < A_WORD { &b"PASS "[..] } else { b"" };
        let needle = if secret.is_empty() { vec![] } else { [open, secret].concat() };
        Echo { needle, open: open.len(), tail: Vec::new() }
    }

    /// Hides it in the next bytes of a stream, in any case, for some servers answer in capitals; and what
    /// may be its beginning. Returns how many bytes that are.
    pub fn hide(&mut self, bytes: &mut [u8]) -> usize {
        if self.needle.is_empty() {
            return 0;
        }
        let (mut hidden, mut until) = (0, 0);
        let before = self.tail.len();
        let text = [&self.tail, &*bytes].concat();
        for start in 0..text.len() {
            let n = self.needle.len().min(text.len() - start);
            if text[start..start + n].eq_ignore_ascii_case(&self.needle[..n]) {
                // What stands in the tail was told already, and two of them may overlap.
                let from = (start + self.open).max(before).max(until);
                let to = start + n;
                if from < to {
                    bytes[from - before..to - before].fill(HIDDEN);
                    hidden += to - from;
                    until = to;
                }
            }
        }
        let keep = (self.needle.len() - 1).min(text.len());
        self.tail = text[text.len() - keep..].to_vec();
        hidden
    }
}

/// What comes of waiting for a command.
#[derive(Debug)]
pub enum Heard {
    /// A line.
    Line(Line),
    /// The client has closed the connection, or the server stops.
    End,
    /// The client was silent for too long.
    Silence,
}

/// The control connection of one client.
#[derive(Debug)]
pub struct Control<'a> {
    /// The socket.
    pub stream: &'a TcpStream,
    /// The lines that have come.
    pub lines: Lines,
    /// Whether the client has closed its side.
    pub ended: bool,
    stop: &'a Stop,
    waiting: Watch<'a>,
}

impl<'a> Control<'a> {
    /// Prepares a socket that was just accepted. A client that reads no replies for `patience` is
    /// given up.
    ///
    /// # Errors
    /// The connection is over already.
    pub fn new(stream: &'a TcpStream, stop: &'a Stop, patience: Duration) -> call::Result<Self> {
        // A client aborts with urgent data (Telnet's Synch): it stays in its place in the stream.
        call::setsockopt(stream, SO_OOBINLINE, 1)?;
        // "226" must not wait until the client has acknowledged "150".
        call::setsockopt(stream, TCP_NODELAY, 1)?;
        call::setsockopt(stream, SO_SNDTIMEO, patience)?;
        call::hide(stream, Passwords::heard());
        let waiting = stop.watch(stream);
        Ok(Control { stream, lines: Lines::default(), ended: false, stop, waiting })
    }

    /// The next line, which must come within `patience`.
    ///
    /// # Errors
    /// The connection failed.
    pub fn hear(&mut self, patience: Duration) -> call::Result<Heard> {
        let deadline = Instant::now() + patience;
        loop {
            // First: hundreds of lines may wait for their turn, and none of them is to delay the stop.
            if self.stop.requested() {
                return Ok(Heard::End);
            }
            if let Some(line) = self.lines.oldest() {
                return Ok(Heard::Line(line));
            }
            if self.ended {
                return Ok(Heard::End);
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return Ok(Heard::Silence);
            };
            let mut list = [self.interest()];
            self.wait(&mut list, left)?;
            self.look(&list[0])?;
        }
    }

    /// What to wait for on this socket: nothing more while enough lines wait for their turn. Its
    /// failure and a stop are always reported.
    #[must_use]
    pub fn interest(&self) -> pollfd {
        let open = !self.ended && !self.lines.are_enough();
        // A side that was closed stays readable: a negative descriptor is not looked at.
        let fd = if self.ended { -1 } else { self.stream.as_raw_fd() };
        pollfd { fd, events: if open { POLLIN } else { 0 }, revents: 0 }
    }

    /// Waits until something happens on a socket of the list, no longer than `limit`.
    ///
    /// # Errors
    /// None that passes.
    pub fn wait(&self, list: &mut [pollfd], limit: Duration) -> call::Result<usize> {
        // A client whose side is closed still counts as long as its replies can be sent; but the
        // stop must be heard, and shuts this very socket down: so look in from time to time.
        let limit = if self.ended { limit.min(Duration::from_millis(500)) } else { limit };
        Ok(self.waiting.or(|| call::poll(list, Some(limit)))?.unwrap_or_default())
    }

    /// Takes what has arrived, if `seen` says that something has.
    ///
    /// # Errors
    /// The connection failed.
    pub fn look(&mut self, seen: &pollfd) -> call::Result<()> {
        if seen.revents & (POLLIN | POLLHUP | POLLERR) == 0 {
            return Ok(());
        }
        if self.lines.are_enough() {
            // Nothing was asked for, so this is the end, of both ways: there is no one left to answer,
            // and what was said before it may still be megabytes.
            self.lines = Lines::default();
            self.ended = true;
            return Ok(());
        }
        let mut buf = [0; 4096];
        match call::recv(self.stream, &mut buf, MSG_DONTWAIT) {
            Ok(0) => self.ended = true,
            Ok(n) => self.lines.take(&buf[..n]),
            Err(error) if error.would_block() || error.interrupted() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether the client is there no more: it closed the connection without a QUIT, or it failed.
    pub fn is_gone(&mut self) -> bool {
        let mut list = [self.interest()];
        let looked =
            self.wait(&mut list, Duration::ZERO).and_then(|_| self.look(&list[0])).is_err();
        looked || self.ended && !(self.lines.has("QUIT") && self.can_be_told())
    }

    /// Whether replies can still be sent: the end of what the client says is not yet the end of both ways.
    fn can_be_told(&self) -> bool {
        let mut list = [pollfd { fd: self.stream.as_raw_fd(), events: 0, revents: 0 }];
        self.wait(&mut list, Duration::ZERO).is_ok() && list[0].revents & (POLLHUP | POLLERR) == 0
    }

    /// Whether the server stops.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stop.requested()
    }

    /// Makes the client wait so long; less, if it goes or the server stops.
    ///
    /// # Errors
    /// None that passes.
    pub fn pause(&mut self, time: Duration) -> call::Result<()> {
        let end = Instant::now() + time;
        while !self.stopped() && !self.is_gone() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let mut list = [self.interest()];
            self.wait(&mut list, left)?;
        }
        Ok(())
    }

    /// Sends a reply, whole. Whatever name a reply quotes, no line end is in it but those that are put
    /// here, and a byte that Telnet would take for a command is doubled.
    ///
    /// # Errors
    /// The connection failed, or the client reads nothing.
    pub fn reply(&self, lines: &[Vec<u8>]) -> call::Result<()> {
        let mut text = Vec::new();
        for line in lines {
            for &byte in line {
                match byte {
                    b'\r' | b'\n' | 0 => text.push(b'?'),
                    IAC => text.extend([IAC, IAC]),
                    byte => text.push(byte),
                }
            }
            text.extend(b"\r\n");
        }
        self.waiting.or(|| sendall(self.stream, &text))?;
        Ok(())
    }

    /// Says that no more will come, and takes what the client still sent: bytes that were never read
    /// would make close a reset, which can overtake the last reply.
    ///
    /// # Errors
    /// The connection was over already.
    pub fn finish(self) -> call::Result<()> {
        call::shutdown(self.stream, Shutdown::Write)?;
        let mut buf = [0; 4096];
        for _ in 0..16 {
            match call::recv(self.stream, &mut buf, MSG_DONTWAIT) {
                Ok(1..) => {}
                Ok(0) | Err(_) => break,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_were_cut(
            bytes in prop::collection::vec(prop::sample::select(&b"aN \r\n\0\xff\xfa\xf0\xfd\xf2"[..]), 0..60),
            cut in 1usize..9,
        ) {
            let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
            prop_assert_eq!(lines(&pieces), lines(&[&bytes]));
        }
    }

    fn lines(pieces: &[&[u8]]) -> Vec<Line> {
        let mut lines = Lines::default();
        pieces.iter().for_each(|piece| lines.take(piece));
        std::iter::from_fn(|| lines.oldest()).collect()
    }

    fn whole(text: &[u8]) -> Line {
        Line::Whole(text.to_vec())
    }

    /// Commands of Telnet, which are no part of a line.
    const NOISE: &[&[u8]] = &[b"", b"\xff\xf1", b"\xff\xfb\x01", b"\xff\xfa\x18PASV\xff\xf0"];
    const BEFORE: &[&[u8]] = &[b"", b"USER u\r\n", b"NOOP\n", b"RETR pass x\n", b"\r\n"];

    /// What a record shows of these pieces.
    fn shown(pieces: &[&[u8]]) -> Vec<u8> {
        let mut passwords = Passwords::heard();
        let hide = |piece: &&[u8]| {
            let mut piece = piece.to_vec();
            passwords.received(&mut piece);
            piece
        };
        pieces.iter().map(hide).collect::<Vec<_>>().concat()
    }

    proptest! {
        /// What the server takes for a password is hidden, however it comes.
        #[test]
        fn no_password_that_the_server_hears_is_shown(
            verb in "[Pp][Aa][Ss][Ss]",
            noise in prop::collection::vec(prop::sample::select(NOISE), 4),
            before in prop::sample::select(BEFORE),
            cut in 1usize..9,
        ) {
            let mut bytes = before.to_vec();
            for (letter, noise) in verb.bytes().zip(&noise) {
                bytes.push(letter);
                bytes.extend_from_slice(noise);
            }
            let secret = b"Zq9 hidden7";
            bytes.extend_from_slice(b" ");
            bytes.extend_from_slice(secret);
            bytes.extend_from_slice(b"\r\nQUIT\r\n");
            let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
            let command = format!("{verb} Zq9 hidden7");
            prop_assert!(lines(&pieces).contains(&whole(command.as_bytes())));
            let shown = shown(&pieces);
            prop_assert_eq!(shown.len(), bytes.len());
            prop_assert!(shown.starts_with(before) && shown.ends_with(b"\r\nQUIT\r\n"));
            prop_assert!(!shown.windows(3).any(|window| secret.windows(3).any(|part| part == window)));
            prop_assert!(shown.windows(secret.len()).any(|window| window == [HIDDEN; 11]));
        }
    }

    proptest! {
        #[test]
        fn what_is_hidden_is_counted(
            secret in "[ab*]{0,6}",
            reply in "(PASS |[ab*]|\r\n){0,30}",
            cut in 1usize..9,
        ) {
            let mut passwords = Passwords::told();
            prop_assert_eq!(passwords.sent(&mut format!("PASS {secret}\r\n").into_bytes()), secret.len());
            let mut hidden = 0;
            let mut shown = Vec::new();
            for piece in reply.as_bytes().chunks(cut) {
                let mut piece = piece.to_vec();
                hidden += passwords.received(&mut piece);
                shown.extend(piece);
            }
            let changed = shown.iter().zip(reply.bytes()).filter(|(shown, byte)| *shown != byte).count();
            let stars = shown.iter().filter(|&&byte| byte == HIDDEN).count();
            prop_assert!((changed..=stars).contains(&hidden));
            let needle = if secret.len() < A_WORD { format!("PASS {secret}") } else { secret.clone() };
            if !secret.is_empty() && !secret.contains('*') {
                prop_assert!(!shown.windows(needle.len()).any(|shown| shown == needle.as_bytes()));
            }
        }
    }

    #[test]
    fn what_follows_pass_and_acct_is_hidden_and_nothing_else() {
        for (line, told) in [
            ("PASS secret", "PASS ******"),
            ("pAsS a b", "pAsS ***"),
            ("PASS", "PASS"),
            ("PASS ", "PASS "),
            ("PASS  x", "PASS **"),
            ("PASS\tsecret", "PASS\t******"),
            (" PASS secret", " PASS ******"),
            ("PASSsecret", "PASS******"),
            ("acct me", "acct **"),
            ("PAS secret", "PAS secret"),
            ("P ASS secret", "P ASS secret"),
            ("PASV", "PASV"),
            ("P.ASS secret", "P.ASS ******"),
            ("PA\u{1}SS secret", "PA\u{1}SS ******"),
            ("\u{feff}PASS secret", "\u{feff}PASS ******"),
            ("USER pass", "USER pass"),
            ("USER x PASS secret", "USER x ***********"),
            ("user  x\tsecret", "user  x\t******"),
            ("USERx y", "USERx *"),
            ("USER ", "USER "),
            ("USER a\0PASS b", "USER a\0PASS *"),
            ("SITE PASS secret", "SITE PASS ******"),
            ("quote user x y", "quote user x *"),
            ("QUOTE LIST x", "QUOTE LIST x"),
            ("SITE CHMOD 644 x", "SITE CHMOD 644 x"),
            ("STOR a", "STOR a"),
            ("RETR ftp://bob:secret@host/a", "RETR ftp://bob:*************"),
            ("RETR a::://bob:x", "RETR a::://bob:*"),
            ("RETR ftp://host/a:b", "RETR ftp://host/a:b"),
            ("RETR C://x", "RETR C://x"),
            ("RETR PASS x", "RETR PASS x"),
            ("PASS a\rb", "PASS *\r*"),
            ("PASS *", "PASS *"),
            // No command to this server, but a password to the user who typed it.
            ("USER a\rPASS secret", "USER a\rPASS ******"),
            ("USER a\r\0PASS secret", "USER a\r\0PASS ******"),
            ("NOOP\0PASS secret", "NOOP\0PASS ******"),
            ("PA\rPASS secret", "PA\rPASS ******"),
        ] {
            let (line, told) = (format!("{line}\r\nNOOP\r\n"), format!("{told}\r\nNOOP\r\n"));
            assert_eq!(String::from_utf8_lossy(&shown(&[line.as_bytes()])), told);
        }
        let endless = [&b"PASS "[..], &[b'x'; 3 * LONGEST]].concat();
        assert_eq!(shown(&[&endless])[5..], [HIDDEN; 3 * LONGEST]);
    }

    /// What Telnet takes out of a line does not take a command apart either, whatever is in it.
    #[test]
    fn what_telnet_says_inside_a_command_hides_no_command() {
        for noise in [
            &b"\xff\xfa\0\xff\xf0"[..],
            b"\xff\xfa\x18\r\xff\xf0",
            b"\xff\xfa\x18\n\r\n\xff\xff\0\xff\xf0",
            b"\xff\xfb\0",
            b"\xff\xfd\r",
            b"\xff\xf1",
        ] {
            for at in 0..5 {
                let (before, behind) = b"PASS Zq9\r\n".split_at(at);
                let line = [before, noise, behind].concat();
                assert_eq!(lines(&[&line]), [whole(b"PASS Zq9")], "{noise:x?} at {at}");
                let shown = shown(&[&line]);
                assert!(shown.ends_with(b"***\r\n"), "{shown:x?}: {noise:x?} at {at}");
            }
        }
        assert_eq!(
            shown(&[b"\xff\xfa\x18PASS x\xff\xf0NOOP\r\n"]),
            b"\xff\xfa*******\xff\xf0NOOP\r\n"
        );
        assert_eq!(shown(&[b"\xff\xfaPASS x\r\nPASS y\r\n"]), b"\xff\xfa****************");
    }

    #[test]
    fn a_password_that_comes_back_is_hidden_however_it_is_cut() {
        for (secret, reply, told) in [
            (
                "swordfish",
                "500 PASS swordfish? swordfish!\r\n",
                "500 PASS *********? *********!\r\n",
            ),
            ("aab", "500 aaab\r\nPASS aab", "500 aaab\r\nPASS ***"),
            ("abababc", "x ababababc x", "x ab******* x"),
            ("Sword9", "500 PASS SWORD9, sword9\r\n", "500 PASS ******, ******\r\n"),
            ("aB", "500 pass AB\r\n", "500 pass **\r\n"),
            ("", "500 PASS \r\n", "500 PASS \r\n"),
        ] {
            for cut in 1..reply.len() {
                let mut passwords = Passwords::told();
                passwords.sent(&mut format!("PASS {secret}\r\n").into_bytes());
                let mut shown = Vec::new();
                for piece in reply.as_bytes().chunks(cut) {
                    let mut piece = piece.to_vec();
                    passwords.received(&mut piece);
                    shown.extend_from_slice(&piece);
                }
                // What could have been its beginning is hidden as well: a piece does not say how it goes on.
                let hides = |(&shown, &told): (&u8, &u8)| shown == told || shown == HIDDEN;
                assert!(shown.iter().zip(told.as_bytes()).all(hides), "{shown:?} for {told}");
                if cut > 20 {
                    assert_eq!(String::from_utf8_lossy(&shown), told);
                }
            }
        }
    }

    #[test]
    fn a_line_whose_beginning_was_missed_is_hidden() {
        let mut passwords = Passwords::heard();
        passwords.missed();
        let mut bytes = b"ret\r\nNOOP\r\n".to_vec();
        passwords.received(&mut bytes);
        assert_eq!(bytes, b"***\r\nNOOP\r\n");
    }

    #[test]
    fn a_line_ends_with_cr_lf_or_lf_alone() {
        assert_eq!(
            lines(&[b"USER a\r\nPASS b\n\n"]),
            [whole(b"USER a"), whole(b"PASS b"), whole(b"")]
        );
    }

    #[test]
    fn a_line_may_come_in_pieces() {
        assert_eq!(
            lines(&[b"US", b"ER a\r", b"\nNO", b"OP\n", b"half"]),
            [whole(b"USER a"), whole(b"NOOP")]
        );
    }

    #[test]
    fn telnet_commands_are_skipped() {
        let synch = b"\xff\xf4\xff\xf2ABOR\r\n";
        assert_eq!(lines(&[synch]), [whole(b"ABOR")]);
        let options = b"\xff\xfd\x01NO\xff\xfa\x18\x01\xff\xff\n\xff\xf0OP\r\n";
        assert_eq!(lines(&[options]), [whole(b"NOOP")]);
        assert_eq!(lines(&[b"a\xff\xffb\r\0c\rd\r\n"]), [whole(b"a\xffb\rc\rd")]);
    }

    #[test]
    fn an_iac_before_no_command_is_a_byte_of_a_name() {
        let pieces = [&b"STOR \xff\xf9\xe8"[..], b"\xff", b"\xfe\xff\xfa\n"];
        assert_eq!(lines(&pieces), [whole(b"STOR \xff\xf9\xe8\xff\xfe\xff\xfa")]);
        assert_eq!(
            lines(&[b"RETR \xff a\xff", b"b\xff\r", b"\nNOOP\xff\n"]),
            [whole(b"RETR \xff a\xffb\xff"), whole(b"NOOP\xff")]
        );
    }

    #[test]
    fn a_long_line_is_one_command_and_is_not_kept() {
        let long = vec![b'x'; 3 * LONGEST];
        assert_eq!(lines(&[&long, &long, b"\r\nNOOP\r\n"]), [Line::TooLong, whole(b"NOOP")]);
        assert_eq!(lines(&[&long[..LONGEST], b"\n"]), [whole(&long[..LONGEST])]);
    }
}
