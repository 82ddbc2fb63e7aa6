//! # thread: a thread for each client
//!
//! ```text
//! main thread              thread for client 4        thread for client 5
//! accept = 4
//! spawn ─────────────────▶ recv, send, …
//! accept = 5
//! spawn ─────────────────────────────────────────────▶ recv, send, …
//! accept                   recv = 0, close(4), ends
//! ```
//!
//! Watch for what is *not* closed: threads share one table of descriptors, so the main thread must
//! not close 4, which another thread uses. A parent process must.
//!
//! The threads are joined: the scope below ends only when the last of them has ended, so a stop leaves no
//! thread behind. The lecture's script detaches its threads (`setDaemon`), so its end cuts them off.

use std::thread;

use anyhow::Result;

use super::row::{self, Both, Example, Place, Purpose};
use super::script::{self, Demo};
use super::tcp_echo::{self, echo};
use crate::admission::ClientThreads;
use crate::call::{self, Domain, IPV6_V6ONLY, SO_REUSEADDR, TcpListener, Type};
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::Stop;

/// Starts a thread for each client until the stop.
pub fn serve(args: &ServerArgs, stop: &Stop) -> Result<Stats> {
    let address = args.endpoint.resolve()?;
    let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
    call::setsockopt(&socket, SO_REUSEADDR, 1)?;
    if let Some(alone) = server::v6_alone(address, args.endpoint.family) {
        call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
    }
    call::bind(&socket, address)?;
    let listener: TcpListener = call::listen(socket, args.backlog)?;
    server::announce("tcp", call::getsockname(&listener)?)?;

    let threads = ClientThreads::new(args, stop, &listener)?;
    thread::scope(|scope| -> Result<()> {
        // Without room there is no accept: the next client waits in the listener's queue. Ctrl-C shuts down the
        // listener and each client's socket: then there is no next client, and every echo ends.
        while let Some(mut session) = threads.room()?
            && let Some((peer, client)) = threads.next(|| call::accept(&listener))?
        {
            let conversation = move || {
                let served = echo(&peer, &mut session);
                session.finish(client, served.and(call::close(peer)));
            };
            // The default stack of 2 MiB would waste address space: a conversation needs little.
            let thread = thread::Builder::new().stack_size(256 * 1024);
            // If the thread cannot be started, the closure is dropped: the socket is closed, and there is room again.
            if let Err(error) = thread.spawn_scoped(scope, conversation) {
                server::no_thread(client, &error);
            }
        }
        Ok(())
    })?;
    let stats = threads.end();
    call::close(listener)?;
    Ok(stats)
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "thread",
    short: None,
    summary: Both { en: "a thread for each client", zh: "每个客户端一个线程" },
    watch: Both {
        en: "B is served while A is still connected: each recv waits in a thread of its own",
        zh: "A 还连着，B 就得到了服务：每个 recv 在自己的线程里等待",
    },
    place: Place::Internet,
    purpose: Purpose::Echo,
    at_once: row::AtOnce::All,
    reply: Some(Reply::text("receive your message")),
    server: Some(&serve),
    client: &tcp_echo::client,
    tools: &[],
    demo: Demo::of(script::TWO),
    next: None,
    lesson: "thread",
};
