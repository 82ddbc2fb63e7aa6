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
//! - `shared`: all sleep in accept, and the kernel decides. Once it woke all of them for a client, and
//!   all but one found nothing and went back to sleep: the *thundering herd*. Linux wakes one, the
//!   one that has slept longest. (Of those that sleep in select or poll it still wakes all.)
//! - `lock`: one is in accept, and the others wait for the lock around it. This was the cure where there
//!   is a herd, and on systems where only one process at a time may call accept.
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
/// enough to follow. One that waits costs no processor, so it is a number of clients, not of cores.
pub const WORKERS: usize = 4;

/// The options of a server with a fixed number of workers.
#[derive(Debug, Args)]
#[command(mut_arg("max_clients", |arg| {
    arg.help("How many clients to serve at once; there are no more workers than that")
}))]
pub struct Options {
    /// How many workers there are: each serves one client at a time
    #[arg(long, value_name = "N", default_value_t = WORKERS, value_parser = up_to::<usize>(256))]
    workers: usize,
    /// Who waits in accept: all on one listener, one after the other, or each on its own
    #[arg(long, value_name = "accept", default_value_t = Accept::Shared, value_enum)]
    pub accept: Accept,
}

impl Options {
    /// How many workers there are: never more than clients may be served at once.
    pub fn workers(&self, args: &ServerArgs) -> usize {
        self.workers.min(args.at_once())
    }
}

/// Who calls accept, and on which listener: the words of `--accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "clap would print it as help, and the three stand above")]
pub enum Accept {
    Shared,
    Lock,
    Reuseport,
}

/// Opens the listener, or one for each worker, and says at which address. All are there before a client is,
/// and before a worker: so no client is refused, and a successor finds the queue of a worker that died.
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
            // Every socket at the address must ask for it, and all must be the same user's.
            call::setsockopt(&socket, SO_REUSEPORT, 1)?;
        }
        call::bind(&socket, address)?;
        let listener: TcpListener = call::listen(socket, args.backlog)?;
        // If any port would do for the first, only this one will do for the others.
        address = call::getsockname(&listener)?;
        listeners.push(listener);
    }
    Ok((listeners, address))
}

/// Accepts; alone, if there is a lock.
///
/// It is a lock of fcntl, which a *process* has, and which the kernel takes back when that dies. A
/// lock of flock would belong to the open file: the workers have that from their parent, all the
/// same one, so all of them would have the lock at once.
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
