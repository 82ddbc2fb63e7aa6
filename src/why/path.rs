//! The path of a UNIX domain socket: which program listens there, and what a file without a socket means.

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

use super::answer::{Answer, HINT_PATIENCE, PATIENCE, reasons};
use super::port::no_list;
use super::words::{clock, columns, facts, name, owner};
use crate::address::LONGEST_PATH;
use crate::call::{self, Domain, FcntlArg, OFlag, Type, UnixStream};
use crate::escape::{escape, shell_word};
use crate::inspect::{self, Holders, State, Unix, UnixKind, UnixName};
use crate::lang::{Lang, Voice};
use crate::words::{counted, grouped};
use netplay_text::say;

struct Found {
    /// Those bound to the path. The sockets that a listener accepts have its name as well.
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

    fn owner(&self, socket: &Unix, lang: Lang) -> String {
        owner(socket.inode, socket.uid, &self.holders, lang)
    }

    /// The processes that hold a socket, as kill(1) takes them.
    fn pids(&self, socket: &Unix) -> Vec<String> {
        self.holders.of(socket.inode).iter().map(|holder| holder.pid.to_string()).collect()
    }
}

/// `netplay why PATH`.
pub(super) fn answer(path: &Path, voice: Voice) -> anyhow::Result<Answer> {
    let found = look(path, PATIENCE).context(no_list(voice.lang))?;
    let bound = bind(path);
    let verdict = verdict(path, &found, bound, voice.lang);
    let text = path.to_string_lossy().into_owned();
    Ok(report(&shell_word(path), text, &found, bound, verdict, voice))
}

/// `netplay why @NAME`: the bind is tried, because it leaves nothing behind.
pub(super) fn answer_abstract(label: &[u8], voice: Voice) -> anyhow::Result<Answer> {
    let lang = voice.lang;
    let named = |one: &Unix| matches!(&one.name, Some(UnixName::Abstract(other)) if other == label);
    let all = inspect::unix().context(no_list(lang))?;
    let sockets: Vec<Unix> = all.into_iter().filter(named).collect();
    let holders = inspect::holders(sockets.iter().map(|socket| socket.inode), PATIENCE);
    let found = Found { sockets, holders };
    let text = format!("@{}", escape(label));
    let address = SockAddr::unix(std::ffi::OsStr::from_bytes(&[b"\0", label].concat()))
        .with_context(|| {
            say!(
                lang,
                "{text} is too long for the name of a socket",
                "{text} 太长，不能作套接字的名字"
            )
        })?;
    let bound = call::socket(Domain::UNIX, Type::STREAM, 0)
        .and_then(|socket| call::bind(&socket, address))
        .map_err(|error| error.errno());
    let verdict = match bound {
        Ok(()) => (
            lang.pick(
                "no socket has this name, so a bind works. A server of netplay takes a path, and as a path \
                 this name means a file",
                "没有套接字用这个名字，所以可以 bind。netplay 的服务器接受的是路径，作为路径，这个名字指的是一个文件",
            )
            .to_owned(),
            "netplay unix-server PATH".to_owned(),
        ),
        Err(errno) => {
            let name = name(errno);
            (
                say!(
                    lang,
                    "a second bind fails with {name}, whatever its options",
                    "再次 bind 会以 {name} 失败，设什么选项都一样"
                ),
                lang.pick("take another name", "换一个名字").to_owned(),
            )
        }
    };
    Ok(report(&text, text.clone(), &found, bound, verdict, voice))
}

fn report(
    shown: &str,
    path: String,
    found: &Found,
    bound: Result<(), Errno>,
    (why, next): (String, String),
    voice: Voice,
) -> Answer {
    let lang = voice.lang;
    let mut text = voice.lines(&say!(lang, "{shown} on this host", "本机的 {shown}"));
    let mut rows = Vec::new();
    for socket in found.open() {
        let what = match socket.listening {
            true => State::LISTEN.name(),
            false => lang.pick("datagrams", "数据报"),
        };
        rows.push(vec![format!("unix {what}"), found.owner(socket, lang)]);
        if let (true, Some(waiting), Some(backlog)) =
            (socket.listening, socket.receive_queue, socket.send_queue)
        {
            let full = match waiting > backlog {
                true => {
                    lang.pick("; full, so a further connect waits", "；已满，后来的 connect 要等待")
                }
                false => "",
            };
            let queue = say!(
                lang,
                "accept queue {waiting}, backlog {backlog}{full}",
                "监听队列中 {waiting} 个，backlog {backlog}{full}"
            );
            rows.push(vec![String::new(), queue]);
        }
    }
    text.extend(columns(&rows, voice).iter().map(|line| format!("{line}\n")));
    let connected = found.sockets.iter().filter(|one| one.connected).count() as u64;
    if connected > 0 {
        let (en, zh) = (counted(connected, "connection"), grouped(connected));
        text += &say!(lang, "  {en}\n", "  {zh} 个连接\n");
    }
    let (why, next) = (vec![why], vec![next]);
    text += &reasons(&why, &next, voice);
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
        "why": why,
        "next": next,
    });
    Answer { key: "path", text, facts }
}

/// Why, and what to do next.
fn verdict(path: &Path, found: &Found, bound: Result<(), Errno>, lang: Lang) -> (String, String) {
    let said = |en: &str, zh: &str| lang.pick(en, zh).to_owned();
    let shown = shell_word(path);
    let another = || said("take another path", "换一个路径");
    let length = path.as_os_str().len();
    if length > LONGEST_PATH {
        let why = say!(
            lang,
            "the path has {length} bytes, and the name of a socket has room for {LONGEST_PATH} and a zero byte \
             (unix(7)): neither a bind nor a connect can be made",
            "路径有 {length} 字节，而套接字的名字只能放 {LONGEST_PATH} 字节和一个零字节（unix(7)）：\
             既不能 bind 也不能 connect"
        );
        return (why, said("take a shorter path, or a relative one", "用更短的路径，或相对路径"));
    }
    let Ok(about) = fs::symlink_metadata(path) else {
        return nothing_there(path, found, bound, lang);
    };
    let kind = about.file_type();
    if let Some(socket) = found.open().next() {
        let pids = found.pids(socket);
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
        let since = about.modified().map(|time| {
            let time = clock(time);
            say!(lang, " since {time}", "（自 {time} 起）")
        });
        let since = since.unwrap_or_default();
        let mut why = match kind.is_symlink() {
            false => say!(
                lang,
                "the file is bound{since}: a second bind fails, whatever its options",
                "文件已被绑定{since}：再次 bind 会失败，设什么选项都一样"
            ),
            true => said(
                "that is a symbolic link to the socket's file: a connect follows it; a bind does \
                 not, so it fails with EADDRINUSE",
                "这是指向套接字文件的符号链接：connect 会跟随它，bind 不会，所以以 EADDRINUSE 失败",
            ),
        };
        if !may {
            why += lang.pick(
                "; you may not connect, because you may not write to the file",
                "；你无权写这个文件，所以不能 connect",
            );
        }
        return (why, ways.join(lang.pick(", or ", "，或 ")));
    }
    let reached = connect(path);
    let bound_only = found.sockets.iter().find(|one| !one.connected);
    if let Some(socket) = bound_only {
        let (pids, owner) = (found.pids(socket), found.owner(socket, lang));
        let why = say!(
            lang,
            "{owner} has bound the file and does not listen: a connect is refused, and a bind fails with EADDRINUSE",
            "{owner} 绑定了这个文件但没有监听：connect 会被拒绝，bind 以 EADDRINUSE 失败"
        );
        let next = if pids.is_empty() { another() } else { format!("kill {}", pids.join(" ")) };
        return (why, next);
    }
    // A socket in the file system is seen from every network; the list of sockets is this network's.
    if matches!(reached, Ok(()) | Err(Errno::EAGAIN | Errno::EPROTOTYPE)) {
        let why = said(
            "a server of another network (perhaps in a container) is behind the file: a bind fails with \
             EADDRINUSE",
            "文件背后是另一个网络里的服务器（可能在容器里）：bind 以 EADDRINUSE 失败",
        );
        return (why, another());
    }
    let connect = match reached {
        Err(Errno::ECONNREFUSED) => said("a connect is refused", "connect 会被拒绝"),
        Err(errno) => {
            let name = name(errno);
            say!(lang, "a connect fails with {name}", "connect 以 {name} 失败")
        }
        Ok(()) => String::new(),
    };
    if kind.is_symlink() {
        let to = fs::read_link(path).map(|to| shell_word(&to));
        let to = to.unwrap_or_else(|_| said("a file", "某个文件"));
        let why = say!(
            lang,
            "that is a symbolic link to {to}: a bind does not follow it, and fails with EADDRINUSE; {connect}",
            "这是指向 {to} 的符号链接：bind 不跟随它，以 EADDRINUSE 失败；{connect}"
        );
        return (why, another());
    }
    if !kind.is_socket() {
        let why = match kind.is_dir() {
            true => say!(
                lang,
                "that is a folder, not a socket: a bind fails with EADDRINUSE, and {connect}",
                "那是目录，不是套接字：bind 以 EADDRINUSE 失败，{connect}"
            ),
            false => say!(
                lang,
                "that is a file, not a socket: a bind fails with EADDRINUSE, and {connect}",
                "那是普通文件，不是套接字：bind 以 EADDRINUSE 失败，{connect}"
            ),
        };
        return (why, another());
    }
    if reached == Err(Errno::EACCES) {
        let why = said(
            "the file is there, and a bind fails with EADDRINUSE; it cannot be seen from here whether a server is \
             behind it, because you may not write to it",
            "文件在，bind 以 EADDRINUSE 失败；你无权写它，所以从这里看不出背后有没有服务器",
        );
        return (why, format!("sudo netplay why {shown}"));
    }
    let removable = removable(path, &about);
    let end = match removable {
        true => lang.pick("; netplay's own server does so itself", "；netplay 的服务器会自己删除"),
        false => lang.pick(", which you may not do here", "，而你在这里无权删除"),
    };
    let why = say!(
        lang,
        "the file is there and no socket is behind it, because its server ended without unlink. Now {connect}, and a \
         bind fails with EADDRINUSE until the file is removed{end}",
        "文件在，但背后没有套接字，因为服务器结束时没有 unlink。现在{connect}，bind 以 EADDRINUSE 失败，\
         直到文件被删除{end}"
    );
    let sudo = if removable { "" } else { "sudo " };
    (why, format!("{sudo}rm {shown}"))
}

/// The same where no file is.
fn nothing_there(
    path: &Path,
    found: &Found,
    bound: Result<(), Errno>,
    lang: Lang,
) -> (String, String) {
    let said = |en: &str, zh: &str| lang.pick(en, zh).to_owned();
    let shown = shell_word(path);
    let server = format!("netplay unix-server {shown}");
    let another = || said("take another path", "换一个路径");
    let Err(errno) = bound else {
        return match found.open().next() {
            Some(_) => (
                said(
                    "the file is gone: its connections stay, and no client can make a new one. A bind makes a new \
                     file",
                    "文件已经没了：已有的连接还在，但客户端不能建立新连接。bind 会创建新文件",
                ),
                said("start the server again", "重新启动服务器"),
            ),
            None => (
                said("there is no such file: a bind makes it", "没有这个文件：bind 会创建它"),
                server,
            ),
        };
    };
    let (folder, words, name) =
        (shell_word(folder(path)), crate::call::strerror(errno), name(errno));
    match errno {
        Errno::ENOENT if path.as_os_str().as_bytes().ends_with(b"/") => (
            say!(
                lang,
                "the path ends with a slash, so it names a folder: a bind fails with {name}",
                "路径以斜杠结尾，指的是目录：bind 以 {name} 失败"
            ),
            another(),
        ),
        Errno::ENOENT => (
            say!(
                lang,
                "there is no folder {folder}: a bind and a connect fail with {name}",
                "没有目录 {folder}：bind 和 connect 都以 {name} 失败"
            ),
            format!("mkdir -p {folder}"),
        ),
        // There is no file, so it is the folder that refuses a new one.
        _ if fs::symlink_metadata(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound) =>
        {
            (
                say!(
                    lang,
                    "you may not make a file in {folder} ({words}): a bind fails with {name}",
                    "你无权在 {folder} 中创建文件（{words}）：bind 以 {name} 失败"
                ),
                another(),
            )
        }
        _ => (
            say!(
                lang,
                "this path cannot be reached from here ({words}): a bind and a connect both fail with {name}",
                "从这里到不了这个路径（{words}）：bind 和 connect 都以 {name} 失败"
            ),
            another(),
        ),
    }
}

/// What a bind of the path would return. It is not tried, because it would leave a file: these are the
/// checks that the kernel makes, in its order (unix(7), path_resolution(7)).
fn bind(path: &Path) -> Result<(), Errno> {
    let of = |error: io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EINVAL));
    if path.as_os_str().len() > LONGEST_PATH {
        return Err(Errno::ENAMETOOLONG);
    }
    match fs::symlink_metadata(path).map_err(of) {
        // Whatever it is; also a link that leads nowhere.
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

/// What a connect returns, tried without waiting.
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
pub(super) fn bind_hint(path: &Path, lang: Lang) -> Option<String> {
    let found = look(path, HINT_PATIENCE).ok()?;
    if let Some(taken) = no_socket(path, &found, lang)? {
        return Some(taken);
    }
    let Some(socket) = found.open().next() else {
        let (why, next) = verdict(path, &found, bind(path), lang);
        return Some(say!(lang, "{why}: {next}", "{why}：{next}"));
    };
    let pids = found.pids(socket);
    let stop = if pids.is_empty() { String::new() } else { format!(" (kill {})", pids.join(" ")) };
    let (owner, shown) = (found.owner(socket, lang), shell_word(path));
    Some(say!(
        lang,
        "{owner} has {shown}: stop it{stop} or take another path",
        "{owner} 占用了 {shown}：停掉它{stop}，或换一个路径"
    ))
}

/// After a connect to a path that was refused.
pub(super) fn connect_hint(path: &Path, lang: Lang) -> Option<String> {
    let found = look(path, HINT_PATIENCE).ok()?;
    if let Some(taken) = no_socket(path, &found, lang)? {
        return Some(taken);
    }
    if found.open().next().is_some() {
        return None;
    }
    if found.sockets.iter().all(|one| one.connected) {
        let shown = shell_word(path);
        return Some(say!(
            lang,
            "no program listens at {shown} any more, because its server ended without unlink: start the server again",
            "{shown} 上已经没有程序在监听，因为服务器结束时没有 unlink：重新启动服务器"
        ));
    }
    let (why, _) = verdict(path, &found, bind(path), lang);
    Some(say!(lang, "{why}: start the server again", "{why}：重新启动服务器"))
}

/// That something else than a socket is there; `None` if nothing is.
fn no_socket(path: &Path, found: &Found, lang: Lang) -> Option<Option<String>> {
    let about = fs::symlink_metadata(path).ok()?;
    let other = !about.file_type().is_socket() && found.sockets.is_empty();
    let shown = shell_word(path);
    Some(other.then(|| {
        say!(
            lang,
            "{shown} exists already and is not a socket: take another path",
            "{shown} 已经存在，而且不是套接字：换一个路径"
        )
    }))
}
