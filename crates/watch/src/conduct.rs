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
//!
//! A program between two others, a proxy, has waited as well: it is a server, and ends with the servers. When the last
//! client has ended, they are asked to end in reverse order, each when it has served what was under way.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use netplay_call::stop::{self, Stop};
use netplay_record::{Event, Moves};
use netplay_text::lang::Lang;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid, getpgrp, getppid, getsid};

use super::seen::{Program, Seen, Status, Turn};
use super::start::StartError;
use super::tracer::{Settings, Tracer};

/// How long a program may take to end after SIGTERM, before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How long a server may take, once the clients have ended, to wait for the next one again.
const REST: Duration = Duration::from_secs(2);

/// After this time somebody may wonder why the next program has not started.
const WONDER: Duration = Duration::from_secs(2);

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
    /// Whether servers are left running when all clients have ended.
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
    /// The second program has not started for a while, because the first one neither waits for a client nor ends.
    fn waits(&mut self, _before: &str, _next: &str) {}
    /// Netplay is about to stop, as a shell's job: what was recorded is to be told before.
    fn stops(&mut self) {}
    /// The calls that threads are in, from time to time. Only with [`looks`](Self::looks).
    fn pending(&mut self, _calls: Vec<(Program, Event)>) {}
    /// Whether [`pending`](Self::pending) is wanted.
    fn looks(&self) -> bool {
        false
    }
    /// Whether each call is held until it may go on.
    fn steps(&self) -> bool {
        false
    }
    /// This call is held at its entry. Others go on meanwhile, and are heard of. Only with [`steps`](Self::steps).
    fn before(&mut self, _call: &Event) {}
    /// Whether the call of the last [`before`](Self::before) may go on: asked again and again.
    fn goes_on(&mut self) -> bool {
        true
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
        firsts: plan.processes.clone(),
        outcome: Outcome { statuses: vec![None; all], ..Outcome::default() },
        next_at: None,
        wonder_at: None,
        clients: HashSet::new(),
        servers: HashSet::new(),
        rest: None,
        dismissed: None,
        ending: false,
        kill_at: None,
        end_at: plan.timeout.map(|timeout| Instant::now() + timeout),
        silent: false,
        asked_for: None,
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
    outcome: Outcome,
    /// The first process of each program.
    firsts: Vec<i32>,
    /// When the next command starts at the latest.
    next_at: Option<Instant>,
    /// When it is said that the next command has not started.
    wonder_at: Option<Instant>,
    /// The programs that have connected to others before they waited for a client.
    clients: HashSet<Program>,
    /// The programs that have waited for a client before they connected to others.
    servers: HashSet<Program>,
    /// The server that is to end next, and when at the latest.
    rest: Option<(Program, Instant)>,
    /// The server that was asked to end, because all clients have ended.
    dismissed: Option<Program>,
    /// Whether all programs were asked to end.
    ending: bool,
    /// When those that were asked to end are killed.
    kill_at: Option<Instant>,
    /// When the time is over.
    end_at: Option<Instant>,
    /// Whether what happens is netplay's doing, and not told any more.
    silent: bool,
    /// The thread of the call that the audience was asked for.
    asked_for: Option<i32>,
    error: Option<ConductError>,
}

impl Stage<'_> {
    fn start_next(&mut self) -> Result<(), ConductError> {
        let Some(command) = self.plan.commands.get(self.started) else { return Ok(()) };
        self.started += 1;
        let program = self.tracer.start(command)?;
        self.firsts.extend(self.tracer.processes(program).first());
        let more = self.started < self.plan.commands.len();
        let now = Instant::now();
        self.next_at = self.plan.after.filter(|_| more).map(|after| now + after);
        self.wonder_at = (more && self.plan.after.is_none()).then(|| now + WONDER);
        Ok(())
    }

    /// Starts the next one, if the last that was started is this one.
    fn follow(&mut self, program: Program) -> Result<(), ConductError> {
        let last = self.plan.processes.len() + self.started;
        if program + 1 == last && !self.ending { self.start_next() } else { Ok(()) }
    }

    fn play(mut self, audience: &mut dyn Audience) -> Result<Outcome, ConductError> {
        loop {
            let turn = self.tracer.turn();
            self.hear(audience)?;
            self.let_rest();
            self.stop_as_well(audience)?;
            match turn {
                Turn::Went => {}
                Turn::Over => break,
                Turn::Tick => {
                    audience.pause();
                    if audience.looks() {
                        let held: HashSet<i32> =
                            self.tracer.at_entry().iter().map(|call| call.tid).collect();
                        let mut calls = self.tracer.pending();
                        calls.retain(|(_, call)| !held.contains(&call.tid));
                        audience.pending(calls);
                    }
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
                Seen::Record { program, event } => {
                    if connects(&event) && !self.servers.contains(&program) {
                        self.clients.insert(program);
                    }
                    if !self.silent {
                        audience.record(program, *event);
                    }
                }
                Seen::Waits(program) => {
                    if !self.clients.contains(&program) {
                        self.servers.insert(program);
                    }
                    self.follow(program)?;
                }
                Seen::Failed(program, error) => {
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
                    if !last
                        && self.dismissed == Some(program)
                        && self.firsts.get(program) == Some(&pid)
                    {
                        self.dismiss_the_rest(program);
                    }
                    if last {
                        self.follow(program)?;
                        self.end_servers();
                    }
                }
            }
        }
        Ok(())
    }

    /// When all clients have ended, the servers are asked to end, the last one first. The first program is a server, even if
    /// it has not waited for a client; the last one is not, because no program has come to it.
    fn end_servers(&mut self) {
        let own = self.plan.processes.len()..self.outcome.statuses.len();
        let all_started = self.started == self.plan.commands.len() && own.len() > 1;
        if self.plan.keep || self.ending || !all_started {
            return;
        }
        let lives = |program: &Program| !self.tracer.processes(*program).is_empty();
        let serves = |program: Program| {
            program == own.start || program + 1 < own.end && self.servers.contains(&program)
        };
        let left: Vec<Program> = own.clone().filter(lives).collect();
        let last = left.last().filter(|_| left.iter().all(|&program| serves(program)));
        let next = last.filter(|&&last| self.dismissed != Some(last));
        self.rest = next.map(|&next| (next, Instant::now() + REST));
        self.let_rest();
    }

    /// Asks the server to end that is to end next, as soon as it has nothing to do.
    fn let_rest(&mut self) {
        let Some((server, at_last)) = self.rest.filter(|_| !self.ending) else { return };
        if self.tracer.is_idle(server) || at_last <= Instant::now() {
            self.rest = None;
            self.dismiss(server);
        }
    }

    fn dismiss(&mut self, server: Program) {
        let is_alone = (0..self.outcome.statuses.len())
            .all(|other| other == server || self.tracer.processes(other).is_empty());
        let lang = Lang::current();
        let text = match is_alone {
            true => lang.pick(
                "all others have ended: netplay sends it SIGTERM",
                "其他程序都已结束：netplay 向它发送 SIGTERM",
            ),
            false => lang.pick(
                "the last client has ended: netplay sends it SIGTERM",
                "最后一个客户端已结束：netplay 向它发送 SIGTERM",
            ),
        };
        self.tracer.remark(server, text.to_owned(), "dismissed");
        self.tracer.signal(server, Signal::SIGTERM);
        self.dismissed = Some(server);
        self.kill_at = Some(Instant::now() + GRACE);
    }

    /// Stops netplay, if the programs have stopped themselves and a shell has all of them as its job: the shell waits for netplay,
    /// and would not hear of it. `fg` and `bg` let all of them go on; a signal to netplay alone is passed on.
    fn stop_as_well(&mut self, audience: &mut dyn Audience) -> Result<(), ConductError> {
        if self.ending
            || !self.plan.processes.is_empty()
            || !self.tracer.has_stopped()
            || !is_a_job()
        {
            return Ok(());
        }
        if let Some((signal, programs)) = self.tracer.take_stopped() {
            self.hear(audience)?;
            audience.stops();
            let _ = kill(Pid::this(), signal);
            // One SIGCONT that waits to be delivered is the same as two.
            for pid in programs {
                let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
            }
        }
        Ok(())
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
        (self.ending, self.next_at, self.wonder_at) = (true, None, None);
        self.kill_at.get_or_insert(Instant::now() + GRACE);
    }

    fn look_at_the_time(&mut self, audience: &mut dyn Audience) -> Result<(), ConductError> {
        let now = Instant::now();
        let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_over(self.next_at) {
            self.next_at = None;
            self.start_next()?;
        }
        if is_over(self.wonder_at)
            && let Some(next) = self.plan.commands.get(self.started)
        {
            self.wonder_at = None;
            let before = self.plan.processes.len() + self.started - 1;
            let (before, next) = (self.tracer.name(before), self.tracer.name_for(next));
            audience.waits(before, &next);
        }
        if is_over(self.kill_at) {
            self.kill_at = None;
            let text = Lang::current().pick(
                "it has not ended within 5 s: netplay sends it SIGKILL",
                "5 秒内没有结束：netplay 向它发送 SIGKILL",
            );
            let own = self.plan.processes.len()..self.outcome.statuses.len();
            let one = self.dismissed.filter(|_| !self.ending);
            for program in own.filter(|&program| one.is_none_or(|one| one == program)) {
                self.tracer.remark_each(program, text);
                self.tracer.kill(program, Signal::SIGKILL);
            }
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
        self.step(audience);
        Ok(())
    }

    /// Asks for the call that has been held for longest, and lets it go on when it may.
    fn step(&mut self, audience: &mut dyn Audience) {
        let first = self.tracer.at_entry().into_iter().next();
        // The one that was asked for may have been killed since.
        if self.asked_for != first.as_ref().map(|call| call.tid) {
            self.asked_for = None;
        }
        let Some(call) = first.filter(|_| audience.steps()) else { return };
        if self.asked_for.is_none() {
            self.asked_for = Some(call.tid);
            audience.before(&call);
        }
        if audience.goes_on() {
            self.asked_for = None;
            match audience.steps() {
                true => self.tracer.release_one(),
                false => self.tracer.hold(false),
            }
        }
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
        (self.next_at, self.wonder_at) = (None, None);
        match signal {
            // The terminal has sent Ctrl-C to the programs as well: what they do now is their affair.
            libc::SIGINT if is_in_the_foreground() => {}
            libc::SIGINT => self.end(Signal::SIGINT),
            _ => self.end(Signal::SIGTERM),
        }
        false
    }
}

/// Whether a call connects a stream to a server of another host or process: the resolver's and the log's own ways are others.
fn connects(event: &Event) -> bool {
    let began = event.is_done() || event.errno.as_deref() == Some("EINPROGRESS");
    let is_inet = event.peer.as_deref().is_some_and(|peer| peer.parse::<SocketAddr>().is_ok());
    event.what.moves() == Moves::Connects && began && is_inet && event.datagrams != Some(true)
}

/// Whether a shell with job control has started netplay: its parent is in the same session, and in another group.
fn is_a_job() -> bool {
    let parent = getppid();
    let of_session = getsid(Some(parent)).is_ok_and(|session| Ok(session) == getsid(None));
    let has_group = getpgid(Some(parent)).is_ok_and(|group| group != getpgrp());
    of_session && has_group && std::fs::File::open("/dev/tty").is_ok()
}

/// Whether Ctrl-C reaches this process and its children: all of them are in the group that the terminal is for.
fn is_in_the_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty").ok();
    terminal.is_some_and(|it| nix::unistd::tcgetpgrp(it) == Ok(getpgrp()))
}
