//! Both sides of an example in this terminal, told as it happens.

use std::io::Write;

use anyhow::{Context, Result, anyhow};
use clap::ArgMatches;

use super::draw::Picture;
use super::global::Global;
use super::global::open_trace;
use crate::demo::{self, Recording};
use crate::draw::Timeline;
use crate::examples::{Example, examples, next};
use crate::files;
use crate::output::stdout;
use crate::stop::Stop;
use crate::terminal::columns;
use crate::trace::story::Clock;
use crate::{call, trace};

/// Both sides in this terminal, and in a picture if one is asked for.
pub(super) fn show(example: &Example, picture: &Picture, v6: bool, global: &Global) -> Result<()> {
    if let Some(path) = &picture.output {
        files::try_to_write(path)?;
    }
    let Recording { records, names, missing } =
        demos(&[example], v6, global, picture.output.is_some())?;
    let title = format!("netplay {} demo", example.name);
    picture.write(title, Timeline::new(records, &names), global)?;
    if !global.quiet {
        writeln!(stdout(), "try next: {}", next(example.name))?;
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
pub(super) fn tour(matches: &ArgMatches, global: &Global) -> Result<()> {
    let named = |name| examples().find(|row| row.name == name).context("the tour's examples exist");
    let three = [named("tcp-echo")?, named("udp-echo")?, named("select")?];
    let missing = demos(&three, over_v6(matches), global, false)?.missing;
    if !global.quiet {
        let mut out = stdout();
        writeln!(
            out,
            "try next, in two terminals: netplay tcp-server    and    netplay tcp-client"
        )?;
    }
    whole(missing)
}

/// One demo after the other, each with its own clock. Their records, if they are to be drawn.
fn demos(examples: &[&Example], v6: bool, global: &Global, drawn: bool) -> Result<Recording> {
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
        out: &mut out,
        columns,
        trace,
        missing: None,
        observe,
        secrets: global.show_secrets,
        recording,
        stop,
    };
    let mut missing = None;
    for example in examples {
        audience.story = global.story(Clock::Since(call::monotonic()), terminal);
        if audience.story.is_some() {
            writeln!(audience.out, "== {}: {}", example.name, example.summary)?;
            writeln!(audience.out, "   watch: {}\n", example.watch)?;
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
