//! A grade for people: a line for each test, and below a failure its cause, its proof, and what to do next.

use std::ffi::OsString;
use std::path::Path;

use crate::grade::{Model, Outcome, Plan, Protocol, Verdict};
use netplay_text::say;

use super::args::Spoken;
use crate::columns::hanging;
use crate::escape::shell_word;
use crate::lang::Lang;

/// A command as it can be typed again.
pub(super) fn typed(command: &[OsString]) -> String {
    let words = command.iter().map(|word| match word.to_str() {
        // What netplay replaces, a shell leaves alone.
        Some(word @ ("{host}" | "{port}")) => word.to_owned(),
        _ => shell_word(Path::new(word)),
    });
    words.collect::<Vec<_>>().join(" ")
}

pub(super) fn heading(plan: &Plan, lang: Lang) -> String {
    let (command, model, protocol, seed) =
        (typed(&plan.command), plan.model.name(), plan.protocol.name(), plan.seed);
    say!(
        lang,
        "grade: {command} (model {model}, protocol {protocol}, seed {seed})",
        "评测：{command}（模型 {model}，协议 {protocol}，种子 {seed}）",
    )
}

/// The command that makes one test again.
pub(super) fn again(outcome: &Outcome, (plan, spoken): (&Plan, &Spoken)) -> String {
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

pub(super) fn verdict(verdict: Verdict, lang: Lang) -> &'static str {
    match verdict {
        Verdict::Pass => lang.pick("pass", "通过"),
        Verdict::NonStrict => lang.pick("non-strict", "不严格"),
        Verdict::Fail => lang.pick("FAIL", "失败"),
        Verdict::Info => lang.pick("info", "信息"),
        Verdict::Skipped => lang.pick("skipped", "跳过"),
    }
}

/// An outcome for people.
pub(super) fn told(outcome: &Outcome, of: (&Plan, &Spoken), lang: Lang, columns: usize) -> String {
    let (id, word) = (outcome.test.id, verdict(outcome.verdict, lang));
    let why = outcome.because.as_ref().map(|because| because.get(lang)).unwrap_or_default();
    let mut lines = vec![hanging(format!("{id:20}  {word}  {why}").trim_end(), columns, 22)];
    let mut add = |line: &str| lines.push(hanging(&format!("    {line}"), columns, 6));
    if let Some(sentence) = &outcome.sentence {
        let rule = outcome.rule.map(|rule| format!("{}: ", rule.name())).unwrap_or_default();
        add(&format!("{rule}{}", sentence.get(lang)));
    }
    for call in &outcome.proof {
        add(&format!("  {}", crate::cli::review::line(call, lang)));
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

pub(super) fn count(outcomes: &[Outcome], verdict: Verdict) -> usize {
    outcomes.iter().filter(|outcome| outcome.verdict == verdict).count()
}

pub(super) fn summary(outcomes: &[Outcome], plan: &Plan, lang: Lang) -> String {
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
