//! Options of a socket, and the flags of a descriptor.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use netplay_text::lang::Lang;
use netplay_text::say;

use super::connection::same;
use super::text::{Args, count, interrupted, number};
use super::{
    Event, Facts, Failure, Known, Moves, OptValue, Outcome, Shows, Strace, Told, part, strace,
    value::value_in,
};

/// A call that reads or changes an option or a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sockopt {
    /// setsockopt(2)
    Setsockopt(Set),
    /// getsockopt(2)
    Getsockopt(Get),
    /// fcntl(2)
    Fcntl(Fcntl),
    /// ioctl(2)
    Ioctl(Ioctl),
}

/// The request of `ioctl`, and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ioctl {
    /// FIONBIO: whether calls on the descriptor do not wait from now on.
    NonBlocking(bool),
    /// FIONREAD, and how many bytes can be read.
    Readable(Option<i32>),
    /// SIOCOUTQ, and how many bytes the peer has not acknowledged.
    Unsent(Option<i32>),
    /// Another, with its number.
    Other(u64),
}

impl Ioctl {
    fn read(args: Args<'_>) -> Ioctl {
        let number = || args.field("[", &[']']).and_then(|number| number.parse().ok());
        match args.nth(1) {
            "FIONBIO" => Ioctl::NonBlocking(number() != Some(0)),
            "FIONREAD" => Ioctl::Readable(number()),
            "TIOCOUTQ" | "SIOCOUTQ" => Ioctl::Unsent(number()),
            other => {
                let number = other.trim_start_matches("0x");
                Ioctl::Other(u64::from_str_radix(number, 16).unwrap_or_default())
            }
        }
    }

    /// The request, and its argument.
    fn strace(self) -> (String, String) {
        let number = |number: Option<i32>| match number {
            Some(number) => format!(", [{number}]"),
            None => ", 0x...".to_owned(),
        };
        match self {
            Ioctl::NonBlocking(on) => ("FIONBIO".to_owned(), format!(", [{}]", i32::from(on))),
            Ioctl::Readable(count) => ("FIONREAD".to_owned(), number(count)),
            // SIOCOUTQ is the same number, and strace has the other name.
            Ioctl::Unsent(count) => ("TIOCOUTQ".to_owned(), number(count)),
            Ioctl::Other(request) => (format!("{request:#x}"), String::new()),
        }
    }

    fn sentence(self, lang: Lang) -> String {
        let bytes =
            |bytes: Option<i32>| count(u64::from(bytes.unwrap_or_default().unsigned_abs()), lang);
        match self {
            Ioctl::NonBlocking(on) => waits_in_words(!on, lang),
            Ioctl::Readable(of) => {
                let bytes = bytes(of);
                say!(lang, "{bytes} can be read now", "现在可以读 {bytes}")
            }
            Ioctl::Unsent(of) => {
                let bytes = bytes(of);
                say!(
                    lang,
                    "{bytes} sent, and not yet acknowledged by the peer",
                    "已发送、对端还没有确认的：{bytes}",
                )
            }
            Ioctl::Other(request) => {
                say!(lang, "request {request:#x} is done", "请求 {request:#x} 完成")
            }
        }
    }
}

/// What O_NONBLOCK is for.
fn waits_in_words(waits: bool, lang: Lang) -> String {
    match waits {
        true => say!(lang, "blocking again", "恢复为阻塞"),
        false => say!(
            lang,
            "non-blocking from now on: a call that would wait fails with EAGAIN",
            "从现在起非阻塞：本来要等待的调用以 EAGAIN 失败",
        ),
    }
}

/// The arguments of `setsockopt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// `SOL_SOCKET` and others.
    pub level: Cow<'static, str>,
    /// The option's name in the manual.
    pub option: Cow<'static, str>,
    /// The value; `None` if the call comes from a trace.
    pub value: Option<OptValue>,
    /// The multicast group that it joins or leaves.
    pub group: Option<Box<Group>>,
    /// Whether it is a datagram socket, for which SO_REUSEADDR does something else.
    pub datagrams: bool,
}

/// A multicast group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Whether it is joined, or left.
    pub joins: bool,
    /// Its address.
    pub address: String,
    /// The device; `None`: any.
    pub device: Option<String>,
}

/// The arguments of `getsockopt`, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Get {
    /// `SOL_SOCKET` and others.
    pub level: Cow<'static, str>,
    /// The option's name in the manual.
    pub option: Cow<'static, str>,
    /// The size of the buffer.
    pub room: usize,
    /// The value; `None` if the call failed or comes from a trace.
    pub value: Option<OptValue>,
}

impl Get {
    /// A value of this option, as strace prints it.
    #[must_use]
    pub fn value_text(&self, value: &OptValue) -> String {
        strace_value(&self.option, value, None)
    }
}

/// The command of `fcntl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fcntl {
    /// F_GETFL, and the flags that were set.
    GetFlags(i32),
    /// F_SETFL
    SetFlags(i32),
    /// F_DUPFD and F_DUPFD_CLOEXEC: a copy of the descriptor.
    Duplicate {
        /// The lowest number that it may have.
        from: i32,
        /// Whether the copy is closed on exec.
        cloexec: bool,
    },
    /// F_SETFD: whether the descriptor is closed on exec.
    SetCloexec(bool),
    /// F_SETOWN: the process that gets its signals.
    SetOwner(i32),
    /// F_SETLKW: to take a lock, or to release it.
    Lock(RecordLock),
    /// Something else, in the manual's word.
    Other(String),
}

impl Default for Fcntl {
    fn default() -> Fcntl {
        Fcntl::Other(String::new())
    }
}

/// A lock on a part of a file: a `struct flock`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordLock {
    /// F_RDLCK, F_WRLCK, or F_UNLCK to release it.
    pub kind: i32,
    /// SEEK_SET, SEEK_CUR or SEEK_END: from where `start` counts.
    pub whence: i32,
    /// The first byte.
    pub start: i64,
    /// How many; 0 is all.
    pub len: i64,
}

impl RecordLock {
    /// `{l_type=F_WRLCK, l_whence=SEEK_SET, l_start=0, l_len=0}`
    #[must_use]
    pub fn strace(self) -> String {
        let RecordLock { kind, whence, start, len } = self;
        let kind = match kind {
            libc::F_RDLCK => "F_RDLCK",
            libc::F_WRLCK => "F_WRLCK",
            _ => "F_UNLCK",
        };
        let whence = match whence {
            libc::SEEK_SET => "SEEK_SET",
            libc::SEEK_CUR => "SEEK_CUR",
            _ => "SEEK_END",
        };
        format!("{{l_type={kind}, l_whence={whence}, l_start={start}, l_len={len}}}")
    }
}

impl Set {
    /// A value of this option, as strace prints it.
    #[must_use]
    pub fn value_text(&self, value: &OptValue) -> String {
        strace_value(&self.option, value, self.group.as_deref())
    }

    /// Sets the option of this name and level to this value. `device` is the name of the device in the value
    /// of a membership.
    pub fn new(
        level: &'static str,
        option: &'static str,
        value: OptValue,
        device: Option<String>,
        datagrams: bool,
    ) -> Set {
        let group = Group::of(option, &value, device);
        Set {
            level: level.into(),
            option: option.into(),
            value: Some(value),
            group: group.map(Box::new),
            datagrams,
        }
    }

    fn read(args: Args<'_>, event: &Event) -> Set {
        let option = option_name(args);
        // {imr_multiaddr=inet_addr("239.0.0.1"), …}
        let group = args.has("MEMBERSHIP, {").then(|| {
            let mut quoted = args.quoted().map(str::to_owned);
            let address = quoted.next().unwrap_or_default();
            Group { joins: joins(&option), address, device: quoted.next() }
        });
        let level = args.nth(1).to_owned().into();
        // Older traces have no key for it: the value says so.
        let datagrams = event.datagrams.unwrap_or_else(|| value(event).1);
        Set { level, option: option.into(), value: None, group: group.map(Box::new), datagrams }
    }
}

/// What an older trace has behind the value of SO_REUSEADDR.
const OF_DATAGRAMS: &str = ", of a datagram socket";

/// The value in a line of a trace, and whether it says that the socket is a datagram socket.
fn value(event: &Event) -> (&str, bool) {
    let text = event.value.as_deref().unwrap_or_default();
    text.strip_suffix(OF_DATAGRAMS).map_or((text, false), |value| (value, true))
}

impl Group {
    fn of(option: &str, value: &OptValue, device: Option<String>) -> Option<Group> {
        let memory = value.to_memory();
        let address = match (option, memory.len()) {
            ("IP_ADD_MEMBERSHIP" | "IP_DROP_MEMBERSHIP", 8) => {
                Ipv4Addr::from(part(&memory, 0)).to_string()
            }
            ("IPV6_ADD_MEMBERSHIP" | "IPV6_DROP_MEMBERSHIP", 20) => {
                Ipv6Addr::from(part::<16>(&memory, 0)).to_string()
            }
            _ => return None,
        };
        Some(Group { joins: joins(option), address, device })
    }
}

fn joins(option: &str) -> bool {
    option.contains("_ADD_")
}

/// The third argument, as the manual spells it.
fn option_name(args: Args<'_>) -> String {
    args.nth(2).trim_end_matches("_OLD").to_owned()
}

/// Four bytes are a number to strace, whatever they mean. (Text too, but here it stays text.)
fn strace_value(option: &str, value: &OptValue, group: Option<&Group>) -> String {
    let memory = value.to_memory();
    let int = |at| i32::from_ne_bytes(part(&memory, at));
    match (option, value, group) {
        (_, OptValue::Linger(_), _) => format!("{{l_onoff={}, l_linger={}}}", int(0), int(4)),
        ("SO_ERROR", OptValue::Int(errno @ 1..), _) => format!("[{}]", crate::errno_name(*errno)),
        ("SO_PEERCRED", _, _) if memory.len() == 12 => {
            format!("{{pid={}, uid={}, gid={}}}", int(0), int(4), int(8))
        }
        (_, _, Some(Group { address, device, .. })) if memory.len() == 8 => format!(
            "{{imr_multiaddr=inet_addr(\"{address}\"), imr_interface=inet_addr(\"{}\")}}",
            device.as_deref().unwrap_or_default()
        ),
        (_, _, Some(Group { address, device, .. })) => {
            let device = match device {
                Some(name) => format!("if_nametoindex(\"{name}\")"),
                None => u32::from_ne_bytes(part(&memory, 16)).to_string(),
            };
            format!(
                "{{inet_pton(AF_INET6, \"{address}\", &ipv6mr_multiaddr), ipv6mr_interface={device}}}"
            )
        }
        (_, OptValue::Int(_) | OptValue::Address(_) | OptValue::Bytes(_), _)
            if memory.len() == 4 =>
        {
            format!("[{}]", int(0))
        }
        _ => strace::quoted(&memory),
    }
}

impl Fcntl {
    fn read(args: Args<'_>, event: &Event) -> Fcntl {
        match args.nth(1) {
            "F_GETFL" => {
                Fcntl::GetFlags(strace::read_open_flags(event.out.as_deref().unwrap_or_default()))
            }
            "F_SETFL" => Fcntl::SetFlags(strace::read_open_flags(args.nth(2))),
            name @ ("F_DUPFD" | "F_DUPFD_CLOEXEC") => Fcntl::Duplicate {
                from: args.nth(2).parse().unwrap_or_default(),
                cloexec: name == "F_DUPFD_CLOEXEC",
            },
            "F_SETFD" => Fcntl::SetCloexec(args.has("FD_CLOEXEC")),
            "F_SETOWN" => Fcntl::SetOwner(args.nth(2).parse().unwrap_or_default()),
            "F_SETLKW" => {
                let kind = if args.has("F_UNLCK") { libc::F_UNLCK } else { libc::F_WRLCK };
                Fcntl::Lock(RecordLock { kind, ..RecordLock::default() })
            }
            other => Fcntl::Other(other.to_owned()),
        }
    }

    /// The command, and its argument.
    fn strace(&self) -> (&str, String) {
        match self {
            Fcntl::GetFlags(_) => ("F_GETFL", String::new()),
            Fcntl::SetFlags(flags) => ("F_SETFL", strace::open_flags(*flags)),
            Fcntl::Duplicate { from, cloexec: false } => ("F_DUPFD", from.to_string()),
            Fcntl::Duplicate { from, cloexec: true } => ("F_DUPFD_CLOEXEC", from.to_string()),
            Fcntl::SetCloexec(true) => ("F_SETFD", "FD_CLOEXEC".to_owned()),
            Fcntl::SetCloexec(false) => ("F_SETFD", "0".to_owned()),
            Fcntl::SetOwner(process) => ("F_SETOWN", process.to_string()),
            Fcntl::Lock(lock) => ("F_SETLKW", lock.strace()),
            Fcntl::Other(command) => (command, String::new()),
        }
    }

    fn sentence(&self, event: &Event, lang: Lang) -> String {
        match self {
            Fcntl::SetFlags(flags) if flags & libc::O_ASYNC != 0 => say!(
                lang,
                "from now on SIGIO announces events here, and it is non-blocking",
                "从现在起，这里有事件就发 SIGIO；它也成为非阻塞的",
            ),
            Fcntl::SetFlags(flags) => waits_in_words(flags & libc::O_NONBLOCK == 0, lang),
            Fcntl::SetOwner(process) => {
                say!(lang, "its signals go to process {process}", "它的信号发给进程 {process}",)
            }
            Fcntl::Lock(lock) if lock.kind == libc::F_UNLCK => say!(
                lang,
                "released the lock: one of the processes waiting for it gets it",
                "释放锁：等待它的进程中有一个得到它",
            ),
            Fcntl::Lock(_) => say!(
                lang,
                "this process holds the lock: the others wait until it is released",
                "本进程持有锁：其他进程等待，直到它被释放",
            ),
            Fcntl::GetFlags(flags) => {
                let flags = strace::open_flags(*flags);
                say!(lang, "its flags are {flags}", "它的标志是 {flags}")
            }
            Fcntl::Duplicate { .. } => {
                same(event.fd.unwrap_or_default(), event.ret.unwrap_or_default(), lang)
            }
            Fcntl::SetCloexec(true) => say!(
                lang,
                "it is closed when the process becomes another program (exec)",
                "进程变成另一个程序 (exec) 时，它会被关闭",
            ),
            Fcntl::SetCloexec(false) => say!(
                lang,
                "it stays open when the process becomes another program (exec)",
                "进程变成另一个程序 (exec) 时，它保持打开",
            ),
            Fcntl::Other(_) => {
                let command = self.strace().0;
                say!(lang, "{command} is done", "{command} 完成")
            }
        }
    }

    /// In the words of a picture.
    fn short(&self) -> &str {
        match self {
            Fcntl::SetFlags(flags) if flags & libc::O_NONBLOCK != 0 => "O_NONBLOCK",
            _ => self.strace().0,
        }
    }
}

names! {
    SockoptName:
    Setsockopt = "setsockopt",
    Getsockopt = "getsockopt",
    Fcntl = "fcntl",
    Ioctl = "ioctl",
}

impl Told for Sockopt {
    type Name = SockoptName;

    fn read(name: SockoptName, event: &Event) -> Sockopt {
        let args = Args::of(event);
        match name {
            SockoptName::Setsockopt => Sockopt::Setsockopt(Set::read(args, event)),
            SockoptName::Getsockopt => Sockopt::Getsockopt(Get {
                level: args.nth(1).to_owned().into(),
                option: option_name(args).into(),
                room: 0,
                value: None,
            }),
            SockoptName::Fcntl => Sockopt::Fcntl(Fcntl::read(args, event)),
            SockoptName::Ioctl => Sockopt::Ioctl(Ioctl::read(args)),
        }
    }

    fn name(&self) -> SockoptName {
        match self {
            Sockopt::Setsockopt(_) => SockoptName::Setsockopt,
            Sockopt::Getsockopt(_) => SockoptName::Getsockopt,
            Sockopt::Fcntl(_) => SockoptName::Fcntl,
            Sockopt::Ioctl(_) => SockoptName::Ioctl,
        }
    }

    fn strace(&self, outcome: &Outcome) -> Strace {
        let fd = outcome.fd();
        match self {
            Sockopt::Setsockopt(Set { level, option, value, group, .. }) => {
                let len = value.as_ref().map_or(0, OptValue::size);
                let value =
                    value.as_ref().map(|value| strace_value(option, value, group.as_deref()));
                let (name, value) = (strace::option_name(option), value.unwrap_or_default());
                Strace::new("setsockopt", format!("{fd}, {level}, {name}, {value}, {len}"))
            }
            Sockopt::Getsockopt(Get { level, option, room, value }) => {
                let text = match value {
                    Some(value) if value.size() > 0 => strace_value(option, value, None),
                    _ => "0x...".to_owned(),
                };
                let len = match value.as_ref().map(OptValue::size) {
                    Some(len) if len != *room => format!("{room} => {len}"),
                    _ => room.to_string(),
                };
                let name = strace::option_name(option);
                Strace::new("getsockopt", format!("{fd}, {level}, {name}, {text}, [{len}]"))
            }
            Sockopt::Fcntl(fcntl) => {
                let (command, with) = fcntl.strace();
                let with = if with.is_empty() { with } else { format!(", {with}") };
                let told = Strace::new("fcntl", format!("{fd}, {command}{with}"));
                match fcntl {
                    Fcntl::GetFlags(flags) if outcome.done().is_some() => {
                        told.out(format!("(flags {})", strace::open_flags(*flags)))
                    }
                    _ => told,
                }
            }
            Sockopt::Ioctl(ioctl) => {
                let (request, with) = ioctl.strace();
                Strace::new("ioctl", format!("{fd}, {request}{with}"))
            }
        }
    }

    fn facts(&self, outcome: &Outcome) -> Facts {
        match self {
            Sockopt::Setsockopt(Set { value, datagrams, .. }) => Facts {
                value: value.as_ref().map(ToString::to_string),
                datagrams: datagrams.then_some(true),
                ..Facts::default()
            },
            Sockopt::Getsockopt(Get { value, .. }) => {
                Facts { value: value.as_ref().map(ToString::to_string), ..Facts::default() }
            }
            Sockopt::Fcntl(Fcntl::SetFlags(flags)) if outcome.done().is_some() => {
                Facts { known: Known::Waits(flags & libc::O_NONBLOCK == 0), ..Facts::default() }
            }
            Sockopt::Ioctl(Ioctl::NonBlocking(on)) if outcome.done().is_some() => {
                Facts { known: Known::Waits(!on), ..Facts::default() }
            }
            Sockopt::Fcntl(_) | Sockopt::Ioctl(_) => Facts::default(),
        }
    }

    fn sentence(&self, event: &Event, lang: Lang) -> String {
        let (value, _) = value(event);
        match self {
            Sockopt::Setsockopt(Set { group: Some(group), .. }) => {
                let Group { joins, address, device } = &**group;
                let device = device.as_deref().unwrap_or(lang.pick("any device", "任意设备"));
                match joins {
                    true => say!(
                        lang,
                        "joins {address} on {device}: this host now receives what is sent to the group",
                        "在 {device} 上加入 {address}：发给这个组的数据现在也到达本机",
                    ),
                    false => {
                        say!(lang, "leaves {address} on {device}", "在 {device} 上离开 {address}")
                    }
                }
            }
            Sockopt::Setsockopt(set) => option_set(&set.option, value, set.datagrams, lang),
            Sockopt::Getsockopt(Get { option, .. }) if value.is_empty() => {
                say!(lang, "{option} is empty", "{option} 为空")
            }
            Sockopt::Getsockopt(Get { option, .. }) => {
                let value = value_in(value, lang);
                say!(lang, "{option} is {value}", "{option} 的值：{value}")
            }
            Sockopt::Fcntl(fcntl) => fcntl.sentence(event, lang),
            Sockopt::Ioctl(ioctl) => ioctl.sentence(lang),
        }
    }

    fn failure(&self, errno: &str, _: &Event, lang: Lang) -> Option<Failure> {
        match (self, errno) {
            (Sockopt::Fcntl(_), "EINTR") => Some(Failure::Ordinary(interrupted(lang))),
            (
                Sockopt::Setsockopt(_)
                | Sockopt::Getsockopt(_)
                | Sockopt::Fcntl(_)
                | Sockopt::Ioctl(_),
                _,
            ) => None,
        }
    }

    fn asked(&self, on: String, event: &Event, lang: Lang) -> String {
        match self {
            Sockopt::Setsockopt(Set { option, datagrams, .. }) => {
                let value = value_in(value(event).0, lang);
                let of = if *datagrams && option == "SO_REUSEADDR" { OF_DATAGRAMS } else { "" };
                format!("{on} {option} {value}{of}").trim_end().to_owned()
            }
            Sockopt::Getsockopt(Get { option, .. }) => format!("{on} {option}"),
            Sockopt::Fcntl(fcntl) => format!("{on} {}", fcntl.short()),
            Sockopt::Ioctl(ioctl) => format!("{on} {}", ioctl.strace().0),
        }
    }

    fn answered(&self, event: &Event, lang: Lang) -> String {
        match self {
            Sockopt::Getsockopt(_) => value_in(event.value.as_deref().unwrap_or_default(), lang),
            Sockopt::Fcntl(Fcntl::Duplicate { .. }) => {
                format!("fd {}", event.ret.unwrap_or_default())
            }
            Sockopt::Ioctl(Ioctl::Readable(Some(bytes)) | Ioctl::Unsent(Some(bytes))) => {
                bytes.to_string()
            }
            Sockopt::Setsockopt(_) | Sockopt::Fcntl(_) | Sockopt::Ioctl(_) => number(event.ret),
        }
    }

    fn waits(&self) -> bool {
        match self {
            Sockopt::Fcntl(_) => true, // another process may hold the lock
            Sockopt::Setsockopt(_) | Sockopt::Getsockopt(_) | Sockopt::Ioctl(_) => false,
        }
    }

    fn waiting(&self, _: &Event, lang: Lang) -> Option<String> {
        match self {
            Sockopt::Fcntl(Fcntl::Lock(_)) => Some(say!(lang, "waiting for the lock", "等待锁")),
            Sockopt::Fcntl(_)
            | Sockopt::Setsockopt(_)
            | Sockopt::Getsockopt(_)
            | Sockopt::Ioctl(_) => None,
        }
    }

    fn moves(&self) -> Moves {
        match self {
            Sockopt::Fcntl(Fcntl::Duplicate { .. }) => Moves::Duplicates,
            Sockopt::Fcntl(_)
            | Sockopt::Setsockopt(_)
            | Sockopt::Getsockopt(_)
            | Sockopt::Ioctl(_) => Moves::Nothing,
        }
    }

    fn shows(&self) -> Shows {
        Shows::Nothing
    }

    fn acts_at_once(&self) -> bool {
        false
    }

    fn result(&self, ret: i64) -> String {
        match self {
            Sockopt::Fcntl(Fcntl::Duplicate { .. }) => ret.to_string(),
            Sockopt::Fcntl(_) if ret > 0 => format!("{ret:#x}"),
            _ => ret.to_string(),
        }
    }
}

fn option_set(name: &str, value: &str, datagrams: bool, lang: Lang) -> String {
    match (name, value) {
        ("SO_REUSEADDR", "1") if !datagrams => say!(
            lang,
            "SO_REUSEADDR on: the port can be reused right after a restart",
            "SO_REUSEADDR 打开：服务器重启后可以立刻再用这个端口",
        ),
        ("SO_REUSEADDR", "1") => say!(
            lang,
            "SO_REUSEADDR on: other datagram sockets that set it can share the port",
            "SO_REUSEADDR 打开：同样设置它的其他数据报套接字可以共用这个端口",
        ),
        ("SO_RCVTIMEO", "no limit") => {
            say!(
                lang,
                "SO_RCVTIMEO off: a receive has no time limit",
                "SO_RCVTIMEO 关闭：接收不限时间"
            )
        }
        ("SO_RCVTIMEO", _) => say!(
            lang,
            "SO_RCVTIMEO: a receive waits no longer than {value}",
            "SO_RCVTIMEO：一次接收最多等待 {value}",
        ),
        ("SO_SNDTIMEO", _) => say!(
            lang,
            "SO_SNDTIMEO: a send or connect waits no longer than {value}",
            "SO_SNDTIMEO：一次 send 或 connect 最多等待 {value}",
        ),
        ("IP_RECVTTL" | "IPV6_RECVHOPLIMIT", "1") => say!(
            lang,
            "{name} on: each packet brings the number of routers it could still have passed",
            "{name} 打开：每个包都带着它还能经过的路由器数",
        ),
        ("IP_RECVERR" | "IPV6_RECVERR", "1") => say!(
            lang,
            "{name} on: what happens to a packet on its way is kept in an error queue",
            "{name} 打开：包在途中遇到的错误保存在错误队列里",
        ),
        ("SO_BROADCAST", "1") => {
            say!(
                lang,
                "SO_BROADCAST on: it may send to a broadcast address",
                "SO_BROADCAST 打开：可以发往广播地址"
            )
        }
        ("IPV6_V6ONLY", "0") => say!(
            lang,
            "IPV6_V6ONLY off: it accepts IPv4 clients as well, as ::ffff: and their address",
            "IPV6_V6ONLY 关闭：也接受 IPv4 客户端，地址写作 ::ffff: 加上它们的地址",
        ),
        ("IPV6_V6ONLY", "1") => say!(
            lang,
            "IPV6_V6ONLY on: IPv6 only; another socket can have the port for IPv4",
            "IPV6_V6ONLY 打开：只用 IPv6；另一个套接字可以在 IPv4 上用同一端口",
        ),
        ("IP_MULTICAST_IF", device) => say!(
            lang,
            "IP_MULTICAST_IF: multicast leaves by the device with address {device}",
            "IP_MULTICAST_IF：组播从地址为 {device} 的设备发出",
        ),
        ("IPV6_MULTICAST_IF", device) => say!(
            lang,
            "IPV6_MULTICAST_IF: multicast leaves by device {device}",
            "IPV6_MULTICAST_IF：组播从设备 {device} 发出",
        ),
        ("IP_MULTICAST_TTL" | "IPV6_MULTICAST_HOPS", hops) => match hops {
            "0" => say!(lang, "{name}: multicast stays on this host", "{name}：组播不离开本机"),
            "1" => say!(
                lang,
                "{name}: multicast stays in the local network, no router forwards it",
                "{name}：组播留在本地网络，路由器不转发",
            ),
            _ => say!(
                lang,
                "{name} set to {hops}: each router takes one off",
                "{name} 设为 {hops}：每过一个路由器减一",
            ),
        },
        ("IP_MULTICAST_LOOP" | "IPV6_MULTICAST_LOOP", "0") => say!(
            lang,
            "{name} off: this host does not receive the multicast that it sends",
            "{name} 关闭：本机收不到自己发出的组播",
        ),
        ("SO_LINGER", "0 s") => say!(
            lang,
            "SO_LINGER on with a time of 0: close will send a reset instead of a FIN",
            "SO_LINGER 打开且时间为 0：close 将发送 RST 而不是 FIN",
        ),
        _ => say!(lang, "{name} set to {value}", "{name} 设为 {value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Call;

    #[test]
    fn an_option_is_told_by_its_value() {
        let set = |args: &str, value: &str| {
            let (call, syscall) = (Some("setsockopt".into()), Some("setsockopt".into()));
            let (args, value) = (Some(args.into()), Some(value.into()));
            let mut event = Event { call, syscall, args, value, ret: Some(0), ..Event::default() };
            event.what = Call::read(&event).into();
            event.sentence(Lang::En)
        };
        let timeout = set("3, SOL_SOCKET, SO_RCVTIMEO_OLD, \"...\", 16", "1.5 s");
        assert_eq!(timeout, "SO_RCVTIMEO: a receive waits no longer than 1.5 s");
        let reuse = "3, SOL_SOCKET, SO_REUSEADDR, [1], 4";
        assert!(!set(reuse, "1").contains("datagram"), "{}", set(reuse, "1"));
        assert!(set(reuse, "1, of a datagram socket").ends_with("can share the port"));
        assert!(option_set("SO_REUSEADDR", "1", true, Lang::En).ends_with("can share the port"));
        let linger = set("3, SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=0}, 8", "0 s");
        assert!(linger.contains("reset instead of a FIN"), "{linger}");
        let other = set("3, SOL_SOCKET, SO_KEEPALIVE, [1], 4", "1");
        assert_eq!(other, "SO_KEEPALIVE set to 1");
    }
}
