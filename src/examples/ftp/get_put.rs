//! A file, or a few, for a script: `netplay ftp get URL…` and `netplay ftp put FILE… URL`.
//!
//! ```text
//! get a               SIZE a, MDTM a, PASV, connect, RETR a, recv until 0, "226", SIZE a, MDTM a
//! get a --continue    the same, with REST before RETR
//! put a               PASV, connect, STOR a, sendfile, close, "226", SIZE a
//! put a --continue    SIZE a, its end fetched and compared, REST, STOR, and so on
//! ```
//!
//! A script looks at nothing but the exit code, so a file is only called whole when the server says
//! 226, has as many bytes as there are here, and did not get another version meanwhile.
//!
//! To go on where a transfer was cut is to claim that the first part is still the start of the whole.
//! What can be known of that: a download's `FILE.part` has the time of the file that it is from, as
//! MDTM told it, so another version shows; and the last bytes of the part are fetched once more and
//! compared. Where they differ, the transfer begins with the first byte.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow, bail, ensure};
use chrono::NaiveDateTime;
use nix::fcntl::{Flock, FlockArg};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::client::last;
use super::remote::{Server, receive};
use super::{AN_ADDRESS, ANONYMOUS, can_be_seen, password_of};
use crate::address::Endpoint;
use crate::call;
use crate::client::ToolArgs;
use crate::escape::escape;
use crate::trace::progress::Progress;
use crate::trace::remark;

/// So many of the last bytes of a part are compared before a transfer goes on behind them.
const COMPARED: u64 = 64 * 1024;

/// Fetches the file of each URL.
///
/// # Errors
/// A file did not arrive whole.
pub fn get(args: &ToolArgs) -> Result<()> {
    let to = args.options.get("o").map(Path::new);
    let folder = to.is_none_or(Path::is_dir);
    let several = args.words.len() > 1;
    ensure!(folder || !several, "several files go into a folder, and -o names none");
    let mut jobs = Vec::new();
    for url in &args.words {
        let place = Location::read(url)?;
        let mut to = to.unwrap_or(Path::new("")).to_owned();
        if folder {
            to.push(last(&place.path)?);
        }
        jobs.push((place, to));
    }
    each(args, &jobs, |server, path, to| {
        let bytes = fetch(server, path, to, args.options.has("continue"))?;
        Ok(format!("{}: {bytes} bytes downloaded", to.display()))
    })
}

/// Sends each file to the URL.
///
/// # Errors
/// A file did not arrive whole.
pub fn put(args: &ToolArgs) -> Result<()> {
    let (url, files) = args.words.split_last().context("there is a URL")?;
    let place = Location::read(url)?;
    let folder = place.path.is_empty() || place.path.ends_with('/');
    ensure!(folder || files.len() == 1, "several files go into a folder: its URL ends with /");
    let mut jobs = Vec::new();
    for file in files {
        let mut place = place.clone();
        if folder {
            let name = Path::new(file).file_name().context("this is no name for a file")?;
            place.path += name.to_str().context("over FTP, names are UTF-8")?;
        }
        jobs.push((place, PathBuf::from(file)));
    }
    each(args, &jobs, |server, path, file| {
        let bytes = send(server, path, file, args.options.has("continue"))?;
        Ok(format!("{}: {bytes} bytes uploaded", file.display()))
    })
}

/// Does one job after the other, those at one server in one session. What fails is told, and the
/// next may do better; but nobody tries a password twice.
fn each(
    args: &ToolArgs,
    jobs: &[(Location, PathBuf)],
    work: impl Fn(&mut Server, &str, &Path) -> Result<String>,
) -> Result<()> {
    if jobs.iter().any(|(place, _)| place.password.as_ref().is_some_and(|text| !text.is_empty())) {
        can_be_seen("a password in a URL");
    }
    let mut failed = 0;
    let mut session: Option<(&Location, Server)> = None;
    for (place, file) in jobs {
        let mut server = match session.take() {
            Some((other, server)) if other.same_session(place) => server,
            other => {
                other.map_or(Ok(()), |(_, server)| leave(server))?;
                place.open(args)?
            }
        };
        match work(&mut server, &place.path, file) {
            Ok(done) => {
                writeln!(io::stdout().lock(), "{}", escape(done.as_bytes()))?;
                session = Some((place, server));
            }
            Err(error) => {
                // Who knows what is still on its way: the next file has a session of its own.
                server.close()?;
                let error = error.context(escape(file.to_string_lossy().as_bytes()));
                if jobs.len() == 1 {
                    return Err(error);
                }
                remark(format_args!("netplay: {error:#}"));
                failed += 1;
            }
        }
    }
    session.map_or(Ok(()), |(_, server)| leave(server))?;
    ensure!(failed == 0, "{failed} of {} files did not arrive", jobs.len());
    Ok(())
}

/// Says goodbye. The files are whole: whatever the server thinks of it.
fn leave(mut server: Server) -> Result<()> {
    let _ = server.ask("QUIT", "");
    server.close()
}

/// Downloads a file: whole, or not under its name.
fn fetch(server: &mut Server, path: &str, to: &Path, go_on: bool) -> Result<u64> {
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    let mut file = own(part)?;
    let fetched = fetch_into(server, path, &mut file, go_on);
    match fetched {
        Ok(()) => {
            file.sync_all()?;
            fs::rename(part, to).with_context(|| format!("cannot write to {}", to.display()))?;
            Ok(file.metadata()?.len())
        }
        Err(error) => {
            if file.metadata()?.len() == 0 {
                fs::remove_file(part)?;
            }
            Err(error)
        }
    }
}

/// The file for the bytes of an unfinished download, and nobody else's at the same time.
fn own(part: &Path) -> Result<Flock<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = options.open(part).with_context(|| format!("cannot write to {}", part.display()))?;
    ensure!(file.metadata()?.is_file(), "{} is no ordinary file", part.display());
    let another = || anyhow!("another download writes to {}", part.display());
    let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| another())?;
    // The other may have finished just now, and what we hold has its final name already.
    let same = fs::metadata(part).is_ok_and(|now| {
        file.metadata().is_ok_and(|held| (now.dev(), now.ino()) == (held.dev(), held.ino()))
    });
    same.then_some(file).with_context(another)
}

fn fetch_into(server: &mut Server, path: &str, file: &mut File, go_on: bool) -> Result<()> {
    let before = server.facts(path)?;
    let had = file.metadata()?;
    let likely = before.size.is_none_or(|size| size >= had.len())
        && before.modified.is_none_or(|time| had.modified().is_ok_and(|had| had == time));
    let mut went_on = false;
    if go_on && had.len() > 0 && likely {
        went_on = receive_into(server, path, file, had.len(), &before)?;
    }
    if !went_on {
        if go_on && had.len() > 0 {
            remark("the file there is not the one that was cut: it is fetched from the start");
        }
        file.set_len(0)?;
        receive_into(server, path, file, 0, &before)?;
    }
    let (after, len) = (server.facts(path)?, file.metadata()?.len());
    if after != before || after.size.is_some_and(|size| size != len) {
        // Perhaps a bit of both versions: nothing to go on from.
        file.set_len(0)?;
        bail!("the file there has changed while it was fetched");
    }
    Ok(())
}

/// Receives what is behind the first `had` bytes; whether the end of those was the same there.
fn receive_into(
    server: &mut Server,
    path: &str,
    file: &mut File,
    had: u64,
    facts: &Facts,
) -> Result<bool> {
    let mut known = vec![0; had.min(COMPARED) as usize];
    let from = had - known.len() as u64;
    file.read_exact_at(&mut known, from)?;
    file.seek(SeekFrom::Start(had))?;
    let mut known = known.as_slice();
    let mut same = true;
    let (worked, last) = server.transfer_from(from, "RETR", path, |data| {
        let progress = Progress::begin(from, facts.size);
        receive(data, |bytes| {
            progress.moved(bytes.len());
            let (again, new) = bytes.split_at(bytes.len().min(known.len()));
            same &= known.starts_with(again);
            ensure!(same, "it is another file");
            known = &known[again.len()..];
            file.write_all(new)?;
            // Whoever is cut off after this leaves a part that says what it is a part of.
            facts.modified.map_or(Ok(()), |time| file.set_modified(time))?;
            Ok(())
        })
    })?;
    if !same {
        return Ok(false);
    }
    last.wanted(2)?;
    worked?;
    Ok(known.is_empty())
}

/// Uploads a file.
fn send(server: &mut Server, path: &str, from: &Path, go_on: bool) -> Result<u64> {
    let cannot = || format!("cannot read {}", from.display());
    ensure!(fs::metadata(from).with_context(cannot)?.is_file(), "this is no ordinary file");
    let file = File::open(from).with_context(cannot)?;
    let before = file.metadata()?;
    let there = if go_on { server.facts(path)?.size.unwrap_or(0) } else { 0 };
    let mut at = 0;
    if there > 0 {
        if there <= before.len() && same_end(server, path, there, &file)? {
            at = there;
        } else {
            remark("the file there is not the start of this one: it is sent from the start");
        }
    }
    if at == 0 || at < before.len() {
        let (worked, last) = server.transfer_from(at, "STOR", path, |data| {
            let progress = Progress::begin(at, Some(before.len()));
            while let n @ 1.. = call::sendfile(data, &file, &mut at, 1 << 20)? {
                progress.moved(n);
            }
            Ok(())
        })?;
        last.wanted(2)?;
        worked?;
    }
    let after = file.metadata()?;
    let same = (before.len(), before.modified()?) == (after.len(), after.modified()?);
    ensure!(same && at == after.len(), "the file has changed while it was sent");
    let there = server.facts(path)?.size;
    ensure!(there.is_none_or(|size| size == at), "{at} bytes were sent, but there are {there:?}");
    Ok(at)
}

/// Whether the last of the `there` bytes on the server are those of the file here, at that place.
fn same_end(server: &mut Server, path: &str, there: u64, file: &File) -> Result<bool> {
    let mut here = vec![0; there.min(COMPARED) as usize];
    let from = there - here.len() as u64;
    file.read_exact_at(&mut here, from)?;
    let mut rest = here.as_slice();
    let (worked, last) = server.transfer_from(from, "RETR", path, |data| {
        receive(data, |bytes| {
            rest = rest.strip_prefix(bytes).context("it is another file")?;
            Ok(())
        })
    })?;
    Ok(worked.is_ok() && last.wanted(2).is_ok() && rest.is_empty())
}

/// What a server tells of a file; `None`: it does not.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    size: Option<u64>,
    modified: Option<SystemTime>,
}

impl Server {
    fn facts(&mut self, path: &str) -> Result<Facts> {
        let size = self.size(path)?;
        let reply = self.ask("MDTM", path)?;
        let text = reply.text.get(4..).filter(|_| reply.code == 213);
        let modified = text.and_then(|text| {
            // Whole seconds: a fraction may follow, or not.
            let time = NaiveDateTime::parse_from_str(text.get(..14)?, "%Y%m%d%H%M%S").ok()?;
            let seconds = u64::try_from(time.and_utc().timestamp()).ok()?;
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
        });
        Ok(Facts { size, modified })
    }
}

/// What a URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Location {
    host: String,
    port: u16,
    user: Option<String>,
    password: Option<String>,
    /// As the server is told: from the folder that one is in after the login.
    path: String,
}

/// Whether this is a URL that can be used.
///
/// # Errors
/// One sentence on what is wrong with it.
pub fn readable_url(text: &OsStr) -> Result<()> {
    Location::read(text).map(drop)
}

/// Whether this may be a file here.
///
/// # Errors
/// It is a URL: the files come first, and the one URL last.
pub fn readable_path(text: &OsStr) -> Result<()> {
    let is_url = text.as_encoded_bytes().starts_with(b"ftp://");
    ensure!(!is_url, "a FILE is a path here; the URL comes last, and there is one");
    Ok(())
}

impl Location {
    fn read(text: &OsStr) -> Result<Location> {
        let text = text.to_str().context("it is not UTF-8")?;
        // As browsers do, the crate drops a line end and takes \ for /. A script that has one made
        // a mistake.
        ensure!(!text.contains(|c: char| c.is_control() || c == '\\'), "\\ is written %5C");
        let url = Url::parse(text)?;
        ensure!(url.scheme() == "ftp", "only ftp:// is spoken here");
        ensure!(
            url.query().is_none() && url.fragment().is_none(),
            "in the name of a file, ? is written %3F, and # is written %23"
        );
        let host = match url.host().context("there is no host")? {
            Host::Ipv6(address) => address.to_string(),
            host => host.to_string(),
        };
        let path = url.path().strip_prefix('/').unwrap_or_default();
        let path = match path.rsplit_once(";type=") {
            None => path,
            Some((path, "i" | "I")) => path,
            Some((_, other)) => bail!(";type={other} is not done here: files are bytes, ;type=i"),
        };
        let user = Some(url.username()).filter(|user| !user.is_empty());
        Ok(Location {
            host,
            port: url.port().unwrap_or(21),
            user: user.map(decoded).transpose()?,
            password: url.password().map(decoded).transpose()?,
            path: decoded(path)?,
        })
    }

    fn same_session(&self, other: &Location) -> bool {
        let Location { host, port, user, password, path: _ } = self;
        (host, port, user, password) == (&other.host, &other.port, &other.user, &other.password)
    }

    /// Connects and logs in.
    fn open(&self, args: &ToolArgs) -> Result<Server> {
        let (user, password) = match (&self.user, &self.password) {
            (None, _) => (ANONYMOUS, AN_ADDRESS.to_owned()),
            (Some(user), Some(password)) => (user.as_str(), password.clone()),
            (Some(user), None) => (user.as_str(), password_of(user, &args.options)?),
        };
        let endpoint = Endpoint { host: Some(self.host.clone()), port: self.port, family: None };
        let mut server = Server::connect(&endpoint, args.timeout)?;
        match server.log_in(user, &password) {
            Ok(()) => Ok(server),
            Err(error) => {
                server.close()?;
                Err(error)
            }
        }
    }
}

/// The text that %41 and the like stand for.
fn decoded(part: &str) -> Result<String> {
    let text =
        percent_decode_str(part).decode_utf8().context("what %XX stands for is not UTF-8")?;
    ensure!(
        !text.contains(char::is_control),
        "a name has no control characters, such as %00 or %0A"
    );
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Location> {
        Location::read(OsStr::new(text))
    }

    #[test]
    fn a_url_says_who_where_and_what() {
        let place = |host: &str, port, user: Option<&str>, password: Option<&str>, path: &str| {
            let (user, password) = (user.map(Into::into), password.map(Into::into));
            Location { host: host.into(), port, user, password, path: path.into() }
        };
        for (url, told) in [
            ("ftp://h/a/b", place("h", 21, None, None, "a/b")),
            ("ftp://u:p@h:2121/a", place("h", 2121, Some("u"), Some("p"), "a")),
            ("ftp://u%40x:p%3A%2F@h/a", place("h", 21, Some("u@x"), Some("p:/"), "a")),
            ("ftp://u:@[::1]:5/a", place("::1", 5, Some("u"), None, "a")),
            ("ftp://h/a%20b%23%3F%25", place("h", 21, None, None, "a b#?%")),
            ("ftp://h/%2Fetc/x", place("h", 21, None, None, "/etc/x")),
            ("ftp://h/世界", place("h", 21, None, None, "世界")),
            ("ftp://h/a;type=i", place("h", 21, None, None, "a")),
            ("ftp://h", place("h", 21, None, None, "")),
        ] {
            assert_eq!(read(url).unwrap(), told, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for (url, why) in [
            ("h/a", "relative URL"),
            ("http://h/a", "only ftp"),
            ("ftp:///", "empty host"),
            ("ftp://h:99999/a", "port"),
            ("ftp://h/a%00b", "control"),
            ("ftp://h/a%0d%0aDELE%20b", "control"),
            ("ftp://u%0a@h/a", "control"),
            ("ftp://h/a\nb", "written"),
            ("ftp://h/a\\b", "written"),
            ("ftp://h/a?b", "%3F"),
            ("ftp://h/a#b", "%23"),
            ("ftp://h/%ff", "UTF-8"),
            ("ftp://h/a;type=a", "type=a"),
        ] {
            let told = format!("{:#}", read(url).unwrap_err());
            assert!(told.contains(why), "{url}: {told}");
        }
    }
}
