//! How a server begins and ends.

use std::time::{Duration, Instant};

use netplay_inspect::{self as inspect, Ask, State};
use netplay_review::Rule;
use netplay_text::both;
use netplay_watch::{Status, Twist};
use nix::sys::signal::Signal;

use crate::guard::Stuck;
use crate::program::Program;
use crate::program::takes;
use crate::stage::Stage;
use crate::verdict::{Broken, fault};

type Done = Result<(), Broken>;

/// After so long a program that never sleeps gets its signal all the same.
const LONG: Duration = Duration::from_millis(500);

/// It can be reached at the port that it was told.
pub(crate) fn listens(stage: &mut Stage<'_>) -> Done {
    stage.start()
}

/// It can be reached at the address that it was told, and at no other.
pub(crate) fn address(stage: &mut Stage<'_>) -> Done {
    if !takes(&stage.plan.command, "{host}") {
        return Err(Broken::Skip(both!(
            "the command has no {{host}}: it was not told any address",
            "命令中没有 {{host}}：没有告诉它地址",
        )));
    }
    stage.start()?;
    let told = stage.plan.host;
    let found = stage.program().reachable(stage.is_datagrams());
    let other = found.iter().map(|socket| socket.local.ip().to_canonical()).find(|ip| *ip != told);
    match other {
        None => Ok(()),
        Some(ip) => {
            let all = ip.is_unspecified();
            let when = both!("it was told the address {told}", "告诉它的地址是 {told}");
            let how = match all {
                true => both!(
                    "it listens at {ip}, which is every address: other machines can reach it as well",
                    "它监听 {ip}，即所有地址：其他机器也能到达它",
                ),
                false => both!("it listens at {ip}", "它监听 {ip}"),
            };
            Err(fault(when, how, None))
        }
    }
}

/// It can be started again at once, while its port has connections in TIME_WAIT.
pub(crate) fn restarts(stage: &mut Stage<'_>) -> Done {
    let address = stage.address()?;
    stage.start_at(address, Twist::default(), None)?;
    stage.reach()?;
    if !stage.is_datagrams() {
        let when = both!("before it was started again", "重新启动之前");
        let mut peer = stage.client().map_err(|trouble| fault(when.clone(), trouble, None))?;
        let one = stage.exchange(0);
        peer.exchange(stage.program(), &one).map_err(|trouble| fault(when, trouble, None))?;
        // The side that closes first has TIME_WAIT: the kernel closes for a program that is killed.
        stage.program().kill();
        let _ = peer.expect_end(stage.program());
        drop(peer);
        let waits = || {
            let all = inspect::tcp(Ask::port(address.port())).unwrap_or_default();
            all.iter().any(|socket| socket.state == State::TIME_WAIT)
        };
        let end = Instant::now() + Duration::from_secs(1);
        while !waits() && Instant::now() < end {
            std::thread::yield_now();
        }
    }
    stage.start_at(address, Twist::default(), None)?;
    match stage.reach() {
        Err(Broken::Fault(mut fault)) => {
            let in_use = stage.program().with_records(|records| {
                records.iter().any(|call| call.errno.as_deref() == Some("EADDRINUSE"))
            });
            fault.rule = in_use.then_some(Rule::AddressInUse);
            fault.when = both!(
                "it was started again at once, with a connection in TIME_WAIT, and cannot be reached",
                "有连接处于 TIME_WAIT 时立即重新启动，无法到达它",
            );
            Err(Broken::Fault(fault))
        }
        done => done,
    }
}

/// SIGTERM ends it within a second, with all that it has started.
pub(crate) fn stops(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    stage.works(both!("before SIGTERM", "发送 SIGTERM 之前"))?;
    // A signal that comes just before a call waits does not end the wait (select(2), BUGS): so it is sent to one that waits.
    let _ = stage
        .program_mut()
        .until(|program| program.guard.is_still() || program.guard.has_run_for(LONG));
    stage.program().guard.patience(Duration::from_secs(1));
    stage.program().signal(Signal::SIGTERM);
    let gone = stage.program_mut().until(Program::has_gone);
    let when = both!("it got SIGTERM", "它收到了 SIGTERM");
    match gone {
        Ok(()) | Err(Stuck::Ended) => {}
        Err(Stuck::Still { .. }) => {
            let how =
                both!("it runs on, and has slept for a second since", "它继续运行，此后睡眠了一秒");
            return Err(fault(when, how, None));
        }
        Err(stuck) => return Err(fault(when, stuck, None)),
    }
    let left = stage.program_mut().until(|program| program.guard.look().processes.is_empty());
    match left {
        Ok(()) | Err(Stuck::Ended) => {}
        Err(_) => {
            let n = stage.program().guard.look().processes.len();
            let how = both!(
                "it ended, and left {n} of its processes running",
                "它结束了，留下 {n} 个进程仍在运行",
            );
            return Err(fault(when, how, None));
        }
    }
    match stage.program_mut().status() {
        Some(Status::Killed(signal)) if signal != libc::SIGTERM => {
            let ended = crate::verdict::ended(Status::Killed(signal));
            Err(fault(when, ended, None))
        }
        _ => Ok(()),
    }
}
