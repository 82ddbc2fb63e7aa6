//! The menu: what `netplay` alone says.

use std::io::Write;

use anyhow::Result;

use crate::examples::TABLE;

/// What there is, and three commands to try first.
///
/// # Errors
/// If `out` cannot be written.
pub(super) fn menu(out: &mut dyn Write) -> Result<()> {
    writeln!(out, "netplay: the socket playground\n")?;
    for row in TABLE {
        writeln!(out, "  {:<12} {}", row.name(), row.summary())?;
    }
    writeln!(out, "\n  {:<12} numbers and addresses, byte by byte", "byte-order")?;
    writeln!(out, "  {:<12} who holds a port, and what an error means on this machine", "why")?;
    writeln!(out, "  {:<12} the traces of both ends as one picture", "draw")?;
    writeln!(out, "  {:<12} every server model under the same load", "bench")?;
    writeln!(out, "  {:<12} predict, run, compare, fix: what learners get wrong", "lab")?;
    writeln!(out, "  {:<12} what this machine lets netplay do, and what mends it", "doctor")?;
    writeln!(
        out,
        "  {:<12} what is behind all this: a lesson a topic, and every errno",
        "explain"
    )?;
    writeln!(out, "\nTry first:")?;
    writeln!(out, "  netplay demo                           the tour, in this terminal")?;
    writeln!(out, "  netplay tcp-server                     a server; in a second terminal:")?;
    writeln!(out, "  netplay tcp-client                     its client")?;
    writeln!(out, "\nnetplay --help lists every command, netplay EXAMPLE --help what it can do.")?;
    Ok(())
}
