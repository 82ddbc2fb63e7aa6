//! The causes of common mistakes with sockets, found in the records of any program.
//!
//! ```text
//! records ──▶ follow   which socket a descriptor was, who held it, which process was whose child
//!             pair     the two ends of each connection
//!             matching which receive took which bytes of which send
//!                │
//!                ▼
//!             rules/   a file for each family of mistakes  ──▶  findings: a sentence, the records that prove it, a lab
//! ```
//!
//! A rule speaks only when the records prove what it says. A program that does something unusual and is right must hear nothing:
//! a wrong cause is worse than none.
//!
//! ```
//! use netplay_record::Event;
//! use netplay_review::review;
//!
//! let records: Vec<Event> = Vec::new();
//! assert!(review(&records).is_empty());
//! ```

mod finding;
mod follow;
mod matching;
mod model;
mod pair;
mod rules;
mod wire;

pub use finding::{Finding, Rule};

use std::borrow::Borrow;

use netplay_record::Event;

/// Names the causes of what went wrong in these records, which are in the order of their beginnings; the findings stand in the
/// order of the first record that proves each.
#[must_use]
pub fn review<E: Borrow<Event>>(records: &[E]) -> Vec<Finding> {
    let model = model::Model::read(records.iter().map(Borrow::borrow).collect());
    let mut findings = rules::all(&model);
    findings.sort_by_key(|finding| (finding.records.first().copied(), finding.rule));
    findings.dedup_by(|a, b| a.rule == b.rule && a.records == b.records);
    findings
}

/// Puts records in the order in which their numbers count: that of their beginnings.
pub fn in_order<E: Borrow<Event>>(records: &mut [E]) {
    records.sort_by_key(|record| record.borrow().start_ns);
}
