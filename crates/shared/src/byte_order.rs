//! Byte order: one number, two ways to lay its bytes out.
//!
//! A port is a 16-bit number, so it takes two bytes. Which of them comes first? Machines disagree;
//! a network cannot. The Internet protocols send the most significant byte first:
//!
//! ```text
//!                             address:  +0   +1
//!                                     +----+----+
//!     network order, big-endian       | 16 | e2 |   most significant byte first
//!                                     +----+----+
//!     port 5858 = 0x16e2
//!                                     +----+----+
//!     x86-64, most ARM: little-endian | e2 | 16 |   least significant byte first
//!                                     +----+----+
//! ```
//!
//! The first half of this page turns numbers round: [`htons`], [`ntohs`], [`htonl`], [`ntohl`]. The
//! second half turns addresses from text into bytes and back: [`inet_aton`] and [`inet_ntoa`], the
//! old pair for IPv4, and [`inet_pton`] and [`inet_ntop`], the pair that knows IPv6 as well.
//!
//! All of it is arithmetic: nothing here enters the kernel, so strace shows no line for it.
//!
//! The names big- and little-endian are from Danny Cohen's "On Holy Wars and a Plea for Peace"
//! (IEN 137, 1980); the order on the wire is RFC 791, appendix B.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Host to network, short: a 16-bit number (a port) from host order to network order.
///
/// On a little-endian machine the two bytes change places; on a big-endian one nothing happens.
/// Either way the result, *as it lies in memory*, is the most significant byte and then the other:
///
/// ```
/// use netplay_shared::byte_order::htons;
///
/// assert_eq!(htons(5858).to_ne_bytes(), [0x16, 0xe2]); // what goes out, from any machine
/// assert_eq!(5858u16.to_be_bytes(), [0x16, 0xe2]); // std's way to say the same
/// assert_eq!(htons(htons(5858)), 5858); // twice is as good as never
/// ```
///
/// What people get wrong: they call it twice, or never. On a big-endian machine both mistakes work,
/// and so does a port like 0x1212, so the program ships. Elsewhere `sin_port = 5858` asks for port
/// 57878. In Rust the usual mistake is to call it at all: a [`std::net::SocketAddr`] has its port
/// in host order, and std turns it round on the way to the kernel.
///
/// See byteorder(3).
pub const fn htons(host: u16) -> u16 {
    host.to_be()
}

/// Network to host, short: the way back, for a port that arrived.
///
/// ```
/// use netplay_shared::byte_order::ntohs;
///
/// let sin_port = u16::from_ne_bytes([0x16, 0xe2]); // two bytes of a header, as they came
/// assert_eq!(ntohs(sin_port), 5858);
/// assert_eq!(u16::from_be_bytes([0x16, 0xe2]), 5858); // std: no detour
/// ```
///
/// It does just what [`htons`] does: to swap is its own way back. Two names exist to tell the
/// reader which side of the border a number is on.
///
/// See byteorder(3).
pub const fn ntohs(network: u16) -> u16 {
    u16::from_be(network)
}

/// Host to network, long: a 32-bit number (an IPv4 address) from host order to network order.
///
/// ```
/// use netplay_shared::byte_order::htonl;
/// use std::net::Ipv4Addr;
///
/// const INADDR_LOOPBACK: u32 = 0x7f00_0001; // netinet/in.h has it in host order
/// let s_addr = htonl(INADDR_LOOPBACK);
/// assert_eq!(s_addr.to_ne_bytes(), Ipv4Addr::LOCALHOST.octets());
/// ```
///
/// What people get wrong: the long is the `long` of 1983, four bytes. On today's 64-bit Linux a C
/// `long` has eight, and htonl still takes four; the eight-byte one is htobe64 (endian(3)).
///
/// See byteorder(3).
pub const fn htonl(host: u32) -> u32 {
    host.to_be()
}

/// Network to host, long: the way back, for an IPv4 address that arrived.
///
/// ```
/// use netplay_shared::byte_order::ntohl;
///
/// let s_addr = u32::from_ne_bytes([10, 0, 0, 255]);
/// assert_eq!(ntohl(s_addr), 0x0a00_00ff);
/// assert_eq!(ntohl(s_addr) + 1, 0x0a00_0100); // 10.0.1.0: arithmetic needs host order
/// ```
///
/// See byteorder(3).
pub const fn ntohl(network: u32) -> u32 {
    u32::from_be(network)
}

/// IPv4 text to address, by the old and generous rules of BSD.
///
/// One to four parts; each but the last is one byte, and the last fills all the bytes that remain.
/// A part is a number as C writes it: decimal, octal after `0`, hexadecimal after `0x`.
///
/// ```text
///     a.b.c.d     8 .  8 .  8 .  8 bits
///     a.b.c       8 .  8 .      16 bits     how a class B host was written: net.net.host
///     a.b         8 .           24 bits     a class A host: 127.1
///     a                         32 bits     one number: 2130706433
/// ```
///
/// ```
/// use netplay_shared::byte_order::inet_aton;
///
/// let loopback = inet_aton("127.0.0.1")?;
/// assert_eq!(loopback.octets(), [127, 0, 0, 1]); // network order: 127 goes out first
/// for same in ["127.1", "0x7f.1", "0177.1", "2130706433", "127.0.0.1 and more"] {
///     assert_eq!(inet_aton(same)?, loopback);
/// }
/// # Ok::<(), netplay_shared::byte_order::ParseError>(())
/// ```
///
/// An [`Ipv4Addr`] holds its four bytes in network order, as `struct in_addr` does.
///
/// White space ends the address, and what follows it is not looked at: glibc's inet_aton takes
/// `127.0.0.1 and more`, so this one does. White space in front is refused.
///
/// What people get wrong: `010.0.0.1` is 8.0.0.1, and a filter that reads it as 10.0.0.1 judges
/// another machine than `connect` will call. (Rust's own parser did so before 1.53:
/// CVE-2021-29922.) Take addresses from strangers with [`inet_pton`].
///
/// See inet_aton(3), but do not believe, for the form `a`, its "without any byte rearrangement":
/// 2130706433 is 127.0.0.1 on every machine. C's result is 1, or 0 (not -1) for a [`ParseError`].
pub fn inet_aton(text: &str) -> Result<Ipv4Addr, ParseError> {
    let is_space = |c| matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r'); // C's isspace
    let address = text.split_once(is_space).map_or(text, |(address, _ignored)| address);
    match one_to_four_parts(address) {
        Ok(octets) => Ok(Ipv4Addr::from(octets)),
        Err(why) => Err(ParseError { call: "inet_aton".into(), text: text.into(), why }),
    }
}

fn one_to_four_parts(address: &str) -> Result<[u8; 4], String> {
    let parts: Vec<&str> = address.split('.').collect();
    if parts.len() > 4 {
        return Err(format!("{} parts; write at most four, as in 127.0.0.1", parts.len()));
    }
    let mut octets = [0; 4];
    for (i, part) in parts.iter().enumerate() {
        let room = if i + 1 == parts.len() { 4 - i } else { 1 };
        let number = c_number(part, room).map_err(|why| format!("part {} {why}", i + 1))?;
        octets[i..i + room].copy_from_slice(&number.to_be_bytes()[4 - room..]);
    }
    Ok(octets)
}

/// A number as C writes it, by the rule of strtoul(3) with base 0, that fits `room` bytes.
fn c_number(part: &str, room: usize) -> Result<u32, String> {
    let (digits, base, not_a_digit) =
        if let Some(hex) = part.strip_prefix("0x").or(part.strip_prefix("0X")) {
            (hex, 16, "no hexadecimal digit; write 0-9 and a-f after the 0x")
        } else if part.starts_with('0') {
            (part, 8, "no octal digit, and a leading 0 means octal; leave that 0 out for decimal")
        } else {
            (part, 10, "no digit; write a number (getaddrinfo is for names and IPv6)")
        };
    if digits.is_empty() {
        return Err(format!(
            "is {part:?}, without a digit; write a number, and no space before it"
        ));
    }
    if let Some(odd) = digits.chars().find(|c| !c.is_digit(base)) {
        return Err(format!("is {part:?}, where {odd:?} is {not_a_digit}"));
    }
    let most = u32::MAX >> (32 - 8 * room);
    match u32::from_str_radix(digits, base) {
        Ok(number) if number <= most => Ok(number),
        _ => Err(format!("is {part}, too much for its {} bits; write at most {most}", 8 * room)),
    }
}

/// IPv4 address to text: four decimal numbers and three dots.
///
/// ```
/// use netplay_shared::byte_order::inet_ntoa;
///
/// assert_eq!(inet_ntoa([127, 0, 0, 1].into()), "127.0.0.1");
/// assert_eq!(inet_ntoa(0x7f00_0001.into()), "127.0.0.1"); // a u32 counts in host order
/// ```
///
/// What people get wrong, in C: the text lies in one static buffer that the next call writes over,
/// so `printf("%s %s", inet_ntoa(a), inet_ntoa(b))` prints one address twice.
///
/// See inet_ntoa(3).
pub fn inet_ntoa(address: Ipv4Addr) -> String {
    address.to_string()
}

/// The address family that [`inet_pton`] is asked for, its `af` argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// `AF_INET`, IPv4: four bytes.
    Inet,
    /// `AF_INET6`, IPv6: sixteen bytes.
    Inet6,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Inet => "AF_INET",
            Family::Inet6 => "AF_INET6",
        })
    }
}

/// Presentation to network: address text of the given family to its bytes, by strict rules.
///
/// `AF_INET` is four decimal numbers from 0 to 255, and nothing else: no short form, no octal, no
/// hexadecimal, no leading zero, no white space. `AF_INET6` is what RFC 4291, section 2.2, allows:
///
/// ```text
///     2001:db8:0:0:0:0:0:1    eight groups of 16 bits, hexadecimal, one to four digits each
///     2001:db8::1             one "::" stands for all missing groups of zeros, at least one
///     ::ffff:192.0.2.1        the last two groups may be an IPv4 address
/// ```
///
/// ```
/// use netplay_shared::byte_order::{Family, inet_pton};
/// use std::net::{Ipv4Addr, Ipv6Addr};
///
/// assert_eq!(inet_pton(Family::Inet, "127.0.0.1")?, Ipv4Addr::LOCALHOST);
/// assert_eq!(inet_pton(Family::Inet6, "::1")?, Ipv6Addr::LOCALHOST);
/// assert!(inet_pton(Family::Inet, "127.1").is_err()); // inet_aton takes it
/// # Ok::<(), netplay_shared::byte_order::ParseError>(())
/// ```
///
/// The C function fills a buffer of four or sixteen bytes in network order. An [`IpAddr`] is such a
/// buffer that knows its size: see [`Ipv4Addr::octets`] and [`std::net::Ipv6Addr::octets`].
///
/// What people get wrong: the text is an address and nothing more. `localhost` and `fe80::1%eth0`
/// are for getaddrinfo(3), the brackets of `[::1]` for URLs, and `:80` is a port.
///
/// See inet_pton(3). C's results 1 (done), 0 (no such address) and -1 (no such family) are `Ok`,
/// [`ParseError`] and a [`Family`] that cannot be written.
pub fn inet_pton(family: Family, text: &str) -> Result<IpAddr, ParseError> {
    // std's parsers have the rules of inet_pton, but don't say what is wrong; the helpers below do.
    match family {
        Family::Inet => text.parse().map(IpAddr::V4).map_err(|_| why_not_ipv4(text)),
        Family::Inet6 => text.parse().map(IpAddr::V6).map_err(|_| why_not_ipv6(text)),
    }
    .map_err(|why| ParseError { call: format!("inet_pton {family}"), text: text.into(), why })
}

fn why_not_ipv4(text: &str) -> String {
    let parts: Vec<&str> = text.split('.').collect();
    let right = |part: &&str| part.parse().is_ok_and(|n: u8| n.to_string() == *part);
    let wrong = match parts.iter().position(|part| !right(part)) {
        Some(i) if parts.len() == 4 => {
            format!("part {} is {:?}, not a number from 0 to 255 in plain decimal", i + 1, parts[i])
        }
        _ => format!("not four parts but {}", parts.len()),
    };
    match inet_aton(text) {
        Ok(address) => format!("{wrong}; write {address}, as inet_aton reads it"),
        Err(_) if text.contains(':') => {
            format!("{wrong}; write it without a port, or ask for AF_INET6")
        }
        Err(_) => format!("{wrong}; write an address such as 127.0.0.1"),
    }
}

fn why_not_ipv6(text: &str) -> String {
    if text.parse::<Ipv4Addr>().is_ok() {
        return format!("this is IPv4; ask for AF_INET, or write ::ffff:{text}");
    }
    let (front, last) = text.rsplit_once(':').unwrap_or(("", text));
    let long = |group: &&str| group.len() > 4 && !group.contains('.');
    match text.chars().find(|c| !c.is_ascii_hexdigit() && !matches!(c, ':' | '.')) {
        Some('%') => "a zone goes to sin6_scope_id; write what is before the %".into(),
        Some('[' | ']') => "brackets are for URLs; write what is inside them".into(),
        Some(odd) => format!("{odd:?} is no hexadecimal digit; write an address such as ::1"),
        None if front.contains('.') => "dots before a colon; write the IPv4 part last".into(),
        None if last.contains('.') && last.parse::<Ipv4Addr>().is_err() => why_not_ipv4(last),
        None if text.matches("::").count() > 1 => ":: stands twice; write it once".into(),
        None => match text.split(':').find(long) {
            Some(group) => format!("{group} has more than four digits; write one to four"),
            None => "not eight groups; write all eight, or one :: for the zeros".into(),
        },
    }
}

/// Network to presentation: the bytes of an address to its one canonical text.
///
/// Four bytes make an IPv4 address, sixteen an IPv6 one, so the type says what C asks for as `af`:
///
/// ```
/// use netplay_shared::byte_order::inet_ntop;
/// use std::net::{Ipv4Addr, Ipv6Addr};
///
/// assert_eq!(inet_ntop([127, 0, 0, 1]), "127.0.0.1");
/// assert_eq!(inet_ntop(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 1, 0, 0, 1)), "2001:db8::1:0:0:1");
/// assert_eq!(inet_ntop(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped()), "::ffff:192.0.2.1");
/// ```
///
/// RFC 5952 makes the text canonical: small letters, no leading zeros, `::` for the longest run of
/// at least two zero groups (the first of equals), and an IPv4-mapped address with its dots. glibc
/// still writes the obsolete IPv4-compatible addresses with dots too, `::1.2.3.4`; here it is
/// `::102:304`.
///
/// What people get wrong: they compare addresses as text. One IPv6 address has many spellings;
/// compare the bytes, or the text only after inet_pton and inet_ntop.
///
/// See inet_ntop(3). There is no buffer to be too small, hence no error.
pub fn inet_ntop(address: impl Into<IpAddr>) -> String {
    address.into().to_string()
}

/// Why a text is no address: one sentence with the call, the text, the part, and what to write
/// instead.
///
/// ```
/// use netplay_shared::byte_order::inet_aton;
///
/// assert_eq!(
///     inet_aton("10.0.0.256").unwrap_err().to_string(),
///     r#"inet_aton "10.0.0.256": part 4 is 256, too much for its 8 bits; write at most 255"#
/// );
/// ```
///
/// The text is quoted with escapes, so a hostile one cannot move the cursor of who reads the error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The function that refused it.
    pub call: String,
    /// What it was given.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}: {}", self.call, self.text, self.why)
    }
}

impl std::error::Error for ParseError {}
