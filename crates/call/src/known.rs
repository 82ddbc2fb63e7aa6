//! What earlier calls have shown about each descriptor of this process.

use std::os::fd::RawFd;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use netplay_record::Descriptors;

/// Whether calls on this descriptor are known not to wait.
pub(super) fn never_waits(fd: RawFd) -> bool {
    descriptors().get(fd).is_some_and(|known| known.never_waits)
}

/// Whether this descriptor is known to be a socket of datagrams.
pub(super) fn has_datagrams(fd: RawFd) -> bool {
    descriptors().get(fd).is_some_and(|known| known.datagrams() == Some(true))
}

/// All of them.
pub(super) fn descriptors() -> MutexGuard<'static, Descriptors> {
    static KNOWN: LazyLock<Mutex<Descriptors>> = LazyLock::new(Mutex::default);
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}
