//! `netplay doctor`: what works on this machine, and how to fix what does not.

use std::io::Write;

use anyhow::Result;

use super::global::Global;
use crate::doctor::{Look, Terminal, examine, told};
use crate::lang::{Lang, Voice};
use crate::output::stdout;
use crate::terminal::{columns, takes_utf8};

/// Check what works on this machine, and how to fix what does not
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

/// Looks, and tells.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn run(args: &Args, global: &Global) -> Result<()> {
    let mut out = stdout();
    let is_one = out.is_terminal();
    let terminal = Terminal {
        is_one,
        columns: columns(),
        utf8: takes_utf8(),
        color: global.color.use_on(is_one),
        lang: global.language(),
    };
    // A program that reads the facts reads the same words in every locale.
    let lang = if args.json { Lang::En } else { global.spoken() };
    let checks = examine(&terminal, lang);
    let voice = Voice { lang, columns: columns().unwrap_or(80) };
    let look = Look { voice, ascii: global.plain(), brief: global.quiet };
    let text = match args.json {
        true => serde_json::to_string_pretty(&checks)? + "\n",
        false => told(&checks, look),
    };
    Ok(out.write_all(text.as_bytes())?)
}
