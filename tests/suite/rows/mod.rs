//! The rows of the table as servers under test: how each is started with `--reply echo`, reached
//! and looked at from outside. A new row joins by itself, unless it is named here.

#![allow(dead_code, reason = "every test file uses a part of this one")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test is a peer, and may panic"
)]

use std::fmt;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::ops::Deref;
use std::process::Command;

use clap::Arg;
use clap::builder::PossibleValue;
use netplay::examples::row::AtOnce;
use netplay::examples::{Example, Place, Purpose, examples};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use socket2::{Domain, SockAddr, Socket, Type};
use std::os::fd::AsFd;
use tempfile::TempDir;

use crate::common::{DEADLINE, Ended, Server, netplay};

/// The rows that speak in datagrams only.
const DATAGRAMS: &[&str] = &["udp-echo"];

/// The rows that go about their work in another way, too, when told so.
const OTHER_WAYS: &[(&str, &str)] = &[("epoll", "--edge"), ("io-uring", "--single-shot")];

/// One way to start a row's server: a row that has styles, or ways to accept, has a kind for each.
#[derive(Clone)]
pub struct Kind {
    pub row: &'static Example,
    pub options: Vec<&'static str>,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", [&[self.row.name], &self.options[..]].concat().join(" "))
    }
}

/// Every kind whose server echoes over connections.
pub fn streams() -> impl Iterator<Item = Kind> {
    let rows =
        examples().filter(|row| row.purpose == Purpose::Echo && !DATAGRAMS.contains(&row.name));
    rows.flat_map(|row| kinds(row, option(row, "tcp").map(|_| "--tcp")))
}

/// The kinds among them that serve several clients at once.
pub fn concurrent() -> impl Iterator<Item = Kind> {
    streams().filter(|kind| !kind.in_turn())
}

/// Every kind whose server echoes datagrams.
pub fn datagrams() -> impl Iterator<Item = Kind> {
    examples().flat_map(|row| {
        if let Some(udp) = option(row, "udp") {
            assert!(!udp.get_action().takes_values());
            kinds(row, Some("--udp"))
        } else if option(row, "tcp").is_some() || DATAGRAMS.contains(&row.name) {
            kinds(row, None)
        } else {
            Vec::new()
        }
    })
}

/// The only kind of a row.
pub fn kind(name: &str) -> Kind {
    streams().find(|kind| kind.row.name == name).unwrap()
}

/// An option that only this server has.
fn option(row: &Example, name: &str) -> Option<Arg> {
    row.server_options().into_iter().find(|option| option.get_long() == Some(name))
}

fn kinds(row: &'static Example, transport: Option<&'static str>) -> Vec<Kind> {
    let named = |name| option(row, name).map(|option| (name, option.get_possible_values()));
    let styles = match named("style").or(named("accept")) {
        Some((name, words)) => words
            .iter()
            .map(|word| vec![if name == "style" { "--style" } else { "--accept" }, word_of(word)])
            .collect(),
        None => vec![vec![]],
    };
    let ways = OTHER_WAYS.iter().filter(|(name, _)| *name == row.name);
    let styles: Vec<_> = styles.into_iter().chain(ways.map(|&(_, way)| vec![way])).collect();
    let with = |style: Vec<_>| Kind { row, options: transport.into_iter().chain(style).collect() };
    styles.into_iter().map(with).collect()
}

/// The word itself, for as long as the test runs.
fn word_of(value: &PossibleValue) -> &'static str {
    value.get_name().to_owned().leak()
}

impl Kind {
    /// Whether a client may have to wait for another one to leave.
    pub fn in_turn(&self) -> bool {
        let one_by_one = self.row.at_once == AtOnce::One || self.options.contains(&"iterative");
        one_by_one || self.by_lot()
    }

    /// Whether it depends on the client's port which others it has to wait for.
    pub fn by_lot(&self) -> bool {
        self.options.contains(&"reuseport")
    }

    /// Whether it serves clients in processes of their own.
    pub fn forks(&self) -> bool {
        self.forks_for_each() || self.row.name == "prefork"
    }

    /// Whether it makes a process for each client.
    pub fn forks_for_each(&self) -> bool {
        self.row.name == "fork" || self.options.contains(&"forking")
    }

    /// The options without which it could not serve sixteen clients at once.
    pub fn for_many(&self) -> &'static [&'static str] {
        // epoll's workers serve many clients each.
        let one_each = ["prefork", "pool"].contains(&self.row.name);
        if one_each { &["--workers", "16"] } else { &[] }
    }
}

/// A row's server, and the directory of its socket if that is a path.
pub struct Running {
    pub server: Server,
    _directory: TempDir,
}

impl Deref for Running {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// Starts the server quietly, with these options and, unless they say otherwise, `--reply echo`.
pub fn start(kind: &Kind, options: &[&str]) -> Running {
    start_at("0", kind, &[&["-q"], options].concat())
}

/// The same on this port, and as loud as the options say.
pub fn start_at(port: &str, kind: &Kind, options: &[&str]) -> Running {
    start_in("exec \"$0\" \"$@\"", port, kind, options)
}

/// The same with so many descriptors to spend, as loud as the options say.
pub fn start_with_files(files: u32, kind: &Kind, options: &[&str]) -> Running {
    start_in(&format!("ulimit -n {files} && exec \"$0\" \"$@\""), "0", kind, options)
}

fn start_in(shell: &str, port: &str, kind: &Kind, options: &[&str]) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket").display().to_string();
    let place = match kind.row.place {
        Place::Internet | Place::Host => vec!["127.0.0.1", port],
        Place::Group { v4, .. } => vec![v4, port],
        Place::Path => vec![&path[..]],
    };
    let mut command = under_a_shell(shell);
    command.args([kind.row.name, "server"]).args(place).args(&kind.options);
    if !options.contains(&"--reply") {
        command.args(["--reply", "echo"]);
    }
    command.args(options);
    Running { server: Server::from(&mut command), _directory: directory }
}

/// netplay, started by a line of shell that sees it as "$0" "$@".
fn under_a_shell(line: &str) -> Command {
    let netplay = netplay();
    let mut command = Command::new("sh");
    command.args(["-c", line]).arg(netplay.get_program());
    for (name, value) in netplay.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

impl Running {
    /// A new connection, TCP or UNIX, none of whose waits is endless.
    pub fn connect(&self) -> Socket {
        let socket = self.socket();
        self.join(&socket);
        socket
    }

    /// A socket that may become a connection.
    pub fn socket(&self) -> Socket {
        let (domain, _) = self.name();
        let socket = Socket::new(domain, Type::STREAM, None).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.set_write_timeout(Some(DEADLINE)).unwrap();
        socket
    }

    /// Connects it.
    pub fn join(&self, socket: &Socket) {
        socket.connect(&self.name().1).unwrap();
    }

    fn name(&self) -> (Domain, SockAddr) {
        match self.place.parse::<SocketAddr>() {
            Ok(address) => (Domain::for_address(address), address.into()),
            Err(_) => (Domain::UNIX, SockAddr::unix(&self.place).unwrap()),
        }
    }

    /// A new client comes, is answered and goes.
    pub fn serves(&self, what: &str) {
        echoes(&mut self.connect(), what.as_bytes(), what);
    }

    /// The server's processes: the first, and its children.
    pub fn processes(&self) -> Vec<u32> {
        let mut all = vec![self.child.id()];
        all.extend(self.children());
        all
    }

    /// Its children, zombies included.
    pub fn children(&self) -> Vec<u32> {
        processes().filter(|process| process.parent == self.child.id()).map(|p| p.id).collect()
    }

    /// The memory of all its processes, in bytes; what they share counts once.
    pub fn memory(&self) -> u64 {
        self.processes().into_iter().map(share_of_memory).sum()
    }

    /// Asks it to end with SIGTERM, and waits for that.
    pub fn stop(self) -> Ended {
        self.server.stop()
    }

    /// Asks it to end with this signal, and waits for that.
    pub fn stop_by(self, signal: Signal) -> Ended {
        self.server.stop_by(signal)
    }

    /// Waits for it to end by itself.
    pub fn ended(self) -> Ended {
        self.server.ended()
    }
}

/// Sends the message and gets the same bytes back.
pub fn echoes(peer: &mut Socket, message: &[u8], what: &str) {
    peer.write_all(message).unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut answer = vec![0; message.len()];
    peer.read_exact(&mut answer).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(answer == message, "{what}: the answer differs");
}

/// Sends as many of the bytes as go without reading one, until nothing moves; returns how many.
pub fn push(peer: &mut Socket, bytes: &[u8]) -> usize {
    peer.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while sent < bytes.len() {
        match peer.write(&bytes[sent..]) {
            Ok(n) => sent += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !ready(peer, PollFlags::POLLOUT, 200) {
                    break;
                }
            }
            Err(error) => panic!("push: {error}"),
        }
    }
    peer.set_nonblocking(false).unwrap();
    sent
}

/// Whether the socket is ready within so many milliseconds.
pub fn ready(peer: &impl AsFd, what: PollFlags, ms: u16) -> bool {
    let mut entry = [PollFd::new(peer.as_fd(), what)];
    poll(&mut entry, PollTimeout::from(ms)).unwrap() > 0
}

/// The connection ends, politely or by a reset; what arrives before is let pass.
pub fn sees_the_end(peer: &mut Socket, what: &str) {
    let mut buf = [0; 4096];
    loop {
        match peer.read(&mut buf) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{what}: neither the end nor a reset, but {error}"),
        }
    }
}

/// So many bytes, in which none can be missing, doubled or moved unseen: the numbers 0, 1, 2, …
pub fn numbered(len: usize) -> Vec<u8> {
    (0u32..).flat_map(u32::to_be_bytes).take(len).collect()
}

/// A process, as /proc shows it.
pub struct Process {
    pub id: u32,
    pub parent: u32,
    pub zombie: bool,
    /// CPU time it has used, in clock ticks.
    pub ticks: u64,
}

/// Every process of this machine.
pub fn processes() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").unwrap();
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter_map(process)
}

/// A process; `None` if there is none, not even a zombie.
pub fn process(id: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything; what follows it are plain fields: proc(5).
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let number = |i: usize| fields[i].parse::<u64>().unwrap();
    Some(Process {
        id,
        parent: number(1) as u32,
        zombie: fields[0] == "Z",
        ticks: number(11) + number(12),
    })
}

/// Its own pages, and of those that it shares with its children its share. Those of the binary do not count: its
/// share of them grows whenever another process that has them ends.
fn share_of_memory(id: u32) -> u64 {
    let sums = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
    let line = sums.lines().find_map(|line| line.strip_prefix("Pss_Anon:"));
    // A zombie has no memory, and no such line.
    line.map_or(0, |kb| kb.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024)
}

/// What a server says, beside the call that failed, when it has no descriptor left for a client.
pub fn out_of_descriptors() -> String {
    format!("{}: ", nix::errno::Errno::EMFILE.desc())
}
