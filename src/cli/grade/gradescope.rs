//! A grade as the `results.json` of a Gradescope autograder.
//!
//! The form is published at <https://gradescope-autograders.readthedocs.io/en/latest/specs/>. Gradescope itself hides a test until its
//! visibility allows it, so that a hidden test has its whole text here.

use crate::grade::Verdict;
use netplay_text::say;
use serde_json::{Value, json};

use super::told::{again, heading, summary, verdict};
use super::whole::Whole;

/// The outcomes for Gradescope.
pub(super) fn as_gradescope(whole: &Whole<'_>) -> Value {
    let (plan, lang) = (whole.plan, whole.lang);
    let mut groups: Vec<(&str, usize)> = Vec::new();
    let mut tests = Vec::new();
    for (outcome, shown, points) in whole.when_visible() {
        if groups.last().is_none_or(|(name, _)| *name != shown.group()) {
            groups.push((shown.group(), 0));
        }
        let n = groups.len();
        let in_group = groups.last_mut().map_or(0, |(_, tests)| {
            *tests += 1;
            *tests
        });
        let id = shown.id();
        let name = match shown.does(lang) {
            Some(does) => say!(lang, "{id}: {does}", "{id}：{does}"),
            None => id.to_owned(),
        };
        let word = verdict(shown.verdict(), lang);
        let first = match shown.because() {
            Some(because) => {
                let because = because.get(lang);
                say!(lang, "{word}: {because}", "{word}：{because}")
            }
            None => word.to_owned(),
        };
        let again = again(id, (plan, whole.spoken));
        let output = [vec![first], shown.lines(&again, lang)].concat().join("\n");
        let mut test = json!({
            "name": name,
            "number": format!("{n}.{in_group}"),
            "score": points.got,
            "max_score": points.of,
            "output": output,
            "tags": [shown.group(), shown.verdict().name()],
            "visibility": whole.teacher.visibility(outcome.test).name(),
            "extra_data": { "id": id, "verdict": shown.verdict().name() },
        });
        // Of what was skipped, Gradescope is told neither.
        let status = match shown.verdict() {
            Verdict::Pass | Verdict::NonStrict | Verdict::Info => Some("passed"),
            Verdict::Fail => Some("failed"),
            Verdict::Skipped => None,
        };
        if let Some(status) = status {
            test["status"] = status.into();
        }
        tests.push(test);
    }
    let hidden = whole
        .outcomes
        .iter()
        .any(|outcome| whole.teacher.visibility(outcome.test) != crate::grade::Visibility::Visible);
    // How many tests failed says something of the hidden ones.
    let found = match hidden {
        true => String::new(),
        false => format!("\n{}", summary(whole.outcomes, plan, lang)),
    };
    let title = whole.title();
    let not_started = whole
        .not_started
        .as_ref()
        .map(|why| say!(lang, "\nIt could not be started: {why}", "\n无法启动：{why}"));
    let not_started = not_started.unwrap_or_default();
    json!({
        "output": format!("{title}\n{}{not_started}{found}", heading(plan, lang)),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": whole.teacher.visibility_of_all().name(),
        "stdout_visibility": "hidden",
        "execution_time": whole.took().as_secs_f64(),
        "tests": tests,
        "extra_data": { "seed": plan.seed, "version": env!("CARGO_PKG_VERSION") },
    })
}
