//! EAGAIN says "not yet"; asking again at once gains next to nothing, and costs a processor.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;

use super::{Stage, Value, unrecorded, word};
use crate::call::{self, Domain, Type, UdpSocket, pollfd};
use crate::examples::models::MODELS;
use crate::examples::nonblocking::set_nonblocking;
use crate::lang::Lang;
use crate::models::{self, Experiment, Phases};

pub(super) const PLAYS: super::Plays = &[];

/// The datagram is sent so long after its receiver has begun to wait.
const DELAY: Duration = Duration::from_millis(50);

/// Each of the two that are compared runs so often, and its quickest run counts: in the others the machine was
/// busy with something else.
const RUNS: usize = 3;

/// No side waits longer for the other.
const PATIENCE: Duration = Duration::from_secs(30);

/// A socket that does not wait, asked too early; then a program that asks until the answer is there, measured.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let (socket, address) = datagrams()?;
    let (asked, nothing_there) = mpsc::channel();
    let (sent, is_there) = mpsc::channel();
    let server = || {
        set_nonblocking(&socket)?;
        let mut errors = Vec::new();
        for _ in 0..3 {
            let early = call::recvfrom(&socket, &mut [0; 64], 0).map(|(n, _)| n);
            errors.push(word(early, &[Errno::EAGAIN])?);
        }
        let _ = asked.send(());
        is_there
            .recv_timeout(PATIENCE)
            .context(Lang::current().pick("nothing was sent", "什么也没有发送"))?;
        let (n, _) = call::recvfrom(&socket, &mut [0; 64], 0)?;
        Ok((errors, n))
    };
    let client = move || {
        nothing_there
            .recv_timeout(PATIENCE)
            .context(Lang::current().pick("the receiver has not asked", "接收者没有询问"))?;
        send(address)?;
        let _ = sent.send(());
        Ok(())
    };
    let ((errors, n), ()) = stage.both(server, client)?;
    call::close(socket)?;
    stage.figure("early", errors.join(", "));
    stage.figure("then", Value::Bytes(n as u64));

    let [blocking, busy] = unrecorded(
        ["the receivers, each a process of its own", "各个接收者，每个是一个单独的进程"],
        || {
            let [blocking, busy] = ["blocking", "nonblocking"].map(quickest);
            Ok::<_, anyhow::Error>([blocking?, busy?])
        },
    )?;
    tell(stage, &busy);
    let rows = vec![row("blocking", &blocking), row("nonblocking", &busy)];
    stage.table("ways", &COLUMNS, rows);
    let (woken, asking) = (late(&blocking), late(&busy));
    let same = woken.abs_diff(asking) < DELAY / 2;
    let burnt = cpu(&busy) > 5 * cpu(&blocking);
    stage.answer(match (same, burnt) {
        (false, _) if asking < woken => Some(1),
        (false, _) => Some(2),
        (true, true) => Some(3),
        (true, false) => None,
    });
    stage.claim("not-yet", errors.iter().all(|error| error == "EAGAIN") && n > 0);
    stage.claim("same", same);
    stage.claim("burnt", burnt && busy.eagains > 10);
    Ok(())
}

/// A program that asks the kernel to be woken; then all models, measured.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let (socket, address) = datagrams()?;
    let server = || {
        set_nonblocking(&socket)?;
        let mut list = [pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        ensure!(call::poll(&mut list, Some(PATIENCE))? == 1, "nothing was sent");
        let mut messages = 0u64;
        loop {
            match call::recvfrom(&socket, &mut [0; 64], 0) {
                Ok(_) => messages += 1,
                Err(error) if error.would_block() => return Ok(messages), // no more: now poll again
                Err(error) => return Err(error.into()),
            }
        }
    };
    let client = || {
        thread::sleep(DELAY); // so that the receiver has to wait
        send(address)
    };
    let (messages, ()) = stage.both(server, client)?;
    call::close(socket)?;

    let experiment = experiment();
    let outcomes = unrecorded(
        ["the receivers, each a process of its own", "各个接收者，每个是一个单独的进程"],
        || models::run(&experiment, |_| {}),
    )?;
    let poll = outcomes.iter().find(|outcome| outcome.model.name == "poll");
    let measured = poll.and_then(|outcome| outcome.phases.as_ref().ok());
    tell(stage, measured.context("poll was not measured")?);
    let rows = outcomes.iter().map(|outcome| match &outcome.phases {
        Ok(phases) => row(outcome.model.name, phases),
        Err(reason) => {
            let mut row = vec![outcome.model.name.to_owned().into(), reason.clone().into()];
            row.resize(COLUMNS.len(), "-".to_owned().into());
            row
        }
    });
    stage.table("ways", &COLUMNS, rows.collect());

    let of = |busy: bool| {
        let chosen = outcomes.iter().filter(move |o| (o.model.name == "nonblocking") == busy);
        chosen.filter_map(|outcome| outcome.phases.as_ref().ok())
    };
    let busy = of(true).next().context("the busy loop was not measured")?;
    stage.claim("woken", messages == 1);
    stage.claim("few", of(false).all(|rested| rested.calls < busy.calls / 2));
    stage.claim("rested", of(false).all(|rested| 3 * cpu(rested) < cpu(busy)));
    Ok(())
}

/// The columns of a table of models.
const COLUMNS: [&str; 5] = ["model", "late", "calls", "eagains", "time"];

fn row(name: &str, phases: &Phases) -> Vec<Value> {
    vec![
        name.to_owned().into(),
        late(phases).into(),
        phases.calls.into(),
        phases.eagains.into(),
        cpu(phases).into(),
    ]
}

/// The figures of one model.
fn tell(stage: &mut Stage, phases: &Phases) {
    let waited = Duration::from_nanos(phases.done).as_secs_f64();
    stage.figure("late", late(phases));
    stage.figure("eagains", phases.eagains);
    stage.figure("rate", Value::Rate(phases.eagains as f64 / waited));
    stage.figure("share", Value::Share(cpu(phases).as_secs_f64() / waited));
}

/// From the call that sent the datagram until the receiver had it.
fn late(phases: &Phases) -> Duration {
    Duration::from_nanos(phases.done.saturating_sub(phases.sent))
}

/// The processor's time that the receiver used from its first question on.
fn cpu(phases: &Phases) -> Duration {
    Duration::from_nanos(phases.user + phases.system)
}

fn experiment() -> Experiment {
    Experiment { delay: DELAY, tcp: false, options: vec!["--quiet".to_owned()] }
}

/// Of some runs of a model, the one in which the datagram was received soonest.
fn quickest(name: &str) -> Result<Phases> {
    let model = MODELS.iter().find(|model| model.name == name).context("no such model")?;
    let runs = (0..RUNS)
        .map(|_| models::run_one(&experiment(), model)?.phases.map_err(anyhow::Error::msg));
    let runs: Vec<Phases> = runs.collect::<Result<_>>()?;
    runs.into_iter().min_by_key(late).context("there is at least one run")
}

/// A bound socket, and its address.
fn datagrams() -> Result<(UdpSocket, SocketAddr)> {
    let socket = call::socket(Domain::IPV4, Type::DGRAM, 0)?;
    call::bind(&socket, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let socket: UdpSocket = socket.into();
    let address = call::getsockname(&socket)?;
    Ok((socket, address))
}

/// A datagram from a socket of its own.
fn send(to: SocketAddr) -> Result<()> {
    let socket = call::socket(Domain::IPV4, Type::DGRAM, 0)?;
    call::sendto(&socket, b"one message", 0, to)?;
    Ok(call::close(UdpSocket::from(socket))?)
}
