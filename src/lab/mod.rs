//! Labs: predict, run, compare, fix.
//!
//! A lab is a misconception, real sockets on loopback that show it, and the fix, run the same way.
//!
//! ```text
//! lessons/LANG/labs/NAME.md    what is asked, what to watch, why it is so: for people, in each language
//! src/lab/NAME.rs              run: the phenomenon, measured        fix: the same with the fix
//!                                   └── Stage: figures, tables, claims, the answer, and every call recorded
//! ```
//!
//! A lab claims phenomena, never numbers: its figures are the student's own. If a claim does not hold on this
//! kernel the lab fails ([`Unmet`]), and if it cannot be tried here it says why ([`CannotRun`]). Before it fails
//! it measures again, and asks whether the machine was too busy to show anything.

mod actor;
mod ask;
mod busy;
mod figure;
mod paper;
mod progress;
mod report;
mod stage;
mod text;

mod framing;
mod timewait;
mod gone;
mod deaf;
mod shortwrite;
mod byteorder;
mod models;
mod mux;
mod halfclose;
mod udploss;
mod bindwhere;
mod zombies;
mod forkfd;
mod sigpipe;
mod reset;
mod nagle;
mod backlog;
mod nbconnect;
mod deadlock;
mod limits;

use std::collections::HashMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use netplay_text::say;
use nix::errno::Errno;

use crate::call::{self, Domain, TcpListener, TcpStream, Type};
use crate::child;
use crate::draw::Timeline;
use crate::inspect::{self, Ask};
use crate::lang::Lang;
use crate::trace::{self, Collection, Event, Kind, TraceFile};

pub use crate::child::CannotRun;
pub use actor::{Actor, heed, tell};
pub use ask::ask;
pub use figure::{Figure, Table, Value};
pub use progress::Progress;
pub use report::{Look, Report};
pub use stage::{Act, Stage};
pub use text::Text;

/// No lab takes longer. (They take less than ten seconds; on a machine that is busy with other things they
/// are given more before they are given up.)
const AT_MOST: Duration = Duration::from_secs(120);

/// A lab that does not show its phenomenon is measured again: so often in all, and not later than this.
const ROUNDS: usize = 3;
const NO_ROUND_AFTER: Duration = Duration::from_secs(15);

/// A lab: a row of the [`TABLE`].
pub struct Lab {
    /// Its name: `framing`.
    pub name: &'static str,
    /// The Markdown for people.
    text: fn(Lang) -> &'static str,
    /// Shows the phenomenon.
    run: fn(&mut Stage) -> Result<()>,
    /// Shows the fix.
    fix: fn(&mut Stage) -> Result<()>,
    /// What the processes do that it starts, by name: a side that is killed, or that forks, must be one.
    plays: Plays,
}

/// What processes do, by name.
type Plays = &'static [(&'static str, fn(&[String]) -> Result<()>)];

/// A lab's row: its name, which is also that of its texts, and its module.
macro_rules! row {
    ($name:ident) => {
        Lab {
            name: stringify!($name),
            text: |lang| match lang {
                Lang::En => {
                    include_str!(concat!("../../lessons/en/labs/", stringify!($name), ".md"))
                }
                Lang::Zh => {
                    include_str!(concat!("../../lessons/zh/labs/", stringify!($name), ".md"))
                }
            },
            run: $name::run,
            fix: $name::fix,
            plays: $name::PLAYS,
        }
    };
}

/// All labs, in the order in which they are best taken.
pub static TABLE: &[Lab] = &[
    row!(framing),
    row!(timewait),
    row!(gone),
    row!(deaf),
    row!(shortwrite),
    row!(byteorder),
    row!(models),
    row!(mux),
    row!(halfclose),
    row!(udploss),
    row!(bindwhere),
    row!(zombies),
    row!(forkfd),
    row!(sigpipe),
    row!(reset),
    row!(nagle),
    row!(backlog),
    row!(nbconnect),
    row!(deadlock),
    row!(limits),
];

/// A lab that was run: what was measured, without the fix and with it.
#[derive(Debug)]
pub struct Outcome {
    /// What happened first.
    pub run: Act,
    /// What happened with the fix.
    pub fix: Act,
    /// All records of both.
    pub timeline: Timeline,
    /// The records of each, drawn apart.
    pub timelines: [Timeline; 2],
    /// How long it all took.
    pub took: Duration,
}

/// A claim of the lab did not hold here: its key.
#[derive(Debug, Clone)]
pub struct Unmet(pub String);

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claim = Lang::current().pick(
            "what this lab claims did not happen here: ",
            "这个实验所说的现象在这里没有出现：",
        );
        write!(f, "{claim}{}", self.0)
    }
}

impl std::error::Error for Unmet {}

impl Lab {
    /// The lab of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Lab> {
        TABLE.iter().find(|lab| lab.name == name)
    }

    /// What people read of it.
    #[must_use]
    pub fn text(&self, lang: Lang) -> Text {
        Text::read((self.text)(lang))
    }

    /// Runs it, without the fix and with it. `collection` has been told of by [`trace::install`]; `raw` gets
    /// the records of its processes as they wrote them.
    ///
    /// # Errors
    /// A call failed that should not have; [`CannotRun`], also if the machine is too busy for what the lab is to
    /// show. That a claim is not met is no error here: see [`Outcome::unmet`].
    pub fn try_out(&self, collection: &Collection, raw: Option<TraceFile>) -> Result<Outcome> {
        child::reach_loopback(Ipv4Addr::LOCALHOST.into())?;
        let begun = Instant::now();
        give_up_after(AT_MOST, self.name)?;
        trace::speak_as("server");
        let once = || self.once(collection, raw.clone());
        let mut outcome = once();
        // While other programs run, a side may be too late to show what it should.
        for _ in 1..ROUNDS {
            let unmet = outcome.as_ref().is_ok_and(|outcome| outcome.unmet().is_some());
            if !unmet || begun.elapsed() > NO_ROUND_AFTER {
                break;
            }
            outcome = once();
        }
        let failed = match &outcome {
            Ok(outcome) => outcome.unmet().is_some(),
            Err(error) => !error.is::<CannotRun>() && !busy::is_no_reason_for(error),
        };
        match failed.then(busy::too_busy).flatten() {
            Some(busy) => Err(CannotRun(busy).into()),
            None => outcome,
        }
    }

    /// Both acts.
    fn once(&self, collection: &Collection, raw: Option<TraceFile>) -> Result<Outcome> {
        let begun = Instant::now();
        let mut stage = Stage::new(self.name, collection.clone(), raw);
        (self.run)(&mut stage)?;
        let (run, first) = stage.end_act();
        if run.answer.is_none() && run.claims.is_empty() {
            bail!(Lang::current().pick("the lab measured nothing", "实验什么也没有测到"));
        }
        (self.fix)(&mut stage)?;
        let (fix, second) = stage.end_act();
        let names = stage.names();
        let timeline = |records: Vec<Event>| Timeline::new(records, &names);
        let all = [first.clone(), beginning_of(&second), second.clone()].concat();
        let took = begun.elapsed();
        Ok(Outcome {
            run,
            fix,
            timeline: timeline(all),
            timelines: [first, second].map(timeline),
            took,
        })
    }

    /// What one of its processes does.
    ///
    /// # Errors
    /// There is no such play; whatever fails in it.
    pub fn play(&self, name: &str, args: &[String]) -> Result<()> {
        let plays: HashMap<_, _> = self.plays.iter().copied().collect();
        let play = plays.get(name).with_context(|| format!("{} has no play {name}", self.name))?;
        play(args)
    }
}

impl Outcome {
    /// The first claim that did not hold.
    #[must_use]
    pub fn unmet(&self) -> Option<Unmet> {
        let claims = self.run.claims.iter().chain(&self.fix.claims);
        let failed: Vec<&str> = claims.filter(|claim| !claim.held).map(|claim| claim.key).collect();
        (!failed.is_empty()).then(|| Unmet(failed.join(", ")))
    }
}

/// A note before the first of these records: in the picture of both acts the second begins here.
fn beginning_of(act: &[Event]) -> Vec<Event> {
    let note = |first: &Event| Event {
        kind: Kind::Note,
        v: first.v,
        start_ns: first.start_ns.saturating_sub(1),
        wall: first.wall.clone(),
        pid: first.pid,
        tid: first.tid,
        role: first.role.clone(),
        example: first.example.clone(),
        text: Some(Lang::current().pick("from here on with the fix", "从这里起：修正之后").into()),
        ..Event::default()
    };
    act.iter().min_by_key(|record| record.start_ns).map(note).into_iter().collect()
}

/// A lab whose sides wait for each other for ever would be the worst of teachers.
fn give_up_after(time: Duration, name: &'static str) -> Result<()> {
    child::thread(move || {
        std::thread::sleep(time);
        let reason = say!(
            Lang::current(),
            "it does not end; given up after {time:?}",
            "它没有结束；{time:?} 之后放弃"
        );
        end(name, reason, 1, true);
    })
}

/// Ends the lab from beside: for this reason, unless it may be that the machine has no time for it, and is.
fn end(name: &str, reason: impl fmt::Display, code: i32, may_be_busy: bool) -> ! {
    let (reason, code) = match may_be_busy.then(busy::too_busy).flatten() {
        Some(busy) => (busy, 4),
        None => (reason.to_string(), code),
    };
    trace::remark(format_args!("netplay: lab {name}: {reason}"));
    child::end_all();
    std::process::exit(code);
}

/// Runs a part whose calls are not recorded, and says so in a note: what is left out, in English and in Chinese.
fn unrecorded<T>(what: [&str; 2], part: impl FnOnce() -> T) -> T {
    let [en, zh] = what;
    trace::unrecorded(Lang::current().pick(en, zh), part)
}

/// A listener on a free port of 127.0.0.1, and its address.
fn listener() -> Result<(TcpListener, SocketAddr)> {
    listener_for(128)
}

/// A listener with room for so many connections that wait for accept.
fn listener_for(backlog: i32) -> Result<(TcpListener, SocketAddr)> {
    let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
    call::bind(&socket, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let listener: TcpListener = call::listen(socket, backlog)?;
    let address = call::getsockname(&listener)?;
    Ok((listener, address))
}

/// Waits until so many connections wait for accept: the end of a handshake is the server's kernel's, and
/// `connect` does not wait for it.
fn until_queued(listener: SocketAddr, connections: usize) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let sockets = inspect::tcp(Ask::port(listener.port()))?;
        let found = sockets.iter().find(|socket| socket.is_open() && socket.local == listener);
        let queued = found.map_or(0, |listener| listener.receive_queue as usize);
        if queued == connections {
            return Ok(());
        }
        if Instant::now() > end {
            bail!(say!(
                Lang::current(),
                "{queued} connections wait at {listener}, not {connections}",
                "{listener} 上等待的连接有 {queued} 个，不是 {connections} 个"
            ));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What a call returned, where it may fail in the ways that the lab is about. It ends the lab if it fails in any
/// other way: that says something of this machine, and nothing of what the lab shows.
fn or_one_of<T>(returned: call::Result<T>, about: &[Errno]) -> call::Result<Result<T, Errno>> {
    match returned {
        Ok(value) => Ok(Ok(value)),
        Err(error) if about.contains(&error.errno()) => Ok(Err(error.errno())),
        Err(error) => Err(error),
    }
}

/// The same in a word: a number, or the name of an errno.
fn word(returned: call::Result<usize>, about: &[Errno]) -> call::Result<String> {
    let returned = or_one_of(returned, about)?;
    Ok(returned.map_or_else(|errno| format!("{errno:?}"), |n| n.to_string()))
}

/// Why connect fails where there is no server, or no way to one (connect(2)).
const NOT_THERE: [Errno; 5] = [
    Errno::ECONNREFUSED,
    Errno::ETIMEDOUT,
    Errno::EADDRNOTAVAIL,
    Errno::ENETUNREACH,
    Errno::EHOSTUNREACH,
];

/// A connection to it.
fn connect(address: SocketAddr) -> Result<TcpStream> {
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    let stream: TcpStream = call::connect(socket, address)?;
    call::getsockname(&stream)?; // a picture then knows whose the bytes are
    Ok(stream)
}
