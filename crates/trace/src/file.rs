//! The file of a trace: whole lines, even if the disk is full or the reader has stopped.
//!
//! A full disk may take a part of a line. The next line, of this process or of another that shares the file, would
//! follow it directly. So the part is cut off again, and until then a lock keeps the others from writing. A pipe
//! whose reader has stopped would keep a server from ending. So once a stop is requested, the wait for the reader
//! is limited. Lines that could not be written are counted, and the next line that is written says how many.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid};

use netplay_call as call;
use netplay_call::descriptor::{Tally, out_of_the_way};
use netplay_call::stop;
use netplay_record::{Event, Kind, error_in_words};
use netplay_text::lang::Lang;
use netplay_text::say;

/// How long a FIFO may be without a reader before it is an error to write to it.
const READER: Duration = Duration::from_secs(5);

/// How long the reader of a pipe may take when a stop was requested, in milliseconds.
const LAST_WAIT: u64 = 500;

/// How long a wait for the reader lasts before it looks whether a stop was requested, in milliseconds.
const LOOK: u16 = 100;

/// How long to wait for another writer of the same file. It needs some microseconds, unless it was stopped
/// (SIGSTOP) while it wrote.
const OTHER: Duration = Duration::from_millis(50);

/// Whether a stop was requested, also by a signal that is blocked while a server forks.
fn in_a_hurry() -> bool {
    stop::in_a_hurry() || call::is_pending(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP])
}

/// A file that takes the lines of one process, and of the children that it forks.
#[derive(Debug, Clone)]
pub struct TraceFile {
    file: Arc<File>,
    /// The lock that a writer must take; `None`: it is not a file on a disk.
    door: Option<Arc<Mutex<Door>>>,
    /// Whether something was written.
    begun: bool,
    /// Whether the last line in a pipe is incomplete.
    torn: bool,
    /// Whether a reader let [`LAST_WAIT`] pass: then there are no more waits.
    given_up: bool,
    /// Why a line could not be written, the first time.
    why: Option<String>,
    /// Whether lines of any process were found to be missing.
    noticed: bool,
    /// How many lines of all processes are missing that no line in the file mentions yet.
    lost: Option<Arc<Tally>>,
    /// How many lines are missing that a line in the file mentions.
    told: Option<Arc<Tally>>,
}

impl TraceFile {
    /// Opens a file to append whole lines to, so that several processes may share it.
    ///
    /// # Errors
    /// It cannot be opened; it is a FIFO, and no reader comes within five seconds.
    pub fn open(path: &Path) -> io::Result<TraceFile> {
        // The descriptor, and so O_NONBLOCK, belongs to this program alone; a file on a disk never waits.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let mut how = OpenOptions::new();
        how.append(true).create(true).custom_flags(flags);
        let end = Instant::now() + READER;
        let file = loop {
            match how.open(path) {
                // A FIFO without a reader (fifo(7)).
                Err(error) if error.raw_os_error() == Some(libc::ENXIO) && is_fifo(path) => {
                    if Instant::now() > end {
                        let why = Lang::current().pick(
                            "this FIFO has no reader: start the reader first",
                            "这个 FIFO 没有读者：先启动读的一方",
                        );
                        return Err(io::Error::new(io::ErrorKind::TimedOut, why));
                    }
                    thread::sleep(Duration::from_millis(20));
                }
                opened => break opened?,
            }
        };
        // A file on a disk may also have to be read. (A FIFO opened for reading would need no reader.)
        let is_file = file.metadata().is_ok_and(|data| data.is_file());
        let readable = is_file.then(|| how.read(true).open(path).ok()).flatten();
        Ok(TraceFile::from(File::from(out_of_the_way(readable.unwrap_or(file).into()))))
    }

    /// Whether it is a file on a disk, not a pipe or terminal.
    pub(super) fn is_regular(&self) -> bool {
        self.file.metadata().is_ok_and(|data| data.is_file())
    }

    /// Writes whole lines, or counts them; the line that says how many are missing takes its names from `event`.
    ///
    /// # Errors
    /// Why lines could not be written, the first time that happens.
    pub fn write(&mut self, lines: &[u8], event: Option<&Event>) -> Result<(), &str> {
        let (door, file) = (self.door.clone(), self.file.clone());
        let _turn = door.as_deref().and_then(|door| Turn::wait(&file, door));
        if !self.begun {
            self.begun = true;
            // An earlier writer may have been killed in the middle of a line.
            self.torn |= self.door.is_some() && lacks_an_end(&self.file);
        }
        let missing = self.lost.as_ref().map_or(0, |lost| lost.take());
        if missing > 0 {
            self.noticed = true; // they may be another process's
            match event.map(|event| self.put(&note(event, missing))) {
                Some(Ok(())) => add(self.told.as_deref(), missing),
                _ => add(self.lost.as_deref(), missing),
            }
        }
        let Err((error, rest)) = self.put(lines) else { return Ok(()) };
        add(self.lost.as_deref(), rest);
        if self.why.is_some() {
            return Ok(());
        }
        Err(self.why.insert(why(&error, Lang::current())))
    }

    /// Whether lines are known to be missing: then [`write`](TraceFile::write) needs an event.
    pub(super) fn has_failed(&self) -> bool {
        self.why.is_some() || self.noticed
    }

    /// How many lines are missing in all, and why; `None`: the file is complete.
    pub fn missing(&self) -> Option<String> {
        let (lost, told) = (self.lost.as_ref()?, self.told.as_ref()?);
        let (untold, said) = (lost.take(), told.take());
        lost.add(untold);
        told.add(said);
        let (n, lang) = (untold + said, Lang::current());
        let records = if n == 1 { "record is" } else { "records are" };
        let why = self.why.as_ref();
        let why = why.map(|why| say!(lang, ": {why}", "：{why}")).unwrap_or_default();
        (n > 0).then(|| {
            say!(lang, "{n} {records} missing in the trace{why}", "跟踪文件缺少 {n} 条记录{why}")
        })
    }

    /// Writes lines after the end of the last one. If it fails: why, and how many are missing.
    fn put(&mut self, lines: &[u8]) -> Result<(), (io::Error, u64)> {
        let count = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        if self.torn {
            self.put_bytes(b"\n").map_err(|(error, _)| (error, count(lines)))?;
            self.torn = false;
        }
        self.put_bytes(lines).map_err(|(error, written)| {
            let whole =
                lines[..written].iter().rposition(|&byte| byte == b'\n').map_or(0, |n| n + 1);
            self.torn = written > whole && !self.cut_off((written - whole) as u64);
            (error, count(&lines[whole..]))
        })
    }

    /// Writes bytes. If it fails: why, and how many were written.
    fn put_bytes(&mut self, bytes: &[u8]) -> Result<(), (io::Error, usize)> {
        let mut written = 0;
        let mut waited = 0;
        while written < bytes.len() {
            match nix::unistd::write(&*self.file, &bytes[written..]) {
                Ok(n) => written += n,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if self.given_up || waited >= LAST_WAIT => {
                    self.given_up = true;
                    let why = Lang::current().pick("its reader does not read", "它的读者不读取");
                    return Err((io::Error::other(why), written));
                }
                Err(Errno::EAGAIN) => waited += wait_for_room(self.file.as_fd()),
                Err(errno) => return Err((errno.into(), written)),
            }
        }
        Ok(())
    }

    /// Removes an incomplete line at the end of the file; returns whether it could. It cannot remove bytes from a
    /// pipe, and must keep what another process has appended since.
    fn cut_off(&mut self, part: u64) -> bool {
        let Ok(end) = (&*self.file).stream_position() else { return false };
        self.file.metadata().is_ok_and(|data| data.is_file() && data.len() == end)
            && self.file.set_len(end - part).is_ok()
    }
}

impl From<File> for TraceFile {
    fn from(file: File) -> TraceFile {
        let tally = || Tally::new().ok().map(Arc::new);
        let (lost, told, file) = (tally(), tally(), Arc::new(file));
        let is_file = file.metadata().is_ok_and(|data| data.is_file());
        let door = is_file.then(Arc::default);
        TraceFile {
            file,
            door,
            begun: false,
            torn: false,
            given_up: false,
            why: None,
            noticed: false,
            lost,
            told,
        }
    }
}

/// The right to write: held by one thread of one process.
#[derive(Debug, Default)]
struct Door {
    /// The file, opened again by this process, and the process. A flock(2) lock belongs to the open file,
    /// and a forked child shares that of its parent, so the parent's lock would not stop it.
    own: Option<(Pid, OwnedFd)>,
    /// Whether a wait for another writer failed: then there is no wait until that writer is done.
    given_up: bool,
}

impl Door {
    fn own(&mut self, file: &File) -> Option<BorrowedFd<'_>> {
        if self.own.as_ref().is_none_or(|(process, _)| *process != getpid()) {
            self.own = None; // it is not locked: no process forks while it writes a line
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            let again = OpenOptions::new().append(true).open(path).ok()?;
            self.own = Some((getpid(), out_of_the_way(again.into())));
        }
        self.own.as_ref().map(|(_, own)| own.as_fd())
    }
}

/// The time in which only this thread writes.
struct Turn<'a>(MutexGuard<'a, Door>);

impl Turn<'_> {
    /// Waits until the other writers are done; `None`: that took too long, or the file cannot be locked.
    fn wait<'a>(file: &File, door: &'a Mutex<Door>) -> Option<Turn<'a>> {
        let end = Instant::now() + OTHER;
        let pause = || {
            thread::sleep(Duration::from_micros(100));
            Instant::now() < end
        };
        let mut guard = loop {
            match door.try_lock() {
                Ok(guard) => break guard,
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if pause() => {}
                Err(TryLockError::WouldBlock) => return None,
            }
        };
        loop {
            match flock(guard.own(file)?, libc::LOCK_EX | libc::LOCK_NB) {
                Ok(()) => {
                    guard.given_up = false;
                    return Some(Turn(guard));
                }
                Err(Errno::EWOULDBLOCK | Errno::EINTR) if !guard.given_up && pause() => {}
                Err(_) => {
                    guard.given_up = true;
                    return None;
                }
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some((_, own)) = &self.0.own {
            let _ = flock(own.as_fd(), libc::LOCK_UN);
        }
    }
}

/// flock(2). (nix has it only as a lock that owns its file.)
#[expect(unsafe_code, reason = "a call of the C library")]
fn flock(file: BorrowedFd<'_>, what: i32) -> nix::Result<()> {
    // SAFETY: the descriptor is open, and the rest is a number.
    Errno::result(unsafe { libc::flock(file.as_raw_fd(), what) }).map(drop)
}

/// Whether the last line of a file is incomplete, if the file can be read.
fn lacks_an_end(file: &File) -> bool {
    let size = file.metadata().map_or(0, |data| data.len());
    let mut last = [0];
    size > 0 && file.read_exact_at(&mut last, size - 1).is_ok() && last != *b"\n"
}

fn is_fifo(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|data| data.file_type().is_fifo())
}

fn add(tally: Option<&Tally>, more: u64) {
    if let Some(tally) = tally {
        tally.add(more);
    }
}

/// Waits until a pipe has room; how long that was at most, in milliseconds.
#[expect(clippy::disallowed_methods, reason = "the observer's own wait, and for no socket")]
fn wait_for_room(pipe: BorrowedFd<'_>) -> u64 {
    let mut list = [PollFd::new(pipe, PollFlags::POLLOUT)];
    // EINTR: a signal, perhaps the one that requests the stop; the caller checks.
    let _ = poll(&mut list, PollTimeout::from(LOOK));
    if in_a_hurry() { u64::from(LOOK) } else { 0 }
}

/// Why a line could not be written, in words.
pub(crate) fn why(error: &io::Error, lang: Lang) -> String {
    let errno = error.raw_os_error().filter(|_| lang == Lang::Zh).map(Errno::from_raw);
    errno.map_or_else(|| error.to_string(), |errno| error_in_words(&format!("{errno:?}"), lang))
}

/// The line that says how many are missing before the record of this event.
fn note(event: &Event, missing: u64) -> Vec<u8> {
    let records = match missing {
        1 => "1 record is missing here: it".to_owned(),
        n => format!("{n} records are missing here: they"),
    };
    let told = say!(
        Lang::current(),
        "{records} could not be written",
        "这里缺少 {missing} 条记录：无法写入",
    );
    let note = Event {
        v: event.v,
        kind: Kind::Note,
        start_ns: event.start_ns,
        wall: event.wall.clone(),
        pid: event.pid,
        tid: event.tid,
        role: event.role.clone(),
        example: event.example.clone(),
        boot: event.boot.clone(),
        text: Some(told.into()),
        value: Some(format!("missing {missing}").into()),
        ..Event::default()
    };
    let mut line = serde_json::to_vec(&note).expect("an event has no maps");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use std::io::{Read, SeekFrom, Write};

    use super::*;

    fn event() -> Event {
        Event { v: 1, role: "server".into(), ..Event::default() }
    }

    #[test]
    fn a_torn_line_of_a_file_is_cut_off_again() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"one\ntwo\nthr").unwrap();
        let mut trace = TraceFile::from(file);
        assert!(trace.cut_off(3));
        trace.lost.as_ref().unwrap().add(2);
        trace.write(b"four\n", Some(&event())).unwrap();
        let mut text = String::new();
        (&*trace.file).seek(SeekFrom::Start(0)).unwrap();
        (&*trace.file).read_to_string(&mut text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines[1], lines.last()), ("one", "two", Some(&"four")));
        assert!(lines[2].contains("2 records are missing here"), "{text}");
        assert!(trace.missing().unwrap().starts_with("2 records are missing"));
    }

    #[test]
    fn a_line_after_a_torn_one_in_a_pipe_begins_anew() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut trace = TraceFile::from(File::from(std::os::fd::OwnedFd::from(writer)));
        trace.torn = true;
        trace.write(b"whole\n", None).unwrap();
        drop(trace);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "\nwhole\n");
    }

    #[test]
    fn what_a_full_disk_did_not_take_is_counted() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut trace = TraceFile::from(full);
        assert!(trace.write(b"one\ntwo\n", Some(&event())).is_err());
        assert!(trace.write(b"three\n", Some(&event())).is_ok(), "it is said once");
        let missing = trace.missing().unwrap();
        assert!(missing.starts_with("3 records are missing in the trace: No space"), "{missing}");
    }
}
