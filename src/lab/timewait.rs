//! SO_REUSEADDR must also have been set in the run that left TIME_WAIT behind; the side that closes second leaves no
//! TIME_WAIT.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::errno::Errno;

use super::{CannotRun, Stage, Value, or_one_of, unrecorded};
use crate::call::{self, Domain, SO_REUSEADDR, TcpListener, Type};
use crate::inspect::{self, Ask, Inet, State};

pub(super) const PLAYS: super::Plays = &[];

/// Which runs of the server set SO_REUSEADDR: the first, the second.
const RUNS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

/// What bind reports for a port that is taken; and listen, where both sockets had SO_REUSEADDR.
const IN_USE: [Errno; 1] = [Errno::EADDRINUSE];

/// How long both ends may take until they are done with each other.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that closes first; the option is set when it is started again. Then all four ways to set it.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let restarted = restart(stage, "server", (false, true))?;
    restarted.figures(stage);
    let all =
        unrecorded(["the four ways to set the option", "设置该选项的四种方式"], || {
            all_ways(stage, "server")
        })?;
    let [none, _, second, _] = [0, 1, 2, 3].map(|way: usize| all[way].bound.is_ok());
    stage.answer(match (none, second) {
        (true, _) => Some(1),
        (false, true) => Some(2),
        (false, false) => Some(3),
    });
    stage.claim("busy", restarted.bound == Err(Errno::EADDRINUSE));
    stage.claim("both", all.iter().map(|one| one.bound.is_ok()).eq([false, false, false, true]));
    Ok(())
}

/// The option in both runs; a client that closes first; and what the option does not do.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let restarted = restart(stage, "server", (true, true))?;
    restarted.figures(stage);
    stage.claim("rebound", restarted.bound.is_ok() && restarted.owner == "server");
    let polite = restart(stage, "client", (false, false))?;
    let all =
        unrecorded(["the four ways to set the option", "设置该选项的四种方式"], || {
            all_ways(stage, "client")
        })?;
    stage.claim("free", [polite].iter().chain(&all).all(|one| one.bound.is_ok()));

    let (first, address) = open(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), true)?;
    let second = or_one_of(open(address, true), &IN_USE)?;
    call::close(first)?;
    stage.figure("live", result(second.as_ref().map(drop)));
    stage.claim("one", second.err() == Some(Errno::EADDRINUSE));
    Ok(())
}

/// How a server fared when it was started again.
struct Restarted {
    /// What bind said.
    bound: Result<(), Errno>,
    /// Whose port is in TIME_WAIT: the server's or the client's.
    owner: &'static str,
    /// For how long, still.
    left: Duration,
}

impl Restarted {
    fn figures(&self, stage: &mut Stage) {
        stage.figure("bind", result(self.bound.as_ref().copied()));
        stage.figure("owner", Value::Word(self.owner));
        stage.figure("left", self.left);
    }
}

/// The same restart for each way to set the option.
fn all_ways(stage: &mut Stage, closes_first: &str) -> Result<Vec<Restarted>> {
    let all = RUNS.iter().map(|&reuse| restart(stage, closes_first, reuse));
    let all: Vec<Restarted> = all.collect::<Result<_>>()?;
    let set = |reuse: bool| Value::Word(if reuse { "set" } else { "unset" });
    let rows = RUNS.iter().zip(&all).map(|(&(first, second), one)| {
        let bound = result(one.bound.as_ref().copied());
        vec![set(first), set(second), Value::Word(one.owner), bound]
    });
    stage.table("ways", &["first", "second", "owner", "bind"], rows.collect());
    Ok(all)
}

/// A server serves one client and ends; then it is started again, on the same port.
fn restart(stage: &Stage, closes_first: &str, reuse: (bool, bool)) -> Result<Restarted> {
    let (listener, address) = open(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), reuse.0)?;
    let server = || {
        let (peer, client) = call::accept(&listener)?;
        if closes_first == "client" {
            call::recv(&peer, &mut [0; 16], 0)?; // 0: the client has closed
        }
        call::close(peer)?;
        Ok(client)
    };
    let client = || {
        let server = super::connect(address)?;
        if closes_first == "server" {
            call::recv(&server, &mut [0; 16], 0)?;
        }
        Ok(call::close(server)?)
    };
    let (client, ()) = stage.both(server, client)?;
    call::close(listener)?;

    let rest = rest(address, client)?;
    let bound = match or_one_of(open(address, reuse.1), &IN_USE)? {
        Ok((listener, _)) => Ok(call::close(listener)?),
        Err(errno) => Err(errno),
    };
    let owner = if rest.local == address { "server" } else { "client" };
    Ok(Restarted { bound, owner, left: rest.timer.map_or(Duration::ZERO, |timer| timer.left) })
}

/// A listener, as every textbook opens it, with the option or without.
fn open(address: SocketAddr, reuse: bool) -> call::Result<(TcpListener, SocketAddr)> {
    let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
    if reuse {
        call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    }
    call::bind(&socket, address)?;
    let listener: TcpListener = call::listen(socket, 128)?;
    let address = call::getsockname(&listener)?;
    Ok((listener, address))
}

/// What is left of a connection when both ends have closed it: one end, in TIME_WAIT.
fn rest(server: SocketAddr, client: SocketAddr) -> Result<Inet> {
    let end = Instant::now() + PATIENCE;
    loop {
        let mut ends = Vec::new();
        for (local, peer) in [(server, client), (client, server)] {
            let found = inspect::tcp(Ask::port(local.port()))?;
            ends.extend(found.into_iter().filter(|o| o.local == local && o.peer == Some(peer)));
        }
        match &ends[..] {
            [rest] if rest.state == State::TIME_WAIT => return Ok(rest.clone()),
            // Both ends have just closed: the last segments are on their way.
            _ if Instant::now() < end => thread::sleep(Duration::from_millis(1)),
            _ => {
                let why = "this host keeps no connection in TIME_WAIT; how many it may keep says \
                           `sysctl net.ipv4.tcp_max_tw_buckets`";
                return Err(CannotRun(why.to_owned()).into());
            }
        }
    }
}

fn result(bound: Result<(), impl std::borrow::Borrow<Errno>>) -> Value {
    match bound {
        Ok(()) => Value::Word("success"),
        Err(errno) => Value::Text(format!("{:?}", errno.borrow())),
    }
}
