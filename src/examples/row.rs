//! A row of the table: usually an example with its two sides, its own options, and its purpose.
//!
//! An example with options of its own has a struct on its page, which clap fills from the command
//! line: `server: Some(&Server(serve))`. An example without them has a function: `server: Some(&serve)`.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use clap::{Arg, ArgMatches, Args, Command};

use super::script::Demo;
pub(super) use super::value::up_to;
use crate::client::ClientArgs;
use crate::lang::Lang;
use crate::server::{Reply, ServerArgs, Stamp, Stats};
use crate::stop::Stop;

/// A sentence in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Both {
    /// In English.
    pub en: &'static str,
    /// In Chinese.
    pub zh: &'static str,
}

impl Both {
    /// A command, which is the same in both.
    #[must_use]
    pub const fn same(command: &'static str) -> Both {
        Both { en: command, zh: command }
    }

    /// The sentence in this language.
    #[must_use]
    pub fn told(self, lang: Lang) -> &'static str {
        lang.pick(self.en, self.zh)
    }
}

/// A row of the table.
#[derive(Debug)]
pub enum Row {
    /// A server, a client, and a demo of both.
    Example(&'static Example),
    /// A page without two sides, which a command of its own runs.
    Command {
        /// Its name on the command line.
        name: &'static str,
        /// What it is, in one line.
        summary: Both,
        /// What else to try with it.
        next: Option<Both>,
        /// The lesson behind it.
        lesson: &'static str,
    },
}

impl Row {
    /// Its name on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Row::Example(example) => example.name,
            Row::Command { name, .. } => name,
        }
    }

    /// Whether this is its name, or its shorter one.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        matches!(self, Row::Example(example) if example.short == Some(name)) || self.name() == name
    }

    /// What it is, in one line.
    #[must_use]
    pub fn summary(&self) -> Both {
        match self {
            Row::Example(example) => example.summary,
            Row::Command { summary, .. } => *summary,
        }
    }

    /// What else to try with it.
    pub(super) fn own(&self) -> Option<Both> {
        match self {
            Row::Example(example) => example.next,
            Row::Command { next, .. } => *next,
        }
    }

    /// The command that shows it at once.
    pub(super) fn shown(&self) -> String {
        match self {
            Row::Example(example) => format!("netplay {} demo", example.name),
            Row::Command { name, .. } => format!("netplay {name}"),
        }
    }

    /// The lesson behind it: `netplay explain LESSON`.
    #[must_use]
    pub fn lesson(&self) -> &'static str {
        match self {
            Row::Example(example) => example.lesson,
            Row::Command { lesson, .. } => lesson,
        }
    }
}

/// An example of a server and its client.
pub struct Example {
    /// Its name on the command line.
    pub name: &'static str,
    /// A shorter one for its two sides: `tcp` makes `tcp-server` and `tcp-client`.
    pub short: Option<&'static str>,
    /// What it is, in one line.
    pub summary: Both,
    /// What to watch for, in a sentence or two.
    pub watch: Both,
    /// Where its server can be reached.
    pub place: Place,
    /// What its server is for.
    pub purpose: Purpose,
    /// How many clients its server serves at once.
    pub at_once: AtOnce,
    /// The default answer of its server; `None`: it does not answer.
    pub reply: Option<Reply>,
    /// The server; `None` if the kernel itself answers.
    pub server: Option<&'static dyn Serve>,
    /// The client.
    pub client: &'static dyn Speak,
    /// Its commands besides server, client and demo.
    pub tools: &'static [Tool],
    /// What its demo does.
    pub demo: Demo,
    /// What else to try with it, before the page behind it.
    pub next: Option<Both>,
    /// The lesson behind it.
    pub lesson: &'static str,
}

/// A command that only one example has: a client for scripts.
pub struct Tool {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// What it does.
    pub run: &'static dyn Work,
}

/// Where a server can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// HOST and PORT.
    Internet,
    /// HOST alone: there are no ports.
    Host,
    /// A group and a PORT, which several servers can share.
    Group {
        /// The group that is meant when none is named.
        v4: &'static str,
        /// The same over IPv6.
        v6: &'static str,
    },
    /// A path.
    Path,
}

/// What a server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It answers what a client sends: the bytes themselves, a stamp, a text.
    Echo,
    /// It keeps files, in the folder that its option `--root` names.
    Files,
    /// Something else, whatever `--reply` says; its tests are its own.
    Other,
}

/// How many clients a server serves at once; the others wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtOnce {
    /// One after the other.
    One,
    /// One in each of its workers: the option `--workers`.
    EachWorker,
    /// All of them, up to `--max-clients`.
    All,
}

/// The default stamp of most servers.
pub const STAMP: Stamp = Stamp { open: "[", middle: "] :", close: "" };

impl Example {
    /// The options that only its server has, or that have another help text.
    #[must_use]
    pub fn server_options(&self) -> Vec<Arg> {
        self.server.map_or_else(Vec::new, |server| own(|command| server.augment(command)))
    }

    /// The options of its client that other clients do not have.
    #[must_use]
    pub fn client_options(&self) -> Vec<Arg> {
        own(|command| self.client.augment(command))
    }
}

/// The options that are added to a command, or changed in it.
fn own(augment: impl Fn(Command) -> Command) -> Vec<Arg> {
    let common = ["max_clients", "idle_timeout", "timeout"];
    let common = common.map(|id| Arg::new(id).long(id.replace('_', "-")));
    let command = augment(Command::new("example").args(common));
    command.get_arguments().filter(|arg| arg.get_help().is_some()).cloned().collect()
}

impl fmt::Debug for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Example").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A server of the table.
pub trait Serve: Sync {
    /// Adds the options that only it has to those of every server.
    fn augment(&self, command: Command) -> Command;

    /// Serves until the stop. `matches` has its own options.
    ///
    /// # Errors
    /// The server could not go on.
    fn serve(&self, args: &ServerArgs, matches: &ArgMatches, stop: &Stop) -> Result<Stats>;
}

/// One without options of its own.
impl<F: Fn(&ServerArgs, &Stop) -> Result<Stats> + Sync> Serve for F {
    fn augment(&self, command: Command) -> Command {
        command
    }

    fn serve(&self, args: &ServerArgs, _: &ArgMatches, stop: &Stop) -> Result<Stats> {
        self(args, stop)
    }
}

/// A server with options of its own.
#[derive(Debug)]
pub struct Server<O>(pub fn(&ServerArgs, &O, &Stop) -> Result<Stats>);

impl<O: Args> Serve for Server<O> {
    fn augment(&self, command: Command) -> Command {
        O::augment_args(command)
    }

    fn serve(&self, args: &ServerArgs, matches: &ArgMatches, stop: &Stop) -> Result<Stats> {
        self.0(args, &O::from_arg_matches(matches)?, stop)
    }
}

/// A client of the table.
pub trait Speak: Sync {
    /// Adds the options that only it has to those of every client.
    fn augment(&self, command: Command) -> Command;

    /// Holds its conversation. `matches` has its own options.
    ///
    /// # Errors
    /// The conversation did not come to its end.
    fn speak(&self, args: &ClientArgs, matches: &ArgMatches) -> Result<()>;
}

/// One without options of its own.
impl<F: Fn(&ClientArgs) -> Result<()> + Sync> Speak for F {
    fn augment(&self, command: Command) -> Command {
        command
    }

    fn speak(&self, args: &ClientArgs, _: &ArgMatches) -> Result<()> {
        self(args)
    }
}

/// A client with options of its own.
#[derive(Debug)]
pub struct Client<O>(pub fn(&ClientArgs, &O) -> Result<()>);

impl<O: Args> Speak for Client<O> {
    fn augment(&self, command: Command) -> Command {
        O::augment_args(command)
    }

    fn speak(&self, args: &ClientArgs, matches: &ArgMatches) -> Result<()> {
        self.0(args, &O::from_arg_matches(matches)?)
    }
}

/// What a tool does.
pub trait Work: Sync {
    /// Adds its words and options to those of every tool.
    fn augment(&self, command: Command) -> Command;

    /// Does it, and waits no longer than this for each step; `None`: for ever.
    ///
    /// # Errors
    /// It could not be completed.
    fn work(&self, timeout: Option<Duration>, matches: &ArgMatches) -> Result<()>;
}

/// A tool is only its words and options.
#[derive(Debug)]
pub struct Task<O>(pub fn(Option<Duration>, &O) -> Result<()>);

impl<O: Args> Work for Task<O> {
    fn augment(&self, command: Command) -> Command {
        O::augment_args(command)
    }

    fn work(&self, timeout: Option<Duration>, matches: &ArgMatches) -> Result<()> {
        self.0(timeout, &O::from_arg_matches(matches)?)
    }
}
