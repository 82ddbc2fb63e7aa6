//! A socket is closed with its last descriptor: fork copies descriptors, exec keeps them.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;

use super::{Stage, Value, heed, or_one_of, tell};
use crate::call::{self, Domain, FcntlArg, FdFlag, Fork, TcpListener, Type, WaitPidFlag, pollfd};
use crate::inspect::{self, Ask};
use crate::lang::Lang;

/// Both are processes, because they fork; the second also runs a helper that is no part of netplay.
pub(super) const PLAYS: super::Plays = &[("server", server), ("restart", restart)];

/// How long the client looks for the end of the connection before the child is told to leave.
const LOOK: Duration = Duration::from_millis(300);

/// How long a look into other processes may take.
const SEARCH: Duration = Duration::from_secs(2);

/// A child that keeps the connection, and a helper that keeps the listener.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let early = ends_early(stage, "keep")?;
    stage.answer(Some(if early { 1 } else { 2 }));
    stage.claim("late", !early);
    let (bound, held) = bind_again(stage, "inherit")?;
    stage.claim("busy", bound == "EADDRINUSE");
    if held != Held::Unknown {
        stage.claim("held", held != Held::ByNone);
    }
    Ok(())
}

/// A child that closes what it does not need, and a listener that is closed on exec.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let early = ends_early(stage, "close")?;
    stage.claim("early", early);
    let (bound, held) = bind_again(stage, "cloexec")?;
    stage.claim("free", bound == "0" && !matches!(held, Held::By(_)));
    Ok(())
}

/// Whether the client reads the end of the connection while the child is still there.
fn ends_early(stage: &mut Stage, way: &str) -> Result<bool> {
    let mut server = stage.actor("server", "parent", "server", &[way.to_owned()])?;
    let address: SocketAddr = server.hear()?.parse().context("the server's address")?;
    // An end that should come is waited for. One that should not come gets enough time to be seen.
    let look = if way == "keep" { LOOK } else { Duration::from_secs(30) };
    let (early, took) = {
        let client = || {
            let connection = super::connect(address)?;
            server.hear()?; // the parent has closed its descriptor
            let closed = Instant::now();
            let fd = std::os::fd::AsRawFd::as_raw_fd(&connection);
            let mut list = [pollfd { fd, events: libc::POLLIN, revents: 0 }];
            let early = call::poll(&mut list, Some(look))? > 0;
            if !early {
                server.say("leave")?;
            }
            let end = call::recv(&connection, &mut [0; 16], 0)?;
            let took = closed.elapsed();
            if end > 0 {
                bail!("a server that sends nothing has sent something");
            }
            if early {
                server.say("leave")?;
            }
            call::close(connection)?;
            Ok((early, took))
        };
        stage.both(|| Ok(()), client)?.1
    };
    server.wait()?;
    stage.figure("eof", took);
    Ok(early)
}

/// The server: its child says nothing to the client, and leaves when it is told to.
fn server(args: &[String]) -> Result<()> {
    let keeps = args.first().context("a server needs a way")? == "keep";
    let (listener, address) = super::listener()?;
    tell(address)?;
    let (peer, _) = call::accept(&listener)?;
    match call::fork()? {
        Fork::Child => {
            if !keeps {
                call::close(peer)?;
            }
            call::close(listener)?;
            heed()?; // busy with something that has nothing to do with this client
            std::process::exit(0);
        }
        Fork::Parent(child) => {
            call::close(peer)?;
            tell("closed")?;
            call::waitpid(Some(child), WaitPidFlag::empty())?;
            call::close(listener)?;
        }
    }
    Ok(())
}

/// Who has a listener that its server has closed.
#[derive(Debug, Clone, PartialEq)]
enum Held {
    By(String),
    ByNone,
    /// Not every process could be looked at.
    Unknown,
}

/// What a second bind to the port of a closed listener returns, and who still has that listener.
fn bind_again(stage: &mut Stage, way: &str) -> Result<(String, Held)> {
    let mut server = stage.actor("server", "server", "restart", &[way.to_owned()])?;
    let address: SocketAddr = server.hear()?.parse().context("the server's address")?;
    let bound = server.hear()?;
    let listening = |socket: &inspect::Inet| socket.local == address && socket.inode != 0;
    let inodes = inspect::tcp(Ask::port(address.port()))?;
    let inodes: Vec<u64> =
        inodes.iter().filter(|socket| listening(socket)).map(|s| s.inode).collect();
    let holders = inspect::holders(inodes.iter().copied(), SEARCH);
    let held = inodes.iter().flat_map(|&inode| holders.of(inode)).filter(|holder| {
        // The second socket, if it was bound, is the server's own.
        i32::try_from(holder.pid) != Ok(server.pid().as_raw())
    });
    let held: Vec<String> =
        held.map(|holder| format!("{} ({})", holder.program, holder.pid)).collect();
    let held = match held.is_empty() {
        false => Held::By(held.join(", ")),
        true if holders.unread().is_some() || holders.unfinished() => Held::Unknown,
        true => Held::ByNone,
    };
    server.say("end")?;
    server.wait()?;
    stage.figure("bind", if bound == "0" { Value::Word("success") } else { bound.clone().into() });
    let holder = match &held {
        Held::By(holders) => holders.clone().into(),
        Held::ByNone => Value::Word("none"),
        Held::Unknown => Value::Word("unknown"),
    };
    stage.figure("holder", holder);
    Ok((bound, held))
}

/// A server that starts a helper, closes its listener, and binds again, as after a restart.
fn restart(args: &[String]) -> Result<()> {
    let inherits = args.first().context("a server needs a way")? == "inherit";
    let (listener, address) = super::listener()?;
    if inherits {
        // As in C, where a descriptor stays open on exec unless it is asked not to.
        call::fcntl(&listener, FcntlArg::F_SETFD(FdFlag::empty()))?;
    }
    tell(address)?;
    let mut helper = Command::new("sleep")
        .arg("20")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context(Lang::current().pick("cannot start sleep", "无法启动 sleep"))?;
    let bound = or_one_of(close_and_bind(listener, address), &[Errno::EADDRINUSE]);
    let said = match &bound {
        Ok(Ok(_)) => tell("0"),
        Ok(Err(errno)) => tell(format_args!("{errno:?}")),
        Err(_) => Ok(()), // the lab notices that nothing was said
    };
    if bound.is_ok() {
        let _ = heed(); // the lab looks for the holder of the port now
    }
    helper.kill()?;
    helper.wait()?;
    if let Ok(socket) = bound? {
        call::close(socket)?;
    }
    said
}

fn close_and_bind(listener: TcpListener, address: SocketAddr) -> call::Result<TcpListener> {
    call::close(listener)?;
    let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
    call::bind(&socket, address)?;
    call::listen(socket, 128)
}
