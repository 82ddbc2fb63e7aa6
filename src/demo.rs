//! The demo: a server and its clients in one terminal, both sides told in the order of time.
//!
//! Server and clients are processes of this same program, as they would be in several terminals.
//! Each writes its record to its standard error; this module puts the records in order and tells them:
//! on a terminal that is wide enough in two columns, the server left and its clients right.
//!
//! It is told as it happens, or afterwards at a pace of its own ([`Audience::pace`]): call by call, or slower. The
//! processes run at their own speed either way, because a process that is held before each call would make other
//! calls: its peers would time out, and a `poll` would find everything ready at once. So the times that are told are
//! always those of the run.

use std::collections::{BTreeMap, HashMap};
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use netplay_text::say;
use tempfile::TempDir;

use crate::call::monotonic;
use crate::child::{self, CannotRun, Line, Process};
use crate::client::Interrupted;
use crate::escape::file_name;
use crate::examples::script::Step;
use crate::examples::{Example, Place, Purpose};
use crate::failure::in_words;
use crate::lang::Lang;
use crate::live::Feed;
use crate::record::text::lane_in;
use crate::record::{Moves, Way};
use crate::stop::Stop;
use crate::trace::story::{Column, Fold, Story};
use crate::trace::{Event, Kind, TraceFile, remark};

/// Nothing in a demo takes longer than this.
const LONGEST: Duration = Duration::from_secs(10);

/// How long an event is held back, so that an earlier one of another process can still overtake it:
/// on a busy machine a process may have to wait for a processor between a call and its record.
const HELD_BACK: Duration = Duration::from_millis(250);

/// Two columns need a terminal that is at least so wide.
const TWO_COLUMNS: usize = 80;

/// The end of time: what was recorded until then is everything.
const ALL: u64 = u64::MAX;

/// `None` is the server.
type Lane = Option<char>;

/// Where a demo is told.
pub struct Audience<'a> {
    /// The people before the screen, if there is a story to tell.
    pub story: Option<Story>,
    /// What to wait for before each call is told, once all has happened. It is given the time that passed since the
    /// call before it. `None`: each call is told as it happens.
    pub pace: Option<Pace>,
    /// The screen.
    pub out: &'a mut dyn Write,
    /// How many columns the screen has just now; `None` if it is no terminal. With enough of them servers
    /// are told left and clients right.
    pub columns: fn() -> Option<usize>,
    /// A file that gets every record, as a line of JSON.
    pub trace: Option<TraceFile>,
    /// How many records that file lacks, in words, once a demo has run; `None`: none.
    pub missing: Option<String>,
    /// Whether the records are to carry the states of the sockets.
    pub observe: bool,
    /// Whether the records are to show passwords.
    pub secrets: bool,
    /// What a picture will be made of, if one was asked for.
    pub recording: Option<Recording>,
    /// A page that shows each record as it comes.
    pub live: Option<Feed>,
    /// Ends the demo before its time.
    pub stop: Stop,
}

/// Waits until the next call may be told: see [`Audience::pace`].
pub type Pace = Box<dyn FnMut(Duration) -> Result<()>>;

/// All records of a demo, in the order in which they came.
#[derive(Debug, Default)]
pub struct Recording {
    /// The records.
    pub records: Vec<Event>,
    /// What each client's process is called: `client A`.
    pub names: HashMap<i32, String>,
    /// How many records the trace lacks, in words; `None`: none.
    pub missing: Option<String>,
}

/// Runs the demo of an example, over IPv4 or IPv6, and tells it.
///
/// # Errors
/// A side did not start, did not end, or failed; `out` or the trace cannot be written;
/// [`Interrupted`].
pub fn run(example: &Example, v6: bool, audience: &mut Audience<'_>) -> Result<()> {
    if !matches!(example.place, Place::Path) {
        let v4 = IpAddr::from(Ipv4Addr::LOCALHOST);
        child::reach_loopback(if v6 { Ipv6Addr::LOCALHOST.into() } else { v4 })?;
    }
    let directory = Directory::new()?;
    let mut stage = Stage::new(audience, example, directory.path.path().to_owned());
    let played = stage.play(example, v6);
    // What was still on its way is told, whatever happened.
    let told = stage.finish();
    let interrupted = stage.audience.stop.requested();
    let missing = stage.audience.trace.as_ref().and_then(TraceFile::missing);
    stage.audience.missing = missing;
    let reasons = stage.reasons.join("\n");
    let quiet = stage.audience.story.is_none();
    drop(stage); // its processes have ended before their folder goes
    let removed = directory.remove();
    if interrupted {
        return Err(Interrupted.into()); // Ctrl-C reaches all of them, and is why they fail
    }
    let played = played.map_err(|error| match error.is::<CannotRun>() {
        true => CannotRun(reasons).into(),
        // A story has told them.
        false if quiet && !reasons.is_empty() => {
            anyhow!("{}: {reasons}", in_words(&*error, Lang::current()))
        }
        false => error,
    });
    played.and(told).and(removed)
}

/// A folder for the socket of an example that has a path, and for the files of one that has files:
/// in it are the folders `server` and `client`. It goes when it is dropped.
struct Directory {
    /// Held for the end: where no descriptor is left, a folder cannot be read, and so not be emptied.
    spare: [File; 2],
    path: TempDir,
}

impl Directory {
    fn new() -> Result<Directory> {
        let place = std::path::absolute(std::env::temp_dir())?; // the processes run in folders of their own
        let named = file_name(&place);
        let cannot = || {
            say!(Lang::current(), "cannot make a folder in {named}", "无法在 {named} 中创建目录")
        };
        let open = || File::open("/").with_context(cannot);
        let spare = [open()?, open()?]; // before there is anything to remove
        let prefix = format!("netplay-demo-{}-", std::process::id());
        let path = tempfile::Builder::new().prefix(&prefix).tempdir_in(&place);
        // The error of tempfile would name the folder a second time.
        let path =
            path.map_err(|error| error.kind()).map_err(io::Error::from).with_context(cannot)?;
        for side in ["server", "client"] {
            DirBuilder::new().mode(0o700).create(path.path().join(side)).with_context(cannot)?;
        }
        Ok(Directory { spare, path })
    }

    fn remove(self) -> Result<()> {
        let Directory { spare, path } = self;
        let name = file_name(path.path());
        drop(spare);
        path.close().with_context(|| {
            say!(Lang::current(), "cannot remove the folder {name}", "无法删除目录 {name}")
        })
    }
}

/// The processes of a demo, and the order in which their records are told.
struct Stage<'a, 'b> {
    /// Whether the results of clients are told: no record of a call has them.
    results: bool,
    /// The folder that servers run in, and in it the one that clients run in.
    directory: PathBuf,
    servers: Vec<Process>,
    clients: BTreeMap<char, Process>,
    sender: Sender<Line<Lane>>,
    receiver: Receiver<Line<Lane>>,
    seen: HashMap<char, Seen>,
    /// How many datagrams all servers together have received.
    received_by_servers: u32,
    /// What was received and not told yet, by its moment; the number keeps apart what
    /// happened in the same nanosecond.
    held: BTreeMap<(u64, u64), (Lane, Event)>,
    received: u64,
    audience: &'a mut Audience<'b>,
    folds: HashMap<(Lane, i32), Fold>,
    /// The threads and processes of each lane, in the order of their first words.
    speakers: HashMap<Lane, Vec<i32>>,
    /// Whether the two columns have their heading.
    headed: bool,
    /// When the call was that was told last, in nanoseconds of CLOCK_MONOTONIC.
    told: Option<u64>,
    /// What the processes had to say when they failed.
    reasons: Vec<String>,
}

/// How often a client has connected, sent and received something.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    connected: u32,
    sent: u32,
    heard: u32,
    /// How often the script has waited for the last two.
    said: u32,
    listened: u32,
    /// Whether the server has ended its connection.
    over: bool,
}

impl<'a, 'b> Stage<'a, 'b> {
    fn new(audience: &'a mut Audience<'b>, example: &Example, directory: PathBuf) -> Stage<'a, 'b> {
        let (sender, receiver) = mpsc::channel();
        Stage {
            results: example.purpose == Purpose::Files || example.server.is_none(),
            directory,
            servers: Vec::new(),
            clients: BTreeMap::new(),
            sender,
            receiver,
            seen: HashMap::new(),
            received_by_servers: 0,
            held: BTreeMap::new(),
            received: 0,
            audience,
            folds: HashMap::new(),
            speakers: HashMap::new(),
            headed: false,
            told: None,
            reasons: Vec::new(),
        }
    }

    fn play(&mut self, example: &Example, v6: bool) -> Result<()> {
        let directory = self.directory.clone();
        let place: Vec<String> = match example.place {
            Place::Internet => vec![if v6 { "::1" } else { "127.0.0.1" }.into(), "0".into()],
            Place::Group { v4, v6: group } => vec![if v6 { group } else { v4 }.into(), "0".into()],
            Place::Host => vec![if v6 { "::1" } else { "127.0.0.1" }.into()],
            Place::Path => vec![directory.join("socket").display().to_string()],
        };
        for step in example.demo.steps {
            if let Step::File(path, contents) = step {
                std::fs::write(directory.join(path), contents)?;
            }
        }
        let mut args = self.side_args(example, "server", place.clone());
        if example.purpose == Purpose::Files {
            args.extend(["--root", "server"].map(String::from));
        }
        let address = example.server.map(|_| self.serve(&args)).transpose()?;
        let place = match (example.place, address) {
            (Place::Internet | Place::Group { .. }, Some(address)) => {
                let (host, port) = address.rsplit_once(':').context("an address has a port")?;
                vec![host.to_owned(), port.to_owned()]
            }
            (_, Some(address)) => vec![address],
            (_, None) => place, // this machine's own kernel answers
        };
        let further = self.side_args(example, "server", place.clone());
        let args = self.side_args(example, "client", place);
        for &step in example.demo.steps {
            match step {
                Step::Join => _ = self.serve(&further)?,
                step => self.step(step, &args)?,
            }
        }
        while !self.servers.is_empty() {
            self.part()?;
        }
        Ok(())
    }

    /// Starts a server; where it can be reached.
    fn serve(&mut self, args: &[String]) -> Result<String> {
        let mut server = Process::start(args, &self.directory, None, self.sender.clone())?;
        let address = server.address(LONGEST)?;
        self.servers.push(server);
        Ok(address)
    }

    /// Stops the server that came last.
    fn part(&mut self) -> Result<()> {
        let mut server = self.servers.pop().context("a server is there")?;
        server.stop();
        self.until_ended(&the_server(), &mut server)
    }

    fn step(&mut self, step: Step, args: &[String]) -> Result<()> {
        match step {
            Step::File(..) | Step::Join => Ok(()), // that is done already
            Step::Received(all) => self.until(|stage| stage.received_by_servers >= all),
            Step::Part => self.part(),
            Step::Start(name) => {
                self.start(name, args)?;
                self.until(|stage| stage.seen(name).connected > 0 || stage.seen(name).sent > 0)
            }
            Step::Say(name, line) => {
                if !self.clients.contains_key(&name) {
                    self.start(name, args)?;
                }
                self.client(name)?.say(line)?;
                let seen = self.seen.entry(name).or_default();
                seen.said += 1;
                self.until(|stage| stage.seen(name).sent >= stage.seen(name).said)
            }
            Step::Hear(name) => {
                self.seen.entry(name).or_default().listened += 1;
                let answered = |seen: Seen| seen.heard >= seen.listened;
                self.until(|stage| answered(stage.seen(name)) || stage.seen(name).over)?;
                if !answered(self.seen(name)) {
                    bail!(say!(
                        Lang::current(),
                        "client {name} has no answer: the server has closed its connection",
                        "客户端 {name} 没有得到回答：服务器关闭了它的连接",
                    ));
                }
                Ok(())
            }
            Step::Leave(name) => {
                if !self.clients.contains_key(&name) {
                    self.start(name, args)?;
                }
                self.client(name)?.hush();
                let mut leaving = self.clients.remove(&name).context("the client has started")?;
                self.until_ended(&client_named(name), &mut leaving)
            }
            Step::Pause(ms) => self.tell_for(Duration::from_millis(ms)),
        }
    }

    fn start(&mut self, name: char, args: &[String]) -> Result<()> {
        let mut client =
            Process::start(args, &self.directory.join("client"), Some(name), self.sender.clone())?;
        match self.results {
            false => client.ignore_output()?,
            true => client.tell_output(Some(name), self.sender.clone())?,
        }
        self.clients.insert(name, client);
        Ok(())
    }

    fn client(&mut self, name: char) -> Result<&mut Process> {
        self.clients.get_mut(&name).with_context(|| format!("client {name} has not started"))
    }

    fn seen(&self, name: char) -> Seen {
        self.seen.get(&name).copied().unwrap_or_default()
    }

    /// Tells what comes until something was seen.
    fn until(&mut self, done: impl Fn(&Self) -> bool) -> Result<()> {
        let end = Instant::now() + LONGEST;
        while !done(self) {
            if Instant::now() > end {
                bail!(Lang::current().pick(
                    "the demo waits for something that does not happen",
                    "演示所等的事情没有发生",
                ));
            }
            let failed = self.failed()?; // before its last words are read
            self.tell_for(Duration::from_millis(5))?;
            if let Some(who) = failed.filter(|_| !done(self)) {
                bail!("{who}");
            }
        }
        Ok(())
    }

    /// Which side has failed in the meantime, and how.
    fn failed(&mut self) -> Result<Option<String>> {
        let servers = self.servers.iter_mut().map(|server| (the_server(), server));
        let clients = self.clients.iter_mut().map(|(name, it)| (client_named(*name), it));
        for (who, process) in servers.chain(clients) {
            if !process.running()? {
                let status = process.wait()?;
                if status.code() == Some(4) {
                    return Err(CannotRun(String::new()).into());
                }
                if !status.success() {
                    return Ok(Some(failed(&who, status)));
                }
            }
        }
        Ok(None)
    }

    fn until_ended(&mut self, who: &str, process: &mut Process) -> Result<()> {
        let end = Instant::now() + LONGEST;
        while process.running()? {
            if Instant::now() > end {
                bail!(say!(Lang::current(), "{who} does not end", "{who}没有结束"));
            }
            self.tell_for(Duration::from_millis(5))?;
        }
        let status = process.wait()?;
        if status.code() == Some(4) {
            return Err(CannotRun(String::new()).into()); // its reasons are on their way
        }
        if !status.success() {
            bail!(failed(who, status));
        }
        Ok(())
    }

    /// Receives for a time, and tells what nothing can overtake any more.
    fn tell_for(&mut self, time: Duration) -> Result<()> {
        if self.audience.stop.requested() {
            return Err(Interrupted.into());
        }
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            match self.receiver.recv_timeout(left) {
                Ok(line) => _ = self.receive(line)?,
                Err(_) => break,
            }
        }
        // This process may have been kept waiting, and tells first what it has not read yet. It has read all of that when
        // a record comes that was made after now. (Some servers never pause.)
        let now = monotonic();
        while let Ok(line) = self.receiver.try_recv()
            && self.receive(line)? <= now
        {}
        self.tell_until(now.saturating_sub(HELD_BACK.as_nanos() as u64))
    }

    /// All processes have ended: tells the rest.
    fn finish(&mut self) -> Result<()> {
        self.clients.clear();
        self.servers.clear();
        // The threads that read the pipes hold the only senders left; they end with the pipes.
        self.sender = mpsc::channel().0;
        while let Ok(line) = self.receiver.recv_timeout(LONGEST) {
            self.receive(line)?;
        }
        self.tell_until(ALL)
    }

    /// Takes a line in, and says when it was recorded; 0 for what is no record.
    fn receive(&mut self, line: Line<Lane>) -> Result<u64> {
        let record = serde_json::from_str::<Event>(&line.text);
        let recorded = record.as_ref().map_or(0, Event::moment);
        if let (Ok(event), Some(file)) = (&record, &mut self.audience.trace)
            && let Err(error) = file.write(format!("{}\n", line.text).as_bytes(), Some(event))
        {
            remark(say!(
                Lang::current(),
                "netplay: records are missing in the trace from here on: {error}",
                "netplay: 从这里起，跟踪文件缺少记录：{error}",
            ));
        }
        if let (Ok(event), Some(recording)) = (&record, &mut self.audience.recording) {
            let name = line.lane.map(|name| format!("client {name}"));
            let is_new = name.as_ref().filter(|_| !recording.names.contains_key(&event.pid));
            if let (Some(live), Some(name)) = (&self.audience.live, is_new) {
                live.name(event.pid, name);
            }
            recording.names.extend(name.map(|name| (event.pid, name)));
            if let Some(live) = &self.audience.live {
                live.record(event);
            }
            recording.records.push(event.clone());
        }
        if record.is_err() {
            let hint = Lang::ALL.iter().any(|&lang| line.text.starts_with(hint_mark(lang)));
            let hint = hint.then_some(line.text.as_str());
            let reason = line.text.strip_prefix("netplay: ").or(hint);
            self.reasons.extend(reason.map(str::to_owned));
        }
        let event = record.unwrap_or_else(|_| Event {
            // Not a record: a result, or what the process had to say when it failed.
            kind: Kind::Note,
            role: if line.lane.is_none() { "server".into() } else { "client".into() },
            start_ns: monotonic(),
            text: Some(line.text.into()),
            ..Event::default()
        });
        let heard = event.what.way() == Some(Way::In) && event.what.is_addressed();
        let datagram = heard && event.bytes.is_some();
        if line.lane.is_none() && datagram && event.peer.is_some() {
            self.received_by_servers += 1;
        }
        if let Some(name) = line.lane
            && event.errno.is_none()
        {
            let seen = self.seen.entry(name).or_default();
            match (event.what.moves(), event.what.way()) {
                (Moves::Connects, _) => seen.connected += 1,
                (_, Some(Way::Out)) => seen.sent += 1,
                (_, Some(Way::In)) if event.ret > Some(0) => seen.heard += 1,
                // A client with files ends a connection for each of them.
                (_, Some(Way::In)) if seen.connected > 0 && !self.results => seen.over = true,
                (_, Some(Way::In) | None) => {}
            }
        }
        self.received += 1;
        self.held.insert((event.moment(), self.received), (line.lane, event));
        Ok(recorded)
    }

    fn tell_until(&mut self, time: u64) -> Result<()> {
        if self.audience.pace.is_some() && time != ALL {
            return Ok(()); // it is told when all has happened
        }
        let later = self.held.split_off(&(time, 0));
        for (lane, event) in std::mem::replace(&mut self.held, later).into_values() {
            let Some(story) = &self.audience.story else { continue };
            let speakers = self.speakers.entry(lane).or_default();
            let place = speakers.iter().position(|&tid| tid == event.tid).unwrap_or_else(|| {
                speakers.push(event.tid);
                speakers.len() - 1
            });
            let fold = self.folds.entry((lane, event.tid)).or_default();
            // A window may have been resized since the last line.
            let columns = (self.audience.columns)().filter(|&columns| columns >= TWO_COLUMNS);
            let lines = if let Some(terminal) = columns {
                let name = match (lane, place) {
                    (None, 0) => String::new(),
                    (None, nth) => lane_in(&format!("server {}", nth + 1), Lang::current()),
                    (Some(name), _) => name.to_string(),
                };
                let heading = if self.headed { String::new() } else { story.heading(terminal) };
                self.headed = true;
                let column = Column { right: lane.is_some(), name: &name, terminal };
                heading + &story.lines_in(fold, &event, column)
            } else {
                let label = match (lane, place) {
                    (None, 0) => "server".to_owned(),
                    (None, nth) => format!("server {}", nth + 1),
                    (Some(name), _) => format!("client {name}"),
                };
                story.lines(fold, &event, &label)
            };
            if let Some(pace) = &mut self.audience.pace
                && !lines.is_empty()
            {
                self.audience.out.flush()?;
                let since = event.moment().saturating_sub(self.told.unwrap_or(event.moment()));
                self.told = Some(event.moment());
                pace(Duration::from_nanos(since))?;
            }
            self.audience.out.write_all(lines.as_bytes())?;
        }
        self.audience.out.flush()?;
        Ok(())
    }

    /// `tcp-echo server 127.0.0.1 0 --quiet --trace /proc/self/fd/2`, and the demo's own options.
    fn side_args(&self, example: &Example, side: &str, place: Vec<String>) -> Vec<String> {
        let mut args = vec![example.name.to_owned(), side.to_owned()];
        args.extend(place);
        args.extend(["--quiet", "--trace", "/proc/self/fd/2"].map(String::from));
        args.extend(["--lang", Lang::current().code()].map(String::from));
        if self.audience.observe {
            args.push("--observe".to_owned());
        }
        if self.audience.secrets {
            args.push("--show-secrets".to_owned());
        }
        let own = if side == "server" { example.demo.server } else { example.demo.client };
        args.extend(own.iter().map(|&option| option.to_owned()));
        args
    }
}

fn the_server() -> String {
    Lang::current().pick("the server", "服务器").to_owned()
}

fn client_named(name: char) -> String {
    say!(Lang::current(), "client {name}", "客户端 {name}")
}

fn failed(who: &str, status: ExitStatus) -> String {
    say!(Lang::current(), "{who} failed ({status})", "{who}失败 ({status})")
}

/// What a hint begins with, below an error.
#[must_use]
pub fn hint_mark(lang: Lang) -> &'static str {
    lang.pick("  hint: ", "  提示：")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `nonblocking` makes records as fast as they can be read: there is always one more.
    #[test]
    fn a_server_that_never_pauses_does_not_hold_up_the_script() {
        let mut out = Vec::new();
        let mut audience = Audience {
            story: None,
            pace: None,
            out: &mut out,
            columns: || None,
            trace: None,
            missing: None,
            observe: false,
            secrets: false,
            recording: None,
            live: None,
            stop: Stop::new(),
        };
        let mut stage = Stage::new(&mut audience, &crate::examples::tcp_echo::ROW, PathBuf::new());
        let (before, after) = (monotonic(), monotonic() + 3_600_000_000_000);
        for start_ns in [before; 3].into_iter().chain([after; 5]) {
            let text = serde_json::to_string(&Event { start_ns, ..Event::default() }).unwrap();
            stage.sender.send(Line { lane: None, text }).unwrap();
        }
        stage.tell_for(Duration::ZERO).unwrap();
        // All that lay there, and the first from after now, or two if the clock had not moved on.
        assert!((4..=5).contains(&stage.received), "{} of 8 were read", stage.received);
    }
}
