//! Who logs in: the options for it, which server and clients share, and where a password is read from.

use std::error::Error as StdError;
use std::fmt;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use netplay_shared::client::ask_unseen;
use netplay_shared::files::first_line;
use netplay_text::escape::escape;
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_trace::remark;

use crate::error::{Error, Result};
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
                self.password.iter().for_each(|_| can_be_seen(&Secret::Option));
                Ok(self.password.clone())
            }
        }
    }
}

/// The first line of this file.
pub(crate) fn password_in(file: &Path) -> Result<String> {
    let line = first_line(file, telnet::LONGEST) // no command has room for more
        .map_err(|error| Error::PasswordFile(file.to_owned(), error))?;
    if line.is_empty() {
        return Err(Error::NoPasswordIn(file.to_owned()));
    }
    String::from_utf8(line).map_err(|error| Error::PasswordNotText(file.to_owned(), error))
}

/// Where a password stands that every user can see.
pub(crate) enum Secret {
    /// In `--password`.
    Option,
    /// In a URL.
    InUrl,
}

/// Arguments are no secret: /proc shows those of every process to every user.
pub(crate) fn can_be_seen(what: &Secret) {
    let lang = Lang::current();
    let what = match what {
        Secret::Option => lang.pick("--password", " --password "),
        Secret::InUrl => lang.pick("a password in a URL", " URL 中的密码"),
    };
    remark(say!(
        Lang::current(),
        "warning: every user of this machine can see {what} in the process list (ps); --password-file FILE avoids that",
        "警告：本机的任何用户都能在进程列表 (ps) 里看到{what}；用 --password-file FILE 可以避免",
    ));
}

/// The password of this user: the one that was given, or the one that is typed now, unseen.
pub(crate) fn password_of(user: &str, given: Option<String>) -> Result<String> {
    match given {
        Some(password) => Ok(password),
        None if std::io::stdin().is_terminal() => {
            let user = escape(user.as_bytes());
            Ok(ask_unseen(&say!(Lang::current(), "password of {user}: ", "{user} 的密码："))?)
        }
        None => Err(Error::NoPassword(user.to_owned())),
    }
}

/// What is wrong with the value of an option. The command line says so in English, as clap does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueError {
    /// The name of a user is empty.
    User,
    /// It is no number of seconds.
    Seconds,
    /// It is no number above 0.
    Number,
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueError::User => "the name of a user cannot be empty",
            ValueError::Seconds => "it must be a number of seconds above 0, such as 60 or 0.5",
            ValueError::Number => "it must be a number above 0",
        })
    }
}

impl StdError for ValueError {}

/// A name of one byte at least.
fn user(name: &str) -> Result<String, ValueError> {
    if name.is_empty() { Err(ValueError::User) } else { Ok(name.to_owned()) }
}

/// `60`, `0.5`: above 0, and no less than the kernel's clocks can tell from it.
///
/// # Errors
/// It is anything else.
pub fn seconds(text: &str) -> Result<Duration, ValueError> {
    match text.parse() {
        Ok(seconds @ 1e-6..=1e9) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(ValueError::Seconds),
    }
}

/// `3`.
///
/// # Errors
/// It is anything else.
pub fn number(text: &str) -> Result<usize, ValueError> {
    match text.parse() {
        Ok(n @ 1..) => Ok(n),
        _ => Err(ValueError::Number),
    }
}

/// The options of both sides.
#[derive(Debug, Args)]
pub struct Login {
    /// The user [default: netplay; a client without a password logs in as anonymous]
    #[arg(long, value_name = "NAME", value_parser = user)]
    pub user: Option<String>,
    /// The password; without one, the server makes one for this run, and the client asks for it
    #[arg(long, value_name = "TEXT")]
    password: Option<String>,
    /// A file with the password in its first line
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}
