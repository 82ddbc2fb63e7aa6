//! The timeline: the records of several processes on one clock, and pictures of it.
//!
//! ```text
//! trace files ── read ──▶ records ── Timeline::new ──▶ lanes, calls, arrows ──▶ text · svg · html · md · json
//!                                      sockets: which socket a descriptor was, at each time
//!                                      arrows:  which send a recv took its bytes from
//!                                      rows:    what stands at which height
//!                                      words:   what stands beside it
//! ```
//!
//! All processes of one host read the same CLOCK_MONOTONIC, so their records need no adjustment. What
//! nobody recorded is not drawn: a side without a trace is a lane that says so.

mod arrows;
mod html;
pub mod ink;
mod markdown;
mod on_the_way;
pub mod page;
pub mod read;
mod rows;
pub mod shapes;
mod sockets;
mod svg;
mod text;
mod words;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::Serialize;

pub use arrows::{Arrow, ArrowKind, Tip};
use netplay_record::Moves;
use netplay_record::{Event, Kind};
use netplay_text::lang::Lang;
pub use rows::{Break, Heights, Part, Row, Rows, Time};
pub use words::headline;
use words::in_place;

/// Several processes on one clock: what there is to draw.
#[derive(Debug, Default, Serialize)]
pub struct Timeline {
    /// The start of the first call, in nanoseconds of CLOCK_MONOTONIC; all other times count from here.
    pub start_ns: u64,
    /// From there to the end of the last call.
    pub span_ns: u64,
    /// Servers by their first call, then clients by theirs; sides without a trace stand outside.
    pub lanes: Vec<Lane>,
    /// In the order in which they began.
    pub calls: Vec<Call>,
    /// In the order of the calls they start from.
    pub arrows: Vec<Arrow>,
}

/// A lifeline: a thread of a process.
#[derive(Debug, Clone, Serialize)]
pub struct Lane {
    /// `server`, `server, child 1`, `client A`.
    pub name: String,
    /// `pid 4711`, `thread 4712 of 4711`, `no trace of this side`.
    pub detail: String,
    /// `server`, `client`, or another name that its records give it.
    pub role: String,
    /// The process and the thread; `None` for a side without a trace.
    pub thread: Option<(i32, i32)>,
}

/// A call of a lane, or a run of equal calls that found nothing (EAGAIN); or a note.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// Whose: an index of [`Timeline::lanes`].
    pub lane: usize,
    /// When it began, in nanoseconds from the timeline's start.
    pub from_ns: u64,
    /// When it returned.
    pub to_ns: u64,
    /// How many calls this stands for: more than 1 only where they all answered EAGAIN.
    pub times: u64,
    /// The state of TCP that the socket was seen in after the call, if it was another one before.
    pub state: Option<String>,
    /// The record; of a run, the last one.
    pub record: Event,
}

/// What a picture is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For the terminal.
    Text,
    /// An image.
    Svg,
    /// A page to step through.
    Html,
    /// A Mermaid sequence diagram, for pages on a code host.
    Markdown,
    /// The timeline itself, for programs.
    Json,
}

impl Format {
    /// The format that the suffix of a file's name asks for.
    #[must_use]
    pub fn of(path: &Path) -> Option<Format> {
        Some(match path.extension()?.to_str()? {
            "txt" => Format::Text,
            "svg" => Format::Svg,
            "html" | "htm" => Format::Html,
            "md" => Format::Markdown,
            "json" => Format::Json,
            _ => return None,
        })
    }
}

/// How a picture is to look.
#[derive(Debug, Clone)]
pub struct View {
    /// What stands above it: `netplay select demo`.
    pub title: String,
    /// How heights tell time.
    pub time: Time,
    /// Of text: how many columns there are.
    pub columns: usize,
    /// Of text: whether to keep to ASCII.
    pub ascii: bool,
    /// Of text: whether colours may be used. They only repeat what the words say.
    pub color: bool,
    /// The language of the sentences.
    pub lang: Lang,
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

    /// How long it took, in nanoseconds; waiting included.
    #[must_use]
    pub fn took_ns(&self) -> u64 {
        self.to_ns - self.from_ns
    }
}

impl Timeline {
    /// Puts the records in order and finds out what belongs together. `names` says what to call a
    /// process or a thread; the others are named by their role, in the order of their first calls. Threads of
    /// one name share a lane: they are one side, one after the other.
    #[must_use]
    pub fn new(mut records: Vec<Event>, names: &HashMap<i32, String>) -> Timeline {
        records.sort_by_key(|record| record.start_ns);
        let start_ns = records.first().map_or(0, |record| record.start_ns);
        let mut lanes = lanes(&records, names);
        let calls = calls(records, start_ns, &lanes, names);
        let span_ns = calls.iter().map(|call| call.to_ns).max().unwrap_or_default();
        let mut timeline =
            Timeline { start_ns, span_ns, lanes: Vec::new(), calls, arrows: Vec::new() };
        let sockets = sockets::Sockets::follow(&timeline.calls, &lanes);
        sockets.tell_states(&mut timeline.calls);
        timeline.arrows = arrows::find(&timeline.calls, &mut lanes, sockets);
        timeline.lanes = lanes;
        timeline.with_outsiders_outside()
    }

    /// The picture, whole.
    #[must_use]
    pub fn picture(&self, format: Format, view: &View) -> String {
        match format {
            Format::Text => text::picture(self, view),
            Format::Svg => svg::picture(self, view),
            Format::Html => html::picture(self, view),
            Format::Markdown => markdown::picture(self, view),
            Format::Json => serde_json::to_string_pretty(self).expect("every key is a text") + "\n",
        }
    }

    /// A server without a trace stands left of all others, clients without one stand right: they were
    /// added last.
    fn with_outsiders_outside(mut self) -> Timeline {
        let outside = |lane: &Lane| lane.thread.is_none() && lane.role == "server";
        let Some(at) = self.lanes.iter().position(outside) else { return self };
        let lane = self.lanes.remove(at);
        self.lanes.insert(0, lane);
        let moved = |lane: &mut usize| {
            *lane = match *lane {
                i if i == at => 0,
                i if i < at => i + 1,
                i => i,
            }
        };
        self.calls.iter_mut().for_each(|call| moved(&mut call.lane));
        for arrow in &mut self.arrows {
            [&mut arrow.from, &mut arrow.to]
                .into_iter()
                .flatten()
                .for_each(|tip| moved(&mut tip.lane));
        }
        self
    }
}

/// A side that a process takes part as: most are one, but server and client can be threads of one program.
type Side<'a> = (i32, &'a str);

/// A lane for each thread that is in the records; a thread that speaks for two sides has two.
fn lanes(records: &[Event], given: &HashMap<i32, String>) -> Vec<Lane> {
    let mut threads: Vec<(&str, i32, i32)> = Vec::new();
    let mut known = HashSet::new();
    let mut born: HashMap<(i32, i32), u64> = HashMap::new();
    for record in records {
        if let Some((child, _)) = fork(record) {
            // The second child may be the first that gets to run: they come in the order of their forks.
            born.entry((child, child)).or_insert(record.start_ns);
        }
        let thread = (&*record.role, record.pid, record.tid);
        if known.insert(thread) {
            born.entry((record.pid, record.tid)).or_insert(record.start_ns);
            threads.push(thread);
        }
    }
    threads.sort_by_key(|&(role, pid, tid)| (role != "server", born[&(pid, tid)]));
    let names = side_names(&threads, records, given);
    let mut sides: HashMap<i32, usize> = HashMap::new();
    names.keys().for_each(|&(pid, _)| *sides.entry(pid).or_default() += 1);
    // Where two sides share a process, the first thread of each stands for it.
    let mut led: HashSet<Side<'_>> = threads
        .iter()
        .filter(|(_, pid, tid)| pid == tid)
        .map(|&(role, pid, _)| (pid, role))
        .collect();
    let mut seen: HashMap<Side<'_>, usize> = HashMap::new();
    let mut shared: HashSet<(i32, &String)> = HashSet::new();
    let mut lanes: Vec<Lane> = Vec::new();
    for &(role, pid, tid) in &threads {
        let side = (pid, role);
        let name = if let Some(name) = given.get(&tid) {
            if !shared.insert((pid, name)) {
                continue;
            }
            name.clone()
        } else if tid == pid || sides[&pid] > 1 && led.insert(side) {
            names[&side].clone()
        } else {
            let nth = seen.entry(side).or_default();
            *nth += 1;
            format!("{}, thread {nth}", names[&side])
        };
        let detail =
            if tid == pid { format!("pid {pid}") } else { format!("thread {tid} of {pid}") };
        lanes.push(Lane { name, detail, role: role.to_owned(), thread: Some((pid, tid)) });
    }
    lanes
}

/// What each side is called: its process as `given` or after its parent; or after its role, with a letter
/// for a client and a number for another side that is not the only one.
fn side_names<'a>(
    threads: &[(&'a str, i32, i32)],
    records: &'a [Event],
    given: &HashMap<i32, String>,
) -> HashMap<Side<'a>, String> {
    let parents: HashMap<i32, i32> = records.iter().filter_map(fork).collect();
    // What its main thread speaks as first is a process's own side.
    let mut own: HashMap<i32, &str> = HashMap::new();
    let main = records.iter().filter(|record| record.pid == record.tid);
    for record in main.chain(records) {
        own.entry(record.pid).or_insert(&record.role);
    }
    let mut sides: Vec<Side<'a>> = threads.iter().map(|&(role, pid, _)| (pid, role)).collect();
    let mut known = HashSet::new();
    sides.retain(|&side| known.insert(side));
    let named = |pid| given.contains_key(&pid) || parents.contains_key(&pid);
    let of_role = |wanted| {
        let unnamed =
            |&&(pid, role): &&Side<'_>| role == wanted && !(own[&pid] == role && named(pid));
        sides.iter().filter(unnamed).count()
    };
    let clients = of_role("client");
    let mut names: HashMap<Side<'a>, String> = HashMap::new();
    let (mut children, mut of_roles) = (HashMap::new(), HashMap::new());
    for &(pid, role) in &sides {
        let is_own = own[&pid] == role;
        let name = if let Some(name) = given.get(&pid).filter(|_| is_own) {
            name.clone()
        } else if let Some(parent) = parents.get(&pid).filter(|_| is_own) {
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
fn fork(record: &Event) -> Option<(i32, i32)> {
    let child = record.ret.filter(|&child| child > 0)?;
    (record.what.moves() == Moves::Copies).then_some((child as i32, record.pid))
}

fn calls(
    records: Vec<Event>,
    start_ns: u64,
    lanes: &[Lane],
    names: &HashMap<i32, String>,
) -> Vec<Call> {
    let lane_of: HashMap<((i32, i32), &str), usize> = lanes
        .iter()
        .enumerate()
        .filter_map(|(i, lane)| Some(((lane.thread?, &*lane.role), i)))
        .collect();
    let by_name: HashMap<(i32, &str), usize> = lanes
        .iter()
        .enumerate()
        .rev() // the first of a name counts
        .filter_map(|(i, lane)| Some(((lane.thread?.0, &*lane.name), i)))
        .collect();
    let of_its_name = |record: &Event| {
        let name = names.get(&record.tid)?;
        by_name.get(&(record.pid, &**name)).copied()
    };
    let mut calls: Vec<Call> = Vec::with_capacity(records.len());
    let mut last_of_lane: Vec<Option<usize>> = vec![None; lanes.len()];
    for record in records {
        let lane = lane_of.get(&((record.pid, record.tid), &*record.role)).copied();
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
            continue;
        }
        last_of_lane[lane] = Some(calls.len());
        calls.push(Call { lane, from_ns, to_ns, times: 1, state: None, record });
    }
    calls
}

/// A note or a call of a ring is a moment; every other call takes a time.
fn is_moment(record: &Event) -> bool {
    record.kind != Kind::Call
}
