//! The results for the options, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Row;
use super::code::{asking, setting};
use crate::call::{self, Kind, Opt, OptValue, SockoptName};

/// One heading for each kind of socket, one for each level, one line for each option.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let line = |cells: [&str; 6]| {
        let [name, kind, default, asked, kernel, remark] = cells;
        let line = format!("  {name:<25} {kind:<7} {default:<9} {asked:<9} {kernel:<10} {remark}");
        line.trim_end().to_owned() + "\n"
    };
    let mut text = String::new();
    let (mut protocol, mut level) = (None, "");
    for row in rows {
        if protocol.replace(row.protocol) != Some(row.protocol) {
            let gap = if text.is_empty() { "" } else { "\n" };
            _ = writeln!(text, "{gap}{}, a fresh socket for each option", row.protocol.name());
            text += &line(["", "type", "default", "asked", "kernel has", "remark"]);
            level = "";
        }
        if level != row.option.level() {
            level = row.option.level();
            let (manual, whose) = about(level);
            _ = writeln!(text, "{level}: {whose}, {manual}");
        }
        let [default, asked, kernel] = values(row);
        let kind = kind(row.option);
        text += &line([row.option.name(), kind, &default, &asked, &kernel, &row.remark()]);
    }
    text
}

/// The manual page of a level, and whose options it has.
fn about(level: &str) -> (&'static str, &'static str) {
    match level {
        "SOL_SOCKET" => ("socket(7)", "every socket's"),
        "SOL_IP" => ("ip(7)", "those of IPv4"),
        "SOL_IPV6" => ("ipv6(7)", "those of IPv6, on an AF_INET6 socket"),
        "SOL_TCP" => ("tcp(7)", "those of TCP"),
        _ => ("udp(7)", "those of UDP"),
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
fn values(row: &Row) -> [String; 3] {
    let shown = |answer: &call::Result<OptValue>| {
        answer.as_ref().map_or_else(|_| "-".to_owned(), OptValue::to_string)
    };
    [shown(&row.default), row.asked.to_string(), shown(&row.kernel)]
}

/// `SO_RCVBUF on tcp: was 131072, asked 5000, the kernel has 10000: doubled, …`
#[must_use]
pub fn sentence(row: &Row) -> String {
    let (name, protocol, remark) = (row.option.name(), row.protocol.name(), row.remark());
    let [default, asked, kernel] = values(row);
    let was = row.default.as_ref().map_or_else(|_| String::new(), |_| format!("was {default}, "));
    let then = match &row.kernel {
        Ok(_) if kernel == asked => format!("the kernel has {kernel}"),
        Ok(_) => format!("the kernel has {kernel}: {remark}"),
        Err(error) if error.name() == SockoptName::Setsockopt.into() => {
            format!("refused: {remark}")
        }
        Err(_) => remark,
    };
    format!("{name} on {protocol}: {was}asked {asked}, {then}")
}

/// What an option is, its result on each kind of socket, and how a program sets it.
#[must_use]
pub fn explained(option: Opt, rows: &[Row]) -> String {
    let (name, does) = (option.name(), option.does());
    let (manual, whose) = about(option.level());
    let mut text = format!(
        "{name}: level {}, {whose}; value: {}; {manual}\n  {does}\n\n",
        option.level(),
        kind(option)
    );
    for row in rows {
        let [default, asked, kernel] = values(row);
        let (protocol, remark) = (row.protocol.name(), row.remark());
        _ = writeln!(
            text,
            "  {protocol:<4}  default {default:<9} asked {asked:<9} kernel has {kernel:<10} {remark}"
        );
    }
    let never = ["read-only", "can only be asked here", "no such option here"];
    let set = rows.iter().any(|row| !never.contains(&row.remark().as_str()));
    let (verb, [c, python, rust]) =
        if set { ("set", setting(option, &rows[0].asked)) } else { ("ask", asking(option)) };
    _ = write!(text, "\nTo {verb} it:\n  C       {c}\n  Python  {python}\n  Rust    {rust}\n");
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
        "remark": row.remark(),
    })
}
