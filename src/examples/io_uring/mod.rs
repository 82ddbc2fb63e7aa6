//! # io_uring: operations instead of calls
//!
//! ```text
//!   io_uring_setup = 4        two rings, shared with the kernel: submissions and completions
//!   accept                    submitted, not called
//!   ┌▶ io_uring_enter         hands over what was submitted, sleeps until something is done
//!   │    accept = 5           submit recv on 5
//!   │    recv(5) = 5 "hello"  submit send on 5, out of the same buffer
//!   │    send(5) = 5
//!   └─ …
//! ```
//!
//! With select, poll and epoll the kernel says which socket is *ready*, and the program then calls. Here the program
//! says what it wants, and the kernel says when it is *done*. Watch for the order: every recv is
//! submitted before its bytes arrive. And watch for the calls: submissions and completions are
//! written into memory, and one io_uring_enter hands over all that there are: the busier the
//! server, the fewer calls per request.
//!
//! Operations in flight need care. Memory that was lent belongs to the kernel until the
//! completion; there is one send at a time, or bytes may change places; and a socket is closed when all its
//! operations are done: shutdown ends them.
//!
//! This page opens the listener and the rings; the loop has a page of its own. Read single_shot.rs first: each
//! operation completes once. It is what `--single-shot` asks for, and what a kernel before 6.1 gets. By default the
//! loop is that of multishot.rs: one accept, and one recv for each client, complete again and again.

mod client;
mod single_shot;
mod multishot;

use anyhow::Result;
use clap::Args;

use super::row::{self, Both, Example, Place};
use super::script::{self, Demo};
use super::tcp_echo;
use crate::call::{self, Domain, IPV6_V6ONLY, Ring, SO_REUSEADDR, Shot, TcpListener, Type};
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::Stop;

/// Serves with multishot operations, if this kernel has them, or with single-shot ones, until the stop.
pub fn serve(args: &ServerArgs, options: &Options, stop: &Stop) -> Result<Stats> {
    let address = args.endpoint.resolve()?;
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    if let Some(alone) = server::v6_alone(address, args.endpoint.family) {
        call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
    }
    call::bind(&socket, address)?;
    let listener: TcpListener = call::listen(socket, args.backlog)?;
    let address = call::getsockname(&listener)?;
    let (ring, shot) = set_up(args, options)?;
    server::announce("tcp", address)?;
    match shot {
        Shot::Single => single_shot::serve_on(listener, ring, args, stop),
        Shot::Multi => multishot::serve_on(listener, ring, args, stop),
    }
}

/// Two rings and buffers; for multishot operations, if this kernel has them.
///
/// # Errors
/// This kernel does not have io_uring, or does not allow it here.
pub fn set_up(args: &ServerArgs, options: &Options) -> Result<(Ring, Shot)> {
    if !options.single_shot
        && let Some(ring) = multishot::set_up(args)?
    {
        return Ok((ring, Shot::Multi));
    }
    Ok((single_shot::set_up(args)?, Shot::Single))
}

/// The option of the server.
#[derive(Debug, Default, Args)]
pub struct Options {
    /// Submit each accept and recv again, with a buffer of its own, as before Linux 6.1
    #[arg(long)]
    single_shot: bool,
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "io-uring",
    short: None,
    summary: Both {
        en: "operations instead of calls: the kernel reports what is done, not what is ready",
        zh: "用操作代替调用：内核报告什么已完成，而不是什么已就绪",
    },
    watch: Both {
        en: "each recv is submitted before its bytes have come, and one io_uring_enter moves as \
              many submissions and completions as there are",
        zh: "每个 recv 在数据到来之前就已提交；一次 io_uring_enter 传递当时所有的提交和完成",
    },
    place: Place::Internet,
    purpose: row::Purpose::Echo,
    at_once: row::AtOnce::All,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&row::Server(serve)),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo { server: &["--reply=echo"], client: &[], steps: script::THREE },
    next: Some(Both::same("netplay io-uring server --single-shot")),
    lesson: "io-uring",
};
