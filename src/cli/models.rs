//! `netplay models`: the five models of I/O, measured and drawn.

use std::io::{self, IsTerminal, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::builder::PossibleValuesParser;

use super::args::Global;
use super::{Speaker, listen_to_the_record};
use crate::child;
use crate::escape::file_name;
use crate::examples::models::{MODELS, Model, ROW};
use crate::examples::next;
use crate::files;
use crate::models::{self, Experiment, Format};
use crate::output::stdout;
use crate::stop;
use crate::trace::remark;

const TRY: &str = "\
Try:
  netplay models                     the figure, here
  netplay models -o models.svg       as a picture; .html, .md, .json and .txt do as well
  netplay models --tcp --delay 200ms a segment over a connection, and a longer wait
  netplay models -v                  each call of each model";

/// The arguments of `netplay models`.
#[derive(Debug, clap::Args)]
#[command(about = "Receive one message by each of the five models of I/O, and see what it costs")]
#[command(after_help = TRY)]
pub struct Args {
    /// How long the message lets them wait: 50ms, 0.05s, or a number of milliseconds
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = delay)]
    delay: Duration,

    /// Send one segment over a TCP connection, not one datagram
    #[arg(long)]
    tcp: bool,

    /// How often each model has its turn [default: 5; 1 with -v or --trace]
    #[arg(long, value_name = "N", value_parser = rounds)]
    rounds: Option<usize>,

    /// Print the figures as a JSON object: of the middle round, of every round, and their spread
    #[arg(long)]
    json: bool,

    /// Write the figure to FILE, in the form that its name ends in; - is standard output
    #[arg(short, long, value_name = "FILE.svg|html|md|json|txt", value_parser = figure_file)]
    output: Option<PathBuf>,

    #[command(subcommand)]
    side: Option<Side>,
}

// What the sender starts for each model. (No doc comment: it has no help page.)
#[derive(Debug, clap::Subcommand)]
enum Side {
    #[command(hide = true)]
    Receive {
        #[arg(value_parser = PossibleValuesParser::new(MODELS.iter().map(|model| model.name)))]
        model: String,
        #[arg(long)]
        tcp: bool,
    },
}

fn rounds(text: &str) -> Result<usize> {
    match text.parse() {
        Ok(n @ 1..=MOST_ROUNDS) => Ok(n),
        _ => bail!("it is 1 to {MOST_ROUNDS}"),
    }
}

/// How often each model has its turn, unless told otherwise; and at most.
const ROUNDS: usize = 5;
const MOST_ROUNDS: usize = 1000;

fn delay(text: &str) -> Result<Duration> {
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1e-3),
        (None, Some(number)) => (number, 1.0),
        (None, None) => (text, 1e-3),
    };
    match number.trim().parse::<f64>().map(|number| number * unit) {
        Ok(seconds) if (0.001..=10.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => bail!("a delay is between 1ms and 10s, such as 50ms or 0.05s"),
    }
}

/// Runs it.
///
/// # Errors
/// No message could be sent, no model can run here, or the figure cannot be written.
pub(super) fn run(args: Args, global: &Global) -> Result<()> {
    if let Some(Side::Receive { model, tcp }) = args.side {
        let model =
            MODELS.iter().find(|known| known.name == model).context("clap has checked it")?;
        listen_to_the_record(global, Speaker { role: "server", example: "models" })?;
        return models::receive(model, tcp);
    }
    let (format, file) = form(&args, global);
    file.as_deref().map_or(Ok(()), files::try_to_write)?;
    // The figures are the result, and the calls behind them only for who asks.
    let story = Global { quiet: global.verbose == 0, trace: global.trace.clone(), ..*global };
    listen_to_the_record(&story, Speaker { role: "client", example: "models" })?;
    let options = receivers_options(&story);
    let experiment = Experiment { delay: args.delay, tcp: args.tcp, options };
    let watched = io::stderr().is_terminal() || global.verbose > 0;
    let told = global.verbose > 0 || global.trace.is_some();
    let rounds = args.rounds.unwrap_or(if told { 1 } else { ROUNDS });
    let progress = |round: usize, model: &Model| {
        if watched && !global.quiet {
            match rounds {
                1 => remark(format_args!("-- {} ({})", model.name, model.kind)),
                _ if global.verbose > 0 => {
                    remark(format_args!("-- round {round}: {} ({})", model.name, model.kind));
                }
                _ if model.name == MODELS[0].name => {
                    remark(format_args!("-- round {round} of {rounds}"));
                }
                _ => {}
            }
        }
    };
    stop::set_in_order(child::end_all).context(child::CannotStart("a thread"))?;
    let outcomes = models::rounds(&experiment, rounds, progress).or_else(|error| {
        // strace would see these calls, and no record tells them: so it is asked only after a failure.
        child::reach_loopback(Ipv4Addr::LOCALHOST.into())?;
        Err(error)
    })?;
    let report = models::write(&experiment, &outcomes, format);
    match &file {
        Some(path) => files::write(&report, path)?,
        None => stdout().write_all(report.as_bytes())?,
    }
    if !outcomes.iter().any(|outcome| outcome.phases.is_ok()) {
        bail!("no model can run here");
    }
    if global.quiet {
        return Ok(());
    }
    match file {
        None if format == Format::Json => {}
        None => writeln!(stdout(), "\ntry next: {}", next(ROW.name()))?,
        Some(path) => {
            remark(format_args!("the figure is in {}", file_name(&path)));
            remark("try next: netplay models -v");
        }
    }
    Ok(())
}

/// The form of the report, and the file for it; without one it goes to standard output.
fn form(args: &Args, global: &Global) -> (Format, Option<PathBuf>) {
    let color = global.color.use_on(io::stdout().is_terminal());
    let here = Format::Text { ascii: global.plain(), color };
    let file = args.output.clone().filter(|path| path.as_os_str() != "-");
    let format = match &file {
        _ if args.json => Format::Json,
        None => here,
        Some(path) => Format::of(path).unwrap_or(here),
    };
    (format, file)
}

/// A name that says what form the figure has.
fn figure_file(name: &str) -> Result<PathBuf> {
    let path = PathBuf::from(name);
    if Format::of(&path).is_none() && name != "-" {
        bail!("the form of the figure is what the name ends in: .svg, .html, .md, .json or .txt");
    }
    Ok(path)
}

/// The receivers tell their calls as this process does.
fn receivers_options(global: &Global) -> Vec<String> {
    let mut options = Vec::new();
    let mut add = |words: &[&str]| options.extend(words.iter().map(|&word| word.to_owned()));
    match global.verbose {
        0 => add(&["-q"]),
        n => (0..n).for_each(|_| add(&["-v"])),
    }
    if global.color.use_on(io::stderr().is_terminal()) {
        add(&["--color", "always"]);
    }
    if global.plain() {
        add(&["--ascii"]);
    }
    if let Some(path) = &global.trace {
        add(&["--trace", &path.display().to_string()]);
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_has_a_unit_or_is_in_milliseconds() {
        for text in ["50ms", "0.05s", "50", "50 ms", "0.050s"] {
            assert_eq!(delay(text).unwrap(), Duration::from_millis(50), "{text}");
        }
        for text in ["", "0", "-1", "0.5ms", "11s", "ms", "soon", "NaN", "inf", "50us"] {
            assert!(delay(text).is_err(), "{text}");
        }
    }
}
