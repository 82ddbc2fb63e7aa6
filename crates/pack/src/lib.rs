//! A run as one file to hand in, and everything about that file that can be recomputed.
//!
//! ```text
//! traces ── hide ──▶ trace-1.jsonl …   each record in one form, without passwords
//!                    page.html         the timeline              made from the traces
//!                    review.json       the causes of mistakes    made from the traces
//!                    about.json        token, command, machine, versions
//!                    manifest.json     size and SHA-256 of each of these
//!                       │
//!                       ▼ verify
//! archive   the members, bounded in size, against the manifest
//! check/    each record by itself, then together: clocks, threads, processes, descriptors, states, bytes at both ends
//! remake    page and review once more, byte for byte
//! same      which packs are of one run
//! ```
//!
//! A pack has no key and no signature, because the program that would sign runs on the student's own machine. So
//! the manifest only finds accidents. What finds changes is that the records contradict each other: a system call leaves
//! traces in the calls of its thread, in the life of its descriptor and at the other end of its connection.
//!
//! A check accuses only where the records prove that they cannot have happened as they stand: an honest trace that is
//! refused is worse than a change that is not found. What no file can prove is said with each result ([`UNPROVEN`]).
//!
//! ```
//! use netplay_pack::{Claims, pack, verify};
//!
//! let record = r#"{"v":1,"kind":"call","start_ns":5,"dur_ns":2,"wall":"2026-11-29T20:00:00.000000+00:00","pid":7,"tid":7,
//!     "role":"server","example":"tcp-echo","call":"socket","syscall":"socket","fd":null,
//!     "args":"AF_INET, SOCK_STREAM, IPPROTO_IP","ret":3,"errno":null,"bytes":null,"data":null,"local":null,"peer":null}"#;
//! let traces = [("run.jsonl".to_owned(), record.replace('\n', "").into_bytes())];
//! let packed = pack(&traces, Claims { token: Some("group 5".into()), ..Claims::default() })?;
//! let verified = verify(&packed.bytes)?;
//! assert!(verified.faults.is_empty());
//! assert_eq!(verified.about.token.as_deref(), Some("group 5"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![expect(
    clippy::vec_box,
    reason = "a timeline takes records as they are read, each in a box of its own"
)]

mod about;
mod archive;
mod check;
mod error;
mod fault;
mod hide;
mod make;
mod manifest;
mod remake;
mod run;
mod same;
mod verify;

pub use about::{About, Claims, Machine, Program, Source};
pub use check::Compared;
pub use error::{Damage, PackError};
pub use fault::{Fault, Place, Rule};
pub use make::{Packed, pack};
pub use same::{Prints, Same, same};
pub use verify::{UNPROVEN, Verified, verify};

/// So many bytes all members of a pack have at most, unpacked. A larger run is refused when it is packed, and no file makes
/// `verify` unpack more.
pub const MOST: u64 = 512 << 20;

/// So many bytes a pack has at most as a file.
pub const MOST_PACKED: u64 = 128 << 20;

/// So many traces a pack has at most.
pub const MOST_TRACES: usize = 64;
