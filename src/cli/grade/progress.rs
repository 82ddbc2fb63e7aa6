//! How far the programs of a learner are: a small file in the folder for states.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};
use netplay_text::say;
use netplay_text::words::counted;
use serde::{Deserialize, Serialize};

use crate::escape::file_name;
use crate::files::state;
use crate::lang::Lang;

/// How far each program is, by its command, model and protocol.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Progress(pub(super) BTreeMap<String, Stand>);

/// How far a program is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stand {
    /// The tests that it has passed at some time.
    pub(super) passed: BTreeSet<String>,
    /// The test that failed last; none if all are passed.
    pub(super) at: Option<String>,
    /// How much was told of it: 0 is the question, 1 and 2 are its hints, [`CAUSE`](Stand::CAUSE) is everything.
    pub(super) hints: usize,
    /// Which files the program was then.
    pub(super) seen: String,
}

impl Stand {
    /// So much is told when nothing is held back.
    pub(super) const CAUSE: usize = 3;

    /// How far it is now: more is told of the same failure of the same program, and where it is asked for.
    pub(super) fn then(
        &self,
        passed: Vec<String>,
        failed: Option<&str>,
        seen: String,
        more: bool,
    ) -> Stand {
        let same = failed.is_some() && self.at.as_deref() == failed;
        let more = usize::from(more || same && self.seen == seen);
        let hints = if same { self.hints } else { 0 };
        Stand {
            passed: self.passed.iter().cloned().chain(passed).collect(),
            at: failed.map(str::to_owned),
            hints: (hints + more).min(Stand::CAUSE),
            seen,
        }
    }

    /// Whether the same failure is told once more, because the program has changed meanwhile.
    pub(super) fn is_changed(&self, now: &Stand) -> bool {
        now.at.is_some() && self.at == now.at && self.hints == now.hints && self.seen != now.seen
    }
}

impl Progress {
    /// What was noted; nothing, if there is no such file yet.
    ///
    /// # Errors
    /// There is one, and it cannot be read, or says something else.
    pub(super) fn read() -> Result<Progress> {
        let Some(file) = file() else { return Ok(Progress::default()) };
        let Some(text) = state::read(&file)? else { return Ok(Progress::default()) };
        serde_json::from_str(&text).with_context(|| {
            let file = file_name(&file);
            say!(
                Lang::current(),
                "{file} does not say how far programs are: netplay challenge --reset",
                "{file} 不是挑战的进度：netplay challenge --reset",
            )
        })
    }

    /// Changes what is noted, beside whatever other processes note at the same time.
    ///
    /// # Errors
    /// The file cannot be read or written, or others keep it locked.
    pub(super) fn change(change: impl FnOnce(&mut Progress)) -> Result<()> {
        let file = file().context(Lang::current().pick(
            "there is no home directory to keep it in, or it belongs to another user",
            "没有可以存放的主目录，或者主目录属于别的用户",
        ))?;
        // From the read to the write: otherwise one of two would overwrite what the other has noted.
        let _lock = state::lock(&file)?;
        let mut progress = Progress::read()?;
        change(&mut progress);
        let text = serde_json::to_string_pretty(&progress)? + "\n";
        state::write(&file, &text).with_context(|| file_name(&file))
    }

    /// Forgets all of it.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub(super) fn forget() -> Result<Forgotten> {
        let Some(file) = file().filter(|file| file.exists()) else { return Ok(Forgotten::Nothing) };
        // A file that says something else goes as well.
        let programs = Progress::read().ok().map(|progress| progress.0.len());
        state::forget(&file)?;
        Ok(match programs {
            Some(0) => Forgotten::Nothing,
            Some(n) => Forgotten::All(n),
            None => Forgotten::File(file),
        })
    }
}

/// What was forgotten.
pub(super) enum Forgotten {
    /// Nothing was noted.
    Nothing,
    /// The program that the command names.
    One,
    /// So many programs.
    All(usize),
    /// What a file said that was no progress of programs.
    File(PathBuf),
}

impl Forgotten {
    /// In words. `command`: the program that was named, if one was.
    pub(super) fn words(&self, command: &str, lang: Lang) -> String {
        match self {
            Forgotten::Nothing if command.is_empty() => say!(
                lang,
                "netplay: there was nothing to forget: no program has taken a challenge",
                "netplay: 没有可以忘记的：还没有程序接受过挑战",
            ),
            Forgotten::Nothing => say!(
                lang,
                "netplay: there was nothing to forget of {command}, with this model and protocol, in this folder",
                "netplay: 在这个目录里，用这个模型和协议，{command} 没有可以忘记的",
            ),
            Forgotten::One => say!(
                lang,
                "netplay: forgot how far {command} was: its next challenge is the first one again",
                "netplay: 已忘记 {command} 到了哪里：它的下一个挑战又是第一个",
            ),
            Forgotten::All(programs) => {
                let n = counted(*programs as u64, "program");
                say!(
                    lang,
                    "netplay: forgot how far {n} had come",
                    "netplay: 已忘记 {programs} 个程序到了哪里",
                )
            }
            Forgotten::File(file) => {
                let file = file_name(file);
                say!(
                    lang,
                    "netplay: removed {file}, which did not say how far programs were",
                    "netplay: 已删除 {file}，它记录的不是程序的进度",
                )
            }
        }
    }
}

fn file() -> Option<PathBuf> {
    state::file("challenge.json")
}

#[cfg(test)]
mod tests {
    use super::Stand;

    #[test]
    fn the_same_failure_of_the_same_program_is_told_in_more_detail() {
        let then = |stand: &Stand, failed, seen: &str, more| {
            stand.then(vec!["a".to_owned()], failed, seen.to_owned(), more)
        };
        let first = then(&Stand::default(), Some("b"), "1", false);
        assert_eq!((first.hints, first.is_changed(&first)), (0, false));
        let again = then(&first, Some("b"), "1", false);
        let changed = then(&again, Some("b"), "2", false);
        assert_eq!((again.hints, changed.hints, again.is_changed(&changed)), (1, 1, true));
        assert_eq!(then(&changed, Some("b"), "3", true).hints, 2);
        let mut all = first.clone();
        for _ in 0..9 {
            all = then(&all, Some("b"), "1", false);
        }
        assert_eq!((all.hints, then(&all, Some("c"), "1", false).hints), (Stand::CAUSE, 0));
        assert_eq!(then(&all, None, "1", false).at, None);
    }
}
