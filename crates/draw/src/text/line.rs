//! A line of the picture, a cell a column. Lines that cross or meet in a cell become one character.

use anstyle::{AnsiColor, Style};

use netplay_text::columns::width_of;

/// Where a stroke leads from the middle of its cell.
pub(super) const UP: u8 = 1;
pub(super) const DOWN: u8 = 2;
pub(super) const LEFT: u8 = 4;
pub(super) const RIGHT: u8 = 8;
/// The vertical stroke is a thick one.
pub(super) const THICK: u8 = 16;
/// The vertical stroke has gaps: time was left out here.
const DASHED: u8 = 32;

/// What a colour repeats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Ink {
    #[default]
    Plain,
    Strong,
    Dim,
    Server,
    Client,
    Wait,
    Error,
}

impl Ink {
    fn style(self) -> Style {
        match self {
            Ink::Plain => Style::new(),
            Ink::Strong => Style::new().bold(),
            Ink::Dim => Style::new().dimmed(),
            Ink::Server => AnsiColor::Cyan.on_default(),
            Ink::Client => AnsiColor::Green.on_default(),
            Ink::Wait => AnsiColor::Yellow.on_default(),
            Ink::Error => AnsiColor::Red.on_default(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Cell {
    #[default]
    Empty,
    Strokes(u8),
    Char(char),
    /// With accents.
    Cluster(String),
    /// The second half of a wide character.
    Covered,
}

/// One line.
#[derive(Debug, Default)]
pub(super) struct Line {
    cells: Vec<(Cell, Ink)>,
}

impl Line {
    /// Adds strokes to what strokes there are; a character stays what it is.
    pub(super) fn stroke(&mut self, x: usize, strokes: u8, ink: Ink) {
        let cell = self.cell(x);
        *cell = match &cell.0 {
            Cell::Empty => (Cell::Strokes(strokes), ink),
            Cell::Strokes(before) => (Cell::Strokes(before | strokes), cell.1),
            _ => return,
        };
    }

    /// Puts gaps into a vertical stroke.
    pub(super) fn dash(&mut self, x: usize) {
        if let Some((Cell::Strokes(strokes), _)) = self.cells.get_mut(x) {
            *strokes |= DASHED;
        }
    }

    /// A horizontal stroke through these columns.
    pub(super) fn run(&mut self, columns: std::ops::Range<usize>) {
        columns.for_each(|x| self.stroke(x, LEFT | RIGHT, Ink::Plain));
    }

    /// Writes a text; what was there is covered.
    pub(super) fn text(&mut self, mut x: usize, text: &str, ink: Ink) {
        for c in text.chars() {
            match width_of(c) {
                0 if x > 0 => {
                    let (cell, _) = self.cell(x - 1);
                    match cell {
                        Cell::Char(base) => *cell = Cell::Cluster(format!("{base}{c}")),
                        Cell::Cluster(base) => base.push(c),
                        _ => {}
                    }
                }
                0 => {}
                width => {
                    *self.cell(x) = (Cell::Char(c), ink);
                    (x + 1..x + width).for_each(|x| *self.cell(x) = (Cell::Covered, ink));
                    x += width;
                }
            }
        }
    }

    /// Whether these columns hold nothing but one horizontal stroke.
    pub(super) fn is_run(&self, mut columns: std::ops::Range<usize>) -> bool {
        let run = |x: usize| {
            self.cells.get(x).is_some_and(|(cell, _)| *cell == Cell::Strokes(LEFT | RIGHT))
        };
        columns.all(run)
    }

    /// Whether nothing stands there.
    pub(super) fn is_free(&self, x: usize) -> bool {
        self.cells.get(x).is_none_or(|(cell, _)| *cell == Cell::Empty)
    }

    /// Adds the line to a text, without the spaces at its end.
    pub(super) fn write(&self, into: &mut String, ascii: bool, color: bool) {
        let used = self.cells.iter().rposition(|(cell, _)| *cell != Cell::Empty);
        let mut pen = Ink::Plain;
        for (cell, ink) in &self.cells[..used.map_or(0, |last| last + 1)] {
            let ink = if *cell == Cell::Empty { Ink::Plain } else { *ink };
            if color && ink != pen {
                into.push_str(&format!("{:#}{}", pen.style(), ink.style()));
                pen = ink;
            }
            match cell {
                Cell::Empty => into.push(' '),
                Cell::Strokes(strokes) => into.push(glyph(*strokes, ascii)),
                Cell::Char(c) => into.push(*c),
                Cell::Cluster(text) => into.push_str(text),
                Cell::Covered => {}
            }
        }
        into.push_str(&if color { format!("{:#}\n", pen.style()) } else { "\n".to_owned() });
    }

    fn cell(&mut self, x: usize) -> &mut (Cell, Ink) {
        if self.cells.len() <= x {
            self.cells.resize_with(x + 1, Default::default);
        }
        &mut self.cells[x]
    }
}

fn glyph(strokes: u8, ascii: bool) -> char {
    const THIN: [char; 16] =
        [' ', '╵', '╷', '│', '╴', '╯', '╮', '┤', '╶', '╰', '╭', '├', '─', '┴', '┬', '┼'];
    let sides = strokes & (UP | DOWN | LEFT | RIGHT);
    let (thick, dashed) = (strokes & THICK != 0, strokes & DASHED != 0);
    match (sides & !(UP | DOWN), ascii) {
        (_, true) if thick => '#',
        (0, true) if dashed => ':',
        (0, true) => '|',
        (_, true) => {
            if sides & (UP | DOWN) == 0 {
                '-'
            } else {
                '+'
            }
        }
        (0, _) if thick && dashed => '┇',
        (0, _) if dashed => '┊',
        (0, _) if thick => '┃',
        (LEFT, _) if thick => '┨',
        (RIGHT, _) if thick => '┠',
        _ if thick => '╂',
        _ => THIN[usize::from(sides)],
    }
}
