//! select and poll look at every descriptor at every call; epoll knows which are ready, and edge-triggered it reports
//! them once.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::{CannotRun, Stage, Value, heed, tell, unrecorded};
use crate::call::{
    self, Domain, Epoll, EpollFlags, EpollOp, FdSet, MSG_PEEK, SOCK_NONBLOCK, Socket, TcpListener,
    Type, UdpSocket, epoll_event, pollfd,
};
use crate::lang::Lang;

/// The one who waits is a process, because its limit on descriptors is.
pub(super) const PLAYS: super::Plays = &[("waiter", waiter)];

/// How many silent sockets there are beside the one that is ready.
const IDLE: [usize; 4] = [10, 100, 1_000, 10_000];

/// Each wait is repeated so often, and the quickest counts: in the others the machine did something else as well.
const WAITS: usize = 50;

/// After how long without news the reader of the second scene looks what is left.
const LOOK: Duration = Duration::from_millis(200);

/// No wait takes longer where something must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a wait costs; and a reader that leaves bytes behind an edge.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let costs = costs(stage, "all")?;
    let [poll, epoll] = [1, 2].map(|which| costs.growth(which));
    stage.figure("few", costs.rows[0].waits[1].clone());
    stage.figure("many", costs.rows[costs.rows.len() - 1].waits[1].clone());
    let misfit = costs.misfit.map_or(Value::Word("none"), Value::from);
    stage.figure("misfit", misfit);
    let row = |row: &Row| [vec![row.idle.into()], row.waits.to_vec()].concat();
    stage.table(
        "waits",
        &["idle", "select", "poll", "epoll"],
        costs.rows.iter().map(row).collect(),
    );
    if let Some(most) = costs.limit {
        stage.figure("limit", most);
    }
    let seen = read(stage, EpollFlags::EPOLLET, false)?;
    tell_reader(stage, &seen);
    stage.figure("more", Value::Word(if seen.woken { "told" } else { "silent" }));

    // With a thousand times as many descriptors, a cost grows if it is 31 times as high; with ten times as many, if it
    // is three times as high.
    let grows = |growth: f64| growth > costs.more().sqrt();
    stage.answer(match (grows(poll), grows(epoll)) {
        (false, false) => Some(1),
        (true, false) => Some(2),
        (true, true) => Some(3),
        (false, true) => None,
    });
    stage.claim("grows", grows(poll));
    stage.claim("flat", epoll < poll / 2.0);
    stage.claim("left", seen.turns == 1 && seen.left == BYTES - TEN);
    Ok(())
}

/// The same wait by epoll; and readers that leave nothing behind.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let costs = costs(stage, "epoll")?;
    stage.figure("few", costs.rows[0].waits[2].clone());
    stage.figure("many", costs.rows[costs.rows.len() - 1].waits[2].clone());
    let edge = read(stage, EpollFlags::EPOLLET, true)?;
    tell_reader(stage, &edge);
    let level = read(stage, EpollFlags::empty(), false)?;
    let row = |way, seen: &Seen| {
        let (turns, left) = (seen.turns.into(), Value::Bytes(seen.left as u64));
        vec![Value::Word(way), turns, seen.recvs.into(), left]
    };
    let rows = vec![row("edge", &edge), row("level", &level)];
    stage.table("readers", &["way", "turns", "recvs", "rest"], rows);
    stage.claim("all", edge.left == 0 && level.left == 0);
    stage.claim("again", edge.turns < level.turns);
    Ok(())
}

/// What the waiter has measured.
struct Costs {
    rows: Vec<Row>,
    /// The first descriptor that no set of select's can hold.
    misfit: Option<u64>,
    /// With how many silent sockets the limit on descriptors was reached.
    limit: Option<u64>,
}

/// A wait by select, poll and epoll among so many silent sockets: how long, or why not.
struct Row {
    idle: u64,
    waits: [Value; 3],
}

impl Costs {
    /// How many times as long a wait takes with the most sockets as with the fewest.
    fn growth(&self, which: usize) -> f64 {
        let time = |row: &Row| match row.waits[which] {
            Value::Time(time) => time.as_secs_f64(),
            _ => f64::NAN,
        };
        time(&self.rows[self.rows.len() - 1]) / time(&self.rows[0])
    }

    /// How many times as many sockets those are.
    fn more(&self) -> f64 {
        self.rows[self.rows.len() - 1].idle as f64 / self.rows[0].idle as f64
    }
}

/// Starts a waiter, and hears what it measures.
fn costs(stage: &Stage, which: &str) -> Result<Costs> {
    let mut waiter = stage.actor("server", "waiter", "waiter", &[which.to_owned()])?;
    let mut costs = Costs { rows: Vec::new(), misfit: None, limit: None };
    loop {
        let line = waiter.hear()?;
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["idle", idle, select, poll, epoll] => {
                let wait = |ns: &str| match ns.parse() {
                    Ok(ns) => Value::Time(Duration::from_nanos(ns)),
                    Err(_) => Value::Word(if ns == "misfit" { "too-large" } else { "none" }),
                };
                let waits = [select, poll, epoll].map(wait);
                costs.rows.push(Row { idle: idle.parse()?, waits });
            }
            ["misfit", fd] => costs.misfit = Some(fd.parse()?),
            ["limit", most] => costs.limit = Some(most.parse()?),
            ["done"] => break,
            _ => bail!("the waiter said {line:?}"),
        }
    }
    waiter.say("end")?;
    waiter.wait()?;
    if costs.rows.len() < 2 {
        let reason = Lang::current().pick(
            "the hard limit of descriptors (ulimit -Hn) is below 120: limits.conf(5) says how to raise it",
            "描述符的硬限制 (ulimit -Hn) 低于 120：如何提高，见 limits.conf(5)",
        );
        return Err(CannotRun(reason.to_owned()).into());
    }
    Ok(costs)
}

/// The waiter: more and more silent sockets, and one that is always ready, because it is never read.
fn waiter(args: &[String]) -> Result<()> {
    let all = args.first().context("a waiter needs to know by what")? == "all";
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = IDLE[IDLE.len() - 1] as u64 + 100;
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(hard.min(wanted)), hard)?;
    let epoll = call::epoll_create()?;
    let mut idle = Vec::new();
    for count in IDLE {
        let drawn = count == IDLE[0];
        let mut round = || measure(&epoll, &mut idle, count, all, drawn);
        let waits = match drawn {
            true => round(),
            false => unrecorded(
                ["more silent sockets, and the same waits", "更多沉默的套接字，同样的等待"],
                round,
            ),
        };
        match waits? {
            Some(waits) => tell(format_args!("idle {count} {}", waits.join(" ")))?,
            None => {
                tell(format_args!("limit {}", idle.len()))?;
                break;
            }
        }
    }
    if let Some(first) = idle.iter().find(|socket| !FdSet::fits(socket)) {
        tell(format_args!("misfit {}", first.as_fd().as_raw_fd()))?;
    }
    tell("done")?;
    heed()?;
    unrecorded(["the end of all of them", "全部关闭"], || drop(idle));
    Ok(())
}

/// Opens silent sockets until there are so many.
fn open(count: usize, epoll: &Epoll, idle: &mut Vec<Socket>) -> call::Result<()> {
    while idle.len() < count {
        let socket = call::socket(Domain::IPV4, Type::DGRAM, 0)?;
        call::epoll_ctl(epoll, EpollOp::EpollCtlAdd, &socket, EpollFlags::EPOLLIN)?;
        idle.push(socket);
    }
    Ok(())
}

/// A socket to which something was sent; the last that was opened, so that a walk over them goes through
/// all.
fn ready() -> Result<UdpSocket> {
    let socket = call::socket(Domain::IPV4, Type::DGRAM, 0)?;
    call::bind(&socket, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let socket: UdpSocket = socket.into();
    let address = call::getsockname(&socket)?;
    call::sendto(&socket, b"here", 0, address)?;
    Ok(socket)
}

/// A wait by each among so many, and how long it takes; `None` if there are no descriptors for so many. `drawn`:
/// the first wait by each is recorded.
fn measure(
    epoll: &Epoll,
    idle: &mut Vec<Socket>,
    count: usize,
    all: bool,
    drawn: bool,
) -> Result<Option<[String; 3]>> {
    let opened = match drawn {
        true => unrecorded(
            ["silent sockets, each on epoll's list", "沉默的套接字，每个都在 epoll 的关注列表里"],
            || open(count, epoll, idle),
        ),
        false => open(count, epoll, idle),
    };
    match opened {
        Err(error) if matches!(error.errno(), Errno::EMFILE | Errno::ENFILE) => return Ok(None),
        done => done?,
    }
    let ready = ready()?;
    call::epoll_ctl(epoll, EpollOp::EpollCtlAdd, &ready, EpollFlags::EPOLLIN)?;
    let sockets = || idle.iter().map(AsFd::as_fd).chain([ready.as_fd()]);
    let (mut by_select, mut by_poll) = ("-".to_owned(), "-".to_owned());
    if all && sockets().all(|socket| FdSet::fits(&socket)) {
        let mut reads = FdSet::new();
        sockets().for_each(|socket| reads.insert(&socket));
        let nfds = sockets().map(|socket| socket.as_raw_fd()).max().unwrap_or_default() + 1;
        by_select = quickest(drawn, || {
            call::select(nfds, &mut reads.clone(), &mut FdSet::new(), Some(PATIENCE))
        })?;
    } else if all {
        by_select = "misfit".to_owned();
    }
    if all {
        let entry = |fd: i32| pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut list: Vec<pollfd> = sockets().map(|socket| entry(socket.as_raw_fd())).collect();
        by_poll = quickest(drawn, || call::poll(&mut list, Some(PATIENCE)))?;
    }
    let mut events = [epoll_event { events: 0, u64: 0 }; 16];
    let by_epoll = quickest(drawn, || call::epoll_wait(epoll, &mut events, Some(PATIENCE)))?;
    call::close(ready)?;
    Ok(Some([by_select, by_poll, by_epoll]))
}

/// The nanoseconds of the quickest of many waits, each of which must find the one that is ready.
fn quickest(drawn: bool, mut wait: impl FnMut() -> call::Result<usize>) -> Result<String> {
    if drawn {
        wait()?;
    }
    let mut time = || -> Result<u128> {
        let begun = Instant::now();
        let ready = wait()?;
        let took = begun.elapsed().as_nanos();
        anyhow::ensure!(ready == 1, "{ready} sockets are ready, and one was to be");
        Ok(took)
    };
    let mut all = || (0..WAITS).map(|_| time()).collect::<Result<Vec<u128>>>();
    let times = match drawn {
        true => unrecorded(["the same wait, many times", "同样的等待，重复多次"], all)?,
        false => all()?,
    };
    Ok(times.iter().min().context("there is at least one wait")?.to_string())
}

/// What the client of the second scene sends, and how much of it the reader takes with a recv.
const BYTES: usize = 100;
const TEN: usize = 10;

/// How a reader fared.
struct Seen {
    /// Waits that brought something.
    turns: usize,
    recvs: usize,
    /// Bytes that are still unread when no wait reports anything any more.
    left: usize,
    /// Whether one more byte from the client was told.
    woken: bool,
}

fn tell_reader(stage: &mut Stage, seen: &Seen) {
    stage.figure("turns", seen.turns);
    stage.figure("rest", Value::Bytes(seen.left as u64));
}

/// A reader that receives ten bytes when epoll tells of any; or until there are none.
fn read(stage: &Stage, trigger: EpollFlags, until_eagain: bool) -> Result<Seen> {
    let (listener, address) = super::listener()?;
    let (wants_more, more) = mpsc::channel();
    let server = move || {
        let seen = turns(&listener, trigger, until_eagain, &wants_more)?;
        call::close(listener)?;
        Ok(seen)
    };
    let client = move || {
        let server = super::connect(address)?;
        call::send(&server, &[b'x'; BYTES], 0)?;
        while more.recv_timeout(PATIENCE).is_ok() {
            call::send(&server, b"y", 0)?;
        }
        Ok(call::close(server)?)
    };
    let (seen, ()) = stage.both(server, client)?;
    Ok(seen)
}

/// Waits and receives, until nothing is told any more.
fn turns(
    listener: &TcpListener,
    trigger: EpollFlags,
    until_eagain: bool,
    wants_more: &mpsc::Sender<()>,
) -> Result<Seen> {
    let (peer, _) = call::accept4(listener, SOCK_NONBLOCK)?;
    let epoll = call::epoll_create()?;
    call::epoll_ctl(&epoll, EpollOp::EpollCtlAdd, &peer, EpollFlags::EPOLLIN | trigger)?;
    let mut events = [epoll_event { events: 0, u64: 0 }; 4];
    let mut seen = Seen { turns: 0, recvs: 0, left: 0, woken: false };
    let mut patience = PATIENCE; // the first bytes do come
    while call::epoll_wait(&epoll, &mut events, Some(patience))? > 0 {
        (seen.turns, patience) = (seen.turns + 1, LOOK);
        loop {
            match call::recv(&peer, &mut [0; TEN], 0) {
                Ok(_) => seen.recvs += 1,
                Err(error) if error.would_block() => break,
                Err(error) => return Err(error.into()),
            }
            if !until_eagain {
                break;
            }
        }
    }
    seen.left = match call::recv(&peer, &mut [0; BYTES], MSG_PEEK) {
        Ok(left) => left,
        Err(error) if error.would_block() => 0,
        Err(error) => return Err(error.into()),
    };
    if seen.left > 0 {
        let _ = wants_more.send(());
        seen.woken = call::epoll_wait(&epoll, &mut events, Some(PATIENCE))? > 0;
    }
    call::close(epoll)?;
    call::close(peer)?;
    Ok(seen)
}
