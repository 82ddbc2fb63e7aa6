//! What earlier calls have shown about each descriptor.

use std::collections::HashMap;
use std::os::fd::RawFd;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// What is known about a descriptor from its calls. To ask the kernel would take
/// more calls, which the program under study did not make.
#[derive(Clone, Default)]
pub(super) struct Names {
    pub(super) local: Option<String>,
    pub(super) peer: Option<String>,
    /// It has O_NONBLOCK.
    pub(super) never_waits: bool,
    /// It was made as a socket of datagrams.
    pub(super) datagrams: bool,
}

/// Whether calls on this descriptor are known not to wait.
pub(super) fn never_waits(fd: RawFd) -> bool {
    names().get(&fd).is_some_and(|known| known.never_waits)
}

/// Whether this descriptor is known to be a socket of datagrams.
pub(super) fn has_datagrams(fd: RawFd) -> bool {
    names().get(&fd).is_some_and(|known| known.datagrams)
}

pub(super) fn names() -> MutexGuard<'static, HashMap<RawFd, Names>> {
    static NAMES: LazyLock<Mutex<HashMap<RawFd, Names>>> = LazyLock::new(Mutex::default);
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}
