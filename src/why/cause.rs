//! Which errors there are in one: that of a command holds what a library reported, and that what a call did.

use std::error::Error;

use netplay_ftp as ftp;

use crate::client::TalkError;
use crate::files::FileError;
use crate::handler::ServeError;

/// The errors, from the outermost to the innermost. An error of a library that is another one as it stands (a failed
/// call, a Ctrl-C at the prompt) is that other one here.
fn causes(error: &anyhow::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    error.chain().map(|error| {
        if let Some(error) = error.downcast_ref::<TalkError>() {
            error.itself()
        } else if let Some(error) = error.downcast_ref::<FileError>() {
            error.itself()
        } else if let Some(error) = error.downcast_ref::<ServeError>() {
            error.itself()
        } else if let Some(error) = error.downcast_ref::<ftp::Error>() {
            error.itself()
        } else {
            error
        }
    })
}

/// The first of them that has this type.
#[must_use]
pub fn cause<T: Error + Send + Sync + 'static>(error: &anyhow::Error) -> Option<&T> {
    // Only anyhow finds what was added to an error as a context.
    error.downcast_ref().or_else(|| causes(error).find_map(|error| error.downcast_ref()))
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context;

    use super::*;
    use crate::call::{self, CallError, Domain, Type};
    use crate::client::Interrupted;

    #[test]
    fn what_a_library_reports_is_known_by_what_is_in_it() {
        let prompt = anyhow::Error::from(TalkError::Interrupted).context("a line");
        assert!(cause::<Interrupted>(&prompt).is_some());
        assert_eq!(format!("{prompt:#}"), "a line: interrupted");

        let pipe = FileError::Io(io::ErrorKind::BrokenPipe.into());
        let file = anyhow::Error::from(FileError::Write("a".into(), Box::new(pipe)));
        assert_eq!(cause(&file).map(io::Error::kind), Some(io::ErrorKind::BrokenPipe));
        assert_eq!(format!("{file:#}"), "cannot write a: broken pipe");

        let socket = call::socket(Domain::IPV4, Type::DGRAM, 0).unwrap();
        let unconnected = call::send(&call::UdpSocket::from(socket), b"a", 0).unwrap_err();
        let served = Err::<(), _>(ServeError::from(unconnected)).context("a server").unwrap_err();
        assert_eq!(cause(&served).map(CallError::call), Some("send"));
    }
}
