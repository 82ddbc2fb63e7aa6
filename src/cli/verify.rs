//! `netplay verify`: everything that can be recomputed about what was handed in.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args as ClapArgs;
use clap::builder::NonEmptyStringValueParser;
use netplay_text::say;
use netplay_text::words::{counted, duration, grouped};
use serde_json::{Value, json};

use super::global::Global;
use crate::columns::hanging;
use crate::escape::{escape_unicode, escape_unsafe, file_name};
use crate::files::whole;
use crate::lang::{Lang, Voice};
use crate::output::stdout;
use crate::pack::{Damage, MOST_PACKED, Place, Same, UNPROVEN, Verified, same, verify};

/// Recompute everything about packs that were handed in
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "    netplay verify --token \"lab 3, group 5\" group5.netplay\n    netplay verify */run.netplay\n\nThe manifest, each record, the life of each descriptor, the bytes at both ends of each connection, the states of the sockets, the page and the review: all of it is computed once more, and what contradicts itself is named. Of several packs, those of one run are named. Exit status: 0 if all verify, 3 if one does not."
)]
pub struct Args {
    /// Packs, as netplay pack has written them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The text that each pack must have as its token
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    token: Option<String>,
    /// Print the results as a JSON object
    #[arg(long)]
    json: bool,
}

/// So many contradictions of one file are shown.
const SHOWN: usize = 12;

/// Why nothing of a file can be recomputed.
enum Bad {
    /// It cannot be read: why.
    Unread(String),
    /// It is no pack, or a damaged one.
    Damaged(Damage),
}

impl Bad {
    fn in_words(&self, lang: Lang) -> String {
        match self {
            Bad::Unread(why) => say!(lang, "cannot be read: {why}", "无法读取：{why}"),
            Bad::Damaged(damage) => damage.to_string(),
        }
    }
}

/// Verifies the packs.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn run(args: &Args, global: &Global) -> Result<u8> {
    let mut results: Vec<(&Path, Result<Verified, Bad>)> = Vec::new();
    for path in &args.files {
        let result = match whole(path, MOST_PACKED as usize) {
            Ok(bytes) => verify(&bytes).map_err(Bad::Damaged),
            // The others are still of interest.
            Err(error) => Err(Bad::Unread(format!("{:#}", anyhow::Error::from(error)))),
        };
        results.push((path, result));
    }
    let prints: Vec<_> = results
        .iter()
        .enumerate()
        .filter_map(|(nth, (_, result))| Some((nth, &result.as_ref().ok()?.prints)))
        .collect();
    let alike = same(&prints.iter().map(|(_, prints)| *prints).collect::<Vec<_>>());
    let alike: Vec<Same> = alike
        .into_iter()
        .map(|same| Same { one: prints[same.one].0, other: prints[same.other].0, ..same })
        .collect();
    let wants = args.token.as_deref();
    let verifies = |result: &Result<Verified, Bad>| {
        result.as_ref().is_ok_and(|pack| pack.faults.is_empty() && has_token(pack, wants))
    };
    let all = results.iter().all(|(_, result)| verifies(result));
    let mut out = stdout();
    if args.json {
        writeln!(out, "{:#}", as_json(&results, wants, &alike, &verifies))?;
    } else {
        let voice = global.voice(out.is_terminal());
        let text = told(&results, wants, &alike, voice);
        let text = if global.plain() { escape_unicode(&text) } else { text };
        write!(out, "{text}")?;
    }
    Ok(if all { 0 } else { 3 })
}

fn has_token(pack: &Verified, wants: Option<&str>) -> bool {
    wants.is_none() || pack.about.token.as_deref() == wants
}

fn as_json(
    results: &[(&Path, Result<Verified, Bad>)],
    wants: Option<&str>,
    alike: &[Same],
    verifies: &dyn Fn(&Result<Verified, Bad>) -> bool,
) -> Value {
    let files: Vec<Value> = results
        .iter()
        .map(|(path, result)| {
            let mut value = json!({ "file": file_name(path), "verified": verifies(result) });
            let more = match result {
                Err(Bad::Unread(why)) => json!({ "unread": why }),
                Err(Bad::Damaged(damage)) => json!({ "damage": damage.to_string() }),
                Ok(pack) => json!({
                    "about": pack.about,
                    "records": pack.records,
                    "began": pack.began,
                    "span_ns": pack.span_ns,
                    "token_matches": has_token(pack, wants),
                    "connections": {
                        "both_ends": pack.compared.connections,
                        "one_end": pack.compared.one_sided,
                        "bytes": pack.compared.bytes,
                        "compared": pack.compared.kept,
                    },
                    "datagrams": { "compared": pack.compared.datagrams },
                    "faults": pack.faults,
                }),
            };
            if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
                value.extend(more);
            }
            value
        })
        .collect();
    let runs: Vec<Value> = alike
        .iter()
        .map(|same| json!({ "files": [same.one, same.other], "share": same.share, "same_run": same.is_whole() }))
        .collect();
    let unproven: Vec<Value> =
        UNPROVEN.iter().map(|(name, en, _)| json!({ "name": name, "sentence": en })).collect();
    json!({ "files": files, "alike": runs, "unproven": unproven })
}

/// The results for people.
fn told(
    results: &[(&Path, Result<Verified, Bad>)],
    wants: Option<&str>,
    alike: &[Same],
    Voice { lang, columns }: Voice,
) -> String {
    let mut text = String::new();
    let mut line = |words: &str, indent: usize| {
        let words = format!("{:indent$}{words}", "");
        text.push_str(&hanging(&words, columns, indent + 2));
        text.push('\n');
    };
    let name = |nth: usize| file_name(results[nth].0);
    for (path, result) in results {
        let file = file_name(path);
        let pack = match result {
            Ok(pack) => pack,
            Err(bad) => {
                let why = bad.in_words(lang);
                line(&say!(lang, "{file}: does not verify: {why}", "{file}：未通过验证：{why}"), 0);
                continue;
            }
        };
        match pack.faults.is_empty() && has_token(pack, wants) {
            true => line(&say!(lang, "{file}: verifies", "{file}：通过验证"), 0),
            false => line(&say!(lang, "{file}: does not verify", "{file}：未通过验证"), 0),
        }
        let token = pack.about.token.as_deref().map(escape_unsafe);
        let token = token.unwrap_or_else(|| lang.pick("none", "无").to_owned());
        let asked_for = match has_token(pack, wants) {
            true => String::new(),
            false => say!(lang, ", not the one that was asked for", "，不是所要求的那个"),
        };
        line(&say!(lang, "token: {token}{asked_for}", "口令 (token)：{token}{asked_for}"), 2);
        for fault in pack.faults.iter().take(SHOWN) {
            let places: Vec<String> = fault.at.iter().map(Place::to_string).collect();
            let places =
                if places.is_empty() { String::new() } else { format!(" ({})", places.join(", ")) };
            line(&format!("{}: {}{places}", fault.rule.name(), fault.sentence(lang)), 2);
        }
        if let Some(more @ 1..) = pack.faults.len().checked_sub(SHOWN) {
            line(
                &say!(
                    lang,
                    "and {more} more: --json has all of them",
                    "还有 {more} 处：--json 列出全部"
                ),
                2,
            );
        }
        let (began, span) = (escape_unsafe(&pack.began), duration(pack.span_ns));
        let (records, n) = (counted(pack.records as u64, "record"), grouped(pack.records as u64));
        line(
            &say!(
                lang,
                "run of {began}, {span}, {records}",
                "运行于 {began}，历时 {span}，{n} 条记录",
            ),
            2,
        );
        for program in &pack.about.programs {
            let role = escape_unsafe(&program.role);
            let command = escape_unsafe(&program.command.join(" "));
            let pid = program.pid;
            let command = if command.is_empty() { String::new() } else { format!(": {command}") };
            line(&format!("{role} (pid {pid}){command}"), 2);
        }
        let of = &pack.compared;
        let (both, one) = (grouped(of.connections as u64), grouped(of.one_sided as u64));
        let (kept, bytes) = (grouped(of.kept), grouped(of.bytes));
        line(
            &say!(
                lang,
                "connections with both ends recorded: {both}, with one end: {one}; bytes received: {bytes}, of which {kept} were compared",
                "两端都有记录的连接：{both} 个，只有一端的：{one} 个；收到 {bytes} 字节，其中比较了 {kept} 字节",
            ),
            2,
        );
        if of.datagrams > 0 {
            let n = grouped(of.datagrams as u64);
            line(
                &say!(
                    lang,
                    "datagrams compared with what was sent: {n}",
                    "与发送内容比较过的数据报：{n} 个"
                ),
                2,
            );
        }
    }
    for same in alike {
        let (one, other, share) = (name(same.one), name(same.other), (same.share * 100.0).floor());
        match same.is_whole() {
            true => line(
                &say!(
                    lang,
                    "{one} and {other} are the same run: {share} % of their calls took the same time to the nanosecond",
                    "{one} 与 {other} 是同一次运行：{share}% 的调用耗时完全相同，精确到纳秒",
                ),
                0,
            ),
            false => line(
                &say!(
                    lang,
                    "{one} and {other} share a part of a run: {share} % of the calls of the shorter one",
                    "{one} 与 {other} 有一部分来自同一次运行：占较短者调用的 {share}%",
                ),
                0,
            ),
        }
    }
    line(lang.pick("No file can prove:", "任何文件都无法证明："), 0);
    for (_, en, zh) in UNPROVEN {
        line(&format!("- {}", lang.pick(en, zh)), 2);
    }
    text
}
