//! A usage error ends with 2: every option and every word of every command is given wrong values here,
//! as the commands tell of themselves.

use std::collections::{BTreeSet, HashSet};
use std::process::Command;

use crate::common::{finish, run};
use clap::{Arg, ArgAction};

/// A command, as the words that it is called by, and itself.
struct Called {
    words: Vec<String>,
    command: clap::Command,
}

/// Every command that runs, hidden ones too, under every name that it has.
fn commands() -> Vec<Called> {
    fn under(words: &[String], command: &clap::Command, all: &mut Vec<Called>) {
        all.push(Called { words: words.to_vec(), command: command.clone() });
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            for name in [below.get_name()].into_iter().chain(below.get_all_aliases()) {
                under(&[words, &[name.to_owned()]].concat(), below, all);
            }
        }
    }
    let mut whole = netplay::cli::command();
    whole.build(); // hands the options of every command down
    let mut all = Vec::new();
    under(&[], &whole, &mut all);
    all
}

const NO_NUMBER: &[&str] = &["", "x", "-1", "1.5", "1x", " 1", "99999999999999999999"];
const NO_SECONDS: &[&str] = &["", "x", "0", "-1", "nan", "inf", "1e99", "1e-30", "1s"];
/// A file must have a name; what the file is, is another matter.
const NO_FILE: &[&str] = &[""];
const NO_PICTURE: &[&str] = &["", "x", "x.png", ".svg.gz", "svg"];
const NO_WORD: &[&str] = &["", "x", "AUTO", "-", "0"];

/// What is wrong for an argument of a command, beside what `NO_…` says of its kind.
fn wrong(of: &Called, arg: &Arg) -> Vec<&'static str> {
    let first = of.words.first().map_or("", String::as_str);
    let both = |kind: &[&'static str], more: &[&'static str]| [kind, more].concat();
    match (first, arg.get_id().as_str()) {
        // Texts, which may be anything.
        (_, "message" | "password" | "play" | "with") => vec![],
        (
            _,
            "color" | "lang" | "time" | "format" | "pin" | "expect" | "accept" | "style" | "layout",
        ) => NO_WORD.to_vec(),
        (_, "shell" | "role" | "model") => NO_WORD.to_vec(),
        (_, "trace" | "traces" | "root" | "password_file" | "directory" | "to" | "FILE") => {
            NO_FILE.to_vec()
        }
        (_, "from" | "compare") => NO_FILE.to_vec(),
        ("draw" | "lab" | "models" | "bench", "output") => NO_PICTURE.to_vec(),
        ("pack", "output") => vec![], // any file
        ("grade", "output") => vec!["", "-"],
        (_, "output") => NO_PICTURE.to_vec(),
        (_, "user") => vec![""],
        (_, "reply") => vec![""],
        (_, "backlog") => both(NO_NUMBER, &["2147483648"]),
        (_, "bufsize") => both(NO_NUMBER, &["0", "67108865"]),
        (_, "max_clients" | "max_per_host") => both(NO_NUMBER, &["0"]),
        (_, "work") => both(NO_NUMBER, &["1001"]),
        (_, "workers") => both(NO_NUMBER, &["0", "257"]),
        (_, "idle_timeout" | "timeout" | "stall_timeout" | "data_wait") => NO_SECONDS.to_vec(),
        (_, "passive_ports") => {
            vec!["", "x", "1", "-", "5-", "-5", "9-5", "0-5", "1-65536", "1-2-3", "50000,50001"]
        }
        (_, "interface") => vec!["", "no address"],
        ("ping" | "ping-client", "ttl") => both(NO_NUMBER, &["0", "256"]),
        (_, "ttl") => both(NO_NUMBER, &["256"]),
        (_, "slow") => vec!["", "x", "-1", "0", "0.09", "1001", "nan", "inf"],
        (_, "answers") => both(NO_NUMBER, &["4294967296"]),
        (_, "count") => both(NO_NUMBER, &["0", "65536"]),
        ("ping" | "ping-client", "size") => both(NO_NUMBER, &["65528"]),
        (_, "interval") => vec!["", "x", "-1", "nan", "inf", "1e99", "1s"],
        (_, "host") => match arg.get_help().unwrap().to_string().contains(" number") {
            true => vec!["", "65536", "99999999999999999999"],
            false => vec![""],
        },
        (_, "port") => both(NO_NUMBER, &["65536", "http"]),
        (_, "path") => vec!["", LONG_PATH],
        (_, "URL") => vec!["", "x", "http://h/f", "ftp://", "ftp://h:99999/f"],
        ("bench", "models") => vec![
            "",
            ",",
            "x",
            "poll,",
            "poll,x",
            "poll --x",
            "poll --backlog x",
            "handler --style x",
            "mini-ftp",
            "poll client",
            "-1",
        ],
        ("bench", "connections") => both(NO_NUMBER, &["0", "1,0", "1,,2", "1,x", "2147483648"]),
        ("bench", "idle") => both(NO_NUMBER, &["2147483648"]),
        ("bench", "size") => both(NO_NUMBER, &["0", "16777217"]),
        (_, "rounds" | "threads") => both(NO_NUMBER, &["0", "1001"]),
        ("bench", "seconds") => both(NO_SECONDS, &["0.0001", "3601"]),
        ("bench", "rate") => both(NO_SECONDS, &["0.01", "1e9"]),
        ("bench", "start_at") => {
            vec!["", "soon", "-1", "nan", "1e12", "2026-11-30", "2026-11-30T09:00:00"]
        }
        ("bench", "files") => vec![], // any file
        ("bench", "target" | "load_only") => {
            vec!["", "x", ":1", "h:", "h:x", "h:0", "h:65536", "h:-1"]
        }
        ("bench", "cmd") => vec!["", "./my_server", "./my_server {PORT}"],
        ("models", "delay") => vec!["", "x", "0", "-1", "11s", "0.5ms", "nan", "50us"],
        ("watch", "pids") => both(NO_NUMBER, &["0", "2147483648"]),
        ("watch", "after") => {
            NO_SECONDS.iter().copied().filter(|&text| text != "0").collect() // at once
        }
        ("watch", "short_reads" | "short_writes" | "eintr" | "eagain") => both(NO_NUMBER, &["0"]),
        (_, "serve") => vec!["x", "8000", "127.0.0.1", "localhost:8000", "127.0.0.1:65536"],
        ("watch", "seed") => NO_NUMBER.to_vec(),
        ("watch", "data") => both(NO_NUMBER, &["1048577"]),
        ("watch", "command") => vec![], // any program
        ("grade", "files") => vec![],   // any file
        ("grade", "reveal") => NO_WORD.to_vec(),
        ("grade" | "challenge", "teacher" | "protocol") => vec!["", "/no/such/file"],
        ("grade", "only" | "skip") => vec!["x"],
        ("grade" | "challenge", "seed") => NO_NUMBER.to_vec(),
        ("grade" | "challenge", "command") => vec![], // any program
        ("pack" | "verify", "token") => vec![""],
        ("verify", "files") => vec![], // any file
        ("lab", "name") => NO_WORD.to_vec(),
        ("lab", "predict") => both(NO_NUMBER, &["0", "9"]),
        ("explain", "topic") => vec!["", "x-y-z", "99999", "-"],
        ("explain", "number") => vec!["", "x", "-1", "65536"],
        ("why", "what") => vec!["", "x-y-z", "65536", ":65536", ":x", "127.0.0.1:65536"],
        ("sockopt", "words") => vec![
            "",
            "x",
            "SO_X",
            "SO_RCVBUF=",
            "SO_RCVBUF=x",
            "SO_RCVBUF=99999999999",
            "SO_LINGER=-1",
            "SO_RCVTIMEO=x",
            "=1",
            "IP_ADD_MEMBERSHIP=239.0.0.1",
            "-1",
        ],
        ("byte-order", "value") => vec!["", "x", "-1", "1.5", "0x", "18446744073709551616"],
        ("byte-order", "text") => vec!["", "x", "256.1.1.1", "1.2.3.4.5", ":::", "-1"],
        ("byte-order", "bytes") => vec!["", "x", "7f", "7f00000", "-1"],
        ("byte-order", "n") => {
            vec!["", "x", "-1", "1.5", "0x", "4294967296", "18446744073709551616"]
        }
        (_, id) => panic!("netplay {}: what is wrong for {id}?", of.words.join(" ")),
    }
}

/// One byte more than a socket's path can have.
const LONG_PATH: &str = "/tmp/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012";

/// What an argument needs beside it, and what stands for a word that must be there.
fn beside(of: &Called, arg: &Arg) -> Vec<&'static str> {
    match (of.words.first().map_or("", String::as_str), arg.get_id().as_str()) {
        ("lab", "predict") => vec!["framing"],
        (_, "time") => vec!["--output=-"],
        // As over IPv6 a device has a name, over IPv4 it has an address.
        (_, "interface") => vec!["127.0.0.1", "1"],
        _ => vec![],
    }
}

fn right(arg: &Arg) -> &'static str {
    match arg.get_id().as_str() {
        "host" => "127.0.0.1",
        "URL" => "ftp://127.0.0.1:1/x",
        "shell" => "bash",
        "model" => "blocking",
        "n" | "value" => "1",
        "text" => "127.0.0.1",
        "bytes" => "7f000001",
        _ => "x",
    }
}

/// The command line that gives one argument of a command this value, and nothing else that is wrong.
fn line(of: &Called, wrong: &Arg, value: &str) -> Vec<String> {
    let mut line = of.words.clone();
    line.extend(beside(of, wrong).into_iter().map(str::to_owned));
    if let Some(long) = wrong.get_long() {
        line.push(format!("--{long}={value}"));
        // One that takes two has the same twice.
        line.extend((wrong.get_num_args().unwrap().min_values() > 1).then(|| value.to_owned()));
    } else if let Some(short) = wrong.get_short() {
        line.extend([format!("-{short}"), value.to_owned()]);
    }
    let mut words: Vec<&Arg> = of.command.get_positionals().collect();
    words.sort_by_key(|word| word.get_index());
    let last = words.iter().rposition(|word| word.is_required_set());
    let at = words.iter().position(|word| word.get_id() == wrong.get_id());
    for word in words.iter().take(last.max(at).map_or(0, |last| last + 1)) {
        let is_wrong = word.get_id() == wrong.get_id();
        line.extend(word.is_last_set().then(|| "--".to_owned()));
        line.push(if is_wrong { value } else { right(word) }.to_owned());
    }
    line
}

#[test]
fn a_wrong_value_ends_with_2_for_every_option_of_every_command() {
    let (mut failed, mut tried, mut asked) = (Vec::new(), 0, BTreeSet::new());
    let whole = netplay::cli::command();
    for of in commands() {
        let takes_a_value =
            |arg: &&Arg| matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
        for arg in of.command.get_arguments().filter(takes_a_value) {
            for value in wrong(&of, arg) {
                let line = line(&of, arg, value);
                tried += 1;
                // What the command line is read with refuses most: that is quick, and ends with 2.
                let words = ["netplay".to_owned()].into_iter().chain(line.iter().cloned());
                match whole.clone().try_get_matches_from(words) {
                    Err(error) if error.exit_code() == 2 => continue,
                    Err(error) => failed.push(format!("{line:?}: {error}")),
                    Ok(_) => {
                        let words: Vec<&str> = line.iter().map(String::as_str).collect();
                        asked.insert(line.clone());
                        // What is taken for right may serve for ever.
                        let mut bounded = Command::new("timeout");
                        bounded.args(["5", env!("CARGO_BIN_EXE_netplay")]).args(&words);
                        let output = finish(&mut bounded, b"");
                        let said = String::from_utf8_lossy(&output.stderr).into_owned();
                        let clean = output.stdout.is_empty() && said.starts_with("error: ");
                        if output.status.code() != Some(2) || !clean {
                            failed.push(format!("{line:?}: {:?} {said}", output.status.code()));
                        }
                    }
                }
            }
        }
    }
    assert!(failed.is_empty(), "{} of {tried}:\n{}", failed.len(), failed.join("\n"));
    assert!(tried > 2000, "{tried}");
    assert!(!asked.is_empty());
}

/// Whatever stands on a command line, no error hands it to the terminal as it is.
#[test]
fn no_error_steers_the_terminal() {
    const STEERS: &str = "\x1b[2J\u{202e}";
    let (mut tried, mut failed, mut seen) = (0, Vec::new(), HashSet::new());
    for of in commands() {
        let takes_a_value =
            |arg: &&Arg| matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
        for arg in of.command.get_arguments().filter(takes_a_value) {
            // One command for each option: what is an option of many is read alike in all of them.
            if wrong(&of, arg).is_empty()
                || !seen.insert((arg.get_id().clone(), arg.get_help().map(ToString::to_string)))
            {
                continue;
            }
            for value in [STEERS.to_owned(), format!("poll,{STEERS}"), format!("{STEERS}:1")] {
                let line = line(&of, arg, &value);
                let words: Vec<&str> = line.iter().map(String::as_str).collect();
                let whole = ["netplay"].into_iter().chain(words.iter().copied());
                if netplay::cli::command().try_get_matches_from(whole).is_ok() {
                    continue;
                }
                tried += 1;
                let output = run(&words, b"");
                let said = String::from_utf8_lossy(&output.stderr);
                if said.contains(['\x1b', '\u{202e}']) || output.status.code() != Some(2) {
                    failed.push(format!("{line:?}: {said}"));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{} of {tried}:\n{}", failed.len(), failed.join("\n"));
    assert!(tried > 100, "{tried}");
}

/// What the program says is what clap says, and it begins with nothing.
#[test]
fn the_program_itself_ends_with_2() {
    for line in [
        &["ping", "--ttl", "256"][..],
        &["ping", "--size", "x"],
        &["ping", "--interval", "x"],
        &["multicast", "client", "--ttl", "256", "-m", "x"],
        &["bench", "--connections", "0"],
        &["bench", "--connections", "18446744073709551615", "--idle", "3"],
        &["bench", "--udp", "--size", "70000"],
        &["bench", "--models", "none"],
        &["bench", "--load-only", "127.0.0.1:1", "--connections", "1,2"],
        &["bench", "--load-only", "127.0.0.1:1", "--models", "poll"],
        &["bench", "--load-only", "127.0.0.1:1", "--start-at", "1000"],
        &["bench", "--load-only", "127.0.0.1:1", "-o", "part.csv"],
        &["bench", "--start-at", "2100-01-01T00:00:00Z"],
        &["bench", "merge"],
        &["bench", "--json", "merge", "x"],
        &["grade", "table"],
        &["grade", "--client", "table", "x"],
        &["tcp-server", "--backlog", "-1"],
        &["tcp-client", "--timeout", "1e-9"],
        &["nosuch"],
        &["tcp-echo", "nosuch"],
        &["tcp-client", "--nosuch"],
        &["--lang", "xx"],
        &["--observe", "doctor"],
    ] {
        let output = run(line, b"");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line:?}: {said}");
        assert!(said.starts_with("error: ") && output.stdout.is_empty(), "{line:?}: {said}");
    }
}

/// Options that are simply off unless they are given, or take what the user has to say.
const OFF: [&str; 28] = [
    "trace",
    "load_only",
    "output",
    "message",
    "password",
    "password_file",
    "target",
    "cmd",
    "from",
    "compare",
    "idle",
    "rate",
    "predict",
    "play",
    "with",
    "role",
    "model",
    "directory",
    "pids",
    "after",
    "short_reads",
    "short_writes",
    "eintr",
    "eagain",
    "token",
    "only",
    "skip",
    "teacher",
];

/// Where an option that is left out stands for a value, `--help` shows which.
#[test]
fn help_shows_every_default() {
    let mut hidden = BTreeSet::new();
    for Called { words, command } in commands() {
        for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
            let id = arg.get_id().as_str();
            if arg.is_positional() || arg.is_required_set() || OFF.contains(&id) {
                continue;
            }
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let shown = !arg.get_default_values().is_empty() && !arg.is_hide_default_value_set();
            let what = format!("netplay {}: {id}: {help}", words.join(" "));
            if !shown && !help.contains("[default: ") {
                hidden.insert(what);
            }
        }
    }
    assert!(hidden.is_empty(), "{hidden:#?}");
}

/// clap breaks the lines of a text where the terminal ends. A break of its own in a paragraph would leave half a line
/// empty there.
#[test]
fn no_paragraph_of_the_help_has_line_breaks_of_its_own() {
    for of in commands() {
        let texts = [of.command.get_after_help(), of.command.get_after_long_help()];
        for text in texts.into_iter().flatten().map(ToString::to_string) {
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.windows(2) {
                let prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
                let goes_on = !pair[0].ends_with(['.', ':']);
                assert!(
                    !(prose(pair[0]) && prose(pair[1]) && goes_on),
                    "{:?}: {pair:#?}",
                    of.words
                );
            }
        }
    }
}
