//! The calls: a bar or a mark on the lifeline, words beside it, and more of them for the mouse.

use super::figure::Figure;
use super::measures::{FONT, LINE, SMALL, TIP, columns, role, role_ink, room};
use super::side::Side;
use super::words::{Label, tag_width};
use crate::Call;
use crate::ink::{DIM, ERROR, Ink, LINE as THIN, PAPER, RAISED, WAIT, WAITED};
use crate::shapes::{
    Anchor, Drawing, Element, Fill, Path, Point, circle, group, line, path, rect, text,
};
use netplay_record::Kind;
use netplay_text::say;
use netplay_text::words::{duration, grouped};

/// Half as wide as a bar.
const BAR: f64 = 4.5;
/// Half as high as a torn strip.
const STRIP: f64 = 7.0;
/// The pattern of a bar that is call upon call.
pub(super) const AGAIN: &str = "again";

impl Figure<'_> {
    /// Words that stand where time is left out are drawn later, [over](Figure::draw_words_over_breaks) the torn strip.
    pub(super) fn draw_calls(&self, out: &mut Drawing) {
        let mut labels = self.labels.iter().peekable();
        for (i, call) in self.timeline.calls.iter().enumerate() {
            let note = if call.record.kind == Kind::Note { "note" } else { "call" };
            let failed = if call.failed() { " failed" } else { "" };
            let class = format!("{note} {}{failed}", role(&self.timeline.lanes[call.lane]));
            out.group(group(&class).title(&self.tooltip(call)), |out| {
                self.draw_mark(out, i);
                while let Some(label) = labels.next_if(|label| label.call == i) {
                    if !self.is_over_a_break(label) {
                        self.draw_label(out, label);
                    }
                }
            });
        }
    }

    pub(super) fn draw_words_over_breaks(&self, out: &mut Drawing) {
        for label in self.labels.iter().filter(|label| self.is_over_a_break(label)) {
            let call = &self.timeline.calls[label.call];
            let what = if call.record.kind == Kind::Note { "note" } else { "words" };
            let class = format!("{what} {}", role(&self.timeline.lanes[call.lane]));
            out.group(group(&class), |out| self.draw_label(out, label));
        }
    }

    fn is_over_a_break(&self, label: &Label) -> bool {
        let reach = label.height() / 2.0 + STRIP;
        let breaks = &self.heights.breaks; // from the top to the foot
        let first = breaks.partition_point(|cut| self.middle(cut.before) <= label.y - reach);
        breaks.get(first).is_some_and(|cut| self.middle(cut.before) < label.y + reach)
    }

    /// What tells of a call when the mouse rests on it.
    fn tooltip(&self, call: &Call) -> String {
        let (name, at) = (&self.timeline.lanes[call.lane].name, self.at(call.from_ns));
        let (record, lang) = (&call.record, self.view.lang);
        if record.kind == Kind::Note {
            return format!("{name}, {at}: {}", record.asked(lang));
        }
        let times = match call.times {
            1 => String::new(),
            times => {
                let times = grouped(times);
                say!(lang, ": {times} calls, of which the last", "：{times} 次调用，最后一次是")
            }
        };
        let state = record.state.as_ref().map_or(String::new(), |state| format!("\n{state}"));
        let took = duration(call.took_ns());
        let strace = record.strace();
        say!(
            lang,
            "{name}, {at}, took {took}{times}\n{strace}{state}",
            "{name}，{at}，用时 {took}{times}\n{strace}{state}",
        )
    }

    /// Its bar, and its mark where it returned.
    fn draw_mark(&self, out: &mut Drawing, i: usize) {
        let call = &self.timeline.calls[i];
        let (x, began, returned) = (self.lanes[call.lane], self.began(i), self.returned(i));
        if self.is_bar(i) {
            let height = (returned - began).max(1.5);
            out.add(bar(call.times > 1, rect(x - BAR, began, 2.0 * BAR, height)));
        }
        let mark = match call.record.kind {
            Kind::Note => Mark::Note,
            _ if call.failed() => Mark::Failed,
            _ if call.record.ret == Some(-1) && call.times == 1 => Mark::Later,
            _ if self.is_bar(i) => return,
            _ => Mark::Done,
        };
        mark.draw(out, role_ink(&self.timeline.lanes[call.lane]), (x, returned));
    }

    /// Where a label's tag begins, if it has one, where its words begin and where they end.
    pub(super) fn across(&self, label: &Label) -> (f64, f64, f64) {
        let x = self.lanes[self.timeline.calls[label.call].lane];
        let tag = label.side.away(x, self.offset);
        let text = label.side.away(tag, label.tag_width());
        (tag, text, label.side.away(tag, label.width()))
    }

    fn draw_label(&self, out: &mut Drawing, label: &Label) {
        let (tag_x, text_x, end) = self.across(label);
        if label.is_moved() {
            let x = self.lanes[self.timeline.calls[label.call].lane];
            let mark = (label.side.away(x, TIP), label.mark);
            let leader = line(mark, (label.side.away(tag_x, -2.0), label.y));
            out.add(leader.class("leader").stroke(THIN, 1.0));
        }
        let (top, tag_alone) = (label.y - label.height() / 2.0, label.is_tag_alone());
        if !tag_alone {
            // What lies below the words is seen through their ground.
            let (left, width) = (text_x.min(end), (end - text_x).abs());
            let ground = rect(left - 1.0, top + 1.0, width + 2.0, label.height() - 2.0);
            out.add(ground.fill(PAPER).opacity(0.8));
        }
        if let Some(tag) = &label.tag {
            draw_tag(out, tag, (tag_x.min(label.side.away(tag_x, tag_width(tag))), label.y));
        }
        if !tag_alone {
            self.draw_words(out, label, (text_x, top + LINE / 2.0 + 4.0));
        }
    }

    /// The lines of a label, the first of them at this point.
    fn draw_words(&self, out: &mut Drawing, label: &Label, (x, y): Point) {
        let call = &self.timeline.calls[label.call];
        if label.time.is_empty() {
            let said = format!("{}{}", label.asked, label.answered);
            out.add(said_of(call, run(&said, label.side, (x, y))));
        } else {
            // Three texts, for not every program can place runs of one text that ends at a point.
            let mut parts = [(&label.asked, false), (&label.time, true), (&label.answered, false)];
            if label.side == Side::Left {
                parts.reverse();
            }
            let mut before = 0.0;
            for (said, is_time) in parts.into_iter().filter(|(said, _)| !said.is_empty()) {
                let run = run(said, label.side, (label.side.away(x, before), y));
                out.add(if is_time { time(run) } else { said_of(call, run) });
                before += room(said, FONT);
            }
        }
        for (said, nth) in label.more.iter().zip(1u8..) {
            let y = y + LINE * f64::from(nth);
            out.add(said_of(call, run(said, label.side, (x, y))));
        }
    }
}

/// Words that stand on this side of their point.
fn run(said: &str, side: Side, (x, y): Point) -> Element<'_> {
    // No two programs agree on spaces that lead a text.
    let trimmed = said.trim_start();
    match side {
        Side::Left => text(x, y, trimmed).anchor(Anchor::End),
        Side::Right => text(x + columns(said.len() - trimmed.len(), FONT), y, trimmed),
    }
}

fn said_of<'a>(call: &Call, words: Element<'a>) -> Element<'a> {
    match call.record.kind {
        Kind::Note => words.italic().fill(DIM),
        _ if call.failed() => words.fill(ERROR),
        _ => words,
    }
}

fn time(words: Element<'_>) -> Element<'_> {
    words.class("time").bold().fill(WAIT)
}

/// The look of a bar: of one call, or of call upon call.
pub(super) fn bar(again: bool, place: Element<'_>) -> Element<'_> {
    let bar = match again {
        true => place.class("bar again").fill(Fill::Pattern(AGAIN)),
        false => place.class("bar").fill(WAITED),
    };
    bar.stroke(WAIT, 1.3)
}

/// The state of TCP in a box; `y` is its middle.
pub(super) fn draw_tag(out: &mut Drawing, tag: &str, (left, y): Point) {
    let width = tag_width(tag);
    let frame = rect(left, y - 6.5, width, 13.0).rounded(3.0);
    out.add(frame.fill(RAISED).stroke(DIM, 1.0));
    let state = text(left + width / 2.0, y + 3.5, tag).class("small tag").size(SMALL);
    out.add(state.anchor(Anchor::Middle));
}

/// What stands on a lifeline where a call returned.
pub(super) enum Mark {
    Done,
    /// It ended without a result, as it may.
    Later,
    Failed,
    Note,
}

impl Mark {
    pub(super) fn draw(self, out: &mut Drawing, ink: Ink, at @ (x, y): Point) {
        match self {
            Mark::Done => out.add(circle(at, 3.0).class("mark").fill(ink).stroke(ink, 1.0)),
            Mark::Later => out.add(circle(at, 3.5).class("mark").fill(PAPER).stroke(WAIT, 1.6)),
            Mark::Failed => {
                let one = Path::at((x - 4.0, y - 4.0)).line_by(8.0, 8.0);
                let cross = one.move_to((x + 4.0, y - 4.0)).line_by(-8.0, 8.0);
                out.add(path(&cross).class("mark").fill(Fill::None).stroke(ERROR, 2.2));
            }
            Mark::Note => {
                let upper = Path::at((x - 4.0, y)).line_by(4.0, -4.0).line_by(4.0, 4.0);
                let square = upper.line_by(-4.0, 4.0).close();
                out.add(path(&square).class("mark").fill(PAPER).stroke(ink, 1.0));
            }
        }
    }
}
