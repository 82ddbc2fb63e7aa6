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

use std::fs::{self, File};
use std::io::{Read, Write};

use anyhow::{Context, Result, bail, ensure};

use super::remote::{Gone, Server, receive};
use super::{AN_ADDRESS, ANONYMOUS, USER, password, password_of};
use crate::call;
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
    let mut server = Server::connect(address, args.timeout)?;
    let worked = work(&mut server, args);
    server.close()?;
    worked
}

fn work(server: &mut Server, args: &ClientArgs) -> Result<()> {
    let named = args.options.get("user");
    let (user, password) = match named {
        Some(user) => (user, password_of(user, &args.options)?),
        None => match password(&args.options)? {
            Some(password) => (USER, password),
            None => (ANONYMOUS, AN_ADDRESS.to_owned()),
        },
    };
    server.log_in(user, &password)?;

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

impl Server {
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

/// A result; what the server said in it cannot steer a terminal, nor pass for a second line.
fn say(talk: &Talk, line: &str) -> Result<()> {
    talk.tell(&escape(line.as_bytes()))
}

fn open(path: &str) -> Result<File> {
    File::open(path).with_context(|| format!("cannot read {path}"))
}

/// The name at the end of a path: files here go into one folder.
pub fn last(path: &str) -> Result<&str> {
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
