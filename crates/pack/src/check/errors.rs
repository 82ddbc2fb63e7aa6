//! Which call can fail with which error: the sections ERRORS of the manual, and what Linux does besides.
//!
//! Any error can come of a filter (seccomp), so only those are named that mean something of their own: a call for which such a
//! word makes no sense never returns it.

use crate::run::Run;
use crate::{Fault, Rule};
use netplay_text::both;

/// Calls about bytes of a socket.
const MOVE: &[&str] = &[
    "recv", "recvfrom", "recvmsg", "recvmmsg", "read", "readv", "send", "sendto", "sendmsg",
    "sendmmsg", "write", "writev", "sendfile", "splice",
];

/// An error, and the calls that can fail with it; `MOVE` is every call of that list.
const MEANT: &[(&str, &[&str], bool)] = &[
    (
        "EADDRINUSE",
        &["bind", "listen", "connect", "setsockopt", "sendto", "sendmsg", "sendmmsg", "send"],
        false,
    ),
    (
        "EADDRNOTAVAIL",
        &["bind", "connect", "setsockopt", "sendto", "sendmsg", "sendmmsg", "ioctl", "listen"],
        false,
    ),
    ("ECONNREFUSED", &["connect", "poll", "io_uring_enter"], true),
    ("ECONNRESET", &["connect", "accept", "getsockopt", "setsockopt"], true),
    ("ECONNABORTED", &["accept", "connect"], true),
    ("EPIPE", &["accept", "connect"], true),
    (
        "EISCONN",
        &["connect", "sendto", "sendmsg", "listen", "send", "sendmmsg", "setsockopt", "accept"],
        false,
    ),
    ("ENOTCONN", &["getpeername", "shutdown", "setsockopt", "getsockopt", "connect"], true),
    ("EINPROGRESS", &["connect", "sendto", "sendmsg", "send", "sendmmsg"], false),
    ("EALREADY", &["connect", "sendto", "sendmsg", "setsockopt"], false),
    ("ETIMEDOUT", &["connect", "accept", "io_uring_enter"], true),
    (
        "EDESTADDRREQ",
        &[
            "send",
            "sendto",
            "sendmsg",
            "sendmmsg",
            "write",
            "writev",
            "connect",
            "getsockopt",
            "setsockopt",
        ],
        false,
    ),
    ("ECHILD", &["waitpid"], false),
    ("ESRCH", &["kill", "waitpid", "setsockopt"], false),
    ("EEXIST", &["epoll_ctl"], false),
    (
        "EAFNOSUPPORT",
        &["socket", "socketpair", "bind", "connect", "sendto", "sendmsg", "sendmmsg", "setsockopt"],
        false,
    ),
    ("EPROTONOSUPPORT", &["socket", "socketpair"], false),
    ("ESOCKTNOSUPPORT", &["socket", "socketpair", "connect"], false),
    ("EPROTOTYPE", &["socket", "socketpair", "connect", "sendto", "sendmsg"], false),
    ("ENOPROTOOPT", &["setsockopt", "getsockopt"], false),
    ("EMSGSIZE", &["setsockopt", "getsockopt"], true),
    ("ENOEXEC", &["execve"], false),
    ("ETXTBSY", &["execve"], false),
    (
        "EMFILE",
        &[
            "socket",
            "socketpair",
            "accept",
            "dup",
            "dup2",
            "dup3",
            "fcntl",
            "epoll_create",
            "io_uring_setup",
            "recvmsg",
            "execve",
            "io_uring_register",
            "sendmsg",
            "recvmmsg",
        ],
        false,
    ),
];

/// Calls that end at once: none of them waits, so nothing interrupts them or makes them try again.
const AT_ONCE: &[&str] = &[
    "socket",
    "socketpair",
    "bind",
    "listen",
    "getsockname",
    "getpeername",
    "shutdown",
    "dup",
    "dup3",
    "epoll_create",
    "epoll_ctl",
    "setsockopt",
    "getsockopt",
    "close_range",
];

pub(super) fn check(run: &Run, faults: &mut Vec<Fault>) {
    for (i, record) in run.records.iter().enumerate() {
        let (Some(call), Some(errno)) = (record.call.as_deref(), record.errno.as_deref()) else {
            continue;
        };
        let known = netplay_record::Name::of(call).is_some();
        let named = MEANT.iter().find(|(name, ..)| *name == errno);
        let possible = match (errno, named) {
            ("EINTR" | "EINPROGRESS" | "EAGAIN", None) => {
                // A listen or bind of UNIX sockets waits for a lock, and a getsockopt may wait for a message.
                !matches!(call, "socket" | "dup" | "epoll_create" | "getsockname" | "getpeername")
                    && (!AT_ONCE.contains(&call) || errno != "EAGAIN" || call.contains("sock"))
            }
            (_, Some((_, calls, moves))) => calls.contains(&call) || *moves && MOVE.contains(&call),
            (_, None) => true,
        };
        // The answer of an operation may be that of another: it was cancelled, or waited for one before.
        if known && !possible && record.kind == netplay_record::Kind::Call {
            let said = both!("{call} cannot fail with {errno}", "{call} 不可能以 {errno} 失败");
            faults.push(run.fault(Rule::Errno, said, &[i]));
        }
    }
}
