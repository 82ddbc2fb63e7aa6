//! An error: what on this machine bears on it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::{getgid, getgroups, getuid};
use serde_json::json;

use super::{Answer, port};
use crate::call::strerror;
use crate::escape::grouped;
use crate::inspect::{self, Ask, State};

/// The largest number that an error of Linux has.
const LARGEST: i32 = 133;

/// `EADDRINUSE`.
pub(super) fn name(errno: Errno) -> String {
    format!("{errno:?}")
}

/// The error with this number.
pub(super) fn numbered(number: i32) -> Option<Errno> {
    let known = (1..=LARGEST).contains(&number).then(|| Errno::from_raw(number));
    known.filter(|&errno| errno != Errno::UnknownErrno)
}

/// The error of this name, in any case, also one of its second names.
pub(super) fn named(word: &str) -> Option<Errno> {
    let word = word.to_uppercase();
    match word.as_str() {
        "EWOULDBLOCK" => return Some(Errno::EAGAIN),
        "ENOTSUP" => return Some(Errno::EOPNOTSUPP),
        "EDEADLOCK" => return Some(Errno::EDEADLK),
        _ => {}
    }
    (1..=LARGEST).filter_map(numbered).find(|&errno| name(errno) == word)
}

/// `netplay why ERRNO`.
pub(super) fn answer(errno: Errno) -> anyhow::Result<Answer> {
    let (name, number, words) = (name(errno), errno as i32, strerror(errno));
    let here = here(errno);
    let mut text = format!("{name} ({number}): {words}\n");
    if here.is_empty() {
        text += "  nothing that could be looked up on this machine decides on it\n";
    }
    here.iter().for_each(|fact| _ = writeln!(text, "  {fact}"));
    let next = format!("netplay explain {name}");
    text += &format!("next: {next}\n");
    let facts = json!({
        "name": name, "number": number, "text": words, "here": here, "next": [next],
    });
    Ok(Answer { key: "errno", text, facts })
}

/// What was found; what cannot be read is left out.
fn here(errno: Errno) -> Vec<String> {
    let found: Vec<Option<String>> = match errno {
        Errno::EADDRINUSE => vec![default_port(), Some("any other port: netplay why PORT".into())],
        Errno::EADDRNOTAVAIL => vec![
            Some("a bind: is the address one of this machine? ip address shows them".into()),
            local_ports(),
        ],
        Errno::EMFILE => vec![descriptors_of_a_process(), largest_users()],
        Errno::ENFILE => vec![open_files()],
        Errno::EACCES => vec![
            Some(format!("a bind: {}", privileged_ports())),
            Some(format!("a socket for ICMP: {}", ping_group())),
            Some("a path: you may not write there, or not enter a folder on the way".into()),
            Some("a sendto: a broadcast address needs SO_BROADCAST".into()),
        ],
        Errno::EPERM => vec![
            Some(format!("a raw socket needs CAP_NET_RAW; one for ICMP alone: {}", ping_group())),
            Some("a sendto: a firewall of this machine forbids it".into()),
            io_uring(),
        ],
        Errno::ENOSYS => vec![io_uring()],
        Errno::ECONNREFUSED => vec![port::who_listens().ok()],
        Errno::ENOBUFS | Errno::ENOMEM => vec![memory("TCP", "tcp_mem"), memory("UDP", "udp_mem")],
        Errno::EMSGSIZE => vec![
            Some(
                "a datagram of UDP holds at most 65,507 bytes over IPv4 and 65,527 over IPv6, whatever the machine"
                    .into(),
            ),
            interfaces(),
        ],
        Errno::ETIMEDOUT => vec![syn_retries(), keepalive()],
        Errno::EAGAIN | Errno::EINPROGRESS => vec![Some(
            "no failure: the call would have to wait, and was told not to (O_NONBLOCK, a timeout)"
                .into(),
        )],
        Errno::ENETUNREACH | Errno::EHOSTUNREACH => vec![routes(), interfaces()],
        Errno::EAFNOSUPPORT => vec![ipv6()],
        Errno::ECONNRESET | Errno::EPIPE => vec![Some(
            "the other end decided: it closed with data unread, ended by force, or is gone".into(),
        )],
        _ => Vec::new(),
    };
    found.into_iter().flatten().collect()
}

/// A setting below `/proc/sys/net/ipv4`, as its numbers.
fn setting(name: &str) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).ok()?;
    text.split_ascii_whitespace().map(|number| number.parse().ok()).collect()
}

fn one(name: &str) -> Option<u64> {
    setting(name)?.first().copied()
}

fn default_port() -> Option<String> {
    let answer = port::answer(5858).ok()?;
    let lines = answer.text.lines().skip(1).take_while(|line| line.starts_with("  "));
    let lines: Vec<&str> = lines.map(str::trim).collect();
    Some(format!("netplay's own port, 5858: {}", lines.join("; ")))
}

fn local_ports() -> Option<String> {
    let range = setting("ip_local_port_range")?;
    let &[low, high] = &range[..] else { return None };
    let sockets = inspect::tcp(Ask::all()).ok()?;
    let inside = |port: u16| (low..=high).contains(&port.into());
    let used = sockets.iter().filter(|one| inside(one.local.port()));
    let waiting = used.clone().filter(|one| one.state == State::TIME_WAIT).count();
    Some(format!(
        "a connect: every free port for this end is taken? ip_local_port_range is {low} to {high}, {} \
         ports to each destination; {} TCP sockets have one now, {} of them in TIME_WAIT",
        grouped((high + 1).saturating_sub(low)),
        grouped(used.count() as u64),
        grouped(waiting as u64)
    ))
}

fn descriptors_of_a_process() -> Option<String> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    Some(format!(
        "a process started here may have {} descriptors (RLIMIT_NOFILE; ulimit -n raises it, to at most {})",
        grouped(soft),
        grouped(hard)
    ))
}

/// The three processes with the most descriptors, of those that one may look into.
fn largest_users() -> Option<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let path = entry.path();
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        if let (Some(pid), Ok(descriptors)) = (pid, fs::read_dir(path.join("fd"))) {
            let name = fs::read(path.join("comm")).unwrap_or_default();
            all.push((descriptors.count(), pid, crate::escape::escape(name.trim_ascii_end())));
        }
    }
    all.sort_by(|a, b| b.cmp(a));
    let each = |(n, pid, name): &(usize, u32, String)| format!("{name} (pid {pid}) {n}");
    let most: Vec<String> = all.iter().take(3).map(each).collect();
    (!most.is_empty()).then(|| format!("those with the most now: {}", most.join(", ")))
}

fn open_files() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/fs/file-nr").ok()?;
    let numbers: Vec<&str> = text.split_ascii_whitespace().collect();
    let &[used, _, most] = &numbers[..] else { return None };
    Some(format!("the whole machine has {used} open files, and may have {most} (fs.file-max)"))
}

/// That this port is for root alone, if it is.
pub(in super::super) fn privileged_port(port: u16) -> Option<String> {
    let start = one("ip_unprivileged_port_start").unwrap_or(1024);
    (port != 0 && u64::from(port) < start).then(privileged_ports)
}

/// Which ports are for root alone.
pub(super) fn privileged_ports() -> String {
    let start = one("ip_unprivileged_port_start").unwrap_or(1024);
    if start == 0 {
        return "every port is for everybody here (net.ipv4.ip_unprivileged_port_start is 0)"
            .to_owned();
    }
    format!(
        "ports below {start} are for root: take one above, or lower \
         net.ipv4.ip_unprivileged_port_start"
    )
}

fn ping_group() -> String {
    let range = setting("ping_group_range").unwrap_or_default();
    let mut groups = vec![getgid()];
    groups.extend(getgroups().unwrap_or_default());
    let inside = |gid: &nix::unistd::Gid| matches!(range[..], [low, high] if (low..=high).contains(&gid.as_raw().into()));
    let range: Vec<String> = range.iter().map(u64::to_string).collect();
    let may = if groups.iter().any(inside) { "you are in it" } else { "you are not in it" };
    let root = if getuid().is_root() { "; root needs no group" } else { "" };
    format!(
        "ping without root is for the groups {} (net.ipv4.ping_group_range): {may}{root}",
        range.join(" to ")
    )
}

fn io_uring() -> Option<String> {
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?;
    let what = match disabled.trim() {
        "0" => "open to everybody",
        "1" => "for members of kernel.io_uring_group",
        _ => "forbidden",
    };
    Some(format!("io_uring is {what} (kernel.io_uring_disabled is {})", disabled.trim()))
}

/// What the sockets of a protocol take of the memory they may have.
fn memory(protocol: &str, limits: &str) -> Option<String> {
    let limits = setting(limits)?;
    let stat = fs::read_to_string("/proc/net/sockstat").ok()?;
    let line = stat.lines().find(|line| line.starts_with(&format!("{protocol}:")))?;
    let used: u64 = line.split_once(" mem ")?.1.split_ascii_whitespace().next()?.parse().ok()?;
    let &[low, pressure, high] = &limits[..] else { return None };
    Some(format!(
        "{protocol} takes {} pages of memory; it is careful from {} on, strict from {}, and has no more \
         than {} (net.ipv4.{}_mem)",
        grouped(used),
        grouped(low),
        grouped(pressure),
        grouped(high),
        protocol.to_lowercase()
    ))
}

fn interfaces() -> Option<String> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir("/sys/class/net").ok()?.flatten() {
        if let Ok(mtu) = fs::read_to_string(entry.path().join("mtu")) {
            all.insert(entry.file_name().to_string_lossy().into_owned(), mtu.trim().to_owned());
        }
    }
    let all: Vec<String> = all.iter().map(|(name, mtu)| format!("{name} {mtu}")).collect();
    Some(format!("the largest packet of each interface (MTU): {}", all.join(", ")))
}

/// How long connect tries: a second, twice that, and so on, after some tries a second apart.
fn syn_retries() -> Option<String> {
    let retries = one("tcp_syn_retries")?;
    let linear = one("tcp_syn_linear_timeouts").unwrap_or(0);
    let total = linear + (2u64.checked_pow(u32::try_from(retries).ok()? + 1)? - 1);
    Some(format!(
        "a connect without any answer gives up after about {total} s (net.ipv4.tcp_syn_retries is {retries})"
    ))
}

fn keepalive() -> Option<String> {
    let (time, interval, probes) =
        (one("tcp_keepalive_time")?, one("tcp_keepalive_intvl")?, one("tcp_keepalive_probes")?);
    Some(format!(
        "a silent peer is noticed by SO_KEEPALIVE alone: after {time} s, {probes} probes, {interval} s apart"
    ))
}

fn routes() -> Option<String> {
    let table = fs::read_to_string("/proc/net/route").ok()?;
    let default = table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (interface, destination) = (fields.next()?, fields.next()?);
        (destination == "00000000").then(|| interface.to_owned())
    });
    Some(match default {
        Some(interface) => format!("IPv4 has a way out, over {interface}; ip route shows all ways"),
        None => "IPv4 has no way out of this machine: no default route (ip route)".to_owned(),
    })
}

fn ipv6() -> Option<String> {
    let there = fs::exists("/proc/net/if_inet6").ok()?;
    Some(if there { "this kernel has IPv6" } else { "this kernel has no IPv6" }.to_owned())
}
