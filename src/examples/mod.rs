//! The table of pages, which is also the table of contents: a page may use what earlier pages
//! taught, never a later one.
//!
//! Each row is at the end of its page; [`row`] says what a row is, [`script`] what the demos do. The
//! command line, the demos and the tests read the table, so a new row appears in all of them.

pub mod value;
pub mod script;
pub mod row;
mod partner;
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

use crate::lang::Lang;
pub use partner::{Partner, its_client};
pub use row::{Both, Example, Place, Purpose, Row};

/// The table.
pub static TABLE: &[Row] = &[
    Row::Example(&tcp_echo::ROW),
    Row::Example(&udp_echo::ROW),
    Row::Example(&unix_echo::ROW),
    Row::Example(&iterative::ROW),
    Row::Example(&fork::ROW),
    Row::Example(&thread::ROW),
    Row::Example(&handler::ROW),
    Row::Example(&prefork::ROW),
    Row::Example(&pool::ROW),
    Row::Example(&nonblocking::ROW),
    models::ROW,
    Row::Example(&select::ROW),
    Row::Example(&poll::ROW),
    Row::Example(&epoll::ROW),
    Row::Example(&io_uring::ROW),
    Row::Example(&multicast::ROW),
    Row::Example(&ping::ROW),
    sockopt::ROW,
    Row::Example(&mini_ftp::ROW),
    Row::Example(&ftp::ROW),
];

/// The examples: the rows that are a server and a client.
pub fn examples() -> impl Iterator<Item = &'static Example> + Clone {
    TABLE.iter().filter_map(|row| match row {
        Row::Example(example) => Some(*example),
        Row::Command { .. } => None,
    })
}

/// What to try after the page of this name: more about it, then the next page.
#[must_use]
pub fn next(name: &str) -> String {
    let mut rows = TABLE.iter().skip_while(|row| row.name() != name);
    let lang = Lang::current();
    let own = rows.next().and_then(Row::own).map(|own| own.told(lang).to_owned());
    let both: Vec<String> = own.into_iter().chain(rows.next().map(Row::shown)).collect();
    both.join(lang.pick(", then ", "，然后 "))
}
