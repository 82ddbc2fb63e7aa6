//! Processes, users and times in a few words.

use std::time::SystemTime;

use chrono::{DateTime, Local};
use nix::errno::Errno;
use nix::unistd::{Uid, User, getuid};
use serde_json::{Value, json};

use crate::columns::{cut, width};
use crate::escape::whole;
use crate::inspect::{Holder, Holders};
use crate::lang::{Lang, Voice};
use crate::table::hanging;
use netplay_text::say;

/// `netplay epoll server`: a command line in so few words that a sentence can hold it.
pub(super) fn command(holder: &Holder) -> String {
    const MOST: usize = 40;
    let (first, rest) = match holder.command.split_once(' ') {
        Some((first, rest)) => (first, Some(rest)),
        None => (holder.command.as_str(), None),
    };
    let first = first.rsplit('/').next().unwrap_or(first);
    let text = rest.map_or_else(|| first.to_owned(), |rest| format!("{first} {rest}"));
    if width(&text) <= MOST {
        return text;
    }
    let shown = cut(&text, MOST, "");
    format!("{}...", &shown[..whole(&shown)])
}

/// `netplay epoll server (pid 4711, started 12:03)`; several: the oldest, and how many others.
pub(super) fn processes(holders: &[Holder], lang: Lang) -> Option<String> {
    let oldest = holders.iter().min_by_key(|holder| (holder.started, holder.pid))?;
    let started = oldest.started.map(|time| {
        let time = clock(time);
        say!(lang, ", started {time}", ", {time} 启动")
    });
    let others = match holders.len() - 1 {
        0 => String::new(),
        1 => {
            let other = holders.iter().find(|one| one.pid != oldest.pid)?.pid;
            say!(lang, " and pid {other}", " 和 pid {other}")
        }
        n => say!(lang, " and {n} other processes", " 和另外 {n} 个进程"),
    };
    let started = started.unwrap_or_default();
    Some(format!("{} (pid {}{started}){others}", command(oldest), oldest.pid))
}

/// Which program has a socket, also where that may not be known.
pub(super) fn owner(inode: u64, uid: Option<u32>, holders: &Holders, lang: Lang) -> String {
    if let Some(processes) = processes(holders.of(inode), lang) {
        return processes;
    }
    if inode == 0 {
        return lang.pick("no process", "没有进程").to_owned();
    }
    if let Some(why) = holders.unread() {
        return say!(
            lang,
            "a process that could not be looked up ({why})",
            "一个无法查到的进程（{why}）"
        );
    }
    let words = match uid {
        _ if holders.unfinished() => {
            lang.pick("a process that was not found in time", "一个未能及时找到的进程")
        }
        Some(uid) if is_hidden(uid, holders) => {
            let user = user(uid, lang);
            return say!(
                lang,
                "a process of {user}, which you may not inspect",
                "{user} 的一个进程（你无权查看）"
            );
        }
        None if !holders.hidden().is_empty() => {
            lang.pick("a process that you may not inspect", "一个你无权查看的进程")
        }
        _ => lang.pick(
            "no process here: the kernel itself, or a process in another container",
            "这里没有进程持有它：属于内核本身，或另一个容器里的进程",
        ),
    };
    words.to_owned()
}

/// Whether a socket of this user may be held by a process that could not be inspected. A process may
/// have changed its user after it made the socket (a daemon that was root), so any will do.
pub(super) fn is_hidden(uid: u32, holders: &Holders) -> bool {
    holders.hidden().contains_key(&uid) || !holders.hidden().is_empty() && !getuid().is_root()
}

/// `user nobody (uid 65534)`.
pub(super) fn user(uid: u32, lang: Lang) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => {
            let name = user.name;
            say!(lang, "user {name} (uid {uid})", "用户 {name} (uid {uid})")
        }
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

/// The lines of a table below the line that says what it is of.
pub(super) fn columns(rows: &[Vec<String>], voice: Voice) -> Vec<String> {
    let lines = hanging(rows, voice.columns.saturating_sub(2));
    lines.into_iter().map(|line| format!("  {line}")).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<String>> {
        let row = |what: &str, address: &str, text: &str| {
            [what, address, text].map(String::from).to_vec()
        };
        vec![
            row("tcp LISTEN", "127.0.0.1:5858", "netplay epoll server (pid 4711, 12:03 启动)"),
            row("", "", "监听队列中 3 个，上限 128；已满，后来的客户端得不到回应"),
        ]
    }

    #[test]
    fn the_last_cell_of_a_row_goes_on_where_it_began() {
        for wide in [30, 50, 60, 80] {
            let lines = columns(&rows(), Voice { lang: Lang::Zh, columns: wide });
            assert!(lines.iter().all(|line| width(line) <= wide), "{wide}: {lines:#?}");
        }
        let lines = columns(&rows(), Voice { lang: Lang::Zh, columns: 60 });
        assert_eq!(lines[0], "  tcp LISTEN  127.0.0.1:5858  netplay epoll server (pid");
        assert_eq!(lines[1], "                              4711, 12:03 启动)");
    }

    #[test]
    fn a_command_is_cut_at_no_escape() {
        let command = |text: &str| {
            let holder = Holder {
                pid: 1,
                fd: 3,
                uid: 0,
                program: String::new(),
                command: text.to_owned(),
                started: None,
            };
            super::command(&holder)
        };
        let path = "/usr/bin/".to_owned() + &"a".repeat(38) + r"\x1b[2J";
        assert_eq!(command(&path), "a".repeat(38) + "...");
        assert_eq!(command("/bin/世 x"), "世 x");
        assert!(width(&command(&"世".repeat(41))) <= 43);
    }
}
