//! A table whose cells may have several lines.

use super::text::Text;
use crate::columns::width;

/// The columns between two cells.
const GAP: usize = 2;

/// The lines of a table; the first row is its head.
pub fn lines(rows: &[Vec<Text>], room: usize, styled: bool, rule: &str) -> Vec<String> {
    let widths = widths(rows, room);
    let mut lines = Vec::new();
    let heights: Vec<usize> = rows.iter().map(|row| height(row, &widths)).collect();
    // Rows of several lines need air to be told apart.
    let airy = heights.iter().skip(1).any(|&height| height > 1);
    for (at, (row, height)) in rows.iter().zip(heights).enumerate() {
        for nth in 0..height {
            lines.push(line(row, &widths, nth, styled));
        }
        if at == 0 {
            let rules: Vec<String> = widths.iter().map(|&width| rule.repeat(width)).collect();
            lines.push(rules.join(&" ".repeat(GAP)));
        } else if airy && at + 1 < rows.len() {
            lines.push(String::new());
        }
    }
    lines
}

fn height(row: &[Text], widths: &[usize]) -> usize {
    row.iter().zip(widths).map(|(cell, &width)| cell.lines(width).len()).max().unwrap_or(1)
}

/// The nth line of a row.
fn line(row: &[Text], widths: &[usize], nth: usize, styled: bool) -> String {
    let mut line = String::new();
    for (at, (cell, &room)) in row.iter().zip(widths).enumerate() {
        let part = cell.lines(room).into_iter().nth(nth).unwrap_or(0..0);
        line.push_str(&cell.show(part.clone(), styled));
        if at + 1 < row.len() {
            line.push_str(&" ".repeat(room - width(&cell.as_str()[part]) + GAP));
        }
    }
    line.trim_end().to_owned()
}

/// How wide each column is. What does not fit as it is gets the room of its widest word, and then, one
/// column of the terminal after the other, whoever lacks the most.
fn widths(rows: &[Vec<Text>], room: usize) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    let room = room.saturating_sub(GAP * columns.saturating_sub(1));
    let most = |of: fn(&Text) -> usize| -> Vec<usize> {
        (0..columns)
            .map(|at| rows.iter().map(|row| of(&row[at])).max().unwrap_or(0).max(1))
            .collect()
    };
    let whole = most(Text::width);
    if whole.iter().sum::<usize>() <= room {
        return whole;
    }
    let mut widths = most(Text::widest_word);
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

#[cfg(test)]
mod tests {
    use super::super::text::Mark;
    use super::*;

    fn table(rows: &[[&str; 2]], room: usize) -> Vec<String> {
        let cell = |text: &&str| {
            let mut cell = Text::default();
            cell.push(text, Mark::Plain);
            cell
        };
        let rows: Vec<Vec<Text>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
        lines(&rows, room, false, "-")
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
