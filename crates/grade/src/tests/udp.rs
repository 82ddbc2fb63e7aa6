//! Datagrams: each is a message of its own, also an empty one.

use netplay_review::Rule;
use netplay_text::both;
use netplay_text::both::Both;
use std::time::Duration;

use crate::guard::PATIENCE;
use crate::peer::{Sender, Trouble};
use crate::stage::Stage;
use crate::verdict::{Broken, fault};

type Done = Result<(), Broken>;

fn sender(stage: &Stage<'_>, when: &Both) -> Result<Sender, Broken> {
    Sender::new(stage.program()).map_err(|trouble| fault(when.clone(), trouble, None))
}

/// An empty datagram is a message, and no end.
pub(crate) fn empty(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    let when = both!("an empty datagram came", "来了一个空数据报");
    let first = sender(stage, &when)?;
    first.send(stage.program(), b"").map_err(|trouble| fault(when.clone(), trouble, None))?;
    stage.program().guard.patience(Duration::from_millis(500));
    let answer = first.receive(stage.program());
    stage.program().guard.patience(PATIENCE);
    let next =
        both!("an empty datagram came, and then another one", "来了一个空数据报，然后又来一个");
    let second = sender(stage, &next)?;
    stage.answers(&second).map_err(|trouble| fault(next, trouble, None))?;
    match answer {
        Ok(got) if got.is_empty() => Ok(()),
        Ok(got) => {
            let trouble = Trouble::Wrong { got, expected: Vec::new(), at: 0, before: 0 };
            Err(fault(when, trouble, None))
        }
        Err(_) => Err(Broken::NonStrict(both!(
            "it does not answer an empty datagram",
            "它不回答空数据报",
        ))),
    }
}

/// The longest datagram of IPv4.
pub(crate) fn large(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    for len in [1473, 9000, 65507] {
        let when = both!("a datagram of {len} bytes came", "来了一个 {len} 字节的数据报");
        let bytes: Vec<u8> = (0..len).map(|_| stage.random.lowercase() as u8).collect();
        let from = sender(stage, &when)?;
        from.send(stage.program(), &bytes).map_err(|trouble| fault(when.clone(), trouble, None))?;
        from.expect(stage.program(), &bytes).map_err(|trouble| {
            let rule = match &trouble {
                Trouble::Wrong { got, .. } if bytes.starts_with(got) => Some(Rule::DatagramCut),
                _ => None,
            };
            fault(when, trouble, rule)
        })?;
    }
    Ok(())
}

/// Two peers take turns, and each gets its own answers.
pub(crate) fn two_peers(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    let when = both!("two peers took turns", "两个对端轮流发送");
    let peers = [sender(stage, &when)?, sender(stage, &when)?];
    for _ in 0..5 {
        let pair = [stage.exchange(0), stage.exchange(1)];
        for (peer, one) in peers.iter().zip(&pair) {
            peer.send(stage.program(), &one.send)
                .map_err(|trouble| fault(when.clone(), trouble, None))?;
        }
        for (peer, one) in peers.iter().zip(&pair) {
            let came = peer.expect(stage.program(), one.answer.bytes());
            came.map_err(|trouble| fault(when.clone(), trouble, None))?;
        }
    }
    Ok(())
}

/// More datagrams than it reads at once, and no more than its buffer holds.
pub(crate) fn burst(stage: &mut Stage<'_>) -> Done {
    const MANY: usize = 32;
    stage.start()?;
    let when = both!("{MANY} datagrams came at once", "一次来了 {MANY} 个数据报");
    let from = sender(stage, &when)?;
    stage.program().freeze(true);
    let mut owed = std::collections::HashSet::new();
    for _ in 0..MANY {
        let one = stage.exchange(0);
        from.send(stage.program(), &one.send)
            .map_err(|trouble| fault(when.clone(), trouble, None))?;
        owed.insert(one.answer.bytes().to_vec());
    }
    stage.program().freeze(false);
    while !owed.is_empty() {
        let got = from.receive(stage.program()).map_err(|trouble| match trouble {
            Trouble::Stuck { stuck: crate::guard::Stuck::Still { .. }, .. } => {
                let missing = owed.len();
                let how =
                    both!("{missing} of them were not answered", "其中 {missing} 个没有得到回答");
                fault(when.clone(), how, None)
            }
            other => fault(when.clone(), other, None),
        })?;
        if !owed.remove(&got) {
            let trouble = Trouble::Wrong { got, expected: Vec::new(), at: 0, before: 0 };
            return Err(fault(when, trouble, None));
        }
    }
    Ok(())
}

/// A peer is gone before its answer: the answer is met by an ICMP error, which ends nothing.
pub(crate) fn unreachable(stage: &mut Stage<'_>) -> Done {
    stage.start()?;
    let when = both!(
        "a peer had closed its socket before the answer came, and then another one came",
        "一个对端在回答到来之前关闭了套接字，然后另一个到来",
    );
    for _ in 0..2 {
        let gone = sender(stage, &when)?;
        stage.program().freeze(true);
        let one = stage.exchange(0);
        let sent = gone.send(stage.program(), &one.send);
        drop(gone);
        stage.program().freeze(false);
        sent.map_err(|trouble| fault(when.clone(), trouble, None))?;
        let _ = stage.program_mut().until(|program| program.guard.is_still());
        let next = sender(stage, &when)?;
        stage.answers(&next).map_err(|trouble| fault(when.clone(), trouble, None))?;
    }
    Ok(())
}
