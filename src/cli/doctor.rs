//! `netplay doctor`: what this machine lets netplay do, and what mends it.

use std::io::Write;

use anyhow::Result;

use super::args::Global;
use super::known_columns;
use crate::columns;
use crate::doctor::{Terminal, Verdict, examine};
use crate::output::stdout;

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
    let terminal = Terminal {
        is_one,
        columns: known_columns(),
        utf8: super::args::utf8_locale(),
        color: global.color.use_on(is_one),
        lang: global.language(),
    };
    let checks = examine(&terminal);
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&checks)?)?;
        return Ok(());
    }
    let names = checks.iter().map(|check| check.what.len()).max().unwrap_or_default();
    for check in &checks {
        let mark = mark(check.verdict, global.plain());
        writeln!(out, "{mark} {:<names$}  {}", check.what, check.found)?;
        if global.quiet && check.verdict == Verdict::Good {
            continue;
        }
        let indent = columns::width(mark) + 1 + names + 2;
        for line in wrapped(&check.effect, indent) {
            writeln!(out, "{:indent$}{line}", "")?;
        }
        if let Some(mend) = &check.mend {
            writeln!(out, "{:indent$}mend it: {mend}", "")?; // in one line, to be copied
        }
    }
    let lacking = checks.iter().filter(|check| check.verdict != Verdict::Good).count();
    if !global.quiet {
        let all = checks.len();
        writeln!(
            out,
            "\n{} of {all} are as netplay wants them. Try next: netplay lab",
            all - lacking
        )?;
    }
    Ok(())
}

fn mark(verdict: Verdict, ascii: bool) -> &'static str {
    match (verdict, ascii) {
        (Verdict::Good, false) => "✓",
        (Verdict::Less, false) => "~",
        (Verdict::Missing, false) => "✗",
        (Verdict::Good, true) => "ok  ",
        (Verdict::Less, true) => "less",
        (Verdict::Missing, true) => "NONE",
    }
}

fn wrapped(text: &str, indent: usize) -> Vec<&str> {
    let room = known_columns().unwrap_or(80).clamp(40, 100).saturating_sub(indent);
    columns::wrap(text, room, room).into_iter().map(|line| text[line].trim_end()).collect()
}
