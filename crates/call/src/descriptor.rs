//! netplay's own descriptors: they get high numbers, so that the program's sockets have low ones.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// The same open file under a number of 100 or more, so that the program's first socket is descriptor
/// 3, as on the page. If the limit is below that, it keeps its low number.
#[must_use]
#[expect(unsafe_code, reason = "fcntl returns a descriptor as a number")]
pub fn out_of_the_way(low: OwnedFd) -> OwnedFd {
    match fcntl(&low, FcntlArg::F_DUPFD_CLOEXEC(100)) {
        // SAFETY: the number is new, and nothing else owns it.
        Ok(high) => unsafe { OwnedFd::from_raw_fd(high) },
        Err(_) => low,
    }
}

/// A number to which several processes add, where each would change only a copy of a variable: an
/// eventfd, which the kernel keeps (eventfd(2)).
#[derive(Debug)]
pub struct Tally(OwnedFd);

impl Tally {
    /// Zero.
    ///
    /// # Errors
    /// No descriptor is left for it.
    pub fn new() -> io::Result<Tally> {
        let eventfd = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Tally(out_of_the_way(eventfd.into())))
    }

    /// One more.
    pub fn add_one(&self) {
        self.add(1);
    }

    /// This many more.
    pub fn add(&self, more: u64) {
        nix::unistd::write(&self.0, &more.to_ne_bytes())
            .expect("the sum is far below the 2^64 that would make this fail");
    }

    /// The sum of what all have added; the number is zero again.
    #[must_use]
    pub fn take(&self) -> u64 {
        let mut sum = [0; 8];
        match nix::unistd::read(&self.0, &mut sum) {
            Ok(_) => u64::from_ne_bytes(sum),
            Err(_) => 0, // EAGAIN: nothing was added
        }
    }
}
