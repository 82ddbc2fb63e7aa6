//! Two hosts on one timeline: how far their clocks are apart is known from the traffic alone, and the truth is always inside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{Said, finish, have, netplay, skip, text};

const HOSTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/elsewhere/hosts.py");

/// The traces of a run on two hosts with these settings of hosts.py. `None` where there can be none: the caller returns.
fn run(folder: &Path, settings: &[&str], example: &str) -> Option<[PathBuf; 2]> {
    for program in ["python3", "ip", "unshare"] {
        if !have(program) {
            skip(&format!("no {program}"));
            return None;
        }
    }
    let mut hosts = Command::new("python3");
    hosts.current_dir(folder).arg(HOSTS).args(settings).arg("--");
    let output = finish(hosts.args([env!("CARGO_BIN_EXE_netplay"), example]), b"");
    if output.status.code() == Some(77) {
        skip(&format!("no hosts of its own for a test: {}", text(&output.stderr).trim()));
        return None;
    }
    assert!(output.status.success(), "{output:?}");
    Some(["a.jsonl", "b.jsonl"].map(|name| folder.join(name)))
}

fn lines(trace: &Path) -> Vec<Value> {
    let text = fs::read_to_string(trace).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn write(trace: &Path, lines: &[Value]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(trace, text).unwrap();
}

fn drawn([a, b]: &[PathBuf; 2]) -> Value {
    let mut draw = netplay();
    let output = finish(draw.args(["draw", "-q", "--format", "json"]).arg(a).arg(b), b"");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// From the beginning of each request to the end of its answer, on the client's own clock: the shortest.
fn shortest_round_trip(client: &Path) -> i64 {
    let lines = lines(client);
    let of = |names: [&str; 2]| -> Vec<&Value> {
        let is = |line: &&Value| names.iter().any(|name| line["call"] == *name);
        lines.iter().filter(is).filter(|line| line["bytes"].as_i64() > Some(0)).collect()
    };
    let (asked, answered) = (of(["send", "sendto"]), of(["recv", "recvfrom"]));
    let end = |line: &Value| number(&line["start_ns"]) + number(&line["dur_ns"]);
    let trips = asked.iter().zip(&answered);
    trips.map(|(ask, answer)| end(answer) - number(&ask["start_ns"])).min().unwrap()
}

/// No arrow goes back in time, and every call is as long as it was measured.
fn check_picture(drawn: &Value) {
    let arrows = drawn["arrows"].as_array().unwrap();
    for arrow in arrows {
        if let (Some(from), Some(to)) =
            (arrow["from"]["at_ns"].as_i64(), arrow["to"]["at_ns"].as_i64())
        {
            assert!(from <= to, "{arrow}");
        }
    }
    let between = |arrow: &&Value| {
        let host =
            |end: &str| drawn["lanes"][arrow[end]["lane"].as_u64().unwrap() as usize].get("host");
        !arrow["from"].is_null() && !arrow["to"].is_null() && host("from") != host("to")
    };
    assert!(arrows.iter().filter(between).count() > 2);
}

#[test]
fn the_true_difference_is_within_what_is_said() {
    // Delays differ by direction and vary; packets are lost.
    for (settings, example) in [
        (["5000", "3", "0.5", "0.5", "0", "1", "8"], "tcp-echo"),
        (["-40", "0.2", "4", "2", "0.05", "2", "6"], "tcp-echo"),
        (["123456", "1", "1", "0", "0", "3", "5"], "udp-echo"),
    ] {
        let folder = TempDir::new().unwrap();
        let Some(traces) = run(folder.path(), &settings, example) else { return };
        let ahead = settings[0].parse::<i64>().unwrap() * 1_000_000_000;
        let drawn = drawn(&traces);
        let (said, within) =
            (number(&drawn["clock"]["ahead_ns"]), number(&drawn["clock"]["within_ns"]));
        assert!((said - ahead).abs() <= within, "{settings:?}: {}", drawn["clock"]);
        let shortest = shortest_round_trip(&traces[0]);
        assert!(2 * within <= shortest + 2, "{settings:?}: {within} of {shortest}");
        check_picture(&drawn);
        // The other way round it is the same.
        let [a, b] = traces;
        let turned = self::drawn(&[b, a]);
        assert!(
            (number(&turned["clock"]["ahead_ns"]) + ahead).abs()
                <= number(&turned["clock"]["within_ns"])
        );
        check_picture(&turned);
    }
}

#[test]
fn a_clock_that_runs_faster_is_found_out() {
    let folder = TempDir::new().unwrap();
    let settings = ["1000", "0.3", "0.3", "0.2", "0", "7", "40"];
    let Some(traces) = run(folder.path(), &settings, "tcp-echo") else { return };
    // The same run an hour long: all times of both are 10,000 times as far apart, but calls are as long as before.
    let mut both = traces.clone().map(|trace| lines(&trace));
    let zeros = [0, 1].map(|host: usize| {
        both[0].iter().map(|line| number(&line["start_ns"])).min().unwrap()
            + host as i64 * 1_000_000_000_000
    });
    let stretched = |host: usize, at: i64| {
        zeros[host]
            + (at - zeros[host]) / 1_000_000 * 10_000_000_000
            + (at - zeros[host]) % 1_000_000
    };
    let ppm = |at: i64| at + (at as i128 * 50 / 1_000_000) as i64; // B's clock gains 50 ppm
    for (host, lines) in both.iter_mut().enumerate() {
        for line in lines {
            let (from, took) = (number(&line["start_ns"]), number(&line["dur_ns"]));
            let moved = |at: i64| if host == 0 { stretched(0, at) } else { ppm(stretched(1, at)) };
            line["start_ns"] = json!(moved(from));
            line["dur_ns"] = json!(moved(from + took) - moved(from));
        }
    }
    traces.iter().zip(&both).for_each(|(trace, lines)| write(trace, lines));
    let drawn = drawn(&traces);
    let clock = &drawn["clock"];
    let gains: Vec<f64> =
        clock["gains_ppm"].as_array().unwrap().iter().map(|ppm| ppm.as_f64().unwrap()).collect();
    assert!(gains[0] <= 50.0 && 50.0 <= gains[1] && gains[0] > 0.0, "{clock}");
    check_picture(&drawn);
}

/// A line of a trace: a call of a host at a time in milliseconds of its clock.
fn call(host: u64, at: u64, took: u64, name: &str, more: &Value) -> Value {
    let mut line = json!({
        "v": 1, "kind": "call", "start_ns": at * 1_000_000, "dur_ns": took * 1_000_000,
        "wall": "2026-11-29T10:00:00.000000+00:00", "pid": 100, "tid": 100,
        "role": if host == 0 { "client" } else { "server" }, "example": "udp-echo", "call": name, "syscall": name,
        "fd": 3, "args": "3", "ret": 0, "errno": null, "bytes": null, "data": null, "local": null, "peer": null,
        "boot": format!("0000000{}", host + 1),
    });
    for (key, value) in more.as_object().unwrap() {
        line[key] = value.clone();
    }
    line
}

/// A datagram that a host sent or received.
fn datagram(host: u64, at: u64, name: &str, data: &str) -> Value {
    let (here, there) = (["10.0.0.1:4000", "10.0.0.2:5000"], ["10.0.0.2:5000", "10.0.0.1:4000"]);
    let [local, peer] = if host == 0 { here } else { there };
    let args = format!("3, \"{data}\", 64, 0");
    let more = json!({ "local": local, "peer": peer, "data": data, "bytes": data.len(), "asked": data.len(), "ret": data.len(), "args": args });
    call(host, at, 0, name, &more)
}

fn socket(host: u64, at: u64) -> Value {
    call(
        host,
        at,
        0,
        "socket",
        &json!({ "fd": null, "ret": 3, "args": "AF_INET, SOCK_DGRAM, IPPROTO_IP" }),
    )
}

#[test]
fn traces_that_contradict_each_other_are_refused_with_their_witnesses() {
    let folder = TempDir::new().unwrap();
    let traces = ["a.jsonl", "b.jsonl"].map(|name| folder.path().join(name));
    let said = Said::on("hosts");
    said.hide(folder.path().display(), "FOLDER");
    let draw = |more: &[&str]| {
        finish(netplay().args(["draw"]).args(&traces).args(["--format", "json"]).args(more), b"")
    };
    // A asks at 100 and has the answer at 104. On B's clock, 3 s ahead, the question comes at 3101, the answer goes at 3103.
    let asks =
        [socket(0, 90), datagram(0, 100, "sendto", "ask"), datagram(0, 104, "recvfrom", "answer")];
    let answers = [
        socket(1, 3_000),
        datagram(1, 3_101, "recvfrom", "ask"),
        datagram(1, 3_103, "sendto", "answer"),
    ];
    write(&traces[0], &asks);
    write(&traces[1], &answers);
    let fits = draw(&[]);
    said.add("one round trip", &text(&fits.stderr));
    let drawn: Value = serde_json::from_slice(&fits.stdout).unwrap();
    // Between 2999 and 3001: half of what is not known to be B's own.
    assert!(
        number(&drawn["clock"]["ahead_ns"]).abs_diff(3_000_000_000) < 2_000,
        "{}",
        drawn["clock"]
    );
    assert!(number(&drawn["clock"]["within_ns"]).abs_diff(1_000_000) < 2_000, "{}", drawn["clock"]);
    said.add("一个来回", &text(&draw(&["--lang", "zh"]).stderr));
    // Nothing comes back: the difference may be anything from there on.
    write(&traces[0], &asks[..2]);
    said.ends("one way only", &draw(&[]), 1);
    assert!(draw(&["--raw"]).status.success());
    // B's answer leaves later, by its own clock, than A's question and A's clock allow.
    write(&traces[0], &asks);
    let mut late = answers.clone();
    late[2] = datagram(1, 3_110, "sendto", "answer");
    write(&traces[1], &late);
    said.ends("an answer that is too late", &draw(&[]), 1);
    said.ends("太晚的应答", &draw(&["--lang", "zh"]), 1);
    let raw = draw(&["--raw"]);
    let raw: Value = serde_json::from_slice(&raw.stdout).unwrap();
    assert!(raw.get("clock").is_none() && raw["span_ns"] == 3_020_000_000_u64);
}

#[test]
fn what_is_closer_than_the_clocks_are_known_is_marked() {
    let folder = TempDir::new().unwrap();
    let traces = ["a.jsonl", "b.jsonl"].map(|name| folder.path().join(name));
    let option = |host, at| call(host, at, 0, "getsockname", &json!({ "local": "10.0.0.1:4000" }));
    let asks = [
        socket(0, 90),
        datagram(0, 100, "sendto", "ask"),
        option(0, 102),
        datagram(0, 104, "recvfrom", "answer"),
        option(0, 150),
    ];
    let answers = [
        socket(1, 3_000),
        datagram(1, 3_101, "recvfrom", "ask"),
        call(1, 3_102, 0, "getsockname", &json!({ "local": "10.0.0.2:5000" })),
        datagram(1, 3_103, "sendto", "answer"),
    ];
    write(&traces[0], &asks);
    write(&traces[1], &answers);
    let said = Said::on("hosts_order");
    said.hide(folder.path().display(), "FOLDER");
    for (case, args) in [("text", &["--format", "txt"][..]), ("Markdown", &["--format", "md"])] {
        let drawn = finish(netplay().args(["draw", "-q"]).args(&traces).args(args), b"");
        assert!(drawn.status.success(), "{drawn:?}");
        said.add(case, &text(&drawn.stdout));
    }
    for name in ["it.svg", "it.html", "it.pcapng", "it.pftrace"] {
        let file = folder.path().join(name);
        let drawn = finish(netplay().args(["draw", "-q"]).args(&traces).arg("-o").arg(&file), b"");
        assert!(drawn.status.success() && fs::metadata(&file).unwrap().len() > 300, "{name}");
    }
}
