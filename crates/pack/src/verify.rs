//! Recomputing everything that a pack says.

use std::thread;

use netplay_text::lang::Lang;
use serde::de::DeserializeOwned;

use super::about::{hidden, programs};
use super::archive::{self, ABOUT, MANIFEST, Members};
use super::check::{self, Compared};
use super::manifest::{Entry, Manifest};
use super::remake::{page, reviewed};
use super::run::Run;
use super::same::Prints;
use super::{About, Damage, Fault, Rule};
use netplay_text::both;

/// What was found in a pack.
#[derive(Debug)]
pub struct Verified {
    /// What it says about itself.
    pub about: About,
    /// How many records it holds.
    pub records: usize,
    /// From the beginning of the first call to the end of the last, in nanoseconds.
    pub span_ns: u64,
    /// When the first of them began, by the calendar: RFC 3339.
    pub began: String,
    /// What contradicts something else; nothing if the pack verifies.
    pub faults: Vec<Fault>,
    /// What could be compared at both ends.
    pub compared: Compared,
    /// What tells this run from all others.
    pub prints: Prints,
}

/// What no file can prove: a name for programs, then the sentence in English and in Chinese.
pub const UNPROVEN: [(&str, &str, &str); 5] = [
    (
        "author",
        "that the student wrote the program: the records show what it did, not where it comes from",
        "程序是学生自己写的：记录显示程序做了什么，而不是它从哪里来",
    ),
    (
        "simulated",
        "that the run took place: a program could make up a whole trace that contradicts itself nowhere",
        "这次运行真的发生过：一个程序可以编造出处处不自相矛盾的整份记录",
    ),
    (
        "clock",
        "the calendar time: it is the clock of the student's machine",
        "日历时间：它来自学生机器上的时钟",
    ),
    (
        "token",
        "when the run took place: the token shows only that the file was packed after the token was known",
        "运行是什么时候发生的：口令 (token) 只表明打包时已经知道它",
    ),
    (
        "unkept",
        "the bytes that no record keeps, and what an end did that was not recorded",
        "记录没有保留的字节，以及没有被记录的一端做了什么",
    ),
];

/// Unpacks a pack in memory and recomputes all of it.
///
/// # Errors
/// It is not a pack, or a damaged one: then there is nothing to recompute.
pub fn verify(bytes: &[u8]) -> Result<Verified, Damage> {
    let mut faults = Vec::new();
    let members = archive::read(bytes, &mut faults)?;
    let manifest: Manifest = read(MANIFEST, &members.manifest)?;
    let about: About = read(ABOUT, &members.about)?;
    for (name, v) in [(MANIFEST, manifest.v), (ABOUT, about.v)] {
        if v != 1 {
            return Err(Damage::Form(name.to_owned(), format!("version {v}")));
        }
    }
    let Some(lang) = about.lang() else {
        return Err(Damage::Form(ABOUT.to_owned(), "lang".to_owned()));
    };
    let (of_manifest, run) = thread::scope(|scope| {
        let of_manifest = scope.spawn(|| compare(&manifest, &members));
        let run = Run::read(&members.traces, &mut faults);
        (of_manifest.join().expect("hashing does not panic"), run)
    });
    faults.splice(0..0, of_manifest);
    if run.records.is_empty() {
        let said = both!("the traces hold no record", "跟踪文件里没有记录");
        faults.push(Fault::new(Rule::Form, said, []));
    }
    of_about(&about, &members, &run, &mut faults);
    let same_version = about.netplay == env!("CARGO_PKG_VERSION");
    let remakes = same_version && !run.records.is_empty();
    let ((checked, compared), prints, review) = thread::scope(|scope| {
        let review = remakes.then(|| scope.spawn(|| reviewed(&run.records)));
        let checked = (check::all(&run), Prints::of(&run));
        let review = review.map(|review| review.join().expect("a review does not panic"));
        (checked.0, checked.1, review)
    });
    faults.extend(checked);
    let first = run.records.first();
    let began = first.map(|record| record.wall.to_string()).unwrap_or_default();
    let end = (0..run.records.len()).map(|i| run.end(i)).max().unwrap_or_default();
    let span_ns = first.map_or(0, |record| end.saturating_sub(record.start_ns));
    let records = run.records.len();
    if let Some(review) = review {
        made_again(run, &review, &about, lang, &members, &mut faults);
    } else if !same_version {
        let (its, ours) = (&about.netplay, env!("CARGO_PKG_VERSION"));
        let its = netplay_text::escape::escape_unsafe(its);
        let said = both!(
            "it was packed by netplay {its}, and this is {ours}: page and review can be made again only by the same version",
            "它由 netplay {its} 打包，而这里是 {ours}：只有同一版本才能重新生成页面和检查结果",
        );
        faults.push(Fault::new(Rule::Version, said, []));
    }
    Ok(Verified { about, records, span_ns, began, faults, compared, prints })
}

fn read<T: DeserializeOwned>(name: &str, content: &[u8]) -> Result<T, Damage> {
    let why = |error: serde_json::Error| {
        let why = netplay_text::escape::escape_unsafe(&error.to_string());
        Damage::Form(name.to_owned(), why)
    };
    serde_json::from_slice(content).map_err(why)
}

/// Whether the members are those that the manifest names.
fn compare(manifest: &Manifest, members: &Members) -> Vec<Fault> {
    let found: Vec<Entry> =
        members.named().iter().map(|(name, content)| Entry::of(name, content)).collect();
    let mut faults = Vec::new();
    for entry in &found {
        let name = &entry.name;
        let said = match manifest.members.iter().find(|named| named.name == *name) {
            Some(named) if named == entry => continue,
            Some(_) => both!(
                "{name} is not the one that was packed: its size or its SHA-256 differs from the manifest",
                "{name} 不是打包时的内容：它的大小或 SHA-256 与清单不符",
            ),
            None => both!("{name} is not in the manifest", "{name} 不在清单里"),
        };
        faults.push(Fault::new(Rule::Manifest, said, []));
    }
    if manifest.members.len() > found.len() {
        let more = manifest.members.len() - found.len();
        let said = both!(
            "{more} of the members that the manifest names are missing",
            "清单里的成员缺少 {more} 个",
        );
        faults.push(Fault::new(Rule::Manifest, said, []));
    }
    faults
}

/// Whether the pack says about its records what they say.
fn of_about(about: &About, members: &Members, run: &Run, faults: &mut Vec<Fault>) {
    let mut wrong = |what: &str, zh: &str| {
        let said = both!(
            "about.json says something else about {what} than the records",
            "about.json 关于{zh}的说法与记录不符",
        );
        faults.push(Fault::new(Rule::About, said, []));
    };
    if programs(&run.records) != about.programs {
        wrong("the programs", "程序");
    }
    let counts = (1..=members.traces.len())
        .map(|trace| run.places.iter().filter(|place| place.trace == trace).count());
    if !counts.eq(about.traces.iter().map(|trace| trace.records)) {
        wrong("the number of records", "记录条数");
    }
    if hidden(&run.records) != about.hidden {
        wrong("hidden bytes", "被隐去的字节");
    }
}

/// Compares the review with the one that was made once more, and makes the page once more.
fn made_again(
    run: Run,
    review: &[u8],
    about: &About,
    lang: Lang,
    members: &Members,
    faults: &mut Vec<Fault>,
) {
    if *review != *members.review {
        let said = both!(
            "review.json is not what the review of these traces says",
            "review.json 不是对这些记录的检查结果",
        );
        faults.push(Fault::new(Rule::Review, said, []));
    }
    if page(run.records, about.title(), lang) != members.page {
        let said = both!(
            "page.html is not the page of these traces, this token and these file names",
            "page.html 不是由这些记录、口令和文件名生成的页面",
        );
        faults.push(Fault::new(Rule::Page, said, []));
    }
}
