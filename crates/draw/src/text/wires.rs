//! How arrows run in a picture made of lines: down beside the lifeline of their left lane, and across
//! in the row of their right lane, where nothing else is written.
//!
//! ```text
//!   ┃ recv(4)                 │
//!   ┃ ╭───────────────────────┤ send(3) "hello"
//!   ┃◀╯ recv(4) → 5 bytes     │
//! ```

use crate::{Rows, Timeline};

/// So many arrows have a way down of their own beside a lifeline; what is more shares the last.
const MOST_CHANNELS: usize = 6;

/// An end of an arrow that is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) lane: usize,
    pub(super) row: usize,
}

/// An arrow with both its ends.
#[derive(Debug)]
pub(super) struct Wire {
    /// An index of the timeline's arrows.
    pub(super) arrow: usize,
    pub(super) left: End,
    pub(super) right: End,
    /// Whether it points to its right end.
    pub(super) rightwards: bool,
    /// Which of the ways down beside the left lane.
    pub(super) channel: usize,
}

/// All arrows, and where they run.
#[derive(Debug, Default)]
pub(super) struct Wires {
    pub(super) all: Vec<Wire>,
    /// For each row the wires that end there, at either end.
    pub(super) at: Vec<Vec<usize>>,
    /// For each row the arrows that have one end only there; the other is in the air, or at a side that
    /// was not observed.
    pub(super) loose: Vec<Vec<usize>>,
    /// For each lane how many ways down there are beside it.
    pub(super) channels: Vec<usize>,
}

impl Wires {
    pub(super) fn of(timeline: &Timeline, rows: &Rows) -> Wires {
        let mut wires = Wires {
            at: vec![Vec::new(); rows.rows.len()],
            loose: vec![Vec::new(); rows.rows.len()],
            channels: vec![0; timeline.lanes.len()],
            ..Wires::default()
        };
        for (i, arrow) in timeline.arrows.iter().enumerate() {
            let caller = |call: usize| timeline.calls[call].lane;
            let from = arrow.from.and_then(|tip| tip.call);
            let from = from.map(|call| End { lane: caller(call), row: rows.began[call] });
            let to = arrow.to.and_then(|tip| tip.call);
            let to = to.map(|call| End { lane: caller(call), row: rows.returned[call] });
            match (from, to) {
                (Some(from), Some(to)) => {
                    let rightwards = from.lane <= to.lane;
                    let (left, right) = if rightwards { (from, to) } else { (to, from) };
                    wires.at[left.row].push(wires.all.len());
                    wires.at[right.row].push(wires.all.len());
                    wires.all.push(Wire { arrow: i, left, right, rightwards, channel: 0 });
                }
                (Some(end), None) | (None, Some(end)) => wires.loose[end.row].push(i),
                (None, None) => {}
            }
        }
        wires.find_channels();
        wires
    }

    /// Gives each wire the nearest way down that is free from its first row to its last.
    fn find_channels(&mut self) {
        let mut used: Vec<[u32; MOST_CHANNELS]> = vec![[0; MOST_CHANNELS]; self.channels.len()];
        for row in 0..self.at.len() {
            for &wire in &self.at[row] {
                let Wire { left, right, channel, .. } = &mut self.all[wire];
                if left.row.min(right.row) == row {
                    let lane = &mut used[left.lane];
                    *channel = lane.iter().position(|&n| n == 0).unwrap_or(MOST_CHANNELS - 1);
                    lane[*channel] += 1;
                    let most = &mut self.channels[left.lane];
                    *most = (*most).max(*channel + 1);
                }
            }
            for &wire in &self.at[row] {
                let Wire { left, right, channel, .. } = &self.all[wire];
                if left.row.max(right.row) == row {
                    used[left.lane][*channel] -= 1;
                }
            }
        }
    }
}
