//! Other people's programs: every socket call that they make, without a change to them.
//!
//! ```text
//! server.py ── recvfrom ──▶ │ filter │ ── stop ──▶ tracer ── decode ──▶ Call ──▶ Event
//! client    ── connect ───▶ │ filter │ ── stop ──▶    │
//!           ── mmap ──────▶ │ filter │ (no stop)      one clock, one order
//! ```
//!
//! A program in any language makes the same system calls. So its calls become the same records as those of our own pages
//! ([`netplay_record`]), and all that is said about records (sentences, pictures, rules) holds for them as well.
//! Nothing is compiled again, and no root is needed: a parent may trace its children (ptrace(2)), and a seccomp filter lets
//! everything that is no such call run untouched.
//!
//! ```
//! use netplay_watch::{Seen, Settings, Tracer, Turn};
//!
//! let mut tracer = Tracer::new(Settings::default())?;
//! let command = ["python3", "-c", "import socket; socket.socket().close()"];
//! match tracer.start(&command.map(Into::into)) {
//!     Ok(_) => {}
//!     Err(error) => return Ok(println!("{error}")), // not here, or not allowed
//! }
//! while tracer.turn() != Turn::Over {
//!     for seen in tracer.take() {
//!         if let Seen::Record { event, .. } = seen {
//!             println!("{}", event.strace());
//!         }
//!     }
//! }
//! // socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 3
//! // close(3) = 0
//! # Ok::<(), std::io::Error>(())
//! ```

#![expect(clippy::disallowed_methods, reason = "the tracer's own calls are not those of a program")]

mod allowed;
pub mod conduct;
mod decode;
mod filter;
mod memory;
mod observe;
mod process;
mod registers;
mod request;
mod seen;
mod start;
mod syscall;
mod tracer;
mod twist;
mod wait;
mod words;

pub use allowed::{Forbidden, allowed, way_out_for, yama};
pub use seen::{Program, Seen, Status, Turn};
pub use start::{Launch, StartError, StartFailure, name};
pub use tracer::{Settings, Tracer};
pub use twist::Twist;
