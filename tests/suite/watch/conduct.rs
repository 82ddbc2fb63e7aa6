//! Who starts when, how all of it ends, and what netplay may change in between.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use netplay::trace::{Event, Kind};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::{compiled, events, may_trace, source, watch};
use crate::common::{
    self, Nobody, Said, ask, finish, have, netplay, skip, terminal, text, until, wait,
};

const PYTHON: &str = "/usr/bin/python3";

/// A folder, and the programs that meet there.
struct Stage {
    folder: TempDir,
}

impl Stage {
    /// `None` where it cannot be: the caller returns.
    fn new() -> Option<Stage> {
        if !Path::new(PYTHON).exists() {
            skip("no /usr/bin/python3");
            return None;
        }
        may_trace().then(|| Stage { folder: TempDir::new().unwrap() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn trace(&self) -> PathBuf {
        self.path("trace")
    }

    fn events(&self) -> Vec<Event> {
        events(&self.trace())
    }

    /// One of the two programs, waiting in this way.
    fn program(&self, name: &str, way: &str) -> Vec<String> {
        let (source, file) = (source(name), self.path("port"));
        [PYTHON, source.to_str().unwrap(), way, file.to_str().unwrap()].map(String::from).to_vec()
    }

    fn command(&self, options: &[&str], way: &str, clients: usize) -> Command {
        let mut command = watch(&self.trace(), options);
        command.args(self.program("servers.py", way));
        for _ in 0..clients {
            command.arg("::").args(self.program("clients.py", way));
        }
        command
    }

    fn run(&self, options: &[&str], way: &str, clients: usize) -> Output {
        finish(&mut self.command(options, way, clients), b"")
    }
}

const LINES: &str = "one\na longer line\nthe last of three lines\n";

fn calls<'a>(events: &'a [Event], role: &str) -> Vec<&'a Event> {
    let of = |event: &&Event| event.kind == Kind::Call && &*event.role == role;
    events.iter().filter(of).collect()
}

fn notes(events: &[Event], role: &str) -> String {
    let of = |event: &&Event| event.kind == Kind::Note && &*event.role == role;
    let notes: Vec<&str> =
        events.iter().filter(of).map(|event| event.text.as_deref().unwrap()).collect();
    notes.join("\n")
}

#[test]
fn a_program_starts_when_the_one_before_waits_for_it() {
    let said = Said::on("watch_conduct");
    for way in ["accept", "poll", "select", "asyncio", "udp", "prefork", "ends"] {
        let Some(stage) = Stage::new() else { return };
        let run = stage.run(&[], way, 1);
        assert!(run.status.success() && run.stderr.is_empty(), "{way}: {run:?}");
        let events = stage.events();
        if way != "ends" {
            assert_eq!(text(&run.stdout), LINES, "{way}");
            let case =
                if way == "prefork" { "it leaves children" } else { "the first is asked to end" };
            said.add(case, &notes(&events, "servers.py"));
        }
        let first = calls(&events, "clients.py")[0];
        let before = calls(&events, "servers.py");
        let waited = before.iter().any(|call| {
            let waits = ["accept", "poll", "select", "epoll_wait", "recvfrom"];
            let is_wait = waits.contains(&call.call.as_deref().unwrap());
            // asyncio asks first, and then waits.
            let on = way == "asyncio" || call.start_ns + call.dur_ns > first.start_ns;
            is_wait && call.start_ns < first.start_ns && on
        });
        let ended =
            events.iter().any(|event| event.kind == Kind::Note && event.start_ns < first.start_ns);
        assert!(if way == "ends" { ended } else { waited }, "{way}");
    }
}

#[test]
fn a_client_starts_when_the_client_before_it_has_ended() {
    let Some(stage) = Stage::new() else { return };
    let run = stage.run(&[], "accept", 2);
    assert!(run.status.success(), "{run:?}");
    assert_eq!(text(&run.stdout), LINES.repeat(2));
    let events = stage.events();
    let (one, two) = (calls(&events, "clients.py"), calls(&events, "clients.py 2"));
    assert!(one.last().unwrap().start_ns < two[0].start_ns);
}

/// This one waits for a signal, not for a client.
#[test]
fn after_a_time_the_next_one_starts_anyway() {
    let Some(stage) = Stage::new() else { return };
    let mut run = stage.command(&["--after", "0.5"], "pauses", 1);
    let run = finish(&mut run, b"");
    // The file may not be there yet on a slow machine: that is what waiting for a time is like.
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    assert!(!calls(&stage.events(), "clients.py").is_empty());
}

#[test]
fn a_server_that_is_deaf_to_sigterm_is_killed() {
    let Some(stage) = Stage::new() else { return };
    let run = stage.run(&[], "deaf", 1);
    assert!(run.status.success(), "{run:?}");
    Said::on("watch_deaf").add("the first does not end", &notes(&stage.events(), "servers.py"));
}

/// A proxy waits for clients as a server does: it ends with the servers, and before the one that it needs.
#[test]
fn when_the_last_client_has_ended_servers_end_in_reverse_order() {
    let Some(stage) = Stage::new() else { return };
    let mut run = stage.command(&[], "accept", 0);
    let (proxy, port) = (source("proxy.py"), stage.path("proxy"));
    run.args(["::", PYTHON]).arg(proxy).arg(stage.path("port")).arg(&port);
    for _ in 0..2 {
        run.args(["::", PYTHON]).arg(source("clients.py")).arg("accept").arg(&port);
    }
    let run = finish(&mut run, b"");
    assert!(run.status.success() && run.stderr.is_empty(), "{run:?}");
    assert_eq!(text(&run.stdout), LINES.repeat(2));
    let events = stage.events();
    let said = Said::on("watch_proxy");
    said.add("the proxy", &notes(&events, "proxy.py"));
    said.add("the server", &notes(&events, "servers.py"));
    let ended = |role: &str| {
        let mut of = events.iter();
        of.position(|event| {
            &*event.role == role
                && event.value.as_deref().is_some_and(|it| it.starts_with("killed"))
        })
        .unwrap()
    };
    assert!(ended("proxy.py") < ended("servers.py"));
}

/// A client that ends without waiting for an answer is served nevertheless.
#[test]
fn a_server_has_time_for_what_its_last_client_sent() {
    let Some(stage) = Stage::new() else { return };
    let run = stage.run(&[], "late", 1);
    assert!(run.status.success() && run.stderr.is_empty(), "{run:?}");
    assert_eq!(text(&run.stdout), "499999500000\n");
}

/// What is waited for is said after a while, with the way out.
#[test]
fn a_program_that_does_not_start_is_named() {
    let said = Said::on("watch_waits");
    for (lang, case) in [("en", "a server that never waits"), ("zh", "the same in Chinese")] {
        let Some(stage) = Stage::new() else { return };
        let mut run = netplay();
        run.args(["watch", "--no-review", "--lang", lang, "--"]);
        run.args(stage.program("servers.py", "pauses")).arg("::");
        run.args(stage.program("clients.py", "pauses"));
        let (story, log) = (stage.path("story"), stage.path("story"));
        let mut run = run.stderr(fs::File::create(&story).unwrap()).spawn().unwrap();
        let told = || fs::read_to_string(&log).unwrap();
        until("it is said", || told().lines().any(|line| line.starts_with("netplay: ")));
        kill(Pid::from_raw(run.id().cast_signed()), Signal::SIGTERM).unwrap();
        assert_eq!(wait(&mut run).code(), Some(143));
        said.add(case, &common::errors(&told()));
    }
}

/// As a job in the background of a script: kill -INT must not wait for what ignores it.
#[test]
fn a_program_that_ignores_sigint_is_ended_by_sigterm() {
    let Some(stage) = Stage::new() else { return };
    let mut run = Command::new("sh");
    run.args(["-c", "trap '' INT; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_netplay")]);
    run.args(["watch", "-q", "--"]).args(stage.program("servers.py", "accept"));
    let mut run = run.spawn().unwrap();
    until("the server listens", || stage.path("port").exists());
    kill(Pid::from_raw(run.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(wait(&mut run).code(), Some(128 + libc::SIGTERM));
}

#[test]
fn keep_leaves_the_first_running() {
    let Some(stage) = Stage::new() else { return };
    let mut run = stage.command(&["--keep"], "accept", 1);
    let mut run = run.stdout(Stdio::null()).stdin(Stdio::null()).spawn().unwrap();
    until("the client has ended", || {
        notes(&stage.events(), "clients.py").contains(char::is_alphanumeric)
    });
    let events = stage.events();
    let server = calls(&events, "servers.py")[0].pid;
    assert_eq!(notes(&events, "servers.py"), "");
    kill(Pid::from_raw(server), Signal::SIGTERM).unwrap();
    assert!(wait(&mut run).success());
}

/// Who waits for what is on record before anybody is ended, with the state of his socket.
#[test]
fn when_the_time_is_over_unfinished_calls_are_told() {
    let Some(stage) = Stage::new() else { return };
    let run = stage.run(&["--timeout", "1"], "accept", 0);
    let said = Said::on("watch_timeout");
    assert_eq!(run.status.code(), Some(128 + libc::SIGTERM), "{run:?}");
    said.add("netplay", &text(&run.stderr));
    let events = stage.events();
    let last = calls(&events, "servers.py").pop().unwrap();
    assert_eq!((last.call.as_deref(), last.ret), (Some("accept"), None));
    assert!(last.state.is_some(), "{last:?}");
    assert_eq!(notes(&events, "servers.py"), "", "its end is netplay's doing");
}

#[test]
fn when_the_time_is_over_a_running_process_lives_on() {
    let Some(stage) = Stage::new() else { return };
    let server = stage.program("servers.py", "accept");
    let mut server = Command::new(&server[0]).args(&server[1..]).spawn().unwrap();
    until("the server listens", || stage.path("port").exists());
    let pid = server.id().to_string();
    let run = finish(netplay().args(["watch", "-q", "--timeout", "0.5", "-p", &pid]), b"");
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    assert!(server.try_wait().unwrap().is_none(), "it runs on");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_running_process_is_watched_and_lives_on() {
    let Some(stage) = Stage::new() else { return };
    let server = stage.program("servers.py", "accept");
    let mut server = Command::new(&server[0]).args(&server[1..]).spawn().unwrap();
    until("the server listens", || stage.path("port").exists());
    let pid = server.id().to_string();
    let mut watching = netplay();
    watching.args(["watch", "-q", "-p", &pid, "--trace"]).arg(stage.trace());
    let mut watching = watching.spawn().unwrap();
    let traced = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        !status.contains("TracerPid:\t0\n")
    };
    until("it is traced", traced);
    let ask = || {
        let client = stage.program("clients.py", "accept");
        let client = finish(Command::new(&client[0]).args(&client[1..]), b"");
        assert_eq!(text(&client.stdout), LINES);
    };
    ask();
    until("it was told", || {
        calls(&stage.events(), "servers.py")
            .iter()
            .any(|call| call.call.as_deref() == Some("close"))
    });
    let watcher = Pid::from_raw(watching.id().cast_signed());
    kill(watcher, Signal::SIGINT).unwrap();
    assert_eq!(wait(&mut watching).code(), Some(130));
    until("it is traced no more", || !traced());
    ask();
    let _ = server.kill();
    let _ = server.wait();
    let events = stage.events();
    let told: Vec<&str> =
        calls(&events, "servers.py").iter().filter_map(|call| call.call.as_deref()).collect();
    let conversation = ["recv", "send", "recv", "send", "recv", "send", "recv", "close"];
    assert!(told.windows(conversation.len()).any(|calls| calls == conversation), "{told:?}");
}

/// Those that wait in a call already, and those that start later.
#[test]
fn all_threads_of_a_running_process_are_watched() {
    let Some(stage) = Stage::new() else { return };
    let server = stage.program("servers.py", "threads");
    let mut server = Command::new(&server[0]).args(&server[1..]).spawn().unwrap();
    until("the server listens", || stage.path("port").exists());
    let port = fs::read_to_string(stage.path("port")).unwrap().parse().unwrap();
    let connect = || common::connect((Ipv4Addr::LOCALHOST, port).into());
    let mut clients: Vec<_> = (0..3).map(|_| connect()).collect();
    for client in &mut clients {
        ask(client, b"before", 6);
    }
    let pid = server.id().to_string();
    let mut watching = netplay();
    watching.args(["watch", "-q", "-p", &pid, "--trace"]).arg(stage.trace());
    let mut watching = watching.spawn().unwrap();
    // A thread is first stopped where it is: what it received just before is not watched.
    until("each thread has a call told", || {
        for client in &mut clients {
            ask(client, b"again", 5);
        }
        let events = stage.events();
        let told = calls(&events, "servers.py");
        let receives = told.iter().filter(|it| it.call.as_deref() == Some("recv"));
        receives.map(|it| it.tid).collect::<BTreeSet<_>>().len() == clients.len()
    });
    clients.push(connect());
    for client in &mut clients {
        ask(client, b"watched", 7);
    }
    drop(clients);
    let closes = |events: &[Event]| {
        calls(events, "servers.py").iter().filter(|it| it.call.as_deref() == Some("close")).count()
    };
    until("all conversations have ended", || closes(&stage.events()) == 4);
    kill(Pid::from_raw(watching.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(wait(&mut watching).code(), Some(130));
    let _ = server.kill();
    let _ = server.wait();
    let events = stage.events();
    let count = |call: &str, bytes: u64| {
        let all = calls(&events, "servers.py");
        all.iter().filter(|it| it.call.as_deref() == Some(call) && it.bytes == Some(bytes)).count()
    };
    let counts =
        [("recv", 7), ("send", 7), ("recv", 0), ("recv", 6)].map(|(call, n)| count(call, n));
    assert_eq!(counts, [4, 4, 4, 0]);
    assert!(calls(&events, "servers.py").iter().all(|call| call.local.is_some()));
}

/// Asked to end, netplay asks its programs; killed, it takes them with it.
#[test]
fn no_program_outlives_netplay() {
    for (signal, code) in
        [(Signal::SIGTERM, Some(143)), (Signal::SIGINT, Some(130)), (Signal::SIGKILL, None)]
    {
        let Some(stage) = Stage::new() else { return };
        let way = if signal == Signal::SIGINT { "udp" } else { "accept" };
        let mut run = stage.command(&[], way, 0).spawn().unwrap();
        until("the server listens", || stage.path("port").exists());
        let server = super::children(run.id())[0];
        kill(Pid::from_raw(run.id().cast_signed()), signal).unwrap();
        let ended = wait(&mut run);
        // Python ends itself by the signal after it has handled it.
        assert_eq!(ended.code(), code, "{signal}: {ended:?}");
        until("the program has ended", || kill(Pid::from_raw(server), None).is_err());
    }
}

#[test]
fn a_program_that_is_right_gets_all_bytes_however_few_come() {
    let said = Said::on("watch_twists");
    for (twist, options) in [
        ("short reads", &["--short-reads", "3"][..]),
        ("short writes", &["--short-writes", "4"]),
        ("eintr", &["--eintr", "3", "--seed", "7"]),
        ("both", &["--short-reads", "1", "--short-writes", "1"]),
        ("eagain", &["--eagain", "3", "--seed", "2"]),
    ] {
        let way = if twist == "eagain" { "asyncio" } else { "accept" };
        let mut twisted = Vec::new();
        for _ in 0..2 {
            let Some(stage) = Stage::new() else { return };
            let run = stage.run(options, way, 1);
            assert!(run.status.success(), "{twist}: {run:?}");
            assert_eq!(text(&run.stdout), LINES, "{twist}");
            let events = stage.events();
            let notes = notes(&events, if twist == "eagain" { "servers.py" } else { "clients.py" });
            let mut one_each: Vec<&str> =
                notes.lines().filter(|line| line.contains("netplay")).collect();
            twisted.push(one_each.join("\n"));
            one_each.dedup();
            said.add(twist, one_each[0]);
        }
        assert_eq!(twisted[0], twisted[1], "{twist}: the same seed, the same calls");
    }
}

/// A right program makes an interrupted call again: with each one interrupted time after time, it would never get any further.
#[test]
fn no_call_is_interrupted_twice_in_a_row() {
    let Some(stage) = Stage::new() else { return };
    let run = stage.run(&["--eintr", "1"], "accept", 1);
    assert!(run.status.success(), "{run:?}");
    assert_eq!(text(&run.stdout), LINES);
    let events = stage.events();
    let all = calls(&events, "servers.py");
    let interrupted = |n: &usize| all[*n].errno.as_deref() == Some("EINTR");
    let places: Vec<usize> = (0..all.len()).filter(interrupted).collect();
    assert!(places.len() > 3, "{}", places.len());
    for n in places {
        let same = |at: &usize| (&all[*at].call, all[*at].fd) == (&all[n].call, all[n].fd);
        let next = (n + 1..all.len()).find(same).expect("it is made again");
        assert_eq!(all[next].errno, None, "{:?}", all[next]);
    }
}

/// Where epoll tells changes only, EAGAIN promises that the rest will be announced: Go would wait for it for ever.
#[test]
fn edge_triggered_sockets_are_left_alone() {
    if !may_trace() {
        return;
    }
    let Some(program) = super::go_program() else { return };
    let folder = TempDir::new().unwrap();
    let options = ["--eagain", "2", "--short-reads", "3", "--short-writes", "3"];
    let run = finish(watch(&folder.path().join("trace"), &options).arg(program), b"");
    assert!(run.status.success(), "{run:?}");
    assert_eq!(text(&run.stdout), "done\n");
}

#[test]
fn data_says_how_many_bytes_are_kept() {
    for (options, kept) in
        [(&["--data", "5"][..], "the l"), (&["--data", "0"], ""), (&[], "the last of three lines")]
    {
        let Some(stage) = Stage::new() else { return };
        assert!(stage.run(options, "accept", 1).status.success());
        let events = stage.events();
        let last = calls(&events, "clients.py")
            .into_iter()
            .rfind(|call| call.call.as_deref() == Some("send"));
        assert_eq!(last.unwrap().data.as_deref(), Some(kept), "{options:?}");
        assert_eq!(last.unwrap().bytes, Some(23));
    }
}

/// Each key lets one call begin; c lets all go on.
#[test]
fn step_holds_each_call_until_a_key() {
    let Some(program) = compiled("calls.c", false) else { return };
    let steps = [
        " call execve",
        " ",
        " call socket",
        " ",
        " call setsockopt",
        " ",
        " call getsockopt",
        "c",
    ];
    let Some(mut terminal) = terminal(&steps) else { return };
    terminal.arg(env!("CARGO_BIN_EXE_netplay")).args(["watch", "--step", "--"]);
    let output = finish(terminal.arg(program).arg("options"), b"");
    assert!(output.status.success(), "{output:?}");
}

/// The question for one call takes no part in how long others last.
#[test]
fn while_a_call_is_held_others_return_and_are_told() {
    let Some(program) = compiled("calls.c", false) else { return };
    let own = ["execve", "socket", "setsockopt", "bind", "listen", "getsockname", "poll"];
    let own = own.map(|call| format!(" call {call}"));
    let mut steps: Vec<&str> = own.iter().flat_map(|call| [call.as_str(), " "]).collect();
    // The next program is held at its first call, and nothing is typed until the first one's poll has returned.
    steps.extend([" call execve", "", "poll", "c"]);
    let Some(mut terminal) = terminal(&steps) else { return };
    terminal.arg(env!("CARGO_BIN_EXE_netplay")).args(["watch", "--step", "--"]);
    terminal.arg(&program).arg("listens").arg("::").arg(&program).arg("options");
    let output = finish(&mut terminal, b"");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_cannot_be_started_says_why() {
    if !may_trace() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let said = Said::on("watch_errors");
    said.hide(folder.path().display(), "[folder]");
    let file = |name: &str, text: &str| {
        common::script(text, &folder.path().join(name));
        folder.path().join(name).display().to_string()
    };
    let plain = folder.path().join("plain").display().to_string();
    fs::write(&plain, "no program").unwrap();
    let there = folder.path().display().to_string();
    let missing = folder.path().join("missing").display().to_string();
    let (text, odd) = (file("text", "just text\n"), file("odd", "#!/nonexistent/interpreter\n"));
    for (case, words, code) in [
        ("no such command", &["no-such-command"][..], 1),
        ("no such file", &[&missing], 1),
        ("a directory", &[&there], 1),
        ("not executable", &[&plain], 1),
        ("no program", &[&text], 1),
        ("no interpreter", &[&odd], 1),
        ("an empty word", &[""], 1),
        ("the second of two", &["true", "::", "no-such-command"], 1),
        ("nothing behind ::", &["true", "::"], 2),
        ("nothing before ::", &["::", "true"], 2),
        ("nothing between ::", &["true", "::", "::", "true"], 2),
    ] {
        said.fails(case, &finish(netplay().args(["watch", "-q", "--"]).args(words), b""), code);
    }
    for (case, options) in [
        ("no short reads", &["--short-reads", "0"][..]),
        ("no short writes", &["--short-writes", "-1"]),
        ("one in none", &["--eintr", "0"]),
        ("no number", &["--eagain", "often"]),
        ("no seed", &["--seed", "x"]),
        ("too much data", &["--data", "99999999"]),
        ("no time", &["--timeout", "soon"]),
        ("a time of 0", &["--timeout", "0"]),
        ("a negative time", &["--after", "-1"]),
        ("a step without a terminal", &["--step"]),
        ("a step without a story", &["--step", "-q"]),
        ("a picture of an unknown kind", &["-o", "run.gif"]),
    ] {
        said.fails(
            case,
            &finish(netplay().arg("watch").args(options).args(["--", "true"]), b""),
            2,
        );
    }
    for (case, words) in [
        ("no --", &["python3", "server.py", "5858"][..]),
        ("no -- behind options", &["--timeout", "5", "./server", "-v"]),
    ] {
        let run = finish(netplay().arg("watch").args(words), b"");
        assert_eq!(run.status.code(), Some(2), "{case}: {run:?}");
        let tip =
            common::text(&run.stderr).lines().find(|line| line.contains("tip")).map(str::to_owned);
        said.add(case, &tip.unwrap_or_default());
    }
    for (case, pid, code) in
        [("no process", "2147483646", 1), ("process 0", "0", 2), ("no number", "one", 2)]
    {
        said.fails(
            &format!("-p: {case}"),
            &finish(netplay().args(["watch", "-p", pid]), b""),
            code,
        );
    }
}

/// What the trace has lost makes a run that went well one that did not.
#[test]
fn a_trace_that_cannot_be_written_fails_the_run() {
    let Some(program) = compiled("calls.c", false) else { return };
    let said = Said::on("watch_lost");
    let run = |script: &str| {
        let mut run = watch(Path::new("/dev/full"), &[]);
        finish(run.args(["sh", "-c", script, program.to_str().unwrap()]), b"")
    };
    said.ends("no room for the trace", &run("\"$0\" stream"), 1);
    assert_eq!(run("\"$0\" stream; exit 7").status.code(), Some(7));
}

#[test]
fn where_tracing_is_forbidden_exit_4_says_the_way_out() {
    if !may_trace() {
        return;
    }
    let Some(nobody) = Nobody::new() else { return };
    let output = finish(nobody.command().args(["watch", "-q", "-p", "1"]), b"");
    let said = Said::on("watch_forbidden");
    said.ends("another user's process", &output, 4);
}

/// Watched, a setuid program has not its owner's rights; calls of 32 bits have other numbers.
#[test]
fn a_setuid_program_and_one_of_32_bits_are_said() {
    if !may_trace() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let said = Said::on("watch_unusual");
    let path = |name: &str| folder.path().join(name);
    let run = |program: &Path| {
        let trace = path("trace");
        let _ = fs::remove_file(&trace);
        let output = finish(watch(&trace, &[]).arg(program), b"");
        (output.status.code(), events(&trace))
    };
    let all = |events: &[Event]| {
        let notes = events.iter().filter(|event| event.kind == Kind::Note);
        notes.map(|event| event.text.as_deref().unwrap()).collect::<Vec<_>>().join("\n")
    };
    common::install(Path::new("/bin/true"), &path("true"));
    let set = finish(Command::new("chmod").arg("4755").arg(path("true")), b"");
    assert!(set.status.success());
    let (code, events) = run(&path("true"));
    assert_eq!(code, Some(0));
    said.add("setuid", &all(&events));
    let Some(program) = compiled("untraced.c", false) else { return };
    let (code, events) = run(&program);
    assert_eq!(code, Some(0), "each child has a socket as well");
    let sockets = events.iter().filter(|event| event.call.as_deref() == Some("socket"));
    assert_eq!(sockets.count(), 2);
    said.add("CLONE_UNTRACED", &all(&events));
    if !cfg!(target_arch = "x86_64") || !have("as") || !have("ld") {
        return skip("no assembler for x86");
    }
    fs::write(path("exit.s"), ".globl _start\n_start: mov $1, %eax; mov $3, %ebx; int $0x80\n")
        .unwrap();
    let mut assembler = Command::new("as");
    let done = finish(assembler.arg("--32").arg(path("exit.s")).arg("-o").arg(path("exit.o")), b"");
    assert!(done.status.success(), "{done:?}");
    let mut linker = Command::new("ld");
    let done =
        finish(linker.args(["-m", "elf_i386", "-o"]).arg(path("exit")).arg(path("exit.o")), b"");
    assert!(done.status.success(), "{done:?}");
    if !Command::new(path("exit")).status().is_ok_and(|status| status.code() == Some(3)) {
        return skip("no programs of 32 bits here");
    }
    let (code, events) = run(&path("exit"));
    assert_eq!(code, Some(3));
    said.add("32 bits", &all(&events));
}

/// `accept(fd, NULL, NULL)`: the program does not know its client, but the picture must.
#[test]
fn a_client_that_the_server_did_not_ask_for_is_known() {
    let (Some(stage), Some(server)) = (Stage::new(), compiled("accepts.c", false)) else { return };
    let (port, picture) = (stage.path("port"), stage.path("run.json"));
    let mut run = watch(&stage.trace(), &["-o", picture.to_str().unwrap()]);
    run.arg(server).arg(&port).arg("::").args(stage.program("clients.py", "accept"));
    let run = finish(&mut run, b"");
    assert!(run.status.success() && run.stderr.is_empty(), "{run:?}");
    let events = stage.events();
    let accept = events.iter().find(|event| event.call.as_deref() == Some("accept")).unwrap();
    assert!(accept.args.as_deref().unwrap().ends_with("NULL, NULL"), "{accept:?}");
    assert!(accept.peer.as_deref().unwrap().starts_with("127.0.0.1:"), "{accept:?}");
    let drawn: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&picture).unwrap()).unwrap();
    let lanes = drawn["lanes"].as_array().unwrap();
    assert!(lanes.len() == 2 && lanes.iter().all(|lane| lane["thread"].is_array()), "{lanes:?}");
    let arrows = drawn["arrows"].as_array().unwrap();
    let whole = |arrow: &&serde_json::Value| arrow["from"].is_object() && arrow["to"].is_object();
    assert_eq!(arrows.iter().filter(whole).count(), arrows.len(), "{arrows:?}");
    assert!(arrows.len() > 2, "{arrows:?}");
}

#[test]
fn each_kind_of_picture_shows_both_programs() {
    for kind in ["svg", "html", "md", "json", "txt"] {
        let Some(stage) = Stage::new() else { return };
        let picture = stage.path(&format!("run.{kind}"));
        let run = stage.run(&["-o", picture.to_str().unwrap()], "accept", 1);
        assert!(run.status.success(), "{kind}: {run:?}");
        let drawn = fs::read_to_string(&picture).unwrap();
        for lane in ["servers.py", "clients.py"] {
            assert!(drawn.contains(lane), "{kind} has no {lane}");
        }
    }
}
