//! What `netplay grade` is told: the program, which tests, and how the verdicts are written.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::grade::{Model, Protocol, Reveal, Teacher, Test};
use clap::builder::{StringValueParser, TypedValueParser};
use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::table;

/// How long a test may take, if nothing else is said.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);

/// Test any server or client, in any language, and name the causes of failures
#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    override_usage = "netplay grade [OPTIONS] -- CMD [ARG]...\n       netplay grade --client [OPTIONS] -- CMD [ARG]...\n       netplay grade table [NAME=]FILE...",
    after_help = "{host} and {port} in ARG are replaced; a command without {port} finds PORT in its environment:\n\n    netplay grade -- python3 server.py {host} {port}\n    netplay grade --protocol line --model iterative -- ./server {port}\n    netplay grade --client -- ./client {host} {port}\n    netplay grade -o pages -- ./server {port}\n\nExit status: 0 if nothing failed, 3 if a test failed, 1 if the program could not be started."
)]
pub struct Args {
    #[command(subcommand)]
    pub(super) then: Option<Then>,
    /// What a right answer is: echo, line, or a TOML file [default: echo]
    #[arg(long, value_name = "echo|line|FILE", value_parser = protocol())]
    protocol: Option<Spoken>,
    /// What kind of server it is [default: concurrent]
    #[arg(long, value_enum)]
    model: Option<ServerModel>,
    /// Test a client: netplay is its server
    #[arg(long, conflicts_with = "model")]
    client: bool,
    /// Make these tests only: a name, a group, or a pattern with *; repeat it for more
    #[arg(long, value_name = "PATTERN")]
    pub(super) only: Vec<String>,
    /// Leave out these tests
    #[arg(long, value_name = "PATTERN")]
    pub(super) skip: Vec<String>,
    /// List the tests
    #[arg(long)]
    pub(super) list: bool,
    /// Choose the requests by this number: the same N, the same requests [default: another one each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How long a test may take [default: 60]
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: Option<u64>,
    /// Do not watch the program: faster to begin with, and the verdicts prove less
    #[arg(long)]
    pub(super) no_watch: bool,
    /// How the verdicts are written
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
    /// Write a page with all verdicts into DIR, and a page with the timeline of both ends for each failure
    #[arg(short, long, value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// How much is told of a failure [default: all]
    #[arg(long, value_enum)]
    reveal: Option<Told>,
    /// An exercise in a TOML file: points, what students see, and how it is graded
    #[arg(long, value_name = "FILE", value_parser = teacher())]
    teacher: Option<Teacher>,
    /// The program and its arguments
    #[arg(value_name = "CMD", last = true, required_unless_present = "list")]
    pub(super) command: Vec<OsString>,
}

/// What else can be done with grades.
#[derive(Debug, Subcommand)]
pub(super) enum Then {
    Table(table::Args),
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
    /// For servers of continuous integration
    Junit,
    /// The results.json of a Gradescope autograder
    Gradescope,
    /// What check50 --output json writes
    Check50,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Told {
    /// The names of tests and their verdicts
    Names,
    /// Also a question and a lab for each failure
    Hints,
    /// The cause, and what proves it
    All,
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

fn teacher() -> impl TypedValueParser<Value = Teacher> {
    StringValueParser::new().try_map(|file: String| Teacher::of(&file))
}

/// What the command line says comes first, then the teacher's file.
impl Args {
    /// What the teacher's file says.
    pub(super) fn teacher(&self) -> Teacher {
        self.teacher.clone().unwrap_or_default()
    }

    pub(super) fn model(&self) -> Model {
        match self.model {
            _ if self.client => Model::Client,
            Some(ServerModel::Iterative) => Model::Iterative,
            Some(ServerModel::Concurrent) => Model::Concurrent,
            Some(ServerModel::Udp) => Model::Udp,
            None => self.teacher.as_ref().and_then(|file| file.model).unwrap_or(Model::Concurrent),
        }
    }

    pub(super) fn spoken(&self) -> Spoken {
        let of_file = || self.teacher.as_ref()?.protocol.clone();
        let spoken = |(typed, protocol)| Spoken { typed, protocol };
        let echo = || Spoken { typed: "echo".to_owned(), protocol: Protocol::Echo };
        self.protocol.clone().or_else(|| of_file().map(spoken)).unwrap_or_else(echo)
    }

    pub(super) fn seed(&self) -> Option<u64> {
        self.seed.or(self.teacher.as_ref().and_then(|file| file.seed))
    }

    pub(super) fn timeout(&self) -> Duration {
        let of_file = self.teacher.as_ref().and_then(|file| file.timeout);
        self.timeout.map(Duration::from_secs).or(of_file).unwrap_or(TIMEOUT)
    }

    pub(super) fn reveal(&self) -> Option<Reveal> {
        self.reveal.map(|told| match told {
            Told::Names => Reveal::Names,
            Told::Hints => Reveal::Hints,
            Told::All => Reveal::All,
        })
    }

    /// Whether a test is made: both the command line and the teacher's file must have it.
    pub(super) fn wants(&self, test: &Test) -> bool {
        let named = |patterns: &[String]| patterns.iter().any(|pattern| test.is_named(pattern));
        let wants =
            |only: &[String], skip: &[String]| (only.is_empty() || named(only)) && !named(skip);
        let of_file = self.teacher.as_ref().is_none_or(|file| wants(&file.only, &file.skip));
        of_file && wants(&self.only, &self.skip)
    }
}
