//! JSON Lines for a file: gathered while the process works, written before it sleeps.
//!
//! ```text
//! a busy server   epoll_wait recv send recv send … epoll_wait recv send …
//!                           └──────── one write ─────┘
//! ```
//!
//! A write for each line would cost a server more than its own calls. So whole lines gather here,
//! and one `write` takes them all: before a call that may sleep ([`Gatherer`]), after a close, when
//! the buffer is full, when the first line has waited for [`AGE`], before a fork, before a message to the user,
//! and at the end of the process. Everything that a sleeping process did is in the file, even if the process is
//! killed. A process that is killed while it works loses what it did since the last write, and
//! may leave a part of a line.
//!
//! It uses no thread and no timer: a server that forks must not have another thread,
//! and a signal would end the waits that the trace should show.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::file::TraceFile;
use super::progress::to_people;
use netplay_call::{self as call, Gatherer};
use netplay_record::{Event, Kind, Moves};

/// The most that gathers: some 130 lines.
const ROOM: usize = 64 * 1024;

/// How long a line waits while others come, in nanoseconds.
const AGE: u64 = 50_000_000;

/// The lines of this process.
static BATCH: OnceLock<Mutex<Batch>> = OnceLock::new();

/// Whether there are lines; can be read without the lock.
static PENDING: AtomicBool = AtomicBool::new(false);

struct Batch {
    file: TraceFile,
    lines: Vec<u8>,
    /// How many bytes may gather; 0: each line is written at once.
    room: usize,
    /// When the first of the lines was added.
    since: u64,
    /// The last event, if records are missing: the line that says so takes its names.
    last: Option<Event>,
}

/// Takes the lines of this process from now on. A server's lines gather if they go to a file. The reader of a pipe
/// watches live, so it gets each line at once. A client's lines are also written at once, because it is never busy:
/// it waits for its user and for its server.
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
    // The end of a conversation is written at once, because a long sleep outside of calls may follow.
    let last = event.kind == Kind::Call && event.what.moves() == Moves::Closes;
    if batch.file.has_failed() {
        batch.last = Some(event.clone());
    }
    batch.add(&line, now, last);
}

/// Writes the gathered lines, and returns how many records could not be written, if any.
pub fn missing() -> Option<String> {
    let mut batch = batch()?;
    batch.tell();
    batch.file.missing()
}

/// Writes the gathered lines.
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

/// The lines of this process, as the gatherer that the calls notify.
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

/// Writes the lines of a process that ends by itself: from then on, each at once.
#[expect(unsafe_code, reason = "atexit calls back")]
fn at_exit() {
    extern "C" fn end() {
        if let Some(mut batch) = batch() {
            batch.tell();
            batch.room = 0;
        }
    }
    // SAFETY: `end` uses statics that are never destroyed, and does not panic. A forked child
    // also inherits it, as it should.
    unsafe { libc::atexit(end) };
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    /// The file after these lines of a hundred bytes, each with its time and whether it is the last.
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
