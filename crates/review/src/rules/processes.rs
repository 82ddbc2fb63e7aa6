//! Processes and what they leave behind.

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};

use netplay_record::Moves;

use super::found::{Found, MS};
use super::waiting::waits_for;
use crate::finding::{Rule, Taught, both};
use crate::model::{Hold, Id, Model, Socket};

/// How long a child must have been dead before its parent's end, so that the parent cannot have been about to wait for it.
const LONG_DEAD: u64 = 250 * MS;

/// Proven by children whose ends were seen, no wait that returned them, and a parent that lived on for long after, or that made several
/// more children and never waited. Innocent: a parent that ignores SIGCHLD (the kernel then forgets its children), one that waits late,
/// or at its own end.
pub(super) fn zombies(model: &Model<'_>, found: &mut Found) {
    let mut parents: Vec<i32> = model.lives.keys().copied().collect();
    parents.sort_unstable();
    let mut families: HashMap<i32, Vec<(i32, usize)>> = HashMap::new();
    for (&pid, life) in model.lives.iter().filter(|(_, life)| !life.forgotten) {
        if let (Some(parent), Some((ended, _))) = (life.parent, life.ended) {
            families.entry(parent).or_default().push((pid, ended));
        }
    }
    for parent in parents {
        let Some(mut children) = families.remove(&parent) else { continue };
        children.sort_unstable();
        let records = model.records_of(parent);
        let Some(&last) = records.last() else { continue };
        // It may have waited for them where no record tells: after the last one, or for one of them by pidfd.
        let end = model.lives[&parent].dismissed.map_or(model.end_of(parent), |at| model.start(at));
        let mut waited_for: HashSet<i64> = HashSet::new();
        for &i in records {
            if let Moves::Ends { child } = model.records[i].what.moves()
                && model.records[i].is_done()
            {
                waited_for.extend(model.records[i].ret.into_iter().chain(child.map(i64::from)));
            }
        }
        let waited = |child: i32| waited_for.contains(&child.into());
        let copies: Vec<usize> = records
            .iter()
            .copied()
            .filter(|&i| model.records[i].what.moves() == Moves::Copies)
            .collect();
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
        let for_long =
            !left.is_empty() && (left.len() > 1 || end >= model.start(left[0].1) + 4 * LONG_DEAD);
        // Clients that come without a pause leave it no time, but turns of its loop.
        let tries =
            records.iter().any(|&i| matches!(model.records[i].what.moves(), Moves::Ends { .. }));
        let passed: Vec<(i32, usize)> = children
            .iter()
            .copied()
            .filter(|&(_, ended)| {
                // The records stand in the order of their beginnings: the last but one decides.
                copies.iter().rev().nth(1).is_some_and(|&i| model.start(i) > model.start(ended))
            })
            .collect();
        let by_turns = !tries && passed.len() >= LEAKED;
        if by_hand || waits || !for_long && !by_turns {
            continue;
        }
        let left = if for_long && left.len() >= passed.len() { left } else { passed };
        let forks = left.iter().filter_map(|&(child, _)| {
            copies.iter().copied().find(|&i| model.records[i].ret == Some(child.into()))
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
/// and went; by several such sockets of a process that has closed none; by an end of a connection that its user has closed, while
/// another process that never used it held it on, so that the peer waited for the end, or after it had become another program.
/// Innocent: a socket whose client is still there; a close a little later; standard input and output of another program.
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
        if accepts.is_empty() {
            continue;
        }
        let last_began = accepts.iter().map(|&at| model.start(at)).max().unwrap_or(0);
        let last_ended = accepts.iter().map(|&at| model.finish(at)).max().unwrap_or(0);
        let made_here =
            |socket: &Socket| socket.made.filter(|made| accepts.binary_search(made).is_ok());
        let closed_one = LazyCell::new(|| {
            let mut accepted = model.sockets.iter().filter(|socket| made_here(socket).is_some());
            accepted.any(|socket| was_closed(model, pid, socket))
        });
        let left: Vec<(Id, usize)> = (0..model.sockets.len())
            .filter_map(|id| {
                let socket = &model.sockets[id];
                let made = made_here(socket)?;
                let ended = model.lives[&pid].ended.map(|(at, _)| at);
                let kept = socket.held.iter().any(|&(of, _)| of == pid)
                    || socket.gone.is_some_and(|gone| Some(gone.by) == ended);
                let peer = &model.sockets[socket.peer?];
                let gone = peer.gone?;
                let later = last_ended > gone.at;
                let closed_none = || last_began > gone.at && !*closed_one;
                let long = model.end_of(pid) >= gone.at + LONG_DEAD || closed_none();
                // One that was not even spoken to is waiting for its turn.
                let used = socket.calls.iter().any(|&i| {
                    model.pid(i) == pid
                        && (model.is_receive(i) || model.is_send(i))
                        && model.records[i].is_done()
                });
                (kept && used && !socket.passed && later && long).then_some((id, made))
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

/// Whether this process has closed a descriptor of this socket itself.
fn was_closed(model: &Model<'_>, pid: i32, socket: &Socket) -> bool {
    let ended = model.lives[&pid].ended.map(|(at, _)| at);
    let mut closes = socket.holds.iter().filter(|hold| hold.pid == pid);
    closes.any(|hold| hold.until.is_some_and(|gone| Some(gone.by) != ended))
}

/// How long an end of a connection must have been kept after its user closed it.
const KEPT: u64 = 300 * MS;

fn kept_open(model: &Model<'_>, found: &mut Found, id: Id) {
    let socket = &model.sockets[id];
    let Some(peer) = model.peer(id).filter(|_| !socket.passed && socket.is_stream()) else {
        return;
    };
    let talks = |pid: i32| {
        socket.calls.iter().any(|&i| {
            model.pid(i) == pid
                && (model.is_receive(i) || model.is_send(i) || model.call(i) == "shutdown")
        })
    };
    // Those that talked have closed; what holds it on never talked.
    let (users, others): (Vec<&Hold>, Vec<&Hold>) =
        socket.holds.iter().partition(|hold| talks(hold.pid));
    let closes: Option<Vec<_>> = users.iter().map(|hold| hold.until).collect();
    let closed = closes.and_then(|closes| closes.into_iter().max_by_key(|gone| gone.at));
    let until = |hold: &Hold| hold.until.map_or(model.end, |gone| gone.at);
    let holder = others.into_iter().max_by_key(|hold| until(hold));
    let (Some(closed), Some(holder)) = (closed, holder) else { return };
    let kept = until(holder);
    if kept < closed.at + KEPT || model.call(closed.by) != "close" || !model.is_drained(id) {
        return;
    }
    let waits = waits_for(model, peer).filter(|&i| model.took(i) > 500 * MS);
    let waits = waits.or_else(|| waited_for_end(model, peer, closed.at, kept));
    let program = model.records_of(holder.pid).iter().copied().find(|&i| {
        model.records[i].what.moves() == Moves::Executes
            && model.records[i].is_done()
            && model.start(i) > socket.made.map_or(0, |made| model.start(made))
    });
    let program = program.filter(|_| holder.fd > 2 && kept >= closed.at + 2 * KEPT);
    if waits.is_none() && program.is_none() {
        return;
    }
    let whose = socket.made.or(program).unwrap_or(closed.by);
    let (role, pid) = (model.role(whose), holder.pid);
    let proof = socket.made.into_iter().chain(program).chain([closed.by]).chain(waits);
    let said = match waits {
        Some(waits) => {
            let whom = model.role(waits);
            both!(
                "{role}: process {pid} held a descriptor of a connection that it did not use, so that {whom} waited in vain for its end: a connection ends when the last of its descriptors is closed. Close it after fork, or give it FD_CLOEXEC before exec",
                "{role}：进程 {pid} 握着一个它并不使用的连接的描述符，所以 {whom} 白白等待连接的结尾：最后一个描述符关闭时连接才结束。fork 之后要关闭它，exec 之前要给它 FD_CLOEXEC",
            )
        }
        None => both!(
            "{role}: the program that process {pid} became still held a descriptor of a connection that it did not use, long after the connection was closed elsewhere: a connection ends when the last of its descriptors is closed. Give it FD_CLOEXEC before exec",
            "{role}：进程 {pid} 执行的另一个程序还握着一个它并不使用的连接的描述符，而别处早已关闭了这个连接：最后一个描述符关闭时连接才结束。exec 之前要给它 FD_CLOEXEC",
        ),
    };
    found.add_taught(Rule::DescriptorLeak, whose, proof, said, Taught::Lab("forkfd"));
}

/// The receive by which the peer read the end, if it waited for it until the last descriptor was closed.
fn waited_for_end(model: &Model<'_>, peer: Id, closed: u64, kept: u64) -> Option<usize> {
    let &end = model.sockets[peer].ends.first()?;
    let late = model.finish(end) + 50 * MS >= kept;
    let records = model.records_of(model.pid(end)).iter().rev();
    let before = records.copied().find(|&i| i < end && model.tid(i) == model.tid(end));
    let waited = [Some(end), before.filter(|&i| model.is_wait(i))];
    let waited = waited.into_iter().flatten().any(|i| {
        let began = model.start(i).max(closed);
        model.finish(i).saturating_sub(began) >= KEPT
    });
    (late && waited).then_some(end)
}
