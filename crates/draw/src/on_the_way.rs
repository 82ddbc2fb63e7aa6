//! Datagrams that were sent and not received yet. Each `recv` asks which of them it took, and the answer must
//! not cost a look at all of them.

use std::collections::{BTreeMap, HashMap};

use super::Call;
use super::sockets::{is_wildcard, port, reaches};
use netplay_record::Event;

/// So many bytes a record shows at least, of those that there were.
const SHOWN: usize = 64;

/// What a datagram is known by: its size, and its first bytes.
pub(super) type Content<'a> = (Option<u64>, &'a str);

/// What was sent.
pub(super) fn sent_content(sent: &Event) -> Content<'_> {
    (sent.bytes, data(sent))
}

/// What must have been sent, if it was received whole; `None` where only a part is known.
pub(super) fn received_content(received: &Event) -> Option<Content<'_>> {
    let (size, data) = (size(received)?, data(received));
    let whole = received.bytes == Some(size) && (data.len() as u64 >= size || data.len() >= SHOWN);
    whole.then_some((Some(size), data))
}

/// Whether one can be the other: a datagram that was cut to fit is still the same one.
pub(super) fn is_same(sent: &Event, received: &Event) -> bool {
    let size = size(received);
    (sent.bytes == size || size.is_none()) && data(sent).starts_with(data(received))
}

fn size(received: &Event) -> Option<u64> {
    if received.may_be_cut() { None } else { received.asked.or(received.bytes) }
}

fn data(record: &Event) -> &str {
    record.data.as_deref().unwrap_or_default()
}

/// Datagrams from one address to another, as indices of calls, in the order of their sending.
#[derive(Debug, Default)]
pub(super) struct Queue<'a> {
    sent: Vec<usize>,
    /// So many of them were received, or lost.
    gone: usize,
    /// The places in `sent` of those with the same content.
    of_content: HashMap<Content<'a>, Vec<usize>>,
}

impl<'a> Queue<'a> {
    pub(super) fn push(&mut self, call: usize, calls: &'a [Call]) {
        let content = sent_content(&calls[call].record);
        self.of_content.entry(content).or_default().push(self.sent.len());
        self.sent.push(call);
    }

    /// The place of the first one, from this place on, that a `recv` can have taken.
    pub(super) fn find(&self, from: usize, taker: usize, calls: &[Call]) -> Option<usize> {
        let from = from.max(self.gone);
        let in_time = |&at: &usize| calls[self.sent[at]].from_ns <= calls[taker].to_ns;
        let received = &calls[taker].record;
        match received_content(received) {
            Some(content) => {
                let places = self.of_content.get(&content)?;
                places.get(places.partition_point(|&at| at < from)).copied().filter(in_time)
            }
            None => (from..self.sent.len())
                .take_while(in_time)
                .find(|&at| is_same(&calls[self.sent[at]].record, received)),
        }
    }

    pub(super) fn at(&self, place: usize) -> usize {
        self.sent[place]
    }

    /// Takes the one at this place away. One host keeps them in order: what was sent before it is lost.
    pub(super) fn take(&mut self, place: usize) -> impl Iterator<Item = usize> {
        let lost = self.gone..place;
        self.gone = place + 1;
        self.sent[lost].iter().copied()
    }

    fn left(&self) -> &[usize] {
        &self.sent[self.gone..]
    }
}

/// An address behind its port, so that those of a port stand together.
type Place = (String, String);

fn place(address: &str) -> Place {
    (port(address).unwrap_or_default(), address.to_owned())
}

/// Datagrams that were sent and not yet received: by where from, and by where to.
#[derive(Debug, Default)]
pub(super) struct OnTheWay<'a>(BTreeMap<Place, BTreeMap<Place, Queue<'a>>>);

impl<'a> OnTheWay<'a> {
    pub(super) fn queue(&mut self, from: &str, to: &str) -> &mut Queue<'a> {
        self.0.entry(place(from)).or_default().entry(place(to)).or_default()
    }

    pub(super) fn forget_empty(&mut self, from: &str, to: &str) {
        let to = place(to);
        if let Some(of_sender) = self.0.get_mut(&place(from))
            && of_sender.get(&to).is_some_and(|queue| queue.left().is_empty())
        {
            of_sender.remove(&to);
        }
    }

    /// Where a datagram can have been sent from, and where to, that came from `peer` to `local`. A sender
    /// bound to any address, `0.0.0.0:40312`, is seen as `127.0.0.1:40312` by its peer.
    pub(super) fn candidates(&self, peer: &str, local: &str) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for ((_, from), to_all) in
            of_place(&self.0, peer).filter(|((_, from), _)| reaches(peer, from))
        {
            let fits = of_place(to_all, local).filter(|((_, to), _)| reaches(to, local));
            pairs.extend(fits.map(|((_, to), _)| (from.clone(), to.clone())));
        }
        pairs
    }

    /// The datagrams that were not received, by their destination.
    pub(super) fn left(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.0.values().flatten().map(|((_, to), queue)| (to.as_str(), queue.left()))
    }
}

/// The entries of an address that may stand for any address of its port.
fn of_place<'m, T>(
    all: &'m BTreeMap<Place, T>,
    address: &str,
) -> Box<dyn Iterator<Item = (&'m Place, &'m T)> + 'm> {
    let (port, address) = place(address);
    if is_wildcard(&address) {
        let all = all.range((port.clone(), String::new())..);
        return Box::new(all.take_while(move |((of, _), _)| *of == port));
    }
    let mut keys = vec![address];
    if !port.is_empty() {
        keys.extend([format!("0.0.0.0:{port}"), format!("[::]:{port}")]);
    }
    keys.sort_unstable();
    Box::new(keys.into_iter().filter_map(move |key| all.get_key_value(&(port.clone(), key))))
}
