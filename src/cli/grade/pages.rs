//! `netplay grade -o DIR`: a page with all verdicts, and for each failure a page with both ends as a timeline.
//!
//! ```text
//! index.html        every test: its verdict, the sentence, the lab
//! bytes-cut.html    a failure: the cause, the calls that prove it, and the timeline in which they are marked
//! bytes-cut.jsonl   its trace, for netplay review, draw and pack
//! ```
//!
//! Of a failure of which less than all is revealed, the index has the line, and there is neither a page nor a trace.
//!
//! Each file has its name only when it is whole. Pages of netplay are overwritten, and no other file is.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use netplay_text::say;

use super::args::Spoken;
use super::shown::Shown;
use super::told::{again, heading, summary, verdict};
use crate::client::Usage;
use crate::draw::page::{Cell, report, table};
use crate::draw::{Preface, Timeline, View};
use crate::escape::{file_name, markup};
use crate::files::{is_stdout, try_to_write, write, write_by};
use crate::grade::{Outcome, Plan, Reveal, TESTS, Verdict};
use crate::lang::Lang;

/// What each of our pages has within its first [`BEGINNING`] bytes, and no other page.
const OURS: &str = "data-by=\"netplay grade\"";
const BEGINNING: u64 = 64 << 10;

/// So many lines of what a program wrote last are shown.
const LINES: usize = 20;

/// The folder with the pages.
pub(super) struct Pages<'a> {
    folder: PathBuf,
    plan: &'a Plan,
    spoken: &'a Spoken,
    view: View,
    /// The outcomes, and how far each is told.
    done: Vec<(Outcome, Reveal)>,
    /// How many tests there are to be made.
    all: usize,
}

impl<'a> Pages<'a> {
    /// A folder for pages, which is made if it is not there.
    ///
    /// # Errors
    /// It cannot be made or written, or a file that is not ours has the name of a page.
    pub(super) fn new(
        folder: &Path,
        (plan, spoken): (&'a Plan, &'a Spoken),
        all: usize,
        view: View,
    ) -> Result<Pages<'a>> {
        let lang = Lang::current();
        if is_stdout(folder) {
            bail!(Usage(say!(
                lang,
                "the pages are several files: give -o a folder",
                "页面是多个文件：请给 -o 一个目录",
            )));
        }
        fs::create_dir_all(folder).with_context(|| {
            let folder = file_name(folder);
            say!(lang, "cannot make the folder {folder}", "无法创建目录 {folder}")
        })?;
        let names = TESTS.iter().map(|test| page_of(test.id)).chain(["index.html".to_owned()]);
        for path in names.map(|name| folder.join(name)) {
            // A trace is ours if its page is.
            let trace = path.with_extension("jsonl");
            if !is_ours(&path)? || !path.exists() && trace.exists() {
                let path = file_name(&path);
                bail!(say!(
                    lang,
                    "{path} was not written by netplay grade: give -o another folder",
                    "{path} 不是 netplay grade 写的：请给 -o 另一个目录",
                ));
            }
        }
        try_to_write(&folder.join("index.html"))?;
        Ok(Pages { folder: folder.to_owned(), plan, spoken, view, done: Vec::new(), all })
    }

    /// The page to begin with.
    pub(super) fn index(&self) -> PathBuf {
        self.folder.join("index.html")
    }

    /// Writes the page of a failure, and the index so far. A test that does not fail any more loses its old page, and so does one of
    /// which not all is told.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(super) fn add(&mut self, outcome: &Outcome, reveal: Reveal) -> Result<()> {
        let page = self.folder.join(page_of(outcome.test.id));
        let trace = page.with_extension("jsonl");
        if outcome.verdict == Verdict::Fail && reveal == Reveal::All {
            write_by(
                |to| {
                    outcome.records.iter().try_for_each(|record| {
                        serde_json::to_writer(&mut *to, record)?;
                        to.write_all(b"\n")
                    })
                },
                &trace,
            )?;
            self.failure(outcome, &page)?;
        } else if page.exists() {
            for old in [&page, &trace] {
                match fs::remove_file(old) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(error).context(file_name(old));
                    }
                    _ => {}
                }
            }
        }
        // The records are in the trace now, and need no memory.
        let kept = Outcome { records: Vec::new(), proof: Vec::new(), ..outcome.clone() };
        self.done.push((kept, reveal));
        Ok(write(&self.all(), &self.index())?)
    }

    /// The index.
    fn all(&self) -> String {
        let lang = Lang::current();
        let title = heading(self.plan, lang);
        let row = |(outcome, reveal): &(Outcome, Reveal)| {
            let shown = Shown::as_far_as(outcome, *reveal);
            let (id, failed) = (shown.id(), outcome.verdict == Verdict::Fail);
            let because = || shown.because().map(|because| because.get(lang).to_owned());
            let does = || shown.does(lang).map(str::to_owned);
            let said = shown.cause(lang).or_else(because).or_else(does).unwrap_or_default();
            let mut said = Cell::from(said).sentence();
            if failed && shown.lab().is_some() {
                said = said.below(outcome.command());
            }
            let (mut name, mut trace) = (Cell::from(id), Cell::default());
            if failed && *reveal == Reveal::All {
                name = name.link(&page_of(id));
                trace = Cell::from(lang.pick("trace", "跟踪文件")).link(&trace_of(id));
            }
            let word = Cell::from(verdict(outcome.verdict, lang));
            [name, if failed { word.failed() } else { word }, said, trace]
        };
        let heads = lang.pick(
            ["Test", "Verdict", "What happened, or what was tested", ""],
            ["测试", "结论", "发生了什么，或者测试了什么", ""],
        );
        let table = table("", heads, self.done.iter().map(row));
        let sum = markup(&summary(self.done.iter().map(|(outcome, _)| outcome), self.plan, lang));
        let next = lang.pick(
            "The name of a failed test leads to its page: the cause, the calls that prove it, and both ends as a \
             timeline. netplay review, draw and pack read the traces.",
            "失败的测试的名字通向它的页面：原因、证明它的调用，以及两端的时间线。netplay review、draw 和 pack \
             可以读取跟踪文件。",
        );
        let (next, unwatched) = (markup(next), self.unwatched(lang) + &self.unfinished(lang));
        let body = format!(
            "<main {OURS}>\n<h1>{}</h1>\n<p>{sum}</p>\n{unwatched}<div class=\"table names\">{table}</div>\n<p \
             class=\"footer\">{next}</p>\n</main>\n",
            markup(&title)
        );
        report(&title, &body)
    }

    /// What a reader of the index must know where tests are missing: the grade goes on, or was broken off.
    fn unfinished(&self, lang: Lang) -> String {
        let (done, all) = (self.done.len(), self.all);
        if done >= all {
            return String::new();
        }
        let said = say!(
            lang,
            "This grade is not complete: {done} of {all} tests have been made. It is still running, or was interrupted.",
            "这次评测还不完整：{all} 个测试只做了 {done} 个。它还在进行，或者被中断了。",
        );
        format!("<p><strong>{}</strong></p>\n", markup(&said))
    }

    /// What a reader of the pages must know where the program was not watched.
    fn unwatched(&self, lang: Lang) -> String {
        let said = lang.pick(
            "The program was not watched (--no-watch): of the calls only netplay's own are known, and a verdict proves \
             less.",
            "没有观察程序 (--no-watch)：只知道 netplay 自己的调用，结论的证明力较弱。",
        );
        if self.plan.watched { String::new() } else { format!("<p>{}</p>\n", markup(said)) }
    }

    /// Writes the page of a failure.
    fn failure(&self, outcome: &Outcome, to: &Path) -> Result<()> {
        let lang = self.view.lang;
        let whole = Timeline::new(outcome.records.clone(), &HashMap::new());
        let mut timeline = whole.clone().folded();
        // What proves the cause is never left out.
        let all = |timeline: &Timeline| -> Vec<Option<usize>> {
            outcome.proof.iter().map(|record| timeline.call_of(record)).collect()
        };
        let mut of_proof = all(&timeline);
        if of_proof.contains(&None) {
            timeline = whole;
            of_proof = all(&timeline);
        }
        let timeline = timeline.told_in(lang);
        let marks = of_proof.iter().copied().flatten().collect();
        let preface = Preface { html: self.preface(outcome, &of_proof), marks };
        let id = outcome.test.id;
        let view = View { title: format!("netplay grade {id}"), ..self.view.clone() };
        Ok(write_by(|to| timeline.page(&view, &preface, to), to)?)
    }

    /// What stands above the timeline of a failure.
    fn preface(&self, outcome: &Outcome, of_proof: &[Option<usize>]) -> String {
        let lang = self.view.lang;
        let (id, word) = (outcome.test.id, verdict(outcome.verdict, lang));
        let does = markup(lang.pick(outcome.test.does.0, outcome.test.does.1));
        let rule = outcome.rule.map(|rule| format!("{}: ", rule.name())).unwrap_or_default();
        let said = outcome.sentence.as_ref().map(|said| said.get(lang)).unwrap_or_default();
        let said = markup(said);
        let mut html = format!(
            "<section id=\"preface\" {OURS}>\n<details open><summary>{id}: <span \
             class=\"failed\">{word}</span></summary>\n<p><strong>{rule}</strong>{said}</p>\n{}",
            self.unwatched(lang)
        );
        if !outcome.proof.is_empty() {
            // Where no mistake is proven, they only show how far the program had come.
            let head = match outcome.rule {
                Some(_) => lang.pick(
                    "The calls that show it, marked ◆ in the timeline:",
                    "表明这一点的调用，在时间线中以 ◆ 标出：",
                ),
                None => lang.pick(
                    "What the program did last, marked ◆ in the timeline:",
                    "程序最后做的事，在时间线中以 ◆ 标出：",
                ),
            };
            let _ = write!(html, "<p>{}</p>\n<ol>\n", markup(head));
            for (record, call) in outcome.proof.iter().zip(of_proof) {
                let line = markup(&crate::cli::review::line(record, lang));
                let call = call.map(|call| format!(" data-call=\"{call}\"")).unwrap_or_default();
                let _ = writeln!(html, "<li{call}>{line}</li>");
            }
            html += "</ol>\n";
        }
        html += "<dl>\n";
        let mut fact = |term: &str, about: &str| {
            let _ = writeln!(html, "<dt>{term}</dt><dd>{about}</dd>");
        };
        fact(lang.pick("What is tested", "测试的内容"), &does);
        let lines: Vec<&str> =
            outcome.errors.lines().filter(|line| !line.trim().is_empty()).collect();
        if !lines.is_empty() {
            let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
            let term = lang.pick("Its last lines on standard error", "它在标准错误上的最后几行");
            fact(term, &format!("<pre>{}</pre>", markup(&last)));
        }
        let code = |text: &str| format!("<code>{}</code>", markup(text));
        fact(lang.pick("Learn more", "进一步学习"), &code(&outcome.command()));
        let command = again(id, (self.plan, self.spoken));
        fact(lang.pick("Again", "重做"), &code(&command));
        let (trace, all, comma) =
            (trace_of(id), lang.pick("all tests", "所有测试"), lang.pick(", ", "，"));
        let links =
            format!("<a href=\"{trace}\">{trace}</a>{comma}<a href=\"index.html\">{all}</a>");
        fact(lang.pick("See as well", "另见"), &links);
        html + "</dl>\n</details>\n</section>\n"
    }
}

/// The name of the page of a test: `bytes-cut.html`.
fn page_of(id: &str) -> String {
    id.replace('/', "-") + ".html"
}

fn trace_of(id: &str) -> String {
    id.replace('/', "-") + ".jsonl"
}

/// Whether a page may take this name: the name is free, or it is a page of ours.
fn is_ours(path: &Path) -> Result<bool> {
    let mut beginning = Vec::new();
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Ok(about) if !about.is_file() => return Ok(false),
        _ => {}
    }
    let read = File::open(path).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning));
    read.with_context(|| file_name(path))?;
    Ok(String::from_utf8_lossy(&beginning).contains(OURS))
}
