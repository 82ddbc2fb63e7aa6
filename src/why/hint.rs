//! What to do about a call that has failed, in one line.

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Error;
use nix::errno::Errno;

use super::cause::cause;
use super::{machine, path, port};
use crate::call::{BytesName, CallError, ConnectionName, Name, ProcessName, RingName, SockoptName};
use crate::child::CannotStart;
use crate::inspect;
use crate::server::NoThread;

const BIND: Name = Name::Connection(ConnectionName::Bind);
const CONNECT: Name = Name::Connection(ConnectionName::Connect);
const SOCKET: Name = Name::Connection(ConnectionName::Socket);
const SETSOCKOPT: Name = Name::Option(SockoptName::Setsockopt);
const IO_URING_SETUP: Name = Name::Ring(RingName::Setup);
const FORK: Name = Name::Process(ProcessName::Fork);
const RECV: Name = Name::Bytes(BytesName::Recv);
const RECVFROM: Name = Name::Bytes(BytesName::Recvfrom);
const SEND: Name = Name::Bytes(BytesName::Send);
const SENDTO: Name = Name::Bytes(BytesName::Sendto);

/// Whether this machine does not allow what was tried: a privilege is missing, or a part of the kernel, or loopback.
#[must_use]
pub fn cannot_run(error: &CallError) -> bool {
    let (call, errno) = (error.name(), error.errno());
    let loopback = |address: SocketAddr| no_loopback(call, errno, address.ip(), &Here::of(None));
    error.address().is_some_and(loopback)
        || matches!(
            (call, errno),
            (BIND | SOCKET | SETSOCKOPT, Errno::EACCES | Errno::EPERM)
                | (SOCKET, Errno::EAFNOSUPPORT)
                | (IO_URING_SETUP, Errno::ENOSYS | Errno::EPERM | Errno::EACCES)
        )
}

/// Whether 127.0.0.1 or `::1` is not there, or there is no way to loopback. Another address of it may be missing
/// while its device is up, and a connect that finds no free port fails with EADDRNOTAVAIL as well.
fn no_loopback(call: Name, errno: Errno, to: IpAddr, here: &Here) -> bool {
    match errno {
        Errno::ENETUNREACH => to.is_loopback(),
        Errno::EADDRNOTAVAIL if call == BIND => {
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
#[must_use]
pub fn hint(error: &Error) -> Option<Cow<'static, str>> {
    if error.is::<CannotStart>() || error.is::<NoThread>() {
        let why = error.root_cause().downcast_ref::<io::Error>().map(io::Error::kind);
        return (why == Some(io::ErrorKind::WouldBlock)).then_some(Cow::Borrowed(NO_MORE));
    }
    let error = cause::<CallError>(error)?;
    found(error).map(Cow::Owned).or_else(|| {
        let (call, errno, address) = (error.name(), error.errno(), error.address());
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
    let (call, errno) = (error.name(), error.errno());
    match (error.address(), error.path()) {
        (Some(address), _) if address.port() == 0 => None,
        (Some(address), _) => match (call, errno) {
            (BIND, Errno::EADDRINUSE) => port::bind_hint(address),
            (BIND, Errno::EACCES) => machine::privileged_port(address.port()),
            (CONNECT, Errno::ECONNREFUSED) => Some(port::refused_hint(address)),
            (CONNECT, Errno::EINPROGRESS | Errno::EAGAIN | Errno::ETIMEDOUT) => {
                port::connect_hint(address)
            }
            _ => None,
        },
        (None, Some(path)) => match (call, errno) {
            (BIND, Errno::EADDRINUSE) => path::bind_hint(path),
            (CONNECT, Errno::ECONNREFUSED) => path::connect_hint(path),
            _ => None,
        },
        (None, None) => None,
    }
}

/// What an error with the path of a socket means.
fn of_path(call: Name, errno: Errno) -> Option<&'static str> {
    Some(match (call, errno) {
        (BIND, Errno::EADDRINUSE) => "something has this path: take another one",
        (BIND, Errno::ENOENT) => "there is no such folder: make it first, or take another path",
        (BIND, Errno::EACCES) => {
            "you may not write to the folder of this path, or not enter one on the way to it"
        }
        (CONNECT, Errno::EACCES) => {
            "you may not write to this socket, or not enter a folder on the way to it"
        }
        (CONNECT, Errno::ECONNREFUSED) => {
            "nothing listens on this path any more: start the server first"
        }
        (CONNECT, Errno::ENOENT) => {
            "there is no such socket: start the server first, or check the path"
        }
        (CONNECT, Errno::EPROTOTYPE) => "that socket takes no connections: is the path right?",
        (CONNECT, Errno::EINPROGRESS | Errno::EAGAIN | Errno::ETIMEDOUT) => {
            "the queue of that server is full: it does not call accept"
        }
        _ => return None,
    })
}

/// What an error with this address means.
fn of_address(call: Name, errno: Errno, to: SocketAddr, here: &Here) -> Option<Cow<'static, str>> {
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
        (CONNECT, Errno::ECONNREFUSED) | (SENDTO, Errno::EINVAL) if to.port() == 0 => {
            "no server is on port 0: take the port that its ready line names".into()
        }
        (BIND, Errno::EADDRINUSE) if to.port() == 0 => {
            "no port is free to choose from: net.ipv4.ip_local_port_range says which there are".into()
        }
        (BIND, Errno::EADDRINUSE) => {
            "another program has this address: stop it, or take another port; 0 means any".into()
        }
        (BIND, Errno::EADDRNOTAVAIL) => {
            "this machine has no such address: ip address shows those it has".into()
        }
        (BIND | CONNECT | SENDTO, Errno::EINVAL) if lacks_scope(to) => format!(
            "every link may have the address {ip}: say which interface is meant, {ip}%NAME (ip link shows the names)"
        )
        .into(),
        (BIND, Errno::EINVAL) if ip.is_multicast() => {
            format!("{ip} is a group, which has no connections: netplay multicast server joins one").into()
        }
        (BIND | CONNECT | SENDTO, Errno::ENODEV | Errno::ENXIO) if to.is_ipv6() => {
            "there is no interface of that name or number: ip link shows those there are".into()
        }
        (CONNECT, Errno::EINPROGRESS | Errno::EAGAIN | Errno::ETIMEDOUT) if here.ours => {
            "no answer within the time: the server does not call accept, or a firewall drops what is sent".into()
        }
        (CONNECT, Errno::EINPROGRESS | Errno::EAGAIN | Errno::ETIMEDOUT) => {
            "no answer within the time: is the host right, is it on, and does its firewall let you in?".into()
        }
        (CONNECT, Errno::EADDRNOTAVAIL) if to.is_ipv6() && !here.ours && !here.v6 => no_v6(ip),
        (CONNECT, Errno::EADDRNOTAVAIL) => format!(
            "every port for this end of a connection to {to} is in use: wait, or widen net.ipv4.ip_local_port_range"
        )
        .into(),
        (CONNECT | SENDTO, Errno::ENETUNREACH | Errno::EHOSTUNREACH) => {
            unreachable(call, errno, ip, here)
        }
        (SENDTO, Errno::EACCES) if here.broadcast => {
            "that is the address of a whole network: ping asks one host, and multicast has --broadcast to send to all"
                .into()
        }
        (CONNECT | SENDTO, Errno::EACCES) => {
            "a rule of this machine forbids it: ip route shows routes of type prohibit, nft list ruleset the firewall"
                .into()
        }
        (CONNECT | SENDTO, Errno::EPERM) => {
            "a firewall of this machine forbids it: nft list ruleset, or iptables -S, shows its rules".into()
        }
        (SENDTO, Errno::EMSGSIZE) => match ip {
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
fn unreachable(call: Name, errno: Errno, to: IpAddr, here: &Here) -> Cow<'static, str> {
    let connection = call == CONNECT;
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
fn in_general(call: Name, errno: Errno, here: &Here) -> Option<&'static str> {
    Some(match (call, errno) {
        (FORK, Errno::EAGAIN) => NO_MORE,
        (RECVFROM, Errno::EAGAIN) => {
            "no reply within --timeout: a datagram may be lost on its way, and nothing tells whether a server is there"
        }
        (RECV, Errno::EAGAIN) => {
            "no reply within --timeout: the server is busy with another client, or does not answer"
        }
        (SEND, Errno::EAGAIN) => "the server has read nothing within --timeout",
        (RECV | SEND, Errno::ECONNRESET) => {
            "the other end closed the connection with data unread, or was ended by force"
        }
        (SEND, Errno::EPIPE) => "the connection is closed: nothing can be sent any more",
        (IO_URING_SETUP, Errno::ENOSYS) => {
            "this kernel has no io_uring: netplay epoll serves as many clients without it"
        }
        (IO_URING_SETUP, Errno::EPERM | Errno::EACCES) => {
            "io_uring is forbidden here, by the sysctl kernel.io_uring_disabled or by a filter \
             (seccomp), as in many containers: an administrator can allow it; netplay epoll needs none"
        }
        (SOCKET, Errno::EACCES) => {
            "sudo sysctl -w net.ipv4.ping_group_range=\"0 2147483647\" lets everybody ping until the next boot"
        }
        (SOCKET, Errno::EPERM) => {
            "sudo setcap cap_net_raw+ep $(command -v netplay) lets netplay have raw sockets"
        }
        (SOCKET, Errno::EAFNOSUPPORT) if !here.v6 && !here.loopback_v6 => {
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
    fn said(call: Name, errno: Errno, to: &str, here: Here) -> String {
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
        let errnos = crate::record::errnos();
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
                for call in [BIND, CONNECT, SENDTO] {
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
                    never(&["take another port"], call == BIND && port != 0);
                    never(&["a group", "multicast client chooses"], ip.is_multicast());
                    never(&["whole network", "broadcast addresses"], broadcast);
                    never(&["connection", "accept"], call != SENDTO);
                    never(&["datagram", "ping"], call == SENDTO);
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
                CONNECT,
                ENETUNREACH,
                "192.0.2.1:80",
                NOWHERE,
                "has no route to 192.0.2.1: ip route shows",
            ),
            (
                SENDTO,
                ENETUNREACH,
                "[2001:db8::1]:80",
                NOWHERE,
                "has no route to 2001:db8::1: ip -6 route",
            ),
            (
                CONNECT,
                ENETUNREACH,
                "[2001:db8::1]:80",
                without_v6,
                "this machine has no IPv6 address from",
            ),
            (
                CONNECT,
                EADDRNOTAVAIL,
                "[2001:db8::1]:80",
                without_v6,
                "this machine has no IPv6 address from",
            ),
            (CONNECT, EHOSTUNREACH, "10.9.0.7:80", NOWHERE, "no machine answers for 10.9.0.7"),
            (CONNECT, EINVAL, "[fe80::1]:80", NOWHERE, "fe80::1%NAME"),
            (BIND, EINVAL, "[fe80::1]:80", NOWHERE, "fe80::1%NAME"),
            (CONNECT, ENETUNREACH, "224.0.0.1:80", NOWHERE, "224.0.0.1 is a group"),
            (CONNECT, ENETUNREACH, "10.9.0.255:80", broadcast, "10.9.0.255 means a whole network"),
            (SENDTO, Errno::EACCES, "10.9.0.255:80", broadcast, "--broadcast"),
            (SENDTO, Errno::EACCES, "10.9.0.7:80", NOWHERE, "of type prohibit"),
            (
                CONNECT,
                EADDRNOTAVAIL,
                "127.0.0.1:80",
                NOWHERE,
                "a connection to 127.0.0.1:80 is in use",
            ),
            (BIND, EADDRNOTAVAIL, "192.0.2.1:80", NOWHERE, "this machine has no such address"),
            (CONNECT, Errno::ECONNREFUSED, "127.0.0.1:0", NOWHERE, "no server is on port 0"),
            (SENDTO, EINVAL, "127.0.0.1:0", NOWHERE, "no server is on port 0"),
            (CONNECT, ENETUNREACH, "127.0.0.3:80", NOWHERE, "the loopback device is down"),
        ] {
            let hint = said(call, errno, to, here);
            assert!(hint.contains(part), "{call} {to} {errno:?}: {hint}");
        }
    }

    #[test]
    fn silence_is_told_as_what_it_is_over_each_protocol() {
        let over = |call| in_general(call, Errno::EAGAIN, &NOWHERE).unwrap();
        assert!(over(RECVFROM).contains("may be lost") && !over(RECVFROM).contains("busy"));
        assert!(over(RECV).contains("busy") && !over(RECV).contains("lost"));
        assert!(!of_path(CONNECT, Errno::EAGAIN).unwrap().contains("host"));
    }
}
