//! `netplay review`: the cause of a mistake is named, on the right program, and programs that are right hear nothing.
//!
//! The programs are small, in C and Python, and stand in `tests/suite/review/`; its `table.txt` says what each run must find.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use crate::common::{self, Said, finish, have, netplay, run, skip, text};
use netplay::lang::Lang;
use netplay::pack::{Claims, pack, verify};
use netplay::record::Event;
use netplay::review::{Rule, review};
use serde_json::Value;
use tempfile::TempDir;

/// A line of the table.
struct Case {
    name: &'static str,
    programs: &'static str,
    options: &'static str,
    /// The rule that must speak, and the program that it must name.
    expected: Option<(&'static str, Option<&'static str>)>,
    /// Rules that may speak as well.
    allowed: Vec<&'static str>,
    /// Where the mistake is taught.
    lab: Option<&'static str>,
}

fn cases() -> Vec<Case> {
    let lines = include_str!("review/table.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            let [name, programs, options, found] = fields[..] else { panic!("{line}") };
            let (allowed, expected): (Vec<&str>, Vec<&str>) =
                found.split_whitespace().partition(|word| word.starts_with('+'));
            let lab = expected.iter().find_map(|word| word.strip_prefix('@'));
            let expected: Vec<&str> =
                expected.into_iter().filter(|word| !word.starts_with('@')).collect();
            let expected = expected.first().map(|&rule| (rule, expected.get(1).copied()));
            let allowed = allowed.iter().map(|word| &word[1..]).collect();
            Case { name, programs, options, expected, allowed, lab }
        })
        .collect()
}

/// A port that nobody has, and neither has anybody the one with its bytes swapped.
fn free_port() -> u16 {
    loop {
        let bind = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port));
        let port = bind(0).unwrap().local_addr().unwrap().port();
        let swapped = port.swap_bytes();
        if swapped > 1023 && swapped != port && bind(swapped).is_ok() {
            return port;
        }
    }
}

/// The program of this source: compiled, if it is C.
fn program(source: &str, folder: &Path) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/suite/review").join(source);
    let path = path.to_str().unwrap().to_owned();
    match source.rsplit_once('.') {
        Some((name, "c")) => {
            let program = folder.join(name).to_str().unwrap().to_owned();
            let compiled =
                Command::new("cc").args(["-O1", "-w", "-o", &program, &path]).output().unwrap();
            assert!(compiled.status.success(), "{compiled:?}");
            vec![program]
        }
        _ => vec!["/usr/bin/python3".to_owned(), path],
    }
}

/// Watches the programs of a case; the trace is `t.jsonl` in the folder.
fn watched(case: &Case, folder: &Path) -> Output {
    let port = free_port().to_string();
    let mut options = case.options.split_whitespace();
    let trace = folder.join("t.jsonl");
    let mut command = netplay();
    command.args(["watch", "--timeout", options.next().unwrap()]).args(options);
    command.arg("--trace").arg(trace).arg("--");
    for (nth, words) in case.programs.split("::").enumerate() {
        let mut words = words.split_whitespace();
        command.args((nth > 0).then_some("::"));
        command.args(program(words.next().unwrap(), folder));
        command.args(words.map(|word| word.replace("{port}", &port)));
    }
    finish(&mut command, b"")
}

fn can_run() -> bool {
    if !Path::new("/usr/bin/python3").exists() || !have("cc") {
        skip("python3 and cc: the programs of review are not run");
        return false;
    }
    if !common::strace_may_trace() {
        return false;
    }
    true
}

#[test]
fn every_cause_is_named_and_no_right_program_is_accused() {
    if !can_run() {
        return;
    }
    let (cases, wrong) = (Mutex::new(cases()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(case) = { cases.lock().unwrap().pop() } {
                    if let Err(error) = check(&case) {
                        wrong.lock().unwrap().push(format!("{}: {error}", case.name));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// These runs took place, so their packs verify, whatever mistakes the programs make.
fn honest(lines: &str) -> Result<(), String> {
    let traces = [("t.jsonl".to_owned(), lines.as_bytes().to_vec())];
    let packed = pack(&traces, Claims::default()).map_err(|error| error.to_string())?;
    let verified = verify(&packed.bytes).map_err(|damage| damage.to_string())?;
    match verified.faults.is_empty() {
        true => Ok(()),
        false => Err(format!("does not verify: {:?}", verified.faults)),
    }
}

fn check(case: &Case) -> Result<(), String> {
    let folder = TempDir::new().unwrap();
    let story = watched(case, folder.path());
    let trace = folder.path().join("t.jsonl");
    let trace = trace.to_str().unwrap();
    let output = run(&["review", trace, "--json", "--strict"], b"");
    let json: Value = serde_json::from_slice(&output.stdout).map_err(|_| text(&output.stderr))?;
    let lines = std::fs::read_to_string(trace).unwrap();
    honest(&lines)?;
    let mut records: Vec<Event> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    records.sort_by_key(|record| record.start_ns);
    for finding in review(&records) {
        let command = finding.command();
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        let there = match words[0] {
            "lab" => text(&run(&["lab"], b"").stdout).contains(&format!(" {} ", words[1])),
            _ => run(&words, b"").status.success(),
        };
        assert!(there, "{command}");
        let [en, zh] = [Lang::En, Lang::Zh].map(|lang| finding.sentence(lang));
        let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..'\u{a000}').contains(&c));
        assert!(!is_chinese(&en) && is_chinese(&zh), "{en} {zh}");
    }
    let mut found = Vec::new();
    for finding in json["findings"].as_array().unwrap() {
        let rule = finding["rule"].as_str().unwrap();
        let numbers = finding["records"].as_array().unwrap();
        let pid = finding["pid"].as_i64().unwrap();
        assert!(!numbers.is_empty(), "{finding}");
        assert!(numbers.iter().all(|at| at.as_u64().unwrap() < records.len() as u64), "{finding}");
        let whose = records.iter().find(|record| i64::from(record.pid) == pid).unwrap();
        let lab = finding["lab"].as_str().unwrap();
        found.push((rule, whose.role.to_string(), finding["sentence"].as_str().unwrap(), lab));
    }
    let told = format!("{found:?}");
    let mut once = HashSet::new();
    let twice = found.iter().find(|(rule, program, ..)| !once.insert((*rule, program.clone())));
    if let Some((rule, ..)) = twice.filter(|(rule, ..)| *rule != "busy-loop") {
        return Err(format!("{rule} is told twice: {told}"));
    }
    let code = output.status.code();
    assert_eq!(code, Some(if found.is_empty() { 0 } else { 3 }), "{told}");
    let expected = case.expected.map(|(rule, _)| rule);
    if expected.is_some_and(|rule| !found.iter().any(|(of, ..)| *of == rule)) {
        return Err(format!("{expected:?} is not among {told}\n{}", text(&story.stderr)));
    }
    for (rule, program, sentence, lab) in &found {
        if expected != Some(rule) && !case.allowed.contains(rule) {
            return Err(format!("accused of {rule}: {sentence}\n{}", text(&story.stderr)));
        }
        let (_, whose) = case.expected.unwrap_or_default();
        if case.lab.is_some_and(|of| expected == Some(rule) && of != *lab) {
            return Err(format!("{rule} is taught by {lab}: {told}"));
        }
        if whose.is_some_and(|whose| expected == Some(rule) && whose != program) {
            return Err(format!("{rule} is blamed on {program}: {told}"));
        }
        // watch ends with the same, for people.
        if !text(&story.stderr).contains(&format!("review: {rule}, in {program}")) {
            return Err(format!("watch does not name {rule}: {}", text(&story.stderr)));
        }
    }
    Ok(())
}

#[test]
fn every_rule_is_shown() {
    for &rule in Rule::ALL {
        let shown =
            cases().iter().any(|case| case.expected.is_some_and(|(of, _)| of == rule.name()));
        assert!(shown, "no program makes {}", rule.name());
        assert!(
            include_str!("review/table.txt").contains(rule.name()),
            "{} is never shown",
            rule.name()
        );
    }
}

#[test]
fn findings_are_told_to_people_and_to_programs() {
    let said = Said::on("review");
    let told = |case: &str, output: &Output, code: i32| {
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        said.add(case, &text(&output.stdout));
    };
    let folder = TempDir::new().unwrap();
    let trace = folder.path().join("quiet.jsonl");
    let trace = trace.to_str().unwrap();
    let shown = run(&["sockopt", "SO_RCVBUF", "--trace", trace], b"");
    assert!(shown.status.success(), "{shown:?}");
    told("nothing found", &run(&["review", trace], b""), 0);
    told("nothing found, in Chinese", &run(&["review", trace, "--lang", "zh"], b""), 0);
    let strict = run(&["review", trace, "--json", "--strict"], b"");
    told("nothing found, for programs", &strict, 0);
    said.fails("no record", &run(&["review", "/dev/null"], b""), 1);
    let trace = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/review/line_in_two_sends.jsonl");
    told("found", &run(&["review", trace], b""), 0);
    told("found, in Chinese", &run(&["review", trace, "--lang", "zh", "--strict"], b""), 3);
    told("found, for programs", &run(&["review", trace, "--json"], b""), 0);
}
