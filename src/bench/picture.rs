//! The figures to look at: as a picture (SVG), on a page (HTML), and as bars in a terminal.
//!
//! Every server has a line, the same in all three parts: how many requests a second, how long one
//! takes (on a logarithmic scale: its tail is a thousand times its middle), and what it costs.

use std::fmt::Write as _;

use super::plan::Load;
use super::report::{Sheet, label, time, whole};
use super::sample::{Cell, Latency, Report, Spread};
use crate::columns::{self, wrapped};
use crate::draw::page;
use crate::draw::shapes::{
    Anchor, Drawing, Element, Opening, circle, line, rect, round_step, text,
};
use crate::escape::markup;
use crate::ink::{COST, DIM, INK, Ink, LINE, LONGEST, P50, P99, P999, RATE};
use crate::lang::Lang;
use netplay_text::say;

/// So many letters of the footer have room in a line.
const FOOTER_COLUMNS: usize = 180;

/// p50, p99, p99.9 and the longest: from the middle of the tail to its end.
const TAIL: [Ink; 4] = [P50, P99, P999, LONGEST];
const TAIL_NAMES: [&str; 4] = ["p50", "p99", "p99.9", "max"];

/// What is measured of a server.
#[derive(Debug, Clone, Copy)]
enum Measure {
    Rate,
    Latency,
    Cost,
}

const MEASURES: [Measure; 3] = [Measure::Rate, Measure::Latency, Measure::Cost];

/// A server's line.
const ROW: f64 = 24.0;
/// The title of a load and the heads of its parts, and the numbers below them.
const ABOVE: f64 = 66.0;
const BELOW: f64 = 34.0;
/// The names take so much at least, with a gap on both sides; behind them are the three parts.
const NAMES: f64 = 190.0;
const GAP: f64 = 10.0;
const PART: f64 = 333.0;
/// What a part leaves free behind its scale, for the figure at the end of a bar.
const MARGIN: f64 = 64.0;

impl Report {
    /// As a picture. It is light or dark as the reader's system is.
    #[must_use]
    pub fn svg(&self) -> String {
        let heights: Vec<f64> = self
            .loads()
            .into_iter()
            .map(|load| ABOVE + BELOW + ROW * self.under(load).len() as f64)
            .collect();
        let names = self.names();
        let footer = [self.long_names(), self.footer()].concat();
        let footer: Vec<&str> =
            footer.iter().flat_map(|line| wrapped(line, FOOTER_COLUMNS)).collect();
        let opening = Opening {
            title: "netplay bench",
            about: &self.about(),
            width: names + 3.0 * PART + GAP,
            height: heights.iter().sum::<f64>() + 18.0 * footer.len() as f64 + 16.0,
            ..Opening::default()
        };
        let mut picture = Drawing::new(&opening);
        let mut top = 0.0;
        for (load, height) in self.loads().into_iter().zip(heights) {
            self.draw(&mut picture, load, names, top, &MEASURES);
            top += height;
        }
        for (line, nth) in footer.iter().zip(0..) {
            picture.add(small(text(12.0, top + 17.0 + 18.0 * f64::from(nth), line)));
        }
        picture.finish()
    }

    /// How much the names of the servers take.
    fn names(&self) -> f64 {
        let labels = self.cells.iter().map(|cell| width(&label(cell), 13.0));
        NAMES.max(labels.fold(0.0, f64::max).ceil() + 2.0 * GAP)
    }

    /// Each measure of a load as a picture of its own: as wide as a page it is read from the back of a room.
    fn large(&self, load: Load) -> impl Iterator<Item = String> {
        let names = self.names();
        let height = ABOVE + BELOW + ROW * self.under(load).len() as f64;
        let (title, about) = (load.title(), self.about());
        MEASURES.into_iter().map(move |measure| {
            let opening = Opening {
                title: &title,
                about: &about,
                width: names + PART + GAP,
                height,
                ..Opening::default()
            };
            let mut picture = Drawing::new(&opening);
            self.draw(&mut picture, load, names, 0.0, &[measure]);
            picture.finish()
        })
    }

    /// The picture in words.
    fn about(&self) -> String {
        let load = |load: Load| {
            let rate = |cell: &&Cell| {
                let none = || Lang::current().pick("no figure", "没有数据").to_owned();
                let rate = cell.rate().map_or_else(none, |rate| whole(rate.median));
                format!("{} {rate}", label(cell))
            };
            let rates: Vec<String> = self.under(load).iter().map(rate).collect();
            let title = load.title();
            let lang = Lang::current();
            let rates = rates.join(lang.pick(", ", "，"));
            say!(lang, "{title}, requests a second: {rates}.", "{title}，每秒请求数：{rates}。")
        };
        let loads: Vec<String> = self.loads().into_iter().map(load).collect();
        loads.join(" ")
    }

    /// These measures of a load, from left to right.
    fn draw(&self, out: &mut Drawing, load: Load, names: f64, top: f64, measures: &[Measure]) {
        let cells = self.under(load);
        out.add(text(12.0, top + 26.0, &load.title()).size(16.0));
        let part = |nth: usize| Part { x: names + PART * nth as f64, top, rows: cells.len() };
        for (nth, cell) in cells.iter().enumerate() {
            let name = label(cell);
            let name = text(names - GAP, part(0).row(nth) + 4.0, &name).size(12.0);
            let name = name.anchor(Anchor::End);
            out.add(if cell.again { name.fill(DIM) } else { name });
        }
        for (nth, measure) in measures.iter().enumerate() {
            match measure {
                Measure::Rate => self.rates(out, &part(nth), &cells),
                Measure::Latency => self.latencies(out, &part(nth), &cells),
                Measure::Cost => self.costs(out, &part(nth), &cells),
            }
        }
    }

    /// One scale for all loads: so the rate can be followed from one to the next.
    fn rates(&self, out: &mut Drawing, part: &Part, cells: &[&Cell]) {
        let fastest = self.cells.iter().filter_map(|cell| cell.rate()).map(|rate| rate.high);
        let fastest = fastest.fold(1.0, f64::max);
        let rates = cells.iter().map(|cell| cell.rate());
        part.bars(out, rate_head(), RATE, fastest, whole, &rates.collect::<Vec<_>>());
    }

    fn costs(&self, out: &mut Drawing, part: &Part, cells: &[&Cell]) {
        let costs: Vec<_> = cells.iter().map(|cell| cell.cpu()).collect();
        let dearest = costs.iter().flatten().map(|cost| cost.high).fold(1.0, f64::max);
        part.bars(out, cost_head(), COST, dearest, time, &costs);
    }

    fn latencies(&self, out: &mut Drawing, part: &Part, cells: &[&Cell]) {
        let points: Vec<f64> = self.cells.iter().flat_map(tail).flatten().collect();
        let low = points.iter().copied().fold(f64::INFINITY, f64::min).clamp(1.0, 1e9);
        let high = points.iter().copied().fold(low * 10.0, f64::max);
        let (low, high) = (low / 1.5, high * 1.5);
        part.head(out, 0.0, latency_head());
        for (what, (ink, nth)) in TAIL_NAMES.into_iter().zip(TAIL.into_iter().zip(0..)) {
            let x = 130.0 + 52.0 * f64::from(nth);
            out.add(circle((part.x + x, part.top + 50.0), 4.0).fill(ink));
            part.head(out, x + 7.0, what);
        }
        let place = |ns: f64| (ns / low).ln() / (high / low).ln();
        part.scale(out, decades(low, high).into_iter().map(|ns| (place(ns), time(ns))));
        for (nth, cell) in cells.iter().enumerate() {
            let y = part.row(nth);
            let points: Vec<(f64, Ink)> = tail(cell)
                .into_iter()
                .zip(TAIL)
                .filter_map(|(ns, ink)| Some((part.at(place(ns?)), ink)))
                .collect();
            if let (Some(&(from, _)), Some(&(to, _))) = (points.first(), points.last()) {
                out.add(line((from, y), (to, y)).stroke(LINE, 3.0));
            }
            // The middle last: it is not hidden by the end.
            for &(x, ink) in points.iter().rev() {
                out.add(circle((x, y), 4.0).fill(ink));
            }
        }
    }

    /// As a page: a picture for each measure, and the tables.
    #[must_use]
    pub fn html(&self) -> String {
        let mut body = "<h1>netplay bench</h1>\n".to_owned();
        let pictures = self.loads().into_iter().flat_map(|load| self.large(load));
        body += "<div class=\"fits\">\n";
        body.extend(pictures.zip(1..).map(|(svg, nth)| page::figure(&svg, nth)));
        body += "</div>\n";
        for sheet in self.sheets() {
            body += &table(&sheet);
        }
        for line in self.footer() {
            let _ = writeln!(body, "<p class=\"footer\">{}</p>", markup(&line));
        }
        page::report("netplay bench", &body)
    }

    /// As bars, for a terminal of so many columns. In a narrow one they are shorter, and the last one is a figure only.
    #[must_use]
    pub fn bars(&self, load: Load, ascii: bool, columns: usize) -> String {
        /// Gaps, and the figures beside the bars.
        const REST: usize = 29;
        const CPU: usize = 12;
        let lang = Lang::current();
        let cells = self.under(load);
        let longest = cells.iter().map(|cell| columns::width(&label(cell))).max().unwrap_or(0);
        let wide = columns > longest + REST + CPU + 1 + 2 * BAR;
        let names = if wide { longest } else { longest.min(columns / 3) };
        let (bar_room, cpu_room) = match wide {
            true => (BAR, CPU),
            false => ((columns.saturating_sub(names + REST) / 2).clamp(4, BAR), 0),
        };
        let most = |of: &dyn Fn(&Cell) -> Option<f64>| {
            cells.iter().filter_map(|cell| of(cell)).fold(1.0, f64::max)
        };
        let rate = |cell: &Cell| cell.rate().map(|rate| rate.median);
        let cpu = |cell: &Cell| cell.cpu().map(|cpu| cpu.median);
        // Without the longest of all: it would make everything else small.
        let tail = |cell: &Cell| {
            let [p50, p99, p999, _] = tail(cell);
            [p50, p99, p999]
        };
        let (fastest, dearest) = (most(&rate), most(&cpu));
        let ends = cells.iter().flat_map(|cell| tail(cell)).flatten();
        let (low, high) =
            ends.fold((f64::INFINITY, 1.0f64), |(low, high), x| (low.min(x), high.max(x)));
        let figure = |x: Option<f64>, form: fn(f64) -> String| x.map_or("-".to_owned(), form);
        let padded = |text: &str, room: usize| {
            format!("{text}{:1$}", "", room.saturating_sub(columns::width(text)))
        };
        let (rates, costs) = lang.pick(("requests/s", "CPU/request"), ("请求/秒", "CPU/请求"));
        let signs = match ascii {
            true => lang.pick("p50 o, p99 x, p99.9 >, log", "p50 o, p99 x, p99.9 >, 对数"),
            false => lang.pick("p50 ●  p99 ◆  p99.9 ▶ log", "p50 ●  p99 ◆  p99.9 ▶ 对数"),
        };
        // The marks begin two columns before, and end there.
        let marks_room = bar_room + 2;
        let before = 1 + names + 2 + bar_room + 1 + 9 + 2;
        let mut out = String::new();
        let fits = marks_room >= columns::width(signs);
        if !fits {
            out += &format!("{:1$}{signs}\n", "", before.min(columns.saturating_sub(30)));
        }
        let signs = padded(if fits { signs } else { "" }, marks_room);
        let head = padded("", names + 3) + &padded(rates, bar_room + 1 + 9 + 2) + &signs;
        out += &format!("{head} {costs}\n");
        for cell in &cells {
            let name = label(cell);
            let name = padded(&columns::cut(&name, names, ".."), names);
            let cost = bar(cpu(cell).unwrap_or(0.0) / dearest, cpu_room, ascii);
            let cost = if wide { padded(&cost, cpu_room) + " " } else { String::new() };
            let line = format!(
                " {name}  {:bar_room$} {:>9}  {} {cost}{}",
                bar(rate(cell).unwrap_or(0.0) / fastest, bar_room, ascii),
                figure(rate(cell), whole),
                marks(tail(cell), low, high, marks_room, ascii),
                figure(cpu(cell), time),
            );
            out += &format!("{}\n", line.trim_end());
        }
        out
    }
}

fn rate_head() -> &'static str {
    Lang::current().pick("requests/s", "请求/秒")
}

fn latency_head() -> &'static str {
    Lang::current().pick("latency, log scale", "延迟，对数刻度")
}

fn cost_head() -> &'static str {
    Lang::current().pick("CPU for a request", "每个请求的 CPU")
}

/// So many columns has a bar of a terminal that is wide enough.
const BAR: usize = 24;

/// As wide as a text is at most, in letters of this size: no common font without serifs is wider than
/// DejaVu Sans, and its letters are of about four widths.
fn width(text: &str, size: f64) -> f64 {
    let letter = |c: char| match c {
        ' ' | '!' | '\'' | '(' | ')' | ',' | '-' | '.' | '/' | ':' | ';' | 'I' | '[' | ']'
        | 'f' | 'i' | 'j' | 'l' | 'r' | 't' | '|' => 0.43,
        'M' | 'W' | 'm' | '%' | '@' => 1.0,
        'A'..='Z' | 'w' | '#' | '&' | '+' | '<' | '=' | '>' | '^' | '~' => 0.84,
        c if c.is_ascii() => 0.65,
        _ => 1.0,
    };
    size * text.chars().map(letter).sum::<f64>()
}

/// From the middle of the latencies to their end.
fn tail(cell: &Cell) -> [Option<f64>; 4] {
    let of = |percentile: fn(&Latency) -> u64| cell.latency(percentile);
    [
        of(|latency| latency.p50),
        of(|latency| latency.p99),
        of(|latency| latency.p999),
        cell.longest(),
    ]
}

/// The size of letters in passing.
const SMALL: f64 = 10.5;

fn small(text: Element<'_>) -> Element<'_> {
    text.size(SMALL).fill(DIM)
}

/// One of the three parts of a load: where it begins, and how many rows it has.
struct Part {
    x: f64,
    top: f64,
    rows: usize,
}

impl Part {
    /// Where a part of the scale is, from 0 to 1.
    fn at(&self, part: f64) -> f64 {
        self.x + part * (PART - MARGIN)
    }

    /// The middle of a row.
    fn row(&self, nth: usize) -> f64 {
        self.top + ABOVE + ROW * (nth as f64 + 0.5)
    }

    fn head(&self, out: &mut Drawing, x: f64, words: &str) {
        out.add(text(self.x + x, self.top + 54.0, words).size(12.0).fill(DIM));
    }

    /// The lines of the scale, and its numbers below them: a number that would touch another one is left out, and powers
    /// of ten come first.
    fn scale(&self, out: &mut Drawing, marks: impl IntoIterator<Item = (f64, String)>) {
        let (top, bottom) = (self.top + ABOVE, self.top + ABOVE + ROW * self.rows as f64);
        let thin = |from, to| line(from, to).stroke(LINE, 1.0);
        out.add(thin((self.x, bottom), (self.at(1.0), bottom)));
        let mut marks: Vec<(f64, String)> = marks.into_iter().collect();
        marks.sort_by_key(|(_, number)| !number.starts_with('1'));
        let mut taken: Vec<(f64, f64)> = Vec::new();
        for (part, number) in marks {
            let x = self.at(part);
            out.add(thin((x, top), (x, bottom + 5.0)));
            let half = width(&number, SMALL) / 2.0 + 4.0;
            if taken.iter().all(|&(other, its)| (other - x).abs() > half + its) {
                out.add(small(text(x, bottom + 17.0, &number)).anchor(Anchor::Middle));
                taken.push((x, half));
            }
        }
    }

    /// A bar for each server, with the middle half as a line on it and the median behind it.
    fn bars(
        &self,
        out: &mut Drawing,
        title: &str,
        ink: Ink,
        most: f64,
        form: fn(f64) -> String,
        spreads: &[Option<Spread>],
    ) {
        self.head(out, 0.0, title);
        let step = round_step(most / 4.0);
        let marks = (0..=(most / step as f64) as u64).map(|n| (n * step) as f64);
        self.scale(out, marks.map(|x| (x / most, form(x))));
        for (nth, spread) in spreads.iter().enumerate() {
            let Some(Spread { low, median, high }) = *spread else { continue };
            let place = |x: f64| self.at(x / most);
            let y = self.row(nth);
            let height = 0.56 * ROW;
            out.add(rect(self.x, y - height / 2.0, place(median) - self.x, height).fill(ink));
            out.add(line((place(low), y), (place(high), y)).stroke(INK, 1.0));
            let x = place(median.max(high)) + 5.0;
            out.add(text(x, y + 3.5, &form(median)).size(10.5));
        }
    }
}

/// The marks of a logarithmic scale: 1, 10, 100; where these are too few, 2 and 5 of each as well.
fn decades(low: f64, high: f64) -> Vec<f64> {
    let marks = |of: &[f64]| -> Vec<f64> {
        let all = (0..12).flat_map(|zeros| of.iter().map(move |n| n * 10f64.powi(zeros)));
        all.filter(|&mark| mark >= low && mark <= high).collect()
    };
    let powers = marks(&[1.0]);
    if powers.len() < 3 { marks(&[1.0, 2.0, 5.0]) } else { powers }
}

fn table(sheet: &Sheet) -> String {
    let remarks: String =
        sheet.remarks.iter().map(|remark| format!("<li>{}</li>\n", markup(remark))).collect();
    let list = if remarks.is_empty() { remarks } else { format!("<ul>\n{remarks}</ul>\n") };
    let (title, table) = (markup(&sheet.title), page::table("", &sheet.head, &sheet.rows));
    format!("<h2>{title}</h2>\n<div class=\"table\">{table}</div>\n{list}")
}

/// A bar of so much of `width`, in eighths of a character.
fn bar(part: f64, width: usize, ascii: bool) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (part.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    match ascii {
        true => "#".repeat(eighths.div_ceil(8)),
        false => "█".repeat(eighths / 8) + EIGHTHS[eighths % 8],
    }
}

/// Marks on a line from `low` to `high`, which is logarithmic.
fn marks(tail: [Option<f64>; 3], low: f64, high: f64, width: usize, ascii: bool) -> String {
    let signs = if ascii { ['o', 'x', '>'] } else { ['●', '◆', '▶'] };
    let between = if ascii { '-' } else { '─' };
    let place = |x: f64| {
        let part = (x / low).ln() / (high / low).max(1.000_001).ln();
        (part.clamp(0.0, 1.0) * (width - 1) as f64).round() as usize
    };
    let places = tail.map(|x| x.map(place));
    let mut line = vec![' '; width];
    if let [Some(first), _, Some(last)] = places {
        line[first..=last].fill(between);
    }
    // The middle last: it is not hidden by the end.
    for (place, sign) in places.into_iter().zip(signs).rev() {
        if let Some(place) = place {
            line[place] = sign;
        }
    }
    line.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_part() {
        assert_eq!(bar(1.0, 4, false), "████");
        assert_eq!(bar(0.5 + 1.0 / 32.0, 4, false), "██▏");
        assert_eq!(bar(0.3, 10, true), "###");
        assert_eq!(bar(7.0, 2, true), "##");
    }

    #[test]
    fn a_tenfold_latency_is_the_same_way_wherever_it_begins() {
        assert_eq!(marks([Some(1.0), Some(10.0), Some(100.0)], 1.0, 100.0, 5, true), "o-x->");
        assert_eq!(marks([None, None, None], 1.0, 100.0, 3, true), "   ");
    }

    #[test]
    fn a_text_is_no_wider_than_it_is_said_to_be() {
        // As measured in DejaVu Sans at 100 px.
        for (text, wide) in [
            ("handler --style threading", 1_240.0),
            ("/usr/bin/python3 my_server.py {port}", 1_890.0),
            ("WWWWMMMMmmmm@@@@%%%%", 1_910.0),
            ("0123456789", 636.0),
        ] {
            let most = width(text, 100.0);
            assert!((wide..1.3 * wide).contains(&most), "{text}: {most}");
        }
    }

    #[test]
    fn a_command_line_is_text_on_a_page() {
        assert_eq!(markup("a <b> & \"c\""), "a &lt;b&gt; &amp; &quot;c&quot;");
    }
}
