//! `netplay bench --load-only` and `netplay bench merge`: one load from many machines.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args as ClapArgs;

use super::global::Global;
use crate::bench::alone::{self, Alone};
use crate::bench::merge::{self, Merged, Source};
use crate::bench::part::{LARGEST, Part};
use crate::bench::plan::{Kind, Model, Plan};
use crate::bench::verdict::judge_part;
use crate::client::{Interrupted, Usage};
use crate::escape::file_name;
use crate::files::{try_to_write, whole, write};
use crate::lang::Lang;
use crate::output::stdout;
use crate::stop::Stop;
use crate::trace::remark;
use netplay_text::say;

/// Put the results of bench --load-only on several machines together
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "    netplay bench merge parts/*\n\nThe percentiles are those of all requests, from the sum of the histograms; the rates are of the time in which all parts put on their load. Parts of different requests (size, transport, --per-request, --expect, --rate or none), parts without a time in common, and the same part twice are refused."
)]
pub struct Args {
    /// Parts, as bench --load-only -o FILE.json has written them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Also write the sum to FILE.json, with its histogram
    #[arg(short, long, value_name = "FILE.json", value_parser = json_file)]
    output: Option<PathBuf>,
    /// Print the sum as JSON, not as a table
    #[arg(long)]
    json: bool,
}

fn json_file(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(name);
    match is_json(&path) {
        true => Ok(path),
        false => Err("a sum of parts is written as .json".to_owned()),
    }
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "json")
}

/// Puts on the load, prints what it saw, and writes it.
///
/// # Errors
/// [`Interrupted`], after a part that is not whole; nothing answered; the file cannot be written.
pub(super) fn put_on(
    alone: &Alone,
    stop: &Stop,
    output: Option<&Path>,
    json: bool,
    global: &Global,
) -> Result<()> {
    if output.is_some_and(|path| !is_json(path)) {
        return Err(Usage("--load-only writes its part as .json".to_owned()).into());
    }
    let kind = Kind::Target(alone.address);
    let plan = Plan {
        models: vec![Model { name: alone.target.clone(), kind }],
        loads: vec![alone.load],
        manner: alone.manner.clone(),
    };
    // A moment that has passed is a matter of what was typed.
    alone
        .start_at
        .map_or(Ok(()), |moment| moment.ahead().map(drop))
        .map_err(|error| Usage(error.to_string()))?;
    plan.makes_sense().map_err(|error| Usage(error.to_string()))?;
    plan.check()?;
    let tell = |sentence: String| {
        if !global.quiet {
            remark(sentence);
        }
    };
    let part = alone::run(alone, stop, &tell)?.ok_or(Interrupted)?;
    let text = part.json()?;
    if json {
        stdout().write_all(text.as_bytes())?;
    } else {
        let file = output.map_or(part.host.clone(), file_name);
        let source = Source { file, times: part.times()?, part: part.clone() };
        let table = as_text(&merge::merge(&[source])?, global);
        stdout().write_all(table.as_bytes())?;
    }
    if let Some(path) = output {
        write(&text, path)?;
    }
    if part.partial {
        return Err(Interrupted.into());
    }
    judge_part(&part)?;
    if !global.quiet {
        let head = global.spoken().pick("try next: ", "接下来试试：");
        let next = "netplay bench merge PART.json...";
        remark(format_args!("{head}{next}"));
    }
    Ok(())
}

/// Puts parts together, prints the sum, and writes it.
///
/// # Errors
/// A part cannot be read, or cannot belong to the same run as another one; the file cannot be written.
pub(super) fn merge(args: &Args, global: &Global) -> Result<()> {
    args.output.as_deref().map_or(Ok(()), try_to_write)?;
    let sources: Vec<Source> = args.files.iter().map(|path| read(path)).collect::<Result<_>>()?;
    let merged = merge::merge(&sources)?;
    let json = merged.json()?;
    let text = if args.json { json.clone() } else { as_text(&merged, global) };
    stdout().write_all(text.as_bytes())?;
    match &args.output {
        Some(path) => Ok(write(&json, path)?),
        None => Ok(()),
    }
}

fn as_text(merged: &Merged, global: &Global) -> String {
    let columns = global.voice(stdout().is_terminal()).columns;
    merged.text(global.plain(), columns)
}

fn read(path: &Path) -> Result<Source> {
    let file = file_name(path);
    let text = whole(path, LARGEST)
        .with_context(|| say!(Lang::current(), "cannot read {file}", "无法读取 {file}"))?;
    let (part, times) =
        Part::read(&String::from_utf8_lossy(&text)).with_context(|| file.clone())?;
    Ok(Source { file, part, times })
}
