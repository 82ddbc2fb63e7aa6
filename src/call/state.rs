//! What state a socket is in: asked by the observer, for whoever wants to see more than the calls.
//!
//! These are system calls of the record's own, made after the program's call and recorded nowhere.

use std::os::fd::RawFd;

/// `ESTABLISHED, receive queue 0, send queue 31, rcvbuf 131072, sndbuf 2626560`; nothing when the
/// descriptor is closed or no socket.
pub(super) fn of(fd: RawFd) -> Option<String> {
    let receive_buffer = int_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF)?;
    let send_buffer = int_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUF)?;
    let mut text = String::new();
    if let Some(state) = tcp_state(fd) {
        text = format!("{state}, ");
    }
    if let (Some(received), Some(unsent)) = (queue(fd, libc::FIONREAD), queue(fd, libc::TIOCOUTQ)) {
        text += &format!("receive queue {received}, send queue {unsent}, ");
    }
    Some(text + &format!("rcvbuf {receive_buffer}, sndbuf {send_buffer}"))
}

/// The first byte of TCP_INFO is the state (tcp(7); the numbers are those of `enum tcp_state`).
fn tcp_state(fd: RawFd) -> Option<&'static str> {
    let name = match get(fd, libc::IPPROTO_TCP, libc::TCP_INFO, [0u8; 8])?[0] {
        1 => "ESTABLISHED",
        2 => "SYN_SENT",
        3 => "SYN_RECV",
        4 => "FIN_WAIT1",
        5 => "FIN_WAIT2",
        6 => "TIME_WAIT",
        7 => "CLOSE",
        8 => "CLOSE_WAIT",
        9 => "LAST_ACK",
        10 => "LISTEN",
        11 => "CLOSING",
        _ => return None,
    };
    Some(name)
}

fn int_option(fd: RawFd, level: i32, name: i32) -> Option<i32> {
    get(fd, level, name, [0; 4]).map(i32::from_ne_bytes)
}

#[expect(unsafe_code, reason = "getsockopt writes through a pointer")]
fn get<const N: usize>(fd: RawFd, level: i32, name: i32, mut value: [u8; N]) -> Option<[u8; N]> {
    let mut len = N as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes, and `value` has that many.
    let done = unsafe { libc::getsockopt(fd, level, name, value.as_mut_ptr().cast(), &mut len) };
    (done == 0).then_some(value)
}

/// Bytes waiting in a queue of the socket: SIOCINQ and SIOCOUTQ of tcp(7), which have the numbers
/// of FIONREAD and TIOCOUTQ. A listener has none.
#[expect(unsafe_code, reason = "ioctl writes through a pointer")]
fn queue(fd: RawFd, which: libc::Ioctl) -> Option<i32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: both requests write one int, and `bytes` is one.
    let done = unsafe { libc::ioctl(fd, which, &raw mut bytes) };
    (done == 0).then_some(bytes)
}
