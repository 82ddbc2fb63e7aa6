//! The workers of a server: which one to fork next, and when the server is done.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::admission::Session;
use crate::call::{self, CallError, Pid, SigSet, WaitStatus};
use crate::server::{self, ServerArgs, Stats, Tally};
use crate::stop::{Sigchld, Stop, Undisturbed, end_child, end_children};

/// A worker that dies at once would die again at once: its slot stays empty for this long.
const PAUSE: Duration = Duration::from_secs(1);

/// A fixed number of slots, each with a worker, or empty for a while.
///
/// SIGCHLD and the signals of a stop are blocked, except in a wait that lets them in ([`let_in`](WorkerProcesses::let_in)).
/// So none is missed, and none arrives while a worker is only half set up.
#[derive(Debug)]
pub struct WorkerProcesses<'a> {
    args: &'a ServerArgs,
    stop: &'a Stop,
    slots: Vec<Slot>,
    /// Whether the server has said that it is ready.
    announced: bool,
    /// Whether a worker has served the one client (`--once`).
    done: bool,
    /// How many clients all workers have served.
    served: Tally,
    sigchld: Sigchld,
    undisturbed: Undisturbed,
}

/// A worker's slot, and its listener: when it dies, a replacement takes both.
#[derive(Debug, Clone)]
struct Slot {
    worker: Option<Pid>,
    /// The earliest time to fork a worker for it.
    from: Instant,
}

impl<'a> WorkerProcesses<'a> {
    /// This many slots, all empty.
    ///
    /// # Errors
    /// As [`Tally::new`].
    pub fn new(args: &'a ServerArgs, slots: usize, stop: &'a Stop) -> Result<WorkerProcesses<'a>> {
        let (served, sigchld) = (Tally::new()?, Sigchld::keep());
        let slots = vec![Slot { worker: None, from: Instant::now() }; slots];
        let (announced, done) = (false, false);
        let undisturbed = stop.undisturbed();
        Ok(WorkerProcesses { args, stop, slots, announced, done, served, sigchld, undisturbed })
    }

    /// Whether there is anything left to wait for.
    pub fn goes_on(&self) -> bool {
        !(self.stop.requested() || self.done)
    }

    /// A slot that needs a worker now.
    pub fn vacant(&mut self) -> Option<usize> {
        let now = Instant::now();
        let vacant = |slot: &Slot| slot.worker.is_none() && slot.from <= now;
        let at = self.slots.iter().position(vacant)?;
        self.slots[at].from = now + PAUSE;
        Some(at)
    }

    /// The slot has this worker.
    pub fn add(&mut self, slot: usize, worker: Pid) {
        self.slots[slot].worker = Some(worker);
    }

    /// A worker could not be forked. That may be temporary, but without any worker the server would say that it is
    /// ready and serve no clients.
    ///
    /// # Errors
    /// This one, if there is no worker yet.
    pub fn not_forked(&self, error: CallError) -> call::Result<()> {
        if !self.announced && self.pids().next().is_none() {
            return Err(error);
        }
        server::worker_missing(error);
        Ok(())
    }

    /// Says once that the server is ready. The line may have to wait for its reader; a stop ends that wait.
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

    /// How long until there is a vacant slot again; `None`: until a worker ends.
    pub fn timeout(&self) -> Option<Duration> {
        if self.stop.requested() {
            return Some(Duration::ZERO); // while it said that it was ready
        }
        let empty = self.slots.iter().filter(|slot| slot.worker.is_none());
        empty.map(|slot| slot.from.saturating_duration_since(Instant::now())).min()
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
        Ok(self.sigchld.came(waited)? && self.pids().next().is_some())
    }

    /// Empties the slot of a worker that has ended. Returns whether there may be more: signals are not counted.
    pub fn remove(&mut self, ended: WaitStatus) -> bool {
        let Some(worker) = ended.pid() else { return false };
        self.done |= self.args.once && ended == WaitStatus::Exited(worker, 0);
        for slot in self.slots.iter_mut().filter(|slot| slot.worker == Some(worker)) {
            slot.worker = None;
        }
        self.pids().next().is_some()
    }

    fn pids(&self) -> impl Iterator<Item = Pid> {
        self.slots.iter().filter_map(|slot| slot.worker)
    }

    /// In a worker: its conversations, with its own stop, and the sum to which all workers add.
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

    /// Ends the workers that are left, and returns the counts of all.
    ///
    /// # Errors
    /// As [`end_children`].
    pub fn end(self) -> call::Result<Stats> {
        let workers: Vec<Pid> = self.pids().collect();
        drop(self.undisturbed); // a second Ctrl-C ends this process, even if they take long
        end_children(workers, &self.sigchld)?;
        Ok(Stats { clients: self.served.take(), ..Stats::default() })
    }
}
