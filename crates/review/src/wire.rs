//! The bytes from one end of a connection to the other: which receive took what of which send.

use std::collections::HashMap;

/// Bytes of one send that one receive took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk {
    pub(crate) send: usize,
    /// `None`: they were never received.
    pub(crate) received: Option<usize>,
    /// Whether these are the last bytes of the send.
    pub(crate) last: bool,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    /// In the order of the stream.
    pub(crate) chunks: Vec<Chunk>,
    /// Where in `chunks` those of each receive begin and end.
    pub(crate) places: HashMap<usize, (usize, usize)>,
    /// Whether every byte that was received is known to have been sent.
    pub(crate) known: bool,
}

impl Wire {
    /// What was never received.
    pub(crate) fn unread(&self) -> impl Iterator<Item = &Chunk> {
        self.chunks.iter().filter(|chunk| chunk.received.is_none())
    }

    /// What a receive took.
    pub(crate) fn taken_by(&self, receive: usize) -> impl Iterator<Item = &Chunk> {
        let (from, to) = self.places.get(&receive).copied().unwrap_or_default();
        self.chunks[from..to].iter()
    }
}
