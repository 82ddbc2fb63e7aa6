//! The SVG picture: a figure as in a textbook. Lifelines side by side, time downwards, calls beside their
//! lifelines, arrows between them.
//!
//! ```text
//! figure   where everything stands, with the room that its words need (words, side, measures)
//!    │
//!    ▼     from the back to the front:
//! axis ─ lanes ─ arrows ─ calls ─ the words of arrows ─ legend
//! ```
//!
//! It is one file that asks for no other. Colours only repeat what shapes and words say; classes only say
//! what a thing is.

mod arrow_words;
mod arrows;
mod axis;
mod calls;
mod figure;
mod lanes;
mod legend;
mod measures;
mod side;
mod words;

use self::figure::Figure;
use self::measures::{FONT, HEAD, HEADS, MARGIN, TITLE, columns};
use super::shapes::{Drawing, Opening, Pattern, group, line, rect, text};
use super::{Timeline, View};
use crate::ink::{DIM, PAPER, WAIT};
use netplay_text::columns::cut;
use netplay_text::say;

/// The heads stand below as well if the picture is higher than this.
const HIGH: f64 = 1_200.0;

/// The whole picture.
pub(super) fn picture(timeline: &Timeline, view: &View) -> String {
    let figure = Figure::of(timeline, view);
    let legend = figure.legend();
    let heads_again = figure.foot > HIGH;
    let below = figure.foot + if heads_again { HEAD + 12.0 } else { 0.0 } + 20.0;
    let mut out = figure.begin((below + legend.height() + MARGIN).ceil());
    figure.draw_axis(&mut out);
    figure.draw_lifelines(&mut out);
    figure.draw_arrows(&mut out);
    figure.draw_calls(&mut out);
    figure.draw_breaks(&mut out);
    figure.draw_arrow_words(&mut out);
    figure.draw_heads(&mut out, HEADS);
    if heads_again {
        figure.draw_heads(&mut out, figure.foot);
    }
    out.group(group("legend").moved(MARGIN, below), |out| out.append(legend.drawing()));
    out.finish()
}

impl Figure<'_> {
    /// The paper, and what stands above everything.
    fn begin(&self, height: f64) -> Drawing {
        let lanes =
            self.timeline.lanes.iter().map(|lane| format!("{} ({})", lane.name, lane.detail));
        let summary = self.summary();
        let lang = self.view.lang;
        let lanes = lanes.collect::<Vec<_>>().join(lang.pick(", ", "、"));
        let about = say!(
            lang,
            "A timeline, downwards: {summary}. Its lifelines, from left to right: {lanes}. Also available as text.",
            "自上而下的时间线：{summary}。从左到右的生命线：{lanes}。也有文本形式。",
        );
        let stripes =
            [rect(0.0, 0.0, 5.0, 5.0).fill(PAPER), line((0.0, 0.0), (0.0, 5.0)).stroke(WAIT, 3.0)];
        let mut out = Drawing::new(&Opening {
            title: &self.view.title,
            about: &about,
            width: self.width,
            height,
            font: "monospace",
            size: FONT,
            patterns: &[Pattern { id: calls::AGAIN, side: 5.0, turned: 45.0, parts: &stripes }],
            again: !self.heights.breaks.is_empty(),
        });
        let room = ((self.width - 2.0 * MARGIN) / columns(1, TITLE)) as usize;
        let title = cut(&self.view.title, room, "…");
        let sans = |y, words| text(MARGIN, y, words).font("sans-serif");
        out.add(sans(30.0, &title).class("title").size(TITLE).bold());
        out.add(sans(50.0, &summary).fill(DIM));
        out
    }
}
