//! How large things are, and how far from each other; and the colours of the two sides.

use crate::Lane;
use crate::ink::{CLIENT, Ink, SERVER};
use netplay_text::columns::{width as wide, width_of};

/// From one row to the next.
pub(super) const UNIT: f64 = 22.0;
/// A line of a label.
pub(super) const LINE: f64 = 15.0;
/// The sizes of the letters: of labels, and of what is said in passing. At both a letter of the usual fonts is
/// a whole number of dots wide (7 and 6): a program that measures on a screen and draws on paper, such as
/// LibreOffice, has the same widths for both, and a text that ends at a lifeline does not run over it.
pub(super) const FONT: f64 = 11.6;
pub(super) const SMALL: f64 = 10.0;
/// The size of the title.
pub(super) const TITLE: f64 = 18.0;
/// How wide a column of a monospace font is, in its size; none of the common ones is wider.
const COLUMN: f64 = 0.61;
/// Around the whole, and around a box.
pub(super) const MARGIN: f64 = 16.0;
/// The column of the times, at the left.
pub(super) const AXIS: f64 = 76.0;
/// Where the boxes with the names of the lanes begin, and how high they are.
pub(super) const HEADS: f64 = 66.0;
pub(super) const HEAD: f64 = 34.0;
/// An arrow ends as far from the middle of a lifeline.
pub(super) const TIP: f64 = 7.0;
/// How far an arrow reaches that arrives nowhere.
pub(super) const LOST: f64 = 58.0;

/// As wide as so many columns of a font are, at most.
pub(super) fn columns(n: usize, size: f64) -> f64 {
    n as f64 * size * COLUMN
}

/// As wide as a text is, about: a Chinese character is as wide as its font is high, which is less than two columns.
pub(super) fn room(said: &str, size: f64) -> f64 {
    let wide_ones = said.chars().filter(|&c| width_of(c) == 2).count();
    columns(wide(said) - 2 * wide_ones, size) + wide_ones as f64 * size * 1.03
}

pub(super) fn role(lane: &Lane) -> &'static str {
    lane.acts.color()
}

pub(super) fn role_ink(lane: &Lane) -> Ink {
    if lane.acts.serves() { SERVER } else { CLIENT }
}
