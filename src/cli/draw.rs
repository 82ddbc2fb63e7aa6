//! `netplay draw`: the traces of several processes as one picture.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::builder::{StringValueParser, TypedValueParser};
use clap::{Args as ClapArgs, ValueEnum};

use super::args::{Global, Offer};
use crate::draw::{Format, Time, Timeline, View, read};
use crate::escape::file_name;
use crate::files::{is_stdout, try_to_write, write};
use crate::output::stdout;
use crate::trace::remark;

/// Draw traces as one timeline of both ends
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Make traces with --trace, in both terminals:\n\n    netplay tcp-server --trace server.jsonl\n    netplay tcp-client --trace client.jsonl\n    netplay draw server.jsonl client.jsonl -o both.svg\n\nWith --observe a trace also has the states of TCP."
)]
pub struct Args {
    /// Traces of one host, in any order; - for standard input
    #[arg(value_name = "TRACE", required = true)]
    traces: Vec<PathBuf>,
    /// Write the picture to FILE, which says by its name what it is: .svg .html .md .json .txt; - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-", value_parser = picture_file)]
    output: PathBuf,
    /// What to write to standard output
    #[arg(long, value_enum, default_value = "txt")]
    format: Suffix,
    /// How heights tell time: even, with every row as high as the next, or true, to scale
    #[arg(long, value_name = "even|true", default_value = "even", value_parser = time(), hide_possible_values = true)]
    time: Time,
}

/// The picture of a demo.
#[derive(Debug, Default, ClapArgs)]
pub struct Picture {
    /// Also draw both sides into FILE: .svg .html .md .json .txt
    #[arg(short, long, value_name = "FILE", value_parser = picture_file)]
    pub output: Option<PathBuf>,
    /// How heights tell time in the picture: even, with every row as high as the next, or true, to scale
    #[arg(long, value_name = "even|true", default_value = "even", requires = "output", value_parser = time(), hide_possible_values = true)]
    pub time: Time,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Suffix {
    Txt,
    Svg,
    Html,
    Md,
    Json,
}

impl From<Suffix> for Format {
    fn from(suffix: Suffix) -> Format {
        match suffix {
            Suffix::Txt => Format::Text,
            Suffix::Svg => Format::Svg,
            Suffix::Html => Format::Html,
            Suffix::Md => Format::Markdown,
            Suffix::Json => Format::Json,
        }
    }
}

impl Args {
    /// The kind of picture.
    fn format(&self) -> Format {
        Format::of(&self.output).unwrap_or(self.format.into())
    }
}

/// Reads the traces and writes the picture.
///
/// # Errors
/// There is nothing to draw, a trace cannot be read, or the picture cannot be written.
pub(super) fn run(args: &Args, global: &Global) -> Result<()> {
    try_to_write(&args.output)?;
    let same = |trace: &&PathBuf| same_file(trace, &args.output);
    if let Some(trace) = args.traces.iter().find(same) {
        anyhow::bail!("cannot write {}: it is a trace that is to be drawn", file_name(trace));
    }
    let reading = read::read(&args.traces)?;
    for said in &reading.remarks {
        remark(format_args!("netplay: {said}"));
    }
    let names: Vec<String> = args.traces.iter().map(|trace| file_name(trace)).collect();
    let view =
        View { title: names.join(" + "), time: args.time, ..global.look(stdout().is_terminal()) };
    let picture = Timeline::new(reading.records, &HashMap::new()).picture(args.format(), &view);
    write(&picture, &args.output)?;
    if !global.quiet && args.format() != Format::Html {
        remark("try next: the same with -o timeline.html, a page to step through");
    }
    Ok(())
}

fn time() -> Offer<impl TypedValueParser<Value = Time>> {
    Offer::new(StringValueParser::new().try_map(|word| word.parse()), || vec!["even", "true"])
}

/// A name that says what kind of picture it is.
fn picture_file(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(name);
    match Format::of(&path) {
        None if !is_stdout(&path) => {
            Err("a picture's name ends in .svg, .html, .md, .json or .txt".to_owned())
        }
        _ => Ok(path),
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    !is_stdout(one) && !is_stdout(other) && id(one).is_some_and(|one| id(other) == Some(one))
}
