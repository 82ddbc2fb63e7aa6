//! The first write after the peer has left succeeds; the second may end the program.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};

use super::{Stage, Value, heed, tell, word};
use crate::call::{self, MSG_NOSIGNAL, TcpStream};

/// The writer is a process: one of them will be killed.
pub(super) const PLAYS: super::Plays = &[("writer", writer)];

/// What a writer does about SIGPIPE.
const WAYS: [&str; 3] = ["default", "ignored", "nosignal"];

/// What send says of a peer that has left.
const GONE: [Errno; 2] = [Errno::EPIPE, Errno::ECONNRESET];

/// A peer that leaves, and a writer that goes on: as a C program does it, without a thought for SIGPIPE.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let end = write_on(stage, "default")?;
    stage.figure("first", end.first.clone());
    stage.figure("second", if end.killed { Value::Word("none") } else { end.second.into() });
    stage.figure("exit", end.exit.clone());
    stage.answer(match (end.first.as_str(), end.killed) {
        ("EPIPE" | "ECONNRESET", false) => Some(1),
        ("3", false) => Some(2),
        ("3", true) => Some(3),
        _ => None,
    });
    stage.claim("accepted", end.first == "3");
    stage.claim("killed", end.killed);
    Ok(())
}

/// The same writer, protected in two ways.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let mut rows = Vec::new();
    let mut told = true;
    for way in &WAYS[1..] {
        let end = write_on(stage, way)?;
        told &= end.first == "3" && end.second == "EPIPE" && !end.killed;
        rows.push(vec![Value::Word(way), end.first.into(), end.second.into(), end.exit.into()]);
    }
    stage.table("writers", &["way", "first", "second", "exit"], rows);
    stage.claim("told", told);
    Ok(())
}

/// How a writer fared.
struct End {
    first: String,
    second: String,
    exit: String,
    killed: bool,
}

/// Lets a writer write once more after the peer has closed, and then again.
fn write_on(stage: &Stage, way: &str) -> Result<End> {
    let (listener, address) = super::listener()?;
    let args = [address.to_string(), way.to_owned()];
    let mut actor = stage.actor("client", &format!("writer, {way}"), "writer", &args)?;
    let (peer, _) = call::accept(&listener)?;
    call::close(peer)?;
    call::close(listener)?;
    actor.say("write")?;
    let first = actor.hear()?;
    // Loopback delivers at once: when send returned, the RST was back already.
    actor.say("write")?;
    let second = actor.hear();
    let status = actor.wait()?;
    let killed = status.signal() == Some(Signal::SIGPIPE as i32);
    let second = if killed { "-".to_owned() } else { second? };
    let exit = match status.signal() {
        Some(signal) => format!("{} (SIGPIPE)", 128 + signal),
        None => status.code().unwrap_or_default().to_string(),
    };
    Ok(End { first, second, exit, killed })
}

/// The writer: connects, and writes when it is told to.
#[expect(unsafe_code, reason = "what a process does on a signal is set here")]
fn writer(args: &[String]) -> Result<()> {
    let [address, way] = args else { anyhow::bail!("a writer needs an address and a way") };
    let address: SocketAddr = address.parse().context("an address")?;
    let on_sigpipe = if way == "ignored" { SigHandler::SigIgn } else { SigHandler::SigDfl };
    // SAFETY: no handler of ours is installed, only the default action or none.
    unsafe { signal(Signal::SIGPIPE, on_sigpipe) }?;
    let flags = if way == "nosignal" { MSG_NOSIGNAL } else { 0 };
    let server: TcpStream = super::connect(address)?;
    for text in ["one", "two"] {
        heed()?;
        tell(word(call::send(&server, text.as_bytes(), flags), &GONE)?)?;
    }
    call::close(server)?;
    Ok(())
}
