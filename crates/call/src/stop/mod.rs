//! Stopping: how to end a server that sleeps in the kernel.
//!
//! The idiom, where a page waits:
//!
//! ```text
//! let waiting = stop.watch(&listener);
//! while let Some((peer, addr)) = waiting.or(|| call::accept(&listener))? { … }
//! ```
//!
//! `clients.next` and `threads.next` of the crate netplay contain it. A parent of
//! processes waits in `ppoll`, which the signal interrupts.
//!
//! It uses a flag and `shutdown(2)`. A flag alone is not enough: the signal may arrive just
//! before the call begins to wait, and the call would never check the flag again. A socket that
//! was shut down stays so: `accept` on it fails with EINVAL, `recv` returns 0, and `select`, `poll`
//! and `epoll_wait` report it ready, whether they began before the signal or after. shutdown is
//! async-signal-safe; there is no polling and no extra thread.
//!
//! A signal handler can read atomics, but nothing that needs a lock. So it wakes only the thread that
//! takes signals, whose waits are in a static table; that thread then wakes the others, of which there
//! may be thousands.

mod children;
mod last;
mod semaphore;

pub use children::{Sigchld, Undisturbed, end_child, end_children};
pub use last::{hear_signals, set_in_order, unless_it_ends};
pub use semaphore::Semaphore;

use std::marker::PhantomData;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU8, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::unistd::getppid;

use crate::shortage::Shortage;
use crate::{self as call, CallError, pollfd};

/// A request to end: any thread, or a signal, can make it, and it ends every wait.
///
/// ```
/// # use call::{Domain, TcpListener, Type};
/// use netplay_call::{self as call, stop::Stop};
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
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    requested: AtomicBool,
    /// The [mark](here) of the thread that takes signals, if they request this stop; 0: they do not.
    signalled: AtomicUsize,
    /// The waits of other threads. The lock also keeps a watched descriptor from being closed while
    /// [`Stop::request`] wakes the threads that wait on it.
    others: Mutex<Vec<Wait>>,
}

/// A descriptor that a thread waits on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wait {
    fd: RawFd,
    how: How,
}

/// How a wait is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// A socket is shut down.
    Shutdown,
    /// A socket of the parent process is shut down, but only if the parent has died, because others share it.
    ShutdownByOrphan,
    /// An eventfd is raised by one.
    Count,
}

/// A [`Wait`] that a signal handler can read. Its descriptor is -1 while the entry is empty.
struct Slot {
    fd: AtomicI32,
    how: AtomicU8,
}

/// The waits of the thread that takes signals: a few descriptors at most.
static WAITS: [Slot; 8] = [const { Slot { fd: AtomicI32::new(-1), how: AtomicU8::new(0) } }; 8];

/// The signal that requested a stop; 0: no signal has.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Whether a stop was requested: from then on no call waits for ever.
static HURRY: AtomicBool = AtomicBool::new(false);

/// Whether a stop was requested.
#[must_use]
pub fn in_a_hurry() -> bool {
    HURRY.load(Relaxed)
}

/// The server process that forked this one; 0: it was not forked.
static PARENT: AtomicI32 = AtomicI32::new(0);

/// Whether the parent of this child has died. Async-signal-safe.
fn is_orphan() -> bool {
    let parent = PARENT.load(SeqCst);
    parent != 0 && getppid().as_raw() != parent
}

/// The number of the signal that requested a stop, if one has.
#[must_use]
pub fn signal() -> Option<i32> {
    Some(SIGNAL.load(SeqCst)).filter(|&number| number != 0)
}

impl Stop {
    /// A stop that has not been requested yet.
    #[must_use]
    pub fn new() -> Stop {
        Stop::default()
    }

    /// From now on the first SIGINT (Ctrl-C), SIGTERM or SIGHUP (the terminal was closed) requests this
    /// stop, and the second ends the process at once, as it would by default. If SIGHUP is
    /// ignored already (nohup), it stays ignored. Call it on the main thread: the kernel prefers it for
    /// signals.
    pub fn on_signals(&self) {
        self.on(&[Signal::SIGINT, Signal::SIGTERM], SaFlags::SA_RESTART);
        if !is_ignored(Signal::SIGHUP) {
            self.on(&[Signal::SIGHUP], SaFlags::SA_RESTART);
        }
        outlive_file_limits();
    }

    /// With SA_RESTART a signal alone does not interrupt accept or recv; the shutdown ends them.
    fn on(&self, signals: &[Signal], flags: SaFlags) {
        // Only the first call says which thread it is; a later one comes from the same.
        let _ = self.0.signalled.compare_exchange(0, here(), SeqCst, SeqCst);
        install(signals, SigHandler::Handler(on_signal), flags);
    }

    /// Whether signals request this stop.
    fn hears_signals(&self) -> bool {
        self.0.signalled.load(SeqCst) != 0
    }

    /// Whether the stop was requested.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.requested.load(SeqCst) || self.hears_signals() && signal().is_some()
    }

    /// Requests the stop, from any thread: every wait returns, and so does the server's function.
    pub fn request(&self) {
        self.0.requested.store(true, SeqCst);
        let others = self.0.others(); // held until all are woken
        if self.hears_signals() {
            WAITS.iter().filter_map(Slot::wait).for_each(Wait::wake);
        }
        others.iter().copied().for_each(Wait::wake);
    }

    /// Wakes the waits that a signal handler cannot reach.
    fn pass_on(&self) {
        self.0.others().drain(..).for_each(Wait::wake);
    }

    /// Makes this stop reach every wait on the socket, for as long as the [`Watch`] lives; so the
    /// watch ends before the socket is closed and its number means something else.
    pub fn watch<'socket>(&self, socket: &'socket impl AsFd) -> Watch<'socket> {
        self.watch_as(How::Shutdown, socket)
    }

    /// Like [`watch`](Stop::watch), for a worker process with one thread, and a listener that other
    /// workers also wait on. The worker does not shut it down: the parent does that for all of them, and
    /// then the wait fails with EINVAL. A signal to this worker alone interrupts the wait (EINTR).
    pub fn watch_shared<'socket>(&self, listener: &'socket impl AsFd) -> Watch<'socket> {
        self.on(&[Signal::SIGTERM], SaFlags::empty());
        self.watch_as(How::ShutdownByOrphan, listener)
    }

    fn watch_as<'socket>(&self, how: How, socket: &'socket impl AsFd) -> Watch<'socket> {
        let wait = Wait { fd: socket.as_fd().as_raw_fd(), how };
        Watch { entry: self.enter(wait), shortage: Mutex::default(), socket: PhantomData }
    }

    /// Makes this stop reach a wait, for as long as the [`Entry`] lives.
    fn enter(&self, wait: Wait) -> Entry {
        let mut others = self.0.others();
        let by_signal = self.0.signalled.load(SeqCst) == here();
        if !(by_signal && WAITS.iter().any(|slot| slot.take(wait))) {
            others.push(wait);
        }
        if self.requested() {
            wait.wake();
        }
        drop(others);
        Entry { stop: self.clone(), wait }
    }
}

impl Inner {
    fn others(&self) -> MutexGuard<'_, Vec<Wait>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Only the thread that takes signals does this, so there is no race.
    fn take(&self, wait: Wait) -> bool {
        let free = self.fd.load(SeqCst) < 0;
        if free {
            self.how.store(wait.how as u8, SeqCst);
            self.fd.store(wait.fd, SeqCst); // last: now a handler sees it
        }
        free
    }

    fn free(&self) {
        self.fd.store(-1, SeqCst);
    }

    fn wait(&self) -> Option<Wait> {
        let how = match self.how.load(SeqCst) {
            how if how == How::Shutdown as u8 => How::Shutdown,
            how if how == How::Count as u8 => How::Count,
            _ => How::ShutdownByOrphan,
        };
        Some(Wait { fd: self.fd.load(SeqCst), how }).filter(|wait| wait.fd >= 0)
    }
}

impl Wait {
    fn wake(self) {
        self.wake_by(|fd| {
            // A datagram socket usually answers ENOTCONN; the waiting thread wakes anyway.
            let _ = call::shutdown(&borrowed(&fd), Shutdown::Both);
        });
    }

    /// Async-signal-safe, if `shut_down` is.
    fn wake_by(self, shut_down: impl Fn(RawFd)) {
        match self.how {
            How::Shutdown => shut_down(self.fd),
            How::ShutdownByOrphan if is_orphan() => shut_down(self.fd),
            How::ShutdownByOrphan => {}
            // write(2); it cannot fail, because the count is far below 2^64.
            How::Count => drop(nix::unistd::write(borrowed(&self.fd), &1u64.to_ne_bytes())),
        }
    }
}

#[expect(unsafe_code, reason = "the table holds descriptors as numbers")]
fn borrowed(fd: &RawFd) -> BorrowedFd<'_> {
    // SAFETY: the number is that of a watched descriptor: its Entry is alive, whose owner borrows or has
    // the descriptor. It cannot end before the lock is released that all but a handler hold here, and a
    // handler interrupts the thread that would end it.
    unsafe { BorrowedFd::borrow_raw(*fd) }
}

/// A mark that differs between threads: the address of a thread-local. Unlike the standard library's thread ID
/// it needs no reference count, and so no page that a forked child would have to copy.
fn here() -> usize {
    thread_local!(static MARK: u8 = const { 0 });
    MARK.with(|mark| ptr::from_ref(mark).addr())
}

extern "C" fn on_signal(number: i32) {
    if PARENT.load(SeqCst) != 0 && number != libc::SIGTERM {
        return; // a terminal sends it to parent and children alike: the parent passes the end on
    }
    if SIGNAL.swap(number, SeqCst) != 0 {
        // The second signal: restore the default, which ends the process when this handler returns.
        if let Ok(signal) = Signal::try_from(number) {
            install(&[signal], SigHandler::SigDfl, SaFlags::empty());
            let _ = raise(signal);
        }
        return;
    }
    HURRY.store(true, Relaxed);
    for wait in WAITS.iter().filter_map(Slot::wait) {
        wait.wake_by(call::shutdown_in_handler);
    }
}

/// From now on a write beyond RLIMIT_FSIZE fails with EFBIG, as on a full disk, and does not end the
/// process with SIGXFSZ: one client's upload ends, not the server. It installs a handler and not SIG_IGN, because
/// programs that this one starts would inherit SIG_IGN (execve(2)).
pub fn outlive_file_limits() {
    install(&[Signal::SIGXFSZ], SigHandler::Handler(nothing), SaFlags::SA_RESTART);
}

/// The handler of a signal that should only interrupt a wait, or do nothing.
extern "C" fn nothing(_: i32) {}

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

/// A wait that a [`Stop`] knows.
#[derive(Debug)]
struct Entry {
    stop: Stop,
    wait: Wait,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut others = self.stop.0.others();
        let by_signal = self.stop.0.signalled.load(SeqCst) == here();
        match WAITS.iter().find(|slot| by_signal && slot.wait() == Some(self.wait)) {
            Some(slot) => slot.free(),
            None => others.retain(|wait| *wait != self.wait),
        }
    }
}

/// A socket whose waits a [`Stop`] ends.
#[derive(Debug)]
pub struct Watch<'socket> {
    entry: Entry,
    shortage: Mutex<Shortage>,
    socket: PhantomData<&'socket ()>,
}

impl Watch<'_> {
    /// The result of `wait`, or `None` if the stop ended it.
    ///
    /// A wait that failed for a temporary reason is repeated: a signal interrupted it; the
    /// client had gone before it could be accepted; the process is out of descriptors. The last is
    /// reported once, and tried again after a pause: [`shortage`](crate::shortage) explains how long
    /// the pause is.
    ///
    /// # Errors
    /// The permanent error of `wait`.
    pub fn or<T>(&self, mut wait: impl FnMut() -> call::Result<T>) -> call::Result<Option<T>> {
        let stop = &self.entry.stop;
        let mut pause = Duration::from_millis(10);
        // Checked before every wait: on a socket that is always ready, no call would ever wait.
        while !stop.requested() {
            match wait() {
                Ok(value) => return Ok(Some(value)),
                Err(_) if stop.requested() => break,
                Err(error) if self.parent_has_shut_it_down(&error) => stop.request(),
                Err(error) if error.interrupted() || error.only_this_client() => {}
                Err(error) if error.out_of_descriptors() => {
                    self.shortage.lock().unwrap_or_else(PoisonError::into_inner).check(error)?;
                    // Asked for no event, poll still reports the end of the socket (POLLHUP): this
                    // sleeps, but not through a stop.
                    let fd = self.entry.wait.fd;
                    let mut list = [pollfd { fd, events: 0, revents: 0 }];
                    match call::poll(&mut list, Some(pause)) {
                        Err(error) if !error.interrupted() => return Err(error),
                        _ => {} // interrupted by the stop, perhaps: then the loop ends
                    }
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Err(error) => return Err(error),
            }
        }
        stop.pass_on();
        Ok(None)
    }

    fn parent_has_shut_it_down(&self, error: &CallError) -> bool {
        self.entry.wait.how == How::ShutdownByOrphan && error.errno() == nix::errno::Errno::EINVAL
    }
}
