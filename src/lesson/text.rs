//! A text with emphasised parts, and its lines on a terminal.

use std::ops::Range;

use anstyle::{AnsiColor, Style};

use crate::columns::{width, wrap};
use crate::escape::escape_unicode;

/// The kind of an emphasis. Colour is never the only sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Plain,
    Strong,
    Emphasis,
    Code,
    Link,
    Keyword,
    Comment,
}

impl Mark {
    fn style(self) -> Style {
        match self {
            Mark::Plain => Style::new(),
            Mark::Strong | Mark::Keyword => Style::new().bold(),
            Mark::Emphasis | Mark::Link => Style::new().underline(),
            Mark::Code => AnsiColor::Cyan.on_default().bold(),
            Mark::Comment => Style::new().dimmed(),
        }
    }
}

/// A space at which no line may end; on the terminal it is a space.
const NO_BREAK: &str = "\u{a0}";

/// A text with emphasised parts.
#[derive(Debug, Default)]
pub struct Text {
    text: String,
    /// Where each part ends, and what it is.
    parts: Vec<(usize, Mark)>,
}

impl Text {
    pub fn push(&mut self, text: &str, mark: Mark) {
        self.text.push_str(text);
        self.parts.push((self.text.len(), mark));
    }

    /// Code that stays in one line, if it fits: lines do not end at its spaces.
    pub fn push_whole(&mut self, code: &str, mark: Mark) {
        self.push(&code.replace(' ', NO_BREAK), mark);
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn width(&self) -> usize {
        self.text.split('\n').map(width).max().unwrap_or_default()
    }

    /// A part of the text as it goes to the terminal.
    pub fn show(&self, shown: Range<usize>, styled: bool) -> String {
        if !styled {
            return self.text[shown].replace(NO_BREAK, " ");
        }
        let mut line = String::new();
        let mut start = 0;
        for &(end, mark) in &self.parts {
            let part = start.max(shown.start)..end.min(shown.end);
            if !part.is_empty() {
                let style = mark.style();
                line.push_str(&format!("{style}{}{style:#}", &self.text[part]));
            }
            start = end;
        }
        line.replace(NO_BREAK, " ")
    }

    /// Its lines, of at most this many columns.
    pub fn lines(&self, columns: usize) -> Vec<Range<usize>> {
        lines(&self.text, columns)
    }
}

/// Its lines end where [`wrap`] may break them, and at its own line ends.
fn lines(text: &str, columns: usize) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut at = 0;
    for given in text.split('\n') {
        let parts = wrap(given, columns, columns).into_iter();
        lines.extend(parts.map(|part| at + part.start..at + part.end));
        at += given.len() + 1;
    }
    lines
}

/// The text in ASCII. Characters of diagrams stay one column wide.
pub fn ascii(text: &str) -> String {
    let plain = |c: char| match c {
        '─' | '━' | '═' | '–' | '−' | '╌' | '┄' => "-".to_owned(),
        '│' | '┃' | '║' | '╎' | '┆' => "|".to_owned(),
        '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' | '╭' | '╮' | '╰' | '╯' | '╔' | '╗'
        | '╚' | '╝' => "+".to_owned(),
        '▶' | '→' | '►' | '▸' => ">".to_owned(),
        '◀' | '←' | '◄' | '◂' => "<".to_owned(),
        '▲' | '↑' => "^".to_owned(),
        '▼' | '↓' => "v".to_owned(),
        '•' | '●' | '·' | '×' => "*".to_owned(),
        '‘' | '’' => "'".to_owned(),
        '“' | '”' => "\"".to_owned(),
        '—' => "--".to_owned(),
        '…' => "...".to_owned(),
        '≤' => "<=".to_owned(),
        '≥' => ">=".to_owned(),
        '≠' => "!=".to_owned(),
        c => escape_unicode(c.encode_utf8(&mut [0; 4])),
    };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str, columns: usize) -> Vec<&str> {
        lines(text, columns).into_iter().map(|line| &text[line]).collect()
    }

    #[test]
    fn a_line_breaks_at_spaces_and_never_in_a_name() {
        assert_eq!(
            broken("a server calls accept(2) on it", 14),
            ["a server calls", "accept(2) on", "it"]
        );
        assert_eq!(broken("netplay tcp-echo", 11), ["netplay", "tcp-echo"]);
        assert_eq!(broken("one\ntwo", 20), ["one", "two"]);
        assert_eq!(broken("", 20), [""]);
    }

    #[test]
    fn a_mark_goes_on_in_the_next_line() {
        let mut text = Text::default();
        text.push("see ", Mark::Plain);
        text.push("one two", Mark::Strong);
        let shown: Vec<_> = text.lines(7).into_iter().map(|line| text.show(line, true)).collect();
        assert_eq!(shown, ["see \u{1b}[1mone\u{1b}[0m", "\u{1b}[1mtwo\u{1b}[0m"]);
    }

    #[test]
    fn a_diagram_keeps_its_columns_in_ascii() {
        assert_eq!(ascii("│ send ──▶ │"), "| send --> |");
        assert_eq!(ascii("“é”"), "\"\\u{e9}\"");
    }
}
