//! `--serve`: the run as a page that grows in a browser, beside the terminal.

use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use netplay_text::say;

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

/// Waits for a key, if there can be one, or for an answer of a browser.
///
/// # Errors
/// A signal came, or the terminal is gone.
pub(super) fn key_or_step(feed: Option<&Feed>) -> io::Result<Step> {
    let Some(feed) = feed else {
        return crate::terminal::key().map(of_key);
    };
    let time = if has_keys() { Duration::ZERO } else { LOOK };
    let answer = answered(&mut || feed.step(time));
    feed.release();
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
