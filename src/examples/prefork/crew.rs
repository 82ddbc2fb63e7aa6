//! The workers of a server: who is to be forked next, and when it is over.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::call::{self, CallError, Pid, SigSet, WaitStatus};
use crate::entrance::Session;
use crate::server::{self, ServerArgs, Stats, Tally};
use crate::stop::{Sigchld, Stop, Undisturbed, end_child, end_children};

/// A worker that dies at once would die again at once: its place stays empty until this is over.
const PAUSE: Duration = Duration::from_secs(1);

/// A fixed number of places, each with a worker, or without one for a while.
///
/// SIGCHLD and the signals of a stop are kept back, except in a wait that lets them in ([`let_in`](Crew::let_in)):
/// so none can be missed, and none finds a worker half made.
#[derive(Debug)]
pub struct Crew<'a> {
    args: &'a ServerArgs,
    stop: &'a Stop,
    places: Vec<Place>,
    /// Whether the server has said that it is ready.
    announced: bool,
    /// Whether a worker has done all that was to be done (`--once`).
    done: bool,
    /// How many clients all of them have served.
    served: Tally,
    sigchld: Sigchld,
    undisturbed: Undisturbed,
}

/// A worker's place, and with it a listener: when it dies, a successor takes both.
#[derive(Debug, Clone)]
struct Place {
    worker: Option<Pid>,
    /// No worker is forked for it before this.
    from: Instant,
}

impl<'a> Crew<'a> {
    /// So many places, all empty.
    ///
    /// # Errors
    /// As [`Tally::new`].
    pub fn new(args: &'a ServerArgs, places: usize, stop: &'a Stop) -> Result<Crew<'a>> {
        let (served, sigchld) = (Tally::new()?, Sigchld::keep());
        let places = vec![Place { worker: None, from: Instant::now() }; places];
        let (announced, done) = (false, false);
        let undisturbed = stop.undisturbed();
        Ok(Crew { args, stop, places, announced, done, served, sigchld, undisturbed })
    }

    /// Whether there is anything left to wait for.
    pub fn goes_on(&self) -> bool {
        !(self.stop.requested() || self.done)
    }

    /// A place for which a worker is to be forked now.
    pub fn vacant(&mut self) -> Option<usize> {
        let now = Instant::now();
        let vacant = |place: &Place| place.worker.is_none() && place.from <= now;
        let at = self.places.iter().position(vacant)?;
        self.places[at].from = now + PAUSE;
        Some(at)
    }

    /// The place has this worker.
    pub fn joins(&mut self, place: usize, worker: Pid) {
        self.places[place].worker = Some(worker);
    }

    /// No worker could be forked. That may pass; but without any, the server would be ready for clients and serve
    /// none of them.
    ///
    /// # Errors
    /// This one, if there is no worker yet.
    pub fn lacks_one(&self, error: CallError) -> call::Result<()> {
        if !self.announced && self.workers().next().is_none() {
            return Err(error);
        }
        server::worker_missing(error);
        Ok(())
    }

    /// Says once that the server is ready. The line may have to wait for its reader, and that wait hears a stop.
    ///
    /// # Errors
    /// As [`server::announce`].
    pub fn announce(&mut self, address: impl Display) -> Result<()> {
        if !self.announced {
            self.announced = true;
            self.undisturbed.interrupted(|| server::announce("tcp", address))?;
        }
        Ok(())
    }

    /// How long until there is a vacant place again; `None`: until a worker ends.
    pub fn timeout(&self) -> Option<Duration> {
        if self.stop.requested() {
            return Some(Duration::ZERO); // while it said that it was ready
        }
        let empty = self.places.iter().filter(|place| place.worker.is_none());
        empty.map(|place| place.from.saturating_duration_since(Instant::now())).min()
    }

    /// The mask to give to [`call::ppoll`]: these signals are let in.
    pub fn let_in(&self) -> &SigSet {
        &self.sigchld.let_in
    }

    /// Whether a worker may have ended, after that wait.
    ///
    /// # Errors
    /// The wait failed.
    pub fn may_have_ended<T>(&self, waited: call::Result<T>) -> call::Result<bool> {
        Ok(self.sigchld.came(waited)? && self.workers().next().is_some())
    }

    /// If a worker has ended, its place is empty. Whether another one may have: signals are not counted.
    pub fn leaves(&mut self, ended: WaitStatus) -> bool {
        let Some(worker) = ended.pid() else { return false };
        self.done |= self.args.once && ended == WaitStatus::Exited(worker, 0);
        for place in self.places.iter_mut().filter(|place| place.worker == Some(worker)) {
            place.worker = None;
        }
        self.workers().next().is_some()
    }

    fn workers(&self) -> impl Iterator<Item = Pid> {
        self.places.iter().filter_map(|place| place.worker)
    }

    /// In a worker: its conversations, with a stop of its own, and the sum to which all workers add.
    pub fn in_child(self) -> (Session<'a>, Tally) {
        (Session::new(self.args, &self.stop.in_child(self.undisturbed)), self.served)
    }

    /// The end of a worker, at once: see [`end_child`].
    pub fn end_child(worked: call::Result<()>) -> ! {
        match worked {
            Ok(()) => end_child(0),
            Err(error) => {
                server::worker_missing(error);
                end_child(1)
            }
        }
    }

    /// Ends those that are left, and says what all have done.
    ///
    /// # Errors
    /// As [`end_children`].
    pub fn end(self) -> call::Result<Stats> {
        let workers: Vec<Pid> = self.workers().collect();
        drop(self.undisturbed); // a second Ctrl-C ends this process, however long they take
        end_children(workers, &self.sigchld)?;
        Ok(Stats { clients: self.served.take(), ..Stats::default() })
    }
}
