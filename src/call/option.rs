//! Socket options: their names, their levels, and how their values look in memory.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// A socket option: what `setsockopt` and `getsockopt` call `level` and `optname`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opt {
    pub(super) level: i32,
    pub(super) name: i32,
    pub(super) level_name: &'static str,
    pub(super) text: &'static str,
    pub(super) kind: Kind,
}

/// The C type of an option's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An `int`: a number, or 0 and 1 for off and on.
    Int,
    /// A `struct timeval`.
    Time,
    /// A `struct linger`.
    Linger,
    /// Up to this many bytes: text, or a structure.
    Bytes(usize),
}

/// The value of a socket option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptValue {
    /// A number, or 0 and 1 for off and on.
    Int(i32),
    /// A length of time; zero means for ever.
    Time(Duration),
    /// How long `close` waits for unsent bytes; `None`: it does not wait.
    Linger(Option<Duration>),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl Opt {
    const fn new(level: (i32, &'static str), name: i32, text: &'static str, kind: Kind) -> Opt {
        Opt { level: level.0, name, level_name: level.1, text, kind }
    }

    /// Its name in the manual: `SO_REUSEADDR`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.text
    }

    /// The name of its level: `SOL_SOCKET`.
    #[must_use]
    pub fn level(self) -> &'static str {
        self.level_name
    }

    /// The C type of its value.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.kind
    }
}

const SOCKET: (i32, &str) = (libc::SOL_SOCKET, "SOL_SOCKET");
const TCP: (i32, &str) = (libc::IPPROTO_TCP, "SOL_TCP");

/// Lets bind take an address whose last connections are still in TIME_WAIT. Two live listeners on
/// one address stay impossible.
pub const SO_REUSEADDR: Opt = Opt::new(SOCKET, libc::SO_REUSEADDR, "SO_REUSEADDR", Kind::Int);
/// The size of the receive buffer; the kernel doubles what it is asked for.
pub const SO_RCVBUF: Opt = Opt::new(SOCKET, libc::SO_RCVBUF, "SO_RCVBUF", Kind::Int);
/// The size of the send buffer; the kernel doubles what it is asked for.
pub const SO_SNDBUF: Opt = Opt::new(SOCKET, libc::SO_SNDBUF, "SO_SNDBUF", Kind::Int);
/// How long a receive waits before it fails with EAGAIN; zero means for ever.
pub const SO_RCVTIMEO: Opt = Opt::new(SOCKET, libc::SO_RCVTIMEO, "SO_RCVTIMEO", Kind::Time);
/// How long a send or connect waits before it fails with EAGAIN or EINPROGRESS; zero means for ever.
pub const SO_SNDTIMEO: Opt = Opt::new(SOCKET, libc::SO_SNDTIMEO, "SO_SNDTIMEO", Kind::Time);
/// The error that is pending on the socket; reading it clears it. 0: none.
pub const SO_ERROR: Opt = Opt::new(SOCKET, libc::SO_ERROR, "SO_ERROR", Kind::Int);
/// What close does with unsent bytes; on with a time of zero it sends a reset instead.
pub const SO_LINGER: Opt = Opt::new(SOCKET, libc::SO_LINGER, "SO_LINGER", Kind::Linger);
/// Sends small segments at once, without waiting for the acknowledgement of earlier ones.
pub const TCP_NODELAY: Opt = Opt::new(TCP, libc::TCP_NODELAY, "TCP_NODELAY", Kind::Int);

impl From<i32> for OptValue {
    fn from(number: i32) -> OptValue {
        OptValue::Int(number)
    }
}

impl From<Duration> for OptValue {
    fn from(time: Duration) -> OptValue {
        OptValue::Time(time)
    }
}

impl From<Option<Duration>> for OptValue {
    fn from(linger: Option<Duration>) -> OptValue {
        OptValue::Linger(linger)
    }
}

impl OptValue {
    /// The value as C has it in memory.
    fn to_memory(&self) -> Vec<u8> {
        let long = |n: u64| (n as libc::c_long).to_ne_bytes();
        match self {
            OptValue::Int(number) => number.to_ne_bytes().into(),
            OptValue::Time(time) => {
                [long(time.as_secs()), long(u64::from(time.subsec_micros()))].concat()
            }
            OptValue::Linger(linger) => {
                let seconds = linger.unwrap_or_default().as_secs() as i32;
                [i32::from(linger.is_some()).to_ne_bytes(), seconds.to_ne_bytes()].concat()
            }
            OptValue::Bytes(bytes) => bytes.clone(),
        }
    }

    fn from_memory(kind: Kind, bytes: &[u8]) -> OptValue {
        let int = |at: usize| {
            let word = bytes
                .get(at..at + 4)
                .map(|word| i32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
            word.unwrap_or_else(|| bytes.first().copied().unwrap_or_default().into())
        };
        let half = bytes.len() / 2;
        match kind {
            Kind::Int => OptValue::Int(int(0)),
            Kind::Time => {
                let long =
                    |part: &[u8]| part.iter().rev().fold(0u64, |n, &b| n << 8 | u64::from(b));
                let part = |at: usize| {
                    let mut part = bytes[at..at + half].to_vec();
                    if cfg!(target_endian = "big") {
                        part.reverse();
                    }
                    long(&part)
                };
                OptValue::Time(Duration::new(part(0), part(half) as u32 * 1000))
            }
            Kind::Linger => {
                OptValue::Linger((int(0) != 0).then(|| Duration::from_secs(int(4) as u64)))
            }
            Kind::Bytes(_) => OptValue::Bytes(bytes.to_vec()),
        }
    }

    /// How many bytes it has in memory.
    pub(super) fn len(&self) -> usize {
        self.to_memory().len()
    }

    pub(super) fn strace(&self) -> String {
        match self {
            OptValue::Int(number) => format!("[{number}]"),
            OptValue::Linger(linger) => format!(
                "{{l_onoff={}, l_linger={}}}",
                i32::from(linger.is_some()),
                linger.unwrap_or_default().as_secs()
            ),
            OptValue::Time(_) | OptValue::Bytes(_) => super::strace::string(&self.to_memory()),
        }
    }
}

impl fmt::Display for OptValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptValue::Int(number) => write!(f, "{number}"),
            OptValue::Time(Duration::ZERO) => f.write_str("no limit"),
            OptValue::Time(time) => write!(f, "{time:?}"),
            OptValue::Linger(None) => f.write_str("off"),
            OptValue::Linger(Some(time)) => write!(f, "{} s", time.as_secs()),
            OptValue::Bytes(bytes) => f.write_str(&crate::escape::escape(bytes)),
        }
    }
}

#[expect(unsafe_code, reason = "setsockopt takes a pointer")]
pub(super) fn set(fd: BorrowedFd<'_>, option: Opt, value: &OptValue) -> io::Result<()> {
    let value = value.to_memory();
    let (at, len) = (value.as_ptr().cast(), value.len() as libc::socklen_t);
    // SAFETY: the pointer and the length are those of one vector, which the kernel only reads.
    let done = unsafe { libc::setsockopt(fd.as_raw_fd(), option.level, option.name, at, len) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[expect(unsafe_code, reason = "getsockopt takes pointers")]
pub(super) fn get(fd: BorrowedFd<'_>, option: Opt) -> io::Result<OptValue> {
    let size = match option.kind {
        Kind::Int => 4,
        Kind::Time => size_of::<libc::timeval>(),
        Kind::Linger => size_of::<libc::linger>(),
        Kind::Bytes(size) => size,
    };
    let mut value = vec![0u8; size];
    let mut len = size as libc::socklen_t;
    let at = value.as_mut_ptr().cast();
    // SAFETY: the kernel writes at most `len` bytes, and the vector has that many.
    let done = unsafe { libc::getsockopt(fd.as_raw_fd(), option.level, option.name, at, &mut len) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    value.truncate(len as usize);
    Ok(OptValue::from_memory(option.kind, &value))
}
