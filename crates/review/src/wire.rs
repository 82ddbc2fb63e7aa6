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
    /// The same of each send.
    pub(crate) sends: HashMap<usize, (usize, usize)>,
    /// Whether every byte that was received is known to have been sent.
    pub(crate) known: bool,
}

impl Wire {
    /// Adds the next bytes of the stream.
    pub(crate) fn push(&mut self, chunk: Chunk) {
        let at = self.chunks.len();
        self.sends.entry(chunk.send).or_insert((at, at)).1 = at + 1;
        self.chunks.push(chunk);
    }

    /// What became of the bytes of a send, in the order of the stream.
    pub(crate) fn of_send(&self, send: usize) -> &[Chunk] {
        let (from, to) = self.sends.get(&send).copied().unwrap_or_default();
        &self.chunks[from..to]
    }

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
