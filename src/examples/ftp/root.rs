//! The root: a folder that clients see as `/`, and nothing outside of it.
//!
//! ```text
//! what the client says      the path        what the kernel is asked
//! CWD a/b                   /a/b            openat2(root, "a/b", RESOLVE_BENEATH)
//! RETR ../c                 /a/c            openat2(root, "a/c", RESOLVE_BENEATH)
//! RETR /etc/passwd          /etc/passwd     openat2(root, "etc/passwd", RESOLVE_BENEATH)
//! RETR ../../../etc/passwd  /etc/passwd     the same: above / is /
//! ```
//!
//! A check of the text would not do: between the check and the open somebody may put a symbolic link
//! in the place of a folder. So the root is held as a descriptor, and it is the kernel that resolves
//! every path beneath it, in the one step that also opens (openat2(2)): a link that leads outside
//! fails with EXDEV, whenever it was put there. What has no open call (remove, rename, make) is done
//! to a name in a folder that was opened so.
//!
//! An upload is written under a name of its own, and takes the place of the old file in one step
//! (rename(2)) when it is whole and on the disk. Until then nobody sees it; a cut one is removed.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::dir::{Dir, OwningIter};
use nix::errno::Errno;
use nix::fcntl::{
    AtFlags, OFlag, OpenHow, RenameFlags, ResolveFlag, open, openat, openat2, renameat, renameat2,
};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, futimens, mkdirat, mode_t};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};

/// What a path or a file could not do, as errno(3) names it.
pub type Result<T> = std::result::Result<T, Errno>;

/// The name of an upload that is not finished begins so; clients can neither see nor use such names.
pub const TEMPORARY: &str = ".netplay-upload-";

/// A path as clients see it: names beneath the root. `/` has none.
///
/// ```
/// use netplay::examples::ftp::root::Path;
/// let home = Path::default();
/// assert_eq!(home.join("a/./b//c")?.to_string(), "/a/b/c");
/// assert_eq!(home.join("a")?.join("../../..")?.to_string(), "/");
/// assert_eq!(home.join("a")?.join("/b")?.to_string(), "/b");
/// assert!(home.join("a\nb").is_err());
/// # Ok::<(), nix::errno::Errno>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(Vec<String>);

impl Path {
    /// The path that `text` means to somebody who is here.
    ///
    /// # Errors
    /// EILSEQ: a name has a control character, so it could not be told in a line. EPERM: it is one
    /// of the names that the server keeps for unfinished uploads.
    pub fn join(&self, text: &str) -> Result<Path> {
        if text.chars().any(char::is_control) {
            return Err(Errno::EILSEQ);
        }
        let mut names = if text.starts_with('/') { Vec::new() } else { self.0.clone() };
        for name in text.split('/') {
            match name {
                "" | "." => {}
                ".." => drop(names.pop()),
                name if name.starts_with(TEMPORARY) => return Err(Errno::EPERM),
                name => names.push(name.to_owned()),
            }
        }
        Ok(Path(names))
    }

    /// The last name, and the folder that it is in; the root has neither.
    #[must_use]
    pub fn split(&self) -> Option<(Path, &str)> {
        let (name, folder) = self.0.split_last()?;
        Some((Path(folder.to_vec()), name))
    }

    /// As the kernel takes it, relative to the root.
    fn beneath(&self) -> String {
        if self.0.is_empty() { ".".to_owned() } else { self.0.join("/") }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0.join("/"))
    }
}

/// The folder that is served.
#[derive(Debug)]
pub struct Root(OwnedFd);

impl Root {
    /// Opens the folder. It stays this very folder, whatever becomes of its name.
    ///
    /// # Errors
    /// There is no such folder; ENOSYS: Linux before 5.6 has no openat2.
    pub fn open(path: &std::path::Path) -> Result<Root> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = Root(open(path, flags, Mode::empty())?);
        root.folder(&Path::default())?;
        Ok(root)
    }

    /// The one door: opens what the path leads to, if that is beneath the root.
    fn beneath(&self, path: &Path, flags: OFlag) -> Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC | OFlag::O_NOCTTY | OFlag::O_NONBLOCK)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let how = if flags.contains(OFlag::O_PATH) {
            // With O_PATH openat2 takes no flag that would have no effect.
            let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS;
            OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve)
        } else {
            how
        };
        let mut tries = 0;
        loop {
            match openat2(&self.0, path.beneath().as_str(), how) {
                // Something was renamed meanwhile, and the kernel cannot tell whether it still is
                // beneath: ask again.
                Err(Errno::EAGAIN) if tries < 100 => tries += 1,
                // What is outside does not exist.
                Err(Errno::EXDEV) => return Err(Errno::ENOENT),
                opened => return opened,
            }
        }
    }

    /// What the path leads to: its type, size and times. Nothing is opened for it.
    ///
    /// # Errors
    /// It leads nowhere, or outside.
    pub fn stat(&self, path: &Path) -> Result<FileStat> {
        fstat(self.beneath(path, OFlag::O_PATH)?)
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// EISDIR: it is a folder. EINVAL: it is neither file nor folder: a fifo or a device, whose open
    /// may wait for ever or do things.
    pub fn file(&self, path: &Path) -> Result<File> {
        regular(&self.stat(path)?)?;
        let file = self.beneath(path, OFlag::O_RDONLY)?;
        // Another one may have taken its place in between; O_NONBLOCK let even that open return.
        regular(&fstat(&file)?)?;
        Ok(file.into())
    }

    /// Opens a folder: for a listing, or as a place for changes.
    ///
    /// # Errors
    /// ENOTDIR: it is none.
    pub fn folder(&self, path: &Path) -> Result<OwnedFd> {
        self.beneath(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
    }

    /// The folder of a name that is to be changed, and the name.
    fn place<'a>(&self, path: &'a Path) -> Result<(OwnedFd, &'a str)> {
        let (folder, name) = path.split().ok_or(Errno::EBUSY)?;
        Ok((self.folder(&folder)?, name))
    }

    /// What is in a folder, in the order of the disk.
    ///
    /// # Errors
    /// It is none, or may not be read.
    pub fn entries(&self, path: &Path) -> Result<Entries<'_>> {
        let folder = self.folder(path)?;
        let names = Dir::from_fd(folder.try_clone().map_err(|_| Errno::EMFILE)?)?.into_iter();
        Ok(Entries { root: self, path: path.clone(), folder, names })
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// EEXIST: something has the name.
    pub fn make_folder(&self, path: &Path) -> Result<()> {
        let (folder, name) = self.place(path).map_err(|errno| match errno {
            Errno::EBUSY => Errno::EEXIST,
            errno => errno,
        })?;
        mkdirat(folder, name, Mode::from_bits_truncate(0o777))
    }

    /// Removes an empty folder.
    ///
    /// # Errors
    /// ENOTEMPTY: it is not; EBUSY: it is the root.
    pub fn remove_folder(&self, path: &Path) -> Result<()> {
        let (folder, name) = self.place(path)?;
        unlinkat(folder, name, UnlinkatFlags::RemoveDir)
    }

    /// Removes a name that is no folder: a link itself, not what it leads to.
    ///
    /// # Errors
    /// EISDIR: it is a folder.
    pub fn remove_file(&self, path: &Path) -> Result<()> {
        let (folder, name) = self.place(path)?;
        unlinkat(folder, name, UnlinkatFlags::NoRemoveDir)
    }

    /// Gives something another name; it replaces a file that has it already.
    ///
    /// # Errors
    /// EXDEV: the two places are on different disks.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let ((from, old), (to, new)) = (self.place(from)?, self.place(to)?);
        renameat(from, old, to, new)
    }

    /// Whether something has this name: a link counts, wherever it leads.
    ///
    /// # Errors
    /// Nothing has.
    pub fn exists(&self, path: &Path) -> Result<()> {
        let Some((_, name)) = path.split() else { return Ok(()) };
        let (folder, _) = self.place(path)?;
        fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW).map(drop)
    }

    /// Sets the time of the last change of a file, in seconds since 1970, and tells what it is then.
    ///
    /// # Errors
    /// As [`file`](Root::file). EOVERFLOW: the disk cannot hold that time; the file has its old one.
    pub fn set_time(&self, path: &Path, seconds: i64) -> Result<FileStat> {
        let file = self.file(path)?;
        let old = fstat(&file)?;
        futimens(&file, &TimeSpec::UTIME_OMIT, &TimeSpec::new(seconds, 0))?;
        // In the place of a time that the disk cannot hold the kernel puts the nearest that it can,
        // and says nothing. FAT counts in steps of two seconds: that is near enough.
        let new = fstat(&file)?;
        if new.st_mtime.abs_diff(seconds) < 2 {
            return Ok(new);
        }
        let old = TimeSpec::new(old.st_mtime, old.st_mtime_nsec);
        futimens(&file, &TimeSpec::UTIME_OMIT, &old)?;
        Err(Errno::EOVERFLOW)
    }

    /// Begins an upload that will have this name when it is finished.
    ///
    /// # Errors
    /// EISDIR, EINVAL: the name belongs to something that is no file. EACCES, ENOSPC: no file can be
    /// made there.
    pub fn upload(&self, path: &Path) -> Result<Upload> {
        let (folder, name) = self.place(path).map_err(|errno| match errno {
            Errno::EBUSY => Errno::EISDIR,
            errno => errno,
        })?;
        let mut mode = None;
        match fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(old) if kind(&old) == SFlag::S_IFLNK => {}
            Ok(old) => {
                regular(&old)?;
                mode = Some(old.st_mode & 0o777);
            }
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
        let temporary = format!("{TEMPORARY}{}", random()?);
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        // What replaces a private file is private from its first moment.
        let born = if mode.is_some() { 0o600 } else { 0o666 };
        let file = openat(&folder, temporary.as_str(), flags, Mode::from_bits_truncate(born))?;
        let name = name.to_owned();
        let upload = Upload { file: file.into(), folder, name, temporary, published: false };
        if let Some(mode) = mode {
            fchmod(&upload.file, Mode::from_bits_truncate(mode))?;
        }
        Ok(upload)
    }
}

/// Which of the seven types a file has.
#[must_use]
pub fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

/// The permissions: the nine bits.
#[must_use]
pub fn permissions(stat: &FileStat) -> mode_t {
    stat.st_mode & 0o777
}

fn regular(stat: &FileStat) -> Result<()> {
    match kind(stat) {
        SFlag::S_IFREG => Ok(()),
        SFlag::S_IFDIR => Err(Errno::EISDIR),
        _ => Err(Errno::EINVAL),
    }
}

/// 16 hexadecimal digits that nobody can guess.
///
/// # Errors
/// No descriptor is left for the source of them.
pub fn random() -> Result<String> {
    let mut bytes = [0; 8];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    read.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}

/// What is in a folder, one after the other; without `.`, `..` and unfinished uploads.
#[derive(Debug)]
pub struct Entries<'a> {
    root: &'a Root,
    path: Path,
    folder: OwnedFd,
    names: OwningIter,
}

/// An entry of a folder.
#[derive(Debug)]
pub struct Entry {
    /// Its name; bytes that are no text, or that would end a line, are shown as `?`.
    pub name: String,
    /// What it is.
    pub stat: FileStat,
    /// Whether a client can ask for it by this name: the name is plain text, and what it leads to is a
    /// file or folder beneath the root.
    pub reachable: bool,
}

impl Iterator for Entries<'_> {
    /// EIO: the disk failed, for whatever reason. What came before is not all that is there.
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        loop {
            let Ok(found) = self.names.next()? else { return Some(Err(Errno::EIO)) };
            let bytes = found.file_name();
            let text = String::from_utf8_lossy(bytes.to_bytes());
            if matches!(&*text, "." | "..") || text.starts_with(TEMPORARY) {
                continue;
            }
            // Who is gone since the folder was read is left out.
            let Ok(mut stat) = fstatat(&self.folder, bytes, AtFlags::AT_SYMLINK_NOFOLLOW) else {
                continue;
            };
            let plain = bytes.to_str().is_ok() && !text.chars().any(char::is_control);
            let mut reachable = plain;
            if kind(&stat) == SFlag::S_IFLNK {
                // A link is what it leads to; one that leads outside is only a name.
                match self.path.join(&text).and_then(|path| self.root.stat(&path)) {
                    Ok(target) => stat = target,
                    Err(_) => {
                        stat.st_size = 0; // the length of the path it holds is nobody's business
                        reachable = false;
                    }
                }
            }
            reachable &= matches!(kind(&stat), SFlag::S_IFREG | SFlag::S_IFDIR);
            let odd = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
            let name = text.chars().map(|c| if odd(c) { '?' } else { c }).collect();
            return Some(Ok(Entry { name, stat, reachable }));
        }
    }
}

/// A file on its way in. Dropping it before [`publish`](Upload::publish) leaves no trace of it.
#[derive(Debug)]
pub struct Upload {
    file: File,
    folder: OwnedFd,
    name: String,
    temporary: String,
    published: bool,
}

impl Upload {
    /// Copies up to `count` bytes from the old version, for an upload that continues it. 0: its end.
    ///
    /// # Errors
    /// The disk is full, or failed.
    pub fn keep(&mut self, old: &File, count: u64) -> io::Result<u64> {
        io::copy(&mut old.take(count), &mut self.file)
    }

    /// Writes what was received to the disk itself: from here on a power cut loses nothing of it.
    ///
    /// # Errors
    /// The disk is full, or failed.
    pub fn sync(&self) -> Result<()> {
        fsync(&self.file)
    }

    /// Gives the upload its name, in one step; `replace`: also if a file has it already.
    ///
    /// # Errors
    /// EEXIST: something has the name; EISDIR: a folder has.
    pub fn publish(mut self, replace: bool) -> Result<()> {
        let flags = if replace { RenameFlags::empty() } else { RenameFlags::RENAME_NOREPLACE };
        renameat2(&self.folder, self.temporary.as_str(), &self.folder, self.name.as_str(), flags)?;
        self.published = true;
        // The new name is on the disk when the folder is.
        fsync(&self.folder)
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Upload {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.published {
            // If it is gone already, all the better.
            let _ = unlinkat(&self.folder, self.temporary.as_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_path_leaves_the_root(here in "[a./]{0,20}", text in "(\\.|/|a|\\PC){0,30}") {
            let path = Path::default().join(&here).and_then(|here| here.join(&text));
            if let Ok(path) = path {
                let names = path.beneath();
                prop_assert!(!names.starts_with('/'), "{names}");
                prop_assert!(names == "." || names.split('/').all(|name| !matches!(name, "" | "." | "..")), "{names}");
                prop_assert_eq!(Path::default().join(&path.to_string()), Ok(path));
            }
        }

        #[test]
        fn a_control_character_is_in_no_name(before in "[a-z/]{0,5}", control in "\\p{Cc}", after in "[a-z/]{0,5}") {
            let text = format!("{before}{control}{after}");
            prop_assert_eq!(Path::default().join(&text), Err(Errno::EILSEQ));
        }
    }

    #[test]
    fn unfinished_uploads_are_nobodys_to_name() {
        assert_eq!(Path::default().join(&format!("a/{TEMPORARY}1")), Err(Errno::EPERM));
    }
}
