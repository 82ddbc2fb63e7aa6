//! epoll: an interest list that stays in the kernel.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

pub use libc::epoll_event;
pub use nix::sys::epoll::{EpollFlags, EpollOp};

use super::error::Result;
use super::gather::Wait;
use super::owned::{Descriptor, Epoll};
use super::step::{Answer, Step};
use super::wait::milliseconds;
use netplay_record::{self as record, Change, Interest, Ready, WaitName};

/// Makes an empty interest list, which has a descriptor of its own (closed on exec). See
/// epoll_create(2).
#[expect(unsafe_code, reason = "the kernel returns a descriptor as a number")]
pub fn epoll_create() -> Result<Epoll> {
    let step = Step::begin(WaitName::EpollCreate, None);
    // SAFETY: the call takes a number; the descriptor that it returns is new, and nothing else owns it.
    let made = unsafe {
        match libc::epoll_create1(libc::EPOLL_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    };
    step.end(made, |_| record::Wait::EpollCreate).map(|made| Epoll(Descriptor::new(made)))
}

impl Answer for OwnedFd {
    fn answer(&self) -> i64 {
        i64::from(self.as_raw_fd())
    }
}

/// Adds a descriptor to the interest list, changes its events, or removes it. The `data` that
/// [`epoll_wait`] returns for it is its number. See epoll_ctl(2).
///
/// The list holds the open socket, not the number: if a forked child also has it open, closing it
/// here does not remove it.
#[expect(unsafe_code, reason = "epoll_ctl takes a pointer")]
pub fn epoll_ctl(epoll: &impl AsFd, op: EpollOp, fd: &impl AsFd, events: EpollFlags) -> Result<()> {
    let (epoll, fd) = (epoll.as_fd().as_raw_fd(), fd.as_fd().as_raw_fd());
    let step = Step::begin(WaitName::EpollCtl, Some(epoll));
    let events = events.bits().cast_unsigned();
    let mut event = libc::epoll_event { events, u64: fd as u64 };
    // SAFETY: the kernel only reads the event, which is borrowed for the call.
    let done = unsafe { libc::epoll_ctl(epoll, op as i32, fd, &raw mut event) };
    let done = if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    step.end(done, |_| {
        let change = match op {
            EpollOp::EpollCtlAdd => Change::Add,
            EpollOp::EpollCtlMod => Change::Modify,
            _ => Change::Delete,
        };
        record::Wait::EpollCtl(Interest { change, fd, events })
    })
}

/// Waits until a descriptor of the list is ready, and writes only those that are into `events`;
/// returns their number. `None` waits for ever. See epoll_wait(2).
///
/// The kernel notes a socket when it becomes ready; it need not check the whole list, as it does for
/// [`select`](super::select) and [`poll`](super::poll).
#[expect(unsafe_code, reason = "epoll_wait takes a pointer")]
pub fn epoll_wait(
    epoll: &impl AsFd,
    events: &mut [epoll_event],
    timeout: Option<Duration>,
) -> Result<usize> {
    let epoll = epoll.as_fd().as_raw_fd();
    let step = Step::wait(WaitName::EpollWait, Some(epoll), Wait::Others);
    let (room, ms) = (i32::try_from(events.len()).unwrap_or(i32::MAX), milliseconds(timeout));
    // SAFETY: the pointer and the length are those of one slice.
    let ready = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), room, ms) };
    let ready = usize::try_from(ready).map_err(|_| io::Error::last_os_error());
    step.end(ready, |n| {
        let happened = events[..n.copied().unwrap_or_default()].iter();
        let ready = happened.map(|event| Ready { fd: event.u64 as RawFd, events: event.events });
        record::Wait::EpollWait { ready: ready.collect(), room, timeout: ms }
    })
}
