//! Errors that were not looked at.

use netplay_record::{Call, Connection};

use super::found::Found;
use crate::finding::{Rule, Taught, both};
use crate::model::{Id, Model};

/// Proven by a call that failed, and what the same process then did with the same socket, although nothing else had succeeded in
/// its place: it listened on a socket without an address, accepted on one that does not listen, sent or received on one that is
/// not connected, waited for the answer to what was never sent. Innocent: the next port, the next address on a new socket, another
/// try, an option that this kernel does not have, a question such as `getpeername`.
pub(super) fn error_ignored(model: &Model<'_>, found: &mut Found) {
    for id in 0..model.sockets.len() {
        if !model.sockets[id].matters() {
            continue;
        }
        for (at, &i) in model.sockets[id].calls.iter().enumerate() {
            if model.records[i].ret != Some(-1) || !model.is_call(i) {
                continue;
            }
            let rest = &model.sockets[id].calls[at + 1..];
            match &*model.records[i].what {
                Call::Connection(Connection::Bind(_)) => bind(model, found, id, i, rest),
                Call::Connection(Connection::Listen(_)) => listen(model, found, i, rest),
                Call::Connection(Connection::Connect(_)) => connect(model, found, id, i, rest),
                Call::Bytes(_) if model.is_send(i) => send(model, found, id, i, rest),
                _ => {}
            }
        }
    }
}

fn is_done(model: &Model<'_>, i: usize, call: &str) -> bool {
    model.call(i) == call && model.records[i].is_done()
}

fn bind(model: &Model<'_>, found: &mut Found, id: Id, i: usize, rest: &[usize]) {
    if model.sockets[id].bound.is_some_and(|bound| bound < i) {
        return; // it has an address already
    }
    // A socket that has sent a datagram has an address as well.
    let saved = |of: &usize| {
        is_done(model, *of, "bind") || is_done(model, *of, "connect") || is_done_send(model, *of)
    };
    let end = rest.iter().position(saved).unwrap_or(rest.len());
    let used = rest[..end].iter().copied().find(|&of| {
        is_done(model, of, "listen") || model.sockets[id].datagrams && model.is_receive(of)
    });
    let Some(used) = used else { return };
    let (role, errno, then) = (model.role(i), model.errno(i), model.call(used));
    let said = match model.sockets[id].datagrams {
        true => both!(
            "{role}: bind failed ({errno}), and {then} was called all the same: the socket has no address, so that nothing can be sent to it",
            "{role}：bind 失败 ({errno})，却仍然调用了 {then}：这个套接字没有地址，谁也无法向它发送",
        ),
        false => both!(
            "{role}: bind failed ({errno}), and listen was called all the same: the kernel then chose a port that no client knows",
            "{role}：bind 失败 ({errno})，却仍然调用了 listen：于是内核选了一个没有客户端知道的端口",
        ),
    };
    found.add_taught(Rule::ErrorIgnored, i, [i, used], said, Taught::by(errno));
}

fn is_done_send(model: &Model<'_>, i: usize) -> bool {
    model.is_send(i) && model.records[i].is_done()
}

fn listen(model: &Model<'_>, found: &mut Found, i: usize, rest: &[usize]) {
    let end = rest.iter().position(|&of| is_done(model, of, "listen")).unwrap_or(rest.len());
    let used = rest[..end].iter().copied().find(|&of| model.call(of) == "accept");
    let Some(used) = used else { return };
    let (role, errno) = (model.role(i), model.errno(i));
    found.add_taught(
        Rule::ErrorIgnored,
        i,
        [i, used],
        both!(
            "{role}: listen failed ({errno}), and accept was called all the same: no client can come to a socket that does not listen",
            "{role}：listen 失败 ({errno})，却仍然调用了 accept：不在监听的套接字不会有客户端到来",
        ),
        Taught::by(errno),
    );
}

fn connect(model: &Model<'_>, found: &mut Found, id: Id, i: usize, rest: &[usize]) {
    let under_way = ["EINPROGRESS", "EALREADY", "EINTR", "EISCONN", "EAGAIN"];
    if under_way.contains(&model.errno(i)) || model.sockets[id].connected.is_some_and(|at| at < i) {
        return;
    }
    let tried = |of: &usize| model.call(*of) == "connect" || model.sockets[id].bound == Some(*of);
    let end = rest.iter().position(tried).unwrap_or(rest.len());
    let used = rest[..end].iter().copied().find(|&of| {
        let addressed = model.sockets[id].datagrams && model.records[of].is_done();
        (model.is_send(of) || model.is_receive(of)) && !addressed
    });
    let Some(used) = used else { return };
    let (role, errno, then) = (model.role(i), model.errno(i), model.call(used));
    found.add_taught(
        Rule::ErrorIgnored,
        i,
        [i, used],
        both!(
            "{role}: connect failed ({errno}), and {then} was called all the same, on a socket that is not connected",
            "{role}：connect 失败 ({errno})，却仍然在这个没有连接的套接字上调用了 {then}",
        ),
        Taught::by(errno),
    );
}

fn send(model: &Model<'_>, found: &mut Found, id: Id, i: usize, rest: &[usize]) {
    let ordinary = ["EAGAIN", "EINTR", "EPIPE", "ECONNRESET", "EBADF", "ENOTSOCK", "ENOBUFS"];
    let socket = &model.sockets[id];
    // An error of a datagram that was sent before is reported by the next call.
    let of_before = model.errno(i) == "ECONNREFUSED";
    let failed_before = found.has_of(Rule::ErrorIgnored, id);
    if ordinary.contains(&model.errno(i)) || of_before || failed_before {
        return;
    }
    let sent = |of: &usize| is_done_send(model, *of);
    if socket.calls.iter().any(sent) || socket.bound.is_some() {
        return; // an answer to something else may come
    }
    let used = rest.iter().copied().find(|&of| model.is_receive(of));
    let Some(used) = used.filter(|&of| model.is_unfinished(of)) else { return };
    let (role, errno, call) = (model.role(i), model.errno(i), model.call(i));
    found.add_taught(
        Rule::ErrorIgnored,
        i,
        [i, used],
        both!(
            "{role}: {call} failed ({errno}), and the program then waits for an answer to what was never sent",
            "{role}：{call} 失败 ({errno})，程序接着却在等待对从未发出的内容的应答",
        ),
        Taught::by(errno),
    );
}
