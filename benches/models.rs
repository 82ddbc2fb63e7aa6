//! How much netplay's servers cost beside plain C servers of the same models (`benches/c`), and
//! beside servers that others have made.
//!
//! ```sh
//! cargo bench --bench models                        all of it: a quarter of an hour
//! cargo bench --bench models -- --rounds 5          less of it
//! cargo bench --bench models -- epoll io-uring      these two
//! cargo bench --bench models -- peers memory        epoll beside the others; 10,000 idle clients
//! ```
//!
//! The load and the meters are those of `netplay bench`. In each round the C twin has a turn, then
//! netplay's server, then the twin again. netplay's figure is compared with the mean of the twin's two
//! turns around it, and the second of these with the first: a difference that is no larger than
//! theirs means nothing. Each turn is a new process; its start is not in the figures.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use netplay::bench;
use netplay::bench::machine::Pin;
use netplay::bench::plan::{Expect, Kind, Load, Manner, Model, Plan};
use netplay::bench::sample::{Cell, Report, Spread, Turn};

use netplay::stop::Stop;

/// A model: its name and options in netplay, the name of its C file, and how many
/// connections such a server can serve.
struct Pair {
    name: &'static str,
    options: &'static str,
    twin: &'static str,
    most: usize,
}

const fn pair(name: &'static str, options: &'static str, twin: &'static str, most: usize) -> Pair {
    Pair { name, options, twin, most }
}

const PAIRS: [Pair; 9] = [
    pair("iterative", "--tcp", "iterative", 1),
    pair("select", "", "select", 1000),
    pair("poll", "", "poll", 10_000),
    pair("epoll", "", "epoll", 10_000),
    pair("io-uring", "", "io_uring", 10_000),
    pair("fork", "", "fork", 1000),
    pair("thread", "", "thread", 10_000),
    pair("prefork", "--workers 8", "prefork", 8),
    pair("pool", "--workers 8", "pool", 8),
];

const UDP: Pair = pair("udp-echo", "", "udp", 10_000);

/// The load on a server.
struct Work {
    title: &'static str,
    connections: usize,
    idle: usize,
    size: usize,
    per_request: bool,
}

const WORKS: [Work; 7] = [
    Work { title: "1 connection", connections: 1, ..SMALL },
    Work { title: "8 connections", connections: 8, ..SMALL },
    Work { title: "64 connections", connections: 64, ..SMALL },
    Work { title: "1,000 connections", connections: 1000, ..SMALL },
    Work { title: "1 among 900 idle", connections: 1, idle: 900, ..SMALL },
    Work { title: "a connection per request", connections: 8, per_request: true, ..SMALL },
    Work { title: "1 MiB there and back", connections: 1, size: 1 << 20, ..SMALL },
];

const SMALL: Work = Work { title: "", connections: 1, idle: 0, size: 64, per_request: false };

fn main() -> Result<()> {
    let twins = compile()?;
    let lab = Lab { twins, asked: Asked::read()?, stop: Stop::new() };
    lab.stop.on_signals();
    let mut footer = None;
    for work in &WORKS {
        // Eight connections are for the servers that serve no more.
        let fits = |pair: &&Pair| {
            let most = if work.per_request { usize::MAX } else { pair.most };
            let here = work.connections + work.idle;
            here <= most && (work.connections != 8 || work.per_request || most == 8)
        };
        let reports: Vec<(&Pair, Report)> = PAIRS
            .iter()
            .filter(|pair| lab.asked.wants(pair.name))
            .filter(fits)
            .map(|pair| Ok((pair, lab.compare(pair, work, false)?)))
            .collect::<Result<_>>()?;
        print_pairs(work.title, &reports);
        footer = reports.into_iter().next().map(|(_, report)| report).or(footer);
    }
    if lab.asked.wants("udp-echo") {
        for work in WORKS.iter().filter(|work| matches!(work.connections, 1 | 64)).take(2) {
            let report = lab.compare(&UDP, work, true)?;
            print_pairs(&format!("UDP, {}", work.title), &[(&UDP, report)]);
        }
    }
    if lab.asked.wants("peers") {
        lab.peers()?;
    }
    if lab.asked.wants("memory") {
        lab.memory()?;
    }
    for line in footer.iter().flat_map(Report::footer) {
        println!("{line}");
    }
    Ok(())
}

// ---- the command line

struct Asked {
    rounds: usize,
    seconds: f64,
    /// Names of models, `udp-echo`, `peers`, `memory`; none: all.
    names: Vec<String>,
}

impl Asked {
    fn read() -> Result<Asked> {
        let mut asked = Asked { rounds: 15, seconds: 0.25, names: vec![] };
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            match word.as_str() {
                "--rounds" => asked.rounds = words.next().context("how many?")?.parse()?,
                "--seconds" => asked.seconds = words.next().context("how long?")?.parse()?,
                flag if flag.starts_with('-') => bail!("{flag} means nothing here"),
                _ => asked.names.push(word),
            }
        }
        Ok(asked)
    }

    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|word| word == name)
    }
}

// ---- the servers

/// Compiles all files of `benches/c`, and says where.
fn compile() -> Result<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let twins = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c");
    std::fs::create_dir_all(&twins)?;
    for twin in PAIRS.iter().chain([&UDP]).map(|pair| pair.twin) {
        let source = home.join("benches/c").join(twin).with_extension("c");
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-Wall", "-Wextra", "-pthread", "-o"]).arg(twins.join(twin)).arg(source);
        let compiled = cc.status().is_ok_and(|status| status.success());
        ensure!(compiled, "the yardsticks need a C compiler: cc did not compile {twin}.c");
    }
    Ok(twins)
}

/// The servers of other projects that are installed.
fn strangers() -> Vec<Model> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tokio-echo");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--manifest-path"]);
    cargo.arg(home.join("tokio-echo/Cargo.toml")).arg("--target-dir").arg(&target);
    let tokio = target.join("release/tokio-echo");
    let tokio = tokio.display();
    let python = home.join("peers/threading_echo.py");
    let mut found = Vec::new();
    let mut add = |name: &str, mut here: Command, line: String| {
        let here = here.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        match here.is_ok_and(|status| status.success()) {
            true => found.push(command(name, line)),
            false => println!("LEFT OUT: {name} is not available here"),
        }
    };
    let asking = |program: &str, with: &str| {
        let mut command = Command::new(program);
        command.arg(with);
        command
    };
    add("tokio", cargo, format!("{tokio} {{port}}"));
    add("tokio, one thread", asking("true", ""), format!("{tokio} {{port}} current_thread"));
    let line = format!("python3 {} {{port}}", python.display());
    add("python3 socketserver", asking("python3", "-V"), line);
    let line = "socat -b 1024 TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog=4096 PIPE";
    add("socat", asking("socat", "-V"), line.to_owned());
    found
}

fn command(name: &str, line: String) -> Model {
    // `exec` replaces the shell, so that the process that is measured is the server.
    Model { name: name.to_owned(), kind: Kind::Command(format!("exec {line}")) }
}

// ---- measuring

struct Lab {
    twins: PathBuf,
    asked: Asked,
    stop: Stop,
}

impl Lab {
    fn ours(&self, pair: &Pair, work: &Work) -> Model {
        let Pair { name, options, most, .. } = pair;
        let room = if *most > 8 { (work.connections + work.idle).max(8) + 100 } else { 256 };
        let line = format!(
            "{} {name} server 127.0.0.1 {{port}} -q --reply echo --backlog 4096 --bufsize {} \
             --max-clients {room} {options}",
            env!("CARGO_BIN_EXE_netplay"),
            buffer(work)
        );
        command(name, line)
    }

    fn twin(&self, pair: &Pair, work: &Work) -> Model {
        command("C", format!("{} {{port}} {}", self.twins.join(pair.twin).display(), buffer(work)))
    }

    fn compare(&self, pair: &Pair, work: &Work, udp: bool) -> Result<Report> {
        self.run(vec![self.twin(pair, work), self.ours(pair, work)], work, udp, self.asked.rounds)
    }

    /// The first of the servers runs twice.
    fn run(&self, models: Vec<Model>, work: &Work, udp: bool, rounds: usize) -> Result<Report> {
        let plan = Plan {
            models,
            loads: vec![Load { connections: work.connections, idle: work.idle }],
            manner: Manner {
                size: work.size,
                rounds: Some(rounds),
                seconds: self.asked.seconds,
                rate: None,
                per_request: work.per_request,
                udp,
                expect: Expect::Echo,
                pin: Pin::Free,
                threads: 1,
            },
        };
        plan.check()?;
        let report = bench::run(&plan, &self.stop, &|_| {})?;
        ensure!(!report.partial, "interrupted");
        for cell in &report.cells {
            if let Some(why) = &cell.failed {
                println!("{}, {}: {why}", cell.model, work.title);
            }
        }
        Ok(report)
    }

    /// netplay's models beside servers of other projects, of which the first is the yardstick.
    fn peers(&self) -> Result<()> {
        for work in WORKS.iter().filter(|work| matches!(work.connections, 1 | 64 | 1000)).take(3) {
            let mut models = strangers();
            let ours =
                PAIRS.iter().filter(|pair| matches!(pair.name, "poll" | "epoll" | "io-uring"));
            models.extend(ours.map(|pair| self.ours(pair, work)));
            if work.connections == 1000 {
                models.retain(|model| model.name != "socat"); // a thousand processes, and two pipes each
            }
            let report = self.run(models, work, false, self.asked.rounds)?;
            println!("\n{:<26} rate / {:<27} CPU / request", work.title, report.cells[0].model);
            for cell in &report.cells {
                let rate = cell.ratio(&report.cells[0]);
                let cpu = within_rounds(cell, |round| {
                    Some(per_reply(cell, round)? / per_reply(&report.cells[0], round)?)
                });
                let again = if cell.again { ", again" } else { "" };
                println!(
                    "{:<26} {:<34} {}",
                    format!("{}{again}", cell.model),
                    text(rate),
                    text(cpu)
                );
            }
        }
        Ok(())
    }

    /// The memory that a silent client costs. It needs no turns: the look before them measures it.
    fn memory(&self) -> Result<()> {
        println!("\nKiB of memory for each idle client   C     netplay");
        for (name, idle) in [
            ("poll", 10_000),
            ("epoll", 10_000),
            ("io-uring", 10_000),
            ("thread", 10_000),
            ("fork", 900),
        ] {
            let Some(pair) = PAIRS.iter().find(|pair| pair.name == name) else { continue };
            let work = Work { idle, ..SMALL };
            let report =
                self.run(vec![self.twin(pair, &work), self.ours(pair, &work)], &work, false, 0)?;
            let kib = |cell: &Cell| match cell.memory() {
                Some(bytes) => format!("{:.2}", bytes / 1024.0),
                None => "-".to_owned(),
            };
            let (twin, ours) = (kib(&report.cells[0]), kib(&report.cells[1]));
            println!("{:<36} {twin:<5} {ours}", format!("{name}, {idle} of them"));
        }
        Ok(())
    }
}

/// The size in textbooks; large messages need larger pieces.
fn buffer(work: &Work) -> usize {
    if work.size > 1024 { 64 * 1024 } else { 1024 }
}

// ---- figures

fn print_pairs(title: &str, reports: &[(&Pair, Report)]) {
    if reports.is_empty() {
        return;
    }
    println!(
        "\n{title:<26} rate / C               CPU / C                C again: rate, CPU  calls (C)"
    );
    for (pair, report) in reports {
        let [twin, ours, again] = &report.cells[..] else { continue };
        let beside = |figure: &dyn Fn(&Cell, usize) -> Option<f64>| {
            within_rounds(ours, |round| {
                let around = figure(twin, round)? * figure(again, round)?;
                Some(figure(ours, round)? / around.sqrt())
            })
        };
        let noise = |figure: &dyn Fn(&Cell, usize) -> Option<f64>| {
            let ratio =
                within_rounds(again, |round| Some(figure(again, round)? / figure(twin, round)?));
            ratio.map_or("-".to_owned(), |ratio| format!("{:.2}", ratio.median))
        };
        let calls =
            |cell: &Cell| cell.calls().map_or("-".to_owned(), |calls| format!("{calls:.2}"));
        println!(
            "{:<26} {:<22} {:<22} {:<6} {:<12} {} ({})",
            pair.name,
            text(beside(&rate)),
            text(beside(&per_reply)),
            noise(&rate),
            noise(&per_reply),
            calls(ours),
            calls(twin),
        );
    }
}

fn turn(cell: &Cell, round: usize) -> Option<&Turn> {
    cell.turns.iter().find(|turn| turn.round == round)
}

/// Replies a second.
fn rate(cell: &Cell, round: usize) -> Option<f64> {
    Some(turn(cell, round)?.rate()).filter(|&rate| rate > 0.0)
}

/// CPU time of the server for a reply.
fn per_reply(cell: &Cell, round: usize) -> Option<f64> {
    let turn = turn(cell, round)?;
    let replies = Some(turn.all_replies).filter(|&replies| replies > 0)?;
    Some(turn.server?.cpu_ns as f64 / replies as f64)
}

/// A ratio for each round, and how they are spread.
fn within_rounds(cell: &Cell, ratio: impl Fn(usize) -> Option<f64>) -> Option<Spread> {
    Spread::of(cell.turns.iter().filter_map(|turn| ratio(turn.round)))
}

fn text(spread: Option<Spread>) -> String {
    spread.map_or("-".to_owned(), |Spread { low, median, high }| {
        format!("{median:.2}  {low:.2} to {high:.2}")
    })
}
