//! `netplay draw`: the traces of several processes as one picture.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args as ClapArgs;
use clap::builder::{PossibleValuesParser, StringValueParser, TypedValueParser};
use netplay_text::say;

use super::global::Global;
use crate::client::Usage;
use crate::draw::{Format, Time, Timeline, View, read};
use crate::escape::{file_name, shell_word};
use crate::examples::value::Offer;
use crate::files::{is_same, is_stdout, try_to_write, write_by};
use crate::lang::Lang;
use crate::output::stdout;
use crate::trace::remark;

/// Draw traces as one timeline of both ends
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Make traces with --trace, in both terminals:\n\n    netplay tcp-server --trace server.jsonl\n    netplay tcp-client --trace client.jsonl\n    netplay draw server.jsonl client.jsonl -o both.svg\n\nWith --observe a trace also has the states of TCP. The two terminals may be of two machines."
)]
pub struct Args {
    /// Traces of one host, in any order, or of two: then the traffic between them says how far their clocks are apart; - for standard input
    #[arg(value_name = "TRACE", required = true)]
    traces: Vec<PathBuf>,
    /// Write the picture to FILE, which says by its name what it is: .svg .html .md .json .txt, .pcapng for Wireshark, .pftrace for Perfetto; - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-", value_parser = picture_file)]
    output: PathBuf,
    /// What to write to standard output
    #[arg(long, default_value = "txt", value_parser = suffix())]
    format: Format,
    /// How heights tell time: even, with every row as high as the next, or true, to scale
    #[arg(long, value_name = "even|true", default_value = "even", value_parser = time(), hide_possible_values = true)]
    time: Time,
    /// Draw each process and call of watched programs, not only those that take part in the conversation
    #[arg(long)]
    all: bool,
    /// Of two hosts: leave all times as each clock had them
    #[arg(long)]
    raw: bool,
}

/// The picture of a demo.
#[derive(Debug, Default, ClapArgs)]
pub struct Picture {
    /// Also draw both sides into FILE: .svg .html .md .json .txt, .pcapng for Wireshark, .pftrace for Perfetto
    #[arg(short, long, value_name = "FILE", value_parser = picture_file)]
    pub output: Option<PathBuf>,
    /// How heights tell time in the picture: even, with every row as high as the next, or true, to scale
    #[arg(long, value_name = "even|true", default_value = "even", requires = "output", value_parser = time(), hide_possible_values = true)]
    pub time: Time,
}

impl Args {
    /// The kind of picture.
    fn format(&self) -> Format {
        Format::of(&self.output).unwrap_or(self.format)
    }
}

impl Picture {
    /// Writes the picture of these records, if one was asked for; `all` of them, or what takes part in the conversation.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(
        &self,
        title: String,
        timeline: Timeline,
        all: bool,
        global: &Global,
    ) -> Result<()> {
        let Some(path) = &self.output else { return Ok(()) };
        let view = View { title, time: self.time, ..global.look(false) };
        let format = Format::of(path).unwrap_or(Format::Text);
        let timeline = told(timeline, format, all, &view);
        Ok(write_by(|to| timeline.draw(format, &view, to), path)?)
    }
}

/// The timeline in the language of the view, without what a picture leaves out. What is for programs has everything, and JSON
/// one language.
fn told(timeline: Timeline, format: Format, all: bool, view: &View) -> Timeline {
    match format {
        Format::Json => timeline,
        Format::Pcapng | Format::Pftrace => timeline.told_in(view.lang),
        Format::Text | Format::Svg | Format::Html | Format::Markdown if all => {
            timeline.told_in(view.lang)
        }
        Format::Text | Format::Svg | Format::Html | Format::Markdown => {
            timeline.folded().told_in(view.lang)
        }
    }
}

/// Reads the traces and writes the picture.
///
/// # Errors
/// There is nothing to draw, a trace cannot be read, or the picture cannot be written.
pub(super) fn run(args: &Args, global: &Global) -> Result<()> {
    if !args.format().is_text() && is_stdout(&args.output) && stdout().is_terminal() {
        bail!(Usage("a terminal cannot show this format: give -o a file, or a pipe".to_owned()));
    }
    try_to_write(&args.output)?;
    let same = |trace: &&PathBuf| is_same(trace, &args.output);
    if let Some(trace) = args.traces.iter().find(same) {
        let name = file_name(trace);
        bail!(say!(
            Lang::current(),
            "cannot write {name}: it is one of the traces to draw",
            "无法写入 {name}：它是要画的跟踪文件之一",
        ));
    }
    let reading = read::read_for(args.format(), &args.traces)?;
    for said in &reading.remarks {
        remark(format_args!("netplay: {said}"));
    }
    let names: Vec<String> = args.traces.iter().map(|trace| file_name(trace)).collect();
    let view =
        View { title: names.join(" + "), time: args.time, ..global.look(stdout().is_terminal()) };
    let timeline = match reading.boots.len() {
        2.. if !args.raw => {
            let timeline = Timeline::of_hosts(reading.records).map_err(|error| anyhow!(error))?;
            if let (Some(clock), false) = (&timeline.clock, global.quiet) {
                remark(format_args!("netplay: {}", clock.told(Lang::current())));
            }
            timeline
        }
        _ => Timeline::new(reading.records, &HashMap::new()),
    };
    let timeline = told(timeline, args.format(), args.all, &view);
    let drawn = write_by(|to| timeline.draw(args.format(), &view, to), &args.output);
    // The process is about to end, which frees all memory at once. Freeing it piece by piece would take time.
    std::mem::forget(timeline);
    drawn?;
    if !global.quiet && !matches!(args.format(), Format::Html) {
        remark(next(args, Lang::current()));
    }
    Ok(())
}

/// What to try next: the program that the file is for, or a page.
fn next(args: &Args, lang: Lang) -> String {
    let file = shell_word(&args.output);
    match args.format() {
        Format::Pcapng => say!(
            lang,
            "try next: wireshark {file}    or    tshark -r {file} -V",
            "接下来试试：wireshark {file}    或者    tshark -r {file} -V",
        ),
        Format::Pftrace => say!(
            lang,
            "try next: open {file} at https://ui.perfetto.dev",
            "接下来试试：在 https://ui.perfetto.dev 打开 {file}",
        ),
        _ => say!(
            lang,
            "try next: the same with -o timeline.html, a page to step through",
            "接下来试试：同样的命令加上 -o timeline.html，得到一个可以逐步看的页面",
        ),
    }
}

fn suffix() -> impl TypedValueParser<Value = Format> {
    let suffixes =
        PossibleValuesParser::new(["txt", "svg", "html", "md", "json", "pcapng", "pftrace"]);
    suffixes
        .try_map(|suffix| Format::of(&Path::new("-").with_extension(suffix)).context("no format"))
}

fn time() -> Offer<impl TypedValueParser<Value = Time>> {
    Offer::new(StringValueParser::new().try_map(|word| word.parse()), || vec!["even", "true"])
}

/// A name that says what kind of picture it is.
fn picture_file(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(name);
    match Format::of(&path) {
        None if !is_stdout(&path) => {
            Err("a picture's name ends in .svg, .html, .md, .json, .txt, .pcapng or .pftrace"
                .to_owned())
        }
        _ => Ok(path),
    }
}
