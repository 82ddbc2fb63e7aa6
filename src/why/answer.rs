//! What `why` has to say.

use std::time::Duration;

use serde_json::Value;

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
