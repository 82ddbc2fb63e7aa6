//! Processes and what they leave behind.

use super::found::{Found, MS};
use super::streams::waits_for;
use crate::finding::{Rule, both};
use crate::model::{Id, Model};

/// How long a child must have been dead before its parent's end, so that the parent cannot have been about to wait for it.
const LONG_DEAD: u64 = 250 * MS;

/// Proven by children whose ends were seen, no wait that returned them, and a parent that lived on for long after. Innocent: a
/// parent that ignores SIGCHLD (the kernel then forgets its children), one that waits late, or at its own end.
pub(super) fn zombies(model: &Model<'_>, found: &mut Found) {
    let mut parents: Vec<i32> = model.lives.keys().copied().collect();
    parents.sort_unstable();
    for parent in parents {
        let mut children: Vec<(i32, usize)> = model
            .lives
            .iter()
            .filter(|(_, life)| life.parent == Some(parent) && !life.forgotten)
            .filter_map(|(&pid, life)| Some((pid, life.ended?.0)))
            .collect();
        children.sort_unstable();
        let records = model.records_of(parent);
        let Some(&last) = records.last() else { continue };
        // It may have waited for them where no record tells: after the last one, or for one of them by pidfd.
        let end = model.lives[&parent].dismissed.map_or(model.end_of(parent), |at| model.start(at));
        let waited = |child: i32| {
            records.iter().any(|&i| {
                let wait =
                    matches!(model.records[i].what.moves(), netplay_record::Moves::Ends { .. });
                let named = match model.records[i].what.moves() {
                    netplay_record::Moves::Ends { child } => child,
                    _ => None,
                };
                wait && model.records[i].is_done()
                    && (model.records[i].ret == Some(child.into()) || named == Some(child))
            })
        };
        let by_hand =
            records.iter().any(|&i| model.records[i].syscall.as_deref() == Some("waitid"));
        let left: Vec<(i32, usize)> = children
            .iter()
            .copied()
            .filter(|&(child, ended)| {
                model.start(ended) + LONG_DEAD <= end.min(model.end_of(parent)) && !waited(child)
            })
            .collect();
        // A parent that has waited for some of them waits late for the others.
        let waits = children.iter().any(|&(child, _)| waited(child));
        if left.is_empty()
            || by_hand
            || waits
            || left.len() == 1 && end < model.start(left[0].1) + 4 * LONG_DEAD
        {
            continue;
        }
        let forks = left.iter().filter_map(|&(child, _)| {
            records.iter().copied().find(|&i| {
                model.records[i].what.moves() == netplay_record::Moves::Copies
                    && model.records[i].ret == Some(child.into())
            })
        });
        let first = forks.clone().next().unwrap_or(last);
        let proof: Vec<usize> =
            forks.chain(left.iter().map(|&(_, ended)| ended)).take(20).collect();
        let (role, all, count) = (model.role(first), children.len(), left.len());
        found.add(
            Rule::Zombies,
            first,
            proof,
            both!(
                "{role}: {count} of its {all} children that ended were never waited for: each stays as a zombie, and keeps its number, until the parent waits or ends",
                "{role}：它结束了的 {all} 个子进程中，有 {count} 个从未被等待：每个都作为僵尸进程留着，占着进程号，直到父进程等待它或者自己结束",
            ),
        );
    }
}

/// So many sockets whose clients are gone are no accident.
const LEAKED: usize = 3;

/// Proven by several accepted sockets that a process never closed, though their clients had gone long before, and more came
/// and went; or by a client that waits for the end of a connection which its server has closed, but which another process,
/// that never used it, still holds. Innocent: a socket whose client is still there; a close a little later.
pub(super) fn descriptor_leak(model: &Model<'_>, found: &mut Found) {
    let mut processes: Vec<i32> = model.lives.keys().copied().collect();
    processes.sort_unstable();
    for pid in processes {
        let accepts: Vec<usize> = model
            .records_of(pid)
            .iter()
            .copied()
            .filter(|&i| model.call(i) == "accept" && model.records[i].is_done())
            .collect();
        let left: Vec<(Id, usize)> = (0..model.sockets.len())
            .filter_map(|id| {
                let socket = &model.sockets[id];
                let made = socket.made.filter(|made| accepts.contains(made))?;
                let ended = model.lives[&pid].ended.map(|(at, _)| at);
                let kept = socket.held.iter().any(|&(of, _)| of == pid)
                    || socket.gone.is_some_and(|gone| Some(gone.by) == ended);
                let peer = &model.sockets[socket.peer?];
                let gone = peer.gone?;
                let later = accepts.iter().filter(|&&at| model.finish(at) > gone.at).count();
                let long = model.end_of(pid) >= gone.at + LONG_DEAD;
                // One that was not even spoken to is waiting for its turn.
                let used = socket.calls.iter().any(|&i| {
                    model.pid(i) == pid
                        && (model.is_receive(i) || model.is_send(i))
                        && model.records[i].is_done()
                });
                (kept && used && !socket.passed && later >= 1 && long).then_some((id, made))
            })
            .collect();
        if left.len() >= LEAKED {
            let (count, all) = (left.len(), accepts.len());
            let (_, first) = left[0];
            let role = model.role(first);
            found.add(
                Rule::DescriptorLeak,
                first,
                left.iter().map(|&(_, made)| made).take(20),
                both!(
                    "{role}: {count} of the {all} sockets that it accepted were never closed, though their clients had gone: each keeps a descriptor, until there is none left (EMFILE)",
                    "{role}：它接受的 {all} 个套接字中，有 {count} 个从未关闭，而它们的客户端早已离开：每个都占着一个描述符，直到一个也不剩 (EMFILE)",
                ),
            );
            continue;
        }
    }
    for id in 0..model.sockets.len() {
        kept_open(model, found, id);
    }
}

fn kept_open(model: &Model<'_>, found: &mut Found, id: Id) {
    let socket = &model.sockets[id];
    let Some(peer) = model.peer(id).filter(|_| !socket.passed && !socket.held.is_empty()) else {
        return;
    };
    let Some(waits) = waits_for(model, peer).filter(|&i| model.took(i) > 500 * MS) else { return };
    let closed = socket.calls.iter().copied().rfind(|&i| model.call(i) == "close");
    let user = socket.calls.iter().copied().find(|&i| model.is_receive(i) || model.is_send(i));
    let (Some(closed), Some(user)) = (closed, user) else { return };
    // Who talked has closed; who holds it never talked.
    let talks = |pid: i32| {
        socket.calls.iter().any(|&i| {
            model.pid(i) == pid
                && (model.is_receive(i) || model.is_send(i) || model.call(i) == "shutdown")
        })
    };
    let holder = socket.held.iter().map(|&(pid, _)| pid).find(|&pid| !talks(pid));
    let all_silent = socket.held.iter().all(|&(pid, _)| !talks(pid));
    let who_closed = model.pid(user) == model.pid(closed);
    let Some(holder) = holder.filter(|_| all_silent && who_closed && model.is_drained(id)) else {
        return;
    };
    let any = [holder]
        .into_iter()
        .chain(model.lives[&holder].parent)
        .find_map(|pid| model.records_of(pid).last().copied());
    let Some(whose) = any else { return };
    if found.findings.iter().any(|of| of.rule == Rule::DescriptorLeak && of.pid == model.pid(whose))
    {
        return;
    }
    let (role, whom) = (model.role(whose), model.role(waits));
    let made = socket.made.into_iter();
    found.add(
        Rule::DescriptorLeak,
        whose,
        made.chain([closed, waits]),
        both!(
            "{role}: process {holder} still holds a descriptor of a connection that it does not use, so that {whom} waits in vain for its end: a connection ends when the last of its descriptors is closed. Close it after fork, or give it FD_CLOEXEC before exec",
            "{role}：进程 {holder} 还握着一个它并不使用的连接的描述符，所以 {whom} 白白等待连接的结尾：最后一个描述符关闭时连接才结束。fork 之后要关闭它，exec 之前要给它 FD_CLOEXEC",
        ),
    );
}
