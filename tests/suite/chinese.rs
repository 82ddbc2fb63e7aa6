//! What is told in Chinese is told in Chinese as a whole: no sentence of a run has been forgotten.

use std::sync::LazyLock;

use regex::Regex;

use crate::common::{self, finish, netplay};

/// The English that is left in a line of the story, of a heading or of a note: three words in a row, except in what
/// is nobody's sentence: the data of a call, a command to type, the columns in front.
fn english(line: &str) -> Option<String> {
    static COLUMNS: LazyLock<Regex> = LazyLock::new(|| {
        let lane = r"(server|client)( [A-Z]| \d+)?";
        let call = r"(-- |[a-z_]+[ 0-9-]* +(\d+|-)  )";
        Regex::new(&format!(r"^ *[0-9:.]+ {lane} +{call}")).unwrap()
    });
    static DATA: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#""([^"\\]|\\.)*""#).unwrap());
    static COMMAND: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(netplay|curl)( [a-z0-9./:=<>-]+)+").unwrap());
    static WORDS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"[A-Za-z']{2,} [A-Za-z']{2,} [A-Za-z']{2,}").unwrap());
    let sentence = COLUMNS.replace(line, "");
    let sentence = DATA.replace_all(&sentence, "…");
    let sentence = COMMAND.replace_all(&sentence, "…");
    WORDS.find(&sentence).map(|found| found.as_str().to_owned())
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

#[test]
fn the_check_finds_english_and_only_that() {
    let left = |line: &str| english(line).is_some();
    assert!(left("   0.123 server   accept         3  a client is connected: fd 4"));
    assert!(left("   0.123 client A -- not ready yet"));
    assert!(left("== fork: a process for each client"));
    assert!(!left(
        "   0.123 client A recv           3  5 字节：\"there are three words\"  [等待 2.0 ms]"
    ));
    assert!(!left("接下来试试：netplay handler server --style threading"));
    assert!(!left("   0.123 server   setsockopt     3  SO_REUSEADDR 打开"));
}

fn demo_is_chinese(name: &str) {
    let mut command = netplay();
    let output = finish(command.args([name, "demo", "--lang", "zh"]), b"");
    if output.status.code() == Some(4) {
        return common::skip(&format!("no {name} here"));
    }
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.lines().count() > 10 && is_chinese(&told), "{told}");
    let left: Vec<(String, &str)> =
        told.lines().filter_map(|line| Some((english(line)?, line))).collect();
    assert!(left.is_empty(), "English is left in the demo of {name}: {left:#?}");
}

#[test]
fn the_demo_of_tcp_is_chinese() {
    demo_is_chinese("tcp-echo");
}

#[test]
fn the_demo_of_udp_is_chinese() {
    demo_is_chinese("udp-echo");
}

#[test]
fn the_demo_of_unix_sockets_is_chinese() {
    demo_is_chinese("unix-echo");
}

#[test]
fn the_demo_of_fork_is_chinese() {
    demo_is_chinese("fork");
}

#[test]
fn the_demo_of_select_is_chinese() {
    demo_is_chinese("select");
}

#[test]
fn the_demo_of_io_uring_is_chinese() {
    demo_is_chinese("io-uring");
}

#[test]
fn the_demo_of_ping_is_chinese() {
    demo_is_chinese("ping");
}

#[test]
fn the_demo_of_mini_ftp_is_chinese() {
    demo_is_chinese("mini-ftp");
}

#[test]
fn the_demo_of_ftp_is_chinese() {
    demo_is_chinese("ftp");
}

/// The menu, the hint below an error, and the summary of a server.
#[test]
fn what_stands_around_the_story_is_chinese() {
    let said = |args: &[&str]| {
        let output = finish(netplay().args(args).args(["--lang", "zh"]), b"");
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8(text).unwrap()
    };
    for args in [
        &[][..],
        &["tcp-client", "70000"],
        &["tcp-client", "-6", "127.0.0.1"],
        &["ftp", "get", "ftp://127.0.0.1:1/x", "-o", "/dev/null/x"],
        &["mini-ftp", "server", "--root", "/nowhere/at/all"],
        &["draw", "/nowhere/at/all"],
    ] {
        let text = said(args);
        assert!(is_chinese(&text), "{args:?}: {text}");
        let left: Vec<String> = text.lines().filter_map(english).collect();
        assert!(left.is_empty(), "{args:?}: {left:?} in {text}");
    }
    let server = common::Server::of("tcp-echo").aloud().args(["--lang", "zh"]).start();
    let ended = server.stop();
    let left: Vec<String> = ended.stderr.lines().filter_map(english).collect();
    assert!(is_chinese(&ended.stderr) && left.is_empty(), "{left:?} in {}", ended.stderr);
}
