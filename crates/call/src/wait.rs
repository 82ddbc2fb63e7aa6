//! Waiting for many sockets at once: select, poll and ppoll.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::ptr;
use std::time::Duration;

pub use libc::pollfd;
use nix::sys::signal::SigSet;

use super::error::Result;
use super::gather::Wait;
use super::process::signal_names;
use super::step::Step;
use netplay_record::{self as record, Polled, Ready, Select, WaitName};

/// The set of descriptors that [`select`] takes and changes: 1024 bits, one for each descriptor.
///
/// ```
/// use netplay_call::FdSet;
/// let mut reads = FdSet::new();
/// reads.insert(&std::io::stdin());
/// assert!(reads.contains(&std::io::stdin()));
/// assert_eq!(reads.to_string(), "[0]");
/// ```
#[derive(Clone)]
pub struct FdSet {
    bits: libc::fd_set,
    /// No descriptor from this one on was ever in it, so printing need not look at all the bits.
    end: RawFd,
}

impl FdSet {
    /// The first descriptor that no set can hold.
    pub const SIZE: RawFd = libc::FD_SETSIZE as RawFd;

    /// The empty set: FD_ZERO.
    #[expect(unsafe_code, reason = "a fd_set is made from zeroes")]
    #[must_use]
    pub fn new() -> FdSet {
        // SAFETY: a fd_set is an array of integers, and FD_ZERO makes each of them 0.
        FdSet { bits: unsafe { std::mem::zeroed() }, end: 0 }
    }

    /// Whether a set can hold this descriptor at all. A larger one would write beyond the set:
    /// in C, silently.
    #[must_use]
    pub fn fits(fd: &impl AsFd) -> bool {
        fd.as_fd().as_raw_fd() < FdSet::SIZE
    }

    /// FD_SET.
    ///
    /// # Panics
    /// If the descriptor does not [fit](FdSet::fits).
    #[expect(unsafe_code, reason = "FD_SET indexes without a check")]
    pub fn insert(&mut self, fd: &impl AsFd) {
        assert!(FdSet::fits(fd), "the caller asks FdSet::fits first");
        let fd = fd.as_fd().as_raw_fd();
        // SAFETY: the descriptor is below FD_SETSIZE, so the bit is inside the set.
        unsafe { libc::FD_SET(fd, &mut self.bits) }
        self.end = self.end.max(fd + 1);
    }

    /// FD_ISSET: after select, whether the descriptor is ready.
    #[must_use]
    pub fn contains(&self, fd: &impl AsFd) -> bool {
        self.has(fd.as_fd().as_raw_fd())
    }

    #[expect(unsafe_code, reason = "FD_ISSET indexes without a check")]
    fn has(&self, fd: RawFd) -> bool {
        // SAFETY: as in `insert`.
        fd < FdSet::SIZE && unsafe { libc::FD_ISSET(fd, &self.bits) }
    }

    /// The highest descriptor that was put into it, **plus one**: give [`select`] the largest of all
    /// sets.
    #[must_use]
    pub fn nfds(&self) -> RawFd {
        self.end
    }

    fn iter(&self) -> impl Iterator<Item = RawFd> {
        (0..self.end).filter(|&fd| self.has(fd))
    }

    /// The set after a call: these descriptors are ready for this.
    fn ready(&self, events: i16) -> impl Iterator<Item = Ready> {
        self.iter().map(move |fd| Ready { fd, events: events.cast_unsigned().into() })
    }
}

impl Default for FdSet {
    fn default() -> FdSet {
        FdSet::new()
    }
}

impl fmt::Display for FdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fds: Vec<String> = self.iter().map(|fd| fd.to_string()).collect();
        write!(f, "[{}]", fds.join(" "))
    }
}

impl fmt::Debug for FdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FdSet{self}")
    }
}

/// Waits until a descriptor of `reads` can be read or one of `writes` written without waiting, or
/// the time has passed; `None` waits for ever. On return the sets hold only what is ready, and the number
/// of bits in them is returned; so build them again for every turn. `nfds` is the highest
/// descriptor **plus one**. See select(2).
///
/// At every call the kernel walks over all bits below `nfds`, and checks each descriptor whose bit is set.
#[expect(unsafe_code, reason = "select takes pointers")]
pub fn select(
    nfds: RawFd,
    reads: &mut FdSet,
    writes: &mut FdSet,
    timeout: Option<Duration>,
) -> Result<usize> {
    let step = Step::wait(WaitName::Select, None, Wait::Others);
    let asked = step.listening().then(|| (reads.clone(), writes.clone()));
    let timeout = timeout.map(timeval);
    let mut left = timeout;
    // SAFETY: both sets are whole fd_sets of FD_SETSIZE bits, and the kernel looks no further than
    // that: nfds is capped. The timeout is a timeval or null.
    let ready = unsafe {
        libc::select(
            nfds.min(FdSet::SIZE),
            &mut reads.bits,
            &mut writes.bits,
            ptr::null_mut(),
            left.as_mut().map_or(ptr::null_mut(), ptr::from_mut),
        )
    };
    step.end(count(ready), |n| {
        let (asked_reads, asked_writes) = asked.unwrap_or_default();
        let ready = reads.ready(libc::POLLIN).chain(writes.ready(libc::POLLOUT));
        record::Wait::Select(Select {
            nfds,
            reads: asked_reads.iter().collect(),
            writes: asked_writes.iter().collect(),
            timeout: timeout.map(duration),
            left: left.map(duration),
            ready: if n.is_some() { ready.collect() } else { Vec::new() },
        })
    })
}

/// Waits until one of the descriptors is ready, and writes into each `revents` what
/// happened; returns how many have events. POLLERR, POLLHUP and POLLNVAL are always reported. See poll(2).
///
/// `poll` does not overwrite the caller's `events`, so unlike with [`select`] the array need not be rebuilt, and no
/// descriptor is too large. The kernel still checks every entry at every call.
#[expect(unsafe_code, reason = "poll takes a pointer")]
pub fn poll(fds: &mut [pollfd], timeout: Option<Duration>) -> Result<usize> {
    let step = Step::wait(WaitName::Poll, None, Wait::Others);
    let ms = milliseconds(timeout);
    // SAFETY: the pointer and the length are those of one slice.
    let ready = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, ms) };
    step.end(count(ready), |_| record::Wait::Poll(polled(fds), ms))
}

/// [`poll`] with the signal mask exchanged for `mask` while it waits, and put back before it
/// returns; in one step, so that a signal which is blocked at all other times interrupts the wait
/// (EINTR) and can never slip in just before it. See ppoll(2).
#[expect(unsafe_code, reason = "ppoll takes pointers")]
pub fn ppoll(fds: &mut [pollfd], timeout: Option<Duration>, mask: &SigSet) -> Result<usize> {
    let step = Step::wait(WaitName::Ppoll, None, Wait::Others);
    let time = timeout.map(|time| libc::timespec {
        tv_sec: time.as_secs() as libc::time_t,
        tv_nsec: time.subsec_nanos().into(),
    });
    let time_ptr = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the pointer and the length are those of one slice; the other two are borrowed for
    // the call, or null.
    let ready = unsafe {
        libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, time_ptr, mask.as_ref())
    };
    step.end(count(ready), |_| record::Wait::Ppoll {
        fds: polled(fds),
        timeout,
        mask: signal_names(mask),
    })
}

/// The list as the call has left it.
fn polled(fds: &[pollfd]) -> Vec<Polled> {
    let entry = |of: &pollfd| Polled { fd: of.fd, events: of.events, revents: of.revents };
    fds.iter().map(entry).collect()
}

fn count(ready: i32) -> io::Result<usize> {
    usize::try_from(ready).map_err(|_| io::Error::last_os_error())
}

/// For ever is -1. Rounded up: a wait must not end before its time.
pub(super) fn milliseconds(timeout: Option<Duration>) -> i32 {
    let round_up = |time: Duration| time.as_nanos().div_ceil(1_000_000);
    timeout.map_or(-1, |time| round_up(time).try_into().unwrap_or(i32::MAX))
}

fn timeval(time: Duration) -> libc::timeval {
    // Rounded up: a wait must not end before its time.
    let micros = time.as_nanos().div_ceil(1000);
    libc::timeval {
        tv_sec: (micros / 1_000_000) as libc::time_t,
        tv_usec: (micros % 1_000_000) as libc::suseconds_t,
    }
}

fn duration(time: libc::timeval) -> Duration {
    Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000)
}
