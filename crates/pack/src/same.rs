//! Which packs are of one run: told by how long its calls took, to the nanosecond, and how far apart they began.
//!
//! No two runs share those, and they stay when a run is packed again, when roles, processes and addresses get other names, when all
//! times are shifted, and when other bytes are shown.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use netplay_record::Kind;

use super::run::Run;

/// What tells a run from all others: a number for each two calls of a thread that follow each other.
#[derive(Debug, Clone, Default)]
pub struct Prints(HashSet<u64>);

/// Two packs that have something in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Same {
    /// The place of the one among all, from 0 on.
    pub one: usize,
    /// The place of the other.
    pub other: usize,
    /// How much of the smaller one is also in the other: 1.0 is all of it.
    pub share: f64,
}

impl Same {
    /// Whether they are one run; if not, one has taken a part of the other.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.share >= 0.5
    }
}

impl Prints {
    pub(crate) fn of(run: &Run) -> Prints {
        let mut last: HashMap<(i32, i32), usize> = HashMap::new();
        let mut prints = HashSet::with_capacity(run.records.len());
        for (i, record) in run.records.iter().enumerate() {
            if record.kind != Kind::Call {
                continue;
            }
            let Some(before) = last.insert((record.pid, record.tid), i) else { continue };
            let before = &run.records[before];
            let mut hasher = DefaultHasher::new();
            let of = (before.dur_ns, record.dur_ns, record.start_ns - before.start_ns);
            (of, before.syscall.as_deref(), record.syscall.as_deref()).hash(&mut hasher);
            prints.insert(hasher.finish());
        }
        Prints(prints)
    }
}

/// So many prints must be common to both, at least: a clock that counts in coarse steps may repeat a few.
const FEW: usize = 3;

/// Which of these packs are of one run, or share a part of one.
#[must_use]
pub fn same(all: &[&Prints]) -> Vec<Same> {
    // The packs that have each print: of many packs, hardly any two share one.
    let mut having: HashMap<u64, Vec<usize>> = HashMap::new();
    for (nth, prints) in all.iter().enumerate() {
        for &print in &prints.0 {
            having.entry(print).or_default().push(nth);
        }
    }
    let mut common: HashMap<(usize, usize), usize> = HashMap::new();
    for packs in having.values() {
        for (n, &one) in packs.iter().enumerate() {
            for &other in &packs[n + 1..] {
                *common.entry((one, other)).or_default() += 1;
            }
        }
    }
    let mut found: Vec<Same> = common
        .into_iter()
        .filter_map(|((one, other), n)| {
            let smaller = all[one].0.len().min(all[other].0.len());
            let share = n as f64 / smaller as f64;
            (n >= FEW.min(smaller) && share >= 0.05).then_some(Same { one, other, share })
        })
        .collect();
    found.sort_by_key(|same| (same.one, same.other));
    found
}
