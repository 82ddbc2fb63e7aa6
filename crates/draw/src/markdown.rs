//! The picture for pages on a code host: a Mermaid sequence diagram, and a table of the calls.
//!
//! Mermaid gives every message a height of its own, so what it shows is the order, not the time; an
//! arrow stands where what it brings set out. The table has the times.

use super::rows::Part;
use super::words::{never, took};
use super::{Arrow, ArrowKind, Call, Row, Rows, Timeline, View};
use netplay_record::text::count;
use netplay_record::{Kind, Shows};
use netplay_text::escape::escape_unsafe;
use netplay_text::lang::Lang;
use netplay_text::words::{duration, grouped, milliseconds};
use netplay_text::{say, table};

/// So many moments are in the diagram: hosts refuse one that is much larger.
const DRAWN: usize = 200;

/// The columns of numbers in the table.
const MS: usize = 0;
const TOOK: usize = 4;

/// So many calls are in the table.
const LISTED: usize = 300;

pub(super) fn picture(timeline: &Timeline, view: &View) -> String {
    let lang = view.lang;
    let mut text = format!("# {}\n\n", in_text(&view.title));
    if let Some(said) = timeline.left_out.in_words(lang) {
        text += &format!("{said}\n\n");
    }
    text += "```mermaid\nsequenceDiagram\n";
    let left_out = diagram(timeline, lang, &mut text);
    text += "```\n\n";
    if left_out > 0 {
        let more = grouped(left_out);
        text += &say!(
            lang,
            "The diagram ends here: {more} more moments follow.\n\n",
            "图到此为止：后面还有 {more} 个时刻。\n\n",
        );
    }
    list(timeline, lang, &mut text);
    text
}

/// Writes the lines of the diagram; how many rows there were no lines left for.
fn diagram(timeline: &Timeline, lang: Lang, text: &mut String) -> u64 {
    for (lane, of) in timeline.lanes.iter().enumerate() {
        let (name, detail) = (in_label(&of.name), in_label(&of.detail));
        *text += &format!("    participant L{lane} as {name}<br/>{detail}\n");
    }
    let rows = Rows::of(timeline);
    let mut arrows: Vec<Vec<&Arrow>> = vec![Vec::new(); rows.rows.len()];
    for arrow in &timeline.arrows {
        let cause = arrow.from.and_then(|tip| tip.call).map(|call| rows.began[call]);
        let effect = arrow.to.and_then(|tip| tip.call).map(|call| rows.returned[call]);
        if let Some(row) = cause.or(effect) {
            arrows[row].push(arrow);
        }
    }
    let (drawn, rest) = rows.rows.split_at(rows.rows.len().min(DRAWN));
    let mut active = vec![false; timeline.lanes.len()];
    for (row, &Row { call, part, .. }) in drawn.iter().enumerate() {
        let of = &timeline.calls[call];
        let lane = of.lane;
        if part == Part::Begin {
            active[lane] = true;
            *text += &format!("    activate L{lane}\n");
        }
        for arrow in &arrows[row] {
            *text += &format!("    {}\n", message(timeline, arrow, lang));
        }
        let state = of.state.as_ref().filter(|_| part != Part::Begin);
        let state = state.map(|state| format!("[{state}]"));
        let notes: Vec<String> =
            note(of, part, lang).iter().chain(&state).map(|note| in_label(note)).collect();
        if !notes.is_empty() {
            *text += &format!("    Note over L{lane}: {}\n", notes.join("<br/>"));
        }
        if part == Part::End {
            active[lane] = false;
            *text += &format!("    deactivate L{lane}\n");
        }
    }
    for (lane, _) in active.iter().enumerate().filter(|(_, active)| **active) {
        *text += &format!("    deactivate L{lane}\n");
    }
    rest.len() as u64
}

/// An arrow.
fn message(timeline: &Timeline, arrow: &Arrow, lang: Lang) -> String {
    let what = in_label(&what(timeline, arrow, lang));
    let line = match arrow.kind {
        ArrowKind::Connect | ArrowKind::Bytes | ArrowKind::Fork => "->>",
        ArrowKind::Datagram | ArrowKind::End => "-->>",
        ArrowKind::Reset => "-x",
    };
    match (arrow.from, arrow.to) {
        (Some(from), Some(to)) => format!("L{}{line}L{}: {what}", from.lane, to.lane),
        (Some(from), None) => {
            let why = match arrow.kind {
                ArrowKind::Datagram | ArrowKind::Connect => never(arrow.kind, lang),
                _ => lang.pick("never read", "没有被读取"),
            };
            let comma = lang.pick(", ", "，");
            format!("L{}-xL{}: {what}{comma}{why}", from.lane, addressee(timeline, from.lane))
        }
        (None, Some(to)) => {
            let lane = to.lane;
            say!(
                lang,
                "Note over L{lane}: {what}, from no call seen",
                "Note over L{lane}: {what}，没有看到发出它的调用",
            )
        }
        (None, None) => String::new(),
    }
}

/// Where a lost arrow points: to the other side, which it did not reach.
fn addressee(timeline: &Timeline, from: usize) -> usize {
    let role = &timeline.lanes[from].role;
    timeline.lanes.iter().position(|lane| lane.role != *role).unwrap_or(from)
}

/// What stands on an arrow: the call that it comes from.
fn what(timeline: &Timeline, arrow: &Arrow, lang: Lang) -> String {
    let cause = arrow.from.and_then(|tip| tip.call).map(|call| &timeline.calls[call]);
    let bytes = arrow.bytes.map(|bytes| count(bytes, lang));
    match (cause, arrow.kind, bytes) {
        (Some(cause), _, Some(bytes)) if cause.record.bytes != arrow.bytes => {
            let asked = cause.record.asked(lang);
            say!(lang, "{bytes} of {asked}", "{asked} 中的 {bytes}")
        }
        (Some(cause), ..) => cause.record.asked(lang),
        (None, _, Some(bytes)) => bytes,
        (None, ArrowKind::Connect, _) => say!(lang, "a connection", "一个连接"),
        (None, ArrowKind::Reset, _) => say!(lang, "a reset", "一个 RST"),
        (None, ..) => say!(lang, "the end", "结束 (FIN)"),
    }
}

/// What is noted of a call: what it waits for, and what it answered. What an arrow says is not said twice.
fn note(call: &Call, part: Part, lang: Lang) -> Option<String> {
    let record = &call.record;
    if record.kind == Kind::Note {
        return Some(record.asked(lang));
    }
    let shows = record.what.shows();
    // What only prepares stands in the table.
    if shows == Shows::Nothing && !call.failed() {
        return None;
    }
    // What is sent stands on its arrow, if it was sent.
    let sends = shows == Shows::Arrow;
    let on = match record.fd {
        Some(fd) => format!("{}({fd})", call.name()),
        None => call.name().to_owned(),
    };
    let told = match (record.answered(lang), part) {
        (_, Part::Begin) if sends => return None,
        (_, Part::Begin) => return Some(record.asked(lang)),
        (_, _) if record.errno.is_none() && sends => return None,
        (nothing, _) if nothing.is_empty() => record.asked(lang),
        (answered, Part::Whole) if !record.is_wait() => {
            format!("{} → {answered}", record.asked(lang))
        }
        (answered, _) => format!("{on} → {answered}"),
    };
    let times = if call.times > 1 { format!(" × {}", grouped(call.times)) } else { String::new() };
    let failed = if call.failed() { "! " } else { "" };
    Some(format!("{failed}{told}{times}{}", long(call, lang)))
}

fn long(call: &Call, lang: Lang) -> String {
    match call.took_ns() {
        0..1_000_000 => String::new(),
        ns if call.times > 1 => {
            let time = duration(ns);
            say!(lang, " in {time}", "，历时 {time}")
        }
        _ => took(call, lang),
    }
}

fn list(timeline: &Timeline, lang: Lang, text: &mut String) {
    let moments = Rows::of(timeline);
    let is_unsure =
        |i: usize| moments.unsure[moments.began[i]] || moments.unsure[moments.returned[i]];
    let row = |(i, call): (usize, &Call)| {
        let mark = if is_unsure(i) { "?" } else { "" };
        let times =
            if call.times > 1 { format!(" × {}", grouped(call.times)) } else { String::new() };
        let note = call.record.kind == Kind::Note;
        [
            milliseconds(call.from_ns) + mark,
            in_text(&timeline.lanes[call.lane].name),
            in_text(&call.record.asked(lang)),
            in_text(&call.record.answered(lang)) + &times,
            if note { String::new() } else { duration(call.took_ns()) },
            in_text(call.state.as_deref().unwrap_or_default()),
        ]
    };
    let rows: Vec<_> = timeline.calls.iter().take(LISTED).enumerate().map(row).collect();
    let heads = lang.pick(
        ["ms", "lane", "call", "answer", "took", "TCP"],
        ["毫秒", "泳道", "调用", "结果", "用时", "TCP"],
    );
    *text += &table::markdown(&heads, |column| [MS, TOOK].contains(&column), &rows);
    if moments.unsure.contains(&true) {
        *text += lang.pick(
            "\n? order unknown: another host's call is closer than the clocks are known.\n",
            "\n? 先后未知：与另一台主机的调用的间隔小于时钟的误差。\n",
        );
    }
    if let Some(more @ 1..) = timeline.calls.len().checked_sub(LISTED) {
        let more = grouped(more as u64);
        *text +=
            &say!(lang, "\n{more} more calls are left out.\n", "\n省略了后面的 {more} 个调用。\n");
    }
}

/// A text for Mermaid: whatever could be its syntax, or that of a page, is a number (`#59;` for `;`).
fn in_label(text: &str) -> String {
    encoded(text, '#')
}

/// A text for a table of Markdown: whatever could be syntax is a number (`&#124;` for `|`).
fn in_text(text: &str) -> String {
    encoded(text, '&')
}

fn encoded(text: &str, sign: char) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in escape_unsafe(text).chars() {
        match (c, sign) {
            _ if c.is_alphanumeric() => safe.push(c),
            (' ' | '.' | ',' | ':' | '(' | ')' | '-' | '→' | '×' | '…' | '=' | '/' | '?', _) =>
            {
                safe.push(c);
            }
            ('"' | '[' | ']' | '+' | '!', '#') => safe.push(c),
            _ if !c.is_ascii() => safe.push(c),
            (_, '&') => safe.push_str(&format!("&#{};", u32::from(c))),
            _ => safe.push_str(&format!("#{};", u32::from(c))),
        }
    }
    safe
}
