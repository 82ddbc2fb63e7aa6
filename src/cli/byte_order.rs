//! `netplay byte-order`: the bytes of a number or an address, drawn as they lie in this machine's
//! memory and as they go over the wire.
//!
//! The functions are those of [`crate::byte_order`]; this page calls them and draws what they did.
//! Nothing is drawn from theory: the bytes in memory come from `to_ne_bytes`, on whatever machine
//! this runs. Every subcommand makes a page: a picture for people, the same facts in JSON for
//! scripts.

use std::fmt;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::byte_order::{
    Family, ParseError, htonl, htons, inet_aton, inet_ntoa, inet_ntop, inet_pton, ntohl, ntohs,
};
use crate::client::Usage;

const TRY: &str = "\
Try:
  netplay byte-order htons 5858              a port, with and without htons
  netplay byte-order show 0x11223344         a number in both byte orders
  netplay byte-order inet_aton 0177.1        octal; one part for three bytes
  netplay byte-order inet_pton 2001:db8::1   the sixteen bytes of IPv6";

/// The arguments of `netplay byte-order`.
#[derive(Debug, clap::Args)]
#[command(about = "Draw the bytes of a number or an address, in memory and on the wire")]
#[command(after_help = TRY)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// Print the same facts as a JSON object
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Host to network, 16 bits: a port on its way out
    Htons(Short),
    /// Network to host, 16 bits: a port that came in
    Ntohs(Short),
    /// Host to network, 32 bits: an IPv4 address on its way out
    Htonl(Long),
    /// Network to host, 32 bits: an IPv4 address that came in
    Ntohl(Long),
    /// IPv4 text to four bytes, by the old rules: 127.1, 0x7f.1, 0177.1
    #[command(name = "inet_aton", visible_alias = "inet-aton")]
    InetAton {
        /// One to four parts, each decimal, octal (0...) or hexadecimal (0x...)
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Four bytes to IPv4 text
    #[command(name = "inet_ntoa", visible_alias = "inet-ntoa")]
    InetNtoa {
        /// The address as one number, most significant byte first: 0x7f000001 is 127.0.0.1
        #[arg(value_name = "N", value_parser = unsigned::<u32>, allow_negative_numbers = true)]
        n: u32,
    },
    /// IPv4 or IPv6 text to bytes, by the strict rules: 127.0.0.1, ::1
    #[command(name = "inet_pton", visible_alias = "inet-pton")]
    InetPton {
        /// With a colon it is read as AF_INET6, without as AF_INET
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Four bytes to IPv4 text, or sixteen to IPv6 text
    #[command(name = "inet_ntop", visible_alias = "inet-ntop")]
    InetNtop {
        /// The bytes in hexadecimal, together or apart: 7f000001, 7f 00 00 01, 7f:00:00:01
        #[arg(value_name = "HEXBYTES", required = true)]
        bytes: Vec<String>,
    },
    /// A number in both byte orders
    Show {
        /// Drawn as 16, 32 or 64 bits, the fewest that hold it; 0x00000001 is written with 32
        #[arg(value_parser = Number::parse, allow_negative_numbers = true)]
        value: Number,
    },
}

#[derive(Debug, clap::Args)]
struct Short {
    /// From 0 to 65535: decimal, 0x hexadecimal, 0o octal or 0b binary
    #[arg(value_name = "N", value_parser = unsigned::<u16>, allow_negative_numbers = true)]
    n: u16,
}

#[derive(Debug, clap::Args)]
struct Long {
    /// From 0 to 4294967295: decimal, 0x hexadecimal, 0o octal or 0b binary
    #[arg(value_name = "N", value_parser = unsigned::<u32>, allow_negative_numbers = true)]
    n: u32,
}

/// Draws what was asked for; without a subcommand, `show 0x12345678` and what else to try.
///
/// Errors: a text that the function refuses ([`crate::byte_order::ParseError`]), bytes that are no
/// address, or a write to `out`. A number out of range is refused before, by the command line.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<()> {
    let page = match &args.command {
        Some(Command::Htons(Short { n })) => to_network("htons", *n, htons(*n)),
        Some(Command::Ntohs(Short { n })) => from_network("ntohs", *n, ntohs(*n)),
        Some(Command::Htonl(Long { n })) => to_network("htonl", *n, htonl(*n)),
        Some(Command::Ntohl(Long { n })) => from_network("ntohl", *n, ntohl(*n)),
        Some(Command::InetAton { text }) => aton(text)?,
        Some(Command::InetNtoa { n }) => ntoa(*n),
        Some(Command::InetPton { text }) => pton(text)?,
        Some(Command::InetNtop { bytes }) => ntop(&bytes.join(" "))?,
        Some(Command::Show { value }) => show(value),
        None => Page { next: TRY.into(), ..show(&Number::from(0x1234_5678_u32)) },
    };
    if args.json {
        writeln!(out, "{:#}", page.facts)?;
    } else {
        writeln!(out, "{}\n{}", page.picture, page.next)?;
    }
    Ok(())
}

/// What a subcommand has to say.
struct Page {
    picture: String,
    facts: Value,
    next: String,
}

/// htons and htonl: `host` is the number, `network` what the function made of it.
fn to_network<N: Into<Number>>(function: &str, host: N, network: N) -> Page {
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
    let facts = json!({
        "function": function,
        "number": host.value, "hex": format!("{host:#x}"),
        "result": network.value, "result_hex": format!("{network:#x}"),
        "meaning": format!("{what} {}", host.meaning()),
        "if_forgotten": format!("{what} {}", network.meaning()),
        "this_machine": Order::here().name(),
        "memory": hex(&host.memory), "wire": hex(&network.memory),
    });
    Page { picture, facts, next: next(&function.replace("hton", "ntoh"), network) }
}

/// ntohs and ntohl: `network` is the number as it came, `host` what the function made of it.
fn from_network<N: Into<Number>>(function: &str, network: N, host: N) -> Page {
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
    let facts = json!({
        "function": function,
        "number": network.value, "hex": format!("{network:#x}"),
        "result": host.value, "result_hex": format!("{host:#x}"),
        "meaning": format!("{what} {}", host.meaning()),
        "if_forgotten": format!("{what} {}", network.meaning()),
        "this_machine": Order::here().name(),
        "memory": hex(&host.memory), "wire": hex(&network.memory),
    });
    Page { picture, facts, next: next(&function.replace("ntoh", "hton"), host) }
}

/// Why some people never notice that they forgot.
fn no_difference() -> String {
    match Order::here() {
        Order::Big => "no difference here: this machine is big-endian, as the wire is".into(),
        Order::Little => "no difference: these bytes are the same both ways round".into(),
    }
}

/// Both orders of one number; one of them is this machine's, and says so.
fn show(number: &Number) -> Page {
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

fn aton(text: &str) -> anyhow::Result<Page> {
    let address = inet_aton(text).map_err(refused)?;
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
fn ntoa(number: u32) -> Page {
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

/// C's caller says which family; here the text does, for only IPv6 has colons.
/// What the function refuses, the command line should not have asked for.
fn refused(error: ParseError) -> Usage {
    Usage(error.to_string())
}

fn pton(text: &str) -> anyhow::Result<Page> {
    let family = if text.contains(':') { Family::Inet6 } else { Family::Inet };
    let address = inet_pton(family, text).map_err(refused)?;
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

fn ntop(bytes: &str) -> anyhow::Result<Page> {
    let octets = hex_bytes(bytes)?;
    let address = address_of(&octets).with_context(|| {
        let n = octets.len();
        Usage(format!(
            "inet_ntop {bytes:?}: not 4 bytes (IPv4) or 16 (IPv6) but {n}; write 7f000001"
        ))
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

/// A number and its bytes, as they lie in the memory of the machine that runs this: lowest address
/// first, and as many as its type has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Number {
    value: u64,
    memory: Vec<u8>,
}

impl From<u16> for Number {
    fn from(n: u16) -> Number {
        Number { value: n.into(), memory: n.to_ne_bytes().into() }
    }
}

impl From<u32> for Number {
    fn from(n: u32) -> Number {
        Number { value: n.into(), memory: n.to_ne_bytes().into() }
    }
}

impl From<u64> for Number {
    fn from(n: u64) -> Number {
        Number { value: n, memory: n.to_ne_bytes().into() }
    }
}

impl Number {
    /// The number of a text, in the fewest bits that hold it and the zeros written in front of it.
    fn parse(text: &str) -> Result<Number, String> {
        let (value, written) = number(text)?;
        Ok(match (u16::try_from(value), u32::try_from(value)) {
            (Ok(short), _) if written <= 16 => short.into(),
            (_, Ok(long)) if written <= 32 => long.into(),
            _ => value.into(),
        })
    }

    fn bits(&self) -> usize {
        8 * self.memory.len()
    }

    fn big_endian(&self) -> Vec<u8> {
        self.value.to_be_bytes()[8 - self.memory.len()..].into()
    }

    /// The number that has these bytes the other way round.
    fn turned(&self) -> Number {
        let memory: Vec<u8> = self.memory.iter().rev().copied().collect();
        Number { value: self.value.swap_bytes() >> (64 - self.bits()), memory }
    }

    /// What a number of this width is in a socket address.
    fn what(&self) -> &'static str {
        if self.bits() == 32 { "address" } else { "port" }
    }

    /// And which: `5858`, `127.0.0.1`.
    fn meaning(&self) -> String {
        match <[u8; 4]>::try_from(self.big_endian()) {
            Ok(octets) => inet_ntoa(octets.into()),
            Err(_) => self.value.to_string(),
        }
    }
}

/// Decimal.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// Hexadecimal, always with 0x and two digits a byte: the bytes can be read off it.
impl fmt::LowerHex for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:0width$x}", self.value, width = 2 * self.memory.len())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    /// The order of the machine that runs this, found by looking: where in memory is the 1 of
    /// 0x0001?
    fn here() -> Order {
        if 0x0001_u16.to_ne_bytes() == [0x00, 0x01] { Order::Big } else { Order::Little }
    }

    fn name(self) -> &'static str {
        match self {
            Order::Little => "little-endian",
            Order::Big => "big-endian",
        }
    }
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

/// The bytes of an address, and below them the numbers that its text is made of.
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

/// The number that the four bytes are, to this machine and to all.
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

/// `16 e2`
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// `7f000001`, `7f 00 00 01`, `7f:00:00:01` or `0x7f 0x0 0x0 0x1`: two digits are a byte, one alone
/// too.
fn hex_bytes(text: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for run in text.split([' ', ':', ',']).filter(|run| !run.is_empty()) {
        let digits = run.strip_prefix("0x").unwrap_or(run);
        let digits: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
        match digits.as_deref() {
            Some([low]) => bytes.push(*low as u8),
            Some(pairs @ [_, ..]) if pairs.len() % 2 == 0 => {
                bytes.extend(pairs.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8));
            }
            _ => bail!(Usage(format!(
                "inet_ntop {text:?}: {run:?} is no hexadecimal byte; write 7f000001"
            ))),
        }
    }
    Ok(bytes)
}

/// A number from the command line that fits `T`.
fn unsigned<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let (value, _) = number(text)?;
    let bits = 8 * size_of::<T>();
    T::try_from(value).map_err(|_| format!("{bits} bits hold at most {}", u64::MAX >> (64 - bits)))
}

/// A number from the command line, and how many bits its digits spell out, leading zeros included;
/// 0 when they are decimal or octal, for those don't end where bytes end.
fn number(text: &str) -> Result<(u64, usize), String> {
    let (digits, base, bits_each) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16, 4),
        [b'0', b'o' | b'O', ..] => (&text[2..], 8, 0),
        [b'0', b'b' | b'B', ..] => (&text[2..], 2, 1),
        [b'0', b'0'..=b'9', ..] => {
            return Err("a leading 0 means octal in C; write 0o for that, or leave it out".into());
        }
        [b'-', ..] => return Err("ports and addresses have no sign; write 0 or more".into()),
        _ => (text, 10, 0),
    };
    let digits = digits.replace('_', "");
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
        return Err("write decimal digits, or 0x, 0o or 0b and digits".into());
    }
    match u64::from_str_radix(&digits, base) {
        Ok(value) => Ok((value, bits_each * digits.len())),
        Err(_) => Err(format!("64 bits hold at most {}", u64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Netplay {
        #[command(flatten)]
        args: Args,
    }

    /// What `netplay byte-order LINE` prints, or its error.
    fn byte_order(line: &str) -> Result<String, String> {
        let words = ["byte-order"].into_iter().chain(line.split_whitespace());
        let netplay = Netplay::try_parse_from(words).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        run(&netplay.args, &mut out).map_err(|error| format!("{error:#}"))?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn json(line: &str) -> Value {
        serde_json::from_str(&byte_order(&format!("{line} --json")).unwrap()).unwrap()
    }

    /// Every subcommand, with arguments that make its lines as long as they get.
    const LINES: [&str; 16] = [
        "",
        "htons 5858",
        "htons 65535",
        "ntohs 57878",
        "htonl 4294967294",
        "ntohl 0xfeffffff",
        "inet_aton 255.255.255.255",
        "inet-aton 0x7f.1",
        "inet_ntoa 0xfffffffe",
        "inet_pton 255.255.255.255",
        "inet_pton 1111:2222:3333:4444:5555:6666:7777:8888",
        "inet_ntop ff:ff:ff:ff",
        "inet_ntop 11112222333344445555666677778888",
        "show 5858",
        "show 4294967295",
        "show 18446744073709551615",
    ];

    #[test]
    fn a_picture_fits_a_projector_and_any_terminal() {
        for line in LINES {
            let picture = byte_order(line).unwrap();
            assert!(picture.is_ascii(), "{picture}");
            for row in picture.lines() {
                assert!(row.len() <= 78 && row == row.trim_end(), "{line}: {row:?}");
            }
        }
    }

    #[test]
    fn what_is_said_to_come_next_works() {
        for line in LINES {
            let picture = byte_order(line).unwrap();
            let commands: Vec<&str> = picture
                .lines()
                .filter_map(|row| row.split_once("netplay byte-order ").map(|(_, command)| command))
                .map(|command| command.split_once("   ").map_or(command, |(command, _)| command))
                .collect();
            assert!(!commands.is_empty(), "{picture}");
            for command in commands {
                byte_order(command).unwrap();
            }
        }
    }

    #[test]
    fn htons_draws_memory_the_wire_and_the_mistake() {
        let picture = byte_order("htons 5858").unwrap();
        let boxes = |bytes: [u8; 2]| format!("| {:02x} | {:02x} |", bytes[0], bytes[1]);
        let drawn: Vec<&str> =
            picture.lines().map(str::trim).filter(|row| row.starts_with('|')).collect();
        assert_eq!(drawn, [boxes(5858_u16.to_ne_bytes()), boxes([0x16, 0xe2])]);
        assert!(picture.contains("5858 = 0x16e2"), "{picture}");
        if cfg!(target_endian = "little") {
            assert!(picture.contains("htons(5858) = 57878 = 0xe216"), "{picture}");
            assert!(picture.contains("the kernel sees port 57878, not 5858"), "{picture}");
        }
    }

    #[test]
    fn show_marks_the_most_significant_byte_in_both_orders() {
        let picture = byte_order("show 0x12345678").unwrap();
        let rows: Vec<&str> = picture.lines().collect();
        let marked: Vec<&str> = rows
            .windows(3)
            .filter_map(|three| three[2].find("^^").map(|column| &three[0][column..column + 2]))
            .collect();
        assert_eq!(marked, ["12", "12"], "{picture}");
        assert!(picture.contains("| 78 | 56 | 34 | 12 |"), "{picture}");
        assert!(picture.contains("| 12 | 34 | 56 | 78 |"), "{picture}");
        assert!(byte_order("").unwrap().starts_with("0x12345678 = 305419896"));
    }

    #[test]
    fn show_takes_the_width_from_the_value_and_the_zeros_in_front() {
        for (value, bits) in [
            ("0", 16),
            ("65535", 16),
            ("65536", 32),
            ("0o200000", 32),
            ("0x1234", 16),
            ("0x00001234", 32),
            ("0x0000_0000_0000_1234", 64),
            ("0b1", 16),
            ("0b00000000_00000000_00000001", 32),
            ("4294967296", 64),
        ] {
            assert_eq!(json(&format!("show {value}"))["bits"], bits, "{value}");
        }
    }

    #[test]
    fn json_has_the_facts_of_the_picture() {
        let facts = json("htons 5858");
        assert_eq!(facts["wire"], "16 e2");
        assert_eq!(facts["memory"], hex(&5858_u16.to_ne_bytes()));
        assert_eq!(facts["result"], htons(5858));
        assert_eq!(facts["meaning"], "port 5858");
        assert_eq!(json("inet_aton 127.1")["bytes"], "7f 00 00 01");
        assert_eq!(json("inet_aton 127.1")["number"], 0x7f00_0001);
        assert_eq!(json("inet_ntoa 0x7f000001")["address"], "127.0.0.1");
        assert_eq!(json("inet_pton ::1")["family"], "AF_INET6");
        assert_eq!(json("")["big_endian"], "12 34 56 78");
    }

    #[test]
    fn inet_ntop_takes_bytes_together_and_apart() {
        for bytes in
            ["7f000001", "7f 00 00 01", "7f:00:00:01", "0x7f000001", "0x7f 0 0 0x1", "7F,0,0,1"]
        {
            assert_eq!(json(&format!("inet_ntop {bytes}"))["address"], "127.0.0.1", "{bytes}");
        }
    }

    #[test]
    fn bad_input_gets_one_clear_line() {
        for (line, says) in [
            ("htons 65536", "16 bits hold at most 65535"),
            ("htonl 4294967296", "32 bits hold at most 4294967295"),
            ("show 18446744073709551616", "64 bits hold at most 18446744073709551615"),
            ("htons -1", "no sign"),
            ("htons 0177", "a leading 0 means octal in C"),
            ("htons +1", "write decimal digits"),
            ("show 0x", "write decimal digits"),
            ("show 0x+1", "write decimal digits"),
            ("inet_aton 08", "no octal digit"),
            ("inet_pton 127.1", "write 127.0.0.1, as inet_aton reads it"),
            ("inet_ntop ::1", "not 4 bytes (IPv4) or 16 (IPv6) but 1"),
            ("inet_ntop 7f0 0 0 1", "\"7f0\" is no hexadecimal byte"),
            ("inet_ntop 7f 0x 0 0 1", "\"0x\" is no hexadecimal byte"),
        ] {
            let error = byte_order(line).unwrap_err();
            assert!(error.lines().next().unwrap().contains(says), "{line}: {error}");
        }
    }
}
