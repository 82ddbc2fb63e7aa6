//! Text in columns of a terminal: how wide it is, and where its lines break.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use super::escape::whole;
use unicode_linebreak::linebreaks;
use unicode_width::UnicodeWidthChar;

/// How many columns of a terminal a text takes: two for 世, zero for a combining accent.
///
/// ```
/// use netplay_text::columns::width;
/// assert_eq!([width("hello"), width("世界"), width("e\u{301}")], [5, 4, 1]);
/// ```
#[must_use]
pub fn width(text: &str) -> usize {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.len();
    }
    text.chars().map(width_of).sum()
}

/// The columns of a character.
#[must_use]
pub fn width_of(c: char) -> usize {
    c.width().unwrap_or_default()
}

/// Wraps a text into lines: the first of `first` columns, all others of `rest`. It breaks at spaces, which it then
/// drops, and between Chinese characters where Unicode allows it (UAX #14), so that no line begins
/// with `，` or ends with `「`. An address, path or option is never broken, unless it is wider than a line: then it
/// breaks behind a `/`, if it has one. A number stays beside its unit of time.
///
/// ```
/// use netplay_text::columns::wrap;
/// let lines = |text, first, rest| wrap(text, first, rest).into_iter().map(|at| &text[at]).collect::<Vec<_>>();
/// assert_eq!(lines("the kernel took 5 of 5", 10, 8), ["the kernel", "took 5", "of 5"]);
/// assert_eq!(lines("套接字，端口", 6, 6), ["套接", "字，端", "口"]);
/// ```
#[must_use]
pub fn wrap(text: &str, first: usize, rest: usize) -> Vec<Range<usize>> {
    let wide = between_wide(text);
    let mut lines = Vec::new();
    let mut start = 0;
    loop {
        let room = if lines.is_empty() { first } else { rest };
        let line =
            start..start + fitting(&text[start..], room.max(2), |at| wide.contains(&(start + at)));
        let next = line.end + indent(&text[line.end..]);
        lines.push(line);
        if next == text.len() {
            return lines;
        }
        start = next;
    }
}

/// The same, as lines.
pub fn wrapped(text: &str, columns: usize) -> impl Iterator<Item = &str> {
    wrap(text, columns, columns).into_iter().map(|line| &text[line])
}

/// The lines of a text, each in so many columns at most: what does not fit goes on below, set in by `indent` columns
/// more than its line.
///
/// ```
/// use netplay_text::columns::hanging;
/// assert_eq!(hanging("why: the port is free", 12, 2), "why: the\n  port is\n  free");
/// ```
#[must_use]
pub fn hanging(text: &str, columns: usize, indent: usize) -> String {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let indent = (self::indent(line) + indent).min(columns / 2);
        for (nth, part) in wrap(line, columns, columns - indent).into_iter().enumerate() {
            let indent = if nth == 0 { 0 } else { indent };
            lines.push(format!("{:indent$}{}", "", &line[part]));
        }
    }
    lines.join("\n")
}

/// The columns of the widest word: in fewer, it would be broken.
#[must_use]
pub fn widest_word(text: &str) -> usize {
    let wide = between_wide(text);
    let (mut widest, mut word) = (0, 0);
    for (at, c) in text.char_indices() {
        word = match c {
            ' ' | '\n' => 0,
            c if wide.contains(&at) => width_of(c),
            c => word + width_of(c),
        };
        widest = widest.max(word);
    }
    widest
}

/// Where a line may end without a space: beside a character of two columns.
fn between_wide(text: &str) -> HashSet<usize> {
    let beside = |at: usize| {
        let (before, behind) = (text[..at].chars().next_back(), text[at..].chars().next());
        before != Some(' ') && [before, behind].into_iter().flatten().any(|c| width_of(c) == 2)
    };
    if text.is_ascii() {
        HashSet::new()
    } else {
        // Unicode cannot tell an opening `"` from a closing one. Behind `：` it opens.
        let quoted = text.match_indices("：\"").map(|(at, _)| at + "：".len());
        linebreaks(text).map(|(at, _)| at).filter(|&at| beside(at)).chain(quoted).collect()
    }
}

/// Whether the space at `at` is between a number and its unit: `60 s`, `8.15 ms`.
fn before_unit(text: &str, at: usize) -> bool {
    let is_unit = |unit: &&str| {
        let behind = text[at + 1..].strip_prefix(*unit);
        behind.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
    };
    text[..at].ends_with(|c: char| c.is_ascii_digit())
        && ["s", "ms", "µs", "ns"].iter().any(is_unit)
}

/// How many bytes of the text fit in a line of this many columns: up to a place where a line may end, if there
/// is one.
fn fitting(text: &str, room: usize, may_end: impl Fn(usize) -> bool) -> usize {
    let (mut used, mut end, mut in_unit) = (0, 0, 0);
    let words = indent(text); // no place to break
    let mut in_space = false;
    for (at, c) in text.char_indices() {
        if at > words && (may_end(at) || c == ' ' && !in_space) {
            let place = if c == ' ' && before_unit(text, at) { &mut in_unit } else { &mut end };
            *place = at;
        }
        in_space = c == ' ';
        if !in_space && used + width_of(c) > room {
            // A word that is too wide for any line is cut, but never inside an escape.
            let cut = whole(&text[..at]);
            let parts = text[words..at].rfind('/').map(|slash| words + slash + 1);
            let parts = parts.filter(|&parts| width(&text[words..parts]) * 2 > room);
            return match (end, in_unit) {
                (0, 0) => parts.unwrap_or(if cut > words { cut } else { at }),
                (0, in_unit) => in_unit,
                (end, _) => end,
            };
        }
        used += width_of(c);
    }
    text.trim_end_matches(' ').len()
}

/// How many spaces a text begins with.
fn indent(text: &str) -> usize {
    text.len() - text.trim_start_matches(' ').len()
}

/// The text, or as much of it as fits into this many columns, with this sign for the rest. No escape is cut in two.
///
/// ```
/// use netplay_text::columns::cut;
/// assert_eq!([cut("hello", 5, "…"), cut("hello", 4, "…")], ["hello", "hel…"]);
/// assert_eq!(cut(r"a\x1b[2J", 5, "…"), "a…");
/// ```
#[must_use]
pub fn cut<'a>(text: &'a str, columns: usize, sign: &str) -> Cow<'a, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let Some(mut left) = columns.checked_sub(width(sign)) else { return Cow::Borrowed("") };
    let fits = |c: &char| {
        let fits = width_of(*c) <= left;
        left = left.saturating_sub(width_of(*c));
        fits
    };
    let end = text.chars().take_while(fits).map(char::len_utf8).sum();
    Cow::Owned(format!("{}{sign}", &text[..whole(&text[..end])]))
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
    fn no_escape_is_cut() {
        assert_eq!(lines(r"a\x00\x01\x02", 7, 7), [r"a\x00", r"\x01", r"\x02"]);
        assert_eq!(lines(r"\x00\r\n", 6, 6), [r"\x00\r", r"\n"]);
        assert_eq!(lines(r"\x00", 2, 2), [r"\x", "00"]); // no room for a whole one
    }

    #[test]
    fn chinese_breaks_anywhere_but_before_its_punctuation() {
        assert_eq!(lines("一个「套接字」。", 8, 8), ["一个「套", "接字」。"]);
        assert_eq!(lines("他说「好」", 6, 6), ["他说", "「好」"]);
        assert_eq!([widest_word("套接字，x ab"), widest_word("one\nthree")], [4, 5]);
    }

    #[test]
    fn a_name_is_broken_only_if_it_is_wider_than_a_line() {
        assert_eq!(lines("netplay tcp-echo", 11, 11), ["netplay", "tcp-echo"]);
        assert_eq!(lines("a/path/to [::1]:5858", 14, 14), ["a/path/to", "[::1]:5858"]);
        assert_eq!(lines("of\u{a0}one line", 6, 6), ["of\u{a0}one", "line"]);
        assert_eq!(lines("at /tmp/of-one/socket", 12, 12), ["at", "/tmp/of-one/", "socket"]);
    }

    #[test]
    fn a_number_stays_beside_its_unit() {
        assert_eq!(lines("waited 8.15 ms", 11, 11), ["waited", "8.15 ms"]);
        assert_eq!(lines("最多等待 60 s", 11, 11), ["最多等待", "60 s"]);
        assert_eq!(lines("took 5 steps", 7, 7), ["took 5", "steps"]);
        assert_eq!(lines("8.15 ms", 5, 5), ["8.15", "ms"]); // no line is as wide
    }

    #[test]
    fn a_quote_may_begin_a_line() {
        assert_eq!(lines("5 字节：\"hello\"", 11, 11), ["5 字节：", "\"hello\""]);
    }

    #[test]
    fn a_cut_text_fits_and_says_that_it_is_cut() {
        assert_eq!(
            [cut("hello", 1, "…"), cut("hello", 0, "…"), cut("hello", 3, "..")],
            ["…", "", "h.."]
        );
        for columns in 1..12 {
            assert!(width(&cut("a世界 is wide", columns, "…")) <= columns, "{columns}");
        }
    }

    #[test]
    fn a_text_is_wrapped_without_a_loss() {
        let note = "a note with an-unbreakable-word-that-is-wider-than-a-line 世界世界世界世界";
        for columns in 4..60 {
            let lines: Vec<&str> = wrapped(note, columns).collect();
            assert_eq!(lines.concat().replace(' ', ""), note.replace(' ', ""));
        }
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
