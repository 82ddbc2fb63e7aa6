//! What is known about a socket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netplay_text::tcp::State;

/// A TCP or UDP socket of this host, or what is left of one (`TIME_WAIT`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inet {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The address of this end. A server that listens on every address has `0.0.0.0` or `[::]`.
    pub local: SocketAddr,
    /// The address of the other end, if there is one.
    pub peer: Option<SocketAddr>,
    /// Its state. A UDP socket has only two: `ESTABLISHED` when connected, else `CLOSE`.
    pub state: State,
    /// Bytes received that the program has not read. **For a listener: how many connections wait for
    /// accept.**
    pub receive_queue: u32,
    /// Bytes sent that are not acknowledged. **For a listener: its backlog**, how many may wait; 0 if
    /// it was read from `/proc`, which does not have it.
    pub send_queue: u32,
    /// The number that every descriptor of this socket leads to; 0 if no process has it any more.
    pub inode: u64,
    /// The user that made it; also 0 if the kernel no longer knows.
    pub uid: u32,
    /// The number of the interface it is bound to; 0 is any.
    pub interface: u32,
    /// What it waits for, and how much longer.
    pub timer: Option<Timer>,
    /// Whether an IPv6 socket is for IPv6 only (`IPV6_V6ONLY`); if not, `[::]` also accepts IPv4. `None`
    /// for IPv4, and if it was read from `/proc`.
    pub v6only: Option<bool>,
    /// Its memory, if [`Ask::memory`] asked for it.
    pub memory: Option<Memory>,
    /// Its measurements, if [`Ask::tcp_info`] asked for them.
    pub tcp_info: Option<TcpInfo>,
}

impl Inet {
    /// Whether clients can reach it: a TCP listener, or a UDP socket that is not connected.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match self.protocol {
            Protocol::Tcp => self.state == State::LISTEN,
            Protocol::Udp => self.peer.is_none(),
        }
    }

    /// Whether this TCP socket is bound, but neither listens nor is connected: no packet reaches it, but
    /// its port is in use. Linux lists such sockets since 6.8, in the state `CLOSE`; `/proc` and earlier
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

/// A timer of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    /// What happens when it expires.
    pub kind: TimerKind,
    /// How long until then.
    pub left: Duration,
    /// How often it has expired without an answer: retransmissions, keepalive probes.
    pub rung: u8,
}

/// What happens when a [`Timer`] expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerKind {
    /// Unacknowledged data is sent again.
    Retransmit,
    /// A silent peer is probed (or a half-closed connection is given up).
    Keepalive,
    /// `TIME_WAIT` ends.
    TimeWait,
    /// A peer with a closed window is probed whether it has opened.
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
    /// Used by received data.
    pub received: u32,
    /// The limit for that: `SO_RCVBUF`.
    pub receive_buffer: u32,
    /// Used by data to send.
    pub unsent: u32,
    /// The limit for that: `SO_SNDBUF`.
    pub send_buffer: u32,
    /// Datagrams (or segments) that were dropped because there was no room.
    pub drops: u32,
}

/// A few of the measurements of a TCP connection (tcp(7), `TCP_INFO`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpInfo {
    /// The round-trip time, smoothed.
    pub round_trip: Duration,
    /// After how long without an acknowledgement a segment is sent again.
    pub retransmit_after: Duration,
    /// The largest segment that is sent, in bytes.
    pub segment: u32,
    /// How many segments may be in flight (the congestion window).
    pub window: u32,
    /// How many segments are in flight, not acknowledged.
    pub under_way: u32,
    /// How many segments were sent again in total.
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

    /// The sockets with this local port. The kernel filters them: 100,000 others cost little.
    #[must_use]
    pub fn port(port: u16) -> Ask {
        Ask { port: Some(port), ..Ask::default() }
    }

    /// The sockets that clients can reach: TCP listeners, and UDP sockets that are not connected.
    #[must_use]
    pub fn open() -> Ask {
        Ask { open: true, ..Ask::default() }
    }

    /// Also their memory, and what they dropped.
    #[must_use]
    pub fn memory(self) -> Ask {
        Ask { memory: true, ..self }
    }

    /// Also TCP's measurements.
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
    /// Whether it is one end of a connection. A socket that a listener accepted has the listener's name.
    pub connected: bool,
    /// How many connections wait for accept, if it listens; else the bytes that wait to be read. `None`
    /// if it was read from `/proc`.
    pub receive_queue: Option<u32>,
    /// The backlog, if it listens. `None` if it was read from `/proc`.
    pub send_queue: Option<u32>,
    /// The number that every descriptor of this socket leads to.
    pub inode: u64,
    /// The socket at the other end, if there is one and it is known.
    pub peer: Option<u64>,
    /// The user that it belongs to; `None` if unknown (before Linux 5.3, and from `/proc`).
    pub uid: Option<u32>,
    /// The file that it is bound to: device and inode. The name alone may be relative to an unknown
    /// directory, or belong to another file by now.
    pub file: Option<(u64, u64)>,
}

impl Unix {
    /// Whether this socket is bound to the file at `path`, not merely to that name.
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
    /// A name without a file, in the abstract namespace; any bytes.
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
