//! What a client costs a server, in counts that no neighbour on the machine disturbs.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test is a peer, and may panic"
)]

#[path = "suite/common/mod.rs"]
mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::io::{Read, Write, pipe};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::time::Duration;

use common::{Server, ask, netplay, skip, strace_may_trace, until};
use netplay::call::{
    self, Domain, EpollFlags, EpollOp, FcntlArg, FdSet, Fork, MSG_NOSIGNAL, Message, OFlag,
    Operation, Pid, SO_RCVBUF, SO_RCVTIMEO, SO_REUSEADDR, SOCK_NONBLOCK, SigSet, SigmaskHow,
    TcpListener, TcpStream, Type, UdpSocket, WaitPidFlag, WaitStatus, epoll_event, pollfd,
};
use netplay::stop::end_child;
use nix::sys::signal::Signal::{SIGBUS, SIGSEGV};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

/// The calls of these names that a server and all its threads make while it serves three clients, one
/// a line; `None` where strace cannot work.
fn calls(names: &str, server: &[&str]) -> Option<Vec<String>> {
    if !strace_may_trace() {
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let (file, netplay) = (directory.path().join("calls"), netplay());
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-e", names, "-o"]).arg(&file); // -D: the server is our child
    strace.arg(netplay.get_program()).args(server).args(["127.0.0.1", "0", "-q"]);
    let server = Server::from(&mut strace);
    for _ in 0..3 {
        ask(&mut server.connect(), b"hello", b"hello".len());
    }
    let pid = server.child.id().to_string();
    assert!(server.stop().status.success());
    let told = || fs::read_to_string(&file).unwrap();
    until("strace has told the server's end", || {
        told().lines().any(|line| line.starts_with(&pid) && line.ends_with("exited with 0 +++"))
    });
    Some(told().lines().filter(|line| line.contains('(')).map(str::to_owned).collect())
}

/// The stack on which Rust's own handler of SIGSEGV stands is one more for each thread.
#[test]
fn a_client_costs_the_thread_server_one_stack() {
    let names = "trace=?clone,?clone3,mprotect,sigaltstack";
    let Some(calls) = calls(names, &["thread", "server", "--reply", "echo"]) else { return };
    let many = |name| calls.iter().filter(|call| call.contains(name)).count();
    assert_eq!((many(" clone"), many(" sigaltstack")), (3, 0), "{calls:#?}");
}

/// Nothing is left of what spares the threads their second stack.
#[test]
fn a_fault_ends_the_server_as_it_ends_any_program() {
    for signal in [SIGSEGV, SIGBUS] {
        let server = Server::of("thread").start();
        assert_eq!(server.stop_by(signal).status.signal(), Some(signal as i32));
    }
}

/// Where the function below writes to.
static TOLD: AtomicI32 = AtomicI32::new(-1);

#[expect(unsafe_code, reason = "a function for the end of the program knows its pipe as a number")]
extern "C" fn tell_of_the_end() {
    // SAFETY: one byte that lives here; the pipe stays open.
    unsafe { libc::write(TOLD.load(Relaxed), b"e".as_ptr().cast(), 1) };
}

#[test]
#[expect(unsafe_code, reason = "atexit(3) is the C library's")]
fn a_child_leaves_the_end_of_the_program_to_its_parent() {
    let (mut read, mut write) = pipe().unwrap();
    TOLD.store(write.as_raw_fd(), Relaxed);
    // SAFETY: the function takes nothing and only writes.
    assert_eq!(unsafe { libc::atexit(tell_of_the_end) }, 0);
    let child = match call::fork().unwrap() {
        Fork::Child => end_child(7),
        Fork::Parent(child) => child,
    };
    let ended = call::waitpid(Some(child), WaitPidFlag::empty()).unwrap();
    assert_eq!(ended, WaitStatus::Exited(child, 7));
    write.write_all(b"p").unwrap();
    let mut first = [0];
    read.read_exact(&mut first).unwrap();
    assert_eq!(first, *b"p", "the child has done what was left for the parent's end");
    // Both ends stay open for the end of this process.
    let _ = (read.into_raw_fd(), write.into_raw_fd());
}

/// Counts what each thread takes from the heap.
struct Counting;

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its nature")]
// SAFETY: all is the system's; a counter beside it needs no heap.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = TAKEN.try_with(|taken| taken.set(taken.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Every call that pages make for each client or message, once; what it needs of its own is there before.
fn all_calls(message: &mut Message, ring: Option<&mut call::Ring>) -> call::Result<()> {
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    call::setsockopt(&socket, SO_RCVTIMEO, Duration::from_secs(10))?;
    call::bind(&socket, here)?;
    let listener: TcpListener = call::listen(socket, 5)?;
    let address = call::getsockname(&listener)?;
    let client: TcpStream = call::connect(call::socket(Domain::IPV4, Type::STREAM, 0)?, address)?;
    let (peer, _) = call::accept4(&listener, SOCK_NONBLOCK)?;
    call::getpeername(&peer)?;
    call::getsockopt(&peer, SO_RCVBUF)?;
    let flags = OFlag::from_bits_retain(call::fcntl(&peer, FcntlArg::F_GETFL)?);
    call::fcntl(&peer, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    let mut buf = [0; 64];
    assert!(call::recv(&peer, &mut buf, 0).unwrap_err().would_block());
    call::send(&client, b"hello", MSG_NOSIGNAL)?;

    let (mut reads, mut writes) = (FdSet::new(), FdSet::new());
    reads.insert(&peer);
    call::select(peer.as_raw_fd() + 1, &mut reads, &mut writes, None)?;
    let mut list = [pollfd { fd: peer.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
    call::poll(&mut list, None)?;
    call::ppoll(&mut list, None, &SigSet::empty())?;
    let epoll = call::epoll_create()?;
    call::epoll_ctl(&epoll, EpollOp::EpollCtlAdd, &peer, EpollFlags::EPOLLIN)?;
    call::epoll_wait(&epoll, &mut [epoll_event { events: 0, u64: 0 }; 4], None)?;
    call::recv(&peer, &mut buf, 0)?;
    if let Some(ring) = ring {
        ring.prep_poll(&peer, libc::POLLOUT)?;
        let operations = ring.to_submit();
        call::io_uring_enter(ring, operations, 1, None)?;
        assert_eq!(ring.cqe().unwrap().operation, Operation::Poll);
    }
    call::shutdown(&client, Shutdown::Write)?;
    call::close(client)?;

    let datagrams = call::socket(Domain::IPV4, Type::DGRAM, 0)?;
    call::bind(&datagrams, here)?;
    let datagrams: UdpSocket = datagrams.into();
    let to = call::getsockname(&datagrams)?;
    for _ in 0..2 {
        call::sendto(&datagrams, b"hello", 0, to)?;
    }
    call::recvfrom(&datagrams, &mut buf, 0)?;
    call::recvmsg(&datagrams, message, 0)?;

    let nobody = call::socket(Domain::IPV4, Type::STREAM, 0)?;
    assert!(call::connect::<TcpStream>(nobody, to).is_err(), "only datagrams arrive there");
    call::sigprocmask(SigmaskHow::SIG_BLOCK, &SigSet::empty())?;
    assert!(call::waitpid(Some(Pid::this()), WaitPidFlag::WNOHANG).is_err());
    Ok(()) // and whatever is left is closed
}

/// What a call is, is put into words and values only for those who listen.
#[test]
fn without_a_listener_no_call_takes_memory() {
    let mut message = Message::new(64);
    let mut ring = call::io_uring_setup(8, 0);
    if let Ok(ring) = &mut ring {
        ring.lend_buffers(64, 1);
    } else {
        skip("no io_uring");
    }
    let mut taken = || {
        all_calls(&mut message, ring.as_mut().ok()).unwrap(); // what is made once for all is made here
        let before = TAKEN.get();
        all_calls(&mut message, ring.as_mut().ok()).unwrap();
        TAKEN.get() - before
    };
    assert_eq!(taken(), 0, "the record took memory, and nobody listens");
    let warnings = tracing_subscriber::registry().with(LevelFilter::WARN);
    let unheard = tracing::subscriber::with_default(warnings, &mut taken);
    assert_eq!(unheard, 0, "the record took memory, and nobody listens to calls");
    let all = tracing_subscriber::registry().with(LevelFilter::INFO);
    let heard = tracing::subscriber::with_default(all, &mut taken);
    assert!(heard > 0, "a call is recorded without memory, or this test counts nothing");
}
