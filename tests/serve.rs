//! Servers as functions: in this process, with its own ways to end them, and handlers of its own.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test is a peer, and may panic"
)]

#[path = "suite/common/mod.rs"]
mod common;
#[path = "suite/rows/mod.rs"]
mod rows;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use clap::Command;
use common::{DEADLINE, ask, connect, udp, until};
use netplay::address::Endpoint;
use netplay::examples::Place;
use netplay::handler::{self, Handler, Request, Server, Style};
use netplay::server::{ServerArgs, Stats};
use netplay::stop::Stop;
use rows::{Kind, datagrams, streams};
use socket2::{Domain, SockAddr, Socket, Type};

/// A forked handler may need no lock that another thread holds at that moment (`Server::serve` says
/// so); one that fails or panics needs the lock under which backtraces are made. So one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const STYLES: [Style; 3] = [Style::Iterative, Style::Forking, Style::Threading];

/// Echoes; fails when told to fail, panics when told to panic; leaves a mark in a folder for each
/// step, because a forked handler shares no memory with the test.
struct Marking(PathBuf);

impl Marking {
    fn mark(&self, step: &str, request: &Request<'_>) {
        let name = format!("{step}-{}", request.client().port());
        std::fs::write(self.0.join(name), "").unwrap();
    }
}

impl Handler for Marking {
    fn setup(&mut self, request: &mut Request<'_>) -> handler::Result {
        self.mark("setup", request);
        Ok(())
    }

    fn handle(&mut self, request: &mut Request<'_>) -> handler::Result {
        let mut buf = [0; 1024];
        while let Some(n) = request.recv(&mut buf)? {
            match &buf[..n] {
                b"fail" => return Err("as it was told to".into()),
                b"panic" => panic!("as it was told to"),
                other => request.send(other)?,
            }
        }
        Ok(())
    }

    fn finish(&mut self, request: &mut Request<'_>) {
        self.mark("finish", request);
    }
}

/// Runs a server in a thread of its own, lets `client` at it, stops it from this one.
fn with_server(server: Server, style: Style, client: impl FnOnce(SocketAddr, &PathBuf)) -> Stats {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let (stop, address) = (Stop::new(), server.address());
    let (sender, ended) = channel();
    let (ours, marks) = (stop.clone(), path.clone());
    thread::spawn(move || sender.send(server.serve(style, || Marking(marks.clone()), &ours)));
    client(address, &path);
    stop.request();
    ended.recv_timeout(DEADLINE).expect("a stop from another thread ends serve").unwrap()
}

fn tcp() -> Server {
    Server::tcp("127.0.0.1:0".parse().unwrap(), 128).unwrap()
}

/// A read that a signal may interrupt: the SIGCHLD of a forking server in this process comes to any
/// thread, and a socket with a timeout does not go on by itself (signal(7)).
fn patient<T>(mut read: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    loop {
        match read() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

#[test]
fn any_thread_may_stop_a_server_in_any_style() {
    let _alone = alone();
    for style in STYLES {
        let idle = with_server(tcp(), style, |_, _| {});
        assert_eq!(idle.clients, 0, "{style:?}");
        // And while a client is connected and says nothing.
        let mut silent = None;
        let busy = with_server(tcp(), style, |address, _| {
            let mut client = connect(address);
            assert_eq!(ask(&mut client, b"hello", 5), b"hello");
            silent = Some(client);
        });
        assert_eq!(busy.clients, 1, "{style:?}");
        let mut silent = silent.unwrap();
        let end = patient(|| silent.read(&mut [0]));
        assert!(matches!(end, Ok(0)), "{style:?}: {end:?}, no end");
        let datagrams = Server::udp("127.0.0.1:0".parse().unwrap(), 1024).unwrap();
        assert_eq!(
            with_server(datagrams, style, |_, _| {}).to_string(),
            "0 datagrams",
            "{style:?}"
        );
    }
}

#[test]
fn finish_comes_after_handle_even_if_it_fails() {
    let _alone = alone();
    for style in STYLES {
        with_server(tcp(), style, |address, marks| {
            for last_word in ["fail", ""] {
                let mut client = connect(address);
                let port = client.local_addr().unwrap().port();
                client.write_all(last_word.as_bytes()).unwrap();
                client.shutdown(std::net::Shutdown::Write).unwrap();
                let _ = client.read_to_end(&mut Vec::new());
                for step in ["setup", "finish"] {
                    let mark = marks.join(format!("{step}-{port}"));
                    until(&format!("{style:?} {step}"), || mark.exists());
                }
            }
        });
    }
}

#[test]
fn a_handler_that_fails_or_panics_ends_its_own_request_only() {
    let _alone = alone();
    for style in STYLES {
        let stats = with_server(tcp(), style, |address, _| {
            for bad_word in ["fail", "panic"] {
                let mut client = connect(address);
                client.write_all(bad_word.as_bytes()).unwrap();
                let end = patient(|| client.read(&mut [0]));
                assert!(matches!(end, Ok(0)), "{style:?} {bad_word}: {end:?}, not closed");
                assert_eq!(ask(&mut connect(address), b"next", 4), b"next", "{style:?}");
            }
        });
        assert_eq!(stats.clients, 4, "{style:?}");
    }
}

#[test]
fn a_datagram_is_a_request() {
    let _alone = alone();
    for style in STYLES {
        let server = Server::udp("127.0.0.1:0".parse().unwrap(), 1024).unwrap();
        let stats = with_server(server, style, |address, _| {
            let client = udp();
            let mut buf = [0; 100];
            for message in ["one", "", "three"] {
                client.send_to(message.as_bytes(), address).unwrap();
                let n = patient(|| client.recv(&mut buf)).unwrap();
                assert_eq!(&buf[..n], message.as_bytes(), "{style:?}");
            }
        });
        assert_eq!((stats.clients, stats.datagrams, stats.addresses), (0, 3, Some(1)), "{style:?}");
    }
}

/// A server called as a function, in a thread of a program that has its own ways to end it; but for
/// those that fork, which a program with several threads had better not.
#[test]
fn a_stop_from_another_thread_ends_serve() {
    let _alone = alone();
    for kind in streams().filter(|kind| !kind.forks()) {
        ends_by_request(&kind, Type::STREAM);
    }
    for kind in datagrams().filter(|kind| !kind.forks()) {
        ends_by_request(&kind, Type::DGRAM);
    }
}

fn ends_by_request(kind: &Kind, ty: Type) {
    let command = Command::new("server").no_binary_name(true).args(kind.row.server_options());
    let options = command.get_matches_from(&kind.options);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    // An address that only this process uses, so that any port of it is free.
    let address = SocketAddr::from((Ipv4Addr::from(0x7f00_0000 | std::process::id()), 5858));
    let (domain, name) = match kind.row.place {
        Place::Internet | Place::Group { .. } | Place::Host => {
            (Domain::IPV4, SockAddr::from(address))
        }
        Place::Path => (Domain::UNIX, SockAddr::unix(&path).unwrap()),
    };
    let host = Some(address.ip().to_string());
    let endpoint = Endpoint { host, port: address.port(), family: None };
    let args = ServerArgs { endpoint, path, ..ServerArgs::default() };
    let stop = Stop::new();
    let request = stop.clone();
    let row = kind.row.server.unwrap();
    let server = thread::spawn(move || row.serve(&args, &options, &stop).unwrap());

    let client = || {
        let mut client = Socket::new(domain, ty, None).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        client.connect(&name).ok()?;
        client.write_all(b"hello").ok()?;
        client.read_exact(&mut [0; 5]).ok().map(|()| client)
    };
    let mut served = None;
    until("the server answers", || {
        served = client();
        served.is_some()
    });
    request.request();
    until(&format!("{kind} has returned"), || server.is_finished());
    let stats = server.join().unwrap();
    assert!(stats.clients + stats.datagrams >= 1, "{stats}");
}
