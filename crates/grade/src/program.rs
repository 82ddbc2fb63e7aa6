//! The program that is tested: started with a port, looked after, and ended with all that it has started.
//!
//! A guard of its own looks at it all the time. It ends the waits of a test when there is nothing left to wait for: the program has
//! slept for so long with nothing on its way, it has ended, it uses processor time without an end. It kills a program that takes
//! too much memory or starts processes without an end.

use std::cell::{Cell, RefCell};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use netplay_inspect::{self as inspect, Ask, Inet};
use netplay_record::Event;
use netplay_text::tcp::State;
use netplay_watch::{Launch, Settings, StartError, Status, Twist};
use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::eye::Eye;
use super::guard::{CPU, CPU_OF_START, Guard, Stuck};
use super::kill::{kill, kill_all, reap, waited};

/// How a program is started.
pub(crate) struct Start<'a> {
    pub(crate) command: &'a [OsString],
    /// The address that stands for {host} and {port}.
    pub(crate) address: SocketAddr,
    /// Whether its calls are watched.
    pub(crate) watched: bool,
    pub(crate) twist: Twist,
    /// What it reads as its standard input.
    pub(crate) input: Option<Vec<u8>>,
    /// How long a test may take.
    pub(crate) timeout: Duration,
}

/// Whether a command says where it wants the address.
pub(crate) fn takes(command: &[OsString], what: &str) -> bool {
    command.iter().any(|word| find(word.as_bytes(), what.as_bytes()).is_some())
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|part| part == what)
}

fn replaced(word: &OsStr, what: &str, with: &str) -> OsString {
    let (mut rest, mut done) = (word.as_bytes(), Vec::new());
    while let Some(at) = find(rest, what.as_bytes()) {
        done.extend_from_slice(&rest[..at]);
        done.extend_from_slice(with.as_bytes());
        rest = &rest[at + what.len()..];
    }
    done.extend_from_slice(rest);
    OsString::from_vec(done)
}

/// The last bytes that a program has written.
#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
}

/// So much of its output is kept.
const OUTPUT: usize = 1 << 20;

impl Output {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > 2 * OUTPUT {
            self.bytes.drain(..self.bytes.len() - OUTPUT);
        }
    }
}

/// A program that runs.
pub(crate) struct Program {
    eye: Option<Eye>,
    pid: i32,
    pub(crate) address: SocketAddr,
    pub(crate) guard: Guard,
    output: [Arc<Mutex<Output>>; 2],
    readers: Vec<JoinHandle<()>>,
    /// How it ended, where it is not watched.
    status: Option<Status>,
    /// When a wait for it was given up last, and the calls that it was in.
    given_up: RefCell<Option<(u64, Vec<Event>)>>,
}

impl Program {
    /// Starts it.
    ///
    /// # Errors
    /// There is no such program, or it may not be traced.
    pub(crate) fn start(start: Start<'_>) -> Result<Program, StartError> {
        let (host, port) = (start.address.ip().to_string(), start.address.port().to_string());
        let word = |word: &OsString| replaced(&replaced(word, "{host}", &host), "{port}", &port);
        let command: Vec<OsString> = start.command.iter().map(word).collect();
        let named = takes(start.command, "{port}");
        let variables: Vec<(OsString, OsString)> = match named {
            true => Vec::new(),
            false => vec![("PORT".into(), port.into()), ("HOST".into(), host.into())],
        };
        let failed = |errno| StartError {
            command: command[0].to_string_lossy().into_owned(),
            why: netplay_watch::StartFailure::Call("pipe", errno),
        };
        let pipe = || nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(failed);
        let (input, output, errors) = (pipe()?, pipe()?, pipe()?);
        let streams = [input.0, output.1, errors.1];
        let (eye, pid) = match start.watched {
            true => {
                let launch =
                    Launch { command, variables, streams: streams.map(Some), own_group: true };
                let settings = Settings { twist: start.twist, ..Settings::default() };
                let eye = Eye::launch(launch, settings)?;
                let pid = eye.pid;
                (Some(eye), pid)
            }
            false => (None, spawn(&command, variables, streams)?),
        };
        let kept = [Arc::default(), Arc::default()];
        let mut readers = vec![
            read_all(output.0, Arc::clone(&kept[0])),
            read_all(errors.0, Arc::clone(&kept[1])),
        ];
        let text = start.input.unwrap_or_default();
        readers.push(std::thread::spawn(move || {
            let _ = io::Write::write_all(&mut std::fs::File::from(input.1), &text);
        }));
        Ok(Program {
            eye,
            pid,
            address: start.address,
            guard: Guard::new(start.timeout),
            output: kept,
            readers,
            status: None,
            given_up: RefCell::default(),
        })
    }

    /// Whether it has waited for a client, as far as its calls tell.
    fn waits(&self) -> bool {
        self.eye.as_ref().is_some_and(|eye| eye.sight().waits)
    }

    /// How its first process ended, if it has. The kernel shows that a process has ended before its tracer can say how: the tracer is
    /// given the time for it, which it needs on a busy machine.
    pub(crate) fn status(&mut self) -> Option<Status> {
        if let Some(eye) = &self.eye {
            let end = Instant::now() + TOLD;
            while !eye.sight().has_ended() && self.has_gone() && Instant::now() < end {
                eye.more(Duration::from_millis(3));
            }
            let sight = eye.sight();
            return sight.status.or(sight.over.then_some(Status::Exited(127)));
        }
        if self.status.is_none() {
            self.status = waited(self.pid);
        }
        self.status
    }

    /// Whether its first process is no more, or only waits for its parent.
    pub(crate) fn has_gone(&self) -> bool {
        !self.guard.look().processes.contains(&self.pid)
    }

    /// Why it did not begin, where its file is no program.
    pub(crate) fn start_error(&self) -> Option<StartError> {
        self.eye.as_ref().and_then(|eye| eye.sight().failed.take())
    }

    /// Its sockets of this port that clients can reach: listeners, or datagram sockets.
    pub(crate) fn reachable(&self, datagrams: bool) -> Vec<Inet> {
        let ask = Ask::port(self.address.port());
        let found = if datagrams { inspect::udp(ask) } else { inspect::tcp(ask) };
        found.unwrap_or_default().into_iter().filter(Inet::is_open).collect()
    }

    /// Waits until clients can reach it: it has a socket of its port, and waits for the first client.
    ///
    /// # Errors
    /// It ended, or sleeps without such a socket.
    pub(crate) fn ready(&mut self, datagrams: bool) -> Result<(), Stuck> {
        self.guard.cpu(CPU_OF_START);
        let ready = self.until(|program| {
            !program.reachable(datagrams).is_empty()
                && (program.waits() || program.guard.is_still() || program.guard.has_run_for(LONG))
        });
        self.guard.cpu(CPU);
        ready
    }

    /// Waits until this is so.
    ///
    /// # Errors
    /// Waiting for it is of no use any more.
    pub(crate) fn until(&mut self, is_so: impl Fn(&Program) -> bool) -> Result<(), Stuck> {
        self.guard.arm();
        let found = loop {
            if is_so(self) {
                break Ok(());
            }
            if let Some(stuck) = self.guard.stuck() {
                // It may have become so while that was found.
                if is_so(self) {
                    break Ok(());
                }
                self.given_up(stuck);
                break Err(stuck);
            }
            match &self.eye {
                Some(eye) => eye.more(Duration::from_millis(3)),
                None => std::thread::sleep(Duration::from_millis(3)),
            }
        };
        self.guard.disarm();
        found
    }

    /// Waits until it has read this many bytes of a client, and waits for more.
    ///
    /// # Errors
    /// It reads no more, or has ended.
    pub(crate) fn settle(&mut self, client: SocketAddr, sent: u64) -> Result<(), Stuck> {
        let turn = Turn::default();
        let done =
            self.until(|program| program.has_read(client, sent) && turn.has_been_had_by(program));
        match done {
            // What it has not read, it may have no wish to read.
            Err(Stuck::Still { .. }) => Ok(()),
            done => done,
        }
    }

    /// Waits until this client has left, and the program has done what it does about that, or has ended of it: the next client must not
    /// be quicker.
    ///
    /// # Errors
    /// netplay was asked to end, or the program had no processor for too long.
    pub(crate) fn settle_without(&mut self, client: SocketAddr) -> Result<(), Stuck> {
        let turn = Turn::default();
        let left = |program: &Program| !program.has_state(client, State::ESTABLISHED);
        let done = self
            .until(|program| program.has_gone() || left(program) && turn.has_been_had_by(program));
        match done {
            Err(stuck @ (Stuck::Interrupted | Stuck::Starved(_))) => Err(stuck),
            _ => Ok(()),
        }
    }

    /// Whether its socket to this client has received so much, and nothing waits in it.
    fn has_read(&self, client: SocketAddr, sent: u64) -> bool {
        if self.eye.as_ref().is_some_and(|eye| eye.sight().received(client.port()) >= sent) {
            return true;
        }
        let idle = self.guard.is_still() || self.guard.has_run_for(LONG);
        idle && self.sockets_to(client).all(|socket| socket.receive_queue == 0)
    }

    /// Whether its socket to this client is in this state.
    pub(crate) fn has_state(&self, client: SocketAddr, state: State) -> bool {
        self.sockets_to(client).any(|socket| socket.state == state)
    }

    /// Whether it has no connection to this client any more.
    pub(crate) fn has_lost(&self, client: SocketAddr) -> bool {
        self.sockets_to(client).next().is_none()
    }

    fn sockets_to(&self, client: SocketAddr) -> impl Iterator<Item = Inet> + use<> {
        let sockets = inspect::tcp(Ask::port(self.address.port())).unwrap_or_default();
        sockets
            .into_iter()
            .filter(move |socket| socket.peer.is_some_and(|peer| peer.port() == client.port()))
    }

    /// Its last output: of its standard output, and of its standard error.
    pub(crate) fn output(&self) -> [Vec<u8>; 2] {
        let bytes = |of: &Arc<Mutex<Output>>| {
            of.lock().unwrap_or_else(PoisonError::into_inner).bytes.clone()
        };
        [bytes(&self.output[0]), bytes(&self.output[1])]
    }

    /// Waits until all that it has written is read: it has ended, and so have all that share its output.
    pub(crate) fn drain(&mut self) {
        let end = Instant::now() + Duration::from_secs(1);
        while self.readers.iter().any(|reader| !reader.is_finished()) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Keeps it where it is until it is let go on. Not without watching: then a test does what it can.
    pub(crate) fn freeze(&self, freeze: bool) {
        if let Some(eye) = &self.eye {
            eye.freeze(freeze);
            // The order is followed within a tick.
            let _ = eye.pending();
        }
    }

    /// The calls that it has made so far.
    pub(crate) fn with_records<T>(&self, look: impl FnOnce(&[Event]) -> T) -> T {
        match &self.eye {
            Some(eye) => look(&eye.sight().records),
            None => look(&[]),
        }
    }

    /// How many of its calls have returned within a millisecond; also of those that are not kept.
    pub(crate) fn quick_calls(&self) -> u64 {
        self.eye.as_ref().map_or(0, |eye| eye.sight().quick)
    }

    /// The calls that it is in.
    pub(crate) fn pending(&self) -> Vec<Event> {
        self.eye.as_ref().map(Eye::pending).unwrap_or_default()
    }

    /// Notes what it is in, when a wait for it is given up.
    pub(crate) fn given_up(&self, stuck: Stuck) {
        if matches!(stuck, Stuck::Still { .. } | Stuck::Busy(_) | Stuck::Late(_)) {
            let pending = self.pending();
            *self.given_up.borrow_mut() = Some((netplay_call::monotonic(), pending));
        }
    }

    /// When a wait for it was given up last, and the calls that it was in.
    pub(crate) fn when_given_up(&self) -> Option<(u64, Vec<Event>)> {
        self.given_up.borrow_mut().take()
    }

    /// Sends a signal to its first process.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid, signal);
    }

    /// Kills all of its processes.
    pub(crate) fn kill(&self) {
        kill_all(Some(self.pid));
    }

    /// Ends it with all that it has started; its records.
    pub(crate) fn end(self) -> Vec<Event> {
        self.kill();
        let records = match self.eye {
            Some(eye) => eye.end(),
            None => Vec::new(),
        };
        kill_all(Some(self.pid));
        reap();
        for reader in self.readers {
            let _ = reader.join();
        }
        records
    }
}

/// After so long with a socket, a program that never sleeps is ready as well.
const LONG: Duration = Duration::from_millis(500);

/// A tracer says within this time how a process has ended.
const TOLD: Duration = Duration::from_secs(10);

/// Within so much processor time a program that never sleeps has gone round all its sockets.
const TURN: Duration = Duration::from_millis(50);

/// Whether a program has had the time to do what there is to do: it sleeps, or never sleeps and has used processor time since.
#[derive(Default)]
struct Turn {
    began: Cell<Option<Duration>>,
}

impl Turn {
    fn has_been_had_by(&self, program: &Program) -> bool {
        let used = || {
            let now = program.guard.look().cpu();
            let since = self.began.get().unwrap_or(now);
            self.began.set(Some(since));
            now.saturating_sub(since)
        };
        program.guard.is_still_now() || used() >= TURN
    }
}

fn spawn(
    command: &[OsString],
    variables: Vec<(OsString, OsString)>,
    [input, output, errors]: [OwnedFd; 3],
) -> Result<i32, StartError> {
    let child = Command::new(&command[0])
        .args(&command[1..])
        .envs(variables)
        .stdin(Stdio::from(input))
        .stdout(Stdio::from(output))
        .stderr(Stdio::from(errors))
        .process_group(0)
        .spawn();
    let why = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => netplay_watch::StartFailure::NotFound,
        _ => {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EINVAL));
            netplay_watch::StartFailure::Call("execve", errno)
        }
    };
    let command = command[0].to_string_lossy().into_owned();
    child
        .map(|child| child.id().cast_signed())
        .map_err(|error| StartError { command, why: why(error) })
}

/// Reads what a program writes, so that it never waits for a reader.
fn read_all(from: OwnedFd, into: Arc<Mutex<Output>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let (mut from, mut room) = (std::fs::File::from(from), vec![0; 64 * 1024]);
        while let Ok(n @ 1..) = from.read(&mut room) {
            into.lock().unwrap_or_else(PoisonError::into_inner).add(&room[..n]);
        }
    })
}
