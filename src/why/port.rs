//! A port: who has it, by which rule of the kernel a bind of it fails, and what to do.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use nix::errno::Errno;
use serde_json::{Value, json};

use super::answer::{Answer, HINT_PATIENCE, PATIENCE};
use super::bind::{Trial, free_port};
use super::machine::privileged_ports;
use super::words::{columns, facts, is_hidden, owner, processes, user};
use crate::inspect::{self, Ask, Holders, Inet, Protocol, State};
use crate::words::{counted, seconds_left};

/// How many sockets of a kind are told one by one.
const MOST: usize = 12;

/// Everything that has a port.
struct Port {
    number: u16,
    sockets: Vec<Inet>,
    holders: Holders,
}

impl Port {
    fn look(number: u16, patience: Duration) -> io::Result<Port> {
        Port::of(number, inspect::tcp(Ask::port(number))?, patience)
    }

    fn of(number: u16, mut sockets: Vec<Inet>, patience: Duration) -> io::Result<Port> {
        sockets.extend(inspect::udp(Ask::port(number).memory())?);
        sockets.sort_by_key(|socket| (socket.protocol, socket.local, socket.peer));
        let holders = inspect::holders(sockets.iter().map(|socket| socket.inode), patience);
        Ok(Port { number, sockets, holders })
    }

    fn tcp(&self) -> impl Iterator<Item = &Inet> {
        self.sockets.iter().filter(|socket| socket.protocol == Protocol::Tcp)
    }

    fn in_state(&self, state: State) -> Vec<&Inet> {
        self.tcp().filter(|socket| socket.state == state).collect()
    }

    fn owner(&self, socket: &Inet) -> String {
        owner(socket.inode, Some(socket.uid), &self.holders)
    }

    /// The processes to end, so that the port is free.
    fn pids(&self) -> Vec<u32> {
        let mut pids: Vec<u32> = self
            .tcp()
            .flat_map(|socket| self.holders.of(socket.inode))
            .map(|holder| holder.pid)
            .collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    /// One line each for what can be reached or stands in the way; connections by their state.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let open = |socket: &&Inet| socket.is_open() || socket.is_only_bound();
        let told: Vec<&Inet> = self.sockets.iter().filter(open).collect();
        let mut rows = Vec::new();
        for socket in told.iter().take(MOST) {
            let what = match (socket.protocol, socket.state) {
                (Protocol::Udp, _) => "udp",
                (_, State::LISTEN) => "tcp LISTEN",
                _ => "tcp BOUND",
            };
            rows.push(vec![what.to_owned(), socket.local.to_string(), self.owner(socket)]);
            rows.extend(detail(socket).map(|text| vec![String::new(), String::new(), text]));
        }
        lines.extend(columns(&rows));
        if told.len() > MOST {
            lines.push(format!("  and {} more (--json has all)", told.len() - MOST));
        }
        let mut by_state: BTreeMap<(Protocol, State), Vec<&Inet>> = BTreeMap::new();
        for socket in self.sockets.iter().filter(|socket| !open(socket)) {
            by_state.entry((socket.protocol, socket.state)).or_default().push(socket);
        }
        let connections =
            |((protocol, state), sockets)| self.connections(protocol, state, sockets).to_vec();
        lines.extend(columns(&by_state.into_iter().map(connections).collect::<Vec<_>>()));
        lines
    }

    /// `tcp TIME_WAIT` and `2 connections: the last is forgotten in 41 s`.
    fn connections(&self, protocol: Protocol, state: State, sockets: Vec<&Inet>) -> [String; 2] {
        let first = sockets[0];
        let what = format!("{} {}", protocol.name(), state.name());
        let n = counted(sockets.len() as u64, "connection");
        let detail = match longest(&sockets) {
            Some(left) if state == State::TIME_WAIT => {
                let last = if sockets.len() == 1 { "it" } else { "the last" };
                format!("{last} is forgotten in {}", seconds_left(left))
            }
            _ if first.inode == 0 => {
                "not yet accepted, or already closed by its program".to_owned()
            }
            _ => {
                let own = sockets.iter().find_map(|one| processes(self.holders.of(one.inode)));
                own.unwrap_or_else(|| self.owner(first))
            }
        };
        let peer = match (&sockets[..], first.peer) {
            ([_], Some(peer)) => format!(" with {peer}"),
            _ => String::new(),
        };
        [what, format!("{n}{peer}: {detail}")]
    }

    /// Which rule decides on a bind.
    fn rules(&self, trials: &[Trial]) -> Vec<String> {
        let mut rules = Vec::new();
        let taken = trials.iter().any(|trial| trial.plain == Err(Errno::EADDRINUSE));
        if taken && !self.in_state(State::LISTEN).is_empty() {
            rules.push(
                "a socket listens: another at the same address is refused, with SO_REUSEADDR too; \
                 only SO_REUSEPORT on both, set by the same user, lets two share it"
                    .to_owned(),
            );
        }
        if taken && !self.in_state(State::CLOSE).is_empty() {
            rules.push(
                "a socket is bound and does not listen: nobody can connect, but the port is taken; \
                 with SO_REUSEADDR on both, both may be bound, until one of them listens"
                    .to_owned(),
            );
        }
        let waiting = self.in_state(State::TIME_WAIT);
        if let Some(left) = longest(&waiting).filter(|_| taken) {
            rules.push(format!(
                "TIME_WAIT: the side that closed first keeps the port for another {}, so that no late \
                 segment meets a new connection; a bind goes past it only with SO_REUSEADDR, and only \
                 if the earlier socket had that, too",
                seconds_left(left)
            ));
        }
        let connected = self
            .tcp()
            .any(|socket| !matches!(socket.state, State::LISTEN | State::CLOSE | State::TIME_WAIT));
        if taken && connected && self.in_state(State::LISTEN).is_empty() {
            rules.push(
                "connections still have the port, though nobody listens: a bind needs SO_REUSEADDR, \
                 and theirs must have had it"
                    .to_owned(),
            );
        }
        if taken && self.tcp().next().is_none() {
            rules.push(
                "something has the port that the kernel does not list: a socket that is bound and does \
                 not listen (Linux lists those since 6.8), or the other half of an IPv6 socket"
                    .to_owned(),
            );
        }
        if trials.iter().any(|trial| trial.plain == Err(Errno::EACCES)) {
            rules.push(privileged_ports());
        }
        rules
    }

    /// What to do about it.
    fn next(&self, trials: &[Trial]) -> Vec<String> {
        let port = self.number;
        let Some(trial) = trials.first() else { return Vec::new() };
        if trial.reuseaddr.is_ok() {
            let why = match trial.plain {
                Ok(()) => "the port is free",
                Err(_) => "a server with SO_REUSEADDR can have it now, as every server of netplay",
            };
            return vec![format!("{why}: netplay tcp-server {port}")];
        }
        let mut next = Vec::new();
        let pids = self.pids();
        if trial.reuseaddr == Err(Errno::EADDRINUSE) {
            let waiting = self.in_state(State::TIME_WAIT);
            // What is open or bound does not pass.
            let passes = waiting.len() == self.tcp().count();
            match longest(&waiting).filter(|_| passes) {
                _ if !pids.is_empty() => {
                    let pids: Vec<String> = pids.iter().take(8).map(u32::to_string).collect();
                    next.push(format!("to have it: kill {}", pids.join(" ")));
                }
                Some(left) => next.push(format!("to have it: wait {}", seconds_left(left))),
                None if !self.holders.hidden().is_empty() => {
                    next.push(format!("to see who has it: sudo netplay why {port}"));
                }
                None => {}
            }
        }
        next.extend(
            free_port(port).map(|free| format!("to do without: netplay tcp-server {free}")),
        );
        next
    }
}

/// The time until the last of these is forgotten.
fn longest(sockets: &[&Inet]) -> Option<Duration> {
    sockets.iter().filter_map(|socket| Some(socket.timer?.left)).max()
}

/// What else there is to say of a socket that waits for clients.
fn detail(socket: &Inet) -> Option<String> {
    let mut parts = Vec::new();
    match (socket.local.ip(), socket.v6only) {
        (IpAddr::V4(ip), _) if ip.is_unspecified() => parts.push("every IPv4 address".to_owned()),
        (IpAddr::V6(ip), Some(true)) if ip.is_unspecified() => {
            parts.push("every IPv6 address, no IPv4 (IPV6_V6ONLY)".to_owned());
        }
        (IpAddr::V6(ip), Some(false)) if ip.is_unspecified() => {
            parts.push("every address, IPv4 too".to_owned());
        }
        _ => {}
    }
    if socket.state == State::LISTEN && socket.send_queue > 0 {
        let (waiting, backlog) = (socket.receive_queue, socket.send_queue);
        let full = if waiting > backlog { ": full, further clients wait unanswered" } else { "" };
        parts.push(format!("accept queue {waiting}, backlog {backlog}{full}"));
    }
    if socket.protocol == Protocol::Udp {
        if socket.receive_queue > 0 {
            parts.push(format!("{} bytes wait to be read", socket.receive_queue));
        }
        if let Some(memory) = socket.memory.filter(|memory| memory.drops > 0) {
            parts.push(format!("{} datagrams dropped: its buffer was full", memory.drops));
        }
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// `netplay why PORT`.
pub(super) fn answer(number: u16) -> anyhow::Result<Answer> {
    let port = Port::look(number, PATIENCE).context("the kernel does not tell of its sockets")?;
    let trials = if number == 0 { Vec::new() } else { Trial::usual(number) };
    let (rules, next) = (port.rules(&trials), port.next(&trials));
    let mut text = format!("port {number} on this host\n");
    let lines = port.lines();
    if number == 0 {
        text += "  0 is no port: a bind to it takes any free one, and getsockname tells which\n";
    } else if lines.is_empty() {
        text += "  nothing listens there, nothing is connected, nothing is left over\n";
    }
    lines.iter().for_each(|line| text += &format!("{line}\n"));
    if !trials.is_empty() {
        text += "a TCP bind, tried just now (and given back)\n";
        let head = ["", "plain", "SO_REUSEADDR", "SO_REUSEPORT"].map(String::from).to_vec();
        let rows: Vec<_> = std::iter::once(head).chain(trials.iter().map(Trial::cells)).collect();
        columns(&rows).for_each(|line| text += &format!("{line}\n"));
    }
    rules.iter().for_each(|rule| text += &format!("why: {rule}\n"));
    next.iter().for_each(|next| text += &format!("next: {next}\n"));
    let facts = json!({
        "port": number,
        "sockets": port.sockets.iter().map(|one| socket(one, &port.holders)).collect::<Value>(),
        "bind": trials.iter().map(Trial::facts).collect::<Value>(),
        "why": rules,
        "next": next,
        "hidden_processes": port.holders.hidden().values().sum::<usize>(),
    });
    Ok(Answer { key: "port", text, facts })
}

fn socket(socket: &Inet, holders: &Holders) -> Value {
    json!({
        "protocol": socket.protocol.name(),
        "local": socket.local.to_string(),
        "peer": socket.peer.map(|peer| peer.to_string()),
        "state": socket.state.name(),
        "receive_queue": socket.receive_queue,
        "send_queue": socket.send_queue,
        "inode": socket.inode,
        "uid": socket.uid,
        "v6only": socket.v6only,
        "timer": socket.timer.map(|timer| json!({
            "kind": timer.kind.name(),
            "left_s": timer.left.as_secs_f64(),
        })),
        "drops": socket.memory.map(|memory| memory.drops),
        "holders": facts(holders.of(socket.inode)),
    })
}

/// Who listens on this host, by port: what `netplay why` has to say while nothing has failed.
pub(super) fn everything() -> anyhow::Result<Answer> {
    let (sockets, holders) =
        listeners(PATIENCE).context("the kernel does not tell of its sockets")?;
    let mut text =
        "nothing of netplay has failed yet; what can be reached on this host:\n".to_owned();
    let most = 40;
    let row = |socket: &Inet| {
        let owner = owner(socket.inode, Some(socket.uid), &holders);
        vec![socket.protocol.name().to_owned(), socket.local.to_string(), owner]
    };
    let rows: Vec<_> = sockets.iter().take(most).map(row).collect();
    columns(&rows).for_each(|line| text += &format!("{line}\n"));
    match sockets.len() {
        0 => text += "  nothing\n",
        n if n > most => _ = writeln!(text, "  and {} more (--json has all)", n - most),
        _ => {}
    }
    text += "next: netplay why PORT\n";
    let facts = sockets.iter().map(|one| self::socket(one, &holders)).collect();
    Ok(Answer { key: "listeners", text, facts })
}

fn listeners(patience: Duration) -> io::Result<(Vec<Inet>, Holders)> {
    let mut sockets = inspect::tcp(Ask::open())?;
    sockets.extend(inspect::udp(Ask::open().memory())?);
    sockets.sort_by_key(|socket| (socket.protocol, socket.local.port(), socket.local.ip()));
    let holders = inspect::holders(sockets.iter().map(|socket| socket.inode), patience);
    Ok((sockets, holders))
}

/// Who listens, in a sentence; for ECONNREFUSED.
pub(super) fn who_listens() -> io::Result<String> {
    let (sockets, holders) = listeners(PATIENCE)?;
    let tcp: Vec<&Inet> = sockets.iter().filter(|one| one.protocol == Protocol::Tcp).collect();
    if tcp.is_empty() {
        return Ok("nobody listens for TCP on this host".to_owned());
    }
    let each =
        |one: &&Inet| format!("{} ({})", one.local, owner(one.inode, Some(one.uid), &holders));
    let told: Vec<String> = tcp.iter().take(5).map(each).collect();
    let more = if tcp.len() > 5 { format!(", and {} more", tcp.len() - 5) } else { String::new() };
    Ok(format!("these listen for TCP on this host: {}{more}", told.join(", ")))
}

// The hints.

/// After a bind that failed for EADDRINUSE.
pub(super) fn bind_hint(wanted: SocketAddr) -> Option<String> {
    let port = Port::look(wanted.port(), HINT_PATIENCE).ok()?;
    let in_the_way = |state| {
        let all = port.in_state(state).into_iter();
        all.filter(|one| meet(one, wanted)).collect::<Vec<_>>()
    };
    let udp = port.sockets.iter().find(|one| one.protocol == Protocol::Udp && meet(one, wanted));
    if udp.is_some() && port.tcp().any(|one| meet(one, wanted)) {
        return None; // which of the two was wanted is not known here
    }
    if let Some(first) = in_the_way(State::LISTEN).first() {
        return Some(port.holder_hint(first, "listens on"));
    }
    if let Some(first) = in_the_way(State::CLOSE).first() {
        return Some(port.holder_hint(first, "is bound to (and does not listen on)"));
    }
    if let Some(left) = longest(&in_the_way(State::TIME_WAIT)) {
        return Some(format!(
            "{wanted} is in TIME_WAIT for {} more, and the earlier socket had no SO_REUSEADDR: wait, \
             or take another port",
            seconds_left(left)
        ));
    }
    if let Some(connected) = port.tcp().find(|one| meet(one, wanted)) {
        return Some(port.holder_hint(connected, "still has a connection of"));
    }
    udp.map(|udp| port.holder_hint(udp, "has the UDP port"))
}

impl Port {
    /// `netplay epoll server (pid 4711, started 12:03) listens on 127.0.0.1:5858: stop it (kill 4711) or …`.
    fn holder_hint(&self, socket: &Inet, does: &str) -> String {
        let (local, port) = (socket.local, self.number);
        let stop = match self.holders.of(socket.inode) {
            [] if socket.inode != 0 && is_hidden(socket.uid, &self.holders) => {
                return format!(
                    "a process of {} {does} {local}, and you may not look into it: sudo netplay why \
                     {port} shows it; or take another port",
                    user(socket.uid)
                );
            }
            [] => "stop it".to_owned(),
            holders => {
                let pids = holders.iter().take(8).map(|holder| holder.pid.to_string());
                format!("stop it (kill {})", pids.collect::<Vec<_>>().join(" "))
            }
        };
        format!("{} {does} {local}: {stop} or take another port", self.owner(socket))
    }
}

/// Whether a socket stands in the way of a bind to this address: it is the same, or one of the two is
/// every address, of which `[::]` takes IPv4 in as well.
fn meet(socket: &Inet, wanted: SocketAddr) -> bool {
    let (ours, theirs) = (wanted.ip().to_canonical(), socket.local.ip().to_canonical());
    let wide = |ip: IpAddr, v6only: bool| ip.is_unspecified() && ip.is_ipv6() && !v6only;
    if wide(ours, false) || wide(theirs, socket.v6only == Some(true)) {
        return true;
    }
    ours.is_ipv4() == theirs.is_ipv4()
        && (ours == theirs || ours.is_unspecified() || theirs.is_unspecified())
}

/// After a connect that was refused: where it would not have been.
pub(super) fn refused_hint(tried: SocketAddr) -> String {
    let nobody = format!("nobody listens on {tried}");
    elsewhere(tried).unwrap_or_else(|| {
        if inspect::is_ours(tried.ip()) {
            format!("{nobody}: start the server first, or check the port")
        } else {
            "no program listens there, or a firewall refuses: start the server first, or check the port"
                .to_owned()
        }
    })
}

/// A listener that may be the one which was meant: the same port at another address, or a server of
/// netplay at another port.
fn elsewhere(tried: SocketAddr) -> Option<String> {
    if !inspect::is_ours(tried.ip()) {
        return None;
    }
    let (sockets, holders) = listeners(HINT_PATIENCE).ok()?;
    let tcp = |one: &&Inet| one.protocol == Protocol::Tcp;
    let same_port = |one: &&Inet| one.local.port() == tried.port();
    let of = |one: &Inet| owner(one.inode, Some(one.uid), &holders);
    if let Some(other) = sockets.iter().filter(tcp).find(same_port) {
        return Some(format!(
            "nobody listens on {tried}; {} listens on {}",
            of(other),
            other.local
        ));
    }
    if let Some(udp) = sockets.iter().find(same_port) {
        return Some(format!("nobody listens on {tried} for TCP; {} has the UDP port", of(udp)));
    }
    let ours = |one: &&Inet| holders.of(one.inode).iter().any(|holder| holder.program == "netplay");
    let near = sockets.iter().filter(tcp).filter(ours);
    let near = near.min_by_key(|one| one.local.port().abs_diff(tried.port()))?;
    Some(format!("nobody listens on {tried}; {} listens on {}", of(near), near.local))
}

/// After a connect that got no answer: whether the queue of the listener is full.
pub(super) fn connect_hint(tried: SocketAddr) -> Option<String> {
    if !inspect::is_ours(tried.ip()) {
        return None;
    }
    let port = Port::look(tried.port(), HINT_PATIENCE).ok()?;
    let listening = port.in_state(State::LISTEN);
    let full =
        listening.iter().find(|one| meet(one, tried) && one.receive_queue > one.send_queue)?;
    Some(format!(
        "{} listens on {}, and its accept queue is full ({} wait, backlog {}): it does not call accept",
        port.owner(full),
        full.local,
        full.receive_queue,
        full.send_queue
    ))
}
