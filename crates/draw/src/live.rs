//! A page that grows while the programs run: what it shows at each moment, and what is new since another moment.
//!
//! ```text
//! records ── add ─────────────▶ calls at the end, without arrows   a moment later
//!         ── draft, read, take ▶ the whole timeline again          when there is time for it
//!
//! since(place) ──▶ {"calls": {"at": 12, …}, "rows": [20, …], …}: what follows the first 12 calls and 20 rows
//! ```
//!
//! [`Timeline::new`] reads all records, because a later one can change what an earlier one was: a name, an arrow, a lane. That
//! costs the more the longer the run is. So a new call is [added](Live::add) at once with what is known of it alone. Meanwhile
//! another thread reads a [draft](Live::draft) of all the others, and the page [takes](Live::take) what it found. After that
//! it has what a file of the same records would have; a test compares them.
//!
//! Every list of the page is a beginning that stayed and an end that is new. For each change it is remembered how much
//! stayed, so a browser that comes late, or again, is given just what it does not have, and nothing is kept for a browser that
//! does not read.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::calls::is_moment;
use super::growing::Growing;
use super::html::{ArrowData, CallWords, Scale, draw_live};
use super::page_words;
use super::pool::Pool;
use super::rows::{Rows, Span};
use super::words::on_arrow;
use super::{Lane, Time, Timeline, View};
use netplay_record::noise::Noise;
use netplay_record::text::lane_in;
use netplay_record::{Event, Kind, Text};
use netplay_text::lang::Lang;

/// A page that grows.
pub struct Live {
    view: View,
    names: HashMap<i32, String>,
    all: bool,
    records: Vec<Arc<Event>>,
    /// Those that are shown, and are in no timeline that was taken.
    recent: Vec<Arc<Event>>,
    /// The first moment of the timeline, in nanoseconds of CLOCK_MONOTONIC.
    start_ns: u64,
    now: Lists,
    growing: Growing,
    measured: Measured,
    /// How many rows it was measured for.
    measured_for: usize,
    words: Pool,
    /// The words of calls that were told before.
    told: HashMap<Key, CallWords>,
    /// The number of each lane that was ever there. A lane keeps its number.
    numbers: HashMap<Name, u32>,
    /// Where the calls of a thread go.
    threads: HashMap<Thread, u32>,
    noises: HashMap<(u8, i32), Noise>,
    version: u64,
    /// The version that brought the lanes.
    lanes_at: u64,
    kept: [Kept; 3],
    unsettled: bool,
}

/// What the page has.
#[derive(Default, PartialEq)]
struct Lists {
    lanes: Vec<LaneNow>,
    /// The lanes that are there now, from left to right.
    order: Vec<u32>,
    calls: Vec<CallNow>,
    rows: Vec<u32>,
    arrows: Vec<ArrowData>,
    left_out: String,
}

#[derive(Clone, PartialEq, Serialize)]
struct LaneNow {
    name: String,
    detail: String,
    role: &'static str,
    traced: bool,
}

#[derive(Clone, PartialEq)]
struct CallNow {
    lane: u32,
    from_ns: u64,
    to_ns: u64,
    took_ns: u64,
    times: u64,
    failed: bool,
    bytes: i64,
    words: CallWords,
    is_moment: bool,
}

/// All records until now, to be read as one timeline.
pub struct Draft {
    records: Vec<Arc<Event>>,
    /// How many of the recent ones are among them.
    recent: usize,
    names: HashMap<i32, String>,
    all: bool,
    lang: Lang,
}

/// A draft that was read.
pub struct Settled {
    timeline: Timeline,
    /// The word of each arrow.
    words: Vec<String>,
    recent: usize,
}

impl Draft {
    /// Reads it. This takes the longer the more records there are, and needs no page.
    #[must_use]
    pub fn read(self) -> Settled {
        let records = self.records.iter().map(|record| Box::new(Event::clone(record)));
        let timeline = Timeline::new(records.collect(), &self.names);
        let timeline = if self.all { timeline } else { timeline.folded() };
        let arrows = timeline.arrows.iter();
        let words = arrows.map(|arrow| on_arrow(&timeline.calls, arrow, self.lang)).collect();
        Settled { timeline, words, recent: self.recent }
    }
}

/// How heights are measured, and how long all of it took.
#[derive(Default, Serialize)]
struct Measured {
    even: Scale,
    scale: Scale,
    span: u64,
}

/// A call of a thread: the host, the thread and when it began.
type Key = (u8, i32, u64);

/// Host, process, thread and role; for a side without a trace its name.
type Name = (u8, Option<(i32, i32)>, String);

/// Host, process, thread and role.
type Thread = (u8, i32, i32, Text);

/// How much of a list stayed at each change: versions and lengths, both rising.
#[derive(Default)]
struct Kept(Vec<(u64, usize)>);

impl Kept {
    fn change(&mut self, version: u64, kept: usize) {
        while self.0.last().is_some_and(|last| last.1 >= kept) {
            self.0.pop();
        }
        self.0.push((version, kept));
    }

    /// How much has stayed since a version; `None`: all of it.
    fn since(&self, version: u64) -> Option<usize> {
        let after = self.0.partition_point(|change| change.0 <= version);
        self.0.get(after).map(|change| change.1)
    }
}

/// What a browser has: a version, and how many words.
///
/// ```
/// use netplay_draw::live::Place;
/// assert_eq!(Place::read("12.345").unwrap().to_string(), "12.345");
/// assert!(Place::read("12").is_none());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    version: u64,
    words: usize,
}

impl Place {
    /// Reads what [`Display`](std::fmt::Display) wrote.
    #[must_use]
    pub fn read(text: &str) -> Option<Place> {
        let (version, words) = text.split_once('.')?;
        Some(Place { version: version.parse().ok()?, words: words.parse().ok()? })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.version, self.words)
    }
}

impl Live {
    /// A page without calls. `names` are those of [`Timeline::new`]; without `all` it leaves out what a
    /// [picture leaves out](Timeline::folded).
    #[must_use]
    pub fn new(view: View, names: HashMap<i32, String>, all: bool) -> Live {
        let mut words = Pool::default();
        words.number("");
        Live {
            view,
            names,
            all,
            words,
            records: Vec::new(),
            recent: Vec::new(),
            start_ns: 0,
            now: Lists::default(),
            growing: Growing::default(),
            measured: Measured::default(),
            measured_for: 0,
            told: HashMap::new(),
            numbers: HashMap::new(),
            threads: HashMap::new(),
            noises: HashMap::new(),
            version: 1,
            lanes_at: 1,
            kept: Default::default(),
            unsettled: false,
        }
    }

    /// Says what to call a process, before its first record.
    pub fn name(&mut self, pid: i32, name: &str) {
        self.names.insert(pid, name.to_owned());
    }

    /// How many records it has.
    #[must_use]
    pub fn records(&self) -> usize {
        self.records.len()
    }

    /// Whether something was added that is not settled.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// What a browser has that has everything.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { version: self.version, words: self.words.len() }
    }

    /// The language of its words.
    #[must_use]
    pub fn lang(&self) -> Lang {
        self.view.lang
    }

    /// The start of the first call, in nanoseconds of CLOCK_MONOTONIC, once there is one.
    #[must_use]
    pub fn start_ns(&self) -> Option<u64> {
        (!self.now.calls.is_empty()).then_some(self.start_ns)
    }

    /// What a thread is called on the page.
    #[must_use]
    pub fn name_of(&self, pid: i32, tid: i32) -> Option<&str> {
        let number = self.threads.iter().find(|(of, _)| of.1 == pid && of.2 == tid)?.1;
        self.now.lanes.get(*number as usize).map(|lane| lane.name.as_str())
    }

    /// Adds records. A call of a thread that has a lane is on the page at once; says whether there is one without.
    pub fn add(&mut self, records: impl IntoIterator<Item = Event>) -> bool {
        let calls = self.now.calls.len();
        let mut without = false;
        for record in records {
            self.unsettled = true;
            let heard = !self.all
                && &*record.example == "watch"
                && self
                    .noises
                    .entry((record.host, record.pid))
                    .or_default()
                    .hear(&record, self.view.lang)
                    .this
                    .is_none();
            let record = Arc::new(record);
            self.records.push(Arc::clone(&record));
            if !heard && record.errno.as_deref() != Some("EAGAIN") {
                without |= !self.show(&record);
                self.recent.push(record);
            }
        }
        if self.now.calls.len() > calls {
            self.version += 1;
            self.kept[0].change(self.version, calls);
            self.grow();
        }
        without
    }

    /// Puts a record at the end of the calls, if its thread has a lane.
    fn show(&mut self, record: &Event) -> bool {
        let thread = (record.host, record.pid, record.tid, record.role.clone());
        let lane = self.threads.get(&thread).filter(|_| record.start_ns >= self.start_ns);
        let Some(&lane) = lane else { return false };
        let call = self.provisional(record, lane);
        self.now.calls.push(call);
        true
    }

    /// A call of which only its record is known.
    fn provisional(&mut self, record: &Event, lane: u32) -> CallNow {
        let from_ns = record.start_ns - self.start_ns;
        let words = self.words_of(record, None);
        CallNow {
            lane,
            from_ns,
            to_ns: from_ns + record.dur_ns,
            took_ns: record.dur_ns,
            times: 1,
            failed: record.ret == Some(-1) && !record.is_ordinary(),
            bytes: record.bytes.map_or(-1, |bytes| bytes as i64),
            words,
            is_moment: is_moment(record),
        }
    }

    fn words_of(&mut self, record: &Event, state: Option<&str>) -> CallWords {
        let state = self.words.number(state.unwrap_or_default());
        // Two notes, or two answers of a ring, may be of the same moment.
        if record.kind != Kind::Call {
            return CallWords {
                state,
                ..CallWords::of(record, None, &mut self.words, self.view.lang)
            };
        }
        let (words, lang) = (&mut self.words, self.view.lang);
        let told = self
            .told
            .entry((record.host, record.tid, record.start_ns))
            .or_insert_with(|| CallWords::of(record, None, words, lang));
        CallWords { state, ..*told }
    }

    /// All records until now, for a thread that has the time to read them.
    #[must_use]
    pub fn draft(&mut self) -> Draft {
        self.unsettled = false;
        Draft {
            records: self.records.clone(),
            recent: self.recent.len(),
            names: self.names.clone(),
            all: self.all,
            lang: self.view.lang,
        }
    }

    /// Reads all records again, and takes what it found.
    pub fn settle(&mut self) {
        let draft = self.draft();
        self.take(draft.read());
    }

    /// Takes the last draft, now that it was read: the page has what a file of those records would have, and behind it what was
    /// added since.
    pub fn take(&mut self, settled: Settled) {
        let Settled { timeline, words, recent } = settled;
        self.recent.drain(..recent);
        self.start_ns = timeline.start_ns;
        let numbers: Vec<u32> = timeline.lanes.iter().map(|lane| self.number(lane)).collect();
        let mut lanes = self.now.lanes.clone();
        for (lane, &number) in timeline.lanes.iter().zip(&numbers) {
            let told = |text: &str| lane_in(text, self.view.lang);
            let lane = LaneNow {
                name: told(&lane.name),
                detail: told(&lane.detail),
                role: lane.acts.color(),
                traced: lane.thread.is_some(),
            };
            match lanes.get_mut(number as usize) {
                Some(place) => *place = lane,
                None => lanes.push(lane),
            }
        }
        let mut calls: Vec<CallNow> = Vec::with_capacity(timeline.calls.len());
        self.threads.clear();
        for call in &timeline.calls {
            let record = &*call.record;
            let lane = numbers[call.lane];
            let thread = (record.host, record.pid, record.tid, record.role.clone());
            self.threads.insert(thread, lane);
            let words = self.words_of(record, call.state.as_deref());
            calls.push(CallNow {
                lane,
                from_ns: call.from_ns,
                to_ns: call.to_ns,
                took_ns: call.took_ns(),
                times: call.times,
                failed: call.failed(),
                bytes: record.bytes.map_or(-1, |bytes| bytes as i64),
                words,
                is_moment: is_moment(record),
            });
        }
        let mut arrows = Vec::with_capacity(timeline.arrows.len());
        for (arrow, word) in timeline.arrows.iter().zip(&words) {
            let word = self.words.number(word);
            arrows.push(ArrowData::of(arrow, word).with_lanes(|lane| numbers[lane]));
        }
        self.version += 1;
        let left_out = timeline.left_out.in_words(self.view.lang).unwrap_or_default();
        if (&lanes, &numbers, &left_out) != (&self.now.lanes, &self.now.order, &self.now.left_out) {
            (self.now.lanes, self.now.order, self.now.left_out) = (lanes, numbers, left_out);
            self.lanes_at = self.version;
        }
        let before = std::mem::replace(&mut self.now.calls, calls);
        let later = std::mem::take(&mut self.recent);
        for record in &later {
            self.show(record);
        }
        self.recent = later;
        if let Some(kept) = differ(&before, &self.now.calls) {
            self.kept[0].change(self.version, kept);
        }
        if let Some(kept) = differ(&self.now.arrows, &arrows) {
            self.kept[2].change(self.version, kept);
        }
        self.now.arrows = arrows;
        self.stand();
    }

    /// The number of a lane, which is a new one for a new lane.
    fn number(&mut self, lane: &Lane) -> u32 {
        let named = if lane.thread.is_some() { &lane.role } else { &lane.name };
        let next = self.numbers.len() as u32;
        *self.numbers.entry((lane.host, lane.thread, named.clone())).or_insert(next)
    }

    /// Finds the rows of all calls.
    fn stand(&mut self) {
        let rows = Rows::of_spans(&self.now.calls.iter().map(CallNow::span).collect::<Vec<_>>());
        self.growing = Growing::of(&rows);
        self.measure();
        let rows: Vec<u32> = rows.rows.iter().map(|row| row.call as u32).collect();
        if let Some(kept) = differ(&self.now.rows, &rows) {
            self.kept[1].change(self.version, kept);
        }
        self.now.rows = rows;
    }

    /// Finds the rows of the last calls.
    fn grow(&mut self) {
        let calls = &self.now.calls;
        let known = self.growing.calls();
        let stays = self.growing.grow(calls.len(), |call| calls[call].span());
        let span = calls[known..].iter().map(|call| call.to_ns).max().unwrap_or_default();
        self.measured.span = self.measured.span.max(span);
        let rows = &self.growing.rows()[stays..];
        let rows: Vec<u32> = rows.iter().map(|row| row.call as u32).collect();
        if let Some(kept) = differ(&self.now.rows[stays..], &rows) {
            self.kept[1].change(self.version, stays + kept);
        }
        self.now.rows.truncate(stays);
        self.now.rows.extend(rows);
        // A few rows more change little of what is measured.
        if self.now.rows.len() > self.measured_for + self.measured_for / 8 {
            self.measure();
        }
    }

    fn measure(&mut self) {
        let rows = self.growing.rows();
        let [even, scale] = [Time::Even, Time::True].map(|time| Scale::of(rows, time));
        self.measured_for = rows.len();
        let span = self.now.calls.iter().map(|call| call.to_ns).max().unwrap_or_default();
        self.measured = Measured { even, scale, span };
    }

    /// What is new since a browser had this, as one line of JSON; and what it has then. `None`: nothing.
    #[must_use]
    pub fn since(&self, place: Place) -> Option<(String, Place)> {
        // What this page never gave out is what it does not know: then everything is new.
        let place = match place.version > self.version || place.words > self.words.len() {
            true => Place::default(),
            false => place,
        };
        if place == self.place() {
            return None;
        }
        let (words, since) = (place.words, |list: usize| self.kept[list].since(place.version));
        let mut new = self.measures();
        new.insert("words".into(), json!([words, self.words.from(words)]));
        if let Some(at) = since(0) {
            new.insert("calls".into(), self.calls_from(at));
        }
        if let Some(at) = since(1) {
            new.insert("rows".into(), json!([at, self.now.rows[at..]]));
        }
        if let Some(at) = since(2) {
            new.insert("arrows".into(), json!([at, self.now.arrows[at..]]));
        }
        if self.lanes_at > place.version {
            self.tell_lanes(&mut new);
        }
        Some((Value::Object(new).to_string(), self.place()))
    }

    fn measures(&self) -> Map<String, Value> {
        let Value::Object(all) = json!(self.measured) else { unreachable!("it is a struct") };
        all
    }

    fn tell_lanes(&self, new: &mut Map<String, Value>) {
        new.insert("lanes".into(), json!(self.now.lanes));
        new.insert("order".into(), json!(self.now.order));
        new.insert("left_out".into(), json!(self.now.left_out));
    }

    /// The calls from this one on, a column for each thing to know of them.
    fn calls_from(&self, at: usize) -> Value {
        fn column<T: Serialize>(calls: &[CallNow], of: impl Fn(&CallNow) -> T) -> Value {
            json!(calls.iter().map(of).collect::<Vec<_>>())
        }
        let calls = &self.now.calls[at..];
        json!({
            "at": at,
            "lane": column(calls, |call| call.lane),
            "from": column(calls, |call| call.from_ns),
            "took": column(calls, |call| call.took_ns),
            "times": column(calls, |call| call.times),
            "failed": column(calls, |call| u8::from(call.failed)),
            "name": column(calls, |call| call.words.name),
            "asked": column(calls, |call| call.words.asked),
            "answered": column(calls, |call| call.words.answered),
            "sentence": column(calls, |call| call.words.sentence),
            "strace": column(calls, |call| call.words.strace),
            "errno": column(calls, |call| call.words.errno),
            "state": column(calls, |call| call.words.state),
            "data": column(calls, |call| call.words.data),
            "bytes": column(calls, |call| call.bytes),
        })
    }

    /// Everything that the page has now, as page.js reads it.
    fn whole(&self) -> Value {
        let mut all = self.measures();
        all.insert("title".into(), json!(self.view.title));
        all.insert("say".into(), json!(page_words::of_script(self.view.lang)));
        all.insert("to_scale".into(), json!(self.view.time == Time::True));
        all.insert("marks".into(), json!([]));
        all.insert("words".into(), json!(self.words));
        let mut calls = self.calls_from(0);
        calls.as_object_mut().expect("columns").remove("at");
        all.insert("calls".into(), calls);
        all.insert("rows".into(), json!(self.now.rows));
        all.insert("arrows".into(), json!(self.now.arrows));
        self.tell_lanes(&mut all);
        all.insert("live".into(), json!(self.place().to_string()));
        Value::Object(all)
    }

    /// Writes the page as it is now; its script then asks for `events?after=PLACE`, beside it, and shows them. Says what else
    /// may not be loaded: the page's Content-Security-Policy, which belongs into a header as well.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn draw(&self, to: &mut dyn Write) -> io::Result<()> {
        draw_live(&self.whole(), &self.view, to)
    }
}

impl CallNow {
    fn span(&self) -> Span {
        let CallNow { from_ns, to_ns, took_ns, is_moment, .. } = *self;
        Span { from_ns, to_ns, took_ns, is_moment }
    }
}

/// How much two lists have in common at the beginning; `None`: all.
fn differ<T: PartialEq>(before: &[T], now: &[T]) -> Option<usize> {
    let same = before.iter().zip(now).take_while(|(before, now)| before == now).count();
    (same < before.len() || same < now.len()).then_some(same)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::html::data;
    use super::*;
    use crate::read::read;

    /// What a browser has, which hears of the page now and then.
    struct Browser {
        place: Place,
        has: Map<String, Value>,
    }

    impl Browser {
        fn new() -> Browser {
            let Value::Object(has) = json!({ "words": [], "calls": {}, "rows": [], "arrows": [] })
            else {
                unreachable!()
            };
            Browser { place: Place::default(), has }
        }

        fn hear(&mut self, live: &Live) {
            let Some((news, place)) = live.since(self.place) else { return };
            self.place = place;
            let Value::Object(mut news) = serde_json::from_str(&news).unwrap() else { panic!() };
            for list in ["words", "rows", "arrows"] {
                let Some(Value::Array(new)) = news.remove(list) else { continue };
                let at = new[0].as_u64().unwrap() as usize;
                refill(self.has.entry(list).or_insert(json!([])), at, &new[1]);
            }
            if let Some(Value::Object(mut calls)) = news.remove("calls") {
                let at = calls.remove("at").unwrap().as_u64().unwrap() as usize;
                let has = self.has.entry("calls").or_insert(json!({}));
                for (column, new) in &calls {
                    let column = has.as_object_mut().unwrap().entry(column).or_insert(json!([]));
                    refill(column, at, new);
                }
            }
            self.has.extend(news);
        }
    }

    fn refill(list: &mut Value, at: usize, new: &Value) {
        let list = list.as_array_mut().unwrap();
        assert!(at <= list.len(), "{at} of {}", list.len());
        list.truncate(at);
        list.extend(new.as_array().unwrap().iter().cloned());
    }

    /// Calls, rows and arrows with texts in the place of numbers, and lanes by their names.
    fn told(page: &Map<String, Value>) -> Value {
        let list = |of: &Value| of.as_array().cloned().unwrap_or_default();
        let words = list(&page["words"]);
        let text = |n: &Value| words[n.as_u64().unwrap() as usize].clone();
        let lanes = list(&page["lanes"]);
        let lane = |n: &Value| match n.as_i64() {
            Some(-1) => Value::Null,
            Some(n) => lanes[n as usize].clone(),
            None => panic!("{n}"),
        };
        let mut calls = Map::new();
        for (column, of) in page["calls"].as_object().unwrap() {
            let of = list(of);
            let told: Vec<Value> = match column.as_str() {
                "lane" => of.iter().map(lane).collect(),
                "from" | "took" | "times" | "failed" | "bytes" => of,
                "at" => continue,
                _ => of.iter().map(text).collect(),
            };
            calls.insert(column.clone(), told.into());
        }
        let arrow = |arrow: &Value| {
            let ends = &arrow[1];
            json!([
                arrow[0],
                lane(&ends[0]),
                ends[1],
                lane(&ends[2]),
                ends[3],
                arrow[2],
                text(&arrow[3])
            ])
        };
        let arrows: Vec<Value> = list(&page["arrows"]).iter().map(arrow).collect();
        let order: Vec<Value> = match page.get("order") {
            Some(order) => list(order).iter().map(lane).collect(),
            None => lanes.clone(),
        };
        json!([calls, page["rows"], arrows, order, page["span"]])
    }

    /// Records as they come: by the moment at which their calls returned.
    fn records(trace: &str) -> Vec<Event> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/draw").join(trace);
        let mut records: Vec<Event> =
            read(&[path]).unwrap().records.into_iter().map(|record| *record).collect();
        records.sort_by_key(|record| record.start_ns + record.dur_ns);
        records
    }

    fn view() -> View {
        let (title, time, lang) = ("a run".to_owned(), Time::Even, netplay_text::lang::Lang::En);
        View { title, time, columns: 80, ascii: false, color: false, lang }
    }

    fn traces() -> Vec<String> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/draw");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let names = names.map(|name| name.into_string().unwrap());
        names.filter(|name| name.ends_with(".jsonl")).collect()
    }

    #[test]
    fn in_the_end_the_page_has_what_a_file_has_however_it_was_told() {
        assert!(traces().len() > 1);
        for trace in traces() {
            let records = records(&trace);
            for (batch, settles_each) in [(1, 1), (1, 3), (3, 2), (7, 1000), (1000, 1)] {
                let mut live = Live::new(view(), HashMap::new(), false);
                // One hears of everything, one seldom, one only in the end.
                let [mut all, mut some, mut late] = [(); 3].map(|()| Browser::new());
                let mut reading = None;
                for (nth, records) in records.chunks(batch).enumerate() {
                    live.add(records.to_vec());
                    all.hear(&live);
                    // A draft is read while more records come, or at once.
                    if nth % settles_each == 0 {
                        if let Some(draft) = reading.take() {
                            live.take(Draft::read(draft));
                            all.hear(&live);
                        }
                        match nth % 2 {
                            0 => live.settle(),
                            _ => reading = Some(live.draft()),
                        }
                        all.hear(&live);
                    }
                    if nth % 5 == 0 {
                        some.hear(&live);
                    }
                }
                if let Some(draft) = reading.take() {
                    live.take(Draft::read(draft));
                }
                live.settle();
                let timeline = Timeline::new(records.clone(), &HashMap::new()).folded();
                let timeline = timeline.told_in(netplay_text::lang::Lang::En);
                let Value::Object(file) = data(&timeline, &view()) else { panic!() };
                let file = told(&file);
                for (browser, of) in [(&mut all, "all"), (&mut some, "some"), (&mut late, "late")] {
                    browser.hear(&live);
                    assert!(live.since(browser.place).is_none());
                    assert_eq!(told(&browser.has), file, "{trace}, {batch} records at once, {of}");
                }
                let Value::Object(whole) = live.whole() else { panic!() };
                assert_eq!(told(&whole), file, "{trace}: a page that is opened in the end");
            }
        }
    }

    #[test]
    fn a_place_of_another_run_is_no_place() {
        let mut live = Live::new(view(), HashMap::new(), false);
        live.add(records(&traces()[0]));
        live.settle();
        let everything = live.since(Place::default()).unwrap();
        assert_eq!(live.since(Place { version: 1 << 40, words: 7 }).unwrap(), everything);
        assert!(live.since(live.place()).is_none());
    }
}
