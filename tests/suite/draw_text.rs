//! Pictures made of text: each trace of `tests/draw` against the picture that was looked at.
//!
//! `INSTA_UPDATE=always cargo test --test suite draw_text::` writes them anew; then look at what has changed.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{finish, netplay};
use netplay::columns::width;
use netplay::draw::{Format, Time, Timeline, View, read};
use netplay::lang::Lang;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/draw")
}

/// The names of all traces here, without their ending.
fn traces() -> Vec<String> {
    let names = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    let mut names: Vec<String> =
        names.filter_map(|name| Some(name.strip_suffix(".jsonl")?.to_owned())).collect();
    names.retain(|name| name.starts_with("text_"));
    names.sort();
    assert!(names.len() >= 10, "the traces are not where they should be: {names:?}");
    names
}

/// What the program draws of a trace.
fn drawn(name: &str, options: &[&str]) -> String {
    let mut command = netplay();
    command.current_dir(folder()).args(["draw", &format!("{name}.jsonl")]).args(options);
    let output = finish(&mut command, b"");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The picture is the one in the file.
fn is_as_expected(name: &str, ending: &str, options: &[&str]) {
    let picture = drawn(name, options);
    // insta does not look at white space at the end.
    assert_eq!(picture, format!("{}\n", picture.trim_end()), "{name}.{ending}");
    let mut beside_the_trace = insta::Settings::clone_current();
    beside_the_trace.set_snapshot_path(folder());
    beside_the_trace.set_prepend_module_to_snapshot(false);
    beside_the_trace.set_omit_expression(true);
    beside_the_trace.bind(|| insta::assert_snapshot!(format!("{name}.{ending}"), picture));
}

fn timeline(name: &str) -> Timeline {
    let path = folder().join(format!("{name}.jsonl"));
    Timeline::new(read::read(&[path]).unwrap().records, &HashMap::new())
}

fn view(columns: usize) -> View {
    let title = "a title".to_owned();
    View { title, time: Time::Even, columns, ascii: false, color: false, lang: Lang::En }
}

#[test]
fn the_pictures_for_the_terminal_are_those_that_were_looked_at() {
    traces().iter().for_each(|name| is_as_expected(name, "txt", &[]));
}

#[test]
fn the_pictures_for_pages_are_those_that_were_looked_at() {
    traces().iter().for_each(|name| is_as_expected(name, "md", &["--format", "md"]));
}

#[test]
fn true_time_and_ascii_are_as_looked_at() {
    is_as_expected("text_fork", "true.txt", &["--time", "true"]);
    is_as_expected("text_lost_datagram", "ascii.txt", &["--ascii"]);
    is_as_expected("text_eagain", "ascii.txt", &["--ascii"]);
    let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let looked_at = files.filter(|file| file.extension().is_some_and(|ending| ending == "snap"));
    assert_eq!(looked_at.count(), 2 * traces().len() + 3, "a picture of nothing is left");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for name in traces() {
        let timeline = timeline(&name);
        for columns in 60..=220 {
            let picture = timeline.picture(Format::Text, &view(columns));
            for line in picture.lines() {
                assert!(width(line) <= columns, "{name} in {columns} columns: {line}");
            }
        }
    }
}

/// Whatever the width, each call is told, and what it answered.
#[test]
fn every_form_tells_every_call() {
    for name in traces() {
        let timeline = timeline(&name);
        for columns in [60, 80, 120, 200, 300] {
            let picture = timeline.picture(Format::Text, &view(columns));
            for call in &timeline.calls {
                let time =
                    format!("{}.{:03}", call.from_ns / 1_000_000, call.from_ns / 1000 % 1000);
                let row = picture.lines().find(|line| line.trim_start().starts_with(&time));
                assert!(row.is_some(), "{name} in {columns} columns: no {time} in\n{picture}");
                let failed = call.record.ret == Some(-1);
                let errno = call.record.errno.as_deref().unwrap_or_default();
                assert!(!failed || picture.contains(errno), "{name}: no {errno}");
            }
        }
    }
}

#[test]
fn ascii_is_ascii() {
    for name in traces() {
        let picture = drawn(&name, &["--ascii"]);
        assert!(picture.is_ascii(), "{name}: {picture}");
        let list = timeline(&name).picture(Format::Text, &View { ascii: true, ..view(40) });
        assert!(list.is_ascii(), "{name}: {list}");
    }
}

#[test]
fn colours_only_repeat_what_the_words_say() {
    for name in traces() {
        let colored = drawn(&name, &["--color", "always"]);
        assert!(colored.contains("\x1b["), "{name} has no colours");
        let mut plain = String::new();
        let mut rest = colored.as_str();
        while let Some((text, style)) = rest.split_once('\x1b') {
            plain += text;
            rest = style.split_once('m').unwrap().1;
        }
        assert_eq!(plain + rest, drawn(&name, &[]), "{name}");
    }
}

/// What a peer sends, and what stands in a trace, steers no terminal and is no part of a page.
#[test]
fn what_peers_send_stays_text() {
    for format in ["txt", "md"] {
        let picture = drawn("text_nasty_data", &["--format", format]);
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(!picture.contains(steers), "{picture}");
        if format == "md" {
            assert!(!picture.contains("<script"), "{picture}");
            assert_eq!(picture.matches("```").count(), 2, "{picture}");
        }
    }
}

#[test]
fn three_sends_and_one_recv_are_three_arrows_into_one() {
    let picture = drawn("text_three_sends_one_recv", &[]);
    let landing = picture.lines().find(|line| line.contains("recv(4) → 11 bytes")).unwrap();
    assert!(landing.contains("│◀┴┴╯"), "{landing}");
    for bytes in ["one", "two", "three"] {
        let send = picture.lines().find(|line| line.contains(&format!("send(3) \"{bytes}\"")));
        assert!(send.is_some_and(|line| line.contains("╭─")), "{bytes}: {picture}");
    }
}

#[test]
fn a_side_without_a_trace_says_so() {
    // A picture in which both sides have one, and the page of words, do not have it.
    let word = "no trace";
    assert!(!drawn("text_three_sends_one_recv", &[]).contains(word));
    for side in ["server", "client"] {
        for format in ["txt", "md"] {
            let picture = drawn(&format!("text_one_sided_{side}"), &["--format", format]);
            assert!(picture.contains(word), "{picture}");
        }
    }
}

/// Hosts refuse a diagram that is too large, and nobody reads so long a table.
#[test]
fn a_long_trace_is_cut_on_a_page_and_says_so() {
    let mut timeline = timeline("text_blocked_accept");
    let call = timeline.calls.last().unwrap().clone();
    timeline.calls.resize(1000, call);
    let page = timeline.picture(Format::Markdown, &view(80));
    let left_out: Vec<&str> =
        page.lines().filter(|line| line.contains(" more ")).map(str::trim).collect();
    assert_eq!(left_out.len(), 2, "{page}");
    assert!(page.contains("700 "), "{page}");
    crate::common::Said::on("draw_left_out").add("1000 calls", &left_out.join("\n"));
    assert!(page.len() < 50_000, "{} bytes", page.len());
}
