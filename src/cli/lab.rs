//! `netplay lab`: predict, run, compare, fix.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, Result, bail};
use clap::builder::PossibleValuesParser;

use super::args::Global;
use super::draw::Picture;
use crate::child;
use crate::draw::{Format, View};
use crate::files::{is_stdout, try_to_write, write};
use crate::lab::{Lab, Look, Progress, Report, TABLE};
use crate::lang::Lang;
use crate::output::stdout;
use crate::stop;
use crate::trace::story::Clock;
use crate::trace::{self, Collection, Settings, Speaker, TraceFile, remark};

/// Predict, run, compare, fix: what learners get wrong, on real sockets
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Try:
  netplay lab                        the labs, and which are done
  netplay lab framing                one of them
  netplay lab framing --no-ask       without the question
  netplay lab framing -o framing.svg with its timeline as a picture

A lab ends with 3 if what it claims did not happen on this kernel, and with 4 if it cannot run here.")]
pub struct Args {
    /// Which one; without a name, they are listed
    #[arg(value_parser = PossibleValuesParser::new(TABLE.iter().map(|lab| lab.name)))]
    name: Option<String>,
    /// Do not ask for a prediction
    #[arg(long, conflicts_with = "predict")]
    no_ask: bool,
    /// Predict the answer with this number, and be asked nothing
    #[arg(long, value_name = "N", requires = "name")]
    predict: Option<usize>,
    /// Print what was measured as a JSON object
    #[arg(long)]
    json: bool,
    /// Forget which labs are done
    #[arg(long, conflicts_with = "name")]
    reset: bool,
    #[command(flatten)]
    picture: Picture,
    // What a lab starts its processes with.
    #[arg(long, hide = true)]
    play: Option<String>,
    #[arg(long, hide = true, default_value = "client", value_parser = ["server", "client"])]
    role: String,
    #[arg(long = "with", hide = true, allow_hyphen_values = true)]
    with: Vec<String>,
}

/// Runs it.
///
/// # Errors
/// What the lab returns; [`Unmet`](crate::lab::Unmet); a picture cannot be written.
pub(super) fn run(args: &Args, global: &Global) -> Result<()> {
    let Some(name) = &args.name else {
        return if args.reset { Progress::forget() } else { list(args, global) };
    };
    let lab = Lab::named(name).context("clap has checked it")?;
    if let Some(play) = &args.play {
        let role = if args.role == "server" { "server" } else { "client" };
        super::listen_to_the_record(global, Speaker { role, example: lab.name })?;
        return lab.play(play, &args.with);
    }
    if let Some(path) = &args.picture.output {
        if args.json && is_stdout(path) {
            let text = "--json and -o - cannot both have standard output: give -o a file\n";
            clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, text).exit();
        }
        try_to_write(path)?;
    }
    let predicted = args.predict.map(|n| foretold(n, lab.text(global.language()).choices.len()));
    let report = Report { lab, text: lab.text(global.language()), look: look(global) };
    let talkative = !global.quiet && !args.json;
    if talkative {
        write!(stdout(), "{}", report.question())?;
    }
    let predicted = match predicted {
        None => prediction(args, &report, talkative)?,
        told => told,
    };

    let collection = Collection::default();
    let raw = global.trace.as_deref().map(super::open_trace).transpose()?;
    listen(global, lab, &collection, raw.clone())?;
    stop::set_in_order(child::end_all).context(child::CannotStart("a thread"))?;
    let outcome = lab.try_out(&collection, raw)?;
    let shown = if args.json {
        report.json(&outcome, predicted)?
    } else if global.quiet {
        report.result(&outcome, predicted)
    } else {
        report.answer(&outcome, predicted)
    };
    stdout().write_all(shown.as_bytes())?;
    if let Some(path) = &args.picture.output {
        let format = Format::of(path).unwrap_or(Format::Text);
        let title = format!("netplay lab {}", lab.name);
        let view = View { title, time: args.picture.time, ..global.look(false) };
        write(&outcome.timeline.picture(format, &view), path)?;
    }
    if let Some(unmet) = outcome.unmet() {
        return Err(unmet.into());
    }
    let progress = Progress::note(lab.name).or_else(|error| {
        remark(format_args!("netplay: cannot note that this lab is done: {error:#}"));
        Progress::read()
    });
    if talkative && let Ok(progress) = progress {
        let done = TABLE.iter().filter(|lab| progress.is_done(lab.name)).count();
        let next = &report.text.next;
        let all = TABLE.len();
        match global.language() {
            Lang::En => writeln!(stdout(), "\n{done} of {all} labs done. Try next: {next}")?,
            Lang::Zh => writeln!(stdout(), "\n已完成 {done}/{all} 个实验。下一步：{next}")?,
        }
    }
    Ok(())
}

/// All labs, a line each.
fn list(args: &Args, global: &Global) -> Result<()> {
    let lang = global.language();
    let progress = Progress::read().unwrap_or_else(|error| {
        remark(format_args!("netplay: cannot see which labs are done: {error:#}"));
        Progress::default()
    });
    let mut out = stdout();
    if args.json {
        let labs: Vec<_> = TABLE
            .iter()
            .map(|lab| {
                let (title, done) = (lab.text(lang).title, progress.is_done(lab.name));
                serde_json::json!({ "lab": lab.name, "title": title, "done": done })
            })
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&labs)?)?;
        return Ok(());
    }
    let mark = if global.plain() { "x" } else { "✓" };
    for (i, lab) in TABLE.iter().enumerate() {
        let done = if progress.is_done(lab.name) { mark } else { " " };
        writeln!(out, "{done} {:>2}  {:<12} {}", i + 1, lab.name, lab.text(lang).title)?;
    }
    let next = TABLE.iter().find(|lab| !progress.is_done(lab.name)).unwrap_or(&TABLE[0]);
    if !global.quiet {
        let try_next = lang.pick("try next: ", "下一步：");
        writeln!(out, "\n{try_next}netplay lab {}", next.name)?;
    }
    Ok(())
}

/// The prediction of `--predict`, which must be one of the answers that the lab has.
fn foretold(n: usize, answers: usize) -> usize {
    if !(1..=answers).contains(&n) {
        let text = format!("--predict {n}: this lab has the answers 1 to {answers}\n");
        clap::Error::raw(clap::error::ErrorKind::ValueValidation, text).exit();
    }
    n
}

/// Asks for a prediction, where somebody is there to ask.
fn prediction(args: &Args, report: &Report<'_>, talkative: bool) -> Result<Option<usize>> {
    let choices = report.text.choices.len();
    let there = io::stdin().is_terminal() && io::stderr().is_terminal();
    if args.no_ask || !talkative || !there {
        return Ok(None);
    }
    let lang = report.look.lang;
    eprintln!();
    loop {
        eprint!("{} (1-{choices}) ", lang.pick("your prediction?", "你的预测？"));
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            // Ctrl-D leaves the cursor behind the question.
            eprintln!();
            bail!("no prediction was given: --no-ask goes on without one");
        }
        match line.trim().parse() {
            Ok(n) if (1..=choices).contains(&n) => return Ok(Some(n)),
            _ if line.trim().is_empty() => return Ok(None),
            _ => match lang {
                Lang::En => eprintln!("type a number from 1 to {choices}, or Enter for none"),
                Lang::Zh => eprintln!("请输入 1 到 {choices} 的数字，不预测就直接按 Enter"),
            },
        }
    }
}

/// Keeps the records for the lab, and tells them to whoever has asked.
fn listen(
    global: &Global,
    lab: &Lab,
    collection: &Collection,
    raw: Option<TraceFile>,
) -> Result<()> {
    let story = global.story(Clock::Since(crate::call::monotonic()), io::stderr().is_terminal());
    trace::install(Settings {
        speaker: Speaker { role: "server", example: lab.name },
        story: story.filter(|_| global.verbose > 0),
        file: raw,
        collection: Some(collection.clone()),
    })
    .context("the record has a listener already")
}

fn look(global: &Global) -> Look {
    let terminal = io::stdout().is_terminal();
    let view = global.look(terminal);
    let View { columns, ascii, color, .. } = view;
    Look { lang: global.language(), columns, ascii, color }
}
