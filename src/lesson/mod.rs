//! The lessons: the theory behind the pages, in English and in Chinese.
//!
//! They are Markdown, `lessons/LANG/TOPIC.md`, and compiled in, so that `netplay explain` needs no file.
//! `tests/suite/lessons.rs` compares every quote with the source, follows every link, runs every command, and
//! compares the two languages.

mod foreign;
mod markdown;
mod rust;
mod text;

use nix::errno::Errno;

use crate::examples::{Row, TABLE};
use crate::lang::Lang;
use crate::record::{errno_named, errnos, strerror};

pub use foreign::{Foreign, foreign};
pub use markdown::{Look, render};

/// A lesson in both languages.
#[derive(Debug)]
pub struct Lesson {
    /// Its name: `netplay explain TOPIC`, and `TOPIC.md`.
    pub topic: &'static str,
    en: &'static str,
    zh: &'static str,
}

impl Lesson {
    /// Its text, in Markdown.
    #[must_use]
    pub fn text(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Zh => self.zh,
        }
    }
}

/// A topic that lacks one of its two files does not compile.
macro_rules! lessons {
    ($($topic:literal)*) => {
        &[$(Lesson {
            topic: $topic,
            en: include_str!(concat!("../../lessons/en/", $topic, ".md")),
            zh: include_str!(concat!("../../lessons/zh/", $topic, ".md")),
        }),*]
    };
}

/// All of them, in the order of the table of contents.
pub const LESSONS: &[Lesson] = lessons! {
    "osi" "protocol" "tcp-ip" "byte-order"
    "socket-types" "socket-api" "tcp" "udp" "unix"
    "iterative" "fork" "thread" "handler" "prefork" "pool"
    "nonblocking" "io-models" "select" "poll" "epoll" "io-uring"
    "multicast" "ping"
    "mini-ftp" "ftp"
    "watch" "grade"
    "errno"
};

/// The table of contents: chapters, and a line for each topic.
const CONTENTS: Lesson = Lesson {
    topic: "README",
    en: include_str!("../../lessons/en/README.md"),
    zh: include_str!("../../lessons/zh/README.md"),
};

/// Other names of topics.
const ALSO: &[(&str, &str)] = &[
    ("osi-model", "osi"),
    ("layers", "osi"),
    ("endianness", "byte-order"),
    ("htons", "byte-order"),
    ("sockets", "socket-api"),
    ("handshake", "tcp"),
    ("c10k", "epoll"),
    ("uring", "io-uring"),
    ("ptrace", "watch"),
    ("seccomp", "watch"),
    ("strace", "watch"),
    ("challenge", "grade"),
];

/// What `netplay explain` is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Subject {
    /// What a lesson explains.
    Lesson(&'static Lesson),
    /// The number of an error.
    Errno(Errno),
    /// The number of an error on another system, which may be that of another error here.
    Foreign(Foreign),
}

/// What a name stands for: a topic, an example, or an errno by its name or number, on this system or another.
///
/// ```
/// use netplay::lesson::{Subject, find};
/// assert!(matches!(find("tcp-echo"), Some(Subject::Lesson(lesson)) if lesson.topic == "tcp"));
/// assert!(matches!(find("98"), Some(Subject::Errno(nix::errno::Errno::EADDRINUSE))));
/// ```
#[must_use]
pub fn find(name: &str) -> Option<Subject> {
    let name = name.to_lowercase().replace('_', "-");
    let errno = || errno_named(&name).map(Subject::Errno);
    let foreign = || foreign(&name).map(Subject::Foreign);
    lesson(&name).map(Subject::Lesson).or_else(foreign).or_else(errno)
}

fn lesson(name: &str) -> Option<&'static Lesson> {
    let row = TABLE.iter().find(|row| row.is_called(name));
    let also = ALSO.iter().find(|(also, _)| *also == name).map(|(_, topic)| *topic);
    let topic = row.map(Row::lesson).or(also).unwrap_or(name);
    LESSONS.iter().find(|lesson| lesson.topic == topic)
}

/// The name that was probably meant, one of ours or of these, if one is close to what was typed.
#[must_use]
pub fn similar(typed: &str, further: impl Iterator<Item = &'static str>) -> Option<String> {
    let typed = typed.to_lowercase();
    let errnos = errnos().map(|errno| format!("{errno:?}"));
    let names = TABLE.iter().filter(|row| lesson(row.lesson()).is_some()).map(Row::name);
    let names = names.chain(topics()).chain(further).map(String::from).chain(errnos);
    let likeness =
        |name: &String| strsim::normalized_damerau_levenshtein(&typed, &name.to_lowercase());
    let near = names.map(|name| (likeness(&name), name)).filter(|(likeness, _)| *likeness > 0.6);
    near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// The names of the lessons.
pub fn topics() -> impl Iterator<Item = &'static str> {
    LESSONS.iter().map(|lesson| lesson.topic)
}

/// What the lessons say about an errno: the section of that name, without its heading.
#[must_use]
pub fn about_errno(errno: Errno, lang: Lang) -> Option<&'static str> {
    let text = lesson("errno")?.text(lang);
    let (_, section) = text.split_once(&format!("\n## {errno:?}\n"))?;
    Some(section.split("\n## ").next().unwrap_or(section))
}

/// What is known about an error number: a page in Markdown.
#[must_use]
pub fn page_of_errno(errno: Errno, lang: Lang) -> String {
    let title = format!("# {errno:?} ({}): {}", errno as i32, strerror(errno));
    let text = about_errno(errno, lang).unwrap_or_else(|| not_returned(lang));
    let elsewhere = foreign::elsewhere(errno, lang);
    let elsewhere = elsewhere.map_or(String::new(), |elsewhere| format!("\n{elsewhere}\n"));
    format!("{title}\n\n{}\n{elsewhere}", text.trim())
}

/// What an error number of another system is there, and its name here: a page in Markdown.
#[must_use]
pub fn page_of_foreign(foreign: Foreign, lang: Lang) -> String {
    let about = |errno| about_errno(errno, lang).unwrap_or_else(|| not_returned(lang));
    foreign::page(foreign, lang, &about)
}

/// That no call of this project returns an error.
fn not_returned(lang: Lang) -> &'static str {
    lang.pick(
        "None of the calls that netplay makes is documented to return it. \
         `man 3 errno` lists every error number.\n",
        "netplay 所用的系统调用，手册都没有写会返回它。`man 3 errno` 列出全部错误号。\n",
    )
}

/// The table of contents, in Markdown.
#[must_use]
pub fn contents(lang: Lang) -> &'static str {
    CONTENTS.text(lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_name_leads_to_a_lesson() {
        for (also, topic) in ALSO {
            assert!(lesson(also).is_some_and(|lesson| lesson.topic == *topic), "{also}");
            assert!(LESSONS.iter().all(|lesson| lesson.topic != *also), "{also} is a topic itself");
        }
    }
}
