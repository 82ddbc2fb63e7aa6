//! The rings of io_uring: the kernel takes what was submitted, and each completion answers a submission.
//!
//! Only netplay's own pages are held to that: they record an entry when they write it and an answer when they take it. Of a watched
//! program the rings are read while it is in a call, and it may have taken answers between two calls.

use std::collections::{HashMap, HashSet};

use netplay_record::{Call, Event, Kind, Ring, Way};

use crate::run::Run;
use crate::{Fault, Rule};
use netplay_text::both;

/// Whether what the record says of the rings is all that there was.
pub(super) fn is_exact(record: &Event) -> bool {
    *record.example != *"watch"
}

/// The watched processes that have a ring, through which more may have moved than was seen.
pub(super) fn hidden(run: &Run) -> HashSet<i32> {
    let rings = |of: &&Event| !is_exact(of) && matches!(&*of.what, Call::Ring(_));
    run.records.iter().map(|of| &**of).filter(rings).map(|record| record.pid).collect()
}

/// What is known of the ring of a process.
#[derive(Default)]
struct Known {
    /// The operations that were submitted: the place of each among all, by its number and its time.
    submitted: HashMap<(u64, u64), u64>,
    /// Those that have not completed, by their number.
    open: HashMap<u64, usize>,
    /// How many were submitted, and how many the kernel had taken when the last call began.
    count: u64,
    taken: u64,
}

pub(super) fn check(run: &Run, faults: &mut Vec<Fault>) {
    // What a call took is known when it begins; an answer and a submission, when they are read and written.
    let mut order: Vec<(u64, usize)> = Vec::new();
    for (i, record) in run.records.iter().enumerate().filter(|(_, record)| is_exact(record)) {
        match (record.kind, &*record.what) {
            (Kind::Submit, _) | (Kind::Call, Call::Ring(Ring::Enter { .. })) => {
                order.push((record.start_ns, i));
            }
            (Kind::Complete, _) => order.push((run.end(i), i)),
            _ => {}
        }
    }
    order.sort_unstable();
    let mut rings: HashMap<i32, Known> = HashMap::new();
    for (_, i) in order {
        let record = &run.records[i];
        let ring = rings.entry(record.pid).or_default();
        let number = record.user_data.unwrap_or_default();
        let (said, other) = match record.kind {
            Kind::Submit => {
                ring.count += 1;
                ring.submitted.insert((number, record.start_ns), ring.count);
                let Some(before) = ring.open.insert(number, i) else { continue };
                let said = both!(
                    "operation {number} is submitted, and the one that had this number has not completed",
                    "提交了操作 {number}，而使用同一编号的上一个操作还没有完成",
                );
                (said, Some(before))
            }
            Kind::Complete => {
                if !record.goes_on() {
                    ring.open.remove(&number);
                }
                match ring.submitted.get(&(number, record.start_ns)) {
                    None => (
                        both!(
                            "operation {number} completes here, and nothing has submitted it at that time",
                            "操作 {number} 在这里完成，而那个时刻没有提交过它",
                        ),
                        None,
                    ),
                    Some(&place) if place > ring.taken => (
                        both!(
                            "operation {number} completes here, and no call has given it to the kernel",
                            "操作 {number} 在这里完成，而没有任何调用把它交给内核",
                        ),
                        None,
                    ),
                    Some(_) if says_otherwise(record) => (
                        both!(
                            "the result is not the one that the entry of the completion ring has",
                            "结果与完成环中的条目不符",
                        ),
                        None,
                    ),
                    Some(_) => continue,
                }
            }
            _ => {
                let taken = record.ret.and_then(|taken| u64::try_from(taken).ok());
                ring.taken += taken.unwrap_or_default();
                if ring.taken <= ring.count {
                    continue;
                }
                let (taken, count) = (ring.taken, ring.count);
                ring.taken = count;
                let said = both!(
                    "the kernel has taken {taken} operations by now, and {count} were submitted",
                    "到这里内核已取走 {taken} 个操作，而提交的只有 {count} 个",
                );
                (said, None)
            }
        };
        let at: Vec<usize> = other.into_iter().chain([i]).collect();
        faults.push(run.fault(Rule::Ring, said, &at));
    }
}

/// The processes and descriptors with an operation that sends and never completed: what it sent is unknown.
pub(super) fn sends_without_an_answer(run: &Run) -> HashSet<(i32, usize)> {
    let number = |record: &Event| (record.pid, record.user_data, record.start_ns);
    let of = |kind| run.records.iter().filter(move |record| record.kind == kind);
    let answered: HashSet<_> = of(Kind::Complete).map(|record| number(record)).collect();
    let open = of(Kind::Submit).filter(|record| record.what.way() == Some(Way::Out));
    let open = open.filter(|record| !answered.contains(&number(record)));
    open.filter_map(|record| Some((record.pid, usize::try_from(record.fd?).ok()?))).collect()
}

/// Whether the text of a completion has another result or another number than its record.
fn says_otherwise(record: &Event) -> bool {
    let args = record.args.as_deref().unwrap_or_default();
    let field = |key: &str| {
        let (_, rest) = args.split_once(key)?;
        rest.split(',').next()?.parse::<i64>().ok()
    };
    let result = field("res=");
    let number = field("user_data=").map(i64::cast_unsigned);
    number != record.user_data
        || match record.errno {
            None => result != record.ret,
            Some(_) => result.is_none_or(|result| result >= 0),
        }
}
