//! Bytes as text that is safe to show: nothing that a peer sends may control a terminal or break a line.

use std::fmt::{self, Display};
use std::net::Ipv6Addr;
use std::path::Path;

/// The bytes as one line of printable text: UTF-8 stays readable, everything else is escaped.
///
/// Control characters (C0, DEL, C1), the invisible characters that reorder or hide text, quotes and
/// backslashes are escaped, and so is every byte that is not UTF-8. The result holds no character
/// that moves a cursor.
///
/// ```
/// use netplay_text::escape::escape;
/// assert_eq!(escape("hello, 世界\n".as_bytes()), r"hello, 世界\n");
/// assert_eq!(escape(b"\x1b[2J\0\xff"), r"\x1b[2J\0\xff");
/// assert_eq!(escape("\u{202e}".as_bytes()), r"\u{202e}");
/// ```
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                '\0' => text.push_str("\\0"),
                '"' | '\\' => text.extend(['\\', c]),
                ' '..='~' => text.push(c),
                c if c.is_ascii_control() => text.push_str(&format!("\\x{:02x}", u32::from(c))),
                c if c.is_control() || is_invisible(c) => text.extend(c.escape_unicode()),
                c => text.push(c),
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// The bytes of a message as [`escape`] shows them, if they are text; otherwise only ASCII is shown as it is.
///
/// Two bytes of a checksum may be a letter by accident. Bytes are text if they are UTF-8 without control
/// characters, except line ends and tabs. At both ends a part of a character counts as text, because a
/// `recv` may have cut it.
///
/// ```
/// use netplay_text::escape::escape_message;
/// assert_eq!(escape_message("世界\n".as_bytes()), r"世界\n");
/// assert_eq!(escape_message(b"\x08\0\xd7\xb4A"), r"\x08\0\xd7\xb4A");
/// ```
#[must_use]
pub fn escape_message(bytes: &[u8]) -> String {
    if is_text(bytes) {
        return escape(bytes);
    }
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            0x80.. => text += &format!("\\x{byte:02x}"),
            _ => text += &escape(&[byte]),
        }
    }
    text
}

/// The bytes that [`escape`] or [`escape_message`] made this text of. What no escape of theirs is stays as it is.
///
/// ```
/// use netplay_text::escape::{escape_message, unescape};
/// let bytes = b"\0a\"\\\n\xff\xe4";
/// assert_eq!(unescape(&escape_message(bytes)), bytes);
/// assert_eq!(unescape(r"\q \x4"), br"\q \x4");
/// ```
#[must_use]
pub fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        let len = if let Some((byte, len)) = escaped_byte(rest) {
            bytes.push(byte);
            len
        } else if let Some((c, len)) = escaped_char(rest) {
            bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
            len
        } else {
            bytes.push(b'\\');
            1
        };
        rest = &rest[len..];
    }
    bytes.extend(rest.as_bytes());
    bytes
}

/// The byte of an escape at the beginning of a text, and how long the escape is.
fn escaped_byte(text: &str) -> Option<(u8, usize)> {
    Some(match text.as_bytes().get(1)? {
        b'n' => (b'\n', 2),
        b'r' => (b'\r', 2),
        b't' => (b'\t', 2),
        b'0' => (0, 2),
        &quote @ (b'"' | b'\\') => (quote, 2),
        b'x' => {
            let digits = text.get(2..4).filter(|digits| !digits.starts_with('+'))?;
            (u8::from_str_radix(digits, 16).ok()?, 4)
        }
        _ => return None,
    })
}

/// The same of a character that is invisible.
fn escaped_char(text: &str) -> Option<(char, usize)> {
    let (digits, _) = text.strip_prefix("\\u{")?.split_once('}')?;
    let digits = Some(digits).filter(|digits| !digits.starts_with('+'))?;
    let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
    Some((c, digits.len() + 4))
}

fn is_text(bytes: &[u8]) -> bool {
    let is_tail = |&&byte: &&u8| (0x80..0xc0).contains(&byte);
    let cut = bytes.iter().take(3).take_while(is_tail).count();
    let mut chunks = bytes[cut..].utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        let whole =
            chunk.invalid().is_empty() || chunks.peek().is_none() && is_begun(chunk.invalid());
        if chunk.valid().contains(control) || !whole {
            return false;
        }
    }
    true
}

/// Whether these are the first bytes of a character.
fn is_begun(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// The name of a file for a message: [`escape`]d, because a name may hold a line end or control a terminal.
///
/// ```
/// # use std::path::Path;
/// use netplay_text::escape::file_name;
/// assert_eq!(file_name(Path::new("/tmp/a\nb")), r"/tmp/a\nb");
/// ```
#[must_use]
pub fn file_name(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}

/// A path, or any other word, quoted for a shell.
///
/// ```
/// use netplay_text::escape::shell_word;
/// use std::path::Path;
/// assert_eq!(shell_word(Path::new("it's here")), r"'it'\''s here'");
/// assert_eq!(shell_word(Path::new("a\tb")), r"$'a\011b'");
/// ```
#[must_use]
pub fn shell_word(path: &Path) -> String {
    let text = match path.to_str() {
        Some(text) if !text.contains(is_unsafe) => text,
        _ => return steering(path.as_os_str().as_encoded_bytes()),
    };
    let plain = |c: char| c.is_alphanumeric() || "/._-+@%:,".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A word with bytes that must not reach a terminal: a shell reads them in `$'...'` (POSIX.1-2024).
fn steering(path: &[u8]) -> String {
    let mut text = String::from("$'");
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '\\' => text.extend(['\\', c]),
                c if is_unsafe(c) => text += &octal(c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => text.push(c),
            }
        }
        text += &octal(chunk.invalid());
    }
    text + "'"
}

/// Always three digits, because a digit may follow.
fn octal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:03o}")).collect()
}

/// The text in ASCII: every other character as `\u{4e16}`.
///
/// ```
/// use netplay_text::escape::escape_unicode;
/// assert_eq!(escape_unicode("hello, 世界"), r"hello, \u{4e16}\u{754c}");
/// ```
#[must_use]
pub fn escape_unicode(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_ascii() {
            true => ascii.push(c),
            false => ascii.extend(c.escape_unicode()),
        }
    }
    ascii
}

/// The text escaped for SVG and HTML, between tags and in quotes.
///
/// ```
/// use netplay_text::escape::markup;
/// assert_eq!(markup("<a href=\"x\"> & so on"), "&lt;a href=&quot;x&quot;&gt; &amp; so on");
/// ```
#[must_use]
pub fn markup(text: &str) -> String {
    Markup(text).to_string()
}

/// The same, for `write!`.
///
/// A `<script>` sent over the wire becomes `&lt;script&gt;`; what XML has no way to say, not even
/// escaped, becomes U+FFFD.
#[derive(Debug)]
pub struct Markup<'a>(pub &'a str);

impl Display for Markup<'_> {
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

/// The text with every character escaped that [`is_unsafe`].
///
/// ```
/// use netplay_text::escape::escape_unsafe;
/// assert_eq!(escape_unsafe("a\x1b[2J, 世界"), r"a\u{1b}[2J, 世界");
/// ```
#[must_use]
pub fn escape_unsafe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match is_unsafe(c) {
            true => safe.extend(c.escape_unicode()),
            false => safe.push(c),
        }
    }
    safe
}

/// The same for a text of several lines: their ends stay.
///
/// ```
/// use netplay_text::escape::escape_lines;
/// assert_eq!(escape_lines("one\x1b[2J\ntwo"), "one\\u{1b}[2J\ntwo");
/// ```
#[must_use]
pub fn escape_lines(text: &str) -> String {
    text.split('\n').map(escape_unsafe).collect::<Vec<_>>().join("\n")
}

/// A URL without its password, for an error that quotes it. The URL may be malformed, because the error may be about
/// that.
///
/// ```
/// use netplay_text::escape::hide_password;
/// assert_eq!(hide_password("ftp://bob:s3cret@host/a?b"), "ftp://bob:******@host/a?b");
/// assert_eq!(hide_password("bob:se/cr@t@host"), "bob:*******@host");
/// assert_eq!(hide_password("ftp://bob:s3cret"), "ftp://bob:******");
/// assert_eq!(hide_password("ftp://[::1]:2121/a"), "ftp://[::1]:2121/a");
/// assert_eq!(hide_password("ftp://[bob:s3cret@host/a"), "ftp://[bob:******@host/a");
/// ```
#[must_use]
pub fn hide_password(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let rest = &url[start..];
    let colon = rest.find(':').filter(|_| !begins_with_ipv6(rest));
    let secret = match (colon, rest.rfind('@')) {
        (Some(colon), Some(at)) if colon < at => colon + 1..at,
        // Then this is a user, not a host: a port has only digits.
        (Some(colon), None) if start > 0 => {
            let end = rest[colon..].find('/').map_or(rest.len(), |slash| colon + slash);
            match rest[colon + 1..end].bytes().all(|byte| byte.is_ascii_digit()) {
                true => 0..0,
                false => colon + 1..end,
            }
        }
        _ => 0..0,
    };
    let hidden = "*".repeat(rest[secret.clone()].chars().count());
    format!("{}{}{hidden}{}", &url[..start], &rest[..secret.start], &rest[secret.end..])
}

/// Whether this is a host, without a user before it: an address in brackets, and perhaps a port. A user may
/// also begin with a bracket.
fn begins_with_ipv6(rest: &str) -> bool {
    let authority = rest.split('/').next().unwrap_or_default();
    let Some((address, port)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']'))
    else {
        return false;
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    address.parse::<Ipv6Addr>().is_ok()
        && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// A typed line without the password in it: in the commands of FTP, as
/// other clients have them, or in a URL.
///
/// ```
/// use netplay_text::escape::hide_typed;
/// assert_eq!(hide_typed(b"quote PASS s3cret"), b"quote PASS ******");
/// assert_eq!(hide_typed(b"user bob s3cret"), b"user bob ******");
/// assert_eq!(hide_typed(b"download pass notes"), b"download pass notes");
/// ```
#[must_use]
pub fn hide_typed(line: &[u8]) -> Vec<u8> {
    let mut hidden = Vec::with_capacity(line.len());
    // How many words may still be shown.
    let mut open = usize::MAX;
    let mut first = true;
    for word in line.split_inclusive(|&byte| byte == b' ') {
        let bare = word.trim_ascii();
        if open == 0 && !bare.is_empty() {
            hidden.extend(word.iter().map(|&byte| if byte == b' ' { b' ' } else { b'*' }));
            continue;
        }
        match std::str::from_utf8(word) {
            Ok(word) => hidden.extend_from_slice(hide_password(word).as_bytes()),
            Err(_) => hidden.extend_from_slice(word),
        }
        if bare.is_empty() {
            continue;
        }
        let is =
            |names: &[&str]| names.iter().any(|name| bare.eq_ignore_ascii_case(name.as_bytes()));
        open = match first {
            _ if open < usize::MAX => open - 1,
            true if is(&["pass", "acct", "password", "account"]) => 0,
            true if is(&["user", "login"]) => 1,
            _ => usize::MAX,
        };
        first &= is(&["quote", "literal", "raw", "site"]);
    }
    hidden
}

/// A command without the password in one of its options, as a name in a table or a picture.
///
/// ```
/// use netplay_text::escape::hide_option;
/// assert_eq!(hide_option("server --password s3cret 5858"), "server --password ****** 5858");
/// assert_eq!(hide_option("server --password=s3cret"), "server --password=******");
/// ```
#[must_use]
pub fn hide_option(command: &str) -> String {
    let stars = |text: &str| "*".repeat(text.chars().count());
    let mut behind = false;
    let hidden = command.split(' ').map(|word| match word.split_once("--password=") {
        Some((before, secret)) => format!("{before}--password={}", stars(secret)),
        None if std::mem::replace(&mut behind, word == "--password") => stars(word),
        None => word.to_owned(),
    });
    hidden.collect::<Vec<_>>().join(" ")
}

/// Whether a character could control a terminal, break a line, or hide and reorder the text around it.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    !matches!(c, ' '..='~') && (c.is_control() || is_invisible(c))
}

/// Characters that show nothing themselves but change how their neighbours are shown: zero-width
/// and directional marks, line and paragraph separators, tags, fillers.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The length of an escaped text without an escape that was cut in its middle: of `a\x1` only `a`.
#[must_use]
pub fn whole(text: &str) -> usize {
    let mut at = 0;
    while let Some(from) = text[at..].find('\\').map(|found| at + found) {
        let escape = &text[from..];
        // Characters, not bytes: in a foreign trace any character may follow a backslash.
        let behind = |n| escape.char_indices().map(|(at, _)| at).chain([escape.len()]).nth(n);
        let end = match escape.chars().nth(1) {
            None => None,
            Some('x') => behind(4),
            Some('u') => escape.find('}').map(|end| end + 1),
            Some(_) => behind(2),
        };
        match end {
            Some(end) => at = from + end,
            None => return from,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_becomes_a_control_character() {
        for byte in 0..=255u8 {
            let text = escape(&[b'a', byte, b'z']);
            assert!(text.chars().all(|c| !c.is_control()), "{byte:#x} became {text:?}");
        }
    }

    #[test]
    fn only_text_is_shown_as_letters() {
        for (bytes, shown) in [
            ("naïve, 世界".as_bytes(), "naïve, 世界"),
            (&"世界".as_bytes()[..4], r"世\xe7"), // cut at its end
            (&"世界".as_bytes()[1..], r"\xb8\x96界"), // and at its beginning
            (b"\x08\0\xd6\xbf\x01\x02", r"\x08\0\xd6\xbf\x01\x02"),
            (b"\xd6\xbf\xff\xd6\xbf", r"\xd6\xbf\xff\xd6\xbf"),
            (b"plain\r\n", r"plain\r\n"),
            (b"", ""),
        ] {
            assert_eq!(escape_message(bytes), shown);
        }
    }

    proptest::proptest! {
        #[test]
        fn every_byte_comes_back(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
            text in "(?s).{0,20}",
        ) {
            proptest::prop_assert_eq!(unescape(&escape(&bytes)), &bytes[..]);
            proptest::prop_assert_eq!(unescape(&escape_message(&bytes)), &bytes[..]);
            proptest::prop_assert_eq!(unescape(&escape_message(text.as_bytes())), text.as_bytes());
        }
    }

    #[test]
    fn different_bytes_stay_different() {
        assert_eq!(escape(br"\n"), r"\\n");
        assert_eq!(escape(b"\n"), r"\n");
    }

    #[test]
    fn what_a_peer_sends_stays_text() {
        let sent = "<script>alert('1' & \"2\")</script>";
        let shown = "&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;";
        assert_eq!(markup(sent), shown);
    }

    #[test]
    fn every_character_can_stand_in_a_document() {
        for c in (0..=char::MAX as u32)
            .filter_map(char::from_u32)
            .filter(|&c| c < '\u{3000}' || c > '\u{ff00}' && c < '\u{20000}')
        {
            let c = c.to_string();
            let document = format!("<a b=\"{0}\">{0}</a>", Markup(&c));
            let read = roxmltree::Document::parse(&document);
            assert!(read.is_ok(), "{c:?}: {read:?}");
        }
    }

    #[test]
    fn no_escape_is_cut_in_its_middle() {
        for (text, left) in [
            ("hello", "hello"),
            ("\\r\\n", "\\r\\n"),
            ("a\\r\\", "a\\r"),
            ("a\\x1", "a"),
            ("a\\x1b", "a\\x1b"),
            ("a\\u{202e", "a"),
            ("\\\\", "\\\\"),
            // Not escapes of ours: they came in a foreign trace.
            ("a\\世b\\", "a\\世b"),
            ("a\\x世", "a"),
        ] {
            assert_eq!(&text[..whole(text)], left, "{text}");
        }
    }
}
