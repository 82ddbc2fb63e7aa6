//! The timeline for Perfetto (ui.perfetto.dev): a trace of `TrackEvent`s, which its tools can also be asked about in SQL.
//!
//! ```text
//! process   a process of the records                       TrackDescriptor
//!   thread  a track: each call is a slice                  TrackDescriptor, SLICE_BEGIN … SLICE_END
//!             a wait of a millisecond or more is a slice within it
//!             notes, submissions and completions are instants
//! flow      an arrow: from the beginning of the call that caused it to the end of the call that it reached
//! ```
//!
//! Times are those of CLOCK_MONOTONIC. What only one end has seen is no flow.
//!
//! The format is protobuf. Of Perfetto's thousands of messages these few are written out here, with the numbers that
//! protos/perfetto/trace/*.proto of Perfetto gives to their fields; prost encodes them.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};

use prost::Message;

use super::calls::{Process, host_name, is_moment, process};
use super::rows::LONG_NS;
use super::words::on_arrow;
use super::{Arrow, Call, Timeline, View};
use netplay_record::Kind;
use netplay_text::lang::Lang;
use netplay_text::words::grouped;

/// The writer of all packets: names of tracks and slices are told to it alone.
const SEQUENCE: u32 = 1;

/// The first packet of a sequence says that nothing before it counts.
const STATE_CLEARED: u32 = 1;

/// `TracePacket` is field 1 of the message `Trace`.
const PACKET: u32 = 1;

/// What a packet says of a track.
const SLICE_BEGIN: i32 = 1;
const SLICE_END: i32 = 2;
const INSTANT: i32 = 3;

#[derive(Clone, PartialEq, Message)]
struct TracePacket {
    #[prost(uint64, optional, tag = "8")]
    timestamp: Option<u64>,
    #[prost(uint32, tag = "10")]
    trusted_packet_sequence_id: u32,
    #[prost(message, optional, tag = "11")]
    track_event: Option<TrackEvent>,
    #[prost(uint32, optional, tag = "13")]
    sequence_flags: Option<u32>,
    #[prost(message, optional, tag = "60")]
    track_descriptor: Option<TrackDescriptor>,
}

#[derive(Clone, PartialEq, Message)]
struct TrackDescriptor {
    #[prost(uint64, tag = "1")]
    uuid: u64,
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
    #[prost(message, optional, tag = "3")]
    process: Option<ProcessDescriptor>,
    #[prost(message, optional, tag = "4")]
    thread: Option<ThreadDescriptor>,
    #[prost(uint64, optional, tag = "5")]
    parent_uuid: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct ProcessDescriptor {
    #[prost(int32, tag = "1")]
    pid: i32,
    #[prost(string, tag = "6")]
    process_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct ThreadDescriptor {
    #[prost(int32, tag = "1")]
    pid: i32,
    #[prost(int32, tag = "2")]
    tid: i32,
    #[prost(string, tag = "5")]
    thread_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct TrackEvent {
    #[prost(message, repeated, tag = "4")]
    debug_annotations: Vec<DebugAnnotation>,
    #[prost(int32, tag = "9")]
    r#type: i32,
    #[prost(uint64, tag = "11")]
    track_uuid: u64,
    #[prost(string, repeated, tag = "22")]
    categories: Vec<String>,
    #[prost(string, optional, tag = "23")]
    name: Option<String>,
    #[prost(fixed64, repeated, packed = "false", tag = "47")]
    flow_ids: Vec<u64>,
    #[prost(fixed64, repeated, packed = "false", tag = "48")]
    terminating_flow_ids: Vec<u64>,
}

/// Something known of a slice: Perfetto shows it below the slice, and has it in the table `args`.
#[derive(Clone, PartialEq, Message)]
struct DebugAnnotation {
    #[prost(int64, optional, tag = "4")]
    int_value: Option<i64>,
    #[prost(string, optional, tag = "6")]
    string_value: Option<String>,
    #[prost(string, tag = "10")]
    name: String,
}

/// Writes the trace.
pub(super) fn draw(timeline: &Timeline, view: &View, to: &mut dyn Write) -> io::Result<()> {
    let tracks = Tracks::of(timeline);
    let mut to = BufWriter::new(to);
    let mut bytes = Vec::new();
    for (nth, track) in tracks.descriptors.iter().enumerate() {
        let packet = TracePacket {
            trusted_packet_sequence_id: SEQUENCE,
            sequence_flags: (nth == 0).then_some(STATE_CLEARED),
            track_descriptor: Some(track.clone()),
            ..TracePacket::default()
        };
        write(&packet, &mut bytes, &mut to)?;
    }
    let flows = Flows::of(timeline);
    let mut moments = moments(&timeline.calls);
    moments.sort_by_key(|moment| moment.at_ns);
    for moment in moments {
        let call = &timeline.calls[moment.call];
        let mut event = TrackEvent {
            r#type: moment.r#type,
            track_uuid: tracks.of_call(call),
            ..TrackEvent::default()
        };
        match moment.part {
            Part::Call => flows.add_to(moment.call, &mut event),
            Part::Wait => {}
        }
        if moment.r#type != SLICE_END {
            name(&mut event, call, moment.part, view.lang);
        }
        if moment.part == Part::Call && moment.r#type != SLICE_BEGIN {
            event.debug_annotations.extend(flows.arrived(moment.call, timeline, view.lang));
        }
        let packet = TracePacket {
            timestamp: Some(timeline.start_ns + moment.at_ns),
            trusted_packet_sequence_id: SEQUENCE,
            track_event: Some(event),
            ..TracePacket::default()
        };
        write(&packet, &mut bytes, &mut to)?;
    }
    to.flush()
}

/// A packet of the file: it is read while the rest of it still comes.
fn write(packet: &TracePacket, bytes: &mut Vec<u8>, to: &mut impl Write) -> io::Result<()> {
    bytes.clear();
    prost::encoding::message::encode(PACKET, packet, bytes);
    to.write_all(bytes)
}

/// A beginning or an end on a track.
struct Moment {
    at_ns: u64,
    call: usize,
    r#type: i32,
    part: Part,
}

/// What a slice is.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Call,
    /// The wait of a call, within it.
    Wait,
}

/// Those of a track stand in the order in which they happened, also within one nanosecond.
fn moments(calls: &[Call]) -> Vec<Moment> {
    let mut moments = Vec::with_capacity(2 * calls.len());
    for (i, call) in calls.iter().enumerate() {
        let mut add = |at_ns, r#type, part| moments.push(Moment { at_ns, call: i, r#type, part });
        if is_moment(&call.record) {
            add(call.to_ns, INSTANT, Part::Call);
            continue;
        }
        let waits = call.record.is_wait() && call.took_ns() >= LONG_NS;
        // A slice without an end is a call that had not returned.
        let returned = !call.record.is_unfinished();
        add(call.from_ns, SLICE_BEGIN, Part::Call);
        if waits {
            add(call.from_ns, SLICE_BEGIN, Part::Wait);
        }
        if waits && returned {
            add(call.to_ns, SLICE_END, Part::Wait);
        }
        if returned {
            add(call.to_ns, SLICE_END, Part::Call);
        }
    }
    moments
}

/// What a slice is called, and what is known of it.
fn name(event: &mut TrackEvent, call: &Call, part: Part, lang: Lang) {
    let record = &call.record;
    if part == Part::Wait {
        event.name = Some(lang.pick("waits", "等待").to_owned());
        event.categories = vec!["wait".to_owned()];
        return;
    }
    let note = record.kind == Kind::Note;
    let (category, name) = match record.kind {
        Kind::Note => ("note", record.asked(lang)),
        Kind::Submit => ("ring", format!("submit {}", call.name())),
        Kind::Complete => ("ring", format!("complete {}", call.name())),
        Kind::Call if call.failed() => ("failed", call.name().to_owned()),
        Kind::Call => ("call", call.name().to_owned()),
    };
    event.name = Some(name);
    event.categories = vec![category.to_owned()];
    let sentence = (!note).then(|| record.sentence(lang));
    let strace = (!note).then(|| record.strace());
    let times = (call.times > 1).then(|| grouped(call.times));
    let text = |text: &Option<netplay_record::Text>| text.as_deref().map(str::to_owned);
    let texts = [
        ("sentence", sentence),
        ("strace", strace),
        ("times", times),
        ("local", text(&record.local)),
        ("peer", text(&record.peer)),
        ("errno", text(&record.errno)),
        ("state", text(&record.state)),
    ];
    let numbers = [
        ("fd", record.fd.map(i64::from)),
        ("bytes", record.bytes.and_then(|bytes| i64::try_from(bytes).ok())),
        ("ret", record.ret),
    ];
    let texts = texts.into_iter().filter_map(|(name, value)| Some(told(name, value?)));
    let numbers = numbers.into_iter().filter_map(|(name, value)| {
        Some(DebugAnnotation {
            int_value: Some(value?),
            name: name.to_owned(),
            ..DebugAnnotation::default()
        })
    });
    event.debug_annotations = texts.chain(numbers).collect();
}

fn told(name: &str, value: String) -> DebugAnnotation {
    DebugAnnotation {
        string_value: Some(value),
        name: name.to_owned(),
        ..DebugAnnotation::default()
    }
}

/// A thread of a process of a host.
type Thread = (Process, i32);

/// A track for each thread, under one for its process.
#[derive(Default)]
struct Tracks {
    descriptors: Vec<TrackDescriptor>,
    of_threads: HashMap<Thread, u64>,
}

impl Tracks {
    fn of(timeline: &Timeline) -> Tracks {
        let mut tracks = Tracks::default();
        let mut of_processes: HashMap<Process, u64> = HashMap::new();
        // In the order of the lanes, as in a picture.
        let mut calls: Vec<&Call> = timeline.calls.iter().collect();
        calls.sort_by_key(|call| call.lane);
        for call in calls {
            let thread = thread_of(call);
            if tracks.of_threads.contains_key(&thread) {
                continue;
            }
            let ((host, pid), tid) = thread;
            let name = &timeline.lanes[call.lane].name;
            let process = *of_processes.entry((host, pid)).or_insert_with(|| {
                // Numbers of processes are those of one host: a track of another has a name only.
                let process = ProcessDescriptor { pid, process_name: name.clone() };
                tracks.add(TrackDescriptor {
                    process: (host == 0).then_some(process),
                    name: (host > 0).then(|| format!("{name}, host {}", host_name(host))),
                    ..TrackDescriptor::default()
                })
            });
            let thread_name = name.clone();
            let uuid = tracks.add(TrackDescriptor {
                name: (host > 0).then(|| thread_name.clone()),
                thread: (host == 0).then_some(ThreadDescriptor { pid, tid, thread_name }),
                parent_uuid: Some(process),
                ..TrackDescriptor::default()
            });
            tracks.of_threads.insert(thread, uuid);
        }
        tracks
    }

    /// Its number is its place, counted from 1.
    fn add(&mut self, track: TrackDescriptor) -> u64 {
        let uuid = self.descriptors.len() as u64 + 1;
        self.descriptors.push(TrackDescriptor { uuid, ..track });
        uuid
    }

    fn of_call(&self, call: &Call) -> u64 {
        self.of_threads[&thread_of(call)]
    }
}

fn thread_of(call: &Call) -> Thread {
    (process(&call.record), call.record.tid)
}

/// The flows of each call, as indices of arrows.
#[derive(Default)]
struct Flows {
    out: HashMap<usize, Vec<usize>>,
    into: HashMap<usize, Vec<usize>>,
}

impl Flows {
    fn of(timeline: &Timeline) -> Flows {
        let mut flows = Flows::default();
        for (i, arrow) in timeline.arrows.iter().enumerate() {
            let call = |tip: Option<super::Tip>| tip.and_then(|tip| tip.call);
            if let (Some(from), Some(to)) = (call(arrow.from), call(arrow.to)) {
                flows.out.entry(from).or_default().push(i);
                flows.into.entry(to).or_default().push(i);
            }
        }
        flows
    }

    /// A flow sets out where its call begins, and arrives where the other returns: an instant does both.
    fn add_to(&self, call: usize, event: &mut TrackEvent) {
        let of = |flows: &HashMap<usize, Vec<usize>>| -> Vec<u64> {
            flows.get(&call).into_iter().flatten().map(|&arrow| arrow as u64 + 1).collect()
        };
        if event.r#type != SLICE_END {
            event.flow_ids = of(&self.out);
        }
        if event.r#type != SLICE_BEGIN {
            event.terminating_flow_ids = of(&self.into);
        }
    }

    /// What the flows bring that arrive at a call.
    fn arrived(&self, call: usize, timeline: &Timeline, lang: Lang) -> Option<DebugAnnotation> {
        let word = |&arrow: &usize| -> String {
            let arrow: &Arrow = &timeline.arrows[arrow];
            on_arrow(&timeline.calls, arrow, lang)
        };
        let words: Vec<String> = self.into.get(&call)?.iter().map(word).collect();
        Some(told("arrived", words.join(", ")))
    }
}
