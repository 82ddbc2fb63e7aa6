//! `netplay challenge`: the tests of a grade as a course, one after the other.
//!
//! ```text
//! netplay challenge -- ./server {port}     the first test that fails: a question
//! the same again, nothing changed          a hint, then another, then the cause and what proves it
//! the same again, the program changed      the tests so far are made again; the next question
//! ```

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use clap::Args as ClapArgs;
use netplay_text::say;

use super::args::{ServerModel, Spoken, protocol};
use super::cannot::{cannot_watch, no_grade, refuse_trace};
use super::progress::{Forgotten, Progress, Stand};
use super::shown::Shown;
use super::told::{told, typed, verdict};
use crate::cli::global::Global;
use crate::columns::hanging;
use crate::failure::in_words;
use crate::grade::{CHALLENGES, Challenge, Model, Outcome, Plan, Reveal, TESTS, Verdict, grade};
use crate::lang::Lang;
use crate::output::stdout;
use crate::stop::Stop;
use crate::trace::{self, Collection, Speaker, remark};
use crate::watch::allowed;

/// Improve a server or client of your own, one test at a time: a question, hints, the cause
#[derive(Debug, ClapArgs)]
#[command(
    override_usage = "netplay challenge [OPTIONS] -- CMD [ARG]...\n       netplay challenge --client [OPTIONS] -- CMD [ARG]...\n       netplay challenge --reset [-- CMD [ARG]...]",
    after_help = "The first test that fails is the challenge: it asks a question. The same command again gives a hint, then another, then the cause. When the program has changed, the tests that it passed before are made again first:\n\n    netplay challenge -- python3 server.py {host} {port}\n    netplay challenge --protocol line --model iterative -- ./server {port}\n    netplay challenge --client -- ./client {host} {port}\n\nExit status: 0 if every test is passed, 3 if one failed, 1 if the program could not be started."
)]
pub struct Args {
    /// What a right answer is: echo, line, or a TOML file
    #[arg(long, value_name = "echo|line|FILE", default_value = "echo", value_parser = protocol())]
    protocol: Spoken,
    /// What kind of server it is
    #[arg(long, value_enum, default_value = "concurrent")]
    model: ServerModel,
    /// Improve a client: netplay is its server
    #[arg(long, conflicts_with = "model")]
    client: bool,
    /// Give the next hint, also where the program has changed
    #[arg(long)]
    hint: bool,
    /// Forget how far this program is, or without CMD every program
    #[arg(long, conflicts_with = "hint")]
    reset: bool,
    /// Choose the requests by this number: the same N, the same requests
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How long a test may take
    #[arg(long, value_name = "SECS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Do not watch the program, where that is forbidden: the verdicts prove less
    #[arg(long)]
    no_watch: bool,
    /// The program and its arguments
    #[arg(value_name = "CMD", last = true, required_unless_present = "reset")]
    command: Vec<OsString>,
}

impl Args {
    fn plan(&self) -> Plan {
        Plan {
            command: self.command.clone(),
            model: match self.model {
                _ if self.client => Model::Client,
                ServerModel::Iterative => Model::Iterative,
                ServerModel::Concurrent => Model::Concurrent,
                ServerModel::Udp => Model::Udp,
            },
            protocol: self.protocol.protocol.clone(),
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            seed: self.seed,
            watched: !self.no_watch,
            timeout: Duration::from_secs(self.timeout),
        }
    }

    /// The name under which it is kept how far the program is: the same words in another folder are another program.
    fn key(&self, plan: &Plan) -> String {
        let folder = std::env::current_dir().unwrap_or_default();
        let (folder, command) = (crate::escape::file_name(&folder), typed(&plan.command));
        let (model, protocol) = (plan.model.name(), &self.protocol.typed);
        format!("{folder}: {command} ({model}, {protocol})")
    }
}

/// Makes the tests until one fails, and says what it asks.
///
/// # Errors
/// The program cannot be started, or programs cannot be watched here.
pub(super) fn run(args: &Args, global: &Global) -> Result<u8> {
    let lang = Lang::current();
    refuse_trace(global, "challenge")?;
    let plan = args.plan();
    let key = args.key(&plan);
    if args.reset {
        let forgotten = match args.command.is_empty() {
            true => Progress::forget()?,
            false => {
                let mut one = false;
                Progress::change(|progress| one = progress.0.remove(&key).is_some())?;
                if one { Forgotten::One } else { Forgotten::Nothing }
            }
        };
        if !global.quiet {
            remark(forgotten.words(&typed(&plan.command), lang));
        }
        return Ok(0);
    }
    if !args.no_watch {
        allowed().map_err(cannot_watch)?;
    }
    let before = Progress::read().unwrap_or_else(|error| {
        let error = in_words(error.as_ref(), lang);
        remark(say!(
            lang,
            "netplay: cannot see how far the program was: {error}",
            "netplay: 无法查看程序上次到了哪里：{error}",
        ));
        Progress::default()
    });
    let before = before.0.get(&key).cloned().unwrap_or_default();
    // From here on a signal ends the grade in order: no program that is tested stays behind.
    let stop = Stop::new();
    stop.on_signals();
    let collection = Collection::default();
    trace::install(trace::Settings {
        speaker: Speaker { role: "grader", example: "challenge" },
        collection: Some(collection.clone()),
        ..trace::Settings::default()
    })?;
    let columns = if io::stdout().is_terminal() {
        crate::terminal::columns_of_stderr().unwrap_or(80)
    } else {
        usize::MAX
    };
    let course = course(plan.model);
    let (mut passed, mut skipped, mut failed) = (Vec::new(), 0, None);
    for (nth, challenge) in (1..).zip(&course) {
        let made = grade(&plan, |test| test.id == challenge.id, &collection, |_| {});
        let Some(outcome) = made.map_err(no_grade)?.pop() else { continue };
        if !global.quiet {
            let (id, word) = (challenge.id, verdict(outcome.verdict, lang));
            let (all, why) = (course.len(), outcome.because.as_ref());
            let why = why.map(|because| because.get(lang)).unwrap_or_default();
            let mut out = stdout();
            writeln!(out, "{}", format!("{nth:>2}/{all}  {id:20}  {word}  {why}").trim_end())?;
            out.flush()?;
        }
        match outcome.verdict {
            Verdict::Fail => {
                failed = Some((*challenge, outcome));
                break;
            }
            Verdict::Skipped => skipped += 1,
            Verdict::Pass | Verdict::NonStrict | Verdict::Info => {
                passed.push(challenge.id.to_owned());
            }
        }
    }
    let stand = before.then(passed, failed.as_ref().map(|(of, _)| of.id), seen(args), args.hint);
    let text = match &failed {
        Some((challenge, outcome)) => {
            let at = Asked { challenge, outcome, before: &before, stand: &stand };
            at.told((&plan, &args.protocol), lang, columns)
        }
        None => finished(course.len() - skipped, skipped, &plan, lang, columns),
    };
    let mut out = stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    if !global.quiet {
        let level = failed.as_ref().map(|_| stand.hints);
        remark(next(level, before.is_changed(&stand), &plan, lang));
    }
    let kept = Progress::change(|progress| {
        progress.0.insert(key, stand);
    });
    if let Err(error) = kept {
        let error = in_words(error.as_ref(), lang);
        remark(say!(
            lang,
            "netplay: cannot note how far the program is: {error}",
            "netplay: 无法记下程序到了哪里：{error}",
        ));
    }
    Ok(if failed.is_some() { 3 } else { 0 })
}

/// The tests of a model, in the order in which a learner takes them.
fn course(model: Model) -> Vec<&'static Challenge> {
    let has = |id: &str| TESTS.iter().any(|test| test.id == id && test.models.contains(&model));
    CHALLENGES.iter().filter(|challenge| has(challenge.id)).collect()
}

/// The files that the command names, with their sizes and times: another text tells that the program has changed.
fn seen(args: &Args) -> String {
    use std::os::unix::fs::MetadataExt;
    let of = |word: &OsString| {
        let about = std::fs::metadata(word).ok().filter(std::fs::Metadata::is_file)?;
        let name = crate::escape::file_name(Path::new(word));
        Some(format!("{name} {} {}.{:09}", about.len(), about.mtime(), about.mtime_nsec()))
    };
    args.command.iter().filter_map(of).collect::<Vec<_>>().join(", ")
}

/// A test that has failed, and how much a learner has asked for.
struct Asked<'a> {
    challenge: &'a Challenge,
    outcome: &'a Outcome,
    before: &'a Stand,
    stand: &'a Stand,
}

impl Asked<'_> {
    fn told(&self, of: (&Plan, &Spoken), lang: Lang, columns: usize) -> String {
        let Asked { challenge, outcome, before, stand } = self;
        let pick = |(en, zh): (&'static str, &'static str)| lang.pick(en, zh);
        let (id, does) = (challenge.id, pick(outcome.test.does));
        let mut lines = vec![String::new(), format!("{id}: {does}"), String::new()];
        if before.passed.iter().any(|passed| passed == id) {
            lines.push(say!(
                lang,
                "The program has passed {id} before, and fails it now: what have you changed since?",
                "程序以前通过了 {id}，现在却失败了：这之后你改了什么？",
            ));
            lines.push(String::new());
        }
        let question = pick(challenge.question);
        lines.push(say!(lang, "Question: {question}", "问题：{question}"));
        for (n, hint) in (1..=stand.hints).zip(challenge.hints) {
            let hint = pick(hint);
            lines.push(say!(lang, "Hint {n}: {hint}", "提示 {n}：{hint}"));
        }
        let mut text: String = lines.iter().map(|line| hanging(line, columns, 2) + "\n").collect();
        if stand.hints >= Stand::CAUSE {
            text += "\n";
            text += &told(Shown::as_far_as(outcome, Reveal::All), of, lang, columns);
        }
        text
    }
}

/// What is said when no test fails.
fn finished(passed: usize, skipped: usize, plan: &Plan, lang: Lang, columns: usize) -> String {
    let model = plan.model.name();
    let said = say!(
        lang,
        "Every test of the model {model} is passed: {passed} of them.",
        "模型 {model} 的测试全部通过：共 {passed} 个。",
    );
    let left = say!(
        lang,
        " {skipped} could not be made: the lines above say why.",
        "有 {skipped} 个无法进行，原因见上。",
    );
    let said = if skipped > 0 { said + &left } else { said };
    format!("\n{}\n", hanging(&said, columns, 2))
}

/// What to do next. `level` is how much of a failure has been told.
fn next(level: Option<usize>, changed: bool, plan: &Plan, lang: Lang) -> String {
    let command = typed(&plan.command);
    match (level, plan.model) {
        (Some(level), _) if level >= Stand::CAUSE => say!(
            lang,
            "try next: repair the program, then give the same command again",
            "接下来：修好程序，然后再次运行同样的命令",
        ),
        (Some(_), _) if changed => say!(
            lang,
            "try next: the program has changed, so this is no new hint; --hint gives one",
            "接下来：程序改过了，所以没有给新的提示；--hint 给出一个提示",
        ),
        (Some(_), _) => say!(
            lang,
            "try next: repair the program; the same command again, without a change, tells more",
            "接下来：修好程序；不做改动再次运行同样的命令，会得到更多提示",
        ),
        (None, Model::Iterative) => say!(
            lang,
            "try next: many clients at once: netplay challenge --model concurrent -- {command}",
            "接下来：同时服务许多客户端：netplay challenge --model concurrent -- {command}",
        ),
        (None, Model::Concurrent) => say!(
            lang,
            "try next: how fast it is, beside the servers of netplay: netplay bench --help",
            "接下来：看看它与 netplay 的服务器相比有多快：netplay bench --help",
        ),
        (None, Model::Client) => say!(
            lang,
            "try next: a server of your own: netplay challenge -- ./server {{host}} {{port}}",
            "接下来：写一个自己的服务器：netplay challenge -- ./server {{host}} {{port}}",
        ),
        (None, Model::Udp) => say!(
            lang,
            "try next: a server of connections: netplay challenge --model iterative -- ./server {{host}} {{port}}",
            "接下来：面向连接的服务器：netplay challenge --model iterative -- ./server {{host}} {{port}}",
        ),
    }
}
