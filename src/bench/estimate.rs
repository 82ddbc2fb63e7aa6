//! How long a run will take, said before it begins.
//!
//! What a turn costs beside its time depends on the machine: a server must start, accept connections, be
//! read by the meters and end. So a turn without its time is rehearsed for each load, and the rest is
//! multiplication. For a few connections all servers need about the same, and the yardstick stands for
//! them; for many, a thread or a process for each connection is not what the yardstick has, and
//! the meters read of every one: then each server rehearses. So does a server that is not ours, always.

use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::meter::Calls;
use super::plan::FEWEST;
use super::plan::{Kind, Load, Manner, Model, Plan};
use super::sample::{Cell, Look};
use super::server::Server;
use super::{Bench, LOOK, MOST, MOST_UNDER_STRACE, SERVES_SOME, SHORT_RUN, UNKNOWN};
use crate::examples::prefork::WORKERS;
use crate::examples::row::AtOnce;
use crate::lang::Lang;
use crate::stop::Stop;
use crate::words::{about, counted};

/// How long, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// The time of the whole run.
    pub time: Duration,
    /// How many servers take turns, the second copy of the yardstick included.
    pub servers: usize,
    /// Under how many loads.
    pub loads: usize,
    /// The fewest and the most rounds of a load.
    pub rounds: (usize, usize),
}

impl Estimate {
    /// As a sentence.
    #[must_use]
    pub fn said(&self, lang: Lang) -> String {
        let counted = |n: usize, what: &str| counted(n as u64, what);
        let (least, most) = self.rounds;
        let time = about(self.time);
        let (servers, loads) = (self.servers, self.loads);
        match lang {
            Lang::En => {
                let rounds = match least == most {
                    true => counted(most, "round"),
                    false => format!("{least} to {most} rounds"),
                };
                let (servers, loads) = (counted(servers, "server"), counted(loads, "load"));
                format!(
                    "this takes about {time}: {servers} (the first one twice), {loads}, {rounds} each"
                )
            }
            Lang::Zh => {
                let rounds = match least == most {
                    true => most.to_string(),
                    false => format!("{least} 到 {most}"),
                };
                format!(
                    "大约需要 {time}：{servers} 个服务器（第一个测两次），{loads} 种负载，每种 {rounds} 轮"
                )
            }
        }
    }
}

/// Rehearses, and multiplies.
#[must_use]
pub fn estimate(plan: &Plan, stop: &Stop) -> Estimate {
    let bench = Bench { plan, stop, client: None };
    let servers: Vec<&Model> = plan.models.iter().chain(plan.models.first()).collect();
    let traced = strace(&bench, &servers);
    let mut time = Duration::ZERO;
    let mut all_rounds = Vec::new();
    for &load in &plan.loads {
        let many = load.total() > MOST_UNDER_STRACE;
        let rehearsed = |model: &Model| rehearse(plan, stop, model, load);
        let yardstick = servers.first().map(|model| rehearsed(model)).unwrap_or_default();
        // A look is longer with many connections, as a turn is.
        let seconds = plan.manner.seconds.min(LOOK.as_secs_f64());
        let looked = Manner { seconds, ..plan.manner.clone() }.turn(load);
        let mut look = Duration::ZERO;
        let mut round = Duration::ZERO;
        for (nth, model) in servers.iter().enumerate() {
            let ours = matches!(model.kind, Kind::Row(..));
            let is_yardstick = nth == 0 || nth + 1 == servers.len();
            let Rehearsal { empty, leaves_some, fails } = match is_yardstick {
                true => yardstick,
                false if many || !ours => rehearsed(model),
                false => Rehearsal { leaves_some: leaves_some(model, load), ..yardstick },
            };
            let waits = |patience: Duration| if leaves_some { patience } else { Duration::ZERO };
            look += empty + looked + waits(UNKNOWN);
            if let Some(traced) = traced.filter(|_| ours && !many) {
                look += empty + traced + looked + waits(UNKNOWN);
            }
            if !fails {
                round += empty + plan.manner.turn(load) + waits(SERVES_SOME);
            }
        }
        let rounds = plan.manner.rounds.unwrap_or_else(|| {
            let share = SHORT_RUN / plan.loads.len() as u32;
            let fit = share.saturating_sub(look).as_secs_f64() / round.as_secs_f64().max(1e-3);
            (fit as usize).clamp(FEWEST, MOST)
        });
        time += look + round * rounds as u32;
        all_rounds.push(rounds);
    }
    let least = all_rounds.iter().min().copied().unwrap_or_default();
    let most = all_rounds.iter().max().copied().unwrap_or_default();
    Estimate { time, servers: servers.len(), loads: plan.loads.len(), rounds: (least, most) }
}

/// A turn in which hardly anything is asked except the first request of each connection.
#[derive(Debug, Clone, Copy, Default)]
struct Rehearsal {
    /// How long it takes, the meters included, without the time in which requests are sent, and without the wait for
    /// replies that do not come.
    empty: Duration,
    /// Whether the server has no room for all connections, so that each turn waits for the others in vain.
    leaves_some: bool,
    /// Whether it fails: then the server has no further turn.
    fails: bool,
}

fn rehearse(plan: &Plan, stop: &Stop, model: &Model, load: Load) -> Rehearsal {
    let mut manner = plan.manner.clone();
    manner.seconds = manner.seconds.min(0.001);
    let plan = &Plan { models: vec![model.clone()], loads: vec![load], manner };
    let bench = Bench { plan, stop, client: None };
    let (served, patience) = match leaves_some(model, load) {
        true => (Some(0), SERVES_SOME),
        false => (None, UNKNOWN),
    };
    let cell = Cell::new(model, false, load, Look { served, ..Look::default() });
    let began = Instant::now();
    let turn = bench.turn(model, &cell, 0); // one that fails takes its time as well
    let took = began.elapsed().saturating_sub(plan.manner.turn(load));
    let leaves_some = turn.as_ref().is_ok_and(|(turn, _)| turn.served < load.total() as u64);
    let waited = if leaves_some { patience } else { Duration::ZERO };
    let fails = turn.map_or(true, |(turn, given_up)| turn.served == 0 || given_up.is_some());
    Rehearsal { empty: took.saturating_sub(waited), leaves_some, fails }
}

/// Whether a server of ours has no room for all connections.
fn leaves_some(model: &Model, load: Load) -> bool {
    room(model).is_some_and(|room| room < load.total())
}

/// How much longer a server of ours takes to start and to end under strace; `None` if the kernel's own
/// tracepoint counts the calls.
fn strace(bench: &Bench<'_>, servers: &[&Model]) -> Option<Duration> {
    if Calls::count(&[Pid::this()]).is_ok() {
        return None;
    }
    let model = servers.iter().find(|model| matches!(model.kind, Kind::Row(..)))?;
    let load = Load { connections: 1, idle: 0 };
    let manner = bench.theirs(model);
    let record = tempfile::NamedTempFile::new().ok()?;
    let timed = |start: &dyn Fn() -> anyhow::Result<Server>| {
        let began = Instant::now();
        if let Ok(server) = start() {
            let _ = server.stop();
        }
        began.elapsed()
    };
    let plain = timed(&|| Server::start(model, load, &manner));
    let traced = timed(&|| Server::start_traced(model, load, &manner, record.path()));
    Some(traced.saturating_sub(plain))
}

/// How many connections a server of ours has room for, if these are few: it serves one after the other,
/// or one in each of its workers.
fn room(model: &Model) -> Option<usize> {
    let Kind::Row(example, options) = &model.kind else { return None };
    match example.at_once {
        AtOnce::One => Some(1),
        AtOnce::EachWorker => {
            let given = options.iter().position(|word| word == "--workers");
            let given = given.and_then(|place| options.get(place + 1)?.parse().ok());
            Some(given.unwrap_or(WORKERS))
        }
        AtOnce::All => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_a_sentence() {
        let estimate = |seconds, rounds| Estimate {
            time: Duration::from_secs_f64(seconds),
            servers: 3,
            loads: 1,
            rounds,
        };
        let said = [estimate(1.26, (1, 1)), estimate(44.4, (3, 5)), estimate(600.0, (9, 9))];
        assert_eq!(
            said.map(|estimate| estimate.said(Lang::En)),
            [
                "this takes about 1.3 s: 3 servers (the first one twice), 1 load, 1 round each",
                "this takes about 44 s: 3 servers (the first one twice), 1 load, 3 to 5 rounds each",
                "this takes about 10 min: 3 servers (the first one twice), 1 load, 9 rounds each",
            ]
        );
    }
}
