//! Tables: for a terminal, with cells of several lines if the width is too small, and as Markdown.

use std::ops::Range;

use crate::columns::{widest_word, width, wrap, wrapped};

/// The columns of the terminal between two cells.
const GAP: usize = 2;

/// The content of a cell.
pub trait Cell {
    /// Its text.
    fn text(&self) -> &str;

    /// A part of its text as it goes to the terminal: perhaps in colours, but with the same width.
    fn show(&self, part: Range<usize>) -> String;

    /// Its lines, of at most this many columns.
    fn lines(&self, columns: usize) -> Vec<Range<usize>> {
        wrap(self.text(), columns, columns)
    }
}

impl Cell for String {
    fn text(&self) -> &str {
        self
    }

    fn show(&self, part: Range<usize>) -> String {
        self[part].to_owned()
    }
}

/// How a table looks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look<'a> {
    /// How many columns the terminal has; `None`: no limit.
    pub room: Option<usize>,
    /// Whether all columns except the first are right-aligned, as figures are.
    pub figures: bool,
    /// The character of the line below the first row, which is then the heading of the table.
    pub rule: Option<&'a str>,
}

/// The lines of a table.
///
/// ```
/// use netplay_text::table::{Look, lines};
/// let rows = [["call", "times"], ["recv", "3"]].map(|row| row.map(String::from).to_vec());
/// let look = Look { figures: true, rule: Some("-"), ..Look::default() };
/// assert_eq!(lines(&rows, look), ["call  times", "----  -----", "recv      3"]);
/// ```
#[must_use]
pub fn lines<C: Cell>(rows: &[Vec<C>], look: Look<'_>) -> Vec<String> {
    let widths = widths(rows, look.room.unwrap_or(usize::MAX));
    let mut lines = Vec::new();
    let heights: Vec<usize> = rows.iter().map(|row| height(row, &widths)).collect();
    // Rows of several lines need an empty line between them.
    let airy = heights.iter().skip(1).any(|&height| height > 1);
    for (at, (row, height)) in rows.iter().zip(heights).enumerate() {
        for nth in 0..height {
            lines.push(line(row, &widths, nth, look.figures));
        }
        match look.rule.filter(|_| at == 0) {
            Some(rule) => {
                let rules: Vec<String> = widths.iter().map(|&width| rule.repeat(width)).collect();
                lines.push(rules.join(&" ".repeat(GAP)));
            }
            None if airy && at + 1 < rows.len() => lines.push(String::new()),
            None => {}
        }
    }
    lines
}

fn height<C: Cell>(row: &[C], widths: &[usize]) -> usize {
    row.iter().zip(widths).map(|(cell, &width)| cell.lines(width).len()).max().unwrap_or(1)
}

/// The nth line of a row.
fn line<C: Cell>(row: &[C], widths: &[usize], nth: usize, figures: bool) -> String {
    let mut line = String::new();
    for (at, (cell, &room)) in row.iter().zip(widths).enumerate() {
        let part = cell.lines(room).into_iter().nth(nth).unwrap_or(0..0);
        let rest = " ".repeat(room - width(&cell.text()[part.clone()]));
        let shown = cell.show(part);
        line += &if figures && at > 0 { rest + &shown } else { shown + &rest };
        line += &" ".repeat(GAP);
    }
    line.trim_end().to_owned()
}

/// The width of each column. If not all fit, each first gets the width of its widest word; the rest goes,
/// one column of the terminal at a time, to the one that needs the most.
fn widths<C: Cell>(rows: &[Vec<C>], room: usize) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    let room = room.saturating_sub(GAP * columns.saturating_sub(1));
    let most = |of: fn(&str) -> usize| -> Vec<usize> {
        (0..columns)
            .map(|at| rows.iter().map(|row| of(row[at].text())).max().unwrap_or(0).max(1))
            .collect()
    };
    let whole = most(|text| text.split('\n').map(width).max().unwrap_or_default());
    if whole.iter().sum::<usize>() <= room {
        return whole;
    }
    let mut widths = most(widest_word);
    let used = |widths: &[usize]| widths.iter().sum::<usize>();
    while used(&widths) > room
        && let Some(widest) = widths.iter_mut().max().filter(|width| **width > 2)
    {
        *widest -= 1;
    }
    // As many lines as a cell would have, in thousandths.
    let lack = |at: usize, width: usize| whole[at] * 1000 / width;
    while used(&widths) < room
        && let Some((_, width)) =
            widths.iter_mut().enumerate().max_by_key(|(at, width)| lack(*at, **width))
    {
        *width += 1;
    }
    widths
}

/// The lines of rows that end in a sentence: it goes on below where it begins, or on lines of its own where too little
/// room is left for it.
///
/// ```
/// use netplay_text::table::hanging;
/// let rows = [["tcp", "a listener of netplay"], ["udp", "none"]].map(|row| row.map(String::from).to_vec());
/// assert_eq!(hanging(&rows, 30), ["tcp  a listener of netplay", "udp  none"]);
/// assert_eq!(hanging(&rows, 22), ["tcp  a listener of", "     netplay", "udp  none"]);
/// ```
#[must_use]
pub fn hanging(rows: &[Vec<String>], columns: usize) -> Vec<String> {
    const NARROWEST: usize = 16;
    const INDENT: usize = 4;
    let cells = rows.first().map_or(0, Vec::len);
    let widest = |nth: usize| rows.iter().map(|row| width(&row[nth])).max().unwrap_or_default();
    let widths: Vec<usize> = (0..cells.saturating_sub(1)).map(widest).collect();
    let indent = widths.iter().map(|width| width + GAP).sum::<usize>();
    let room = columns.saturating_sub(indent);
    let mut lines = Vec::new();
    for row in rows {
        let Some((last, others)) = row.split_last() else { continue };
        let mut line = String::new();
        for (cell, wide) in others.iter().zip(&widths) {
            line += &format!("{cell}{:1$}", "", wide - width(cell) + GAP);
        }
        if width(last) <= room || room >= NARROWEST {
            for part in wrapped(last, room) {
                lines.push(format!("{line}{part}").trim_end().to_owned());
                line = " ".repeat(indent);
            }
        } else {
            lines.extend(Some(line.trim_end().to_owned()).filter(|line| !line.is_empty()));
            let parts = wrapped(last, columns.saturating_sub(INDENT));
            lines.extend(parts.map(|part| format!("{:INDENT$}{part}", "")));
        }
    }
    lines
}

/// The table as Markdown; `right` says which of its columns are right-aligned.
///
/// ```
/// use netplay_text::table::markdown;
/// let rows = [["a|b", "3"]];
/// let table = markdown(&["call", "times"], |column| column > 0, &rows);
/// assert_eq!(table, "| call | times |\n|---|---:|\n| a\\|b | 3 |\n");
/// ```
#[must_use]
pub fn markdown<R, C>(heads: &[&str], right: impl Fn(usize) -> bool, rows: &[R]) -> String
where
    R: AsRef<[C]>,
    C: AsRef<str>,
{
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut table = row(heads.iter().map(|head| (*head).to_owned()).collect());
    let rules = (0..heads.len()).map(|at| if right(at) { "|---:" } else { "|---" });
    table.extend(rules.chain(["|\n"]));
    for cells in rows {
        table +=
            &row(cells.as_ref().iter().map(|cell| cell.as_ref().replace('|', "\\|")).collect());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[[&str; 2]], room: usize) -> Vec<String> {
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.map(String::from).to_vec()).collect();
        lines(&rows, Look { room: Some(room), figures: false, rule: Some("-") })
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(table(&[["调用", "x"], ["recv", "y"]], 80), ["调用  x", "----  -", "recv  y"]);
    }

    #[test]
    fn a_cell_that_is_too_wide_is_wrapped() {
        let rows = [["call", "what it does"], ["recv", "waits for bytes"], ["send", "copies"]];
        let expected = [
            "call  what it does",
            "----  ------------",
            "recv  waits for",
            "      bytes",
            "",
            "send  copies",
        ];
        assert_eq!(table(&rows, 18), expected);
    }
}
