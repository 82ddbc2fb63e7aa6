//! `netplay watch`: other people's programs, told as our own pages are.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args as ClapArgs;
use netplay_text::columns::width;
use netplay_text::say;
use netplay_text::words::{counted, duration, grouped};
use nix::errno::Errno;

use super::args::seconds;
use super::draw::Picture;
use super::global::{Global, open_trace};
use super::serve::{Asking, Serve, has_keys};
use crate::call::monotonic;
use crate::child::CannotRun;
use crate::client::Usage;
use crate::draw::Timeline;
use crate::escape::shell_word;
use crate::files;
use crate::lang::Lang;
use crate::live::{Feed, Live, Step};
use crate::output::stdout;
use crate::record::error_in_words;
use crate::trace::story::{Clock, Fold, Noise, Story};
use crate::trace::{self, Event, Kind, TraceFile, remark};
use crate::watch::conduct::{Audience, ConductError, Plan, conduct};
use crate::watch::{Forbidden, Program, Settings, StartFailure, Twist, allowed, name, way_out_for};

/// What stands between two programs.
const NEXT: &str = "::";

/// How long a record is held back, in nanoseconds, so that one that happened earlier and was heard of later can still
/// overtake it: a send that woke its receiver before it returned.
const HELD_BACK: u64 = 10_000_000;

/// How many records are kept for a picture and for the review.
const KEPT: usize = 200_000;

/// How many bytes of the trace gather before they are written.
const ROOM: usize = 64 * 1024;

/// Watch any programs, in any language: every socket call, told
#[derive(Debug, ClapArgs)]
#[command(
    override_usage = "netplay watch [OPTIONS] -- CMD [ARG]... [:: CMD [ARG]...]...\n       netplay watch [OPTIONS] -p PID",
    after_help = "Each program starts when the one before first waits for a client, or has ended; with --after, at the latest after that time. When the last client has ended, the servers get SIGTERM, the first program last:\n\n    netplay watch -- ./server 5858 :: python3 client.py 127.0.0.1 5858\n    netplay watch -o run.html -- python3 server.py :: ./proxy :: ./client\n\nOne program's exit status is that of netplay; with several it is 0 if all could be watched."
)]
pub struct Args {
    #[command(flatten)]
    picture: Picture,
    /// Watch a process that runs already; repeat it for several. Ctrl-C lets it go
    #[arg(short, long = "pid", value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pids: Vec<i32>,
    /// Start the next program after SECS at the latest, even if the one before has not waited for a client; 0 for at once
    #[arg(long, value_name = "SECS", value_parser = seconds_or_none)]
    after: Option<Duration>,
    /// Leave servers running when the last client has ended
    #[arg(long)]
    keep: bool,
    /// End all programs after SECS [default: never]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    timeout: Option<Duration>,
    #[command(flatten)]
    serve: Serve,
    /// Hold each program at its next socket call until a key is pressed, in the terminal or on the page of --serve
    #[arg(long, conflicts_with = "quiet")]
    step: bool,
    /// Ask the kernel for N bytes of a stream at most in each receive: it may always return fewer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    short_reads: Option<u64>,
    /// Give the kernel N bytes of a stream at most in each send: it may always take fewer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    short_writes: Option<u64>,
    /// Let one in N calls that wait fail with EINTR, as a signal would
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    eintr: Option<u64>,
    /// Let one in N calls on non-blocking sockets fail with EAGAIN. This and the short ones leave out sockets that epoll
    /// watches edge-triggered: there they would be wrong
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    eagain: Option<u64>,
    /// Where the sequence begins that chooses those calls
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Keep N bytes of each transfer
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u64).range(0..=1 << 20))]
    data: u64,
    /// Also tell each call that finds nothing, and draw processes without sockets; without this they are counted
    #[arg(long)]
    all: bool,
    /// Do not name the causes of mistakes at the end; -q also leaves that out
    #[arg(long)]
    no_review: bool,
    /// The programs and their arguments; :: stands between two of them
    #[arg(value_name = "CMD", last = true, required_unless_present = "pids")]
    command: Vec<OsString>,
}

/// A time, which may also be none at all.
fn seconds_or_none(text: &str) -> Result<Duration> {
    if text.parse() == Ok(0.0) { Ok(Duration::ZERO) } else { seconds(text) }
}

/// Watches programs, and tells what they do.
///
/// # Errors
/// A program could not be started, or tracing is forbidden; the trace or the picture cannot be written.
pub(super) fn run(args: &Args, global: &Global) -> Result<u8> {
    let commands: Vec<Vec<OsString>> = match args.command.is_empty() {
        true => Vec::new(),
        false => args.command.split(|word| word == NEXT).map(<[OsString]>::to_vec).collect(),
    };
    if commands.iter().any(Vec::is_empty) {
        bail!(Usage("a program is missing: there is one on each side of ::".to_owned()));
    }
    if args.step && args.serve.serve.is_none() && !has_keys() {
        bail!(Usage(
            "--step waits for keys: it needs a terminal, as input and for the story, or --serve"
                .to_owned()
        ));
    }
    if let Some(path) = &args.picture.output {
        files::try_to_write(path)?;
    }
    if !commands.is_empty() {
        allowed().map_err(forbidden)?;
    }
    let widest = commands.iter().map(|command| lane_width(&name(command))).max().unwrap_or(0);
    let plan = Plan {
        commands,
        processes: args.pids.clone(),
        settings: Settings {
            keep: args.data as usize,
            observe: global.verbose > 1 || global.observe,
            twist: Twist {
                short_reads: args.short_reads,
                short_writes: args.short_writes,
                eintr: args.eintr,
                eagain: args.eagain,
                aborted: None,
                seed: args.seed,
            },
        },
        after: args.after,
        keep: args.keep,
        timeout: args.timeout,
    };
    trace::wait_for_nobody();
    let reviews = !global.quiet && !args.no_review;
    let mut telling = Telling {
        story: global.story(Clock::Wall, io::stderr().is_terminal()),
        all: args.all,
        folds: HashMap::new(),
        noises: HashMap::new(),
        widest,
        file: global.trace.as_deref().map(open_trace).transpose()?,
        lines: Vec::new(),
        held: BTreeMap::new(),
        heard: 0,
        keeps: args.picture.output.is_some() || reviews || args.serve.serve.is_some(),
        records: Vec::new(),
    };
    let mut live = args.serve.open(&title(&args.command), args.picture.time, args.all, global)?;
    let feed = live.as_ref().map(Live::feed);
    let (desk, batches) = Desk::new(args.step, global.quiet, feed.clone());
    let teller = std::thread::spawn(move || {
        batches.into_iter().for_each(|batch| telling.take(batch));
        telling.finish();
        telling
    });
    let done = conduct(&plan, &mut { desk });
    let mut telling =
        teller.join().map_err(|_| anyhow::anyhow!("the telling of the story has ended"))?;
    let lang = Lang::current();
    let missing = telling.file.as_ref().and_then(TraceFile::missing);
    if let Some(missing) = &missing {
        remark(format_args!("netplay: {missing}"));
    }
    if telling.heard as usize > telling.records.len() && args.picture.output.is_some() {
        let (kept, all) = (grouped(KEPT as u64), counted(telling.heard, "record"));
        remark(say!(
            lang,
            "netplay: the picture has the first {kept} of {all}",
            "netplay: 图里有 {all} 中的前 {kept} 条",
        ));
    }
    if done.is_err()
        && let Some(live) = live.take()
    {
        live.end();
    }
    let outcome = done.map_err(explained)?;
    let reviewed = reviews.then(|| super::review::of(&telling.records, telling.heard, global));
    let folded: u64 = telling.noises.values().map(Noise::folded).sum();
    if folded > 0 {
        let (calls, n) = (counted(folded, "call"), grouped(folded));
        remark(say!(
            lang,
            "netplay: the story only counts {calls} of the programs' runtimes: --all tells each",
            "netplay: 程序运行时自己做的 {n} 次调用，上面只计了数：--all 逐个叙述",
        ));
    }
    let cost = cost(outcome.cost, lang);
    if let Some(last) = telling.records.last() {
        // It is the last thing that a picture says.
        let at = last.start_ns + last.dur_ns;
        let text = Some(cost.as_str().into());
        let note =
            Event { kind: Kind::Note, text, start_ns: at, dur_ns: 0, value: None, ..last.clone() };
        if let Some(feed) = &feed {
            feed.record(&note);
        }
        telling.records.push(note);
    }
    // A page that is open has all of it before anything else is written.
    if let Some(live) = live {
        live.end();
    }
    if !global.quiet {
        remark(&cost);
    }
    if let Some(reviewed) = reviewed {
        trace::tell_people(&reviewed);
    }
    let title = title(&args.command);
    args.picture.write(title, Timeline::new(telling.records, &HashMap::new()), args.all, global)?;
    if let Some(trace) = global.trace.as_ref().filter(|trace| !global.quiet && trace.is_file()) {
        let trace = shell_word(trace);
        remark(say!(
            lang,
            "to hand it in: netplay pack {trace} -o run.netplay",
            "要提交这次运行：netplay pack {trace} -o run.netplay",
        ));
    }
    if outcome.late {
        let seconds = args.timeout.unwrap_or_default().as_secs_f64();
        remark(match args.command.is_empty() {
            true => say!(
                lang,
                "netplay: the time is over ({seconds} s): the processes run on, without being watched",
                "netplay: {seconds} 秒已到：进程继续运行，不再被观察",
            ),
            false => say!(
                lang,
                "netplay: the time is over ({seconds} s): the programs were ended",
                "netplay: {seconds} 秒已到：程序被终止",
            ),
        });
    }
    let _ = stdout().flush();
    Ok(match (&outcome.statuses[..], outcome.interrupted) {
        ([Some(status)], _) if status.code() != 0 => status.code() as u8,
        (_, Some(signal)) => 128 + signal as u8,
        _ => missing.is_some().into(),
    })
}

/// What the stops have cost.
fn cost((stops, each): (u64, Duration), lang: Lang) -> String {
    let each = duration(each.as_nanos() as u64);
    match lang {
        Lang::En => format!(
            "watched with {}, {each} of netplay's time in each: the times of calls contain that",
            counted(stops, "stop")
        ),
        Lang::Zh => format!(
            "观察用了 {} 次停顿，每次 netplay 占用 {each}：各调用的时间包含这部分",
            grouped(stops)
        ),
    }
}

/// What the picture is called: the commands.
fn title(command: &[OsString]) -> String {
    let words: Vec<String> =
        command.iter().map(|word| netplay_text::escape::escape(word.as_encoded_bytes())).collect();
    let title = words.join(" ");
    match title.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &title[..end]),
        None => title,
    }
}

/// The error in the terms of the command line: tracing that is forbidden is no fault of the program.
fn explained(error: ConductError) -> anyhow::Error {
    let lang = Lang::current();
    match error {
        ConductError::Start(error) => match error.why {
            StartFailure::Forbidden(call, errno) => forbidden(Forbidden { call, errno }),
            StartFailure::NotFound | StartFailure::Call(..) => error.into(),
        },
        // SELinux answers EACCES, all others EPERM.
        ConductError::Attach(pid, errno @ (Errno::EPERM | Errno::EACCES)) => {
            let (why, way_out) = (in_words(errno), way_out_for(pid, lang));
            CannotRun(say!(
                lang,
                "process {pid}: ptrace: {why}: {way_out}",
                "进程 {pid}：ptrace: {why}：{way_out}",
            ))
            .into()
        }
        ConductError::Attach(pid, errno) => {
            let why = in_words(errno);
            anyhow::anyhow!(say!(lang, "process {pid}: ptrace: {why}", "进程 {pid}：ptrace: {why}"))
        }
        ConductError::Trace(error) => {
            anyhow::Error::new(error).context(lang.pick("cannot go on watching", "无法继续观察"))
        }
    }
}

fn in_words(errno: Errno) -> String {
    error_in_words(&format!("{errno:?}"), Lang::current())
}

/// This machine does not allow to watch programs: what fails, and what to do.
pub(super) fn forbidden(forbidden: Forbidden) -> anyhow::Error {
    let lang = Lang::current();
    let (call, why) = (forbidden.call, in_words(forbidden.errno));
    let way_out = forbidden.way_out(lang);
    CannotRun(say!(
        lang,
        "cannot watch programs here: {call}: {why}: {way_out}",
        "这里不能观察程序：{call}: {why}：{way_out}",
    ))
    .into()
}

/// The story, the trace, and the records for a picture.
struct Telling {
    story: Option<Story>,
    /// Whether each call is told.
    all: bool,
    /// What is counted of each thread.
    folds: HashMap<i32, Fold>,
    /// What is counted of each process.
    noises: HashMap<i32, Noise>,
    /// The width of the widest name so far, so that the calls stand below each other.
    widest: usize,
    file: Option<TraceFile>,
    /// Lines of the trace that are not written yet.
    lines: Vec<u8>,
    /// Records that are not told yet, by their moment; the number keeps apart what happened in the same nanosecond.
    held: BTreeMap<(u64, u64), Event>,
    heard: u64,
    keeps: bool,
    records: Vec<Event>,
}

/// So many records gather before they are handed on, unless time passes first.
const BATCH: usize = 128;

/// So many batches may wait to be told: then the programs wait.
const BATCHES: usize = 64;

/// Where the tracer puts down what it has seen. It is told by another thread, so that the programs do not wait for that.
struct Desk {
    batch: Vec<Event>,
    batches: SyncSender<Batch>,
    /// Whether records may still be held back.
    untold: bool,
    /// Whether each call waits for a key.
    steps: bool,
    /// The question for the next one, while it has no answer.
    asking: Option<Asking>,
    /// Whether only results are told.
    quiet: bool,
    /// The page that shows it as it happens.
    live: Option<Feed>,
}

/// Records, and who wants to know that all of them are told.
struct Batch {
    records: Vec<Event>,
    told: Option<SyncSender<()>>,
}

impl Desk {
    fn new(steps: bool, quiet: bool, live: Option<Feed>) -> (Desk, Receiver<Batch>) {
        let (batches, receiver) = sync_channel(BATCHES);
        (
            Desk { batch: Vec::new(), batches, untold: false, steps, asking: None, quiet, live },
            receiver,
        )
    }

    fn hand_on(&mut self, told: Option<SyncSender<()>>) {
        let records = std::mem::take(&mut self.batch);
        let some = !records.is_empty();
        if some || self.untold || told.is_some() {
            let _ = self.batches.send(Batch { records, told });
        }
        self.untold = some;
    }
}

impl Audience for Desk {
    fn record(&mut self, _: Program, event: Event) {
        if let Some(live) = &self.live {
            live.record(&event);
        }
        self.batch.push(event);
        if self.batch.len() >= BATCH {
            self.hand_on(None);
        }
    }

    fn pause(&mut self) {
        self.hand_on(None);
    }

    fn waits(&mut self, before: &str, next: &str) {
        if !self.quiet {
            remark(say!(
                Lang::current(),
                "netplay: {next} has not started: it does when {before} waits for a client or ends; --after SECS starts it sooner",
                "netplay: {next} 还没有启动：等 {before} 等待客户端或结束时才启动；--after SECS 可以让它更早启动",
            ));
        }
    }

    fn looks(&self) -> bool {
        self.live.is_some()
    }

    fn pending(&mut self, calls: Vec<(Program, Event)>) {
        if let Some(live) = &self.live {
            live.waits(calls.into_iter().map(|(_, call)| call).collect());
        }
    }

    fn steps(&self) -> bool {
        self.steps
    }

    fn stops(&mut self) {
        let (told, all_told) = sync_channel(1);
        self.hand_on(Some(told));
        let _ = all_told.recv();
    }

    fn before(&mut self, call: &Event) {
        self.stops();
        let (lang, role, asked) = (Lang::current(), &call.role, call.asked(Lang::current()));
        if has_keys() {
            remark(say!(
                lang,
                "{role} is about to call {asked}: press a key (c: go on without stops)",
                "{role} 即将调用 {asked}：按任意键（c：不再停下）",
            ));
        }
        if let Some(live) = &self.live {
            live.hold(call);
        }
        // A key for a call that is gone is one for the next.
        self.asking.get_or_insert_with(|| Asking::begin(self.live.clone()));
    }

    fn goes_on(&mut self) -> bool {
        let Some(step) = self.asking.as_ref().map_or(Some(Step::On), Asking::answer) else {
            return false;
        };
        self.asking = None;
        self.steps = step == Step::Next;
        true
    }
}

/// The room for the name of a program. A longer name is told as well, but does not push the others aside.
fn lane_width(name: &str) -> usize {
    Some(width(name)).filter(|&wide| wide <= 16).unwrap_or(0)
}

impl Telling {
    fn tell_until(&mut self, time: u64) {
        let Some(story) = &self.story else { return self.held.clear() };
        let later = self.held.split_off(&(time, 0));
        let mut text = String::new();
        for event in std::mem::replace(&mut self.held, later).into_values() {
            let lane = match event.pid == event.tid {
                true => event.role.to_string(),
                false => format!("{} {}", event.role, event.tid),
            };
            self.widest = self.widest.max(lane_width(&lane));
            let lane = format!("{lane}{}", " ".repeat(self.widest.saturating_sub(width(&lane))));
            let fold = self.folds.entry(event.tid).or_default();
            fold.all = self.all;
            let noise = self.noises.entry(event.pid).or_default();
            text += &story.lines_of_program((noise, fold), &event, &lane);
        }
        if !text.is_empty() {
            trace::tell_people(&text);
        }
    }

    fn write(&mut self, last: Option<&Event>) {
        if self.lines.is_empty() {
            return;
        }
        if let Some(file) = &mut self.file
            && let Err(error) = file.write(&self.lines, last)
        {
            trace::tell_people(&format!(
                "netplay: {}\n",
                say!(
                    Lang::current(),
                    "records are missing in the trace from here on: {error}",
                    "从这里起，跟踪文件缺少记录：{error}",
                )
            ));
        }
        self.lines.clear();
    }

    /// Takes in what has happened, and tells what nothing can overtake any more.
    fn take(&mut self, batch: Batch) {
        let now = monotonic();
        for mut event in batch.records {
            trace::stamp(&mut event);
            if self.file.is_some() {
                serde_json::to_writer(&mut self.lines, &event)
                    .expect("a Vec takes it, and an event has no maps");
                self.lines.push(b'\n');
                if self.lines.len() > ROOM {
                    self.write(Some(&event));
                }
            }
            self.heard += 1;
            if self.keeps && self.records.len() < KEPT {
                self.records.push(event.clone());
            }
            if self.story.is_some() {
                self.held.insert((event.moment(), self.heard), event);
            }
        }
        match batch.told {
            None => self.tell_until(now.saturating_sub(HELD_BACK)),
            Some(told) => {
                self.tell_until(u64::MAX);
                let _ = told.send(());
            }
        }
        self.write(None);
    }

    fn finish(&mut self) {
        self.tell_until(u64::MAX);
        self.write(None);
    }
}
