//! Writing a result to the file that the user names for it; `-` is standard output.

use std::fs::{self, Permissions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};
use tempfile::NamedTempFile;

use super::{FileError, pipe};
use netplay_trace::output::stdout;

/// Writes a text; a file has its name only when it is whole.
///
/// # Errors
/// The file or standard output cannot be written.
pub fn write(text: &str, path: &Path) -> Result<(), FileError> {
    write_by(|to| to.write_all(text.as_bytes()), path)
}

/// Writes what this tells, piece by piece: a long text is never in memory as a whole. A file has its name only when it
/// is whole.
///
/// # Errors
/// The file or standard output cannot be written.
pub fn write_by(
    tell: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    path: &Path,
) -> Result<(), FileError> {
    if is_stdout(path) {
        return Ok(buffered(stdout(), tell)?);
    }
    let done = if is_special(path) {
        let mut text = Vec::new();
        tell(&mut text).map_err(FileError::Io).and_then(|()| pipe::write(&text, path))
    } else {
        replace(path, ANYBODY, tell).map_err(FileError::Io)
    };
    done.map_err(|error| FileError::Write(path.to_owned(), Box::new(error)))
}

/// Gathers small pieces before they go there.
fn buffered(to: impl Write, tell: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut to = BufWriter::with_capacity(1 << 16, to);
    let told = tell(&mut to).and_then(|()| to.flush());
    drop(to.into_parts()); // what is left after an error is not tried again
    told
}

/// What others may do with a new file, as far as the umask lets them.
const ANYBODY: u32 = 0o666;

/// Finds out whether a result can be written there, before the work of which it is to be made.
///
/// # Errors
/// It cannot.
pub fn try_to_write(path: &Path) -> Result<(), FileError> {
    if is_stdout(path) {
        return Ok(());
    }
    // A page of zeros, which goes again, tells whether there is room for anything.
    let tried = || beside(path, ANYBODY)?.0.as_file().write_all(&[0; 4096]);
    let made = if is_special(path) { may_be_written(path) } else { tried() };
    made.map_err(|error| FileError::Write(path.to_owned(), Box::new(error.into())))
}

/// Whether a file that is there may be written. Its place could be taken without that right: the folder
/// alone decides. But its owner has said that it is to stay as it is.
fn may_be_written(path: &Path) -> io::Result<()> {
    Ok(access(path, AccessFlags::W_OK)?)
}

/// Puts a file in the place of what is there: a new one has this mode, another keeps its own.
///
/// # Errors
/// Its folder cannot be written, or the file that is there must not.
pub(super) fn replace(
    path: &Path,
    mode: u32,
    tell: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let there = fs::metadata(path).ok();
    let (file, path) = beside(path, mode)?;
    // Its errors do not name the temporary file; those of what holds it do.
    buffered(file.as_file(), tell)?;
    if let Some(there) = there {
        file.as_file().set_permissions(there.permissions())?;
    }
    file.persist(path).map(|_| ()).map_err(|error| error.error)
}

/// Whether two names lead to one file.
#[must_use]
pub fn is_same(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    !is_stdout(one) && !is_stdout(other) && id(one).is_some_and(|one| id(other) == Some(one))
}

/// A pipe or a device, which stays what it is.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir())
}

/// A file in the folder of this one, whose place it will take. A link stays a link: it is the file behind
/// it that is replaced.
fn beside(path: &Path, mode: u32) -> io::Result<(NamedTempFile, PathBuf)> {
    let path = behind_links(path)?;
    match fs::metadata(&path) {
        Ok(there) if there.is_dir() => return Err(Errno::EISDIR.into()),
        Ok(_) => may_be_written(&path)?,
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Err(_) if path.as_os_str().as_encoded_bytes().ends_with(b"/") => {
            return Err(Errno::EISDIR.into());
        }
        Err(_) => {}
    }
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file =
        tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(folder);
    // Without the name of the temporary file, which is in the error.
    let file = file.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Errno::ENOENT.into(),
        ErrorKind::PermissionDenied => Errno::EACCES.into(),
        other => io::Error::from(other),
    })?;
    Ok((file, path))
}

/// So many links are followed, as by the kernel (path_resolution(7)).
const LINKS: usize = 40;

/// Where a link leads, even if nothing is there yet: as with a shell's `>`, the file is made there.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            // From the folder in which the link is; a whole path takes the place of all that was before.
            Ok(to) => path = path.parent().unwrap_or(Path::new("")).join(to),
            Err(_) => return Ok(path),
        }
    }
    Err(Errno::ELOOP.into())
}

/// Whether a result goes to standard output: `-`.
#[must_use]
pub fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}
