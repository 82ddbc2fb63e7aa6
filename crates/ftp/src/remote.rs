//! The server, as a client sees it: commands and their replies, and a data connection for a transfer.
//!
//! The server is a stranger. It says where to connect, but a data connection goes to the address of
//! the control connection, and only its port is taken from the reply. A line, a reply and a listing
//! have a limit, and a reply that comes a byte at a time must be whole within the timeout.

use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::data::read_six_numbers;
use super::error::{About, Error, Result, Telling};
use super::telnet::{Echo, LONGEST, Line, Lines, Passwords};
use netplay_call::{
    self as call, BytesName, CallError, Domain, MSG_DONTWAIT, MSG_PEEK, Name, SO_RCVTIMEO,
    SO_SNDTIMEO, TcpStream, Type,
};
use netplay_shared::address::Endpoint;
use netplay_shared::sendall;
use netplay_text::escape::escape;
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_trace::remark;

/// No reply is longer: a server that never ends one would fill the memory.
const LONGEST_REPLY: usize = 8 * LONGEST;

/// How long a server may take for its last word on a transfer that we gave up.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Telnet's own byte, "interpret as command" (RFC 854).
const IAC: u8 = 255;

/// So many times may a server say that it will be ready soon (120).
const NOT_YET: usize = 100;

/// The server, as a client sees it.
pub struct Server {
    control: TcpStream,
    address: SocketAddr,
    timeout: Option<Duration>,
    lines: Lines,
    /// The password that was sent: a server may repeat it in a reply.
    sent: Echo,
    /// What FEAT lists, once it was asked.
    features: Option<Vec<String>>,
    /// Whether the server reads Telnet's commands (RFC 854), once that had to be known.
    telnet: Option<bool>,
    /// PASV was refused, and EPSV was not.
    extended: bool,
    /// The control connection has failed, or a reply is still on its way that is not waited for.
    spent: bool,
}

/// A reply: its number, and its text, a line or several.
#[derive(Debug)]
pub struct Reply {
    pub code: u16,
    pub text: Vec<u8>,
    /// The text as people may see it: without the password, and nothing in it steers a terminal.
    pub told: String,
}

/// Whether the server has ended the control connection, in whichever way.
pub fn is_gone(error: &Error) -> bool {
    matches!(error.root(), Error::Gone)
        || error.call().is_some_and(|error| {
            matches!(error.name(), Name::Bytes(BytesName::Recv | BytesName::Send))
                && matches!(error.errno(), Errno::ECONNRESET | Errno::EPIPE)
        })
}

impl Reply {
    /// The reply, if its first digit is this one.
    pub fn wanted(self, first: u16) -> Result<Reply> {
        if self.code / 100 == first { Ok(self) } else { Err(Error::Refused(self.told)) }
    }

    /// What stands behind the number of a reply of one line, as text.
    pub fn rest(&self) -> String {
        String::from_utf8_lossy(self.text.get(4..).unwrap_or_default()).trim().to_owned()
    }
}

fn connect(address: SocketAddr, timeout: Option<Duration>) -> Result<TcpStream> {
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    if let Some(limit) = timeout {
        call::setsockopt(&socket, SO_RCVTIMEO, limit)?;
        call::setsockopt(&socket, SO_SNDTIMEO, limit)?;
    }
    Ok(call::connect(socket, address)?)
}

/// The host's addresses. The C library's resolver has no limit of its own that a caller could set, so a
/// thread asks it, and we wait no longer than we want to.
fn resolve(endpoint: &Endpoint, timeout: Option<Duration>) -> Result<Vec<SocketAddr>> {
    let name = endpoint.host.as_deref().filter(|host| host.parse::<IpAddr>().is_err());
    let (Some(name), Some(limit)) = (name, timeout) else { return Ok(endpoint.resolve_all()?) };
    let (tell, told) = sync_channel(1);
    let asked = endpoint.clone();
    let asker = thread::Builder::new().spawn(move || tell.send(asked.resolve_all()));
    if asker.is_err() {
        return Ok(endpoint.resolve_all()?);
    }
    let late = |_| Error::Unresolved(escape(name.as_bytes()));
    let found = told.recv_timeout(limit).map_err(late)?;
    Ok(found?)
}

impl Server {
    /// Connects; nothing has been said yet.
    /// It is the first of the host's addresses at which a server listens.
    pub fn connect(endpoint: &Endpoint, timeout: Option<Duration>) -> Result<Server> {
        let mut addresses = resolve(endpoint, timeout)?.into_iter().peekable();
        while let Some(address) = addresses.next() {
            match connect(address, timeout) {
                Err(_) if addresses.peek().is_some() => {}
                control => {
                    let control = control?;
                    call::hide(&control, Passwords::told());
                    return Ok(Server {
                        control,
                        address,
                        timeout,
                        lines: Lines::default(),
                        sent: Echo::default(),
                        features: None,
                        telnet: None,
                        extended: false,
                        spent: false,
                    });
                }
            }
        }
        unreachable!("a host has one address at least, and the last one returns")
    }

    /// Hears the greeting, says who is there, and that files are bytes.
    pub fn log_in(&mut self, user: &[u8], password: &[u8]) -> Result<()> {
        let mut greeting = self.reply()?;
        // RFC 959, 5.4: 120 says that the server will be ready in some minutes, and 220 follows.
        for _ in 0..NOT_YET {
            if greeting.code / 100 != 1 {
                break;
            }
            let told = &greeting.told;
            let told = say!(
                Lang::current(),
                "not ready yet: the server says {told}",
                "还没有就绪：服务器答复 {told}",
            );
            tracing::info!("{told}");
            greeting = self.reply()?;
        }
        greeting.wanted(2)?;
        let reply = self.ask("USER", user)?;
        if reply.code == 331 {
            self.sent = Echo::of(password);
            self.ask("PASS", password)?.wanted(2)?;
        } else {
            reply.wanted(2)?;
        }
        self.ask("TYPE", "I")?.wanted(2).map(drop)
    }

    pub fn close(self) -> Result<()> {
        Ok(call::close(self.control)?)
    }

    /// Whether nothing more can be asked here.
    pub fn is_spent(&self) -> bool {
        self.spent
    }

    /// Whether the server is still there, and has said nothing that it was not asked.
    pub fn is_open(&self) -> bool {
        let looked = call::recv(&self.control, &mut [0], MSG_DONTWAIT | MSG_PEEK);
        looked.is_err_and(|error| error.would_block())
    }

    /// The next reply, which must be whole within the timeout.
    fn reply(&mut self) -> Result<Reply> {
        self.reply_within(self.timeout)
    }

    fn reply_within(&mut self, limit: Option<Duration>) -> Result<Reply> {
        let mut wait = Wait {
            usual: self.timeout,
            until: limit.map(|limit| Instant::now() + limit),
            fresh: limit == self.timeout,
        };
        let reply = self.reply_of_lines(&mut wait);
        if !wait.fresh
            && let Some(limit) = self.timeout
        {
            call::setsockopt(&self.control, SO_RCVTIMEO, limit)?;
        }
        // With 421 the server says goodbye, whatever it was asked.
        self.spent |= reply.as_ref().map_or(true, |reply| reply.code == 421);
        reply
    }

    /// A reply, all of its lines: the last has the number of the first, and a space.
    fn reply_of_lines(&mut self, wait: &mut Wait) -> Result<Reply> {
        let mut text: Vec<u8> = Vec::new();
        while text.len() < LONGEST_REPLY {
            let line = self.line(wait)?;
            let code = line.get(..3).filter(|code| code.iter().all(u8::is_ascii_digit));
            let code = code.and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
            if let Some(code) = code
                && line.get(3) != Some(&b'-')
                && (text.is_empty() || text.starts_with(&line[..3]))
            {
                text.extend(line);
                let told = self.told(&text);
                return Ok(Reply { code, text, told });
            }
            if code.is_none() && text.is_empty() {
                return Err(Error::NoFtp(self.told(&line)));
            }
            text.extend(line);
            text.push(b'\n');
        }
        Err(Error::EndlessReply)
    }

    /// What the server says, as people may see it.
    fn told(&self, text: &[u8]) -> String {
        // A line end is in no password: behind it, the last letters are not the beginning of one.
        let mut bytes = [text, b"\n"].concat();
        self.sent.clone().hide(&mut bytes);
        escape(&bytes[..text.len()])
    }

    fn line(&mut self, wait: &mut Wait) -> Result<Vec<u8>> {
        let mut buf = [0; 4096];
        loop {
            match self.lines.oldest() {
                Some(Line::Whole(line)) => return Ok(line),
                Some(Line::TooLong) => return Err(Error::LongLine),
                None if self.lines.too_long() => return Err(Error::EndlessLine),
                None => {}
            }
            match wait.recv(&self.control, &mut buf)? {
                0 => return Err(Error::Gone),
                n => self.lines.take(&buf[..n]),
            }
        }
    }

    /// Gives a command and waits for the reply. Names are bytes.
    pub fn ask(&mut self, verb: &str, argument: impl AsRef<[u8]>) -> Result<Reply> {
        let argument = argument.as_ref();
        if self.spent {
            // What it says next may be the answer to something else.
            return Err(Error::Gone);
        }
        let unsayable = |byte| matches!(byte, b'\n' | 0);
        if argument.iter().copied().any(unsayable) {
            return Err(Error::Unsayable);
        }
        if argument.contains(&IAC) && self.telnet.is_none() {
            // Half of the servers take Telnet's own byte as it comes, in which case it must not be sent twice.
            // Who reads Telnet passes over a data mark (RFC 854), and to the others this is no command.
            self.say(b"\xff\xf2NOOP\r\n")?;
            self.telnet = Some(self.reply()?.code / 100 == 2);
        }
        let mut line = verb.as_bytes().to_vec();
        if !argument.is_empty() {
            line.push(b' ');
        }
        for &byte in argument {
            line.push(byte);
            if byte == IAC && self.telnet == Some(true) {
                line.push(byte);
            }
        }
        line.extend(b"\r\n");
        match self.say(&line)? {
            Some(goodbye) => Ok(goodbye),
            None => self.reply(),
        }
    }

    /// Sends a line. A server that has gone may have said why.
    fn say(&mut self, line: &[u8]) -> Result<Option<Reply>> {
        let sent = sendall(&self.control, line);
        if let Err(error) = &sent {
            self.spent = true;
            // What is sent to a server that has closed fails; what it said before that can still be read.
            if matches!(error.errno(), Errno::EPIPE | Errno::ECONNRESET)
                && let Ok(goodbye) = self.reply()
            {
                return Ok(Some(goodbye));
            }
        }
        sent.map(|()| None).map_err(|error| match error.would_block() {
            true => Error::from(error).about(About::Command),
            false => error.into(),
        })
    }

    /// Whether FEAT lists this, in so many words (RFC 2389). Where there is no FEAT, nothing is listed.
    pub fn has(&mut self, feature: &str) -> Result<bool> {
        if self.features.is_none() {
            let reply = self.ask("FEAT", "")?;
            let text = String::from_utf8_lossy(&reply.text).to_ascii_uppercase();
            let list = text.lines().map(|line| line.trim_start_matches("211-").trim().to_owned());
            self.features = Some(if reply.code == 211 { list.collect() } else { vec![] });
        }
        Ok(self.features.iter().flatten().any(|line| line == feature))
    }

    /// Whether a transfer may begin in the middle.
    pub fn can_go_on(&mut self) -> Result<bool> {
        self.has("REST STREAM")
    }

    /// Asks where to, and connects: PASV's six numbers over IPv4, EPSV's port over IPv6, and where
    /// there is no PASV.
    fn data_connection(&mut self) -> Result<TcpStream> {
        let mut to = self.address;
        let refused = if to.is_ipv6() || self.extended {
            None
        } else {
            match self.pasv()? {
                Ok(port) => {
                    to.set_port(port);
                    return connect(to, self.timeout).about(|| About::DataConnection);
                }
                Err(refused) => Some(refused),
            }
        };
        let reply = self.ask("EPSV", "")?;
        let port = extended_port(&reply).map_err(|error| match refused {
            Some(refused) => error.about(About::NoPasv(Box::new(refused))),
            None => error,
        })?;
        self.extended = true;
        to.set_port(port);
        connect(to, self.timeout).about(|| About::DataConnection)
    }

    /// The port that PASV tells, or the reason why it tells none.
    fn pasv(&mut self) -> Result<Result<u16, Error>> {
        let reply = match self.ask("PASV", "")?.wanted(2) {
            Ok(reply) => reply,
            Err(refused) if self.spent => return Err(refused),
            Err(refused) => return Ok(Err(refused)),
        };
        let text = String::from_utf8_lossy(&reply.text);
        let Some((six, told)) = six_numbers_in(text.get(3..).unwrap_or_default()) else {
            return Ok(Err(Error::NoSixNumbers(reply.told)));
        };
        let [high, low] = told.to_be_bytes();
        let numbers = say!(
            Lang::current(),
            "{six}: an address of four bytes and a port of two: {high} x 256 + {low} = {told}",
            "{six}：四个字节的地址和两个字节的端口：{high} x 256 + {low} = {told}",
        );
        tracing::info!("{numbers}");
        Ok(Ok(told))
    }

    /// The command of a transfer, and the word that it begins.
    fn begin(&mut self, at: u64, verb: &str, path: &[u8]) -> Result<()> {
        if at > 0 {
            self.ask("REST", at.to_string())?.wanted(3)?;
        }
        self.ask(verb, path)?.wanted(1).map(drop)
    }

    /// A transfer from this byte of the file on: the data connection, the command, `work` with the bytes
    /// once the server has agreed, and the final word.
    ///
    /// # Errors
    /// It did not begin. What became of one that did is in the [`Transfer`].
    pub fn transfer<T>(
        &mut self,
        at: u64,
        verb: &str,
        path: &[u8],
        work: impl FnOnce(&TcpStream) -> Result<T>,
    ) -> Result<Transfer<T>> {
        let data = self.data_connection()?;
        let begun = self.begin(at, verb, path);
        let worked = begun.map(|()| work(&data));
        call::close(data)?;
        let worked = worked?;
        let last = match &worked {
            Ok(_) => self.reply(),
            // The server knows better why the data connection failed, unless it is silent there as well.
            Err(error) if error.call().is_some_and(|error| !error.would_block()) => self.reply(),
            Err(_) => self.last_word(),
        };
        Ok(Transfer { worked, last })
    }

    /// What a server says to a transfer that we have ended. If it says nothing, it is left.
    fn last_word(&mut self) -> Result<Reply> {
        let limit = self.timeout.map_or(LAST_WORD, |limit| limit.min(LAST_WORD));
        let usual = self.timeout;
        call::setsockopt(&self.control, SO_RCVTIMEO, limit)?;
        let reply = self.reply_within(Some(limit));
        if usual.is_none() {
            call::setsockopt(&self.control, SO_RCVTIMEO, Duration::ZERO)?;
        }
        reply
    }
}

/// How long a reply may still take.
struct Wait {
    /// What the socket waits for by itself, each time.
    usual: Option<Duration>,
    until: Option<Instant>,
    /// Nothing has been received yet that did not end the reply.
    fresh: bool,
}

impl Wait {
    fn recv(&mut self, control: &TcpStream, buf: &mut [u8]) -> Result<usize> {
        if let (false, Some(until)) = (self.fresh, self.until) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Late(self.usual));
            }
            // No time at all would mean for ever.
            call::setsockopt(control, SO_RCVTIMEO, left.max(Duration::from_millis(1)))?;
        }
        let received = call::recv(control, buf, 0);
        self.fresh = false;
        received.map_err(|error| match error.would_block() {
            true => Error::from(error).about(About::Reply(self.usual)),
            false => error.into(),
        })
    }
}

/// What became of a transfer that had begun.
#[derive(Debug)]
pub struct Transfer<T> {
    worked: Result<T>,
    last: Result<Reply>,
}

impl<T> Transfer<T> {
    /// What `work` made of it, if the server says that this was all: 226.
    ///
    /// # Errors
    /// Our own reason if we gave it up; otherwise the server's.
    pub fn whole(self) -> Result<T> {
        match (self.worked, self.last) {
            (Err(error), _) if error.call().is_none() => Err(error),
            (worked, Ok(last)) => last.wanted(2).and(worked),
            (Err(error), Err(_)) | (Ok(_), Err(error)) => Err(error),
        }
    }

    /// The same for a download. A server that closes the control connection right behind the last byte
    /// has sent everything, if the bytes are known to be all.
    ///
    /// # Errors
    /// As [`whole`](Transfer::whole).
    pub fn received(self, all: impl FnOnce(&T) -> bool) -> Result<T> {
        match self {
            Transfer { worked: Ok(made), last: Err(error) } if is_gone(&error) && all(&made) => {
                remark(Lang::current().pick(
                    "the server closed the connection without its final reply (226), but all bytes have arrived",
                    "服务器没有给出最后的答复 (226) 就关闭了连接，但所有字节都已到达",
                ));
                Ok(made)
            }
            other => other.whole(),
        }
    }
}

/// Six numbers, wherever they stand in this text (RFC 1123, 4.1.2.6), and the port that they mean.
///
/// ```
/// use netplay_ftp::six_numbers_in;
/// let found = six_numbers_in("227 Entering Passive Mode (127,0,0,1,156,64).");
/// assert_eq!(found, Some(("127,0,0,1,156,64".to_owned(), 40000)));
/// ```
#[must_use]
pub fn six_numbers_in(text: &str) -> Option<(String, u16)> {
    let digit_before = |at: usize| at > 0 && text.as_bytes()[at - 1].is_ascii_digit();
    let starts = text.char_indices().filter(|&(at, c)| c.is_ascii_digit() && !digit_before(at));
    starts.map(|(at, _)| &text[at..]).find_map(|text| {
        let fits = |c: char| c.is_ascii_digit() || matches!(c, ',' | ' ');
        let run = text.find(|c| !fits(c)).map_or(text, |end| &text[..end]);
        let parts: Vec<&str> = run.split(',').take(6).collect();
        let last = parts.last()?.trim_start().split(' ').next()?;
        let six = [&parts[..parts.len() - 1], &[last]].concat().join(",");
        let port = read_six_numbers(&six)?.port();
        Some((six, port))
    })
}

/// The port in the reply to EPSV.
fn extended_port(reply: &Reply) -> Result<u16> {
    if reply.code / 100 != 2 {
        return Err(Error::Refused(reply.told.clone()));
    }
    let port = extended_port_in(&String::from_utf8_lossy(&reply.text));
    port.ok_or_else(|| Error::NoPort(reply.told.clone()))
}

/// The port in `229 Entering Extended Passive Mode (|||PORT|)`; any character may stand for `|`.
///
/// ```
/// use netplay_ftp::extended_port_in;
/// assert_eq!(extended_port_in("229 Entering Extended Passive Mode (|||40000|)"), Some(40000));
/// ```
#[must_use]
pub fn extended_port_in(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once('(')?;
    let mark = rest.chars().next()?;
    let rest = rest.strip_prefix(&[mark; 3][..].iter().collect::<String>())?;
    rest.split_once(mark)?.0.parse().ok()
}

/// Receives to the end; how many bytes there were. More than `most` are too many.
pub fn receive(
    data: &TcpStream,
    most: Option<u64>,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<u64> {
    let mut buf = vec![0; 64 * 1024];
    let mut bytes = 0;
    while let n @ 1.. = call::recv(data, &mut buf, 0).map_err(stalled)? {
        bytes += n as u64;
        if most.is_some_and(|most| bytes > most) {
            return Err(Error::TooMuch);
        }
        take(&buf[..n])?;
    }
    Ok(bytes)
}

/// What a call on the data connection failed with.
pub fn stalled(error: CallError) -> Error {
    match error.would_block() {
        true => Error::from(error).about(About::Transfer),
        false => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_numbers_are_found_wherever_they_stand() {
        for (text, port) in [
            (" Entering Passive Mode (127,0,0,1,156,64)", Some(40000)),
            (" Entering Passive Mode (127,0,0,1,156,64).", Some(40000)),
            (" =127,0,0,1,156,64", Some(40000)),
            ("-127,0,0,1,156,64", Some(40000)),
            (" 127, 0, 0, 1, 156, 64 is it", Some(40000)),
            (" mode 2 (127,0,0,1,156,64) of 3", Some(40000)),
            (" 5,6 (127,0,0,1,156,64)", Some(40000)),
            (" (127,0,0,1,156)", None),
            (" (127,0,0,1,256,64)", None),
            (" none", None),
            ("", None),
        ] {
            assert_eq!(six_numbers_in(text).map(|(_, port)| port), port, "{text}");
        }
    }

    #[test]
    fn the_port_of_epsv_is_found_with_any_delimiter() {
        let port = |code, text: &str| {
            let (told, text) = (text.to_owned(), text.as_bytes().to_vec());
            extended_port(&Reply { code, text, told }).ok()
        };
        assert_eq!(port(229, "229 Extended (|||40000|)"), Some(40000));
        assert_eq!(port(229, "229 Extended (!!!40000!) x"), Some(40000));
        for text in ["229 none", "229 (", "229 (|||)", "229 (|||99999|)", "229 (||40000|)"] {
            assert_eq!(port(229, text), None, "{text}");
        }
        assert_eq!(port(500, "500 (|||40000|)"), None);
    }
}
