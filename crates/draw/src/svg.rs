//! The SVG picture: a figure as in a textbook. Lifelines side by side, time downwards, calls beside their
//! lifelines, arrows between them.
//!
//! It is one file that asks for no other. First everything is measured and placed, then written from the
//! back to the front: lifelines, arrows, calls, breaks. Colours only repeat what shapes and words say.
//!
//! It is for every program that shows SVG, from browsers to converters. So each shape has its look as
//! attributes of its own, a text is one run from one point, and classes only say what a thing is.

use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Write};

use super::headline;
use super::rows::{Heights, Rows, spread};
use super::shapes::{
    Dot, END, Letters, MIDDLE, Opening, Rect, START, Said, Tenths, Words, round_step,
};
use super::{Arrow, ArrowKind, Call, Lane, Timeline, Tip, View};
use crate::ink::{CLIENT, DIM, ERROR, Ink, LINE as THIN, PAPER, RAISED, SERVER, WAIT, WAITED};
use netplay_record::Kind;
use netplay_text::columns::{cut, width as wide, wrapped};
use netplay_text::escape::Markup;
use netplay_text::words::{counted, duration, grouped, milliseconds};

/// From one row to the next.
const UNIT: f64 = 22.0;
/// A line of a label.
const LINE: f64 = 15.0;
/// The sizes of the letters: of labels, and of what is said in passing. At both a letter of the usual fonts is
/// a whole number of dots wide (7 and 6): a program that measures on a screen and draws on paper, such as
/// LibreOffice, has the same widths for both, and a text that ends at a lifeline does not run over it.
const FONT: f64 = 11.6;
const SMALL: f64 = 10.0;
/// How wide a column of a monospace font is, in its size; none of the common ones is wider.
const COLUMN: f64 = 0.61;
/// Around the whole, and around a box.
const MARGIN: f64 = 16.0;
/// The column of the times, at the left.
const AXIS: f64 = 76.0;
/// Where the boxes with the names of the lanes begin, and how high they are.
const HEADS: f64 = 66.0;
const HEAD: f64 = 34.0;
/// Half as wide as a bar.
const BAR: f64 = 4.5;
/// An arrow ends as far from the middle of a lifeline.
const TIP: f64 = 7.0;
/// Room for an arrow and its words between two lifelines.
const ARROW_ROOM: f64 = 160.0;
/// How far an arrow reaches that arrives nowhere.
const LOST: f64 = 58.0;
/// The word of an arrow stands between two of so many lifelines, counted from where it begins.
const GAPS: usize = 16;
/// Lanes and labels are as wide as they need to be, unless all together would be wider than this.
const WIDEST: f64 = 2_400.0;
/// But no lane is narrower than this.
const NARROWEST: f64 = 140.0;
/// A note is broken into lines of as many columns.
const NOTE: usize = 40;

/// The whole picture.
pub(super) fn picture(timeline: &Timeline, view: &View) -> String {
    let mut out = String::new();
    Figure::of(timeline, view).write(&mut out).expect("a String takes everything");
    out
}

/// On which side of a lifeline something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Side {
    /// `x`, as far away as that.
    fn away(self, x: f64, by: f64) -> f64 {
        match self {
            Side::Left => x - by,
            Side::Right => x + by,
        }
    }

    /// Where the words are tied that stand there.
    fn anchor(self) -> &'static str {
        match self {
            Side::Left => END,
            Side::Right => START,
        }
    }
}

/// What stands beside a lifeline.
#[derive(Debug)]
struct Label {
    call: usize,
    side: Side,
    /// The height of the mark that it belongs to.
    mark: f64,
    /// The height of its own middle.
    y: f64,
    /// The state of TCP, if it changed.
    tag: Option<String>,
    asked: String,
    /// How long it waited.
    time: String,
    answered: String,
    /// More lines of a note.
    more: Vec<String>,
}

impl Label {
    fn height(&self) -> f64 {
        LINE * (1 + self.more.len()) as f64
    }

    /// The tag, and the space behind it.
    fn tag_width(&self) -> f64 {
        self.tag.as_ref().map_or(0.0, |tag| tag_width(tag) + 5.0)
    }

    fn width(&self) -> f64 {
        let first = [&self.asked, &self.time, &self.answered].map(|part| wide(part));
        let longest = self.more.iter().map(|line| wide(line)).max().unwrap_or_default();
        self.tag_width() + columns(first.iter().sum::<usize>().max(longest), FONT)
    }

    /// Cuts the words, so that the whole is no wider than this.
    fn cut(&mut self, room: f64) {
        let mut left = ((room - self.tag_width()) / columns(1, FONT)).max(0.0) as usize;
        let all = left;
        for part in [&mut self.asked, &mut self.time, &mut self.answered] {
            *part = cut(part, left, "…").into_owned();
            left -= wide(part);
        }
        self.more.iter_mut().for_each(|line| *line = cut(line, all, "…").into_owned());
    }
}

/// A picture, measured and placed.
struct Figure<'a> {
    timeline: &'a Timeline,
    view: &'a View,
    rows: Rows,
    heights: Heights,
    /// The lifelines.
    lanes: Vec<f64>,
    labels: Vec<Label>,
    /// How far from its lifeline a label begins.
    offset: f64,
    /// Where the last lifeline ends.
    foot: f64,
    width: f64,
}

impl<'a> Figure<'a> {
    fn of(timeline: &'a Timeline, view: &'a View) -> Figure<'a> {
        let rows = Rows::of(timeline);
        let mut heights = rows.heights(view.time, UNIT);
        heights.of_rows.iter_mut().for_each(|y| *y += HEADS + HEAD);
        let foot = HEADS + HEAD + heights.height;
        let mut figure = Figure {
            timeline,
            view,
            rows,
            heights,
            lanes: Vec::new(),
            labels: Vec::new(),
            offset: 0.0,
            foot,
            width: 0.0,
        };
        figure.labels = figure.words();
        figure.place_down();
        figure.place_across();
        figure
    }

    /// The height of the row in which a call began, and of the one in which it returned.
    fn began(&self, call: usize) -> f64 {
        self.heights.of_rows[self.rows.began[call]]
    }

    fn returned(&self, call: usize) -> f64 {
        self.heights.of_rows[self.rows.returned[call]]
    }

    /// A bar: it is long enough to be seen as one.
    fn is_bar(&self, call: usize) -> bool {
        self.rows.began[call] != self.rows.returned[call]
    }

    /// What is to be said, and on which side.
    fn words(&self) -> Vec<Label> {
        let sides = sides(self.timeline);
        let mut labels = Vec::with_capacity(self.rows.rows.len());
        for (i, call) in self.timeline.calls.iter().enumerate() {
            let label = |mark, tag, asked: String, time: String, answered: String| Label {
                call: i,
                side: sides[i],
                mark,
                y: mark,
                tag,
                asked,
                time,
                answered,
                more: Vec::new(),
            };
            let (began, returned) = (self.began(i), self.returned(i));
            if call.record.kind == Kind::Note {
                let said = call.record.asked();
                let mut lines = wrapped(&said, NOTE).map(str::to_owned);
                let first = lines.next().unwrap_or_default();
                let note = label(began, None, first, String::new(), String::new());
                labels.push(Label { more: lines.collect(), ..note });
                continue;
            }
            let time = if self.is_bar(i) { duration(call.took_ns()) } else { String::new() };
            let (asked, answered) = (call.record.asked(), answer(call));
            let state = call.state.clone();
            if returned - began >= LINE {
                let answered = led_by(" → ", answered);
                labels.push(label(began, None, asked, String::new(), String::new()));
                labels.push(label(returned, state, String::new(), time, answered));
            } else {
                let time = led_by("  ", time);
                labels.push(label(began, state, asked, time, led_by(" → ", answered)));
            }
        }
        labels
    }

    /// Between which two lifelines a label stands: 0 is left of the first one.
    fn gap(&self, label: &Label) -> usize {
        let lane = self.timeline.calls[label.call].lane;
        if label.side == Side::Left { lane } else { lane + 1 }
    }

    /// Pushes labels apart that would overlap.
    fn place_down(&mut self) {
        let mut gaps: Vec<Vec<usize>> = vec![Vec::new(); self.timeline.lanes.len() + 1];
        for (i, label) in self.labels.iter().enumerate() {
            gaps[self.gap(label)].push(i);
        }
        let mut moved = false;
        for mut gap in gaps {
            gap.sort_by(|&a, &b| self.labels[a].mark.total_cmp(&self.labels[b].mark));
            let wanted: Vec<f64> = gap.iter().map(|&i| self.labels[i].mark).collect();
            let sizes: Vec<f64> = gap.iter().map(|&i| self.labels[i].height()).collect();
            for (i, y) in gap.into_iter().zip(spread(&wanted, &sizes, HEADS + HEAD + 4.0)) {
                let label = &mut self.labels[i];
                label.y = y;
                moved |= is_moved(label);
                self.foot = self.foot.max(y + label.height() / 2.0 + 8.0);
            }
        }
        self.offset = if moved { 26.0 } else { 11.0 };
    }

    /// Gives every lane the room that its words need; cuts them only where there is not enough of it.
    fn place_across(&mut self) {
        let lanes = &self.timeline.lanes;
        let half: Vec<f64> = lanes.iter().map(|lane| head_width(lane) / 2.0).collect();
        let mut gaps: Vec<f64> = (0..=lanes.len())
            .map(|gap| {
                let left = gap.checked_sub(1).map_or(0.0, |lane| half[lane] + 6.0);
                let right = half.get(gap).map_or(0.0, |half| half + 6.0);
                let inner = gap > 0 && gap < lanes.len();
                (left + right).max(if inner { ARROW_ROOM } else { 0.0 })
            })
            .collect();
        for label in &self.labels {
            let gap = self.gap(label);
            gaps[gap] = gaps[gap].max(label.width() + 2.0 * self.offset);
        }
        for arrow in &self.timeline.arrows {
            let ((Some(tip), None) | (None, Some(tip))) = (arrow.from, arrow.to) else { continue };
            let gap = tip.lane + usize::from(self.outward(&tip) == Side::Right);
            let word = columns(wide(&self.arrow_word(arrow)), SMALL);
            gaps[gap] = gaps[gap].max(LOST + word + 30.0);
        }
        limit(&mut gaps);
        let room: Vec<f64> = gaps.iter().map(|gap| gap - 2.0 * self.offset).collect();
        for i in 0..self.labels.len() {
            let room = room[self.gap(&self.labels[i])];
            if self.labels[i].width() > room + 0.01 {
                self.labels[i].cut(room);
            }
        }
        let mut x = MARGIN + AXIS;
        for gap in &gaps[..lanes.len()] {
            x += gap;
            self.lanes.push(x);
        }
        let said = [(&*self.view.title, 18.0), (&*self.summary(), FONT)]
            .map(|(text, size)| columns(wide(text), size) + 2.0 * MARGIN);
        let whole = x + gaps[lanes.len()] + MARGIN;
        self.width = whole.max(said[1]).max(said[0].min(WIDEST / 2.0)).ceil();
    }

    /// The line below the title.
    fn summary(&self) -> String {
        let timeline = self.timeline;
        let made = |call: &&Call| call.record.kind == Kind::Call;
        let calls: u64 = timeline.calls.iter().filter(made).map(|call| call.times).sum();
        let threads: BTreeSet<(i32, i32)> =
            timeline.lanes.iter().filter_map(|lane| lane.thread).collect();
        let processes: BTreeSet<i32> = threads.iter().map(|&(process, _)| process).collect();
        let mut of = counted(processes.len() as u64, "process");
        if threads.len() > processes.len() {
            of += &format!(" with {}", counted(threads.len() as u64, "thread"));
        }
        format!(
            "{} of {of} in {}; time 0 is {}.{:09} s of CLOCK_MONOTONIC",
            counted(calls, "call"),
            duration(timeline.span_ns),
            timeline.start_ns / 1_000_000_000,
            timeline.start_ns % 1_000_000_000,
        )
    }

    fn write(&self, out: &mut impl Write) -> fmt::Result {
        let legend = self.legend()?;
        let heads_again = self.foot > 1_200.0;
        let below = self.foot + if heads_again { HEAD + 12.0 } else { 0.0 };
        let height = (below + 20.0 + legend.height + MARGIN).ceil();
        self.write_start(out, height)?;
        self.write_axis(out)?;
        self.write_lifelines(out)?;
        let words = self.place_arrow_words();
        for arrow in &self.timeline.arrows {
            self.write_arrow(out, arrow)?;
        }
        let mut labels = self.labels.iter().peekable();
        for call in 0..self.timeline.calls.len() {
            self.write_call_start(out, call)?;
            while let Some(label) = labels.next_if(|label| label.call == call) {
                self.write_label(out, label)?;
            }
            out.write_str("</g>\n")?;
        }
        self.write_breaks(out)?;
        for (word, x, y) in &words {
            let width = columns(wide(word), SMALL) + 2.0;
            let (fill, x, y, text) = (PAPER.into(), *x, *y, word.as_str());
            let ground = Rect { fill, x: x - width / 2.0, y: y - 5.5, width, height: 11.0 };
            let look = Letters {
                class: "small word",
                size: Some(SMALL),
                ink: Some(DIM),
                anchor: MIDDLE,
                ..Letters::default()
            };
            writeln!(out, "{ground}{}", Words { look, x, y: y + 3.5, text })?;
        }
        self.write_heads(out, HEADS)?;
        if heads_again {
            self.write_heads(out, self.foot)?;
        }
        let y = Tenths(below + 20.0);
        writeln!(out, "<g class=\"legend\" transform=\"translate({MARGIN} {y})\">")?;
        writeln!(out, "{}</g>\n</svg>", legend.svg)
    }

    fn write_start(&self, out: &mut impl Write, height: f64) -> fmt::Result {
        let width = self.width;
        let lanes: Vec<String> = self
            .timeline
            .lanes
            .iter()
            .map(|lane| format!("{} ({})", lane.name, lane.detail))
            .collect();
        let about = format!(
            "A timeline, downwards: {}. Its lifelines, from left to right: {}. The same is there as text.",
            self.summary(),
            lanes.join(", ")
        );
        let again = format!(
            "<pattern id=\"again\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" \
             patternTransform=\"rotate(45)\"><rect fill=\"{PAPER}\" width=\"5\" height=\"5\"/>\
             <path stroke=\"{WAIT}\" stroke-width=\"3\" d=\"M0 0V5\"/></pattern>"
        );
        let opening = Opening {
            title: &self.view.title,
            about: &about,
            width,
            height,
            font: "monospace",
            size: FONT,
            defs: &again,
            links: true,
        };
        write!(out, "{opening}")?;
        let room = ((width - 2.0 * MARGIN) / columns(1, 18.0)) as usize;
        let shown = cut(&self.view.title, room, "…");
        let sans = Letters { font: Some("sans-serif"), ..Letters::default() };
        let look = Letters { class: "title", size: Some(18.0), bold: true, ..sans };
        writeln!(out, "{}", Words { look, x: MARGIN, y: 30.0, text: &shown })?;
        let (look, text) = (Letters { ink: Some(DIM), ..sans }, &*self.summary());
        writeln!(out, "{}", Words { look, x: MARGIN, y: 50.0, text })
    }

    /// The times, at the left, and a thin line from each to what it is about.
    fn write_axis(&self, out: &mut impl Write) -> fmt::Result {
        let times = self.times();
        let right = self.width - MARGIN;
        write!(
            out,
            "<path fill=\"none\" stroke=\"{THIN}\" stroke-width=\".6\" stroke-dasharray=\"1 5\" d=\""
        )?;
        for &(y, _) in &times {
            write!(out, "M{} {}H{right}", MARGIN + AXIS - 8.0, Tenths(y))?;
        }
        writeln!(
            out,
            "\"/>\n<g class=\"small axis\" font-size=\"{SMALL}\" text-anchor=\"end\" fill=\"{DIM}\">"
        )?;
        let x = MARGIN + AXIS - 12.0;
        let unit = self.unit();
        let look = Letters::default();
        writeln!(out, "{}", Words { look, x, y: HEADS + HEAD - 6.0, text: unit })?;
        for &(y, ns) in &times {
            writeln!(out, "{}", Words { look, x, y: y + 3.5, text: &self.clock(ns) })?;
        }
        out.write_str("</g>\n")
    }

    /// The times that are told, and how far down.
    fn times(&self) -> Vec<(f64, u64)> {
        let rows = &self.rows.rows;
        let of_rows = &self.heights.of_rows;
        let Some(per_ns) = self.heights.per_ns else {
            return of_rows.iter().zip(rows).map(|(&y, row)| (y, row.at_ns)).collect();
        };
        let step = step_of_time(48.0 / per_ns);
        let mut times: Vec<(f64, u64)> = Vec::new();
        let mut breaks = self.heights.breaks.iter().map(|cut| cut.before).peekable();
        for i in 1..rows.len() {
            if breaks.next_if_eq(&i).is_some() {
                continue;
            }
            let (from, to) = (rows[i - 1].at_ns, rows[i].at_ns);
            let mut at = from.div_ceil(step).saturating_mul(step);
            while at < to {
                let y = of_rows[i - 1] + (at - from) as f64 * per_ns;
                if times.last().is_none_or(|&(last, _)| y - last > SMALL + 2.0) {
                    times.push((y, at));
                }
                at = at.saturating_add(step);
            }
        }
        times
    }

    fn in_seconds(&self) -> bool {
        self.timeline.span_ns >= 100_000_000_000
    }

    /// What the axis counts.
    fn unit(&self) -> &'static str {
        if self.in_seconds() { "s" } else { "ms" }
    }

    fn clock(&self, ns: u64) -> String {
        milliseconds(if self.in_seconds() { ns / 1_000 } else { ns })
    }

    /// When something was, as the axis has it.
    fn at(&self, ns: u64) -> String {
        format!("at {} {}", self.clock(ns), self.unit())
    }

    /// From the first record of a lane to its last it is known to live; before and after, nothing is known.
    fn write_lifelines(&self, out: &mut impl Write) -> fmt::Result {
        let mut lives: Vec<Option<(f64, f64)>> = vec![None; self.lanes.len()];
        for (i, call) in self.timeline.calls.iter().enumerate() {
            let (began, returned) = (self.began(i), self.returned(i));
            let life = lives[call.lane].get_or_insert((began, returned));
            *life = (life.0.min(began), life.1.max(returned));
        }
        for ((lane, x), life) in self.timeline.lanes.iter().zip(&self.lanes).zip(lives) {
            let (x, top, foot) = (Tenths(*x), HEADS + HEAD, Tenths(self.foot));
            let (class, ink) = (role(lane), role_ink(lane));
            if lane.thread.is_none() {
                let line = dashed(ink, 1.3, "7 6");
                writeln!(out, "<path class=\"unseen\" {line} d=\"M{x} {top}V{foot}\"/>")?;
                continue;
            }
            writeln!(out, "<path {} d=\"M{x} {top}V{foot}\"/>", dashed(THIN, 1.3, "1 3"))?;
            if let Some((from, to)) = life {
                let (from, to) = (Tenths(from), Tenths(to));
                let line = drawn(ink, 1.6);
                writeln!(out, "<path class=\"life {class}\" {line} d=\"M{x} {from}V{to}\"/>")?;
            }
        }
        Ok(())
    }

    /// As wide as their words, where there is room on both sides.
    fn head_widths(&self) -> Vec<f64> {
        let (lanes, heads) = (&self.lanes, &self.timeline.lanes);
        let wanted: Vec<f64> = heads.iter().map(head_width).collect();
        // Half of what one of two neighbours can have.
        let beside = |i: usize, other: usize| {
            let gap = (lanes[i] - lanes[other]).abs() - 10.0;
            (gap - wanted[other] / 2.0).max(gap / 2.0)
        };
        let half = |i: usize| {
            let left = i.checked_sub(1).map_or(lanes[i] - MARGIN - AXIS, |left| beside(i, left));
            let right = i + 1;
            let end = self.width - MARGIN - lanes[i];
            let right = if right < lanes.len() { beside(i, right) } else { end };
            (wanted[i] / 2.0).min(left).min(right)
        };
        (0..lanes.len()).map(|i| 2.0 * half(i)).collect()
    }

    fn write_heads(&self, out: &mut impl Write, y: f64) -> fmt::Result {
        let (lanes, widths) = (&self.lanes, self.head_widths());
        for (i, lane) in self.timeline.lanes.iter().enumerate() {
            let width = widths[i];
            let fitting = |text: &str, size| {
                cut(text, ((width - 8.0) / columns(1, size)) as usize, "…").into_owned()
            };
            let (unseen, dashes) = match lane.thread {
                None => (" outside", " stroke-dasharray=\"5 4\""),
                Some(_) => ("", ""),
            };
            writeln!(
                out,
                "<g class=\"head {}{unseen}\" text-anchor=\"middle\"><title>{}: {}</title>\
                 <rect fill=\"{RAISED}\" stroke=\"{ink}\" stroke-width=\"1.5\"{dashes} \
                 x=\"{}\" y=\"{}\" width=\"{}\" height=\"{HEAD}\" rx=\"4\"/>\
                 <text font-weight=\"bold\" x=\"{x}\" y=\"{}\"{}\
                 <text class=\"small\" font-size=\"{SMALL}\" fill=\"{DIM}\" x=\"{x}\" y=\"{}\"{}</g>",
                role(lane),
                Markup(&lane.name),
                Markup(&lane.detail),
                Tenths(lanes[i] - width / 2.0),
                Tenths(y),
                Tenths(width),
                Tenths(y + 14.5),
                Said(&fitting(&lane.name, FONT)),
                Tenths(y + 27.5),
                Said(&fitting(&lane.detail, SMALL)),
                x = Tenths(lanes[i]),
                ink = role_ink(lane),
            )?;
        }
        Ok(())
    }

    /// What tells of a call when the mouse rests on it, its bar and its mark. The element stays open.
    fn write_call_start(&self, out: &mut impl Write, i: usize) -> fmt::Result {
        let call = &self.timeline.calls[i];
        let lane = &self.timeline.lanes[call.lane];
        let x = self.lanes[call.lane];
        let (began, returned) = (self.began(i), self.returned(i));
        let note = if call.record.kind == Kind::Note { "note" } else { "call" };
        let failed = if call.failed() { " failed" } else { "" };
        write!(out, "<g class=\"{note} {}{failed}\"><title>", role(lane))?;
        self.write_tooltip(out, call, lane)?;
        out.write_str("</title>")?;
        if self.is_bar(i) {
            let look = bar(call.times > 1);
            let height = Tenths((returned - began).max(1.5));
            let (x, y, width) = (Tenths(x - BAR), Tenths(began), 2.0 * BAR);
            write!(
                out,
                "<rect {look} x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
            )?;
        }
        let mark = match call.record.kind {
            Kind::Note => Mark::Note,
            _ if call.failed() => Mark::Failed,
            _ if call.record.ret == Some(-1) && call.times == 1 => Mark::Later,
            _ if self.is_bar(i) => return Ok(()),
            _ => Mark::Done,
        };
        mark.write(out, role_ink(lane), x, returned)
    }

    fn write_tooltip(&self, out: &mut impl Write, call: &Call, lane: &Lane) -> fmt::Result {
        let record = &call.record;
        let at = self.at(call.from_ns);
        if record.kind == Kind::Note {
            return write!(out, "{}, {at}: {}", Markup(&lane.name), Markup(&record.asked()));
        }
        let took = duration(call.took_ns());
        write!(out, "{}, {at}, took {took}", Markup(&lane.name))?;
        if call.times > 1 {
            write!(out, ": {} calls, of which the last", grouped(call.times))?;
        }
        write!(out, "\n{}", Markup(&record.strace()))?;
        match &record.state {
            Some(state) => write!(out, "\n{}", Markup(state)),
            None => Ok(()),
        }
    }

    /// Where a label's tag begins, if it has one, where its words begin and where they end.
    fn across(&self, label: &Label) -> (f64, f64, f64) {
        let x = self.lanes[self.timeline.calls[label.call].lane];
        let tag = label.side.away(x, self.offset);
        let text = label.side.away(tag, label.tag_width());
        (tag, text, label.side.away(tag, label.width()))
    }

    fn write_label(&self, out: &mut impl Write, label: &Label) -> fmt::Result {
        let x = self.lanes[self.timeline.calls[label.call].lane];
        let (tag_x, text_x, end) = self.across(label);
        if is_moved(label) {
            let (from, to) = (label.side.away(x, TIP), label.side.away(tag_x, -2.0));
            let (from, to) = (Tenths(from), Tenths(to));
            let (mark, y) = (Tenths(label.mark), Tenths(label.y));
            let line = drawn(THIN, 1.0);
            write!(out, "<path class=\"leader\" {line} d=\"M{from} {mark}L{to} {y}\"/>")?;
        }
        if label.width() <= label.tag_width() && label.more.is_empty() {
            return self.write_label_tag(out, label, tag_x);
        }
        // What lies below the words is seen through their ground.
        let (left, width) = (text_x.min(end), (end - text_x).abs());
        let (left, width) = (Tenths(left - 1.0), Tenths(width + 2.0));
        let (up, height) = (Tenths(label.y - label.height() / 2.0 + 1.0), label.height() - 2.0);
        write!(
            out,
            "<rect fill=\"{PAPER}\" fill-opacity=\".8\" x=\"{left}\" y=\"{up}\" \
             width=\"{width}\" height=\"{height}\"/>"
        )?;
        self.write_label_tag(out, label, tag_x)?;
        let call = &self.timeline.calls[label.call];
        let look = match call.record.kind {
            Kind::Note => format!(" font-style=\"italic\" fill=\"{DIM}\""),
            _ if call.failed() => format!(" fill=\"{ERROR}\""),
            _ => String::new(),
        };
        let time = format!(" class=\"time\" font-weight=\"bold\" fill=\"{WAIT}\"");
        let top = label.y - label.height() / 2.0 + LINE / 2.0 + 4.0;
        let mut write = |text: &str, before: usize, y: f64, look: &str| {
            // No two programs agree on spaces that lead a text.
            let trimmed = text.trim_start();
            let led = if label.side == Side::Left { 0 } else { text.len() - trimmed.len() };
            let x = Tenths(label.side.away(text_x, columns(before + led, FONT)));
            let (anchor, y, text) = (label.side.anchor(), Tenths(y), trimmed);
            write!(out, "<text{look}{anchor} x=\"{x}\" y=\"{y}\"{}", Said(text))
        };
        if label.time.is_empty() {
            write(&format!("{}{}", label.asked, label.answered), 0, top, &look)?;
        } else {
            // Three texts, for not every program can place runs of one text that ends at a point.
            let mut parts = [(&label.asked, &look), (&label.time, &time), (&label.answered, &look)];
            if label.side == Side::Left {
                parts.reverse();
            }
            let mut before = 0;
            for (text, look) in parts.into_iter().filter(|(text, _)| !text.is_empty()) {
                write(text, before, top, look)?;
                before += wide(text);
            }
        }
        for (line, nth) in label.more.iter().zip(1u8..) {
            write(line, 0, top + LINE * f64::from(nth), &look)?;
        }
        Ok(())
    }

    fn write_label_tag(&self, out: &mut impl Write, label: &Label, x: f64) -> fmt::Result {
        match &label.tag {
            Some(tag) => write_tag(out, tag, x.min(label.side.away(x, tag_width(tag))), label.y),
            None => Ok(()),
        }
    }

    /// The two ends of an arrow; one that ends nowhere ends in the air.
    fn ends(&self, arrow: &Arrow) -> ((f64, f64), (f64, f64)) {
        let height = |tip: &Tip| {
            let call = tip.call?;
            let early = tip.at_ns <= self.timeline.calls[call].from_ns;
            Some(if early { self.began(call) } else { self.returned(call) })
        };
        let place = |tip: &Tip, other: Option<&Tip>| {
            // A side that was not watched tells no time: the arrow lies flat.
            let y = height(tip).or(other.and_then(height)).unwrap_or(HEADS + HEAD);
            (self.lanes[tip.lane], y)
        };
        match (&arrow.from, &arrow.to) {
            (Some(from), Some(to)) => {
                let ((x1, y1), (x2, y2)) = (place(from, Some(to)), place(to, Some(from)));
                let side = if x2 >= x1 { Side::Right } else { Side::Left };
                ((side.away(x1, TIP), y1), (side.away(x2, -TIP), y2))
            }
            (Some(from), None) => {
                let ((x, y), side) = (place(from, None), self.outward(from));
                ((side.away(x, TIP), y), (side.away(x, LOST), y + 0.6 * UNIT))
            }
            (None, Some(to)) => {
                let ((x, y), side) = (place(to, None), self.outward(to));
                ((side.away(x, LOST), y - 0.6 * UNIT), (side.away(x, TIP), y))
            }
            (None, None) => ((0.0, 0.0), (0.0, 0.0)),
        }
    }

    /// Towards the others.
    fn outward(&self, tip: &Tip) -> Side {
        towards_others(&self.timeline.lanes[tip.lane])
    }

    fn write_arrow(&self, out: &mut impl Write, arrow: &Arrow) -> fmt::Result {
        let Some(by) = arrow.from.or(arrow.to) else { return Ok(()) };
        let ink = arrow_ink(arrow.kind, role_ink(&self.timeline.lanes[by.lane]));
        let (from, to) = self.ends(arrow);
        write!(out, "{}<title>", arrow_start(arrow.kind, ink))?;
        self.write_arrow_tooltip(out, arrow)?;
        out.write_str("</title>")?;
        let of_one_lane = arrow.from.zip(arrow.to).filter(|(from, to)| from.lane == to.lane);
        if let Some((tip, _)) = of_one_lane {
            // From a process to itself: around the outside.
            let x = self.lanes[tip.lane];
            let (near, far) = (Tenths(x + TIP), Tenths(x + 3.0 * TIP));
            let (y1, y2) = (Tenths(from.1), Tenths(to.1));
            let dashes = dashes(arrow.kind);
            write!(out, "<path{dashes} d=\"M{near} {y1}C{far} {y1} {far} {y2} {near} {y2}\"/>")?;
            write_head(out, arrow.kind, ink, (x + 2.0 * TIP, to.1), (x + TIP, to.1))?;
        } else {
            write_line(out, arrow.kind, ink, from, to, arrow.to.is_some())?;
            if arrow.from.is_none() {
                write!(out, "{}", Dot { fill: PAPER, x: from.0, y: from.1, radius: 3.0 })?;
            }
        }
        out.write_str("</g>\n")
    }

    fn write_arrow_tooltip(&self, out: &mut impl Write, arrow: &Arrow) -> fmt::Result {
        let bytes = counted(arrow.bytes.unwrap_or_default(), "byte");
        match arrow.kind {
            ArrowKind::Connect => out.write_str("a connection"),
            ArrowKind::Bytes => out.write_str(&bytes),
            ArrowKind::Datagram => write!(out, "a datagram of {bytes}"),
            ArrowKind::End => out.write_str("the end of the stream"),
            ArrowKind::Reset => out.write_str("the reset of the connection"),
            ArrowKind::Fork => out.write_str("a copy of the process"),
        }?;
        for (word, tip) in [("from", &arrow.from), ("to", &arrow.to)] {
            let Some(tip) = tip else {
                let unknown = if word == "to" { "never received" } else { "its sender is unknown" };
                write!(out, "\n{unknown}")?;
                continue;
            };
            let lane = &self.timeline.lanes[tip.lane];
            write!(out, "\n{word} {}: ", Markup(&lane.name))?;
            match tip.call {
                Some(call) => {
                    let call = headline(&self.timeline.calls[call]);
                    write!(out, "{}, {}", Markup(&call), self.at(tip.at_ns))?;
                }
                None => out.write_str(Markup(&lane.detail).to_string().as_str())?,
            }
        }
        Ok(())
    }

    /// What an arrow says, in a word.
    fn arrow_word(&self, arrow: &Arrow) -> String {
        let tcp = [&arrow.from, &arrow.to].into_iter().flatten().any(|tip| {
            let peer = tip.call.and_then(|call| self.timeline.calls[call].record.peer.as_deref());
            peer.is_some_and(|peer| peer.parse::<std::net::SocketAddr>().is_ok())
        });
        let bytes = counted(arrow.bytes.unwrap_or_default(), "byte");
        let word = match arrow.kind {
            ArrowKind::Connect => "connects",
            ArrowKind::Bytes | ArrowKind::Datagram => &bytes,
            ArrowKind::End if tcp => "FIN",
            ArrowKind::End => "end",
            ArrowKind::Reset => "RST",
            ArrowKind::Fork => "fork",
        };
        match (arrow.kind, arrow.to) {
            (_, Some(_)) => word.to_owned(),
            (ArrowKind::Connect, None) => format!("{word}: never accepted"),
            (_, None) => format!("{word}: never received"),
        }
    }

    /// Puts the word of each arrow on its line, where nothing else stands; one that finds no place is left
    /// to the tooltip.
    fn place_arrow_words(&self) -> Vec<(String, f64, f64)> {
        let mut taken = Taken::default();
        for label in &self.labels {
            let (from, _, to) = self.across(label);
            let half = label.height() / 2.0;
            taken.take([from.min(to), label.y - half, from.max(to), label.y + half]);
        }
        for (y, _) in self.breaks() {
            taken.take_across(y - 7.0, y + 7.0);
        }
        let mut words = Vec::new();
        for arrow in &self.timeline.arrows {
            let word = self.arrow_word(arrow);
            let half = columns(wide(&word), SMALL) / 2.0;
            let frame = |(x, y): (f64, f64)| [x - half - 2.0, y - 6.0, x + half + 2.0, y + 6.0];
            let place = self
                .places_on(arrow, half)
                .into_iter()
                .find(|&place| self.is_between_lanes(frame(place)) && taken.is_free(frame(place)));
            if let Some((x, y)) = place {
                taken.take(frame((x, y)));
                words.push((word, x, y));
            }
        }
        words
    }

    /// Places for a word of this half width on an arrow, the best one first.
    fn places_on(&self, arrow: &Arrow, half: f64) -> Vec<(f64, f64)> {
        let ((x1, y1), (x2, y2)) = self.ends(arrow);
        let (Some(from), Some(to)) = (arrow.from, arrow.to) else {
            // Beyond the end in the air, or before the beginning there.
            let (tip, (x, y)) =
                if arrow.to.is_none() { (arrow.from, (x2, y2)) } else { (arrow.to, (x1, y1)) };
            let side = tip.map_or(Side::Right, |tip| self.outward(&tip));
            let beyond = side.away(x, half + 10.0);
            return vec![(beyond, y), (beyond, y - 12.0), (beyond, y + 12.0)];
        };
        if from.lane == to.lane {
            let x = self.lanes[from.lane] + 3.0 * TIP + half;
            return vec![(x, (y1 + y2) / 2.0)];
        }
        // Far from where it begins nobody would look for the word of an arrow.
        let gaps: Vec<usize> = match from.lane < to.lane {
            true => (from.lane..to.lane).take(GAPS).collect(),
            false => (to.lane..from.lane).rev().take(GAPS).collect(),
        };
        let mut places = Vec::with_capacity(6 * gaps.len());
        for gap in gaps {
            // Nearer to its beginning than to its end, where the arrows into one recv come together.
            let (left, right) = (self.lanes[gap] + 16.0 + half, self.lanes[gap + 1] - 16.0 - half);
            let (near, far) = if from.lane < to.lane { (left, right) } else { (right, left) };
            for part in [0.2, 0.4, 0.0, 0.6, 0.8, 1.0] {
                let x = near + (far - near) * part;
                let y = y1 + (y2 - y1) * (x - x1) / (x2 - x1);
                places.push((x, y));
            }
        }
        places
    }

    fn is_between_lanes(&self, [left, _, right, _]: [f64; 4]) -> bool {
        let next = self.lanes.partition_point(|&lane| lane < left);
        left > MARGIN + AXIS
            && right < self.width
            && self.lanes.get(next).is_none_or(|&lane| lane > right)
    }

    fn breaks(&self) -> impl Iterator<Item = (f64, u64)> {
        let of_rows = &self.heights.of_rows;
        let middle = |before: usize| (of_rows[before - 1] + of_rows[before]) / 2.0;
        self.heights.breaks.iter().map(move |cut| (middle(cut.before), cut.ns))
    }

    /// A torn strip across everything, and how long nothing happened.
    fn write_breaks(&self, out: &mut impl Write) -> fmt::Result {
        let mut breaks = self.breaks().peekable();
        if breaks.peek().is_none() {
            return Ok(());
        }
        let (left, right) = (MARGIN + AXIS - 8.0, self.width - MARGIN);
        let teeth = ((right - left) / 12.0).floor() as usize;
        let (there, back) = ("l6 -4 6 4".repeat(teeth), "l-6 -4 -6 4".repeat(teeth));
        writeln!(
            out,
            "<defs><g id=\"cut\"><path fill=\"{PAPER}\" d=\"M{left} -3{there}v6{back}z\"/>\
             <path fill=\"none\" stroke=\"{DIM}\" d=\"M{left} -3{there}M{left} 3{there}\"/></g></defs>"
        )?;
        for (y, ns) in breaks {
            let (x, text) = (MARGIN + AXIS - 12.0, duration(ns));
            let (middle, y) = (Tenths(y + 3.5), Tenths(y));
            writeln!(
                out,
                "<use xlink:href=\"#cut\" y=\"{y}\"/><text class=\"small axis cut\" font-size=\"{SMALL}\" \
                 text-anchor=\"end\" font-weight=\"bold\" fill=\"{WAIT}\" x=\"{x}\" y=\"{middle}\">{text}</text>"
            )?;
        }
        Ok(())
    }
}

/// What the shapes mean: those that occur.
#[derive(Default)]
struct Legend {
    svg: String,
    x: f64,
    height: f64,
}

impl Legend {
    fn add(&mut self, width: f64, shape: &str, words: &str) -> fmt::Result {
        const SHAPE: f64 = 46.0;
        let needed = SHAPE + columns(wide(words), SMALL);
        if self.x > 0.0 && self.x + needed > width {
            (self.x, self.height) = (0.0, self.height + 20.0);
        }
        let (x, y) = (Tenths(self.x), Tenths(self.height));
        writeln!(
            self.svg,
            "<g transform=\"translate({x} {y})\">{shape}<text class=\"small\" font-size=\"{SMALL}\" x=\"{SHAPE}\" y=\"3.5\">{words}</text></g>"
        )?;
        self.x += needed + 22.0;
        Ok(())
    }
}

impl Figure<'_> {
    fn legend(&self) -> Result<Legend, fmt::Error> {
        let calls = &self.timeline.calls;
        let (mut legend, width) = (Legend::default(), self.width - 2.0 * MARGIN);
        let is_call = |call: &Call| call.record.kind == Kind::Call;
        let ordinary = |call: &Call| call.record.ret == Some(-1) && !call.failed();
        let occurs = |what: &dyn Fn(usize, &Call) -> bool| {
            calls.iter().enumerate().any(|(i, call)| what(i, call))
        };
        let bar =
            |again| format!("<rect {} x=\"0\" y=\"-4.5\" width=\"36\" height=\"9\"/>", bar(again));
        let mark = |mark: Mark| {
            let mut shape = String::new();
            mark.write(&mut shape, SERVER, 18.0, 0.0).map(|()| shape)
        };
        let mut add = |occurs: bool, shape: &str, words: &str| match occurs {
            true => legend.add(width, shape, words),
            false => Ok(()),
        };
        add(
            occurs(&|i, call| is_call(call) && !self.is_bar(i) && call.record.ret != Some(-1)),
            &mark(Mark::Done)?,
            "a call that returned at once",
        )?;
        add(
            occurs(&|i, call| self.is_bar(i) && call.times == 1),
            &bar(false),
            "a call, as long as it lasted",
        )?;
        add(
            occurs(&|_, call| call.times > 1),
            &bar(true),
            "call upon call that found nothing (EAGAIN)",
        )?;
        add(
            occurs(&|_, call| ordinary(call) && call.times == 1),
            &mark(Mark::Later)?,
            "a call that ended without a result, as it may",
        )?;
        add(occurs(&|_, call| call.failed()), &mark(Mark::Failed)?, "a call that failed")?;
        add(occurs(&|_, call| !is_call(call)), &mark(Mark::Note)?, "a note")?;
        let mut tag = String::new();
        write_tag(&mut tag, "STATE", 0.0, 0.0)?;
        add(occurs(&|_, call| call.state.is_some()), &tag, "the state of TCP from here on")?;
        for (kind, words) in [
            (ArrowKind::Fork, "a process is copied"),
            (ArrowKind::Connect, "a connection, from connect to accept"),
            (ArrowKind::Bytes, "bytes of a stream, from send to recv"),
            (ArrowKind::Datagram, "a datagram"),
            (ArrowKind::End, "the end of a stream, to the recv that returns 0"),
            (ArrowKind::Reset, "a connection is reset"),
        ] {
            let arrows = &self.timeline.arrows;
            let ink = arrow_ink(kind, SERVER);
            let mut shape = arrow_start(kind, ink);
            write_line(&mut shape, kind, ink, (0.0, 0.0), (36.0, 0.0), true)?;
            add(arrows.iter().any(|arrow| arrow.kind == kind), &(shape + "</g>"), words)?;
        }
        let mut lost = arrow_start(ArrowKind::Bytes, SERVER);
        write_line(&mut lost, ArrowKind::Bytes, SERVER, (0.0, 0.0), (32.0, 0.0), false)?;
        let arrows = &self.timeline.arrows;
        add(arrows.iter().any(|a| a.to.is_none()), &(lost + "</g>"), "sent, and never received")?;
        add(
            arrows.iter().any(|arrow| arrow.from.is_none()),
            &format!(
                "{}<circle fill=\"{PAPER}\" cx=\"3\" cy=\"0\" r=\"3\"/><path d=\"M6 0H36\"/></g>",
                arrow_start(ArrowKind::Bytes, SERVER)
            ),
            "received, and nobody was seen to send it",
        )?;
        add(
            self.timeline.lanes.iter().any(|lane| lane.thread.is_none()),
            &format!("<path {} d=\"M0 0H36\"/>", dashed(SERVER, 1.3, "7 6")),
            "not observed: no trace of this side",
        )?;
        add(
            !self.heights.breaks.is_empty(),
            &format!(
                "<path {} d=\"M0 -1l6 -4 6 4 6 -4 6 4 6 -4 6 4M0 5l6 -4 6 4 6 -4 6 4 6 -4 6 4\"/>",
                drawn(DIM, 1.0)
            ),
            "time is left out, as long as the figure says",
        )?;
        legend.height += 12.0;
        Ok(legend)
    }
}

/// Boxes that hold something, by the cells of a grid: so a look at one place costs the same in a picture of
/// any size.
#[derive(Default)]
struct Taken {
    cells: HashMap<(i64, i64), Vec<[f64; 4]>>,
    /// What goes across the whole picture, from this height to that, by strips of height.
    strips: HashMap<i64, Vec<[f64; 2]>>,
}

impl Taken {
    const CELL: f64 = 40.0;

    fn cells(from: f64, to: f64) -> impl Iterator<Item = i64> + Clone {
        (from / Taken::CELL).floor() as i64..=(to / Taken::CELL).floor() as i64
    }

    fn take(&mut self, frame @ [left, top, right, foot]: [f64; 4]) {
        for y in Taken::cells(top, foot) {
            for x in Taken::cells(left, right) {
                self.cells.entry((x, y)).or_default().push(frame);
            }
        }
    }

    fn take_across(&mut self, top: f64, foot: f64) {
        for y in Taken::cells(top, foot) {
            self.strips.entry(y).or_default().push([top, foot]);
        }
    }

    fn is_free(&self, [left, top, right, foot]: [f64; 4]) -> bool {
        let below_or_above = |&[from, to]: &[f64; 2]| from >= foot || to <= top;
        let apart = |a: &[f64; 4]| a[0] >= right || a[2] <= left || below_or_above(&[a[1], a[3]]);
        Taken::cells(top, foot).all(|y| {
            self.strips.get(&y).is_none_or(|strips| strips.iter().all(below_or_above))
                && Taken::cells(left, right)
                    .all(|x| self.cells.get(&(x, y)).is_none_or(|boxes| boxes.iter().all(apart)))
        })
    }
}

/// On which side of its lifeline each call has its words: where its own arrows are not, if it can be.
fn sides(timeline: &Timeline) -> Vec<Side> {
    let mut of_calls: Vec<[bool; 2]> = vec![[false; 2]; timeline.calls.len()];
    let mut of_lanes: Vec<[usize; 2]> = vec![[0; 2]; timeline.lanes.len()];
    for arrow in &timeline.arrows {
        for (tip, other) in [(arrow.from, arrow.to), (arrow.to, arrow.from)] {
            let Some(tip) = tip else { continue };
            let right = match other {
                Some(other) => other.lane >= tip.lane,
                None => towards_others(&timeline.lanes[tip.lane]) == Side::Right,
            };
            of_lanes[tip.lane][usize::from(right)] += 1;
            if let Some(call) = tip.call {
                of_calls[call][usize::from(right)] = true;
            }
        }
    }
    let several = timeline.lanes.len() > 1;
    let usual: Vec<Side> = of_lanes
        .iter()
        .enumerate()
        .map(|(lane, [left, right])| match right.cmp(left) {
            std::cmp::Ordering::Greater => Side::Left,
            std::cmp::Ordering::Less => Side::Right,
            std::cmp::Ordering::Equal if lane == 0 && several => Side::Left,
            std::cmp::Ordering::Equal => Side::Right,
        })
        .collect();
    let side = |(arrows, call): (&[bool; 2], &Call)| match arrows {
        [true, false] => Side::Right,
        [false, true] => Side::Left,
        _ => usual[call.lane],
    };
    of_calls.iter().zip(&timeline.calls).map(side).collect()
}

/// Servers stand left, clients right.
fn towards_others(lane: &Lane) -> Side {
    if lane.role == "server" { Side::Right } else { Side::Left }
}

/// Whether a label stands so far from its mark that a line has to lead to it.
fn is_moved(label: &Label) -> bool {
    (label.y - label.mark).abs() > 3.0
}

/// The answer, and how often it was the same.
fn answer(call: &Call) -> String {
    match call.times {
        1 => call.record.answered(),
        times => format!("{} × {}", call.record.answered(), grouped(times)),
    }
}

fn led_by(sign: &str, text: String) -> String {
    if text.is_empty() { text } else { format!("{sign}{text}") }
}

/// As wide as so many columns of a font are, at most.
fn columns(n: usize, size: f64) -> f64 {
    n as f64 * size * COLUMN
}

fn tag_width(tag: &str) -> f64 {
    columns(wide(tag), SMALL) + 8.0
}

fn head_width(lane: &Lane) -> f64 {
    columns(wide(&lane.name), FONT).max(columns(wide(&lane.detail), SMALL)) + 14.0
}

/// Narrows the widest gaps, until all of them fit into the widest picture.
fn limit(gaps: &mut [f64]) {
    let mut sorted = gaps.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut left = WIDEST;
    for (i, &gap) in sorted.iter().enumerate() {
        let share = left / (sorted.len() - i) as f64;
        if gap > share {
            let most = share.max(NARROWEST);
            gaps.iter_mut().for_each(|gap| *gap = gap.min(most));
            return;
        }
        left -= gap;
    }
}

/// A round number of nanoseconds, of at least this many: a microsecond or more, for which times are written.
fn step_of_time(least: f64) -> u64 {
    round_step(least.max(1_000.0))
}

fn role(lane: &Lane) -> &'static str {
    if lane.role == "server" { "server" } else { "client" }
}

fn role_ink(lane: &Lane) -> Ink {
    if lane.role == "server" { SERVER } else { CLIENT }
}

fn arrow_ink(kind: ArrowKind, ink: Ink) -> Ink {
    if kind == ArrowKind::Reset { ERROR } else { ink }
}

/// The look of a line.
fn drawn(ink: Ink, width: f64) -> String {
    format!("fill=\"none\" stroke=\"{ink}\" stroke-width=\"{width}\"")
}

fn dashed(ink: Ink, width: f64, dashes: &str) -> String {
    format!("{} stroke-dasharray=\"{dashes}\"", drawn(ink, width))
}

/// The look of a bar: of one call, or of call upon call.
fn bar(again: bool) -> String {
    let (class, fill) = match again {
        true => ("bar again", "url(#again)".to_owned()),
        false => ("bar", WAITED.to_string()),
    };
    format!("class=\"{class}\" fill=\"{fill}\" stroke=\"{WAIT}\" stroke-width=\"1.3\"")
}

/// What stands on a lifeline where a call returned.
enum Mark {
    Done,
    /// It ended without a result, as it may.
    Later,
    Failed,
    Note,
}

impl Mark {
    fn write(&self, out: &mut impl Write, ink: Ink, x: f64, y: f64) -> fmt::Result {
        let (left, top) = (Tenths(x - 4.0), Tenths(y - 4.0));
        let (x, y) = (Tenths(x), Tenths(y));
        match self {
            Mark::Done => write!(
                out,
                "<circle class=\"mark\" fill=\"{ink}\" stroke=\"{ink}\" cx=\"{x}\" cy=\"{y}\" r=\"3\"/>"
            ),
            Mark::Later => write!(
                out,
                "<circle class=\"mark\" fill=\"{PAPER}\" stroke=\"{WAIT}\" stroke-width=\"1.6\" \
                 cx=\"{x}\" cy=\"{y}\" r=\"3.5\"/>"
            ),
            Mark::Failed => {
                let look = drawn(ERROR, 2.2);
                write!(out, "<path class=\"mark\" {look} d=\"M{left} {top}l8 8m0 -8l-8 8\"/>")
            }
            Mark::Note => write!(
                out,
                "<path class=\"mark\" fill=\"{PAPER}\" stroke=\"{ink}\" d=\"M{left} {y}l4 -4 4 4-4 4z\"/>"
            ),
        }
    }
}

/// What begins an arrow: its parts have its look, if they have none of their own.
fn arrow_start(kind: ArrowKind, ink: Ink) -> String {
    format!("<g class=\"arrow {}\" {}>", kind_class(kind), drawn(ink, 1.3))
}

/// The dashes of an arrow's line, as an attribute of the line alone: not every program lets a part of a
/// dashed group be whole again, and a dashed head is no head.
fn dashes(kind: ArrowKind) -> &'static str {
    match kind {
        ArrowKind::Datagram => " stroke-dasharray=\"6 4\"",
        ArrowKind::Fork => " stroke-dasharray=\"2 3\"",
        _ => "",
    }
}

fn kind_class(kind: ArrowKind) -> &'static str {
    match kind {
        ArrowKind::Connect => "connect",
        ArrowKind::Bytes => "bytes",
        ArrowKind::Datagram => "datagram",
        ArrowKind::End => "end",
        ArrowKind::Reset => "reset",
        ArrowKind::Fork => "fork",
    }
}

fn write_tag(out: &mut impl Write, tag: &str, left: f64, y: f64) -> fmt::Result {
    let width = tag_width(tag);
    write!(
        out,
        "<rect fill=\"{RAISED}\" stroke=\"{DIM}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"13\" rx=\"3\"/>\
         <text class=\"small tag\" font-size=\"{SMALL}\" text-anchor=\"middle\" x=\"{}\" y=\"{}\">{}</text>",
        Tenths(left),
        Tenths(y - 6.5),
        Tenths(width),
        Tenths(left + width / 2.0),
        Tenths(y + 3.5),
        Markup(tag)
    )
}

/// The line of an arrow, and its head, or the cross in the air.
fn write_line(
    out: &mut impl Write,
    kind: ArrowKind,
    ink: Ink,
    from: (f64, f64),
    to: (f64, f64),
    arrives: bool,
) -> fmt::Result {
    let end = if arrives && kind == ArrowKind::Connect { before(from, to, 9.0, 0.0) } else { to };
    let (x1, y1, x2, y2) = (Tenths(from.0), Tenths(from.1), Tenths(end.0), Tenths(end.1));
    write!(out, "<path{} d=\"M{x1} {y1}L{x2} {y2}\"/>", dashes(kind))?;
    if arrives {
        return write_head(out, kind, ink, from, to);
    }
    let (x, y) = (Tenths(to.0 - 5.0), Tenths(to.1 - 5.0));
    let look = drawn(ERROR, 2.2);
    write!(out, "<path class=\"lost\" {look} d=\"M{x} {y}l10 10m0 -10l-10 10\"/>")
}

/// The head of an arrow: each kind has its own.
fn write_head(
    out: &mut impl Write,
    kind: ArrowKind,
    ink: Ink,
    from: (f64, f64),
    to: (f64, f64),
) -> fmt::Result {
    let point = |back: f64, aside: f64| {
        let (x, y) = before(from, to, back, aside);
        format!("{} {}", Tenths(x), Tenths(y))
    };
    let (tip, left, right) = (point(0.0, 0.0), point(9.0, 4.0), point(9.0, -4.0));
    let whole = format!("M{left}L{tip}L{right}z");
    let (fill, path) = match kind {
        ArrowKind::Bytes => (ink.to_string(), whole),
        ArrowKind::Connect => (PAPER.to_string(), whole),
        ArrowKind::End => {
            let (above, below) = (point(0.0, 6.0), point(0.0, -6.0));
            (ink.to_string(), format!("{whole}M{above}L{below}"))
        }
        ArrowKind::Reset => {
            let cross = [point(20.0, 5.0), point(10.0, -5.0), point(20.0, -5.0), point(10.0, 5.0)];
            let [a, b, c, d] = cross;
            (ink.to_string(), format!("{whole}M{a}L{b}M{c}L{d}"))
        }
        ArrowKind::Datagram | ArrowKind::Fork => {
            ("none".to_owned(), format!("M{left}L{tip}L{right}"))
        }
    };
    write!(out, "<path fill=\"{fill}\" d=\"{path}\"/>")
}

/// A point as far before the end of a line, and as far aside from it.
fn before(from: (f64, f64), to: (f64, f64), back: f64, aside: f64) -> (f64, f64) {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(0.01);
    let (dx, dy) = (dx / length, dy / length);
    (to.0 - back * dx - aside * dy, to.1 - back * dy + aside * dx)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_widest_gaps_are_narrowed_and_only_if_there_is_not_room_for_all() {
        let mut few = [100.0, 900.0, 1_000.0];
        limit(&mut few);
        assert_eq!(few, [100.0, 900.0, 1_000.0]);
        let mut more = [100.0, 900.0, 2_000.0, 2_000.0];
        limit(&mut more);
        assert_eq!(more[0], 100.0);
        assert!((more.iter().sum::<f64>() - WIDEST).abs() < 0.1, "{more:?}");
        let mut many = [500.0; 64];
        limit(&mut many);
        assert_eq!(many, [NARROWEST; 64]);
    }

    #[test]
    fn steps_of_time_are_round() {
        let steps = [1.0, 1_000.1, 2_400.0, 5_000.0, 70_000.0].map(step_of_time);
        assert_eq!(steps, [1_000, 2_000, 5_000, 5_000, 100_000]);
    }
}
