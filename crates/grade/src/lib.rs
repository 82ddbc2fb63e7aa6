//! Hostile tests for any server or client, with the cause of each failure.
//!
//! ```text
//! a test  ── the tester's own connections (recorded) ──▶ the program, in any language (watched)
//!   │                                                       │
//!   └── what it proves by itself ── verdict ◀── review: what the records of both ends prove
//! ```
//!
//! The tests send a byte when the last one was read, and know from the kernel that a program waits: no time limit
//! says so. A program that dies, hangs or starts processes without an end fails its test, and nothing of it is left running.
//!
//! ```no_run
//! use netplay_grade::{Model, Plan, Protocol, grade};
//!
//! let plan = Plan {
//!     command: vec!["./server".into(), "{port}".into()],
//!     model: Model::Concurrent,
//!     protocol: Protocol::Echo,
//!     host: std::net::Ipv4Addr::LOCALHOST.into(),
//!     seed: 7,
//!     watched: true,
//!     timeout: std::time::Duration::from_secs(60),
//! };
//! let collection = netplay_trace::Collection::default(); // given to netplay_trace::install before
//! grade(&plan, |test| test.is_named("bytes"), &collection, |outcome| {
//!     println!("{} {}", outcome.test.id, outcome.verdict.name());
//! })?;
//! # Ok::<(), netplay_grade::GradeError>(())
//! ```

mod catalogue;
mod challenge;
mod eye;
mod guard;
mod limit;
mod near;
mod kill;
mod outcome;
mod peer;
mod plan;
mod program;
mod protocol;
mod stage;
mod still;
mod teacher;
mod tests;
mod toml_error;
mod verdict;

pub use catalogue::{TESTS, Test, names_a_test, near_test};
pub use challenge::{CHALLENGES, Challenge};
pub use outcome::Outcome;
pub use plan::{Model, Plan};
pub use protocol::{Answer, Came, Exchange, Protocol, ProtocolError, Script};
pub use teacher::{Points, Reveal, Teacher, TeacherError, Visibility};
pub use verdict::Verdict;

use std::fmt;
use std::time::Instant;

use netplay_record::Event;
use netplay_review::Rule;
use netplay_text::both;
use netplay_text::both::Both;
use netplay_trace::Collection;
use netplay_watch::StartError;

use stage::Stage;
use verdict::{Broken, Fault};

/// Why no grade can be given.
#[derive(Debug)]
pub enum GradeError {
    /// The program could not be started.
    Start(StartError),
    /// netplay was asked to end.
    Interrupted,
}

impl fmt::Display for GradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GradeError::Start(error) => error.fmt(f),
            GradeError::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for GradeError {}

/// Makes the tests that are wanted and that the model has, one after the other, and tells of each when it is done.
///
/// A server that cannot be reached is not tested further: the other tests are skipped.
///
/// # Errors
/// The program could not be started at all, or netplay was asked to end.
pub fn grade(
    plan: &Plan,
    wanted: impl Fn(&Test) -> bool,
    collection: &Collection,
    mut tell: impl FnMut(&Outcome),
) -> Result<Vec<Outcome>, GradeError> {
    guard::prepare();
    netplay_trace::speak_as("grader");
    let (mut calm, mut reached, mut all) = (None, None, Vec::new());
    for test in TESTS.iter().filter(|test| test.models.contains(&plan.model)) {
        if !wanted(test) {
            continue;
        }
        let outcome = match reached {
            Some(false) => Outcome {
                because: Some(both!("it does not listen", "它没有监听")),
                ..empty(test, Verdict::Skipped)
            },
            _ => one(plan, test, collection, &mut calm)?,
        };
        if test.id == "starts/listens" {
            reached = Some(outcome.verdict == Verdict::Pass);
        }
        tell(&outcome);
        all.push(outcome);
    }
    Ok(all)
}

/// The outcomes of a program that could not be started: each test has failed, for this reason.
#[must_use]
pub fn no_points(plan: &Plan, wanted: impl Fn(&Test) -> bool, error: &StartError) -> Vec<Outcome> {
    let why = error.to_string();
    let sentence = both!("it could not be started: {why}", "无法启动：{why}");
    let tests = TESTS.iter().filter(|test| test.models.contains(&plan.model) && wanted(test));
    tests
        .map(|test| Outcome { sentence: Some(sentence.clone()), ..empty(test, Verdict::Fail) })
        .collect()
}

fn empty(test: &'static Test, verdict: Verdict) -> Outcome {
    Outcome {
        test,
        verdict,
        sentence: None,
        rule: None,
        because: None,
        proof: Vec::new(),
        records: Vec::new(),
        errors: String::new(),
        took: std::time::Duration::ZERO,
    }
}

fn one(
    plan: &Plan,
    test: &'static Test,
    collection: &Collection,
    calm: &mut Option<stage::Written>,
) -> Result<Outcome, GradeError> {
    let begun = Instant::now();
    let mut stage = Stage::new(plan, collection, calm);
    let done = (test.run)(&mut stage);
    if let Err(broken) = &done {
        let given_up = stage.when_given_up();
        stage.ended();
        let is_given_up = matches!(broken, Broken::Fault(fault) if fault.is_given_up());
        stage.keep_pending(given_up.filter(|_| is_given_up));
    }
    let running = stage.is_running();
    let (status, killed) = (stage.status, stage.killed());
    stage.end();
    // Also where no wait was under way that would have noticed.
    if netplay_call::stop::signal().is_some() {
        return Err(GradeError::Interrupted);
    }
    if let Some(error) = stage.cannot.take() {
        return Err(GradeError::Start(error));
    }
    let mut outcome = empty(test, Verdict::Pass);
    match done {
        Ok(()) => {}
        Err(Broken::Interrupted) => return Err(GradeError::Interrupted),
        Err(Broken::Skip(because)) => {
            outcome = Outcome { because: Some(because), ..empty(test, Verdict::Skipped) };
        }
        Err(Broken::NonStrict(sentence)) => {
            outcome = Outcome { sentence: Some(sentence), ..empty(test, Verdict::NonStrict) };
            outcome.records = stage.all_records();
        }
        Err(Broken::Fault(mut fault)) => {
            // SIGPIPE comes of writing to a connection that is gone, and of nothing else here (signal(7)).
            if status == Some(netplay_watch::Status::Killed(libc::SIGPIPE)) {
                fault.rule = fault.rule.or(Some(Rule::DeadPeer));
            }
            if let Some(killed) = killed {
                fault.how = killed.into();
            }
            let sentence = fault.sentence(status.filter(|_| running && killed.is_none()));
            let records = stage.all_records();
            let (rule, found, proof) = cause(test, &fault, &records);
            let sentence = match found {
                Some(found) => join(sentence, &found),
                None => sentence,
            };
            outcome = Outcome {
                sentence: Some(sentence),
                rule,
                proof,
                records,
                errors: std::mem::take(&mut stage.errors),
                ..empty(test, Verdict::Fail)
            };
        }
    }
    if outcome.verdict == Verdict::Fail
        && let Some(control) = tests::kernel::control(test.id)
    {
        let mut stage = Stage::new(plan, collection, calm);
        let same = control(&mut stage);
        stage.end();
        match same {
            Err(Broken::Interrupted) => return Err(GradeError::Interrupted),
            Err(Broken::Fault(_)) => {
                let because = both!(
                    "it fails the same exchanges also where nothing is changed in its calls",
                    "不改变它的调用，它同样的交换也会失败",
                );
                outcome = Outcome { because: Some(because), ..empty(test, Verdict::Skipped) };
            }
            _ => {}
        }
    }
    outcome.took = begun.elapsed();
    Ok(outcome)
}

fn join(first: Both, then: &Both) -> Both {
    let (en, zh) = (first.en, first.zh);
    Both { en: format!("{en}. {}", then.en), zh: format!("{zh}。{}", then.zh) }
}

/// The role of the tester's own records.
const OWN: &str = "grader";

/// The mistake behind a failure, in words, and the calls that prove it. What the test itself has proven comes first; a finding of the
/// review is taken only where it can be the cause of this test.
fn cause(
    test: &Test,
    fault: &Fault,
    records: &[Event],
) -> (Option<Rule>, Option<Both>, Vec<Event>) {
    const SHOWN: usize = 4;
    let proven = fault.rule;
    if !fault.calls.is_empty() {
        return (proven, None, fault.calls.clone());
    }
    let read: Vec<Event> = records.iter().cloned().map(Event::read).collect();
    let findings = netplay_review::review(&read);
    let own = std::process::id().cast_signed();
    // A program that was not busy when it failed has failed for another reason, however it waits.
    let busy = fault.is_busy();
    let mut fitting = findings.iter().filter(|finding| {
        finding.pid != own
            && (finding.rule != Rule::BusyLoop || busy || proven.is_some())
            && match proven {
                Some(rule) => finding.rule == rule,
                None => test.causes.contains(&finding.rule),
            }
    });
    if let Some(finding) = fitting.next() {
        let said = Both {
            en: finding.sentence(netplay_text::lang::Lang::En).to_owned(),
            zh: finding.sentence(netplay_text::lang::Lang::Zh).to_owned(),
        };
        let proof = finding.records.iter().take(SHOWN).map(|&n| records[n].clone()).collect();
        return (Some(finding.rule), Some(said), proof);
    }
    let theirs = |record: &&Event| &*record.role != OWN && record.call.is_some();
    let last = |wanted: &dyn Fn(&Event) -> bool| -> Vec<Event> {
        let found = records.iter().rev().filter(theirs).filter(|record| wanted(record));
        let mut found: Vec<Event> = found.take(2).cloned().collect();
        found.reverse();
        found
    };
    // A wrong answer is shown by what the program received and sent last. Silence is shown by the call that it is in, first of all
    // one about a client, or else by what failed.
    let failed = |record: &Event| {
        let usual = ["EAGAIN", "EINTR", "ENOENT", "EINPROGRESS"];
        // A runtime asks for the peer's address where there is none, and minds no answer.
        record.errno.as_deref().is_some_and(|errno| !usual.contains(&errno))
            && record.call.as_deref() != Some("getpeername")
    };
    let moved =
        |record: &Event| record.bytes.is_some_and(|bytes| bytes > 0) && record.peer.is_some();
    let in_it = |record: &Event| record.is_unfinished();
    let about_a_client = |record: &Event| in_it(record) && record.peer.is_some();
    let proof = match fault.is_an_answer() {
        true => [last(&moved), last(&failed), last(&in_it), last(&|_| true)],
        false => [last(&about_a_client), last(&failed), last(&in_it), last(&|_| true)],
    };
    let proof = proof.into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    (proven, None, proof)
}
