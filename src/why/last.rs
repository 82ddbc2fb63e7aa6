//! The last failure of a netplay command of this user: what `netplay why` explains when asked nothing.
//!
//! A file of one line in the state folder of the XDG rules. It is replaced whole. If it cannot be written, nothing is
//! kept and nothing is said.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error};
use chrono::{DateTime, Local};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::Answer;
use super::cause::cause;
use super::words::name;
use super::{errno, path, port};
use crate::call::{CallError, strerror};
use crate::escape::escape_unsafe;
use crate::files::state;
use crate::inspect;
use crate::lang::Voice;
use netplay_text::say;

/// A call that failed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    call: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<SocketAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    errno: i32,
    /// As RFC 3339 has it.
    time: String,
}

fn file() -> Option<PathBuf> {
    state::file("last-failure.json")
}

/// Keeps a failure for a later `netplay why`, if it was one of a call.
pub fn remember(error: &Error) {
    let Some(error) = cause::<CallError>(error) else { return };
    let failure = Failure {
        call: error.call().to_owned(),
        address: error.address(),
        path: error.path().map(Path::to_owned),
        errno: error.errno() as i32,
        time: Local::now().to_rfc3339(),
    };
    // Best effort: it was not asked for, and there is an error to read already.
    if let (Some(file), Ok(text)) = (file(), serde_json::to_string(&failure)) {
        let _ = state::write(&file, &text);
    }
}

/// The last failure, if there was one.
pub(super) fn read() -> Option<Failure> {
    serde_json::from_slice(&fs::read(file()?).ok()?).ok()
}

impl Failure {
    /// What it was, and what there is to say of it as of now.
    pub(super) fn answers(&self, voice: Voice) -> anyhow::Result<Vec<Answer>> {
        let errno = Errno::from_raw(self.errno);
        let about = match (self.address, &self.path) {
            (Some(address), _) => format!(" {address}"),
            (None, Some(path)) => format!(" {}", escape_unsafe(&path.to_string_lossy())),
            (None, None) => String::new(),
        };
        let when = DateTime::parse_from_rfc3339(&self.time).context(voice.lang.pick(
            "the file of the last failure was changed by hand",
            "记录最近一次失败的文件被人改过",
        ))?;
        let (when, call) = (when.format("%b %-d %H:%M:%S"), escape_unsafe(&self.call));
        let why = strerror(errno);
        let text = voice.lines(&say!(
            voice.lang,
            "the last failure, {when}: {call}{about}: {why}",
            "最近一次失败，{when}：{call}{about}: {why}"
        ));
        let facts = json!({
            "call": self.call,
            "address": self.address.map(|address| address.to_string()),
            "path": self.path.as_ref().map(|path| path.to_string_lossy()),
            "errno": name(errno),
            "time": self.time,
        });
        let mut answers = vec![Answer { key: "last", text, facts }];
        match (self.address, &self.path) {
            (Some(address), _) if inspect::is_ours(address.ip()) => {
                answers.push(port::answer(address.port(), voice)?)
            }
            (None, Some(path)) => answers.push(path::answer(path, voice)?),
            _ => {}
        }
        answers.push(errno::answer(errno, voice));
        Ok(answers)
    }
}
