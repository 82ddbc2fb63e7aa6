//! What every drawing of the outcomes shares: two scales, the words, and the figures as text.

use super::send::{Phases, Spread};
use super::{Experiment, Outcome};
use crate::draw::shapes::round_step;
use crate::words::{counted, duration, exactly, grouped, plural};

/// The outcomes, ready to be drawn.
pub(super) struct Figure<'a> {
    pub outcomes: &'a [Outcome],
    /// What is shown, in a line.
    pub title: String,
    /// The first phase: from the start to the end of the slowest.
    pub waiting: Axis,
    /// From the arrival on, as far as the slowest needed.
    pub after: Axis,
    /// What must be known to read it rightly.
    pub notes: Vec<String>,
}

impl<'a> Figure<'a> {
    pub fn new(experiment: &Experiment, outcomes: &'a [Outcome]) -> Figure<'a> {
        let phases: Vec<&Phases> = outcomes.iter().filter_map(|o| o.phases.as_ref().ok()).collect();
        let most = |of: fn(&Phases) -> u64| phases.iter().map(|p| of(p)).max().unwrap_or_default();
        let every = || outcomes.iter().flat_map(|outcome| &outcome.rounds);
        let rounds = outcomes.iter().map(|outcome| outcome.rounds.len()).max().unwrap_or_default();
        let (waiting, after) = (
            Axis::to(outcomes.iter().map(waiting_bar).max().unwrap_or_default()),
            Axis::to(most(|p| p.done - p.arrived)),
        );
        let what = if experiment.tcp { "TCP segment" } else { "UDP datagram" };
        let title = format!(
            "One {what} sent after {}, received in {}",
            exactly(experiment.delay),
            counted(count(outcomes) as u64, "way")
        );
        let error = duration(every().map(|phases| phases.clock_error).max().unwrap_or_default());
        let told = experiment.options.iter().any(|option| option == "--trace" || option == "-v");
        let mut notes = Vec::new();
        if rounds > 1 {
            notes.push(format!(
                "figures: the median of {rounds} rounds, and the least and the most; a median belongs to its column, so a row need not add up"
            ));
            notes.push(
                "bars: 1. the median; 2. of each model one round, the middle one by the time from the arrival on"
                    .to_owned(),
            );
        }
        notes.extend([
            "waiting: from the first question of the program to the arrival of the message in the kernel"
                .to_owned(),
            "in one: the same call wakes the program and copies; no program can tell the two apart".to_owned(),
            format!(
                "the kernel's time of arrival (SO_TIMESTAMPNS) is on another clock than the calls: off by {error} at most"
            ),
            "until it knows: the kernel takes the message to its socket, wakes the program, and the program runs".to_owned(),
            "CPU: of the receiver from its first question on, in the program and in the kernel for it".to_owned(),
        ]);
        for outcome in outcomes {
            let idle = outcome.rounds.iter().filter(|phases| !phases.waited()).count();
            if idle > 0 {
                let of = outcome.rounds.len();
                notes.push(format!(
                    "{}: in {idle} of {of} {} the message was there before the program asked, because this machine is busy: it did not wait",
                    outcome.model.name,
                    plural(of as u64, "round")
                ));
            }
        }
        if told {
            notes.push(
                "each call was also told (-v, --trace): that took time, and CPU, too".to_owned(),
            );
        }
        Figure { outcomes, title, waiting, after, notes }
    }

    /// How many times larger the second scale is, if both are drawn equally wide.
    pub fn magnified(&self) -> String {
        let times = self.waiting.end as f64 / self.after.end as f64;
        if times < 10.0 { format!("{times:.1}") } else { grouped(times.round() as u64) }
    }
}

/// How long the first bar of a model is: the median.
pub(super) fn waiting_bar(outcome: &Outcome) -> u64 {
    outcome.spread(|phases| phases.arrived).map_or(0, |waiting| waiting.median)
}

/// What the program did in the first phase. (One EAGAIN may happen also to a model that waits.)
pub(super) fn meanwhile(outcome: &Outcome) -> String {
    match outcome.spread(|phases| phases.eagains) {
        Some(eagains) if eagains.median > 1 => {
            format!("{}: {} EAGAINs", outcome.model.meanwhile, grouped(eagains.median))
        }
        _ => outcome.model.meanwhile.to_owned(),
    }
}

/// The three lengths: waiting; until the program knows, and copying, or both in one.
pub(super) struct Lengths {
    pub waiting: u64,
    pub after: After,
}

pub(super) enum After {
    Apart { knows: u64, copies: u64 },
    InOne(u64),
}

impl Lengths {
    pub fn of(phases: &Phases) -> Lengths {
        let after = match phases.copying {
            Some(copying) => {
                After::Apart { knows: copying - phases.arrived, copies: phases.done - copying }
            }
            None => After::InOne(phases.done - phases.arrived),
        };
        Lengths { waiting: phases.arrived, after }
    }
}

/// A scale from 0 on, in nanoseconds.
pub(super) struct Axis {
    /// A little beyond the longest bar.
    pub end: u64,
    step: u64,
    unit: u64,
    /// `ms`, `µs`, …
    pub name: &'static str,
}

impl Axis {
    fn to(longest: u64) -> Axis {
        let end = (longest + longest / 50).max(100);
        let (unit, name) = match end {
            2_000_000_000.. => (1_000_000_000, "s"),
            2_000_000.. => (1_000_000, "ms"),
            2_000.. => (1_000, "µs"),
            _ => (1, "ns"),
        };
        let step = round_step(end as f64 / 8.9); // four to nine of them
        Axis { end, step, unit, name }
    }

    /// Where the ticks are, and their numbers.
    pub fn ticks(&self) -> impl Iterator<Item = (u64, String)> + '_ {
        (0..=self.end / self.step).map(|n| {
            let at = n * self.step;
            let number = at as f64 / self.unit as f64;
            (at, number.to_string())
        })
    }

    /// Where a time is, of so much width.
    pub fn place(&self, time: u64, width: f64) -> f64 {
        time.min(self.end) as f64 / self.end as f64 * width
    }
}

fn count(outcomes: &[Outcome]) -> usize {
    outcomes.iter().filter(|outcome| outcome.phases.is_ok()).count()
}

/// The heads of the table.
pub(super) const HEADS: [&str; 7] =
    ["model", "waiting", "until it knows", "copying", "calls", "EAGAIN", "CPU"];

/// Every figure of a model over its rounds, in the order of the columns; copying is in the column before
/// where both are in one.
fn spreads(outcome: &Outcome) -> Option<([Spread; 5], Option<Spread>)> {
    let of = |figure: fn(&Phases) -> u64| outcome.spread(figure);
    let knows = |phases: &Phases| phases.copying.unwrap_or(phases.done) - phases.arrived;
    let copies = |phases: &Phases| phases.done - phases.copying.unwrap_or(phases.done);
    let apart = !outcome.model.in_one;
    Some((
        [
            of(|phases| phases.arrived)?,
            of(knows)?,
            of(|phases| phases.calls)?,
            of(|phases| phases.eagains)?,
            of(|phases| phases.user + phases.system)?,
        ],
        of(copies).filter(|_| apart),
    ))
}

/// A row of the table; where two phases are in one, the fourth cell is empty.
fn row(outcome: &Outcome, name: &str, write: impl Fn(Spread, Kind) -> String) -> [String; 7] {
    let Some(([waiting, knows, calls, eagains, cpu], copies)) = spreads(outcome) else {
        return std::array::from_fn(|_| String::new());
    };
    let after = write(knows, Kind::Time);
    [
        name.to_owned(),
        write(waiting, Kind::Time),
        if copies.is_some() { after } else { format!("{after} in one") },
        copies.map_or(String::new(), |copies| write(copies, Kind::Time)),
        write(calls, Kind::Count),
        write(eagains, Kind::Count),
        write(cpu, Kind::Time),
    ]
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Time,
    Count,
}

impl Kind {
    fn text(self, figure: u64) -> String {
        match self {
            Kind::Time => duration(figure),
            Kind::Count => grouped(figure),
        }
    }
}

/// The medians.
pub(super) fn cells(outcome: &Outcome) -> [String; 7] {
    row(outcome, outcome.model.name, |figure, kind| kind.text(figure.median))
}

/// The least and the most, each a row; none if there was one round only.
pub(super) fn extremes(outcome: &Outcome) -> Vec<[String; 7]> {
    match outcome.rounds.len() {
        0 | 1 => vec![],
        _ => vec![
            row(outcome, "  least", |figure, kind| kind.text(figure.least)),
            row(outcome, "  most", |figure, kind| kind.text(figure.most)),
        ],
    }
}

/// From the least to the most: `38.2–91.0 µs`; empty if there was one round only.
pub(super) fn ranges(outcome: &Outcome) -> [String; 7] {
    match outcome.rounds.len() {
        0 | 1 => std::array::from_fn(|_| String::new()),
        _ => {
            let mut ranges = row(outcome, "", |figure, kind| {
                range(&kind.text(figure.least), &kind.text(figure.most))
            });
            ranges[2] = ranges[2].trim_end_matches(" in one").to_owned();
            ranges
        }
    }
}

fn range(least: &str, most: &str) -> String {
    match (least.split_once(' '), most.split_once(' ')) {
        _ if least == most => least.to_owned(),
        (Some((number, one)), Some((_, other))) if one == other => format!("{number}–{most}"),
        _ => format!("{least}–{most}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_has_few_round_ticks() {
        for end in [1, 99, 100, 12_345, 50_200_000, 51_000_000, 99_999_999_999] {
            let axis = Axis::to(end);
            let ticks: Vec<(u64, String)> = axis.ticks().collect();
            assert!((4..=9).contains(&ticks.len()), "{end}: {ticks:?}");
            assert!(axis.end >= end && ticks.last().unwrap().0 <= axis.end);
        }
        let ticks: Vec<String> = Axis::to(50_200_000).ticks().map(|(_, number)| number).collect();
        assert_eq!(ticks, ["0", "10", "20", "30", "40", "50"]);
    }

    #[test]
    fn a_range_names_its_unit_once() {
        assert_eq!(range("38.2 µs", "91.0 µs"), "38.2–91.0 µs");
        assert_eq!(range("980 ns", "1.2 µs"), "980 ns–1.2 µs");
        assert_eq!(range("2", "2"), "2");
        assert_eq!(range("2", "3"), "2–3");
    }
}
