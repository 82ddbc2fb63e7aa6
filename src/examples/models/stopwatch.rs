//! Measures a model: a clock around its calls, and no other call between them.

use std::io::Write;

use anyhow::Result;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;

use crate::call::{self, monotonic};
use crate::output::stdout;

/// Times are nanoseconds of CLOCK_MONOTONIC.
#[derive(Debug, Default)]
pub struct Stopwatch {
    /// When the first phase began.
    pub start: u64,
    used: Option<Usage>,
    /// CPU time since the start, in nanoseconds: in the program, and in the kernel for it. Their sum is
    /// exact; Linux only estimates the two parts.
    pub cpu: (u64, u64),
    /// When the first call began.
    pub first: u64,
    /// When the last call began, and when it returned.
    pub last: (u64, u64),
    /// How many calls there were since the start.
    pub calls: u64,
    /// How many of them answered EAGAIN.
    pub eagains: u64,
}

impl Stopwatch {
    /// The first phase begins. It tells the sender when, because the delay counts from here.
    pub fn start(&mut self) -> Result<()> {
        self.start = monotonic();
        let mut out = stdout();
        writeln!(out, "{WAITING}{}", self.start)?;
        out.flush()?;
        self.used = Some(getrusage(UsageWho::RUSAGE_SELF)?);
        Ok(())
    }

    /// Makes a call, and notes when it began and when it returned.
    #[inline]
    pub fn time<T>(&mut self, call: impl FnOnce() -> call::Result<T>) -> call::Result<T> {
        let start = monotonic();
        let answer = call();
        if self.calls == 0 {
            self.first = start;
        }
        self.last = (start, monotonic());
        self.calls += 1;
        self.eagains += u64::from(matches!(&answer, Err(error) if error.would_block()));
        answer
    }

    /// The message has arrived; what follows is not measured.
    pub fn stop(&mut self) -> Result<()> {
        let Some(before) = self.used.take() else { return Ok(()) }; // already stopped
        let now = getrusage(UsageWho::RUSAGE_SELF)?;
        let since = |time: fn(&Usage) -> TimeVal| {
            let ns = |usage: &Usage| {
                let time = time(usage);
                time.tv_sec() as u64 * 1_000_000_000 + time.tv_usec() as u64 * 1000
            };
            ns(&now).saturating_sub(ns(&before))
        };
        self.cpu = (since(Usage::user_time), since(Usage::system_time));
        Ok(())
    }
}

/// The start of the line that says when the first phase began.
pub const WAITING: &str = "waiting ";
