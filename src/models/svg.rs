//! The figure as SVG: one file, nothing fetched, light or dark as the reader's screen is.

use std::fmt::Write as _;

use super::figure::{After, Axis, Figure, Lengths, cells, meanwhile, ranges, waiting_bar};
use crate::columns::cut;
use crate::draw::shapes::{END, Fill, Letters, Line, MIDDLE, Opening, Rect, START, Words};
use crate::ink::{ASLEEP, BOTH, COPIES, DIM, ERROR, INK, Ink, KNOWS, LINE};

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
    fn letters(self) -> Letters {
        let plain = Letters::default();
        match self {
            Look::Title => Letters { size: Some(17.0), bold: true, ..plain },
            Look::Head => Letters { bold: true, ..plain },
            Look::Plain => plain,
            Look::Words => Letters { size: Some(12.0), ..plain },
            Look::Range => Letters { size: Some(10.0), ink: Some(DIM), ..plain },
            Look::Small => Letters { size: Some(11.5), ink: Some(DIM), ..plain },
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

/// Stripes and crosses.
fn patterns() -> String {
    let pattern = |id, path| {
        format!(
            "<pattern id=\"{id}\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">\
             <path fill=\"none\" stroke=\"{INK}\" stroke-width=\"1.2\" d=\"{path}\"/></pattern>"
        )
    };
    pattern("stripes", "M0 6L6 0") + &pattern("crosses", "M0 6L6 0M0 0L6 6")
}

pub(super) fn draw(figure: &Figure<'_>) -> String {
    let rows = figure.outcomes.len() as f64;
    let (first, second) = (92.0, 92.0 + rows * ROW + 96.0);
    let notes = second + rows * ROW + 48.0;
    let height = notes + 20.0 * figure.notes.len() as f64 + 4.0;
    let opening = Opening {
        title: &figure.title,
        about: &described(figure),
        width: WIDTH,
        height,
        defs: &patterns(),
        ..Opening::default()
    };
    let mut out = Drawing(opening.to_string());
    out.text(Look::Title, 16.0, 30.0, START, &figure.title);

    out.text(
        Look::Head,
        16.0,
        62.0,
        START,
        "1. Waiting for the data, and what the program does meanwhile",
    );
    out.bar(Bar::Waiting, 500.0, 47.0, 22.0);
    out.text(Look::Small, 528.0, 62.0, START, "waiting");
    out.line(ERROR, 2.0, 592.0, 48.0, 66.0);
    out.text(Look::Small, 600.0, 62.0, START, "the message arrives");
    for (x, head) in COLUMNS.iter().zip(["waiting", "CPU time", "calls", "EAGAIN"]) {
        out.text(Look::Small, *x, 82.0, END, head);
    }
    out.axis(&figure.waiting, first, rows);
    for (i, outcome) in figure.outcomes.iter().enumerate() {
        let y = first + i as f64 * ROW;
        out.text(Look::Plain, 16.0, y + 14.0, START, outcome.model.name);
        out.text(Look::Small, 16.0, y + 27.0, START, outcome.model.kind);
        if let Err(reason) = &outcome.phases {
            let words = format!("cannot run here: {}", cut(reason, 131, "…"));
            out.text(Look::Small, LEFT + 8.0, y + 19.0, START, &words);
            continue;
        }
        let x = LEFT + figure.waiting.place(waiting_bar(outcome), PLOT);
        out.bar(Bar::Waiting, LEFT, y + 5.0, x - LEFT);
        out.text(Look::Words, LEFT + 8.0, y + 19.0, START, &meanwhile(outcome));
        out.line(ERROR, 2.0, x, y, y + ROW);
        let [_, waiting, _, _, calls, eagains, cpu] = cells(outcome);
        let [_, waiting_range, _, _, calls_range, eagains_range, cpu_range] = ranges(outcome);
        let cells = [waiting, cpu, calls, eagains];
        let ranges = [waiting_range, cpu_range, calls_range, eagains_range];
        for ((x, cell), range) in COLUMNS.iter().zip(cells).zip(ranges) {
            out.figure(*x, y, &cell, &range);
        }
    }

    let head = format!("2. From the arrival on, magnified {} times", figure.magnified());
    out.text(Look::Head, 16.0, second - 40.0, START, &head);
    let legend = [
        (Bar::Knows, 16.0, "until the program knows"),
        (Bar::Copies, 214.0, "copying to the program"),
        (Bar::InOne, 404.0, "both in one call: no program can tell them apart"),
    ];
    for (class, x, words) in legend {
        out.bar(class, x, second - 28.0, 22.0);
        out.text(Look::Small, x + 28.0, second - 14.0, START, words);
    }
    out.text(Look::Small, COLUMNS[1] + 20.0, second - 14.0, END, "until it knows");
    out.text(Look::Small, COLUMNS[3], second - 14.0, END, "copying");
    out.axis(&figure.after, second, rows);
    for (i, outcome) in figure.outcomes.iter().enumerate() {
        let y = second + i as f64 * ROW;
        out.text(Look::Plain, 16.0, y + 19.0, START, outcome.model.name);
        let Ok(phases) = &outcome.phases else { continue };
        let place = |time| figure.after.place(time, PLOT);
        match Lengths::of(phases).after {
            After::Apart { knows, copies } => {
                out.bar(Bar::Knows, LEFT, y + 5.0, place(knows));
                out.bar(Bar::Copies, LEFT + place(knows), y + 5.0, place(copies).max(1.0));
            }
            After::InOne(both) => out.bar(Bar::InOne, LEFT, y + 5.0, place(both).max(1.0)),
        }
        let [_, _, knows, copies, ..] = cells(outcome);
        let [_, _, knows_range, copies_range, ..] = ranges(outcome);
        out.figure(COLUMNS[1] + 20.0, y, &knows, &knows_range);
        out.figure(COLUMNS[3], y, &copies, &copies_range);
    }
    for (i, note) in figure.notes.iter().enumerate() {
        out.text(Look::Small, 16.0, notes + 20.0 * i as f64, START, note);
    }
    out.0 += "</svg>\n";
    out.0
}

/// The figure in a sentence for each model, for who cannot see it.
fn described(figure: &Figure<'_>) -> String {
    let each = |outcome: &super::Outcome| match &outcome.phases {
        Ok(_) => {
            let [name, waiting, knows, copies, calls, eagains, cpu] = cells(outcome);
            let copies = if copies.is_empty() { copies } else { format!(", copying {copies}") };
            format!(
                "{name}: waiting {waiting} ({}), then {knows}{copies}; {calls} calls, {eagains} EAGAINs, CPU {cpu}.",
                meanwhile(outcome)
            )
        }
        Err(reason) => format!("{}: cannot run here: {reason}.", outcome.model.name),
    };
    figure.outcomes.iter().map(each).collect::<Vec<_>>().join(" ")
}

struct Drawing(String);

impl Drawing {
    fn text(&mut self, look: Look, x: f64, y: f64, anchor: &'static str, text: &str) {
        let look = Letters { anchor, ..look.letters() };
        _ = writeln!(self.0, "{}", Words { look, x, y, text });
    }

    /// A median, and its range under it, if there is one.
    fn figure(&mut self, x: f64, y: f64, median: &str, range: &str) {
        let lower = if range.is_empty() { 19.0 } else { 14.0 };
        self.text(Look::Plain, x, y + lower, END, median);
        if !range.is_empty() {
            self.text(Look::Range, x, y + 26.0, END, range);
        }
    }

    /// A bar in its colour, and its pattern over it.
    fn bar(&mut self, bar: Bar, x: f64, y: f64, width: f64) {
        let (ink, pattern) = bar.look();
        let shape = Rect { fill: ink.into(), x, y, width, height: BAR };
        _ = writeln!(self.0, "{shape}");
        if let Some(pattern) = pattern {
            _ = writeln!(self.0, "{}", Rect { fill: Fill::Pattern(pattern), ..shape });
        }
    }

    fn line(&mut self, ink: Ink, thick: f64, x: f64, from: f64, to: f64) {
        _ = writeln!(self.0, "{}", Line { ink, thick, from: (x, from), to: (x, to) });
    }

    /// The ticks of a panel of so many rows, and their numbers under it.
    fn axis(&mut self, axis: &Axis, top: f64, rows: f64) {
        let bottom = top + rows * ROW;
        let ticks: Vec<(u64, String)> = axis.ticks().collect();
        for (i, (at, number)) in ticks.iter().enumerate() {
            let x = LEFT + axis.place(*at, PLOT);
            self.line(LINE, 1.0, x, top, bottom + 4.0);
            let unit = if i + 1 == ticks.len() { format!(" {}", axis.name) } else { String::new() };
            self.text(Look::Small, x, bottom + 18.0, MIDDLE, &format!("{number}{unit}"));
        }
    }
}
