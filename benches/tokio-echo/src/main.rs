//! An echo server on tokio, as its own tutorial writes it: a task for each client.
//!
//! ```sh
//! tokio-echo PORT [BUFSIZE] [current_thread]     127.0.0.1, until SIGTERM; PORT 0: any
//! ```
//!
//! The runtime is the one that `#[tokio::main]` makes: a thread for each core. With `current_thread`
//! there is only this one.

use std::env;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Builder;

fn main() -> io::Result<()> {
    let mut args: Vec<String> = env::args().skip(1).collect();
    let one_thread = args.iter().any(|word| word == "current_thread");
    args.retain(|word| word != "current_thread");
    let number = |nth: usize| args.get(nth).and_then(|word| word.parse::<usize>().ok());
    let port = number(0).and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
    let bufsize = number(1).unwrap_or(1024);
    let mut builder =
        if one_thread { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.enable_io().build()?.block_on(serve(port, bufsize))
}

async fn serve(port: u16, bufsize: usize) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let listener = socket.listen(4096)?;
    println!("ready: tcp {}", listener.local_addr()?);
    loop {
        // A failed accept is the failure of one client: the listener of this program does not fail.
        if let Ok((peer, _)) = listener.accept().await {
            tokio::spawn(echo(peer, bufsize));
        }
    }
}

/// Sends back what arrives, until the peer sends no more. An error affects this peer only.
async fn echo(mut peer: TcpStream, bufsize: usize) -> io::Result<()> {
    let mut buf = vec![0; bufsize];
    loop {
        match peer.read(&mut buf).await? {
            0 => return Ok(()),
            n => peer.write_all(&buf[..n]).await?,
        }
    }
}
