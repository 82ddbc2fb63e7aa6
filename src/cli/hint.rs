//! What went wrong, as an exit code and a next step.

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Error;
use nix::errno::Errno;

use super::bench::Unexpected;
use super::why;
use crate::call::CallError;
use crate::child::CannotRun;
use crate::client::{Interrupted, Usage};
use crate::lab::Unmet;
use crate::stop;

/// The exit code for an error: 0 if it is none, 4 if this machine does not allow it.
pub fn exit_code(error: &Error) -> u8 {
    if error.is::<Interrupted>() {
        return 128 + stop::signal().unwrap_or(libc::SIGINT) as u8;
    }
    if let (Some(signal), Some(error)) = (stop::signal(), error.downcast_ref::<io::Error>())
        && error.kind() == io::ErrorKind::TimedOut
    {
        return 128 + signal as u8; // it ended a wait for a reader
    }
    if error.is::<Usage>() {
        return 2;
    }
    if error.is::<Unexpected>() || error.is::<Unmet>() {
        return 3;
    }
    if error.is::<CannotRun>() {
        return 4;
    }
    if let Some(error) = error.downcast_ref::<io::Error>()
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        // Whoever read our output has seen enough: `| head`.
        return 0;
    }
    let error = error.downcast_ref::<CallError>();
    if error.is_some_and(no_loopback) {
        return 4;
    }
    match error.map(|error| (error.call(), error.errno())) {
        Some(("bind" | "socket" | "setsockopt", Errno::EACCES | Errno::EPERM)) => 4,
        Some(("socket", Errno::EAFNOSUPPORT)) => 4,
        Some(("io_uring_setup", Errno::ENOSYS | Errno::EPERM | Errno::EACCES)) => 4,
        _ => 1,
    }
}

/// Whether 127.0.0.1 or `::1` is not there, or there is no way to it. Another address of loopback may be missing
/// while its device is up, and a connect that finds no free port fails with EADDRNOTAVAIL as well.
fn no_loopback(error: &CallError) -> bool {
    let missing = match error.errno() {
        Errno::ENETUNREACH => true,
        Errno::EADDRNOTAVAIL => error.call() == "bind",
        _ => false,
    };
    let own = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    missing && error.address().is_some_and(|address| own.contains(&address.ip()))
}

/// What to do about it: what was found on this machine, where that can be said, or else in general.
pub fn hint(error: &Error) -> Option<Cow<'static, str>> {
    let error = error.downcast_ref::<CallError>()?;
    found(error).map(Cow::Owned).or_else(|| in_general(error).map(Cow::Borrowed))
}

/// Who has the address, or who could have been meant. It costs a look through the processes, of at most
/// 150 ms, and only here, where a command has failed already.
fn found(error: &CallError) -> Option<String> {
    let (call, errno) = (error.call(), error.errno());
    match (error.address(), error.path()) {
        (Some(address), _) => match (call, errno) {
            ("bind", Errno::EADDRINUSE) => why::bind_hint(address),
            ("bind", Errno::EACCES) => why::privileged_port(address.port()),
            ("connect", Errno::ECONNREFUSED) => Some(why::refused_hint(address)),
            ("connect", Errno::EINPROGRESS | Errno::EAGAIN | Errno::ETIMEDOUT) => {
                why::connect_hint(address)
            }
            _ => None,
        },
        (None, Some(path)) => match (call, errno) {
            ("bind", Errno::EADDRINUSE) | ("connect", Errno::ECONNREFUSED) => {
                why::path_hint(call, path)
            }
            _ => None,
        },
        (None, None) => None,
    }
}

/// What such an error mostly means.
fn in_general(error: &CallError) -> Option<&'static str> {
    if no_loopback(error) {
        return Some(match error.address() {
            Some(address) if address.is_ipv6() => {
                "there is no ::1 here: ip link set lo up, if the device is down; where IPv6 is off, try -4"
            }
            _ => "the loopback device is down: ip link set lo up",
        });
    }
    let path = error.path().is_some();
    Some(match (error.call(), error.errno()) {
        ("bind", Errno::EADDRINUSE) if path => "something has this path: take another one",
        ("bind", Errno::EACCES) if path => "you may not write to the folder of this path",
        ("connect", Errno::EACCES) if path => "you may not write to this socket",
        ("connect", Errno::ECONNREFUSED) if path => {
            "nothing listens on this path any more: start the server first"
        }
        ("bind", Errno::EADDRINUSE) => {
            "another program has this address: stop it, or take another port; 0 means any"
        }
        ("bind", Errno::EADDRNOTAVAIL) => {
            "this machine has no such address: ip address shows those it has"
        }
        ("connect", Errno::ECONNREFUSED) => {
            "nobody listens there: start the server first, or check the port"
        }
        ("connect", Errno::ENOENT) => {
            "there is no such socket: start the server first, or check the path"
        }
        ("connect", Errno::EINPROGRESS | Errno::EAGAIN | Errno::ETIMEDOUT) => {
            "no answer within the time: is the host right, and is its server accepting?"
        }
        ("connect" | "sendto", Errno::ENETUNREACH | Errno::EHOSTUNREACH) => {
            "there is no way to that address from here"
        }
        ("recv" | "recvfrom", Errno::EAGAIN) => {
            "no reply within --timeout: the server is busy with somebody else, or there is none"
        }
        ("send", Errno::EAGAIN) => "the server has read nothing within --timeout",
        ("recv" | "send", Errno::ECONNRESET) => {
            "the other end closed the connection with data unread, or was ended by force"
        }
        ("send", Errno::EPIPE) => "the connection is closed: nothing can be sent any more",
        ("io_uring_setup", Errno::ENOSYS) => {
            "this kernel has no io_uring: netplay epoll serves as many clients without it"
        }
        ("io_uring_setup", Errno::EPERM | Errno::EACCES) => {
            "io_uring is forbidden here, by the sysctl kernel.io_uring_disabled or by a filter \
             (seccomp), as in many containers: an administrator can allow it; netplay epoll needs none"
        }
        ("socket", Errno::EACCES) => {
            "sudo sysctl -w net.ipv4.ping_group_range=\"0 2147483647\" lets everybody ping until the next boot"
        }
        ("socket", Errno::EPERM) => {
            "sudo setcap cap_net_raw+ep $(command -v netplay) lets netplay have raw sockets"
        }
        ("sendto", Errno::EACCES) => {
            "that is the address of a whole network: ping asks one host, and multicast has --broadcast to send to all"
        }
        ("sendto", Errno::EMSGSIZE) => match error.address() {
            Some(address) if address.is_ipv6() => {
                "a datagram holds at most 65,527 bytes over IPv6, unless the path takes less"
            }
            _ => "a datagram holds at most 65,507 bytes over IPv4, unless the path takes less",
        },
        _ => return None,
    })
}
