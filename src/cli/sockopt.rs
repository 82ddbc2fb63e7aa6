//! `netplay sockopt`: every option of a socket, its default, and what the kernel makes of another value.

use std::io::Write;

use anyhow::Context;
use serde_json::{Value, json};

use super::global::Global;
use super::global::listen_for_those_who_ask;
use crate::call::OptValue;
use crate::client::Usage;
use crate::examples::next;
use crate::examples::sockopt::told::{explained, facts, sentence, table};
use crate::examples::sockopt::words::Request;
use crate::examples::sockopt::{Options, ROW};
use crate::output::stdout;
use crate::trace::Speaker;

/// Prints what was asked for.
///
/// # Errors
/// No socket can be made, or standard output cannot be written.
pub(super) fn run(args: &Options, global: &Global) -> anyhow::Result<()> {
    let request = Request::read(&args.words).map_err(Usage)?;
    listen_for_those_who_ask(global, Speaker { role: "client", example: ROW.name() })?;
    let rows = request.rows()?;
    let mut out = stdout();
    if args.json {
        let rows: Vec<Value> = rows.iter().map(facts).collect();
        writeln!(out, "{:#}", json!({ "rows": rows }))?;
        return Ok(());
    }
    let voice = global.voice(out.is_terminal());
    let next = match request.option {
        None => {
            write!(out, "{}", table(&rows, voice))?;
            next(ROW.name())
        }
        Some(option) if request.value.is_some() => {
            rows.iter().try_for_each(|row| write!(out, "{}", sentence(row, voice)))?;
            format!("netplay sockopt {}", option.name())
        }
        Some(option) => {
            let first = rows.first().context("every option belongs to some socket")?;
            write!(out, "{}", explained(option, &rows, voice))?;
            match (&first.asked, first.kernel.is_ok()) {
                (OptValue::Int(n), true) => format!("netplay sockopt {}={n}", option.name()),
                _ => "netplay sockopt SO_RCVBUF=5000".to_owned(),
            }
        }
    };
    if !global.quiet {
        let head = voice.lang.pick("try next: ", "接下来试试：");
        write!(out, "\n{}", voice.lines(&format!("{head}{next}")))?;
    }
    Ok(())
}
