//! The requests of ptrace(2) that a tracer needs, each a function.
//!
//! A tracee is a thread that has stopped. All of this fails with ESRCH if it is running, or has been killed meanwhile:
//! that is not an error of the tracer, because its end will be reported by the next wait.

#![expect(unsafe_code, reason = "ptrace takes whatever the request wants")]

use std::mem::size_of;

use nix::errno::Errno;
use nix::unistd::Pid;

/// The result of a request.
pub(crate) type Result<T> = std::result::Result<T, Errno>;

/// What a tracer asks for: to hear of new threads and processes, of exec and of the filter's calls; that a stop at a
/// system call can be told from a SIGTRAP; and that no tracee outlives its tracer.
const OPTIONS: libc::c_int = libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACESECCOMP
    | libc::PTRACE_O_TRACESYSGOOD;

fn request(request: libc::c_uint, pid: Pid, address: usize, data: usize) -> Result<i64> {
    // SAFETY: the requests of this file read numbers, or write into memory of the given size that the caller lends.
    #[allow(clippy::useless_conversion, reason = "musl has another type")]
    let done =
        unsafe { libc::ptrace(request.try_into().unwrap_or(0), pid.as_raw(), address, data) };
    Errno::result(done)
}

/// Becomes the tracer of a thread, without stopping it. With `mortal` it is killed when the tracer ends.
pub(crate) fn seize(pid: Pid, mortal: bool) -> Result<()> {
    let mortal = if mortal { libc::PTRACE_O_EXITKILL } else { 0 };
    request(libc::PTRACE_SEIZE, pid, 0, (OPTIONS | mortal) as usize).map(drop)
}

/// Stops a thread that was seized.
pub(crate) fn interrupt(pid: Pid) -> Result<()> {
    request(libc::PTRACE_INTERRUPT, pid, 0, 0).map(drop)
}

/// How far a stopped thread runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// To the next thing that the options name.
    Event,
    /// To the next entry or return of a system call.
    Syscall,
}

/// Lets a stopped thread run on, and hands it this signal; 0 is no signal.
pub(crate) fn resume(pid: Pid, until: Until, signal: i32) -> Result<()> {
    let how = match until {
        Until::Event => libc::PTRACE_CONT,
        Until::Syscall => libc::PTRACE_SYSCALL,
    };
    request(how, pid, 0, signal as usize).map(drop)
}

/// Leaves a thread in its group-stop (Ctrl-Z), to hear of its end.
pub(crate) fn listen(pid: Pid) -> Result<()> {
    request(libc::PTRACE_LISTEN, pid, 0, 0).map(drop)
}

/// What belongs to an event: the new thread of a clone, or the former number of a thread that called exec.
pub(crate) fn message(pid: Pid) -> Result<i32> {
    let mut message: libc::c_ulong = 0;
    request(libc::PTRACE_GETEVENTMSG, pid, 0, (&raw mut message).addr())?;
    Ok(message as i32)
}

/// Whether a thread is stopped at the end of an exec.
pub(crate) fn is_at_exec(pid: Pid) -> bool {
    // siginfo_t begins with the signal, an error and the code; all of it has 128 bytes.
    let mut info = [0_i32; 32];
    let code = libc::SIGTRAP | libc::PTRACE_EVENT_EXEC << 8;
    let done = request(libc::PTRACE_GETSIGINFO, pid, 0, (&raw mut info).addr());
    done.is_ok() && info[2] == code
}

/// Which process sent the signal that is about to reach a thread (kill(2), tgkill(2)); `None` if the kernel did, as for Ctrl-Z.
pub(crate) fn sender(pid: Pid) -> Option<i32> {
    // In siginfo_t of 64 bits the sender follows the signal, an error, the code and a gap.
    let mut info = [0_i32; 32];
    request(libc::PTRACE_GETSIGINFO, pid, 0, (&raw mut info).addr()).ok()?;
    matches!(info[2], libc::SI_USER | libc::SI_TKILL).then_some(info[4])
}

/// A system call at which a thread has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// On its way in.
    Entry {
        /// Whether it is a call of this machine's own kind: not of 32 bits.
        native: bool,
        /// Its number.
        number: u64,
        /// Its arguments.
        args: [u64; 6],
    },
    /// On its way back, with the result.
    Exit(i64),
    /// Neither.
    None,
}

/// `struct ptrace_syscall_info` (ptrace(2), PTRACE_GET_SYSCALL_INFO; since Linux 5.3).
#[repr(C)]
#[derive(Default, Clone, Copy)]
struct Info {
    op: u8,
    pad: [u8; 3],
    arch: u32,
    instruction: u64,
    stack: u64,
    /// Entry and seccomp: the number and six arguments. Exit: the result.
    rest: [u64; 8],
}

/// PTRACE_GET_SYSCALL_INFO and its answers; not every C library has them.
const GET_SYSCALL_INFO: libc::c_uint = 0x420e;
const ENTRY: u8 = 1;
const EXIT: u8 = 2;
const SECCOMP: u8 = 3;

/// The call at which a thread has stopped.
pub(crate) fn stop(pid: Pid) -> Result<Stop> {
    let mut info = Info::default();
    let at = (&raw mut info).addr();
    request(GET_SYSCALL_INFO, pid, size_of::<Info>(), at)?;
    Ok(match info.op {
        ENTRY | SECCOMP => {
            let [number, args @ .., _] = info.rest;
            Stop::Entry { native: info.arch == super::filter::ARCH, number, args }
        }
        EXIT => Stop::Exit(info.rest[0].cast_signed()),
        _ => Stop::None,
    })
}
