//! Which socket a descriptor was, and who held it: a number is given out again after a close, a forked child holds its
//! parent's sockets, and another program keeps those that are not marked for exec.

use std::collections::HashMap;

use netplay_record::{
    Call, Change, Connection, Event, Fcntl, Kind, Moves, Process, Sockopt, Text, Type, Wait,
};

use super::model::{Ending, Gone, Hold, Id, Life, Model, Socket};

/// What the descriptors of a process mean: the socket, and whether it is closed on exec.
type Table = HashMap<i32, (Id, bool)>;

struct Follower<'m, 'a> {
    model: &'m mut Model<'a>,
    tables: HashMap<i32, Table>,
    holders: HashMap<Id, usize>,
}

impl<'a> Model<'a> {
    /// Reads the records, which are in the order of their beginnings.
    pub(crate) fn read(records: Vec<&'a Event>) -> Model<'a> {
        let end = records.iter().map(|record| record.start_ns + record.dur_ns).max();
        let mut model = Model {
            of: vec![None; records.len()],
            records,
            sockets: Vec::new(),
            lives: HashMap::new(),
            wires: HashMap::new(),
            end: end.unwrap_or_default(),
        };
        model.read_lives();
        let mut follower =
            Follower { model: &mut model, tables: HashMap::new(), holders: HashMap::new() };
        follower.follow();
        model.gather();
        model.pair();
        model.match_bytes();
        model
    }

    fn read_lives(&mut self) {
        let mut parents = HashMap::new();
        for (i, record) in self.records.iter().enumerate() {
            let life = self.lives.entry(record.pid).or_insert_with(|| Life {
                born: i,
                parent: parents.get(&record.pid).copied(),
                from_birth: parents.contains_key(&record.pid),
                ..Life::default()
            });
            life.records.push(i);
            if let Some(value) = record.value.as_deref().filter(|_| record.kind == Kind::Note) {
                let mut words = value.split([' ', ',']);
                match words.next() {
                    Some("exited") => life.ended = Some((i, Ending::Exit)),
                    Some("killed") => life.ended = Some((i, Ending::Signal)),
                    Some("dismissed") => life.dismissed = life.dismissed.or(Some(i)),
                    _ => {}
                }
                if life.ended.is_some_and(|(at, _)| at == i) {
                    life.forgotten = words.any(|word| word == "forgotten");
                }
                continue;
            }
            if record.kind == Kind::Note {
                continue;
            }
            if !life.last.contains_key(&record.tid) {
                life.threads.push(record.tid);
            }
            life.last.insert(record.tid, i);
            if let (Call::Process(Process::Execve(path)), true) = (&*record.what, record.is_done())
            {
                life.from_birth |= life.records.len() == 1;
                life.program = Some(path.clone());
                life.command = record.command();
            }
            if let (Moves::Copies, Some(child @ 1..)) = (record.what.moves(), record.ret)
                && let Ok(child) = i32::try_from(child)
            {
                parents.insert(child, record.pid);
                // The first record of a child may stand before the return of its parent's fork.
                let (command, program) = (life.command.clone(), life.program.clone());
                let parent = record.pid;
                let life = self.lives.entry(child).or_insert_with(|| Life {
                    born: i,
                    command,
                    program,
                    ..Life::default()
                });
                life.parent = Some(parent);
                life.from_birth = true;
            }
        }
    }

    /// Puts the calls of each socket in their orders.
    fn gather(&mut self) {
        for i in 0..self.records.len() {
            let Some(id) = self.of[i] else { continue };
            if self.records[i].kind == Kind::Submit {
                continue;
            }
            self.sockets[id].calls.push(i);
            let done = self.records[i].is_done();
            match self.direction(i).filter(|_| done) {
                Some(netplay_record::Direction::Out) if self.bytes(i) > 0 => {
                    self.sockets[id].sent.push(i)
                }
                Some(netplay_record::Direction::In) if self.bytes(i) > 0 => {
                    self.sockets[id].received.push(i)
                }
                Some(netplay_record::Direction::End) => self.sockets[id].ends.push(i),
                _ => {}
            }
        }
        for id in 0..self.sockets.len() {
            let mut received = std::mem::take(&mut self.sockets[id].received);
            received.sort_by_key(|&i| self.finish(i));
            self.sockets[id].received = received;
        }
    }
}

impl Follower<'_, '_> {
    fn follow(&mut self) {
        // A descriptor is free from the start of its close on, and taken when a call has returned it; a child has what
        // its parent had when it was forked.
        let records = self.model.records.clone();
        let mut order: Vec<usize> = (0..records.len()).collect();
        order.sort_by_key(|&i| match records[i].what.moves() {
            Moves::Closes | Moves::ClosesMany { .. } | Moves::Copies => records[i].start_ns,
            _ => records[i].start_ns + records[i].dur_ns,
        });
        for i in order {
            self.step(i, records[i]);
        }
        for (&pid, table) in &self.tables {
            for (&fd, &(id, _)) in table {
                self.model.sockets[id].held.push((pid, fd));
            }
        }
    }

    fn step(&mut self, i: usize, record: &Event) {
        let pid = record.pid;
        if record.kind == Kind::Note {
            if self.model.lives.get(&pid).and_then(|life| life.ended).is_some_and(|(at, _)| at == i)
            {
                let table = self.tables.remove(&pid).unwrap_or_default();
                self.let_all_go(pid, table, i, record.start_ns);
            }
            return;
        }
        if record.kind == Kind::Submit {
            return;
        }
        let returned =
            record.ret.filter(|_| record.is_done()).and_then(|fd| i32::try_from(fd).ok());
        let at = record.start_ns + record.dur_ns;
        match (record.what.moves(), returned) {
            (Moves::Makes { datagrams }, Some(fd)) => {
                let (kind, cloexec) = match &*record.what {
                    Call::Connection(Connection::Socket(kind)) => {
                        (Some(*kind), kind.flags & libc::SOCK_CLOEXEC != 0)
                    }
                    _ => (None, false),
                };
                let packets = kind.is_some_and(|kind| matches!(kind.ty, Type::Other(_)));
                let id = self.add(Socket {
                    family: kind.map(|kind| kind.family),
                    datagrams: datagrams || packets,
                    from_birth: true,
                    made: Some(i),
                    ..Socket::default()
                });
                self.put(pid, fd, id, cloexec, i, at);
                self.model.of[i] = Some(id);
                return;
            }
            (Moves::MakesTwo { datagrams, fds: Some(fds) }, Some(_)) => {
                let ids = fds.map(|fd| {
                    let id = self.add(Socket {
                        family: Some(netplay_record::Family::Unix),
                        datagrams,
                        from_birth: true,
                        made: Some(i),
                        ..Socket::default()
                    });
                    self.put(pid, fd, id, false, i, at);
                    id
                });
                self.model.sockets[ids[0]].peer = Some(ids[1]);
                self.model.sockets[ids[1]].peer = Some(ids[0]);
                return;
            }
            (Moves::Opens, Some(fd)) => return self.take(pid, fd, i, at),
            (Moves::Copies, Some(child @ 1..)) => {
                let table = self.tables.get(&pid).cloned().unwrap_or_default();
                for (&fd, &(id, _)) in &table {
                    *self.holders.entry(id).or_default() += 1;
                    self.model.sockets[id].holds.push(Hold { pid: child, fd, until: None });
                }
                if let Some(old) = self.tables.insert(child, table) {
                    self.let_all_go(child, old, i, at);
                }
                return;
            }
            (Moves::Executes, Some(_)) => {
                let table = self.tables.remove(&pid).unwrap_or_default();
                let (closed, kept) = table.into_iter().partition(|(_, (_, cloexec))| *cloexec);
                self.tables.insert(pid, kept);
                let closed: Table = closed;
                self.let_all_go(pid, closed, i, at);
                return;
            }
            (Moves::ClosesMany { first, last }, Some(_)) => {
                let table = self.tables.entry(pid).or_default();
                let within = |fd: &i32| (first..=last).contains(&fd.cast_unsigned());
                let fds: Vec<i32> = table.keys().copied().filter(within).collect();
                let marks = matches!(
                    *record.what,
                    Call::Connection(Connection::CloseRange { cloexec: true, .. })
                );
                for fd in fds {
                    match marks {
                        true => self.mark(pid, fd, true),
                        false => self.take(pid, fd, i, record.start_ns),
                    }
                }
                return;
            }
            _ => {}
        }
        if let Call::Wait(Wait::EpollCtl(interest)) = &*record.what {
            if let Some(&(id, _)) = self.tables.get(&pid).and_then(|table| table.get(&interest.fd))
            {
                self.model.of[i] = Some(id);
                let writable = interest.events & libc::EPOLLOUT.cast_unsigned() != 0;
                let socket = &mut self.model.sockets[id];
                socket.reports_writable |= writable && interest.change != Change::Delete;
                socket.in_list = interest.change != Change::Delete;
            }
            return;
        }
        for fd in record.what.receives() {
            self.take(pid, fd, i, at);
        }
        for fd in record.what.passes() {
            if let Some(&(id, _)) = self.tables.get(&pid).and_then(|table| table.get(&fd)) {
                self.model.sockets[id].passed = true;
            }
        }
        let Some(fd) = record.fd else { return };
        let known = self.tables.get(&pid).and_then(|table| table.get(&fd)).copied();
        if known.is_none() && (record.local.is_none() && record.peer.is_none() || !record.is_done())
        {
            return;
        }
        let id = known.map_or_else(
            || {
                // It was made before the records began, or came from another process.
                let datagrams = record.datagrams == Some(true);
                let id = self.add(Socket { datagrams, ..Socket::default() });
                self.put(pid, fd, id, false, i, at);
                id
            },
            |(id, _)| id,
        );
        self.model.of[i] = Some(id);
        self.about(i, record, fd, id, returned);
    }

    /// A call about a socket that is known.
    fn about(&mut self, i: usize, record: &Event, fd: i32, id: Id, returned: Option<i32>) {
        let (pid, at) = (record.pid, record.start_ns + record.dur_ns);
        let socket = &mut self.model.sockets[id];
        let named = |address: &Option<Text>| address.clone().filter(|of| !of.ends_with(":0"));
        if record.is_done() && !matches!(record.what.moves(), Moves::Accepts { .. }) {
            if let Some(local) = named(&record.local)
                && socket.local.as_deref().is_none_or(is_wildcard)
            {
                socket.local = Some(local);
            }
            if socket.peer_address.is_none() && socket.is_stream() {
                socket.peer_address = named(&record.peer);
            }
        }
        match (&*record.what, record.what.moves()) {
            (Call::Connection(Connection::Bind(_)), _) if record.is_done() => {
                socket.bound = Some(i);
            }
            (_, Moves::Listens) if record.is_done() => socket.listens = Some(i),
            (_, Moves::Accepts { .. }) => {
                let local = named(&record.local).filter(|local| !is_wildcard(local));
                if let Some(fd) = returned {
                    let cloexec = matches!(
                        *record.what,
                        Call::Connection(Connection::Accept { cloexec: true, .. })
                    );
                    let (family, peer) = (socket.family, named(&record.peer));
                    let new = self.add(Socket {
                        family,
                        from_birth: true,
                        made: Some(i),
                        listener: Some(id),
                        local,
                        peer_address: peer,
                        ..Socket::default()
                    });
                    self.put(pid, fd, new, cloexec, i, at);
                }
            }
            (_, Moves::Connects)
                if record.is_done() || record.errno.as_deref() == Some("EINPROGRESS") =>
            {
                socket.connected = Some(i);
                socket.peer_address = named(&record.peer);
            }
            (_, Moves::Closes) => self.take(pid, fd, i, record.start_ns),
            (_, Moves::Duplicates) => {
                if let Some(copy) = returned.filter(|&copy| copy != fd) {
                    let cloexec = match &*record.what {
                        Call::Connection(Connection::Dup { cloexec, .. }) => *cloexec,
                        Call::Option(Sockopt::Fcntl(Fcntl::Duplicate { cloexec, .. })) => *cloexec,
                        _ => false,
                    };
                    self.put(pid, copy, id, cloexec, i, at);
                }
            }
            (Call::Option(Sockopt::Setsockopt(set)), _)
                if record.is_done()
                    && (set.option.starts_with("SO_RCVTIMEO")
                        || set.option.starts_with("SO_SNDTIMEO")) =>
            {
                socket.limited = record.value.as_deref() != Some("no limit");
            }
            (Call::Option(Sockopt::Fcntl(Fcntl::SetCloexec(on))), _) if record.is_done() => {
                self.mark(pid, fd, *on);
            }
            _ => {}
        }
    }

    fn add(&mut self, socket: Socket) -> Id {
        self.model.sockets.push(socket);
        self.model.sockets.len() - 1
    }

    fn put(&mut self, pid: i32, fd: i32, id: Id, cloexec: bool, i: usize, at: u64) {
        *self.holders.entry(id).or_default() += 1;
        let before = self.tables.entry(pid).or_default().insert(fd, (id, cloexec));
        before.into_iter().for_each(|(id, _)| self.let_go(pid, fd, id, i, at));
        self.model.sockets[id].holds.push(Hold { pid, fd, until: None });
    }

    fn mark(&mut self, pid: i32, fd: i32, cloexec: bool) {
        if let Some(entry) = self.tables.get_mut(&pid).and_then(|table| table.get_mut(&fd)) {
            entry.1 = cloexec;
        }
    }

    fn take(&mut self, pid: i32, fd: i32, i: usize, at: u64) {
        if let Some((id, _)) = self.tables.get_mut(&pid).and_then(|table| table.remove(&fd)) {
            self.let_go(pid, fd, id, i, at);
        }
    }

    fn let_all_go(&mut self, pid: i32, table: Table, by: usize, at: u64) {
        for (fd, (id, _)) in table {
            self.let_go(pid, fd, id, by, at);
        }
    }

    fn let_go(&mut self, pid: i32, fd: i32, id: Id, by: usize, at: u64) {
        let is_this = |hold: &&mut Hold| (hold.pid, hold.fd) == (pid, fd) && hold.until.is_none();
        if let Some(hold) = self.model.sockets[id].holds.iter_mut().rev().find(is_this) {
            hold.until = Some(Gone { at, by });
        }
        let holders = self.holders.entry(id).or_default();
        *holders = holders.saturating_sub(1);
        if *holders == 0 && !self.model.sockets[id].passed {
            self.model.sockets[id].gone = Some(Gone { at, by });
        }
    }
}

/// `0.0.0.0:5858` is any address of the machine.
pub(crate) fn is_wildcard(address: &str) -> bool {
    address.starts_with("0.0.0.0:") || address.starts_with("[::]:")
}
