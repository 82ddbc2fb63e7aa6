//! The files on this side: what is sent, and where a download is until it is whole.
//!
//! A download must not touch a file that is not its own. It is written under a name that no other
//! file has (O_EXCL), which no link leads elsewhere, and gets its own name in one step (rename) when it
//! is whole. Only `get --continue` opens a file that was there before, and looks at it first.

use std::ffi::{CString, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::unistd::geteuid;
use tempfile::{NamedTempFile, TempPath};

use super::error::{About, Error, Result, Telling, Unfit};
use super::names::last;
use netplay_call::stop::Undisturbed;
use netplay_shared::failure::alone;
use netplay_text::escape::file_name;
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_trace::{progress, remark};

/// Opens an ordinary file to read; a FIFO is refused, and not waited for.
///
/// # Errors
/// It cannot be read, or is something else.
pub fn open(path: &Path) -> Result<File> {
    let cannot = || About::Read(path.to_owned());
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(path).about(cannot)?;
    if !file.metadata().about(cannot)?.is_file() {
        return Err(Error::NotOrdinary(path.to_owned()));
    }
    Ok(file)
}

/// Whether a download can have this name: asked before anything is fetched.
///
/// # Errors
/// The folder takes no files, or the name belongs to something that no file may replace.
pub fn writable(to: &Path) -> Result<()> {
    let cannot = || About::Write(to.to_owned());
    // `new/` would be a folder, and what is written there a file without a name.
    last(to.as_os_str().as_bytes()).about(cannot)?;
    replaceable(to).about(cannot)?;
    // The kernel knows best: on a file system that is read-only, even root may not.
    tempfile::tempfile_in(folder(to)).map(drop).about(cannot)
}

/// Whether a download may take the place of what has this name: asked once more when it is whole, because
/// a FIFO may have been made there meanwhile.
fn replaceable(to: &Path) -> Result<()> {
    match fs::symlink_metadata(to) {
        // /dev/stderr: what is meant is the file that is open, and not the link that leads to it.
        Ok(_) if fs::read_link(to).is_ok_and(|open| open.starts_with("/proc")) => {
            Err(Unfit::OpenFile.into())
        }
        // A link is replaced, and what it leads to is left alone; but no link to a device.
        Ok(_) if fs::metadata(to).is_ok_and(|there| !there.is_file()) => {
            Err(Unfit::NotOrdinary.into())
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `FILE.part`, with this behind it. A name that would be too long for that (NAME_MAX in limits.h: 255
/// bytes) loses its end, but no part of a character.
fn part_of(to: &Path, behind: &str) -> PathBuf {
    let end = format!(".part{behind}");
    let name = to.file_name().unwrap_or_default().as_bytes();
    let mut kept = name.len().min(libc::NAME_MAX as usize - end.len());
    if let Ok(text) = std::str::from_utf8(name) {
        kept = (0..=kept).rfind(|&at| text.is_char_boundary(at)).unwrap_or(kept);
    }
    to.with_file_name(path_of(&[&name[..kept], end.as_bytes()].concat()))
}

/// The bytes of an unfinished download that `get --continue` can go on from.
pub struct Part {
    path: PathBuf,
    file: Flock<File>,
    /// It was there before.
    earlier: bool,
    on_signal: OnSignal,
}

/// So many parts of one file may be left.
const PARTS: usize = 1000;

impl Part {
    /// `FILE.part`, or `FILE.part.1` and so on if something has that name.
    ///
    /// # Errors
    /// None can be made.
    pub fn new(to: &Path) -> Result<Part> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).custom_flags(libc::O_NOFOLLOW);
        let mut behind = String::new();
        // A signal between the file and the note that it is there would leave it behind, and not say so.
        let _undisturbed = Undisturbed::begin();
        for another in 1..=PARTS {
            let path = part_of(to, &behind);
            match options.open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    behind = format!(".{another}");
                }
                file => {
                    let file = file.about(|| About::Write(path.clone()))?;
                    if another > 1 {
                        let first = file_name(&part_of(to, ""));
                        remark(say!(
                            Lang::current(),
                            "{first} is left as it is: --continue would continue it",
                            "{first} 保持不变：--continue 才会接着它下载",
                        ));
                    }
                    return Part::hold(path, file, false);
                }
            }
        }
        Err(Error::Parts(PARTS, to.to_owned()))
    }

    /// `FILE.part`, if an earlier download has left it.
    ///
    /// # Errors
    /// What has that name is not ours.
    pub fn earlier(to: &Path) -> Result<Option<Part>> {
        let path = part_of(to, "");
        let cannot = || About::GoOn(path.clone());
        // First, because to open a FIFO wakes a program that waits at its other end.
        let there = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            there => there.about(cannot)?,
        };
        let mine = |there: &fs::Metadata| match there {
            there if !there.is_file() => Err(Unfit::NotOrdinary),
            there if there.uid() != geteuid().as_raw() => Err(Unfit::OtherUser),
            there if there.nlink() != 1 => Err(Unfit::SecondName),
            _ => Ok(()),
        };
        mine(&there).about(cannot)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = options.open(&path).about(cannot)?;
        mine(&file.metadata().about(cannot)?).about(cannot)?;
        Part::hold(path, file, true).map(Some)
    }

    /// Takes the file for this download, and no other at the same time.
    fn hold(path: PathBuf, file: File, earlier: bool) -> Result<Part> {
        let another = || Error::Busy(path.clone());
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
            if errno == Errno::EWOULDBLOCK {
                return another();
            }
            if !earlier {
                let _ = fs::remove_file(&path); // nothing is in it
            }
            Error::Lock(path.clone(), errno)
        })?;
        // The other may have finished just now, and what we hold has its final name already.
        if !has_name(&file, &path) {
            return Err(another());
        }
        let name = file_name(&path);
        let left = say!(
            Lang::current(),
            "{name} is left: get --continue continues it",
            "{name} 保留下来：get --continue 会接着下载",
        );
        let on_signal = OnSignal::new(&path, Some((&file, &left)));
        Ok(Part { path, file, earlier, on_signal })
    }

    /// The file.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// The file is whole: it gets its name. How many bytes it has.
    ///
    /// # Errors
    /// It is left where it was.
    pub fn finish(self, to: &Path) -> Result<u64> {
        let finish = || -> Result<u64> {
            self.file.sync_all()?;
            if !has_name(&self.file, &self.path) {
                return Err(Error::Moved(self.path.clone()));
            }
            replaceable(to)?;
            fs::rename(&self.path, to)?;
            Ok(self.file.metadata()?.len())
        };
        let finished = finish();
        if finished.is_err() {
            self.leave(false);
        }
        finished.about(|| About::Write(to.to_owned()))
    }

    /// The download has failed: says what is left of it, or removes what is of no use.
    pub fn leave(self, useless: bool) {
        let _undisturbed = Undisturbed::begin(); // until all of it is done
        drop(self.on_signal);
        let len = self.file.metadata().map_or(0, |file| file.len());
        if !has_name(&self.file, &self.path) {
            return;
        }
        if useless || len == 0 && !self.earlier {
            if let Err(error) = fs::remove_file(&self.path) {
                let (lang, path) = (Lang::current(), file_name(&self.path));
                let error = alone(&error, lang);
                remark(say!(lang, "cannot remove {path}: {error}", "无法删除 {path}：{error}"));
            }
        } else {
            let path = file_name(&self.path);
            remark(say!(
                Lang::current(),
                "{path} is left, with {len} bytes: get --continue continues it",
                "{path} 保留下来，有 {len} 字节：get --continue 会接着下载",
            ));
        }
    }
}

fn has_name(file: &File, path: &Path) -> bool {
    let id = |file: fs::Metadata| (file.dev(), file.ino());
    let (held, there) = (file.metadata().map(id).ok(), fs::symlink_metadata(path).map(id).ok());
    held.is_some() && held == there
}

/// A download of the menu, until it is whole: a file under a name of its own, which is removed if it is
/// not finished.
pub struct Unfinished {
    file: File,
    path: TempPath,
    on_signal: OnSignal,
}

impl Unfinished {
    /// In the folder where the file shall be.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(to: &Path) -> Result<Unfinished> {
        use std::os::unix::fs::PermissionsExt;
        let cannot = || About::Write(to.to_owned());
        let usual = fs::Permissions::from_mode(0o666);
        let mut builder = tempfile::Builder::new();
        builder.prefix(".netplay-download-").permissions(usual); // less the umask
        let _undisturbed = Undisturbed::begin(); // until the note is made that it is there
        let file: NamedTempFile = builder.tempfile_in(folder(to)).about(cannot)?;
        let (file, path) = file.into_parts();
        let on_signal = OnSignal::new(&path, None);
        Ok(Unfinished { file, path, on_signal })
    }

    /// The file.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// The file is whole: it gets its name.
    ///
    /// # Errors
    /// It is removed.
    pub fn finish(self, to: &Path) -> Result<()> {
        let persisted = replaceable(to).and_then(|()| Ok(self.path.persist(to)?));
        drop(self.on_signal);
        persisted.about(|| About::Write(to.to_owned()))
    }
}

// ---- signals

/// Beyond the limit on the size of files (RLIMIT_FSIZE) a write shall fail with EFBIG, which can be told,
/// and not end the program.
#[expect(unsafe_code, reason = "sigaction replaces a handler")]
pub fn limits_are_errors() {
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: no code of this program becomes a handler.
    unsafe { sigaction(Signal::SIGXFSZ, &ignore) }.expect("it may be ignored");
}

/// What happens to an unfinished file where a signal ends the program: it goes, or a line says that it
/// is left.
struct Note {
    path: CString,
    /// The file, if it is left when it has bytes; and that line.
    left: Option<(i32, Vec<u8>)>,
}

/// The note that the handler reads: of the one download that goes on.
static NOTE: AtomicPtr<Note> = AtomicPtr::new(ptr::null_mut());

/// A time in which a signal that ends the program takes the unfinished file along.
struct OnSignal(Vec<(Signal, SigAction)>);

impl OnSignal {
    #[expect(unsafe_code, reason = "sigaction replaces a handler")]
    fn new(path: &Path, left: Option<(&File, &str)>) -> OnSignal {
        let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return OnSignal(vec![]) };
        let left = left.map(|(file, line)| (file.as_raw_fd(), format!("netplay: {line}\n").into()));
        NOTE.store(Box::into_raw(Box::new(Note { path, left })), SeqCst);
        // SA_RESETHAND: when the handler runs, the signal's own end is in force again.
        let action =
            SigAction::new(SigHandler::Handler(ended), SaFlags::SA_RESETHAND, SigSet::empty());
        let mut before = Vec::new();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            // SAFETY: the handler uses an atomic and what signal-safety(7) lists.
            let old = unsafe { sigaction(signal, &action) }.expect("all of them may be handled");
            if matches!(old.handler(), SigHandler::SigIgn) {
                // nohup: SAFETY: it was in force before.
                unsafe { sigaction(signal, &old) }.expect("all of them may be handled");
            } else {
                before.push((signal, old));
            }
        }
        OnSignal(before)
    }
}

impl Drop for OnSignal {
    #[expect(unsafe_code, reason = "what the handler could read goes")]
    fn drop(&mut self) {
        let note = NOTE.swap(ptr::null_mut(), SeqCst);
        for (signal, before) in &self.0 {
            // SAFETY: it was in force before.
            unsafe { sigaction(*signal, before) }.expect("all of them may be handled");
        }
        if !note.is_null() {
            // SAFETY: made by Box::into_raw in `new`. A handler that has read the pointer never returns to
            // this thread, because it ends the process; and the clients have only this thread.
            drop(unsafe { Box::from_raw(note) });
        }
    }
}

#[expect(unsafe_code, reason = "the handler reads what OnSignal left for it")]
extern "C" fn ended(number: i32) {
    let note = NOTE.swap(ptr::null_mut(), SeqCst);
    let stderr = io::stderr();
    if progress::shown() {
        let _ = nix::unistd::write(&stderr, b"\r\x1b[K");
    }
    // SAFETY: null, or a note that lives: OnSignal takes the pointer away before it frees it.
    if let Some(note) = unsafe { note.as_ref() } {
        // SAFETY: fstat(2) of a number fills a stat that lives here; all zeroes are one.
        let empty = |fd| unsafe {
            let mut stat: libc::stat = std::mem::zeroed();
            libc::fstat(fd, &raw mut stat) == 0 && stat.st_size == 0
        };
        match &note.left {
            Some((fd, line)) if !empty(*fd) => {
                let _ = nix::unistd::write(&stderr, line);
            }
            _ => {
                // SAFETY: unlink(2) of a string that lives.
                unsafe { libc::unlink(note.path.as_ptr()) };
            }
        }
    }
    if let Ok(signal) = Signal::try_from(number) {
        let _ = raise(signal);
    }
}

/// The name of a file here that was told in bytes.
pub fn path_of(name: &[u8]) -> PathBuf {
    OsString::from(std::ffi::OsStr::from_bytes(name)).into()
}
