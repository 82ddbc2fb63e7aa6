//! A grade for people: a line for each test, and below a failure its cause, its proof, and what to do next.

use std::ffi::OsString;
use std::path::Path;

use crate::grade::{Model, Outcome, Plan, Points, Protocol, Verdict};
use netplay_text::say;

use super::args::{Spoken, TIMEOUT};
use super::shown::Shown;
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
pub(super) fn again(id: &str, (plan, spoken): (&Plan, &Spoken)) -> String {
    let (seed, command) = (plan.seed, typed(&plan.command));
    let model = match plan.model {
        Model::Concurrent => String::new(),
        Model::Client => " --client".to_owned(),
        model => format!(" --model {}", model.name()),
    };
    let protocol = match &plan.protocol {
        Protocol::Echo => String::new(),
        _ => format!(" --protocol {}", shell_word(Path::new(&spoken.typed))),
    };
    let timeout = match plan.timeout {
        TIMEOUT => String::new(),
        other => format!(" --timeout {}", other.as_secs()),
    };
    let watched = if plan.watched { "" } else { " --no-watch" };
    format!(
        "netplay grade --only {id} --seed {seed}{model}{protocol}{timeout}{watched} -- {command}"
    )
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
pub(super) fn told(shown: Shown<'_>, of: (&Plan, &Spoken), lang: Lang, columns: usize) -> String {
    let (id, word) = (shown.id(), verdict(shown.verdict(), lang));
    let why = shown.because().map(|because| because.get(lang)).unwrap_or_default();
    let mut lines = vec![hanging(format!("{id:20}  {word}  {why}").trim_end(), columns, 22)];
    let below = shown.lines(&again(id, of), lang);
    lines.extend(below.iter().map(|line| hanging(&format!("    {line}"), columns, 6)));
    lines.join("\n") + "\n"
}

/// The points of the whole, where points are given.
pub(super) fn points(points: Points, lang: Lang) -> String {
    let Points { got, of } = points;
    say!(lang, "points: {got} of {of}", "得分：{got}，满分 {of}")
}

/// How many tests have each verdict.
pub(super) fn summary<'a>(
    outcomes: impl IntoIterator<Item = &'a Outcome>,
    plan: &Plan,
    lang: Lang,
) -> String {
    let verdicts: Vec<Verdict> = outcomes.into_iter().map(|outcome| outcome.verdict).collect();
    let of = |wanted| verdicts.iter().filter(|&&verdict| verdict == wanted).count();
    let (pass, loose, fail, skipped) =
        (of(Verdict::Pass), of(Verdict::NonStrict), of(Verdict::Fail), of(Verdict::Skipped));
    let seed = plan.seed;
    say!(
        lang,
        "{pass} pass, {loose} non-strict, {fail} fail, {skipped} skipped (seed {seed})",
        "{pass} 通过，{loose} 不严格，{fail} 失败，{skipped} 跳过（种子 {seed}）",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_made_again_with_the_options_that_it_was_made_with() {
        let spoken = Spoken { typed: "line".into(), protocol: Protocol::Line };
        let plan = |timeout, watched| Plan {
            command: vec!["./a server".into()],
            model: Model::Iterative,
            protocol: Protocol::Line,
            host: std::net::Ipv4Addr::LOCALHOST.into(),
            seed: 7,
            watched,
            timeout,
        };
        let with = |timeout, watched| again("bytes/one", (&plan(timeout, watched), &spoken));
        let begin = "netplay grade --only bytes/one --seed 7 --model iterative --protocol line";
        assert_eq!(with(TIMEOUT, true), format!("{begin} -- './a server'"));
        let short = std::time::Duration::from_secs(5);
        assert_eq!(with(short, false), format!("{begin} --timeout 5 --no-watch -- './a server'"));
    }
}
