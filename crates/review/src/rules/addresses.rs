//! Addresses, ports and their lengths.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use netplay_record::{Call, Connection, Family, Text};

use super::found::Found;
use crate::finding::{Rule, Taught, both};
use crate::model::{Id, Model, Socket};
use crate::pair::canonical;

/// Proven by EINVAL of a call whose address length no address of the socket's family can have: negative or larger than any
/// address, or smaller than those of the family. Innocent: EINVAL of a socket that is bound already, or does not listen.
pub(super) fn bad_address_length(model: &Model<'_>, found: &mut Found) {
    for i in 0..model.records.len() {
        let Some(length) = model.records[i].address_length() else { continue };
        if model.errno(i) != "EINVAL" {
            continue;
        }
        let family = model.of[i].and_then(|id| model.sockets[id].family);
        let (least, name) = match family {
            Some(Family::Inet) => (16, "AF_INET"),
            Some(Family::Inet6) => (24, "AF_INET6"), // without its last field
            Some(Family::Unix) => (2, "AF_UNIX"),
            _ => continue,
        };
        let answers = matches!(model.call(i), "accept" | "recvfrom");
        let most = if family == Some(Family::Unix) { 110 } else { 128 };
        // A buffer for an answer may be small: the address is cut.
        let wrong = length < 0 || !answers && (length > most || length < least);
        if !wrong {
            continue;
        }
        let (role, call) = (model.role(i), model.call(i));
        let said = match answers {
            true => both!(
                "{role}: {call} was given {length} as the size of its address buffer (EINVAL): the variable must hold the size of the buffer before each call",
                "{role}：传给 {call} 的地址缓冲区大小是 {length} (EINVAL)：每次调用之前，这个变量必须装着缓冲区的大小",
            ),
            false => both!(
                "{role}: {call} was given an address of {length} bytes (EINVAL), and an address of {name} has no such length",
                "{role}：传给 {call} 的地址长度是 {length} 字节 (EINVAL)，而 {name} 的地址没有这样的长度",
            ),
        };
        found.add(Rule::BadAddressLength, i, [i], said.at(call.to_owned()));
    }
}

/// Proven by a port whose bytes, swapped, are the port that the command line of the same program names, while the port
/// itself does not stand there; or, where the command line is not known, by a connect that was refused at just the swapped port of a
/// listener, or by datagrams to the swapped port of a socket that waits for them. Innocent: two ports that happen to be such a pair,
/// and are both in use.
pub(super) fn port_byte_order(model: &Model<'_>, found: &mut Found) {
    let ports = Ports::of(model);
    for id in 0..model.sockets.len() {
        let socket = &model.sockets[id];
        if !socket.is_inet() {
            continue;
        }
        let named = socket.calls.iter().copied().filter(|&i| {
            let names = matches!(
                *model.records[i].what,
                Call::Connection(Connection::Bind(_) | Connection::Connect(_))
            );
            names || sends_to(model, i)
        });
        for i in named {
            let record = model.records[i];
            let address = if model.call(i) == "bind" { &record.local } else { &record.peer };
            let Some(address) = address.as_deref().and_then(canonical) else { continue };
            let (port, swapped) = (address.port(), address.port().swap_bytes());
            if port == 0 || port == swapped {
                continue;
            }
            if let Some(proof) = swapped_port(model, &ports, i, address, swapped)
                && !found.has(Rule::PortByteOrder, i)
            {
                let (role, call) = (model.role(i), model.call(i));
                found.add(
                    Rule::PortByteOrder,
                    i,
                    proof,
                    both!(
                        "{role}: {call} was given port {port}, which is {swapped} with its two bytes swapped: the port goes into the address with htons({swapped})",
                        "{role}：{call} 得到的端口是 {port}，正是 {swapped} 的两个字节颠倒后的值：放进地址的应当是 htons({swapped})",
                    ),
                );
            }
        }
    }
}

/// Where each port occurs: of thousands of connections each is asked for.
#[derive(Default)]
struct Ports {
    /// Binds that succeeded.
    bound: HashMap<u16, Vec<usize>>,
    /// Connects that were refused.
    refused: HashMap<u16, Vec<usize>>,
    /// The first bind of a datagram socket that has the port.
    of_datagrams: HashMap<u16, usize>,
    /// Ports that sockets which were bound have.
    of_sockets: HashSet<u16>,
}

impl Ports {
    fn of(model: &Model<'_>) -> Ports {
        let mut ports = Ports::default();
        let port =
            |address: &Option<Text>| address.as_deref().and_then(canonical).map(|at| at.port());
        for socket in &model.sockets {
            for &i in &socket.calls {
                let record = model.records[i];
                let (into, at) = match (model.call(i), model.errno(i)) {
                    ("bind", "") => (&mut ports.bound, &record.local),
                    ("connect", "ECONNREFUSED") => (&mut ports.refused, &record.peer),
                    _ => continue,
                };
                if let Some(port) = port(at) {
                    into.entry(port).or_default().push(i);
                }
            }
            if let (Some(bound), Some(port)) = (socket.bound, port(&socket.local)) {
                ports.of_sockets.insert(port);
                if socket.datagrams {
                    ports.of_datagrams.entry(port).or_insert(bound);
                }
            }
        }
        ports
    }
}

/// The records that prove that this port was meant to be the swapped one.
fn swapped_port(
    model: &Model<'_>,
    ports: &Ports,
    i: usize,
    address: SocketAddr,
    swapped: u16,
) -> Option<Vec<usize>> {
    let life = model.lives.get(&model.pid(i))?;
    let names = |port: u16| life.command.iter().skip(1).any(|word| names_port(word, port));
    if names(address.port()) {
        return None;
    }
    if sends_to(model, i) {
        return sent_to_swapped(model, ports, i, address, swapped, names(swapped));
    }
    let binds = model.call(i) == "bind";
    let calls = if binds { &ports.refused } else { &ports.bound };
    let elsewhere = |of: &usize| model.pid(*of) != model.pid(i);
    let other = calls.get(&swapped).and_then(|calls| calls.iter().copied().find(elsewhere));
    if names(swapped) {
        return Some([i].into_iter().chain(other).collect());
    }
    // The runtimes of other languages put the bytes in order themselves, and a command line that names another port does not
    // say which end is wrong.
    if orders_bytes_itself(life.program.as_deref())
        || !life.command.is_empty()
            && [swapped, address.port()].iter().all(|port| ports.of_sockets.contains(port))
    {
        return None;
    }
    let other = other?;
    let refused = if binds { other } else { i };
    if model.errno(refused) != "ECONNREFUSED" {
        return None;
    }
    let theirs = model.lives.get(&model.pid(other))?;
    let theirs_is_sure = orders_bytes_itself(theirs.program.as_deref())
        || theirs.command.iter().skip(1).any(|word| names_port(word, swapped));
    theirs_is_sure.then(|| vec![i, other])
}

/// Whether it is a datagram that names its receiver.
fn sends_to(model: &Model<'_>, i: usize) -> bool {
    let datagrams = model.of[i].is_some_and(|id| model.sockets[id].datagrams);
    let connected = model.of[i].is_some_and(|id| model.sockets[id].connected.is_some());
    model.is_send(i) && datagrams && !connected && model.records[i].peer.is_some()
}

/// The proof for a datagram: the command line names the swapped port, or another socket waits there whose port is beyond doubt.
fn sent_to_swapped(
    model: &Model<'_>,
    ports: &Ports,
    i: usize,
    address: SocketAddr,
    swapped: u16,
    named: bool,
) -> Option<Vec<usize>> {
    let at = |port: u16| ports.of_datagrams.get(&port).copied();
    let waits = at(swapped).filter(|&bound| model.pid(bound) != model.pid(i));
    if named {
        return Some([i].into_iter().chain(waits).collect());
    }
    let sure = |bound: usize| {
        let life = model.lives.get(&model.pid(bound));
        life.is_some_and(|life| {
            orders_bytes_itself(life.program.as_deref())
                || life.command.iter().skip(1).any(|word| names_port(word, swapped))
        })
    };
    let program = model.lives.get(&model.pid(i)).and_then(|life| life.program.as_deref());
    let waits = waits.filter(|&bound| {
        sure(bound) && at(address.port()).is_none() && !orders_bytes_itself(program)
    })?;
    Some(vec![i, waits])
}

/// `5858`, `--port=5858`, `127.0.0.1:5858`
fn names_port(word: &str, port: u16) -> bool {
    let port = port.to_string();
    word.split(|c: char| !c.is_ascii_digit()).any(|number| number == port)
}

/// Whether the runtime of the program's language makes the calls, and takes a port as a number.
pub(super) fn orders_bytes_itself(program: Option<&str>) -> bool {
    let name = program.and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    ["python", "perl", "ruby", "java", "node", "curl", "nc", "ncat", "socat"]
        .iter()
        .any(|of| name.starts_with(of))
}

/// Proven by EADDRINUSE of bind or listen, after which the process gave no socket an address. Innocent: the next port or address, or the
/// same one a little later.
pub(super) fn address_in_use(model: &Model<'_>, found: &mut Found) {
    let asks: Vec<usize> =
        (0..model.records.len()).filter(|&i| matches!(model.call(i), "bind" | "listen")).collect();
    let mut said: HashSet<(i32, Id)> = HashSet::new();
    for &i in &asks {
        if model.errno(i) != "EADDRINUSE" {
            continue;
        }
        let Some(id) = model.of[i] else { continue };
        let pid = model.pid(i);
        if said.contains(&(pid, id)) {
            continue;
        }
        let of_it =
            |of: i32| of == pid || model.lives.get(&of).and_then(|of| of.parent) == Some(pid);
        let later = &asks[asks.partition_point(|&at| at <= i)..];
        let another = later.iter().any(|&at| {
            of_it(model.pid(at))
                && model.records[at].is_done()
                && model.of[at].is_some_and(|other| {
                    model.sockets[other].datagrams == model.sockets[id].datagrams
                        && (model.call(at) == "bind" || other == id)
                        && model.sockets[other].is_inet() == model.sockets[id].is_inet()
                })
        });
        if another {
            continue;
        }
        let address = model.records[i].local.clone().or_else(|| model.sockets[id].local.clone());
        let Some(address) = address else { continue };
        // A program that finds another at its address, and becomes its client.
        let records = model.records_of(pid);
        let visits = records[records.partition_point(|&at| at <= i)..].iter().any(|&at| {
            let peer = model.records[at].peer.as_deref();
            model.call(at) == "connect"
                && model.records[at].is_done()
                && peer.is_some_and(|peer| overlaps(peer, &address))
        });
        if visits {
            continue;
        }
        let holder = model.sockets.iter().enumerate().find(|&(other, socket)| {
            other != id
                && socket.datagrams == model.sockets[id].datagrams
                && socket.bound.is_some_and(|at| model.finish(at) <= model.finish(i))
                && socket.gone.is_none_or(|gone| gone.at > model.start(i))
                && socket.local.as_deref().is_some_and(|local| overlaps(local, &address))
        });
        let holder = holder.and_then(|(_, socket)| socket.bound);
        // The end that closed first keeps the address for a while.
        let closed = model.sockets.iter().find_map(|socket| {
            let gone = socket.gone.filter(|gone| gone.at <= model.start(i))?;
            let local = socket.local.as_deref()?;
            let first = socket.ends.is_empty() && socket.was_accepted();
            (first && overlaps(local, &address)).then_some(gone.by)
        });
        let (role, call) = (model.role(i), model.call(i));
        let mut taught = Taught::by("EADDRINUSE");
        let (proof, sentence) = match (holder, closed) {
            (Some(holder), _) => {
                let (whom, whose) = (model.role(holder), model.pid(holder));
                let said = both!(
                    "{role}: {call} of {address} failed (EADDRINUSE), because {whom} (pid {whose}) has the address",
                    "{role}：对 {address} 的 {call} 失败 (EADDRINUSE)，因为 {whom} (pid {whose}) 占着这个地址",
                );
                (vec![holder, i], said)
            }
            (None, Some(closed)) => {
                let said = both!(
                    "{role}: {call} of {address} failed (EADDRINUSE): a connection of a former server is still in TIME_WAIT there, because that server closed first. Set SO_REUSEADDR before bind, in every run",
                    "{role}：对 {address} 的 {call} 失败 (EADDRINUSE)：先前服务器的连接还在那里处于 TIME_WAIT，因为是它先关闭的。每次运行都要在 bind 之前设置 SO_REUSEADDR",
                );
                taught = Taught::Lab("timewait");
                (vec![closed, i], said)
            }
            (None, None) => {
                let port = address.rsplit(':').next().unwrap_or_default().to_owned();
                let said = both!(
                    "{role}: {call} of {address} failed (EADDRINUSE), and no other address was tried; the program that has it is not in these records: netplay why {port} names it",
                    "{role}：对 {address} 的 {call} 失败 (EADDRINUSE)，也没有尝试别的地址；占着它的程序不在这些记录里：netplay why {port} 会说出是谁",
                );
                (vec![i], said)
            }
        };
        found.add_taught(Rule::AddressInUse, i, proof, sentence, taught);
        said.insert((pid, id));
    }
}

/// Whether two sockets cannot both have these addresses.
fn overlaps(one: &str, other: &str) -> bool {
    match (canonical(one), canonical(other)) {
        (Some(a), Some(b)) => {
            let any = a.ip().is_unspecified() || b.ip().is_unspecified();
            a.port() == b.port() && (any || a.ip() == b.ip())
        }
        _ => one == other,
    }
}

/// Proven by a connect that was refused although a listener had that port, at another address or in another family, and no later
/// connect of the process that came through to that port. Innocent: the first of several addresses; a listener that came later.
pub(super) fn wrong_address(model: &Model<'_>, found: &mut Found) {
    let mut asked = HashSet::new();
    // By their ports, of which each connect asks for one.
    let mut listeners: HashMap<u16, Vec<(SocketAddr, &Socket)>> = HashMap::new();
    for socket in model.sockets.iter().filter(|socket| socket.listens.is_some()) {
        if let Some(here) = socket.local.as_deref().and_then(canonical) {
            listeners.entry(here.port()).or_default().push((here, socket));
        }
    }
    for i in 0..model.records.len() {
        if model.call(i) != "connect" {
            continue;
        }
        let Some(id) = model.of[i].filter(|&id| !model.sockets[id].datagrams) else { continue };
        let refused = model.errno(i) == "ECONNREFUSED"
            || model.errno(i) == "EINPROGRESS" && turned_out_refused(model, id, i);
        let Some(to) = model.records[i].peer.as_deref().and_then(canonical) else { continue };
        if !refused || !asked.insert((model.pid(i), to)) {
            continue; // the first of many tries is enough
        }
        let further = model.records_of(model.pid(i)).iter().any(|&at| {
            let peer = || model.records[at].peer.as_deref().and_then(canonical);
            model.call(at) == "connect"
                && peer().is_some_and(|peer| peer.port() == to.port())
                && (peer() != Some(to) && at > i || model.records[at].is_done())
        });
        let of_port = listeners.get(&to.port()).map_or(&[][..], Vec::as_slice);
        let listener = of_port.iter().find(|(here, socket)| {
            let open = socket.listens.is_some_and(|at| model.finish(at) <= model.start(i))
                && socket.gone.is_none_or(|gone| gone.at >= model.finish(i));
            let elsewhere = match here.ip().is_unspecified() {
                false => here.ip() != to.ip(),
                true => here.is_ipv4() && to.is_ipv6(),
            };
            open && elsewhere
        });
        // Elsewhere there may be a listener at just this address, which then refused.
        let Some(listens) = listener.and_then(|(_, socket)| socket.listens).filter(|_| !further)
        else {
            continue;
        };
        let socket = model.of[listens].map(|id| &model.sockets[id]);
        let at = socket.and_then(|socket| socket.local.clone()).unwrap_or_default();
        let (role, whom) = (model.role(i), model.role(listens));
        found.add(
            Rule::WrongAddress,
            i,
            [listens, i],
            both!(
                "{role}: connect to {to} was refused, because {whom} has that port at {at} only: the port is the same, the address is another",
                "{role}：到 {to} 的 connect 被拒绝，因为 {whom} 只在 {at} 有这个端口：端口相同，地址不同",
            ),
        );
    }
}

/// Whether a connect that was under way ended with ECONNREFUSED, as SO_ERROR told.
fn turned_out_refused(model: &Model<'_>, id: Id, i: usize) -> bool {
    model.after(id, i).iter().any(|&at| {
        model.call(at) == "getsockopt"
            && model.records[at].args.as_deref().is_some_and(|args| args.contains("[ECONNREFUSED]"))
    })
}
