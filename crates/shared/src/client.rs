//! What every client shares and no page is about: where its messages come from, where its
//! replies go.
//!
//! On a terminal: a prompt with line editing and history; an empty line ends. Without one: standard
//! input, a message a line, to its end. With `--message`: just those.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::string::FromUtf8Error;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::termios::{self, LocalFlags, SetArg, SpecialCharacterIndices, Termios};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Behavior, CompletionType, Config, Editor, Helper};

use crate::address::Endpoint;
use crate::failure::alone;
use netplay_text::escape::{escape, escape_unicode, hide_typed};
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_trace::output::stdout;
use netplay_trace::remark;

/// What the command line, or a test, tells a client.
#[derive(Debug, Clone)]
pub struct ClientArgs {
    /// Where the server is.
    pub endpoint: Endpoint,
    /// Where the server is, on a UNIX socket.
    pub path: PathBuf,
    /// The messages to send; empty: they are typed or read from standard input.
    pub messages: Vec<String>,
    /// How long to wait for anything; `None`: for ever.
    pub timeout: Option<Duration>,
    /// The size of the receive buffer in bytes.
    pub bufsize: usize,
    /// Whether a terminal is shown ASCII only.
    pub ascii: bool,
}

/// A line longer than this is sent in pieces: a file without line ends must not fill the memory.
const LONGEST: u64 = 64 * 1024;

/// The messages of a conversation and its replies.
#[derive(Debug)]
pub struct Talk {
    source: Source,
    /// Whether replies go to a terminal, where their bytes must be escaped.
    screen: bool,
    /// Whether a terminal is shown ASCII only.
    ascii: bool,
    /// A reply this long filled the buffer: more of it is on its way.
    full: usize,
    /// Whether the last reply still lacks its line end.
    open_line: bool,
}

#[derive(Debug)]
enum Source {
    Given(VecDeque<String>),
    Prompt(Box<LineEditor>),
    Input,
}

type LineEditor = Editor<Tab, DefaultHistory>;

/// What Tab does: where the word begins that is typed, and what it may become.
pub type Complete = Box<dyn Fn(&str) -> (usize, Vec<String>)>;

/// The part of the editor that knows what Tab does here; by itself, nothing.
struct Tab {
    complete: Option<Complete>,
    usual: Option<Usual>,
}

impl fmt::Debug for Tab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tab").field("completes", &self.complete.is_some()).finish_non_exhaustive()
    }
}

impl Completer for Tab {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let Some(complete) = &self.complete else { return Ok((at, vec![])) };
        // The answer may be slow, and Ctrl-C must end this wait like any other.
        let _unedited = self.usual.as_ref().and_then(Unedited::begin);
        Ok(complete(&line[..at]))
    }
}

/// What the line editor changes: how the terminal reads, and what Ctrl-C does.
struct Usual {
    terminal: Termios,
    on_ctrl_c: SigAction,
}

impl Usual {
    /// As it is now; `None` without a terminal.
    fn now() -> Option<Usual> {
        let terminal = termios::tcgetattr(io::stdin()).ok()?;
        let on_ctrl_c = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        let on_ctrl_c = replace_on_ctrl_c(&on_ctrl_c)?;
        replace_on_ctrl_c(&on_ctrl_c)?;
        Some(Usual { terminal, on_ctrl_c })
    }
}

#[expect(unsafe_code, reason = "sigaction replaces a handler")]
fn replace_on_ctrl_c(action: &SigAction) -> Option<SigAction> {
    // SAFETY: what is put there is the default, or was there before.
    unsafe { sigaction(Signal::SIGINT, action) }.ok()
}

/// A time in which the line editor has changed nothing.
struct Unedited {
    terminal: File,
    edited: Usual,
}

impl Unedited {
    /// `None` without a terminal: there is nothing to be done.
    fn begin(usual: &Usual) -> Option<Unedited> {
        let terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
        let edited = termios::tcgetattr(&terminal).ok()?;
        termios::tcsetattr(&terminal, SetArg::TCSADRAIN, &usual.terminal).ok()?;
        let on_ctrl_c = replace_on_ctrl_c(&usual.on_ctrl_c)?;
        Some(Unedited { terminal, edited: Usual { terminal: edited, on_ctrl_c } })
    }
}

impl Drop for Unedited {
    fn drop(&mut self) {
        replace_on_ctrl_c(&self.edited.on_ctrl_c);
        let _ = termios::tcsetattr(&self.terminal, SetArg::TCSADRAIN, &self.edited.terminal);
    }
}

impl Hinter for Tab {
    type Hint = String;
}
impl Highlighter for Tab {}
impl Validator for Tab {}
impl Helper for Tab {}

/// Tells that there is another socket than the usual, and why.
pub fn raw_instead(forbidden: impl fmt::Display) {
    let told = say!(
        Lang::current(),
        "{forbidden}: net.ipv4.ping_group_range lists none of this user's groups; a raw socket is allowed, so ping uses one",
        "{forbidden}：net.ipv4.ping_group_range 不包含本用户的任何组；原始套接字是允许的，所以改用它",
    );
    tracing::warn!("{told}");
}

/// Tells that for so long no reply has come to a datagram, and what is known then.
pub fn no_reply(silence: Duration) {
    let seconds = silence.as_secs();
    let told = say!(
        Lang::current(),
        "no reply for {seconds} s, and UDP will never tell why: the datagram or its reply may be lost, or there is no server; the client waits on (Ctrl-C ends it)",
        "{seconds} s 没有收到回复，UDP 永远不会说明原因：数据报或回复可能丢失了，也可能没有服务器；客户端继续等待（Ctrl-C 结束）",
    );
    tracing::info!("{told}");
}

/// Tells that a packet is not for this program, and how that shows.
pub fn passed_over(peer: impl fmt::Display, why: impl fmt::Display) {
    let told =
        say!(Lang::current(), "ignored, from {peer}: {why}", "忽略来自 {peer} 的数据包：{why}");
    tracing::info!("{told}");
}

/// What was asked for cannot be: a mistake in the command line that shows only now, when an address is
/// known.
#[derive(Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Usage {}

/// Ctrl-C at the prompt. It is told in the language of the process ([`Lang::current`]).
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Lang::current().pick("interrupted", "被中断"))
    }
}

impl Error for Interrupted {}

/// Why there is no next message, or no answer to a question, told in the language of the process ([`Lang::current`]).
#[derive(Debug)]
#[non_exhaustive]
pub enum TalkError {
    /// Ctrl-C at the prompt.
    Interrupted,
    /// The terminal, standard input or standard output cannot be used.
    Io(io::Error),
    /// The terminal cannot be told to show nothing of what is typed (termios(3)).
    Terminal(Errno),
    /// The line editor has failed.
    Editor(ReadlineError),
    /// A line was asked for, and an empty one came, or none.
    NothingTyped,
    /// What was typed is not UTF-8.
    NotText(FromUtf8Error),
    /// The server closed the connection, and there were messages left to send.
    NotSent,
}

impl TalkError {
    /// The error that this one is, where it is another one as it stands, such as [`Interrupted`].
    #[must_use]
    pub fn itself(&self) -> &(dyn Error + 'static) {
        match self {
            TalkError::Interrupted => &Interrupted,
            TalkError::Io(error) => error,
            TalkError::Terminal(errno) => errno,
            TalkError::Editor(error) => error,
            TalkError::NotText(error) => error,
            TalkError::NothingTyped | TalkError::NotSent => self,
        }
    }
}

impl From<io::Error> for TalkError {
    fn from(error: io::Error) -> TalkError {
        TalkError::Io(error)
    }
}

impl From<Errno> for TalkError {
    fn from(errno: Errno) -> TalkError {
        TalkError::Terminal(errno)
    }
}

impl From<ReadlineError> for TalkError {
    fn from(error: ReadlineError) -> TalkError {
        match error {
            ReadlineError::Interrupted => TalkError::Interrupted,
            error => TalkError::Editor(error),
        }
    }
}

impl fmt::Display for TalkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lang = Lang::current();
        match self {
            TalkError::NothingTyped => f.write_str(lang.pick("nothing was typed", "没有输入")),
            TalkError::NotSent => f.write_str(lang.pick(
                "the server closed the connection: the remaining messages were not sent",
                "服务器关闭了连接：其余的消息没有发送",
            )),
            other => f.write_str(&alone(other.itself(), lang)),
        }
    }
}

impl Error for TalkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            TalkError::NothingTyped | TalkError::NotSent => None,
            other => other.itself().source(),
        }
    }
}

impl ClientArgs {
    /// Begins the conversation.
    ///
    /// # Errors
    /// If the terminal cannot be prepared for line editing.
    pub fn talk(&self) -> Result<Talk, TalkError> {
        self.talk_about(Lang::current().pick("type a message and press Enter", "输入消息后按回车"))
    }

    /// Begins the conversation; on a terminal with these words, which say what can be typed.
    ///
    /// # Errors
    /// As [`talk`](ClientArgs::talk).
    pub fn talk_about(&self, invitation: &str) -> Result<Talk, TalkError> {
        let source = if !self.messages.is_empty() {
            Source::Given(self.messages.iter().cloned().collect())
        } else if io::stdin().is_terminal() {
            remark(say!(
                Lang::current(),
                "{invitation}; an empty line ends",
                "{invitation}；空行结束",
            ));
            Source::Prompt(Box::new(editor()?))
        } else {
            Source::Input
        };
        Ok(Talk {
            source,
            screen: io::stdout().is_terminal(),
            ascii: self.ascii,
            full: self.bufsize,
            open_line: false,
        })
    }
}

/// Asks at the terminal for a line, and shows nothing of it.
///
/// # Errors
/// [`Interrupted`], there is no terminal, or nothing was typed.
pub fn ask_unseen(prompt: &str) -> Result<String, TalkError> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let usual = termios::tcgetattr(&terminal)?;
    let mut unseen = usual.clone();
    // Ctrl-C must not end the program here: the terminal would stay as it is now. As the end of a
    // line it comes to us.
    unseen.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
    unseen.control_chars[SpecialCharacterIndices::VEOL as usize] = CTRL_C;
    termios::tcsetattr(&terminal, SetArg::TCSAFLUSH, &unseen)?;
    let mut buf = [0; 4096];
    // The terminal gives one whole line a read.
    let typed = terminal.write_all(prompt.as_bytes()).and_then(|()| terminal.read(&mut buf));
    termios::tcsetattr(&terminal, SetArg::TCSAFLUSH, &usual)?;
    terminal.write_all(b"\n")?;
    match &buf[..typed?] {
        [.., CTRL_C] => Err(TalkError::Interrupted),
        [line @ .., b'\n'] if !line.is_empty() => {
            String::from_utf8(line.to_vec()).map_err(TalkError::NotText)
        }
        _ => Err(TalkError::NothingTyped),
    }
}

const CTRL_C: u8 = 3;

/// The editor draws on standard output, which is for replies: if that is no terminal, on the
/// terminal itself.
fn editor() -> rustyline::Result<LineEditor> {
    let screen = if io::stdout().is_terminal() { Behavior::Stdio } else { Behavior::PreferTerm };
    let config = Config::builder().behavior(screen).completion_type(CompletionType::List).build();
    let usual = Usual::now();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Tab { complete: None, usual }));
    Ok(editor)
}

impl Talk {
    /// Says what Tab does at the prompt, if there is one.
    pub fn on_tab(&mut self, complete: Complete) {
        if let Source::Prompt(editor) = &mut self.source
            && let Some(tab) = editor.helper_mut()
        {
            tab.complete = Some(complete);
        }
    }

    /// The next message, without its line end; `None` when there are no more.
    ///
    /// # Errors
    /// [`Interrupted`], or standard input cannot be read.
    #[expect(clippy::should_implement_trait, reason = "an Iterator could not fail")]
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, TalkError> {
        match &mut self.source {
            Source::Given(messages) => Ok(messages.pop_front().map(String::into_bytes)),
            Source::Input => {
                let mut line = Vec::new();
                io::stdin().lock().take(LONGEST).read_until(b'\n', &mut line)?;
                let more = !line.is_empty();
                if line.last() == Some(&b'\n') {
                    line.pop();
                }
                Ok(more.then_some(line))
            }
            Source::Prompt(editor) => match editor.readline("> ") {
                Ok(line) if line.is_empty() => Ok(None),
                Ok(line) => {
                    // A password that was typed here is not to come back with the arrow keys.
                    if hide_typed(line.as_bytes()) == line.as_bytes() {
                        editor.add_history_entry(&line)?;
                    }
                    Ok(Some(line.into_bytes()))
                }
                Err(ReadlineError::Eof) => Ok(None),
                Err(error) => Err(error.into()),
            },
        }
    }

    /// The next message that has a byte in it: TCP cannot send nothing.
    ///
    /// # Errors
    /// As [`next`](Talk::next).
    pub fn next_bytes(&mut self) -> Result<Option<Vec<u8>>, TalkError> {
        loop {
            match self.next()? {
                Some(empty) if empty.is_empty() => {
                    let told = Lang::current().pick(
                        "an empty line is skipped: TCP cannot send a message of no bytes",
                        "跳过空行：TCP 无法发送零字节的消息",
                    );
                    tracing::info!("{told}");
                }
                message => return Ok(message),
            }
        }
    }

    /// Shows a reply on standard output, on a line of its own: as it is, or escaped on a terminal.
    /// A reply that filled the buffer leaves the line open: the rest of it is still to come.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn show(&mut self, reply: &[u8]) -> io::Result<()> {
        self.show_more(reply)?;
        if reply.len() < self.full { self.end_line() } else { Ok(()) }
    }

    /// Shows bytes right behind the last, and leaves the line open.
    ///
    /// # Errors
    /// As [`show`](Talk::show).
    pub fn show_more(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut out = stdout();
        if self.screen {
            let text = escape(bytes);
            let text = if self.ascii { escape_unicode(&text) } else { text };
            out.write_all(text.as_bytes())?;
        } else {
            out.write_all(bytes)?;
        }
        out.flush()?;
        self.open_line = true;
        Ok(())
    }

    /// Ends the line of the last reply, if it is open.
    ///
    /// # Errors
    /// As [`show`](Talk::show).
    pub fn end_line(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.open_line) {
            writeln!(stdout())?;
        }
        Ok(())
    }

    /// Writes a result on standard output, a line of our own words. What a peer said in it must be
    /// escaped, on a terminal or not: a name with a line end in it is one name.
    ///
    /// # Errors
    /// As [`show`](Talk::show).
    pub fn tell(&self, result: &str) -> io::Result<()> {
        writeln!(stdout(), "{result}")
    }

    /// A command has failed: at the prompt that is told, as `{error:#}`, and the next may do better.
    ///
    /// # Errors
    /// The error itself without a prompt: a script must not go on as if nothing had happened.
    pub fn failed<E: fmt::Display>(&self, error: E) -> Result<(), E> {
        match &self.source {
            Source::Prompt(_) => remark(format_args!("{error:#}")),
            Source::Given(_) | Source::Input => return Err(error),
        }
        Ok(())
    }

    /// The server has ended the conversation.
    ///
    /// # Errors
    /// If there was still something to say: it was not sent.
    pub fn ended_by_server(&mut self) -> Result<(), TalkError> {
        self.end_line()?;
        match &self.source {
            Source::Prompt(_) => remark(
                Lang::current().pick("the server has closed the connection", "服务器已关闭连接"),
            ),
            Source::Given(_) | Source::Input => {
                if self.next()?.is_some() {
                    return Err(TalkError::NotSent);
                }
            }
        }
        Ok(())
    }
}
