//! The figures to look at: as a picture (SVG), on a page (HTML), and as bars in a terminal.
//!
//! Every server has a line, the same in all three parts: how many requests a second, how long one
//! takes (on a logarithmic scale: its tail is a thousand times its middle), and what it costs.

use std::fmt::Write as _;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::plan::Load;
use super::report::{Sheet, label, time, whole};
use super::sample::{Cell, Latency, Report};
use crate::columns::wrapped;
use crate::escape::markup;
use crate::ink::{self, COST, DIM, INK, Ink, LINE, LONGEST, P50, P99, P999, PAPER, RATE};

/// So many letters of the footer have room in a line.
const FOOTER_COLUMNS: usize = 180;

/// p50, p99, p99.9 and the longest: from the middle of the tail to its end.
const TAIL: [Ink; 4] = [P50, P99, P999, LONGEST];
const TAIL_NAMES: [&str; 4] = ["p50", "p99", "p99.9", "max"];

/// A server's line.
const ROW: u32 = 24;
/// The title of a load and the heads of its parts, and the numbers below them.
const ABOVE: u32 = 66;
const BELOW: u32 = 34;
/// The names take so much at least, with a gap on both sides; behind them are the three parts.
const NAMES: u32 = 190;
const GAP: u32 = 10;
const PART: u32 = 333;
/// What a part leaves free behind its scale, for the figure at the end of a bar.
const MARGIN: u32 = 64;

impl Report {
    /// As a picture. It is light or dark as the reader's system is.
    ///
    /// # Errors
    /// There is nothing to draw.
    pub fn svg(&self) -> Result<String> {
        let mut picture = String::new();
        let heights: Vec<u32> = self
            .loads()
            .into_iter()
            .map(|load| ABOVE + BELOW + ROW * self.under(load).len() as u32)
            .collect();
        let labels = self.cells.iter().map(|cell| width(&label(cell), 13.0));
        let names = NAMES.max(labels.fold(0.0, f64::max).ceil() as u32 + 2 * GAP);
        let footer = [self.long_names(), self.footer()].concat();
        let footer: Vec<_> = footer.iter().flat_map(|line| wrapped(line, FOOTER_COLUMNS)).collect();
        let total = heights.iter().sum::<u32>() + 18 * footer.len() as u32 + 16;
        {
            let root = SVGBackend::with_string(&mut picture, (names + 3 * PART + GAP, total))
                .into_drawing_area();
            root.fill(&rgb(PAPER)).map_err(undrawn)?;
            let mut rest = root.clone();
            for (load, height) in self.loads().into_iter().zip(heights) {
                let (this, below) = rest.split_vertically(height);
                self.draw(&this, load, names)?;
                rest = below;
            }
            for (line, nth) in footer.iter().zip(0..) {
                let style = ("sans-serif", 11).into_font().color(&rgb(DIM));
                rest.draw_text(line, &style, (12, 8 + 18 * nth)).map_err(undrawn)?;
            }
            root.present().map_err(undrawn)?;
        }
        Ok(finished(&picture))
    }

    fn draw(&self, area: &Area<'_>, load: Load, names: u32) -> Result<()> {
        let cells = self.under(load);
        let text = |size: u32, ink: Ink| ("sans-serif", size).into_font().color(&rgb(ink));
        area.draw_text(&load.title(), &text(17, INK), (12, 14)).map_err(undrawn)?;
        for (cell, nth) in cells.iter().zip(0..) {
            let ink = if cell.again { DIM } else { INK };
            let end = text(13, ink).pos(Pos::new(HPos::Right, VPos::Center));
            let y = (ABOVE + ROW * nth + ROW / 2) as i32;
            area.draw_text(&label(cell), &end, ((names - GAP) as i32, y)).map_err(undrawn)?;
        }
        let part = |nth: u32| {
            let (x, (_, height)) = ((names + PART * nth) as i32, area.dim_in_pixel());
            area.clone().shrink((x, 0), (PART, height))
        };
        // One scale for all loads: so the rate can be followed from one to the next.
        let fastest = self.cells.iter().filter_map(|cell| cell.rate()).map(|rate| rate.high);
        let fastest = fastest.fold(1.0, f64::max);
        let rates =
            cells.iter().map(|cell| cell.rate().map(|rate| (rate.low, rate.median, rate.high)));
        bars(&part(0), "requests/s", RATE, fastest, whole, &rates.collect::<Vec<_>>())?;
        self.latencies(&part(1), &cells)?;
        let costs = cells.iter().map(|cell| cell.cpu().map(|cpu| (cpu.low, cpu.median, cpu.high)));
        let costs: Vec<_> = costs.collect();
        let dearest = costs.iter().flatten().map(|cost| cost.2).fold(1.0, f64::max);
        bars(&part(2), "CPU for a request", COST, dearest, time, &costs)
    }

    fn latencies(&self, area: &Area<'_>, cells: &[&Cell]) -> Result<()> {
        let points: Vec<f64> = self.cells.iter().flat_map(tail).flatten().collect();
        let low = points.iter().copied().fold(f64::INFINITY, f64::min).clamp(1.0, 1e9);
        let high = points.iter().copied().fold(low * 10.0, f64::max);
        let range = (low / 1.5..high * 1.5).log_scale();
        let head = ("sans-serif", 13).into_font().color(&rgb(DIM));
        area.draw_text("latency, log scale", &head, (0, 44)).map_err(undrawn)?;
        for (what, (ink, nth)) in TAIL_NAMES.into_iter().zip(TAIL.into_iter().zip(0..)) {
            let x = 130 + 52 * nth;
            area.draw(&Circle::new((x, 50), 4, rgb(ink).filled())).map_err(undrawn)?;
            area.draw_text(what, &head, (x + 7, 44)).map_err(undrawn)?;
        }
        let rows = cells.len() as f64;
        let mut chart = chart(area, range, rows)?;
        mesh(&mut chart, 6, &|ns: &f64| time(*ns))?;
        for (cell, nth) in cells.iter().zip(0..) {
            let y = rows - f64::from(nth) - 0.5;
            let points: Vec<_> =
                tail(cell).into_iter().zip(TAIL).filter_map(|(x, ink)| Some((x?, ink))).collect();
            let line = PathElement::new(
                points.iter().map(|(x, _)| (*x, y)).collect::<Vec<_>>(),
                rgb(LINE).stroke_width(3),
            );
            chart.draw_series([line]).map_err(undrawn)?;
            // The middle last: it is not hidden by the end.
            let dots =
                points.iter().rev().map(|(x, ink)| Circle::new((*x, y), 4, rgb(*ink).filled()));
            chart.draw_series(dots).map_err(undrawn)?;
        }
        Ok(())
    }

    /// As a page: the picture and the tables.
    ///
    /// # Errors
    /// There is nothing to draw.
    pub fn html(&self) -> Result<String> {
        let mut out = PAGE.to_owned();
        let _ = writeln!(out, "<h1>netplay bench</h1>\n<figure>{}</figure>", self.svg()?);
        for sheet in self.sheets() {
            out.push_str(&table(&sheet));
        }
        for line in self.footer() {
            let _ = writeln!(out, "<p class=footer>{}</p>", markup(&line));
        }
        Ok(out + "</body>\n</html>\n")
    }

    /// As bars, for a terminal.
    #[must_use]
    pub fn bars(&self, load: Load, ascii: bool) -> String {
        const BAR: usize = 24;
        let cells = self.under(load);
        let longest = cells.iter().map(|cell| label(cell).chars().count()).max().unwrap_or(0);
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
        let mut out = format!(
            " {:longest$}  {:BAR$} {:>9}  {:BAR$}  CPU/request\n",
            "",
            "requests/s",
            "",
            if ascii { "p50 o, p99 x, p99.9 >, log" } else { "p50 ●  p99 ◆  p99.9 ▶ log" },
        );
        for cell in &cells {
            let figure = |x: Option<f64>, form: fn(f64) -> String| x.map_or("-".to_owned(), form);
            let _ = writeln!(
                out,
                " {:longest$}  {:BAR$} {:>9}  {:BAR$}  {:12} {}",
                label(cell),
                bar(rate(cell).unwrap_or(0.0) / fastest, BAR, ascii),
                figure(rate(cell), whole),
                marks(tail(cell), low, high, BAR + 2, ascii),
                bar(cpu(cell).unwrap_or(0.0) / dearest, 12, ascii),
                figure(cpu(cell), time),
            );
        }
        out
    }
}

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

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b, X> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<X, plotters::coord::types::RangedCoordf64>>;

/// One part: a bar for each server, with the middle half as a line on it and the median behind it.
fn bars(
    area: &Area<'_>,
    title: &str,
    ink: Ink,
    most: f64,
    form: fn(f64) -> String,
    spreads: &[Option<(f64, f64, f64)>],
) -> Result<()> {
    let text = |ink: Ink| ("sans-serif", 13).into_font().color(&rgb(ink));
    area.draw_text(title, &text(DIM), (0, 44)).map_err(undrawn)?;
    let rows = spreads.len() as f64;
    let mut chart = chart(area, 0.0..most, rows)?;
    mesh(&mut chart, 4, &|x: &f64| form(*x))?;
    for (spread, nth) in spreads.iter().zip(0..) {
        let Some((low, median, high)) = *spread else { continue };
        let y = rows - f64::from(nth) - 0.5;
        let bar = Rectangle::new([(0.0, y - 0.28), (median, y + 0.28)], rgb(ink).filled());
        chart.draw_series([bar]).map_err(undrawn)?;
        let half = PathElement::new(vec![(low, y), (high, y)], rgb(INK).stroke_width(1));
        chart.draw_series([half]).map_err(undrawn)?;
        let (x, y) = chart.backend_coord(&(median.max(high), y));
        let style =
            ("sans-serif", 11).into_font().color(&rgb(INK)).pos(Pos::new(HPos::Left, VPos::Center));
        let base = area.get_base_pixel();
        area.draw_text(&form(median), &style, (x - base.0 + 5, y - base.1)).map_err(undrawn)?;
    }
    Ok(())
}

fn chart<'a, 'b, X>(area: &'a Area<'b>, x: X, rows: f64) -> Result<Chart<'a, 'b, X::CoordDescType>>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    ChartBuilder::on(area)
        .margin_top(ABOVE)
        .margin_right(MARGIN)
        .x_label_area_size(BELOW)
        .build_cartesian_2d(x, 0.0..rows)
        .map_err(undrawn)
}

/// The lines of the scale, and its numbers.
fn mesh<X>(
    chart: &mut Chart<'_, '_, X>,
    numbers: usize,
    form: &dyn Fn(&f64) -> String,
) -> Result<()>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(0)
        .x_labels(numbers)
        .x_label_formatter(form)
        .axis_style(rgb(LINE))
        .bold_line_style(rgb(LINE))
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 11).into_font().color(&rgb(DIM)))
        .draw()
        .map_err(undrawn)
}

fn undrawn(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("the picture cannot be drawn: {error}")
}

/// The colour as the plotting library has it.
const fn rgb(ink: Ink) -> RGBColor {
    let (red, green, blue) = ink.rgb();
    RGBColor(red, green, blue)
}

/// The picture with its colours in the dark, and with texts that stand where they should everywhere.
fn finished(picture: &str) -> String {
    let style = format!("<style>\n{}</style>\n", ink::night());
    let (opening, rest) = picture.split_once(">\n").unwrap_or((picture, ""));
    let lines = rest.lines().map(|line| lowered(line).unwrap_or_else(|| line.to_owned()) + "\n");
    format!("{opening}>\n{style}{}", lines.collect::<String>())
}

/// The start of a text, with the height of its letters in `y`: the plotting library leaves that to `dy`,
/// in units that not every program knows.
fn lowered(line: &str) -> Option<String> {
    let number = |name: &str| line.split_once(name)?.1.split('"').next()?.parse::<f64>().ok();
    let (before, rest) = line.strip_prefix("<text ")?.split_once(" dy=\"")?;
    let (dy, after) = rest.split_once('"')?;
    let (x, y) = before.split_once(" y=\"")?;
    let y: f64 = y.strip_suffix('"')?.parse().ok()?;
    let part = if dy.ends_with("em") { 0.76 } else { 0.36 };
    let y = y + part * number(" font-size=\"")?;
    Some(format!("<text {x} y=\"{y:.1}\"{after}"))
}

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>netplay bench</title>
<style>
body { font: 15px/1.45 sans-serif; max-width: 1200px; margin: 2em auto; padding: 0 1em; background: #fff; color: #1b1f24 }
figure { margin: 0; overflow-x: auto }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
th, td { padding: .25em .7em; text-align: right; border-bottom: 1px solid #e3e6ea; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
.table { overflow-x: auto }
.footer { color: #5b6470; font-size: 13px; margin: .3em 0 }
@media (prefers-color-scheme: dark) {
  body { background: #14181d; color: #e6e9ed }
  th, td { border-color: #2b323a }
  .footer { color: #9aa4b0 }
}
</style>
</head>
<body>
"#;

fn table(sheet: &Sheet) -> String {
    let row = |cells: Vec<&str>, tag: &str| {
        let cells: String =
            cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", markup(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = sheet
        .rows
        .iter()
        .map(|cells| row(cells.iter().map(String::as_str).collect(), "td"))
        .collect();
    let remarks: String =
        sheet.remarks.iter().map(|remark| format!("<li>{}</li>\n", markup(remark))).collect();
    let list = if remarks.is_empty() { remarks } else { format!("<ul>\n{remarks}</ul>\n") };
    let (title, head) = (markup(&sheet.title), row(sheet.head.clone(), "th"));
    format!("<h2>{title}</h2>\n<div class=table><table>\n{head}{rows}</table></div>\n{list}")
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
