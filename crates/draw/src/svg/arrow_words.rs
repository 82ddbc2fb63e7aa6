//! The words on the arrows, each where nothing else stands.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::figure::Figure;
use super::measures::{AXIS, MARGIN, SMALL, TIP, columns};
use super::side::Side;
use crate::Arrow;
use crate::ink::{DIM, PAPER};
use crate::shapes::{Anchor, Drawing, Point, rect, text};
use netplay_text::columns::width as wide;

/// The word of an arrow stands between two of so many lifelines, counted from where it begins.
const GAPS: usize = 16;

impl Figure<'_> {
    /// Puts the word of each arrow on its line, where nothing else stands; one that finds no place is left
    /// to the tooltip.
    pub(super) fn draw_arrow_words(&self, out: &mut Drawing) {
        let mut taken = self.taken();
        for arrow in &self.timeline.arrows {
            let word = self.arrow_word(arrow);
            let half = columns(wide(&word), SMALL) / 2.0;
            let frame = |(x, y): Point| [x - half - 2.0, y - 6.0, x + half + 2.0, y + 6.0];
            let place = self
                .places_on(arrow, half)
                .into_iter()
                .find(|&place| self.is_between_lanes(frame(place)) && taken.is_free(frame(place)));
            if let Some(place) = place {
                taken.take(frame(place));
                draw_word(out, &word, place);
            }
        }
    }

    /// Where labels and breaks stand.
    fn taken(&self) -> Taken {
        let mut taken = Taken::default();
        for label in &self.labels {
            let (from, _, to) = self.across(label);
            let half = label.height() / 2.0;
            taken.take([from.min(to), label.y - half, from.max(to), label.y + half]);
        }
        for (y, _) in self.breaks() {
            taken.take_across(y - 7.0, y + 7.0);
        }
        taken
    }

    /// Places for a word of this half width on an arrow, the best one first.
    fn places_on(&self, arrow: &Arrow, half: f64) -> Vec<Point> {
        let (begin @ (x1, y1), end @ (x2, y2)) = self.ends(arrow);
        let (Some(from), Some(to)) = (arrow.from, arrow.to) else {
            // Beyond the end in the air, or before the beginning there.
            let (tip, (x, y)) =
                if arrow.to.is_none() { (arrow.from, end) } else { (arrow.to, begin) };
            let side = tip.map_or(Side::Right, |tip| self.outward(&tip));
            let beyond = side.away(x, half + 10.0);
            return vec![(beyond, y), (beyond, y - 12.0), (beyond, y + 12.0)];
        };
        if from.lane == to.lane {
            let x = self.lanes[from.lane] + 3.0 * TIP + half;
            return vec![(x, (y1 + y2) / 2.0)];
        }
        // A reader looks for the word of an arrow near its beginning.
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
}

fn draw_word(out: &mut Drawing, word: &str, (x, y): Point) {
    let width = columns(wide(word), SMALL) + 2.0;
    out.add(rect(x - width / 2.0, y - 5.5, width, 11.0).fill(PAPER));
    let word = text(x, y + 3.5, word).class("small word").size(SMALL);
    out.add(word.anchor(Anchor::Middle).fill(DIM));
}

/// Boxes that hold something, by the cells of a grid: so a look at one place costs the same in a picture of
/// any size. A long picture has millions of cells: each takes a few bytes here, and no memory of its own.
#[derive(Default)]
struct Taken {
    boxes: Vec<[f64; 4]>,
    /// The links of the chains: a box, and the link behind this one, or `LAST`.
    links: Vec<(u32, u32)>,
    /// The chain of the boxes that reach into each cell.
    cells: HashMap<(i32, i32), u32>,
    /// What goes across the whole picture, from this height to that, by strips of height.
    strips: HashMap<i32, Vec<[f64; 2]>>,
}

/// The end of a chain.
const LAST: u32 = u32::MAX;

/// How wide a cell is: about as wide as a label. And how high: a few labels.
const CELL: (f64, f64) = (320.0, 40.0);

impl Taken {
    fn cells(from: f64, to: f64, cell: f64) -> RangeInclusive<i32> {
        (from / cell).floor() as i32..=(to / cell).floor() as i32
    }

    fn take(&mut self, frame @ [left, top, right, foot]: [f64; 4]) {
        let number = self.boxes.len() as u32;
        self.boxes.push(frame);
        for y in Taken::cells(top, foot, CELL.1) {
            for x in Taken::cells(left, right, CELL.0) {
                let first = self.cells.entry((x, y)).or_insert(LAST);
                self.links.push((number, *first));
                *first = self.links.len() as u32 - 1;
            }
        }
    }

    /// The boxes that reach into a cell.
    fn inside(&self, cell: (i32, i32)) -> impl Iterator<Item = &[f64; 4]> {
        let mut next = self.cells.get(&cell).copied().unwrap_or(LAST);
        std::iter::from_fn(move || {
            let &(number, behind) = self.links.get(next as usize)?;
            next = behind;
            self.boxes.get(number as usize)
        })
    }

    fn take_across(&mut self, top: f64, foot: f64) {
        for y in Taken::cells(top, foot, CELL.1) {
            self.strips.entry(y).or_default().push([top, foot]);
        }
    }

    fn is_free(&self, [left, top, right, foot]: [f64; 4]) -> bool {
        let below_or_above = |&[from, to]: &[f64; 2]| from >= foot || to <= top;
        let apart = |a: &[f64; 4]| a[0] >= right || a[2] <= left || below_or_above(&[a[1], a[3]]);
        Taken::cells(top, foot, CELL.1).all(|y| {
            self.strips.get(&y).is_none_or(|strips| strips.iter().all(below_or_above))
                && Taken::cells(left, right, CELL.0).all(|x| self.inside((x, y)).all(apart))
        })
    }
}
