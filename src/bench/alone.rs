//! The client's side alone, against a server elsewhere: one of several load generators.
//!
//! The connections are there before the moment at which all begin, so that no part of the measurement is spent on
//! connecting, and the server has the whole load from the first second on.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use super::SERVES_ALL;
use super::load::{Clients, Terms};
use super::machine::Machine;
use super::moment::{Clock, Moment};
use super::part::{Part, encode};
use super::plan::{Load, Manner};
use super::sample::Latency;
use crate::inspect::sysctl;
use crate::lang::Lang;
use crate::stop::Stop;
use crate::words::{about, grouped};
use netplay_text::say;

/// What one load generator is told.
#[derive(Debug)]
pub struct Alone {
    /// The server, as it was typed.
    pub target: String,
    /// Where that is.
    pub address: SocketAddr,
    /// How many connections.
    pub load: Load,
    /// What they send, and how.
    pub manner: Manner,
    /// When all begin; `None`: as soon as this one is connected.
    pub start_at: Option<Moment>,
}

/// So long before the start it connects, for up to a thousand connections; for each further thousand a second more.
const TO_CONNECT: u64 = 5;

/// The shortest slice of time in which replies are counted, and how many slices there are at most.
const SLICE: Duration = Duration::from_millis(10);
const SLICES: u32 = 1000;

/// A start that is later by so much is worth a word.
const LATE: i64 = 5_000_000;

/// Connects, waits for the moment and puts on the load; `None`: it was interrupted before it began. `tell` is told what
/// is waited for.
///
/// # Errors
/// The moment has passed, or the threads cannot be started. What is wrong with the server is in the part.
pub fn run(alone: &Alone, stop: &Stop, tell: &dyn Fn(String)) -> Result<Option<Part>> {
    let Alone { target, address, load, manner, start_at } = alone;
    let lang = Lang::current();
    let machine = Machine::here();
    if let Some(moment) = start_at {
        let (left, text) = (about(moment.ahead()?), moment.short());
        tell(say!(lang, "starts at {text}, in {left}", "将在 {text} 开始，还有 {left}"));
        let early = Duration::from_secs(TO_CONNECT + load.total() as u64 / 1000);
        moment.before(early).wait(stop);
        if stop.requested() {
            return Ok(None);
        }
    }
    let time = Duration::from_secs_f64(manner.seconds);
    let slice = SLICE.max(time / SLICES);
    let terms = Terms {
        load: *load,
        manner,
        time,
        slice: Some(slice),
        processors: None,
        patience: SERVES_ALL,
    };
    let clients = Clients::connect(*address, terms, stop)?;
    clients.until_quiet();
    // Nothing but the start itself stands behind the wait.
    let (n, seconds) = (grouped(load.connections as u64), about(time));
    tell(say!(
        lang,
        "puts on {n} connections for {seconds}",
        "施加 {n} 个连接的负载，持续 {seconds}"
    ));
    let clock = Clock::here();
    if let Some(moment) = start_at {
        let late = Moment::now().after(*moment);
        if late > LATE && !stop.requested() {
            let late = about(Duration::from_nanos(late.unsigned_abs()));
            tell(say!(
                lang,
                "connecting took until {late} after the start: this part begins later than the others",
                "连接一直建立到开始时刻之后 {late}：这一部分比其他的晚开始"
            ));
        }
        moment.wait(stop);
    }
    let interrupted = stop.requested();
    let began = Moment::now();
    clients.go(); // it returns at once if the stop was requested
    let partial = stop.requested();
    let tally = clients.close()?;
    if interrupted {
        return Ok(None);
    }
    Ok(Some(Part {
        v: 1,
        host: sysctl("kernel/hostname").unwrap_or_default(),
        target: target.clone(),
        address: address.to_string(),
        start_at: start_at.map(Moment::text),
        began: began.text(),
        clock,
        partial,
        machine,
        load: *load,
        manner: manner.clone(),
        seconds: tally.wall.as_secs_f64(),
        replies: tally.replies,
        all_replies: tally.all_replies,
        served: tally.served,
        unanswered: tally.unanswered,
        errors: tally.errors,
        client_cpu_ns: tally.cpu.as_nanos() as u64,
        latency: Latency::of(&tally.latency),
        histogram: encode(&tally.latency)?,
        slice_ns: slice.as_nanos() as u64,
        slices: tally.slices,
    }))
}
