//! A TCP server in thirty lines: it sends back what a client sends, in capitals.
//!
//! ```sh
//! cargo run --example shout
//! printf 'hello' | nc -N 127.0.0.1 PORT
//! ```
//!
//! Ctrl-C stops it: the conversations end, then `serve` returns.

use std::error::Error;

use netplay::handler::{self, Handler, Request, Server, Style};
use netplay::stop::Stop;

struct Shout;

impl Handler for Shout {
    fn handle(&mut self, request: &mut Request<'_>) -> handler::Result {
        let mut buf = [0; 1024];
        while let Some(n) = request.recv(&mut buf)? {
            request.send(&buf[..n].to_ascii_uppercase())?;
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    netplay::tell("server")?; // each call is a line of a story on standard error
    let stop = Stop::new();
    stop.on_signals();
    let server = Server::tcp("127.0.0.1:0".parse()?, 128)?;
    println!("ready: tcp {}", server.address());
    let stats = server.serve(Style::Threading, || Shout, &stop)?;
    println!("{stats}");
    Ok(())
}
