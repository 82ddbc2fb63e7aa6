//! The times at the left, and the time that is left out.

use super::figure::Figure;
use super::measures::{AXIS, HEAD, HEADS, MARGIN, SMALL};
use crate::ink::{DIM, LINE as THIN, PAPER, WAIT};
use crate::shapes::{Anchor, Drawing, Fill, Path, again, group, path, round_step, text};
use netplay_text::say;
use netplay_text::words::{duration, milliseconds};

/// Where the lines begin that go across, and where the times end.
const ACROSS: f64 = MARGIN + AXIS - 8.0;
const TIMES: f64 = MARGIN + AXIS - 12.0;

impl Figure<'_> {
    /// The times, and a thin line from each to what it is about.
    pub(super) fn draw_axis(&self, out: &mut Drawing) {
        let times = self.times();
        let right = self.width - MARGIN;
        let lines = times.iter().fold(Path::default(), |lines, &(y, ..)| {
            lines.move_to((ACROSS, y)).line_to((right, y))
        });
        out.add(path(&lines).fill(Fill::None).stroke(THIN, 0.6).dashes("1 5"));
        let look = group("small axis").size(SMALL).anchor(Anchor::End).fill(DIM);
        out.group(look, |out| {
            out.add(text(TIMES, HEADS + HEAD - 6.0, self.unit()));
            for &(y, ns, unsure) in &times {
                let mark = if unsure { "?" } else { "" };
                out.add(text(TIMES, y + 3.5, &format!("{}{mark}", self.clock(ns))));
            }
        });
    }

    /// The times that are told, and how far down; whether the order among those of another host is unknown.
    fn times(&self) -> Vec<(f64, u64, bool)> {
        let rows = &self.rows.rows;
        let of_rows = &self.heights.of_rows;
        let Some(per_ns) = self.heights.per_ns else {
            let unsure = self.rows.unsure.iter();
            let rows = of_rows.iter().zip(rows).zip(unsure);
            return rows.map(|((&y, row), &unsure)| (y, row.at_ns, unsure)).collect();
        };
        let step = step_of_time(48.0 / per_ns);
        let mut times: Vec<(f64, u64, bool)> = Vec::new();
        let mut breaks = self.heights.breaks.iter().map(|cut| cut.before).peekable();
        for i in 1..rows.len() {
            if breaks.next_if_eq(&i).is_some() {
                continue;
            }
            let (from, to) = (rows[i - 1].at_ns, rows[i].at_ns);
            let mut at = from.div_ceil(step).saturating_mul(step);
            while at < to {
                let y = of_rows[i - 1] + (at - from) as f64 * per_ns;
                if times.last().is_none_or(|&(last, ..)| y - last > SMALL + 2.0) {
                    times.push((y, at, false));
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
    pub(super) fn at(&self, ns: u64) -> String {
        let (clock, unit) = (self.clock(ns), self.unit());
        say!(self.view.lang, "at {clock} {unit}", "{clock} {unit} 时")
    }

    /// How far down time is left out, and how much.
    pub(super) fn breaks(&self) -> impl Iterator<Item = (f64, u64)> {
        self.heights.breaks.iter().map(|cut| (self.middle(cut.before), cut.ns))
    }

    /// The middle between a row and the one before it.
    pub(super) fn middle(&self, row: usize) -> f64 {
        let of_rows = &self.heights.of_rows;
        (of_rows[row - 1] + of_rows[row]) / 2.0
    }

    /// A torn strip across everything, and how long nothing happened.
    pub(super) fn draw_breaks(&self, out: &mut Drawing) {
        if self.heights.breaks.is_empty() {
            return;
        }
        out.define(self.cut, |out| {
            let teeth = ((self.width - MARGIN - ACROSS) / 12.0).floor() as usize;
            let begin = Path::at((ACROSS, -3.0));
            let strip = torn(torn(begin.clone(), teeth, 6.0).line_by(0.0, 6.0), teeth, -6.0);
            out.add(path(&strip.close()).fill(PAPER));
            let edges = torn(torn(begin, teeth, 6.0).move_to((ACROSS, 3.0)), teeth, 6.0);
            out.add(path(&edges).fill(Fill::None).stroke(DIM, 1.0));
        });
        for (y, ns) in self.breaks() {
            out.add(again(self.cut, y));
            let figure = duration(ns);
            let figure = text(TIMES, y + 3.5, &figure).class("small axis cut").size(SMALL);
            out.add(figure.anchor(Anchor::End).bold().fill(WAIT));
        }
    }
}

/// So many teeth more, each twice as wide as `half`.
pub(super) fn torn(edge: Path, teeth: usize, half: f64) -> Path {
    (0..teeth).fold(edge, |edge, _| edge.line_by(half, -4.0).line_by(half, 4.0))
}

/// A round number of nanoseconds, of at least this many: a microsecond or more, for which times are written.
fn step_of_time(least: f64) -> u64 {
    round_step(least.max(1_000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_time_are_round() {
        let steps = [1.0, 1_000.1, 2_400.0, 5_000.0, 70_000.0].map(step_of_time);
        assert_eq!(steps, [1_000, 2_000, 5_000, 5_000, 100_000]);
    }
}
