//! The menu: what `netplay` alone says.

use std::io::Write;

use anyhow::Result;

use crate::examples::TABLE;
use crate::table::{self, Look};

/// What stands beside the examples.
const OTHERS: [[&str; 2]; 7] = [
    ["byte-order", "numbers and addresses, byte by byte"],
    ["why", "who holds a port, and what an error means on this machine"],
    ["draw", "the traces of both ends as one picture"],
    ["bench", "every server model under the same load"],
    ["lab", "predict, run, compare, fix: what learners get wrong"],
    ["doctor", "what this machine lets netplay do, and what mends it"],
    ["explain", "what is behind all this: a lesson a topic, and every errno"],
];
const FIRST: [[&str; 2]; 3] = [
    ["netplay demo", "the tour, in this terminal"],
    ["netplay tcp-server", "a server; in a second terminal:"],
    ["netplay tcp-client", "its client"],
];

/// What there is, and three commands to try first.
///
/// # Errors
/// If `out` cannot be written.
pub(super) fn menu(out: &mut dyn Write) -> Result<()> {
    writeln!(out, "netplay: the socket playground\n")?;
    let examples = TABLE.iter().map(|row| [row.name(), row.summary()]);
    columns(out, examples.chain([["", ""]]).chain(OTHERS))?;
    writeln!(out, "\nTry first:")?;
    columns(out, FIRST.into_iter())?;
    writeln!(out, "\nnetplay --help lists every command, netplay EXAMPLE --help what it can do.")?;
    Ok(())
}

fn columns<'a>(out: &mut dyn Write, rows: impl Iterator<Item = [&'a str; 2]>) -> Result<()> {
    let rows: Vec<Vec<String>> = rows.map(|row| row.map(String::from).to_vec()).collect();
    for line in table::lines(&rows, Look::default()) {
        writeln!(out, "{}", format!("  {line}").trim_end())?;
    }
    Ok(())
}
