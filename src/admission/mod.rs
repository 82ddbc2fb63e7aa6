//! Which clients are admitted, when a server is done, and what is counted: policy that the servers share, and that no
//! page is about.
//!
//! There is one type for each family of servers. Read the one of a page before the page:
//!
//! ```text
//!                          one client       a thread         a process          one thread
//!                          at a time        a client         a client           for all
//!                          OneAtATime       ClientThreads    ClientProcesses    Admission
//! may another come in?     next ┐           room             interest           has_room
//! accept ────────────────▶ next ┘           next             admit              admit
//! the conversation         session          room's session   in_child           the page's own
//! no descriptor for it?    Watch::or        Watch::or        admit              admit
//! silent for too long?     SO_RCVTIMEO      SO_RCVTIMEO      SO_RCVTIMEO        Silence
//! a client has gone        finish           finish           remove             release
//! is it the end?           next = None      room = None      goes_on            goes_on
//! what was done            end              end              end                stats
//! ```
//!
//! `WorkerThreads` is for a fixed number of threads, each of which serves one client at a time; `prefork` has a type for its
//! processes on its own page.
//!
//! While there is no room the server does not accept: clients wait in the listener's queue. The limits are
//! `--max-clients`, `--once`, and the descriptors of the process. [`shortage`](crate::shortage) says what happens when
//! descriptors are short. `tcp_echo::echo` sets SO_RCVTIMEO.

mod client_processes;
mod client_threads;
mod session;
mod silence;
mod worker_threads;

pub use client_processes::ClientProcesses;
pub use client_threads::{ClientThreads, ThreadSession};
pub use session::{OneAtATime, Session};
pub use silence::Silence;
pub use worker_threads::WorkerThreads;

use std::time::Duration;

use crate::call;
use crate::server::{ServerArgs, Stats};
use crate::shortage::Shortage;
use crate::stop::Stop;

/// Admits the clients of a server that waits for its listener and its clients in one call.
#[derive(Debug)]
pub struct Admission<'a> {
    args: &'a ServerArgs,
    stop: &'a Stop,
    /// How many clients there may be at once.
    most: usize,
    shortage: Shortage,
    /// The counts so far.
    pub stats: Stats,
}

impl<'a> Admission<'a> {
    /// For at most `most` clients at once.
    #[must_use]
    pub fn new(args: &'a ServerArgs, stop: &'a Stop, most: usize) -> Admission<'a> {
        Admission { args, stop, most, shortage: Shortage::default(), stats: Stats::default() }
    }

    /// Whether there is anything left to wait for, with this many clients: no stop was requested, and
    /// with `--once` the one client has not gone yet.
    #[must_use]
    pub fn goes_on(&self, clients: usize) -> bool {
        !(self.stop.requested() || clients == 0 && self.args.full(self.stats.clients))
    }

    /// Whether the limits allow another client, with this many now.
    #[must_use]
    pub fn allows(&self, clients: usize) -> bool {
        clients < self.most && !self.args.full(self.stats.clients)
    }

    /// Whether another client may be admitted, with this many now. While descriptors are short, none may.
    pub fn has_room(&mut self, clients: usize) -> bool {
        self.allows(clients) && self.timeout().is_none()
    }

    /// How long to wait before looking at the listener again, while descriptors are short.
    pub fn timeout(&mut self) -> Option<Duration> {
        self.shortage.remaining()
    }

    /// How long a wait for all of these clients may last: until one has been silent for too long, or until it is
    /// time to look at the listener again. `None`: for ever.
    pub fn timeout_with<'s>(
        &mut self,
        clients: impl IntoIterator<Item = &'s Silence>,
    ) -> Option<Duration> {
        let silent = || clients.into_iter().filter_map(Silence::remaining).min();
        let silent = self.args.idle_timeout.and_then(|_| silent()); // not checked without a limit
        silent.into_iter().chain(self.timeout()).min()
    }

    /// The result of an accept: a client, or `None` if there was no client, or no descriptor for it.
    ///
    /// # Errors
    /// The listener's own, which are permanent.
    pub fn admit<Client>(
        &mut self,
        accepted: call::Result<Client>,
    ) -> call::Result<Option<Client>> {
        match accepted {
            Ok(client) => {
                self.stats.clients += 1;
                Ok(Some(client))
            }
            Err(_) if self.stop.requested() => Ok(None), // it has shut the listener down
            Err(error) => {
                self.stats.eagain += u64::from(error.would_block());
                self.shortage.check(error).map(|()| None)
            }
        }
    }

    /// A client has gone, and its descriptor is free.
    pub fn release(&mut self) {
        self.shortage.end();
    }
}
