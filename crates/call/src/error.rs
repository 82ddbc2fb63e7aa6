//! What can go wrong in a call: which call, which errno, and what it was about.

use netplay_record::{ConnectionName, Name};
use netplay_text::escape::file_name;
use netplay_text::lang::Lang;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use nix::errno::Errno;

/// The result of every call in this module.
pub type Result<T> = std::result::Result<T, CallError>;

/// A system call that failed.
///
/// It prints as a sentence that names the call and, where it has one, the address:
/// `bind 127.0.0.1:80: Permission denied`; the words of the error are in the language of the process
/// ([`Lang::current`]), as strerror(3) has them in that of the locale. Making one allocates nothing unless the address is a
/// path, so a busy loop may collect EAGAINs by the million.
///
/// ```
/// use netplay_call::{self as call, Domain, TcpStream, Type};
/// let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
/// let port_1: std::net::SocketAddr = "127.0.0.1:1".parse()?;
/// let error = call::connect::<TcpStream>(socket, port_1).unwrap_err();
/// assert_eq!(error.to_string(), "connect 127.0.0.1:1: Connection refused");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CallError {
    name: Name,
    errno: Errno,
    about: About,
}

/// What the failed call was about.
#[derive(Debug)]
enum About {
    Nothing,
    Address(SocketAddr),
    Path(Box<Path>),
}

impl CallError {
    pub(super) fn new(name: impl Into<Name>, error: &io::Error) -> CallError {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EINVAL));
        CallError { name: name.into(), errno, about: About::Nothing }
    }

    pub(super) fn about(mut self, address: &socket2::SockAddr) -> CallError {
        self.about = match (address.as_socket(), address.as_pathname()) {
            (Some(address), _) => About::Address(address),
            (None, Some(path)) => About::Path(path.into()),
            (None, None) => About::Nothing,
        };
        self
    }

    /// The call that failed, by the name of its manual page.
    #[must_use]
    pub fn call(&self) -> &'static str {
        self.name.as_str()
    }

    /// The same as a value, to be matched.
    #[must_use]
    pub fn name(&self) -> Name {
        self.name
    }

    /// Why it failed, as errno(3) lists it.
    #[must_use]
    pub fn errno(&self) -> Errno {
        self.errno
    }

    /// The address that the call was about, if it was about one: what [`bind`](super::bind) wanted, where
    /// [`connect`](super::connect) went.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.about {
            About::Address(address) => Some(*address),
            _ => None,
        }
    }

    /// The path that the call was about, of a UNIX domain socket.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.about {
            About::Path(path) => Some(path),
            _ => None,
        }
    }

    /// A non-blocking call had nothing to do yet, or a timeout set with SO_RCVTIMEO or SO_SNDTIMEO
    /// ran out (EAGAIN). Not a failure: an answer.
    #[must_use]
    pub fn would_block(&self) -> bool {
        self.errno == Errno::EAGAIN
    }

    /// A signal handler ran while the call was waiting (EINTR); nothing was lost.
    #[must_use]
    pub fn interrupted(&self) -> bool {
        self.errno == Errno::EINTR
    }

    /// The time given to io_uring_enter ran out before an operation completed (ETIME).
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.errno == Errno::ETIME
    }

    /// The program itself has ended the operation (ECANCELED).
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.errno == Errno::ECANCELED
    }

    fn is_of_accept(&self) -> bool {
        self.name == ConnectionName::Accept.into()
    }

    /// `accept` found the process (EMFILE) or the machine (ENFILE) out of descriptors, or the kernel
    /// out of memory for another socket. It passes when a descriptor is closed; until then the
    /// client stays in the queue.
    #[must_use]
    pub fn out_of_descriptors(&self) -> bool {
        use Errno::{EMFILE, ENFILE, ENOBUFS, ENOMEM};
        self.is_of_accept() && matches!(self.errno, EMFILE | ENFILE | ENOBUFS | ENOMEM)
    }

    /// `accept` found a client that had already gone, or whose network failed: a fault of that
    /// connection, not of the listener (accept(2), "Error handling").
    #[must_use]
    pub fn only_this_client(&self) -> bool {
        use Errno::*;
        let theirs = matches!(
            self.errno,
            ECONNABORTED
                | EPROTO
                | ENETDOWN
                | ENOPROTOOPT
                | EHOSTDOWN
                | ENONET
                | EHOSTUNREACH
                | EOPNOTSUPP
                | ENETUNREACH
                | EPERM
        );
        self.is_of_accept() && theirs
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.call())?;
        match &self.about {
            About::Nothing => {}
            About::Address(address) => write!(f, " {address}")?,
            About::Path(path) => write!(f, " {}", file_name(path))?,
        }
        let why = match Lang::current() {
            Lang::En => netplay_record::strerror(self.errno),
            Lang::Zh => netplay_record::error_in_words(&format!("{:?}", self.errno), Lang::Zh),
        };
        write!(f, ": {why}")
    }
}

impl std::error::Error for CallError {}
