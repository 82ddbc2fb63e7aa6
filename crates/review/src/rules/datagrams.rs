//! Datagrams: each stands alone, and none is certain to come.

use std::collections::HashMap;

use netplay_record::{Bytes, Call, Direction};
use netplay_text::words::grouped;

use super::found::{Found, MS};
use super::sends::asks_for_news;
use crate::finding::{Rule, Taught, both};
use crate::model::{Ending, Id, Model};
use crate::pair::{canonical, reaches};

/// A datagram that was sent, and the receive that took it.
struct Sent {
    send: usize,
    taken: Option<usize>,
}

/// How many datagrams are looked at for each receive.
const QUEUE: usize = 2000;

/// Every datagram whose way is known from both ends.
fn on_the_way(model: &Model<'_>) -> Vec<Sent> {
    let moves = |i: &usize, way: Direction| {
        model.of[*i].is_some_and(|id| model.sockets[id].datagrams && model.sockets[id].is_inet())
            && model.records[*i].is_done()
            && model.direction(*i) == Some(way)
    };
    let all = 0..model.records.len();
    let sends = all.clone().filter(|i| moves(i, Direction::Out));
    let mut sent: Vec<Sent> = sends.map(|send| Sent { send, taken: None }).collect();
    let mut receives: Vec<usize> = all.filter(|i| moves(i, Direction::In)).collect();
    receives.sort_by_key(|&i| model.finish(i));
    let mut first = 0; // of those that were not taken
    for receive in receives {
        let Some(id) = model.of[receive] else { continue };
        let fits = |of: &&mut Sent| {
            of.taken.is_none()
                && model.start(of.send) <= model.finish(receive)
                && goes_to(model, of.send, id)
                && comes_from(model, of.send, receive)
                && starts_alike(model, of.send, receive)
        };
        // Those that were lost stay; no queue of a socket is longer than this.
        if let Some(of) = sent[first..].iter_mut().take(QUEUE).find(fits) {
            of.taken = Some(receive);
        }
        while sent.get(first).is_some_and(|of| of.taken.is_some()) {
            first += 1;
        }
    }
    sent
}

/// Whether a datagram is addressed to this socket.
fn goes_to(model: &Model<'_>, send: usize, id: Id) -> bool {
    let to = model.records[send].peer.as_deref();
    let to = to.or_else(|| model.sockets[model.of[send]?].peer_address.as_deref());
    match (to, model.sockets[id].local.as_deref()) {
        (Some(to), Some(at)) => reaches(to, at),
        _ => false,
    }
}

fn comes_from(model: &Model<'_>, send: usize, receive: usize) -> bool {
    let from = model.of[send].and_then(|id| model.sockets[id].local.as_deref());
    match (from, model.records[receive].peer.as_deref()) {
        (Some(from), Some(peer)) => reaches(peer, from),
        _ => true,
    }
}

fn starts_alike(model: &Model<'_>, send: usize, receive: usize) -> bool {
    let (sent, received) = (model.content(send), model.content(receive));
    let both = sent.len().min(received.len());
    model.bytes(receive) <= model.bytes(send) && sent[..both] == received[..both]
}

/// Proven by a datagram that filled the buffer, and whose sender sent more; or by MSG_TRUNC, the kernel's own word. Innocent: a look
/// at the size (MSG_PEEK, MSG_TRUNC among the flags of the call), a datagram that fits just so.
pub(super) fn datagram_cut(model: &Model<'_>, found: &mut Found) {
    let senders: HashMap<usize, usize> =
        on_the_way(model).iter().filter_map(|of| Some((of.taken?, of.send))).collect();
    let mut said: HashMap<Option<Id>, usize> = HashMap::new();
    for i in 0..model.records.len() {
        let is_datagram = model.of[i].is_some_and(|id| model.sockets[id].datagrams);
        if !is_datagram || !model.records[i].is_done() || model.direction(i) != Some(Direction::In)
        {
            continue;
        }
        let (flags, told) = match &*model.records[i].what {
            Call::Bytes(Bytes::Recvmsg(receive, header)) => {
                let cut = header.as_ref().is_some_and(|of| of.flags & libc::MSG_TRUNC != 0);
                (receive.flags, cut)
            }
            Call::Bytes(Bytes::Recv(receive) | Bytes::Recvfrom(receive, _)) => {
                (receive.flags, false)
            }
            _ => (0, false),
        };
        if flags & libc::MSG_TRUNC != 0 {
            continue; // it asked for the size
        }
        let room = model.records[i].room();
        let of = senders.get(&i).copied();
        let longer =
            of.filter(|&send| room == Some(model.bytes(i)) && model.bytes(send) > model.bytes(i));
        // Once is enough for a socket.
        let before = said.get(&model.of[i]).is_some_and(|&at| at < i);
        if !told && longer.is_none() || before {
            continue;
        }
        let (role, got) = (model.role(i), grouped(model.bytes(i)));
        let sentence = match longer {
            Some(send) => {
                let whole = grouped(model.bytes(send));
                both!(
                    "{role}: a datagram of {whole} bytes met a buffer of {got}; the rest of it is lost: the next receive takes the next datagram",
                    "{role}：一个 {whole} 字节的数据报遇到了 {got} 字节的缓冲区；其余部分丢失了：下一次接收取的是下一个数据报",
                )
            }
            None => both!(
                "{role}: a datagram was longer than the buffer of {got} bytes (MSG_TRUNC); the rest of it is lost: the next receive takes the next datagram",
                "{role}：一个数据报比 {got} 字节的缓冲区长 (MSG_TRUNC)；其余部分丢失了：下一次接收取的是下一个数据报",
            ),
        };
        for at in longer.into_iter().chain([i]) {
            let first = said.entry(model.of[at]).or_insert(at);
            *first = (*first).min(at);
        }
        found.add(Rule::DatagramCut, i, longer.into_iter().chain([i]), sentence);
    }
}

/// Proven by a client whose last datagram was received, or lost on its way to a socket that was there, and which then waits in
/// a receive without limit until the records end, while nothing that was sent to it is left to come. Innocent: a wait with
/// a limit, another try, a client that hears from the same server later, a server that waits, a client that asked for news, a server
/// that sends of its own accord.
pub(super) fn unanswered_datagram(model: &Model<'_>, found: &mut Found) {
    let sent = on_the_way(model);
    for id in 0..model.sockets.len() {
        let socket = &model.sockets[id];
        if !socket.datagrams || !socket.is_inet() || serves(model, id) {
            continue;
        }
        let Some(&last) = socket.calls.last() else { continue };
        let waits = model.is_receive(last)
            && model.is_unfinished(last)
            && model.took(last) > 500 * MS
            && was_not_ended(model, last);
        let Some(&request) = socket.sent.last().filter(|_| waits) else { continue };
        if socket.received.last().is_some_and(|&got| got > request) {
            continue; // it was answered, and waits for more
        }
        let Some(way) = sent.iter().find(|of| of.send == request) else { continue };
        let there = |other: &Id| {
            let other = *other;
            other != id && model.sockets[other].datagrams && goes_to(model, request, other)
        };
        let Some(server) = (0..model.sockets.len()).find(there) else { continue };
        let answer = model.sockets[server].sent.iter().copied().find(|&i| {
            model.start(i) >= model.start(request) && goes_to_socket(model, i, id, &way.taken)
        });
        if way.taken.is_none()
            && model.sockets[server].bound.is_none_or(|at| model.start(at) > model.start(request))
        {
            continue;
        }
        if socket.limited {
            continue; // SO_RCVTIMEO ends the wait
        }
        // What was received may be answered later: by a program that remembers it, and hears of something else meanwhile.
        let never_asked = way.taken.is_some() && answer.is_none();
        if never_asked && (asks_for_news(&model.content(request)) || may_send(model, server)) {
            continue;
        }
        let taught = match (way.taken, answer) {
            (Some(_), None) => Rule::UnansweredDatagram.taught(),
            _ => Taught::Lab("udploss"),
        };
        let role = model.role(last);
        let whom = model.sockets[server].calls.first().map_or("", |&i| model.role(i)).to_owned();
        let said = match (way.taken, answer) {
            (Some(_), Some(_)) => both!(
                "{role}: it waits without limit for an answer; {whom} has sent one, which never came here. A datagram may be lost: wait with a limit (SO_RCVTIMEO, poll), and ask again",
                "{role}：它无限期地等待应答；{whom} 已经发了一个，却没有到这里。数据报可能丢失：等待要有时限（SO_RCVTIMEO、poll），然后再问一次",
            ),
            (Some(_), None) => both!(
                "{role}: it waits without limit for an answer; {whom} received the datagram and sent nothing back. Wait with a limit (SO_RCVTIMEO, poll)",
                "{role}：它无限期地等待应答；{whom} 收到了数据报，却什么也没有发回。等待要有时限（SO_RCVTIMEO、poll）",
            ),
            (None, _) => both!(
                "{role}: it waits without limit for the answer to a datagram that {whom} never received. A datagram may be lost: wait with a limit (SO_RCVTIMEO, poll), and ask again",
                "{role}：它无限期地等待对一个数据报的应答，而 {whom} 从未收到这个数据报。数据报可能丢失：等待要有时限（SO_RCVTIMEO、poll），然后再问一次",
            ),
        };
        let proof = [Some(request), way.taken, answer, Some(last)];
        found.add_taught(Rule::UnansweredDatagram, last, proof.into_iter().flatten(), said, taught);
    }
}

/// Whether the program behind this socket may send something to those whom it has heard: it has done so without being asked, or it
/// does not simply wait for the next datagram.
fn may_send(model: &Model<'_>, server: Id) -> bool {
    let socket = &model.sockets[server];
    let unasked = socket.sent.iter().any(|&send| {
        let heard = socket
            .calls
            .iter()
            .rev()
            .find(|&&at| at < send && model.is_receive(at) && model.records[at].is_done());
        let from = heard.and_then(|&at| model.records[at].peer.as_deref());
        let to = model.records[send].peer.as_deref();
        to.is_some() && from != to
    });
    let Some(gone) = socket.gone else {
        let pids = socket.held.iter().map(|&(pid, _)| pid);
        let mut waits = pids.filter_map(|pid| model.lives.get(&pid)).map(|life| {
            life.last.values().all(|&last| {
                let limited = model.is_wait(last) && !model.records[last].waits_for_ever();
                model.is_unfinished(last) && !limited
            })
        });
        return unasked || socket.limited || !waits.all(|waits| waits);
    };
    unasked && gone.at > model.end
}

/// Whether it is a server: bound to a port that others know, and asked before it asks.
fn serves(model: &Model<'_>, id: Id) -> bool {
    let socket = &model.sockets[id];
    let first = |calls: &[usize]| calls.first().copied().unwrap_or(usize::MAX);
    let asked = first(&socket.received) < first(&socket.sent);
    let named = socket.bound.is_some_and(|i| {
        let at = model.records[i].local.as_deref().and_then(canonical);
        at.is_some_and(|at| at.port() != 0 && at.ip().is_multicast())
    });
    asked || named
}

fn goes_to_socket(model: &Model<'_>, send: usize, id: Id, asked: &Option<usize>) -> bool {
    let from = asked.and_then(|i| model.records[i].peer.clone());
    let to = model.records[send].peer.as_deref();
    match (from, to) {
        (Some(from), Some(to)) => from.as_str() == to,
        _ => goes_to(model, send, id),
    }
}

/// Whether the wait lasted until netplay ended it, and not some other signal.
fn was_not_ended(model: &Model<'_>, i: usize) -> bool {
    let life = &model.lives[&model.pid(i)];
    life.ended.is_none_or(|(_, how)| how == Ending::Signal)
}
