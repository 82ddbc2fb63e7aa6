//! A file, or a few, for a script: `netplay ftp get URL…` and `netplay ftp put FILE… URL`.
//!
//! ```text
//! get a               SIZE a, MDTM a, PASV, connect, RETR a, recv until 0, "226", SIZE a, MDTM a
//! get a --continue    the same, with FEAT, and REST before RETR
//! put a               PASV, connect, STOR a, sendfile, close, "226", SIZE a
//! put a --continue    SIZE a, its end fetched and compared, APPE a, …, its middle fetched and compared
//! ```
//!
//! A script looks at nothing but the exit code, so a file is only called whole when the server says
//! 226, has as many bytes as there are here, and did not get another version meanwhile.
//!
//! To go on where a transfer was cut is to claim that the first part is still the start of the whole.
//! What can be known of that: a download's `FILE.part` has the time of the file that it is from, as
//! MDTM told it, so another version shows; and the last bytes of the part are fetched once more and
//! compared. Where they differ, the transfer begins with the first byte.
//!
//! Servers answer REST and do something else. So it is only used where FEAT lists REST STREAM (RFC 3659);
//! an upload goes on with APPE, which needs no number; and afterwards the bytes on both sides of the
//! seam are fetched from the server, and compared.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use super::error::{About, Error, Result, Telling};
use super::facts::Facts;
use super::local::{self, Part, path_of};
use super::location::{self, Location};
use super::names::last;
use super::remote::{Server, is_gone, receive, stalled};
use crate::login::{Secret, can_be_seen};
use netplay_call as call;
use netplay_shared::client::Usage;
use netplay_text::escape::{escape, file_name};
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_trace::progress::Progress;
use netplay_trace::remark;

/// So many of the last bytes of a part are compared before a transfer goes on behind them.
const COMPARED: u64 = 64 * 1024;

/// So much behind a seam is fetched and compared to its end.
const LITTLE: u64 = 4 << 20;

/// Where a download goes.
enum Target {
    Output,
    File(PathBuf),
}

/// What `get` is told.
#[derive(Debug, Args)]
pub struct Get {
    #[arg(id = "URL", help = URL, required = true, num_args = 1..)]
    #[arg(value_parser = OsStringValueParser::new().try_map(location::url))]
    urls: Vec<Location>,
    /// Where to put it; - is standard output [default: its own name, here]
    #[arg(short = 'o', value_name = "FILE|DIR")]
    to: Option<PathBuf>,
    #[command(flatten)]
    manner: Manner,
}

/// What `put` is told.
#[derive(Debug, Args)]
pub struct Put {
    /// What to send
    #[arg(id = "FILE", required = true, num_args = 1..)]
    #[arg(value_parser = OsStringValueParser::new().try_map(location::file))]
    files: Vec<PathBuf>,
    #[arg(id = "URL", help = URL)]
    #[arg(value_parser = OsStringValueParser::new().try_map(location::url))]
    url: Location,
    #[command(flatten)]
    manner: Manner,
}

const URL: &str =
    "ftp://[USER[:PASSWORD]@]HOST[:PORT]/PATH; %20 is a space, %2F at the start the root";

/// The options of both.
#[derive(Debug, Args)]
struct Manner {
    /// Go on where an earlier transfer was cut
    #[arg(long = "continue")]
    go_on: bool,
    /// A file with the password in its first line, for a URL without one
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Fetches the file of each URL.
///
/// # Errors
/// A file did not arrive whole.
pub fn get(timeout: Option<Duration>, told: &Get) -> Result<()> {
    local::limits_are_errors();
    let to = told.to.as_deref();
    let go_on = told.manner.go_on;
    let output = to.is_some_and(|to| ["-", "/dev/stdout"].map(Path::new).contains(&to));
    let folder = !output && to.is_none_or(Path::is_dir);
    if told.urls.len() > 1 && !folder {
        return Err(usage(
            "several files go into a folder, and -o does not name one",
            "多个文件要放进一个目录，而 -o 给出的不是目录",
        ));
    }
    if output && go_on {
        return Err(usage(
            "--continue needs a file to continue, and -o - is standard output",
            "--continue 需要一个可以接着写的文件，而 -o - 是标准输出",
        ));
    }
    let mut jobs = Vec::new();
    for place in &told.urls {
        let name = file_in(place)?;
        let mut to = to.unwrap_or(Path::new("")).to_owned();
        if folder {
            to.push(path_of(name));
        }
        if output {
            jobs.push((place.clone(), Target::Output));
        } else {
            if jobs.iter().any(|(_, other)| matches!(other, Target::File(other) if *other == to)) {
                return Err(twice(&file_name(&to)));
            }
            local::writable(&to)?;
            jobs.push((place.clone(), Target::File(to)));
        }
    }
    each(&told.manner, timeout, &jobs, |server, path, to| fetch(server, path, to, go_on))
}

/// Sends each file to the URL.
///
/// # Errors
/// A file did not arrive whole.
pub fn put(timeout: Option<Duration>, told: &Put) -> Result<()> {
    let Put { files, url: place, manner } = told;
    let folder = place.path.is_empty() || place.path.ends_with(b"/");
    if files.len() > 1 && !folder {
        return Err(usage(
            "several files go into a folder: its URL must end with /",
            "多个文件要放进一个目录：它的 URL 必须以 / 结尾",
        ));
    }
    let mut jobs = Vec::new();
    for file in files {
        let mut place = place.clone();
        if folder {
            let name = file.file_name();
            let name = name.ok_or_else(|| Error::NoFileName(file.clone()))?;
            place.path.extend(name.as_bytes());
        }
        file_in(&place)?;
        if jobs.iter().any(|(other, _)| *other == place) {
            return Err(twice(&escape(&place.path)));
        }
        jobs.push((place, Target::File(file.clone())));
    }
    each(manner, timeout, &jobs, |server, path, file| {
        let Target::File(file) = file else {
            return Err(Error::Confused("a file is sent, and nothing else"));
        };
        send(server, path, file, manner.go_on)
    })
}

/// The name of the file that a URL says.
fn file_in(place: &Location) -> Result<&[u8]> {
    last(&place.path).map_err(|error| {
        Usage(say!(
            Lang::current(),
            "{error}: the URL must be ftp://HOST/FILE or ftp://HOST/FOLDER/FILE",
            "{error}：URL 应写成 ftp://HOST/FILE 或 ftp://HOST/FOLDER/FILE",
        ))
        .into()
    })
}

/// A mistake in the command line, in both languages.
fn usage(en: &str, zh: &str) -> Error {
    Usage(Lang::current().pick(en, zh).to_owned()).into()
}

/// The second would replace the first, and both would be called whole.
fn twice(name: &str) -> Error {
    Usage(say!(Lang::current(), "two files would both become {name}", "两个文件都会成为 {name}"))
        .into()
}

impl Target {
    fn name(&self) -> String {
        match self {
            Target::Output => Lang::current().pick("standard output", "标准输出").to_owned(),
            Target::File(path) => file_name(path),
        }
    }
}

/// Does one job after the other, those at one server in one session. What fails is told, and the
/// next may do better; but no password is tried twice.
fn each(
    manner: &Manner,
    timeout: Option<Duration>,
    jobs: &[(Location, Target)],
    work: impl Fn(&mut Server, &[u8], &Target) -> Result<Option<String>>,
) -> Result<()> {
    if jobs.iter().any(|(place, _)| place.password.as_ref().is_some_and(|text| !text.is_empty())) {
        can_be_seen(&Secret::InUrl);
    }
    let mut failed = 0;
    let mut session: Option<(&Location, Server)> = None;
    for (place, file) in jobs {
        let mut server = match session.take() {
            Some((other, server)) if other.same_session(place) && is_there(&server) => server,
            other => {
                other.map_or(Ok(()), |(_, server)| leave(server))?;
                place.open(manner.password_file.as_deref(), timeout)?
            }
        };
        match work(&mut server, &place.path, file) {
            Ok(done) => {
                if let Some(done) = done {
                    writeln!(io::stdout().lock(), "{done}")?;
                }
                session = Some((place, server));
            }
            Err(error) => {
                // Who knows what is still on its way: the next file has a session of its own.
                let _ = server.close();
                let error = error.about(About::Job(file.name()));
                if jobs.len() == 1 {
                    return Err(error);
                }
                remark(format_args!("netplay: {error:#}"));
                failed += 1;
            }
        }
    }
    session.map_or(Ok(()), |(_, server)| leave(server))?;
    if failed == 0 { Ok(()) } else { Err(Error::Arrived(failed, jobs.len())) }
}

/// Whether a session can have another file: a server may close one behind each.
fn is_there(server: &Server) -> bool {
    !server.is_spent() && server.is_open()
}

/// Says goodbye. The files are whole: whatever the server thinks of it.
fn leave(mut server: Server) -> Result<()> {
    if !server.is_spent() {
        let _ = server.ask("QUIT", "");
    }
    server.close()
}

// ---- get

/// Downloads a file: whole, or not under its name. What to tell of it.
fn fetch(server: &mut Server, path: &[u8], to: &Target, go_on: bool) -> Result<Option<String>> {
    let to = match to {
        Target::Output => return fetch_to_output(server, path).map(|()| None),
        Target::File(to) => to,
    };
    let mut part = if go_on { Part::earlier(to)? } else { None };
    match (fetch_into(server, path, to, &mut part), part) {
        (Ok(facts), Some(mut part)) => {
            let untimed = facts.set_time(part.file());
            let lang = Lang::current();
            let untimed = untimed.map_or(String::new(), |why| say!(lang, "; {why}", "；{why}"));
            let (bytes, name) = (part.finish(to)?, file_name(to));
            Ok(Some(say!(
                lang,
                "{name}: {bytes} bytes downloaded{untimed}",
                "{name}：下载了 {bytes} 字节{untimed}",
            )))
        }
        (Err(error), part) => {
            let useless = matches!(error.root(), Error::Changed | Error::TooMuch);
            if let Some(part) = part {
                part.leave(useless);
            }
            Err(error)
        }
        (Ok(_), None) => Err(Error::Confused("there is no part, though the transfer had begun")),
    }
}

/// Whether what has come is the file of these facts, and still is.
fn unchanged(server: &mut Server, path: &[u8], before: &Facts, len: u64) -> Result<()> {
    let after = match server.facts(path) {
        Err(error) if is_gone(&error) => before.clone(), // it has sent everything, and nothing is asked
        after => after?,
    };
    if after != *before {
        // Perhaps a bit of both versions: nothing to go on from.
        return Err(Error::Changed);
    }
    if let Some(size) = after.size.filter(|&size| size != len) {
        return Err(Error::Came(len, size));
    }
    Ok(())
}

fn fetch_to_output(server: &mut Server, path: &[u8]) -> Result<()> {
    let facts = server.facts(path)?;
    let mut out = io::stdout().lock();
    let transfer = server.transfer(0, "RETR", path, |data| {
        let progress = Progress::begin(0, facts.size);
        let n = receive(data, facts.size, |bytes| {
            progress.moved(bytes.len());
            out.write_all(bytes).about(|| About::WriteOutput)
        })?;
        out.flush().about(|| About::WriteOutput)?;
        Ok(n)
    })?;
    let len = transfer.received(|&n| facts.size == Some(n))?;
    unchanged(server, path, &facts, len)
}

fn fetch_into(
    server: &mut Server,
    path: &[u8],
    to: &Path,
    part: &mut Option<Part>,
) -> Result<Facts> {
    let before = server.facts(path)?;
    let mut went_on = false;
    let had = part.as_mut().map(|part| part.file().metadata()).transpose()?;
    if let Some(had) = had.filter(|had| had.len() > 0) {
        let len = had.len();
        let likely = before.size.is_none_or(|size| size >= len)
            && had.modified().is_ok_and(|time| before.may_have(time));
        if !likely {
            remark(another_file(Lang::current()));
        } else if len > COMPARED && !server.can_go_on()? {
            remark(Lang::current().pick(
                "the server can only begin with the first byte, because its FEAT does not list REST STREAM",
                "服务器只能从第一个字节开始，因为它的 FEAT 没有列出 REST STREAM",
            ));
        } else {
            went_on = receive_into(server, path, to, part, len, &before)?;
            if !went_on {
                remark(another_file(Lang::current()));
            }
        }
    }
    if !went_on {
        receive_into(server, path, to, part, 0, &before)?;
    }
    let len = part.as_mut().map_or(Ok(0), |part| part.file().metadata().map(|file| file.len()))?;
    unchanged(server, path, &before, len)?;
    Ok(before)
}

fn another_file(lang: Lang) -> &'static str {
    lang.pick(
        "the file on the server is not the one that was cut off: it is fetched from the start",
        "服务器上的文件不是上次中断的那个：从头下载",
    )
}

/// Receives what is behind the first `had` bytes; whether the end of those was the same there.
fn receive_into(
    server: &mut Server,
    path: &[u8],
    to: &Path,
    part: &mut Option<Part>,
    had: u64,
    facts: &Facts,
) -> Result<bool> {
    let mut known = vec![0; had.min(COMPARED) as usize];
    let from = had - known.len() as u64;
    if let Some(part) = part.as_mut().filter(|_| had > 0) {
        part.file().read_exact_at(&mut known, from)?;
    }
    let mut known = known.as_slice();
    let mut same = true;
    let most = facts.size.map(|size| size.saturating_sub(from));
    let time = facts.modified.as_ref().and_then(|modified| modified.time);
    let transfer = server.transfer(from, "RETR", path, |data| {
        // The server has agreed to send: only now there is something to be kept, or to be replaced.
        let file = match part {
            Some(part) => part,
            None => part.insert(Part::new(to)?),
        };
        let file = file.file();
        let cannot = || About::WritePart;
        file.set_len(had).and_then(|()| file.seek(SeekFrom::Start(had))).about(cannot)?;
        let progress = Progress::begin(from, facts.size);
        receive(data, most, |bytes| {
            progress.moved(bytes.len());
            let (again, new) = bytes.split_at(bytes.len().min(known.len()));
            same &= known.starts_with(again);
            if !same {
                return Err(Error::OtherFile);
            }
            known = &known[again.len()..];
            file.write_all(new).about(cannot)?;
            // A download that is cut off after this leaves a part that says what it is a part of.
            if let Some(time) = time {
                let _ = file.set_modified(time); // at the end it is tried again, and looked at
            }
            Ok(())
        })
    })?;
    if !same {
        return Ok(false);
    }
    transfer.received(|&n| facts.size == Some(from + n))?;
    Ok(known.is_empty())
}

// ---- put

/// Uploads a file. What to tell of it.
fn send(server: &mut Server, path: &[u8], from: &Path, go_on: bool) -> Result<Option<String>> {
    let file = local::open(from)?;
    let before = file.metadata()?;
    let len = before.len();
    let at = if go_on { start_there(server, path, &file, len)? } else { 0 };
    let mut went_on = (at > 0 && at == len).then(String::new);
    if at > 0 && at < len {
        match go_on_behind(server, path, &file, at, len)? {
            Seam::Whole => went_on = Some(String::new()),
            Seam::Unproven(why) => went_on = Some(why),
            Seam::Other(why) => {
                remark(say!(Lang::current(), "{why}: it is sent from the start", "{why}：从头发送"))
            }
        }
    }
    let unproven = match went_on {
        Some(unproven) => unproven,
        None => {
            store(server, "STOR", 0, path, &file, 0, len)?;
            let size = size_of(server, path)?;
            if let Some(size) = size.filter(|&size| size != len) {
                return Err(Error::Sent(len, size));
            }
            size.map_or_else(|| size_untold(Lang::current()), |_| "").to_owned()
        }
    };
    let after = file.metadata()?;
    let same = (len, before.modified()?) == (after.len(), after.modified()?);
    if !same {
        return Err(Error::ChangedHere);
    }
    let name = file_name(from);
    Ok(Some(say!(
        Lang::current(),
        "{name}: {len} bytes uploaded{unproven}",
        "{name}：上传了 {len} 字节{unproven}",
    )))
}

/// What behind an upload says that the server did not confirm its size.
pub(crate) fn size_untold(lang: Lang) -> &'static str {
    lang.pick(
        "; the server does not tell a size, so it is not proven that all of them arrived",
        "；服务器不给出文件大小，所以无法证明全部到达",
    )
}

/// The size there, if the server tells it, and is still there to be asked.
fn size_of(server: &mut Server, path: &[u8]) -> Result<Option<u64>> {
    if server.is_spent() {
        return Ok(None);
    }
    match server.size(path) {
        Err(error) if is_gone(&error) => Ok(None),
        size => size,
    }
}

/// How many bytes of the file are there already; 0 if what is there is something else.
fn start_there(server: &mut Server, path: &[u8], file: &File, len: u64) -> Result<u64> {
    let there = server.size(path)?.unwrap_or(0);
    if there == 0 {
        return Ok(0);
    }
    if there > len {
        remark(Lang::current().pick(
            "the file on the server is longer than this one: it is sent from the start",
            "服务器上的文件比这个长：从头发送",
        ));
        return Ok(0);
    }
    if there > COMPARED && !server.can_go_on()? {
        // To fetch all of it would take as long as to send it again.
        remark(Lang::current().pick(
            "the bytes on the server cannot be compared, because FEAT does not list REST STREAM: it is sent from the start",
            "无法比较服务器上的字节，因为 FEAT 没有列出 REST STREAM：从头发送",
        ));
        return Ok(0);
    }
    let from = there - there.min(COMPARED);
    match same_there(server, path, file, from, there, there)? {
        Same::Yes => return Ok(there),
        Same::No => {
            remark(Lang::current().pick(
                "the file on the server is not the start of this one: it is sent from the start",
                "服务器上的文件不是这个文件的开头：从头发送",
            ));
        }
        Same::Unknown(why) => remark(say!(
            Lang::current(),
            "the bytes on the server cannot be compared ({why}): it is sent from the start",
            "无法比较服务器上的字节（{why}）：从头发送",
        )),
    }
    Ok(0)
}

/// What came of an upload that went on behind what was there.
enum Seam {
    Whole,
    Unproven(String),
    Other(String),
}

/// Sends the file from `at` on, and looks at what the server made of it.
fn go_on_behind(server: &mut Server, path: &[u8], file: &File, at: u64, len: u64) -> Result<Seam> {
    let lang = Lang::current();
    match store(server, "APPE", 0, path, file, at, len) {
        Err(error) if error.is_refused() && !server.is_spent() => {
            if !server.can_go_on()? {
                return Ok(Seam::Other(say!(
                    lang,
                    "the server does not append ({error:#})",
                    "服务器不支持追加（{error:#}）",
                )));
            }
            match store(server, "STOR", at, path, file, at, len) {
                Err(error) if error.is_refused() && !server.is_spent() => {
                    return Ok(Seam::Other(say!(
                        lang,
                        "the server does not continue the file ({error:#})",
                        "服务器不能接着写这个文件（{error:#}）",
                    )));
                }
                stored => stored?,
            }
        }
        stored => stored?,
    }
    let size = size_of(server, path)?;
    if let Some(size) = size.filter(|&size| size != len) {
        return Ok(Seam::Other(say!(
            lang,
            "the file on the server has {size} bytes now, not {len}",
            "服务器上的文件现在有 {size} 字节，而不是 {len}",
        )));
    }
    let unproven = |why| {
        Seam::Unproven(say!(
            lang,
            "; not proven that its first {at} bytes are the same: {why}",
            "；无法证明前 {at} 字节相同：{why}",
        ))
    };
    if server.is_spent() {
        return Ok(unproven(lang.pick("the server has left", "服务器已离开").to_owned()));
    }
    let from = at - at.min(COMPARED);
    // A transfer that is broken off is something that many servers take long to notice.
    let to = if len - from <= LITTLE { len } else { at + COMPARED };
    Ok(match same_there(server, path, file, from, to, len)? {
        Same::Yes if size.is_none() && to < len => Seam::Unproven(size_untold(lang).to_owned()),
        Same::Yes => Seam::Whole,
        Same::No => Seam::Other(
            lang.pick("the file on the server is not this one", "服务器上的文件不是这一个")
                .to_owned(),
        ),
        Same::Unknown(why) => unproven(why),
    })
}

/// Sends the file from `at` on, to its end at `len`.
fn store(
    server: &mut Server,
    verb: &str,
    rest: u64,
    path: &[u8],
    file: &File,
    at: u64,
    len: u64,
) -> Result<()> {
    let transfer = server.transfer(rest, verb, path, |data| {
        let progress = Progress::begin(at, Some(len));
        let mut at = at;
        while let n @ 1.. = call::sendfile(data, file, &mut at, 1 << 20).map_err(stalled)? {
            progress.moved(n);
        }
        if at == len { Ok(()) } else { Err(Error::ChangedHere) }
    })?;
    transfer.whole()
}

/// Whether bytes there are those of the file here.
enum Same {
    Yes,
    No,
    /// The server does not show them.
    Unknown(String),
}

/// Compares the bytes from `from` to `to` there, of the file's `len`, with those of the file here.
fn same_there(
    server: &mut Server,
    path: &[u8],
    file: &File,
    from: u64,
    to: u64,
    len: u64,
) -> Result<Same> {
    let mut here = vec![0; (to - from) as usize];
    file.read_exact_at(&mut here, from)?;
    let mut rest = here.as_slice();
    let (mut same, mut enough) = (true, false);
    let looked = server.transfer(from, "RETR", path, |data| {
        receive(data, None, |bytes| {
            let (again, more) = bytes.split_at(bytes.len().min(rest.len()));
            same &= rest.starts_with(again) && (more.is_empty() || to < len);
            rest = &rest[again.len()..];
            enough = rest.is_empty() && to < len;
            if same && !enough { Ok(()) } else { Err(Error::Enough) }
        })
    });
    let last = match looked {
        Err(error) if error.is_refused() && !server.is_spent() => {
            return Ok(Same::Unknown(format!("{error:#}")));
        }
        looked => looked?,
    };
    if !same {
        return Ok(Same::No);
    }
    if enough {
        return Ok(Same::Yes);
    }
    Ok(match last.received(|_| rest.is_empty()) {
        Ok(_) if rest.is_empty() => Same::Yes,
        Ok(_) => Same::No,
        Err(error) if server.is_spent() => return Err(error),
        Err(error) => Same::Unknown(format!("{error:#}")),
    })
}
