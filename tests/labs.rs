//! Every lab shows its phenomenon on this kernel, and is whole in both languages.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use netplay::lab::{Lab, TABLE};
use netplay::lang::Lang;
use serde_json::Value;

/// Runs a lab; its figures, if it can run here.
fn shown(name: &str) -> Option<Value> {
    let out = netplay(&["lab", name, "--no-ask", "--json"]);
    if out.status.code() == Some(4) {
        common::skip(&format!("lab {name}: {}", String::from_utf8_lossy(&out.stderr).trim()));
        return None;
    }
    let story = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{story}{}", String::from_utf8_lossy(&out.stdout));
    Some(serde_json::from_slice(&out.stdout).unwrap())
}

fn netplay(args: &[&str]) -> std::process::Output {
    let state = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_netplay"))
        .args(args)
        .env("XDG_STATE_HOME", state.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A lab's test: it claims what it shows, its answer is one of the choices, every word is in both languages.
fn lab(name: &str) -> Option<Value> {
    let shown = shown(name)?;
    assert_eq!(shown["met"], true, "{shown:#}");
    let took = Duration::from_secs_f64(shown["seconds"].as_f64().unwrap());
    // Ten seconds are promised on a machine at rest.
    assert!(took < Duration::from_secs(30), "lab {name} took {took:?}");
    let text = Lab::named(name).unwrap().text(Lang::En);
    let answer =
        shown["answer"].as_u64().unwrap_or_else(|| panic!("{name} has no answer")) as usize;
    assert!((1..=text.choices.len()).contains(&answer), "{name}: answer {answer}");
    let claims: usize =
        ["run", "fix"].map(|act| shown[act]["claims"].as_object().unwrap().len()).iter().sum();
    assert!(claims > 1, "{name} claims next to nothing");

    let known: BTreeSet<&str> = text.keys().collect();
    let mut used = BTreeSet::new();
    for act in ["run", "fix"] {
        for group in ["figures", "claims", "tables"] {
            used.extend(shown[act][group].as_object().unwrap().keys().cloned());
        }
        for table in shown[act]["tables"].as_object().unwrap().values() {
            used.extend(
                table
                    .as_array()
                    .unwrap()
                    .iter()
                    .flat_map(|row| row.as_object().unwrap().keys().cloned()),
            );
        }
    }
    let missing: Vec<_> = used.iter().filter(|key| !known.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "lessons/en/labs/{name}.md has no word for {missing:?}");
    Some(shown)
}

macro_rules! labs {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            lab(stringify!($name));
        })*

        #[test]
        fn every_lab_is_a_test() {
            let tested: BTreeSet<&str> = [$(stringify!($name)),*].into();
            let all: BTreeSet<&str> = TABLE.iter().map(|lab| lab.name).collect();
            assert_eq!(tested, all);
        }
    };
}

labs![
    framing, timewait, gone, deaf, shortwrite, byteorder, models, mux, halfclose, udploss,
    bindwhere, zombies, forkfd, sigpipe, reset, nagle, backlog, nbconnect, deadlock, limits
];

#[test]
fn every_lab_is_whole_in_both_languages() {
    for lab in TABLE {
        let [en, zh] = Lang::ALL.map(|lang| lab.text(lang));
        for (lang, text) in [("en", &en), ("zh", &zh)] {
            let name = lab.name;
            let parts = [
                &text.title,
                &text.intro,
                &text.question,
                &text.watch.body,
                &text.explain.body,
                &text.fix.body,
                &text.next,
                &text.fix.heading,
            ];
            assert!(
                parts.iter().all(|part| !part.is_empty()),
                "{lang}/labs/{name}.md misses a part"
            );
            assert!(
                (2..=5).contains(&text.choices.len()),
                "{lang}/labs/{name}.md: {:?}",
                text.choices
            );
        }
        assert_eq!(en.choices.len(), zh.choices.len(), "{}", lab.name);
        assert_eq!(en.next, zh.next, "{}", lab.name);
        let keys =
            |text: &netplay::lab::Text| text.keys().map(String::from).collect::<BTreeSet<_>>();
        assert_eq!(keys(&en), keys(&zh), "{}", lab.name);
    }
}

#[test]
fn the_command_after_a_lab_exists() {
    for lab in TABLE {
        let next = lab.text(Lang::En).next;
        let words: Vec<&str> = next.split_whitespace().collect();
        assert_eq!(words.first(), Some(&"netplay"), "{}: {next}", lab.name);
        let known = netplay::cli::command().try_get_matches_from(words);
        assert!(known.is_ok(), "{}: {next}: {}", lab.name, known.unwrap_err());
    }
}

/// What is not drawn is left out at the side that did it.
#[test]
fn the_flood_of_udploss_is_left_out_at_the_sender() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("udploss.jsonl");
    let out = netplay(&["lab", "udploss", "--no-ask", "-q", "--trace", file.to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let trace = std::fs::read_to_string(file).unwrap();
    let records: Vec<Value> =
        trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (side, part) in [
        ("client", "not recorded: 2,000 calls of sendto"),
        ("server", "not recorded: recvfrom, until nothing is left"),
    ] {
        let note = records.iter().find(|record| record["text"] == part).unwrap();
        assert_eq!(note["role"], side, "{part}");
    }
}

#[test]
fn a_prediction_is_set_beside_the_measurement() {
    let out = netplay(&["lab", "framing", "--predict", "1", "--lang", "en"]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("predicted:  1  "), "{text}");
    assert!(text.contains("measured:   2  "), "{text}");
}

#[test]
fn what_is_done_is_remembered_and_can_be_forgotten() {
    let state = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netplay"));
        command.args(args).env("XDG_STATE_HOME", state.path()).stdin(Stdio::null());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let done = |list: &str| {
        list.lines().filter(|line| line.starts_with("✓") || line.starts_with("x")).count()
    };
    assert_eq!(done(&run(&["lab"])), 0);
    run(&["lab", "framing", "--no-ask"]);
    assert_eq!(done(&run(&["lab"])), 1);
    run(&["lab", "--reset"]);
    assert_eq!(done(&run(&["lab"])), 0);
}

#[test]
fn without_loopback_a_lab_says_so_at_once() {
    let Some(mut command) = common::alone("ip link set lo down") else { return };
    let began = Instant::now();
    command.arg(env!("CARGO_BIN_EXE_netplay")).args(["lab", "framing", "--no-ask", "-q"]);
    let out = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(4), "{said}");
    assert!(said.contains("ip link set lo up"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(20), "it waited to be given up");
}

#[test]
fn json_and_a_picture_do_not_share_standard_output() {
    let out = netplay(&["lab", "framing", "--json", "-o", "-"]);
    assert_eq!(out.status.code(), Some(2), "{}", String::from_utf8_lossy(&out.stdout));
    assert!(out.stdout.is_empty());
}

#[test]
fn the_picture_of_a_lab_is_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("framing.svg");
    let out = netplay(&["lab", "framing", "--no-ask", "-q", "-o", file.to_str().unwrap()]);
    assert!(out.status.success());
    let svg = std::fs::read_to_string(file).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{}", &svg[..80]);
    assert!(svg.contains("AAABBCCCC"));
}

#[test]
fn every_word_of_a_table_is_in_the_texts() {
    for lab in TABLE {
        let path = format!("{}/src/lab/{}.rs", env!("CARGO_MANIFEST_DIR"), lab.name);
        let source = std::fs::read_to_string(path).unwrap();
        let text = lab.text(Lang::Zh);
        let known: BTreeSet<&str> = text.keys().collect();
        for (at, marker) in source.match_indices("Value::Word(\"") {
            let word = source[at + marker.len()..].split('"').next().unwrap();
            assert!(known.contains(word), "lessons/*/labs/{}.md has no word for {word}", lab.name);
        }
    }
}
