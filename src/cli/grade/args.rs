//! What `netplay grade` is told: the program, which tests, and how the verdicts are written.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::grade::{Model, Protocol, Test};
use clap::builder::{StringValueParser, TypedValueParser};
use clap::{Args as ClapArgs, ValueEnum};

/// Test any server or client, in any language, and name the causes of failures
#[derive(Debug, ClapArgs)]
#[command(
    override_usage = "netplay grade [OPTIONS] -- CMD [ARG]...\n       netplay grade --client [OPTIONS] -- CMD [ARG]...",
    after_help = "{host} and {port} in ARG are replaced; a command without {port} finds PORT in its environment:\n\n    netplay grade -- python3 server.py {host} {port}\n    netplay grade --protocol line --model iterative -- ./server {port}\n    netplay grade --client -- ./client {host} {port}\n    netplay grade -o pages -- ./server {port}\n\nExit status: 0 if nothing failed, 3 if a test failed, 1 if the program could not be started."
)]
pub struct Args {
    /// What a right answer is: echo, line, or a TOML file
    #[arg(long, value_name = "echo|line|FILE", default_value = "echo", value_parser = protocol())]
    pub(super) protocol: Spoken,
    /// What kind of server it is
    #[arg(long, value_enum, default_value = "concurrent")]
    pub(super) model: ServerModel,
    /// Test a client: netplay is its server
    #[arg(long, conflicts_with = "model")]
    pub(super) client: bool,
    /// Make these tests only: a name, a group, or a pattern with *; repeat it for more
    #[arg(long, value_name = "PATTERN")]
    pub(super) only: Vec<String>,
    /// Leave out these tests
    #[arg(long, value_name = "PATTERN")]
    pub(super) skip: Vec<String>,
    /// Say what tests there are
    #[arg(long)]
    pub(super) list: bool,
    /// From which the requests follow that are chosen [default: another one each time]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// How long a test may take
    #[arg(long, value_name = "SECS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(super) timeout: u64,
    /// Do not watch the program: faster to begin with, and the verdicts prove less
    #[arg(long)]
    pub(super) no_watch: bool,
    /// How the verdicts are written
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
    /// Write a page with all verdicts into DIR, and a page with the timeline of both ends for each failure
    #[arg(short, long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// The program and its arguments
    #[arg(value_name = "CMD", last = true, required_unless_present = "list")]
    pub(super) command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ServerModel {
    /// One client after the other
    Iterative,
    /// Many clients at once
    Concurrent,
    /// Datagrams
    Udp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// A protocol, and how it was given.
#[derive(Debug, Clone)]
pub(super) struct Spoken {
    pub(super) typed: String,
    pub(super) protocol: Protocol,
}

pub(super) fn protocol() -> impl TypedValueParser<Value = Spoken> {
    let read = |typed: String| Protocol::of(&typed).map(|protocol| Spoken { typed, protocol });
    StringValueParser::new().try_map(read)
}

impl Args {
    pub(super) fn model(&self) -> Model {
        match self.model {
            _ if self.client => Model::Client,
            ServerModel::Iterative => Model::Iterative,
            ServerModel::Concurrent => Model::Concurrent,
            ServerModel::Udp => Model::Udp,
        }
    }

    pub(super) fn wants(&self, test: &Test) -> bool {
        let named = |patterns: &[String]| patterns.iter().any(|pattern| test.is_named(pattern));
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }
}
