//! `--serve`: the run as a page that grows in a browser, beside the terminal.

use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use netplay_text::say;
use nix::sys::signal::{SigSet, Signal};

use super::global::Global;
use crate::draw::{Time, View};
use crate::lang::Lang;
use crate::live::{Feed, Live, Step};
use crate::stop;
use crate::terminal::key_or;
use crate::trace::remark;

/// How long one look for an answer takes: after each, signals are looked for.
const LOOK: Duration = Duration::from_millis(20);

/// Whether a run is shown in browsers.
#[derive(Debug, Default, Clone, Copy, ClapArgs)]
pub(super) struct Serve {
    /// Show it in a browser as it happens, at the address that is told then: it begins when the page is open, or at Enter [default: no page; without ADDR:PORT 127.0.0.1 and any free port]
    #[arg(long, value_name = "ADDR:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:0")]
    pub(super) serve: Option<SocketAddr>,
}

impl Serve {
    /// Serves the page, and waits until a browser has opened it. Without a terminal there is no other way to begin.
    ///
    /// # Errors
    /// The address cannot be had; the terminal is gone.
    pub(super) fn open(
        self,
        title: &str,
        time: Time,
        all: bool,
        global: &Global,
    ) -> Result<Option<Live>> {
        let Some(address) = self.serve else { return Ok(None) };
        let lang = Lang::current();
        let view = View { title: title.to_owned(), time, ..global.look(false) };
        let live = Live::serve(address, view, all).with_context(|| {
            say!(lang, "cannot serve the page at {address}", "无法在 {address} 提供页面")
        })?;
        let url = live.url();
        let is_for_keys = has_keys();
        remark(match is_for_keys {
            true => say!(
                lang,
                "netplay: it begins when a browser has opened this page (Enter: at once): {url}",
                "netplay: 在浏览器里打开这一页就开始（Enter：立刻开始）： {url}",
            ),
            false => say!(
                lang,
                "netplay: it begins when a browser has opened this page: {url}",
                "netplay: 在浏览器里打开这一页就开始： {url}",
            ),
        });
        if address.ip() != Ipv4Addr::LOCALHOST && !address.ip().is_loopback() {
            remark(lang.pick(
                "netplay: the address is not this machine's alone: those who have the link can see the run, and step it",
                "netplay: 这个地址不只属于本机：凡是有链接的人，都能看到这次运行，也能让它逐步执行",
            ));
        }
        let _begun = answered(&mut || {
            live.is_open_within(if is_for_keys { Duration::ZERO } else { LOOK }).then_some(())
        })?;
        live.feed().started();
        Ok(Some(live))
    }
}

/// Whether a person can press keys.
pub(super) fn has_keys() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// A question whether a call may go on, to the keys and to the browsers. It is asked by a thread of its own: what other
/// threads of the programs do meanwhile is heard of at once. Dropped, it is asked no longer, and the terminal is as it was.
pub(super) struct Asking {
    answer: Receiver<Step>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Asking {
    pub(super) fn begin(feed: Option<Feed>) -> Asking {
        let (sender, answer) = channel();
        let over = Arc::new(AtomicBool::new(false));
        let withdrawn = over.clone();
        let thread = std::thread::spawn(move || {
            // Signals and ticks are for the thread that watches, except those of a terminal that another job has.
            let mut others = SigSet::all();
            for of_terminal in [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU] {
                others.remove(of_terminal);
            }
            let _ = others.thread_block();
            // Without an answer, because a signal came or the terminal is gone, nothing is held any more.
            let _ = sender.send(step(feed.as_ref(), &withdrawn).unwrap_or(Step::On));
        });
        Asking { answer, over, thread: Some(thread) }
    }

    /// The answer, if there is one. A question that cannot be asked holds nothing.
    pub(super) fn answer(&self) -> Option<Step> {
        match self.answer.try_recv() {
            Err(TryRecvError::Empty) => None,
            answer => Some(answer.unwrap_or(Step::On)),
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits for a key, if there can be one, or for an answer of a browser, until the question is withdrawn.
fn step(feed: Option<&Feed>, withdrawn: &AtomicBool) -> io::Result<Step> {
    let time = if has_keys() { Duration::ZERO } else { LOOK };
    let answer = answered(&mut || match withdrawn.load(Relaxed) {
        true => Some(Step::On),
        false => feed.and_then(|feed| feed.step(time)),
    });
    if let Some(feed) = feed {
        feed.release();
    }
    Ok(match answer? {
        Ok(key) => of_key(key),
        Err(step) => step,
    })
}

fn of_key(key: Option<char>) -> Step {
    if key == Some('c') { Step::On } else { Step::Next }
}

/// Waits for a key, if there can be one, or until something else has happened.
fn answered<T>(other: &mut dyn FnMut() -> Option<T>) -> io::Result<Result<Option<char>, T>> {
    if has_keys() {
        return key_or(other);
    }
    loop {
        if stop::signal().is_some() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if let Some(happened) = other() {
            return Ok(Err(happened));
        }
    }
}
