//! The limit of descriptors of another process: prlimit(2).

/// The soft limit of a process, while it has one.
pub(crate) fn descriptors(pid: i32) -> Option<u64> {
    limits(pid).map(|limits| limits.rlim_cur)
}

/// Sets the soft limit; what is open beyond it stays open.
pub(crate) fn set_descriptors(pid: i32, soft: u64) {
    if let Some(now) = limits(pid) {
        let wanted = libc::rlimit64 { rlim_cur: soft.min(now.rlim_max), rlim_max: now.rlim_max };
        prlimit(pid, Some(&wanted));
    }
}

fn limits(pid: i32) -> Option<libc::rlimit64> {
    prlimit(pid, None)
}

#[expect(unsafe_code, reason = "nix has no prlimit")]
fn prlimit(pid: i32, new: Option<&libc::rlimit64>) -> Option<libc::rlimit64> {
    let mut old = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the kernel reads one structure, if there is one, and writes the other.
    let done = unsafe { libc::prlimit64(pid, libc::RLIMIT_NOFILE, new, &raw mut old) };
    (done == 0).then_some(old)
}
