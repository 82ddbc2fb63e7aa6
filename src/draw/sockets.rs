//! Which socket a descriptor was: a number is given out again after a close, and a forked child holds
//! its parent's sockets under the same numbers.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use super::{Call, Lane};

/// A socket of the kernel's, whoever holds it: an index of [`Sockets::all`].
pub(super) type Id = usize;

/// A socket, as far as the records tell.
#[derive(Debug, Default)]
pub(super) struct Socket {
    pub(super) datagram: bool,
    pub(super) listens: bool,
    /// The records begin before its first byte: offsets in its streams are known.
    pub(super) from_birth: bool,
    pub(super) local: Option<String>,
    pub(super) peer: Option<String>,
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
        order.sort_by_key(|&i| match calls[i].name() {
            "close" | "fork" => calls[i].from_ns,
            _ => calls[i].to_ns,
        });
        let mut sockets = Sockets { of_call: vec![None; calls.len()], ..Sockets::default() };
        let mut tables: HashMap<i32, HashMap<i32, Id>> = HashMap::new();
        for &i in &order {
            let call = &calls[i];
            if let Some((child, parent)) = super::fork(&call.record) {
                let table = tables.get(&parent).cloned().unwrap_or_default();
                tables.insert(child, table);
            }
            if let ("waitpid", Some(ended @ 1..)) = (call.name(), call.record.ret) {
                tables.remove(&(ended as i32)); // it holds nothing any more
            }
            let table = tables.entry(call.record.pid).or_default();
            sockets.step(i, call, &lanes[call.lane], table);
            if let ("close", Some(id)) = (call.name(), sockets.of_call[i])
                && tables.values().flat_map(HashMap::values).any(|&held| held == id)
            {
                sockets.kept.insert(i);
            }
        }
        sockets.order = order;
        sockets
    }

    fn step(&mut self, i: usize, call: &Call, lane: &Lane, table: &mut HashMap<i32, Id>) {
        let record = &call.record;
        let returned =
            record.ret.filter(|_| record.errno.is_none()).and_then(|fd| i32::try_from(fd).ok());
        if let ("socket", Some(fd)) = (call.name(), returned) {
            let kinds = ["SOCK_DGRAM", "SOCK_RAW"]; // a raw socket has datagrams, too: packets
            let datagram = record
                .args
                .as_ref()
                .is_some_and(|args| kinds.iter().any(|kind| args.contains(kind)));
            let id = self.add(Socket {
                datagram,
                from_birth: true,
                role: lane.role.clone(),
                ..Socket::default()
            });
            table.insert(fd, id);
            self.of_call[i] = Some(id);
            return;
        }
        let Some(fd) = record.fd else { return };
        // A pipe or a file has neither an address nor a state: it is no socket.
        let known = table.get(&fd).copied();
        if known.is_none() && record.local.is_none() && record.peer.is_none() {
            return;
        }
        let id = known.unwrap_or_else(|| {
            // It was made before the trace began.
            let id = self.add(Socket { role: lane.role.clone(), ..Socket::default() });
            table.insert(fd, id);
            id
        });
        self.of_call[i] = Some(id);
        let done = record.errno.is_none();
        let socket = &mut self.all[id];
        if socket.local.is_none() {
            socket.local = plain(&record.local).filter(|local| !local.ends_with(":0"));
        }
        match call.name() {
            "listen" if done => socket.listens = true,
            "accept" => {
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
                    table.insert(fd, id);
                }
            }
            "connect" if done || record.errno.as_deref() == Some("EINPROGRESS") => {
                socket.peer = plain(&record.peer);
                socket.connected_by = Some(i);
            }
            "recvfrom" | "sendto" => socket.datagram |= !socket.from_birth,
            "close" => {
                table.remove(&fd);
            }
            _ if socket.peer.is_none() && !socket.datagram && !socket.listens => {
                socket.peer = plain(&record.peer)
            }
            _ => {}
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
            let told = last[id].is_some() || state != "CLOSED";
            last[id] = Some(state.to_owned());
            if told {
                calls[i].state = last[id].clone();
            }
        }
    }
}

fn is_tcp(state: &str) -> bool {
    !state.is_empty()
        && state
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit())
}

/// The address as its other end knows it: a socket of IPv6 sees an IPv4 client, `127.0.0.1:40312`, as
/// `[::ffff:127.0.0.1]:40312`.
pub(super) fn plain(address: &Option<String>) -> Option<String> {
    let mapped = |address: &String| {
        let address: SocketAddr = address.strip_prefix("[::ffff:").and(address.parse().ok())?;
        Some(SocketAddr::new(address.ip().to_canonical(), address.port()).to_string())
    };
    address.as_ref().map(|address| mapped(address).unwrap_or_else(|| address.clone()))
}

/// `0.0.0.0:5858` is no end of a connection, but any address of the machine.
pub(super) fn is_wildcard(local: &str) -> bool {
    local.starts_with("0.0.0.0:") || local.starts_with("[::]:")
}

/// Whether bytes sent to `to` reach a socket bound to `local`. Sent to any address, they go to this host.
pub(super) fn reaches(to: &str, local: &str) -> bool {
    let port = |address: &str| address.rsplit_once(':').map(|(_, port)| port.to_owned());
    to == local || (is_wildcard(local) || is_wildcard(to)) && port(to) == port(local)
}

/// Whether what is sent there may reach many: a group, or everybody.
pub(super) fn is_for_many(to: &str) -> bool {
    to.parse::<SocketAddr>().is_ok_and(|to| match to.ip() {
        IpAddr::V4(ip) => ip.is_multicast() || ip.octets()[3] == 255,
        IpAddr::V6(ip) => ip.is_multicast(),
    })
}
