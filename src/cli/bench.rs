//! `netplay bench`: every server model under one load.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::builder::{PossibleValuesParser, StringValueParser, TypedValueParser};
use clap::{Args as ClapArgs, Subcommand};
use indicatif::ProgressBar;
use serde::de::DeserializeOwned;

use super::args;
use super::global::Global;
use super::many;
use crate::address::Endpoint;
use crate::bench::alone::Alone;
use crate::bench::estimate::estimate;
use crate::bench::machine::Machine;
use crate::bench::machine::Pin;
use crate::bench::moment::Moment;
use crate::bench::plan::{Expect, Kind, Load, Manner, Model, Plan};
use crate::bench::report::COLUMNS;
use crate::bench::sample::Report;
use crate::bench::verdict::{can_be_named, compared, judge};
use crate::bench::{self, server};
use crate::client::{Interrupted, Usage};
use crate::escape::{file_name, hide_option};
use crate::examples::value::{Offer, within};
use crate::files::{try_to_write, whole, write};
use crate::lang::Lang;
use crate::output::stdout;
use crate::stop::Stop;
use crate::terminal::{columns, turns};
use crate::trace::remark;
use netplay_text::say;

/// Measure every server model under the same load
#[derive(Debug, ClapArgs)]
#[command(after_help = COLUMNS, args_override_self = true, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    then: Option<Then>,
    /// Which servers, the yardstick first; each may have options: 'handler --style threading'; none: only those of --target and --cmd [default: all]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', hide_possible_values = true)]
    #[arg(value_parser = Offer::new(StringValueParser::new().try_map(model), server::rows))]
    models: Vec<String>,
    /// How many connections send requests [default: 1,64, and 1 among 900 idle ones; with --load-only 64]
    #[arg(long, value_name = "N,M,…", value_delimiter = ',', value_parser = within::<usize>(1..=MOST, "a load has 1 to 2147483647 active connections"))]
    connections: Vec<usize>,
    /// How many more connections are open and send nothing
    #[arg(long, value_name = "N", value_parser = within::<usize>(0..=MOST, "at most 2147483647 connections can be idle"))]
    idle: Option<usize>,
    /// Bytes of a request, and of its reply [default: 64]
    #[arg(long, value_name = "BYTES", value_parser = within::<usize>(1..=16_777_216, "a message has 1 to 16777216 bytes"))]
    size: Option<usize>,
    /// Large messages: 64 KiB unless --size says otherwise
    #[arg(long)]
    bulk: bool,
    /// How often each server has its turn [default: as often as fits into half a minute, 3 times at least]
    #[arg(long, value_name = "N", value_parser = within::<usize>(1..=1000, "a number from 1 to 1000"))]
    rounds: Option<usize>,
    /// How long a turn lasts, for up to a thousand connections [default: 0.06; with --load-only 10, for any number]
    #[arg(long, value_name = "SECS", value_parser = within(0.001..=3600.0, "a turn lasts 0.001 to 3600 seconds"))]
    seconds: Option<f64>,
    /// Send N requests a second, whether or not the server keeps up: latency counts from when each was due
    #[arg(long, value_name = "N", value_parser = within(0.1..=1e8, "a rate is a number of requests a second above 0, such as 5000"))]
    rate: Option<f64>,
    /// Open a connection for each request
    #[arg(long, conflicts_with_all = ["udp", "idle"])]
    per_request: bool,
    /// Send datagrams, to the servers that serve them
    #[arg(long, conflicts_with = "idle")]
    udp: bool,
    /// Which processors: the scheduler's choice (free), server and client apart (split), both on one (same)
    #[arg(long, default_value = "free", value_parser = PossibleValuesParser::new(["free", "split", "same"]).try_map(named::<Pin>))]
    pin: Pin,
    /// Threads of the client's side [default: half as many as there are processors]
    #[arg(long, value_name = "N", value_parser = within::<usize>(1..=1000, "a number from 1 to 1000"))]
    threads: Option<usize>,
    /// Also measure a server that runs already, in any language
    #[arg(long, value_name = "HOST:PORT", value_parser = target)]
    target: Vec<(String, Endpoint)>,
    /// Also measure a server that this command starts: './my_server {port}'
    #[arg(long, value_name = "COMMAND", value_parser = command)]
    cmd: Vec<String>,
    /// Only put load on a server elsewhere, as one of several machines; bench merge puts their results together
    #[arg(long, value_name = "HOST:PORT", value_parser = target, conflicts_with_all = ["models", "target", "cmd", "rounds", "pin", "from", "compare"])]
    load_only: Option<(String, Endpoint)>,
    /// When --load-only begins, the same moment on all machines: 2026-11-30T09:00:00Z, or seconds since 1970 [default: as soon as it is connected]
    #[arg(long, value_name = "TIME", requires = "load_only", value_parser = StringValueParser::new().try_map(|text| text.parse::<Moment>()))]
    start_at: Option<Moment>,
    /// What the replies to --target, --cmd and --load-only must be: the same bytes, a line, or anything
    #[arg(long, default_value = "echo", value_parser = PossibleValuesParser::new(["echo", "line", "any"]).try_map(named::<Expect>))]
    expect: Expect,
    /// Also write the report to FILE: .svg .html .md .json (every turn's raw figures) .csv
    #[arg(short, long, value_name = "FILE", value_parser = report_file)]
    output: Option<PathBuf>,
    /// Print the report as JSON, not as tables
    #[arg(long)]
    json: bool,
    /// Take the figures of an earlier report (.json) instead of measuring: for another -o
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["target", "cmd", "compare"])]
    from: Option<PathBuf>,
    /// Compare two reports (.json) instead of measuring
    #[arg(long, num_args = 2, value_names = ["NEW.json", "OLD.json"], conflicts_with_all = ["target", "cmd", "output"])]
    compare: Option<Vec<PathBuf>>,
}

/// What else the bench can do.
#[derive(Debug, Subcommand)]
enum Then {
    Merge(many::Args),
}

/// How long a turn lasts: a short one, many times over, or once, on several machines.
const TURN: f64 = 0.06;
const LOAD_ONLY: f64 = 10.0;

impl Args {
    fn manner(&self) -> Manner {
        let size = self.size.unwrap_or(if self.bulk { 64 * 1024 } else { 64 });
        Manner {
            size,
            rounds: self.rounds,
            seconds: self.seconds.unwrap_or(if self.load_only.is_some() {
                LOAD_ONLY
            } else {
                TURN
            }),
            rate: self.rate,
            per_request: self.per_request,
            udp: self.udp,
            expect: self.expect,
            pin: self.pin,
            threads: self.threads.unwrap_or((Machine::here().cores / 2).max(1)),
        }
    }

    fn loads(&self) -> Vec<Load> {
        let idle = self.idle.unwrap_or(0);
        let several = |counts: &[usize]| -> Vec<Load> {
            counts.iter().map(|&connections| Load { connections, idle }).collect()
        };
        match (&self.connections[..], self.idle) {
            ([], _) if self.load_only.is_some() => several(&[64]),
            ([], Some(_)) => several(&[1]),
            ([], None) if self.udp || self.per_request => several(&[1, 64]),
            ([], None) => [several(&[1, 64]), vec![Load { connections: 1, idle: 900 }]].concat(),
            (counts, _) => several(counts),
        }
    }

    fn models(&self, manner: &Manner) -> Result<Vec<Model>> {
        let mut models = match &self.models[..] {
            [] => server::echoing(manner)?,
            [none] if none == "none" => vec![],
            named => named.iter().map(|name| server::row(name)).collect::<Result<_>>()?,
        };
        for command in &self.cmd {
            models.push(Model { name: hide_option(command), kind: Kind::Command(command.clone()) });
        }
        for (name, endpoint) in &self.target {
            models.push(Model { name: name.clone(), kind: Kind::Target(endpoint.resolve()?) });
        }
        Ok(models)
    }
}

/// Measures, or compares, and prints.
///
/// # Errors
/// [`Interrupted`], after a partial table; a server failed; a file cannot be written.
pub(super) fn run(args: &Args, global: &Global) -> Result<()> {
    let (quiet, ascii) = (global.quiet, global.plain());
    if let Some(Then::Merge(merge)) = &args.then {
        return many::merge(merge, global);
    }
    args.output.as_deref().map_or(Ok(()), try_to_write)?;
    if let Some([new, old]) = args.compare.as_deref() {
        let text = compared(&read(new)?, &read(old)?, ascii, columns_here());
        return Ok(write!(stdout(), "{text}")?);
    }
    if let Some(path) = &args.from {
        return show(args, &read(path)?, ascii);
    }
    let stop = Stop::new();
    stop.on_signals();
    let manner = args.manner();
    if let Some((name, endpoint)) = &args.load_only {
        let [load] = args.loads()[..] else {
            return Err(Usage("--load-only puts on one load: --connections N".to_owned()).into());
        };
        let (target, address) = (name.clone(), endpoint.resolve()?);
        let alone = Alone { target, address, load, manner, start_at: args.start_at };
        return many::put_on(&alone, &stop, args.output.as_deref(), args.json, global);
    }
    let plan = Plan { models: args.models(&manner)?, loads: args.loads(), manner };
    plan.makes_sense().map_err(|error| Usage(error.to_string()))?;
    plan.check()?;
    if !quiet {
        remark(estimate(&plan, &stop).said(global.spoken()));
    }
    let bar = match quiet || !io::stderr().is_terminal() {
        true => ProgressBar::hidden(),
        false => turns(plan.turns(), ascii),
    };
    let report = bench::run(&plan, &stop, &|what| {
        if bar.length() <= Some(bar.position()) {
            bar.inc_length(1); // there is time for another round
        }
        bar.set_message(what.to_owned());
        bar.inc(1);
    });
    bar.finish_and_clear();
    let report = report?;
    show(args, &report, ascii)?;
    if report.partial {
        return Err(Interrupted.into());
    }
    judge(&plan, &report)?;
    if !quiet {
        let next = if args.per_request {
            "netplay bench --rate 5000"
        } else {
            "netplay bench --per-request"
        };
        let head = global.spoken().pick("try next: ", "接下来试试：");
        remark(format_args!("{head}{next}"));
    }
    Ok(())
}

fn show(args: &Args, report: &Report, ascii: bool) -> Result<()> {
    let text = if args.json { report.json()? } else { report.text(ascii, columns_here()) };
    stdout().write_all(text.as_bytes())?;
    match &args.output {
        Some(path) => Ok(write(&report.written(path)?, path)?),
        None => Ok(()),
    }
}

/// How wide standard output is: as wide as it likes, if it is no terminal.
fn columns_here() -> usize {
    let columns = if stdout().is_terminal() { columns() } else { None };
    columns.unwrap_or(usize::MAX)
}

/// A larger file is not read as a report.
const LARGEST: usize = 64 << 20;

fn read(path: &Path) -> Result<Report> {
    let name = file_name(path);
    let text = whole(path, LARGEST)
        .with_context(|| say!(Lang::current(), "cannot read {name}", "无法读取 {name}"))?;
    let text = String::from_utf8_lossy(&text);
    Report::read(&text).with_context(|| name.to_string())
}

fn report_file(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(name);
    match can_be_named(&path) {
        true => Ok(path),
        false => Err("a report's name ends in .svg, .html, .md, .json or .csv".to_owned()),
    }
}

/// A server that runs already: as it was typed, and where that is.
fn target(text: &str) -> Result<(String, Endpoint)> {
    let endpoint: Endpoint = text.parse()?;
    ensure!(endpoint.port > 0, "no server can listen on port 0");
    Ok((text.to_owned(), endpoint))
}

fn command(text: &str) -> Result<String> {
    ensure!(
        text.contains("{port}"),
        "it needs {{port}} where the port belongs: './my_server {{port}}'"
    );
    Ok(text.to_owned())
}

/// A row, and what may stand behind its name.
fn model(text: String) -> Result<String> {
    if text == "none" {
        return Ok(text);
    }
    let Kind::Row(example, options) = server::row(&text)?.kind else {
        bail!("{text} is no model");
    };
    let server = args::server_alone(example).context("a model is a server")?;
    match server.try_get_matches_from(["server".to_owned()].into_iter().chain(options)) {
        Ok(matches) => {
            let place = matches.value_source("host");
            ensure!(place.is_none(), "only options may stand behind the name of a model");
            Ok(text)
        }
        // Its first line, without the word that every error begins with.
        Err(error) => {
            let said = error.to_string();
            let first = said.lines().next().unwrap_or_default();
            bail!("{}", first.strip_prefix("error: ").unwrap_or(first))
        }
    }
}

/// As many as a process could have descriptors: what this machine allows is seen to later.
const MOST: usize = i32::MAX as usize;

/// What a word is the name of, in a report as well.
fn named<T: DeserializeOwned>(word: String) -> serde_json::Result<T> {
    serde_json::from_value(word.into())
}
