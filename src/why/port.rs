//! A port: which program has it, by which rule of the kernel a bind of it fails, and what to do.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use nix::errno::Errno;
use serde_json::{Value, json};

use super::answer::{Answer, HINT_PATIENCE, PATIENCE, reasons};
use super::bind::{Trial, free_port};
use super::machine::privileged_ports;
use super::words::{columns, facts, is_hidden, owner, processes, user};
use crate::inspect::{self, Ask, Holders, Inet, Protocol, State};
use crate::lang::{Lang, Voice};
use crate::words::{counted, grouped, seconds_left};
use netplay_text::say;

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

    fn owner(&self, socket: &Inet, lang: Lang) -> String {
        owner(socket.inode, Some(socket.uid), &self.holders, lang)
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
    fn lines(&self, voice: Voice) -> Vec<String> {
        let lang = voice.lang;
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
            rows.push(vec![what.to_owned(), socket.local.to_string(), self.owner(socket, lang)]);
            rows.extend(detail(socket, lang).map(|text| vec![String::new(), String::new(), text]));
        }
        lines.extend(columns(&rows, voice));
        if told.len() > MOST {
            lines.push(and_more(told.len() - MOST, lang));
        }
        let mut by_state: BTreeMap<(Protocol, State), Vec<&Inet>> = BTreeMap::new();
        for socket in self.sockets.iter().filter(|socket| !open(socket)) {
            by_state.entry((socket.protocol, socket.state)).or_default().push(socket);
        }
        let connections = |((protocol, state), sockets)| {
            self.connections(protocol, state, sockets, lang).to_vec()
        };
        lines.extend(columns(&by_state.into_iter().map(connections).collect::<Vec<_>>(), voice));
        lines
    }

    /// `tcp TIME_WAIT` and `2 connections: the last is forgotten in 41 s`.
    fn connections(
        &self,
        protocol: Protocol,
        state: State,
        sockets: Vec<&Inet>,
        lang: Lang,
    ) -> [String; 2] {
        let first = sockets[0];
        let what = format!("{} {}", protocol.name(), state.name());
        let n = sockets.len() as u64;
        let detail = match longest(&sockets) {
            Some(left) if state == State::TIME_WAIT => {
                let left = seconds_left(left);
                match n {
                    1 => say!(lang, "it is forgotten in {left}", "{left} 后被遗忘"),
                    _ => {
                        say!(lang, "the last is forgotten in {left}", "最后一个在 {left} 后被遗忘")
                    }
                }
            }
            _ if first.inode == 0 => lang
                .pick(
                    "not yet accepted, or already closed by its program",
                    "还没有被 accept，或已被程序关闭",
                )
                .to_owned(),
            _ => {
                let own = |one: &&Inet| processes(self.holders.of(one.inode), lang);
                sockets.iter().find_map(own).unwrap_or_else(|| self.owner(first, lang))
            }
        };
        let told = match (&sockets[..], first.peer) {
            ([_], Some(peer)) => {
                say!(lang, "1 connection with {peer}: {detail}", "1 个连接，对端 {peer}：{detail}")
            }
            _ => {
                let (en, zh) = (counted(n, "connection"), grouped(n));
                say!(lang, "{en}: {detail}", "{zh} 个连接：{detail}")
            }
        };
        [what, told]
    }

    /// Which rule decides on a bind.
    fn rules(&self, trials: &[Trial], lang: Lang) -> Vec<String> {
        let mut rules = Vec::new();
        let mut rule = |en: &str, zh: &str| rules.push(lang.pick(en, zh).to_owned());
        let taken = trials.iter().any(|trial| trial.plain == Err(Errno::EADDRINUSE));
        if taken && !self.in_state(State::LISTEN).is_empty() {
            rule(
                "a socket listens, so the kernel refuses another one at the same address, even with SO_REUSEADDR; \
                 only SO_REUSEPORT on both sockets, set by the same user, lets them share it",
                "已有套接字在监听，所以内核拒绝同一地址上的另一个，设了 SO_REUSEADDR 也一样；\
                 只有同一用户在两个套接字上都设 SO_REUSEPORT，才能共用这个地址",
            );
        }
        if taken && !self.in_state(State::CLOSE).is_empty() {
            rule(
                "a socket is bound and does not listen: no client can connect, but the port is taken; \
                 with SO_REUSEADDR on both, both may be bound, until one of them listens",
                "有套接字绑定了端口但没有监听：客户端连不上，端口却被占用；\
                 两者都设 SO_REUSEADDR 就可以都绑定，直到其中一个开始监听",
            );
        }
        let waiting = self.in_state(State::TIME_WAIT);
        if let Some(left) = longest(&waiting).filter(|_| taken) {
            let left = seconds_left(left);
            rules.push(say!(
                lang,
                "TIME_WAIT: the side that closed first keeps the port for another {left}, so that no late \
                 segment enters a new connection; a bind works only with SO_REUSEADDR, and only \
                 if the earlier socket had that option as well",
                "TIME_WAIT：先关闭的一端还要保留端口 {left}，以免迟到的报文段混进新连接；\
                 只有设了 SO_REUSEADDR，并且之前的套接字也设过，bind 才能成功"
            ));
        }
        let mut rule = |en: &str, zh: &str| rules.push(lang.pick(en, zh).to_owned());
        let connected = self
            .tcp()
            .any(|socket| !matches!(socket.state, State::LISTEN | State::CLOSE | State::TIME_WAIT));
        if taken && connected && self.in_state(State::LISTEN).is_empty() {
            rule(
                "connections still have the port, though no socket listens: a bind needs SO_REUSEADDR, \
                 and their sockets must have had it as well",
                "虽然没有套接字在监听，但还有连接占着端口：bind 需要 SO_REUSEADDR，那些套接字也必须设过它",
            );
        }
        if taken && self.tcp().next().is_none() {
            rule(
                "a socket that the kernel does not list has the port: one that is bound and does \
                 not listen (Linux lists those since 6.8), or the other half of an IPv6 socket",
                "占用端口的套接字不在内核的列表里：可能绑定了但没有监听（Linux 6.8 起才列出），\
                 也可能是 IPv6 套接字的另一半",
            );
        }
        if trials.iter().any(|trial| trial.plain == Err(Errno::EACCES)) {
            rules.push(privileged_ports(lang));
        }
        rules
    }

    /// What to do about it.
    fn next(&self, trials: &[Trial], lang: Lang) -> Vec<String> {
        let port = self.number;
        let Some(trial) = trials.first() else { return Vec::new() };
        if trial.reuseaddr.is_ok() {
            return vec![match trial.plain {
                Ok(()) => say!(
                    lang,
                    "the port is free: netplay tcp-server {port}",
                    "端口空闲：netplay tcp-server {port}"
                ),
                Err(_) => say!(
                    lang,
                    "a server with SO_REUSEADDR can bind it now, and every server of netplay sets that: netplay \
                     tcp-server {port}",
                    "设了 SO_REUSEADDR 的服务器现在就能绑定，netplay 的服务器都会设：netplay tcp-server {port}"
                ),
            }];
        }
        let mut next = Vec::new();
        let pids = self.pids();
        if trial.reuseaddr == Err(Errno::EADDRINUSE) {
            let waiting = self.in_state(State::TIME_WAIT);
            // Only TIME_WAIT passes by itself; an open or bound socket does not.
            let passes = waiting.len() == self.tcp().count();
            match longest(&waiting).filter(|_| passes) {
                _ if !pids.is_empty() => {
                    let pids: Vec<String> = pids.iter().take(8).map(u32::to_string).collect();
                    let pids = pids.join(" ");
                    next.push(say!(
                        lang,
                        "to free the port: kill {pids}",
                        "要腾出端口：kill {pids}"
                    ));
                }
                Some(left) => {
                    let left = seconds_left(left);
                    next.push(say!(
                        lang,
                        "to bind this port: wait {left}",
                        "要绑定这个端口：等 {left}"
                    ));
                }
                None if !self.holders.hidden().is_empty() => next.push(say!(
                    lang,
                    "to see which program has it: sudo netplay why {port}",
                    "要看是哪个程序：sudo netplay why {port}"
                )),
                None => {}
            }
        }
        next.extend(free_port(port).map(|free| {
            say!(
                lang,
                "to take another port: netplay tcp-server {free}",
                "改用别的端口：netplay tcp-server {free}"
            )
        }));
        next
    }
}

fn and_more(n: usize, lang: Lang) -> String {
    say!(lang, "  and {n} more (--json has all)", "  还有 {n} 个（--json 列出全部）")
}

/// The time until the last of these is forgotten.
fn longest(sockets: &[&Inet]) -> Option<Duration> {
    sockets.iter().filter_map(|socket| Some(socket.timer?.left)).max()
}

/// What else there is to say of a socket that waits for clients.
fn detail(socket: &Inet, lang: Lang) -> Option<String> {
    let mut parts = Vec::new();
    let mut part = |en: &str, zh: &str| parts.push(lang.pick(en, zh).to_owned());
    match (socket.local.ip(), socket.v6only) {
        (IpAddr::V4(ip), _) if ip.is_unspecified() => part("every IPv4 address", "所有 IPv4 地址"),
        (IpAddr::V6(ip), Some(true)) if ip.is_unspecified() => {
            part(
                "every IPv6 address, no IPv4 (IPV6_V6ONLY)",
                "所有 IPv6 地址，不含 IPv4 (IPV6_V6ONLY)",
            );
        }
        (IpAddr::V6(ip), Some(false)) if ip.is_unspecified() => {
            part("every address, IPv4 as well (dual-stack)", "所有地址，包括 IPv4（双栈）");
        }
        _ => {}
    }
    if socket.state == State::LISTEN && socket.send_queue > 0 {
        let (waiting, backlog) = (socket.receive_queue, socket.send_queue);
        let full = match waiting > backlog {
            true => lang.pick(
                "; full, so further clients wait without an answer",
                "；已满，后来的客户端得不到回应",
            ),
            false => "",
        };
        parts.push(say!(
            lang,
            "accept queue {waiting}, backlog {backlog}{full}",
            "监听队列中 {waiting} 个，backlog {backlog}{full}"
        ));
    }
    if socket.protocol == Protocol::Udp {
        if socket.receive_queue > 0 {
            let n = socket.receive_queue;
            parts.push(say!(lang, "{n} bytes wait to be read", "{n} 字节等待读取"));
        }
        if let Some(memory) = socket.memory.filter(|memory| memory.drops > 0) {
            let n = memory.drops;
            parts.push(say!(
                lang,
                "{n} datagrams dropped, because its buffer was full",
                "丢弃了 {n} 个数据报，因为缓冲区已满"
            ));
        }
    }
    (!parts.is_empty()).then(|| parts.join(lang.pick("; ", "；")))
}

/// `netplay why PORT`.
pub(super) fn answer(number: u16, voice: Voice) -> anyhow::Result<Answer> {
    let lang = voice.lang;
    let port = Port::look(number, PATIENCE).context(no_list(lang))?;
    let trials = if number == 0 { Vec::new() } else { Trial::usual(number) };
    let (rules, next) = (port.rules(&trials, lang), port.next(&trials, lang));
    let mut text = say!(lang, "port {number} on this host\n", "本机的端口 {number}\n");
    let lines = port.lines(voice);
    if number == 0 {
        text += &voice.lines(lang.pick(
            "  0 is not a port: a bind to it takes any free one, and getsockname returns which",
            "  0 不是端口：绑定它得到任意一个空闲端口，getsockname 返回是哪一个",
        ));
    } else if lines.is_empty() {
        text += &voice.lines(lang.pick(
            "  no socket listens there, none is connected, none is in TIME_WAIT",
            "  没有套接字在这里监听，没有连接，也没有 TIME_WAIT",
        ));
    }
    text.extend(lines.iter().map(|line| format!("{line}\n")));
    if !trials.is_empty() {
        text += &voice.lines(lang.pick(
            "a TCP bind, tried just now (and closed again)",
            "刚刚试着做 TCP bind（随即关闭）",
        ));
        let plain = lang.pick("plain", "不设选项");
        let head = ["", plain, "SO_REUSEADDR", "SO_REUSEPORT"].map(String::from).to_vec();
        let trials = trials.iter().map(|trial| trial.cells(lang));
        let rows: Vec<_> = std::iter::once(head).chain(trials).collect();
        text.extend(columns(&rows, voice).iter().map(|line| format!("{line}\n")));
    }
    text += &reasons(&rules, &next, voice);
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

/// Why there is no answer at all.
pub(super) fn no_list(lang: Lang) -> &'static str {
    lang.pick("the kernel does not list its sockets", "内核没有给出套接字列表")
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

/// What listens on this host, by port: the answer of `netplay why` while nothing has failed.
pub(super) fn everything(voice: Voice) -> anyhow::Result<Answer> {
    let lang = voice.lang;
    let (sockets, holders) = listeners(PATIENCE).context(no_list(lang))?;
    let mut text = voice.lines(lang.pick(
        "no command of netplay has failed yet; what can be reached on this host:",
        "还没有 netplay 命令失败过；本机可以访问的有：",
    ));
    let most = 40;
    let row = |socket: &Inet| {
        let owner = owner(socket.inode, Some(socket.uid), &holders, lang);
        vec![socket.protocol.name().to_owned(), socket.local.to_string(), owner]
    };
    let rows: Vec<_> = sockets.iter().take(most).map(row).collect();
    text.extend(columns(&rows, voice).iter().map(|line| format!("{line}\n")));
    match sockets.len() {
        0 => text += lang.pick("  nothing\n", "  什么也没有\n"),
        n if n > most => text += &(and_more(n - most, lang) + "\n"),
        _ => {}
    }
    text += &reasons(&[], &["netplay why PORT".to_owned()], voice);
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

/// What listens, in a sentence; for ECONNREFUSED.
pub(super) fn who_listens(lang: Lang) -> io::Result<String> {
    let (sockets, holders) = listeners(PATIENCE)?;
    let tcp: Vec<&Inet> = sockets.iter().filter(|one| one.protocol == Protocol::Tcp).collect();
    if tcp.is_empty() {
        let nothing = lang.pick("no TCP socket listens on this host", "本机没有监听的 TCP 套接字");
        return Ok(nothing.to_owned());
    }
    let each = |one: &&Inet| {
        format!("{} ({})", one.local, owner(one.inode, Some(one.uid), &holders, lang))
    };
    let told: Vec<String> = tcp.iter().take(5).map(each).collect();
    let told = told.join(lang.pick(", ", "，"));
    let more = match tcp.len() {
        n @ 6.. => {
            let n = n - 5;
            say!(lang, ", and {n} more", "，还有 {n} 个")
        }
        _ => String::new(),
    };
    Ok(say!(
        lang,
        "these sockets listen for TCP on this host: {told}{more}",
        "本机正在监听的 TCP 套接字：{told}{more}"
    ))
}

// The hints.

/// After a bind that failed for EADDRINUSE.
pub(super) fn bind_hint(wanted: SocketAddr, lang: Lang) -> Option<String> {
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
        return Some(port.holder_hint(first, Holds::Listens, lang));
    }
    if let Some(first) = in_the_way(State::CLOSE).first() {
        return Some(port.holder_hint(first, Holds::Bound, lang));
    }
    if let Some(left) = longest(&in_the_way(State::TIME_WAIT)) {
        let left = seconds_left(left);
        return Some(say!(
            lang,
            "{wanted} is in TIME_WAIT for {left} more, and the earlier socket had no SO_REUSEADDR: wait, \
             or take another port",
            "{wanted} 还要在 TIME_WAIT 停留 {left}，而之前的套接字没有设 SO_REUSEADDR：等一等，或换一个端口"
        ));
    }
    if let Some(connected) = port.tcp().find(|one| meet(one, wanted)) {
        return Some(port.holder_hint(connected, Holds::Connected, lang));
    }
    udp.map(|udp| port.holder_hint(udp, Holds::Udp, lang))
}

/// How a socket stands in the way.
#[derive(Debug, Clone, Copy)]
enum Holds {
    Listens,
    Bound,
    Connected,
    Udp,
}

impl Port {
    /// `netplay epoll server (pid 4711, started 12:03) listens on 127.0.0.1:5858: stop it (kill 4711) or …`.
    fn holder_hint(&self, socket: &Inet, holds: Holds, lang: Lang) -> String {
        let (local, port) = (socket.local, self.number);
        let does = match holds {
            Holds::Listens => say!(lang, "listens on {local}", "正在监听 {local}"),
            Holds::Bound => {
                say!(
                    lang,
                    "is bound to {local} (and does not listen)",
                    "绑定了 {local}（但没有监听）"
                )
            }
            Holds::Connected => {
                say!(lang, "still has a connection of {local}", "还有 {local} 的连接")
            }
            Holds::Udp => say!(lang, "has the UDP port {local}", "占用了 UDP 端口 {local}"),
        };
        let holders = self.holders.of(socket.inode);
        if holders.is_empty() && socket.inode != 0 && is_hidden(socket.uid, &self.holders) {
            let user = user(socket.uid, lang);
            return say!(
                lang,
                "a process of {user} {does}, and you may not inspect it: sudo netplay why \
                 {port} shows it; or take another port",
                "{user} 的一个进程{does}，而你无权查看它：sudo netplay why {port} 可以看到；或换一个端口"
            );
        }
        let pids: Vec<String> =
            holders.iter().take(8).map(|holder| holder.pid.to_string()).collect();
        let (owner, pids) = (self.owner(socket, lang), pids.join(" "));
        match holders {
            [] => say!(
                lang,
                "{owner} {does}: stop it or take another port",
                "{owner} {does}：停掉它，或换一个端口"
            ),
            _ => say!(
                lang,
                "{owner} {does}: stop it (kill {pids}) or take another port",
                "{owner} {does}：停掉它 (kill {pids})，或换一个端口"
            ),
        }
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
pub(super) fn refused_hint(tried: SocketAddr, lang: Lang) -> String {
    elsewhere(tried, lang).unwrap_or_else(|| match inspect::is_ours(tried.ip()) {
        true => say!(
            lang,
            "no program listens on {tried}: start the server first, or check the port",
            "没有程序监听 {tried}：先启动服务器，或检查端口"
        ),
        false => lang
            .pick(
                "no program listens there, or a firewall refuses: start the server first, or check the port",
                "那里没有程序在监听，或被防火墙拒绝：先启动服务器，或检查端口",
            )
            .to_owned(),
    })
}

/// A listener that may be the one which was meant: the same port at another address, or a server of
/// netplay at another port.
fn elsewhere(tried: SocketAddr, lang: Lang) -> Option<String> {
    if !inspect::is_ours(tried.ip()) {
        return None;
    }
    let (sockets, holders) = listeners(HINT_PATIENCE).ok()?;
    let tcp = |one: &&Inet| one.protocol == Protocol::Tcp;
    let same_port = |one: &&Inet| one.local.port() == tried.port();
    let of = |one: &Inet| owner(one.inode, Some(one.uid), &holders, lang);
    let near = || {
        let ours =
            |one: &&Inet| holders.of(one.inode).iter().any(|holder| holder.program == "netplay");
        let near = sockets.iter().filter(tcp).filter(ours);
        near.min_by_key(|one| one.local.port().abs_diff(tried.port()))
    };
    let same = sockets.iter().filter(tcp).find(same_port);
    if let (None, Some(udp)) = (same, sockets.iter().find(same_port)) {
        let of = of(udp);
        return Some(say!(
            lang,
            "no program listens on {tried} for TCP; {of} has the UDP port",
            "没有程序在 {tried} 监听 TCP；{of} 占用的是 UDP 端口"
        ));
    }
    let other = same.or_else(near)?;
    let (of, local) = (of(other), other.local);
    Some(say!(
        lang,
        "no program listens on {tried}; {of} listens on {local}",
        "没有程序监听 {tried}；{of} 正在监听 {local}"
    ))
}

/// After a connect that got no answer: whether the queue of the listener is full.
pub(super) fn connect_hint(tried: SocketAddr, lang: Lang) -> Option<String> {
    if !inspect::is_ours(tried.ip()) {
        return None;
    }
    let port = Port::look(tried.port(), HINT_PATIENCE).ok()?;
    let listening = port.in_state(State::LISTEN);
    let full =
        listening.iter().find(|one| meet(one, tried) && one.receive_queue > one.send_queue)?;
    let (owner, local) = (port.owner(full, lang), full.local);
    let (waiting, backlog) = (full.receive_queue, full.send_queue);
    Some(say!(
        lang,
        "{owner} listens on {local}, and its accept queue is full ({waiting} wait, backlog {backlog}), because it does \
         not call accept",
        "{owner} 正在监听 {local}，但监听队列已满（{waiting} 个在等，backlog {backlog}），因为它不调用 accept"
    ))
}
