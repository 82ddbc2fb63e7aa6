//! A run as it happens, in browsers of this machine: the page of a picture, which grows.
//!
//! ```text
//! tracer, demo ── Feed ──▶ keeper ── netplay_draw::live ──▶ what the page has
//!                            │ looks at sockets                 │
//!                            ▼                                  ▼
//!                          board                    server ── events ──▶ browsers
//!                                                      ◀── next, on ──
//! ```
//!
//! A record is put down and forgotten by the thread that recorded it: a watched program waits for no browser.
//! One thread, the keeper, brings the page up to date. Another one, the server, tells each browser what that browser
//! does not have yet, as fast as it reads; so a browser that reads nothing holds up nothing and fills no memory.
//!
//! ```
//! use std::time::Duration;
//!
//! use netplay_draw::{Time, View};
//! use netplay_live::Live;
//! use netplay_text::lang::Lang;
//!
//! let (title, time, lang) = ("a run".into(), Time::default(), Lang::En);
//! let view = View { title, time, columns: 80, ascii: false, color: false, lang };
//! let live = Live::serve(([127, 0, 0, 1], 0).into(), view, false)?;
//! assert!(live.url().starts_with("http://127.0.0.1:"));
//! assert!(!live.is_open_within(Duration::ZERO), "no browser has asked for it");
//! live.end();
//! # Ok::<(), std::io::Error>(())
//! ```

mod board;
mod http;
mod keeper;
mod live;
mod lock;
mod shared;
mod sockets;
mod steps;

pub use live::{Feed, Live};
pub use shared::KEPT;
pub use steps::Step;
