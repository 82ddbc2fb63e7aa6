//! What netplay may change in the calls of a program: nothing that the kernel could not do at any time.
//!
//! TCP is a stream: a receive may bring fewer bytes than were sent at once, a send may take fewer than it was given, and
//! a signal may interrupt a call that waits. A program that is right survives all of that; on loopback it hardly ever
//! happens by itself. Here it happens to order: the kernel is asked for fewer bytes (the register with the length is
//! changed at the entry of the call, and restored when it returns), or the call is not made at all and fails with EINTR or
//! EAGAIN.

use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_text::words::{counted, grouped};
use nix::unistd::Pid;

use super::decode::{Asked, clone_flags};
use super::memory::Memory;
use super::process::Process;
use super::registers;
use super::syscall::Syscall;

/// What to change. The default changes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Twist {
    /// The most bytes of a stream that one call receives.
    pub short_reads: Option<u64>,
    /// The most bytes of a stream that one call sends.
    pub short_writes: Option<u64>,
    /// One in so many calls that may wait fails with EINTR, and no call twice in a row.
    pub eintr: Option<u64>,
    /// One in so many calls on a non-blocking socket fails with EAGAIN.
    pub eagain: Option<u64>,
    /// One in so many accepts fails with ECONNABORTED: the client has left the queue (accept(2)).
    pub aborted: Option<u64>,
    /// From which the choice follows: the same one for the same calls.
    pub seed: u64,
}

/// A change that has been made to a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Twisted {
    /// The length, which was this.
    Length { was: u64, now: u64 },
    /// The call was not made: it fails with this.
    Instead(i32),
    /// The flags of a clone, without CLONE_UNTRACED.
    Traced { was: u64 },
}

impl Twist {
    /// Changes a call at its entry.
    pub(crate) fn apply(self, tid: i32, asked: &Asked, process: &Process) -> Option<Twisted> {
        if matches!(asked.call, Syscall::Clone | Syscall::Clone3) {
            return trace_the_child(tid, asked);
        }
        if self.short_reads.is_none()
            && self.short_writes.is_none()
            && self.eintr.is_none()
            && self.eagain.is_none()
            && self.aborted.is_none()
        {
            return None;
        }
        let fd = asked.int(0);
        if asked.call.waits_for_many() {
            // What it waits for may be another list each time; it is the same wait of the program.
            return self.interrupts(tid, (asked.call, -1), process);
        }
        let known = process.descriptors.get(fd);
        let is_stream =
            known.is_some_and(|of| of.socket == Some(true) && of.datagrams() != Some(true));
        // Edge-triggered, EAGAIN and a part are promises that the rest will be announced (epoll(7)).
        let is_stream = is_stream && !process.edges.contains(&fd);
        let (reads, writes) = match asked.call {
            Syscall::Read => (true, false),
            // MSG_WAITALL asks for all; MSG_PEEK takes nothing.
            Syscall::Recvfrom => {
                (asked.int(3) & (libc::MSG_WAITALL | libc::MSG_PEEK | libc::MSG_TRUNC) == 0, false)
            }
            Syscall::Write | Syscall::Sendto => (false, true),
            _ => (false, false),
        };
        if is_stream {
            let never_waits = known.is_some_and(|of| of.never_waits);
            let accepts = matches!(asked.call, Syscall::Accept | Syscall::Accept4);
            if accepts && self.is_one_in(self.aborted, process) {
                return Self::instead(tid, libc::ECONNABORTED);
            }
            if (reads || writes || accepts) && never_waits && self.is_one_in(self.eagain, process) {
                return Self::instead(tid, libc::EAGAIN);
            }
            if (reads || writes || accepts)
                && !never_waits
                && let Some(twisted) = self.interrupts(tid, (asked.call, fd), process)
            {
                return Some(twisted);
            }
            let most = if reads { self.short_reads } else { self.short_writes };
            if let Some(most) = most.filter(|&most| (reads || writes) && asked.args[2] > most)
                && registers::set_argument(Pid::from_raw(tid), 2, most).is_ok()
            {
                return Some(Twisted::Length { was: asked.args[2], now: most });
            }
        }
        None
    }

    /// Lets a call fail with EINTR if it is chosen, and never twice in a row: a program that makes a call again after EINTR does what
    /// signal(7) asks for, and the signal that interrupted it has been handled then.
    fn interrupts(self, tid: i32, call: (Syscall, i32), process: &Process) -> Option<Twisted> {
        let chosen = self.is_one_in(self.eintr, process);
        let mut interrupted = process.interrupted.borrow_mut();
        if interrupted.remove(&(tid, call)) || !chosen {
            return None;
        }
        let twisted = Self::instead(tid, libc::EINTR);
        if twisted.is_some() {
            interrupted.insert((tid, call));
        }
        twisted
    }

    fn instead(tid: i32, errno: i32) -> Option<Twisted> {
        registers::skip(Pid::from_raw(tid)).is_ok().then_some(Twisted::Instead(errno))
    }

    /// Whether the next call is chosen. Each process has a sequence of its own: so what others do in between changes
    /// nothing.
    fn is_one_in(self, n: Option<u64>, process: &Process) -> bool {
        let Some(n) = n.filter(|&n| n > 0) else { return false };
        let (number, count) = &process.chances;
        count.set(count.get() + 1);
        let count = number.wrapping_shl(32).wrapping_add(count.get());
        // splitmix64: one step of a sequence in which every number is as likely as any other.
        let mut x = self.seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)).is_multiple_of(n)
    }
}

/// The filter that a child inherits lets calls fail with ENOSYS where there is no tracer (seccomp(2)): so no child is left
/// without one.
fn trace_the_child(tid: i32, asked: &Asked) -> Option<Twisted> {
    const UNTRACED: u64 = libc::CLONE_UNTRACED as u64;
    let was = match asked.call {
        Syscall::Clone3 => clone_flags(asked).0,
        _ => asked.args[0],
    };
    (was & UNTRACED != 0 && set_clone_flags(tid, asked, was & !UNTRACED))
        .then_some(Twisted::Traced { was })
}

/// The flags are an argument of clone, and in the memory of clone3.
fn set_clone_flags(tid: i32, asked: &Asked, flags: u64) -> bool {
    let pid = Pid::from_raw(tid);
    match asked.call {
        Syscall::Clone3 => Memory(pid).write(asked.args[0], &flags.to_ne_bytes()),
        _ => registers::set_argument(pid, 0, flags).is_ok(),
    }
}

impl Twisted {
    /// Puts the registers back at the return of the call; what it returns to the program.
    pub(crate) fn undo(&self, tid: i32, asked: &Asked, register: i64) -> i64 {
        let pid = Pid::from_raw(tid);
        match *self {
            Twisted::Traced { was } => {
                // On ARM the result is in the register of the first argument, where clone had its flags.
                if asked.call == Syscall::Clone3 || cfg!(target_arch = "x86_64") {
                    set_clone_flags(tid, asked, was);
                }
                register
            }
            Twisted::Length { was, .. } => {
                let _ = registers::set_argument(pid, 2, was);
                register
            }
            Twisted::Instead(errno) => {
                let _ = registers::set_result(pid, -i64::from(errno));
                -i64::from(errno)
            }
        }
    }

    /// What was done, for the story.
    pub(crate) fn words(&self, asked: &Asked) -> Option<String> {
        let (lang, call, fd) = (Lang::current(), asked.call.name(), asked.int(0));
        Some(match *self {
            Twisted::Length { was, now } if asked.call.receives() => {
                let (bytes, was) = (counted(now, "byte"), grouped(was));
                say!(
                    lang,
                    "netplay asked the kernel for {bytes} instead of {was} in {call}({fd}): fewer may come at any time",
                    "netplay 在 {call}({fd}) 中只向内核要 {now} 字节而不是 {was}：随时可能来得更少",
                )
            }
            Twisted::Length { was, now } => {
                let (bytes, was) = (counted(now, "byte"), grouped(was));
                say!(
                    lang,
                    "netplay gave the kernel {bytes} instead of {was} in {call}({fd}): it may take fewer at any time",
                    "netplay 在 {call}({fd}) 中只交给内核 {now} 字节而不是 {was}：它随时可能只取走一部分",
                )
            }
            Twisted::Traced { .. } => lang
                .pick(
                    "asked for CLONE_UNTRACED, and netplay left that out: without a tracer the child's calls would fail",
                    "要求了 CLONE_UNTRACED，netplay 把它去掉了：没有跟踪者，子进程的调用会失败",
                )
                .to_owned(),
            Twisted::Instead(libc::EINTR) => say!(
                lang,
                "netplay made {call}({fd}) fail with EINTR: a signal may do so at any time",
                "netplay 让 {call}({fd}) 以 EINTR 失败：信号随时可能如此",
            ),
            Twisted::Instead(libc::ECONNABORTED) => say!(
                lang,
                "netplay made {call}({fd}) fail with ECONNABORTED: a client may leave the queue at any time",
                "netplay 让 {call}({fd}) 以 ECONNABORTED 失败：客户端随时可能离开队列",
            ),
            Twisted::Instead(_) => say!(
                lang,
                "netplay made {call}({fd}) fail with EAGAIN: a non-blocking call may do so at any time",
                "netplay 让 {call}({fd}) 以 EAGAIN 失败：非阻塞调用随时可能如此",
            ),
        })
    }
}
