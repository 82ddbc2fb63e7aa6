//! A watched program behaves as an unwatched one.

use std::process::Command;

use super::{code, compiled, events, may_trace, watch};
use crate::common::{finish, have, hears_signals, netplay, skip, terminal, text, until, wait};
use netplay::trace::Event;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// A program as it would run without netplay, with the environment and signals that netplay has.
fn unwatched(program: &[&str]) -> Command {
    let netplay = netplay();
    let mut command = Command::new("env");
    hears_signals(&mut command);
    for (name, value) in netplay.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.args(program);
    command
}

#[test]
fn a_program_finds_what_it_finds_without_netplay() {
    let Some(program) = compiled("looks.c", false) else { return };
    let folder = TempDir::new().unwrap();
    let words = [program.to_str().unwrap(), "one", "", "two words"];
    let bare = finish(&mut unwatched(&words), b"");
    let watched = finish(watch(&folder.path().join("trace"), &[]).args(words), b"");
    assert!(bare.status.success());
    assert_eq!(text(&watched.stdout), text(&bare.stdout));
    // As in the background of a shell: what is ignored stays so.
    let run = |words: &[&str]| {
        let mut shell =
            unwatched(&["sh", "-c", "trap '' HUP INT TERM ALRM CHLD USR1; exec \"$@\"", "sh"]);
        finish(shell.args(words), b"")
    };
    let netplay = [env!("CARGO_BIN_EXE_netplay"), "watch", "-q", "--"];
    let (bare, watched) = (run(&words), run(&[&netplay[..], &words].concat()));
    assert!(bare.status.success());
    assert_eq!(text(&watched.stdout), text(&bare.stdout));
}

#[test]
fn output_input_and_exit_status_are_the_programs() {
    if !may_trace() {
        return;
    }
    let folder = TempDir::new().unwrap();
    for script in [
        "exit 0",
        "exit 3",
        "exit 255",
        "cat; echo error >&2; exit 4",
        "read line; echo $line; sed s/^/behind:/",
        "kill -TERM $$",
        "kill -KILL $$",
        "kill -SEGV $$",
        "kill -ABRT $$",
        "kill -QUIT $$",
        "kill -34 $$",
        "trap 'echo trapped' TRAP; kill -TRAP $$; echo on",
        "yes | head -n 1",
        "(exit 7) & wait; exit 5",
        "trap 'echo told; exit 6' USR1; kill -USR1 $$",
        "exec sh -c 'exit 8'",
        "printf '\\000\\377'; trap '' PIPE; exec 1>&-; echo lost",
    ] {
        let input = b"a line\nand a \xff byte\n";
        let bare = finish(&mut unwatched(&["sh", "-c", script]), input);
        let watched =
            finish(watch(&folder.path().join("trace"), &[]).args(["sh", "-c", script]), input);
        assert_eq!(watched.stdout, bare.stdout, "{script}");
        assert_eq!(text(&watched.stderr), text(&bare.stderr), "{script}");
        assert_eq!(watched.status.code(), Some(code(bare.status)), "{script}: {watched:?}");
    }
}

/// A shell in a terminal: each step waits for a text on the screen, then types another. It must come to its end.
fn in_a_shell(steps: &[&str]) {
    if !may_trace() {
        return;
    }
    if !have("bash") {
        return skip("no bash");
    }
    let shell = ["bash", "--norc", "--noprofile", "-i"];
    let Some(mut terminal) = terminal(steps) else { return };
    terminal.args(["env", "TERM=dumb"]).args(shell);
    terminal.env("NETPLAY", env!("CARGO_BIN_EXE_netplay"));
    let output = finish(&mut terminal, b"");
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn ctrl_z_stops_the_program_and_fg_lets_it_go_on() {
    in_a_shell(&[
        "bash-",
        "\"$NETPLAY\" watch -q -- sh -c 'echo begun; exec cat'\n",
        "\nbegun",
        "first\n",
        "first\r\nfirst",
        "\x1a",
        "Stopped",
        "",
        "bash-", // not before the shell reads again
        "echo in between\n",
        "\nin between",
        "",
        "bash-",
        "fg\n",
        "watch -q",
        "second\n",
        "second\r\nsecond",
        "\x04",
        "bash-",
        "echo it was $?\n",
        "it was 0",
        "exit 0\n",
    ]);
}

/// A shell waits for its job, which is netplay: it would not hear that the program has stopped.
#[test]
fn a_program_that_stops_itself_stops_the_job() {
    for signal in ["STOP", "TSTP"] {
        let command = format!(
            "\"$NETPLAY\" watch --no-review -- sh -c 'echo begun; kill -{signal} $$; echo on; exit 5'\n"
        );
        let told = format!("SIG{signal}");
        in_a_shell(&[
            "bash-",
            &command,
            &told,
            "",
            "Stopped",
            "",
            "bash-",
            "fg\n",
            "\non",
            "",
            "ended",
            "",
            "bash-",
            "echo it was $?\n",
            "it was 5",
            "exit 0\n",
        ]);
    }
}

/// Without a shell that has it as a job, netplay goes on: SIGCONT reaches the program alone.
#[test]
fn a_program_that_stops_itself_goes_on_when_it_is_told_to() {
    if !may_trace() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let trace = folder.path().join("trace");
    let mut run = watch(&trace, &[]);
    let mut run = run.args(["sh", "-c", "kill -STOP $$; exit 5"]).spawn().unwrap();
    let stopped = |event: &Event| event.text.as_ref().is_some_and(|text| text.contains("SIGSTOP"));
    until("it has stopped", || events(&trace).iter().any(stopped));
    let program = super::children(run.id())[0];
    kill(Pid::from_raw(program), Signal::SIGCONT).unwrap();
    assert_eq!(wait(&mut run).code(), Some(5));
}

#[test]
fn ctrl_c_reaches_the_program_and_is_told() {
    in_a_shell(&[
        "bash-",
        "\"$NETPLAY\" watch -- cat\n",
        "here on", // its execve is told
        "first\n",
        "first\r\nfirst",
        "\x03",
        "SIGINT",
        "",
        "bash-",
        "echo it was $?\n",
        "it was 130",
        "exit 0\n",
    ]);
}

/// A program that goes on after Ctrl-C is watched on: what it does then counts.
#[test]
fn a_program_that_handles_ctrl_c_ends_as_it_likes() {
    in_a_shell(&[
        "bash-",
        "\"$NETPLAY\" watch -q -- sh -c 'trap \"echo handled; exit 9\" INT; echo ready; while :; do read line; done'\n",
        "\nready",
        "\x03",
        "^Chandled",
        "",
        "bash-",
        "echo it was $?\n",
        "it was 9",
        "exit 0\n",
    ]);
}
