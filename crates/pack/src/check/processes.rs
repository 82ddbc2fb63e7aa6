//! A process begins with the call that made it, and does nothing after its end.

use std::collections::HashMap;

use netplay_record::{Call, Kind, Moves, Process};

use crate::run::Run;
use crate::{Fault, Rule};
use netplay_text::both;

pub(super) fn check(run: &Run, faults: &mut Vec<Fault>) {
    let mut first: HashMap<i32, usize> = HashMap::new();
    let mut last: HashMap<i32, usize> = HashMap::new();
    let mut forks: HashMap<i32, Vec<usize>> = HashMap::new();
    let mut ends: Vec<(i32, usize)> = Vec::new();
    for (i, record) in run.records.iter().enumerate() {
        if record.kind == Kind::Call {
            first.entry(record.pid).or_insert(i);
            last.insert(record.pid, i);
        }
        match (record.kind, record.what.moves()) {
            (Kind::Call, Moves::Copies) if record.is_done() => {
                let child = record.ret.and_then(|child| i32::try_from(child).ok());
                forks.entry(child.unwrap_or_default()).or_default().push(i);
            }
            (Kind::Call, Moves::Ends { child }) if record.is_done() => {
                let returned = record.ret.and_then(|child| i32::try_from(child).ok());
                let ended = returned.filter(|&child| child > 0).or(child);
                ends.extend(ended.filter(|_| reaps(&record.what)).map(|child| (child, i)));
            }
            (Kind::Note, _) if says_the_end(record.value.as_deref()) => ends.push((record.pid, i)),
            _ => {}
        }
    }
    for (child, forks) in &forks {
        let [fork] = forks[..] else { continue }; // a number that was given out again
        if let Some(&first) = first.get(child)
            && run.records[first].start_ns < run.records[fork].start_ns
        {
            let said = both!(
                "process {child} makes a call before the call that made the process has begun",
                "进程 {child} 在创建它的调用开始之前就发出了调用",
            );
            faults.push(run.fault(Rule::Process, said, &[first, fork]));
        }
    }
    for (pid, end) in ends {
        if forks.get(&pid).is_some_and(|forks| forks.len() > 1) {
            continue;
        }
        let over = run.end(end);
        if let Some(&last) = last.get(&pid)
            && run.records[last].start_ns > over
            // A number that was given out again.
            && first.get(&pid).is_some_and(|&first| run.records[first].start_ns <= over)
        {
            let said = both!(
                "process {pid} makes a call after its end",
                "进程 {pid} 在结束之后还发出了调用",
            );
            faults.push(run.fault(Rule::Process, said, &[end, last]));
        }
    }
}

/// Whether it tells how a child ended, and not that it has stopped or goes on.
fn reaps(call: &Call) -> bool {
    matches!(call, Call::Process(Process::Waitpid { ending: Some(_), .. }))
}

fn says_the_end(value: Option<&str>) -> bool {
    value.is_some_and(|value| value.starts_with("exited ") || value.starts_with("killed "))
}
