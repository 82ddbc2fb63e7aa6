//! `netplay grade table`: the verdicts of many programs side by side.
//!
//! ```text
//!             starts  bytes   ends     a sign for each test, in the order of the catalogue
//! server.py   ✓✓✗✓    ✓✓✓✗✓✓  ✓✓✓✓✓
//! poll        ✓✓✓✓    ✓✓✓✓✓✓  ✓✓✓✓✓
//! ```
//!
//! Programs that were tested in different ways are not comparable: each model, protocol and version has a table of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args as ClapArgs, ValueEnum};
use netplay_text::say;
use netplay_text::table::{Look, lines, markdown};
use serde::Deserialize;

use super::super::global::Global;
use crate::columns::{cut, hanging};
use crate::draw::page::{Cell, report, table};
use crate::escape::{escape_unsafe, file_name, markup};
use crate::files::whole;
use crate::grade::{TESTS, Test, Verdict};
use crate::lang::Lang;
use crate::output::stdout;

/// No grade is as long as this, in bytes.
const LARGEST: usize = 16 << 20;

/// Put the verdicts of many programs side by side
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "    netplay grade --format json -- ./ann {port} > ann.json\n    netplay grade --format json -- ./bob {port} > bob.json\n    netplay grade table ann.json Bob=bob.json\n\nEach model, protocol and version has a table of its own, because such verdicts cannot be compared."
)]
pub(super) struct Args {
    /// What grade --format json has written; NAME=FILE gives the row a name
    #[arg(value_name = "[NAME=]FILE", required = true)]
    files: Vec<PathBuf>,
    /// How the table is written
    #[arg(long, value_enum, default_value = "text")]
    layout: Layout,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Layout {
    /// A sign for each test, in 80 columns
    Text,
    /// A column for each test
    Markdown,
    /// A line for each program, for spreadsheets
    Csv,
    /// A page
    Html,
}

/// What is read of a grade: `schema/grade.schema.json`.
#[derive(Debug, Deserialize)]
struct Grade {
    tests: Vec<Made>,
    seed: u64,
    points: Option<f64>,
    max_points: Option<f64>,
    command: Vec<String>,
    model: String,
    protocol: String,
    watched: bool,
    version: String,
}

#[derive(Debug, Deserialize)]
struct Made {
    id: String,
    verdict: String,
}

/// A program.
struct Row {
    name: String,
    file: PathBuf,
    grade: Grade,
}

impl Row {
    /// What must be the same, so that verdicts can be compared.
    fn kind(&self) -> [&str; 4] {
        let grade = &self.grade;
        let watched = if grade.watched { "watched" } else { "--no-watch" };
        [&grade.model, &grade.protocol, watched, &grade.version]
    }

    fn verdict(&self, id: &str) -> Option<Verdict> {
        let made = self.grade.tests.iter().find(|made| made.id == id)?;
        Verdict::ALL.into_iter().find(|verdict| verdict.name() == made.verdict)
    }

    fn points(&self) -> String {
        match (self.grade.points, self.grade.max_points) {
            (Some(got), Some(of)) => format!("{got}/{of}"),
            _ => String::new(),
        }
    }
}

/// Programs that were tested in the same way.
struct Group<'a> {
    rows: Vec<&'a Row>,
    /// The tests that at least one of them has.
    tests: Vec<&'static Test>,
    lang: Lang,
}

/// Reads the grades and prints their table.
///
/// # Errors
/// A file cannot be read or is no grade, or standard output cannot be written.
pub(super) fn run(args: &Args, global: &Global) -> Result<()> {
    let mut rows: Vec<Row> = args.files.iter().map(|typed| read(typed)).collect::<Result<_>>()?;
    tell_apart(&mut rows);
    let lang = match args.layout {
        Layout::Text => global.spoken(),
        _ => global.language(),
    };
    let groups = groups(&rows, lang);
    let text = match args.layout {
        Layout::Text => as_text(&groups, global.plain()),
        Layout::Markdown => as_markdown(&groups),
        Layout::Csv => as_csv(&rows)?,
        Layout::Html => as_html(&groups, lang),
    };
    let mut out = stdout();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// A file that is there may have a `=` in its name.
fn read(typed: &Path) -> Result<Row> {
    let lang = Lang::current();
    let both = typed.to_str().and_then(|text| text.split_once('=')).filter(|_| !typed.exists());
    let (name, path) = match both {
        Some((name, file)) => (Some(name.to_owned()), PathBuf::from(file)),
        None => (None, typed.to_owned()),
    };
    let file = file_name(&path);
    let text = whole(&path, LARGEST)
        .with_context(|| say!(lang, "cannot read {file}", "无法读取 {file}"))?;
    let grade: Grade = match serde_json::from_slice(&text) {
        Ok(grade) => grade,
        Err(error) => bail!(say!(
            lang,
            "{file} is not what this netplay grade --format json writes: {error}",
            "{file} 不是此版本的 netplay grade --format json 写的：{error}",
        )),
    };
    let name = name.unwrap_or_else(|| short(&grade.command));
    Ok(Row { name: escape_unsafe(&name), file: path, grade })
}

/// A command in a few words, as the name of a row: without the folders of its files, and without what netplay replaces.
fn short(command: &[String]) -> String {
    let kept = command.iter().filter(|word| !word.contains("{host}") && !word.contains("{port}"));
    let words =
        kept.map(|word| word.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(word));
    words.collect::<Vec<_>>().join(" ")
}

/// Two programs of the same command are told apart by their files.
fn tell_apart(rows: &mut [Row]) {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    rows.iter().for_each(|row| *times.entry(row.name.clone()).or_default() += 1);
    for row in rows.iter_mut().filter(|row| times[&row.name] > 1) {
        row.name = format!("{} ({})", file_name(&row.file), row.name);
    }
}

fn groups(rows: &[Row], lang: Lang) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|group| group.rows[0].kind() == row.kind()) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { rows: vec![row], tests: Vec::new(), lang }),
        }
    }
    for group in &mut groups {
        let made = |test: &&Test| group.rows.iter().any(|row| row.verdict(test.id).is_some());
        group.tests = TESTS.iter().filter(made).collect();
    }
    groups
}

/// The sign of a verdict. Without one, the test was not made.
fn sign(verdict: Option<Verdict>, plain: bool) -> &'static str {
    match (verdict, plain) {
        (Some(Verdict::Pass), false) => "✓",
        (Some(Verdict::Pass), true) => "+",
        (Some(Verdict::Fail), false) => "✗",
        (Some(Verdict::Fail), true) => "X",
        (Some(Verdict::NonStrict), _) => "~",
        (Some(Verdict::Info), _) => "i",
        (Some(Verdict::Skipped), false) => "–",
        (Some(Verdict::Skipped), true) => "-",
        (None, false) => "·",
        (None, true) => ".",
    }
}

impl Group<'_> {
    /// In which way they were tested.
    fn heading(&self) -> String {
        let [model, protocol, watched, version] = self.rows[0].kind();
        let (model, protocol) = (escape_unsafe(model), escape_unsafe(protocol));
        let version = escape_unsafe(version);
        let en = if watched == "--no-watch" { ", --no-watch" } else { "" };
        let zh = if watched == "--no-watch" { "，--no-watch" } else { "" };
        say!(
            self.lang,
            "model {model}, protocol {protocol}{en}, netplay {version}",
            "模型 {model}，协议 {protocol}{zh}，netplay {version}",
        )
    }

    fn has_points(&self) -> bool {
        self.rows.iter().any(|row| row.grade.points.is_some())
    }

    fn points_head(&self) -> &'static str {
        self.lang.pick("points", "得分")
    }

    /// The signs that are in the table, and what each means.
    fn legend(&self, plain: bool) -> String {
        let seen: BTreeSet<Option<Verdict>> = (self.rows.iter())
            .flat_map(|row| self.tests.iter().map(|test| row.verdict(test.id)))
            .collect();
        let word = |verdict: Option<Verdict>| match verdict {
            Some(Verdict::Pass) => self.lang.pick("pass", "通过"),
            Some(Verdict::NonStrict) => self.lang.pick(
                "non-strict: less than the best do, nothing wrong",
                "不严格：不算错，但不是最好",
            ),
            Some(Verdict::Fail) => self.lang.pick("fail", "失败"),
            Some(Verdict::Info) => self.lang.pick("info", "信息"),
            Some(Verdict::Skipped) => self.lang.pick(
                "skipped: it does not apply, or could not be made",
                "跳过：不适用，或无法进行",
            ),
            None => self.lang.pick("not made", "没有做"),
        };
        // Not made comes last.
        let order = Verdict::ALL.map(Some).into_iter().chain([None]);
        let said = order.filter(|verdict| seen.contains(verdict));
        let said = said.map(|verdict| format!("{} {}", sign(verdict, plain), word(verdict)));
        said.collect::<Vec<_>>().join(self.lang.pick("; ", "；"))
    }

    /// What a reader must know who compares the rows.
    fn remark(&self) -> Option<String> {
        let seeds: BTreeSet<u64> = self.rows.iter().map(|row| row.grade.seed).collect();
        let n = seeds.len();
        (n > 1).then(|| {
            say!(
                self.lang,
                "The requests differ, because they follow from {n} seeds: --seed gives every program the same.",
                "请求来自 {n} 个不同的种子，因此各不相同：用 --seed 让每个程序得到相同的请求。",
            )
        })
    }

    /// The groups of tests, each with its tests.
    fn by_group(&self) -> Vec<(&'static str, Vec<&'static Test>)> {
        let groups = self.tests.chunk_by(|a, b| a.group() == b.group());
        groups.map(|tests| (tests[0].group(), tests.to_vec())).collect()
    }
}

/// The name of a test without its group.
fn bare(test: &Test) -> &'static str {
    test.id.split_once('/').map_or(test.id, |(_, name)| name)
}

const COLUMNS: usize = 80;

fn as_text(groups: &[Group<'_>], plain: bool) -> String {
    let one = |group: &Group<'_>| {
        let parts = group.by_group();
        let points = group.has_points();
        let mut heads = vec![String::new()];
        heads.extend(parts.iter().map(|(name, _)| (*name).to_owned()));
        heads.extend(points.then(|| group.points_head().to_owned()));
        let signs = |row: &Row, tests: &[&Test]| -> String {
            tests.iter().map(|test| sign(row.verdict(test.id), plain)).collect()
        };
        // What the columns of signs leave is for the names.
        let wide = parts.iter().map(|(name, tests)| name.len().max(tests.len()) + 2).sum::<usize>();
        let room = COLUMNS.saturating_sub(wide + if points { 12 } else { 0 }).max(12);
        let mut cells = vec![heads];
        for row in &group.rows {
            let mut line = vec![cut(&row.name, room, if plain { "~" } else { "…" }).into_owned()];
            line.extend(parts.iter().map(|(_, tests)| signs(row, tests)));
            line.extend(points.then(|| row.points()));
            cells.push(line);
        }
        let mut text = vec![hanging(&group.heading(), COLUMNS, 2), String::new()];
        text.extend(lines(&cells, Look::default()));
        text.extend([String::new(), hanging(&group.legend(plain), COLUMNS, 2)]);
        for (name, tests) in &parts {
            let tests: Vec<_> = tests.iter().map(|test| bare(test)).collect();
            text.push(hanging(&format!("{name:7} {}", tests.join(" ")), COLUMNS, 8));
        }
        text.extend(group.remark().map(|remark| hanging(&remark, COLUMNS, 2)));
        text.join("\n") + "\n"
    };
    groups.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn as_markdown(groups: &[Group<'_>]) -> String {
    let one = |group: &Group<'_>| {
        let mut heads = vec![String::new()];
        heads.extend(group.tests.iter().map(|test| test.id.replace('/', "/<br>")));
        heads.extend(group.has_points().then(|| group.points_head().to_owned()));
        let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
        let rows: Vec<Vec<String>> = (group.rows.iter())
            .map(|row| {
                let mut cells = vec![plain_markdown(&row.name)];
                cells.extend(
                    group.tests.iter().map(|test| sign(row.verdict(test.id), false).into()),
                );
                cells.extend(group.has_points().then(|| row.points()));
                cells
            })
            .collect();
        let table = markdown(&heads, |_| false, &rows);
        let remark = group.remark().map(|remark| format!("\n{remark}\n")).unwrap_or_default();
        let heading = plain_markdown(&group.heading());
        format!("{heading}:\n\n{table}\n{}\n{remark}", group.legend(false))
    };
    groups.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// A text in which nothing is a mark of Markdown; [`markdown`] sees to the bars.
fn plain_markdown(text: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars() {
        if "\\`*_[]<>&#".contains(letter) {
            plain.push('\\');
        }
        plain.push(letter);
    }
    plain
}

/// Names and verdicts, which are English in every locale.
fn as_csv(rows: &[Row]) -> Result<String> {
    let has = |test: &&Test| rows.iter().any(|row| row.verdict(test.id).is_some());
    let tests: Vec<&Test> = TESTS.iter().filter(has).collect();
    let mut out = csv::Writer::from_writer(Vec::new());
    let fixed = ["name", "model", "protocol", "watched", "version", "seed", "points", "max_points"];
    out.write_record(fixed.into_iter().chain(tests.iter().map(|test| test.id)))?;
    for row in rows {
        let grade = &row.grade;
        let number = |points: Option<f64>| points.map(|n| n.to_string()).unwrap_or_default();
        let mut cells = vec![
            row.name.clone(),
            grade.model.clone(),
            grade.protocol.clone(),
            grade.watched.to_string(),
            grade.version.clone(),
            grade.seed.to_string(),
            number(grade.points),
            number(grade.max_points),
        ];
        let name = |test: &&Test| row.verdict(test.id).map_or("", Verdict::name).to_owned();
        cells.extend(tests.iter().map(name));
        out.write_record(cells)?;
    }
    Ok(String::from_utf8(out.into_inner()?)?)
}

fn as_html(groups: &[Group<'_>], lang: Lang) -> String {
    let one = |group: &Group<'_>| {
        let mut heads = vec![Cell::default()];
        heads.extend(
            group.tests.iter().map(|test| Cell::from(test.group()).below(bare(test).into())),
        );
        heads.extend(group.has_points().then(|| Cell::from(group.points_head())));
        let rows = group.rows.iter().map(|row| {
            let mut cells = vec![Cell::from(&row.name)];
            cells.extend(group.tests.iter().map(|test| {
                let verdict = row.verdict(test.id);
                let cell = Cell::from(sign(verdict, false));
                if verdict == Some(Verdict::Fail) { cell.failed() } else { cell }
            }));
            cells.extend(group.has_points().then(|| Cell::from(row.points())));
            cells
        });
        let table = table(&group.heading(), heads, rows);
        let said = [Some(group.legend(false)), group.remark()];
        let said: String =
            said.iter().flatten().map(|said| format!("<p>{}</p>\n", markup(said))).collect();
        format!("<div class=\"table\">{table}</div>\n{said}")
    };
    let title = lang.pick("Grades", "评测结果");
    let body: String = groups.iter().map(one).collect();
    report(title, &format!("<main>\n<h1>{title}</h1>\n{body}</main>\n"))
}
