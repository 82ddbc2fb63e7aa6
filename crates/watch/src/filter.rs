//! The filter that stops a program at the calls that matter, and at no other.
//!
//! A tracer that stopped its program at every system call would make it many times slower. A seccomp filter is a program
//! for a small machine inside the kernel (classic BPF), run at the entry of each call: it looks at the call's number, and
//! answers ALLOW, or TRACE for a stop. So a program that reads files all day hardly notices.
//!
//! ```text
//!     load the architecture;  another than ours: ALLOW
//!     load the number         of the other kind that x86-64 has (x32): ALLOW
//!     read, write, …?         load the descriptor; above 2: TRACE, else ALLOW
//!     socket, bind, …?        TRACE
//!     ALLOW
//! ```
//!
//! A filter stays for the life of a process, its children and the programs that they become. If a program has a
//! filter of its own, the stricter answer counts: a call that it forbids is never seen here. Sources: seccomp(2),
//! `Documentation/userspace-api/seccomp_filter.rst` of the kernel.

use std::mem::offset_of;

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter,
};

use super::syscall::Syscall;

/// This machine's own kind of system call (`AUDIT_ARCH_…`).
#[cfg(target_arch = "x86_64")]
pub(crate) const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
pub(crate) const ARCH: u32 = 0xc000_00b7;
#[cfg(target_arch = "riscv64")]
pub(crate) const ARCH: u32 = 0xc000_00f3;

/// From this number on a call is one of x32: 32-bit addresses on x86-64.
const X32: u32 = 0x4000_0000;

/// Standard input, output and error.
const STANDARD: u32 = 2;

/// The program of the filter.
pub(crate) fn program() -> Vec<sock_filter> {
    let (of_descriptors, others): (Vec<_>, Vec<_>) =
        Syscall::ALL.iter().copied().partition(|call: &Syscall| call.is_for_files_too());
    let load = |offset: usize| code(BPF_LD | BPF_W | BPF_ABS, offset as u32);
    let mut program = vec![
        load(offset_of!(libc::seccomp_data, arch)),
        jump(BPF_JEQ, ARCH, 1, 0),
        code(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW),
        load(offset_of!(libc::seccomp_data, nr)),
        jump(BPF_JGE, X32, 0, 1),
        code(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    // A jump is at most 255 instructions long, so each call brings its own answer.
    for call in of_descriptors {
        program.extend([
            jump(BPF_JEQ, call.number(), 0, 4),
            // The first argument; its lower half, on a machine that has the lower half first.
            load(offset_of!(libc::seccomp_data, args)),
            jump(BPF_JGT, STANDARD, 0, 1),
            code(BPF_RET | BPF_K, libc::SECCOMP_RET_TRACE),
            code(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW),
        ]);
    }
    for call in others {
        program.extend([
            jump(BPF_JEQ, call.number(), 0, 1),
            code(BPF_RET | BPF_K, libc::SECCOMP_RET_TRACE),
        ]);
    }
    program.push(code(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW));
    program
}

fn code(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Compares what was loaded with `k`, and skips `yes` or `no` instructions.
fn jump(compare: u32, k: u32, yes: u8, no: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | compare | BPF_K) as u16, jt: yes, jf: no, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The machine that runs the filter, as far as this filter needs it.
    fn answer(arch: u32, number: u32, first: u32) -> u32 {
        let program = program();
        let (mut at, mut loaded) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            let skip = |yes: bool| usize::from(if yes { step.jt } else { step.jf });
            match u32::from(step.code) {
                of if of == BPF_LD | BPF_W | BPF_ABS => {
                    loaded = match step.k as usize {
                        k if k == offset_of!(libc::seccomp_data, arch) => arch,
                        k if k == offset_of!(libc::seccomp_data, nr) => number,
                        k if k == offset_of!(libc::seccomp_data, args) => first,
                        k => panic!("a load of {k}"),
                    }
                }
                of if of == BPF_JMP | BPF_JEQ | BPF_K => at += skip(loaded == step.k),
                of if of == BPF_JMP | BPF_JGE | BPF_K => at += skip(loaded >= step.k),
                of if of == BPF_JMP | BPF_JGT | BPF_K => at += skip(loaded > step.k),
                of if of == BPF_RET | BPF_K => return step.k,
                of => panic!("{of:#x}"),
            }
        }
    }

    #[test]
    fn every_call_that_matters_stops_and_no_other() {
        for number in 0..1024 {
            let matters = Syscall::ALL.iter().any(|call| call.number() == number);
            let want = if matters { libc::SECCOMP_RET_TRACE } else { libc::SECCOMP_RET_ALLOW };
            assert_eq!(answer(ARCH, number, 3), want, "{number}");
            assert_eq!(answer(ARCH + 1, number, 3), libc::SECCOMP_RET_ALLOW);
            assert_eq!(answer(ARCH, number | X32, 3), libc::SECCOMP_RET_ALLOW);
        }
    }

    #[test]
    fn reading_a_standard_stream_does_not_stop_and_a_wrong_descriptor_does() {
        let read = libc::SYS_read as u32;
        assert_eq!(answer(ARCH, read, 0), libc::SECCOMP_RET_ALLOW);
        assert_eq!(answer(ARCH, read, 2), libc::SECCOMP_RET_ALLOW);
        assert_eq!(answer(ARCH, read, u32::MAX), libc::SECCOMP_RET_TRACE);
    }
}
