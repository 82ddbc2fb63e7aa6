//! In which call a process waits when the records end, and whether anything but the other end can end that wait.

use super::found::MS;
use crate::model::{Id, Model, Socket};

/// A wait that lasts so long is not just the moment in which the records ended.
pub(super) const LONG: u64 = 500 * MS;

/// The call in which a process still waits for this socket to be readable when the records end.
pub(super) fn waits_for(model: &Model<'_>, id: Id) -> Option<usize> {
    let last = *model.sockets[id].calls.last()?;
    if model.is_receive(last) && model.is_unfinished(last) {
        return Some(last);
    }
    model.sockets[id].held.iter().find_map(|&(pid, fd)| {
        let life = model.lives.get(&pid)?;
        life.last.values().copied().find(|&i| {
            if !model.is_unfinished(i) || !model.is_wait(i) {
                return false;
            }
            let readable = u32::from(libc::POLLIN.cast_unsigned());
            match model.call(i) {
                "epoll_wait" => model.sockets[id].in_list,
                _ => model.records[i]
                    .waits_on()
                    .iter()
                    .any(|of| of.fd == fd && of.events & readable != 0),
            }
        })
    })
}

/// Whether all threads of the process wait in calls that had not returned.
pub(super) fn is_all(model: &Model<'_>, i: usize) -> bool {
    let life = &model.lives[&model.pid(i)];
    life.last.values().all(|&last| model.is_unfinished(last))
}

/// Whether the process waits in this call, and can do nothing for this connection until the other end does something.
pub(super) fn waits_alone(model: &Model<'_>, id: Id, peer: Id, i: usize) -> bool {
    // Another thread may be woken by another client, and send to this one. A wait with a limit ends by itself.
    let limited = model.sockets[id].limited;
    let has_limit = if model.is_wait(i) { !model.records[i].waits_for_ever() } else { limited };
    let alone = model.lives[&model.pid(i)].last.len() == 1 && !has_limit;
    if model.took(i) < LONG || !is_all(model, i) || !alone || model.sockets[id].held.len() != 1 {
        return false;
    }
    if model.is_receive(i) {
        return true;
    }
    // A wait for many: another may come, and be the one that is waited for.
    let silent = [id, peer].iter().all(|&id| model.sockets[id].sent.is_empty());
    let only = match model.call(i) {
        "epoll_wait" => {
            let mine = |(other, socket): (usize, &Socket)| {
                other != id
                    && socket.listens.is_none()
                    && socket.held.iter().any(|&(pid, _)| pid == model.pid(i))
            };
            !model.sockets.iter().enumerate().any(mine)
        }
        _ => model.records[i].waits_on().iter().all(|of| {
            model.sockets.iter().enumerate().any(|(other, socket)| {
                socket.held.contains(&(model.pid(i), of.fd))
                    && (other == id || socket.listens.is_some())
            })
        }),
    };
    let only_this = only && model.call(i) != "epoll_wait" && model.records[i].waits_on().len() == 1;
    only_this || silent && only
}
