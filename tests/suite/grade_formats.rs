//! The formats of `netplay grade`: programs that we did not write read them, and none tells a student more than the teacher allows.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Said, errors, finish, netplay, skip, strace_may_trace as may_trace, text};

const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/grade");

/// A grade of one of our programs, of these options and with this text of a teacher's file. `None` where programs cannot be traced:
/// the caller returns.
fn grade(program: &str, mistake: &str, teacher: &str, options: &[&str]) -> Option<Output> {
    if !may_trace() {
        return None;
    }
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("exercise.toml");
    std::fs::write(&file, teacher).unwrap();
    let mut run = netplay();
    run.args(["grade", "--seed", "7", "--teacher"]).arg(&file).args(options).arg("--");
    run.arg("/usr/bin/python3").arg(Path::new(PROGRAMS).join(program));
    Some(finish(run.args([mistake, "{host}", "{port}"]), b""))
}

/// As [`grade`], of a server that fails some tests, passes others, and has one that does not apply: each verdict is there.
fn graded(teacher: &str, options: &[&str]) -> Option<Output> {
    let mixed = ["--no-watch", "--only", "starts/listens", "--only", "bytes/binary", "--only"];
    let mixed = [&mixed[..], &["kernel/eintr", "--only", "ends/quietly"], options].concat();
    let output = grade("servers.py", "text", teacher, &mixed)?;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    Some(output)
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The teacher's file with which points, visibility and hints are tried.
const EXERCISE: &str = r#"
title = "Week 4 <echo> & more"
weight = 2

[[test]]
name = "bytes"
weight = 0.5
reveal = "hints"

[[test]]
name = "ends"
visibility = "after_due_date"
"#;

/// The same exercise; its failure may be seen later.
const HIDDEN: &str = "[[test]]\nname = 'bytes/binary'\nvisibility = 'hidden'\n";

/// A Python that has these modules: the one that .ci/run installs, or the one on the path.
fn python_with(modules: &str, packages: &str) -> Option<String> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/target/graders/bin/python");
    let has = |python: &&str| {
        let asked = Command::new(python).args(["-c", &format!("import {modules}")]).output();
        asked.is_ok_and(|asked| asked.status.success())
    };
    let found = [own, "python3"].into_iter().find(has);
    if found.is_none() {
        skip(&format!("no Python with {packages} (PyPI)"));
    }
    found.map(str::to_owned)
}

/// What a program of tests/peers makes of an output.
fn read_by(python: &str, check: &str, output: &Output) -> Value {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("output");
    std::fs::write(&file, &output.stdout).unwrap();
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(check);
    let read = finish(Command::new(python).arg(check).arg(&file), b"");
    assert!(read.status.success(), "{} {}", text(&read.stderr), text(&output.stdout));
    serde_json::from_slice(&read.stdout).unwrap()
}

fn schema(path: &str) -> Value {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    schema
}

#[track_caller]
fn fits(schema: &Value, is: &Value) {
    let validator = jsonschema::draft202012::new(schema).unwrap();
    let wrong: Vec<_> = validator.iter_errors(is).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?} {is:#}");
}

#[test]
fn our_json_is_as_its_schema_says() {
    let schema = schema("schema/grade.schema.json");
    for (teacher, options) in [
        ("", &[][..]),
        ("", &["--reveal", "hints"]),
        ("", &["--reveal", "names"]),
        (EXERCISE, &[]),
        (HIDDEN, &["--lang", "zh"]),
    ] {
        let options = [&["--format", "json"], options].concat();
        let Some(output) = graded(teacher, &options) else { return };
        let found = json(&output);
        fits(&schema, &found);
        let known = |of: &Value, keys: &Value| {
            for key in of.as_object().unwrap().keys() {
                assert!(keys[key].is_object(), "the schema has no {key}");
            }
        };
        known(&found, &schema["properties"]);
        for test in found["tests"].as_array().unwrap() {
            known(test, &schema["$defs"]["test"]["properties"]);
        }
    }
}

/// A schema that takes everything would prove nothing.
#[test]
fn the_schema_refuses_what_is_no_grade() {
    let schema = schema("schema/grade.schema.json");
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let Some(output) = graded(EXERCISE, &["--format", "json", "--reveal", "all"]) else { return };
    let right = json(&output);
    let failed =
        right["tests"].as_array().unwrap().iter().position(|test| test["verdict"] == "fail");
    let failed = failed.unwrap();
    type Change = fn(&mut Value);
    let of_test: [Change; 8] = [
        |test| test["id"] = "bytes".into(),
        |test| test["verdict"] = "failed".into(),
        |test| test["sentence"] = "".into(),
        |test| test["because"] = "it does not listen".into(),
        |test| test["question"] = "what happens here?".into(),
        |test| test["lab"] = Value::Null,
        |test| test["ms"] = (-1).into(),
        |test| drop(test.as_object_mut().unwrap().remove("rule")),
    ];
    for (n, change) in of_test.into_iter().enumerate() {
        let mut wrong = right.clone();
        change(&mut wrong["tests"][failed]);
        assert!(!validator.is_valid(&wrong), "{n}: {wrong:#}");
    }
    let of_whole: [Change; 4] = [
        |all| drop(all.as_object_mut().unwrap().remove("seed")),
        |all| drop(all.as_object_mut().unwrap().remove("max_points")),
        |all| all["summary"]["pass"] = "3".into(),
        |all| all["summary"]["broken"] = 1.into(),
    ];
    for (n, change) in of_whole.into_iter().enumerate() {
        let mut wrong = right.clone();
        change(&mut wrong);
        assert!(!validator.is_valid(&wrong), "{n}: {wrong:#}");
    }
    assert!(validator.is_valid(&right), "{right:#}");
}

#[test]
fn points_follow_from_the_weights_of_the_teacher() {
    let Some(output) = graded(EXERCISE, &["--format", "json"]) else { return };
    let found = json(&output);
    let points = |id: &str| {
        let test = found["tests"].as_array().unwrap().iter().find(|test| test["id"] == id).unwrap();
        (test["points"].as_f64().unwrap(), test["max_points"].as_f64().unwrap())
    };
    assert_eq!(points("starts/listens"), (2.0, 2.0));
    assert_eq!(points("bytes/binary"), (0.0, 0.5));
    assert_eq!(points("ends/quietly"), (2.0, 2.0));
    assert_eq!(points("kernel/eintr"), (0.0, 0.0), "it was skipped");
    assert_eq!((&found["points"], &found["max_points"]), (&4.0.into(), &4.5.into()));
    let Some(output) = graded("", &["--format", "json"]) else { return };
    assert!(json(&output).get("points").is_none());
}

#[test]
fn junitparser_reads_the_junit_file() {
    let Some(python) = python_with("junitparser", "junitparser") else { return };
    let Some(output) = graded("title = 'Week 4 <echo> & more'", &["--format", "junit"]) else {
        return;
    };
    let seen = read_by(&python, "junit_check.py", &output);
    let numbers = ["tests", "failures", "skipped", "errors"].map(|key| seen[key].as_u64().unwrap());
    assert_eq!(numbers, [4, 1, 1, 0], "{seen:#}");
    assert_eq!(seen["name"], "Week 4 <echo> & more");
    let cases = seen["cases"].as_array().unwrap();
    let results: Vec<_> = cases
        .iter()
        .map(|case| (case["name"].as_str().unwrap(), case["result"].as_str()))
        .collect();
    assert_eq!(
        results,
        [
            ("starts/listens", None),
            ("bytes/binary", Some("Failure")),
            ("ends/quietly", None),
            ("kernel/eintr", Some("Skipped")),
        ]
    );
    assert!(cases.iter().all(|case| case["seconds"].as_f64().is_some()), "{seen:#}");
    let Some(same) = graded("", &["--format", "json"]) else { return };
    let same = json(&same);
    let message = |n: usize| cases[n]["message"].as_str().unwrap();
    assert_eq!(same["tests"][1]["sentence"], message(1));
    assert_eq!(same["tests"][3]["because"], message(3));
    assert!(
        cases[1]["text"]
            .as_str()
            .unwrap()
            .contains(&["--only", "bytes/binary", "--seed", "7"].join(" "))
    );
}

#[test]
fn what_a_program_writes_does_not_break_the_xml() {
    let options = ["--format", "junit", "--only", "bytes/one"];
    let Some(output) = grade("noisy.py", "<>&\"'", "", &options) else { return };
    let xml = String::from_utf8(output.stdout.clone()).unwrap();
    let tree = roxmltree::Document::parse(&xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let failure = tree.descendants().find(|node| node.has_tag_name("failure")).unwrap();
    let said = failure.text().unwrap();
    assert!(said.contains("& <b> ]]>"), "{said}");
    let allowed = |c: char| matches!(c, '\n' | '\t' | ' '..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(allowed), "{xml:?}");
    if let Some(python) = python_with("junitparser", "junitparser") {
        let seen = read_by(&python, "junit_check.py", &output);
        assert_eq!(seen["cases"][0]["result"], "Failure", "{seen:#}");
    }
}

#[test]
fn gradescope_gets_the_form_that_it_publishes() {
    let schema = schema("tests/peers/gradescope.schema.json");
    for (teacher, options) in
        [("", &[][..]), (EXERCISE, &["--lang", "zh"]), (HIDDEN, &["--reveal", "names"])]
    {
        let options = [&["--format", "gradescope"], options].concat();
        let Some(output) = graded(teacher, &options) else { return };
        fits(&schema, &json(&output));
    }
    let Some(output) = graded(EXERCISE, &["--format", "gradescope"]) else { return };
    let found = json(&output);
    let of = |key: &str| -> Vec<Value> {
        found["tests"].as_array().unwrap().iter().map(|test| test[key].clone()).collect()
    };
    assert_eq!(of("score"), [2.0, 0.0, 2.0, 0.0]);
    assert_eq!(of("max_score"), [2.0, 0.5, 2.0, 0.0]);
    assert_eq!(of("status"), ["passed".into(), "failed".into(), "passed".into(), Value::Null]);
    assert_eq!(of("visibility"), ["visible", "visible", "after_due_date", "visible"]);
    assert_eq!(of("number"), ["1.1", "2.1", "3.1", "4.1"]);
}

/// A grader that gets nothing shows nothing: a program that cannot be started has no points, and the reason, in each form.
#[test]
fn a_program_that_cannot_be_started_has_no_points() {
    if !may_trace() {
        return;
    }
    let run = |format: &str, more: &[&str]| {
        let mut run = netplay();
        let only = ["--only", "bytes/one", "--only", "bytes/cut", "--format", format];
        let run = run.arg("grade").args(only).args(more).args(["--", "./no-such", "{port}"]);
        let output = finish(run, b"");
        assert_eq!(output.status.code(), Some(1), "{format}: {output:?}");
        assert!(text(&output.stderr).contains("./no-such"), "{output:?}");
        output
    };
    for more in [&[][..], &["--no-watch"]] {
        let found = json(&run("json", more));
        fits(&schema("schema/grade.schema.json"), &found);
        assert_eq!(found["summary"]["fail"], 2, "{found:#}");
        let found = json(&run("gradescope", more));
        fits(&schema("tests/peers/gradescope.schema.json"), &found);
        let points = |key: &str| -> f64 {
            found["tests"].as_array().unwrap().iter().map(|test| test[key].as_f64().unwrap()).sum()
        };
        assert_eq!((points("score"), points("max_score")), (0.0, 2.0), "{found:#}");
        assert!(found["output"].as_str().unwrap().contains("./no-such"), "{found:#}");
        let found = json(&run("check50", more));
        let results = found["results"].as_array().unwrap();
        assert!(results.iter().all(|one| one["passed"] == false), "{found:#}");
        let xml = text(&run("junit", more).stdout);
        let tree = roxmltree::Document::parse(&xml).unwrap();
        let failures = tree.descendants().filter(|node| node.has_tag_name("failure"));
        let messages: Vec<_> = failures.filter_map(|node| node.attribute("message")).collect();
        assert!(
            messages.len() == 2 && messages.iter().all(|said| said.contains("./no-such")),
            "{xml}"
        );
    }
}

#[test]
fn check50_reads_its_own_form() {
    let Some(python) = python_with("check50.renderer", "check50") else { return };
    for reveal in ["all", "hints", "names"] {
        let options = ["--format", "check50", "--reveal", reveal];
        let Some(output) = graded(EXERCISE, &options) else { return };
        let seen = read_by(&python, "check50_check.py", &output);
        assert_eq!(seen["json"], true);
        let ansi = seen["ansi"].as_str().unwrap();
        let faces = [":)", ":(", ":|"].map(|face| ansi.matches(face).count());
        assert_eq!(faces, [2, 1, 1], "{ansi}");
        assert!(
            !ansi.contains("None") && !seen["html"].as_str().unwrap().contains("None"),
            "{ansi}"
        );
        let found = json(&output);
        let passed = found["results"].as_array().unwrap().iter().map(|one| &one["passed"]);
        let expected = [true.into(), false.into(), true.into(), Value::Null];
        assert!(passed.eq(expected.iter()), "{found:#}");
    }
}

/// What the cause of the failure says in both languages, as words that stand nowhere else.
fn secrets() -> Option<Vec<String>> {
    let mut secrets = Vec::new();
    for lang in ["en", "zh"] {
        let output = graded("", &["--format", "check50", "--lang", lang])?;
        let found = json(&output);
        let cause = found["results"][1]["cause"]["rationale"].as_str().unwrap();
        // A part of it that is written alike in text, JSON, XML and HTML.
        let parts = cause.split(['"', '\'', '\\', '<', '>', '&']);
        secrets.push(parts.max_by_key(|part| part.len()).unwrap().to_owned());
    }
    assert!(
        secrets[0] != secrets[1] && secrets.iter().all(|secret| secret.len() > 10),
        "{secrets:?}"
    );
    Some(secrets)
}

#[test]
fn no_format_tells_students_what_the_teacher_keeps() {
    let Some(secrets) = secrets() else { return };
    let formats = ["text", "json", "junit", "gradescope", "check50"];
    for lang in ["en", "zh"] {
        for format in formats {
            for (teacher, options) in [
                ("reveal = 'hints'", &[][..]),
                ("reveal = 'names'", &[]),
                (HIDDEN, &[]),
                ("", &["--reveal", "names"]),
                (EXERCISE, &[]),
            ] {
                if format == "gradescope" && teacher == HIDDEN {
                    continue; // Gradescope hides it.
                }
                let options = [&["--format", format, "--lang", lang], options].concat();
                let Some(output) = graded(teacher, &options) else { return };
                let all = text(&output.stdout) + &text(&output.stderr);
                let leaks = secrets.iter().any(|secret| all.contains(secret));
                assert!(
                    !leaks && !all.contains("UnicodeDecodeError"),
                    "{teacher} {options:?}: {all}"
                );
                let knows_lab = all.contains("socket-api");
                let hints = teacher == EXERCISE || teacher.contains("hints");
                // Of the skipped test, JSON names the lab: that one is not hidden.
                assert!(
                    knows_lab == hints || !hints && teacher == HIDDEN && format == "json",
                    "{options:?}: {all}"
                );
            }
        }
    }
}

#[test]
fn a_student_reads_names_hints_and_points() {
    let said = Said::on("grade_reveal");
    for lang in ["en", "zh"] {
        for (case, teacher, options) in [
            ("names", "", &["--reveal", "names"][..]),
            ("hints", "", &["--reveal", "hints"]),
            ("an exercise", EXERCISE, &[]),
        ] {
            let options = [&["--lang", lang], options].concat();
            let Some(output) = graded(teacher, &options) else { return };
            said.hide(PROGRAMS, "PROGRAMS");
            said.add(&format!("{case}, {lang}"), &text(&output.stdout));
        }
    }
}

#[test]
fn a_teachers_file_that_is_wrong_says_where() {
    let said = Said::on("grade_teacher");
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("exercise.toml");
    said.hide(file.display(), "exercise.toml");
    said.hide(folder.path().display(), "FOLDER");
    for (case, teacher) in [
        ("a mistyped key", "title = 'x'\nweights = 2"),
        ("an unknown key", "colour = 'red'"),
        ("a mistyped test", "[[test]]\nname = 'bytes/cutt'"),
        ("an unknown test", "only = ['sound']"),
        ("a key of a test", "[[test]]\nname = 'bytes'\nvisible = true"),
        ("a test without a name", "[[test]]\nweight = 1"),
        ("a word that is not one", "visibility = 'secret'"),
        ("a text in the place of a number", "weight = 'two'"),
        ("fewer points than none", "weight = -1"),
        ("too long", "timeout = 99999"),
        ("less than nothing", "timeout = -1"),
        ("one pair of brackets", "[test]\nname = 'bytes'"),
        ("a text in the place of a list", "only = 'bytes'"),
        ("a list in the place of a text", "title = ['x']"),
        ("a mistyped word", "visibility = 'after_publish'"),
        ("a mistyped word of a test", "[[test]]\nname = 'bytes'\nreveal = 'hint'"),
        ("a protocol that is nowhere", "protocol = 'mine.toml'"),
        ("no TOML", "title = "),
    ] {
        std::fs::write(&file, teacher).unwrap();
        let mut run = netplay();
        let run = run.arg("grade").arg("--teacher").arg(&file).args(["--", "true"]);
        said.ends(case, &finish(run, b""), 2);
    }
    let mistyped = finish(netplay().args(["grade", "--only", "byts/cut", "--", "true"]), b"");
    said.ends("--only byts/cut", &mistyped, 2);
    let listed = finish(netplay().args(["grade", "--list", "--format", "junit"]), b"");
    said.ends("--list --format junit", &listed, 2);
    assert!(errors(&text(&listed.stderr)).contains("--list"));
}

/// The pages of a failure have its calls and its bytes: they are written only where all is told.
#[test]
fn no_page_tells_students_what_the_teacher_keeps() {
    let Some(secrets) = secrets() else { return };
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("pages");
    let written = |teacher: &str| -> Option<(Vec<String>, String, Value)> {
        let output = graded(teacher, &["-o", pages.to_str().unwrap(), "--format", "json"])?;
        let question = json(&output)["tests"][1]["question"].take();
        let files = std::fs::read_dir(&pages).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<PathBuf> = files.collect();
        files.sort();
        let text = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
        let name = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().to_owned();
        Some((files.iter().map(name).collect(), text, question))
    };
    let all = ["bytes-binary.html", "bytes-binary.jsonl", "index.html"];
    let (files, text, _) = written("").unwrap();
    assert!(files == all && text.contains(&secrets[0]), "{files:?}");
    // The pages of the run before are gone as well.
    for teacher in ["reveal = 'hints'", "reveal = 'names'", HIDDEN] {
        let (files, text, question) = written(teacher).unwrap();
        assert!(files == ["index.html"] && text.contains("bytes/binary"), "{teacher} {files:?}");
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "{teacher}: {text}");
        assert_eq!(question.is_string(), teacher.contains("hints"), "{teacher}");
        assert!(question.as_str().is_none_or(|question| text.contains(question)), "{text}");
    }
}

/// The command line comes before the file, and narrows what it names.
#[test]
fn the_command_line_comes_first() {
    let teacher = "model = 'iterative'\nprotocol = 'line'\nseed = 3\nonly = ['bytes', 'many']\nskip = ['bytes/large']\nreveal = 'names'";
    let options = [
        "--format",
        "json",
        "--only",
        "bytes/one",
        "--only",
        "ends",
        "--only",
        "bytes/large",
        "--reveal",
        "all",
    ];
    let Some(output) = grade("servers.py", "nothing", teacher, &options) else { return };
    let found = json(&output);
    let ids: Vec<_> = found["tests"].as_array().unwrap().iter().map(|test| &test["id"]).collect();
    assert_eq!(ids, ["bytes/one"]);
    assert_eq!(found["seed"], 7, "{found:#}");
    assert!(found["tests"][0]["sentence"].is_string(), "{found:#}");
}

/// The example of docs/grading.md is one that can be used.
#[test]
fn the_documented_exercise_is_right() {
    let docs = include_str!("../../docs/grading.md");
    let block = docs.split("```toml\n").find(|block| block.contains("[[test]]")).unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("exercise.toml");
    std::fs::write(&file, block.split("```").next().unwrap()).unwrap();
    let mut run = netplay();
    let listed = finish(run.args(["grade", "--list", "--teacher"]).arg(&file), b"");
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    let listed = text(&listed.stdout);
    assert!(listed.contains("bytes/large") && !listed.contains("client/"), "{listed}");
}
