//! A server under measurement: a process of its own for every turn, and what it has used by its end.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::Pid;

use super::load::Tally;
use super::meter;
use super::plan::{Kind, Load, Manner, Model};
use crate::child::{Line, Process};
use crate::examples::{Example, Place, Purpose, examples};
use crate::inspect;
use crate::lang::Lang;

/// How long a server may take to become ready.
const TO_START: Duration = Duration::from_secs(5);
/// How long it may take to be gone when its connections are.
const TO_BE_GONE: Duration = Duration::from_millis(50);
/// And before it is said that it lives on.
const TO_LIVE_ON: Duration = Duration::from_secs(1);
/// How long the processes of the machine may be searched for it.
const TO_FIND: Duration = Duration::from_secs(1);
/// How long it may take to end when it is asked to; then it is ended.
const TO_END: Duration = Duration::from_secs(3);

/// A server that can be reached.
pub struct Server {
    /// Where.
    pub address: SocketAddr,
    process: Option<Process>,
    /// The processes that serve, if they are ours to look at; with their children. What the shell of a
    /// command does is not the server's.
    serving: std::result::Result<Vec<Pid>, &'static str>,
    /// Its standard error goes here, and is read only where it fails.
    _stderr: Receiver<Line<()>>,
}

/// What a process and its children used from their birth to their end, as wait4(2) tells.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lifetime {
    /// CPU time, in the program and in the kernel for it.
    pub cpu: Duration,
    /// How often a thread of theirs had to leave a processor.
    pub switches: u64,
}

impl Server {
    /// Starts a server for such a load, and waits until it can be reached.
    ///
    /// # Errors
    /// It did not start, or did not become ready in time.
    pub fn start(model: &Model, load: Load, manner: &Manner) -> Result<Server> {
        Server::start_as(model, load, manner, None)
    }

    /// Starts one under strace, which writes each of its system calls as a line into this file.
    ///
    /// # Errors
    /// As [`start`](Server::start); there is no strace; or it is no server of ours.
    pub fn start_traced(
        model: &Model,
        load: Load,
        manner: &Manner,
        record: &Path,
    ) -> Result<Server> {
        ensure!(matches!(model.kind, Kind::Row(..)), "only netplay's own servers run under strace");
        Server::start_as(model, load, manner, Some(record))
    }

    fn start_as(
        model: &Model,
        load: Load,
        manner: &Manner,
        record: Option<&Path>,
    ) -> Result<Server> {
        let (sender, stderr) = mpsc::channel();
        match &model.kind {
            &Kind::Target(address) => Ok(Server {
                address,
                process: None,
                serving: Err("it ran already, and is not ours to inspect"),
                _stderr: stderr,
            }),
            Kind::Row(example, options) => {
                let args = row_args(example, options, load, manner);
                let mut process = match record {
                    None => Process::start(&args, Path::new("."), (), sender)?,
                    Some(record) => {
                        Process::start_command(&under_strace(&args, record)?, (), sender)?
                    }
                };
                match process.ready(TO_START) {
                    Ok((kind, address)) if (kind == "udp") == manner.udp => Ok(Server {
                        address: address.parse()?,
                        serving: Ok(vec![process.pid()]),
                        process: Some(process),
                        _stderr: stderr,
                    }),
                    Ok((kind, _)) => bail!("{} serves {kind}", model.name),
                    Err(error) => Err(because(error, &stderr)),
                }
            }
            Kind::Command(line) => {
                let port = free_port()?;
                let line = line.replace("{port}", &port.to_string());
                let mut process = Process::start_command(&line, (), sender)?;
                process.ignore_output()?;
                match until_reachable(port, manner.udp, &mut process) {
                    Ok(address) => Ok(Server {
                        address,
                        serving: serving(port, manner.udp, process.pid()),
                        process: Some(process),
                        _stderr: stderr,
                    }),
                    Err(error) => Err(because(error, &stderr)),
                }
            }
        }
    }

    /// The processes that serve; not their children.
    ///
    /// # Errors
    /// Why nothing can be measured of them.
    pub fn serving(&self) -> std::result::Result<&[Pid], &'static str> {
        self.serving.as_deref().map_err(|why| *why)
    }

    /// How it ended, if it did so by itself. Its sockets close a moment before it has ended; so where
    /// connections were lost, it has that moment.
    ///
    /// # Errors
    /// None that waitpid(2) documents.
    pub fn ended(&mut self, tally: &Tally) -> Result<Option<String>> {
        let Some(process) = &mut self.process else { return Ok(None) };
        let end = Instant::now()
            + match (tally.given_up, tally.errors.count()) {
                (1.., _) => TO_LIVE_ON,
                (0, 1..) => TO_BE_GONE,
                (0, 0) => Duration::ZERO,
            };
        // The shell of a command may outlive its server.
        let gone = |pids: &Vec<Pid>| meter::used(pids).processes == 0;
        loop {
            let gone = self.serving.as_ref().is_ok_and(gone);
            if !process.running()? {
                return Ok(Some(process.wait()?.to_string()));
            }
            if Instant::now() >= end {
                return Ok(gone.then(|| "its process is gone".to_owned()));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends it; what it and its children used, if it is ours.
    ///
    /// # Errors
    /// None that waitpid(2) and getrusage(2) document.
    pub fn stop(self) -> Result<Option<Lifetime>> {
        let Some(mut process) = self.process else { return Ok(None) };
        // wait4 reports the sum over all children that were waited for: it grows by this one.
        let before = waited_for()?;
        process.stop();
        let end = Instant::now() + TO_END;
        while process.running()? && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        drop(process);
        let after = waited_for()?;
        Ok(Some(Lifetime {
            cpu: after.cpu.saturating_sub(before.cpu),
            switches: after.switches - before.switches,
        }))
    }
}

/// All children of this process that have ended.
fn waited_for() -> Result<Lifetime> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = |time: nix::sys::time::TimeVal| {
        Duration::from_micros(
            time.tv_sec().unsigned_abs() * 1_000_000 + time.tv_usec().unsigned_abs(),
        )
    };
    let switches = usage.voluntary_context_switches() + usage.involuntary_context_switches();
    Ok(Lifetime {
        cpu: micros(usage.user_time()) + micros(usage.system_time()),
        switches: switches.unsigned_abs(),
    })
}

/// `select server 127.0.0.1 0 -q --reply echo`, and room for every client; what the model's own options
/// say goes before that.
fn row_args(example: &Example, own: &[String], load: Load, manner: &Manner) -> Vec<String> {
    let mut args = vec![example.name.to_owned()];
    args.extend(["server", "127.0.0.1", "0", "--quiet"].map(String::from));
    args.extend(own.iter().cloned());
    let mut unless_own = |name: &str, value: Option<String>| {
        let name = format!("--{name}");
        let with_value = format!("{name}=");
        if !own.iter().any(|word| *word == name || word.starts_with(&with_value)) {
            args.push(name);
            args.extend(value);
        }
    };
    let options = example.server_options();
    let has = |name: &str| options.iter().any(|option| option.get_long() == Some(name));
    unless_own("reply", Some("echo".to_owned()));
    unless_own("bufsize", Some(manner.size.max(1024).to_string()));
    unless_own("backlog", Some(load.total().clamp(128, 4096).to_string()));
    // A row for which the option means something else, such as the number of processes, keeps its own value.
    if !has("max-clients") {
        unless_own("max-clients", Some((load.total() + 16).to_string()));
    }
    let transport = if manner.udp { "udp" } else { "tcp" };
    if has(transport) {
        unless_own(transport, None);
    }
    args
}

/// The command line of a server of ours under strace.
fn under_strace(args: &[String], record: &Path) -> Result<String> {
    let program = std::env::current_exe().context(
        Lang::current().pick("cannot find this program's own file", "找不到本程序自己的文件"),
    )?;
    let words = ["strace", "-f", "-qq", "-o"].map(String::from).into_iter();
    let files = [record, &program].map(|path| path.display().to_string());
    let quoted = |word: String| format!("'{}'", word.replace('\'', r"'\''"));
    let words: Vec<String> = words.chain(files).chain(args.iter().cloned()).map(quoted).collect();
    Ok(format!("exec {}", words.join(" ")))
}

fn echoes(row: &&Example) -> bool {
    row.purpose == Purpose::Echo && row.place == Place::Internet
}

/// The names of the rows that echo over some transport.
#[must_use]
pub fn rows() -> Vec<&'static str> {
    examples().filter(echoes).map(|row| row.name).collect()
}

/// The rows of the table that echo over this transport, the yardstick first; each is asked.
///
/// # Errors
/// This program cannot be started again.
pub fn echoing(manner: &Manner) -> Result<Vec<Model>> {
    let load = Load { connections: 1, idle: 0 };
    let (mut found, mut lacks) = (Vec::new(), None);
    for example in examples().filter(echoes) {
        let model = Model { name: example.name.to_owned(), kind: Kind::Row(example, vec![]) };
        // A server of the other transport, or one that cannot run on this kernel, is left out.
        match Server::start(&model, load, manner) {
            Ok(server) => {
                server.stop()?;
                found.push(model);
            }
            Err(error) => lacks = Some(error),
        }
    }
    // If none can run, the reason is not one server's own.
    match lacks {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(yardstick_first(found)),
    }
}

/// What is measured first, and compared with all others: the first of these that is there. Both serve
/// every client, in one thread.
const YARDSTICKS: [&str; 2] = ["epoll", "poll"];

fn yardstick_first(mut models: Vec<Model>) -> Vec<Model> {
    let place =
        YARDSTICKS.iter().find_map(|name| models.iter().position(|model| model.name == *name));
    if let Some(place) = place {
        models[..=place].rotate_right(1);
    }
    models
}

/// A port on which nothing listens, and which the kernel gives only to a program that asks for it.
///
/// What port 0 gives is free only until another program's port 0 gives the same, and the server takes
/// some milliseconds to come for it. So this one is below those that are given away (ip(7),
/// ip_local_port_range).
#[expect(
    clippy::disallowed_methods,
    reason = "a port for another program's server, no step of a page"
)]
fn free_port() -> Result<u16> {
    let range = inspect::numbers("net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.first().and_then(|&first| u16::try_from(first).ok());
    let below = LOWEST + 1..first.unwrap_or(LOWEST);
    // Each run starts at another port, so that two benches at once do not try the same ones.
    let any = RandomState::new().build_hasher().finish() as usize % below.len().max(1);
    let ports = below.clone().cycle().skip(any).take(below.len());
    let free = ports.map(|port| TcpListener::bind(("127.0.0.1", port))).find_map(Result::ok);
    let free = free.map_or_else(|| TcpListener::bind(("127.0.0.1", 0)), Ok)?;
    Ok(free.local_addr()?.port())
}

/// Below this, ports have their owners.
const LOWEST: u16 = 10_000;

/// Another program's server prints no ready line: it is ready when it can be reached, over IPv4 or IPv6.
/// Over UDP nothing would tell, so it has a little time, and serves IPv4.
#[expect(clippy::disallowed_methods, reason = "asks whether a server is there, no step of a page")]
fn until_reachable(port: u16, udp: bool, process: &mut Process) -> Result<SocketAddr> {
    let end = Instant::now() + TO_START;
    let loopback =
        [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), (Ipv6Addr::LOCALHOST, port).into()];
    if udp {
        thread::sleep(Duration::from_millis(300));
        return Ok(loopback[0]);
    }
    loop {
        for address in loopback {
            if TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok() {
                return Ok(address);
            }
        }
        if !process.running()? {
            let status = process.wait()?;
            bail!("the command ended before a client could connect ({status})");
        }
        if Instant::now() > end {
            bail!(
                "nothing listens on port {port} of 127.0.0.1 or ::1 after {} s",
                TO_START.as_secs()
            );
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Who of a command's processes has the socket at this port. The command line runs in a shell, which may
/// wait beside its server, and what it starts may be a wrapper in turn.
fn serving(port: u16, udp: bool, command: Pid) -> std::result::Result<Vec<Pid>, &'static str> {
    let ask = inspect::Ask::port(port);
    let sockets = if udp { inspect::udp(ask) } else { inspect::tcp(ask) };
    let sockets = sockets.map_err(|_| "this machine does not tell which process has its port")?;
    let inodes: Vec<u64> =
        sockets.iter().filter(|socket| socket.is_open()).map(|socket| socket.inode).collect();
    let holders = inspect::holders(inodes.iter().copied(), TO_FIND);
    let family = meter::family(&[command]);
    let ours = |pid: &Pid| family.contains(pid);
    let mut serving: Vec<Pid> = inodes
        .iter()
        .flat_map(|&inode| holders.of(inode))
        .map(|holder| Pid::from_raw(holder.pid.cast_signed()))
        .filter(ours)
        .collect();
    serving.sort_unstable();
    serving.dedup();
    match serving.is_empty() {
        true => Err("none of the command's processes has the socket at its port"),
        false => Ok(serving),
    }
}

/// The error, and the last words of the server that it is about.
fn because(error: anyhow::Error, stderr: &Receiver<Line<()>>) -> anyhow::Error {
    // It is about to be ended, or has ended: its last words are on their way.
    let mut last = None;
    while let Ok(line) = stderr.recv_timeout(Duration::from_millis(100)) {
        if !line.text.trim().is_empty() && !line.text.trim_start().starts_with("hint:") {
            last = Some(line.text);
        }
    }
    match last {
        Some(words) => error.context(crate::escape::escape(words.trim().as_bytes())),
        None => error,
    }
}

/// A row by its name, with options behind it: `handler --style threading`.
///
/// # Errors
/// There is no such row, or it does not echo over the network.
pub fn row(text: &str) -> Result<Model> {
    let mut words = text.split_whitespace().map(String::from);
    let name = words.next().context("a model has a name")?;
    let named = |row: &&Example| row.name == name || row.short == Some(name.as_str());
    let Some(example) = examples().find(named) else {
        bail!("there is no example called {name}: netplay lists them");
    };
    if !echoes(&example) {
        bail!("{name} is no echo server of the network");
    }
    Ok(Model { name: text.trim().to_owned(), kind: Kind::Row(example, words.collect()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_for_a_server_is_none_that_the_kernel_gives_away() {
        let range = inspect::numbers("net/ipv4/ip_local_port_range").unwrap();
        let first = u16::try_from(range[0]).unwrap();
        for _ in 0..100 {
            let port = free_port().unwrap();
            assert!(port < first || first <= LOWEST, "{port} may be given to a client");
        }
    }
}
