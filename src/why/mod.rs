//! `why`: not what an error means in general but what stands behind it here and now.
//!
//! Which program holds the port, as [`crate::inspect`] finds it; whether a bind would work, by trying; which limit
//! of this machine an error speaks of; and the next command. The hints after a failed bind or connect are
//! made of the same facts.

mod answer;
mod bind;
mod cause;
mod errno;
mod hint;
mod last;
mod machine;
mod path;
mod port;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use nix::errno::Errno;

use crate::lang::Voice;
use crate::record::errno_named;
pub use answer::Answer;
pub use cause::cause;
pub use hint::{cannot_run, hint};
pub use last::remember;

/// What is asked about.
#[derive(Debug)]
pub enum What {
    /// A port: who has it.
    Port(u16),
    /// An error: what here bears on it.
    Errno(Errno),
    /// The path of a UNIX domain socket.
    Path(PathBuf),
    /// A UNIX domain socket's name without a file.
    Abstract(Vec<u8>),
    /// The last failure of a command, if there was one.
    Last,
}

impl What {
    /// What a word asks about; a number may be both an error and a port. `None`: nothing that is known here.
    #[must_use]
    pub fn of(word: &str) -> Option<Vec<What>> {
        if word.contains('/') {
            return Some(vec![What::Path(word.into())]);
        }
        if let Some(name @ [_, ..]) = word.strip_prefix('@').map(str::as_bytes) {
            return Some(vec![What::Abstract(name.to_vec())]);
        }
        if let Ok(number) = word.parse::<u16>() {
            let errno = errno_named(&number.to_string()).map(What::Errno);
            return Some(errno.into_iter().chain([What::Port(number)]).collect());
        }
        let port = word.strip_prefix(':').and_then(|port| port.parse().ok());
        let port = port.or_else(|| word.parse::<SocketAddr>().ok().map(|address| address.port()));
        port.map(What::Port).or_else(|| errno_named(word).map(What::Errno)).map(|what| vec![what])
    }

    /// What there is to say of it, as of now.
    ///
    /// # Errors
    /// The kernel lists no sockets at all.
    pub fn answers(&self, voice: Voice) -> Result<Vec<Answer>> {
        Ok(match self {
            What::Port(port) => vec![port::answer(*port, voice)?],
            What::Errno(errno) => vec![errno::answer(*errno, voice)],
            What::Path(path) => vec![path::answer(path, voice)?],
            What::Abstract(name) => vec![path::answer_abstract(name, voice)?],
            What::Last => match last::read() {
                Some(failure) => failure.answers(voice)?,
                None => vec![port::everything(voice)?],
            },
        })
    }
}
