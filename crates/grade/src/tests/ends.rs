//! Clients that end a connection in every way there is.

use netplay_review::Rule;
use netplay_text::both;
use netplay_text::both::Both;
use netplay_text::tcp::State;

use super::bytes::{can_flood, flood, read_owed};
use super::proof::{closed_unread, ends, never_sent};
use crate::guard::Stuck;
use crate::peer::{Peer, Trouble};
use crate::program::Program;
use crate::protocol::Protocol;
use crate::stage::Stage;
use crate::verdict::{Broken, Proof, fault, proven};

type Done = Result<(), Broken>;

/// The last bytes and the end come together, and apart; and more is owed than the buffers hold.
pub(crate) fn half_close(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    for together in [true, false] {
        let when = match together {
            true => both!(
                "the request and the end of the client came in one segment",
                "请求和客户端的结束在同一个报文段中到来"
            ),
            false => {
                both!("the end of the client came after a request", "请求之后，客户端的结束到来")
            }
        };
        let mut peer = stage.client().map_err(|trouble| fault(when.clone(), trouble, None))?;
        if let Err(trouble) = half_closed(stage, &mut peer, together) {
            return Err(of_the_end(stage, &peer, when, trouble));
        }
    }
    if can_flood(stage).is_err() {
        return Ok(());
    }
    let when = both!(
        "the client ended its side while more was owed to it than the buffers hold",
        "欠客户端的数据超过缓冲区容量时，客户端结束了自己一侧",
    );
    let mut peer = stage.narrow().map_err(|trouble| fault(when.clone(), trouble, None))?;
    let flood = match flood(stage, &mut peer) {
        Ok(flood) => flood,
        Err(trouble) => return Err(of_the_end(stage, &peer, when, trouble)),
    };
    if let Err(trouble) = peer.finish() {
        return Err(of_the_end(stage, &peer, when, trouble));
    }
    let owed = match stage.plan.protocol {
        Protocol::Line => flood.sent.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1),
        _ => flood.sent.len(),
    };
    match read_owed_then(stage, &mut peer, &flood.sent[..owed]) {
        // What it answers is the matter of other tests; here, that it answers up to the end.
        Ok(()) | Err(Trouble::Wrong { .. }) => Ok(()),
        Err(trouble) => Err(of_the_end(stage, &peer, when, trouble)),
    }
}

/// Reads what is owed. After that a last line without its end may be answered, or not; then the end comes.
fn read_owed_then(
    stage: &Stage<'_>,
    peer: &mut crate::peer::Peer,
    owed: &[u8],
) -> Result<(), Trouble> {
    if stage.plan.protocol != Protocol::Line {
        read_owed(stage, peer, owed)?;
        return peer.expect_end(stage.program());
    }
    let mut got = Vec::new();
    while !peer.has_ended() {
        let received = peer.receive(stage.program());
        got.extend(peer.take());
        if let Err(trouble) = received {
            return match trouble {
                Trouble::Stuck { stuck, .. } => {
                    let missing = owed.get(got.len()..).unwrap_or_default().to_vec();
                    Err(Trouble::Stuck { stuck, got, missing })
                }
                other => Err(other),
            };
        }
    }
    if let Some(at) = got.iter().zip(owed).position(|(a, b)| a != b) {
        return Err(Trouble::Wrong { got, expected: owed.to_vec(), at, before: 0 });
    }
    match got.len() < owed.len() {
        true => Err(Trouble::Closed { missing: owed[got.len()..].to_vec(), got }),
        false => Ok(()),
    }
}

fn half_closed(stage: &mut Stage<'_>, peer: &mut Peer, together: bool) -> Result<(), Trouble> {
    let one = stage.exchange(0);
    match together {
        true => {
            peer.send_with(stage.program(), &one.send, libc::MSG_MORE)?;
            peer.finish()?;
        }
        false => {
            peer.send(stage.program(), &one.send)?;
            let (local, sent) = (peer.local, peer.sent);
            let settled = stage.program_mut().settle(local, sent);
            settled.map_err(|stuck| Trouble::Stuck {
                stuck,
                got: Vec::new(),
                missing: Vec::new(),
            })?;
            peer.finish()?;
        }
    }
    peer.expect(stage.program(), &one.answer)?;
    peer.expect_end(stage.program())
}

/// What a wrong end proves: the program has read the end of the client and does not close; it has closed before it had read
/// everything; it has not sent all.
fn of_the_end(stage: &mut Stage<'_>, peer: &Peer, when: Both, trouble: Trouble) -> Broken {
    let ends = ends(stage, peer.local.port());
    if let (Trouble::Stuck { stuck, missing, .. }, Some(end)) = (&trouble, ends.first()) {
        let spins = matches!(stuck, Stuck::Busy(_)) && ends.len() > 1000;
        match ends.len() {
            _ if spins => return fault(when, trouble, Some(Rule::BusyLoop)),
            // The review tells how often.
            5.. if missing.is_empty() => return fault(when, trouble, Some(Rule::EndIgnored)),
            _ if missing.is_empty() => {
                let call = end.call.clone().unwrap_or_default();
                let said = both!(
                    "it read the end of what the client sends ({call} returned 0), and did not close the connection",
                    "它读到了客户端数据的结尾（{call} 返回 0），却没有关闭连接",
                );
                let proof = Proof { rule: Rule::EndIgnored, said, calls: vec![end.clone()] };
                return proven(when, trouble, Some(proof));
            }
            _ => {}
        }
    }
    let proof = never_sent(stage, peer, &trouble);
    let proof = proof.or_else(|| closed_unread(stage, peer, &trouble));
    proven(when, trouble, proof)
}

/// A client comes and goes without a word.
pub(crate) fn quietly(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    let when = both!("a client came and went without a word", "一个客户端来了又走，一言不发");
    for waits in [false, true] {
        let peer = stage.client().map_err(|trouble| fault(when.clone(), trouble, None))?;
        let local = peer.local;
        if waits {
            stage
                .program_mut()
                .settle(local, 0)
                .map_err(|stuck| fault(when.clone(), stuck, None))?;
        }
        drop(peer);
        stage.serves_without(local, next(&when))?;
    }
    Ok(())
}

/// What follows: the next client.
fn next(when: &Both) -> Both {
    let (en, zh) = (&when.en, &when.zh);
    both!("{en}, and then the next client came", "{zh}，然后下一个客户端到来")
}

/// A client leaves within a request.
pub(crate) fn middle(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    let when = both!("a client left within a request", "一个客户端在请求中途离开");
    let mut peer = stage.client().map_err(|trouble| fault(when.clone(), trouble, None))?;
    let one = stage.exchange(0);
    let half = &one.send[..one.send.len().div_ceil(2)];
    let sent = peer.send(stage.program(), half);
    sent.map_err(|trouble| fault(when.clone(), trouble, None))?;
    let (local, sent) = (peer.local, peer.sent);
    let settled = stage.program_mut().settle(local, sent);
    settled.map_err(|stuck| fault(when.clone(), stuck, None))?;
    // What has come is read, so that its end is no reset.
    let _ = peer.receive_now(stage.program());
    drop(peer);
    stage.serves_without(local, next(&when))
}

/// A client ends with a reset: in the middle, with a request that is not answered, at once.
pub(crate) fn reset(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    for way in 0..3 {
        let when = match way {
            0 => both!(
                "a client ended with a reset, after an answer",
                "一个客户端在得到回答后以重置结束"
            ),
            1 => both!("a client sent a request and then a reset", "一个客户端发送请求后立即重置"),
            _ => both!("a client connected and sent a reset", "一个客户端连接后立即重置"),
        };
        let mut peer = stage.client().map_err(|trouble| fault(when.clone(), trouble, None))?;
        let one = stage.exchange(0);
        match way {
            0 => {
                let done = peer.exchange(stage.program(), &one);
                done.map_err(|trouble| fault(when.clone(), trouble, None))?;
                // It waits for the next request, and reads the reset there.
                let (local, sent) = (peer.local, peer.sent);
                let settled = stage.program_mut().settle(local, sent);
                settled.map_err(|stuck| fault(when.clone(), stuck, None))?;
            }
            1 => {
                let local = peer.local;
                let settled = stage.program_mut().settle(local, 0);
                settled.map_err(|stuck| fault(when.clone(), stuck, None))?;
                // Held where it is, it reads the request when the reset has come, and its answer fails, however fast it is.
                stage.program().freeze(true);
                let sent = peer.send(stage.program(), &one.send);
                sent.map_err(|trouble| fault(when.clone(), trouble, None))?;
            }
            _ => {}
        }
        let local = peer.local;
        peer.reset();
        if way == 1 {
            let _ = stage.program_mut().until(|program| program.has_lost(local));
            stage.program().freeze(false);
        }
        stage.serves_without(local, next(&when))?;
    }
    Ok(())
}

/// A client sends requests, its end and a reset before the first answer. In this order, and with all of it there before the program
/// goes on, its requests can be read and the first answer fails with EPIPE and SIGPIPE, however busy the machine is.
pub(crate) fn before_reply(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    let when = both!(
        "a client sent requests and left before the answers",
        "一个客户端发送请求，在得到回答之前离开"
    );
    let mut peer = stage.client().map_err(|trouble| fault(when.clone(), trouble, None))?;
    let one = stage.exchange(0);
    let done = peer.exchange(stage.program(), &one);
    done.map_err(|trouble| fault(when.clone(), trouble, None))?;
    let (local, sent) = (peer.local, peer.sent);
    stage.program_mut().settle(local, sent).map_err(|stuck| fault(when.clone(), stuck, None))?;
    // Held where it is, it cannot answer before the client has left.
    stage.program().freeze(true);
    let mut requests = Vec::new();
    let many = if stage.plan.protocol.pipelines() { 3000 } else { 1 };
    for n in 1..=many {
        requests.extend(stage.exchange(n).send);
        if requests.len() > 32 * 1024 {
            break;
        }
    }
    let mut sent = 0;
    while sent < requests.len() {
        let end = requests.len().min(sent + 1024);
        match peer.send_some(&requests[sent..end]) {
            Ok(n @ 1..) => sent += n,
            Ok(0) | Err(_) => break,
        }
    }
    // What could not be sent, or does not come, makes the test milder.
    let _ = peer.finish();
    let has_come =
        |program: &Program| program.has_state(local, State::CLOSE_WAIT) || program.has_lost(local);
    let _ = stage.program_mut().until(has_come);
    peer.reset();
    let _ = stage.program_mut().until(|program| program.has_lost(local));
    stage.program().freeze(false);
    stage.serves_without(local, next(&when))
}
