//! `netplay grade`: each test is passed by a right program, and failed by one with the mistake that it is about.

use std::path::Path;
use std::process::Output;

use crate::common::{finish, netplay, strace_may_trace as may_trace, text};

/// Runs the tests of this pattern on one of our programs.
fn graded(program: &str, mistake: &str, options: &[&str]) -> Option<(Output, serde_json::Value)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/grade").join(program);
    let path = path.to_str().unwrap();
    graded_command(&["/usr/bin/python3", path, mistake, "{host}", "{port}"], options)
}

/// The same on any program.
fn graded_command(command: &[&str], options: &[&str]) -> Option<(Output, serde_json::Value)> {
    if !may_trace() {
        return None;
    }
    let mut run = netplay();
    run.args(["grade", "--format", "json", "--seed", "7"]).args(options).arg("--").args(command);
    let output = finish(&mut run, b"");
    let found = serde_json::from_slice(&output.stdout).unwrap_or_default();
    Some((output, found))
}

/// The verdict of each test that was made, and its rule.
fn verdicts(found: &serde_json::Value) -> Vec<(String, String, Option<String>)> {
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let tests = found["tests"].as_array().expect("there are tests");
    let one = |test: &serde_json::Value| {
        Some((text(&test["id"])?, text(&test["verdict"])?, text(&test["rule"])))
    };
    tests.iter().filter_map(one).collect()
}

const LINE: &[&str] = &["--protocol", "line"];
const UDP: &[&str] = &["--model", "udp"];
const CLIENT: &[&str] = &["--client"];

/// A test, a program that fails it, and the mistake that is named.
const PLANTED: &[(&str, &str, &[&str], Option<&str>)] = &[
    ("starts/listens", "another-port", &[], None),
    ("starts/address", "every-address", &[], None),
    ("starts/restarts", "no-reuseaddr", &[], Some("address-in-use")),
    ("starts/stops", "deaf", &[], None),
    ("starts/stops", "leaves-a-child", &[], None),
    ("bytes/one", "nothing", &[], None),
    ("bytes/slowly", "line-a-recv", LINE, Some("short-recv")),
    ("bytes/together", "one-line-a-recv", LINE, Some("merged-sends")),
    ("bytes/cut", "line-a-recv", LINE, Some("short-recv")),
    ("bytes/slowly", "one-request", &[], Some("short-recv")),
    ("bytes/cut", "one-request", &[], Some("short-recv")),
    ("bytes/large", "one-send", &[], Some("short-send")),
    ("bytes/large", "drops-when-full", &[], Some("short-send")),
    ("bytes/large", "one-request", &[], Some("reset-by-unread")),
    ("bytes/binary", "text", &[], None),
    ("ends/half-close", "never-closes", &[], Some("end-ignored")),
    ("ends/half-close", "forgets-to-close", &[], Some("end-ignored")),
    ("ends/half-close", "one-request", &[], Some("reset-by-unread")),
    ("ends/half-close", "spins-at-the-end", &[], Some("busy-loop")),
    ("ends/quietly", "dies-of-silence", &[], None),
    ("ends/middle", "line-dies-in-the-middle", LINE, None),
    ("ends/reset", "dies-of-reset", &[], None),
    ("ends/before-reply", "dies-of-pipe", &[], Some("dead-peer")),
    ("many/silent", "receives-at-once", &[], Some("blocked-behind")),
    ("many/slow-reader", "select", &[], Some("blocked-behind")),
    ("many/hundred", "iterative", &[], Some("blocked-behind")),
    ("many/fd-1024", "select", &[], None),
    ("many/descriptors", "spins-without-descriptors", &[], Some("busy-loop")),
    ("many/leak", "leaks", &[], Some("descriptor-leak")),
    ("many/leak", "zombies", &[], Some("zombies")),
    ("many/idle", "polls", &[], Some("busy-loop")),
    ("many/idle", "waits-to-write", &[], Some("busy-loop")),
    ("kernel/short-recv", "line-a-recv", LINE, Some("short-recv")),
    ("kernel/short-send", "one-send", &[], Some("short-send")),
    ("kernel/eintr", "ends-by-eintr", &[], Some("again-as-end")),
    ("kernel/aborted", "dies-of-abort", &[], None),
    ("udp/empty", "udp-empty", UDP, None),
    ("udp/large", "udp-short", UDP, Some("datagram-cut")),
    ("udp/two-peers", "udp-first-peer", UDP, None),
    ("udp/burst", "udp-slow", UDP, None),
    ("udp/unreachable", "udp-dies-of-icmp", UDP, None),
    ("client/short-recv", "one-recv", CLIENT, Some("short-recv")),
    ("client/merged", "one-answer", CLIENT, None),
    ("client/half-close", "ignores-the-end", CLIENT, Some("end-ignored")),
    ("client/half-close", "sleeps-at-the-end", CLIENT, Some("end-ignored")),
    ("client/half-close", "readline", CLIENT, None),
    ("client/reset", "dies-of-reset", CLIENT, None),
    ("client/reset", "shows-what-it-has", CLIENT, None),
    ("client/slow-server", "in-a-hurry", CLIENT, None),
    ("client/refused", "refused-for-ever", CLIENT, None),
    ("client/never-answers", "for-ever", CLIENT, None),
];

/// A test that no program here fails would prove nothing.
#[test]
fn every_test_has_a_program_that_fails_it() {
    let listed = finish(netplay().args(["grade", "--list", "--format", "json"]), b"");
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let ids: Vec<&str> = listed["tests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| test["id"].as_str().unwrap())
        .collect();
    assert!(ids.len() > 30, "{ids:?}");
    let planted = |id: &&str| PLANTED.iter().any(|(test, ..)| test == id);
    let without: Vec<&str> = ids.iter().copied().filter(|id| !planted(id)).collect();
    assert!(without.is_empty(), "no program fails {without:?}");
    let unknown: Vec<_> = PLANTED.iter().filter(|(test, ..)| !ids.contains(test)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn each_test_of_one_client_is_failed_by_its_mistake() {
    each_is_failed(&["starts", "bytes", "ends"]);
}

#[test]
fn each_test_of_many_clients_is_failed_by_its_mistake() {
    each_is_failed(&["many", "kernel", "udp"]);
}

#[test]
fn each_test_of_a_client_is_failed_by_its_mistake() {
    each_is_failed(&["client"]);
}

fn each_is_failed(groups: &[&str]) {
    let mut wrong = Vec::new();
    let of_groups = PLANTED.iter().filter(|(test, ..)| {
        test.split_once('/').is_some_and(|(group, _)| groups.contains(&group))
    });
    for &(test, mistake, options, rule) in of_groups {
        let program = if options == CLIENT { "clients.py" } else { "servers.py" };
        let options = [options, &["--only", test]].concat();
        let Some((output, found)) = graded(program, mistake, &options) else { return };
        let is = verdicts(&found);
        let expected = (test.to_owned(), "fail".to_owned(), rule.map(str::to_owned));
        if is != [expected] || output.status.code() != Some(3) {
            let sentence = found["tests"][0]["sentence"].to_string();
            wrong.push(format!("{test} {mistake}: {is:?} {sentence} {}", text(&output.stderr)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each by its own model: it fails nothing, and does not do less than it can.
fn our_server_passes(model: &str, server: &str, options: &[&str]) {
    let own = env!("CARGO_BIN_EXE_netplay");
    let command = [&[own, server, "server", "{host}", "{port}", "--reply", "echo", "-q"], options];
    let Some((output, found)) = graded_command(&command.concat(), &["--model", model]) else {
        return;
    };
    let is = verdicts(&found);
    let not = is.iter().filter(|(_, verdict, _)| !matches!(verdict.as_str(), "pass" | "skipped"));
    let not: Vec<_> = not.map(|(test, verdict, _)| (test.as_str(), verdict.as_str())).collect();
    // Descriptors from 1,024 on do not fit a set of select (select(2)).
    let known = if server == "select" { &[("many/fd-1024", "non-strict")][..] } else { &[] };
    assert!(not == known && output.status.success(), "{server} {options:?}: {found:#}");
    assert!(is.len() > 5, "{server}: {found:#}");
}

/// As many as the tests bring.
const CROWD: &[&str] = &["--max-clients", "2000"];

#[test]
fn our_servers_of_one_client_at_a_time_pass() {
    our_server_passes("iterative", "tcp-echo", &[]);
    our_server_passes("iterative", "iterative", &["--tcp"]);
    our_server_passes("iterative", "prefork", &[]);
    our_server_passes("iterative", "pool", &[]);
}

#[test]
fn our_servers_of_a_process_or_thread_each_pass() {
    our_server_passes("concurrent", "fork", CROWD);
    our_server_passes("concurrent", "thread", CROWD);
    our_server_passes("concurrent", "handler", &[CROWD, &["--style", "threading"]].concat());
}

#[test]
fn our_servers_of_one_thread_for_all_pass() {
    for server in ["select", "poll", "epoll", "io-uring"] {
        our_server_passes("concurrent", server, CROWD);
    }
}

#[test]
fn our_servers_of_datagrams_pass() {
    for (server, options) in
        [("udp-echo", &[][..]), ("iterative", &[]), ("handler", &["--udp", "--style", "threading"])]
    {
        let whole = &["--bufsize", "65535"]; // of any datagram
        our_server_passes("udp", server, &[options, whole].concat());
    }
}

/// A right server passes, and one that takes a part of a message for the whole is told where it is cut.
#[test]
fn the_protocols_in_the_examples_are_spoken() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/protocols");
    let protocol = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    for (file, right, wrong) in [
        ("length-prefixed.toml", "prefixed", "prefixed-one-recv"),
        ("fixed-size.toml", "fixed", "fixed-one-recv"),
    ] {
        let file = protocol(file);
        let options = ["--protocol", &file, "--only", "bytes", "--only", "ends"];
        let Some((output, found)) = graded("servers.py", right, &options) else { return };
        assert!(output.status.success(), "{file}: {found:#}");
        let options = ["--protocol", &file, "--only", "bytes/cut"];
        let Some((_, found)) = graded("servers.py", wrong, &options) else { return };
        assert_eq!(verdicts(&found)[0].1, "fail", "{file}: {found:#}");
    }
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("notes.txt"), "the sea\n").unwrap();
    let file = protocol("mini-ftp.toml");
    let options =
        ["--protocol", &file, "--model", "iterative", "--only", "bytes", "--only", "ends"];
    let own = [env!("CARGO_BIN_EXE_netplay"), "mini-ftp", "server", "{host}", "{port}", "-q"];
    let command = [&own[..], &["--root", root.path().to_str().unwrap()]].concat();
    let Some((output, found)) = graded_command(&command, &options) else { return };
    assert!(output.status.success(), "{found:#}");
}

/// A server that closes after one answer fails three exchanges with or without a signal: no accusation comes of it.
#[test]
fn what_fails_without_a_change_is_not_blamed_on_it() {
    let options = ["--only", "kernel/eintr", "--only", "kernel/short-recv"];
    let Some((output, found)) = graded("servers.py", "one-request", &options) else { return };
    let is: Vec<String> = verdicts(&found).into_iter().map(|(_, verdict, _)| verdict).collect();
    assert_eq!(is, ["skipped", "skipped"], "{found:#}");
    assert!(output.status.success(), "{output:?}");
}

/// A server that should speak first is not said to owe an answer.
#[test]
fn a_missing_greeting_is_told_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("greeted.toml");
    let protocol = "[greeting]\nexpect = 'hello'\n[[exchange]]\nsend = 'abc'\nexpect = 'abc'\n";
    std::fs::write(&file, protocol).unwrap();
    let options = ["--protocol", file.to_str().unwrap(), "--only", "bytes/one"];
    let Some((_, found)) = graded("servers.py", "greeted-late", &options) else { return };
    let sentence = found["tests"][0]["sentence"].to_string();
    assert!(sentence.contains("greeting") && !sentence.contains("answer"), "{sentence}");
    let Some((output, _)) = graded("servers.py", "greeted", &options) else { return };
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_program_that_fills_the_memory_is_killed_and_that_is_said() {
    let tests = ["--only", "starts/listens"];
    let Some((output, found)) = graded("servers.py", "hoards", &tests) else { return };
    let sentence = found["tests"][0]["sentence"].to_string();
    assert!(sentence.contains("MiB"), "{sentence}");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn right_programs_fail_nothing() {
    for (program, mistake, options) in [
        ("servers.py", "none", &["--only", "starts", "--only", "many"][..]),
        ("servers.py", "none", &["--only", "bytes", "--only", "ends", "--only", "kernel"]),
        ("servers.py", "line", &["--protocol", "line", "--only", "bytes", "--only", "kernel"]),
        ("servers.py", "udp", UDP),
        ("clients.py", "none", &["--client", "--skip", "client/never-answers"]),
        ("clients.py", "pipelines", &["--client", "--only", "client/merged"]),
    ] {
        let Some((output, found)) = graded(program, mistake, options) else { return };
        let bad: Vec<_> =
            verdicts(&found).into_iter().filter(|(_, verdict, _)| verdict == "fail").collect();
        assert!(bad.is_empty() && output.status.success(), "{mistake}: {bad:?} {found:#}");
    }
}

#[test]
fn what_cannot_be_graded_says_why() {
    if !may_trace() {
        return;
    }
    let code = |words: &[&str]| finish(netplay().arg("grade").args(words), b"").status.code();
    assert_eq!(code(&["--", "no-such-command", "{port}"]), Some(1));
    assert_eq!(code(&["--only", "bytes/nothing", "--", "true"]), Some(2));
    assert_eq!(code(&["--protocol", "/no/such/file", "--", "true"]), Some(2));
    assert_eq!(code(&[]), Some(2));
    assert_eq!(code(&["--trace", "trace.jsonl", "--", "true"]), Some(2));
    assert_eq!(code(&["--list"]), Some(0));
}

/// The tracer's clock ticks by a signal, also at the moment at which a program and its tracer end.
#[test]
fn the_verdicts_stay_the_same() {
    for _ in 0..20 {
        let options = ["--only", "starts/listens", "--only", "bytes/one", "--only", "bytes/cut"];
        let Some((output, found)) = graded("servers.py", "none", &options) else { return };
        let passed = |(_, verdict, _): &(String, String, Option<String>)| verdict == "pass";
        let is = verdicts(&found);
        assert!(output.status.success() && is.len() == 3 && is.iter().all(passed), "{output:?}");
    }
}

/// A folder in which there is room for pages, and what was written there.
fn paged(test: &str, mistake: &str, options: &[&str]) -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("deep/pages").display().to_string();
    let options = [options, &["--only", test, "-o", &pages]].concat();
    let (output, _) = graded("servers.py", mistake, &options)?;
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    Some(folder)
}

#[test]
fn a_failure_has_a_page_and_a_trace_of_both_ends() {
    let Some(folder) = paged("many/leak", "leaks", &[]) else { return };
    let of = |name: &str| folder.path().join("deep/pages").join(name);
    let read = |name: &str| std::fs::read_to_string(of(name)).unwrap();
    let index = read("index.html");
    assert!(index.contains("<a href=\"many-leak.html\">many/leak</a>"), "{index}");
    assert!(index.contains("descriptor-leak") && index.contains(" lab limits<"), "{index}");
    let page = read("many-leak.html");
    for part in ["descriptor-leak", "--only many/leak --seed 7", "many-leak.jsonl", "data-call="] {
        assert!(page.contains(part), "the page has no {part}");
    }
    // Without its script the page shows the calls around the first of those that prove the cause.
    let table = page.split("<noscript>").nth(1).unwrap().split("</noscript>").next().unwrap();
    assert_eq!(table.matches("<tr>").count(), 501);
    assert!(table.contains("<td>◆ accept(3)"), "no call is marked");
    let records: Vec<serde_json::Value> =
        read("many-leak.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_role = |role: &str| {
        records.iter().filter(|one| one["role"] == role && one["kind"] == "call").count()
    };
    assert!(of_role("grader") > 1000 && of_role("servers.py") > 1000, "both ends");
    let trace = of("many-leak.jsonl");
    let review = finish(netplay().args(["review", "--json"]).arg(&trace), b"");
    let review: serde_json::Value = serde_json::from_slice(&review.stdout).unwrap();
    assert_eq!(review["findings"][0]["rule"], "descriptor-leak");
    let made: Vec<_> = std::fs::read_dir(of("")).unwrap().collect();
    assert_eq!(made.len(), 3, "{made:?}");
}

/// The processes that any thread of this one has started.
fn children(pid: u32) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().flat_map(str::parse).collect::<Vec<_>>())
        .collect()
}

/// Interrupted in the midst of its tests: no program stays behind, and an index without its last tests is not taken for a whole grade.
#[test]
fn ctrl_c_ends_a_grade_in_order() {
    const UNFINISHED: &str = "not complete";
    if !may_trace() {
        return;
    }
    for watched in [&[][..], &["--no-watch"]] {
        let folder = tempfile::tempdir().unwrap();
        let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/grade/servers.py");
        let mut run = netplay();
        run.args(["grade", "--only", "starts/listens", "--only", "many/idle"]).args(watched);
        run.arg("-o").arg(folder.path()).args(["--", "/usr/bin/python3"]).arg(servers);
        run.args(["none", "{host}", "{port}"]);
        run.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
        let mut run = run.spawn().unwrap();
        let mut lines = std::io::BufReader::new(run.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("starts/listens") {
            assert!(std::io::BufRead::read_line(&mut lines, &mut said).unwrap() > 0, "{said}");
        }
        // The next test has started its program.
        let run_id = run.id();
        let children = || children(run_id);
        crate::common::until("a program is tested", || !children().is_empty());
        let tested = children();
        let pid = nix::unistd::Pid::from_raw(run.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        std::io::Read::read_to_string(&mut lines, &mut said).unwrap();
        assert_eq!(crate::common::wait(&mut run).code(), Some(130), "{said}");
        let runs = |pid: &i32| {
            let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
            command.is_ok_and(|command| command.contains("servers.py"))
        };
        assert!(!tested.iter().any(runs), "{tested:?}");
        let index = || std::fs::read_to_string(folder.path().join("index.html")).unwrap();
        assert!(index().contains(UNFINISHED), "{}", index());
        let place = folder.path().display().to_string();
        let options = ["--only", "starts/listens", "--only", "starts/address", "-o", &place];
        let (output, _) = graded("servers.py", "none", &options).unwrap();
        assert!(output.status.success() && !index().contains(UNFINISHED), "{}", index());
    }
}

#[test]
fn only_pages_of_netplay_are_overwritten() {
    let Some(folder) = paged("bytes/one", "nothing", &[]) else { return };
    let pages = folder.path().join("deep/pages");
    let there = |name: &str| pages.join(name).exists();
    std::fs::write(pages.join("notes.txt"), "mine").unwrap();
    let place = pages.display().to_string();
    let again =
        |mistake: &str| graded("servers.py", mistake, &["--only", "bytes/one", "-o", &place]);
    let code = |mistake: &str| again(mistake).unwrap().0.status.code();
    // It is repaired: its page goes, what is not ours stays.
    assert!(there("bytes-one.html") && there("bytes-one.jsonl"));
    assert_eq!(code("none"), Some(0));
    assert!(!there("bytes-one.html") && !there("bytes-one.jsonl") && there("notes.txt"));
    // A page of the user's own is refused before any test is made.
    std::fs::write(pages.join("bytes-cut.html"), "<p>mine</p>").unwrap();
    let (output, _) = again("none").unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(text(&output.stderr).contains("bytes-cut.html"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_to_string(pages.join("bytes-cut.html")).unwrap(), "<p>mine</p>");
    let file = pages.join("notes.txt").display().to_string();
    let (output, _) = graded("servers.py", "none", &["-o", &file]).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
}

/// What a program sends and writes is text on the page, and nothing else.
#[test]
fn a_page_shows_what_programs_say_as_text() {
    let Some(folder) = paged("bytes/one", "markup", &[]) else { return };
    let page = std::fs::read_to_string(folder.path().join("deep/pages/bytes-one.html")).unwrap();
    let index = std::fs::read_to_string(folder.path().join("deep/pages/index.html")).unwrap();
    assert!(page.matches("&lt;img").count() > 3, "its errors are there");
    for page in [&page, &index] {
        assert!(!page.contains("<img") && !page.contains('\u{1b}'), "{page}");
        assert!(page.contains("&lt;img"));
    }
}

#[test]
fn without_watching_a_page_says_whose_calls_it_has() {
    let Some(folder) = paged("bytes/one", "nothing", &["--no-watch"]) else { return };
    let pages = folder.path().join("deep/pages");
    for page in ["index.html", "bytes-one.html"] {
        let page = std::fs::read_to_string(pages.join(page)).unwrap();
        assert!(page.contains("(--no-watch)"));
    }
    let trace = std::fs::read_to_string(pages.join("bytes-one.jsonl")).unwrap();
    assert!(!trace.is_empty() && trace.lines().all(|line| line.contains("\"role\":\"grader\"")));
}

#[test]
fn a_grade_without_any_test_is_a_wrong_command_line() {
    for options in [
        &["--only", "udp"][..],
        &["--client", "--only", "bytes"],
        &["--only", "starts/listens", "--skip", "starts"],
    ] {
        let mut grade = crate::common::netplay();
        let output = finish(grade.arg("grade").args(options).args(["--", "true"]), b"");
        assert_eq!(output.status.code(), Some(2), "{options:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_client_needs_no_time_limit_that_the_grade_has_not() {
    let options = [CLIENT, &["--only", "client/never-answers", "--timeout", "3"]].concat();
    let Some((output, found)) = graded("clients.py", "for-ever", &options) else { return };
    assert_eq!(verdicts(&found), [("client/never-answers".into(), "skipped".into(), None)]);
    assert!(output.status.success(), "{output:?}");
}
