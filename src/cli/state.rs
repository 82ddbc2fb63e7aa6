//! What netplay remembers of its user between two commands: small files, each replaced whole.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

/// The file of this name in `$XDG_STATE_HOME/netplay`, by default in `~/.local/state/netplay` (XDG Base
/// Directory Specification). `None` if neither is known, or if it is not ours: under sudo the home may be
/// somebody else's, and a file of root's would be in the way there.
pub(super) fn file(name: &str) -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let (base, owner) = match (set("XDG_STATE_HOME"), set("HOME")) {
        (Some(state), _) => (state.clone(), state),
        (None, Some(home)) => (home.join(".local/state"), home),
        (None, None) => return None,
    };
    let theirs = fs::metadata(owner).is_ok_and(|about| about.uid() != geteuid().as_raw());
    (!theirs).then(|| base.join("netplay").join(name))
}

/// Writes a file: beside, then under its name.
///
/// # Errors
/// The folder cannot be made, or written to.
pub(super) fn write(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut whole = tempfile::NamedTempFile::new_in(folder)?;
    whole.write_all(text.as_bytes())?;
    whole.persist(file).map(|_| ()).map_err(|error| error.error)
}
