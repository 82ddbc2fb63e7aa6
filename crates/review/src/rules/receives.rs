//! A stream has no borders of messages: a part of one may come alone.

use netplay_record::Direction;
use netplay_text::words::grouped;

use super::found::Found;
use crate::finding::{Rule, both};
use crate::model::{Ending, Id, Model};
use crate::wire::Chunk;

/// Proven in four ways, always by a receive that had room for more than came, and whose peer sent the rest without having heard
/// anything in between:
///
/// - a line came in parts, and the program answered the first part by itself (not with an echo of it);
/// - a length header, in bytes of its own or as `Content-Length: 5`, names more bytes than came, and the program answered, closed, or
///   read the next header;
/// - one send was taken in part by a receive with room for all of it, and the rest was never read before the close;
/// - the answer to a request is a line that came in parts, and the program closed after the first.
///
/// Innocent: reading on until the message is whole; an echo of a stream, piece by piece; an answer that the peer had heard
/// before it sent more (a dialogue); news from others that happen to be sent in between; pipelined lines.
pub(super) fn short_recv(model: &Model<'_>, found: &mut Found) {
    for id in 0..model.sockets.len() {
        let Some(peer) = model.peer(id).filter(|_| model.sockets[id].is_stream()) else { continue };
        let proof = less_than_content(model, id, peer)
            .or_else(|| part_of_line(model, id, peer))
            .or_else(|| less_than_header(model, id))
            .or_else(|| less_than_header_of_one(model, id, peer))
            .or_else(|| rest_never_read(model, id, peer))
            .or_else(|| rest_of_line_never_read(model, id, peer));
        let Some((first, proof, got, of)) = proof else { continue };
        let (role, got, asked) = (
            model.role(first),
            grouped(got),
            grouped(model.records[first].room().unwrap_or_default()),
        );
        let said = match of {
            Whole::Line => both!(
                "{role}: a line came in parts; its first {got} bytes were taken for the whole and answered, before the end of the line was received. One recv is not one message: receive until the line ends",
                "{role}：一行分几次到达；最先收到的 {got} 字节被当成整行并作了应答，而行尾还没有收到。一次 recv 不等于一条消息：要一直接收到行尾",
            ),
            Whole::Answer => both!(
                "{role}: the answer, a line, came in parts; the program received the first {got} bytes of it and closed the connection. One recv is not one message: receive until the line ends",
                "{role}：应答是一行，分几次到达；程序只收到最先的 {got} 字节就关闭了连接。一次 recv 不等于一条消息：要一直接收到行尾",
            ),
            Whole::Length(length) => {
                let length = grouped(length);
                both!(
                    "{role}: the length in front of the message says {length} bytes; {got} came, and the program did not receive the rest before it went on. recv may return less than it was asked for: receive until all are there",
                    "{role}：消息前面的长度是 {length} 字节；只来了 {got} 字节，程序没有接收其余部分就继续了。recv 返回的可以比要求的少：要一直接收到齐",
                )
            }
            Whole::Content(length, head) => {
                let length = grouped(length);
                let most = matches!(head, Head::AtLeast(_));
                let (most, most_zh) = if most { ("at most ", "至多") } else { ("", "") };
                both!(
                    "{role}: Content-Length in the head of the message says {length} bytes; {most}{got} of them came with the head, and the program did not receive the rest before it went on. A message is not one recv: receive until all are there",
                    "{role}：消息头里的 Content-Length 是 {length} 字节；随消息头只来了{most_zh} {got} 字节，程序没有接收其余部分就继续了。一条消息不等于一次 recv：要一直接收到齐",
                )
            }
            Whole::Send(whole) => {
                let whole = grouped(whole);
                both!(
                    "{role}: one receive asked for up to {asked} bytes and took {got} of the {whole} that the peer sent; the rest was never read. One send is not one recv: receive until the message is whole",
                    "{role}：一次接收最多要 {asked} 字节，取走了对端发送的 {whole} 字节中的 {got} 字节；其余部分从未被读取。一次 send 不等于一次 recv：要一直接收到消息完整",
                )
            }
        };
        found.add(Rule::ShortRecv, first, proof, said);
    }
}

/// What a part was taken for.
enum Whole {
    Line,
    Answer,
    Length(u64),
    Content(u64, Head),
    Send(u64),
}

/// The receive, the records, how much it got, of what.
type Part = (usize, Vec<usize>, u64, Whole);

fn part_of_line(model: &Model<'_>, id: Id, peer: Id) -> Option<Part> {
    let received = &model.sockets[id].received;
    let mut at_start = true;
    for (k, &first) in received.iter().enumerate() {
        let content = model.content(first);
        let begins = std::mem::replace(&mut at_start, content.ends_with(b"\n"));
        if !model.has_all(first) {
            return None; // whether it ended a line is not known
        }
        if !begins || content.contains(&b'\n') || !is_words(&content) || !had_room(model, first) {
            continue;
        }
        let wire = &model.wires[&peer];
        let rest: Vec<&Chunk> = match received.get(k + 1) {
            Some(&second) => wire.taken_by(second).collect(),
            None => wire.unread().collect(),
        };
        let Some(chunk) = rest.first() else { continue };
        let second = received.get(k + 1).copied();
        let ends = |&at: &usize| model.content(at).contains(&b'\n');
        let ends_line = match second {
            Some(_) => received[k + 1..].iter().any(ends),
            None => rest.iter().any(|chunk| model.content(chunk.send).contains(&b'\n')),
        };
        let until = second.map_or(model.end, |second| model.finish(second));
        let Some(answer) = answer_to(model, id, first, until) else { continue };
        if !ends_line || heard(model, id, answer, chunk.send) {
            continue;
        }
        let proof = [Some(first), Some(answer), Some(chunk.send), second].into_iter().flatten();
        return Some((first, proof.collect(), model.bytes(first), Whole::Line));
    }
    None
}

/// Text, and none of the few bytes that a terminal sends as they are typed.
fn is_words(content: &[u8]) -> bool {
    std::str::from_utf8(content)
        .is_ok_and(|text| !text.chars().any(|c| c.is_control() && c != '\t' && c != '\r'))
}

fn had_room(model: &Model<'_>, receive: usize) -> bool {
    model.records[receive].room().is_some_and(|room| room > model.bytes(receive))
}

/// What the thread of this receive sent because of it: with no other receive in between, and not an echo.
pub(super) fn answer_to(model: &Model<'_>, id: Id, receive: usize, until: u64) -> Option<usize> {
    let tid = model.tid(receive);
    let records = model.records_of(model.pid(receive));
    let mut later = records
        .iter()
        .copied()
        .filter(|&i| i > receive && model.tid(i) == tid && model.start(i) >= model.finish(receive));
    let answer = later.find(|&i| {
        let takes = model.direction(i).is_some_and(|way| way != Direction::Out);
        takes || model.call(i) == "accept" || model.of[i] == Some(id) && model.bytes(i) > 0
    })?;
    let sends = model.direction(answer) == Some(Direction::Out) && model.of[answer] == Some(id);
    let (asked, said) = (model.content(receive), model.content(answer));
    let echo = model.bytes(answer) == model.bytes(receive)
        || said.windows(asked.len().max(1)).any(|part| part == asked);
    (sends && !echo && model.start(answer) < until).then_some(answer)
}

/// Whether the peer had received this answer before it began this send.
fn heard(model: &Model<'_>, id: Id, answer: usize, send: usize) -> bool {
    let wire = &model.wires[&id];
    let mut parts = wire.chunks.iter().filter(|chunk| chunk.send == answer);
    parts.any(|chunk| chunk.received.is_some_and(|at| model.finish(at) <= model.start(send)))
}

/// A header in a receive of its own, then a receive that asks for just the length that it names.
fn less_than_header(model: &Model<'_>, id: Id) -> Option<Part> {
    let received = &model.sockets[id].received;
    for pair in received.windows(2) {
        let (header, body) = (pair[0], pair[1]);
        let size = model.bytes(header);
        let (Some(asked), Some(room)) = (model.records[header].room(), model.records[body].room())
        else {
            continue;
        };
        let got = model.bytes(body);
        if asked != size || !matches!(size, 2 | 4 | 8) || got >= room || !model.has_all(header) {
            continue;
        }
        if !lengths(&model.content(header)).contains(&room) {
            continue;
        }
        let Some(&next) = model
            .after(id, body)
            .iter()
            .find(|&&i| model.is_receive(i) || model.is_send(i) || model.call(i) == "close")
        else {
            continue;
        };
        let (sends, closes) = (model.is_send(next), model.call(next) == "close");
        let header_again = model.is_receive(next)
            && model.records[next].room() == Some(size)
            && room - got != size;
        let by_itself = model.sockets[id].ends.iter().all(|&end| end > next);
        if (sends || closes || header_again) && by_itself && model.errno(next).is_empty() {
            return Some((body, vec![header, body, next], got, Whole::Length(room)));
        }
    }
    None
}

/// What a header of these bytes may mean.
pub(super) fn lengths(header: &[u8]) -> Vec<u64> {
    let number = |bytes: &mut dyn Iterator<Item = &u8>| {
        bytes.fold(0u64, |number, &byte| number << 8 | u64::from(byte))
    };
    vec![number(&mut header.iter()), number(&mut header.iter().rev())]
}

/// A header and a part of its body in one receive with room for more; what the peer sent is just as long as the header says.
fn less_than_header_of_one(model: &Model<'_>, id: Id, peer: Id) -> Option<Part> {
    let wire = &model.wires[&peer];
    for &first in &model.sockets[id].received {
        if !had_room(model, first) {
            continue;
        }
        let mut parts = wire.taken_by(first);
        let (Some(begins), None) = (parts.next(), parts.next()) else { continue };
        if begins.last {
            continue; // it is whole
        }
        let whole = model.bytes(begins.send);
        let from_start = wire.chunks.iter().find(|chunk| chunk.send == begins.send);
        if from_start.is_none_or(|chunk| chunk.received != Some(first)) {
            continue;
        }
        let content = model.content(first);
        let says = [2, 4, 8].into_iter().find_map(|size| {
            let header = content.get(..size)?;
            lengths(header).into_iter().find(|&length| length + size as u64 == whole)
        });
        let Some(length) = says.filter(|&length| length > 0) else { continue };
        let next = model.sockets[id].received.iter().copied().find(|&at| at > first);
        let until = next.map_or(model.end, |next| model.finish(next));
        if let Some(answer) = answer_to(model, id, first, until) {
            let proof = [Some(begins.send), Some(first), Some(answer), next];
            let proof = proof.into_iter().flatten().collect();
            return Some((first, proof, model.bytes(first), Whole::Length(length)));
        }
    }
    None
}

/// The head of a message with `Content-Length: n` and less than n bytes behind it, in one receive with room for more. An answer of
/// HTTP that refuses the request, or asks for the rest, needs no body to be read.
fn less_than_content(model: &Model<'_>, id: Id, peer: Id) -> Option<Part> {
    let wire = &model.wires[&peer];
    let received = &model.sockets[id].received;
    let mut start = 0; // where the bytes of a receive begin in the stream
    for (k, &first) in received.iter().enumerate() {
        let from = start;
        start += model.bytes(first);
        if !had_room(model, first) {
            continue;
        }
        let content = model.content(first);
        let Some((head, length)) = content_length(&content) else { continue };
        let got = model.bytes(first).saturating_sub(head.len());
        if got >= length {
            continue;
        }
        // All of the body was sent.
        let all: u64 = model.sockets[peer].sent.iter().map(|&send| model.bytes(send)).sum();
        if all < from + head.len() + length {
            continue;
        }
        let next = received.get(k + 1).copied();
        let until = next.map_or(model.end, |next| model.finish(next));
        let rest = match next {
            Some(second) => wire.taken_by(second).next()?.send,
            None => wire.unread().next()?.send,
        };
        let went_on = answer_to(model, id, first, until)
            .filter(|&answer| !refuses(&model.content(answer)) && !heard(model, id, answer, rest))
            .or_else(|| {
                closed_itself(model, id).filter(|_| {
                    let calls = model.after(id, first);
                    let closes = calls.first().is_some_and(|&i| model.call(i) == "close");
                    got > 0 && closes && content.starts_with(b"HTTP/")
                })
            });
        if let Some(went_on) = went_on {
            let proof = [Some(first), Some(went_on), Some(rest), next].into_iter().flatten();
            return Some((first, proof.collect(), got, Whole::Content(length, head)));
        }
    }
    None
}

/// How long the head of a message is, its empty line included.
enum Head {
    Is(u64),
    /// A record has only its first bytes.
    AtLeast(u64),
}

impl Head {
    fn len(&self) -> u64 {
        match *self {
            Head::Is(len) | Head::AtLeast(len) => len,
        }
    }
}

/// The head of a message, and the length of the body that it names.
fn content_length(content: &[u8]) -> Option<(Head, u64)> {
    let text = String::from_utf8_lossy(content).to_lowercase();
    let end = text.find("\r\n\r\n").map(|at| (at, 4)).or(text.find("\n\n").map(|at| (at, 2)));
    let lines = end.map_or(&*text, |(at, _)| &text[..=at]);
    if !lines.is_ascii() {
        return None; // its letters would not be its bytes
    }
    let (before, rest) = lines.split_once("\ncontent-length:")?;
    let (number, _) = rest.split_once(['\r', '\n'])?;
    let head = match end {
        Some((at, size)) => Head::Is((at + size) as u64),
        None => Head::AtLeast((before.len() + "\ncontent-length:".len() + number.len() + 4) as u64),
    };
    Some((head, number.trim().parse().ok()?))
}

/// Whether an answer of HTTP says that it does not want the body, or wants the rest of it.
fn refuses(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let status = text.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    status.is_some_and(|status| !status.starts_with('2'))
}

fn rest_never_read(model: &Model<'_>, id: Id, peer: Id) -> Option<Part> {
    let &last = model.sockets[id].received.last()?;
    let wire = &model.wires[&peer];
    let mut parts = wire.taken_by(last);
    let (Some(part), None) = (parts.next(), parts.next()) else { return None };
    let first_of_send = wire.chunks.iter().find(|chunk| chunk.send == part.send)?;
    let whole = model.bytes(part.send);
    let room = model.records[last].room()?;
    let closed = closed_itself(model, id)?;
    let only = first_of_send.received == Some(last) && !part.last;
    let asked = room >= whole && model.start(closed) >= model.finish(last);
    // The rest must have been on its way: a close while the peer still sends is no choice of this program's.
    let sent = model.finish(part.send) <= model.start(closed);
    let ended = model.sockets[id]
        .calls
        .iter()
        .any(|&i| i > last && (model.is_receive(i) || model.call(i) == "shutdown"));
    (only && asked && sent && !ended)
        .then(|| (last, vec![part.send, last, closed], model.bytes(last), Whole::Send(whole)))
}

/// A client that has asked receives the beginning of a line, and closes. A server may refuse a request that begins wrong; and a client
/// that has not asked may want no more than to see that something answers.
fn rest_of_line_never_read(model: &Model<'_>, id: Id, peer: Id) -> Option<Part> {
    let socket = &model.sockets[id];
    socket.connected?;
    let (&last, before) = socket.received.split_last()?;
    let asked = socket.sent.last().filter(|&&send| model.finish(send) <= model.start(last))?;
    let begins = before
        .iter()
        .all(|&receive| model.has_all(receive) && model.finish(receive) <= model.start(*asked));
    let content = model.content(last);
    let part = model.has_all(last) && is_words(&content) && had_room(model, last);
    if !begins || !part {
        return None;
    }
    let rest: Vec<&Chunk> = model.wires[&peer].unread().collect();
    let next = rest.first()?.send;
    let ends_line = rest.iter().any(|chunk| model.content(chunk.send).contains(&b'\n'));
    let closed = closed_itself(model, id)?;
    let about_it = model.after(id, last).iter().copied();
    let waits = model.records_of(model.pid(last)).iter().copied().filter(|&i| model.is_wait(i));
    // One that waits for the rest may give up in the end.
    let waits_on = about_it
        .filter(|&i| model.is_receive(i) || model.call(i) == "shutdown")
        .chain(waits)
        .any(|i| i > last && i < closed);
    (ends_line && !waits_on && model.start(closed) >= model.finish(last))
        .then(|| (last, vec![*asked, last, next, closed], model.bytes(last), Whole::Answer))
}

/// The close of a socket, or the exit of its process, by its own choice and not at netplay's wish.
pub(super) fn closed_itself(model: &Model<'_>, id: Id) -> Option<usize> {
    let gone = model.sockets[id].gone?;
    let life = model.lives.get(&model.pid(gone.by))?;
    let by_exit = life.ended.is_some_and(|(at, _)| at == gone.by);
    let by_choice = life.ended.is_none_or(|(at, how)| at != gone.by || how == Ending::Exit);
    let asked = life.dismissed.is_some_and(|at| model.start(at) <= gone.at);
    (by_choice && !(asked && by_exit)).then_some(gone.by)
}
