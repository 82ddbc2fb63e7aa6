//! What ping says: a line of the result each, as wide as the terminal.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::Result;

use super::header::{self, Icmp};
use crate::columns::hanging;
use crate::lang::Lang;
use crate::output::stdout;
use crate::trace::columns;
use crate::words::{counted, grouped};
use netplay_text::say;

/// A line of the result.
pub(super) fn say(line: &str) -> Result<()> {
    let mut out = stdout();
    let line = match (out.is_terminal(), columns()) {
        (false, _) => line.to_owned(),
        (true, usize::MAX) => hanging(line, 80, 2),
        (true, columns) => hanging(line, columns, 2),
    };
    Ok(writeln!(out, "{line}")?)
}

/// What is about to be sent.
pub(super) fn begin(
    host: IpAddr,
    count: u16,
    size: usize,
    identifier: u16,
    raw: bool,
) -> Result<()> {
    let lang = Lang::current();
    let (header, requests) = (header::ECHO, counted(count.into(), "request"));
    let kind = match raw {
        true => lang.pick("a raw socket", "原始套接字"),
        false => lang.pick("a datagram socket", "数据报套接字"),
    };
    say(&say!(
        lang,
        "ping {host}: {requests} of {header} + {size} bytes, identifier {identifier}, over {kind}",
        "ping {host}：{count} 个请求，每个 {header} + {size} 字节，标识符 {identifier}，使用{kind}"
    ))
}

/// A reply, the time that it took, and what is odd about it.
pub(super) fn reply(
    peer: IpAddr,
    icmp: Icmp<'_>,
    ttl: Option<i32>,
    time: Duration,
    again: bool,
    changed: bool,
) -> Result<()> {
    let lang = Lang::current();
    let (bytes, sequence, time) = (icmp.bytes().len(), icmp.sequence(), milliseconds(time));
    let ttl = ttl.map_or(String::new(), |ttl| say!(lang, "ttl {ttl}, ", "ttl {ttl}，"));
    let again = if again { lang.pick(", again", "，重复") } else { "" };
    let changed = match changed {
        true => lang.pick(", and its payload is not what was sent", "，载荷与发出的不同"),
        false => "",
    };
    say(&say!(
        lang,
        "{bytes} bytes from {peer}: seq {sequence}, {ttl}time {time}{again}{changed}",
        "来自 {peer} 的 {bytes} 字节：seq {sequence}，{ttl}时间 {time}{again}{changed}"
    ))
}

/// A request was answered with an error: by a router, or (`None`) by this machine.
pub(super) fn refused(by: Option<IpAddr>, sequence: Option<u16>, why: &str) -> Result<()> {
    let lang = Lang::current();
    let by = by.map_or(lang.pick("this machine", "本机").to_owned(), |by| by.to_string());
    let sequence = sequence.map(|sequence| say!(lang, "seq {sequence}, ", "seq {sequence}，"));
    let sequence = sequence.unwrap_or_default();
    say(&say!(lang, "from {by}: {sequence}{why}", "来自 {by}：{sequence}{why}"))
}

/// Why a packet was passed over.
pub(super) fn not_ours(kind: u8, identifier: u16) -> String {
    say!(
        Lang::current(),
        "type {kind}, for another program: identifier {identifier}",
        "类型 {kind}，属于别的程序：标识符 {identifier}"
    )
}

pub(super) fn no_echo(kind: u8) -> String {
    say!(Lang::current(), "type {kind}, not an echo", "类型 {kind}，不是回显报文")
}

pub(super) fn our_own() -> String {
    let (en, zh) = (
        "our own request, on its way to this machine's kernel: a raw socket sees all",
        "我们自己的请求，正在送往本机内核：原始套接字什么都看得到",
    );
    Lang::current().pick(en, zh).to_owned()
}

pub(super) fn never_sent() -> String {
    Lang::current().pick("about a request never sent", "关于一个从未发出的请求").to_owned()
}

pub(super) fn damaged() -> String {
    Lang::current().pick("its checksum does not verify", "校验和不对").to_owned()
}

/// What came back of all that was sent: the time of each first reply, how many came again, and how many requests were
/// answered with an error.
pub(super) fn statistics(
    sent: usize,
    times: &[Duration],
    duplicates: usize,
    refused: usize,
) -> Result<()> {
    let lang = Lang::current();
    let received = times.len();
    let lost = match sent.saturating_sub(received) as f64 * 100.0 / sent.max(1) as f64 {
        few if few > 0.0 && few < 1.0 => lang.pick("less than 1", "不到 1").to_owned(), // and not 0
        most if most > 99.0 && most < 100.0 => lang.pick("more than 99", "超过 99").to_owned(),
        percent => format!("{percent:.0}"),
    };
    let mut text = say!(
        lang,
        "{sent} sent, {received} received, {lost}% lost",
        "发出 {sent} 个，收到 {received} 个，丢失 {lost}%"
    );
    if duplicates > 0 {
        let n = grouped(duplicates as u64);
        text += &say!(lang, ", {n} came more than once", "，{n} 个重复收到");
    }
    if refused > 0 {
        let n = grouped(refused as u64);
        text += &say!(lang, ", {n} answered with an error", "，{n} 个得到的是错误");
    }
    let mut times = times.to_vec();
    times.sort_unstable();
    if let (Some(least), Some(most)) = (times.first(), times.last()) {
        let half = times.len() / 2;
        let median = match times.len() % 2 {
            0 => (times[half - 1] + times[half]) / 2,
            _ => times[half],
        };
        let [least, median, most] = [*least, median, *most].map(milliseconds);
        text += &say!(
            lang,
            "; round trip: least {least}, median {median}, most {most}",
            "；往返时间：最小 {least}，中位数 {median}，最大 {most}"
        );
    }
    say(&text)
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

/// Why there was no reply at all.
pub(super) fn no_reply(host: IpAddr, refused: bool) -> String {
    let lang = Lang::current();
    match refused {
        false => say!(
            lang,
            "no reply from {host}: it is not there, or silent on purpose",
            "{host} 没有应答：它不在，或有意沉默"
        ),
        true => say!(
            lang,
            "no reply from {host}: errors came back instead",
            "{host} 没有应答：返回的是错误"
        ),
    }
}

/// Why a group, or a whole network, is not asked.
pub(super) fn many(host: IpAddr) -> String {
    say!(
        Lang::current(),
        "{host} is an address of many hosts: each of them would answer, and ping asks one",
        "{host} 是许多主机的地址：每台都会应答，而 ping 只问一台"
    )
}
