//! Threads that start while others execute, children that die at once, floods of signals. A program counts its own
//! calls; the record has as many. All of them end by themselves and leave nothing behind.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use netplay::trace::Kind;
use nix::errno::Errno;
use nix::sys::signal::killpg;
use nix::unistd::Pid;
use tempfile::TempDir;

use super::{compiled, events, watch};
use crate::common::{until, wait};

/// How often each storm blows. `NETPLAY_STORMS=1000` for a night of it.
fn runs() -> usize {
    std::env::var("NETPLAY_STORMS").map_or(20, |runs| runs.parse().unwrap())
}

fn storm(mode: &str) {
    let Some(program) = compiled("storms.c", false) else { return };
    for run in 0..runs() {
        let folder = TempDir::new().unwrap();
        let trace = folder.path().join("trace");
        let said = folder.path().join("said");
        // In a group of its own, whose number is that of netplay: then it can be seen whether anything is left of it.
        let mut watch = watch(&trace, &[]);
        watch.arg(&program).args([mode, "2"]).stdin(Stdio::null()).process_group(0);
        let mut watch = watch.stdout(File::create(&said).unwrap()).spawn().unwrap();
        let group = Pid::from_raw(watch.id().cast_signed());
        let status = wait(&mut watch);
        assert!(status.success(), "{mode} {run}: {status:?}");
        let counted = fs::read_to_string(&said).unwrap();
        let numbers: Vec<usize> =
            counted.split(' ').filter_map(|word| word.trim().parse().ok()).collect();
        let told = told(&trace);
        for (call, counted) in [("sendto", &numbers[..2]), ("recvfrom", &numbers[2..])] {
            // A thread that is killed has begun a call that it did not count, or counted one that it did not begin.
            let (begun, done) = (counted[0], counted[1]);
            let (returned, all) = told.get(call).copied().unwrap_or_default();
            assert!(
                (done..=all).contains(&returned) && all <= begun,
                "{mode} {run}: {call}: {returned} of {all} told returned, counted {done} of {begun}"
            );
        }
        until("nothing is left", || killpg(group, None) == Err(Errno::ESRCH));
    }
}

/// How many calls of each name returned, and how many there were.
fn told(trace: &Path) -> BTreeMap<String, (usize, usize)> {
    let mut told: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for event in events(trace).into_iter().filter(|event| event.kind == Kind::Call) {
        let of = told.entry(event.syscall.as_deref().unwrap_or_default().to_owned()).or_default();
        of.0 += usize::from(event.ret.is_some());
        of.1 += 1;
    }
    told
}

#[test]
fn threads_start_while_one_of_them_becomes_another_program() {
    storm("exec");
}

#[test]
fn all_threads_want_to_become_another_program() {
    storm("execs");
}

#[test]
fn children_die_before_their_parent_has_heard_of_them() {
    storm("die-at-once");
}

#[test]
fn threads_in_recv_are_flooded_with_signals() {
    storm("urgent");
}

#[test]
fn threads_vfork_at_once() {
    storm("vfork");
}

#[test]
fn a_busy_child_is_killed() {
    storm("killed");
}
