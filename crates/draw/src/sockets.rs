//! Which socket a descriptor was: a number is given out again after a close, and a forked child holds
//! its parent's sockets under the same numbers.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use super::{Call, Lane};
use netplay_record::{Kind, Moves, Text};
use netplay_text::tcp::CLOSED;

/// A socket of the kernel, whichever processes hold it: an index of [`Sockets::all`].
pub(super) type Id = usize;

/// A socket, as far as the records tell.
#[derive(Debug, Default)]
pub(super) struct Socket {
    pub(super) datagram: bool,
    pub(super) listens: bool,
    /// The records begin before its first byte: offsets in its streams are known.
    pub(super) from_birth: bool,
    pub(super) local: Option<Text>,
    pub(super) peer: Option<Text>,
    /// The `connect` or `accept` that connected it, and the lane it was made in.
    pub(super) connected_by: Option<usize>,
    pub(super) accepted: bool,
    pub(super) role: String,
}

/// All sockets, and which one each call was about.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) all: Vec<Socket>,
    /// For each call; `None` where it was about none.
    pub(super) of_call: Vec<Option<Id>>,
    /// The calls in the order in which they changed what descriptors mean.
    pub(super) order: Vec<usize>,
    /// The closes after which somebody still held the socket: they sent no FIN.
    pub(super) kept: HashSet<usize>,
}

impl Sockets {
    /// Follows the descriptors of every process from call to call.
    pub(super) fn follow(calls: &[Call], lanes: &[Lane]) -> Sockets {
        // A descriptor is free from the start of its close on, and taken when a call has returned it; a
        // child has what its parent had when it was forked.
        let mut order: Vec<usize> = (0..calls.len()).collect();
        order.sort_by_key(|&i| match calls[i].record.what.moves() {
            Moves::Closes | Moves::ClosesMany { .. } | Moves::Copies => calls[i].from_ns,
            Moves::Nothing
            | Moves::Makes { .. }
            | Moves::MakesTwo { .. }
            | Moves::Opens
            | Moves::Duplicates
            | Moves::Listens
            | Moves::Accepts { .. }
            | Moves::Connects
            | Moves::Shuts(_)
            | Moves::Executes
            | Moves::Ends { .. } => calls[i].to_ns,
        });
        let mut sockets = Sockets { of_call: vec![None; calls.len()], ..Sockets::default() };
        let mut tables = Tables::default();
        for &i in &order {
            let call = &calls[i];
            if let Some((child, parent)) = super::calls::fork(&call.record) {
                tables.fork(child, parent);
            }
            let moves = call.record.what.moves();
            if let (Moves::Ends { child }, Some(ret @ 0..)) = (moves, call.record.ret)
                && let Some(ended @ 1..) = child.or(i32::try_from(ret).ok())
            {
                tables.end(ended); // it holds nothing any more
            }
            sockets.step(i, call, &lanes[call.lane], &mut tables);
            if let (Moves::Closes, Some(id)) = (moves, sockets.of_call[i])
                && tables.is_held(id)
            {
                sockets.kept.insert(i);
            }
        }
        sockets.order = order;
        sockets
    }

    fn step(&mut self, i: usize, call: &Call, lane: &Lane, tables: &mut Tables) {
        let (record, process) = (&call.record, call.record.pid);
        let returned =
            record.ret.filter(|_| record.errno.is_none()).and_then(|fd| i32::try_from(fd).ok());
        let moves = record.what.moves();
        if let (Moves::Makes { datagrams }, Some(fd)) = (moves, returned) {
            let id = self.add(Socket {
                datagram: datagrams,
                from_birth: true,
                role: lane.role.clone(),
                ..Socket::default()
            });
            tables.put(process, fd, id);
            self.of_call[i] = Some(id);
            return;
        }
        let Some(fd) = record.fd else { return };
        // A pipe or a file has neither an address nor a state: it is no socket.
        let known = tables.get(process, fd);
        if known.is_none() && record.local.is_none() && record.peer.is_none() {
            return;
        }
        let id = known.unwrap_or_else(|| {
            // It was made before the trace began.
            let id = self.add(Socket { role: lane.role.clone(), ..Socket::default() });
            tables.put(process, fd, id);
            id
        });
        self.of_call[i] = Some(id);
        let done = record.is_done() || record.kind == Kind::Submit;
        let socket = &mut self.all[id];
        if socket.local.is_none() {
            socket.local = plain(&record.local).filter(|local| !local.ends_with(":0"));
        }
        let named = done || record.errno.as_deref() == Some("EINPROGRESS");
        match moves {
            Moves::Listens if done => socket.listens = true,
            Moves::Accepts { .. } => {
                socket.listens = true;
                if let Some(fd) = returned {
                    let local = plain(&record.local).filter(|local| !is_wildcard(local));
                    let id = self.add(Socket {
                        from_birth: true,
                        accepted: true,
                        local,
                        peer: plain(&record.peer),
                        connected_by: Some(i),
                        role: lane.role.clone(),
                        ..Socket::default()
                    });
                    tables.put(process, fd, id);
                }
            }
            Moves::Connects if named => {
                socket.peer = plain(&record.peer);
                socket.connected_by = Some(i);
            }
            Moves::Closes => tables.take(process, fd),
            Moves::Nothing if record.what.is_addressed() && record.datagrams != Some(false) => {
                socket.datagram |= !socket.from_birth;
            }
            Moves::Nothing
            | Moves::Makes { .. }
            | Moves::MakesTwo { .. }
            | Moves::Opens
            | Moves::Duplicates
            | Moves::Listens
            | Moves::Connects
            | Moves::Shuts(_)
            | Moves::ClosesMany { .. }
            | Moves::Copies
            | Moves::Executes
            | Moves::Ends { .. } => {
                if socket.peer.is_none() && !socket.datagram && !socket.listens {
                    socket.peer = plain(&record.peer);
                }
            }
        }
    }

    fn add(&mut self, socket: Socket) -> Id {
        self.all.push(socket);
        self.all.len() - 1
    }

    /// Marks the calls after which a socket was seen in another state of TCP than before.
    pub(super) fn tell_states(&self, calls: &mut [Call]) {
        let mut last: Vec<Option<String>> = vec![None; self.all.len()];
        for &i in &self.order {
            let (Some(id), Some(state)) = (self.of_call[i], &calls[i].record.state) else {
                continue;
            };
            let Some(state) = state.split(',').next().filter(|state| is_tcp(state)) else {
                continue;
            };
            if last[id].as_deref() == Some(state) {
                continue;
            }
            // A new socket has no state worth a word.
            let told = last[id].is_some() || state != CLOSED;
            last[id] = Some(state.to_owned());
            if told {
                calls[i].state = last[id].clone();
            }
        }
    }
}

/// What the descriptors of each process mean, and how many of them mean the same socket.
#[derive(Default)]
struct Tables {
    of: HashMap<i32, HashMap<i32, Id>>,
    holders: HashMap<Id, usize>,
}

impl Tables {
    fn get(&self, process: i32, fd: i32) -> Option<Id> {
        self.of.get(&process)?.get(&fd).copied()
    }

    fn put(&mut self, process: i32, fd: i32, id: Id) {
        let before = self.of.entry(process).or_default().insert(fd, id);
        *self.holders.entry(id).or_default() += 1;
        before.into_iter().for_each(|id| self.let_go(id));
    }

    fn take(&mut self, process: i32, fd: i32) {
        let held = self.of.get_mut(&process).and_then(|table| table.remove(&fd));
        held.into_iter().for_each(|id| self.let_go(id));
    }

    /// The child has what its parent has.
    fn fork(&mut self, child: i32, parent: i32) {
        self.end(child);
        let table = self.of.get(&parent).cloned().unwrap_or_default();
        for &id in table.values() {
            *self.holders.entry(id).or_default() += 1;
        }
        self.of.insert(child, table);
    }

    fn end(&mut self, process: i32) {
        let table = self.of.remove(&process).unwrap_or_default();
        table.into_values().for_each(|id| self.let_go(id));
    }

    fn let_go(&mut self, id: Id) {
        if let Some(holders) = self.holders.get_mut(&id) {
            *holders -= 1;
        }
    }

    fn is_held(&self, id: Id) -> bool {
        self.holders.get(&id).is_some_and(|&holders| holders > 0)
    }
}

/// Addresses at which somebody can be reached, for many questions.
#[derive(Default)]
pub(super) struct Reachable {
    exact: HashSet<Text>,
    /// The ports of all, and of those that are at any address.
    ports: HashSet<Option<String>>,
    of_any: HashSet<Option<String>>,
}

impl Reachable {
    pub(super) fn at<'a>(locals: impl IntoIterator<Item = &'a Text>) -> Reachable {
        let mut all = Reachable::default();
        for local in locals {
            all.ports.insert(port(local));
            if is_wildcard(local) {
                all.of_any.insert(port(local));
            }
            all.exact.insert(local.clone());
        }
        all
    }

    /// Whether what is sent there [`reaches`] one of them.
    pub(super) fn by(&self, to: &str) -> bool {
        let ports = if is_wildcard(to) { &self.ports } else { &self.of_any };
        self.exact.contains(to) || ports.contains(&port(to))
    }
}

pub(super) fn port(address: &str) -> Option<String> {
    address.rsplit_once(':').map(|(_, port)| port.to_owned())
}

fn is_tcp(state: &str) -> bool {
    !state.is_empty()
        && state
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit())
}

/// The address as its other end knows it: a socket of IPv6 sees an IPv4 client, `127.0.0.1:40312`, as
/// `[::ffff:127.0.0.1]:40312`.
pub(super) fn plain(address: &Option<Text>) -> Option<Text> {
    let mapped = |address: &Text| {
        let address: SocketAddr = address.strip_prefix("[::ffff:").and(address.parse().ok())?;
        Some(SocketAddr::new(address.ip().to_canonical(), address.port()).to_string().into())
    };
    address.as_ref().map(|address| mapped(address).unwrap_or_else(|| address.clone()))
}

/// `0.0.0.0:5858` is no end of a connection, but any address of the machine.
pub(super) fn is_wildcard(local: &str) -> bool {
    local.starts_with("0.0.0.0:") || local.starts_with("[::]:")
}

/// Whether bytes sent to `to` reach a socket bound to `local`. Sent to any address, they go to this host.
pub(super) fn reaches(to: &str, local: &str) -> bool {
    to == local || (is_wildcard(local) || is_wildcard(to)) && port(to) == port(local)
}

/// Whether what is sent there may reach many: a group, or everybody.
pub(super) fn is_for_many(to: &str) -> bool {
    to.parse::<SocketAddr>().is_ok_and(|to| match to.ip() {
        IpAddr::V4(ip) => ip.is_multicast() || ip.octets()[3] == 255,
        IpAddr::V6(ip) => ip.is_multicast(),
    })
}
