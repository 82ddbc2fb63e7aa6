//! Lanes, and the calls on them.

use std::collections::{HashMap, HashSet};

use netplay_record::{Event, Kind, Moves, Text};
use serde::Serialize;

use super::acts::Acts;

/// A lifeline: a thread of a process.
#[derive(Debug, Clone, Serialize)]
pub struct Lane {
    /// `server`, `server, child 1`, `client A`.
    pub name: String,
    /// `pid 4711`, `thread 4712 of 4711`, `no trace of this side`.
    pub detail: String,
    /// `server`, `client`, or another name that its records give it.
    pub role: String,
    /// What it takes part as.
    #[serde(skip)]
    pub acts: Acts,
    /// The process and the thread; `None` for a side without a trace.
    pub thread: Option<(i32, i32)>,
    /// Which host it is on: 0 for the first.
    #[serde(skip_serializing_if = "is_first")]
    pub host: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_first(host: &u8) -> bool {
    *host == 0
}

/// A call of a lane, or a run of equal calls that found nothing (EAGAIN); or a note.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// Whose: an index of [`Timeline::lanes`](super::Timeline::lanes).
    pub lane: usize,
    /// When it began, in nanoseconds from the timeline's start.
    pub from_ns: u64,
    /// When it returned.
    pub to_ns: u64,
    /// How many calls this stands for: more than 1 only where they all answered EAGAIN.
    pub times: u64,
    /// The state of TCP that the socket was seen in after the call, if it was another one before.
    pub state: Option<Text>,
    /// How long it took by its own clock, in nanoseconds; waiting included.
    #[serde(skip)]
    pub took: u64,
    /// The record; of a run, the last one.
    pub record: Box<Event>,
}

impl Call {
    /// Whether it failed in earnest: EAGAIN, EINTR and the like are ordinary answers.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.record.ret == Some(-1) && !self.record.is_ordinary()
    }

    /// The name of the call; empty for a note.
    #[must_use]
    pub fn name(&self) -> &str {
        self.record.call.as_deref().unwrap_or_default()
    }

    /// How long it took, in nanoseconds, as it was measured; waiting included.
    #[must_use]
    pub fn took_ns(&self) -> u64 {
        self.took
    }
}

/// A process: its host, and its number there.
pub(super) type Process = (u8, i32);

/// The process that made a call.
pub(super) fn process(record: &Event) -> Process {
    (record.host, record.pid)
}

/// A side that a process takes part as: most are one, but server and client can be threads of one program.
type Side<'a> = (Process, &'a str);

/// What a host is called: nothing in a trace names it.
pub(super) fn host_name(host: u8) -> char {
    char::from(b'A' + host)
}

/// A lane for each thread that is in the records; a thread that speaks for two sides has two.
pub(super) fn lanes(records: &[Box<Event>], given: &HashMap<i32, String>) -> Vec<Lane> {
    let mut threads: Vec<(&str, Process, i32)> = Vec::new();
    let mut known = HashSet::new();
    let mut born: HashMap<(Process, i32), u64> = HashMap::new();
    let hosts = records.iter().map(|record| record.host).max().unwrap_or_default();
    for record in records {
        if let Some((child, _)) = fork(record) {
            // The second child may be the first that gets to run: they come in the order of their forks.
            born.entry((child, child.1)).or_insert(record.start_ns);
        }
        let thread = (&*record.role, process(record), record.tid);
        if known.insert(thread) {
            born.entry((process(record), record.tid)).or_insert(record.start_ns);
            threads.push(thread);
        }
    }
    threads.sort_by_key(|&(role, pid, tid)| (role != "server", born[&(pid, tid)]));
    let names = side_names(&threads, records, given);
    let mut sides: HashMap<Process, usize> = HashMap::new();
    names.keys().for_each(|&(pid, _)| *sides.entry(pid).or_default() += 1);
    // Where two sides share a process, the first thread of each stands for it.
    let mut led: HashSet<Side<'_>> = threads
        .iter()
        .filter(|(_, pid, tid)| pid.1 == *tid)
        .map(|&(role, pid, _)| (pid, role))
        .collect();
    let mut seen: HashMap<Side<'_>, usize> = HashMap::new();
    let mut shared: HashSet<(Process, &String)> = HashSet::new();
    let mut lanes: Vec<Lane> = Vec::new();
    for &(role, pid, tid) in &threads {
        let side = (pid, role);
        let name = if let Some(name) = given.get(&tid) {
            if !shared.insert((pid, name)) {
                continue;
            }
            name.clone()
        } else if tid == pid.1 || sides[&pid] > 1 && led.insert(side) {
            names[&side].clone()
        } else {
            let nth = seen.entry(side).or_default();
            *nth += 1;
            format!("{}, thread {nth}", names[&side])
        };
        let (host, number) = pid;
        let mut detail = if tid == number {
            format!("pid {number}")
        } else {
            format!("thread {tid} of {number}")
        };
        if hosts > 0 {
            detail += &format!(", host {}", host_name(host));
        }
        let acts = Acts::of_role(role).unwrap_or_default();
        let thread = Some((number, tid));
        lanes.push(Lane { name, detail, role: role.to_owned(), acts, thread, host });
    }
    lanes
}

/// What each side is called: its process as `given` or after its parent; or after its role, with a letter
/// for a client and a number for another side that is not the only one.
fn side_names<'a>(
    threads: &[(&'a str, Process, i32)],
    records: &'a [Box<Event>],
    given: &HashMap<i32, String>,
) -> HashMap<Side<'a>, String> {
    let parents: HashMap<Process, Process> =
        records.iter().filter_map(|record| fork(record)).collect();
    // What its main thread speaks as first is a process's own side.
    let mut own: HashMap<Process, &str> = HashMap::new();
    let main = records.iter().filter(|record| record.pid == record.tid);
    for record in main.chain(records) {
        own.entry(process(record)).or_insert(&record.role);
    }
    let mut sides: Vec<Side<'a>> = threads.iter().map(|&(role, pid, _)| (pid, role)).collect();
    let mut known = HashSet::new();
    sides.retain(|&side| known.insert(side));
    // A child that has become another program is named after that.
    let parent_of = |pid: Process, role: &str| {
        parents.get(&pid).filter(|parent| own.get(parent).is_none_or(|own| *own == role))
    };
    let named =
        |pid: Process, role: &str| given.contains_key(&pid.1) || parent_of(pid, role).is_some();
    let of_role = |wanted| {
        let unnamed =
            |&&(pid, role): &&Side<'_>| role == wanted && !(own[&pid] == role && named(pid, role));
        sides.iter().filter(unnamed).count()
    };
    let clients = of_role("client");
    let mut names: HashMap<Side<'a>, String> = HashMap::new();
    let (mut children, mut of_roles) = (HashMap::new(), HashMap::new());
    for &(pid, role) in &sides {
        let is_own = own[&pid] == role;
        let name = if let Some(name) = given.get(&pid.1).filter(|_| is_own) {
            name.clone()
        } else if let Some(parent) = parent_of(pid, role).filter(|_| is_own) {
            // A parent was there before its child, unless its own records are missing.
            let nth: &mut usize = children.entry(parent).or_default();
            *nth += 1;
            let parent = own.get(parent).and_then(|role| names.get(&(*parent, *role)));
            format!("{}, child {nth}", parent.map_or(role, String::as_str))
        } else {
            let nth: &mut usize = of_roles.entry(role).or_default();
            *nth += 1;
            match role {
                "client" if clients <= 26 => format!("client {}", char::from(b'@' + *nth as u8)),
                role if role != "client" && of_role(role) == 1 => role.to_owned(),
                _ => format!("{role} {nth}"),
            }
        };
        names.insert((pid, role), name);
    }
    names
}

/// The child and the parent, if the record is that of a fork.
pub(super) fn fork(record: &Event) -> Option<(Process, Process)> {
    let child = record.ret.filter(|&child| child > 0)?;
    let child = (record.host, child as i32);
    (record.what.moves() == Moves::Copies).then_some((child, process(record)))
}

#[expect(
    clippy::vec_box,
    reason = "a list of pointers is sorted, and emptied, without a copy of its records"
)]
pub(super) fn calls(
    records: Vec<Box<Event>>,
    start_ns: u64,
    lanes: &[Lane],
    names: &HashMap<i32, String>,
) -> Vec<Call> {
    let lane_of: HashMap<((Process, i32), &str), usize> = lanes
        .iter()
        .enumerate()
        .filter_map(|(i, lane)| {
            let (pid, tid) = lane.thread?;
            Some(((((lane.host, pid), tid), &*lane.role), i))
        })
        .collect();
    let by_name: HashMap<(Process, &str), usize> = lanes
        .iter()
        .enumerate()
        .rev() // the first of a name counts
        .filter_map(|(i, lane)| Some((((lane.host, lane.thread?.0), &*lane.name), i)))
        .collect();
    let of_its_name = |record: &Event| {
        let name = names.get(&record.tid)?;
        by_name.get(&(process(record), &**name)).copied()
    };
    let mut calls: Vec<Call> = Vec::with_capacity(records.len());
    let mut last_of_lane: Vec<Option<usize>> = vec![None; lanes.len()];
    for record in records {
        let lane = lane_of.get(&((process(&record), record.tid), &*record.role)).copied();
        let lane = lane.or_else(|| of_its_name(&record)).expect("every thread has a lane");
        let from_ns = record.start_ns - start_ns;
        let to_ns = from_ns + record.dur_ns;
        let last = last_of_lane[lane].map(|last| &mut calls[last]);
        if let Some(last) = last
            && record.errno.as_deref() == Some("EAGAIN")
            && last.record.errno == record.errno
            && (&last.record.call, last.record.fd) == (&record.call, record.fd)
        {
            (last.to_ns, last.times, last.record) = (to_ns, last.times + 1, record);
            last.took = to_ns - last.from_ns;
            continue;
        }
        last_of_lane[lane] = Some(calls.len());
        let took = record.dur_ns;
        calls.push(Call { lane, from_ns, to_ns, times: 1, state: None, took, record });
    }
    calls
}

/// A note or a call of a ring is a moment; every other call takes a time.
pub(super) fn is_moment(record: &Event) -> bool {
    record.kind != Kind::Call
}
