//! The sender: starts a receiver for each model, sends it one message after the delay, and collects
//! what it measured.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::receive::{Answer, MESSAGE, Measured, WARM_UP};
use super::stopwatch::WAITING;
use super::{MODELS, Model};
use crate::call::{self, Domain, Socket, TCP_NODELAY, TcpStream, Type, UdpSocket, monotonic};
use crate::child::Process;

/// No step of a receiver takes longer, beside the delay.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to do.
#[derive(Debug)]
pub struct Experiment {
    /// How long after the receiver began to wait the message is sent.
    pub delay: Duration,
    /// One segment over a connection, not one datagram.
    pub tcp: bool,
    /// What the receivers get to hear beside their model: how to tell what they do.
    pub options: Vec<String>,
}

/// What became of one model.
#[derive(Debug)]
pub struct Outcome {
    /// Which.
    pub model: &'static Model,
    /// The figures, or why there are none.
    pub phases: Result<Phases, String>,
}

/// What was measured; times are nanoseconds since the receiver began to wait.
#[derive(Debug, Clone)]
pub struct Phases {
    /// When the sender's call began.
    pub sent: u64,
    /// When the message arrived in the kernel: the end of the first phase.
    pub arrived: u64,
    /// When the program made the call that only copies; `None` if no call does only that.
    pub copying: Option<u64>,
    /// When the program had the message.
    pub done: u64,
    /// How far off the time of arrival may be.
    pub clock_error: u64,
    /// The calls made from the start to the end.
    pub calls: u64,
    /// Those that found nothing.
    pub eagains: u64,
    /// CPU time in the program, in nanoseconds.
    pub user: u64,
    /// CPU time in the kernel, for the program.
    pub system: u64,
}

impl Phases {
    fn new(model: &Model, measured: &Measured, sent: u64) -> Phases {
        let since = |time: u64| time.saturating_sub(measured.start);
        let (last, done) = measured.last;
        Phases {
            sent: since(sent),
            // Between the two clocks lies an error: no message arrives after it was received.
            arrived: since(measured.arrived).min(since(done)),
            copying: (!model.in_one).then(|| since(last.max(measured.arrived).min(done))),
            done: since(done),
            clock_error: measured.clock_error,
            calls: measured.calls,
            eagains: measured.eagains,
            user: measured.user,
            system: measured.system,
        }
    }
}

/// Runs every model, one after the other.
///
/// # Errors
/// The sender's own socket failed, or this program cannot be started again. What fails in a receiver
/// is in its outcome.
pub fn run(experiment: &Experiment, mut progress: impl FnMut(&Model)) -> Result<Vec<Outcome>> {
    let each = |model| {
        progress(model);
        run_one(experiment, model)
    };
    MODELS.iter().map(each).collect()
}

/// Runs one model.
///
/// # Errors
/// As for [`run`].
pub fn run_one(experiment: &Experiment, model: &'static Model) -> Result<Outcome> {
    let phases = match once(experiment, model)? {
        (Answer::Measured(measured), sent) => Ok(Phases::new(model, &measured, sent)),
        (Answer::Refused(reason), _) => Err(reason),
    };
    Ok(Outcome { model, phases })
}

/// One model: what its receiver says, and when the message was sent.
fn once(experiment: &Experiment, model: &Model) -> Result<(Answer, u64)> {
    let mut args = ["models", "receive", model.name].map(String::from).to_vec();
    args.extend(experiment.tcp.then(|| "--tcp".to_owned()));
    args.extend(experiment.options.iter().cloned());
    let (sender, lines) = mpsc::channel();
    let mut process = Process::start_beside(&args)?;
    process.tell_output((), sender);
    let next = || match lines.recv_timeout(PATIENCE) {
        Ok(line) => Ok(line.text),
        Err(_) => bail!("the receiver said nothing"),
    };

    let ready = next()?;
    let address = ready.rsplit(' ').next().and_then(|address| address.parse().ok());
    let way = Way::to(address.context("the receiver is not ready")?, experiment.tcp)?;
    way.send(WARM_UP)?;
    let mut sent = 0;
    let answer = loop {
        let line = next()?;
        if let Some(start) = line.strip_prefix(WAITING) {
            let start: u64 = start.parse().context("the receiver began at no time")?;
            let end = start + experiment.delay.as_nanos() as u64;
            thread::sleep(Duration::from_nanos(end.saturating_sub(monotonic())));
            sent = monotonic();
            way.send(MESSAGE)?;
        } else {
            break serde_json::from_str(&line)
                .context("the receiver did not say what it measured")?;
        }
    };
    way.close()?;
    process.wait()?;
    Ok((answer, sent))
}

/// The sender's end.
enum Way {
    Datagrams(UdpSocket, SocketAddr),
    Connection(TcpStream),
}

impl Way {
    fn to(address: SocketAddr, tcp: bool) -> call::Result<Way> {
        let ty = if tcp { Type::STREAM } else { Type::DGRAM };
        let socket: Socket = call::socket(Domain::for_address(address), ty, 0)?;
        if !tcp {
            return Ok(Way::Datagrams(socket.into(), address));
        }
        // Or the message would wait for the acknowledgement of the warm-up.
        call::setsockopt(&socket, TCP_NODELAY, 1)?;
        Ok(Way::Connection(call::connect(socket, address)?))
    }

    fn send(&self, data: &[u8]) -> call::Result<usize> {
        match self {
            Way::Datagrams(socket, to) => call::sendto(socket, data, 0, *to),
            Way::Connection(stream) => call::send(stream, data, call::MSG_NOSIGNAL),
        }
    }

    fn close(self) -> call::Result<()> {
        match self {
            Way::Datagrams(socket, _) => call::close(socket),
            Way::Connection(stream) => call::close(stream),
        }
    }
}
