//! What `netplay bench --load-only` and `bench merge` claim: several load generators are as one.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hdrhistogram::Histogram;
use netplay::bench::load::{Errors, Tally};
use netplay::bench::machine::{Machine, Pin};
use netplay::bench::moment::{Clock, Moment};
use netplay::bench::part::{LARGEST, Part, encode};
use netplay::bench::plan::{Expect, Load, Manner};
use netplay::bench::sample::Latency;
use serde_json::Value;

use crate::common::{self, Said, Server, finish, have, netplay, run, script, skip, until, wait};

const SLICE: u64 = 10_000_000;

/// A part that began so many milliseconds after the others and lasted so long, with these latencies, evenly in time.
fn part(host: &str, began_ms: i64, seconds: f64, times: &[u64]) -> Part {
    let mut histogram = Tally::default().latency;
    times.iter().for_each(|&time| histogram.saturating_record(time));
    let slices = (seconds * 1e9 / SLICE as f64) as usize;
    let mut each = vec![0; slices];
    (0..times.len()).for_each(|nth| each[nth * slices / times.len()] += 1);
    let began: Moment = "2026-11-30T09:00:00Z".parse().unwrap();
    Part {
        v: 1,
        host: host.to_owned(),
        target: "server:5858".to_owned(),
        address: "10.0.0.1:5858".to_owned(),
        start_at: Some(began.text()),
        began: began.later(Duration::from_millis(began_ms.unsigned_abs())).text(),
        clock: Some(Clock { synchronised: true, max_error_us: 700 }),
        partial: false,
        machine: Machine { debug_build: false, ..Machine::here() },
        load: Load { connections: 4, idle: 1 },
        manner: Manner {
            size: 64,
            rounds: None,
            seconds,
            rate: None,
            per_request: false,
            udp: false,
            expect: Expect::Echo,
            pin: Pin::Free,
            threads: 1,
        },
        seconds,
        replies: times.len() as u64,
        all_replies: times.len() as u64,
        served: 5,
        unanswered: 0,
        errors: Errors::default(),
        client_cpu_ns: 1_000_000,
        latency: Latency::of(&histogram),
        histogram: encode(&histogram).unwrap(),
        slice_ns: SLICE,
        slices: each,
    }
}

/// Latencies from 20 µs to some seconds, most of them short, as they are on a network.
fn latencies(n: u64) -> Vec<u64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = (state >> 40) as f64 / (1 << 24) as f64;
        20_000 + (100_000.0 / (1.0 - part).max(1e-6)) as u64
    };
    (0..n).map(next).collect()
}

/// Parts in a folder.
struct Parts(tempfile::TempDir);

impl Parts {
    fn new(parts: &[(&str, &Part)]) -> Parts {
        let folder = Parts(tempfile::tempdir().unwrap());
        parts.iter().for_each(|(name, part)| folder.add(name, &part.json().unwrap()));
        folder
    }

    fn add(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    /// `netplay bench merge` of these, in their folder.
    fn merge(&self, args: &[&str]) -> std::process::Output {
        let mut command = netplay();
        finish(command.current_dir(self.0.path()).args(["bench", "merge"]).args(args), b"")
    }

    fn merged(&self, names: &[&str]) -> Value {
        let output = self.merge(&[&["--json"][..], names].concat());
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// The histogram of a sum, or of a part.
fn buckets(of: &Value) -> Histogram<u64> {
    let text = of["histogram"].as_str().unwrap();
    let mut part = part("any", 0, 1.0, &[1]);
    part.histogram = text.to_owned();
    part.times().unwrap()
}

#[test]
fn the_percentiles_of_the_parts_are_those_of_one_process_to_the_bucket() {
    let all = latencies(10_000);
    let folder = Parts::new(&[("one", &part("lab00", 0, 2.0, &all))]);
    let mut names = Vec::new();
    for nth in 0..7_usize {
        // Of very different sizes and speeds: the first has the fastest.
        let mut sorted = all.clone();
        sorted.sort_unstable();
        let mine: Vec<u64> = match nth {
            0 => sorted[..5_000].to_vec(),
            _ => sorted[5_000..].iter().copied().skip(nth - 1).step_by(6).collect(),
        };
        let name = format!("part{nth}");
        folder.add(&name, &part(&name, 0, 2.0, &mine).json().unwrap());
        names.push(name);
    }
    let one = folder.merged(&["one"]);
    let several = folder.merged(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(one["together"]["latency"], several["together"]["latency"]);
    assert_eq!(buckets(&one["together"]), buckets(&several["together"]));
    assert_eq!(several["together"]["replies"], 10_000);
    assert_eq!(several["together"]["rate"], 5_000.0);
    assert_eq!(several["together"]["connections"], 28);
    // A mean of percentiles would be another figure.
    let p99 = |part: &Value| part["latency"]["p99"].as_f64().unwrap();
    let parts = several["parts"].as_array().unwrap();
    let mean = parts.iter().map(p99).sum::<f64>() / parts.len() as f64;
    assert!((mean / p99(&several["together"]) - 1.0).abs() > 0.2, "{mean}");
}

/// A Python that has the HdrHistogram of PyPI: the one that .ci/run installs, or the one on the path.
fn python_of_histograms() -> Option<String> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/target/hdrhistogram/bin/python");
    let has = |python: &&str| {
        let asked = Command::new(python).args(["-c", "import hdrh.histogram"]).output();
        asked.is_ok_and(|asked| asked.status.success())
    };
    let found = [own, "python3"].into_iter().find(has);
    if found.is_none() {
        skip("no Python with hdrhistogram (PyPI)");
    }
    found.map(str::to_owned)
}

#[test]
fn other_libraries_read_the_histogram() {
    let Some(python) = python_of_histograms() else { return };
    let part = part("lab01", 0, 1.0, &latencies(10_000));
    let script = "import json, sys
from hdrh.histogram import HdrHistogram
times = HdrHistogram.decode(sys.stdin.read())
print(json.dumps({
    'percentiles': [times.get_value_at_percentile(at) for at in (50, 90, 99, 99.9, 100)],
    'buckets': [[item.value_iterated_to, item.count_at_value_iterated_to]
        for item in times.get_recorded_iterator()],
}))";
    let output = finish(Command::new(python).args(["-c", script]), part.histogram.as_bytes());
    assert!(output.status.success(), "{output:?}");
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = part.latency.unwrap();
    let ours = [all.p50, all.p90, all.p99, all.p999, all.max];
    assert_eq!(read["percentiles"], serde_json::json!(ours));
    let times = part.times().unwrap();
    let ours: Vec<(u64, u64)> = times
        .iter_recorded()
        .map(|step| (step.value_iterated_to(), step.count_at_value()))
        .collect();
    assert!(ours.len() > 500, "{}", ours.len());
    assert_eq!(read["buckets"], serde_json::json!(ours));
}

#[test]
fn rates_are_added_over_the_time_in_common() {
    // The first is alone for a second, and has the server to itself: 3,000 replies, then 1,000 a second.
    let mut early = part("lab01", 0, 3.0, &[50_000; 5_000]);
    early.slices = [vec![30; 100], vec![10; 200]].concat();
    // Begins in the middle of a slice of the first.
    let late = part("lab02", 1_005, 3.0, &[60_000; 3_000]);
    let folder = Parts::new(&[("early", &early), ("late", &late)]);
    let merged = folder.merged(&["early", "late"]);
    let together = &merged["together"];
    assert_eq!(together["seconds"], 1.995);
    assert!((together["rate"].as_f64().unwrap() - 2_000.0).abs() < 1e-6, "{together}");
    assert_eq!(together["replies"], 8_000);
    assert_eq!(together["from"], "2026-11-30T09:00:01.005000000Z");
    let remarks = |merged: &Value| -> Vec<String> {
        let about = |remark: &Value| remark["about"].as_str().unwrap().to_owned();
        merged["remarks"].as_array().unwrap().iter().map(about).collect()
    };
    assert_eq!(remarks(&merged), ["overlap", "late", "clock"]);
    let same_time = Parts::new(&[("early", &early), ("again", &part("lab02", 0, 3.0, &[1; 9]))]);
    assert_eq!(remarks(&same_time.merged(&["early", "again"])), ["clock"]);
}

#[test]
fn the_sum_says_what_a_reader_must_know() {
    let said = Said::on("bench_merge");
    let first = part("lab01", 0, 2.0, &latencies(1_000));
    let mut late = part("lab02", 500, 2.0, &latencies(600));
    late.clock = Some(Clock { synchronised: false, max_error_us: 16_000_000 });
    late.manner.threads = 2;
    late.partial = true;
    late.served = 3;
    late.errors.reset = 2;
    late.errors.first = Some("recv 10.0.0.1:5858: Connection reset by peer".to_owned());
    let mut busy = part("lab03\u{1b}[2J", 0, 2.5, &latencies(500));
    busy.client_cpu_ns = 2_400_000_000;
    busy.start_at = None;
    let folder = Parts::new(&[("a.json", &first), ("b.json", &late), ("c.json", &busy)]);
    folder.add("same.json", &part("lab02", 0, 2.0, &latencies(1_000)).json().unwrap());
    for (lang, case) in [("en", "three"), ("zh", "三个")] {
        let output = folder.merge(&["a.json", "b.json", "c.json", "--lang", lang]);
        assert!(output.status.success(), "{output:?}");
        said.add(case, &common::text(&output.stdout));
        let output = folder.merge(&["a.json", "same.json", "--lang", lang]);
        said.add(&format!("{case}, as they should be"), &common::text(&output.stdout));
    }
}

#[test]
fn parts_that_cannot_be_one_run_are_refused() {
    let said = Said::on("bench_merge_refused");
    let one = part("lab01", 0, 1.0, &[1_000; 100]);
    let with = |change: fn(&mut Part)| {
        let mut other = part("lab02", 0, 1.0, &[2_000; 100]);
        change(&mut other);
        other
    };
    let folder = Parts::new(&[("one", &one)]);
    let cases: [(&str, Part); 7] = [
        ("--size", with(|part| part.manner.size = 128)),
        ("--udp", with(|part| part.manner.udp = true)),
        ("--per-request", with(|part| part.manner.per_request = true)),
        ("--expect", with(|part| part.manner.expect = Expect::Any)),
        ("--rate", with(|part| part.manner.rate = Some(10.0))),
        ("later", part("lab02", 1_500, 1.0, &[2_000; 100])),
        ("same", part("lab01", 0, 1.0, &[1_000; 100])),
    ];
    for (case, other) in &cases {
        folder.add("other", &other.json().unwrap());
        for lang in ["en", "zh"] {
            let output = folder.merge(&["one", "other", "--lang", lang]);
            assert!(output.stdout.is_empty());
            said.ends(&format!("{case}, {lang}"), &output, 1);
        }
    }
}

#[test]
fn a_damaged_part_gets_one_line() {
    let said = Said::on("bench_merge_damaged");
    let one = part("lab01", 0, 1.0, &latencies(100));
    let text = one.json().unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let with = |key: &str, new: Value| {
        let mut value = value.clone();
        value[key] = new;
        value.to_string()
    };
    let folder = Parts::new(&[("one", &one)]);
    for (case, text) in [
        ("empty", String::new()),
        ("cut off", text[..100].to_owned()),
        ("another report", r#"{"v":1,"began":"","partial":false}"#.to_owned()),
        ("another version", with("v", 2.into())),
        ("another histogram", with("histogram", "HISTFAAAAA".into())),
        ("a count more", with("replies", 101.into())),
        ("too many", with("unanswered", u64::MAX.into())),
        ("no moment", with("began", "yesterday".into())),
        ("other slices", with("slices", vec![1].into())),
        ("no slices", with("slice_ns", 0.into())),
        ("endless", with("seconds", 1e300.into())),
        ("deep", "[".repeat(100_000)),
        ("too large", " ".repeat(LARGEST + 1) + &text),
    ] {
        folder.add("damaged", &text);
        let output = folder.merge(&["one", "damaged"]);
        assert!(output.stdout.is_empty(), "{case}");
        let lines = common::text(&output.stderr);
        assert_eq!(
            lines.lines().filter(|line| line.starts_with("netplay: ")).count(),
            1,
            "{lines}"
        );
        said.fails(case, &output, 1);
    }
}

#[test]
fn several_load_generators_begin_at_the_same_moment() {
    let server = Server::of("epoll").args(["--reply", "echo"]).start();
    let folder = tempfile::tempdir().unwrap();
    let start = Moment::now().later(Duration::from_secs(3));
    let generators: Vec<(PathBuf, Child)> = (0..3)
        .map(|nth| {
            let file = folder.path().join(format!("part{nth}.json"));
            let mut command = netplay();
            command.args(["bench", "--load-only", &server.place, "--seconds", "0.3", "-q"]);
            command.args(["--connections", "5", "--idle", "2", "--start-at", &start.text(), "-o"]);
            (file.clone(), command.arg(file).stdout(Stdio::null()).spawn().unwrap())
        })
        .collect();
    for (_, mut generator) in generators {
        assert!(wait(&mut generator).success());
    }
    let names = common::names_in(folder.path());
    assert_eq!(names.len(), 3, "half a file is left: {names:?}");
    let merged = Parts(folder).merged(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(merged["together"]["served"], 21);
    assert_eq!(merged["together"]["errors"]["reset"], 0);
    for part in merged["parts"].as_array().unwrap() {
        assert!(part["replies"].as_u64().unwrap() > 0, "{part}");
    }
    let from: Moment = merged["together"]["from"].as_str().unwrap().parse().unwrap();
    assert!(from >= start, "{} is before {}", from.text(), start.text());
    assert_eq!(
        buckets(&merged["together"]).len(),
        merged["together"]["replies"].as_u64().unwrap()
            + merged["together"]["unanswered"].as_u64().unwrap()
    );
}

#[test]
fn a_load_generator_says_what_it_waits_for_and_what_went_wrong() {
    let said = Said::on("bench_load_only");
    let now = regex::Regex::new(r"20\d\d-[-0-9T:.]+Z").unwrap();
    for lang in ["en", "zh"] {
        let args = ["bench", "--load-only", "127.0.0.1:5858", "--lang", lang, "--start-at"];
        let past = run(&[&args[..], &["1000"]].concat(), b"");
        assert_eq!(past.status.code(), Some(2), "{past:?}");
        let words = common::text(&past.stderr);
        said.add(&format!("passed, {lang}"), &now.replace_all(&words, "NOW"));
        let far = run(&[&args[..], &["4000000000"]].concat(), b"");
        said.ends(&format!("far, {lang}"), &far, 2);
        let refused = format!("127.0.0.1:{}", free_port());
        said.hide(&refused, "SERVER");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("part.json").display().to_string();
        let output = run(
            &["bench", "--load-only", &refused, "--seconds", "0.1", "-o", &file, "--lang", lang],
            b"",
        );
        said.ends(&format!("refused, {lang}"), &output, 1);
        // The others need to know.
        let (part, _) = Part::read(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert_eq!((part.served, part.errors.refused), (0, 64));
    }
    // A moment that is near is waited for; the first signal ends the wait, and nothing is written.
    let server = Server::of("epoll").args(["--reply", "echo"]).start();
    let folder = tempfile::tempdir().unwrap();
    let start = Moment::now().later(Duration::from_secs(3600)).text();
    let mut command = netplay();
    command.args(["bench", "--load-only", &server.place, "--start-at", &start, "-o", "part.json"]);
    let mut waits = command
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stderr = std::io::BufReader::new(waits.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    assert!(line.contains(&start[..19]), "{line}");
    let pid = nix::unistd::Pid::from_raw(waits.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(wait(&mut waits).code(), Some(130));
    assert_eq!(common::names_in(folder.path()), [""; 0]);
}

/// A port that is free at every address, and that the kernel gives to no program that asks for any.
fn free_port() -> u16 {
    let first = 10_001 + (std::process::id() % 20_000) as u16;
    let mut ports = (first..32_000).chain(10_001..first);
    ports.find(|&port| std::net::TcpListener::bind(("0.0.0.0", port)).is_ok()).unwrap()
}

/// Three hosts of one machine: each has its sshd at an address of its own, and where root may do so, its own name.
struct Lab {
    folder: tempfile::TempDir,
    hosts: Vec<Child>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        for host in &mut self.hosts {
            let _ = host.kill();
            let _ = host.wait();
        }
    }
}

/// The programs of the superuser are not on the path of every login.
const SSHD: &str = "/usr/sbin/sshd";

impl Lab {
    /// `None` where a program is missing: the caller returns.
    fn start() -> Option<Lab> {
        for program in ["clush", "parallel", "ssh", "ssh-keygen"] {
            if !have(program) {
                skip(&format!("no {program}"));
                return None;
            }
        }
        if !Path::new(SSHD).exists() {
            skip("no sshd");
            return None;
        }
        let mut lab = Lab { folder: tempfile::tempdir().unwrap(), hosts: Vec::new() };
        for key in ["host", "user"] {
            let mut keygen = Command::new("ssh-keygen");
            let made = keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(lab.path(key));
            assert!(finish(made, b"").status.success());
        }
        let port = free_port();
        let read = |name: &str| std::fs::read_to_string(lab.path(name)).unwrap();
        let (host, user) = (read("host.pub"), nix::unistd::geteuid());
        let user = nix::unistd::User::from_uid(user).unwrap().unwrap().name;
        let at = lab.folder.path().display();
        let program = Path::new(env!("CARGO_BIN_EXE_netplay")).parent().unwrap().display();
        let write = |name: &str, text: String| std::fs::write(lab.path(name), text).unwrap();
        write("known", format!("lab {host}"));
        write(
            "sshd_config",
            format!(
                "Port {port}\nHostKey {at}/host\nAuthorizedKeysFile {at}/user.pub\nPidFile none\n\
                 StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                 PermitRootLogin prohibit-password\nSetEnv PATH={program}:/usr/bin:/bin LC_ALL=C.UTF-8\n"
            ),
        );
        let hosts: String =
            (1..=3).map(|n| format!("Host lab0{n}\n HostName 127.0.0.{n}\n")).collect();
        write(
            "ssh_config",
            format!(
                "{hosts}Host *\n Port {port}\n User {user}\n IdentityFile {at}/user\n IdentitiesOnly yes\n \
                 UserKnownHostsFile {at}/known\n GlobalKnownHostsFile /dev/null\n HostKeyAlias lab\n \
                 StrictHostKeyChecking yes\n BatchMode yes\n"
            ),
        );
        // In front of the real one on the path: so the lines need no option for it.
        std::fs::create_dir(lab.path("bin")).unwrap();
        let wrapper = format!("#!/bin/sh\nexec /usr/bin/ssh -F {at}/ssh_config \"$@\"\n");
        script(&wrapper, &lab.path("bin/ssh"));
        for n in 1..=3 {
            let daemon =
                format!("exec {SSHD} -D -e -f {at}/sshd_config -o ListenAddress=127.0.0.{n}");
            // Run by root, sshd wants a folder in /run, and gets it there for itself alone.
            let own = format!(
                "mount -t tmpfs none /run && mkdir -m 755 /run/sshd && hostname lab0{n} && {daemon}"
            );
            let mut command = match nix::unistd::geteuid().is_root() {
                true => Command::new("unshare"),
                false => Command::new("sh"),
            };
            match nix::unistd::geteuid().is_root() {
                true => command.args(["-m", "-u", "sh", "-c", &own]),
                false => command.args(["-c", &daemon]),
            };
            let log = std::fs::File::create(lab.path(&format!("log{n}"))).unwrap();
            lab.hosts.push(
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap(),
            );
        }
        for (nth, host) in lab.hosts.iter_mut().enumerate() {
            let log = lab.folder.path().join(format!("log{}", nth + 1));
            let mut ended = false;
            until("sshd listens", || {
                ended = host.try_wait().unwrap().is_some();
                ended || std::fs::read_to_string(&log).unwrap().contains("listening on")
            });
            let said = std::fs::read_to_string(&log).unwrap();
            assert!(!ended, "sshd: {said}");
        }
        Some(lab)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the lines of the page, as they stand there, except for the name of the server and the time.
    fn run(&self, lines: &str, server: &str, folder: &str) -> Value {
        let lines =
            lines.replace("server:5858", &format!("{server} --seconds 0.5 --connections 4"));
        let lines = lines.replace("+15 sec", "+8 sec").replace("merge", "merge --json");
        let folder = self.path(folder);
        std::fs::create_dir(&folder).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_netplay")).parent().unwrap();
        let path = format!("{}:{}:/usr/bin:/bin", self.path("bin").display(), program.display());
        let mut shell = Command::new("bash");
        shell.args(["-e", "-c", &lines]).current_dir(&folder);
        // Neither program reads or writes settings of the user.
        shell.env("PATH", path).env("HOME", &folder).env("LC_ALL", "C.UTF-8");
        let output = finish(&mut shell, b"");
        let logs: String = (1..=3)
            .map(|n| std::fs::read_to_string(self.path(&format!("log{n}"))).unwrap())
            .collect();
        assert!(output.status.success(), "{lines}\n{output:?}\n{logs}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// The lines of code under this heading of the page.
fn lines_of(heading: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/many-machines.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, below) = page.split_once(&format!("## {heading}\n")).unwrap();
    let section = below.split("\n## ").next().unwrap();
    let lines: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert!(lines.len() > 1, "{section}");
    lines.join("\n")
}

#[test]
fn three_hosts_put_on_one_load_as_the_page_says() {
    let Some(lab) = Lab::start() else { return };
    let server = Server::of("epoll").args(["--reply", "echo"]).start();
    // Both at once, because each waits for its moment.
    let both = [("With ClusterShell", "clush"), ("With GNU parallel", "parallel")];
    std::thread::scope(|scope| {
        let runs = both.map(|(heading, folder)| {
            let (lab, server) = (&lab, &server.place);
            scope.spawn(move || lab.run(&lines_of(heading), server, folder))
        });
        for run in runs {
            let merged = run.join().unwrap();
            assert_eq!(merged["together"]["connections"], 12, "{merged}");
            assert_eq!(merged["together"]["served"], 12, "{merged}");
            let parts = merged["parts"].as_array().unwrap();
            let files: Vec<&str> =
                parts.iter().map(|part| part["file"].as_str().unwrap()).collect();
            assert_eq!(files, ["parts/lab01", "parts/lab02", "parts/lab03"]);
            if nix::unistd::geteuid().is_root() {
                let hosts: Vec<&str> =
                    parts.iter().map(|part| part["host"].as_str().unwrap()).collect();
                assert_eq!(hosts, ["lab01", "lab02", "lab03"]);
            }
        }
    });
}
