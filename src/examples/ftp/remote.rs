//! The server, as a client sees it: commands and their replies, and a data connection for a transfer.
//!
//! The server is a stranger: it says where to connect, but a data connection goes to the address of
//! the control connection, and only its port is taken from the reply.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::super::tcp_echo::sendall;
use super::data::read_six_numbers;
use super::telnet::{Echo, Line, Lines, Passwords};
use crate::address::Endpoint;
use crate::call::{self, Domain, SO_RCVTIMEO, SO_SNDTIMEO, TcpStream, Type};
use crate::escape::escape;

/// The server, as a client sees it.
pub struct Server {
    control: TcpStream,
    address: SocketAddr,
    timeout: Option<Duration>,
    lines: Lines,
    /// The password that was sent: a server may repeat it in a reply.
    sent: Echo,
}

/// A reply: its number, and its text in one line.
pub struct Reply {
    pub code: u16,
    pub text: String,
    /// The text as people may see it: without the password, and nothing in it steers a terminal.
    pub told: String,
}

/// The server has closed the control connection.
#[derive(Debug)]
pub struct Gone;

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the server has closed the connection")
    }
}

impl std::error::Error for Gone {}

impl Reply {
    /// The reply, if its first digit is this one.
    pub fn wanted(self, first: u16) -> Result<Reply> {
        ensure!(self.code / 100 == first, "the server says: {}", self.told);
        Ok(self)
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

impl Server {
    /// Connects; nothing has been said yet.
    /// At the first of the host's addresses at which somebody listens.
    pub fn connect(endpoint: &Endpoint, timeout: Option<Duration>) -> Result<Server> {
        let mut addresses = endpoint.resolve_all()?.into_iter().peekable();
        while let Some(address) = addresses.next() {
            match connect(address, timeout) {
                Err(_) if addresses.peek().is_some() => {}
                control => {
                    let control = control?;
                    call::hide(&control, Passwords::told());
                    let (lines, sent) = (Lines::default(), Echo::default());
                    return Ok(Server { control, address, timeout, lines, sent });
                }
            }
        }
        unreachable!("a host has one address at least, and the last one returns")
    }

    /// Hears the greeting, says who is there, and that files are bytes.
    pub fn log_in(&mut self, user: &str, password: &str) -> Result<()> {
        self.reply()?.wanted(2)?;
        if self.ask("USER", user)?.code / 100 == 3 {
            self.sent = Echo::of(password.as_bytes());
            self.ask("PASS", password)?.wanted(2)?;
        }
        self.ask("TYPE", "I")?.wanted(2).map(drop)
    }

    pub fn close(self) -> Result<()> {
        Ok(call::close(self.control)?)
    }

    /// The next reply, all of its lines: the last has the number of the first, and a space.
    fn reply(&mut self) -> Result<Reply> {
        let mut text = String::new();
        for _ in 0..1000 {
            let line = self.line()?;
            let code = line.get(..3).and_then(|code| code.parse().ok());
            if let Some(code) = code
                && line.as_bytes().get(3) != Some(&b'-')
                && (text.is_empty() || text.starts_with(&line[..3]))
            {
                text += &line;
                let told = self.told(&text);
                return Ok(Reply { code, text, told });
            }
            let told = || self.told(&line);
            ensure!(
                code.is_some() || !text.is_empty(),
                "this is no FTP server: it says {}",
                told()
            );
            text += &line;
            text.push('\n');
        }
        bail!("the server's reply has no end")
    }

    /// What the server says, as people may see it.
    fn told(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.sent.clone().hide(&mut bytes);
        escape(&bytes)
    }

    fn line(&mut self) -> Result<String> {
        let mut buf = [0; 4096];
        loop {
            match self.lines.oldest() {
                Some(Line::Whole(line)) => return Ok(String::from_utf8_lossy(&line).into_owned()),
                Some(Line::TooLong) => bail!("a line of the server is too long"),
                None => {}
            }
            match call::recv(&self.control, &mut buf, 0)? {
                0 => return Err(Gone.into()),
                n => self.lines.take(&buf[..n]),
            }
        }
    }

    /// Gives a command and waits for the reply.
    pub fn ask(&mut self, verb: &str, argument: &str) -> Result<Reply> {
        ensure!(!argument.contains(char::is_control), "a name has no control characters");
        let space = if argument.is_empty() { "" } else { " " };
        sendall(&self.control, format!("{verb}{space}{argument}\r\n").as_bytes())?;
        self.reply()
    }

    /// The size of a file in bytes; `None`: the server does not tell.
    pub fn size(&mut self, path: &str) -> Result<Option<u64>> {
        let reply = self.ask("SIZE", path)?;
        let number = reply.text.get(4..).filter(|_| reply.code == 213);
        Ok(number.and_then(|number| number.trim().parse().ok()))
    }

    /// Asks where to, and connects: PASV's six numbers over IPv4, EPSV's port over IPv6.
    fn data_connection(&mut self) -> Result<TcpStream> {
        let mut to = self.address;
        if to.is_ipv4() {
            let Reply { text, told: reply, .. } = self.ask("PASV", "")?.wanted(2)?;
            // RFC 1123, 4.1.2.6: the numbers may stand anywhere in the text.
            let six = text[3..].trim_matches(|c: char| !c.is_ascii_digit());
            let told = read_six_numbers(six)
                .with_context(|| format!("these are not six numbers: {reply}"))?;
            let [high, low] = told.port().to_be_bytes();
            tracing::info!(
                "{six}: an address of four bytes, and a port of two: {high} x 256 + {low} = {}",
                told.port()
            );
            to.set_port(told.port());
        } else {
            let Reply { text, told, .. } = self.ask("EPSV", "")?.wanted(2)?;
            let port = text.split_once("(|||").and_then(|(_, rest)| rest.split_once('|'));
            let port = port.and_then(|(port, _)| port.parse().ok());
            to.set_port(port.with_context(|| format!("there is no port in this: {told}"))?);
        }
        connect(to, self.timeout)
    }

    /// The command of a transfer, and the word that it begins.
    fn begin(&mut self, at: u64, verb: &str, path: &str) -> Result<()> {
        let verb = match (at, verb) {
            (0, _) => verb,
            _ if self.ask("REST", &at.to_string())?.code / 100 == 3 => verb,
            // An upload that goes on at the end has a verb of its own.
            (_, "STOR") => "APPE",
            _ => bail!("this server always begins with the first byte"),
        };
        self.ask(verb, path)?.wanted(1).map(drop)
    }

    /// A transfer: the data connection, the command, `work` with the bytes, and the final word.
    pub fn transfer<T>(
        &mut self,
        verb: &str,
        path: &str,
        work: impl FnOnce(&TcpStream) -> Result<T>,
    ) -> Result<T> {
        let (worked, last) = self.transfer_from(0, verb, path, work)?;
        // The server knows better why the data connection failed.
        last.wanted(2)?;
        worked
    }

    /// A transfer from this byte of the file on: what became of the work, and the final word.
    pub fn transfer_from<T>(
        &mut self,
        at: u64,
        verb: &str,
        path: &str,
        work: impl FnOnce(&TcpStream) -> Result<T>,
    ) -> Result<(Result<T>, Reply)> {
        let data = self.data_connection()?;
        let worked = self.begin(at, verb, path).map(|()| work(&data));
        call::close(data)?;
        Ok((worked?, self.reply()?))
    }
}

/// Receives to the end; how many bytes there were.
pub fn receive(data: &TcpStream, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<u64> {
    let mut buf = vec![0; 64 * 1024];
    let mut bytes = 0;
    while let n @ 1.. = call::recv(data, &mut buf, 0)? {
        take(&buf[..n])?;
        bytes += n as u64;
    }
    Ok(bytes)
}
