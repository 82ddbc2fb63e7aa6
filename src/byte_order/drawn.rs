//! The bytes of a number or an address, drawn as they lie in this machine's memory and as they go over the wire.
//!
//! This module calls the functions of the page above, and draws the results. It draws what is there, not theory: the
//! bytes in memory come from `to_ne_bytes` on the machine that runs it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use super::number::{Number, Order};
use super::{Family, ParseError, htonl, inet_aton, inet_ntoa, inet_ntop, inet_pton, ntohl};
use crate::columns::width;
use crate::lang::Lang;
use crate::words::hex;
use netplay_text::say;

/// The result of a function.
#[derive(Debug)]
pub struct Page {
    /// A picture for people.
    pub picture: String,
    /// The same facts, for programs.
    pub facts: Value,
    /// What to try next.
    pub next: String,
}

/// htons and htonl: `host` is the argument, `network` the result.
pub fn to_network<N: Into<Number>>(function: &str, host: N, network: N) -> Page {
    let (host, network): (Number, Number) = (host.into(), network.into());
    let (what, bits, bytes) = (host.what(), host.bits(), hex(&network.memory).replace(' ', ", 0x"));
    let lang = Lang::current();
    let in_memory =
        panel(lang.pick("In this machine's memory", "在本机内存中"), Order::here(), &host.memory);
    let on_the_wire = panel(lang.pick("On the wire", "在网络上"), Order::Big, &network.memory);
    let kind = kind(what, lang);
    let forgotten = forgotten(lang.pick("the kernel", "内核"), kind, &network, &host, lang);
    let head = say!(
        lang,
        "{function}({host}): the {kind} {host} = {host:#x} on its way out",
        "{function}({host})：要发出去的{kind} {host} = {host:#x}"
    );
    let because = lang.pick(
        ",\n  because this machine reads the bytes on the wire as that number",
        "，\n  因为本机把网络上的字节读成这个数",
    );
    let forgotten = noted("forgotten", "忘了转换", &forgotten, lang);
    let twice = say!(
        lang,
        "{function}({function}({host})) = {host}, as if forgotten",
        "{function}({function}({host})) = {host}，和忘了一样"
    );
    let twice = noted("twice", "转换两次", &twice, lang);
    let in_rust = format!("{host}u{bits}.to_be_bytes() == [0x{bytes}]");
    let in_rust = noted("in Rust", "Rust 写法", &in_rust, lang);
    let picture = format!(
        "\
{head}

{in_memory}
{on_the_wire}
  {function}({host}) = {network} = {network:#x}{because}

{forgotten}{twice}{in_rust}"
    );
    let facts = turned(function, [&host, &network], &host, &network);
    Page { picture, facts, next: next(&function.replace("hton", "ntoh"), network) }
}

/// ntohs and ntohl: `network` is the argument as it arrived, `host` the result.
pub fn from_network<N: Into<Number>>(function: &str, network: N, host: N) -> Page {
    let (network, host): (Number, Number) = (network.into(), host.into());
    let (what, bits, bytes) = (host.what(), host.bits(), hex(&network.memory).replace(' ', ", 0x"));
    let lang = Lang::current();
    let off_the_wire =
        panel(lang.pick("Off the wire", "从网络上收到"), Order::Big, &network.memory);
    let turned_here = lang.pick("Converted for this machine", "转换成本机字节序");
    let in_memory = panel(turned_here, Order::here(), &host.memory);
    let kind = kind(what, lang);
    let forgotten = forgotten(lang.pick("the program", "程序"), kind, &network, &host, lang);
    let head = say!(
        lang,
        "{function}({network}): the {kind} that came in as {network} = {network:#x}",
        "{function}({network})：收到的{kind}是 {network} = {network:#x}"
    );
    let sent = lang.pick(", the number that was sent", "，就是发送方的那个数");
    let forgotten = noted("forgotten", "忘了转换", &forgotten, lang);
    let in_rust = format!("u{bits}::from_be_bytes([0x{bytes}]) == {host}");
    let in_rust = noted("in Rust", "Rust 写法", &in_rust, lang);
    let picture = format!(
        "\
{head}

{off_the_wire}
{in_memory}
  {function}({network}) = {host} = {host:#x}{sent}

{forgotten}{in_rust}"
    );
    let facts = turned(function, [&network, &host], &host, &network);
    Page { picture, facts, next: next(&function.replace("ntoh", "hton"), host) }
}

/// The same for programs: the argument, the result, and which of the two is in host order.
fn turned(function: &str, [given, made]: [&Number; 2], host: &Number, network: &Number) -> Value {
    let what = host.what();
    json!({
        "function": function,
        "number": given.value, "hex": format!("{given:#x}"),
        "result": made.value, "result_hex": format!("{made:#x}"),
        "meaning": format!("{what} {}", host.meaning()),
        "if_forgotten": format!("{what} {}", network.meaning()),
        "this_machine": Order::here().name(),
        "memory": hex(&host.memory), "wire": hex(&network.memory),
    })
}

/// What a number is, as people call it.
fn kind(what: &'static str, lang: Lang) -> &'static str {
    let chinese = match what {
        "port" => "端口",
        "address" => "地址",
        "number" => "数",
        other => other,
    };
    lang.pick(what, chinese)
}

/// A line below the picture: what it is about, and what there is to say.
fn noted(en: &str, zh: &str, text: &str, lang: Lang) -> String {
    const LABEL: usize = 13;
    let label = lang.pick(en, zh);
    format!("  {label}{:1$}{text}\n", "", LABEL.saturating_sub(width(label)))
}

/// What a forgotten conversion does: one side sees a number that the other did not mean.
fn forgotten(who: &str, kind: &str, there: &Number, meant: &Number, lang: Lang) -> String {
    if there == meant {
        return no_difference(lang);
    }
    let (seen, meant) = (there.meaning(), meant.meaning());
    say!(
        lang,
        "{who} sees {kind} {seen}, not {meant}",
        "{who}看到的是{kind} {seen}，而不是 {meant}"
    )
}

/// Why a forgotten conversion may go unnoticed.
fn no_difference(lang: Lang) -> String {
    let (en, zh) = match Order::here() {
        Order::Big => (
            "no difference here, because this machine is big-endian, as the wire is",
            "在这里没有区别，因为本机和网络一样是大端",
        ),
        Order::Little => (
            "no difference: these bytes are the same both ways round",
            "没有区别：这些字节正反一样",
        ),
    };
    lang.pick(en, zh).to_owned()
}

/// Both orders of one number; one of them is this machine's, and says so.
pub fn show(number: &Number) -> Page {
    let lang = Lang::current();
    let arch = std::env::consts::ARCH;
    let this_machine = say!(lang, "This machine ({arch})", "本机（{arch}）");
    let (who_little, who_big) = match Order::here() {
        Order::Little => (this_machine, lang.pick("The wire", "网络").to_owned()),
        Order::Big => (
            lang.pick("Others (x86_64, most ARM)", "其他机器（x86_64，多数 ARM）").to_owned(),
            this_machine + lang.pick(" and the wire", "和网络"),
        ),
    };
    let big = number.big_endian();
    let little: Vec<u8> = big.iter().rev().copied().collect();
    let little_panel = panel(&who_little, Order::Little, &little);
    let big_panel = panel(&who_big, Order::Big, &big);
    let mixed_up = number.turned();
    let bits = number.bits();
    let functions =
        match bits {
            16 => lang
                .pick("htons before sending, ntohs after receiving", "发送前 htons，接收后 ntohs"),
            32 => lang
                .pick("htonl before sending, ntohl after receiving", "发送前 htonl，接收后 ntohl"),
            _ => lang.pick(
                "htobe64 before sending, be64toh after receiving (endian(3))",
                "发送前 htobe64，接收后 be64toh（endian(3)）",
            ),
        };
    let bytes = bits / 8;
    let head = say!(
        lang,
        "{number:#x} = {number}: {bits} bits, {bytes} bytes",
        "{number:#x} = {number}：{bits} 位，{bytes} 字节"
    );
    let mixed =
        say!(lang, "it reads {mixed_up:#x} = {mixed_up}", "读出来是 {mixed_up:#x} = {mixed_up}");
    let mixed = noted("mixed up", "弄反了", &mixed, lang);
    let in_c = noted("in C", "C 写法", functions, lang);
    let rust = say!(
        lang,
        "{number:#x}u{bits}.to_be_bytes() for the wire,",
        "{number:#x}u{bits}.to_be_bytes() 用于网络，"
    );
    let rust = noted("in Rust", "Rust 写法", &rust, lang);
    let more = lang.pick(
        "to_le_bytes() for little-endian, to_ne_bytes() for this machine",
        "to_le_bytes() 用于小端，to_ne_bytes() 用于本机",
    );
    let more = noted("", "", more, lang);
    let picture = format!(
        "\
{head}

{little_panel}
{big_panel}
{mixed}{in_c}{rust}{more}"
    );
    let facts = json!({
        "number": number.value, "hex": format!("{number:#x}"), "bits": bits,
        "this_machine": Order::here().name(),
        "memory": hex(&number.memory), "wire": hex(&big),
        "little_endian": hex(&little), "big_endian": hex(&big),
        "mixed_up": mixed_up.value, "mixed_up_hex": format!("{mixed_up:#x}"),
    });
    Page { picture, facts, next: next("htons", 5858) }
}

/// inet_aton: which part of the text fills which byte.
///
/// # Errors
/// It is not an address by those rules.
pub fn aton(text: &str) -> Result<Page, ParseError> {
    let address = inet_aton(text)?;
    let (read, ignored) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let lang = Lang::current();
    let mut parts = String::new();
    let last = read.split('.').count() - 1;
    for (i, part) in read.split('.').enumerate() {
        let base = match part.as_bytes() {
            [b'0', b'x' | b'X', ..] => lang.pick("hexadecimal", "十六进制"),
            [b'0', _, ..] => lang.pick("octal", "八进制"),
            _ => lang.pick("decimal", "十进制"),
        };
        let base = format!("{base}{:1$}", "", 11_usize.saturating_sub(width(base)));
        let (nth, end) = (i + 1, i == last && i < 3);
        let fills = match end {
            true => say!(lang, "+{i} to +3", "+{i} 到 +3"),
            false => format!("+{i}"),
        };
        parts += &say!(
            lang,
            "  part {nth}   {part:<10}   {base}   fills {fills}\n",
            "  第 {nth} 部分   {part:<10}   {base}   填入 {fills}\n"
        );
    }
    if !ignored.is_empty() {
        parts += &say!(
            lang,
            "  ignored  {ignored:?}, as glibc does after white space\n",
            "  忽略  {ignored:?}，glibc 也忽略空白之后的内容\n"
        );
    }
    let inet_pton = match inet_pton(Family::Inet, text) {
        Ok(_) => lang.pick("reads this text the same way", "对这段文字的读法相同"),
        Err(_) => lang.pick(
            "refuses this text: it takes four plain decimal parts only",
            "拒绝这段文字，因为它只接受恰好四个普通的十进制部分",
        ),
    };
    let inet_pton = noted("inet_pton", "inet_pton", inet_pton, lang);
    let (octets, s_addr) = (in_network_order(address.into()), s_addr(address));
    let picture = format!(
        "\
inet_aton({text:?}) = {address}

{parts}
{octets}
{s_addr}{inet_pton}"
    );
    let mut facts = facts("inet_aton", address.into());
    facts["text"] = text.into();
    Ok(Page { picture, facts, next: next("inet_ntoa", format!("{:#010x}", address.to_bits())) })
}

/// The argument is the number that people write, 0x7f000001; C's inet_ntoa takes it through htonl.
pub fn ntoa(number: u32) -> Page {
    let address = Ipv4Addr::from(htonl(number).to_ne_bytes());
    let text = inet_ntoa(address);
    let mistaken = inet_ntoa(Ipv4Addr::from(number.to_ne_bytes()));
    let lang = Lang::current();
    let forgotten = match mistaken == text {
        true => no_difference(lang),
        false => {
            say!(
                lang,
                "without htonl, inet_ntoa says {mistaken}",
                "不用 htonl，inet_ntoa 得到 {mistaken}"
            )
        }
    };
    let forgotten = noted("forgotten", "忘了转换", &forgotten, lang);
    let (octets, s_addr) = (in_network_order(address.into()), s_addr(address));
    let picture = format!(
        "\
inet_ntoa(htonl({number:#010x})) = {text:?}

{octets}
{s_addr}{forgotten}"
    );
    let mut facts = facts("inet_ntoa", address.into());
    facts["if_forgotten"] = mistaken.into();
    Page { picture, facts, next: next("inet_aton", text) }
}

/// inet_pton: the bytes of an address. In C the caller gives the family; here the text shows it, because only IPv6 has
/// colons.
///
/// # Errors
/// It is not an address by the strict rules.
pub fn pton(text: &str) -> Result<Page, ParseError> {
    let family = if text.contains(':') { Family::Inet6 } else { Family::Inet };
    let address = inet_pton(family, text)?;
    let (octets, canonical) = (in_network_order(address), inet_ntop(address));
    let lang = Lang::current();
    let writes = say!(lang, "writes {canonical} (RFC 5952)", "写成 {canonical}（RFC 5952）");
    let writes = noted("inet_ntop", "inet_ntop", &writes, lang);
    let picture = format!(
        "\
inet_pton({family}, {text:?})

{octets}
{writes}"
    );
    let mut facts = facts("inet_pton", address);
    facts["text"] = text.into();
    let bytes = hex(&bytes_of(address)).replace(' ', "");
    Ok(Page { picture, facts, next: next("inet_ntop", bytes) })
}

/// inet_ntop: the text of these bytes.
///
/// # Errors
/// They are not bytes, or neither four nor sixteen.
pub fn ntop(bytes: &str) -> Result<Page, ParseError> {
    let refused = |why| ParseError { call: "inet_ntop".into(), text: bytes.into(), why };
    let octets = hex_bytes(bytes).map_err(refused)?;
    let address = address_of(&octets).ok_or_else(|| {
        let n = octets.len();
        refused(format!("not 4 bytes (IPv4) or 16 (IPv6) but {n}; write 7f000001"))
    })?;
    let (octets, family, text) = (in_network_order(address), family(address), inet_ntop(address));
    let lang = Lang::current();
    let reads = lang.pick("reads that text as the same bytes", "把这段文字读成同样的字节");
    let reads = noted("inet_pton", "inet_pton", reads, lang);
    let picture = format!(
        "\
inet_ntop({family}, bytes) = {text:?}

{octets}
{reads}"
    );
    Ok(Page { picture, facts: facts("inet_ntop", address), next: next("inet_pton", text) })
}

/// A caption, the bytes in their boxes, and an arrow at the most significant one.
fn panel(place: &str, order: Order, bytes: &[u8]) -> String {
    let lang = Lang::current();
    let (order, most_significant) = match order {
        Order::Little => (
            lang.pick(
                "little-endian, least significant byte first",
                "小端 (little-endian)，最低有效字节在前",
            ),
            bytes.len() - 1,
        ),
        Order::Big => (
            lang.pick(
                "big-endian, most significant byte first",
                "大端 (big-endian)，最高有效字节在前",
            ),
            0,
        ),
    };
    let arrow = " ".repeat(2 + 5 * most_significant)
        + lang.pick("^^ most significant byte", "^^ 最高有效字节");
    say!(lang, "  {place}: {order}\n\n", "  {place}：{order}\n\n") + &row(0, bytes, &arrow)
}

/// The bytes of an address, and below them the numbers of its text.
fn in_network_order(address: IpAddr) -> String {
    let (name, rows) = match address {
        IpAddr::V4(address) => {
            let octets = address.octets();
            let numbers = octets.map(|octet| format!("{octet:^4}")).join(".");
            ("in_addr", row(0, &octets, &format!(" {numbers}")))
        }
        IpAddr::V6(address) => {
            let octets = address.octets();
            let groups = address.segments().map(|group| format!("{:^9}", format!("{group:x}")));
            let (left, right) = (groups[..4].join(":"), groups[4..].join(":"));
            let right = row(8, &octets[8..], &format!(" {right}"));
            ("in6_addr", row(0, &octets[..8], &format!(" {left}:")) + "\n" + &right)
        }
    };
    say!(
        Lang::current(),
        "  struct {name}: network byte order, on every machine\n\n{rows}",
        "  struct {name}：网络字节序，在任何机器上都一样\n\n{rows}"
    )
}

/// At most eight bytes in boxes, their addresses from `+first` on above and a line of text below.
fn row(first: usize, bytes: &[u8], below: &str) -> String {
    let (mut addresses, mut edge, mut boxes) = (String::new(), "+".to_string(), "|".to_string());
    for (i, byte) in bytes.iter().enumerate() {
        addresses += &format!("  {:<3}", format!("+{}", first + i));
        edge += "----+";
        boxes += &format!(" {byte:02x} |");
    }
    let (addresses, below) = (addresses.trim_end(), below.trim_end());
    format!(
        "       {addresses}
       {edge}
       {boxes}
       {edge}
       {below}
"
    )
}

/// The number that the four bytes make, on this machine and in network order.
fn s_addr(address: Ipv4Addr) -> String {
    let s_addr = u32::from_ne_bytes(address.octets());
    let (here, everywhere) = (Number::from(s_addr), Number::from(ntohl(s_addr)));
    let lang = Lang::current();
    let read = say!(
        lang,
        "{here} = {here:#x}, as this machine reads the bytes",
        "{here} = {here:#x}，本机这样读这些字节"
    );
    let compare = say!(
        lang,
        "{everywhere} = {everywhere:#x}, for counting and comparing",
        "{everywhere} = {everywhere:#x}，用来计数和比较"
    );
    noted("s_addr", "s_addr", &read, lang) + &noted("ntohl", "ntohl", &compare, lang)
}

fn next(function: &str, argument: impl fmt::Display) -> String {
    let head = Lang::current().pick("Next: ", "下一步：");
    format!("{head}netplay byte-order {function} {argument}")
}

fn facts(function: &str, address: IpAddr) -> Value {
    let mut facts = json!({
        "function": function, "family": family(address).to_string(),
        "address": inet_ntop(address), "bytes": hex(&bytes_of(address)),
    });
    if let IpAddr::V4(address) = address {
        let s_addr = u32::from_ne_bytes(address.octets());
        facts["this_machine"] = Order::here().name().into();
        facts["s_addr"] = s_addr.into();
        facts["number"] = ntohl(s_addr).into();
        facts["hex"] = format!("{:#010x}", ntohl(s_addr)).into();
    }
    facts
}

fn family(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::Inet,
        IpAddr::V6(_) => Family::Inet6,
    }
}

fn bytes_of(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets().into(),
    }
}

fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let sixteen = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    four.or(sixteen).ok()
}

/// `7f000001`, `7f 00 00 01`, `7f:00:00:01` or `0x7f 0x0 0x0 0x1`: two digits are a byte, and so is
/// one alone.
fn hex_bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for run in text.split([' ', ':', ',']).filter(|run| !run.is_empty()) {
        let digits = run.strip_prefix("0x").unwrap_or(run);
        let digits: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
        match digits.as_deref() {
            Some([low]) => bytes.push(*low as u8),
            Some(pairs @ [_, ..]) if pairs.len() % 2 == 0 => {
                bytes.extend(pairs.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8));
            }
            _ => return Err(format!("{run:?} is no hexadecimal byte; write 7f000001")),
        }
    }
    Ok(bytes)
}
