//! The clients of a server with a process for each of them.

use std::collections::HashSet;
use std::fmt::Display;
use std::os::fd::AsFd;
use std::time::Duration;

use libc::POLLIN;

use super::{Admission, Session};
use crate::call::{self, Pid, SigSet};
use crate::server::{self, ServerArgs, Stats};
use crate::stop::{Sigchld, Stop, Undisturbed, Watch, end_child, end_children};

/// The children of a server, one for each client.
///
/// While it lives, SIGCHLD is blocked except in a wait that lets it in ([`let_in`](ClientProcesses::let_in)). So no child can
/// end unnoticed between reaping and the wait. After a client's [`admit`](ClientProcesses::admit) the signals
/// of a stop are also blocked, because one that came now would find the child only half set up.
#[derive(Debug)]
pub struct ClientProcesses<'a, 'socket> {
    stop: &'a Stop,
    /// The session of the next child.
    session: Session<'a>,
    admission: Admission<'a>,
    running: HashSet<Pid>,
    waiting: Watch<'socket>,
    undisturbed: Option<Undisturbed>,
    sigchld: Sigchld,
}

impl<'a, 'socket> ClientProcesses<'a, 'socket> {
    /// No children yet, for the clients of this listener, until the stop.
    #[must_use]
    pub fn new(args: &'a ServerArgs, stop: &'a Stop, listener: &'socket impl AsFd) -> Self {
        ClientProcesses {
            stop,
            session: Session::in_advance(args, stop),
            admission: Admission::new(args, stop, args.max_clients),
            running: HashSet::new(),
            waiting: stop.watch(listener),
            undisturbed: None,
            sigchld: Sigchld::keep(),
        }
    }

    /// Whether there is anything left to wait for, like [`Admission::goes_on`].
    #[must_use]
    pub fn goes_on(&mut self) -> bool {
        self.undisturbed = None;
        self.admission.goes_on(self.running.len())
    }

    /// The events to poll the listener for: a client, or nothing while there is no room.
    pub fn interest(&mut self) -> i16 {
        if self.admission.has_room(self.running.len()) { POLLIN } else { 0 }
    }

    /// As [`Admission::timeout`].
    pub fn timeout(&mut self) -> Option<Duration> {
        self.admission.timeout()
    }

    /// The mask to give to [`call::ppoll`], in which SIGCHLD is let in.
    #[must_use]
    pub fn let_in(&self) -> &SigSet {
        &self.sigchld.let_in
    }

    /// Whether a child may have ended, after that wait.
    ///
    /// # Errors
    /// The wait failed.
    pub fn may_have_ended<T>(&self, waited: call::Result<T>) -> call::Result<bool> {
        Ok(self.sigchld.came(waited)? && !self.running.is_empty())
    }

    /// As [`Admission::admit`].
    ///
    /// # Errors
    /// As [`Admission::admit`].
    pub fn admit<T>(&mut self, accepted: call::Result<T>) -> call::Result<Option<T>> {
        let admitted = self.admission.admit(accepted)?;
        self.undisturbed = admitted.is_some().then(|| self.stop.undisturbed());
        Ok(admitted)
    }

    /// Whether there are any.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.running.is_empty()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = Pid> {
        self.running.iter().copied()
    }

    /// A child was forked.
    pub fn add(&mut self, child: Pid) {
        self.running.insert(child);
    }

    /// A child has ended and was reaped. Returns whether there are more.
    pub fn remove(&mut self, child: Pid) -> bool {
        self.running.remove(&child);
        !self.running.is_empty()
    }

    /// In a child: its conversation, with its own stop. See [`Stop::in_child`].
    #[must_use]
    pub fn in_child(self) -> Session<'a> {
        let ClientProcesses { stop, session, undisturbed, waiting, running, .. } = self;
        // These are the parent's. The lock of its wait may be held by a thread that does not exist running; and to free
        // memory, the child would first have to copy the page.
        std::mem::forget((waiting, running));
        let since = undisturbed.expect("a child is made for a client that was just admitted");
        session.in_child(stop.in_child(since))
    }

    /// The end of a child, at once: see [`end_child`]. If its conversation failed, that is told.
    pub fn end_child(client: impl Display, served: call::Result<()>) -> ! {
        match served {
            Ok(()) => end_child(0),
            Err(error) => {
                server::lost(client, &error);
                end_child(1)
            }
        }
    }

    /// Ends the children that are left, and returns the counts. Then the listener may be closed.
    ///
    /// # Errors
    /// As [`end_children`].
    pub fn end(self) -> call::Result<Stats> {
        end_children(self.running, &self.sigchld)?;
        Ok(self.admission.stats)
    }
}
