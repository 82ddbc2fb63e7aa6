//! The daytime service of RFC 867 over UDP: it answers every datagram with the time of day. It stops
//! by itself after ten seconds, to show a stop that another thread requests.
//!
//! ```sh
//! cargo run --example daytime
//! printf '?' | nc -u -w1 127.0.0.1 PORT
//! ```

use std::error::Error;
use std::thread;
use std::time::Duration;

use netplay::handler::{self, Handler, Request, Server, Style};
use netplay::server::ctime;
use netplay::stop::Stop;

struct Daytime;

impl Handler for Daytime {
    fn handle(&mut self, request: &mut Request<'_>) -> handler::Result {
        request.send(format!("{}\r\n", ctime()).as_bytes())?;
        Ok(())
    }

    fn finish(&mut self, request: &mut Request<'_>) {
        println!("told {} the time", request.client());
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let stop = Stop::new();
    stop.on_signals();
    let server = Server::udp("127.0.0.1:0".parse()?, 64)?;
    println!("ready: udp {}", server.address());
    let clock = stop.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(10));
        clock.request();
    });
    let stats = server.serve(Style::Iterative, || Daytime, &stop)?;
    println!("{stats}");
    Ok(())
}
