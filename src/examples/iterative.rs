//! # Iterative: one request at a time
//!
//! ```text
//!            UDP (default)                          TCP (--tcp)
//!   ┌▶ recvfrom   one datagram             ┌▶ accept     one connection
//!   │  work                                │  recv ─ work ─ send, as long as it lasts
//!   └─ sendto                              └─ close
//! ```
//!
//! An iterative server finishes with one client before it looks at the next. Over UDP that is the
//! time of one request, which is why DNS and NTP servers can be built so. Over TCP it is the time
//! of a whole *connection*: a client that connects and says nothing keeps everybody waiting, though
//! all of them are connected. `--work MS` makes a request take time.
//!
//! Both loops stand on earlier pages. The other models differ in one thing only: what happens
//! between one client and the next.

use anyhow::Result;
use clap::Args;

use super::row::{self, Example, Place, Purpose};
use super::script::{self, Demo};
use super::{tcp_echo, udp_echo};
use crate::client::ClientArgs;
use crate::server::{Reply, ServerArgs, Stats};
use crate::stop::Stop;

/// Serves one datagram, or one connection, after the other.
pub fn serve(args: &ServerArgs, options: &Options, stop: &Stop) -> Result<Stats> {
    match options.tcp {
        true => tcp_echo::serve(&over_tcp(args), stop),
        false => udp_echo::serve(args, stop),
    }
}

/// With a stamp as it is over TCP, if a stamp is the answer.
fn over_tcp(args: &ServerArgs) -> ServerArgs {
    let mut args = args.clone();
    if let Some(Reply::Stamp(stamp)) = &mut args.reply {
        *stamp = tcp_echo::STAMP;
    }
    args
}

/// The client of either kind: being served in turn is nothing that a client can see, but for the time.
pub fn client(args: &ClientArgs, options: &Options) -> Result<()> {
    match options.tcp {
        true => tcp_echo::client(args),
        false => udp_echo::client(args),
    }
}

/// The option of both sides.
#[derive(Debug, Args)]
pub struct Options {
    /// Serve TCP connections instead of UDP datagrams
    #[arg(long)]
    tcp: bool,
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "iterative",
    short: None,
    summary: "one request at a time: over UDP a datagram, over TCP a whole connection",
    watch: "client B is connected at once, by the kernel; but its answer comes only when A is gone",
    place: Place::Internet,
    purpose: Purpose::Echo,
    at_once: row::AtOnce::One,
    reply: Some(Reply::Stamp(udp_echo::STAMP)),
    server: Some(&row::Server(serve)),
    client: &row::Client(client),
    tools: &[],
    demo: Demo { server: &["--tcp"], client: &["--tcp"], steps: script::WAITS },
    next: None,
    lesson: "iterative",
};
