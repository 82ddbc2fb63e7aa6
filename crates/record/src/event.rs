//! A line of a trace.

use serde::{Deserialize, Serialize, Serializer};

use super::{Call, Outcome, Strace, Text, errno_name};

/// One line of a trace: a call, an operation of a ring, or a note between calls. `schema/trace.schema.json` says the same
/// for programs.
///
/// Keys are only ever added. What is unknown is `null`; the keys from `out` on are left out then.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Event {
    /// The version of this format: 1.
    pub v: u32,
    /// What the line is about.
    pub kind: Kind,
    /// When the call began: nanoseconds of CLOCK_MONOTONIC, comparable within one boot of one host.
    pub start_ns: u64,
    /// How long it took, in nanoseconds; waiting included.
    pub dur_ns: u64,
    /// When it began, as calendar time (RFC 3339).
    pub wall: Text,
    /// The process.
    pub pid: i32,
    /// The thread; equal to `pid` in a process's first thread.
    pub tid: i32,
    /// The role of the process: `server`, `client`, or another name that a program gives itself.
    pub role: Text,
    /// The example: `tcp-echo`.
    pub example: Text,
    /// The call's name in the manual and on the page: `recv`.
    pub call: Option<Text>,
    /// The kernel's name for it, as strace shows: `recvfrom`.
    pub syscall: Option<Text>,
    /// The descriptor it was about.
    pub fd: Option<i32>,
    /// The arguments, as strace prints them.
    pub args: Option<Text>,
    /// The result; -1 if it failed. `None` for a call that had not returned when the record ended.
    pub ret: Option<i64>,
    /// Why it failed: `EAGAIN`.
    pub errno: Option<Text>,
    /// How many bytes moved.
    pub bytes: Option<u64>,
    /// The first 64 of them, escaped.
    pub data: Option<Text>,
    /// The address at this end.
    pub local: Option<Text>,
    /// The address at the other end.
    pub peer: Option<Text>,
    /// What strace prints after the result: `(in [3])`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out: Option<Text>,
    /// The value of a socket option in words: `1.5 s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Text>,
    /// Whether the socket carries datagrams, where the call by itself does not say so: some options mean something
    /// else for them, a `recv` may take one, a `recvfrom` may read a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datagrams: Option<bool>,
    /// What a wait found ready: `3 POLLIN, 5 POLLIN|POLLHUP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Text>,
    /// How many bytes there were: given to a send, or in the datagram received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<u64>,
    /// How many of the bytes are secret, and appear as `*` in `data` and `args`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<u64>,
    /// The state, queues and buffers of the socket after the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Text>,
    /// The number that links the completion of an operation to its submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<u64>,
    /// The sentence of a note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// The boot of this host that `start_ns` belongs to: the first eight digits of the kernel's boot id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Text>,
    /// What was called, as a value, read once from the keys above.
    #[serde(skip)]
    pub what: Call,
    /// For an operation of a ring: whether it completes until it is cancelled, or more completions follow this one.
    #[serde(skip)]
    pub again: bool,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Event::serialize(self, serializer)
    }
}

impl Event {
    /// The event of a call that was made outside of this program: what is known without a clock and without names. `strace` has the
    /// words of its line, because others call in forms that [`Call::strace`] does not print. Times, the process, its role and what the
    /// [descriptors](super::Descriptors) know are left to the caller.
    #[must_use]
    pub fn of(call: Call, outcome: &Outcome, strace: Strace) -> Event {
        let facts = call.facts(outcome);
        let Strace { syscall, args, out } = strace;
        Event {
            v: 1,
            kind: Kind::Call,
            call: Some(call.name().into()),
            syscall: Some(syscall.into()),
            args: Some(args.into()),
            out: out.map(Text::from),
            fd: outcome.fd,
            ret: outcome.ret,
            errno: outcome.errno.map(|errno| errno_name(errno).into()),
            bytes: facts.bytes,
            asked: facts.asked,
            data: facts.data.map(Text::from),
            hidden: facts.hidden,
            value: facts.value.map(Text::from),
            datagrams: facts.datagrams,
            ready: facts.ready.map(Text::from),
            local: facts.local.map(Text::from),
            peer: facts.peer.map(Text::from),
            what: call,
            ..Event::default()
        }
    }

    /// Whether it is a call that did not fail, and has returned.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.ret.is_some() && self.errno.is_none()
    }

    /// Whether it is a call that had not returned when the record ended.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.kind == Kind::Call && self.call.is_some() && self.ret.is_none() && self.errno.is_none()
    }

    /// When the event affects others, in nanoseconds of CLOCK_MONOTONIC: for a call that waits, when
    /// it returns; for any other, when it begins. So a `send` comes before the `recv` that it wakes. An
    /// operation of a ring is done when its completion is taken.
    #[must_use]
    pub fn moment(&self) -> u64 {
        let at_once = self.what.acts_at_once() && self.kind != Kind::Complete;
        match self.dur_ns {
            0..10_000_000 if at_once => self.start_ns,
            _ => self.start_ns + self.dur_ns,
        }
    }
}

/// What a line of a trace is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A system call.
    #[default]
    Call,
    /// An operation was written into the submission ring of io_uring: not a system call.
    Submit,
    /// Its completion was taken out of the ring: also not a system call. It began when it was
    /// submitted.
    Complete,
    /// A remark between calls.
    Note,
}
