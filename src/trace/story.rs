//! The story: a sentence a call, in a learner's words.
//!
//! ```text
//! 10:29:31.456 server  accept       3  client 127.0.0.1:40312 is connected: its socket is fd 4  [waited 2.333 s]
//! 10:29:31.456 server  recv         4  5 bytes: "hello"
//! 10:29:31.457 server  send         4  the kernel took 34 of 34 bytes: "[Sun Nov 22 10:29:31 2026] : hello"
//! ```

use std::ops::Range;

use anstyle::{AnsiColor, Style};
use nix::errno::Errno;

use super::{Event, Kind};
use crate::call::strerror;
use crate::columns::{width, wrap};
use crate::escape::{escape_unicode, grouped};

/// How to tell it.
#[derive(Debug, Clone)]
pub struct Story {
    /// 0: sentences; 1: also the call as strace prints it; 2: also the state of the socket.
    pub detail: u8,
    /// Whether colours may be used. They only repeat what the words say.
    pub color: bool,
    /// Whether to keep to ASCII: a peer's other characters are escaped.
    pub ascii: bool,
    /// Where the time column starts.
    pub clock: Clock,
}

/// What the time column shows.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The time of day at which the call returned.
    Wall,
    /// Seconds from this time of CLOCK_MONOTONIC, in nanoseconds, to the event's [moment](Event::moment).
    Since(u64),
}

/// One of two columns side by side, as wide as a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    /// Clients are told right, servers left.
    pub right: bool,
    /// Who speaks, where the column has more than one: `A`.
    pub name: &'a str,
    /// How many columns the terminal has, both of these and the time together.
    pub terminal: usize,
}

/// A run of calls that all say the same: the first is told, the others are counted.
#[derive(Debug, Default)]
pub struct Fold {
    /// Whether a bar shows how many bytes move: then calls that move them are such a run, too.
    pub bar: bool,
    run: Option<Run>,
    told: u64,
    more: u64,
    bytes: u64,
    since: u64,
    until: u64,
}

/// What the calls of a run have in common.
#[derive(Debug, PartialEq)]
enum Run {
    /// Nothing was ready for them.
    Eagain,
    /// The same call moved bytes, over the same descriptor.
    Moved(String, Option<i32>),
}

impl Run {
    fn of(event: &Event, bar: bool) -> Option<Run> {
        match (event.errno.as_deref(), event.bytes) {
            (Some("EAGAIN"), _) => Some(Run::Eagain),
            (None, Some(1..)) if bar => Some(Run::Moved(event.call.clone()?, event.fd)),
            _ => None,
        }
    }

    fn name(&self) -> &str {
        match self {
            Run::Eagain => "EAGAIN",
            Run::Moved(call, _) => call,
        }
    }

    /// How many of them are told: a loop is seen to be one by its third turn.
    fn first(&self) -> u64 {
        match self {
            Run::Eagain => 1,
            Run::Moved(..) => 3,
        }
    }
}

impl Story {
    /// The lines for one event of one thread, each with its line end; `lane` says whose it is.
    ///
    /// Of a run the first calls are told; the line after it counts the others. `-vv` tells all.
    #[must_use]
    pub fn lines(&self, fold: &mut Fold, event: &Event, lane: &str) -> String {
        self.told(fold, event, |event| self.line(event, lane))
    }

    /// The same in a column, with sentences broken where it ends.
    #[must_use]
    pub fn lines_in(&self, fold: &mut Fold, event: &Event, column: Column<'_>) -> String {
        self.told(fold, event, |event| self.line_in(event, column))
    }

    /// What stands above the two columns.
    #[must_use]
    pub fn heading(&self, terminal: usize) -> String {
        let head = |text: &str| vec![(Style::new().bold(), text.to_owned())];
        let time = match self.clock {
            Clock::Wall => format!("{:12}", "time"),
            Clock::Since(_) => format!("{:>8}", "s"),
        };
        let wide = column_width(&time, terminal);
        let server = format!("server{}", " ".repeat(wide - "server".len()));
        let line = format!(
            "{} {}",
            self.paint(Style::new().dimmed(), &time),
            self.spans(&head(&server), 0..wide)
        );
        format!("{line}{}{}\n", self.gap(None), self.spans(&head("clients"), 0.."clients".len()))
    }

    /// Tells an event by `line`, and what it ends of a run.
    fn told(&self, fold: &mut Fold, event: &Event, line: impl Fn(&Event) -> String) -> String {
        let run = Run::of(event, fold.bar).filter(|_| self.detail < 2);
        let mut lines = String::new();
        if run != fold.run {
            lines = folded(fold, event).map(|run| line(&run)).unwrap_or_default();
            *fold = Fold { bar: fold.bar, run, ..Fold::default() };
        }
        let end = event.start_ns + event.dur_ns;
        match &fold.run {
            Some(run) if fold.told == run.first() => {
                fold.more += 1;
                fold.bytes += event.bytes.unwrap_or_default();
                fold.until = end;
                lines
            }
            _ => {
                fold.told += 1;
                fold.since = end;
                lines + &line(event)
            }
        }
    }

    fn time(&self, event: &Event) -> String {
        match self.clock {
            Clock::Wall => wall_time(event),
            Clock::Since(zero) => {
                let ns = event.moment().saturating_sub(zero);
                format!("{:8.3}", ns as f64 / 1e9)
            }
        }
    }

    /// What happened, and how it looks.
    fn words(&self, event: &Event) -> (Style, String) {
        let failed = event.ret == Some(-1) && !is_ordinary(event);
        let style = if failed { AnsiColor::Red.on_default() } else { Style::new() };
        let text = match event.kind {
            Kind::Note => event.text.clone().unwrap_or_default(),
            Kind::Call => sentence(event),
            Kind::Submit => submission(event),
            Kind::Complete => completion(event),
        };
        (style, self.shown(text))
    }

    /// The text in the characters that can be shown.
    fn shown(&self, text: String) -> String {
        if self.ascii { escape_unicode(&text) } else { text }
    }

    fn line(&self, event: &Event, lane: &str) -> String {
        let time = self.time(event);
        let role = role(event);
        let dim = Style::new().dimmed();
        let (words, text) = self.words(event);
        let head =
            format!("{} {}", self.paint(dim, &time), self.paint(role, &format!("{lane:<8}")));
        let mut lines = match event.kind {
            Kind::Note => format!("{head} {}\n", self.paint(dim, &format!("-- {text}"))),
            Kind::Call | Kind::Submit | Kind::Complete => {
                let call = event.call.as_deref().unwrap_or_default();
                let fd = fd_column(event);
                let call = self.paint(Style::new().bold(), &format!("{call:<11}"));
                let text = self.paint(words, &text);
                let waited = match waited(event) {
                    Some(waited) => self.paint(dim, &format!("  [waited {waited}]")),
                    None => String::new(),
                };
                format!("{head} {call} {fd:>3}  {text}{waited}\n")
            }
        };
        if self.detail > 0 && event.kind == Kind::Call {
            let indent = " ".repeat(time.len() + 1 + lane.len().max(8) + 1);
            for detail in self.details(event) {
                lines += &format!("{indent}{}\n", self.paint(dim, &detail));
            }
        }
        lines
    }

    /// What `-v` and `-vv` add to a call.
    fn details(&self, event: &Event) -> Vec<String> {
        let now = event.state.as_ref().map(|state| format!("now: {state}"));
        [self.shown(strace(event))].into_iter().chain(now).collect()
    }

    /// A line of two columns, and more as they are needed:
    ///
    /// ```text
    ///    0.032 accept(3)  client 127.0.0.1:40312  │
    ///            is connected: its socket is fd 4 │
    ///    0.033                                    ← A send(3)  the kernel took 5 of 5
    ///                                             │   bytes: "hello"
    /// ```
    fn line_in(&self, event: &Event, column: Column<'_>) -> String {
        let dim = Style::new().dimmed();
        let time = self.time(event);
        let wide = column_width(&time, column.terminal);
        let (words, text) = self.words(event);
        let mut said = Vec::new();
        if !column.name.is_empty() {
            said.push((role(event), format!("{} ", column.name)));
        }
        match event.kind {
            Kind::Note => said.push((dim, format!("-- {text}"))),
            Kind::Call | Kind::Submit | Kind::Complete => {
                let call = event.call.as_deref().unwrap_or_default();
                said.push((Style::new().bold(), call.to_owned()));
                let fd = fd_column(event);
                let fd = if fd == "-" { String::new() } else { format!("({fd})") };
                said.push((words, format!("{fd}  {text}")));
                if let Some(waited) = waited(event) {
                    said.push((dim, format!("  [waited {waited}]")));
                }
            }
        }
        let mut lines = self.broken(&said, wide, 0);
        if self.detail > 0 && event.kind == Kind::Call {
            for detail in self.details(event) {
                lines.extend(self.broken(&[(dim, detail)], wide, 2));
            }
        }
        let mut text = String::new();
        for (i, (line, used)) in lines.into_iter().enumerate() {
            let time = if i == 0 { &time } else { "" };
            let time = format!("{time:>0$} ", self.time(event).len());
            let gap = self.gap((i == 0).then_some(event).filter(|event| crosses(event)));
            let rest = " ".repeat(wide - used);
            text += &self.paint(dim, &time);
            text += &match column.right {
                true => format!("{}{gap}{line}\n", " ".repeat(wide)),
                false => format!("{line}{rest}{}\n", gap.trim_end()),
            };
        }
        text
    }

    /// What stands between two columns: a line, or the way that bytes have just gone.
    fn gap(&self, crosses: Option<&Event>) -> String {
        match (crosses.map(|event| event.role == "server"), self.ascii) {
            (None, false) => " │ ",
            (None, true) => " | ",
            (Some(true), false) => " → ",
            (Some(true), true) => " > ",
            (Some(false), false) => " ← ",
            (Some(false), true) => " < ",
        }
        .to_owned()
    }

    /// The lines of a text in a column of this width, with their widths. The first is indented by `indent`,
    /// the others by two more.
    fn broken(
        &self,
        spans: &[(Style, String)],
        wide: usize,
        indent: usize,
    ) -> Vec<(String, usize)> {
        let text: String = spans.iter().map(|(_, text)| text.as_str()).collect();
        let lines = wrap(&text, wide - indent, wide - indent - 2).into_iter().enumerate();
        lines
            .map(|(i, at)| {
                let indent = if i == 0 { indent } else { indent + 2 };
                let used = indent + width(&text[at.clone()]);
                (" ".repeat(indent) + &self.spans(spans, at), used)
            })
            .collect()
    }

    /// A part of a text of several styles.
    fn spans(&self, spans: &[(Style, String)], part: Range<usize>) -> String {
        let mut painted = String::new();
        let mut start = 0;
        for (style, text) in spans {
            let from = part.start.clamp(start, start + text.len()) - start;
            let to = part.end.clamp(start, start + text.len()) - start;
            if from < to {
                painted += &self.paint(*style, &text[from..to]);
            }
            start += text.len();
        }
        painted
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// The note that ends a run; none if all of it was told.
fn folded(fold: &Fold, event: &Event) -> Option<Event> {
    let run = fold.run.as_ref().filter(|_| fold.more > 0)?;
    let times = if fold.more == 1 { "time" } else { "times" };
    let time = duration(fold.until.saturating_sub(fold.since));
    let mut text = format!("... {} {} more {times} in {time}", run.name(), grouped(fold.more));
    if fold.bytes > 0 {
        text += &format!(": {}", count(fold.bytes));
    }
    // Its time is that of the event, before which it is told: lines stand in the order of time.
    Some(Event { kind: Kind::Note, text: Some(text), ..event.clone() })
}

fn role(event: &Event) -> Style {
    match event.role.as_str() {
        "server" => AnsiColor::Cyan.on_default(),
        _ => AnsiColor::Green.on_default(),
    }
}

/// Each of two columns has this width, beside the time and with three columns between them.
fn column_width(time: &str, terminal: usize) -> usize {
    (terminal.saturating_sub(time.len() + 1 + 3) / 2).max(10)
}

/// Whether something has just left for the other side: that it arrives, nobody knows yet.
fn crosses(event: &Event) -> bool {
    let sends = ["send", "sendto", "sendfile", "connect"];
    let something = event.call.as_deref() == Some("connect") || event.bytes > Some(0);
    event.errno.is_none() && something && sends.contains(&event.call.as_deref().unwrap_or_default())
}

/// The call as strace prints it: `recvfrom(4, "hello", 1024, 0, NULL, NULL) = 5`.
#[must_use]
pub fn strace(event: &Event) -> String {
    let syscall = event.syscall.as_deref().unwrap_or_default();
    let args = event.args.as_deref().unwrap_or_default();
    let ret = match (event.call.as_deref(), event.ret) {
        (Some("fcntl"), Some(flags @ 1..)) => format!("{flags:#x}"),
        (_, ret) => ret.unwrap_or_default().to_string(),
    };
    let errno = match &event.errno {
        Some(name) => format!(" {name} ({})", describe(name)),
        None => String::new(),
    };
    let out = event.out.as_ref().map(|out| format!(" {out}")).unwrap_or_default();
    format!("{syscall}({args}) = {ret}{errno}{out}")
}

fn submission(event: &Event) -> String {
    let shots = match event.args.as_deref().is_some_and(|args| args.contains("multishot")) {
        true => ", for many answers",
        false => "",
    };
    format!(
        "operation {} is written into the ring{shots}; the kernel does not know of it yet",
        number(event)
    )
}

fn completion(event: &Event) -> String {
    let state = if goes_on(event) { "has an answer, and goes on" } else { "is done" };
    format!("operation {} {state}: {}", number(event), sentence(event))
}

/// Whether more answers of this operation will come.
fn goes_on(event: &Event) -> bool {
    event.args.as_deref().is_some_and(|args| args.contains("IORING_CQE_F_MORE"))
}

/// The number of an operation.
fn number(event: &Event) -> u64 {
    event.user_data.unwrap_or_default()
}

/// What the call did, in a sentence without a full stop.
#[must_use]
pub fn sentence(event: &Event) -> String {
    let call = event.call.as_deref().unwrap_or_default();
    if let Some(errno) = &event.errno {
        return failure(call, errno, event);
    }
    let args = event.args.as_deref().unwrap_or_default();
    let ret = event.ret.unwrap_or_default();
    let local = event.local.as_deref().unwrap_or("an address that was not asked for");
    let peer = event.peer.as_deref().unwrap_or("its peer");
    let peer = peer.strip_suffix(":0").unwrap_or(peer); // nobody has port 0: over ICMP it stands for none
    let bytes = event.bytes.unwrap_or_default();
    let data = event.data.as_deref().unwrap_or_default();
    let asked = event.asked.unwrap_or(bytes);
    let value = event.value.as_deref().unwrap_or_default();
    let shown = shown(data, bytes, event.hidden);
    match call {
        "socket" => format!("a new {} socket: no address yet, no peer", kind_of_socket(args)),
        "setsockopt" if args.contains("MEMBERSHIP, {") => membership(args),
        "setsockopt" => option_set(option_name(args), value),
        "getsockopt" if value.is_empty() => format!("{} is empty", option_name(args)),
        "getsockopt" => format!("{} is {value}", option_name(args)),
        "bind" if local.ends_with(":0") => {
            format!(
                "its address is {}, and a free port that the kernel chooses",
                &local[..local.len() - 2]
            )
        }
        "bind" => format!("its address is {local}"),
        "listen" => {
            // Linux compares with "more than": one more than the backlog may wait. And net.core.somaxconn
            // may be smaller.
            let backlog = args.split(", ").nth(1).and_then(|backlog| backlog.parse::<i32>().ok());
            let most = backlog.and_then(|backlog| u32::try_from(backlog).ok()).map(|n| n + 1);
            let most = most.map_or_else(|| " them".to_owned(), |n| format!(" up to {n}"));
            format!("it listens: the kernel connects clients, and lets{most} wait for accept")
        }
        "accept" if peer == "(unnamed)" || event.peer.is_none() => {
            format!("a client is connected: its socket is fd {ret}")
        }
        "accept" => {
            let over = over_ipv4(peer);
            format!("client {peer} is connected{over}: its socket is fd {ret}")
        }
        "connect" => format!("connected to {peer}"),
        "recv" if ret == 0 => "0 bytes: the end, nothing more will come".to_owned(),
        "recv" => format!("{}: {shown}", count(bytes)),
        "recvfrom" if event.peer.is_none() => "no datagram: the socket was shut down".to_owned(),
        "recvfrom" if asked > bytes => format!(
            "a datagram of {} from {peer}, cut to {bytes}: the rest did not fit and is gone: {shown}",
            count(asked)
        ),
        "recvfrom" => {
            format!("a datagram of {} from {peer}{}: {shown}", count(bytes), over_ipv4(peer))
        }
        "recvmsg" if ret == 0 && event.peer.is_none() => {
            "0 bytes: the end, nothing more will come".to_owned()
        }
        "recvmsg" if args.contains("MSG_ERRQUEUE") => {
            format!(
                "from the error queue: {} sent to {peer} came to nothing: {shown}",
                count(bytes)
            )
        }
        "recvmsg" => match &event.peer {
            Some(_) => format!("{} from {peer}: {shown}{}", count(bytes), beside(args)),
            None => format!("{}: {shown}{}", count(bytes), beside(args)),
        },
        "send" => format!("the kernel took {} of {}: {shown}", grouped(bytes), count(asked)),
        "sendto" => format!("a datagram of {} to {peer}: {shown}", count(bytes)),
        "sendfile" if ret == 0 => "0 bytes: the end of the file".to_owned(),
        "sendfile" => {
            format!("{} from the file to the socket, past this program", count(bytes))
        }
        "splice" if ret == 0 => "0 bytes: the end".to_owned(),
        "splice" => format!("{} moved inside the kernel, past this program", count(bytes)),
        "sync_file_range" => "the kernel begins to write the file to the disk".to_owned(),
        "shutdown" if args.ends_with("SHUT_WR") => {
            "this end will send no more: the peer's recv returns 0 after the last byte".to_owned()
        }
        "shutdown" if args.ends_with("SHUT_RD") => "this end will receive no more".to_owned(),
        "shutdown" => "both directions end: whoever waits on it is woken".to_owned(),
        "close" => "the descriptor is given back".to_owned(),
        "getsockname" => format!("this end is {local}"),
        "getpeername" => format!("the other end is {peer}"),
        "fcntl" if args.contains("FASYNC") && args.contains("F_SETFL") => {
            "from now on SIGIO tells when something happens here; and it is non-blocking".to_owned()
        }
        "fcntl" if args.contains("O_NONBLOCK") && args.contains("F_SETFL") => {
            "non-blocking from now on: a call that would wait fails with EAGAIN".to_owned()
        }
        "fcntl" if args.contains("F_SETOWN") => {
            format!("its signals go to process {}", args.split(", ").nth(2).unwrap_or_default())
        }
        "fcntl" if args.contains("F_SETLKW") && args.contains("F_UNLCK") => {
            "the lock is given back: one of those that wait for it gets it".to_owned()
        }
        "fcntl" if args.contains("F_SETLKW") => {
            "the lock is this process's: the others wait until it is given back".to_owned()
        }
        "fcntl" => {
            let flags = event.out.as_deref().unwrap_or_default();
            format!("its flags are {}", flags.trim_matches(['(', ')']).trim_start_matches("flags "))
        }
        "epoll_create" => "a list of interest in the kernel, empty so far".to_owned(),
        "epoll_ctl" => list_changed(args),
        "sigprocmask" => {
            let (_, signals) = args.split_once('[').unwrap_or_default();
            let signals = signals.split(']').next().unwrap_or_default();
            format!("SIG{signals} is held back: it waits until the program asks for it")
        }
        "sigtimedwait" => {
            let signal = event.out.as_deref().unwrap_or_default().trim_matches(['(', ')']);
            format!("{signal} has come: something happened; what, the program must find out")
        }
        "io_uring_setup" => {
            let room = |name: &str| {
                let (_, rest) = args.split_once(name).unwrap_or_default();
                rest.split(',').next().unwrap_or_default().to_owned()
            };
            format!(
                "two rings shared with the kernel: submissions (room for {}), completions ({})",
                room("sq_entries="),
                room("cq_entries=")
            )
        }
        "io_uring_register" => {
            let (_, entries) = args.split_once("ring_entries=").unwrap_or_default();
            let room = entries.split(',').next().unwrap_or_default();
            format!(
                "a heap with room for {room} buffers: the kernel takes one when bytes have come"
            )
        }
        "cancel" => "the operation that it names ends".to_owned(),
        "io_uring_enter" => {
            let waits_for = args.split(", ").nth(2).unwrap_or_default();
            match (ret, waits_for) {
                (0, "0") => "the kernel took no operation".to_owned(),
                (0, n) => format!("completions are there: it waited for {n}"),
                (n, "0") => format!("the kernel took {} to do; nobody waits", operations(n)),
                (n, m) => format!("the kernel took {}, and it waited for {m}", operations(n)),
            }
        }
        "select" | "poll" | "ppoll" | "epoll_wait" => {
            ready(event.ready.as_deref().unwrap_or_default())
        }
        "fork" => format!("a child process, {ret}: from here on there are two"),
        "waitpid" if ret == 0 => "no child has ended".to_owned(),
        "waitpid" => format!("child process {ret} is reaped: {}", ending(args)),
        "kill" => format!(
            "{} goes to process {}",
            args.split(", ").nth(1).unwrap_or_default(),
            args.split(", ").next().unwrap_or_default()
        ),
        _ => format!("returned {ret}"),
    }
}

fn failure(call: &str, errno: &str, event: &Event) -> String {
    let why = match (call, errno) {
        ("sigtimedwait", "EAGAIN") => return "no signal came in time (EAGAIN)".to_owned(),
        ("recv" | "accept" | "recvfrom" | "recvmsg" | "splice", "EAGAIN") => {
            return "nothing has arrived yet (EAGAIN)".to_owned();
        }
        ("send" | "sendto" | "sendfile", "EAGAIN") => {
            return "the send buffer is full (EAGAIN)".to_owned();
        }
        ("connect", "EINPROGRESS") => {
            return format!(
                "the handshake with {} is not finished yet (EINPROGRESS)",
                event.peer.as_deref().unwrap_or("its peer")
            );
        }
        (
            "accept" | "fcntl" | "select" | "poll" | "ppoll" | "epoll_wait" | "sigtimedwait"
            | "io_uring_enter",
            "EINTR",
        ) => {
            return "a signal ended the wait (EINTR)".to_owned();
        }
        ("io_uring_enter", "ETIME") => return "nothing was done in time (ETIME)".to_owned(),
        ("cancel", "ENOENT" | "EALREADY") => {
            return format!("the operation that it names has ended already ({errno})");
        }
        (_, "ECANCELED") => return "it was cancelled (ECANCELED)".to_owned(),
        ("recv", "ENOBUFS") => return "no buffer is left to put bytes into (ENOBUFS)".to_owned(),
        ("io_uring_setup", "ENOSYS") => "; this kernel has no io_uring",
        ("io_uring_setup", "EPERM") => "; io_uring is switched off or forbidden here",
        ("accept", "EINVAL") => return "the listener was shut down (EINVAL)".to_owned(),
        ("shutdown", "ENOTCONN") => {
            return "nobody is connected (ENOTCONN); whoever waits on it is woken".to_owned();
        }
        ("waitpid", "ECHILD") => return "there are no children (ECHILD)".to_owned(),
        ("accept", "EMFILE") => "; the client waits in the listener's queue",
        ("send", "EPIPE") => "; the connection is over",
        ("recv" | "send", "ECONNRESET") => "; the peer ended it by force",
        ("connect", "ECONNREFUSED") => "; nobody listens there",
        ("recvfrom" | "recv", "ECONNREFUSED") => "; an earlier datagram found nobody",
        ("bind", "EADDRINUSE") => "; somebody has this address",
        _ => "",
    };
    let at = match (call, &event.local, &event.peer) {
        ("bind", Some(address), _) | ("connect" | "sendto", _, Some(address)) => {
            format!("{address}: ")
        }
        _ => String::new(),
    };
    format!("{at}{} ({errno}){why}", describe(errno))
}

/// A result that only looks like a failure.
#[must_use]
pub fn is_ordinary(event: &Event) -> bool {
    matches!(
        (event.call.as_deref().unwrap_or_default(), event.errno.as_deref().unwrap_or_default()),
        (_, "EAGAIN" | "EINTR")
            | ("accept", "EINVAL")
            | ("connect", "EINPROGRESS")
            | ("shutdown", "ENOTCONN")
            | ("waitpid", "ECHILD")
            | ("io_uring_enter", "ETIME")
            | ("recv", "ENOBUFS")
            | ("cancel", "ENOENT" | "EALREADY")
            | (_, "ECANCELED")
    )
}

/// `Address already in use` for `EADDRINUSE`.
pub(crate) fn describe(name: &str) -> String {
    let known = (1..=133).map(Errno::from_raw).find(|errno| format!("{errno:?}") == name);
    known.map_or("an error this program has no words for".to_owned(), strerror)
}

/// `TCP (IPv4)`, from the arguments of `socket`.
pub(crate) fn kind_of_socket(args: &str) -> &'static str {
    let udp = args.contains("SOCK_DGRAM");
    let icmp = args.contains("IPPROTO_ICMP");
    match args.split(", ").next().unwrap_or_default() {
        "AF_INET" if icmp && udp => "ICMP (IPv4)",
        "AF_INET" if icmp => "raw ICMP (IPv4)",
        "AF_INET6" if icmp && udp => "ICMP (IPv6)",
        "AF_INET6" if icmp => "raw ICMP (IPv6)",
        "AF_INET" if udp => "UDP (IPv4)",
        "AF_INET" => "TCP (IPv4)",
        "AF_INET6" if udp => "UDP (IPv6)",
        "AF_INET6" => "TCP (IPv6)",
        "AF_UNIX" if udp => "UNIX datagram",
        "AF_UNIX" => "UNIX stream",
        _ => "raw",
    }
}

/// The third argument of setsockopt and getsockopt, as the manual spells it.
pub(crate) fn option_name(args: &str) -> &str {
    args.split(", ").nth(2).unwrap_or_default().trim_end_matches("_OLD")
}

fn option_set(name: &str, value: &str) -> String {
    match (name, value) {
        ("SO_REUSEADDR", "1") => {
            "SO_REUSEADDR on: after a restart the port can be had again at once".to_owned()
        }
        ("SO_REUSEADDR", "1, of a datagram socket") => {
            "SO_REUSEADDR on: other datagram sockets that set it can share the port".to_owned()
        }
        ("SO_RCVTIMEO", "no limit") => {
            "SO_RCVTIMEO off: a receive waits as long as it takes".to_owned()
        }
        ("SO_RCVTIMEO", _) => format!("SO_RCVTIMEO: a receive waits no longer than {value}"),
        ("SO_SNDTIMEO", _) => {
            format!("SO_SNDTIMEO: a send or connect waits no longer than {value}")
        }
        ("IP_RECVTTL" | "IPV6_RECVHOPLIMIT", "1") => {
            format!("{name} on: each packet comes with the routers that it could still have passed")
        }
        ("IP_RECVERR" | "IPV6_RECVERR", "1") => {
            format!("{name} on: what becomes of a packet on its way is kept in an error queue")
        }
        ("SO_BROADCAST", "1") => "SO_BROADCAST on: it may send to everybody".to_owned(),
        ("IPV6_V6ONLY", "0") => {
            "IPV6_V6ONLY off: IPv4 clients come, too, as ::ffff: and their address".to_owned()
        }
        ("IPV6_V6ONLY", "1") => {
            "IPV6_V6ONLY on: IPv6 only; another socket can have the port for IPv4".to_owned()
        }
        ("IP_MULTICAST_IF", device) => {
            format!("IP_MULTICAST_IF: multicast leaves by the device that has {device}")
        }
        ("IPV6_MULTICAST_IF", device) => {
            format!("IPV6_MULTICAST_IF: multicast leaves by device {device}")
        }
        ("IP_MULTICAST_TTL" | "IPV6_MULTICAST_HOPS", hops) => match hops {
            "0" => format!("{name}: multicast stays in this machine"),
            "1" => format!("{name}: multicast stays in the local network, no router passes it on"),
            _ => format!("{name} is asked to be {hops}: each router takes one off"),
        },
        ("IP_MULTICAST_LOOP" | "IPV6_MULTICAST_LOOP", "0") => {
            format!("{name} off: this machine is not to hear the multicast that it sends")
        }
        ("SO_LINGER", "0 s") => {
            "SO_LINGER on with no time: close will send a reset instead of a FIN".to_owned()
        }
        _ => format!("{name} is asked to be {value}"),
    }
}

/// What an IPv6 socket means by `[::ffff:127.0.0.1]:40312`.
fn over_ipv4(peer: &str) -> &'static str {
    if peer.starts_with("[::ffff:") { " over IPv4" } else { "" }
}

/// Which group was joined or left, and where: `{imr_multiaddr=inet_addr("239.0.0.1"), …}`.
fn membership(args: &str) -> String {
    let mut quoted = args.split('"').skip(1).step_by(2).filter(|word| !word.is_empty());
    let (group, device) =
        (quoted.next().unwrap_or_default(), quoted.next().unwrap_or("any device"));
    match args.contains("_ADD_") {
        true => {
            format!("it joins {group} at {device}: what is sent to the group arrives here, too")
        }
        false => format!("it leaves {group} at {device}"),
    }
}

/// What epoll_ctl did: `4, EPOLL_CTL_ADD, 3, {events=EPOLLIN, …}`.
fn list_changed(args: &str) -> String {
    let mut words = args.split(", ").skip(1);
    let (op, fd) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (_, events) = args.split_once("events=").unwrap_or_default();
    let events = events.split(',').next().unwrap_or_default();
    match op {
        "EPOLL_CTL_ADD" => format!("fd {fd} is on the list now, for {events}"),
        "EPOLL_CTL_MOD" => format!("of fd {fd} it wants {events} now"),
        _ => format!("fd {fd} is off the list"),
    }
}

/// What recvmsg knows beside the bytes.
fn beside(args: &str) -> &'static str {
    match args {
        _ if args.contains("SO_TIMESTAMPNS") => ", and the time of its arrival",
        _ if args.contains("cmsg_type=IP_TTL") => ", and its time to live",
        _ if args.contains(&format!("SOL_IPV6, cmsg_type={:#x}", libc::IPV6_HOPLIMIT)) => {
            ", and its hop limit"
        }
        _ => "",
    }
}

fn operations(n: i64) -> String {
    if n == 1 { "1 operation".to_owned() } else { format!("{n} operations") }
}

/// `3 POLLIN, 4 POLLIN|POLLHUP` or `3 read, 4 write` in words.
fn ready(list: &str) -> String {
    if list.is_empty() {
        return "nothing became ready in time".to_owned();
    }
    let each = |entry: &str| {
        let (fd, what) = entry.split_once(' ').unwrap_or((entry, ""));
        let meanings: Vec<&str> = what.split('|').map(meaning).collect();
        format!("fd {fd} {what} ({})", meanings.join(", "))
    };
    let entries: Vec<String> = list.split(", ").map(each).collect();
    format!("ready: {}", entries.join("; "))
}

/// What an event of a wait means (poll(2)).
fn meaning(event: &str) -> &'static str {
    match event {
        "read" | "POLLIN" | "EPOLLIN" => "something has arrived",
        "write" | "POLLOUT" | "EPOLLOUT" => "the kernel takes bytes again",
        "POLLPRI" | "EPOLLPRI" => "urgent data",
        "POLLERR" | "EPOLLERR" => "an error is pending",
        "POLLHUP" | "EPOLLHUP" => "both directions have ended",
        "POLLNVAL" => "no open descriptor",
        "EPOLLRDHUP" => "the peer will send no more",
        _ => "an event",
    }
}

/// How a child ended, from strace's words for its status.
fn ending(args: &str) -> String {
    let number = |of: &str| {
        args.split_once(of).map(|(_, rest)| rest.split("}").next().unwrap_or_default().to_owned())
    };
    match (number("WEXITSTATUS(s) == "), number("WTERMSIG(s) == ")) {
        (Some(code), _) => format!("it exited with {code}"),
        (None, Some(signal)) => format!("{signal} ended it"),
        _ => "it ended".to_owned(),
    }
}

fn count(bytes: u64) -> String {
    if bytes == 1 { "1 byte".to_owned() } else { format!("{} bytes", grouped(bytes)) }
}

fn shown(data: &str, bytes: u64, hidden: Option<u64>) -> String {
    let more = if bytes > 64 { "..." } else { "" };
    let hidden = hidden.map(|hidden| format!(" ({hidden} hidden)")).unwrap_or_default();
    format!("\"{data}\"{more}{hidden}")
}

/// How long the call waited, if that is worth telling: from a millisecond on.
fn waited(event: &Event) -> Option<String> {
    (event.dur_ns >= 1_000_000 && is_wait(event)).then(|| duration(event.dur_ns))
}

/// Whether it is a call that waits for others.
#[must_use]
pub fn is_wait(event: &Event) -> bool {
    const WAITS: [&str; 14] = [
        "accept",
        "connect",
        "fcntl",
        "recv",
        "recvfrom",
        "recvmsg",
        "send",
        "select",
        "poll",
        "ppoll",
        "epoll_wait",
        "waitpid",
        "sigtimedwait",
        "io_uring_enter",
    ];
    // A second answer has not waited since the submission, but since the first one.
    WAITS.contains(&event.call.as_deref().unwrap_or_default()) && !goes_on(event)
}

fn duration(ns: u64) -> String {
    match ns {
        0..10_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        10_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{:.3} s", ns as f64 / 1e9),
    }
}

fn fd_column(event: &Event) -> String {
    let fd = match event.call.as_deref() {
        Some("socket" | "epoll_create" | "io_uring_setup") if event.errno.is_none() => {
            event.ret.map(|fd| fd as i32)
        }
        _ => event.fd,
    };
    fd.map_or("-".to_owned(), |fd| fd.to_string())
}

/// `10:29:31.456`, when the call returned.
fn wall_time(event: &Event) -> String {
    let start = chrono::DateTime::parse_from_rfc3339(&event.wall);
    let end = start.map(|start| start + chrono::TimeDelta::nanoseconds(event.dur_ns as i64));
    end.map_or_else(|_| "-".repeat(12), |end| end.format("%H:%M:%S%.3f").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eagain(at: u64) -> Event {
        Event {
            role: "server".into(),
            call: Some("recv".into()),
            fd: Some(4),
            ret: Some(-1),
            errno: Some("EAGAIN".into()),
            start_ns: at,
            ..Event::default()
        }
    }

    #[test]
    fn a_run_of_eagains_is_told_once_and_counted() {
        let story = Story { detail: 0, color: false, ascii: true, clock: Clock::Since(0) };
        let mut fold = Fold::default();
        assert_eq!(story.lines(&mut fold, &eagain(0), "server").lines().count(), 1);
        for at in 1..=1234 {
            assert_eq!(story.lines(&mut fold, &eagain(at * 1_000_000), "server"), "");
        }
        let bytes = Event { errno: None, ret: Some(5), bytes: Some(5), ..eagain(1_300_000_000) };
        let lines = story.lines(&mut fold, &bytes, "server");
        assert!(lines.contains("EAGAIN 1,234 more times in 1.234 s"), "{lines}");
        assert_eq!(lines.lines().count(), 2);
    }

    #[test]
    fn beside_a_bar_a_run_of_bytes_is_told_thrice_and_counted() {
        let moved = |at: u64, bytes: u64| Event {
            errno: None,
            bytes: (bytes > 0).then_some(bytes),
            ret: Some(bytes as i64),
            ..eagain(at)
        };
        for (bar, detail, told) in [(false, 0, 1004), (true, 2, 2008), (true, 0, 5), (true, 1, 9)] {
            let story = Story { detail, color: false, ascii: true, clock: Clock::Since(0) };
            let mut fold = Fold { bar, ..Fold::default() };
            let mut lines = String::new();
            for at in 0..1003 {
                lines += &story.lines(&mut fold, &moved(at * 1_000_000, 65_536), "client");
            }
            lines += &story.lines(&mut fold, &moved(2_000_000_000, 0), "client");
            assert_eq!(lines.lines().count(), told, "{lines}");
            let counted = lines.contains("... recv 1,000 more times in 1.000 s: 65,536,000 bytes");
            assert_eq!(counted, told < 10, "{lines}");
        }
    }

    #[test]
    fn an_option_is_told_by_its_value() {
        let set = |args: &str, value: &str| {
            let (call, syscall) = (Some("setsockopt".into()), Some("setsockopt".into()));
            let (args, value) = (Some(args.into()), Some(value.into()));
            sentence(&Event { call, syscall, args, value, ret: Some(0), ..Event::default() })
        };
        let timeout = set("3, SOL_SOCKET, SO_RCVTIMEO_OLD, \"...\", 16", "1.5 s");
        assert_eq!(timeout, "SO_RCVTIMEO: a receive waits no longer than 1.5 s");
        let reuse = "3, SOL_SOCKET, SO_REUSEADDR, [1], 4";
        assert!(!set(reuse, "1").contains("datagram"), "{}", set(reuse, "1"));
        assert!(set(reuse, "1, of a datagram socket").ends_with("can share the port"));
        let linger = set("3, SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=0}, 8", "0 s");
        assert!(linger.contains("reset instead of a FIN"), "{linger}");
        let other = set("3, SOL_SOCKET, SO_KEEPALIVE, [1], 4", "1");
        assert_eq!(other, "SO_KEEPALIVE is asked to be 1");
    }
}
