//! Bytes that move, between two programs or between a program and a file.

use super::text::{Args, count, over_ipv4, peer, quoted, shown};
use super::{Direction, Event, Failure, Told};
use crate::escape::grouped;

/// A call that moves bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    /// recv(2)
    Recv(Received),
    /// recvfrom(2)
    Recvfrom(Received),
    /// recvmsg(2), with what it knows beside the bytes.
    Recvmsg(Received, Beside),
    /// send(2); whether it is urgent data, MSG_OOB, which has no place in the stream.
    Send(Urgent),
    /// sendto(2)
    Sendto,
    /// sendfile(2)
    Sendfile,
    /// splice(2)
    Splice,
    /// sync_file_range(2)
    SyncFileRange,
}

/// Whether bytes are sent as urgent data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Urgent {
    /// They are bytes like all others.
    #[default]
    No,
    /// They are: MSG_OOB.
    Yes,
}

/// What became of the bytes that a call received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Received {
    /// They are out of the socket.
    #[default]
    Taken,
    /// They are still there, or were never in the stream: MSG_PEEK, MSG_OOB.
    Aside,
    /// They came back from the network: MSG_ERRQUEUE.
    Returned,
}

/// What `recvmsg` knows of a message beside its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Beside {
    /// Nothing.
    #[default]
    Nothing,
    /// When it arrived.
    Time,
    /// How many routers it could still have passed, over IPv4.
    TimeToLive,
    /// The same over IPv6.
    HopLimit,
}

impl Received {
    fn read(args: Args<'_>) -> Received {
        match args {
            _ if args.has("MSG_ERRQUEUE") => Received::Returned,
            _ if args.has("MSG_PEEK") || args.has("MSG_OOB") => Received::Aside,
            _ => Received::Taken,
        }
    }
}

impl Beside {
    fn read(args: Args<'_>) -> Beside {
        match args {
            _ if args.has("SO_TIMESTAMPNS") => Beside::Time,
            _ if args.has("cmsg_type=IP_TTL") => Beside::TimeToLive,
            _ if args.has(&format!("SOL_IPV6, cmsg_type={:#x}", libc::IPV6_HOPLIMIT)) => {
                Beside::HopLimit
            }
            _ => Beside::Nothing,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Beside::Nothing => "",
            Beside::Time => ", and the time of its arrival",
            Beside::TimeToLive => ", and its time to live",
            Beside::HopLimit => ", and its hop limit",
        }
    }
}

impl Told for Bytes {
    fn read(name: &str, event: &Event) -> Option<Bytes> {
        let args = Args::of(event);
        Some(match name {
            "recv" => Bytes::Recv(Received::read(args)),
            "recvfrom" => Bytes::Recvfrom(Received::read(args)),
            "recvmsg" => Bytes::Recvmsg(Received::read(args), Beside::read(args)),
            "send" if args.has("MSG_OOB") => Bytes::Send(Urgent::Yes),
            "send" => Bytes::Send(Urgent::No),
            "sendto" => Bytes::Sendto,
            "sendfile" => Bytes::Sendfile,
            "splice" => Bytes::Splice,
            "sync_file_range" => Bytes::SyncFileRange,
            _ => return None,
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Bytes::Recv(_) => "recv",
            Bytes::Recvfrom(_) => "recvfrom",
            Bytes::Recvmsg(..) => "recvmsg",
            Bytes::Send(_) => "send",
            Bytes::Sendto => "sendto",
            Bytes::Sendfile => "sendfile",
            Bytes::Splice => "splice",
            Bytes::SyncFileRange => "sync_file_range",
        }
    }

    fn english(&self, event: &Event) -> String {
        let (bytes, peer) = (event.bytes.unwrap_or_default(), peer(event));
        let asked = event.asked.unwrap_or(bytes);
        let nothing = event.ret.unwrap_or_default() == 0;
        let shown = shown(event);
        match self {
            Bytes::Recv(_) if nothing => "0 bytes: the end, nothing more will come".to_owned(),
            Bytes::Recv(_) => format!("{}: {shown}", count(bytes)),
            Bytes::Recvfrom(_) if event.peer.is_none() => {
                "no datagram: the socket was shut down".to_owned()
            }
            Bytes::Recvfrom(_) if asked > bytes => format!(
                "a datagram of {} from {peer}, cut to {bytes}: the rest did not fit and is gone: {shown}",
                count(asked)
            ),
            Bytes::Recvfrom(_) => {
                format!("a datagram of {} from {peer}{}: {shown}", count(bytes), over_ipv4(peer))
            }
            Bytes::Recvmsg(..) if nothing && event.peer.is_none() => {
                "0 bytes: the end, nothing more will come".to_owned()
            }
            Bytes::Recvmsg(Received::Returned, _) => format!(
                "from the error queue: {} sent to {peer} came to nothing: {shown}",
                count(bytes)
            ),
            Bytes::Recvmsg(_, beside) => {
                let from = event.peer.as_ref().map(|_| format!(" from {peer}")).unwrap_or_default();
                format!("{}{from}: {shown}{}", count(bytes), beside.words())
            }
            Bytes::Send(_) => {
                format!("the kernel took {} of {}: {shown}", grouped(bytes), count(asked))
            }
            Bytes::Sendto => format!("a datagram of {} to {peer}: {shown}", count(bytes)),
            Bytes::Sendfile if nothing => "0 bytes: the end of the file".to_owned(),
            Bytes::Sendfile => {
                format!("{} from the file to the socket, past this program", count(bytes))
            }
            Bytes::Splice if nothing => "0 bytes: the end".to_owned(),
            Bytes::Splice => format!("{} moved inside the kernel, past this program", count(bytes)),
            Bytes::SyncFileRange => "the kernel begins to write the file to the disk".to_owned(),
        }
    }

    fn failure(&self, errno: &str, _: &Event) -> Option<Failure> {
        use Bytes::{Recv, Recvfrom, Recvmsg, Send, Sendfile, Sendto, Splice};
        let ordinary = match (self, errno) {
            (Recv(_) | Recvfrom(_) | Recvmsg(..) | Splice, "EAGAIN") => {
                "nothing has arrived yet (EAGAIN)"
            }
            (Send(_) | Sendto | Sendfile, "EAGAIN") => "the send buffer is full (EAGAIN)",
            (Recv(_), "ENOBUFS") => "no buffer is left to put bytes into (ENOBUFS)",
            (Send(_), "EPIPE") => return Some(Failure::Because("; the connection is over")),
            (Recv(_) | Send(_), "ECONNRESET") => {
                return Some(Failure::Because("; the peer ended it by force"));
            }
            (Recv(_) | Recvfrom(_), "ECONNREFUSED") => {
                return Some(Failure::Because("; an earlier datagram found nobody"));
            }
            _ => return None,
        };
        Some(Failure::Ordinary(ordinary.to_owned()))
    }

    fn failed_at<'a>(&self, event: &'a Event) -> Option<&'a str> {
        event.peer.as_deref().filter(|_| *self == Bytes::Sendto)
    }

    fn asked(&self, on: String, event: &Event) -> String {
        match self {
            Bytes::Send(_) => format!("{on} {}", quoted(event)),
            Bytes::Sendto => {
                format!("{on} {} to {}", quoted(event), event.peer.as_deref().unwrap_or_default())
            }
            Bytes::Recv(_)
            | Bytes::Recvfrom(_)
            | Bytes::Recvmsg(..)
            | Bytes::Sendfile
            | Bytes::Splice
            | Bytes::SyncFileRange => on,
        }
    }

    fn answered(&self, event: &Event) -> String {
        let bytes = event.bytes.unwrap_or_default();
        let nothing = event.ret.unwrap_or_default() == 0;
        match self {
            Bytes::Recv(_) | Bytes::Recvmsg(..) if nothing => "0: the end".to_owned(),
            Bytes::Recvfrom(_) if nothing && event.peer.is_none() => "0: shut down".to_owned(),
            Bytes::Recv(_) => format!("{} {}", count(bytes), quoted(event)),
            Bytes::Recvfrom(_) | Bytes::Recvmsg(..) => {
                let from = event.peer.as_deref().unwrap_or_default();
                match event.asked.filter(|&asked| asked > bytes) {
                    Some(asked) => format!("{bytes} of {asked} {} from {from}", quoted(event)),
                    None => format!("{} {} from {from}", count(bytes), quoted(event)),
                }
            }
            Bytes::Send(_) | Bytes::Sendto => match event.asked.filter(|&asked| asked != bytes) {
                Some(asked) => format!("{} of {} bytes", grouped(bytes), grouped(asked)),
                None => count(bytes),
            },
            Bytes::Sendfile | Bytes::Splice if nothing => "0: the end".to_owned(),
            Bytes::Sendfile | Bytes::Splice => count(bytes),
            Bytes::SyncFileRange => super::text::number(event.ret),
        }
    }

    fn waits(&self) -> bool {
        matches!(self, Bytes::Recv(_) | Bytes::Recvfrom(_) | Bytes::Recvmsg(..) | Bytes::Send(_))
    }

    fn direction(&self, event: &Event) -> Option<Direction> {
        let end = event.ret == Some(0) && event.peer.is_some();
        let received = if end { Direction::End } else { Direction::In };
        match self {
            Bytes::Send(Urgent::Yes) => None,
            Bytes::Send(Urgent::No) | Bytes::Sendto | Bytes::Sendfile => Some(Direction::Out),
            Bytes::Recv(how) | Bytes::Recvfrom(how) | Bytes::Recvmsg(how, _) => {
                (*how == Received::Taken).then_some(received)
            }
            Bytes::Splice => Some(received),
            Bytes::SyncFileRange => None,
        }
    }

    fn acts_at_once(&self) -> bool {
        matches!(self, Bytes::Send(_) | Bytes::Sendto | Bytes::Sendfile)
    }
}
