//! A grade for programs: one JSON object, which `schema/grade.schema.json` describes.

use crate::grade::Verdict;
use serde_json::{Map, Value, json};

use super::whole::Whole;
use crate::lang::Lang;

/// The outcomes for programs; their words are English in every locale.
pub(super) fn as_json(whole: &Whole<'_>) -> Value {
    let points = whole.points();
    let tests: Vec<Value> = (whole.to_students())
        .map(|(shown, worth)| {
            let mut test = json!({
                "id": shown.id(),
                "verdict": shown.verdict().name(),
                "sentence": shown.sentence().map(|said| said.get(Lang::En)),
                "rule": shown.rule().map(|rule| rule.name()),
                "because": shown.because().map(|said| said.get(Lang::En)),
                "question": shown.question(Lang::En),
                "lab": shown.lab(),
                "ms": u64::try_from(shown.took().as_millis()).unwrap_or(u64::MAX),
            });
            if points.is_some() {
                test["points"] = worth.got.into();
                test["max_points"] = worth.of.into();
            }
            test
        })
        .collect();
    let summary: Map<String, Value> = (Verdict::ALL.iter())
        .map(|&verdict| (verdict.name().to_owned(), whole.count(verdict).into()))
        .collect();
    let plan = whole.plan;
    let command: Vec<_> = plan.command.iter().map(|word| word.to_string_lossy()).collect();
    let mut all = json!({
        "tests": tests,
        "summary": summary,
        "seed": plan.seed,
        "command": command,
        "model": plan.model.name(),
        "protocol": plan.protocol.name(),
        "watched": plan.watched,
        "version": env!("CARGO_PKG_VERSION"),
    });
    if let Some(points) = points {
        all["points"] = points.got.into();
        all["max_points"] = points.of.into();
    }
    if let Some(title) = &whole.teacher.title {
        all["title"] = title.as_str().into();
    }
    all
}
