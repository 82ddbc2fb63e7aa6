//! `netplay sockopt`: every option of a socket, what it is by default, and what the kernel makes of another value.

use std::io::Write;

use anyhow::Context;
use clap::builder::StringValueParser;
use clap::error::ErrorKind;
use serde_json::{Value, json};

use super::args::{Global, Offer};
use super::listen_for_those_who_ask;
use crate::call::OptValue;
use crate::examples::next;
use crate::examples::sockopt::ROW;
use crate::examples::sockopt::told::{explained, facts, sentence, table};
use crate::examples::sockopt::words::{Request, names};
use crate::output::stdout;
use crate::trace::Speaker;

const TRY: &str = "\
Try:
  netplay sockopt tcp                every option of a TCP socket
  netplay sockopt SO_RCVBUF          what it is, and how to set it
  netplay sockopt SO_RCVBUF=5000     what the kernel makes of that
  netplay sockopt -v SO_LINGER=5     the same, call by call";

/// The arguments of `netplay sockopt`.
#[derive(Debug, clap::Args)]
#[command(about = "Ask every socket option, set it, and see what the kernel made of it")]
#[command(after_help = TRY)]
pub struct Args {
    /// tcp, udp, unix (all three unless named), and one option to explain, or to set and ask back
    #[arg(value_name = "tcp|udp|unix|OPTION|OPTION=VALUE", hide_possible_values = true)]
    #[arg(value_parser = Offer::new(StringValueParser::new(), names))]
    words: Vec<String>,

    /// Print the same facts as a JSON object
    #[arg(long)]
    json: bool,
}

/// Prints what was asked for.
///
/// # Errors
/// No socket can be made, or standard output cannot be written.
pub(super) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let request = Request::read(&args.words).unwrap_or_else(|what| refuse(&what));
    listen_for_those_who_ask(global, Speaker { role: "client", example: ROW.name() })?;
    let rows = request.rows()?;
    let mut out = stdout();
    if args.json {
        let rows: Vec<Value> = rows.iter().map(facts).collect();
        writeln!(out, "{:#}", json!({ "rows": rows }))?;
        return Ok(());
    }
    let next = match request.option {
        None => {
            write!(out, "{}", table(&rows))?;
            next(ROW.name())
        }
        Some(option) if request.value.is_some() => {
            rows.iter().try_for_each(|row| writeln!(out, "{}", sentence(row)))?;
            format!("netplay sockopt {}", option.name())
        }
        Some(option) => {
            let first = rows.first().context("every option belongs to some socket")?;
            write!(out, "{}", explained(option, &rows))?;
            match (&first.asked, first.kernel.is_ok()) {
                (OptValue::Int(n), true) => format!("netplay sockopt {}={n}", option.name()),
                _ => "netplay sockopt SO_RCVBUF=5000".to_owned(),
            }
        }
    };
    if !global.quiet {
        writeln!(out, "\ntry next: {next}")?;
    }
    Ok(())
}

/// Ends the program: the words name nothing that there is.
fn refuse(what: &str) -> ! {
    clap::Error::raw(ErrorKind::InvalidValue, format!("{what}\n")).exit()
}
