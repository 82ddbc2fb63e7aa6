//! The path of a UNIX domain socket: who listens there, and what a file without a socket means.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use nix::errno::Errno;
use serde_json::{Value, json};

use super::words::{clock, count, facts, owner};
use super::{Answer, PATIENCE};
use crate::escape::escape_unsafe;
use crate::inspect::{self, Holders, Unix, UnixKind};

struct Found {
    /// Those bound to the path. What a listener accepts has its name, too.
    sockets: Vec<Unix>,
    holders: Holders,
}

fn look(path: &Path, patience: Duration) -> io::Result<Found> {
    let sockets: Vec<Unix> = inspect::unix()?.into_iter().filter(|one| one.is_at(path)).collect();
    let holders = inspect::holders(sockets.iter().map(|socket| socket.inode), patience);
    Ok(Found { sockets, holders })
}

impl Found {
    /// Those that wait for clients.
    fn open(&self) -> impl Iterator<Item = &Unix> {
        self.sockets.iter().filter(|one| one.listening || one.kind == UnixKind::Datagram)
    }

    fn owner(&self, socket: &Unix) -> String {
        owner(socket.inode, socket.uid, &self.holders)
    }
}

/// The path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = escape_unsafe(&path.to_string_lossy());
    let plain = |c: char| c.is_alphanumeric() || "/._-+@%:,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// `netplay why PATH`.
pub(super) fn answer(path: &Path) -> anyhow::Result<Answer> {
    let found = look(path, PATIENCE).context("the kernel does not tell of its sockets")?;
    let shown = quoted(path);
    let mut text = format!("{shown} on this host\n");
    for socket in found.open() {
        let what = if socket.listening { "LISTEN" } else { "datagrams" };
        text += &format!("  unix {what:<10} {}\n", found.owner(socket));
        if let (true, Some(waiting), Some(backlog)) =
            (socket.listening, socket.receive_queue, socket.send_queue)
        {
            let full = if waiting > backlog { ": full, a further connect waits" } else { "" };
            text += &format!("{:18}accept queue {waiting}, backlog {backlog}{full}\n", "");
        }
    }
    let connected = found.sockets.len() - found.open().count();
    if connected > 0 {
        text += &format!("  {}\n", count(connected, "connection"));
    }
    let (why, next) = match (fs::symlink_metadata(path), found.open().next()) {
        (Err(error), None) => {
            let why = crate::call::strerror(Errno::from_raw(error.raw_os_error().unwrap_or(0)));
            match error.kind() {
                io::ErrorKind::NotFound => (
                    format!("there is no such file ({why}): a bind makes it"),
                    format!("netplay unix-server {shown}"),
                ),
                _ => (
                    format!("nobody gets there from here ({why}): a bind and a connect fail in the same way"),
                    "take another path".to_owned(),
                ),
            }
        }
        (Err(_), Some(_)) => (
            "the file is gone: connections live on, and nobody can make a new one".to_owned(),
            "start the server again".to_owned(),
        ),
        (Ok(about), None) if about.file_type().is_socket() => (
            "the file is there and no socket behind it: its server ended without unlink. A connect is \
             refused, and a bind fails for EADDRINUSE until somebody removes the file; netplay's server \
             does so itself"
                .to_owned(),
            format!("rm {shown}"),
        ),
        (Ok(_), None) => (
            "that is a file, and no socket: a bind fails for EADDRINUSE, a connect is refused".to_owned(),
            "take another path".to_owned(),
        ),
        (Ok(about), Some(socket)) => {
            let since = about.modified().map(|time| format!(" since {}", clock(time)));
            let since = since.unwrap_or_default();
            let pids = found.holders.of(socket.inode).iter().map(|holder| holder.pid.to_string());
            let pids: Vec<String> = pids.collect();
            let next = match pids.is_empty() {
                true => format!("sudo netplay why {shown}"),
                false => format!("netplay unix-client {shown}, or kill {}", pids.join(" ")),
            };
            (format!("the file is bound{since}: a second bind fails, whatever its options"), next)
        }
    };
    text += &format!("why: {why}\nnext: {next}\n");
    let sockets = found.sockets.iter().map(|socket| {
        json!({
            "listening": socket.listening,
            "receive_queue": socket.receive_queue,
            "send_queue": socket.send_queue,
            "inode": socket.inode,
            "uid": socket.uid,
            "holders": facts(found.holders.of(socket.inode)),
        })
    });
    let facts = json!({
        "path": path.to_string_lossy(),
        "sockets": sockets.collect::<Value>(),
        "why": [why],
        "next": [next],
    });
    Ok(Answer { key: "path", text, facts })
}

/// After a bind or connect of a path that failed.
pub(in super::super) fn hint(call: &str, path: &Path) -> Option<String> {
    let found = look(path, Duration::from_millis(150)).ok()?;
    let shown = quoted(path);
    let about = fs::symlink_metadata(path).ok()?;
    if !about.file_type().is_socket() && found.sockets.is_empty() {
        return Some(format!("{shown} is there already, and no socket: take another path"));
    }
    match (call, found.open().next()) {
        ("bind", Some(socket)) => {
            let pids = found.holders.of(socket.inode).iter().map(|one| one.pid.to_string());
            let pids: Vec<String> = pids.collect();
            let stop =
                if pids.is_empty() { String::new() } else { format!(" (kill {})", pids.join(" ")) };
            Some(format!("{} has {shown}: stop it{stop} or take another path", found.owner(socket)))
        }
        ("bind", None) => Some(format!("no socket is behind {shown} any more: rm {shown}")),
        (_, None) => Some(format!(
            "nobody listens at {shown} any more, its server ended without unlink: start the server again"
        )),
        (_, Some(_)) => None,
    }
}
