//! Reading a file that the user names.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::FileError;
use crate::client::Interrupted;
use netplay_call::stop;

/// How long the writer of a pipe may take: a person may have to unlock something first.
const WRITER: Duration = Duration::from_secs(60);

/// How long a wait for it lasts before it looks whether there was a signal.
const LOOK: Duration = Duration::from_millis(50);

/// The first line of a file, without its end, of at most so many bytes.
///
/// # Errors
/// It cannot be read, is longer, or is a pipe without a writer; [`Interrupted`].
pub fn first_line(path: &Path, most: usize) -> Result<Vec<u8>, FileError> {
    let mut line = read(path, most, Some(b'\n'))?;
    if let Some(end) = line.iter().position(|&byte| byte == b'\n') {
        line.truncate(end);
    }
    if line.ends_with(b"\r") {
        line.pop();
    }
    Ok(line)
}

/// All of a file, of at most so many bytes.
///
/// # Errors
/// As of [`first_line`].
pub fn whole(path: &Path, most: usize) -> Result<Vec<u8>, FileError> {
    read(path, most, None)
}

/// What is in a file, to its end or to the first of these bytes, and perhaps a little more.
fn read(path: &Path, most: usize, end: Option<u8>) -> Result<Vec<u8>, FileError> {
    // Without O_NONBLOCK open would wait for a FIFO's writer, and hear no signal.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let is_pipe = file.metadata()?.file_type().is_fifo();
    let deadline = Instant::now() + WRITER;
    let (mut bytes, mut buf) = (Vec::new(), [0; 4096]);
    loop {
        match file.read(&mut buf) {
            // A pipe from which nothing has come yet answers this while it has no writer.
            Ok(0) if !(is_pipe && bytes.is_empty()) => return Ok(bytes),
            Ok(n @ 1..) => {
                bytes.extend_from_slice(&buf[..n]);
                if end.is_some_and(|end| buf[..n].contains(&end)) {
                    return Ok(bytes);
                }
                match end {
                    _ if bytes.len() <= most => continue,
                    Some(_) => return Err(FileError::LongLine(most)),
                    None => return Err(FileError::TooLong(most)),
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.into()),
            Ok(_) | Err(_) => thread::sleep(LOOK),
        }
        if stop::signal().is_some() {
            return Err(Interrupted.into());
        }
        if Instant::now() > deadline {
            return Err(FileError::NoWriter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file can be made");
        std::fs::write(&file, text).expect("and written");
        file
    }

    #[test]
    fn a_line_ends_where_lines_end() {
        for (text, line) in [
            (&b"secret"[..], &b"secret"[..]),
            (b"secret\nmore\n", b"secret"),
            (b"secret\r\n", b"secret"),
            (b"\n", b""),
            (b"", b""),
        ] {
            assert_eq!(first_line(file(text).path(), 10).expect("it is short"), line);
        }
    }

    #[test]
    fn what_has_no_end_is_refused() {
        let zeroes = Path::new("/dev/zero");
        let of =
            |result: Result<Vec<u8>, FileError>| result.expect_err("it has no end").to_string();
        assert_eq!(of(first_line(zeroes, 5000)), "its first line is longer than 5000 bytes");
        assert_eq!(of(whole(zeroes, 5000)), "it is longer than 5000 bytes");
        assert_eq!(whole(file(&[b'x'; 5000]).path(), 5000).expect("it fits").len(), 5000);
    }
}
