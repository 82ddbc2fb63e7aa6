//! `netplay man` and `netplay completions`: what packages ship.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::builder::PathBufValueParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use crate::output::stdout;
use crate::packaging;

/// `netplay man [DIRECTORY]`.
pub(super) fn man() -> Command {
    Command::new("man").about("Print the manual page, or write all of them to a folder").arg(
        Arg::new("directory")
            .value_name("DIRECTORY")
            .help("Where to write netplay.1 and a page for each command")
            .value_parser(PathBufValueParser::new()),
    )
}

/// Prints the manual page, or writes all of them.
pub(super) fn run_man(matches: &ArgMatches, whole: Command) -> Result<()> {
    match matches.get_one::<PathBuf>("directory") {
        Some(folder) => packaging::write_pages(whole, folder),
        None => Ok(stdout().write_all(packaging::page_of(whole)?.as_bytes())?),
    }
}

/// `netplay completions SHELL`.
pub(super) fn completions() -> Command {
    Command::new("completions").about("Print the completions for a shell").arg(
        Arg::new("shell")
            .value_name("SHELL")
            .help("Which shell they are for")
            .required(true)
            .value_parser(value_parser!(Shell)),
    )
}

/// Prints the completions.
pub(super) fn run_completions(matches: &ArgMatches, whole: &Command) -> Result<()> {
    let shell = *matches.get_one::<Shell>("shell").context("the shell is required")?;
    let script = packaging::completions(shell, whole)?;
    Ok(stdout().write_all(script.as_bytes())?)
}
