//! What works on this machine: each thing tried, what it means for which command, and the command that
//! fixes it.
//!
//! A setting is read where the answer is a number; where it is a permission, the thing is tried: an ICMP socket is
//! opened, and closed again.

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
use crate::watch::{allowed, yama};
use netplay_text::say;

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
    /// The command that fixes it, where something is missing.
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

/// Looks at all of it, and says in this language what it found; takes a fraction of a second.
#[must_use]
pub fn examine(terminal: &Terminal, lang: Lang) -> Vec<Check> {
    vec![
        kernel(lang),
        io_uring(lang),
        ipv6(lang),
        ping(lang),
        raw(lang),
        user_namespaces(lang),
        tracing(lang),
        ptrace(lang),
        counting(lang),
        descriptors(lang),
        processes(lang),
        ports(lang),
        backlog(lang),
        programs(lang),
        locale(terminal, lang),
        language(terminal, lang),
        screen(terminal, lang),
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
    /// The language that was asked for.
    pub lang: Lang,
}

fn kernel(lang: Lang) -> Check {
    let Ok(name) = uname() else {
        let effect = lang.pick("uname(2) does not answer", "uname(2) 没有回答");
        return Check::less("kernel", lang.pick("unknown", "未知"), effect, "uname -r");
    };
    let release = name.release().to_string_lossy().into_owned();
    let found = format!("{} {release}", name.sysname().to_string_lossy());
    let effect =
        lang.pick("what netplay needs of it is checked below", "netplay 需要的功能在下面逐项检查");
    Check::good("kernel", found, effect)
}

fn io_uring(lang: Lang) -> Check {
    let what = "io_uring";
    match ring() {
        Ok(Shot::Multi) => {
            let effect = lang.pick(
                "netplay io-uring and its rows in models and bench run",
                "netplay io-uring 能运行，models 和 bench 里的 io_uring 也能",
            );
            Check::good(what, "multishot", effect)
        }
        Ok(Shot::Single) => {
            let effect = lang.pick(
                "netplay io-uring submits every operation again (no multishot)",
                "netplay io-uring 每次操作都要重新提交（没有 multishot）",
            );
            let found = lang.pick("single shot only", "只有 single shot");
            let mend = lang.pick("boot a kernel of version 6.1 or later", "使用 6.1 或更新的内核");
            Check::less(what, found, effect, mend)
        }
        Err(error) => {
            let effect = lang.pick(
                "netplay io-uring ends with 4; models and bench leave it out",
                "netplay io-uring 以 4 退出；models 和 bench 会略过它",
            );
            let mend = match (error, sysctl("kernel/io_uring_disabled").as_deref()) {
                (Errno::ENOSYS, _) => lang.pick(
                    "boot a kernel that has io_uring (5.1 or later)",
                    "使用支持 io_uring 的内核（5.1 或更新）",
                ),
                (_, Some("1" | "2")) => "sudo sysctl -w kernel.io_uring_disabled=0",
                (Errno::EPERM | Errno::EACCES, _) => seccomp(lang),
                (Errno::ENOMEM, _) => lang.pick(
                    "raise the limit of locked memory (ulimit -l)",
                    "提高锁定内存的上限（ulimit -l）",
                ),
                _ => lang.pick(
                    "strace -f -e io_uring_setup netplay io-uring server shows the call",
                    "strace -f -e io_uring_setup netplay io-uring server 可以看到这个调用",
                ),
            };
            Check::missing(what, format!("{error:?}"), effect, mend)
        }
    }
}

fn seccomp(lang: Lang) -> &'static str {
    lang.pick(
        "a seccomp filter forbids it: docker run --security-opt seccomp=unconfined …",
        "seccomp 过滤器禁止它：docker run --security-opt seccomp=unconfined …",
    )
}

/// What the page's server would work with: it sets up its rings here as there, with the usual arguments.
fn ring() -> Result<Shot, Errno> {
    let made = set_up(&ServerArgs::default(), &Options::default()).map(|(_, shot)| shot);
    made.map_err(|error| {
        error.downcast_ref().map_or(Errno::UnknownErrno, |error: &CallError| error.errno())
    })
}

fn ipv6(lang: Lang) -> Check {
    let what = "IPv6";
    let tried = call::socket(Domain::IPV6, Type::DGRAM, 0).and_then(|socket| {
        call::bind(&socket, std::net::SocketAddr::from(([0u16, 0, 0, 0, 0, 0, 0, 1], 0)))
    });
    match tried {
        Ok(()) => Check::good(
            what,
            lang.pick("::1 is here", "有 ::1"),
            lang.pick(
                "-6 and IPv6 literals work in every command",
                "所有命令都可以用 -6 和 IPv6 地址",
            ),
        ),
        Err(error) => {
            let effect = lang.pick(
                "commands with -6 or an IPv6 address fail; lab bindwhere shows less",
                "带 -6 或 IPv6 地址的命令会失败；lab bindwhere 显示得更少",
            );
            let mend =
                "sudo sysctl -w net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.lo.disable_ipv6=0";
            Check::missing(what, format!("{:?}", error.errno()), effect, mend)
        }
    }
}

fn ping(lang: Lang) -> Check {
    let what = "ICMP datagrams";
    let range = sysctl("net/ipv4/ping_group_range").unwrap_or_default();
    // "1 0", an empty range, is the kernel's default (icmp(7)).
    let bounds = range
        .split_once('\t')
        .and_then(|(from, to)| Some((from.parse::<u32>().ok()?, to.parse().ok()?)));
    let range = match bounds {
        Some((from, to)) if from > to => lang.pick("none", "无").to_owned(),
        _ => range.replace('\t', lang.pick(" to ", " 到 ")),
    };
    match call::socket(Domain::IPV4, Type::DGRAM, libc::IPPROTO_ICMP) {
        Ok(_) => Check::good(
            what,
            say!(lang, "allowed, groups {range}", "允许，组 {range}"),
            lang.pick("netplay ping runs without privilege", "netplay ping 不需要特权"),
        ),
        Err(error) => {
            let errno = error.errno();
            let found = match bounds {
                Some((from, to)) if from > to => {
                    say!(lang, "{errno:?}, no group is allowed", "{errno:?}，没有允许任何组")
                }
                _ => say!(lang, "{errno:?}, groups {range}", "{errno:?}，允许的组 {range}"),
            };
            let mend = "sudo sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"";
            match call::socket(Domain::IPV4, Type::RAW, libc::IPPROTO_ICMP) {
                Ok(_) => {
                    let effect = lang.pick(
                        "netplay ping uses a raw socket instead",
                        "netplay ping 改用原始套接字",
                    );
                    Check::less(what, found, effect, mend)
                }
                Err(_) => {
                    let effect = lang.pick("netplay ping ends with 4", "netplay ping 以 4 退出");
                    Check::missing(what, found, effect, mend)
                }
            }
        }
    }
}

fn raw(lang: Lang) -> Check {
    let what = "raw sockets";
    match call::socket(Domain::IPV4, Type::RAW, libc::IPPROTO_ICMP) {
        Ok(_) => Check::good(
            what,
            lang.pick("allowed", "允许"),
            lang.pick(
                "netplay ping --raw also shows the IP header",
                "netplay ping --raw 还能显示 IP 首部",
            ),
        ),
        Err(error) => {
            let program = std::env::current_exe().unwrap_or_else(|_| "netplay".into());
            let mend = format!("sudo setcap cap_net_raw+ep {}", file_name(&program));
            let found = format!("{:?}", error.errno());
            let effect =
                lang.pick("netplay ping --raw ends with 4", "netplay ping --raw 以 4 退出");
            Check::less(what, found, effect, &mend)
        }
    }
}

/// Whether a process may have a network of its own, without being root.
#[expect(unsafe_code, reason = "pre_exec runs between fork and exec")]
fn user_namespaces(lang: Lang) -> Check {
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
                lang.pick("allowed", "允许"),
                lang.pick(
                    "lab gone can cut a link, in a network of its own",
                    "lab gone 可以在自己的网络里断开链路",
                ),
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
        seccomp(lang)
    };
    let effect = lang.pick(
        "lab gone cannot cut a link, and says so in that row",
        "lab gone 不能断开链路，会在那一行说明",
    );
    Check::less(what, format!("{error:?}"), effect, mend)
}

/// Whether other people's programs can be watched: it is tried with a child, and Yama is asked about the processes that
/// run already.
fn tracing(lang: Lang) -> Check {
    let what = "tracing";
    if let Err(forbidden) = allowed() {
        let (call, errno) = (forbidden.call, forbidden.errno);
        let effect = lang.pick("netplay watch ends with 4", "netplay watch 以 4 退出");
        return Check::missing(
            what,
            format!("{call}: {errno:?}"),
            effect,
            &forbidden.way_out(lang),
        );
    }
    let effect = lang.pick(
        "netplay watch -- CMD works; netplay watch -p PID does not",
        "netplay watch -- CMD 可用；netplay watch -p PID 不行",
    );
    own_children_only(what, effect, lang).unwrap_or_else(|| {
        Check::good(
            what,
            lang.pick("allowed", "允许"),
            lang.pick(
                "netplay watch -- CMD and netplay watch -p PID work",
                "netplay watch -- CMD 和 netplay watch -p PID 都可用",
            ),
        )
    })
}

/// Where Yama lets a process trace its own children only: with this effect.
fn own_children_only(what: &'static str, effect: &str, lang: Lang) -> Option<Check> {
    let scope = yama();
    (scope > 0 && !nix::unistd::geteuid().is_root()).then(|| {
        Check::less(
            what,
            say!(
                lang,
                "own children only (ptrace_scope {scope})",
                "只限自己的子进程（ptrace_scope {scope}）"
            ),
            effect,
            "sudo sysctl -w kernel.yama.ptrace_scope=0",
        )
    })
}

fn ptrace(lang: Lang) -> Check {
    let what = "ptrace";
    if !on_path("strace") {
        let effect = lang.pick(
            "the calls of a run cannot be compared with those that strace shows",
            "不能拿 strace 的输出来对照一次运行的调用",
        );
        let found = lang.pick("no strace", "没有 strace");
        return Check::less(what, found, effect, "sudo apt-get install strace");
    }
    let tried = Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !tried.is_ok_and(|status| status.success()) {
        let effect = lang.pick(
            "strace cannot follow netplay; bench may not count calls",
            "strace 不能跟踪 netplay；bench 可能数不了系统调用",
        );
        // What keeps netplay from tracing keeps strace from it.
        let mend = match allowed() {
            Err(forbidden) => forbidden.way_out(lang),
            Ok(()) => lang
                .pick(
                    "in a container: docker run --cap-add SYS_PTRACE …",
                    "在容器里：docker run --cap-add SYS_PTRACE …",
                )
                .to_owned(),
        };
        return Check::less(what, lang.pick("strace fails", "strace 失败"), effect, &mend);
    }
    let effect = lang.pick(
        "strace -f netplay … works; strace -p PID of a running server does not",
        "strace -f netplay … 可用；对运行中的服务器用 strace -p PID 不行",
    );
    own_children_only(what, effect, lang).unwrap_or_else(|| {
        Check::good(
            what,
            lang.pick("allowed", "允许"),
            lang.pick(
                "strace -f netplay … and strace -p PID work",
                "strace -f netplay … 和 strace -p PID 都可用",
            ),
        )
    })
}

fn counting(lang: Lang) -> Check {
    let what = "counting calls";
    let level = sysctl("kernel/perf_event_paranoid").and_then(|text| text.parse::<i32>().ok());
    let tracepoint = Path::new("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id");
    let found = match level {
        Some(level) => format!("perf_event_paranoid {level}"),
        None => lang.pick("no perf events", "没有 perf 事件").to_owned(),
    };
    let allowed = nix::unistd::geteuid().is_root() || level.is_some_and(|level| level < 0);
    if allowed && fs::read(tracepoint).is_ok() {
        let effect = lang
            .pick("bench counts the system calls of a request", "bench 能数出一个请求的系统调用");
        return Check::good(what, found, effect);
    }
    Check::less(
        what,
        found,
        lang.pick(
            "bench counts calls with strace if it is installed, up to 100 connections",
            "如果装有 strace，bench 用它数系统调用，最多 100 个连接",
        ),
        "sudo sysctl -w kernel.perf_event_paranoid=-1; sudo mount -o remount,mode=755 /sys/kernel/tracing",
    )
}

fn descriptors(lang: Lang) -> Check {
    let what = "descriptors";
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((0, 0));
    let found = say!(lang, "{soft} (at most {hard})", "{soft}（最多 {hard}）");
    if hard >= 11_000 {
        let effect = lang.pick(
            "bench raises its own limit: 10,000 connections work",
            "bench 会提高自己的上限：10,000 个连接没有问题",
        );
        return Check::good(what, found, effect);
    }
    let most = hard.saturating_sub(100);
    let effect = say!(
        lang,
        "bench --connections goes up to {most}, and so does lab mux",
        "bench --connections 最多到 {most}，lab mux 也一样"
    );
    let mend = "sudo prlimit --pid $$ --nofile=20000:20000";
    Check::less(what, found, &effect, mend)
}

fn processes(lang: Lang) -> Check {
    let what = "processes";
    let (soft, _) = getrlimit(Resource::RLIMIT_NPROC).unwrap_or((0, 0));
    let system = ["kernel/threads-max", "kernel/pid_max"]
        .iter()
        .filter_map(|name| sysctl(name)?.parse::<u64>().ok())
        .min()
        .unwrap_or(u64::MAX);
    let most = soft.min(system);
    if most >= 2_000 {
        let effect = lang.pick(
            "fork and thread can serve that many clients",
            "fork 和 thread 能服务这么多客户端",
        );
        return Check::good(what, most.to_string(), effect);
    }
    let effect = lang.pick(
        "fork and thread serve fewer clients, and refuse the others",
        "fork 和 thread 能服务的客户端更少，其余的会被拒绝",
    );
    Check::less(what, most.to_string(), effect, "ulimit -u 4096")
}

fn ports(lang: Lang) -> Check {
    let what = "ports";
    let bounds = numbers("net/ipv4/ip_local_port_range").unwrap_or_default();
    let found = bounds.iter().map(u64::to_string).collect::<Vec<_>>();
    let found = found.join(lang.pick(" to ", " 到 "));
    match bounds[..] {
        [low, high] if high.saturating_sub(low) < 10_000 => Check::less(
            what,
            found,
            lang.pick(
                "bench needs several source addresses sooner; lab limits shows what happens",
                "bench 更早需要多个源地址；lab limits 演示会发生什么",
            ),
            "sudo sysctl -w net.ipv4.ip_local_port_range=\"32768 60999\"",
        ),
        _ => Check::good(
            what,
            found,
            lang.pick("connect has enough ephemeral ports", "connect 有足够的临时端口"),
        ),
    }
}

fn backlog(lang: Lang) -> Check {
    let what = "backlog";
    let most: u64 = sysctl("net/core/somaxconn").and_then(|n| n.parse().ok()).unwrap_or(0);
    let found = say!(lang, "at most {most}", "最多 {most}");
    if most >= 128 {
        let effect = lang
            .pick("--backlog is taken as given, up to that", "--backlog 按给定的值，直到这个上限");
        return Check::good(what, found, effect);
    }
    let effect = lang.pick(
        "listen takes less than the 128 that servers ask for, so bursts of clients wait",
        "listen 得到的比服务器请求的 128 少，客户端一拥而上时要等待",
    );
    Check::less(what, found, effect, "sudo sysctl -w net.core.somaxconn=4096")
}

/// Programs that examples can talk to, and the package of each.
const PROGRAMS: [(&str, &str); 6] = [
    ("python3", "python3"),
    ("ss", "iproute2"),
    ("curl", "curl"),
    ("nc", "netcat-openbsd"),
    ("ncat", "ncat"),
    ("socat", "socat"),
];

fn programs(lang: Lang) -> Check {
    let what = "other programs";
    let absent: Vec<_> = PROGRAMS.iter().filter(|(program, _)| !on_path(program)).collect();
    if absent.is_empty() {
        let names = PROGRAMS.map(|(program, _)| program).join(", ");
        let effect = lang.pick(
            "every example can talk to peers that are not netplay",
            "每个示例都可以和 netplay 之外的对端通信",
        );
        return Check::good(what, names, effect);
    }
    let names: Vec<_> = absent.iter().map(|(program, _)| *program).collect();
    let packages: Vec<_> = absent.iter().map(|(_, package)| *package).collect();
    let names = names.join(", ");
    Check::less(
        what,
        say!(lang, "not here: {names}", "没有：{names}"),
        lang.pick(
            "netplay runs without them; lab halfclose leaves their rows out",
            "netplay 没有它们也能运行；lab halfclose 会略去它们的行",
        ),
        &format!("sudo apt-get install {}", packages.join(" ")),
    )
}

fn locale(terminal: &Terminal, lang: Lang) -> Check {
    let what = "locale";
    if terminal.utf8 {
        let effect = lang
            .pick("pictures have lines, and Chinese can be shown", "图形用线条绘制，可以显示中文");
        return Check::good(what, "UTF-8", effect);
    }
    let effect = lang.pick(
        "plain characters in story and pictures, as with --ascii",
        "叙述和图形只用普通字符，同 --ascii",
    );
    Check::less(what, lang.pick("not UTF-8", "不是 UTF-8"), effect, "export LC_ALL=C.UTF-8")
}

fn language(terminal: &Terminal, lang: Lang) -> Check {
    let (found, effect) = match terminal.lang {
        Lang::En => (
            "English",
            lang.pick("export NETPLAY_LANG=zh for Chinese", "要用中文：export NETPLAY_LANG=zh"),
        ),
        Lang::Zh => (
            "中文",
            lang.pick("export NETPLAY_LANG=en for English", "要用英文：export NETPLAY_LANG=en"),
        ),
    };
    Check::good("language", found, effect)
}

fn screen(terminal: &Terminal, lang: Lang) -> Check {
    let what = "terminal";
    let columns = |n: usize| say!(lang, "{n} columns", "{n} 列");
    match terminal.columns {
        _ if !terminal.is_one => Check::good(
            what,
            lang.pick(
                "none: standard output is a file or a pipe",
                "不是终端：标准输出是文件或管道",
            ),
            lang.pick("no prompt, no progress bar, no colour", "没有提示符、进度条和颜色"),
        ),
        Some(n) if n < 80 => Check::less(
            what,
            columns(n),
            lang.pick(
                "demos tell both sides in one column, pictures become lists",
                "演示把两端放在一列里叙述，图形变成列表",
            ),
            lang.pick(
                "make the window 80 columns wide, 120 for pictures",
                "把窗口放宽到 80 列，看图用 120 列",
            ),
        ),
        n => {
            let unknown = || lang.pick("unknown width", "宽度未知").to_owned();
            let columns = n.map_or_else(unknown, columns);
            let color = match terminal.color {
                true => lang.pick(", colour", "，彩色"),
                false => lang.pick(", no colour", "，无颜色"),
            };
            Check::good(
                what,
                columns + color,
                lang.pick(
                    "demos tell server and client side by side",
                    "演示并排叙述服务器和客户端",
                ),
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
        for check in Lang::ALL.into_iter().flat_map(|lang| examine(&terminal, lang)) {
            assert_eq!(check.verdict == Verdict::Good, check.mend.is_none(), "{check:?}");
            assert!(!check.effect.is_empty() && !check.found.is_empty(), "{check:?}");
        }
    }
}
