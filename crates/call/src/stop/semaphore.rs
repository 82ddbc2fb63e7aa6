//! A semaphore: how many clients a server may have at once.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::{Entry, How, Stop, Wait};
use crate::descriptor::out_of_the_way;

/// A counting semaphore whose waits a stop ends, also a stop that a signal handler requests. It is a number, and an eventfd
/// for threads that find it at zero: their read waits until the eventfd is raised (eventfd(2)). So only a wait, and its
/// end, is a system call.
#[derive(Debug)]
pub struct Semaphore {
    /// The stop raises the eventfd once more: the thread that waits wakes, and sees the stop.
    entry: Entry,
    /// Its value; below zero: how many threads wait.
    left: AtomicI64,
    raised: OwnedFd,
}

impl Stop {
    /// A semaphore for at most `max` clients at once; this stop ends waits on it.
    ///
    /// # Errors
    /// No descriptor is left for the eventfd behind it.
    pub fn semaphore(&self, value: usize) -> io::Result<Semaphore> {
        let flags = EfdFlags::EFD_SEMAPHORE | EfdFlags::EFD_CLOEXEC;
        let raised = out_of_the_way(EventFd::from_value_and_flags(0, flags)?.into());
        let left = AtomicI64::new(value.try_into().unwrap_or(i64::MAX));
        let entry = self.enter(Wait { fd: raised.as_raw_fd(), how: How::Count });
        Ok(Semaphore { entry, left, raised })
    }
}

impl Semaphore {
    /// Waits until it is above zero, and lowers it by one; `false` if the stop came first.
    ///
    /// # Errors
    /// Not for an eventfd, as read(2) documents.
    pub fn acquire(&self) -> io::Result<bool> {
        let stop = &self.entry.stop;
        let mut taken = !stop.requested() && self.left.fetch_sub(1, SeqCst) > 0;
        while !taken && !stop.requested() {
            match nix::unistd::read(&self.raised, &mut [0; 8]) {
                Ok(_) => taken = !stop.requested(),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        if !taken {
            stop.pass_on();
        }
        Ok(taken)
    }

    /// Raises it by one.
    pub fn release(&self) {
        if self.left.fetch_add(1, SeqCst) < 0 {
            nix::unistd::write(&self.raised, &1u64.to_ne_bytes())
                .expect("the count is far below the 2^64 that would make this fail");
        }
    }
}
