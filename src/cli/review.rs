//! `netplay review`: the causes of what went wrong, found in traces.

use std::borrow::Borrow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::Args as ClapArgs;
use netplay_text::say;
use netplay_text::words::{counted, grouped};
use serde_json::json;

use super::global::Global;
use crate::columns::hanging;
use crate::draw::read::{self, ReadError};
use crate::escape::escape_unicode;
use crate::lang::{Lang, Voice};
use crate::output::stdout;
use crate::review::{Finding, in_order, review};
use crate::terminal::columns_of_stderr;
use crate::trace::{Event, remark};

/// How many of the records that prove a cause are shown.
const SHOWN: usize = 8;

/// Name the causes of what went wrong in traces
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Make a trace of any programs, then have it reviewed; netplay watch alone ends with the same:\n\n    netplay watch --trace run.jsonl -- ./server 5858 :: python3 client.py 127.0.0.1 5858\n    netplay review run.jsonl\n\nA cause is named only where the records prove it: nothing found does not mean that a program is right."
)]
pub struct Args {
    /// Traces of one host, in any order; - for standard input
    #[arg(value_name = "TRACE", required = true)]
    traces: Vec<PathBuf>,
    /// Print the findings as a JSON object
    #[arg(long)]
    json: bool,
    /// Exit with status 3 if anything was found
    #[arg(long)]
    strict: bool,
}

/// Reviews the traces.
///
/// # Errors
/// A trace cannot be read, there is nothing in it, or standard output cannot be written.
pub(super) fn run(args: &Args, global: &Global) -> Result<u8> {
    let reading = read::read(&args.traces).map_err(|error| match error {
        ReadError::Nothing(remarks) => {
            let why: Vec<String> = remarks.iter().map(ToString::to_string).collect();
            let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
            anyhow!(say!(
                Lang::current(),
                "there is nothing to review: no record can be read{why}",
                "没有可检查的内容：读不到任何记录{why}",
            ))
        }
        error => error.into(),
    })?;
    for said in &reading.remarks {
        remark(format_args!("netplay: {said}"));
    }
    let mut records = reading.records;
    in_order(&mut records);
    let findings = review(&records);
    let mut out = stdout();
    match args.json {
        // A program that reads them reads the same words in every locale.
        true => writeln!(out, "{:#}", json!({ "findings": findings }))?,
        false => {
            let voice = global.voice(out.is_terminal());
            write!(out, "{}", told(&findings, &records, voice, global.plain()))?;
        }
    }
    Ok(if args.strict && !findings.is_empty() { 3 } else { 0 })
}

/// What there is to say of the records of programs that were watched, of which there were so many in all.
pub(super) fn of(records: &[Event], all: u64, global: &Global) -> String {
    let lang = Lang::current();
    if records.is_empty() {
        return String::new();
    }
    // What would be read from a trace is what is reviewed, so that both say the same.
    let mut records: Vec<Event> = records.iter().cloned().map(Event::read).collect();
    in_order(&mut records);
    let columns = if io::stderr().is_terminal() { columns_of_stderr() } else { None };
    let voice = Voice { lang, columns: columns.unwrap_or(usize::MAX) };
    let told = told(&review(&records), &records, voice, global.plain());
    let kept = records.len() as u64;
    if kept == all {
        return told;
    }
    let (kept, all) = (grouped(kept), counted(all, "record"));
    let first = say!(
        lang,
        "netplay: the review is of the first {kept} of {all}",
        "netplay: 检查的是 {all} 中的前 {kept} 条",
    );
    format!("{first}\n{told}")
}

/// The findings for people.
pub(super) fn told<E: Borrow<Event>>(
    findings: &[Finding],
    records: &[E],
    voice: Voice,
    ascii: bool,
) -> String {
    let Voice { lang, columns } = voice;
    if findings.is_empty() {
        let nothing = lang.pick(
            "review: no mistake is proven by these records. That is no proof that the programs are right.",
            "检查：这些记录没有证明任何错误。这并不证明程序是对的。",
        );
        return format!("{}\n", hanging(nothing, columns, 0));
    }
    let mut text = String::new();
    for (nth, finding) in findings.iter().enumerate() {
        let (rule, program, pid) = (finding.rule.name(), &finding.program, finding.pid);
        let head = say!(
            lang,
            "review: {rule}, in {program} (pid {pid})",
            "检查：{rule}，在 {program} 中 (pid {pid})",
        );
        let gap = if nth > 0 { "\n" } else { "" };
        let _ = writeln!(text, "{gap}{}", hanging(&head, columns, 2));
        let sentence = format!("  {}", finding.sentence(lang));
        let _ = writeln!(text, "{}", hanging(&sentence, columns, 2));
        let widest = finding.records.last().map_or(1, |number| number.to_string().len());
        for &number in finding.records.iter().take(SHOWN) {
            let line = format!("    {number:>widest$}  {}", line(records[number].borrow(), lang));
            let _ = writeln!(text, "{}", hanging(&line, columns, widest + 6));
        }
        if let Some(more @ 1..) = finding.records.len().checked_sub(SHOWN) {
            let more = say!(lang, "and {more} more records", "以及另外 {more} 条记录");
            let _ = writeln!(text, "    {:widest$}  {more}", "");
        }
        let command = finding.command();
        let learn = say!(lang, "  learn more: {command}", "  进一步学习：{command}");
        let _ = writeln!(text, "{}", hanging(&learn, columns, 4));
    }
    if ascii { escape_unicode(&text) } else { text }
}

/// A record as a line of the story: whose, the call, what became of it.
pub(super) fn line(record: &Event, lang: Lang) -> String {
    let (role, asked, sentence) = (&record.role, record.asked(lang), record.sentence(lang));
    match record.call {
        None => format!("{role}  {asked}"),
        Some(_) => {
            let asked = asked.trim_end();
            // An error names its address, which the words before it may have named.
            let at = sentence.split_once(": ").filter(|(at, _)| asked.ends_with(at));
            let said = at.map_or(&*sentence, |(_, rest)| rest);
            format!("{role}  {asked}{}{said}", lang.pick(": ", "："))
        }
    }
}
