//! A line of a trace.

use serde::{Deserialize, Serialize, Serializer};

use super::{Answer, Call, Outcome, Strace, Submission, Text, What, errno_name};

/// One line of a trace: a call, an operation of a ring, or a note between calls. `schema/trace.schema.json` says the same
/// for programs.
///
/// Keys are only ever added. What is unknown is `null`; the keys from `out` on are left out then.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Event {
    /// The version of this format: 1.
    pub v: u32,
    /// What the line is about.
    pub kind: Kind,
    /// When the call began: nanoseconds of CLOCK_MONOTONIC, comparable within one boot of one host.
    pub start_ns: u64,
    /// How long it took, in nanoseconds; waiting included.
    pub dur_ns: u64,
    /// When it began, as calendar time (RFC 3339).
    pub wall: Text,
    /// The process.
    pub pid: i32,
    /// The thread; equal to `pid` in a process's first thread.
    pub tid: i32,
    /// The role of the process: `server`, `client`, or another name that a program gives itself.
    pub role: Text,
    /// The example: `tcp-echo`.
    pub example: Text,
    /// The call's name in the manual and on the page: `recv`.
    pub call: Option<Text>,
    /// The kernel's name for it, as strace shows: `recvfrom`.
    pub syscall: Option<Text>,
    /// The descriptor it was about.
    pub fd: Option<i32>,
    /// The arguments, as strace prints them.
    pub args: Option<Text>,
    /// The result; -1 if it failed. `None` for a call that had not returned when the record ended.
    pub ret: Option<i64>,
    /// Why it failed: `EAGAIN`.
    pub errno: Option<Text>,
    /// How many bytes moved.
    pub bytes: Option<u64>,
    /// The first 64 of them, escaped.
    pub data: Option<Text>,
    /// The address at this end.
    pub local: Option<Text>,
    /// The address at the other end.
    pub peer: Option<Text>,
    /// What strace prints after the result: `(in [3])`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out: Option<Text>,
    /// The value of a socket option in words: `1.5 s`. Of a note: how a process ended, `exited 0`, or that it is asked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Text>,
    /// Whether the socket carries datagrams, where the call by itself does not say so: some options mean something
    /// else for them, a `recv` may take one, a `recvfrom` may read a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datagrams: Option<bool>,
    /// What a wait found ready: `3 POLLIN, 5 POLLIN|POLLHUP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Text>,
    /// How many bytes there were: given to a send, or in the datagram received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<u64>,
    /// How many of the bytes are secret, and appear as `*` in `data` and `args`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<u64>,
    /// The state, queues and buffers of the socket after the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Text>,
    /// The number that links the completion of an operation to its submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<u64>,
    /// The sentence of a note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// The clock that `start_ns` belongs to: the first eight digits of the kernel's boot id; another number in a time
    /// namespace whose clock is set off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Text>,
    /// What was called, as a value, read once from the keys above.
    #[serde(skip)]
    pub what: What,
    /// Which host it is from, where a reader has traces of several: 0 for the first.
    #[serde(skip)]
    pub host: u8,
    /// For an operation of a ring: whether it completes until it is cancelled, or more completions follow this one.
    #[serde(skip)]
    pub again: bool,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Event::serialize(self, serializer)
    }
}

impl Event {
    /// The event of a call that was made outside of this program: what is known without a clock and without names. `strace` has the
    /// words of its line, because others call in forms that [`Call::strace`] does not print. Times, the process, its role and what the
    /// [descriptors](super::Descriptors) know are left to the caller.
    #[must_use]
    pub fn of(call: Call, outcome: &Outcome, strace: Strace) -> Event {
        let facts = call.facts(outcome);
        let Strace { syscall, args, out } = strace;
        Event {
            v: 1,
            kind: Kind::Call,
            call: Some(call.name().into()),
            syscall: Some(syscall.into()),
            args: Some(args.into()),
            out: out.map(Text::from),
            fd: outcome.fd,
            ret: outcome.ret,
            errno: outcome.errno.map(|errno| errno_name(errno).into()),
            bytes: facts.bytes,
            asked: facts.asked,
            data: facts.data.map(Text::from),
            hidden: facts.hidden,
            value: facts.value.map(Text::from),
            datagrams: facts.datagrams,
            ready: facts.ready.map(Text::from),
            local: facts.local.map(Text::from),
            peer: facts.peer.map(Text::from),
            what: call.into(),
            ..Event::default()
        }
    }

    /// The event of an operation that was written into the submission ring of io_uring.
    #[must_use]
    pub fn submitted(call: Call, of: &Submission) -> Event {
        Event {
            v: 1,
            kind: Kind::Submit,
            call: Some(call.name().into()),
            args: Some(of.text().into()),
            fd: Some(of.fd),
            user_data: Some(of.user_data),
            again: of.is_often(),
            what: call.into(),
            ..Event::default()
        }
    }

    /// The event of its completion.
    #[must_use]
    pub fn completed(call: Call, fd: i32, of: &Answer) -> Event {
        let errno = (of.result < 0).then_some(-of.result);
        let outcome = Outcome { fd: Some(fd), ret: Some(of.result.max(-1).into()), errno };
        // What a call that failed was asked is told by its submission.
        let call_of = |call: Call| match errno {
            Some(_) => {
                Event { call: Some(call.name().into()), what: call.into(), ..Event::default() }
            }
            None => Event::of(call, &outcome, Strace::new("", "")),
        };
        Event {
            v: 1,
            kind: Kind::Complete,
            syscall: None,
            args: Some(of.text().into()),
            out: None,
            fd: outcome.fd,
            ret: outcome.ret,
            errno: errno.map(|errno| errno_name(errno).into()),
            user_data: Some(of.user_data),
            again: of.more,
            ..call_of(call)
        }
    }

    /// Whether it is a call that did not fail, and has returned.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.ret.is_some() && self.errno.is_none()
    }

    /// Whether it is a call that had not returned when the record ended.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.kind == Kind::Call && self.call.is_some() && self.ret.is_none() && self.errno.is_none()
    }

    /// When the event affects others, in nanoseconds of CLOCK_MONOTONIC: for a call that waits, when
    /// it returns; for any other, when it begins. So a `send` comes before the `recv` that it wakes. An
    /// operation of a ring is done when its completion is taken.
    #[must_use]
    pub fn moment(&self) -> u64 {
        let at_once = self.what.acts_at_once() && self.kind != Kind::Complete;
        match self.dur_ns {
            0..10_000_000 if at_once => self.start_ns,
            _ => self.start_ns + self.dur_ns,
        }
    }
}

/// What a line of a trace is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A system call.
    #[default]
    Call,
    /// An operation was written into the submission ring of io_uring: not a system call.
    Submit,
    /// Its completion was taken out of the ring: also not a system call. It began when it was
    /// submitted.
    Complete,
    /// A remark between calls.
    Note,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Bytes, Connection, Control, Data, Descriptors, DupName, Ending, Family, Fcntl, Header,
        Ioctl, ManyIn, Process, Receive, Send, SocketKind, Sockopt, Type,
    };
    use netplay_text::lang::Lang;

    fn received(text: &str) -> Receive {
        Receive { room: 64, data: Some(Data::new(text.as_bytes(), 0)), ..Receive::default() }
    }

    fn sent(text: &str) -> Send {
        Send { flags: libc::MSG_NOSIGNAL, data: Data::new(text.as_bytes(), 0) }
    }

    fn of(call: impl Into<Call>, fd: Option<i32>, ret: Option<i64>) -> Event {
        let call = call.into();
        let outcome = Outcome { fd, ret, errno: None };
        let strace = call.strace(&outcome);
        Event::of(call, &outcome, strace)
    }

    fn read_again(event: &Event) -> Event {
        serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap()
    }

    /// Descriptor 4 is a socket of this type, which is connected.
    fn connected(ty: Type) -> Descriptors {
        let mut all = Descriptors::default();
        let socket = all.entry(4);
        (socket.socket, socket.ty) = (Some(true), Some(ty));
        socket.peer = Some("127.0.0.1:5858".into());
        all
    }

    #[test]
    fn a_call_of_another_program_is_told_from_its_line_as_it_was() {
        let kind = SocketKind {
            family: Family::Unix,
            ty: Type::Stream,
            protocol: 0,
            flags: libc::SOCK_NONBLOCK,
        };
        let header =
            Header { control: vec![Control::of_descriptors(&[7, 8])], ..Header::default() };
        let many = ManyIn { room: 8, datagrams: vec![Data::new(b"hi", 0); 2], ..ManyIn::default() };
        let exited = Some(Ending::Exited(3));
        let told = [
            (
                of(Bytes::Read(received("hi")), Some(4), Some(2)),
                r#"read(4, "hi", 64) = 2"#,
                "2 bytes: \"hi\"",
            ),
            (
                of(Bytes::Read(received("MSG_PEEK")), Some(4), Some(8)),
                r#"read(4, "MSG_PEEK", 64) = 8"#,
                "8 bytes: \"MSG_PEEK\"",
            ),
            (
                of(Bytes::Readv(received("hi")), Some(4), Some(2)),
                r#"readv(4, [{iov_base="hi", iov_len=64}], 1) = 2"#,
                "2 bytes: \"hi\"",
            ),
            (
                of(Bytes::Write(sent("hello")), Some(4), Some(2)),
                r#"write(4, "hello", 5) = 2"#,
                "the kernel took 2 of 5 bytes: \"he\"",
            ),
            (
                of(Bytes::Writev(sent("hi")), Some(4), Some(2)),
                r#"writev(4, [{iov_base="hi", iov_len=2}], 1) = 2"#,
                "the kernel took 2 of 2 bytes: \"hi\"",
            ),
            (
                of(Bytes::Sendmsg(sent("hi"), None, vec![5]), Some(4), Some(2)),
                "sendmsg(4, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=\"hi\", iov_len=2}], msg_iovlen=1, \
                 msg_control=[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[5]}], \
                 msg_controllen=24, msg_flags=0}, MSG_NOSIGNAL) = 2",
                "the kernel took 2 of 2 bytes: \"hi\", with descriptor 5",
            ),
            (
                of(Bytes::Recvmsg(received("hi"), Some(header.into())), Some(4), Some(2)),
                "recvmsg(4, {msg_name=0x..., msg_namelen=128 => 0, msg_iov=[{iov_base=\"hi\", iov_len=64}], \
                 msg_iovlen=1, msg_control=[{cmsg_len=24, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, \
                 cmsg_data=[7, 8]}], msg_controllen=0, msg_flags=0}, 0) = 2",
                "2 bytes: \"hi\", and descriptors of the peer's, here 7, 8",
            ),
            (
                of(Bytes::Recvmmsg(many), Some(4), Some(2)),
                "recvmmsg(4, [{msg_hdr={msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=\"hi\", iov_len=2}], \
                 msg_iovlen=1, msg_controllen=0, msg_flags=0}, msg_len=2}, {msg_hdr={msg_name=NULL, msg_namelen=0, \
                 msg_iov=[{iov_base=\"hi\", iov_len=2}], msg_iovlen=1, msg_controllen=0, msg_flags=0}, msg_len=2}], \
                 8, 0, NULL) = 2",
                "2 datagrams, 4 bytes in all; the first from its peer: \"hi\"",
            ),
            (
                of(Connection::Socketpair(kind, Some([5, 6])), None, Some(0)),
                "socketpair(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK, 0, [5, 6]) = 0",
                "two UNIX stream sockets, connected to each other: fd 5 and fd 6",
            ),
            (
                of(
                    Connection::Dup { how: DupName::Dup2, to: Some(1), cloexec: false },
                    Some(4),
                    Some(1),
                ),
                "dup2(4, 1) = 1",
                "fd 1 now means the same as fd 4: it stays open until both are closed",
            ),
            (
                of(
                    Connection::CloseRange { first: 3, last: u32::MAX, cloexec: false },
                    None,
                    Some(0),
                ),
                "close_range(3, 4294967295, 0) = 0",
                "closed every descriptor from 3 on",
            ),
            (
                of(Sockopt::Fcntl(Fcntl::Duplicate { from: 10, cloexec: true }), Some(4), Some(11)),
                "fcntl(4, F_DUPFD_CLOEXEC, 10) = 11",
                "fd 11 now means the same as fd 4: it stays open until both are closed",
            ),
            (
                of(Sockopt::Ioctl(Ioctl::NonBlocking(true)), Some(4), Some(0)),
                "ioctl(4, FIONBIO, [1]) = 0",
                "non-blocking from now on: a call that would wait fails with EAGAIN",
            ),
            (
                of(Sockopt::Ioctl(Ioctl::Readable(Some(12))), Some(4), Some(0)),
                "ioctl(4, FIONREAD, [12]) = 0",
                "12 bytes can be read now",
            ),
            (
                of(Process::Execve("/bin/cat".into()), None, Some(0)),
                "execve(\"/bin/cat\", [...], 0x...) = 0",
                "the process runs /bin/cat from here on",
            ),
            (
                of(Process::Waitpid { child: -1, waits: true, ending: exited }, None, Some(9)),
                "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 9",
                "child process 9 is reaped: it exited with 3",
            ),
        ];
        for (event, strace, sentence) in told {
            let read = read_again(&event);
            assert_eq!(event.strace(), strace);
            assert_eq!(event.sentence(Lang::En), sentence);
            assert_eq!(read.what.moves(), event.what.moves(), "{strace}");
            assert_eq!(read.what.passes(), event.what.passes(), "{strace}");
            assert_eq!(read.what.receives(), event.what.receives(), "{strace}");
            assert_eq!(read.direction(), event.direction(), "{strace}");
            for lang in [Lang::En, Lang::Zh] {
                assert_eq!(read.sentence(lang), event.sentence(lang));
                assert_eq!(read.asked(lang), event.asked(lang));
                assert_eq!(read.answered(lang), event.answered(lang));
            }
        }
    }

    #[test]
    fn the_answer_of_waitid_names_the_child() {
        let ended = "P_ALL, 0, {si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=9, si_uid=0, si_status=SIGKILL, \
                     si_utime=0, si_stime=0}, WEXITED, NULL";
        let event = Event {
            call: Some("waitpid".into()),
            syscall: Some("waitid".into()),
            args: Some(ended.into()),
            ret: Some(0),
            ..Event::default()
        };
        let event = event.read();
        assert_eq!(event.sentence(Lang::En), "child process 9 is reaped: SIGKILL ended it");
        assert_eq!(event.what.moves(), crate::Moves::Ends { child: Some(9) });
    }

    #[test]
    fn the_socket_and_not_the_name_of_the_call_says_what_moved() {
        use crate::Direction::{End, In, Out};
        let recvfrom = |text| Bytes::Recvfrom(received(text), None);
        let told = |ty, mut event: Event| {
            connected(ty).complete(&mut event, None);
            let read = read_again(&event);
            assert_eq!(read.sentence(Lang::En), event.sentence(Lang::En));
            (event.datagrams, event.sentence(Lang::En), event.direction().unwrap())
        };
        let recv = |text| Bytes::Recv(received(text));
        let end = "0 bytes: the end, nothing more will come";
        for (ty, event, datagrams, sentence, direction) in [
            (
                Type::Datagram,
                of(recv("hi"), Some(4), Some(2)),
                Some(true),
                "a datagram of 2 bytes from 127.0.0.1:5858: \"hi\"",
                In,
            ),
            (
                Type::Datagram,
                of(recv(""), Some(4), Some(0)),
                Some(true),
                "a datagram of 0 bytes from 127.0.0.1:5858: \"\"",
                In,
            ),
            (
                Type::Datagram,
                of(Bytes::Write(sent("hi")), Some(4), Some(2)),
                Some(true),
                "a datagram of 2 bytes to 127.0.0.1:5858: \"hi\"",
                Out,
            ),
            (
                Type::Datagram,
                of(recvfrom("hi"), Some(4), Some(2)),
                None,
                "a datagram of 2 bytes from 127.0.0.1:5858: \"hi\"",
                In,
            ),
            (
                Type::Stream,
                of(recvfrom("hi"), Some(4), Some(2)),
                Some(false),
                "2 bytes: \"hi\"",
                In,
            ),
            (Type::Stream, of(recvfrom(""), Some(4), Some(0)), Some(false), end, End),
            (Type::Stream, of(recv(""), Some(4), Some(0)), None, end, End),
            (
                Type::Stream,
                of(Bytes::Recvmsg(received(""), None), Some(4), Some(0)),
                Some(false),
                end,
                End,
            ),
        ] {
            assert_eq!(told(ty, event), (datagrams, sentence.to_owned(), direction), "{ty:?}");
        }
    }

    #[test]
    fn a_call_that_has_not_returned_says_what_it_waits_for() {
        let waits = |call: Call| {
            let mut event = of(call, Some(4), None);
            connected(Type::Stream).complete(&mut event, None);
            let event = read_again(&event);
            assert!(event.is_unfinished() && event.direction().is_none() && !event.is_done());
            assert!(event.strace().ends_with(" = ?"), "{}", event.strace());
            let zh = event.sentence(Lang::Zh);
            assert!(zh.contains("到记录结束时"), "{zh}");
            let en = event.sentence(Lang::En);
            let rest = en.strip_suffix("it was still waiting when the recording ended");
            let rest = rest.or(en.strip_suffix("it had not yet returned when the recording ended"));
            rest.unwrap().to_owned()
        };
        let receive = Receive { room: 64, ..Receive::default() };
        let accept = Connection::Accept { peer: None, nonblock: false, cloexec: false };
        let child = Process::Waitpid { child: -1, waits: true, ending: None };
        for (call, what) in [
            (accept.into(), "waiting for a client: "),
            (Connection::Connect(None).into(), "waiting for 127.0.0.1:5858 to answer: "),
            (Bytes::Recv(receive.clone()).into(), "waiting for bytes: "),
            (Bytes::Recvfrom(receive, None).into(), "waiting for bytes: "),
            (Bytes::Write(sent("hi")).into(), "waiting for room in the send buffer: "),
            (child.into(), "waiting for the end of a child: "),
            (Connection::Close.into(), ""),
        ] {
            assert_eq!(waits(call), what);
        }
    }
}
