//! The `netplay` command: see [`netplay::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    one_stack::give_back();
    netplay::cli::main()
}

/// One stack a thread, as in C.
///
/// Rust gives each thread a second one, for a handler of SIGSEGV to stand on while it says that the first
/// has overflowed. That is eight system calls for each thread, and two of them (mprotect, munmap) have
/// every other processor forget addresses: a large part of what a client costs a server of threads.
/// Rust's start-up code leaves out all of it where SIGSEGV and SIGBUS have a handler already, or are
/// ignored. So they are ignored for as long as it looks. A stack that overflows ends the process all
/// the same, with SIGSEGV.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "it happens before main, and replaces what signals do")]
mod one_stack {
    use nix::sys::signal::{SigHandler, Signal, signal};

    /// The C library calls what stands in this section before any `main`, Rust's own included.
    #[used]
    // SAFETY: the section is one of pointers to functions, and this is one.
    #[unsafe(link_section = ".init_array")]
    static BEFORE_MAIN: extern "C" fn() = take;

    extern "C" fn take() {
        set(SigHandler::SigIgn);
    }

    /// From now on both signals do what they do to any program.
    pub(super) fn give_back() {
        set(SigHandler::SigDfl);
    }

    fn set(handler: SigHandler) {
        for name in [Signal::SIGSEGV, Signal::SIGBUS] {
            // SAFETY: no code of this program becomes a handler. A fault in an ignored SIGSEGV or SIGBUS
            // ends the process, too: the kernel does not let a program ignore its own.
            unsafe { signal(name, handler) }.expect("both may be ignored");
        }
    }
}
