//! Several programs on one stage: each starts when the one before waits for it, and all of them end.
//!
//! ```text
//! ./server 5858 :: python3 client.py 127.0.0.1 5858
//!
//! server     socket bind listen accept …                      SIGTERM
//!                                 │ it waits for a client        ▲ the last client has ended
//! client.py                       └─▶ socket connect send recv close
//! ```
//!
//! A server is ready when it waits on its listener, which the tracer sees. So nothing sleeps and hopes, and nothing connects
//! to find out: an iterative server would take that for its first client.

use std::ffi::OsString;
use std::io;
use std::time::{Duration, Instant};

use netplay_call::stop::{self, Stop};
use netplay_record::Event;
use netplay_text::lang::Lang;
use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::seen::{Program, Seen, Status, Turn};
use super::start::StartError;
use super::tracer::{Settings, Tracer};

/// How long a program may take to end after SIGTERM, before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// What to watch, and how long.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The commands, in the order in which they start.
    pub commands: Vec<Vec<OsString>>,
    /// Processes that run already.
    pub processes: Vec<i32>,
    /// How to watch.
    pub settings: Settings,
    /// Starts a program after this time, if the one before has not waited or ended by then.
    pub after: Option<Duration>,
    /// Whether the first program is left running when all others have ended.
    pub keep: bool,
    /// How long all of it may take.
    pub timeout: Option<Duration>,
}

/// How it went.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How the first process of each program ended; `None` if it has not.
    pub statuses: Vec<Option<Status>>,
    /// Whether the time was over.
    pub late: bool,
    /// The signal that ended it.
    pub interrupted: Option<i32>,
    /// How often threads were stopped, and how long each stop took on average.
    pub cost: (u64, Duration),
}

/// Why nothing, or not all, could be watched.
#[derive(Debug)]
pub enum ConductError {
    /// A program could not be started.
    Start(StartError),
    /// A process cannot be traced.
    Attach(i32, Errno),
    /// The tracer cannot go on.
    Trace(io::Error),
}

impl std::fmt::Display for ConductError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ConductError::Start(error) => error.fmt(f),
            ConductError::Attach(pid, errno) => {
                write!(f, "process {pid}: ptrace(PTRACE_SEIZE): {}", errno.desc())
            }
            ConductError::Trace(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ConductError {}

impl From<StartError> for ConductError {
    fn from(error: StartError) -> ConductError {
        ConductError::Start(error)
    }
}

impl From<io::Error> for ConductError {
    fn from(error: io::Error) -> ConductError {
        ConductError::Trace(error)
    }
}

/// Those who are told.
pub trait Audience {
    /// A record, in the order in which calls returned.
    fn record(&mut self, program: Program, event: Event);
    /// Some time has passed: what was gathered can be shown.
    fn pause(&mut self);
    /// These calls are about to begin; the first of them goes on when this returns. Only with [`steps`](Self::steps).
    fn before(&mut self, _calls: &[Event]) {}
    /// Whether each call is held until [`before`](Self::before) returns.
    fn steps(&self) -> bool {
        false
    }
}

/// Watches programs from the start of the first to the end of the last.
///
/// # Errors
/// [`ConductError`]; programs that have been started are killed.
pub fn conduct(plan: &Plan, audience: &mut dyn Audience) -> Result<Outcome, ConductError> {
    super::start::remember_ignored();
    // The first signal is told, the second ends netplay.
    let stop = Stop::new();
    stop.on_signals();
    let mut tracer = Tracer::new(plan.settings)?;
    for &pid in &plan.processes {
        tracer.attach(pid).map_err(|errno| ConductError::Attach(pid, errno))?;
    }
    tracer.hold(audience.steps());
    let attached = plan.processes.len();
    let all = attached + plan.commands.len();
    let mut stage = Stage {
        plan,
        tracer,
        started: 0,
        left: all,
        first: None,
        firsts: plan.processes.clone(),
        outcome: Outcome { statuses: vec![None; all], ..Outcome::default() },
        next_at: None,
        dismissed: false,
        kill_at: None,
        end_at: plan.timeout.map(|timeout| Instant::now() + timeout),
        silent: false,
        error: None,
    };
    stage.start_next()?;
    stage.play(audience)
}

struct Stage<'a> {
    plan: &'a Plan,
    tracer: Tracer,
    /// How many commands have been started.
    started: usize,
    /// How many programs have not ended, whether they have started or not.
    left: usize,
    /// The first program that was started, and its number among all.
    first: Option<Program>,
    outcome: Outcome,
    /// The first process of each program.
    firsts: Vec<i32>,
    /// When the next command starts at the latest.
    next_at: Option<Instant>,
    /// Whether the first was asked to end, because all others have.
    dismissed: bool,
    /// When the programs are killed.
    kill_at: Option<Instant>,
    /// When the time is over.
    end_at: Option<Instant>,
    /// Whether what happens is netplay's doing, and not told any more.
    silent: bool,
    error: Option<ConductError>,
}

impl Stage<'_> {
    fn start_next(&mut self) -> Result<(), ConductError> {
        let Some(command) = self.plan.commands.get(self.started) else { return Ok(()) };
        self.started += 1;
        let program = self.tracer.start(command)?;
        self.first = self.first.or(Some(program));
        self.firsts.extend(self.tracer.processes(program).first());
        let more = self.started < self.plan.commands.len();
        self.next_at = self.plan.after.filter(|_| more).map(|after| Instant::now() + after);
        Ok(())
    }

    /// Starts the next one, if the last that was started is this one.
    fn follow(&mut self, program: Program) -> Result<(), ConductError> {
        let last = self.plan.processes.len() + self.started;
        if program + 1 == last && self.kill_at.is_none() { self.start_next() } else { Ok(()) }
    }

    fn play(mut self, audience: &mut dyn Audience) -> Result<Outcome, ConductError> {
        loop {
            let turn = self.tracer.turn();
            self.hear(audience)?;
            match turn {
                Turn::Went => {}
                Turn::Over => break,
                Turn::Tick => {
                    audience.pause();
                    self.look_at_the_time(audience)?;
                    if self.is_interrupted() || self.outcome.late && self.has_ended_its_own() {
                        break;
                    }
                }
            }
        }
        self.hear(audience)?;
        audience.pause();
        self.outcome.cost = self.tracer.cost();
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.outcome),
        }
    }

    fn hear(&mut self, audience: &mut dyn Audience) -> Result<(), ConductError> {
        for seen in self.tracer.take() {
            match seen {
                Seen::Record { program, event } if !self.silent => audience.record(program, *event),
                Seen::Record { .. } => {}
                Seen::Waits(program) => self.follow(program)?,
                Seen::Failed(program, error) => {
                    self.left -= 1;
                    self.error.get_or_insert(error.into());
                    self.tracer.kill(program, Signal::SIGKILL);
                    self.end(Signal::SIGTERM);
                }
                Seen::Ended { program, pid, status, last } => {
                    if self.firsts.get(program) == Some(&pid)
                        && let Some(slot) = self.outcome.statuses.get_mut(program)
                    {
                        slot.get_or_insert(status);
                    }
                    if !last && self.dismissed && self.firsts.get(program) == Some(&pid) {
                        self.dismiss_the_rest(program);
                    }
                    if last {
                        self.left -= 1;
                        self.follow(program)?;
                        self.dismiss_the_first();
                    }
                }
            }
        }
        Ok(())
    }

    /// When all others have ended, the first is asked to end.
    fn dismiss_the_first(&mut self) {
        let Some(first) = self.first.filter(|_| !self.plan.keep && self.kill_at.is_none()) else {
            return;
        };
        let several = self.outcome.statuses.len() > 1;
        if several && self.left == 1 && !self.tracer.processes(first).is_empty() {
            let lang = Lang::current();
            let text = lang.pick(
                "all others have ended: netplay sends it SIGTERM",
                "其他程序都已结束：netplay 向它发送 SIGTERM",
            );
            self.tracer.remark(first, text.to_owned(), "dismissed");
            self.tracer.signal(first, Signal::SIGTERM);
            self.dismissed = true;
            self.kill_at = Some(Instant::now() + GRACE);
        }
    }

    /// The first process has ended, and has left others behind.
    fn dismiss_the_rest(&mut self, program: Program) {
        let text = Lang::current().pick(
            "the process that started it has ended: netplay sends it SIGTERM as well",
            "启动它的进程已结束：netplay 也向它发送 SIGTERM",
        );
        self.tracer.remark_each(program, text);
        self.tracer.kill(program, Signal::SIGTERM);
    }

    /// Ends all of them.
    fn end(&mut self, signal: Signal) {
        for program in 0..self.outcome.statuses.len() {
            if program >= self.plan.processes.len() {
                self.tracer.kill(program, signal);
            }
        }
        self.started = self.plan.commands.len();
        self.next_at = None;
        self.kill_at.get_or_insert(Instant::now() + GRACE);
    }

    fn look_at_the_time(&mut self, audience: &mut dyn Audience) -> Result<(), ConductError> {
        let now = Instant::now();
        let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_over(self.next_at) {
            self.next_at = None;
            self.start_next()?;
        }
        if is_over(self.kill_at) {
            self.kill_at = None;
            let text = Lang::current().pick(
                "it has not ended within 5 s: netplay sends it SIGKILL",
                "5 秒内没有结束：netplay 向它发送 SIGKILL",
            );
            for program in self.plan.processes.len()..self.outcome.statuses.len() {
                self.tracer.remark_each(program, text);
            }
            self.end(Signal::SIGKILL);
        }
        if is_over(self.end_at) {
            self.end_at = None;
            self.outcome.late = true;
            // Who waits for whom is told before anybody is ended: that would make the others' waits return.
            for (program, event) in self.tracer.pending() {
                audience.record(program, event);
            }
            self.silent = true;
            self.end(Signal::SIGTERM);
        }
        let calls = self.tracer.at_entry();
        if !calls.is_empty() && audience.steps() {
            audience.before(&calls);
            if audience.steps() {
                self.tracer.release_one();
            } else {
                self.tracer.hold(false);
            }
        }
        Ok(())
    }

    /// Whether every program that was started has ended. Processes that were there before live on.
    fn has_ended_its_own(&self) -> bool {
        let mut own = self.plan.processes.len()..self.outcome.statuses.len();
        own.all(|program| self.tracer.processes(program).is_empty())
    }

    /// Whether a signal to netplay itself leaves nothing to wait for. A second one ends netplay, and the kernel then
    /// kills what it has started (PTRACE_O_EXITKILL).
    fn is_interrupted(&mut self) -> bool {
        let Some(signal) = stop::signal().filter(|_| self.outcome.interrupted.is_none()) else {
            return false;
        };
        self.outcome.interrupted = Some(signal);
        if self.plan.commands.is_empty() {
            return true; // processes that were there before live on
        }
        self.started = self.plan.commands.len();
        match signal {
            // The terminal has sent Ctrl-C to the programs as well: what they do now is their affair.
            libc::SIGINT if is_in_the_foreground() => {}
            libc::SIGINT => self.end(Signal::SIGINT),
            _ => self.end(Signal::SIGTERM),
        }
        false
    }
}

/// Whether Ctrl-C reaches this process and its children: all of them are in the group that the terminal is for.
fn is_in_the_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty").ok();
    terminal.is_some_and(|it| nix::unistd::tcgetpgrp(it) == Ok(nix::unistd::getpgrp()))
}
