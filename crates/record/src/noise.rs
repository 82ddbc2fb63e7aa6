//! What the runtime of a watched program does on its own account.
//!
//! Go asks a socket for bytes, gets EAGAIN, and waits in epoll; asyncio looks at its epoll list without waiting before each
//! step; socat looks whether it has woken itself; Node looks which descriptors it has inherited; a shell tries the folders of PATH one after the other. None of these
//! calls stands in the source of the program. So the story counts them, and says the number at the next line to which
//! they belong. The record keeps them all. A picture leaves them out in the same way.
//!
//! A failure that nothing follows up is no noise: an EAGAIN is told if no wait comes after it, or if the program closes
//! the socket instead, or asks again and again.

use std::collections::HashSet;

use super::{
    Call, Change, Connection, Event, Family, Fcntl, Interest, Kind, Process, Sockopt, Type, Wait,
};
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_text::words::{counted, grouped};

/// After so many calls in a row that find nothing, it is a loop of the program's own.
const LOOP: u64 = 16;

/// Where glibc asks for names before it reads the files itself.
const NSCD: &str = "/var/run/nscd/socket";

/// So many calls are kept at most until it is known whether they matter.
const KEPT: usize = 64;

/// The noise of one process, until it is told.
#[derive(Debug, Default)]
pub struct Noise {
    /// How many calls have no line of their own, and are counted in another's.
    folded: u64,
    /// Descriptors of pairs that the process has made, to wake itself: socat asks there before each step.
    pairs: HashSet<i32>,
    /// The descriptors on the interest lists of epoll.
    listed: HashSet<i32>,
    /// Calls that failed with EAGAIN, which matter only if no wait follows.
    again: Vec<Event>,
    /// The thread and the descriptor of a loop.
    looping: Option<(i32, Option<i32>)>,
    /// How many waits found nothing, because they did not wait.
    looked: u64,
    /// How many of both came in a row.
    row: u64,
    /// The calls of a question to nscd so far: socket, and connect, which failed.
    question: Vec<Event>,
    /// How many such questions there were.
    questions: u64,
    /// Files that were not there to be executed.
    absent: Vec<Event>,
    /// How many descriptors the process looked for in vain.
    closed: u64,
    /// How often it asked whether a standard stream is a socket.
    standard: u64,
}

/// What is to be told now.
#[derive(Debug, Default)]
pub struct Heard {
    /// Events before this one: kept until now, or notes.
    pub before: Vec<Event>,
    /// What stands behind this one; `None` if it is not told, at least not yet.
    pub this: Option<String>,
}

impl Noise {
    /// How many calls have no line of their own.
    #[must_use]
    pub fn folded(&self) -> u64 {
        self.folded + self.looked + (self.again.len() + self.question.len()) as u64
    }

    /// Takes an event of the process.
    pub fn hear(&mut self, event: &Event, lang: Lang) -> Heard {
        self.learn(event);
        if is_absent(event) && self.absent.len() < KEPT {
            self.absent.push(event.clone());
            return Heard::default();
        }
        if self.is_question(event) {
            return Heard::default();
        }
        let unasked = std::mem::take(&mut self.question);
        match probe(event) {
            Some(Probe::Closed) => self.closed += 1,
            Some(Probe::Standard) => self.standard += 1,
            None => {
                let mut heard = self.hear_others(event, lang);
                heard.before.splice(0..0, unasked);
                return heard;
            }
        }
        Heard { before: unasked, this: None }
    }

    /// Whether the event is a part of a question to nscd, which does not run here: `socket`, `connect`, `close`, with nothing in
    /// between.
    fn is_question(&mut self, event: &Event) -> bool {
        let [first, ..] = &self.question[..] else {
            let begins = matches!(&*event.what, Call::Connection(Connection::Socket(kind))
                if kind.family == Family::Unix && kind.ty == Type::Stream);
            let begins = begins && event.is_done();
            self.question.extend(begins.then(|| event.clone()));
            return begins;
        };
        let same = event.tid == first.tid && event.fd.map(i64::from) == first.ret;
        match (&*event.what, self.question.len()) {
            (Call::Connection(Connection::Connect(_)), 1)
                if same && event.ret == Some(-1) && event.peer.as_deref() == Some(NSCD) =>
            {
                self.question.push(event.clone());
            }
            (Call::Connection(Connection::Close), 2) if same => {
                self.question.clear();
                self.folded += 3;
                self.questions += 1;
            }
            _ => return false,
        }
        true
    }

    fn hear_others(&mut self, event: &Event, lang: Lang) -> Heard {
        let mut heard = Heard { before: self.probes(event, lang), this: Some(String::new()) };
        heard.this = self.places(event, lang, &mut heard.before).or(heard.this);
        if !found_nothing(event) {
            if event.kind == Kind::Call {
                (self.row, self.looping) = (0, None);
            }
            if is_wait(event) {
                heard.this = Some(self.asked(lang));
            } else {
                heard.before.extend(self.matters(event));
            }
            return heard;
        }
        let here = (event.tid, event.fd);
        if self.looping == Some(here) {
            return heard;
        }
        self.row += 1;
        if self.row > LOOP || self.again.len() >= KEPT {
            self.looping = Some(here);
            return Heard { this: Some(self.asked(lang)), ..heard };
        }
        if !is_again(event) || event.fd.is_some_and(|fd| self.pairs.contains(&fd)) {
            self.looked += 1;
        } else if self.again.last().is_some_and(|last| {
            (last.tid, last.fd) == here && last.call == event.call && !self.is_listed(last)
        }) {
            self.looping = Some(here);
            heard.before.append(&mut self.again);
            return heard;
        } else {
            self.again.push(event.clone());
        }
        heard.this = None;
        heard
    }

    /// What is on the interest lists.
    fn learn(&mut self, event: &Event) {
        match &*event.what {
            Call::Wait(Wait::EpollCtl(Interest { change: Change::Delete, fd, .. })) => {
                self.listed.remove(fd);
            }
            Call::Wait(Wait::EpollCtl(Interest { fd, .. })) if event.is_done() => {
                self.listed.insert(*fd);
            }
            Call::Connection(Connection::Socketpair(_, Some(fds))) => self.pairs.extend(fds),
            Call::Connection(Connection::Close) => {
                event.fd.map(|fd| self.pairs.remove(&fd));
            }
            _ => {}
        }
    }

    fn is_listed(&self, event: &Event) -> bool {
        event.fd.is_some_and(|fd| self.listed.contains(&fd))
    }

    /// How often the process had asked before it waited.
    fn asked(&mut self, lang: Lang) -> String {
        let times = std::mem::take(&mut self.looked) + self.again.drain(..).count() as u64;
        self.folded += times;
        let n = grouped(times);
        match times {
            0 => String::new(),
            1 => say!(
                lang,
                "  [asked once before: nothing was ready]",
                "  [此前问过 1 次：没有就绪]"
            ),
            _ => say!(
                lang,
                "  [asked {n} times before: nothing was ready]",
                "  [此前问过 {n} 次：都没有就绪]",
            ),
        }
    }

    /// The calls that failed with EAGAIN and matter, now that this event comes instead of a wait.
    fn matters(&mut self, event: &Event) -> Vec<Event> {
        let ends =
            matches!(*event.what, Call::Connection(Connection::Close | Connection::Shutdown(_)));
        let listed = &self.listed;
        let (told, kept) = std::mem::take(&mut self.again).into_iter().partition(|again| {
            let listed = again.fd.is_some_and(|fd| listed.contains(&fd));
            let same_thread = again.tid == event.tid || event.kind == Kind::Note;
            ends && again.fd == event.fd || same_thread && !listed
        });
        self.again = kept;
        if ends && let Some(fd) = event.fd {
            self.listed.remove(&fd);
        }
        told
    }

    /// What the process looked for among its descriptors.
    fn probes(&mut self, event: &Event, lang: Lang) -> Vec<Event> {
        let closed = std::mem::take(&mut self.closed);
        let standard = std::mem::take(&mut self.standard);
        self.folded += closed + standard;
        let (descriptors, n) = (counted(closed, "descriptor"), grouped(closed));
        let closed = (closed > 0).then(|| match closed {
            1 => say!(
                lang,
                "... looked whether 1 descriptor is open: it is not (EBADF)",
                "…… 查看 1 个描述符是否打开：没有打开（EBADF）",
            ),
            _ => say!(
                lang,
                "... looked whether {descriptors} are open: none is (EBADF)",
                "…… 查看 {n} 个描述符是否打开：都没有打开（EBADF）",
            ),
        });
        let questions = (std::mem::take(&mut self.questions) > 0).then(|| {
            lang.pick(
                "... looked for nscd, which keeps names of hosts and users: it does not run here",
                "…… 查找 nscd（缓存主机名和用户名的服务）：这里没有运行",
            )
            .to_owned()
        });
        let standard = (standard > 0).then(|| {
            lang.pick(
                "... looked whether standard streams are sockets: they are not (ENOTSOCK)",
                "…… 查看标准流是不是套接字：不是（ENOTSOCK）",
            )
            .to_owned()
        });
        [closed, standard, questions].into_iter().flatten().map(|text| note(event, text)).collect()
    }

    /// Where a program was looked for before it was found, or in vain.
    fn places(&mut self, event: &Event, lang: Lang, before: &mut Vec<Event>) -> Option<String> {
        if self.absent.first()?.tid != event.tid {
            return None;
        }
        let absent = std::mem::take(&mut self.absent);
        let (places, n) = (counted(absent.len() as u64, "other place"), absent.len());
        if matches!(*event.what, Call::Process(Process::Execve(_))) && event.is_done() {
            self.folded += absent.len() as u64;
            return Some(say!(
                lang,
                "  [not found in {places} before]",
                "  [此前在 {n} 处没有找到]"
            ));
        }
        self.folded += absent.len() as u64 - 1;
        let (more, n) = (counted(absent.len() as u64 - 1, "other place"), absent.len() - 1);
        before.extend(absent.into_iter().next());
        if n > 0 {
            let text = say!(lang, "... nor was it found in {more}", "…… 在另外 {n} 处也没有找到");
            before.push(note(event, text));
        }
        None
    }
}

fn note(event: &Event, text: String) -> Event {
    Event { kind: Kind::Note, text: Some(text.into()), ..event.clone() }
}

/// Whether the call asked without waiting, and nothing was ready for it. A send that finds no room is told: the peer
/// does not read.
fn found_nothing(event: &Event) -> bool {
    event.kind == Kind::Call && (is_again(event) || looked_in_vain(event))
}

/// Whether a wait found nothing, because it had no time.
#[must_use]
pub fn looked_in_vain(event: &Event) -> bool {
    is_wait(event) && has_no_time(event) && event.ret == Some(0)
}

fn is_again(event: &Event) -> bool {
    event.errno.as_deref() == Some("EAGAIN") && !event.what.acts_at_once()
}

fn is_wait(event: &Event) -> bool {
    let Call::Wait(wait) = &*event.what else { return false };
    !matches!(wait, Wait::EpollCreate | Wait::EpollCtl(_)) && event.errno.is_none()
}

fn has_no_time(event: &Event) -> bool {
    match &*event.what {
        Call::Wait(Wait::Poll(_, timeout) | Wait::EpollWait { timeout, .. }) => *timeout == 0,
        Call::Wait(Wait::Ppoll { timeout, .. }) => timeout.is_some_and(|time| time.is_zero()),
        Call::Wait(Wait::Select(select)) => select.timeout.is_some_and(|time| time.is_zero()),
        _ => false,
    }
}

/// Whether there is no such file to execute: the shell, or execvp(3), tries the next folder of PATH.
fn is_absent(event: &Event) -> bool {
    matches!(*event.what, Call::Process(Process::Execve(_)))
        && matches!(event.errno.as_deref(), Some("ENOENT" | "ENOTDIR" | "EACCES"))
}

/// What a runtime looks for when it starts.
enum Probe {
    /// A descriptor that is not open: Node looks for what it has inherited, bash for 255, where it keeps its script.
    Closed,
    /// A standard stream that is a socket: bash, to know whether inetd started it.
    Standard,
}

fn probe(event: &Event) -> Option<Probe> {
    let fd = event.fd?;
    match (&*event.what, event.errno.as_deref()) {
        (Call::Option(Sockopt::Fcntl(asked)), Some("EBADF")) if fd > 2 => {
            let is_flag = match asked {
                Fcntl::SetCloexec(_) => true,
                Fcntl::Other(name) => name == "F_GETFD",
                _ => false,
            };
            is_flag.then_some(Probe::Closed)
        }
        (
            Call::Connection(Connection::Getpeername(_) | Connection::Getsockname(_)),
            Some("ENOTSOCK"),
        ) if (0..=2).contains(&fd) => Some(Probe::Standard),
        _ => None,
    }
}
