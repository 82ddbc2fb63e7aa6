//! A side of a lab as a process: one that is killed, that forks, or whose limits are its own.
//!
//! ```text
//! the lab                         the actor: netplay lab NAME --play PLAY …
//! say("go") ─────── stdin ──────▶ heed()
//! hear()    ◀────── stdout ────── tell("127.0.0.1:40321")
//! records   ◀────── stderr ────── every call, as a line of JSON
//! ```

use std::fmt;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::unistd::Pid;

use crate::child::{Line, Process};
use crate::lang::Lang;
use crate::output::stdout;
use crate::trace::{Collection, Event, TraceFile};

/// No actor is silent for longer when it has something to say.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process of a lab. Dropping it ends it.
#[derive(Debug)]
pub struct Actor {
    process: Process,
    lines: Receiver<Line<Pipe>>,
    collection: Collection,
    raw: Option<TraceFile>,
}

/// A process of a lab has ended where it should have said something. Why, it has said itself.
#[derive(Debug)]
pub(super) struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            Lang::current().pick("a process of the lab has ended", "实验的一个进程已经结束"),
        )
    }
}

impl std::error::Error for Ended {}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Pipe {
    Stdout,
    Stderr,
}

impl Actor {
    /// Starts netplay with these arguments.
    pub(super) fn start(
        mut line: Vec<String>,
        collection: Collection,
        raw: Option<TraceFile>,
    ) -> Result<Actor> {
        line.extend(["--quiet", "--lang", Lang::current().code()].map(String::from));
        let (sender, lines) = mpsc::channel();
        let mut process = Process::start(&line, Path::new("."), Pipe::Stderr, sender.clone())?;
        process.tell_output(Pipe::Stdout, sender)?;
        Ok(Actor { process, lines, collection, raw })
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Gives it a cue, which it waits for in [`heed`].
    ///
    /// # Errors
    /// It has ended.
    pub fn say(&mut self, cue: &str) -> Result<()> {
        self.process.say(cue).map_err(|_| Ended.into())
    }

    /// Asks it to end, as Ctrl-C would.
    pub fn stop(&self) {
        self.process.stop();
    }

    /// What it says next, by [`tell`].
    ///
    /// # Errors
    /// It ended, or said nothing for half a minute.
    pub fn hear(&mut self) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(Line { lane: Pipe::Stdout, text }) => return Ok(text),
                Ok(line) => self.keep(&line.text),
                Err(RecvTimeoutError::Timeout) => bail!(
                    Lang::current()
                        .pick("a process of the lab says nothing", "实验的一个进程没有回音")
                ),
                Err(RecvTimeoutError::Disconnected) => bail!(Ended),
            }
        }
    }

    /// Waits for its end, and says how it ended.
    ///
    /// # Errors
    /// None that waitpid(2) documents for one's own child.
    pub fn wait(mut self) -> Result<ExitStatus> {
        self.process.hush();
        let status = self.process.wait()?;
        self.keep_the_rest();
        Ok(status)
    }

    /// Keeps what is still on its way: the pipes end with the process, unless one of its children has them.
    fn keep_the_rest(&mut self) {
        let end = Instant::now() + Duration::from_secs(1);
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            if line.lane == Pipe::Stderr {
                self.keep(&line.text);
            }
        }
    }

    fn keep(&mut self, line: &str) {
        match serde_json::from_str::<Event>(line) {
            Ok(record) => {
                if let Some(file) = &mut self.raw {
                    // A lab does not need its trace: if it cannot be written, the lab goes on, and says at its
                    // end what is missing.
                    let _ = file.write(format!("{line}\n").as_bytes(), Some(&record));
                }
                self.collection.add(record);
            }
            Err(_) => crate::trace::remark(line), // what it had to say when it failed
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.process.end();
        self.keep_the_rest();
    }
}

/// For an actor: says something to the lab.
///
/// # Errors
/// The lab has ended.
pub fn tell(word: impl std::fmt::Display) -> Result<()> {
    let mut out = stdout();
    writeln!(out, "{word}").and_then(|()| out.flush()).context("the lab no longer listens")
}

/// For an actor: waits for the lab's next cue.
///
/// # Errors
/// The lab has ended.
pub fn heed() -> Result<String> {
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line)? {
        0 => bail!("the lab has ended"),
        _ => Ok(line.trim_end().to_owned()),
    }
}
