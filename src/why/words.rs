//! Processes, users and times in a few words.

use std::time::SystemTime;

use chrono::{DateTime, Local};
use nix::errno::Errno;
use nix::unistd::{Uid, User, getuid};
use serde_json::{Value, json};

use crate::inspect::{Holder, Holders};
use crate::table::{self, Look};

/// `netplay epoll server`: a command line in so few words that a sentence can hold it.
pub(super) fn command(holder: &Holder) -> String {
    const MOST: usize = 40;
    let (first, rest) = match holder.command.split_once(' ') {
        Some((first, rest)) => (first, Some(rest)),
        None => (holder.command.as_str(), None),
    };
    let first = first.rsplit('/').next().unwrap_or(first);
    let text = rest.map_or_else(|| first.to_owned(), |rest| format!("{first} {rest}"));
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// `netplay epoll server (pid 4711, started 12:03)`; several: the oldest, and how many others.
pub(super) fn processes(holders: &[Holder]) -> Option<String> {
    let oldest = holders.iter().min_by_key(|holder| (holder.started, holder.pid))?;
    let started = oldest.started.map(|time| format!(", started {}", clock(time)));
    let others = match holders.len() - 1 {
        0 => String::new(),
        1 => format!(" and pid {}", holders.iter().find(|one| one.pid != oldest.pid)?.pid),
        n => format!(" and {n} other processes"),
    };
    let started = started.unwrap_or_default();
    Some(format!("{} (pid {}{started}){others}", command(oldest), oldest.pid))
}

/// Who has a socket, also where that may not be known.
pub(super) fn owner(inode: u64, uid: Option<u32>, holders: &Holders) -> String {
    if let Some(processes) = processes(holders.of(inode)) {
        return processes;
    }
    if inode == 0 {
        return "no process".to_owned();
    }
    if let Some(why) = holders.unread() {
        return format!("a process that could not be looked for ({why})");
    }
    match uid {
        _ if holders.unfinished() => "a process that was not found in time".to_owned(),
        Some(uid) if is_hidden(uid, holders) => {
            format!("a process of {}, which you may not look into", user(uid))
        }
        None if !holders.hidden().is_empty() => "a process that you may not look into".to_owned(),
        _ => "no process here: the kernel itself, or one in another container".to_owned(),
    }
}

/// Whether a socket of this user may be held by a process that could not be looked into. A process may
/// have changed its user after it made the socket (a daemon that was root), so any will do.
pub(super) fn is_hidden(uid: u32, holders: &Holders) -> bool {
    holders.hidden().contains_key(&uid) || !holders.hidden().is_empty() && !getuid().is_root()
}

/// `user nobody (uid 65534)`.
pub(super) fn user(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => format!("user {} (uid {uid})", user.name),
        _ => format!("uid {uid}"),
    }
}

/// `12:03` today, `Nov 21 12:03` on another day.
pub(super) fn clock(time: SystemTime) -> String {
    let time = DateTime::<Local>::from(time);
    let form =
        if time.date_naive() == Local::now().date_naive() { "%H:%M" } else { "%b %-d %H:%M" };
    time.format(form).to_string()
}

/// A table below the line that says what it is of.
pub(super) fn columns(rows: &[Vec<String>]) -> impl Iterator<Item = String> {
    table::lines(rows, Look::default()).into_iter().map(|line| format!("  {line}"))
}

/// `EADDRINUSE`.
pub(super) fn name(errno: Errno) -> String {
    format!("{errno:?}")
}

/// The holders as JSON has them.
pub(super) fn facts(holders: &[Holder]) -> Value {
    let started = |holder: &Holder| holder.started.map(|t| DateTime::<Local>::from(t).to_rfc3339());
    let each = |holder: &Holder| {
        json!({
            "pid": holder.pid,
            "fd": holder.fd,
            "uid": holder.uid,
            "program": holder.program,
            "command": holder.command,
            "started": started(holder),
        })
    };
    holders.iter().map(each).collect()
}
