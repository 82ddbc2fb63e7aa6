//! # mini-ftp: files, a connection for each command, and no framing
//!
//! ```text
//!   list                       download                    upload
//!   client       server        client          server      client          server
//!   connect      accept        connect         accept      connect         accept
//!   send L ────▶ recv          send D NAME ──▶ recv        send U NAME ──▶ recv
//!   recv ◀────── send a.txt    recv ◀───────── send          a pause
//!                  a pause     recv ◀───────── send        send ─────────▶ recv
//!   recv ◀────── send b.txt      …                           …
//!   recv = 0 ◀── close         recv = 0 ◀───── close       close ────────▶ recv = 0
//! ```
//!
//! One letter, a space and a name; then bytes until one side closes. It is as simple as a file
//! protocol can be, and shows why others are not. TCP keeps the order of bytes, not the boundaries between
//! sends, and this protocol does not say where anything ends. Watch for what that costs:
//!
//! - *Where does a name end?* The server sends each name separately and pauses, so that each arrives in its own `recv`.
//!   A client that is busy meanwhile receives two at once, and takes them for one name. A hundred names
//!   take ten seconds.
//! - *Where does the header end?* At the next silence. If the first bytes of a file arrive with
//!   `U NAME` in one segment, they become the end of its name.
//! - *Is there such a file?* A missing file and an empty one look the same: connect, `recv` = 0.
//! - *Is it complete?* Only `recv` = 0 marks the end, and a client that was killed half way sends
//!   the same FIN as one that is done. What it had sent looks complete.
//!
//! The `ftp` example cures each of them: its commands are lines, a number answers every one, each name in a
//! listing has a line end, and a file has its own connection and a reply (226) that says it is complete.
//!
//! Both ends do what is possible. What they *cannot* know they do not claim.

mod client;
mod server;

pub use client::client;
pub use server::{Command, serve, understand};

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt};
use clap::Args;

use super::row::{self, Both, Example, Place, Purpose};
use super::script::{self, Demo};
use crate::lang::Lang;

/// The pause that takes the place of framing: between two names of a list, and between a header and its data.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens a file beneath a folder for reading.
///
/// A [`Dir`] is a descriptor, and the kernel resolves the path beneath it (openat2(2),
/// RESOLVE_BENEATH): `..`, an absolute path and a link that leads out fail, also when the link was
/// put there a moment ago. A check of the path before the open would leave a moment for that.
fn open(folder: &Dir, path: &Path) -> Result<File> {
    // O_NONBLOCK: opening a fifo would wait for its other end, perhaps for ever.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = folder.open_with(path, OpenOptions::new().read(true).custom_flags(flags))?;
    if !file.metadata()?.is_file() {
        bail!(not_regular());
    }
    Ok(file)
}

/// Why something is not served or replaced.
fn not_regular() -> &'static str {
    Lang::current().pick("not a regular file", "不是普通文件")
}

/// The options of the server.
#[derive(Debug, Args)]
#[command(mut_arg("idle_timeout", |arg| {
    arg.help("Close the connection of a client that was silent for this long [default: 60]")
}))]
pub struct Options {
    /// The folder to serve, and nothing outside it [default: the current one]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Refuse uploads
    #[arg(long)]
    read_only: bool,
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "mini-ftp",
    short: None,
    summary: Both {
        en: "a file protocol with a connection for each command, and without framing",
        zh: "一个文件协议：每条命令一个连接，没有任何分帧",
    },
    watch: Both {
        en: "nothing says where a name ends, where a file ends, or whether there is one: the \
              pauses and the closes are the protocol",
        zh: "没有什么标明文件名在哪里结束、文件在哪里结束、文件是否存在：停顿和关闭就是协议",
    },
    place: Place::Internet,
    purpose: Purpose::Files,
    at_once: row::AtOnce::All,
    reply: None,
    server: Some(&row::Server(serve)),
    client: &client,
    tools: &[],
    demo: Demo::of(script::FILES),
    next: Some(Both::same("netplay mini-ftp server --root DIR")),
    lesson: "mini-ftp",
};
