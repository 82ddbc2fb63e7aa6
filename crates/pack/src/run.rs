//! The records of a pack, as they stand in its traces.

use netplay_record::Event;

use super::{Fault, Place, Rule};
use netplay_text::both;

/// All records in the order of their beginnings.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub records: Vec<Box<Event>>,
    /// Where each of them stands.
    pub places: Vec<Place>,
}

/// So many lines that are no records are named, before the rest is left.
const NAMED: usize = 20;

/// After so many the rest of a trace is not read.
const GIVEN_UP: usize = 10_000;

impl Run {
    /// Reads the traces. A line that is not written as netplay writes it is a fault, because a pack's lines have one form
    /// only: the value of a record decides each byte of its line.
    pub fn read(traces: &[Vec<u8>], faults: &mut Vec<Fault>) -> Run {
        let mut read: Vec<(Box<Event>, Place)> = Vec::new();
        let mut bad = 0;
        let mut again = Vec::new();
        for (nth, trace) in traces.iter().enumerate() {
            let lines = trace.split_inclusive(|&byte| byte == b'\n');
            for (number, line) in lines.enumerate() {
                let at = Place { trace: nth + 1, line: number + 1 };
                let event: Result<Box<Event>, _> = serde_json::from_slice(line);
                let said = match event {
                    Ok(event) if event.v != 1 => both!(
                        "this record is not of version 1 of the format",
                        "这条记录的格式版本不是 1",
                    ),
                    Ok(event) if event.start_ns.checked_add(event.dur_ns).is_none() => {
                        both!("its time is beyond any clock", "它的时间超出任何时钟")
                    }
                    Ok(event) => {
                        again.clear();
                        let same = serde_json::to_writer(&mut again, &event).is_ok();
                        again.push(b'\n');
                        let same = same && again == line;
                        read.push((event, at));
                        if same {
                            continue;
                        }
                        both!(
                            "this line is not written as netplay pack writes it",
                            "这一行不是 netplay pack 写出的样子",
                        )
                    }
                    Err(_) => both!("this line is not a record", "这一行不是一条记录"),
                };
                bad += 1;
                if bad <= NAMED {
                    faults.push(Fault::new(Rule::Form, said, [at]));
                }
                if bad == GIVEN_UP {
                    let said = both!(
                        "{GIVEN_UP} lines are wrong: what follows is not read",
                        "已有 {GIVEN_UP} 行不对：之后的内容不再读取",
                    );
                    faults.push(Fault::new(Rule::Form, said, [at]));
                    return Run::of(read);
                }
            }
        }
        Run::of(read)
    }

    fn of(mut read: Vec<(Box<Event>, Place)>) -> Run {
        read.sort_by_key(|(event, _)| event.start_ns);
        let (records, places) = read.into_iter().unzip();
        Run { records, places }
    }

    /// When a record's call returned.
    pub fn end(&self, i: usize) -> u64 {
        self.records[i].start_ns + self.records[i].dur_ns
    }

    pub fn fault(&self, rule: Rule, said: netplay_text::both::Both, at: &[usize]) -> Fault {
        let places: Vec<Place> = at.iter().map(|&i| self.places[i]).collect();
        Fault::new(rule, said, places)
    }
}
