//! What a handler is, and what it is given.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use crate::call::{self, TcpStream, UdpSocket};
use crate::sendall;
use crate::server::Stats;
use crate::stop::Watch;

/// A conversation with one client: over TCP a connection, over UDP one datagram.
///
/// A new handler is made for every request, so its fields are that request's own.
///
/// ```
/// use netplay::handler::{Handler, Request};
///
/// struct Shout;
///
/// impl Handler for Shout {
///     fn handle(&mut self, request: &mut Request<'_>) -> anyhow::Result<()> {
///         let mut buf = [0; 1024];
///         while let Some(n) = request.recv(&mut buf)? {
///             request.send(&buf[..n].to_ascii_uppercase())?;
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Handler {
    /// Before the conversation. If it fails there is none, and no `finish`.
    ///
    /// # Errors
    /// Whatever ends this request. It is told; the server goes on.
    fn setup(&mut self, request: &mut Request<'_>) -> Result<()> {
        let _ = request;
        Ok(())
    }

    /// The conversation.
    ///
    /// # Errors
    /// As [`setup`](Handler::setup).
    fn handle(&mut self, request: &mut Request<'_>) -> Result<()>;

    /// After the conversation, even if it failed.
    fn finish(&mut self, request: &mut Request<'_>) {
        let _ = request;
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
    /// Who asks.
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
    /// client will send no more, the datagram was received already, or the server stops.
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
    pub fn send(&mut self, data: &[u8]) -> Result<()> {
        match &self.peer {
            Peer::Stream(stream, waiting) => {
                let sent = waiting.or(|| sendall(stream, data))?;
                sent.context("the server stops before all was sent")?;
            }
            Peer::Datagram(socket, _) => {
                call::sendto(*socket, data, 0, self.client)?;
            }
        }
        self.stats.sent += data.len() as u64;
        Ok(())
    }
}
