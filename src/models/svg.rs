//! The figure as SVG: one file, nothing fetched, light or dark as the reader's screen is.

use std::fmt::Write as _;

use super::figure::{After, Axis, Figure, Lengths, cells, meanwhile, ranges, waiting_bar};
use crate::escape::markup;

const WIDTH: f64 = 980.0;
/// The panels, from here to there.
const LEFT: f64 = 130.0;
const PLOT: f64 = 460.0;
/// Where the columns of figures end.
const COLUMNS: [f64; 4] = [690.0, 785.0, 875.0, 964.0];
const ROW: f64 = 30.0;
const BAR: f64 = 20.0;

/// Colours by class, so that they can be others in the dark; patterns, so that they are never alone.
const STYLE: &str = "\
text{font-family:sans-serif;font-size:13px;fill:#1b1f24}
.title{font-size:17px;font-weight:bold}.head{font-weight:bold}.words{font-size:12px}.small{font-size:11.5px;fill:#57606a}.range{font-size:10px;fill:#57606a}
.paper{fill:#ffffff}.grid{stroke:#d0d7de}.arrival{stroke:#b3261e;stroke-width:2}
.waiting{fill:#cfe3f7}.knows{fill:#f2c14e}.copies{fill:#1a7f37}.inone{fill:#b57edc}
.lines{stroke:#1b1f24;stroke-width:1.2}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}.small,.range{fill:#9da7b1}.paper{fill:#0d1117}.grid{stroke:#30363d}
.arrival{stroke:#ff7b72}.waiting{fill:#1f3d5c}.knows{fill:#9e7a18}.copies{fill:#3fb950}.inone{fill:#7d4fa8}
.lines{stroke:#e6edf3}}";

/// The pattern over a bar, beside its colour: dots, stripes, none, crosses.
const PATTERNS: &str = "\
<pattern id=\"stripes\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">\
<path class=\"lines\" d=\"M0 6L6 0\"/></pattern>\
<pattern id=\"crosses\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">\
<path class=\"lines\" d=\"M0 6L6 0M0 0L6 6\"/></pattern>";

pub(super) fn draw(figure: &Figure<'_>) -> String {
    let rows = figure.outcomes.len() as f64;
    let (first, second) = (92.0, 92.0 + rows * ROW + 96.0);
    let notes = second + rows * ROW + 48.0;
    let height = notes + 20.0 * figure.notes.len() as f64 + 4.0;
    let mut out = Drawing(String::new());
    _ = writeln!(
        out.0,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"models-title models-desc\">\n\
         <title id=\"models-title\">{}</title>\n<desc id=\"models-desc\">{}</desc>\n\
         <style>{STYLE}</style>\n<defs>{PATTERNS}</defs>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>",
        markup(&figure.title),
        markup(&described(figure))
    );
    out.text("title", 16.0, 30.0, "start", &figure.title);

    out.text(
        "head",
        16.0,
        62.0,
        "start",
        "1. Waiting for the data, and what the program does meanwhile",
    );
    out.bar("waiting", 500.0, 47.0, 22.0);
    out.text("small", 528.0, 62.0, "start", "waiting");
    out.line("arrival", 592.0, 48.0, 66.0);
    out.text("small", 600.0, 62.0, "start", "the message arrives");
    for (x, head) in COLUMNS.iter().zip(["waiting", "CPU time", "calls", "EAGAIN"]) {
        out.text("small", *x, 82.0, "end", head);
    }
    out.axis(&figure.waiting, first, rows);
    for (i, outcome) in figure.outcomes.iter().enumerate() {
        let y = first + i as f64 * ROW;
        out.text("", 16.0, y + 14.0, "start", outcome.model.name);
        out.text("small", 16.0, y + 27.0, "start", outcome.model.kind);
        if let Err(reason) = &outcome.phases {
            let short: String = reason.chars().take(130).collect();
            let dots = if short.len() < reason.len() { "…" } else { "" };
            let words = format!("cannot run here: {short}{dots}");
            out.text("small", LEFT + 8.0, y + 19.0, "start", &words);
            continue;
        }
        let x = LEFT + figure.waiting.place(waiting_bar(outcome), PLOT);
        out.bar("waiting", LEFT, y + 5.0, x - LEFT);
        out.text("words", LEFT + 8.0, y + 19.0, "start", &meanwhile(outcome));
        out.line("arrival", x, y, y + ROW);
        let [_, waiting, _, _, calls, eagains, cpu] = cells(outcome);
        let [_, waiting_range, _, _, calls_range, eagains_range, cpu_range] = ranges(outcome);
        let cells = [waiting, cpu, calls, eagains];
        let ranges = [waiting_range, cpu_range, calls_range, eagains_range];
        for ((x, cell), range) in COLUMNS.iter().zip(cells).zip(ranges) {
            out.figure(*x, y, &cell, &range);
        }
    }

    let head = format!("2. From the arrival on, magnified {} times", figure.magnified());
    out.text("head", 16.0, second - 40.0, "start", &head);
    let legend = [
        ("knows", 16.0, "until the program knows"),
        ("copies", 214.0, "copying to the program"),
        ("inone", 404.0, "both in one call: no program can tell them apart"),
    ];
    for (class, x, words) in legend {
        out.bar(class, x, second - 28.0, 22.0);
        out.text("small", x + 28.0, second - 14.0, "start", words);
    }
    out.text("small", COLUMNS[1] + 20.0, second - 14.0, "end", "until it knows");
    out.text("small", COLUMNS[3], second - 14.0, "end", "copying");
    out.axis(&figure.after, second, rows);
    for (i, outcome) in figure.outcomes.iter().enumerate() {
        let y = second + i as f64 * ROW;
        out.text("", 16.0, y + 19.0, "start", outcome.model.name);
        let Ok(phases) = &outcome.phases else { continue };
        let place = |time| figure.after.place(time, PLOT);
        match Lengths::of(phases).after {
            After::Apart { knows, copies } => {
                out.bar("knows", LEFT, y + 5.0, place(knows));
                out.bar("copies", LEFT + place(knows), y + 5.0, place(copies).max(1.0));
            }
            After::InOne(both) => out.bar("inone", LEFT, y + 5.0, place(both).max(1.0)),
        }
        let [_, _, knows, copies, ..] = cells(outcome);
        let [_, _, knows_range, copies_range, ..] = ranges(outcome);
        out.figure(COLUMNS[1] + 20.0, y, &knows, &knows_range);
        out.figure(COLUMNS[3], y, &copies, &copies_range);
    }
    for (i, note) in figure.notes.iter().enumerate() {
        out.text("small", 16.0, notes + 20.0 * i as f64, "start", note);
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
    fn text(&mut self, class: &str, x: f64, y: f64, anchor: &str, words: &str) {
        let words = markup(words);
        _ = writeln!(
            self.0,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
        );
    }

    /// A median, and its range under it, if there is one.
    fn figure(&mut self, x: f64, y: f64, median: &str, range: &str) {
        let lower = if range.is_empty() { 19.0 } else { 14.0 };
        self.text("", x, y + lower, "end", median);
        if !range.is_empty() {
            self.text("range", x, y + 26.0, "end", range);
        }
    }

    /// A bar in its colour, and its pattern over it.
    fn bar(&mut self, class: &str, x: f64, y: f64, width: f64) {
        let place = format!("x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\"");
        _ = writeln!(self.0, "<rect class=\"{class}\" {place}/>");
        let pattern = match class {
            "knows" => "stripes",
            "inone" => "crosses",
            _ => return,
        };
        _ = writeln!(self.0, "<rect fill=\"url(#{pattern})\" {place}/>");
    }

    fn line(&mut self, class: &str, x: f64, from: f64, to: f64) {
        _ = writeln!(
            self.0,
            "<line class=\"{class}\" x1=\"{x:.1}\" y1=\"{from:.1}\" x2=\"{x:.1}\" y2=\"{to:.1}\"/>"
        );
    }

    /// The ticks of a panel of so many rows, and their numbers under it.
    fn axis(&mut self, axis: &Axis, top: f64, rows: f64) {
        let bottom = top + rows * ROW;
        let ticks: Vec<(u64, String)> = axis.ticks().collect();
        for (i, (at, number)) in ticks.iter().enumerate() {
            let x = LEFT + axis.place(*at, PLOT);
            self.line("grid", x, top, bottom + 4.0);
            let unit = if i + 1 == ticks.len() { format!(" {}", axis.name) } else { String::new() };
            self.text("small", x, bottom + 18.0, "middle", &format!("{number}{unit}"));
        }
    }
}
