//! What netplay remembers of its user between two commands: small files, each replaced whole.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;

use super::FileError;
use super::write::replace;

/// The file of this name in `$XDG_STATE_HOME/netplay`, by default in `~/.local/state/netplay` (XDG Base
/// Directory Specification). `None` if neither is known, or if it is not ours: under sudo the home may be
/// another user's, and a file of root's would be in the way there.
#[must_use]
pub fn file(name: &str) -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let (base, owner) = match (set("XDG_STATE_HOME"), set("HOME")) {
        (Some(state), _) => (state.clone(), state),
        (None, Some(home)) => (home.join(".local/state"), home),
        (None, None) => return None,
    };
    let theirs = fs::metadata(owner).is_ok_and(|about| about.uid() != geteuid().as_raw());
    (!theirs).then(|| base.join("netplay").join(name))
}

/// How long to wait for another process that changes the same file: it reads and writes a few lines.
const LOCK_TIME: Duration = Duration::from_secs(2);

/// Keeps others from changing a file until the lock is dropped. The lock is a file beside it, because the
/// file itself is replaced; it stays there, empty.
///
/// # Errors
/// The folder cannot be made, or written to; another process keeps the lock.
pub fn lock(file: &Path) -> Result<Flock<File>, FileError> {
    let beside = file.with_extension("lock");
    make_folder(file)
        .map_err(|error| FileError::Folder(beside.parent().unwrap_or(&beside).to_owned(), error))?;
    let mut options = File::options();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let mut open =
        options.open(&beside).map_err(|error| FileError::OpenLock(beside.clone(), error))?;
    let end = Instant::now() + LOCK_TIME;
    loop {
        match Flock::lock(open, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) if Instant::now() < end => open = file,
            Err((_, Errno::EWOULDBLOCK)) => return Err(FileError::Locked(beside)),
            Err((_, errno)) => return Err(FileError::Lock(beside, errno)),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// What is in a file; `None`, if there is no such file yet.
///
/// # Errors
/// It is no file, or it cannot be read.
pub fn read(file: &Path) -> Result<Option<String>, FileError> {
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A pipe of this name would make us wait.
        Ok(about) if !about.is_file() => return Err(FileError::NoFile(file.to_owned())),
        _ => {}
    }
    let text = fs::read_to_string(file);
    text.map(Some).map_err(|error| FileError::Read(file.to_owned(), error))
}

/// Removes a file, if it is there.
///
/// # Errors
/// It cannot be removed, or others keep it locked.
pub fn forget(file: &Path) -> Result<(), FileError> {
    let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    if fs::symlink_metadata(file).is_err_and(|error| is_missing(&error)) {
        return Ok(());
    }
    let _lock = lock(file)?;
    match fs::remove_file(file) {
        Err(error) if !is_missing(&error) => Err(FileError::Remove(file.to_owned(), error)),
        _ => Ok(()),
    }
}

/// Writes a file whole.
///
/// # Errors
/// The folder cannot be made, or written to.
pub fn write(file: &Path, text: &str) -> io::Result<()> {
    make_folder(file)?;
    replace(file, 0o600, |to| to.write_all(text.as_bytes()))
}

/// The folder of a file, which is made if it is not there.
fn make_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
