//! Secrets on a connection: the bytes that no record may show.
//!
//! ```text
//! PASS ********        what every record shows of "PASS in-the-clear", each `*` a byte that is hidden
//! ```
//!
//! A record can go anywhere: to a screen, a file, a picture, or a subscriber of `tracing` that this crate
//! does not know. So a password is removed before the event is made. A page says in one line which
//! connection carries secrets, and how to find them: [`hide`]. Because TCP may cut a stream anywhere, the
//! page's [`Hide`] follows the stream, and gets every byte of it once, in order.
//!
//! Without a listener, no byte is looked at.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::listener::listening;
use netplay_record::Data;

/// The byte that is shown in place of a hidden one.
pub const HIDDEN: u8 = b'*';

/// Follows the bytes of a connection, and knows which of them are secret.
pub trait Hide: Send {
    /// These bytes were received: replaces each secret byte by [`HIDDEN`], and counts them.
    fn received(&mut self, bytes: &mut [u8]) -> usize;

    /// These bytes were sent: as [`received`](Hide::received).
    fn sent(&mut self, bytes: &mut [u8]) -> usize;

    /// Some bytes moved without a record: the next ones may be inside a secret.
    fn missed(&mut self);

    /// A copy, to look at bytes that have not moved yet, and may move later.
    fn copy(&self) -> Box<dyn Hide>;
}

/// Hides the secrets of this connection in every record, from now until its descriptor is
/// closed, unless [`show_secrets`] allows them.
///
/// This is not a system call, and is not recorded.
pub fn hide(connection: &impl AsFd, secrets: impl Hide + 'static) {
    let entry = Entry { secrets: Box::new(secrets), missed: !listening() };
    let mut table = table();
    table.insert(connection.as_fd().as_raw_fd(), entry);
    COUNT.store(table.len(), Relaxed);
}

/// Whether records show secrets as they are, for a lesson on what can be read on the wire.
pub fn show_secrets(on: bool) {
    SHOW.store(on, Relaxed);
}

struct Entry {
    secrets: Box<dyn Hide>,
    /// There was no listener when the connection began.
    missed: bool,
}

static SHOW: AtomicBool = AtomicBool::new(false);

/// How many connections carry secrets. While there are zero, no call takes the lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);

fn table() -> MutexGuard<'static, HashMap<RawFd, Entry>> {
    static TABLE: LazyLock<Mutex<HashMap<RawFd, Entry>>> = LazyLock::new(Mutex::default);
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As [`hold`](super::step::hold), for this table.
pub(super) fn hold() -> impl Sized {
    table()
}

/// The descriptor is about to be closed: forgets what was known about its number.
#[inline]
pub(super) fn forget(fd: RawFd) {
    if COUNT.load(Relaxed) > 0 {
        let mut table = table();
        table.remove(&fd);
        COUNT.store(table.len(), Relaxed);
    }
}

/// The bytes that were received from there, as a record may show them.
pub(super) fn received(fd: RawFd, bytes: &[u8]) -> Data {
    shown(fd, bytes, |secrets, bytes| secrets.received(bytes))
}

/// The bytes that were given to a send, which took the first `moved` of them.
pub(super) fn sent(fd: RawFd, bytes: &[u8], moved: usize) -> Data {
    shown(fd, bytes, |secrets, bytes| {
        let (moved, rest) = bytes.split_at_mut(moved.min(bytes.len()));
        // Another send will get the rest.
        secrets.sent(moved) + if rest.is_empty() { 0 } else { secrets.copy().sent(rest) }
    })
}

fn shown(fd: RawFd, bytes: &[u8], hide: impl FnOnce(&mut dyn Hide, &mut [u8]) -> usize) -> Data {
    if COUNT.load(Relaxed) == 0 || SHOW.load(Relaxed) {
        return Data::new(bytes, 0);
    }
    let mut table = table();
    let Some(entry) = table.get_mut(&fd) else { return Data::new(bytes, 0) };
    if std::mem::take(&mut entry.missed) {
        entry.secrets.missed();
    }
    let mut masked = bytes.to_vec();
    let hidden = hide(&mut *entry.secrets, &mut masked);
    Data::new(&masked, hidden)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate as call;

    #[derive(Clone)]
    struct Everything;

    impl Hide for Everything {
        fn received(&mut self, bytes: &mut [u8]) -> usize {
            bytes.fill(HIDDEN);
            bytes.len()
        }
        fn sent(&mut self, bytes: &mut [u8]) -> usize {
            self.received(bytes)
        }
        fn missed(&mut self) {}
        fn copy(&self) -> Box<dyn Hide> {
            Box::new(self.clone())
        }
    }

    #[test]
    fn a_descriptor_that_was_closed_hides_nothing_when_it_comes_again() {
        let (here, _there) = UnixStream::pair().unwrap();
        let fd = here.as_raw_fd();
        hide(&here, Everything);
        let [hidden, seen] = [Data::new(b"***", 3), Data::new(b"abc", 0)];
        assert_eq!(received(fd, b"abc"), hidden);
        assert_eq!([sent(fd, b"abc", 0), sent(fd, b"abc", 2)], [hidden.clone(), hidden]);
        call::close(here).unwrap();
        assert_eq!(received(fd, b"abc"), seen);
    }
}
