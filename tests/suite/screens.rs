//! What is told fits the terminal that it is told on, in both languages.

use std::net::TcpListener;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use crate::common::{self, Said, run, text, uncounted};
use netplay::columns::width;
use netplay::examples::models::{MODELS, Model};
use netplay::lang::Lang;
use netplay::models::{Experiment, Format, Outcome, Phases, write};
use regex::Regex;

/// What the screen shows of a command in a terminal of so many columns, line by line; `None` where there can be none.
fn screen(columns: usize, args: &[&str]) -> Option<Vec<String>> {
    static STEERING: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\x1b\[[0-9;?]*[A-Za-z]").unwrap());
    let mut command = common::terminal(&[])?;
    let start = format!("stty cols {columns} rows 24; exec \"$@\"");
    command.args(["sh", "-c", &start, "sh", env!("CARGO_BIN_EXE_netplay")]).args(args);
    let output = command.output().unwrap();
    let shown = text(&output.stdout);
    assert!(!shown.contains("panicked"), "{args:?}: {shown}");
    assert!(text(&output.stderr).is_empty(), "{args:?}: {}", text(&output.stderr));
    let shown = STEERING.replace_all(&shown, "");
    let lines: Vec<String> = shown.split(['\r', '\n']).map(str::to_owned).collect();
    assert!(lines.iter().any(|line| !line.trim().is_empty()), "{args:?}: nothing");
    Some(lines)
}

/// Every line of these commands fits, in both languages, in a small terminal and in a large one.
fn fits(commands: &[&[&str]]) {
    for args in commands {
        for lang in ["en", "zh"] {
            for columns in [80, 120] {
                let args = [args, &["--lang", lang][..]].concat();
                let Some(lines) = screen(columns, &args) else { return };
                for line in &lines {
                    let wide = width(line);
                    assert!(wide <= columns, "{args:?}: {wide} of {columns} columns: {line}");
                }
                if lang == "zh" {
                    assert!(lines.iter().any(|line| line.contains(is_chinese)), "{args:?}");
                }
            }
        }
    }
}

fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

#[test]
fn why_fits_the_terminal() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let _waits = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let long = format!("/tmp/{}", "folder/".repeat(10));
    fits(&[
        &["why", &port],
        &["why", "0"],
        &["why", "EADDRINUSE"],
        &["why", "EACCES"],
        &["why", "ENOMEM"],
        &["why", "EMFILE"],
        &["why", "ETIMEDOUT"],
        &["why", "/tmp"],
        &["why", &long],
        &["why", "@netplay-has-no-such-name"],
    ]);
}

#[test]
fn hints_fit_the_terminal() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    fits(&[
        &["tcp-server", "127.0.0.1", &port],
        &["tcp-client", "127.0.0.1", "1", "--message", "a"],
        &["unix-client", "/tmp/netplay/has/no/such/folder", "--message", "a"],
    ]);
}

#[test]
fn doctor_fits_the_terminal() {
    fits(&[&["doctor"]]);
}

#[test]
fn explain_fits_the_terminal() {
    fits(&[
        &["explain", "61"],
        &["explain", "WSAECONNRESET"],
        &["explain", "WinError", "10054"],
        &["explain", "EADDRINUSE"],
    ]);
}

#[test]
fn byte_order_fits_the_terminal() {
    fits(&[
        &["byte-order"],
        &["byte-order", "htonl", "0x7f000001"],
        &["byte-order", "ntohl", "0x0100007f"],
        &["byte-order", "show", "0x1122334455667788"],
        &["byte-order", "inet_aton", "0177.1"],
        &["byte-order", "inet_ntoa", "0x7f000001"],
        &["byte-order", "inet_pton", "2001:db8:1234:5678:9abc:def0:1234:5678"],
        &["byte-order", "inet_ntop", "20010db8000000000000000000000001"],
    ]);
}

#[test]
fn sockopt_fits_the_terminal() {
    fits(&[
        &["sockopt"],
        &["sockopt", "SO_RCVTIMEO"],
        &["sockopt", "IP_ADD_SOURCE_MEMBERSHIP"],
        &["sockopt", "SO_REUSEADDR"],
        &["sockopt", "SO_RCVBUF=5000000"],
    ]);
}

#[test]
fn ping_fits_the_terminal() {
    fits(&[&["ping", "127.0.0.1", "--headers", "--count", "1"]]);
    fits(&[&["ping", "::1", "--headers", "--count", "2", "--interval", "0"]]);
}

#[test]
fn models_fit_the_terminal() {
    fits(&[&["models", "--delay", "5ms", "--rounds", "2"]]);
}

#[test]
fn bench_fits_the_terminal() {
    let server = "handler --style threading --backlog 128 --bufsize 4096";
    fits(&[&[
        "bench",
        "--models",
        &format!("epoll,iterative,{server}"),
        "--connections",
        "4",
        "--rounds",
        "2",
        "--seconds",
        "0.01",
        "--bulk",
    ]]);
}

/// What netplay prints in Chinese.
fn chinese(args: &[&str]) -> String {
    let output = run(&[args, &["--lang", "zh"][..]].concat(), b"");
    assert!(text(&output.stderr).is_empty(), "{output:?}");
    text(&output.stdout)
}

#[test]
fn why_speaks_chinese() {
    let said = Said::on("why_zh");
    said.add("EAGAIN", &chinese(&["why", "EAGAIN"]));
    said.add("ECONNRESET", &chinese(&["why", "ECONNRESET"]));
    said.add("ENODATA", &chinese(&["why", "ENODATA"]));
    said.add("port 0", &chinese(&["why", ":0"]));
    said.add("no file", &chinese(&["why", "/tmp/netplay-has-no-such-file"]));
    said.add("a folder", &chinese(&["why", "/"]));
    said.add("no folder", &chinese(&["why", "/netplay/has/no/such"]));
    said.add("no name", &chinese(&["why", "@netplay-has-no-such-name"]));
}

#[test]
fn errors_from_elsewhere_are_explained_in_both_languages() {
    let said = Said::on("explain_elsewhere");
    for lang in ["en", "zh"] {
        for what in ["48", "58", "61", "10048", "WSAECONNRESET", "WinError 10035", "11001"] {
            let output = run(&["explain", what, "--lang", lang], b"");
            assert!(output.status.success(), "{output:?}");
            // What the lessons say is theirs.
            let shown = text(&output.stdout);
            let own = shown.lines().take_while(|line| !line.starts_with(['*', '─']));
            said.add(&format!("{what}, {lang}"), &own.collect::<Vec<_>>().join("\n"));
        }
    }
    let two = run(&["explain", "WinError", "10054"], b"");
    assert_eq!(two.stdout, run(&["explain", "10054"], b"").stdout);
}

#[test]
fn doctor_speaks_chinese() {
    let told = chinese(&["doctor"]);
    // What goes on in a further line may be the rest of a command or of a name.
    let is_word = |word: &&str| word.len() > 1 && word.chars().all(|c| c.is_ascii_lowercase());
    let mut in_command = false;
    for line in told.lines().filter(|line| line.starts_with("   ")) {
        let english = line.split_whitespace().filter(is_word).count() >= 3;
        assert!(line.contains(is_chinese) || in_command || !english, "{line}\n{told}");
        in_command = line.ends_with(['：', '\\']);
    }
}

#[test]
fn byte_order_speaks_chinese() {
    if cfg!(target_endian = "big") {
        return;
    }
    let said = Said::on("byte_order_zh");
    said.hide(std::env::consts::ARCH, "[processor]");
    for args in [
        &["htons", "5858"][..],
        &["ntohl", "0x0100007f"],
        &["show", "0x0101"],
        &["show", "0x11223344"],
        &["inet_aton", "0177.1 and more"],
        &["inet_ntoa", "0x7f000001"],
        &["inet_pton", "::1"],
        &["inet_ntop", "7f000001"],
    ] {
        said.add(&args.join(" "), &chinese(&[&["byte-order"], args].concat()));
    }
}

#[test]
fn sockopt_speaks_chinese() {
    let said = Said::on("sockopt_zh");
    for word in ["SO_TYPE", "SO_LINGER", "SO_LINGER=5", "SO_KEEPALIVE"] {
        said.add(word, &chinese(&["sockopt", word]));
    }
}

#[test]
fn ping_speaks_chinese() {
    let args = ["ping", "127.0.0.1", "--raw", "--headers", "--count", "1", "--lang", "zh"];
    let output = run(&args, b"");
    if output.status.code() == Some(4) {
        return common::skip("no raw socket");
    }
    let bytes = Regex::new(r"\b[0-9a-f]{2}( [0-9a-f]{2})+\b").unwrap();
    let shown = text(&output.stdout);
    let shown = bytes.replace_all(&shown, "[bytes]");
    Said::on("ping_zh").add("--headers", &uncounted(&shown));
}

#[test]
fn models_speak_chinese_and_show_the_spread_in_every_form() {
    // Three rounds, in which the program knows of the message after 30, 31 and 33 µs.
    let phases = |model: &Model, late: u64| Phases {
        first: 100,
        sent: 50_000_000,
        arrived: 50_010_000,
        copying: (!model.in_one).then_some(50_040_000 + late),
        done: if model.in_one { 50_040_000 + late } else { 50_045_000 + late },
        clock_error: 80,
        calls: 2,
        eagains: 0,
        user: 10_000,
        system: 20_000,
    };
    let outcome = |model: &'static Model| {
        let rounds: Vec<Phases> = [0, 1_000, 3_000].map(|late| phases(model, late)).into();
        let failed = model.name == "io_uring";
        Outcome {
            model,
            phases: if failed { Err("EPERM".to_owned()) } else { Ok(rounds[1].clone()) },
            rounds: if failed { vec![] } else { rounds },
        }
    };
    let outcomes: Vec<Outcome> = MODELS.iter().map(outcome).collect();
    let experiment =
        Experiment { delay: Duration::from_millis(50), tcp: false, options: vec!["-v".to_owned()] };
    let said = Said::on("models_zh");
    let here = Format::Text { ascii: false, color: false };
    for (name, format) in [
        ("txt", here),
        ("md", Format::Markdown),
        ("svg", Format::Svg),
        ("html", Format::Html),
        ("json", Format::Json),
    ] {
        let report = write(&experiment, &outcomes, format, Lang::Zh);
        let figures = if name == "json" {
            ["30.0", "31.0", "33.0"]
        } else {
            ["30.0", "31.0 µs", "33.0 µs"]
        };
        for figure in figures {
            assert!(report.contains(figure), "{name} lacks {figure}: {report}");
        }
        match name {
            "txt" => said.add(name, &report),
            "json" => assert_eq!(report, write(&experiment, &outcomes, format, Lang::En)),
            _ => assert!(report.contains("多路复用") || name == "md", "{report}"),
        }
    }
}

/// A report of two servers, one of which fails.
const REPORT: &str = include_str!("../bench/two_servers.json");

#[test]
fn bench_speaks_chinese_and_says_what_it_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    std::fs::write(&file, REPORT).unwrap();
    let said = Said::on("bench_zh");
    let path = file.to_str().unwrap();
    said.add("text", &chinese(&["bench", "--from", path]));
    said.add("compare", &chinese(&["bench", "--compare", path, path]));
    for ending in ["md", "svg", "html"] {
        let report = folder.path().join(format!("report.{ending}"));
        chinese(&["bench", "--from", path, "-o", report.to_str().unwrap()]);
        let report = std::fs::read_to_string(report).unwrap();
        assert!(report.contains("请求/秒"), "{ending}: {report}");
    }
    fits(&[&["bench", "--from", path], &["bench", "--compare", path, path]]);
    let csv = |lang: &str| {
        let report = folder.path().join(format!("{lang}.csv"));
        run(&["bench", "--from", path, "-o", report.to_str().unwrap(), "--lang", lang], b"");
        std::fs::read(Path::new(&report)).unwrap()
    };
    assert_eq!(csv("en"), csv("zh"));
}
