//! The settings of the kernel, as /proc/sys has them (proc_sys(5)).

use std::fs;
use std::path::Path;

/// A setting, by its path below /proc/sys, without its line end; `None` if this kernel does not have
/// it, or does not show it to this user.
#[must_use]
pub fn sysctl(path: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new("/proc/sys").join(path)).ok()?;
    Some(text.trim_end().to_owned())
}

/// A setting that is a number or several numbers, such as `ip_local_port_range`.
#[must_use]
pub fn numbers(path: &str) -> Option<Vec<u64>> {
    sysctl(path)?.split_ascii_whitespace().map(|number| number.parse().ok()).collect()
}
