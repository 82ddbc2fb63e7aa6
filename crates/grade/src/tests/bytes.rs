//! A stream has no messages: whatever the pieces are in which bytes come, the answer is the same.

use netplay_review::Rule;
use netplay_text::both;
use netplay_text::both::Both;

use crate::guard::Stuck;
use crate::peer::{Peer, Trouble};
use crate::protocol::{Answer, Exchange, Protocol};
use crate::stage::Stage;
use crate::verdict::{Broken, fault, proven};
use std::time::Duration;

use super::proof::{closed_unread, closed_within, never_sent};

type Done = Result<(), Broken>;

/// A request is answered.
pub(crate) fn one(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    let when = both!("one request", "一个请求");
    let mut peer = stage.client().map_err(|trouble| fault(when.clone(), trouble, None))?;
    for n in 0..exchanges(stage) {
        let one = stage.exchange(n);
        let done = peer.exchange(stage.program(), &one);
        done.map_err(|trouble| fault(when.clone(), trouble, None))?;
    }
    nothing_more(&peer, when)
}

/// How many exchanges a connection needs to have had all kinds of them.
fn exchanges(stage: &Stage<'_>) -> usize {
    match &stage.plan.protocol {
        Protocol::File(script) => script.exchanges.len(),
        Protocol::Echo | Protocol::Line => 1,
    }
}

fn nothing_more(peer: &Peer, when: Both) -> Done {
    match peer.left() {
        [] => Ok(()),
        left => {
            let got = left.to_vec();
            let trouble = Trouble::Wrong { got, expected: Vec::new(), at: 0, before: 0 };
            Err(fault(when, trouble, None))
        }
    }
}

/// What a wrong answer to a request in pieces proves.
fn rule_of_pieces(stage: &Stage<'_>, trouble: &Trouble) -> Option<Rule> {
    let messages = stage.plan.protocol.has_messages();
    let proves =
        matches!(trouble, Trouble::Early { .. } | Trouble::Wrong { .. } | Trouble::Closed { .. });
    (messages && proves).then_some(Rule::ShortRecv)
}

/// What is wrong with a request in pieces, of `all` bytes; `before` it, so many had been sent.
fn of_pieces(
    stage: &mut Stage<'_>,
    peer: &Peer,
    when: Both,
    trouble: Trouble,
    (before, all): (u64, usize),
) -> Broken {
    match closed_within(stage, peer, &trouble, (before, all)) {
        Some(proof) => proven(when, trouble, Some(proof)),
        None => {
            let rule = rule_of_pieces(stage, &trouble);
            fault(when, trouble, rule)
        }
    }
}

/// Sends a part of a request, and waits until the program has read it. An answer now is one to a part.
fn part(
    stage: &mut Stage<'_>,
    peer: &mut Peer,
    bytes: &[u8],
    whole: (usize, usize),
) -> Result<(), Trouble> {
    peer.send(stage.program(), bytes)?;
    let (local, sent) = (peer.local, peer.sent);
    let settled = stage.program_mut().settle(local, sent);
    settled.map_err(|stuck| Trouble::Stuck { stuck, got: Vec::new(), missing: Vec::new() })?;
    if !stage.plan.protocol.has_messages() {
        return Ok(());
    }
    match peer.receive_now(stage.program())? {
        Some(0) => Err(Trouble::Closed { got: Vec::new(), missing: Vec::new() }),
        Some(_) => {
            let (sent, of) = whole;
            Err(Trouble::Early { got: peer.take(), sent, of })
        }
        None => Ok(()),
    }
}

/// A request comes byte by byte.
pub(crate) fn slowly(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    let when = both!("a request came byte by byte", "请求一个字节一个字节地到来");
    let mut peer = stage.client().map_err(|trouble| fault(when.clone(), trouble, None))?;
    let one = stage.exchange(0);
    let all = one.send.len();
    for (n, byte) in (1..).zip(&one.send[..all - 1]) {
        if let Err(trouble) = part(stage, &mut peer, &[*byte], (n, all)) {
            return Err(of_pieces(stage, &peer, when, trouble, (0, all)));
        }
    }
    let last = Exchange { send: one.send[all - 1..].to_vec(), answer: one.answer };
    match peer.exchange(stage.program(), &last) {
        Ok(()) => nothing_more(&peer, when),
        Err(trouble) => Err(of_pieces(stage, &peer, when, trouble, (0, all))),
    }
}

/// A request comes in two parts, cut at every position.
pub(crate) fn cut(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    for nth in 0..exchanges(stage).min(3) {
        let all = stage.exchange(nth).send.len();
        // Of a long request, some thirty places.
        for at in (1..all).step_by(all.div_ceil(32)) {
            let rest = all - at;
            let when = both!(
                "a request came in two parts, of {at} and {rest} bytes",
                "请求分两部分到来，{at} 字节和 {rest} 字节",
            );
            let mut peer = stage.client().map_err(|trouble| fault(when.clone(), trouble, None))?;
            for n in 0..nth {
                let before = stage.exchange(n);
                let done = peer.exchange(stage.program(), &before);
                done.map_err(|trouble| fault(when.clone(), trouble, None))?;
            }
            let before = peer.sent;
            if let Err(trouble) = two_parts(stage, &mut peer, nth, at) {
                return Err(of_pieces(stage, &peer, when, trouble, (before, all)));
            }
        }
    }
    Ok(())
}

fn two_parts(stage: &mut Stage<'_>, peer: &mut Peer, nth: usize, at: usize) -> Result<(), Trouble> {
    let one = stage.exchange(nth);
    part(stage, peer, &one.send[..at], (at, one.send.len()))?;
    let rest = Exchange { send: one.send[at..].to_vec(), answer: one.answer };
    peer.exchange(stage.program(), &rest)
}

/// Two requests come together: two sends in one segment, and one send.
pub(crate) fn together(stage: &mut Stage<'_>) -> Done {
    if !stage.plan.protocol.pipelines() {
        return Err(Broken::Skip(both!(
            "the protocol does not allow a request before the answer to the one before",
            "协议不允许在得到前一个回答之前发送请求",
        )));
    }
    stage.start()?;
    let long = |stage: &mut Stage<'_>| -> Exchange {
        let mut line: Vec<u8> = (0..3000).map(|_| stage.random.lowercase() as u8).collect();
        line.push(b'\n');
        Exchange { send: line.clone(), answer: Answer::Bytes(line) }
    };
    let is_line = stage.plan.protocol == Protocol::Line;
    for way in 0..if is_line { 3 } else { 2 } {
        let pair = match way {
            2 => [long(stage), long(stage)],
            _ => [stage.exchange(0), stage.exchange(1)],
        };
        let when = match way {
            0 => both!(
                "two requests in two sends came in one segment",
                "两次发送的两个请求在同一个报文段中到来"
            ),
            1 => both!("two requests came in one send", "一次发送带来两个请求"),
            _ => both!("two long lines came in one send", "一次发送带来两行长文本"),
        };
        let mut peer = stage.client().map_err(|trouble| fault(when.clone(), trouble, None))?;
        let [first, second] = &pair;
        let sent = match way {
            0 => peer
                .send_with(stage.program(), &first.send, libc::MSG_MORE)
                .and_then(|()| peer.send(stage.program(), &second.send)),
            _ => peer.send(stage.program(), &[&first.send[..], &second.send[..]].concat()),
        };
        sent.map_err(|trouble| fault(when.clone(), trouble, None))?;
        for (n, one) in pair.iter().enumerate() {
            peer.expect(stage.program(), &one.answer).map_err(|trouble| {
                let rule = match &trouble {
                    _ if !stage.plan.protocol.has_messages() => None,
                    Trouble::Stuck { got, .. } if n == 1 && got.is_empty() && way == 0 => {
                        let all = (first.send.len() + second.send.len()) as u64;
                        came_at_once(stage, all).then_some(Rule::MergedSends)
                    }
                    Trouble::Wrong { .. } if way == 2 => Some(Rule::ShortRecv),
                    _ => None,
                };
                fault(when.clone(), trouble, rule)
            })?;
        }
        nothing_more(&peer, when)?;
    }
    Ok(())
}

/// Whether one receive of the program brought so many bytes.
fn came_at_once(stage: &Stage<'_>, bytes: u64) -> bool {
    stage.program().with_records(|records| {
        let incoming = |record: &&netplay_record::Event| {
            record.direction() == Some(netplay_record::Direction::In)
        };
        records.iter().filter(incoming).any(|record| record.bytes == Some(bytes))
    })
}

/// Bytes that are no text.
pub(crate) fn binary(stage: &mut Stage<'_>) -> Done {
    let Some(one) = stage.plan.protocol.binary() else {
        return Err(Broken::Skip(both!(
            "the requests of the protocol are given",
            "协议的请求是给定的",
        )));
    };
    stage.start()?;
    let when = both!("a request with bytes that are no text", "请求带有不是文本的字节");
    let mut peer = stage.client().map_err(|trouble| fault(when.clone(), trouble, None))?;
    peer.exchange(stage.program(), &one).map_err(|trouble| fault(when, trouble, None))
}

/// A flood: what was sent, until the program took no more because its own answers are not read.
pub(crate) struct Flood {
    pub(crate) sent: Vec<u8>,
    /// The rest of a request that has begun.
    pub(crate) rest: Vec<u8>,
}

/// More than this is not sent: a program that keeps all of it in its own memory may do so.
const MOST: usize = 16 << 20;

/// At least this much is sent in the end.
const LEAST: usize = 1 << 20;

/// Sends requests and reads nothing, until no more can be sent and the program sleeps.
pub(crate) fn flood(stage: &mut Stage<'_>, peer: &mut Peer) -> Result<Flood, Trouble> {
    let mut flood = Flood { sent: Vec::new(), rest: Vec::new() };
    stage.program().guard.patience(Duration::from_millis(300));
    let mut n = 0;
    let done = loop {
        if flood.rest.is_empty() {
            if flood.sent.len() > MOST {
                break Ok(());
            }
            // A request of a chosen length, some of them at once.
            for _ in 0..16 {
                flood.rest.extend(stage.plan.protocol.long(n, &mut stage.random).send);
                n += 1;
            }
        }
        match peer.send_some(&flood.rest) {
            Ok(0) => match peer.room(stage.program()) {
                Ok(()) => {}
                Err(Stuck::Still { .. }) => break Ok(()),
                Err(stuck) => {
                    break Err(Trouble::Stuck { stuck, got: Vec::new(), missing: Vec::new() });
                }
            },
            Ok(sent) => flood.sent.extend(flood.rest.drain(..sent)),
            Err(trouble) => break Err(trouble),
        }
    };
    stage.program().guard.patience(crate::guard::PATIENCE);
    done.map(|()| flood)
}

/// Whether a flood of this protocol is possible.
pub(crate) fn can_flood(stage: &Stage<'_>) -> Done {
    match &stage.plan.protocol {
        Protocol::Echo | Protocol::Line => Ok(()),
        Protocol::File(_) => Err(Broken::Skip(both!(
            "the requests of the protocol are given, and too short to fill the buffers",
            "协议的请求是给定的，太短，填不满缓冲区",
        ))),
    }
}

/// Reads what is owed for these bytes and compares it.
pub(crate) fn read_owed(stage: &Stage<'_>, peer: &mut Peer, owed: &[u8]) -> Result<(), Trouble> {
    let mut done = 0;
    while done < owed.len() {
        let received = peer.receive(stage.program());
        let got = peer.take();
        let wanted = &owed[done..];
        if let Some(at) = got.iter().zip(wanted).position(|(a, b)| a != b) {
            let expected = wanted.to_vec();
            return Err(Trouble::Wrong { got, expected, at, before: done });
        }
        if got.len() > wanted.len() {
            let got = got[wanted.len()..].to_vec();
            return Err(Trouble::Wrong { got, expected: Vec::new(), at: 0, before: 0 });
        }
        done += got.len();
        let came = || (owed[..done].to_vec(), owed[done..].to_vec());
        match received {
            Ok(0) if done < owed.len() => {
                let (got, missing) = came();
                return Err(Trouble::Closed { got, missing });
            }
            Err(Trouble::Stuck { stuck, .. }) => {
                let (got, missing) = came();
                return Err(Trouble::Stuck { stuck, got, missing });
            }
            Err(Trouble::Reset { .. }) => return Err(Trouble::Reset { got: came().0 }),
            Err(trouble) => return Err(trouble),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// More than the buffers of both ends hold, to a client that reads slowly.
pub(crate) fn large(stage: &mut Stage<'_>) -> Done {
    can_flood(stage)?;
    stage.start()?;
    let when = both!(
        "more than the buffers of both ends hold was sent before anything was read",
        "在读取之前发送了超过两端缓冲区容量的数据",
    );
    let fail = |stage: &mut Stage<'_>, peer: &Peer, trouble: Trouble, when: Both| {
        let proof = never_sent(stage, peer, &trouble);
        let proof = proof.or_else(|| closed_unread(stage, peer, &trouble));
        proven(when, trouble, proof)
    };
    let mut peer = stage.narrow().map_err(|trouble| fault(when.clone(), trouble, None))?;
    let flood = match flood(stage, &mut peer) {
        Ok(flood) => flood,
        Err(trouble) => return Err(fail(stage, &peer, trouble, when)),
    };
    let mut rest = flood.rest;
    while flood.sent.len() + rest.len() < LEAST {
        rest.extend(stage.plan.protocol.long(0, &mut stage.random).send);
    }
    // All that was owed so far, and then the rest in pieces that fit.
    let mut read = 0;
    let all = [&flood.sent[..], &rest[..]].concat();
    let mut sent = flood.sent.len();
    while read < all.len() {
        if sent < all.len() {
            let end = all.len().min(sent + 4096);
            match peer.send_some(&all[sent..end]) {
                Ok(n) => sent += n,
                Err(trouble) => return Err(fail(stage, &peer, trouble, when)),
            }
        }
        // What is surely on its way: everything that was sent, for lines up to the last end of one.
        let owed = match stage.plan.protocol {
            Protocol::Line => {
                all[..sent].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1)
            }
            _ => sent,
        };
        let to = owed.min(read + 65536).max(read);
        if to == read {
            if let Err(stuck) = peer.room(stage.program()) {
                return Err(fault(when, stuck, None));
            }
            continue;
        }
        read += match read_some(stage, &mut peer, &all[..owed], read) {
            Ok(n) => n,
            Err(trouble) => return Err(fail(stage, &peer, trouble, when)),
        };
    }
    Ok(())
}

/// Reads once, and compares with what is owed, of which so much has come.
fn read_some(
    stage: &Stage<'_>,
    peer: &mut Peer,
    all: &[u8],
    came: usize,
) -> Result<usize, Trouble> {
    let received = peer.receive(stage.program());
    let (got, owed) = (peer.take(), &all[came..]);
    let n = got.len();
    if let Some(at) = got.iter().zip(owed).position(|(a, b)| a != b) {
        return Err(Trouble::Wrong { got, expected: owed.to_vec(), at, before: came });
    }
    if n > owed.len() {
        let got = got[owed.len()..].to_vec();
        return Err(Trouble::Wrong { got, expected: Vec::new(), at: 0, before: 0 });
    }
    let (had, missing) = (|| all[..came + n].to_vec(), || all[came + n..].to_vec());
    match received {
        Ok(0) => Err(Trouble::Closed { got: had(), missing: missing() }),
        Err(Trouble::Stuck { stuck, .. }) => {
            Err(Trouble::Stuck { stuck, got: had(), missing: missing() })
        }
        Err(Trouble::Reset { .. }) => Err(Trouble::Reset { got: had() }),
        Err(trouble) => Err(trouble),
        Ok(_) => Ok(n),
    }
}
