//! Descriptors that are none.

use std::collections::HashSet;

use netplay_record::Moves;

use super::found::Found;
use crate::finding::{Finding, Rule, both};
use crate::model::Model;

/// Proven by a call that failed where it should have made a descriptor, and a later call of the same process on -1, which failed
/// with EBADF. Innocent: `close(-1)` when cleaning up, a negative descriptor in the list of poll, a variable that was -1 from the
/// start because nothing was asked of it yet.
pub(super) fn error_as_descriptor(model: &Model<'_>, found: &mut Found) {
    for i in 0..model.records.len() {
        let record = model.records[i];
        let is_none = record.fd == Some(-1) && model.errno(i) == "EBADF" && uses(model.call(i));
        let told = |of: &Finding| of.rule == Rule::ErrorAsDescriptor && of.pid == record.pid;
        if !is_none || found.findings.iter().any(told) {
            continue; // the rest follows from the first
        }
        let failed = model.records_of(record.pid).iter().rev().copied().find(|&at| {
            let makes = matches!(
                model.records[at].what.moves(),
                Moves::Makes { .. } | Moves::Accepts { .. } | Moves::Duplicates
            );
            makes && model.records[at].ret == Some(-1) && model.finish(at) <= model.start(i)
        });
        let Some(failed) = failed else { continue };
        let (maker, user, errno) = (model.call(failed), model.call(i), model.errno(failed));
        let role = model.role(i);
        found.add(
            Rule::ErrorAsDescriptor,
            i,
            [failed, i],
            both!(
                "{role}: {maker} failed ({errno}), and its -1 was used as a descriptor: {user}(-1) can only fail with EBADF",
                "{role}：{maker} 失败 ({errno})，它返回的 -1 却被当作描述符使用：{user}(-1) 只会以 EBADF 失败",
            ),
        );
    }
}

/// Proven by ENOTSOCK of a call that no runtime uses to find out what a descriptor is; or by EBADF of such a call on a number
/// that no call of this process, watched from its start, has made a socket. Innocent: `getsockname` and `getsockopt` as a question,
/// `fcntl` of a shell, a second `close`.
pub(super) fn not_a_socket(model: &Model<'_>, found: &mut Found) {
    let mut told = HashSet::new();
    for i in 0..model.records.len() {
        let record = model.records[i];
        let Some(fd @ 0..) = record.fd else { continue };
        let call = model.call(i);
        let none = matches!(model.errno(i), "ENOTSOCK" | "EBADF");
        if !none || !uses(call) || !model.is_call(i) || !told.insert((record.pid, fd)) {
            continue; // said once is enough
        }
        let role = model.role(i);
        match model.errno(i) {
            "ENOTSOCK" => found.add(
                Rule::NotASocket,
                i,
                [i],
                both!(
                    "{role}: {call} was called on descriptor {fd}, which is open and is no socket (ENOTSOCK)",
                    "{role}：对描述符 {fd} 调用了 {call}，它是打开的，但不是套接字 (ENOTSOCK)",
                ),
            ),
            "EBADF" if !was_made(model, record.pid, fd, i) => found.add(
                Rule::NotASocket,
                i,
                [i],
                both!(
                    "{role}: {call} was called on descriptor {fd}, which no call has made a socket (EBADF)",
                    "{role}：对描述符 {fd} 调用了 {call}，而没有任何调用创建过这个套接字 (EBADF)",
                ),
            ),
            _ => {}
        }
    }
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
