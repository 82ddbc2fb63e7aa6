//! `netplay grade`: hostile tests for any server or client.

mod args;
mod cannot;
pub mod challenge;
mod check50;
mod gradescope;
mod json;
mod junit;
mod pages;
mod progress;
mod shown;
mod table;
mod told;
mod whole;

use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr};

use crate::grade::{
    GradeError, Model, Outcome, Plan, TESTS, Test, Verdict, grade, names_a_test, near_test,
    no_points,
};
use anyhow::{Result, bail};
use netplay_text::say;
use serde_json::json;

pub use self::args::Args;

use self::args::{Format, Then};
use self::cannot::{cannot_watch, no_grade, refuse_trace};
use self::check50::as_check50;
use self::gradescope::as_gradescope;
use self::json::as_json;
use self::junit::as_junit;
use self::pages::Pages;
use self::shown::Shown;
use self::told::{heading, points, summary, told};
use self::whole::Whole;
use super::global::Global;
use crate::client::Usage;
use crate::columns::hanging;
use crate::draw::View;
use crate::escape::{escape_unsafe, file_name};
use crate::lang::Lang;
use crate::output::stdout;
use crate::stop::Stop;
use crate::trace::{self, Collection, Speaker, remark};
use crate::watch::allowed;

/// Takes the program through the tests, one at a time.
///
/// # Errors
/// As of [`run`].
pub(super) fn run_challenge(args: &challenge::Args, global: &Global) -> Result<u8> {
    challenge::run(args, global)
}

/// Tests the program.
///
/// # Errors
/// The program cannot be started, or programs cannot be watched here.
pub(super) fn run(args: &Args, global: &Global) -> Result<u8> {
    if let Some(Then::Table(table)) = &args.then {
        return table::run(table, global).map(|()| 0);
    }
    let lang = Lang::current();
    refuse_trace(global, "grade")?;
    for pattern in args.only.iter().chain(&args.skip) {
        if names_a_test(pattern) {
            continue;
        }
        bail!(Usage(match near_test(pattern) {
            Some(near) => say!(
                lang,
                "no test is named {pattern}; did you mean {near}?",
                "没有叫 {pattern} 的测试；是不是 {near}？",
            ),
            None => say!(
                lang,
                "no test is named {pattern}: netplay grade --list says what there is",
                "没有叫 {pattern} 的测试：netplay grade --list 列出所有测试",
            ),
        }));
    }
    if args.list {
        return list(args, lang);
    }
    let model = args.model();
    if !TESTS.iter().any(|test| test.models.contains(&model) && args.wants(test)) {
        let name = model.name();
        bail!(Usage(say!(
            lang,
            "no test is left: netplay grade --list says which tests the model {name} has",
            "没有剩下任何测试：netplay grade --list 列出模型 {name} 有哪些测试",
        )));
    }
    if !args.no_watch {
        allowed().map_err(cannot_watch)?;
    }
    let (teacher, spoken) = (args.teacher(), args.spoken());
    let plan = Plan {
        command: args.command.clone(),
        model,
        protocol: spoken.protocol.clone(),
        host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        seed: args.seed().unwrap_or_else(chosen),
        watched: !args.no_watch,
        timeout: args.timeout(),
    };
    let look = View { lang, ..global.look(false) };
    let pages = args.output.as_deref();
    let tests = TESTS.iter().filter(|test| test.models.contains(&model) && args.wants(test));
    let (tests, of) = (tests.count(), (&plan, &spoken));
    let mut pages = pages.map(|folder| Pages::new(folder, of, tests, look)).transpose()?;
    let mut unwritten = None;
    // From here on a signal ends the grade in order: no program that is tested stays behind.
    let stop = Stop::new();
    stop.on_signals();
    let collection = Collection::default();
    let speaker = Speaker { role: "grader", example: "grade" };
    trace::install(trace::Settings {
        speaker,
        collection: Some(collection.clone()),
        ..trace::Settings::default()
    })?;
    let text = args.format == Format::Text;
    let columns = if io::stdout().is_terminal() {
        crate::terminal::columns_of_stderr().unwrap_or(80)
    } else {
        usize::MAX
    };
    let mut out = stdout();
    if text {
        if let Some(title) = &teacher.title {
            writeln!(out, "{}", hanging(&escape_unsafe(title), columns, 2))?;
        }
        writeln!(out, "{}", hanging(&heading(&plan, lang), columns, 2))?;
    }
    let tell = |outcome: &Outcome| {
        let shown = Shown::to_students(outcome, &teacher, args.reveal());
        if text && !(global.quiet && outcome.verdict == Verdict::Pass) {
            let _ = write!(out, "{}", told(shown, (&plan, &spoken), lang, columns));
            let _ = out.flush();
        }
        if let Some(pages) = &mut pages
            && unwritten.is_none()
        {
            unwritten = pages.add(outcome, shown.reveal()).err();
        }
    };
    let done = grade(&plan, |test| args.wants(test), &collection, tell);
    // A program that could not be started has no points, and a grader that reads the output must learn why.
    let (outcomes, not_started) = match done {
        Ok(outcomes) => (outcomes, None),
        Err(GradeError::Start(error)) if !text && !error.is_forbidden() => {
            (no_points(&plan, |test| args.wants(test), &error), Some(error))
        }
        Err(error) => return Err(no_grade(error)),
    };
    let mut out = stdout();
    let whole = Whole {
        plan: &plan,
        spoken: &spoken,
        teacher: &teacher,
        reveal: args.reveal(),
        outcomes: &outcomes,
        not_started: not_started.as_ref().map(ToString::to_string),
        lang,
    };
    match args.format {
        Format::Text => {
            writeln!(out, "{}", hanging(&summary(&outcomes, &plan, lang), columns, 2))?;
            if let Some(sum) = whole.points() {
                writeln!(out, "{}", points(sum, lang))?;
            }
        }
        Format::Json => writeln!(out, "{:#}", as_json(&whole))?,
        Format::Junit => write!(out, "{}", as_junit(&whole)?)?,
        Format::Gradescope => writeln!(out, "{:#}", as_gradescope(&whole))?,
        Format::Check50 => writeln!(out, "{:#}", as_check50(&whole))?,
    }
    out.flush()?;
    if text && args.no_watch && !global.quiet {
        remark(lang.pick(
            "netplay: without watching, a verdict rests on what the kernel shows of sockets and threads: it proves less",
            "netplay: 不观察时，结论只依据内核显示的套接字和线程：证明力较弱",
        ));
    }
    if let Some(error) = not_started {
        return Err(no_grade(GradeError::Start(error)));
    }
    if let Some(error) = unwritten {
        return Err(error);
    }
    if let (Some(pages), false) = (&pages, global.quiet) {
        let index = file_name(&pages.index());
        remark(say!(
            lang,
            "try next: open {index} in a browser",
            "接下来试试：在浏览器中打开 {index}"
        ));
    }
    Ok(if outcomes.iter().any(|outcome| outcome.verdict == Verdict::Fail) { 3 } else { 0 })
}

/// A seed that differs from time to time, short enough to be typed again.
fn chosen() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |since| u64::from(since.subsec_nanos()) / 1000 % 100_000)
}

fn list(args: &Args, lang: Lang) -> Result<u8> {
    let mut out = stdout();
    let wanted = |test: &&Test| args.wants(test);
    let all = [
        (Model::Concurrent, "concurrent"),
        (Model::Iterative, "iterative"),
        (Model::Udp, "udp"),
        (Model::Client, "client"),
    ];
    if !matches!(args.format, Format::Text | Format::Json) {
        bail!(Usage(
            lang.pick(
                "--list has the formats text and json; the others are for verdicts",
                "--list 只有 text 和 json 两种格式；其他格式用于结论",
            )
            .to_owned()
        ));
    }
    if args.format == Format::Json {
        let tests: Vec<_> = (TESTS.iter().filter(wanted))
            .map(|test| {
                let models: Vec<&str> = test.models.iter().map(|model| model.name()).collect();
                json!({ "id": test.id, "does": test.does.0, "models": models, "lab": test.lab })
            })
            .collect();
        writeln!(out, "{:#}", json!({ "tests": tests }))?;
        return Ok(0);
    }
    for test in TESTS.iter().filter(wanted) {
        let of = all.iter().filter(|(model, _)| test.models.contains(model)).map(|(_, name)| *name);
        let (does, models) =
            (lang.pick(test.does.0, test.does.1), of.collect::<Vec<_>>().join(", "));
        writeln!(out, "{:20}  {does} ({models})", test.id)?;
    }
    Ok(0)
}
