//! `netplay challenge`: a question, two hints, the cause; what was passed before is looked at again.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::common::{Said, finish, netplay, strace_may_trace as may_trace, text};

/// A learner with a server: its file is written anew for each change.
struct Learner {
    folder: tempfile::TempDir,
}

impl Learner {
    fn new() -> Learner {
        Learner { folder: tempfile::tempdir().unwrap() }
    }

    fn server(&self) -> PathBuf {
        self.folder.path().join("server.py")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("netplay/challenge.json")
    }

    /// Writes a server with this mistake.
    fn write(&self, mistake: &str) {
        let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/grade/servers.py");
        let program = format!(
            "import os, sys\nos.execv(sys.executable, [sys.executable, {:?}, {mistake:?}] + sys.argv[1:])\n",
            servers.display().to_string()
        );
        std::fs::write(self.server(), program).unwrap();
    }

    fn run(&self, options: &[&str], with_the_server: bool) -> Output {
        let mut run = netplay();
        run.arg("challenge").args(options).env("XDG_STATE_HOME", self.folder.path());
        run.current_dir(self.folder.path());
        if with_the_server {
            run.args(["--", "/usr/bin/python3", "server.py", "{host}", "{port}"]);
        }
        finish(&mut run, b"")
    }

    fn takes(&self, options: &[&str]) -> Output {
        let options = [&["--protocol", "line", "--model", "iterative"], options].concat();
        self.run(&options, true)
    }

    /// What is noted of the only program: the test at which it is, and how much was told of that.
    fn stand(&self) -> (Option<String>, u64) {
        let noted = std::fs::read_to_string(self.state()).unwrap();
        let noted: serde_json::Value = serde_json::from_str(&noted).unwrap();
        let all = noted.as_object().unwrap();
        assert_eq!(all.len(), 1, "{noted:#}");
        let of = all.values().next().unwrap();
        (of["at"].as_str().map(str::to_owned), of["hints"].as_u64().unwrap())
    }
}

#[test]
fn a_failure_is_told_in_more_detail_each_time() {
    if !may_trace() {
        return;
    }
    let (learner, said) = (Learner::new(), Said::on("challenge"));
    said.hide(learner.folder.path().display(), "[folder]");
    let tell = |case: &str, output: &Output| {
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
        said.add(case, &format!("{}{}", text(&output.stdout), text(&output.stderr)));
    };
    learner.write("line-a-recv");
    for (hints, case) in ["a question", "a hint", "another hint", "the cause"].iter().enumerate() {
        let output = learner.takes(&[]);
        assert_eq!(learner.stand(), (Some("bytes/slowly".to_owned()), hints as u64));
        // The cause stays hidden as long as it can be found.
        assert_eq!(text(&output.stdout).contains("short-recv"), hints == 3);
        if hints < 3 {
            tell(case, &output);
        }
    }
    // It is repaired in part: the next test is another one, and its question comes first.
    learner.write("one-line-a-recv");
    tell("the next question", &learner.takes(&[]));
    assert_eq!(learner.stand(), (Some("bytes/together".to_owned()), 0));
    // A change that repairs nothing costs no hint, unless one is asked for.
    learner.write("one-line-a-recv");
    tell("a change that repairs nothing", &learner.takes(&[]));
    assert_eq!(learner.stand().1, 0);
    tell("a hint that is asked for", &learner.takes(&["--hint"]));
    assert_eq!(learner.stand().1, 1);
    // What was passed before is looked at again.
    learner.write("line-a-recv");
    tell("what was passed before", &learner.takes(&[]));
    assert_eq!(learner.stand(), (Some("bytes/slowly".to_owned()), 0));
}

#[test]
fn a_right_program_passes_every_challenge() {
    if !may_trace() {
        return;
    }
    let learner = Learner::new();
    learner.write("udp");
    let output = learner.run(&["--model", "udp"], true);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert_eq!(learner.stand(), (None, 0));
}

#[test]
fn what_is_noted_can_be_broken_and_forgotten() {
    if !may_trace() {
        return;
    }
    let (learner, said) = (Learner::new(), Said::on("challenge_state"));
    said.hide(learner.folder.path().display(), "[folder]");
    learner.write("nothing");
    // There is nothing to forget yet.
    said.ends("nothing to forget", &learner.run(&["--reset"], false), 0);
    assert!(!learner.state().exists());
    learner.takes(&["--quiet"]);
    learner.takes(&["--quiet"]);
    assert_eq!(learner.stand(), (Some("bytes/one".to_owned()), 1));
    // One program is forgotten.
    said.ends("one program", &learner.takes(&["--reset"]), 0);
    said.ends("the same once more", &learner.takes(&["--reset"]), 0);
    assert_eq!(std::fs::read_to_string(learner.state()).unwrap(), "{}\n");
    // A file that says something else is left as it is, and the challenge goes on.
    std::fs::write(learner.state(), "{\"labs\": 1}").unwrap();
    let output = learner.takes(&["--quiet"]);
    said.ends("a file that says something else", &output, 3);
    assert_eq!(std::fs::read_to_string(learner.state()).unwrap(), "{\"labs\": 1}");
    said.ends("that file is removed", &learner.run(&["--reset"], false), 0);
    assert!(!learner.state().exists());
    learner.takes(&["--quiet"]);
    said.ends("all programs", &learner.run(&["--reset"], false), 0);
}

/// A learner who has seen enough: what was noted stays as it was, and is whole.
#[test]
fn ctrl_c_ends_a_challenge_and_leaves_what_was_noted() {
    if !may_trace() {
        return;
    }
    let learner = Learner::new();
    learner.write("nothing");
    learner.takes(&["--quiet"]);
    let noted = std::fs::read_to_string(learner.state()).unwrap();
    learner.write("deaf");
    let mut run = netplay();
    run.arg("challenge");
    run.args(["--protocol", "line", "--model", "iterative", "--"]);
    run.args(["/usr/bin/python3", "server.py", "{host}", "{port}"]);
    run.env("XDG_STATE_HOME", learner.folder.path()).current_dir(learner.folder.path());
    run.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut run = run.spawn().unwrap();
    // The first line of a verdict: it is in the midst of the tests.
    let mut first = String::new();
    let mut lines = std::io::BufReader::new(run.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut lines, &mut first).unwrap();
    assert!(first.contains("1/"), "{first}");
    let pid = nix::unistd::Pid::from_raw(run.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut lines, &mut rest).unwrap();
    let status = crate::common::wait(&mut run);
    assert_eq!(status.code(), Some(130), "{first}{rest}");
    assert_eq!(std::fs::read_to_string(learner.state()).unwrap(), noted);
}

#[test]
fn a_challenge_needs_no_watching_where_that_is_forbidden() {
    let learner = Learner::new();
    learner.write("nothing");
    let output = learner.takes(&["--no-watch"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert_eq!(learner.stand().0.as_deref(), Some("bytes/one"));
}
