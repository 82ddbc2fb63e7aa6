//! `netplay lab`: predict, run, compare, fix.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result, bail, ensure};
use clap::builder::PossibleValuesParser;
use netplay_text::say;

use super::draw::Picture;
use super::global::Global;
use crate::child;
use crate::client::{Interrupted, Usage};
use crate::columns::width;
use crate::draw::{Format, View};
use crate::failure::in_words;
use crate::files::{self, is_stdout, try_to_write};
use crate::lab::{Lab, Look, Outcome, Progress, Report, TABLE, ask};
use crate::lang::Lang;
use crate::output::stdout;
use crate::stop;
use crate::terminal;
use crate::trace::story::Clock;
use crate::trace::{self, Collection, Settings, Speaker, TraceFile, remark};

/// So many columns have the words on the picture of a lab.
const PAPER_COLUMNS: usize = 100;

/// Predict, run, compare, fix: what learners get wrong, on real sockets
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Try:
  netplay lab                        the labs, and which are done
  netplay lab framing                one of them
  netplay lab framing --no-ask       without the question
  netplay lab framing -o framing.html
                                     as a page for a class: question, answer, reason, fix

At a terminal a lab asks for your prediction, then shows a screen at each key. Elsewhere, and with --no-ask or \
--predict, it shows everything at once.

A lab ends with 3 if what it claims did not happen on this kernel, and with 4 if it cannot run here.")]
pub struct Args {
    /// Which one; without a name, they are listed
    #[arg(value_parser = PossibleValuesParser::new(TABLE.iter().map(|lab| lab.name)))]
    name: Option<String>,
    /// Do not ask for a prediction, and do not wait for a key
    #[arg(long, conflicts_with = "predict")]
    no_ask: bool,
    /// Predict the answer with this number, without being asked
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
        super::global::listen_to_the_record(global, Speaker { role, example: lab.name })?;
        return lab.play(play, &args.with);
    }
    if let Some(path) = &args.picture.output {
        let both = args.json && is_stdout(path);
        let why = "--json and -o - cannot both have standard output: give -o a file";
        ensure!(!both, Usage(why.to_owned()));
        try_to_write(path)?;
    }
    let report = Report { lab, text: lab.text(global.language()), look: look(global) };
    let choices = report.text.choices.len();
    if let Some(n) = args.predict.filter(|n| !(1..=choices).contains(n)) {
        bail!(Usage(format!("--predict {n}: this lab has the answers 1 to {choices}")));
    }
    let talkative = !global.quiet && !args.json;
    if talkative {
        write!(stdout(), "{}", report.question())?;
    }
    // A question needs a person at the terminal.
    let there = io::stdin().is_terminal() && io::stderr().is_terminal();
    let asks = there && talkative && !args.no_ask && args.predict.is_none();
    let predicted = match asks {
        true => ask(choices, report.look.lang)?,
        false => args.predict,
    };

    let collection = Collection::default();
    let raw = global.trace.as_deref().map(super::global::open_trace).transpose()?;
    listen(global, lab, &collection, raw.clone())?;
    stop::set_in_order(child::end_all).context(child::CannotStart::Thread)?;
    if asks {
        remark(
            report
                .look
                .lang
                .pick("the lab is running: this takes a few seconds", "实验正在运行：需要几秒"),
        );
    }
    let outcome = lab.try_out(&collection, raw)?;
    if args.json {
        stdout().write_all(report.json(&outcome, predicted)?.as_bytes())?;
    } else if global.quiet {
        stdout().write_all(report.result(&outcome, predicted).as_bytes())?;
    } else if asks && stdout().is_terminal() {
        converse(&report.screens(&outcome, predicted), report.look.lang)?;
    } else {
        stdout().write_all(report.answer(&outcome, predicted).as_bytes())?;
    }
    let unmet = outcome.unmet();
    draw(&args.picture, &report, &outcome, predicted, global)?;
    if let Some(unmet) = unmet {
        return Err(unmet.into());
    }
    let progress = Progress::note(lab.name).or_else(|error| {
        let error = in_words(error.as_ref(), global.spoken());
        remark(say!(
            global.spoken(),
            "netplay: cannot note that this lab is done: {error}",
            "netplay: 无法记下这个实验已经完成：{error}"
        ));
        Progress::read()
    });
    if talkative && let Ok(progress) = progress {
        let sum = progress.sum(&report.text.next, global.language());
        write!(stdout(), "{sum}\n{}", report.own())?;
    }
    Ok(())
}

/// One screen after the other, each at a key: a screen that is higher than the terminal, in parts.
fn converse(screens: &[(String, String)], lang: Lang) -> Result<()> {
    let room = terminal::rows().unwrap_or(24).saturating_sub(2).max(4);
    let (mut first, mut waits) = (true, true);
    for (heading, screen) in screens {
        let lines: Vec<&str> = screen.lines().collect();
        for (part, lines) in lines.chunks(room).enumerate() {
            let what = if part == 0 { heading } else { lang.pick("more", "继续") };
            if waits && !first {
                waits = wait_for_a_key(what, lang)?;
            }
            first = false;
            for line in lines {
                writeln!(stdout(), "{line}")?;
            }
            stdout().flush()?;
        }
    }
    Ok(())
}

/// Says what a key will show, waits for one, and takes the words away again. Whether it should wait again: `c` shows
/// all the rest.
fn wait_for_a_key(what: &str, lang: Lang) -> Result<bool> {
    let words =
        say!(lang, "[{what}: any key; c: all the rest]", "[{what}：任意键；c：显示其余全部]");
    eprint!("{words}");
    let pressed = terminal::key();
    match terminal::is_dumb() {
        true => eprintln!(),
        false => eprint!("\r{:1$}\r", "", width(&words)),
    }
    match pressed {
        Ok(key) => Ok(key != Some('c')),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(Interrupted.into()),
        Err(error) => Err(error).context("cannot read a key"),
    }
}

/// Draws the lab, if a picture was asked for: for people with its question, its answer and its fix.
fn draw(
    picture: &Picture,
    report: &Report<'_>,
    outcome: &Outcome,
    predicted: Option<usize>,
    global: &Global,
) -> Result<()> {
    let Some(path) = &picture.output else { return Ok(()) };
    let format = Format::of(path).unwrap_or(Format::Text);
    let look = Look { lang: report.look.lang, columns: PAPER_COLUMNS, ascii: false, color: false };
    let paper = Report { lab: report.lab, text: report.text.clone(), look };
    let title = format!("netplay lab {}", report.lab.name);
    let view = View { title, time: picture.time, ..global.look(false) };
    let drawn = paper.picture_of(outcome, predicted, format, &view);
    Ok(files::write_by(|to| to.write_all(&drawn), path)?)
}

/// All labs, a line each.
fn list(args: &Args, global: &Global) -> Result<()> {
    let progress = Progress::read().unwrap_or_else(|error| {
        let error = in_words(error.as_ref(), global.spoken());
        remark(say!(
            global.spoken(),
            "netplay: cannot see which labs are done: {error}",
            "netplay: 无法查看哪些实验已经完成：{error}"
        ));
        Progress::default()
    });
    let look = look(global);
    let text = match args.json {
        true => serde_json::to_string_pretty(&progress.facts(look.lang))? + "\n",
        false => {
            progress.list(&look)
                + &if global.quiet { String::new() } else { progress.next(look.lang) }
        }
    };
    Ok(stdout().write_all(text.as_bytes())?)
}

/// Keeps the records for the lab, and tells them if the user has asked for the story.
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
