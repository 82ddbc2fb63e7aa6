//! # Multicast: one datagram, and each member of the group gets a copy
//!
//! ```text
//! receivers, any number of them                 sender
//! socket                                        socket
//! setsockopt SO_REUSEADDR   share the port      setsockopt IP_MULTICAST_IF     the device
//! bind       the group                          setsockopt IP_MULTICAST_TTL    how far
//! setsockopt IP_ADD_MEMBERSHIP
//! recvfrom ◀──┬──────────────────────────────── sendto     the group
//! recvfrom ◀──┘
//!   …                                             …
//! setsockopt IP_DROP_MEMBERSHIP                 close
//! close
//! ```
//!
//! A group is an address that no host has and every host can join. The sender need not join, and does not
//! learn which members there are, or whether there are any. Watch for the copies: it sends once, and the kernel (in
//! a network, the switches and routers) makes a copy for each member. Three things to know:
//!
//! - Joining decides which groups the *host* receives; binding decides what this *socket* is given. A socket bound
//!   to 0.0.0.0 (`--any`) also receives what is sent to this host alone, and on Linux other groups of this port
//!   that any program here has joined, unless IP_MULTICAST_ALL is off. Bound to the group, it receives only that.
//! - SO_REUSEADDR lets datagram sockets share a port. Each gets a copy of a multicast datagram, but only one of
//!   them gets a unicast datagram. With SO_REUSEPORT the sender's address decides which, and all must belong to one user.
//! - Nothing leaves the host unless `--interface` names a device. The group is 239.255.58.58, of the block
//!   for an organisation's own use (RFC 2365); it is spoken to through 127.0.0.1. Over IPv6 the scope is in
//!   the address: ff11::5858 ends at the interface (RFC 4291), though Linux takes no multicast over lo itself.
//!
//! Broadcast is older: every host gets it, wanted or not. There is nothing to join, so a receiver
//! only binds to 127.255.255.255, or to the broadcast address of its network. But the sender must set
//! SO_BROADCAST (`--broadcast`), or sendto fails with EACCES. IPv6 has no broadcast.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use netplay_text::say;

use super::row::{self, Both, Example, Place, Purpose};
use super::script::{self, Demo};
use crate::address::Endpoint;
use crate::call::{
    self, Domain, IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_MULTICAST_IF, IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL, IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP, IPV6_MULTICAST_HOPS,
    IPV6_MULTICAST_IF, IPV6_MULTICAST_LOOP, MSG_TRUNC, SO_BROADCAST, SO_RCVTIMEO, SO_REUSEADDR,
    Type, UdpSocket,
};
use crate::client::{ClientArgs, Usage};
use crate::lang::Lang;
use crate::server::{self, Senders, ServerArgs, Stats};
use crate::stop::Stop;

/// The group that is meant when none is named.
pub const GROUP: &str = "239.255.58.58";
/// The same over IPv6.
pub const GROUP_V6: &str = "ff11::5858";

/// Joins the group and shows what is sent to it, until the stop; then leaves it.
pub fn serve(args: &ServerArgs, options: &ServerOptions, stop: &Stop) -> Result<Stats> {
    let device = &options.device;
    let mut group = group(&args.endpoint, device)?;
    let socket = call::socket(Domain::for_address(group), Type::DGRAM, 0)?;
    // All receivers of a port must set this, including the first.
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    match options.any {
        true => call::bind(&socket, SocketAddr::new(any_address(group), group.port()))?,
        false => call::bind(&socket, group)?,
    }
    let socket = UdpSocket::from(socket);
    match group.ip() {
        IpAddr::V4(ip) if ip.is_multicast() => {
            let membership = (ip, device.v4()?);
            call::setsockopt(&socket, IP_ADD_MEMBERSHIP, membership)?;
        }
        IpAddr::V6(ip) if ip.is_multicast() => {
            let membership = (ip, device.v6(ip)?);
            call::setsockopt(&socket, IPV6_ADD_MEMBERSHIP, membership)?;
        }
        _ => {} // a broadcast, or an address of this machine: it arrives without joining
    }
    group.set_port(call::getsockname(&socket)?.port());
    server::announce("udp", group)?;

    let (mut stats, mut senders, mut reply) =
        (Stats::of_datagrams(), Senders::default(), Vec::new());
    let mut buf = vec![0; args.bufsize];
    let waiting = stop.watch(&socket);
    while !args.full(stats.datagrams)
        && let Some((len, Some(sender))) =
            waiting.or(|| call::recvfrom(&socket, &mut buf, MSG_TRUNC))?
    {
        let data = &buf[..len.min(args.bufsize)];
        stats.datagrams += 1;
        stats.addresses = Some(senders.note(sender));
        stats.received += data.len() as u64;
        server::show(data, args.ascii)?;
        if args.reply.is_some() {
            // To the sender only. It receives one answer from each member that answers.
            let answer = args.answer(data, &mut reply);
            match call::sendto(&socket, answer, 0, sender) {
                Ok(n) => stats.sent += n as u64,
                Err(error) => server::lost(sender, &error),
            }
        }
    }
    drop(waiting);
    // A close would also leave the group: a membership ends with its socket. Other sockets of this
    // machine stay in it; the kernel tells the network when the last one leaves.
    match group.ip() {
        IpAddr::V4(ip) if ip.is_multicast() => {
            let membership = (ip, device.v4()?);
            call::setsockopt(&socket, IP_DROP_MEMBERSHIP, membership)?;
        }
        IpAddr::V6(ip) if ip.is_multicast() => {
            let membership = (ip, device.v6(ip)?);
            call::setsockopt(&socket, IPV6_DROP_MEMBERSHIP, membership)?;
        }
        _ => {}
    }
    call::close(socket)?;
    Ok(stats)
}

/// Sends each message to the group once; waits for answers only if `--answers` says how many there are.
pub fn client(args: &ClientArgs, options: &ClientOptions) -> Result<()> {
    let group = group(&args.endpoint, &options.device)?;
    let socket = UdpSocket::from(call::socket(Domain::for_address(group), Type::DGRAM, 0)?);
    if let Some(limit) = args.timeout {
        call::setsockopt(&socket, SO_RCVTIMEO, limit)?;
    }
    aim(&socket, group, options)?;
    let said = say(&socket, args, options, group);
    call::close(socket)?;
    said
}

/// Reads `--ttl`: a byte in the header of each packet.
fn hops(text: &str) -> Result<u8> {
    text.parse().context("it must be 0 to 255")
}

/// Whether `--interface` can be an address, or the name of a device: that is short, and one word.
fn interface(text: &str) -> Result<String> {
    let name = (1..16).contains(&text.len()) && !text.contains([' ', '/']);
    ensure!(
        name || text.parse::<Ipv4Addr>().is_ok(),
        "it must be an address of a device, or its name"
    );
    Ok(text.to_owned())
}

/// Reads `--answers`.
fn answers(text: &str) -> Result<u32> {
    text.parse().context("it must be a number of answers, 0 or more")
}

/// Sets the device, how far the datagrams go, and whether this machine receives them.
fn aim(socket: &UdpSocket, group: SocketAddr, options: &ClientOptions) -> Result<()> {
    let device = &options.device;
    match group.ip() {
        IpAddr::V4(ip) if ip.is_multicast() => {
            // Without it the routing table decides, and if it has no route to the group, sendto fails.
            call::setsockopt(socket, IP_MULTICAST_IF, device.v4()?)?;
            call::setsockopt(socket, IP_MULTICAST_TTL, i32::from(options.ttl))?;
            if options.no_loop {
                // If off, the sending machine does not receive its own datagrams. Over lo it still does, because there
                // everything sent is received.
                call::setsockopt(socket, IP_MULTICAST_LOOP, 0)?;
            }
        }
        IpAddr::V6(ip) if ip.is_multicast() => {
            call::setsockopt(socket, IPV6_MULTICAST_IF, device.v6(ip)? as i32)?;
            call::setsockopt(socket, IPV6_MULTICAST_HOPS, i32::from(options.ttl))?;
            if options.no_loop {
                call::setsockopt(socket, IPV6_MULTICAST_LOOP, 0)?;
            }
        }
        _ => {}
    }
    if options.broadcast {
        call::setsockopt(socket, SO_BROADCAST, 1)?;
        if group.is_ipv4() {
            // 255.255.255.255 says "this network" but not which one: the sender's own address says that.
            call::bind(socket, SocketAddr::new(device.v4()?.into(), 0))?;
        }
    }
    Ok(())
}

fn say(
    socket: &UdpSocket,
    args: &ClientArgs,
    options: &ClientOptions,
    group: SocketAddr,
) -> Result<()> {
    let mut talk = args.talk()?;
    let mut buf = vec![0; args.bufsize];
    while let Some(message) = talk.next()? {
        call::sendto(socket, &message, 0, group)?;
        for _ in 0..options.answers {
            // Each member answers for itself; on one host all of them from the same address and port.
            let (len, _) = call::recvfrom(socket, &mut buf, MSG_TRUNC)?;
            talk.show(&buf[..len.min(args.bufsize)])?;
        }
    }
    Ok(talk.end_line()?)
}

/// The group's address. An IPv6 one without global scope needs a device.
fn group(endpoint: &Endpoint, device: &Device) -> Result<SocketAddr> {
    let mut group = endpoint.resolve()?;
    if let SocketAddr::V6(group) = &mut group
        && group.ip().is_multicast()
        && group.scope_id() == 0
        && scope(*group.ip()) <= LINK
    {
        group.set_scope_id(device.v6(*group.ip())?);
    }
    Ok(group)
}

fn any_address(group: SocketAddr) -> IpAddr {
    match group {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

impl Device {
    /// IPv4 identifies a device by its address.
    fn v4(&self) -> Result<Ipv4Addr> {
        let Some(address) = &self.interface else { return Ok(Ipv4Addr::LOCALHOST) };
        address.parse().with_context(|| {
            Usage(say!(
                Lang::current(),
                "over IPv4, --interface takes an address of the device, and {address:?} is not an address",
                "在 IPv4 上，--interface 是设备的地址，而 {address:?} 不是地址",
            ))
        })
    }

    /// IPv6 identifies a device by its number. Without a name it is any device that supports multicast: the kernel
    /// drops datagrams for a group of this scope before they reach the device.
    fn v6(&self, group: Ipv6Addr) -> Result<u32> {
        let lang = Lang::current();
        let devices = fs::read_to_string("/proc/net/if_inet6")
            .context(lang.pick("this machine has no IPv6", "本机没有 IPv6"))?;
        // An address, the number of its device in hex, three more numbers, the name.
        let mut devices = devices.lines().filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            Some((u32::from_str_radix(words.get(1)?, 16).ok()?, *words.get(5)?))
        });
        let found = match &self.interface {
            Some(wanted) => devices.find(|(_, name)| name == wanted),
            None if scope(group) > INTERFACE => {
                bail!(Usage(say!(
                    lang,
                    "{group} may reach beyond this host: name the device with --interface NAME",
                    "{group} 可能超出本机：用 --interface NAME 指明设备",
                )))
            }
            None => devices.find(|(_, name)| *name != "lo"),
        };
        let (number, _) = found.with_context(|| match &self.interface {
            Some(wanted) => say!(
                lang,
                "no device with an IPv6 address is called {wanted:?}",
                "没有名为 {wanted:?} 且有 IPv6 地址的设备",
            ),
            None => say!(
                lang,
                "no device except lo has IPv6, and lo takes no multicast",
                "除 lo 外没有设备有 IPv6，而 lo 不接收组播",
            ),
        })?;
        Ok(number)
    }
}

/// The scope of an IPv6 group: the last four bits of its second byte (RFC 4291, 2.7).
fn scope(group: Ipv6Addr) -> u8 {
    group.octets()[1] & 0xf
}

const INTERFACE: u8 = 1;
const LINK: u8 = 2;

/// The options of a receiver.
#[derive(Debug, Args)]
pub struct ServerOptions {
    #[command(flatten)]
    device: Device,
    /// Bind to any address, not to the group: also receive datagrams for this machine alone
    #[arg(long)]
    any: bool,
}

/// The options of a sender.
#[derive(Debug, Args)]
pub struct ClientOptions {
    #[command(flatten)]
    device: Device,
    /// How far datagrams go: 0 stays in this machine, 1 in its network, more pass routers
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = hops)]
    ttl: u8,
    /// Do not receive on this machine what it sends itself (over lo it does so nevertheless)
    #[arg(long)]
    no_loop: bool,
    /// Allow sending to a broadcast address, such as 127.255.255.255 (SO_BROADCAST)
    #[arg(long)]
    broadcast: bool,
    /// Wait for this many answers to each message; a server answers if it has --reply
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = answers)]
    answers: u32,
}

/// The option of both.
#[derive(Debug, Args)]
pub struct Device {
    /// The device: over IPv4 an address that it has [default: 127.0.0.1], over IPv6 its name
    #[arg(long, value_name = "ADDRESS|NAME", value_parser = interface)]
    interface: Option<String>,
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "multicast",
    short: None,
    summary: Both {
        en: "one datagram for many receivers: a group that any host can join and leave",
        zh: "一个数据报，多个接收者：任何主机都可以加入和离开的组",
    },
    watch: Both {
        en: "one sendto, and each member receives a copy; the sender does not learn which members \
              there are, or whether there are any",
        zh: "一次 sendto，每个成员收到一份；发送方不知道组里有哪些成员，甚至不知道有没有成员",
    },
    place: Place::Group { v4: GROUP, v6: GROUP_V6 },
    purpose: Purpose::Other,
    at_once: row::AtOnce::All,
    reply: None,
    server: Some(&row::Server(serve)),
    client: &row::Client(client),
    tools: &[],
    demo: Demo::of(script::TO_EVERYBODY),
    next: Some(Both {
        en: "netplay multicast client 127.255.255.255, without and with --broadcast",
        zh: "netplay multicast client 127.255.255.255，不带和带 --broadcast 各一次",
    }),
    lesson: "multicast",
};
