//! What was measured, turn by turn, and what may be said of it.
//!
//! Of several turns the median counts, and the middle half around it says how far to trust it. There
//! are no means: one slow turn beside a busy neighbour would be in all of them.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::load::Errors;
use super::machine::Machine;
use super::plan::{Load, Manner, Model};
use crate::lang::Lang;

/// A whole run, as `-o FILE.json` keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The version of this form: 1.
    pub v: u32,
    /// When it began, as RFC 3339 writes it.
    pub began: String,
    /// Whether it was interrupted.
    pub partial: bool,
    /// Where it was measured.
    pub machine: Machine,
    /// How each load was put on.
    pub manner: Manner,
    /// A server under a load each; under every load, the yardstick is the first, and its second copy
    /// the last.
    pub cells: Vec<Cell>,
}

/// One server under one load.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cell {
    /// Which server.
    pub model: String,
    /// Whether it is the second copy of the yardstick.
    pub again: bool,
    /// Which load.
    pub load: Load,
    /// What was looked at once, outside the turns.
    pub look: Look,
    /// The turns, in order.
    pub turns: Vec<Turn>,
    /// Why there are no more of them.
    pub failed: Option<String>,
}

impl Cell {
    /// One without a turn yet.
    pub(super) fn new(model: &Model, again: bool, load: Load, look: Look) -> Cell {
        Cell { model: model.name.clone(), again, load, look, turns: vec![], failed: None }
    }
}

/// What is looked at once for each server and load, in a run of its own: looking costs time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Look {
    /// System calls of the server, and the replies that they were made for.
    pub calls: Option<Counted>,
    /// Why they were not counted.
    #[serde(default)]
    pub uncounted: Option<String>,
    /// Why nothing of the server's own was measured: its CPU time, memory, processes.
    #[serde(default)]
    pub unseen: Option<String>,
    /// Bytes of memory (Pss) before the first connection, and with all of them.
    pub memory: Option<Memory>,
    /// Processes, while all connections were there.
    pub processes: Option<u64>,
    /// Threads, in all of them.
    pub threads: Option<u64>,
    /// Connections that had a reply.
    pub served: Option<u64>,
}

/// A count, and what it is for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Counted {
    /// How many.
    pub count: u64,
    /// For how many replies.
    pub replies: u64,
    /// Whether strace counted, because the kernel's tracepoint is not for us.
    #[serde(default)]
    pub by_strace: bool,
}

/// Memory of all processes of a server, in bytes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Memory {
    /// When it was ready.
    pub before: u64,
    /// With so many connections that had been served.
    pub with: u64,
    /// How many these were.
    pub connections: u64,
}

/// The raw figures of one turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Turn {
    /// Which round it was in, from 1.
    pub round: usize,
    /// How long it lasted.
    pub seconds: f64,
    /// Replies in that time.
    pub replies: u64,
    /// Replies until it was quiet again: what the server was used for.
    pub all_replies: u64,
    /// From request to reply, in nanoseconds; none without a reply.
    pub latency: Option<Latency>,
    /// What the server used for all replies, if it is ours.
    pub server: Option<ServerUse>,
    /// Nanoseconds of CPU time of the client's side within the turn.
    pub client_cpu_ns: u64,
    /// Nanoseconds of CPU time of all programs on the machine, in ticks of 10 ms.
    pub everybody_cpu_ns: u64,
    /// Connections that had a reply at least once.
    pub served: u64,
    /// Requests on such connections that had no reply in the end.
    pub unanswered: u64,
    /// What went wrong.
    pub errors: Errors,
}

/// What a server used in a turn, all its processes together.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ServerUse {
    /// Nanoseconds of CPU time for all replies of the turn.
    pub cpu_ns: u64,
    /// Context switches for them.
    pub switches: u64,
    /// Nanoseconds of CPU time from its start to its end, as wait4 tells.
    pub lifetime_cpu_ns: u64,
}

/// Percentiles, in nanoseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is what it is called")]
pub struct Latency {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
}

impl Latency {
    /// Of these times; `None` if there are none.
    #[must_use]
    pub fn of(times: &Histogram<u64>) -> Option<Latency> {
        let at = |part: f64| times.value_at_quantile(part);
        (!times.is_empty()).then(|| Latency {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: times.max(),
        })
    }
}

impl Turn {
    /// Replies a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.replies as f64 / self.seconds } else { 0.0 }
    }
}

/// A median and the middle half around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// A quarter of the values is below.
    pub low: f64,
    /// Half of them is.
    pub median: f64,
    /// Three quarters are.
    pub high: f64,
}

impl Spread {
    /// Of these values; `None` if there are none.
    ///
    /// ```
    /// use netplay::bench::sample::Spread;
    /// let spread = Spread::of([5.0, 1.0, 3.0, 2.0, 4.0]).unwrap();
    /// assert_eq!((spread.low, spread.median, spread.high), (2.0, 3.0, 4.0));
    /// ```
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)? as f64;
        // Between two values: the point at this part of the way.
        let at = |part: f64| {
            let place = last * part;
            let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        Some(Spread { low: at(0.25), median: at(0.5), high: at(0.75) })
    }

    /// The same of factors: between two of them lies the one that is as many times larger than the first
    /// as the second is larger than it. So twice as fast and half as fast are equally far from 1.
    ///
    /// ```
    /// use netplay::bench::sample::Spread;
    /// let spread = Spread::of_factors([0.25, 4.0]).unwrap();
    /// assert!((spread.median - 1.0).abs() < 1e-9);
    /// ```
    pub fn of_factors(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        // 0 has no logarithm. This value is close enough to 0, and keeps its place in the order.
        const NOTHING: f64 = 1e-9;
        let logarithms = values.into_iter().map(|value| value.max(NOTHING).ln());
        let factor = |logarithm: f64| match logarithm.exp() {
            factor if factor <= 2.0 * NOTHING => 0.0,
            factor => factor,
        };
        let Spread { low, median, high } = Spread::of(logarithms)?;
        Some(Spread { low: factor(low), median: factor(median), high: factor(high) })
    }

    /// The factor between its middle half and 1, at most: of a ratio of equals, how far apart they came
    /// out. Infinite if it reaches 0.
    #[must_use]
    pub fn off_by(self) -> f64 {
        self.high.max(self.low.recip())
    }

    /// Whether the middle halves have a value in common.
    #[must_use]
    pub fn overlaps(self, other: Spread) -> bool {
        self.low <= other.high && other.low <= self.high
    }
}

/// What limited the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bottleneck {
    /// The server's processors were busy nearly all the time, the client's were not.
    Server,
    /// The other way round: the figures are the client's, not the server's.
    Client,
    /// Every processor was busy: a server that uses less of them is faster.
    Machine,
    /// None of them: both sides waited, for each other or for the wire.
    None,
}

impl Bottleneck {
    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        let (en, zh) = match self {
            Bottleneck::Server => ("server", "服务器"),
            Bottleneck::Client => ("client", "客户端"),
            Bottleneck::Machine => ("all cores", "所有核"),
            Bottleneck::None => ("waiting", "等待"),
        };
        Lang::current().pick(en, zh)
    }
}

/// So busy is a processor that has no time left.
pub(super) const BUSY: f64 = 0.9;

impl Cell {
    /// The spread of a figure over the turns.
    pub fn spread(&self, figure: impl Fn(&Turn) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.turns.iter().filter_map(figure))
    }

    /// Replies a second.
    #[must_use]
    pub fn rate(&self) -> Option<Spread> {
        self.spread(|turn| Some(turn.rate()))
    }

    /// The rate as a part of the yardstick's in the same round.
    #[must_use]
    pub fn ratio(&self, yardstick: &Cell) -> Option<Spread> {
        Spread::of_factors(self.turns.iter().filter_map(|turn| {
            let beside = yardstick.turns.iter().find(|other| other.round == turn.round)?;
            (beside.rate() > 0.0).then(|| turn.rate() / beside.rate())
        }))
    }

    /// A percentile of the latency, in nanoseconds: the median of the turns'.
    pub fn latency(&self, percentile: impl Fn(&Latency) -> u64) -> Option<f64> {
        self.spread(|turn| Some(percentile(turn.latency.as_ref()?) as f64))
            .map(|spread| spread.median)
    }

    /// The longest of all, in nanoseconds.
    #[must_use]
    pub fn longest(&self) -> Option<f64> {
        self.turns.iter().filter_map(|turn| Some(turn.latency?.max as f64)).reduce(f64::max)
    }

    /// Nanoseconds of CPU time of the server for a reply.
    #[must_use]
    pub fn cpu(&self) -> Option<Spread> {
        self.spread(|turn| per(turn.server?.cpu_ns, turn.all_replies))
    }

    /// Context switches of the server for a reply.
    #[must_use]
    pub fn switches(&self) -> Option<Spread> {
        self.spread(|turn| per(turn.server?.switches, turn.all_replies))
    }

    /// System calls of the server for a reply.
    #[must_use]
    pub fn calls(&self) -> Option<f64> {
        self.look.calls.and_then(|calls| per(calls.count, calls.replies))
    }

    /// Bytes of memory for a connection. Of a few connections nothing could be said: the first needs
    /// pages that the next ones find there.
    #[must_use]
    pub fn memory(&self) -> Option<f64> {
        let memory = self.look.memory.filter(|memory| memory.connections >= 16)?;
        Some(memory.with.saturating_sub(memory.before) as f64 / memory.connections as f64)
    }

    /// How many connections had a reply at least once: the median of the turns.
    #[must_use]
    pub fn served(&self) -> Option<u64> {
        self.spread(|turn| Some(turn.served as f64)).map(|spread| spread.median.round() as u64)
    }

    /// How many never had one.
    #[must_use]
    pub fn never_answered(&self) -> Option<u64> {
        self.served().map(|served| (self.load.total() as u64).saturating_sub(served))
    }

    /// What went wrong, in all turns.
    #[must_use]
    pub fn errors(&self) -> Errors {
        let mut sum = Errors::default();
        self.turns.iter().for_each(|turn| sum.add(&turn.errors));
        sum
    }

    /// Processors that were busy with the server, on average over a turn, and with the client.
    #[must_use]
    pub fn busy(&self) -> (Option<f64>, Option<f64>) {
        // The server's time is for all replies, a few of which came after the turn.
        let server = self.spread(|turn| {
            let part = turn.replies as f64 / turn.all_replies.max(1) as f64;
            Some(turn.server?.cpu_ns as f64 * part / 1e9 / turn.seconds)
        });
        let client = self.spread(|turn| Some(turn.client_cpu_ns as f64 / 1e9 / turn.seconds));
        (server.map(|spread| spread.median), client.map(|spread| spread.median))
    }

    /// Which side had no time left.
    #[must_use]
    pub fn bottleneck(&self, machine: &Machine, manner: &Manner) -> Option<Bottleneck> {
        let (server, client) = self.busy();
        let client = client?;
        if client >= BUSY * manner.threads as f64 {
            return Some(match server {
                Some(server) if server + client >= BUSY * machine.cores as f64 => {
                    Bottleneck::Machine
                }
                _ => Bottleneck::Client,
            });
        }
        let server = server?;
        let threads = self.look.threads.unwrap_or(1).clamp(1, machine.cores as u64) as f64;
        Some(match () {
            () if server + client >= BUSY * machine.cores as f64 => Bottleneck::Machine,
            () if server >= BUSY * threads => Bottleneck::Server,
            () => Bottleneck::None,
        })
    }
}

fn per(count: u64, replies: u64) -> Option<f64> {
    (replies > 0).then(|| count as f64 / replies as f64)
}

/// What may be said of a load.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// One server is faster than every other by more than the spread.
    Winner {
        /// Which.
        model: String,
        /// Its rate as a part of the yardstick's.
        ratio: Spread,
    },
    /// These are faster than the others, and no further apart than their own spread.
    Tie(Vec<String>),
    /// There is nothing to compare, because …
    Nothing(&'static str),
}

/// A server that served every connection.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Which.
    pub model: String,
    /// Its rate as a part of the yardstick's in the same round.
    pub ratio: Spread,
    /// Its rate.
    pub rate: Spread,
}

impl Entry {
    /// Whether the turns of both cannot tell which is faster. Two that were measured round by round beside
    /// a third may seem to overlap only because the third had its ups and downs, so both must.
    fn overlaps(&self, other: &Entry) -> bool {
        self.ratio.overlaps(other.ratio) && self.rate.overlaps(other.rate)
    }
}

/// Compares the rates under one load, of the servers that served every connection. `noise` is the factor by which
/// two runs of the yardstick differ: what is no further apart is the same.
#[must_use]
pub fn verdict(mut entries: Vec<Entry>, noise: f64) -> Verdict {
    entries.sort_by(|a, b| b.ratio.median.total_cmp(&a.ratio.median));
    let [best, rest @ ..] = &entries[..] else {
        return Verdict::Nothing("no server served every connection to the end");
    };
    if rest.is_empty() {
        return Verdict::Nothing("only one server served every connection to the end");
    }
    let as_fast =
        |other: &&Entry| best.overlaps(other) || best.ratio.median <= noise * other.ratio.median;
    let others: Vec<String> =
        rest.iter().filter(as_fast).map(|other| other.model.clone()).collect();
    match others.is_empty() {
        true => Verdict::Winner { model: best.model.clone(), ratio: best.ratio },
        false => Verdict::Tie([best.model.clone()].into_iter().chain(others).collect()),
    }
}

impl Report {
    /// The loads, in their order.
    #[must_use]
    pub fn loads(&self) -> Vec<Load> {
        let mut loads: Vec<Load> = Vec::new();
        for cell in &self.cells {
            if !loads.contains(&cell.load) {
                loads.push(cell.load);
            }
        }
        loads
    }

    /// How many processors were busy with something else than server and client, on average over all
    /// turns; `None` where the servers are not ours.
    #[must_use]
    pub fn others(&self) -> Option<f64> {
        let turns =
            || self.cells.iter().flat_map(|cell| &cell.turns).filter(|turn| turn.server.is_some());
        let ours = |turn: &Turn| turn.client_cpu_ns + turn.server.map_or(0, |used| used.cpu_ns);
        let busy: u64 = turns().map(|turn| turn.everybody_cpu_ns).sum();
        let seconds: f64 = turns().map(|turn| turn.seconds).sum();
        let rest = busy.saturating_sub(turns().map(ours).sum()) as f64 / 1e9;
        // The clock of the machine is coarse: in a short turn more cores may seem busy than there are.
        (seconds > 0.0).then(|| (rest / seconds).min(self.machine.cores as f64))
    }

    /// The servers under this load; the yardstick first.
    #[must_use]
    pub fn under(&self, load: Load) -> Vec<&Cell> {
        self.cells.iter().filter(|cell| cell.load == load).collect()
    }

    /// What may be said of this load.
    #[must_use]
    pub fn verdict(&self, load: Load) -> Verdict {
        let cells = self.under(load);
        let Some(yardstick) = cells.first() else {
            return Verdict::Nothing("there was no server");
        };
        if yardstick.failed.is_some() || !yardstick.rate().is_some_and(|rate| rate.median > 0.0) {
            return Verdict::Nothing("there are no figures of the yardstick");
        }
        let fair = |cell: &&&Cell| {
            !cell.again && cell.failed.is_none() && cell.never_answered() == Some(0)
        };
        let entry = |cell: &&Cell| {
            let (model, ratio, rate) = (cell.model.clone(), cell.ratio(yardstick)?, cell.rate()?);
            Some(Entry { model, ratio, rate })
        };
        let entries = cells.iter().filter(fair).filter_map(entry).collect();
        verdict(entries, self.noise(load).unwrap_or(1.0))
    }

    /// The factor by which two runs of the yardstick differ under this load, in the middle half of the
    /// rounds: servers that are no further apart may be equally fast. 1 at least.
    #[must_use]
    pub fn noise(&self, load: Load) -> Option<f64> {
        let cells = self.under(load);
        let again = cells.iter().find(|cell| cell.again)?;
        again.ratio(cells.first()?).map(Spread::off_by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Servers with such ratios, to a yardstick that made 1000 requests a second in every round.
    fn entries(list: &[(&str, f64, f64, f64)]) -> Vec<Entry> {
        let row = |&(name, low, median, high): &(&str, f64, f64, f64)| {
            let ratio = Spread { low, median, high };
            let rate = Spread { low: low * 1e3, median: median * 1e3, high: high * 1e3 };
            Entry { model: name.to_owned(), ratio, rate }
        };
        list.iter().map(row).collect()
    }

    const QUIET: f64 = 1.01;

    #[test]
    fn a_clear_difference_has_a_winner() {
        let measured = entries(&[("a", 1.0, 1.0, 1.0), ("b", 1.18, 1.2, 1.22)]);
        assert!(matches!(verdict(measured, QUIET), Verdict::Winner { model, .. } if model == "b"));
    }

    #[test]
    fn there_is_no_winner_where_the_spread_is_larger_than_the_difference() {
        let measured =
            entries(&[("a", 1.0, 1.0, 1.0), ("b", 0.95, 1.2, 1.4), ("c", 0.4, 0.5, 0.6)]);
        assert_eq!(verdict(measured, QUIET), Verdict::Tie(vec!["b".into(), "a".into()]));
    }

    #[test]
    fn there_is_no_winner_within_the_noise_of_the_yardstick_itself() {
        let noise = Spread { low: 0.85, median: 1.0, high: 1.02 }.off_by();
        let measured = entries(&[("a", 1.0, 1.0, 1.0), ("b", 1.09, 1.1, 1.11)]);
        assert_eq!(verdict(measured, noise), Verdict::Tie(vec!["b".into(), "a".into()]));
        let measured = entries(&[("a", 1.0, 1.0, 1.0), ("b", 1.19, 1.2, 1.21)]);
        assert!(matches!(verdict(measured, noise), Verdict::Winner { .. }));
    }

    /// A machine so busy that the yardstick's second run was up to three times as fast as its first.
    #[test]
    fn twenty_times_as_fast_is_faster_on_any_machine() {
        let noise = Spread { low: 1.5, median: 2.2, high: 2.9 }.off_by();
        let measured = entries(&[
            ("poll", 1.0, 1.0, 1.0),
            ("thread", 23.0, 23.7, 24.0),
            ("select", 0.9, 1.1, 1.3),
        ]);
        assert!(
            matches!(verdict(measured, noise), Verdict::Winner { model, .. } if model == "thread")
        );
    }

    /// One round in which the yardstick hardly ran makes every ratio large; the rates know better.
    #[test]
    fn ratios_that_overlap_make_no_tie_where_the_rates_are_apart() {
        let spread = |low, median, high| Spread { low, median, high };
        let entry = |model: &str, ratio, rate| Entry { model: model.to_owned(), ratio, rate };
        let measured = vec![
            entry("fork", spread(0.17, 0.2, 3.27), spread(3_700.0, 3_733.0, 28_925.0)),
            entry("handler", spread(2.7, 3.19, 4.99), spread(58_108.0, 58_383.0, 58_533.0)),
        ];
        assert!(
            matches!(verdict(measured, 2.94), Verdict::Winner { model, .. } if model == "handler")
        );
    }

    #[test]
    fn a_lone_server_wins_nothing() {
        let lone = entries(&[("a", 1.0, 1.0, 1.0)]);
        assert!(matches!(verdict(lone, QUIET), Verdict::Nothing(_)));
        assert!(matches!(verdict(vec![], 1.0), Verdict::Nothing(_)));
    }

    #[test]
    fn a_factor_and_its_inverse_are_equally_far_from_one() {
        let spread = Spread::of_factors([0.5, 1.0, 2.0]).unwrap();
        assert!((spread.low * spread.high - 1.0).abs() < 1e-9, "{spread:?}");
        assert_eq!(Spread::of_factors([0.0, 0.0]).unwrap().off_by(), f64::INFINITY);
        assert_eq!(Spread::of_factors([0.0, 0.0, 4.0]).unwrap().median, 0.0);
    }

    #[test]
    fn quartiles_lie_between_the_values() {
        let spread = Spread::of([1.0, 2.0]).unwrap();
        assert_eq!((spread.low, spread.median, spread.high), (1.25, 1.5, 1.75));
        assert_eq!(Spread::of([]), None);
    }
}
