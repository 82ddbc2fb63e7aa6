//! Many clients, and few descriptors.

use std::time::{Duration, Instant};

use netplay_review::Rule;
use netplay_text::both;
use netplay_text::both::Both;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::bytes::{can_flood, flood};
use crate::guard::Stuck;
use crate::limit;
use crate::peer::{Peer, Trouble};
use crate::stage::Stage;
use crate::still::{Look, lowest_free};
use crate::verdict::{Broken, fault};

type Done = Result<(), Broken>;

/// Whether a call of the program that has not returned is about this client.
fn waits_for(stage: &Stage<'_>, client: &Peer) -> bool {
    stage.program().pending().iter().any(|call| {
        let peer = call.peer.as_deref().and_then(|peer| peer.parse::<std::net::SocketAddr>().ok());
        peer.is_some_and(|peer| peer.port() == client.local.port())
    })
}

/// A client that says nothing, or half a request, keeps no other waiting.
pub(crate) fn silent(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    let mut silent: Vec<Peer> = Vec::new();
    for half in [false, true] {
        let when = match half {
            false => {
                both!("a client said nothing, and another came", "一个客户端不说话，另一个到来")
            }
            true => both!(
                "a client sent half a request, and another came",
                "一个客户端发送了半个请求，另一个到来"
            ),
        };
        let mut peer = stage.client().map_err(|trouble| fault(when.clone(), trouble, None))?;
        if half {
            let one = stage.exchange(0);
            let sent = peer.send(stage.program(), &one.send[..one.send.len().div_ceil(2)]);
            sent.map_err(|trouble| fault(when.clone(), trouble, None))?;
        }
        let (local, sent) = (peer.local, peer.sent);
        stage
            .program_mut()
            .settle(local, sent)
            .map_err(|stuck| fault(when.clone(), stuck, None))?;
        silent.push(peer);
        stage.served().map_err(|trouble| {
            let behind = silent.iter().any(|peer| waits_for(stage, peer));
            fault(when, trouble, behind.then_some(Rule::BlockedBehind))
        })?;
    }
    Ok(())
}

/// A client that never reads keeps no other waiting.
pub(crate) fn slow_reader(stage: &mut Stage<'_>) -> Done {
    can_flood(stage)?;
    stage.start()?;
    let when = both!(
        "a client did not read until the program could send no more, and another came",
        "一个客户端不读取，直到程序无法再发送，这时另一个到来",
    );
    let mut slow = stage.narrow().map_err(|trouble| fault(when.clone(), trouble, None))?;
    flood(stage, &mut slow).map_err(|trouble| fault(when.clone(), trouble, None))?;
    stage.served().map_err(|trouble| {
        let behind = waits_for(stage, &slow);
        fault(when, trouble, behind.then_some(Rule::BlockedBehind))
    })?;
    slow.reset();
    Ok(())
}

/// A hundred clients at once.
pub(crate) fn hundred(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    let begun = stage.program().guard.counted();
    let mut peers = Vec::new();
    for n in 1..=100 {
        let when = both!("client {n} of a hundred", "一百个客户端中的第 {n} 个");
        peers.push(served_and_kept(stage).map_err(|trouble| fault(when, trouble, None))?);
    }
    if stage.plan.protocol.pipelines() {
        let when = both!("a hundred clients sent a request at once", "一百个客户端同时发送请求");
        let mut owed = Vec::new();
        for peer in &mut peers {
            let one = stage.exchange(0);
            let sent = peer.send(stage.program(), &one.send);
            sent.map_err(|trouble| fault(when.clone(), trouble, None))?;
            owed.push(one.answer);
        }
        for (peer, answer) in peers.iter_mut().zip(&owed) {
            let came = peer.expect(stage.program(), answer);
            came.map_err(|trouble| fault(when.clone(), trouble, None))?;
        }
    }
    let took = stage.program().guard.counted() - begun;
    if took > Duration::from_secs(15) {
        let when = both!("a hundred clients at once", "一百个客户端同时");
        let seconds = took.as_secs_f64();
        let how = both!("it took {seconds:.1} s", "用了 {seconds:.1} s");
        return Err(fault(when, how, None));
    }
    Ok(())
}

fn served_and_kept(stage: &mut Stage<'_>) -> Result<Peer, Trouble> {
    let mut peer = stage.client()?;
    let one = stage.exchange(0);
    peer.exchange(stage.program(), &one)?;
    Ok(peer)
}

/// So many clients at once: more than select can name.
const CLIENTS: usize = 1100;

/// The descriptors that a process may have while it serves them.
const ROOM: u64 = 4096;

/// More clients than select can name.
pub(crate) fn fd_1024(stage: &mut Stage<'_>) -> Done {
    let skip = |hard: u64| {
        Broken::Skip(both!(
            "a process may have {hard} descriptors here, and 1,200 are needed",
            "这里一个进程最多有 {hard} 个描述符，而需要 1,200 个",
        ))
    };
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return Err(skip(0)) };
    if hard < 1200 {
        return Err(skip(hard));
    }
    let set = setrlimit(Resource::RLIMIT_NOFILE, hard.min(ROOM).max(soft), hard);
    if set.is_err() {
        return Err(skip(soft));
    }
    let done = clients_beyond(stage);
    let _ = setrlimit(Resource::RLIMIT_NOFILE, soft, hard);
    done
}

fn clients_beyond(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    let mut peers = Vec::new();
    for n in 1..=CLIENTS {
        let trouble = match served_and_kept(stage) {
            Ok(peer) => {
                peers.push(peer);
                continue;
            }
            Err(trouble) => trouble,
        };
        let when = both!("client {n} of {CLIENTS} at once", "同时 {CLIENTS} 个客户端中的第 {n} 个");
        if n < 900 || stage.program_mut().status().is_some() {
            return Err(fault(when, trouble, None));
        }
        // It turns clients away. It must live on: some leave, and the next is served.
        peers.truncate(100);
        stage.serves(both!(
            "client {n} was turned away; then most left, and another came",
            "第 {n} 个客户端被拒绝；之后大多数离开，另一个到来",
        ))?;
        let (why, most) = (trouble.words(), netplay_text::words::grouped(n as u64 - 1));
        let (en, zh) = (why.en, why.zh);
        return Err(Broken::NonStrict(both!(
            "it serves {most} clients at once and no more ({en}); poll and epoll can serve more",
            "它同时服务 {most} 个客户端，不能更多（{zh}）；poll 和 epoll 可以服务更多",
        )));
    }
    let when = both!(
        "the last of {CLIENTS} clients sent another request",
        "{CLIENTS} 个客户端中的最后一个再次发送请求"
    );
    let one = stage.exchange(0);
    if stage.plan.protocol.pipelines()
        && let Some(last) = peers.last_mut()
    {
        last.exchange(stage.program(), &one).map_err(|trouble| fault(when, trouble, None))?;
    }
    Ok(())
}

/// No descriptor is left for a while.
pub(crate) fn descriptors(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    let when = both!("before descriptors were short", "描述符不足之前");
    stage.serves(when)?;
    let look = stage.program().guard.look();
    let before: Vec<(i32, u64)> =
        look.processes.iter().filter_map(|&pid| Some((pid, limit::descriptors(pid)?))).collect();
    for &(pid, _) in &before {
        limit::set_descriptors(pid, lowest_free(pid));
    }
    let when = both!("no descriptor was left for more clients", "没有描述符可用于更多客户端");
    let calls = stage.program().with_records(<[_]>::len);
    let (cpu, begun) = (look.cpu(), Instant::now());
    // The handshake is the kernel's: they wait in the queue, or are turned away.
    // As many as any queue has room for: in a full one, connect waits for seconds.
    let clients: Vec<Peer> = (0..4).filter_map(|_| Peer::connect(stage.program()).ok()).collect();
    std::thread::sleep(Duration::from_millis(1200));
    let took = begun.elapsed();
    let used = stage.program().guard.look().cpu().saturating_sub(cpu);
    let refused: Vec<u64> = stage.program().with_records(|records| {
        let failed = |record: &&netplay_record::Event| {
            matches!(record.errno.as_deref(), Some("EMFILE" | "ENFILE"))
        };
        let since = records.get(calls..).unwrap_or_default().iter();
        since.filter(failed).map(|record| record.start_ns).collect()
    });
    let pauses = pauses(&refused, netplay_call::monotonic());
    let refused = refused.len();
    for &(pid, was) in &before {
        limit::set_descriptors(pid, was);
    }
    drop(clients);
    let share = used.as_secs_f64() / took.as_secs_f64();
    let alive = stage.program_mut().status().is_none();
    // A call that fails at once and is made again and again; with a pause between, it is made some ten times a second, or in bursts.
    let often = refused as f64 > 300.0 * took.as_secs_f64() && pauses < took / 2;
    if alive && (share >= 0.25 || often) {
        let percent = (share * 100.0).round();
        let n = netplay_text::words::grouped(refused as u64);
        let seconds = took.as_secs_f64();
        let how = both!(
            "it used {percent} % of a processor, and accept failed {n} times in {seconds:.1} s: it does not pause",
            "它用了处理器的 {percent} %，accept 在 {seconds:.1} s 内失败 {n} 次：它没有停顿",
        );
        return Err(fault(when, how, Some(Rule::BusyLoop)));
    }
    stage.program().guard.patience(Duration::from_secs(5));
    stage.serves(both!(
        "descriptors were free again, and a client came",
        "又有描述符可用，一个客户端到来",
    ))
}

/// How long a program made none of these calls, in pauses that are longer than a busy machine makes between two of them.
fn pauses(began: &[u64], until: u64) -> Duration {
    const PAUSE: u64 = 50_000_000;
    let ends = began.iter().skip(1).copied().chain([until]);
    let between = began.iter().zip(ends).map(|(&from, to)| to.saturating_sub(from));
    Duration::from_nanos(between.filter(|&pause| pause >= PAUSE).sum())
}

/// A thousand clients come and go, and nothing of them stays.
pub(crate) fn leak(stage: &mut Stage<'_>) -> Done {
    const CLIENTS: usize = 1000;
    const TOLERANCE: usize = 10;
    stage.start()?;
    for n in 1..=20 {
        stage.serves(both!("client {n}", "第 {n} 个客户端"))?;
    }
    let _ = stage.program_mut().until(|program| program.guard.is_still());
    let before = stage.program().guard.look();
    let count =
        |look: &Look| (look.descriptors(), look.processes.len() + look.zombies, look.threads());
    let (fds, processes, threads) = count(&before);
    for n in 1..=CLIENTS {
        let when = both!(
            "client {n} of a thousand that came and went",
            "来了又走的一千个客户端中的第 {n} 个"
        );
        let peer = served_and_kept(stage).map_err(|trouble| fault(when, trouble, None))?;
        if n % 10 == 0 {
            peer.reset();
        }
    }
    let stays = |look: &Look| {
        let (now, born, run) = count(look);
        [
            now.saturating_sub(fds),
            born.saturating_sub(processes),
            // A process that stays has a thread as well.
            (run.saturating_sub(threads))
                .saturating_sub(look.processes.len().saturating_sub(processes)),
        ]
    };
    let settled = stage
        .program_mut()
        .until(|program| stays(&program.guard.look()).iter().all(|&n| n <= TOLERANCE));
    let Err(stuck) = settled else { return Ok(()) };
    if matches!(stuck, Stuck::Ended | Stuck::Interrupted) {
        return Err(fault(
            both!("a thousand clients came and went", "一千个客户端来了又走"),
            stuck,
            None,
        ));
    }
    let look = stage.program().guard.look();
    let [fds, processes, threads] = stays(&look);
    let when = both!("a thousand clients came and went", "一千个客户端来了又走");
    let (how, rule) = match () {
        () if fds > TOLERANCE && processes <= TOLERANCE => (
            both!("{fds} descriptors more are open than before", "打开的描述符比之前多 {fds} 个"),
            Some(Rule::DescriptorLeak),
        ),
        () if look.zombies > TOLERANCE => {
            let zombies = look.zombies;
            let how = both!(
                "{zombies} of its children have ended and were never waited for",
                "它有 {zombies} 个子进程已结束，从未被等待",
            );
            (how, Some(Rule::Zombies))
        }
        () if processes > TOLERANCE => (
            both!(
                "{processes} processes more run than before",
                "运行的进程比之前多 {processes} 个"
            ),
            None,
        ),
        () => (
            both!("{threads} threads more run than before", "运行的线程比之前多 {threads} 个"),
            None,
        ),
    };
    Err(fault(when, how, rule))
}

/// How busy the program is within a second, if it is. The processor time alone does not tell: a machine that is busy with something
/// else leaves it little, and so does a tracer that stops it at each call. Then it is the number of calls that brought nothing.
fn is_busy(stage: &Stage<'_>) -> Option<Both> {
    let look = || {
        let program = stage.program();
        (program.guard.look().cpu(), program.quick_calls(), Instant::now())
    };
    let (cpu, calls, begun) = look();
    std::thread::sleep(Duration::from_secs(1));
    let (used, all, ended) = look();
    let took = (ended - begun).as_secs_f64();
    let share = used.saturating_sub(cpu).as_secs_f64() / took;
    let at_once = all - calls;
    let often = at_once as f64 > 300.0 * took;
    let percent = (share * 100.0).round();
    let n = netplay_text::words::grouped(at_once);
    match (share >= 0.05, often) {
        (_, true) => Some(both!(
            "it made {n} calls in {took:.1} s, and used {percent} % of a processor",
            "它在 {took:.1} s 内调用了 {n} 次，用了处理器的 {percent} %",
        )),
        (true, false) => {
            Some(both!("it used {percent} % of a processor", "它用了处理器的 {percent} %"))
        }
        (false, false) => None,
    }
}

/// While no client speaks, it uses no processor.
pub(crate) fn idle(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    let when = both!("before it was left alone", "让它空闲之前");
    let mut silent = None;
    stage.works(when.clone())?;
    for connected in [false, true] {
        if connected && stage.is_datagrams() {
            break;
        }
        if connected {
            let peer = stage.client().map_err(|trouble| fault(when.clone(), trouble, None))?;
            let local = peer.local;
            let _ = stage.program_mut().settle(local, 0);
            silent = Some(peer);
        }
        let mut busy = None;
        // A runtime may have work of its own to finish first.
        for _ in 0..4 {
            busy = is_busy(stage);
            if busy.is_none() {
                break;
            }
        }
        if stage.program_mut().status().is_some() {
            return Err(fault(both!("no client spoke", "没有客户端说话"), Stuck::Ended, None));
        }
        if let Some(how) = busy {
            let when = match connected {
                true => {
                    both!("a client was connected and said nothing", "一个客户端已连接，不说话")
                }
                false => both!("no client was connected", "没有客户端连接"),
            };
            return Err(fault(when, how, Some(Rule::BusyLoop)));
        }
    }
    drop(silent);
    Ok(())
}
