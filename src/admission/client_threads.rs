//! The clients of a server with a thread for each of them.

use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::Session;
use crate::call;
use crate::server::{ServerArgs, Stats};
use crate::stop::{Semaphore, Stop, Watch};

/// The threads of a server, one for each client, at most as many as clients may be served at once.
#[derive(Debug)]
pub struct ClientThreads<'a> {
    args: &'a ServerArgs,
    stop: &'a Stop,
    waiting: Watch<'a>,
    room: Semaphore,
    started: AtomicU64,
    total: Mutex<Stats>,
}

impl<'a> ClientThreads<'a> {
    /// No threads yet, for the clients of this listener, until the stop.
    ///
    /// # Errors
    /// As [`Stop::semaphore`].
    pub fn new(
        args: &'a ServerArgs,
        stop: &'a Stop,
        listener: &'a impl AsFd,
    ) -> io::Result<ClientThreads<'a>> {
        let (room, waiting) = (stop.semaphore(args.at_once())?, stop.watch(listener));
        let (started, total) = Default::default();
        Ok(ClientThreads { args, stop, waiting, room, started, total })
    }

    /// Waits until there is room for one more client, and returns its session. `None` is the end: the stop came, or with
    /// `--once` the one client has gone.
    ///
    /// # Errors
    /// As [`Semaphore::acquire`].
    pub fn room(&self) -> io::Result<Option<ThreadSession<'_>>> {
        if !self.room.acquire()? || self.args.full(self.started.fetch_add(1, Relaxed)) {
            return Ok(None);
        }
        let session = Session::new(self.args, self.stop);
        Ok(Some(ThreadSession { threads: self, session }))
    }

    /// Waits for the next client. `None` is the end: the stop came.
    ///
    /// # Errors
    /// The listener's own, which are permanent. See [`Watch::or`].
    pub fn next<T>(&self, accept: impl FnMut() -> call::Result<T>) -> call::Result<Option<T>> {
        self.waiting.or(accept)
    }

    /// The counts of all threads. No wait for a client is watched any more: the listener may be closed.
    #[must_use]
    pub fn end(self) -> Stats {
        self.total.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The [`Session`] of one thread. Dropping it adds its counts, and makes room for another client.
#[derive(Debug)]
pub struct ThreadSession<'t> {
    threads: &'t ClientThreads<'t>,
    session: Session<'t>,
}

impl<'t> Deref for ThreadSession<'t> {
    type Target = Session<'t>;

    fn deref(&self) -> &Session<'t> {
        &self.session
    }
}

impl<'t> DerefMut for ThreadSession<'t> {
    fn deref_mut(&mut self) -> &mut Session<'t> {
        &mut self.session
    }
}

impl Drop for ThreadSession<'_> {
    fn drop(&mut self) {
        let total = &self.threads.total;
        total.lock().unwrap_or_else(PoisonError::into_inner).add(self.session.stats);
        self.threads.room.release();
    }
}
