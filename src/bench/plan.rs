//! What is to be measured: which servers, under which loads, how long and how often.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::machine::{Pin, raise_descriptor_limit};
use crate::examples::Example;
use crate::lang::Lang;
use crate::words::{counted, grouped};
use netplay_text::say;

/// How many rounds a run has at least that was not told how many to make.
pub(super) const FEWEST: usize = 3;

/// Everything that a run of the bench is told.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The servers; the first is the yardstick.
    pub models: Vec<Model>,
    /// The loads, from light to heavy.
    pub loads: Vec<Load>,
    /// How each load is put on.
    pub manner: Manner,
}

/// A server, and how to get one.
#[derive(Debug, Clone)]
pub struct Model {
    /// What the table calls it.
    pub name: String,
    /// How to get one.
    pub kind: Kind,
}

/// How to get a server.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A row of the table of examples, with options of its own.
    Row(&'static Example, Vec<String>),
    /// A command line in which `{port}` stands for the port.
    Command(String),
    /// One that runs already.
    Target(SocketAddr),
}

/// How many connections, and how many of them speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Connections that send a request, wait for its reply, and send the next.
    pub connections: usize,
    /// Connections beside them that have been served once and then say nothing.
    pub idle: usize,
}

impl Load {
    /// All of them.
    #[must_use]
    pub fn total(self) -> usize {
        self.connections.saturating_add(self.idle)
    }

    /// The load as a heading: `64 connections`.
    #[must_use]
    pub fn title(self) -> String {
        let (n, idle) = (self.connections as u64, grouped(self.idle as u64));
        match (Lang::current(), self.idle) {
            (Lang::En, 0) => counted(n, "connection"),
            (Lang::En, _) => format!("{n} active among {idle} idle"),
            (Lang::Zh, 0) => format!("{} 个连接", grouped(n)),
            (Lang::Zh, _) => format!("{n} 个活跃连接，另有 {idle} 个空闲"),
        }
    }
}

/// How a load is put on, the same for every server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manner {
    /// Bytes of a request, and of its reply.
    pub size: usize,
    /// How often each server has its turn; `None`: as often as fits into half a minute.
    pub rounds: Option<usize>,
    /// How long a turn lasts, in seconds, for up to a thousand connections.
    pub seconds: f64,
    /// Requests a second that are due, whether or not the server keeps up: an open loop.
    pub rate: Option<f64>,
    /// Whether every request has a connection of its own.
    pub per_request: bool,
    /// Datagrams instead of connections.
    pub udp: bool,
    /// What a reply must be, of a server that is not ours.
    pub expect: Expect,
    /// Which processors are whose.
    pub pin: Pin,
    /// Threads of the client's side.
    pub threads: usize,
}

impl Manner {
    /// The length of a turn: longer where a thousand connections and more must all have theirs.
    #[must_use]
    pub fn turn(&self, load: Load) -> Duration {
        Duration::from_secs_f64(self.seconds * (load.connections as f64 / 1000.0).max(1.0))
    }
}

/// What a reply must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// The bytes of the request.
    Echo,
    /// Anything that ends with a line end.
    Line,
    /// Anything at all: the first byte counts as the reply.
    Any,
}

/// Descriptors that a process needs beside its connections.
const OTHERS: u64 = 64;

impl Plan {
    /// Refuses what makes no sense on any machine.
    ///
    /// # Errors
    /// A sentence that says why.
    pub fn makes_sense(&self) -> Result<()> {
        let Manner { size, udp, per_request, rate, expect, .. } = self.manner;
        ensure!(!self.models.is_empty(), "there is no server to measure");
        ensure!(!(udp && size > 65_507), "a datagram holds at most 65,507 bytes, not {size}");
        ensure!(
            !(udp && per_request),
            "UDP has no connections, so no request can have one of its own"
        );
        ensure!(
            !(expect == Expect::Line && size < 2),
            "a line of {size} byte holds nothing but its line end: --size must be at least 2"
        );
        for load in &self.loads {
            ensure!(load.connections > 0, "a load needs at least one active connection");
            ensure!(!(per_request && load.idle > 0), "--idle is for connections that stay");
            if let Some(rate) = rate {
                ensure!(rate > 0.0, "a rate is a number of requests a second above 0");
            }
        }
        Ok(())
    }

    /// Refuses what this machine cannot hold, before anything is started; raises the limit of
    /// descriptors, which the servers inherit.
    ///
    /// # Errors
    /// A sentence with the figure.
    pub fn check(&self) -> Result<()> {
        for load in &self.loads {
            let needed = load.total() as u64 + OTHERS;
            let limit = raise_descriptor_limit(needed)?;
            if needed > limit {
                let total = load.total();
                bail!(say!(
                    Lang::current(),
                    "{total} connections need {needed} file descriptors in each process, and this machine \
                     allows {limit} (ulimit -Hn)",
                    "{total} 个连接在每个进程里需要 {needed} 个文件描述符，而这台机器只允许 {limit} 个 (ulimit -Hn)"
                ));
            }
        }
        Ok(())
    }

    /// How many turns there will be, and looks before them; more, if there is time.
    #[must_use]
    pub fn turns(&self) -> usize {
        // One more for the second copy of the yardstick.
        (self.models.len() + 1) * self.loads.len() * (self.manner.rounds.unwrap_or(FEWEST) + 1)
    }
}
