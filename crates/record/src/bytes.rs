//! Bytes that move, between two programs or between a program and a file.

use socket2::SockAddr;

use super::data::Data;
use super::message::Header;
use super::text::{Args, count, datagrams, over_ipv4, peer, quoted, shown};
use super::{
    Direction, Event, Facts, Failure, Moves, Outcome, Shows, Strace, Told, Way, address_text,
    strace,
};
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_text::words::{grouped, plural};

/// A call that moves bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bytes {
    /// recv(2)
    Recv(Receive),
    /// recvfrom(2), and the sender of the datagram.
    Recvfrom(Receive, Option<Box<SockAddr>>),
    /// recvmsg(2), with what the kernel adds to the bytes, if it received any.
    Recvmsg(Receive, Option<Box<Header>>),
    /// send(2)
    Send(Send),
    /// sendto(2), and the receiver.
    Sendto(Send, Option<Box<SockAddr>>),
    /// sendmmsg(2)
    Sendmmsg(Many),
    /// sendfile(2)
    Sendfile {
        /// The descriptor of the file.
        file: i32,
        /// The offset before the call.
        offset: i64,
        /// The offset after the call.
        end: i64,
        /// How many at most.
        count: usize,
    },
    /// splice(2)
    Splice {
        /// The descriptor where the bytes go.
        to: i32,
        /// How many at most.
        count: usize,
    },
    /// sync_file_range(2)
    SyncFileRange {
        /// The offset in the file.
        offset: i64,
        /// How many; 0 is all.
        count: i64,
        /// What to do with them.
        flags: u32,
    },
}

/// The arguments of a call that receives, and what it received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receive {
    /// `MSG_PEEK` and others.
    pub flags: i32,
    /// Where the buffer is in memory.
    pub at: usize,
    /// How many bytes it has room for.
    pub room: usize,
    /// What was received, if the call did not fail.
    pub data: Option<Data>,
}

/// The arguments of a call that sends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Send {
    /// `MSG_NOSIGNAL` and others.
    pub flags: i32,
    /// All the bytes that it was given.
    pub data: Data,
}

/// The arguments of `sendmmsg`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Many {
    /// `MSG_DONTWAIT` and others.
    pub flags: i32,
    /// All the messages that it was given; in a value that was read from a trace, only their number.
    pub datagrams: Vec<Data>,
    /// The receiver.
    pub to: Option<Box<SockAddr>>,
}

/// Where the bytes that a call received are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Received {
    /// They have left the socket.
    Taken,
    /// They are still there, or were never in the stream: MSG_PEEK, MSG_OOB.
    Aside,
    /// They came back from the network: MSG_ERRQUEUE.
    Returned,
}

impl Receive {
    fn read(args: Args<'_>) -> Receive {
        Receive { flags: read_flags(args), ..Receive::default() }
    }

    fn became(&self) -> Received {
        match self.flags {
            flags if flags & libc::MSG_ERRQUEUE != 0 => Received::Returned,
            flags if flags & (libc::MSG_PEEK | libc::MSG_OOB) != 0 => Received::Aside,
            _ => Received::Taken,
        }
    }

    fn facts(&self) -> Facts {
        self.data.as_ref().map(|data| data.facts(data.len)).unwrap_or_default()
    }

    /// The buffer, its size and the flags.
    fn strace(&self) -> String {
        let buffer = match &self.data {
            Some(data) => strace::data(data),
            None => format!("{:#x}", self.at),
        };
        format!("{buffer}, {}, {}", self.room, flags_text(self.flags))
    }
}

impl Send {
    fn read(args: Args<'_>) -> Send {
        Send { flags: read_flags(args), ..Send::default() }
    }

    /// Whether it is urgent data, which has no place in the stream.
    fn is_urgent(&self) -> bool {
        self.flags & libc::MSG_OOB != 0
    }

    fn facts(&self, outcome: &Outcome) -> Facts {
        let asked = Some(self.data.len as u64);
        match outcome.done() {
            Some(moved) => Facts { asked, ..self.data.facts(moved as usize) },
            None => Facts { asked, ..Facts::default() },
        }
    }

    fn strace(&self, to: Option<&SockAddr>) -> String {
        let (data, len) = (strace::data(&self.data), self.data.len);
        format!("{data}, {len}, {}, {}", flags_text(self.flags), strace::given(to))
    }
}

/// How many elements of an array strace prints.
const ELEMENTS: usize = 32;

impl Many {
    /// `3, [{msg_hdr={…}, msg_len=5}, …], 2, MSG_DONTWAIT`
    fn read(event: &Event) -> Many {
        let args = event.args.as_deref().unwrap_or_default();
        let count = args.rsplit(", ").nth(1).and_then(|count| count.parse().ok());
        // Linux takes 1,024 at a time, so no true trace has more.
        let count = count.unwrap_or(0).min(1024);
        Many {
            flags: read_flags(Args::of(event)),
            datagrams: vec![Data::default(); count],
            to: None,
        }
    }

    /// `[{msg_hdr={…}, msg_len=5}, …], 2, MSG_DONTWAIT`; only messages that the kernel took have a length.
    fn strace(&self, taken: usize) -> String {
        let to = match &self.to {
            Some(to) => format!("msg_name={}, msg_namelen={}", strace::sockaddr(to), to.len()),
            None => "msg_name=NULL, msg_namelen=0".to_owned(),
        };
        let element = |(at, data): (usize, &Data)| {
            let (text, len) = (strace::data(data), data.len);
            let taken = if at < taken { format!(", msg_len={len}") } else { String::new() };
            format!(
                "{{msg_hdr={{{to}, msg_iov=[{{iov_base={text}, iov_len={len}}}], msg_iovlen=1, \
                 msg_controllen=0, msg_flags=0}}{taken}}}"
            )
        };
        let count = self.datagrams.len();
        let elements = self.datagrams.iter().enumerate().take(ELEMENTS).map(element);
        let more = (count > ELEMENTS).then(|| "...".to_owned());
        let all: Vec<String> = elements.chain(more).collect();
        format!("[{}], {count}, {}", all.join(", "), flags_text(self.flags))
    }

    /// Shows the first datagram of those that moved.
    fn facts(&self, outcome: &Outcome) -> Facts {
        let bytes = |some: &[Data]| some.iter().map(|data| data.len as u64).sum();
        let asked = Some(bytes(&self.datagrams));
        let peer = self.to.as_deref().map(address_text);
        let Some(taken) = outcome.done() else { return Facts { asked, peer, ..Facts::default() } };
        let taken = &self.datagrams[..self.datagrams.len().min(taken as usize)];
        let first = taken.first().cloned().unwrap_or_default();
        let hidden = self.datagrams.iter().map(|data| data.hidden as u64).sum();
        Facts {
            asked,
            peer,
            bytes: Some(bytes(taken)),
            hidden: Some(hidden).filter(|&hidden| hidden > 0),
            ..first.facts(first.len)
        }
    }
}

const MSG: [(i32, &str); 6] = [
    (libc::MSG_OOB, "MSG_OOB"),
    (libc::MSG_PEEK, "MSG_PEEK"),
    (libc::MSG_TRUNC, "MSG_TRUNC"),
    (libc::MSG_DONTWAIT, "MSG_DONTWAIT"),
    (libc::MSG_ERRQUEUE, "MSG_ERRQUEUE"),
    (libc::MSG_NOSIGNAL, "MSG_NOSIGNAL"),
];

fn flags_text(flags: i32) -> String {
    let mut set =
        MSG.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, name)| *name).peekable();
    if set.peek().is_none() { flags.to_string() } else { strace::flags(set) }
}

fn read_flags(args: Args<'_>) -> i32 {
    MSG.iter().filter(|(_, name)| args.has(name)).fold(0, |flags, (flag, _)| flags | flag)
}

names! {
    BytesName:
    Recv = "recv",
    Recvfrom = "recvfrom",
    Recvmsg = "recvmsg",
    Send = "send",
    Sendto = "sendto",
    Sendmmsg = "sendmmsg",
    Sendfile = "sendfile",
    Splice = "splice",
    SyncFileRange = "sync_file_range",
}

impl Told for Bytes {
    type Name = BytesName;

    fn read(name: BytesName, event: &Event) -> Bytes {
        let args = Args::of(event);
        match name {
            BytesName::Recv => Bytes::Recv(Receive::read(args)),
            BytesName::Recvfrom => Bytes::Recvfrom(Receive::read(args), None),
            BytesName::Recvmsg => {
                Bytes::Recvmsg(Receive::read(args), Some(Header::read(args).into()))
            }
            BytesName::Send => Bytes::Send(Send::read(args)),
            BytesName::Sendto => Bytes::Sendto(Send::read(args), None),
            BytesName::Sendmmsg => Bytes::Sendmmsg(Many::read(event)),
            BytesName::Sendfile => Bytes::Sendfile { file: -1, offset: 0, end: 0, count: 0 },
            BytesName::Splice => Bytes::Splice { to: -1, count: 0 },
            BytesName::SyncFileRange => Bytes::SyncFileRange { offset: 0, count: 0, flags: 0 },
        }
    }

    fn name(&self) -> BytesName {
        match self {
            Bytes::Recv(_) => BytesName::Recv,
            Bytes::Recvfrom(..) => BytesName::Recvfrom,
            Bytes::Recvmsg(..) => BytesName::Recvmsg,
            Bytes::Send(_) => BytesName::Send,
            Bytes::Sendto(..) => BytesName::Sendto,
            Bytes::Sendmmsg(_) => BytesName::Sendmmsg,
            Bytes::Sendfile { .. } => BytesName::Sendfile,
            Bytes::Splice { .. } => BytesName::Splice,
            Bytes::SyncFileRange { .. } => BytesName::SyncFileRange,
        }
    }

    fn strace(&self, outcome: &Outcome) -> Strace {
        let fd = outcome.fd();
        match self {
            Bytes::Recv(receive) => {
                Strace::new("recvfrom", format!("{fd}, {}, NULL, NULL", receive.strace()))
            }
            Bytes::Recvfrom(receive, from) => {
                let from = strace::answered(from.as_deref());
                Strace::new("recvfrom", format!("{fd}, {}, {from}", receive.strace()))
            }
            Bytes::Recvmsg(receive, header) => {
                let flags = flags_text(receive.flags);
                let header = match (header, &receive.data) {
                    (Some(header), Some(data)) => {
                        let data = strace::data(data);
                        header.strace(&data, receive.room, &flags_text(header.flags))
                    }
                    // Before the call only the size of the address buffer is known.
                    _ => "{msg_namelen=128}".to_owned(),
                };
                Strace::new("recvmsg", format!("{fd}, {header}, {flags}"))
            }
            Bytes::Send(send) => Strace::new("sendto", format!("{fd}, {}", send.strace(None))),
            Bytes::Sendto(send, to) => {
                Strace::new("sendto", format!("{fd}, {}", send.strace(to.as_deref())))
            }
            Bytes::Sendmmsg(many) => {
                let taken = outcome.done().unwrap_or_default() as usize;
                Strace::new("sendmmsg", format!("{fd}, {}", many.strace(taken)))
            }
            &Bytes::Sendfile { file, offset, end, count } => {
                let moved = if end == offset { String::new() } else { format!(" => [{end}]") };
                Strace::new("sendfile", format!("{fd}, {file}, [{offset}]{moved}, {count}"))
            }
            Bytes::Splice { to, count } => {
                let args = format!("{fd}, NULL, {to}, NULL, {count}, SPLICE_F_MOVE");
                Strace::new("splice", args)
            }
            Bytes::SyncFileRange { offset, count, flags } => {
                let flags = match *flags {
                    libc::SYNC_FILE_RANGE_WRITE => "SYNC_FILE_RANGE_WRITE".to_owned(),
                    flags => format!("{flags:#x}"),
                };
                Strace::new("sync_file_range", format!("{fd}, {offset}, {count}, {flags}"))
            }
        }
    }

    fn facts(&self, outcome: &Outcome) -> Facts {
        let done = outcome.done().map(|n| n as u64);
        let of = |from: Option<&SockAddr>| {
            from.filter(|from| from.as_socket().is_some()).map(address_text)
        };
        match self {
            Bytes::Recv(receive) => receive.facts(),
            // The length of the datagram, which may have been cut.
            Bytes::Recvfrom(receive, from) => {
                Facts { asked: done.or(Some(0)), peer: of(from.as_deref()), ..receive.facts() }
            }
            Bytes::Recvmsg(receive, header) => {
                let peer = header.as_ref().and_then(|header| of(header.name.as_ref()));
                Facts { asked: done, peer, ..receive.facts() }
            }
            Bytes::Send(send) => send.facts(outcome),
            Bytes::Sendto(send, to) => {
                Facts { peer: to.as_deref().map(address_text), ..send.facts(outcome) }
            }
            Bytes::Sendmmsg(many) => many.facts(outcome),
            Bytes::Sendfile { count, .. } | Bytes::Splice { count, .. } => {
                Facts { bytes: done, asked: Some(*count as u64), ..Facts::default() }
            }
            Bytes::SyncFileRange { .. } => Facts::default(),
        }
    }

    fn sentence(&self, event: &Event, lang: Lang) -> String {
        let (bytes, peer) = (event.bytes.unwrap_or_default(), peer(event, lang));
        let asked = event.asked.unwrap_or(bytes);
        let nothing = event.ret.unwrap_or_default() == 0;
        let (moved, shown) = (count(bytes, lang), shown(event, lang));
        let end = || {
            say!(
                lang,
                "0 bytes: the end, nothing more will come",
                "0 字节：已读到末尾，不会再有数据"
            )
        };
        match self {
            Bytes::Recv(_) if nothing => end(),
            Bytes::Recv(_) => say!(lang, "{moved}: {shown}", "{moved}：{shown}"),
            Bytes::Recvfrom(..) if event.peer.is_none() => {
                say!(lang, "no datagram: the socket was shut down", "没有数据报：套接字已被关停",)
            }
            Bytes::Recvfrom(..) if asked > bytes => {
                let whole = count(asked, lang);
                say!(
                    lang,
                    "a datagram of {whole} from {peer}, cut to {bytes}: the rest did not fit and is lost: {shown}",
                    "来自 {peer} 的 {whole}数据报，截短为 {bytes} 字节：放不下的部分丢了：{shown}",
                )
            }
            Bytes::Recvfrom(..) => {
                let over = over_ipv4(peer, lang);
                say!(
                    lang,
                    "a datagram of {moved} from {peer}{over}: {shown}",
                    "来自 {peer}{over} 的 {moved}数据报：{shown}",
                )
            }
            Bytes::Recvmsg(..) if nothing && event.peer.is_none() => end(),
            Bytes::Recvmsg(receive, _) if receive.became() == Received::Returned => say!(
                lang,
                "from the error queue: {moved} sent to {peer} were not delivered: {shown}",
                "来自错误队列：发往 {peer} 的 {moved}没有送达：{shown}",
            ),
            Bytes::Recvmsg(_, header) => {
                let beside = header.as_deref().map(|header| header.beside(lang));
                let beside = beside.unwrap_or_default();
                match event.peer {
                    Some(_) => say!(
                        lang,
                        "{moved} from {peer}: {shown}{beside}",
                        "来自 {peer} 的 {moved}：{shown}{beside}",
                    ),
                    None => say!(lang, "{moved}: {shown}{beside}", "{moved}：{shown}{beside}"),
                }
            }
            Bytes::Send(_) => {
                let (taken, asked) = (grouped(bytes), grouped(asked));
                let unit = plural(event.asked.unwrap_or(bytes), "byte");
                say!(
                    lang,
                    "the kernel took {taken} of {asked} {unit}: {shown}",
                    "内核收下 {taken}/{asked} 字节：{shown}",
                )
            }
            Bytes::Sendto(..) => say!(
                lang,
                "a datagram of {moved} to {peer}: {shown}",
                "发往 {peer} 的 {moved}数据报：{shown}",
            ),
            Bytes::Sendmmsg(many) => {
                let taken = event.ret.unwrap_or_default();
                let all = datagrams(many.datagrams.len() as u64, lang);
                say!(
                    lang,
                    "the kernel took {taken} of {all} to {peer}, {moved} in all; the first: {shown}",
                    "发往 {peer} 的 {all}，内核收下 {taken} 个，共 {moved}；第一个：{shown}",
                )
            }
            Bytes::Sendfile { .. } if nothing => {
                say!(lang, "0 bytes: the end of the file", "0 字节：已到文件末尾")
            }
            Bytes::Sendfile { .. } => say!(
                lang,
                "{moved} from the file to the socket inside the kernel",
                "{moved}在内核里直接从文件进入套接字",
            ),
            Bytes::Splice { .. } if nothing => say!(lang, "0 bytes: the end", "0 字节：已到末尾"),
            Bytes::Splice { .. } => {
                say!(lang, "{moved} moved inside the kernel", "{moved}在内核里直接移动")
            }
            Bytes::SyncFileRange { .. } => say!(
                lang,
                "the kernel begins to write the file to the disk",
                "内核开始把文件写到磁盘",
            ),
        }
    }

    fn failure(&self, errno: &str, _: &Event, lang: Lang) -> Option<Failure> {
        use Bytes::{
            Recv, Recvfrom, Recvmsg, Send, Sendfile, Sendmmsg, Sendto, Splice, SyncFileRange,
        };
        let ordinary = match (self, errno) {
            (Recv(_) | Recvfrom(..) | Recvmsg(..) | Splice { .. }, "EAGAIN") => {
                lang.pick("nothing has arrived yet (EAGAIN)", "还没有数据到达 (EAGAIN)")
            }
            (Send(_) | Sendto(..) | Sendmmsg(_) | Sendfile { .. }, "EAGAIN") => {
                lang.pick("the send buffer is full (EAGAIN)", "发送缓冲区已满 (EAGAIN)")
            }
            (Recv(_), "ENOBUFS") => lang
                .pick("no provided buffer is free (ENOBUFS)", "预先提供的缓冲区用完了 (ENOBUFS)"),
            (Send(_), "EPIPE") => {
                return Some(Failure::Because(
                    lang.pick("; the connection has ended", "；连接已经结束"),
                ));
            }
            (Recv(_) | Send(_), "ECONNRESET") => {
                return Some(Failure::Because(
                    lang.pick("; the peer reset the connection", "；对端重置了连接"),
                ));
            }
            (Recv(_) | Recvfrom(..), "ECONNREFUSED") => {
                return Some(Failure::Because(lang.pick(
                    "; nothing received an earlier datagram",
                    "；先前的一个数据报没有人接收",
                )));
            }
            (Recv(_) | Recvfrom(..) | Recvmsg(..) | Splice { .. }, _) => return None,
            (Send(_) | Sendto(..) | Sendmmsg(_) | Sendfile { .. }, _) => return None,
            (SyncFileRange { .. }, _) => return None,
        };
        Some(Failure::Ordinary(ordinary.to_owned()))
    }

    fn failed_at<'a>(&self, event: &'a Event) -> Option<&'a str> {
        match self {
            Bytes::Sendto(..) | Bytes::Sendmmsg(_) => event.peer.as_deref(),
            Bytes::Recv(_)
            | Bytes::Recvfrom(..)
            | Bytes::Recvmsg(..)
            | Bytes::Send(_)
            | Bytes::Sendfile { .. }
            | Bytes::Splice { .. }
            | Bytes::SyncFileRange { .. } => None,
        }
    }

    fn asked(&self, on: String, event: &Event, lang: Lang) -> String {
        match self {
            Bytes::Send(_) => format!("{on} {}", quoted(event, lang)),
            Bytes::Sendto(..) => {
                let (data, to) = (quoted(event, lang), event.peer.as_deref().unwrap_or_default());
                say!(lang, "{on} {data} to {to}", "{on} {data} 发往 {to}")
            }
            Bytes::Sendmmsg(many) => {
                let count = datagrams(many.datagrams.len() as u64, lang);
                let to = event.peer.as_deref().unwrap_or_default();
                say!(lang, "{on} {count} to {to}", "{on} {count}发往 {to}")
            }
            Bytes::Recv(_)
            | Bytes::Recvfrom(..)
            | Bytes::Recvmsg(..)
            | Bytes::Sendfile { .. }
            | Bytes::Splice { .. }
            | Bytes::SyncFileRange { .. } => on,
        }
    }

    fn answered(&self, event: &Event, lang: Lang) -> String {
        let bytes = event.bytes.unwrap_or_default();
        let nothing = event.ret.unwrap_or_default() == 0;
        let end = || say!(lang, "0: the end", "0：已到末尾");
        match self {
            Bytes::Recv(_) | Bytes::Recvmsg(..) if nothing => end(),
            Bytes::Recvfrom(..) if nothing && event.peer.is_none() => {
                say!(lang, "0: shut down", "0：已被关停")
            }
            Bytes::Recv(_) => format!("{} {}", count(bytes, lang), quoted(event, lang)),
            Bytes::Recvfrom(..) | Bytes::Recvmsg(..) => {
                let from = event.peer.as_deref().unwrap_or_default();
                let (moved, data) = (count(bytes, lang), quoted(event, lang));
                match event.asked.filter(|&asked| asked > bytes) {
                    Some(asked) => say!(
                        lang,
                        "{bytes} of {asked} {data} from {from}",
                        "{asked} 中的 {bytes} {data} 来自 {from}",
                    ),
                    None => say!(lang, "{moved} {data} from {from}", "{moved} {data} 来自 {from}"),
                }
            }
            Bytes::Send(_) | Bytes::Sendto(..) => {
                match event.asked.filter(|&asked| asked != bytes) {
                    Some(asked) => {
                        let (taken, all) = (grouped(bytes), grouped(asked));
                        say!(lang, "{taken} of {all} bytes", "{all} 字节中的 {taken}")
                    }
                    None => count(bytes, lang),
                }
            }
            Bytes::Sendmmsg(_) => datagrams(event.ret.unwrap_or_default().unsigned_abs(), lang),
            Bytes::Sendfile { .. } | Bytes::Splice { .. } if nothing => end(),
            Bytes::Sendfile { .. } | Bytes::Splice { .. } => count(bytes, lang),
            Bytes::SyncFileRange { .. } => super::text::number(event.ret),
        }
    }

    fn waits(&self) -> bool {
        match self {
            Bytes::Recv(_) | Bytes::Recvfrom(..) | Bytes::Recvmsg(..) | Bytes::Send(_) => true,
            Bytes::Sendto(..)
            | Bytes::Sendmmsg(_)
            | Bytes::Sendfile { .. }
            | Bytes::Splice { .. }
            | Bytes::SyncFileRange { .. } => false,
        }
    }

    fn way(&self) -> Option<Way> {
        match self {
            Bytes::Send(_) | Bytes::Sendto(..) | Bytes::Sendmmsg(_) | Bytes::Sendfile { .. } => {
                Some(Way::Out)
            }
            Bytes::Recv(_) | Bytes::Recvfrom(..) | Bytes::Recvmsg(..) | Bytes::Splice { .. } => {
                Some(Way::In)
            }
            Bytes::SyncFileRange { .. } => None,
        }
    }

    fn is_addressed(&self) -> bool {
        match self {
            Bytes::Recvfrom(..) | Bytes::Sendto(..) | Bytes::Sendmmsg(_) => true,
            Bytes::Recv(_)
            | Bytes::Recvmsg(..)
            | Bytes::Send(_)
            | Bytes::Sendfile { .. }
            | Bytes::Splice { .. }
            | Bytes::SyncFileRange { .. } => false,
        }
    }

    fn moves(&self) -> Moves {
        Moves::Nothing // it moves bytes
    }

    fn shows(&self) -> Shows {
        match self {
            Bytes::Send(_) | Bytes::Sendto(..) | Bytes::Sendfile { .. } => Shows::Arrow,
            Bytes::Recv(_)
            | Bytes::Recvfrom(..)
            | Bytes::Recvmsg(..)
            | Bytes::Sendmmsg(_)
            | Bytes::Splice { .. }
            | Bytes::SyncFileRange { .. } => Shows::Itself,
        }
    }

    fn direction(&self, event: &Event) -> Option<Direction> {
        let end = event.ret == Some(0) && event.peer.is_some();
        let received = if end { Direction::End } else { Direction::In };
        match self {
            Bytes::Send(send) => (!send.is_urgent()).then_some(Direction::Out),
            Bytes::Sendto(..) | Bytes::Sendfile { .. } => Some(Direction::Out),
            // The record does not say where one of several ends.
            Bytes::Sendmmsg(_) => (event.ret == Some(1)).then_some(Direction::Out),
            Bytes::Recv(receive) | Bytes::Recvfrom(receive, _) | Bytes::Recvmsg(receive, _) => {
                (receive.became() == Received::Taken).then_some(received)
            }
            Bytes::Splice { .. } => Some(received),
            Bytes::SyncFileRange { .. } => None,
        }
    }

    fn acts_at_once(&self) -> bool {
        match self {
            Bytes::Send(_) | Bytes::Sendto(..) | Bytes::Sendmmsg(_) | Bytes::Sendfile { .. } => {
                true
            }
            Bytes::Recv(_)
            | Bytes::Recvfrom(..)
            | Bytes::Recvmsg(..)
            | Bytes::Splice { .. }
            | Bytes::SyncFileRange { .. } => false,
        }
    }
}
