//! io_uring: the calls of the rings, and what moves through them.
//!
//! An operation is no system call: the program writes an entry into a ring of memory that it shares with the kernel, and
//! finds the answer in another. io_uring_enter(2) is where the two meet, so the rings are read there: on its way in the
//! entries that were written since the last time, and on both ways the answers that have come. Where the rings are, the
//! program's mappings say (proc_pid_maps(5)); where in them the numbers are, io_uring_setup(2) has answered.
//!
//! What is not read: rings in memory of the program's own (IORING_SETUP_NO_MMAP), entries of 128 bytes. An operation on a ring that
//! the kernel polls by itself (IORING_SETUP_SQPOLL) is seen when the program enters, or not at all.

use std::collections::HashMap;

use netplay_record::{
    Answer as Completion, Bytes, Call, Connection, Data, Entry, Event, Polled, Receive, Ring, Send,
    Submission, Wait, part,
};

use super::address;
use super::asked::{Answer, Asked, Said};
use super::words::bits;
use crate::memory::Memory;

const SETUP: &[(i32, &str)] = &[
    (1, "IORING_SETUP_IOPOLL"),
    (2, "IORING_SETUP_SQPOLL"),
    (4, "IORING_SETUP_SQ_AFF"),
    (8, "IORING_SETUP_CQSIZE"),
    (1 << 4, "IORING_SETUP_CLAMP"),
    (1 << 5, "IORING_SETUP_ATTACH_WQ"),
    (1 << 6, "IORING_SETUP_R_DISABLED"),
    (1 << 7, "IORING_SETUP_SUBMIT_ALL"),
    (1 << 8, "IORING_SETUP_COOP_TASKRUN"),
    (1 << 9, "IORING_SETUP_TASKRUN_FLAG"),
    (1 << 10, "IORING_SETUP_SQE128"),
    (1 << 11, "IORING_SETUP_CQE32"),
    (1 << 12, "IORING_SETUP_SINGLE_ISSUER"),
    (1 << 13, "IORING_SETUP_DEFER_TASKRUN"),
    (1 << 14, "IORING_SETUP_NO_MMAP"),
    (1 << 15, "IORING_SETUP_REGISTERED_FD_ONLY"),
    (1 << 16, "IORING_SETUP_NO_SQARRAY"),
];

/// Flags with which the rings are laid out otherwise, or are elsewhere.
const SQE128: u32 = 1 << 10;
const CQE32: u32 = 1 << 11;
const NO_MMAP: u32 = 1 << 14;
const NO_SQARRAY: u32 = 1 << 16;

const ENTER: &[(i32, &str)] = &[
    (1, "IORING_ENTER_GETEVENTS"),
    (2, "IORING_ENTER_SQ_WAKEUP"),
    (4, "IORING_ENTER_SQ_WAIT"),
    (8, "IORING_ENTER_EXT_ARG"),
    (16, "IORING_ENTER_REGISTERED_RING"),
];

/// The size of a `struct io_uring_params`.
pub(super) const PARAMS: usize = 120;

/// Where in `struct io_uring_params` the offsets of the two rings begin: `sq_off` and `cq_off`.
const SQ_OFF: usize = 40;
const CQ_OFF: usize = 80;

/// The offsets at which the rings and the entries are mapped (IORING_OFF_…).
const MAP_SQ: u64 = 0;
const MAP_CQ: u64 = 0x800_0000;
const MAP_SQES: u64 = 0x1000_0000;

/// The sizes of a submission and of a completion.
const SQE: u64 = 64;
const CQE: u64 = 16;

pub(super) fn setup(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let entries = asked.args[0] as u32;
    let word = |bytes: &[u8], at| u32::from_ne_bytes(part(bytes, at));
    let flags = word(&asked.before, 8);
    let set = bits(flags.into(), SETUP);
    // struct io_uring_params: the numbers of entries, then the flags.
    let room = answer.done().map(|_| memory.array::<8>(asked.args[1]));
    let room = room.map(|room| (word(&room, 0), word(&room, 4)));
    let rings = room.map_or(format!("{{flags={set}}}"), |(sq, cq)| {
        format!("{{flags={set}, sq_entries={sq}, cq_entries={cq}, ...}}")
    });
    let call = Ring::Setup { entries, flags, room };
    Said { call: call.into(), strace: asked.strace(format!("{entries}, {rings}")), fd: None }
}

pub(super) fn enter(asked: &Asked) -> Said {
    let fd = asked.int(0);
    let (to_submit, min_complete) = (asked.args[1] as u32, asked.args[2] as u32);
    let (flags, at, size) = (asked.args[3] as u32, asked.size(4), asked.size(5));
    let extra = (at != 0).then_some((at, size));
    let text = match extra {
        None => format!("NULL, {size}"),
        Some((at, size)) => format!("{at:#x}, {size}"),
    };
    let set = bits(flags.into(), ENTER);
    let args = format!("{fd}, {to_submit}, {min_complete}, {set}, {text}");
    let call = Ring::Enter { to_submit, min_complete, flags, extra };
    Said { call: call.into(), strace: asked.strace(args), fd: Some(fd) }
}

/// IORING_REGISTER_PBUF_RING
const PROVIDED_BUFFERS: i32 = 22;

/// A ring of provided buffers; the other things that can be registered are not told.
pub(super) fn register(asked: &Asked, memory: Memory) -> Option<Said> {
    let (fd, what) = (asked.int(0), asked.int(1));
    let Group { at, room, number: group } = group(asked, memory)?;
    let buffers = format!("{{ring_addr={at:#x}, ring_entries={room}, bgid={group}}}");
    let args = format!("{fd}, IORING_REGISTER_PBUF_RING, {buffers}, {}", asked.int(3));
    let call = Ring::RegisterBuffers { at, room, group };
    debug_assert_eq!(what, PROVIDED_BUFFERS);
    Some(Said { call: call.into(), strace: asked.strace(args), fd: Some(fd) })
}

/// A ring of provided buffers: a `struct io_uring_buf_reg`.
#[derive(Debug, Clone, Copy)]
struct Group {
    at: u64,
    room: u32,
    number: u16,
}

fn group(asked: &Asked, memory: Memory) -> Option<Group> {
    (asked.int(1) == PROVIDED_BUFFERS).then(|| {
        let about = memory.array::<16>(asked.args[2]);
        Group {
            at: u64::from_ne_bytes(part(&about, 0)),
            room: u32::from_ne_bytes(part(&about, 8)),
            number: u16::from_ne_bytes(part(&about, 12)),
        }
    })
}

/// The rings of a process, by their descriptors.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rings(HashMap<i32, Pair>);

/// The two rings of one descriptor.
#[derive(Debug, Clone)]
struct Pair {
    params: [u8; PARAMS],
    /// Where the rings and the entries are, once they are found.
    maps: Option<Maps>,
    /// Which submission and which completion comes next.
    submitted: u32,
    completed: u32,
    groups: HashMap<u16, Group>,
    pending: HashMap<u64, Pending>,
}

#[derive(Debug, Clone, Copy)]
struct Maps {
    sq: u64,
    cq: u64,
    sqes: u64,
}

/// An operation that the kernel has, with its entry.
#[derive(Debug, Clone)]
struct Pending {
    entry: [u8; SQE as usize],
    start: u64,
}

impl Rings {
    /// Remembers new rings and buffers.
    pub(crate) fn learn(&mut self, asked: &Asked, answer: Answer, memory: Memory) {
        use crate::syscall::Syscall;
        match (asked.call, answer.done()) {
            (Syscall::IoUringSetup, Some(fd)) => {
                let params = memory.array::<PARAMS>(asked.args[1]);
                let flags = u32::from_ne_bytes(part(&params, 8));
                if flags & (SQE128 | CQE32 | NO_MMAP) == 0 {
                    let pair = Pair {
                        params,
                        maps: None,
                        submitted: 0,
                        completed: 0,
                        groups: HashMap::new(),
                        pending: HashMap::new(),
                    };
                    self.0.insert(fd as i32, pair);
                }
            }
            (Syscall::IoUringRegister, Some(_)) => {
                if let (Some(pair), Some(group)) =
                    (self.0.get_mut(&asked.int(0)), group(asked, memory))
                {
                    pair.groups.insert(group.number, group);
                }
            }
            _ => {}
        }
    }

    /// Whether the descriptor is one of rings.
    pub(crate) fn has(&self, fd: i32) -> bool {
        self.0.contains_key(&fd)
    }

    /// Forgets the rings of a descriptor that is closed.
    pub(crate) fn forget(&mut self, fd: i32) {
        self.0.remove(&fd);
    }

    /// What has come, and what was written, before a call of io_uring_enter.
    pub(crate) fn before(&mut self, fd: i32, memory: Memory, keep: usize, now: u64) -> Vec<Event> {
        let taken: Vec<u64> =
            self.0.values().filter_map(|pair| pair.maps).map(|maps| maps.sqes).collect();
        let Some(pair) = self.0.get_mut(&fd) else { return Vec::new() };
        if pair.maps.is_none() {
            pair.maps = pair.find(memory, &taken);
        }
        let mut events = pair.completions(memory, keep, now);
        events.extend(pair.submissions(memory, keep, now));
        events
    }

    /// What has come through any of them meanwhile: the program may take it without a call.
    pub(crate) fn at_any_time(&mut self, memory: Memory, keep: usize, now: u64) -> Vec<Event> {
        self.0.values_mut().flat_map(|pair| pair.completions(memory, keep, now)).collect()
    }

    /// What has come when it returns.
    pub(crate) fn after(&mut self, fd: i32, memory: Memory, keep: usize, now: u64) -> Vec<Event> {
        self.0.get_mut(&fd).map(|pair| pair.completions(memory, keep, now)).unwrap_or_default()
    }
}

impl Pair {
    /// A number of `struct io_uring_params`.
    fn param(&self, at: usize) -> u32 {
        u32::from_ne_bytes(part(&self.params, at))
    }

    /// The mappings of this pair: those that no other pair has, and whose rings are as large as these.
    fn find(&self, memory: Memory, taken: &[u64]) -> Option<Maps> {
        let text = std::fs::read_to_string(format!("/proc/{}/maps", memory.0)).ok()?;
        let mapping = |line: &str| {
            let mut words = line.split_whitespace();
            let (range, _, offset) = (words.next()?, words.next()?, words.next()?);
            let start = u64::from_str_radix(range.split_once('-')?.0, 16).ok()?;
            line.contains("[io_uring]")
                .then(|| u64::from_str_radix(offset, 16).ok().map(|offset| (start, offset)))?
        };
        let all: Vec<(u64, u64)> = text.lines().filter_map(mapping).collect();
        let at = |offset: u64| all.iter().filter(move |(_, of)| *of == offset).map(|(at, _)| *at);
        let entries = self.param(0);
        let size = |at: &u64| memory.u32(at + u64::from(self.param(SQ_OFF + 12))) == entries;
        let sqes = at(MAP_SQES).find(|sqes| !taken.contains(sqes))?;
        let nth = at(MAP_SQES).position(|other| other == sqes)?;
        let rings: Vec<u64> = at(MAP_SQ).collect();
        let sq =
            rings.get(nth).copied().filter(size).or_else(|| rings.iter().copied().find(size))?;
        // Since Linux 5.4 one mapping has both rings.
        let cq = at(MAP_CQ).nth(nth).unwrap_or(sq);
        Some(Maps { sq, cq, sqes })
    }

    /// The entries that were written since the last time.
    fn submissions(&mut self, memory: Memory, keep: usize, now: u64) -> Vec<Event> {
        let Some(Maps { sq, sqes, .. }) = self.maps else { return Vec::new() };
        let number = |field: usize| memory.u32(sq + u64::from(self.param(SQ_OFF + 4 * field)));
        let (tail, mask) = (number(1), number(2));
        let array = sq + u64::from(self.param(SQ_OFF + 24));
        let plain = self.param(8) & NO_SQARRAY != 0;
        let mut events = Vec::new();
        while self.submitted != tail && tail.wrapping_sub(self.submitted) <= mask + 1 {
            let place = self.submitted & mask;
            let place = if plain { place } else { memory.u32(array + 4 * u64::from(place)) };
            self.submitted = self.submitted.wrapping_add(1);
            let entry = memory.array::<{ SQE as usize }>(sqes + SQE * u64::from(place));
            let Some(operation) = Operation::read(&entry) else { continue };
            let user_data = u64::from_ne_bytes(part(&entry, 32));
            let submission = Submission { user_data, fd: operation.fd, entry: operation.entry() };
            let call = operation.call(memory, keep, None, None);
            let mut event = Event::submitted(call, &submission);
            (event.start_ns, event.dur_ns) = (now, 0);
            events.push(event);
            self.pending.insert(user_data, Pending { entry, start: now });
        }
        self.submitted = tail;
        events
    }

    /// The answers that have come since the last time.
    fn completions(&mut self, memory: Memory, keep: usize, now: u64) -> Vec<Event> {
        let Some(Maps { cq, .. }) = self.maps else { return Vec::new() };
        let number = |field: usize| memory.u32(cq + u64::from(self.param(CQ_OFF + 4 * field)));
        let (tail, mask) = (number(1), number(2));
        let entries = cq + u64::from(self.param(CQ_OFF + 20));
        let mut events = Vec::new();
        while self.completed != tail && tail.wrapping_sub(self.completed) <= mask + 1 {
            let at = entries + CQE * u64::from(self.completed & mask);
            self.completed = self.completed.wrapping_add(1);
            let bytes = memory.array::<{ CQE as usize }>(at);
            let flags = u32::from_ne_bytes(part(&bytes, 12));
            let answer = Completion {
                user_data: u64::from_ne_bytes(part(&bytes, 0)),
                result: i32::from_ne_bytes(part(&bytes, 8)),
                buffer: (flags & 1 != 0).then_some((flags >> 16) as u16),
                more: flags & 2 != 0,
                nonempty: flags & 4 != 0,
            };
            let Some(pending) = self.pending.get(&answer.user_data).cloned() else { continue };
            let Some(operation) = Operation::read(&pending.entry) else { continue };
            let provided = answer.buffer.and_then(|bid| self.buffer(memory, operation.group, bid));
            let call = operation.call(memory, keep, Some(answer.result), provided);
            let mut event = Event::completed(call, operation.fd, &answer);
            (event.start_ns, event.dur_ns) = (pending.start, now.saturating_sub(pending.start));
            events.push(event);
            if !answer.more {
                self.pending.remove(&answer.user_data);
            }
        }
        self.completed = tail;
        events
    }

    /// Where a provided buffer is: its ring has an entry of this number.
    fn buffer(&self, memory: Memory, group: u16, number: u16) -> Option<u64> {
        let group = self.groups.get(&group)?;
        let bytes = memory.bytes(group.at, group.room.min(32_768) as usize * 16);
        // struct io_uring_buf: the address, the length, the number.
        let mut all = bytes.chunks_exact(16);
        let found = all.find(|entry| u16::from_ne_bytes(part(entry, 12)) == number)?;
        Some(u64::from_ne_bytes(part(found, 0)))
    }
}

/// A `struct io_uring_sqe`, as far as it is read.
#[derive(Debug, Clone, Copy)]
struct Operation {
    code: Code,
    fd: i32,
    often: bool,
    selects: bool,
    /// The address of a buffer, a message or an address.
    at: u64,
    /// For an accept the address of a length, for a connect a length.
    off: u64,
    len: u32,
    flags: u32,
    group: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Poll,
    Sendmsg,
    Recvmsg,
    Accept,
    Cancel,
    Connect,
    Close,
    Read,
    Write,
    Send,
    Recv,
    Shutdown,
    Socket,
}

impl Operation {
    /// Reads an entry; `None` for an operation that is not told.
    fn read(entry: &[u8]) -> Option<Operation> {
        let code = match entry.first()? {
            6 => Code::Poll,
            9 => Code::Sendmsg,
            10 => Code::Recvmsg,
            13 => Code::Accept,
            14 => Code::Cancel,
            16 => Code::Connect,
            19 => Code::Close,
            22 => Code::Read,
            23 => Code::Write,
            26 => Code::Send,
            27 => Code::Recv,
            34 => Code::Shutdown,
            45 => Code::Socket,
            _ => return None,
        };
        let ioprio = u16::from_ne_bytes(part(entry, 2));
        let number = |at| u32::from_ne_bytes(part(entry, at));
        let often = match code {
            Code::Accept => ioprio & 1 != 0,
            Code::Recv | Code::Recvmsg => ioprio & 2 != 0,
            _ => false,
        };
        Some(Operation {
            code,
            fd: i32::from_ne_bytes(part(entry, 4)),
            often,
            selects: entry[1] & 1 << 5 != 0, // IOSQE_BUFFER_SELECT
            at: u64::from_ne_bytes(part(entry, 16)),
            off: u64::from_ne_bytes(part(entry, 8)),
            len: number(24),
            flags: number(28),
            group: u16::from_ne_bytes(part(entry, 40)),
        })
    }

    fn entry(&self) -> Entry {
        let len = self.len as usize;
        match self.code {
            Code::Poll => Entry::Poll(self.flags as i16),
            Code::Sendmsg => Entry::Sendmsg,
            Code::Recvmsg => Entry::Recvmsg,
            Code::Accept => Entry::Accept { often: self.often },
            Code::Cancel => Entry::Cancel(self.at),
            Code::Connect => Entry::Connect,
            Code::Close => Entry::Close,
            Code::Read => Entry::Read(len),
            Code::Write => Entry::Write(len),
            Code::Send => Entry::Send(len),
            Code::Recv if self.often && self.selects => Entry::RecvOften(self.group),
            Code::Recv => Entry::Recv(len),
            Code::Shutdown => Entry::Shutdown,
            Code::Socket => Entry::Socket,
        }
    }

    /// The call that it stands for: when it is submitted, or with its result and the buffer that the kernel took.
    fn call(
        &self,
        memory: Memory,
        keep: usize,
        result: Option<i32>,
        provided: Option<u64>,
    ) -> Call {
        let moved = result.and_then(|n| usize::try_from(n).ok());
        let at = provided.unwrap_or(self.at);
        let data = |len: usize| Data { len, first: memory.bytes(at, len.min(keep)), hidden: 0 };
        let receive = || Receive { data: moved.map(data), ..Receive::default() };
        let send = |flags: u32| Send {
            flags: flags.cast_signed(),
            data: moved.map(|_| data(self.len as usize)).unwrap_or_default(),
        };
        match self.code {
            Code::Poll => {
                let (events, revents) = match result {
                    None => (self.flags as i16, 0),
                    Some(found) => (0, found.max(0) as i16),
                };
                Wait::Poll(vec![Polled { fd: self.fd, events, revents }], -1).into()
            }
            Code::Accept => {
                let done = moved.is_some() && self.at != 0;
                let len = if done { memory.u32(self.off) } else { 0 };
                let peer = address::read(memory, self.at, len).filter(|_| done);
                let set = self.flags.cast_signed();
                let nonblock = set & libc::SOCK_NONBLOCK != 0;
                let cloexec = set & libc::SOCK_CLOEXEC != 0;
                Connection::Accept { peer: peer.map(Box::new), nonblock, cloexec }.into()
            }
            Code::Connect => {
                let peer = address::read(memory, self.at, self.off as u32);
                Connection::Connect(peer.map(Box::new)).into()
            }
            Code::Close => Connection::Close.into(),
            Code::Shutdown => Connection::Shutdown(match self.len {
                0 => std::net::Shutdown::Read,
                1 => std::net::Shutdown::Write,
                _ => std::net::Shutdown::Both,
            })
            .into(),
            Code::Socket => Connection::Socket(
                super::connection::kind_of(self.fd, self.off as i32, self.len as i32).0,
            )
            .into(),
            Code::Recv => Bytes::Recv(receive()).into(),
            Code::Read => Bytes::Read(receive()).into(),
            Code::Send => Bytes::Send(send(self.flags)).into(),
            Code::Write => Bytes::Write(send(0)).into(),
            Code::Recvmsg => {
                super::bytes::message_in(memory, self.at, moved, keep, self.flags).into()
            }
            Code::Sendmsg => {
                super::bytes::message_out(memory, self.at, moved, keep, self.flags).into()
            }
            Code::Cancel => Ring::Cancel.into(),
        }
    }
}
