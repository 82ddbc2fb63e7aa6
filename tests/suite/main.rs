//! Every claim of every page, on loopback: one program, so that it is linked once and its themes share the cores.
//! `cargo test --test suite stop::` runs one theme.
//!
//! What cannot have neighbours in its process is a program of its own: `tests/cost.rs` brings an allocator, and the
//! servers of `tests/serve.rs` fork this very process, have a handler for SIGCHLD, or need low descriptors.
//! `tests/tidy` is by itself because it only reads: it is built and run while the rest is not.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test is a peer, and may panic"
)]

mod common;
mod rows;

mod bench;
mod byte_order;
mod challenge;
mod chinese;
mod cli;
mod completions;
mod demo;
mod doctor;
mod draw;
mod draw_svg;
mod draw_text;
mod elsewhere;
mod faults;
mod ftp;
mod grade;
mod grade_formats;
mod grade_table;
mod hosts;
mod install;
mod ipv6;
mod labs;
mod lessons;
mod limits;
mod live;
mod many;
mod mini_ftp;
mod models;
mod multicast;
mod pack;
mod page;
mod pages;
mod partner;
mod peers;
mod pictures;
mod ping;
mod pool;
mod review;
mod screens;
mod skipped;
mod sockopt;
mod stop;
mod strace;
mod tmux;
mod trace;
mod usage;
mod watch;
mod why;
