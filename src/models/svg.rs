//! The figure as SVG: one file, nothing fetched, light or dark as the reader's screen is.

use super::figure::{
    After, Axis, Figure, Lengths, cannot, cells, kind, meanwhile, ranges, waiting_bar,
};
use crate::columns::cut;
use crate::draw::shapes::{Anchor, Drawing, Element, Fill, Opening, Pattern, line, rect, text};
use crate::ink::{ASLEEP, BOTH, COPIES, DIM, ERROR, INK, Ink, KNOWS, LINE};
use crate::lang::Lang;
use netplay_text::say;

const WIDTH: f64 = 980.0;
/// The panels, from here to there.
const LEFT: f64 = 130.0;
const PLOT: f64 = 460.0;
/// Where the columns of figures end.
const COLUMNS: [f64; 4] = [690.0, 785.0, 875.0, 964.0];
const ROW: f64 = 30.0;
const BAR: f64 = 20.0;

/// How a text looks.
#[derive(Clone, Copy)]
enum Look {
    Title,
    Head,
    Plain,
    Words,
    Small,
    Range,
}

impl Look {
    fn of(self, text: Element<'_>) -> Element<'_> {
        match self {
            Look::Title => text.size(17.0).bold(),
            Look::Head => text.bold(),
            Look::Plain => text,
            Look::Words => text.size(12.0),
            Look::Range => text.size(10.0).fill(DIM),
            Look::Small => text.size(11.5).fill(DIM),
        }
    }
}

/// What a bar stands for: its colour, and a pattern over it, so that the colour is never alone.
#[derive(Clone, Copy)]
enum Bar {
    Waiting,
    Knows,
    Copies,
    InOne,
}

impl Bar {
    fn look(self) -> (Ink, Option<&'static str>) {
        match self {
            Bar::Waiting => (ASLEEP, None),
            Bar::Knows => (KNOWS, Some("stripes")),
            Bar::Copies => (COPIES, None),
            Bar::InOne => (BOTH, Some("crosses")),
        }
    }
}

pub(super) fn draw(figure: &Figure<'_>) -> String {
    let rows = figure.outcomes.len() as f64;
    let (first, second) = (92.0, 92.0 + rows * ROW + 96.0);
    let notes = second + rows * ROW + 48.0;
    let height = notes + 20.0 * figure.notes.len() as f64 + 4.0;
    let stripe = line((0.0, 6.0), (6.0, 0.0)).stroke(INK, 1.2);
    let other = line((0.0, 0.0), (6.0, 6.0)).stroke(INK, 1.2);
    let (stripes, crosses) = ([stripe], [stripe, other]);
    let pattern = |id, parts| Pattern { id, side: 6.0, turned: 0.0, parts };
    let opening = Opening {
        title: &figure.title,
        about: &described(figure),
        width: WIDTH,
        height,
        patterns: &[pattern("stripes", &stripes), pattern("crosses", &crosses)],
        ..Opening::default()
    };
    let mut out = Picture(Drawing::new(&opening));
    out.text(Look::Title, 16.0, 30.0, &figure.title);
    out.waiting(figure, first, rows);
    out.after(figure, second, rows);
    for (i, note) in figure.notes.iter().enumerate() {
        out.text(Look::Small, 16.0, notes + 20.0 * i as f64, note);
    }
    out.0.finish()
}

/// The figure in a sentence for each model, for readers who cannot see it.
fn described(figure: &Figure<'_>) -> String {
    let lang = figure.lang;
    let each = |outcome: &super::Outcome| match &outcome.phases {
        Ok(_) => {
            let [name, waiting, knows, copies, calls, eagains, cpu] = cells(outcome, lang);
            let meanwhile = meanwhile(outcome, lang);
            match lang {
                Lang::En => {
                    let copies = match copies.as_str() {
                        "" => copies,
                        _ => format!(", copying {copies}"),
                    };
                    format!(
                        "{name}: waiting {waiting} ({meanwhile}), then {knows}{copies}; {calls} calls, {eagains} EAGAINs, CPU {cpu}."
                    )
                }
                Lang::Zh => {
                    let copies = match copies.as_str() {
                        "" => copies,
                        _ => format!("，拷贝 {copies}"),
                    };
                    format!(
                        "{name}：等待 {waiting}（{meanwhile}），然后 {knows}{copies}；{calls} 次调用，{eagains} 次 EAGAIN，CPU {cpu}。"
                    )
                }
            }
        }
        Err(reason) => {
            let (name, reason) = (outcome.model.name, cannot(reason, lang));
            say!(lang, "{name}: {reason}.", "{name}：{reason}。")
        }
    };
    figure.outcomes.iter().map(each).collect::<Vec<_>>().join(lang.pick(" ", ""))
}

struct Picture(Drawing<'static>);

impl Picture {
    /// The first panel, from this height on: until the message arrives.
    fn waiting(&mut self, figure: &Figure<'_>, top: f64, rows: f64) {
        let lang = figure.lang;
        let head = lang.pick(
            "1. Waiting for the data, and what the program does meanwhile",
            "1. 等待数据，以及程序同时在做什么",
        );
        self.text(Look::Head, 16.0, top - 30.0, head);
        self.bar(Bar::Waiting, 500.0, top - 45.0, 22.0);
        self.text(Look::Small, 528.0, top - 30.0, lang.pick("waiting", "等待"));
        self.line(ERROR, 2.0, 592.0, top - 44.0, top - 26.0);
        self.text(Look::Small, 600.0, top - 30.0, lang.pick("the message arrives", "消息到达"));
        let heads = lang.pick(
            ["waiting", "CPU time", "calls", "EAGAIN"],
            ["等待", "CPU 时间", "调用", "EAGAIN"],
        );
        for (x, head) in COLUMNS.into_iter().zip(heads) {
            self.text_at(Look::Small, Anchor::End, x, top - 10.0, head);
        }
        self.axis(&figure.waiting, top, rows);
        for (i, outcome) in figure.outcomes.iter().enumerate() {
            let y = top + i as f64 * ROW;
            self.text(Look::Plain, 16.0, y + 14.0, outcome.model.name);
            self.text(Look::Small, 16.0, y + 27.0, kind(outcome.model, lang));
            if let Err(reason) = &outcome.phases {
                let words = cannot(&cut(reason, 131, "…"), lang);
                self.text(Look::Small, LEFT + 8.0, y + 19.0, &words);
                continue;
            }
            let x = LEFT + figure.waiting.place(waiting_bar(outcome), PLOT);
            self.bar(Bar::Waiting, LEFT, y + 5.0, x - LEFT);
            self.text(Look::Words, LEFT + 8.0, y + 19.0, &meanwhile(outcome, lang));
            self.line(ERROR, 2.0, x, y, y + ROW);
            let [_, waiting, _, _, calls, eagains, cpu] = cells(outcome, lang);
            let [_, waiting_range, _, _, calls_range, eagains_range, cpu_range] = ranges(outcome);
            let cells = [waiting, cpu, calls, eagains];
            let ranges = [waiting_range, cpu_range, calls_range, eagains_range];
            for ((x, cell), range) in COLUMNS.into_iter().zip(cells).zip(ranges) {
                self.figure(x, y, &cell, &range);
            }
        }
    }

    /// The second panel, from this height on: from the arrival to the program.
    fn after(&mut self, figure: &Figure<'_>, top: f64, rows: f64) {
        let (lang, times) = (figure.lang, figure.magnified());
        let head = say!(
            lang,
            "2. From the arrival on, magnified {times} times",
            "2. 从到达开始，放大 {times} 倍"
        );
        self.text(Look::Head, 16.0, top - 40.0, &head);
        let [knows, copies, in_one] = lang.pick(
            [
                "until the program knows",
                "copying to the program",
                "both in one call: no program can tell them apart",
            ],
            ["直到程序得知", "拷贝给程序", "一次调用完成两者：程序分不清"],
        );
        for (bar, x, words) in
            [(Bar::Knows, 16.0, knows), (Bar::Copies, 214.0, copies), (Bar::InOne, 404.0, in_one)]
        {
            self.bar(bar, x, top - 28.0, 22.0);
            self.text(Look::Small, x + 28.0, top - 14.0, words);
        }
        let (knows_end, copies_end) = (COLUMNS[1] + 20.0, COLUMNS[3]);
        self.text_at(
            Look::Small,
            Anchor::End,
            knows_end,
            top - 14.0,
            lang.pick("until it knows", "得知延迟"),
        );
        self.text_at(
            Look::Small,
            Anchor::End,
            copies_end,
            top - 14.0,
            lang.pick("copying", "拷贝"),
        );
        self.axis(&figure.after, top, rows);
        for (i, outcome) in figure.outcomes.iter().enumerate() {
            let y = top + i as f64 * ROW;
            self.text(Look::Plain, 16.0, y + 19.0, outcome.model.name);
            let Ok(phases) = &outcome.phases else { continue };
            let place = |time| figure.after.place(time, PLOT);
            match Lengths::of(phases).after {
                After::Apart { knows, copies } => {
                    self.bar(Bar::Knows, LEFT, y + 5.0, place(knows));
                    self.bar(Bar::Copies, LEFT + place(knows), y + 5.0, place(copies).max(1.0));
                }
                After::InOne(both) => self.bar(Bar::InOne, LEFT, y + 5.0, place(both).max(1.0)),
            }
            let [_, _, knows, copies, ..] = cells(outcome, lang);
            let [_, _, knows_range, copies_range, ..] = ranges(outcome);
            self.figure(knows_end, y, &knows, &knows_range);
            self.figure(copies_end, y, &copies, &copies_range);
        }
    }

    fn text(&mut self, look: Look, x: f64, y: f64, words: &str) {
        self.0.add(look.of(text(x, y, words)));
    }

    fn text_at(&mut self, look: Look, anchor: Anchor, x: f64, y: f64, words: &str) {
        self.0.add(look.of(text(x, y, words)).anchor(anchor));
    }

    /// A median, and its range under it, if there is one.
    fn figure(&mut self, x: f64, y: f64, median: &str, range: &str) {
        let lower = if range.is_empty() { 19.0 } else { 14.0 };
        self.text_at(Look::Plain, Anchor::End, x, y + lower, median);
        if !range.is_empty() {
            self.text_at(Look::Range, Anchor::End, x, y + 26.0, range);
        }
    }

    /// A bar in its colour, and its pattern over it.
    fn bar(&mut self, bar: Bar, x: f64, y: f64, width: f64) {
        let (ink, pattern) = bar.look();
        let shape = rect(x, y, width, BAR);
        self.0.add(shape.fill(ink));
        if let Some(pattern) = pattern {
            self.0.add(shape.fill(Fill::Pattern(pattern)));
        }
    }

    fn line(&mut self, ink: Ink, thick: f64, x: f64, from: f64, to: f64) {
        self.0.add(line((x, from), (x, to)).stroke(ink, thick));
    }

    /// The ticks of a panel of so many rows, and their numbers under it.
    fn axis(&mut self, axis: &Axis, top: f64, rows: f64) {
        let bottom = top + rows * ROW;
        let ticks: Vec<(u64, String)> = axis.ticks().collect();
        for (i, (at, number)) in ticks.iter().enumerate() {
            let x = LEFT + axis.place(*at, PLOT);
            self.line(LINE, 1.0, x, top, bottom + 4.0);
            let unit = if i + 1 == ticks.len() { format!(" {}", axis.name) } else { String::new() };
            self.text_at(Look::Small, Anchor::Middle, x, bottom + 18.0, &format!("{number}{unit}"));
        }
    }
}
