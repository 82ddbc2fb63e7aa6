//! The bytes that moved, as a capture for Wireshark.
//!
//! A record is of a call, and no call sees a packet: what the headers said, which segments there were, and which of them were
//! sent again. So none of that is made up. Each transfer is an "exported PDU", Wireshark's own form for bytes
//! that come without their headers (link type 252, `LINKTYPE_WIRESHARK_UPPER_PDU`): tags for both addresses, and behind them
//! the bytes. What is known beyond that, and what is missing, stands in comments.
//!
//! ```text
//! section     what this file is
//! interface   a lane: its name and its process           one for each
//! packet      tags │ bytes    comments, direction        one for each send; for a receive if its sender left no trace
//! ```
//!
//! A transfer of which the record keeps a part is a packet that was cut, as with a small snapshot length: the packet says
//! how long it was. Times are nanoseconds, by the calendar time of the first record and CLOCK_MONOTONIC from there on.
//!
//! Sources: draft-ietf-opsawg-pcapng; epan/exported_pdu.h of Wireshark for the tags.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::{self, BufWriter, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use chrono::DateTime;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};
use pcap_file::{DataLink, Endianness, PcapError};

use super::calls::{Process, process};
use super::sockets::{is_wildcard, plain};
use super::words::{headline, never};
use super::{Arrow, ArrowKind, Timeline, View};
use netplay_record::{Direction, Event, Kind, Text};
use netplay_text::escape::unescape;
use netplay_text::lang::Lang;
use netplay_text::say;
use netplay_text::words::{duration, grouped};

/// Times are in 10⁻⁹ s: the option `if_tsresol`.
const NANOSECONDS: u8 = 9;

/// Wireshark reads packets of 256 KiB at most: a longer transfer is told in parts of this size.
const PART: usize = 128 * 1024;

/// An option of pcapng has a length of 16 bits; a comment that would be longer ends here.
const LONGEST: usize = 4096;

/// So many receives are named that took the bytes of one send.
const NAMED: usize = 3;

/// The tags of an exported PDU. Each is two bytes for the tag, two for the length, and a value of whole words.
mod tag {
    pub(super) const END: u16 = 0;
    /// The name of the dissector for the payload.
    pub(super) const DISSECTOR: u16 = 12;
    pub(super) const IPV4_SRC: u16 = 20;
    pub(super) const IPV4_DST: u16 = 21;
    pub(super) const IPV6_SRC: u16 = 22;
    pub(super) const IPV6_DST: u16 = 23;
    pub(super) const PORT_TYPE: u16 = 24;
    pub(super) const SRC_PORT: u16 = 25;
    pub(super) const DST_PORT: u16 = 26;
    /// What stands in the column "Protocol".
    pub(super) const PROTOCOL: u16 = 33;
    /// What stands in the column "Info".
    pub(super) const INFO: u16 = 36;
}

/// What shows the bytes as they are. A dissector for a protocol would expect whole messages, and a transfer need not be one.
const AS_DATA: &str = "data";

/// Wireshark's numbers for kinds of ports.
#[derive(Clone, Copy)]
enum Ports {
    Tcp = 2,
    Udp = 3,
}

/// The direction of a packet on its interface: the option `epb_flags`.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// Both ends of a transfer, as far as they are known.
type Ends = (Option<SocketAddr>, Option<SocketAddr>);

/// A transfer that becomes a packet.
struct Transfer {
    call: usize,
    at_ns: u64,
    /// Whether the call sent it.
    out: bool,
    /// Where from, and where to.
    ends: Ends,
}

/// Writes the capture.
pub(super) fn draw(timeline: &Timeline, view: &View, to: &mut dyn Write) -> io::Result<()> {
    let mut to = BufWriter::new(to);
    write(timeline, view, &mut to).map_err(|error| match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    })?;
    to.flush()
}

fn write(timeline: &Timeline, view: &View, to: impl Write) -> Result<(), PcapError> {
    let capture = Capture::of(timeline, view.lang);
    let section = SectionHeaderBlock {
        endianness: Endianness::Little,
        options: vec![
            SectionHeaderOption::Comment(comment(&capture.about(&view.title)).into_owned().into()),
            SectionHeaderOption::UserApplication(
                concat!("netplay ", env!("CARGO_PKG_VERSION")).into(),
            ),
        ],
        ..SectionHeaderBlock::default()
    };
    let mut writer = PcapNgWriter::with_section_header(to, section)?;
    for lane in &timeline.lanes {
        let interface = InterfaceDescriptionBlock {
            linktype: DataLink::WIRESHARK_UPPER_PDU,
            snaplen: 0, // no limit: what was cut says so itself
            options: vec![
                InterfaceDescriptionOption::IfName(lane.name.as_str().into()),
                InterfaceDescriptionOption::IfDescription(lane.detail.as_str().into()),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        };
        writer.write_block(&interface.into_block())?;
    }
    for transfer in &capture.transfers {
        for packet in capture.packets(transfer) {
            writer.write_block(&packet.into_block())?;
        }
    }
    Ok(())
}

/// What is written, and what is needed for it.
struct Capture<'a> {
    timeline: &'a Timeline,
    lang: Lang,
    /// Time 0 of the timeline, in nanoseconds since 1970.
    zero: u64,
    /// In the order of time.
    transfers: Vec<Transfer>,
    /// The arrows that begin at a call.
    from: HashMap<usize, Vec<&'a Arrow>>,
    /// The calls that moved several datagrams at once.
    left_out: u64,
}

impl<'a> Capture<'a> {
    fn of(timeline: &'a Timeline, lang: Lang) -> Capture<'a> {
        let calls = &timeline.calls;
        let mut from: HashMap<usize, Vec<&Arrow>> = HashMap::new();
        let mut other: HashMap<usize, usize> = HashMap::new();
        let mut taken: HashSet<usize> = HashSet::new();
        let completions: HashMap<_, usize> = calls
            .iter()
            .enumerate()
            .filter(|(_, call)| call.record.kind == Kind::Complete)
            .map(|(i, call)| (operation(&call.record), i))
            .collect();
        let moves = |arrow: &&Arrow| matches!(arrow.kind, ArrowKind::Bytes | ArrowKind::Datagram);
        for arrow in timeline.arrows.iter().filter(moves) {
            let ends = [arrow.from, arrow.to].map(|tip| tip.and_then(|tip| tip.call));
            // An operation of a ring begins with its submission, and its completion has the bytes.
            let completed = |call: usize| completions.get(&operation(&calls[call].record)).copied();
            let sender = ends[0].map(|call| completed(call).unwrap_or(call));
            if let Some(sender) = sender {
                from.entry(sender).or_default().push(arrow);
            }
            if let (Some(sender), Some(taker)) = (sender, ends[1]) {
                other.entry(sender).or_insert(taker);
                other.entry(taker).or_insert(sender);
                taken.insert(taker);
            }
        }
        let is_linked = |call: usize| from.contains_key(&call) || taken.contains(&call);
        let mut transfers = Vec::new();
        let mut left_out = 0;
        for (i, call) in calls.iter().enumerate() {
            let record = &call.record;
            let direction = match is_linked(i) {
                true => record.direction_on_connection(),
                false => record.direction(),
            };
            let out = match direction {
                Some(Direction::Out) => true,
                Some(Direction::In) => false,
                _ => {
                    left_out += u64::from(has_several(record));
                    continue;
                }
            };
            // A pipe or a file has no other end; nor has a socket that was shut down, which answers with 0 bytes.
            let ended = !out && record.peer.is_none();
            let nothing = record.bytes == Some(0) && !record.has_datagrams();
            if nothing || ended && !is_linked(i) {
                continue;
            }
            let at_ns = if out { call.from_ns } else { call.to_ns };
            let ends = ends(record, other.get(&i).map(|&other| &*calls[other].record), out);
            transfers.push(Transfer { call: i, at_ns, out, ends });
        }
        // Bytes that were seen at both ends are one packet: that of their send.
        let sent: HashSet<Ends> = transfers.iter().filter(|of| of.out).map(|of| of.ends).collect();
        let is_told = |of: &Transfer| {
            let known = of.ends.0.is_some() && of.ends.1.is_some();
            taken.contains(&of.call) || known && sent.contains(&of.ends)
        };
        transfers.retain(|of| of.out || !is_told(of));
        transfers.sort_by_key(|of| of.at_ns);
        Capture { timeline, lang, zero: zero(timeline), transfers, from, left_out }
    }

    /// What the file is.
    fn about(&self, title: &str) -> String {
        let mut about = say!(
            self.lang,
            "{title}: what programs gave to the kernel and got from it, a packet for each call. No header of a network was \
             seen, so there is none here. Bytes that were seen at both ends are told once, when they were sent.",
            "{title}：程序交给内核和从内核得到的数据，每次调用一个分组。没有看到网络上的任何首部，所以这里也没有。\
             两端都看到的数据只在发送时出现一次。",
        );
        if self.left_out > 0 {
            let calls = grouped(self.left_out);
            about += &say!(
                self.lang,
                " Calls that moved several datagrams at once are left out ({calls}), because a record has the bytes of the first only.",
                " 一次传送多个数据报的调用（{calls} 次）不在其中，因为记录里只有第一个数据报的内容。",
            );
        }
        about
    }

    /// The packets of a transfer: one, unless it is longer than Wireshark's packets may be.
    fn packets(&self, of: &Transfer) -> Vec<EnhancedPacketBlock<'static>> {
        let call = &self.timeline.calls[of.call];
        let record = &call.record;
        let (kept, is_of_taker) = match &record.data {
            Some(data) => (unescape(data), false),
            None => (self.of_takers(of.call), true),
        };
        let all = record.bytes.unwrap_or(kept.len() as u64).max(kept.len() as u64);
        let headline = headline(call, self.lang);
        let lane = &self.timeline.lanes[call.lane].name;
        let tags = tags(of.ends, record, &format!("{lane}: {headline}"));
        let parts = kept.len().div_ceil(PART).max(1);
        (0..parts)
            .map(|part| {
                let first = part * PART;
                let end = if part + 1 == parts { all } else { (first + PART) as u64 };
                let mut data = tags.clone();
                data.extend(&kept[first..kept.len().min(first + PART)]);
                let length = tags.len() as u64 + end - first as u64;
                let comments = match part {
                    0 => self.comments(of, kept.len() as u64, all, is_of_taker),
                    _ => vec![self.continued(first as u64)],
                };
                let direction = if of.out { OUTBOUND } else { INBOUND };
                let comment = |text: String| EnhancedPacketOption::Comment(Cow::Owned(text));
                EnhancedPacketBlock {
                    interface_id: call.lane as u32,
                    timestamp: Duration::from_nanos(self.zero + of.at_ns),
                    original_len: u32::try_from(length).unwrap_or(u32::MAX),
                    data: Cow::Owned(data),
                    options: comments
                        .iter()
                        .map(|text| comment(self::comment(text).into_owned()))
                        .chain([EnhancedPacketOption::Flags(direction)])
                        .collect(),
                }
            })
            .collect()
    }

    /// The bytes of a send that its own record has none of, as far as receives have them that took nothing else.
    fn of_takers(&self, sender: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for arrow in self.from.get(&sender).into_iter().flatten() {
            let taker = arrow.to.and_then(|tip| tip.call).map(|call| &self.timeline.calls[call]);
            let Some(record) = taker.map(|call| &call.record) else { break };
            let Some(data) = record.data.as_deref().filter(|_| record.bytes == arrow.bytes) else {
                break;
            };
            let data = unescape(data);
            let whole = record.bytes == Some(data.len() as u64);
            bytes.extend(data);
            if !whole {
                break;
            }
        }
        bytes
    }

    fn continued(&self, first: u64) -> String {
        let first = grouped(first);
        say!(self.lang, "the same call, from byte {first} on", "同一次调用，从第 {first} 字节开始")
    }

    /// What is known of a transfer beside its bytes: the sentence of the story, the line of strace, what became of it, and what
    /// is missing here.
    fn comments(&self, of: &Transfer, kept: u64, all: u64, is_of_taker: bool) -> Vec<String> {
        let (calls, lanes) = (&self.timeline.calls, &self.timeline.lanes);
        let (call, lang) = (&calls[of.call], self.lang);
        let lane = &lanes[call.lane];
        let (who, detail, sentence) = (&lane.name, &lane.detail, call.record.sentence(lang));
        let strace = call.record.strace();
        let mut comments =
            vec![say!(lang, "{who} ({detail}): {sentence}", "{who}（{detail}）：{sentence}")];
        comments.extend((!strace.is_empty()).then_some(strace));
        let arrows = self.from.get(&of.call).map(Vec::as_slice).unwrap_or_default();
        for arrow in &arrows[..arrows.len().min(NAMED)] {
            let taker = arrow.to.and_then(|tip| tip.call).map(|taker| &calls[taker]);
            comments.extend(match (taker, arrow.to) {
                (Some(taker), _) => {
                    let (who, answer) = (&lanes[taker.lane].name, headline(taker, lang));
                    let later = duration(taker.to_ns.saturating_sub(call.from_ns));
                    Some(say!(
                        lang,
                        "taken {later} later by {who}: {answer}",
                        "{later} 后由 {who} 取走：{answer}",
                    ))
                }
                (None, None) => Some(never(arrow.kind, lang).to_owned()),
                (None, Some(_)) => None, // that side left no trace
            });
        }
        if let more @ 1.. = arrows.len().saturating_sub(NAMED) {
            comments.push(say!(
                lang,
                "and by {more} more receives",
                "还有 {more} 次接收取走其余部分",
            ));
        }
        if !of.out {
            comments.push(say!(
                lang,
                "its sender left no trace: the time is that of the receive",
                "发送方没有记录：时间是接收的时间",
            ));
        }
        let all_bytes = grouped(all);
        if kept < all {
            let first = grouped(kept);
            comments.push(match kept {
                0 if is_of_taker => say!(
                    lang,
                    "cut: the kernel moved {all_bytes} bytes past the program, so the record has none of them",
                    "不完整：内核绕过程序传送了 {all_bytes} 字节，所以记录里没有这些字节",
                ),
                _ => say!(
                    lang,
                    "cut: the record has the first {first} of {all_bytes} bytes (netplay watch --data N keeps N of each transfer)",
                    "不完整：记录里有 {all_bytes} 字节中的前 {first} 字节（netplay watch --data N 让每次传送保留 N 字节）",
                ),
            });
        }
        if is_of_taker && kept > 0 {
            comments.push(say!(
                lang,
                "the kernel moved them past the program: the bytes are those of the receive",
                "内核绕过程序传送：这里的字节取自接收方的记录",
            ));
        }
        if let Some(hidden) = call.record.hidden {
            let hidden = grouped(hidden);
            comments.push(say!(
                lang,
                "secret: an asterisk stands for each of {hidden} bytes",
                "保密：{hidden} 个字节各用一个星号代替",
            ));
        }
        comments
    }
}

/// A text that fits in an option, without half a character at its end.
fn comment(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let end = (0..=LONGEST).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default();
    Cow::Owned(format!("{}…", &text[..end]))
}

/// An operation of a ring: its process, its number, and when it was submitted.
fn operation(record: &Event) -> (Process, Option<u64>, u64) {
    (process(record), record.user_data, record.start_ns)
}

/// Whether a call moved more than one datagram.
fn has_several(record: &Event) -> bool {
    let several = matches!(record.call.as_deref(), Some("sendmmsg" | "recvmmsg"));
    several && record.ret.is_some_and(|datagrams| datagrams > 1)
}

/// Where a transfer came from and went to. What one end does not know, the other may.
fn ends(record: &Event, other: Option<&Event>, out: bool) -> Ends {
    let known = |address: &Option<Text>| plain(address).filter(|address| !is_wildcard(address));
    let local =
        known(&record.local).or_else(|| known(&other?.peer)).or_else(|| plain(&record.local));
    let peer = known(&record.peer).or_else(|| known(&other?.local));
    let [local, peer] = [local, peer].map(|address| address?.parse().ok());
    if out { (local, peer) } else { (peer, local) }
}

/// Everything before the bytes.
fn tags((from, to): Ends, record: &Event, info: &str) -> Vec<u8> {
    let mut tags = Vec::new();
    let mut add = |tag: u16, value: &[u8]| {
        tags.extend(tag.to_be_bytes());
        tags.extend((value.len().next_multiple_of(4) as u16).to_be_bytes());
        tags.extend(value);
        tags.resize(tags.len().next_multiple_of(4), 0);
    };
    add(tag::DISSECTOR, AS_DATA.as_bytes());
    for (end, v4, v6) in [(from, tag::IPV4_SRC, tag::IPV6_SRC), (to, tag::IPV4_DST, tag::IPV6_DST)]
    {
        match end.map(|end| end.ip()) {
            Some(IpAddr::V4(ip)) => add(v4, &ip.octets()),
            Some(IpAddr::V6(ip)) => add(v6, &ip.octets()),
            None => {}
        }
    }
    // Messages of ICMP have an address only: their port is 0.
    let has_ports = [from, to].iter().flatten().any(|end| end.port() != 0)
        && [from, to].iter().flatten().all(|end| end.port() != 0);
    let protocol = match (from.or(to), has_ports) {
        (Some(_), true) if record.has_datagrams() => "UDP",
        (Some(_), true) => "TCP",
        (Some(_), false) => "IP",
        (None, _) => "UNIX",
    };
    if has_ports {
        let kind = if protocol == "UDP" { Ports::Udp } else { Ports::Tcp };
        add(tag::PORT_TYPE, &(kind as u32).to_be_bytes());
        for (end, tag) in [(from, tag::SRC_PORT), (to, tag::DST_PORT)] {
            if let Some(end) = end {
                add(tag, &u32::from(end.port()).to_be_bytes());
            }
        }
    }
    add(tag::PROTOCOL, protocol.as_bytes());
    add(tag::INFO, self::comment(info).as_bytes());
    add(tag::END, &[]);
    tags
}

/// Time 0 of the timeline in nanoseconds since 1970, by the calendar time of its first record; without any, by CLOCK_MONOTONIC.
fn zero(timeline: &Timeline) -> u64 {
    // Of a run, the record is the last one.
    let first = timeline.calls.iter().filter(|call| call.times == 1).find_map(|call| {
        let wall = DateTime::parse_from_rfc3339(&call.record.wall).ok()?;
        u64::try_from(wall.timestamp_nanos_opt()?).ok()?.checked_sub(call.from_ns)
    });
    first.unwrap_or(timeline.start_ns)
}
