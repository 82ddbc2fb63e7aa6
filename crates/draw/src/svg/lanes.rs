//! The lifelines, and the boxes with their names.

use super::figure::Figure;
use super::measures::{AXIS, FONT, HEAD, HEADS, MARGIN, SMALL, columns, role, role_ink};
use super::words::head_width;
use crate::ink::{DIM, Ink, LINE as THIN, RAISED};
use crate::shapes::{Anchor, Drawing, Element, group, line, rect, text};
use crate::{Call, Lane};
use netplay_text::columns::cut;

impl Figure<'_> {
    /// From the first record of a lane to its last it is known to live; before and after, nothing is known.
    pub(super) fn draw_lifelines(&self, out: &mut Drawing) {
        let lives = self.lives();
        for ((lane, &x), life) in self.timeline.lanes.iter().zip(&self.lanes).zip(lives) {
            let whole = line((x, HEADS + HEAD), (x, self.foot));
            if lane.thread.is_none() {
                out.add(unseen(whole, role_ink(lane)).class("unseen"));
                continue;
            }
            out.add(whole.stroke(THIN, 1.3).dashes("1 3"));
            if let Some((from, to)) = life {
                let class = format!("life {}", role(lane));
                out.add(line((x, from), (x, to)).class(&class).stroke(role_ink(lane), 1.6));
            }
        }
    }

    /// From where to where each lane is known to live.
    fn lives(&self) -> Vec<Option<(f64, f64)>> {
        let mut lives: Vec<Option<(f64, f64)>> = vec![None; self.lanes.len()];
        for (i, Call { lane, .. }) in self.timeline.calls.iter().enumerate() {
            let (began, returned) = (self.began(i), self.returned(i));
            let life = lives[*lane].get_or_insert((began, returned));
            *life = (life.0.min(began), life.1.max(returned));
        }
        lives
    }

    /// As wide as their words, where there is room on both sides.
    fn head_widths(&self) -> Vec<f64> {
        let (lanes, heads) = (&self.lanes, &self.timeline.lanes);
        let wanted: Vec<f64> = heads.iter().map(head_width).collect();
        // Half of what one of two neighbours can have.
        let beside = |i: usize, other: usize| {
            let gap = (lanes[i] - lanes[other]).abs() - 10.0;
            (gap - wanted[other] / 2.0).max(gap / 2.0)
        };
        let half = |i: usize| {
            let left = i.checked_sub(1).map_or(lanes[i] - MARGIN - AXIS, |left| beside(i, left));
            let right = i + 1;
            let end = self.width - MARGIN - lanes[i];
            let right = if right < lanes.len() { beside(i, right) } else { end };
            (wanted[i] / 2.0).min(left).min(right)
        };
        (0..lanes.len()).map(|i| 2.0 * half(i)).collect()
    }

    pub(super) fn draw_heads(&self, out: &mut Drawing, y: f64) {
        let places = self.lanes.iter().zip(self.head_widths());
        for (lane, (&x, width)) in self.timeline.lanes.iter().zip(places) {
            draw_head(out, lane, (x, y), width);
        }
    }
}

/// The box of a lane, with its name and what there is to say about it; `x` is its middle.
fn draw_head(out: &mut Drawing, lane: &Lane, (x, y): (f64, f64), width: f64) {
    let (outside, dashes) = if lane.thread.is_none() { (" outside", "5 4") } else { ("", "") };
    let class = format!("head {}{outside}", role(lane));
    let title = format!("{}: {}", lane.name, lane.detail);
    let fitting = |text, size| cut(text, ((width - 8.0) / columns(1, size)) as usize, "…");
    out.group(group(&class).title(&title).anchor(Anchor::Middle), |out| {
        let frame = rect(x - width / 2.0, y, width, HEAD).rounded(4.0).fill(RAISED);
        out.add(frame.stroke(role_ink(lane), 1.5).dashes(dashes));
        out.add(text(x, y + 14.5, &fitting(&lane.name, FONT)).bold());
        let detail = fitting(&lane.detail, SMALL);
        out.add(text(x, y + 27.5, &detail).class("small").size(SMALL).fill(DIM));
    });
}

/// The look of the lifeline of a side that has no trace.
pub(super) fn unseen(lifeline: Element<'_>, ink: Ink) -> Element<'_> {
    lifeline.stroke(ink, 1.3).dashes("7 6")
}
