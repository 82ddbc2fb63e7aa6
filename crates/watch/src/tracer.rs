//! The tracer: it hears of every stop of every thread, and lets each run on.
//!
//! ```text
//! a thread of the program                       the tracer
//! recv(4, …) ──▶ the filter answers TRACE ───▶  stop: what is asked? keep it, and the time
//!    the kernel waits for bytes   ◀─────────── PTRACE_SYSCALL: go on, and stop when it returns
//!    … and returns ──────────────────────────▶  stop: what was answered? that is the record
//!                                 ◀─────────── PTRACE_CONT: go on
//! ```
//!
//! So a call costs two stops; one that turns out to be about a file, one. Everything that a thread can do has its stop:
//! it starts a thread or a process, becomes another program, gets a signal, is stopped with Ctrl-Z, ends. The stops of
//! different threads come in any order: the first stop of a new thread may come before its parent's stop that announces
//! it; after an exec in a thread that is not the first, that thread has the number of the first, and the others are gone
//! without a word.
//!
//! All stops that there are just now are taken from the kernel before the first is handled. Otherwise a thread that
//! makes calls without a pause would keep the others waiting for ever, because `wait` finds the same thread first.
//! Source: ptrace(2).

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Duration;

use netplay_call::monotonic;
use netplay_record::{Event, Kind};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::decode::{self, Answer, Asked};
use super::memory::Memory;
use super::process::Process;
use super::request::{self, Stop, Until};
use super::seen::{Detail, Program, Seen, Status, Turn};
use super::start::{self, Launch, StartError, StartFailure};
use super::syscall::Syscall;
use super::wait::{self, Change, Timer};

/// How to watch.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many bytes of each transfer a record keeps.
    pub keep: usize,
    /// Whether each record also has the state and queues of its socket.
    pub observe: bool,
    /// What is changed in the calls of the programs.
    pub twist: super::Twist,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { keep: 64, observe: false, twist: super::Twist::default() }
    }
}

/// A thread of a program.
#[derive(Debug)]
struct Thread {
    /// Its process.
    pid: i32,
    /// The call that it is in.
    call: Option<Open>,
    /// Calls that begin again when the handlers return that interrupted them, the innermost last.
    again: Vec<Open>,
    /// Whether a handler has just returned.
    returned: bool,
}

impl Thread {
    fn of(pid: i32) -> Thread {
        Thread { pid, call: None, again: Vec::new(), returned: false }
    }

    /// Whether it is in a call that makes a process or a thread.
    fn forks(&self) -> bool {
        self.call.as_ref().is_some_and(|open| open.asked.call.forks())
    }
}

/// A call that has begun.
#[derive(Debug)]
struct Open {
    asked: Asked,
    start: u64,
    /// The kernel's reason to begin it again, and when it returned with that: a signal came.
    interrupted: Option<(i64, u64)>,
    /// What was changed in its registers.
    twisted: Option<super::twist::Twisted>,
}

/// Watches programs. All of its work is done in the thread that made it, because only that thread is their tracer.
pub struct Tracer {
    settings: Settings,
    _timer: Timer,
    /// What was taken from the kernel: kept for its memory.
    changes: Vec<(i32, Change)>,
    threads: HashMap<i32, Thread>,
    processes: HashMap<i32, Process>,
    /// The last process that was killed while it made another.
    gone: Option<Process>,
    /// How many programs there have been.
    programs: usize,
    /// The first process of each program that has not become its program yet, and the command as it was given.
    beginning: HashMap<i32, String>,
    commands: Vec<String>,
    /// The programs that have waited for a client.
    waited: HashSet<Program>,
    /// Threads that are held at the entry of their call: [`Tracer::hold`].
    held: Vec<i32>,
    hold: bool,
    /// For each process that a signal is about to stop: which process sent it.
    stoppers: HashMap<i32, i32>,
    /// The processes that a watched one has stopped, and by which signal.
    stopped: HashMap<i32, Signal>,
    /// What happened while everything is kept where it is: [`Tracer::freeze`].
    frozen: Option<Vec<(i32, Change, u64)>>,
    seen: Vec<Seen>,
    /// How often threads have stopped, and how long the tracer took to let them go on, in nanoseconds.
    stops: u64,
    busy: u64,
}

impl Tracer {
    /// A tracer without programs. It uses SIGALRM and the timer of this process (setitimer(2)) while it lives.
    ///
    /// # Errors
    /// There is no timer.
    pub fn new(settings: Settings) -> io::Result<Tracer> {
        Ok(Tracer {
            settings,
            _timer: Timer::begin()?,
            changes: Vec::new(),
            threads: HashMap::new(),
            processes: HashMap::new(),
            gone: None,
            programs: 0,
            beginning: HashMap::new(),
            commands: Vec::new(),
            waited: HashSet::new(),
            held: Vec::new(),
            hold: false,
            stoppers: HashMap::new(),
            stopped: HashMap::new(),
            frozen: None,
            seen: Vec::new(),
            stops: 0,
            busy: 0,
        })
    }

    /// What a program would be called if it was started now: two of one name have a number.
    #[must_use]
    pub fn name_for(&self, command: &[std::ffi::OsString]) -> String {
        self.numbered(start::name(command))
    }

    /// Starts a program: its command and arguments.
    ///
    /// # Errors
    /// There is no such command, or tracing is forbidden here. That its file cannot be executed is [`Seen::Failed`].
    pub fn start(&mut self, command: &[std::ffi::OsString]) -> Result<Program, StartError> {
        self.launch(&Launch { command: command.to_vec(), ..Launch::default() })
    }

    /// Starts a program with an environment, standard streams and a process group of its own.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn launch(&mut self, launch: &Launch) -> Result<Program, StartError> {
        let pid = start::start(launch)?.as_raw();
        let program = self.add(start::name(&launch.command));
        self.beginning.insert(pid, start::given(&launch.command));
        self.threads.insert(pid, Thread::of(pid));
        self.processes
            .insert(pid, Process::new(pid, program, self.commands[program].as_str().into()));
        Ok(program)
    }

    /// Watches all threads of a process that runs already, and the processes that it will start. Its calls are not
    /// filtered, so that it is slower while it is watched. It lives on when the tracer ends.
    ///
    /// # Errors
    /// There is no such process (ESRCH), or it may not be traced (EPERM): it is another user's, it is traced already,
    /// or Yama (`kernel.yama.ptrace_scope`) or a container forbids it.
    pub fn attach(&mut self, pid: i32) -> Result<Program, Errno> {
        request::seize(Pid::from_raw(pid), false)?;
        let name = start::name_of(Pid::from_raw(pid)).unwrap_or_else(|| pid.to_string());
        let program = self.add(name);
        let mut process = Process::new(pid, program, self.commands[program].as_str().into());
        process.filtered = false;
        process.look_around();
        self.processes.insert(pid, process);
        self.threads.insert(pid, Thread::of(pid));
        let _ = request::interrupt(Pid::from_raw(pid));
        // A thread may start another while we look: until a look finds no new one.
        loop {
            let mut found = false;
            for tid in super::process::threads(pid) {
                if !self.threads.contains_key(&tid)
                    && request::seize(Pid::from_raw(tid), false).is_ok()
                {
                    self.threads.insert(tid, Thread::of(pid));
                    let _ = request::interrupt(Pid::from_raw(tid));
                    found = true;
                }
            }
            if !found {
                return Ok(program);
            }
        }
    }

    fn add(&mut self, name: String) -> Program {
        self.commands.push(self.numbered(name));
        self.programs += 1;
        self.programs - 1
    }

    fn numbered(&self, name: String) -> String {
        let same = self.commands.iter().filter(|one| {
            **one == name
                || one
                    .rsplit_once(' ')
                    .is_some_and(|(one, n)| one == name && n.parse::<u32>().is_ok())
        });
        match same.count() {
            0 => name,
            n => format!("{name} {}", n + 1),
        }
    }

    /// What a program is called.
    #[must_use]
    pub fn name(&self, program: Program) -> &str {
        self.commands.get(program).map_or("", String::as_str)
    }

    /// The processes of a program that have not ended, the first of them first.
    #[must_use]
    pub fn processes(&self, program: Program) -> Vec<i32> {
        let of = self.processes.values().filter(|process| process.program == program);
        let mut all: Vec<(u64, i32)> = of.map(|process| (process.began, process.pid)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, pid)| pid).collect()
    }

    /// Whether a program has nothing left to do until a client comes: one of its threads waits for one, all of them sleep, and
    /// no connection of a client is open.
    #[must_use]
    pub fn is_idle(&self, program: Program) -> bool {
        let of = |pid| self.processes.get(&pid).filter(|process| process.program == program);
        let waits = |(&tid, thread): (&i32, &Thread)| {
            let (open, process) = (thread.call.as_ref(), of(thread.pid));
            open.zip(process).is_some_and(|(open, process)| {
                process.waits_for_client(&open.asked, Memory(Pid::from_raw(tid)))
            })
        };
        let serves = self.processes.keys().any(|&pid| of(pid).is_some_and(Process::has_clients));
        let mut own = self.threads.iter().filter(|(_, thread)| of(thread.pid).is_some());
        !serves
            && self.threads.iter().any(waits)
            && own.all(|(&tid, _)| super::process::sleeps(tid))
    }

    /// Holds each thread at the entry of its next call, or lets all go on.
    pub fn hold(&mut self, hold: bool) {
        self.hold = hold;
        while !hold && !self.held.is_empty() {
            self.release_one();
        }
    }

    /// Lets the thread go on that has been held for longest.
    pub fn release_one(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let tid = self.held.remove(0);
        if let Some(open) = self.threads.get_mut(&tid).and_then(|thread| thread.call.as_mut()) {
            open.start = monotonic();
            go(tid, Until::Syscall, 0);
        }
    }

    /// Keeps each thread at its next stop, or lets all go on. Unlike SIGSTOP and SIGCONT, after which epoll_wait(2) fails
    /// with EINTR, a program cannot notice it.
    pub fn freeze(&mut self, freeze: bool) {
        if freeze {
            self.frozen.get_or_insert_default();
            return;
        }
        for (tid, change, at) in self.frozen.take().unwrap_or_default() {
            self.handle(tid, change, at);
        }
    }

    /// The calls at whose entry threads are held.
    #[must_use]
    pub fn at_entry(&self) -> Vec<Event> {
        self.held.iter().filter_map(|&tid| self.unfinished(tid)).collect()
    }

    /// The calls that threads are in, each as a record without a result: which thread waits, and for what.
    #[must_use]
    pub fn pending(&self) -> Vec<(Program, Event)> {
        let mut all: Vec<(Program, Event)> = Vec::new();
        for (&tid, thread) in &self.threads {
            let program = self.processes.get(&thread.pid).map(|process| process.program);
            all.extend(program.zip(self.unfinished(tid)));
        }
        all.sort_by_key(|(program, event)| (*program, event.start_ns, event.tid));
        all
    }

    fn detail(&self) -> Detail {
        Detail { keep: self.settings.keep, observe: self.settings.observe }
    }

    fn unfinished(&self, tid: i32) -> Option<Event> {
        let thread = self.threads.get(&tid)?;
        let (open, process) = (thread.call.as_ref()?, self.processes.get(&thread.pid)?);
        process.unfinished(tid, &open.asked, (open.start, monotonic()), self.detail())
    }

    /// What watching has cost so far: how often a thread stopped, and how long the tracer took for it on average. The times of
    /// calls contain that, and the time in which the kernel went from one to the other.
    #[must_use]
    pub fn cost(&self) -> (u64, Duration) {
        (self.stops, Duration::from_nanos(self.busy / self.stops.max(1)))
    }

    /// Whether anything is left to watch.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.threads.is_empty()
    }

    /// What has happened since it was last asked.
    pub fn take(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// Waits until some thread has stopped, handles all that have, and lets them run on. Returns after 50 ms at the
    /// latest, so that its caller can look at the time.
    pub fn turn(&mut self) -> Turn {
        if self.threads.is_empty() {
            return Turn::Over;
        }
        let mut changes = std::mem::take(&mut self.changes);
        wait::wait(self.threads.len(), &mut changes);
        let now = monotonic();
        self.stops += changes.len() as u64;
        if let Some(frozen) = &mut self.frozen {
            frozen.extend(changes.drain(..).map(|(tid, change)| (tid, change, now)));
        }
        for (tid, change) in changes.drain(..) {
            self.handle(tid, change, now);
        }
        self.changes = changes;
        self.busy += monotonic() - now;
        if wait::has_ticked() { Turn::Tick } else { Turn::Went }
    }

    fn handle(&mut self, tid: i32, change: Change, now: u64) {
        match change {
            Change::Ended(status) => return self.ended(tid, status, now),
            Change::Stopped { signal: libc::SIGTRAP, event: libc::PTRACE_EVENT_EXEC } => {
                return self.became(tid);
            }
            _ => {}
        }
        if !self.threads.contains_key(&tid) && !self.adopt(tid) {
            return;
        }
        // A stop of a first thread that another thread's exec has replaced since: the exec itself is yet to be told.
        if let Change::Stopped { event, .. } = change
            && event != libc::PTRACE_EVENT_SECCOMP
            && request::is_at_exec(Pid::from_raw(tid))
        {
            return;
        }
        match change {
            Change::Syscall => self.at_syscall(tid, now),
            Change::Stopped { event: libc::PTRACE_EVENT_SECCOMP, .. } => self.at_syscall(tid, now),
            Change::Stopped {
                event: libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE,
                ..
            } => {
                if let Ok(child) = request::message(Pid::from_raw(tid))
                    && !self.threads.contains_key(&child)
                {
                    self.born(child, tid);
                }
                self.go_on(tid, 0);
            }
            Change::Stopped { signal, event: libc::PTRACE_EVENT_STOP } => match signal {
                libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU => {
                    let _ = request::listen(Pid::from_raw(tid));
                    self.stopped(tid, signal, now);
                }
                _ => {
                    self.stopped.remove(&tid);
                    self.go_on(tid, 0);
                }
            },
            Change::Stopped { event: 1.., .. } => self.go_on(tid, 0),
            Change::Stopped { signal, .. } => self.signalled(tid, signal),
            Change::Ended(_) => {}
        }
    }

    /// A thread stopped before anything was heard of it: its parent's announcement is on its way.
    fn adopt(&mut self, tid: i32) -> bool {
        let Some((pid, parent)) = super::process::family(tid) else {
            go(tid, Until::Event, 0);
            return false;
        };
        if pid != tid && self.processes.contains_key(&pid) {
            self.threads.insert(tid, Thread::of(pid));
            return true;
        }
        let parent = self.processes.get(&parent).or_else(|| self.lost_parent());
        if let Some(child) = parent.map(|parent| parent.fork(tid)) {
            self.processes.insert(tid, child);
            self.threads.insert(tid, Thread::of(tid));
            return true;
        }
        go(tid, Until::Event, 0);
        false
    }

    /// The parent of a process whose parent was killed before it could be heard of its child.
    fn lost_parent(&self) -> Option<&Process> {
        let forks = self.threads.values().find(|thread| thread.forks());
        let forks = forks.and_then(|thread| self.processes.get(&thread.pid));
        forks.or(self.gone.as_ref()).or_else(|| self.processes.values().next())
    }

    /// A thread has started a thread or a process.
    fn born(&mut self, child: i32, parent: i32) {
        let Some(thread) = self.threads.get(&parent) else { return };
        let pid = thread.pid;
        let flags = thread.call.as_ref().map(|open| decode::clone_flags(&open.asked));
        let is_thread = match flags {
            Some((flags, _)) => flags & libc::CLONE_THREAD as u64 != 0,
            None => super::process::family(child).is_some_and(|(of, _)| of != child),
        };
        if is_thread {
            self.threads.insert(child, Thread::of(pid));
        } else if let Some(process) = self.processes.get(&pid) {
            let process = process.fork(child);
            self.processes.insert(child, process);
            self.threads.insert(child, Thread::of(child));
        }
    }

    /// A thread is at the entry of a call, or at its return.
    fn at_syscall(&mut self, tid: i32, now: u64) {
        match request::stop(Pid::from_raw(tid)) {
            Ok(Stop::Entry { native, number, args }) => {
                if !native {
                    self.say_foreign(tid);
                }
                match Syscall::of(number).filter(|_| native) {
                    Some(call) => self.entered(tid, call, args),
                    None => self.go_on(tid, 0),
                }
            }
            Ok(Stop::Exit(register)) => self.returned(tid, register, now),
            // It was killed meanwhile, or an exec of another thread took its place: that will be heard of.
            Ok(Stop::None) | Err(_) => {}
        }
    }

    fn entered(&mut self, tid: i32, call: Syscall, args: [u64; 6]) {
        let Some(thread) = self.threads.get_mut(&tid) else { return go(tid, Until::Event, 0) };
        let Some(process) = self.processes.get_mut(&thread.pid) else {
            return go(tid, Until::Event, 0);
        };
        if call == Syscall::RtSigreturn {
            thread.returned = true;
            // What the handler did may have ended operations, which the program takes without a call.
            let (program, keep) = (process.program, self.settings.keep);
            for event in process.rings_at_any_time(tid, keep, monotonic()) {
                self.seen.push(Seen::Record { program, event: event.into() });
            }
            return self.go_on(tid, 0);
        }
        let same = |open: &Open| call == open.asked.call && args == open.asked.args;
        if let Some(open) = &mut thread.call
            && let Some((_, at)) = open.interrupted.take()
        {
            if call == Syscall::RestartSyscall || same(open) {
                // The kernel begins the call again: to the program it is the same one.
                open.twisted = self.settings.twist.apply(tid, &open.asked, process);
                return go(tid, Until::Syscall, 0);
            }
            if let Some(open) = thread.call.take() {
                let eintr = Answer::Failed(libc::EINTR);
                self.finish(tid, open, eintr, at);
                return self.entered(tid, call, args);
            }
        }
        if std::mem::take(&mut thread.returned)
            && let Some(at) = thread.again.iter().rposition(same)
        {
            // A handler has returned. One that jumped out of others has left their calls for good.
            let mut open = thread.again.split_off(at).swap_remove(0);
            open.twisted = self.settings.twist.apply(tid, &open.asked, process);
            thread.call = Some(open);
            return go(tid, Until::Syscall, 0);
        }
        if !process.wants(call, &args) {
            let until = if process.filtered { Until::Event } else { Until::Syscall };
            return go(tid, until, 0);
        }
        let memory = Memory(Pid::from_raw(tid));
        let before = decode::before(call, &args, memory);
        let asked = Asked { call, args, before };
        let waits = process.waits_for_client(&asked, memory).then_some(process.program);
        let twisted = self.settings.twist.apply(tid, &asked, process);
        if let Some(program) = waits
            && self.waited.insert(program)
        {
            self.seen.push(Seen::Waits(program));
        }
        let program = process.program;
        for event in process.rings(tid, &asked, false, self.settings.keep, monotonic()) {
            self.seen.push(Seen::Record { program, event: event.into() });
        }
        let start = monotonic();
        thread.call = Some(Open { asked, start, interrupted: None, twisted });
        // One that is not told is not shown: nothing would let it go on.
        if self.hold && self.unfinished(tid).is_some() {
            self.held.push(tid);
            return;
        }
        go(tid, Until::Syscall, 0);
    }

    fn returned(&mut self, tid: i32, register: i64, now: u64) {
        let Some(thread) = self.threads.get_mut(&tid) else { return go(tid, Until::Event, 0) };
        // ERESTARTSYS and its kin: a signal came, and the kernel will decide whether the call begins again.
        if matches!(register, -516 | -514..=-512)
            && let Some(open) = &mut thread.call
        {
            if let Some(twisted) = open.twisted.take() {
                twisted.undo(tid, &open.asked, register);
            }
            open.interrupted = Some((register, now));
        } else if let Some(open) = thread.call.take() {
            let register = match &open.twisted {
                Some(twisted) => twisted.undo(tid, &open.asked, register),
                None => register,
            };
            self.finish(tid, open, Answer::of(register), now);
        }
        self.go_on(tid, 0);
    }

    /// A call has returned: what it changed is remembered, and it is told.
    fn finish(&mut self, tid: i32, open: Open, answer: Answer, now: u64) {
        let Some(pid) = self.threads.get(&tid).map(|thread| thread.pid) else { return };
        let detail = self.detail();
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let Open { asked, start, twisted, .. } = open;
        let event = process.finished(tid, &asked, answer, (start, now), detail);
        let program = process.program;
        if self.beginning.contains_key(&pid) {
            return; // it is not its program yet
        }
        let moved = process.rings(tid, &asked, true, detail.keep, now);
        for event in event.into_iter().chain(moved) {
            self.seen.push(Seen::Record { program, event: event.into() });
        }
        let changed = twisted.and_then(|twisted| twisted.words(&asked));
        for text in changed.into_iter().chain(process.remark(&asked, answer)) {
            self.note(tid, text, now);
        }
    }

    /// A process is stopped, as by a shell. If one that is watched did it, that is told.
    fn stopped(&mut self, tid: i32, signal: i32, now: u64) {
        if let Some(sender) = self.stoppers.remove(&tid)
            && self.processes.contains_key(&sender)
            && let Ok(known) = Signal::try_from(signal)
        {
            self.stopped.insert(tid, known);
            self.note(tid, super::words::stopped(known.as_str()), now);
        }
    }

    /// Whether a watched process has stopped another, or itself.
    pub(crate) fn has_stopped(&self) -> bool {
        !self.stopped.is_empty()
    }

    /// By which signal the programs have stopped themselves, if all that live have: a shell whose job they were would say
    /// that it is stopped. They are forgotten as stopped, and named.
    pub fn take_stopped(&mut self) -> Option<(Signal, Vec<i32>)> {
        let signal = self.stopped.values().next().copied()?;
        let firsts: Vec<i32> =
            (0..self.programs).filter_map(|of| self.processes(of).first().copied()).collect();
        let all = firsts.iter().all(|pid| self.stopped.contains_key(pid));
        all.then(|| {
            self.stopped.clear();
            (signal, firsts)
        })
    }

    /// A signal is about to reach a thread.
    fn signalled(&mut self, tid: i32, signal: i32) {
        let Some(thread) = self.threads.get_mut(&tid) else { return go(tid, Until::Event, signal) };
        if matches!(signal, libc::SIGSTOP | libc::SIGTSTP) {
            let sender = request::sender(Pid::from_raw(tid));
            self.stoppers.extend(sender.map(|sender| (thread.pid, sender)));
        }
        let process = self.processes.get(&thread.pid);
        if let Some(restarts) = process.and_then(|process| process.handles(signal))
            && let Some(mut open) = thread.call.take_if(|open| open.interrupted.is_some())
            && let Some((reason, at)) = open.interrupted.take()
        {
            // Its handler runs now, and may make calls. ERESTARTSYS (512) begins again after a handler with
            // SA_RESTART, ERESTARTNOINTR (513) after any; the other two never.
            if reason == -513 || reason == -512 && restarts {
                thread.again.push(open);
            } else {
                self.finish(tid, open, Answer::Failed(libc::EINTR), at);
            }
        }
        self.go_on(tid, signal);
    }

    /// A process has become another program. All of its other threads are gone, and the thread that did it has the
    /// number of the first now.
    fn became(&mut self, pid: i32) {
        let former = request::message(Pid::from_raw(pid)).unwrap_or(pid);
        let call = self.threads.remove(&former).and_then(|thread| thread.call);
        let now = monotonic();
        for (tid, thread) in
            self.threads.extract_if(|_, thread| thread.pid == pid).collect::<Vec<_>>()
        {
            self.left(tid, thread, now);
        }
        self.held.retain(|held| self.threads.contains_key(held));
        self.threads.insert(pid, Thread { call, ..Thread::of(pid) });
        self.beginning.remove(&pid);
        let Some(process) = self.processes.get_mut(&pid) else { return self.go_on(pid, 0) };
        if let Some(text) = process.become_program() {
            self.note(pid, text, now);
        }
        self.go_on(pid, 0);
    }

    fn ended(&mut self, tid: i32, status: Status, now: u64) {
        let Some(thread) = self.threads.remove(&tid) else { return };
        self.held.retain(|&held| held != tid);
        let pid = thread.pid;
        if thread.forks()
            && let Some(process) = self.processes.get(&pid)
        {
            self.gone = Some(process.fork(pid));
        }
        self.left(tid, thread, now);
        if tid != pid {
            return;
        }
        self.threads.retain(|_, thread| thread.pid != pid);
        self.stopped.remove(&pid);
        self.stoppers.remove(&pid);
        let Some(process) = self.processes.remove(&pid) else { return };
        let program = process.program;
        if let Some(command) = self.beginning.remove(&pid) {
            let why = start::failure(Pid::from_raw(pid));
            let why = why.unwrap_or(StartFailure::Call("execve", Errno::UnknownErrno));
            self.seen.push(Seen::Failed(program, StartError { command, why }));
            return;
        }
        let mut event = process.note(pid, status.in_words(), now);
        event.kind = Kind::Note;
        let parent = process.parent.and_then(|parent| self.processes.get(&parent));
        let forgotten = parent.is_some_and(|parent| parent.forgets_children);
        let value = status.as_value() + if forgotten { ", forgotten" } else { "" };
        event.value = Some(value.into());
        self.seen.push(Seen::Record { program, event: event.into() });
        let last = !self.processes.values().any(|other| other.program == program);
        self.seen.push(Seen::Ended { program, pid, status, last });
    }

    /// A thread has ended inside of its calls: exit_group and exec of another thread, or a signal.
    fn left(&mut self, tid: i32, thread: Thread, now: u64) {
        let Some(process) = self.processes.get(&thread.pid) else { return };
        if self.beginning.contains_key(&thread.pid) {
            return;
        }
        for open in thread.again.into_iter().chain(thread.call) {
            let event = process.unfinished(tid, &open.asked, (open.start, now), self.detail());
            let program = process.program;
            self.seen.extend(event.map(|event| Seen::Record { program, event: event.into() }));
        }
    }

    /// A remark between the calls of a thread.
    fn note(&mut self, tid: i32, text: String, now: u64) {
        let Some(process) =
            self.threads.get(&tid).and_then(|thread| self.processes.get(&thread.pid))
        else {
            return;
        };
        let (program, event) = (process.program, process.note(tid, text, now));
        self.seen.push(Seen::Record { program, event: event.into() });
    }

    /// A call of 32 bits, or of another kind of machine: what its numbers mean is another table.
    fn say_foreign(&mut self, tid: i32) {
        let Some(pid) = self.threads.get(&tid).map(|thread| thread.pid) else { return };
        if let Some(process) = self.processes.get_mut(&pid)
            && !std::mem::replace(&mut process.said_foreign, true)
        {
            self.note(tid, super::words::foreign(), monotonic());
        }
    }

    /// Lets a thread run to where it has to stop next.
    fn go_on(&mut self, tid: i32, signal: i32) {
        let thread = self.threads.get(&tid);
        let filtered = thread
            .and_then(|thread| self.processes.get(&thread.pid))
            .is_none_or(|process| process.filtered);
        let in_call = thread
            .and_then(|thread| thread.call.as_ref())
            .is_some_and(|open| open.interrupted.is_none());
        let until = if in_call || !filtered { Until::Syscall } else { Until::Event };
        go(tid, until, signal);
    }

    /// Sends a signal to each process of a program; SIGTERM instead of an interrupt from the keyboard (SIGINT) to one that
    /// ignores that, as the background jobs of a shell do.
    pub fn kill(&mut self, program: Program, signal: Signal) {
        for pid in self.processes(program) {
            let is_deaf = signal == Signal::SIGINT && super::process::ignores(pid, libc::SIGINT);
            let signal = if is_deaf { Signal::SIGTERM } else { signal };
            let _ = nix::sys::signal::kill(Pid::from_raw(pid), signal);
        }
    }

    /// Sends a signal to the first process of a program that is left.
    pub fn signal(&mut self, program: Program, signal: Signal) {
        if let Some(&pid) = self.processes(program).first() {
            let _ = nix::sys::signal::kill(Pid::from_raw(pid), signal);
        }
    }

    /// Adds a remark to the record of each process of a program: netplay asks it to end.
    pub fn remark_each(&mut self, program: Program, text: &str) {
        for pid in self.processes(program) {
            let Some(process) = self.processes.get(&pid) else { continue };
            let mut event = process.note(pid, text.to_owned(), monotonic());
            event.value = Some("dismissed".into());
            self.seen.push(Seen::Record { program, event: event.into() });
        }
    }

    /// Adds a remark of netplay's own to the record of a program; `value` is a word of it for programs.
    pub fn remark(&mut self, program: Program, text: String, value: &str) {
        if let Some(process) =
            self.processes(program).first().and_then(|pid| self.processes.get(pid))
        {
            let mut event = process.note(process.pid, text, monotonic());
            event.value = Some(value.into());
            self.seen.push(Seen::Record { program, event: event.into() });
        }
    }
}

/// A thread that is killed meanwhile does not run on, and its end will be heard of.
fn go(tid: i32, until: Until, signal: i32) {
    let _ = request::resume(Pid::from_raw(tid), until, signal);
}
