//! A grade for programs: one JSON object.

use crate::grade::{Outcome, Plan, Verdict};
use serde_json::json;

use super::told::count;
use crate::lang::Lang;

/// The outcomes for programs; their words are English in every locale.
pub(super) fn as_json(outcomes: &[Outcome], plan: &Plan) -> serde_json::Value {
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
