//! What stands beside a call in a picture: shorter than the story's sentence, in the manual's words.

use std::borrow::Cow;

use super::Call;
use netplay_text::words::grouped;

/// Both in one line: `recv(4) → 5 bytes "hello"`.
#[must_use]
pub fn headline(call: &Call) -> String {
    let (asked, answered) = (call.record.asked(), call.record.answered());
    let times = if call.times > 1 { format!(" × {}", grouped(call.times)) } else { String::new() };
    match answered.as_str() {
        "" => asked,
        answered => format!("{asked} → {answered}{times}"),
    }
}

/// The text with a mark behind words that are written from right to left (Hebrew, Arabic). Without it a
/// picture would show the number that follows among these words: `send(3) "…" → 8 bytes`.
pub(super) fn in_place(text: &str) -> Cow<'_, str> {
    const LEFT_TO_RIGHT_MARK: char = '\u{200e}';
    let is_right_to_left = |c: char| {
        matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
            | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
    };
    let Some(last) = text.rfind(is_right_to_left) else { return Cow::Borrowed(text) };
    // What else is in the same quotes belongs to them.
    let rest = &text[last..];
    let mut quotes = rest.match_indices('"').map(|(at, _)| at);
    let end = quotes.find(|&at| !rest[..at].ends_with('\\')).unwrap_or(rest.len());
    let (words, rest) = text.split_at(last + end);
    Cow::Owned(format!("{words}{LEFT_TO_RIGHT_MARK}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::in_place;

    #[test]
    fn words_from_right_to_left_end_where_their_quotes_end() {
        for (text, shown) in [
            ("send(3) \"hello\" → 5 bytes", "send(3) \"hello\" → 5 bytes"),
            ("send(3) \"\u{5d0} 12\" → 5 bytes", "send(3) \"\u{5d0} 12\u{200e}\" → 5 bytes"),
            ("\"\u{5d0}\\\"1\" 2", "\"\u{5d0}\\\"1\u{200e}\" 2"),
            ("\u{627} 1", "\u{627} 1\u{200e}"),
        ] {
            assert_eq!(in_place(text), shown);
        }
    }
}
