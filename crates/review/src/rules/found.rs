//! What the rules have found so far.

use crate::finding::{Finding, Rule, Said};
use crate::model::Model;

/// What has been found.
pub(crate) struct Found<'m> {
    model: &'m Model<'m>,
    pub(crate) findings: Vec<Finding>,
}

impl<'m> Found<'m> {
    pub(super) fn new(model: &'m Model<'m>) -> Found<'m> {
        Found { model, findings: Vec::new() }
    }

    /// Adds a finding about the program that made the first of these calls.
    pub(super) fn add(
        &mut self,
        rule: Rule,
        whose: usize,
        proof: impl IntoIterator<Item = usize>,
        said: Said,
    ) {
        let record = self.model.records[whose];
        let mut records: Vec<usize> = proof.into_iter().collect();
        records.sort_unstable();
        records.dedup();
        self.findings.push(Finding {
            rule,
            said,
            pid: record.pid,
            tid: record.tid,
            program: record.role.clone(),
            records,
        });
    }

    /// Whether a rule has spoken of this record already.
    pub(super) fn has(&self, rule: Rule, record: usize) -> bool {
        self.findings.iter().any(|of| of.rule == rule && of.records.contains(&record))
    }
}

/// A millisecond, in nanoseconds.
pub(super) const MS: u64 = 1_000_000;
