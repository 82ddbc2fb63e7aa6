//! Text for people: [`escape`] makes foreign bytes safe to show, [`columns`] measures and wraps
//! text, [`lang`] chooses between English and Chinese, [`words`] writes numbers, counts and times, [`table`] writes
//! tables, and [`tcp`] names the states of a connection.
//!
//! ```
//! use netplay_text::{columns::width, escape::escape};
//!
//! assert_eq!(escape(b"\x1b[2J and \n"), "\\x1b[2J and \\n");
//! assert_eq!(width("\u{4e16}\u{754c}"), 4);
//! ```

pub mod both;
pub mod columns;
pub mod escape;
pub mod lang;
pub mod table;
pub mod tcp;
pub mod words;
