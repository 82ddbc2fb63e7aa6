//! Who ends the waits of a test: a thread that looks at the program, as the kernel shows it, every few milliseconds.
//!
//! ```text
//! a test         arm ── recv(2), which waits ──────────── EINTR ── disarm
//! the guard             look … look … look: it sleeps ──▶ a signal to the thread of the test
//! ```
//!
//! Time counts only while the program sleeps. A program that was given no processor has not been silent; so a verdict is the same on
//! a busy machine.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use netplay_call::stop;
use nix::sys::pthread::{Pthread, pthread_kill, pthread_self};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::kill::kill_all;
use super::still::Look;

/// Why waiting is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// The program sleeps, and has slept for so long.
    Still {
        /// How long.
        slept: Duration,
    },
    /// All of its processes have ended.
    Ended,
    /// It has used so much processor time since the wait began.
    Busy(Duration),
    /// The program has slept and used processor time for so long within one test.
    Late(Duration),
    /// The machine has given the program too little processor time: for so long the test has taken.
    Starved(Duration),
    /// It has taken so many bytes of memory, and was killed.
    Memory(u64),
    /// It has started so many processes and threads, and was killed.
    Tasks(usize),
    /// netplay itself was asked to end.
    Interrupted,
}

/// So long a program may sleep before a wait for it ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// So much processor time it may use within one wait. A program that makes calls without a pause spends more time being watched.
pub(crate) const CPU: Duration = Duration::from_secs(1);

/// And so much until clients can reach it: a runtime has much to load.
pub(crate) const CPU_OF_START: Duration = Duration::from_secs(10);

/// More threads and processes than this are without an end.
const TASKS: usize = 4000;

/// More memory than this is without an end.
const MEMORY: u64 = 2 << 30;

/// A test that takes so many times the time that it may take is given up: the machine is too busy to say anything of the program.
const STARVED: u32 = 20;

/// How often the guard looks.
const OFTEN: Duration = Duration::from_millis(10);

/// And how often at least, however long a look takes.
const SELDOM: Duration = Duration::from_millis(200);

#[derive(Debug)]
struct State {
    /// The wait that is under way: who waits, since when, and what it may be ended by.
    armed: Option<Armed>,
    /// What was found, for the wait that is under way.
    stuck: Option<Stuck>,
    /// What is true for good.
    for_good: Option<Stuck>,
    look: Look,
    /// Whether it slept between the last two looks.
    still: bool,
    /// How long a program may sleep, and how much processor time it may use.
    patience: Duration,
    most: Duration,
    since: Instant,
    /// How long it has slept or used a processor within the waits of this test.
    counted: Duration,
    timeout: Duration,
    over: bool,
}

#[derive(Debug, Clone, Copy)]
struct Armed {
    thread: Pthread,
    looks: u32,
    /// The processor time that was used when the wait began, and at the last look.
    cpu: Option<(Duration, Duration)>,
    slept: Duration,
}

/// The guard of one program.
pub(crate) struct Guard {
    shared: Arc<(Mutex<State>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

extern "C" fn wake(_: i32) {}

/// Prepares this process: a signal that only ends waits, and orphans that become its children.
#[expect(unsafe_code, reason = "a handler of a signal")]
pub(crate) fn prepare() {
    let action = SigAction::new(SigHandler::Handler(wake), SaFlags::empty(), SigSet::empty());
    // SIGALRM wakes a tracer, which may have ended just then and have put back what was there before.
    for signal in [Signal::SIGUSR1, Signal::SIGALRM] {
        // SAFETY: the handler does nothing.
        let _ = unsafe { sigaction(signal, &action) };
    }
    // The tick of a tracer is for its own thread.
    let mut tick = SigSet::empty();
    tick.add(Signal::SIGALRM);
    let _ = tick.thread_block();
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

impl Guard {
    pub(crate) fn new(timeout: Duration) -> Guard {
        let shared = Arc::new((
            Mutex::new(State {
                armed: None,
                stuck: None,
                for_good: None,
                look: Look::default(),
                still: false,
                patience: PATIENCE,
                most: CPU,
                since: Instant::now(),
                counted: Duration::ZERO,
                timeout,
                over: false,
            }),
            Condvar::new(),
        ));
        let of = Arc::clone(&shared);
        let thread = std::thread::spawn(move || stand(&of));
        Guard { shared, thread: Some(thread) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on the waits of this thread end when there is nothing to wait for.
    pub(crate) fn arm(&self) {
        let mut state = self.state();
        let thread = pthread_self();
        state.armed = Some(Armed { thread, looks: 0, cpu: None, slept: Duration::ZERO });
        state.stuck = state.for_good;
        state.still = false;
    }

    pub(crate) fn disarm(&self) {
        self.state().armed = None;
    }

    /// Why the wait that is under way, or that was ended last, is of no use.
    pub(crate) fn stuck(&self) -> Option<Stuck> {
        self.state().stuck
    }

    /// Why the program was killed, if it was.
    pub(crate) fn killed(&self) -> Option<Stuck> {
        self.state().for_good
    }

    /// How long the program has slept or used a processor, within the waits of this test. A busy machine does not make it longer.
    pub(crate) fn counted(&self) -> Duration {
        self.state().counted
    }

    /// How long the program may sleep from now on.
    pub(crate) fn patience(&self, patience: Duration) {
        self.state().patience = patience;
    }

    /// How much processor time it may use within one wait from now on.
    pub(crate) fn cpu(&self, most: Duration) {
        self.state().most = most;
    }

    /// Whether it slept between the last two looks, both of which came after [`arm`](Self::arm).
    pub(crate) fn is_still(&self) -> bool {
        self.state().still
    }

    /// Looks twice by itself: whether there was a moment just now at which all of its threads slept.
    pub(crate) fn is_still_now(&self) -> bool {
        let own = nix::unistd::getpid().as_raw();
        let first = Look::at_all_below(own);
        std::thread::yield_now();
        Look::at_all_below(own).has_slept_since(&first)
    }

    /// Whether the wait has taken so long that a program which never sleeps may be taken for ready.
    pub(crate) fn has_run_for(&self, long: Duration) -> bool {
        self.state().armed.is_some_and(|armed| OFTEN * armed.looks > long)
    }

    /// The last look at it.
    pub(crate) fn look(&self) -> Look {
        Look::at_all_below(nix::unistd::getpid().as_raw())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.state().over = true;
        self.shared.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn stand(shared: &(Mutex<State>, Condvar)) {
    let own = nix::unistd::getpid().as_raw();
    let mut often = OFTEN;
    loop {
        let state = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = shared.1.wait_timeout(state, often);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.over {
            return;
        }
        let quiet = state.armed.is_none();
        drop(state);
        let begun = Instant::now();
        let look = Look::at_all_below(own);
        let (memory, tasks) = (look.memory_above(MEMORY), look.threads());
        // A wait that begins after this is not told of the processor time: it must not take 0 for what was used before.
        let cpu = (!quiet).then(|| look.cpu());
        // A program of a thousand threads is looked at less often: the guard takes a tenth of a processor at most.
        often = (begun.elapsed() * 10).clamp(OFTEN, SELDOM);
        let mut state = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        let greedy = memory.map(Stuck::Memory).or((tasks > TASKS).then_some(Stuck::Tasks(tasks)));
        if let Some(greedy) = greedy {
            state.for_good = Some(greedy);
            drop(state);
            kill_all(None);
            state = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        }
        state.see(look, cpu);
        if state.stuck.is_some()
            && let Some(armed) = state.armed
        {
            // Until it is disarmed: a signal that comes just before a wait does not end it.
            let _ = pthread_kill(armed.thread, Signal::SIGUSR1);
        }
    }
}

impl State {
    fn see(&mut self, look: Look, cpu: Option<Duration>) {
        let since = self.since.elapsed();
        let slept = look.has_slept_since(&self.look);
        let between = look.at.zip(self.look.at).map_or(Duration::ZERO, |(b, a)| b - a);
        let ended = look.processes.is_empty();
        self.look = look;
        let (patience, most, timeout) = (self.patience, self.most, self.timeout);
        let Some(armed) = &mut self.armed else { return };
        armed.looks += 1;
        // The first look after arming may have been compared with one from before it.
        self.still = slept && armed.looks > 1;
        if self.still {
            armed.slept += between;
            self.counted += between;
        }
        let mut used = Duration::ZERO;
        if let Some(cpu) = cpu {
            let (first, last) = armed.cpu.unwrap_or((cpu, cpu));
            armed.cpu = Some((first, cpu));
            self.counted += cpu.saturating_sub(last);
            used = cpu.saturating_sub(first);
        }
        self.stuck = self.for_good.or(match () {
            () if stop::signal().is_some() => Some(Stuck::Interrupted),
            () if ended => Some(Stuck::Ended),
            () if armed.slept >= patience => Some(Stuck::Still { slept: armed.slept }),
            () if used > most => Some(Stuck::Busy(used)),
            () if self.counted > timeout => Some(Stuck::Late(self.counted)),
            () if since > timeout * STARVED => Some(Stuck::Starved(since)),
            () => None,
        });
    }
}
