//! A fixed number of threads, each of which serves one client after the other.

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use super::{OneAtATime, Session};
use crate::call;
use crate::server::{ServerArgs, Stats};
use crate::stop::{Stop, Watch};

/// What the threads of a pool share: their waits on the listeners, the stop, and the counts.
#[derive(Debug)]
pub struct WorkerThreads<'a> {
    args: &'a ServerArgs,
    stop: &'a Stop,
    waits: Vec<Arc<Watch<'a>>>,
    done: Mutex<call::Result<Stats>>,
}

impl<'a> WorkerThreads<'a> {
    /// No threads yet, for the clients of these listeners, until the stop.
    #[must_use]
    pub fn new(
        args: &'a ServerArgs,
        stop: &'a Stop,
        listeners: &'a [impl AsFd],
    ) -> WorkerThreads<'a> {
        let waits = listeners.iter().map(|listener| stop.watch(listener).into()).collect();
        WorkerThreads { args, stop, waits, done: Mutex::new(Ok(Stats::default())) }
    }

    /// A listener for the next thread, and the counts of its clients; after the last
    /// listener comes the first.
    pub fn with_listeners<L>(
        &self,
        listeners: &'a [L],
    ) -> impl Iterator<Item = (&'a L, OneAtATime<'a>)> {
        listeners.iter().zip(&self.waits).cycle().map(|(listener, wait)| {
            let session = Session::new(self.args, self.stop);
            (listener, OneAtATime::waiting(session, Arc::clone(wait)))
        })
    }

    /// A thread is done. Then all are: the stop came, it had its one client (`--once`), or it cannot accept.
    pub fn finish(&self, worked: call::Result<Stats>) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        match (&mut *done, worked) {
            (Ok(total), Ok(stats)) => total.add(stats),
            (Ok(_), failed) => *done = failed,
            (Err(_), _) => {} // only the first error is told
        }
        drop(done);
        self.end_all();
    }

    /// Ends all threads when it is dropped: however the caller's scope ends, it waits for them.
    #[must_use]
    pub fn end_on_drop(&self) -> impl Sized {
        struct Ends<'t, 'a>(&'t WorkerThreads<'a>);
        impl Drop for Ends<'_, '_> {
            fn drop(&mut self) {
                self.0.end_all();
            }
        }
        Ends(self)
    }

    fn end_all(&self) {
        if !self.stop.requested() {
            self.stop.request();
        }
    }

    /// Waits for the stop, in the thread that takes signals and accepts no client.
    ///
    /// # Errors
    /// As [`Watch::or`].
    pub fn wait_for_stop<T>(&self, mut wait: impl FnMut() -> call::Result<T>) -> call::Result<()> {
        while self.waits[0].or(&mut wait)?.is_some() {}
        Ok(())
    }

    /// The counts of all threads. No wait for a client is watched any more: the listeners may be closed.
    ///
    /// # Errors
    /// The error of the first thread that could not accept.
    pub fn end(self) -> call::Result<Stats> {
        self.done.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
