//! What the records tell together: sockets, their holders, both ends of each connection, processes.

use std::collections::HashMap;

use netplay_record::{Direction, Event, Family, Kind, Text};
use netplay_text::escape::unescape;

use super::wire::Wire;

/// A socket of the kernel, whichever processes hold it: an index of [`Model::sockets`].
pub(crate) type Id = usize;

/// A socket, as far as the records tell.
#[derive(Debug, Default)]
pub(crate) struct Socket {
    pub(crate) family: Option<Family>,
    pub(crate) datagrams: bool,
    /// The records begin before its first byte.
    pub(crate) from_birth: bool,
    /// The call that made it: `socket`, `accept`, `socketpair`.
    pub(crate) made: Option<usize>,
    pub(crate) local: Option<Text>,
    pub(crate) peer_address: Option<Text>,
    /// The last `bind` that succeeded.
    pub(crate) bound: Option<usize>,
    pub(crate) listens: Option<usize>,
    /// The `connect` that succeeded, or is under way.
    pub(crate) connected: Option<usize>,
    /// The listener that it was accepted from.
    pub(crate) listener: Option<Id>,
    /// The other end of its connection.
    pub(crate) peer: Option<Id>,
    /// All calls about it, in the order in which they began.
    pub(crate) calls: Vec<usize>,
    /// Calls that sent bytes, in the order in which they began.
    pub(crate) sent: Vec<usize>,
    /// Calls that received bytes, in the order in which they returned.
    pub(crate) received: Vec<usize>,
    /// Calls that read the end.
    pub(crate) ends: Vec<usize>,
    /// When no process held it any more, and by what: a close, or the end of its last process.
    pub(crate) gone: Option<Gone>,
    /// Who holds it when the records end: the process and the descriptor.
    pub(crate) held: Vec<(i32, i32)>,
    /// All descriptors that it ever had, in the order in which they came.
    pub(crate) holds: Vec<Hold>,
    /// It was passed to another process, and may live on there.
    pub(crate) passed: bool,
    /// Its calls wait no longer than SO_RCVTIMEO or SO_SNDTIMEO says.
    pub(crate) limited: bool,
    /// Some epoll list reports when it can be written to.
    pub(crate) reports_writable: bool,
    /// Some epoll list has it.
    pub(crate) in_list: bool,
}

impl Socket {
    pub(crate) fn is_inet(&self) -> bool {
        matches!(self.family, Some(Family::Inet | Family::Inet6))
    }

    /// Whether it is a kind of socket whose mistakes are worth a word: not netlink, through which libraries ask the kernel.
    pub(crate) fn matters(&self) -> bool {
        matches!(self.family, None | Some(Family::Inet | Family::Inet6 | Family::Unix))
    }

    pub(crate) fn is_stream(&self) -> bool {
        !self.datagrams && self.listens.is_none()
    }

    pub(crate) fn was_accepted(&self) -> bool {
        self.listener.is_some()
    }
}

/// A descriptor of a socket, in one process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hold {
    pub(crate) pid: i32,
    pub(crate) fd: i32,
    /// When it was closed, and by what.
    pub(crate) until: Option<Gone>,
}

/// The moment from which no process held a socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gone {
    pub(crate) at: u64,
    /// The record: a close, an exec, the remark that a process has ended.
    pub(crate) by: usize,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It called exit.
    Exit,
    /// A signal of this name ended it, at its own fault: SIGPIPE, SIGSEGV.
    Signal,
}

/// A process.
#[derive(Debug, Default)]
pub(crate) struct Life {
    pub(crate) parent: Option<i32>,
    /// Its first record, or the fork that made it.
    pub(crate) born: usize,
    /// Whether its records begin with its program.
    pub(crate) from_birth: bool,
    pub(crate) ended: Option<(usize, Ending)>,
    /// The kernel forgot it at once, because its parent ignores SIGCHLD.
    pub(crate) forgotten: bool,
    /// netplay asked it to end.
    pub(crate) dismissed: Option<usize>,
    pub(crate) threads: Vec<i32>,
    /// The last record of each thread.
    pub(crate) last: HashMap<i32, usize>,
    pub(crate) records: Vec<usize>,
    /// The words of its command line.
    pub(crate) command: Vec<String>,
    /// The path of its program.
    pub(crate) program: Option<String>,
}

/// All of it.
pub(crate) struct Model<'a> {
    pub(crate) records: Vec<&'a Event>,
    pub(crate) sockets: Vec<Socket>,
    /// The socket that each record is about.
    pub(crate) of: Vec<Option<Id>>,
    pub(crate) lives: HashMap<i32, Life>,
    /// The bytes from a socket to its peer.
    pub(crate) wires: HashMap<Id, Wire>,
    /// When the records end.
    pub(crate) end: u64,
}

impl Model<'_> {
    pub(crate) fn start(&self, i: usize) -> u64 {
        self.records[i].start_ns
    }

    pub(crate) fn finish(&self, i: usize) -> u64 {
        self.records[i].start_ns + self.records[i].dur_ns
    }

    pub(crate) fn took(&self, i: usize) -> u64 {
        self.records[i].dur_ns
    }

    pub(crate) fn call(&self, i: usize) -> &str {
        self.records[i].call.as_deref().unwrap_or_default()
    }

    pub(crate) fn errno(&self, i: usize) -> &str {
        self.records[i].errno.as_deref().unwrap_or_default()
    }

    pub(crate) fn bytes(&self, i: usize) -> u64 {
        self.records[i].bytes.unwrap_or_default()
    }

    pub(crate) fn data(&self, i: usize) -> &str {
        self.records[i].data.as_deref().unwrap_or_default()
    }

    /// Whether the record has all of the bytes that moved.
    pub(crate) fn has_all(&self, i: usize) -> bool {
        unescape(self.data(i)).len() as u64 == self.bytes(i)
    }

    /// The bytes that moved, as far as the record has them.
    pub(crate) fn content(&self, i: usize) -> Vec<u8> {
        unescape(self.data(i))
    }

    /// The bytes that a call which sends was given, as far as its line has them, whatever became of them.
    pub(crate) fn given(&self, i: usize) -> Vec<u8> {
        let args = self.records[i].args.as_deref().unwrap_or_default();
        let mut rest = args.split_once('"').map_or("", |(_, rest)| rest).char_indices();
        let text = rest.as_str();
        let end = loop {
            match rest.next() {
                Some((_, '\\')) => drop(rest.next()),
                Some((at, '"')) => break at,
                Some(_) => {}
                None => break text.len(),
            }
        };
        unescape(&text[..end])
    }

    pub(crate) fn role(&self, i: usize) -> &str {
        &self.records[i].role
    }

    pub(crate) fn pid(&self, i: usize) -> i32 {
        self.records[i].pid
    }

    pub(crate) fn tid(&self, i: usize) -> i32 {
        self.records[i].tid
    }

    pub(crate) fn is_call(&self, i: usize) -> bool {
        self.records[i].kind == Kind::Call
    }

    pub(crate) fn is_unfinished(&self, i: usize) -> bool {
        self.records[i].is_unfinished()
    }

    /// Whether it failed because it would have to wait, or was interrupted.
    pub(crate) fn is_try_again(&self, i: usize) -> bool {
        matches!(self.errno(i), "EAGAIN" | "EINTR")
    }

    pub(crate) fn direction(&self, i: usize) -> Option<Direction> {
        let record = self.records[i];
        if matches!(record.kind, Kind::Submit | Kind::Note) {
            return None;
        }
        let direction = record.what.way().and_then(|_| record.direction());
        match direction {
            Some(Direction::In)
                if record.ret == Some(0)
                    && self.of[i].is_some_and(|id| !self.sockets[id].datagrams)
                    && record.room() != Some(0) =>
            {
                Some(Direction::End)
            }
            other => other,
        }
    }

    /// Whether it is a call that takes bytes from a socket, whatever became of it.
    pub(crate) fn is_receive(&self, i: usize) -> bool {
        matches!(self.call(i), "recv" | "recvfrom" | "recvmsg" | "recvmmsg" | "read" | "readv")
    }

    /// Whether it is a call that gives bytes to a socket, whatever became of it.
    pub(crate) fn is_send(&self, i: usize) -> bool {
        matches!(
            self.call(i),
            "send" | "sendto" | "sendmsg" | "sendmmsg" | "write" | "writev" | "sendfile"
        )
    }

    /// Whether it waits for many descriptors.
    pub(crate) fn is_wait(&self, i: usize) -> bool {
        matches!(self.call(i), "select" | "poll" | "ppoll" | "epoll_wait" | "io_uring_enter")
    }

    /// The first record of a socket after this one, in the order of their beginnings.
    pub(crate) fn next_of(&self, id: Id, i: usize) -> Option<usize> {
        let calls = &self.sockets[id].calls;
        calls.get(calls.partition_point(|&at| at <= i)).copied()
    }

    /// The records of a socket after this one.
    pub(crate) fn after(&self, id: Id, i: usize) -> &[usize] {
        let calls = &self.sockets[id].calls;
        &calls[calls.partition_point(|&at| at <= i)..]
    }

    /// The other end, and the bytes both ways, where all of it is known.
    pub(crate) fn peer(&self, id: Id) -> Option<Id> {
        let peer = self.sockets[id].peer?;
        let known = |id| self.wires.get(&id).is_some_and(|wire: &Wire| wire.known);
        (known(id) && known(peer)).then_some(peer)
    }

    /// Whether everything that was sent from this socket has been received.
    pub(crate) fn is_drained(&self, id: Id) -> bool {
        self.wires.get(&id).is_some_and(|wire| wire.known && wire.unread().next().is_none())
    }

    /// How long one process has been silent before the records end.
    pub(crate) fn records_of(&self, pid: i32) -> &[usize] {
        self.lives.get(&pid).map_or(&[], |life| &life.records)
    }

    /// When a process ended, or else the records.
    pub(crate) fn end_of(&self, pid: i32) -> u64 {
        let ended = self.lives.get(&pid).and_then(|life| life.ended);
        ended.map_or(self.end, |(note, _)| self.start(note))
    }
}
