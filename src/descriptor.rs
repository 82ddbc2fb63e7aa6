//! Descriptors that are the playground's own: they keep out of the way of the program's.

use std::os::fd::{FromRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, fcntl};

/// The same open file under a number from 100 on, so that the program's first socket is descriptor
/// 3, as on the page. Where the limit is below that, the low number must do.
#[must_use]
#[expect(unsafe_code, reason = "fcntl returns a descriptor as a number")]
pub fn out_of_the_way(low: OwnedFd) -> OwnedFd {
    match fcntl(&low, FcntlArg::F_DUPFD_CLOEXEC(100)) {
        // SAFETY: the number is new, and nobody else has it.
        Ok(high) => unsafe { OwnedFd::from_raw_fd(high) },
        Err(_) => low,
    }
}
