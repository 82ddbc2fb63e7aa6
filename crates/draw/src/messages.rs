//! What went between two hosts whose clocks have nothing in common yet: which call sent it, and which call had it.
//!
//! Elsewhere times help to find out which records belong together. Here they cannot, because they are what is to be found
//! out. So only that is paired which addresses, counts and offsets prove; whatever is doubtful is left out. A pair may be
//! of calls that are too early or too late: that makes a bound loose, but not wrong.

use std::collections::HashMap;

use super::Call;
use super::arrows::{History, histories, may_end_sending, moved};
use super::on_the_way::{Content, received_content, sent_content};
use super::sockets::{Id, Sockets, is_of_its_host, is_wildcard, plain, port, reaches};
use netplay_record::{Direction, Moves, Text};

/// It left when one call began, and was there when another returned, on another host: indices of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Finds what went between hosts.
pub(super) fn messages(calls: &[Call], sockets: &Sockets) -> Vec<Message> {
    let histories = histories(calls, sockets);
    let mut listens: HashMap<Id, usize> = HashMap::new();
    for (i, call) in calls.iter().enumerate() {
        if let Some(id) = sockets.of_call[i].filter(|_| call.record.what.moves() == Moves::Listens)
        {
            listens.entry(id).or_insert(i);
        }
    }
    let mut finder = Finder { calls, sockets, histories, listens, messages: Vec::new() };
    for (client, accepted) in finder.connections() {
        finder.handshake(client, accepted);
        finder.bytes(client, accepted);
        finder.bytes(accepted, client);
        finder.end(client, accepted);
        finder.end(accepted, client);
    }
    finder.datagrams();
    finder.messages
}

struct Finder<'a> {
    calls: &'a [Call],
    sockets: &'a Sockets,
    histories: Vec<History>,
    /// The call with which each listener began to listen.
    listens: HashMap<Id, usize>,
    messages: Vec<Message>,
}

impl Finder<'_> {
    fn add(&mut self, from: usize, to: usize) {
        self.messages.push(Message { from, to });
    }

    /// The client's socket and the accepted one of each connection between hosts, where there is no doubt.
    fn connections(&self) -> Vec<(Id, Id)> {
        let all = &self.sockets.all;
        let at = |id: Id| all[id].connected_by.map(|call| &self.calls[call]);
        let is_connected = |&id: &Id| {
            !all[id].datagram && all[id].connected_by.is_some() && all[id].pair.is_none()
        };
        let (mut clients, mut accepted): (Vec<Id>, Vec<Id>) =
            (0..all.len()).filter(is_connected).partition(|&id| !all[id].accepted);
        clients.sort_by_key(|&id| at(id).map(|call| call.from_ns));
        accepted.sort_by_key(|&id| at(id).map(|call| call.to_ns));
        // By both addresses, if the client knows its own. A port that was used again has several of each.
        let mut known: HashMap<(&str, &str), [Vec<Id>; 2]> = HashMap::new();
        let mut nameless: HashMap<(u8, &str), Vec<Id>> = HashMap::new();
        for &id in &clients {
            match (all[id].local.as_deref(), all[id].peer.as_deref()) {
                (_, Some(peer)) if is_of_its_host(peer) => {}
                (Some(local), Some(peer)) => known.entry((local, peer)).or_default()[0].push(id),
                (None, Some(peer)) => nameless.entry((all[id].host, peer)).or_default().push(id),
                (_, None) => {}
            }
        }
        let mut others: HashMap<(u8, &str), Vec<Id>> = HashMap::new();
        for &id in &accepted {
            let (Some(local), Some(peer)) = (all[id].local.as_deref(), all[id].peer.as_deref())
            else {
                continue;
            };
            match known.get_mut(&(peer, local)) {
                Some(pair) => pair[1].push(id),
                None => others.entry((all[id].host, local)).or_default().push(id),
            }
        }
        let mut found: Vec<(Id, Id)> = Vec::new();
        for [clients, accepted] in known.into_values() {
            if clients.len() == accepted.len() {
                found.extend(clients.into_iter().zip(accepted));
            }
        }
        // In their order, if each client had done before the next began.
        for ((host, peer), clients) in nameless {
            let there =
                others.iter().filter(|((there, local), _)| *there != host && *local == peer);
            let accepted: Vec<Id> = there.flat_map(|(_, ids)| ids.iter().copied()).collect();
            let done =
                |id: Id| self.histories[id].closes.last().map(|&call| self.calls[call].from_ns);
            let one_by_one = clients.windows(2).all(|two| {
                let next = at(two[1]).map(|call| call.from_ns);
                done(two[0]).zip(next).is_some_and(|(done, next)| done < next)
            });
            if clients.len() == accepted.len() && one_by_one {
                found.extend(clients.into_iter().zip(accepted));
            }
        }
        found.retain(|&(client, accepted)| all[client].host != all[accepted].host);
        found
    }

    /// The client asks before it is accepted; and a connect succeeds only after the server has begun to listen.
    fn handshake(&mut self, client: Id, accepted: Id) {
        let by = |id: Id| self.sockets.all[id].connected_by;
        let (Some(connect), Some(accept)) = (by(client), by(accepted)) else { return };
        let listener = self.sockets.of_call[accept];
        let listen = listener.and_then(|id| self.listens.get(&id).copied());
        self.add(connect, accept);
        if let Some(listen) = listen.filter(|_| self.calls[connect].record.is_done()) {
            self.add(listen, connect);
        }
    }

    /// A receive has its last byte from a send that had begun.
    fn bytes(&mut self, from: Id, to: Id) {
        if ![from, to].into_iter().all(|id| self.sockets.all[id].from_birth) {
            return; // offsets are not known
        }
        let (sent, received) = (&self.histories[from].sent, &self.histories[to].received);
        let sum = |calls: &[usize]| calls.iter().map(|&i| moved(&self.calls[i])).sum::<u64>();
        if sum(received) > sum(sent) {
            return; // a record is missing
        }
        let mut found = Vec::new();
        let mut sends = sent.iter();
        let (mut until, mut sender, mut end) = (0, None, 0);
        for &taker in received {
            end += moved(&self.calls[taker]);
            while until < end {
                sender = sends.next().copied();
                let Some(sender) = sender else { break };
                until += moved(&self.calls[sender]);
            }
            found.extend(sender.map(|from| Message { from, to: taker }));
        }
        self.messages.append(&mut found);
    }

    /// The end is read after the first call that may have set it.
    fn end(&mut self, from: Id, to: Id) {
        let Some(&heard) = self.histories[to].ends.first() else { return };
        let ends = self.histories[from].closes.iter().copied();
        let set = ends
            .filter(|i| !self.sockets.kept.contains(i) && may_end_sending(&self.calls[*i]))
            .min_by_key(|&i| self.calls[i].from_ns);
        if let Some(set) = set {
            self.add(set, heard);
        }
    }

    /// Datagrams may be lost, and change places. But when the nth of those that look the same is there, n of them were sent.
    fn datagrams(&mut self) {
        // By host, port and content: by where they were sent to, and by where they were sent from.
        type Ways<'c> = HashMap<(u8, Option<String>, Content<'c>), Vec<(usize, Text)>>;
        let (mut sent, mut answers) = (Ways::new(), Ways::new());
        let mut taken: Vec<(usize, Id)> = Vec::new();
        for (i, call) in self.calls.iter().enumerate() {
            let Some(id) = self.sockets.of_call[i] else { continue };
            let socket = &self.sockets.all[id];
            if !socket.datagram || socket.pair.is_some() {
                continue;
            }
            match call.record.direction() {
                Some(Direction::Out) => {
                    let content = sent_content(&call.record);
                    if let Some(from) = socket.local.clone().filter(|from| !is_of_its_host(from)) {
                        let key = (call.record.host, port(&from), content);
                        answers.entry(key).or_default().push((i, from));
                    }
                    let to = plain(&call.record.peer).or_else(|| socket.peer.clone());
                    if let Some(to) = to.filter(|to| !is_of_its_host(to) && !is_wildcard(to)) {
                        let key = (call.record.host, port(&to), content);
                        sent.entry(key).or_default().push((i, to));
                    }
                }
                Some(Direction::In) => taken.push((i, id)),
                _ => {}
            }
        }
        for all in sent.values_mut().chain(answers.values_mut()) {
            all.sort_by_key(|&(i, _)| self.calls[i].from_ns);
        }
        taken.sort_by_key(|&(i, _)| self.calls[i].to_ns);
        // How far each way has been used: by the receiving socket, what came, and from where if that tells the way.
        let mut used: HashMap<(Id, Content<'_>, Option<Text>), usize> = HashMap::new();
        let mut found = Vec::new();
        for (i, id) in taken {
            let (record, socket) = (&self.calls[i].record, &self.sockets.all[id]);
            let peer = plain(&record.peer).or_else(|| socket.peer.clone());
            let Some(peer) = peer.filter(|peer| !is_of_its_host(peer)) else { continue };
            let Some(content) = received_content(record) else { continue };
            let other = 1 - record.host.min(1);
            // A client that has not asked for its own address is answered all the same: by the socket that it asked.
            let (all, from) = match &socket.local {
                Some(local) => (sent.get(&(other, port(local), content)), None),
                None => (answers.get(&(other, port(&peer), content)), Some(peer)),
            };
            let all = all.map(Vec::as_slice).unwrap_or_default();
            let fits = |(_, at): &(usize, Text)| match (&socket.local, &from) {
                (Some(local), _) => reaches(at, local),
                (None, Some(peer)) => reaches(peer, at),
                (None, None) => false,
            };
            let next = used.entry((id, content, from.clone())).or_default();
            if let Some(at) = (*next..all.len()).find(|&at| fits(&all[at])) {
                *next = at + 1;
                found.push(Message { from: all[at].0, to: i });
            }
        }
        self.messages.append(&mut found);
    }
}
