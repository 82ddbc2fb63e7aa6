//! The picture for the terminal: lifelines, and time downwards.
//!
//! ```text
//!       ms  server                           client A
//!
//!    4.512  ┃   accept(3)                    ·
//!   31.570  ┃                                │ socket TCP (IPv4) → fd 3
//!   32.389  ┃ ╭───────── connects ───────────┨ connect(3) 127.0.0.1:5858
//!   33.414  ┃◀╯ accept(3) → fd 4             ┃
//! ```
//!
//! Where there are columns enough, what a call says stands beside its lifeline. Where there are not, the
//! lifelines stand close together, and what a call says stands right of them all, with its lane. And where
//! not even the lifelines fit, the calls are a list, and arrows are words.

mod line;
mod wires;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

use super::paper::Paper;
use super::rows::{Heights, Part};
use super::words::{headline, lost, took, unseen, went};
use super::{Arrow, ArrowKind, Call, Row, Rows, Time, Timeline, View};
use line::{DOWN, Ink, LEFT, Line, RIGHT, THICK, UP};
use netplay_record::{Event, Kind, Text, Way};
use netplay_text::columns::{width, wrap};
use netplay_text::escape::{escape_unicode, escape_unsafe};
use netplay_text::say;
use netplay_text::words::{duration, grouped, milliseconds};
use wires::{Wire, Wires};

/// A lane beside whose lifeline calls are told has at least so many columns, and needs no more than so many.
const WIDE: (usize, usize) = (32, 64);

/// Where calls are told right of all lifelines, they have at least so many columns.
const TOLD: usize = 30;

/// From here on it is worth telling how long a call took.
const LONG_NS: u64 = 1_000_000;

/// Where time is true, no gap between two rows has more empty lines than this.
const MOST_EMPTY: usize = 12;

pub(super) fn draw(timeline: &Timeline, view: &View, to: &mut dyn Write) -> io::Result<()> {
    let rows = Rows::of(timeline);
    let wires = Wires::of(timeline, &rows);
    let sheet = Sheet::of(timeline, &wires, view);
    let mut painter = Painter::new(timeline, view, rows, wires, sheet, Paper::to(to));
    painter.paint();
    painter.paper.finish()
}

/// The call with what peers and traces say in ASCII; the words of the picture itself are seen to where they are written.
fn in_ascii(call: &Call) -> Call {
    let plain = |text: &Option<Text>| text.as_deref().map(|text| escape_unicode(text).into());
    let record = &call.record;
    let record = Event {
        data: plain(&record.data),
        local: plain(&record.local),
        peer: plain(&record.peer),
        text: plain(&record.text),
        ..Event::clone(record)
    };
    Call { record: record.into(), state: call.state.clone(), ..*call }
}

/// Where things stand on the page.
struct Sheet {
    form: Form,
    /// The column of each lane's lifeline.
    x: Vec<usize>,
    /// The columns of the time.
    time: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A call is told beside its lifeline, which has so many columns.
    Beside(usize),
    /// A call is told from this column on, right of all lifelines; so many are for its lane's name.
    Apart { from: usize, name: usize },
    /// There are no lifelines.
    List { name: usize },
}

impl Sheet {
    fn of(timeline: &Timeline, wires: &Wires, view: &View) -> Sheet {
        let time = milliseconds(timeline.span_ns).len().max(10);
        let left = time + 2;
        let lanes = timeline.lanes.len();
        let share = (view.columns.saturating_sub(left) / lanes.max(1)).min(WIDE.1);
        let label = |channels: &usize| share.saturating_sub(channels + 4);
        if share >= WIDE.0 && wires.channels.iter().all(|channels| label(channels) >= 22) {
            let x = (0..lanes).map(|lane| left + lane * share).collect();
            return Sheet { form: Form::Beside(share), x, time };
        }
        let mut at = left;
        let mut x = Vec::with_capacity(lanes);
        for &channels in &wires.channels {
            x.push(at);
            at += if channels == 0 { 3 } else { channels + 3 };
        }
        let name = short_names(timeline).iter().map(|name| width(name)).max().unwrap_or_default();
        let form = if at + name + 2 + TOLD <= view.columns {
            Form::Apart { from: at, name }
        } else {
            Form::List { name }
        };
        Sheet { form, x, time }
    }
}

/// The names of lanes without their process's, where they are different without it.
fn short_names(timeline: &Timeline) -> Vec<&str> {
    let names = || timeline.lanes.iter().map(|lane| lane.name.as_str());
    let short = names().map(|name| name.rsplit(", ").next().unwrap_or(name));
    let different: BTreeSet<&str> = short.clone().collect();
    if different.len() == timeline.lanes.len() { short.collect() } else { names().collect() }
}

struct Painter<'a> {
    timeline: &'a Timeline,
    view: &'a View,
    rows: Rows,
    wires: Wires,
    sheet: Sheet,
    names: Vec<&'a str>,
    /// The first and the last row of each lane.
    life: Vec<Option<(usize, usize)>>,
    /// The call that each lane is in.
    inside: Vec<Option<usize>>,
    /// For each lane how many arrows are on each of the ways down beside it.
    on_the_way: Vec<Vec<usize>>,
    /// Whether time was left out somewhere.
    cut: bool,
    /// How many lines there are since the last row began, its own included.
    since: usize,
    paper: Paper<'a>,
}

impl<'a> Painter<'a> {
    fn new(
        timeline: &'a Timeline,
        view: &'a View,
        rows: Rows,
        wires: Wires,
        sheet: Sheet,
        paper: Paper<'a>,
    ) -> Painter<'a> {
        let mut life = vec![None; timeline.lanes.len()];
        for (i, row) in rows.rows.iter().enumerate() {
            let (_, last) = life[timeline.calls[row.call].lane].get_or_insert((i, i));
            *last = i;
        }
        Painter {
            on_the_way: wires.channels.iter().map(|&n| vec![0; n]).collect(),
            inside: vec![None; timeline.lanes.len()],
            names: short_names(timeline),
            cut: false,
            since: 0,
            paper,
            timeline,
            view,
            rows,
            wires,
            sheet,
            life,
        }
    }

    fn paint(&mut self) {
        self.head();
        let heights = self.rows.heights(self.view.time, 1.0);
        for row in 0..self.rows.rows.len() {
            self.gap(row, &heights);
            if let Some(before) = row.checked_sub(1).map(|above| self.rows.rows[above])
                && before.part != Part::Begin
            {
                self.inside[self.timeline.calls[before.call].lane] = None;
            }
            self.since = 0;
            if matches!(self.sheet.form, Form::List { .. }) {
                self.entry(row);
            } else {
                self.row(row);
            }
        }
        self.legend();
    }

    /// The title, and who they are.
    fn head(&mut self) {
        let title = escape_unsafe(&self.view.title);
        for at in wrap(&title, self.view.columns, self.view.columns) {
            self.line_of(0, &title[at], Ink::Strong);
        }
        if let Some(said) = self.timeline.left_out.in_words(self.view.lang) {
            for at in wrap(&said, self.view.columns, self.view.columns) {
                self.line_of(0, &said[at], Ink::Dim);
            }
        }
        self.paper.text.push('\n');
        let left = self.sheet.time + 2;
        match self.sheet.form {
            Form::Beside(columns) => {
                let name = |i: usize| (&self.timeline.lanes[i].name, self.ink(i));
                let detail = |i: usize| (&self.timeline.lanes[i].detail, Ink::Dim);
                let (names, details) =
                    (self.across(columns, name, "ms"), self.across(columns, detail, ""));
                names.iter().chain(&details).for_each(|line| self.put(line));
            }
            Form::Apart { .. } => {
                for (lane, of) in self.timeline.lanes.iter().enumerate() {
                    let mut line = Line::default();
                    (0..lane).for_each(|above| self.lifeline(&mut line, above, 0));
                    let x = self.sheet.x[lane];
                    line.text(x, &of.name, self.ink(lane));
                    line.text(x + width(&of.name) + 2, &of.detail, Ink::Dim);
                    self.put(&line);
                }
                self.line_of(left - 4, "ms", Ink::Dim);
            }
            Form::List { .. } => {
                let (lanes, columns) = (self.timeline.lanes.len(), self.view.columns);
                let what = say!(
                    self.view.lang,
                    "{lanes} lanes do not fit side by side into {columns} columns, so this is a list.",
                    "{columns} 列放不下并排的 {lanes} 条泳道，所以列成一份清单。"
                );
                for at in wrap(&what, columns, columns) {
                    self.line_of(0, &what[at], Ink::Dim);
                }
                for lane in &self.timeline.lanes {
                    self.line_of(left, &format!("{}: {}", lane.name, lane.detail), Ink::Dim);
                }
            }
        }
    }

    /// A text a lane, side by side.
    fn across<'t>(
        &self,
        columns: usize,
        of: impl Fn(usize) -> (&'t String, Ink),
        left: &str,
    ) -> Vec<Line> {
        let mut lines = vec![Line::default()];
        lines[0].text(self.sheet.time.saturating_sub(left.len()), left, Ink::Dim);
        for (lane, &x) in self.sheet.x.iter().enumerate() {
            let (text, ink) = of(lane);
            for (i, at) in wrap(text, columns - 2, columns - 2).into_iter().enumerate() {
                if lines.len() == i {
                    lines.push(Line::default());
                }
                lines[i].text(x, &text[at], ink);
            }
        }
        lines
    }

    /// What stands between a row and the one before.
    fn gap(&mut self, row: usize, heights: &Heights) {
        let left_out = heights.breaks.binary_search_by_key(&row, |cut| cut.before);
        if let Ok(at) = left_out {
            let ns = heights.breaks[at].ns;
            let mut line = self.above(row);
            for lane in 0..self.sheet.x.len() {
                line.dash(self.sheet.x[lane]);
            }
            let figure = format!("{} {}", if self.view.ascii { "~" } else { "≈" }, self.span(ns));
            line.text(self.sheet.time.saturating_sub(width(&figure)), &figure, Ink::Wait);
            self.put(&line);
            self.cut = true;
        } else if self.view.time == Time::True && row > 0 {
            let gap = heights.of_rows[row] - heights.of_rows[row - 1];
            while self.since < (gap.round() as usize).min(MOST_EMPTY) {
                let line = self.above(row);
                self.put(&line);
            }
        }
    }

    /// A moment of a call: what arrives from outside, the call, what leaves to nowhere.
    fn row(&mut self, row: usize) {
        let Row { call, part, .. } = self.rows.rows[row];
        let of = &self.timeline.calls[call];
        let lane = of.lane;
        let loose: Vec<&Arrow> =
            self.wires.loose[row].iter().map(|&i| &self.timeline.arrows[i]).collect();
        let beside = matches!(self.sheet.form, Form::Beside(_));
        let in_row = |arrow: &Arrow| match outside(arrow) {
            Some(other) => other < lane || !beside,
            None => !beside,
        };
        let (in_row, own): (Vec<&Arrow>, Vec<&Arrow>) =
            loose.into_iter().partition(|arrow| in_row(arrow));
        let (out, come): (Vec<&Arrow>, Vec<&Arrow>) =
            own.into_iter().partition(|arrow| arrow.from.is_some_and(|tip| tip.call.is_some()));
        // What came while the call waited stands below the row, which says when it began.
        let waited = part == Part::Whole && of.took_ns() >= LONG_NS;
        let (above, below) = if waited { (Vec::new(), come) } else { (come, Vec::new()) };
        for arrow in above {
            self.loose_line(row, lane, arrow);
        }

        if part == Part::Begin || of.times > 1 || of.took_ns() >= LONG_NS {
            self.inside[lane] = Some(call);
        }
        let crossing: Vec<usize> = self.wires.at[row].clone();
        for &wire in &crossing {
            let Wire { left, right, channel, .. } = self.wires.all[wire];
            if left.row.max(right.row) == row {
                self.on_the_way[left.lane][channel] -= 1;
            }
        }
        let mut line = self.between(row);
        for &wire in &crossing {
            self.wire(&mut line, row, &self.wires.all[wire]);
        }
        let mut label = self.label(row);
        for arrow in in_row {
            self.loose_in_row(&mut line, lane, arrow);
            if !beside && outside(arrow).is_none() {
                let what = lost(arrow, self.view.lang);
                // The call has said so already: `recv(3) → 0: the end`.
                let ends = arrow.from.is_none() && arrow.kind == ArrowKind::End;
                let what = if ends { unseen(self.view.lang).to_owned() } else { what };
                label += self.view.lang.pick(", ", "，");
                label += &what;
            }
        }
        self.caption(&mut line, row, &crossing);
        if !beside {
            line.text(self.sheet.x[lane], if self.view.ascii { "o" } else { "●" }, self.ink(lane));
        }
        line.text(0, &self.time(row), Ink::Dim);
        for &wire in &crossing {
            let Wire { left, right, channel, .. } = self.wires.all[wire];
            if left.row.min(right.row) == row {
                self.on_the_way[left.lane][channel] += 1;
            }
        }
        if part == Part::End {
            // What is said in more lines stands beside the end of the bar, no longer in it.
            self.inside[lane] = None;
        }
        self.tell(line, row, &label);
        for arrow in out.into_iter().chain(below) {
            self.loose_line(row, lane, arrow);
        }
    }

    /// Writes a label into a line, and into more lines as it needs.
    fn tell(&mut self, mut line: Line, row: usize, label: &str) {
        let call = &self.timeline.calls[self.rows.rows[row].call];
        let lane = call.lane;
        let (x, room) = match self.sheet.form {
            Form::Beside(columns) => {
                let x = self.sheet.x[lane] + 2 + beside(self.wires.channels[lane]);
                (x, self.sheet.x[lane] + columns - 2 - x)
            }
            Form::Apart { from, name } => {
                line.text(from, self.names[lane], self.ink(lane));
                (from + name + 2, self.view.columns - (from + name + 2))
            }
            Form::List { .. } => (0, self.view.columns),
        };
        let ink = match call.record.kind {
            Kind::Note => Ink::Dim,
            _ if call.failed() => Ink::Error,
            _ => Ink::Plain,
        };
        for (i, at) in wrap(label, room, room - 2).into_iter().enumerate() {
            if i > 0 {
                self.put(&line);
                line = self.between(row);
            }
            line.text(if i > 0 { x + 2 } else { x }, &label[at], ink);
            if i == 0 && ink == Ink::Plain && label.starts_with(call.name()) {
                line.text(x, call.name(), Ink::Strong);
            }
        }
        self.put(&line);
    }

    /// What is said of a row.
    fn label(&self, row: usize) -> String {
        let Row { call, part, .. } = self.rows.rows[row];
        let mut call = Cow::Borrowed(&self.timeline.calls[call]);
        if self.view.ascii {
            call = Cow::Owned(in_ascii(&call));
        }
        let (call, record) = (&*call, &call.record);
        if record.kind == Kind::Note {
            return format!("-- {}", record.asked(self.view.lang));
        }
        let began_above = row > 0 && self.rows.rows[row - 1].call == self.rows.rows[row].call;
        let mut label = match part {
            Part::Begin => return self.words(record.asked(self.view.lang)),
            Part::Whole => headline(call, self.view.lang),
            Part::End => {
                let on = match record.fd {
                    Some(fd) => format!("{}({fd})", call.name()),
                    None => call.name().to_owned(),
                };
                let on = if began_above { String::new() } else { on + " " };
                match record.answered(self.view.lang).as_str() {
                    "" => format!("{on}→ {}", self.view.lang.pick("done", "完成")),
                    answered if call.times > 1 => {
                        format!("{on}→ {answered} × {}", grouped(call.times))
                    }
                    answered => format!("{on}→ {answered}"),
                }
            }
        };
        let sends = record.what.way() == Some(Way::Out);
        let waited = record.is_wait() && !sends && part == Part::End;
        if call.times > 1 {
            let time = duration(call.took_ns());
            label += &say!(self.view.lang, " in {time}", "，历时 {time}");
        } else if waited || call.took_ns() >= LONG_NS {
            label += &took(call, self.view.lang);
        }
        if let Some(state) = &call.state {
            label += &format!(" [{state}]");
        }
        if call.failed() {
            label.insert_str(0, "! ");
        }
        self.words(label)
    }

    /// The words of the picture, in the characters that can be shown.
    fn words(&self, text: String) -> String {
        if !self.view.ascii {
            return text;
        }
        let text = text.replace('→', "->").replace('×', "x").replace('µ', "u");
        escape_unicode(&text.replace('…', "..."))
    }

    fn span(&self, ns: u64) -> String {
        self.words(duration(ns))
    }

    /// A line between a row and the one before.
    fn above(&self, row: usize) -> Line {
        let mut line = self.between(row);
        let lane = self.timeline.calls[self.rows.rows[row].call].lane;
        if self.life[lane].is_some_and(|(first, _)| first == row)
            && let Some(&x) = self.sheet.x.get(lane)
        {
            line.text(x, self.not_yet(), Ink::Dim);
        }
        line
    }

    /// A line at this row with nothing but what comes from above and goes on below.
    fn between(&self, row: usize) -> Line {
        let mut line = Line::default();
        if matches!(self.sheet.form, Form::List { .. }) {
            return line;
        }
        for (lane, &x) in self.sheet.x.iter().enumerate() {
            self.lifeline(&mut line, lane, row);
            for (channel, &arrows) in self.on_the_way[lane].iter().enumerate() {
                if arrows > 0 {
                    line.stroke(x + 2 + channel, UP | DOWN, Ink::Plain);
                }
            }
        }
        line
    }

    fn lifeline(&self, line: &mut Line, lane: usize, row: usize) {
        let x = self.sheet.x[lane];
        match self.life[lane] {
            None => line.text(x, if self.view.ascii { ":" } else { "┊" }, Ink::Dim),
            Some((first, _)) if row < first => {
                line.text(x, self.not_yet(), Ink::Dim);
            }
            Some((_, last)) if row > last => {}
            Some(_) => match self.inside[lane] {
                Some(call) => self.bar(line, lane, call),
                None => line.stroke(x, UP | DOWN, self.ink(lane)),
            },
        }
    }

    /// The lifeline of a lane before its first record.
    fn not_yet(&self) -> &'static str {
        if self.view.ascii { "." } else { "·" }
    }

    /// A lane that is in a call.
    fn bar(&self, line: &mut Line, lane: usize, call: usize) {
        let x = self.sheet.x[lane];
        if self.busy(call) {
            line.text(x, if self.view.ascii { "%" } else { "▒" }, Ink::Wait);
        } else {
            line.stroke(x, UP | DOWN | THICK, Ink::Wait);
        }
    }

    fn busy(&self, call: usize) -> bool {
        self.timeline.calls[call].times > 1
    }

    /// What an arrow leaves in a row in which it ends: a hook at its left end, a long way at its right.
    fn wire(&self, line: &mut Line, row: usize, wire: &Wire) {
        let x = |lane: usize| self.sheet.x[lane];
        let Wire { left, right, rightwards, channel, .. } = *wire;
        let (from, to) = (x(left.lane), x(right.lane));
        let way = from + 2 + channel;
        let vertical = |other: usize| if other > row { DOWN } else { UP };
        let hook = |line: &mut Line, arrives: bool, other: usize| {
            line.stroke(way, LEFT | vertical(other), Ink::Plain);
            line.run(from + 2..way);
            if arrives {
                line.text(from + 1, self.tip(LEFT), Ink::Plain);
            } else {
                line.stroke(from, RIGHT, Ink::Plain);
                line.run(from + 1..from + 2);
            }
        };
        if left.row == row {
            hook(line, !rightwards, right.row);
        }
        if right.row == row && left.lane == right.lane {
            hook(line, rightwards, left.row);
        } else if right.row == row {
            line.stroke(way, RIGHT | vertical(left.row), Ink::Plain);
            line.run(way + 1..to - 1);
            self.arrive(line, to, LEFT, rightwards);
        }
    }

    /// The end of an arrow at a lifeline, coming from one of its sides.
    fn arrive(&self, line: &mut Line, x: usize, side: u8, points: bool) {
        let at = if side == LEFT { x - 1 } else { x + 1 };
        if points {
            line.text(at, self.tip(if side == LEFT { RIGHT } else { LEFT }), Ink::Plain);
        } else {
            line.run(at..at + 1);
            line.stroke(x, side, Ink::Plain);
        }
    }

    fn tip(&self, to: u8) -> &'static str {
        match (to, self.view.ascii) {
            (LEFT, false) => "◀",
            (LEFT, true) => "<",
            (_, false) => "▶",
            (_, true) => ">",
        }
    }

    /// What went, written into the long way of the arrows of a row.
    fn caption(&self, line: &mut Line, row: usize, crossing: &[usize]) {
        let arrows: Vec<&Arrow> = crossing
            .iter()
            .map(|&wire| &self.wires.all[wire])
            .filter(|wire| wire.right.row == row && wire.left.lane != wire.right.lane)
            .map(|wire| &self.timeline.arrows[wire.arrow])
            .collect();
        let Some(first) = arrows.first() else { return };
        if !matches!(self.sheet.form, Form::Beside(_))
            || arrows.iter().any(|arrow| arrow.kind != first.kind)
        {
            return;
        }
        let bytes = arrows.iter().filter_map(|arrow| arrow.bytes).sum();
        let lane = self.timeline.calls[self.rows.rows[row].call].lane;
        self.write_on(line, lane - 1, &went(first.kind, bytes, self.view.lang));
    }

    /// Writes a word into the middle of a stroke between a lane and the next.
    fn write_on(&self, line: &mut Line, lane: usize, what: &str) {
        let from = self.sheet.x[lane] + 2 + self.wires.channels[lane];
        let to = self.sheet.x[lane + 1] - 1;
        let what = format!(" {what} ");
        let room = to.saturating_sub(from);
        if width(&what) + 2 <= room {
            let at = from + (room - width(&what)) / 2;
            if line.is_run(at - 1..at + width(&what) + 1) {
                line.text(at, &what, Ink::Dim);
            }
        }
    }

    /// An arrow to or from a side that was not observed, or the air, in a line of its own.
    fn loose_line(&mut self, row: usize, lane: usize, arrow: &Arrow) {
        let mut line = self.between(row);
        let x = self.sheet.x[lane];
        let leaves = arrow.from.is_some_and(|tip| tip.call.is_some());
        if let Some(other) = outside(arrow) {
            let to = self.sheet.x[other];
            line.run(x + 2..to - 1);
            self.arrive(&mut line, x, RIGHT, !leaves);
            if leaves {
                line.text(to - 1, self.tip(RIGHT), Ink::Plain);
            } else {
                line.run(to - 1..to);
            }
            self.write_on(
                &mut line,
                lane,
                &went(arrow.kind, arrow.bytes.unwrap_or_default(), self.view.lang),
            );
        } else {
            let what = lost(arrow, self.view.lang);
            let long = width(&what) + 8;
            let mark = self.lost_mark(leaves);
            if lane > 0 {
                let end = x - long.min(x - self.sheet.x[lane - 1] - 2);
                line.run(end..x - 1);
                line.text(end, mark, Ink::Error);
                self.arrive(&mut line, x, LEFT, !leaves);
                line.text(end + 3, &format!(" {what} "), Ink::Error);
            } else {
                let from = x + 2 + beside(self.wires.channels[lane]);
                line.run(x + 2..from + long - 2);
                line.text(from + long - 2, mark, Ink::Error);
                self.arrive(&mut line, x, RIGHT, !leaves);
                line.text(from + 2, &format!(" {what} "), Ink::Error);
            }
        }
        self.put(&line);
    }

    /// The same in the row of its call, where nothing else is written.
    fn loose_in_row(&mut self, line: &mut Line, lane: usize, arrow: &Arrow) {
        let x = self.sheet.x[lane];
        let leaves = arrow.from.is_some_and(|tip| tip.call.is_some());
        let Some(other) = outside(arrow) else {
            let at = if lane > 0 { x - 2 } else { x + 2 };
            if line.is_free(at) {
                self.arrive(line, x, if lane > 0 { LEFT } else { RIGHT }, !leaves);
                line.text(at, self.lost_mark(leaves), Ink::Error);
            }
            return;
        };
        let to = self.sheet.x[other];
        let side = if other < lane { LEFT } else { RIGHT };
        let far = if other < lane { to + 1 } else { to - 1 };
        line.run(to.min(x) + 2..to.max(x) - 1);
        self.arrive(line, x, side, !leaves);
        if leaves {
            line.text(far, self.tip(side), Ink::Plain);
        } else {
            line.run(far..far + 1);
        }
        if matches!(self.sheet.form, Form::Beside(_)) {
            self.write_on(
                line,
                lane - 1,
                &went(arrow.kind, arrow.bytes.unwrap_or_default(), self.view.lang),
            );
        }
    }

    fn lost_mark(&mut self, leaves: bool) -> &'static str {
        match (leaves, self.view.ascii) {
            (true, false) => "✗",
            (true, true) => "x",
            (false, _) => "?",
        }
    }

    /// When a row was; with a mark if its place among those of another host is not known.
    fn time(&self, row: usize) -> String {
        let mark = if self.rows.unsure[row] { "?" } else { "" };
        format!("{:>1$}{mark}", milliseconds(self.rows.rows[row].at_ns), self.sheet.time)
    }

    /// A line of a list: arrows are words.
    fn entry(&mut self, row: usize) {
        let Row { call, .. } = self.rows.rows[row];
        let lane = self.timeline.calls[call].lane;
        let Form::List { name } = self.sheet.form else { return };
        let mut others: Vec<String> = Vec::new();
        for &wire in &self.wires.at[row] {
            let Wire { left, right, rightwards, .. } = self.wires.all[wire];
            let here_left = left.row == row;
            let other = if here_left { right.lane } else { left.lane };
            let other = &self.names[other];
            let other = match here_left == rightwards {
                true => say!(self.view.lang, "to {other}", "到{other}"),
                false => say!(self.view.lang, "from {other}", "来自{other}"),
            };
            if !others.contains(&other) {
                others.push(other);
            }
        }
        for &arrow in &self.wires.loose[row] {
            let arrow = &self.timeline.arrows[arrow];
            if outside(arrow).is_none() {
                others.push(lost(arrow, self.view.lang));
            }
        }
        let mut label = self.label(row);
        if !others.is_empty() {
            label += &format!(" ({})", others.join(", "));
        }
        let mut line = Line::default();
        line.text(0, &self.time(row), Ink::Dim);
        line.text(self.sheet.time + 2, self.names[lane], self.ink(lane));
        let x = self.sheet.time + 2 + name + 2;
        let room = self.view.columns.saturating_sub(x).max(TOLD);
        let ink = if self.timeline.calls[call].failed() { Ink::Error } else { Ink::Plain };
        for (i, at) in wrap(&label, room, room - 2).into_iter().enumerate() {
            if i > 0 {
                self.put(&std::mem::take(&mut line));
            }
            line.text(if i > 0 { x + 2 } else { x }, &label[at], ink);
        }
        self.put(&line);
    }

    /// What the signs mean that were used.
    fn legend(&mut self) {
        let timeline = self.timeline;
        if matches!(self.sheet.form, Form::List { .. }) {
            return;
        }
        let rows = &self.rows;
        let busy = |call: &Call| call.times > 1;
        let waits = (0..timeline.calls.len())
            .any(|i| rows.began[i] != rows.returned[i] && !busy(&timeline.calls[i]));
        let asks = timeline.calls.iter().any(busy);
        let signs = [
            (waits, ["┃", "#"], ["in a call", "在调用之中"]),
            (asks, ["▒", "%"], ["asks again and again", "反复询问"]),
            (self.life.contains(&None), ["┊", ":"], ["not observed", "没有观察到"]),
            (self.cut, ["≈", "~"], ["time left out", "略去的时间"]),
            (rows.unsure.contains(&true), ["?", "?"], ["order unknown", "先后未知"]),
        ];
        let used: Vec<String> = signs
            .into_iter()
            .filter(|(used, ..)| *used)
            .map(|(_, [sign, plain], [en, zh])| {
                let sign = if self.view.ascii { plain } else { sign };
                format!("{sign} {}", self.view.lang.pick(en, zh))
            })
            .collect();
        if !used.is_empty() {
            self.paper.text.push('\n');
            self.line_of(self.sheet.time + 2, &used.join("    "), Ink::Dim);
        }
    }

    fn ink(&self, lane: usize) -> Ink {
        if self.timeline.lanes[lane].acts.serves() { Ink::Server } else { Ink::Client }
    }

    fn line_of(&mut self, x: usize, text: &str, ink: Ink) {
        let mut line = Line::default();
        line.text(x, &self.words(text.to_owned()), ink);
        self.put(&line);
    }

    fn put(&mut self, line: &Line) {
        line.write(&mut self.paper.text, self.view.ascii, self.view.color);
        self.paper.turn();
        self.since += 1;
    }
}

/// How many columns arrows take right of a lifeline.
fn beside(channels: usize) -> usize {
    if channels > 0 { channels + 1 } else { 0 }
}

/// The lane of the side without a trace that an arrow comes from or goes to.
fn outside(arrow: &Arrow) -> Option<usize> {
    [arrow.from, arrow.to].into_iter().flatten().find(|tip| tip.call.is_none()).map(|tip| tip.lane)
}
