//! What to do about a call that has failed, in one line.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Error;
use nix::errno::Errno;

use super::cause::cause;
use super::{machine, path, port};
use crate::call::{BytesName, CallError, ConnectionName, Name, ProcessName, RingName, SockoptName};
use crate::child::CannotStart;
use crate::inspect;
use crate::lang::Lang;
use crate::server::NoThread;
use netplay_text::say;

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
    /// It is the broadcast address of a network.
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
pub fn hint(error: &Error) -> Option<String> {
    let lang = Lang::current();
    if error.is::<CannotStart>() || error.is::<NoThread>() {
        let why = error.root_cause().downcast_ref::<io::Error>().map(io::Error::kind);
        return (why == Some(io::ErrorKind::WouldBlock)).then(|| no_more(lang).to_owned());
    }
    let error = cause::<CallError>(error)?;
    found(error, lang).or_else(|| {
        let (call, errno, address) = (error.name(), error.errno(), error.address());
        match (address, error.path()) {
            (Some(address), _) => of_address(call, errno, address, &Here::of(Some(address)), lang),
            (None, Some(_)) => of_path(call, errno, lang).map(str::to_owned),
            (None, None) => in_general(call, errno, &Here::of(None), lang).map(str::to_owned),
        }
    })
}

/// Which program has the address, or which could have been meant. It costs a look through the processes, of at most
/// 150 ms, and only here, where a command has failed already.
fn found(error: &CallError, lang: Lang) -> Option<String> {
    let (call, errno) = (error.name(), error.errno());
    match (error.address(), error.path()) {
        (Some(address), _) if address.port() == 0 => None,
        (Some(address), _) => match (call, errno) {
            (BIND, Errno::EADDRINUSE) => port::bind_hint(address, lang),
            (BIND, Errno::EACCES) => machine::privileged_port(address.port(), lang),
            (CONNECT, Errno::ECONNREFUSED) => Some(port::refused_hint(address, lang)),
            (CONNECT, Errno::EINPROGRESS | Errno::EAGAIN | Errno::ETIMEDOUT) => {
                port::connect_hint(address, lang)
            }
            _ => None,
        },
        (None, Some(path)) => match (call, errno) {
            (BIND, Errno::EADDRINUSE) => path::bind_hint(path, lang),
            (CONNECT, Errno::ECONNREFUSED) => path::connect_hint(path, lang),
            _ => None,
        },
        (None, None) => None,
    }
}

/// What an error with the path of a socket means.
fn of_path(call: Name, errno: Errno, lang: Lang) -> Option<&'static str> {
    let (en, zh) = match (call, errno) {
        (BIND, Errno::EADDRINUSE) => {
            ("something has this path: take another one", "这个路径已被占用：换一个路径")
        }
        (BIND, Errno::ENOENT) => (
            "there is no such folder: make it first, or take another path",
            "没有这个目录：先创建它，或换一个路径",
        ),
        (BIND, Errno::EACCES) => (
            "you may not write to the folder of this path, or may not enter a folder on the way to it",
            "你无权写入这个路径所在的目录，或无权进入途中的某个目录",
        ),
        (CONNECT, Errno::EACCES) => (
            "you may not write to this socket, or may not enter a folder on the way to it",
            "你无权写入这个套接字，或无权进入途中的某个目录",
        ),
        (CONNECT, Errno::ECONNREFUSED) => (
            "nothing listens on this path any more: start the server first",
            "这个路径上已经没有程序在监听：先启动服务器",
        ),
        (CONNECT, Errno::ENOENT) => (
            "there is no such socket: start the server first, or check the path",
            "没有这个套接字：先启动服务器，或检查路径",
        ),
        (CONNECT, Errno::EPROTOTYPE) => (
            "that socket accepts no connections: is the path right?",
            "这个套接字不接受连接：路径对吗？",
        ),
        (CONNECT, Errno::EINPROGRESS | Errno::EAGAIN | Errno::ETIMEDOUT) => (
            "the queue of that server is full, because it does not call accept",
            "那个服务器的监听队列已满，因为它不调用 accept",
        ),
        _ => return None,
    };
    Some(lang.pick(en, zh))
}

/// What an error with this address means.
fn of_address(call: Name, errno: Errno, to: SocketAddr, here: &Here, lang: Lang) -> Option<String> {
    let ip = to.ip();
    if no_loopback(call, errno, ip, here) {
        let (en, zh) = match ip {
            IpAddr::V6(_) => (
                "there is no ::1 here: ip link set lo up, if the device is down; where IPv6 is off, try -4",
                "这里没有 ::1：设备没有启用时用 ip link set lo up；没有 IPv6 时试试 -4",
            ),
            IpAddr::V4(_) => (
                "the loopback device is down: ip link set lo up",
                "回环设备没有启用：ip link set lo up",
            ),
        };
        return Some(lang.pick(en, zh).to_owned());
    }
    let (en, zh) = match (call, errno) {
        (CONNECT, Errno::ECONNREFUSED) | (SENDTO, Errno::EINVAL) if to.port() == 0 => (
            "no server is on port 0: take the port that its ready line names",
            "没有服务器使用端口 0：请用服务器 ready 行里的端口",
        ),
        (BIND, Errno::EADDRINUSE) if to.port() == 0 => (
            "no ephemeral port is free: net.ipv4.ip_local_port_range says which there are",
            "没有空闲的临时端口：net.ipv4.ip_local_port_range 给出它们的范围",
        ),
        (BIND, Errno::EADDRINUSE) => (
            "another program has this address: stop it, or take another port; 0 means any",
            "另一个程序占用了这个地址：停掉它，或换一个端口；0 表示任意端口",
        ),
        (BIND, Errno::EADDRNOTAVAIL) => (
            "this machine has no such address: ip address shows its addresses",
            "本机没有这个地址：ip address 列出本机的地址",
        ),
        (BIND | CONNECT | SENDTO, Errno::EINVAL) if lacks_scope(to) => {
            return Some(say!(
                lang,
                "every link may have the address {ip}: name the interface, {ip}%NAME (ip link shows the names)",
                "每个链路都可能有地址 {ip}：请指明接口，{ip}%NAME（ip link 列出接口名）"
            ));
        }
        (BIND, Errno::EINVAL) if ip.is_multicast() => {
            return Some(say!(
                lang,
                "{ip} is a group, and a group has no connections: netplay multicast server joins one",
                "{ip} 是组播组，没有连接可言：netplay multicast server 可以加入一个组"
            ));
        }
        (BIND | CONNECT | SENDTO, Errno::ENODEV | Errno::ENXIO) if to.is_ipv6() => (
            "there is no interface of that name or number: ip link shows the interfaces",
            "没有这个名字或编号的接口：ip link 列出全部接口",
        ),
        (CONNECT, Errno::EINPROGRESS | Errno::EAGAIN | Errno::ETIMEDOUT) if here.ours => (
            "no answer within the time: the server does not call accept, or a firewall drops the packets",
            "在规定时间内没有回应：服务器没有调用 accept，或防火墙丢弃了数据包",
        ),
        (CONNECT, Errno::EINPROGRESS | Errno::EAGAIN | Errno::ETIMEDOUT) => (
            "no answer within the time: is the host right, is it on, and does its firewall let you in?",
            "在规定时间内没有回应：主机写对了吗，开机了吗，它的防火墙放行吗？",
        ),
        (CONNECT, Errno::EADDRNOTAVAIL) if to.is_ipv6() && !here.ours && !here.v6 => {
            return Some(no_v6(ip, lang));
        }
        (CONNECT, Errno::EADDRNOTAVAIL) => {
            return Some(say!(
                lang,
                "every ephemeral port for a connection to {to} is in use: wait, or widen net.ipv4.ip_local_port_range",
                "连到 {to} 的临时端口都已用完：等一等，或扩大 net.ipv4.ip_local_port_range"
            ));
        }
        (CONNECT | SENDTO, Errno::ENETUNREACH | Errno::EHOSTUNREACH) => {
            return Some(unreachable(call, errno, ip, here, lang));
        }
        (SENDTO, Errno::EACCES) if here.broadcast => (
            "that is the broadcast address of a whole network: ping asks one host; multicast has --broadcast to send to all",
            "这是整个网络的广播地址：ping 只问一台主机；multicast 用 --broadcast 发给所有主机",
        ),
        (CONNECT | SENDTO, Errno::EACCES) => (
            "a rule of this machine forbids it: ip route shows routes of type prohibit, nft list ruleset shows the firewall",
            "本机有规则禁止它：ip route 列出 prohibit 类型的路由，nft list ruleset 列出防火墙规则",
        ),
        (CONNECT | SENDTO, Errno::EPERM) => (
            "a firewall of this machine forbids it: nft list ruleset, or iptables -S, shows its rules",
            "本机的防火墙禁止它：nft list ruleset 或 iptables -S 列出规则",
        ),
        (SENDTO, Errno::EMSGSIZE) => match ip {
            IpAddr::V6(_) => (
                "a datagram holds at most 65,527 bytes over IPv6, unless the path takes less",
                "IPv6 上一个数据报最多 65,527 字节，途中的限制可能更小",
            ),
            IpAddr::V4(_) => (
                "a datagram holds at most 65,507 bytes over IPv4, unless the path takes less",
                "IPv4 上一个数据报最多 65,507 字节，途中的限制可能更小",
            ),
        },
        _ => return in_general(call, errno, here, lang).map(str::to_owned),
    };
    Some(lang.pick(en, zh).to_owned())
}

/// Why there is no way to this address.
fn unreachable(call: Name, errno: Errno, to: IpAddr, here: &Here, lang: Lang) -> String {
    let connection = call == CONNECT;
    match to {
        _ if connection && to.is_multicast() => say!(
            lang,
            "{to} is a group, and a connection has a single host as its peer",
            "{to} 是组播组，而连接的对端只能是一台主机"
        ),
        _ if connection && here.broadcast => say!(
            lang,
            "{to} means a whole network, and a connection has a single host as its peer",
            "{to} 代表整个网络，而连接的对端只能是一台主机"
        ),
        _ if to.is_multicast() => say!(
            lang,
            "no route says through which interface {to} goes: netplay multicast client chooses one",
            "没有路由指明 {to} 走哪个接口：netplay multicast client 会选一个"
        ),
        _ if here.broadcast => say!(
            lang,
            "no route says through which interface {to} goes: ip address shows other broadcast addresses",
            "没有路由指明 {to} 走哪个接口：ip address 列出其他广播地址"
        ),
        _ if errno == Errno::EHOSTUNREACH => say!(
            lang,
            "no machine answers for {to}, or a router says that it is not there: is the address right, and is it on?",
            "没有机器以 {to} 应答，或路由器说它不在：地址对吗，开机了吗？"
        ),
        IpAddr::V6(_) if !here.v6 => no_v6(to, lang),
        IpAddr::V6(_) => no_route(to, "ip -6 route", lang),
        IpAddr::V4(_) => no_route(to, "ip route", lang),
    }
}

fn no_route(to: IpAddr, shows: &str, lang: Lang) -> String {
    say!(
        lang,
        "this machine, or a router on the way, has no route to {to}: {shows} shows the routes from here",
        "本机或途中的路由器没有到 {to} 的路由：{shows} 列出本机的路由"
    )
}

fn no_v6(to: IpAddr, lang: Lang) -> String {
    say!(
        lang,
        "this machine has no IPv6 address from which {to} could be reached: take an IPv4 address of that host",
        "本机没有能到达 {to} 的 IPv6 地址：请用那台主机的 IPv4 地址"
    )
}

/// Whether this is an address of a link, and nothing says of which.
fn lacks_scope(address: SocketAddr) -> bool {
    let SocketAddr::V6(address) = address else { return false };
    let ip = address.ip();
    let link_local = ip.is_unicast_link_local() || ip.octets()[..2] == [0xff, 2];
    link_local && address.scope_id() == 0
}

/// Why there can be no further process or thread (fork(2), cgroups(7)).
fn no_more(lang: Lang) -> &'static str {
    lang.pick(
        "you may have no more processes and threads: ulimit -u shows the limit of the user, and pids.max the limit \
         of this cgroup",
        "进程和线程数已到上限：ulimit -u 显示用户的上限，pids.max 是这个 cgroup 的上限",
    )
}

/// What an error means of which no address is known.
fn in_general(call: Name, errno: Errno, here: &Here, lang: Lang) -> Option<&'static str> {
    let (en, zh) = match (call, errno) {
        (FORK, Errno::EAGAIN) => return Some(no_more(lang)),
        (RECVFROM, Errno::EAGAIN) => (
            "no reply within --timeout: a datagram may be lost on its way, and nothing tells whether a server is there",
            "在 --timeout 内没有应答：数据报可能在途中丢失，也无从知道服务器是否存在",
        ),
        (RECV, Errno::EAGAIN) => (
            "no reply within --timeout: the server is busy with another client, or does not answer",
            "在 --timeout 内没有应答：服务器正忙于另一个客户端，或不应答",
        ),
        (SEND, Errno::EAGAIN) => (
            "the server has read nothing within --timeout",
            "服务器在 --timeout 内没有读取任何数据",
        ),
        (RECV | SEND, Errno::ECONNRESET) => (
            "the peer closed the connection with unread data, or was killed",
            "对端关闭连接时还有数据没读，或被强行终止",
        ),
        (SEND, Errno::EPIPE) => {
            ("the connection is closed: nothing more can be sent", "连接已关闭：不能再发送")
        }
        (IO_URING_SETUP, Errno::ENOSYS) => (
            "this kernel has no io_uring: netplay epoll serves as many clients without it",
            "这个内核没有 io_uring：netplay epoll 不用它也能服务同样多的客户端",
        ),
        (IO_URING_SETUP, Errno::EPERM | Errno::EACCES) => (
            "io_uring is forbidden here, by the sysctl kernel.io_uring_disabled or by a filter \
             (seccomp), as in many containers: an administrator can allow it; netplay epoll does not need it",
            "io_uring 在这里被 sysctl kernel.io_uring_disabled 或过滤器（seccomp）禁用，许多容器里都是这样：\
             管理员可以放行；netplay epoll 不需要它",
        ),
        (SOCKET, Errno::EACCES) => (
            "sudo sysctl -w net.ipv4.ping_group_range=\"0 2147483647\" lets every user ping until the next boot",
            "sudo sysctl -w net.ipv4.ping_group_range=\"0 2147483647\" 让所有用户都能 ping，直到下次启动",
        ),
        (SOCKET, Errno::EPERM) => (
            "sudo setcap cap_net_raw+ep $(command -v netplay) lets netplay have raw sockets",
            "sudo setcap cap_net_raw+ep $(command -v netplay) 让 netplay 可以使用原始套接字",
        ),
        (SOCKET, Errno::EAFNOSUPPORT) if !here.v6 && !here.loopback_v6 => {
            ("this machine has no IPv6: take an IPv4 address", "本机没有 IPv6：请用 IPv4 地址")
        }
        _ => return None,
    };
    Some(lang.pick(en, zh))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHERE: Here = Here { ours: false, broadcast: false, loopback_v6: true, v6: true };

    fn is_chinese(c: char) -> bool {
        ('\u{4e00}'..='\u{9fff}').contains(&c)
    }

    /// What is said of a call that failed for this address on such a machine.
    fn said(call: Name, errno: Errno, to: &str, here: Here) -> String {
        let address: SocketAddr = to.parse().unwrap();
        of_address(call, errno, address, &here, Lang::En).unwrap_or_default()
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
                    let Some(hint) = of_address(call, errno, to, &here, Lang::En) else { continue };
                    let chinese = of_address(call, errno, to, &here, Lang::Zh).unwrap_or_default();
                    assert!(chinese.chars().any(is_chinese), "{hint}: {chinese}");
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
        let over = |call| in_general(call, Errno::EAGAIN, &NOWHERE, Lang::En).unwrap();
        assert!(over(RECVFROM).contains("may be lost") && !over(RECVFROM).contains("busy"));
        assert!(over(RECV).contains("busy") && !over(RECV).contains("lost"));
        assert!(!of_path(CONNECT, Errno::EAGAIN, Lang::En).unwrap().contains("host"));
    }
}
