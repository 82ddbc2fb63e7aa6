//! What this machine lets netplay do: each thing tried, what it means for which command, and the line that
//! mends it.
//!
//! A setting is read where the answer is a number; where it is a permission, the thing is done: whoever may
//! open an ICMP socket has one opened, and closed again.

mod told;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::utsname::uname;
use serde::Serialize;

use crate::call::{self, CallError, Domain, Shot, Type};
use crate::escape::file_name;
use crate::examples::io_uring::{Options, set_up};
use crate::inspect::{numbers, sysctl};
use crate::lang::Lang;
use crate::server::ServerArgs;

pub use told::{Look, told};

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What: `io_uring`.
    pub what: &'static str,
    /// What was found: `allowed`, `20000 (at most 20000)`.
    pub found: String,
    /// Whether it is as netplay wants it.
    pub verdict: Verdict,
    /// What that means, for which commands.
    pub effect: String,
    /// The line that mends it, where something is to be mended.
    pub mend: Option<String>,
}

/// Whether something is as netplay wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing is missing.
    Good,
    /// A command does less than it could.
    Less,
    /// A command cannot run.
    Missing,
}

impl Check {
    fn good(what: &'static str, found: impl Into<String>, effect: &str) -> Check {
        let (found, effect) = (found.into(), effect.to_owned());
        Check { what, found, verdict: Verdict::Good, effect, mend: None }
    }

    fn less(what: &'static str, found: impl Into<String>, effect: &str, mend: &str) -> Check {
        let mend = Some(mend.to_owned());
        Check { verdict: Verdict::Less, mend, ..Check::good(what, found, effect) }
    }

    fn missing(what: &'static str, found: impl Into<String>, effect: &str, mend: &str) -> Check {
        Check { verdict: Verdict::Missing, ..Check::less(what, found, effect, mend) }
    }
}

/// Looks at all of it; takes a fraction of a second.
#[must_use]
pub fn examine(terminal: &Terminal) -> Vec<Check> {
    vec![
        kernel(),
        io_uring(),
        ipv6(),
        ping(),
        raw(),
        user_namespaces(),
        ptrace(),
        counting(),
        descriptors(),
        processes(),
        ports(),
        backlog(),
        programs(),
        locale(terminal),
        language(terminal),
        screen(terminal),
    ]
}

/// What the command line knows of the terminal.
#[derive(Debug, Clone)]
pub struct Terminal {
    /// Whether standard output is one.
    pub is_one: bool,
    /// Its columns.
    pub columns: Option<usize>,
    /// Whether the locale writes UTF-8.
    pub utf8: bool,
    /// Whether colours would be used.
    pub color: bool,
    /// The language of lessons and labs.
    pub lang: Lang,
}

fn kernel() -> Check {
    let Ok(name) = uname() else {
        return Check::less("kernel", "unknown", "uname(2) does not answer", "uname -r");
    };
    let release = name.release().to_string_lossy().into_owned();
    let found = format!("{} {release}", name.sysname().to_string_lossy());
    Check::good("kernel", found, "what a page needs of it is asked for below")
}

fn io_uring() -> Check {
    let what = "io_uring";
    match ring() {
        Ok(Shot::Multi) => {
            Check::good(what, "multishot", "netplay io-uring and its rows in models and bench run")
        }
        Ok(Shot::Single) => {
            let effect = "netplay io-uring submits each operation anew (single shot)";
            Check::less(what, "single shot only", effect, "boot a kernel of version 6.1 or later")
        }
        Err(error) => {
            let effect = "netplay io-uring ends with 4; models and bench leave it out";
            let mend = match (error, sysctl("kernel/io_uring_disabled").as_deref()) {
                (Errno::ENOSYS, _) => "boot a kernel that has io_uring (5.1 or later)",
                (_, Some("1" | "2")) => "sudo sysctl -w kernel.io_uring_disabled=0",
                (Errno::EPERM | Errno::EACCES, _) => {
                    "a seccomp filter forbids it: docker run --security-opt seccomp=unconfined …"
                }
                (Errno::ENOMEM, _) => "raise the limit of locked memory (ulimit -l)",
                _ => "strace -f -e io_uring_setup netplay io-uring server shows the call",
            };
            Check::missing(what, format!("{error:?}"), effect, mend)
        }
    }
}

/// What the page's server would work with: it sets up its rings here as there, with the usual arguments.
fn ring() -> Result<Shot, Errno> {
    let made = set_up(&ServerArgs::default(), &Options::default()).map(|(_, shot)| shot);
    made.map_err(|error| {
        error.downcast_ref().map_or(Errno::UnknownErrno, |error: &CallError| error.errno())
    })
}

fn ipv6() -> Check {
    let what = "IPv6";
    let tried = call::socket(Domain::IPV6, Type::DGRAM, 0).and_then(|socket| {
        call::bind(&socket, std::net::SocketAddr::from(([0u16, 0, 0, 0, 0, 0, 0, 1], 0)))
    });
    match tried {
        Ok(()) => Check::good(what, "::1 is here", "-6 and IPv6 literals work in every command"),
        Err(error) => {
            let effect = "commands with -6 or an IPv6 address fail; lab bindwhere shows less";
            let mend =
                "sudo sysctl -w net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.lo.disable_ipv6=0";
            Check::missing(what, format!("{:?}", error.errno()), effect, mend)
        }
    }
}

fn ping() -> Check {
    let what = "ICMP datagrams";
    let range = sysctl("net/ipv4/ping_group_range").unwrap_or_default().replace('\t', " to ");
    match call::socket(Domain::IPV4, Type::DGRAM, libc::IPPROTO_ICMP) {
        Ok(_) => Check::good(
            what,
            format!("allowed, groups {range}"),
            "netplay ping runs without privilege",
        ),
        Err(error) => {
            let found = format!("{:?}, groups {range}", error.errno());
            let mend = "sudo sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"";
            match call::socket(Domain::IPV4, Type::RAW, libc::IPPROTO_ICMP) {
                Ok(_) => Check::less(what, found, "netplay ping takes a raw socket instead", mend),
                Err(_) => Check::missing(what, found, "netplay ping ends with 4", mend),
            }
        }
    }
}

fn raw() -> Check {
    let what = "raw sockets";
    match call::socket(Domain::IPV4, Type::RAW, libc::IPPROTO_ICMP) {
        Ok(_) => Check::good(what, "allowed", "netplay ping --raw shows the IP header, too"),
        Err(error) => {
            let program = std::env::current_exe().unwrap_or_else(|_| "netplay".into());
            let mend = format!("sudo setcap cap_net_raw+ep {}", file_name(&program));
            let found = format!("{:?}", error.errno());
            Check::less(what, found, "netplay ping --raw ends with 4", &mend)
        }
    }
}

/// Whether a process may have a network of its own, without being root.
#[expect(unsafe_code, reason = "pre_exec runs between fork and exec")]
fn user_namespaces() -> Check {
    let what = "user namespaces";
    let mut command = Command::new("true");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: unshare is one system call; it allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(|| Ok(unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?));
    }
    let error = match command.status() {
        Ok(_) => {
            return Check::good(
                what,
                "allowed",
                "lab gone can cut a link, in a network of its own",
            );
        }
        Err(error) => error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw),
    };
    let is = |name: &str, value: &str| sysctl(name).as_deref() == Some(value);
    let mend = if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    } else if is("kernel/unprivileged_userns_clone", "0") {
        "sudo sysctl -w kernel.unprivileged_userns_clone=1"
    } else if is("user/max_user_namespaces", "0") {
        "sudo sysctl -w user.max_user_namespaces=10000"
    } else {
        "a seccomp filter forbids it: docker run --security-opt seccomp=unconfined …"
    };
    let effect = "lab gone cannot cut a link, and says so in that row";
    Check::less(what, format!("{error:?}"), effect, mend)
}

fn ptrace() -> Check {
    let what = "ptrace";
    if !on_path("strace") {
        let effect = "the calls of a run cannot be compared with strace's";
        return Check::less(what, "no strace", effect, "sudo apt-get install strace");
    }
    let tried = Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !tried.is_ok_and(|status| status.success()) {
        let effect = "strace cannot follow netplay; bench may not count calls";
        let mend = "in a container: docker run --cap-add SYS_PTRACE …";
        return Check::less(what, "strace fails", effect, mend);
    }
    match sysctl("kernel/yama/ptrace_scope").as_deref() {
        Some(scope @ ("1" | "2" | "3")) if !nix::unistd::geteuid().is_root() => Check::less(
            what,
            format!("own children only (ptrace_scope {scope})"),
            "strace -f netplay … works; strace -p PID of a running server does not",
            "sudo sysctl -w kernel.yama.ptrace_scope=0",
        ),
        _ => Check::good(what, "allowed", "strace -f netplay … and strace -p PID work"),
    }
}

fn counting() -> Check {
    let what = "counting calls";
    let level = sysctl("kernel/perf_event_paranoid").and_then(|text| text.parse::<i32>().ok());
    let tracepoint = Path::new("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id");
    let found =
        level.map_or("no perf events".to_owned(), |level| format!("perf_event_paranoid {level}"));
    let allowed = nix::unistd::geteuid().is_root() || level.is_some_and(|level| level < 0);
    if allowed && fs::read(tracepoint).is_ok() {
        return Check::good(what, found, "bench counts the system calls of a request");
    }
    Check::less(
        what,
        found,
        "bench counts calls by strace, up to 100 connections, or not at all",
        "sudo sysctl -w kernel.perf_event_paranoid=-1; sudo mount -o remount,mode=755 /sys/kernel/tracing",
    )
}

fn descriptors() -> Check {
    let what = "descriptors";
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((0, 0));
    let found = format!("{soft} (at most {hard})");
    if hard >= 11_000 {
        let effect = "bench raises its own limit: 10,000 connections work";
        return Check::good(what, found, effect);
    }
    let most = hard.saturating_sub(100);
    let effect = format!("bench --connections goes up to {most}; lab mux stops there, too");
    let mend = "sudo prlimit --pid $$ --nofile=20000:20000";
    Check::less(what, found, &effect, mend)
}

fn processes() -> Check {
    let what = "processes";
    let (soft, _) = getrlimit(Resource::RLIMIT_NPROC).unwrap_or((0, 0));
    let system = ["kernel/threads-max", "kernel/pid_max"]
        .iter()
        .filter_map(|name| sysctl(name)?.parse::<u64>().ok())
        .min()
        .unwrap_or(u64::MAX);
    let most = soft.min(system);
    if most >= 2_000 {
        return Check::good(what, most.to_string(), "fork and thread can serve as many clients");
    }
    let effect = "fork and thread serve fewer clients; the others are told no";
    Check::less(what, most.to_string(), effect, "ulimit -u 4096")
}

fn ports() -> Check {
    let what = "ports";
    let bounds = numbers("net/ipv4/ip_local_port_range").unwrap_or_default();
    let found = bounds.iter().map(u64::to_string).collect::<Vec<_>>().join(" to ");
    match bounds[..] {
        [low, high] if high.saturating_sub(low) < 10_000 => Check::less(
            what,
            found,
            "bench uses more than one source address sooner; lab limits shows what happens",
            "sudo sysctl -w net.ipv4.ip_local_port_range=\"32768 60999\"",
        ),
        _ => Check::good(what, found, "connect has ports to choose from"),
    }
}

fn backlog() -> Check {
    let what = "backlog";
    let most: u64 = sysctl("net/core/somaxconn").and_then(|n| n.parse().ok()).unwrap_or(0);
    if most >= 128 {
        return Check::good(
            what,
            format!("at most {most}"),
            "--backlog is what you ask for, up to that",
        );
    }
    let effect = "listen takes less than the 128 that servers ask for: bursts of clients wait";
    Check::less(what, format!("at most {most}"), effect, "sudo sysctl -w net.core.somaxconn=4096")
}

/// Programs that are good company, and the package of each.
const PROGRAMS: [(&str, &str); 6] = [
    ("python3", "python3"),
    ("ss", "iproute2"),
    ("curl", "curl"),
    ("nc", "netcat-openbsd"),
    ("ncat", "ncat"),
    ("socat", "socat"),
];

fn programs() -> Check {
    let what = "other programs";
    let absent: Vec<_> = PROGRAMS.iter().filter(|(program, _)| !on_path(program)).collect();
    if absent.is_empty() {
        let names = PROGRAMS.map(|(program, _)| program).join(", ");
        return Check::good(what, names, "peers that netplay did not write, for every example");
    }
    let names: Vec<_> = absent.iter().map(|(program, _)| *program).collect();
    let packages: Vec<_> = absent.iter().map(|(_, package)| *package).collect();
    Check::less(
        what,
        format!("not here: {}", names.join(", ")),
        "nothing of netplay needs them; lab halfclose leaves their rows out",
        &format!("sudo apt-get install {}", packages.join(" ")),
    )
}

fn locale(terminal: &Terminal) -> Check {
    let what = "locale";
    if terminal.utf8 {
        return Check::good(what, "UTF-8", "pictures have lines, and Chinese can be read");
    }
    let effect = "plain characters in story and pictures, as with --ascii";
    Check::less(what, "not UTF-8", effect, "export LC_ALL=C.UTF-8")
}

fn language(terminal: &Terminal) -> Check {
    let (found, other) = match terminal.lang {
        Lang::En => ("English", "lessons and labs; export NETPLAY_LANG=zh for Chinese"),
        Lang::Zh => ("中文", "lessons and labs; export NETPLAY_LANG=en for English"),
    };
    Check::good("language", found, other)
}

fn screen(terminal: &Terminal) -> Check {
    let what = "terminal";
    match terminal.columns {
        _ if !terminal.is_one => Check::good(
            what,
            "none: standard output is a file or a pipe",
            "no prompt, no bar, no colour",
        ),
        Some(columns) if columns < 80 => Check::less(
            what,
            format!("{columns} columns"),
            "demos tell both sides in one column, pictures become lists",
            "make the window 80 columns wide, 120 for pictures",
        ),
        columns => {
            let columns = columns.map_or("of unknown width".to_owned(), |n| format!("{n} columns"));
            let color = if terminal.color { "colour" } else { "no colour" };
            Check::good(
                what,
                format!("{columns}, {color}"),
                "demos tell server and client side by side",
            )
        }
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_good_has_a_line_that_mends_it() {
        let terminal =
            Terminal { is_one: true, columns: Some(40), utf8: false, color: false, lang: Lang::En };
        for check in examine(&terminal) {
            assert_eq!(check.verdict == Verdict::Good, check.mend.is_none(), "{check:?}");
            assert!(!check.effect.is_empty() && !check.found.is_empty(), "{check:?}");
        }
    }
}
