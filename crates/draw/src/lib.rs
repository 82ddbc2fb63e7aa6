//! The timeline: the records of several processes on one clock, and pictures of it.
//!
//! ```text
//! trace files ── read ──▶ records ── Timeline::new ──▶ lanes, calls, arrows ──▶ text · svg · html · md · json · pcapng · pftrace
//!                                      fold:    what a picture leaves out, and counts
//!                                      sockets: which socket a descriptor was, at each time
//!                                      arrows:  which send a recv took its bytes from
//!                                      rows:    what stands at which height
//!                                      words:   what stands beside it
//!                                      paper:   where a long picture goes while it is drawn
//! ```
//!
//! All processes of one host read the same CLOCK_MONOTONIC, so their records need no adjustment; for two hosts the traffic
//! between them says how far their clocks are apart ([`clocks`]). Only
//! what was recorded is drawn: a side without a trace is a lane that says so.
//!
//! ```no_run
//! use std::collections::HashMap;
//!
//! use netplay_draw::{Format, Time, Timeline, View, read::read};
//! use netplay_text::lang::Lang;
//!
//! let traces = ["server.jsonl".into(), "client.jsonl".into()];
//! let timeline = Timeline::new(read(&traces)?.records, &HashMap::new());
//! for arrow in &timeline.arrows {
//!     println!("{:?} from {:?} to {:?}", arrow.kind, arrow.from, arrow.to);
//! }
//! let (title, time, lang) = ("tcp-echo".into(), Time::default(), Lang::En);
//! let view = View { title, time, columns: 100, ascii: false, color: false, lang };
//! print!("{}", timeline.picture(Format::Text, &view));
//! # Ok::<(), netplay_draw::read::ReadError>(())
//! ```

use std::io::{self, Write};

mod acts;
mod arrows;
mod calls;
pub mod clocks;
mod fold;
mod growing;
mod html;
pub mod ink;
mod left_out;
pub mod live;
mod markdown;
mod messages;
mod on_the_way;
pub mod page;
mod page_words;
mod paper;
mod pcapng;
mod pftrace;
mod pool;
mod preface;
pub mod read;
mod rows;
pub mod shapes;
mod sockets;
mod svg;
mod text;
mod timeline;
mod view;
mod words;

pub use acts::Acts;
pub use arrows::{Arrow, ArrowKind, Tip};
pub use calls::{Call, Lane};
pub use left_out::LeftOut;
pub use preface::Preface;
pub use rows::{Break, Heights, Part, Row, Rows, Time};
pub use svg::poster::{Block, poster};
pub use timeline::{Timeline, Unfitting, Witness};
pub use view::{Format, View};
pub use words::headline;

impl Timeline {
    /// The picture, whole, in a format that is text.
    ///
    /// # Panics
    /// The format is not text: [`Format::is_text`]. Such a picture is [`drawn`](Timeline::drawn).
    #[must_use]
    pub fn picture(&self, format: Format, view: &View) -> String {
        String::from_utf8(self.drawn(format, view)).expect("the format is text")
    }

    /// The picture, whole, in any format.
    #[must_use]
    pub fn drawn(&self, format: Format, view: &View) -> Vec<u8> {
        let mut picture = Vec::new();
        self.draw(format, view, &mut picture).expect("a Vec takes everything");
        picture
    }

    /// Draws the picture there, in pieces: one of a long trace is longer than the trace.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn draw(&self, format: Format, view: &View, to: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Text => text::draw(self, view, to),
            Format::Svg => svg::draw(self, view, to),
            Format::Html => html::draw(self, view, &Preface::default(), to),
            Format::Markdown => to.write_all(markdown::picture(self, view).as_bytes()),
            Format::Pcapng => pcapng::draw(self, view, to),
            Format::Pftrace => pftrace::draw(self, view, to),
            Format::Json => {
                serde_json::to_writer_pretty(&mut *to, self)?;
                to.write_all(b"\n")
            }
        }
    }

    /// Draws the page to step through, with what is to be said above it.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn page(&self, view: &View, preface: &Preface, to: &mut dyn Write) -> io::Result<()> {
        html::draw(self, view, preface, to)
    }
}
