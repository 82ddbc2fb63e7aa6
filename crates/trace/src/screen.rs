//! Standard error. If its reader stops reading, a server's clients do not have to wait.
//!
//! A full pipe that is not read, and a terminal that was stopped with Ctrl-S, make `write` wait, and with it the
//! program that tells its story. So a server writes to them without waiting, and counts the lines that it leaves out.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{getpid, write};

use super::output::write_whole;
use netplay_call::descriptor::out_of_the_way;
use netplay_text::lang::Lang;
use netplay_text::words::counted;

/// How long a write may wait before its reader counts as stopped, in milliseconds.
const GRACE: u16 = 50;

/// Standard error, opened again to write without waiting; O_NONBLOCK on descriptor 2 itself would also change
/// the terminal of the shell, which shares it.
static SCREEN: OnceLock<OwnedFd> = OnceLock::new();

/// Whether the reader has stopped: then there is no wait at all until it reads again.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Whether the last line was written only in part.
static TORN: AtomicBool = AtomicBool::new(false);

/// How many lines this process has left out since the last line that was written.
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);
static COUNTS: AtomicI32 = AtomicI32::new(0);

/// How many columns standard error has. Asked for each line, because a window may be resized.
static COLUMNS: OnceLock<fn() -> Option<usize>> = OnceLock::new();

/// From now on lines wrap at the width of the terminal. `columns` returns it, or `None` if standard error is not a
/// terminal. Only the first call counts.
pub fn fit_terminal(columns: fn() -> Option<usize>) {
    let _ = COLUMNS.set(columns);
}

/// How many columns a line has room for: two fewer than the terminal, which may have echoed `^C` at its beginning.
pub fn columns() -> usize {
    let columns = COLUMNS.get().and_then(|columns| columns());
    columns.map_or(usize::MAX, |columns| columns.saturating_sub(2).max(2))
}

/// From now on writes do not wait for the reader of standard error.
pub fn wait_for_nobody() {
    if let Some(screen) = open() {
        let _ = SCREEN.set(screen);
    }
}

/// A file never makes a writer wait, and opening it again would give a second file offset, so it stays as it is. A
/// socket cannot be opened again, and also stays as it is.
fn open() -> Option<OwnedFd> {
    let path = "/proc/self/fd/2";
    let kind = std::fs::metadata(path).ok()?.file_type();
    if !(kind.is_fifo() || kind.is_char_device()) {
        return None;
    }
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().write(true).custom_flags(flags).open(path).ok()?;
    Some(out_of_the_way(file.into()))
}

/// Writes lines. Errors are ignored: if the reader has gone, there is no other place to report them.
pub(super) fn tell(lines: &str) {
    let Some(screen) = SCREEN.get() else {
        let _ = write_whole(io::stderr().as_fd(), lines.as_bytes());
        return;
    };
    if COUNTS.swap(getpid().as_raw(), Relaxed) != getpid().as_raw() {
        LEFT_OUT.store(0, Relaxed); // a forked child has its own count
    }
    let left_out = LEFT_OUT.load(Relaxed);
    let mut text = String::new();
    if TORN.load(Relaxed) {
        text.push('\n');
    }
    if left_out > 0 {
        text += &format!(
            "-- {}\n",
            match Lang::current() {
                Lang::En => {
                    let lines = counted(left_out, "line");
                    format!("{lines} left out here: standard error was not being read")
                }
                Lang::Zh => format!("这里略去 {left_out} 行：标准错误没有被读取"),
            }
        );
    }
    text += lines;
    let written = write_in_time(screen.as_fd(), text.as_bytes());
    if written == 0 {
        LEFT_OUT.fetch_add(lines.matches('\n').count() as u64, Relaxed);
        return;
    }
    let rest = &text.as_bytes()[written..];
    TORN.store(!rest.is_empty(), Relaxed);
    let rest = rest.iter().filter(|&&byte| byte == b'\n').count() as u64;
    LEFT_OUT.fetch_sub(left_out, Relaxed);
    LEFT_OUT.fetch_add(rest, Relaxed);
}

/// How many bytes were written.
#[expect(clippy::disallowed_methods, reason = "the observer's own wait, and for no socket")]
fn write_in_time(fd: BorrowedFd<'_>, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match write(fd, &bytes[written..]) {
            Ok(n) => {
                written += n;
                STOPPED.store(false, Relaxed);
            }
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) if !STOPPED.load(Relaxed) => {
                let mut list = [PollFd::new(fd, PollFlags::POLLOUT)];
                let ready = poll(&mut list, PollTimeout::from(GRACE));
                STOPPED.store(ready == Ok(0), Relaxed);
            }
            // The reader has stopped; or it has gone, and then it does not matter what is left out.
            Err(_) => break,
        }
    }
    written
}
