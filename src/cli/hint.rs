//! What went wrong, as an exit code and a next step.

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Error;
use nix::errno::Errno;

use super::bench::Unexpected;
use super::why;
use crate::call::CallError;
use crate::child::{CannotRun, CannotStart};
use crate::client::{Interrupted, Usage};
use crate::inspect;
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
    if let Some(error) = error
        && let Some(address) = error.address()
        && no_loopback(error.call(), error.errno(), address.ip(), &Here::of(None))
    {
        return 4;
    }
    match error.map(|error| (error.call(), error.errno())) {
        Some(("bind" | "socket" | "setsockopt", Errno::EACCES | Errno::EPERM)) => 4,
        Some(("socket", Errno::EAFNOSUPPORT)) => 4,
        Some(("io_uring_setup", Errno::ENOSYS | Errno::EPERM | Errno::EACCES)) => 4,
        _ => 1,
    }
}

/// Whether 127.0.0.1 or `::1` is not there, or there is no way to loopback. Another address of it may be missing
/// while its device is up, and a connect that finds no free port fails with EADDRNOTAVAIL as well.
fn no_loopback(call: &str, errno: Errno, to: IpAddr, here: &Here) -> bool {
    match errno {
        Errno::ENETUNREACH => to.is_loopback(),
        Errno::EADDRNOTAVAIL if call == "bind" => {
            [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].contains(&to)
        }
        Errno::EADDRNOTAVAIL => to == IpAddr::V6(Ipv6Addr::LOCALHOST) && !here.loopback_v6,
        _ => false,
    }
}

/// What on this machine decides which reason is the true one.
#[derive(Debug, Clone, Copy)]
struct Here {
    /// The address is one of this machine.
    ours: bool,
    /// It means every machine of a network.
    broadcast: bool,
    /// There is `::1`.
    loopback_v6: bool,
    /// There is another address of IPv6.
    v6: bool,
}

impl Here {
    fn of(address: Option<SocketAddr>) -> Here {
        let all = inspect::addresses();
        let own = |ip: IpAddr| all.iter().any(|(one, _)| *one == ip);
        Here {
            ours: address.is_some_and(|address| inspect::is_ours(address.ip())),
            broadcast: address.is_some_and(|address| inspect::is_broadcast(address.ip())),
            loopback_v6: own(Ipv6Addr::LOCALHOST.into()),
            v6: all.iter().any(|(ip, _)| ip.is_ipv6() && !ip.is_loopback()),
        }
    }
}

/// What to do about it: what was found on this machine, where that can be said, or else in general.
pub fn hint(error: &Error) -> Option<Cow<'static, str>> {
    if error.is::<CannotStart>() {
        let why = error.root_cause().downcast_ref::<io::Error>().map(io::Error::kind);
        return (why == Some(io::ErrorKind::WouldBlock)).then_some(Cow::Borrowed(NO_MORE));
    }
    let error = error.downcast_ref::<CallError>()?;
    found(error).map(Cow::Owned).or_else(|| {
        let (call, errno, address) = (error.call(), error.errno(), error.address());
        match (address, error.path()) {
            (Some(address), _) => of_address(call, errno, address, &Here::of(Some(address))),
            (None, Some(_)) => of_path(call, errno).map(Cow::Borrowed),
            (None, None) => in_general(call, errno, &Here::of(None)).map(Cow::Borrowed),
        }
    })
}

/// Who has the address, or who could have been meant. It costs a look through the processes, of at most
/// 150 ms, and only here, where a command has failed already.
fn found(error: &CallError) -> Option<String> {
    let (call, errno) = (error.call(), error.errno());
    match (error.address(), error.path()) {
        (Some(address), _) if address.port() == 0 => None,
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

/// What an error with the path of a socket means.
fn of_path(call: &str, errno: Errno) -> Option<&'static str> {
    Some(match (call, errno) {
        ("bind", Errno::EADDRINUSE) => "something has this path: take another one",
        ("bind", Errno::ENOENT) => "there is no such folder: make it first, or take another path",
        ("bind", Errno::EACCES) => {
            "you may not write to the folder of this path, or not enter one on the way to it"
        }
        ("connect", Errno::EACCES) => {
            "you may not write to this socket, or not enter a folder on the way to it"
        }
        ("connect", Errno::ECONNREFUSED) => {
            "nothing listens on this path any more: start the server first"
        }
        ("connect", Errno::ENOENT) => {
            "there is no such socket: start the server first, or check the path"
        }
        ("connect", Errno::EPROTOTYPE) => "that socket takes no connections: is the path right?",
        ("connect", Errno::EINPROGRESS | Errno::EAGAIN | Errno::ETIMEDOUT) => {
            "the queue of that server is full: it does not call accept"
        }
        _ => return None,
    })
}

/// What an error with this address means.
fn of_address(call: &str, errno: Errno, to: SocketAddr, here: &Here) -> Option<Cow<'static, str>> {
    let ip = to.ip();
    if no_loopback(call, errno, ip, here) {
        return Some(Cow::Borrowed(match ip {
            IpAddr::V6(_) => {
                "there is no ::1 here: ip link set lo up, if the device is down; where IPv6 is off, try -4"
            }
            IpAddr::V4(_) => "the loopback device is down: ip link set lo up",
        }));
    }
    Some(match (call, errno) {
        ("connect", Errno::ECONNREFUSED) | ("sendto", Errno::EINVAL) if to.port() == 0 => {
            "no server is on port 0: take the port that its ready line names".into()
        }
        ("bind", Errno::EADDRINUSE) if to.port() == 0 => {
            "no port is free to choose from: net.ipv4.ip_local_port_range says which there are".into()
        }
        ("bind", Errno::EADDRINUSE) => {
            "another program has this address: stop it, or take another port; 0 means any".into()
        }
        ("bind", Errno::EADDRNOTAVAIL) => {
            "this machine has no such address: ip address shows those it has".into()
        }
        ("bind" | "connect" | "sendto", Errno::EINVAL) if lacks_scope(to) => format!(
            "every link may have the address {ip}: say which interface is meant, {ip}%NAME (ip link shows the names)"
        )
        .into(),
        ("bind", Errno::EINVAL) if ip.is_multicast() => {
            format!("{ip} is a group, which has no connections: netplay multicast server joins one").into()
        }
        ("bind" | "connect" | "sendto", Errno::ENODEV | Errno::ENXIO) if to.is_ipv6() => {
            "there is no interface of that name or number: ip link shows those there are".into()
        }
        ("connect", Errno::EINPROGRESS | Errno::EAGAIN | Errno::ETIMEDOUT) if here.ours => {
            "no answer within the time: the server does not call accept, or a firewall drops what is sent".into()
        }
        ("connect", Errno::EINPROGRESS | Errno::EAGAIN | Errno::ETIMEDOUT) => {
            "no answer within the time: is the host right, is it on, and does its firewall let you in?".into()
        }
        ("connect", Errno::EADDRNOTAVAIL) if to.is_ipv6() && !here.ours && !here.v6 => no_v6(ip),
        ("connect", Errno::EADDRNOTAVAIL) => format!(
            "every port for this end of a connection to {to} is in use: wait, or widen net.ipv4.ip_local_port_range"
        )
        .into(),
        ("connect" | "sendto", Errno::ENETUNREACH | Errno::EHOSTUNREACH) => {
            unreachable(call, errno, ip, here)
        }
        ("sendto", Errno::EACCES) if here.broadcast => {
            "that is the address of a whole network: ping asks one host, and multicast has --broadcast to send to all"
                .into()
        }
        ("connect" | "sendto", Errno::EACCES) => {
            "a rule of this machine forbids it: ip route shows routes of type prohibit, nft list ruleset the firewall"
                .into()
        }
        ("connect" | "sendto", Errno::EPERM) => {
            "a firewall of this machine forbids it: nft list ruleset, or iptables -S, shows its rules".into()
        }
        ("sendto", Errno::EMSGSIZE) => match ip {
            IpAddr::V6(_) => {
                "a datagram holds at most 65,527 bytes over IPv6, unless the path takes less".into()
            }
            IpAddr::V4(_) => {
                "a datagram holds at most 65,507 bytes over IPv4, unless the path takes less".into()
            }
        },
        _ => return in_general(call, errno, here).map(Cow::Borrowed),
    })
}

/// Why there is no way to this address.
fn unreachable(call: &str, errno: Errno, to: IpAddr, here: &Here) -> Cow<'static, str> {
    let connection = call == "connect";
    match to {
        _ if connection && to.is_multicast() => {
            format!("{to} is a group, and a connection has one host at its other end").into()
        }
        _ if connection && here.broadcast => {
            format!("{to} means a whole network, and a connection has one host at its other end").into()
        }
        _ if to.is_multicast() => {
            format!("no route says through which interface {to} goes: netplay multicast client chooses one")
                .into()
        }
        _ if here.broadcast => {
            format!("no route says through which interface {to} goes: ip address shows other broadcast addresses")
                .into()
        }
        _ if errno == Errno::EHOSTUNREACH => format!(
            "no machine answers for {to}, or a router says that it is not there: is the address right, and is it on?"
        )
        .into(),
        IpAddr::V6(_) if !here.v6 => no_v6(to),
        IpAddr::V6(_) => no_route(to, "ip -6 route"),
        IpAddr::V4(_) => no_route(to, "ip route"),
    }
}

fn no_route(to: IpAddr, shows: &str) -> Cow<'static, str> {
    format!(
        "this machine, or a router on the way, has no route to {to}: {shows} shows those from here"
    )
    .into()
}

fn no_v6(to: IpAddr) -> Cow<'static, str> {
    format!("this machine has no IPv6 address from which {to} could be reached: take an IPv4 address of that host")
        .into()
}

/// Whether this is an address of a link, and nothing says of which.
fn lacks_scope(address: SocketAddr) -> bool {
    let SocketAddr::V6(address) = address else { return false };
    let ip = address.ip();
    let link_local = ip.is_unicast_link_local() || ip.octets()[..2] == [0xff, 2];
    link_local && address.scope_id() == 0
}

/// Why there can be no further process or thread (fork(2), cgroups(7)).
const NO_MORE: &str = "you may have no more processes and threads: ulimit -u says how many, and pids.max how \
    many there may be in this cgroup";

/// What an error means of which no address is known.
fn in_general(call: &str, errno: Errno, here: &Here) -> Option<&'static str> {
    Some(match (call, errno) {
        ("fork", Errno::EAGAIN) => NO_MORE,
        ("recvfrom", Errno::EAGAIN) => {
            "no reply within --timeout: a datagram may be lost on its way, and nothing tells whether a server is there"
        }
        ("recv", Errno::EAGAIN) => {
            "no reply within --timeout: the server is busy with another client, or does not answer"
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
        ("socket", Errno::EAFNOSUPPORT) if !here.v6 && !here.loopback_v6 => {
            "this machine has no IPv6: take an IPv4 address"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: Here = Here { ours: false, broadcast: false, loopback_v6: true, v6: true };

    /// What is said of a call that failed for this address on such a machine.
    fn said(call: &str, errno: Errno, to: &str, here: Here) -> String {
        let address: SocketAddr = to.parse().unwrap();
        of_address(call, errno, address, &here).map(Cow::into_owned).unwrap_or_default()
    }

    /// Every hint, with every kind of address: it speaks of nothing that is not so there.
    #[test]
    fn a_hint_says_only_what_fits_the_address() {
        let all = [
            "127.0.0.1",
            "127.0.0.3",
            "192.0.2.1",
            "0.0.0.0",
            "10.9.0.255",
            "255.255.255.255",
            "224.0.0.1",
            "[::1]",
            "[2001:db8::1]",
            "[::]",
            "[fe80::1]",
            "[fe80::1%3]",
            "[ff02::1]",
        ];
        let errnos = (1..=133).map(Errno::from_raw).filter(|errno| *errno != Errno::UnknownErrno);
        let machines = [true, false].map(|v6| [true, false].map(|loopback_v6| (v6, loopback_v6)));
        for (errno, ip) in errnos.flat_map(|errno| all.map(|ip| (errno, ip))) {
            for (port, (v6, loopback_v6)) in [0, 80, 7777]
                .into_iter()
                .flat_map(|port| machines.concat().into_iter().map(move |here| (port, here)))
            {
                let to: SocketAddr = format!("{ip}:{port}").parse().unwrap();
                let broadcast = ip.ends_with(".255");
                let ours = to.ip().is_loopback() || to.ip().is_unspecified();
                let here = Here { ours, broadcast, loopback_v6, v6 };
                for call in ["bind", "connect", "sendto"] {
                    let Some(hint) = of_address(call, errno, to, &here) else { continue };
                    let what = format!("{call} {to}: {errno:?} ({here:?}): {hint}");
                    let never = |words: &[&str], fits: bool| {
                        assert!(fits || !words.iter().any(|word| hint.contains(word)), "{what}");
                    };
                    let ip = to.ip();
                    never(&["loopback", "link set lo"], ip.is_loopback());
                    never(
                        &["::1 ", "-4"],
                        ip == IpAddr::from(Ipv6Addr::LOCALHOST) || hint.contains(&ip.to_string()),
                    );
                    never(&["IPv6", "ip -6"], ip.is_ipv6());
                    never(&["has no IPv6"], ip.is_ipv6() && !v6);
                    never(&["IPv4"], ip.is_ipv4() || hint.contains("take an IPv4"));
                    never(&["port 0"], port == 0);
                    never(&["take another port"], call == "bind" && port != 0);
                    never(&["a group", "multicast client chooses"], ip.is_multicast());
                    never(&["whole network", "broadcast addresses"], broadcast);
                    never(&["connection", "accept"], call != "sendto");
                    never(&["datagram", "ping"], call == "sendto");
                    never(&["every link", "%NAME"], lacks_scope(to));
                    never(&["host right"], !ours);
                    never(&["path", "folder"], hint.contains("unless the path takes less"));
                    never(&["privileged", "root"], false);
                }
            }
        }
    }

    #[test]
    fn each_reason_why_there_is_no_way_is_told_apart() {
        use Errno::{EADDRNOTAVAIL, EHOSTUNREACH, EINVAL, ENETUNREACH};
        let without_v6 = Here { v6: false, ..NOWHERE };
        let broadcast = Here { broadcast: true, ..NOWHERE };
        for (call, errno, to, here, part) in [
            (
                "connect",
                ENETUNREACH,
                "192.0.2.1:80",
                NOWHERE,
                "has no route to 192.0.2.1: ip route shows",
            ),
            (
                "sendto",
                ENETUNREACH,
                "[2001:db8::1]:80",
                NOWHERE,
                "has no route to 2001:db8::1: ip -6 route",
            ),
            (
                "connect",
                ENETUNREACH,
                "[2001:db8::1]:80",
                without_v6,
                "this machine has no IPv6 address from",
            ),
            (
                "connect",
                EADDRNOTAVAIL,
                "[2001:db8::1]:80",
                without_v6,
                "this machine has no IPv6 address from",
            ),
            ("connect", EHOSTUNREACH, "10.9.0.7:80", NOWHERE, "no machine answers for 10.9.0.7"),
            ("connect", EINVAL, "[fe80::1]:80", NOWHERE, "fe80::1%NAME"),
            ("bind", EINVAL, "[fe80::1]:80", NOWHERE, "fe80::1%NAME"),
            ("connect", ENETUNREACH, "224.0.0.1:80", NOWHERE, "224.0.0.1 is a group"),
            (
                "connect",
                ENETUNREACH,
                "10.9.0.255:80",
                broadcast,
                "10.9.0.255 means a whole network",
            ),
            ("sendto", Errno::EACCES, "10.9.0.255:80", broadcast, "--broadcast"),
            ("sendto", Errno::EACCES, "10.9.0.7:80", NOWHERE, "of type prohibit"),
            (
                "connect",
                EADDRNOTAVAIL,
                "127.0.0.1:80",
                NOWHERE,
                "a connection to 127.0.0.1:80 is in use",
            ),
            ("bind", EADDRNOTAVAIL, "192.0.2.1:80", NOWHERE, "this machine has no such address"),
            ("connect", Errno::ECONNREFUSED, "127.0.0.1:0", NOWHERE, "no server is on port 0"),
            ("sendto", EINVAL, "127.0.0.1:0", NOWHERE, "no server is on port 0"),
            ("connect", ENETUNREACH, "127.0.0.3:80", NOWHERE, "the loopback device is down"),
        ] {
            let hint = said(call, errno, to, here);
            assert!(hint.contains(part), "{call} {to} {errno:?}: {hint}");
        }
    }

    #[test]
    fn silence_is_told_as_what_it_is_over_each_protocol() {
        let over = |call| in_general(call, Errno::EAGAIN, &NOWHERE).unwrap();
        assert!(over("recvfrom").contains("may be lost") && !over("recvfrom").contains("busy"));
        assert!(over("recv").contains("busy") && !over("recv").contains("lost"));
        assert!(!of_path("connect", Errno::EAGAIN).unwrap().contains("host"));
    }
}
