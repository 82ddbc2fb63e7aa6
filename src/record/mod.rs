//! The record of a call, as a typed value: what was called, and all that can be said of it.
//!
//! ```text
//! the door (call)  ──▶  Call  ──▶  a sentence of the story        story
//! a line of a trace ─▶        ──▶  the short words of a picture   draw
//!                             ──▶  which way bytes went, whether it waits, which descriptors it moved
//! ```
//!
//! [`Call`] has a variant for each kind of call, and each kind has a file of its own here: an enum with a
//! variant a call, and one exhaustive match for each thing that can be said of it. A new system call is a new
//! variant there, and the compiler names every match that lacks it. Nowhere else is the text of a call read to
//! find out what it did.

use std::cell::RefCell;

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

mod bytes;
mod connection;
mod errno;
mod event;
mod option;
mod process;
mod ring;
pub(crate) mod text;
mod wait;

pub use bytes::{Beside, Bytes, Received, Urgent};
pub use connection::{Connection, Family, SocketKind, Type};
pub(crate) use errno::error_in_words;
pub use errno::strerror;
pub use event::{Event, Kind};
pub use option::{Fcntl, Sockopt};
pub use process::{Ending, Process};
pub use ring::Ring;
pub use wait::{Interest, Wait};

/// What was called, with what of its arguments and answers matters to others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Call {
    /// Nothing: a note stands between calls.
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

/// A call of a kind is a call.
macro_rules! kinds {
    ($($variant:ident($kind:ty)),+) => {
        $(impl From<$kind> for Call {
            fn from(call: $kind) -> Call {
                Call::$variant(call)
            }
        })+
    };
}

kinds!(
    Connection(Connection),
    Bytes(Bytes),
    Option(Sockopt),
    Wait(Wait),
    Process(Process),
    Ring(Ring)
);

thread_local! {
    /// What the event tells of that this thread makes just now.
    static TOLD: RefCell<Call> = const { RefCell::new(Call::None) };
}

/// Makes an event of `tracing` that tells of this call. Its fields are the texts and numbers that everybody may
/// listen to; who listens here asks [`told`] for the value.
pub(crate) fn tell(call: Call, event: impl FnOnce()) {
    TOLD.set(call);
    event();
    TOLD.take();
}

/// The call that the event of this moment tells of.
pub(crate) fn told() -> Call {
    TOLD.with_borrow(Clone::clone)
}

/// Which way something moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the other side.
    Out,
    /// From there.
    In,
    /// The other side's end was read.
    End,
}

/// What a call did to the descriptors of its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moves {
    /// Nothing.
    Nothing,
    /// It made a socket.
    Makes,
    /// It made one of the listener's connections.
    Accepts,
    /// It gave its descriptor back.
    Closes,
    /// It made a process that has all of them, too.
    Copies,
    /// A process has ended that had some.
    Ends,
}

/// What to say of a call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It only looks like a failure: the whole sentence.
    Ordinary(String),
    /// What to add to the words of the error.
    Because(&'static str),
}

/// What each kind of call can say of itself, and of the event that it was.
pub(crate) trait Told: Sized {
    /// The call of this name in a line of a trace.
    fn read(name: &str, event: &Event) -> Option<Self>;
    /// Its name in the manual.
    fn name(&self) -> &'static str;
    /// What it did, in an English sentence without a full stop.
    fn english(&self, event: &Event) -> String;
    /// Why it failed, in English, if there is more to say than the error's own words.
    fn failure(&self, errno: &str, event: &Event) -> Option<Failure>;
    /// The address without which its error means little.
    fn failed_at<'a>(&self, _event: &'a Event) -> Option<&'a str> {
        None
    }
    /// What the program asked, in the words of a picture; `on` is `recv(4)`.
    fn asked(&self, on: String, event: &Event) -> String;
    /// What the kernel answered; nothing where that it was done says all.
    fn answered(&self, event: &Event) -> String;
    /// Whether it waits for others.
    fn waits(&self) -> bool;
    /// Which way bytes moved, or an end.
    fn direction(&self, _event: &Event) -> Option<Direction> {
        None
    }
    /// What it did to descriptors, if it did not fail.
    fn moves(&self) -> Moves {
        Moves::Nothing
    }
    /// Whether it acts on others when it begins, and not when it returns.
    fn acts_at_once(&self) -> bool {
        false
    }
}

impl Call {
    /// What a line of a trace tells of.
    #[must_use]
    pub fn read(event: &Event) -> Call {
        let Some(name) = event.call.as_deref().filter(|_| event.kind != Kind::Note) else {
            return Call::None;
        };
        None.or_else(|| Connection::read(name, event).map(Call::Connection))
            .or_else(|| Bytes::read(name, event).map(Call::Bytes))
            .or_else(|| Sockopt::read(name, event).map(Call::Option))
            .or_else(|| Wait::read(name, event).map(Call::Wait))
            .or_else(|| Process::read(name, event).map(Call::Process))
            .or_else(|| Ring::read(name, event).map(Call::Ring))
            .unwrap_or(Call::Other)
    }

    /// Its name in the manual; empty for a note, and for a call that this version does not know.
    #[must_use]
    pub fn name(&self) -> &'static str {
        each!(self, "", call => call.name())
    }

    /// Whether it waits for others.
    #[must_use]
    pub fn waits(&self) -> bool {
        each!(self, false, call => call.waits())
    }

    /// What it did to the descriptors of its process, if it did not fail.
    #[must_use]
    pub fn moves(&self) -> Moves {
        each!(self, Moves::Nothing, call => call.moves())
    }

    /// Whether its result is a new descriptor, that is no other's.
    #[must_use]
    pub fn makes_a_descriptor(&self) -> bool {
        self.moves() == Moves::Makes
            || matches!(self, Call::Wait(Wait::EpollCreate) | Call::Ring(Ring::Setup(_)))
    }

    pub(crate) fn acts_at_once(&self) -> bool {
        each!(self, false, call => call.acts_at_once())
    }
}
