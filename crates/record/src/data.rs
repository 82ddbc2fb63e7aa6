//! The bytes that a call moved, as a record may show them.

use super::Facts;
use netplay_text::escape::escape_message;

/// Bytes as a record may show them: how many there are, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// How many there are.
    pub len: usize,
    /// The first 64, with an asterisk for each that is secret.
    pub first: Vec<u8>,
    /// How many of all are secret.
    pub hidden: usize,
}

/// How many of the bytes that moved a record shows.
const SHOWN: usize = 64;

impl Data {
    /// These bytes, of which this many are hidden behind asterisks.
    #[must_use]
    pub fn new(bytes: &[u8], hidden: usize) -> Data {
        Data { len: bytes.len(), first: bytes[..bytes.len().min(SHOWN)].to_vec(), hidden }
    }

    /// These bytes, of which this many moved. Hidden bytes after those still count as hidden, because the call was given them.
    pub(super) fn facts(&self, moved: usize) -> Facts {
        Facts {
            bytes: Some(moved as u64),
            data: Some(escape_message(&self.first[..self.first.len().min(moved)])),
            hidden: Some(self.hidden as u64).filter(|&hidden| hidden > 0),
            ..Facts::default()
        }
    }
}
