//! Errors in words.

use std::io;

use nix::errno::Errno;

/// The words of strerror(3) for an error number: `Address already in use`.
#[must_use]
pub fn strerror(errno: Errno) -> String {
    let text = io::Error::from(errno).to_string();
    text.trim_end_matches(&format!(" (os error {})", errno as i32)).to_owned()
}

/// Every number that has a name on Linux.
pub fn errnos() -> impl Iterator<Item = Errno> {
    (1..=133).map(Errno::from_raw).filter(|&errno| errno != Errno::UnknownErrno)
}

/// The error of this name, in any case, also one of its second names; or of this number.
///
/// ```
/// use netplay_record::errno_named;
/// assert_eq!(errno_named("ewouldblock"), errno_named("11"));
/// ```
#[must_use]
pub fn errno_named(text: &str) -> Option<Errno> {
    let name = match &*text.to_uppercase() {
        "EWOULDBLOCK" => "EAGAIN".to_owned(),
        "ENOTSUP" => "EOPNOTSUPP".to_owned(),
        "EDEADLOCK" => "EDEADLK".to_owned(),
        name => name.to_owned(),
    };
    errnos().find(|errno| name == format!("{errno:?}") || name == (*errno as i32).to_string())
}

/// `Address already in use` for `EADDRINUSE`.
pub fn error_in_words(name: &str) -> String {
    let known = errnos().find(|errno| format!("{errno:?}") == name);
    known.map_or("an error this program has no words for".to_owned(), strerror)
}
