//! What was handed in: an honest run verifies, a changed one does not, whoever has made a new manifest for it.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use netplay::escape::is_unsafe;
use netplay::examples::examples;
use netplay::pack::{Claims, pack, verify as verify_bytes};
use regex::Regex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::common::{self, Said, finish, netplay, skip};
use crate::watch::compiled;

/// A folder with the trace of a demo.
struct Run {
    folder: TempDir,
}

impl Run {
    fn of(example: &str) -> Run {
        let folder = TempDir::new().unwrap();
        let mut demo = netplay();
        demo.args([example, "demo", "-q", "--trace"]).arg(folder.path().join("run.jsonl"));
        let output = finish(&mut demo, b"");
        assert!(output.status.success(), "{example}: {output:?}");
        Run { folder }
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("run.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Packs these lines as if they were the trace: page, review and manifest are made for them.
    fn pack(&self, lines: &[Value], options: &[&str]) -> PathBuf {
        let trace = self.folder.path().join("edited.jsonl");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&trace, text).unwrap();
        let nth = fs::read_dir(self.folder.path()).unwrap().count();
        let packed = self.folder.path().join(format!("{nth}.netplay"));
        let mut pack = netplay();
        pack.args(["pack", "-q"]).arg(&trace).arg("-o").arg(&packed).args(options);
        let output = finish(&mut pack, b"");
        assert!(output.status.success(), "{output:?}");
        packed
    }

    fn honest(&self) -> PathBuf {
        self.pack(&self.lines(), &["--token", "group 5"])
    }
}

/// The exit code of `verify`, and what it printed.
fn verify(files: &[&Path], options: &[&str]) -> (i32, Value) {
    let mut verify = netplay();
    verify.args(["verify", "--json"]).args(options).args(files);
    let output = finish(&mut verify, b"");
    let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code().unwrap(), said)
}

/// The rules that found something.
fn rules(packed: &Path) -> Vec<String> {
    let (code, said) = verify(&[packed], &[]);
    let faults = said["files"][0]["faults"].as_array().unwrap_or_else(|| panic!("{said}"));
    assert_eq!(code, if faults.is_empty() { 0 } else { 3 }, "{said}");
    faults.iter().map(|fault| fault["rule"].as_str().unwrap().to_owned()).collect()
}

fn is(line: &Value, role: &str, call: &str) -> bool {
    line["role"].as_str().unwrap().starts_with(role) && line["call"] == call
}

/// The place of the first such record.
fn place(lines: &[Value], role: &str, call: &str) -> usize {
    let found = lines.iter().position(|line| is(line, role, call));
    found.unwrap_or_else(|| panic!("no {call} of {role}"))
}

/// Writes other bytes of the same length into a record, in its data and in its arguments.
fn say(line: &mut Value, from: &str, to: &str) {
    for key in ["data", "args"] {
        let text = line[key].as_str().unwrap();
        assert!(text.contains(from), "{line}");
        line[key] = text.replacen(from, to, 1).into();
    }
}

/// Changes the port of the address, in the record and in its arguments.
fn to_another_port(line: &mut Value) {
    let (host, port) = line["peer"].as_str().unwrap().rsplit_once(':').unwrap();
    let other = port.parse::<u16>().unwrap() ^ 1;
    let args = line["args"].as_str().unwrap();
    assert!(args.contains(&format!("htons({port})")), "{line}");
    let args = args.replace(&format!("htons({port})"), &format!("htons({other})"));
    line["peer"] = format!("{host}:{other}").into();
    line["args"] = args.into();
}

fn shift(line: &mut Value, by: i64) {
    line["start_ns"] = (line["start_ns"].as_i64().unwrap() + by).into();
}

#[test]
fn every_demo_verifies() {
    for example in examples().filter(|example| example.name != "sockopt") {
        let folder = TempDir::new().unwrap();
        let trace = folder.path().join("run.jsonl");
        let mut demo = netplay();
        demo.args([example.name, "demo", "-q", "--trace"]).arg(&trace);
        let output = finish(&mut demo, b"");
        if !output.status.success() || !trace.exists() {
            assert!(
                matches!(output.status.code(), Some(1 | 2 | 4)),
                "{}: {output:?}",
                example.name
            );
            skip(&format!("{} has no demo here", example.name));
            continue;
        }
        let packed = Run { folder }.honest_of();
        assert_eq!(rules(&packed.1), [""; 0], "{}", example.name);
    }
}

impl Run {
    /// The pack, with the folder that holds it.
    fn honest_of(self) -> (Run, PathBuf) {
        let packed = self.honest();
        (self, packed)
    }
}

/// Each change of a trace is packed anew, so that manifest, page and review are those of the changed trace.
#[test]
fn each_change_of_a_trace_is_found() {
    type Change = fn(&mut Vec<Value>);
    let changes: [(&str, &str, &[&str], Change); 26] = [
        ("a send removed", "tcp-echo", &["time"], |lines| {
            lines.remove(place(lines, "client", "send"));
        }),
        ("a socket removed", "tcp-echo", &["descriptor"], |lines| {
            lines.remove(place(lines, "server", "socket"));
        }),
        ("a listen removed", "tcp-echo", &["state"], |lines| {
            lines.remove(place(lines, "server", "listen"));
        }),
        ("a close removed", "fork", &["descriptor"], |lines| {
            let accept = lines[place(lines, "server", "accept")].clone();
            let close = lines.iter().position(|line| {
                is(line, "server", "close")
                    && line["fd"] == accept["ret"]
                    && line["pid"] == accept["pid"]
            });
            lines.remove(close.unwrap());
        }),
        ("a receive added", "tcp-echo", &["time"], |lines| {
            let mut receive = lines[place(lines, "server", "recv")].clone();
            let at = lines.iter().position(|line| is(line, "server", "send")).unwrap();
            let end =
                lines[at]["start_ns"].as_i64().unwrap() + lines[at]["dur_ns"].as_i64().unwrap();
            receive["start_ns"] = (end + 1).into();
            receive["dur_ns"] = 1.into();
            lines.insert(at + 1, receive);
        }),
        ("two lines exchanged", "tcp-echo", &["order"], |lines| {
            let (one, other) = (place(lines, "server", "bind"), place(lines, "server", "listen"));
            lines.swap(one, other);
        }),
        ("received bytes changed", "tcp-echo", &["bytes"], |lines| {
            let at = place(lines, "server", "recv");
            let first: String = lines[at]["data"].as_str().unwrap().chars().take(3).collect();
            say(&mut lines[at], &first, "Xyz");
        }),
        ("data changed, arguments not", "tcp-echo", &["count"], |lines| {
            let at = place(lines, "client", "send");
            let data = lines[at]["data"].as_str().unwrap();
            lines[at]["data"] = format!("X{}", &data[1..]).into();
        }),
        ("a count changed", "tcp-echo", &["count"], |lines| {
            let at = place(lines, "client", "recv");
            lines[at]["bytes"] = (lines[at]["bytes"].as_i64().unwrap() + 1).into();
            lines[at]["ret"] = lines[at]["bytes"].clone();
        }),
        ("a time changed", "tcp-echo", &["order"], |lines| {
            let at = place(lines, "server", "recv");
            shift(&mut lines[at], -1_000_000_000);
        }),
        ("all of one side earlier", "tcp-echo", &["time"], |lines| {
            for line in lines.iter_mut().filter(|line| line["role"] == "server") {
                shift(line, -60_000_000_000);
                let wall = line["wall"].as_str().unwrap().to_owned();
                let at = chrono::DateTime::parse_from_rfc3339(&wall).unwrap()
                    - chrono::TimeDelta::seconds(60);
                line["wall"] = at.to_rfc3339_opts(chrono::SecondsFormat::Micros, false).into();
            }
        }),
        ("the calendar changed", "tcp-echo", &["clock"], |lines| {
            let at = place(lines, "server", "accept");
            let wall = lines[at]["wall"].as_str().unwrap();
            lines[at]["wall"] = wall.replacen("20", "19", 1).into();
        }),
        ("another descriptor", "tcp-echo", &["descriptor"], |lines| {
            let at = place(lines, "server", "recv");
            let args = lines[at]["args"].as_str().unwrap();
            let (_, rest) = args.split_once(", ").unwrap();
            lines[at]["args"] = format!("77, {rest}").into();
            lines[at]["fd"] = 77.into();
        }),
        ("an errno that cannot be", "tcp-echo", &["errno"], |lines| {
            let at = lines.iter().position(|line| line["errno"] == "EINVAL").unwrap();
            lines[at]["errno"] = "ECHILD".into();
        }),
        ("an errno that no system has", "tcp-echo", &["form"], |lines| {
            let at = lines.iter().position(|line| line["errno"] == "EINVAL").unwrap();
            lines[at]["errno"] = "ENOTHING".into();
        }),
        ("a receive removed", "tcp-echo", &["bytes"], |lines| {
            let last = lines.iter().rposition(|line| {
                is(line, "client", "recv") && line["bytes"].as_u64().unwrap_or_default() > 0
            });
            lines.remove(last.unwrap());
        }),
        ("a shutdown removed", "tcp-echo", &["time"], |lines| {
            lines.remove(place(lines, "client", "shutdown"));
        }),
        ("a bind removed", "udp-echo", &["address"], |lines| {
            lines.remove(place(lines, "server", "bind"));
        }),
        ("a datagram removed", "udp-echo", &["bytes"], |lines| {
            lines.remove(place(lines, "client", "sendto"));
        }),
        ("an answer removed", "udp-echo", &["bytes"], |lines| {
            lines.remove(place(lines, "server", "sendto"));
        }),
        ("a received datagram changed", "udp-echo", &["bytes"], |lines| {
            let at = place(lines, "server", "recvfrom");
            say(&mut lines[at], "hello", "Hello");
        }),
        ("a datagram sent elsewhere", "udp-echo", &["bytes"], |lines| {
            let at = place(lines, "client", "sendto");
            to_another_port(&mut lines[at]);
        }),
        ("an address that its arguments do not have", "udp-echo", &["address"], |lines| {
            let at = place(lines, "server", "recvfrom");
            lines[at]["peer"] = "127.0.0.1:9".into();
        }),
        ("a completion of a receive removed", "io-uring", &["bytes"], |lines| {
            let at = lines
                .iter()
                .position(|line| line["kind"] == "complete" && line["data"] != Value::Null);
            assert_eq!(lines.remove(at.unwrap())["call"], "recv");
        }),
        ("a completion of a send changed", "io-uring", &["bytes"], |lines| {
            let at =
                lines.iter().position(|line| line["kind"] == "complete" && line["call"] == "send");
            let line = &mut lines[at.unwrap()];
            let data = line["data"].as_str().unwrap();
            line["data"] = format!("X{}", &data[1..]).into();
        }),
        ("a submission removed", "io-uring", &["ring"], |lines| {
            let at =
                lines.iter().position(|line| line["kind"] == "submit" && line["call"] == "send");
            lines.remove(at.unwrap());
        }),
    ];
    let mut missed = Vec::new();
    for (what, example, expected, change) in changes {
        let run = Run::of(example);
        assert_eq!(rules(&run.honest()), [""; 0], "{what}: before the change");
        let mut lines = run.lines();
        change(&mut lines);
        let found = rules(&run.pack(&lines, &[]));
        if !expected.iter().all(|rule| found.iter().any(|found| found == rule)) {
            missed.push(format!("{what}: {expected:?} is not in {found:?}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// The members of a pack, changed, in a new archive; with a new manifest if `again`.
fn edited(packed: &Path, again: bool, change: impl Fn(&mut Vec<(String, Vec<u8>)>)) -> PathBuf {
    let mut zip = ZipArchive::new(Cursor::new(fs::read(packed).unwrap())).unwrap();
    let mut members = Vec::new();
    for nth in 0..zip.len() {
        let mut file = zip.by_index(nth).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        members.push((file.name().unwrap().into_owned(), content));
    }
    change(&mut members);
    if again {
        let named = members.iter().filter(|(name, _)| name != "manifest.json");
        let entries: Vec<Value> = named
            .map(|(name, content)| {
                let sha256: String =
                    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
                json!({ "name": name, "bytes": content.len(), "sha256": sha256 })
            })
            .collect();
        let manifest = json!({ "v": 1, "members": entries }).to_string();
        members.iter_mut().find(|(name, _)| name == "manifest.json").unwrap().1 = manifest.into();
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in &members {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    let path = packed.with_extension("edited");
    fs::write(&path, zip.finish().unwrap().into_inner()).unwrap();
    path
}

/// Writes something else into a member.
fn replace(members: &mut [(String, Vec<u8>)], name: &str, from: &str, to: &str) {
    let (_, content) = members.iter_mut().find(|(of, _)| of == name).unwrap();
    let text = String::from_utf8(content.clone()).unwrap();
    assert!(text.contains(from), "{name}: {from}");
    *content = text.replacen(from, to, 1).into();
}

#[test]
fn each_change_of_a_member_is_found_with_a_new_manifest() {
    type Change = fn(&mut Vec<(String, Vec<u8>)>);
    let run = Run::of("tcp-echo");
    let packed = run.honest();
    let changes: [(&str, &[&str], Change); 7] = [
        ("nothing", &[], |_| {}),
        ("the page", &["page"], |members| replace(members, "page.html", "<title>", "<title>my ")),
        ("the review", &["review"], |members| replace(members, "review.json", "[", "[ ")),
        ("the token", &["page"], |members| replace(members, "about.json", "group 5", "group 6")),
        ("the programs", &["about"], |members| {
            replace(members, "about.json", "\"server\"", "\"my server\"");
        }),
        ("the form of a line", &["form"], |members| {
            replace(members, "trace-1.jsonl", "\"v\":1", "\"v\": 1");
        }),
        ("a member more", &["manifest"], |members| {
            members.push(("../../etc/passwd".to_owned(), Vec::new()));
        }),
    ];
    for (what, expected, change) in changes {
        let mut found = rules(&edited(&packed, true, change));
        found.dedup();
        assert_eq!(found, expected, "{what}");
    }
    let damaged =
        edited(&packed, false, |members| replace(members, "page.html", "<title>", "<title> "));
    assert_eq!(rules(&damaged), ["manifest", "page"]);
}

#[test]
fn what_verify_says_is_on_a_page() {
    let said = Said::on("verify");
    let run = Run::of("tcp-echo");
    let (honest, other) = (run.folder.path().join("honest"), run.folder.path().join("edited"));
    fs::rename(run.honest(), &honest).unwrap();
    let mut lines = run.lines();
    lines.remove(place(&lines, "client", "send"));
    fs::rename(run.pack(&lines, &[]), &other).unwrap();
    let text = run.folder.path().join("text");
    fs::write(&text, "not a pack\n").unwrap();
    let first = &run.lines()[0];
    said.hide(first["wall"].as_str().unwrap(), "TIME");
    said.hide(format!("{}/", run.folder.path().display()), "");
    for line in run.lines() {
        said.hide(format!("pid {}", line["pid"]), "pid PID");
    }
    let measured = [
        (r"(TIME, |历时 )[0-9.]+ [nµm]?s", "${1}SO LONG"),
        (r"trace-1.jsonl:\d+", "trace-1.jsonl:LINE"),
        (r"\d+ ?%", "MANY %"),
    ];
    let add = |case: &str, lang: &str, files: &[&Path], options: &[&str], code: i32| {
        let mut verify = netplay();
        verify.args(["verify", "--lang", lang]).args(options).args(files);
        let output = finish(&mut verify, b"");
        assert_eq!(output.status.code(), Some(code), "{case}: {output:?}");
        let words = common::text(&output.stdout).replace(first["wall"].as_str().unwrap(), "TIME");
        let plain = measured.iter().fold(words, |words, (what, name)| {
            Regex::new(what).unwrap().replace_all(&words, *name).into_owned()
        });
        said.add(case, &plain);
    };
    let nowhere = run.folder.path().join("nowhere");
    for lang in ["en", "zh"] {
        add(&format!("one that verifies, {lang}"), lang, &[&honest], &["--token", "group 5"], 0);
        let all: [&Path; 4] = [&nowhere, &text, &other, &honest];
        add(&format!("several, {lang}"), lang, &all, &["--token", "group 6"], 3);
    }
    let (code, json) = verify(&[&nowhere, &honest], &[]);
    assert_eq!((code, &json["files"][1]["verified"]), (3, &json!(true)));
    assert!(json["files"][0]["unread"].is_string(), "{json}");
}

/// A record that is not in the pack is said to be missing, with -q as well.
#[test]
fn pack_says_what_it_leaves_out() {
    let said = Said::on("pack");
    let run = Run::of("udp-echo");
    let trace = run.folder.path().join("run.jsonl");
    let text = fs::read_to_string(&trace).unwrap();
    let torn = run.folder.path().join("torn.jsonl");
    fs::write(&torn, format!("not json\n{}", &text[..text.len() - 20])).unwrap();
    let none = run.folder.path().join("none.jsonl");
    fs::write(&none, "not json\n").unwrap();
    let packed = run.folder.path().join("run.netplay");
    for (case, traces, code) in [
        ("a torn line and one that is none", &[&torn][..], 0),
        ("a trace twice", &[&trace, &trace], 0),
        ("no record", &[&none], 1),
    ] {
        let mut pack = netplay();
        pack.args(["pack", "-q", "-o"]).arg(&packed).args(traces);
        said.ends(case, &finish(&mut pack, b""), code);
    }
}

#[test]
fn a_token_is_that_of_the_teacher() {
    let run = Run::of("tcp-echo");
    let packed = run.honest();
    assert_eq!(verify(&[&packed], &["--token", "group 5"]).0, 0);
    let (code, said) = verify(&[&packed], &["--token", "group 6"]);
    assert_eq!((code, &said["files"][0]["token_matches"]), (3, &json!(false)));
}

#[test]
fn what_is_no_pack_gets_a_line_and_what_is_too_large_is_refused() {
    let run = Run::of("udp-echo");
    let packed = fs::read(run.honest()).unwrap();
    // The size that the archive names for each member is that of a bomb.
    let mut bomb = packed.clone();
    let central = bomb.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    bomb[central + 24..central + 28].copy_from_slice(&0x3000_0000_u32.to_le_bytes());
    bomb[22..26].copy_from_slice(&0x3000_0000_u32.to_le_bytes());
    let mut flipped = packed.clone();
    flipped[packed.len() / 2] ^= 0x55;
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("text", b"not a pack\n".to_vec()),
        ("half of one", packed[..packed.len() / 2].to_vec()),
        ("a bomb", bomb),
        ("a bit", flipped),
    ] {
        let path = run.folder.path().join("damaged");
        fs::write(&path, bytes).unwrap();
        let (code, said) = verify(&[&path], &[]);
        assert_eq!(code, 3, "{what}: {said}");
        let file = &said["files"][0];
        let lines = file["damage"].as_str().map(|damage| damage.lines().count());
        assert!(
            lines == Some(1) || !file["faults"].as_array().unwrap().is_empty(),
            "{what}: {said}"
        );
    }
}

#[test]
fn an_archive_holds_files_only_and_nothing_behind_them() {
    let run = Run::of("udp-echo");
    let packed = run.honest();
    let path = run.folder.path().join("changed");
    let mut behind = fs::read(&packed).unwrap();
    behind.extend(b"a second answer");
    fs::write(&path, behind).unwrap();
    assert_eq!(rules(&path), ["manifest"]);
    // The page is a link for programs that unpack it.
    let mut linked = fs::read(&packed).unwrap();
    let entries: Vec<usize> = (0..linked.len() - 46)
        .filter(|&at| linked[at..].starts_with(b"PK\x01\x02"))
        .filter(|&at| linked[at + 46..].starts_with(b"page.html"))
        .collect();
    let [entry] = entries[..] else { panic!("{entries:?}") };
    linked[entry + 5] = 3; // made on UNIX
    linked[entry + 38..entry + 42].copy_from_slice(&(0o120_777_u32 << 16).to_le_bytes());
    fs::write(&path, linked).unwrap();
    let (code, said) = verify(&[&path], &[]);
    assert_eq!(code, 3, "{said}");
    assert!(said["files"][0]["damage"].as_str().unwrap().contains("page.html"), "{said}");
}

#[test]
fn lines_without_end_are_not_all_read() {
    let run = Run::of("udp-echo");
    let lines = edited(&run.honest(), true, |members| {
        let trace = members.iter_mut().find(|(name, _)| name == "trace-1.jsonl").unwrap();
        trace.1 = vec![b'\n'; 50_000];
    });
    let (code, said) = verify(&[&lines], &[]);
    assert_eq!(code, 3);
    let faults = said["files"][0]["faults"].as_array().unwrap();
    let last = faults.iter().filter(|fault| fault["rule"] == "form");
    let last = last.filter_map(|fault| fault["at"][0]["line"].as_u64()).max();
    assert_eq!(last, Some(10_000), "{said}");
}

#[test]
fn packs_of_one_run_are_recognised() {
    let (run, other) = (Run::of("select"), Run::of("select"));
    let mut lines = run.lines();
    for line in &mut lines {
        shift(line, 5_000_000_000);
        line["role"] = format!("my {}", line["role"].as_str().unwrap()).into();
        for key in ["pid", "tid"] {
            line[key] = (line[key].as_i64().unwrap() + 100_000).into();
        }
    }
    let packs = [run.honest(), run.pack(&lines, &["--token", "mine"]), other.honest()];
    let (_, said) = verify(&[&packs[0], &packs[1], &packs[2]], &[]);
    let alike = said["alike"].as_array().unwrap();
    assert_eq!(alike.len(), 1, "{alike:?}");
    assert_eq!((&alike[0]["files"], &alike[0]["same_run"]), (&json!([0, 1]), &json!(true)));
}

#[test]
fn passwords_are_hidden_unless_they_are_to_stay() {
    let run = Run::of("tcp-echo");
    let mut lines = run.lines();
    // The answer of the server is longer than what strace shows of it.
    let said = lines[place(&lines, "server", "send")]["data"].as_str().unwrap().to_owned();
    let secret = format!("PASS {}", "s".repeat(said.len() - 5));
    for (role, call) in [("server", "send"), ("client", "recv")] {
        let at = place(&lines, role, call);
        let line = &mut lines[at];
        line["args"] = line["args"].as_str().unwrap().replace(&said[..32], &secret[..32]).into();
        line["data"] = secret.clone().into();
    }
    let holds = |packed: &Path| {
        let mut zip = ZipArchive::new(Cursor::new(fs::read(packed).unwrap())).unwrap();
        let mut text = String::new();
        zip.by_name("trace-1.jsonl").unwrap().read_to_string(&mut text).unwrap();
        text.contains("sss")
    };
    let (hidden, shown) = (run.pack(&lines, &[]), run.pack(&lines, &["--show-secrets"]));
    assert_eq!([holds(&hidden), holds(&shown)], [false, true]);
    assert_eq!(rules(&hidden), [""; 0]);
    let (_, said) = verify(&[&hidden], &[]);
    assert!(said["files"][0]["about"]["hidden"].as_u64().unwrap() > 0, "{said}");
}

/// Threads, forks, execs, handlers of signals within calls, and death by a signal.
#[test]
fn programs_with_threads_processes_and_signals_verify() {
    let Some(program) = compiled("processes.c", false).filter(|_| common::strace_may_trace())
    else {
        return skip("programs cannot be compiled, or watched, here");
    };
    for mode in [
        "threads", "leaves", "forks", "spawns", "child", "execs", "replaces", "mixes", "handlers",
        "signals", "killed",
    ] {
        let folder = TempDir::new().unwrap();
        let mut watch = netplay();
        watch.args(["watch", "-q", "--trace"]).arg(folder.path().join("run.jsonl"));
        finish(watch.arg("--").arg(&program).arg(mode), b"");
        let (_run, packed) = Run { folder }.honest_of();
        assert_eq!(rules(&packed), [""; 0], "{mode}");
    }
}

/// The programs of the review's tests make every mistake there is: each run is an honest one.
#[test]
fn watched_programs_verify() {
    if !common::strace_may_trace() {
        return skip("programs cannot be watched here");
    }
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/review");
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let (server, client) = (programs.join("thread_each.py"), programs.join("two_parts.py"));
    for options in [&[][..], &["--short-reads", "3"], &["--eintr", "3"]] {
        let folder = TempDir::new().unwrap();
        let mut watch = netplay();
        watch
            .args(["watch", "-q", "--timeout", "10", "--trace"])
            .arg(folder.path().join("run.jsonl"));
        watch.args(options).arg("--").arg("/usr/bin/python3").arg(&server).arg(port.to_string());
        watch.args(["::", "/usr/bin/python3"]).arg(&client).arg(port.to_string());
        finish(&mut watch, b"");
        let (run, packed) = Run { folder }.honest_of();
        assert_eq!(rules(&packed), [""; 0], "{options:?}: {:?}", run.lines().len());
    }
}

/// Datagrams in every way in which a program can send them: with and without connect, over UNIX sockets and within a
/// pair, cut, empty, from several threads, to a closed port.
#[test]
fn watched_datagrams_are_compared() {
    if !common::strace_may_trace() {
        return skip("programs cannot be watched here");
    }
    let folder = TempDir::new().unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/review/all_datagrams.py");
    let mut watch = netplay();
    watch.args(["watch", "-q", "--trace"]).arg(folder.path().join("run.jsonl"));
    watch.args(["--", "/usr/bin/python3"]).arg(&program).arg(folder.path());
    let output = finish(&mut watch, b"");
    assert!(output.status.success(), "{output:?}");
    let run = Run { folder };
    let (code, said) = verify(&[&run.honest()], &[]);
    let file = &said["files"][0];
    assert_eq!((code, &file["faults"]), (0, &json!([])));
    // 9 in pairs, 2 of sockets with a path, 13 requests and 13 answers; two came from sockets of which no name is known.
    assert_eq!(file["datagrams"]["compared"], 37, "{said}");
    let lines = run.lines();
    // Of client 1 no call tells the name: it is that to which the server has sent what this client received.
    let of_one = |line: &&Value| {
        let data = line["data"].as_str().unwrap_or_default();
        line["call"] == "sendto" && data.to_lowercase().ends_with("client 1")
    };
    let all: Vec<&Value> = lines.iter().filter(of_one).collect();
    assert_eq!(all.len(), 6);
    let mut missed = Vec::new();
    for &removed in &all {
        let rest: Vec<Value> = lines.iter().filter(|line| *line != removed).cloned().collect();
        if rules(&run.pack(&rest, &[])).is_empty() {
            missed.push(removed["data"].to_string());
        }
    }
    assert_eq!(missed, [""; 0]);
}

/// A program may use the answer of a failed call as a descriptor, or any other number.
#[test]
fn a_descriptor_that_cannot_be_is_recorded_as_it_was_asked_for() {
    if !common::strace_may_trace() {
        return skip("programs cannot be watched here");
    }
    let folder = TempDir::new().unwrap();
    let asked = "import ctypes, socket\n\
        s = socket.socket()\n\
        libc = ctypes.CDLL(None)\n\
        for fd in (-1, -7, -2**31):\n \
        libc.recv(fd, None, 0, 0), libc.send(fd, b'x', 1, 0), libc.close(fd)\n";
    let mut watch = netplay();
    watch.args(["watch", "-q", "--trace"]).arg(folder.path().join("run.jsonl"));
    watch.args(["--", "/usr/bin/python3", "-c", asked]);
    assert!(finish(&mut watch, b"").status.success());
    let run = Run { folder };
    let lines = run.lines();
    let of: Vec<i64> = lines.iter().filter_map(|line| line["fd"].as_i64()).collect();
    for fd in [-1, -7, i64::from(i32::MIN)] {
        assert_eq!(of.iter().filter(|of| **of == fd).count(), 3, "{of:?}");
    }
    let schema = serde_json::from_str(include_str!("../../schema/trace.schema.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for line in &lines {
        let wrong: Vec<_> = validator.iter_errors(line).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?} in {line}");
    }
    assert_eq!(rules(&run.honest()), [""; 0]);
}

/// Numbers that look random, and are the same in each run: xorshift64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as usize
    }
}

/// Packs with bytes changed, removed, repeated or cut off; and archives so small that most of their bytes say what is where.
#[test]
fn a_damaged_archive_ends_with_a_result() {
    let trace = include_bytes!("../draw/text_eagain.jsonl").to_vec();
    let packed = pack(&[("run.jsonl".to_owned(), trace)], Claims::default()).unwrap().bytes;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["manifest.json", "about.json", "page.html", "review.json", "trace-1.jsonl"] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(br#"{"v":1,"members":[]}"#).unwrap();
    }
    let small = zip.finish().unwrap().into_inner();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut read = 0;
    for (whole, times) in [(packed, 200), (small, 20_000)] {
        for _ in 0..times {
            let mut bytes = whole.clone();
            for _ in 0..=numbers.below(4) {
                let at = numbers.below(bytes.len());
                let to = (at + numbers.below(64)).min(bytes.len());
                match numbers.below(5) {
                    _ if bytes.is_empty() => {}
                    0 => bytes[at] ^= 1 << numbers.below(8),
                    1 => bytes[at] = [0, 0xff, 0x7f, 0x80][numbers.below(4)],
                    2 => bytes.truncate(at),
                    3 => drop(bytes.drain(at..to)),
                    _ => bytes.extend_from_within(at..to),
                }
            }
            match verify_bytes(&bytes) {
                Ok(verified) => {
                    assert!(bytes == whole || !verified.faults.is_empty());
                    read += 1;
                }
                Err(damage) => assert!(!damage.to_string().contains(is_unsafe), "{damage:?}"),
            }
        }
    }
    assert!(read > 0, "every one of them was refused before its members were read");
}
