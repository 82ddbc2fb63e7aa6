//! One wait per SIGCHLD is not enough: pending signals of one kind are merged into one.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;

use super::{Stage, heed, or_one_of, tell};
use crate::call::{self, Fork, Pid, SigSet, SigmaskHow, Signal, WaitPidFlag};
use crate::lang::Lang;

/// The parent is a process of its own: a lab has threads, and would not be safe to fork.
pub(super) const PLAYS: super::Plays = &[("parent", parent)];

/// How many children end while their parent is busy.
const CHILDREN: usize = 10;

/// A parent that waits once for each signal it gets.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let [signals, reaped, zombies] = play(stage, "once")?;
    stage.answer(match zombies {
        0 => Some(1),
        n if n == CHILDREN - 1 => Some(2),
        CHILDREN => Some(3),
        _ => None,
    });
    stage.claim("merged", signals < CHILDREN);
    stage.claim("left", zombies > 0 && zombies == CHILDREN - reaped);
    Ok(())
}

/// A parent that waits until there is no child left to wait for.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let [_, reaped, zombies] = play(stage, "loop")?;
    stage.claim("none", reaped == CHILDREN && zombies == 0);
    Ok(())
}

/// Lets a parent lose its children: signals taken, children reaped, zombies left.
fn play(stage: &mut Stage, way: &str) -> Result<[usize; 3]> {
    let mut actor = stage.actor("server", "parent", "parent", &[way.to_owned()])?;
    let counted = actor.hear()?;
    actor.say("end")?;
    actor.wait()?;
    let counted: Vec<usize> = counted.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [signals, reaped, zombies] = counted[..] else { bail!("three numbers were expected") };
    stage.figure("children", CHILDREN);
    stage.figure("signals", signals);
    stage.figure("reaped", reaped);
    stage.figure("zombies", zombies);
    Ok([signals, reaped, zombies])
}

/// The parent: busy, with SIGCHLD blocked, while all its children end.
fn parent(args: &[String]) -> Result<()> {
    let each_time = args.first().context("a parent needs a way")? == "once";
    let mut sigchld = SigSet::empty();
    sigchld.add(Signal::SIGCHLD);
    call::sigprocmask(SigmaskHow::SIG_BLOCK, &sigchld)?;
    let mut children = Vec::new();
    for _ in 0..CHILDREN {
        match call::fork()? {
            Fork::Parent(child) => children.push(child),
            Fork::Child => std::process::exit(0),
        }
    }
    until_all_are_zombies(&children)?;

    let (mut signals, mut reaped) = (0, 0);
    let pending = || call::sigtimedwait(&sigchld, Some(Duration::ZERO));
    while or_one_of(pending(), &[Errno::EAGAIN])?.is_ok() {
        signals += 1;
        let ended = || call::waitpid(None, WaitPidFlag::WNOHANG);
        while or_one_of(ended(), &[Errno::ECHILD])?.is_ok_and(|ended| ended.pid().is_some()) {
            reaped += 1;
            if each_time {
                break;
            }
        }
    }
    let zombies = zombies_of(&children)?;
    tell(format_args!("{signals} {reaped} {zombies}"))?;
    heed()?; // a child that is a zombie now is one until this process has ended
    Ok(())
}

fn until_all_are_zombies(children: &[Pid]) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(30);
    while zombies_of(children)? < children.len() {
        if Instant::now() > end {
            bail!(Lang::current().pick("the children do not end", "子进程一直没有结束"));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Whether a process has ended and was not reaped: state Z (proc_pid_stat(5)).
fn is_zombie(process: Pid) -> Result<bool> {
    let stat = match fs::read_to_string(format!("/proc/{process}/stat")) {
        Ok(stat) => stat,
        // It has been waited for, perhaps between open and read.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {
            return Ok(false);
        }
        Err(error) => return Err(error).with_context(|| format!("/proc/{process}/stat")),
    };
    // The name before it is in brackets, and may have anything in it.
    Ok(stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
}

/// How many of these are zombies.
fn zombies_of(children: &[Pid]) -> Result<usize> {
    children.iter().map(|&child| Ok(usize::from(is_zombie(child)?))).sum()
}
