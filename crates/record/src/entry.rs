//! What moves through the rings of io_uring: entries and answers.

/// An entry of the submission ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submission {
    /// The number that the completion will have.
    pub user_data: u64,
    /// The descriptor that it is about.
    pub fd: i32,
    /// The operation.
    pub entry: Entry,
}

/// An operation, with the fields of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// IORING_OP_ACCEPT
    Accept {
        /// Whether it is multishot.
        often: bool,
    },
    /// IORING_OP_RECV, into a buffer of this size.
    Recv(usize),
    /// Multishot IORING_OP_RECV, each time into a buffer of this group.
    RecvOften(u16),
    /// IORING_OP_SEND of this many bytes.
    Send(usize),
    /// IORING_OP_RECVMSG
    Recvmsg,
    /// IORING_OP_POLL_ADD for these events.
    Poll(i16),
    /// IORING_OP_ASYNC_CANCEL of the operation with this number.
    Cancel(u64),
    /// IORING_OP_CONNECT
    Connect,
    /// IORING_OP_CLOSE
    Close,
    /// IORING_OP_READ, into a buffer of this size.
    Read(usize),
    /// IORING_OP_WRITE of this many bytes.
    Write(usize),
    /// IORING_OP_SENDMSG
    Sendmsg,
    /// IORING_OP_SHUTDOWN
    Shutdown,
    /// IORING_OP_SOCKET
    Socket,
}

/// The flag of a multishot operation in its entry.
pub(super) const MULTISHOT: &str = "multishot";
/// The flag of a completion that is not the last.
pub(super) const MORE: &str = "IORING_CQE_F_MORE";

impl Submission {
    /// Whether it completes until it is cancelled.
    pub fn is_often(&self) -> bool {
        matches!(self.entry, Entry::Accept { often: true } | Entry::RecvOften(_))
    }

    /// `IORING_OP_RECV, fd=4, user_data=2, len=1024`
    pub fn text(&self) -> String {
        let (code, with) = match self.entry {
            Entry::Accept { often } => {
                let often = if often { format!(", {MULTISHOT}") } else { String::new() };
                ("IORING_OP_ACCEPT", format!("{often}, SOCK_CLOEXEC"))
            }
            Entry::Recv(size) => ("IORING_OP_RECV", format!(", len={size}")),
            Entry::RecvOften(group) => {
                ("IORING_OP_RECV", format!(", {MULTISHOT}, buf_group={group}"))
            }
            Entry::Send(len) => ("IORING_OP_SEND", format!(", len={len}, MSG_NOSIGNAL")),
            Entry::Recvmsg => ("IORING_OP_RECVMSG", String::new()),
            Entry::Poll(events) => ("IORING_OP_POLL_ADD", format!(", events={events:#x}")),
            Entry::Cancel(of) => ("IORING_OP_ASYNC_CANCEL", format!(", operation {of}")),
            Entry::Connect => ("IORING_OP_CONNECT", String::new()),
            Entry::Close => ("IORING_OP_CLOSE", String::new()),
            Entry::Read(size) => ("IORING_OP_READ", format!(", len={size}")),
            Entry::Write(len) => ("IORING_OP_WRITE", format!(", len={len}")),
            Entry::Sendmsg => ("IORING_OP_SENDMSG", String::new()),
            Entry::Shutdown => ("IORING_OP_SHUTDOWN", String::new()),
            Entry::Socket => ("IORING_OP_SOCKET", String::new()),
        };
        format!("{code}, fd={}, user_data={}{with}", self.fd, self.user_data)
    }
}

/// An entry of the completion ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The number of the operation.
    pub user_data: u64,
    /// Its result, or an error below zero.
    pub result: i32,
    /// The buffer that the kernel took, by its number.
    pub buffer: Option<u16>,
    /// Whether more completions will come.
    pub more: bool,
    /// Whether the socket has more bytes.
    pub nonempty: bool,
}

impl Answer {
    /// `user_data=2, res=5, flags=IORING_CQE_F_BUFFER|IORING_CQE_F_MORE, bid=3`
    pub fn text(&self) -> String {
        let mut text = format!("user_data={}, res={}", self.user_data, self.result);
        let names = [
            (self.buffer.is_some(), "IORING_CQE_F_BUFFER"),
            (self.more, MORE),
            (self.nonempty, "IORING_CQE_F_SOCK_NONEMPTY"),
        ];
        let set: Vec<&str> = names.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
        if !set.is_empty() {
            text += &format!(", flags={}", set.join("|"));
        }
        if let Some(number) = self.buffer {
            text += &format!(", bid={number}");
        }
        text
    }
}
