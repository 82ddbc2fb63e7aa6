//! Who logs in: the options for it, which server and clients share, and where a password is read from.

use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use netplay_shared::client::ask_unseen;
use netplay_shared::files::first_line;
use netplay_text::escape::escape;
use netplay_trace::remark;

use crate::telnet;

/// The user that there is when none is named.
pub const USER: &str = "netplay";

/// Who needs no password, and by custom says an address in its place.
pub(crate) const ANONYMOUS: &str = "anonymous";
pub(crate) const AN_ADDRESS: &str = "netplay@";

impl Login {
    /// The password that was given, if one was: itself, or as the first line of a file.
    ///
    /// # Errors
    /// The file cannot be read, or its first line is empty, too long or not UTF-8.
    pub fn password(&self) -> Result<Option<String>> {
        match &self.password_file {
            Some(file) => password_in(file).map(Some),
            None => {
                self.password.iter().for_each(|_| can_be_seen("--password"));
                Ok(self.password.clone())
            }
        }
    }
}

/// The first line of this file.
pub(crate) fn password_in(file: &Path) -> Result<String> {
    let name = escape(file.as_os_str().as_bytes());
    let line = first_line(file, telnet::LONGEST) // no command has room for more
        .with_context(|| format!("cannot read the password from {name}"))?;
    ensure!(!line.is_empty(), "{name} has no password in its first line");
    String::from_utf8(line).with_context(|| format!("the password in {name} is not UTF-8"))
}

/// Arguments are no secret: /proc shows those of every process to every user.
pub(crate) fn can_be_seen(what: &str) {
    remark(format_args!(
        "warning: everybody on this machine can see {what} in the process list (ps); --password-file FILE \
         keeps it out of there"
    ));
}

/// The password of this user: the one that was given, or the one that is typed now, unseen.
pub(crate) fn password_of(user: &str, given: Option<String>) -> Result<String> {
    match given {
        Some(password) => Ok(password),
        None if std::io::stdin().is_terminal() => {
            Ok(ask_unseen(&format!("password of {}: ", escape(user.as_bytes())))?)
        }
        None => bail!("user {user} needs a password: --password-file has it"),
    }
}

/// A name of one byte at least.
fn user(name: &str) -> Result<String> {
    ensure!(!name.is_empty(), "a user has a name");
    Ok(name.to_owned())
}

/// `60`, `0.5`: above 0, and no less than the kernel's clocks can tell from it.
///
/// # Errors
/// It is anything else.
pub fn seconds(text: &str) -> Result<Duration> {
    match text.parse() {
        Ok(seconds @ 1e-6..=1e9) => Ok(Duration::from_secs_f64(seconds)),
        _ => bail!("it takes a number of seconds above 0, such as 60 or 0.5"),
    }
}

/// `3`.
///
/// # Errors
/// It is anything else.
pub fn number(text: &str) -> Result<usize> {
    match text.parse() {
        Ok(n @ 1..) => Ok(n),
        _ => bail!("it takes a number above 0"),
    }
}

/// The options of both sides.
#[derive(Debug, Args)]
pub struct Login {
    /// Who may log in [default: netplay]
    #[arg(long, value_name = "NAME", value_parser = user)]
    pub user: Option<String>,
    /// The password; without one, the server makes one for this run
    #[arg(long, value_name = "TEXT")]
    password: Option<String>,
    /// A file with the password in its first line
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}
