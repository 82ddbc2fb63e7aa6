//! Which call caused which: from connect to accept, from the bytes sent to the recv that took them, from
//! a close to the end that the peer reads.
//!
//! Bytes of a stream are matched by their offsets, for TCP keeps no other border: three sends and one
//! recv are three arrows into one. Datagrams are matched by their addresses, their order and what is in
//! them. An arrow that begins or ends nowhere was seen at one end only, though both were watched.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::Shutdown;

use serde::Serialize;

use super::acts::Acts;
use super::calls::{Process, process};
use super::on_the_way::{Content, OnTheWay, is_same, received_content, sent_content};
use super::sockets::{
    Id, Reachable, Socket, Sockets, is_for_many, is_of_its_host, is_wildcard, plain, port, reaches,
};
use super::{Call, Lane};
use netplay_record::text::NO_TRACE;
use netplay_record::{Direction, Kind, Moves, Text};

/// What went from one call to another.
#[derive(Debug, Clone, Serialize)]
pub struct Arrow {
    /// What went.
    pub kind: ArrowKind,
    /// Where from; `None`: no sender was observed.
    pub from: Option<Tip>,
    /// Where to; `None`: it was lost, or never read.
    pub to: Option<Tip>,
    /// How many bytes, if it was bytes.
    pub bytes: Option<u64>,
}

/// What an arrow stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ArrowKind {
    /// A connection: from `connect` to the `accept` that took it.
    Connect,
    /// Bytes of a stream.
    Bytes,
    /// A datagram.
    Datagram,
    /// The end of a stream: from `shutdown` or the last `close` to the `recv` that returned 0.
    End,
    /// A connection that was cut: to the call that failed with ECONNRESET.
    Reset,
    /// A copy of a process: from `fork` to the child's first record.
    Fork,
}

/// An end of an arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tip {
    /// An index of the timeline's lanes.
    pub lane: usize,
    /// An index of its calls; `None` at a side without a trace.
    pub call: Option<usize>,
    /// In nanoseconds from the timeline's start: when the causing call began, when the other returned.
    pub at_ns: u64,
}

/// Finds the arrows. A side that took part and left no trace gets a lane that says so.
pub(super) fn find(calls: &[Call], lanes: &mut Vec<Lane>, sockets: Sockets) -> Vec<Arrow> {
    let submits = calls.iter().enumerate().filter(|(_, call)| call.record.kind == Kind::Submit);
    let submitted = submits.map(|(i, call)| (operation(call), i)).collect();
    let (arrows, outside) = (Vec::new(), HashMap::new());
    let mut finder = Finder { calls, lanes, sockets, arrows, submitted, outside };
    finder.forks();
    finder.streams();
    finder.datagrams();
    let mut arrows = finder.arrows;
    arrows.sort_by_key(|arrow| {
        let at = |tip: &Option<Tip>| tip.map(|tip| tip.at_ns);
        at(&arrow.from).or(at(&arrow.to))
    });
    arrows
}

struct Finder<'a> {
    calls: &'a [Call],
    lanes: &'a mut Vec<Lane>,
    sockets: Sockets,
    arrows: Vec<Arrow>,
    /// The submissions of operations of a ring.
    submitted: HashMap<Operation, usize>,
    /// The lanes of sides without a trace, by role.
    outside: HashMap<&'static str, usize>,
}

/// What happened on one socket, as indices of calls.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) sent: Vec<usize>,
    pub(super) received: Vec<usize>,
    pub(super) ends: Vec<usize>,
    resets: Vec<usize>,
    pub(super) closes: Vec<usize>,
}

/// What happened on each socket.
pub(super) fn histories(calls: &[Call], sockets: &Sockets) -> Vec<History> {
    let mut histories: Vec<History> = Vec::new();
    histories.resize_with(sockets.all.len(), History::default);
    for &i in &sockets.order {
        for &id in sockets.ended.get(&i).into_iter().flatten() {
            histories[id].closes.push(i);
        }
        let is_stream = |&id: &Id| {
            let socket = &sockets.all[id];
            !socket.datagram || socket.pair.is_some()
        };
        let Some(id) = sockets.of_call[i].filter(is_stream) else { continue };
        let (call, history) = (&calls[i], &mut histories[id]);
        match call.record.direction_on_connection() {
            Some(Direction::Out) if moved(&calls[i]) == 0 && !sockets.all[id].datagram => {} // nothing goes
            Some(Direction::Out) => history.sent.push(i),
            Some(Direction::In) => history.received.push(i),
            Some(Direction::End) => history.ends.push(i),
            None if call.record.errno.as_deref() == Some("ECONNRESET") => history.resets.push(i),
            None if (closes(&calls[i]) || shutdown(&calls[i]).is_some())
                && call.record.errno.is_none()
                && !call.record.is_unfinished() =>
            {
                history.closes.push(i)
            }
            None => {}
        }
    }
    // A send stands where it began, a recv where it returned.
    histories.iter_mut().for_each(|history| history.sent.sort_by_key(|&i| calls[i].from_ns));
    histories
}

/// How many bytes a call moved.
pub(super) fn moved(call: &Call) -> u64 {
    call.record.bytes.unwrap_or_default()
}

/// Whether a call closes descriptors.
fn closes(call: &Call) -> bool {
    matches!(call.record.what.moves(), Moves::Closes | Moves::ClosesMany { .. } | Moves::Executes)
}

/// What a call shuts down.
fn shutdown(call: &Call) -> Option<Shutdown> {
    match call.record.what.moves() {
        Moves::Shuts(how) => Some(how),
        _ => None,
    }
}

/// Whether a call may be the one that ends what its own side sends.
pub(super) fn may_end_sending(call: &Call) -> bool {
    closes(call) || matches!(shutdown(call), Some(Shutdown::Write | Shutdown::Both))
}

impl Finder<'_> {
    fn forks(&mut self) {
        let forks = self.calls.iter().filter_map(|call| super::calls::fork(&call.record));
        let mut of_process: HashMap<Process, Vec<usize>> =
            forks.map(|(child, _)| (child, Vec::new())).collect();
        if of_process.is_empty() {
            return;
        }
        for (i, call) in self.calls.iter().enumerate() {
            if let Some(of_child) = of_process.get_mut(&process(&call.record)) {
                of_child.push(i);
            }
        }
        for (i, call) in self.calls.iter().enumerate() {
            // The number may have been another process's before.
            if let Some((child, parent)) = super::calls::fork(&call.record)
                && child != parent
                && let Some(of_child) = of_process.get(&child)
                && let Some(&born) =
                    of_child.iter().find(|&&born| self.calls[born].from_ns >= call.from_ns)
            {
                let to = Tip {
                    lane: self.calls[born].lane,
                    call: Some(born),
                    at_ns: self.calls[born].from_ns,
                };
                self.arrow(ArrowKind::Fork, Some(self.cause(i)), Some(to), None);
            }
        }
    }

    /// TCP and UNIX streams.
    fn streams(&mut self) {
        let histories = histories(self.calls, &self.sockets);
        let peers = self.connections(&histories);
        let watched = self.watched();
        for (id, history) in histories.iter().enumerate() {
            match peers.get(&id) {
                Some(&peer) if self.sockets.all[id].datagram => {
                    self.messages(history, &histories[peer]);
                }
                Some(&peer) => {
                    self.bytes(history, &histories[peer], self.known_from_start(id, peer));
                    self.ends(history, Some(&histories[peer]));
                }
                None if self.sockets.all[id].peer.is_some() => self.alone(id, history, &watched),
                None => {}
            }
        }
    }

    fn known_from_start(&self, id: Id, peer: Id) -> bool {
        [id, peer].into_iter().all(|id| self.sockets.all[id].from_birth)
    }

    /// Finds the two sockets of each connection, and draws how it came about.
    fn connections(&mut self, histories: &[History]) -> HashMap<Id, Id> {
        let all = &self.sockets.all;
        // UNIX sockets of clients have no name, and an address that a client never asks for is not in its
        // records: they are taken in the order in which they came, if what one sent is what the other received.
        let mut named: HashMap<&str, Vec<Id>> = HashMap::new();
        let mut unnamed: HashMap<&str, Vec<Id>> = HashMap::new();
        let call_of = |id: Id| all[id].connected_by.map(|call| &self.calls[call]);
        let mut clients: Vec<Id> = (0..all.len()).filter(|&id| is_client(&all[id])).collect();
        clients.sort_by_key(|&id| call_of(id).map(|call| call.from_ns));
        for id in clients {
            let (local, peer) =
                (all[id].local.as_deref(), all[id].peer.as_deref().unwrap_or_default());
            match local {
                Some(local) if is_inet(peer) => named.entry(local).or_default().push(id),
                _ => unnamed.entry(place(peer)).or_default().push(id),
            }
        }
        let pair = |(id, socket): (Id, &Socket)| Some((id, socket.pair?));
        // Each host has a loopback address and paths of its own.
        let meet = |client: Id, accepted: Id| {
            let to = all[client].peer.as_deref().unwrap_or_default();
            all[client].host == all[accepted].host || !is_of_its_host(to)
        };
        let mut pairs: HashMap<Id, Id> = all.iter().enumerate().filter_map(pair).collect();
        let mut accepted: Vec<Id> = (0..all.len()).filter(|&id| all[id].accepted).collect();
        accepted.sort_by_key(|&id| call_of(id).map(|call| call.to_ns));
        for id in accepted {
            let (Some(peer), Some(call)) = (&all[id].peer, call_of(id)) else { continue };
            let began =
                |client: Id| call_of(client).is_some_and(|connect| connect.from_ns <= call.to_ns);
            // A port may have been used before: the latest connect is meant.
            let by_name = named.get(peer.as_str()).and_then(|ids| {
                let before = &ids[..ids.partition_point(|&client| began(client))];
                before.iter().rfind(|&&client| meet(client, id)).copied()
            });
            let client = by_name.or_else(|| {
                let listener = plain(&call.record.local).unwrap_or_default();
                let waiting = unnamed.get_mut(place(&listener))?;
                let fits = |&client: &Id| {
                    let (here, there) = (&histories[id], &histories[client]);
                    let to = all[client].peer.as_deref().unwrap_or_default();
                    reaches(to, &listener)
                        && meet(client, id)
                        && began(client)
                        && self.may_be(here, there)
                        && self.may_be(there, here)
                };
                waiting.iter().position(fits).map(|at| waiting.remove(at))
            });
            if let Some(client) = client
                && !pairs.contains_key(&client)
            {
                pairs.insert(client, id);
                pairs.insert(id, client);
            }
        }
        self.handshakes(&pairs);
        pairs
    }

    /// Whether what one socket received first can be what the other sent first.
    fn may_be(&self, to: &History, from: &History) -> bool {
        let (Some(&taker), Some(&sender)) = (to.received.first(), from.sent.first()) else {
            return to.received.is_empty(); // what was not received may still have been sent
        };
        let (sent, received) = (&self.calls[sender], &self.calls[taker]);
        let (Some(sent_data), Some(received_data)) = (&sent.record.data, &received.record.data)
        else {
            return true;
        };
        // One may be shorter, and cut within a character: then that is escaped, and nothing is known of it.
        let differ = sent_data.chars().zip(received_data.chars()).find(|(a, b)| a != b);
        sent.from_ns <= received.to_ns && differ.is_none_or(|(a, b)| a == '\\' || b == '\\')
    }

    fn handshakes(&mut self, pairs: &HashMap<Id, Id>) {
        let listeners = self.sockets.all.iter().filter(|socket| socket.listens);
        let listening = Reachable::at(listeners.filter_map(|socket| socket.local.as_ref()));
        for id in 0..self.sockets.all.len() {
            let socket = &self.sockets.all[id];
            let Some(call) = socket.connected_by.filter(|_| !socket.datagram) else { continue };
            let role = socket.role.clone();
            match (socket.accepted, pairs.get(&id)) {
                (true, Some(&client)) => {
                    let from = self.sockets.all[client].connected_by.map(|by| self.cause(by));
                    self.arrow(ArrowKind::Connect, from, Some(self.effect(call)), None);
                }
                (true, None) => {
                    let from = self.beyond(&role, id, self.calls[call].to_ns);
                    self.arrow(ArrowKind::Connect, Some(from), Some(self.effect(call)), None);
                }
                (false, None) => {
                    let peer = socket.peer.clone().unwrap_or_default();
                    // A server listens there and never accepted it: it waits in the queue.
                    let watched = listening.by(&peer);
                    let to = (!watched).then(|| self.beyond(&role, id, self.calls[call].to_ns));
                    self.arrow(ArrowKind::Connect, Some(self.cause(call)), to, None);
                }
                (false, Some(_)) => {}
            }
        }
    }

    /// The bytes from one socket to its peer, by their offsets in the stream.
    fn bytes(&mut self, from: &History, to: &History, known: bool) {
        if !known {
            return; // a trace that began in the middle knows no offsets
        }
        let mut sent = from.sent.iter().map(|&i| (i, self.moved(i))).peekable();
        let mut found = Vec::new();
        let mut left = 0; // of the send that is being taken
        for &taker in &to.received {
            let mut wanted = self.moved(taker);
            while wanted > 0 {
                let Some(&(sender, all)) = sent.peek() else { break };
                if left == 0 {
                    left = all;
                }
                let taken = left.min(wanted);
                if taken > 0 {
                    found.push((Some(sender), Some(taker), taken));
                }
                left -= taken;
                wanted -= taken;
                if left == 0 {
                    sent.next();
                }
            }
            if wanted > 0 {
                found.push((None, Some(taker), wanted)); // a record is missing
            }
        }
        // What is left was never read.
        for (sender, all) in sent {
            let rest = if left > 0 { std::mem::take(&mut left) } else { all };
            if rest > 0 {
                found.push((Some(sender), None, rest));
            }
        }
        for (sender, taker, bytes) in found {
            let (from, to) = (sender.map(|i| self.cause(i)), taker.map(|i| self.effect(i)));
            self.arrow(ArrowKind::Bytes, from, to, Some(bytes));
        }
    }

    /// The datagrams from one socket of a pair to the other: all arrive, in the order in which they were sent.
    fn messages(&mut self, from: &History, to: &History) {
        for (nth, &sender) in from.sent.iter().enumerate() {
            let taker = to.received.get(nth).map(|&taker| self.effect(taker));
            let bytes = Some(self.moved(sender));
            self.arrow(ArrowKind::Datagram, Some(self.cause(sender)), taker, bytes);
        }
    }

    /// What this side heard of the end, and from which call of its peer.
    fn ends(&mut self, here: &History, there: Option<&History>) {
        for (kind, heard) in [(ArrowKind::End, &here.ends), (ArrowKind::Reset, &here.resets)] {
            for &i in heard.iter().take(1) {
                let before = |cause: &usize| self.calls[*cause].from_ns <= self.calls[i].to_ns;
                let cause = there.and_then(|there| {
                    // The FIN is sent by the last close: a forked child may also hold the socket.
                    let closes = || {
                        let closes = there.closes.iter().copied().filter(before);
                        closes.filter(|cause| !self.sockets.kept.contains(cause))
                    };
                    match kind {
                        // Who has only ended its sending still hears its peer.
                        ArrowKind::Reset => closes().rfind(|&cause| self.hears_no_more(cause)),
                        _ => closes()
                            .find(|&cause| self.says_no_more(cause))
                            .or_else(|| closes().rfind(|&cause| self.closes(cause))),
                    }
                });
                if kind == ArrowKind::End && cause.is_none() && self.heard_itself(here, i) {
                    continue;
                }
                let from = cause.map(|cause| self.cause(cause));
                self.arrow(kind, from, Some(self.effect(i)), None);
            }
        }
    }

    /// Whether a call shuts down what its own side sends.
    fn says_no_more(&self, cause: usize) -> bool {
        matches!(self.shutdown(cause), Some(Shutdown::Write | Shutdown::Both))
    }

    /// Whether, after a call, what still arrives will never be read.
    fn hears_no_more(&self, cause: usize) -> bool {
        self.closes(cause) || matches!(self.shutdown(cause), Some(Shutdown::Read | Shutdown::Both))
    }

    fn closes(&self, cause: usize) -> bool {
        closes(&self.calls[cause])
    }

    fn shutdown(&self, cause: usize) -> Option<Shutdown> {
        shutdown(&self.calls[cause])
    }

    /// Whether the end that a call has read may be the one that its own side has set, with shutdown.
    fn heard_itself(&self, here: &History, heard: usize) -> bool {
        here.closes.iter().any(|&cause| {
            let call = &self.calls[cause];
            matches!(self.shutdown(cause), Some(Shutdown::Read | Shutdown::Both))
                && call.from_ns <= self.calls[heard].to_ns
        })
    }

    /// A connection whose other side left no trace.
    fn alone(&mut self, id: Id, history: &History, watched: &Reachable) {
        let socket = &self.sockets.all[id];
        let role = socket.role.clone();
        // Both sides may have been watched, and only the address of the client not be known.
        if is_client(socket)
            && socket.local.is_none()
            && watched.by(socket.peer.as_deref().unwrap_or_default())
        {
            return;
        }
        for &i in &history.sent {
            let to = self.beyond(&role, id, self.calls[i].to_ns);
            self.arrow(ArrowKind::Bytes, Some(self.cause(i)), Some(to), Some(self.moved(i)));
        }
        let heard = history.received.iter().map(|&i| (ArrowKind::Bytes, i));
        let ends = history.ends.iter().take(1).filter(|&&i| !self.heard_itself(history, i));
        let heard = heard.chain(ends.map(|&i| (ArrowKind::End, i)).collect::<Vec<_>>());
        for (kind, i) in heard.chain(history.resets.iter().take(1).map(|&i| (ArrowKind::Reset, i)))
        {
            let from = self.beyond(&role, id, self.calls[i].to_ns);
            let bytes = (kind == ArrowKind::Bytes).then(|| self.moved(i));
            self.arrow(kind, Some(from), Some(self.effect(i)), bytes);
        }
    }

    /// The addresses of the sockets that are in the records.
    fn watched(&self) -> Reachable {
        Reachable::at(self.sockets.all.iter().filter_map(|socket| socket.local.as_ref()))
    }

    fn datagrams(&mut self) {
        let of_datagrams = |&i: &usize| {
            let id = self.sockets.of_call[i]?;
            let socket = &self.sockets.all[id];
            (socket.datagram && socket.pair.is_none()).then_some((i, id))
        };
        let moving: Vec<(usize, Id, Direction)> = (0..self.calls.len())
            .filter_map(|i| of_datagrams(&i))
            .filter_map(|(i, id)| Some((i, id, self.calls[i].record.direction()?)))
            .collect();
        self.name_senders(&moving);
        let watched = self.watched();
        let mut on_the_way = OnTheWay::default();
        let mut takers: Vec<(usize, Id)> = Vec::new();
        for &(i, id, direction) in &moving {
            let socket = &self.sockets.all[id];
            if direction == Direction::Out {
                let to = self.peer(i).or_else(|| socket.peer.clone()).unwrap_or_default();
                let from = socket.local.clone().unwrap_or_default();
                on_the_way.queue(&from, &to).push(i, self.calls);
            } else if self.calls[i].record.peer.is_some() || socket.peer.is_some() {
                takers.push((i, id));
            }
        }
        takers.sort_by_key(|&(i, _)| self.calls[i].to_ns);
        let mut found: Vec<(usize, Option<usize>)> = Vec::new();
        // Of a datagram for many each socket takes a copy, and leaves it to the others: how many of a queue
        // are behind it.
        let mut passed: HashMap<(String, String, Id), usize> = HashMap::new();
        let mut taken: HashSet<usize> = HashSet::new();
        for (taker, id) in takers {
            let socket = &self.sockets.all[id];
            let peer = self.peer(taker).or_else(|| socket.peer.clone()).unwrap_or_default();
            let local = socket.local.clone().unwrap_or_default();
            let mut sender = None;
            for (from, to) in on_the_way.candidates(&peer, &local) {
                let queue = on_the_way.queue(&from, &to);
                if is_for_many(&to) {
                    let first = passed.entry((from, to, id)).or_default();
                    if let Some(at) = queue.find(*first, taker, self.calls) {
                        sender = Some(queue.at(at));
                        taken.extend(sender);
                        *first = at + 1;
                        break;
                    }
                } else if let Some(at) = queue.find(0, taker, self.calls) {
                    sender = Some(queue.at(at));
                    found.extend(queue.take(at).map(|lost| (lost, None)));
                    on_the_way.forget_empty(&from, &to);
                    break;
                }
            }
            match sender {
                Some(sender) => found.push((sender, Some(taker))),
                None if watched.by(&peer) => self.arrow(
                    ArrowKind::Datagram,
                    None,
                    Some(self.effect(taker)),
                    self.calls[taker].record.bytes,
                ),
                None => {
                    let role = self.sockets.all[id].role.clone();
                    let from = self.beyond(&role, id, self.calls[taker].to_ns);
                    self.arrow(
                        ArrowKind::Datagram,
                        Some(from),
                        Some(self.effect(taker)),
                        self.calls[taker].record.bytes,
                    );
                }
            }
        }
        for (to, queue) in on_the_way.left() {
            let watched = watched.by(to);
            for &i in queue.iter().filter(|i| !taken.contains(i)) {
                if watched {
                    found.push((i, None));
                } else {
                    let role = self.lanes[self.calls[i].lane].role.clone();
                    let Some(id) = self.sockets.of_call[i] else { continue };
                    let beyond = self.beyond(&role, id, self.calls[i].to_ns);
                    self.arrow(
                        ArrowKind::Datagram,
                        Some(self.cause(i)),
                        Some(beyond),
                        self.calls[i].record.bytes,
                    );
                }
            }
        }
        for (sender, taker) in found {
            let to = taker.map(|taker| self.effect(taker));
            self.arrow(
                ArrowKind::Datagram,
                Some(self.cause(sender)),
                to,
                self.calls[sender].record.bytes,
            );
        }
    }

    /// A client over UDP that never asks has no address in its own records, but the server's recvfrom
    /// tells it: the socket that sent just this, and just there, is the one.
    fn name_senders(&mut self, moving: &[(usize, Id, Direction)]) {
        let mut takers: Vec<usize> = moving
            .iter()
            .filter(|(.., direction)| *direction != Direction::Out)
            .map(|&(i, ..)| i)
            .collect();
        takers.sort_by_key(|&i| self.calls[i].to_ns);
        let nameless = |&&(_, id, direction): &&(usize, Id, Direction)| {
            direction == Direction::Out && self.sockets.all[id].local.is_none()
        };
        // By where they were sent to, and by what they were. Those of a port stand together as well.
        let mut nameless_to: HashMap<Text, VecDeque<(usize, Id)>> = HashMap::new();
        let mut of_content: HashMap<(Text, Content), VecDeque<(usize, Id)>> = HashMap::new();
        for &(i, id, _) in moving.iter().filter(nameless) {
            let to = self.peer(i).unwrap_or_default();
            let content = sent_content(&self.calls[i].record);
            let of_port = Text::from(place(&to));
            if of_port != to {
                of_content.entry((to, content)).or_default().push_back((i, id));
            }
            of_content.entry((of_port.clone(), content)).or_default().push_back((i, id));
            nameless_to.entry(of_port).or_default().push_back((i, id));
        }
        let mut named: HashSet<Text> =
            self.sockets.all.iter().filter_map(|socket| socket.local.clone()).collect();
        for taker in takers {
            let (Some(peer), Some(local)) =
                (self.peer(taker), plain(&self.calls[taker].record.local))
            else {
                continue;
            };
            if named.contains(&peer) {
                continue;
            }
            let has_name = |&(_, id): &(usize, Id)| self.sockets.all[id].local.is_some();
            let in_time = |&(i, _): &(usize, Id)| self.calls[i].from_ns <= self.calls[taker].to_ns;
            let sender = match received_content(&self.calls[taker].record) {
                Some(content) => {
                    let keys = match port(&local) {
                        _ if is_wildcard(&local) => vec![place(&local).into()],
                        Some(port) if is_inet(&local) => {
                            let any = ["0.0.0.0", "[::]"].map(|any| format!("{any}:{port}").into());
                            [vec![local], any.to_vec()].concat()
                        }
                        _ => vec![local],
                    };
                    let first = |key: Text| {
                        let queue = of_content.get_mut(&(key, content))?;
                        while queue.front().is_some_and(has_name) {
                            queue.pop_front();
                        }
                        queue.front().copied().filter(in_time)
                    };
                    keys.into_iter().filter_map(first).min()
                }
                None => {
                    let Some(nameless) = nameless_to.get_mut(place(&local)) else { continue };
                    while nameless.front().is_some_and(has_name) {
                        nameless.pop_front();
                    }
                    let sent_it = |sent: &&(usize, Id)| {
                        !has_name(sent)
                            && self.peer(sent.0).is_some_and(|to| reaches(&to, &local))
                            && is_same(&self.calls[sent.0].record, &self.calls[taker].record)
                    };
                    nameless.iter().take_while(|sent| in_time(sent)).find(sent_it).copied()
                }
            };
            if let Some((_, id)) = sender {
                self.sockets.all[id].local = Some(peer.clone());
                named.insert(peer.clone());
            }
        }
    }

    fn peer(&self, i: usize) -> Option<Text> {
        plain(&self.calls[i].record.peer)
    }

    fn moved(&self, i: usize) -> u64 {
        moved(&self.calls[i])
    }

    /// A side without a trace, at this time: the one opposite of a lane of this role, or of what the socket is for.
    fn beyond(&mut self, role: &str, id: Id, at_ns: u64) -> Tip {
        let socket = &self.sockets.all[id];
        let serves = match Acts::of_role(role) {
            Some(acts) => acts == Acts::Server,
            None => socket.accepted || socket.receives_first,
        };
        let role = if serves { "client" } else { "server" };
        let lanes = &mut *self.lanes;
        let lane = *self.outside.entry(role).or_insert_with(|| {
            let name = role.to_owned();
            lanes.push(Lane {
                name,
                detail: NO_TRACE.to_owned(),
                role: role.to_owned(),
                acts: Acts::of_role(role).unwrap_or_default(),
                thread: None,
                host: 0,
            });
            lanes.len() - 1
        });
        Tip { lane, call: None, at_ns }
    }

    /// What an operation of a ring brings about begins where it was submitted.
    fn cause(&self, i: usize) -> Tip {
        let call = self.submitted.get(&operation(&self.calls[i])).copied().unwrap_or(i);
        Tip { lane: self.calls[i].lane, call: Some(call), at_ns: self.calls[i].from_ns }
    }

    fn effect(&self, i: usize) -> Tip {
        Tip { lane: self.calls[i].lane, call: Some(i), at_ns: self.calls[i].to_ns }
    }

    fn arrow(&mut self, kind: ArrowKind, from: Option<Tip>, to: Option<Tip>, bytes: Option<u64>) {
        self.arrows.push(Arrow { kind, from, to, bytes });
    }
}

/// An operation of a ring: its process, its number, and when it was submitted, for a number may be given
/// out again.
type Operation = (Process, Option<u64>, u64);

fn operation(call: &Call) -> Operation {
    (process(&call.record), call.record.user_data, call.record.start_ns)
}

fn is_client(socket: &Socket) -> bool {
    !socket.accepted && !socket.datagram && socket.connected_by.is_some()
}

/// Where a listener is to be found that may have any address of this host: the port, or the path.
fn place(address: &str) -> &str {
    if is_inet(address) { address.rsplit(':').next().unwrap_or(address) } else { address }
}

fn is_inet(address: &str) -> bool {
    address.parse::<std::net::SocketAddr>().is_ok()
}
