//! Questions of the observer's own about another process's sockets: pidfd_getfd(2) gives a copy of its descriptor.

use std::net::SocketAddr;
use std::os::fd::{FromRawFd, OwnedFd};

use netplay_call::state_of;
use netplay_record::Descriptor;
use nix::errno::Errno;

/// A copy of a descriptor of another process.
#[expect(unsafe_code, reason = "nix has neither pidfd_open nor pidfd_getfd")]
fn copy(pid: i32, fd: i32) -> Option<OwnedFd> {
    // SAFETY: both calls take numbers, and return a new descriptor that nothing else has.
    let own = |fd: libc::c_long| {
        Errno::result(fd).ok().map(|fd| unsafe { OwnedFd::from_raw_fd(fd as i32) })
    };
    let process = own(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let process_fd = std::os::fd::AsRawFd::as_raw_fd(&process);
    own(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process_fd, fd, 0) })
}

/// The state, queues and buffers of a socket, in words. One that is closed is looked for by its addresses.
pub(crate) fn state(
    pid: i32,
    fd: i32,
    (local, peer): (Option<&str>, Option<&str>),
    closed: bool,
) -> Option<String> {
    if closed {
        return state_of(std::io::stdin(), local, peer, true);
    }
    state_of(copy(pid, fd)?, local, peer, false)
}

/// What the kernel knows of a socket that was made before it was watched.
pub(crate) fn descriptor(pid: i32, fd: i32) -> Option<Descriptor> {
    copy(pid, fd).map(netplay_call::found)
}

/// The other end of a connection over IP.
pub(crate) fn peer(pid: i32, fd: i32) -> Option<SocketAddr> {
    descriptor(pid, fd)?.peer?.parse().ok()
}
