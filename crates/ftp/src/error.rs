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
use netplay_shared::failure::{alone, in_words};
use netplay_shared::files::FileError;
use netplay_text::escape::{escape, file_name};
use netplay_text::lang::Lang;
use netplay_text::say;
use nix::errno::Errno;
use tempfile::PathPersistError;

use crate::names::{NameError, quoted};

/// Why a client has not done what it was told, in the language of the process ([`Lang::current`]). `{error:#}` says
/// what lies behind it as well, as that of anyhow does.
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
    /// The greeting is not one of FTP.
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
        let lang = Lang::current();
        if f.alternate() {
            return f.write_str(&in_words(self, lang));
        }
        let bytes = |path: &PathBuf| escape(path.as_os_str().as_encoded_bytes());
        f.write_str(&match self {
            Error::About(what, _) => return what.fmt(f),

            Error::Call(_) | Error::Address(_) | Error::Io(_) | Error::Talk(_) => {
                alone(self.itself(), lang)
            }
            Error::Usage(_) | Error::Name(_) | Error::Persist(_) => alone(self.itself(), lang),

            Error::PasswordFile(file, _) => {
                let file = bytes(file);
                say!(lang, "cannot read the password from {file}", "无法从 {file} 读取密码")
            }
            Error::NoPasswordIn(file) => {
                let file = bytes(file);
                say!(lang, "the first line of {file} is empty: it must be the password", "{file} 的第一行是空的：那里应是密码")
            }
            Error::PasswordNotText(file, _) => {
                let file = bytes(file);
                say!(lang, "the password in {file} is not UTF-8", "{file} 中的密码不是 UTF-8")
            }
            Error::NoPassword(user) => say!(
                lang,
                "user {user} needs a password: give it with --password-file",
                "用户 {user} 需要密码：用 --password-file 给出",
            ),

            Error::Gone => say!(lang, "the server has closed the connection", "服务器关闭了连接"),
            Error::Refused(told) => say!(lang, "the server says: {told}", "服务器答复：{told}"),
            Error::Unresolved(host) => say!(
                lang,
                "the address of {host} was not found within --timeout",
                "在 --timeout 之内没有查到 {host} 的地址",
            ),
            Error::Late(limit) => late(*limit, lang),
            Error::NoFtp(told) => say!(
                lang,
                "this is not an FTP server: it says {told}",
                "这不是 FTP 服务器：它答复 {told}",
            ),
            Error::EndlessReply => {
                say!(lang, "the server's reply does not end", "服务器的答复没有尽头")
            }
            Error::LongLine => {
                say!(lang, "a line from the server is too long", "服务器发来的一行太长")
            }
            Error::EndlessLine => {
                say!(lang, "a line from the server does not end", "服务器发来的一行没有尽头")
            }
            Error::EndlessListing => say!(lang, "the listing does not end", "列表没有尽头"),
            Error::NoSixNumbers(told) => say!(
                lang,
                "the reply to PASV has no six numbers: {told}",
                "对 PASV 的答复中没有六个数：{told}",
            ),
            Error::NoPort(told) => say!(
                lang,
                "the reply to EPSV has no port: {told}",
                "对 EPSV 的答复中没有端口：{told}",
            ),
            Error::TooMuch => say!(
                lang,
                "the server sends more bytes than the size it told",
                "服务器发送的字节数超过了它给出的大小",
            ),
            Error::Unsayable => say!(
                lang,
                "FTP cannot send a name with a line end or a zero byte in it",
                "FTP 无法发送含有换行或零字节的文件名",
            ),

            Error::NotOrdinary(file) => {
                let file = file_name(file);
                say!(lang, "{file} is not an ordinary file", "{file} 不是普通文件")
            }
            Error::Unfit(why) => return why.fmt(f),
            Error::Parts(parts, of) => {
                let of = file_name(of);
                say!(lang, "there are {parts} parts of {of} already", "{of} 已有 {parts} 个未完成的部分")
            }
            Error::Busy(file) => {
                let file = file_name(file);
                say!(lang, "another download is writing to {file}", "另一个下载正在写 {file}")
            }
            Error::Lock(file, _) => {
                let file = file_name(file);
                say!(lang, "cannot lock {file}", "无法给 {file} 加锁")
            }
            Error::Moved(file) => {
                let file = file_name(file);
                say!(
                    lang,
                    "{file} is no longer the file that was written: it was moved, removed or replaced",
                    "{file} 已不是写入的那个文件：它被移动、删除或替换了",
                )
            }
            Error::NoFileName(path) => {
                let path = file_name(path);
                say!(lang, "{path} does not end with the name of a file", "{path} 末尾不是文件名")
            }

            Error::Changed => say!(
                lang,
                "the file on the server changed during the download",
                "下载期间服务器上的文件变了",
            ),
            Error::ChangedHere => {
                say!(lang, "the file changed during the upload", "上传期间文件变了")
            }
            Error::Came(bytes, size) => say!(
                lang,
                "{bytes} bytes were received, but the server says that the file has {size}",
                "收到 {bytes} 字节，但服务器说文件有 {size} 字节",
            ),
            Error::Sent(bytes, size) => say!(
                lang,
                "{bytes} bytes were sent, but the server says that the file has {size}",
                "发送了 {bytes} 字节，但服务器说文件有 {size} 字节",
            ),
            Error::Different(name) => {
                let name = quoted(name);
                say!(
                    lang,
                    "{name} differs here and on the server",
                    "{name} 在本地和服务器上不相同",
                )
            }
            Error::OtherFile => say!(lang, "it is another file", "那是另一个文件"),
            Error::Enough => say!(lang, "enough was received", "已收到足够的数据"),
            Error::Arrived(failed, of) => say!(
                lang,
                "{failed} of {of} files were not transferred",
                "{of} 个文件中有 {failed} 个没有传完",
            ),
            Error::Confused(what) => (*what).to_owned(),

            Error::EmptyName => say!(lang, "a name cannot be empty", "名字不能为空"),
            Error::NotOnTheMenu => say!(
                lang,
                "there is no such command; help lists them",
                "没有这个命令；help 列出所有命令",
            ),
        })
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lang = Lang::current();
        f.write_str(&match self {
            About::Read(file) => {
                let file = file_name(file);
                say!(lang, "cannot read {file}", "无法读取 {file}")
            }
            About::Write(file) => {
                let file = file_name(file);
                say!(lang, "cannot write to {file}", "无法写入 {file}")
            }
            About::WriteOutput => {
                say!(lang, "cannot write to standard output", "无法写入标准输出")
            }
            About::WritePart => {
                say!(lang, "cannot write to the .part file", "无法写入 .part 文件")
            }
            About::GoOn(part) => {
                let part = file_name(part);
                say!(lang, "cannot continue {part}", "无法接着 {part} 下载")
            }
            About::DataConnection => say!(lang, "the data connection", "数据连接"),
            About::Command => say!(lang, "the server reads nothing", "服务器不读取任何数据"),
            About::Reply(limit) => late(*limit, lang),
            About::Transfer => say!(
                lang,
                "no byte of the file moved within --timeout",
                "在 --timeout 之内文件没有传输任何字节",
            ),
            About::NoPasv(error) => error.to_string(),
            About::Job(job) => job.clone(),
        })
    }
}

fn late(limit: Option<Duration>, lang: Lang) -> String {
    match limit.map(|limit| limit.as_secs_f64()) {
        Some(limit) => say!(
            lang,
            "the server's reply was not complete after {limit} s",
            "{limit} s 后服务器的答复仍不完整",
        ),
        None => say!(lang, "the server does not reply", "服务器不答复"),
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (en, zh) = match self {
            Unfit::OpenFile => ("it is a link to an open file", "它是指向已打开文件的链接"),
            Unfit::NotOrdinary => ("it is not an ordinary file", "它不是普通文件"),
            Unfit::OtherUser => ("it belongs to another user", "它属于另一个用户"),
            Unfit::SecondName => {
                ("it has a second name (a hard link)", "它还有另一个名字（硬链接）")
            }
        };
        f.write_str(Lang::current().pick(en, zh))
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
        assert_eq!(format!("{error:#}"), "get a: cannot write to a b: No space left on device");
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
        let told = in_words(&io, Lang::En);
        let error = Error::from(io);
        assert_eq!(format!("{error:#}"), told);
        assert!(error.itself().is::<io::Error>());
    }
}
