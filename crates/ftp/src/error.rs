//! What can go wrong for a client, and what it was about.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::string::FromUtf8Error;
use std::time::Duration;

use netplay_call::CallError;
use netplay_shared::address::AddressError;
use netplay_shared::client::{TalkError, Usage};
use netplay_shared::files::FileError;
use netplay_text::escape::{escape, file_name};
use netplay_text::words::with_causes;
use nix::errno::Errno;
use tempfile::PathPersistError;

use crate::names::{NameError, quoted};

/// Why a client has not done what it was told. `{error:#}` says what lies behind it as well, as that of anyhow does.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// What was being done, and what went wrong with it.
    About(About, Box<Error>),

    // ---- errors as they stand
    /// A call on a socket has failed.
    Call(CallError),
    /// The address of the server.
    Address(AddressError),
    /// A file, a folder or standard output.
    Io(io::Error),
    /// A conversation at the terminal.
    Talk(TalkError),
    /// The command line.
    Usage(Usage),
    /// A name as it was typed.
    Name(NameError),
    /// A download could not get its name.
    Persist(PathPersistError),

    // ---- the password
    /// This file with a password cannot be read.
    PasswordFile(PathBuf, FileError),
    /// This file has no password in its first line.
    NoPasswordIn(PathBuf),
    /// The password in this file is not UTF-8.
    PasswordNotText(PathBuf, FromUtf8Error),
    /// This user needs a password, and no one is there to type it.
    NoPassword(String),

    // ---- what the server says
    /// The server has closed the control connection.
    Gone,
    /// The server has said no, in these words.
    Refused(String),
    /// What has this host is not found within the timeout.
    Unresolved(String),
    /// No reply came, or none that was whole within so much time.
    Late(Option<Duration>),
    /// The greeting is none of FTP.
    NoFtp(String),
    /// A reply has no end.
    EndlessReply,
    /// A line of a reply is too long.
    LongLine,
    /// A line of a reply has no end.
    EndlessLine,
    /// A listing has no end.
    EndlessListing,
    /// A reply to PASV has no six numbers in it.
    NoSixNumbers(String),
    /// A reply to EPSV has no port in it.
    NoPort(String),
    /// The server sends more than it said there was.
    TooMuch,
    /// A name has a byte in it that FTP cannot say.
    Unsayable,

    // ---- files here
    /// This is no ordinary file.
    NotOrdinary(PathBuf),
    /// A file here cannot be replaced, or gone on behind.
    Unfit(Unfit),
    /// There are so many parts already, which is too many, of this file.
    Parts(usize, PathBuf),
    /// Another download writes to this file.
    Busy(PathBuf),
    /// This file cannot be locked.
    Lock(PathBuf, Errno),
    /// This file is not the one any more that was written.
    Moved(PathBuf),
    /// This path has no name for a file at its end.
    NoFileName(PathBuf),

    // ---- what came of a transfer
    /// The file there has changed while it was fetched.
    Changed,
    /// The file here has changed while it was sent.
    ChangedHere,
    /// So many bytes came, and the server says that the file has another size.
    Came(u64, u64),
    /// So many bytes were sent, and the server says that the file has another size.
    Sent(u64, u64),
    /// A file is not the same here and there.
    Different(Vec<u8>),
    /// What the server sends is not what was fetched before.
    OtherFile,
    /// As much was received as was wanted.
    Enough,
    /// So many of so many files did not arrive.
    Arrived(usize, usize),
    /// The program has got its own steps wrong.
    Confused(&'static str),

    // ---- the menu
    /// An empty name.
    EmptyName,
    /// A line that means nothing.
    NotOnTheMenu,
}

/// What was being done when something went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum About {
    /// Reading this file.
    Read(PathBuf),
    /// Writing to this file.
    Write(PathBuf),
    /// Writing to standard output.
    WriteOutput,
    /// Writing to the part of a download.
    WritePart,
    /// Going on behind this part.
    GoOn(PathBuf),
    /// Opening the data connection.
    DataConnection,
    /// Sending a command.
    Command,
    /// Waiting for a reply, within so much time.
    Reply(Option<Duration>),
    /// Moving bytes over the data connection.
    Transfer,
    /// EPSV, because PASV had come to this.
    NoPasv(Box<Error>),
    /// A file, or a line of the menu.
    Job(String),
}

/// Why a file here cannot be replaced, or gone on behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It is a link to an open file.
    OpenFile,
    /// It is no ordinary file.
    NotOrdinary,
    /// It belongs to another user.
    OtherUser,
    /// It has a second name.
    SecondName,
}

/// What comes of a client's step.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The innermost of these errors: this one, without what it was about.
    #[must_use]
    pub fn root(&self) -> &Error {
        match self {
            Error::About(_, error) => error.root(),
            error => error,
        }
    }

    /// The error that this one is, where it is another one as it stands: a call's, a file's, the command line's.
    #[must_use]
    pub fn itself(&self) -> &(dyn StdError + 'static) {
        match self {
            Error::Call(error) => error,
            Error::Address(error) => error,
            Error::Io(error) => error,
            Error::Talk(error) => error.itself(),
            Error::Usage(error) => error,
            Error::Name(error) => error,
            Error::Persist(error) => error,
            other => other,
        }
    }

    /// The same, and what it was about.
    pub(crate) fn about(self, what: About) -> Error {
        Error::About(what, Box::new(self))
    }

    /// The call that has failed, if one has.
    pub(crate) fn call(&self) -> Option<&CallError> {
        match self.root() {
            Error::Call(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the server has said no.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.root(), Error::Refused(_))
    }
}

/// Results that can say what they are about.
pub(crate) trait Telling<T> {
    /// The same result; an error says what it was about.
    fn about(self, what: impl FnOnce() -> About) -> Result<T>;
}

impl<T, E: Into<Error>> Telling<T> for Result<T, E> {
    fn about(self, what: impl FnOnce() -> About) -> Result<T> {
        self.map_err(|error| error.into().about(what()))
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Error {
        Error::Call(error)
    }
}

impl From<AddressError> for Error {
    fn from(error: AddressError) -> Error {
        Error::Address(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Io(error)
    }
}

impl From<TalkError> for Error {
    fn from(error: TalkError) -> Error {
        Error::Talk(error)
    }
}

impl From<Usage> for Error {
    fn from(error: Usage) -> Error {
        Error::Usage(error)
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Error {
        Error::Name(error)
    }
}

impl From<PathPersistError> for Error {
    fn from(error: PathPersistError) -> Error {
        Error::Persist(error)
    }
}

impl From<Unfit> for Error {
    fn from(error: Unfit) -> Error {
        Error::Unfit(error)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::About(_, error) => Some(&**error),
            Error::Call(_) | Error::Address(_) | Error::Io(_) | Error::Talk(_) => {
                self.itself().source()
            }
            Error::Usage(_) | Error::Name(_) | Error::Persist(_) => self.itself().source(),
            Error::PasswordFile(_, error) => Some(error),
            Error::PasswordNotText(_, error) => Some(error),
            Error::Lock(_, errno) => Some(errno),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return f.write_str(&with_causes(self));
        }
        let bytes = |path: &PathBuf| escape(path.as_os_str().as_encoded_bytes());
        match self {
            Error::About(what, _) => what.fmt(f),

            Error::Call(_) | Error::Address(_) | Error::Io(_) | Error::Talk(_) => {
                write!(f, "{}", self.itself())
            }
            Error::Usage(_) | Error::Name(_) | Error::Persist(_) => write!(f, "{}", self.itself()),

            Error::PasswordFile(file, _) => {
                write!(f, "cannot read the password from {}", bytes(file))
            }
            Error::NoPasswordIn(file) => {
                write!(f, "{} has no password in its first line", bytes(file))
            }
            Error::PasswordNotText(file, _) => {
                write!(f, "the password in {} is not UTF-8", bytes(file))
            }
            Error::NoPassword(user) => {
                write!(f, "user {user} needs a password: --password-file has it")
            }

            Error::Gone => f.write_str("the server has closed the connection"),
            Error::Refused(told) => write!(f, "the server says: {told}"),
            Error::Unresolved(host) => {
                write!(f, "the address of {host} was not found within --timeout")
            }
            Error::Late(limit) => late(*limit, f),
            Error::NoFtp(told) => write!(f, "this is no FTP server: it says {told}"),
            Error::EndlessReply => f.write_str("the server's reply has no end"),
            Error::LongLine => f.write_str("a line of the server is too long"),
            Error::EndlessLine => f.write_str("a line of the server has no end"),
            Error::EndlessListing => f.write_str("the listing has no end"),
            Error::NoSixNumbers(told) => write!(f, "these are not six numbers: {told}"),
            Error::NoPort(told) => write!(f, "there is no port in this: {told}"),
            Error::TooMuch => f.write_str("the server sends more bytes than it said there are"),
            Error::Unsayable => {
                f.write_str("over FTP no name has a line end in it, and none has a byte 0")
            }

            Error::NotOrdinary(file) => write!(f, "{} is no ordinary file", file_name(file)),
            Error::Unfit(why) => why.fmt(f),
            Error::Parts(parts, of) => {
                write!(f, "there are {parts} parts of {} already", file_name(of))
            }
            Error::Busy(file) => write!(f, "another download writes to {}", file_name(file)),
            Error::Lock(file, _) => write!(f, "cannot lock {}", file_name(file)),
            Error::Moved(file) => write!(
                f,
                "{} is not what was written any more: it was moved, removed or replaced",
                file_name(file)
            ),
            Error::NoFileName(path) => write!(f, "{} is no name for a file", file_name(path)),

            Error::Changed => f.write_str("the file there has changed while it was fetched"),
            Error::ChangedHere => f.write_str("the file has changed while it was sent"),
            Error::Came(bytes, size) => {
                write!(f, "{bytes} bytes came, but the server says that it has {size}")
            }
            Error::Sent(bytes, size) => {
                write!(f, "{bytes} bytes were sent, but the server says that it has {size}")
            }
            Error::Different(name) => {
                write!(f, "{} is not the same here and there", quoted(name))
            }
            Error::OtherFile => f.write_str("it is another file"),
            Error::Enough => f.write_str("this is enough"),
            Error::Arrived(failed, of) => write!(f, "{failed} of {of} files did not arrive"),
            Error::Confused(what) => f.write_str(what),

            Error::EmptyName => f.write_str("\"\" is no name"),
            Error::NotOnTheMenu => f.write_str("this is not on the menu; say help"),
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            About::Read(file) => write!(f, "cannot read {}", file_name(file)),
            About::Write(file) => write!(f, "cannot write to {}", file_name(file)),
            About::WriteOutput => f.write_str("cannot write to standard output"),
            About::WritePart => f.write_str("cannot write to the part of it"),
            About::GoOn(part) => write!(f, "cannot go on behind {}", file_name(part)),
            About::DataConnection => f.write_str("the data connection"),
            About::Command => f.write_str("the server reads nothing"),
            About::Reply(limit) => late(*limit, f),
            About::Transfer => f.write_str("no byte of it has moved within --timeout"),
            About::NoPasv(error) => write!(f, "{error}"),
            About::Job(job) => f.write_str(job),
        }
    }
}

fn late(limit: Option<Duration>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match limit {
        Some(limit) => {
            write!(f, "the server's reply was not whole after {} s", limit.as_secs_f64())
        }
        None => f.write_str("the server does not reply"),
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unfit::OpenFile => "it is a link to an open file",
            Unfit::NotOrdinary => "it is no ordinary file",
            Unfit::OtherUser => "it belongs to another user",
            Unfit::SecondName => "it has a second name (a hard link)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_it_was_about_and_what_lies_behind() {
        let full = io::Error::from_raw_os_error(libc::ENOSPC);
        let written = Err::<(), _>(full).about(|| About::Write("a b".into())).unwrap_err();
        let error = written.about(About::Job("get a".into()));
        assert_eq!(
            format!("{error:#}"),
            "get a: cannot write to a b: No space left on device (os error 28)"
        );
        assert_eq!(error.to_string(), "get a");
        assert!(matches!(error.root(), Error::Io(_)));

        let refused = || Error::Refused("500 no".into());
        let error = refused().about(About::NoPasv(Box::new(refused())));
        assert!(error.is_refused() && error.call().is_none());
        assert_eq!(format!("{error:#}"), "the server says: 500 no: the server says: 500 no");
    }

    #[test]
    fn what_stands_for_another_error_adds_no_word_to_it() {
        let io = io::Error::other(FileError::TooLong(5));
        let told = with_causes(&io);
        let error = Error::from(io);
        assert_eq!(format!("{error:#}"), told);
        assert!(error.itself().is::<io::Error>());
    }
}
