//! Text in columns of a terminal: how wide it is, and where its lines break.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

/// How many columns of a terminal a text takes: two for 世, none for an accent of its own.
///
/// ```
/// use netplay_text::columns::width;
/// assert_eq!([width("hello"), width("世界"), width("e\u{301}")], [5, 4, 1]);
/// ```
#[must_use]
pub fn width(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// The columns of a character.
#[must_use]
pub fn width_of(c: char) -> usize {
    c.width().unwrap_or_default()
}

/// Breaks a text into lines: the first of `first` columns, all others of `rest`. It breaks at spaces,
/// which then belong to no line; only a word that is wider than a line is broken itself.
///
/// ```
/// use netplay_text::columns::wrap;
/// let lines = |text, first, rest| wrap(text, first, rest).into_iter().map(|at| &text[at]).collect::<Vec<_>>();
/// assert_eq!(lines("the kernel took 5 of 5", 10, 8), ["the kernel", "took 5", "of 5"]);
/// assert_eq!(lines("世界世界", 5, 5), ["世界", "世界"]);
/// ```
#[must_use]
pub fn wrap(text: &str, first: usize, rest: usize) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    loop {
        let room = if lines.is_empty() { first } else { rest };
        let line = start..start + fitting(&text[start..], room.max(2));
        let next = line.end + text[line.end..].len() - text[line.end..].trim_start().len();
        lines.push(line);
        if next == text.len() {
            return lines;
        }
        start = next;
    }
}

/// How many bytes of the text stand in a line of so many columns: up to a space, if there is one.
fn fitting(text: &str, room: usize) -> usize {
    let (mut used, mut word) = (0, 0);
    let words = text.len() - text.trim_start().len(); // an indent is no place to break
    let mut in_space = false;
    for (at, c) in text.char_indices() {
        if c == ' ' {
            if !in_space && at > words {
                word = at;
            }
            in_space = true;
        } else {
            in_space = false;
            if used + width_of(c) > room {
                return if word > 0 { word } else { at };
            }
        }
        used += width_of(c);
    }
    text.trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, first: usize, rest: usize) -> Vec<&str> {
        wrap(text, first, rest).into_iter().map(|line| &text[line]).collect()
    }

    #[test]
    fn a_space_that_does_not_fit_ends_the_line() {
        assert_eq!(lines("recv 4  5 bytes", 6, 9), ["recv 4", "5 bytes"]);
        assert_eq!(lines("recv", 4, 4), ["recv"]);
        assert_eq!(lines("", 4, 4), [""]);
    }

    #[test]
    fn a_word_wider_than_a_line_is_broken() {
        assert_eq!(lines("ab cdefghij k", 4, 4), ["ab", "cdef", "ghij", "k"]);
        assert_eq!(lines("a世界", 2, 2), ["a", "世", "界"]);
    }

    #[test]
    fn no_line_is_wider_than_it_may_be() {
        let text = "  the 世界 \"aaaaaaaaaaaaaaaaaaaaaa\" e\u{301}nd  of it   ";
        for room in 2..40 {
            for (i, line) in lines(text, room + 3, room).into_iter().enumerate() {
                assert!(width(line) <= if i == 0 { room + 3 } else { room }, "{line:?} in {room}");
            }
        }
    }
}
