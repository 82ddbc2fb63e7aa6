//! The names of flags and numbers, as strace prints them.

/// The names of the bits that are set, in the order of the table; the others as one number.
pub(super) fn bits(value: u64, table: &[(i32, &str)]) -> String {
    let mut rest = value;
    let mut text = String::new();
    for &(bit, name) in table {
        let bit = u64::from(bit.cast_unsigned());
        if bit != 0 && rest & bit == bit {
            rest &= !bit;
            text += if text.is_empty() { "" } else { "|" };
            text += name;
        }
    }
    match (rest, text.is_empty()) {
        (0, false) => text,
        (0, true) => "0".to_owned(),
        (rest, true) => format!("{rest:#x}"),
        (rest, false) => format!("{text}|{rest:#x}"),
    }
}

/// The name of a value, or its number.
pub(super) fn named(value: i32, table: &[(i32, &str)]) -> String {
    let found = table.iter().find(|(known, _)| *known == value);
    found.map_or_else(|| format!("{value:#x}"), |(_, name)| (*name).to_owned())
}

/// A table of constants of libc under their own names.
macro_rules! table {
    ($($name:ident),+ $(,)?) => {
        &[$((libc::$name as i32, stringify!($name))),+]
    };
}

pub(super) const FAMILY: &[(i32, &str)] = table![
    AF_UNSPEC,
    AF_UNIX,
    AF_INET,
    AF_INET6,
    AF_NETLINK,
    AF_PACKET,
    AF_BLUETOOTH,
    AF_VSOCK,
    AF_ALG,
];

pub(super) const TYPE: &[(i32, &str)] =
    table![SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET];

pub(super) const TYPE_FLAGS: &[(i32, &str)] = table![SOCK_CLOEXEC, SOCK_NONBLOCK];

pub(super) const PROTOCOL: &[(i32, &str)] = table![
    IPPROTO_IP,
    IPPROTO_ICMP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPPROTO_ICMPV6,
    IPPROTO_SCTP,
    IPPROTO_RAW,
    IPPROTO_MPTCP,
];

pub(super) const NETLINK: &[(i32, &str)] =
    table![NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_NETFILTER, NETLINK_KOBJECT_UEVENT];

pub(super) const SHUT: &[(i32, &str)] = table![SHUT_RD, SHUT_WR, SHUT_RDWR];

pub(super) const EPOLL_OP: &[(i32, &str)] = table![EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD];

pub(super) const FCNTL: &[(i32, &str)] = table![
    F_DUPFD,
    F_GETFD,
    F_SETFD,
    F_GETFL,
    F_SETFL,
    F_GETLK,
    F_SETLK,
    F_SETLKW,
    F_SETOWN,
    F_GETOWN,
    F_DUPFD_CLOEXEC,
    F_SETPIPE_SZ,
    F_GETPIPE_SZ,
    F_ADD_SEALS,
    F_GET_SEALS,
];

/// The flags of an open file after its way of access, which is no bit.
pub(super) const OPEN: &[(i32, &str)] = &[
    (libc::O_APPEND, "O_APPEND"),
    (libc::O_NONBLOCK, "O_NONBLOCK"),
    (libc::O_SYNC, "O_SYNC"),
    (libc::O_ASYNC, "FASYNC"),
    (libc::O_DIRECT, "O_DIRECT"),
    (0x8000, "O_LARGEFILE"),
    (libc::O_DIRECTORY, "O_DIRECTORY"),
    (libc::O_NOFOLLOW, "O_NOFOLLOW"),
    (libc::O_CLOEXEC, "O_CLOEXEC"),
];

pub(super) const ACCESS: &[(i32, &str)] = table![O_RDONLY, O_WRONLY, O_RDWR];

pub(super) const WAIT: &[(i32, &str)] =
    table![WNOHANG, WUNTRACED, WCONTINUED, __WALL, __WNOTHREAD, __WCLONE];

pub(super) const WAITID: &[(i32, &str)] = table![WNOHANG, WSTOPPED, WEXITED, WCONTINUED, WNOWAIT];

pub(super) const CLONE: &[(i32, &str)] = table![
    CLONE_VM,
    CLONE_FS,
    CLONE_FILES,
    CLONE_SIGHAND,
    CLONE_PIDFD,
    CLONE_PTRACE,
    CLONE_VFORK,
    CLONE_PARENT,
    CLONE_THREAD,
    CLONE_NEWNS,
    CLONE_SYSVSEM,
    CLONE_SETTLS,
    CLONE_PARENT_SETTID,
    CLONE_CHILD_CLEARTID,
    CLONE_DETACHED,
    CLONE_UNTRACED,
    CLONE_CHILD_SETTID,
    CLONE_NEWCGROUP,
    CLONE_NEWUTS,
    CLONE_NEWIPC,
    CLONE_NEWUSER,
    CLONE_NEWPID,
    CLONE_NEWNET,
    CLONE_IO,
];

/// `SIGTERM`; a real-time signal as `SIGRT_3`.
pub(crate) fn signal(number: i32) -> String {
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) if number >= 32 => format!("SIGRT_{}", number - 32),
        Err(_) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_have_names_and_the_rest_is_a_number() {
        let text = |value: i32| bits(value as u64, TYPE_FLAGS);
        assert_eq!(text(0), "0");
        assert_eq!(text(libc::SOCK_CLOEXEC), "SOCK_CLOEXEC");
        assert_eq!(text(libc::SOCK_NONBLOCK | 1 << 25), "SOCK_NONBLOCK|0x2000000");
        assert_eq!(named(77, FAMILY), "0x4d");
    }
}
