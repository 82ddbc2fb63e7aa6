//! `netplay doctor`: what this machine lets netplay do, and what mends it.

use std::io::Write;

use anyhow::Result;

use super::global::Global;
use crate::doctor::{Look, Terminal, examine, told};
use crate::output::stdout;
use crate::terminal::{columns, takes_utf8};

/// Look at this machine: what it lets netplay do, and the line that mends what is missing
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
    let checks = examine(&Terminal {
        is_one,
        columns: columns(),
        utf8: takes_utf8(),
        color: global.color.use_on(is_one),
        lang: global.language(),
    });
    let look =
        Look { columns: columns().unwrap_or(80), ascii: global.plain(), brief: global.quiet };
    let text = match args.json {
        true => serde_json::to_string_pretty(&checks)? + "\n",
        false => told(&checks, look),
    };
    Ok(out.write_all(text.as_bytes())?)
}
