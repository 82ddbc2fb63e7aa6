//! What a report comes to: whether all is well, how it differs from an earlier one, and its form in a file.

use std::fmt::{self, Write as _};
use std::path::Path;

use anyhow::{Result, bail};

use super::part::Part;
use super::plan::{Kind, Plan};
use super::reasons::in_words;
use super::sample::Report;
use crate::columns::hanging;
use crate::lang::Lang;
use netplay_text::say;

/// A server that is not ours did not answer as it should: an expectation was not met.
#[derive(Debug)]
pub struct Unexpected(String);

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unexpected {}

/// Whether all is well, for the exit code.
///
/// # Errors
/// [`Unexpected`], or why a server of ours was not measured.
pub fn judge(plan: &Plan, report: &Report) -> Result<()> {
    let foreign = |name: &str| {
        plan.models.iter().any(|model| model.name == name && !matches!(model.kind, Kind::Row(..)))
    };
    if let Some(cell) =
        report.cells.iter().find(|cell| foreign(&cell.model) && cell.errors().wrong > 0)
    {
        let first = cell.errors().first.unwrap_or_default();
        let (model, first) = (&cell.model, in_words(&first));
        return Err(Unexpected(say!(
            Lang::current(),
            "{model} did not answer as --expect says: {first}",
            "{model} 的应答不符合 --expect：{first}"
        ))
        .into());
    }
    match report.cells.iter().find_map(|cell| Some((&cell.model, cell.failed.as_ref()?))) {
        Some((model, why)) => bail!("{model}: {}", in_words(why)),
        None => Ok(()),
    }
}

/// Whether all is well with a part, for the exit code.
///
/// # Errors
/// [`Unexpected`], or why there was no reply at all.
pub fn judge_part(part: &Part) -> Result<()> {
    let lang = Lang::current();
    let first = part.errors.first.as_deref().map(in_words);
    let target = &part.target;
    if part.errors.wrong > 0 {
        let first = first.unwrap_or_default();
        return Err(Unexpected(say!(
            lang,
            "{target} did not answer as --expect says: {first}",
            "{target} 的应答不符合 --expect：{first}"
        ))
        .into());
    }
    match (part.served, first) {
        (0, Some(first)) => bail!(say!(lang, "{target}: {first}", "{target}：{first}")),
        (0, None) => bail!(say!(
            lang,
            "{target}: connected, but not one reply",
            "{target}：已连接，但没有一个应答"
        )),
        _ => Ok(()),
    }
}

/// Two reports, compared.
#[must_use]
pub fn compared(new: &Report, old: &Report, ascii: bool, columns: usize) -> String {
    let mut text = String::new();
    for sheet in new.compare(old) {
        _ = writeln!(text, "{}\n{}", sheet.title, sheet.text(ascii, columns));
        for remark in sheet.remarks {
            _ = writeln!(text, "{}", hanging(&format!("  {remark}"), columns, 2));
        }
        text.push('\n');
    }
    for line in new.circumstances(old) {
        let line = say!(Lang::current(), "not the same: {line}", "不相同：{line}");
        _ = writeln!(text, "{}", hanging(&line, columns, 2));
    }
    text
}

/// Whether a report can have the form that this name asks for by its ending.
#[must_use]
pub fn can_be_named(path: &Path) -> bool {
    path.extension().is_some_and(|ending| FORMS.iter().any(|form| ending == *form))
}

/// The forms that a report has in a file.
const FORMS: [&str; 5] = ["svg", "html", "md", "json", "csv"];

impl Report {
    /// The report in the form that the name of a file asks for.
    ///
    /// # Errors
    /// It cannot be drawn.
    pub fn written(&self, path: &Path) -> Result<String> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => self.json(),
            Some("csv") => self.csv(),
            Some("svg") => Ok(self.svg()),
            Some("html") => Ok(self.html()),
            _ => Ok(self.markdown()),
        }
    }
}
