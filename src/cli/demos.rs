//! Both sides of an example in this terminal, told as it happens, or at a pace of its own.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use clap::ArgMatches;
use netplay_text::say;

use super::draw::Picture;
use super::global::Global;
use super::global::open_trace;
use super::serve::Serve;
use super::sides::try_next;
use crate::client::{Interrupted, Usage};
use crate::columns::wrapped;
use crate::demo::{self, Recording};
use crate::draw::Timeline;
use crate::examples::{Example, examples};
use crate::files;
use crate::lang::Lang;
use crate::live::{Feed, Live};
use crate::output::stdout;
use crate::stop::Stop;
use crate::terminal::{columns, key};
use crate::trace::story::Clock;
use crate::{call, trace};

/// How fast a demo is told.
#[derive(Debug, Default, Clone, Copy, clap::Args)]
pub(super) struct Telling {
    /// Tell the next call at each key. Both sides run first, at their own speed: all times are those of that run
    #[arg(long)]
    step: bool,
    /// Tell it in FACTOR times the time that it took, 0.1 to 1000 [default: as it happens]. Both sides run first, at their own speed
    #[arg(long, value_name = "FACTOR", conflicts_with = "step", value_parser = factor)]
    slow: Option<f64>,
}

fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor| (0.1..=1000.0).contains(factor));
    factor.ok_or_else(|| "a number from 0.1 to 1000".to_owned())
}

impl Telling {
    /// Whether it can be told so here.
    fn check(self, global: &Global) -> Result<()> {
        let paced = self.step || self.slow.is_some();
        let silent = "--step and --slow are for the story, and -q asks for none";
        ensure!(!paced || !global.quiet, Usage(silent.to_owned()));
        let terminal = io::stdin().is_terminal() && stdout().is_terminal();
        let no_keys = "--step waits for keys: it needs a terminal, as input and as output";
        ensure!(!self.step || terminal, Usage(no_keys.to_owned()));
        Ok(())
    }

    /// What to do before each call is told.
    fn pace(self, stop: &Stop) -> Option<demo::Pace> {
        let stop = stop.clone();
        if let Some(factor) = self.slow {
            return Some(Box::new(move |since: Duration| sleep(since.mul_f64(factor), &stop)));
        }
        let mut every = self.step;
        self.step.then(|| -> demo::Pace {
            Box::new(move |_| {
                if every {
                    let key = key().map_err(|error| match error.kind() {
                        io::ErrorKind::Interrupted => Interrupted.into(),
                        _ => anyhow::Error::new(error).context("cannot read a key"),
                    })?;
                    every = key != Some('c');
                }
                if stop.requested() { Err(Interrupted.into()) } else { Ok(()) }
            })
        })
    }

    /// What a person has to know before it begins.
    fn introduction(self, lang: Lang) -> Option<String> {
        if self.step {
            let [en, zh] = [
                "The sides run first, at their own speed; then each key tells the next call (c: all the rest, \
                 Ctrl-C: the end).",
                "两侧先按自己的速度运行；之后每按一个键，讲下一个调用（c：讲完其余的，Ctrl-C：结束）。",
            ];
            return Some(lang.pick(en, zh).to_owned());
        }
        self.slow.map(|factor| {
            say!(
                lang,
                "The sides run first, at their own speed; then the story takes {factor} times as long.",
                "两侧先按自己的速度运行；之后用 {factor} 倍的时间来讲述。"
            )
        })
    }
}

/// What stands above the story: a title, and paragraphs below it. On a terminal of so many columns no word is cut.
fn head(paragraphs: impl Iterator<Item = String>, columns: Option<usize>) -> String {
    let room = columns.unwrap_or(usize::MAX).saturating_sub(3).max(20);
    let mut head = String::new();
    for (nth, paragraph) in paragraphs.enumerate() {
        for (line, words) in wrapped(&paragraph, room).enumerate() {
            let indent = if nth + line == 0 { "" } else { "   " };
            head += &format!("{indent}{words}\n");
        }
        head += if nth == 0 { "" } else { "\n" };
    }
    head
}

/// Sleeps, unless the demo is to end.
fn sleep(time: Duration, stop: &Stop) -> Result<()> {
    const LOOK: Duration = Duration::from_millis(50);
    let end = Instant::now() + time;
    loop {
        if stop.requested() {
            return Err(Interrupted.into());
        }
        match end.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => std::thread::sleep(left.min(LOOK)),
            _ => return Ok(()),
        }
    }
}

/// Both sides in this terminal, and in a picture if one is asked for.
pub(super) fn show(
    example: &Example,
    picture: &Picture,
    (telling, serve): (Telling, Serve),
    v6: bool,
    global: &Global,
) -> Result<()> {
    telling.check(global)?;
    let both = "--serve shows it as it happens, without --step or --slow; watch --serve has --step";
    ensure!(
        serve.serve.is_none() || !(telling.step || telling.slow.is_some()),
        Usage(both.to_owned())
    );
    if let Some(path) = &picture.output {
        files::try_to_write(path)?;
    }
    let title = format!("netplay {} demo", example.name);
    let live = serve.open(&title, picture.time, true, global)?;
    let feed = live.as_ref().map(Live::feed);
    let drawn = picture.output.is_some() || live.is_some();
    let run = demos(&[example], v6, telling, global, (drawn, feed));
    if let Some(live) = live {
        live.end();
    }
    let Recording { records, names, missing } = run?;
    picture.write(title, Timeline::new(records, &names), true, global)?;
    if !global.quiet {
        writeln!(stdout(), "{}", try_next(example))?;
    }
    whole(missing)
}

/// A demo whose trace lacks records is no success.
fn whole(missing: Option<String>) -> Result<()> {
    missing.map_or(Ok(()), |missing| Err(anyhow!(missing)))
}

/// Whether a demo is to run over IPv6; one without a network has no such option.
pub(super) fn over_v6(matches: &ArgMatches) -> bool {
    matches!(matches.try_get_one("v6"), Ok(Some(true)))
}

/// Three demos that show the most in the least time.
pub(super) fn tour(matches: &ArgMatches, telling: Telling, global: &Global) -> Result<()> {
    telling.check(global)?;
    let named = |name| examples().find(|row| row.name == name).context("the tour's examples exist");
    let three = [named("tcp-echo")?, named("udp-echo")?, named("select")?];
    let missing = demos(&three, over_v6(matches), telling, global, (false, None))?.missing;
    if !global.quiet {
        let next = Lang::current().pick(
            "try next, in two terminals: netplay tcp-server    and    netplay tcp-client",
            "接下来在两个终端里试试：netplay tcp-server    和    netplay tcp-client",
        );
        writeln!(stdout(), "{next}")?;
    }
    whole(missing)
}

/// One demo after the other, each with its own clock. Their records, if they are to be `drawn`, or shown as they come.
fn demos(
    examples: &[&Example],
    v6: bool,
    telling: Telling,
    global: &Global,
    (drawn, live): (bool, Option<Feed>),
) -> Result<Recording> {
    let mut out = stdout();
    let terminal = out.is_terminal();
    let trace = global.trace.as_deref().map(open_trace).transpose()?;
    let stop = Stop::new();
    stop.on_signals();
    trace::wait_for_nobody();
    let observe = drawn || global.observe || global.verbose > 1;
    let recording = drawn.then(Recording::default);
    let columns = if terminal { columns } else { || None };
    let mut audience = demo::Audience {
        story: None,
        pace: telling.pace(&stop),
        out: &mut out,
        columns,
        trace,
        missing: None,
        observe,
        secrets: global.show_secrets,
        recording,
        live,
        stop,
    };
    let mut missing = None;
    for example in examples {
        audience.story = global.story(Clock::Since(call::monotonic()), terminal);
        if audience.story.is_some() {
            let lang = Lang::current();
            let (summary, watch) = (example.summary.told(lang), example.watch.told(lang));
            let title = format!("== {}: {summary}", example.name);
            let watch = say!(lang, "watch: {watch}", "注意：{watch}");
            let above = [title, watch].into_iter().chain(telling.introduction(lang));
            write!(audience.out, "{}", head(above, columns()))?;
            audience.out.flush()?;
        }
        let run = demo::run(example, v6, &mut audience);
        missing = audience.missing.take();
        if let (Err(_), Some(missing)) = (&run, &missing) {
            trace::remark(format_args!("netplay: {missing}"));
        }
        run?;
        if audience.story.is_some() {
            writeln!(audience.out)?;
        }
    }
    Ok(Recording { missing, ..audience.recording.unwrap_or_default() })
}
