//! The places of a server with a thread for each client.

use std::fmt::Display;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use anyhow::{Error, Result};

use super::Session;
use crate::call;
use crate::server::{ServerArgs, Stats};
use crate::stop::{Places, Stop, Watch};

/// As many seats as clients may be served at once.
#[derive(Debug)]
pub struct Seats<'a> {
    args: &'a ServerArgs,
    stop: &'a Stop,
    waiting: Watch<'a>,
    places: Places,
    taken: AtomicU64,
    total: Mutex<Stats>,
}

impl<'a> Seats<'a> {
    /// Those for the clients of this listener, until the stop.
    ///
    /// # Errors
    /// As [`Stop::places`].
    pub fn new(args: &'a ServerArgs, stop: &'a Stop, listener: &'a impl AsFd) -> Result<Seats<'a>> {
        let (places, waiting) = (stop.places(args.at_once())?, stop.watch(listener));
        let (taken, total) = Default::default();
        Ok(Seats { args, stop, waiting, places, taken, total })
    }

    /// Waits for a free seat, then for a client to take it. `None` is the end: the stop came, or with
    /// `--once` the one client has gone.
    ///
    /// # Errors
    /// The listener's own: they will not pass. See [`Watch::or`].
    pub fn admit<T>(
        &self,
        accept: impl FnMut() -> call::Result<T>,
    ) -> Result<Option<(Seat<'_>, T)>> {
        if !self.places.take()? || self.args.full(self.taken.fetch_add(1, Relaxed)) {
            return Ok(None);
        }
        let seat = Seat { seats: self, session: Session::new(self.args, self.stop) };
        Ok(self.waiting.or(accept)?.map(|accepted| (seat, accepted)))
    }

    /// What was done for all that have gone. No wait for a client is watched any more: the listener may be closed.
    #[must_use]
    pub fn end(self) -> Stats {
        self.total.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's seat. Dropping it makes it free.
#[derive(Debug)]
pub struct Seat<'s> {
    seats: &'s Seats<'s>,
    /// The conversation.
    pub session: Session<'s>,
}

impl Seat<'_> {
    /// The client has gone. If its conversation failed, that is its loss alone, and is told.
    pub fn leave(mut self, client: impl Display, served: Result<(), impl Into<Error>>) {
        self.session.left(client, served);
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let total = &self.seats.total;
        total.lock().unwrap_or_else(PoisonError::into_inner).add(self.session.stats);
        self.seats.places.give_back();
    }
}
