//! # Ping: ICMP echo, with the headers in the open
//!
//! ```text
//! client                                                   the kernel of the host
//! socket      SOCK_DGRAM, IPPROTO_ICMP; --raw: SOCK_RAW    (no program: the kernel answers)
//! setsockopt  IP_TTL, IP_RECVTTL, IP_RECVERR; --raw: SO_RCVBUF
//! bind        port 0: any identifier
//! getsockname returns the identifier
//! sendto   ─────── echo request, type 8 ────────────────▶
//! poll        until the next one is due
//! recvmsg  ◀────── echo reply, type 0, same payload ─────
//! recvmsg  ◀────── time exceeded, type 11 ──── a router    MSG_ERRQUEUE
//!   …         until the queue is empty; then the next request
//! close
//! ```
//!
//! Watch which side does what: ICMP has no ports, and no program of the host takes part. Two kinds of socket
//! can send it.
//!
//! - A **datagram** socket is for users whose group is in net.ipv4.ping_group_range (icmp(7)). It
//!   sends only echo requests. The kernel chooses the identifier, which is the socket's "port", computes the
//!   checksum, and delivers the replies to this socket's requests, from the ICMP header on. Errors from
//!   routers are in an error queue.
//! - A **raw** socket (raw(7)) needs a privilege (CAP_NET_RAW). It can send any packet, and receives a
//!   copy of every ICMP message that reaches this machine, over IPv4 with the IP header. So the page has
//!   to check the identifier of each; and on loopback it receives its own request
//!   before the reply. (ICMP_FILTER would filter such types out; here the story tells them.)
//!
//! A reply proves that the kernel of the host runs, but nothing about its programs. A missing reply proves
//! nothing: many filters drop echo. See RFC 792, RFC 4443 for IPv6, RFC 1071 for the checksum.

pub mod header;
mod words;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use clap::Args;
use libc::{IPPROTO_ICMP, IPPROTO_ICMPV6, POLLERR, POLLIN};
use nix::errno::Errno;

use super::row::{self, Both, Example, Place, Purpose, up_to};
use super::script::{self, Demo};
use crate::address::Family;
use crate::call::{
    self, Complaint, Domain, IP_RECVERR, IP_RECVTTL, IP_TTL, IPV6_RECVERR, IPV6_RECVHOPLIMIT,
    IPV6_UNICAST_HOPS, MSG_DONTWAIT, MSG_ERRQUEUE, Message, SO_RCVBUF, Socket, Type, pollfd,
};
use crate::client::{self, ClientArgs, Usage};
use crate::output::stdout;
use crate::stop::{Stop, Watch};
use header::{Icmp, Ipv4, Meaning};

/// Sends echo requests and tells what comes back, until all are answered, no more replies can be expected,
/// or the stop.
pub fn client(args: &ClientArgs, options: &Options) -> Result<()> {
    let host = args.endpoint.resolve()?;
    let plan = Plan::read(args, options, host.ip())?;
    let (socket, raw) = open(plan.family, options.raw)?;
    let identifier = prepare(&socket, raw, &plan)?;
    let stop = Stop::new();
    stop.on_signals();
    let waiting = stop.watch(&socket);
    let told = Told::default();
    let mut pinging = Pinging { socket: &socket, raw, host, identifier, plan, sent: vec![], told };
    let pinged = pinging.run(&waiting);
    let Pinging { sent, told, .. } = pinging;
    drop(waiting);
    drop(socket); // a close, recorded as one
    pinged?;
    let refused = sent.iter().filter(|request| request.fate == Fate::Refused).count();
    words::statistics(sent.len(), &told.times, told.duplicates, refused)?;
    ensure!(!told.times.is_empty(), words::no_reply(host.ip(), refused > 0));
    Ok(())
}

/// What to send, and how.
struct Plan {
    family: Family,
    count: u16,
    interval: Duration,
    /// How long to wait for missing replies after the last request.
    timeout: Duration,
    payload: Vec<u8>,
    ttl: i32,
    headers: bool,
}

impl Plan {
    /// The settings for one host, which must not be asked too fast.
    fn read(args: &ClientArgs, options: &Options, host: IpAddr) -> Result<Plan> {
        if host.is_multicast() || host == Ipv4Addr::BROADCAST {
            bail!(words::many(host));
        }
        let &Options { raw: _, count, interval, size, ttl, headers } = options;
        if interval < LEAST && !host.is_loopback() {
            let least = LEAST.as_secs_f64();
            bail!(Usage(format!("--interval is at least {least} s, except on loopback")));
        }
        let (family, name, largest) = match host {
            IpAddr::V4(_) => (Family::V4, "IPv4", LARGEST_V4),
            IpAddr::V6(_) => (Family::V6, "IPv6", LARGEST_V6),
        };
        if size > largest {
            bail!(Usage(format!("--size is at most {largest} over {name}, and {host} is {name}")));
        }
        Ok(Plan {
            family,
            count,
            interval,
            timeout: args.timeout.unwrap_or(LAST),
            payload: (0..size).map(|i| i as u8).collect(), // 00 01 02: a change on the way is visible
            ttl,
            headers,
        })
    }
}

/// The bytes of a payload, unless told otherwise: those of ping(8) since 1983.
const SIZE: usize = 56;

/// How long missing replies are waited for after the last request, unless told otherwise.
const LAST: Duration = Duration::from_secs(2);

/// Other hosts are not asked more often than this.
const LEAST: Duration = Duration::from_millis(200);

/// How many bytes fit into a packet after the headers. The total length in an IPv4 header counts the header
/// itself; the length in an IPv6 header counts only what is behind it.
const LARGEST_V4: usize = 65_535 - 20 - header::ECHO;
const LARGEST_V6: usize = 65_535 - header::ECHO;

/// Reads `--interval`.
fn interval(text: &str) -> Result<Duration> {
    match text.parse() {
        Ok(seconds @ 0.0..=1e6) => Ok(Duration::from_secs_f64(seconds)),
        _ => bail!("it is a number of seconds, such as 1 or 0.5"),
    }
}

/// Reads `--size`, which may still be too large for the host's version of IP.
fn size(text: &str) -> Result<usize> {
    match text.parse() {
        Ok(size @ 0..=LARGEST_V6) => Ok(size),
        _ => bail!(
            "it is a number of bytes, at most {LARGEST_V4} over IPv4 and {LARGEST_V6} over IPv6"
        ),
    }
}

/// The datagram socket; or the raw one, if it is asked for, or if only that one is allowed.
/// The protocol must be given: 0 would be UDP.
fn open(family: Family, raw: bool) -> Result<(Socket, bool)> {
    let (domain, protocol) = match family {
        Family::V4 => (Domain::IPV4, IPPROTO_ICMP),
        Family::V6 => (Domain::IPV6, IPPROTO_ICMPV6),
    };
    if raw {
        return Ok((call::socket(domain, Type::RAW, protocol)?, true));
    }
    match call::socket(domain, Type::DGRAM, protocol) {
        Ok(socket) => Ok((socket, false)),
        Err(forbidden) if forbidden.errno() == Errno::EACCES => {
            match call::socket(domain, Type::RAW, protocol) {
                Ok(socket) => {
                    client::raw_instead(forbidden);
                    Ok((socket, true))
                }
                Err(_) => Err(forbidden.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Sets what the kernel should report with the bytes, and returns the identifier of all requests.
fn prepare(socket: &Socket, raw: bool, plan: &Plan) -> Result<u16> {
    let (ttl, receive_ttl, receive_errors, any) = match plan.family {
        Family::V4 => (IP_TTL, IP_RECVTTL, IP_RECVERR, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        Family::V6 => {
            (IPV6_UNICAST_HOPS, IPV6_RECVHOPLIMIT, IPV6_RECVERR, Ipv6Addr::UNSPECIFIED.into())
        }
    };
    call::setsockopt(socket, ttl, plan.ttl)?;
    // A raw IPv4 socket receives the IP header, and with it the TTL.
    if !raw || plan.family == Family::V6 {
        call::setsockopt(socket, receive_ttl, 1)?;
    }
    if raw {
        // On loopback two messages arrive for each request, and other programs' messages in addition. The kernel
        // allows no more than net.core.rmem_max.
        call::setsockopt(socket, SO_RCVBUF, QUEUE)?;
        // Identifiers are not assigned. By custom a program uses the number of its process.
        return Ok(std::process::id() as u16);
    }
    call::setsockopt(socket, receive_errors, 1)?;
    call::bind(socket, SocketAddr::new(any, 0))?;
    Ok(call::getsockname(socket)?.port())
}

/// A host that is being pinged.
struct Pinging<'a> {
    socket: &'a Socket,
    raw: bool,
    host: SocketAddr,
    identifier: u16,
    plan: Plan,
    /// The first is number 1.
    sent: Vec<Request>,
    told: Told,
}

/// A request that was sent.
struct Request {
    /// When, on this program's own clock. (ping(8) sends the time in the payload. Then it need not
    /// remember it, but it trusts the reply.)
    at: u64,
    fate: Fate,
}

/// The result of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    /// It failed, as a router or a kernel reported.
    Refused,
    Answered,
}

/// The size of the receive buffer of a raw socket, in bytes.
const QUEUE: i32 = 1 << 20;

/// How long a receive queue that never becomes empty may delay the next request.
const OVERTIME: Duration = Duration::from_millis(100);

impl Pinging<'_> {
    fn run(&mut self, waiting: &Watch<'_>) -> Result<()> {
        let (count, size) = (self.plan.count, self.plan.payload.len());
        words::begin(self.host.ip(), count, size, self.identifier, self.raw)?;
        // Room for any packet: a raw socket also receives what other programs sent.
        let mut message = Message::new(65_535);
        for sequence in 1..=count {
            self.send(sequence, &mut message)?;
            let last = sequence == count;
            let wait = if last { self.plan.timeout } else { self.plan.interval };
            let due = call::monotonic().saturating_add(wait.as_nanos() as u64);
            if !self.listen(waiting, due, last, &mut message)? {
                break;
            }
        }
        Ok(())
    }

    fn send(&mut self, sequence: u16, message: &mut Message) -> Result<()> {
        let request = self.request(sequence);
        let mut at = call::monotonic();
        if let Err(error) = call::sendto(self.socket, &request, 0, self.host) {
            // It may be the error of an earlier request, which the next call on the socket returns. Then it
            // is also in the error queue, and this request has not been tried yet.
            if !self.complaint(message)? {
                return Err(error.into());
            }
            at = call::monotonic();
            call::sendto(self.socket, &request, 0, self.host)?;
        }
        self.sent.push(Request { at, fate: Fate::Open });
        Ok(())
    }

    fn request(&self, sequence: u16) -> Vec<u8> {
        header::request(self.plan.family, self.identifier, sequence, &self.plan.payload)
    }

    /// Receives until this time, and then what the receive queue still holds: it is small, and what
    /// does not fit is lost. After the last request it receives until nothing more is expected. `false` is the stop.
    fn listen(
        &mut self,
        waiting: &Watch<'_>,
        due: u64,
        last: bool,
        message: &mut Message,
    ) -> Result<bool> {
        loop {
            let left = Duration::from_nanos(due.saturating_sub(call::monotonic()));
            let mut list =
                [pollfd { fd: self.socket.as_fd().as_raw_fd(), events: POLLIN, revents: 0 }];
            let Some(ready) = waiting.or(|| call::poll(&mut list, Some(left)))? else {
                return Ok(false);
            };
            if ready == 0 {
                return Ok(true);
            }
            // POLLERR is always reported: there is something in the error queue.
            if list[0].revents & POLLERR == 0 || !self.complaint(message)? {
                self.receive(message)?;
            }
            let complete = last && self.sent.iter().all(|request| request.fate != Fate::Open);
            // A queue that other programs fill faster than we read is never empty.
            if complete || call::monotonic() >= due.saturating_add(OVERTIME.as_nanos() as u64) {
                return Ok(true);
            }
        }
    }

    fn receive(&mut self, message: &mut Message) -> Result<()> {
        match call::recvmsg(self.socket, message, MSG_DONTWAIT) {
            Ok(_) => {}
            // A damaged packet woke us, and the kernel discarded it when it checked the checksum.
            Err(error) if error.would_block() => return Ok(()),
            Err(error) => match self.complaint(message)? {
                true => return Ok(()),
                false => return Err(error.into()),
            },
        }
        let now = call::monotonic();
        let peer = message.peer().map_or(self.host.ip(), |peer| peer.ip());
        match self.ours(message) {
            Ok((_, icmp, Meaning::Complaint { sequence, .. })) => {
                let why = header::why(self.plan.family, icmp.kind(), icmp.code());
                self.refused(sequence);
                words::refused(Some(peer), Some(sequence), why.unwrap_or_default())
            }
            Ok((ip, icmp, _)) => self.reply(ip, icmp, message, peer, now),
            Err(passed_over) => {
                client::passed_over(peer, passed_over);
                Ok(())
            }
        }
    }

    /// Reads a packet that is about one of our requests, or says why it is not. A datagram socket receives
    /// no others; a raw one receives everything that reaches this machine.
    fn ours<'m>(
        &self,
        message: &'m Message,
    ) -> Result<(Option<Ipv4<'m>>, Icmp<'m>, Meaning), String> {
        let family = self.plan.family;
        let (ip, bytes) = if self.raw && family == Family::V4 {
            let ip = Ipv4::read(message.data()).map_err(|malformed| malformed.to_string())?;
            (Some(ip), ip.data)
        } else {
            (None, message.data())
        };
        let icmp = Icmp::read(bytes).map_err(|malformed| malformed.to_string())?;
        let means = icmp.means(family);
        match means {
            Meaning::Reply { identifier, sequence }
            | Meaning::Complaint { identifier, sequence }
                if identifier == self.identifier =>
            {
                let was_sent = (1..=self.sent.len()).contains(&usize::from(sequence));
                was_sent.then_some((ip, icmp, means)).ok_or_else(words::never_sent)
            }
            Meaning::Request { identifier } if identifier == self.identifier => {
                Err(words::our_own())
            }
            Meaning::Reply { identifier, .. }
            | Meaning::Complaint { identifier, .. }
            | Meaning::Request { identifier } => Err(words::not_ours(icmp.kind(), identifier)),
            Meaning::Damaged => Err(words::damaged()),
            Meaning::Other => Err(words::no_echo(icmp.kind())),
        }
    }

    fn reply(
        &mut self,
        ip: Option<Ipv4<'_>>,
        icmp: Icmp<'_>,
        message: &Message,
        peer: IpAddr,
        now: u64,
    ) -> Result<()> {
        let sequence = icmp.sequence();
        let place = usize::from(sequence) - 1;
        let time = Duration::from_nanos(now.saturating_sub(self.sent[place].at));
        let before = std::mem::replace(&mut self.sent[place].fate, Fate::Answered);
        let twice = before == Fate::Answered;
        match twice {
            true => self.told.duplicates += 1,
            false => self.told.times.push(time),
        }
        let ttl = ip.map(|ip| i32::from(ip.ttl())).or(message.ttl());
        let changed = icmp.payload() != self.plan.payload;
        words::reply(peer, icmp, ttl, time, twice, changed)?;
        if self.plan.headers {
            let (family, request) = (self.plan.family, self.request(sequence));
            write!(stdout(), "{}", header::fields(family, ip, &request, icmp))?;
        }
        Ok(())
    }

    /// Takes a failed request from the error queue, and tells why; `false` if the queue is empty. A raw socket
    /// does not use the queue here: it receives the ICMP message itself.
    fn complaint(&mut self, message: &mut Message) -> Result<bool> {
        if self.raw {
            return Ok(false);
        }
        match call::recvmsg(self.socket, message, MSG_ERRQUEUE | MSG_DONTWAIT) {
            Ok(_) => {}
            Err(error) if error.would_block() => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let Some(Complaint { errno, kind, code, by, .. }) = message.complaint() else {
            return Ok(true);
        };
        let own = call::strerror(Errno::from_raw(errno));
        let why = header::why(self.plan.family, kind, code).filter(|_| by.is_some());
        // A router may quote less of the request than it should.
        let sequence = Icmp::read(message.data()).ok().map(|request| request.sequence());
        sequence.into_iter().for_each(|sequence| self.refused(sequence));
        words::refused(by, sequence, why.unwrap_or(&own))?;
        Ok(true)
    }

    /// Several routers may report one request, and a request with a reply has not failed.
    fn refused(&mut self, sequence: u16) {
        let place = usize::from(sequence).checked_sub(1);
        if let Some(request) = place.and_then(|place| self.sent.get_mut(place))
            && request.fate == Fate::Open
        {
            request.fate = Fate::Refused;
        }
    }
}

/// What came back.
#[derive(Debug, Default)]
struct Told {
    /// How long each first reply took.
    times: Vec<Duration>,
    duplicates: usize,
}

/// The options of the client. The short ones are those of ping(8).
#[derive(Debug, Args)]
#[command(mut_arg("timeout", |arg| {
    arg.short('W').help("Wait at most this long for missing replies after the last request [default: 2]")
}))]
pub struct Options {
    /// Use a raw socket, which needs a privilege (CAP_NET_RAW) and sees every ICMP message
    #[arg(long)]
    raw: bool,
    /// How many requests to send
    #[arg(short, long, value_name = "N", default_value_t = 4, value_parser = up_to::<u16>(65_535))]
    count: u16,
    /// The time between two requests; at least 0.2, except on loopback
    #[arg(short, long, value_name = "SECS", default_value = "1", value_parser = interval)]
    interval: Duration,
    /// The size of the payload: up to 65507 over IPv4, 65527 over IPv6
    #[arg(short, long, value_name = "BYTES", default_value_t = SIZE, value_parser = size)]
    size: usize,
    /// How many routers a request may pass, plus one
    #[arg(short, long, value_name = "N", default_value_t = 64, value_parser = up_to::<i32>(255))]
    ttl: i32,
    /// Show the headers of each request and reply, field by field
    #[arg(long)]
    headers: bool,
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "ping",
    short: None,
    summary: Both {
        en: "is the host there? ICMP echo has no ports, and the kernel itself answers",
        zh: "主机在吗？ICMP 回显没有端口，由内核自己回答",
    },
    watch: Both {
        en: "the reply is the request with another type, so only the type and the checksum differ; \
              the identifier stands where UDP has a port",
        zh: "回复就是换了类型的请求，所以只有类型和校验和不同；标识符的作用相当于 UDP 的端口",
    },
    place: Place::Host,
    purpose: Purpose::Other,
    at_once: row::AtOnce::All,
    reply: None,
    server: None,
    client: &row::Client(client),
    tools: &[],
    demo: Demo {
        server: &[],
        client: &["--headers", "--count=2", "--interval=0.2"],
        steps: script::LEAVE,
    },
    next: Some(Both::same("sudo netplay ping --raw --headers")),
    lesson: "ping",
};
