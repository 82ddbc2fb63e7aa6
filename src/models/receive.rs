//! The receiver: a process that waits for one message by one model, and says what it measured.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::call::{
    self, CallError, Clocks, Domain, Message, Name, RingName, SO_TIMESTAMPNS, TcpListener,
    TcpStream, Type, UdpSocket,
};
use crate::examples::models::{Model, Stopwatch};
use crate::lang::Lang;
use crate::server::announce;
use crate::trace::write_whole;

/// The first message, by which nothing is measured. It makes sure that the way is known, that the
/// memory is there, and that the kernel notes when packets arrive, which it does only where a socket asks for it.
pub(super) const WARM_UP: &[u8] = b"warm-up";
/// The message.
pub(super) const MESSAGE: &[u8] = b"one message";

/// What the receiver says at its end, in a line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Measured(Measured),
    /// This model cannot run here, because …
    Refused(String),
}

/// What was measured; times are nanoseconds of CLOCK_MONOTONIC.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Measured {
    pub start: u64,
    /// When the kernel received the message.
    pub arrived: u64,
    /// How far that may be off, because it was measured on another clock.
    pub clock_error: u64,
    /// When the first call began.
    pub first: u64,
    /// When the last call began, and when it returned.
    pub last: (u64, u64),
    pub calls: u64,
    pub eagains: u64,
    pub user: u64,
    pub system: u64,
}

/// Receives one message by this model, which the sender sends to the address in the ready line, and
/// prints what it measured.
///
/// # Errors
/// The socket failed, or the sender no longer reads what this process says. That the *model* cannot run here is an
/// answer, not an error.
pub fn receive(model: &Model, tcp: bool) -> Result<()> {
    let answer = match tcp {
        false => {
            let socket = datagrams()?;
            let answer = measure(model, socket.as_fd());
            call::close(socket)?;
            answer
        }
        true => {
            let stream = connection()?;
            let answer = measure(model, stream.as_fd());
            call::close(stream)?;
            answer
        }
    };
    let answer = match answer {
        Ok(measured) => Answer::Measured(measured),
        Err(error) => Answer::Refused(reason(&error)),
    };
    let line = serde_json::to_string(&answer)? + "\n";
    Ok(write_whole(std::io::stdout().as_fd(), line.as_bytes())?)
}

/// A socket whose messages come with their time of arrival.
fn datagrams() -> Result<UdpSocket> {
    let socket = call::socket(Domain::IPV4, Type::DGRAM, 0)?;
    call::setsockopt(&socket, SO_TIMESTAMPNS, 1)?;
    call::bind(&socket, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let socket: UdpSocket = socket.into();
    announce("udp", call::getsockname(&socket)?)?;
    Ok(socket)
}

/// The same as a connection: it inherits the option from the listener.
fn connection() -> Result<TcpStream> {
    let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_TIMESTAMPNS, 1)?;
    call::bind(&socket, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let listener: TcpListener = call::listen(socket, 1)?;
    announce("tcp", call::getsockname(&listener)?)?;
    let (stream, _) = call::accept(&listener)?;
    call::close(listener)?;
    Ok(stream)
}

fn measure(model: &Model, socket: BorrowedFd<'_>) -> Result<Measured> {
    let mut message = Message::new(1024);
    call::recvmsg(&socket, &mut message, 0)?;
    ensure!(message.data() == WARM_UP, "the warm-up came from another program");
    let mut watch = Stopwatch::default();
    let before = Clocks::compare();
    let message = (model.receive)(socket, message, &mut watch)?;
    watch.stop()?;
    let after = Clocks::compare();
    ensure!(message.data() == MESSAGE, "the message came from another program");
    let arrived = message.arrived().context("the kernel did not say when the message arrived")?;
    Ok(Measured {
        start: watch.start,
        arrived: before.monotonic(arrived),
        clock_error: before.error(&after),
        first: watch.first,
        last: watch.last,
        calls: watch.calls,
        eagains: watch.eagains,
        user: watch.cpu.0,
        system: watch.cpu.1,
    })
}

/// Why a model cannot run here, in one line.
fn reason(error: &anyhow::Error) -> String {
    let call = error.downcast_ref::<CallError>();
    let what = match call.map(|error| (error.name(), error.errno())) {
        Some((Name::Ring(RingName::Setup), Errno::ENOSYS)) => {
            Lang::current().pick(": this kernel has no io_uring", "：这个内核没有 io_uring")
        }
        Some((Name::Ring(RingName::Setup), Errno::EPERM | Errno::EACCES)) => Lang::current().pick(
            ": forbidden by the sysctl kernel.io_uring_disabled, or by a filter (seccomp)",
            "：被 sysctl kernel.io_uring_disabled 或过滤器（seccomp）禁用",
        ),
        _ => "",
    };
    format!("{error:#}{what}")
}
