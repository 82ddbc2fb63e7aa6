//! # UNIX echo: the same calls without a network
//!
//! ```text
//! server                                        client
//! socket AF_UNIX                                socket AF_UNIX
//! bind     /run/…/netplay.sock                  connect  /run/…/netplay.sock
//! listen, accept, recv, send                    send, recv
//! close
//! unlink   or else the file stays behind
//! ```
//!
//! Watch for what stays the same: only the address differs, which is a path in the file system. The
//! bytes go from process to process without TCP and IP, and file permissions decide which programs may connect.
//! The client has no name unless it binds one. `bind` makes the file, but `close` does not remove it:
//! a server that was killed leaves a path without a listener, and the next bind fails.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag};
use socket2::SockAddr;

use super::row::{self, Both, Example, Place, Purpose};
use super::script::{self, Demo};
use super::tcp_echo::{converse, echo};
use crate::admission::OneAtATime;
use crate::call::{self, Domain, SO_RCVTIMEO, SO_SNDTIMEO, Type, UnixListener, UnixStream};
use crate::client::ClientArgs;
use crate::escape::file_name;
use crate::server::{self, Reply, ServerArgs, Stats};
use crate::stop::Stop;

/// Serves one client after the other until the stop.
pub fn serve(args: &ServerArgs, stop: &Stop) -> Result<Stats> {
    let address = address(&args.path)?;
    let socket = call::socket(Domain::UNIX, Type::STREAM, 0)?;
    if let Err(error) = call::bind(&socket, address.clone()) {
        if error.errno() != Errno::EADDRINUSE || !is_abandoned(&args.path)? {
            return Err(error.into());
        }
        fs::remove_file(&args.path)?;
        call::bind(&socket, address)?;
    }
    let file = SocketFile(&args.path);
    let listener: UnixListener = call::listen(socket, args.backlog)?;
    server::announce("unix", file_name(&args.path))?;

    let mut clients = OneAtATime::new(args, stop, &listener);
    while let Some((peer, ())) = clients.next(|| call::accept(&listener))? {
        let served = echo(&peer, &mut clients.session);
        clients.finish(clients.session.stats.clients + 1, served.and(call::close(peer)));
    }
    let stats = clients.end();
    call::close(listener)?;
    drop(file);
    Ok(stats)
}

/// The file that bind made and close leaves. This removes it, however the server ends.
struct SocketFile<'a>(&'a Path);

impl Drop for SocketFile<'_> {
    fn drop(&mut self) {
        server::unlinked(self.0, fs::remove_file(self.0));
    }
}

/// Whether the path is a socket without a server: a connect is refused. The connect must not wait,
/// because the queue of a running server may be full (EAGAIN).
fn is_abandoned(path: &Path) -> Result<bool> {
    if !fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        return Ok(false);
    }
    let socket = call::socket(Domain::UNIX, Type::STREAM, 0)?;
    call::fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
    match call::connect::<UnixStream>(socket, address(path)?) {
        Ok(alive) => call::close(alive).map(|()| false).map_err(Into::into),
        Err(error) => Ok(error.errno() == Errno::ECONNREFUSED),
    }
}

/// A path must fit into sockaddr_un: 107 bytes on Linux.
fn address(path: &Path) -> Result<SockAddr> {
    SockAddr::unix(path).with_context(|| server::no_path(path))
}

/// Connects, holds a conversation, closes.
pub fn client(args: &ClientArgs) -> Result<()> {
    let socket = call::socket(Domain::UNIX, Type::STREAM, 0)?;
    if let Some(limit) = args.timeout {
        call::setsockopt(&socket, SO_RCVTIMEO, limit)?;
        call::setsockopt(&socket, SO_SNDTIMEO, limit)?;
    }
    let server: UnixStream = call::connect(socket, address(&args.path)?)?;
    let said = converse(&server, args);
    call::close(server)?;
    said
}

/// Its row in the table.
pub static ROW: Example = Example {
    name: "unix-echo",
    short: Some("unix"),
    summary: Both {
        en: "the same calls without a network: the address is a path",
        zh: "同样的调用，不经过网络：地址是一个路径",
    },
    watch: Both {
        en: "only the address differs: it is the path of a file; the client has no address at all",
        zh: "只有地址不同：它是一个文件的路径；客户端根本没有地址",
    },
    place: Place::Path,
    purpose: Purpose::Echo,
    at_once: row::AtOnce::One,
    reply: Some(Reply::Stamp(row::STAMP)),
    server: Some(&serve),
    client: &client,
    tools: &[],
    demo: Demo::of(script::ONE),
    next: None,
    lesson: "unix",
};
