//! The two clocks of a record: CLOCK_MONOTONIC and the calendar go on together, until somebody sets the calendar.

use chrono::DateTime;

use crate::run::Run;
use crate::{Fault, Rule};
use netplay_text::both;

/// So far, in nanoseconds, the two may be apart from what they are in the records around: a process that is not running
/// between the two looks at the clocks.
const APART: i64 = 250_000_000;

pub(super) fn check(run: &Run, faults: &mut Vec<Fault>) {
    let mut boots =
        run.records.iter().enumerate().filter_map(|(i, of)| Some((i, of.boot.as_ref()?)));
    if let Some((first, boot)) = boots.next()
        && let Some((other, _)) = boots.find(|(_, of)| *of != boot)
    {
        let said = both!(
            "these two records are of different boots, whose clocks cannot be compared",
            "这两条记录来自不同的启动，它们的时钟不能比较",
        );
        faults.push(run.fault(Rule::Clock, said, &[first, other]));
    }
    // How far the calendar is ahead of the other clock.
    let ahead: Vec<(usize, i64)> = run
        .records
        .iter()
        .enumerate()
        .filter_map(|(i, record)| {
            let wall = DateTime::parse_from_rfc3339(&record.wall).ok()?;
            Some((i, wall.timestamp_nanos_opt()?.wrapping_sub_unsigned(record.start_ns)))
        })
        .collect();
    let near = |a: i64, b: i64| a.abs_diff(b) <= APART.unsigned_abs();
    for (n, &(i, offset)) in ahead.iter().enumerate() {
        let around = [n.checked_sub(1), Some(n + 1), Some(n + 2), n.checked_sub(2)];
        let mut around = around.into_iter().flatten().filter_map(|n| ahead.get(n));
        // Where the calendar was set, the records on one side agree.
        let one = around.next();
        let other = around.next();
        if let (Some(&(_, one)), Some(&(other, offset_there))) = (one, other)
            && !near(offset, one)
            && near(one, offset_there)
        {
            let said = both!(
                "the calendar time of a record and its time since the boot do not fit the records around it",
                "这条记录的日历时间与开机以来的时间，和前后的记录对不上",
            );
            faults.push(run.fault(Rule::Clock, said, &[i, other]));
        }
    }
}
