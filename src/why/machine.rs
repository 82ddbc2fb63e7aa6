//! What the kernel's settings and tables say of this machine, a sentence each. What cannot be read is left out.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::{getgid, getgroups, getuid};

use crate::inspect::{self, Ask, State, numbers, sysctl};
use crate::lang::Lang;
use crate::words::grouped;
use netplay_text::say;

/// A setting of IPv4, as its numbers.
fn ipv4(name: &str) -> Option<Vec<u64>> {
    numbers(&format!("net/ipv4/{name}"))
}

/// The first of them.
fn first(name: &str) -> Option<u64> {
    ipv4(name)?.first().copied()
}

pub(super) fn local_ports(lang: Lang) -> Option<String> {
    let range = ipv4("ip_local_port_range")?;
    let &[low, high] = &range[..] else { return None };
    let sockets = inspect::tcp(Ask::all()).ok()?;
    let inside = |port: u16| (low..=high).contains(&port.into());
    let used = sockets.iter().filter(|one| inside(one.local.port()));
    let waiting = used.clone().filter(|one| one.state == State::TIME_WAIT).count();
    let ports = grouped((high + 1).saturating_sub(low));
    let (used, waiting) = (grouped(used.count() as u64), grouped(waiting as u64));
    Some(say!(
        lang,
        "a connect: is every ephemeral port taken? ip_local_port_range is {low} to {high}, {ports} \
         ports to each destination; {used} TCP sockets have one now, {waiting} of them in TIME_WAIT",
        "connect：临时端口用完了吗？ip_local_port_range 是 {low} 到 {high}，到每个目的地有 {ports} \
         个端口；现在有 {used} 个 TCP 套接字占用其中的端口，其中 {waiting} 个处于 TIME_WAIT"
    ))
}

pub(super) fn descriptors_of_a_process(lang: Lang) -> Option<String> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let (soft, hard) = (grouped(soft), grouped(hard));
    Some(say!(
        lang,
        "a process started here may have {soft} file descriptors (RLIMIT_NOFILE; ulimit -n raises the limit, to at \
         most {hard})",
        "在这里启动的进程最多有 {soft} 个文件描述符（RLIMIT_NOFILE；ulimit -n 可以提高，最多到 {hard}）"
    ))
}

/// The three processes with the most descriptors, of those that one may inspect.
pub(super) fn largest_users(lang: Lang) -> Option<String> {
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
    let list = most.join(", ");
    (!most.is_empty()).then(|| {
        say!(
            lang,
            "the processes with the most descriptors now: {list}",
            "现在文件描述符最多的进程：{list}"
        )
    })
}

pub(super) fn open_files(lang: Lang) -> Option<String> {
    let &[used, _, most] = &numbers("fs/file-nr")?[..] else { return None };
    Some(say!(
        lang,
        "the whole machine has {used} open files, and may have {most} (fs.file-max)",
        "整台机器打开了 {used} 个文件，上限 {most}（fs.file-max）"
    ))
}

/// That this port is for root only, if it is.
pub(super) fn privileged_port(port: u16, lang: Lang) -> Option<String> {
    let start = first("ip_unprivileged_port_start").unwrap_or(1024);
    (port != 0 && u64::from(port) < start).then(|| privileged_ports(lang))
}

/// Which ports are for root only.
pub(super) fn privileged_ports(lang: Lang) -> String {
    let start = first("ip_unprivileged_port_start").unwrap_or(1024);
    if start == 0 {
        return lang
            .pick(
                "every user may bind every port here (net.ipv4.ip_unprivileged_port_start is 0)",
                "这里任何用户都可以绑定任何端口（net.ipv4.ip_unprivileged_port_start 是 0）",
            )
            .to_owned();
    }
    say!(
        lang,
        "ports below {start} are for root: take a higher one, or lower \
         net.ipv4.ip_unprivileged_port_start",
        "小于 {start} 的端口只有 root 能用：换一个更大的端口，或调低 \
         net.ipv4.ip_unprivileged_port_start"
    )
}

pub(super) fn ping_group(lang: Lang) -> String {
    let range = ipv4("ping_group_range").unwrap_or_default();
    let mut groups = vec![getgid()];
    groups.extend(getgroups().unwrap_or_default());
    let inside = |gid: &nix::unistd::Gid| matches!(range[..], [low, high] if (low..=high).contains(&gid.as_raw().into()));
    let range: Vec<String> = range.iter().map(u64::to_string).collect();
    let may = match groups.iter().any(inside) {
        true => lang.pick("you are in one of them", "你在其中"),
        false => lang.pick("you are in none of them", "你不在其中"),
    };
    let root = match getuid().is_root() {
        true => lang.pick("; root needs no group", "；root 不需要"),
        false => "",
    };
    let range = range.join(lang.pick(" to ", " 到 "));
    say!(
        lang,
        "groups {range} may ping without root (net.ipv4.ping_group_range): {may}{root}",
        "组 {range} 不用 root 也能 ping（net.ipv4.ping_group_range）：{may}{root}"
    )
}

pub(super) fn io_uring(lang: Lang) -> Option<String> {
    let disabled = sysctl("kernel/io_uring_disabled")?;
    let what = match disabled.as_str() {
        "0" => lang.pick("allowed for every user", "所有用户都可以使用"),
        "1" => lang.pick(
            "allowed for members of kernel.io_uring_group",
            "只有 kernel.io_uring_group 的成员可以使用",
        ),
        _ => lang.pick("forbidden", "被禁用"),
    };
    Some(say!(
        lang,
        "io_uring is {what} (kernel.io_uring_disabled is {disabled})",
        "io_uring {what}（kernel.io_uring_disabled 是 {disabled}）"
    ))
}

/// What the sockets of a protocol take of the memory they may have.
pub(super) fn memory(protocol: &str, limits: &str, lang: Lang) -> Option<String> {
    let limits = ipv4(limits)?;
    let stat = fs::read_to_string("/proc/net/sockstat").ok()?;
    let line = stat.lines().find(|line| line.starts_with(&format!("{protocol}:")))?;
    let used: u64 = line.split_once(" mem ")?.1.split_ascii_whitespace().next()?.parse().ok()?;
    let &[low, pressure, high] = &limits[..] else { return None };
    let [used, low, pressure, high] = [used, low, pressure, high].map(grouped);
    let sysctl = protocol.to_lowercase();
    Some(say!(
        lang,
        "{protocol} uses {used} pages of memory; below {low} it is not limited, above {pressure} it saves memory, \
         and it gets no more than {high} (net.ipv4.{sysctl}_mem)",
        "{protocol} 用了 {used} 页内存；低于 {low} 不受限制，超过 {pressure} 开始节省，最多 {high} \
         （net.ipv4.{sysctl}_mem）"
    ))
}

pub(super) fn interfaces(lang: Lang) -> Option<String> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir("/sys/class/net").ok()?.flatten() {
        if let Ok(mtu) = fs::read_to_string(entry.path().join("mtu")) {
            all.insert(entry.file_name().to_string_lossy().into_owned(), mtu.trim().to_owned());
        }
    }
    let all: Vec<String> = all.iter().map(|(name, mtu)| format!("{name} {mtu}")).collect();
    let all = all.join(", ");
    Some(say!(
        lang,
        "the largest packet of each interface (MTU): {all}",
        "每个接口的最大数据包（MTU）：{all}"
    ))
}

/// How long connect tries: a second, twice that, and so on, after some tries a second apart.
pub(super) fn syn_retries(lang: Lang) -> Option<String> {
    let retries = first("tcp_syn_retries")?;
    let linear = first("tcp_syn_linear_timeouts").unwrap_or(0);
    let total = linear + (2u64.checked_pow(u32::try_from(retries).ok()? + 1)? - 1);
    Some(say!(
        lang,
        "a connect without an answer gives up after about {total} s (net.ipv4.tcp_syn_retries is {retries})",
        "connect 得不到回应时，大约 {total} 秒后放弃（net.ipv4.tcp_syn_retries 是 {retries}）"
    ))
}

pub(super) fn keepalive(lang: Lang) -> Option<String> {
    let (time, interval, probes) = (
        first("tcp_keepalive_time")?,
        first("tcp_keepalive_intvl")?,
        first("tcp_keepalive_probes")?,
    );
    Some(say!(
        lang,
        "only SO_KEEPALIVE notices a silent peer: after {time} s it sends {probes} probes, {interval} s apart",
        "只有 SO_KEEPALIVE 能发现沉默的对端：{time} 秒后发送 {probes} 个探测包，每隔 {interval} 秒一个"
    ))
}

pub(super) fn routes(lang: Lang) -> Option<String> {
    let table = fs::read_to_string("/proc/net/route").ok()?;
    let default = table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (interface, destination) = (fields.next()?, fields.next()?);
        (destination == "00000000").then(|| interface.to_owned())
    });
    Some(match default {
        Some(interface) => say!(
            lang,
            "the default route of IPv4 goes through {interface}; ip route shows all routes",
            "IPv4 的默认路由经过 {interface}；ip route 列出全部路由"
        ),
        None => lang
            .pick(
                "IPv4 has no default route (ip route): no packet leaves this machine",
                "IPv4 没有默认路由（ip route）：数据包离不开本机",
            )
            .to_owned(),
    })
}

pub(super) fn ipv6(lang: Lang) -> Option<String> {
    let there = fs::exists("/proc/net/if_inet6").ok()?;
    Some(
        match there {
            true => lang.pick("this kernel has IPv6", "这个内核支持 IPv6"),
            false => lang.pick("this kernel has no IPv6", "这个内核不支持 IPv6"),
        }
        .to_owned(),
    )
}
