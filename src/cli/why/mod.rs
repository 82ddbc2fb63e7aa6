//! `netplay why`: not what an error means in general but what stands behind it here and now.
//!
//! Who holds the port, as [`crate::inspect`] finds it; whether a bind would work, by trying; which limit
//! of this machine an error speaks of; and the next command. The hints after a failed bind or connect are
//! made of the same facts.

mod bind;
mod errno;
mod last;
mod path;
mod port;
mod words;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::error::ErrorKind;
use nix::errno::Errno;
use serde_json::{Value, json};

use super::args::Global;
use crate::escape::{escape, escape_unicode};
pub(super) use errno::privileged_port;
pub(super) use last::remember;
pub(super) use path::{hint as path_hint, quoted};
pub(super) use port::{bind_hint, connect_hint, refused_hint};

const TRY: &str = "\
Try:
  netplay why                        the last failure, explained as of now
  netplay why 5858                   who holds the port, and whether a bind would work
  netplay why EADDRINUSE             what on this machine bears on an error
  netplay why /run/user/1000/x.sock  who listens at a path; @NAME is an abstract name

A number up to 133 is both: why 98 answers for the error and for the port, why :98 for the port alone.";

/// How long `why` may look through the processes: a machine with very many gets an answer all the same.
const PATIENCE: Duration = Duration::from_secs(5);

/// The arguments of `netplay why`.
#[derive(Debug, clap::Args)]
#[command(about = "Say who holds a port, what refused a call, and what to do next")]
#[command(after_help = TRY)]
pub struct Args {
    /// A port, an error by name or number, or the path of a socket [default: the last failure]
    #[arg(value_name = "PORT|ERRNO|PATH")]
    what: Option<String>,

    /// Print the same facts as a JSON object
    #[arg(long)]
    json: bool,
}

/// What is asked.
#[derive(Debug)]
pub struct Question {
    what: Vec<What>,
    json: bool,
}

#[derive(Debug)]
enum What {
    Port(u16),
    Errno(Errno),
    Path(PathBuf),
    /// A UNIX domain socket's name without a file.
    Abstract(Vec<u8>),
    Last,
}

impl Args {
    /// Reads the word.
    ///
    /// # Errors
    /// It is no port, no error and no path.
    pub fn question(self) -> Result<Question, clap::Error> {
        let what = match self.what.as_deref() {
            None => vec![What::Last],
            Some(word) => read(word).ok_or_else(|| {
                let word = escape(word.as_bytes());
                let what = format!(
                    "\"{word}\" is no port (0 to 65535), no error (as EADDRINUSE) and no path (with a /)\n"
                );
                clap::Error::raw(ErrorKind::InvalidValue, what)
            })?,
        };
        Ok(Question { what, json: self.json })
    }
}

fn read(word: &str) -> Option<Vec<What>> {
    if word.contains('/') {
        return Some(vec![What::Path(word.into())]);
    }
    if let Some(name @ [_, ..]) = word.strip_prefix('@').map(str::as_bytes) {
        return Some(vec![What::Abstract(name.to_vec())]);
    }
    if let Ok(number) = word.parse::<u16>() {
        let errno = errno::numbered(number.into()).map(What::Errno);
        return Some(errno.into_iter().chain([What::Port(number)]).collect());
    }
    let port = word.strip_prefix(':').and_then(|port| port.parse().ok());
    let port = port.or_else(|| word.parse::<SocketAddr>().ok().map(|address| address.port()));
    if let Some(port) = port {
        return Some(vec![What::Port(port)]);
    }
    errno::named(word).map(|errno| vec![What::Errno(errno)])
}

/// What was found, for people and for programs.
struct Answer {
    /// Under which name the facts stand in JSON.
    key: &'static str,
    text: String,
    facts: Value,
}

/// Answers.
///
/// # Errors
/// The kernel does not tell of its sockets at all, or `out` cannot be written.
pub(super) fn run(question: &Question, global: &Global, out: &mut dyn Write) -> Result<()> {
    let mut answers = Vec::new();
    for what in &question.what {
        match what {
            What::Port(port) => answers.push(port::answer(*port)?),
            What::Errno(errno) => answers.push(errno::answer(*errno)?),
            What::Path(path) => answers.push(path::answer(path)?),
            What::Abstract(name) => answers.push(path::answer_abstract(name)?),
            What::Last => match last::read() {
                Some(failure) => answers.extend(failure.answers()?),
                None => answers.push(port::everything()?),
            },
        }
    }
    if question.json {
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
