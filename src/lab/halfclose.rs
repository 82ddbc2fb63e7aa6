//! The end of the input is not the end of the connection: the program must say so, with shutdown.

use std::io::ErrorKind::{NotFound, PermissionDenied};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use netplay_text::say;

use super::{Actor, Stage, Value, heed, tell, unrecorded};
use crate::call::{self, Fork, TcpListener, TcpStream, WaitPidFlag, pollfd};
use crate::child::{Line, Process};
use crate::lang::Lang;

/// A process, because it forks.
pub(super) const PLAYS: super::Plays = &[("forking", forking)];

/// What the client has to say: that was its whole input.
const REQUEST: &[u8] = b"hello\n";

/// How long a server that sees no end looks for it before it gives up.
const LOOK: Duration = Duration::from_millis(400);

/// Where an end or an answer is to come, it is waited for; this long at most.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client does when its input has ended.
#[derive(Clone, Copy, PartialEq)]
enum AtEnd {
    /// Nothing: it waits for the answer.
    Wait,
    Close,
    ShutdownWrite,
}

/// Clients whose server sees no end, or whose answer is lost; and what other people's programs do.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let wait = talk(stage, AtEnd::Wait, LOOK)?;
    stage.figure("seen", yes(wait.end_seen));
    stage.figure("answer", answer(&wait));
    stage.answer(match (wait.end_seen, wait.answer.is_some()) {
        (true, true) => Some(1),
        (false, false) => Some(2),
        (true, false) => Some(3),
        (false, true) => None,
    });
    let close = talk(stage, AtEnd::Close, PATIENCE)?;
    let shared = talk_forked(stage, "close", LOOK)?;
    stage.claim("waits", !wait.end_seen && wait.answer.is_none());
    stage.claim("lost", close.end_seen && close.answer.is_none());
    stage.claim("shared", !shared.end_seen);
    let rows = [("wait", wait), ("close", close), ("shared-close", shared)];
    table(stage, rows.map(|(client, end)| row(Value::Word(client), &end)).to_vec());
    programs(stage)
}

/// The same clients with shutdown.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let shutdown = talk(stage, AtEnd::ShutdownWrite, PATIENCE)?;
    stage.figure("seen", yes(shutdown.end_seen));
    stage.figure("answer", answer(&shutdown));
    let shared = talk_forked(stage, "shutdown", PATIENCE)?;
    let answered = [&shutdown, &shared].iter().all(|end| end.end_seen && end.answer.is_some());
    stage.claim("answered", answered);
    let rows = [("shutdown", shutdown), ("shared-shutdown", shared)];
    table(stage, rows.map(|(client, end)| row(Value::Word(client), &end)).to_vec());
    Ok(())
}

/// How a conversation ended.
struct End {
    /// The server read the end of the request.
    end_seen: bool,
    /// What the client got.
    answer: Option<String>,
}

fn table(stage: &mut Stage, rows: Vec<Vec<Value>>) {
    stage.table("clients", &["client", "seen", "answer"], rows);
}

fn row(client: Value, end: &End) -> Vec<Value> {
    vec![client, yes(end.end_seen), answer(end)]
}

fn yes(yes: bool) -> Value {
    Value::Word(if yes { "yes" } else { "no" })
}

fn answer(end: &End) -> Value {
    end.answer.clone().map_or(Value::Word("none"), Value::Text)
}

/// The server: it can answer only when it has the whole request, and that it knows by its end. Whether it
/// came within the time.
fn serve(listener: &TcpListener, look: Duration) -> Result<bool> {
    let (peer, _) = call::accept(listener)?;
    let (mut size, mut buf) = (0, [0; 64]);
    let end_seen = loop {
        let mut list = [pollfd { fd: peer.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        if call::poll(&mut list, Some(look))? == 0 {
            break false;
        }
        match call::recv(&peer, &mut buf, 0)? {
            0 => break true,
            n => size += n,
        }
    };
    if end_seen {
        // The client may have closed its socket by now.
        call::send(&peer, format!("{size} bytes\n").as_bytes(), call::MSG_NOSIGNAL)?;
    }
    call::close(peer)?;
    Ok(end_seen)
}

/// A client that sends its input and comes to its end.
fn talk(stage: &Stage, at_end: AtEnd, look: Duration) -> Result<End> {
    let (listener, address) = super::listener()?;
    let client = || {
        let server = super::connect(address)?;
        call::send(&server, REQUEST, 0)?;
        match at_end {
            AtEnd::Wait => {}
            AtEnd::ShutdownWrite => call::shutdown(&server, Shutdown::Write)?,
            AtEnd::Close => {
                call::close(server)?; // and there is no descriptor to read the answer from
                return Ok(None);
            }
        }
        read_answer(server)
    };
    let (end_seen, answer) = stage.both(|| serve(&listener, look), client)?;
    call::close(listener)?;
    Ok(End { end_seen, answer })
}

/// What the server says before it closes the connection.
fn read_answer(server: TcpStream) -> Result<Option<String>> {
    let mut buf = [0; 64];
    let n = call::recv(&server, &mut buf, 0)?;
    call::close(server)?;
    Ok((n > 0).then(|| String::from_utf8_lossy(&buf[..n]).trim_end().to_owned()))
}

/// A client whose child has the connection too.
fn talk_forked(stage: &Stage, at_end: &str, look: Duration) -> Result<End> {
    let (listener, address) = super::listener()?;
    let args = [address.to_string(), at_end.to_owned()];
    let mut client: Actor = stage.actor("client", "parent", "forking", &args)?;
    let end_seen = serve(&listener, look)?;
    client.say("leave")?;
    let answer = client.hear()?;
    client.wait()?;
    call::close(listener)?;
    Ok(End { end_seen, answer: (answer != "-").then_some(answer) })
}

/// The client that forks: its child does nothing but have a copy of the descriptor.
fn forking(args: &[String]) -> Result<()> {
    let [address, at_end] = args else { bail!("a client needs an address and what it does") };
    let address: SocketAddr = address.parse().context("an address")?;
    let server = super::connect(address)?;
    match call::fork()? {
        Fork::Child => {
            heed()?;
            std::process::exit(0);
        }
        Fork::Parent(child) => {
            call::send(&server, REQUEST, 0)?;
            let answer = if at_end == "shutdown" {
                call::shutdown(&server, Shutdown::Write)?;
                read_answer(server)?
            } else {
                call::close(server)?;
                None
            };
            call::waitpid(Some(child), WaitPidFlag::empty())?;
            tell(answer.unwrap_or_else(|| "-".to_owned()))
        }
    }
}

/// What other people's clients do at the end of their input.
fn programs(stage: &mut Stage) -> Result<()> {
    let rows = ["nc", "nc -N", "ncat", "socat"].map(|line| {
        let name = Value::Text(line.to_owned());
        Ok(match unrecorded([line; 2], || talk_to(line))? {
            Some(end) => row(name, &end),
            None => vec![name, Value::Word("missing"), Value::Word("missing")],
        })
    });
    let rows = rows.into_iter().collect::<Result<Vec<_>>>()?;
    stage.table("programs", &["client", "seen", "answer"], rows);
    Ok(())
}

/// Whether the program is on the path, and knows its option: only OpenBSD's nc has -N.
fn is_there(line: &str) -> Result<bool> {
    let mut words = line.split(' ');
    let program = words.next().unwrap_or_default();
    let help = match Command::new(program).arg("-h").stdin(Stdio::null()).output() {
        Ok(help) => [help.stdout, help.stderr].concat(),
        Err(error) if matches!(error.kind(), NotFound | PermissionDenied) => return Ok(false),
        Err(error) => {
            return Err(error).with_context(|| {
                say!(Lang::current(), "cannot start {program}", "无法启动 {program}")
            });
        }
    };
    Ok(words.all(|option| String::from_utf8_lossy(&help).contains(option)))
}

/// `printf 'hello\n' | nc 127.0.0.1 PORT`; `None` where there is no such program.
fn talk_to(line: &str) -> Result<Option<End>> {
    if !is_there(line)? {
        return Ok(None);
    }
    let (listener, address) = super::listener()?;
    let (ip, port) = (address.ip(), address.port());
    let to = if line == "socat" { format!("- TCP4:{ip}:{port}") } else { format!("{ip} {port}") };
    let (sender, lines) = mpsc::channel();
    // Dropping it ends all that it has started.
    let mut pipe =
        Process::start_command(&format!("printf 'hello\\n' | {line} {to}"), 2, sender.clone())?;
    pipe.tell_output(1, sender)?;
    let mut list = [pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
    if call::poll(&mut list, Some(PATIENCE))? == 0 {
        return Ok(None); // it is there, and cannot connect
    }
    let end_seen = serve(&listener, LOOK)?;
    call::close(listener)?;
    let (end, mut answer) = (Instant::now() + PATIENCE, None);
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(Line { lane: 1, text }) => answer = Some(text),
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => break, // it has ended
            Err(RecvTimeoutError::Timeout) => {
                bail!(say!(Lang::current(), "{line} does not end", "{line} 一直没有结束"))
            }
        }
    }
    Ok(Some(End { end_seen, answer }))
}
