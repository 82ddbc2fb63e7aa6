//! Words and figures one below the other in one picture: a question, what happened, why.

use super::figure::Figure;
use super::measures::{FONT, MARGIN, columns};
use super::{calls, stripes};
use crate::ink::LINE;
use crate::shapes::{Drawing, Opening, Pattern, group, line, text};
use crate::{Timeline, View};
use netplay_text::columns::width as wide;

/// The sizes of letters: of the title, of a heading, of words, of a table.
const TITLE: f64 = 24.0;
const HEADING: f64 = 18.0;
const WORDS: f64 = 15.0;
const SHEET: f64 = 13.0;
/// They are for a picture of this width; in a wider one they are larger, up to so many times.
const USUAL: f64 = 1_100.0;
const LARGEST: f64 = 1.7;
/// From one line to the next, in its size.
const LEADING: f64 = 1.45;

/// What stands on a poster.
#[derive(Debug)]
pub enum Block<'a> {
    /// What the parts below it are about.
    Heading(String),
    /// Lines of words.
    Words(Vec<String>),
    /// Lines in which columns stand below each other. Marks of code take their columns, and are not drawn.
    Sheet(Vec<String>),
    /// A timeline, and what it shows.
    Figure(&'a Timeline, String),
}

/// The whole poster. Of the view, its title stands above everything.
///
/// ```
/// use netplay_draw::{Block, Time, View, poster};
/// use netplay_text::lang::Lang;
/// let (title, time, lang) = ("one send is not one recv".to_owned(), Time::default(), Lang::En);
/// let view = View { title, time, columns: 100, ascii: false, color: false, lang };
/// let svg = poster(&[Block::Heading("Why".into()), Block::Words(vec!["TCP carries a stream.".into()])], &view);
/// assert!(svg.starts_with("<svg") && svg.contains(">TCP carries a stream.</text>"));
/// ```
#[must_use]
pub fn poster(parts: &[Block<'_>], view: &View) -> String {
    let views: Vec<Option<View>> = parts.iter().map(|part| part.view(view)).collect();
    // Each figure with a name of its own for what it defines.
    let mut names = ["cut", "cut-2", "cut-3", "cut-4"].into_iter().cycle();
    let figures: Vec<Option<Figure<'_>>> = parts
        .iter()
        .zip(&views)
        .map(|(part, view)| match (part, view) {
            (Block::Figure(timeline, _), Some(view)) => {
                let figure = Figure::of(timeline, view);
                Some(Figure { cut: names.next().unwrap_or(figure.cut), ..figure })
            }
            _ => None,
        })
        .collect();
    let widest = parts.iter().map(Block::width).fold(columns(wide(&view.title), TITLE), f64::max);
    let of_figures = figures.iter().flatten().map(|figure| figure.width).fold(0.0, f64::max);
    // The words grow with the figures: on a screen that shows the whole width they stay as large.
    let size = |letters: f64| letters * (of_figures / USUAL).clamp(1.0, LARGEST);
    let (title, heading, words, sheet) = (size(TITLE), size(HEADING), size(WORDS), size(SHEET));
    let widest = (widest * size(1.0)).max(of_figures);
    let mut body = Drawing::default();
    let mut y = MARGIN + title;
    let sans = |y, said| text(MARGIN, y, said).font("sans-serif");
    body.add(sans(y, &view.title).size(title).bold());
    y += 0.6 * title;
    for (part, figure) in parts.iter().zip(&figures) {
        match (part, figure) {
            (Block::Heading(said), _) => {
                y += 1.2 * heading;
                body.add(line((MARGIN, y - 0.3), (widest + MARGIN, y - 0.3)).stroke(LINE, 1.0));
                y += 1.5 * heading;
                body.add(sans(y, said).size(heading).bold());
                y += 0.5 * heading;
            }
            (Block::Words(lines), _) => {
                for said in lines {
                    y += LEADING * words;
                    body.add(sans(y, said).size(words));
                }
                y += 0.5 * words;
            }
            (Block::Sheet(lines), _) => {
                for line in lines {
                    y += LEADING * sheet;
                    for (column, said) in cells(line) {
                        let said = said.replace('`', "");
                        body.add(text(MARGIN + columns(column, sheet), y, &said).size(sheet));
                    }
                }
                y += 0.5 * sheet;
            }
            (Block::Figure(..), Some(figure)) => {
                body.group(group("figure").moved(0.0, y).size(FONT), |out| figure.draw(out));
                y += figure.height();
            }
            (Block::Figure(..), None) => {}
        }
    }
    let about: Vec<String> = figures.iter().flatten().map(Figure::about).collect();
    let mut out = Drawing::new(&Opening {
        title: &view.title,
        about: &about.join(" "),
        width: (widest + 2.0 * MARGIN).ceil(),
        height: (y + 2.0 * MARGIN).ceil(),
        font: "monospace",
        size: FONT,
        patterns: &[Pattern { id: calls::AGAIN, side: 5.0, turned: 45.0, parts: &stripes() }],
        again: figures.iter().flatten().any(|figure| !figure.heights.breaks.is_empty()),
    });
    out.append(&body);
    out.finish()
}

/// What stands in a line, where several spaces part it, and at which column: a Chinese character of a font is not
/// always as wide as two others.
fn cells(line: &str) -> Vec<(usize, &str)> {
    let mut cells = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let begin = rest.len() - rest.trim_start().len();
        let end = rest[begin..].find("  ").map_or(rest.len(), |at| begin + at);
        if begin < end {
            let before = line.len() - rest.len() + begin;
            cells.push((wide(&line[..before]), rest[begin..end].trim_end()));
        }
        rest = &rest[end..];
    }
    cells
}

impl Block<'_> {
    /// How a figure is to look.
    fn view(&self, view: &View) -> Option<View> {
        let Block::Figure(_, title) = self else { return None };
        Some(View { title: title.clone(), ..view.clone() })
    }

    /// The room that its letters take at most.
    fn width(&self) -> f64 {
        let widest = |lines: &[String], size| {
            lines.iter().map(|line| columns(wide(line), size)).fold(0.0, f64::max)
        };
        match self {
            Block::Heading(words) => columns(wide(words), HEADING),
            Block::Words(lines) => widest(lines, WORDS),
            Block::Sheet(lines) => widest(lines, SHEET),
            Block::Figure(..) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::cells;

    #[test]
    fn the_cells_of_a_line_keep_their_columns() {
        assert_eq!(
            cells("  frame   on the wire  3"),
            [(2, "frame"), (10, "on the wire"), (23, "3")]
        );
        assert_eq!(cells("套接字  3 "), [(0, "套接字"), (8, "3")]);
        assert!(cells("   ").is_empty() && cells("").is_empty());
    }
}
