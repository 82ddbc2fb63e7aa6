//! `netplay doctor` finds what is missing, says what it means, and how to mend it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::process::Command;

use serde_json::Value;

/// What the doctor finds after these words of a shell.
fn examined(before: &str) -> Vec<Value> {
    let line = format!("{before} exec {} doctor --json", env!("CARGO_BIN_EXE_netplay"));
    let out = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice::<Vec<Value>>(&out.stdout).unwrap()
}

fn check<'a>(checks: &'a [Value], what: &str) -> &'a Value {
    checks.iter().find(|check| check["what"] == what).unwrap_or_else(|| panic!("no {what}"))
}

#[test]
fn every_check_has_its_effect_and_what_is_missing_a_line_that_mends_it() {
    let checks = examined("");
    assert!(checks.len() >= 14, "{}", checks.len());
    for check in &checks {
        assert!(!check["effect"].as_str().unwrap().is_empty(), "{check}");
        assert_eq!(check["verdict"] == "good", check["mend"].is_null(), "{check}");
    }
}

#[test]
fn a_low_limit_of_descriptors_is_seen() {
    let checks = examined("ulimit -n 500;");
    let found = check(&checks, "descriptors");
    assert_eq!((&found["verdict"], &found["found"]), (&"less".into(), &"500 (at most 500)".into()));
    assert!(found["effect"].as_str().unwrap().contains("400"), "{found}");
}

#[test]
fn a_locale_without_utf8_is_seen() {
    let checks = examined("export LC_ALL=C;");
    assert_eq!(check(&checks, "locale")["verdict"], "less");
    let checks = examined("export LC_ALL=C.UTF-8;");
    assert_eq!(check(&checks, "locale")["verdict"], "good");
}

#[test]
fn programs_that_are_not_there_are_named_with_their_packages() {
    let found = examined("PATH=/nowhere;");
    let programs = check(&found, "other programs");
    assert!(programs["mend"].as_str().unwrap().contains("netcat-openbsd"), "{programs}");
    assert_eq!(check(&found, "ptrace")["found"], "no strace");
}

#[test]
fn without_root_the_raw_socket_is_missing() {
    let Some(nobody) = common::Nobody::new() else { return };
    let out = nobody.command().args(["doctor", "--json"]).output().unwrap();
    let checks: Vec<Value> = serde_json::from_slice(&out.stdout).unwrap();
    let raw = check(&checks, "raw sockets");
    assert_eq!(raw["found"], "EPERM", "{raw}");
    assert!(raw["mend"].as_str().unwrap().starts_with("sudo setcap cap_net_raw+ep "), "{raw}");
}
