//! What a client costs a server, in counts that no neighbour on the machine disturbs.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test is a peer, and may panic"
)]

mod common;

use std::fs;
use std::io::{Read, Write, pipe};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use common::{Server, ask, have, netplay, skip, until};
use netplay::call::{self, Fork, WaitPidFlag, WaitStatus};
use netplay::stop::end_child;
use nix::sys::signal::Signal::{SIGBUS, SIGSEGV};

/// The calls of these names that a server and all its threads make while it serves three clients, one
/// a line; `None` where strace cannot work.
fn calls(names: &str, server: &[&str]) -> Option<Vec<String>> {
    let tried = Command::new("strace").args(["-D", "-o", "/dev/null", "true"]).output();
    if !have("strace") || !tried.is_ok_and(|tried| tried.status.success()) {
        skip("no strace that may trace");
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
        let server = Server::start("thread", &[]);
        assert_eq!(server.stop_by(signal).status.signal(), Some(signal as i32));
    }
}

/// Where the function below writes to.
static TOLD: AtomicI32 = AtomicI32::new(-1);

#[expect(unsafe_code, reason = "a function for the end of the program knows its pipe as a number")]
extern "C" fn tell_of_the_end() {
    // SAFETY: one byte that lives here; nobody closes the pipe.
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
