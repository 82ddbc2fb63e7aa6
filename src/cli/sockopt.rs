//! `netplay sockopt`: every option of a socket, what it is by default, and what the kernel makes of
//! another value.
//!
//! The calls are those of the page [`crate::examples::sockopt`]; nothing is printed here that was
//! not measured on this machine a moment ago.

use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use clap::builder::StringValueParser;
use clap::error::ErrorKind;
use serde_json::{Value, json};

use super::args::Offer;
use crate::call::{self, Kind, OPTIONS, Opt, OptValue, SockoptName};
use crate::examples::next;
use crate::examples::sockopt::{Protocol, ROW, Row, probe, probe_all};

const TRY: &str = "\
Try:
  netplay sockopt tcp                every option of a TCP socket
  netplay sockopt SO_RCVBUF          what it is, and how to set it
  netplay sockopt SO_RCVBUF=5000     what the kernel makes of that
  netplay sockopt -v SO_LINGER=5     the same, call by call";

/// The arguments of `netplay sockopt`.
#[derive(Debug, clap::Args)]
#[command(about = "Ask every socket option, set it, and see what the kernel made of it")]
#[command(after_help = TRY)]
pub struct Args {
    /// tcp, udp, unix (all three unless named), and one option to explain, or to set and ask back
    #[arg(value_name = "tcp|udp|unix|OPTION|OPTION=VALUE", hide_possible_values = true)]
    #[arg(value_parser = Offer::new(StringValueParser::new(), names))]
    words: Vec<String>,

    /// Print the same facts as a JSON object
    #[arg(long)]
    json: bool,
}

/// What the arguments ask for.
#[derive(Debug)]
pub struct Request {
    protocols: Vec<Protocol>,
    option: Option<Opt>,
    value: Option<OptValue>,
    json: bool,
}

impl Args {
    /// Reads the words.
    ///
    /// # Errors
    /// A word is none of the three: the error is one line, and says which options sound like it.
    pub fn request(self) -> Result<Request, clap::Error> {
        let mut request =
            Request { protocols: Vec::new(), option: None, value: None, json: self.json };
        for word in &self.words {
            if let Some(protocol) = Protocol::ALL.into_iter().find(|p| p.name() == word) {
                request.protocols.push(protocol);
                continue;
            }
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.as_str(), None),
            };
            let option = find(name).map_err(usage)?;
            if let Some(first) = request.option.replace(option) {
                return Err(usage(format!(
                    "one option at a time: {} or {}?",
                    first.name(),
                    option.name()
                )));
            }
            let read = |text| read(option, text).map_err(|why| usage(format!("{name}: {why}")));
            request.value = value.map(read).transpose()?;
        }
        if request.protocols.is_empty() {
            request.protocols = Protocol::ALL.into();
            if let Some(option) = request.option {
                request.protocols.retain(|protocol| protocol.has(option.level()));
            }
            if request.value.is_some() {
                request.protocols.truncate(1);
            }
        }
        Ok(request)
    }
}

/// What shells complete.
fn names() -> Vec<&'static str> {
    let protocols = Protocol::ALL.iter().map(|protocol| protocol.name());
    protocols.chain(OPTIONS.iter().map(|option| option.name())).collect()
}

fn usage(what: String) -> clap::Error {
    clap::Error::raw(ErrorKind::InvalidValue, what + "\n")
}

fn find(typed: &str) -> Result<Opt, String> {
    let name = typed.to_uppercase();
    if let Some(option) = OPTIONS.iter().find(|option| option.name() == name) {
        return Ok(*option);
    }
    let mut near: Vec<(usize, &str)> =
        OPTIONS.iter().map(|option| (distance(&name, option.name()), option.name())).collect();
    near.sort();
    let near: Vec<&str> = near
        .iter()
        .filter(|(steps, _)| *steps <= typed.len() / 3)
        .take(3)
        .map(|(_, name)| *name)
        .collect();
    let typed = crate::escape::escape(typed.as_bytes());
    Err(match near[..] {
        [] => format!("\"{typed}\" is no socket option, nor tcp, udp or unix"),
        _ => format!("\"{typed}\" is no socket option; did you mean {}?", near.join(", ")),
    })
}

/// How many letters must be put in, taken out or changed (Levenshtein). A name without its `SO_`
/// is near, too.
fn distance(typed: &str, name: &str) -> usize {
    let bare = name.split_once('_').map_or(name, |(_, bare)| bare);
    if typed == bare {
        return 0;
    }
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (i, a) in typed.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in name.bytes().enumerate() {
            let change = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[name.len()]
}

/// A value as people write it for an option of this kind.
fn read(option: Opt, text: &str) -> Result<OptValue, String> {
    let seconds = || {
        let seconds = text.parse().ok().filter(|&seconds: &f64| (0.0..=1e9).contains(&seconds));
        seconds.map(Duration::from_secs_f64)
    };
    let (value, wanted) = match option.kind() {
        Kind::Int => (int(text).map(OptValue::from), "a number, or on or off"),
        Kind::Time => (seconds().map(OptValue::from), "seconds, such as 1.5; 0 for no limit"),
        Kind::Linger if text == "off" => (Some(None.into()), ""),
        Kind::Linger => (seconds().map(|time| Some(time).into()), "seconds, or off"),
        Kind::Address => (text.parse().ok().map(OptValue::Address), "an IPv4 address"),
        Kind::Text(_) => (Some(text.into()), ""),
        Kind::Bytes(_) => (None, "nothing from here: its value is a structure"),
    };
    value.ok_or_else(|| format!("{text:?} will not do; it takes {wanted}"))
}

fn int(text: &str) -> Option<i32> {
    match (text, text.strip_prefix("0x")) {
        ("on", _) => Some(1),
        ("off", _) => Some(0),
        (_, Some(hex)) => u32::from_str_radix(hex, 16).ok().map(u32::cast_signed),
        _ => text.parse().ok(),
    }
}

/// Prints what was asked for.
///
/// # Errors
/// No socket can be made, or `out` cannot be written.
pub fn run(request: &Request, quiet: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let Request { protocols, option, value, json } = request;
    let rows: Vec<Row> = match option {
        Some(option) => protocols
            .iter()
            .map(|&protocol| probe(protocol, *option, value.clone()))
            .collect::<call::Result<_>>()?,
        None => protocols
            .iter()
            .map(|&protocol| probe_all(protocol))
            .collect::<call::Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect(),
    };
    if *json {
        let rows: Vec<Value> = rows.iter().map(facts).collect();
        writeln!(out, "{:#}", json!({ "rows": rows }))?;
        return Ok(());
    }
    let next = match option {
        None => {
            write!(out, "{}", table(&rows))?;
            next(ROW.name())
        }
        Some(option) if value.is_some() => {
            rows.iter().try_for_each(|row| writeln!(out, "{}", sentence(row)))?;
            format!("netplay sockopt {}", option.name())
        }
        Some(option) => {
            let first = rows.first().context("every option belongs to some socket")?;
            write!(out, "{}", explained(*option, &rows))?;
            match (&first.asked, first.kernel.is_ok()) {
                (OptValue::Int(n), true) => format!("netplay sockopt {}={n}", option.name()),
                _ => "netplay sockopt SO_RCVBUF=5000".to_owned(),
            }
        }
    };
    if !quiet {
        writeln!(out, "\ntry next: {next}")?;
    }
    Ok(())
}

/// One heading for each kind of socket, one for each level, one line for each option.
fn table(rows: &[Row]) -> String {
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

/// Default, asked, kernel; a dash where a call failed.
fn values(row: &Row) -> [String; 3] {
    let shown = |answer: &call::Result<OptValue>| {
        answer.as_ref().map_or_else(|_| "-".to_owned(), OptValue::to_string)
    };
    [shown(&row.default), row.asked.to_string(), shown(&row.kernel)]
}

/// `SO_RCVBUF on tcp: was 131072, asked 5000, the kernel has 10000: doubled, …`
fn sentence(row: &Row) -> String {
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

fn explained(option: Opt, rows: &[Row]) -> String {
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

/// The level as POSIX names it.
fn posix(level: &'static str) -> String {
    if level == "SOL_SOCKET" { level.to_owned() } else { level.replace("SOL_", "IPPROTO_") }
}

/// Level and name in Python: its socket module does not know all names, but takes the number.
fn in_python(option: Opt) -> String {
    const KNOWN: &[&str] = &[
        "SO_ACCEPTCONN",
        "SO_BINDTODEVICE",
        "SO_BROADCAST",
        "SO_DEBUG",
        "SO_DOMAIN",
        "SO_DONTROUTE",
        "SO_ERROR",
        "SO_KEEPALIVE",
        "SO_LINGER",
        "SO_MARK",
        "SO_OOBINLINE",
        "SO_PASSCRED",
        "SO_PASSSEC",
        "SO_PEERCRED",
        "SO_PEERSEC",
        "SO_PRIORITY",
        "SO_PROTOCOL",
        "SO_RCVBUF",
        "SO_RCVLOWAT",
        "SO_RCVTIMEO",
        "SO_REUSEADDR",
        "SO_REUSEPORT",
        "SO_SNDBUF",
        "SO_SNDLOWAT",
        "SO_SNDTIMEO",
        "SO_TYPE",
        "IP_ADD_MEMBERSHIP",
        "IP_DROP_MEMBERSHIP",
        "IP_HDRINCL",
        "IP_MULTICAST_IF",
        "IP_MULTICAST_LOOP",
        "IP_MULTICAST_TTL",
        "IP_OPTIONS",
        "IP_RECVOPTS",
        "IP_RETOPTS",
        "IP_TOS",
        "IP_TRANSPARENT",
        "IP_TTL",
        "IPV6_DSTOPTS",
        "IPV6_HOPLIMIT",
        "IPV6_HOPOPTS",
        "IPV6_MULTICAST_HOPS",
        "IPV6_MULTICAST_IF",
        "IPV6_MULTICAST_LOOP",
        "IPV6_RECVDSTOPTS",
        "IPV6_RECVHOPLIMIT",
        "IPV6_RECVHOPOPTS",
        "IPV6_RECVPKTINFO",
        "IPV6_RECVRTHDR",
        "IPV6_RTHDR",
        "IPV6_UNICAST_HOPS",
        "IPV6_V6ONLY",
        "TCP_CONGESTION",
        "TCP_CORK",
        "TCP_DEFER_ACCEPT",
        "TCP_FASTOPEN",
        "TCP_INFO",
        "TCP_KEEPCNT",
        "TCP_KEEPIDLE",
        "TCP_KEEPINTVL",
        "TCP_LINGER2",
        "TCP_MAXSEG",
        "TCP_NODELAY",
        "TCP_QUICKACK",
        "TCP_SYNCNT",
        "TCP_USER_TIMEOUT",
        "TCP_WINDOW_CLAMP",
    ];
    let (level, name) = (posix(option.level()), option.name());
    match KNOWN.contains(&name) {
        true => format!("socket.{level}, socket.{name}"),
        false => format!("socket.{level}, {}", option.number()),
    }
}

/// How to set it in C, Python and Rust.
fn setting(option: Opt, value: &OptValue) -> [String; 3] {
    let (level, name, python) = (posix(option.level()), option.name(), in_python(option));
    let (before, arguments) = match value {
        OptValue::Int(n) => (format!("int v = {n}; "), "&v, sizeof v".to_owned()),
        OptValue::Time(time) => (
            format!("struct timeval v = {{{}, {}}}; ", time.as_secs(), time.subsec_micros()),
            "&v, sizeof v".into(),
        ),
        OptValue::Linger(time) => (
            format!(
                "struct linger v = {{{}, {}}}; ",
                i32::from(time.is_some()),
                time.unwrap_or_default().as_secs()
            ),
            "&v, sizeof v".into(),
        ),
        OptValue::Address(address) => {
            (format!("struct in_addr v = {{inet_addr(\"{address}\")}}; "), "&v, sizeof v".into())
        }
        OptValue::Text(text) => (String::new(), format!("\"{value}\", {}", text.len())),
        OptValue::Bytes(_) => (String::new(), "&v, sizeof v".into()),
    };
    let c = format!("{before}setsockopt(fd, {level}, {name}, {arguments});");
    let (python_value, rust_value) = match value {
        OptValue::Int(n) => (n.to_string(), n.to_string()),
        OptValue::Time(time) => (
            format!("struct.pack(\"ll\", {}, {})", time.as_secs(), time.subsec_micros()),
            format!("Duration::from_millis({})", time.as_millis()),
        ),
        OptValue::Linger(time) => {
            let seconds = time.unwrap_or_default().as_secs();
            (
                format!("struct.pack(\"ii\", {}, {seconds})", i32::from(time.is_some())),
                format!("Some(Duration::from_secs({seconds}))"),
            )
        }
        OptValue::Address(address) => {
            (format!("socket.inet_aton(\"{address}\")"), "Ipv4Addr::LOCALHOST".into())
        }
        OptValue::Text(_) => (format!("b\"{value}\""), format!("\"{value}\"")),
        OptValue::Bytes(_) => ("v".into(), "v".into()),
    };
    [
        c,
        format!("sock.setsockopt({python}, {python_value})"),
        format!("call::setsockopt(&socket, {name}, {rust_value})?;"),
    ]
}

/// How to ask it, for an option that nobody can set.
fn asking(option: Opt) -> [String; 3] {
    let (level, name, python) = (posix(option.level()), option.name(), in_python(option));
    let (variable, size) = match option.kind() {
        Kind::Bytes(size) | Kind::Text(size) => (format!("char v[{size}]"), format!(", {size}")),
        _ => ("int v".to_owned(), String::new()),
    };
    [
        format!("{variable}; socklen_t n = sizeof v; getsockopt(fd, {level}, {name}, &v, &n);"),
        format!("sock.getsockopt({python}{size})"),
        format!("call::getsockopt(&socket, {name})?"),
    ]
}

/// A row for programs: numbers are numbers, a time is seconds, what failed is null.
fn facts(row: &Row) -> Value {
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
