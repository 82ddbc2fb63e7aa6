//! The elements of an SVG picture, as values that write themselves.
//!
//! They are for every program that shows SVG, from browsers to converters. So each shape has its look as attributes
//! of its own, and a text is one run from one point.
//!
//! ```
//! use netplay_draw::ink::SERVER;
//! use netplay_draw::shapes::{END, Letters, Opening, Rect, Words};
//! let opening = Opening { title: "A bar", width: 90.0, height: 20.0, ..Opening::default() };
//! let bar = Rect { fill: SERVER.into(), x: 40.0, y: 4.0, width: 30.0, height: 12.0 };
//! let name = Words { look: Letters { anchor: END, ..Letters::default() }, x: 36.0, y: 14.0, text: "a < b" };
//! let picture = format!("{opening}{bar}{name}</svg>\n");
//! assert!(picture.contains("a &lt; b</text>"));
//! ```

use std::fmt::{self, Display, Formatter};

use super::words::in_place;
use crate::ink::{self, INK, Ink, PAPER};
use netplay_text::escape::Markup;

/// A coordinate: tenths are fine enough for a screen and short enough for a file.
#[derive(Debug, Clone, Copy)]
pub struct Tenths(pub f64);

impl Display for Tenths {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round() as i64;
        if tenths < 0 {
            f.write_str("-")?;
        }
        match (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, tenth) => write!(f, "{whole}.{tenth}"),
        }
    }
}

/// How a picture begins: its size, what it is in words, its colours in the dark, its paper.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// What it shows, in a line.
    pub title: &'a str,
    /// What it shows, for those who cannot see it.
    pub about: &'a str,
    /// How wide it is.
    pub width: f64,
    /// How high it is.
    pub height: f64,
    /// `sans-serif`, `monospace`.
    pub font: &'a str,
    /// The size of letters that say nothing else.
    pub size: f64,
    /// What stands in `<defs>`: patterns, parts.
    pub defs: &'a str,
    /// Whether parts of it are drawn by `xlink:href`.
    pub links: bool,
}

impl Default for Opening<'_> {
    fn default() -> Self {
        Opening {
            title: "",
            about: "",
            width: 0.0,
            height: 0.0,
            font: "sans-serif",
            size: 13.0,
            defs: "",
            links: false,
        }
    }
}

impl Display for Opening<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Opening { title, about, width, height, font, size, defs, links } = *self;
        f.write_str("<svg xmlns=\"http://www.w3.org/2000/svg\" ")?;
        if links {
            f.write_str("xmlns:xlink=\"http://www.w3.org/1999/xlink\" ")?;
        }
        writeln!(
            f,
            "role=\"img\" aria-labelledby=\"title desc\" font-family=\"{font}\" font-size=\"{size}\" \
             fill=\"{INK}\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
             <title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n<style>{}</style>",
            Markup(title),
            Markup(about),
            style(),
        )?;
        if !defs.is_empty() {
            writeln!(f, "<defs>{defs}</defs>")?;
        }
        writeln!(
            f,
            "<rect class=\"paper\" fill=\"{PAPER}\" width=\"{width}\" height=\"{height}\"/>"
        )
    }
}

/// The style inside every picture, to the letter: a page that holds one allows it by its hash.
pub(super) fn style() -> String {
    format!("\n{}", ink::night())
}

/// What fills a shape.
#[derive(Debug, Clone, Copy)]
pub enum Fill {
    /// A colour.
    Ink(Ink),
    /// A pattern of the picture's `<defs>`, by its id.
    Pattern(&'static str),
}

impl From<Ink> for Fill {
    fn from(ink: Ink) -> Fill {
        Fill::Ink(ink)
    }
}

impl Display for Fill {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Fill::Ink(ink) => write!(f, "{ink}"),
            Fill::Pattern(id) => write!(f, "url(#{id})"),
        }
    }
}

/// A filled rectangle.
#[derive(Debug, Clone, Copy)]
pub struct Rect {
    /// Its colour, or its pattern.
    pub fill: Fill,
    /// Its left side.
    pub x: f64,
    /// Its upper side.
    pub y: f64,
    /// How wide it is.
    pub width: f64,
    /// How high it is.
    pub height: f64,
}

impl Display for Rect {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Rect { fill, x, y, width, height } = *self;
        let [x, y, width, height] = [x, y, width, height].map(Tenths);
        write!(
            f,
            "<rect fill=\"{fill}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
        )
    }
}

/// A straight line.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Its colour.
    pub ink: Ink,
    /// How thick it is.
    pub thick: f64,
    /// Where it begins: x and y.
    pub from: (f64, f64),
    /// Where it ends.
    pub to: (f64, f64),
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Line { ink, thick, from, to } = *self;
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(Tenths);
        write!(
            f,
            "<path fill=\"none\" stroke=\"{ink}\" stroke-width=\"{thick}\" d=\"M{x1} {y1}L{x2} {y2}\"/>"
        )
    }
}

/// A filled circle.
#[derive(Debug, Clone, Copy)]
pub struct Dot {
    /// Its colour.
    pub fill: Ink,
    /// Its middle.
    pub x: f64,
    /// Its middle, downwards.
    pub y: f64,
    /// Half as wide as it is.
    pub radius: f64,
}

impl Display for Dot {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Dot { fill, x, y, radius } = *self;
        let [x, y] = [x, y].map(Tenths);
        write!(f, "<circle fill=\"{fill}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>")
    }
}

/// A text that begins at its point.
pub const START: &str = "";
/// A text whose middle is its point.
pub const MIDDLE: &str = " text-anchor=\"middle\"";
/// A text that ends at its point.
pub const END: &str = " text-anchor=\"end\"";

/// How a text looks; what it does not say is as the picture's opening has it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Letters {
    /// What it is, for tests and readers of the file.
    pub class: &'static str,
    /// The font, if it is another one.
    pub font: Option<&'static str>,
    /// The size, if it is another one.
    pub size: Option<f64>,
    /// Whether it is bold.
    pub bold: bool,
    /// The colour, if it is another one.
    pub ink: Option<Ink>,
    /// [`START`], [`MIDDLE`] or [`END`].
    pub anchor: &'static str,
}

/// A text.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    /// How it looks.
    pub look: Letters,
    /// Its point.
    pub x: f64,
    /// Its line, on which letters stand.
    pub y: f64,
    /// What it says.
    pub text: &'a str,
}

impl Display for Words<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Letters { class, font, size, bold, ink, anchor } = self.look;
        f.write_str("<text")?;
        if !class.is_empty() {
            write!(f, " class=\"{class}\"")?;
        }
        if let Some(font) = font {
            write!(f, " font-family=\"{font}\"")?;
        }
        if let Some(size) = size {
            write!(f, " font-size=\"{size}\"")?;
        }
        if bold {
            f.write_str(" font-weight=\"bold\"")?;
        }
        if let Some(ink) = ink {
            write!(f, " fill=\"{ink}\"")?;
        }
        write!(f, "{anchor} x=\"{}\" y=\"{}\"{}", Tenths(self.x), Tenths(self.y), Said(self.text))
    }
}

/// The end of a text's first tag, and the text itself with the second one.
///
/// Spaces stay as many as they are: of a line that repeats them some programs leave one, unless this very
/// element says otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a>(pub &'a str);

impl Display for Said<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = self.0;
        let spaces = text.contains("  ") || text.starts_with(' ') || text.ends_with(' ');
        f.write_str(if spaces { " xml:space=\"preserve\">" } else { ">" })?;
        write!(f, "{}</text>", Markup(&in_place(text)))
    }
}

/// A step of a scale, of at least this much: 1, 2 or 5 with zeros.
///
/// ```
/// use netplay_draw::shapes::round_step;
/// assert_eq!([0.3, 2.1, 7_000.0].map(round_step), [1, 5, 10_000]);
/// ```
#[must_use]
pub fn round_step(least: f64) -> u64 {
    let steps =
        (0..19).flat_map(|zeros| [1, 2, 5].map(|step: u64| step.saturating_mul(10u64.pow(zeros))));
    steps.into_iter().find(|&step| step as f64 >= least).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short() {
        let short = |number| Tenths(number).to_string();
        assert_eq!(
            [short(1.0), short(12.34), short(-0.26), short(0.04)],
            ["1", "12.3", "-0.3", "0"]
        );
    }
}
