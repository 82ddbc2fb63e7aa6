//! The elements of an SVG picture, as values: what is drawn says where and how, and this file alone writes the markup.
//!
//! They are for every program that shows SVG, from browsers to converters. So each shape has its look as attributes
//! of its own, and a text is one run from one point. The crate `svg` (0.18) would not do better: it keeps the whole
//! picture as a tree before it writes any of it (a kilobyte for each shape), writes coordinates in full length and
//! every text on a line of its own, and lets control characters through, with which no program reads the file.
//!
//! ```
//! use netplay_draw::ink::SERVER;
//! use netplay_draw::shapes::{Anchor, Drawing, Opening, group, rect, text};
//! let opening = Opening { title: "A bar", width: 90.0, height: 20.0, ..Opening::default() };
//! let mut picture = Drawing::new(&opening);
//! picture.group(group("bar").title("what it stands for"), |picture| {
//!     picture.add(rect(40.0, 4.0, 30.0, 12.0).fill(SERVER));
//!     picture.add(text(36.0, 14.0, "a < b").anchor(Anchor::End));
//! });
//! assert!(picture.finish().contains("a &lt; b</text>"));
//! ```

use std::fmt::{self, Display, Formatter, Write as _};
use std::io;

use super::paper::Paper;
use super::words::in_place;
use crate::ink::{self, INK, Ink, PAPER};
use netplay_text::escape::Markup;

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
    /// What may fill a shape besides a colour.
    pub patterns: &'a [Pattern<'a>],
    /// Whether something is drawn [`again`].
    pub again: bool,
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
            patterns: &[],
            again: false,
        }
    }
}

/// A square that repeats itself over what it fills.
#[derive(Debug, Clone, Copy)]
pub struct Pattern<'a> {
    /// The name by which [`Fill::Pattern`] asks for it.
    pub id: &'static str,
    /// How wide and how high it is.
    pub side: f64,
    /// By how many degrees it is turned.
    pub turned: f64,
    /// What is in it.
    pub parts: &'a [Element<'a>],
}

/// The style inside every picture, to the letter: a page that holds one allows it by its hash.
pub(super) fn style() -> String {
    format!("\n{}", ink::night())
}

/// A picture, or a part of one, as far as it is drawn: what is added later lies above.
#[derive(Debug, Default)]
pub struct Drawing<'a> {
    svg: Paper<'a>,
    /// In how many groups the next element is: those that are in none have a line each.
    depth: usize,
}

impl Drawing<'_> {
    /// A picture with nothing on its paper yet. Of a part that another drawing will [`append`](Drawing::append),
    /// the beginning is [`Drawing::default`].
    #[must_use]
    pub fn new(opening: &Opening<'_>) -> Drawing<'static> {
        Drawing::on(Paper::default(), opening)
    }
}

impl<'a> Drawing<'a> {
    /// The same on this paper.
    pub(super) fn on(paper: Paper<'a>, opening: &Opening<'_>) -> Drawing<'a> {
        let Opening { title, about, width, height, font, size, patterns, again } = *opening;
        let links = if again { " xmlns:xlink=\"http://www.w3.org/1999/xlink\"" } else { "" };
        let mut picture = Drawing { svg: paper, depth: 0 };
        picture.write(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\"{links} \
             role=\"img\" aria-labelledby=\"title desc\" font-family=\"{font}\" font-size=\"{size}\" \
             fill=\"{INK}\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
             <title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n<style>{}</style>\n",
            Markup(title),
            Markup(about),
            style(),
        ));
        patterns.iter().for_each(|pattern| picture.pattern(pattern));
        picture.add(rect(0.0, 0.0, width, height).class("paper").fill(PAPER));
        picture
    }

    fn write(&mut self, markup: fmt::Arguments<'_>) {
        self.svg.text.write_fmt(markup).expect("a String takes everything");
    }

    fn pattern(&mut self, pattern: &Pattern<'_>) {
        let Pattern { id, side, turned, parts } = *pattern;
        let parts = |out: &mut Drawing<'_>| parts.iter().for_each(|&part| out.add(part));
        self.within(
            format_args!(
                "<defs><pattern id=\"{id}\" width=\"{side}\" height=\"{side}\" \
                 patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate({turned})\">"
            ),
            parts,
            "</pattern></defs>",
        );
    }

    fn within(
        &mut self,
        begin: fmt::Arguments<'_>,
        inside: impl FnOnce(&mut Drawing<'a>),
        end: &str,
    ) {
        self.write(begin);
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        self.svg.text += end;
        self.end_line();
    }

    fn end_line(&mut self) {
        if self.depth == 0 {
            self.svg.text.push('\n');
        }
        self.svg.turn();
    }

    /// Adds a shape or a text.
    pub fn add(&mut self, element: Element<'_>) {
        let name = element.form.name();
        match element.form {
            Form::Text { text, .. } => {
                // Of several spaces some programs leave one, unless this very element says otherwise.
                let spaces = text.contains("  ") || text.starts_with(' ') || text.ends_with(' ');
                let space = if spaces { " xml:space=\"preserve\"" } else { "" };
                let text = in_place(text);
                self.write(format_args!("<{name}{element}{space}>{}</{name}>", Markup(&text)));
            }
            _ => self.write(format_args!("<{name}{element}/>")),
        }
        self.end_line();
    }

    /// Adds a group and what is drawn inside it. Its look is that of its parts, where these have none of their own.
    pub fn group(&mut self, group: Element<'_>, inside: impl FnOnce(&mut Drawing<'a>)) {
        let title = Markup(group.title);
        match group.title {
            "" => self.within(format_args!("<g{group}>"), inside, "</g>"),
            _ => self.within(format_args!("<g{group}><title>{title}</title>"), inside, "</g>"),
        }
    }

    /// Draws something that is not shown here, and wherever [`again`] asks for it by its name.
    pub fn define(&mut self, id: &'static str, inside: impl FnOnce(&mut Drawing<'a>)) {
        self.within(format_args!("<defs><g id=\"{id}\">"), inside, "</g></defs>");
    }

    /// Adds a part that was drawn before its place was known.
    pub fn append(&mut self, part: &Drawing<'_>) {
        self.svg.text += &part.svg.text;
    }

    /// The whole file.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.end();
        self.svg.text
    }

    /// Hands on the rest of the file.
    pub(super) fn hand_on(mut self) -> io::Result<()> {
        self.end();
        self.svg.finish()
    }

    fn end(&mut self) {
        self.svg.text += "</svg>\n";
    }
}

/// A place: x to the right, y downwards.
pub type Point = (f64, f64);

/// A shape, a text or a group, and its look. What it does not say is as the group around it has it.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    form: Form<'a>,
    class: &'a str,
    title: &'a str,
    font: &'a str,
    size: Option<f64>,
    bold: bool,
    italic: bool,
    anchor: Option<Anchor>,
    fill: Option<Fill>,
    opacity: Option<f64>,
    stroke: Option<(Ink, f64)>,
    dashes: &'a str,
}

#[derive(Debug, Clone, Copy)]
enum Form<'a> {
    Rect { x: f64, y: f64, width: f64, height: f64, corner: Option<f64> },
    Circle { x: f64, y: f64, radius: f64 },
    Line { from: Point, to: Point },
    Path(&'a Path),
    Text { x: f64, y: f64, text: &'a str },
    Again { id: &'static str, y: f64 },
    Group { moved: Option<Point> },
}

impl Form<'_> {
    fn name(&self) -> &'static str {
        match self {
            Form::Rect { .. } => "rect",
            Form::Circle { .. } => "circle",
            Form::Line { .. } | Form::Path(_) => "path",
            Form::Text { .. } => "text",
            Form::Again { .. } => "use",
            Form::Group { .. } => "g",
        }
    }
}

/// A rectangle: its upper left corner, how wide and how high it is.
#[must_use]
pub fn rect<'a>(x: f64, y: f64, width: f64, height: f64) -> Element<'a> {
    Element::new(Form::Rect { x, y, width, height, corner: None })
}

/// A circle: its middle, and half of how wide it is.
#[must_use]
pub fn circle<'a>((x, y): Point, radius: f64) -> Element<'a> {
    Element::new(Form::Circle { x, y, radius })
}

/// A straight line.
#[must_use]
pub fn line<'a>(from: Point, to: Point) -> Element<'a> {
    Element::new(Form::Line { from, to }).fill(Fill::None)
}

/// What a [`Path`] goes along, or around.
#[must_use]
pub fn path(path: &Path) -> Element<'_> {
    Element::new(Form::Path(path))
}

/// A text: its point, on the line on which letters stand, and what it says.
#[must_use]
pub fn text(x: f64, y: f64, text: &str) -> Element<'_> {
    Element::new(Form::Text { x, y, text })
}

/// What was [defined](Drawing::define) under that name, so far down.
#[must_use]
pub fn again<'a>(id: &'static str, y: f64) -> Element<'a> {
    Element::new(Form::Again { id, y })
}

/// A group of a class, for [`Drawing::group`].
#[must_use]
pub fn group(class: &str) -> Element<'_> {
    Element::new(Form::Group { moved: None }).class(class)
}

impl<'a> Element<'a> {
    fn new(form: Form<'a>) -> Element<'a> {
        Element {
            form,
            class: "",
            title: "",
            font: "",
            size: None,
            bold: false,
            italic: false,
            anchor: None,
            fill: None,
            opacity: None,
            stroke: None,
            dashes: "",
        }
    }

    /// What it is, for tests and readers of the file.
    #[must_use]
    pub fn class(self, class: &'a str) -> Self {
        Element { class, ..self }
    }

    /// What a group is in words: a browser shows them when the mouse rests on it.
    #[must_use]
    pub fn title(self, title: &'a str) -> Self {
        Element { title, ..self }
    }

    /// `sans-serif`, `monospace`.
    #[must_use]
    pub fn font(self, font: &'a str) -> Self {
        Element { font, ..self }
    }

    /// The size of its letters.
    #[must_use]
    pub fn size(self, size: f64) -> Self {
        Element { size: Some(size), ..self }
    }

    /// Bold letters.
    #[must_use]
    pub fn bold(self) -> Self {
        Element { bold: true, ..self }
    }

    /// Italic letters.
    #[must_use]
    pub fn italic(self) -> Self {
        Element { italic: true, ..self }
    }

    /// Which part of a text is at its point: without this, its beginning.
    #[must_use]
    pub fn anchor(self, anchor: Anchor) -> Self {
        Element { anchor: Some(anchor), ..self }
    }

    /// What fills it: of a text, the letters.
    #[must_use]
    pub fn fill(self, fill: impl Into<Fill>) -> Self {
        Element { fill: Some(fill.into()), ..self }
    }

    /// How much of what lies below its filling hides: 1 is all of it.
    #[must_use]
    pub fn opacity(self, opacity: f64) -> Self {
        Element { opacity: Some(opacity), ..self }
    }

    /// The colour of its outline, and how thick that is.
    #[must_use]
    pub fn stroke(self, ink: Ink, thick: f64) -> Self {
        Element { stroke: Some((ink, thick)), ..self }
    }

    /// A dashed outline: how long each dash is, and each gap. Not every program lets a part of a dashed group be
    /// whole again.
    #[must_use]
    pub fn dashes(self, dashes: &'a str) -> Self {
        Element { dashes, ..self }
    }

    /// Rounds the corners of a rectangle.
    #[must_use]
    pub fn rounded(mut self, radius: f64) -> Self {
        if let Form::Rect { corner, .. } = &mut self.form {
            *corner = Some(radius);
        }
        self
    }

    /// Moves a group, with all that is inside it.
    #[must_use]
    pub fn moved(mut self, x: f64, y: f64) -> Self {
        if let Form::Group { moved } = &mut self.form {
            *moved = Some((x, y));
        }
        self
    }
}

/// The attributes, each behind a space: first how the element looks, then where it is.
impl Display for Element<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (name, text) in
            [("class", self.class), ("font-family", self.font), ("stroke-dasharray", self.dashes)]
        {
            if !text.is_empty() {
                write!(f, " {name}=\"{}\"", Markup(text))?;
            }
        }
        for (name, number) in [("font-size", self.size), ("fill-opacity", self.opacity)] {
            if let Some(number) = number {
                write!(f, " {name}=\"{number}\"")?;
            }
        }
        if self.bold {
            f.write_str(" font-weight=\"bold\"")?;
        }
        if self.italic {
            f.write_str(" font-style=\"italic\"")?;
        }
        if let Some(anchor) = self.anchor {
            write!(f, " text-anchor=\"{anchor}\"")?;
        }
        if let Some(fill) = self.fill {
            write!(f, " fill=\"{fill}\"")?;
        }
        if let Some((ink, thick)) = self.stroke {
            write!(f, " stroke=\"{ink}\" stroke-width=\"{thick}\"")?;
        }
        write!(f, "{}", self.form)
    }
}

impl Display for Form<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Form::Rect { x, y, width, height, corner } => {
                let [x, y, width, height] = [x, y, width, height].map(Tenths);
                write!(f, " x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"")?;
                corner.map_or(Ok(()), |radius| write!(f, " rx=\"{radius}\""))
            }
            Form::Circle { x, y, radius } => {
                write!(f, " cx=\"{}\" cy=\"{}\" r=\"{radius}\"", Tenths(x), Tenths(y))
            }
            Form::Line { from, to } => write!(f, " d=\"M{}L{}\"", At(from), At(to)),
            Form::Path(Path(steps)) => write!(f, " d=\"{steps}\""),
            Form::Text { x, y, .. } => write!(f, " x=\"{}\" y=\"{}\"", Tenths(x), Tenths(y)),
            Form::Again { id, y } => write!(f, " xlink:href=\"#{id}\" y=\"{}\"", Tenths(y)),
            Form::Group { moved: Some(by) } => write!(f, " transform=\"translate({})\"", At(by)),
            Form::Group { moved: None } => Ok(()),
        }
    }
}

/// What fills a shape.
#[derive(Debug, Clone, Copy)]
pub enum Fill {
    /// Nothing.
    None,
    /// A colour.
    Ink(Ink),
    /// A pattern of the picture's [`Opening`], by its name.
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
            Fill::None => f.write_str("none"),
            Fill::Ink(ink) => write!(f, "{ink}"),
            Fill::Pattern(id) => write!(f, "url(#{id})"),
        }
    }
}

/// Which part of a text is at its point, if it is not the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

impl Display for Anchor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Anchor::Middle => "middle",
            Anchor::End => "end",
        })
    }
}

/// The steps of a pen, from its first place on.
#[derive(Debug, Clone, Default)]
pub struct Path(String);

impl Path {
    /// It begins here.
    #[must_use]
    pub fn at(point: Point) -> Path {
        Path::default().move_to(point)
    }

    fn step(mut self, step: fmt::Arguments<'_>) -> Path {
        self.0.write_fmt(step).expect("a String takes everything");
        self
    }

    /// Lifts the pen, and goes on here.
    #[must_use]
    pub fn move_to(self, point: Point) -> Path {
        self.step(format_args!("M{}", At(point)))
    }

    /// Draws a straight line to here.
    #[must_use]
    pub fn line_to(self, point: Point) -> Path {
        self.step(format_args!("L{}", At(point)))
    }

    /// Draws a straight line, so far to the right and so far down.
    #[must_use]
    pub fn line_by(self, right: f64, down: f64) -> Path {
        self.step(format_args!("l{}", At((right, down))))
    }

    /// Draws a curve that leaves towards the first point and comes from the second one.
    #[must_use]
    pub fn curve_to(self, first: Point, second: Point, end: Point) -> Path {
        self.step(format_args!("C{} {} {}", At(first), At(second), At(end)))
    }

    /// Draws a straight line to where it began.
    #[must_use]
    pub fn close(self) -> Path {
        self.step(format_args!("z"))
    }
}

struct At(Point);

impl Display for At {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Tenths(self.0.0), Tenths(self.0.1))
    }
}

/// A coordinate: tenths are fine enough for a screen and short enough for a file.
#[derive(Clone, Copy)]
struct Tenths(f64);

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

    #[test]
    fn nothing_that_is_said_becomes_markup() {
        let mut part = Drawing::default();
        part.group(group("a\"b").title("<b>"), |part| part.add(text(0.0, 1.0, " </text>\u{1}")));
        let said = ["a&quot;b", "&lt;b&gt;", " xml:space=\"preserve\"> &lt;/text&gt;\u{fffd}<"];
        for said in said {
            assert!(part.svg.text.contains(said), "{said}: {}", part.svg.text);
        }
    }
}
