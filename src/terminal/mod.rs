//! What the terminal can show, and the bars that are drawn in its last line.

mod bar;

use std::io;

use console::{Key, Term};

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

/// Waits for a key of the terminal that standard input is, and says which character it stands for, if for any. While
/// it waits, keys arrive one by one and unseen; afterwards the terminal is as it was.
///
/// # Errors
/// `Interrupted`: a signal came, or Ctrl-C, which is passed on as SIGINT. `UnexpectedEof`: the terminal is gone.
pub fn key() -> io::Result<Option<char>> {
    Ok(match Term::stderr().read_key()? {
        Key::Char(c) => Some(c),
        _ => None,
    })
}

/// The columns of the terminal that standard error is, if it is one.
#[must_use]
pub fn columns_of_stderr() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stderr()).map(|(width, _)| usize::from(width.0))
}
