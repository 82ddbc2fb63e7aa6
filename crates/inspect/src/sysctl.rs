//! The settings of the kernel, as /proc/sys has them (proc_sys(5)).

use std::fs;
use std::path::Path;

/// A setting, by its path below /proc/sys, without the end of its line; `None` where this kernel has none
/// of that name, or shows it to others only.
#[must_use]
pub fn sysctl(path: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new("/proc/sys").join(path)).ok()?;
    Some(text.trim_end().to_owned())
}

/// A setting that is a number or several, as `ip_local_port_range` is.
#[must_use]
pub fn numbers(path: &str) -> Option<Vec<u64>> {
    sysctl(path)?.split_ascii_whitespace().map(|number| number.parse().ok()).collect()
}
