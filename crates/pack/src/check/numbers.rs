//! The numbers of a record, its bytes and its text: each says something about the others.

use std::collections::HashMap;

use netplay_record::{Call, Event, Kind, Moves, Way};
use netplay_text::escape::escape_message;

use crate::hide::{from_strace, next_string};
use crate::run::Run;
use crate::{Fault, Rule};
use netplay_text::both;
use netplay_text::both::Both;
use netplay_text::escape::unescape;

pub(super) fn check(run: &Run, faults: &mut Vec<Fault>) {
    // How many bytes of a transfer each trace keeps: the same for each program that wrote it.
    let mut kept: HashMap<(usize, &str), usize> = HashMap::new();
    let moved: Vec<Option<Vec<u8>>> =
        run.records.iter().map(|record| record.data.as_deref().map(unescape)).collect();
    for (i, record) in run.records.iter().enumerate() {
        if let Some(data) = &moved[i] {
            // netplay's own pages keep 64.
            let least = if *record.example == *"watch" { 0 } else { 64 };
            let most = kept.entry((run.places[i].trace, &record.example)).or_insert(least);
            *most = (*most).max(data.len());
        }
    }
    for (i, record) in run.records.iter().enumerate() {
        if record.kind == Kind::Note || record.kind == Kind::Submit {
            continue;
        }
        let most = kept.get(&(run.places[i].trace, &*record.example)).copied().unwrap_or_default();
        if let Some(said) = wrong(record, moved[i].as_deref(), most) {
            faults.push(run.fault(Rule::Count, said, &[i]));
        }
    }
}

/// What contradicts something else in this record.
fn wrong(record: &Event, data: Option<&[u8]>, most: usize) -> Option<Both> {
    let call = record.call.as_deref().unwrap_or_default();
    let args = record.args.as_deref().unwrap_or_default();
    let many = matches!(call, "sendmmsg" | "recvmmsg");
    if let (Some(fd), Kind::Call) = (record.fd, record.kind) {
        let first = args.split(", ").next().unwrap_or_default();
        if first != fd.to_string() {
            return Some(both!(
                "its descriptor is {fd}, and its arguments begin with {first}",
                "它的描述符是 {fd}，而参数以 {first} 开头",
            ));
        }
    }
    if let Some(ret) = record.ret.filter(|_| record.is_done()) {
        let nothing = matches!(
            call,
            "bind"
                | "listen"
                | "connect"
                | "shutdown"
                | "close"
                | "close_range"
                | "socketpair"
                | "setsockopt"
                | "getsockopt"
                | "getsockname"
                | "getpeername"
                | "epoll_ctl"
                | "execve"
                | "kill"
                | "sigprocmask"
        );
        if nothing && ret != 0 {
            return Some(both!("{call} returns 0, never {ret}", "{call} 返回 0，不会返回 {ret}"));
        }
        if matches!(record.what.moves(), Moves::Copies) && ret == 0 {
            return Some(both!(
                "a process that was made has a number, not 0",
                "新进程有编号，不会是 0"
            ));
        }
        let ready = record
            .ready
            .as_deref()
            .map(|ready| ready.split(", ").filter(|of| !of.is_empty()).count());
        if let Some(ready) = ready
            && record.kind == Kind::Call
            && ready as i64 != ret
        {
            return Some(both!(
                "{call} returned {ret}, and {ready} are ready",
                "{call} 返回 {ret}，而就绪的有 {ready} 个",
            ));
        }
    }
    let bytes = record.bytes?;
    let returned = record.ret.unwrap_or_default();
    let all_of_it = args.contains("MSG_TRUNC");
    if !many && returned != bytes as i64 && !all_of_it {
        return Some(both!(
            "it returned {returned}, and {bytes} bytes moved",
            "它返回 {returned}，而传送了 {bytes} 字节",
        ));
    }
    let out = record.what.way() == Some(Way::Out);
    let asked = if out { record.asked } else { record.room().filter(|_| !all_of_it) };
    if let Some(asked) = asked
        && bytes > asked
    {
        return Some(both!(
            "{bytes} bytes moved, and the call was given room for, or had, {asked}",
            "传送了 {bytes} 字节，而这个调用只给了 {asked} 字节",
        ));
    }
    let data = data?;
    let len = data.len();
    let shown = record.data.as_deref().unwrap_or_default();
    if escape_message(data) != shown {
        return Some(both!(
            "its data is not written as netplay writes it",
            "它的 data 不是 netplay 写出的样子"
        ));
    }
    let whole = len as u64 == bytes;
    if len as u64 > bytes || (!whole && !many && len != most && is_plain(&record.what, record)) {
        return Some(both!(
            "{bytes} bytes moved, and its data has {len}",
            "传送了 {bytes} 字节，而它的 data 有 {len} 字节",
        ));
    }
    if record.kind != Kind::Call {
        return None;
    }
    let (_, quoted) = next_string(args)?;
    let in_args = from_strace(quoted);
    let differs = in_args.iter().zip(data).any(|(a, b)| a != b && *a != b'*' && *b != b'*');
    if differs && !moves_aside(args) {
        return Some(both!(
            "its data is not that of its arguments",
            "它的 data 与参数里的内容不同",
        ));
    }
    let asked = record.asked.filter(|_| out)?;
    let behind = args.split_once(quoted).map_or("", |(_, rest)| rest);
    let behind = behind.trim_start_matches(['"', '.']).strip_prefix(", ")?;
    let size: u64 = behind.split([',', ' ']).next()?.parse().ok()?;
    if size != asked && !args.contains("iov_base") {
        return Some(both!(
            "its arguments ask for {size} bytes, and its record for {asked}",
            "参数里要传送 {size} 字节，而记录里是 {asked} 字节",
        ));
    }
    None
}

/// Whether its bytes stand in one piece, so that a record keeps as many of them as it keeps of any other.
fn is_plain(call: &Call, record: &Event) -> bool {
    matches!(call, Call::Bytes(_))
        && matches!(
            record.call.as_deref(),
            Some("recv" | "recvfrom" | "send" | "sendto" | "read" | "write")
        )
}

/// Whether what it returned is not what it moved: the error queue.
fn moves_aside(args: &str) -> bool {
    args.contains("MSG_ERRQUEUE")
}
