//! Socket options: what the page claims of every one of them, and what the command prints.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use crate::common::{Nobody, Said, finish, have, run, skip};
use netplay::call::*;
use netplay::examples::sockopt::{Protocol, probe};
use netplay::lang::Lang;
use serde_json::Value;

/// The errno of a call that failed, by name.
fn errno(answer: &Result<OptValue>) -> Option<String> {
    answer.as_ref().err().map(|error| format!("{:?}", error.errno()))
}

/// Every option on a socket of a kind that has its level.
fn everywhere() -> impl Iterator<Item = (Protocol, Opt)> {
    Protocol::ALL.into_iter().flat_map(|protocol| {
        OPTIONS
            .iter()
            .filter(move |option| protocol.has(option.level()))
            .map(move |&option| (protocol, option))
    })
}

/// A machine without IPv6 has no sockets for those options.
fn has_ipv6() -> bool {
    let there = socket(Domain::IPV6, Type::STREAM, 0).is_ok();
    if !there {
        skip("no IPv6");
    }
    there
}

#[test]
fn every_option_is_known_to_the_kernel_or_refused_as_unknown() {
    let ipv6 = has_ipv6();
    for (protocol, option) in everywhere().filter(|(_, o)| ipv6 || o.level() != "SOL_IPV6") {
        let row = probe(protocol, option, None).unwrap();
        if let Some(errno) = errno(&row.default) {
            // Never EINVAL: that would mean that the size is wrong, and the option is not heard.
            let unknown = ["ENOPROTOOPT", "EOPNOTSUPP", "ENOTCONN"].contains(&&*errno);
            assert!(unknown, "{} on {}: {errno}", option.name(), protocol.name());
        }
        assert!(!row.remark(Lang::En).is_empty());
        assert_ne!(row.remark(Lang::En), "something else", "{row:?}");
    }
}

#[test]
fn an_option_has_one_name_one_number_and_one_sentence() {
    let names: BTreeSet<&str> = OPTIONS.iter().map(|option| option.name()).collect();
    let numbers: BTreeSet<_> = OPTIONS.iter().map(|o| (o.level(), o.number())).collect();
    assert_eq!(names.len(), OPTIONS.len());
    assert_eq!(numbers.len(), OPTIONS.len(), "two names for one number");
    for option in OPTIONS {
        assert!(option.does().ends_with('.'), "{}: {}", option.name(), option.does());
        assert!(!option.does().contains("  "), "{}: {}", option.name(), option.does());
    }
}

#[test]
fn the_kernel_doubles_the_buffers() {
    for protocol in Protocol::ALL {
        for option in [SO_RCVBUF, SO_SNDBUF] {
            let row = probe(protocol, option, Some(5000.into())).unwrap();
            assert_eq!(row.kernel.as_ref().unwrap(), &OptValue::Int(10_000));
            Said::on("sockopt_doubled").add("remark", &row.remark(Lang::En));
        }
    }
}

#[test]
fn a_buffer_beyond_the_limit_is_capped_without_an_error() {
    let file = "/proc/sys/net/core/rmem_max";
    let cap: i32 = fs::read_to_string(file).unwrap().trim().parse().unwrap();
    if cap > i32::MAX / 2 {
        return skip("no limit of net.core.rmem_max that can be reached");
    }
    let row = probe(Protocol::Udp, SO_RCVBUF, Some((cap + 1).into())).unwrap();
    assert_eq!(row.kernel.as_ref().unwrap(), &OptValue::Int(2 * cap));
    assert!(
        row.remark(Lang::En).contains(&format!("net.core.rmem_max = {cap}")),
        "{}",
        row.remark(Lang::En)
    );
    let said = Said::on("sockopt_capped");
    said.hide(cap, "[limit]");
    said.add("remark", &row.remark(Lang::En));
}

#[track_caller]
fn comes_back(option: Opt, value: impl Into<OptValue>) {
    let value = value.into();
    let row = probe(Protocol::Udp, option, Some(value.clone())).unwrap();
    assert_eq!(row.kernel.as_ref().unwrap(), &value, "{}", option.name());
    Said::on("sockopt_as_asked").add("remark", &row.remark(Lang::En));
}

#[test]
fn what_is_set_comes_back() {
    comes_back(SO_REUSEADDR, 1);
    comes_back(IP_TTL, 255);
    comes_back(SO_PEEK_OFF, 123_456_789);
    comes_back(SO_RCVTIMEO, Duration::from_millis(2500));
    comes_back(SO_SNDTIMEO, Duration::from_secs(100_000));
    comes_back(SO_RCVTIMEO, Duration::ZERO);
    comes_back(SO_LINGER, None::<Duration>);
    comes_back(SO_LINGER, Some(Duration::ZERO));
    comes_back(SO_LINGER, Some(Duration::from_secs(70_000)));
    comes_back(IP_MULTICAST_IF, std::net::Ipv4Addr::LOCALHOST);
    comes_back(SO_BINDTODEVICE, "lo\0");
}

#[test]
fn some_options_can_only_be_asked() {
    let said = Said::on("sockopt_refused");
    let remark = |protocol, option: Opt| probe(protocol, option, None).unwrap().remark(Lang::En);
    for option in [SO_TYPE, SO_ERROR, SO_DOMAIN, SO_PROTOCOL, SO_ACCEPTCONN, TCP_INFO] {
        said.add(option.name(), &remark(Protocol::Tcp, option));
    }
    said.add("TCP_NODELAY, unix", &remark(Protocol::Unix, TCP_NODELAY));
    said.add("IP_MTU", &remark(Protocol::Tcp, IP_MTU));
}

#[test]
fn the_defaults_are_those_that_python_finds() {
    if !have("python3") {
        return skip("no python3");
    }
    let options = [
        SO_RCVBUF,
        SO_SNDBUF,
        SO_TYPE,
        SO_DOMAIN,
        SO_PROTOCOL,
        SO_KEEPALIVE,
        SO_REUSEADDR,
        IP_TTL,
        IP_TOS,
        IP_MTU_DISCOVER,
        TCP_NODELAY,
        TCP_KEEPIDLE,
        TCP_KEEPCNT,
        TCP_MAXSEG,
        TCP_SYNCNT,
    ];
    let mut program = "import socket\ns = socket.socket()\n".to_owned();
    for option in options {
        let level =
            option.level().replace("SOL_TCP", "IPPROTO_TCP").replace("SOL_IP", "IPPROTO_IP");
        let number = option.number();
        program += &format!("print(s.getsockopt(socket.{level}, {number}))\n");
    }
    let theirs = finish(Command::new("python3").args(["-c", &program]), b"");
    let theirs = String::from_utf8(theirs.stdout).unwrap();
    let ours = options.map(|o| probe(Protocol::Tcp, o, None).unwrap().default.unwrap().to_string());
    assert_eq!(theirs.lines().collect::<Vec<_>>(), ours);
}

fn stdout(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?} {errors}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn sockopt(args: &[&str]) -> Output {
    run(&[&["sockopt"], args].concat(), b"")
}

#[test]
fn the_table_has_a_line_an_option_and_fits_a_projector() {
    let ipv6 = has_ipv6();
    let output = sockopt(&[]);
    let table = stdout(&output);
    assert_eq!(output.stderr, b"", "the story is only for who asks");
    for line in table.lines() {
        assert!(line.chars().count() <= 100, "{line}");
        assert_eq!(line, line.trim_end());
    }
    let lines = table.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let named: Vec<&str> = lines.map(|line| line.split_whitespace().next().unwrap()).collect();
    let all: Vec<&str> = everywhere()
        .filter(|(_, option)| ipv6 || option.level() != "SOL_IPV6")
        .map(|(_, option)| option.name())
        .collect();
    assert_eq!(named, all);
}

#[test]
fn one_option_is_set_and_asked_back() {
    let said = Said::on("sockopt_set");
    for args in [
        &["so_linger=5"][..],
        &["SO_TYPE=2"],
        &["UDP_CORK=on"],
        &["unix", "UDP_CORK=1"],
        &["SO_SNDBUF=5000", "unix"],
        &["SO_RCVBUF=1"],
    ] {
        let all: Value =
            serde_json::from_str(&stdout(&sockopt(&[args, &["--json"]].concat()))).unwrap();
        // A buffer is as large as the machine has it.
        if all["rows"][0]["option"].as_str().is_some_and(|name| name.ends_with("BUF")) {
            said.hide(&all["rows"][0]["default"], "[default]");
            said.hide(&all["rows"][0]["kernel"], "[kernel's]");
        }
        said.add(&args.join(" "), &stdout(&sockopt(args)));
    }
    let both = stdout(&sockopt(&["-q", "tcp", "udp", "SO_RCVBUF=0x1000"]));
    for number in ["4096", "8192"] {
        assert_eq!(both.matches(number).count(), 2, "{both}");
    }
    assert_eq!(both.lines().count(), 2, "{both}");
}

#[test]
fn json_has_the_same_facts() {
    let all: Value = serde_json::from_str(&stdout(&sockopt(&["--json"]))).unwrap();
    let kinds: BTreeSet<&str> =
        all["rows"].as_array().unwrap().iter().map(|row| row["socket"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["tcp", "udp", "unix"]));
    let one: Value =
        serde_json::from_str(&stdout(&sockopt(&["--json", "SO_RCVBUF=5000"]))).unwrap();
    assert_eq!(one["rows"].as_array().unwrap().len(), 1);
    let row = &one["rows"][0];
    assert_eq!((&row["level"], &row["type"]), (&"SOL_SOCKET".into(), &"int".into()));
    assert_eq!((&row["asked"], &row["kernel"]), (&5000.into(), &10_000.into()));
    assert_eq!((&row["errno"], &row["failed"]), (&Value::Null, &Value::Null));
}

#[test]
fn what_cannot_be_meant_is_refused_in_one_line() {
    let said = Said::on("sockopt_bad_input");
    for args in [
        &["SO_RCVBUFF"][..],
        &["nodelay"],
        &["sctp"],
        &["\u{1b}[2J=1"],
        &["SO_RCVBUF=much"],
        &["SO_LINGER=-1"],
        &["IP_ADD_MEMBERSHIP=239.0.0.1"],
        &["SO_TYPE", "SO_ERROR"],
    ] {
        let output = sockopt(args);
        said.ends(&format!("{args:?}"), &output, 2);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("error: "), "{args:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert_eq!(output.stdout, b"");
    }
}

/// Explains each of these, and hands back what stands behind `label`.
fn lines_for(label: &str, options: impl Iterator<Item = Opt>) -> Vec<String> {
    options
        .map(|option| {
            let text = stdout(&sockopt(&[option.name()]));
            assert!(text.contains(option.does()), "{text}");
            let line = text.lines().find_map(|line| line.trim_start().strip_prefix(label));
            line.unwrap_or_else(|| panic!("no {label} in {text}")).trim_start().to_owned()
        })
        .collect()
}

/// Those whose value needs no structure of one's own.
fn plain() -> impl Iterator<Item = Opt> {
    OPTIONS.iter().copied().filter(|option| !matches!(option.kind(), Kind::Bytes(_)))
}

#[test]
fn what_nobody_can_set_is_explained_by_how_to_ask_it() {
    let said = Said::on("sockopt_explained");
    for option in ["SO_TYPE", "TCP_INFO", "SO_PEERCRED"] {
        let text = stdout(&sockopt(&[option]));
        assert!(text.contains("getsockopt(") && !text.contains("setsockopt("), "{text}");
        // How large the structure of TCP_INFO is differs from kernel to kernel.
        if option != "TCP_INFO" {
            said.add(option, &text);
        }
    }
    let text = stdout(&sockopt(&["SO_LINGER"]));
    assert!(text.contains("setsockopt("), "{text}");
    said.add("SO_LINGER", &text);
}

#[test]
fn one_option_may_change_another() {
    let socket = socket(Domain::IPV4, Type::STREAM, 0).unwrap();
    setsockopt(&socket, SO_TIMESTAMP, 1).unwrap();
    setsockopt(&socket, SO_TIMESTAMPNS, 1).unwrap();
    assert_eq!(getsockopt(&socket, SO_TIMESTAMP).unwrap(), OptValue::Int(0));
}

#[test]
fn the_lines_for_python_run() {
    if !have("python3") {
        return skip("no python3");
    }
    let mut program = "import socket, struct\n".to_owned();
    for line in lines_for("Python", plain()) {
        // What the kernel answers is another matter; here the line must be Python, and its names known.
        program += &format!("sock = socket.socket()\ntry: {line}\nexcept OSError: pass\n");
    }
    let ran = finish(Command::new("python3").args(["-c", &program]), b"");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn the_lines_for_c_compile() {
    if !have("cc") {
        return skip("no cc");
    }
    let mut program = "#define _GNU_SOURCE\n#include <sys/socket.h>\n#include <sys/time.h>\n\
        #include <arpa/inet.h>\n#include <netinet/in.h>\n#include <netinet/tcp.h>\n\
        #include <netinet/udp.h>\nvoid all(int fd) {\n"
        .to_owned();
    for line in lines_for("C ", plain()) {
        // Headers are older than kernels: a name that this C library lacks is not the line's fault.
        let name = line.split(", ").find(|word| OPTIONS.iter().any(|o| o.name() == *word)).unwrap();
        program += &format!("#ifdef {name}\n{{ {line} }}\n#endif\n");
    }
    program += "}\n";
    let mut compiler = Command::new("cc");
    compiler.args(["-xc", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-"]);
    let compiled = finish(&mut compiler, program.as_bytes());
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
}

#[test]
fn the_calls_are_told_to_who_asks() {
    let story = String::from_utf8(sockopt(&["-v", "SO_LINGER=5"]).stderr).unwrap();
    assert!(story.contains("setsockopt(3, SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=5}, 8) = 0"));
    assert!(story.contains("SO_LINGER is 5 s\n"), "{story}");

    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace").display().to_string();
    let output = sockopt(&["SO_RCVBUF=5000", "--trace", &trace]);
    assert_eq!(output.stderr, b"");
    let calls: Vec<Value> = fs::read_to_string(&trace)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["call"].take())
        .collect();
    assert_eq!(calls, ["socket", "getsockopt", "setsockopt", "getsockopt", "close"]);
}

#[test]
fn levels_and_names_are_those_of_strace() {
    let directory = tempfile::tempdir().unwrap();
    let [log, trace] =
        ["strace", "trace"].map(|name| directory.path().join(name).display().to_string());
    let mut command = Command::new("strace");
    command.args(["-o", &log, "-e", "trace=getsockopt,setsockopt"]);
    command.args([env!("CARGO_BIN_EXE_netplay"), "sockopt", "--trace", &trace]);
    if !have("strace") || !finish(&mut command, b"").status.success() {
        return skip("no strace that may trace");
    }
    // What comes before the value, and the result. The kernel has two structures for times; strace
    // names the old one so.
    let words = |call: &str, args: &str, ret: &str| {
        let args = args.replace("_OLD", "").replace("IP_RECVORIGDSTADDR", "IP_ORIGDSTADDR");
        let start: Vec<&str> = args.splitn(4, ", ").take(3).collect();
        format!("{call}({}) = {ret}", start.join(", "))
    };
    let theirs: Vec<String> = fs::read_to_string(&log)
        .unwrap()
        .lines()
        .filter_map(|line| {
            let (call, rest) = line.split_once('(')?;
            let (args, ret) = rest.rsplit_once(" = ")?;
            Some(words(call, args, ret.split(' ').next()?))
        })
        .collect();
    let ours: Vec<String> = fs::read_to_string(&trace)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["call"].as_str().unwrap().ends_with("sockopt"))
        .map(|event| {
            let text = |key: &str| event[key].as_str().unwrap().to_owned();
            words(&text("call"), &text("args"), &event["ret"].to_string())
        })
        .collect();
    assert!(ours.len() > 500, "{}", ours.len());
    assert_eq!(theirs, ours);
}

#[test]
fn without_privilege_the_remark_says_so() {
    let Some(nobody) = Nobody::new() else { return };
    let output = finish(nobody.command().args(["sockopt", "-q", "IP_TRANSPARENT=1"]), b"");
    let said = stdout(&output);
    assert!(said.contains("EPERM"), "{said}");
    Said::on("sockopt_unprivileged").add("IP_TRANSPARENT=1", &said);
}
