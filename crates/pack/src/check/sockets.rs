//! Which socket a descriptor was, at each time: the life of each descriptor, and the calls about each socket.
//!
//! A call happens somewhere between its beginning and its return, so a life has a first and a last moment at which it can have
//! begun, and the same for its end. What may have been is no contradiction; what cannot have been is one.

use std::collections::{HashMap, HashSet};

use netplay_record::{Call, Connection, Event, Kind, Moves, Process, Type};

use super::rings;
use crate::run::Run;
use crate::{Fault, Rule};
use netplay_text::both;

/// A socket: its place in [`Sockets::all`].
pub(super) type Id = usize;

/// A socket, or another thing that a descriptor can mean.
#[derive(Debug, Default)]
pub(super) struct Socket {
    /// The call that made it; `None`: it was there before the records began, or came from another process.
    pub made: Option<usize>,
    /// Whether it is a stream; `None`: it is not a socket, or nothing tells.
    pub stream: Option<bool>,
    /// The listener that it was accepted from.
    pub listener: Option<Id>,
    /// The other of a pair.
    pub pair: Option<Id>,
    /// Whether calls about it may be missing from the records: another process may have it.
    pub shared: bool,
    /// The calls about it, in the order in which they began.
    pub calls: Vec<usize>,
    /// The process and the descriptor of each life.
    pub holders: Vec<(i32, usize)>,
}

/// What a descriptor meant from one time to another.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub id: Id,
    /// The earliest and the latest moment at which it can have begun.
    pub from: (u64, u64),
    /// The same of its end; `u64::MAX` while it lives.
    pub to: (u64, u64),
    /// Whether it may have ended without a record: an exec closes what is marked for it.
    pub unsure: bool,
    /// The call that began it, and the one that ended it.
    pub by: (Option<usize>, Option<usize>),
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub all: Vec<Socket>,
    /// The lives of each descriptor of each process, in the order in which they began.
    lives: HashMap<i32, HashMap<i32, Vec<Life>>>,
    /// The socket that each record is about, where that is beyond doubt.
    pub of: Vec<Option<Id>>,
    /// The processes whose descriptors are all known: their records begin with their program.
    whole: HashSet<i32>,
    /// Processes that share their descriptors with another one.
    tables: HashMap<i32, i32>,
    /// When the last call of each process returned, or began if it did not return.
    last: HashMap<i32, u64>,
}

/// Follows all descriptors, and names what cannot have been.
pub(super) fn follow(run: &Run, faults: &mut Vec<Fault>) -> Sockets {
    let mut sockets = Sockets { of: vec![None; run.records.len()], ..Sockets::default() };
    sockets.begin(run);
    let mut order: Vec<usize> = (0..run.records.len()).collect();
    // A descriptor is free from the start of its close on, and taken when a call has returned it.
    order.sort_by_key(|&i| match run.records[i].what.moves() {
        Moves::Closes | Moves::ClosesMany { .. } | Moves::Copies => run.records[i].start_ns,
        _ => run.end(i),
    });
    for i in order {
        sockets.step(run, i, faults);
    }
    sockets.attribute(run, faults);
    for id in 0..sockets.all.len() {
        sockets.all[id].calls.sort_by_key(|&i| run.records[i].start_ns);
    }
    sockets
}

impl Sockets {
    /// The process under whose number a process's descriptors are kept.
    pub fn table(&self, pid: i32) -> i32 {
        self.tables.get(&pid).copied().unwrap_or(pid)
    }

    /// Until when a socket was certainly open: until its last close began, or the last call of a process that had it. Its
    /// process may have ended right after that.
    pub fn open_until(&self, run: &Run, id: Id) -> u64 {
        let lives = self.all[id].holders.iter().flat_map(|&(table, fd)| {
            let lives = self.lives_of(table, i32::try_from(fd).unwrap_or(-1));
            lives.iter().filter(|life| life.id == id && !life.unsure).map(move |life| {
                match life.by.1 {
                    Some(by) if run.records[by].kind != Kind::Note => life.to.0,
                    _ => self.last.get(&table).copied().unwrap_or_default(),
                }
            })
        });
        lives.max().unwrap_or_default()
    }

    fn begin(&mut self, run: &Run) {
        let mut seen = HashSet::new();
        let mut children = Vec::new();
        for (i, record) in run.records.iter().enumerate() {
            if record.kind == Kind::Note {
                continue;
            }
            let until = if record.is_unfinished() { record.start_ns } else { run.end(i) };
            let last = self.last.entry(record.pid).or_default();
            *last = until.max(*last);
            if let (Moves::Copies, Some(child)) = (record.what.moves(), returned(record))
                && record.is_done()
            {
                children.push((record.pid, child));
                if record.args.as_deref().is_some_and(|args| args.contains("CLONE_FILES")) {
                    self.tables.insert(child, self.table(record.pid));
                }
            }
            if seen.insert(record.pid) {
                let runs = matches!(&*record.what, Call::Process(Process::Execve(_)));
                let own = *record.example != *"watch";
                if runs && run.records[i].is_done() || own {
                    self.whole.insert(record.pid);
                }
            }
        }
        let of_child: HashSet<i32> = children.iter().map(|&(_, child)| child).collect();
        self.whole.retain(|pid| !of_child.contains(pid));
        for (parent, child) in children {
            if self.whole.contains(&parent) {
                self.whole.insert(child);
            }
        }
    }

    fn add(&mut self, socket: Socket) -> Id {
        self.all.push(socket);
        self.all.len() - 1
    }

    /// The last life of a descriptor.
    fn last(&mut self, pid: i32, fd: i32) -> Option<&mut Life> {
        self.lives.get_mut(&self.table(pid))?.get_mut(&fd)?.last_mut()
    }

    fn open(
        &mut self,
        run: &Run,
        (pid, fd): (i32, i32),
        id: Id,
        by: usize,
        faults: &mut Vec<Fault>,
    ) {
        let record = &run.records[by];
        let replaces = match &*record.what {
            Call::Connection(Connection::Dup { to, .. }) => to.is_some(),
            _ => false,
        };
        // The program learns the answer of an operation when it takes it from the ring.
        let from = match record.kind {
            Kind::Complete => (run.end(by), run.end(by)),
            _ => (record.start_ns, run.end(by)),
        };
        if let Some(life) = self.last(pid, fd)
            && life.to.0 > from.1
        {
            let unsure = life.unsure;
            let before = life.by.0;
            (life.to, life.by.1) = (from, Some(by));
            if !replaces && !unsure && record.kind == Kind::Call {
                let said = both!(
                    "descriptor {fd} is given out, though it is open: a number is given out again only after a close",
                    "描述符 {fd} 还开着就又被分配：编号只有在关闭之后才会再次分配",
                );
                let at: Vec<usize> = before.into_iter().chain([by]).collect();
                faults.push(run.fault(Rule::Descriptor, said, &at));
            }
        }
        let life = Life { id, from, to: (u64::MAX, u64::MAX), unsure: false, by: (Some(by), None) };
        let table = self.table(pid);
        self.lives.entry(table).or_default().entry(fd).or_default().push(life);
        self.all[id].holders.push((table, fd as usize));
        // A watched program does not stop at each read and write of its standard input and output.
        self.all[id].shared |= fd <= 2 && *record.example == *"watch";
    }

    fn close(&mut self, run: &Run, pid: i32, fd: i32, by: usize) {
        let record = &run.records[by];
        if let Some(life) = self.last(pid, fd).filter(|life| life.to.0 == u64::MAX) {
            (life.to, life.by.1) = ((record.start_ns, run.end(by)), Some(by));
        }
    }

    fn step(&mut self, run: &Run, i: usize, faults: &mut Vec<Fault>) {
        let record = &*run.records[i];
        let pid = record.pid;
        if record.kind == Kind::Note {
            if record
                .value
                .as_deref()
                .is_some_and(|of| of.starts_with("exited ") || of.starts_with("killed "))
                && !self.tables.contains_key(&pid)
            {
                for fd in self.descriptors(pid) {
                    self.close(run, pid, fd, i);
                }
            }
            return;
        }
        if record.kind == Kind::Submit {
            return;
        }
        let new = returned(record);
        // Its number may be that of a table of the ring.
        let is_fixed = record.kind == Kind::Complete && !rings::is_exact(record);
        match (record.what.moves(), new) {
            (Moves::Closes, _)
                if record.errno.as_deref() != Some("EBADF") && !record.is_unfinished() =>
            {
                if let Some(fd) = record.fd {
                    self.close(run, pid, fd, i);
                }
            }
            (Moves::ClosesMany { first, last }, Some(_)) => {
                let range = first..=last;
                for fd in self.descriptors(pid) {
                    if range.contains(&fd.cast_unsigned()) {
                        self.close(run, pid, fd, i);
                    }
                }
            }
            (Moves::Copies, Some(child)) if child > 0 && !self.tables.contains_key(&child) => {
                self.copy(run, pid, child, i);
            }
            (Moves::Executes, Some(_)) => {
                for fd in self.descriptors(pid) {
                    if let Some(life) = self.last(pid, fd) {
                        life.unsure = true;
                    }
                }
            }
            (Moves::Makes { .. } | Moves::Accepts { .. }, Some(fd)) if is_fixed => {
                let id = self.add(Socket { made: Some(i), shared: true, ..Socket::default() });
                self.open(run, (pid, fd), id, i, faults);
                if let Some(life) = self.last(pid, fd) {
                    life.unsure = true;
                }
            }
            _ if is_fixed => {}
            (Moves::Makes { datagrams }, Some(fd)) => {
                let stream = match &*record.what {
                    Call::Connection(Connection::Socket(kind)) => {
                        Some(matches!(kind.ty, Type::Stream))
                    }
                    _ => Some(!datagrams),
                };
                let id = self.add(Socket { made: Some(i), stream, ..Socket::default() });
                self.open(run, (pid, fd), id, i, faults);
            }
            (Moves::MakesTwo { datagrams, fds: Some(fds) }, Some(_)) => {
                let stream = Some(
                    !datagrams
                        && record.args.as_deref().is_some_and(|args| args.contains("SOCK_STREAM")),
                );
                let ids =
                    fds.map(|_| self.add(Socket { made: Some(i), stream, ..Socket::default() }));
                self.all[ids[0]].pair = Some(ids[1]);
                self.all[ids[1]].pair = Some(ids[0]);
                for (fd, id) in fds.into_iter().zip(ids) {
                    self.open(run, (pid, fd), id, i, faults);
                }
            }
            (Moves::Opens, Some(fd)) => {
                let id = self.add(Socket { made: Some(i), ..Socket::default() });
                self.open(run, (pid, fd), id, i, faults);
            }
            (Moves::Accepts { .. }, Some(fd)) => {
                let listener =
                    record.fd.and_then(|fd| self.at(run, pid, fd, i)).map(|life| life.id);
                let stream = listener.map_or(Some(true), |id| self.all[id].stream.or(Some(true)));
                let id = self.add(Socket { made: Some(i), stream, listener, ..Socket::default() });
                self.open(run, (pid, fd), id, i, faults);
            }
            (Moves::Duplicates, Some(fd)) if record.fd != Some(fd) => {
                let of = record.fd.and_then(|fd| self.at(run, pid, fd, i)).map(|life| life.id);
                match of {
                    Some(id) => self.open(run, (pid, fd), id, i, faults),
                    // A copy of a file takes the place of what was there.
                    None => self.close(run, pid, fd, i),
                }
            }
            _ => {}
        }
        for fd in record.what.receives() {
            let id = self.add(Socket { shared: true, ..Socket::default() });
            self.open(run, (pid, fd), id, i, faults);
        }
    }

    /// The descriptors of a process that are open.
    fn descriptors(&self, pid: i32) -> Vec<i32> {
        let open = self
            .lives
            .get(&self.table(pid))
            .into_iter()
            .flatten()
            .filter(|(_, lives)| lives.last().is_some_and(|life| life.to.0 == u64::MAX));
        open.map(|(&fd, _)| fd).collect()
    }

    /// A child has what its parent had when it was made; what the parent opened or closed meanwhile it may have.
    fn copy(&mut self, run: &Run, parent: i32, child: i32, by: usize) {
        let during = (run.records[by].start_ns, run.end(by));
        let table = self.table(parent);
        let of_parent: Vec<(i32, Life)> = self
            .lives
            .get(&table)
            .into_iter()
            .flatten()
            .filter_map(|(&fd, lives)| {
                Some((fd, lives.iter().rfind(|life| life.to.1 >= during.0)?.clone()))
            })
            .collect();
        for (fd, life) in of_parent {
            let unsure = life.unsure || life.to.0 != u64::MAX || life.from.1 > during.0;
            let copy = Life {
                from: during,
                to: (u64::MAX, u64::MAX),
                unsure,
                by: (Some(by), None),
                ..life
            };
            self.all[copy.id].holders.push((child, fd as usize));
            let lives = self.lives.entry(child).or_default().entry(fd).or_default();
            // The number of a process that has ended may be given out again.
            for old in lives.iter_mut().filter(|old| old.to.0 == u64::MAX) {
                old.to = during;
            }
            lives.push(copy);
        }
    }

    /// The lives of a descriptor, in the order in which they began.
    fn lives_of(&self, table: i32, fd: i32) -> &[Life] {
        self.lives.get(&table).and_then(|of| of.get(&fd)).map_or(&[], Vec::as_slice)
    }

    /// The life of this descriptor that the call can have been about, if there is only one.
    fn at(&self, run: &Run, pid: i32, fd: i32, i: usize) -> Option<&Life> {
        let (start, end) = (run.records[i].start_ns, run.end(i));
        let lives = self.lives_of(self.table(pid), fd);
        let mut possible = lives.iter().filter(|life| life.from.0 <= end && life.to.1 >= start);
        let one = possible.next()?;
        match possible.next() {
            None => Some(one),
            // The other one began when the call had begun: it was about the first, unless that had ended.
            Some(_) => None,
        }
    }

    /// Finds the socket of each call, and the calls that cannot have had one.
    fn attribute(&mut self, run: &Run, faults: &mut Vec<Fault>) {
        let mut parts: HashMap<(i32, i32), Part> = HashMap::new();
        for (i, record) in run.records.iter().enumerate() {
            if matches!(record.kind, Kind::Note | Kind::Submit) {
                continue;
            }
            for fd in record.what.passes() {
                if let Some(id) = self.at(run, record.pid, fd, i).map(|life| life.id) {
                    self.all[id].shared = true;
                }
            }
            let Some(fd) = record.fd else { continue };
            let table = self.table(record.pid);
            let (start, end) = (record.start_ns, run.end(i));
            let lives = self.lives_of(table, fd);
            let part = parts.entry((table, fd)).or_insert_with(|| Part::of(lives));
            match part.lives(lives, start, end)[..] {
                [] => {}
                [id] => {
                    self.of[i] = Some(id);
                    self.all[id].calls.push(i);
                    continue;
                }
                // It was about one of these: of neither all calls are known.
                ref several => {
                    several.iter().for_each(|&id| self.all[id].shared = true);
                    continue;
                }
            }
            if !needs_a_socket(record) || !record.is_done() {
                continue;
            }
            let lives = self.lives_of(table, fd).iter();
            let before =
                lives.filter(|life| life.to.1 < start).max_by_key(|life| life.to.1).cloned();
            if let Some(Life { unsure: false, by: (_, closed), .. }) = &before {
                let said = both!(
                    "descriptor {fd} is used after it was closed",
                    "描述符 {fd} 在关闭之后又被使用",
                );
                let at: Vec<usize> = closed.iter().copied().chain([i]).collect();
                faults.push(run.fault(Rule::Descriptor, said, &at));
            } else if before.is_none() && self.whole.contains(&record.pid) && fd > 2 {
                let said = both!(
                    "descriptor {fd} is used as a socket, and no call has made it",
                    "描述符 {fd} 被当作套接字使用，却没有任何调用创建它",
                );
                faults.push(run.fault(Rule::Descriptor, said, &[i]));
            } else {
                // It was there before the records began.
                let id = self.add(Socket { shared: true, ..Socket::default() });
                let begins = self.lives_of(table, fd).iter().map(|life| life.from.0);
                let next = begins.filter(|&from| from > end).min();
                let to = next.unwrap_or(u64::MAX);
                let from = before.map_or(0, |life| life.to.1);
                let life =
                    Life { id, from: (from, start), to: (to, to), unsure: true, by: (None, None) };
                let lives = self.lives.entry(table).or_default().entry(fd).or_default();
                lives.push(life);
                lives.sort_by_key(|life| life.from);
                parts.remove(&(table, fd));
                self.of[i] = Some(id);
                self.all[id].calls.push(i);
            }
        }
    }
}

/// The part of a descriptor's lives that can still be meant, for calls in the order of their beginnings: of a descriptor that
/// was given out thousands of times, a few.
struct Part {
    /// All before this one ended before the last call began.
    first: usize,
    /// The earliest beginning of each life and all behind it.
    least: Vec<u64>,
}

impl Part {
    fn of(lives: &[Life]) -> Part {
        let mut least: Vec<u64> = lives.iter().map(|life| life.from.0).collect();
        for at in (1..least.len()).rev() {
            least[at - 1] = least[at - 1].min(least[at]);
        }
        Part { first: 0, least }
    }

    /// The sockets that a call with this beginning and this end can have been about.
    fn lives(&mut self, lives: &[Life], start: u64, end: u64) -> Vec<Id> {
        while lives.get(self.first).is_some_and(|life| life.to.1 < start) {
            self.first += 1;
        }
        let begun = self.least[self.first..].partition_point(|&from| from <= end);
        let possible = &lives[self.first..self.first + begun];
        let meant = possible.iter().filter(|life| life.from.0 <= end && life.to.1 >= start);
        meant.map(|life| life.id).collect()
    }
}

/// The number that a call returned, if it did not fail.
fn returned(record: &Event) -> Option<i32> {
    record.ret.filter(|_| record.is_done()).and_then(|ret| i32::try_from(ret).ok())
}

/// Whether it can only succeed on a socket.
fn needs_a_socket(record: &Event) -> bool {
    record.kind == Kind::Call
        && matches!(
            record.call.as_deref(),
            Some(
                "bind"
                    | "listen"
                    | "accept"
                    | "connect"
                    | "getsockname"
                    | "getpeername"
                    | "shutdown"
                    | "recv"
                    | "recvfrom"
                    | "recvmsg"
                    | "recvmmsg"
                    | "send"
                    | "sendto"
                    | "sendmsg"
                    | "sendmmsg"
                    | "setsockopt"
                    | "getsockopt"
            )
        )
}
