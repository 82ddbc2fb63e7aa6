//! What a tracer sees of programs.

use netplay_record::Event;

use super::start::StartError;

/// A program among those that are watched: the first is 0.
pub type Program = usize;

/// Something that happened.
#[derive(Debug)]
pub enum Seen {
    /// A call returned, or had not when its process ended or [`pending`](crate::Tracer::pending) asked; or a remark between calls.
    Record {
        /// Whose.
        program: Program,
        /// All that is known of it, without a wall-clock time.
        event: Box<Event>,
    },
    /// A program waits for its first client: on a listener, or on a bound datagram socket.
    Waits(Program),
    /// A process ended; its last thread is gone.
    Ended {
        /// Whose.
        program: Program,
        /// Which process.
        pid: i32,
        /// How.
        status: Status,
        /// Whether no other process of this program is left.
        last: bool,
    },
    /// A program could not be started after all.
    Failed(Program, StartError),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It exited with this.
    Exited(i32),
    /// This signal ended it.
    Killed(i32),
}

impl Status {
    /// The exit code that a shell reports: 128 + n for signal n.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Status::Exited(code) => code,
            Status::Killed(signal) => 128 + signal,
        }
    }
}

/// Why [`turn`](crate::Tracer::turn) returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Some threads had stopped, and run again.
    Went,
    /// Some time has passed: 50 ms, whether anything happened or not.
    Tick,
    /// There is nothing left to watch.
    Over,
}

/// How much of a call is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Detail {
    /// How many bytes of each transfer.
    pub(crate) keep: usize,
    /// Whether the state of the socket.
    pub(crate) observe: bool,
}
