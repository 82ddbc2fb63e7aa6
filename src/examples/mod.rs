//! The table of examples, which is also the table of contents: a page may use what earlier pages
//! taught, never a later one.
//!
//! Each row stands at the end of its page; [`row`] says what a row is, [`script`] what the demos do. The
//! command line, the demos and the tests read the table, and know no example by its name.

pub mod script;
pub mod row;
pub mod tcp_echo;
pub mod udp_echo;
pub mod unix_echo;
pub mod iterative;
pub mod fork;
pub mod thread;
pub mod handler;
pub mod prefork;
pub mod pool;
pub mod nonblocking;
pub mod models;
pub mod select;
pub mod poll;
pub mod epoll;
pub mod io_uring;
pub mod multicast;
pub mod ping;
pub mod sockopt;
pub mod mini_ftp;
pub mod ftp;

pub use row::{Example, Place, Service};

/// The table.
static TABLE: &[&Example] = &[
    &tcp_echo::ROW,
    &udp_echo::ROW,
    &unix_echo::ROW,
    &iterative::ROW,
    &fork::ROW,
    &thread::ROW,
    &handler::ROW,
    &prefork::ROW,
    &pool::ROW,
    &nonblocking::ROW,
    &select::ROW,
    &poll::ROW,
    &epoll::ROW,
    &io_uring::ROW,
    &multicast::ROW,
    &ping::ROW,
    &mini_ftp::ROW,
    &ftp::ROW,
];

/// All examples, in reading order.
pub fn examples() -> impl Iterator<Item = &'static Example> + Clone {
    TABLE.iter().copied()
}
