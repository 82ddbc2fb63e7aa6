//! Which worker accepts, when several could: three ways, the first two from Stevens (UNIX Network
//! Programming, chapter 30).
//!
//! ```text
//!               one listener                         a listener each
//!   shared                   lock                    reuseport
//!   accept  accept  accept   accept  fcntl   fcntl   accept  accept  accept
//!      ╲      │      ╱          │                      │       │       │
//!         (queue)            (queue)                 (queue) (queue) (queue)
//! ```
//!
//! - `shared`: all sleep in accept, and the kernel decides. Older kernels woke all of them for a client, and
//!   all except one found nothing and went back to sleep: the *thundering herd*. Linux wakes one, the
//!   one that has slept longest. (It still wakes all workers that sleep in select or poll.)
//! - `lock`: one is in accept, and the others wait for the lock around it. This was the cure for
//!   the herd, and for systems where only one process at a time may call accept.
//! - `reuseport`: no worker competes. The kernel chooses a listener by a hash of the client's address and
//!   port; but it does not know which worker is busy. A client may wait for its worker beside an idle one.

use std::fs::File;
use std::net::SocketAddr;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::call::{
    self, Domain, FcntlArg, IPV6_V6ONLY, SO_REUSEADDR, SO_REUSEPORT, TcpListener, TcpStream, Type,
};
use crate::examples::row::up_to;
use crate::server::{self, ServerArgs};

/// How many workers there are unless `--workers` says otherwise: enough to see who gets a client, few
/// enough to follow. A waiting worker uses no processor, so it is a number of clients, not of cores.
pub const WORKERS: usize = 4;

/// The options of a server with a fixed number of workers.
#[derive(Debug, Args)]
#[command(mut_arg("max_clients", |arg| {
    arg.help("How many clients to serve at once; there are no more workers than that")
}))]
pub struct Options {
    /// How many workers: each serves one client at a time
    #[arg(long, value_name = "N", default_value_t = WORKERS, value_parser = up_to::<usize>(256))]
    workers: usize,
    /// How the workers share accept: all on one listener, one after the other, or each on its own
    #[arg(long, value_name = "accept", default_value_t = Accept::Shared, value_enum)]
    pub accept: Accept,
}

impl Options {
    /// How many workers there are: never more than clients may be served at once.
    pub fn workers(&self, args: &ServerArgs) -> usize {
        self.workers.min(args.at_once())
    }
}

/// Which worker calls accept, and on which listener: the words of `--accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "clap would print it as help, and the three stand above")]
pub enum Accept {
    Shared,
    Lock,
    Reuseport,
}

/// Opens the listener, or one for each worker, and returns the address. All exist before the first client
/// and the first worker: so no client is refused, and a replacement takes over the queue of a worker that died.
pub fn open(args: &ServerArgs, options: &Options) -> Result<(Vec<TcpListener>, SocketAddr)> {
    let mut address = args.endpoint.resolve()?;
    let mut listeners = Vec::new();
    let of_their_own = options.accept == Accept::Reuseport;
    let wanted = if of_their_own { options.workers(args) } else { 1 };
    while listeners.len() < wanted {
        let socket = call::socket(Domain::for_address(address), Type::STREAM, 0)?;
        call::setsockopt(&socket, SO_REUSEADDR, 1)?;
        if let Some(alone) = server::v6_alone(address, args.endpoint.family) {
            call::setsockopt(&socket, IPV6_V6ONLY, alone)?;
        }
        if of_their_own {
            // Every socket at the address must set it, and all must belong to the same user.
            call::setsockopt(&socket, SO_REUSEPORT, 1)?;
        }
        call::bind(&socket, address)?;
        let listener: TcpListener = call::listen(socket, args.backlog)?;
        // The first may have any port; the others must have the same one.
        address = call::getsockname(&listener)?;
        listeners.push(listener);
    }
    Ok((listeners, address))
}

/// Accepts; with a lock, one worker at a time.
///
/// The lock is an fcntl lock: it belongs to a *process*, and the kernel releases it when that process dies. A
/// flock lock would belong to the open file: all workers inherit the same one from their parent,
/// so all of them would hold the lock at once.
pub fn accept_in_turn(
    listener: &TcpListener,
    lock: Option<&File>,
) -> call::Result<(TcpStream, SocketAddr)> {
    let Some(lock) = lock else { return call::accept(listener) };
    call::fcntl(lock, FcntlArg::F_SETLKW(&whole_file(libc::F_WRLCK)))?;
    let accepted = call::accept(listener);
    call::fcntl(lock, FcntlArg::F_SETLKW(&whole_file(libc::F_UNLCK)))?;
    accepted
}

/// A lock on everything from the first byte on, or its end. The file may be empty.
fn whole_file(kind: i32) -> libc::flock {
    let (l_type, l_whence) = (kind as libc::c_short, libc::SEEK_SET as libc::c_short);
    libc::flock { l_type, l_whence, l_start: 0, l_len: 0, l_pid: 0 }
}
