//! The session: one client, from the greeting to the goodbye.
//!
//! ```text
//! 220 …            hello
//! USER, PASS       331, 230                    nothing else before that opens a file or a port
//! PASV, RETR       227, 150, … bytes …, 226    a transfer: its connection, its beginning, its end
//! QUIT             221
//! ```
//!
//! A reply is a number of three digits and a text. The number is for programs: 1 it begins, 2 it is
//! done, 3 go on, 4 not now, 5 not at all. The text is for people; nothing of what the client said
//! comes back in it but the name of a file or folder, in which there is no line end.
//!
//! `VERBS` has everything that a client can say, with what it takes to be allowed to. What the verbs
//! of the data connection do is in `session/way.rs`, what those of files do
//! in `session/files.rs`.

mod way;
mod files;
mod told;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use constant_time_eq::constant_time_eq;
use nix::errno::Errno;

use self::told::{Told, without_options};
use super::data::Way;
use super::guesses::Guesses;
use super::guests::Guest;
use super::listing::{FACTS, Format};
use super::root::{self, Path, Root};
use super::telnet::{Control, Heard, Line};
use netplay_call::stop::Stop;
use netplay_call::{Result, TcpStream, strerror};
use netplay_shared::server::Stats;
use netplay_text::lang::Lang;
use netplay_text::say;

/// What is allowed, to whom, and for how long.
#[derive(Debug)]
pub struct Rules {
    /// What is served.
    pub root: Root,
    /// Who may log in with the password.
    pub user: String,
    /// The password; `None`: only anonymous may log in.
    pub password: Option<String>,
    /// The wrong ones so far, and the hosts that they came from.
    pub guesses: Guesses,
    /// Whether anonymous may log in, to read.
    pub anonymous: bool,
    /// Whether every change is refused.
    pub read_only: bool,
    /// How long a client may say nothing.
    pub idle: Duration,
    /// How long a transfer may stand still.
    pub stall: Duration,
    /// How long to wait for a data connection.
    pub data_wait: Duration,
    /// The ports of passive data connections; `None`: any.
    pub ports: Option<(u16, u16)>,
}

/// A command, and who may give it.
struct Verb {
    name: &'static str,
    needs: Needs,
    argument: Argument,
    run: fn(&mut Session<'_>, &[u8]) -> Result<()>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Needs {
    Nothing,
    Login,
    /// A login that may change things.
    Write,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Argument {
    None,
    May,
    Must,
}

const fn verb(
    name: &'static str,
    needs: Needs,
    argument: Argument,
    run: fn(&mut Session<'_>, &[u8]) -> Result<()>,
) -> Verb {
    Verb { name, needs, argument, run }
}

use Argument::{May, Must};
use Needs::{Login, Nothing, Write};

/// Everything that a client can say.
#[rustfmt::skip]
static VERBS: &[Verb] = &[
    // Who, and goodbye.
    verb("USER", Nothing, Must, |s, text| s.user(text)),
    verb("PASS", Nothing, May, |s, text| s.pass(text)),
    verb("ACCT", Nothing, May, |s, _| s.reply(202, "Accounts are not used here.")),
    verb("REIN", Nothing, Argument::None, |s, _| s.rein()),
    verb("QUIT", Nothing, Argument::None, |s, _| s.quit()),
    // Questions.
    verb("NOOP", Nothing, May, |s, _| s.reply(200, "Done: nothing.")),
    verb("SYST", Nothing, Argument::None, |s, _| s.reply(215, "UNIX Type: L8")),
    verb("FEAT", Nothing, Argument::None, |s, _| s.feat()),
    verb("OPTS", Nothing, Must, |s, text| s.opts(&words(text))),
    verb("HELP", Nothing, May, |s, _| s.help()),
    verb("SITE", Login, Must, |s, text| s.site(&words(text))),
    verb("STAT", Login, May, |s, text| s.stat(text)),
    // Where.
    verb("PWD", Login, Argument::None, |s, _| s.pwd()),
    verb("XPWD", Login, Argument::None, |s, _| s.pwd()),
    verb("CWD", Login, Must, |s, text| s.cwd(text)),
    verb("XCWD", Login, Must, |s, text| s.cwd(text)),
    verb("CDUP", Login, Argument::None, |s, _| s.cwd(b"..")),
    verb("XCUP", Login, Argument::None, |s, _| s.cwd(b"..")),
    // How.
    verb("TYPE", Login, Must, |s, text| s.type_(&words(text))),
    verb("MODE", Login, Must, |s, text| s.mode(&words(text))),
    verb("STRU", Login, Must, |s, text| s.stru(&words(text))),
    verb("ALLO", Login, Must, |s, _| s.reply(202, "Space needs no asking for.")),
    verb("REST", Login, Must, |s, text| s.rest(&words(text))),
    // The data connection.
    verb("PASV", Login, Argument::None, |s, _| s.pasv()),
    verb("EPSV", Login, May, |s, text| s.epsv(&words(text))),
    verb("PORT", Login, Must, |s, text| s.port(&words(text))),
    verb("EPRT", Login, Must, |s, text| s.eprt(&words(text))),
    verb("ABOR", Login, Argument::None, |s, _| s.abor()),
    // Listings.
    verb("LIST", Login, May, |s, path| s.list(path, false)),
    verb("NLST", Login, May, |s, path| s.list(path, true)),
    verb("MLSD", Login, May, |s, text| s.mlsd(text)),
    verb("MLST", Login, May, |s, text| s.mlst(text)),
    verb("SIZE", Login, Must, |s, text| s.size(text)),
    verb("MDTM", Login, Must, |s, text| s.mdtm(text)),
    // Files.
    verb("RETR", Login, Must, |s, text| s.retr(text)),
    verb("STOR", Write, Must, |s, path| s.stor(path, Store::Replace)),
    verb("APPE", Write, Must, |s, path| s.stor(path, Store::Append)),
    verb("STOU", Write, May, |s, _| s.stor(b"", Store::Unique)),
    verb("DELE", Write, Must, |s, text| s.dele(text)),
    verb("RNFR", Write, Must, |s, text| s.rnfr(text)),
    verb("RNTO", Write, Must, |s, text| s.rnto(text)),
    verb("MKD", Write, Must, |s, text| s.mkd(text)),
    verb("XMKD", Write, Must, |s, text| s.mkd(text)),
    verb("RMD", Write, Must, |s, text| s.rmd(text)),
    verb("XRMD", Write, Must, |s, text| s.rmd(text)),
    verb("MFMT", Write, Must, |s, text| s.mfmt(text)),
    // Refused in so many words: RFC 2228 asks for encryption, RFC 959 for disks to be mounted.
    verb("AUTH", Nothing, May, |s, _| s.reply(502, "There is no encryption here.")),
    verb("ADAT", Nothing, May, |s, _| s.reply(503, "There was no AUTH.")),
    verb("PBSZ", Nothing, May, |s, _| s.reply(503, "There was no AUTH.")),
    verb("PROT", Nothing, May, |s, _| s.reply(503, "There was no AUTH.")),
    verb("CCC", Nothing, May, |s, _| s.reply(533, "Nothing is protected here.")),
    verb("MIC", Nothing, May, |s, _| s.reply(503, "There was no AUTH.")),
    verb("CONF", Nothing, May, |s, _| s.reply(503, "There was no AUTH.")),
    verb("ENC", Nothing, May, |s, _| s.reply(503, "There was no AUTH.")),
    verb("SMNT", Login, May, |s, _| s.reply(502, "There is one disk.")),
];

/// What ends a REST: the transfer that it is for, or what makes sure that there is none. Whatever else is
/// said in between leaves it, even a listing, as with other servers: RFC 959 wants the transfer right behind
/// it, and RFC 3659 (5.3) lets a server choose what becomes of it otherwise; to keep it is one of the choices.
const ENDS_REST: [&str; 7] = ["RETR", "STOR", "APPE", "STOU", "ABOR", "REIN", "USER"];

/// Wrong passwords that a connection may try.
const TRIES: u32 = 3;

/// What an upload is to become.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Store {
    Replace,
    Append,
    Unique,
}

/// How a login stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Access {
    None,
    Read,
    Write,
}

struct Session<'a> {
    control: Control<'a>,
    client: SocketAddr,
    /// Its place.
    guest: Guest<'a>,
    rules: &'a Rules,
    stats: Stats,
    over: bool,

    /// The name of the last USER.
    user: Option<Vec<u8>>,
    access: Access,
    failures: u32,
    here: Path,
    /// TYPE A: files are text.
    text: bool,
    /// REST: where the next transfer begins.
    offset: u64,
    rename: Option<Path>,
    facts: [bool; FACTS.len()],
    way: Option<Way>,
    /// EPSV ALL: no other way is asked for any more.
    epsv_only: bool,
}

/// A line as a command: its verb, and what stands behind the first space. `None`: it has a byte in it that no
/// command may have.
///
/// ```
/// use netplay_ftp::session::command;
/// assert_eq!(command(b"RETR a b"), Some((&b"RETR"[..], &b"a b"[..])));
/// assert_eq!(command(b"RETR a\rb"), None);
/// ```
#[must_use]
pub fn command(line: &[u8]) -> Option<(&[u8], &[u8])> {
    if line.iter().any(|byte| matches!(byte, b'\r' | 0)) {
        return None;
    }
    let space = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    Some((&line[..space], line.get(space + 1..).unwrap_or_default()))
}

/// Talks with one client until it goes, is silent for too long, or the server stops.
///
/// # Errors
/// The control connection failed.
pub fn converse(
    stream: &TcpStream,
    client: SocketAddr,
    guest: Guest<'_>,
    rules: &Rules,
    stop: &Stop,
    stats: &mut Stats,
) -> Result<()> {
    let mut session = Session {
        control: Control::new(stream, stop, rules.stall)?,
        client,
        guest,
        rules,
        stats: Stats::default(),
        over: false,
        user: None,
        access: Access::None,
        failures: 0,
        here: Path::default(),
        text: true,
        offset: 0,
        rename: None,
        facts: [true; FACTS.len()],
        way: None,
        epsv_only: false,
    };
    let talked = session.talk();
    if let Some(way) = session.way.take() {
        way.close();
    }
    stats.add(session.stats);
    talked?;
    // The client may have gone without waiting for our end.
    let _ = session.control.finish();
    Ok(())
}

impl Session<'_> {
    fn talk(&mut self) -> Result<()> {
        self.reply(220, "netplay ftp: who are you?")?;
        while !self.over {
            match self.control.hear(self.rules.idle)? {
                Heard::Line(Line::Whole(line)) => self.obey(&line)?,
                Heard::Line(Line::TooLong) => self.reply(500, "The line is too long.")?,
                Heard::End => break,
                Heard::Silence => {
                    self.reply(421, "You said nothing for too long.")?;
                    netplay_shared::server::idle(self.client);
                    break;
                }
            }
        }
        Ok(())
    }

    /// One command: who may give it, and does it make sense?
    fn obey(&mut self, line: &[u8]) -> Result<()> {
        let Some((name, argument)) = command(line) else {
            return self.reply(501, "A command has no carriage return in it, and no NUL.");
        };
        let is = |verb: &&Verb| verb.name.as_bytes().eq_ignore_ascii_case(name);
        let Some(verb) = VERBS.iter().find(is) else {
            return self.reply(500, "There is no such command.");
        };
        if verb.needs > Nothing && self.access == Access::None {
            return self.reply(530, "Log in first.");
        }
        if verb.needs == Write && self.access < Access::Write {
            return self.reply(550, "Nothing can be changed here.");
        }
        if verb.argument == Must && argument.is_empty() {
            return self.reply(501, "The command needs something to act on.");
        }
        if verb.argument == Argument::None && !argument.trim_ascii().is_empty() {
            return self.reply(501, "The command stands alone.");
        }
        let rename = self.rename.take();
        if verb.name == "RNTO" {
            self.rename = rename; // a rename is two commands, one right behind the other
        }
        let done = (verb.run)(self, argument);
        if ENDS_REST.contains(&verb.name) {
            self.offset = 0;
        }
        done
    }

    fn reply(&mut self, code: u16, text: impl AsRef<[u8]>) -> Result<()> {
        let line = [format!("{code} ").as_bytes(), text.as_ref()].concat();
        self.control.reply(&[line])
    }

    /// `211-first`, the lines, `211 last`.
    fn reply_lines(
        &mut self,
        code: u16,
        first: &str,
        lines: &[impl AsRef<[u8]>],
        last: &str,
    ) -> Result<()> {
        let mut all = vec![format!("{code}-{first}").into_bytes()];
        // A space, so that no line of them can look like the last.
        all.extend(lines.iter().map(|line| [b" ", line.as_ref()].concat()));
        all.push(format!("{code} {last}").into_bytes());
        self.control.reply(&all)
    }

    /// Why something cannot be done with a file.
    fn refuse(&mut self, errno: Errno) -> Result<()> {
        let (code, why) = reason(errno);
        self.reply(code, why)
    }

    /// Answers with `code` and `text`, or with why not.
    fn done(&mut self, result: root::Result<()>, code: u16, text: impl AsRef<[u8]>) -> Result<()> {
        match result {
            Ok(()) => self.reply(code, text),
            Err(errno) => self.refuse(errno),
        }
    }

    // ---- who

    /// Known or not: the answer is the same.
    fn user(&mut self, name: &[u8]) -> Result<()> {
        self.access = Access::None;
        self.user = Some(name.to_owned());
        self.reply(331, "And the password?")
    }

    fn pass(&mut self, password: &[u8]) -> Result<()> {
        let Some(user) = self.user.take() else {
            return self.reply(503, "Say USER first.");
        };
        // A user of this name that has a password must give it, like any other user with one.
        let anonymous = self.rules.anonymous
            && [&b"anonymous"[..], b"ftp"].iter().any(|name| user.eq_ignore_ascii_case(name))
            && user != self.rules.user.as_bytes();
        if anonymous {
            return self.welcome(Access::Read); // no password is asked for, so none is guessed
        }
        if let Some(turn) = self.rules.guesses.turn(self.client.ip(), Instant::now()) {
            self.guest.asks();
            self.control.pause(turn.wait(Instant::now()))?;
            if self.control.is_gone() {
                self.over = true; // and learns nothing of its password
                return Ok(());
            }
        }
        let known = self.rules.password.as_ref().is_some_and(|right| {
            // Both are always compared: the time it takes tells nothing.
            constant_time_eq(self.rules.user.as_bytes(), &user)
                & constant_time_eq(right.as_bytes(), password)
        });
        if known {
            return self.welcome(if self.rules.read_only { Access::Read } else { Access::Write });
        }
        self.failures += 1;
        let client = self.client;
        let told = say!(
            Lang::current(),
            "client {client}: wrong name or password",
            "客户端 {client}：用户名或密码错误",
        );
        tracing::info!("{told}");
        // Guessing takes time: the more, the longer.
        let wait = self.rules.guesses.wrong(self.client.ip(), Instant::now());
        self.guest.is_refused();
        self.control.pause(wait)?;
        if self.control.is_gone() {
            self.over = true;
            return Ok(());
        }
        self.guest.may_talk();
        self.over = self.failures == TRIES;
        match self.over {
            true => self.reply(421, "That was wrong once too often."),
            false => self.reply(530, "The name or the password is wrong."),
        }
    }

    fn welcome(&mut self, access: Access) -> Result<()> {
        if let Err(why) = self.guest.comes_in() {
            self.over = true;
            return self.reply(421, format!("Come back later: {}.", why.reply()));
        }
        self.access = access;
        self.here = Path::default();
        match access {
            Access::Write => self.reply(230, "Welcome: you may read and write."),
            _ => self.reply(230, "Welcome: you may read."),
        }
    }

    fn rein(&mut self) -> Result<()> {
        self.user = None;
        self.access = Access::None;
        self.here = Path::default();
        self.text = true;
        self.offset = 0;
        self.facts = [true; FACTS.len()];
        self.epsv_only = false;
        self.no_way();
        self.reply(220, "From the beginning: who are you?")
    }

    fn quit(&mut self) -> Result<()> {
        self.over = true;
        self.reply(221, "Goodbye.")
    }

    // ---- questions

    fn feat(&mut self) -> Result<()> {
        let facts: String = FACTS
            .iter()
            .zip(self.facts)
            .map(|(fact, told)| format!("{fact}{};", if told { "*" } else { "" }))
            .collect();
        let mut features = ["EPRT", "EPSV", "MDTM", "MFMT", "REST STREAM", "SIZE", "TVFS", "UTF8"]
            .map(String::from)
            .to_vec();
        features.insert(4, format!("MLST {facts}"));
        self.reply_lines(211, "Beyond RFC 959:", &features, "That is all.")
    }

    fn opts(&mut self, argument: &str) -> Result<()> {
        let (what, how) = argument.split_once(' ').unwrap_or((argument, ""));
        match (what.to_ascii_uppercase().as_str(), how.trim().to_ascii_uppercase().as_str()) {
            ("UTF8" | "UTF-8", "ON" | "") => self.reply(200, "Names go as they are: say UTF-8."),
            ("UTF8" | "UTF-8", "OFF") => self.reply(200, "Names go as they are, in any encoding."),
            ("UTF8" | "UTF-8", _) => self.reply(501, "OPTS UTF8 is ON or OFF."),
            ("MLST", wanted) => {
                let wanted: Vec<&str> = wanted.split(';').collect();
                self.facts = FACTS.map(|fact| wanted.contains(&&*fact.to_ascii_uppercase()));
                let told: String = FACTS
                    .iter()
                    .zip(self.facts)
                    .filter(|(_, told)| *told)
                    .map(|(fact, _)| format!("{fact};"))
                    .collect();
                self.reply(200, format!("MLST OPTS {told}"))
            }
            _ => self.reply(501, "There is no such option."),
        }
    }

    fn help(&mut self) -> Result<()> {
        let names: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
        let lines: Vec<String> = names.chunks(10).map(|names| names.join(" ")).collect();
        self.reply_lines(214, "What you can say:", &lines, "That is all.")
    }

    fn site(&mut self, argument: &str) -> Result<()> {
        match argument.trim().eq_ignore_ascii_case("HELP") {
            true => self.reply(214, "SITE HELP is all there is."),
            false => self.reply(504, "SITE knows HELP only."),
        }
    }

    /// Alone: how the session stands. With a path: a listing, over the control connection.
    fn stat(&mut self, argument: &[u8]) -> Result<()> {
        if argument.is_empty() {
            let kind = if self.text { "A (text)" } else { "I (as it is)" };
            let lines = [
                format!("You are {}.", self.client),
                format!("TYPE {kind}, MODE S, STRU F"),
                format!("{} bytes sent, {} received", self.stats.sent, self.stats.received),
            ];
            return self.reply_lines(211, "netplay ftp", &lines, "That is all.");
        }
        let path = match self.path(without_options(argument)) {
            Ok(path) => path,
            Err(errno) => return self.refuse(errno),
        };
        let mut bytes = Vec::new();
        match Told::of(&self.rules.root, &path, Format::Long, Vec::new()) {
            Ok(Told::Folder(mut listing)) => match listing.fill(&mut bytes, 1 << 20) {
                Ok(false) => {}
                Ok(true) => {
                    return self.reply(450, "The folder is too large for this: say LIST.");
                }
                Err(errno) => return self.refuse(errno),
            },
            Ok(Told::File(line)) => bytes = line,
            Err(errno) => return self.refuse(errno),
        }
        let lines: Vec<_> = bytes
            .split_inclusive(|&b| b == b'\n')
            .filter_map(|line| line.strip_suffix(b"\r\n"))
            .collect();
        self.reply_lines(213, "What is there:", &lines, "That is all.")
    }

    // ---- where

    fn pwd(&mut self) -> Result<()> {
        let text = [&*quoted(&self.here), b" is where you are."].concat();
        self.reply(257, text)
    }

    fn cwd(&mut self, text: &[u8]) -> Result<()> {
        let there = self.path(text).and_then(|path| self.rules.root.folder(&path).map(|_| path));
        match there {
            Ok(path) => {
                self.here = path;
                self.reply(250, "You are there.")
            }
            Err(errno) => self.refuse(errno),
        }
    }

    fn path(&self, text: &[u8]) -> root::Result<Path> {
        self.here.join(text)
    }

    // ---- how

    fn type_(&mut self, argument: &str) -> Result<()> {
        let words: Vec<String> =
            argument.split_ascii_whitespace().map(str::to_ascii_uppercase).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["A"] | ["A", "N"] => self.text = true,
            ["I"] | ["L", "8"] | ["L8"] => self.text = false,
            ["E"] | ["A" | "E", "N" | "T" | "C"] | ["L", _] => {
                return self.reply(504, "TYPE is A, I or L 8.");
            }
            _ => return self.reply(501, "TYPE is A, I or L 8."),
        }
        let how = if self.text { "Files are text." } else { "Files go as they are." };
        self.reply(200, how)
    }

    fn mode(&mut self, argument: &str) -> Result<()> {
        match argument.trim().to_ascii_uppercase().as_str() {
            "S" => self.reply(200, "A file is a stream of bytes."),
            "B" | "C" => self.reply(504, "MODE is S."),
            _ => self.reply(501, "MODE is S."),
        }
    }

    fn stru(&mut self, argument: &str) -> Result<()> {
        match argument.trim().to_ascii_uppercase().as_str() {
            "F" => self.reply(200, "A file is just a file."),
            "R" | "P" => self.reply(504, "STRU is F."),
            _ => self.reply(501, "STRU is F."),
        }
    }

    fn rest(&mut self, argument: &str) -> Result<()> {
        let digits = argument.trim();
        match digits.parse() {
            Ok(_) if self.text => self.reply(504, "Text cannot be counted so: say TYPE I first."),
            Ok(offset) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                self.offset = offset;
                self.reply(350, "The next transfer begins there.")
            }
            _ => self.reply(501, "REST takes a number of bytes."),
        }
    }
}

/// Why something cannot be done with a file, and whether it could be later.
fn reason(errno: Errno) -> (u16, String) {
    let (code, why) = match errno {
        Errno::ENOENT => (550, "There is no such file or folder."),
        root::OUTSIDE => (550, "That leads out of what is served."),
        Errno::ELOOP => (550, "Its links lead in a circle."),
        Errno::ENOTDIR => (550, "That is no folder."),
        Errno::EISDIR => (550, "That is a folder."),
        root::SPECIAL => (550, "That is neither a file nor a folder."),
        root::ROOT => (550, "That is the folder that is served: it stays as it is."),
        Errno::EEXIST => (550, "That name is taken."),
        Errno::ENOTEMPTY => (550, "The folder is not empty."),
        Errno::EINVAL => (550, "A folder cannot go into itself."),
        Errno::EBUSY => (450, "The system is using that: try later."),
        Errno::ETXTBSY => (450, "That is a program that runs: try later."),
        Errno::EAGAIN => (450, "Things are being moved there: try again."),
        Errno::EACCES => (550, "The server has no permission for that."),
        Errno::EPERM => (550, "The system does not let the server do that."),
        Errno::EROFS => (550, "That disk can only be read."),
        Errno::EXDEV => (550, "That is on another disk."),
        Errno::EMLINK => (550, "There are as many folders in it as can be."),
        Errno::EOVERFLOW => (550, "The disk cannot hold that time."),
        Errno::ENAMETOOLONG => (553, "That name is too long."),
        Errno::EILSEQ => (553, "A name cannot have a line end in it."),
        root::RESERVED => (550, "The server keeps such names for itself."),
        Errno::ENOSPC => (452, "The disk is full."),
        Errno::EDQUOT => (552, "The quota of the disk is used up."),
        Errno::EFBIG => (552, "The file would be too large."),
        Errno::EMFILE | Errno::ENFILE => (450, "Too much is open: try later."),
        Errno::ENOMEM => (450, "The server is short of memory: try later."),
        Errno::EIO => (451, "The disk failed."),
        other => return (451, format!("The system says: {}.", strerror(other))),
    };
    (code, why.to_owned())
}

/// The argument of a command that takes no name; what is no text is no word that it knows.
fn words(argument: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(argument)
}

/// `"/a ""b"""`: a quote in a name is doubled (RFC 959, appendix II).
fn quoted(path: &Path) -> Vec<u8> {
    let mut text = b"\"".to_vec();
    for byte in path.bytes() {
        text.extend(std::iter::repeat_n(byte, if byte == b'"' { 2 } else { 1 }));
    }
    text.push(b'"');
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_is_another() {
        let errnos = (1..=133).map(Errno::from_raw).filter(|errno| *errno != Errno::UnknownErrno);
        let reasons: Vec<_> = errnos.map(|errno| (errno, reason(errno))).collect();
        let same = [Errno::EMFILE, Errno::ENFILE];
        let texts: HashSet<_> = reasons
            .iter()
            .filter(|(errno, _)| !same.contains(errno))
            .map(|(_, told)| told)
            .collect();
        assert_eq!(texts.len(), reasons.len() - same.len(), "{reasons:?}");
        assert!(reasons.iter().all(|(_, (code, _))| (450..554).contains(code)));
        // Whether it is for now or for good is what a client goes by (RFC 959, 4.2).
        for (errno, code, why) in [
            (Errno::ETXTBSY, 450, "That is a program that runs: try later."),
            (Errno::EDQUOT, 552, "The quota of the disk is used up."),
            (Errno::ENOSPC, 452, "The disk is full."),
        ] {
            assert_eq!(reason(errno), (code, why.to_owned()));
        }
    }
}
