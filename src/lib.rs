//! # netplay: the socket playground
//!
//! Every classic socket program of a networking course, as a page to read and a program to run.
//!
//! - [`examples`]: the table, and a page an example: `tcp_echo`, `udp_echo`, `select`, …
//! - [`call`]: the door to the kernel; one function a system call, each of them recorded.
//! - [`trace`]: the record as a story for people and as JSON Lines for programs.
//! - [`models`]: the five models of I/O, one message received by each, measured.
//! - [`inspect`]: every socket of this host, and who holds it.
//! - [`byte_order`]: `htons`, `inet_aton` and the others, with the bytes in the open.
//!
//! The rest is what every server shares ([`server`], [`stop`], [`patience`], [`client`], [`address`])
//! and the people's side ([`cli`], [`demo`], [`mod@bench`]). ARCHITECTURE.md is the map.

pub use netplay_call::{self as call, descriptor, patience, stop};
pub use netplay_draw::{self as draw, ink};
pub use netplay_inspect as inspect;
pub use netplay_record as record;
pub use netplay_shared::{address, client, files, sendall, server};
pub use netplay_text::{columns, escape, lang, table, words};
pub use netplay_trace::{self as trace, output};

pub mod byte_order;
pub mod entrance;
pub mod terminal;
pub mod examples;
pub mod lesson;
pub mod child;
pub mod models;
pub mod bench;
pub mod demo;
pub mod lab;
pub mod doctor;
pub mod why;
pub mod packaging;
pub mod cli;
