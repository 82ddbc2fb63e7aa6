//! The control connection: lines as Telnet has them (RFC 854), each of them a command.
//!
//! ```text
//! U S E R   a CR LF                a line
//! U S E R   a LF                   a line too: what people type into nc
//! IAC IP IAC DM A B O R CR LF      ABOR: Telnet's own bytes are not part of the line
//! CR NUL                           a lone carriage return
//! ```
//!
//! TCP cuts the stream where it likes: a line comes in pieces, or several lines at once. [`Lines`]
//! takes bytes as they come and gives lines as they end. [`Control`] is the socket with it.
//!
//! A client need not wait for an answer before it says more. During a transfer it is read ahead, for
//! an ABOR may stand behind a thousand commands; but only so far, or whoever talks without end could
//! have all of the memory.

use std::collections::VecDeque;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use libc::{POLLERR, POLLHUP, POLLIN};

use super::super::tcp_echo::sendall;
use crate::call::{self, MSG_DONTWAIT, SO_OOBINLINE, SO_SNDTIMEO, TCP_NODELAY, TcpStream, pollfd};
use crate::stop::{Stop, Watch};

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
    state: State,
    whole: VecDeque<Line>,
    /// What the whole lines take.
    memory: usize,
    /// How many of them are [`OUT_OF_TURN`]: mostly none, and none need be looked for.
    out_of_turn: usize,
}

/// What the next byte belongs to.
#[derive(Debug, Default, Clone, Copy)]
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
const WILL: u8 = 251;
const DONT: u8 = 254;
const SB: u8 = 250;
const SE: u8 = 240;

impl Lines {
    /// Takes bytes as they came.
    pub fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (State::Text | State::Return, b'\n') => {
                    self.end_line();
                    State::Text
                }
                (State::Return, 0) => {
                    self.push(b'\r');
                    State::Text
                }
                (State::Return, _) => {
                    self.push(b'\r');
                    self.text(byte)
                }
                (State::Text, _) => self.text(byte),
                (State::Command, IAC) => {
                    self.push(IAC);
                    State::Text
                }
                (State::Command, WILL..=DONT) => State::Option,
                (State::Command, SB) => State::Sub,
                (State::Command | State::Option, _) => State::Text,
                (State::Sub, IAC) => State::SubCommand,
                (State::SubCommand, SE) => State::Text,
                (State::Sub | State::SubCommand, _) => State::Sub,
            };
        }
    }

    /// The oldest line that has not been taken yet.
    pub fn oldest(&mut self) -> Option<Line> {
        self.remove(0)
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

    fn text(&mut self, byte: u8) -> State {
        match byte {
            b'\r' => State::Return,
            IAC => State::Command,
            byte => {
                self.push(byte);
                State::Text
            }
        }
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
            // Nothing was asked for, so this is the end, of both ways: nobody is left to be answered,
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
        looked || self.ended && !self.lines.has("QUIT")
    }

    /// Whether the server stops.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stop.requested()
    }

    /// Makes the client wait; less, if the server stops. Not if the client goes: one that resets its
    /// connection would be spared the wait, and its place would be free for the next guess.
    ///
    /// # Errors
    /// None that passes.
    pub fn pause(&self, time: Duration) -> call::Result<()> {
        let until = Instant::now() + time;
        while !self.stopped() {
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            self.waiting.or(|| call::poll(&mut [], Some(left.min(Duration::from_millis(100)))))?;
        }
        Ok(())
    }

    /// Sends a reply, whole. Whatever a reply quotes, no control character is in it but the line
    /// ends that are put here.
    ///
    /// # Errors
    /// The connection failed, or the client reads nothing.
    pub fn reply(&self, lines: &[String]) -> call::Result<()> {
        let clean = |c: char| if c.is_control() { '?' } else { c };
        let mut text = String::new();
        for line in lines {
            text.extend(line.chars().map(clean));
            text += "\r\n";
        }
        self.waiting.or(|| sendall(self.stream, text.as_bytes()))?;
        Ok(())
    }

    /// Says that no more will come, and takes what the client still sent: bytes that nobody read
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
    fn a_long_line_is_one_command_and_is_not_kept() {
        let long = vec![b'x'; 3 * LONGEST];
        assert_eq!(lines(&[&long, &long, b"\r\nNOOP\r\n"]), [Line::TooLong, whole(b"NOOP")]);
        assert_eq!(lines(&[&long[..LONGEST], b"\n"]), [whole(&long[..LONGEST])]);
    }
}
