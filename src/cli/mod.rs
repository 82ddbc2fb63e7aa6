//! The command line: commands from the table of examples, options, exit codes.
//!
//! What a command is about lives elsewhere: here is what can be typed, what is called for it, and what becomes of
//! an error: a line, a hint ([`crate::why`]), an exit code.

mod args;
pub mod bench;
pub mod byte_order;
mod command;
mod demos;
pub mod draw;
pub mod doctor;
mod exit;
pub mod explain;
pub mod grade;
mod global;
pub mod lab;
pub mod many;
pub mod models;
mod menu;
pub mod pack;
mod packages;
pub mod review;
mod serve;
mod sides;
pub mod sockopt;
pub mod verify;
pub mod watch;
mod why;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, FromArgMatches};
use netplay_text::say;

use crate::call;
use crate::child;
use crate::client::{Interrupted, Usage};
use crate::demo::hint_mark;
use crate::escape::{escape_lines, escape_unsafe, hide_password};
use crate::failure::alone;
use crate::lang::Lang;
use crate::output::stdout;
use crate::stop;
use crate::trace;
use crate::why::{cause, hint, remember};
pub use args::{client as client_args, server as server_args};
pub use command::command;
use demos::Telling;
use draw::Picture;
use global::{Color, Global};
use serve::Serve;

/// Runs the command that the process was started with. `closed`: without a standard output, so that what is
/// written there would be lost, and nothing would say so.
#[must_use]
pub fn main(closed: bool) -> ExitCode {
    stop::outlive_file_limits();
    stop::hear_signals();
    // A demo's server must not outlive the demo, nor a receiver its measurement.
    if !child::end_with_parent() {
        return ExitCode::from(128 + libc::SIGTERM as u8);
    }
    let matches = command().try_get_matches();
    let done = match matches {
        Err(error) if error.use_stderr() => {
            refuse(&without_secrets(with_the_dashes(with_the_nearest(error))))
        }
        _ if closed => Err(anyhow!(Lang::current().pick(
            "standard output is closed; to throw results away, use >/dev/null",
            "标准输出已关闭；不要结果的话，用 >/dev/null",
        ))),
        Err(help) => show_help(&help).map(|()| 0),
        Ok(matches) => run(&matches),
    };
    stop::unless_it_ends();
    child::end_all();
    let missing = trace::missing();
    if let Some(missing) = &missing {
        trace::remark(format_args!("netplay: {missing}"));
    }
    match done {
        Ok(0) if missing.is_some() => ExitCode::FAILURE,
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let (code, lang) = (exit::code(&error), Lang::current());
            let causes: Vec<String> = error.chain().map(|cause| alone(cause, lang)).collect();
            // An error may quote anything.
            let said = escape_lines(&causes.join(lang.pick(": ", "：")));
            if cause::<Usage>(&error).is_some() {
                // As clap writes it.
                trace::remark(format_args!("error: {said}"));
            } else if code != 0 && cause::<Interrupted>(&error).is_none() {
                trace::remark(format_args!("netplay: {said}"));
                if let Some(hint) = hint(&error) {
                    trace::remark(format_args!("{}{hint}", hint_mark(lang)));
                }
                remember(&error);
            }
            ExitCode::from(code)
        }
    }
}

/// Says what is wrong with a command line, and ends. The reason why a value will not do is a text of our
/// own that may quote the value; clap has no way to change it, so then the whole is written without colours.
fn refuse(error: &clap::Error) -> ! {
    // clap speaks English, and so do the reasons in its sentences.
    Lang::En.set();
    let reason = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    if reason == escape_unsafe(&reason) {
        error.exit();
    }
    let said = error.to_string().replace(&reason, &escape_unsafe(&reason));
    trace::remark(escape_lines(said.trim_end()));
    std::process::exit(error.exit_code());
}

/// The answer to --help and --version, which clap hands out as an error. Its own `exit` would say 0 even
/// where nothing can be written.
fn show_help(help: &clap::Error) -> Result<()> {
    let color = Color::Auto.use_on(io::stdout().is_terminal());
    let text = help.render();
    let text = if color { text.ansi().to_string() } else { text.to_string() };
    Ok(stdout().write_all(text.as_bytes())?)
}

/// The error of a mistyped command, with the three nearest names in it, the nearest first. clap has them in
/// the other order, and as many as share a few letters: of our many servers, a dozen.
fn with_the_nearest(mut error: clap::Error) -> clap::Error {
    let kind = ContextKind::SuggestedSubcommand;
    if let Some(ContextValue::Strings(names)) = error.get(kind) {
        let nearest = names.iter().rev().take(3).cloned().collect();
        error.insert(kind, ContextValue::Strings(nearest));
    }
    let typed = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    if error.kind() == ErrorKind::UnknownArgument
        && error.get(ContextKind::SuggestedArg).is_none()
        && let Some(typed) = typed
        && let Some((side, option)) = option_of_a_side(&typed)
    {
        let tip = format!("{side} has '{option}'");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    error
}

/// The error of a watched command that has no -- before it: from there on all words are the command's.
fn with_the_dashes(mut error: clap::Error) -> clap::Error {
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let typed = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(command) = typed.filter(|typed| !typed.starts_with('-'))
        && let Some(before) = words.iter().position(|word| *word == command).map(|at| &words[..at])
        && before.iter().any(|word| word == "watch")
    {
        let (before, command) = (before.join(" "), escape_unsafe(&command));
        let tip = format!("put -- before the command: netplay {before} -- {command} ...");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    error
}

/// The option that was probably meant, and the side that has it, where no side was named: `tcp-echo --replay` means
/// `tcp-echo server --reply`. clap looks for similar options only in the command that was named.
fn option_of_a_side(typed: &str) -> Option<(String, String)> {
    let whole = command();
    let words = std::env::args_os().skip(1);
    let example = words.into_iter().find_map(|word| whole.find_subcommand(word))?;
    let options = example.get_subcommands().flat_map(|side| {
        let name = format!("netplay {} {}", example.get_name(), side.get_name());
        let long = side.get_arguments().filter_map(clap::Arg::get_long);
        long.map(move |option| (name.clone(), format!("--{option}")))
    });
    let likeness = |(_, option): &(String, String)| strsim::jaro(typed, option);
    let mut near: Vec<_> = options.filter(|option| likeness(option) > 0.8).collect();
    near.sort_by(|a, b| likeness(b).total_cmp(&likeness(a))); // of two sides, the first
    near.into_iter().next()
}

/// The error of a command line, without the password of a URL that it quotes, and with nothing that could
/// steer a terminal.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    let hidden = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(text) => {
            Some((kind, ContextValue::String(escape_unsafe(&hide_password(text)))))
        }
        _ => None,
    });
    for (kind, value) in hidden.collect::<Vec<_>>() {
        error.insert(kind, value);
    }
    error
}

/// Runs the command; its exit code, where that is another program's.
fn run(matches: &ArgMatches) -> Result<u8> {
    let global: Global = read(matches);
    call::show_secrets(global.show_secrets);
    global.speak();
    match matches.subcommand() {
        None => menu::menu(&mut stdout())?,
        Some(("grade", matches)) => return grade::run(&read(matches), &global),
        Some(("challenge", matches)) => return grade::run_challenge(&read(matches), &global),
        Some(("review", matches)) => return review::run(&read(matches), &global),
        Some(("verify", matches)) => return verify::run(&read(matches), &global),
        Some(("watch", matches)) => return watch::run(&read(matches), &global),
        Some((name, matches)) => run_own(name, matches, &global)?,
    }
    Ok(0)
}

fn run_own(name: &str, matches: &ArgMatches, global: &Global) -> Result<()> {
    match name {
        "demo" => demos::tour(matches, read(matches), global),
        "completions" => packages::run_completions(matches, &command()),
        "man" => packages::run_man(matches, command()),
        "byte-order" => byte_order::run(&read(matches)),
        "draw" => draw::run(&read(matches), global),
        "pack" => pack::run(&read(matches), global),
        "bench" => bench::run(&read(matches), global),
        "sockopt" => sockopt::run(&read(matches), global),
        "explain" => explain::run(&read(matches), global),
        "why" => why::run(&read(matches), global),
        "models" => models::run(&read(matches), global),
        "doctor" => doctor::run(&read(matches), global),
        "lab" => lab::run(&read(matches), global),
        name => {
            let (example, side) =
                args::find(name).context("every subcommand is a row of the table")?;
            let (side, matches) = match (side, matches.subcommand()) {
                (Some(side), _) => (side, matches),
                (None, Some(_)) if args::typed(example, matches) => bail!(Usage(say!(
                    Lang::current(),
                    "{name} takes either a HOST and options or a command: see {name} --help",
                    "{name} 后面要么是 HOST 和选项，要么是一个命令：见 {name} --help",
                ))),
                (None, Some(named)) => named,
                (None, None) if args::typed(example, matches) => ("client", matches),
                (None, None) => {
                    let told = (Telling::default(), Serve::default());
                    return demos::show(example, &Picture::default(), told, false, global);
                }
            };
            match side {
                "server" => sides::serve(example, matches, global),
                "client" => sides::speak(example, matches, global),
                "demo" => {
                    let v6 = demos::over_v6(matches);
                    let told = (read(matches), read(matches));
                    demos::show(example, &read(matches), told, v6, global)
                }
                "explain" => explain::teach(example, &read(matches), global),
                tool => sides::work(example, tool, matches, global),
            }
        }
    }
}

/// The arguments of a command.
fn read<A: FromArgMatches>(matches: &ArgMatches) -> A {
    A::from_arg_matches(matches).unwrap_or_else(|error| error.exit())
}
