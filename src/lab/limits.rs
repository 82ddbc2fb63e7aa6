//! accept fails when this side has no descriptor left, and a loop that only tries again burns a processor;
//! connect fails when this side has no port left.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::time::{ClockId, clock_gettime};

use super::{Stage, Value, heed, or_one_of, tell, unrecorded};
use crate::call::{self, Domain, IP_LOCAL_PORT_RANGE, TcpListener, TcpStream, Type, pollfd};
use crate::inspect::numbers;

/// The server is a process, because its limit on descriptors is.
pub(super) const PLAYS: super::Plays = &[("server", server)];

/// How many clients the server has descriptors for, and how many come.
const SEATS: usize = 3;
const CLIENTS: usize = 5;

/// How long the server is watched.
const WATCHED: Duration = Duration::from_millis(400);

/// How many ports the second half has for its connections.
const PORTS: u16 = 5;

/// A server that tries accept again; and a client that uses up its ports.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let [failures, share, turned_away] = serve(stage, "again")?;
    stage.answer(match (failures as u64, turned_away as u64) {
        (0, 0) => Some(1),
        (_, 1..) => Some(2),
        (2.., 0) => Some(3),
        _ => None,
    });
    stage.claim("spins", failures > 100.0);
    stage.claim("burns", share > 0.02);
    ports(stage, false)
}

/// A server that keeps a descriptor in reserve; and a client that goes to a second address.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let [failures, _, turned_away] = serve(stage, "reserve")?;
    stage.claim("rests", failures <= (CLIENTS - SEATS) as f64);
    stage.claim("told", turned_away as usize == CLIENTS - SEATS);
    ports(stage, true)
}

/// More clients than descriptors: failed calls of accept, the share of a processor, clients turned away.
fn serve(stage: &mut Stage, way: &str) -> Result<[f64; 3]> {
    let mut server = stage.actor("server", "server", "server", &[way.to_owned()])?;
    let address: SocketAddr = server.hear()?.parse().context("the server's address")?;
    let ((), (turned_away, counted)) = stage.both(
        || Ok(()),
        || {
            let clients: Vec<TcpStream> =
                (0..CLIENTS).map(|_| super::connect(address)).collect::<Result<_>>()?;
            server.say("all are here")?;
            let counted = server.hear()?;
            let mut turned_away = 0;
            for client in &clients {
                let (fd, events) = (client.as_raw_fd(), libc::POLLIN);
                let mut list = [pollfd { fd, events, revents: 0 }];
                turned_away += call::poll(&mut list, Some(Duration::ZERO))?;
            }
            clients.into_iter().try_for_each(call::close)?;
            Ok((turned_away, counted))
        },
    )?;
    let counted: Vec<f64> = counted.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [failures, seconds, cpu] = counted[..] else { bail!("three numbers were expected") };
    server.say("end")?;
    server.wait()?;
    stage.figure("failures", failures as u64);
    stage.figure("rate", Value::Rate(failures / seconds));
    stage.figure("cpu", Value::Share(cpu / seconds));
    stage.figure("away", turned_away);
    Ok([failures, cpu / seconds, turned_away as f64])
}

/// The server: as many descriptors as it has seats for clients, and one more for its reserve.
fn server(args: &[String]) -> Result<()> {
    let reserve = args.first().context("a server needs a way")? == "reserve";
    let (listener, address) = super::listener()?;
    let spare: OwnedFd = fs::File::open("/dev/null")?.into();
    let most = spare.as_raw_fd() as u64 + 1 + SEATS as u64;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    tell(address)?;
    heed()?;
    let (begun, cpu) = (Instant::now(), cpu_time()?);
    let (_clients, failures) = if reserve {
        shed(&listener, spare, begun + WATCHED)?
    } else {
        try_again(&listener, begun + WATCHED)?
    };
    let (cpu, seconds) = (cpu_time()? - cpu, begun.elapsed());
    tell(format_args!("{failures} {} {}", seconds.as_secs_f64(), cpu.as_secs_f64()))?;
    heed()?;
    Ok(())
}

/// The loop of many a first server: whatever accept says, it is called again.
fn try_again(listener: &TcpListener, until: Instant) -> Result<(Vec<TcpStream>, u64)> {
    let (mut clients, mut failures) = (Vec::new(), 0);
    while failures == 0 {
        match call::accept(listener) {
            Ok((client, _)) => clients.push(client),
            Err(error) if error.errno() == Errno::EMFILE => failures += 1,
            Err(error) => return Err(error.into()),
        }
    }
    unrecorded(["accept, which fails again and again", "一次又一次失败的 accept"], || {
        while Instant::now() < until {
            match call::accept(listener) {
                Ok((client, _)) => clients.push(client),
                Err(error) if error.errno() == Errno::EMFILE => failures += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    })?;
    Ok((clients, failures))
}

/// Gives up a descriptor that was kept for this, to tell the client at once; then waits for the next.
fn shed(listener: &TcpListener, spare: OwnedFd, until: Instant) -> Result<(Vec<TcpStream>, u64)> {
    let (mut clients, mut failures, mut spare) = (Vec::new(), 0, spare);
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        let mut list = [pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        if call::poll(&mut list, Some(left))? == 0 {
            break;
        }
        match call::accept(listener) {
            Ok((client, _)) => clients.push(client),
            Err(error) if error.errno() == Errno::EMFILE => {
                failures += 1;
                drop(spare);
                let (client, _) = call::accept(listener)?;
                call::close(client)?;
                spare = fs::File::open("/dev/null")?.into();
            }
            Err(error) => return Err(error.into()),
        }
    }
    drop(spare);
    Ok((clients, failures))
}

fn cpu_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into())
}

/// Connects with a few ports until there is none left; then, perhaps, to a second address.
fn ports(stage: &mut Stage, and_elsewhere: bool) -> Result<()> {
    let (listener, address) = super::listener()?;
    let (second, elsewhere) = super::listener()?;
    let first_port = some_ports()?;
    let client = || until_none_is_left(address, first_port);
    let ((), (mut held, error)) = stage.both(|| Ok(()), client)?;
    let (here, mut rows) = (held.len(), Vec::new());
    let row = |to: &'static str, connected: usize, error: &str| {
        vec![Value::Word(to), connected.into(), error.to_owned().into()]
    };
    rows.push(row("one", here, &error));
    let mut there = 0;
    if and_elsewhere && here > 0 {
        let client = || until_none_is_left(elsewhere, first_port);
        let ((), (more, error)) = stage.both(|| Ok(()), client)?;
        there = more.len();
        rows.push(row("other", there, &error));
        held.extend(more);
    }
    stage.both(|| Ok(()), || Ok(held.into_iter().try_for_each(call::close)?))?;
    call::close(listener)?;
    call::close(second)?;
    stage.table("ports", &["to", "connections", "error"], rows);
    // Before Linux 6.3 a socket had no range of its own: then the table says so.
    let known = error != "ENOPROTOOPT";
    if and_elsewhere {
        stage.claim("again", !known || there > 0);
    } else {
        let used_up = (1..=PORTS.into()).contains(&here) && error == "EADDRNOTAVAIL";
        stage.claim("used", !known || used_up);
    }
    Ok(())
}

/// Connections to one address from five ports, until connect fails; and why it did.
fn until_none_is_left(address: SocketAddr, first_port: u16) -> Result<(Vec<TcpStream>, String)> {
    let last_port = first_port + PORTS - 1;
    let range = (u32::from(last_port) << 16 | u32::from(first_port)).cast_signed();
    let mut held = Vec::new();
    for _ in 0..=PORTS {
        let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
        let connected = call::setsockopt(&socket, IP_LOCAL_PORT_RANGE, range)
            .and_then(|()| call::connect::<TcpStream>(socket, address));
        match or_one_of(connected, &[Errno::EADDRNOTAVAIL, Errno::ENOPROTOOPT])? {
            Ok(stream) => {
                call::getsockname(&stream)?;
                held.push(stream);
            }
            Err(errno) => return Ok((held, format!("{errno:?}"))),
        }
    }
    Ok((held, "-".to_owned()))
}

/// The first of some ports in the middle of the host's own range (ip(7)), other ones for each run.
fn some_ports() -> Result<u16> {
    let bounds = numbers("net/ipv4/ip_local_port_range").unwrap_or_default();
    let [low, high] = bounds[..] else { bail!("ip_local_port_range has two numbers") };
    let room = high.saturating_sub(low).saturating_sub(PORTS.into()).max(1);
    let chance = u64::from(std::process::id().wrapping_mul(2_654_435_761)) % room;
    Ok(u16::try_from(low + chance)?)
}
