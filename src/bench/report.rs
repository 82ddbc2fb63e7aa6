//! The figures as tables: for a terminal, as Markdown, HTML, CSV and JSON.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::machine::Pin;
use super::plan::{Load, Manner};
use super::sample::{Cell, Report, Spread, Verdict};
use crate::columns::cut;
use crate::escape::escape;
use crate::table::{self, Look};
use crate::words::{counted, duration, grouped};

/// A table as text, before anybody has decided how it looks.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// What it is about.
    pub title: String,
    /// What its columns are called; the first is the name of a row, and reads from the left.
    pub head: Vec<&'static str>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
    /// What may be said of it.
    pub remarks: Vec<String>,
}

/// What stands where there is no figure: never an invented one.
const NONE: &str = "-";

/// The columns, for the help.
pub const COLUMNS: &str = "\
Columns of the first table:
  requests/s   replies in a second: the median of the rounds, and their middle half
  ratio        the same as a part of the yardstick's rate in the same round; the yardstick's own
               second copy shows how far apart equal servers come out
  p50 … max    from request to reply; half of the requests are faster than p50, 99 in 100 faster
               than p99. With --rate from when a request was due, sent or not
  busy s/c     processors that the server kept busy, and the client's side
  bottleneck   who had no time left: server, client (then the figures are the client's) or all
               cores; waiting: nobody, each waits for the other, or for a core that others have
Columns of the second:
  CPU          the server's processor time for one request, in the program and in the kernel, all
               its processes and threads together
  calls        system calls of the server for one request, counted in a run of its own
  switches     how often a thread of it left a processor, for one request
  KiB/conn     memory of all its processes (Pss) for one connection more; not the kernel's own
  processes, threads   how many it had with all connections
  served       connections that had at least one reply; the others never got one
  errors       of all kinds, in all rounds: refused, reset, closed early, a wrong answer";

impl Report {
    /// Its tables: two for every load.
    #[must_use]
    pub fn sheets(&self) -> Vec<Sheet> {
        self.loads().into_iter().flat_map(|load| [self.speed(load), self.cost(load)]).collect()
    }

    fn speed(&self, load: Load) -> Sheet {
        let cells = self.under(load);
        let bulk = self.manner.size >= 4096;
        let mut head = vec![
            "model",
            "requests/s",
            "middle half",
            "ratio",
            "middle half",
            "p50",
            "p99",
            "p99.9",
            "max",
            "busy s/c",
            "bottleneck",
        ];
        if bulk {
            head.insert(3, "MiB/s");
        }
        let row = |cell: &&Cell| {
            let ratio = cells.first().and_then(|yardstick| cell.ratio(yardstick));
            let rate = cell.rate();
            let (server, client) = cell.busy();
            let mut row = vec![
                name(cell),
                figure(rate.map(|rate| rate.median), whole),
                range(rate, whole),
                figure(ratio.map(|ratio| ratio.median), two),
                range(ratio, two),
                figure(cell.latency(|latency| latency.p50), time),
                figure(cell.latency(|latency| latency.p99), time),
                figure(cell.latency(|latency| latency.p999), time),
                figure(cell.longest(), time),
                format!("{}/{}", figure(server, two), figure(client, two)),
                cell.bottleneck(&self.machine, &self.manner)
                    .map_or(NONE.to_owned(), |side| side.word().to_owned()),
            ];
            if bulk {
                let mebibytes = |rate: Spread| rate.median * self.manner.size as f64 / 1_048_576.0;
                row.insert(3, figure(rate.map(mebibytes), whole));
            }
            row
        };
        let title = format!("{}: speed", load.title());
        Sheet { title, head, rows: cells.iter().map(row).collect(), remarks: self.remarks(load) }
    }

    fn cost(&self, load: Load) -> Sheet {
        let head = vec![
            "model",
            "CPU/request",
            "middle half",
            "calls",
            "switches",
            "KiB/conn",
            "processes",
            "threads",
            "served",
            "errors",
        ];
        let row = |cell: &&Cell| {
            let served = cell
                .served()
                .map(|served| format!("{} of {}", grouped(served), grouped(load.total() as u64)));
            vec![
                name(cell),
                figure(cell.cpu().map(|cpu| cpu.median), time),
                range(cell.cpu(), time),
                figure(cell.calls(), two),
                figure(cell.switches().map(|switches| switches.median), two),
                figure(cell.memory().map(|bytes| bytes / 1024.0), one),
                figure(cell.look.processes.map(|n| n as f64), whole),
                figure(cell.look.threads.map(|n| n as f64), whole),
                served.unwrap_or(NONE.to_owned()),
                grouped(cell.errors().count()),
            ]
        };
        let rows = self.under(load).iter().map(row).collect();
        Sheet { title: format!("{}: cost", load.title()), head, rows, remarks: vec![] }
    }

    /// What may be said of a load, and what went wrong.
    fn remarks(&self, load: Load) -> Vec<String> {
        let cells = self.under(load);
        let yardstick = cells.first().map_or("", |cell| cell.model.as_str());
        // A server that leaves some without a reply may be fast for those that it serves.
        let all = cells.iter().all(|cell| cell.never_answered() == Some(0));
        let fastest = match all {
            true => "fastest",
            false => "fastest of those that served every connection",
        };
        let mut remarks = vec![match self.verdict(load) {
            Verdict::Winner { model, .. } if model == yardstick => {
                format!("{fastest}: {model}, the yardstick, by more than the spread")
            }
            Verdict::Winner { model, ratio } => format!(
                "{fastest}: {model}, at {} ({}) of {yardstick}",
                two(ratio.median),
                range(Some(ratio), two)
            ),
            Verdict::Tie(models) => {
                let noise = match self.noise(load).filter(|noise| noise.is_finite()) {
                    Some(noise) => {
                        format!(", or than two runs of {yardstick} (a factor of {noise:.2})")
                    }
                    None => String::new(),
                };
                format!(
                    "no winner: {} are no further apart than the spread of their rounds{noise}",
                    list(&models)
                )
            }
            Verdict::Nothing(why) => format!("nothing to compare: {why}"),
        }];
        for cell in &cells {
            let model = name(cell);
            remarks.extend(in_full(cell));
            if let Some(why) = &cell.failed {
                remarks.push(format!("{model}: {}", shown(why)));
                continue;
            }
            if let (Some(never @ 1..), false) = (cell.never_answered(), cell.again) {
                let served = load.total() as u64 - never;
                remarks.push(format!(
                    "{model} serves {} of {}: {} never got a reply",
                    grouped(served),
                    grouped(load.total() as u64),
                    grouped(never)
                ));
            }
            let errors = cell.errors();
            if let Some(first) = &errors.first {
                let count = counted(errors.count(), "error");
                remarks.push(format!("{model}: {count}; the first: {}", shown(first)));
            }
            let unanswered: u64 = cell.turns.iter().map(|turn| turn.unanswered).sum();
            if unanswered > 0 {
                let rounds = counted(cell.turns.len() as u64, "round");
                remarks.push(format!(
                    "{model}: {} had no reply by the end of their round, in {rounds}",
                    counted(unanswered, "request")
                ));
            }
            if let (Some(why), false) = (&cell.look.unseen, cell.again) {
                remarks.push(format!(
                    "{model}: its own CPU time, calls, memory and processes are not known, because {why}"
                ));
            }
        }
        remarks
    }

    /// What the names stand for that are too long for a picture.
    #[must_use]
    pub fn long_names(&self) -> Vec<String> {
        let first = self.loads().into_iter().take(1).flat_map(|load| self.under(load));
        first.filter(|cell| !cell.again).filter_map(in_full).collect()
    }

    /// What a reader must know to make anything of the figures.
    #[must_use]
    pub fn footer(&self) -> Vec<String> {
        let machine = &self.machine;
        let Manner { size, seconds, threads, pin, udp, per_request, rate, .. } = self.manner;
        let mut lines = Vec::new();
        if self.partial {
            lines.push("INTERRUPTED: this is a part of what was asked for.".to_owned());
        }
        let pinned = match pin {
            Pin::Free => "nobody pinned",
            Pin::Split => "server and client on processors of their own",
            Pin::Same => "server and client on the same processor",
        };
        let transport = if udp { "UDP" } else { "TCP" };
        let pace = match rate {
            Some(rate) => format!("{rate} requests/s due (open loop)"),
            None => "as fast as the server answers (closed loop)".to_owned(),
        };
        let rounds = |cell: &Cell| cell.turns.len();
        let most = self.cells.iter().map(rounds).max().unwrap_or(0);
        let least = self.cells.iter().map(rounds).filter(|&n| n > 0).min().unwrap_or(0);
        let rounds = match least == most {
            true => counted(most as u64, "round"),
            false => format!("{least} to {most} rounds"),
        };
        let lengths = || self.loads().into_iter().map(|load| self.manner.turn(load).as_secs_f64());
        let (shortest, longest) = (
            lengths().reduce(f64::min).unwrap_or(seconds),
            lengths().reduce(f64::max).unwrap_or(seconds),
        );
        let length = match shortest < longest {
            true => format!("{shortest} to {longest}"),
            false => longest.to_string(),
        };
        let each = if per_request { ", a connection for each request" } else { "" };
        lines.push(format!(
            "{transport}, {} there and back, {pace}{each}; {rounds} of {length} s, in turns; \
             {}{}.",
            counted(size as u64, "byte"),
            if most > 1 { "medians and the middle half; " } else { "" },
            counted(threads as u64, "client thread"),
        ));
        lines.push(format!(
            "{}, {}, load {:.2} before; congestion control {}; limits: {} descriptors, \
             backlog {}, ports {}; {pinned}; narration off; netplay {}.",
            machine.kernel,
            counted(machine.cores as u64, "core"),
            machine.load_average,
            machine.congestion,
            grouped(machine.descriptors),
            grouped(machine.somaxconn),
            machine.ports,
            machine.netplay,
        ));
        if let Some(others) = self.others() {
            lines.push(format!(
                "Beside server and client, {others:.2} of {} were busy with other things{}.",
                counted(machine.cores as u64, "core"),
                if others > 0.2 { ", and these figures suffer from it" } else { "" },
            ));
        }
        if self.cells.iter().flat_map(|cell| &cell.turns).any(|turn| turn.server.is_some()) {
            lines.push(
                "CPU of all processes of a server, by its clocks, without its start and end."
                    .to_owned(),
            );
        }
        lines.extend(self.counting());
        if machine.debug_build {
            lines.push(
                "A build without optimisation: take these figures for a rehearsal.".to_owned(),
            );
        }
        lines
    }

    /// How the calls were counted; and of which servers they were not, and why.
    fn counting(&self) -> Vec<String> {
        let counted = |by_strace: bool| {
            self.cells
                .iter()
                .any(|cell| cell.look.calls.is_some_and(|calls| calls.by_strace == by_strace))
        };
        let mut lines = Vec::new();
        if counted(false) {
            lines.push("Calls by the kernel's tracepoint, in a run of their own.".to_owned());
        }
        if counted(true) {
            lines.push(
                "Calls by strace, in a run of their own (a busy loop makes fewer there)."
                    .to_owned(),
            );
        }
        let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
        for cell in self.cells.iter().filter(|cell| cell.failed.is_none()) {
            // Why nothing at all is known of a server is said with its load.
            let Some(why) = cell.look.uncounted.as_deref() else { continue };
            let under = self.under(cell.load);
            let all = under.iter().all(|cell| cell.look.uncounted.as_deref() == Some(why));
            let whose = match (all, self.loads().len()) {
                (true, _) => format!("all servers under {}", cell.load.title()),
                (false, 1) => name(cell),
                (false, _) => format!("{} ({})", name(cell), cell.load.title()),
            };
            match reasons.iter_mut().find(|(reason, _)| *reason == why) {
                Some((_, servers)) if servers.contains(&whose) => {}
                Some((_, servers)) => servers.push(whose),
                None => reasons.push((why, vec![whose])),
            }
        }
        for (why, servers) in reasons {
            let whose = list(&servers);
            lines.push(format!("Calls of {whose} not counted, because {}.", shown(why)));
        }
        lines
    }

    /// As text, for a terminal.
    #[must_use]
    pub fn text(&self, ascii: bool) -> String {
        let mut out = String::new();
        for load in self.loads() {
            let (speed, cost) = (self.speed(load), self.cost(load));
            let _ = writeln!(out, "{}\n{}", speed.title, speed.text(ascii));
            let _ = writeln!(out, "\n{}\n{}", cost.title, cost.text(ascii));
            let _ = writeln!(out, "\n{}", self.bars(load, ascii));
            for remark in &speed.remarks {
                let _ = writeln!(out, "  {remark}");
            }
            out.push('\n');
        }
        for line in self.footer() {
            let _ = writeln!(out, "{line}");
        }
        if ascii { out.replace('µ', "u") } else { out }
    }

    /// As Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = "# netplay bench\n".to_owned();
        for sheet in self.sheets() {
            let _ = write!(out, "\n## {}\n\n{}", sheet.title, sheet.markdown());
            for remark in &sheet.remarks {
                let _ = write!(out, "\n- {remark}");
            }
            out.push_str(if sheet.remarks.is_empty() { "" } else { "\n" });
        }
        let _ = write!(out, "\n{}\n", self.footer().join("\n"));
        out
    }

    /// As JSON: the raw figures of every turn.
    ///
    /// # Errors
    /// None: every value can be written.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// A report that [`json`](Report::json) wrote.
    ///
    /// # Errors
    /// It is none.
    pub fn read(text: &str) -> Result<Report> {
        let report: Report = serde_json::from_str(text).context("no report of netplay bench")?;
        anyhow::ensure!(report.v == 1, "a report of another version: {}", report.v);
        Ok(report)
    }

    /// As comma-separated values: a line for every turn.
    ///
    /// # Errors
    /// None: it is written to memory.
    pub fn csv(&self) -> Result<String> {
        let mut out = csv::Writer::from_writer(Vec::new());
        out.write_record([
            "model",
            "again",
            "connections",
            "idle",
            "round",
            "seconds",
            "replies",
            "all_replies",
            "p50_ns",
            "p90_ns",
            "p99_ns",
            "p999_ns",
            "max_ns",
            "server_cpu_ns",
            "server_switches",
            "client_cpu_ns",
            "served",
            "unanswered",
            "errors",
        ])?;
        for cell in &self.cells {
            for turn in &cell.turns {
                let latency = turn.latency;
                let ns = |part: Option<u64>| part.map(|n| n.to_string()).unwrap_or_default();
                out.write_record([
                    cell.model.clone(),
                    cell.again.to_string(),
                    cell.load.connections.to_string(),
                    cell.load.idle.to_string(),
                    turn.round.to_string(),
                    turn.seconds.to_string(),
                    turn.replies.to_string(),
                    turn.all_replies.to_string(),
                    ns(latency.map(|latency| latency.p50)),
                    ns(latency.map(|latency| latency.p90)),
                    ns(latency.map(|latency| latency.p99)),
                    ns(latency.map(|latency| latency.p999)),
                    ns(latency.map(|latency| latency.max)),
                    ns(turn.server.map(|used| used.cpu_ns)),
                    ns(turn.server.map(|used| used.switches)),
                    turn.client_cpu_ns.to_string(),
                    turn.served.to_string(),
                    turn.unanswered.to_string(),
                    turn.errors.count().to_string(),
                ])?;
            }
        }
        Ok(String::from_utf8(out.into_inner()?)?)
    }

    /// What another run has to say to this one: the same servers under the same loads.
    #[must_use]
    pub fn compare(&self, other: &Report) -> Vec<Sheet> {
        let noise = |load: Load| {
            let both = [self, other].into_iter().filter_map(|report| report.noise(load));
            both.fold(1.0, f64::max)
        };
        let head = vec![
            "model",
            "requests/s",
            "then",
            "ratio",
            "difference",
            "p99",
            "then",
            "CPU/request",
            "then",
        ];
        let sheet = |load: Load| {
            let rows = self.under(load).into_iter().filter_map(|cell| {
                let mut theirs = other.under(load).into_iter();
                let then =
                    theirs.find(|then| then.model == cell.model && then.again == cell.again)?;
                Some(compared(cell, then, noise(load)))
            });
            let rows: Vec<_> = rows.collect();
            let remarks =
                if rows.is_empty() { vec!["nothing in common".to_owned()] } else { vec![] };
            Sheet { title: load.title(), head: head.clone(), rows, remarks }
        };
        self.loads().into_iter().map(sheet).collect()
    }

    /// What is not the same in two runs, and may explain more than the servers do.
    #[must_use]
    pub fn circumstances(&self, other: &Report) -> Vec<String> {
        let mut lines = Vec::new();
        let mut differ = |what: &str, now: String, then: String| {
            if now != then {
                lines.push(format!("{what}: {now}, then {then}"));
            }
        };
        let (here, there) = (&self.machine, &other.machine);
        differ("kernel", here.kernel.clone(), there.kernel.clone());
        differ("processor", here.processor.clone(), there.processor.clone());
        differ("cores", here.cores.to_string(), there.cores.to_string());
        differ("congestion control", here.congestion.clone(), there.congestion.clone());
        differ("netplay", here.netplay.clone(), there.netplay.clone());
        differ("debug build", here.debug_build.to_string(), there.debug_build.to_string());
        let manner = |report: &Report| serde_json::to_string(&report.manner).unwrap_or_default();
        differ("the load", manner(self), manner(other));
        lines
    }
}

/// `noise` is the factor by which two runs of one server differed, in one report or the other.
fn compared(cell: &Cell, then: &Cell, noise: f64) -> Vec<String> {
    let (rate, before) = (cell.rate(), then.rate());
    let ratio = rate.zip(before).filter(|(_, before)| before.median > 0.0);
    let difference = match ratio {
        Some((rate, before)) if rate.overlaps(before) => "within the spread",
        Some((rate, before))
            if rate.median <= noise * before.median && before.median <= noise * rate.median =>
        {
            "within the spread"
        }
        Some((rate, before)) if rate.median > before.median => "faster",
        Some(_) => "slower",
        None => NONE,
    };
    vec![
        name(cell),
        figure(rate.map(|rate| rate.median), whole),
        figure(before.map(|before| before.median), whole),
        figure(ratio.map(|(rate, before)| rate.median / before.median), two),
        difference.to_owned(),
        figure(cell.latency(|latency| latency.p99), time),
        figure(then.latency(|latency| latency.p99), time),
        figure(cell.cpu().map(|cpu| cpu.median), time),
        figure(then.cpu().map(|cpu| cpu.median), time),
    ]
}

impl Sheet {
    /// As text, for a terminal.
    #[must_use]
    pub fn text(&self, ascii: bool) -> String {
        let head: Vec<String> = self.head.iter().map(|head| (*head).to_owned()).collect();
        let rows: Vec<Vec<String>> = [head].into_iter().chain(self.rows.clone()).collect();
        let rule = Some(if ascii { "-" } else { "─" });
        let lines = table::lines(&rows, Look { figures: true, rule, room: None });
        lines.into_iter().map(|line| format!(" {line}")).collect::<Vec<_>>().join("\n")
    }

    /// As Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        table::markdown(&self.head, |column| column > 0, &self.rows)
    }
}

/// The name of a row.
#[must_use]
pub fn name(cell: &Cell) -> String {
    let name = short(&shown(&cell.model));
    if cell.again { format!("{name}, again") } else { name }
}

/// The name where there are no other columns: with how many are served, if that is not everybody.
#[must_use]
pub fn label(cell: &Cell) -> String {
    match (cell.served(), cell.never_answered()) {
        (Some(served), Some(1..)) => {
            let total = grouped(cell.load.total() as u64);
            format!("{} ({} of {total})", name(cell), grouped(served))
        }
        _ => name(cell),
    }
}

/// A name that fits into a column, and before a bar: a command may be long.
fn short(name: &str) -> String {
    const LONGEST: usize = 26;
    cut(name, LONGEST, "..").into_owned()
}

/// What a name stands for that had to be cut.
fn in_full(cell: &Cell) -> Option<String> {
    let whole = shown(&cell.model);
    (short(&whole) != whole).then(|| format!("{} is {whole}", name(cell)))
}

/// Words of somebody else's, on one line.
fn shown(text: &str) -> String {
    match text.chars().any(crate::escape::is_unsafe) {
        true => escape(text.as_bytes()),
        false => text.to_owned(),
    }
}

fn list(names: &[String]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => names.join(""),
    }
}

fn figure(value: Option<f64>, form: impl Fn(f64) -> String) -> String {
    value.map_or(NONE.to_owned(), form)
}

fn range(spread: Option<Spread>, form: impl Fn(f64) -> String) -> String {
    spread
        .map_or(NONE.to_owned(), |spread| format!("{} to {}", form(spread.low), form(spread.high)))
}

/// 12,345
#[must_use]
pub fn whole(value: f64) -> String {
    grouped(value.round() as u64)
}

fn one(value: f64) -> String {
    format!("{value:.1}")
}

fn two(value: f64) -> String {
    format!("{value:.2}")
}

/// Nanoseconds: 950 ns, 12.3 µs.
#[must_use]
pub fn time(ns: f64) -> String {
    duration(ns.round() as u64)
}
