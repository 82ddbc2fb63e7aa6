//! The client's side: a few threads, each with many connections and one epoll between them.
//!
//! It must be faster than every server, or it would measure itself: one buffer a thread, one clock
//! reading a reply, no allocation a request. It is no page, and makes its calls directly.
//!
//! ```text
//! connect   all of them, and one request each: then the server has accepted them
//!    │ quiet: the meter is read
//! go        the active ones: a request, its reply, the next request
//!    │ quiet again, when the last replies are there: the meter is read
//! close
//! ```

#![expect(
    clippy::disallowed_methods,
    reason = "the load is no page: its calls are neither told nor read"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Barrier, LazyLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use hdrhistogram::Histogram;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, Socket, Type};

use super::machine::stay_on;
use super::plan::{Expect, Load, Manner};
use crate::child::CannotStart;
use crate::escape::escape;
use crate::inspect::numbers;
use crate::stop::Stop;

/// A SYN that found no room is sent again after a second: so long may a connect take, and half as
/// long again.
const TO_CONNECT: Duration = Duration::from_millis(1500);
/// When no reply came for so long after a turn, none will.
const TO_ANSWER: Duration = Duration::from_millis(100);
/// So many connections at once are on their way to a server.
const CONNECTING: usize = 100;
/// So many may wait for their first answer before the next one connects: a listener's queue is short.
const UNANSWERED: usize = 100;
/// A datagram that was not answered in this time is lost.
const LOST: u64 = 200_000_000;
/// How many ports connect can choose from at one address (ip(7)): 28,232 unless the range was changed.
static PORTS: LazyLock<u32> = LazyLock::new(|| {
    let bounds = numbers("net/ipv4/ip_local_port_range").unwrap_or_default();
    match bounds[..] {
        [low, high] if low <= high => (high - low + 1) as u32,
        _ => 28_232,
    }
});

/// What happened to the connections of a turn.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Errors {
    /// Nothing listened (ECONNREFUSED).
    pub refused: u64,
    /// Ended by force (ECONNRESET, EPIPE).
    pub reset: u64,
    /// Ended in good order, but before the reply was whole.
    pub closed: u64,
    /// Answered something else than was expected.
    pub wrong: u64,
    /// Not connected within the time.
    pub not_connected: u64,
    /// Datagrams without an answer.
    pub lost: u64,
    /// Anything else, such as no more ports.
    pub other: u64,
    /// The first of them, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first: Option<String>,
}

impl Errors {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        let Errors { refused, reset, closed, wrong, not_connected, lost, other, .. } = self;
        refused + reset + closed + wrong + not_connected + lost + other
    }

    /// How many there were, of a file that may claim anything; `None`: more than can be counted.
    #[must_use]
    pub fn count_checked(&self) -> Option<u64> {
        let Errors { refused, reset, closed, wrong, not_connected, lost, other, .. } = *self;
        let all = [refused, reset, closed, wrong, not_connected, lost, other];
        all.into_iter().try_fold(0_u64, u64::checked_add)
    }

    /// Adds those of another thread, or turn.
    pub fn add(&mut self, more: &Errors) {
        self.refused += more.refused;
        self.reset += more.reset;
        self.closed += more.closed;
        self.wrong += more.wrong;
        self.not_connected += more.not_connected;
        self.lost += more.lost;
        self.other += more.other;
        if self.first.is_none() {
            self.first.clone_from(&more.first);
        }
    }
}

/// What the client's side saw in a turn.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Replies within the time of the turn.
    pub replies: u64,
    /// Replies in all, from the first request of the turn until it was quiet again.
    pub all_replies: u64,
    /// How long each reply within the time took, in nanoseconds.
    pub latency: Histogram<u64>,
    /// Connections that had a reply at least once, the idle ones too.
    pub served: u64,
    /// Requests that were due or sent, and had no reply in the end, on connections that had one before.
    pub unanswered: u64,
    /// Connections that the server ended where it had answered before.
    pub given_up: u64,
    /// What went wrong.
    pub errors: Errors,
    /// CPU time of the client's threads within the time of the turn.
    pub cpu: Duration,
    /// How long the turn lasted.
    pub wall: Duration,
    /// Replies in each slice of the turn, where slices were asked for.
    pub slices: Vec<u64>,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            replies: 0,
            all_replies: 0,
            // Up to a minute, to three digits; longer ones count as a minute.
            latency: Histogram::new_with_bounds(1, 60_000_000_000, 3)
                .expect("the bounds are in order"),
            served: 0,
            unanswered: 0,
            given_up: 0,
            errors: Errors::default(),
            cpu: Duration::ZERO,
            wall: Duration::ZERO,
            slices: Vec::new(),
        }
    }
}

/// How the connections of a turn behave.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// How many there are.
    pub load: Load,
    /// What they send, and how.
    pub manner: &'a Manner,
    /// How long the turn lasts.
    pub time: Duration,
    /// The turn is also counted in slices of this length.
    pub slice: Option<Duration>,
    /// The processors of the client's side, if it has its own.
    pub processors: Option<&'a [usize]>,
    /// When no further connection was answered for so long, the others are not served now.
    pub patience: Duration,
}

/// The threads of a turn. Their steps are in the order of the functions.
pub struct Clients {
    threads: Vec<JoinHandle<Tally>>,
    step: Arc<Barrier>,
}

impl Clients {
    /// Begins to connect.
    ///
    /// # Errors
    /// No descriptor is left for an epoll.
    pub fn connect(address: SocketAddr, terms: Terms<'_>, stop: &Stop) -> Result<Clients> {
        let Terms { manner, patience, .. } = terms;
        let step = Arc::new(Barrier::new(manner.threads + 1));
        let messages = Arc::new(messages(manner.size));
        let workers: Result<Vec<Worker>> = (0..manner.threads)
            .map(|nth| Worker::new(nth, address, terms, messages.clone(), stop.clone()))
            .collect();
        let threads = workers?.into_iter().map(|mut worker| {
            let (step, processors) = (step.clone(), terms.processors.map(<[usize]>::to_vec));
            let work = move || {
                if let Some(processors) = processors {
                    let _ = stay_on(&processors); // the footer says what was asked for
                }
                worker.connect_all(patience);
                step.wait();
                step.wait();
                worker.speak();
                step.wait();
                step.wait();
                worker.end()
            };
            thread::Builder::new().spawn(work).context(CannotStart::Thread)
        });
        Ok(Clients { threads: threads.collect::<Result<_>>()?, step })
    }

    /// Waits until all connections are made and have been answered, or will not be now.
    pub fn until_quiet(&self) {
        self.step.wait();
    }

    /// Lets the active ones speak for the time of the turn; returns when it is quiet again.
    pub fn go(&self) {
        self.step.wait();
        self.step.wait();
    }

    /// Closes everything.
    ///
    /// # Errors
    /// A thread failed.
    pub fn close(self) -> Result<Tally> {
        self.step.wait();
        let mut sum = Tally::default();
        for thread in self.threads {
            let tally =
                thread.join().map_err(|_| anyhow!("a thread of the client's side failed"))?;
            sum.replies += tally.replies;
            sum.all_replies += tally.all_replies;
            sum.latency.add(&tally.latency).expect("all have the same bounds");
            sum.served += tally.served;
            sum.unanswered += tally.unanswered;
            sum.given_up += tally.given_up;
            sum.errors.add(&tally.errors);
            sum.cpu += tally.cpu;
            sum.wall = sum.wall.max(tally.wall);
            sum.slices.resize(tally.slices.len(), 0);
            sum.slices.iter_mut().zip(&tally.slices).for_each(|(sum, n)| *sum += n);
        }
        Ok(sum)
    }
}

/// A few different requests, which take turns: an answer to another one is noticed. Each is a line.
fn messages(size: usize) -> Vec<Vec<u8>> {
    let how_many = if size > 4096 { 2 } else { 16 };
    let line = |first: u8| -> Vec<u8> {
        let letters = (first..=b'z').chain(b'a'..=b'z').cycle();
        let end = if size > 1 { &b"\n"[..] } else { b"" };
        letters.take(size - end.len()).chain(end.iter().copied()).collect()
    };
    (0..how_many).map(|nth| line(b'a' + nth)).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is no socket: not yet, or not any more.
    Closed,
    Connecting,
    /// Nothing is under way.
    Quiet,
    /// A request was sent, or a part of it.
    Waiting,
}

struct Connection {
    socket: Option<Socket>,
    state: State,
    /// Whether it speaks during the turn.
    active: bool,
    /// Which of the messages is its request.
    message: usize,
    /// Bytes of it that the kernel has taken.
    sent: usize,
    /// Bytes of the reply that are there.
    got: usize,
    /// Whether epoll also watches for room to send.
    wants_out: bool,
    /// From when its request counts: when it was sent, or due.
    since: u64,
    /// When the oldest request is due that could not be sent yet, and how many there are.
    due: u64,
    behind: u64,
    replies: u64,
}

/// A thread's part of the connections. Times are nanoseconds since its beginning.
struct Worker {
    address: SocketAddr,
    expect: Expect,
    per_request: bool,
    udp: bool,
    /// Nanoseconds from one request of this thread to the next, in an open loop.
    step: Option<f64>,
    /// And from one request of a connection to its next.
    own_step: f64,
    turn: u64,
    /// The length of a slice of the turn; 0: it has none.
    slice: u64,
    /// Whether connections need addresses of their own to have ports enough.
    sources: bool,
    messages: Arc<Vec<Vec<u8>>>,
    stop: Stop,
    epoll: Epoll,
    events: Vec<EpollEvent>,
    connections: Vec<Connection>,
    buf: Vec<u8>,
    base: Instant,
    /// While the turn lasts: when it ends. 0: a reply is the last word for now.
    until: u64,
    connecting: usize,
    unanswered: usize,
    /// Those whose connection failed, and who may try another.
    again: Vec<usize>,
    tally: Tally,
}

impl Worker {
    fn new(
        nth: usize,
        address: SocketAddr,
        terms: Terms<'_>,
        messages: Arc<Vec<Vec<u8>>>,
        stop: Stop,
    ) -> Result<Worker> {
        let Terms { load, manner, time, slice, .. } = terms;
        let (turn, slice) = (time.as_nanos() as u64, slice.map_or(0, |one| one.as_nanos() as u64));
        let slices = turn.div_ceil(slice.max(1)) * u64::from(slice > 0);
        // The threads share the connections round-robin. The active ones connect first: a server for
        // one client serves one of them.
        let mine = (0..load.total()).filter(|i| i % manner.threads == nth);
        let connection = |i| Connection {
            socket: None,
            state: State::Closed,
            active: i < load.connections,
            message: i,
            sent: 0,
            got: 0,
            wants_out: false,
            since: 0,
            due: 0,
            behind: 0,
            replies: 0,
        };
        let loopback = matches!(address.ip(), IpAddr::V4(ip) if ip.is_loopback());
        Ok(Worker {
            address,
            expect: manner.expect,
            per_request: manner.per_request,
            udp: manner.udp,
            step: manner.rate.map(|rate| 1e9 / rate * manner.threads as f64),
            own_step: 0.0,
            turn,
            slice,
            sources: loopback && (manner.per_request || load.total() > *PORTS as usize * 7 / 10),
            messages,
            stop,
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            events: vec![EpollEvent::empty(); 1024],
            connections: mine.map(connection).collect(),
            buf: vec![0; manner.size.clamp(4096, 256 * 1024)],
            base: Instant::now(),
            until: 0,
            connecting: 0,
            unanswered: 0,
            again: Vec::new(),
            tally: Tally { slices: vec![0; slices as usize], ..Tally::default() },
        })
    }

    fn now(&self) -> u64 {
        self.base.elapsed().as_nanos() as u64
    }

    /// Makes all connections, and has each answered once. Those that the server leaves without an answer
    /// stay: their turn may come.
    fn connect_all(&mut self, patience: Duration) {
        let mut next = 0;
        let mut patient = true;
        let mut seen = (0, 0);
        let mut last = Instant::now();
        while !self.stop.requested() {
            while next < self.connections.len()
                && self.connecting < CONNECTING
                && (self.unanswered < UNANSWERED || !patient)
            {
                let now = self.now();
                self.begin(next, now);
                next += 1;
            }
            if next == self.connections.len() && self.connecting == 0 && self.unanswered == 0 {
                break;
            }
            self.wait(Duration::from_millis(10));
            let progress = (self.connecting, self.unanswered);
            if progress != seen {
                (seen, last) = (progress, Instant::now());
            }
            let limit = if self.connecting > 0 { TO_CONNECT } else { patience };
            if last.elapsed() > limit {
                if next == self.connections.len() || self.connecting > 0 {
                    break;
                }
                (patient, last) = (false, Instant::now());
            }
        }
        let late = self.connections.iter().filter(|one| one.state == State::Connecting).count();
        let never_begun = self.connections.len() - next;
        if late + never_begun > 0 && !self.stop.requested() {
            self.tally.errors.not_connected += (late + never_begun) as u64;
            let error = format!("connect {}: no answer within the time", self.address);
            self.tally.errors.first.get_or_insert(error);
        }
    }

    /// The turn itself, and the time until the last replies are there.
    fn speak(&mut self) {
        let cpu = thread_cpu();
        let start = self.now();
        self.tally.all_replies = 0;
        self.until = start + self.turn;
        let active: Vec<usize> =
            (0..self.connections.len()).filter(|&i| self.connections[i].active).collect();
        match self.step {
            None => self.closed_loop(&active, start),
            Some(step) => self.open_loop(&active, start, step),
        }
        let end = self.now();
        self.tally.cpu = thread_cpu().saturating_sub(cpu);
        self.tally.wall = Duration::from_nanos((end - start).min(self.turn));
        self.until = 0;
        self.drain(end);
    }

    /// As fast as the server answers: each connection has one request under way.
    fn closed_loop(&mut self, active: &[usize], start: u64) {
        for some in active.chunks(64) {
            for &i in some {
                let now = self.now();
                if self.may_begin(i) && now < self.until {
                    self.begin(i, now);
                }
            }
            self.wait(Duration::ZERO); // the first are answered before the last have asked
        }
        let mut looked = start;
        while self.now() < self.until && !self.stop.requested() {
            let left = Duration::from_nanos(self.until.saturating_sub(self.now()));
            self.wait(left.min(Duration::from_millis(10)));
            for i in std::mem::take(&mut self.again) {
                let now = self.now();
                self.begin(i, now);
            }
            if self.udp && self.now() > looked + LOST {
                looked = self.now();
                self.give_up_lost(looked);
            }
        }
    }

    /// As fast as requests are due: a slow server finds them waiting, and their wait counts.
    fn open_loop(&mut self, active: &[usize], start: u64, step: f64) {
        let due = |k: u64| start + (k as f64 * step) as u64;
        self.own_step = step * active.len() as f64;
        let mut k = 0;
        let mut looked = start;
        while !active.is_empty() && self.now() < self.until && !self.stop.requested() {
            while due(k) <= self.now() && due(k) < self.until {
                let i = active[(k % active.len() as u64) as usize];
                if self.may_begin(i) {
                    self.begin(i, due(k));
                } else {
                    let one = &mut self.connections[i];
                    if one.behind == 0 {
                        one.due = due(k);
                    }
                    one.behind += 1;
                }
                k += 1;
            }
            let next = due(k).min(self.until).saturating_sub(self.now());
            self.wait(Duration::from_nanos(next).min(Duration::from_millis(10)));
            if self.udp && self.now() > looked + LOST {
                looked = self.now();
                self.give_up_lost(looked);
            }
        }
        // Requests that were due and never sent waited at least until now.
        let end = self.now().min(self.until);
        for &i in active {
            let (due, behind) = (self.connections[i].due, self.connections[i].behind);
            for late in 0..behind {
                let since = due + (late as f64 * self.own_step) as u64;
                self.tally.latency.saturating_record(end.saturating_sub(since).max(1));
            }
            self.tally.unanswered += behind;
            self.connections[i].behind = 0;
        }
    }

    /// Waits for the replies that are still under way, as long as some come.
    fn drain(&mut self, end: u64) {
        let under_way = |worker: &Worker| {
            let waiting = |one: &&Connection| {
                matches!(one.state, State::Waiting | State::Connecting)
                    && one.active
                    && one.replies > 0
            };
            worker.connections.iter().filter(waiting).count()
        };
        let mut left = under_way(self);
        let mut last = Instant::now();
        while left > 0 && last.elapsed() < TO_ANSWER && !self.stop.requested() {
            self.wait(Duration::from_millis(10));
            let now_left = under_way(self);
            if now_left < left {
                (left, last) = (now_left, Instant::now());
            }
        }
        for i in 0..self.connections.len() {
            let Connection { state, active, replies, since, .. } = self.connections[i];
            if state == State::Waiting && active && replies > 0 {
                self.tally.unanswered += 1;
                self.tally.latency.saturating_record(end.saturating_sub(since).max(1));
            }
        }
    }

    /// Closes everything, and counts who was served.
    fn end(&mut self) -> Tally {
        self.tally.served = self.connections.iter().filter(|one| one.replies > 0).count() as u64;
        self.connections.clear();
        std::mem::take(&mut self.tally)
    }

    /// Whether nothing of this connection is under way, and it has not failed.
    fn may_begin(&self, i: usize) -> bool {
        let one = &self.connections[i];
        one.state == State::Quiet
            || self.per_request && one.state == State::Closed && one.replies > 0
    }

    /// A request: over a connection that is there, or over a new one.
    fn begin(&mut self, i: usize, since: u64) {
        let one = &mut self.connections[i];
        one.since = since;
        one.message = (one.message + 1) % self.messages.len();
        (one.sent, one.got) = (0, 0);
        if one.replies == 0 {
            self.unanswered += 1;
        }
        if one.state == State::Quiet {
            one.state = State::Waiting;
            return self.write(i);
        }
        match self.connect() {
            Ok((socket, done)) => {
                let mut interest = EpollFlags::EPOLLIN;
                if !done {
                    interest |= EpollFlags::EPOLLOUT;
                }
                let added = self.epoll.add(socket.as_fd(), EpollEvent::new(interest, i as u64));
                let one = &mut self.connections[i];
                one.socket = Some(socket);
                one.wants_out = !done;
                if let Err(errno) = added {
                    return self.fail(i, errno.into());
                }
                if done {
                    one.state = State::Waiting;
                    self.write(i);
                } else {
                    one.state = State::Connecting;
                    self.connecting += 1;
                }
            }
            Err(error) => self.fail(i, error),
        }
    }

    /// A new socket, and whether it is connected already.
    fn connect(&self) -> std::io::Result<(Socket, bool)> {
        let (kind, protocol) = match self.udp {
            true => (Type::DGRAM, Protocol::UDP),
            false => (Type::STREAM, Protocol::TCP),
        };
        let socket =
            Socket::new(Domain::for_address(self.address), kind.nonblocking(), Some(protocol))?;
        if !self.udp {
            // The rest of a request must not wait for the acknowledgement of its beginning.
            socket.set_tcp_nodelay(true)?;
        }
        if self.sources {
            socket.bind(&SocketAddr::new(next_source().into(), 0).into())?;
        }
        match socket.connect(&self.address.into()) {
            Ok(()) => Ok((socket, true)),
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok((socket, false)),
            Err(error) => Err(error),
        }
    }

    /// Waits for something to happen, and sees to it.
    fn wait(&mut self, time: Duration) {
        // epoll_wait counts in milliseconds, which is too coarse for when a request is due.
        if self.step.is_some() && self.until > 0 {
            let mut epoll = [PollFd::new(self.epoll.0.as_fd(), PollFlags::POLLIN)];
            if !matches!(ppoll(&mut epoll, Some(TimeSpec::from_duration(time)), None), Ok(1..)) {
                return;
            }
        }
        let millis = time.as_millis() as u16; // none is longer than 10
        let n = self.epoll.wait(&mut self.events, millis).unwrap_or(0);
        for nth in 0..n {
            let (i, events) = (self.events[nth].data() as usize, self.events[nth].events());
            self.see_to(i, events);
        }
    }

    fn see_to(&mut self, i: usize, events: EpollFlags) {
        let one = &mut self.connections[i];
        let Some(socket) = &one.socket else { return };
        if one.state == State::Connecting {
            let error = socket.take_error();
            self.connecting -= 1;
            match error {
                Ok(None) => {
                    one.state = State::Waiting;
                    return self.write(i);
                }
                Ok(Some(error)) | Err(error) => return self.fail(i, error),
            }
        }
        if events.contains(EpollFlags::EPOLLOUT) {
            self.write(i);
        }
        if events.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
            self.read(i);
        }
    }

    /// Sends what is left of the request.
    fn write(&mut self, i: usize) {
        let one = &mut self.connections[i];
        let (Some(mut socket), message) =
            (one.socket.as_ref(), &self.messages[one.message % self.messages.len()])
        else {
            return;
        };
        while one.sent < message.len() {
            match socket.write(&message[one.sent..]) {
                Ok(taken) => one.sent += taken,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.fail(i, error),
            }
        }
        let wants_out = one.sent < message.len();
        if wants_out != one.wants_out {
            one.wants_out = wants_out;
            let interest = if wants_out {
                EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT
            } else {
                EpollFlags::EPOLLIN
            };
            if let Err(errno) =
                self.epoll.modify(socket.as_fd(), &mut EpollEvent::new(interest, i as u64))
            {
                self.fail(i, errno.into());
            }
        }
    }

    /// Takes what has arrived.
    fn read(&mut self, i: usize) {
        let one = &mut self.connections[i];
        let Some(mut socket) = one.socket.as_ref() else { return };
        let n = match socket.read(&mut self.buf) {
            Ok(n) => n,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                return;
            }
            Err(error) => return self.fail(i, error),
        };
        let message = &self.messages[one.message % self.messages.len()];
        let heard = &self.buf[..n];
        if n == 0 && !self.udp {
            return self.closed_by_server(i);
        }
        let whole = match self.expect {
            _ if one.state != State::Waiting => Err("nothing"),
            // The reply to a request that was given up.
            Expect::Echo
                if self.udp && heard != message && self.messages.iter().any(|m| m == heard) =>
            {
                return;
            }
            Expect::Echo if message[one.got..].starts_with(heard) => {
                Ok(one.got + n == message.len())
            }
            Expect::Echo => Err("the same bytes"),
            Expect::Line => Ok(heard.ends_with(b"\n")),
            Expect::Any => Ok(true),
        };
        one.got += n;
        match whole {
            Ok(true) if one.sent == message.len() => self.answered(i),
            Ok(_) => {}
            Err(expected) => {
                self.tally.errors.wrong += 1;
                let shown = escape(&heard[..n.min(40)]);
                let dots = if n > 40 { "…" } else { "" };
                let error = format!("expected {expected}, and got \"{shown}\"{dots}");
                self.tally.errors.first.get_or_insert(error);
                self.drop_socket(i);
            }
        }
    }

    /// A reply is whole.
    fn answered(&mut self, i: usize) {
        let now = self.now();
        let one = &mut self.connections[i];
        if one.replies == 0 {
            self.unanswered -= 1;
        }
        one.replies += 1;
        one.state = State::Quiet;
        self.tally.all_replies += 1;
        if now < self.until && one.active {
            self.tally.replies += 1;
            self.tally.latency.saturating_record(now.saturating_sub(one.since).max(1));
            let nth = (now + self.turn - self.until).checked_div(self.slice);
            if let Some(slice) = nth.and_then(|nth| self.tally.slices.get_mut(nth as usize)) {
                *slice += 1;
            }
        }
        if self.per_request {
            one.state = State::Closed;
            one.socket = None;
        }
        if now >= self.until || !one.active {
            return;
        }
        match self.step {
            None => self.begin(i, now),
            Some(_) if one.behind > 0 => {
                let since = one.due;
                one.behind -= 1;
                one.due += self.own_step as u64;
                self.begin(i, since);
            }
            Some(_) => {}
        }
    }

    /// Datagrams may get lost, and nothing tells.
    fn give_up_lost(&mut self, now: u64) {
        for i in 0..self.connections.len() {
            let one = &self.connections[i];
            if one.state == State::Waiting && one.active && now.saturating_sub(one.since) > LOST {
                self.tally.errors.lost += 1;
                self.connections[i].state = State::Quiet;
                if self.connections[i].replies == 0 {
                    self.unanswered -= 1;
                }
                self.begin(i, now);
            }
        }
    }

    fn closed_by_server(&mut self, i: usize) {
        let (got, replies) = (self.connections[i].got, self.connections[i].replies);
        self.tally.errors.closed += 1;
        self.tally.given_up += u64::from(replies > 0);
        self.tally.errors.first.get_or_insert_with(|| match (got, replies) {
            (_, 1..) => format!(
                "the server closed a connection after {replies} of its requests \
                 (for one request a connection there is --per-request)"
            ),
            (0, 0) => "the server closed a connection without an answer".to_owned(),
            _ => format!("the server closed a connection after {got} bytes of the answer"),
        });
        self.drop_socket(i);
    }

    fn fail(&mut self, i: usize, error: std::io::Error) {
        let errors = &mut self.tally.errors;
        match error.raw_os_error() {
            Some(libc::ECONNREFUSED) => errors.refused += 1,
            Some(libc::ECONNRESET | libc::EPIPE) => {
                errors.reset += 1;
                // A queue that is full may reset a connection that is new, but none that was served.
                let was_served = self.connections[i].replies > 0 && !self.per_request;
                self.tally.given_up += u64::from(was_served);
            }
            _ => errors.other += 1,
        }
        let what = if self.connections[i].state == State::Waiting { "recv" } else { "connect" };
        let errno = nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or_default());
        errors.first.get_or_insert(format!("{what} {}: {}", self.address, errno.desc()));
        self.drop_socket(i);
    }

    fn drop_socket(&mut self, i: usize) {
        let one = &mut self.connections[i];
        if one.replies == 0 {
            self.unanswered -= 1;
        }
        one.socket = None;
        one.state = State::Closed;
        // Where each request has a connection of its own, the next one may do better.
        match self.per_request && one.replies > 0 {
            true => self.again.push(i),
            false => one.active = false,
        }
    }
}

/// The address that the next connection goes out from: after a seventh of its ports the next one, so
/// that no port is asked for twice within the minute in which its last connection rests (TIME_WAIT).
fn next_source() -> Ipv4Addr {
    static CONNECTIONS: AtomicU32 = AtomicU32::new(0);
    let nth = CONNECTIONS.fetch_add(1, Relaxed) / (*PORTS / 7).max(1);
    let last = 1 + nth % 250;
    Ipv4Addr::new(127, 1, (nth / 250 % 250) as u8, last as u8)
}

/// CPU time of the calling thread.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    Duration::from_nanos(time.map_or(0, |time| time.num_nanoseconds().unsigned_abs()))
}
