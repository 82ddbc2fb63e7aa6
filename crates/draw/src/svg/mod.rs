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
pub(super) mod poster;
mod side;
mod words;

use std::io::{self, Write};

use self::figure::Figure;
use self::measures::{FONT, HEAD, HEADS, MARGIN, TITLE, columns};
use super::paper::Paper;
use super::shapes::{Drawing, Element, Opening, Pattern, group, line, rect, text};
use super::{Timeline, View};
use crate::ink::{DIM, PAPER, WAIT};
use netplay_text::columns::cut;
use netplay_text::say;

/// The heads stand below as well if the picture is higher than this.
const HIGH: f64 = 1_200.0;

/// Draws the whole picture.
pub(super) fn draw(timeline: &Timeline, view: &View, to: &mut dyn Write) -> io::Result<()> {
    let figure = Figure::of(timeline, view);
    let mut out = Drawing::on(
        Paper::to(to),
        &Opening {
            title: &view.title,
            about: &figure.about(),
            width: figure.width,
            height: figure.height(),
            font: "monospace",
            size: FONT,
            patterns: &[Pattern { id: calls::AGAIN, side: 5.0, turned: 45.0, parts: &stripes() }],
            again: !figure.heights.breaks.is_empty(),
        },
    );
    figure.draw(&mut out);
    out.hand_on()
}

/// What fills the bar of calls that are repeated.
fn stripes() -> [Element<'static>; 2] {
    [rect(0.0, 0.0, 5.0, 5.0).fill(PAPER), line((0.0, 0.0), (0.0, 5.0)).stroke(WAIT, 3.0)]
}

impl Figure<'_> {
    /// All of it, from its title to its legend.
    fn draw(&self, out: &mut Drawing) {
        self.draw_title(out);
        self.draw_axis(out);
        self.draw_lifelines(out);
        self.draw_arrows(out);
        self.draw_calls(out);
        self.draw_breaks(out);
        self.draw_words_over_breaks(out);
        self.draw_arrow_words(out);
        self.draw_heads(out, HEADS);
        if self.has_heads_again() {
            self.draw_heads(out, self.foot);
        }
        let legend = self.legend();
        out.group(group("legend").moved(MARGIN, self.below()), |out| out.append(legend.drawing()));
    }

    fn has_heads_again(&self) -> bool {
        self.foot > HIGH
    }

    /// Where the legend begins.
    fn below(&self) -> f64 {
        self.foot + if self.has_heads_again() { HEAD + 12.0 } else { 0.0 } + 20.0
    }

    fn height(&self) -> f64 {
        (self.below() + self.legend().height() + MARGIN).ceil()
    }

    /// The picture in words.
    fn about(&self) -> String {
        let lanes =
            self.timeline.lanes.iter().map(|lane| format!("{} ({})", lane.name, lane.detail));
        let summary = self.summary();
        let lang = self.view.lang;
        let lanes = lanes.collect::<Vec<_>>().join(lang.pick(", ", "、"));
        say!(
            lang,
            "A timeline, downwards: {summary}. Its lifelines, from left to right: {lanes}. Also available as text.",
            "自上而下的时间线：{summary}。从左到右的生命线：{lanes}。也有文本形式。",
        )
    }

    /// What stands above everything.
    fn draw_title(&self, out: &mut Drawing) {
        let room = ((self.width - 2.0 * MARGIN) / columns(1, TITLE)) as usize;
        let title = cut(&self.view.title, room, "…");
        let sans = |y, words| text(MARGIN, y, words).font("sans-serif");
        out.add(sans(30.0, &title).class("title").size(TITLE).bold());
        out.add(sans(50.0, &self.summary()).fill(DIM));
    }
}
