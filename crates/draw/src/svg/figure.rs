//! A picture, measured and placed: how far down everything stands, then how far to the right.

use super::measures::{AXIS, FONT, HEAD, HEADS, LINE, LOST, MARGIN, SMALL, TITLE, UNIT, columns};
use super::side::Side;
use super::words::{self, Label, answer, head_width};
use crate::rows::{Heights, Rows, spread};
use crate::words::on_arrow;
use crate::{Arrow, Timeline, Tip, View};
use netplay_record::Kind;
use netplay_text::columns::width as wide;
use netplay_text::words::duration;

/// Room for an arrow and its words between two lifelines.
const ARROW_ROOM: f64 = 160.0;
/// Lanes and labels are as wide as they need to be, unless all together would be wider than this.
const WIDEST: f64 = 2_400.0;
/// How far from its lifeline a label begins, if one has been moved.
const MOVED: f64 = 26.0;
/// A note is broken into lines of as many columns; of fewer, where there is little room.
const NOTE: usize = 40;
const NARROW_NOTE: usize = 22;
/// But no lane is narrower than this.
const NARROWEST: f64 = 140.0;

pub(super) struct Figure<'a> {
    pub(super) timeline: &'a Timeline,
    pub(super) view: &'a View,
    pub(super) rows: Rows,
    pub(super) heights: Heights,
    /// The lifelines.
    pub(super) lanes: Vec<f64>,
    pub(super) labels: Vec<Label>,
    /// How far from its lifeline a label begins.
    pub(super) offset: f64,
    /// Where the last lifeline ends.
    pub(super) foot: f64,
    pub(super) width: f64,
    /// The name of the strip where time is left out.
    pub(super) cut: &'static str,
}

impl<'a> Figure<'a> {
    pub(super) fn of(timeline: &'a Timeline, view: &'a View) -> Figure<'a> {
        let rows = Rows::of(timeline);
        let mut heights = rows.heights(view.time, UNIT);
        heights.of_rows.iter_mut().for_each(|y| *y += HEADS + HEAD);
        let foot = HEADS + HEAD + heights.height;
        let (lanes, labels) = (Vec::new(), Vec::new());
        let (offset, width, cut) = (0.0, 0.0, "cut");
        let mut figure =
            Figure { timeline, view, rows, heights, lanes, labels, offset, foot, width, cut };
        figure.labels = figure.all_labels();
        figure.break_notes();
        figure.place_down();
        figure.place_across();
        figure
    }

    /// The height of the row in which a call began, and of the one in which it returned.
    pub(super) fn began(&self, call: usize) -> f64 {
        self.heights.of_rows[self.rows.began[call]]
    }

    pub(super) fn returned(&self, call: usize) -> f64 {
        self.heights.of_rows[self.rows.returned[call]]
    }

    /// A bar: it is long enough to be seen as one.
    pub(super) fn is_bar(&self, call: usize) -> bool {
        self.rows.began[call] != self.rows.returned[call]
    }

    pub(super) fn summary(&self) -> String {
        words::summary(self.timeline, self.view.lang)
    }

    /// Towards the others.
    pub(super) fn outward(&self, tip: &Tip) -> Side {
        Side::towards_others(&self.timeline.lanes[tip.lane])
    }

    /// What an arrow says, in a word.
    pub(super) fn arrow_word(&self, arrow: &Arrow) -> String {
        on_arrow(&self.timeline.calls, arrow, self.view.lang)
    }

    /// What is to be said, and on which side.
    fn all_labels(&self) -> Vec<Label> {
        let mut labels = Vec::with_capacity(self.rows.rows.len());
        for (call, side) in Side::of_calls(self.timeline).into_iter().enumerate() {
            self.label(call, side, &mut labels);
        }
        labels
    }

    /// What is to be said of a call: of one that is a long bar, what it asked at its beginning, the answer at its end.
    fn label(&self, i: usize, side: Side, labels: &mut Vec<Label>) {
        let call = &self.timeline.calls[i];
        let (began, returned) = (self.began(i), self.returned(i));
        let at = |mark| Label::at(mark, i, side);
        let asked = call.record.asked(self.view.lang);
        if call.record.kind == Kind::Note {
            let mut label = at(began);
            label.set_note(&asked, NOTE);
            labels.push(label);
            return;
        }
        let tag = call.state.clone();
        let time = if self.is_bar(i) { duration(call.took_ns()) } else { String::new() };
        let answered = led_by(" → ", answer(call, self.view.lang)).into();
        if returned - began >= LINE {
            labels.push(Label { asked: asked.into(), ..at(began) });
            labels.push(Label { tag, time: time.into(), answered, ..at(returned) });
        } else {
            let (asked, time) = (asked.into(), led_by("  ", time).into());
            labels.push(Label { tag, asked, time, answered, ..at(began) });
        }
    }

    /// Between which two lifelines a label stands: 0 is left of the first one.
    fn gap(&self, label: &Label) -> usize {
        let lane = self.timeline.calls[label.call].lane;
        if label.side == Side::Left { lane } else { lane + 1 }
    }

    /// Pushes labels apart that would overlap.
    fn place_down(&mut self) {
        let mut gaps: Vec<Vec<usize>> = vec![Vec::new(); self.timeline.lanes.len() + 1];
        for (i, label) in self.labels.iter().enumerate() {
            gaps[self.gap(label)].push(i);
        }
        let mut moved = false;
        for mut gap in gaps {
            gap.sort_by(|&a, &b| self.labels[a].mark.total_cmp(&self.labels[b].mark));
            let wanted: Vec<f64> = gap.iter().map(|&i| self.labels[i].mark).collect();
            let sizes: Vec<f64> = gap.iter().map(|&i| self.labels[i].height()).collect();
            for (i, y) in gap.into_iter().zip(spread(&wanted, &sizes, HEADS + HEAD + 4.0)) {
                let label = &mut self.labels[i];
                label.y = y;
                moved |= label.is_moved();
                self.foot = self.foot.max(y + label.height() / 2.0 + 8.0);
            }
        }
        self.offset = if moved { MOVED } else { 11.0 };
    }

    /// Breaks notes into shorter lines, where all words together would be too wide for a picture: nothing of them is cut.
    fn break_notes(&mut self) {
        self.offset = MOVED; // until the labels have their places
        if self.gaps().iter().sum::<f64>() <= WIDEST {
            return;
        }
        let record = |label: &Label| &self.timeline.calls[label.call].record;
        let is_note = |i: &usize| record(&self.labels[*i]).kind == Kind::Note;
        let notes: Vec<(usize, String)> = (0..self.labels.len())
            .filter(is_note)
            .map(|i| (i, record(&self.labels[i]).asked(self.view.lang)))
            .collect();
        for (i, said) in &notes {
            self.labels[*i].set_note(said, NARROW_NOTE);
        }
        let mut gaps = self.gaps();
        limit(&mut gaps);
        for (i, said) in &notes {
            let room = gaps[self.gap(&self.labels[*i])] - 2.0 * self.offset;
            if self.labels[*i].width() > room {
                self.labels[*i].set_note(said, (room / columns(1, FONT)) as usize);
            }
        }
    }

    /// Gives every lane the room that its words need; cuts them only where there is not enough of it.
    fn place_across(&mut self) {
        let mut gaps = self.gaps();
        limit(&mut gaps);
        for i in 0..self.labels.len() {
            let room = gaps[self.gap(&self.labels[i])] - 2.0 * self.offset;
            if self.labels[i].width() > room + 0.01 {
                self.labels[i].cut(room);
            }
        }
        let mut x = MARGIN + AXIS;
        let (last, inner) = gaps.split_last().expect("a gap is on both sides of every lane");
        for gap in inner {
            x += gap;
            self.lanes.push(x);
        }
        let said = [(&*self.view.title, TITLE), (&*self.summary(), FONT)]
            .map(|(text, size)| columns(wide(text), size) + 2.0 * MARGIN);
        let whole = x + last + MARGIN;
        self.width = whole.max(said[1]).max(said[0].min(WIDEST / 2.0)).ceil();
    }

    /// The room that is wanted left of the first lifeline, between each two, and right of the last one.
    fn gaps(&self) -> Vec<f64> {
        let lanes = &self.timeline.lanes;
        let half: Vec<f64> = lanes.iter().map(|lane| head_width(lane) / 2.0).collect();
        let of_heads = |gap: usize| {
            let left = gap.checked_sub(1).map_or(0.0, |lane| half[lane] + 6.0);
            let right = half.get(gap).map_or(0.0, |half| half + 6.0);
            let inner = gap > 0 && gap < lanes.len();
            (left + right).max(if inner { ARROW_ROOM } else { 0.0 })
        };
        let mut gaps: Vec<f64> = (0..=lanes.len()).map(of_heads).collect();
        for label in &self.labels {
            let gap = &mut gaps[self.gap(label)];
            *gap = gap.max(label.width() + 2.0 * self.offset);
        }
        for arrow in &self.timeline.arrows {
            let ((Some(tip), None) | (None, Some(tip))) = (arrow.from, arrow.to) else { continue };
            let gap = &mut gaps[tip.lane + usize::from(self.outward(&tip) == Side::Right)];
            let word = columns(wide(&self.arrow_word(arrow)), SMALL);
            *gap = gap.max(LOST + word + 30.0);
        }
        gaps
    }
}

fn led_by(sign: &str, text: String) -> String {
    if text.is_empty() { text } else { format!("{sign}{text}") }
}

/// Narrows the widest gaps, until all of them fit into the widest picture.
fn limit(gaps: &mut [f64]) {
    let mut sorted = gaps.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut left = WIDEST;
    for (i, &gap) in sorted.iter().enumerate() {
        let share = left / (sorted.len() - i) as f64;
        if gap > share {
            let most = share.max(NARROWEST);
            gaps.iter_mut().for_each(|gap| *gap = gap.min(most));
            return;
        }
        left -= gap;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_widest_gaps_are_narrowed_and_only_if_there_is_not_room_for_all() {
        let mut few = [100.0, 900.0, 1_000.0];
        limit(&mut few);
        assert_eq!(few, [100.0, 900.0, 1_000.0]);
        let mut more = [100.0, 900.0, 2_000.0, 2_000.0];
        limit(&mut more);
        assert_eq!(more[0], 100.0);
        assert!((more.iter().sum::<f64>() - WIDEST).abs() < 0.1, "{more:?}");
        let mut many = [500.0; 64];
        limit(&mut many);
        assert_eq!(many, [NARROWEST; 64]);
    }
}
