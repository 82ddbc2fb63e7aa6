//! The path of a UNIX domain socket: who listens there, and what a file without a socket means.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, faccessat, geteuid};
use serde_json::{Value, json};
use socket2::SockAddr;

use super::answer::{Answer, HINT_PATIENCE, PATIENCE};
use super::words::{clock, columns, facts, name, owner};
use crate::address::LONGEST_PATH;
use crate::call::{self, Domain, FcntlArg, OFlag, Type, UnixStream};
use crate::escape::{escape, shell_word};
use crate::inspect::{self, Holders, State, Unix, UnixKind, UnixName};
use crate::words::counted;

struct Found {
    /// Those bound to the path. What a listener accepts has its name, too.
    sockets: Vec<Unix>,
    holders: Holders,
}

fn look(path: &Path, patience: Duration) -> io::Result<Found> {
    let sockets: Vec<Unix> = inspect::unix()?.into_iter().filter(|one| one.is_at(path)).collect();
    let holders = inspect::holders(sockets.iter().map(|socket| socket.inode), patience);
    Ok(Found { sockets, holders })
}

impl Found {
    /// Those that wait for clients.
    fn open(&self) -> impl Iterator<Item = &Unix> {
        self.sockets.iter().filter(|one| one.listening || one.kind == UnixKind::Datagram)
    }

    fn owner(&self, socket: &Unix) -> String {
        owner(socket.inode, socket.uid, &self.holders)
    }
}

/// `netplay why PATH`.
pub(super) fn answer(path: &Path) -> anyhow::Result<Answer> {
    let found = look(path, PATIENCE).context("the kernel does not tell of its sockets")?;
    let bound = bind(path);
    let verdict = verdict(path, &found, bound);
    Ok(report(&shell_word(path), path.to_string_lossy().into_owned(), &found, bound, verdict))
}

/// `netplay why @NAME`: the bind is tried, because it leaves nothing behind.
pub(super) fn answer_abstract(label: &[u8]) -> anyhow::Result<Answer> {
    let named = |one: &Unix| matches!(&one.name, Some(UnixName::Abstract(other)) if other == label);
    let all = inspect::unix().context("the kernel does not tell of its sockets")?;
    let sockets: Vec<Unix> = all.into_iter().filter(named).collect();
    let holders = inspect::holders(sockets.iter().map(|socket| socket.inode), PATIENCE);
    let found = Found { sockets, holders };
    let text = format!("@{}", escape(label));
    let address = SockAddr::unix(std::ffi::OsStr::from_bytes(&[b"\0", label].concat()))
        .with_context(|| format!("{text} is too long for the name of a socket"))?;
    let bound = call::socket(Domain::UNIX, Type::STREAM, 0)
        .and_then(|socket| call::bind(&socket, address))
        .map_err(|error| error.errno());
    let verdict = match bound {
        Ok(()) => (
            "no socket has this name: a bind works. A server of netplay takes a path, and to it this name is \
             another file"
                .to_owned(),
            "netplay unix-server PATH".to_owned(),
        ),
        Err(errno) => (
            format!("a second bind fails for {}, whatever its options", name(errno)),
            "take another name".to_owned(),
        ),
    };
    Ok(report(&text, text.clone(), &found, bound, verdict))
}

fn report(
    shown: &str,
    path: String,
    found: &Found,
    bound: Result<(), Errno>,
    (why, next): (String, String),
) -> Answer {
    let mut text = format!("{shown} on this host\n");
    let mut rows = Vec::new();
    for socket in found.open() {
        let what = if socket.listening { State::LISTEN.name() } else { "datagrams" };
        rows.push(vec![format!("unix {what}"), found.owner(socket)]);
        if let (true, Some(waiting), Some(backlog)) =
            (socket.listening, socket.receive_queue, socket.send_queue)
        {
            let full = if waiting > backlog { ": full, a further connect waits" } else { "" };
            rows.push(vec![
                String::new(),
                format!("accept queue {waiting}, backlog {backlog}{full}"),
            ]);
        }
    }
    columns(&rows).for_each(|line| text += &format!("{line}\n"));
    let connected = found.sockets.iter().filter(|one| one.connected).count();
    if connected > 0 {
        text += &format!("  {}\n", counted(connected as u64, "connection"));
    }
    text += &format!("why: {why}\nnext: {next}\n");
    let sockets = found.sockets.iter().map(|socket| {
        json!({
            "listening": socket.listening,
            "receive_queue": socket.receive_queue,
            "send_queue": socket.send_queue,
            "inode": socket.inode,
            "uid": socket.uid,
            "holders": facts(found.holders.of(socket.inode)),
        })
    });
    let facts = json!({
        "path": path,
        "sockets": sockets.collect::<Value>(),
        "bind": bound.err().map(name),
        "why": [why],
        "next": [next],
    });
    Answer { key: "path", text, facts }
}

/// Why, and what to do next.
fn verdict(path: &Path, found: &Found, bound: Result<(), Errno>) -> (String, String) {
    let shown = shell_word(path);
    let another = || "take another path".to_owned();
    let length = path.as_os_str().len();
    if length > LONGEST_PATH {
        let why = format!(
            "the path has {length} bytes, and a socket's name has room for {LONGEST_PATH} and a zero byte \
             (unix(7)): neither a bind nor a connect can be made"
        );
        return (why, "take a shorter path, or a relative one".to_owned());
    }
    let Ok(about) = fs::symlink_metadata(path) else {
        return nothing_there(path, found, bound);
    };
    let kind = about.file_type();
    if let Some(socket) = found.open().next() {
        let pids = found.holders.of(socket.inode).iter().map(|holder| holder.pid.to_string());
        let pids: Vec<String> = pids.collect();
        let may = access(path, AccessFlags::W_OK).is_ok();
        let mut ways = Vec::new();
        if socket.listening && socket.kind == UnixKind::Stream && may {
            ways.push(format!("netplay unix-client {shown}"));
        }
        if pids.is_empty() {
            ways = vec![format!("sudo netplay why {shown}")];
        } else {
            ways.push(format!("kill {}", pids.join(" ")));
        }
        let since = about.modified().map(|time| format!(" since {}", clock(time)));
        let mut why = match kind.is_symlink() {
            false => format!(
                "the file is bound{}: a second bind fails, whatever its options",
                since.unwrap_or_default()
            ),
            true => "that is a symbolic link to the socket's file: a connect follows it, and a bind does \
                     not, so it fails for EADDRINUSE"
                .to_owned(),
        };
        if !may {
            why += "; you may not connect, because you may not write to the file";
        }
        return (why, ways.join(", or "));
    }
    let reached = connect(path);
    let bound_only = found.sockets.iter().find(|one| !one.connected);
    if let Some(socket) = bound_only {
        let pids = found.holders.of(socket.inode).iter().map(|holder| holder.pid.to_string());
        let pids: Vec<String> = pids.collect();
        let why = format!(
            "{} has bound the file and does not listen: a connect is refused, and a bind fails for EADDRINUSE",
            found.owner(socket)
        );
        let next = if pids.is_empty() { another() } else { format!("kill {}", pids.join(" ")) };
        return (why, next);
    }
    // A socket in the file system is seen from every network; the list of sockets is this network's.
    if matches!(reached, Ok(()) | Err(Errno::EAGAIN | Errno::EPROTOTYPE)) {
        let why = "a server of another network (in a container, perhaps) is behind the file: a bind fails for \
                   EADDRINUSE"
            .to_owned();
        return (why, another());
    }
    let connect = match reached {
        Err(Errno::ECONNREFUSED) => "a connect is refused".to_owned(),
        Err(errno) => format!("a connect fails for {}", name(errno)),
        Ok(()) => String::new(),
    };
    if kind.is_symlink() {
        let why = format!(
            "that is a symbolic link to {}: a bind does not follow it, and fails for EADDRINUSE; {connect}",
            fs::read_link(path).map_or_else(|_| "a file".to_owned(), |to| shell_word(&to))
        );
        return (why, another());
    }
    if !kind.is_socket() {
        let what = if kind.is_dir() { "a folder" } else { "a file" };
        let why =
            format!("that is {what}, and no socket: a bind fails for EADDRINUSE, and {connect}");
        return (why, another());
    }
    if reached == Err(Errno::EACCES) {
        let why = "the file is there, and a bind fails for EADDRINUSE; whether a server is behind it cannot be \
                   seen from here, because you may not write to it"
            .to_owned();
        return (why, format!("sudo netplay why {shown}"));
    }
    let dead = format!(
        "the file is there and no socket behind it: its server ended without unlink. Now {connect}, and a bind \
         fails for EADDRINUSE until the file is removed"
    );
    match removable(path, &about) {
        true => (format!("{dead}; netplay's server does so itself"), format!("rm {shown}")),
        false => (format!("{dead}, which you may not do here"), format!("sudo rm {shown}")),
    }
}

/// The same where no file is.
fn nothing_there(path: &Path, found: &Found, bound: Result<(), Errno>) -> (String, String) {
    let shown = shell_word(path);
    let server = format!("netplay unix-server {shown}");
    let another = || "take another path".to_owned();
    let Err(errno) = bound else {
        return match found.open().next() {
            Some(_) => (
                "the file is gone: connections live on, and no client can make a new one. A bind makes a new \
                 file"
                .to_owned(),
                "start the server again".to_owned(),
            ),
            None => ("there is no such file: a bind makes it".to_owned(), server),
        };
    };
    let (folder, words, name) =
        (shell_word(folder(path)), crate::call::strerror(errno), name(errno));
    match errno {
        Errno::ENOENT if path.as_os_str().as_bytes().ends_with(b"/") => (
            format!(
                "the path ends with a slash, which is the name of a folder: a bind fails for {name}"
            ),
            another(),
        ),
        Errno::ENOENT => (
            format!("there is no folder {folder}: a bind and a connect fail for {name}"),
            format!("mkdir -p {folder}"),
        ),
        // There is no file, so it is its folder that does not let a new one in.
        _ if fs::symlink_metadata(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound) =>
        {
            (
                format!("you may not make a file in {folder} ({words}): a bind fails for {name}"),
                another(),
            )
        }
        _ => (
            format!(
                "this path cannot be reached from here ({words}): a bind and a connect both fail for {name}"
            ),
            another(),
        ),
    }
}

/// What a bind of the path would bring. It is not tried, because it would leave a file: these are the
/// questions that the kernel asks, in its order (unix(7), path_resolution(7)).
fn bind(path: &Path) -> Result<(), Errno> {
    let of = |error: io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EINVAL));
    if path.as_os_str().len() > LONGEST_PATH {
        return Err(Errno::ENAMETOOLONG);
    }
    match fs::symlink_metadata(path).map_err(of) {
        // Whatever it is, a link that leads nowhere as well.
        Ok(_) => return Err(Errno::EADDRINUSE),
        Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    if path.as_os_str().as_bytes().ends_with(b"/") {
        return Err(Errno::ENOENT);
    }
    let folder = folder(path);
    fs::metadata(folder).map_err(of)?;
    access(folder, AccessFlags::W_OK | AccessFlags::X_OK)
}

/// What a connect brings, tried without waiting.
fn connect(path: &Path) -> Result<(), Errno> {
    let address = SockAddr::unix(path).map_err(|_| Errno::ENAMETOOLONG)?;
    let tried = || -> call::Result<()> {
        let socket = call::socket(Domain::UNIX, Type::STREAM, 0)?;
        let flags = OFlag::from_bits_retain(call::fcntl(&socket, FcntlArg::F_GETFL)?);
        call::fcntl(&socket, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        call::close(call::connect::<UnixStream>(socket, address)?)
    };
    tried().map_err(|error| error.errno())
}

/// Whether this process may: with its effective user and groups, as bind asks.
fn access(path: &Path, mode: AccessFlags) -> Result<(), Errno> {
    faccessat(AT_FDCWD, path, mode, AtFlags::AT_EACCESS)
}

/// Where the file would be.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether the file may be removed: its folder may be written to, and is not sticky, or one of the two is ours.
fn removable(path: &Path, about: &fs::Metadata) -> bool {
    let folder = folder(path);
    let Ok(place) = fs::metadata(folder) else { return false };
    let me = geteuid();
    let sticky = place.mode() & libc::S_ISVTX != 0;
    let ours = me.is_root() || [about.uid(), place.uid()].contains(&me.as_raw());
    access(folder, AccessFlags::W_OK | AccessFlags::X_OK).is_ok() && (!sticky || ours)
}

/// After a bind of a path that was in use.
pub(super) fn bind_hint(path: &Path) -> Option<String> {
    let found = look(path, HINT_PATIENCE).ok()?;
    if let Some(taken) = no_socket(path, &found)? {
        return Some(taken);
    }
    let Some(socket) = found.open().next() else {
        let (why, next) = verdict(path, &found, bind(path));
        return Some(format!("{why}: {next}"));
    };
    let pids = found.holders.of(socket.inode).iter().map(|one| one.pid.to_string());
    let pids: Vec<String> = pids.collect();
    let stop = if pids.is_empty() { String::new() } else { format!(" (kill {})", pids.join(" ")) };
    let (owner, shown) = (found.owner(socket), shell_word(path));
    Some(format!("{owner} has {shown}: stop it{stop} or take another path"))
}

/// After a connect to a path that was refused.
pub(super) fn connect_hint(path: &Path) -> Option<String> {
    let found = look(path, HINT_PATIENCE).ok()?;
    if let Some(taken) = no_socket(path, &found)? {
        return Some(taken);
    }
    if found.open().next().is_some() {
        return None;
    }
    if found.sockets.iter().all(|one| one.connected) {
        let shown = shell_word(path);
        return Some(format!(
            "no program listens at {shown} any more, its server ended without unlink: start the server again"
        ));
    }
    let (why, _) = verdict(path, &found, bind(path));
    Some(format!("{why}: start the server again"))
}

/// That something else than a socket is there; `None` if nothing is.
fn no_socket(path: &Path, found: &Found) -> Option<Option<String>> {
    let about = fs::symlink_metadata(path).ok()?;
    let other = !about.file_type().is_socket() && found.sockets.is_empty();
    Some(other.then(|| {
        format!("{} is there already, and no socket: take another path", shell_word(path))
    }))
}
