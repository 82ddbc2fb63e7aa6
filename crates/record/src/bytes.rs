//! Bytes that move, between two programs or between a program and a file.

use socket2::SockAddr;

use super::data::Data;
use super::message::{Control, Header};
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
    /// recvmmsg(2)
    Recvmmsg(ManyIn),
    /// read(2)
    Read(Receive),
    /// readv(2)
    Readv(Receive),
    /// send(2)
    Send(Send),
    /// sendto(2), and the receiver.
    Sendto(Send, Option<Box<SockAddr>>),
    /// sendmsg(2), the receiver, and the descriptors that it passes.
    Sendmsg(Send, Option<Box<SockAddr>>, Vec<i32>),
    /// sendmmsg(2)
    Sendmmsg(Many),
    /// write(2)
    Write(Send),
    /// writev(2)
    Writev(Send),
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

/// The arguments of `recvmmsg`, and what it received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManyIn {
    /// `MSG_WAITFORONE` and others.
    pub flags: i32,
    /// How many messages it has room for.
    pub room: usize,
    /// The messages that came; in a value that was read from a trace, only their number.
    pub datagrams: Vec<Data>,
    /// The sender of the first.
    pub from: Option<Box<SockAddr>>,
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
        Receive { flags: read_flags(args), room: args.room(), ..Receive::default() }
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
        format!("{buffer}, {}, {}", self.room, strace::message_flags(self.flags))
    }

    /// The buffer of read(2), or those of readv(2) as if they were one.
    fn strace_read(&self, parts: bool) -> String {
        let buffer = match &self.data {
            Some(data) => strace::data(data),
            None => format!("{:#x}", self.at),
        };
        in_parts(&buffer, self.room, parts)
    }
}

/// `"hello", 5`, or `[{iov_base="hello", iov_len=5}], 1`.
fn in_parts(buffer: &str, len: usize, parts: bool) -> String {
    match parts {
        true => format!("[{{iov_base={buffer}, iov_len={len}}}], 1"),
        false => format!("{buffer}, {len}"),
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
        format!("{data}, {len}, {}, {}", strace::message_flags(self.flags), strace::given(to))
    }

    fn strace_written(&self, parts: bool) -> String {
        in_parts(&strace::data(&self.data), self.data.len, parts)
    }

    /// `{msg_name=NULL, msg_namelen=0, msg_iov=[…], msg_iovlen=1, msg_controllen=0, msg_flags=0}`
    fn strace_header(&self, to: Option<&SockAddr>, passed: &[i32]) -> String {
        let parts = in_parts(&strace::data(&self.data), self.data.len, true);
        let (parts, _) = parts.rsplit_once(", ").unwrap_or_default();
        let control = match passed {
            [] => "msg_controllen=0".to_owned(),
            fds => {
                let control = Control::of_descriptors(fds);
                let len = control.space();
                format!("msg_control=[{}], msg_controllen={len}", control.strace())
            }
        };
        format!("{{{}, msg_iov={parts}, msg_iovlen=1, {control}, msg_flags=0}}", named(to))
    }
}

/// The first two fields of a `struct msghdr` that a program gave.
fn named(to: Option<&SockAddr>) -> String {
    match to {
        Some(to) => format!("msg_name={}, msg_namelen={}", strace::sockaddr(to), to.len()),
        None => "msg_name=NULL, msg_namelen=0".to_owned(),
    }
}

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
        let to = named(self.to.as_deref());
        let element = |(at, data): (usize, &Data)| {
            let (text, len) = (strace::data(data), data.len);
            let taken = if at < taken { format!(", msg_len={len}") } else { String::new() };
            format!(
                "{{msg_hdr={{{to}, msg_iov=[{{iov_base={text}, iov_len={len}}}], msg_iovlen=1, \
                 msg_controllen=0, msg_flags=0}}{taken}}}"
            )
        };
        let count = self.datagrams.len();
        let all = strace::array(self.datagrams.iter().enumerate().map(element));
        format!("{all}, {count}, {}", strace::message_flags(self.flags))
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

impl ManyIn {
    /// `3, [{msg_hdr={…}, msg_len=5}, …], 8, MSG_WAITFORONE, NULL`
    fn read(event: &Event) -> ManyIn {
        let count = event.ret.and_then(|count| usize::try_from(count).ok()).unwrap_or(0).min(1024);
        ManyIn {
            flags: read_flags(Args::of(event)),
            room: count,
            datagrams: vec![Data::default(); count],
            from: None,
        }
    }

    fn strace(&self) -> String {
        let from = match &self.from {
            Some(from) => {
                format!("msg_name={}, msg_namelen=128 => {}", strace::sockaddr(from), from.len())
            }
            None => "msg_name=NULL, msg_namelen=0".to_owned(),
        };
        let element = |data: &Data| {
            let (text, len) = (strace::data(data), data.len);
            format!(
                "{{msg_hdr={{{from}, msg_iov=[{{iov_base={text}, iov_len={len}}}], msg_iovlen=1, \
                 msg_controllen=0, msg_flags=0}}, msg_len={len}}}"
            )
        };
        let all = strace::array(self.datagrams.iter().map(element));
        let (room, flags) = (self.room, strace::message_flags(self.flags));
        format!("{all}, {room}, {flags}, NULL")
    }

    /// Shows the first datagram.
    fn facts(&self) -> Facts {
        let peer = self.from.as_deref().and_then(sender);
        let Some(first) = self.datagrams.first() else {
            return Facts { peer, ..Facts::default() };
        };
        let bytes = self.datagrams.iter().map(|data| data.len as u64).sum();
        let hidden = self.datagrams.iter().map(|data| data.hidden as u64).sum();
        Facts {
            peer,
            bytes: Some(bytes),
            hidden: Some(hidden).filter(|&hidden| hidden > 0),
            ..first.facts(first.len)
        }
    }
}

/// The address that a message came from, if the kernel named one: it does not for a stream.
fn sender(from: &SockAddr) -> Option<String> {
    Some(address_text(from)).filter(|from| from != "(unnamed)")
}

fn read_flags(args: Args<'_>) -> i32 {
    strace::read_message_flags(|name| args.has(name))
}

names! {
    BytesName:
    Recv = "recv",
    Recvfrom = "recvfrom",
    Recvmsg = "recvmsg",
    Recvmmsg = "recvmmsg",
    Read = "read",
    Readv = "readv",
    Send = "send",
    Sendto = "sendto",
    Sendmsg = "sendmsg",
    Sendmmsg = "sendmmsg",
    Write = "write",
    Writev = "writev",
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
            BytesName::Recvmmsg => Bytes::Recvmmsg(ManyIn::read(event)),
            // They have no flags; a flag in what was read is a word of it.
            BytesName::Read => Bytes::Read(Receive { room: args.room(), ..Receive::default() }),
            BytesName::Readv => Bytes::Readv(Receive::default()),
            BytesName::Write => Bytes::Write(Send::default()),
            BytesName::Writev => Bytes::Writev(Send::default()),
            BytesName::Sendmsg => Bytes::Sendmsg(Send::read(args), None, args.descriptors()),
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
            Bytes::Recvmmsg(_) => BytesName::Recvmmsg,
            Bytes::Read(_) => BytesName::Read,
            Bytes::Readv(_) => BytesName::Readv,
            Bytes::Sendmsg(..) => BytesName::Sendmsg,
            Bytes::Write(_) => BytesName::Write,
            Bytes::Writev(_) => BytesName::Writev,
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
                let flags = strace::message_flags(receive.flags);
                let header = match (header, &receive.data) {
                    (Some(header), Some(data)) => {
                        let data = strace::data(data);
                        header.strace(&data, receive.room, &strace::message_flags(header.flags))
                    }
                    // Before the call only the size of the address buffer is known.
                    _ => "{msg_namelen=128}".to_owned(),
                };
                Strace::new("recvmsg", format!("{fd}, {header}, {flags}"))
            }
            Bytes::Recvmmsg(many) => {
                let messages = match outcome.done() {
                    Some(_) => many.strace(),
                    None => {
                        format!("0x..., {}, {}, NULL", many.room, strace::message_flags(many.flags))
                    }
                };
                Strace::new("recvmmsg", format!("{fd}, {messages}"))
            }
            Bytes::Read(receive) => {
                Strace::new("read", format!("{fd}, {}", receive.strace_read(false)))
            }
            Bytes::Readv(receive) => {
                Strace::new("readv", format!("{fd}, {}", receive.strace_read(true)))
            }
            Bytes::Write(send) => {
                Strace::new("write", format!("{fd}, {}", send.strace_written(false)))
            }
            Bytes::Writev(send) => {
                Strace::new("writev", format!("{fd}, {}", send.strace_written(true)))
            }
            Bytes::Sendmsg(send, to, passed) => {
                let header = send.strace_header(to.as_deref(), passed);
                let flags = strace::message_flags(send.flags);
                Strace::new("sendmsg", format!("{fd}, {header}, {flags}"))
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
        let of = |from: Option<&SockAddr>| from.and_then(sender);
        match self {
            Bytes::Recv(receive) | Bytes::Read(receive) | Bytes::Readv(receive) => receive.facts(),
            Bytes::Recvmmsg(many) => many.facts(),
            // The length of the datagram, which may have been cut.
            Bytes::Recvfrom(receive, from) => {
                Facts { asked: done.or(Some(0)), peer: of(from.as_deref()), ..receive.facts() }
            }
            Bytes::Recvmsg(receive, header) => {
                let peer = header.as_ref().and_then(|header| of(header.name.as_ref()));
                Facts { asked: done, peer, ..receive.facts() }
            }
            Bytes::Send(send) | Bytes::Write(send) | Bytes::Writev(send) => send.facts(outcome),
            Bytes::Sendmsg(send, to, _) => Facts {
                peer: to.as_deref().map(address_text),
                datagrams: to.as_ref().map(|_| true), // of a stream, there is no receiver
                ..send.facts(outcome)
            },
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
        let (bytes, to) = (event.bytes.unwrap_or_default(), peer(event, lang));
        let nothing = event.ret.unwrap_or_default() == 0;
        let (moved, shown) = (count(bytes, lang), shown(event, lang));
        match self {
            Bytes::Recv(_)
            | Bytes::Read(_)
            | Bytes::Readv(_)
            | Bytes::Recvfrom(..)
            | Bytes::Recvmsg(..) => self.received(event, lang),
            Bytes::Recvmmsg(many) => {
                let all = datagrams(many.datagrams.len() as u64, lang);
                say!(
                    lang,
                    "{all}, {moved} in all; the first from {to}: {shown}",
                    "{all}，共 {moved}；第一个来自 {to}：{shown}",
                )
            }
            Bytes::Send(_)
            | Bytes::Write(_)
            | Bytes::Writev(_)
            | Bytes::Sendto(..)
            | Bytes::Sendmsg(..)
                if !event.has_datagrams() =>
            {
                let asked = event.asked.unwrap_or(bytes);
                let (taken, all, unit) = (grouped(bytes), grouped(asked), plural(asked, "byte"));
                let with = passed(&self.passes(), lang);
                say!(
                    lang,
                    "the kernel took {taken} of {all} {unit}: {shown}{with}",
                    "内核收下 {taken}/{all} 字节：{shown}{with}",
                )
            }
            Bytes::Send(_)
            | Bytes::Write(_)
            | Bytes::Writev(_)
            | Bytes::Sendto(..)
            | Bytes::Sendmsg(..) => {
                let with = passed(&self.passes(), lang);
                say!(
                    lang,
                    "a datagram of {moved} to {to}: {shown}{with}",
                    "发往 {to} 的 {moved}数据报：{shown}{with}",
                )
            }
            Bytes::Sendmmsg(many) => {
                let taken = event.ret.unwrap_or_default();
                let all = datagrams(many.datagrams.len() as u64, lang);
                say!(
                    lang,
                    "the kernel took {taken} of {all} to {to}, {moved} in all; the first: {shown}",
                    "发往 {to} 的 {all}，内核收下 {taken} 个，共 {moved}；第一个：{shown}",
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

    fn failure(&self, errno: &str, event: &Event, lang: Lang) -> Option<Failure> {
        use Bytes::{Recv, Recvfrom, SyncFileRange};
        let (taking, giving) = match self.way() {
            Some(Way::In) => (true, false),
            Some(Way::Out) => (false, true),
            None => (false, false),
        };
        // A peer can only be gone from a connection.
        let connected = self.is_plain();
        let ordinary = match (self, errno) {
            (SyncFileRange { .. }, _) => return None,
            (_, "EAGAIN") if taking => {
                lang.pick("nothing has arrived yet (EAGAIN)", "还没有数据到达 (EAGAIN)")
            }
            (_, "EAGAIN") if giving => {
                lang.pick("the send buffer is full (EAGAIN)", "发送缓冲区已满 (EAGAIN)")
            }
            (Recv(_), "ENOBUFS") => lang
                .pick("no provided buffer is free (ENOBUFS)", "预先提供的缓冲区用完了 (ENOBUFS)"),
            (_, "EPIPE") if giving && connected => {
                return Some(Failure::Because(
                    lang.pick("; the connection has ended", "；连接已经结束"),
                ));
            }
            (_, "ECONNRESET") if connected => {
                return Some(Failure::Because(
                    lang.pick("; the peer reset the connection", "；对端重置了连接"),
                ));
            }
            (Recv(_) | Recvfrom(..), "ECONNREFUSED") => return Some(refused(lang)),
            (_, "ECONNREFUSED") if event.datagrams == Some(true) => return Some(refused(lang)),
            (_, _) => return None,
        };
        Some(Failure::Ordinary(ordinary.to_owned()))
    }

    fn failed_at<'a>(&self, event: &'a Event) -> Option<&'a str> {
        match self {
            Bytes::Sendto(..) | Bytes::Sendmmsg(_) => event.peer.as_deref(),
            Bytes::Sendmsg(..) if event.has_datagrams() => event.peer.as_deref(),
            Bytes::Recv(_)
            | Bytes::Recvfrom(..)
            | Bytes::Recvmsg(..)
            | Bytes::Recvmmsg(_)
            | Bytes::Read(_)
            | Bytes::Readv(_)
            | Bytes::Send(_)
            | Bytes::Sendmsg(..)
            | Bytes::Write(_)
            | Bytes::Writev(_)
            | Bytes::Sendfile { .. }
            | Bytes::Splice { .. }
            | Bytes::SyncFileRange { .. } => None,
        }
    }

    fn asked(&self, on: String, event: &Event, lang: Lang) -> String {
        match self {
            Bytes::Send(_)
            | Bytes::Write(_)
            | Bytes::Writev(_)
            | Bytes::Sendto(..)
            | Bytes::Sendmsg(..) => {
                let data = quoted(event, lang);
                let data =
                    data + &self.passes().iter().map(|fd| format!(", fd {fd}")).collect::<String>();
                let to = event.peer.as_deref().filter(|_| self.names_receiver(event));
                match to {
                    Some(to) => say!(lang, "{on} {data} to {to}", "{on} {data} 发往 {to}"),
                    None => format!("{on} {data}"),
                }
            }
            Bytes::Sendmmsg(many) => {
                let count = datagrams(many.datagrams.len() as u64, lang);
                let to = event.peer.as_deref().unwrap_or_default();
                say!(lang, "{on} {count} to {to}", "{on} {count}发往 {to}")
            }
            Bytes::Recv(_)
            | Bytes::Recvfrom(..)
            | Bytes::Recvmsg(..)
            | Bytes::Recvmmsg(_)
            | Bytes::Read(_)
            | Bytes::Readv(_)
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
            Bytes::Recvmsg(..) if nothing && event.datagrams != Some(true) => end(),
            Bytes::Recv(_) | Bytes::Read(_) | Bytes::Readv(_) | Bytes::Recvfrom(..)
                if nothing && !event.has_datagrams() =>
            {
                end()
            }
            Bytes::Recvfrom(..) if nothing && event.peer.is_none() => {
                say!(lang, "0: shut down", "0：已被关停")
            }
            Bytes::Recv(_) | Bytes::Read(_) | Bytes::Readv(_) => {
                format!("{} {}", count(bytes, lang), quoted(event, lang))
            }
            Bytes::Recvfrom(..) | Bytes::Recvmsg(..) => {
                let came: String = self.receives().iter().map(|fd| format!(", fd {fd}")).collect();
                let (moved, data) = (count(bytes, lang), quoted(event, lang) + &came);
                let from = event.peer.as_deref().filter(|_| event.has_datagrams());
                match (event.asked.filter(|&asked| asked > bytes), from) {
                    (Some(asked), from) => {
                        let from = from.unwrap_or_default();
                        say!(
                            lang,
                            "{bytes} of {asked} {data} from {from}",
                            "{asked} 中的 {bytes} {data} 来自 {from}",
                        )
                    }
                    (None, Some(from)) => {
                        say!(lang, "{moved} {data} from {from}", "{moved} {data} 来自 {from}")
                    }
                    (None, None) => format!("{moved} {data}"),
                }
            }
            Bytes::Send(_)
            | Bytes::Write(_)
            | Bytes::Writev(_)
            | Bytes::Sendto(..)
            | Bytes::Sendmsg(..) => match event.asked.filter(|&asked| asked != bytes) {
                Some(asked) => {
                    let (taken, all) = (grouped(bytes), grouped(asked));
                    say!(lang, "{taken} of {all} bytes", "{all} 字节中的 {taken}")
                }
                None => count(bytes, lang),
            },
            Bytes::Sendmmsg(_) | Bytes::Recvmmsg(_) => {
                datagrams(event.ret.unwrap_or_default().unsigned_abs(), lang)
            }
            Bytes::Sendfile { .. } | Bytes::Splice { .. } if nothing => end(),
            Bytes::Sendfile { .. } | Bytes::Splice { .. } => count(bytes, lang),
            Bytes::SyncFileRange { .. } => super::text::number(event.ret),
        }
    }

    fn waits(&self) -> bool {
        match self {
            Bytes::Recv(_)
            | Bytes::Recvfrom(..)
            | Bytes::Recvmsg(..)
            | Bytes::Recvmmsg(_)
            | Bytes::Read(_)
            | Bytes::Readv(_)
            | Bytes::Send(_)
            | Bytes::Sendmsg(..)
            | Bytes::Write(_)
            | Bytes::Writev(_) => true,
            Bytes::Sendto(..)
            | Bytes::Sendmmsg(_)
            | Bytes::Sendfile { .. }
            | Bytes::Splice { .. }
            | Bytes::SyncFileRange { .. } => false,
        }
    }

    fn waiting(&self, event: &Event, lang: Lang) -> Option<String> {
        let what = match self.way()? {
            Way::In if event.has_datagrams() => lang.pick("waiting for a datagram", "等待数据报"),
            Way::In => lang.pick("waiting for bytes", "等待数据"),
            Way::Out => lang.pick("waiting for room in the send buffer", "等待发送缓冲区腾出空间"),
        };
        Some(what.to_owned())
    }

    fn way(&self) -> Option<Way> {
        match self {
            Bytes::Send(_)
            | Bytes::Write(_)
            | Bytes::Writev(_)
            | Bytes::Sendto(..)
            | Bytes::Sendmsg(..)
            | Bytes::Sendmmsg(_)
            | Bytes::Sendfile { .. } => Some(Way::Out),
            Bytes::Recv(_)
            | Bytes::Read(_)
            | Bytes::Readv(_)
            | Bytes::Recvfrom(..)
            | Bytes::Recvmsg(..)
            | Bytes::Recvmmsg(_)
            | Bytes::Splice { .. } => Some(Way::In),
            Bytes::SyncFileRange { .. } => None,
        }
    }

    fn is_addressed(&self) -> bool {
        match self {
            Bytes::Recvfrom(..) | Bytes::Recvmmsg(_) | Bytes::Sendto(..) | Bytes::Sendmmsg(_) => {
                true
            }
            Bytes::Sendmsg(_, to, _) => to.is_some(),
            Bytes::Recv(_)
            | Bytes::Recvmsg(..)
            | Bytes::Read(_)
            | Bytes::Readv(_)
            | Bytes::Send(_)
            | Bytes::Write(_)
            | Bytes::Writev(_)
            | Bytes::Sendfile { .. }
            | Bytes::Splice { .. }
            | Bytes::SyncFileRange { .. } => false,
        }
    }

    fn has_datagrams(&self, event: &Event) -> Option<bool> {
        match self {
            // It brings an address with each datagram, and none with the bytes of a connection.
            Bytes::Recvmsg(..) => Some(event.peer.is_some()),
            Bytes::SyncFileRange { .. } => None,
            _ => Some(self.is_addressed()),
        }
    }

    fn passes(&self) -> Vec<i32> {
        match self {
            Bytes::Sendmsg(_, _, passed) => passed.clone(),
            _ => Vec::new(),
        }
    }

    fn receives(&self) -> Vec<i32> {
        match self {
            Bytes::Recvmsg(_, Some(header)) => header.descriptors(),
            _ => Vec::new(),
        }
    }

    fn moves(&self) -> Moves {
        Moves::Nothing // it moves bytes
    }

    fn shows(&self) -> Shows {
        match self {
            Bytes::Send(_)
            | Bytes::Write(_)
            | Bytes::Writev(_)
            | Bytes::Sendto(..)
            | Bytes::Sendmsg(..)
            | Bytes::Sendfile { .. } => Shows::Arrow,
            Bytes::Recv(_)
            | Bytes::Read(_)
            | Bytes::Readv(_)
            | Bytes::Recvfrom(..)
            | Bytes::Recvmsg(..)
            | Bytes::Recvmmsg(_)
            | Bytes::Sendmmsg(_)
            | Bytes::Splice { .. }
            | Bytes::SyncFileRange { .. } => Shows::Itself,
        }
    }

    fn direction(&self, event: &Event, known: bool) -> Option<Direction> {
        // A file or a pipe has no address, and no other side.
        let named = event.peer.is_some();
        let socket = known || named || event.local.is_some();
        let stream = event.datagrams != Some(true);
        let end = event.ret == Some(0) && (named || known) && stream;
        let received = if end { Direction::End } else { Direction::In };
        match self {
            Bytes::Send(send) | Bytes::Sendmsg(send, ..) => {
                (!send.is_urgent()).then_some(Direction::Out)
            }
            Bytes::Sendto(send, _) if !event.has_datagrams() => {
                (!send.is_urgent()).then_some(Direction::Out)
            }
            Bytes::Sendto(..) | Bytes::Sendfile { .. } => Some(Direction::Out),
            Bytes::Read(_) | Bytes::Readv(_) => socket.then_some(received),
            Bytes::Write(_) | Bytes::Writev(_) => socket.then_some(Direction::Out),
            // The record does not say where one of several ends.
            Bytes::Sendmmsg(_) => (event.ret == Some(1)).then_some(Direction::Out),
            Bytes::Recvmmsg(_) => (event.ret == Some(1)).then_some(Direction::In),
            Bytes::Recv(receive) | Bytes::Recvfrom(receive, _) | Bytes::Recvmsg(receive, _) => {
                (receive.became() == Received::Taken).then_some(received)
            }
            Bytes::Splice { .. } => Some(received),
            Bytes::SyncFileRange { .. } => None,
        }
    }

    fn acts_at_once(&self) -> bool {
        match self {
            Bytes::Send(_)
            | Bytes::Write(_)
            | Bytes::Writev(_)
            | Bytes::Sendto(..)
            | Bytes::Sendmsg(..)
            | Bytes::Sendmmsg(_)
            | Bytes::Sendfile { .. } => true,
            Bytes::Recv(_)
            | Bytes::Read(_)
            | Bytes::Readv(_)
            | Bytes::Recvfrom(..)
            | Bytes::Recvmsg(..)
            | Bytes::Recvmmsg(_)
            | Bytes::Splice { .. }
            | Bytes::SyncFileRange { .. } => false,
        }
    }
}

/// Why a call on a socket of datagrams can be refused.
fn refused(lang: Lang) -> Failure {
    Failure::Because(
        lang.pick("; nothing received an earlier datagram", "；先前的一个数据报没有人接收"),
    )
}

/// What a message brings besides its bytes: `, with descriptor 5`.
fn passed(fds: &[i32], lang: Lang) -> String {
    let list = fds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match fds.len() {
        0 => String::new(),
        1 => say!(lang, ", with descriptor {list}", "，并传递描述符 {list}"),
        _ => say!(lang, ", with descriptors {list}", "，并传递描述符 {list}"),
    }
}

impl Bytes {
    /// Whether it moves bytes without a word on addresses: it is mostly used on a connection.
    fn is_plain(&self) -> bool {
        match self {
            Bytes::Recv(_)
            | Bytes::Read(_)
            | Bytes::Readv(_)
            | Bytes::Recvmsg(..)
            | Bytes::Send(_)
            | Bytes::Write(_)
            | Bytes::Writev(_)
            | Bytes::Sendmsg(..) => true,
            Bytes::Recvfrom(..)
            | Bytes::Recvmmsg(_)
            | Bytes::Sendto(..)
            | Bytes::Sendmmsg(_)
            | Bytes::Sendfile { .. }
            | Bytes::Splice { .. }
            | Bytes::SyncFileRange { .. } => false,
        }
    }

    /// Whether a datagram that it received may have been longer than what it returned: it filled the buffer, and nothing
    /// says how long it was.
    pub(super) fn may_be_cut(&self, event: &Event) -> bool {
        let filled = |receive: &Receive| {
            let told = receive.flags & libc::MSG_TRUNC != 0;
            !told && receive.room > 0 && event.bytes == Some(receive.room as u64)
        };
        match self {
            Bytes::Recv(receive) | Bytes::Read(receive) | Bytes::Recvfrom(receive, _) => {
                filled(receive)
            }
            Bytes::Recvmsg(_, Some(header)) => header.flags & libc::MSG_TRUNC != 0,
            _ => false,
        }
    }

    /// Whether the program named the receiver of the message.
    fn names_receiver(&self, event: &Event) -> bool {
        match self {
            Bytes::Sendto(..) => true,
            Bytes::Sendmsg(..) => event.has_datagrams(),
            _ => false,
        }
    }

    /// What one call received, in a sentence.
    fn received(&self, event: &Event, lang: Lang) -> String {
        let (bytes, from) = (event.bytes.unwrap_or_default(), peer(event, lang));
        let (moved, shown) = (count(bytes, lang), shown(event, lang));
        let nothing = event.ret.unwrap_or_default() == 0;
        let (returned, beside) = match self {
            Bytes::Recvmsg(receive, header) => (
                receive.became() == Received::Returned,
                header.as_deref().map(|header| header.beside(lang)).unwrap_or_default(),
            ),
            _ => (false, String::new()),
        };
        if !event.has_datagrams() {
            return match nothing {
                true => say!(
                    lang,
                    "0 bytes: the end, nothing more will come",
                    "0 字节：已读到末尾，不会再有数据",
                ),
                false => say!(lang, "{moved}: {shown}{beside}", "{moved}：{shown}{beside}"),
            };
        }
        let whole = event.asked.unwrap_or_default().max(event.ret.unwrap_or_default() as u64);
        let over = over_ipv4(from, lang);
        match self {
            _ if returned => say!(
                lang,
                "from the error queue: {moved} sent to {from} were not delivered: {shown}",
                "来自错误队列：发往 {from} 的 {moved}没有送达：{shown}",
            ),
            Bytes::Recvmsg(..) if event.peer.is_some() => say!(
                lang,
                "{moved} from {from}: {shown}{beside}",
                "来自 {from} 的 {moved}：{shown}{beside}",
            ),
            Bytes::Recvfrom(..) if nothing && event.peer.is_none() => {
                say!(lang, "no datagram: the socket was shut down", "没有数据报：套接字已被关停")
            }
            _ if whole > bytes => {
                let whole = count(whole, lang);
                say!(
                    lang,
                    "a datagram of {whole} from {from}, cut to {bytes}: the rest did not fit and is lost: {shown}",
                    "来自 {from} 的 {whole}数据报，截短为 {bytes} 字节：放不下的部分丢了：{shown}",
                )
            }
            _ if event.peer.is_none() => {
                say!(
                    lang,
                    "a datagram of {moved}: {shown}{beside}",
                    "{moved}的数据报：{shown}{beside}"
                )
            }
            _ => say!(
                lang,
                "a datagram of {moved} from {from}{over}: {shown}",
                "来自 {from}{over} 的 {moved}数据报：{shown}",
            ),
        }
    }
}
