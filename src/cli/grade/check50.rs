//! A grade in the form of `check50 --output json`, which submit50 and tools around it read.
//!
//! The form is that of `check50` 3 (<https://cs50.readthedocs.io/projects/check50/>): a check has passed, failed, or was skipped (`null`),
//! and then has a cause with its rationale.

use crate::grade::Verdict;
use netplay_text::say;
use serde_json::{Value, json};

use super::shown::Shown;
use super::told::{again, verdict};
use super::whole::Whole;
use crate::lang::Lang;

/// The outcomes in the form of check50.
pub(super) fn as_check50(whole: &Whole<'_>) -> Value {
    let first = "starts/listens";
    let has_first = whole.outcomes.iter().any(|outcome| outcome.test.id == first);
    let results: Vec<Value> = (whole.to_students())
        .map(|(shown, points)| {
            let lang = whole.lang;
            let passed = match shown.verdict() {
                Verdict::Pass | Verdict::NonStrict | Verdict::Info => Some(true),
                Verdict::Fail => Some(false),
                Verdict::Skipped => None,
            };
            let mut data = json!({ "verdict": shown.verdict().name() });
            if whole.teacher.has_weights() {
                data["points"] = points.got.into();
                data["max_points"] = points.of.into();
            }
            json!({
                "name": shown.id(),
                "description": shown.does(lang).unwrap_or(shown.id()),
                "passed": passed,
                "log": shown.proof(lang),
                "cause": (passed != Some(true)).then(|| cause(whole, shown)),
                "data": data,
                "dependency": (has_first && shown.id() != first).then_some(first),
            })
        })
        .collect();
    json!({ "slug": whole.title(), "results": results, "version": env!("CARGO_PKG_VERSION") })
}

fn cause(whole: &Whole<'_>, shown: Shown<'_>) -> Value {
    let lang: Lang = whole.lang;
    let because = shown.because().map(|because| because.get(lang).to_owned());
    // check50 shows a rationale always; where no more is told, it is the verdict.
    let rationale = shown.cause(lang).or(because);
    let rationale = rationale.unwrap_or_else(|| {
        let word = verdict(shown.verdict(), lang);
        say!(lang, "verdict: {word}", "结论：{word}")
    });
    let again = again(shown.id(), (whole.plan, whole.spoken));
    let rest = shown.lines(&again, lang);
    let known = usize::from(shown.cause(lang).is_some()) + shown.proof(lang).len();
    let help = rest[known.min(rest.len())..].join("\n");
    let mut cause = json!({ "rationale": rationale, "help": Value::Null });
    if !help.is_empty() {
        cause["help"] = help.into();
    }
    if let Some(rule) = shown.rule() {
        cause["rule"] = rule.name().into();
    }
    cause
}
