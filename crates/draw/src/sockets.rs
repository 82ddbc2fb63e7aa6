//! Which socket a descriptor was: a number is given out again after a close, and a forked child holds
//! its parent's sockets under the same numbers.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::acts::Acts;
use super::calls::{Process, process};
use super::{Call, Lane};
use netplay_record::{
    Call as Recorded, Connection, Direction, Event, Fcntl, Kind, Moves, Sockopt, Text,
};
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
    /// A socket of datagrams received one before it sent any.
    pub(super) receives_first: bool,
    /// It has received one, or sent one.
    spoke: bool,
    /// The other one of a pair: socketpair(2).
    pub(super) pair: Option<Id>,
    pub(super) role: String,
    pub(super) host: u8,
}

/// All sockets, and which one each call was about.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) all: Vec<Socket>,
    /// For each call; `None` where it was about none.
    pub(super) of_call: Vec<Option<Id>>,
    /// The calls in the order in which they changed what descriptors mean.
    pub(super) order: Vec<usize>,
    /// The closes after which another descriptor still held the socket: they sent no FIN.
    pub(super) kept: HashSet<usize>,
    /// The sockets that were no longer open after a call that closed many: close_range, or exec.
    pub(super) ended: HashMap<usize, Vec<Id>>,
}

impl Sockets {
    /// Follows the descriptors of every process from call to call.
    pub(super) fn follow(calls: &[Call], lanes: &[Lane]) -> Sockets {
        // A descriptor is free from the start of its close on, and taken when a call has returned it; a
        // child has what its parent had when it was forked.
        let mut order: Vec<usize> = (0..calls.len()).collect();
        order.sort_by_cached_key(|&i| match calls[i].record.what.moves() {
            Moves::Closes | Moves::ClosesMany { .. } | Moves::Copies => calls[i].from_ns,
            // It may be received before this call returns.
            Moves::Nothing if !calls[i].record.what.passes().is_empty() => calls[i].from_ns,
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
                tables.end((call.record.host, ended)); // it holds nothing any more
            }
            sockets.step(i, call, &lanes[call.lane], &mut tables);
            if call.record.is_done() {
                sockets.close_many(i, &call.record, &mut tables);
                sockets.pass(i, call, &mut tables);
            }
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
        let (record, process) = (&call.record, process(&call.record));
        let returned =
            record.ret.filter(|_| record.errno.is_none()).and_then(|fd| i32::try_from(fd).ok());
        let moves = record.what.moves();
        if let (Moves::MakesTwo { datagrams, fds: Some(fds) }, Some(_)) = (moves, returned) {
            let ids = [self.all.len(), self.all.len() + 1];
            for (fd, other) in fds.into_iter().zip([ids[1], ids[0]]) {
                let id = self.add(Socket {
                    datagram: datagrams,
                    from_birth: true,
                    pair: Some(other),
                    role: lane.role.clone(),
                    host: lane.host,
                    ..Socket::default()
                });
                tables.put(process, fd, id, &record.what);
            }
            return;
        }
        if let (Moves::Makes { datagrams }, Some(fd)) = (moves, returned) {
            let id = self.add(Socket {
                datagram: datagrams,
                from_birth: true,
                role: lane.role.clone(),
                host: lane.host,
                ..Socket::default()
            });
            tables.put(process, fd, id, &record.what);
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
            let id =
                self.add(Socket { role: lane.role.clone(), host: lane.host, ..Socket::default() });
            tables.put(process, fd, id, &Recorded::Other);
            id
        });
        self.of_call[i] = Some(id);
        let done = record.is_done() || record.kind == Kind::Submit;
        if let Recorded::Option(Sockopt::Fcntl(Fcntl::SetCloexec(on))) = *record.what {
            tables.mark(process, fd, on);
        }
        let socket = &mut self.all[id];
        if socket.datagram && !socket.spoke {
            let direction = record.direction();
            socket.receives_first = matches!(direction, Some(Direction::In | Direction::End));
            socket.spoke = direction.is_some();
        }
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
                        host: lane.host,
                        ..Socket::default()
                    });
                    tables.put(process, fd, id, &record.what);
                }
            }
            Moves::Duplicates => {
                if let Some(copy) = returned.filter(|&copy| copy != fd) {
                    tables.put(process, copy, id, &record.what);
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

    /// A call that closes more than one descriptor.
    fn close_many(&mut self, i: usize, record: &Event, tables: &mut Tables) {
        let gone = match record.what.moves() {
            Moves::ClosesMany { first, last } => {
                let is_one =
                    |fd: i32| u32::try_from(fd).is_ok_and(|fd| (first..=last).contains(&fd));
                tables.take_all(process(record), |fd, _| is_one(fd))
            }
            Moves::Executes => tables.take_all(process(record), |_, cloexec| cloexec),
            _ => return,
        };
        let ended: Vec<Id> = gone.into_iter().filter(|&id| !tables.is_held(id)).collect();
        if !ended.is_empty() {
            self.ended.insert(i, ended);
        }
    }

    /// Descriptors that go to another process with a message: it has the same sockets then.
    fn pass(&mut self, i: usize, call: &Call, tables: &mut Tables) {
        let process = process(&call.record);
        let Some(id) = self.of_call[i] else { return };
        let passed = call.record.what.passes();
        if !passed.is_empty() {
            let all = passed.iter().map(|&fd| tables.get(process, fd)).collect();
            tables.send(self.all[id].way_out(id), all);
        }
        let received = call.record.what.receives();
        if !received.is_empty() {
            let all = tables.receive(&self.all[id].way_in(), received.len());
            for (fd, id) in received.into_iter().zip(all) {
                match id {
                    Some(id) => tables.put(process, fd, id, &call.record.what),
                    None => tables.take(process, fd),
                }
                tables.arrived(id);
            }
        }
    }

    fn add(&mut self, socket: Socket) -> Id {
        self.all.push(socket);
        self.all.len() - 1
    }

    /// Finds out what the lanes take part as whose role does not say it. A thread that did neither takes part as its
    /// process does, and a child as its parent.
    pub(super) fn tell_acts(&self, calls: &[Call], lanes: &mut [Lane]) {
        let mut of_lanes = vec![Acts::Unknown; lanes.len()];
        for (call, id) in calls.iter().zip(&self.of_call) {
            let acts = id.map_or(Acts::Unknown, |id| self.all[id].acts());
            of_lanes[call.lane] = of_lanes[call.lane].and(acts);
        }
        let mut of_processes: HashMap<Process, Acts> = HashMap::new();
        for (lane, &acts) in lanes.iter().zip(&of_lanes) {
            if let Some((pid, _)) = lane.thread {
                let known = of_processes.entry((lane.host, pid)).or_default();
                *known = known.and(acts);
            }
        }
        let parents: HashMap<Process, Process> =
            calls.iter().filter_map(|call| super::calls::fork(&call.record)).collect();
        for (lane, acts) in lanes.iter_mut().zip(of_lanes) {
            let Some((pid, _)) = lane.thread.filter(|_| Acts::of_role(&lane.role).is_none()) else {
                continue;
            };
            let mut process = (lane.host, pid);
            lane.acts = acts;
            for _ in 0..=parents.len() {
                if lane.acts != Acts::Unknown {
                    break;
                }
                lane.acts = of_processes.get(&process).copied().unwrap_or_default();
                let Some(&parent) = parents.get(&process) else { break };
                process = parent;
            }
        }
    }

    /// Marks the calls after which a socket was seen in another state of TCP than before.
    pub(super) fn tell_states(&self, calls: &mut [Call]) {
        let mut last: Vec<Option<Text>> = vec![None; self.all.len()];
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
            last[id] = Some(state.into());
            if told {
                calls[i].state = last[id].clone();
            }
        }
    }
}

impl Socket {
    /// What a program that has it takes part as.
    pub(super) fn acts(&self) -> Acts {
        let serves = self.listens || self.accepted || self.receives_first;
        let connects = match self.datagram {
            true => self.spoke && !self.receives_first,
            false => self.connected_by.is_some() && !self.accepted,
        };
        match (serves, connects && self.pair.is_none()) {
            (true, _) => Acts::Server,
            (false, true) => Acts::Client,
            (false, false) => Acts::Unknown,
        }
    }

    /// The way on which its messages go: to the other one of a pair, or between the two ends of a path.
    fn way_out(&self, id: Id) -> PassedOn {
        match (self.pair, self.accepted) {
            (Some(_), _) => PassedOn::By(id),
            (None, accepted) => PassedOn::At(self.path(), accepted),
        }
    }

    /// The way on which its messages come.
    fn way_in(&self) -> PassedOn {
        match (self.pair, self.accepted) {
            (Some(other), _) => PassedOn::By(other),
            (None, accepted) => PassedOn::At(self.path(), !accepted),
        }
    }

    /// The listener's path, which both ends of a UNIX connection know.
    fn path(&self) -> Option<Text> {
        if self.accepted { self.local.clone() } else { self.peer.clone() }
    }
}

/// A way on which descriptors go to another process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum PassedOn {
    /// Sent by this one of a pair.
    By(Id),
    /// Over a connection of a listener at this path; whether the accepted end sent them.
    At(Option<Text>, bool),
}

/// What a descriptor means, and whether it is closed on exec.
type Entry = (Id, bool);

/// What the descriptors of each process mean, and how many of them mean the same socket.
#[derive(Default)]
struct Tables {
    of: HashMap<Process, HashMap<i32, Entry>>,
    holders: HashMap<Id, usize>,
    /// What is on the way to another process, message by message.
    passed: HashMap<PassedOn, VecDeque<Vec<Option<Id>>>>,
}

impl Tables {
    fn get(&self, process: Process, fd: i32) -> Option<Id> {
        self.of.get(&process)?.get(&fd).map(|&(id, _)| id)
    }

    /// This descriptor now means this socket, because of this call.
    fn put(&mut self, process: Process, fd: i32, id: Id, call: &Recorded) {
        let entry = (id, is_closed_on_exec(call));
        let before = self.of.entry(process).or_default().insert(fd, entry);
        *self.holders.entry(id).or_default() += 1;
        before.into_iter().for_each(|(id, _)| self.let_go(id));
    }

    fn take(&mut self, process: Process, fd: i32) {
        let held = self.of.get_mut(&process).and_then(|table| table.remove(&fd));
        held.into_iter().for_each(|(id, _)| self.let_go(id));
    }

    /// Takes away all descriptors of a process that are to go.
    fn take_all(&mut self, process: Process, goes: impl Fn(i32, bool) -> bool) -> Vec<Id> {
        let Some(table) = self.of.get_mut(&process) else { return Vec::new() };
        let gone = table.extract_if(|&fd, &mut (_, cloexec)| goes(fd, cloexec));
        let mut gone: Vec<(i32, Id)> = gone.map(|(fd, (id, _))| (fd, id)).collect();
        gone.sort_unstable();
        gone.iter().for_each(|&(_, id)| self.let_go(id));
        gone.into_iter().map(|(_, id)| id).collect()
    }

    /// Whether a descriptor is closed on exec.
    fn mark(&mut self, process: Process, fd: i32, on: bool) {
        if let Some((_, cloexec)) = self.of.entry(process).or_default().get_mut(&fd) {
            *cloexec = on;
        }
    }

    /// A message takes these along. Until it is received, it holds them.
    fn send(&mut self, way: PassedOn, all: Vec<Option<Id>>) {
        for &id in all.iter().flatten() {
            *self.holders.entry(id).or_default() += 1;
        }
        self.passed.entry(way).or_default().push_back(all);
    }

    /// What the next message of so many descriptors brings.
    fn receive(&mut self, way: &PassedOn, count: usize) -> Vec<Option<Id>> {
        let known = self.passed.get_mut(way).and_then(|messages| {
            let at = messages.iter().position(|all| all.len() == count)?;
            messages.remove(at)
        });
        known.unwrap_or_else(|| vec![None; count])
    }

    /// The message holds it no more.
    fn arrived(&mut self, id: Option<Id>) {
        id.into_iter().for_each(|id| self.let_go(id));
    }

    /// The child has what its parent has.
    fn fork(&mut self, child: Process, parent: Process) {
        self.end(child);
        let table = self.of.get(&parent).cloned().unwrap_or_default();
        for &(id, _) in table.values() {
            *self.holders.entry(id).or_default() += 1;
        }
        self.of.insert(child, table);
    }

    fn end(&mut self, process: Process) {
        let table = self.of.remove(&process).unwrap_or_default();
        table.into_values().for_each(|(id, _)| self.let_go(id));
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

/// Whether the descriptor that a call returned is closed on exec.
fn is_closed_on_exec(call: &Recorded) -> bool {
    match call {
        Recorded::Connection(Connection::Socket(kind) | Connection::Socketpair(kind, _)) => {
            kind.is_closed_on_exec()
        }
        Recorded::Connection(
            Connection::Accept { cloexec, .. } | Connection::Dup { cloexec, .. },
        ) => *cloexec,
        Recorded::Option(Sockopt::Fcntl(Fcntl::Duplicate { cloexec, .. })) => *cloexec,
        _ => false,
    }
}

/// Addresses that can be reached, for many questions.
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

/// Whether only its own host can reach this address: loopback, or the path of a UNIX socket.
pub(super) fn is_of_its_host(address: &str) -> bool {
    address.parse::<SocketAddr>().map_or(true, |address| address.ip().to_canonical().is_loopback())
}

/// Whether a datagram to this address may reach many receivers: a group, or a broadcast.
pub(super) fn is_for_many(to: &str) -> bool {
    to.parse::<SocketAddr>().is_ok_and(|to| match to.ip() {
        IpAddr::V4(ip) => ip.is_multicast() || ip.octets()[3] == 255,
        IpAddr::V6(ip) => ip.is_multicast(),
    })
}
