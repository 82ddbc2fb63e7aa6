//! A conversation, and one conversation after the other.

use std::error::Error;
use std::fmt::Display;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use crate::call;
use crate::server::{self, ServerArgs, Stats};
use crate::stop::{Stop, Watch};

/// What a blocking conversation needs besides its socket: the settings, the stop, and the counts.
#[derive(Debug)]
pub struct Session<'a> {
    args: &'a ServerArgs,
    stop: Stop,
    /// The counts so far.
    pub stats: Stats,
    /// An answer that is not an echo.
    reply: Vec<u8>,
    /// A buffer that was allocated in advance.
    buffer: Option<Vec<u8>>,
}

impl<'a> Session<'a> {
    /// A new session.
    #[must_use]
    pub fn new(args: &'a ServerArgs, stop: &Stop) -> Session<'a> {
        let (stats, reply) = Default::default();
        Session { args, stop: stop.clone(), stats, reply, buffer: None }
    }

    /// A session for the next child, with a buffer: the child gets a copy of it. If the child allocated its own buffer,
    /// malloc would first tidy up memory that the parent has freed, and every page that it touches would be copied.
    pub(super) fn in_advance(args: &'a ServerArgs, stop: &Stop) -> Session<'a> {
        Session { buffer: Some(vec![0; args.bufsize]), ..Session::new(args, stop) }
    }

    /// The same with the stop of the child.
    pub(super) fn in_child(self, stop: Stop) -> Session<'a> {
        Session { stop, ..self }
    }

    /// How long the client may be silent, if that is limited.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.args.idle_timeout
    }

    /// A buffer to receive into.
    #[must_use]
    pub fn buffer(&mut self) -> Vec<u8> {
        self.buffer.take().unwrap_or_else(|| vec![0; self.args.bufsize])
    }

    /// Like [`Stop::watch`].
    pub fn watch<'socket>(&self, peer: &'socket impl AsFd) -> Watch<'socket> {
        self.stop.watch(peer)
    }

    /// The answer to what was received; `None`: this server never answers, so it is done. An echo is
    /// the data itself: no byte is copied.
    pub fn answer<'b>(&'b mut self, data: &'b [u8]) -> Option<&'b [u8]> {
        self.stats.received += data.len() as u64;
        let answer = self.args.answer(data, &mut self.reply);
        self.args.reply.is_some().then_some(answer)
    }

    /// The client has gone. If its conversation failed, that is its loss alone, and is told.
    pub fn finish(
        &mut self,
        client: impl Display,
        served: Result<(), impl Into<Box<dyn Error + Send + Sync>>>,
    ) {
        self.stats.clients += 1;
        if let Err(error) = served {
            server::lost(client, &*error.into());
        }
    }
}

/// The clients of a server that serves one after the other.
#[derive(Debug)]
pub struct OneAtATime<'a> {
    /// The conversation with the client whose turn it is.
    pub session: Session<'a>,
    waiting: Arc<Watch<'a>>,
}

impl<'a> OneAtATime<'a> {
    /// The clients of this listener, until the stop.
    #[must_use]
    pub fn new(args: &'a ServerArgs, stop: &Stop, listener: &'a impl AsFd) -> OneAtATime<'a> {
        OneAtATime::waiting(Session::new(args, stop), stop.watch(listener).into())
    }

    /// The clients of a worker process, which accepts on a listener that other workers share. See
    /// [`Stop::watch_shared`].
    #[must_use]
    pub fn shared(session: Session<'a>, listener: &'a impl AsFd) -> OneAtATime<'a> {
        let waiting = session.stop.watch_shared(listener).into();
        OneAtATime::waiting(session, waiting)
    }

    pub(super) fn waiting(session: Session<'a>, waiting: Arc<Watch<'a>>) -> OneAtATime<'a> {
        OneAtATime { session, waiting }
    }

    /// Waits for the next client. `None` is the end: the stop came, or with `--once` the one client has gone.
    ///
    /// # Errors
    /// The listener's own, which are permanent. See [`Watch::or`].
    pub fn next<T>(&mut self, accept: impl FnMut() -> call::Result<T>) -> call::Result<Option<T>> {
        if self.session.args.full(self.session.stats.clients) {
            return Ok(None);
        }
        self.waiting.or(accept)
    }

    /// The client has gone. If its conversation failed, that is its loss alone, and is told.
    pub fn finish(
        &mut self,
        client: impl Display,
        served: Result<(), impl Into<Box<dyn Error + Send + Sync>>>,
    ) {
        self.session.finish(client, served);
    }

    /// The counts. No wait for a client is watched any more: the listener may be closed.
    #[must_use]
    pub fn end(self) -> Stats {
        self.session.stats
    }
}
