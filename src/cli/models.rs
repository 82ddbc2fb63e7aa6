//! `netplay models`: how its figures are told, here and by the processes that it starts.

use std::io::{self, IsTerminal};

use anyhow::Result;

use super::global::Global;
use super::global::{listen_for_those_who_ask, listen_to_the_record};
use crate::files::try_to_write;
use crate::lang::Lang;
use crate::models::{Manner, Options, measure, receive};
use crate::trace::Speaker;

/// Runs it.
///
/// # Errors
/// No message could be sent, no model can run here, or the figure cannot be written.
pub(super) fn run(options: &Options, global: &Global) -> Result<()> {
    if let Some((model, tcp)) = options.receiver() {
        listen_to_the_record(global, Speaker { role: "server", example: "models" })?;
        return receive(model, tcp);
    }
    options.output.as_deref().map_or(Ok(()), try_to_write)?;
    // A program that reads the facts reads the same words in every locale.
    let lang = if options.for_programs() { Lang::En } else { global.spoken() };
    listen_for_those_who_ask(global, Speaker { role: "client", example: "models" })?;
    measure(
        options,
        Manner {
            quiet: global.quiet,
            watched: io::stderr().is_terminal() || global.verbose > 0,
            calls: global.verbose > 0,
            recorded: global.verbose > 0 || global.trace.is_some(),
            ascii: global.plain(),
            color: global.color.use_on(io::stdout().is_terminal()),
            receivers: receivers_options(global, lang),
            lang,
        },
    )
}

/// The receivers tell their calls as this process does.
fn receivers_options(global: &Global, lang: Lang) -> Vec<String> {
    let mut options = vec!["--lang".to_owned(), lang.code().to_owned()];
    let mut add = |words: &[&str]| options.extend(words.iter().map(|&word| word.to_owned()));
    match global.verbose {
        0 => add(&["-q"]),
        n => (0..n).for_each(|_| add(&["-v"])),
    }
    if global.color.use_on(io::stderr().is_terminal()) {
        add(&["--color", "always"]);
    }
    if global.plain() {
        add(&["--ascii"]);
    }
    if let Some(path) = &global.trace {
        add(&["--trace", &path.display().to_string()]);
    }
    options
}
