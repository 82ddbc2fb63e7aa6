//! A stream has no borders of messages: what one send gave, one receive need not take.

use netplay_record::Direction;
use netplay_text::words::grouped;

use super::found::{Found, MS};
use crate::finding::{Rule, both};
use crate::model::{Ending, Id, Model};
use crate::wire::Chunk;

/// Proven in three ways, always by a receive that had room for more than came, and whose peer sent the rest without having heard
/// anything in between:
///
/// - a line came in parts, and the program answered the first part by itself (not with an echo of it);
/// - a length header names more bytes than came, and the program answered, closed, or read the next header;
/// - one send was taken in part by a receive with room for all of it, and the rest was never read before the close.
///
/// Innocent: reading on until the message is whole; an echo of a stream, piece by piece; an answer that the peer had heard
/// before it sent more (a dialogue); news from others that happen to be sent in between; pipelined lines.
pub(super) fn short_recv(model: &Model<'_>, found: &mut Found) {
    for id in 0..model.sockets.len() {
        let Some(peer) = model.peer(id).filter(|_| model.sockets[id].is_stream()) else { continue };
        let proof = part_of_line(model, id, peer)
            .or_else(|| less_than_header(model, id))
            .or_else(|| less_than_header_of_one(model, id, peer))
            .or_else(|| rest_never_read(model, id, peer));
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
            Whole::Length(length) => {
                let length = grouped(length);
                both!(
                    "{role}: the length in front of the message says {length} bytes; {got} came, and the program did not receive the rest before it went on. recv may return less than it was asked for: receive until all are there",
                    "{role}：消息前面的长度是 {length} 字节；只来了 {got} 字节，程序没有接收其余部分就继续了。recv 返回的可以比要求的少：要一直接收到齐",
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
    Length(u64),
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
fn answer_to(model: &Model<'_>, id: Id, receive: usize, until: u64) -> Option<usize> {
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
fn lengths(header: &[u8]) -> Vec<u64> {
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

/// The close of a socket, or the exit of its process, by its own choice and not at netplay's wish.
fn closed_itself(model: &Model<'_>, id: Id) -> Option<usize> {
    let gone = model.sockets[id].gone?;
    let life = model.lives.get(&model.pid(gone.by))?;
    let by_exit = life.ended.is_some_and(|(at, _)| at == gone.by);
    let by_choice = life.ended.is_none_or(|(at, how)| at != gone.by || how == Ending::Exit);
    let asked = life.dismissed.is_some_and(|at| model.start(at) <= gone.at);
    (by_choice && !(asked && by_exit)).then_some(gone.by)
}

/// Proven by one receive that took the ends of several sends of the same kind, one answer, and a peer that then waits for another
/// while this program waits for it. Sends are of the same kind if each ends its line, or if all have the same size. Innocent:
/// a header and a body in two sends are one message; as many answers as messages, in one send or in several.
pub(super) fn merged_sends(model: &Model<'_>, found: &mut Found) {
    for id in 0..model.sockets.len() {
        let Some(peer) = model.peer(id).filter(|_| model.sockets[id].is_stream()) else { continue };
        let wire = &model.wires[&peer];
        let Some(&receive) = model.sockets[id].received.last() else { continue };
        let sends: Vec<usize> =
            wire.taken_by(receive).filter(|chunk| chunk.last).map(|chunk| chunk.send).collect();
        if sends.len() < 2 || !are_alike(model, &sends) || wire.unread().next().is_some() {
            continue;
        }
        let answers: Vec<usize> = model.sockets[id]
            .sent
            .iter()
            .copied()
            .filter(|&i| model.start(i) >= model.finish(receive))
            .collect();
        let [answer] = answers[..] else { continue };
        let text = model.content(answer);
        let lines = text.iter().filter(|&&byte| byte == b'\n').count();
        if lines >= sends.len() || !model.is_drained(id) {
            continue;
        }
        let Some(waits) = waits_in_vain(model, peer, answer) else { continue };
        let Some(here) = waits_for(model, id) else { continue };
        let (role, count) = (model.role(receive), sends.len());
        let proof = sends.iter().copied().chain([receive, answer, waits, here]);
        found.add(
            Rule::MergedSends,
            receive,
            proof,
            both!(
                "{role}: one receive brought {count} messages that were sent one by one; they were taken for one and answered once, and the peer waits for the next answer. Bytes that come together are not one message: look for the end of each",
                "{role}：一次接收带来了逐条发送的 {count} 条消息；它们被当成一条，只应答了一次，而对端还在等下一个应答。一起到达的字节不等于一条消息：要找出每条的结尾",
            ),
        );
    }
}

fn are_alike(model: &Model<'_>, sends: &[usize]) -> bool {
    let whole = sends.iter().all(|&i| model.has_all(i));
    let is_http = model.content(sends[0]).windows(5).any(|part| part == b"HTTP/");
    let line = |end: u8| {
        whole
            && sends.iter().all(|&i| {
                let content = model.content(i);
                content.last() == Some(&end)
                    && content.iter().filter(|&&byte| byte == end).count() == 1
            })
    };
    let same_size = sends.windows(2).all(|two| model.bytes(two[0]) == model.bytes(two[1]));
    !is_http && (line(b'\n') || line(0) || same_size)
}

/// The call in which this end still waits to receive, after it received this answer; or in which its patience ended.
fn waits_in_vain(model: &Model<'_>, id: Id, answer: usize) -> Option<usize> {
    let got = model.sockets[id].received.last().copied()?;
    let peer = model.sockets[id].peer?;
    let last = model.wires[&peer].taken_by(got).any(|chunk| chunk.send == answer);
    let after_sends = model.sockets[id].sent.last().is_none_or(|&sent| sent < got);
    if !last || !after_sends {
        return None;
    }
    waits_for(model, id).or_else(|| {
        model.after(id, got).iter().copied().find(|&i| {
            model.is_receive(i) && model.errno(i) == "EAGAIN" && model.took(i) > 100 * MS
        })
    })
}

/// The call in which a process still waits for this socket to be readable when the records end.
pub(super) fn waits_for(model: &Model<'_>, id: Id) -> Option<usize> {
    let last = *model.sockets[id].calls.last()?;
    if model.is_receive(last) && model.is_unfinished(last) {
        return Some(last);
    }
    model.sockets[id].held.iter().find_map(|&(pid, fd)| {
        let life = model.lives.get(&pid)?;
        life.last.values().copied().find(|&i| {
            if !model.is_unfinished(i) || !model.is_wait(i) {
                return false;
            }
            let readable = u32::from(libc::POLLIN.cast_unsigned());
            match model.call(i) {
                "epoll_wait" => model.sockets[id].in_list,
                _ => model.records[i]
                    .waits_on()
                    .iter()
                    .any(|of| of.fd == fd && of.events & readable != 0),
            }
        })
    })
}

/// Proven by a send that took less than it was given, no later attempt to send anything on the socket, no wait until it can be
/// written to, and a close, an exit or a receive by the program's own choice while the peer was still there. Innocent: the rest in
/// a later send; a peer that had gone; a program that was ended while it waited for room; a file that was shorter than sendfile was told.
pub(super) fn short_send(model: &Model<'_>, found: &mut Found) {
    for id in 0..model.sockets.len() {
        let socket = &model.sockets[id];
        if !socket.is_stream() || !socket.matters() {
            continue;
        }
        let Some(&send) = socket.sent.last() else { continue };
        let (Some(asked), took) = (model.records[send].asked, model.bytes(send)) else { continue };
        if took >= asked || model.call(send) == "sendfile" || model.call(send) == "splice" {
            continue;
        }
        let rest = model.after(id, send);
        let tried =
            rest.iter().any(|&i| model.is_send(i) || model.direction(i) == Some(Direction::Out));
        let refused =
            rest.iter().any(|&i| matches!(model.errno(i), "ECONNRESET" | "EPIPE" | "ETIMEDOUT"));
        if tried || refused {
            continue;
        }
        let own = rest
            .iter()
            .copied()
            .find(|&i| model.is_receive(i) || matches!(model.call(i), "close" | "shutdown"));
        let Some(end) = own.or_else(|| closed_itself(model, id)) else { continue };
        // With the peer gone, the rest could go nowhere.
        let peer_gone = socket.peer.is_some_and(|peer| {
            model.sockets[peer].gone.is_some_and(|gone| gone.at <= model.start(end))
        });
        let ended = socket.ends.iter().any(|&i| model.finish(i) <= model.finish(send));
        let waited = waited_to_write(model, id, send, end);
        if peer_gone && !ended || waited {
            continue;
        }
        let (role, call) = (model.role(send), model.call(send));
        let (took, asked) = (grouped(took), grouped(asked));
        found.add(
            Rule::ShortSend,
            send,
            [send, end],
            both!(
                "{role}: {call} took {took} of {asked} bytes, and the rest was never sent. It returns how many it took: send the rest in further calls",
                "{role}：{call} 只取走了 {asked} 字节中的 {took} 字节，其余的从未发送。它返回取走了多少：其余部分要再次调用来发送",
            ),
        );
    }
}

/// Whether the process waited, between the two, until the socket could be written to.
fn waited_to_write(model: &Model<'_>, id: Id, from: usize, to: usize) -> bool {
    let pid = model.pid(from);
    let writable = u32::from(libc::POLLOUT.cast_unsigned());
    let fd = model.records[from].fd;
    model.records_of(pid).iter().copied().filter(|&i| i > from && i < to).any(|i| {
        model.is_wait(i)
            && match model.call(i) {
                "epoll_wait" | "io_uring_enter" => model.sockets[id].reports_writable,
                _ => model.records[i]
                    .waits_on()
                    .iter()
                    .any(|of| Some(of.fd) == fd && of.events & writable != 0),
            }
    })
}

/// Proven by a length in front of a message, in bytes of its own or as digits, that is the number of its characters, while the
/// message is longer by just the bytes that UTF-8 adds. The whole message must be in the record. Innocent: a length in bytes, a text of
/// ASCII, a number that is no length.
pub(super) fn length_in_characters(model: &Model<'_>, found: &mut Found) {
    for id in 0..model.sockets.len() {
        if !model.sockets[id].is_stream() {
            continue;
        }
        let sent = &model.sockets[id].sent;
        for (k, &send) in sent.iter().enumerate() {
            if !model.has_all(send) || model.records[send].hidden.is_some() {
                continue;
            }
            let content = model.content(send);
            let next = sent.get(k + 1).copied().filter(|&next| model.has_all(next));
            // A line has its end, and a number in front of it may count anything.
            let own = header_in(&content).filter(|_| !content.ends_with(b"\n"));
            let own = own.map(|found| (found, None));
            let of_next = || {
                let next = next?;
                Some((whole_header(&content, &model.content(next))?, Some(next)))
            };
            let Some(((says, chars, bytes), body)) = own.or_else(of_next) else { continue };
            let role = model.role(send);
            found.add(
                Rule::LengthInCharacters,
                send,
                [send].into_iter().chain(body),
                both!(
                    "{role}: the length in front of the message is {says}, the number of its characters ({chars}), and the message has {bytes} bytes: in UTF-8 a character may be several bytes. Count the bytes after encoding",
                    "{role}：消息前面的长度是 {says}，即字符数 ({chars})，而消息有 {bytes} 字节：UTF-8 中一个字符可能是几个字节。要在编码之后数字节",
                ),
            );
            break;
        }
    }
}

/// A length and a text behind it, in one send: what the length says, how many characters, how many bytes.
fn header_in(content: &[u8]) -> Option<(u64, u64, u64)> {
    let of = |size: usize, says: u64| counts(says, content.get(size..)?);
    let binary = [2, 4, 8]
        .into_iter()
        .find_map(|size| lengths(content.get(..size)?).into_iter().find_map(|says| of(size, says)));
    binary.or_else(|| {
        let (size, says) = digits(content)?;
        of(size, says)
    })
}

/// A send that is a length and nothing else, for the text in the next one.
fn whole_header(header: &[u8], body: &[u8]) -> Option<(u64, u64, u64)> {
    let binary = matches!(header.len(), 2 | 4 | 8).then(|| lengths(header)).into_iter().flatten();
    let text = digits(header).filter(|&(size, _)| size == header.len()).map(|(_, says)| says);
    binary.chain(text).find_map(|says| counts(says, body))
}

/// Digits in front, and what ends them: `5 `, `5:`, a line end, or the head of an HTTP message that names a Content-Length.
fn digits(content: &[u8]) -> Option<(usize, u64)> {
    let text = String::from_utf8_lossy(content);
    if let Some(head) = text.find("\r\n\r\n") {
        let lower = text[..head].to_lowercase();
        let (_, rest) = lower.split_once("content-length:")?;
        let says = rest.split("\r\n").next()?.trim().parse().ok()?;
        return Some((head + 4, says));
    }
    let count = content.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&content[..count]).ok()?.parse().ok()?;
    let end = match content.get(count..)? {
        [b'\r', b'\n', ..] => 2,
        [b'\n' | b' ' | b':' | b',' | 0, ..] => 1,
        _ => return None,
    };
    Some((count + end, number))
}

/// The counts, if the text is longer than the length says by just what UTF-8 adds.
fn counts(says: u64, body: &[u8]) -> Option<(u64, u64, u64)> {
    let text = std::str::from_utf8(body).ok()?;
    let (chars, bytes) = (text.chars().count() as u64, body.len() as u64);
    // The units of Java and JavaScript are those of UTF-16.
    let units = text.encode_utf16().count() as u64;
    let ended = u64::from(text.ends_with('\n'));
    let is =
        |count: u64, all: u64| count != all && (says == count || ended == 1 && says + 1 == count);
    (bytes > 1 && (is(chars, bytes) || is(units, bytes))).then_some((says, chars, bytes))
}
