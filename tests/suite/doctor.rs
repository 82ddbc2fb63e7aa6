//! `netplay doctor` finds what is missing, says what it means, and how to mend it.

use crate::common;
use std::process::{Command, Stdio};

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

/// A program of Python that forbids a system call (EPERM), and then becomes another program.
const FORBIDS: &str = "
import ctypes, os, struct, sys
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_char_p)]
def code(what, yes, no, k):
    return struct.pack('HBBI', what, yes, no, k)
number = int(sys.argv[1])
filter = code(0x20, 0, 0, 0) + code(0x15, 0, 1, number) + code(6, 0, 0, 0x50001) + code(6, 0, 0, 0x7fff0000)
libc = ctypes.CDLL(None)
none = ctypes.c_ulong(0)
assert libc.prctl(38, ctypes.c_ulong(1), none, none, none) == 0
assert libc.prctl(22, ctypes.c_ulong(2), ctypes.byref(Program(4, filter)), none, none) == 0
os.execv(sys.argv[2], sys.argv[2:])
";

/// netplay, where this call is forbidden as in a container.
fn without(call: i64) -> Option<Command> {
    if !common::have("python3") {
        common::skip("no python3");
        return None;
    }
    let mut command = Command::new("python3");
    command.args(["-c", FORBIDS, &call.to_string(), env!("CARGO_BIN_EXE_netplay")]);
    command.env_remove("NO_COLOR").env("LC_ALL", "C.UTF-8");
    Some(command)
}

fn tracing(out: &std::process::Output) -> Value {
    let checks: Vec<Value> = serde_json::from_slice(&out.stdout).unwrap();
    check(&checks, "tracing").clone()
}

#[test]
fn where_tracing_is_forbidden_doctor_and_watch_say_what_fails_and_the_way_out() {
    let page = common::Said::on("doctor_tracing");
    for (name, call) in [
        ("ptrace", libc::SYS_ptrace),
        ("seccomp", libc::SYS_seccomp),
        ("process_vm_readv", libc::SYS_process_vm_readv),
    ] {
        let Some(mut doctor) = without(call) else { return };
        let found = tracing(&common::finish(doctor.args(["doctor", "--json"]), b""));
        assert_eq!(found["verdict"], "missing", "{found}");
        assert!(found["found"].as_str().unwrap().starts_with(name), "{found}");
        for lang in ["en", "zh"] {
            let Some(mut watch) = without(call) else { return };
            let out = common::finish(watch.args(["watch", "--lang", lang, "--", "true"]), b"");
            page.ends(&format!("{name} {lang}"), &out, 4);
            let said = common::text(&out.stderr);
            assert!(lang == "zh" || said.contains(found["mend"].as_str().unwrap()), "{said}");
        }
    }
}

#[test]
fn where_tracing_is_allowed_the_doctor_says_so_and_watch_runs() {
    let out = common::finish(common::netplay().args(["doctor", "--json"]), b"");
    let found = tracing(&out);
    let watched = common::finish(common::netplay().args(["watch", "--", "true"]), b"");
    let code = if found["verdict"] == "missing" { 4 } else { 0 };
    assert_eq!(watched.status.code(), Some(code), "{found} {watched:?}");
    let under = ["-f", "-qq", "-o", "/dev/null", env!("CARGO_BIN_EXE_netplay"), "doctor", "--json"];
    if code == 0 && common::have("strace") {
        let out = common::finish(Command::new("strace").args(under), b"");
        let found = tracing(&out);
        assert_eq!(found["found"], "ptrace(PTRACE_SEIZE): EPERM", "{found}");
    }
}

#[test]
fn a_process_that_cannot_be_watched_is_left_alone_and_the_way_out_is_said() {
    let page = common::Said::on("doctor_attach");
    if !nix::unistd::geteuid().is_root() {
        return common::skip("not root: no process of another user to try");
    }
    let Some(nobody) = common::Nobody::new() else { return };
    // It ends with its input.
    let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let pid = other.id().to_string();
    page.hide(&pid, "[process]");
    for lang in ["en", "zh"] {
        let mut watch = nobody.command();
        let out = common::finish(watch.args(["watch", "--lang", lang, "-p", &pid]), b"");
        page.ends(lang, &out, 4);
    }
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success());
}
