//! How fast files go over loopback: `netplay ftp` beside vsftpd, pyftpdlib, `python3 -m http.server`
//! and two loops in C (`files.c`) that do nothing but sendfile and splice.
//!
//! ```sh
//! cargo bench --bench files
//! ```
//!
//! It takes about two minutes. A peer that is not installed is left out, and named. Files lie in a
//! folder of the temporary directory (`TMPDIR`), the same for all, and in the page cache.
//!
//! The servers take turns: A B C, then B C A, then C A B. So whatever else the machine does affects all
//! of them, and only turns of one round are compared. The client is this program: one thread,
//! blocking sockets, 1 MiB at a time, the same for all. The first row of a table is the yardstick; the
//! last is the yardstick once more: a difference smaller than that one means nothing.

#![allow(clippy::disallowed_methods, reason = "the client of all these servers is under no record")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use netplay::call::{self, TCP_CONGESTION};
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// Rounds go on until this much time is over.
const TIME: Duration = Duration::from_secs(105);
/// Rounds that also fetch the small files: each leaves a thousand ports in TIME_WAIT.
const SMALL_ROUNDS: usize = 7;
const BIG: usize = 512 << 20;
const SMALL: usize = 1024;
const SMALL_FILES: usize = 1000;
const PIECE: usize = 1 << 20;

fn main() -> Result<()> {
    let began = Instant::now();
    let place = tempfile::tempdir()?;
    let folder = place.path().join("files");
    fill(&folder)?;
    let mut servers = start(place.path(), &folder)?;
    let mut tables = [
        Table::new(Work::Retr, &servers, "C sendfile"),
        Table::new(Work::Stor, &servers, "C splice"),
        Table::new(Work::Small, &servers, "vsftpd"),
    ];
    let mut buf = vec![b'x'; PIECE];
    let mut rounds = 0;
    while rounds < 3 || began.elapsed() < TIME {
        for table in &mut tables {
            if table.work == Work::Small && rounds >= SMALL_ROUNDS {
                continue;
            }
            let rows = table.rows.len();
            for turn in 0..rows {
                let row = &mut table.rows[(turn + rounds) % rows];
                let server = &mut servers[row.server];
                let go = server
                    .go(table.work, &folder, &mut buf)
                    .with_context(|| format!("{:?} of {}", table.work, server.name))?;
                row.goes.push(go);
            }
        }
        rounds += 1;
    }
    for table in &mut tables {
        table.print();
    }
    println!("{}", footer(place.path(), rounds));
    drop(servers);
    place.close()?; // a folder that stays behind is a bug, and must be seen
    Ok(())
}

/// The files to fetch. They are written to the disk now, not during the measurement.
fn fill(folder: &Path) -> Result<()> {
    fs::create_dir(folder)?;
    let mut big = File::create(folder.join("big"))?;
    let piece: Vec<u8> = (0..PIECE).map(|at| (at % 251) as u8).collect();
    for _ in 0..BIG / PIECE {
        big.write_all(&piece)?;
    }
    big.sync_all()?;
    for number in 0..SMALL_FILES {
        fs::write(folder.join(format!("small-{number}")), &piece[..SMALL])?;
    }
    Ok(())
}

// ---- servers

#[derive(Clone, Copy, PartialEq)]
enum Speaks {
    /// The end of the connection is the end of the file.
    Nothing,
    Http,
    Ftp(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Work {
    Retr,
    Stor,
    Small,
}

/// A server that runs; dropping it ends it.
struct Server {
    name: &'static str,
    speaks: Speaks,
    works: &'static [Work],
    process: Child,
    port: u16,
    session: Option<Session>,
}

/// Starts the servers that are installed.
fn start(place: &Path, folder: &Path) -> Result<Vec<Server>> {
    use Work::{Retr, Small, Stor};
    let mut servers = Vec::new();
    let loops = place.join("loops");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/files.c");
    let compiled = Command::new("cc").arg("-O2").arg("-o").arg(&loops).arg(source).status();
    ensure!(compiled.is_ok_and(|status| status.success()), "the yardstick needs a C compiler: cc");
    let (big, stored) = (path(folder, "big"), path(folder, "stored"));
    let usual = read_line("/proc/sys/net/ipv4/tcp_congestion_control");
    let mut c = |name, work: &str, file: &str, works| -> Result<()> {
        let server = Server::start(name, Speaks::Nothing, works, |port| {
            let mut command = Command::new(&loops);
            command.args([work, port.as_str(), file]);
            Ok(command)
        })?;
        servers.push(server);
        Ok(())
    };
    c("C sendfile", "send", &big, &[Retr])?;
    if usual != "cubic" {
        c("C sendfile, not cubic", "usual", &big, &[Retr])?;
    }
    c("C splice", "store", &stored, &[Stor])?;
    c("C splice + fsync", "sync", &stored, &[Stor])?;

    let (user, word) = ("bench", "bench");
    let ftp = Speaks::Ftp(user);
    let works = &[Retr, Stor, Small];
    let root = folder.to_str().context("the temporary folder has a name that is no text")?;
    servers.push(Server::start("netplay ftp", ftp, works, |port| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netplay"));
        command.args(["-q", "ftp", "server", "127.0.0.1", &port, "--root", root]);
        command.args(["--user", user, "--password", word]);
        Ok(command)
    })?);

    let anonymous = Speaks::Ftp("anonymous");
    if has("vsftpd", "-v") {
        servers.push(Server::start("vsftpd", anonymous, works, |port| {
            // It reads only a settings file of the user who runs it.
            let file = place.join("vsftpd.conf");
            fs::write(&file, include_str!("../tests/peers/vsftpd.conf"))?;
            let mut command = Command::new("vsftpd");
            command.arg(file).args(["-olisten=YES", "-olisten_ipv6=NO", "-ono_anon_password=YES"]);
            command.args(["-olisten_address=127.0.0.1", &format!("-olisten_port={port}")]);
            command.arg(format!("-oanon_root={root}"));
            Ok(command)
        })?);
    }
    if has("python3", "-mpyftpdlib") {
        servers.push(Server::start("pyftpdlib", anonymous, works, |port| {
            let mut command = Command::new("python3");
            command.args(["-m", "pyftpdlib", "-i", "127.0.0.1", "-w", "-p", &port, "-d", root]);
            Ok(command)
        })?);
    }
    if has("python3", "-mhttp.server") {
        servers.push(Server::start("python3 http.server", Speaks::Http, &[Retr], |port| {
            let mut command = Command::new("python3");
            command.args(["-m", "http.server", "--bind", "127.0.0.1", "-d", root, &port]);
            Ok(command)
        })?);
    }
    Ok(servers)
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// Whether the program is installed: it must answer a simple question.
fn has(program: &str, with: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(with).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if with.starts_with("-m") {
        command.arg("--help");
    }
    let there = command.status().is_ok_and(|status| status.success());
    if !there {
        println!("LEFT OUT: {program} {with} does not run here");
    }
    there
}

impl Server {
    fn start(
        name: &'static str,
        speaks: Speaks,
        works: &'static [Work],
        command: impl FnOnce(String) -> Result<Command>,
    ) -> Result<Server> {
        // Free now, and the kernel will hardly choose it again soon.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let process = command(port.to_string())?
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let mut server = Server { name, speaks, works, process, port, session: None };
        let deadline = Instant::now() + Duration::from_secs(10);
        let first = loop {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                Ok(first) => break first,
                Err(error) if Instant::now() > deadline => {
                    return Err(error).with_context(|| format!("{name} does not answer"));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        if let Speaks::Ftp(user) = speaks {
            server.session = Some(Session::begin(first, user)?);
        }
        Ok(server)
    }

    /// One turn: what it took.
    fn go(&mut self, work: Work, folder: &Path, buf: &mut [u8]) -> Result<Go> {
        let pids = with_descendants(self.process.id().cast_signed());
        let before =
            (Instant::now(), cpu_of(&pids)?, clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?);
        match work {
            Work::Retr => {
                let got = self.retr("big", buf)?;
                ensure!(got >= BIG, "only {got} bytes came");
            }
            Work::Stor => self.stor("stored", buf)?,
            Work::Small => {
                for number in 0..SMALL_FILES {
                    let got = self.retr(&format!("small-{number}"), buf)?;
                    ensure!(got == SMALL, "only {got} bytes came");
                }
            }
        }
        let took = before.0.elapsed().as_secs_f64();
        let client = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)? - before.2;
        let server = cpu_of(&pids)? - before.1;
        if work == Work::Stor {
            let stored = folder.join("stored");
            ensure!(stored.metadata()?.len() == BIG as u64, "not all of it was stored");
            fs::remove_file(stored)?;
        }
        Ok(Go { took, server, client: Duration::from(client).as_secs_f64() })
    }

    fn retr(&mut self, name: &str, buf: &mut [u8]) -> Result<usize> {
        let (mut data, session) = match &mut self.session {
            Some(session) => {
                let data = session.data()?;
                session.say(&format!("RETR {name}"), "150")?;
                (data, Some(session))
            }
            None => (TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?, None),
        };
        if self.speaks == Speaks::Http {
            write!(data, "GET /{name} HTTP/1.0\r\n\r\n")?;
        }
        let mut got = 0;
        loop {
            match data.read(buf)? {
                0 => break,
                n => got += n,
            }
        }
        drop(data);
        session.map_or(Ok(()), |session| session.hear("226"))?;
        Ok(got)
    }

    fn stor(&mut self, name: &str, buf: &[u8]) -> Result<()> {
        let (mut data, session) = match &mut self.session {
            Some(session) => {
                let data = session.data()?;
                session.say(&format!("STOR {name}"), "150")?;
                (data, Some(session))
            }
            None => (TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?, None),
        };
        // Here the client sends. Without cubic, the kernel's own choice will do.
        let _ = call::setsockopt(&data, TCP_CONGESTION, "cubic");
        for _ in 0..BIG / buf.len() {
            data.write_all(buf)?;
        }
        data.shutdown(Shutdown::Write)?;
        match session {
            Some(session) => session.hear("226"),
            None => {
                ensure!(data.read(&mut [0])? == 0, "the end was expected");
                Ok(())
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.session = None; // what a server started for it ends with it
        let _ = kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(3);
        while Instant::now() < deadline && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An FTP session that has logged in.
struct Session {
    control: BufReader<TcpStream>,
}

impl Session {
    fn begin(stream: TcpStream, user: &str) -> Result<Session> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut session = Session { control: BufReader::new(stream) };
        session.hear("220")?;
        write!(session.control.get_ref(), "USER {user}\r\n")?;
        if session.reply()?.starts_with("331") {
            session.say("PASS bench", "230")?;
        }
        session.say("TYPE I", "200")?;
        Ok(session)
    }

    fn say(&mut self, line: &str, expected: &str) -> Result<()> {
        self.control.get_ref().write_all(format!("{line}\r\n").as_bytes())?;
        self.hear(expected)
    }

    fn hear(&mut self, expected: &str) -> Result<()> {
        let reply = self.reply()?;
        // 125 means the same as 150: the bytes come.
        let as_good = expected == "150" && reply.starts_with("125");
        ensure!(reply.starts_with(expected) || as_good, "{expected} was expected: {reply}");
        Ok(())
    }

    /// The last line of a reply.
    fn reply(&mut self) -> Result<String> {
        loop {
            let mut line = String::new();
            ensure!(self.control.read_line(&mut line)? > 0, "the session is over");
            if line.as_bytes().get(3) == Some(&b' ') && line.as_bytes()[0].is_ascii_digit() {
                return Ok(line);
            }
        }
    }

    /// The data connection: 229 … (|||PORT|)
    fn data(&mut self) -> Result<TcpStream> {
        write!(self.control.get_ref(), "EPSV\r\n")?;
        let reply = self.reply()?;
        let port = reply.split('|').nth(3).and_then(|port| port.parse().ok());
        let Some(port) = port.filter(|_| reply.starts_with("229")) else { bail!("{reply}") };
        Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port))?)
    }
}

// ---- what it took

/// Seconds of the clock, and of processor time.
#[derive(Clone, Copy)]
struct Go {
    took: f64,
    server: f64,
    client: f64,
}

/// The process and all that it has started: vsftpd has two for a session.
fn with_descendants(pid: i32) -> Vec<i32> {
    let mut parents: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // PID (NAME) STATE PARENT …, and in NAME there may be anything.
        let parent =
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
        parents.entry(parent.unwrap_or_default()).or_default().push(pid);
    }
    let mut all = vec![pid];
    let mut at = 0;
    while at < all.len() {
        all.extend(parents.get(&all[at]).into_iter().flatten());
        at += 1;
    }
    all
}

/// The processor time of processes that still run, to the nanosecond.
fn cpu_of(pids: &[i32]) -> Result<f64> {
    let mut sum = 0.0;
    for &pid in pids {
        let clock = clock_getcpuclockid(Pid::from_raw(pid))?;
        sum += Duration::from(clock_gettime(clock)?).as_secs_f64();
    }
    Ok(sum)
}

// ---- tables

struct Table {
    work: Work,
    rows: Vec<Row>,
}

struct Row {
    server: usize,
    name: String,
    goes: Vec<Go>,
}

impl Table {
    /// The yardstick, the others, and the yardstick again.
    fn new(work: Work, servers: &[Server], yardstick: &str) -> Table {
        let row = |server: usize| {
            let name = servers[server].name.to_owned();
            Row { server, name, goes: Vec::new() }
        };
        let mut rows: Vec<Row> = (0..servers.len())
            .filter(|&server| servers[server].works.contains(&work))
            .map(row)
            .collect();
        if let Some(at) = rows.iter().position(|row| row.name == yardstick) {
            rows[..=at].rotate_right(1);
        }
        let mut again = row(rows[0].server);
        again.name += ", again";
        rows.push(again);
        Table { work, rows }
    }

    fn print(&mut self) {
        let what = match self.work {
            Work::Retr => "RETR of 512 MiB",
            Work::Stor => "STOR of 512 MiB",
            Work::Small => "RETR of 1,000 files of 1 KiB",
        };
        let rounds = self.rows[0].goes.len();
        let vsftpd = self.rows.iter().position(|row| row.name == "vsftpd").filter(|&at| at > 0);
        let mut against = vec![0];
        against.extend(vsftpd);
        print!("\n{:<24}", format!("{what},"));
        for &other in &against {
            print!("  {:<24} {:<12}", format!("rate / {}", self.rows[other].name), "its CPU");
        }
        println!("  client busy\n{rounds} rounds");
        for row in &self.rows {
            print!("{:<24}", row.name);
            for &other in &against {
                let other = &self.rows[other].goes;
                let ratio = |of: fn(&Go, &Go) -> f64| -> Quarters {
                    Quarters::of(
                        row.goes.iter().zip(other).map(|(mine, its)| of(mine, its)).collect(),
                    )
                };
                let rate = ratio(|mine, its| its.took / mine.took);
                let cpu = ratio(|mine, its| mine.server / its.server);
                let spread = format!("{:.2} to {:.2}", rate.low, rate.high);
                print!("  {:.2}  {:<18} {:<12.2}", rate.median, spread, cpu.median);
            }
            let busy = Quarters::of(row.goes.iter().map(|go| go.client / go.took).collect());
            println!("  {:.2}", busy.median);
        }
    }
}

/// The median, and the ends of the middle half.
struct Quarters {
    low: f64,
    median: f64,
    high: f64,
}

impl Quarters {
    fn of(mut values: Vec<f64>) -> Quarters {
        values.sort_by(f64::total_cmp);
        let at = |part: usize| values[(values.len() - 1) * part / 4];
        Quarters { low: at(1), median: at(2), high: at(3) }
    }
}

fn footer(place: &Path, rounds: usize) -> String {
    let kernel = read_line("/proc/sys/kernel/osrelease");
    let control = read_line("/proc/sys/net/ipv4/tcp_congestion_control");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "\nMedians of the ratios within a round, with the middle half. CPU: of the server, for the same \
         bytes.\nLinux {kernel}, free to run on {cores} cores, congestion control {control}, files on {}, {rounds} \
         rounds, netplay told to be quiet (-q).",
        file_system(place)
    )
}

/// The type of the file system that the folder is on: the mount with the longest name above it.
fn file_system(place: &Path) -> String {
    let place = place.canonicalize().unwrap_or_else(|_| PathBuf::from(place));
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let of = |line: &str| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    mounts
        .lines()
        .filter_map(of)
        .filter(|(mount, _)| place.starts_with(mount))
        .max_by_key(|(mount, _)| mount.len())
        .map_or("an unknown file system".to_owned(), |(_, kind)| kind)
}

fn read_line(path: &str) -> String {
    fs::read_to_string(path).map_or("unknown".to_owned(), |text| text.trim().to_owned())
}
