//! Where a lab plays: its sides, and what it measures.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use serde::Serialize;

use super::actor::Actor;
use super::busy;
use super::figure::{Claim, Figure, Table, Value};
use crate::call::CallError;
use crate::child;
use crate::child::{CannotRun, CannotStart};
use crate::failure::in_words;
use crate::lang::Lang;
use crate::trace::{self, Collection, Event, TraceFile};

/// How long a side may go on when the other has failed.
const GRACE: Duration = Duration::from_secs(3);

/// What one part of a lab, without the fix or with it, has measured.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Act {
    /// Which choice of the prediction was right, counted from 1; `None` if none of them is.
    pub answer: Option<usize>,
    /// Single values.
    pub figures: Vec<Figure>,
    /// Tables.
    pub tables: Vec<Table>,
    /// What had to be so.
    pub claims: Vec<Claim>,
}

/// Where a lab plays. The thread that runs it is the server's side; [`both`](Stage::both) gives it a client
/// in a thread, [`actor`](Stage::actor) a process.
pub struct Stage {
    lab: &'static str,
    collection: Collection,
    raw: Option<TraceFile>,
    cast: Cast,
    act: Act,
}

/// Who is called what: the names of threads and processes.
pub(super) type Cast = Arc<Mutex<HashMap<i32, String>>>;

impl Stage {
    pub(super) fn new(lab: &'static str, collection: Collection, raw: Option<TraceFile>) -> Stage {
        Stage { lab, collection, raw, cast: Cast::default(), act: Act::default() }
    }

    /// What was measured: a single value, under the key of its name.
    pub fn figure(&mut self, key: &'static str, value: impl Into<Value>) {
        self.act.figures.push(Figure { key, value: value.into() });
    }

    /// What was measured: a table.
    pub fn table(&mut self, key: &'static str, columns: &[&'static str], rows: Vec<Vec<Value>>) {
        self.act.tables.push(Table { key, columns: columns.to_vec(), rows });
    }

    /// Something that must be so, and whether it was. A lab claims phenomena, not numbers.
    pub fn claim(&mut self, key: &'static str, held: bool) {
        self.act.claims.push(Claim { key, held });
    }

    /// Which choice of the prediction was right, counted from 1, by what was measured.
    pub fn answer(&mut self, choice: Option<usize>) {
        self.act.answer = choice;
    }

    /// Runs both sides at once: the server in this thread, the client in one of its own.
    ///
    /// # Errors
    /// What one of them returns. If both fail: the client's, unless it is only the answer to the server's end.
    pub fn both<S, C: Send>(
        &self,
        server: impl FnOnce() -> Result<S>,
        client: impl FnOnce() -> Result<C> + Send,
    ) -> Result<(S, C)> {
        let (mut served, mut asked) = (None, None);
        self.both_sides(
            Box::new(|| server().map(|value| served = Some(value))),
            Box::new(|| client().map(|value| asked = Some(value))),
        )?;
        let both = "a side that did not fail has a value";
        Ok((served.expect(both), asked.expect(both)))
    }

    /// As [`both`](Stage::both). Compiled once, and not once for each pair of sides: there are some forty.
    fn both_sides(
        &self,
        server: Box<dyn FnOnce() -> Result<()> + '_>,
        client: Box<dyn FnOnce() -> Result<()> + Send + '_>,
    ) -> Result<()> {
        thread::scope(|scope| {
            let client = thread::Builder::new()
                .spawn_scoped(scope, || {
                    self.speak_as("client", "client");
                    client().inspect_err(|error| self.alone(error))
                })
                .context(CannotStart::Thread)?;
            let served = server().inspect_err(|error| self.alone(error));
            let served = served.context(Lang::current().pick("the server", "服务器"));
            let asked = client
                .join()
                .expect("no side of a lab panics")
                .context(Lang::current().pick("the client", "客户端"));
            match (served, asked) {
                (Err(served), Err(asked)) => {
                    let answers = is_a_cause(&served) && !is_a_cause(&asked);
                    Err(if answers { served } else { asked })
                }
                (served, asked) => served.and(asked),
            }
        })
    }

    /// A side has failed: the other may wait for it for ever. If it does, the lab ends soon, with the reason.
    fn alone(&self, error: &anyhow::Error) {
        let (lab, said) = (self.lab, in_words(error.as_ref(), Lang::current()));
        let code = if error.is::<CannotRun>() { 4 } else { 1 };
        let (at_once, may_be_busy) = (said.clone(), !busy::is_no_reason_for(error));
        let waits = child::thread(move || {
            thread::sleep(GRACE);
            super::end(lab, said, code, may_be_busy);
        });
        if waits.is_err() {
            super::end(lab, at_once, code, may_be_busy);
        }
    }

    /// Says whose side this thread is on (`server` or `client`), and what it is called in the picture.
    pub fn speak_as(&self, role: &'static str, name: &str) {
        trace::speak_as(role);
        lock(&self.cast).insert(nix::unistd::gettid().as_raw(), name.to_owned());
    }

    /// Starts a process of this lab (see [`Lab`](super::Lab)), on the side `role`, called `name`.
    ///
    /// # Errors
    /// This program cannot be started once more.
    pub fn actor(
        &self,
        role: &'static str,
        name: &str,
        play: &str,
        args: &[String],
    ) -> Result<Actor> {
        let line = ["lab", self.lab, "--play", play, "--role", role, "--trace", "/proc/self/fd/2"];
        let args = args.iter().map(|arg| format!("--with={arg}"));
        self.start(name, line.map(String::from).into_iter().chain(args).collect())
    }

    /// Starts a server of netplay, and says where it is: `args` are `iterative server --tcp`. Without `told`
    /// its calls are not recorded, and not drawn.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn server(&self, name: &str, args: &[&str], told: bool) -> Result<(Actor, SocketAddr)> {
        let mut line: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        line.extend(["127.0.0.1", "0"].map(String::from));
        if told {
            line.extend(["--trace", "/proc/self/fd/2"].map(String::from));
        }
        let mut server = self.start(name, line)?;
        let ready = server.hear()?;
        let address = ready.rsplit(' ').next().unwrap_or_default().parse();
        Ok((server, address.with_context(|| format!("{name} said {ready:?}"))?))
    }

    fn start(&self, name: &str, line: Vec<String>) -> Result<Actor> {
        let actor = Actor::start(line, self.collection.clone(), self.raw.clone())?;
        lock(&self.cast).insert(actor.pid().as_raw(), name.to_owned());
        Ok(actor)
    }

    /// Ends a part: what it measured, and its records.
    pub(super) fn end_act(&mut self) -> (Act, Vec<Event>) {
        (std::mem::take(&mut self.act), self.collection.take())
    }

    /// The names of all threads and processes so far.
    pub(super) fn names(&self) -> HashMap<i32, String> {
        lock(&self.cast).clone()
    }
}

/// Whether a call has failed, and not because the other side has left.
fn is_a_cause(error: &anyhow::Error) -> bool {
    let call = error.downcast_ref().map(CallError::errno);
    !matches!(
        call,
        None | Some(Errno::ECONNREFUSED | Errno::ECONNRESET | Errno::EPIPE | Errno::EAGAIN)
    )
}

fn lock(cast: &Cast) -> MutexGuard<'_, HashMap<i32, String>> {
    cast.lock().unwrap_or_else(PoisonError::into_inner)
}
