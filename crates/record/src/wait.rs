//! Waits for many descriptors at once.

use std::time::Duration;

use netplay_text::lang::Lang;
use netplay_text::say;

use super::strace::list;
use super::strace::{epoll_events as epoll_bits, poll_events as poll_bits};
use super::text::{Args, interrupted, number};
use super::{Event, Facts, Failure, Kind, Moves, Outcome, Shows, Strace, Told, strace};

/// A call that waits for many descriptors, or says which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// select(2)
    Select(Select),
    /// poll(2), with its descriptors and how many milliseconds it waits; -1 is for ever.
    Poll(Vec<Polled>, i32),
    /// ppoll(2), with its descriptors.
    Ppoll {
        /// Its descriptors.
        fds: Vec<Polled>,
        /// How long it waits; `None` is for ever.
        timeout: Option<Duration>,
        /// The signals that are blocked meanwhile: `SIGIO`.
        mask: Vec<String>,
    },
    /// epoll_create(2)
    EpollCreate,
    /// epoll_ctl(2)
    EpollCtl(Interest),
    /// epoll_wait(2)
    EpollWait {
        /// What happened.
        ready: Vec<Ready>,
        /// The number of entries that there is room for.
        room: i32,
        /// How many milliseconds it waits; -1 is for ever.
        timeout: i32,
    },
}

/// The arguments of `select`, and its results.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Select {
    /// The highest descriptor plus one.
    pub nfds: i32,
    /// The descriptors to read from.
    pub reads: Vec<i32>,
    /// Those to write to.
    pub writes: Vec<i32>,
    /// How long it waits; `None` is for ever.
    pub timeout: Option<Duration>,
    /// The time that is left.
    pub left: Option<Duration>,
    /// The descriptors that are ready.
    pub ready: Vec<Ready>,
}

/// An entry of the list of `poll`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polled {
    /// The descriptor; the kernel ignores a negative one.
    pub fd: i32,
    /// The events to wait for: POLLIN and others.
    pub events: i16,
    /// What happened.
    pub revents: i16,
}

/// A descriptor that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The descriptor.
    pub fd: i32,
    /// Its events: the bits of poll and epoll, which mean the same (EPOLLIN is POLLIN).
    pub events: u32,
}

/// What `epoll_ctl` does to the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    /// The change.
    pub change: Change,
    /// The descriptor.
    pub fd: i32,
    /// The events to wait for.
    pub events: u32,
}

/// A change of the interest list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// EPOLL_CTL_ADD
    Add,
    /// EPOLL_CTL_MOD
    Modify,
    /// EPOLL_CTL_DEL
    Delete,
}

const ADD: &str = "EPOLL_CTL_ADD";
const MODIFY: &str = "EPOLL_CTL_MOD";
const DELETE: &str = "EPOLL_CTL_DEL";

impl Interest {
    /// `4, EPOLL_CTL_ADD, 3, {events=EPOLLIN, …}`
    fn read(args: Args<'_>) -> Interest {
        let change = match args.nth(1) {
            ADD => Change::Add,
            MODIFY => Change::Modify,
            _ => Change::Delete,
        };
        let events = read_bits(args.field("events=", &[',']).unwrap_or_default());
        Interest { change, fd: args.nth(2).parse().unwrap_or(-1), events }
    }
}

const IN: u32 = libc::POLLIN as u32;
const OUT: u32 = libc::POLLOUT as u32;
const PRI: u32 = libc::POLLPRI as u32;
const ERR: u32 = libc::POLLERR as u32;
const HUP: u32 = libc::POLLHUP as u32;
const NVAL: u32 = libc::POLLNVAL as u32;
const RDHUP: u32 = libc::EPOLLRDHUP as u32;

/// `read`: what `select` can find.
fn select_bits(bits: u32) -> String {
    if bits == IN { "read".to_owned() } else { "write".to_owned() }
}

/// The way back, also of the names of poll and epoll.
pub(super) fn read_bits(text: &str) -> u32 {
    let bit = |name| match name {
        "read" => IN,
        "write" => OUT,
        name => strace::read_event(name).unwrap_or_default(),
    };
    text.split('|').fold(0, |bits, name| bits | bit(name))
}

/// What a wait found, from a line of a trace: `3 POLLIN, 5 POLLIN|POLLHUP`.
fn read_ready(event: &Event) -> Vec<Ready> {
    let entries = event.ready.as_deref().unwrap_or_default().split(", ");
    let entry = |entry: &str| {
        let (fd, what) = entry.split_once(' ')?;
        Some(Ready { fd: fd.parse().ok()?, events: read_bits(what) })
    };
    entries.filter_map(entry).collect()
}

fn read_polled(args: Args<'_>, event: &Event) -> Vec<Polled> {
    let ready = read_ready(event);
    let happened = |fd| ready.iter().find(|ready| ready.fd == fd).map_or(0, |ready| ready.events);
    let mut fds = args.numbers("fd=");
    // The completion of an operation names its descriptor only there.
    fds.extend(ready.iter().map(|ready| ready.fd).filter(|_| event.kind == Kind::Complete));
    let entry = |fd| Polled { fd, events: 0, revents: happened(fd) as i16 };
    fds.into_iter().map(entry).collect()
}

fn happened(fds: &[Polled]) -> impl Iterator<Item = &Polled> {
    fds.iter().filter(|entry| entry.revents != 0)
}

/// The bits of an event as poll has them, with room for epoll's.
fn bits(events: i16) -> u32 {
    events.cast_unsigned().into()
}

/// `[{fd=3, events=POLLIN}]`
pub fn poll_list(fds: &[Polled]) -> String {
    let entry = |entry: &Polled| match entry.fd {
        // The events of a negative descriptor are also ignored.
        fd @ ..0 => format!("{{fd={fd}}}"),
        fd => format!("{{fd={fd}, events={}}}", poll_bits(bits(entry.events))),
    };
    strace::array(fds.iter().map(entry))
}

/// `([{fd=3, revents=POLLIN}])`
pub fn poll_out(n: i64, fds: &[Polled]) -> String {
    if n == 0 {
        return "(Timeout)".to_owned();
    }
    let entry =
        |entry: &Polled| format!("{{fd={}, revents={}}}", entry.fd, poll_bits(bits(entry.revents)));
    let happened: Vec<&Polled> = happened(fds).collect();
    format!("({})", strace::array(happened.into_iter().map(entry)))
}

impl Select {
    fn ready(&self, events: u32) -> Vec<i32> {
        let of_kind = self.ready.iter().filter(|ready| ready.events == events);
        of_kind.map(|ready| ready.fd).collect()
    }

    /// `(in [3], out [4])`, or `(Timeout)`.
    fn out(&self, n: i64) -> String {
        if n == 0 {
            return "(Timeout)".to_owned();
        }
        let sets = [("in", self.ready(IN)), ("out", self.ready(OUT))];
        let sets = sets.into_iter().filter(|(_, set)| !set.is_empty());
        let mut parts: Vec<String> =
            sets.map(|(name, set)| format!("{name} {}", list(&set))).collect();
        parts.extend(self.left.map(|left| format!("left {}", strace::timespec(left))));
        format!("({})", parts.join(", "))
    }
}

/// `{events=EPOLLIN, data={u32=3, u64=3}}`: the data of an entry is its descriptor.
pub fn epoll_event(fd: i32, events: u32) -> String {
    format!("{{events={}, data={{u32={fd}, u64={fd}}}}}", epoll_bits(events))
}

/// What glibc's functions call on this machine: newer architectures have the later ones only.
const OLD: bool = cfg!(any(target_arch = "x86_64", target_arch = "x86"));
const SELECT: &str = if cfg!(target_env = "musl") { "select" } else { "pselect6" };
const POLL: &str = if OLD { "poll" } else { "ppoll" };
/// The size that it gives for the mask of signals that `poll` does not have.
const NO_MASK: u8 = if cfg!(target_env = "musl") { 8 } else { 0 };
const EPOLL_WAIT: &str = if OLD { "epoll_wait" } else { "epoll_pwait" };

impl Wait {
    /// The entries that are ready, and the words of this call for what happened there.
    fn found(&self) -> (Vec<Ready>, fn(u32) -> String) {
        let of = |fds: &[Polled]| {
            let ready = |entry: &Polled| Ready { fd: entry.fd, events: bits(entry.revents) };
            happened(fds).map(ready).collect()
        };
        match self {
            Wait::Select(select) => (select.ready.clone(), select_bits),
            Wait::Poll(fds, _) | Wait::Ppoll { fds, .. } => (of(fds), poll_bits),
            Wait::EpollWait { ready, .. } => (ready.clone(), epoll_bits),
            Wait::EpollCreate | Wait::EpollCtl(_) => (Vec::new(), epoll_bits),
        }
    }

    /// `3 POLLIN, 4 POLLIN|POLLHUP`
    fn ready(&self) -> String {
        let (ready, name) = self.found();
        let entry = |ready: &Ready| format!("{} {}", ready.fd, name(ready.events));
        ready.iter().map(entry).collect::<Vec<_>>().join(", ")
    }

    /// The same with what it means.
    fn ready_in_words(&self, lang: Lang) -> String {
        let (ready, name) = self.found();
        if ready.is_empty() {
            return say!(lang, "nothing became ready in time", "在限定的时间内没有任何就绪");
        }
        let entry = |ready: &Ready| {
            let (fd, events) = (ready.fd, name(ready.events));
            let meanings = meanings(ready.events, lang);
            say!(lang, "fd {fd} {events} ({meanings})", "fd {fd} {events}（{meanings}）")
        };
        let ready = ready.iter().map(entry).collect::<Vec<_>>().join(lang.pick("; ", "；"));
        say!(lang, "ready: {ready}", "就绪：{ready}")
    }
}

names! {
    WaitName:
    Select = "select",
    Poll = "poll",
    Ppoll = "ppoll",
    EpollCreate = "epoll_create",
    EpollCtl = "epoll_ctl",
    EpollWait = "epoll_wait",
}

impl Told for Wait {
    type Name = WaitName;

    fn read(name: WaitName, event: &Event) -> Wait {
        let args = Args::of(event);
        let polled = || read_polled(args, event);
        match name {
            WaitName::Select => {
                let (reads, ready) = (args.list(), read_ready(event));
                Wait::Select(Select { reads, ready, ..Select::default() })
            }
            WaitName::Poll => Wait::Poll(polled(), -1),
            WaitName::Ppoll => Wait::Ppoll { fds: polled(), timeout: None, mask: Vec::new() },
            WaitName::EpollCreate => Wait::EpollCreate,
            WaitName::EpollCtl => Wait::EpollCtl(Interest::read(args)),
            WaitName::EpollWait => {
                Wait::EpollWait { ready: read_ready(event), room: 0, timeout: -1 }
            }
        }
    }

    fn name(&self) -> WaitName {
        match self {
            Wait::Select(_) => WaitName::Select,
            Wait::Poll(..) => WaitName::Poll,
            Wait::Ppoll { .. } => WaitName::Ppoll,
            Wait::EpollCreate => WaitName::EpollCreate,
            Wait::EpollCtl(_) => WaitName::EpollCtl,
            Wait::EpollWait { .. } => WaitName::EpollWait,
        }
    }

    fn strace(&self, outcome: &Outcome) -> Strace {
        let (fd, done) = (outcome.fd(), outcome.done());
        match self {
            Wait::Select(select) => {
                let Select { nfds, reads, writes, timeout, .. } = select;
                let (reads, writes) = (list(reads), list(writes));
                let timeout = strace::timeout(*timeout);
                let args = format!("{nfds}, {reads}, {writes}, NULL, {timeout}, NULL");
                let told = Strace::new(SELECT, args);
                Strace { out: done.map(|n| select.out(n)), ..told }
            }
            Wait::Poll(fds, timeout) => {
                let limit = match OLD {
                    true => timeout.to_string(),
                    false => {
                        let time = u64::try_from(*timeout).ok().map(Duration::from_millis);
                        format!("{}, NULL, {NO_MASK}", strace::timeout(time))
                    }
                };
                let args = format!("{}, {}, {limit}", poll_list(fds), fds.len());
                Strace { out: done.map(|n| poll_out(n, fds)), ..Strace::new(POLL, args) }
            }
            Wait::Ppoll { fds, timeout, mask } => {
                let (timeout, mask) = (strace::timeout(*timeout), strace::signals(mask));
                let args = format!("{}, {}, {timeout}, {mask}, 8", poll_list(fds), fds.len());
                Strace { out: done.map(|n| poll_out(n, fds)), ..Strace::new("ppoll", args) }
            }
            Wait::EpollCreate => Strace::new("epoll_create1", "EPOLL_CLOEXEC"),
            Wait::EpollCtl(Interest { change, fd: of, events }) => {
                let change = match change {
                    Change::Add => ADD,
                    Change::Modify => MODIFY,
                    Change::Delete => DELETE,
                };
                let event = epoll_event(*of, *events);
                Strace::new("epoll_ctl", format!("{fd}, {change}, {of}, {event}"))
            }
            Wait::EpollWait { ready, room, timeout } => {
                let ready = match done {
                    Some(_) => {
                        let ready = ready.iter().map(|ready| epoll_event(ready.fd, ready.events));
                        format!("[{}]", ready.collect::<Vec<_>>().join(", "))
                    }
                    None => "0x...".to_owned(),
                };
                let mask = if OLD { "" } else { ", NULL, 8" };
                Strace::new(EPOLL_WAIT, format!("{fd}, {ready}, {room}, {timeout}{mask}"))
            }
        }
    }

    fn facts(&self, outcome: &Outcome) -> Facts {
        match self {
            Wait::Select(_) | Wait::Poll(..) | Wait::Ppoll { .. } | Wait::EpollWait { .. } => {
                Facts { ready: outcome.done().map(|_| self.ready()), ..Facts::default() }
            }
            Wait::EpollCreate | Wait::EpollCtl(_) => Facts::default(),
        }
    }

    fn sentence(&self, _: &Event, lang: Lang) -> String {
        match self {
            Wait::Select(_) | Wait::Poll(..) | Wait::Ppoll { .. } | Wait::EpollWait { .. } => {
                self.ready_in_words(lang)
            }
            Wait::EpollCreate => {
                say!(lang, "an empty interest list in the kernel", "内核里的一份空的兴趣列表")
            }
            Wait::EpollCtl(Interest { change, fd, events }) => {
                let events = epoll_bits(*events);
                match change {
                    Change::Add => {
                        say!(
                            lang,
                            "fd {fd} is now watched for {events}",
                            "开始关注 fd {fd} 的 {events}"
                        )
                    }
                    Change::Modify => say!(
                        lang,
                        "fd {fd} is now watched for {events} instead",
                        "对 fd {fd} 改为关注 {events}",
                    ),
                    Change::Delete => {
                        say!(lang, "fd {fd} is no longer watched", "不再关注 fd {fd}")
                    }
                }
            }
        }
    }

    fn failure(&self, errno: &str, _: &Event, lang: Lang) -> Option<Failure> {
        match errno {
            "EINTR" if self.waits() => Some(Failure::Ordinary(interrupted(lang))),
            _ => None,
        }
    }

    fn asked(&self, on: String, _: &Event, _: Lang) -> String {
        match self {
            Wait::Select(Select { reads, .. }) => {
                format!("{} {}", self.name().as_str(), list(reads))
            }
            Wait::Poll(fds, _) | Wait::Ppoll { fds, .. } => {
                let fds: Vec<i32> =
                    fds.iter().map(|entry| entry.fd).filter(|&fd| fd >= 0).collect();
                format!("{} {}", self.name().as_str(), list(&fds))
            }
            Wait::EpollCreate | Wait::EpollCtl(_) | Wait::EpollWait { .. } => on,
        }
    }

    fn answered(&self, event: &Event, lang: Lang) -> String {
        match self {
            Wait::EpollCreate | Wait::EpollCtl(_) => number(event.ret),
            Wait::Select(_) | Wait::Poll(..) | Wait::Ppoll { .. } | Wait::EpollWait { .. } => {
                match event.ret.unwrap_or_default() {
                    0 => say!(lang, "nothing in time", "超时，无就绪"),
                    _ => {
                        let ready = event.ready.as_deref().unwrap_or_default();
                        say!(lang, "ready {ready}", "就绪 {ready}")
                    }
                }
            }
        }
    }

    fn waits(&self) -> bool {
        match self {
            Wait::Select(_) | Wait::Poll(..) | Wait::Ppoll { .. } | Wait::EpollWait { .. } => true,
            Wait::EpollCreate | Wait::EpollCtl(_) => false,
        }
    }

    fn waiting(&self, _: &Event, lang: Lang) -> Option<String> {
        match self {
            Wait::Select(_) | Wait::Poll(..) | Wait::Ppoll { .. } | Wait::EpollWait { .. } => {
                Some(say!(lang, "waiting for a descriptor to be ready", "等待某个描述符就绪"))
            }
            Wait::EpollCreate | Wait::EpollCtl(_) => None,
        }
    }

    fn moves(&self) -> Moves {
        match self {
            Wait::EpollCreate => Moves::Opens,
            Wait::Select(_)
            | Wait::Poll(..)
            | Wait::Ppoll { .. }
            | Wait::EpollCtl(_)
            | Wait::EpollWait { .. } => Moves::Nothing,
        }
    }

    fn shows(&self) -> Shows {
        Shows::Itself
    }

    fn acts_at_once(&self) -> bool {
        false
    }
}

/// What the events of a wait mean (poll(2)).
fn meanings(events: u32, lang: Lang) -> String {
    let known = |bit: u32| match bit {
        IN => lang.pick("there is something to read", "可以读取"),
        OUT => lang.pick("there is room to write", "可以写入"),
        PRI => lang.pick("urgent data", "紧急数据"),
        ERR => lang.pick("an error is pending", "有待处理的错误"),
        HUP => lang.pick("both directions have ended", "两个方向都已结束"),
        NVAL => lang.pick("no open descriptor", "不是打开的描述符"),
        RDHUP => lang.pick("the peer will send no more", "对端不再发送"),
        _ => lang.pick("an event", "一个事件"),
    };
    // POLLRDNORM and POLLWRNORM only say what POLLIN and POLLOUT say.
    let others = events & !(libc::POLLRDNORM | libc::POLLWRNORM) as u32;
    let events = if others == 0 { events } else { others };
    let set = (0..32).map(|bit| 1 << bit).filter(|bit| events & bit != 0);
    set.map(known).collect::<Vec<_>>().join(lang.pick(", ", "，"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Call;

    #[test]
    fn a_wait_says_who_is_ready_or_that_nobody_was() {
        for call in ["select", "poll", "ppoll", "epoll_wait"] {
            let wait = |ret, ready: &str| {
                let mut event = Event {
                    call: Some(call.into()),
                    ret: Some(ret),
                    ready: Some(ready.into()),
                    ..Event::default()
                };
                event.what = Call::read(&event).into();
                event
            };
            assert_eq!(wait(0, "").answered(Lang::En), "nothing in time", "{call}");
            assert_eq!(wait(1, "5 EPOLLIN").answered(Lang::En), "ready 5 EPOLLIN", "{call}");
        }
    }
}
