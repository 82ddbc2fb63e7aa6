//! Descriptors that are closed exactly once, and always with a record.
//!
//! The standard library has types of the same names. Their destructors also close, but this
//! module does not see it: on an error path, where `?` leaves a page in the middle, strace would see a close that
//! the story does not tell. These types close through [`close`].
//!
//! A process that ends with `_exit`, as a forked child does, runs no destructor; the kernel closes then.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use netplay_record::{Connection, ConnectionName};

use super::error::Result;
use super::step::Step;

/// Closes the descriptor. The connection ends when its last descriptor is closed: a forked child
/// may still keep it open. If received bytes were never read, the kernel sends a reset instead of
/// a FIN. See close(2).
pub fn close(socket: impl Into<OwnedFd>) -> Result<()> {
    let fd = socket.into().into_raw_fd();
    let step = Step::begin(ConnectionName::Close, Some(fd)).forget(fd);
    // OwnedFd's own destructor also closes, but does not report the kernel's answer.
    let closed = nix::unistd::close(fd).map_err(io::Error::from);
    step.end(closed, |_| Connection::Close)
}

/// A descriptor of this module's. Dropping it is a [`close`], and is recorded as one.
#[derive(Debug)]
pub(super) struct Descriptor(Option<OwnedFd>);

impl Descriptor {
    pub(super) fn new(fd: impl Into<OwnedFd>) -> Descriptor {
        Descriptor(Some(fd.into()))
    }

    fn fd(&self) -> &OwnedFd {
        self.0.as_ref().expect("only drop and the conversion take it, and both end the Descriptor")
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if let Some(fd) = self.0.take() {
            // The error, if any, is recorded; a destructor cannot return it.
            let _ = close(fd);
        }
    }
}

impl From<Descriptor> for OwnedFd {
    fn from(mut descriptor: Descriptor) -> OwnedFd {
        descriptor.0.take().expect("only drop and this take it, and both end the Descriptor")
    }
}

/// What [`close`] and the other calls take.
macro_rules! owned {
    ($($(#[$doc:meta])+ $name:ident)+) => { $(
        $(#[$doc])+
        ///
        /// Dropping it is a [`close`], and is recorded as one.
        #[derive(Debug)]
        pub struct $name(pub(super) Descriptor);

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.fd().as_fd()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.0.fd().as_raw_fd()
            }
        }

        impl From<$name> for OwnedFd {
            fn from(owned: $name) -> OwnedFd {
                owned.0.into()
            }
        }
    )+ };
}

owned! {
    /// A new socket: neither listening nor connected.
    Socket
    /// A listening TCP socket.
    TcpListener
    /// A TCP connection.
    TcpStream
    /// A bound or connected UDP socket.
    UdpSocket
    /// A listening stream socket in the UNIX domain.
    UnixListener
    /// A connected stream socket in the UNIX domain.
    UnixStream
    /// An interest list, which [`epoll_create`](super::epoll_create) makes.
    Epoll
}

/// Gives a socket the type that its last call made it, without another call.
macro_rules! becomes {
    ($($name:ident)+) => { $(
        impl From<Socket> for $name {
            fn from(socket: Socket) -> $name {
                $name(socket.0)
            }
        }
    )+ };
}

becomes! { TcpListener TcpStream UdpSocket UnixListener UnixStream }

/// A socket that another program, or the standard library, has made.
impl From<OwnedFd> for Socket {
    fn from(fd: OwnedFd) -> Socket {
        Socket(Descriptor::new(fd))
    }
}
