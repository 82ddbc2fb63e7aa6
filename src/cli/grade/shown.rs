//! What is told of an outcome: every format asks here, so that no format tells more than the teacher allows.

use crate::grade::{Outcome, Reveal, Teacher, Verdict, Visibility};
use crate::review::Rule;
use netplay_text::both::Both;
use netplay_text::say;

use crate::lang::Lang;

/// An outcome, as far as it is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    outcome: &'a Outcome,
    reveal: Reveal,
}

impl<'a> Shown<'a> {
    /// For a format that students read as it is: of a test that they may not see yet, it has the name and the verdict.
    pub(super) fn to_students(
        outcome: &'a Outcome,
        teacher: &Teacher,
        told: Option<Reveal>,
    ) -> Shown<'a> {
        let shown = Shown::when_visible(outcome, teacher, told);
        match teacher.visibility(outcome.test) {
            Visibility::Visible => shown,
            _ => Shown { reveal: Reveal::Names, ..shown },
        }
    }

    /// For a format that itself says when students see a test.
    pub(super) fn when_visible(
        outcome: &'a Outcome,
        teacher: &Teacher,
        told: Option<Reveal>,
    ) -> Shown<'a> {
        Shown { outcome, reveal: told.unwrap_or_else(|| teacher.reveal(outcome.test)) }
    }

    /// As far as this.
    pub(super) fn as_far_as(outcome: &'a Outcome, reveal: Reveal) -> Shown<'a> {
        Shown { outcome, reveal }
    }

    /// How far it is told.
    pub(super) fn reveal(self) -> Reveal {
        self.reveal
    }

    fn from(self, level: Reveal) -> Option<&'a Outcome> {
        (self.reveal >= level).then_some(self.outcome)
    }

    fn is_judged(self) -> bool {
        matches!(self.outcome.verdict, Verdict::Fail | Verdict::NonStrict)
    }

    /// The name of the test.
    pub(super) fn id(self) -> &'static str {
        self.outcome.test.id
    }

    /// The group of the test.
    pub(super) fn group(self) -> &'static str {
        self.outcome.test.group()
    }

    /// What was found.
    pub(super) fn verdict(self) -> Verdict {
        self.outcome.verdict
    }

    /// How long the test took.
    pub(super) fn took(self) -> std::time::Duration {
        self.outcome.took
    }

    /// What a program does that passes the test.
    pub(super) fn does(self, lang: Lang) -> Option<&'static str> {
        let (en, zh) = self.from(Reveal::Hints)?.test.does;
        Some(lang.pick(en, zh))
    }

    /// What happened.
    pub(super) fn sentence(self) -> Option<&'a Both> {
        self.from(Reveal::All)?.sentence.as_ref()
    }

    /// The mistake.
    pub(super) fn rule(self) -> Option<Rule> {
        self.from(Reveal::All)?.rule
    }

    /// Why the test was skipped.
    pub(super) fn because(self) -> Option<&'a Both> {
        self.from(Reveal::Hints)?.because.as_ref()
    }

    /// Where the test is taught.
    pub(super) fn lab(self) -> Option<&'static str> {
        let outcome = self.from(Reveal::Hints)?;
        // The lab of a mistake would name it.
        Some(if self.reveal == Reveal::All { outcome.lab() } else { outcome.test.lab })
    }

    /// A question in the place of the cause.
    pub(super) fn question(self, lang: Lang) -> Option<&'static str> {
        let asked = self.reveal == Reveal::Hints && self.is_judged();
        let (en, zh) = self.outcome.test.challenge().question;
        asked.then(|| lang.pick(en, zh))
    }

    /// What happened, its mistake before it; in its place a question, where no more is told.
    pub(super) fn cause(self, lang: Lang) -> Option<String> {
        match (self.sentence(), self.rule()) {
            (Some(sentence), Some(rule)) => {
                Some(format!("{}: {}", rule.name(), sentence.get(lang)))
            }
            (Some(sentence), None) => Some(sentence.get(lang).to_owned()),
            (None, _) => self.question(lang).map(str::to_owned),
        }
    }

    /// The calls that prove it, a line for each.
    pub(super) fn proof(self, lang: Lang) -> Vec<String> {
        let calls = self.from(Reveal::All).map(|outcome| outcome.proof.iter());
        calls.into_iter().flatten().map(|call| crate::cli::review::line(call, lang)).collect()
    }

    /// The last line of errors that the program wrote.
    pub(super) fn last_error(self) -> Option<&'a str> {
        last_line(&self.from(Reveal::All)?.errors)
    }

    /// All of it, a line for each part. `again`: the command that makes the test again.
    pub(super) fn lines(self, again: &str, lang: Lang) -> Vec<String> {
        let mut lines: Vec<String> = self.cause(lang).into_iter().collect();
        lines.extend(self.proof(lang).iter().map(|call| format!("  {call}")));
        if let Some(last) = self.last_error() {
            lines.push(say!(
                lang,
                "its last line on standard error: {last}",
                "它在标准错误上的最后一行：{last}"
            ));
        }
        if self.outcome.verdict == Verdict::Fail && self.reveal >= Reveal::Hints {
            // The lab of a mistake would name it.
            let lab = match self.reveal {
                Reveal::All => self.outcome.command(),
                _ => self.outcome.test.command(),
            };
            lines.push(say!(lang, "learn more: {lab}", "进一步学习：{lab}"));
        }
        if self.outcome.verdict == Verdict::Fail && self.reveal == Reveal::All {
            lines.push(say!(lang, "again: {again}", "重做：{again}"));
        }
        lines
    }
}

/// The last line that a program wrote on its standard error. Node's last line is its own version: the error stands above it.
fn last_line(errors: &str) -> Option<&str> {
    let mut lines = errors.lines().map(str::trim);
    let last = lines.clone().rfind(|line| !line.is_empty())?;
    match last.starts_with("Node.js v") {
        true => lines.rfind(|line| line.contains("Error: ")).or(Some(last)),
        false => Some(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_errors_is_the_error() {
        let node = "node:events:497\n\n\nError: read ECONNRESET\n    at a\n\nNode.js v20.20.2\n";
        assert_eq!(last_line(node), Some("Error: read ECONNRESET"));
        let python = "Traceback:\n  line 1\nValueError: no\n\n";
        assert_eq!(last_line(python), Some("ValueError: no"));
        assert_eq!(last_line("\nNode.js v20.20.2\n"), Some("Node.js v20.20.2"));
        assert_eq!(last_line("\n \n"), None);
    }
}
