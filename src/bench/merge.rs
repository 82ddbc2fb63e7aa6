//! Several parts as one run: the figures that one process with all the connections would have had.
//!
//! Histograms are added bucket by bucket, so the percentiles are those of all requests, not a mean of percentiles. Rates
//! are added over the time in which all parts put on their load: a part that was alone for a while had the server to itself.

use std::collections::HashMap;
use std::fmt::Write as _;

use anyhow::{Result, bail, ensure};
use hdrhistogram::Histogram;
use serde::Serialize;

use super::load::{Errors, Tally};
use super::moment::Moment;
use super::part::{Part, encode};
use super::plan::Expect;
use super::reasons::in_words;
use super::report::{Sheet, shown, time, whole};
use super::sample::{BUSY, Latency};
use crate::columns::{cut, hanging};
use crate::lang::Lang;
use crate::words::{counted, duration, grouped};
use netplay_text::say;

/// A part, and the file that it comes from.
#[derive(Debug)]
pub struct Source {
    /// The name of the file, safe to show.
    pub file: String,
    /// What it says.
    pub part: Part,
    /// Its histogram.
    pub times: Histogram<u64>,
}

/// Several parts as one.
#[derive(Debug, Serialize)]
pub struct Merged {
    /// The version of this form: 1.
    pub v: u32,
    /// All of them as one.
    pub together: Together,
    /// Each, in the order in which they were named.
    pub parts: Vec<Each>,
    /// What a reader must know to make anything of the figures.
    pub remarks: Vec<Remark>,
}

/// All parts as one.
#[derive(Debug, Serialize)]
pub struct Together {
    /// From when all put on their load, by the clock of the one that began last.
    pub from: String,
    /// For how long.
    pub seconds: f64,
    /// Connections that sent requests.
    pub connections: usize,
    /// Connections beside them.
    pub idle: usize,
    /// Connections that had a reply at least once.
    pub served: u64,
    /// Replies a second, in the time that all have in common.
    pub rate: f64,
    /// Replies in all of each part's time.
    pub replies: u64,
    /// Requests without a reply in the end.
    pub unanswered: u64,
    /// What went wrong.
    pub errors: Errors,
    /// Of all requests.
    pub latency: Option<Latency>,
    /// The sum of the histograms, as in a part.
    pub histogram: String,
}

/// What a part adds.
#[derive(Debug, Serialize)]
pub struct Each {
    /// Its file.
    pub file: String,
    /// Its host.
    pub host: String,
    /// How many nanoseconds after the first one it began, by the clock of its host.
    pub began_after_ns: i64,
    /// How long it lasted.
    pub seconds: f64,
    /// Connections that sent requests.
    pub connections: usize,
    /// Connections beside them.
    pub idle: usize,
    /// Connections that had a reply at least once.
    pub served: u64,
    /// Replies in all of its time.
    pub replies: u64,
    /// Replies a second, in the time that all have in common.
    pub rate: f64,
    /// Of its own requests.
    pub latency: Option<Latency>,
    /// What went wrong.
    pub errors: Errors,
}

/// Something that a reader must know.
#[derive(Debug, Serialize)]
pub struct Remark {
    /// In a word, for programs: `overlap`, `late`, `settings`, `interrupted`, `clock`, `busy`,
    /// `unserved`, `unanswered` or `errors`.
    pub about: &'static str,
    /// In English.
    pub sentence: String,
    /// In Chinese.
    #[serde(skip)]
    chinese: String,
}

/// If more of the time than this share has only a part of the load, that is said.
const OUTSIDE: f64 = 0.01;

/// A start that is later than it was to be by so many nanoseconds is worth a word.
const LATE: i64 = 5_000_000;

/// Puts parts together.
///
/// # Errors
/// They cannot be one run: the same part twice, no time in common, requests of different kinds. The sentence names two.
pub fn merge(sources: &[Source]) -> Result<Merged> {
    let [first, rest @ ..] = sources else { bail!("there is no part") };
    let mut seen = HashMap::new();
    for one in sources {
        if let Some(other) =
            seen.insert((&one.part.host, &one.part.began, &one.part.histogram), one)
        {
            let (a, b) = (&other.file, &one.file);
            bail!(say!(
                Lang::current(),
                "{a} and {b} are the same part",
                "{a} 和 {b} 是同一个部分结果"
            ));
        }
        one_kind(first, one)?;
    }
    let began: Vec<Moment> = sources.iter().map(|one| one.part.began()).collect::<Result<_>>()?;
    let zero = began.iter().copied().min().unwrap_or(first.part.began()?);
    let after: Vec<i64> = began.iter().map(|began| began.after(zero)).collect();
    let (from, to) = common(sources, &after)?;
    let seconds = (to - from) as f64 / 1e9;
    let mut times = Tally::default().latency;
    let mut errors = Errors::default();
    for Source { times: more, part, .. } in sources {
        times.add(more)?;
        errors.add(&part.errors);
    }
    let parts: Vec<Each> = sources
        .iter()
        .zip(&after)
        .map(|(Source { file, part, times }, &after)| Each {
            file: file.clone(),
            host: part.host.clone(),
            began_after_ns: after,
            seconds: part.seconds,
            connections: part.load.connections,
            idle: part.load.idle,
            served: part.served,
            replies: part.replies,
            rate: replies_between(part, from - after, to - after) / seconds,
            latency: Latency::of(times),
            errors: part.errors.clone(),
        })
        .collect();
    let sum = |figure: fn(&Part) -> u64| sources.iter().map(|one| figure(&one.part)).sum();
    let last = began[after.iter().position(|&after| after == from).unwrap_or(0)];
    let together = Together {
        from: last.text(),
        seconds,
        connections: parts.iter().map(|part| part.connections).sum(),
        idle: parts.iter().map(|part| part.idle).sum(),
        served: sum(|part| part.served),
        rate: parts.iter().map(|part| part.rate).sum(),
        replies: sum(|part| part.replies),
        unanswered: sum(|part| part.unanswered),
        errors,
        latency: Latency::of(&times),
        histogram: encode(&times)?,
    };
    let mut remarks = Vec::new();
    remarks.extend(of_overlap(sources, &after, (from, to)));
    for one in sources {
        remarks.extend(of_time(one));
        remarks.extend(of_part(one));
    }
    if !rest.is_empty() {
        remarks.extend(of_clocks(sources));
        remarks.extend(of_settings(sources));
    }
    Ok(Merged { v: 1, together, parts, remarks })
}

/// What it is called in English and Chinese, and what it is in a part.
type Setting = (&'static str, &'static str, fn(&Part) -> String);

/// Whether two parts have sent requests of the same kind.
fn one_kind(one: &Source, other: &Source) -> Result<()> {
    let lang = Lang::current();
    let (a, b) = (&one.file, &other.file);
    let kinds: [Setting; 5] = [
        ("bytes of a request", "请求的字节数", |part| grouped(part.manner.size as u64)),
        ("transport", "传输协议", |part| {
            (if part.manner.udp { "UDP" } else { "TCP" }).to_owned()
        }),
        (
            "connections for each request (--per-request)",
            "每个请求一个连接 (--per-request)",
            |part| {
                Lang::current()
                    .pick(
                        if part.manner.per_request { "yes" } else { "no" },
                        if part.manner.per_request { "是" } else { "否" },
                    )
                    .to_owned()
            },
        ),
        ("what a reply must be (--expect)", "对应答的要求 (--expect)", |part| {
            match part.manner.expect {
                Expect::Echo => "echo",
                Expect::Line => "line",
                Expect::Any => "any",
            }
            .to_owned()
        }),
        ("loop", "循环方式", |part| {
            let lang = Lang::current();
            match part.manner.rate {
                Some(_) => lang.pick("open (--rate)", "开环 (--rate)").to_owned(),
                None => lang.pick("closed", "闭环").to_owned(),
            }
        }),
    ];
    for (en, zh, kind) in kinds {
        let (theirs, ours) = (kind(&one.part), kind(&other.part));
        ensure!(
            theirs == ours,
            say!(
                lang,
                "the requests are of different kinds; {en}: {theirs} in {a}, {ours} in {b}",
                "请求的种类不同；{zh}：{a} 是 {theirs}，{b} 是 {ours}"
            )
        );
    }
    Ok(())
}

/// The time in which all put on their load, in nanoseconds after the first began.
fn common(sources: &[Source], after: &[i64]) -> Result<(i64, i64)> {
    let end = |nth: usize| after[nth].saturating_add(sources[nth].part.span());
    let last = (0..sources.len()).max_by_key(|&nth| after[nth]).unwrap_or(0);
    let first = (0..sources.len()).min_by_key(|&nth| end(nth)).unwrap_or(0);
    let (from, to) = (after[last], end(first));
    if from < to {
        return Ok((from, to));
    }
    let lang = Lang::current();
    let (early, late) = (&sources[first].file, &sources[last].file);
    let apart = duration((from - to).unsigned_abs());
    bail!(match first == last {
        true => say!(
            lang,
            "{early} has no time in which it put on a load",
            "{early} 没有施加负载的时间"
        ),
        false => say!(
            lang,
            "no time in common: {late} began {apart} after {early} had ended, by the clocks of their hosts",
            "没有共同的时间：按各自主机的时钟，{late} 在 {early} 结束后 {apart} 才开始"
        ),
    })
}

/// Replies of a part between two moments, in nanoseconds after it began. Of a slice that lies across a moment, the share
/// that lies inside counts.
fn replies_between(part: &Part, from: i64, to: i64) -> f64 {
    let whole = part.slice_ns as f64;
    let (from, to) = (from as f64, to.min(part.span()) as f64);
    let in_slice = |(nth, &replies): (usize, &u64)| {
        let begin = nth as f64 * whole;
        // The last slice may be cut off by the end.
        let end = (begin + whole).min(part.span() as f64);
        let inside = (end.min(to) - begin.max(from)).max(0.0);
        if end > begin { replies as f64 * inside / (end - begin) } else { 0.0 }
    };
    part.slices.iter().enumerate().map(in_slice).sum()
}

fn remark(about: &'static str, sentence: String, chinese: String) -> Remark {
    Remark { about, sentence, chinese }
}

/// Who began last and who ended first, where that leaves some of the time to a part of the load.
fn of_overlap(sources: &[Source], after: &[i64], (from, to): (i64, i64)) -> Option<Remark> {
    let end = |nth: usize| after[nth] + sources[nth].part.span();
    let all = 0..sources.len();
    let first = all.clone().min_by_key(|&nth| after[nth])?;
    let last = all.clone().max_by_key(|&nth| after[nth])?;
    let (ended_first, ended_last) =
        (all.clone().min_by_key(|&nth| end(nth))?, all.max_by_key(|&nth| end(nth))?);
    let (whole, common) = (end(ended_last), to - from);
    if (whole - common) as f64 <= OUTSIDE * whole as f64 {
        return None;
    }
    let file = |nth: usize| &sources[nth].file;
    let apart = |ns: i64| duration(ns.unsigned_abs());
    let (mut en, mut zh) = (Vec::new(), Vec::new());
    if from > 0 {
        let (late, early, by) = (file(last), file(first), apart(from));
        en.push(format!("{late} began {by} after {early}"));
        zh.push(format!("{late} 比 {early} 晚 {by} 开始"));
    }
    if whole > to {
        let (early, late, by) = (file(ended_first), file(ended_last), apart(whole - to));
        en.push(format!("{early} ended {by} before {late}"));
        zh.push(format!("{early} 比 {late} 早 {by} 结束"));
    }
    let (whole, common) = (apart(whole), apart(common));
    let (en, zh) = (en.join(", and "), zh.join("，"));
    Some(remark(
        "overlap",
        format!(
            "the whole load was on for {common} of {whole}: {en}; the percentiles are also of the requests before and after"
        ),
        format!("{whole} 中有 {common} 是全部负载：{zh}；百分位数也包括此前此后的请求"),
    ))
}

/// Whether a part began late, or was interrupted.
fn of_time(one: &Source) -> Vec<Remark> {
    let (file, part) = (&one.file, &one.part);
    let mut remarks = Vec::new();
    let start = part.start_at.as_deref().and_then(|start| start.parse::<Moment>().ok());
    let late = start.zip(part.began().ok()).map_or(0, |(start, began)| began.after(start));
    if late > LATE {
        let late = time(late as f64);
        remarks.push(remark(
            "late",
            format!("{file} began {late} after its --start-at"),
            format!("{file} 比它的 --start-at 晚 {late} 开始"),
        ));
    }
    if part.partial {
        remarks.push(remark(
            "interrupted",
            format!("{file} was interrupted"),
            format!("{file} 被中断了"),
        ));
    }
    remarks
}

/// What went wrong in a part.
fn of_part(one: &Source) -> Vec<Remark> {
    let (file, part) = (&one.file, &one.part);
    let mut remarks = Vec::new();
    let total = part.load.total() as u64;
    if part.served < total {
        let [served, total] = [part.served, total].map(grouped);
        remarks.push(remark(
            "unserved",
            format!("{file}: {served} of {total} connections had a reply"),
            format!("{file}：{total} 个连接中有 {served} 个得到过应答"),
        ));
    }
    if part.errors.count() > 0 {
        let n = part.errors.count();
        let first = part.errors.first.as_deref().unwrap_or_default();
        let (en, zh) = (shown(first), shown(&in_words(first)));
        remarks.push(remark(
            "errors",
            format!("{file}: {}; the first: {en}", counted(n, "error")),
            format!("{file}：{} 个错误；第一个：{zh}", grouped(n)),
        ));
    }
    if part.unanswered > 0 {
        let n = part.unanswered;
        remarks.push(remark(
            "unanswered",
            format!("{file}: {} had no reply by the end", counted(n, "request")),
            format!("{file}：到结束时有 {} 个请求还没有应答", grouped(n)),
        ));
    }
    let busy = part.client_cpu_ns as f64 / 1e9 / part.seconds.max(1e-9);
    if busy >= BUSY * (part.manner.threads.min(part.machine.cores) as f64) {
        let threads = part.manner.threads as u64;
        remarks.push(remark(
            "busy",
            format!(
                "{file}: its load generator was busy for {busy:.2} of {}, so its figures are also its own, not the server's alone",
                counted(threads, "thread")
            ),
            format!("{file}：负载发生器的 {threads} 个线程忙了 {busy:.2}，这些数字也取决于它自己，而不只是服务器"),
        ));
    }
    remarks
}

/// How far the clocks of the hosts can be trusted: without that, nothing is known of a common time.
fn of_clocks(sources: &[Source]) -> Option<Remark> {
    let host = |one: &Source| shown(&one.part.host);
    let mut hosts: Vec<String> = sources.iter().map(host).collect();
    hosts.sort();
    hosts.dedup();
    if hosts.len() < 2 {
        return None;
    }
    let right = |one: &&Source| one.part.clock.is_some_and(|clock| clock.synchronised);
    let mut wrong: Vec<String> = sources.iter().filter(|one| !right(one)).map(host).collect();
    wrong.sort();
    wrong.dedup();
    if !wrong.is_empty() {
        let hosts = wrong.join(", ");
        return Some(remark(
            "clock",
            format!(
                "no program keeps the clock right of {hosts}, as far as the kernel knows: how far the starts were apart is not known"
            ),
            format!("据内核所知，{hosts} 的时钟没有程序校准：各部分实际相差多久开始，不得而知"),
        ));
    }
    let error = |one: &Source| one.part.clock.map_or(0, |clock| clock.max_error_us);
    let mut errors: Vec<u64> = sources.iter().map(error).collect();
    errors.sort_unstable();
    let apart = errors.iter().rev().take(2).fold(0_u64, |sum, &us| sum.saturating_add(us));
    let apart = duration(apart.saturating_mul(1000));
    Some(remark(
        "clock",
        format!("the clocks of two hosts were at most {apart} apart, as far as their kernels know"),
        format!("据内核所知，任意两台主机的时钟最多相差 {apart}"),
    ))
}

/// What is not the same in all parts, and may well be so.
fn of_settings(sources: &[Source]) -> Vec<Remark> {
    let settings: [Setting; 6] = [
        ("the server", "服务器", |part| shown(&part.target)),
        ("netplay", "netplay", |part| shown(&part.machine.netplay)),
        ("a build without optimisation", "没有优化的构建", |part| {
            Lang::current()
                .pick(
                    if part.machine.debug_build { "yes" } else { "no" },
                    if part.machine.debug_build { "是" } else { "否" },
                )
                .to_owned()
        }),
        ("threads", "线程数", |part| part.manner.threads.to_string()),
        ("requests a second (--rate)", "每秒请求数 (--rate)", |part| {
            part.manner.rate.map_or(String::new(), |rate| rate.to_string())
        }),
        ("--start-at", "--start-at", |part| part.start_at.as_deref().map_or("-".to_owned(), shown)),
    ];
    let mut remarks = Vec::new();
    for (en, zh, setting) in settings {
        let first = setting(&sources[0].part);
        let Some(other) = sources.iter().find(|one| setting(&one.part) != first) else { continue };
        let (a, b, second) = (&sources[0].file, &other.file, setting(&other.part));
        remarks.push(remark(
            "settings",
            format!("not the same in all: {en}: {first} in {a}, {second} in {b}"),
            format!("各部分不相同：{zh}：{a} 是 {first}，{b} 是 {second}"),
        ));
    }
    remarks
}

/// The longest name of a file or host in the table.
const LONGEST: usize = 26;

impl Merged {
    /// As JSON.
    ///
    /// # Errors
    /// None: every value can be written.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// As text, for a terminal of so many columns.
    #[must_use]
    pub fn text(&self, ascii: bool, columns: usize) -> String {
        let lang = Lang::current();
        let all = &self.together;
        let seconds = duration((all.seconds * 1e9) as u64);
        let n = all.connections as u64;
        let parts = self.parts.len() as u64;
        let (en, zh) = (counted(n, "connection"), grouped(n));
        let en_parts = counted(parts, "part");
        let title = match parts {
            1 => say!(lang, "{en}, {seconds}", "{zh} 个连接，{seconds}"),
            _ => say!(
                lang,
                "{en_parts}, {en}, {seconds} together",
                "{parts} 个部分，{zh} 个连接，共同的时间 {seconds}"
            ),
        };
        let sheet = self.sheet(title);
        let mut out = String::new();
        _ = writeln!(out, "{}\n{}\n", sheet.title, sheet.text(ascii, columns));
        for remark in &self.remarks {
            let sentence = lang.pick(&remark.sentence, &remark.chinese);
            _ = writeln!(out, "{}", hanging(&format!("  {sentence}"), columns, 2));
        }
        if self.parts.len() < 2 {
            return if ascii { out.replace('µ', "u") } else { out };
        }
        let how = lang.pick(
            "Rates are of the time that all have in common; percentiles of all requests, from the sum of the histograms.",
            "速率按共同的时间计算；百分位数取自各直方图之和，包括所有请求。",
        );
        _ = writeln!(out, "{}", hanging(how, columns, 2));
        if ascii { out.replace('µ', "u") } else { out }
    }

    fn sheet(&self, title: String) -> Sheet {
        let lang = Lang::current();
        let name = |text: &str| cut(&shown(text), LONGEST, "..").into_owned();
        let figures = |latency: Option<Latency>| {
            let at = |figure: fn(Latency) -> u64| {
                latency.map_or("-".to_owned(), |latency| time(figure(latency) as f64))
            };
            [
                at(|all| all.p50),
                at(|all| all.p90),
                at(|all| all.p99),
                at(|all| all.p999),
                at(|all| all.max),
            ]
        };
        let mut rows: Vec<Vec<String>> = Vec::new();
        for part in &self.parts {
            let began = format!("+{}", duration(part.began_after_ns.unsigned_abs()));
            let seconds = duration((part.seconds * 1e9) as u64);
            let mut row = vec![name(&part.file), name(&part.host), began, seconds];
            row.extend([grouped(part.connections as u64), whole(part.rate)]);
            row.extend(figures(part.latency));
            row.extend([grouped(part.served), grouped(part.errors.count())]);
            rows.push(row);
        }
        let all = &self.together;
        let several = self.parts.len() > 1;
        let mut row = vec![lang.pick("together", "合计").to_owned(), String::new(), String::new()];
        row.extend([String::new(), grouped(all.connections as u64), whole(all.rate)]);
        row.extend(figures(all.latency));
        row.extend([grouped(all.served), grouped(all.errors.count())]);
        rows.extend(several.then_some(row));
        let (head, spare): (_, &[&str]) = match lang {
            Lang::En => {
                (HEAD.map(|(en, _)| en), &["p90", "time", "served", "p99.9", "host", "began"])
            }
            Lang::Zh => (HEAD.map(|(_, zh)| zh), &["p90", "时长", "服务", "p99.9", "主机", "开始"]),
        };
        Sheet { title, head: head.to_vec(), rows, remarks: vec![], spare }
    }
}

/// The columns.
const HEAD: [(&str, &str); 13] = [
    ("part", "部分"),
    ("host", "主机"),
    ("began", "开始"),
    ("time", "时长"),
    ("connections", "连接"),
    ("requests/s", "请求/秒"),
    ("p50", "p50"),
    ("p90", "p90"),
    ("p99", "p99"),
    ("p99.9", "p99.9"),
    ("max", "最大"),
    ("served", "服务"),
    ("errors", "错误"),
];
