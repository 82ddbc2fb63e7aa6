//! A grade as JUnit XML, which servers of continuous integration read: a suite for each group, a case for each test.
//!
//! JUnit has no standard; this is the form that Jenkins, GitLab and the readers of libraries agree on: a failure has a message, a type
//! and a text, a skipped test a message, times are in seconds.

use crate::grade::Verdict;
use anyhow::Result;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::shown::Shown;
use super::told::{again, typed};
use super::whole::Whole;

/// The outcomes as XML.
///
/// # Errors
/// None in practice: it is written into memory.
pub(super) fn as_junit(whole: &Whole<'_>) -> Result<String> {
    let mut report = Report::new(clean(whole.title()));
    report.set_time(whole.took());
    let mut suites: Vec<TestSuite> = Vec::new();
    for (shown, _) in whole.to_students() {
        let of_group = suites.iter().position(|suite| suite.name.as_str() == shown.group());
        let of_group = of_group.unwrap_or_else(|| {
            suites.push(suite(whole, shown.group()));
            suites.len() - 1
        });
        let suite = &mut suites[of_group];
        suite.set_time(suite.time.unwrap_or_default() + shown.took());
        suite.add_test_case(case(whole, shown));
    }
    report.add_test_suites(suites);
    Ok(report.to_string()?)
}

fn suite(whole: &Whole<'_>, group: &str) -> TestSuite {
    let plan = whole.plan;
    let mut suite = TestSuite::new(group);
    suite.add_property(("command", clean(&typed(&plan.command)).as_str()));
    suite.add_property(("model", plan.model.name()));
    suite.add_property(("protocol", clean(plan.protocol.name()).as_str()));
    suite.add_property(("seed", plan.seed.to_string().as_str()));
    suite
}

fn case(whole: &Whole<'_>, shown: Shown<'_>) -> TestCase {
    let (plan, spoken, lang) = (whole.plan, whole.spoken, whole.lang);
    let text = shown.lines(&again(shown.id(), (plan, spoken)), lang).join("\n");
    let status = match shown.verdict() {
        Verdict::Pass | Verdict::NonStrict | Verdict::Info => TestCaseStatus::success(),
        Verdict::Fail => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let message = shown.cause(lang).unwrap_or_else(|| Verdict::Fail.name().to_owned());
            status.set_message(clean(&message));
            status.set_type(shown.rule().map_or(Verdict::Fail.name(), |rule| rule.name()));
            status.set_description(clean(&text));
            status
        }
        Verdict::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(clean(shown.because().map_or("", |because| because.get(lang))));
            status
        }
    };
    let passed = matches!(status, TestCaseStatus::Success { .. });
    let mut case = TestCase::new(shown.id(), status);
    case.set_classname(format!("netplay.{}", shown.group()));
    case.set_time(shown.took());
    if passed && !text.is_empty() {
        let name = shown.verdict().name();
        case.set_system_out(clean(&format!("{name}: {text}")));
    }
    case
}

/// A text without the two characters that XML forbids and quick-junit leaves in. It takes out control characters itself.
fn clean(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
