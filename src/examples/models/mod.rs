//! # The five models of I/O: one message, received in seven ways
//!
//! Receiving has two phases: **waiting** until data has arrived in the kernel, and **copying** it from
//! the kernel to the program. The models differ in what waits, and where.
//!
//! ```text
//!                  waiting for the data                 copying it to the program
//! blocking         recvmsg ........................................... returns
//! non-blocking     recvmsg EAGAIN, recvmsg EAGAIN, ...  recvmsg ...... returns
//! multiplexed      select, poll or epoll_wait .......   recvmsg ...... returns
//! signal-driven    (free to work) ........... SIGIO     recvmsg ...... returns
//! asynchronous     io_uring_enter, (free to work) .................... completion
//! ```
//!
//! Watch the processor in the first phase: one model burns it, the others do not use it. And
//! watch the copy: in the first four models the program waits for its own copy, so select, poll,
//! epoll and SIGIO are **synchronous** I/O, whatever they are called. Only in the last one does the kernel
//! do both phases, and the program need not return in between.
//!
//! A program that waits for one socket does not need select: this page compares the ways of waiting, not their
//! uses. `watch.time` reads the clock before and after a call, and makes no call itself.

mod stopwatch;

pub use stopwatch::{Stopwatch, WAITING};

use std::os::fd::{AsRawFd, BorrowedFd};

use anyhow::Result;

use super::nonblocking::set_nonblocking;
use super::row::{Both, Row};
use crate::call::{
    self, EpollFlags, EpollOp, FcntlArg::F_GETFL, FcntlArg::F_SETFL, FdSet, Message, OFlag, Pid,
    SigSet, SigmaskHow, Signal, epoll_event, pollfd,
};

/// A way to receive.
#[derive(Debug)]
pub struct Model {
    /// Its name on the command line and in the figure.
    pub name: &'static str,
    /// Which of the five models it is.
    pub kind: &'static str,
    /// What the program does in the first phase.
    pub meanwhile: &'static str,
    /// The calls that it makes once, before.
    pub setup: &'static [&'static str],
    /// Whether one call does both phases, so that a program cannot tell where the second begins.
    pub in_one: bool,
    /// It receives, and `Stopwatch` notes when.
    pub receive: fn(BorrowedFd<'_>, Message, &mut Stopwatch) -> Result<Message>,
}

/// All of them, in the order in which books teach them.
pub const MODELS: &[Model] = &[
    Model {
        name: "blocking",
        kind: "blocking",
        meanwhile: "asleep in recvmsg",
        setup: &[],
        in_one: true,
        receive: blocking,
    },
    Model {
        name: "nonblocking",
        kind: "non-blocking",
        meanwhile: "awake and asking",
        setup: &["fcntl", "fcntl"],
        in_one: false,
        receive: nonblocking,
    },
    Model {
        name: "select",
        kind: "multiplexed",
        meanwhile: "asleep in select",
        setup: &[],
        in_one: false,
        receive: select,
    },
    Model {
        name: "poll",
        kind: "multiplexed",
        meanwhile: "asleep in poll",
        setup: &[],
        in_one: false,
        receive: poll,
    },
    Model {
        name: "epoll",
        kind: "multiplexed",
        meanwhile: "asleep in epoll_wait",
        setup: &["epoll_create", "epoll_ctl"],
        in_one: false,
        receive: epoll,
    },
    Model {
        name: "sigio",
        kind: "signal-driven",
        meanwhile: "free to work; here asleep in sigtimedwait",
        setup: &["sigprocmask", "fcntl", "fcntl", "fcntl"],
        in_one: false,
        receive: sigio,
    },
    Model {
        name: "io_uring",
        kind: "asynchronous",
        meanwhile: "free to work; here asleep in io_uring_enter",
        setup: &["io_uring_setup"],
        in_one: true,
        receive: io_uring,
    },
];

/// One call for both phases: the kernel puts the program to sleep, wakes it, and copies, all before
/// the call returns.
fn blocking(
    socket: BorrowedFd<'_>,
    mut message: Message,
    watch: &mut Stopwatch,
) -> Result<Message> {
    watch.start()?;
    watch.time(|| call::recvmsg(&socket, &mut message, 0))?;
    Ok(message)
}

/// No call waits: the program asks until the answer is no longer EAGAIN. The last call only copies.
fn nonblocking(
    socket: BorrowedFd<'_>,
    mut message: Message,
    watch: &mut Stopwatch,
) -> Result<Message> {
    set_nonblocking(&socket)?;
    watch.start()?;
    loop {
        match watch.time(|| call::recvmsg(&socket, &mut message, 0)) {
            Err(error) if error.would_block() => {} // and again at once
            answer => return Ok(answer.map(|_| message)?),
        }
    }
}

/// One call waits, another copies.
fn select(socket: BorrowedFd<'_>, mut message: Message, watch: &mut Stopwatch) -> Result<Message> {
    let (mut reads, mut writes) = (FdSet::new(), FdSet::new());
    reads.insert(&socket);
    let nfds = socket.as_raw_fd() + 1;
    watch.start()?;
    watch.time(|| call::select(nfds, &mut reads, &mut writes, None))?;
    watch.time(|| call::recvmsg(&socket, &mut message, 0))?;
    Ok(message)
}

/// The same, with a list in place of sets.
fn poll(socket: BorrowedFd<'_>, mut message: Message, watch: &mut Stopwatch) -> Result<Message> {
    let mut fds = [pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
    watch.start()?;
    watch.time(|| call::poll(&mut fds, None))?;
    watch.time(|| call::recvmsg(&socket, &mut message, 0))?;
    Ok(message)
}

/// The same, with the list in the kernel.
fn epoll(socket: BorrowedFd<'_>, mut message: Message, watch: &mut Stopwatch) -> Result<Message> {
    let epoll = call::epoll_create()?;
    call::epoll_ctl(&epoll, EpollOp::EpollCtlAdd, &socket, EpollFlags::EPOLLIN)?;
    let mut events = [epoll_event { events: 0, u64: 0 }];
    watch.start()?;
    watch.time(|| call::epoll_wait(&epoll, &mut events, None))?;
    watch.time(|| call::recvmsg(&socket, &mut message, 0))?;
    watch.stop()?;
    call::close(epoll)?;
    Ok(message)
}

/// The kernel sends a signal when something has happened. It does not say what, so the program calls recvmsg,
/// which may fail with EAGAIN. The page waits for the signal instead of handling it, because a handler could do
/// little more than note that it ran.
fn sigio(socket: BorrowedFd<'_>, mut message: Message, watch: &mut Stopwatch) -> Result<Message> {
    let signal: SigSet = Signal::SIGIO.into();
    call::sigprocmask(SigmaskHow::SIG_BLOCK, &signal)?;
    call::fcntl_setown(&socket, Pid::this())?;
    let flags = OFlag::from_bits_retain(call::fcntl(&socket, F_GETFL)?);
    call::fcntl(&socket, F_SETFL(flags | OFlag::O_ASYNC | OFlag::O_NONBLOCK))?;
    watch.start()?;
    loop {
        watch.time(|| call::sigtimedwait(&signal, None))?; // or any work, until the signal comes
        match watch.time(|| call::recvmsg(&socket, &mut message, 0)) {
            Err(error) if error.would_block() => {}
            answer => return Ok(answer.map(|_| message)?),
        }
    }
}

/// Hands the receive itself to the kernel, with the memory to fill. The program can look for the
/// completion at any time in the ring, without a system call; it needs one only to sleep until then.
/// (Linux makes the copy in the program's thread, the next time that thread is in the kernel.)
fn io_uring(socket: BorrowedFd<'_>, message: Message, watch: &mut Stopwatch) -> Result<Message> {
    let mut ring = call::io_uring_setup(1, 0)?;
    watch.start()?;
    ring.prep_recvmsg(&socket, message)?;
    watch.time(|| call::io_uring_enter(&mut ring, 1, 0, None))?;
    loop {
        watch.time(|| call::io_uring_enter(&mut ring, 0, 1, None))?; // or any work, until the answer is there
        if let Some(done) = ring.cqe() {
            done.result?;
            watch.stop()?;
            return Ok(done.message.expect("it was lent with the submission"));
        }
    }
}

/// Its row in the table.
pub const ROW: Row = Row::Command {
    name: "models",
    summary: Both { en: "the five models of I/O, measured", zh: "五种 I/O 模型，实测" },
    next: Some(Both::same("netplay models -o models.svg")),
    lesson: "io-models",
};
