//! JSON Lines on their way to a file: gathered while the process works, written before it sleeps.
//!
//! ```text
//! a busy server   epoll_wait recv send recv send … epoll_wait recv send …
//!                           └──────── one write ─────┘
//! ```
//!
//! A write for each line would cost a server more than its own calls do. So lines gather here, whole ones
//! only, and one `write` takes them all: before a call that may sleep ([`Gatherer`]), after a close, when
//! there is no more room, when the first has waited for [`AGE`], before a fork, before a word to people,
//! and at the end of the process. What a sleeping process did is in the file, whatever becomes of
//! it. One that is killed in the middle of its work takes with it what it did since the last of these, and
//! may leave a part of a line.
//!
//! There is no thread and no timer behind it: a server that forks must not have another thread,
//! and a signal would end the waits that are to be shown.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::file::TraceFile;
use super::progress::to_people;
use netplay_call::{self as call, Gatherer};
use netplay_record::{Event, Kind, Moves};

/// How much gathers at most: some 130 lines.
const ROOM: usize = 64 * 1024;

/// How long a line waits while others come, in nanoseconds.
const AGE: u64 = 50_000_000;

/// The lines of this process.
static BATCH: OnceLock<Mutex<Batch>> = OnceLock::new();

/// Whether there are any; to be asked without the lock.
static PENDING: AtomicBool = AtomicBool::new(false);

struct Batch {
    file: TraceFile,
    lines: Vec<u8>,
    /// How many bytes may gather; 0: each line is written at once.
    room: usize,
    /// When the first of the lines came.
    since: u64,
    /// The last event, if records are missing: it lends its names to the line that says so.
    last: Option<Event>,
}

/// Takes the lines of this process from now on. A server's gather, if they go to a file. Whoever is at the
/// other end of a pipe looks on, and gets each line at once; and a client is in no hurry: it waits for
/// people, and for its server.
pub(super) fn begin(file: TraceFile, server: bool) {
    let gather = server && file.is_regular();
    let room = if gather { ROOM } else { 0 };
    let batch = Batch { file, lines: vec![], room, since: 0, last: None };
    if BATCH.set(Mutex::new(batch)).is_ok() && gather {
        call::gather(&Lines);
        at_exit();
    }
}

/// Adds an event that ended just now.
pub(super) fn add(event: &Event, now: u64) {
    let mut line = Vec::with_capacity(512);
    serde_json::to_writer(&mut line, event).expect("a Vec takes it, and an event has no maps");
    let Some(mut batch) = batch() else { return };
    // The end of a conversation is told at once; what comes then may be a long sleep outside of calls.
    let last = event.kind == Kind::Call && event.what.moves() == Moves::Closes;
    if batch.file.has_failed() {
        batch.last = Some(event.clone());
    }
    batch.add(&line, now, last);
}

/// Writes what has gathered, and says how many records could not be written, if any could not.
pub fn missing() -> Option<String> {
    let mut batch = batch()?;
    batch.tell();
    batch.file.missing()
}

/// Writes what has gathered.
pub(super) fn tell() {
    if PENDING.load(Relaxed)
        && let Some(mut batch) = batch()
    {
        batch.tell();
    }
}

fn batch() -> Option<MutexGuard<'static, Batch>> {
    Some(BATCH.get()?.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Batch {
    fn add(&mut self, line: &[u8], now: u64, last: bool) {
        if self.lines.len() + line.len() + 1 > self.room {
            self.tell();
        }
        if self.lines.is_empty() {
            self.since = now;
        }
        self.lines.extend_from_slice(line);
        self.lines.push(b'\n');
        PENDING.store(true, Relaxed);
        if last || self.lines.len() > self.room || now.saturating_sub(self.since) > AGE {
            self.tell();
        }
    }

    fn tell(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        if let Err(error) = self.file.write(&self.lines, self.last.as_ref()) {
            to_people(&format!(
                "netplay: records are missing in the trace from here on: {error}\n"
            ));
        }
        self.lines.clear();
        PENDING.store(false, Relaxed);
    }
}

/// This process's lines, for the calls to know of.
struct Lines;

impl Gatherer for Lines {
    fn pending(&self) -> bool {
        PENDING.load(Relaxed)
    }

    fn tell(&self) {
        tell();
    }

    fn hold(&self) -> Box<dyn Any> {
        let mut batch = batch();
        if let Some(batch) = &mut batch {
            batch.tell();
        }
        Box::new(batch)
    }
}

/// The lines of a process that ends by itself are written: from then on, each at once.
#[expect(unsafe_code, reason = "atexit calls back")]
fn at_exit() {
    extern "C" fn end() {
        if let Some(mut batch) = batch() {
            batch.tell();
            batch.room = 0;
        }
    }
    // SAFETY: `end` uses statics that are never destroyed, and does not panic. A forked child
    // has it, too, which is as it should be.
    unsafe { libc::atexit(end) };
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    /// What is in the file after these lines of a hundred bytes, each with its time and whether it is the last.
    fn written(room: usize, lines: &[(u64, bool)]) -> usize {
        let file = tempfile::tempfile().unwrap();
        let mut reader = file.try_clone().unwrap();
        let mut batch = Batch { file: file.into(), lines: vec![], room, since: 0, last: None };
        for &(now, last) in lines {
            batch.add(&[b'x'; 99], now, last);
        }
        let mut text = Vec::new();
        reader.rewind().unwrap();
        reader.read_to_end(&mut text).unwrap();
        assert!(text.is_empty() || text.ends_with(b"\n"), "the last line is torn");
        text.len() / 100
    }

    #[test]
    fn lines_gather_until_there_is_a_reason_to_write_them() {
        assert_eq!(written(1000, &[(0, false); 10]), 0);
        assert_eq!(written(1000, &[(0, false); 11]), 10, "there is no more room");
        assert_eq!(written(1000, &[(0, false), (AGE, false)]), 0);
        assert_eq!(written(1000, &[(0, false), (AGE + 1, false)]), 2, "the first is too old");
        assert_eq!(written(1000, &[(0, false), (0, true)]), 2, "nothing may come for long");
        assert_eq!(written(0, &[(0, false)]), 1, "they do not gather");
        assert_eq!(written(50, &[(0, false)]), 1, "it is longer than there is room");
    }
}
