//! Which receive took which bytes of which send.

use std::collections::HashMap;

use super::model::{Id, Model};
use super::wire::{Chunk, Wire};

impl Model<'_> {
    /// Matches the bytes of every connection whose two ends are known, by their offsets in the stream.
    pub(crate) fn match_bytes(&mut self) {
        let mut wires = HashMap::new();
        for id in 0..self.sockets.len() {
            if let Some(peer) = self.sockets[id].peer {
                wires.insert(id, self.wire(id, peer));
            }
        }
        self.wires = wires;
    }

    fn wire(&self, from: Id, to: Id) -> Wire {
        let known = [from, to].iter().all(|&id| self.sockets[id].from_birth);
        let mut wire = Wire { known, ..Wire::default() };
        let mut sends = self.sockets[from].sent.iter().map(|&i| (i, self.bytes(i)));
        let mut current: Option<(usize, u64)> = None;
        for &receive in &self.sockets[to].received {
            let mut wanted = self.bytes(receive);
            let from = wire.chunks.len();
            while wanted > 0 {
                let Some((send, left)) = current.or_else(|| sends.next()) else {
                    wire.known = false; // a record is missing
                    break;
                };
                if self.start(send) > self.finish(receive) {
                    wire.known = false; // no byte is received before it is sent
                }
                let taken = left.min(wanted);
                wanted -= taken;
                let last = taken == left;
                wire.push(Chunk { send, received: Some(receive), last });
                current = (!last).then_some((send, left - taken));
            }
            wire.places.insert(receive, (from, wire.chunks.len()));
        }
        for (send, _) in current.into_iter().chain(sends) {
            wire.push(Chunk { send, received: None, last: true });
        }
        wire
    }
}
