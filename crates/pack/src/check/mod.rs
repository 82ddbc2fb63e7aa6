//! What records cannot say all at once. A file for each kind of contradiction; each accuses only what is proven.

mod clocks;
mod compared;
mod datagrams;
mod errors;
mod form;
mod names;
mod numbers;
mod processes;
mod rings;
mod sockets;
mod states;
mod threads;
mod pairs;

pub use compared::Compared;

use super::Fault;
use super::run::Run;

/// So many contradictions of one kind are named.
const NAMED: usize = 50;

/// Everything that contradicts something else in these records.
pub(crate) fn all(run: &Run) -> (Vec<Fault>, Compared) {
    let mut faults = Vec::new();
    form::check(run, &mut faults);
    clocks::check(run, &mut faults);
    threads::check(run, &mut faults);
    errors::check(run, &mut faults);
    numbers::check(run, &mut faults);
    processes::check(run, &mut faults);
    rings::check(run, &mut faults);
    let sockets = sockets::follow(run, &mut faults);
    states::check(run, &sockets, &mut faults);
    names::check(run, &sockets, &mut faults);
    let mut compared = Compared::default();
    pairs::check(run, &sockets, &mut compared, &mut faults);
    datagrams::check(run, &sockets, &mut compared, &mut faults);
    // A trace that is wrong throughout need not be told line by line.
    let mut of_rule = std::collections::HashMap::new();
    faults.retain(|fault| {
        let n: &mut usize = of_rule.entry(fault.rule).or_default();
        *n += 1;
        *n <= NAMED
    });
    (faults, compared)
}
