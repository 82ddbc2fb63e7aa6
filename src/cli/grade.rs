//! `netplay grade`: hostile tests for any server or client.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use crate::grade::{GradeError, Model, Outcome, Plan, Protocol, TESTS, Test, Verdict, grade};
use anyhow::{Result, anyhow, bail};
use clap::builder::{StringValueParser, TypedValueParser};
use clap::{Args as ClapArgs, ValueEnum};
use netplay_text::say;
use serde_json::json;

use super::global::Global;
use crate::child::CannotRun;
use crate::client::{Interrupted, Usage};
use crate::columns::hanging;
use crate::escape::shell_word;
use crate::lang::Lang;
use crate::output::stdout;
use crate::trace::{self, Collection, Speaker, remark};
use crate::watch::{StartFailure, allowed};

/// Test any server or client, in any language, and name the causes of failures
#[derive(Debug, ClapArgs)]
#[command(
    override_usage = "netplay grade [OPTIONS] -- CMD [ARG]...\n       netplay grade --client [OPTIONS] -- CMD [ARG]...",
    after_help = "{host} and {port} in ARG are replaced; a command without {port} finds PORT in its environment:\n\n    netplay grade -- python3 server.py {host} {port}\n    netplay grade --protocol line --model iterative -- ./server {port}\n    netplay grade --client -- ./client {host} {port}\n\nExit status: 0 if nothing failed, 3 if a test failed, 1 if the program could not be started."
)]
pub struct Args {
    /// What a right answer is: echo, line, or a TOML file
    #[arg(long, value_name = "echo|line|FILE", default_value = "echo", value_parser = protocol())]
    protocol: Spoken,
    /// What kind of server it is
    #[arg(long, value_enum, default_value = "concurrent")]
    model: ServerModel,
    /// Test a client: netplay is its server
    #[arg(long, conflicts_with = "model")]
    client: bool,
    /// Make these tests only: a name, a group, or a pattern with *; repeat it for more
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// Leave out these tests
    #[arg(long, value_name = "PATTERN")]
    skip: Vec<String>,
    /// Say what tests there are
    #[arg(long)]
    list: bool,
    /// From which the requests follow that are chosen [default: another one each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How long a test may take
    #[arg(long, value_name = "SECS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Do not watch the program: faster to begin with, and the verdicts prove less
    #[arg(long)]
    no_watch: bool,
    /// How the verdicts are written
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The program and its arguments
    #[arg(value_name = "CMD", last = true, required_unless_present = "list")]
    command: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ServerModel {
    /// One client after the other
    Iterative,
    /// Many clients at once
    Concurrent,
    /// Datagrams
    Udp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// A protocol, and how it was given.
#[derive(Debug, Clone)]
struct Spoken {
    typed: String,
    protocol: Protocol,
}

fn protocol() -> impl TypedValueParser<Value = Spoken> {
    let read = |typed: String| Protocol::of(&typed).map(|protocol| Spoken { typed, protocol });
    StringValueParser::new().try_map(read)
}

impl Args {
    fn model(&self) -> Model {
        match self.model {
            _ if self.client => Model::Client,
            ServerModel::Iterative => Model::Iterative,
            ServerModel::Concurrent => Model::Concurrent,
            ServerModel::Udp => Model::Udp,
        }
    }

    fn wants(&self, test: &Test) -> bool {
        let named = |patterns: &[String]| patterns.iter().any(|pattern| test.is_named(pattern));
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }
}

/// Tests the program.
///
/// # Errors
/// The program cannot be started, or programs cannot be watched here.
pub(super) fn run(args: &Args, global: &Global) -> Result<u8> {
    let lang = Lang::current();
    for pattern in args.only.iter().chain(&args.skip) {
        if !TESTS.iter().any(|test| test.is_named(pattern)) {
            bail!(Usage(say!(
                lang,
                "no test is named {pattern}: netplay grade --list says what there is",
                "没有叫 {pattern} 的测试：netplay grade --list 列出所有测试",
            )));
        }
    }
    if args.list {
        return list(args, lang);
    }
    if !args.no_watch {
        allowed().map_err(super::watch::forbidden)?;
    }
    let plan = Plan {
        command: args.command.clone(),
        model: args.model(),
        protocol: args.protocol.protocol.clone(),
        host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        seed: args.seed.unwrap_or_else(chosen),
        watched: !args.no_watch,
        timeout: Duration::from_secs(args.timeout),
    };
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
        writeln!(out, "{}", hanging(&heading(&plan, lang), columns, 2))?;
    }
    let tell = |outcome: &Outcome| {
        if text && !(global.quiet && outcome.verdict == Verdict::Pass) {
            let _ = write!(out, "{}", told(outcome, (&plan, &args.protocol), lang, columns));
            let _ = out.flush();
        }
    };
    let done = grade(&plan, |test| args.wants(test), &collection, tell);
    let outcomes = done.map_err(|error| match error {
        GradeError::Start(error) => match error.why {
            StartFailure::Forbidden(..) => CannotRun(error.to_string()).into(),
            _ => anyhow::Error::new(error),
        },
        GradeError::Interrupted => anyhow!(Interrupted),
    })?;
    let mut out = stdout();
    match args.format {
        Format::Text => writeln!(out, "{}", hanging(&summary(&outcomes, &plan, lang), columns, 2))?,
        Format::Json => writeln!(out, "{:#}", as_json(&outcomes, &plan))?,
    }
    out.flush()?;
    if text && args.no_watch && !global.quiet {
        remark(lang.pick(
            "netplay: without watching, a verdict rests on what the kernel shows of sockets and threads: it proves less",
            "netplay: 不观察时，结论只依据内核显示的套接字和线程：证明力较弱",
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

/// A command as it can be typed again.
fn typed(command: &[OsString]) -> String {
    let words = command.iter().map(|word| match word.to_str() {
        // What netplay replaces, a shell leaves alone.
        Some(word @ ("{host}" | "{port}")) => word.to_owned(),
        _ => shell_word(Path::new(word)),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn heading(plan: &Plan, lang: Lang) -> String {
    let (command, model, protocol, seed) =
        (typed(&plan.command), plan.model.name(), plan.protocol.name(), plan.seed);
    say!(
        lang,
        "grade: {command} (model {model}, protocol {protocol}, seed {seed})",
        "评测：{command}（模型 {model}，协议 {protocol}，种子 {seed}）",
    )
}

/// The command that makes one test again.
fn again(outcome: &Outcome, (plan, spoken): (&Plan, &Spoken)) -> String {
    let (id, seed, command) = (outcome.test.id, plan.seed, typed(&plan.command));
    let model = match plan.model {
        Model::Concurrent => String::new(),
        Model::Client => " --client".to_owned(),
        model => format!(" --model {}", model.name()),
    };
    let protocol = match &plan.protocol {
        Protocol::Echo => String::new(),
        _ => format!(" --protocol {}", shell_word(Path::new(&spoken.typed))),
    };
    format!("netplay grade --only {id} --seed {seed}{model}{protocol} -- {command}")
}

fn verdict(verdict: Verdict, lang: Lang) -> &'static str {
    match verdict {
        Verdict::Pass => lang.pick("pass", "通过"),
        Verdict::NonStrict => lang.pick("non-strict", "不严格"),
        Verdict::Fail => lang.pick("FAIL", "失败"),
        Verdict::Info => lang.pick("info", "信息"),
        Verdict::Skipped => lang.pick("skipped", "跳过"),
    }
}

/// An outcome for people.
fn told(outcome: &Outcome, of: (&Plan, &Spoken), lang: Lang, columns: usize) -> String {
    let (id, word) = (outcome.test.id, verdict(outcome.verdict, lang));
    let why = outcome.because.as_ref().map(|because| because.get(lang)).unwrap_or_default();
    let mut lines = vec![hanging(format!("{id:20}  {word}  {why}").trim_end(), columns, 22)];
    let mut add = |line: &str| lines.push(hanging(&format!("    {line}"), columns, 6));
    if let Some(sentence) = &outcome.sentence {
        let rule = outcome.rule.map(|rule| format!("{}: ", rule.name())).unwrap_or_default();
        add(&format!("{rule}{}", sentence.get(lang)));
    }
    for call in &outcome.proof {
        add(&format!("  {}", super::review::line(call, lang)));
    }
    if let Some(last) = outcome.errors.lines().rfind(|line| !line.trim().is_empty()) {
        let last = last.trim();
        add(&say!(lang, "its last line of errors: {last}", "它的最后一行错误输出：{last}"));
    }
    if outcome.verdict == Verdict::Fail {
        let lab = outcome.test.command();
        add(&say!(lang, "learn more: {lab}", "进一步学习：{lab}"));
        let again = again(outcome, of);
        add(&say!(lang, "again: {again}", "重做：{again}"));
    }
    lines.join("\n") + "\n"
}

fn count(outcomes: &[Outcome], verdict: Verdict) -> usize {
    outcomes.iter().filter(|outcome| outcome.verdict == verdict).count()
}

fn summary(outcomes: &[Outcome], plan: &Plan, lang: Lang) -> String {
    let of = |verdict| count(outcomes, verdict);
    let (pass, loose, fail, skipped) =
        (of(Verdict::Pass), of(Verdict::NonStrict), of(Verdict::Fail), of(Verdict::Skipped));
    let seed = plan.seed;
    say!(
        lang,
        "{pass} pass, {loose} non-strict, {fail} fail, {skipped} skipped (seed {seed})",
        "{pass} 通过，{loose} 不严格，{fail} 失败，{skipped} 跳过（种子 {seed}）",
    )
}

/// The outcomes for programs; their words are English in every locale.
fn as_json(outcomes: &[Outcome], plan: &Plan) -> serde_json::Value {
    let tests: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            json!({
                "id": outcome.test.id,
                "verdict": outcome.verdict.name(),
                "sentence": outcome.sentence.as_ref().map(|said| said.get(Lang::En)),
                "rule": outcome.rule.map(|rule| rule.name()),
                "because": outcome.because.as_ref().map(|said| said.get(Lang::En)),
                "lab": outcome.test.lab,
                "ms": u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX),
            })
        })
        .collect();
    let summary: serde_json::Map<_, _> = (Verdict::ALL.iter())
        .map(|&verdict| (verdict.name().to_owned(), count(outcomes, verdict).into()))
        .collect();
    json!({ "tests": tests, "summary": summary, "seed": plan.seed })
}
