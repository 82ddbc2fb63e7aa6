//! io_uring: operations instead of calls.
//!
//! ```text
//! io_uring_setup          two rings of memory that program and kernel share
//! ring.prep_recv(…)       writes "recv, please" into the submission ring: no system call
//! io_uring_enter          tells the kernel to look at it; or waits for completions; or both
//! ring.cqe()              takes an answer out of the completion ring: no system call
//! ```
//!
//! strace sees io_uring_setup, io_uring_register and io_uring_enter, but not what moves through the
//! rings. So submissions and completions have their own kinds of record, `submit` and `complete`, linked
//! by a number.
//!
//! When a call has returned, its memory belongs to the program again. When `prep_…` returns, the operation
//! has only begun. So the ring keeps the memory until the kernel is done with it, and hands it out with the
//! completion.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};
use nix::errno::Errno;

use super::buffers::{Buffer, Buffers};
use super::clock::monotonic;
use super::error::{CallError, Result};
use super::gather::Wait;
use super::hide;
use super::listener::listening;
use super::message::Message;
use super::owned::{Descriptor, Socket};
use super::step::{self, Answer, Step};
use netplay_record::{
    self as record, Bytes, BytesName, Call, Connection, ConnectionName, Entry, Name, Polled,
    Receive, RingName, Send, Submission, WaitName,
};

/// The two rings, and the memory that the kernel may still write to.
///
/// Dropping it is a [`close`](super::close), and is recorded as one. The kernel then cancels what is
/// pending.
pub struct Ring {
    /// Taken out by `drop` only.
    ring: ManuallyDrop<IoUring>,
    /// Operations that are submitted and not completed; the number of an operation is its place, from 1 on. The
    /// memory stays here until the kernel is done with it.
    pending: Vec<Option<Pending>>,
    /// The places that are empty.
    free: Vec<usize>,
    /// Taken out by `drop` only.
    buffers: ManuallyDrop<Buffers>,
}

struct Pending {
    operation: Operation,
    fd: RawFd,
    lent: Lent,
    /// When it was submitted; 0 without a listener.
    start: u64,
}

/// Memory that the kernel uses meanwhile.
enum Lent {
    Nothing,
    Message(Message),
    Buffer(Buffer),
}

/// The kind of an operation; netplay does not need the other kinds of io_uring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// An [`accept`](super::accept).
    Accept,
    /// A [`recv`](super::recv).
    Recv,
    /// A [`send`](super::send).
    Send,
    /// A [`recvmsg`](super::recvmsg).
    Recvmsg,
    /// A [`poll`](super::poll) of one descriptor.
    Poll,
    /// The end of another operation.
    Cancel,
}

impl Operation {
    /// The name of the call that it stands for.
    fn call(self) -> Name {
        match self {
            Operation::Accept => ConnectionName::Accept.into(),
            Operation::Recv => BytesName::Recv.into(),
            Operation::Send => BytesName::Send.into(),
            Operation::Recvmsg => BytesName::Recvmsg.into(),
            Operation::Poll => WaitName::Poll.into(),
            Operation::Cancel => RingName::Cancel.into(),
        }
    }

    /// The call that it stands for, as a value.
    fn told(self) -> Call {
        match self {
            Operation::Accept => {
                Connection::Accept { peer: None, nonblock: false, cloexec: true }.into()
            }
            Operation::Recv => Bytes::Recv(Receive::default()).into(),
            Operation::Send => Bytes::Send(Send::default()).into(),
            Operation::Recvmsg => Bytes::Recvmsg(Receive::default(), None).into(),
            Operation::Poll => record::Wait::Poll(Vec::new(), -1).into(),
            Operation::Cancel => record::Ring::Cancel.into(),
        }
    }
}

/// How often an operation completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shot {
    /// Single-shot: once, like a call; then submit it again.
    Single,
    /// Multishot: every time something arrives, until a completion says that it was the last.
    Multi,
}

/// The completion of an operation.
#[derive(Debug)]
pub struct Completion {
    /// The number that the submission got.
    pub user_data: u64,
    /// What was submitted.
    pub operation: Operation,
    /// The descriptor that it was about.
    pub fd: RawFd,
    /// What the call of that name would have returned.
    pub result: Result<usize>,
    /// Whether more completions will come (IORING_CQE_F_MORE). If not, the number is free again.
    pub more: bool,
    /// The socket that an accept made.
    pub accepted: Option<Socket>,
    /// The bytes that a recv brought; for a send, the bytes that were not sent.
    pub buffer: Option<Buffer>,
    /// The memory that was lent to a recvmsg.
    pub message: Option<Message>,
}

/// Only the thread that made the ring submits (IORING_SETUP_SINGLE_ISSUER), and the kernel does
/// its work while that thread waits, without interrupting it (IORING_SETUP_DEFER_TASKRUN).
/// Since Linux 6.1.
pub const ONE_THREAD: u32 = 1 << 12 | 1 << 13;

/// Makes the two rings: one for at least `entries` submissions, one for twice as many completions.
/// The flags are 0 or [`ONE_THREAD`]. See io_uring_setup(2).
///
/// ENOSYS: this kernel has no io_uring. EPERM: it is not allowed here, by the sysctl
/// kernel.io_uring_disabled or by a seccomp filter, as in many containers. EINVAL: this kernel does
/// not know the flags.
pub fn io_uring_setup(entries: u32, flags: u32) -> Result<Ring> {
    let step = Step::begin(RingName::Setup, None);
    let mut builder = IoUring::builder();
    if flags == ONE_THREAD {
        builder.setup_single_issuer().setup_defer_taskrun();
    }
    // It also maps the rings into memory (mmap), which is not a call on a socket.
    let made = builder.build(entries);
    let made = step.end(made, |ring| {
        let room = ring.map(|ring| (ring.params().sq_entries(), ring.params().cq_entries()));
        record::Ring::Setup { entries, flags, room }
    })?;
    let buffers = ManuallyDrop::new(Buffers::new(1, 0));
    Ok(Ring { ring: ManuallyDrop::new(made), pending: vec![], free: vec![], buffers })
}

impl Answer for IoUring {
    fn answer(&self) -> i64 {
        i64::from(self.as_raw_fd())
    }
}

/// Provides the kernel with `count` buffers of this size, and room for `most`: a multishot recv
/// takes one when bytes arrive, and needs none while it waits. See io_uring_register(2) and
/// io_uring_register_buf_ring(3). Call it once.
///
/// The kernel allows 32,768. EINVAL: it does not have this feature (before Linux 5.19).
#[expect(unsafe_code, reason = "the kernel keeps a pointer")]
pub fn io_uring_register_buf_ring(
    ring: &mut Ring,
    size: usize,
    count: usize,
    most: u16,
) -> Result<()> {
    let fd = ring.ring.as_raw_fd();
    let mut buffers = Buffers::new(size, most);
    assert!(ring.buffers.is_empty(), "a ring has one kind of buffers");
    let (address, entries) = buffers.buffer_ring();
    let step = Step::begin(RingName::RegisterBuffers, Some(fd));
    // SAFETY: the buffer ring is in `buffers`, which the ring keeps for as long as the kernel may use it.
    let registered =
        unsafe { ring.ring.submitter().register_buf_ring_with_flags(address, entries, GROUP, 0) };
    step.end(registered, |_| record::Ring::RegisterBuffers {
        at: address,
        room: entries.into(),
        group: GROUP,
    })?;
    buffers.make(count);
    *ring.buffers = buffers;
    Ok(())
}

/// The group number of the buffer ring. io_uring allows several; netplay uses one.
const GROUP: u16 = 0;

impl Ring {
    /// Makes buffers of this size, at most this many, for a kernel without provided buffers: each recv has
    /// one from its submission on.
    pub fn lend_buffers(&mut self, size: usize, most: u16) {
        assert!(self.buffers.is_empty(), "a ring has one kind of buffers");
        *self.buffers = Buffers::new(size, most);
    }

    /// Adds a buffer, if the limit allows: a recv found no buffer (ENOBUFS).
    pub fn another_buffer(&mut self) {
        self.buffers.make(1);
    }

    /// The bytes that are in a buffer.
    #[must_use]
    pub fn bytes<'a>(&'a self, buffer: &'a Buffer) -> &'a [u8] {
        self.buffers.bytes(buffer)
    }

    /// Hands the buffer back: its bytes are no longer needed, and the kernel may fill it again.
    pub fn give_back(&mut self, buffer: Buffer) {
        self.buffers.give_back(buffer);
    }

    /// The number of submissions that the kernel has not taken yet.
    pub fn to_submit(&mut self) -> u32 {
        self.ring.submission().len() as u32
    }

    /// Writes an [`accept`](super::accept) into the submission ring, and returns the
    /// number of this operation. This is not a system call: the kernel does not see it before
    /// [`io_uring_enter`], and until then the socket must stay open. `getpeername` tells which client
    /// has connected. See io_uring_prep_multishot_accept(3).
    ///
    /// EBUSY: the ring is full.
    pub fn prep_accept(&mut self, listener: &impl AsFd, shot: Shot) -> Result<u64> {
        let fd = listener.as_fd().as_raw_fd();
        let (to, flags) = (Fd(fd), libc::SOCK_CLOEXEC);
        let entry = match shot {
            Shot::Single => opcode::Accept::new(to, std::ptr::null_mut(), std::ptr::null_mut())
                .flags(flags)
                .build(),
            Shot::Multi => opcode::AcceptMulti::new(to).flags(flags).build(),
        };
        let told = Entry::Accept { often: shot == Shot::Multi };
        self.prep(entry, Operation::Accept, fd, Lent::Nothing, told)
    }

    /// Like [`prep_accept`](Ring::prep_accept), for a [`recv`](super::recv): single-shot into a buffer that it
    /// holds from now on, multishot each time into a provided buffer that the kernel chooses. See
    /// io_uring_prep_recv_multishot(3).
    ///
    /// ENOBUFS: no buffer is left.
    pub fn prep_recv(&mut self, socket: &impl AsFd, shot: Shot) -> Result<u64> {
        let fd = socket.as_fd().as_raw_fd();
        let (entry, lent) = match shot {
            Shot::Single => {
                let no_buffer = || CallError::new(BytesName::Recv, &Errno::ENOBUFS.into());
                let buffer = self.buffers.take().ok_or_else(no_buffer)?;
                let (memory, size) = (self.buffers.pointer(&buffer), self.buffers.size() as u32);
                (opcode::Recv::new(Fd(fd), memory, size).build(), Lent::Buffer(buffer))
            }
            Shot::Multi => (opcode::RecvMulti::new(Fd(fd), GROUP).build(), Lent::Nothing),
        };
        let told = match shot {
            Shot::Single => Entry::Recv(self.buffers.size()),
            Shot::Multi => Entry::RecvOften(GROUP),
        };
        self.prep(entry, Operation::Recv, fd, lent, told)
    }

    /// Like [`prep_accept`](Ring::prep_accept), for a [`send`](super::send) of the bytes in the buffer, which
    /// comes back with the completion. Do not submit a second send before that: the order of the two is
    /// undefined. See io_uring_prep_send(3).
    pub fn prep_send(&mut self, socket: &impl AsFd, buffer: Buffer) -> Result<u64> {
        let fd = socket.as_fd().as_raw_fd();
        let (memory, len) = (self.buffers.pointer(&buffer), buffer.to - buffer.from);
        let entry = opcode::Send::new(Fd(fd), memory, len as u32).flags(libc::MSG_NOSIGNAL).build();
        self.prep(entry, Operation::Send, fd, Lent::Buffer(buffer), Entry::Send(len))
    }

    /// Like [`prep_accept`](Ring::prep_accept), for a [`recvmsg`](super::recvmsg). The message belongs to the kernel
    /// until the completion returns it. See io_uring_prep_recvmsg(3).
    pub fn prep_recvmsg(&mut self, socket: &impl AsFd, mut message: Message) -> Result<u64> {
        let fd = socket.as_fd().as_raw_fd();
        let entry = opcode::RecvMsg::new(Fd(fd), message.header()).build();
        self.prep(entry, Operation::Recvmsg, fd, Lent::Message(message), Entry::Recvmsg)
    }

    /// Like [`prep_accept`](Ring::prep_accept), for a [`poll`](super::poll): one completion when one of these
    /// events has happened. Errors and hang-ups are always reported. See io_uring_prep_poll_add(3).
    pub fn prep_poll(&mut self, socket: &impl AsFd, events: i16) -> Result<u64> {
        let fd = socket.as_fd().as_raw_fd();
        let entry = opcode::PollAdd::new(Fd(fd), events.cast_unsigned().into()).build();
        self.prep(entry, Operation::Poll, fd, Lent::Nothing, Entry::Poll(events))
    }

    /// Like [`prep_accept`](Ring::prep_accept), to cancel the operation of this number: its last
    /// completion then says ECANCELED. See io_uring_prep_cancel64(3).
    ///
    /// The completion says ENOENT if it had ended, EALREADY if it can't be stopped any more.
    pub fn prep_cancel(&mut self, user_data: u64) -> Result<u64> {
        let pending = self.pending.get(user_data as usize - 1).and_then(Option::as_ref);
        let fd = pending.map_or(self.ring.as_raw_fd(), |pending| pending.fd);
        let entry = opcode::AsyncCancel::new(user_data).build();
        self.prep(entry, Operation::Cancel, fd, Lent::Nothing, Entry::Cancel(user_data))
    }

    #[expect(unsafe_code, reason = "the kernel keeps a pointer")]
    fn prep(
        &mut self,
        entry: squeue::Entry,
        operation: Operation,
        fd: RawFd,
        lent: Lent,
        told: Entry,
    ) -> Result<u64> {
        let place = self.free.pop().unwrap_or_else(|| {
            self.pending.push(None);
            self.pending.len() - 1
        });
        let user_data = place as u64 + 1;
        let entry = entry.user_data(user_data);
        // SAFETY: what the entry points to is in `lent`, on the heap, or in a buffer whose number is
        // there. It moves into `pending` below and stays until the kernel has answered; see `drop` for
        // a ring that ends before.
        if unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.free.push(place);
            return Err(CallError::new(operation.call(), &Errno::EBUSY.into()));
        }
        let mut start = 0;
        if listening() {
            start = monotonic();
            let call = match told {
                Entry::Poll(events) => poll_of(fd, events, 0),
                _ => operation.told(),
            };
            step::submitted(call, Submission { user_data, fd, entry: told }, start);
        }
        self.pending[place] = Some(Pending { operation, fd, lent, start });
        Ok(user_data)
    }

    /// Takes the next completion out of its ring, if there is one. This is not a system call.
    /// See io_uring_peek_cqe(3) and io_uring_cqe_seen(3).
    pub fn cqe(&mut self) -> Option<Completion> {
        let entry = self.ring.completion().next()?;
        let user_data = entry.user_data();
        let place = user_data as usize - 1;
        let (more, res) = (cqueue::more(entry.flags()), entry.result());
        let pending = self.pending[place].as_mut().expect("the kernel answers what was submitted");
        let Pending { operation, fd, start, .. } = *pending;
        let mut lent = Lent::Nothing;
        if !more {
            lent = std::mem::replace(&mut pending.lent, lent);
            self.pending[place] = None;
            self.free.push(place);
        }
        let result = usize::try_from(res).map_err(|_| io::Error::from_raw_os_error(-res));
        let n = *result.as_ref().unwrap_or(&0);
        let (mut buffer, mut message) = (None, None);
        match lent {
            Lent::Nothing => {}
            Lent::Message(mut lent) => {
                lent.filled(n);
                message = Some(lent);
            }
            Lent::Buffer(mut lent) if operation == Operation::Recv => {
                lent.to = n;
                buffer = Some(lent);
            }
            Lent::Buffer(lent) => buffer = Some(lent),
        }
        if let Some(number) = cqueue::buffer_select(entry.flags()) {
            buffer = Some(self.buffers.taken(number, n));
        }
        if listening() {
            let span = (start, monotonic());
            let answer = record::Answer {
                user_data,
                result: res,
                buffer: cqueue::buffer_select(entry.flags()),
                more,
                nonempty: cqueue::sock_nonempty(entry.flags()),
            };
            let call = match result {
                Ok(n) => self.told((operation, fd), n, buffer.as_ref(), message.as_ref()),
                Err(_) => operation.told(),
            };
            step::completed(call, fd, answer, span);
        }
        if let (Operation::Send, Some(buffer)) = (operation, &mut buffer) {
            buffer.from += n;
        }
        if let (Operation::Recv, 0) = (operation, n)
            && let Some(empty) = buffer.take()
        {
            self.give_back(empty);
        }
        let accepted = (operation == Operation::Accept && result.is_ok()).then(|| new_socket(res));
        let result = result.map_err(|error| CallError::new(operation.call(), &error));
        Some(Completion { user_data, operation, fd, result, more, accepted, buffer, message })
    }

    /// What a successful operation did, as the call that it stands for.
    fn told(
        &self,
        (operation, fd): (Operation, RawFd),
        n: usize,
        buffer: Option<&Buffer>,
        message: Option<&Message>,
    ) -> Call {
        let bytes = buffer.map_or(&[][..], |buffer| self.bytes(buffer));
        match operation {
            Operation::Accept | Operation::Cancel => operation.told(),
            Operation::Recv => {
                let data = Some(hide::received(fd, bytes));
                Bytes::Recv(Receive { data, ..Receive::default() }).into()
            }
            Operation::Send => {
                Bytes::Send(Send { flags: libc::MSG_NOSIGNAL, data: hide::sent(fd, bytes, n) })
                    .into()
            }
            Operation::Recvmsg => match message {
                Some(message) => message.told(fd, 0, Some(n)).into(),
                None => operation.told(),
            },
            Operation::Poll => poll_of(fd, 0, n as i16),
        }
    }
}

/// A poll of one descriptor.
fn poll_of(fd: RawFd, events: i16, revents: i16) -> Call {
    record::Wait::Poll(vec![Polled { fd, events, revents }], -1).into()
}

#[expect(unsafe_code, reason = "the kernel returns a descriptor as a number")]
fn new_socket(fd: RawFd) -> Socket {
    // SAFETY: the number comes from a successful accept: it is new, and nothing else owns it.
    Socket(Descriptor::new(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Hands `to_submit` submissions to the kernel, and waits until `min_complete` completions are in
/// their ring, or the time has passed; with 0 it does not wait, and `None` waits for ever. Returns how many
/// submissions the kernel took. See io_uring_enter(2).
///
/// ETIME: the time passed first.
#[expect(unsafe_code, reason = "the crate leaves the arguments to the caller")]
pub fn io_uring_enter(
    ring: &mut Ring,
    to_submit: u32,
    min_complete: u32,
    timeout: Option<Duration>,
) -> Result<usize> {
    let fd = ring.ring.as_raw_fd();
    let mut flags = EnterFlags::empty();
    flags.set(EnterFlags::GETEVENTS, min_complete > 0);
    flags.set(EnterFlags::EXT_ARG, timeout.is_some());
    let time = timeout.map(Timespec::from);
    let waits = time.as_ref().map(|time| SubmitArgs::new().timespec(time));
    let step = Step::wait(RingName::Enter, Some(fd), Wait::Others);
    let submitter = ring.ring.submitter();
    // SAFETY: the kernel reads what `prep_…` wrote, whose memory is in `pending`. The last argument is
    // what the flags say: no sigset, or a SubmitArgs, which borrows its time; both for this call.
    let taken = unsafe {
        match &waits {
            None => submitter.enter(to_submit, min_complete, flags.bits(), None::<&libc::sigset_t>),
            Some(waits) => submitter.enter(to_submit, min_complete, flags.bits(), Some(waits)),
        }
    };
    step.end(taken, |_| record::Ring::Enter {
        to_submit,
        min_complete,
        flags: flags.bits(),
        extra: waits.as_ref().map(|waits| (ptr::from_ref(waits).addr(), size_of_val(waits))),
    })
}

impl Drop for Ring {
    #[expect(unsafe_code, reason = "the close is recorded around the destructor that makes it")]
    fn drop(&mut self) {
        let fd = self.ring.as_raw_fd();
        let step = Step::begin(ConnectionName::Close, Some(fd)).forget(fd);
        // SAFETY: the ring is not used after its own drop. It unmaps the memory and closes once.
        unsafe { ManuallyDrop::drop(&mut self.ring) };
        let _ = step.end(Ok(()), |_| Connection::Close);
        let pending: Vec<Pending> = self.pending.drain(..).flatten().collect();
        if pending.is_empty() {
            // SAFETY: as for the ring; and no operation is left that could write to them.
            unsafe { ManuallyDrop::drop(&mut self.buffers) };
        } else {
            // The kernel cancels what is pending in its own time, and may write until then: this
            // memory, and that of the buffers, is never used again.
            std::mem::forget(pending);
        }
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("fd", &self.ring.as_raw_fd()).finish_non_exhaustive()
    }
}
