//! # epoll: the list stays in the kernel
//!
//! ```text
//!   epoll_create = 4          an empty list
//!   epoll_ctl ADD listener    and each client once, when it is accepted
//!   ┌▶ epoll_wait             sleeps until something happens, and returns only that
//!   │    the listener?        accept4 = 5, epoll_ctl ADD 5
//!   │    client 5?            recv, send
//!   └─ …                      close(5) removes it from the list
//! ```
//!
//! select and poll hand the whole list to the kernel at every call, and it checks every entry. Here
//! the kernel keeps the list, and notes a socket when it becomes ready: ten thousand silent clients
//! cost a wait nothing. Watch for how rarely epoll_ctl is called: once for each client, and then only when
//! the interest changes, because the kernel did not take all bytes of an answer.
//!
//! This page opens the listener; the loop has a page of its own. By default that is level.rs: epoll is
//! *level-triggered*, so a client is ready while it has bytes to receive. `--edge` is edge.rs, and
//! `--workers N` is workers.rs: a loop in each of several threads.

mod level;
mod edge;
mod workers;

use anyhow::Result;
use clap::Args;

use super::nonblocking::{Service, set_nonblocking};
use super::row::{self, Both, Example, Place, up_to};
use super::script::{self, Demo};
use super::tcp_echo;
use crate::call::{self, Domain, IPV6_V6ONLY, SO_REUSEADDR, TcpListener, Type};
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::Stop;
use workers::Loop;

/// Serves the clients that are ready, until the stop.
pub fn serve(args: &ServerArgs, options: &Options, stop: &Stop) -> Result<Stats> {
    let serve_on: Loop = if options.edge { edge::serve_on } else { level::serve_on };
    let workers = options.workers.min(args.at_once()); // each has room for at least one client
    if workers > 1 {
        return workers::serve(workers, serve_on, args, stop);
    }
    let address = args.endpoint.resolve()?;
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    if let Some(alone) = server::v6_alone(address, args.endpoint.family) {
        call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
    }
    call::bind(&socket, address)?;
    let listener: TcpListener = call::listen(socket, args.backlog)?;
    set_nonblocking(&listener)?;
    server::announce("tcp", call::getsockname(&listener)?)?;
    serve_on(&listener, Service::new(args, stop, args.max_clients), stop)
}

/// The options of the server.
#[derive(Debug, Args)]
pub struct Options {
    /// Edge-triggered: report what has arrived once, not while it is there
    #[arg(long)]
    edge: bool,
    /// How many threads, each with a listener and a list of its own, and its share of --max-clients
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = up_to::<usize>(256))]
    workers: usize,
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "epoll",
    short: None,
    summary: Both {
        en: "the interest list stays in the kernel, and a wait returns only what is ready",
        zh: "兴趣列表留在内核里，一次等待只返回已就绪的描述符",
    },
    watch: Both {
        en: "C sends more than the buffer holds: level-triggered readiness is reported again, so \
              one recv a turn is enough",
        zh: "C 发来的比缓冲区装得下的多：水平触发会再次报告就绪，所以每轮一次 recv 就够了",
    },
    place: Place::Internet,
    purpose: row::Purpose::Echo,
    at_once: row::AtOnce::All,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&row::Server(serve)),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo {
        server: &["--bufsize=16", "--reply=echo"],
        client: &[],
        steps: script::TO_THE_LAST_BYTE,
    },
    next: Some(Both::same("netplay epoll server --edge")),
    lesson: "epoll",
};
