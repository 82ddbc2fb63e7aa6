//! The figures as tables: for a terminal, as Markdown, HTML, CSV and JSON.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::machine::{Machine, Pin};
use super::plan::{Load, Manner};
use super::reasons::in_words;
use super::sample::{Cell, Report, Spread, Verdict};
use crate::columns::{cut, hanging, width};
use crate::escape::escape;
use crate::lang::Lang;
use crate::table::{self, Look};
use crate::words::{counted, duration, grouped};
use netplay_text::say;

/// A table, before it is known how it looks.
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
    /// The columns that a narrow terminal leaves out, the first ones first.
    pub(super) spare: &'static [&'static str],
}

/// What stands where there is no figure: never an invented one.
const NONE: &str = "-";

/// The columns, for the help.
pub const COLUMNS: &str = "\
Columns of the first table:
  requests/s   replies in a second: the median of the rounds, and their middle half
  ratio        the rate divided by the yardstick's in the same round; the yardstick's own
               second copy shows how far apart equal servers come out
  p50 … max    from request to reply; half of the requests are faster than p50, 99 in 100 faster
               than p99. With --rate from when a request was due, sent or not
  busy s/c     processors that the server kept busy, and the client's side
  bottleneck   which side had no time left: server, client (then the figures are the client's) or
               all cores; waiting: none, each side waits for the other, or for a core in use elsewhere
Columns of the second:
  CPU          the server's processor time for one request, in the program and in the kernel, all
               its processes and threads together
  calls        system calls of the server for one request, counted in a run of its own
  switches     how often a thread of it left a processor, for one request
  KiB/conn     memory of all its processes (Pss) for one connection more; not the kernel's own
  processes, threads   how many it had with all connections
  served       connections that had at least one reply; the others never got one
  errors       of all kinds, in all rounds: refused, reset, closed early, a wrong answer
A terminal that is too narrow for all columns shows fewer, and says which are left out.";

impl Report {
    /// Its tables: two for every load.
    #[must_use]
    pub fn sheets(&self) -> Vec<Sheet> {
        self.loads().into_iter().flat_map(|load| [self.speed(load), self.cost(load)]).collect()
    }

    fn speed(&self, load: Load) -> Sheet {
        let cells = self.under(load);
        let bulk = self.manner.size >= 4096;
        let lang = Lang::current();
        let mut head = match lang {
            Lang::En => vec![
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
            ],
            Lang::Zh => vec![
                "模型",
                "请求/秒",
                "中间一半",
                "比值",
                "中间一半",
                "p50",
                "p99",
                "p99.9",
                "最大",
                "忙 服/客",
                "瓶颈",
            ],
        };
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
        let title = load.title();
        let title = say!(lang, "{title}: speed", "{title}：速度");
        let spare: &[&str] = match lang {
            Lang::En => &["busy s/c", "middle half", "p99.9", "max", "MiB/s"],
            Lang::Zh => &["忙 服/客", "中间一半", "p99.9", "最大", "MiB/s"],
        };
        let rows = cells.iter().map(row).collect();
        Sheet { title, head, rows, remarks: self.remarks(load), spare }
    }

    fn cost(&self, load: Load) -> Sheet {
        let lang = Lang::current();
        let head = match lang {
            Lang::En => vec![
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
            ],
            Lang::Zh => vec![
                "模型",
                "CPU/请求",
                "中间一半",
                "调用",
                "切换",
                "KiB/连接",
                "进程",
                "线程",
                "服务",
                "错误",
            ],
        };
        let row = |cell: &&Cell| {
            let served = cell
                .served()
                .map(|served| (grouped(served), grouped(load.total() as u64)))
                .map(|(served, total)| say!(lang, "{served} of {total}", "{served} / {total}"));
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
        let title = load.title();
        let title = say!(lang, "{title}: cost", "{title}：开销");
        let spare: &[&str] = match lang {
            Lang::En => &["middle half", "switches", "processes", "threads"],
            Lang::Zh => &["中间一半", "切换", "进程", "线程"],
        };
        Sheet { title, head, rows, remarks: vec![], spare }
    }

    /// What may be said of a load, and what went wrong.
    fn remarks(&self, load: Load) -> Vec<String> {
        let lang = Lang::current();
        let cells = self.under(load);
        let yardstick = cells.first().map_or("", |cell| cell.model.as_str());
        // A server that leaves some without a reply may be fast for those that it serves.
        let all = cells.iter().all(|cell| cell.never_answered() == Some(0));
        let fastest = match all {
            true => lang.pick("fastest", "最快"),
            false => lang.pick(
                "fastest of those that served every connection",
                "在服务了所有连接的服务器里最快",
            ),
        };
        let mut remarks = vec![match self.verdict(load) {
            Verdict::Winner { model, .. } if model == yardstick => say!(
                lang,
                "{fastest}: {model}, the yardstick, by more than the spread",
                "{fastest}：{model}，即基准，领先超过波动范围"
            ),
            Verdict::Winner { model, ratio } => {
                let (median, spread) = (two(ratio.median), range(Some(ratio), two));
                say!(
                    lang,
                    "{fastest}: {model}, at {median} ({spread}) of {yardstick}",
                    "{fastest}：{model}，是 {yardstick} 的 {median} 倍（{spread}）"
                )
            }
            Verdict::Tie(models) => {
                let noise = match self.noise(load).filter(|noise| noise.is_finite()) {
                    Some(noise) => say!(
                        lang,
                        ", or than two runs of {yardstick} (a factor of {noise:.2})",
                        "，也不超过 {yardstick} 两次测量的差距（{noise:.2} 倍）"
                    ),
                    None => String::new(),
                };
                let models = list(&models);
                say!(
                    lang,
                    "no winner: {models} are no further apart than the spread of their rounds{noise}",
                    "没有赢家：{models} 之间的差距不超过各轮的波动{noise}"
                )
            }
            Verdict::Nothing(why) => {
                let why = in_words(why);
                say!(lang, "nothing to compare: {why}", "无可比较：{why}")
            }
        }];
        for cell in &cells {
            let model = name(cell);
            remarks.extend(in_full(cell));
            if let Some(why) = &cell.failed {
                let why = shown(&in_words(why));
                remarks.push(say!(lang, "{model}: {why}", "{model}：{why}"));
                continue;
            }
            if let (Some(never @ 1..), false) = (cell.never_answered(), cell.again) {
                let total = load.total() as u64;
                let [served, total, never] = [total - never, total, never].map(grouped);
                remarks.push(say!(
                    lang,
                    "{model} serves {served} of {total}: {never} never got a reply",
                    "{model} 服务了 {total} 个中的 {served} 个：{never} 个从未得到应答"
                ));
            }
            let errors = cell.errors();
            if let Some(first) = &errors.first {
                let (first, n) = (shown(&in_words(first)), errors.count());
                let (en, zh) = (counted(n, "error"), grouped(n));
                remarks.push(say!(
                    lang,
                    "{model}: {en}; the first: {first}",
                    "{model}：{zh} 个错误；第一个：{first}"
                ));
            }
            let unanswered: u64 = cell.turns.iter().map(|turn| turn.unanswered).sum();
            if unanswered > 0 {
                let rounds = cell.turns.len() as u64;
                remarks.push(match lang {
                    Lang::En => format!(
                        "{model}: {} had no reply by the end of their round, in {}",
                        counted(unanswered, "request"),
                        counted(rounds, "round")
                    ),
                    Lang::Zh => format!(
                        "{model}：{rounds} 轮里有 {} 个请求到该轮结束时还没有应答",
                        grouped(unanswered)
                    ),
                });
            }
            if let (Some(why), false) = (&cell.look.unseen, cell.again) {
                let why = in_words(why);
                remarks.push(say!(
                    lang,
                    "{model}: its own CPU time, calls, memory and processes are not known, because {why}",
                    "{model}：它自己的 CPU 时间、调用、内存和进程数不得而知，因为{why}"
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
        let lang = Lang::current();
        let machine = &self.machine;
        let Manner { size, seconds, threads, pin, udp, per_request, rate, .. } = self.manner;
        let mut lines = Vec::new();
        if self.partial {
            let partial = lang.pick(
                "INTERRUPTED: this is a part of what was asked for.",
                "已中断：这只是所要求的一部分。",
            );
            lines.push(partial.to_owned());
        }
        let pinned = match pin {
            Pin::Free => lang.pick("no process pinned", "没有绑定处理器"),
            Pin::Split => lang.pick(
                "server and client on processors of their own",
                "服务器和客户端各用各的处理器",
            ),
            Pin::Same => lang
                .pick("server and client on the same processor", "服务器和客户端在同一个处理器上"),
        };
        let transport = if udp { "UDP" } else { "TCP" };
        let pace = match rate {
            Some(rate) => {
                say!(lang, "{rate} requests/s due (open loop)", "每秒应发 {rate} 个请求（开环）")
            }
            None => lang
                .pick(
                    "as fast as the server answers (closed loop)",
                    "服务器应答多快就发多快（闭环）",
                )
                .to_owned(),
        };
        let rounds = |cell: &Cell| cell.turns.len();
        let most = self.cells.iter().map(rounds).max().unwrap_or(0);
        let least = self.cells.iter().map(rounds).filter(|&n| n > 0).min().unwrap_or(0);
        let rounds = match (least == most, lang) {
            (true, Lang::En) => counted(most as u64, "round"),
            (false, Lang::En) => format!("{least} to {most} rounds"),
            (true, Lang::Zh) => format!("{most} 轮"),
            (false, Lang::Zh) => format!("{least} 到 {most} 轮"),
        };
        let lengths = || self.loads().into_iter().map(|load| self.manner.turn(load).as_secs_f64());
        let (shortest, longest) = (
            lengths().reduce(f64::min).unwrap_or(seconds),
            lengths().reduce(f64::max).unwrap_or(seconds),
        );
        let length = match shortest < longest {
            true => say!(lang, "{shortest} to {longest}", "{shortest} 到 {longest}"),
            false => longest.to_string(),
        };
        let each = match per_request {
            true => lang.pick(", a connection for each request", "，每个请求一个连接"),
            false => "",
        };
        let spread = match most > 1 {
            true => lang.pick("medians and the middle half; ", "中位数和中间一半；"),
            false => "",
        };
        let (bytes, clients) = (size as u64, threads as u64);
        lines.push(match lang {
            Lang::En => format!(
                "{transport}, {} there and back, {pace}{each}; {rounds} of {length} s, in turns; \
                 {spread}{}.",
                counted(bytes, "byte"),
                counted(clients, "client thread"),
            ),
            Lang::Zh => format!(
                "{transport}，来回各 {} 字节，{pace}{each}；{rounds}，每轮 {length} 秒，轮流进行；\
                 {spread}{clients} 个客户端线程。",
                grouped(bytes),
            ),
        });
        let (kernel, ports, netplay) = (&machine.kernel, &machine.ports, &machine.netplay);
        let (load, congestion) = (machine.load_average, &machine.congestion);
        let [descriptors, somaxconn] = [machine.descriptors, machine.somaxconn].map(grouped);
        let cores = machine.cores;
        let en_cores = counted(cores as u64, "core");
        lines.push(say!(
            lang,
            "{kernel}, {en_cores}, load {load:.2} before; congestion control {congestion}; limits: {descriptors} \
             descriptors, backlog {somaxconn}, ports {ports}; {pinned}; narration off; netplay {netplay}.",
            "{kernel}，{cores} 核，之前的负载 {load:.2}；拥塞控制 {congestion}；上限：{descriptors} 个文件描述符，\
             监听队列 {somaxconn}，端口 {ports}；{pinned}；没有叙述；netplay {netplay}。"
        ));
        if let Some(others) = self.others() {
            let suffer = match others > 0.2 {
                true => lang.pick(", and these figures suffer from it", "，这些数字因此受到影响"),
                false => "",
            };
            lines.push(say!(
                lang,
                "Beside server and client, {others:.2} of {en_cores} were busy with other things{suffer}.",
                "除服务器和客户端外，{cores} 核中有 {others:.2} 核忙于别的事{suffer}。"
            ));
        }
        let mut line = |en: &str, zh: &str| lines.push(lang.pick(en, zh).to_owned());
        if self.cells.iter().flat_map(|cell| &cell.turns).any(|turn| turn.server.is_some()) {
            line(
                "CPU of all processes of a server, by its clocks, without its start and end.",
                "CPU 是服务器所有进程的时间，按它们的时钟，不含启动和结束。",
            );
        }
        lines.extend(self.counting());
        if machine.debug_build {
            let debug = lang.pick(
                "A build without optimisation: these figures are only a rehearsal.",
                "这是没有优化的构建：这些数字只能当作预演。",
            );
            lines.push(debug.to_owned());
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
        let lang = Lang::current();
        let mut line = |en: &str, zh: &str| lines.push(lang.pick(en, zh).to_owned());
        if counted(false) {
            line(
                "Calls counted by the kernel's tracepoint, in a run of their own.",
                "调用由内核的 tracepoint 单独计数。",
            );
        }
        if counted(true) {
            line(
                "Calls counted by strace, in a run of their own (a busy loop makes fewer there).",
                "调用由 strace 单独计数（忙循环在那里调用得更少）。",
            );
        }
        let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
        for cell in self.cells.iter().filter(|cell| cell.failed.is_none()) {
            // If nothing at all is known of a server, the reason is given with its load.
            let Some(why) = cell.look.uncounted.as_deref() else { continue };
            let under = self.under(cell.load);
            let all = under.iter().all(|cell| cell.look.uncounted.as_deref() == Some(why));
            let whose = match (all, self.loads().len()) {
                (true, _) => {
                    let title = cell.load.title();
                    say!(lang, "all servers under {title}", "{title}下的所有服务器")
                }
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
            let (whose, why) = (list(&servers), shown(&in_words(why)));
            lines.push(say!(
                lang,
                "Calls of {whose} not counted, because {why}.",
                "没有数{whose}的调用，因为{why}。"
            ));
        }
        lines
    }

    /// As text, for a terminal of so many columns.
    #[must_use]
    pub fn text(&self, ascii: bool, columns: usize) -> String {
        let mut out = String::new();
        for load in self.loads() {
            let (speed, cost) = (self.speed(load), self.cost(load));
            let _ = writeln!(out, "{}\n{}", speed.title, speed.text(ascii, columns));
            let _ = writeln!(out, "\n{}\n{}", cost.title, cost.text(ascii, columns));
            let _ = writeln!(out, "\n{}", self.bars(load, ascii, columns));
            for remark in &speed.remarks {
                let _ = writeln!(out, "{}", hanging(&format!("  {remark}"), columns, 2));
            }
            out.push('\n');
        }
        for line in self.footer() {
            let _ = writeln!(out, "{}", hanging(&line, columns, 2));
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
    /// It is not one.
    pub fn read(text: &str) -> Result<Report> {
        let lang = Lang::current();
        let none = lang.pick("not a report of netplay bench", "不是 netplay bench 的报告");
        let report: Report = serde_json::from_str(text).context(none)?;
        let v = report.v;
        let other = || say!(lang, "a report of another version: {v}", "报告的版本不同：{v}");
        anyhow::ensure!(v == 1, other());
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

    /// This run beside another one: the same servers under the same loads.
    #[must_use]
    pub fn compare(&self, other: &Report) -> Vec<Sheet> {
        let noise = |load: Load| {
            let both = [self, other].into_iter().filter_map(|report| report.noise(load));
            both.fold(1.0, f64::max)
        };
        let lang = Lang::current();
        let head = match lang {
            Lang::En => vec![
                "model",
                "requests/s",
                "then",
                "ratio",
                "difference",
                "p99",
                "p99 then",
                "CPU/request",
                "CPU then",
            ],
            Lang::Zh => vec![
                "模型",
                "请求/秒",
                "上次",
                "比值",
                "差别",
                "p99",
                "上次 p99",
                "CPU/请求",
                "上次 CPU",
            ],
        };
        let spare: &[&str] = match lang {
            Lang::En => &["CPU then", "CPU/request", "p99 then", "p99"],
            Lang::Zh => &["上次 CPU", "CPU/请求", "上次 p99", "p99"],
        };
        let sheet = |load: Load| {
            let rows = self.under(load).into_iter().filter_map(|cell| {
                let mut theirs = other.under(load).into_iter();
                let then =
                    theirs.find(|then| then.model == cell.model && then.again == cell.again)?;
                Some(compared(cell, then, noise(load)))
            });
            let rows: Vec<_> = rows.collect();
            let nothing = || lang.pick("nothing in common", "没有相同的项").to_owned();
            let remarks = if rows.is_empty() { vec![nothing()] } else { vec![] };
            Sheet { title: load.title(), head: head.clone(), rows, remarks, spare }
        };
        self.loads().into_iter().map(sheet).collect()
    }

    /// What is not the same in two runs, and may explain more than the servers do.
    #[must_use]
    pub fn circumstances(&self, other: &Report) -> Vec<String> {
        let mut lines = Vec::new();
        let lang = Lang::current();
        let mut differ = |en: &str, zh: &str, now: String, then: String| {
            if now != then {
                lines.push(say!(lang, "{en}: {now}, then {then}", "{zh}：{now}，上次 {then}"));
            }
        };
        let (here, there) = (&self.machine, &other.machine);
        differ("kernel", "内核", here.kernel.clone(), there.kernel.clone());
        differ("processor", "处理器", here.processor.clone(), there.processor.clone());
        differ("cores", "核数", here.cores.to_string(), there.cores.to_string());
        let congestion = |machine: &Machine| machine.congestion.clone();
        differ("congestion control", "拥塞控制", congestion(here), congestion(there));
        differ("netplay", "netplay", here.netplay.clone(), there.netplay.clone());
        let debug = |machine: &Machine| machine.debug_build.to_string();
        differ("debug build", "调试构建", debug(here), debug(there));
        let manner = |report: &Report| serde_json::to_string(&report.manner).unwrap_or_default();
        differ("the load", "负载", manner(self), manner(other));
        lines
    }
}

/// `noise` is the factor by which two runs of one server differed, in one report or the other.
fn compared(cell: &Cell, then: &Cell, noise: f64) -> Vec<String> {
    let (rate, before) = (cell.rate(), then.rate());
    let ratio = rate.zip(before).filter(|(_, before)| before.median > 0.0);
    let lang = Lang::current();
    let within = lang.pick("within the spread", "在波动范围内");
    let difference = match ratio {
        Some((rate, before)) if rate.overlaps(before) => within,
        Some((rate, before))
            if rate.median <= noise * before.median && before.median <= noise * rate.median =>
        {
            within
        }
        Some((rate, before)) if rate.median > before.median => lang.pick("faster", "更快"),
        Some(_) => lang.pick("slower", "更慢"),
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
    /// As text, for a terminal of so many columns: where they are too few, some columns of the table are left out, and
    /// a line says which.
    #[must_use]
    pub fn text(&self, ascii: bool, columns: usize) -> String {
        let rule = Some(if ascii { "-" } else { "─" });
        let mut left_out: Vec<&str> = Vec::new();
        let lines = loop {
            let shown = |at: usize| !left_out.contains(&self.head[at]);
            let row = |cells: Vec<String>| -> Vec<String> {
                let cells = cells.into_iter().enumerate();
                cells.filter(|(at, _)| shown(*at)).map(|(_, cell)| cell).collect()
            };
            let head = self.head.iter().map(|head| (*head).to_owned()).collect();
            let rows: Vec<_> = [head].into_iter().chain(self.rows.clone()).map(row).collect();
            let lines = |room| table::lines(&rows, Look { figures: true, rule, room });
            let whole = lines(None);
            let widest = whole.iter().map(|line| width(line)).max().unwrap_or_default();
            let next = self.spare.iter().filter(|spare| self.head.contains(spare));
            match next.clone().nth(left_out.len()) {
                _ if widest < columns => break whole,
                Some(next) => left_out.push(next),
                None => break lines(Some(columns.saturating_sub(1))),
            }
        };
        let mut text = lines.iter().map(|line| format!(" {line}")).collect::<Vec<_>>().join("\n");
        if !left_out.is_empty() {
            let lang = Lang::current();
            let names = left_out.join(lang.pick(", ", "、"));
            let said = say!(
                lang,
                " left out here: {names} (a wider terminal, or -o FILE, has all columns)",
                " 这里略去：{names}（更宽的终端或 -o FILE 有全部的列）"
            );
            text += &format!("\n{}", hanging(&said, columns, 0));
        }
        text
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
    match cell.again {
        true => say!(Lang::current(), "{name}, again", "{name}（再测）"),
        false => name,
    }
}

/// The name where there are no other columns: with how many are served, if not all are.
#[must_use]
pub fn label(cell: &Cell) -> String {
    match (cell.served(), cell.never_answered()) {
        (Some(served), Some(1..)) => {
            let (name, total) = (name(cell), grouped(cell.load.total() as u64));
            let served = grouped(served);
            say!(Lang::current(), "{name} ({served} of {total})", "{name}（{served} / {total}）")
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
    let name = name(cell);
    (short(&whole) != whole)
        .then(|| say!(Lang::current(), "{name} is {whole}", "{name} 就是 {whole}"))
}

/// Words of another program, on one line.
pub(super) fn shown(text: &str) -> String {
    match text.chars().any(crate::escape::is_unsafe) {
        true => escape(text.as_bytes()),
        false => text.to_owned(),
    }
}

fn list(names: &[String]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => match Lang::current() {
            Lang::En => format!("{} and {last}", first.join(", ")),
            Lang::Zh => format!("{} 和 {last}", first.join("、")),
        },
        _ => names.join(""),
    }
}

fn figure(value: Option<f64>, form: impl Fn(f64) -> String) -> String {
    value.map_or(NONE.to_owned(), form)
}

fn range(spread: Option<Spread>, form: impl Fn(f64) -> String) -> String {
    let told = |spread: Spread| {
        let (low, high) = (form(spread.low), form(spread.high));
        say!(Lang::current(), "{low} to {high}", "{low} 到 {high}")
    };
    spread.map_or(NONE.to_owned(), told)
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
