//! The timeline as one page to step through: nothing but this file is needed, and nothing is fetched.
//!
//! ```text
//! page.html   what stands where, with a {{mark}} for each part below
//! page.css    how it looks, in the colours of every picture
//! page.js     what it does; it builds only what is in view
//! page_words  what both say, in each language
//! the trace   as JSON, in a block that no browser runs
//! ```
//!
//! What a peer sent is in the JSON, with every `<` written `\u003c`, and becomes text and only text.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::page::{self, Page, fill};
use super::page_words;
use super::words::{in_place, on_arrow};
use super::{Arrow, ArrowKind, Call, Rows, Time, Timeline, View, headline};
use crate::ink;
use netplay_record::{Kind, Text, error_in_words};
use netplay_text::escape::markup;
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_text::words::{duration, grouped};

const BODY: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Without its script the page is a table, up to so many calls.
const TABLE: usize = 500;

pub(super) fn picture(timeline: &Timeline, view: &View) -> String {
    let style = ink::variables() + STYLE;
    let body = fill(BODY, |mark| match mark {
        "title" => markup(&view.title).into(),
        "script" => SCRIPT.into(),
        "trace" => json(&Data::of(timeline, view)).into(),
        "table" => table(timeline, view.lang).into(),
        mark => {
            let key = mark.strip_prefix("say ").expect("page.html has the marks above, and words");
            markup(page_words::of_page(key, view.lang)).into()
        }
    });
    let (title, script, lang) = (&view.title, Some(SCRIPT), view.lang);
    Page { title, style: &style, body: &body, script, lang }.html()
}

/// In a `<script>` only `<` could end the block, and JSON knows another way to write it.
fn json(data: &Data) -> String {
    serde_json::to_string(data).expect("every key is a text").replace('<', "\\u003c")
}

/// What page.js reads. Texts are numbers of [`words`](Data::words), for most of them repeat.
#[derive(Serialize)]
struct Data<'a> {
    title: &'a str,
    /// What the script says, by its keys.
    say: BTreeMap<&'static str, &'static str>,
    /// Whether heights are to scale when the page opens.
    to_scale: bool,
    span: u64,
    lanes: Vec<LaneData<'a>>,
    words: Vec<String>,
    calls: Calls,
    /// The call of each row, from the first to the last: a call of two rows begins and returns in them.
    rows: Vec<usize>,
    even: Heights,
    scale: Heights,
    arrows: Vec<ArrowData>,
}

#[derive(Serialize)]
struct LaneData<'a> {
    name: &'a str,
    detail: &'a str,
    role: &'a str,
    traced: bool,
}

/// A column for each thing to know of a call.
#[derive(Default, Serialize)]
struct Calls {
    lane: Vec<usize>,
    from: Vec<u64>,
    took: Vec<u64>,
    times: Vec<u64>,
    /// Whether it failed in earnest.
    failed: Vec<u8>,
    name: Vec<usize>,
    asked: Vec<usize>,
    answered: Vec<usize>,
    sentence: Vec<usize>,
    strace: Vec<usize>,
    errno: Vec<usize>,
    state: Vec<usize>,
    /// The first bytes that moved, and how many did; -1 where none could.
    data: Vec<usize>,
    bytes: Vec<i64>,
}

/// How much lower each row stands than the one before, in hundredths of a row; and the rows before which
/// time was left out, with how much.
#[derive(Serialize)]
struct Heights {
    down: Vec<u64>,
    breaks: Vec<(usize, u64)>,
}

/// What went; from which lane and call, to which lane and call, -1 where there is none; how many bytes; its word.
#[derive(Serialize)]
struct ArrowData(ArrowKind, [i64; 4], i64, usize);

impl<'a> Data<'a> {
    fn of(timeline: &'a Timeline, view: &'a View) -> Data<'a> {
        let mut pool = Pool::default();
        pool.number(String::new());
        let mut calls = Calls::default();
        for call in &timeline.calls {
            calls.push(call, &mut pool, view.lang);
        }
        let arrow = |arrow: &Arrow| {
            let word = pool.number(on_arrow(&timeline.calls, arrow, view.lang));
            ArrowData::of(arrow, word)
        };
        let arrows = timeline.arrows.iter().map(arrow).collect();
        let rows = Rows::of(timeline);
        let lane = |lane: &'a super::Lane| LaneData {
            name: &lane.name,
            detail: &lane.detail,
            role: lane.acts.color(),
            traced: lane.thread.is_some(),
        };
        Data {
            title: &view.title,
            say: page_words::of_script(view.lang),
            to_scale: view.time == Time::True,
            span: timeline.span_ns,
            lanes: timeline.lanes.iter().map(lane).collect(),
            words: pool.words(),
            calls,
            even: Heights::of(&rows, Time::Even),
            scale: Heights::of(&rows, Time::True),
            rows: rows.rows.iter().map(|row| row.call).collect(),
            arrows,
        }
    }
}

impl Calls {
    fn push(&mut self, call: &Call, pool: &mut Pool, lang: Lang) {
        let record = &call.record;
        let note = record.kind == Kind::Note;
        self.lane.push(call.lane);
        self.from.push(call.from_ns);
        self.took.push(call.took_ns());
        self.times.push(call.times);
        self.failed.push(call.failed().into());
        self.name.push(pool.number(call.name().to_owned()));
        let placed = |text: String| in_place(&text).into_owned();
        self.asked.push(pool.number(placed(record.asked(lang))));
        self.answered.push(pool.number(placed(record.answered(lang))));
        let sentence = if note { record.asked(lang) } else { record.sentence(lang) };
        self.sentence.push(pool.number(placed(sentence)));
        self.strace.push(pool.number(if note { String::new() } else { placed(record.strace()) }));
        let errno = |name: &Text| format!("{name}: {}", error_in_words(name, lang));
        self.errno.push(pool.number(record.errno.as_ref().map(errno).unwrap_or_default()));
        self.state.push(pool.number(call.state.clone().unwrap_or_default()));
        self.data.push(pool.number(record.data.as_deref().unwrap_or_default().to_owned()));
        self.bytes.push(record.bytes.map_or(-1, |bytes| bytes as i64));
    }
}

impl Heights {
    fn of(rows: &Rows, time: Time) -> Heights {
        let heights = rows.heights(time, 100.0);
        let at = |i: usize| heights.of_rows[i].round() as u64;
        let down = (0..heights.of_rows.len())
            .map(|i| if i == 0 { at(0) } else { at(i) - at(i - 1) })
            .collect();
        Heights { down, breaks: heights.breaks.iter().map(|gap| (gap.before, gap.ns)).collect() }
    }
}

impl ArrowData {
    fn of(arrow: &Arrow, word: usize) -> ArrowData {
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

/// Every text once.
#[derive(Default)]
struct Pool(HashMap<String, usize>);

impl Pool {
    fn number(&mut self, text: String) -> usize {
        let next = self.0.len();
        *self.0.entry(text).or_insert(next)
    }

    fn words(self) -> Vec<String> {
        let mut words = vec![String::new(); self.0.len()];
        for (text, number) in self.0 {
            words[number] = text;
        }
        words
    }
}

/// What a browser shows that runs no scripts.
fn table(timeline: &Timeline, lang: Lang) -> String {
    let calls = &timeline.calls;
    if calls.len() > TABLE {
        let count = grouped(calls.len() as u64);
        return say!(
            lang,
            "<p>This page needs its script to show {count} calls; for a text of them: netplay draw -o FILE.txt</p>",
            "<p>这一页要用脚本才能显示 {count} 个调用；文本形式：netplay draw -o FILE.txt</p>",
        );
    }
    let row = |call: &Call| {
        let (seconds, micros) = (call.from_ns / 1_000_000_000, call.from_ns / 1_000 % 1_000_000);
        [
            format!("{seconds}.{micros:06}"),
            timeline.lanes[call.lane].name.clone(),
            in_place(&headline(call, lang)).into_owned(),
            duration(call.took_ns()),
        ]
    };
    let caption =
        lang.pick("The calls, in the order in which they began", "各个调用，按开始的先后");
    let heads =
        lang.pick(["Time, s", "Lane", "Call", "Took"], ["时间，秒", "泳道", "调用", "用时"]);
    page::table(caption, heads, calls.iter().map(row))
}
