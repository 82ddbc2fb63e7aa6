//! The bytes of a number or an address, drawn as they lie in this machine's memory and as they go over the wire.
//!
//! This module calls the functions of the page above, and draws the results. It draws what is there, not theory: the
//! bytes in memory come from `to_ne_bytes` on the machine that runs it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use super::number::{Number, Order};
use super::{Family, ParseError, htonl, inet_aton, inet_ntoa, inet_ntop, inet_pton, ntohl};
use crate::words::hex;

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
    let in_memory = panel("In this machine's memory", Order::here(), &host.memory);
    let on_the_wire = panel("On the wire", Order::Big, &network.memory);
    let forgotten = if host == network {
        no_difference()
    } else {
        format!("the kernel sees {what} {}, not {}", network.meaning(), host.meaning())
    };
    let picture = format!(
        "\
{function}({host}): the {what} {host} = {host:#x} on its way out

{in_memory}
{on_the_wire}
  {function}({host}) = {network} = {network:#x},
  because this machine reads the bytes of the wire as that number

  forgotten    {forgotten}
  twice        {function}({function}({host})) = {host}, as if forgotten
  in Rust      {host}u{bits}.to_be_bytes() == [0x{bytes}]
"
    );
    let facts = turned(function, [&host, &network], &host, &network);
    Page { picture, facts, next: next(&function.replace("hton", "ntoh"), network) }
}

/// ntohs and ntohl: `network` is the argument as it arrived, `host` the result.
pub fn from_network<N: Into<Number>>(function: &str, network: N, host: N) -> Page {
    let (network, host): (Number, Number) = (network.into(), host.into());
    let (what, bits, bytes) = (host.what(), host.bits(), hex(&network.memory).replace(' ', ", 0x"));
    let off_the_wire = panel("Off the wire", Order::Big, &network.memory);
    let in_memory = panel("Turned for this machine", Order::here(), &host.memory);
    let forgotten = if host == network {
        no_difference()
    } else {
        format!("the program sees {what} {}, not {}", network.meaning(), host.meaning())
    };
    let picture = format!(
        "\
{function}({network}): the {what} that came in as {network} = {network:#x}

{off_the_wire}
{in_memory}
  {function}({network}) = {host} = {host:#x}, the number that was sent

  forgotten    {forgotten}
  in Rust      u{bits}::from_be_bytes([0x{bytes}]) == {host}
"
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

/// Why a forgotten conversion may go unnoticed.
fn no_difference() -> String {
    match Order::here() {
        Order::Big => "no difference here: this machine is big-endian, as the wire is".into(),
        Order::Little => "no difference: these bytes are the same both ways round".into(),
    }
}

/// Both orders of one number; one of them is this machine's, and says so.
pub fn show(number: &Number) -> Page {
    let this_machine = format!("This machine ({})", std::env::consts::ARCH);
    let (who_little, who_big) = match Order::here() {
        Order::Little => (this_machine, "The wire".to_string()),
        Order::Big => ("Others (x86_64, most ARM)".to_string(), this_machine + " and the wire"),
    };
    let big = number.big_endian();
    let little: Vec<u8> = big.iter().rev().copied().collect();
    let little_panel = panel(&who_little, Order::Little, &little);
    let big_panel = panel(&who_big, Order::Big, &big);
    let mixed_up = number.turned();
    let bits = number.bits();
    let functions = match bits {
        16 => "htons for the way out, ntohs for the way in",
        32 => "htonl for the way out, ntohl for the way in",
        _ => "htobe64 for the way out, be64toh for the way in (endian(3))",
    };
    let picture = format!(
        "\
{number:#x} = {number}: {bits} bits, {} bytes

{little_panel}
{big_panel}
  mixed up     it reads {mixed_up:#x} = {mixed_up}
  in C         {functions}
  in Rust      {number:#x}u{bits}.to_be_bytes() for the wire,
               to_le_bytes() for little-endian, to_ne_bytes() for this machine
",
        bits / 8
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
    let mut parts = String::new();
    let last = read.split('.').count() - 1;
    for (i, part) in read.split('.').enumerate() {
        let base = match part.as_bytes() {
            [b'0', b'x' | b'X', ..] => "hexadecimal",
            [b'0', _, ..] => "octal",
            _ => "decimal",
        };
        let fills = if i == last && i < 3 { format!("+{i} to +3") } else { format!("+{i}") };
        parts += &format!("  part {}   {part:<10}   {base:<11}   fills {fills}\n", i + 1);
    }
    if !ignored.is_empty() {
        parts += &format!("  ignored  {ignored:?}, as glibc does after white space\n");
    }
    let inet_pton = match inet_pton(Family::Inet, text) {
        Ok(_) => "reads this text alike",
        Err(_) => "refuses this text: it takes four plain decimal parts, no more",
    };
    let (octets, s_addr) = (in_network_order(address.into()), s_addr(address));
    let picture = format!(
        "\
inet_aton({text:?}) = {address}

{parts}
{octets}
{s_addr}
  inet_pton    {inet_pton}
"
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
    let forgotten = if mistaken == text {
        no_difference()
    } else {
        format!("without htonl, inet_ntoa says {mistaken}")
    };
    let (octets, s_addr) = (in_network_order(address.into()), s_addr(address));
    let picture = format!(
        "\
inet_ntoa(htonl({number:#010x})) = {text:?}

{octets}
{s_addr}
  forgotten    {forgotten}
"
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
    let picture = format!(
        "\
inet_pton({family}, {text:?})

{octets}
  inet_ntop    writes {canonical} (RFC 5952)
"
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
    let picture = format!(
        "\
inet_ntop({family}, bytes) = {text:?}

{octets}
  inet_pton    reads that text to the same bytes
"
    );
    Ok(Page { picture, facts: facts("inet_ntop", address), next: next("inet_pton", text) })
}

/// A caption, the bytes in their boxes, and an arrow at the most significant one.
fn panel(place: &str, order: Order, bytes: &[u8]) -> String {
    let (first, most_significant) = match order {
        Order::Little => ("least", bytes.len() - 1),
        Order::Big => ("most", 0),
    };
    let arrow = " ".repeat(2 + 5 * most_significant) + "^^ most significant byte";
    format!("  {place}: {}, {first} significant byte first\n\n", order.name())
        + &row(0, bytes, &arrow)
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
    format!("  struct {name}: network order, on every machine\n\n{rows}")
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
    format!(
        "  s_addr       {here} = {here:#x}, as this machine reads the bytes\n  \
           ntohl        {everywhere} = {everywhere:#x}, to count and compare with"
    )
}

fn next(function: &str, argument: impl fmt::Display) -> String {
    format!("Next: netplay byte-order {function} {argument}")
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
