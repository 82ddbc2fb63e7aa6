//! The `netplay` command: see [`netplay::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    early::give_back();
    #[cfg(target_os = "linux")]
    let closed = early::STDOUT_IS_CLOSED.load(std::sync::atomic::Ordering::Relaxed);
    #[cfg(not(target_os = "linux"))]
    let closed = false;
    netplay::cli::main(closed)
}

/// The work before `main`: check standard output, and give each thread one stack, as in C.
///
/// Rust's start-up code opens /dev/null in place of a closed standard descriptor, and writes to
/// it succeed from then on. So this code checks before that whether standard output is closed.
///
/// Rust gives each thread a second stack, on which a SIGSEGV handler can run when the first
/// has overflowed. That takes eight system calls for each thread, and two of them (mprotect, munmap) make
/// every other processor flush addresses: a large part of what a client costs the thread server.
/// Rust's start-up code omits all of it if SIGSEGV and SIGBUS already have a handler or are
/// ignored. So they are ignored while it checks. A stack overflow still ends the process
/// with SIGSEGV.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "it happens before main, and replaces what signals do")]
mod early {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use nix::fcntl::{FcntlArg, fcntl};
    use nix::sys::signal::{SigHandler, Signal, signal};

    /// Whether the process was started without a standard output.
    pub(super) static STDOUT_IS_CLOSED: AtomicBool = AtomicBool::new(false);

    /// The C library calls the functions in this section before any `main`, including Rust's own.
    #[used]
    // SAFETY: the section is one of pointers to functions, and this is one.
    #[unsafe(link_section = ".init_array")]
    static BEFORE_MAIN: extern "C" fn() = take;

    extern "C" fn take() {
        let closed = fcntl(std::io::stdout(), FcntlArg::F_GETFD).is_err();
        STDOUT_IS_CLOSED.store(closed, Relaxed);
        set(SigHandler::SigIgn);
    }

    /// From now on both signals have their default effect.
    pub(super) fn give_back() {
        set(SigHandler::SigDfl);
    }

    fn set(handler: SigHandler) {
        for name in [Signal::SIGSEGV, Signal::SIGBUS] {
            // SAFETY: no code of this program becomes a handler. A fault in an ignored SIGSEGV or SIGBUS
            // also ends the process: the kernel does not let a program ignore its own.
            unsafe { signal(name, handler) }.expect("both may be ignored");
        }
    }
}

/// If memory runs out (`ulimit -v`, a cgroup), Rust by default ends with SIGABRT and a backtrace. Here it ends with
/// a sentence and the exit code of every other limit of the machine.
#[expect(unsafe_code, reason = "an allocator deals in pointers")]
mod memory {
    use std::alloc::{GlobalAlloc, Layout, System};

    struct OrEnd;

    #[global_allocator]
    static ALLOCATOR: OrEnd = OrEnd;

    // SAFETY: the system's allocator does the work, and its result is passed on unless it is null.
    unsafe impl GlobalAlloc for OrEnd {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's promise is what the system's allocator requires.
            or_end(unsafe { System.alloc(layout) })
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            // SAFETY: as above.
            or_end(unsafe { System.alloc_zeroed(layout) })
        }

        unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            // SAFETY: as above.
            or_end(unsafe { System.realloc(old, layout, size) })
        }

        unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
            // SAFETY: as above.
            unsafe { System.dealloc(old, layout) }
        }
    }

    fn or_end(memory: *mut u8) -> *mut u8 {
        if memory.is_null() {
            end();
        }
        memory
    }

    #[cold]
    fn end() -> ! {
        let said = b"netplay: there is no more memory: see ulimit -v, and what the machine has\n";
        let _ = nix::unistd::write(std::io::stderr(), said);
        // SAFETY: _exit(2) allocates no memory and runs none of our code. Unwinding from here is not allowed.
        unsafe { libc::_exit(1) }
    }
}
