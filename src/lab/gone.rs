//! A peer that leaves is seen at once, however it leaves; a peer that falls silent is not seen at all.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

use super::busy::cpu;
use super::{Stage, Value, heed, tell, unrecorded, word};
use crate::call::{
    self, Domain, SO_KEEPALIVE, SO_LINGER, SO_RCVTIMEO, Signal, TCP_KEEPCNT, TCP_KEEPIDLE,
    TCP_KEEPINTVL, TCP_USER_TIMEOUT, TcpListener, TcpStream, Type,
};
use crate::inspect::{self, Ask, Inet, State};
use crate::lang::Lang;
use crate::trace;

/// A peer is a process, because one is killed; a link is cut in a process that has a network of its own.
pub(super) const PLAYS: super::Plays = &[("peer", peer), ("link", link)];

/// How long a server that sets no other limit listens to a silent peer.
const LISTEN: Duration = Duration::from_millis(500);

/// What recv may say of a peer that has left, or is silent.
const NEWS: [Errno; 5] =
    [Errno::EAGAIN, Errno::ECONNRESET, Errno::ETIMEDOUT, Errno::EHOSTUNREACH, Errno::ENETUNREACH];

/// Why a process may have no network of its own: it is forbidden, there are too many, or this kernel has none
/// (unshare(2), user_namespaces(7)).
const FORBIDDEN: [Errno; 7] = [
    Errno::EPERM,
    Errno::EACCES,
    Errno::ENOSPC,
    Errno::EUSERS,
    Errno::EINVAL,
    Errno::ENOSYS,
    Errno::EOPNOTSUPP,
];

/// How long a server is watched that takes the end for a message.
const WATCHED: Duration = Duration::from_millis(100);
const MOST_WATCHED: Duration = Duration::from_secs(5);

/// Peers that close, are killed, reset; and one behind a link that is cut.
pub(super) fn run(stage: &mut Stage) -> Result<()> {
    let (closed, turns) = leave(stage, "close")?;
    let (killed, _) = leave(stage, "kill")?;
    let (reset, _) = leave(stage, "reset")?;
    let [cut] = cut(stage, ["none"])?;

    stage.figure("turns", Value::Rate(turns));
    cut.figures(stage);
    stage.answer(match killed.recv.as_str() {
        "EAGAIN" => Some(1),
        "ECONNRESET" => Some(2),
        "0" => Some(3),
        _ => None,
    });
    stage.claim("end", closed.recv == "0" && killed.recv == "0");
    stage.claim("reset", reset.recv == "ECONNRESET");
    stage.claim("spins", turns > 1000.0);
    if cut.refused.is_none() {
        stage.claim("blind", cut.recv == "EAGAIN" && cut.state == State::ESTABLISHED.name());
    }
    let rows = [("close", closed), ("kill", killed), ("linger", reset), ("cut", cut)];
    stage.table("ways", &["way", "recv", "after", "state"], rows.map(row).into());
    Ok(())
}

/// The link is cut again, and the kernel is asked to notice.
pub(super) fn fix(stage: &mut Stage) -> Result<()> {
    let [timeout, keepalive] = cut(stage, ["timeout", "keepalive"])?;
    keepalive.figures(stage);
    // The kernel reports that the time is over, or how its last try failed.
    let told = |news: &News| {
        let known = ["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"].contains(&news.recv.as_str());
        known && news.state == State::CLOSE.name()
    };
    if keepalive.refused.is_none() {
        stage.claim("noticed", told(&keepalive));
        stage.claim("unacknowledged", told(&timeout));
    }
    let rows = [("keepalive", keepalive), ("timeout", timeout)];
    stage.table("ways", &["way", "recv", "after", "state"], rows.map(row).into());
    Ok(())
}

/// What a server heard of its peer.
struct News {
    /// What recv returned.
    recv: String,
    after: Duration,
    /// The state of the connection then.
    state: String,
    /// Why it could not be tried here, if it could not.
    refused: Option<String>,
}

impl News {
    /// What became of a connection that was cut.
    fn figures(&self, stage: &mut Stage) {
        if let Some(why) = &self.refused {
            stage.figure("refused", why.clone());
            return;
        }
        stage.figure("cut-recv", self.recv.clone());
        stage.figure("cut-state", self.state.clone());
    }
}

/// `ETIMEDOUT 3050 CLOSE`, as a process of this lab says it; or `untried EPERM`.
impl std::str::FromStr for News {
    type Err = anyhow::Error;

    fn from_str(said: &str) -> Result<News> {
        match said.split(' ').collect::<Vec<_>>()[..] {
            [recv, after, state] => {
                let after = Duration::from_micros(after.parse()?);
                Ok(News { recv: recv.into(), after, state: state.into(), refused: None })
            }
            ["untried", why] => {
                let nothing = || "-".to_owned();
                let (recv, after, state) = (nothing(), Duration::ZERO, nothing());
                Ok(News { recv, after, state, refused: Some(why.into()) })
            }
            _ => bail!("news was expected, not {said:?}"),
        }
    }
}

fn row((way, news): (&'static str, News)) -> Vec<Value> {
    let after = if news.refused.is_none() { news.after.into() } else { Value::Word("untried") };
    vec![Value::Word(way), news.recv.into(), after, news.state.into()]
}

/// Lets a peer leave while the server waits for it: the news, and the turns a second of a server that goes on.
fn leave(stage: &Stage, way: &str) -> Result<(News, f64)> {
    let (listener, address) = super::listener()?;
    let args = [address.to_string(), way.to_owned()];
    let mut actor = stage.actor("client", &format!("peer, {way}"), "peer", &args)?;
    let (peer, client) = call::accept(&listener)?;
    actor.hear()?; // it is ready
    let begun = Instant::now();
    match way {
        "kill" => call::kill(actor.pid(), Signal::SIGKILL)?,
        _ => actor.say("leave")?,
    }
    let news = listen(&peer, (address, client), begun)?;
    let turns = match way {
        "close" => unrecorded(
            ["recv, which returns 0 again and again", "一次又一次返回 0 的 recv"],
            || turns(&peer),
        ),
        _ => 0.0,
    };
    call::close(peer)?;
    call::close(listener)?;
    actor.wait()?;
    Ok((news, turns))
}

/// The peer: connects, and leaves when it is told to, or is killed before.
fn peer(args: &[String]) -> Result<()> {
    let [address, way] = args else { bail!("a peer needs an address and a way") };
    let server = super::connect(address.parse().context("an address")?)?;
    tell("ready")?;
    heed()?;
    if way == "reset" {
        call::setsockopt(&server, SO_LINGER, Some(Duration::ZERO))?;
    }
    Ok(call::close(server)?)
}

/// What the server's next recv says, how long it waited, and what the kernel thinks of the connection.
fn listen(peer: &TcpStream, names: (SocketAddr, SocketAddr), begun: Instant) -> Result<News> {
    let recv = word(call::recv(peer, &mut [0; 64], 0), &NEWS)?;
    let after = begun.elapsed();
    let found = inspect::tcp(Ask::port(names.0.port()))?;
    let ours = |socket: &&Inet| (socket.local, socket.peer) == (names.0, Some(names.1));
    let state =
        found.iter().find(ours).map_or(State::CLOSE, |socket| socket.state).name().to_owned();
    Ok(News { recv, after, state, refused: None })
}

/// A loop that waits for a message and takes the end for an empty one: how often it turns in a second that
/// it has a processor. It is watched until it had one for long enough, or for a few seconds.
fn turns(peer: &TcpStream) -> f64 {
    let (begun, before, mut turns) = (Instant::now(), cpu(), 0);
    let had = || cpu().saturating_sub(before);
    while had() < WATCHED && begun.elapsed() < MOST_WATCHED {
        if call::recv(peer, &mut [0; 64], 0).is_ok_and(|n| n == 0) {
            turns += 1;
        }
    }
    f64::from(turns) / had().as_secs_f64()
}

/// Lets a process cut the link of one connection for each guard: what the server's end hears then.
fn cut<const N: usize>(stage: &Stage, guards: [&str; N]) -> Result<[News; N]> {
    let args = guards.map(String::from);
    let mut actor = stage.actor("server", "cut off", "link", &args)?;
    let news: Vec<News> =
        guards.iter().map(|_| actor.hear()?.parse()).collect::<Result<Vec<News>>>()?;
    actor.wait()?;
    news.try_into().map_err(|_| anyhow!("news is missing"))
}

/// Both ends in a network of their own, whose link is cut between them.
fn link(guards: &[String]) -> Result<()> {
    // A user namespace makes this process root over its own network, and over nothing else.
    let own_network = unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET);
    if let Err(errno) = own_network
        .and_then(|()| unrecorded(["the link goes up", "链路接通"], || set_link(true)))
    {
        if !FORBIDDEN.contains(&errno) {
            return Err(errno).context(
                Lang::current().pick("cannot make a network of its own", "无法建立自己的网络"),
            );
        }
        return guards.iter().try_for_each(|_| tell(format_args!("untried {errno:?}")));
    }
    let (listener, address) = super::listener()?;
    let (connected, are_connected) = mpsc::channel();
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let client = thread::Builder::new().spawn_scoped(scope, move || {
            trace::speak_as("client");
            let streams: Result<Vec<TcpStream>> =
                guards.iter().map(|_| super::connect(address)).collect();
            connected.send(())?;
            let _ = is_done.recv();
            Ok(streams?.into_iter().try_for_each(call::close)?)
        })?;
        let served = serve(&listener, address, guards, &are_connected);
        drop(done);
        let closed: Result<()> = client.join().expect("no side of a lab panics");
        served.and(closed)
    })
}

/// The server's end: cuts the link when all are connected, and waits for news.
fn serve(
    listener: &TcpListener,
    address: SocketAddr,
    guards: &[String],
    are_connected: &mpsc::Receiver<()>,
) -> Result<()> {
    let peers = guards.iter().map(|guard| {
        let (peer, client) = call::accept(listener)?;
        protect(&peer, guard)?;
        Ok((guard, peer, client))
    });
    let peers = peers.collect::<Result<Vec<_>>>()?;
    are_connected.recv()?;
    unrecorded(["the link is cut", "链路被切断"], || set_link(false))?;
    let begun = Instant::now();
    for (_, peer, _) in peers.iter().filter(|(guard, ..)| *guard != "keepalive") {
        call::send(peer, b"still there?", 0)?; // the kernel takes it, and sends it again and again
    }
    for (_, peer, client) in peers {
        let news = listen(&peer, (address, client), begun)?;
        tell(format_args!("{} {} {}", news.recv, news.after.as_micros(), news.state))?;
        call::close(peer)?;
    }
    Ok(())
}

/// Asks the kernel to notice that the peer is silent; or at least not to wait for ever.
fn protect(peer: &TcpStream, guard: &str) -> call::Result<()> {
    match guard {
        "keepalive" => {
            call::setsockopt(peer, TCP_KEEPIDLE, 1)?;
            call::setsockopt(peer, TCP_KEEPINTVL, 1)?;
            call::setsockopt(peer, TCP_KEEPCNT, 2)?;
            call::setsockopt(peer, SO_KEEPALIVE, 1)
        }
        "timeout" => call::setsockopt(peer, TCP_USER_TIMEOUT, 1000),
        _ => call::setsockopt(peer, SO_RCVTIMEO, LISTEN),
    }
}

/// Takes the loopback device of this process's network up or down (netdevice(7), SIOCSIFFLAGS).
#[expect(unsafe_code, reason = "ioctl takes a pointer")]
fn set_link(up: bool) -> nix::Result<()> {
    let socket = call::socket(Domain::IPV4, Type::DGRAM, 0).map_err(|error| error.errno())?;
    // SAFETY: a struct ifreq is numbers and bytes, and may be all zero.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = if up { libc::IFF_UP as libc::c_short } else { 0 };
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the request reads one ifreq, which outlives the call; a name ends in a zero byte.
    let set = unsafe { libc::ioctl(fd, libc::SIOCSIFFLAGS as libc::Ioctl, &raw const request) };
    Errno::result(set).map(drop)
}
