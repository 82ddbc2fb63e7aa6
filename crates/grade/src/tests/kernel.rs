//! What the kernel may do at any time, and seldom does on loopback: it is done on purpose.

use netplay_review::Rule;
use netplay_text::both;
use netplay_text::both::Both;
use netplay_watch::Twist;

use super::proof::{closed_by_a_signal, never_sent};
use crate::peer::{Peer, Trouble};
use crate::protocol::{Exchange, Protocol};
use crate::stage::Stage;
use crate::verdict::{Broken, fault, proven};

type Done = Result<(), Broken>;

/// Starts the program with changes to its calls, and lets a client make some exchanges.
fn exchanges(
    stage: &mut Stage<'_>,
    twist: Twist,
    when: Both,
    told: impl Fn(&mut Stage<'_>, &Peer, Both, Trouble) -> Broken,
) -> Done {
    stage.needs_watching()?;
    begin(stage, twist, &when)?;
    clients(stage, when, told)
}

/// The same exchanges without any change, where a failure could have another reason: a program that fails them does not fail because of
/// the change.
pub(crate) fn control(id: &str) -> Option<fn(&mut Stage<'_>) -> Done> {
    let without = |stage: &mut Stage<'_>| {
        stage.start()?;
        let when = both!("without any change", "没有任何改变");
        clients(stage, when, |_, _, when, trouble| fault(when, trouble, None))
    };
    matches!(id, "kernel/short-recv" | "kernel/short-send" | "kernel/eintr").then_some(without)
}

fn clients(
    stage: &mut Stage<'_>,
    when: Both,
    told: impl Fn(&mut Stage<'_>, &Peer, Both, Trouble) -> Broken,
) -> Done {
    for _ in 0..3 {
        let mut peer = stage.client().map_err(|trouble| fault(when.clone(), trouble, None))?;
        if let Err(trouble) = some(stage, &mut peer) {
            return Err(told(stage, &peer, when, trouble));
        }
    }
    Ok(())
}

/// Starts the program with changes to its calls. Where these keep it from listening, that is what the fault is about.
fn begin(stage: &mut Stage<'_>, twist: Twist, when: &Both) -> Done {
    stage.start_with(twist).map_err(|broken| match broken {
        Broken::Fault(mut fault) => {
            fault.when = when.clone();
            Broken::Fault(fault)
        }
        other => other,
    })
}

fn some(stage: &mut Stage<'_>, peer: &mut Peer) -> Result<(), Trouble> {
    let many = match &stage.plan.protocol {
        Protocol::File(script) => script.exchanges.len(),
        Protocol::Echo | Protocol::Line => 3,
    };
    for n in 0..many {
        let one = match &stage.plan.protocol {
            Protocol::Echo if n == 2 => {
                let bytes: Vec<u8> = (0..2000).map(|_| stage.random.lowercase() as u8).collect();
                Exchange { send: bytes.clone(), answer: crate::protocol::Answer::Bytes(bytes) }
            }
            _ => stage.exchange(n),
        };
        peer.exchange(stage.program(), &one)?;
    }
    Ok(())
}

/// A receive returns three bytes at most.
pub(crate) fn short_recv(stage: &mut Stage<'_>) -> Done {
    let when = both!("each receive returned three bytes at most", "每次接收最多返回三个字节");
    let twist = Twist { short_reads: Some(3), ..Twist::default() };
    exchanges(stage, twist, when, |stage, _, when, trouble| {
        let dead = stage.program_mut().status().is_some();
        let messages = stage.plan.protocol.has_messages();
        let other = matches!(trouble, Trouble::Wrong { .. } | Trouble::Closed { .. });
        let rule = (other && messages && !dead).then_some(Rule::ShortRecv);
        fault(when, trouble, rule)
    })
}

/// A send takes seven bytes at most.
pub(crate) fn short_send(stage: &mut Stage<'_>) -> Done {
    let when = both!("each send took seven bytes at most", "每次发送最多取走七个字节");
    let twist = Twist { short_writes: Some(7), ..Twist::default() };
    exchanges(stage, twist, when, |stage, peer, when, trouble| {
        let proof = never_sent(stage, peer, &trouble);
        proven(when, trouble, proof)
    })
}

/// One in three calls that wait is interrupted.
pub(crate) fn eintr(stage: &mut Stage<'_>) -> Done {
    let when =
        both!("signals interrupted one in three calls that wait", "信号打断了三分之一的等待调用");
    let twist = Twist { eintr: Some(3), seed: stage.plan.seed, ..Twist::default() };
    exchanges(stage, twist, when, |stage, peer, when, trouble| {
        let proof = closed_by_a_signal(stage, peer, &trouble);
        proven(when, trouble, proof)
    })
}

/// One in two accepts finds that its client has gone.
pub(crate) fn aborted(stage: &mut Stage<'_>) -> Done {
    stage.needs_watching()?;
    let twist = Twist { aborted: Some(2), seed: stage.plan.seed, ..Twist::default() };
    let when =
        both!("one in two accepts failed with ECONNABORTED", "一半的 accept 以 ECONNABORTED 失败");
    begin(stage, twist, &when)?;
    for _ in 0..8 {
        stage.serves(when.clone())?;
    }
    Ok(())
}
