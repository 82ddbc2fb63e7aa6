//! Waits for many descriptors.

use std::time::Duration;

use netplay_record::{
    Change, Interest, Polled, Ready, Select, Strace, Wait, part, poll_list, poll_out, strace,
};

use super::asked::{Answer, Asked, Said, Scene};
use super::words::{EPOLL_OP, bits, named, signal};
use crate::memory::Memory;
use crate::syscall::Syscall;

/// How many bytes a set of `select` has in this many descriptors.
fn set_size(nfds: u64) -> usize {
    (nfds.min(1024 * 64) as usize).div_ceil(64) * 8
}

/// The three sets of `select`, and the time that it waits.
pub(super) fn before_select(args: &[u64; 6], memory: Memory) -> Vec<u8> {
    let size = set_size(args[0] & 0x7fff_ffff);
    let mut all = Vec::with_capacity(3 * size + 16);
    for (at, len) in [(args[1], size), (args[2], size), (args[3], size), (args[4], 16)] {
        let start = all.len();
        all.resize(start + len, 0);
        memory.fill(at, &mut all[start..]);
    }
    all
}

/// The descriptors of a set.
fn set(bytes: &[u8], nfds: usize) -> Vec<i32> {
    let has = |fd: &usize| bytes.get(fd / 8).is_some_and(|byte| byte >> (fd % 8) & 1 == 1);
    (0..nfds).filter(has).map(|fd| fd as i32).collect()
}

/// `[3 4]`, or NULL.
fn set_text(at: u64, set: &[i32]) -> String {
    if at == 0 { "NULL".to_owned() } else { strace::list(set) }
}

/// A `struct timespec`.
pub(super) fn timespec(bytes: &[u8]) -> Duration {
    let number = |at| u64::from_ne_bytes(part(bytes, at));
    Duration::new(number(0), (number(8) as u32).min(999_999_999))
}

pub(super) fn select(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let nfds = asked.int(0).max(0) as usize;
    let size = set_size(nfds as u64);
    let parts = |n: usize| asked.before.get(n * size..(n + 1) * size).unwrap_or_default();
    let before: Vec<Vec<i32>> = (0..3).map(|n| set(parts(n), nfds)).collect();
    let is_old = asked.call != Syscall::Pselect6;
    let time = |bytes: &[u8]| match is_old {
        true => {
            let number = |at| u64::from_ne_bytes(part(bytes, at));
            Duration::new(number(0), (number(8) as u32).min(999_999) * 1000)
        }
        false => timespec(bytes),
    };
    let time_text = |time: Duration| match is_old {
        true => format!("{{tv_sec={}, tv_usec={}}}", time.as_secs(), time.subsec_micros()),
        false => strace::timespec(time),
    };
    let limit = (asked.args[4] != 0).then(|| time(asked.before.get(3 * size..).unwrap_or(&[])));
    let mut out = None;
    let (mut ready, mut left) = (Vec::new(), None);
    if let Some(n) = answer.done() {
        left = limit.map(|_| time(&memory.array::<16>(asked.args[4])));
        let mut words = Vec::new();
        let kinds = [("in", libc::POLLIN), ("out", libc::POLLOUT), ("except", libc::POLLPRI)];
        for (i, (word, event)) in kinds.into_iter().enumerate().filter(|_| n > 0) {
            let after = set(&memory.bytes(asked.args[1 + i], size), nfds);
            if !after.is_empty() && asked.args[1 + i] != 0 {
                words.push(format!("{word} {}", strace::list(&after)));
                ready.extend(after.into_iter().map(|fd| Ready { fd, events: event as u32 }));
            }
        }
        words.extend(left.filter(|_| n > 0).map(|left| format!("left {}", time_text(left))));
        out = Some(if n == 0 { "(Timeout)".to_owned() } else { format!("({})", words.join(", ")) });
    }
    let text = |n: usize| set_text(asked.args[1 + n], &before[n]);
    let limit_text = limit.map_or("NULL".to_owned(), time_text);
    let mask = match asked.args[5] {
        _ if is_old => String::new(),
        0 => ", NULL".to_owned(),
        at => {
            let names = match memory.u64(at) {
                0 => "NULL".to_owned(),
                at => strace::signals(&signals(memory.u64(at))),
            };
            format!(", {{sigmask={names}, sigsetsize={}}}", memory.u64(at + 8))
        }
    };
    let args = format!("{nfds}, {}, {}, {}, {limit_text}{mask}", text(0), text(1), text(2));
    let told = asked.strace(args);
    let strace = Strace { out, ..told };
    let mut sets = before.into_iter();
    let (reads, writes) = (sets.next().unwrap_or_default(), sets.next().unwrap_or_default());
    let call =
        Wait::Select(Select { nfds: nfds as i32, reads, writes, timeout: limit, left, ready });
    Said { call: call.into(), strace, fd: None }
}

/// An array of `struct pollfd`, and strace's words for it and for what happened.
fn polled(asked: &Asked, answer: Answer, memory: Memory) -> (Vec<Polled>, String, Option<String>) {
    let count = asked.size(1);
    let bytes = memory.bytes(asked.args[0], count.min(4096) * 8);
    let entry = |bytes: &[u8]| Polled {
        fd: i32::from_ne_bytes(part(bytes, 0)),
        events: i16::from_ne_bytes(part(bytes, 4)),
        revents: match answer {
            Answer::Done(_) => i16::from_ne_bytes(part(bytes, 6)),
            Answer::Failed(_) | Answer::Waiting => 0,
        },
    };
    let fds: Vec<Polled> = bytes.chunks_exact(8).map(entry).collect();
    let list = match fds.is_empty() && asked.args[0] == 0 {
        true => "NULL".to_owned(),
        false => poll_list(&fds),
    };
    let out = answer.done().map(|n| poll_out(n, &fds));
    (fds, format!("{list}, {count}"), out)
}

#[cfg(target_arch = "x86_64")]
pub(super) fn poll(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let (fds, list, out) = polled(asked, answer, memory);
    let limit = asked.int(2);
    let told = asked.strace(format!("{list}, {limit}"));
    let strace = Strace { out, ..told };
    Said { call: Wait::Poll(fds, limit).into(), strace, fd: None }
}

pub(super) fn ppoll(asked: &Asked, answer: Answer, memory: Memory) -> Said {
    let (fds, list, out) = polled(asked, answer, memory);
    let timeout = (asked.args[2] != 0).then(|| timespec(&asked.before));
    let mask = match asked.args[3] {
        0 => None,
        at => Some(signals(memory.u64(at))),
    };
    let mask_text = mask.as_ref().map_or("NULL".to_owned(), |names| strace::signals(names));
    let args = format!("{list}, {}, {mask_text}, {}", strace::timeout(timeout), asked.int(4));
    let told = asked.strace(args);
    let out = out.map(|out| match (timeout, answer.done()) {
        (Some(_), Some(1..)) => {
            let left = strace::timespec(timespec(&memory.array::<16>(asked.args[2])));
            out.strip_suffix(')').map(|out| format!("{out}, left {left})")).unwrap_or(out)
        }
        _ => out,
    });
    let strace = Strace { out, ..told };
    // The C library's `poll` is this call on machines that have no other; `ppoll` gives signals.
    let call = match mask {
        Some(mask) => Wait::Ppoll { fds, timeout, mask },
        None if cfg!(target_arch = "x86_64") => Wait::Ppoll { fds, timeout, mask: Vec::new() },
        None => Wait::Poll(fds, timeout.map_or(-1, |time| time.as_millis() as i32)),
    };
    Said { call: call.into(), strace, fd: None }
}

/// The names of the signals in a mask of 64 bits.
pub(super) fn signals(mask: u64) -> Vec<String> {
    (1..=64).filter(|number| mask >> (number - 1) & 1 == 1).map(signal).collect()
}

pub(super) fn epoll_create(asked: &Asked) -> Said {
    let args = match asked.call {
        Syscall::EpollCreate1 => {
            let cloexec: &[(i32, &str)] = &[(libc::EPOLL_CLOEXEC, "EPOLL_CLOEXEC")];
            bits(asked.args[0] & 0xffff_ffff, cloexec)
        }
        _ => asked.int(0).to_string(),
    };
    Said { call: Wait::EpollCreate.into(), strace: asked.strace(args), fd: None }
}

/// The size of a `struct epoll_event`, which x86-64 packs.
const EVENT: usize = size_of::<libc::epoll_event>();
const DATA: usize = EVENT - 8;

/// The events and the data of one.
fn event(bytes: &[u8]) -> (u32, u64) {
    (u32::from_ne_bytes(part(bytes, 0)), u64::from_ne_bytes(part(bytes, DATA)))
}

fn event_text((events, data): (u32, u64)) -> String {
    let events = strace::epoll_events(events);
    format!("{{events={events}, data={{u32={}, u64={data}}}}}", data as u32)
}

/// What an interest list has beside a descriptor, if `epoll_ctl` has just put it there: its data, and the events.
pub(crate) fn interest(asked: &Asked, memory: Memory) -> Option<(u64, i32, u32)> {
    let (op, fd) = (asked.int(1), asked.int(2));
    let set = matches!(op, libc::EPOLL_CTL_ADD | libc::EPOLL_CTL_MOD);
    let (events, data) = event(&memory.array::<EVENT>(asked.args[3]));
    set.then_some((data, fd, events))
}

pub(super) fn epoll_ctl(asked: &Asked, memory: Memory) -> Said {
    let (list, op, fd) = (asked.int(0), asked.int(1), asked.int(2));
    let change = match op {
        libc::EPOLL_CTL_ADD => Change::Add,
        libc::EPOLL_CTL_MOD => Change::Modify,
        _ => Change::Delete,
    };
    let of = event(&memory.array::<EVENT>(asked.args[3]));
    let of_text = match (op, asked.args[3]) {
        (_, 0) => "NULL".to_owned(),
        (libc::EPOLL_CTL_DEL, at) => format!("{at:#x}"),
        _ => event_text(of),
    };
    let args = format!("{list}, {}, {fd}, {of_text}", named(op, EPOLL_OP));
    let call = Wait::EpollCtl(Interest { change, fd, events: of.0 });
    Said { call: call.into(), strace: asked.strace(args), fd: Some(list) }
}

pub(super) fn epoll_wait(asked: &Asked, answer: Answer, scene: Scene<'_>) -> Said {
    let (list, room) = (asked.int(0), asked.int(2));
    let taken = answer.done().unwrap_or(0) as usize;
    let bytes = scene.memory.bytes(asked.args[1], taken.min(4096) * EVENT);
    let events: Vec<(u32, u64)> = bytes.chunks_exact(EVENT).map(event).collect();
    let of = scene.interests.get(&list);
    let ready = events.iter().map(|&(events, data)| {
        // Most programs put the descriptor there; for others the interest list knows.
        let fd = of.and_then(|of| of.get(&data)).copied().unwrap_or(data as i32);
        Ready { fd, events }
    });
    let ready = ready.collect();
    let text = match answer.done() {
        Some(_) => strace::array(events.iter().map(|&one| event_text(one))),
        None => format!("{:#x}", asked.args[1]),
    };
    let mut timeout = asked.int(3);
    let mut limit = timeout.to_string();
    if asked.call == Syscall::EpollPwait2 {
        let time = (asked.args[3] != 0).then(|| timespec(&scene.memory.array::<16>(asked.args[3])));
        timeout = time.map_or(-1, |time| time.as_millis() as i32);
        limit = strace::timeout(time);
    }
    let mut mask = String::new();
    if matches!(asked.call, Syscall::EpollPwait | Syscall::EpollPwait2) {
        let names = match asked.args[4] {
            0 => "NULL".to_owned(),
            at => strace::signals(&signals(scene.memory.u64(at))),
        };
        mask = format!(", {names}, {}", asked.int(5));
    }
    let args = format!("{list}, {text}, {room}, {limit}{mask}");
    let call = Wait::EpollWait { ready, room, timeout };
    Said { call: call.into(), strace: asked.strace(args), fd: Some(list) }
}
