//! The headers of a ping, byte by byte: what is written, what is read, and what it means.
//!
//! ```text
//!  IPv4: 20 bytes, or more with options (RFC 791)      ICMP echo: 8 bytes (RFC 792, RFC 4443)
//!   0                   1                   2                   3
//!   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//!  +-------+-------+---------------+-------------------------------+
//!  |   4   | words |    service    |         total length          |
//!  +-------+-------+---------------+-----+-------------------------+
//!  |        identification         |flags|     fragment offset     |
//!  +---------------+---------------+-----+-------------------------+
//!  | time to live  | protocol: 1   |       header checksum         |
//!  +---------------+---------------+-------------------------------+
//!  |                            source                             |
//!  +---------------------------------------------------------------+
//!  |                          destination                          |
//!  +---------------+---------------+-------------------------------+
//!  | type: 8 or 0  |   code: 0     |           checksum            |
//!  +---------------+---------------+-------------------------------+
//!  |          identifier           |        sequence number        |
//!  +-------------------------------+-------------------------------+
//!  |  payload, which comes back as it was sent …
//! ```
//!
//! Any host that can reach this machine can send it packets. So this code trusts no length, and malformed
//! bytes are a result ([`Malformed`]), never a panic.

use std::fmt;
use std::net::Ipv4Addr;

use crate::address::Family;
use crate::byte_order::{htons, ntohs};
use crate::columns::{width, wrapped};
use crate::lang::Lang;
use crate::words::hex;
use netplay_text::say;

/// The size of the header of an echo message.
pub const ECHO: usize = 8;

/// Why bytes could not be read as a packet, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chinese = match self.0 {
            "a packet of no bytes" => "没有字节的数据包",
            "not an IPv4 packet" => "不是 IPv4 数据包",
            "an IPv4 header of less than 20 bytes" => "不到 20 字节的 IPv4 首部",
            "shorter than its IPv4 header" => "比它的 IPv4 首部还短",
            "shorter than an ICMP header" => "比 ICMP 首部还短",
            other => other,
        };
        f.write_str(Lang::current().pick(self.0, chinese))
    }
}

impl std::error::Error for Malformed {}

/// The Internet checksum: add up all 16-bit words, add what is carried out of the 16 bits back in at the low
/// end, and invert every bit. A last odd byte is the high half of a word. See RFC 1071.
///
/// The sum goes into the message. Then all its words add up to ffff, so for a message
/// that has arrived undamaged this function returns 0:
///
/// ```
/// use netplay::examples::ping::header::checksum;
///
/// let mut message = [8, 0, 0, 0, 0xd0, 0x04, 0, 1]; // summed with zeros in its place
/// assert_eq!(checksum(&message), 0x27fa);
/// message[2..4].copy_from_slice(&[0x27, 0xfa]);
/// assert_eq!(checksum(&message), 0);
/// ```
///
/// What people get wrong: it finds damage, not forgery, and not even all damage: two words that have
/// changed places have the same sum.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0u64;
    for pair in bytes.chunks(2) {
        let word = [pair[0], pair.get(1).copied().unwrap_or(0)];
        sum += u64::from(ntohs(u16::from_ne_bytes(word)));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16); // the carries come back in at the low end
    }
    !(sum as u16)
}

/// An echo request: type, code, checksum, identifier, sequence number, payload.
///
/// The checksum of ICMPv6 also covers the addresses of the packet (RFC 4443, section 2.3). The kernel chooses
/// the source address when the packet leaves, so the kernel fills the checksum in, and here it stays zero.
#[must_use]
pub fn request(family: Family, identifier: u16, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![0; ECHO];
    message[0] = echo_request(family);
    message[1] = 0; // code: there is only one kind of echo
    message[4..6].copy_from_slice(&htons(identifier).to_ne_bytes());
    message[6..8].copy_from_slice(&htons(sequence).to_ne_bytes());
    message.extend_from_slice(payload);
    if family == Family::V4 {
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&htons(sum).to_ne_bytes());
    }
    message
}

fn echo_request(family: Family) -> u8 {
    match family {
        Family::V4 => 8,
        Family::V6 => 128,
    }
}

fn echo_reply(family: Family) -> u8 {
    match family {
        Family::V4 => 0,
        Family::V6 => 129,
    }
}

/// A 16-bit number of a header.
fn number(bytes: &[u8], at: usize) -> u16 {
    ntohs(u16::from_ne_bytes([bytes[at], bytes[at + 1]]))
}

/// An IPv4 packet: its header and what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipv4<'a> {
    /// The header, options and all.
    pub header: &'a [u8],
    /// The data after it.
    pub data: &'a [u8],
}

impl<'a> Ipv4<'a> {
    /// Finds the end of the header: its length is in the first byte, in words of four bytes. Code that
    /// assumes 20 bytes would read the options of some packets as ICMP.
    ///
    /// # Errors
    /// It is not an IPv4 packet, or shorter than it says.
    pub fn read(packet: &'a [u8]) -> Result<Ipv4<'a>, Malformed> {
        let first = *packet.first().ok_or(Malformed("a packet of no bytes"))?;
        if first >> 4 != 4 {
            return Err(Malformed("not an IPv4 packet"));
        }
        let length = usize::from(first & 0xf) * 4;
        if length < 20 {
            return Err(Malformed("an IPv4 header of less than 20 bytes"));
        }
        match packet.split_at_checked(length) {
            Some((header, data)) => Ok(Ipv4 { header, data }),
            None => Err(Malformed("shorter than its IPv4 header")),
        }
    }

    /// How many routers it could still have passed.
    #[must_use]
    pub fn ttl(&self) -> u8 {
        self.header[8]
    }

    /// What it carries: 1 is ICMP.
    #[must_use]
    pub fn protocol(&self) -> u8 {
        self.header[9]
    }

    fn address(&self, at: usize) -> Ipv4Addr {
        let octets = [0, 1, 2, 3].map(|i| self.header[at + i]);
        octets.into()
    }
}

/// An ICMP message of at least eight bytes, which all kinds here have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icmp<'a>(&'a [u8]);

impl<'a> Icmp<'a> {
    /// The message, header and all.
    ///
    /// # Errors
    /// It is shorter than a header.
    pub fn read(message: &'a [u8]) -> Result<Icmp<'a>, Malformed> {
        match message.len() {
            ECHO.. => Ok(Icmp(message)),
            _ => Err(Malformed("shorter than an ICMP header")),
        }
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.0[0]
    }

    /// Which of its kind.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.0[1]
    }

    /// Whose request, if it is an echo.
    #[must_use]
    pub fn identifier(&self) -> u16 {
        number(self.0, 4)
    }

    /// Which of the requests, if it is an echo.
    #[must_use]
    pub fn sequence(&self) -> u16 {
        number(self.0, 6)
    }

    /// What is behind the header.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.0[ECHO..]
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// What it means for ping.
    ///
    /// ```
    /// use netplay::address::Family::V4;
    /// use netplay::examples::ping::header::{Icmp, Meaning, request};
    ///
    /// let message = request(V4, 4711, 1, b"payload");
    /// let icmp = Icmp::read(&message)?;
    /// assert_eq!(icmp.means(V4), Meaning::Request { identifier: 4711 });
    /// assert_eq!(icmp.sequence(), 1);
    /// # Ok::<(), netplay::examples::ping::header::Malformed>(())
    /// ```
    #[must_use]
    pub fn means(&self, family: Family) -> Meaning {
        let (identifier, sequence) = (self.identifier(), self.sequence());
        match self.kind() {
            // Over ICMPv6 the kernel checks it, because only the kernel knows both addresses.
            _ if family == Family::V4 && checksum(self.0) != 0 => Meaning::Damaged,
            kind if kind == echo_reply(family) => Meaning::Reply { identifier, sequence },
            kind if kind == echo_request(family) => Meaning::Request { identifier },
            kind => match (self.quoted(family), why(family, kind, self.code())) {
                (Some((identifier, sequence)), Some(_)) => {
                    Meaning::Complaint { identifier, sequence }
                }
                _ => Meaning::Other,
            },
        }
    }

    /// The identifier and sequence number of the request that an error message quotes: behind the header is
    /// the beginning of the packet it is about, IP header first, and at least eight bytes of its data.
    fn quoted(&self, family: Family) -> Option<(u16, u16)> {
        let (protocol, message) = match family {
            Family::V4 => {
                let packet = Ipv4::read(self.payload()).ok()?;
                (packet.protocol(), packet.data)
            }
            // An IPv6 header has 40 bytes; the seventh names the protocol that follows.
            Family::V6 => {
                let (header, data) = self.payload().split_at_checked(40)?;
                (header[6], data)
            }
        };
        let icmp = match family {
            Family::V4 => libc::IPPROTO_ICMP,
            Family::V6 => libc::IPPROTO_ICMPV6,
        };
        let request = Icmp::read(message).ok()?;
        let is_ours = i32::from(protocol) == icmp && request.kind() == echo_request(family);
        is_ours.then(|| (request.identifier(), request.sequence()))
    }
}

/// What an ICMP message means for ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// An echo reply, for the program with this identifier.
    Reply {
        /// Whose request it was.
        identifier: u16,
        /// Which of them.
        sequence: u16,
    },
    /// An echo request to this machine. Over loopback it may be our own.
    Request {
        /// Whose request it is.
        identifier: u16,
    },
    /// A request failed; see [`why`].
    Complaint {
        /// Whose request it was.
        identifier: u16,
        /// Which of them.
        sequence: u16,
    },
    /// Its checksum does not verify.
    Damaged,
    /// Something else.
    Other,
}

/// Why a request failed, by the type and code of the ICMP error message; `None` if it
/// is not an error message. RFC 792 and RFC 4443 use different numbers for the same ideas.
#[must_use]
pub fn why(family: Family, kind: u8, code: u8) -> Option<&'static str> {
    let (en, zh) = match (family, kind, code) {
        (Family::V4, 3, 0) => ("no route to that network", "没有到那个网络的路由"),
        (Family::V4, 3, 1) => ("no route to that host", "没有到那台主机的路由"),
        (Family::V4, 3, 2) => ("that host does not speak ICMP", "那台主机不支持 ICMP"),
        (Family::V4, 3, 4) => (
            "too large for the path, and must not be fragmented",
            "对这条路径来说太大，又不允许分片",
        ),
        (Family::V4, 3, 9 | 10 | 13) => ("a filter forbids it", "被过滤器禁止"),
        (Family::V4, 3, _) => ("it cannot be delivered", "无法送达"),
        (Family::V4, 11, 0) | (Family::V6, 3, 0) => {
            ("time exceeded: its TTL was used up on the way", "超时：TTL 在途中用完了")
        }
        (Family::V4, 11, _) | (Family::V6, 3, _) => {
            ("time exceeded: some fragments never came", "超时：有些分片始终没到")
        }
        (Family::V4, 12, _) | (Family::V6, 4, _) => {
            ("something in its header is wrong", "首部有错误")
        }
        (Family::V6, 1, 0) => ("no route to that address", "没有到那个地址的路由"),
        (Family::V6, 1, 1 | 5) => ("a filter forbids it", "被过滤器禁止"),
        (Family::V6, 1, 3) => ("no host has that address", "没有主机使用那个地址"),
        (Family::V6, 1, _) => ("it cannot be delivered", "无法送达"),
        (Family::V6, 2, _) => ("too large for the path", "对这条路径来说太大"),
        _ => return None,
    };
    Some(Lang::current().pick(en, zh))
}

/// The fields of a request and its reply side by side: name, bytes sent, bytes received, meaning. With
/// the IP header of the reply above, if the socket shows it. No line is wider than 80 columns.
#[must_use]
pub fn fields(family: Family, ip: Option<Ipv4<'_>>, sent: &[u8], reply: Icmp<'_>) -> String {
    let lang = Lang::current();
    let came = lang.pick("came", "收到");
    let mut text = String::new();
    if let Some(ip) = ip {
        text += &line(lang.pick("IPv4 header", "IPv4 首部"), "", came, "");
        for (name, at, meaning) in ip.fields(lang) {
            text += &line(name, "", &hex(&ip.header[at]), &meaning);
        }
    }
    let verifies = match family {
        Family::V4 if checksum(reply.bytes()) == 0 => {
            lang.pick("verifies: all words add up to ffff", "正确：所有字相加等于 ffff")
        }
        Family::V4 => lang.pick("does not verify", "不正确"),
        Family::V6 => lang
            .pick("the kernel's: it also covers the addresses", "由内核计算：它还覆盖两端的地址"),
    };
    let same = match sent[ECHO..] == *reply.payload() {
        true => lang.pick("the same", "相同"),
        false => lang.pick("not the same", "不相同"),
    };
    let size = |bytes: usize| say!(lang, "{bytes} bytes", "{bytes} 字节");
    text += &line(lang.pick("ICMP header", "ICMP 首部"), lang.pick("sent", "发出"), came, "");
    let (asks, answers) = (sent[0], reply.kind());
    let types = say!(
        lang,
        "{asks} echo request, {answers} echo reply",
        "{asks} 是回显请求，{answers} 是回显应答"
    );
    let (identifier, sequence) = (reply.identifier(), reply.sequence());
    for (name, at, meaning) in [
        (lang.pick("type", "类型"), 0..1, types),
        (lang.pick("code", "代码"), 1..2, String::new()),
        (lang.pick("checksum", "校验和"), 2..4, verifies.to_owned()),
        (
            lang.pick("identifier", "标识符"),
            4..6,
            say!(lang, "{identifier}: which program", "{identifier}：哪个程序"),
        ),
        (
            lang.pick("sequence", "序号"),
            6..8,
            say!(lang, "{sequence}: which request", "{sequence}：哪个请求"),
        ),
    ] {
        text += &line(name, &hex(&sent[at.clone()]), &hex(&reply.bytes()[at]), &meaning);
    }
    let payload = lang.pick("payload", "载荷");
    text + &line(payload, &size(sent.len() - ECHO), &size(reply.payload().len()), same)
}

impl Ipv4<'_> {
    fn fields(&self, lang: Lang) -> Vec<(&'static str, std::ops::Range<usize>, String)> {
        let header = self.header;
        let (words, total, ttl) = (header[0] & 0xf, number(header, 2), self.ttl());
        let flags = match header[6] >> 5 {
            0b010 => lang.pick("must not be fragmented", "不允许分片"),
            _ => "",
        };
        let verifies = match checksum(header) {
            0 => lang.pick("verifies", "正确"),
            _ => lang.pick("does not verify", "不正确"),
        };
        let version =
            say!(lang, "4, and {words} words of 4 bytes", "版本 4，{words} 个 4 字节的字");
        let length = say!(lang, "{total}, this header included", "{total}，包括本首部");
        let left = say!(lang, "{ttl} left", "剩余 {ttl}");
        let mut fields = vec![
            (lang.pick("version, words", "版本，字数"), 0..1, version),
            (lang.pick("service", "服务类型"), 1..2, String::new()),
            (lang.pick("total length", "总长度"), 2..4, length),
            (lang.pick("identification", "标识"), 4..6, String::new()),
            (lang.pick("flags, offset", "标志，偏移"), 6..8, flags.to_owned()),
            (lang.pick("time to live", "生存时间"), 8..9, left),
            (lang.pick("protocol", "协议"), 9..10, format!("{}: ICMP", self.protocol())),
            (lang.pick("checksum", "校验和"), 10..12, verifies.to_owned()),
            (lang.pick("source", "源地址"), 12..16, self.address(12).to_string()),
            (lang.pick("destination", "目的地址"), 16..20, self.address(16).to_string()),
        ];
        if header.len() > 20 {
            fields.push((lang.pick("options", "选项"), 20..header.len(), String::new()));
        }
        fields
    }
}

/// A line of the table; what is too wide for its column goes on in the last one, and below.
fn line(name: &str, sent: &str, came: &str, meaning: &str) -> String {
    const COLUMN: usize = 12;
    const LAST: usize = 36;
    let padded =
        |text: &str, room: usize| format!("{text}{:1$}", "", room.saturating_sub(width(text)));
    let (came, last) = match width(came) {
        ..=COLUMN => (came, meaning.to_owned()),
        _ => ("", format!("{came} {meaning}")),
    };
    let mut start =
        format!("  {} {} {} ", padded(name, 15), padded(sent, COLUMN), padded(came, COLUMN));
    let indent = width(&start);
    let mut lines = String::new();
    for part in wrapped(&last, LAST) {
        lines += format!("{start}{part}").trim_end();
        lines.push('\n');
        start = " ".repeat(indent);
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

    /// RFC 1071, section 3.
    #[test]
    fn the_checksum_is_that_of_the_example_in_the_rfc() {
        assert_eq!(!checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0xddf2);
    }

    #[test]
    fn an_odd_byte_is_the_high_half_of_a_word() {
        assert_eq!(checksum(&[1, 2, 3]), checksum(&[1, 2, 3, 0]));
        assert_ne!(checksum(&[1, 2, 3]), checksum(&[1, 2, 0, 3]));
    }

    #[test]
    fn options_of_ip_are_no_icmp() {
        let mut packet = [0x46; 24].to_vec();
        packet[9] = 1;
        packet.extend(request(Family::V4, 1, 2, b"x"));
        let ip = Ipv4::read(&packet).unwrap();
        assert_eq!((ip.header.len(), ip.protocol()), (24, 1));
        assert_eq!(Icmp::read(ip.data).unwrap().sequence(), 2);
    }

    proptest! {
        #[test]
        fn a_request_verifies_and_a_changed_bit_does_not(
            identifier: u16,
            sequence: u16,
            payload in prop::collection::vec(any::<u8>(), 0..100),
            bit: prop::sample::Index,
        ) {
            let mut message = request(Family::V4, identifier, sequence, &payload);
            prop_assert_eq!(checksum(&message), 0);
            let icmp = Icmp::read(&message).unwrap();
            prop_assert_eq!((icmp.identifier(), icmp.sequence()), (identifier, sequence));
            prop_assert_eq!(icmp.payload(), &payload[..]);
            let bit = bit.index(message.len() * 8);
            message[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Icmp::read(&message).unwrap().means(Family::V4), Meaning::Damaged);
        }

        #[test]
        fn no_packet_makes_the_reader_panic_or_a_line_too_wide(
            mut packet in prop::collection::vec(any::<u8>(), 0..120),
            first in prop::sample::select(vec![0x45u8, 0x46, 0x4f, 0x60, 0]),
            kind in prop::sample::select(vec![0u8, 3, 8, 11, 1, 2, 128, 129]),
        ) {
            // As many as possible reach the quoted packet.
            for (at, byte) in [(0, first), (9, 1), (20, kind), (28, first), (37, 1)] {
                if let Some(place) = packet.get_mut(at) {
                    *place = byte;
                }
            }
            let ip = Ipv4::read(&packet).ok();
            for bytes in [&packet[..], ip.map_or(&[], |ip| ip.data)] {
                if let Ok(icmp) = Icmp::read(bytes) {
                    for family in FAMILIES {
                        let _ = icmp.means(family);
                        let fields = fields(family, ip, &request(family, 1, 1, &[]), icmp);
                        prop_assert!(fields.lines().all(|line| width(line) <= 80), "{}", fields);
                    }
                }
            }
        }

        #[test]
        fn a_complaint_is_about_the_request_that_it_quotes(identifier: u16, sequence: u16) {
            for family in FAMILIES {
                let (ip, kind) = match family {
                    Family::V4 => ([&[0x45, 0, 0, 0, 0, 0, 0, 0, 1, 1][..], &[0; 10]].concat(), 11),
                    Family::V6 => ([&[0x60, 0, 0, 0, 0, 0, 58][..], &[0; 33]].concat(), 3),
                };
                let quoted = [ip, request(family, identifier, sequence, &[])].concat();
                let mut message = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &quoted].concat();
                let sum = checksum(&message).to_be_bytes();
                message[2..4].copy_from_slice(&sum);
                let means = Icmp::read(&message).unwrap().means(family);
                prop_assert_eq!(means, Meaning::Complaint { identifier, sequence });
            }
        }
    }
}
