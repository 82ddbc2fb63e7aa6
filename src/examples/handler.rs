//! # handler: the server once, the conversation separately
//!
//! ```text
//! Server::tcp, Server::udp     socket, bind, listen                      server.rs
//!   └ serve(style, …)          waits for a request, and for each one
//!       iterative              calls the handler here
//!       forking                forks: the child calls it
//!       threading              starts a thread: it calls it
//!           Handler::setup     before                                    request.rs
//!           Handler::handle    the conversation
//!           Handler::finish    after, whatever happened
//! ```
//!
//! All servers so far were the same except for a few lines: what happens between one `accept` and the next,
//! and what is said to the client. Python's `socketserver` makes these two things separate
//! classes; this page does it with a trait and an enum. See that the calls stay the same: a
//! framework decides *where* they are made, not which ones.
//!
//! Use it for servers whose conversations are independent and few. Do not use it for thousands of idle
//! clients, because each takes a thread or a process, nor for clients that share a
//! state that changes, because each forked handler has a copy of it.
//!
//! The [`Server`] is usable as a library, without this page and the command line: see `examples/` in the repository.

use anyhow::Result;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use super::row::{self, Both, Example, Place, Purpose};
use super::script::{self, Demo};
use super::{tcp_echo, udp_echo};
use crate::call::{self, SO_RCVTIMEO, SO_SNDTIMEO};
use crate::client::ClientArgs;
use crate::handler::{self, Handler, Request, Server, Style};
use crate::server::{Reply, ServerArgs, Stats, announce};
use crate::stop::Stop;

/// Serves with a handler that echoes, until the stop.
pub fn serve(args: &ServerArgs, options: &ServerOptions, stop: &Stop) -> Result<Stats> {
    let address = args.endpoint.resolve()?;
    let udp = options.transport.udp;
    let mut server = match udp {
        true => Server::udp_of(address, args.endpoint.family, args.bufsize)?,
        false => Server::tcp_of(address, args.endpoint.family, args.backlog)?,
    };
    server.max_clients = args.max_clients;
    server.once = args.once;
    announce(if udp { "udp" } else { "tcp" }, server.address())?;
    Ok(server.serve(options.style, || Echo(args), stop)?)
}

/// The client for either transport. It cannot see which style serves it.
pub fn client(args: &ClientArgs, transport: &Transport) -> Result<()> {
    match transport.udp {
        true => udp_echo::client(args),
        false => tcp_echo::client(args),
    }
}

/// Answers whatever arrives: the conversation of the earlier pages, as a handler.
struct Echo<'a>(&'a ServerArgs);

impl Handler for Echo<'_> {
    fn setup(&mut self, request: &mut Request<'_>) -> handler::Result {
        if let (Some(stream), Some(limit)) = (request.stream(), self.0.idle_timeout) {
            call::setsockopt(stream, SO_RCVTIMEO, limit)?;
            call::setsockopt(stream, SO_SNDTIMEO, limit)?;
        }
        Ok(())
    }

    fn handle(&mut self, request: &mut Request<'_>) -> handler::Result {
        let (mut buf, mut made) = (vec![0; self.0.bufsize], Vec::new());
        while let Some(n) = request.recv(&mut buf)? {
            request.send(self.0.answer(&buf[..n], &mut made))?;
        }
        Ok(())
    }
}

/// The words of `--style`.
impl ValueEnum for Style {
    fn value_variants<'a>() -> &'a [Style] {
        &[Style::Forking, Style::Threading, Style::Iterative]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Style::Forking => "forking",
            Style::Threading => "threading",
            Style::Iterative => "iterative",
        }))
    }
}

/// The options of the server.
#[derive(Debug, Args)]
pub struct ServerOptions {
    /// Where a request is handled
    #[arg(long, value_name = "style", default_value_t = Style::Forking, value_enum)]
    style: Style,
    #[command(flatten)]
    transport: Transport,
}

/// The option of both sides.
#[derive(Debug, Args)]
pub struct Transport {
    /// Serve datagrams instead of connections
    #[arg(long)]
    udp: bool,
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "handler",
    short: None,
    summary: Both {
        en: "a server for any conversation: iterative, forking or threading, over TCP or UDP",
        zh: "适用于任何会话的服务器：迭代、多进程或多线程，TCP 或 UDP",
    },
    watch: Both {
        en: "the handler only talks to its client; the server makes the other calls, and they are \
              those of the fork page",
        zh: "处理程序只与客户端对话；其余的调用由服务器来做，与 fork 一页相同",
    },
    place: Place::Internet,
    purpose: Purpose::Echo,
    at_once: row::AtOnce::All,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&row::Server(serve)),
    client: &row::Client(client),
    tools: &[],
    demo: Demo::of(script::TWO),
    next: Some(Both::same("netplay handler server --style threading")),
    lesson: "handler",
};
