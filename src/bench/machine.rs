//! The machine that was measured on: what a reader must know to make anything of the figures.

use std::fs;

use anyhow::Result;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::inspect::{numbers, sysctl};

/// Where and with what was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// Version of netplay.
    pub netplay: String,
    /// Whether it was built without optimisation: then its figures say little.
    pub debug_build: bool,
    /// Name and release of the kernel.
    pub kernel: String,
    /// What the processors call themselves.
    pub processor: String,
    /// How many of them this process may use.
    pub cores: usize,
    /// Bytes of memory.
    pub memory: u64,
    /// The usual congestion control of TCP.
    pub congestion: String,
    /// How many descriptors a process may have.
    pub descriptors: u64,
    /// How many finished connections may wait for accept, at most.
    pub somaxconn: u64,
    /// The ports that connect chooses from.
    pub ports: String,
    /// How many processes were running or waiting for a processor, on average over the last minute.
    pub load_average: f64,
}

impl Machine {
    /// Looks at this one.
    #[must_use]
    pub fn here() -> Machine {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let text = |name| sysctl(name).unwrap_or_default();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Machine {
            netplay: env!("CARGO_PKG_VERSION").to_owned(),
            debug_build: cfg!(debug_assertions),
            kernel: format!("{} {}", text("kernel/ostype"), text("kernel/osrelease")),
            processor: after(&cpuinfo, "model name").trim_start_matches([':', ' ']).to_owned(),
            cores: processors().len(),
            memory: first_number(after(&meminfo, "MemTotal:")) * 1024,
            congestion: text("net/ipv4/tcp_congestion_control"),
            descriptors: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft),
            somaxconn: numbers("net/core/somaxconn")
                .unwrap_or_default()
                .first()
                .copied()
                .unwrap_or_default(),
            ports: numbers("net/ipv4/ip_local_port_range")
                .unwrap_or_default()
                .iter()
                .map(u64::to_string)
                .collect::<Vec<_>>()
                .join("-"),
            load_average: fs::read_to_string("/proc/loadavg")
                .ok()
                .and_then(|text| text.split(' ').next()?.parse().ok())
                .unwrap_or_default(),
        }
    }
}

/// The rest of the first line that begins so.
fn after<'a>(text: &'a str, key: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().trim()
}

fn first_number(text: &str) -> u64 {
    text.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or_default()
}

/// Lets this process, and those that it starts, have as many descriptors as the machine allows, and
/// so many at least, if that can be had. Returns how many they may have now.
///
/// # Errors
/// None that getrlimit(2) documents.
pub fn raise_descriptor_limit(needed: u64) -> Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if hard < needed && setrlimit(Resource::RLIMIT_NOFILE, needed, needed).is_ok() {
        return Ok(needed); // the superuser may
    }
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}

/// The processors that this process may use.
fn processors() -> Vec<usize> {
    match sched_getaffinity(Pid::from_raw(0)) {
        Ok(set) => (0..CpuSet::count()).filter(|&n| set.is_set(n).unwrap_or(false)).collect(),
        Err(_) => vec![0],
    }
}

/// Which processors the server may use, and which the client; `None`: all.
#[must_use]
pub fn shares(pin: Pin) -> Option<(Vec<usize>, Vec<usize>)> {
    let all = processors();
    match pin {
        Pin::Free => None,
        Pin::Same => Some((vec![all[0]], vec![all[0]])),
        Pin::Split => {
            let (server, client) = all.split_at(all.len().div_ceil(2));
            // A lone processor cannot be split.
            Some((server.to_vec(), if client.is_empty() { server } else { client }.to_vec()))
        }
    }
}

/// Lets the calling thread, and whatever it starts from now on, use these processors only.
///
/// # Errors
/// The processors are gone by now.
pub fn stay_on(processors: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    for &processor in processors {
        set.set(processor)?;
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Which processors are whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pin {
    /// Neither is pinned: the scheduler decides.
    Free,
    /// The server has one half of the processors, the client the other.
    Split,
    /// Both have the first processor, and nothing else.
    Same,
}
