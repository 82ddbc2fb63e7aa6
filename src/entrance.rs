//! Who may come in: the limits of a server with many clients, and what it counts.
//!
//! ```text
//!                       one thread, or a process a client     a thread a client
//! may another come in?  Entrance::has_room                    Seats::take    sleeps until one may
//! accept ─────────────▶ Entrance::admit
//! a client has gone     Entrance::left                        Seats::leave
//! is it the end?        Entrance::goes_on                     Seats::take = false
//! ```
//!
//! While there is no room the server does not accept: clients wait in the listener's queue. The limits are
//! `--max-clients`, `--once`, and the descriptors of the process.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::call;
use crate::patience::Patience;
use crate::server::{ServerArgs, Stats};
use crate::stop::{Places, Stop};

/// The entrance of a server that waits for its listener and its clients alike.
#[derive(Debug)]
pub struct Entrance<'a> {
    args: &'a ServerArgs,
    stop: &'a Stop,
    /// How many clients there may be at once.
    most: usize,
    patience: Patience,
    /// What was done so far.
    pub stats: Stats,
}

impl<'a> Entrance<'a> {
    /// For at most `most` clients at once.
    #[must_use]
    pub fn new(args: &'a ServerArgs, stop: &'a Stop, most: usize) -> Entrance<'a> {
        Entrance { args, stop, most, patience: Patience::default(), stats: Stats::default() }
    }

    /// Whether there is anything left to wait for, with so many clients here: no stop was requested, and
    /// with `--once` the one client has not gone yet.
    #[must_use]
    pub fn goes_on(&self, clients: usize) -> bool {
        !(self.stop.requested() || clients == 0 && self.args.full(self.stats.clients))
    }

    /// Whether another client may be served, with so many here.
    #[must_use]
    pub fn has_place(&self, clients: usize) -> bool {
        clients < self.most && !self.args.full(self.stats.clients)
    }

    /// Whether another client may come in, with so many here. While descriptors are short, none may.
    pub fn has_room(&mut self, clients: usize) -> bool {
        self.has_place(clients) && self.timeout().is_none()
    }

    /// How long to wait before looking at the listener again, while descriptors are short.
    pub fn timeout(&mut self) -> Option<Duration> {
        self.patience.left()
    }

    /// What came of an accept: a client, or `None` if there was none, or no descriptor for it.
    ///
    /// # Errors
    /// The listener's own: they will not pass.
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
                self.patience.with(error).map(|()| None)
            }
        }
    }

    /// A client has gone, and its descriptor is free.
    pub fn left(&mut self) {
        self.patience.end();
    }
}

/// How long a client has been silent, where `--idle-timeout` limits that.
#[derive(Debug)]
pub struct Silence {
    limit: Option<Duration>,
    since: Instant,
}

impl Silence {
    /// It begins now.
    #[must_use]
    pub fn begin(args: &ServerArgs) -> Silence {
        Silence { limit: args.idle_timeout, since: Instant::now() }
    }

    /// The client has sent or taken something. The clock is not read where nothing is limited.
    pub fn is_broken(&mut self) {
        if self.limit.is_some() {
            self.since = Instant::now();
        }
    }

    /// It no longer matters: the client is ending.
    pub fn end(&mut self) {
        self.limit = None;
    }

    /// How much longer it may last; `None`: for ever.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        Some(self.limit?.saturating_sub(self.since.elapsed()))
    }

    /// Whether it has lasted too long.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.left() == Some(Duration::ZERO)
    }
}

/// The seats of a server with a thread for each client.
#[derive(Debug)]
pub struct Seats<'a> {
    args: &'a ServerArgs,
    places: Places,
    taken: AtomicU64,
    total: Mutex<Stats>,
}

impl<'a> Seats<'a> {
    /// As many as clients may be served at once.
    ///
    /// # Errors
    /// As [`Stop::places`].
    pub fn new(args: &'a ServerArgs, stop: &Stop) -> io::Result<Seats<'a>> {
        let (taken, total) = Default::default();
        Ok(Seats { args, places: stop.places(args.at_once())?, taken, total })
    }

    /// Waits for a free seat, and takes it; `false` at the end: the stop came, or with `--once` the one
    /// client has gone.
    ///
    /// # Errors
    /// As [`Places::take`].
    pub fn take(&self) -> io::Result<bool> {
        Ok(self.places.take()? && !self.args.full(self.taken.fetch_add(1, Relaxed)))
    }

    /// A client has gone; this is what was done for it.
    pub fn leave(&self, stats: Stats) {
        self.total.lock().unwrap_or_else(PoisonError::into_inner).add(stats);
        self.places.give_back();
    }

    /// What was done for all that have gone.
    #[must_use]
    pub fn total(&self) -> Stats {
        *self.total.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
