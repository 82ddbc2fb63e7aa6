//! The list of what is in a pack.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use netplay_text::words::hex;

/// `manifest.json`: every other member, by name. It finds what was damaged on the way; a program that changes a member
/// can also write a new manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// The version of this format: 1.
    pub v: u32,
    pub members: Vec<Entry>,
}

/// A member of a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub name: String,
    pub bytes: u64,
    /// As `sha256sum` prints it.
    pub sha256: String,
}

impl Entry {
    pub fn of(name: &str, content: &[u8]) -> Entry {
        let sha256 = hex(&Sha256::digest(content)).replace(' ', "");
        Entry { name: name.to_owned(), bytes: content.len() as u64, sha256 }
    }
}
