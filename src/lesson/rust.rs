//! Keywords and comments of Rust, marked in a quote. It is not a parser: it only knows what can hide them:
//! strings, characters and comments.

use super::text::{Mark, Text};

const KEYWORDS: &[&str] = &[
    "as", "async", "await", "break", "const", "continue", "dyn", "else", "enum", "extern", "false",
    "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref",
    "return", "self", "Self", "static", "struct", "super", "trait", "true", "type", "unsafe",
    "use", "where", "while",
];

/// The code, with its keywords and comments marked.
pub fn marked(code: &str) -> Text {
    let mut text = Text::default();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let (end, mark) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), Mark::Comment),
            '"' => (string(rest), Mark::Plain),
            '\'' => (character(rest), Mark::Plain),
            c if is_of_word(c) => {
                let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
                (end, if KEYWORDS.contains(&&rest[..end]) { Mark::Keyword } else { Mark::Plain })
            }
            c => (c.len_utf8(), Mark::Plain),
        };
        text.push(&rest[..end], mark);
        rest = &rest[end..];
    }
    text
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The end of the string that begins here.
fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// The end of the character that begins here: `'"'`, `'\''`; or, of a lifetime, the tick.
fn character(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    let first = characters.next().map(|(_, c)| c);
    if first == Some('\\') {
        characters.next();
        return characters.find(|&(_, c)| c == '\'').map_or(1, |(at, _)| at + 1);
    }
    characters.next().filter(|&(_, c)| c == '\'').map_or(1, |(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code with its marks in brackets.
    fn shown(code: &str) -> String {
        let shown = marked(code).show(0..code.len(), true);
        shown.replace("\u{1b}[1m", "[").replace("\u{1b}[2m", "(").replace("\u{1b}[0m", "]")
    }

    #[test]
    fn keywords_and_comments_are_marked() {
        assert_eq!(shown("pub fn letter() {} // a fn"), "[pub] [fn] letter() {} (// a fn]");
    }

    #[test]
    fn nothing_is_marked_in_a_string_or_a_character() {
        assert_eq!(shown(r#"f("let \" // if") in x"#), r#"f("let \" // if") [in] x"#);
        assert_eq!(shown(r#"'"' if '\'' && c"#), r#"'"' [if] '\'' && c"#);
        assert_eq!(shown("&'a str if"), "&'a str [if]");
    }
}
