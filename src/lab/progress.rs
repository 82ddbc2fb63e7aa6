//! Which labs are done: a small file in the folder for states.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use netplay_text::say;
use serde_json::{Value, json};

use super::{Lab, Look, TABLE};
use crate::escape::escape;
use crate::files::state;
use crate::lang::Lang;

/// The labs that are done, and when each was, by name.
#[derive(Debug, Default)]
pub struct Progress(BTreeMap<String, String>);

impl Progress {
    /// What was noted; nothing, if there is no such file yet.
    ///
    /// # Errors
    /// There is one, and it cannot be read, or says something else.
    pub fn read() -> Result<Progress> {
        let Some(file) = file() else { return Ok(Progress::default()) };
        let Some(text) = state::read(&file)? else { return Ok(Progress::default()) };
        let noted = serde_json::from_str(&text).map(Progress);
        noted.with_context(|| {
            let file = shown(&file);
            say!(
                Lang::current(),
                "{file} is not a list of labs: netplay lab --reset",
                "{file} 不是实验的清单：netplay lab --reset"
            )
        })
    }

    /// Whether a lab was done.
    #[must_use]
    pub fn is_done(&self, lab: &str) -> bool {
        self.0.contains_key(lab)
    }

    /// All labs, a line each, and a mark at those that are done.
    #[must_use]
    pub fn list(&self, look: &Look) -> String {
        let mark = if look.ascii { "x" } else { "✓" };
        let line = |(i, lab): (usize, &Lab)| {
            let done = if self.is_done(lab.name) { mark } else { " " };
            format!("{done} {:>2}  {:<12} {}\n", i + 1, lab.name, lab.text(look.lang).title)
        };
        TABLE.iter().enumerate().map(line).collect()
    }

    /// The same for programs.
    #[must_use]
    pub fn facts(&self, lang: Lang) -> Vec<Value> {
        let one = |lab: &Lab| {
            let (title, done) = (lab.text(lang).title, self.is_done(lab.name));
            json!({ "lab": lab.name, "title": title, "done": done })
        };
        TABLE.iter().map(one).collect()
    }

    /// Which lab comes next: the first that is not done.
    #[must_use]
    pub fn next(&self, lang: Lang) -> String {
        let next = TABLE.iter().find(|lab| !self.is_done(lab.name)).unwrap_or(&TABLE[0]);
        format!("\n{}netplay lab {}\n", lang.pick("try next: ", "下一步："), next.name)
    }

    /// How many are done, and this as what to do next.
    #[must_use]
    pub fn sum(&self, next: &str, lang: Lang) -> String {
        let all = TABLE.len();
        let done = TABLE.iter().filter(|lab| self.is_done(lab.name)).count();
        match lang {
            Lang::En => format!("\n{done} of {all} labs done. Try next: {next}\n"),
            Lang::Zh => format!("\n已完成 {done}/{all} 个实验。下一步：{next}\n"),
        }
    }

    /// Notes that a lab is done, beside whatever other processes note at the same time.
    ///
    /// # Errors
    /// The file cannot be read or written, or others keep it locked.
    pub fn note(lab: &str) -> Result<Progress> {
        let file = file().context(Lang::current().pick(
            "there is no home directory to keep it in, or it belongs to another user",
            "没有可以存放的主目录，或者主目录属于别的用户",
        ))?;
        // From the read to the write: otherwise one of two would overwrite the other's mark.
        let _lock = state::lock(&file)?;
        let mut progress = Progress::read()?;
        let today = chrono::Local::now().format("%Y-%m-%d").to_string();
        progress.0.entry(lab.to_owned()).or_insert(today);
        let text = serde_json::to_string_pretty(&progress.0)? + "\n";
        state::write(&file, &text).with_context(|| shown(&file))?;
        Ok(progress)
    }

    /// Forgets all of it.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn forget() -> Result<()> {
        Ok(file().map_or(Ok(()), |file| state::forget(&file))?)
    }
}

fn shown(file: &Path) -> String {
    escape(file.as_os_str().as_encoded_bytes())
}

fn file() -> Option<PathBuf> {
    state::file("labs.json")
}
