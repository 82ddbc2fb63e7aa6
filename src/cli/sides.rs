//! One side of an example, here: a server, a client, or a tool.

use std::io::{self, IsTerminal};

use anyhow::{Context, Result};
use clap::ArgMatches;
use netplay_text::say;

use super::args;
use super::global::Global;
use super::global::listen_to_the_record;
use crate::child;
use crate::examples::{Example, Partner, its_client, next};
use crate::lang::Lang;
use crate::server;
use crate::stop::Stop;
use crate::terminal;
use crate::trace::{self, Speaker};

/// One server, here, until the stop.
pub(super) fn serve(
    example: &'static Example,
    matches: &ArgMatches,
    global: &Global,
) -> Result<()> {
    let lang = Lang::current();
    let args = args::server(example, matches, global.plain())?;
    listen_to_the_record(global, Speaker { role: "server", example: example.name })?;
    if !global.quiet {
        if let Some(client) = its_client(example, &args, matches)? {
            server::when_ready(move |address| second_terminal(&client, address));
        }
        trace::remark(lang.pick("Ctrl-C ends this server", "Ctrl-C 结束这个服务器"));
    }
    let stop = Stop::new();
    stop.on_signals();
    child::tidy_memory();
    let cpu_before = child::cpu_time()?;
    let served = example.server.context("only an example with a server has this command")?;
    let stats = served.serve(&args, matches, &stop)?;
    if !global.quiet {
        let cpu = (child::cpu_time()? - cpu_before) * 1e3;
        let name = example.name;
        trace::remark(say!(
            lang,
            "{name}: {stats}; {cpu:.0} ms of CPU time",
            "{name}：{stats}；CPU 时间 {cpu:.0} ms",
        ));
        trace::remark(try_next(example));
    }
    Ok(())
}

/// The last line of a start: the command that talks to this server.
fn second_terminal(client: &Partner, ready: &str) {
    let lang = Lang::current();
    let command = client.command(ready);
    let asks = match client.asks {
        true => lang.pick(" (it asks for the password)", "（会询问密码）"),
        false => "",
    };
    trace::remark(say!(
        lang,
        "in a second terminal: {command}{asks}",
        "在第二个终端里：{command}{asks}",
    ));
}

/// What suggests what to do after this example.
pub(super) fn try_next(example: &Example) -> String {
    let lang = Lang::current();
    let next = next(example.name);
    say!(lang, "try next: {next}", "接下来试试：{next}")
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
        trace::remark(try_next(example));
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
