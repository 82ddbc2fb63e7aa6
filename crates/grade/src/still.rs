//! Whether a program waits: what the kernel says of all its threads, without asking the program.
//!
//! ```text
//! first look    every thread sleeps (S)          and has run so often
//! second look   every thread sleeps              and has run no more often
//!               so there was a moment, between the two, at which all of them slept
//! ```
//!
//! A program that sleeps and has nothing to read will do nothing until something comes: from the tester, or from a timer of its
//! own. So its silence says something, and on a busy machine as well, where a time limit would only measure how busy it is.
//! Source: proc_pid_stat(5), and `schedstat` of the kernel's Documentation/scheduler/sched-stats.rst.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use netplay_inspect::table::TICKS;

/// A look at all threads of a program.
#[derive(Debug, Default)]
pub(crate) struct Look {
    tasks: HashMap<i32, Task>,
    /// The processes that have not ended.
    pub(crate) processes: Vec<i32>,
    /// Processes that have ended, and that their parent has not waited for.
    pub(crate) zombies: usize,
    /// When it was taken.
    pub(crate) at: Option<Instant>,
}

/// A thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Task {
    /// Whether it sleeps, or was stopped by a signal.
    sleeps: bool,
    /// How often it has been given a processor.
    turns: u64,
}

impl Look {
    /// Looks at all processes below this one.
    pub(crate) fn at_all_below(root: i32) -> Look {
        let mut look = Look { at: Some(Instant::now()), ..Look::default() };
        for pid in below(root) {
            let mut alive = false;
            for tid in tasks(pid) {
                let Some(state) = state(pid, tid) else { continue };
                if matches!(state, b'Z' | b'X') {
                    continue;
                }
                alive = true;
                let task = Task { sleeps: matches!(state, b'S' | b'T'), turns: turns(pid, tid) };
                look.tasks.insert(tid, task);
            }
            match alive {
                true => look.processes.push(pid),
                false => look.zombies += 1,
            }
        }
        look
    }

    /// How many threads there are.
    pub(crate) fn threads(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there is a moment between an earlier look and this one at which every thread slept.
    pub(crate) fn has_slept_since(&self, earlier: &Look) -> bool {
        let same = |(tid, task): (&i32, &Task)| task.sleeps && earlier.tasks.get(tid) == Some(task);
        !self.tasks.is_empty()
            && self.tasks.len() == earlier.tasks.len()
            && self.tasks.iter().all(same)
    }

    /// The processor time that these processes have used.
    pub(crate) fn cpu(&self) -> Duration {
        self.processes.iter().map(|&pid| cpu(pid)).sum()
    }

    /// Whether these processes have more than so many bytes of memory, and how many. A part that forked processes share counts once:
    /// that is asked only if it can matter, because the kernel looks at each page for it.
    pub(crate) fn memory_above(&self, most: u64) -> Option<u64> {
        let sum = |of: fn(i32) -> u64| self.processes.iter().map(|&pid| of(pid)).sum();
        let at_most: u64 = sum(resident);
        (at_most > most).then(|| sum(proportional)).filter(|&memory| memory > most)
    }

    /// How many descriptors these processes have open.
    pub(crate) fn descriptors(&self) -> usize {
        let open = |pid: &i32| fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        self.processes.iter().map(open).sum()
    }
}

/// The lowest number that the next descriptor of a process can have.
pub(crate) fn lowest_free(pid: i32) -> u64 {
    let open = |fd: &u64| fs::symlink_metadata(format!("/proc/{pid}/fd/{fd}")).is_ok();
    (0..).find(|fd| !open(fd)).unwrap_or_default()
}

/// All processes that this one and its children have started, and that have not been waited for.
pub(crate) fn below(root: i32) -> Vec<i32> {
    let mut all = children(root);
    let mut next = 0;
    while let Some(&pid) = all.get(next) {
        all.extend(children(pid));
        next += 1;
    }
    all
}

fn children(pid: i32) -> Vec<i32> {
    let of = |tid: i32| fs::read_to_string(format!("/proc/{pid}/task/{tid}/children"));
    let lists = tasks(pid).into_iter().filter_map(|tid| of(tid).ok());
    let numbers = |list: String| list.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    lists.flat_map(|list| -> Vec<i32> { numbers(list) }).collect()
}

fn tasks(pid: i32) -> Vec<i32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The fields of a `stat` from the state on; the name before it may hold anything.
fn stat(path: &str) -> Option<Vec<String>> {
    let text = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

fn state(pid: i32, tid: i32) -> Option<u8> {
    stat(&format!("/proc/{pid}/task/{tid}/stat"))?.first()?.bytes().next()
}

fn turns(pid: i32, tid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/schedstat")).unwrap_or_default();
    text.split_whitespace().nth(2).and_then(|n| n.parse().ok()).unwrap_or_default()
}

fn cpu(pid: i32) -> Duration {
    let Some(fields) = stat(&format!("/proc/{pid}/stat")) else { return Duration::ZERO };
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    // utime and stime.
    Duration::from_millis((ticks(11) + ticks(12)) * 1000 / TICKS)
}

/// What is in memory now of a process, in bytes, shared parts counted in full (proc_pid_statm(5)).
fn resident(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages: u64 =
        text.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or_default();
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    pages * page.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
}

/// The same, with its part of what it shares (`Pss`, proc_pid_smaps(5)); in full where the kernel does not say.
fn proportional(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or_else(|| resident(pid), |kib| kib * 1024)
}
