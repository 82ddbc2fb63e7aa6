//! Which labs are done: a small file in the folder for states.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::state;

/// The labs that are done, and when each was, by name.
#[derive(Debug, Default)]
pub(super) struct Progress(BTreeMap<String, String>);

impl Progress {
    /// What was noted; nothing, if nothing can be read.
    pub fn read() -> Progress {
        // A pipe under this name would have us wait.
        let file = file().filter(|file| file.is_file());
        let text = file.and_then(|file| std::fs::read_to_string(file).ok());
        Progress(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Whether a lab was done.
    pub fn is_done(&self, lab: &str) -> bool {
        self.0.contains_key(lab)
    }

    /// A lab is done now.
    pub fn done(&mut self, lab: &str) {
        let today = chrono::Local::now().format("%Y-%m-%d").to_string();
        self.0.entry(lab.to_owned()).or_insert(today);
    }

    /// Writes the file: beside, then under its name.
    pub fn write(&self) -> Result<()> {
        let file = file().context("there is no home for it, or one of somebody else's")?;
        let text = serde_json::to_string_pretty(&self.0)? + "\n";
        state::write(&file, &text).with_context(|| file.display().to_string())
    }

    /// Forgets all of it.
    pub fn forget() -> Result<()> {
        let Some(file) = file() else { return Ok(()) };
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", file.display()))
            }
            _ => Ok(()),
        }
    }
}

fn file() -> Option<PathBuf> {
    state::file("labs.json")
}
