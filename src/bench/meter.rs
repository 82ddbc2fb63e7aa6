//! What a server uses: CPU time, context switches, system calls and memory, of all its processes and
//! threads together.
//!
//! The figures are read while nothing is under way, before a turn and after it, so that they belong
//! to its requests exactly, however long the reading takes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::time::TimeValLike;
use nix::time::clock_getcpuclockid;
use nix::unistd::{Pid, SysconfVar, sysconf};
use perf_event::events::Tracepoint;
use perf_event::{Builder, Counter};

/// The processes of a server, and what they have used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// CPU time of those that live, to the nanosecond, and of children that were waited for, to the
    /// kernel's tick (10 ms).
    pub cpu: Duration,
    /// How often a thread that lives has left a processor.
    pub switches: u64,
    /// Processes that live.
    pub processes: u64,
    /// Threads that live, in all of them.
    pub threads: u64,
}

/// Looks at these processes and all that came from them.
#[must_use]
pub fn used(roots: &[Pid]) -> Used {
    let mut used = Used::default();
    for pid in family(roots) {
        // It has ended in the meantime: its time is in that of its parent, which has waited for it.
        let Ok(clock) = clock_getcpuclockid(pid).and_then(|clock| clock.now()) else { continue };
        used.cpu += Duration::from_nanos(clock.num_nanoseconds().unsigned_abs());
        used.cpu += waited_for(pid);
        used.processes += 1;
        for task in tasks(pid) {
            used.threads += 1;
            let status = fs::read_to_string(format!("/proc/{pid}/task/{task}/status"));
            let status = status.unwrap_or_default();
            let switches = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
            used.switches +=
                switches.filter_map(|(_, n)| n.trim().parse::<u64>().ok()).sum::<u64>();
        }
    }
    used
}

/// Bytes that are in memory for these processes; a page that several share is counted as its parts
/// (Pss). What the kernel keeps for their sockets is not in it.
#[must_use]
pub fn memory(roots: &[Pid]) -> Option<u64> {
    let pss = |pid: Pid| -> Option<u64> {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let kilobytes: Option<u64> = family(roots).into_iter().map(pss).sum();
    kilobytes.map(|kilobytes| kilobytes * 1024)
}

/// The processes, their children, theirs, and so on; each once.
#[must_use]
pub fn family(roots: &[Pid]) -> Vec<Pid> {
    let mut family = roots.to_vec();
    let mut next = 0;
    while let Some(&pid) = family.get(next) {
        for task in tasks(pid) {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{task}/children"));
            let children = children.unwrap_or_default();
            for child in children.split_whitespace().filter_map(|n| n.parse().ok()) {
                let child = Pid::from_raw(child);
                if !family.contains(&child) {
                    family.push(child);
                }
            }
        }
        next += 1;
    }
    family
}

/// The threads of a process.
fn tasks(pid: Pid) -> Vec<i32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return vec![] };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// The number of a tracepoint: in the kernel's folder for tracing, or in its former place.
fn tracepoint(name: &str) -> Result<u64> {
    let id = |folder: &str| fs::read_to_string(format!("{folder}/events/{name}/id"));
    let id = id("/sys/kernel/tracing").or_else(|_| id("/sys/kernel/debug/tracing"));
    let id = id.context("/sys/kernel/tracing")?;
    Ok(id.trim().parse()?)
}

/// Nanoseconds that the processors of the machine were busy, with whatever it was, in ticks of 10 ms.
#[must_use]
pub fn whole_machine() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let words = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; what a guest has is in user already.
    let busy = ticks.iter().take(8).sum::<u64>() - ticks.iter().skip(3).take(2).sum::<u64>();
    from_ticks(busy)
}

fn from_ticks(ticks: u64) -> Duration {
    let second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    Duration::from_secs_f64(ticks as f64 / second as f64)
}

/// CPU time of the children that a process has waited for: cutime and cstime of /proc/PID/stat.
fn waited_for(pid: Pid) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may have spaces in it; cutime is the 14th word behind it.
    let words = stat.rsplit_once(')').map_or("", |(_, words)| words).split_whitespace();
    from_ticks(words.skip(13).take(2).filter_map(|word| word.parse::<u64>().ok()).sum())
}

/// Counts the system calls of a server with the kernel's own tracepoint (`raw_syscalls:sys_enter`).
///
/// The tracepoint slows down every call on the machine a little, so it is never on during a turn.
pub struct Calls(Vec<Counter>);

impl Calls {
    /// Begins to count, in all threads that live and those that they start.
    ///
    /// # Errors
    /// The kernel does not let us: perf_event_open(2) wants CAP_PERFMON, or a
    /// `kernel.perf_event_paranoid` of -1, and a /sys/kernel/tracing that can be read.
    pub fn count(roots: &[Pid]) -> Result<Calls> {
        let entered = Tracepoint::with_id(tracepoint("raw_syscalls/sys_enter")?);
        let mut counters = Vec::new();
        for task in family(roots).into_iter().flat_map(tasks) {
            let mut event = Builder::new(entered);
            let event = event.observe_pid(task).any_cpu().include_kernel().inherit(true);
            let mut counter = event.build().context("perf_event_open")?;
            counter.enable().context("perf_event_open")?;
            counters.push(counter);
        }
        Ok(Calls(counters))
    }

    /// How many there were.
    ///
    /// # Errors
    /// None that perf_event_open(2) documents.
    pub fn so_far(&mut self) -> std::io::Result<u64> {
        self.0.iter_mut().map(Counter::read).sum()
    }
}

/// How many system calls strace has written into its record so far. One that was interrupted by
/// another thread's has two lines; a signal and an end also have lines, and are no calls.
#[must_use]
pub fn calls_in(record: &Path) -> u64 {
    let text = fs::read(record).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let call = |line: &&str| {
        !line.contains(" resumed>") && !line.contains(" +++ ") && !line.contains(" --- ")
    };
    text.lines().filter(call).count() as u64
}
