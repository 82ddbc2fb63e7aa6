//! The holders of a socket: the processes with a descriptor of it (`/proc/PID/fd`, proc_pid_fd(5)).

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::table::TICKS;
use netplay_text::escape::escape;

/// A process that has a descriptor of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// Its descriptor of the socket; the lowest, if it has several.
    pub fd: RawFd,
    /// The user that it runs as.
    pub uid: u32,
    /// The name of its program as the kernel keeps it, at most 15 bytes; escaped. A process may choose
    /// it freely.
    pub program: String,
    /// Its command line, the words separated by spaces; escaped. A process may also change it.
    pub command: String,
    /// When the process began. A socket has no start time, but it is not older than its first holder.
    pub started: Option<SystemTime>,
}

/// The holders of some sockets, as far as this process may see them.
#[derive(Debug, Default)]
pub struct Holders {
    found: HashMap<u64, Vec<Holder>>,
    hidden: BTreeMap<u32, usize>,
    unfinished: bool,
    unread: Option<String>,
}

impl Holders {
    /// The holders of a socket, in the order of their numbers. A server that forked has several.
    #[must_use]
    pub fn of(&self, inode: u64) -> &[Holder] {
        self.found.get(&inode).map_or(&[], Vec::as_slice)
    }

    /// How many processes of each other user (by uid) could not be inspected: a socket without a known holder
    /// may belong to them. Root can inspect all.
    #[must_use]
    pub fn hidden(&self) -> &BTreeMap<u32, usize> {
        &self.hidden
    }

    /// Whether the time ran out before every process was inspected.
    #[must_use]
    pub fn unfinished(&self) -> bool {
        self.unfinished
    }

    /// Why processes could not be searched, if so: no descriptor is left, or /proc does not show
    /// all of them. Then a socket without a known holder may have one.
    #[must_use]
    pub fn unread(&self) -> Option<&str> {
        self.unread.as_deref()
    }
}

/// Searches all processes once for the holders of these sockets, for at most `time`.
///
/// Processes that cannot be read (of other users, or just ended) are left out, and counted if the
/// permission is missing.
#[must_use]
pub fn holders(inodes: impl IntoIterator<Item = u64>, time: Duration) -> Holders {
    let end = Instant::now() + time;
    let mut found: HashMap<u64, Vec<Holder>> =
        inodes.into_iter().filter(|&inode| inode != 0).map(|inode| (inode, Vec::new())).collect();
    let mut all = Holders::default();
    if found.is_empty() {
        return all;
    }
    let processes = match fs::read_dir("/proc") {
        Ok(processes) => processes,
        Err(error) => {
            all.unread = Some(format!("/proc: {error}"));
            return all;
        }
    };
    // Every host and container has process 1. It is hidden if /proc is mounted with hidepid=2, and missing
    // if /proc is not mounted.
    if !Path::new("/proc/1").exists() {
        all.unread = Some("/proc does not show every process".to_owned());
    }
    let boot = boot_time();
    for entry in processes.flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        let Some(pid) = pid else { continue };
        if Instant::now() > end {
            all.unfinished = true;
            break;
        }
        let path = entry.path();
        let descriptors = match fs::read_dir(path.join("fd")) {
            Ok(descriptors) => descriptors,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                if let Some(uid) = owner(&path) {
                    *all.hidden.entry(uid).or_default() += 1;
                }
                continue;
            }
            // It has ended.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {
                continue;
            }
            Err(error) => {
                all.unread = Some(format!("{}: {error}", path.display()));
                continue;
            }
        };
        let mut its: HashMap<u64, RawFd> = HashMap::new();
        for (n, descriptor) in descriptors.flatten().enumerate() {
            if n % 1024 == 1023 && Instant::now() > end {
                all.unfinished = true;
                break;
            }
            let fd = descriptor.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok());
            let inode = fs::read_link(descriptor.path()).ok().and_then(|link| socket_inode(&link));
            if let (Some(fd), Some(inode)) = (fd, inode)
                && found.contains_key(&inode)
            {
                its.entry(inode).and_modify(|lowest| *lowest = fd.min(*lowest)).or_insert(fd);
            }
        }
        if !its.is_empty() {
            let process = about(pid, &path, boot);
            for (inode, fd) in its {
                found.entry(inode).or_default().push(Holder { fd, ..process.clone() });
            }
        }
    }
    found.values_mut().for_each(|holders| holders.sort_by_key(|holder| holder.pid));
    all.found = found;
    all
}

/// A descriptor of a socket leads to `socket:[31415]`.
fn socket_inode(link: &Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn owner(process: &Path) -> Option<u32> {
    fs::metadata(process).ok().map(|about| about.uid())
}

/// A process as the holder of the socket with this descriptor.
fn about(pid: u32, process: &Path, boot: Option<SystemTime>) -> Holder {
    let read = |name| fs::read(process.join(name)).unwrap_or_default();
    let program = read("comm");
    let program = escape(program.strip_suffix(b"\n").unwrap_or(&program));
    let command = read("cmdline");
    let words = command.strip_suffix(&[0]).unwrap_or(&command).split(|&byte| byte == 0);
    let command = words.map(escape).collect::<Vec<_>>().join(" ");
    let started = boot.zip(ticks_at_start(&read("stat"))).map(|(boot, ticks)| boot + ticks);
    let command = if command.is_empty() { program.clone() } else { command };
    Holder { pid, fd: -1, uid: owner(process).unwrap_or_default(), program, command, started }
}

/// Field 22 of `/proc/PID/stat`. The name in brackets before it may hold brackets and spaces itself.
fn ticks_at_start(stat: &[u8]) -> Option<Duration> {
    let behind = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let fields = std::str::from_utf8(&stat[behind..]).ok()?;
    let ticks: u64 = fields.split_ascii_whitespace().nth(22 - 3)?.parse().ok()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS))
}

/// When this machine was started: `btime` of `/proc/stat`.
fn boot_time() -> Option<SystemTime> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}
