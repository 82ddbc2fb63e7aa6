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
//! A check of the text would not do: between the check and the open another program may put a symbolic link
//! in the place of a folder. So the root is held as a descriptor, and it is the kernel that resolves
//! every path beneath it, in the one step that also opens (openat2(2)): a link that leads outside
//! fails with EXDEV, whenever it was put there. What has no open call (remove, rename, make) is done
//! to a name in a folder that was opened so.
//!
//! An upload is written under a name of its own, and takes the place of the old file in one step
//! (rename(2)) when it is whole and on the disk. Until then it is not visible; an upload that is cut off is removed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::dir::{Dir, OwningIter};
use nix::errno::Errno;
use nix::fcntl::{
    AtFlags, OFlag, OpenHow, RenameFlags, ResolveFlag, open, openat, openat2, readlinkat, renameat,
    renameat2,
};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, futimens, mkdirat, mode_t};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};

/// What a path or a file could not do, as errno(3) names it.
pub type Result<T> = std::result::Result<T, Errno>;

/// The path leads out of the root: openat2's EXDEV, which from a rename means something else.
pub const OUTSIDE: Errno = Errno::EREMOTE;

/// It is neither a file nor a folder, but a fifo, a socket or a device.
pub const SPECIAL: Errno = Errno::ENXIO;

/// The name is one of those that the server keeps for unfinished uploads.
pub const RESERVED: Errno = Errno::EKEYREJECTED;

/// It would be done to the root itself.
pub const ROOT: Errno = Errno::EADDRINUSE;

/// The name of an upload that is not finished begins so; clients can neither see nor use such names.
pub const TEMPORARY: &str = ".netplay-upload-";

/// A path as clients see it: names beneath the root. `/` has none. A name is bytes to Linux, and here:
/// mostly UTF-8, but a file that a client in China has named is there as well.
///
/// ```
/// use netplay_ftp::root::Path;
/// let home = Path::default();
/// assert_eq!(home.join(b"a/./b//c")?.bytes(), b"/a/b/c");
/// assert_eq!(home.join(b"a")?.join(b"../../..")?.bytes(), b"/");
/// assert_eq!(home.join(b"a")?.join(b"/b\xd6\xd0")?.bytes(), b"/b\xd6\xd0");
/// assert!(home.join(b"a\nb").is_err());
/// # Ok::<(), nix::errno::Errno>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(Vec<Vec<u8>>);

impl Path {
    /// The path that `text` means to a client in this folder.
    ///
    /// # Errors
    /// EILSEQ: a name cannot be told in a line. [`RESERVED`].
    pub fn join(&self, text: &[u8]) -> Result<Path> {
        if !fits_a_line(text) {
            return Err(Errno::EILSEQ);
        }
        let mut names = if text.starts_with(b"/") { Vec::new() } else { self.0.clone() };
        for name in text.split(|&byte| byte == b'/') {
            match name {
                b"" | b"." => {}
                b".." => drop(names.pop()),
                name if name.starts_with(TEMPORARY.as_bytes()) => return Err(RESERVED),
                name => names.push(name.to_owned()),
            }
        }
        Ok(Path(names))
    }

    /// The last name, and the folder that it is in; the root has neither.
    #[must_use]
    pub fn split(&self) -> Option<(Path, &[u8])> {
        let (name, folder) = self.0.split_last()?;
        Some((Path(folder.to_vec()), name))
    }

    /// As clients write it, from the root on.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        [b"/", &*self.0.join(&b'/')].concat()
    }

    /// As the kernel takes it, relative to the root.
    fn beneath(&self) -> OsString {
        OsString::from_vec(if self.0.is_empty() { b".".to_vec() } else { self.0.join(&b'/') })
    }
}

/// Whether a name can be told in a line: a line end would end it, and Linux allows it in a name. Every
/// other byte goes over the wire, whatever a terminal would make of it.
fn fits_a_line(name: &[u8]) -> bool {
    !name.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
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
    fn beneath(&self, path: &OsStr, flags: OFlag) -> Result<OwnedFd> {
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
            match openat2(&self.0, path, how) {
                // Something was renamed meanwhile, and the kernel cannot tell whether it still is
                // beneath: ask again.
                Err(Errno::EAGAIN) if tries < 100 => tries += 1,
                Err(Errno::EXDEV) => return Err(OUTSIDE),
                opened => return opened,
            }
        }
    }

    /// What the path leads to: its type, size and times. Nothing is opened for it.
    ///
    /// # Errors
    /// It leads nowhere, or outside.
    pub fn stat(&self, path: &Path) -> Result<FileStat> {
        fstat(self.beneath(&path.beneath(), OFlag::O_PATH)?)
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// EISDIR: it is a folder. [`SPECIAL`]: its open may wait for ever or do things.
    pub fn file(&self, path: &Path) -> Result<File> {
        regular(&self.stat(path)?)?;
        let file = self.beneath(&path.beneath(), OFlag::O_RDONLY)?;
        // Another one may have taken its place in between; O_NONBLOCK let even that open return.
        regular(&fstat(&file)?)?;
        Ok(file.into())
    }

    /// Opens a folder, to be in it: as a place for changes. It need not be one that may be listed.
    ///
    /// # Errors
    /// ENOTDIR: it is not a folder. EACCES: it cannot be entered.
    pub fn folder(&self, path: &Path) -> Result<OwnedFd> {
        // The dot is looked up in the folder, and for that it must be allowed to be there.
        let mut dot = path.beneath();
        dot.push("/.");
        self.beneath(&dot, OFlag::O_PATH | OFlag::O_DIRECTORY)
    }

    /// The folder of a name that is to be changed, and the name.
    fn place<'a>(&self, path: &'a Path) -> Result<(OwnedFd, &'a OsStr)> {
        let (folder, name) = path.split().ok_or(ROOT)?;
        Ok((self.folder(&folder)?, OsStr::from_bytes(name)))
    }

    /// What is in a folder, in the order of the disk.
    ///
    /// # Errors
    /// It is not a folder, or may not be read.
    pub fn entries(&self, path: &Path) -> Result<Entries<'_>> {
        let folder = self.beneath(&path.beneath(), OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        let names = Dir::from_fd(folder.try_clone().map_err(|_| Errno::EMFILE)?)?.into_iter();
        let mut above = Vec::new();
        let mut at = path.clone();
        loop {
            let stat = self.stat(&at)?;
            above.push((stat.st_dev, stat.st_ino));
            match at.split() {
                Some((up, _)) => at = up,
                None => break,
            }
        }
        Ok(Entries { root: self, path: path.clone(), folder, names, above })
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// EEXIST: something has the name.
    pub fn make_folder(&self, path: &Path) -> Result<()> {
        let (folder, name) = self.place(path).map_err(|errno| match errno {
            ROOT => Errno::EEXIST,
            errno => errno,
        })?;
        mkdirat(folder, name, Mode::from_bits_truncate(0o777))
    }

    /// Removes an empty folder.
    ///
    /// # Errors
    /// ENOTEMPTY: it is not. [`ROOT`].
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

    /// Sets the time of the last change of a file or folder, in seconds since 1970, and tells what it is
    /// then.
    ///
    /// # Errors
    /// [`SPECIAL`]. EOVERFLOW: the disk cannot hold that time; the file has its old one.
    pub fn set_time(&self, path: &Path, seconds: i64) -> Result<FileStat> {
        let file = match self.file(path) {
            Err(Errno::EISDIR) => {
                self.beneath(&path.beneath(), OFlag::O_RDONLY | OFlag::O_DIRECTORY)?.into()
            }
            file => file?,
        };
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
    /// EISDIR, [`SPECIAL`]: the name belongs to something that is no file. EACCES, ENOSPC: no file can be
    /// made there.
    pub fn upload(&self, path: &Path) -> Result<Upload> {
        let (folder, name) = self.place(path).map_err(|errno| match errno {
            ROOT => Errno::EISDIR,
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
        _ => Err(SPECIAL),
    }
}

/// 16 hexadecimal digits that cannot be guessed.
///
/// # Errors
/// The kernel gives none (getrandom(2)).
pub fn random() -> Result<String> {
    let number = getrandom::u64()
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
    Ok(format!("{number:016x}"))
}

/// What is in a folder, one after the other; without `.`, `..` and unfinished uploads.
#[derive(Debug)]
pub struct Entries<'a> {
    root: &'a Root,
    path: Path,
    folder: OwnedFd,
    names: OwningIter,
    /// This folder, and those above it, as device and inode.
    above: Vec<(u64, u64)>,
}

/// An entry of a folder.
#[derive(Debug)]
pub struct Entry {
    /// Its name; a line end in it is shown as `?`.
    pub name: Vec<u8>,
    /// What it is; of a link, what it leads to, if that is beneath the root.
    pub stat: FileStat,
    /// Of a link, the path that it holds.
    pub link: Option<Link>,
    /// Whether a client can ask for it by this name, and what it leads to is a file or folder beneath the
    /// root.
    pub reachable: bool,
}

/// A symbolic link.
#[derive(Debug)]
pub struct Link {
    /// What it is itself.
    pub stat: FileStat,
    /// Where it leads to; `None`: out of the root, or to no path that can be told.
    pub target: Option<Vec<u8>>,
}

impl Iterator for Entries<'_> {
    /// EIO: the disk failed, for whatever reason. What came before is not all that is there.
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        loop {
            let Ok(found) = self.names.next()? else { return Some(Err(Errno::EIO)) };
            let bytes = found.file_name().to_bytes();
            if matches!(bytes, b"." | b"..") || bytes.starts_with(TEMPORARY.as_bytes()) {
                continue;
            }
            let own = OsStr::from_bytes(bytes);
            // Who is gone since the folder was read is left out.
            let Ok(mut stat) = fstatat(&self.folder, own, AtFlags::AT_SYMLINK_NOFOLLOW) else {
                continue;
            };
            let mut reachable = fits_a_line(bytes);
            let mut link = None;
            if kind(&stat) == SFlag::S_IFLNK {
                let target = readlinkat(&self.folder, own).map(OsString::into_vec);
                let there = self.path.join(bytes).and_then(|path| self.root.stat(&path));
                let target = target.ok().filter(|to| there != Err(OUTSIDE) && self.may_tell(to));
                link = Some(Link { stat, target });
                match there {
                    Ok(there) => stat = there,
                    Err(_) => reachable = false,
                }
                // Who descends into a folder that leads back up would never come to an end.
                reachable &= !self.above.contains(&(stat.st_dev, stat.st_ino));
            }
            reachable &= matches!(kind(&stat), SFlag::S_IFREG | SFlag::S_IFDIR);
            let name = bytes.iter().map(|&b| if fits_a_line(&[b]) { b } else { b'?' }).collect();
            return Some(Ok(Entry { name, stat, link, reachable }));
        }
    }
}

impl Entries<'_> {
    /// Whether a client may know where a link leads to: not if that is outside, for the paths of this
    /// machine are no client's business.
    fn may_tell(&self, target: &[u8]) -> bool {
        let depth = target.split(|&byte| byte == b'/').try_fold(
            self.path.0.len(),
            |depth, name| match name {
                b"" | b"." => Some(depth),
                b".." => depth.checked_sub(1),
                _ => Some(depth + 1),
            },
        );
        !target.starts_with(b"/") && depth.is_some() && fits_a_line(target)
    }
}

/// A file on its way in. Dropping it before [`publish`](Upload::publish) leaves no trace of it.
#[derive(Debug)]
pub struct Upload {
    file: File,
    folder: OwnedFd,
    name: OsString,
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
        renameat2(&self.folder, self.temporary.as_str(), &self.folder, &*self.name, flags)?;
        self.published = true;
        // The new name is on the disk when the folder is. To say so takes a descriptor for reading, and
        // not every folder that may be written to may be read.
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        match openat(&self.folder, ".", flags, Mode::empty()) {
            Ok(folder) => fsync(folder),
            Err(_) => Ok(()),
        }
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
            let path = Path::default().join(here.as_bytes()).and_then(|here| here.join(text.as_bytes()));
            if let Ok(path) = path {
                let names = path.beneath().into_string().unwrap_or_default();
                prop_assert!(!names.starts_with('/'), "{names}");
                prop_assert!(names == "." || names.split('/').all(|name| !matches!(name, "" | "." | "..")), "{names}");
                prop_assert_eq!(Path::default().join(&path.bytes()), Ok(path));
            }
        }

        #[test]
        fn a_line_end_is_in_no_name(before in "[a-z/]{0,5}", end in "[\r\n\0]", after in "[a-z/]{0,5}") {
            let text = format!("{before}{end}{after}");
            prop_assert_eq!(Path::default().join(text.as_bytes()), Err(Errno::EILSEQ));
        }
    }

    #[test]
    fn unfinished_uploads_are_nobodys_to_name() {
        assert_eq!(Path::default().join(format!("a/{TEMPORARY}1").as_bytes()), Err(RESERVED));
    }
}
