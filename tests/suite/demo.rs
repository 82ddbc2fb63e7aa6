//! The demo: what is told on a terminal, and that its trace has everything.

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use crate::common::{self, finish, have, netplay, run, skip};
use netplay::columns::width;
use netplay::trace::Event;

/// What a demo writes on a terminal of so many columns, from its first line on; `steps` as terminal.py has them.
fn on_terminal(columns: usize, steps: &[&str], demo: &str) -> Option<String> {
    let mut terminal = common::terminal(steps)?;
    let program = env!("CARGO_BIN_EXE_netplay");
    // Each word of the demo is a plain one: the shell splits them as we would.
    let script = format!("stty cols {columns} rows 24; exec \"{program}\" {demo}");
    let output = finish(terminal.args(["sh", "-c", &script]).env("TERM", "dumb"), b"");
    let screen = String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n");
    assert!(output.status.success(), "{}\n{screen}", String::from_utf8_lossy(&output.stderr));
    Some(screen)
}

/// The lines that are told in two columns: those below their heading, in either language.
fn told(screen: &str) -> Vec<&str> {
    let heading =
        |line: &str| ["clients", "客户端"].iter().any(|right| line.trim_end().ends_with(right));
    let lines = screen.lines().skip_while(|line| !heading(line));
    let told: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    assert!(!told.is_empty(), "there are no two columns: {screen}");
    told
}

/// What stands left and right of the line between the columns, and the column that it is in.
fn halves(line: &str) -> (&str, &str, usize) {
    let at = line.find(['│', '→', '←']).unwrap_or_else(|| panic!("no line between: {line}"));
    let (left, right) = line.split_at(at);
    let middle = right.chars().next().unwrap();
    (left, &right[middle.len_utf8()..], width(left))
}

fn demo_fits(columns: usize, demo: &str) {
    let Some(screen) = on_terminal(columns, &[], demo) else { return };
    let told = told(&screen);
    let middle = halves(told[0]).2;
    for line in told {
        let (left, right, at) = halves(line);
        assert!(width(line) <= columns, "wider than {columns}: {line}");
        assert_eq!(at, middle, "the columns are not straight: {line}");
        let client = right.trim_start().starts_with("A ");
        assert!(!client || left.len() <= 9 || left[9..].trim().is_empty(), "both sides: {line}");
    }
}

#[test]
fn on_a_terminal_the_server_is_left_and_clients_are_right() {
    let Some(screen) = on_terminal(100, &[], "tcp-echo demo") else { return };
    let told = told(&screen);
    let is_told = |what: &str, on_the_left: bool| {
        let found = told.iter().map(|line| halves(line)).any(|(left, right, _)| {
            if on_the_left {
                left[8..].trim_start().starts_with(what)
            } else {
                right.contains(what)
            }
        });
        assert!(found, "no {what} {}: {screen}", if on_the_left { "left" } else { "right" });
    };
    for call in ["listen(3)", "accept(3)", "recv(4)", "send(4)", "close(4)"] {
        is_told(call, true);
    }
    for call in ["A connect(3)", "A send(3)", "A recv(3)", "A shutdown(3)"] {
        is_told(call, false);
    }
    let way = |call: &str| told.iter().find(|line| line.contains(call)).unwrap();
    assert!(way(" send(4)").contains('→') && way("A send(3)").contains('←'), "{screen}");
    assert!(screen.contains("[waited"), "{screen}");
}

/// The calls of each side of a demo in two columns: the server's, then the clients'. Each number is a `#`; how long a
/// call waited, and the time of day in an answer, are left out. So is the end of the server's wait for a client, because
/// the stop may come before it waits.
fn calls_by_side(told: &[&str]) -> [Vec<String>; 2] {
    let mut calls: Vec<(bool, String)> = Vec::new();
    for line in &told[1..] {
        let (left, right, _) = halves(line);
        // A line that begins a call has a time; what goes on below stands further right.
        let (time, left) = left.split_at(8);
        let (begins, left) = (!time.trim().is_empty(), left.trim());
        let words = if left.is_empty() { right.trim() } else { left };
        match calls.last_mut() {
            Some((_, call)) if !begins => *call += &format!(" {words}"),
            _ => calls.push((left.is_empty(), words.to_owned())),
        }
    }
    [false, true].map(|clients| {
        let side = calls.iter().filter(|(right, _)| *right == clients).map(|(_, call)| call);
        let call = |call: &String| {
            let words = call.split("[waited").next()?.split("\"[").next()?.trim_end();
            let mut numbers = String::new();
            for c in words.chars() {
                let c = if c.is_ascii_digit() { '#' } else { c };
                if c != '#' || !numbers.ends_with('#') {
                    numbers.push(c);
                }
            }
            (!numbers.contains("(EINVAL)")).then_some(numbers)
        };
        side.filter_map(call).collect()
    })
}

/// README shows what the program tells today, each side in this order, whatever the time and the ports are.
#[test]
fn the_demo_in_the_readme_is_what_the_program_tells() {
    let readme = include_str!("../../README.md");
    let shown = readme.split("```console\n$ netplay tcp-echo demo\n").nth(1);
    let shown = shown.and_then(|rest| rest.split("```").next()).expect("README shows no demo");
    let Some(screen) = on_terminal(80, &[], "tcp-echo demo") else { return };
    let [shown_calls, calls] = [shown, &screen].map(|text| calls_by_side(&told(text)));
    assert_eq!(shown_calls, calls, "left: README.md");
    assert!(shown_calls.iter().all(|side| side.len() > 6), "{shown_calls:?}");
}

/// The calls of a program in a story of watched programs: its name is the word behind the time of day.
fn calls_of<'a>(program: &str, story: &'a str) -> Vec<&'a str> {
    let call = |line: &'a str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [time, name, call, ..] = words[..] else { return None };
        (time.len() == 12 && time.contains(':') && name == program && call != "--").then_some(call)
    };
    story.lines().filter_map(call).collect()
}

/// README shows two programs of other languages, which are in `examples/watch`.
#[test]
fn the_programs_in_the_readme_are_told_as_it_shows() {
    const PYTHON: &str = "/usr/bin/python3";
    if !have("gcc") || !std::path::Path::new(PYTHON).exists() {
        return skip("no gcc or no python3");
    }
    let programs = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/watch");
    let folder = tempfile::tempdir().unwrap();
    let client = folder.path().join("client").display().to_string();
    let built = Command::new("gcc").args(["-o", &client, &format!("{programs}/client.c")]).status();
    assert!(built.unwrap().success());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let server = format!("{programs}/server.py");
    let commands = ["--", PYTHON, &server, &port, "::", &client, "127.0.0.1", &port];
    let out = finish(netplay().arg("watch").args(commands), b"");
    if out.status.code() == Some(4) {
        return skip("no tracing");
    }
    assert_eq!((out.status.code(), out.stdout.as_slice()), (Some(0), &b"HELLO\n"[..]), "{out:?}");
    let story = common::text(&out.stderr);
    let readme = include_str!("../../README.md");
    let mut blocks = readme.split("```").skip(1).step_by(2);
    let shown = blocks.find(|block| block.contains("server.py")).unwrap();
    assert_eq!(calls_of("client", shown), calls_of("client", &story), "left: README.md");
    // A version of Python may make further calls, and the server may be ended before or in its last accept.
    for story in [shown, &story] {
        let mut calls = calls_of("server.py", story).into_iter();
        for call in ["socket", "bind", "listen", "accept", "recv", "send", "recv", "close"] {
            assert!(calls.any(|made| made == call), "{call}: {story}");
        }
    }
}

/// The lesson in the README is also what the program prints, word for word.
#[test]
fn the_lesson_in_the_readme_is_what_the_program_prints() {
    let readme = include_str!("../../README.md");
    let block = |block: &&str| block.starts_with("$ netplay explain");
    let shown = readme.split("```console\n").find(block).and_then(|rest| rest.split("```").next());
    let (command, shown) =
        shown.and_then(|shown| shown.split_once('\n')).expect("README shows no error");
    let words: Vec<&str> = command.split(' ').skip(2).collect();
    assert_eq!(shown, common::text(&run(&words, b"").stdout), "left: README.md");
}

#[test]
fn every_line_stays_in_its_column() {
    demo_fits(80, "select demo");
    demo_fits(121, "fork demo -v");
    demo_fits(200, "udp-echo demo -vv");
    demo_fits(80, "mini-ftp demo"); // a file of it is called 世界.txt
}

/// A character of two columns is never in both of them, and what stands above is as wide as the terminal at most.
#[test]
fn every_line_stays_in_its_column_in_chinese() {
    demo_fits(80, "fork demo --lang zh");
    demo_fits(120, "udp-echo demo --lang zh -v");
}

/// What stands above a demo, and the menu, is wrapped at a space, with a hanging indent.
#[test]
fn what_stands_above_a_demo_and_the_menu_fit_80_columns() {
    for words in ["ping demo", "ping demo --lang zh", "", "--lang zh"] {
        let Some(screen) = on_terminal(80, &[], words) else { return };
        for line in screen.lines().take_while(|line| !line.contains('│')) {
            assert!(width(line) <= 80, "{words}: {line}");
        }
    }
}

#[test]
fn a_narrow_terminal_is_told_one_line_a_call() {
    let Some(screen) = on_terminal(79, &[], "tcp-echo demo") else { return };
    assert!(screen.contains(" client A connect "), "{screen}");
    assert!(!screen.contains('│'), "{screen}");
}

#[test]
fn without_a_terminal_there_is_one_column() {
    let piped = String::from_utf8(run(&["tcp-echo", "demo"], b"").stdout).unwrap();
    assert!(piped.contains(" client A connect "), "{piped}");
    assert!(!piped.contains('│'), "{piped}");
}

#[test]
fn in_ascii_the_columns_are_ascii() {
    let Some(screen) = on_terminal(100, &[], "select demo --ascii") else { return };
    assert!(screen.is_ascii() && screen.contains(" | A socket(3)"), "{screen}");
}

/// The demo writes more than a terminal holds unread, so it is still writing when the window changes.
#[test]
fn a_window_may_be_resized_between_lines() {
    let Some(screen) = on_terminal(100, &["listen(", "resize 140"], "ftp demo -vv") else {
        return;
    };
    let mut middles: Vec<usize> = told(&screen).iter().map(|line| halves(line).2).collect();
    middles.dedup();
    assert_eq!(middles.len(), 2, "the line between the columns was in columns {middles:?}");
    assert!(middles[0] < middles[1], "{middles:?}");
}

#[test]
fn a_demo_is_told_call_by_call_at_a_key() {
    // The next word is on the screen only because of the key before it.
    let steps = ["Ctrl-C", " ", "socket(", " ", "setsockopt(", "x", "bind(", "c"];
    let Some(screen) = on_terminal(100, &steps, "tcp-echo demo --step") else { return };
    let told = told(&screen);
    assert!(told.len() > 10 && screen.contains("shutdown("), "{screen}");
}

#[test]
fn ctrl_c_ends_a_demo_that_waits_for_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut terminal) = common::terminal(&["Ctrl-C", " ", "socket", "\x03"]) else { return };
    terminal.arg(env!("CARGO_BIN_EXE_netplay")).args(["tcp-echo", "demo", "--step"]);
    let output = finish(terminal.env("TMPDIR", folder.path()), b"");
    let screen = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{screen}");
    assert!(!screen.contains("netplay:") && !screen.contains(" bind "), "{screen}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the demo's folder stays behind");
}

#[test]
fn a_demo_told_slowly_takes_its_time_and_tells_the_same() {
    let calls = |options: &[&str]| {
        let output = run(&[&["tcp-echo", "demo"], options].concat(), b"");
        assert!(output.status.success(), "{output:?}");
        let told = String::from_utf8(output.stdout).unwrap();
        let mut times =
            told.lines().filter_map(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        (told.matches(" client A ").count(), times.next_back().unwrap())
    };
    let (usual, _) = calls(&[]);
    let begun = std::time::Instant::now();
    let (slowly, last) = calls(&["--slow", "3"]);
    assert_eq!(usual, slowly);
    assert!(begun.elapsed().as_secs_f64() > 3.0 * last, "{:?} for {last} s", begun.elapsed());
}

#[test]
fn a_pace_that_cannot_be_is_refused() {
    let said = common::Said::on("demo_pace");
    for (case, options) in [
        ("no terminal", &["tcp-echo", "demo", "--step"][..]),
        ("no story", &["tcp-echo", "demo", "--slow", "2", "-q"]),
        ("the tour", &["demo", "--step"]),
    ] {
        said.fails(case, &run(options, b""), 2);
    }
}

/// A busy loop makes thousands of calls in a demo: each of them is in the trace, as strace counts.
#[test]
fn a_flood_of_calls_loses_no_record() {
    if !have("strace") {
        return skip("no strace");
    }
    let folder = tempfile::tempdir().unwrap();
    let (calls, trace) = (folder.path().join("calls"), folder.path().join("trace.jsonl"));
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=accept4,recvfrom,sendto", "-o"]).arg(&calls);
    command.arg(env!("CARGO_BIN_EXE_netplay")).args(["nonblocking", "demo", "-q", "--trace"]);
    let output = finish(command.arg(&trace).env("LC_ALL", "C.UTF-8"), b"");
    let stderr = String::from_utf8_lossy(&output.stderr);
    if stderr.contains("ptrace") {
        return skip("no strace that may trace");
    }
    assert!(output.status.success(), "{stderr}");
    let mut counted: HashMap<(i32, String), u32> = HashMap::new();
    let calls = fs::read_to_string(&calls).unwrap();
    // The first is the demo's: the observer looks whether loopback is there, before there is a side.
    let observer = calls.split(' ').next().unwrap();
    for line in calls.lines().filter(|line| !line.starts_with(observer)) {
        // `4711 accept4(3, …`; the second half of a call that another process interrupted has no `(` there.
        let (tid, rest) = line.split_once(' ').unwrap();
        if let Some((call, _)) = rest.trim_start().split_once('(')
            && call.chars().all(|c| c.is_ascii_alphanumeric())
        {
            *counted.entry((tid.parse().unwrap(), call.to_owned())).or_default() += 1;
        }
    }
    let mut recorded: HashMap<(i32, String), u32> = HashMap::new();
    for line in fs::read_to_string(&trace).unwrap().lines() {
        let event: Event = serde_json::from_str(line).unwrap();
        let call = event.syscall.unwrap_or_default();
        if ["accept4", "recvfrom", "sendto"].contains(&call.as_str()) {
            *recorded.entry((event.tid, String::from(call))).or_default() += 1;
        }
    }
    assert!(recorded.values().sum::<u32>() > 100, "this is no flood: {recorded:?}");
    assert_eq!(recorded, counted, "left: the trace; right: strace");
}

/// Of a run of EAGAINs the story tells one and counts the others: what it counts is in the trace.
#[test]
fn the_story_and_the_trace_count_the_same_calls() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.jsonl");
    let mut command = netplay();
    command.args(["nonblocking", "demo", "--trace"]).arg(&trace);
    let output = finish(&mut command, b"");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let story = String::from_utf8(output.stdout).unwrap();
    let told = story.lines().filter(|line| line.contains("(EAGAIN)")).count();
    let counted =
        story.lines().filter_map(|line| line.split_once("... EAGAIN ")?.1.split_once(' '));
    let counted: usize =
        counted.map(|(more, _)| more.replace(',', "").parse::<usize>().unwrap()).sum();
    let recorded = fs::read_to_string(&trace).unwrap();
    let recorded = recorded.lines().filter(|line| line.contains("\"errno\":\"EAGAIN\"")).count();
    assert!(recorded > 100, "this is no flood: {recorded}");
    assert_eq!(told + counted, recorded, "left: the story; right: the trace");
}
