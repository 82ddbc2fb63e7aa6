//! The client: a menu, and what each line of it makes of the protocol.
//!
//! ```text
//! list             PASV, connect, LIST, recv until 0, "226"
//! download a       PASV, connect, RETR a, recv until 0, "226"
//! upload a         PASV, connect, STOR a, sendfile, close, "226"
//! verify a         download it again, and compare with the file here
//! ```
//!
//! The end of the data connection is not yet the end of the matter: only the server's 226 says that
//! the file was whole. So a download is written under another name first, and gets its own then.
//!
//! The server is a stranger, too: it says where to connect, but a data connection goes to the address
//! of the control connection, and only its port is taken from the reply.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::super::tcp_echo::sendall;
use super::data::read_six_numbers;
use super::telnet::{Line, Lines};
use super::{USER, password};
use crate::call::{self, Domain, SO_RCVTIMEO, SO_SNDTIMEO, Type};
use crate::client::{ClientArgs, Talk};
use crate::escape::escape;

const MENU: &str = "\
list [PATH]           what is there
download NAME [AS]    fetch a file
upload NAME [AS]      send a file
verify NAME           whether a file is the same here and there
cd PATH, pwd          go to a folder, tell which it is
mkdir PATH, rm NAME, rmdir PATH, rename OLD NEW
size NAME             its size in bytes
quit                  the end (as is an empty line)
Names with spaces go into double quotes";

/// Logs in, does what the lines say, says goodbye.
///
/// # Errors
/// The connection failed, or a line could not be done that nobody was there to see.
pub fn client(args: &ClientArgs) -> Result<()> {
    let address = args.endpoint.resolve()?;
    let control = connect(address, args.timeout)?;
    let mut server = Server { control, address, timeout: args.timeout, lines: Lines::default() };
    let worked = work(&mut server, args);
    call::close(server.control)?;
    worked
}

fn work(server: &mut Server, args: &ClientArgs) -> Result<()> {
    server.reply()?.wanted(2)?;
    let named = args.options.get("user");
    let password = match (password(&args.options)?, named) {
        (Some(password), _) => password,
        (None, None) => "netplay@".to_owned(), // the custom: an address, in the place of a password
        (None, Some(user)) => bail!("user {user} needs --password or --password-file"),
    };
    let has_password = args.options.has("password") || args.options.has("password-file");
    let user = named.unwrap_or(if has_password { USER } else { "anonymous" });
    if server.ask("USER", user)?.code / 100 == 3 {
        server.ask("PASS", &password)?.wanted(2)?;
    }
    server.ask("TYPE", "I")?.wanted(2)?;

    let mut talk = args.talk_about(MENU)?;
    while let Some(line) = talk.next_bytes()? {
        let line = String::from_utf8(line).context("the line is not UTF-8")?;
        let words = words(&line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if words == ["quit"] {
            break;
        }
        if let Err(error) = server.obey(&words, &talk) {
            if error.is::<call::CallError>() || error.is::<Gone>() {
                return Err(error);
            }
            talk.failed(error.context(escape(line.as_bytes())))?;
        }
    }
    server.ask("QUIT", "")?.wanted(2)?;
    Ok(())
}

/// The server, as the client sees it.
struct Server {
    control: TcpStream,
    address: SocketAddr,
    timeout: Option<Duration>,
    lines: Lines,
}

/// A reply: its number, and its text in one line.
struct Reply {
    code: u16,
    text: String,
}

/// The server has closed the control connection.
#[derive(Debug)]
struct Gone;

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the server has closed the connection")
    }
}

impl std::error::Error for Gone {}

impl Reply {
    /// The reply, if its first digit is this one.
    fn wanted(self, first: u16) -> Result<Reply> {
        ensure!(self.code / 100 == first, "the server says: {}", escape(self.text.as_bytes()));
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
                return Ok(Reply { code, text });
            }
            ensure!(code.is_some() || !text.is_empty(), "this is no FTP server: it says {line:?}");
            text += &line;
            text.push('\n');
        }
        bail!("the server's reply has no end")
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
    fn ask(&mut self, verb: &str, argument: &str) -> Result<Reply> {
        ensure!(!argument.contains(char::is_control), "a name has no control characters");
        let space = if argument.is_empty() { "" } else { " " };
        sendall(&self.control, format!("{verb}{space}{argument}\r\n").as_bytes())?;
        self.reply()
    }

    /// A line of the menu.
    fn obey(&mut self, words: &[&str], talk: &Talk) -> Result<()> {
        match *words {
            ["list" | "ls"] => self.list("", talk),
            ["list" | "ls", path] => self.list(path, talk),
            ["download" | "get", name] => self.download(name, last(name)?, talk),
            ["download" | "get", name, to] => self.download(name, last(to)?, talk),
            ["upload" | "put", name] => self.upload(name, last(name)?, talk),
            ["upload" | "put", name, to] => self.upload(name, to, talk),
            ["verify", name] => self.verify(name, talk),
            ["cd", path] => self.ask("CWD", path)?.wanted(2).map(drop),
            ["pwd"] => {
                let text = self.ask("PWD", "")?.wanted(2)?.text;
                let path = text.split_once('"').and_then(|(_, rest)| rest.rsplit_once('"'));
                say(talk, &path.map_or(text.clone(), |(path, _)| path.replace("\"\"", "\"")))
            }
            ["mkdir", path] => self.ask("MKD", path)?.wanted(2).map(drop),
            ["rmdir", path] => self.ask("RMD", path)?.wanted(2).map(drop),
            ["rm", name] => self.ask("DELE", name)?.wanted(2).map(drop),
            ["rename", old, new] => {
                self.ask("RNFR", old)?.wanted(3)?;
                self.ask("RNTO", new)?.wanted(2).map(drop)
            }
            ["size", name] => {
                let text = self.ask("SIZE", name)?.wanted(2)?.text;
                say(talk, text.get(4..).unwrap_or_default())
            }
            ["help"] => MENU.lines().try_for_each(|line| say(talk, line)),
            _ => bail!("this is not on the menu; say help"),
        }
    }

    /// Asks where to, and connects: PASV's six numbers over IPv4, EPSV's port over IPv6.
    fn data_connection(&mut self) -> Result<TcpStream> {
        let mut to = self.address;
        if to.is_ipv4() {
            let text = self.ask("PASV", "")?.wanted(2)?.text;
            // RFC 1123, 4.1.2.6: the numbers may stand anywhere in the text.
            let six = text[3..].trim_matches(|c: char| !c.is_ascii_digit());
            let told = read_six_numbers(six).with_context(|| {
                format!("these are not six numbers: {}", escape(text.as_bytes()))
            })?;
            let [high, low] = told.port().to_be_bytes();
            tracing::info!(
                "{six}: an address of four bytes, and a port of two: {high} x 256 + {low} = {}",
                told.port()
            );
            to.set_port(told.port());
        } else {
            let text = self.ask("EPSV", "")?.wanted(2)?.text;
            let port = text.split_once("(|||").and_then(|(_, rest)| rest.split_once('|'));
            let port = port.and_then(|(port, _)| port.parse().ok());
            to.set_port(port.with_context(|| {
                format!("there is no port in this: {}", escape(text.as_bytes()))
            })?);
        }
        connect(to, self.timeout)
    }

    /// A transfer: the data connection, the command, `work` with the bytes, and the final word.
    fn transfer<T>(
        &mut self,
        verb: &str,
        path: &str,
        work: impl FnOnce(&TcpStream) -> Result<T>,
    ) -> Result<T> {
        let data = self.data_connection()?;
        let begun = self.ask(verb, path).and_then(|reply| reply.wanted(1));
        let worked = begun.map(|_| work(&data));
        call::close(data)?;
        // The server knows better why the data connection failed.
        let worked = worked?;
        self.reply()?.wanted(2)?;
        worked
    }

    fn list(&mut self, path: &str, talk: &Talk) -> Result<()> {
        let listing = self.transfer("LIST", path, |data| {
            let mut listing = Vec::new();
            receive(data, |bytes| {
                listing.extend_from_slice(bytes);
                ensure!(listing.len() < 64 << 20, "the listing has no end");
                Ok(())
            })?;
            Ok(listing)
        })?;
        String::from_utf8_lossy(&listing).lines().try_for_each(|line| say(talk, line))
    }

    fn download(&mut self, name: &str, to: &str, talk: &Talk) -> Result<()> {
        let part = format!(".{to}.part");
        let mut file = File::create(&part).with_context(|| format!("cannot write to {part}"))?;
        let fetched =
            self.transfer("RETR", name, |data| receive(data, |bytes| Ok(file.write_all(bytes)?)));
        match fetched {
            Ok(bytes) => {
                fs::rename(&part, to)?;
                say(talk, &format!("{name}: {bytes} bytes downloaded"))
            }
            Err(error) => {
                fs::remove_file(&part)?;
                Err(error)
            }
        }
    }

    fn upload(&mut self, name: &str, to: &str, talk: &Talk) -> Result<()> {
        let file = open(name)?;
        let bytes = self.transfer("STOR", to, |data| {
            let mut at = 0;
            while call::sendfile(data, &file, &mut at, 1 << 20)? > 0 {}
            Ok(at)
        })?;
        say(talk, &format!("{name}: {bytes} bytes uploaded"))
    }

    fn verify(&mut self, name: &str, talk: &Talk) -> Result<()> {
        let mut file = open(last(name)?)?;
        let mut same = true;
        let mut here = Vec::new();
        let bytes = self.transfer("RETR", name, |data| {
            receive(data, |there| {
                here.resize(there.len(), 0);
                same &= file.read_exact(&mut here).is_ok() && here == there;
                Ok(())
            })
        })?;
        same &= file.read(&mut [0])? == 0;
        ensure!(same, "{name} is not the same here and there");
        say(talk, &format!("{name}: {bytes} bytes, the same here and there"))
    }
}

/// Receives to the end; how many bytes there were.
fn receive(data: &TcpStream, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<u64> {
    let mut buf = vec![0; 64 * 1024];
    let mut bytes = 0;
    while let n @ 1.. = call::recv(data, &mut buf, 0)? {
        take(&buf[..n])?;
        bytes += n as u64;
    }
    Ok(bytes)
}

/// A result; what the server said in it cannot steer a terminal, nor pass for a second line.
fn say(talk: &Talk, line: &str) -> Result<()> {
    talk.tell(&escape(line.as_bytes()))
}

fn open(path: &str) -> Result<File> {
    File::open(path).with_context(|| format!("cannot read {path}"))
}

/// The name at the end of a path: files here go into one folder.
fn last(path: &str) -> Result<&str> {
    match path.rsplit('/').next() {
        Some("" | "." | "..") | None => bail!("{path:?} is no name for a file"),
        Some(name) => Ok(name),
    }
}

/// The words of a line; double quotes keep a word with spaces together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted, mut open) = (Vec::new(), false, false);
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                if quoted && !open {
                    words.push(String::new());
                    open = true;
                }
            }
            ' ' if !quoted => open = false,
            c => {
                if !open {
                    words.push(String::new());
                    open = true;
                }
                if let Some(word) = words.last_mut() {
                    word.push(c);
                }
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_words_together() {
        assert_eq!(words(r#"upload  "a b" c"#), ["upload", "a b", "c"]);
        assert_eq!(words(r#"get x" "y """#), ["get", "x y", ""]);
        assert!(words("  ").is_empty());
    }
}
