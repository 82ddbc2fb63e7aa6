//! `netplay grade table`: the verdicts of many programs side by side, and never of different tests in one table.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{Said, finish, netplay, text};

const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/grade/servers.py");

/// A folder with a grade of each of these servers.
struct Class {
    folder: TempDir,
}

impl Class {
    fn new() -> Class {
        Class { folder: TempDir::new().unwrap() }
    }

    /// Grades a server by a few tests, which need no watching.
    fn hands_in(&self, file: &str, mistake: &str, options: &[&str]) -> Value {
        let mut run = netplay();
        run.args(["grade", "--no-watch", "--format", "json", "--only", "starts/listens"]);
        run.args(["--only", "bytes/binary", "--only", "kernel/eintr", "--only", "udp/empty"]);
        run.args(options).args(["--", "/usr/bin/python3", PROGRAMS, mistake, "{host}", "{port}"]);
        let output = finish(&mut run, b"");
        std::fs::write(self.folder.path().join(file), &output.stdout).unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// A grade that no run gives: of another version, say.
    fn writes(&self, file: &str, grade: &Value) {
        std::fs::write(self.folder.path().join(file), grade.to_string()).unwrap();
    }

    fn table(&self, args: &[&str]) -> Output {
        let mut run = netplay();
        finish(run.current_dir(self.folder.path()).args(["grade", "table"]).args(args), b"")
    }
}

/// Two servers of the same tests, one of datagrams, and one that another version has graded.
fn class() -> Class {
    let class = Class::new();
    let right = class.hands_in("ann.json", "none", &["--seed", "7"]);
    class.hands_in("bob.json", "text", &["--seed", "8"]);
    class.hands_in("udp.json", "udp", &["--seed", "7", "--model", "udp"]);
    let mut other = right;
    other["version"] = json!("0.0.1");
    other["points"] = json!(2.5);
    other["max_points"] = json!(4);
    other["tests"].as_array_mut().unwrap().truncate(1);
    other["tests"][0]["verdict"] = json!("non-strict");
    class.writes("old.json", &other);
    class
}

#[test]
fn verdicts_stand_side_by_side_and_different_tests_apart() {
    let (class, said) = (class(), Said::on("grade_table"));
    said.hide(format_args!("netplay {}", env!("CARGO_PKG_VERSION")), "netplay [version]");
    let all = ["ann.json", "Bob <b>=bob.json", "udp.json", "old.json", "ann.json"];
    for (case, options) in [
        ("text", &[][..]),
        ("in Chinese", &["--lang", "zh"]),
        ("in ASCII", &["--ascii"]),
        ("as Markdown", &["--layout", "markdown"]),
    ] {
        let output = class.table(&[&all[..], options].concat());
        assert!(output.status.success(), "{case}: {}", text(&output.stderr));
        let out = text(&output.stdout);
        assert!(
            case == "as Markdown" || out.lines().all(|line| line.chars().count() <= 80),
            "{out}"
        );
        said.add(case, &out);
    }
    let page = text(&class.table(&[&all[..], &["--layout", "html"]].concat()).stdout);
    assert_eq!(page.matches("<table>").count(), 3);
    assert!(page.contains("Bob &lt;b&gt;") && page.contains("class=\"failed\""), "{page}");
}

/// A program reads the same as people do.
#[test]
fn a_spreadsheet_has_a_line_for_each_program() {
    let output = class().table(&[
        "ann.json",
        "Bob, the=bob.json",
        "udp.json",
        "old.json",
        "--layout",
        "csv",
    ]);
    let mut read = csv::Reader::from_reader(&output.stdout[..]);
    let heads = read.headers().unwrap().clone();
    let rows: Vec<_> = read.records().map(Result::unwrap).collect();
    let of = |row: usize, head: &str| {
        let at = heads.iter().position(|is| is == head).unwrap_or_else(|| panic!("{head}"));
        rows[row][at].to_owned()
    };
    assert_eq!(rows.len(), 4);
    assert_eq!([of(1, "name"), of(2, "model"), of(1, "seed")], ["Bob, the", "udp", "8"]);
    assert_eq!([of(0, "bytes/binary"), of(1, "bytes/binary")], ["pass", "fail"]);
    assert_eq!([of(0, "udp/empty"), of(2, "udp/empty")], ["", "pass"]);
    assert_eq!([of(0, "kernel/eintr"), of(2, "kernel/eintr")], ["skipped", ""]);
    assert_eq!([of(3, "version"), of(3, "points"), of(0, "points")], ["0.0.1", "2.5", ""]);
}

#[test]
fn what_is_no_grade_is_refused() {
    let (class, said) = (Class::new(), Said::on("grade_table_refused"));
    class.writes("list.json", &json!({ "tests": [] }));
    std::fs::write(class.folder.path().join("=.json"), "no JSON").unwrap();
    assert!(!Path::new("no.json").exists());
    for (case, file) in [
        ("no file", "no.json"),
        ("another object", "Ann=list.json"),
        ("its name has the sign", "=.json"),
    ] {
        let output = class.table(&[file]);
        assert!(output.stdout.is_empty());
        said.ends(case, &output, 1);
    }
}
