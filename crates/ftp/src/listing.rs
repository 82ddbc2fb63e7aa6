//! Listings: one folder, told in three ways.
//!
//! ```text
//! LIST   -rw-r--r--   1 ftp      ftp          1234 Nov 22 10:29 poem.txt     for people: as ls -l has it
//! NLST   poem.txt                                                             names for programs
//! MLSD   type=file;size=1234;modify=20261122102931;perm=r;…; poem.txt         facts for programs (RFC 3659)
//! ```
//!
//! No RFC says what a line of LIST must look like, so programs guess: MLSD was made to end that.
//! LIST shows what is there, and NLST and MLSD tell only what can be asked for by that name. A name
//! with a line end in it could pass for two entries: no listing ever sends one.
//!
//! A link has `name -> target` in LIST, or many a program gives up the whole folder. Where the target may
//! not be told, because it is outside of the root, there is no entry. To NLST and MLSD a link is what it
//! leads to.
//!
//! A folder may be huge: a listing is made piece by piece, while the network takes it.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use nix::sys::stat::{FileStat, SFlag};

use super::root::{self, Entries, Entry, Link, kind, permissions};

/// How a listing is written.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    /// LIST.
    Long,
    /// NLST: each name behind this text, which is the path that was asked for.
    Names,
    /// MLSD, with these facts.
    Facts(Facts),
}

/// Which facts MLSD and MLST tell (OPTS MLST), in the order of [`FACTS`].
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// One a fact.
    pub told: [bool; FACTS.len()],
    /// Whether the client may change things: it decides the fact `perm`.
    pub writable: bool,
}

/// The facts that there are.
pub const FACTS: [&str; 6] = ["type", "size", "modify", "perm", "unique", "UNIX.mode"];

/// A listing that is still being written.
#[derive(Debug)]
pub struct Listing<'a> {
    entries: Entries<'a>,
    format: Format,
    prefix: Vec<u8>,
    pattern: Option<Vec<u8>>,
}

impl<'a> Listing<'a> {
    /// The listing of these entries; NLST puts `prefix` before each name.
    #[must_use]
    pub fn new(entries: Entries<'a>, format: Format, prefix: Vec<u8>) -> Listing<'a> {
        Listing { entries, format, prefix, pattern: None }
    }

    /// Only the names that are like this: `*.txt`.
    #[must_use]
    pub fn like(self, pattern: &[u8]) -> Listing<'a> {
        Listing { pattern: Some(pattern.to_owned()), ..self }
    }

    /// Adds lines to the buffer until it has `size` bytes; `false` when there are no more.
    ///
    /// # Errors
    /// The folder could not be read to its end: the listing is not whole.
    pub fn fill(&mut self, buf: &mut Vec<u8>, size: usize) -> root::Result<bool> {
        while buf.len() < size {
            let Some(entry) = self.entries.next().transpose()? else { return Ok(false) };
            if self.pattern.as_ref().is_some_and(|pattern| !is_like(&entry.name, pattern)) {
                continue;
            }
            if let Some(line) = line(&entry, self.format, &self.prefix) {
                buf.extend_from_slice(&line);
                buf.extend_from_slice(b"\r\n");
            }
        }
        Ok(true)
    }
}

/// Whether a name is like a pattern, as a shell sees it: `*` stands for any text, `?` for a character,
/// or for a byte where one of the two is not UTF-8; neither for a dot at the beginning.
///
/// ```
/// use netplay_ftp::listing::is_like;
/// assert!(is_like(b"poem.txt", b"*.t?t") && is_like(b"a*b", b"a*b"));
/// assert!(!is_like(b".hidden", b"*") && is_like(b".hidden", b".*"));
/// assert!(is_like("世".as_bytes(), b"?") && is_like(b"\xca\xc0", b"??"));
/// ```
#[must_use]
pub fn is_like(name: &[u8], pattern: &[u8]) -> bool {
    if name.starts_with(b".") && !pattern.starts_with(b".") {
        return false;
    }
    match (str::from_utf8(name), str::from_utf8(pattern)) {
        (Ok(name), Ok(pattern)) => {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            matches(&chars(name), &chars(pattern), ('*', '?'))
        }
        _ => matches(name, pattern, (b'*', b'?')),
    }
}

fn matches<T: Copy + PartialEq>(name: &[T], pattern: &[T], (any_text, any): (T, T)) -> bool {
    let (mut n, mut p) = (0, 0);
    // Behind the last star, and the first character that it does not stand for: if what follows does
    // not fit, the star takes one character more. No earlier star ever needs to.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match (pattern.get(p), star) {
            (Some(&c), _) if c == any_text => {
                p += 1;
                star = Some((p, n));
            }
            (Some(&c), _) if c == any || c == name[n] => {
                p += 1;
                n += 1;
            }
            (_, Some((behind, taken))) => {
                (p, n) = (behind, taken + 1);
                star = Some((behind, n));
            }
            (_, None) => return false,
        }
    }
    pattern[p..].iter().all(|&c| c == any_text)
}

/// The line of one entry; `None`: it has none in this format.
#[must_use]
pub fn line(entry: &Entry, format: Format, prefix: &[u8]) -> Option<Vec<u8>> {
    let name = &*entry.name;
    match (format, &entry.link) {
        (Format::Long, Some(Link { stat, target: Some(target) })) => {
            Some([long(stat).as_bytes(), name, b" -> ", target].concat())
        }
        (Format::Long, Some(_)) if !entry.reachable => None,
        (Format::Long, _) => Some([long(&entry.stat).as_bytes(), name].concat()),
        (Format::Names, _) => entry.reachable.then(|| [prefix, name].concat()),
        (Format::Facts(facts), _) => {
            entry.reachable.then(|| [facts_of(&entry.stat, facts).as_bytes(), b" ", name].concat())
        }
    }
}

/// All but the name, as `ls -l` writes it. Owners are no client's business: each is called ftp.
#[must_use]
pub fn long(stat: &FileStat) -> String {
    let letter = match kind(stat) {
        SFlag::S_IFDIR => 'd',
        SFlag::S_IFLNK => 'l',
        SFlag::S_IFIFO => 'p',
        SFlag::S_IFSOCK => 's',
        SFlag::S_IFCHR => 'c',
        SFlag::S_IFBLK => 'b',
        _ => '-',
    };
    let bits: String = (0..9)
        .map(|bit| match permissions(stat) >> (8 - bit) & 1 {
            1 => ['r', 'w', 'x'][bit % 3],
            _ => '-',
        })
        .collect();
    let time = time(stat);
    // The year, or the time of day: not both fit into the column since 1971.
    let recent =
        (Utc::now() - TimeDelta::days(180)..Utc::now() + TimeDelta::days(1)).contains(&time);
    let time = time.format(if recent { "%b %e %H:%M" } else { "%b %e  %Y" }).to_string();
    let time = time.replace('+', ""); // before a year of five digits
    format!("{letter}{bits} {:>3} ftp      ftp      {:>12} {time} ", stat.st_nlink, stat.st_size)
}

/// `type=file;size=1234;…;`
#[must_use]
pub fn facts_of(stat: &FileStat, facts: Facts) -> String {
    let folder = kind(stat) == SFlag::S_IFDIR;
    // RFC 3659, 7.5.5: what the client may do with it.
    let perm = match (folder, facts.writable) {
        (true, true) => "cdeflmp",
        (true, false) => "el",
        (false, true) => "adfrw",
        (false, false) => "r",
    };
    let mut text = String::new();
    for (name, _) in FACTS.iter().zip(facts.told).filter(|(_, told)| *told) {
        let value = match *name {
            "type" => if folder { "dir" } else { "file" }.to_owned(),
            "size" if folder => continue,
            "size" => stat.st_size.to_string(),
            "modify" => match stamp(stat) {
                Some(stamp) => stamp,
                None => continue,
            },
            "perm" => perm.to_owned(),
            "unique" => format!("{:x}g{:x}", stat.st_dev, stat.st_ino),
            _ => format!("{:03o}", permissions(stat)),
        };
        text += &format!("{name}={value};");
    }
    text
}

/// `20261122102931`: the time of the last change, in UTC (RFC 3659, 2.3). `None`: its year has not four
/// digits.
#[must_use]
pub fn stamp(stat: &FileStat) -> Option<String> {
    let time = time(stat);
    (0..=9999).contains(&time.year()).then(|| time.format("%Y%m%d%H%M%S").to_string())
}

/// The seconds since 1970 that a stamp means; a fraction of a second is read and left out.
#[must_use]
pub fn read_stamp(text: &str) -> Option<i64> {
    let (digits, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits.len() != 14 || !all_digits(digits) || !all_digits(fraction) {
        return None;
    }
    let time = chrono::NaiveDateTime::parse_from_str(digits, "%Y%m%d%H%M%S").ok()?;
    Some(time.and_utc().timestamp())
}

/// A disk may hold times beyond those of any calendar: they are the last, or the first, that there is.
fn time(stat: &FileStat) -> DateTime<Utc> {
    let end = if stat.st_mtime < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    DateTime::from_timestamp(stat.st_mtime, 0).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a pattern means, without any haste.
    fn slowly(name: &[char], pattern: &[char]) -> bool {
        match (pattern, name) {
            (['*', rest @ ..], _) => (0..=name.len()).any(|n| slowly(&name[n..], rest)),
            (['?', rest @ ..], [_, name @ ..]) => slowly(name, rest),
            ([c, rest @ ..], [first, name @ ..]) => c == first && slowly(name, rest),
            (rest, name) => rest.is_empty() && name.is_empty(),
        }
    }

    proptest! {
        #[test]
        fn a_pattern_means_what_it_says(name in "[ab☃]{0,8}", pattern in "[ab☃?*]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(is_like(name.as_bytes(), pattern.as_bytes()), slowly(&chars(&name), &chars(&pattern)));
        }

        #[test]
        fn a_time_is_read_as_it_is_written(seconds in -62_167_219_200i64..253_402_300_799) {
            let text = DateTime::from_timestamp(seconds, 0).unwrap_or_default().format("%Y%m%d%H%M%S").to_string();
            prop_assert_eq!(read_stamp(&text), Some(seconds));
            prop_assert_eq!(read_stamp(&format!("{text}.123")), Some(seconds));
        }

        #[test]
        fn what_is_no_time_is_refused(text in "[0-9. x]{0,16}") {
            if let Some(seconds) = read_stamp(&text) {
                let again = DateTime::from_timestamp(seconds, 0).unwrap_or_default().format("%Y%m%d%H%M%S").to_string();
                // A leap second is told as the one after it.
                prop_assert!(text.starts_with(&again) || &text[12..14] == "60", "{} is not {}", text, again);
            }
        }
    }
}
