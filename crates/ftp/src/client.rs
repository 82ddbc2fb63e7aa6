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
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use super::error::{About, Error, Result, Telling};
use super::get_put::size_untold;
use super::local::{self, Unfinished, path_of};
use super::names::{Open, Word, last, listed, quoted, split, words};
use super::remote::{Server, is_gone, receive, stalled};
use crate::login::{AN_ADDRESS, ANONYMOUS, Login, USER, password_of};
use netplay_call as call;
use netplay_shared::client::{ClientArgs, Talk};
use netplay_text::escape::{escape, escape_unsafe, hide_typed};
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_trace::progress::Progress;

const MENU: &str = r#"list [PATH]           list a folder
download NAME [AS]    download a file
upload NAME [AS]      upload a file
verify NAME           compare a file here with the one on the server
cd PATH, pwd          change the folder, show the folder
mkdir PATH, rm NAME, rmdir PATH, rename OLD NEW
size NAME             the size of a file, in bytes
quit                  end (an empty line ends as well)
A name with spaces is written in double quotes: "a b". In a name, \" is a quote, \\ a
backslash, \n a line end, \xff a byte. Names are shown in the form in which they can be typed"#;

const MENU_ZH: &str = r#"list [PATH]           列出目录
download NAME [AS]    下载文件
upload NAME [AS]      上传文件
verify NAME           比较本地和服务器上的同名文件
cd PATH, pwd          进入目录，显示当前目录
mkdir PATH, rm NAME, rmdir PATH, rename OLD NEW
size NAME             文件大小（字节）
quit                  结束（空行也会结束）
含空格的名字写在双引号里："a b"。名字中 \" 表示引号，\\ 表示反斜杠，
\n 表示换行，\xff 表示一个字节。名字显示的形式就是可以输入的形式"#;

fn menu() -> &'static str {
    Lang::current().pick(MENU, MENU_ZH)
}

/// Logs in, does what the lines say, says goodbye.
///
/// # Errors
/// The connection failed; or a line could not be done, and there is no prompt at which to tell that.
pub fn client(args: &ClientArgs, login: &Login) -> Result<()> {
    local::limits_are_errors();
    // At the prompt the server is asked by Tab, behind it by the line: never by both at once.
    let server = Rc::new(RefCell::new(Server::connect(&args.endpoint, args.timeout)?));
    let worked = work(&server, args, login);
    if let Some(server) = Rc::into_inner(server) {
        server.into_inner().close()?;
    }
    worked
}

fn work(server: &Rc<RefCell<Server>>, args: &ClientArgs, login: &Login) -> Result<()> {
    let (user, password) = match (&login.user, login.password()?) {
        (Some(user), given) => (user.as_str(), password_of(user, given)?),
        (None, Some(password)) => (USER, password),
        (None, None) => (ANONYMOUS, AN_ADDRESS.to_owned()),
    };
    server.borrow_mut().log_in(user.as_bytes(), password.as_bytes())?;

    let mut talk = args.talk_about(menu())?;
    let asked = Rc::clone(server);
    talk.on_tab(Box::new(move |line| complete(line, |path| asked.borrow_mut().names(path))));
    while let Some(line) = talk.next_bytes()? {
        let obeyed = words(&line).map_err(Error::from).and_then(|words| {
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            server.borrow_mut().obey(&words, &talk)
        });
        match obeyed {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if server.borrow().is_spent() => return Err(error),
            Err(error) => talk.failed(error.about(About::Job(as_typed(&line))))?,
        }
    }
    // Everything was done: whatever the server thinks of a goodbye.
    let _ = server.borrow_mut().ask("QUIT", "");
    Ok(())
}

impl Server {
    /// A line of the menu; whether there may be another.
    fn obey(&mut self, words: &[&[u8]], talk: &Talk) -> Result<bool> {
        if words.contains(&b"".as_slice()) {
            return Err(Error::EmptyName);
        }
        match *words {
            [b"quit"] => return Ok(false),
            [b"list" | b"ls"] => self.list(b"", talk)?,
            [b"list" | b"ls", path] => self.list(path, talk)?,
            [b"download" | b"get", name] => self.download(name, last(name)?, talk)?,
            [b"download" | b"get", name, to] => self.download(name, to, talk)?,
            [b"upload" | b"put", name] => self.upload(name, last(name)?, talk)?,
            [b"upload" | b"put", name, to] => self.upload(name, to, talk)?,
            [b"verify", name] => self.verify(name, talk)?,
            [b"cd", path] => drop(self.ask("CWD", path)?.wanted(2)?),
            [b"pwd"] => {
                let reply = self.ask("PWD", "")?.wanted(2)?;
                talk.tell(&folder_in(&reply.text).map_or(reply.told, |path| quoted(&path)))?;
            }
            [b"mkdir", path] => drop(self.ask("MKD", path)?.wanted(2)?),
            [b"rmdir", path] => drop(self.ask("RMD", path)?.wanted(2)?),
            [b"rm", name] => drop(self.ask("DELE", name)?.wanted(2)?),
            [b"rename", old, new] => {
                self.ask("RNFR", old)?.wanted(3)?;
                self.ask("RNTO", new)?.wanted(2)?;
            }
            [b"size", name] => {
                let reply = self.ask("SIZE", name)?;
                match self.told_size(&reply, name)? {
                    Some(size) => talk.tell(&size.to_string())?,
                    None => talk.tell(&escape(reply.wanted(2)?.rest().as_bytes()))?,
                }
            }
            [b"help"] => menu().lines().try_for_each(|line| talk.tell(line))?,
            _ => return Err(Error::NotOnTheMenu),
        }
        Ok(true)
    }

    /// What is in a folder there, folders with a `/` behind them: MLSD tells which they are. A name
    /// that leads elsewhere is not a file of this folder.
    fn names(&mut self, folder: &[u8]) -> Result<Vec<Vec<u8>>> {
        let told =
            Lang::current().pick("Tab: ask the server for its names", "Tab：向服务器询问文件名");
        tracing::info!("{told}");
        let here = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/');
        let Ok(text) = self.text("MLSD", folder) else {
            // A server from before RFC 3659; NLST may put the folder in front of each name.
            let text = self.text("NLST", folder)?;
            let names = lines(&text).filter_map(|line| line.rsplit(|&byte| byte == b'/').next());
            return Ok(names.filter(|name| here(name)).map(<[u8]>::to_vec).collect());
        };
        let name = |line: &[u8]| {
            let space = line.iter().position(|&byte| byte == b' ')?;
            let (facts, name) = (line[..space].to_ascii_lowercase(), &line[space + 1..]);
            let mut facts = facts.split(|&byte| byte == b';');
            match facts.find_map(|fact| fact.strip_prefix(b"type="))? {
                _ if !here(name) => None,
                b"dir" => Some([name, b"/"].concat()),
                b"file" => Some(name.to_vec()),
                _ => None,
            }
        };
        Ok(lines(&text).filter_map(name).collect())
    }

    fn list(&mut self, path: &[u8], talk: &Talk) -> Result<()> {
        Ok(lines(&self.text("LIST", path)?).try_for_each(|line| talk.tell(&listed(line)))?)
    }

    /// All that a data connection brings.
    fn text(&mut self, verb: &str, path: &[u8]) -> Result<Vec<u8>> {
        // To many servers, what begins with a dash is an option of ls.
        let path = if path.starts_with(b"-") { [b"./", path].concat() } else { path.to_vec() };
        let transfer = self.transfer(0, verb, &path, |data| {
            let mut text = Vec::new();
            receive(data, None, |bytes| {
                text.extend_from_slice(bytes);
                if text.len() < LONGEST_LISTING { Ok(()) } else { Err(Error::EndlessListing) }
            })?;
            Ok(text)
        })?;
        transfer.whole()
    }

    fn download(&mut self, name: &[u8], to: &[u8], talk: &Talk) -> Result<()> {
        let mut to = path_of(to);
        if to.is_dir() {
            to.push(path_of(last(name)?));
        }
        local::writable(&to)?;
        let size = self.size(name)?;
        let transfer = self.transfer(0, "RETR", name, |data| {
            // Only now, for the server may have refused.
            let mut unfinished = Unfinished::new(&to)?;
            let progress = Progress::begin(0, size);
            let n = receive(data, size, |bytes| {
                progress.moved(bytes.len());
                let written = unfinished.file().write_all(bytes);
                written.about(|| About::Write(to.clone()))
            })?;
            Ok((unfinished, n))
        })?;
        let (unfinished, bytes) = transfer.received(|&(_, n)| size == Some(n))?;
        if let Some(size) = size.filter(|&size| size != bytes) {
            return Err(Error::Came(bytes, size));
        }
        unfinished.finish(&to)?;
        let name = quoted(name);
        Ok(talk.tell(&say!(
            Lang::current(),
            "{name}: {bytes} bytes downloaded",
            "{name}：下载了 {bytes} 字节",
        ))?)
    }

    fn upload(&mut self, name: &[u8], to: &[u8], talk: &Talk) -> Result<()> {
        let file = local::open(&path_of(name))?;
        let size = file.metadata()?.len();
        let to = if to.ends_with(b"/") { &[to, last(name)?].concat() } else { to };
        let transfer = self.transfer(0, "STOR", to, |data| {
            let progress = Progress::begin(0, Some(size));
            let mut at = 0;
            while let n @ 1.. = call::sendfile(data, &file, &mut at, 1 << 20).map_err(stalled)? {
                progress.moved(n);
            }
            if at == size { Ok(()) } else { Err(Error::ChangedHere) }
        })?;
        transfer.whole()?;
        let unproven = match self.size(to) {
            Ok(Some(there)) if there != size => {
                return Err(Error::Sent(size, there));
            }
            Ok(Some(_)) => "",
            Err(error) if !is_gone(&error) => return Err(error),
            _ => size_untold(Lang::current()),
        };
        let name = quoted(name);
        Ok(talk.tell(&say!(
            Lang::current(),
            "{name}: {size} bytes uploaded{unproven}",
            "{name}：上传了 {size} 字节{unproven}",
        ))?)
    }

    fn verify(&mut self, name: &[u8], talk: &Talk) -> Result<()> {
        let mut file = local::open(&path_of(last(name)?))?;
        let mut same = true;
        let mut here = Vec::new();
        let size = file.metadata()?.len();
        let transfer = self.transfer(0, "RETR", name, |data| {
            let progress = Progress::begin(0, Some(size));
            receive(data, None, |there| {
                progress.moved(there.len());
                here.resize(there.len(), 0);
                same &= file.read_exact(&mut here).is_ok() && here == there;
                if same { Ok(()) } else { Err(Error::Different(name.to_owned())) }
            })
        })?;
        let bytes = transfer.received(|&n| n == size)?;
        if bytes != size {
            return Err(Error::Different(name.to_owned()));
        }
        let name = quoted(name);
        Ok(talk.tell(&say!(
            Lang::current(),
            "{name}: {bytes} bytes, the same here and there",
            "{name}：{bytes} 字节，本地与服务器上相同",
        ))?)
    }
}

/// A line in a message: as it was typed, so that it can be typed again.
fn as_typed(line: &[u8]) -> String {
    let line = hide_typed(line);
    match std::str::from_utf8(&line) {
        Ok(line) => escape_unsafe(line),
        Err(_) => escape(&line),
    }
}

/// A server that never ends a listing would fill the memory.
const LONGEST_LISTING: usize = 64 << 20;

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|&byte| byte == b'\n');
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).filter(|line| !line.is_empty())
}

/// The folder in a reply to PWD: `257 "a ""quoted"" name" is current`.
fn folder_in(reply: &[u8]) -> Option<Vec<u8>> {
    let start = reply.iter().position(|&byte| byte == b'"')? + 1;
    let mut folder = Vec::new();
    let mut rest = reply[start..].iter().copied().peekable();
    while let Some(byte) = rest.next() {
        // A quote of the name comes twice.
        if byte == b'"' && rest.next_if_eq(&b'"').is_none() {
            return Some(folder);
        }
        folder.push(byte);
    }
    None
}

/// What the word at the end of a line may become: a word of the menu, a name here for an upload,
/// a name there for the rest.
fn complete(line: &str, there: impl Fn(&[u8]) -> Result<Vec<Vec<u8>>>) -> (usize, Vec<String>) {
    let Ok((mut before, open)) = split(line.as_bytes()) else { return (line.len(), vec![]) };
    let nothing = || Word { start: line.len(), bytes: Vec::new() };
    let word = match open {
        Open::Nothing => nothing(),
        Open::Word | Open::Quote => before.pop().unwrap_or_else(nothing),
    };
    let slash = word.bytes.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    let (folder, typed) = word.bytes.split_at(slash);
    let found = match before.first().map(|verb| verb.bytes.as_slice()) {
        None => Ok(VERBS.iter().map(|verb| format!("{verb} ").into_bytes()).collect()),
        Some(b"upload" | b"put") if before.len() == 1 => names_here(folder),
        Some(_) => there(folder),
    };
    let whole = |name: Vec<u8>| {
        let path = [folder, &name].concat();
        if before.is_empty() {
            return String::from_utf8_lossy(&path).into_owned();
        }
        let mut text = quoted(&path);
        // There is more to type behind a folder, and the quote is still open.
        if path.ends_with(b"/") && text.ends_with('"') {
            text.pop();
        }
        text
    };
    // Tab is no command: what fails will be told when one needs it.
    let names = found.unwrap_or_default().into_iter().filter(|name| name.starts_with(typed));
    let mut names: Vec<String> = names.map(whole).collect();
    names.sort();
    (word.start, names)
}

const VERBS: &[&str] = &[
    "list", "download", "upload", "verify", "cd", "pwd", "mkdir", "rm", "rmdir", "rename", "size",
    "quit", "help",
];

fn names_here(folder: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path_of(if folder.is_empty() { b"." } else { folder }))? {
        let entry = entry?;
        let slash: &[u8] = if entry.path().is_dir() { b"/" } else { b"" };
        names.push([entry.file_name().as_bytes(), slash].concat());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tab_knows_which_names_fit() {
        let there = |folder: &[u8]| match folder {
            b"" => {
                let names: [&[u8]; 7] =
                    [b"poem.txt", b"a b", b"sub/", b"s p/", b"bad\x1b", b"q\"q", b"\xc4\xe3"];
                Ok(names.map(<[u8]>::to_vec).to_vec())
            }
            b"s p/" => Ok(vec![b"x".to_vec()]),
            _ => Err(Error::Gone),
        };
        for (line, start, names) in [
            ("do", 0, &["download "][..]),
            ("size p", 5, &["poem.txt"]),
            ("size  a", 6, &["\"a b\""]),
            ("size \"a", 5, &["\"a b\""]),
            ("cd s", 3, &["\"s p/", "sub/"]),
            ("size \"s p/", 5, &["\"s p/x\""]),
            ("rename \"a b\" po", 13, &["poem.txt"]),
            ("rm b", 3, &["\"bad\\x1b\""]),
            ("rm q", 3, &["\"q\\\"q\""]),
            ("rm \"q\\\"", 3, &["\"q\\\"q\""]),
            ("rm \\xc4", 3, &["\"\\xc4\\xe3\""]),
            ("rm \\x", 5, &[]),
            ("rm no/", 3, &[]),
        ] {
            let (at, found) = complete(line, there);
            let found: Vec<&str> = found.iter().map(String::as_str).collect();
            assert!(found == names && (names.is_empty() || at == start), "{line}: {at} {found:?}");
        }
    }

    #[test]
    fn a_folder_is_in_quotes_and_its_own_come_twice() {
        for (reply, folder) in [
            (&b"257 \"/a\" is \"current\""[..], Some(&b"/a"[..])),
            (b"257 \"/a\"\"b\" it is", Some(b"/a\"b")),
            (b"257 \"\"", Some(b"")),
            (b"257 \"/\xff\"", Some(b"/\xff")),
            (b"257 \"/a", None),
            (b"257 /a", None),
        ] {
            assert_eq!(folder_in(reply).as_deref(), folder);
        }
    }
}
