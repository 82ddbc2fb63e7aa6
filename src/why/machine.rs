//! What the kernel's settings and tables say of this machine, a sentence each. What cannot be read is left out.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::{getgid, getgroups, getuid};

use crate::inspect::{self, Ask, State, numbers, sysctl};
use crate::words::grouped;

/// A setting of IPv4, as its numbers.
fn ipv4(name: &str) -> Option<Vec<u64>> {
    numbers(&format!("net/ipv4/{name}"))
}

/// The first of them.
fn first(name: &str) -> Option<u64> {
    ipv4(name)?.first().copied()
}

pub(super) fn local_ports() -> Option<String> {
    let range = ipv4("ip_local_port_range")?;
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

pub(super) fn descriptors_of_a_process() -> Option<String> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    Some(format!(
        "a process started here may have {} descriptors (RLIMIT_NOFILE; ulimit -n raises it, to at most {})",
        grouped(soft),
        grouped(hard)
    ))
}

/// The three processes with the most descriptors, of those that one may look into.
pub(super) fn largest_users() -> Option<String> {
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

pub(super) fn open_files() -> Option<String> {
    let &[used, _, most] = &numbers("fs/file-nr")?[..] else { return None };
    Some(format!("the whole machine has {used} open files, and may have {most} (fs.file-max)"))
}

/// That this port is for root alone, if it is.
pub(super) fn privileged_port(port: u16) -> Option<String> {
    let start = first("ip_unprivileged_port_start").unwrap_or(1024);
    (port != 0 && u64::from(port) < start).then(privileged_ports)
}

/// Which ports are for root alone.
pub(super) fn privileged_ports() -> String {
    let start = first("ip_unprivileged_port_start").unwrap_or(1024);
    if start == 0 {
        return "every port is for everybody here (net.ipv4.ip_unprivileged_port_start is 0)"
            .to_owned();
    }
    format!(
        "ports below {start} are for root: take one above, or lower \
         net.ipv4.ip_unprivileged_port_start"
    )
}

pub(super) fn ping_group() -> String {
    let range = ipv4("ping_group_range").unwrap_or_default();
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

pub(super) fn io_uring() -> Option<String> {
    let disabled = sysctl("kernel/io_uring_disabled")?;
    let what = match disabled.as_str() {
        "0" => "open to everybody",
        "1" => "for members of kernel.io_uring_group",
        _ => "forbidden",
    };
    Some(format!("io_uring is {what} (kernel.io_uring_disabled is {disabled})"))
}

/// What the sockets of a protocol take of the memory they may have.
pub(super) fn memory(protocol: &str, limits: &str) -> Option<String> {
    let limits = ipv4(limits)?;
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

pub(super) fn interfaces() -> Option<String> {
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
pub(super) fn syn_retries() -> Option<String> {
    let retries = first("tcp_syn_retries")?;
    let linear = first("tcp_syn_linear_timeouts").unwrap_or(0);
    let total = linear + (2u64.checked_pow(u32::try_from(retries).ok()? + 1)? - 1);
    Some(format!(
        "a connect without any answer gives up after about {total} s (net.ipv4.tcp_syn_retries is {retries})"
    ))
}

pub(super) fn keepalive() -> Option<String> {
    let (time, interval, probes) = (
        first("tcp_keepalive_time")?,
        first("tcp_keepalive_intvl")?,
        first("tcp_keepalive_probes")?,
    );
    Some(format!(
        "a silent peer is noticed by SO_KEEPALIVE alone: after {time} s, {probes} probes, {interval} s apart"
    ))
}

pub(super) fn routes() -> Option<String> {
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

pub(super) fn ipv6() -> Option<String> {
    let there = fs::exists("/proc/net/if_inet6").ok()?;
    Some(if there { "this kernel has IPv6" } else { "this kernel has no IPv6" }.to_owned())
}
