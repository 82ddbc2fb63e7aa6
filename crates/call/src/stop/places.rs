//! How many clients a server may have at once.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::{Entry, How, Stop, Wait};
use crate::descriptor::out_of_the_way;

/// How many more clients may be served: a counting semaphore that a signal handler can raise. It is
/// an eventfd, whose read waits while it is zero (eventfd(2)).
#[derive(Debug)]
pub struct Places {
    /// One place more than there is wakes the thread that waits for one, and that sees the stop.
    entry: Entry,
    free: OwnedFd,
}

impl Stop {
    /// Places for at most `max` clients at once; waiting for one ends with this stop.
    ///
    /// # Errors
    /// No descriptor is left for the eventfd behind it.
    pub fn places(&self, max: usize) -> io::Result<Places> {
        let flags = EfdFlags::EFD_SEMAPHORE | EfdFlags::EFD_CLOEXEC;
        let free = EventFd::from_value_and_flags(u32::try_from(max).unwrap_or(u32::MAX), flags)?;
        let free = out_of_the_way(free.into());
        let entry = self.enter(Wait { fd: free.as_raw_fd(), how: How::Count });
        Ok(Places { entry, free })
    }
}

impl Places {
    /// Waits for a free place and takes it; `false` if the stop came first.
    ///
    /// # Errors
    /// None that read(2) documents for an eventfd.
    pub fn take(&self) -> io::Result<bool> {
        loop {
            match nix::unistd::read(&self.free, &mut [0; 8]) {
                Ok(_) if self.entry.stop.requested() => {
                    self.entry.stop.pass_on();
                    return Ok(false);
                }
                Ok(_) => return Ok(true),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Gives a place back.
    pub fn give_back(&self) {
        nix::unistd::write(&self.free, &1u64.to_ne_bytes())
            .expect("the count is far below the 2^64 that would make this fail");
    }
}
