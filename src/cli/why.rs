//! `netplay why`: not what an error means in general but what causes it here and now.

use std::io::Write;

use anyhow::{Context, Result};
use serde_json::json;

use super::global::Global;
use super::global::listen_for_those_who_ask;
use crate::client::Usage;
use crate::escape::{escape, escape_unicode};
use crate::lang::{Lang, Voice};
use crate::output::stdout;
use crate::trace::Speaker;
use crate::why::What;

const TRY: &str = "\
Try:
  netplay why                        the last failure, explained as of now
  netplay why 5858                   which program has the port, and whether a bind would work
  netplay why EADDRINUSE             what on this machine causes an error
  netplay why /run/user/1000/x.sock  which program listens at a path; @NAME is an abstract name

A number up to 133 is both: why 98 answers for the error and for the port, why :98 for the port alone.";

/// The arguments of `netplay why`.
#[derive(Debug, clap::Args)]
#[command(about = "Find out which program has a port, what refused a call, and what to do next")]
#[command(after_help = TRY)]
pub struct Args {
    /// A port, an error by name or number, or the path of a socket [default: the last failure]
    #[arg(value_name = "PORT|ERRNO|PATH")]
    what: Option<String>,

    /// Print the same facts as a JSON object
    #[arg(long)]
    json: bool,
}

/// Answers.
///
/// # Errors
/// The kernel lists no sockets at all, or standard output cannot be written.
pub(super) fn run(args: &Args, global: &Global) -> Result<()> {
    let asked = match args.what.as_deref() {
        None => vec![What::Last],
        Some(word) => What::of(word).with_context(|| {
            let word = escape(word.as_bytes());
            Usage(format!(
                "\"{word}\" is no port (0 to 65535), no error (as EADDRINUSE) and no path (with a /)"
            ))
        })?,
    };
    if global.verbose > 0 || global.trace.is_some() {
        listen_for_those_who_ask(global, Speaker { role: "client", example: "why" })?;
    }
    let mut answers = Vec::new();
    let mut out = stdout();
    let voice = global.voice(out.is_terminal());
    // A program that reads the facts reads the same words in every locale.
    let voice = if args.json { Voice { lang: Lang::En, ..voice } } else { voice };
    for what in asked {
        answers.extend(what.answers(voice)?);
    }
    if args.json {
        let mut object = json!({});
        for answer in answers {
            object[answer.key] = answer.facts;
        }
        writeln!(out, "{object:#}")?;
        return Ok(());
    }
    for (i, answer) in answers.iter().enumerate() {
        let text = &answer.text;
        let text = if global.plain() { escape_unicode(text) } else { text.clone() };
        write!(out, "{}{text}", if i > 0 { "\n" } else { "" })?;
    }
    Ok(())
}
