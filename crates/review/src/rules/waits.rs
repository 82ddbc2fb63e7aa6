//! Who waits for whom.

use std::collections::HashMap;

use netplay_record::{Direction, Moves};
use netplay_text::words::{about, grouped};

use super::found::{Found, MS};
use super::waiting::{LONG, is_all, waits_alone, waits_for};
use crate::finding::{Rule, Taught, both};
use crate::model::{Id, Model};

/// Proven by two calls that had not returned when the records ended, one at each end of a connection: both receive, and every byte
/// that was sent has been received; or both send. Each is a call on this socket alone, by a process all of whose threads wait; or a
/// wait of one process for this one client and new ones only, over a connection on which nothing was ever said. Innocent: a
/// subscriber, an idle connection of a server of many clients, a program one of whose threads does something else.
pub(super) fn mutual_wait(model: &Model<'_>, found: &mut Found) {
    for id in 0..model.sockets.len() {
        let socket = &model.sockets[id];
        let Some(peer) = model.peer(id).filter(|_| socket.was_accepted()) else { continue };
        let merged = model.sockets[id].calls.iter().any(|&i| found.has(Rule::MergedSends, i));
        let causes =
            [Rule::ShortRecv, Rule::ShortSend, Rule::DescriptorLeak, Rule::LengthInCharacters];
        let known = |i: usize| causes.iter().any(|&rule| found.has(rule, i));
        let explained = socket.calls.iter().chain(&model.sockets[peer].calls).any(|&i| known(i));
        if merged || explained {
            continue; // that is why they wait
        }
        let drained = model.is_drained(id) && model.is_drained(peer);
        let (here, there) = (waits_for(model, id), waits_for(model, peer));
        if let (Some(here), Some(there)) = (here, there)
            && drained
            && waits_alone(model, id, peer, here)
            && waits_alone(model, peer, id, there)
        {
            let (server, client) = (model.role(here), model.role(there));
            // Nothing was ever said: which side speaks first is a question of the protocol.
            let silent = [id, peer].iter().all(|&id| model.sockets[id].sent.is_empty());
            let taught = match silent {
                true => Taught::Lesson("protocol"),
                false => Taught::Lab("halfclose"),
            };
            found.add_taught(
                Rule::MutualWait,
                here,
                [here, there],
                both!(
                    "{server} and {client} both wait to receive from each other, and nothing is on the way: neither will ever go on. One of them must speak first, or say that its message is complete",
                    "{server} 和 {client} 都在等着从对方接收，而路上什么都没有：谁也不会再继续。必须有一方先说话，或者说明自己的消息已经完整",
                ),
                taught,
            );
            continue;
        }
        let (Some(here), Some(there)) = (sends(model, id), sends(model, peer)) else { continue };
        let limited = socket.limited || model.sockets[peer].limited;
        if is_all(model, here) && is_all(model, there) && !limited {
            let (server, client) = (model.role(here), model.role(there));
            found.add(
                Rule::MutualWait,
                here,
                [here, there],
                both!(
                    "{server} and {client} both wait to send: the buffers of both directions are full, and neither receives what would make room",
                    "{server} 和 {client} 都在等着发送：两个方向的缓冲区都满了，而谁也不接收，腾不出空间",
                ),
            );
        }
    }
}

/// The call in which this end still waits to send.
fn sends(model: &Model<'_>, id: Id) -> Option<usize> {
    let calls = model.sockets[id].calls.iter().rev().copied();
    calls.take(4).find(|&i| model.is_send(i) && model.is_unfinished(i) && model.took(i) >= LONG)
}

/// So many calls in a row that brought nothing are no accident.
const MANY: usize = 100;

/// Proven by hundreds of calls in a row by which a thread got nothing (an error, 0, EAGAIN, a wait that returned at once), without
/// one that took its time, and hardly any time between them. It is told of each place in the program: another call, another answer, a
/// socket of another kind. Innocent: a poll with naps in between, a few tries before a wait.
pub(super) fn busy_loop(model: &Model<'_>, found: &mut Found) {
    let mut threads: Vec<(i32, i32)> = model
        .lives
        .iter()
        .flat_map(|(&pid, life)| life.threads.iter().map(move |&tid| (pid, tid)))
        .collect();
    threads.sort_unstable();
    for (pid, tid) in threads {
        // What it tries, in the order in which that began: each with the records that brought nothing.
        let mut places: Vec<(Place<'_>, Vec<usize>)> = Vec::new();
        let mut run: Vec<usize> = Vec::new();
        let records = model.records_of(pid).iter().copied();
        for i in records.filter(|&i| model.tid(i) == tid && model.is_call(i)) {
            if brought_nothing(model, i) {
                run.push(i);
                continue;
            }
            gather_busy(model, &mut places, &run);
            run.clear();
        }
        gather_busy(model, &mut places, &run);
        for (place, tries) in places {
            tell_busy(model, found, place, &tries);
        }
    }
}

fn brought_nothing(model: &Model<'_>, i: usize) -> bool {
    let record = model.records[i];
    if model.is_unfinished(i) || model.took(i) > 5 * MS {
        return false;
    }
    let end = model.direction(i) == Some(Direction::End);
    model.is_wait(i) || end || record.ret == Some(-1) && record.what.moves() != Moves::Closes
}

/// A place in a program: the call, the descriptor and its socket, the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place<'m> {
    call: &'m str,
    fd: Option<i32>,
    socket: Option<Id>,
    errno: &'m str,
}

/// Adds the calls of a busy run to their places.
fn gather_busy<'m>(model: &'m Model<'_>, places: &mut Vec<(Place<'m>, Vec<usize>)>, run: &[usize]) {
    if run.len() < MANY {
        return;
    }
    let mut gaps: Vec<u64> = run
        .windows(2)
        .map(|two| model.start(two[1]).saturating_sub(model.finish(two[0])))
        .collect();
    gaps.sort_unstable();
    if gaps[gaps.len() / 2] > MS / 2 {
        return; // it does something else in between, if only a nap
    }
    // A wait that returns at once between tries is not what it tries.
    let tries: Vec<usize> = run.iter().copied().filter(|&i| !model.is_wait(i)).collect();
    let tries = if tries.len() * 4 < run.len() { run } else { &tries };
    let place = |i: usize| Place {
        call: model.call(i),
        fd: model.records[i].fd,
        socket: model.of[i],
        errno: model.errno(i),
    };
    let mut of_run: Vec<(Place<'m>, Vec<usize>)> = Vec::new();
    for &i in tries {
        let here = place(i);
        match of_run.iter().rposition(|(of, _)| *of == here) {
            Some(at) => of_run[at].1.push(i),
            None if of_run.len() < MANY => of_run.push((here, vec![i])),
            None => {}
        }
    }
    for (here, tries) in of_run.into_iter().filter(|(_, tries)| tries.len() >= MANY / 3) {
        match places.iter_mut().find(|(of, _)| *of == here) {
            Some((_, all)) => all.extend(tries),
            None => places.push((here, tries)),
        }
    }
}

fn tell_busy(model: &Model<'_>, found: &mut Found, place: Place<'_>, tries: &[usize]) {
    let (Some(&first), Some(&last)) = (tries.first(), tries.last()) else { return };
    let count = grouped(found.counted(tries).unwrap_or(tries.len() as u64));
    let (role, call) = (model.role(first), place.call);
    let span = std::time::Duration::from_nanos(model.finish(last) - model.start(first));
    let span = about(span);
    let is_wait = model.is_wait(first);
    let (en, zh) = match place.errno {
        "" if is_wait => (" returned at once".to_owned(), "立刻返回".to_owned()),
        "" => (" returned 0".to_owned(), "返回 0".to_owned()),
        errno => (format!(" failed with {errno}"), format!("以 {errno} 失败")),
    };
    // Sockets of one kind meet the same lines of the program.
    let kind = match place.socket.map(|id| &model.sockets[id]) {
        Some(socket) if socket.was_accepted() => "accepted".to_owned(),
        Some(socket) if socket.connected.is_some() => "connected".to_owned(),
        _ => format!("{:?}", place.fd),
    };
    let taught = match place.errno {
        "" if is_wait => Taught::Lesson("poll"),
        "" => Rule::EndIgnored.taught(),
        "EAGAIN" => Rule::BusyLoop.taught(),
        "EMFILE" | "ENFILE" => Taught::Lab("limits"),
        errno => Taught::by(errno),
    };
    found.add_taught(
        Rule::BusyLoop,
        first,
        tries.iter().copied().take(3).chain([last]),
        both!(
            "{role}: {call}{en} {count} times in a row, without a wait: for {span} the program used a processor and got nothing. Wait in poll, select or epoll until there is something to do",
            "{role}：{call} 连续 {count} 次{zh}，中间没有等待：在 {span} 里程序占着处理器却什么也没得到。用 poll、select 或 epoll 等到有事可做",
        )
        .at(format!("{call} {} {kind}", place.errno)),
        taught,
    );
}

/// How long a client must have waited for its turn.
const PATIENCE: u64 = 900 * MS;

/// Proven by a call that waited long for one client, in the thread that also has to accept, or to read from, another client whose
/// bytes lay there all the while. Innocent: a server that another thread or process serves the other client for, or that the
/// other client keeps waiting only a moment.
pub(super) fn blocked_behind(model: &Model<'_>, found: &mut Found) {
    let mut clients = Clients::of(model);
    for id in 0..model.sockets.len() {
        let socket = &model.sockets[id];
        if !socket.was_accepted() || !socket.is_stream() {
            continue;
        }
        for &i in &socket.calls {
            let blocks = (model.is_receive(i) || model.is_send(i)) && model.took(i) >= PATIENCE;
            if !blocks || explained(model, found, id) {
                continue;
            }
            if let Some((waits, proof)) = who_waits_behind(model, &mut clients, id, i) {
                let (role, call, whom) = (model.role(i), model.call(i), model.role(waits));
                let span = about(std::time::Duration::from_nanos(model.took(i)));
                found.add(
                    Rule::BlockedBehind,
                    i,
                    proof,
                    both!(
                        "{role}: for {span} its {call} waited for one client, while what {whom} had sent over another connection lay unread: one thread that waits for one client serves no other. Use a thread or a process for each, or wait for all of them with poll or epoll",
                        "{role}：它的 {call} 用了 {span} 等一个客户端，而 {whom} 在另一个连接上发来的内容一直没有读：只等一个客户端的线程无法为别人服务。给每个客户端一个线程或进程，或者用 poll、epoll 同时等待所有客户端",
                    ),
                );
                break;
            }
        }
    }
}

fn explained(model: &Model<'_>, found: &Found<'_>, id: Id) -> bool {
    model.sockets[id].calls.iter().any(|&at| found.has(Rule::BlockedBehind, at))
}

/// The sockets that connected, and those that came to each listener.
struct Clients {
    all: Vec<Id>,
    of: HashMap<Id, Vec<Id>>,
}

impl Clients {
    fn of(model: &Model<'_>) -> Clients {
        let connected = |id: &Id| {
            let client = &model.sockets[*id];
            !client.was_accepted() && client.is_stream() && client.connected.is_some()
        };
        Clients { all: (0..model.sockets.len()).filter(connected).collect(), of: HashMap::new() }
    }

    fn at(&mut self, model: &Model<'_>, listener: Id) -> &[Id] {
        let Clients { all, of } = self;
        of.entry(listener).or_insert_with(|| {
            let at = model.sockets[listener].local.as_deref().unwrap_or_default();
            let to = |id: Id| model.sockets[id].peer_address.as_deref().unwrap_or_default();
            all.iter().copied().filter(|&id| crate::pair::reaches(to(id), at)).collect()
        })
    }
}

/// A send of a client that waits, and the records that show it.
fn who_waits_behind(
    model: &Model<'_>,
    clients: &mut Clients,
    id: Id,
    i: usize,
) -> Option<(usize, Vec<usize>)> {
    let (pid, tid) = (model.pid(i), model.tid(i));
    let listener = model.sockets[id].listener?;
    let accepts =
        |at: &usize| model.call(*at) == "accept" && model.tid(*at) == tid && model.pid(*at) == pid;
    let its_thread = model.sockets[listener].calls.iter().any(accepts);
    let others = model.sockets[listener].calls.iter().any(|&at| {
        // Another thread or process that could have accepted it.
        model.call(at) == "accept" && (model.tid(at), model.pid(at)) != (tid, pid)
    });
    for &other in clients.at(model, listener) {
        let client = &model.sockets[other];
        if other == id || model.sockets[id].peer == Some(other) {
            continue;
        }
        // The first of its bytes that no receive took while the call waited.
        let until = model.finish(i);
        let sent = client.sent.iter().copied().find(|&send| {
            let began = model.finish(send).max(model.start(i));
            let waited = until.saturating_sub(began) >= PATIENCE;
            waited && !taken_before(model, other, send, until)
        });
        let Some(sent) = sent else { continue };
        match client.peer {
            // It is in the queue of the listener, which this thread should empty.
            None if its_thread && !others && !any_unpaired(model, listener, other) => {
                return Some((sent, vec![i, sent, client.connected?]));
            }
            None => {}
            Some(end) => {
                let mut calls = model.sockets[end].calls.iter().copied();
                let made = model.sockets[end].made?;
                let mine = |at: usize| model.tid(at) == tid && model.pid(at) == pid;
                let late = model.start(made) >= until || model.finish(made) >= until;
                if late && its_thread && !others || !late && mine(made) && calls.all(mine) {
                    return Some((sent, vec![i, sent]));
                }
            }
        }
    }
    None
}

/// Whether some accepted connection of this listener has no known client: it may be the one.
fn any_unpaired(model: &Model<'_>, listener: Id, _client: Id) -> bool {
    model.sockets.iter().any(|socket| socket.listener == Some(listener) && socket.peer.is_none())
}

fn taken_before(model: &Model<'_>, from: Id, send: usize, until: u64) -> bool {
    let Some(wire) = model.wires.get(&from) else { return false };
    if !wire.known {
        return true; // who knows
    }
    let mut received = wire.of_send(send).iter().filter_map(|chunk| chunk.received);
    received.any(|at| model.finish(at) < until)
}
