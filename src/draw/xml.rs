//! Text inside XML and HTML: whatever a peer sent stays text.

use std::fmt::{self, Display, Write};

/// Shows a text so that it means itself, inside an element or a quoted attribute.
///
/// A `<script>` sent over the wire becomes `&lt;script&gt;`; what XML has no way to say, not even
/// escaped, becomes U+FFFD.
pub(super) struct Xml<'a>(pub(super) &'a str);

impl Display for Xml<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut plain = 0;
        for (at, c) in self.0.char_indices() {
            let escaped = match c {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\'' => "&#39;",
                '\n' | '\t' => continue,
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => "\u{fffd}",
                _ => continue,
            };
            f.write_str(&self.0[plain..at])?;
            f.write_str(escaped)?;
            plain = at + c.len_utf8();
        }
        f.write_str(&self.0[plain..])
    }
}

/// A coordinate: tenths are fine enough for a screen and short enough for a file.
pub(super) struct Tenths(pub(super) f64);

impl Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round() as i64;
        if tenths < 0 {
            f.write_char('-')?;
        }
        match (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, tenth) => write!(f, "{whole}.{tenth}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_sends_stays_text() {
        let sent = "<script>alert('1' & \"2\")</script>";
        let shown = "&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;";
        assert_eq!(Xml(sent).to_string(), shown);
    }

    #[test]
    fn every_character_can_stand_in_a_document() {
        for c in (0..=char::MAX as u32)
            .filter_map(char::from_u32)
            .filter(|&c| c < '\u{3000}' || c > '\u{ff00}' && c < '\u{20000}')
        {
            let c = c.to_string();
            let document = format!("<a b=\"{0}\">{0}</a>", Xml(&c));
            let read = roxmltree::Document::parse(&document);
            assert!(read.is_ok(), "{c:?}: {read:?}");
        }
    }

    #[test]
    fn coordinates_are_short() {
        let short = |number| Tenths(number).to_string();
        assert_eq!(
            [short(1.0), short(12.34), short(-0.26), short(0.04)],
            ["1", "12.3", "-0.3", "0"]
        );
    }
}
