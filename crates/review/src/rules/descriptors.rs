//! Descriptors that are none.

use std::collections::HashSet;

use netplay_record::Moves;

use super::addresses::orders_bytes_itself;
use super::found::Found;
use crate::finding::{Rule, Taught, both};
use crate::model::Model;

/// Proven by a call that failed where it should have made a descriptor, and a later call of the same process on -1, which failed
/// with EBADF, with no call in between that made a descriptor or closed one. Innocent: `close(-1)` when cleaning up, a negative
/// descriptor in the list of poll, a variable that was -1 from the start because nothing was asked of it yet, or is -1 again because
/// its socket is closed.
pub(super) fn error_as_descriptor(model: &Model<'_>, found: &mut Found) {
    let mut told = HashSet::new();
    for i in 0..model.records.len() {
        let record = model.records[i];
        let is_none = record.fd == Some(-1) && model.errno(i) == "EBADF" && uses(model.call(i));
        if !is_none || told.contains(&record.pid) {
            continue; // the rest follows from the first
        }
        let failed = minus_one(model, i).filter(|&at| model.records[at].ret == Some(-1));
        let Some(failed) = failed.filter(|_| told.insert(record.pid)) else { continue };
        let (maker, user, errno) = (model.call(failed), model.call(i), model.errno(failed));
        let role = model.role(i);
        let taught = match errno {
            "EMFILE" | "ENFILE" => Taught::Lab("limits"),
            _ => Taught::by("EBADF"),
        };
        found.add_taught(
            Rule::ErrorAsDescriptor,
            i,
            [failed, i],
            both!(
                "{role}: {maker} failed ({errno}), and its -1 was used as a descriptor: {user}(-1) can only fail with EBADF",
                "{role}：{maker} 失败 ({errno})，它返回的 -1 却被当作描述符使用：{user}(-1) 只会以 EBADF 失败",
            ),
            taught,
        );
    }
}

/// Where the -1 of a call comes from: the last call before it that made a descriptor, or could not, or that closed a socket.
fn minus_one(model: &Model<'_>, i: usize) -> Option<usize> {
    model.records_of(model.pid(i)).iter().rev().copied().find(|&at| {
        let makes = matches!(
            model.records[at].what.moves(),
            Moves::Makes { .. } | Moves::Accepts { .. } | Moves::Duplicates
        );
        let closes = model.records[at].what.moves() == Moves::Closes && model.of[at].is_some();
        let ended = !model.is_unfinished(at) && model.finish(at) <= model.start(i);
        (makes || closes && model.records[at].is_done()) && ended
    })
}

/// Proven by ENOTSOCK of a call that no runtime uses to find out what a descriptor is; by EBADF of such a call on a number
/// that no call of this process, watched from its start, has made a socket; or by EBADF on one whose close is in the records, also
/// where a runtime has put -1 in the place of the number. Innocent: `getsockname` and `getsockopt` as a question, a receive that tries a standard stream, `fcntl` of a shell,
/// a second `close`.
pub(super) fn not_a_socket(model: &Model<'_>, found: &mut Found) {
    let mut told = HashSet::new();
    for i in 0..model.records.len() {
        let record = model.records[i];
        let Some(fd) = record.fd else { continue };
        let call = model.call(i);
        let none = matches!(model.errno(i), "ENOTSOCK" | "EBADF");
        if !none || !uses(call) || !model.is_call(i) || !told.insert((record.pid, fd)) {
            continue; // said once is enough
        }
        let role = model.role(i);
        let closed = closed_before(model, i, fd);
        match model.errno(i) {
            "EBADF" if closed.is_some() => found.add_taught(
                Rule::NotASocket,
                i,
                closed.into_iter().chain([i]),
                match fd {
                    0.. => both!(
                        "{role}: {call} was called on descriptor {fd} after its close (EBADF): had the number been given out again by then, the call would have met another socket",
                        "{role}：在描述符 {fd} 关闭之后又对它调用了 {call} (EBADF)：如果这个编号那时已经重新分配，调用就会落到另一个套接字上",
                    ),
                    _ => both!(
                        "{role}: {call} was called on a socket after its close (EBADF): the runtime has put {fd} in the place of its descriptor",
                        "{role}：在套接字关闭之后又对它调用了 {call} (EBADF)：运行时已经把它的描述符换成了 {fd}",
                    ),
                },
                Taught::by("EBADF"),
            ),
            _ if fd < 0 => {}
            "ENOTSOCK" if tries_a_standard_stream(model, record.pid, fd) => {}
            "ENOTSOCK" => found.add_taught(
                Rule::NotASocket,
                i,
                [i],
                both!(
                    "{role}: {call} was called on descriptor {fd}, which is open and is no socket (ENOTSOCK)",
                    "{role}：对描述符 {fd} 调用了 {call}，它是打开的，但不是套接字 (ENOTSOCK)",
                ),
                Taught::by("ENOTSOCK"),
            ),
            "EBADF" if !was_made(model, record.pid, fd, i) => found.add_taught(
                Rule::NotASocket,
                i,
                [i],
                both!(
                    "{role}: {call} was called on descriptor {fd}, which no call has made a socket (EBADF)",
                    "{role}：对描述符 {fd} 调用了 {call}，而没有任何调用创建过这个套接字 (EBADF)",
                ),
                Taught::by("EBADF"),
            ),
            _ => {}
        }
    }
}

/// Whether the process asks a standard stream whether it is a socket by a call, as ncat does before it reads from it: its own
/// connections are used. (Where a mistake has put 0 in the place of a descriptor, `fd = accept(…) < 0`, one of them is not.)
fn tries_a_standard_stream(model: &Model<'_>, pid: i32, fd: i32) -> bool {
    let connected = model.sockets.iter().filter(|socket| {
        let holds = socket.holds.iter().any(|hold| hold.pid == pid);
        holds && (socket.connected.is_some() || socket.was_accepted())
    });
    let mut used = connected.map(|socket| !socket.sent.is_empty() || !socket.received.is_empty());
    (0..=2).contains(&fd) && used.next().is_some_and(|first| first && used.all(|used| used))
}

/// The close of the socket that this number was, if the number has been free since; of -1, the last close of a program whose runtime
/// keeps no number of a closed socket.
fn closed_before(model: &Model<'_>, i: usize, fd: i32) -> Option<usize> {
    let pid = model.pid(i);
    if fd < 0 {
        let program = model.lives.get(&pid).and_then(|life| life.program.as_deref());
        let closed = minus_one(model, i).filter(|_| orders_bytes_itself(program));
        return closed.filter(|&at| model.records[at].what.moves() == Moves::Closes);
    }
    model.sockets.iter().find_map(|socket| {
        let hold = socket.holds.iter().rev().find(|hold| (hold.pid, hold.fd) == (pid, fd))?;
        let closed = hold.until.filter(|gone| gone.at <= model.finish(i))?;
        let again = model.sockets.iter().flat_map(|socket| &socket.holds).any(|of| {
            (of.pid, of.fd) == (pid, fd) && of.until.is_none_or(|gone| gone.at > closed.at)
        });
        (model.pid(closed.by) == pid && model.call(closed.by) == "close" && !again)
            .then_some(closed.by)
    })
}

/// Whether a process, or one that it descends from, has had this descriptor as far as the records tell.
fn was_made(model: &Model<'_>, pid: i32, fd: i32, before: usize) -> bool {
    let Some(life) = model.lives.get(&pid) else { return true };
    if !life.from_birth {
        return true;
    }
    let had = life.records.iter().filter(|&&of| of < before).any(|&of| {
        let record = model.records[of];
        let made = match record.what.moves() {
            Moves::MakesTwo { fds, .. } => fds.is_some_and(|fds| fds.contains(&fd)),
            Moves::Makes { .. } | Moves::Accepts { .. } | Moves::Duplicates | Moves::Opens => {
                record.ret == Some(fd.into())
            }
            _ => false,
        };
        made || record.is_done() && record.fd == Some(fd) || record.what.receives().contains(&fd)
    });
    had || life.parent.is_some_and(|parent| was_made(model, parent, fd, life.born.max(before)))
}

/// The calls that use a socket, and are no question about what a descriptor is.
fn uses(call: &str) -> bool {
    matches!(
        call,
        "bind"
            | "listen"
            | "accept"
            | "connect"
            | "shutdown"
            | "send"
            | "sendto"
            | "sendmsg"
            | "sendmmsg"
            | "recv"
            | "recvfrom"
            | "recvmsg"
            | "recvmmsg"
            | "read"
            | "readv"
            | "write"
            | "writev"
    )
}
