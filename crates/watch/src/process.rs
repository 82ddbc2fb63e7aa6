//! A process that is watched: what is known of its descriptors, its interest lists and its signal handlers.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::LazyLock;

use netplay_call::monotonic;
use netplay_record::{
    Call, Connection, Descriptor, Descriptors, Event, Kind, Moves, Outcome, Sockopt, Text,
};
use nix::unistd::Pid;
use socket2::SockAddr;

use super::decode::{self, Answer, Asked, Interests, Rings, Said, Scene, words::signal};
use super::memory::Memory;
use super::seen::{Detail, Program, Status};
use super::syscall::Syscall;
use super::{observe, start, words};

/// What stands in a record where our own programs have the name of their example.
static EXAMPLE: LazyLock<Text> = LazyLock::new(|| "watch".into());

/// A process that is watched.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) program: Program,
    /// Whether another process of this program started it.
    is_child: bool,
    /// That process.
    pub(crate) parent: Option<i32>,
    /// Whether the kernel forgets its children when they end: it ignores SIGCHLD, or has SA_NOCLDWAIT.
    pub(crate) forgets_children: bool,
    /// What its lane is called: the first process of a program has the program's name, whatever it becomes.
    pub(crate) name: Text,
    /// When it was first seen.
    pub(crate) began: u64,
    /// Whether a filter says at which calls it stops; if not, it stops at all of them.
    pub(crate) filtered: bool,
    pub(crate) descriptors: Descriptors,
    interests: Interests,
    /// The descriptors for which epoll tells changes only (EPOLLET).
    pub(crate) edges: HashSet<i32>,
    rings: Rings,
    /// The signals that it handles, and whether a call that one interrupts begins again (SA_RESTART).
    handlers: HashMap<i32, bool>,
    /// Its number among the processes, by which program and parent they have, and how many calls might have been changed.
    pub(crate) chances: (u64, Cell<u64>),
    /// The calls of its threads that were made to fail with EINTR when they were made last.
    pub(crate) interrupted: RefCell<HashSet<(i32, (Syscall, i32))>>,
    /// How many children it has had.
    children: Cell<u64>,
    /// Whether it was said that some of its calls cannot be read.
    pub(crate) said_foreign: bool,
}

impl Process {
    pub(crate) fn new(pid: i32, program: Program, name: Text) -> Process {
        Process {
            pid,
            program,
            is_child: false,
            parent: None,
            forgets_children: ignores(pid, libc::SIGCHLD),
            name,
            began: monotonic(),
            filtered: true,
            descriptors: Descriptors::default(),
            interests: Interests::default(),
            edges: HashSet::new(),
            rings: Rings::default(),
            handlers: HashMap::new(),
            chances: (program as u64, Cell::new(0)),
            interrupted: RefCell::default(),
            children: Cell::new(0),
            said_foreign: false,
        }
    }

    /// Its child, which has the same descriptors and handlers.
    pub(crate) fn fork(&self, pid: i32) -> Process {
        self.children.set(self.children.get() + 1);
        Process {
            pid,
            program: self.program,
            is_child: true,
            parent: Some(self.pid),
            forgets_children: self.forgets_children,
            name: self.name.clone(),
            began: monotonic(),
            filtered: self.filtered,
            descriptors: self.descriptors.clone(),
            interests: self.interests.clone(),
            edges: self.edges.clone(),
            rings: self.rings.clone(),
            handlers: self.handlers.clone(),
            chances: (
                self.chances.0.wrapping_mul(31).wrapping_add(self.children.get()),
                Cell::new(0),
            ),
            interrupted: RefCell::default(),
            children: Cell::new(0),
            said_foreign: self.said_foreign,
        }
    }

    /// What is known of a process that ran before it was watched: its sockets and their addresses.
    pub(crate) fn look_around(&mut self) {
        let Ok(entries) = fs::read_dir(format!("/proc/{}/fd", self.pid)) else { return };
        for entry in entries.flatten() {
            let Some(fd) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if self.is_told(fd)
                && let Some(found) = observe::descriptor(self.pid, fd)
            {
                *self.descriptors.entry(fd) = found;
            }
        }
        self.handlers = caught(self.pid).map(|signal| (signal, false)).collect();
    }

    /// Whether calls on the descriptor are told: it is a socket, an interest list of epoll or a ring. That is known from
    /// earlier calls, or looked up once.
    pub(crate) fn is_told(&mut self, fd: i32) -> bool {
        if self.interests.contains_key(&fd) || self.rings.has(fd) {
            return true;
        }
        if let Some(known) = self.descriptors.get(fd).and_then(|known| known.socket) {
            return known;
        }
        let link = |tid| fs::read_link(format!("/proc/{tid}/fd/{fd}"));
        let link = link(self.pid).or_else(|error| match self.has_lost_its_first_thread() {
            true => threads(self.pid).into_iter().find_map(|tid| link(tid).ok()).ok_or(error),
            false => Err(error),
        });
        let Ok(link) = link else { return true }; // a wrong descriptor: its error is told
        let text = link.as_os_str().as_encoded_bytes();
        if text == b"anon_inode:[eventpoll]" {
            self.interests.entry(fd).or_default();
            return true;
        }
        let socket = text.starts_with(b"socket:");
        self.descriptors.entry(fd).socket = Some(socket);
        socket
    }

    /// Whether the first thread has ended and others have not: /proc shows their descriptors under their own numbers.
    fn has_lost_its_first_thread(&self) -> bool {
        fs::read_link(format!("/proc/{}/exe", self.pid)).is_err()
    }

    /// Whether a call is to be told, or watched for what follows from it.
    pub(crate) fn wants(&mut self, call: Syscall, args: &[u64; 6]) -> bool {
        let fd = args[0] as i32;
        match call {
            Syscall::RestartSyscall | Syscall::RtSigreturn => false,
            Syscall::Fcntl if matches!(args[1] as i32, libc::F_SETLK | libc::F_SETLKW) => true,
            call if call.depends_on_descriptor() => {
                let socket = self.is_told(fd);
                if !socket && call == Syscall::Close {
                    self.descriptors.forget(fd);
                }
                // A copy of a file takes the place of a socket.
                let replaces = call.replaces().then_some(args[1] as i32);
                socket || replaces.is_some_and(|to| self.is_told(to))
            }
            // With no descriptor at all it is a pause, or a wait for signals.
            Syscall::Ppoll => args[1] > 0 || args[3] != 0,
            #[cfg(target_arch = "x86_64")]
            Syscall::Poll => args[1] > 0,
            Syscall::Pselect6 => args[0] > 0,
            #[cfg(target_arch = "x86_64")]
            Syscall::Select => args[0] > 0,
            Syscall::Sendfile => self.is_told(fd),
            Syscall::Splice => self.is_told(fd) || self.is_told(args[2] as i32),
            _ => true,
        }
    }

    /// Whether it is about to wait for a client: on a listener, or on a datagram socket that others can reach.
    pub(crate) fn waits_for_client(&self, asked: &Asked, memory: Memory) -> bool {
        let known = |fd: i32| self.descriptors.get(fd);
        let reachable = |fd: i32| {
            known(fd)
                .is_some_and(|of| of.bound && of.peer.is_none() && of.datagrams() == Some(true))
        };
        let either = |fd: &i32| reachable(*fd) || known(*fd).is_some_and(|of| of.listens);
        match asked.call {
            Syscall::Accept | Syscall::Accept4 => true,
            Syscall::Recvfrom | Syscall::Recvmsg | Syscall::Recvmmsg | Syscall::Read => {
                reachable(asked.int(0))
            }
            Syscall::EpollPwait | Syscall::EpollPwait2 => self.watches(asked.int(0), either),
            #[cfg(target_arch = "x86_64")]
            Syscall::EpollWait => self.watches(asked.int(0), either),
            // A ring may have been asked for an accept; its entries are not read here.
            Syscall::IoUringEnter => self.descriptors.iter().any(|(_, of)| of.listens),
            _ => decode::polled(asked, memory).iter().any(either),
        }
    }

    /// Whether connections of clients are open.
    pub(crate) fn has_clients(&self) -> bool {
        self.descriptors.iter().any(|(_, of)| of.accepted)
    }

    fn watches(&self, list: i32, wanted: impl Fn(&i32) -> bool) -> bool {
        self.interests.get(&list).is_some_and(|of| of.values().any(wanted))
    }

    pub(crate) fn scene(&self, tid: i32, keep: usize) -> Scene<'_> {
        Scene { memory: Memory(Pid::from_raw(tid)), keep, interests: &self.interests }
    }

    /// The record of a call that has not returned; `None` if it is not told.
    pub(crate) fn unfinished(
        &self,
        tid: i32,
        asked: &Asked,
        times: (u64, u64),
        detail: Detail,
    ) -> Option<Event> {
        let said = decode::decode(asked, Answer::Waiting, self.scene(tid, detail.keep))?;
        let mut event = Event::of(said.call, &Answer::Waiting.outcome(said.fd), said.strace);
        self.descriptors.complete(&mut event, None);
        self.observe(&mut event, false);
        self.stamp(tid, times, &mut event);
        Some(event)
    }

    /// The record of a call that has returned; `None` if it is not told. What it changed is remembered.
    pub(crate) fn finished(
        &mut self,
        tid: i32,
        asked: &Asked,
        answer: Answer,
        times: (u64, u64),
        detail: Detail,
    ) -> Option<Event> {
        self.learn(tid, asked, answer);
        let Said { mut call, strace, fd } =
            decode::decode(asked, answer, self.scene(tid, detail.keep))?;
        if let (Call::Option(Sockopt::Setsockopt(set)), Some(fd)) = (&mut call, fd) {
            set.datagrams = self.descriptors.get(fd).is_some_and(|of| of.datagrams() == Some(true));
        }
        if let (Call::Connection(Connection::Accept { peer: peer @ None, .. }), Some(new)) =
            (&mut call, answer.done())
        {
            // It was not asked for, accept(fd, NULL, NULL): the kernel knows it all the same.
            *peer = observe::peer(self.pid, new as i32).map(|peer| SockAddr::from(peer).into());
        }
        let outcome = answer.outcome(fd);
        let closes = call.moves() == Moves::Closes;
        let closed = fd.filter(|_| closes).and_then(|fd| self.closed(fd));
        self.descriptors.learn(&call, &outcome, &call.facts(&outcome));
        if let (Moves::Opens, Some(new)) = (call.moves(), answer.done()) {
            self.descriptors.forget(new as i32); // an interest list is told of to its close, a pidfd is not
        }
        let mut event = Event::of(call, &outcome, strace);
        self.descriptors.complete(&mut event, closed.as_ref());
        if detail.observe {
            self.observe(&mut event, closes);
        }
        self.stamp(tid, times, &mut event);
        Some(event)
    }

    /// Asks the kernel for the state of the socket that a record is about.
    fn observe(&self, event: &mut Event, closed: bool) {
        let names = (event.local.as_deref(), event.peer.as_deref());
        let state = event.fd.and_then(|fd| observe::state(self.pid, fd, names, closed));
        event.state = state.map(Into::into);
    }

    /// Forgets a descriptor, whatever close returned: on Linux it is closed even then. What was known of it.
    fn closed(&mut self, fd: i32) -> Option<Descriptor> {
        self.edges.remove(&fd);
        self.interests.remove(&fd);
        self.rings.forget(fd);
        for of in self.interests.values_mut() {
            of.retain(|_, known| *known != fd);
        }
        self.descriptors.forget(fd)
    }

    /// A remark between calls.
    pub(crate) fn note(&self, tid: i32, text: String, now: u64) -> Event {
        let mut event =
            Event { v: 1, kind: Kind::Note, text: Some(text.into()), ..Event::default() };
        self.stamp(tid, (now, now), &mut event);
        event
    }

    fn stamp(&self, tid: i32, (start, end): (u64, u64), event: &mut Event) {
        (event.start_ns, event.dur_ns) = (start, end.saturating_sub(start));
        (event.pid, event.tid) = (self.pid, tid);
        event.role = self.name.clone();
        event.example = EXAMPLE.clone();
    }

    /// What moved through the rings of io_uring before a call that enters the kernel, or during it.
    pub(crate) fn rings(
        &mut self,
        tid: i32,
        asked: &Asked,
        returned: bool,
        keep: usize,
        now: u64,
    ) -> Vec<Event> {
        let (fd, memory) = (asked.int(0), Memory(Pid::from_raw(tid)));
        let events = match (asked.call, returned) {
            (Syscall::IoUringEnter, false) => self.rings.before(fd, memory, keep, now),
            (Syscall::IoUringEnter, true) => self.rings.after(fd, memory, keep, now),
            _ => return Vec::new(),
        };
        self.moved(tid, events)
    }

    /// What has come through rings since the program last entered the kernel for them.
    pub(crate) fn rings_at_any_time(&mut self, tid: i32, keep: usize, now: u64) -> Vec<Event> {
        let events = self.rings.at_any_time(Memory(Pid::from_raw(tid)), keep, now);
        self.moved(tid, events)
    }

    fn moved(&mut self, tid: i32, mut events: Vec<Event>) -> Vec<Event> {
        for event in &mut events {
            let done = event.kind == Kind::Complete && event.errno.is_none();
            let outcome = Outcome { fd: event.fd, ret: event.ret, errno: None };
            let closes = done && event.what.moves() == Moves::Closes;
            let closed = event.fd.filter(|_| closes).and_then(|fd| self.closed(fd));
            if done {
                self.descriptors.learn(&event.what, &outcome, &event.what.facts(&outcome));
            }
            self.descriptors.complete(event, closed.as_ref());
            let times = (event.start_ns, event.start_ns + event.dur_ns);
            self.stamp(tid, times, event);
        }
        events
    }

    /// Remembers what a call has changed beside descriptors.
    fn learn(&mut self, tid: i32, asked: &Asked, answer: Answer) {
        let memory = Memory(Pid::from_raw(tid));
        if answer.done().is_none() {
            return;
        }
        match asked.call {
            Syscall::IoUringSetup | Syscall::IoUringRegister => {
                self.rings.learn(asked, answer, memory);
            }
            Syscall::EpollCreate1 => {
                _ = answer.done().map(|fd| self.interests.insert(fd as i32, HashMap::new()))
            }
            #[cfg(target_arch = "x86_64")]
            Syscall::EpollCreate => {
                _ = answer.done().map(|fd| self.interests.insert(fd as i32, HashMap::new()))
            }
            Syscall::EpollCtl => {
                let of = self.interests.entry(asked.int(0)).or_default();
                of.retain(|_, known| *known != asked.int(2));
                self.edges.remove(&asked.int(2));
                if let Some((data, fd, events)) = decode::interest(asked, memory) {
                    of.insert(data, fd);
                    if events & libc::EPOLLET as u32 != 0 {
                        self.edges.insert(fd);
                    }
                }
            }
            Syscall::RtSigaction if asked.args[1] != 0 => {
                // struct kernel_sigaction: the handler, then the flags.
                let number = asked.int(0);
                let (handler, flags) = (memory.u64(asked.args[1]), memory.u64(asked.args[1] + 8));
                if number == libc::SIGCHLD {
                    self.forgets_children = handler == 1 || flags & libc::SA_NOCLDWAIT as u64 != 0;
                }
                match handler {
                    0 | 1 => _ = self.handlers.remove(&number),
                    _ => {
                        let restarts = flags & libc::SA_RESTART as u64 != 0;
                        self.handlers.insert(number, restarts);
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether it handles this signal, and then whether a call that the signal interrupts begins again.
    pub(crate) fn handles(&self, signal: i32) -> Option<bool> {
        self.handlers.get(&signal).copied()
    }

    /// What has to be said beside a call, if anything.
    pub(crate) fn remark(&self, asked: &Asked, answer: Answer) -> Option<String> {
        match asked.call {
            Syscall::Seccomp if answer.done().is_some() && asked.args[0] != 2 => {
                Some(words::own_filter())
            }
            _ => None,
        }
    }

    /// It has become another program (execve): its handlers are gone, and so are the descriptors with FD_CLOEXEC.
    /// Says what has to be said of the new program.
    pub(crate) fn become_program(&mut self) -> Option<String> {
        self.handlers.clear();
        self.forgets_children = ignores(self.pid, libc::SIGCHLD);
        self.said_foreign = false;
        if self.is_child
            && let Some(name) = start::name_of(Pid::from_raw(self.pid))
        {
            self.name = name.into();
        }
        let open: HashSet<i32> = open_descriptors(self.pid).collect();
        self.descriptors.retain(|fd| open.contains(&fd));
        self.interests.retain(|list, _| open.contains(list));
        self.rings = Rings::default();
        words::of_executable(self.pid)
    }
}

fn open_descriptors(pid: i32) -> impl Iterator<Item = i32> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The threads of a process.
pub(crate) fn threads(pid: i32) -> Vec<i32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The process of a thread, and that one's parent (proc_pid_status(5)).
pub(crate) fn family(tid: i32) -> Option<(i32, i32)> {
    let status = fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse().ok()
    };
    Some((field("Tgid:")?, field("PPid:")?))
}

/// The signals that a process handles.
fn caught(pid: i32) -> impl Iterator<Item = i32> {
    let mask = start::signals_of(pid, "SigCgt:");
    (1..=64).filter(move |number| mask >> (number - 1) & 1 == 1)
}

/// Whether a thread sleeps until something happens: S in proc_pid_stat(5), behind the name in parentheses.
pub(crate) fn sleeps(tid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{tid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
}

/// Whether a process ignores this signal.
pub(crate) fn ignores(pid: i32, signal: i32) -> bool {
    start::signals_of(pid, "SigIgn:") >> (signal - 1) & 1 == 1
}

impl Status {
    /// `exited with 0`, `SIGTERM ended it`.
    pub(crate) fn in_words(self) -> String {
        match self {
            Status::Exited(code) => words::exited(code),
            Status::Killed(number) => words::killed(&signal(number)),
        }
    }

    /// The same for programs that read a trace: `exited 0`, `killed SIGTERM`.
    pub(crate) fn as_value(self) -> String {
        match self {
            Status::Exited(code) => format!("exited {code}"),
            Status::Killed(number) => format!("killed {}", signal(number)),
        }
    }
}
