//! The bytes at both ends of each connection: what one end received, the other has sent before, in this order.

use std::collections::{HashMap, HashSet};
use std::net::Shutdown;

use netplay_record::{Direction, Kind, Moves};

use super::compared::Compared;
use super::rings;
use super::sockets::{Id, Sockets};
use super::states::moved;
use crate::run::Run;
use crate::{Fault, Rule};
use netplay_text::both;
use netplay_text::both::Both;
use netplay_text::escape::unescape;

/// So many pairs of sockets are tried: a run in which any client can be any connection is not compared.
const TRIED: usize = 1_000_000;

/// So many connections that a client can have made are looked for: the queue of a listener is one of first come, first served, so the
/// right one is hardly ever far away. Where there are more, nothing is said of a client that finds none of these free.
const ENOUGH: usize = 8;

/// So many connections are looked at, at least, before one that fits is enough.
const FAR: usize = 64;

/// One end: what it sent and received.
struct End {
    sent: Vec<usize>,
    received: Vec<usize>,
    /// Whether all calls that moved its bytes are known, each with what it moved.
    known: bool,
    /// The first call that read the end of what the other one sends, if nothing but that end can have been its cause.
    ended: Option<usize>,
    /// Until when it had certainly not ended what it sends.
    open_until: u64,
}

/// Why two ends cannot be one connection: the rule, the sentence, the records.
type Why = (Rule, Both, Vec<usize>);

pub(super) fn check(
    run: &Run,
    sockets: &Sockets,
    compared: &mut Compared,
    faults: &mut Vec<Fault>,
) {
    let mut ends: Vec<End> = (0..sockets.all.len()).map(|id| end(run, sockets, id)).collect();
    let open = rings::sends_without_an_answer(run);
    for (end, socket) in ends.iter_mut().zip(&sockets.all).filter(|_| !open.is_empty()) {
        end.known &= !socket.holders.iter().any(|holder| open.contains(holder));
    }
    let mut paired: HashSet<Id> = HashSet::new();
    let mut count = |one: Id, other: Id, paired: &mut HashSet<Id>| {
        paired.extend([one, other]);
        compared.connections += 1;
        let all = [one, other].into_iter().flat_map(|id| &ends[id].received);
        for &i in all {
            let record = &run.records[i];
            compared.bytes += record.bytes.unwrap_or_default();
            compared.kept += record.data.as_deref().map_or(0, |data| unescape(data).len() as u64);
        }
    };
    for (id, socket) in sockets.all.iter().enumerate() {
        if let Some(other) = socket.pair.filter(|&other| id < other && socket.stream == Some(true))
        {
            match fits(run, &ends[id], &ends[other]) {
                Ok(()) => count(id, other, &mut paired),
                Err(why) => accuse(run, why, faults),
            }
        }
    }
    let name = |i: usize| run.records[i].peer.as_deref().unwrap_or_default();
    let mut accepted: Vec<Id> = (0..sockets.all.len())
        .filter(|&id| sockets.all[id].listener.is_some() && sockets.all[id].stream == Some(true))
        .collect();
    let accepted_at = |id: Id| sockets.all[id].made.map_or(0, |made| run.end(made));
    accepted.sort_by_key(|&id| accepted_at(id));
    // The calls that connect, and the name of each client, where a call has told it.
    let clients: Vec<(Id, usize, Option<String>)> = (0..sockets.all.len())
        .filter(|&id| sockets.all[id].stream == Some(true) && sockets.all[id].listener.is_none())
        .filter_map(|id| {
            let calls = &sockets.all[id].calls;
            let connects = |&&i: &&usize| run.records[i].what.moves() == Moves::Connects;
            let connect = *calls.iter().find(connects)?;
            let local = calls
                .iter()
                .filter_map(|&i| run.records[i].local.as_deref())
                .rfind(|local| named(local));
            Some((id, connect, local.map(str::to_owned)))
        })
        .collect();
    let listens = |listener: Id| -> Vec<String> {
        let calls = &sockets.all[listener].calls;
        let names = calls.iter().filter_map(|&i| run.records[i].local.as_deref());
        names.filter(|name| named(name)).map(str::to_owned).collect()
    };
    let mut addresses: HashMap<Id, Vec<String>> = HashMap::new();
    for &id in &accepted {
        if let Some(listener) = sockets.all[id].listener {
            addresses.entry(listener).or_insert_with(|| listens(listener));
        }
    }
    let mut by_name: HashMap<String, Vec<Id>> = HashMap::new();
    for &id in &accepted {
        let here = sockets.all[id].made.map(name).filter(|here| named(here));
        by_name.entry(here.map(canonical).unwrap_or_default()).or_default().push(id);
    }
    let mut tried = 0;
    let mut taken: HashMap<Id, usize> = HashMap::new(); // an accepted socket, and the place of its client
    let mut candidates: Vec<Vec<Id>> = Vec::new();
    let mut causes: Vec<Vec<Why>> = Vec::new();
    for (client, connect, local) in &clients {
        let (mut possible, mut why) = (Vec::new(), Vec::new());
        let to = name(*connect);
        let reached: HashSet<Id> = addresses
            .iter()
            .filter(|(_, names)| names.iter().any(|at| reaches(to, at)))
            .map(|(&listener, _)| listener)
            .collect();
        let local = local.as_deref().map(canonical);
        let may: Vec<Id> = match &local {
            Some(local) => {
                ["", local].iter().filter_map(|of| by_name.get(*of)).flatten().copied().collect()
            }
            None => {
                let began = run.records[*connect].start_ns;
                accepted[accepted.partition_point(|&id| accepted_at(id) < began)..].to_vec()
            }
        };
        let mut looked = 0;
        for id in may {
            let (Some(listener), Some(made)) = (sockets.all[id].listener, sockets.all[id].made)
            else {
                continue;
            };
            if !reached.contains(&listener) {
                continue;
            }
            let tells = named(name(made)) && local.is_some();
            if run.end(made) < run.records[*connect].start_ns {
                if tells {
                    why.push((
                        Rule::Time,
                        both!(
                            "a connection is accepted before its client has begun to connect",
                            "连接在客户端开始 connect 之前就被接受"
                        ),
                        vec![made, *connect],
                    ));
                }
                continue;
            }
            tried += 1;
            match fits(run, &ends[*client], &ends[id]) {
                Ok(()) => possible.push(id),
                Err(cause) => why.push(cause),
            }
            if tried > TRIED {
                return;
            }
            looked += 1;
            if possible.len() == ENOUGH || !possible.is_empty() && looked >= FAR {
                why.clear(); // then it is not known why the others would not do
                break;
            }
        }
        candidates.push(possible);
        causes.push(why);
    }
    // A client that has received something was accepted: each of these needs a connection of its own.
    let mut alone = Vec::new();
    for place in 0..clients.len() {
        if !matched(place, &candidates, &mut taken, &mut HashSet::new()) {
            alone.push(place);
        }
    }
    for (&id, &place) in &taken {
        count(clients[place].0, id, &mut paired);
    }
    let left: Vec<Id> = accepted.iter().copied().filter(|id| !taken.contains_key(id)).collect();
    for place in alone {
        let (client, connect, _) = &clients[place];
        let must = !ends[*client].received.is_empty();
        // It sent something, and a connection is left that received something else.
        let other =
            !ends[*client].sent.is_empty() && left.iter().any(|&id| !ends[id].received.is_empty());
        let known = ends[*client].known && left.iter().all(|&id| ends[id].known);
        if known && (must || other) && !causes[place].is_empty() {
            let why = causes[place]
                .iter()
                .max_by_key(|(_, _, at)| at.iter().map(|&i| run.records[i].start_ns).max());
            match (why, causes[place].len()) {
                (Some(why), 1) => accuse(run, why.clone(), faults),
                _ => faults.push(run.fault(
                    Rule::Bytes,
                    both!(
                        "no connection of this listener has received and sent what this client sent and received",
                        "这个监听套接字的任何连接，收发的内容都与这个客户端不符",
                    ),
                    &[*connect],
                )),
            }
        }
    }
    let streams = sockets.all.iter().enumerate().filter(|(id, socket)| {
        socket.stream == Some(true)
            && !paired.contains(id)
            && !(ends[*id].sent.is_empty() && ends[*id].received.is_empty())
    });
    compared.one_sided = streams.count();
}

fn accuse(run: &Run, (rule, said, at): Why, faults: &mut Vec<Fault>) {
    faults.push(run.fault(rule, said, &at));
}

/// Finds a connection for this client, if need be by giving another client another one.
fn matched(
    place: usize,
    candidates: &[Vec<Id>],
    taken: &mut HashMap<Id, usize>,
    seen: &mut HashSet<Id>,
) -> bool {
    for &id in &candidates[place] {
        if !seen.insert(id) {
            continue;
        }
        let free = match taken.get(&id).copied() {
            None => true,
            Some(other) => seen.len() < 1000 && matched(other, candidates, taken, seen),
        };
        if free {
            taken.insert(id, place);
            return true;
        }
    }
    false
}

/// What an end sent and received, in the order of the stream.
fn end(run: &Run, sockets: &Sockets, id: Id) -> End {
    let socket = &sockets.all[id];
    let mut end = End {
        sent: Vec::new(),
        received: Vec::new(),
        known: !socket.shared && socket.made.is_some(),
        ended: None,
        open_until: sockets.open_until(run, id),
    };
    // After a reset that another call has reported, a receive returns 0 as well.
    let mut clean = true;
    for &i in &socket.calls {
        let record = &run.records[i];
        let unclear = record.kind == Kind::Complete && !rings::is_exact(record);
        if record.is_unfinished() && record.what.way().is_some() || unclear {
            end.known = false; // what it moved is not known, or when
        }
        match moved(record) {
            Some(Direction::Out) => end.sent.push(i),
            Some(Direction::In) => end.received.push(i),
            Some(Direction::End) if clean && end.ended.is_none() => end.ended = Some(i),
            _ => {}
        }
        if let (Moves::Shuts(how), true) = (record.what.moves(), record.is_done()) {
            clean &= how == Shutdown::Write;
            if how != Shutdown::Read {
                end.open_until = end.open_until.min(record.start_ns);
            }
        }
        let usual =
            matches!(record.errno.as_deref(), None | Some("EAGAIN" | "EINTR" | "EINPROGRESS"));
        let asks = record.args.as_deref().is_some_and(|args| {
            args.contains("SO_ERROR") || args.contains("MSG_TRUNC") || args.contains("MSG_OOB")
        });
        clean &= usual && !asks;
    }
    end.ended = end.ended.filter(|_| clean);
    end.received.sort_by_key(|&i| run.end(i));
    // Calls of several threads at one time have no order.
    for list in [&end.sent, &end.received] {
        let at_once = |two: &[usize]| {
            run.end(two[0]) > run.records[two[1]].start_ns && !is_one_operation(run, two[0], two[1])
        };
        if list.windows(2).any(at_once) {
            end.known = false;
        }
    }
    end
}

/// Whether both are answers of one operation of a ring, which come in the order of the stream.
fn is_one_operation(run: &Run, one: usize, other: usize) -> bool {
    let of = |i: usize| {
        let record = &run.records[i];
        (record.kind == Kind::Complete).then_some((record.pid, record.user_data, record.start_ns))
    };
    of(one).is_some() && of(one) == of(other)
}

fn fits(run: &Run, one: &End, other: &End) -> Result<(), Why> {
    if !one.known || !other.known {
        return Ok(());
    }
    flows(run, &one.sent, &other.received)?;
    flows(run, &other.sent, &one.received)?;
    ends(run, one, other)?;
    ends(run, other, one)
}

/// Whether the one can have read the end of what the other sent, and all that came before it.
fn ends(run: &Run, one: &End, other: &End) -> Result<(), Why> {
    let Some(ended) = one.ended else { return Ok(()) };
    if run.end(ended) < other.open_until {
        let said = both!(
            "the end is read here, and the other end had neither shut down nor closed the connection",
            "这里读到了末尾，而对端既没有关停也没有关闭连接",
        );
        return Err((Rule::Time, said, vec![ended]));
    }
    let total = |calls: &[usize]| -> u64 {
        calls.iter().map(|&i| run.records[i].bytes.unwrap_or_default()).sum()
    };
    let (sent, received) = (total(&other.sent), total(&one.received));
    if sent != received {
        let said = both!(
            "the end is read here after {received} bytes, and the other end sent {sent}",
            "这里收到 {received} 字节之后读到末尾，而对端发送了 {sent} 字节",
        );
        return Err((Rule::Bytes, said, vec![ended]));
    }
    Ok(())
}

/// Whether these receives can have taken the bytes of those sends.
fn flows(run: &Run, sent: &[usize], received: &[usize]) -> Result<(), Why> {
    let mut sends = sent.iter().copied();
    let mut now: Option<(usize, Vec<u8>, u64)> = None; // a send, what is kept of it, and how much of it is taken
    for &receive in received {
        let record = &run.records[receive];
        let kept = record.data.as_deref().map(unescape).unwrap_or_default();
        let (mut at, all) = (0, record.bytes.unwrap_or_default());
        while at < all {
            let (send, of_send, taken) = match now.take() {
                Some(now) => now,
                None => {
                    let Some(send) = sends.next() else {
                        let said = both!(
                            "more bytes are received here than the other end has sent",
                            "这里收到的字节比对端发送的还多",
                        );
                        return Err((Rule::Bytes, said, vec![receive]));
                    };
                    (send, run.records[send].data.as_deref().map(unescape).unwrap_or_default(), 0)
                }
            };
            if run.records[send].start_ns > run.end(receive) {
                let said =
                    both!("bytes are received before they were sent", "数据在发送之前就被收到");
                return Err((Rule::Time, said, vec![send, receive]));
            }
            let left = run.records[send].bytes.unwrap_or_default() - taken;
            let n = left.min(all - at);
            let both_kept = (of_send.len() as u64)
                .saturating_sub(taken)
                .min((kept.len() as u64).saturating_sub(at))
                .min(n);
            let (a, b) = (
                &of_send[(taken as usize).min(of_send.len())..],
                &kept[(at as usize).min(kept.len())..],
            );
            let differ = |(a, b): (&u8, &u8)| a != b && *a != b'*' && *b != b'*';
            if a.iter().zip(b).take(both_kept as usize).any(differ) {
                let said = both!(
                    "the bytes that are received here are not those that the other end sent",
                    "这里收到的字节不是对端发送的字节",
                );
                return Err((Rule::Bytes, said, vec![send, receive]));
            }
            at += n;
            if n < left {
                now = Some((send, of_send, taken + n));
            }
        }
    }
    Ok(())
}

/// Whether an address names one end: it has a port, or is a path.
pub(super) fn named(address: &str) -> bool {
    !address.is_empty() && !address.ends_with(":0") && address != "(unnamed)"
}

/// An IPv4 address is the same one in an IPv6 socket.
pub(super) fn canonical(address: &str) -> String {
    address.parse::<std::net::SocketAddr>().map_or(address.to_owned(), |of| {
        std::net::SocketAddr::new(of.ip().to_canonical(), of.port()).to_string()
    })
}

/// Whether a connection to this address comes to a listener at that one.
fn reaches(to: &str, at: &str) -> bool {
    let parse = |address: &str| canonical(address).parse::<std::net::SocketAddr>().ok();
    match (parse(to), parse(at)) {
        (Some(to), Some(at)) => {
            let any = to.ip().is_unspecified() || at.ip().is_unspecified();
            to.port() == at.port() && (any || to.ip() == at.ip())
        }
        _ => !to.is_empty() && to == at,
    }
}
