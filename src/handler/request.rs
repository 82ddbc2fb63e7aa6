//! Handlers and requests.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;

use crate::call::{self, CallError, TcpStream, UdpSocket};
use crate::lang::Lang;
use crate::sendall;
use crate::server::Stats;
use crate::stop::Watch;

/// What a step of a handler returns: nothing, or any error.
///
/// It is a box, because `?` converts every error into it: that of a call, of a file, of a crate's own type, and a text. The
/// server only prints it, so an associated type would be one more line in each handler without a use.
pub type Result = std::result::Result<(), Box<dyn Error + Send + Sync>>;

/// A conversation with one client: over TCP a connection, over UDP one datagram.
///
/// A new handler is made for every request, so its fields are that request's own.
///
/// ```
/// use netplay::handler::{self, Handler, Request};
///
/// struct Shout;
///
/// impl Handler for Shout {
///     fn handle(&mut self, request: &mut Request<'_>) -> handler::Result {
///         let mut buf = [0; 1024];
///         while let Some(n) = request.recv(&mut buf)? {
///             request.send(&buf[..n].to_ascii_uppercase())?;
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Handler {
    /// Called before the conversation. If it fails, `handle` and `finish` are not called.
    ///
    /// # Errors
    /// Any error ends this request. The server tells it and goes on.
    fn setup(&mut self, request: &mut Request<'_>) -> Result {
        let _ = request;
        Ok(())
    }

    /// The conversation.
    ///
    /// # Errors
    /// As [`setup`](Handler::setup).
    fn handle(&mut self, request: &mut Request<'_>) -> Result;

    /// Called after the conversation, even if that failed.
    fn finish(&mut self, request: &mut Request<'_>) {
        let _ = request;
    }
}

/// Why some data was not sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The call has failed. It prints as that error.
    Call(CallError),
    /// The server stops.
    Stops,
}

impl From<CallError> for SendError {
    fn from(error: CallError) -> SendError {
        SendError::Call(error)
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Call(error) => error.fmt(f),
            SendError::Stops => f.write_str(
                Lang::current()
                    .pick("the server stops before all was sent", "服务器在全部发送之前停止"),
            ),
        }
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            SendError::Call(error) => error.source(),
            SendError::Stops => None,
        }
    }
}

/// One client's connection or datagram. The server closes it when the handler is done.
#[derive(Debug)]
pub struct Request<'a> {
    pub(super) client: SocketAddr,
    pub(super) peer: Peer<'a>,
    pub(super) stats: Stats,
}

#[derive(Debug)]
pub(super) enum Peer<'a> {
    /// The connection, and the watch that lets a stop end its waits.
    Stream(&'a TcpStream, Watch<'a>),
    /// The server's socket, and the datagram until it is received.
    Datagram(&'a UdpSocket, Option<Vec<u8>>),
}

impl Request<'_> {
    /// The client's address.
    #[must_use]
    pub fn client(&self) -> SocketAddr {
        self.client
    }

    /// The connection, to set an option or to hand to [`call`]; `None` over UDP.
    #[must_use]
    pub fn stream(&self) -> Option<&TcpStream> {
        match &self.peer {
            Peer::Stream(stream, _) => Some(stream),
            Peer::Datagram(..) => None,
        }
    }

    /// Receives into `buf`: over TCP what has arrived, over UDP the datagram. `None` is the end: the
    /// client will send no more, the datagram was already received, or the server stops.
    ///
    /// # Errors
    /// The connection failed.
    pub fn recv(&mut self, buf: &mut [u8]) -> call::Result<Option<usize>> {
        let n = match &mut self.peer {
            Peer::Stream(stream, waiting) => {
                waiting.or(|| call::recv(stream, buf, 0))?.filter(|&n| n > 0)
            }
            // The server's recvfrom was the call; the bytes are here already.
            Peer::Datagram(_, data) => data.take().map(|data| {
                let n = data.len().min(buf.len());
                buf[..n].copy_from_slice(&data[..n]);
                n
            }),
        };
        self.stats.received += n.unwrap_or_default() as u64;
        Ok(n)
    }

    /// Sends all of it: over TCP as bytes, over UDP as one datagram.
    ///
    /// # Errors
    /// The connection failed, the server stops, or the data does not fit into a datagram.
    pub fn send(&mut self, data: &[u8]) -> std::result::Result<(), SendError> {
        match &self.peer {
            Peer::Stream(stream, waiting) => {
                let sent = waiting.or(|| sendall(stream, data))?;
                sent.ok_or(SendError::Stops)?;
            }
            Peer::Datagram(socket, _) => {
                call::sendto(*socket, data, 0, self.client)?;
            }
        }
        self.stats.sent += data.len() as u64;
        Ok(())
    }
}
