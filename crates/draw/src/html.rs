//! The timeline as one page to step through: nothing but this file is needed, and nothing is fetched.
//!
//! ```text
//! page.html   what stands where, with a {{mark}} for each part below
//! page.css    how it looks, in the colours of every picture
//! page.js     what it does; it builds only what is in view
//! page_words  what both say, in each language
//! a preface   what stands above the timeline, where a page says why it is shown
//! the trace   as JSON, in a block that no browser runs
//! live_….…    what a page has in addition that grows (live.rs)
//! ```
//!
//! What a peer sent is in the JSON, with every `<` written `\u003c`, and becomes text and only text.

use std::io::{self, BufWriter, Write};

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::page::{self, Page, fill};
use super::page_words;
use super::pool::Pool;
use super::preface::Preface;
use super::rows::Row;
use super::words::{in_place, on_arrow};
use super::{Arrow, ArrowKind, Call, Rows, Time, Timeline, View, headline};
use crate::ink;
use netplay_record::{Event, Kind, Text, error_in_words};
use netplay_text::escape::markup;
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_text::words::{duration, grouped};

const BODY: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const LIVE_STATE: &str = include_str!("live_state.html");
const LIVE_SOCKETS: &str = include_str!("live_sockets.html");
const LIVE_STYLE: &str = include_str!("live.css");
const LIVE_SCRIPT: &str = include_str!("live.js");

/// Without its script the page is a table, up to so many calls.
const TABLE: usize = 500;

/// Stands before a call that the preface speaks of; page.js writes the same.
const MARK: &str = "◆ ";

pub(super) fn draw(
    timeline: &Timeline,
    view: &View,
    preface: &Preface,
    to: &mut dyn Write,
) -> io::Result<()> {
    let left_out = timeline.left_out.in_words(view.lang);
    let left_out = left_out.map(|said| format!(" <small>{}</small>", markup(&said)));
    let body = |to: &mut dyn Write| {
        fill(BODY, to, |mark, to| match mark {
            "left out" => to.write_all(left_out.as_deref().unwrap_or_default().as_bytes()),
            "preface" => to.write_all(preface.html.as_bytes()),
            "script" => to.write_all(SCRIPT.as_bytes()),
            "trace" => tell(&Data::of(timeline, view, &preface.marks), to),
            "table" => to.write_all(table(timeline, view.lang, &preface.marks).as_bytes()),
            "state" | "sockets" => Ok(()),
            mark => of_both(mark, view, to),
        })
    };
    let style = ink::variables() + STYLE;
    let (title, script, lang) = (&view.title, Some(SCRIPT), view.lang);
    Page { title, style: &style, body: &body, script, asks: "", lang }.write(to)
}

/// A page that asks for more. Its parts are those of the other, and the ones that [`Live`](super::live::Live) needs.
pub(super) fn draw_live(data: &impl Serialize, view: &View, to: &mut dyn Write) -> io::Result<()> {
    // Both are one script, and know each other's names.
    let script = SCRIPT.replace("\n  // ---- live ----\n", LIVE_SCRIPT);
    let words = |mark: &str, to: &mut dyn Write| of_both(mark, view, to);
    let body = |to: &mut dyn Write| {
        fill(BODY, to, |mark, to| match mark {
            "left out" => to.write_all(b" <small id=\"left-out\"></small>"),
            "script" => to.write_all(script.as_bytes()),
            "trace" => tell(data, to),
            "table" => words("say needs-script", to),
            "preface" => Ok(()),
            "state" => fill(LIVE_STATE, to, words),
            "sockets" => fill(LIVE_SOCKETS, to, words),
            mark => words(mark, to),
        })
    };
    let style = ink::variables() + STYLE + LIVE_STYLE;
    let (title, script, lang) = (&view.title, Some(&*script), view.lang);
    let asks = " connect-src 'self';";
    Page { title, style: &style, body: &body, script, asks, lang }.write(to)
}

/// The parts that both kinds of pages have: the title, and words.
fn of_both(mark: &str, view: &View, to: &mut dyn Write) -> io::Result<()> {
    let text = match mark.strip_prefix("say ") {
        Some(key) => page_words::of_page(key, view.lang),
        None if mark == "title" => &view.title,
        None => unreachable!("page.html has the marks of `draw`, and words"),
    };
    to.write_all(markup(text).as_bytes())
}

/// The trace as JSON. In a `<script>` only `<` could end the block, and JSON knows another way to write it.
fn tell(data: &impl Serialize, to: &mut dyn Write) -> io::Result<()> {
    struct Inside<'a>(&'a mut dyn Write);

    impl Write for Inside<'_> {
        fn write(&mut self, json: &[u8]) -> io::Result<usize> {
            let mut parts = json.split(|&byte| byte == b'<');
            self.0.write_all(parts.next().unwrap_or_default())?;
            for part in parts {
                self.0.write_all(b"\\u003c")?;
                self.0.write_all(part)?;
            }
            Ok(json.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }

    let mut to = BufWriter::with_capacity(1 << 16, Inside(to));
    serde_json::to_writer(&mut to, data)?;
    to.flush()
}

/// What page.js reads, as a value.
#[cfg(test)]
pub(super) fn data(timeline: &Timeline, view: &View) -> serde_json::Value {
    let data = Data::of(timeline, view, &[]);
    let mut value = serde_json::to_value(&data).expect("it has no maps but those of texts");
    // As page.js turns them back.
    let rows: Vec<usize> = data.rows.rows.iter().map(|row| row.call).collect();
    let from: Vec<u64> = timeline.calls.iter().map(|call| call.from_ns).collect();
    let calls = value["calls"].as_object_mut().expect("calls are columns");
    calls.remove("after");
    calls.insert("from".into(), from.into());
    let numbers: Vec<[u32; 8]> = data.of_calls.iter().map(|of| of.numbers()).collect();
    for (nth, column) in CallWords::COLUMNS.iter().enumerate() {
        let of: Vec<u32> = numbers.iter().map(|of| of[nth]).collect();
        calls.insert((*column).into(), of.into());
    }
    value["rows"] = rows.into();
    value
}

/// What page.js reads. Texts are numbers of `words`, for most of them repeat; all else is told from the timeline as it
/// is, and takes no memory.
struct Data<'a> {
    timeline: &'a Timeline,
    view: &'a View,
    marks: &'a [usize],
    words: Pool,
    of_calls: Vec<CallWords>,
    of_arrows: Vec<u32>,
    rows: Rows,
}

/// The words of a call.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct CallWords {
    pub(super) name: u32,
    pub(super) asked: u32,
    pub(super) answered: u32,
    pub(super) sentence: u32,
    pub(super) strace: u32,
    pub(super) errno: u32,
    /// The state of TCP, if it is another one than before.
    pub(super) state: u32,
    /// The first bytes that moved.
    pub(super) data: u32,
}

#[derive(Serialize)]
struct LaneData<'a> {
    name: &'a str,
    detail: &'a str,
    role: &'a str,
    traced: bool,
}

/// A column for each thing to know of a call.
struct Calls<'a>(&'a Data<'a>);

/// What went; from which lane and call, to which lane and call, -1 where there is none; how many bytes; its word.
#[derive(Serialize, PartialEq)]
pub(super) struct ArrowData(ArrowKind, [i64; 4], i64, u32);

/// What there is to tell, one after the other.
struct List<F>(F);

impl<I: Iterator<Item: Serialize>, F: Fn() -> I> Serialize for List<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0())
    }
}

impl<'a> Data<'a> {
    fn of(timeline: &'a Timeline, view: &'a View, marks: &'a [usize]) -> Data<'a> {
        let mut words = Pool::default();
        words.number("");
        let rows = Rows::of(timeline);
        let is_unsure = |i: usize| rows.unsure[rows.began[i]] || rows.unsure[rows.returned[i]];
        let of_call = |(i, call): (usize, &Call)| {
            let within = is_unsure(i).then(|| timeline.within(call.from_ns));
            let state = words.number(call.state.as_deref().unwrap_or_default());
            CallWords { state, ..CallWords::of(&call.record, within, &mut words, view.lang) }
        };
        let of_calls = timeline.calls.iter().enumerate().map(of_call).collect();
        let of_arrow = |arrow| words.number(&on_arrow(&timeline.calls, arrow, view.lang));
        let of_arrows = timeline.arrows.iter().map(of_arrow).collect();
        Data { timeline, view, marks, words, of_calls, of_arrows, rows }
    }
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Data { timeline, view, words, of_arrows, rows, .. } = self;
        let lanes = || {
            timeline.lanes.iter().map(|lane| LaneData {
                name: &lane.name,
                detail: &lane.detail,
                role: lane.acts.color(),
                traced: lane.thread.is_some(),
            })
        };
        let arrows = || {
            timeline.arrows.iter().zip(of_arrows).map(|(arrow, &word)| ArrowData::of(arrow, word))
        };
        let mut data = serializer.serialize_struct("Data", 12)?;
        data.serialize_field("title", &view.title)?;
        // What the script says, by its keys.
        data.serialize_field("say", &page_words::of_script(view.lang))?;
        // Whether heights are to scale when the page opens.
        data.serialize_field("to_scale", &(view.time == Time::True))?;
        // The calls that the preface speaks of.
        data.serialize_field("marks", self.marks)?;
        data.serialize_field("span", &timeline.span_ns)?;
        data.serialize_field("lanes", &List(lanes))?;
        data.serialize_field("words", words)?;
        data.serialize_field("calls", &Calls(self))?;
        // What each row is, from the first to the last: a call of two rows begins and returns in them.
        data.serialize_field("turns", &List(|| turns(&rows.rows)))?;
        data.serialize_field("even", &Scale::of(&rows.rows, Time::Even))?;
        data.serialize_field("scale", &Scale::of(&rows.rows, Time::True))?;
        data.serialize_field("arrows", &List(arrows))?;
        data.end()
    }
}

/// The words of the calls as small numbers, which page.js turns back: 0 is the first word that no call has had yet, -1 the last
/// that one had, -2 the one before, and 8 word 7.
fn packed(words: &[CallWords]) -> Vec<[i32; 8]> {
    const NEAR: u32 = 64;
    let mut last: u32 = 0;
    let mut small = |number: u32| match last.checked_sub(number) {
        None if number == last + 1 => {
            last = number;
            0
        }
        Some(back @ ..NEAR) => -1 - back.cast_signed(),
        _ => number.cast_signed() + 1,
    };
    words.iter().map(|of| of.numbers().map(&mut small)).collect()
}

impl CallWords {
    /// Its columns, in the order in which the pool gets the words of a call.
    const COLUMNS: [&str; 8] =
        ["state", "name", "asked", "answered", "sentence", "strace", "errno", "data"];

    /// The numbers of the words, a column each.
    fn numbers(&self) -> [u32; 8] {
        let CallWords { name, asked, answered, sentence, strace, errno, state, data } = *self;
        [state, name, asked, answered, sentence, strace, errno, data]
    }

    /// All but the state, which is that of the socket before. `within` is how close something else is that may have been
    /// before or after.
    pub(super) fn of(
        record: &Event,
        within: Option<u64>,
        words: &mut Pool,
        lang: Lang,
    ) -> CallWords {
        let note = record.kind == Kind::Note;
        let strace = if note { String::new() } else { record.strace() };
        let mut sentence = if note { record.asked(lang) } else { record.sentence(lang) };
        if let Some(within) = within.map(duration) {
            sentence += &say!(
                lang,
                " [order unknown: another host's call is closer than ± {within}]",
                " [先后未知：另一台主机的调用相距不到 ± {within}]",
            );
        }
        let errno = |name: &Text| format!("{name}: {}", error_in_words(name, lang));
        let errno = record.errno.as_ref().map(errno).unwrap_or_default();
        CallWords {
            name: words.number(record.call.as_deref().unwrap_or_default()),
            asked: words.number(&in_place(&record.asked(lang))),
            answered: words.number(&in_place(&record.answered(lang))),
            sentence: words.number(&in_place(&sentence)),
            strace: words.number(&in_place(&strace)),
            errno: words.number(&errno),
            state: 0,
            data: words.number(record.data.as_deref().unwrap_or_default()),
        }
    }
}

impl Serialize for Calls<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let calls = || self.0.timeline.calls.iter();
        let bytes = |call: &Call| call.record.bytes.map_or(-1, |bytes| bytes as i64);
        // How long after the call before it began.
        let before = || std::iter::once(0).chain(calls().map(|call| call.from_ns));
        let after =
            || calls().zip(before()).map(|(call, before)| call.from_ns as i64 - before as i64);
        let mut columns = serializer.serialize_struct("Calls", 14)?;
        columns.serialize_field("lane", &List(|| calls().map(|call| call.lane)))?;
        columns.serialize_field("after", &List(after))?;
        columns.serialize_field("took", &List(|| calls().map(Call::took_ns)))?;
        columns.serialize_field("times", &List(|| calls().map(|call| call.times)))?;
        // Whether it failed in earnest.
        columns.serialize_field("failed", &List(|| calls().map(|call| u8::from(call.failed()))))?;
        let words: Vec<[i32; 8]> = packed(&self.0.of_calls);
        for (nth, column) in CallWords::COLUMNS.into_iter().enumerate() {
            columns.serialize_field(column, &List(|| words.iter().map(move |of| of[nth])))?;
        }
        // How many bytes moved; -1 where none could.
        columns.serialize_field("bytes", &List(|| calls().map(bytes)))?;
        columns.end()
    }
}

/// Where time is left out, and how high a nanosecond is: in hundredths of a row.
#[derive(Debug, Default, Serialize)]
pub(super) struct Scale {
    longest: u64,
    per_ns: f64,
}

impl Scale {
    pub(super) fn of(rows: &[Row], time: Time) -> Scale {
        let (longest, per_ns) = Rows::scale(rows, time, 100.0);
        Scale { longest, per_ns }
    }
}

impl ArrowData {
    pub(super) fn of(arrow: &Arrow, word: u32) -> ArrowData {
        let number = |n: Option<usize>| n.map_or(-1, |n| n as i64);
        let [from, to] = [arrow.from, arrow.to];
        let ends = [
            number(from.map(|tip| tip.lane)),
            number(from.and_then(|tip| tip.call)),
            number(to.map(|tip| tip.lane)),
            number(to.and_then(|tip| tip.call)),
        ];
        ArrowData(arrow.kind, ends, arrow.bytes.map_or(-1, |bytes| bytes as i64), word)
    }
}

impl ArrowData {
    /// The same with other numbers for the lanes.
    pub(super) fn with_lanes(mut self, number: impl Fn(usize) -> u32) -> ArrowData {
        for end in [0, 2] {
            if let Ok(lane) = usize::try_from(self.1[end]) {
                self.1[end] = number(lane).into();
            }
        }
        self
    }
}

/// The rows as small numbers, which page.js turns back: 0 is the first call that has not begun yet, 3 the call three before that one.
fn turns(rows: &[Row]) -> impl Iterator<Item = i64> {
    rows.iter().scan(0, |next, row| {
        let back = *next - row.call as i64;
        *next = (row.call as i64 + 1).max(*next);
        Some(back)
    })
}

/// What a browser shows that runs no scripts: of a long trace the calls around the first mark, if there is one.
fn table(timeline: &Timeline, lang: Lang, marks: &[usize]) -> String {
    let calls = &timeline.calls;
    let all = grouped(calls.len() as u64);
    let from = match marks.iter().min() {
        _ if calls.len() <= TABLE => 0,
        Some(mark) => mark.saturating_sub(TABLE / 2).min(calls.len() - TABLE),
        None => {
            return say!(
                lang,
                "<p>This page needs its script to show {all} calls; for a text of them: netplay draw -o FILE.txt</p>",
                "<p>这一页要用脚本才能显示 {all} 个调用；文本形式：netplay draw -o FILE.txt</p>",
            );
        }
    };
    let row = |(i, call): (usize, &Call)| {
        let (seconds, micros) = (call.from_ns / 1_000_000_000, call.from_ns / 1_000 % 1_000_000);
        let mark = if marks.contains(&i) { MARK } else { "" };
        [
            format!("{seconds}.{micros:06}"),
            timeline.lanes[call.lane].name.clone(),
            format!("{mark}{}", in_place(&headline(call, lang))),
            duration(call.took_ns()),
        ]
    };
    let caption = match calls.len() {
        ..=TABLE => {
            say!(lang, "The calls, in the order in which they began", "各个调用，按开始的先后")
        }
        _ => {
            let (first, last) = (grouped(from as u64 + 1), grouped((from + TABLE) as u64));
            say!(
                lang,
                "Calls {first} to {last} of {all}, in the order in which they began; the others need the script of this page",
                "{all} 个调用中的第 {first} 到第 {last} 个，按开始的先后；其余的要用这一页的脚本才能显示",
            )
        }
    };
    let heads =
        lang.pick(["Time, s", "Lane", "Call", "Took"], ["时间，秒", "泳道", "调用", "用时"]);
    page::table(&caption, heads, calls.iter().enumerate().skip(from).take(TABLE).map(row))
}
