//! What `why` has to say.

use std::time::Duration;

use serde_json::Value;

use crate::lang::Voice;

/// How long `why` may look through the processes: a machine with very many gets an answer all the same.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long a hint may, after a command that has failed already.
pub(super) const HINT_PATIENCE: Duration = Duration::from_millis(150);

/// What was found, for people and for programs.
#[derive(Debug)]
pub struct Answer {
    /// Under which name the facts stand in JSON.
    pub key: &'static str,
    /// The lines for people.
    pub text: String,
    /// The same facts.
    pub facts: Value,
}

/// The lines of the reasons, and of what to do next.
pub(super) fn reasons(why: &[String], next: &[String], voice: Voice) -> String {
    let line = |head: &str, text: &String| voice.lines(&format!("{head}{text}"));
    let reasons = why.iter().map(|why| line(voice.lang.pick("why: ", "原因："), why));
    let next = next.iter().map(|next| line(voice.lang.pick("next: ", "下一步："), next));
    reasons.chain(next).collect()
}
