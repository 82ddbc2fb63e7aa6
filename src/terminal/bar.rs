//! Progress bars in the last line of a terminal: on standard error, without colours.
//!
//! The thread that moves the bytes draws the bar of a transfer, so it stands still while no bytes move. It disappears when
//! the transfer ends or Ctrl-C ends it.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use console::Term;
use indicatif::{
    HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
    TermLike,
};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};

use crate::trace::progress::{self, Bar};

/// How often the bar is drawn per second, at most.
const HZ: u8 = 15;
/// On a terminal with fewer columns there is no bar.
const NARROWEST: u16 = 64;

const WITH_TOTAL: &str = "[{wide_bar}] {bytes} of {total_bytes}{rate}{left}";
const WITHOUT_TOTAL: &str = "{spinner} {bytes}{rate}";

/// Shows this process's transfers on standard error, which is a terminal.
pub fn show_transfers(ascii: bool) {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        clear_on(signal);
    }
    progress::show_on(Line { ascii, bar: Mutex::new(None) });
}

/// A bar for this many turns of another task.
#[must_use]
pub fn turns(n: usize, ascii: bool) -> ProgressBar {
    let style = ProgressStyle::with_template("[{bar:20}] {elapsed}, turn {pos}/{len}: {wide_msg}")
        .expect("the template is well formed");
    ProgressBar::new(n as u64).with_style(style.progress_chars(if ascii { "#-" } else { "█░" }))
}

/// The last line of the terminal.
struct Line {
    ascii: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Line {
    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bar for Line {
    fn begin(&self, at: u64, total: Option<u64>) {
        let screen = Screen(Term::buffered_stderr());
        if screen.width() < NARROWEST {
            return;
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        bar.set_style(style(total.is_some(), self.ascii));
        // Earlier bytes count for the bar, but not for the rate.
        bar.set_position(at);
        bar.reset_eta();
        bar.set_draw_target(ProgressDrawTarget::term_like_with_hz(Box::new(screen), HZ));
        *self.bar() = Some(bar);
    }

    fn moved(&self, bytes: u64) {
        if let Some(bar) = &*self.bar() {
            bar.inc(bytes);
        }
    }

    fn end(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
    }

    fn aside(&self, write: &mut dyn FnMut()) {
        match &*self.bar() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

fn style(total: bool, ascii: bool) -> ProgressStyle {
    let template = if total { WITH_TOTAL } else { WITHOUT_TOTAL };
    // The last character of the bar is the empty part; that of the spinner, its end.
    let (bar, spinner) =
        if ascii { ("#-", r"|/-\ ") } else { ("█▉▊▋▌▍▎▏ ", "⠋⠙⠸⠴⠦⠇ ") };
    ProgressStyle::with_template(template)
        .expect("the templates are well formed")
        .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            if state.per_sec() > 0.0 {
                let _ = write!(out, ", {}/s", HumanBytes(state.per_sec() as u64));
            }
        })
        .with_key("left", |state: &ProgressState, out: &mut dyn fmt::Write| {
            if state.per_sec() > 0.0 {
                let _ = write!(out, ", {:#} left", HumanDuration(state.eta()));
            }
        })
        .progress_chars(bar)
        .tick_chars(spinner)
}

/// A terminal that reports fewer columns than it has. The bar ends in its last column, and the
/// `^C` that a terminal shows after Ctrl-C still fits behind it without a new line.
#[derive(Debug)]
struct Screen(Term);

impl TermLike for Screen {
    fn width(&self) -> u16 {
        TermLike::width(&self.0).saturating_sub(3)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.0.write_line(line)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Lets a signal that ends the program clear the line first, unless it is ignored.
#[expect(unsafe_code, reason = "sigaction replaces a handler")]
fn clear_on(signal: Signal) {
    // SA_RESETHAND: when the handler runs, the signal's default action is restored.
    let flags = SaFlags::SA_RESETHAND | SaFlags::SA_RESTART;
    let action = SigAction::new(SigHandler::Handler(clear), flags, SigSet::empty());
    // SAFETY: the handler reads an atomic, and calls write and raise: signal-safety(7) lists both.
    let before = unsafe { sigaction(signal, &action) }.expect("both may be handled");
    if matches!(before.handler(), SigHandler::SigIgn) {
        // SAFETY: it was installed before.
        unsafe { sigaction(signal, &before) }.expect("both may be handled");
    }
}

extern "C" fn clear(number: i32) {
    if progress::shown() {
        let _ = nix::unistd::write(io::stderr().as_fd(), b"\r\x1b[K");
    }
    if let Ok(signal) = Signal::try_from(number) {
        let _ = raise(signal);
    }
}
