//! What the kernel knows about other programs' sockets: every socket on this host, and its holders.
//!
//! A program can read everything about its own sockets (getsockopt(2)); for all others there are two ways.
//! [`sock_diag(7)`](https://man7.org/linux/man-pages/man7/sock_diag.7.html) answers in a binary format
//! over a netlink socket, and is what `ss` asks. The older tables, `/proc/net/tcp` and its siblings, say
//! less, as text; they are read if sock_diag is missing or forbidden. Neither knows processes: a
//! socket is an inode, and its holders are the processes that have a descriptor of that inode.
//!
//! ```text
//! tcp() udp() unix()   ── sock_diag ──▶ address, state, queues, timer, inode
//!                       └ /proc/net     the same, less of it
//! holders([inode])     ── /proc/*/fd ─▶ pid, program, descriptor
//! ```
//!
//! These calls are never recorded, because they are not part of the program on a page.
//!
//! ```
//! use std::time::Duration;
//!
//! use netplay_inspect::{self as inspect, Ask};
//!
//! let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! let port = listener.local_addr()?.port();
//!
//! let sockets = inspect::tcp(Ask::port(port))?;
//! let found = sockets.iter().find(|socket| socket.is_open()).expect("it listens");
//! assert!(found.local.ip().is_loopback());
//!
//! let holders = inspect::holders([found.inode], Duration::from_secs(5));
//! assert_eq!(holders.of(found.inode)[0].pid, std::process::id());
//! # Ok::<(), std::io::Error>(())
//! ```

mod diag;
mod holder;
mod socket;
mod sysctl;
pub mod table;

use std::io;
use std::net::{IpAddr, Ipv4Addr};

pub use holder::{Holder, Holders, holders};
pub use netplay_text::tcp::State;
pub use socket::{
    Ask, Inet, Memory, Protocol, TcpInfo, Timer, TimerKind, Unix, UnixKind, UnixName,
};
pub use sysctl::{numbers, sysctl};

/// The TCP sockets of this host (of its network namespace), in every state.
///
/// # Errors
/// Neither sock_diag nor `/proc/net` can be read.
pub fn tcp(ask: Ask) -> io::Result<Vec<Inet>> {
    diag::inet(Protocol::Tcp, ask).or_else(|_| table::inet(Protocol::Tcp, ask))
}

/// The UDP sockets of this host.
///
/// # Errors
/// Neither sock_diag nor `/proc/net` can be read.
pub fn udp(ask: Ask) -> io::Result<Vec<Inet>> {
    diag::inet(Protocol::Udp, ask).or_else(|_| table::inet(Protocol::Udp, ask))
}

/// Whether this host has the address: loopback, every address (`0.0.0.0`, `::`), or one of an interface
/// (getifaddrs(3)).
#[must_use]
pub fn is_ours(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    ip.is_loopback() || ip.is_unspecified() || addresses().iter().any(|(own, _)| *own == ip)
}

/// Whether a datagram to this address is for every machine of a network: `255.255.255.255`, or the last
/// address of a network in which this host is.
#[must_use]
pub fn is_broadcast(ip: IpAddr) -> bool {
    let IpAddr::V4(ip) = ip else { return false };
    let last = |(own, mask): &(IpAddr, Option<Ipv4Addr>)| match (own, mask) {
        (IpAddr::V4(own), Some(mask)) => (mask.to_bits().count_ones() < 31)
            .then(|| Ipv4Addr::from_bits(own.to_bits() | !mask.to_bits())),
        _ => None,
    };
    ip.is_broadcast() || addresses().iter().any(|one| last(one) == Some(ip))
}

/// The addresses of the interfaces; those of IPv4 with the mask of their network.
#[must_use]
pub fn addresses() -> Vec<(IpAddr, Option<Ipv4Addr>)> {
    let all = nix::ifaddrs::getifaddrs().into_iter().flatten();
    all.filter_map(|interface| {
        let address = interface.address?;
        if let Some(v4) = address.as_sockaddr_in() {
            let mask = interface.netmask.and_then(|mask| Some(mask.as_sockaddr_in()?.ip()));
            return Some((v4.ip().into(), mask));
        }
        Some((address.as_sockaddr_in6()?.ip().into(), None))
    })
    .collect()
}

/// The UNIX domain sockets of this host.
///
/// # Errors
/// Neither sock_diag nor `/proc/net/unix` can be read.
pub fn unix() -> io::Result<Vec<Unix>> {
    diag::unix().or_else(|_| table::unix())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test is a program that others look at")]
mod tests {
    use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixListener;
    use std::time::{Duration, Instant};

    use super::*;

    fn inode(socket: &impl AsRawFd) -> u64 {
        let link = format!("/proc/self/fd/{}", socket.as_raw_fd());
        std::fs::metadata(link).unwrap().ino()
    }

    /// What both ways report about a port, once it is `so` in both: what another thread of the
    /// kernel delivers may arrive a moment later.
    fn asked_until(
        protocol: Protocol,
        port: u16,
        so: impl Fn(&Inet) -> bool,
    ) -> [(Inet, Vec<Inet>); 2] {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let found = asked(protocol, port).map(|found| {
                let one = found.iter().find(|socket| so(socket)).cloned();
                (one, found)
            });
            if let [(Some(one), all), (Some(same), table)] = found {
                return [(one, all), (same, table)];
            }
            assert!(Instant::now() < end, "{found:?}");
            std::thread::yield_now();
        }
    }

    /// What both ways report about a port.
    fn asked(protocol: Protocol, port: u16) -> [Vec<Inet>; 2] {
        let ask = Ask::port(port);
        [diag::inet(protocol, ask).unwrap(), table::inet(protocol, ask).unwrap()]
    }

    #[test]
    fn a_listener_is_found_with_what_waits_for_accept() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let _waiting = TcpStream::connect(address).unwrap();
        let has_one = |socket: &Inet| socket.is_open() && socket.receive_queue == 1;
        for (one, found) in asked_until(Protocol::Tcp, address.port(), has_one) {
            assert_eq!((one.local, one.peer), (address, None));
            assert_eq!((one.inode, one.timer), (inode(&listener), None));
            assert_eq!(one.uid, nix::unistd::getuid().as_raw());
            // The waiting connection does not belong to a process yet.
            let waiting = found.iter().find(|socket| socket.state == State::ESTABLISHED).unwrap();
            assert_eq!((waiting.inode, waiting.local), (0, address));
        }
    }

    #[test]
    fn both_ways_say_the_same_of_addresses() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let (address, datagrams) =
                (listener.local_addr().unwrap(), UdpSocket::bind(address).unwrap());
            for found in asked(Protocol::Tcp, address.port()) {
                let listens = |one: &&Inet| one.inode == inode(&listener);
                assert_eq!(found.iter().find(listens).map(|one| one.local), Some(address));
            }
            let address = datagrams.local_addr().unwrap();
            for found in asked(Protocol::Udp, address.port()) {
                assert_eq!(found.iter().map(|one| one.local).collect::<Vec<_>>(), [address]);
                assert_eq!((found[0].inode, found[0].is_open()), (inode(&datagrams), true));
            }
        }
    }

    #[test]
    fn a_socket_that_is_only_bound_is_found_where_the_kernel_lists_it() {
        let bound =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        bound.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let port = bound.local_addr().unwrap().as_socket().unwrap().port();
        // A connection from this port that has ended may still have its name (TIME-WAIT).
        let [found, table] = asked(Protocol::Tcp, port)
            .map(|found| found.into_iter().filter(|one| one.state != State::TIME_WAIT));
        assert_eq!(table.collect::<Vec<_>>(), []);
        // Nothing, before Linux 6.8.
        for one in found {
            assert!(one.is_only_bound() && one.inode == inode(&bound), "{one:?}");
        }
    }

    #[test]
    fn an_address_is_ours_if_it_can_be_bound() {
        for ip in ["127.0.0.9", "0.0.0.0", "192.0.2.1", "2001:db8::1", "::ffff:127.0.0.1"] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(is_ours(ip), UdpSocket::bind((ip, 0)).is_ok(), "{ip}");
        }
    }

    #[test]
    fn time_wait_has_its_minute() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        let peer = client.local_addr().unwrap();
        drop(listener.accept().unwrap()); // closes first
        drop(client); // and is closed
        let waits = |socket: &Inet| socket.state == State::TIME_WAIT && socket.peer == Some(peer);
        for (rest, _) in asked_until(Protocol::Tcp, address.port(), waits) {
            let timer = rest.timer.unwrap();
            assert_eq!((timer.kind, rest.inode), (TimerKind::TimeWait, 0));
            assert!((50..=60).contains(&timer.left.as_secs()), "{timer:?}");
        }
    }

    #[test]
    fn an_ipv6_socket_says_whether_it_takes_ipv4() {
        for only in [true, false] {
            let socket =
                socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None).unwrap();
            socket.set_only_v6(only).unwrap();
            if socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into()).is_err() {
                return;
            }
            socket.listen(1).unwrap();
            let port = socket.local_addr().unwrap().as_socket().unwrap().port();
            let found = diag::inet(Protocol::Tcp, Ask::port(port)).unwrap();
            let one = found.iter().find(|one| one.is_open()).unwrap();
            assert_eq!((one.v6only, one.send_queue), (Some(only), 1), "and the backlog");
        }
    }

    #[test]
    fn drops_and_measurements_are_told_when_asked_for() {
        let slow = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = slow.local_addr().unwrap().port();
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        for _ in 0..2000 {
            sender.send_to(&[0; 1000], slow.local_addr().unwrap()).unwrap();
        }
        let memory =
            diag::inet(Protocol::Udp, Ask::port(port).memory()).unwrap()[0].memory.unwrap();
        assert!(memory.drops > 0 && memory.received > 0, "{memory:?}");

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let port = client.local_addr().unwrap().port();
        let found = diag::inet(Protocol::Tcp, Ask::port(port).tcp_info()).unwrap();
        let info = found.iter().find_map(|one| one.tcp_info).unwrap();
        assert!(info.segment > 1000 && info.round_trip < Duration::from_secs(5), "{info:?}");
    }

    #[test]
    fn a_unix_listener_is_known_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a\nb.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let ours = |found: Vec<Unix>| {
            found.into_iter().find(|socket| socket.inode == inode(&listener)).unwrap()
        };
        let one = ours(diag::unix().unwrap());
        assert!(one.listening && one.is_at(&path), "{one:?}");
        assert_eq!((one.receive_queue, one.kind), (Some(0), UnixKind::Stream));
        assert!(ours(table::unix().unwrap()).listening);
    }

    #[test]
    fn the_holder_of_a_socket_is_this_process() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = inode(&listener);
        let found = holders([inode], Duration::from_secs(10));
        let ours = found.of(inode);
        // A child of another test, between fork and exec, may also hold it.
        let ours = ours.iter().find(|holder| holder.pid == std::process::id()).unwrap();
        assert_eq!(ours.fd, listener.as_raw_fd());
        assert!(ours.command.contains("netplay"), "{ours:?}");
        assert!(ours.started.unwrap().elapsed().unwrap() < Duration::from_secs(600));
        assert!(found.of(inode + 1).is_empty());
    }
}
