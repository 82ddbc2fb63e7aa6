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
    #[cfg(target_arch = "aarch64")]
    {
        number::set(pid, -1)
    }
}

/// The number of a call has a register set of its own on ARM: the register that brought it is only a copy by now.
#[cfg(target_arch = "aarch64")]
mod number {
    use super::{Errno, Pid};

    /// `NT_ARM_SYSTEM_CALL` of the kernel's `elf.h`.
    const SYSTEM_CALL: usize = 0x404;

    #[expect(unsafe_code, reason = "ptrace reads memory")]
    pub(super) fn set(pid: Pid, mut number: i32) -> Result<(), Errno> {
        // SAFETY: the kernel reads one number, and is told its size.
        unsafe {
            let mut vector =
                libc::iovec { iov_base: (&raw mut number).cast(), iov_len: size_of::<i32>() };
            let request = libc::PTRACE_SETREGSET;
            let done = libc::ptrace(request, pid.as_raw(), SYSTEM_CALL, &raw mut vector);
            Errno::result(done).map(drop)
        }
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
