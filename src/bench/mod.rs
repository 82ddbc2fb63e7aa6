//! The bench: every server under the same load, one beside the other.
//!
//! ```text
//! plan      which servers, which loads, how often            (machine: what there is to measure on)
//! server    a process of its own for every turn
//! estimate  how long all of it takes, before it begins
//! load      the client's side: connect, be quiet, go, be quiet, close
//! meter     what the server used between the two quiets
//! sample    the turns, and what may be said of them
//! report    tables, for people and programs                  (picture: the same to look at)
//!
//! alone     the client's side without a server of ours      (moment: when several machines begin)
//! part      what it saw, in a file with its histogram
//! merge     several parts as one run
//! ```
//!
//! The servers take turns, A B C A B C, so that what else the machine does affects all of them. The
//! first server runs twice: figures that are no further apart than those of its two copies mean nothing.

pub mod machine;
pub mod plan;
pub mod server;
pub mod estimate;
pub mod meter;
pub mod load;
pub mod sample;
pub mod report;
mod reasons;
pub mod picture;
pub mod verdict;
pub mod moment;
pub mod part;
pub mod alone;
pub mod merge;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::child;
use crate::lang::Lang;
use crate::stop::Stop;
use crate::words::counted;
use load::{Clients, Tally, Terms};
use machine::Machine;
use meter::Calls;
use netplay_text::say;
use plan::{FEWEST, Kind, Load, Manner, Model, Plan};
use sample::{Cell, Counted, Latency, Look, Memory, Report, ServerUse, Turn};
use server::Server;

/// How long the server is looked at before the turns begin.
const LOOK: Duration = Duration::from_millis(50);

/// With more connections a server would take too long to get ready under strace.
const MOST_UNDER_STRACE: usize = 100;

/// A run that was not told how many rounds to make has as many as fit into this time, within reason.
const SHORT_RUN: Duration = Duration::from_secs(25);
const MOST: usize = 9;

/// How long to wait for the first answers: of a server that has not run yet; of one that has served
/// every connection before, and may only be short of processors; of one that has not, and will not now.
const UNKNOWN: Duration = Duration::from_millis(300);
const SERVES_ALL: Duration = Duration::from_secs(2);
const SERVES_SOME: Duration = Duration::from_millis(60);

fn patience(served: Option<u64>, load: Load) -> Duration {
    match served {
        None => UNKNOWN,
        Some(served) if served == load.total() as u64 => SERVES_ALL,
        Some(_) => SERVES_SOME,
    }
}

/// Measures. `progress` is told before each turn what it is.
///
/// # Errors
/// This program cannot be started again, or there are no descriptors. What is wrong with one server
/// is in its cell.
pub fn run(plan: &Plan, stop: &Stop, progress: &dyn Fn(&str)) -> Result<Report> {
    if plan.models.iter().any(|model| matches!(model.kind, Kind::Row(..))) {
        child::reach_loopback(Ipv4Addr::LOCALHOST.into())?;
    }
    let mut report = Report {
        v: 1,
        began: chrono::Local::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, false),
        partial: false,
        machine: Machine::here(),
        manner: plan.manner.clone(),
        cells: Vec::new(),
    };
    let shares = machine::shares(plan.manner.pin);
    if let Some((server, _)) = &shares {
        machine::stay_on(server)?; // and so do the servers, which this thread starts
    }
    let bench = Bench { plan, stop, client: shares.map(|(_, client)| client) };
    for &load in &plan.loads {
        report.cells.extend(bench.load(load, progress)?);
    }
    report.partial = stop.requested();
    Ok(report)
}

struct Bench<'a> {
    plan: &'a Plan,
    stop: &'a Stop,
    /// The processors of the client's side, if it has its own.
    client: Option<Vec<usize>>,
}

impl Bench<'_> {
    /// All servers under one load: a look at each, and then round after round.
    fn load(&self, load: Load, progress: &dyn Fn(&str)) -> Result<Vec<Cell>> {
        let began = Instant::now();
        let models = self.plan.models.iter().map(|model| (model, false));
        let again = self.plan.models.first().map(|model| (model, true));
        let mut cells = Vec::new();
        for (model, again) in models.chain(again) {
            let (title, name) = (load.title(), &model.name);
            progress(&say!(Lang::current(), "{title}: a look at {name}", "{title}：查看 {name}"));
            let mut cell = Cell::new(model, again, load, Look::default());
            if !self.stop.requested() {
                match self.look(model, load) {
                    Ok(look) => cell.look = look,
                    Err(error) => cell.failed = Some(format!("{error:#}")),
                }
            }
            cells.push((model, cell));
        }
        for round in 1.. {
            let round_began = Instant::now();
            self.round(round, &mut cells, progress);
            let enough = match self.plan.manner.rounds {
                Some(rounds) => round >= rounds,
                None => {
                    let share = SHORT_RUN / self.plan.loads.len() as u32;
                    let after_another = began.elapsed() + round_began.elapsed();
                    round >= FEWEST && (after_another > share || round >= MOST)
                }
            };
            if enough || self.stop.requested() {
                break;
            }
        }
        Ok(cells.into_iter().map(|(_, cell)| cell).collect())
    }

    /// A turn of every server.
    fn round(&self, round: usize, cells: &mut [(&Model, Cell)], progress: &dyn Fn(&str)) {
        for (model, cell) in cells {
            let (title, name) = (cell.load.title(), &model.name);
            progress(&say!(
                Lang::current(),
                "{title}, round {round}: {name}",
                "{title}，第 {round} 轮：{name}"
            ));
            if cell.failed.is_some() || self.stop.requested() {
                continue;
            }
            match self.turn(model, cell, round) {
                // It was interrupted in the middle of a turn, which has no figures then.
                _ if self.stop.requested() => {}
                Ok((turn, given_up)) => {
                    cell.failed = given_up.or_else(|| (turn.served == 0).then(|| silence(&turn)));
                    cell.turns.push(turn);
                }
                Err(error) => cell.failed = Some(format!("{error:#}")),
            }
        }
    }

    fn connect(
        &self,
        server: &Server,
        load: Load,
        manner: &Manner,
        served: Option<u64>,
    ) -> Result<Clients> {
        let terms = Terms {
            load,
            manner,
            time: manner.turn(load),
            slice: None,
            processors: self.client.as_deref(),
            patience: patience(served, load),
        };
        Clients::connect(server.address, terms, self.stop)
    }

    /// One turn: a server of its own, connections, the load, the end.
    /// With its figures, how the server gave up, if it did: it ended, or it ended connections and lives on.
    fn turn(&self, model: &Model, cell: &Cell, round: usize) -> Result<(Turn, Option<String>)> {
        let (manner, load) = (&self.theirs(model), cell.load);
        let served = cell.turns.last().map(|turn| turn.served).or(cell.look.served);
        let mut server = Server::start(model, load, manner)?;
        let clients = self.connect(&server, load, manner, served)?;
        clients.until_quiet();
        let pids = server.serving().ok().map(<[_]>::to_vec);
        let used = || pids.as_deref().map(meter::used);
        let before = used();
        let busy = meter::whole_machine();
        clients.go();
        let busy = meter::whole_machine().saturating_sub(busy);
        let after = used();
        let tally = clients.close()?;
        let ended = server.ended(&tally)?;
        let lifetime = server.stop()?;
        // The clock of a process that has ended cannot be read.
        let lives = ended.is_none() && after.is_some_and(|after| after.processes > 0);
        let used =
            before.zip(after).zip(lifetime).filter(|_| lives).map(|((before, after), lifetime)| {
                ServerUse {
                    cpu_ns: after.cpu.saturating_sub(before.cpu).as_nanos() as u64,
                    // Where processes and threads come and go with the requests, only wait4 has those of the
                    // dead; where they stay, it would add what they do to end.
                    switches: match manner.per_request {
                        true => lifetime.switches,
                        false => after.switches,
                    }
                    .saturating_sub(before.switches),
                    lifetime_cpu_ns: lifetime.cpu.as_nanos() as u64,
                }
            });
        let given_up = match (ended, tally.given_up) {
            (Some(how), _) => Some(format!("it ended during a turn ({how})")),
            (None, 0) => None,
            (None, n) => Some(format!(
                "it closed {} during a turn, and still runs",
                counted(n, "connection")
            )),
        };
        Ok((turn(round, tally, used, busy), given_up))
    }

    /// What looking at would disturb the turns, or takes longer than one.
    fn look(&self, model: &Model, load: Load) -> Result<Look> {
        let mut manner = self.theirs(model);
        manner.seconds = LOOK.as_secs_f64().min(manner.seconds);
        let server = Server::start(model, load, &manner)?;
        let pids = match server.serving() {
            Ok(pids) => pids.to_vec(),
            Err(why) => {
                server.stop()?;
                return Ok(Look { unseen: Some(why.to_owned()), ..Look::default() });
            }
        };
        let before = meter::memory(&pids);
        let clients = self.connect(&server, load, &manner, None)?;
        clients.until_quiet();
        let with = meter::memory(&pids);
        let used = meter::used(&pids);
        let mut calls = Calls::count(&pids);
        clients.go();
        let count = match &mut calls {
            Ok(calls) => calls.so_far().map_err(|error| format!("{error}")),
            Err(error) => Err(format!("{error:#}")),
        };
        let tally = clients.close()?;
        server.stop()?;
        let replies = tally.all_replies;
        let counted = match count {
            Ok(_) if replies == 0 => Err("it gave no reply".to_owned()),
            Ok(count) => Ok(Counted { count, replies, by_strace: false }),
            Err(kernel) => self.look_by_strace(model, load, &manner).map_err(|strace| {
                format!("the kernel's tracepoint cannot be used ({kernel}), and {strace:#}")
            }),
        };
        Ok(Look {
            calls: counted.as_ref().ok().copied(),
            uncounted: counted.err(),
            unseen: None,
            memory: before.zip(with).filter(|_| !manner.per_request).map(|(before, with)| Memory {
                before,
                with,
                connections: tally.served,
            }),
            processes: Some(used.processes),
            threads: Some(used.threads),
            served: Some(tally.served),
        })
    }

    /// The system calls of a server that runs under strace: as slow as they are then, they are as many.
    fn look_by_strace(&self, model: &Model, load: Load, manner: &Manner) -> Result<Counted> {
        ensure!(
            load.total() <= MOST_UNDER_STRACE,
            "strace is too slow for more than {MOST_UNDER_STRACE} connections"
        );
        let record = tempfile::NamedTempFile::new()?;
        ensure!(
            matches!(model.kind, plan::Kind::Row(..)),
            "only netplay's own servers run under strace"
        );
        let server = Server::start_traced(model, load, manner, record.path())
            .context("it cannot run under strace")?;
        let clients = self.connect(&server, load, manner, None)?;
        clients.until_quiet();
        let before = meter::calls_in(record.path());
        clients.go();
        let count = meter::calls_in(record.path()) - before;
        let replies = clients.close()?.all_replies;
        server.stop()?;
        ensure!(replies > 0, "it gave no reply under strace");
        Ok(Counted { count, replies, by_strace: true })
    }

    /// The manner for this server: ours echo, whatever another one is expected to do.
    fn theirs(&self, model: &Model) -> Manner {
        let mut manner = self.plan.manner.clone();
        if matches!(model.kind, plan::Kind::Row(..)) {
            manner.expect = plan::Expect::Echo;
        }
        manner
    }
}

fn turn(round: usize, tally: Tally, server: Option<ServerUse>, busy: Duration) -> Turn {
    Turn {
        round,
        seconds: tally.wall.as_secs_f64(),
        replies: tally.replies,
        all_replies: tally.all_replies,
        latency: Latency::of(&tally.latency),
        server,
        client_cpu_ns: tally.cpu.as_nanos() as u64,
        everybody_cpu_ns: busy.as_nanos() as u64,
        served: tally.served,
        unanswered: tally.unanswered,
        errors: tally.errors,
    }
}

/// Why a turn has no reply at all.
fn silence(turn: &Turn) -> String {
    match &turn.errors.first {
        Some(error) => error.clone(),
        None => format!("connected, but not one reply within {:.2} s", turn.seconds),
    }
}
