//! What one test has found, for its reader.

use std::time::Duration;

use netplay_record::Event;
use netplay_review::Rule;
use netplay_text::both::Both;

use super::catalogue::Test;
use super::verdict::Verdict;

/// What one test has found, and what proves it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Which test.
    pub test: &'static Test,
    /// What it found.
    pub verdict: Verdict,
    /// What happened, in a sentence: of a failure and of what is not strict.
    pub sentence: Option<Both>,
    /// The mistake, where the records prove one.
    pub rule: Option<Rule>,
    /// Why it was skipped.
    pub because: Option<Both>,
    /// The calls of the program that prove it.
    pub proof: Vec<Event>,
    /// All calls of both ends, in the order in which they began.
    pub records: Vec<Event>,
    /// The end of what the program wrote on its standard error.
    pub errors: String,
    /// How long the test took.
    pub took: Duration,
}

impl Outcome {
    /// Where the mistake is taught, or what the test is about.
    #[must_use]
    pub fn lab(&self) -> &'static str {
        match self.rule {
            Some(Rule::Zombies) => "zombies",
            _ => self.test.lab,
        }
    }

    /// The command that teaches it.
    #[must_use]
    pub fn command(&self) -> String {
        match self.lab() {
            lab if lab == self.test.lab => self.test.command(),
            lab => format!("netplay lab {lab}"),
        }
    }
}
