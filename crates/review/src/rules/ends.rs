//! The end of a connection, and what is not its end.

use netplay_text::words::grouped;

use super::found::{Found, MS};
use crate::finding::{Rule, Taught, both};
use crate::model::{Ending, Id, Model};

/// How long a peer must have been gone before a send, so that the sender could have known.
const LONG_GONE: u64 = 30 * MS;

/// Proven by a peer that no process held any more, a send that began long after and succeeded all the same, and a later send on the same
/// socket that failed with EPIPE or ECONNRESET, or SIGPIPE. Innocent: a stream in full flow, whose sender cannot know yet; a program
/// that connects again and sends what had failed; a server of many that lets this client go and serves on.
pub(super) fn dead_peer(model: &Model<'_>, found: &mut Found) {
    for id in 0..model.sockets.len() {
        let socket = &model.sockets[id];
        let Some(peer) = socket.peer.filter(|_| socket.is_stream()) else { continue };
        let Some(gone) = model.sockets[peer].gone else { continue };
        let into_nothing =
            socket.sent.iter().copied().find(|&i| model.start(i) >= gone.at + LONG_GONE);
        let failed = socket.calls.iter().copied().find(|&i| {
            model.is_send(i)
                && matches!(model.errno(i), "EPIPE" | "ECONNRESET")
                && model.start(i) >= gone.at
        });
        let (Some(sent), Some(failed)) = (into_nothing, failed) else { continue };
        if sent > failed {
            continue;
        }
        let (role, errno) = (model.role(failed), model.errno(failed));
        let killed = model.lives.get(&model.pid(failed)).and_then(|life| life.ended);
        let killed = killed.filter(|&(at, how)| {
            how == Ending::Signal && model.records[at].value.as_deref() == Some("killed SIGPIPE")
        });
        if killed.is_none() && (sends_again(model, id, failed) || serves_on(model, id, failed)) {
            continue;
        }
        let said = match killed {
            Some(_) => both!(
                "{role}: the peer was gone; a send succeeded all the same, because the kernel only puts the bytes into a queue, and the next one ended the program by SIGPIPE",
                "{role}：对端已经不在了；send 仍然成功，因为内核只是把字节放进队列，而下一次发送使程序被 SIGPIPE 终止",
            ),
            None => both!(
                "{role}: the peer was gone; a send succeeded all the same, because the kernel only puts the bytes into a queue, and only a later one failed ({errno}). What the first sent is lost",
                "{role}：对端已经不在了；send 仍然成功，因为内核只是把字节放进队列，后面的一次才失败 ({errno})。前面发送的内容丢失了",
            ),
        };
        let proof = [gone.by, sent, failed].into_iter().chain(killed.map(|(at, _)| at));
        found.add(Rule::DeadPeer, failed, proof, said);
    }
}

/// Whether the program connected to the same address again, and there sent what had failed.
fn sends_again(model: &Model<'_>, id: Id, failed: usize) -> bool {
    let lost = model.given(failed);
    model.sockets.iter().enumerate().any(|(other, socket)| {
        other != id
            && socket.connected.is_some_and(|at| at > failed && model.pid(at) == model.pid(failed))
            && socket.peer_address == model.sockets[id].peer_address
            && socket.sent.iter().any(|&send| {
                let sent = model.given(send);
                sent.starts_with(&lost) || lost.starts_with(&sent)
            })
    })
}

/// Whether a server closed the socket at once, sent nothing more on it, and went on to serve others, or ended as its child does.
fn serves_on(model: &Model<'_>, id: Id, failed: usize) -> bool {
    let pid = model.pid(failed);
    let Some(life) = model.lives.get(&pid) else { return false };
    let serves = |pid: i32| {
        let records = model.records_of(pid).iter();
        records.copied().any(|i| model.call(i) == "accept" && model.records[i].is_done())
    };
    let lets_go =
        model.after(id, failed).iter().all(|&i| !model.is_send(i) && !model.is_receive(i));
    let Some(closed) = model.sockets[id].gone.filter(|_| lets_go) else { return false };
    let goes_on = model.records_of(pid).iter().any(|&i| i > closed.by && model.is_call(i));
    let of_server = life.parent.is_some_and(serves);
    let ends_well =
        life.ended.is_some_and(|(at, _)| model.records[at].value.as_deref() == Some("exited 0"));
    serves(pid) && goes_on || of_server && ends_well
}

/// Proven by a receive (or a send) that only said "not yet" and did so at once, the close of the same socket as the next thing that
/// its thread did with it, and a peer that was there, and then sent more, or waited for an answer; or by such a receive as the first
/// thing that a server did with a client. Innocent: a close after a timeout (SO_RCVTIMEO, the signal of `alarm`), after an answer,
/// after the peer's end, or at the end of the program that a signal asked for.
pub(super) fn again_as_end(model: &Model<'_>, found: &mut Found) {
    for id in 0..model.sockets.len() {
        let socket = &model.sockets[id];
        if !socket.is_stream() || !socket.is_inet() && !socket.matters() {
            continue;
        }
        for &i in &socket.calls {
            let moves = model.is_receive(i) || model.is_send(i);
            if !moves
                || !model.is_try_again(i)
                || model.took(i) > 10 * MS && model.errno(i) == "EAGAIN"
            {
                continue;
            }
            // To receive until there is no more is how a stream is drained.
            let before = socket.calls.iter().copied().rfind(|&at| at < i);
            let drains = before.is_some_and(|at| {
                model.is_receive(at) && model.records[at].bytes.is_some_and(|bytes| bytes > 0)
            });
            if model.is_receive(i) && model.errno(i) == "EAGAIN" && drains {
                continue;
            }
            let Some(next) = model.next_of(id, i) else { continue };
            if model.call(next) != "close" || model.tid(next) != model.tid(i) {
                continue;
            }
            // One that gives up later has thought about it.
            if model.start(next) > model.finish(i) + 100 * MS {
                continue;
            }
            let Some(gone) = socket.gone.filter(|gone| gone.by == next) else { continue };
            let Some(peer) = socket.peer else { continue };
            let waited = model.records_of(model.pid(i)).iter().any(|&at| {
                at > i
                    && at < next
                    && model.tid(at) == model.tid(i)
                    && (model.is_wait(at) || model.took(at) > 10 * MS)
            });
            let interrupted = model.errno(i) == "EINTR";
            let goes_on = model
                .records_of(model.pid(i))
                .iter()
                .any(|&at| at > next && (model.call(at) == "accept" || model.is_receive(at)));
            let dead = model.sockets[peer].gone.is_some_and(|of| of.at <= gone.at)
                || socket.ends.iter().any(|&end| end < i);
            if waited || dead || interrupted && !goes_on {
                continue;
            }
            if interrupted && may_be_a_limit(model, id, i) {
                continue;
            }
            let fresh = socket.was_accepted()
                && model.is_receive(i)
                && socket.sent.is_empty()
                && socket.received.is_empty();
            let hope = hoped(model, peer, id, gone.at, model.is_receive(i));
            let Some(hope) = hope.or(model.sockets[peer].connected.filter(|_| fresh)) else {
                continue;
            };
            let (role, call, errno) = (model.role(i), model.call(i), model.errno(i));
            let taught = match interrupted {
                true => Taught::by(errno),
                false => Rule::AgainAsEnd.taught(),
            };
            found.add_taught(
                Rule::AgainAsEnd,
                i,
                [i, next, hope],
                both!(
                    "{role}: {call} failed with {errno}, which only means \"not now\"; the program took it for the end and closed a connection whose peer was still there",
                    "{role}：{call} 以 {errno} 失败，这只表示“现在还不行”；程序却把它当成结束，关闭了对端仍在使用的连接",
                ),
                taught,
            );
        }
    }
}

/// Whether a call that was interrupted may have been meant to be, as a wait with a limit: the signal of `alarm` ends it. It was not
/// where a child had ended just then, where another call was interrupted and made again, or where it hardly waited.
fn may_be_a_limit(model: &Model<'_>, id: Id, i: usize) -> bool {
    let pid = model.pid(i);
    let of_child = model.lives.values().any(|life| {
        let ended = life.ended.filter(|_| life.parent == Some(pid));
        ended.is_some_and(|(at, _)| model.start(at).abs_diff(model.finish(i)) < 50 * MS)
    });
    let again = model.records_of(pid).iter().any(|&at| {
        let other = model.of[at].filter(|&other| other != id && model.errno(at) == "EINTR");
        let next = other.and_then(|other| model.next_of(other, at));
        next.is_some_and(|next| model.call(next) == model.call(at))
    });
    !of_child && !again && model.took(i) >= 300 * MS
}

/// What shows that this end still counted on the connection when the other closed it.
fn hoped(model: &Model<'_>, id: Id, closed: Id, at: u64, received: bool) -> Option<usize> {
    let calls = &model.sockets[id].calls;
    let sends = calls.iter().copied().find(|&i| model.is_send(i) && model.start(i) >= at);
    let unanswered = || {
        // It had sent, got nothing back, and was waiting for it.
        let &sent = model.sockets[id].sent.last()?;
        let answered =
            model.sockets[closed].sent.iter().any(|&i| model.start(i) > model.start(sent));
        calls
            .iter()
            .copied()
            .find(|&i| !answered && model.is_receive(i) && i > sent && model.finish(i) >= at)
    };
    let reads = || {
        calls.iter().copied().find(|&i| {
            !received && model.is_receive(i) && model.finish(i) >= at && model.bytes(i) > 0
        })
    };
    sends.or_else(unanswered).or_else(reads)
}

/// Proven by a receive that returned 0 and at least two more on the same socket that returned 0 again; or by three waits that
/// reported the end once more, with nothing sent on the socket in between and without its close. Innocent: one more receive (two
/// layers of a library each read to the end), a half-closed connection over which the answer still goes.
pub(super) fn end_ignored(model: &Model<'_>, found: &mut Found) {
    for id in 0..model.sockets.len() {
        let socket = &model.sockets[id];
        let Some(&first) = socket.ends.first().filter(|_| socket.is_stream()) else { continue };
        let pid = model.pid(first);
        let again: Vec<usize> =
            socket.ends[1..].iter().copied().filter(|&i| model.pid(i) == pid).collect();
        let (role, call) = (model.role(first), model.call(first));
        // A buffered reader asks two or three times more, before it says so to its program.
        if again.len() >= 4 {
            let count = again.len() as u64 + 1;
            found.count([first].iter().chain(&again), count);
            let count = grouped(count);
            found.add(
                Rule::EndIgnored,
                first,
                [first].into_iter().chain(again.into_iter().take(3)),
                both!(
                    "{role}: {call} returned 0, the end of what the peer sends, {count} times: the program received again and again from the same socket, but after a 0 nothing will ever come",
                    "{role}：{call} {count} 次返回 0，即对端数据的结尾：程序一再从同一个套接字接收，而返回 0 之后不会再有任何数据",
                ),
            );
            continue;
        }
        let last_sent = socket.sent.iter().copied().rfind(|&i| i > first).unwrap_or(first);
        let closed = socket.gone.map_or(u64::MAX, |gone| gone.at);
        let waits: Vec<usize> = model
            .records_of(pid)
            .iter()
            .copied()
            .filter(|&i| {
                i > last_sent
                    && model.is_wait(i)
                    && model.finish(i) < closed
                    && reports(model, id, first, i)
            })
            .collect();
        if waits.len() >= 3 && again.is_empty() {
            found.count(&waits, waits.len() as u64);
            let count = grouped(waits.len() as u64);
            found.add(
                Rule::EndIgnored,
                first,
                [first].into_iter().chain(waits.into_iter().take(3)),
                both!(
                    "{role}: {call} returned 0, the end of what the peer sends, and the program went on to wait for the same socket, which was reported {count} more times: close it, or leave it out of the wait",
                    "{role}：{call} 返回了 0，即对端数据的结尾，程序却继续等待同一个套接字，它又被报告了 {count} 次：关闭它，或者不再等待它",
                ),
            );
        }
    }
}

/// Whether a wait reported this socket as readable.
fn reports(model: &Model<'_>, id: Id, end: usize, wait: usize) -> bool {
    let fd = model.records[end].fd;
    let readable = u32::from(libc::POLLIN.cast_unsigned());
    let ready = model.records[wait].ready.as_deref().unwrap_or_default();
    let found = ready.split(", ").any(|entry| {
        let (of, what) = entry.split_once(' ').unwrap_or_default();
        of.parse().ok() == fd && (what.contains("IN") || what == "read")
    });
    let asked = match model.call(wait) {
        "epoll_wait" => model.sockets[id].in_list,
        _ => model.records[wait]
            .waits_on()
            .iter()
            .any(|of| Some(of.fd) == fd && of.events & readable != 0),
    };
    found && asked
}

/// Proven by the last close of a socket that still held bytes of its peer, a peer whose next call found the reset, and bytes that
/// the closing end had sent before and that the peer never received. Innocent: a reset by which nothing was lost.
pub(super) fn reset_by_unread(model: &Model<'_>, found: &mut Found) {
    for id in 0..model.sockets.len() {
        let socket = &model.sockets[id];
        let Some(peer) = model.peer(id).filter(|_| socket.is_stream() && socket.is_inet()) else {
            continue;
        };
        let Some(gone) = socket.gone else { continue };
        let unread = model.wires[&peer]
            .unread()
            .map(|chunk| chunk.send)
            .find(|&send| model.finish(send) <= gone.at);
        let lost = model.wires[&id].unread().map(|chunk| chunk.send).next();
        let reset = model.sockets[peer]
            .calls
            .iter()
            .copied()
            .find(|&i| model.errno(i) == "ECONNRESET" && model.finish(i) >= gone.at);
        let (Some(unread), Some(lost), Some(reset)) = (unread, lost, reset) else { continue };
        let (role, whom) = (model.role(gone.by), model.role(reset));
        found.add(
            Rule::ResetByUnread,
            gone.by,
            [unread, lost, gone.by, reset],
            both!(
                "{role}: it closed a connection in which bytes of {whom} still lay unread, so that the kernel sent a reset instead of an end; what {role} had sent, and {whom} had not yet received, is lost. Read to the end before close",
                "{role}：它关闭连接时，{whom} 发来的字节还没有读，于是内核发出的是重置而不是结尾；{role} 已经发出而 {whom} 还没有收到的内容丢失了。close 之前要读到结尾",
            ),
        );
    }
}
