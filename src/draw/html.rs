//! TODO

use super::{Timeline, View, headline};

pub(super) fn picture(timeline: &Timeline, view: &View) -> String {
    let mut text = format!("{}\n", view.title);
    for call in &timeline.calls {
        text += &format!(
            "{:>10} {:<20} {}\n",
            call.from_ns / 1000,
            timeline.lanes[call.lane].name,
            headline(call)
        );
    }
    text
}
