//! Names, as they are typed and shown at the menu.
//!
//! ```text
//! a b          two words
//! "a b"        one word with a space
//! f\"g         a quote that belongs to the name; \\ is a backslash
//! \xff         a byte: also \n, \t, \0 and, for a character, \u{202e}
//! ```
//!
//! A name is bytes, and their encoding is not known. What is no printable
//! UTF-8 is shown by its numbers, and whatever is shown here can be typed as it stands.

use std::error::Error;
use std::fmt;

use netplay_text::escape::escape;
use netplay_text::lang::Lang;
use netplay_text::say;

/// What is wrong with a name, or with a line in which names are, in the language of the process ([`Lang::current`]).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// A quote is open in the end.
    OpenQuote,
    /// What follows a backslash has no meaning.
    NoMeaning,
    /// At the end of this path there is no name for a file.
    NoName(Vec<u8>),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lang = Lang::current();
        f.write_str(&match self {
            NameError::OpenQuote => say!(
                lang,
                "a quote is not closed: \\\" stands for one that belongs to a name",
                "引号没有闭合：属于名字的引号写成 \\\"",
            ),
            NameError::NoMeaning => say!(
                lang,
                "a backslash is followed by \\, \", a space, n, r, t, 0, xHH or u{{H}}",
                "反斜杠后面只能是 \\、\"、空格、n、r、t、0、xHH 或 u{{H}}",
            ),
            NameError::NoName(path) => {
                let path = quoted(path);
                say!(lang, "{path} does not end with the name of a file", "{path} 末尾不是文件名")
            }
        })
    }
}

impl Error for NameError {}

/// A word of a line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Where it begins in the line.
    pub start: usize,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// The words of a line.
///
/// # Errors
/// A quote is open in the end, or what follows a backslash has no meaning.
pub fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, NameError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (words, open) = split(line)?;
    if open == Open::Quote {
        return Err(NameError::OpenQuote);
    }
    Ok(words.into_iter().map(|word| word.bytes).collect())
}

/// What is open where a line ends.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Open {
    /// Nothing: what is typed next begins a word.
    Nothing,
    /// The last word.
    Word,
    /// A quote in the last word.
    Quote,
}

/// The words of a line, and what is open in the end.
///
/// # Errors
/// What follows a backslash has no meaning.
pub fn split(line: &[u8]) -> Result<(Vec<Word>, Open), NameError> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<Word>, false);
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        let here = at;
        at += 1;
        if matches!(byte, b' ' | b'\t') && !quoted {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_with(|| Word { start: here, bytes: Vec::new() });
        match byte {
            b'"' => quoted = !quoted,
            b'\\' => at += escaped(&line[at..], &mut word.bytes)?,
            byte => word.bytes.push(byte),
        }
    }
    let open = match (&word, quoted) {
        (None, _) => Open::Nothing,
        (Some(_), false) => Open::Word,
        (Some(_), true) => Open::Quote,
    };
    words.extend(word);
    Ok((words, open))
}

/// What stands behind a backslash, as [`escape`] writes it; how many bytes of the line it takes.
fn escaped(rest: &[u8], word: &mut Vec<u8>) -> Result<usize, NameError> {
    let hex = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok()?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| plain)
    };
    let byte = match rest.first().ok_or(NameError::NoMeaning)? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'0' => 0,
        byte @ (b'"' | b'\\' | b' ') => *byte,
        b'x' => {
            let number = rest.get(1..3).and_then(hex).ok_or(NameError::NoMeaning)?;
            word.push(number as u8);
            return Ok(3);
        }
        b'u' => {
            let digits = rest.strip_prefix(b"u{").ok_or(NameError::NoMeaning)?;
            let end = digits.iter().position(|&byte| byte == b'}').ok_or(NameError::NoMeaning)?;
            let c = hex(&digits[..end]).and_then(char::from_u32).ok_or(NameError::NoMeaning)?;
            word.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(end + 3);
        }
        _ => return Err(NameError::NoMeaning),
    };
    word.push(byte);
    Ok(1)
}

/// A name as it can be typed: in quotes if it could be mistaken otherwise.
pub fn quoted(name: &[u8]) -> String {
    let text = escape(name);
    if name.is_empty() || text.as_bytes() != name || name.contains(&b' ') {
        format!("\"{text}\"")
    } else {
        text
    }
}

/// A line of LIST, in which the name can be typed as it stands. The lines of `ls -l` tell where the
/// name begins: one space behind the date. Other lines are shown as they are.
pub fn listed(line: &[u8]) -> String {
    let Some(start) = name_in(line) else { return escape(line) };
    let (facts, name) = line.split_at(start);
    let arrow = b" -> ";
    let to = (line[0] == b'l').then(|| name.windows(arrow.len()).position(|four| four == arrow));
    match to.flatten() {
        Some(at) => {
            let (name, to) = (&name[..at], &name[at + arrow.len()..]);
            format!("{}{} -> {}", escape(facts), quoted(name), quoted(to))
        }
        None => format!("{}{}", escape(facts), quoted(name)),
    }
}

/// Where the name begins in a line of `ls -l`: behind the month, the day, and the year or the time.
fn name_in(line: &[u8]) -> Option<usize> {
    const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    if !b"-dlbcps".contains(line.first()?) {
        return None;
    }
    let mut words: Vec<(usize, &[u8])> = Vec::new();
    let mut start = 0;
    for word in line.split(|&byte| byte == b' ') {
        if !word.is_empty() {
            words.push((start, word));
        }
        start += word.len() + 1;
    }
    let number = |word: &[u8]| word.iter().all(u8::is_ascii_digit);
    let date = words.windows(3).skip(1).find(|date| {
        let [(_, month), (_, day), (_, time)] = date else { return false };
        let clock = |time: &[u8]| matches!(time, [_, b':', _, _] | [_, _, b':', _, _]);
        MONTHS.chunks(3).any(|name| name == *month)
            && day.len() <= 2
            && number(day)
            && (clock(time) || time.len() == 4 && number(time))
    })?;
    let (start, time) = date[2];
    let start = start + time.len() + 1;
    (start < line.len()).then_some(start)
}

/// The name at the end of a path: files here go into one folder.
///
/// # Errors
/// The path does not end with a name.
pub fn last(path: &[u8]) -> Result<&[u8], NameError> {
    match path.rsplit(|&byte| byte == b'/').next() {
        Some(b"" | b"." | b"..") | None => Err(NameError::NoName(path.to_owned())),
        Some(name) => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_shown_can_be_typed(name: Vec<u8>, other in "\\PC{1,9}") {
            for name in [&name[..], other.as_bytes()] {
                let line = format!("rm {} x", quoted(name));
                prop_assert_eq!(words(line.as_bytes()).unwrap(), [b"rm", name, b"x"]);
            }
        }

        #[test]
        fn a_name_in_a_listing_can_be_typed(name in "[^\n/\0]{1,20}") {
            let line = format!("-rw-r--r--   1 u g    5 Nov 28 18:00 {name}");
            let told = listed(line.as_bytes());
            let told = told.strip_prefix("-rw-r--r--   1 u g    5 Nov 28 18:00 ").unwrap();
            prop_assert_eq!(words(told.as_bytes()).unwrap(), [name.into_bytes()]);
        }

        #[test]
        fn no_line_confuses_them(line: Vec<u8>) {
            let _ = split(&line);
            let _ = listed(&line);
        }
    }

    #[test]
    fn quotes_keep_words_together() {
        let read = |line: &str| -> Vec<String> {
            let words = words(line.as_bytes()).unwrap().into_iter();
            words.map(|word| String::from_utf8(word).unwrap()).collect()
        };
        assert_eq!(read(r#"upload  "a b" c"#), ["upload", "a b", "c"]);
        assert_eq!(read(r#"get x" "y """#), ["get", "x y", ""]);
        assert_eq!(
            read(r#"get f\"g "f\"g" a\ b \\ \u{4e16}"#),
            ["get", "f\"g", "f\"g", "a b", "\\", "世"]
        );
        assert_eq!(read("get a\r"), ["get", "a"]);
        assert!(read("  ").is_empty());
        for line in
            [r#"get f"g"#, r"get \y", r"get \", r"get \x4", r"get \xg0", r"get \u{d800}", r"\u{1"]
        {
            words(line.as_bytes()).unwrap_err();
        }
    }

    #[test]
    fn lines_of_a_listing_show_names() {
        for (line, told) in [
            (
                &b"-rw-r--r--   1 u g  5 Nov 28 18:00 a b"[..],
                r#"-rw-r--r--   1 u g  5 Nov 28 18:00 "a b""#,
            ),
            (b"drwxr-xr-x 1 Jan 1 5 Nov  8  2020  x", r#"drwxr-xr-x 1 Jan 1 5 Nov  8  2020 " x""#),
            (
                b"lrwxrwxrwx 1 u g 1 Nov 28 18:00 l -> a b",
                r#"lrwxrwxrwx 1 u g 1 Nov 28 18:00 l -> "a b""#,
            ),
            (b"-rw 1 u g 5 Nov 28 18:00 \xc4\xe3", r#"-rw 1 u g 5 Nov 28 18:00 "\xc4\xe3""#),
            (b"11-28-20  06:00PM  <DIR>  a b", "11-28-20  06:00PM  <DIR>  a b"),
            (b"total 5", "total 5"),
            (b"", ""),
        ] {
            assert_eq!(listed(line), told);
        }
    }

    #[test]
    fn a_path_ends_with_a_name() {
        assert_eq!(last(b"a/b\xff").unwrap(), b"b\xff");
        for path in [&b""[..], b"a/", b"..", b"a/.."] {
            last(path).unwrap_err();
        }
    }
}
