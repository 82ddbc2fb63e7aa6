//! The messages at both ends: a datagram that was received is one that the other end has sent before, with its size and its bytes.
//!
//! A network may lose datagrams, and deliver one twice, so a datagram that was never received is no contradiction, nor is one
//! that was received once more. Within a host, between the sockets of a socketpair, messages arrive once and in their order.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use netplay_record::{Bytes, Call, Connection, Direction, Family, Kind, Type, Way};
use netplay_text::both;
use netplay_text::escape::unescape;

use super::compared::Compared;
use super::names::{address, in_args};
use super::pairs::canonical;
use super::rings;
use super::sockets::{Id, Socket, Sockets};
use crate::run::Run;
use crate::{Fault, Rule};

pub(super) fn check(
    run: &Run,
    sockets: &Sockets,
    compared: &mut Compared,
    faults: &mut Vec<Fault>,
) {
    let hidden = rings::hidden(run);
    let mut of_pairs = Vec::new();
    for (id, socket) in sockets.all.iter().enumerate() {
        if let Some(other) = socket.pair.filter(|_| socket.stream == Some(false)) {
            of_pairs.push((id, other));
        }
    }
    for (to, from) in of_pairs {
        pair(run, (&sockets.all[from], &sockets.all[to]), &hidden, compared, faults);
    }
    let mut ends = Ends::of(run, sockets, &hidden);
    ends.name_the_unnamed(run, faults);
    for to in 0..ends.all.len() {
        for receive in std::mem::take(&mut ends.all[to].received) {
            if ends.tried > TRIED {
                return;
            }
            match ends.sender(run, to, receive) {
                Sender::Known => compared.datagrams += 1,
                Sender::Unknown => {}
                Sender::Later(send) => {
                    let said = both!(
                        "a datagram is received before it was sent",
                        "数据报在发送之前就被收到",
                    );
                    faults.push(run.fault(Rule::Time, said, &[send, receive]));
                }
                Sender::Nothing => {
                    let said = both!(
                        "the sender of this datagram has sent no such datagram",
                        "这个数据报的发送方没有发送过这样的数据报",
                    );
                    faults.push(run.fault(Rule::Bytes, said, &[receive]));
                }
            }
        }
    }
}

/// The two ends of a socketpair: nothing is lost, and everything stays in order.
fn pair(
    run: &Run,
    (from, to): (&Socket, &Socket),
    hidden: &HashSet<i32>,
    compared: &mut Compared,
    faults: &mut Vec<Fault>,
) {
    if [from, to].iter().any(|end| end.shared || has_unclear(run, end, hidden)) {
        return;
    }
    let (sent, mut received) = (moved(run, from, Direction::Out), moved(run, to, Direction::In));
    received.sort_by_key(|&i| run.end(i));
    let at_once =
        |list: &[usize]| list.windows(2).any(|two| run.end(two[0]) > run.records[two[1]].start_ns);
    if at_once(&sent) || at_once(&received) {
        return;
    }
    for (nth, &receive) in received.iter().enumerate() {
        let Some(&send) = sent.get(nth) else {
            // A socket that was shut down answers 0, as an empty message does.
            if run.records[receive].bytes != Some(0) {
                let said = both!(
                    "more messages are received here than the other end has sent",
                    "这里收到的消息比对端发送的还多",
                );
                faults.push(run.fault(Rule::Bytes, said, &[receive]));
            }
            return;
        };
        if run.records[send].start_ns > run.end(receive) {
            let said = both!("a message is received before it was sent", "消息在发送之前就被收到");
            return faults.push(run.fault(Rule::Time, said, &[send, receive]));
        }
        if !Message::of(run, send).is(&Message::of(run, receive)) {
            let said = both!(
                "the message that is received here is not the one that the other end sent",
                "这里收到的消息不是对端发送的消息",
            );
            return faults.push(run.fault(Rule::Bytes, said, &[send, receive]));
        }
        compared.datagrams += 1;
    }
}

/// The name of a socket of datagrams.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    Inet(SocketAddr),
    Path(String),
}

impl Name {
    fn of(text: &str) -> Option<Name> {
        if text.is_empty() || text.starts_with('(') {
            return None;
        }
        match address(&canonical(text)) {
            Some(address) => (address.port() != 0).then_some(Name::Inet(address)),
            None => Some(Name::Path(text.to_owned())),
        }
    }

    /// Whether a socket of this name can be the one that others see as that. A socket on a wildcard address has each of the
    /// machine's; that an address is one of those is known of the loopback only.
    fn is_seen_as(&self, seen: &Name) -> bool {
        match (self, seen) {
            (Name::Inet(own), Name::Inet(seen)) => {
                own.port() == seen.port()
                    && (own.ip() == seen.ip()
                        || own.ip().is_unspecified() && seen.ip().is_loopback())
            }
            (own, seen) => own == seen,
        }
    }

    /// Names that look alike to [`is_seen_as`](Name::is_seen_as) have one key.
    fn key(&self) -> String {
        match self {
            Name::Inet(of) => of.port().to_string(),
            Name::Path(path) => path.clone(),
        }
    }
}

/// What a send has sent, or a receive received.
struct Message {
    record: usize,
    /// When the send began, or the receive returned.
    at: u64,
    /// How long it was: at least, and at most.
    len: (u64, u64),
    /// What the record keeps of it.
    kept: Vec<u8>,
    /// Where it was sent.
    to: Option<Name>,
}

impl Message {
    fn of(run: &Run, i: usize) -> Message {
        let record = &run.records[i];
        let bytes = record.bytes.unwrap_or_default();
        let out = record.what.way() == Some(Way::Out);
        let cut = record.may_be_cut() || record.room().is_none_or(|room| bytes >= room);
        let whole = record.asked.filter(|&asked| asked > bytes);
        let len = match whole {
            _ if out => (bytes, bytes),
            Some(whole) => (whole, whole),
            None => (bytes, if cut { u64::MAX } else { bytes }),
        };
        Message {
            record: i,
            at: if out { record.start_ns } else { run.end(i) },
            len,
            kept: record.data.as_deref().map(unescape).unwrap_or_default(),
            to: record.peer.as_deref().filter(|_| out).and_then(Name::of),
        }
    }

    /// Whether a receive can have taken what this one sent.
    fn is(&self, received: &Message) -> bool {
        let differ = |(a, b): (&u8, &u8)| a != b && *a != b'*' && *b != b'*';
        (received.len.0..=received.len.1).contains(&self.len.0)
            && !self.kept.iter().zip(&received.kept).any(differ)
    }
}

/// A socket of datagrams of which all calls are known.
struct End {
    id: Id,
    sent: Vec<Message>,
    received: Vec<usize>,
    /// Its name, and whether the program chose it.
    name: Option<(Name, bool)>,
    /// Since when it has its name, at the earliest and at the latest.
    since: (u64, u64),
    /// Until when it was certainly open.
    until: u64,
}

/// Where a datagram came from.
enum Sender {
    /// A recorded socket sent such a datagram before.
    Known,
    /// Not a recorded socket, or this cannot be told.
    Unknown,
    /// The socket that has that name sent it, but later.
    Later(usize),
    /// The socket that has that name sent nothing like it.
    Nothing,
}

struct Ends<'a> {
    sockets: &'a Sockets,
    all: Vec<End>,
    /// The ends that have a name, by its key.
    by_name: HashMap<String, Vec<usize>>,
    /// Keys of names that sockets have of which not all is known, or that several sockets may have at a time.
    unclear: HashSet<String>,
    /// From which send on to look for what an end receives from another one.
    next: HashMap<(usize, usize), usize>,
    /// How many pairs of a send and a receive were compared.
    tried: usize,
}

/// So many pairs are compared: a run in which datagrams come in any order is not compared to its end.
const TRIED: usize = 20_000_000;

impl Ends<'_> {
    fn of<'a>(run: &Run, sockets: &'a Sockets, hidden: &HashSet<i32>) -> Ends<'a> {
        let mut ends = Ends {
            sockets,
            all: Vec::new(),
            by_name: HashMap::new(),
            unclear: HashSet::new(),
            next: HashMap::new(),
            tried: 0,
        };
        for (id, socket) in sockets.all.iter().enumerate() {
            let bound = |&&i: &&usize| {
                let bind = matches!(&*run.records[i].what, Call::Connection(Connection::Bind(_)));
                bind && run.records[i].is_done()
            };
            let names = |i: usize| {
                let call = matches!(
                    &*run.records[i].what,
                    Call::Connection(Connection::Bind(_) | Connection::Getsockname(_))
                );
                run.records[i].local.as_deref().filter(|_| call).and_then(Name::of)
            };
            let name = socket.calls.iter().rev().find_map(|&i| names(i));
            if !is_of_datagrams(run, socket)
                || has_unclear(run, socket, hidden)
                || may_share(run, socket)
            {
                ends.unclear.extend(name.map(|name| name.key()));
                continue;
            }
            let bind = socket.calls.iter().find(bound);
            let chosen = bind.is_some_and(|&i| names(i).is_some());
            let since = match (bind, socket.made) {
                (Some(&bind), _) => (run.records[bind].start_ns, run.end(bind)),
                (None, Some(made)) => (run.records[made].start_ns, run.end(made)),
                (None, None) => continue,
            };
            if let Some(name) = &name {
                ends.by_name.entry(name.key()).or_default().push(ends.all.len());
            }
            let sent = moved(run, socket, Direction::Out);
            ends.all.push(End {
                id,
                sent: sent.into_iter().map(|i| Message::of(run, i)).collect(),
                received: moved(run, socket, Direction::In),
                name: name.map(|name| (name, chosen)),
                since,
                until: sockets.open_until(run, id),
            });
        }
        ends
    }

    /// Most clients never ask for their own name. It is the one to which what they received was sent.
    fn name_the_unnamed(&mut self, run: &Run, faults: &mut Vec<Fault>) {
        for to in 0..self.all.len() {
            if self.all[to].name.is_some() {
                continue;
            }
            let mut found: Option<(SocketAddr, usize)> = None;
            for &receive in &self.all[to].received {
                let Some(seen) = self.seen(run, to, receive) else { continue };
                let from = self.named(&seen);
                if !from.iter().any(|&from| self.held(run, from, to, receive)) {
                    continue;
                }
                let received = Message::of(run, receive);
                let sends = from.iter().flat_map(|&from| &self.all[from].sent);
                let fitting = sends.filter(|send| send.at <= received.at && send.is(&received));
                let to: HashSet<Option<SocketAddr>> = fitting
                    .map(|send| match send.to.as_ref()? {
                        Name::Inet(to) => is_one_host(to.ip()).then_some(*to),
                        Name::Path(_) => None,
                    })
                    .collect();
                let [Some(name)] = to.into_iter().collect::<Vec<_>>()[..] else { continue };
                match found {
                    Some((known, before)) if known.port() != name.port() => {
                        let (one, other) = (known.port(), name.port());
                        let said = both!(
                            "what this socket received was sent to two ports, {one} and {other}: a socket has one",
                            "这个套接字收到的数据报分别发往端口 {one} 和 {other}：而一个套接字只有一个端口",
                        );
                        faults.push(run.fault(Rule::Bytes, said, &[before, receive]));
                        break;
                    }
                    Some(_) => {}
                    None => found = Some((name, receive)),
                }
            }
            if let Some((name, _)) = found {
                let name = Name::Inet(name);
                self.by_name.entry(name.key()).or_default().push(to);
                self.all[to].name = Some((name, false));
            }
        }
    }

    /// The ends that can be what a receiver sees under this name; none if there may be others.
    fn named(&self, seen: &Name) -> Vec<usize> {
        let key = seen.key();
        if self.unclear.contains(&key) {
            return Vec::new();
        }
        let all = self.by_name.get(&key).into_iter().flatten().copied();
        let is = |&end: &usize| {
            self.all[end].name.as_ref().is_some_and(|(name, _)| name.is_seen_as(seen))
        };
        all.filter(is).collect()
    }

    /// The name of the sender as the receiver saw it, if the kernel has told it with this datagram.
    fn seen(&self, run: &Run, to: usize, receive: usize) -> Option<Name> {
        let record = &run.records[receive];
        let peer = record.peer.as_deref()?;
        let addressed = match record.what.is_addressed() || in_args(record).is_some() {
            true => record.args.as_deref().is_some_and(|args| args.contains("{sa_family=")),
            false => false,
        };
        if addressed || self.has_one_peer(run, to, receive) { Name::of(peer) } else { None }
    }

    /// Whether a socket can only have received from the peer to which it is connected.
    fn has_one_peer(&self, run: &Run, to: usize, receive: usize) -> bool {
        let calls = &self.sockets.all[self.all[to].id].calls;
        let connection = |i: usize| match &*run.records[i].what {
            Call::Connection(of) => Some(of),
            _ => None,
        };
        let connects = |&&i: &&usize| matches!(connection(i), Some(Connection::Connect(_)));
        let mut all = calls.iter().filter(connects);
        let Some(&connect) = all.next() else { return false };
        let before = calls.iter().take_while(|&&i| i != connect);
        all.next().is_none()
            && run.records[connect].is_done()
            && run.end(connect) <= run.records[receive].start_ns
            && before.into_iter().all(|&i| run.records[i].what.way().is_none())
            && !calls.iter().any(|&i| {
                let of = connection(i);
                matches!(of, Some(Connection::Bind(_)))
                    || matches!(of, Some(Connection::Shutdown(_)))
                        && run.records[receive].bytes == Some(0)
            })
    }

    /// Whether this end, and no other program before or after it, had its name when that one received: a datagram may wait
    /// in a queue for longer than its sender lives.
    fn held(&self, run: &Run, from: usize, to: usize, receive: usize) -> bool {
        let of = &self.all[from];
        let receiver = &self.sockets.all[self.all[to].id];
        let made = receiver.made.map_or(0, |made| run.records[made].start_ns);
        // It waited for a datagram when the name was taken, so none was there before.
        let waited = || {
            receiver.calls.iter().any(|&i| {
                let record = &run.records[i];
                record.what.way() == Some(Way::In)
                    && record.start_ns < of.since.0
                    && run.end(i) > of.since.1
            })
        };
        let chosen = of.name.as_ref().is_some_and(|(_, chosen)| *chosen);
        let end = run.end(receive);
        of.since.0 <= end && end <= of.until && (!chosen || made >= of.since.1 || waited())
    }

    fn sender(&mut self, run: &Run, to: usize, receive: usize) -> Sender {
        let Some(seen) = self.seen(run, to, receive) else { return Sender::Unknown };
        let received = Message::of(run, receive);
        let from = self.named(&seen);
        let mut later = None;
        for &from in &from {
            // What comes next was mostly sent next.
            let next = self.next.get(&(from, to)).copied().unwrap_or_default();
            let sent = &self.all[from].sent;
            for nth in (next..sent.len()).chain(0..next.min(sent.len())) {
                let send = &sent[nth];
                self.tried += 1;
                if !send.is(&received) || !self.reaches(send, to) {
                    continue;
                }
                if send.at <= received.at {
                    self.next.insert((from, to), nth + 1);
                    return Sender::Known;
                }
                later = later.or(Some(send.record));
            }
        }
        match (from.iter().any(|&from| self.held(run, from, to, receive)), later) {
            (false, _) => Sender::Unknown,
            (true, Some(send)) => Sender::Later(send),
            (true, None) => Sender::Nothing,
        }
    }

    /// Whether this end can be the one to which that was sent. Beyond the loopback, a router may have changed the address.
    fn reaches(&self, send: &Message, to: usize) -> bool {
        let (Some(there), Some((own, _))) = (&send.to, &self.all[to].name) else { return true };
        match there {
            Name::Inet(address) => !is_one_host(address.ip()) || own.is_seen_as(there),
            Name::Path(_) => own == there,
        }
    }
}

/// An address of this host and of no other, and not one of many.
fn is_one_host(ip: IpAddr) -> bool {
    ip.is_loopback() && !ip.to_string().ends_with(".255")
}

/// The calls about a socket that moved a message in this direction.
fn moved(run: &Run, socket: &Socket, direction: Direction) -> Vec<usize> {
    let moves = |&i: &usize| {
        run.records[i].bytes.is_some()
            && run.records[i].direction_on_connection().map(|of| match of {
                Direction::End => Direction::In, // an empty message looks like an end
                of => of,
            }) == Some(direction)
    };
    socket.calls.iter().copied().filter(moves).collect()
}

/// Whether it is a socket of datagrams with addresses of the internet, or of UNIX, that a recorded call made.
fn is_of_datagrams(run: &Run, socket: &Socket) -> bool {
    let Some(made) = socket.made.filter(|_| !socket.shared) else { return false };
    let record = &run.records[made];
    let Call::Connection(Connection::Socket(kind)) = &*record.what else { return false };
    let args = record.args.as_deref().unwrap_or_default();
    let usual = ["IPPROTO_IP", "IPPROTO_UDP", ", 0"].iter().any(|of| args.ends_with(of));
    record.kind == Kind::Call
        && matches!(kind.ty, Type::Datagram)
        && matches!(kind.family, Family::Inet | Family::Inet6 | Family::Unix)
        && usual
}

/// Whether another socket may have the same name at the same time.
fn may_share(run: &Run, socket: &Socket) -> bool {
    socket.calls.iter().any(|&i| {
        let args = run.records[i].args.as_deref().unwrap_or_default();
        run.records[i].call.as_deref() == Some("setsockopt") && args.contains("SO_REUSE")
    })
}

/// Whether something may have moved through a socket that its records do not show as a message each.
fn has_unclear(run: &Run, socket: &Socket, hidden: &HashSet<i32>) -> bool {
    socket.holders.iter().any(|(pid, _)| hidden.contains(pid))
        || socket.calls.iter().any(|&i| {
            let record = &run.records[i];
            let args = record.args.as_deref().unwrap_or_default();
            match &*record.what {
                Call::Bytes(Bytes::Sendfile { .. } | Bytes::Splice { .. }) => true,
                // One of these is many messages, of which the record has the first.
                Call::Bytes(Bytes::Sendmmsg(_)) => record.ret != Some(1),
                Call::Bytes(_) if record.what.way() == Some(Way::Out) => {
                    record.is_unfinished()
                        || record.kind == Kind::Complete
                        || args.contains("MSG_MORE")
                        || args.contains("cmsg_level=") && !args.contains("SCM_")
                }
                // The kernel may put several together, or take them apart: UDP_SEGMENT, UDP_GRO, UDP_CORK.
                Call::Option(_) => {
                    record.call.as_deref() == Some("setsockopt")
                        && !["SOL_SOCKET", "SOL_IP,", "SOL_IPV6"].iter().any(|of| args.contains(of))
                }
                _ => false,
            }
        })
}
