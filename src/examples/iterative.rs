//! # Iterative: one request at a time
//!
//! ```text
//!            UDP (default)                          TCP (--tcp)
//!   ┌▶ recvfrom   one datagram             ┌▶ accept     one connection
//!   │  work                                │  recv ─ work ─ send, as long as it lasts
//!   └─ sendto                              └─ close
//! ```
//!
//! An iterative server finishes with one client before it looks at the next. Over UDP that takes the
//! time of one request, so DNS and NTP servers can be built like this. Over TCP it takes the time
//! of a whole *connection*: a client that connects and sends nothing makes all others wait, although
//! they are connected. `--work MS` makes a request take time.
//!
//! The loop over connections is below, the loop over datagrams in udp_echo.rs. The other models differ in one
//! thing only: what happens between one client and the next.

use anyhow::Result;
use clap::Args;

use super::row::{self, Both, Example, Place, Purpose};
use super::script::{self, Demo};
use super::tcp_echo::{self, echo};
use super::udp_echo;
use crate::admission::OneAtATime;
use crate::call::{self, Domain, IPV6_V6ONLY, SO_REUSEADDR, TcpListener, Type};
use crate::client::ClientArgs;
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::Stop;

/// Serves one datagram, or one connection, after the other.
pub fn serve(args: &ServerArgs, options: &Options, stop: &Stop) -> Result<Stats> {
    if !options.tcp {
        return udp_echo::serve(args, stop); // recvfrom, work, sendto: one datagram after the other
    }
    let args = &over_tcp(args);
    let address = args.endpoint.resolve()?;
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    if let Some(alone) = server::v6_alone(address, args.endpoint.family) {
        call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
    }
    call::bind(&socket, address)?;
    let listener: TcpListener = call::listen(socket, args.backlog)?;
    server::announce("tcp", call::getsockname(&listener)?)?;

    let mut clients = OneAtATime::new(args, stop, &listener);
    while let Some((peer, client)) = clients.next(|| call::accept(&listener))? {
        // There is no accept until this client has gone: the others wait in the listener's queue.
        let served = echo(&peer, &mut clients.session);
        clients.finish(client, served.and(call::close(peer)));
    }
    let stats = clients.end();
    call::close(listener)?;
    Ok(stats)
}

/// If the answer is a stamp, then the one that TCP servers send.
fn over_tcp(args: &ServerArgs) -> ServerArgs {
    let mut args = args.clone();
    if let Some(Reply::Stamp(stamp)) = &mut args.reply {
        *stamp = tcp_echo::STAMP;
    }
    args
}

/// The client for either transport. It notices only by its waiting time that clients are served in turn.
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
    summary: Both {
        en: "one request at a time: over UDP a datagram, over TCP a whole connection",
        zh: "一次处理一个请求：UDP 上是一个数据报，TCP 上是整个连接",
    },
    watch: Both {
        en: "the kernel connects client B at once, but B gets its answer only after A has left",
        zh: "内核立刻为客户端 B 建立连接，但要等 A 离开以后，B 才得到回答",
    },
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
