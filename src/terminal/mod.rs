//! What the terminal can show, and the bars that are drawn in its last line.

mod bar;

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

/// The columns of the terminal that standard error is, if it is one.
#[must_use]
pub fn columns_of_stderr() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stderr()).map(|(width, _)| usize::from(width.0))
}
