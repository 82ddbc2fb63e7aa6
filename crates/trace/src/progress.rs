//! The progress of a transfer: the page that moves the bytes reports it, a program with a terminal shows it.
//!
//! Thousands of calls move a large file, and a line for each would bury the rest of the story. So
//! while a [`Bar`] is on the screen, the story tells the first of them and counts the others. A story
//! that goes to a file has no bar beside it, and all the lines.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::screen;

/// A bar that shows the progress of a transfer, at the bottom of the terminal.
pub trait Bar: Send + Sync {
    /// A transfer begins at this offset; `total` is the size of the whole file, if it is known.
    fn begin(&self, at: u64, total: Option<u64>);
    /// So many bytes have moved.
    fn moved(&self, bytes: u64);
    /// The transfer is over: removes the bar.
    fn end(&self);
    /// Removes the bar while `write` writes lines, so that they do not mix with it.
    fn aside(&self, write: &mut dyn FnMut());
}

static BAR: OnceLock<Box<dyn Bar>> = OnceLock::new();
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Shows the transfers of this process on a bar from now on. It is for clients: a
/// bar may have a lock, which a server must not hold when it forks. Only the first call counts.
pub fn show_on(bar: impl Bar + 'static) {
    let _ = BAR.set(Box::new(bar));
}

/// Whether a bar is on the screen now. A signal handler may ask.
pub fn shown() -> bool {
    SHOWN.load(Relaxed)
}

/// Writes lines without disturbing the bar.
pub(super) fn aside(mut write: impl FnMut()) {
    match BAR.get() {
        Some(bar) => bar.aside(&mut write),
        None => write(),
    }
}

/// A transfer that lasts until this is dropped. Without a bar it does nothing.
#[derive(Debug)]
pub struct Progress(());

impl Progress {
    /// The transfer begins at this offset of a file of this size; `None`: the size is unknown.
    #[must_use]
    pub fn begin(at: u64, total: Option<u64>) -> Progress {
        if let Some(bar) = BAR.get() {
            bar.begin(at, total);
            SHOWN.store(true, Relaxed);
        }
        Progress(())
    }

    /// So many bytes have moved.
    pub fn moved(&self, bytes: usize) {
        if let Some(bar) = BAR.get() {
            bar.moved(bytes as u64);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = BAR.get() {
            SHOWN.store(false, Relaxed);
            bar.end();
        }
    }
}

/// Writes lines to standard error, beside the progress that a page reports.
pub fn to_people(lines: &str) {
    aside(|| screen::tell(lines));
}
