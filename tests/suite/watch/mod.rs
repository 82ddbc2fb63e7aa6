//! `netplay watch`: other people's programs, told truly, and none the wiser.

mod behaves;
mod conduct;
mod judge;
mod oracle;
mod storms;
mod told;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{LazyLock, Mutex};

use netplay::trace::Event;

use tempfile::TempDir;

use crate::common::{self, finish, have, netplay, skip};

/// `netplay watch -q --trace TRACE OPTIONS --`; the programs follow.
fn watch(trace: &Path, options: &[&str]) -> Command {
    let mut watch = netplay();
    watch.args(["watch", "-q", "--trace"]).arg(trace).args(options).arg("--");
    watch
}

/// The records of a trace.
fn events(trace: &Path) -> Vec<Event> {
    let text = fs::read_to_string(trace).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The records of each thread.
fn by_thread(events: Vec<Event>) -> BTreeMap<i32, Vec<Event>> {
    let mut threads: BTreeMap<i32, Vec<Event>> = BTreeMap::new();
    for event in events {
        threads.entry(event.tid).or_default().push(event);
    }
    threads
}

/// The children of a process that it started with its first thread.
fn children(pid: u32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Whether programs may be traced here; says so loudly if not.
fn may_trace() -> bool {
    common::strace_may_trace()
}

/// Whether two lists are the same; if not, where they first differ.
fn same(seen: &[String], truth: &[String]) -> Result<(), String> {
    let both = seen.iter().zip(truth).take_while(|(seen, truth)| seen == truth).count();
    if both == seen.len() && both == truth.len() {
        return Ok(());
    }
    let before = both.checked_sub(1).map_or("nothing", |last| &truth[last]);
    let at = |list: &[String]| list.get(both).cloned().unwrap_or_else(|| "(the end)".to_owned());
    let (seen, truth) = (at(seen), at(truth));
    Err(format!(
        "after {both} equal calls, the last of them {before}\n   seen:  {seen}\n   truth: {truth}"
    ))
}

/// The code that a shell reports: 128 + n for signal n.
fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap()
}

/// A program of tests/programs/watch.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/watch").join(name)
}

/// What has been compiled, for all tests of this process.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().unwrap());

/// A program in C, compiled. `None` where it cannot be: the caller returns.
pub(crate) fn compiled(name: &str, statically: bool) -> Option<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap();
    if !may_trace() {
        return None;
    }
    if !have("cc") {
        skip("no C compiler (cc)");
        return None;
    }
    let kind = if statically { "static" } else { "dynamic" };
    let program = FOLDER.path().join(format!("{name}.{kind}"));
    if !program.exists() {
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-pthread", "-w", "-o"]).arg(&program).arg(source(name));
        let done = finish(cc.args(statically.then_some("-static")), b"");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    Some(program)
}

/// A program in Go. `None` where it cannot be built: the caller returns.
fn go_program() -> Option<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap();
    if !have("go") {
        skip("no Go");
        return None;
    }
    let program = FOLDER.path().join("calls.go");
    if !program.exists() {
        let mut go = Command::new("go");
        go.env("GOCACHE", FOLDER.path().join("cache")).arg("build").arg("-o").arg(&program);
        let done = finish(go.arg(source("calls.go")), b"");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    Some(program)
}
