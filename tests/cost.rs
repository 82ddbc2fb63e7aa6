//! What a client costs a server, in counts that no neighbour on the machine disturbs.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test is a peer, and may panic"
)]

use std::io::{Read, Write, pipe};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use netplay::call::{self, Fork, WaitPidFlag, WaitStatus};
use netplay::stop::end_child;

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
