//! `netplay models`: the five models of I/O, measured and drawn.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::builder::PossibleValuesParser;

use super::figure::kind;
use super::report::{Format, write};
use super::send::{self, Experiment};
use crate::child;
use crate::escape::file_name;
use crate::examples::models::{MODELS, Model, ROW};
use crate::examples::next;
use crate::examples::value::within;
use crate::files;
use crate::lang::Lang;
use crate::output::stdout;
use crate::stop;
use crate::trace::remark;
use netplay_text::say;

const TRY: &str = "\
Try:
  netplay models                     the figure, here
  netplay models -o models.svg       as a picture; .html, .md, .json and .txt do as well
  netplay models --tcp --delay 200ms a segment over a connection, and a longer wait
  netplay models -v                  each call of each model";

/// The options of `netplay models`.
#[derive(Debug, clap::Args)]
#[command(about = "Receive one message by each of the five models of I/O, and see what it costs")]
#[command(after_help = TRY)]
pub struct Options {
    /// How long the message lets them wait: 50ms, 0.05s, or a number of milliseconds
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = delay)]
    delay: Duration,

    /// Send one segment over a TCP connection, not one datagram
    #[arg(long)]
    tcp: bool,

    /// How often each model has its turn [default: 5; 1 with -v or --trace]
    #[arg(long, value_name = "N", value_parser = within::<usize>(1..=1000, "it must be 1 to 1000"))]
    rounds: Option<usize>,

    /// Print the figures as a JSON object: of the middle round, of every round, and their spread
    #[arg(long)]
    json: bool,

    /// Write the figure to FILE, in the form that its name ends in; - is standard output
    #[arg(short, long, value_name = "FILE.svg|html|md|json|txt", value_parser = figure_file)]
    pub output: Option<PathBuf>,

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

/// How often each model has its turn, unless told otherwise.
const ROUNDS: usize = 5;

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

/// How the figures are told.
#[derive(Debug)]
pub struct Manner {
    /// The figures, and nothing else.
    pub quiet: bool,
    /// Whether each round is announced as it begins.
    pub watched: bool,
    /// Whether the calls are told, so that each model is named before its own.
    pub calls: bool,
    /// Whether the calls are told or traced: then one round is enough.
    pub recorded: bool,
    /// Whether standard output has ASCII only.
    pub ascii: bool,
    /// Whether it has colours.
    pub color: bool,
    /// What the receivers are told beside their model.
    pub receivers: Vec<String>,
    /// The language of the figures' words.
    pub lang: Lang,
}

impl Options {
    /// Whether the figures are for programs: JSON.
    #[must_use]
    pub fn for_programs(&self) -> bool {
        self.json || self.output.as_deref().and_then(Format::of) == Some(Format::Json)
    }

    /// The model that this process is to receive by, if the sender has started it, and whether over TCP.
    #[must_use]
    pub fn receiver(&self) -> Option<(&'static Model, bool)> {
        let Side::Receive { model, tcp } = self.side.as_ref()?;
        Some((MODELS.iter().find(|known| known.name == model)?, *tcp))
    }
}

/// Measures, and draws.
///
/// # Errors
/// No message could be sent, no model can run here, or the figure cannot be written.
pub fn measure(options: &Options, manner: Manner) -> Result<()> {
    let (format, file) = form(options, &manner);
    let lang = manner.lang;
    let rounds = options.rounds.unwrap_or(if manner.recorded { 1 } else { ROUNDS });
    let receivers = manner.receivers.clone();
    let experiment = Experiment { delay: options.delay, tcp: options.tcp, options: receivers };
    let progress = |round: usize, model: &Model| {
        if manner.watched && !manner.quiet {
            match rounds {
                1 => remark(format_args!("-- {} ({})", model.name, kind(model, lang))),
                _ if manner.calls => {
                    let (name, kind) = (model.name, kind(model, lang));
                    remark(say!(
                        lang,
                        "-- round {round}: {name} ({kind})",
                        "-- 第 {round} 轮：{name} ({kind})"
                    ));
                }
                _ if model.name == MODELS[0].name => {
                    remark(say!(
                        lang,
                        "-- round {round} of {rounds}",
                        "-- 第 {round} 轮，共 {rounds} 轮"
                    ));
                }
                _ => {}
            }
        }
    };
    stop::set_in_order(child::end_all).context(child::CannotStart::Thread)?;
    let outcomes = send::rounds(&experiment, rounds, progress).or_else(|error| {
        // strace would see these calls, and no record has them: so this runs only after a failure.
        child::reach_loopback(Ipv4Addr::LOCALHOST.into())?;
        Err(error)
    })?;
    let report = write(&experiment, &outcomes, format, lang);
    match &file {
        Some(path) => files::write(&report, path)?,
        None => stdout().write_all(report.as_bytes())?,
    }
    if !outcomes.iter().any(|outcome| outcome.phases.is_ok()) {
        bail!(lang.pick("no model can run here", "没有模型能在这里运行"));
    }
    if manner.quiet {
        return Ok(());
    }
    match file {
        None if format == Format::Json => {}
        None => {
            let next = next(ROW.name());
            write!(stdout(), "{}", say!(lang, "\ntry next: {next}\n", "\n接下来试试：{next}\n"))?;
        }
        Some(path) => {
            let path = file_name(&path);
            remark(say!(lang, "the figure is in {path}", "图写入了 {path}"));
            remark(lang.pick("try next: netplay models -v", "接下来试试：netplay models -v"));
        }
    }
    Ok(())
}

/// The form of the report, and the file for it; without one it goes to standard output.
fn form(options: &Options, manner: &Manner) -> (Format, Option<PathBuf>) {
    let here = Format::Text { ascii: manner.ascii, color: manner.color };
    let file = options.output.clone().filter(|path| path.as_os_str() != "-");
    let format = match &file {
        _ if options.json => Format::Json,
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
