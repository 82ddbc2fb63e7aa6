//! What a server tells of a file: how long it is, and when it was changed.
//!
//! ```text
//! SIZE a     213 5
//! MDTM a     213 20200203040506.123        UTC; a fraction may follow
//! MLST a     250- …                        both, where one of the others is missing (RFC 3659)
//!             type=file;size=5;modify=20200203040506; a
//!            250 …
//! ```

use std::fs::File;
use std::time::{Duration, SystemTime};

use chrono::NaiveDateTime;

use super::error::Result;
use super::remote::{Reply, Server};
use netplay_shared::failure::alone;
use netplay_text::escape::escape;
use netplay_text::lang::Lang;
use netplay_text::say;

/// What a server tells of a file; `None`: it does not.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Facts {
    /// How many bytes it has.
    pub size: Option<u64>,
    /// When it was changed.
    pub modified: Option<Modified>,
}

/// A time as the server told it, and what it means, if it means one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modified {
    told: String,
    /// What it means.
    pub time: Option<SystemTime>,
}

impl Server {
    pub fn facts(&mut self, path: &[u8]) -> Result<Facts> {
        let size = told_size(&self.ask("SIZE", path)?);
        let reply = self.ask("MDTM", path)?;
        let modified = (reply.code == 213).then(|| Modified::read(&reply.rest()));
        let mut facts = Facts { size, modified };
        if facts.size.is_none() || facts.modified.is_none() {
            let other = self.mlst(path)?;
            facts.size = facts.size.or(other.size);
            facts.modified = facts.modified.or(other.modified);
        }
        Ok(facts)
    }

    /// The size of a file in bytes; `None`: the server does not tell.
    pub fn size(&mut self, path: &[u8]) -> Result<Option<u64>> {
        let reply = self.ask("SIZE", path)?;
        self.told_size(&reply, path)
    }

    /// The size in this reply to SIZE, or in that of MLST where it has none.
    pub fn told_size(&mut self, reply: &Reply, path: &[u8]) -> Result<Option<u64>> {
        match told_size(reply) {
            None => Ok(self.mlst(path)?.size),
            size => Ok(size),
        }
    }

    fn mlst(&mut self, path: &[u8]) -> Result<Facts> {
        let reply = self.ask("MLST", path)?;
        Ok(if reply.code == 250 { Facts::read(&reply.text) } else { Facts::default() })
    }
}

fn told_size(reply: &Reply) -> Option<u64> {
    reply.rest().parse().ok().filter(|_| reply.code == 213)
}

impl Facts {
    /// The facts in a reply to MLST: in its second line, in front of the name.
    #[must_use]
    pub fn read(reply: &[u8]) -> Facts {
        let mut lines = reply.split(|&byte| byte == b'\n').skip(1);
        let line = lines.next().unwrap_or_default().trim_ascii_start();
        let facts = line.split(|&byte| byte == b' ').next().unwrap_or_default();
        let facts = String::from_utf8_lossy(facts);
        let fact = |name: &str| {
            facts.split(';').find_map(|fact| {
                let (key, value) = fact.split_once('=')?;
                key.eq_ignore_ascii_case(name).then_some(value)
            })
        };
        Facts {
            size: fact("size").and_then(|size| size.parse().ok()),
            modified: fact("modify").map(Modified::read),
        }
    }

    /// Gives the file the time that the server told; a sentence on why it does not have it.
    pub fn set_time(&self, file: &File) -> Option<String> {
        let (told, lang) = (self.modified.as_ref()?, Lang::current());
        // What is no time is not shown: a hostile server may tell the password that it was told.
        let Some(time) = told.time else {
            let now = lang.pick(
                "its time is the time of the download, because the server told none that can be read",
                "文件时间是下载的时间，因为服务器没有给出可读的时间",
            );
            return Some(now.to_owned());
        };
        let text = escape(told.told.as_bytes());
        let set = file.set_modified(time).and_then(|()| file.metadata()?.modified());
        match set {
            Ok(set) if same_second(set, time) => None,
            Ok(_) => Some(say!(
                lang,
                "its time is another, because the disk cannot store {text} (UTC)",
                "文件时间不同，因为磁盘无法保存 {text} (UTC)",
            )),
            Err(error) => {
                let error = alone(&error, lang);
                Some(say!(
                    lang,
                    "its time could not be set to {text} (UTC): {error}",
                    "无法把文件时间设为 {text} (UTC)：{error}",
                ))
            }
        }
    }

    /// Whether a file of this time may be of the same version.
    pub fn may_have(&self, time: SystemTime) -> bool {
        let told = self.modified.as_ref().and_then(|modified| modified.time);
        told.is_none_or(|told| same_second(told, time))
    }
}

/// A disk may hold less of a fraction than a server tells.
fn same_second(one: SystemTime, other: SystemTime) -> bool {
    let apart = one.duration_since(other).unwrap_or_else(|error| error.duration());
    apart < Duration::from_secs(1)
}

impl Modified {
    fn read(text: &str) -> Modified {
        Modified { told: text.to_owned(), time: time(text) }
    }
}

/// `20200203040506`, or with a fraction of the second behind a dot.
fn time(text: &str) -> Option<SystemTime> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let seconds = NaiveDateTime::parse_from_str(whole, "%Y%m%d%H%M%S").ok()?.and_utc().timestamp();
    let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let away = Duration::from_secs(seconds.unsigned_abs());
    let time = match seconds {
        0.. => SystemTime::UNIX_EPOCH.checked_add(away),
        _ => SystemTime::UNIX_EPOCH.checked_sub(away),
    };
    time?.checked_add(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_before_1970_and_with_its_fraction() {
        let after = |nanos| SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(nanos));
        assert_eq!(time("19700101000001"), after(1_000_000_000));
        assert_eq!(time("19700101000001.25"), after(1_250_000_000));
        assert_eq!(time("19700101000001.1234567891"), after(1_123_456_789));
        let day = Duration::from_secs(86_400);
        assert_eq!(time("19691231000000"), SystemTime::UNIX_EPOCH.checked_sub(day));
        assert_eq!(time("19691231235959.5"), after(0).and_then(|t| t.checked_sub(day / 172_800)));
        assert!(time("21000101000000").is_some() && time("99991231235959").is_some());
        for text in
            ["", "now", "20201301000000", "2020010100000", "202001010000001", "+2020101000000"]
        {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn facts_stand_in_front_of_the_name() {
        let facts =
            Facts::read(b"250- a\n Type=file;Size=5;Modify=19700101000001; size=7; b\n250 end");
        assert_eq!((facts.size, facts.modified), (Some(5), Some(Modified::read("19700101000001"))));
        for text in [&b"250 ok"[..], b"250-\n250 x", b"250-\n \xff;=; x\n250 x"] {
            assert_eq!(Facts::read(text), Facts::default());
        }
    }
}
