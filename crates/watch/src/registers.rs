//! The registers of a thread that has stopped at a system call: arguments, number and result.

use nix::errno::Errno;
use nix::unistd::Pid;

/// The registers of this machine.
type Registers = libc::user_regs_struct;

#[expect(unsafe_code, reason = "ptrace writes into memory")]
fn get(pid: Pid) -> Result<Registers, Errno> {
    // SAFETY: the registers are numbers, for which zero is valid; the kernel is told their size.
    unsafe {
        let mut registers: Registers = std::mem::zeroed();
        let mut vector =
            libc::iovec { iov_base: (&raw mut registers).cast(), iov_len: size_of::<Registers>() };
        let set = libc::NT_PRSTATUS as usize;
        let done = libc::ptrace(libc::PTRACE_GETREGSET, pid.as_raw(), set, &raw mut vector);
        Errno::result(done).map(|_| registers)
    }
}

#[expect(unsafe_code, reason = "ptrace reads memory")]
fn set(pid: Pid, mut registers: Registers) -> Result<(), Errno> {
    // SAFETY: the kernel reads the registers, and is told their size.
    unsafe {
        let mut vector =
            libc::iovec { iov_base: (&raw mut registers).cast(), iov_len: size_of::<Registers>() };
        let set = libc::NT_PRSTATUS as usize;
        let done = libc::ptrace(libc::PTRACE_SETREGSET, pid.as_raw(), set, &raw mut vector);
        Errno::result(done).map(drop)
    }
}

/// Changes an argument of the call, from 0 on.
pub(crate) fn set_argument(pid: Pid, n: usize, value: u64) -> Result<(), Errno> {
    let mut registers = get(pid)?;
    #[cfg(target_arch = "x86_64")]
    match n {
        0 => registers.rdi = value,
        1 => registers.rsi = value,
        _ => registers.rdx = value,
    }
    #[cfg(target_arch = "aarch64")]
    {
        registers.regs[n] = value;
    }
    set(pid, registers)
}

/// Lets the kernel make no call at all: the number is that of none.
pub(crate) fn skip(pid: Pid) -> Result<(), Errno> {
    #[cfg(target_arch = "x86_64")]
    {
        let mut registers = get(pid)?;
        registers.orig_rax = u64::MAX;
        set(pid, registers)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = pid;
        Err(Errno::ENOSYS)
    }
}

/// Changes what the call returns.
pub(crate) fn set_result(pid: Pid, value: i64) -> Result<(), Errno> {
    let mut registers = get(pid)?;
    #[cfg(target_arch = "x86_64")]
    {
        registers.rax = value.cast_unsigned();
    }
    #[cfg(target_arch = "aarch64")]
    {
        registers.regs[0] = value.cast_unsigned();
    }
    set(pid, registers)
}
