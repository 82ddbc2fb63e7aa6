//! What a test itself proves of a mistake: from the bytes that came at its own end, and the calls that the program made about this
//! connection.
//!
//! ```text
//! bytes that came      0 ............ right ............ W  wrong, or missing
//! sends of the program [  took all  ][ took a part )[ the next one
//!                                                  ▲ the rest was never sent: here the first wrong byte must be
//! ```

use netplay_record::{Direction, Event};
use netplay_review::Rule;
use netplay_text::both;
use netplay_text::words::{counted, grouped};

use crate::peer::{Peer, Trouble};
use crate::stage::Stage;
use crate::verdict::Proof;

/// The bytes after a gap are others than those that belong there; so many of them may be the same by chance.
const CHANCE: u64 = 16;

/// A call about this client.
fn is_about(record: &Event, port: u16) -> bool {
    let peer = record.peer.as_deref().and_then(|peer| peer.parse::<std::net::SocketAddr>().ok());
    peer.is_some_and(|peer| peer.port() == port)
}

/// The calls of the program about a client, since it last accepted one from this port, in the order of their beginnings.
fn calls_about(stage: &Stage<'_>, port: u16) -> Vec<Event> {
    stage.program().with_records(|records| {
        let accepts = |record: &Event| {
            record.call.as_deref().is_some_and(|call| call.starts_with("accept"))
                && record.is_done()
        };
        let first = records.iter().rposition(|record| accepts(record) && is_about(record, port));
        let since = records[first.unwrap_or(0)..].iter();
        let mut all: Vec<Event> = since.filter(|record| is_about(record, port)).cloned().collect();
        netplay_review::in_order(&mut all);
        all
    })
}

/// Bytes were lost after a send that took a part, or nothing because the buffer was full: the rest was never sent. It is proven by the
/// place: just there the first wrong byte came, or the last byte at all.
pub(crate) fn never_sent(stage: &Stage<'_>, peer: &Peer, trouble: &Trouble) -> Option<Proof> {
    let lost =
        matches!(trouble, Trouble::Wrong { .. } | Trouble::Closed { .. } | Trouble::Stuck { .. });
    let right = peer.right(trouble) as u64;
    let (mut sent, mut short) = (0, None);
    for call in calls_about(stage, peer.local.port()) {
        let full = call.errno.as_deref() == Some("EAGAIN");
        if call.direction() != Some(Direction::Out) || call.errno.is_some() && !full {
            continue;
        }
        let (Some(asked), took) = (call.asked, call.bytes.unwrap_or(0)) else { continue };
        if took > 0 && sent + took > right {
            break;
        }
        sent += took;
        // What was right after a short one was its rest.
        if took > 0 {
            short = None;
        }
        if took < asked {
            short = short.or(Some((call, sent)));
        }
    }
    let (call, at) = short.filter(|&(_, at)| lost && right - at < CHANCE)?;
    let name = call.call.clone().unwrap_or_default();
    let (took, asked) = (call.bytes.unwrap_or(0), grouped(call.asked.unwrap_or(0)));
    let of = counted(at, "byte");
    let at = grouped(at);
    let said = match took {
        0 => both!(
            "its {name} of {asked} bytes took none of them, because the send buffer was full (EAGAIN), and they were never sent again: after {of} of the answer others came, or none",
            "它的 {name} 要发送 {asked} 字节，因为发送缓冲区已满 (EAGAIN) 一个也没有取走，之后也没有再发送：回答的前 {at} 字节之后来的是别的内容，或者什么都没有",
        ),
        _ => {
            let took = grouped(took);
            both!(
                "its {name} took only {took} of {asked} bytes, and the rest was never sent: after {of} of the answer others came, or none",
                "它的 {name} 只取走了 {asked} 字节中的 {took} 字节，其余的从未发送：回答的前 {at} 字节之后来的是别的内容，或者什么都没有",
            )
        }
    };
    Some(Proof { rule: Rule::ShortSend, said, calls: vec![call] })
}

/// How a program has closed a connection before it had read all that was sent to it.
pub(crate) struct Closing {
    /// How many bytes it had read.
    pub(crate) read: u64,
    /// How many it had sent.
    pub(crate) sent: u64,
    /// Its last receive, its last send and its close.
    pub(crate) calls: Vec<Event>,
}

/// Whether the program, which runs on, has closed this connection by itself before it had read everything.
pub(crate) fn closed_early(
    stage: &mut Stage<'_>,
    peer: &Peer,
    trouble: &Trouble,
) -> Option<Closing> {
    let gone = matches!(trouble, Trouble::Reset { .. } | Trouble::Closed { .. });
    if !gone || stage.program_mut().status().is_some() {
        return None;
    }
    let calls = calls_about(stage, peer.local.port());
    let is_close =
        |call: &Event| matches!(call.call.as_deref(), Some("close" | "shutdown")) && call.is_done();
    let close = calls.iter().rfind(|call| is_close(call))?;
    let moved = |direction: Direction| {
        let moves = move |call: &&Event| call.is_done() && call.direction() == Some(direction);
        (
            calls.iter().filter(moves).filter_map(|call| call.bytes).sum::<u64>(),
            calls.iter().rfind(moves),
        )
    };
    let ((read, receive), (sent, send)) = (moved(Direction::In), moved(Direction::Out));
    let ended = calls.iter().any(|call| call.direction() == Some(Direction::End));
    let calls = [receive, send, Some(close)].into_iter().flatten().cloned().collect();
    (read < peer.sent && !ended).then_some(Closing { read, sent, calls })
}

/// The same where the client had not finished a request of so many bytes, before which it had sent `before`: the program took a part
/// of it for the whole.
pub(crate) fn closed_within(
    stage: &mut Stage<'_>,
    peer: &Peer,
    trouble: &Trouble,
    (before, all): (u64, usize),
) -> Option<Proof> {
    let Closing { read, sent, calls } = closed_early(stage, peer, trouble)?;
    let read = read.checked_sub(before).filter(|&read| read < all as u64 && sent > 0)?;
    let (read, all) = (grouped(read), grouped(all as u64));
    let said = both!(
        "it answered after it had read {read} of the {all} bytes of a request, and closed the connection; the rest came to a connection that was gone",
        "请求有 {all} 字节，它读了 {read} 字节就回答并关闭了连接；其余的字节到来时，连接已经不在了",
    );
    Some(Proof { rule: Rule::ShortRecv, said, calls })
}

/// The same where the client had sent more and had not received all: the reset that comes of it takes what is still on its way.
pub(crate) fn closed_unread(
    stage: &mut Stage<'_>,
    peer: &Peer,
    trouble: &Trouble,
) -> Option<Proof> {
    let Closing { read, calls, .. } = closed_early(stage, peer, trouble)?;
    let (read, all) = (grouped(read), grouped(peer.sent));
    let said = both!(
        "it closed the connection when it had read {read} of the {all} bytes that had been sent to it. A close before the end of what the client sends makes the kernel answer the rest with a reset, and what the client has not received by then can be lost",
        "客户端发送了 {all} 字节，它只读了 {read} 字节就关闭了连接。在客户端发送结束之前关闭，内核会以重置回应其余的字节，客户端还没有收到的内容可能丢失",
    );
    Some(Proof { rule: Rule::ResetByUnread, said, calls })
}

/// The program, which runs on, closed the connection right after a call about it was interrupted, and did not make the call again.
pub(crate) fn closed_by_a_signal(
    stage: &mut Stage<'_>,
    peer: &Peer,
    trouble: &Trouble,
) -> Option<Proof> {
    let gone = matches!(trouble, Trouble::Reset { .. } | Trouble::Closed { .. });
    if !gone || stage.program_mut().status().is_some() {
        return None;
    }
    let calls = calls_about(stage, peer.local.port());
    let closes = |call: &Event| matches!(call.call.as_deref(), Some("close" | "shutdown"));
    let close = calls.iter().position(closes)?;
    let last = calls[..close].last().filter(|call| call.errno.as_deref() == Some("EINTR"))?;
    let name = last.call.clone().unwrap_or_default();
    let said = both!(
        "its {name} failed with EINTR, which says only that a signal came, and it closed the connection",
        "它的 {name} 以 EINTR 失败，这只说明来了一个信号，它却关闭了连接",
    );
    let calls = vec![last.clone(), calls[close].clone()];
    Some(Proof { rule: Rule::AgainAsEnd, said, calls })
}

/// The receives of the program that found the end of this client.
pub(crate) fn ends(stage: &Stage<'_>, port: u16) -> Vec<Event> {
    stage.program().with_records(|records| {
        let end = |record: &&Event| record.direction() == Some(Direction::End);
        records.iter().filter(end).filter(|record| is_about(record, port)).cloned().collect()
    })
}
