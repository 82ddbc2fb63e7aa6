//! What the terminal can show, and the bars that are drawn in its last line.

mod bar;

use std::io::{self, Stdin};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::read;

use crate::stop;

pub use bar::{show_transfers, turns};

/// Whether colours are welcome on a terminal: unless NO_COLOR is set or TERM is dumb.
#[must_use]
pub fn takes_color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !is_dumb()
}

/// Whether the terminal has text only: no colours, and no line that changes.
#[must_use]
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Whether the locale writes UTF-8: LC_ALL, else LC_CTYPE, else LANG says so.
#[must_use]
pub fn takes_utf8() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    let locale = locale.unwrap_or_default().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// The columns of the terminal, if they can be known.
#[must_use]
pub fn columns() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// The rows of the terminal, if they can be known.
#[must_use]
pub fn rows() -> Option<usize> {
    terminal_size::terminal_size().map(|(_, height)| usize::from(height.0))
}

/// Waits for a key of the terminal that standard input is, and says which character it stands for, if for one. While
/// it waits, keys arrive one by one and unseen; afterwards the terminal is as it was.
///
/// # Errors
/// `Interrupted`: a signal came; Ctrl-C stays one. `UnexpectedEof`: the terminal is gone.
pub fn key() -> io::Result<Option<char>> {
    Ok(key_or(&mut || None::<()>)?.ok().flatten())
}

/// Waits for a key as [`key`] does, or until something else has happened, which is asked for again and again.
///
/// # Errors
/// As of [`key`].
pub fn key_or<T>(other: &mut dyn FnMut() -> Option<T>) -> io::Result<Result<Option<char>, T>> {
    let input = io::stdin();
    let before = tcgetattr(&input)?;
    let mut unseen = before.clone();
    unseen.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
    tcsetattr(&input, SetArg::TCSADRAIN, &unseen)?;
    let pressed = pressed(&input, other);
    tcsetattr(&input, SetArg::TCSADRAIN, &before)?;
    pressed
}

/// The next key. Of a key that sends several bytes (an arrow, a letter beyond ASCII) none is left for the next time.
#[expect(clippy::disallowed_methods, reason = "a person's keys: no part of what is told")]
fn pressed<T>(
    input: &Stdin,
    other: &mut dyn FnMut() -> Option<T>,
) -> io::Result<Result<Option<char>, T>> {
    let byte = || -> io::Result<u8> {
        let mut byte = [0];
        let n = read(input, &mut byte)?;
        if n > 0 { Ok(byte[0]) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    };
    let arrived =
        |timeout: u16| poll(&mut [PollFd::new(input.as_fd(), PollFlags::POLLIN)], timeout);
    // A signal that comes just before a wait does not end it: so no wait is long.
    loop {
        if stop::signal().is_some() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if let Some(happened) = other() {
            return Ok(Err(happened));
        }
        match arrived(50) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let mut key: Vec<u8> = vec![byte()?];
    while key[0] == ESCAPE || !key[0].is_ascii() {
        match arrived(0) {
            Ok(0) | Err(_) => break,
            Ok(_) => key.push(byte()?),
        }
    }
    let text = str::from_utf8(&key).ok();
    Ok(Ok(text.and_then(|text| text.chars().next()).filter(|c| !c.is_control())))
}

/// What the bytes of an arrow key begin with.
const ESCAPE: u8 = 0x1b;

/// The columns of the terminal that standard error is, if it is one.
#[must_use]
pub fn columns_of_stderr() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stderr()).map(|(width, _)| usize::from(width.0))
}
