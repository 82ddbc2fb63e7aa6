//! The client: a menu, and what each line of it makes of the protocol.
//!
//! ```text
//! list             PASV, connect, LIST, recv until 0, "226"
//! download a       SIZE a, PASV, connect, RETR a, recv until 0, "226"
//! upload a         PASV, connect, STOR a, sendfile, close, "226"
//! verify a         download it again, and compare with the file here
//! ```
//!
//! The end of the data connection is not yet the end of the matter: only the server's 226 says that
//! the file was whole. So a download is written under another name first, and gets its own then.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};

use super::remote::{Gone, Server, receive};
use super::{AN_ADDRESS, ANONYMOUS, USER, password, password_of};
use crate::call;
use crate::client::{ClientArgs, Talk};
use crate::escape::{escape, hide_typed};
use crate::trace::progress::Progress;

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
    // At the prompt the server is asked by Tab, behind it by the line: never by both at once.
    let server = Rc::new(RefCell::new(Server::connect(&args.endpoint, args.timeout)?));
    let worked = work(&server, args);
    if let Some(server) = Rc::into_inner(server) {
        server.into_inner().close()?;
    }
    worked
}

fn work(server: &Rc<RefCell<Server>>, args: &ClientArgs) -> Result<()> {
    let named = args.options.get("user");
    let (user, password) = match named {
        Some(user) => (user, password_of(user, &args.options)?),
        None => match password(&args.options)? {
            Some(password) => (USER, password),
            None => (ANONYMOUS, AN_ADDRESS.to_owned()),
        },
    };
    server.borrow_mut().log_in(user, &password)?;

    let mut talk = args.talk_about(MENU)?;
    let asked = Rc::clone(server);
    talk.on_tab(Box::new(move |line| complete(line, |path| asked.borrow_mut().names(path))));
    while let Some(line) = talk.next_bytes()? {
        let line = String::from_utf8(line).context("the line is not UTF-8")?;
        let words = words(&line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if words == ["quit"] {
            break;
        }
        if let Err(error) = server.borrow_mut().obey(&words, &talk) {
            if error.is::<call::CallError>() || error.is::<Gone>() {
                return Err(error);
            }
            talk.failed(error.context(escape(&hide_typed(line.as_bytes()))))?;
        }
    }
    server.borrow_mut().ask("QUIT", "")?.wanted(2)?;
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

    /// What is in a folder there, folders with a `/` behind them: MLSD tells which they are.
    fn names(&mut self, folder: &str) -> Result<Vec<String>> {
        tracing::info!("Tab: what is there?");
        let Ok(text) = self.text("MLSD", folder) else {
            // A server from before RFC 3659; NLST may put the folder in front of each name.
            let text = self.text("NLST", folder)?;
            return Ok(text
                .lines()
                .filter_map(|line| Some(line.rsplit('/').next()?.into()))
                .collect());
        };
        let name = |line: &str| {
            let (facts, name) = line.split_once(' ')?;
            let facts = facts.to_ascii_lowercase();
            match facts.split(';').find_map(|fact| fact.strip_prefix("type="))? {
                "dir" => Some(format!("{name}/")),
                "file" => Some(name.to_owned()),
                _ => None,
            }
        };
        Ok(text.lines().filter_map(name).collect())
    }

    fn list(&mut self, path: &str, talk: &Talk) -> Result<()> {
        self.text("LIST", path)?.lines().try_for_each(|line| say(talk, line))
    }

    /// All that a data connection brings, as text.
    fn text(&mut self, verb: &str, path: &str) -> Result<String> {
        let text = self.transfer(verb, path, |data| {
            let mut text = Vec::new();
            receive(data, |bytes| {
                text.extend_from_slice(bytes);
                ensure!(text.len() < 64 << 20, "the listing has no end");
                Ok(())
            })?;
            Ok(text)
        })?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn download(&mut self, name: &str, to: &str, talk: &Talk) -> Result<()> {
        let part = format!(".{to}.part");
        let mut file = File::create(&part).with_context(|| format!("cannot write to {part}"))?;
        let size = self.size(name)?; // nobody needs it but whoever looks on
        let fetched = self.transfer("RETR", name, |data| {
            let progress = Progress::begin(0, size);
            receive(data, |bytes| {
                progress.moved(bytes.len());
                Ok(file.write_all(bytes)?)
            })
        });
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
        let size = file.metadata()?.len();
        let bytes = self.transfer("STOR", to, |data| {
            let progress = Progress::begin(0, Some(size));
            let mut at = 0;
            while let n @ 1.. = call::sendfile(data, &file, &mut at, 1 << 20)? {
                progress.moved(n);
            }
            Ok(at)
        })?;
        say(talk, &format!("{name}: {bytes} bytes uploaded"))
    }

    fn verify(&mut self, name: &str, talk: &Talk) -> Result<()> {
        let mut file = open(last(name)?)?;
        let mut same = true;
        let mut here = Vec::new();
        let size = file.metadata()?.len();
        let bytes = self.transfer("RETR", name, |data| {
            let progress = Progress::begin(0, Some(size));
            receive(data, |there| {
                progress.moved(there.len());
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

/// What the word at the end of a line may become: a word of the menu, a name here for an upload,
/// a name there for the rest.
fn complete(line: &str, there: impl Fn(&str) -> Result<Vec<String>>) -> (usize, Vec<String>) {
    // An odd number of quotes: the last one is open, and the word is what is behind it.
    let start = match line.matches('"').count() % 2 {
        1 => line.rfind('"'),
        _ => line.rfind(' ').map(|space| space + 1),
    };
    let start = start.unwrap_or(0);
    let word = line[start..].trim_start_matches('"');
    let before = words(&line[..start]);
    let (folder, typed) = word.split_at(word.rfind('/').map_or(0, |slash| slash + 1));
    let found = match before.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(VERBS.iter().map(|verb| format!("{verb} ")).collect()),
        ["upload" | "put"] => names_here(folder),
        _ => there(folder),
    };
    // What cannot be shown as it is cannot be typed either.
    let safe = |name: &String| name.starts_with(typed) && escape(name.as_bytes()) == *name;
    let whole = |name: String| match (before.is_empty(), format!("{folder}{name}")) {
        (false, path) if path.contains(' ') && path.ends_with('/') => format!("\"{path}"),
        (false, path) if path.contains(' ') => format!("\"{path}\""),
        (_, path) => path,
    };
    // Tab is no command: what fails will be told when one needs it.
    let mut names: Vec<String> =
        found.unwrap_or_default().into_iter().filter(safe).map(whole).collect();
    names.sort();
    (start, names)
}

const VERBS: &[&str] = &[
    "list", "download", "upload", "verify", "cd", "pwd", "mkdir", "rm", "rmdir", "rename", "size",
    "quit", "help",
];

fn names_here(folder: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(if folder.is_empty() { "." } else { folder })? {
        let entry = entry?;
        let slash = if entry.path().is_dir() { "/" } else { "" };
        names.extend(entry.file_name().to_str().map(|name| format!("{name}{slash}")));
    }
    Ok(names)
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
    fn tab_knows_which_names_fit() {
        let there = |folder: &str| match folder {
            "" => Ok(["poem.txt", "a b", "sub/", "s p/", "bad\n"].map(String::from).to_vec()),
            "s p/" => Ok(vec!["x".to_owned()]),
            _ => bail!("no"),
        };
        for (line, start, names) in [
            ("do", 0, &["download "][..]),
            ("size p", 5, &["poem.txt"]),
            ("size  a", 6, &["\"a b\""]),
            ("size \"a", 5, &["\"a b\""]),
            ("cd s", 3, &["\"s p/", "sub/"]),
            ("size \"s p/", 5, &["\"s p/x\""]),
            ("rename \"a b\" po", 13, &["poem.txt"]),
            ("rm b", 3, &[]),
            ("rm no/", 3, &[]),
        ] {
            let (at, found) = complete(line, there);
            assert_eq!((at, found.iter().map(String::as_str).collect()), (start, names.to_vec()));
        }
    }

    #[test]
    fn quotes_keep_words_together() {
        assert_eq!(words(r#"upload  "a b" c"#), ["upload", "a b", "c"]);
        assert_eq!(words(r#"get x" "y """#), ["get", "x y", ""]);
        assert!(words("  ").is_empty());
    }
}
