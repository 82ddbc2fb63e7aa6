//! What is known of a socket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netplay_text::tcp::State;

/// A TCP or UDP socket of this host, or what is left of one (`TIME_WAIT`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inet {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The address of this end. A server for everybody has `0.0.0.0` or `[::]`.
    pub local: SocketAddr,
    /// The address of the other end, if there is one.
    pub peer: Option<SocketAddr>,
    /// Its state. A UDP socket has no more than two: `ESTABLISHED` when connected, else `CLOSE`.
    pub state: State,
    /// Bytes received that the program has not read. **For a listener: how many connections wait for
    /// accept.**
    pub receive_queue: u32,
    /// Bytes sent that are not acknowledged. **For a listener: its backlog**, how many may wait; 0 where
    /// only `/proc` could be asked, which does not know it.
    pub send_queue: u32,
    /// The number that every descriptor of this socket leads to; 0 if no process has it any more.
    pub inode: u64,
    /// The user who made it; 0 also where the kernel no longer knows.
    pub uid: u32,
    /// The number of the interface it is bound to; 0 is any.
    pub interface: u32,
    /// What it waits for, and how long still.
    pub timer: Option<Timer>,
    /// Whether an IPv6 socket keeps to IPv6 (`IPV6_V6ONLY`); if not, `[::]` takes IPv4 as well. `None`
    /// for IPv4, and where only `/proc` could be asked.
    pub v6only: Option<bool>,
    /// Its memory, if [`Ask::memory`] asked for it.
    pub memory: Option<Memory>,
    /// Its measurements, if [`Ask::tcp_info`] asked for them.
    pub tcp_info: Option<TcpInfo>,
}

impl Inet {
    /// Whether clients can come here: a TCP listener, or a UDP socket that is not connected.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match self.protocol {
            Protocol::Tcp => self.state == State::LISTEN,
            Protocol::Udp => self.peer.is_none(),
        }
    }

    /// Whether this TCP socket is bound, and neither listens nor is connected: no packet reaches it, but
    /// its port is taken. Linux lists such sockets since 6.8, in the state `CLOSE`; `/proc` and earlier
    /// kernels hide them.
    #[must_use]
    pub fn is_only_bound(&self) -> bool {
        self.protocol == Protocol::Tcp && self.state == State::CLOSE
    }
}

/// TCP or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Protocol {
    /// `tcp`, `udp`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }
}

/// A clock that runs for a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    /// What happens when it rings.
    pub kind: TimerKind,
    /// How long until then.
    pub left: Duration,
    /// How often it has rung in vain: retransmissions, keepalive probes without an answer.
    pub rung: u8,
}

/// What happens when a [`Timer`] rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerKind {
    /// What was not acknowledged is sent once more.
    Retransmit,
    /// A silent peer is asked whether it is still there (or a half-closed connection is given up).
    Keepalive,
    /// `TIME_WAIT` is over.
    TimeWait,
    /// A peer whose window is closed is asked whether it has opened.
    Probe,
}

impl TimerKind {
    /// `retransmit`, `keepalive`, `time-wait`, `probe`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TimerKind::Retransmit => "retransmit",
            TimerKind::Keepalive => "keepalive",
            TimerKind::TimeWait => "time-wait",
            TimerKind::Probe => "probe",
        }
    }

    /// The numbers of sock_diag, which are those of `/proc/net/tcp`.
    pub(super) fn from_number(number: u8) -> Option<TimerKind> {
        Some(match number {
            1 => TimerKind::Retransmit,
            2 => TimerKind::Keepalive,
            3 => TimerKind::TimeWait,
            4 => TimerKind::Probe,
            _ => return None,
        })
    }
}

/// The memory of a socket, in bytes as the kernel counts them: with its own overhead (`SO_MEMINFO`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Taken by what was received.
    pub received: u32,
    /// The most that may be: `SO_RCVBUF`.
    pub receive_buffer: u32,
    /// Taken by what is to be sent.
    pub unsent: u32,
    /// The most that may be: `SO_SNDBUF`.
    pub send_buffer: u32,
    /// Datagrams (or segments) that came and found no room.
    pub drops: u32,
}

/// A few of the measurements of a TCP connection (tcp(7), `TCP_INFO`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpInfo {
    /// How long an answer takes, smoothed.
    pub round_trip: Duration,
    /// After how long without an acknowledgement a segment is sent again.
    pub retransmit_after: Duration,
    /// The largest segment that is sent, in bytes.
    pub segment: u32,
    /// How many segments may be under way (the congestion window).
    pub window: u32,
    /// How many segments are under way, not acknowledged.
    pub under_way: u32,
    /// How many segments were sent again, since the beginning.
    pub sent_again: u32,
    /// How long ago data was received.
    pub last_received: Duration,
}

/// Which sockets, and what about them.
///
/// ```
/// use netplay_inspect::{self as inspect, Ask};
/// let listeners = inspect::tcp(Ask::port(5858).memory())?;
/// assert!(listeners.iter().all(|socket| socket.local.port() == 5858));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask {
    pub(super) port: Option<u16>,
    pub(super) open: bool,
    pub(super) memory: bool,
    pub(super) tcp_info: bool,
}

impl Ask {
    /// Every socket.
    #[must_use]
    pub fn all() -> Ask {
        Ask::default()
    }

    /// The sockets whose own port this is. The kernel sorts them out: 100,000 others cost little.
    #[must_use]
    pub fn port(port: u16) -> Ask {
        Ask { port: Some(port), ..Ask::default() }
    }

    /// The sockets that clients can come to: TCP listeners, and UDP sockets that are not connected.
    #[must_use]
    pub fn open() -> Ask {
        Ask { open: true, ..Ask::default() }
    }

    /// Also their memory, and what they dropped.
    #[must_use]
    pub fn memory(self) -> Ask {
        Ask { memory: true, ..self }
    }

    /// Also what TCP measured.
    #[must_use]
    pub fn tcp_info(self) -> Ask {
        Ask { tcp_info: true, ..self }
    }

    pub(super) fn wants(&self, socket: &Inet) -> bool {
        self.port.is_none_or(|port| port == socket.local.port()) && (!self.open || socket.is_open())
    }
}

/// A UNIX domain socket of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unix {
    /// Its name, if it is bound.
    pub name: Option<UnixName>,
    /// What it carries.
    pub kind: UnixKind,
    /// Whether it listens.
    pub listening: bool,
    /// Whether it is one end of a connection. What a listener accepts has the listener's name.
    pub connected: bool,
    /// How many connections wait for accept, if it listens; else the bytes that wait to be read. `None`
    /// where only `/proc` could be asked.
    pub receive_queue: Option<u32>,
    /// The backlog, if it listens. `None` where only `/proc` could be asked.
    pub send_queue: Option<u32>,
    /// The number that every descriptor of this socket leads to.
    pub inode: u64,
    /// The socket at the other end, if there is one and it is known.
    pub peer: Option<u64>,
    /// Whose it is; `None` where it is not told (before Linux 5.3, and in `/proc`).
    pub uid: Option<u32>,
    /// The file that it is bound to: device and inode. The name alone may be relative to an unknown
    /// directory, or mean another file by now.
    pub file: Option<(u64, u64)>,
}

impl Unix {
    /// Whether this is the socket bound to the file at `path`, and not merely to that name.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        match (self.file, std::fs::metadata(path)) {
            (Some(file), Ok(there)) => file == (there.dev(), there.ino()),
            _ => matches!(&self.name, Some(UnixName::Path(name)) if name == path),
        }
    }
}

/// What a UNIX domain socket is called (unix(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnixName {
    /// A file.
    Path(PathBuf),
    /// A name without a file, in a space of its own; any bytes.
    Abstract(Vec<u8>),
}

/// What a UNIX domain socket carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnixKind {
    /// Bytes: `SOCK_STREAM`.
    Stream,
    /// Messages: `SOCK_DGRAM`.
    Datagram,
    /// Messages over a connection: `SOCK_SEQPACKET`.
    Packets,
}

impl UnixKind {
    pub(super) fn from_number(number: u8) -> Option<UnixKind> {
        match i32::from(number) {
            libc::SOCK_STREAM => Some(UnixKind::Stream),
            libc::SOCK_DGRAM => Some(UnixKind::Datagram),
            libc::SOCK_SEQPACKET => Some(UnixKind::Packets),
            _ => None,
        }
    }
}
