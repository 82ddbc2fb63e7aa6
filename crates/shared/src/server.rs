//! What every server shares and no page is about: its settings, its answers, its ready line.

use std::borrow::Cow;
use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::address::{Endpoint, Family, LONGEST_PATH};
use crate::failure::{alone, in_words};
pub use netplay_call::descriptor::Tally;
use netplay_call::stop::in_a_hurry;
use netplay_call::{self as call, CallError};
use netplay_text::escape::{escape, escape_unicode, file_name};
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_text::words::{counted, grouped};
use netplay_trace::output::stdout;

/// What the command line, or a test, tells a server.
#[derive(Debug, Clone)]
pub struct ServerArgs {
    /// Where to listen.
    pub endpoint: Endpoint,
    /// Where to listen, for a server on a UNIX socket.
    pub path: PathBuf,
    /// How many finished connections may wait for accept; on Linux one more may.
    pub backlog: i32,
    /// The size of the receive buffer in bytes.
    pub bufsize: usize,
    /// What to answer to each receive; `None` for a server that never answers.
    pub reply: Option<Reply>,
    /// How many clients may be served at once; the others wait in the listener's queue.
    pub max_clients: usize,
    /// How long a client may be silent before it is closed; `None`: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long each answer pretends to take to work out.
    pub work: Duration,
    /// Whether to end after the first client (over UDP: the first datagram).
    pub once: bool,
    /// Whether a terminal is shown ASCII only.
    pub ascii: bool,
}

impl Default for ServerArgs {
    /// Any free port of 127.0.0.1, everything else as on the command line.
    fn default() -> ServerArgs {
        ServerArgs {
            endpoint: Endpoint::default(),
            path: PathBuf::new(),
            backlog: 128,
            bufsize: 1024,
            reply: Some(Reply::Echo),
            max_clients: 256,
            idle_timeout: None,
            work: Duration::ZERO,
            once: false,
            ascii: false,
        }
    }
}

impl ServerArgs {
    /// Whether a server that has accepted so many clients accepts no more, ever.
    #[must_use]
    pub fn full(&self, accepted: u64) -> bool {
        self.once && accepted > 0
    }

    /// How many clients may be served at once.
    #[must_use]
    pub fn at_once(&self) -> usize {
        if self.once { 1 } else { self.max_clients }
    }

    /// The answer to `data`. An echo is the data itself: no byte is copied.
    pub fn answer<'a>(&self, data: &'a [u8], made: &'a mut Vec<u8>) -> &'a [u8] {
        // After a signal no work is waited for: in one turn of a loop there may be that of hundreds of clients.
        if !self.work.is_zero() && !in_a_hurry() {
            call::catch_up(); // a trace has the request before the answer is worked out
            std::thread::sleep(self.work);
        }
        match &self.reply {
            None => &[],
            Some(Reply::Echo) => data,
            Some(Reply::Text(text)) => {
                made.clear();
                made.extend_from_slice(text);
                made
            }
            Some(Reply::Stamp(stamp)) => {
                made.clear();
                made.extend([stamp.open, &ctime(), stamp.middle].concat().bytes());
                made.extend(data);
                made.extend(stamp.close.bytes());
                made
            }
        }
    }
}

/// What a server answers to what it received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The same bytes.
    Echo,
    /// The time of day and the same bytes.
    Stamp(Stamp),
    /// Always this.
    Text(Cow<'static, [u8]>),
}

impl Reply {
    /// Always this text.
    #[must_use]
    pub const fn text(text: &'static str) -> Reply {
        Reply::Text(Cow::Borrowed(text.as_bytes()))
    }

    /// What is asked for by `echo`, `stamp` or any other text, of a server that usually answers so.
    #[must_use]
    pub fn asked(text: String, usual: Option<&Reply>) -> Reply {
        match (text.as_str(), usual) {
            ("echo", _) => Reply::Echo,
            ("stamp", Some(Reply::Stamp(usual))) => Reply::Stamp(*usual),
            ("stamp", _) => Reply::Stamp(Stamp::PLAIN),
            _ => Reply::Text(text.into_bytes().into()),
        }
    }
}

/// How a stamped answer is put together: open, time, middle, data, close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the three texts around the time and the data")]
pub struct Stamp {
    pub open: &'static str,
    pub middle: &'static str,
    pub close: &'static str,
}

impl Stamp {
    /// `[Sun Nov 22 10:29:29 2026] DATA`, for an example whose answer usually has no time.
    pub const PLAIN: Stamp = Stamp { open: "[", middle: "] ", close: "" };
}

/// The local time as C's `ctime` writes it, without its line end: `Sun Nov  1 10:29:29 2026`.
#[must_use]
pub fn ctime() -> String {
    chrono::Local::now().format("%a %b %e %H:%M:%S %Y").to_string()
}

/// What a server did, told when it ends, in the language of the process ([`Lang::current`]).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections accepted.
    pub clients: u64,
    /// Datagrams received. One sender may have sent all of them, or each may have had another.
    pub datagrams: u64,
    /// From how many addresses they came, as far as [`Senders`] counts; `None`: a server of connections.
    pub addresses: Option<u64>,
    /// Bytes received.
    pub received: u64,
    /// Bytes that the kernel took for sending.
    pub sent: u64,
    /// Calls that answered EAGAIN.
    pub eagain: u64,
    /// Requests that a handler failed to answer.
    pub failed: u64,
}

impl Stats {
    /// Those of a server without connections: it has datagrams and addresses, and no clients.
    #[must_use]
    pub fn of_datagrams() -> Stats {
        Stats { addresses: Some(0), ..Stats::default() }
    }

    /// Adds what another thread counted. How many addresses there are in all it cannot know: that is left alone.
    pub fn add(&mut self, other: Stats) {
        self.clients += other.clients;
        self.datagrams += other.datagrams;
        self.received += other.received;
        self.sent += other.sent;
        self.eagain += other.eagain;
        self.failed += other.failed;
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { clients, datagrams, addresses, received, sent, eagain, failed } = *self;
        let lang = Lang::current();
        let count = |n: u64, one: &str| lang.pick(counted(n, one), grouped(n));
        let mut said = Vec::new();
        said.push(match addresses {
            None => lang.pick(counted(clients, "client"), grouped(clients) + " 个客户端"),
            Some(_) if datagrams == 0 => lang.pick(counted(0, "datagram"), "0 个数据报".to_owned()),
            Some(addresses) => {
                let all = addresses < Senders::MOST as u64;
                let least = if all { "" } else { lang.pick("at least ", "至少 ") };
                let (datagrams, from) = (count(datagrams, "datagram"), count(addresses, "address"));
                say!(
                    lang,
                    "{datagrams} from {least}{from}",
                    "来自{least} {from} 个地址的 {datagrams} 个数据报"
                )
            }
        });
        // A server whose children do the talking has seen no bytes itself.
        if received > 0 || sent > 0 {
            let (received, sent) = (count(received, "byte"), grouped(sent));
            said.push(say!(
                lang,
                "{received} received, {sent} sent",
                "收到 {received} 字节，发送 {sent} 字节"
            ));
        }
        if eagain > 0 {
            let calls = count(eagain, "call");
            said.push(say!(
                lang,
                "{calls} with nothing to do (EAGAIN)",
                "{calls} 次调用无事可做 (EAGAIN)"
            ));
        }
        if failed > 0 {
            let failed = grouped(failed);
            said.push(say!(lang, "{failed} failed", "{failed} 个失败"));
        }
        f.write_str(&said.join(lang.pick(", ", "，")))
    }
}

/// The addresses from which datagrams came. They are all that a server without connections knows of its
/// clients: one program may send from several, and after it another may have the same.
#[derive(Debug, Default)]
pub struct Senders(HashSet<SocketAddr>);

impl Senders {
    /// No more are counted, because any program can write any sender's address on a datagram, and each is kept.
    pub const MOST: usize = 65_536;

    /// Notes the sender of a datagram, and returns how many there are.
    pub fn note(&mut self, sender: SocketAddr) -> u64 {
        if self.0.len() < Senders::MOST {
            self.0.insert(sender);
        }
        self.count()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }
}

/// What IPV6_V6ONLY is to be on a socket for `::`, which is every address of this machine: 0, so that clients of
/// IPv4 may come there as well, as ::ffff:192.0.2.7; 1 if `-6` asked for IPv6 alone. Another address needs no such
/// word. Where a program says none, the sysctl net.ipv6.bindv6only decides.
#[must_use]
pub fn v6_alone(address: SocketAddr, asked: Option<Family>) -> Option<i32> {
    (address.ip() == Ipv6Addr::UNSPECIFIED).then_some(i32::from(asked == Some(Family::V6)))
}

/// Tells on standard output, in one line that is written at once, where the server can be reached:
/// `ready: tcp 127.0.0.1:40321`. A script that has read it may connect.
///
/// # Errors
/// If standard output cannot be written: then no client could ever learn the port.
pub fn announce(kind: &str, address: impl fmt::Display) -> io::Result<()> {
    call::catch_up(); // a program that reads the line finds in the trace what led to it
    let mut out = stdout();
    writeln!(out, "ready: {kind} {address}")?;
    out.flush()?;
    drop(out);
    let then = READY.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(then) = then {
        then(&address.to_string());
    }
    Ok(())
}

/// What is done when the server is ready, with its address.
type Then = Box<dyn FnOnce(&str) + Send>;

static READY: Mutex<Option<Then>> = Mutex::new(None);

/// Does this once the first server of this process is ready: it learns the address, and so the port that the kernel
/// has chosen.
pub fn when_ready(then: impl FnOnce(&str) + Send + 'static) {
    *READY.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(then));
}

/// Shows a message on standard output, on a line of its own: as it is, or escaped on a terminal.
///
/// # Errors
/// If standard output cannot be written.
pub fn show(message: &[u8], ascii: bool) -> io::Result<()> {
    let mut out = stdout();
    if out.is_terminal() {
        let text = escape(message);
        let text = if ascii { escape_unicode(&text) } else { text };
        out.write_all(text.as_bytes())?;
    } else {
        out.write_all(message)?;
    }
    writeln!(out)?;
    out.flush()
}

/// Tells that a client was silent, or took nothing, for longer than it may.
pub fn idle(client: impl fmt::Display) {
    let lang = Lang::current();
    let told = say!(
        lang,
        "client {client} was idle for too long: its connection is closed",
        "客户端 {client} 空闲太久：它的连接被关闭",
    );
    tracing::info!("{told}");
}

/// Tells that the conversation with one client failed, over a connection or in datagrams. It is the
/// only one: the server goes on.
pub fn lost(client: impl fmt::Display, error: &(dyn Error + 'static)) {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    if causes.filter_map(|error| error.downcast_ref()).any(CallError::would_block) {
        idle(client); // SO_RCVTIMEO or SO_SNDTIMEO ran out
    } else {
        let lang = Lang::current();
        let error = in_words(error, lang);
        let told = say!(
            lang,
            "client {client}: {error}; only this client is affected",
            "客户端 {client}：{error}；只影响这一个客户端",
        );
        tracing::warn!("{told}");
    }
}

/// Why this cannot be the path of a UNIX socket.
#[must_use]
pub fn no_path(path: &Path) -> String {
    let name = file_name(path);
    match path.as_os_str().len() {
        length if length > LONGEST_PATH => say!(
            Lang::current(),
            "the path {name} is longer than the {LONGEST_PATH} bytes that fit",
            "路径 {name} 超过了 {LONGEST_PATH} 字节的上限",
        ),
        _ => say!(
            Lang::current(),
            "{name} cannot be the path of a socket",
            "{name} 不能作为套接字的路径",
        ),
    }
}

/// Tells that the file of a UNIX socket was removed, or why it was not.
pub fn unlinked(path: &Path, removed: io::Result<()>) {
    let (lang, path) = (Lang::current(), file_name(path));
    match removed {
        Ok(()) => {
            let told = say!(
                lang,
                "unlink {path}: the socket's file is removed",
                "unlink {path}：套接字的文件已删除",
            );
            tracing::info!("{told}");
        }
        Err(error) => {
            let error = alone(&error, lang);
            tracing::warn!("unlink {path}: {error}");
        }
    }
}

/// Tells what a client was served with, where that is not one answer after the other.
pub fn served(client: impl fmt::Display, what: impl fmt::Display) {
    let told = say!(Lang::current(), "client {client}: {what}", "客户端 {client}：{what}");
    tracing::info!("{told}");
}

/// Tells that this kernel does less than it was asked for, and what follows from that.
pub fn single_shot(error: impl fmt::Display) {
    let told = say!(
        Lang::current(),
        "{error}: this kernel has no multishot operations (Linux 6.1), so each one is submitted anew",
        "{error}：这个内核没有 multishot 操作 (Linux 6.1)，所以每个操作都要重新提交",
    );
    tracing::warn!("{told}");
}

/// Tells that a client was turned away, and why.
pub fn no_room(client: impl fmt::Display, why: impl fmt::Display) {
    let told = say!(
        Lang::current(),
        "client {client} is turned away: {why}; the other clients are not affected",
        "客户端 {client} 被拒绝：{why}；其他客户端不受影响",
    );
    tracing::warn!("{told}");
}

/// Why select cannot wait for a descriptor: it takes those below `end`.
#[must_use]
pub fn too_high(end: i32) -> String {
    say!(
        Lang::current(),
        "select takes descriptors below {end} only",
        "select 只接受小于 {end} 的描述符",
    )
}

/// Tells that a client was turned away because there can be no thread for it.
pub fn no_thread(client: impl fmt::Display, error: &io::Error) {
    let lang = Lang::current();
    let error = alone(error, lang);
    let why = say!(lang, "no thread can be started ({error})", "无法启动线程（{error}）");
    no_room(client, why);
}

/// That a server cannot have all its workers, where they are threads. The error behind it says why.
pub const NO_THREAD: NoThread = NoThread;

/// The type of [`NO_THREAD`], by which it is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoThread;

impl fmt::Display for NoThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Lang::current().pick("cannot start a worker thread", "无法启动工作线程"))
    }
}

/// Tells that a server has a worker less than it should, and why.
pub fn worker_missing(why: impl fmt::Display) {
    let told = say!(
        Lang::current(),
        "a worker is missing: {why}; the others go on",
        "少了一个工作进程：{why}；其他的继续工作",
    );
    tracing::warn!("{told}");
}
