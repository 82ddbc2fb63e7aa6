//! The record of a call: one `tracing` event, made only if there is a listener.
//!
//! ```text
//! let step = Step::begin(BytesName::Recv, fd);          reads the clock, if there is a listener
//! let n    = …the system call…;
//! step.end(n, |n| Bytes::Recv(…))              makes the value of the call, if there is a listener
//! ```
//!
//! Everything in a record comes from this value and from the result of the call, its [`Outcome`].

use std::cell::Cell;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use socket2::SockAddr;
use tracing::{Level, event};

use super::clock::monotonic;
use super::error::{CallError, Result};
use super::gather::{self, Wait};
use super::known::descriptors;
use super::listener::{TARGET, listening};
use super::{hide, signal, state};
use netplay_record::{
    self as record, Answer as Completion, Call, Connection, Descriptor, Facts, Moves, Name,
    OptValue, Outcome, Strace, Submission, Text, Way, address_text, errno_name,
};

/// Whether a record also has the state of the socket after the call. That costs two or three
/// more system calls per record, which are the observer's own and are not recorded.
static OBSERVE: AtomicBool = AtomicBool::new(false);

/// Asks every record to carry the socket's state, queues and buffer sizes as well.
pub fn observe(on: bool) {
    OBSERVE.store(on, Relaxed);
}

/// A call that has begun.
pub(super) struct Step {
    call: Name,
    fd: Option<RawFd>,
    /// When it began; `None` without a listener.
    start: Option<u64>,
    /// What was known about the descriptor that this call closes.
    forgotten: Option<Box<Descriptor>>,
}

impl Step {
    #[inline]
    pub(super) fn begin(call: impl Into<Name>, fd: Option<RawFd>) -> Step {
        Step { call: call.into(), fd, start: listening().then(monotonic), forgotten: None }
    }

    /// Like [`begin`](Step::begin), for a call that may sleep: gathered events are written first.
    #[inline]
    pub(super) fn wait(call: impl Into<Name>, fd: Option<RawFd>, wait: Wait) -> Step {
        let start = listening().then(|| {
            gather::before(fd, wait);
            monotonic()
        });
        Step { call: call.into(), fd, start, forgotten: None }
    }

    /// Whether there is a listener.
    pub(super) fn listening(&self) -> bool {
        self.start.is_some()
    }

    /// Forgets the names of a descriptor before the call gives its number back to the kernel, which
    /// may hand it to another thread at once.
    pub(super) fn forget(mut self, fd: RawFd) -> Step {
        hide::forget(fd);
        if self.start.is_some() {
            self.forgotten = descriptors().forget(fd).map(Box::new);
        }
        self
    }

    /// The call has returned: records it as the value that `tell` makes of its result, if it did not
    /// fail, and names it in the error.
    #[inline]
    pub(super) fn end<T: Answer, C: Into<Call>>(
        self,
        result: io::Result<T>,
        tell: impl FnOnce(Option<&T>) -> C,
    ) -> Result<T> {
        if let Some(start) = self.start {
            let end = monotonic();
            let (ret, errno) = match &result {
                Ok(value) => (value.answer(), None),
                Err(error) => (-1, error.raw_os_error()),
            };
            let outcome = Outcome { fd: self.fd, ret: Some(ret), errno };
            let call = tell(result.as_ref().ok()).into();
            debug_assert_eq!(call.name(), self.call.as_str(), "the value is that of another call");
            let record = Record { call, via: Via::Call, outcome, start, end };
            record.tell(self.forgotten.map(|known| *known).unwrap_or_default());
        }
        result.map_err(|error| CallError::new(self.call, &error))
    }
}

/// What a record is about.
struct Record {
    call: Call,
    via: Via,
    outcome: Outcome,
    start: u64,
    end: u64,
}

impl Record {
    /// Tells this call, and the signal handlers that ran meanwhile.
    fn tell(self, forgotten: Descriptor) {
        let Record { start, end, outcome: Outcome { fd, ret, errno }, .. } = self;
        // A handler that ran between `start` and `end`: if it is what ended the call, it ran
        // before the call returned; otherwise the call was done, and it ran on the way out.
        let ended = match errno {
            Some(errno) => errno != libc::EAGAIN,
            None => ret == Some(0) && self.call.way() == Some(Way::In),
        };
        let cut_short =
            errno == Some(libc::EINTR) || ended && fd.is_some_and(signal::has_shut_down);
        record_handlers(if cut_short { end } else { start });
        emit(self, forgotten);
        record_handlers(end);
    }
}

/// How a call reached the kernel.
enum Via {
    /// As a system call.
    Call,
    /// It was written into the submission ring.
    Submission(Submission),
    /// Its answer was taken out of the completion ring.
    Completion(Completion),
}

/// Records that an operation is now in the submission ring; the call is the one that it stands for.
pub(super) fn submitted(call: Call, submission: Submission, at: u64) {
    record_handlers(at);
    let outcome = Outcome { fd: Some(submission.fd), ..Outcome::default() };
    let via = Via::Submission(submission);
    emit(Record { call, via, outcome, start: at, end: at }, Descriptor::default());
}

/// Records that the answer to an operation was taken out of the completion ring.
pub(super) fn completed(call: Call, fd: RawFd, answer: Completion, (start, end): (u64, u64)) {
    record_handlers(end);
    let ret = Some(answer.result.max(-1).into());
    let errno = (answer.result < 0).then_some(-answer.result);
    let outcome = Outcome { fd: Some(fd), ret, errno };
    emit(Record { call, via: Via::Completion(answer), outcome, start, end }, Descriptor::default());
}

/// The one place in the crate where a call becomes an event. `closed` is what was known of a descriptor that is
/// closed by now.
fn emit(record: Record, closed: Descriptor) {
    let Record { call, via, outcome, start, end } = record;
    let facts = match via {
        Via::Submission(_) => Facts::default(), // nothing has happened
        Via::Completion(_) if outcome.errno.is_some() => Facts::default(),
        Via::Call | Via::Completion(_) => {
            let facts = call.facts(&outcome);
            descriptors().learn(&call, &outcome, &facts);
            facts
        }
    };
    let gone = call.moves() == Moves::Closes;
    let known = match outcome.fd {
        Some(fd) if !gone => descriptors().get(fd).cloned().unwrap_or_default(),
        _ => closed,
    };
    let (mut local, peer) =
        (facts.local.map(Text::from).or(known.local), facts.peer.map(Text::from).or(known.peer));
    let state = outcome.fd.filter(|_| OBSERVE.load(Relaxed)).and_then(|fd| {
        let seen = state::of(fd, local.as_deref(), peer.as_deref(), gone);
        if local.is_none()
            && let Some(name) = &seen.local
        {
            local = Some(address_text(name).into());
            descriptors().entry(fd).local.clone_from(&local);
        }
        seen.text
    });
    let (kind, user_data, again) = match &via {
        Via::Call => (None, None, false),
        Via::Submission(of) => (Some("submit"), Some(of.user_data), of.is_often()),
        Via::Completion(of) => (Some("complete"), Some(of.user_data), of.more),
    };
    let (syscall, args, out) = match &via {
        Via::Call => {
            let Strace { syscall, args, out } = call.strace(&outcome);
            (Some(syscall), args, out)
        }
        Via::Submission(of) => (None, of.text(), None),
        Via::Completion(of) => (None, of.text(), None),
    };
    let name = call.name();
    let event = || {
        event!(
            target: TARGET,
            Level::INFO,
            kind,
            call = name,
            syscall,
            user_data,
            fd = outcome.fd,
            args,
            ret = outcome.ret,
            errno = outcome.errno.map(errno_name).as_deref(),
            out = out.as_deref(),
            value = facts.value.as_deref(),
            datagrams = facts.datagrams,
            ready = facts.ready.as_deref(),
            bytes = facts.bytes,
            asked = facts.asked,
            data = facts.data.as_deref(),
            hidden = facts.hidden,
            local = local.as_deref(),
            peer = peer.as_deref(),
            state = state.as_deref(),
            start_ns = start,
            dur_ns = end.saturating_sub(start),
        )
    };
    record::tell(call, again, event);
}

/// Records the calls that signal handlers of this thread made before this time, if they are not recorded yet.
fn record_handlers(before: u64) {
    signal::take(before, |made| {
        let failed = made.errno != 0;
        let outcome = Outcome {
            fd: Some(made.fd),
            ret: Some(if failed { -1 } else { 0 }),
            errno: failed.then_some(made.errno),
        };
        let call = Connection::Shutdown(Shutdown::Both).into();
        let (start, end) = (made.start, made.end);
        emit(Record { call, via: Via::Call, outcome, start, end }, Descriptor::default());
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

/// Holds the record still while the process forks, so that the child never inherits a lock whose
/// holder it did not inherit.
pub(super) fn hold() -> impl Sized {
    (descriptors(), hide::hold())
}

thread_local! {
    static WHO: Cell<Option<(i32, i32)>> = const { Cell::new(None) };
}

/// This process and this thread. The kernel is asked once per thread.
#[must_use]
pub fn who() -> (i32, i32) {
    WHO.get().unwrap_or_else(|| {
        let who = (nix::unistd::getpid().as_raw(), nix::unistd::gettid().as_raw());
        WHO.set(Some(who));
        who
    })
}

/// For a forked child: its one thread has a copy of its parent's memory, but another number.
pub(super) fn forget_who() {
    WHO.set(None);
}
