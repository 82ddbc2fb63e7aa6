//! A whole grade, as the formats for other programs take it.

use crate::grade::{Outcome, Plan, Points, Reveal, Teacher, Verdict};

use super::args::Spoken;
use super::shown::Shown;
use crate::lang::Lang;

/// A whole grade.
pub(super) struct Whole<'a> {
    pub(super) plan: &'a Plan,
    pub(super) spoken: &'a Spoken,
    pub(super) teacher: &'a Teacher,
    /// What the command line says of how much is told.
    pub(super) reveal: Option<Reveal>,
    pub(super) outcomes: &'a [Outcome],
    /// Why the program could not be started, if it could not: that is told whatever else is kept.
    pub(super) not_started: Option<String>,
    /// The language of sentences that people read.
    pub(super) lang: Lang,
}

impl<'a> Whole<'a> {
    /// Each outcome as far as students may see it, with its points.
    pub(super) fn to_students(&self) -> impl Iterator<Item = (Shown<'a>, Points)> {
        let shown = |outcome| Shown::to_students(outcome, self.teacher, self.reveal);
        self.outcomes.iter().map(shown).zip(self.teacher.points(self.outcomes))
    }

    /// Each outcome as it is told once students may see it, with its points.
    pub(super) fn when_visible(&self) -> impl Iterator<Item = (&'a Outcome, Shown<'a>, Points)> {
        let shown = |outcome| (outcome, Shown::when_visible(outcome, self.teacher, self.reveal));
        let all = self.outcomes.iter().map(shown).zip(self.teacher.points(self.outcomes));
        all.map(|((outcome, shown), points)| (outcome, shown, points))
    }

    /// The points of all tests, where points are given.
    pub(super) fn points(&self) -> Option<Points> {
        let all = || self.teacher.points(self.outcomes).into_iter().sum();
        self.teacher.has_weights().then(all)
    }

    /// What the exercise is called.
    pub(super) fn title(&self) -> &'a str {
        self.teacher.title.as_deref().unwrap_or("netplay grade")
    }

    /// How many tests have this verdict.
    pub(super) fn count(&self, verdict: Verdict) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.verdict == verdict).count()
    }

    /// How long all tests took.
    pub(super) fn took(&self) -> std::time::Duration {
        self.outcomes.iter().map(|outcome| outcome.took).sum()
    }
}
