//! What the rules have found so far.

use std::collections::{HashMap, HashSet};

use netplay_record::Text;

use crate::finding::{Finding, Rule, Said, Taught};
use crate::model::{Id, Model};

/// What has been found. The same mistake of the same program is one finding, however many connections it was made on.
pub(crate) struct Found<'m> {
    model: &'m Model<'m>,
    pub(crate) findings: Vec<Finding>,
    /// What each rule has spoken of, also of the connections that are only counted.
    told: HashSet<(Rule, usize)>,
    /// The sockets that those records are about.
    sockets: HashSet<(Rule, Id)>,
    /// Where the finding about a mistake of a program stands: its rule, the program, the form of the sentence, the place.
    places: HashMap<(Rule, Text, &'static str, String), usize>,
    /// How often something happened over and over, by the records that show it: two rules that speak of it agree.
    counted: HashMap<usize, u64>,
}

impl<'m> Found<'m> {
    pub(super) fn new(model: &'m Model<'m>) -> Found<'m> {
        Found {
            model,
            findings: Vec::new(),
            told: HashSet::new(),
            sockets: HashSet::new(),
            places: HashMap::new(),
            counted: HashMap::new(),
        }
    }

    /// Adds a finding about the program that made the first of these calls.
    pub(super) fn add(
        &mut self,
        rule: Rule,
        whose: usize,
        proof: impl IntoIterator<Item = usize>,
        said: Said,
    ) {
        self.add_taught(rule, whose, proof, said, rule.taught());
    }

    /// Adds a finding that something else teaches than others of its rule.
    pub(super) fn add_taught(
        &mut self,
        rule: Rule,
        whose: usize,
        proof: impl IntoIterator<Item = usize>,
        said: Said,
        taught: Taught,
    ) {
        let record = self.model.records[whose];
        let mut records: Vec<usize> = proof.into_iter().collect();
        records.sort_unstable();
        records.dedup();
        self.told.extend(records.iter().map(|&at| (rule, at)));
        let sockets = records.iter().filter_map(|&at| self.model.of[at]);
        self.sockets.extend(sockets.map(|id| (rule, id)));
        let mut finding = Finding {
            rule,
            said,
            pid: record.pid,
            tid: record.tid,
            program: record.role.clone(),
            records,
            more: 0,
            taught,
        };
        let (program, form, place) =
            (finding.program.clone(), finding.said.form, finding.said.place.clone());
        let next = self.findings.len();
        let place = *self.places.entry((rule, program, form, place)).or_insert(next);
        match self.findings.get_mut(place) {
            Some(known) if known.records == finding.records => {}
            Some(known) => {
                finding.more = known.more + 1;
                match known.records.first() <= finding.records.first() {
                    true => known.more = finding.more,
                    false => *known = finding,
                }
            }
            None => self.findings.push(finding),
        }
    }

    /// Remembers how often all of these records happened.
    pub(super) fn count<'i>(&mut self, records: impl IntoIterator<Item = &'i usize>, count: u64) {
        self.counted.extend(records.into_iter().map(|&at| (at, count)));
    }

    /// How often something happened that one of these records shows, if another rule has counted it.
    pub(super) fn counted(&self, records: &[usize]) -> Option<u64> {
        records.iter().find_map(|at| self.counted.get(at).copied())
    }

    /// Whether a rule has spoken of this record already.
    pub(super) fn has(&self, rule: Rule, record: usize) -> bool {
        self.told.contains(&(rule, record))
    }

    /// Whether a rule has spoken of a record of this socket.
    pub(super) fn has_of(&self, rule: Rule, id: Id) -> bool {
        self.sockets.contains(&(rule, id))
    }
}

/// A millisecond, in nanoseconds.
pub(super) const MS: u64 = 1_000_000;
