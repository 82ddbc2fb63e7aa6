//! What a picture of watched programs leaves out, so that the conversation can be seen.
//!
//! ```text
//! a script that starts 100 clients:   sh   sleep 1 … sleep 100   curl 1 … curl 100   server, thread 1 … thread 100
//! its picture:                        sh   curl (100 processes, one after the other)   server   server, threads
//! ```
//!
//! A process that never touches a socket takes no part. Those that do the same one after the other need one lifeline, as one
//! client that comes again. And what a runtime asks on its own account ([`netplay_record::noise`]) is in no program's source.
//! All of it is counted, and the picture says so; the trace, and the timeline as JSON, have everything.
//! Pages of netplay's own are drawn whole: each of their calls stands in the source that is read beside the picture.

use std::collections::{HashMap, HashSet};

use netplay_record::noise::Noise;
use netplay_record::{Call as Recorded, Connection, Event, Kind, Sockopt, Wait};
use netplay_text::lang::Lang;

use super::calls::{Process, fork, process};
use super::left_out::LeftOut;
use super::{Call, Lane, Timeline, Tip};

impl Timeline {
    /// The same for a picture: of watched programs without the lanes and calls that are no part of the conversation.
    /// Names are still to be [told](Timeline::told_in).
    #[must_use]
    pub fn folded(self) -> Timeline {
        if !self.calls.iter().any(|call| is_watched(&call.record)) {
            return self;
        }
        let children: HashSet<Process> =
            self.calls.iter().filter_map(|call| Some(fork(&call.record)?.0)).collect();
        let silent = self.silent_lanes(&children);
        let noise = self.noise();
        let left_out = LeftOut {
            lanes: silent.len() as u64,
            calls: noise.iter().filter(|&&i| !silent.contains(&self.calls[i].lane)).count() as u64,
        };
        // A thread that did nothing else needs no lane.
        let mut empty: HashSet<usize> = (0..self.lanes.len()).collect();
        empty.retain(|&lane| self.lanes[lane].thread.is_some());
        for (_, call) in self.calls.iter().enumerate().filter(|(i, _)| !noise.contains(i)) {
            empty.remove(&call.lane);
        }
        let lanes = &silent | &empty;
        let gone = |i: usize, call: &Call| silent.contains(&call.lane) || noise.contains(&i);
        let mut timeline = self.without(gone, &lanes);
        (timeline.left_out, timeline.is_shared) = (left_out, true);
        timeline.shared(&children)
    }

    /// The lanes without a call about a socket. A program that somebody started and that failed stays: that it did is news. If
    /// no lane has such a call, all of them stay.
    fn silent_lanes(&self, children: &HashSet<Process>) -> HashSet<usize> {
        let mut stays: Vec<bool> = self.lanes.iter().map(|lane| lane.thread.is_none()).collect();
        for call in &self.calls {
            let is_child = children.contains(&process(&call.record));
            let fails = call.record.kind == Kind::Note
                && call.record.value.as_deref().is_some_and(is_failure);
            stays[call.lane] |=
                !is_watched(&call.record) || is_about_sockets(&call.record) || fails && !is_child;
        }
        if !self.calls.iter().any(|call| is_about_sockets(&call.record)) {
            return HashSet::new();
        }
        (0..self.lanes.len()).filter(|&lane| !stays[lane]).collect()
    }

    /// The calls that the story only counts. What it tells later, because something came of it, is not among them.
    fn noise(&self) -> HashSet<usize> {
        let mut order: Vec<usize> = (0..self.calls.len()).collect();
        order.retain(|&i| is_watched(&self.calls[i].record));
        order.sort_by_key(|&i| self.calls[i].record.moment());
        let mut of_processes: HashMap<Process, Noise> = HashMap::new();
        let mut kept: HashMap<(u8, i32, u64), usize> = HashMap::new();
        for i in order {
            // A run of many is a loop of the program's own.
            let Call { record, times: 1, .. } = &self.calls[i] else { continue };
            let heard = of_processes.entry(process(record)).or_default().hear(record, Lang::En);
            for told in heard.before.iter().filter(|told| told.kind == Kind::Call) {
                kept.remove(&(record.host, told.tid, told.start_ns));
            }
            if heard.this.is_none() {
                kept.insert((record.host, record.tid, record.start_ns), i);
            }
        }
        kept.into_values().collect()
    }

    /// The same without these calls and lanes, and without the arrows that lead there.
    fn without(
        mut self,
        gone: impl Fn(usize, &Call) -> bool,
        lanes_gone: &HashSet<usize>,
    ) -> Timeline {
        let numbers = |stays: &mut dyn Iterator<Item = bool>| -> Vec<Option<usize>> {
            let mut next = 0..;
            stays.map(|stays| if stays { next.next() } else { None }).collect()
        };
        let calls = numbers(&mut self.calls.iter().enumerate().map(|(i, call)| !gone(i, call)));
        let lanes = numbers(&mut (0..self.lanes.len()).map(|lane| !lanes_gone.contains(&lane)));
        // An end that is in the air stays there; one at a call or lane that is gone takes the arrow along.
        let moved = |tip: Option<Tip>| match tip {
            None => Some(None),
            Some(tip) => {
                let call = match tip.call {
                    Some(call) => Some(calls[call]?),
                    None => None,
                };
                Some(Some(Tip { lane: lanes[tip.lane]?, call, ..tip }))
            }
        };
        self.arrows.retain_mut(|arrow| match (moved(arrow.from), moved(arrow.to)) {
            (Some(from), Some(to)) => {
                (arrow.from, arrow.to) = (from, to);
                true
            }
            _ => false,
        });
        let mut at = calls.iter();
        self.calls.retain(|_| at.next().is_some_and(Option::is_some));
        self.calls.iter_mut().for_each(|call| {
            call.lane = lanes[call.lane].expect("a lane with calls stays");
        });
        let mut at = lanes.iter();
        self.lanes.retain(|_| at.next().is_some_and(Option::is_some));
        self
    }

    /// The same with one lane for threads of one process, and for processes of one name, that ran one after the other.
    fn shared(mut self, children: &HashSet<Process>) -> Timeline {
        let mut lives: Vec<Option<(u64, u64)>> = vec![None; self.lanes.len()];
        for call in self.calls.iter().filter(|call| is_watched(&call.record)) {
            let life = lives[call.lane].get_or_insert((call.from_ns, call.to_ns));
            life.1 = life.1.max(call.to_ns);
        }
        // For each kind the columns: their lanes, and when the last of them ends.
        let mut kinds: Vec<(Kin, Vec<Column>)> = Vec::new();
        let mut order: Vec<usize> = (0..self.lanes.len()).collect();
        order.sort_by_key(|&lane| lives[lane].map(|life| life.0));
        for lane in order {
            let of = &self.lanes[lane];
            let (Some((from, to)), Some(kin)) = (lives[lane], Kin::of(of, children)) else {
                continue;
            };
            let at = kinds.iter().position(|(known, _)| *known == kin).unwrap_or_else(|| {
                kinds.push((kin, Vec::new()));
                kinds.len() - 1
            });
            let columns = &mut kinds[at].1;
            match columns.iter_mut().find(|(_, end)| *end <= from) {
                Some((lanes, end)) => {
                    lanes.push(lane);
                    *end = to;
                }
                None => columns.push((vec![lane], to)),
            }
        }
        let mut into: Vec<usize> = (0..self.lanes.len()).collect();
        for (kin, columns) in kinds.iter().filter(|(_, all)| all.iter().any(|of| of.0.len() > 1)) {
            for (nth, (lanes, _)) in columns.iter().enumerate() {
                let first = lanes[0];
                lanes.iter().for_each(|&lane| into[lane] = first);
                // One of several programs of a name has its number among the columns.
                let is_program = matches!(kin, Kin::Processes(.., false));
                if lanes.len() == 1 && !is_program {
                    continue;
                }
                let number =
                    if columns.len() > 1 { format!(" {}", nth + 1) } else { String::new() };
                let lane = &mut self.lanes[first];
                lane.name = kin.name(&lane.name) + &number;
                if lanes.len() > 1 {
                    // Of several hosts, which one it is stands behind the number.
                    let host = lane.detail.find(", host ").map_or("", |at| &lane.detail[at..]);
                    lane.detail = format!("{} {}{host}", lanes.len(), kin.detail());
                }
            }
        }
        self.calls.iter_mut().for_each(|call| call.lane = into[call.lane]);
        for arrow in &mut self.arrows {
            let tips = [&mut arrow.from, &mut arrow.to].into_iter().flatten();
            tips.for_each(|tip| tip.lane = into[tip.lane]);
        }
        let gone = (0..into.len()).filter(|&lane| into[lane] != lane).collect();
        self.without(|_, _| false, &gone)
    }
}

/// The lanes that become one, and when the last of them ends.
type Column = (Vec<usize>, u64);

/// What lanes must have in common to share one.
#[derive(Debug, PartialEq)]
enum Kin {
    /// Threads of this process, under this name.
    Threads(Process, String),
    /// Processes of a host, of this name, that another one has started; whether they are copies of it.
    Processes(u8, String, bool),
}

impl Kin {
    fn of(lane: &Lane, children: &HashSet<Process>) -> Option<Kin> {
        let (pid, tid) = lane.thread?;
        match lane.name.rsplit_once(", ") {
            Some((_, thread)) if tid != pid && thread.starts_with("thread ") => {
                Some(Kin::Threads((lane.host, pid), lane.role.clone()))
            }
            _ if tid != pid || !children.contains(&(lane.host, pid)) => None,
            child => Some(Kin::Processes(lane.host, lane.role.clone(), child.is_some())),
        }
    }

    /// What they are called together.
    fn name(&self, name: &str) -> String {
        let of = name.rsplit_once(", ").map_or(name, |(of, _)| of);
        match self {
            Kin::Threads(..) => format!("{of}, threads"),
            Kin::Processes(_, role, true) => format!("{role}, children"),
            Kin::Processes(_, role, false) => role.clone(),
        }
    }

    fn detail(&self) -> &'static str {
        match self {
            Kin::Threads(..) => "threads, one after the other",
            Kin::Processes(..) => "processes, one after the other",
        }
    }
}

/// Whether it is a record of a program that netplay watched.
fn is_watched(record: &Event) -> bool {
    &*record.example == "watch"
}

/// Whether a note says that a process did not end well.
fn is_failure(value: &str) -> bool {
    value.starts_with("killed ")
        || value.strip_prefix("exited ").is_some_and(|code| !code.starts_with("0"))
}

/// Whether a call is more than housekeeping among processes and descriptors.
fn is_about_sockets(record: &Event) -> bool {
    match &*record.what {
        Recorded::None | Recorded::Other | Recorded::Process(_) => false,
        Recorded::Connection(call) => !matches!(
            call,
            Connection::Close | Connection::CloseRange { .. } | Connection::Dup { .. }
        ),
        Recorded::Option(call) => !matches!(call, Sockopt::Fcntl(_) | Sockopt::Ioctl(_)),
        Recorded::Wait(call) => !matches!(call, Wait::EpollCreate),
        Recorded::Bytes(_) | Recorded::Ring(_) => true,
    }
}
