//! A thread does one thing after the other, and its lines stand in the order in which its calls returned.

use std::collections::HashMap;

use netplay_record::{Kind, Moves};

use crate::run::Run;
use crate::{Fault, Rule};
use netplay_text::both;

pub(super) fn check(run: &Run, faults: &mut Vec<Fault>) {
    // The last exec of each process.
    let execs: HashMap<i32, usize> = run
        .records
        .iter()
        .enumerate()
        .filter(|(_, record)| record.what.moves() == Moves::Executes && record.is_done())
        .map(|(i, record)| (record.pid, i))
        .collect();
    let mut last: HashMap<(i32, i32), usize> = HashMap::new();
    for (i, record) in run.records.iter().enumerate() {
        if record.kind != Kind::Call {
            continue;
        }
        let thread = (record.pid, record.tid);
        if let Some(&around) = last.get(&thread)
            && is_of_a_handler(run, around, i)
        {
            continue;
        }
        let Some(before) = last.insert(thread, i) else { continue };
        if run.records[before].is_unfinished() {
            if execs
                .get(&record.pid)
                .is_some_and(|&exec| run.end(exec) >= run.records[before].start_ns)
            {
                continue; // another thread's exec ended this one, and has its number from then on
            }
            // A thread can do nothing after a call from which it has not returned.
            let said = both!(
                "a thread makes a call, though its call before had not returned when the record ended",
                "线程又发出一个调用，而它前一个调用直到记录结束都没有返回",
            );
            faults.push(run.fault(Rule::Order, said, &[before, i]));
        } else if run.end(before) > record.start_ns {
            let said = both!(
                "a thread begins a call before its last one has returned",
                "线程在前一个调用返回之前就开始了下一个调用",
            );
            faults.push(run.fault(Rule::Order, said, &[before, i]));
        } else if run.places[before].trace == run.places[i].trace
            && run.places[before] > run.places[i]
        {
            let said = both!(
                "the lines of a thread do not stand in the order of its calls",
                "同一线程的各行没有按调用的顺序排列",
            );
            faults.push(run.fault(Rule::Order, said, &[before, i]));
        }
    }
}

/// Whether a handler of a signal made this call while the other one waited, which then began again (SA_RESTART). A program's handler
/// may call anything: waitpid, for one, after SIGCHLD. netplay's own pages stop by a shutdown there.
fn is_of_a_handler(run: &Run, around: usize, i: usize) -> bool {
    let (outer, inner) = (&run.records[around], &run.records[i]);
    (*inner.example == *"watch" || inner.call.as_deref() == Some("shutdown"))
        && (outer.what.waits() || outer.what.way().is_some())
        && inner.start_ns >= outer.start_ns
        && run.end(i) <= run.end(around)
}
