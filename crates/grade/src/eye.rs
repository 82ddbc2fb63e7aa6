//! The tracer of a program that is tested, in a thread of its own.
//!
//! ```text
//! the tests                              the eye
//! launch ─────────────────────────────▶  Tracer::launch, and from then on: turn, take, turn, take …
//! look at what it has seen  ◀───── records, whether it waits for a client, how it ended
//! freeze, pending ── an order and SIGALRM ─▶ the wait for the next stop ends, and the order is followed
//! ```
//!
//! Only the thread that starts a program can trace it (ptrace(2)), so orders go to that thread.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::unix::thread::JoinHandleExt;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use netplay_record::{Direction, Event};
use netplay_watch::{Launch, Seen, Settings, StartError, Status, Tracer, Turn};
use nix::sys::pthread::pthread_kill;
use nix::sys::signal::{SigSet, Signal};

/// So many records are kept of a program; a test that needs more proves nothing more with them.
const KEPT: usize = 60_000;

/// What has been seen of a program.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    /// Its calls, in the order in which they returned.
    pub(crate) records: Vec<Event>,
    /// How many bytes it has received from each port, since it last accepted a client from there.
    received: HashMap<u16, u64>,
    /// How many of its calls returned at once.
    pub(crate) quick: u64,
    /// It has waited for its first client.
    pub(crate) waits: bool,
    /// How its first process ended.
    pub(crate) status: Option<Status>,
    /// All of its processes have ended.
    pub(crate) over: bool,
    /// It could not be started after all.
    pub(crate) failed: Option<StartError>,
}

/// What the tracer is asked to do.
enum Order {
    Freeze(bool),
    Pending(SyncSender<Vec<Event>>),
    /// Nothing is left to test: let go of what cannot be killed.
    End,
}

/// A program that is watched.
pub(crate) struct Eye {
    shared: Arc<(Mutex<Sight>, Condvar)>,
    orders: Sender<Order>,
    thread: JoinHandle<()>,
    /// Its first process.
    pub(crate) pid: i32,
}

impl Eye {
    /// Starts a program and watches it.
    ///
    /// # Errors
    /// It cannot be started, or may not be traced.
    pub(crate) fn launch(launch: Launch, settings: Settings) -> Result<Eye, StartError> {
        let shared = Arc::<(Mutex<Sight>, Condvar)>::default();
        let (orders, inbox) = channel();
        let (started, start) = sync_channel(1);
        let seen = shared.clone();
        let thread = std::thread::spawn(move || {
            // The timer of a tracer ticks with SIGALRM, which all other threads block; and a program inherits what is blocked.
            let _ = SigSet::all().thread_unblock();
            let mut tracer = match Tracer::new(settings) {
                Ok(tracer) => tracer,
                Err(error) => {
                    let errno = nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0));
                    let why = netplay_watch::StartFailure::Call("setitimer", errno);
                    _ = started.send(Err(StartError { command: String::new(), why }));
                    return;
                }
            };
            let program = match tracer.launch(&launch) {
                Ok(program) => program,
                Err(error) => {
                    _ = started.send(Err(error));
                    return;
                }
            };
            drop(launch); // its streams belong to the program now
            let first = tracer.processes(program).first().copied().unwrap_or_default();
            let _ = started.send(Ok(first));
            watch(&mut tracer, first, &inbox, &seen);
        });
        let broken = || StartError {
            command: String::new(),
            why: netplay_watch::StartFailure::Call("clone", nix::errno::Errno::EAGAIN),
        };
        let pid = start.recv().map_err(|_| broken())??;
        Ok(Eye { shared, orders, thread, pid })
    }

    /// What has been seen up to now.
    pub(crate) fn sight(&self) -> MutexGuard<'_, Sight> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something more has been seen, for so long at most.
    pub(crate) fn more(&self, within: Duration) {
        let sight = self.sight();
        let _ = self.shared.1.wait_timeout(sight, within);
    }

    /// Keeps the program where it is, without its noticing, or lets it go on.
    pub(crate) fn freeze(&self, freeze: bool) {
        self.order(Order::Freeze(freeze));
    }

    /// The calls that its threads are in.
    pub(crate) fn pending(&self) -> Vec<Event> {
        let (answer, pending) = sync_channel(1);
        self.order(Order::Pending(answer));
        pending.recv_timeout(Duration::from_secs(5)).unwrap_or_default()
    }

    fn order(&self, order: Order) {
        if self.orders.send(order).is_ok() {
            let _ = pthread_kill(self.thread.as_pthread_t(), Signal::SIGALRM);
        }
    }

    /// Ends watching; the program has been killed.
    pub(crate) fn end(self) -> Vec<Event> {
        self.order(Order::End);
        let _ = self.thread.join();
        let mut sight = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut sight.records)
    }
}

fn watch(
    tracer: &mut Tracer,
    first: i32,
    inbox: &Receiver<Order>,
    shared: &(Mutex<Sight>, Condvar),
) {
    loop {
        let turn = tracer.turn();
        let seen = tracer.take();
        if !seen.is_empty() || turn == Turn::Over {
            let mut sight = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
            seen.into_iter().for_each(|seen| sight.see(seen, first));
            sight.over = turn == Turn::Over;
            drop(sight);
            shared.1.notify_all();
        }
        if turn == Turn::Over {
            return;
        }
        for order in inbox.try_iter() {
            match order {
                Order::Freeze(freeze) => tracer.freeze(freeze),
                Order::Pending(answer) => {
                    let pending = tracer.pending().into_iter().map(|(_, mut event)| {
                        netplay_trace::stamp(&mut event);
                        event
                    });
                    let _ = answer.send(pending.collect());
                }
                Order::End => tracer.freeze(false),
            }
        }
    }
}

impl Sight {
    /// Whether its first process has ended, as far as the tracer has seen.
    pub(crate) fn has_ended(&self) -> bool {
        self.status.is_some() || self.over
    }

    /// How many bytes it has received from the client at this port.
    pub(crate) fn received(&self, port: u16) -> u64 {
        self.received.get(&port).copied().unwrap_or_default()
    }

    /// Counted at once, because a program that asks without a pause makes more calls than are kept.
    fn count(&mut self, event: &Event) {
        const AT_ONCE: u64 = 1_000_000;
        self.quick += u64::from(event.call.is_some() && event.dur_ns < AT_ONCE);
        let Some(peer) = event.peer.as_deref() else { return };
        let Ok(peer) = peer.parse::<SocketAddr>() else { return };
        let moved = event.bytes.unwrap_or_default();
        if event.call.as_deref().is_some_and(|call| call.starts_with("accept")) {
            self.received.insert(peer.port(), 0);
        } else if event.direction() == Some(Direction::In) {
            *self.received.entry(peer.port()).or_default() += moved;
        }
    }

    fn see(&mut self, seen: Seen, first: i32) {
        if let Seen::Record { event, .. } = &seen {
            self.count(event);
        }
        match seen {
            Seen::Record { mut event, .. } if self.records.len() < KEPT => {
                netplay_trace::stamp(&mut event);
                self.records.push(*event);
            }
            Seen::Record { .. } => {}
            Seen::Waits(_) => self.waits = true,
            Seen::Ended { pid, status, .. } if pid == first => self.status = Some(status),
            Seen::Ended { .. } => {}
            Seen::Failed(_, error) => self.failed = Some(error),
        }
    }
}
