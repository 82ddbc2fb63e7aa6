//! The results for the options, for people and for programs.

use serde_json::{Value, json};

use super::Row;
use super::code::{asking, setting};
use super::does::does;
use crate::call::{self, Kind, Opt, OptValue, SockoptName};
use crate::columns::{hanging, width, wrapped};
use crate::lang::{Lang, Voice};
use crate::table;
use netplay_text::say;

/// The columns of the table, from the option to the remark, are at least as wide as this.
const NARROWEST: [usize; 6] = [25, 7, 9, 9, 10, 0];
/// The column of the types, which a narrow terminal has no room for.
const TYPE: usize = 1;
/// So wide is the table with all its columns and short remarks.
const ALL_COLUMNS: usize = 100;

/// One heading for each kind of socket, one for each level, one line for each option.
#[must_use]
pub fn table(rows: &[Row], voice: Voice) -> String {
    let lang = voice.lang;
    let heads = match lang {
        Lang::En => ["", "type", "default", "asked", "kernel has", "remark"],
        Lang::Zh => ["", "类型", "默认", "请求", "内核给出", "说明"],
    };
    let heads = heads.map(String::from);
    let cells = |row: &Row| {
        let [default, asked, kernel] = values(row, lang);
        let (name, kind) = (row.option.name().to_owned(), kind(row.option).to_owned());
        [name, kind, default, asked, kernel, row.remark(lang)]
    };
    let all: Vec<[String; 6]> = rows.iter().map(cells).collect();
    let widths: [usize; 6] = std::array::from_fn(|at| {
        let cells = all.iter().chain([&heads]).map(|cells| width(&cells[at]));
        cells.max().unwrap_or_default().max(NARROWEST[at])
    });
    let shown = |at: usize| at != TYPE || voice.columns >= ALL_COLUMNS;
    let line = |cells: &[String; 6]| {
        let mut line = String::new();
        for at in (0..5).filter(|&at| shown(at)) {
            line += &format!("{}{:2$} ", cells[at], "", widths[at] - width(&cells[at]));
        }
        let lines = beside(line, &cells[5], voice.columns.saturating_sub(2));
        lines.iter().map(|line| format!("  {line}\n")).collect::<String>()
    };
    let mut text = String::new();
    let (mut protocol, mut level) = (None, "");
    for (row, cells) in rows.iter().zip(&all) {
        if protocol.replace(row.protocol) != Some(row.protocol) {
            let gap = if text.is_empty() { "" } else { "\n" };
            let name = row.protocol.name();
            text += &say!(
                lang,
                "{gap}{name}, a fresh socket for each option\n",
                "{gap}{name}，每个选项用一个新套接字\n"
            );
            text += &line(&heads);
            level = "";
        }
        if level != row.option.level() {
            level = row.option.level();
            let (manual, whose) = about(level, lang);
            text += &say!(lang, "{level}: {whose}, {manual}\n", "{level}：{whose}，{manual}\n");
        }
        text += &line(cells);
    }
    text
}

/// The start of a line, and the sentence behind it, which goes on below where it begins.
fn beside(mut start: String, sentence: &str, columns: usize) -> Vec<String> {
    let indent = width(&start);
    let mut lines = Vec::new();
    for part in wrapped(sentence, columns.saturating_sub(indent)) {
        lines.push(format!("{start}{part}").trim_end().to_owned());
        start = " ".repeat(indent);
    }
    lines
}

/// The manual page of a level, and whose options it has.
fn about(level: &str, lang: Lang) -> (&'static str, &'static str) {
    match level {
        "SOL_SOCKET" => ("socket(7)", lang.pick("for every socket", "所有套接字")),
        "SOL_IP" => ("ip(7)", lang.pick("for IPv4", "IPv4")),
        "SOL_IPV6" => {
            ("ipv6(7)", lang.pick("for IPv6, on an AF_INET6 socket", "IPv6，在 AF_INET6 套接字上"))
        }
        "SOL_TCP" => ("tcp(7)", lang.pick("for TCP", "TCP")),
        _ => ("udp(7)", lang.pick("for UDP", "UDP")),
    }
}

fn kind(option: Opt) -> &'static str {
    match option.kind() {
        Kind::Int => "int",
        Kind::Time => "time",
        Kind::Linger => "linger",
        Kind::Address => "address",
        Kind::Text(_) => "text",
        Kind::Bytes(_) => "struct",
    }
}

/// Default, asked, kernel; a dash if a call failed.
fn values(row: &Row, lang: Lang) -> [String; 3] {
    let shown = |answer: &call::Result<OptValue>| {
        answer.as_ref().map_or_else(|_| "-".to_owned(), |value| value.told_in(lang))
    };
    [shown(&row.default), row.asked.told_in(lang), shown(&row.kernel)]
}

/// `SO_RCVBUF on tcp: was 131072, asked 5000, the kernel has 10000: doubled, …`
#[must_use]
pub fn sentence(row: &Row, voice: Voice) -> String {
    let lang = voice.lang;
    let (name, protocol, remark) = (row.option.name(), row.protocol.name(), row.remark(lang));
    let [default, asked, kernel] = values(row, lang);
    let was = match &row.default {
        Ok(_) => say!(lang, "was {default}, ", "原值 {default}，"),
        Err(_) => String::new(),
    };
    let then = match &row.kernel {
        Ok(_) if kernel == asked => say!(lang, "the kernel has {kernel}", "内核给出 {kernel}"),
        Ok(_) => say!(lang, "the kernel has {kernel}: {remark}", "内核给出 {kernel}：{remark}"),
        Err(error) if error.name() == SockoptName::Setsockopt.into() => {
            say!(lang, "refused: {remark}", "被拒绝：{remark}")
        }
        Err(_) => remark,
    };
    voice.lines(&say!(
        lang,
        "{name} on {protocol}: {was}asked {asked}, {then}",
        "{protocol} 上的 {name}：{was}请求 {asked}，{then}"
    ))
}

/// What an option is, its result on each kind of socket, and how a program sets it.
#[must_use]
pub fn explained(option: Opt, rows: &[Row], voice: Voice) -> String {
    let lang = voice.lang;
    let (name, level, kind) = (option.name(), option.level(), kind(option));
    let (manual, whose) = about(option.level(), lang);
    let mut text = voice.lines(&say!(
        lang,
        "{name}: level {level}, {whose}; value: {kind}; {manual}",
        "{name}：级别 {level}，{whose}；值：{kind}；{manual}"
    ));
    text += &hanging(&format!("  {}", does(option, lang)), voice.columns, 0);
    text += "\n\n";
    let cells = |row: &Row| {
        let [default, asked, kernel] = values(row, lang);
        let heads = lang.pick(["default", "asked", "kernel has"], ["默认", "请求", "内核给出"]);
        let told = heads.into_iter().zip([default, asked, kernel]);
        let told = told.map(|(head, value)| {
            let room = 9_usize.saturating_sub(width(&value));
            format!("{head} {value}{:room$}", "")
        });
        let told = told.collect::<Vec<_>>().join(" ");
        vec![format!("{:<4}", row.protocol.name()), told, row.remark(lang)]
    };
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    for line in table::hanging(&cells, voice.columns.saturating_sub(2)) {
        text += &format!("  {line}\n");
    }
    let set = rows.iter().any(Row::can_be_set);
    let (head, lines) = match set {
        true => (lang.pick("To set it:", "设置它："), setting(option, &rows[0].asked)),
        false => (lang.pick("To ask it:", "读取它："), asking(option)),
    };
    text += &format!("\n{head}\n");
    for (language, code) in ["C", "Python", "Rust"].into_iter().zip(lines) {
        text += &(hanging(&format!("  {language:<6}  {code}"), voice.columns, 8) + "\n");
    }
    text
}

/// A row for programs: numbers are numbers, a time is seconds, what failed is null.
#[must_use]
pub fn facts(row: &Row) -> Value {
    let value = |value: &OptValue| match value {
        OptValue::Int(n) => json!(n),
        OptValue::Time(time) => json!(time.as_secs_f64()),
        OptValue::Linger(time) => json!(time.map(|time| time.as_secs())),
        OptValue::Bytes(bytes) => json!(bytes),
        other => json!(other.to_string()),
    };
    let answer = |answer: &call::Result<OptValue>| answer.as_ref().map_or(Value::Null, value);
    let error = row.kernel.as_ref().err().or(row.default.as_ref().err());
    json!({
        "socket": row.protocol.name(),
        "option": row.option.name(), "level": row.option.level(), "type": kind(row.option),
        "does": row.option.does(),
        "default": answer(&row.default), "asked": value(&row.asked), "kernel": answer(&row.kernel),
        "errno": error.map(|error| format!("{:?}", error.errno())),
        "failed": error.map(|error| error.call()),
        "remark": row.remark(Lang::En),
    })
}
