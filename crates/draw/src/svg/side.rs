//! On which side of its lifeline each thing stands.

use std::cmp::Ordering;

use crate::{Call, Lane, Timeline};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

impl Side {
    /// `x`, as far away as that.
    pub(super) fn away(self, x: f64, by: f64) -> f64 {
        match self {
            Side::Left => x - by,
            Side::Right => x + by,
        }
    }

    /// Where the others are: servers stand left, clients right.
    pub(super) fn towards_others(lane: &Lane) -> Side {
        if lane.acts.serves() { Side::Right } else { Side::Left }
    }

    /// Where each call has its words: where its own arrows are not, if it can be.
    pub(super) fn of_calls(timeline: &Timeline) -> Vec<Side> {
        let mut of_calls: Vec<[bool; 2]> = vec![[false; 2]; timeline.calls.len()];
        let mut of_lanes: Vec<[usize; 2]> = vec![[0; 2]; timeline.lanes.len()];
        for arrow in &timeline.arrows {
            for (tip, other) in [(arrow.from, arrow.to), (arrow.to, arrow.from)] {
                let Some(tip) = tip else { continue };
                let right = match other {
                    Some(other) => other.lane >= tip.lane,
                    None => Side::towards_others(&timeline.lanes[tip.lane]) == Side::Right,
                };
                of_lanes[tip.lane][usize::from(right)] += 1;
                if let Some(call) = tip.call {
                    of_calls[call][usize::from(right)] = true;
                }
            }
        }
        let usual = usual(&of_lanes);
        let side = |(arrows, call): (&[bool; 2], &Call)| match arrows {
            [true, false] => Side::Right,
            [false, true] => Side::Left,
            _ => usual[call.lane],
        };
        of_calls.iter().zip(&timeline.calls).map(side).collect()
    }
}

/// The side of each lifeline with fewer arrows.
fn usual(arrows: &[[usize; 2]]) -> Vec<Side> {
    let several = arrows.len() > 1;
    let side = |(lane, [left, right]): (usize, &[usize; 2])| match right.cmp(left) {
        Ordering::Greater => Side::Left,
        Ordering::Less => Side::Right,
        Ordering::Equal if lane == 0 && several => Side::Left,
        Ordering::Equal => Side::Right,
    };
    arrows.iter().enumerate().map(side).collect()
}
