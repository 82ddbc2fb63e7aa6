//! What was sent and is not one message, and what was not sent.

use std::collections::HashSet;

use netplay_record::Direction;
use netplay_text::words::grouped;

use super::found::{Found, MS};
use super::receives::{answer_to, closed_itself, lengths};
use super::waiting::{waits_alone, waits_for};
use crate::finding::{Rule, both};
use crate::model::{Id, Model};

/// Proven by one receive that took the ends of several sends of the same kind, one answer, and a peer that then waits for another
/// while this program waits for it. Sends are of the same kind if each ends its line, or if all have the same size. That each of them
/// wants an answer is proven by a program that can do nothing until it hears more, or by its answers to others that begin with the
/// same word. Innocent: a header and a body in two sends are one message; as many answers as messages, in one send or in several; a
/// message that asks for news, which come when there are some.
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
        if sends.iter().any(|&send| asks_for_news(&model.content(send))) {
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
        if !waits_alone(model, id, peer, here) && !answers_each(model, receive, &sends) {
            continue;
        }
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

/// Whether this program has answered messages that begin with the same words as these, each at its own time; or all begin alike.
fn answers_each(model: &Model<'_>, receive: usize, sends: &[usize]) -> bool {
    let word = |i: usize| first_word(&model.content(i));
    let first = word(sends[0]);
    if !first.is_empty() && sends.iter().all(|&send| word(send) == first) {
        return true;
    }
    let mut answered = HashSet::new();
    for socket in &model.sockets {
        for &at in &socket.received {
            let content = model.content(at);
            let alone = content.iter().filter(|&&byte| byte == b'\n').count() <= 1;
            let is_same = model.role(at) == model.role(receive) && at != receive;
            if is_same
                && alone
                && answer_to(model, model.of[at].unwrap_or(0), at, model.end).is_some()
            {
                answered.insert(first_word(&content));
            }
        }
    }
    sends.iter().all(|&send| answered.contains(&word(send)))
}

/// The letters that a message begins with.
pub(super) fn first_word(content: &[u8]) -> String {
    let letters = content.iter().take_while(|byte| byte.is_ascii_alphabetic());
    letters.map(|&byte| char::from(byte.to_ascii_lowercase())).collect()
}

/// Whether a message says in so many words that it wants to be told of what will happen, not to be answered.
pub(super) fn asks_for_news(content: &[u8]) -> bool {
    let word = first_word(content);
    let begins = [
        "sub", "psub", "join", "listen", "watch", "follow", "observe", "monitor", "notify",
        "stream", "register", "attach", "consume", "tail",
    ];
    let text = String::from_utf8_lossy(content).to_lowercase();
    begins.iter().any(|of| word.starts_with(of))
        || text.contains("subscri")
        || text.contains("订阅")
}

fn are_alike(model: &Model<'_>, sends: &[usize]) -> bool {
    if announces(model, sends[0], sends[1]) {
        return false;
    }
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

/// Whether a message ends with the length of the next one, in bytes of its own or as digits: they are one message in two sends.
fn announces(model: &Model<'_>, header: usize, body: usize) -> bool {
    let (content, length) = (model.content(header), model.bytes(body));
    if lengths(&content).contains(&length) {
        return true;
    }
    let text = String::from_utf8_lossy(&content);
    let number = text.trim_end().rsplit(|c: char| !c.is_ascii_digit()).next();
    let number = number.and_then(|digits| digits.parse::<u64>().ok());
    number.is_some_and(|number| number <= length && length <= number + 2)
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
