//! The sender: starts a receiver for each model, sends it one message after the delay, and collects
//! what it measured.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::receive::{Answer, MESSAGE, Measured, WARM_UP};
use crate::call::{self, Domain, Socket, TCP_NODELAY, TcpStream, Type, UdpSocket, monotonic};
use crate::child::Process;
use crate::examples::models::{MODELS, Model, WAITING};
use crate::lang::Lang;

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
    /// The figures, or why there are none. Of several rounds, those of the middle one: by the time from
    /// the arrival to the end, half of the others were quicker.
    pub phases: Result<Phases, String>,
    /// The figures of every round, in the order of the rounds.
    pub rounds: Vec<Phases>,
}

impl Outcome {
    fn of(model: &'static Model, rounds: Vec<Phases>, failed: Option<String>) -> Outcome {
        let mut ranked: Vec<&Phases> = rounds.iter().collect();
        ranked.sort_by_key(|phases| phases.done - phases.arrived);
        let middle = ranked.get(ranked.len().saturating_sub(1) / 2);
        let phases = match (middle, failed) {
            (Some(&middle), None) => Ok(middle.clone()),
            (_, failed) => Err(failed.unwrap_or_else(|| {
                Lang::current().pick("it was not measured", "没有测到").to_owned()
            })),
        };
        Outcome { model, phases, rounds }
    }

    /// A figure over all rounds; `None` if there was none.
    #[must_use]
    pub fn spread(&self, of: impl Fn(&Phases) -> u64) -> Option<Spread> {
        let mut figures: Vec<u64> = self.rounds.iter().map(of).collect();
        figures.sort_unstable();
        let (least, most) = (*figures.first()?, *figures.last()?);
        let half = figures.len() / 2;
        let median = match figures.len() % 2 {
            0 => u64::midpoint(figures[half - 1], figures[half]),
            _ => figures[half],
        };
        Some(Spread { least, median, most })
    }
}

/// A figure over several rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// The smallest.
    pub least: u64,
    /// As many rounds were below as above.
    pub median: u64,
    /// The largest.
    pub most: u64,
}

/// What was measured; times are nanoseconds since the receiver began to wait.
#[derive(Debug, Clone)]
pub struct Phases {
    /// When the program made its first call.
    pub first: u64,
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
            first: since(measured.first),
            sent: since(sent),
            // The two clocks differ a little, but no message arrives after it was received.
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

    /// Whether the program had begun to wait before the message came. On a busy machine it may not have
    /// run until then.
    #[must_use]
    pub fn waited(&self) -> bool {
        self.first < self.arrived
    }
}

/// How often a round is repeated in which the message was there before the program asked.
const AGAIN: usize = 5;

/// Runs every model so many times, A B C, A B C: what the machine does beside them meets all of them.
/// `progress` is told the round, the first being 1, and the model.
///
/// # Errors
/// As for [`run`].
pub fn rounds(
    experiment: &Experiment,
    rounds: usize,
    mut progress: impl FnMut(usize, &Model),
) -> Result<Vec<Outcome>> {
    let mut all: Vec<(&'static Model, Vec<Phases>, Option<String>)> =
        MODELS.iter().map(|model| (model, Vec::new(), None)).collect();
    for round in 1..=rounds {
        for (model, figures, failed) in all.iter_mut().filter(|(_, _, failed)| failed.is_none()) {
            progress(round, model);
            match patiently(experiment, model)? {
                Ok(phases) => figures.push(phases),
                Err(reason) => *failed = Some(reason),
            }
        }
    }
    Ok(all
        .into_iter()
        .map(|(model, figures, failed)| Outcome::of(model, figures, failed))
        .collect())
}

/// One model, and again if it had nothing to wait for.
fn patiently(
    experiment: &Experiment,
    model: &'static Model,
) -> Result<std::result::Result<Phases, String>> {
    let mut phases = run_one(experiment, model)?.phases;
    for _ in 0..AGAIN {
        match &phases {
            Ok(measured) if !measured.waited() => phases = run_one(experiment, model)?.phases,
            _ => break,
        }
    }
    Ok(phases)
}

/// Runs every model once, one after the other.
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
    Ok(match once(experiment, model)? {
        (Answer::Measured(measured), sent) => {
            Outcome::of(model, vec![Phases::new(model, &measured, sent)], None)
        }
        (Answer::Refused(reason), _) => Outcome::of(model, vec![], Some(reason)),
    })
}

/// One model: what its receiver says, and when the message was sent.
fn once(experiment: &Experiment, model: &Model) -> Result<(Answer, u64)> {
    let lang = Lang::current();
    let mut args = ["models", "receive", model.name].map(String::from).to_vec();
    args.extend(experiment.tcp.then(|| "--tcp".to_owned()));
    args.extend(experiment.options.iter().cloned());
    let (sender, lines) = mpsc::channel();
    let mut process = Process::start_beside(&args)?;
    process.tell_output((), sender)?;
    let next = || match lines.recv_timeout(PATIENCE) {
        Ok(line) => Ok(line.text),
        Err(_) => {
            bail!(lang.pick("the receiver process said nothing", "接收进程什么也没说"))
        }
    };

    let ready = next()?;
    let address = ready.rsplit(' ').next().and_then(|address| address.parse().ok());
    let way = Way::to(
        address.context(lang.pick("the receiver process is not ready", "接收进程没有就绪"))?,
        experiment.tcp,
    )?;
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
            break serde_json::from_str(&line).context(lang.pick(
                "the receiver process did not say what it measured",
                "接收进程没有说出测量结果",
            ))?;
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
        // Otherwise the message would wait for the acknowledgement of the warm-up.
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
