//! What a pack says about itself.

use netplay_record::{Call, Event, Process};
use netplay_text::lang::Lang;
use serde::{Deserialize, Serialize};

/// What only the one who packs can say.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// The text that the teacher asked for.
    pub token: Option<String>,
    /// The machine on which it is packed.
    pub machine: Machine,
    /// When it is packed, by the calendar: RFC 3339.
    pub packed: String,
    /// The language of the page.
    pub lang: Option<Lang>,
    /// Whether secrets stay in the records.
    pub show_secrets: bool,
}

/// `about.json`. What is said of the records can be recomputed from them; the rest is only said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The version of this format: 1.
    pub v: u32,
    /// The version of netplay that packed it.
    pub netplay: String,
    /// The text that the teacher asked for.
    pub token: Option<String>,
    /// When it was packed, by the calendar: RFC 3339.
    pub packed: String,
    /// The language of the page: `en` or `zh`.
    pub lang: String,
    /// Where it was packed.
    pub machine: Machine,
    /// The programs whose calls were recorded, in the order of their first records.
    pub programs: Vec<Program>,
    /// The traces, in the order of their numbers.
    pub traces: Vec<Source>,
    /// Whether secrets were left in the records.
    pub show_secrets: bool,
    /// How many bytes of all records are hidden.
    pub hidden: u64,
}

/// A machine, as far as it matters to a reader of a trace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The kernel: `Linux 6.12.9`.
    pub kernel: String,
    /// The architecture: `x86_64`.
    pub architecture: String,
    /// How many processors the program could use.
    pub processors: usize,
    /// The boot during which it was packed, as records name it.
    pub boot: Option<String>,
}

/// A program of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The name that its records have.
    pub role: String,
    /// Its first process.
    pub pid: i32,
    /// The words of its command line, escaped, as far as the records have them.
    pub command: Vec<String>,
}

/// Where a trace came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The name of the file that was packed.
    pub file: String,
    /// How many records it has.
    pub records: usize,
}

impl About {
    /// The language of the page.
    pub(crate) fn lang(&self) -> Option<Lang> {
        self.lang.parse().ok()
    }

    /// What the page is called: the files and the token.
    pub(crate) fn title(&self) -> String {
        let files: Vec<&str> = self.traces.iter().map(|trace| &*trace.file).collect();
        let token = self.token.as_ref().map(|token| format!(" · {token}"));
        files.join(" + ") + &token.unwrap_or_default()
    }
}

/// The programs of these records, which are in the order of their beginnings.
pub(crate) fn programs(records: &[Box<Event>]) -> Vec<Program> {
    let mut programs: Vec<Program> = Vec::new();
    let mut last = "";
    for record in records {
        let runs = matches!(&*record.what, Call::Process(Process::Execve(_))) && record.is_done();
        if !runs && *record.role == *last {
            continue;
        }
        last = &record.role;
        let command = if runs { record.command() } else { Vec::new() };
        match programs.iter_mut().find(|known| *known.role == *record.role) {
            Some(known) if known.command.is_empty() && known.pid == record.pid => {
                known.command = command;
            }
            Some(_) => {}
            None => {
                let (role, pid) = (record.role.to_string(), record.pid);
                programs.push(Program { role, pid, command });
            }
        }
    }
    programs
}

/// How many bytes of all records are hidden.
pub(crate) fn hidden(records: &[Box<Event>]) -> u64 {
    records.iter().filter_map(|record| record.hidden).sum()
}
