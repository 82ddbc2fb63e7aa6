//! What a listing is of.

use nix::sys::stat::SFlag;

use crate::listing::{self, Format, Listing};
use crate::root::{self, Entry, Path, Root, kind};

/// A listing, of a folder or of one file.
pub(super) enum Told<'a> {
    Folder(Listing<'a>),
    File(Vec<u8>),
}

impl Told<'_> {
    /// What a path leads to. NLST puts `prefix` before each name; for a file it is the name.
    pub(super) fn of<'r>(
        root: &'r Root,
        path: &Path,
        format: Format,
        prefix: Vec<u8>,
    ) -> root::Result<Told<'r>> {
        let stat = root.stat(path)?;
        if kind(&stat) == SFlag::S_IFDIR {
            return Ok(Told::Folder(Listing::new(root.entries(path)?, format, prefix)));
        }
        let name = path.split().map(|(_, name)| name.to_owned()).unwrap_or_default();
        let name = if matches!(format, Format::Names) { prefix } else { name };
        let reachable = kind(&stat) == SFlag::S_IFREG;
        let line = listing::line(&Entry { name, stat, link: None, reachable }, format, b"");
        Ok(Told::File(line.map(|line| [&*line, b"\r\n"].concat()).unwrap_or_default()))
    }
}

/// The path behind what some clients put before it, as they would for ls: `-la`.
pub(super) fn without_options(argument: &[u8]) -> &[u8] {
    let mut rest = argument;
    while rest.starts_with(b"-") {
        let space = rest.iter().position(|&byte| byte == b' ');
        rest = space.map_or(b"", |space| &rest[space + 1..]);
    }
    rest
}
