//! What the shells complete, asked of the shells: every name that runs, with its options and their values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{finish, have, run, skip, terminal};
use clap::Arg;

/// Lines that are typed up to a Tab, and what may come then.
type Lines = BTreeMap<String, BTreeSet<String>>;

/// Commands of clap's, and of our own processes to each other.
const BESIDE: [&str; 2] = ["help", "receive"];

/// A line for the options of every command, under each of its names; for the commands below it, and for the
/// words that an option or the command takes, where these are a list.
fn lines() -> Lines {
    fn words(arg: &Arg) -> Option<BTreeSet<String>> {
        let values = arg.get_value_parser().possible_values()?;
        arg.get_action().takes_values().then(|| values.map(|v| v.get_name().to_owned()).collect())
    }
    fn under(path: &str, command: &clap::Command, lines: &mut Lines) {
        let shown = || command.get_arguments().filter(|arg| !arg.is_hide_set());
        let longs = shown().filter_map(|arg| arg.get_long()).map(|long| format!("--{long}"));
        lines.insert(format!("{path} --"), longs.collect());
        for arg in shown() {
            // Those of every command are asked for once.
            let global = arg.is_global_set() && path != "netplay" && path != "netplay tcp-server";
            let Some(words) = words(arg).filter(|_| !global) else { continue };
            match arg.get_long() {
                Some(long) => {
                    for begun in [" ", "="] {
                        lines.insert(format!("{path} --{long}{begun}"), words.clone());
                    }
                }
                None => {
                    let begins = |word: &&String| word.starts_with(['S', 'e', 'f', 'z']);
                    for letter in words.iter().filter(begins).map(|word| &word[..1]) {
                        let begin = words.iter().filter(|word| word.starts_with(letter));
                        lines.insert(format!("{path} {letter}"), begin.cloned().collect());
                    }
                }
            }
        }
        let mut below = BTreeMap::new();
        for command in command.get_subcommands().filter(|c| !BESIDE.contains(&c.get_name())) {
            below.insert(command.get_name().to_owned(), command);
            below.extend(command.get_all_aliases().map(|alias| (alias.to_owned(), command)));
        }
        for letter in below.keys().map(|name| &name[..1]).collect::<BTreeSet<_>>() {
            let begin = below.keys().filter(|name| name.starts_with(letter));
            lines.entry(format!("{path} {letter}")).or_default().extend(begin.cloned());
        }
        for (name, command) in below {
            under(&format!("{path} {name}"), command, lines);
        }
    }
    let mut whole = netplay::cli::command();
    whole.build();
    let mut lines = Lines::new();
    under("netplay", &whole, &mut lines);
    lines
}

/// A folder with the completions for a shell, and with the lines.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// `None` without the shell: the caller returns.
    fn new(shell: &str, lines: &Lines) -> Option<Desk> {
        let script = run(&["completions", shell], b"");
        assert!(script.status.success() && script.stderr.is_empty(), "{script:?}");
        if !have(shell) {
            skip(&format!("no {shell}"));
            return None;
        }
        let desk = Desk { folder: tempfile::tempdir().unwrap() };
        std::fs::write(desk.path("script"), script.stdout).unwrap();
        let typed: String = lines.keys().map(|line| line.to_owned() + "\n").collect();
        std::fs::write(desk.path("lines"), typed).unwrap();
        Some(desk)
    }

    /// Hidden, so that no shell offers it as a file.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!(".{name}"))
    }

    /// What came out is what may come, line by line.
    fn compare(&self, answers: &str, lines: &Lines) {
        let mut wrong = String::new();
        let mut answered = 0;
        for answer in answers.split("== ").skip(1) {
            let (line, words) = answer.split_once('\n').unwrap();
            let words: BTreeSet<&str> = words.lines().filter(|word| !word.is_empty()).collect();
            // An option may come with its = sign, and behind the = sign with its name.
            let (option, _) = line.rsplit_once(' ').unwrap_or(("", line));
            let name = &line[option.len()..].trim_start();
            let bare = |word: &&str| {
                let word = word.strip_prefix(name).filter(|_| name.ends_with('=')).unwrap_or(word);
                word.trim_end_matches([' ', '=']).to_owned()
            };
            let words: BTreeSet<String> =
                words.iter().map(bare).filter(|word| word != "help").collect();
            answered += 1;
            let may = &lines[line];
            if words != *may {
                let missing: Vec<_> = may.difference(&words).collect();
                let beyond: Vec<_> = words.difference(may).collect();
                writeln!(wrong, "{line:?}: missing {missing:?}, beyond {beyond:?}").unwrap();
            }
        }
        assert_eq!(answered, lines.len(), "{answers}");
        assert!(wrong.is_empty(), "{wrong}");
    }
}

fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/completions").join(name)
}

fn completes_as_a_script(shell: &str, options: &[&str], lines: Lines) {
    let Some(desk) = Desk::new(shell, &lines) else { return };
    let mut command = Command::new(shell);
    command.args(options).arg(beside(&format!("complete.{shell}")));
    command.args([desk.path("script"), desk.path("lines")]);
    // fish looks for its settings, and keeps what it has learned.
    command
        .envs(["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].map(|name| (name, desk.path("home"))));
    let output = finish(command.env("LC_ALL", "C.UTF-8").current_dir(desk.folder.path()), b"");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    desk.compare(&String::from_utf8(output.stdout).unwrap(), &lines);
}

#[test]
fn bash_completes_every_name_that_runs() {
    let lines = lines();
    assert!(lines.len() > 350, "{}", lines.len());
    completes_as_a_script("bash", &["--norc"], lines);
}

#[test]
fn fish_completes_every_name_that_runs() {
    // It takes its time, some 40 ms a line: so the values of an option are asked for at one command.
    let mut seen = BTreeSet::new();
    let mut lines = lines();
    lines.retain(|line, _| {
        let (path, last) = line.rsplit_once(" --").unwrap_or((line, "x"));
        last.is_empty()
            || !line.contains(" --") && path.split(' ').count() < 4
            || seen.insert(last.to_owned())
    });
    let mut all: Vec<_> = lines.into_iter().collect();
    while !all.is_empty() {
        let some = all.split_off(all.len().saturating_sub(50));
        completes_as_a_script("fish", &["--no-config"], some.into_iter().collect());
    }
}

#[test]
fn zsh_completes_every_name_that_runs() {
    let lines = lines();
    let Some(desk) = Desk::new("zsh", &lines) else { return };
    std::fs::copy(beside("zshrc"), desk.path("zshrc")).unwrap();
    let Some(mut python) = terminal(&["ready> ", "\x10"]) else { return };
    python.args(["zsh", "-d", "-i"]).env("ZDOTDIR", desk.folder.path());
    python.env("SCRIPT", desk.path("script")).env("LINES_TO_COMPLETE", desk.path("lines"));
    python.env("ANSWERS", desk.path("answers")).current_dir(desk.folder.path());
    let output = finish(&mut python, b"");
    assert!(output.status.success(), "{output:?}");
    desk.compare(&std::fs::read_to_string(desk.path("answers")).unwrap(), &lines);
}

/// Typed at a prompt, with Tab: as a person does.
#[test]
fn bash_completes_what_is_typed() {
    let lines = Lines::new();
    let Some(desk) = Desk::new("bash", &lines) else { return };
    let steps = [
        ["bash-", "source ./.script; PS1='re'ady'> '\r"],
        ["ready> ", "netplay tcp-ser\t"],
        ["tcp-server ", "--bac\t"],
        ["--backlog ", "5 --reply st\t"],
        ["stamp ", "--color=alw\t"],
        ["always ", "\x15exit\r"],
    ];
    let Some(mut bash) = terminal(steps.as_flattened()) else { return };
    bash.args(["bash", "--norc", "--noprofile", "-i"]);
    let output = finish(bash.current_dir(desk.folder.path()), b"");
    assert!(output.status.success(), "{output:?}");
}
