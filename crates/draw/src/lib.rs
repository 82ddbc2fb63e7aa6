//! The timeline: the records of several processes on one clock, and pictures of it.
//!
//! ```text
//! trace files ── read ──▶ records ── Timeline::new ──▶ lanes, calls, arrows ──▶ text · svg · html · md · json
//!                                      sockets: which socket a descriptor was, at each time
//!                                      arrows:  which send a recv took its bytes from
//!                                      rows:    what stands at which height
//!                                      words:   what stands beside it
//! ```
//!
//! All processes of one host read the same CLOCK_MONOTONIC, so their records need no adjustment. What
//! nobody recorded is not drawn: a side without a trace is a lane that says so.

mod arrows;
mod calls;
mod html;
pub mod ink;
mod markdown;
mod on_the_way;
pub mod page;
pub mod read;
mod rows;
pub mod shapes;
mod sockets;
mod svg;
mod text;
mod timeline;
mod view;
mod words;

pub use arrows::{Arrow, ArrowKind, Tip};
pub use calls::{Call, Lane};
pub use rows::{Break, Heights, Part, Row, Rows, Time};
pub use timeline::Timeline;
pub use view::{Format, View};
pub use words::headline;

impl Timeline {
    /// The picture, whole.
    #[must_use]
    pub fn picture(&self, format: Format, view: &View) -> String {
        match format {
            Format::Text => text::picture(self, view),
            Format::Svg => svg::picture(self, view),
            Format::Html => html::picture(self, view),
            Format::Markdown => markdown::picture(self, view),
            Format::Json => serde_json::to_string_pretty(self).expect("every key is a text") + "\n",
        }
    }
}
