//! The menu, the completions and the manual pages.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use crate::examples::TABLE;

/// What there is, and three commands to try first.
///
/// # Errors
/// If `out` cannot be written.
pub fn menu(out: &mut dyn Write) -> Result<()> {
    writeln!(out, "netplay: the socket playground\n")?;
    for example in TABLE {
        writeln!(out, "  {:<12} {}", example.name, example.summary)?;
    }
    writeln!(out, "\n  {:<12} numbers and addresses, byte by byte", "byte-order")?;
    writeln!(out, "  {:<12} every socket option, asked and set", "sockopt")?;
    writeln!(out, "  {:<12} who holds a port, and what an error means on this machine", "why")?;
    writeln!(out, "  {:<12} the traces of both ends as one picture", "draw")?;
    writeln!(out, "  {:<12} the five models of I/O, measured", "models")?;
    writeln!(out, "  {:<12} every server model under the same load", "bench")?;
    writeln!(out, "  {:<12} predict, run, compare, fix: what learners get wrong", "lab")?;
    writeln!(out, "  {:<12} what this machine lets netplay do, and what mends it", "doctor")?;
    writeln!(
        out,
        "  {:<12} what is behind all this: a lesson a topic, and every errno",
        "explain"
    )?;
    writeln!(out, "\nTry first:")?;
    writeln!(out, "  netplay demo                           the tour, in this terminal")?;
    writeln!(out, "  netplay tcp-server                     a server; in a second terminal:")?;
    writeln!(out, "  netplay tcp-client                     its client")?;
    writeln!(out, "\nnetplay --help lists every command, netplay EXAMPLE --help what it can do.")?;
    Ok(())
}

/// `netplay completions SHELL`.
pub fn completions_command() -> Command {
    Command::new("completions").about("Print the completions for a shell").arg(
        Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell)),
    )
}

/// `netplay man [DIRECTORY]`.
pub fn man_command() -> Command {
    Command::new("man").about("Print the manual page, or write all of them to a folder").arg(
        Arg::new("directory")
            .value_name("DIRECTORY")
            .help("Where to write netplay.1 and a page for each command")
            .value_parser(value_parser!(PathBuf)),
    )
}

/// Prints the completions.
///
/// # Errors
/// If standard output cannot be written.
pub fn completions(matches: &ArgMatches) -> Result<()> {
    let shell = *matches.get_one::<Shell>("shell").context("the shell is required")?;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "netplay", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(())
}

/// Prints the manual page, or writes all of them.
///
/// # Errors
/// If standard output or the folder cannot be written.
pub fn man(matches: &ArgMatches) -> Result<()> {
    match matches.get_one::<PathBuf>("directory") {
        Some(directory) => clap_mangen::generate_to(super::command(), directory)
            .with_context(|| format!("cannot write manual pages to {}", directory.display())),
        None => {
            let mut page = Vec::new();
            // `netplay help` has no page of its own, so none may be named.
            let command = super::command().disable_help_subcommand(true);
            clap_mangen::Man::new(command).render(&mut page)?;
            io::stdout().lock().write_all(&page)?;
            Ok(())
        }
    }
}
