//! io_uring: operations instead of calls.
//!
//! ```text
//! io_uring_setup          two rings of memory that program and kernel share
//! ring.prep_recvmsg(…)    writes "recvmsg, please" into the submission ring: no system call
//! io_uring_enter          tells the kernel to look at it; or waits for completions; or both
//! ring.cqe()              takes an answer out of the completion ring: no system call
//! ```
//!
//! strace sees io_uring_setup and io_uring_enter, and nothing of what they move. So submissions and
//! completions are records of their own kinds, `submit` and `complete`, tied by a number.

use std::collections::HashMap;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use io_uring::types::Fd;
use io_uring::{EnterFlags, IoUring, opcode};
use nix::errno::Errno;

use super::clock::monotonic;
use super::error::{CallError, Result};
use super::message::Message;
use super::record::{Answer, Step, Told, listening};

/// The two rings, and the memory that the kernel may still write to.
///
/// Dropping it is a [`close`](super::close), and is recorded as one.
pub struct Ring {
    /// Taken out by `drop` only.
    ring: ManuallyDrop<IoUring>,
    /// What was submitted, by its number. The memory stays here until the kernel is done with it.
    pending: HashMap<u64, Pending>,
    next: u64,
}

struct Pending {
    fd: RawFd,
    message: Message,
    /// When it was submitted.
    start: u64,
}

/// The answer to one operation.
#[derive(Debug)]
pub struct Completion {
    /// The number that the submission got.
    pub user_data: u64,
    /// What the call of that name would have returned.
    pub result: Result<usize>,
    /// The memory that was lent to the kernel.
    pub message: Message,
}

/// Makes the two rings: one for at least `entries` submissions, one for twice as many completions.
/// See io_uring_setup(2).
///
/// ENOSYS: this kernel has no io_uring. EPERM: it is not allowed here, by the sysctl
/// kernel.io_uring_disabled or by a seccomp filter, as in many containers.
pub fn io_uring_setup(entries: u32) -> Result<Ring> {
    let step = Step::begin("io_uring_setup", "io_uring_setup", None);
    // It also maps the rings into memory (mmap), which is no call on a socket.
    let made = IoUring::new(entries);
    let made = step.end(made, |told, ring| {
        let rings = ring.map_or("{flags=0}".to_owned(), |ring| {
            let (sq, cq) = (ring.params().sq_entries(), ring.params().cq_entries());
            format!("{{flags=0, sq_entries={sq}, cq_entries={cq}, ...}}")
        });
        told.args(format!("{entries}, {rings}"))
    })?;
    Ok(Ring { ring: ManuallyDrop::new(made), pending: HashMap::new(), next: 1 })
}

impl Answer for IoUring {
    fn answer(&self) -> i64 {
        i64::from(self.as_raw_fd())
    }
}

impl Ring {
    /// Writes into the submission ring that a [`recvmsg`](super::recvmsg) is wanted, and returns the
    /// number of this operation. This is no system call: the kernel knows nothing of it until
    /// [`io_uring_enter`], and until then the socket must stay open. It may write to the message until
    /// the completion gives it back. See io_uring_prep_recvmsg(3).
    ///
    /// EBUSY: the ring is full.
    #[expect(unsafe_code, reason = "the kernel keeps a pointer")]
    pub fn prep_recvmsg(&mut self, socket: &impl AsFd, mut message: Message) -> Result<u64> {
        let (fd, user_data) = (socket.as_fd().as_raw_fd(), self.next);
        let entry = opcode::RecvMsg::new(Fd(fd), message.header()).build().user_data(user_data);
        // SAFETY: the header is in a box that moves into `pending` with the message, and stays there
        // until the kernel has answered; see `drop` for a ring that ends before.
        if unsafe { self.ring.submission().push(&entry) }.is_err() {
            return Err(CallError::new("recvmsg", &Errno::EBUSY.into()));
        }
        let start = monotonic();
        if listening() {
            let args = format!("IORING_OP_RECVMSG, fd={fd}, user_data={user_data}");
            Told::operation("submit", user_data, Some(fd), (start, start))
                .args(args)
                .record("recvmsg");
        }
        self.pending.insert(user_data, Pending { fd, message, start });
        self.next += 1;
        Ok(user_data)
    }

    /// Takes the next answer out of the completion ring, if there is one. This is no system call.
    /// See io_uring_peek_cqe(3) and io_uring_cqe_seen(3).
    pub fn cqe(&mut self) -> Option<Completion> {
        let entry = self.ring.completion().next()?;
        let user_data = entry.user_data();
        let Pending { fd, mut message, start } = self.pending.remove(&user_data)?;
        let result = match usize::try_from(entry.result()) {
            Ok(n) => Ok(n),
            Err(_) => Err(io::Error::from_raw_os_error(-entry.result())),
        };
        if let Ok(n) = result {
            message.filled(n);
        }
        if listening() {
            let span = (start, monotonic());
            let told = Told::operation("complete", user_data, Some(fd), span)
                .args(format!("user_data={user_data}, res={}", entry.result()))
                .answer(entry.result());
            let told = match result {
                Ok(n) => told.message(&message, n),
                Err(_) => told,
            };
            told.record("recvmsg");
        }
        let result = result.map_err(|error| CallError::new("recvmsg", &error));
        Some(Completion { user_data, result, message })
    }
}

/// Hands `to_submit` submissions to the kernel, and waits until `min_complete` completions are in
/// their ring; with 0 it does not wait. Returns how many submissions the kernel took. See
/// io_uring_enter(2).
#[expect(unsafe_code, reason = "the crate leaves the arguments to the caller")]
pub fn io_uring_enter(ring: &mut Ring, to_submit: u32, min_complete: u32) -> Result<usize> {
    let fd = ring.ring.as_raw_fd();
    let flags = if min_complete > 0 { EnterFlags::GETEVENTS } else { EnterFlags::empty() };
    let step = Step::begin("io_uring_enter", "io_uring_enter", Some(fd));
    // SAFETY: the kernel reads what `prep_…` wrote, whose memory is in `pending`; there is no sigset.
    let taken = unsafe {
        ring.ring.submitter().enter(to_submit, min_complete, flags.bits(), None::<&libc::sigset_t>)
    };
    step.end(taken, |told, _| {
        let flags = if min_complete > 0 { "IORING_ENTER_GETEVENTS" } else { "0" };
        let size = size_of::<libc::sigset_t>();
        told.args(format!("{fd}, {to_submit}, {min_complete}, {flags}, NULL, {size}"))
    })
}

impl Drop for Ring {
    #[expect(unsafe_code, reason = "the close is recorded around the destructor that makes it")]
    fn drop(&mut self) {
        let fd = self.ring.as_raw_fd();
        let step = Step::begin("close", "close", Some(fd)).forget(fd);
        // SAFETY: nobody uses the ring after its own drop. It unmaps the memory and closes once.
        unsafe { ManuallyDrop::drop(&mut self.ring) };
        let _ = step.end(Ok(()), |told, _| told.args(fd.to_string()));
        for (_, pending) in self.pending.drain() {
            // The kernel cancels what is pending in its own time, and may write until then: this
            // memory is never used again.
            std::mem::forget(pending.message);
        }
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("fd", &self.ring.as_raw_fd()).finish_non_exhaustive()
    }
}
