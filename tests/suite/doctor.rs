//! `netplay doctor` finds what is missing, says what it means, and how to mend it.

use crate::common;
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

/// The doctor asks what the page asks: whatever the kernel answers, both come to the same end.
#[test]
fn of_io_uring_the_doctor_says_what_the_page_then_does() {
    if !common::have("strace") {
        return common::skip("no strace");
    }
    let asked = |fault: &str, line: &str| {
        let inject = if fault.is_empty() { String::new() } else { format!("-e inject={fault}") };
        let netplay = env!("CARGO_BIN_EXE_netplay");
        let line = format!("strace -f -qq -o /dev/null {inject} {netplay} {line}");
        common::finish(Command::new("sh").args(["-c", &line]), b"")
    };
    if !asked("", "--version").status.success() {
        return common::skip("no strace that may trace");
    }
    let now = |fault: &str| {
        let out = asked(fault, "doctor --json");
        let checks = serde_json::from_slice::<Vec<Value>>(&out.stdout).unwrap();
        check(&checks, "io_uring").clone()
    };
    if now("")["found"] != "multishot" {
        return common::skip("no io_uring with multishot operations");
    }
    // The server ends at its first wait, because that fails.
    let page = |fault: &str| {
        let server = "io-uring server 127.0.0.1 0";
        let out = asked(&format!("{fault} -e inject=io_uring_enter:error=EBADF"), server);
        (out.status.code(), String::from_utf8(out.stderr).unwrap())
    };
    // And in the same sizes: a kernel may refuse some, and a limit on memory others.
    let calls = |line: &str| {
        let trace = tempfile::NamedTempFile::new().unwrap();
        let (netplay, path) = (env!("CARGO_BIN_EXE_netplay"), trace.path().display());
        let fault = "-e inject=io_uring_enter:error=EBADF";
        let line = format!(
            "strace -f -qq -e trace=/io_uring_setup,io_uring_register,io_uring_enter -o {path} {fault} {netplay} {line}"
        );
        common::finish(Command::new("sh").args(["-c", &line]), b"");
        let text = std::fs::read_to_string(trace.path()).unwrap();
        // Without what differs from process to process: its number, its memory, its descriptors.
        let sizes = text.lines().filter_map(|call| {
            let setup = call.split_once("io_uring_setup(").map(|(_, args)| args);
            let setup = setup.and_then(|args| args.split(", features").next());
            setup.or_else(|| call.split_once("ring_entries=")?.1.split(',').next())
        });
        sizes.map(str::to_owned).collect::<Vec<_>>()
    };
    let of_the_page = calls("io-uring server 127.0.0.1 0");
    assert_eq!(of_the_page.len(), 2, "{of_the_page:?}");
    assert_eq!(calls("doctor --json"), of_the_page);
    let old = "io_uring_setup:error=EINVAL:when=1";
    assert_eq!(now(old)["found"], "single shot only");
    assert!(page(old).1.contains("anew"), "{}", page(old).1);
    let older = "io_uring_register:error=EINVAL";
    assert_eq!(now(older)["found"], "single shot only");
    assert!(page(older).1.contains("anew"), "{}", page(older).1);
    for (fault, found) in [("EPERM", "EPERM"), ("ENOSYS", "ENOSYS")] {
        let fault = format!("io_uring_setup:error={fault}");
        assert_eq!(now(&fault)["verdict"], "missing");
        assert_eq!(now(&fault)["found"], found);
        assert_eq!(page(&fault).0, Some(4), "{}", page(&fault).1);
    }
}
