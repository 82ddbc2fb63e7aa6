//! The record of a call: one `tracing` event, made only if somebody listens.
//!
//! ```text
//! let step = Step::begin("recv", "recvfrom", fd);   reads the clock, if somebody listens
//! let n    = …the system call…;
//! step.end(n, |told, n| told.call(…).data(…))       describes it, if somebody listens
//! ```

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use socket2::SockAddr;
use tracing::{Level, enabled, event};

use super::clock::monotonic;
use super::error::{CallError, Result};
use super::gather::{self, Wait};
use super::hide::{self, Shown};
use super::message::Message;
use super::option::{Opt, OptValue, SO_REUSEADDR};
use super::{signal, state, strace, wait};
use crate::escape::{escape, escape_message};
use crate::record::{self, Call, Connection, SocketKind, Type};

/// The `target` of the events that are calls.
pub const TARGET: &str = "netplay::call";

/// How many of the bytes that moved a record shows.
pub(super) const SHOWN: usize = 64;

/// Whether a record also says what state the socket is in after the call. That costs two or three
/// further system calls a record, which are the observer's own and are not recorded.
static OBSERVE: AtomicBool = AtomicBool::new(false);

/// Asks every record to carry the socket's state, queues and buffer sizes as well.
pub fn observe(on: bool) {
    OBSERVE.store(on, Relaxed);
}

/// Whether anybody listens.
#[inline]
pub(super) fn listening() -> bool {
    enabled!(target: TARGET, Level::INFO)
}

/// A call that has begun.
pub(super) struct Step {
    call: &'static str,
    syscall: &'static str,
    fd: Option<RawFd>,
    /// When it began; `None` while nobody listens.
    start: Option<u64>,
    /// What was known of the descriptor that this call gives back.
    forgotten: Option<Box<Names>>,
}

impl Step {
    #[inline]
    pub(super) fn begin(call: &'static str, syscall: &'static str, fd: Option<RawFd>) -> Step {
        Step { call, syscall, fd, start: listening().then(monotonic), forgotten: None }
    }

    /// As [`begin`](Step::begin), for a call that may sleep: what was gathered is told before.
    #[inline]
    pub(super) fn wait(
        call: &'static str,
        syscall: &'static str,
        fd: Option<RawFd>,
        wait: Wait,
    ) -> Step {
        let start = listening().then(|| {
            gather::before(fd, wait);
            monotonic()
        });
        Step { call, syscall, fd, start, forgotten: None }
    }

    /// Whether anybody listens.
    pub(super) fn listening(&self) -> bool {
        self.start.is_some()
    }

    /// Forgets the names of a descriptor before the call gives its number back to the kernel, which
    /// may hand it to another thread at once.
    pub(super) fn forget(mut self, fd: RawFd) -> Step {
        hide::forget(fd);
        if self.start.is_some() {
            self.forgotten = names().remove(&fd).map(Box::new);
        }
        self
    }

    /// The call has returned: records it as `tell` describes it, and names it in the error.
    #[inline]
    pub(super) fn end<T: Answer>(
        self,
        result: io::Result<T>,
        tell: impl FnOnce(Told, Option<&T>) -> Told,
    ) -> Result<T> {
        if let Some(start) = self.start {
            let end = monotonic();
            let (ret, errno) = match &result {
                Ok(value) => (value.answer(), None),
                Err(error) => (-1, error.raw_os_error()),
            };
            let Names { local, peer, .. } =
                self.forgotten.map_or_else(Names::default, |names| *names);
            let told = Told {
                fd: self.fd,
                ret: Some(ret),
                errno,
                start,
                end,
                local,
                peer,
                ..Told::default()
            };
            // A handler that ran between `start` and `end`: if it is what ended the call, it ran
            // before the call returned; otherwise the call was done, and it ran on the way out.
            let cut_short = errno.is_some_and(|errno| errno != libc::EAGAIN)
                || ret == 0 && self.syscall == "recvfrom";
            record_handlers(if cut_short { end } else { start });
            tell(told, result.as_ref().ok()).emit(self.call, Some(self.syscall));
            record_handlers(end);
        }
        result.map_err(|error| CallError::new(self.call, &error))
    }
}

/// What the record of one call says, or of one operation of a ring.
#[derive(Default)]
pub(super) struct Told {
    call: Call,
    /// `submit` or `complete`; `None` for a call.
    kind: Option<&'static str>,
    user_data: Option<u64>,
    fd: Option<RawFd>,
    ret: Option<i64>,
    errno: Option<i32>,
    start: u64,
    end: u64,
    args: String,
    out: Option<String>,
    value: Option<String>,
    ready: Option<String>,
    bytes: Option<u64>,
    asked: Option<u64>,
    data: Option<String>,
    hidden: Option<u64>,
    local: Option<String>,
    peer: Option<String>,
}

impl Told {
    /// The submission of an operation with this number, or its completion.
    pub(super) fn operation(
        kind: &'static str,
        user_data: u64,
        fd: Option<RawFd>,
        (start, end): (u64, u64),
    ) -> Told {
        Told { kind: Some(kind), user_data: Some(user_data), fd, start, end, ..Told::default() }
    }

    /// What the operation answered: a result, or an error below zero.
    pub(super) fn answer(mut self, res: i32) -> Told {
        self.ret = Some(res.max(-1).into());
        self.errno = (res < 0).then_some(-res);
        self
    }

    /// Records the operation.
    pub(super) fn record(self, operation: &'static str) {
        record_handlers(self.end);
        self.emit(operation, None);
    }

    /// What was called, and its arguments as strace prints them.
    pub(super) fn call(mut self, call: impl Into<Call>, args: String) -> Told {
        self.call = call.into();
        self.args = args;
        self
    }

    /// What strace prints behind the result: what the call wrote into its arguments.
    pub(super) fn out(mut self, out: Option<String>) -> Told {
        self.out = out;
        self
    }

    /// The value of an option, in words.
    pub(super) fn value(mut self, value: Option<&OptValue>) -> Told {
        self.value = value.map(ToString::to_string);
        self
    }

    /// The value that an option was given, in words. What some options do depends on the kind of socket.
    pub(super) fn set(self, option: Opt, value: &OptValue) -> Told {
        let told = self.value(Some(value));
        let datagrams = told.fd.is_some_and(|fd| names().get(&fd).is_some_and(|of| of.datagrams));
        match told.value {
            Some(value) if option == SO_REUSEADDR && datagrams => {
                Told { value: Some(format!("{value}, of a datagram socket")), ..told }
            }
            _ => told,
        }
    }

    /// `socket` made a socket of this kind.
    pub(super) fn made(self, kind: SocketKind) -> Told {
        let datagrams = kind.ty == Type::Datagram;
        if let Some(fd) = self.ret.filter(|&fd| fd >= 0) {
            names().insert(fd as RawFd, Names { datagrams, ..Names::default() });
        }
        self
    }

    /// Which descriptors a wait found ready, and for what.
    pub(super) fn ready(mut self, ready: Option<String>) -> Told {
        self.ready = ready;
        self
    }

    /// What happened on the only descriptor of a poll.
    pub(super) fn polled(self, events: i16) -> Told {
        let fd = self.fd.unwrap_or(-1);
        self.ready(Some(format!("{fd} {}", wait::flags(events))))
    }

    /// The bytes that moved.
    pub(super) fn data(mut self, data: Option<Shown<'_>>) -> Told {
        if let Some(data) = data {
            self.bytes = Some(data.len() as u64);
            self.data = Some(escape_message(&data[..data.len().min(SHOWN)]));
            self.hidden = Some(data.hidden as u64).filter(|&hidden| hidden > 0);
        }
        self
    }

    /// The bytes of a message, and who sent it, if it says so.
    pub(super) fn message(self, message: &Message, data: Shown<'_>, received: usize) -> Told {
        let told = self.data(Some(data)).of(received);
        match message.peer() {
            Some(_) => told.about_peer(&message.name()),
            None => told,
        }
    }

    /// So many bytes moved, which this program never saw.
    pub(super) fn moved(mut self, bytes: Option<usize>) -> Told {
        self.bytes = bytes.map(|bytes| bytes as u64);
        self
    }

    /// How many bytes there were: given to a send, or in the datagram received.
    pub(super) fn of(mut self, asked: usize) -> Told {
        self.asked = Some(asked as u64);
        self
    }

    /// This address takes part in the call, but is not the socket's for good.
    pub(super) fn about_peer(mut self, peer: &SockAddr) -> Told {
        self.peer = Some(address_text(peer));
        self
    }

    /// As [`about_peer`](Told::about_peer), at this end.
    pub(super) fn about_local(mut self, local: &SockAddr) -> Told {
        self.local = Some(address_text(local));
        self
    }

    /// From now on the socket is known to be connected to this peer.
    pub(super) fn peer(self, peer: &SockAddr) -> Told {
        self.learn(|names| names.peer = Some(address_text(peer)))
    }

    /// From now on the socket is known by this address.
    pub(super) fn local(self, local: &SockAddr) -> Told {
        match local.as_socket() {
            // The kernel will choose the port; until it is asked, the address is not known.
            Some(address) if address.port() == 0 => self.about_local(local),
            _ => self.learn(|names| names.local = Some(address_text(local))),
        }
    }

    /// `accept` made a socket of the listener's address for this peer, if it says for whom.
    pub(super) fn accepted(mut self, fd: RawFd, peer: Option<&SockAddr>) -> Told {
        let mut names = names();
        let listener = self.fd.and_then(|fd| names.get(&fd)).and_then(|of| of.local.clone());
        // A listener on a wildcard address accepts on any of the machine's.
        let local =
            listener.filter(|local| !local.starts_with("0.0.0.0") && !local.starts_with("[::]"));
        let peer = peer.map(address_text);
        names.insert(fd, Names { local, peer: peer.clone(), ..Names::default() });
        drop(names);
        self.peer = peer;
        self
    }

    /// Whether calls on this descriptor wait, now that O_NONBLOCK was set or taken off.
    pub(super) fn waits(self, fd: RawFd, waits: bool) -> Told {
        names().entry(fd).or_default().never_waits = !waits;
        self
    }

    fn learn(self, learn: impl FnOnce(&mut Names)) -> Told {
        if let Some(fd) = self.fd {
            learn(names().entry(fd).or_default());
        }
        self
    }

    /// The one place in the crate where a call becomes an event.
    fn emit(mut self, call: &'static str, syscall: Option<&'static str>) {
        let what = std::mem::take(&mut self.call);
        let known = self.fd.and_then(|fd| names().get(&fd).cloned()).unwrap_or_default();
        let (mut local, peer) = (self.local.or(known.local), self.peer.or(known.peer));
        let state = self.fd.filter(|_| OBSERVE.load(Relaxed)).and_then(|fd| {
            let closed = call == "close";
            let seen = state::of(fd, local.as_deref(), peer.as_deref(), closed);
            if local.is_none()
                && let Some(name) = &seen.local
            {
                local = Some(address_text(name));
                names().entry(fd).or_default().local.clone_from(&local);
            }
            seen.text
        });
        let event = || {
            event!(
                target: TARGET,
                Level::INFO,
                kind = self.kind,
                call,
                syscall,
                user_data = self.user_data,
                fd = self.fd,
                args = self.args,
                ret = self.ret,
                errno = self.errno.map(errno_name).as_deref(),
                out = self.out.as_deref(),
                value = self.value.as_deref(),
                ready = self.ready.as_deref(),
                bytes = self.bytes,
                asked = self.asked,
                data = self.data.as_deref(),
                hidden = self.hidden,
                local = local.as_deref(),
                peer = peer.as_deref(),
                state = state.as_deref(),
                start_ns = self.start,
                dur_ns = self.end.saturating_sub(self.start),
            )
        };
        record::tell(what, event);
    }
}

/// Records what signal handlers of this thread have called before this time, and nobody has recorded.
fn record_handlers(before: u64) {
    signal::take(before, |made| {
        let told = Told {
            fd: Some(made.fd),
            ret: Some(if made.errno == 0 { 0 } else { -1 }),
            errno: (made.errno != 0).then_some(made.errno),
            start: made.start,
            end: made.end,
            ..Told::default()
        };
        let call = Connection::Shutdown(Shutdown::Both);
        told.call(call, strace::shutdown(made.fd, Shutdown::Both))
            .emit("shutdown", Some("shutdown"));
    });
}

/// The number the kernel returned for a value of this type.
pub(super) trait Answer {
    fn answer(&self) -> i64 {
        0
    }
}

impl Answer for () {}
impl Answer for SockAddr {}
impl Answer for OptValue {}

impl Answer for i32 {
    fn answer(&self) -> i64 {
        i64::from(*self)
    }
}

impl Answer for usize {
    fn answer(&self) -> i64 {
        *self as i64
    }
}

impl Answer for socket2::Socket {
    fn answer(&self) -> i64 {
        i64::from(self.as_raw_fd())
    }
}

impl<T: Answer> Answer for (T, SockAddr) {
    fn answer(&self) -> i64 {
        self.0.answer()
    }
}

/// What is known of a descriptor, as far as its calls have told it. Asking the kernel would be
/// further calls, which the program under study did not make.
#[derive(Clone, Default)]
struct Names {
    local: Option<String>,
    peer: Option<String>,
    /// It has O_NONBLOCK.
    never_waits: bool,
    /// It was made as a socket of datagrams.
    datagrams: bool,
}

/// Whether calls on this descriptor are known not to wait.
pub(super) fn never_waits(fd: RawFd) -> bool {
    names().get(&fd).is_some_and(|known| known.never_waits)
}

fn names() -> MutexGuard<'static, HashMap<RawFd, Names>> {
    static NAMES: LazyLock<Mutex<HashMap<RawFd, Names>>> = LazyLock::new(Mutex::default);
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Holds the record still while the process forks, so that the child never inherits a lock whose
/// holder it did not inherit.
pub(super) fn hold() -> impl Sized {
    (names(), hide::hold())
}

thread_local! {
    static WHO: Cell<Option<(i32, i32)>> = const { Cell::new(None) };
}

/// The process and the thread that this is. The kernel is asked once a thread.
#[must_use]
pub fn who() -> (i32, i32) {
    WHO.get().unwrap_or_else(|| {
        let who = (nix::unistd::getpid().as_raw(), nix::unistd::gettid().as_raw());
        WHO.set(Some(who));
        who
    })
}

/// In a forked child: its one thread has the memory of its parent's, and is another.
pub(super) fn forget_who() {
    WHO.set(None);
}

/// `127.0.0.1:5858`, `[::1]:5858`, a path, `@abstract`, or `(unnamed)`.
pub(super) fn address_text(address: &SockAddr) -> String {
    if let Some(address) = address.as_socket() {
        address.to_string()
    } else if let Some(path) = address.as_pathname() {
        escape(path.as_os_str().as_encoded_bytes())
    } else if let Some(name) = address.as_abstract_namespace() {
        format!("@{}", escape(name))
    } else {
        "(unnamed)".to_owned()
    }
}

/// `EAGAIN` for 11.
pub(super) fn errno_name(errno: i32) -> String {
    format!("{:?}", Errno::from_raw(errno))
}
