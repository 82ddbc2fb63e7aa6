//! Connected is not served: the kernel accepts connections by itself, the server one after the other.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Stage, Value, unrecorded};
use crate::call::{self, pollfd};

pub(super) const PLAYS: super::Plays = &[];

/// How long B waits for an answer before A is sent away.
const LOOK: Duration = Duration::from_millis(400);

/// Where an answer is to come, it is waited for; this long at most.
const PATIENCE: Duration = Duration::from_secs(30);

/// The models that serve several clients; the first is drawn.
const CONCURRENT: [&str; 5] = ["select", "fork", "thread", "poll", "epoll"];

/// A server that talks to A, and B, who comes second.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let (server, address) = stage.server("server", &["iterative", "server", "--tcp"], true)?;
    let ((), fared) = stage.both(|| Ok(()), || two_clients(address, LOOK))?;
    server.stop();
    server.wait()?;
    stage.figure("connect", fared.connect);
    stage.figure("reply", fared.reply);
    // A client that connects only when A has left has waited as long as for the answer.
    let connected_with_a = fared.connect < fared.reply / 2;
    stage.answer(match (connected_with_a, fared.answered_with_a) {
        (_, true) => Some(1),
        (false, false) => Some(2),
        (true, false) => Some(3),
    });
    stage.claim("connected", connected_with_a);
    stage.claim("deaf", !fared.answered_with_a);
    Ok(())
}

/// The same two clients, and servers that listen to both.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let (mut rows, mut all) = (Vec::new(), true);
    for model in CONCURRENT {
        let drawn = model == CONCURRENT[0];
        let (server, address) = stage.server(model, &[model, "server"], drawn)?;
        let clients = || two_clients(address, PATIENCE);
        let ((), fared) = match drawn {
            true => stage.both(|| Ok(()), clients)?,
            false => unrecorded([model; 2], || stage.both(|| Ok(()), clients))?,
        };
        server.stop();
        server.wait()?;
        all &= fared.answered_with_a;
        rows.push(vec![
            model.to_owned().into(),
            fared.connect.into(),
            fared.reply.into(),
            Value::Word(if fared.answered_with_a { "yes" } else { "no" }),
        ]);
    }
    stage.table("models", &["model", "connect", "reply", "there"], rows);
    stage.claim("heard", all);
    Ok(())
}

/// How B fared.
struct Fared {
    connect: Duration,
    reply: Duration,
    answered_with_a: bool,
}

/// A connects and says nothing; B connects and asks. If B has no answer in time, A leaves.
fn two_clients(server: SocketAddr, look: Duration) -> Result<Fared> {
    let a = super::connect(server)?;
    let begun = Instant::now();
    let b = super::connect(server)?;
    let connect = begun.elapsed();
    let asked = Instant::now();
    call::send(&b, b"hello from B", 0)?;
    let mut list = [pollfd { fd: b.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
    let answered_with_a = call::poll(&mut list, Some(look))? > 0;
    if answered_with_a {
        call::recv(&b, &mut [0; 256], 0)?;
    }
    let mut reply = asked.elapsed();
    call::close(a)?;
    if !answered_with_a {
        call::recv(&b, &mut [0; 256], 0)?;
        reply = asked.elapsed();
    }
    call::close(b)?;
    Ok(Fared { connect, reply, answered_with_a })
}
