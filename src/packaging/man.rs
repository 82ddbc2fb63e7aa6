//! The manual pages: one for each command, in roff that groff and mandoc read in the same way.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use chrono::DateTime;
use clap::Command;

use crate::columns::wrapped;
use crate::escape::file_name;
use crate::files::write;

/// The page of the program alone.
///
/// # Errors
/// The command has text that roff cannot express.
pub fn page_of(command: Command) -> Result<String> {
    page(&whole(command))
}

/// Writes a page for the program and for each of its commands into a folder.
///
/// # Errors
/// The folder does not exist, or cannot be written to.
pub fn write_pages(command: Command, folder: &Path) -> Result<()> {
    if !folder.exists() {
        bail!(
            "there is no folder {}, and manual pages are only put into one that is there: mkdir -p makes it",
            file_name(folder)
        );
    }
    write_all(&whole(command), folder)
        .with_context(|| format!("cannot write manual pages to {}", file_name(folder)))
}

/// `netplay help` has no page, so no page may refer to it.
fn whole(command: Command) -> Command {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    command
}

fn write_all(command: &Command, folder: &Path) -> Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_all(below, folder)?;
    }
    let name = command.get_display_name().unwrap_or(command.get_name());
    Ok(write(&page(command)?, &folder.join(format!("{name}.1")))?)
}

/// The page of a command.
fn page(command: &Command) -> Result<String> {
    let version = concat!("netplay ", env!("CARGO_PKG_VERSION"));
    let title = command.get_display_name().unwrap_or(command.get_name()).to_uppercase();
    let man = clap_mangen::Man::new(command.clone()).title(title).date(date()).source(version);
    let mut roff = Vec::new();
    man.manual("The socket playground").render(&mut roff)?;
    tidy(&String::from_utf8(roff)?)
}

/// The date of the page. For reproducible builds the environment variable SOURCE_DATE_EPOCH gives it
/// (<https://reproducible-builds.org/specs/source-date-epoch/>).
fn date() -> String {
    let told = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    let told = told.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    told.unwrap_or_else(|| chrono::Local::now().to_utc()).format("%Y-%m-%d").to_string()
}

/// The longest line of roff.
const WIDTH: usize = 80;

/// The same page in the style of handwritten roff: no blank at the end of a line, no line
/// that is wider than a terminal, one request for each paragraph; and commands appear as they are
/// typed.
fn tidy(roff: &str) -> Result<String> {
    // A break, a blank line and a break become one space between two lines.
    let roff = roff.replace("\n.br\n\n.br\n", "\n.sp\n").replace("\n\n.br\n", "\n.sp\n");
    let roff = roff.replace(" \\fR]", "\\fR]").replace('…', "...");
    let mut page = String::new();
    let (mut extra, mut verbatim) = (false, false);
    for line in roff.lines().map(str::trim_end) {
        if let Some(heading) = line.strip_prefix(".SH ") {
            extra = heading == "EXTRA";
        }
        let is_typed = extra && line.starts_with("  ");
        if is_typed != verbatim {
            writeln!(page, "{}", if is_typed { ".nf" } else { ".fi" })?;
            verbatim = is_typed;
        }
        match line {
            "" => writeln!(page, ".PP")?,
            _ if is_typed || line.starts_with(['.', '\'']) => writeln!(page, "{line}")?,
            _ => fill(&mut page, line)?,
        }
    }
    if verbatim {
        writeln!(page, ".fi")?;
    }
    Ok(page)
}

/// Writes a line of text as lines that are short enough.
fn fill(page: &mut String, text: &str) -> Result<()> {
    for (nth, line) in wrapped(text, WIDTH).enumerate() {
        // At the start of a line these would begin a request.
        let request = nth > 0 && line.starts_with(['.', '\'']);
        writeln!(page, "{}{line}", if request { "\\&" } else { "" })?;
    }
    Ok(())
}
