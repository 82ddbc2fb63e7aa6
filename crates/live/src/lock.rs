//! Locks between the threads of a page.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock that outlives a panic of another thread: what it guards is replaced as a whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
