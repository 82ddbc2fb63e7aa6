//! The workers of a server, and who is to be forked next.

use std::time::{Duration, Instant};

use crate::call::Pid;

/// A worker that dies at once would die again at once: its place stays empty until this is over.
const PAUSE: Duration = Duration::from_secs(1);

/// A fixed number of places, each with a worker, or without one for a while.
#[derive(Debug)]
pub struct Crew(Vec<Place>);

/// A worker's place, and with it a listener: when it dies, a successor takes both.
#[derive(Debug, Clone)]
struct Place {
    worker: Option<Pid>,
    /// Nobody is forked for it before this.
    from: Instant,
}

impl Crew {
    /// So many places, all empty.
    pub fn new(places: usize) -> Crew {
        Crew(vec![Place { worker: None, from: Instant::now() }; places])
    }

    /// A place for which a worker is to be forked now.
    pub fn vacant(&mut self) -> Option<usize> {
        let now = Instant::now();
        let vacant = |place: &Place| place.worker.is_none() && place.from <= now;
        let at = self.0.iter().position(vacant)?;
        self.0[at].from = now + PAUSE;
        Some(at)
    }

    /// How long until there is a vacant place again; `None`: until a worker ends.
    pub fn timeout(&self) -> Option<Duration> {
        let empty = self.0.iter().filter(|place| place.worker.is_none());
        empty.map(|place| place.from.saturating_duration_since(Instant::now())).min()
    }

    /// The place has this worker.
    pub fn joins(&mut self, place: usize, worker: Pid) {
        self.0[place].worker = Some(worker);
    }

    /// The worker has ended: its place is empty.
    pub fn leaves(&mut self, worker: Pid) {
        for place in self.0.iter_mut().filter(|place| place.worker == Some(worker)) {
            place.worker = None;
        }
    }

    /// All workers there are.
    pub fn workers(&self) -> impl Iterator<Item = Pid> {
        self.0.iter().filter_map(|place| place.worker)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.workers().next().is_none()
    }
}
