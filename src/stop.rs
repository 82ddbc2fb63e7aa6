//! Stopping: how a server that sleeps in the kernel learns that it should end.
//!
//! The one idiom, on every line of a page that waits:
//!
//! ```text
//! let waiting = stop.watch(&listener);
//! while let Some((peer, addr)) = waiting.or(|| call::accept(&listener))? { … }
//! ```
//!
//! Behind it is a flag and `shutdown(2)`. A flag alone would not do: the signal may arrive just
//! before the call begins to wait, and the call would never look at the flag again. A socket that
//! was shut down stays so: `accept` on it fails with EINVAL, `recv` returns 0, and `select`, `poll`
//! and `epoll_wait` report it ready, whether they began before the signal or after. shutdown is
//! async-signal-safe; there is no polling and no extra thread.

use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, raise, sigaction,
};
use nix::unistd::{Pid, getpid, getppid};

use crate::call::{self, WaitPidFlag, pollfd};
use crate::descriptor::out_of_the_way;
use crate::output;
use crate::patience::Patience;

/// A request to end that any thread, or a signal, can make and every wait hears.
///
/// ```
/// # use call::{Domain, TcpListener, Type};
/// use netplay::{call, stop::Stop};
/// let stop = Stop::new();
/// let from_another_thread = stop.clone();
/// # let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
/// # call::bind(&socket, std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
/// # let listener: TcpListener = call::listen(socket, 1)?;
/// std::thread::spawn(move || from_another_thread.request());
/// let waiting = stop.watch(&listener);
/// assert!(waiting.or(|| call::accept(&listener))?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Stop(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    requested: AtomicBool,
    /// The sockets on which the thread that takes signals waits: a handler can read atomics, and
    /// nothing that needs a lock.
    by_signal: [Slot; 8],
    /// The eventfd of [`Places`], which a handler may write to.
    places: Slot,
    /// Whether the thread that takes signals waits where no shutdown can wake it.
    shared_wait: AtomicBool,
    /// The thread that takes signals, once there is one.
    signalled: OnceLock<ThreadId>,
    /// The sockets on which other threads wait. The lock also keeps a watched socket from being
    /// closed while [`Stop::request`] shuts it down.
    others: Mutex<Vec<RawFd>>,
}

impl Default for Stop {
    fn default() -> Stop {
        Stop::new()
    }
}

/// A descriptor, or -1.
#[derive(Debug)]
struct Slot(AtomicI32);

impl Default for Slot {
    fn default() -> Slot {
        Slot(AtomicI32::new(-1))
    }
}

/// The stop that signals request; made by `Arc::into_raw`, never freed.
static SIGNALLED: AtomicPtr<Inner> = AtomicPtr::new(ptr::null_mut());

/// The signal that requested it; 0: none has.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// How long a child may take to end by itself after the parent has asked it to.
const GRACE: Duration = Duration::from_secs(1);

/// The number of the signal that requested a stop, if one has.
#[must_use]
pub fn signal() -> Option<i32> {
    Some(SIGNAL.load(SeqCst)).filter(|&number| number != 0)
}

impl Stop {
    /// A stop that nobody has requested yet.
    #[must_use]
    pub fn new() -> Stop {
        Stop(Arc::new(Inner {
            requested: AtomicBool::default(),
            by_signal: Default::default(),
            places: Slot::default(),
            shared_wait: AtomicBool::default(),
            signalled: OnceLock::new(),
            others: Mutex::default(),
        }))
    }

    /// From now on the first SIGINT (Ctrl-C), SIGTERM or SIGHUP (the terminal was closed) requests this
    /// stop, and the second ends the process at once, as it would have without us. Where SIGHUP is
    /// ignored already (nohup), it stays so. To be called on the main thread: the kernel prefers it for
    /// signals.
    pub fn on_signals(&self) {
        self.on(&[Signal::SIGINT, Signal::SIGTERM]);
        if !is_ignored(Signal::SIGHUP) {
            self.on(&[Signal::SIGHUP]);
        }
        outlive_file_limits();
    }

    fn on(&self, signals: &[Signal]) {
        // Only the first call says which thread it is; a later one comes from the same.
        let _ = self.0.signalled.set(thread::current().id());
        SIGNALLED.store(Arc::into_raw(self.0.clone()).cast_mut(), SeqCst);
        // SA_RESTART: a signal by itself makes no accept or recv fail; the shutdown does.
        install(signals, SigHandler::Handler(on_signal), SaFlags::SA_RESTART);
    }

    /// Whether the stop was requested.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.requested.load(SeqCst)
    }

    /// Requests the stop, from any thread: every wait returns, and so does the server's function.
    pub fn request(&self) {
        self.0.requested.store(true, SeqCst);
        let others = self.0.others();
        let slots = self.0.by_signal.iter().map(|slot| slot.0.load(SeqCst)).filter(|&fd| fd >= 0);
        for fd in slots.chain(others.iter().copied()) {
            wake(fd);
        }
        self.0.wake_places();
    }

    /// The sockets that a signal handler could not reach.
    fn pass_on(&self) {
        let mut others = self.0.others();
        for fd in others.drain(..) {
            wake(fd);
        }
        self.0.wake_places();
    }

    /// Makes this stop reach every wait on the socket, for as long as the [`Watch`] lives; so the
    /// watch ends before the socket is closed and its number means something else.
    pub fn watch<'socket>(&self, socket: &'socket impl AsFd) -> Watch<'socket> {
        let fd = socket.as_fd().as_raw_fd();
        let mut others = self.0.others();
        let mut slot = None;
        if self.0.signalled.get() == Some(&thread::current().id()) {
            slot = self.0.by_signal.iter().position(|slot| slot.0.load(SeqCst) < 0);
        }
        match slot {
            Some(slot) => self.0.by_signal[slot].0.store(fd, SeqCst),
            None => others.push(fd),
        }
        if self.requested() {
            wake(fd);
        }
        drop(others);
        self.new_watch(fd, slot, false)
    }

    /// As [`watch`](Stop::watch), for a process with one thread, and a socket that other processes
    /// wait on, too: a shutdown would end it for all of them. Here a signal interrupts the wait (EINTR);
    /// and again and again, for the wait may begin only after the first one.
    pub fn watch_shared<'socket>(&self, socket: &'socket impl AsFd) -> Watch<'socket> {
        // Without SA_RESTART, unlike the others: this one is to interrupt.
        install(&[Signal::SIGALRM], SigHandler::Handler(nothing), SaFlags::empty());
        self.new_watch(socket.as_fd().as_raw_fd(), None, true)
    }

    fn new_watch<'socket>(&self, fd: RawFd, slot: Option<usize>, shared: bool) -> Watch<'socket> {
        let (stop, patience) = (self.clone(), Mutex::default());
        Watch { stop, fd, slot, shared, patience, socket: PhantomData }
    }

    /// Places for at most `max` clients at once; waiting for one ends with this stop.
    ///
    /// # Errors
    /// No descriptor is left for the eventfd behind it.
    pub fn places(&self, max: usize) -> std::io::Result<Places> {
        let flags = EfdFlags::EFD_SEMAPHORE | EfdFlags::EFD_CLOEXEC;
        let free = EventFd::from_value_and_flags(u32::try_from(max).unwrap_or(u32::MAX), flags)?;
        let free = out_of_the_way(free.into());
        self.0.places.0.store(free.as_raw_fd(), SeqCst);
        Ok(Places { free, stop: self.clone() })
    }

    /// To be called before a `fork`: until [`in_child`](Stop::in_child), or until this is dropped in
    /// the parent, SIGINT, SIGTERM and SIGHUP wait. The child is born with the parent's handler, which would
    /// shut down the parent's listener. Threads that are made meanwhile leave these signals to others.
    #[must_use]
    pub fn undisturbed(&self) -> Undisturbed {
        Undisturbed::begin()
    }

    /// The stop of a child process, after `fork`: its own, with nothing of the parent's watched.
    ///
    /// SIGTERM requests it; SIGINT and SIGHUP, which a terminal sends to parent and children alike, are
    /// left to the parent, which passes the end on. If the parent dies without a word, the kernel sends SIGTERM.
    #[must_use]
    pub fn in_child(&self, since: Undisturbed) -> Stop {
        let stop = Stop::new();
        stop.on(&[Signal::SIGTERM]);
        install(&[Signal::SIGINT, Signal::SIGHUP], SigHandler::SigIgn, SaFlags::empty());
        nix::sys::prctl::set_pdeathsig(Signal::SIGTERM).expect("SIGTERM is a signal");
        // What happened before these lines took effect: a stop, or the parent's death.
        if self.requested() || getppid() != since.parent {
            stop.request();
        }
        stop
    }
}

/// The end of a forked child, at once: `_exit(2)`.
///
/// `exit(3)` would first do what the program and its libraries have left for their end: write out what
/// waits in buffers, run what asked to be run. All of it is a copy of the parent's, and the parent does
/// it, too; a line in a buffer would be written twice.
#[expect(unsafe_code, reason = "nothing of this program runs after it, no destructor either")]
pub fn end_child(code: i32) -> ! {
    // SAFETY: a system call that takes a number, and does not return.
    unsafe { libc::_exit(code) }
}

/// A time in which the signals of a stop wait: around a `fork`, or what must not be left half done. It ends when
/// this is dropped.
#[derive(Debug)]
pub struct Undisturbed {
    mask: SigSet,
    parent: Pid,
}

impl Undisturbed {
    /// From now on SIGINT, SIGTERM and SIGHUP wait, in this thread.
    #[must_use]
    pub fn begin() -> Undisturbed {
        let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
        let mask = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK).expect("they may be blocked");
        Undisturbed { mask, parent: getpid() }
    }
}

impl Drop for Undisturbed {
    fn drop(&mut self) {
        self.mask.thread_set_mask().expect("the mask was in force before");
    }
}

impl Inner {
    /// One place more than there is wakes whoever waits for one, and sees the stop. Async-signal-safe.
    #[expect(unsafe_code, reason = "a handler can borrow no owned descriptor")]
    fn wake_places(&self) {
        let fd = self.places.0.load(SeqCst);
        if fd >= 0 {
            // SAFETY: write(2) of eight bytes that live here. The descriptor is open: a handler
            // interrupts the thread that has the Places; anybody else holds the lock under which
            // Places takes the number back.
            unsafe { libc::write(fd, 1u64.to_ne_bytes().as_ptr().cast(), 8) };
        }
    }

    fn others(&self) -> MutexGuard<'_, Vec<RawFd>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(unsafe_code, reason = "the registry holds descriptors as numbers")]
fn wake(fd: RawFd) {
    // SAFETY: the number is that of a watched socket: its Watch is alive, which borrows the socket,
    // and cannot end before the lock is released that every caller of this function holds.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    // ENOTCONN is the usual answer for a datagram socket; it wakes the waiting thread all the same.
    let _ = call::shutdown(&socket, std::net::Shutdown::Both);
}

/// SIGCHLD, kept for the waits that ask for it: it is blocked at all other times, so no child can
/// end unnoticed between a look at the children and the wait.
#[derive(Debug)]
pub struct Sigchld {
    /// The mask to give to [`call::ppoll`], in which the signal is let in.
    pub let_in: SigSet,
}

impl Sigchld {
    /// Blocks the signal in this thread, and gives it a handler that does nothing. poll and its kind
    /// are interrupted by any handler; other calls, of other threads perhaps, go on (SA_RESTART).
    #[must_use]
    pub fn keep() -> Sigchld {
        install(&[Signal::SIGCHLD], SigHandler::Handler(nothing), SaFlags::SA_RESTART);
        let mut let_in = SigSet::from(Signal::SIGCHLD)
            .thread_swap_mask(SigmaskHow::SIG_BLOCK)
            .expect("SIGCHLD may be blocked");
        let_in.remove(Signal::SIGCHLD);
        Sigchld { let_in }
    }

    /// Whether one is waiting to be let in: a wait that had something else to return at once did not.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        call::is_pending(&[Signal::SIGCHLD])
    }
}

/// From now on a write beyond RLIMIT_FSIZE fails with EFBIG, as on a full disk, and does not end the
/// process with SIGXFSZ: one client's upload ends, not the server. A handler and not SIG_IGN, because
/// that would be inherited by the programs that this one starts (execve(2)).
pub fn outlive_file_limits() {
    install(&[Signal::SIGXFSZ], SigHandler::Handler(nothing), SaFlags::SA_RESTART);
}

/// Ends the children of a server and waits for them: SIGTERM, and SIGKILL after a second for one that
/// has not ended by then. A process that was stopped (SIGSTOP, or a debugger) handles no SIGTERM.
///
/// # Errors
/// None that kill(2) and waitpid(2) document for one's own children.
pub fn end_children(
    children: impl IntoIterator<Item = Pid>,
    sigchld: &Sigchld,
) -> call::Result<()> {
    let mut children: Vec<Pid> = children.into_iter().collect();
    for &child in &children {
        call::kill(child, Signal::SIGTERM)?;
    }
    let end = Instant::now() + GRACE;
    while !children.is_empty() {
        let mut left = Vec::new();
        for &child in &children {
            if call::waitpid(Some(child), WaitPidFlag::WNOHANG)?.pid().is_none() {
                left.push(child);
            }
        }
        children = left;
        let time = end.saturating_duration_since(Instant::now());
        if children.is_empty() || time.is_zero() {
            break;
        }
        // SIGCHLD ends the wait; where the process has more threads, another one may get it.
        match call::ppoll(&mut [], Some(time.min(Duration::from_millis(100))), &sigchld.let_in) {
            Err(error) if !error.interrupted() => return Err(error),
            _ => {}
        }
    }
    for child in children {
        tracing::warn!("child {child} did not end within a second: SIGKILL");
        call::kill(child, Signal::SIGKILL)?;
        call::waitpid(Some(child), WaitPidFlag::empty())?;
    }
    Ok(())
}

/// Whether the process was started with this signal ignored, as nohup does with SIGHUP.
#[expect(unsafe_code, reason = "sigaction writes through a pointer")]
fn is_ignored(signal: Signal) -> bool {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action sigaction only writes the present one, whole, if it returns 0.
    unsafe {
        libc::sigaction(signal as i32, ptr::null(), now.as_mut_ptr()) == 0
            && now.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

#[expect(unsafe_code, reason = "sigaction replaces a handler")]
fn install(signals: &[Signal], handler: SigHandler, flags: SaFlags) {
    let action = SigAction::new(handler, flags, SigSet::empty());
    for &signal in signals {
        // SAFETY: the handlers of this file use only atomics and what signal-safety(7) lists.
        unsafe { sigaction(signal, &action) }.expect("only SIGKILL and SIGSTOP have no handlers");
    }
}

#[expect(unsafe_code, reason = "the handler reads what on_signals left for it")]
extern "C" fn on_signal(number: i32) {
    // SAFETY: not null, for on_signals stores it before it installs this handler; and never freed.
    let inner = unsafe { &*SIGNALLED.load(SeqCst) };
    if inner.requested.swap(true, SeqCst) {
        // The second one: back to the default, which ends the process when this handler returns.
        if let Ok(signal) = Signal::try_from(number) {
            install(&[signal], SigHandler::SigDfl, SaFlags::empty());
            let _ = raise(signal);
        }
        return;
    }
    SIGNAL.store(number, SeqCst);
    output::hurry();
    for slot in &inner.by_signal {
        let fd = slot.0.load(SeqCst);
        if fd >= 0 {
            call::shutdown_in_handler(fd);
        }
    }
    inner.wake_places();
    if inner.shared_wait.load(SeqCst) {
        interrupt_from_now_on();
    }
}

/// A SIGALRM every ten milliseconds, until the process ends.
#[expect(unsafe_code, reason = "setitimer reads through a pointer")]
fn interrupt_from_now_on() {
    let tick = libc::timeval { tv_sec: 0, tv_usec: 10_000 };
    let timer = libc::itimerval { it_interval: tick, it_value: tick };
    // SAFETY: a system call and nothing else, which reads one itimerval; it lives here.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, ptr::null_mut()) };
}

/// The handler of a signal that is only to interrupt a wait.
extern "C" fn nothing(_: i32) {}

/// A socket whose waits a [`Stop`] ends.
#[derive(Debug)]
pub struct Watch<'socket> {
    stop: Stop,
    fd: RawFd,
    slot: Option<usize>,
    /// Other processes wait on it, too.
    shared: bool,
    patience: Mutex<Patience>,
    socket: PhantomData<&'socket ()>,
}

impl Watch<'_> {
    /// What `wait` brings, or `None` if the stop ended it.
    ///
    /// A wait that failed for a reason that passes is made again: a signal interrupted it; the
    /// client was gone before it could be accepted; the process is out of descriptors. The last is
    /// told once, and tried again when there was time for one to become free.
    ///
    /// # Errors
    /// What `wait` fails with for good.
    pub fn or<T>(&self, mut wait: impl FnMut() -> call::Result<T>) -> call::Result<Option<T>> {
        // Before the question below: a signal until here is seen there, one from here on interrupts.
        let _shared_wait = self.shared.then(|| SharedWait::begin(&self.stop.0.shared_wait));
        let mut pause = Duration::from_millis(10);
        // Asked before every wait: a socket that always has something would never look up.
        while !self.stop.requested() {
            match wait() {
                Ok(value) => return Ok(Some(value)),
                Err(_) if self.stop.requested() => break,
                Err(error) if error.interrupted() || error.only_this_client() => {}
                Err(error) if error.out_of_descriptors() => {
                    self.patience.lock().unwrap_or_else(PoisonError::into_inner).with(error)?;
                    // Asked for no event, poll still reports the end of the socket (POLLHUP): this
                    // sleeps, but not through a stop.
                    let mut list = [pollfd { fd: self.fd, events: 0, revents: 0 }];
                    match call::poll(&mut list, Some(pause)) {
                        Err(error) if !error.interrupted() => return Err(error),
                        _ => {} // interrupted by the stop, perhaps: then the loop ends
                    }
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Err(error) => return Err(error),
            }
        }
        self.stop.pass_on();
        Ok(None)
    }
}

/// A time in which a signal has to interrupt what it cannot shut down.
struct SharedWait<'a>(&'a AtomicBool);

impl SharedWait<'_> {
    fn begin(flag: &AtomicBool) -> SharedWait<'_> {
        flag.store(true, SeqCst);
        SharedWait(flag)
    }
}

impl Drop for SharedWait<'_> {
    fn drop(&mut self) {
        self.0.store(false, SeqCst);
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut others = self.stop.0.others();
        match self.slot {
            Some(slot) => self.stop.0.by_signal[slot].0.store(-1, SeqCst),
            None => others.retain(|&fd| fd != self.fd),
        }
    }
}

/// How many more clients may be served: a counting semaphore that a signal handler can raise. It is
/// an eventfd, whose read waits while it is zero (eventfd(2)).
#[derive(Debug)]
pub struct Places {
    free: OwnedFd,
    stop: Stop,
}

impl Places {
    /// Waits for a free place and takes it; `false` if the stop came first.
    ///
    /// # Errors
    /// None that read(2) documents for an eventfd.
    pub fn take(&self) -> std::io::Result<bool> {
        loop {
            match nix::unistd::read(&self.free, &mut [0; 8]) {
                Ok(_) if self.stop.requested() => {
                    self.stop.pass_on();
                    return Ok(false);
                }
                Ok(_) => return Ok(true),
                Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Gives a place back.
    pub fn give_back(&self) {
        nix::unistd::write(&self.free, &1u64.to_ne_bytes())
            .expect("the count is far below the 2^64 that would make this fail");
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        let _others = self.stop.0.others();
        self.stop.0.places.0.store(-1, SeqCst);
    }
}
