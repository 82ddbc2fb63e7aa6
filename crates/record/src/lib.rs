//! The record of a call, as a typed value: what was called, and everything that is said about it.
//!
//! ```text
//! the crate `call` ──▶  Call  ──▶  the line of strace, and the keys of JSON   with its Outcome
//! a line of a trace ─▶        ──▶  a sentence of the story                    story
//!                             ──▶  the short words of a picture               draw
//!                             ──▶  the direction of bytes, whether it waits, which descriptors it changed
//! ```
//!
//! [`Call`] has a variant for each kind of call, and each kind has its own file: an enum with a
//! variant for each call, and one exhaustive match for each thing that is said about it. A new system call is a new
//! variant there, and the compiler names every match that lacks it. No other code reads the text of a call to
//! find out what it did.
//!
//! ```
//! use netplay_record::Event;
//! use netplay_text::lang::Lang;
//!
//! let line = r#"{"v":1,"kind":"call","start_ns":0,"dur_ns":0,"wall":"","pid":1,"tid":1,"role":"client",
//!     "example":"tcp-echo","call":"send","syscall":"sendto","fd":3,
//!     "args":"3, \"hello\", 5, MSG_NOSIGNAL, NULL, 0","ret":5,"errno":null,"bytes":5,"data":"hello",
//!     "asked":5,"local":null,"peer":null}"#;
//! let event: Event = serde_json::from_str(line)?;
//! assert_eq!(event.strace(), r#"sendto(3, "hello", 5, MSG_NOSIGNAL, NULL, 0) = 5"#);
//! assert_eq!(event.sentence(Lang::En), r#"the kernel took 5 of 5 bytes: "hello""#);
//! assert_eq!(event.asked(Lang::En), r#"send(3) "hello""#);
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! A value that was read from a trace has what sentences and pictures need. It lacks what only strace prints,
//! such as the size of a buffer, because the line already has that text.

pub mod noise;

use std::cell::RefCell;
use std::fmt;
use std::net::Shutdown;

use netplay_text::lang::Lang;

/// The same for each kind.
macro_rules! each {
    ($call:expr, $none:expr, $of:ident => $said:expr) => {
        match $call {
            Call::None | Call::Other => $none,
            Call::Connection($of) => $said,
            Call::Bytes($of) => $said,
            Call::Option($of) => $said,
            Call::Wait($of) => $said,
            Call::Process($of) => $said,
            Call::Ring($of) => $said,
        }
    };
}

/// The names of the calls of a kind, as the manual has them.
macro_rules! names {
    ($name:ident: $($call:ident = $text:literal,)+) => {
        /// The calls of this kind by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = $text] $call,)+
        }

        impl $name {
            /// All of this kind.
            pub const ALL: &[$name] = &[$($name::$call),+];

            /// The name in the manual.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$call => $text,)+
                }
            }

            /// The call of this name, if it is of this kind.
            pub(super) fn of(text: &str) -> Option<$name> {
                match text {
                    $($text => Some($name::$call),)+
                    _ => None,
                }
            }
        }
    };
}

mod address;
mod bytes;
mod connection;
mod data;
mod entry;
mod descriptors;
mod errno;
mod event;
mod line;
mod message;
mod option;
mod process;
mod ring;
mod said;
pub mod strace;
pub mod text;
mod texts;
mod value;
mod wait;
mod what;

pub use address::address_text;
pub use bytes::*;
pub use connection::*;
pub use data::*;
pub use descriptors::{Descriptor, Descriptors};
pub use entry::{Answer, Entry, Submission};
pub use errno::{errno_name, errno_named, errnos, error_in_words, strerror};
pub use event::{Event, Kind};
pub use message::part;
pub use message::{Complaint, Control, Header};
pub use option::*;
pub use process::*;
pub use ring::*;
pub use texts::Text;
pub use value::OptValue;
pub use wait::*;
pub use what::What;

/// What was called, with the arguments and results that others need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Call {
    /// Nothing: a note between calls.
    #[default]
    None,
    /// A connection and its ends.
    Connection(Connection),
    /// Bytes that move.
    Bytes(Bytes),
    /// Options of a socket, flags of a descriptor.
    Option(Sockopt),
    /// A wait for many descriptors.
    Wait(Wait),
    /// Processes and signals.
    Process(Process),
    /// The rings of io_uring.
    Ring(Ring),
    /// A call that this version does not know, from a trace of another.
    Other,
}

/// A call of a kind is a call, and so is its name.
macro_rules! kinds {
    ($($variant:ident($kind:ty, $name:ident)),+) => {
        /// The name of a call, by its kind.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Name {
            $(#[doc = concat!("Of a [`", stringify!($kind), "`].")] $variant($name),)+
        }

        impl Name {
            /// The name in the manual: `recv`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Name::$variant(name) => name.as_str(),)+
                }
            }

            /// Every call that this version knows.
            pub fn all() -> impl Iterator<Item = Name> {
                std::iter::empty()$(.chain($name::ALL.iter().copied().map(Name::$variant)))+
            }

            /// The call of this name, if this version knows it.
            #[must_use]
            pub fn of(text: &str) -> Option<Name> {
                None $(.or_else(|| $name::of(text).map(Name::$variant)))+
            }
        }

        impl Call {
            /// The call of this name in a line of a trace.
            fn of_name(name: Name, event: &Event) -> Call {
                match name {
                    $(Name::$variant(name) => Call::$variant(<$kind>::read(name, event)),)+
                }
            }
        }

        $(
            impl From<$kind> for Call {
                fn from(call: $kind) -> Call {
                    Call::$variant(call)
                }
            }

            impl From<$name> for Name {
                fn from(name: $name) -> Name {
                    Name::$variant(name)
                }
            }
        )+
    };
}

kinds!(
    Connection(Connection, ConnectionName),
    Bytes(Bytes, BytesName),
    Option(Sockopt, SockoptName),
    Wait(Wait, WaitName),
    Process(Process, ProcessName),
    Ring(Ring, RingName)
);

thread_local! {
    /// The call of the event that this thread is making now.
    static TOLD: RefCell<(Call, bool)> = const { RefCell::new((Call::None, false)) };
}

/// Makes a `tracing` event for this call, which also says whether more completions follow. Its fields are
/// texts and numbers for any subscriber; netplay's own listeners get the value from [`told`].
pub fn tell(call: Call, again: bool, event: impl FnOnce()) {
    TOLD.set((call, again));
    event();
    TOLD.take();
}

/// The call of the event that is being made, and whether more completions follow.
pub fn told() -> (Call, bool) {
    TOLD.with_borrow(Clone::clone)
}

/// How a call ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The descriptor that it was about.
    pub fd: Option<i32>,
    /// What it returned; -1 if it failed. `None` if it has not returned.
    pub ret: Option<i64>,
    /// Why it failed.
    pub errno: Option<i32>,
}

impl Outcome {
    /// Its result, if it did not fail.
    pub fn done(&self) -> Option<i64> {
        self.ret.filter(|&ret| ret >= 0 && self.errno.is_none())
    }

    /// The descriptor as an argument.
    fn fd(&self) -> String {
        self.fd.map(|fd| fd.to_string()).unwrap_or_default()
    }
}

/// A call as strace prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strace {
    /// The kernel's name for it.
    pub syscall: &'static str,
    /// Its arguments.
    pub args: String,
    /// The text after the result: what the call wrote into its arguments.
    pub out: Option<String>,
}

impl Strace {
    /// This call with these arguments.
    pub fn new(syscall: &'static str, args: impl Into<String>) -> Strace {
        Strace { syscall, args: args.into(), out: None }
    }

    /// The same, with this text after the result.
    #[must_use]
    pub fn out(self, out: String) -> Strace {
        Strace { out: Some(out), ..self }
    }
}

/// The keys of a JSON line for a call, except its name, strace's words and its outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// How many bytes moved.
    pub bytes: Option<u64>,
    /// How many were asked for.
    pub asked: Option<u64>,
    /// The first of them, escaped.
    pub data: Option<String>,
    /// How many of them no record may show.
    pub hidden: Option<u64>,
    /// The value of a socket option.
    pub value: Option<String>,
    /// Whether the socket carries datagrams, if the call by itself does not say so.
    pub datagrams: Option<bool>,
    /// What a wait found.
    pub ready: Option<String>,
    /// The address of this end.
    pub local: Option<String>,
    /// The address of the other end.
    pub peer: Option<String>,
    /// What is known about the descriptor after this call.
    pub known: Known,
}

/// What is known about a descriptor after a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Known {
    /// Nothing new.
    #[default]
    Nothing,
    /// The address of this end, which the call has named.
    Local,
    /// The address of the other end.
    Peer,
    /// Whether its calls wait.
    Waits(bool),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The direction in which something moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the other side.
    Out,
    /// From there.
    In,
    /// The other side's end was read.
    End,
}

/// The direction in which the bytes of a call move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From this program.
    Out,
    /// To it.
    In,
}

/// What a call does to the descriptors of its process, and to the connections behind them, if it does not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moves {
    /// Nothing.
    Nothing,
    /// It makes a socket.
    Makes {
        /// Whether it carries messages, not a stream: datagrams, or packets.
        datagrams: bool,
    },
    /// It makes two sockets, which are connected to each other.
    MakesTwo {
        /// Whether they carry messages, not a stream.
        datagrams: bool,
        /// Their descriptors.
        fds: Option<[i32; 2]>,
    },
    /// It makes a descriptor that is not a socket.
    Opens,
    /// It returns another descriptor for what its own one means.
    Duplicates,
    /// It turns its socket into a listener.
    Listens,
    /// It hands out one of the listener's connections.
    Accepts {
        /// Whether calls on the new socket do not wait.
        nonblock: bool,
    },
    /// It connects its socket.
    Connects,
    /// It ends a direction of its connection, or both.
    Shuts(Shutdown),
    /// It closes its descriptor.
    Closes,
    /// It closes all descriptors from the first one to the last one.
    ClosesMany {
        /// The first.
        first: u32,
        /// The last.
        last: u32,
    },
    /// It makes a process that also has all of them.
    Copies,
    /// It closes those that are marked for it (FD_CLOEXEC): another program begins.
    Executes,
    /// It reports the end of a process that had some.
    Ends {
        /// The process, where the call names it; else its result does.
        child: Option<i32>,
    },
}

/// What a diagram shows of a call if it has no room for every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// The call and its answer.
    Itself,
    /// The arrow of what it sends.
    Arrow,
    /// Nothing: it only prepares, or asks.
    Nothing,
}

/// What to say about a call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It only looks like a failure: the whole sentence.
    Ordinary(String),
    /// What to add to the words of the error.
    Because(&'static str),
}

/// What each kind of call says about itself and its event.
pub trait Told: Sized {
    /// The names of this kind.
    type Name;
    /// The call of this name in a line of a trace.
    fn read(name: Self::Name, event: &Event) -> Self;
    /// Its name in the manual.
    fn name(&self) -> Self::Name;
    /// The call as strace prints it.
    fn strace(&self, outcome: &Outcome) -> Strace;
    /// Its keys in a JSON line.
    fn facts(&self, outcome: &Outcome) -> Facts;
    /// What it did, in a sentence without a full stop.
    fn sentence(&self, event: &Event, lang: Lang) -> String;
    /// Why it failed, if there is more to say than the error's own words.
    fn failure(&self, errno: &str, event: &Event, lang: Lang) -> Option<Failure>;
    /// The address to name in its error.
    fn failed_at<'a>(&self, _event: &'a Event) -> Option<&'a str> {
        None
    }
    /// What the program asked, in the words of a picture; `on` is `recv(4)`.
    fn asked(&self, on: String, event: &Event, lang: Lang) -> String;
    /// What the kernel answered; nothing if it only succeeded.
    fn answered(&self, event: &Event, lang: Lang) -> String;
    /// Whether it waits for others.
    fn waits(&self) -> bool;
    /// What it waits for, `waiting for a client`; nothing if it does not wait.
    fn waiting(&self, event: &Event, lang: Lang) -> Option<String>;
    /// The direction of its bytes.
    fn way(&self) -> Option<Way> {
        None
    }
    /// The direction in which bytes of a stream, datagrams or an end moved; whether it is known that they moved through
    /// a socket.
    fn direction(&self, _event: &Event, _socket: bool) -> Option<Direction> {
        None
    }
    /// Whether each of its messages has an address of its own.
    fn is_addressed(&self) -> bool {
        false
    }
    /// Whether what it moves is datagrams, as far as the call says; `None` if it moves nothing.
    fn has_datagrams(&self, _event: &Event) -> Option<bool> {
        None
    }
    /// The descriptors that it passes to another process.
    fn passes(&self) -> Vec<i32> {
        Vec::new()
    }
    /// The descriptors that it received from another process.
    fn receives(&self) -> Vec<i32> {
        Vec::new()
    }
    /// What it does to descriptors, if it does not fail.
    fn moves(&self) -> Moves;
    /// What a diagram shows of it.
    fn shows(&self) -> Shows;
    /// Whether it acts on others when it begins, and not when it returns.
    fn acts_at_once(&self) -> bool;
    /// Its result as strace prints it.
    fn result(&self, ret: i64) -> String {
        ret.to_string()
    }
}

impl Call {
    /// The call in a line of a trace.
    #[must_use]
    pub fn read(event: &Event) -> Call {
        let Some(name) = event.call.as_deref().filter(|_| event.kind != Kind::Note) else {
            return Call::None;
        };
        Name::of(name).map_or(Call::Other, |name| Call::of_name(name, event))
    }

    /// Its name in the manual; empty for a note, and for a call that this version does not know.
    #[must_use]
    pub fn name(&self) -> &'static str {
        each!(self, "", call => call.name().as_str())
    }

    /// Whether it waits for others.
    #[must_use]
    pub fn waits(&self) -> bool {
        each!(self, false, call => call.waits())
    }

    /// What it does to the descriptors of its process, if it does not fail.
    #[must_use]
    pub fn moves(&self) -> Moves {
        each!(self, Moves::Nothing, call => call.moves())
    }

    /// Which way its bytes move, if it moves any.
    #[must_use]
    pub fn way(&self) -> Option<Way> {
        each!(self, None, call => call.way())
    }

    /// Whether each of its messages has an address of its own.
    #[must_use]
    pub fn is_addressed(&self) -> bool {
        each!(self, false, call => call.is_addressed())
    }

    /// The descriptors that it passes to another process: SCM_RIGHTS.
    #[must_use]
    pub fn passes(&self) -> Vec<i32> {
        each!(self, Vec::new(), call => call.passes())
    }

    /// The descriptors that it received from another process.
    #[must_use]
    pub fn receives(&self) -> Vec<i32> {
        each!(self, Vec::new(), call => call.receives())
    }

    /// What a diagram shows of it.
    #[must_use]
    pub fn shows(&self) -> Shows {
        each!(self, Shows::Itself, call => call.shows())
    }

    /// Whether it acts on others when it begins, and not when it returns.
    #[must_use]
    pub fn acts_at_once(&self) -> bool {
        each!(self, false, call => call.acts_at_once())
    }

    /// The call in the words of strace.
    #[must_use]
    pub fn strace(&self, outcome: &Outcome) -> Strace {
        each!(self, Strace::new("", ""), call => call.strace(outcome))
    }

    /// What the keys of JSON say of it.
    #[must_use]
    pub fn facts(&self, outcome: &Outcome) -> Facts {
        each!(self, Facts::default(), call => call.facts(outcome))
    }

    /// Its result as strace prints it.
    pub fn result(&self, ret: i64) -> String {
        each!(self, ret.to_string(), call => call.result(ret))
    }
}
