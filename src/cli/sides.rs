//! One side of an example, here: a server, a client, or a tool.

use std::io::{self, IsTerminal};

use anyhow::{Context, Result};
use clap::ArgMatches;

use super::args;
use super::global::Global;
use super::global::listen_to_the_record;
use crate::child;
use crate::examples::{Example, its_client, next};
use crate::stop::Stop;
use crate::terminal;
use crate::trace::{self, Speaker};

/// One server, here, until the stop.
pub(super) fn serve(
    example: &'static Example,
    matches: &ArgMatches,
    global: &Global,
) -> Result<()> {
    let args = args::server(example, matches, global.plain())?;
    listen_to_the_record(global, Speaker { role: "server", example: example.name })?;
    if !global.quiet {
        if let Some(client) = its_client(example, &args, matches)? {
            trace::remark(format_args!("in a second terminal: {client}"));
        }
        trace::remark("Ctrl-C ends this server");
    }
    let stop = Stop::new();
    stop.on_signals();
    child::tidy_memory();
    let cpu_before = child::cpu_time()?;
    let server = example.server.context("only an example with a server has this command")?;
    let stats = server.serve(&args, matches, &stop)?;
    if !global.quiet {
        let cpu = (child::cpu_time()? - cpu_before) * 1e3;
        trace::remark(format_args!("{}: {stats}; {cpu:.0} ms of CPU time", example.name));
        trace::remark(format_args!("try next: {}", next(example.name)));
    }
    Ok(())
}

/// One client, here.
pub(super) fn speak(
    example: &'static Example,
    matches: &ArgMatches,
    global: &Global,
) -> Result<()> {
    let args = args::client(example, matches, global.plain())?;
    listen_to_the_record(global, Speaker { role: "client", example: example.name })?;
    show_transfers(global);
    example.client.speak(&args, matches)?;
    if !global.quiet {
        trace::remark(format_args!("try next: {}", next(example.name)));
    }
    Ok(())
}

/// One of the tools that only this example has.
pub(super) fn work(
    example: &Example,
    name: &str,
    matches: &ArgMatches,
    global: &Global,
) -> Result<()> {
    let mut tools = example.tools.iter();
    let tool = tools.find(|tool| tool.name == name).context("the table has every tool")?;
    let timeout = args::timeout(matches)?;
    listen_to_the_record(global, Speaker { role: "client", example: example.name })?;
    show_transfers(global);
    tool.run.work(timeout, matches)
}

/// Lets a client's transfers be seen on a bar, where one can be drawn.
fn show_transfers(global: &Global) {
    if !global.quiet && io::stderr().is_terminal() && !terminal::is_dumb() {
        terminal::show_transfers(global.plain());
    }
}
