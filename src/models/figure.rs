//! What every drawing of the outcomes shares: two scales, the words, and the figures as text.

use super::send::{Phases, Spread};
use super::{Experiment, Outcome};
use crate::draw::shapes::round_step;
use crate::examples::models::Model;
use crate::lang::Lang;
use crate::words::{counted, duration, exactly, grouped, plural};
use netplay_text::say;

/// The outcomes, ready to be drawn.
pub(super) struct Figure<'a> {
    pub outcomes: &'a [Outcome],
    /// The language of its words.
    pub lang: Lang,
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
    pub fn new(experiment: &Experiment, outcomes: &'a [Outcome], lang: Lang) -> Figure<'a> {
        let phases: Vec<&Phases> = outcomes.iter().filter_map(|o| o.phases.as_ref().ok()).collect();
        let most = |of: fn(&Phases) -> u64| phases.iter().map(|p| of(p)).max().unwrap_or_default();
        let every = || outcomes.iter().flat_map(|outcome| &outcome.rounds);
        let rounds = outcomes.iter().map(|outcome| outcome.rounds.len()).max().unwrap_or_default();
        let (waiting, after) = (
            Axis::to(outcomes.iter().map(waiting_bar).max().unwrap_or_default()),
            Axis::to(most(|p| p.done - p.arrived)),
        );
        let what = match (experiment.tcp, lang) {
            (true, Lang::En) => "TCP segment",
            (false, Lang::En) => "UDP datagram",
            (true, Lang::Zh) => "TCP 报文段",
            (false, Lang::Zh) => "UDP 数据报",
        };
        let (delay, ways) = (exactly(experiment.delay), count(outcomes) as u64);
        let title = match lang {
            Lang::En => {
                format!("One {what} sent after {delay}, received in {}", counted(ways, "way"))
            }
            Lang::Zh => format!("{delay} 后发来一个 {what}，用 {ways} 种方式接收"),
        };
        let error = duration(every().map(|phases| phases.clock_error).max().unwrap_or_default());
        let told = experiment.options.iter().any(|option| option == "--trace" || option == "-v");
        let mut notes = Vec::new();
        let mut note = |en: &str, zh: &str| notes.push(lang.pick(en, zh).to_owned());
        if rounds > 1 {
            note(
                &format!(
                    "figures: the median of {rounds} rounds, with the least and the most; each column has its own median, so a row need not add up"
                ),
                &format!(
                    "数字：{rounds} 轮的中位数，以及最小值和最大值；每一列各取中位数，所以一行里的数不一定能加起来"
                ),
            );
            note(
                "bars: in 1. the median; in 2. one round of each model, the middle one by the time from the arrival on",
                "条形：1. 画的是中位数；2. 画的是每个模型的一轮，即到达之后所用时间居中的那一轮",
            );
        }
        note(
            "waiting: from the program's first call to the arrival of the message in the kernel",
            "等待：从程序的第一次调用，到消息到达内核",
        );
        note(
            "in one: the same call wakes the program and copies, so no program can tell the two apart",
            "一次完成：同一个调用既唤醒程序又拷贝数据，程序分不清两者",
        );
        note(
            &format!(
                "the kernel's time of arrival (SO_TIMESTAMPNS) is on another clock than the calls: off by {error} at most"
            ),
            &format!(
                "内核记录的到达时间（SO_TIMESTAMPNS）和调用的时间用的不是同一个时钟：误差最多 {error}"
            ),
        );
        note(
            "until it knows: the kernel puts the message into its socket and wakes the program, and the program runs",
            "得知延迟：内核把消息放进套接字，唤醒程序，程序开始运行",
        );
        note(
            "CPU: of the receiver since its first call, in the program and in the kernel for it",
            "CPU：接收方从第一次调用起，在程序里和在内核里为它花的时间",
        );
        for outcome in outcomes {
            let idle = outcome.rounds.iter().filter(|phases| !phases.waited()).count();
            if idle > 0 {
                let of = outcome.rounds.len();
                let (name, rounds) = (outcome.model.name, plural(of as u64, "round"));
                notes.push(say!(
                    lang,
                    "{name}: in {idle} of {of} {rounds} the message arrived before the program asked, because this machine is busy: it did not wait",
                    "{name}：{of} 轮中有 {idle} 轮，消息在程序询问之前就到了，因为这台机器很忙：它没有等待"
                ));
            }
        }
        if told {
            let said = lang.pick(
                "each call was also told (-v, --trace), which took time and CPU",
                "每个调用还被叙述出来（-v、--trace），这也花了时间和 CPU",
            );
            notes.push(said.to_owned());
        }
        Figure { outcomes, lang, title, waiting, after, notes }
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
pub(super) fn meanwhile(outcome: &Outcome, lang: Lang) -> String {
    let does = doing(outcome.model, lang);
    match outcome.spread(|phases| phases.eagains) {
        Some(eagains) if eagains.median > 1 => {
            let n = grouped(eagains.median);
            say!(lang, "{does}: {n} EAGAINs", "{does}：{n} 次 EAGAIN")
        }
        _ => does.to_owned(),
    }
}

/// What a program does by this model until the message is there.
fn doing(model: &Model, lang: Lang) -> &'static str {
    let chinese = match model.name {
        "blocking" => "睡在 recvmsg 里",
        "nonblocking" => "醒着，反复询问",
        "select" => "睡在 select 里",
        "poll" => "睡在 poll 里",
        "epoll" => "睡在 epoll_wait 里",
        "sigio" => "可以做别的事；这里睡在 sigtimedwait 里",
        "io_uring" => "可以做别的事；这里睡在 io_uring_enter 里",
        _ => model.meanwhile,
    };
    lang.pick(model.meanwhile, chinese)
}

/// Which of the five models it is.
pub(super) fn kind(model: &Model, lang: Lang) -> &'static str {
    let chinese = match model.kind {
        "blocking" => "阻塞",
        "non-blocking" => "非阻塞",
        "multiplexed" => "多路复用",
        "signal-driven" => "信号驱动",
        "asynchronous" => "异步",
        other => other,
    };
    lang.pick(model.kind, chinese)
}

/// That a model cannot run here, and why.
pub(super) fn cannot(reason: &str, lang: Lang) -> String {
    say!(lang, "cannot run here: {reason}", "在这里不能运行：{reason}")
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
pub(super) fn heads(lang: Lang) -> [&'static str; 7] {
    match lang {
        Lang::En => ["model", "waiting", "until it knows", "copying", "calls", "EAGAIN", "CPU"],
        Lang::Zh => ["模型", "等待", "得知延迟", "拷贝", "调用", "EAGAIN", "CPU"],
    }
}

/// The column of what one call does that does both.
const AFTER: usize = 2;

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
    [
        name.to_owned(),
        write(waiting, Kind::Time),
        write(knows, Kind::Time),
        copies.map_or(String::new(), |copies| write(copies, Kind::Time)),
        write(calls, Kind::Count),
        write(eagains, Kind::Count),
        write(cpu, Kind::Time),
    ]
}

/// The same, saying so where two phases are in one.
fn row_in_words(
    outcome: &Outcome,
    lang: Lang,
    name: &str,
    write: impl Fn(Spread, Kind) -> String,
) -> [String; 7] {
    let mut row = row(outcome, name, write);
    if row[AFTER + 1].is_empty() && !row[AFTER].is_empty() {
        row[AFTER] += lang.pick(" in one", " 一次完成");
    }
    row
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
pub(super) fn cells(outcome: &Outcome, lang: Lang) -> [String; 7] {
    let median = |figure: Spread, kind: Kind| kind.text(figure.median);
    row_in_words(outcome, lang, outcome.model.name, median)
}

/// The least and the most, each a row; none if there was one round only.
pub(super) fn extremes(outcome: &Outcome, lang: Lang) -> Vec<[String; 7]> {
    if outcome.rounds.len() < 2 {
        return vec![];
    }
    let [least, most] = lang.pick(["  least", "  most"], ["  最小", "  最大"]);
    vec![
        row_in_words(outcome, lang, least, |figure, kind| kind.text(figure.least)),
        row_in_words(outcome, lang, most, |figure, kind| kind.text(figure.most)),
    ]
}

/// From the least to the most: `38.2–91.0 µs`; empty if there was one round only.
pub(super) fn ranges(outcome: &Outcome) -> [String; 7] {
    match outcome.rounds.len() {
        0 | 1 => std::array::from_fn(|_| String::new()),
        _ => row(outcome, "", |figure, kind| {
            range(&kind.text(figure.least), &kind.text(figure.most))
        }),
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
