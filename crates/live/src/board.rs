//! The board beside the picture: what the programs do now, as the page reads it.
//!
//! Unlike the picture it has no past. So a browser is only told the newest one.

use serde::Serialize;

use super::sockets::Socket;

/// What the programs do now.
#[derive(Default, Clone, Serialize)]
pub(crate) struct Board {
    /// Counts the changes.
    #[serde(skip)]
    pub(crate) version: u64,
    /// Whether they run.
    pub(crate) started: bool,
    /// The call at whose entry a program is held.
    pub(crate) held: Option<Held>,
    /// The calls that have not returned.
    pub(crate) waits: Vec<Waits>,
    /// The sockets of the programs when they were looked at last; `None`: they have not been.
    pub(crate) sockets: Option<Vec<Socket>>,
    /// When that was, in nanoseconds from the start of the picture.
    pub(crate) at: Option<u64>,
    /// How many records the page has.
    pub(crate) has: usize,
    /// How many records it has no room for.
    pub(crate) left: usize,
}

/// A call that is held.
#[derive(Clone, PartialEq, Serialize)]
pub(crate) struct Held {
    pub(crate) n: u64,
    pub(crate) lane: String,
    pub(crate) call: String,
}

/// A call that a thread is in.
#[derive(Clone, PartialEq, Serialize)]
pub(crate) struct Waits {
    pub(crate) lane: String,
    pub(crate) call: String,
}
