//! What is wrong with the TOML of a file, in one line.

use std::ops::Range;

use super::near::near;

/// The line, from 1 on, in which a place of a text is.
pub(crate) fn line(text: &str, at: &Range<usize>) -> usize {
    let before = &text.as_bytes()[..at.start.min(text.len())];
    1 + before.iter().filter(|&&byte| byte == b'\n').count()
}

/// What is wrong, without the types of Rust.
pub(crate) fn what(error: &toml::de::Error) -> String {
    let what = error.message().lines().collect::<Vec<_>>().join(" ");
    let quoted = |text: &str| -> Vec<String> {
        text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    if let Some(rest) = what.strip_prefix("missing field ") {
        let key = quoted(rest).concat();
        return format!("the key {key} is missing");
    }
    if what.starts_with("unknown variant ") {
        let names = quoted(&what);
        let Some((typed, known)) = names.split_first() else { return what };
        let list = known.join(", ");
        return match near(typed, known.iter().map(String::as_str)) {
            Some(near) => format!("there is no \"{typed}\"; did you mean {near}?"),
            None => format!("there is no \"{typed}\"; there are {list}"),
        };
    }
    if let Some(rest) = what.strip_prefix("invalid type: ")
        && let Some((is, expected)) = rest.split_once(", expected ")
    {
        return format!("{} is needed, and here is {}", kind(expected), kind(is));
    }
    if let Some(rest) = what.strip_prefix("invalid value: integer ") {
        let is = quoted(rest).concat();
        return format!("a whole number from 0 on is needed, and here is {is}");
    }
    // A word of a list, where there is something else.
    what.replace("wanted string or table", "a word in quotes is needed")
}

/// A kind of value in the words of TOML, not of Rust.
fn kind(of: &str) -> String {
    let (word, value) = of.split_once(' ').unwrap_or((of, ""));
    let value = value.trim_matches('`');
    match word {
        "f64" => "a number".to_owned(),
        "u64" | "i64" | "usize" => "a whole number".to_owned(),
        "integer" => format!("the number {value}"),
        "floating" => {
            format!("the number {}", value.trim_start_matches("point ").trim_matches('`'))
        }
        "boolean" => format!("the value {value}"),
        "string" if value.starts_with('"') => format!("the text {value}"),
        "a" if value == "string" => "a text in quotes".to_owned(),
        "a" if value == "boolean" => "true or false".to_owned(),
        "a" if value == "sequence" => "a list in brackets".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "a table".to_owned(),
        _ => of.to_owned(),
    }
}
