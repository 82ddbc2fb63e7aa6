//! Two forms of the record: a story for people, JSON Lines for programs.
//!
//! ```
//! use netplay_call::{self as call, Domain, Type};
//!
//! netplay_trace::tell("server")?; // from here on, each call is a line on standard error:
//! let socket = call::socket(Domain::IPV4, Type::STREAM, 0)?;
//! call::close(socket)?;
//! // 10:29:31.457 server   socket        3  a new TCP (IPv4) socket: no address yet, no peer
//! // 10:29:31.457 server   close         3  closed
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every call of [`call`](netplay_call) is an event of the `tracing` crate. [`install`] listens to
//! them: one layer turns each into a line of the [`story`] on standard error, another into a line
//! of JSON in a file. Any other `tracing` subscriber can listen instead; the events are ordinary.
//!
//! The story is told call by call. The JSON lines of a busy server gather, and are written
//! many at a time; before the server sleeps, all of them are in the file (`batch.rs` says when, and what a signal
//! can lose). Lines for a pipe, and those of a client, are written at once.

pub mod output;
pub mod story;
pub mod progress;
mod screen;
#[cfg(test)]
mod noise;
mod batch;
mod file;
mod calendar;

use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

pub use batch::missing;
pub use file::TraceFile;
use netplay_text::columns::hanging;
use netplay_text::lang::Lang;
use netplay_text::say;
pub use output::write_whole;
use progress::to_people;
pub use progress::to_people as tell_people;
pub use screen::wait_for_nobody;
use story::{Clock, Fold, Story};

pub use netplay_record::{Event, Kind, Text};

/// The names in every record of this process and of the children it forks.
#[derive(Debug, Clone, Default)]
pub struct Speaker {
    /// `server`, `client`, or another name for the role of this process.
    pub role: &'static str,
    /// The example's name.
    pub example: &'static str,
}

/// What to do with the record.
#[derive(Debug, Default)]
pub struct Settings {
    /// The names in every record.
    pub speaker: Speaker,
    /// The story on standard error, and how; `None` for silence.
    pub story: Option<Story>,
    /// The file for JSON Lines.
    pub file: Option<TraceFile>,
    /// Where the records are kept for this process itself.
    pub collection: Option<Collection>,
}

/// Records that are kept for the process that made them: an experiment draws its own timeline.
#[derive(Debug, Clone, Default)]
pub struct Collection(Arc<Mutex<Vec<Event>>>);

impl Collection {
    /// Keeps a record, also one of another process.
    pub fn add(&self, record: Event) {
        self.records().push(record);
    }

    /// Takes all records kept so far, in the order in which they came.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.records())
    }

    fn records(&self) -> MutexGuard<'_, Vec<Event>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a part of an experiment that makes too many calls to tell, or that must not be slowed down: its calls
/// are not recorded, and cost nothing extra. A note in the record says so.
pub fn unrecorded<T>(what: &str, part: impl FnOnce() -> T) -> T {
    tracing::info!("{}", say!(Lang::current(), "not recorded: {what}", "没有记录：{what}"));
    let before = PAUSED.swap(true, Relaxed); // it may be nested
    let result = part();
    PAUSED.store(before, Relaxed);
    result
}

static PAUSED: AtomicBool = AtomicBool::new(false);

/// Gives the records of this thread a role of their own, because both sides can be threads of one process.
pub fn speak_as(role: &'static str) {
    ROLE.set(Some(role));
}

thread_local! {
    static ROLE: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Listens to the record from now on. Without a story, a file or a collection there is no listener, and calls
/// cost nothing extra.
///
/// # Errors
/// There is a listener already.
pub fn install(settings: Settings) -> io::Result<()> {
    let Settings { speaker, story, file, collection } = settings;
    if story.is_none() && file.is_none() && collection.is_none() {
        return Ok(());
    }
    if story.is_some() && speaker.role == "server" {
        screen::wait_for_nobody();
    }
    let first = nix::unistd::getpid().as_raw();
    let story = story.map(|story| {
        Telling::new(speaker.clone(), move |event, _| tell_story(&story, event, first))
    });
    let kept = collection.map(|collection| {
        Telling::new(speaker.clone(), move |event, _| collection.add(event.clone()))
    });
    let lines = file.map(|file| {
        batch::begin(file, speaker.role == "server");
        Telling::new(speaker, batch::add)
    });
    tracing_subscriber::registry()
        .with(story)
        .with(kept)
        .with(lines)
        .try_init()
        .map_err(io::Error::other)
}

/// Tells each call of this program from now on as a line of a story on standard error, under this role:
/// `server`, `client`, or another name. Colours are used on a terminal, unless `NO_COLOR` is set.
///
/// ```
/// netplay_trace::tell("server")?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// There is a listener already.
pub fn tell(role: &'static str) -> io::Result<()> {
    let color = io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lang = Lang::current();
    let story = Story { detail: 0, color, ascii: false, clock: Clock::Wall, lang };
    let speaker = Speaker { role, example: "" };
    install(Settings { speaker, story: Some(story), ..Settings::default() })
}

fn tell_story(story: &Story, event: &Event, first: i32) {
    thread_local! {
        // Each thread folds its own repetitions. So telling takes no lock, and a forked child can
        // never inherit a held lock.
        static FOLD: std::cell::RefCell<Fold> = std::cell::RefCell::default();
    }
    let lane = if event.tid == first {
        event.role.as_str().to_owned()
    } else {
        format!("{} {}", event.role, event.tid)
    };
    let lines = FOLD.with_borrow_mut(|fold| {
        fold.bar = progress::shown();
        story.lines(fold, event, &lane)
    });
    if !lines.is_empty() {
        to_people(&lines);
    }
}

/// Writes a line to standard error that is not part of the record: a result, a hint. On a terminal
/// ([`fit_terminal`]) it wraps between words. If the reader has gone (`2>&1 | head`), `eprintln!` would panic; this
/// does nothing.
pub fn remark(text: impl std::fmt::Display) {
    batch::tell();
    to_people(&(hanging(&text.to_string(), screen::columns(), 2) + "\n"));
}

pub use screen::{columns, fit_terminal};

/// Gives a record that was made outside of this process's own calls its calendar time and this boot.
pub fn stamp(event: &mut Event) {
    static BOOT: std::sync::LazyLock<Option<netplay_record::Text>> = std::sync::LazyLock::new(boot);
    event.boot.clone_from(&BOOT);
    event.wall = calendar::rfc3339(event.start_ns).into();
}

/// A layer that turns each event of this crate into an [`Event`] and tells it.
struct Telling<F> {
    speaker: Speaker,
    boot: Option<Text>,
    tell: F,
}

impl<F: Fn(&Event, u64)> Telling<F> {
    fn new(speaker: Speaker, tell: F) -> Telling<F> {
        Telling { speaker, boot: boot(), tell }
    }
}

impl<S: Subscriber, F: Fn(&Event, u64) + 'static> Layer<S> for Telling<F> {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_ours(metadata) && !PAUSED.load(Relaxed)
    }

    /// Asked for each call again, because [`unrecorded`] changes the answer.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_ours(metadata) { Interest::sometimes() } else { Interest::never() }
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let (pid, tid) = netplay_call::who();
        let mut read = Reader(Event {
            v: 1,
            kind: Kind::Note,
            pid,
            tid,
            role: ROLE.get().unwrap_or(self.speaker.role).into(),
            example: self.speaker.example.into(),
            boot: self.boot.clone(),
            ..Event::default()
        });
        event.record(&mut read);
        let mut event = read.0;
        let (call, again) = netplay_record::told();
        (event.what, event.again) = (call.into(), again);
        let now = netplay_call::monotonic();
        if event.kind == Kind::Note {
            event.start_ns = now;
        }
        event.wall = calendar::rfc3339(event.start_ns).into();
        (self.tell)(&event, now);
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("netplay")
}

/// Two records with the same one were timed by the same clock (random(4), proc_sys_kernel(5)). A time namespace whose
/// CLOCK_MONOTONIC is set off has a clock of its own, and so a number of its own (time_namespaces(7)).
fn boot() -> Option<Text> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = id.get(..8)?;
    let offsets = std::fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let monotonic = offsets
        .lines()
        .map(words)
        .find(|words| matches!(words.first().map(String::as_str), Some("monotonic" | "1")));
    let offset = |word: &String| word.parse::<i64>().ok();
    let set_off: i64 = match monotonic.as_deref() {
        Some([_, seconds, nanos]) => {
            offset(seconds)?.wrapping_mul(1_000_000_000).wrapping_add(offset(nanos)?)
        }
        _ => 0,
    };
    if set_off == 0 {
        return Some(id.into());
    }
    let mixed = (set_off as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32; // any large odd number spreads the bits
    let id = u32::from_str_radix(id, 16).ok()? ^ mixed as u32;
    Some(format!("{id:08x}").into())
}

/// Reads the fields of a `tracing` event.
struct Reader(Event);

impl Visit for Reader {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.text = Some(format!("{value:?}").into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let slot = match field.name() {
            "call" => {
                if self.0.kind == Kind::Note {
                    self.0.kind = Kind::Call;
                }
                &mut self.0.call
            }
            "kind" => {
                self.0.kind = if value == "submit" { Kind::Submit } else { Kind::Complete };
                return;
            }
            "syscall" => &mut self.0.syscall,
            "args" => &mut self.0.args,
            "errno" => &mut self.0.errno,
            "data" => &mut self.0.data,
            "local" => &mut self.0.local,
            "peer" => &mut self.0.peer,
            "out" => &mut self.0.out,
            "value" => &mut self.0.value,
            "ready" => &mut self.0.ready,
            "state" => &mut self.0.state,
            "message" => &mut self.0.text,
            _ => return,
        };
        *slot = Some(value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "datagrams" {
            self.0.datagrams = Some(value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        match field.name() {
            "fd" => self.0.fd = Some(value as i32),
            "ret" => self.0.ret = Some(value),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "bytes" => self.0.bytes = Some(value),
            "asked" => self.0.asked = Some(value),
            "hidden" => self.0.hidden = Some(value),
            "user_data" => self.0.user_data = Some(value),
            "start_ns" => self.0.start_ns = value,
            "dur_ns" => self.0.dur_ns = value,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_unrecorded_part_is_not_the_end_of_the_whole() {
        unrecorded("the whole", || {
            unrecorded("a part of it", || {});
            assert!(PAUSED.load(Relaxed));
        });
        assert!(!PAUSED.load(Relaxed));
    }
}
