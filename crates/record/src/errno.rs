//! Errors in words.

use std::io;

use nix::errno::Errno;

/// The words of strerror(3) for an error number: `Address already in use`.
#[must_use]
pub fn strerror(errno: Errno) -> String {
    let text = io::Error::from(errno).to_string();
    text.trim_end_matches(&format!(" (os error {})", errno as i32)).to_owned()
}

/// `Address already in use` for `EADDRINUSE`.
pub fn error_in_words(name: &str) -> String {
    let known = (1..=133).map(Errno::from_raw).find(|errno| format!("{errno:?}") == name);
    known.map_or("an error this program has no words for".to_owned(), strerror)
}
