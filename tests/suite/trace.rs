//! The trace: what `--trace FILE` promises to programs that read it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::common::{self, DEADLINE, Server, ask, netplay, run, udp, until, wait};
use netplay::escape::escape_message;
use netplay::examples::{Example, Place, Purpose, examples};
use netplay::lang::Lang;
use netplay::record::{Call, Event, Kind};
use serde_json::Value;
use tempfile::TempDir;

/// What every record has, a note's too.
const KEYS: [&str; 19] = [
    "v", "kind", "start_ns", "dur_ns", "wall", "pid", "tid", "role", "example", "call", "syscall",
    "fd", "args", "ret", "errno", "bytes", "data", "local", "peer",
];

fn schema() -> Value {
    serde_json::from_str(include_str!("../../schema/trace.schema.json")).unwrap()
}

#[test]
fn every_record_of_every_example_fits_the_schema() {
    let schema = schema();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for example in examples().filter(|example| example.server.is_some()) {
        for detail in ["-q", "-vv"] {
            let trace = Trace::new();
            let words: &[u8] = match example.purpose {
                Purpose::Echo | Purpose::Other => b"hello\n\x1b[2J\xff\nworld\n",
                Purpose::Files if example.name == "ftp" => b"list\nupload Cargo.toml\nquit\n",
                Purpose::Files => b"list\ndownload nothing\nquit\n",
            };
            let login: &[&str] = match example.name {
                "ftp" => &["--user", "u", "--password", "p"],
                _ => &[],
            };
            let options = &[&[detail], login].concat()[..];
            let server = trace.server(example, options);
            let client = trace.client(example, &server.place, options, words);
            assert!(client.status.success(), "{}: {client:?}", example.name);
            let ended = server.stop();
            assert!(ended.status.success(), "{}", example.name);
            let records = trace.records();
            if detail == "-vv" {
                let story = ended.stderr + &String::from_utf8_lossy(&client.stderr);
                the_trace_says_what_the_story_said(&trace, &story);
            }
            for record in &records {
                let wrong: Vec<String> =
                    validator.iter_errors(record).map(|error| error.to_string()).collect();
                assert!(wrong.is_empty(), "{wrong:#?} in {record:#}");
                for key in record.as_object().unwrap().keys() {
                    assert!(schema["properties"][key].is_object(), "the schema has no {key}");
                }
                for key in KEYS {
                    assert!(record.get(key).is_some(), "no {key} in {record:#}");
                }
                assert_eq!(record["example"], example.name);
            }
            for role in ["server", "client"] {
                assert!(records.iter().any(|record| record["role"] == role), "no {role}");
            }
        }
    }
}

/// A call is told as the value that it was made with; from a trace, as the value that is read out of it.
fn the_trace_says_what_the_story_said(trace: &Trace, story: &str) {
    for line in fs::read_to_string(&trace.file).unwrap().lines() {
        let event: Event = serde_json::from_str(line).unwrap();
        if event.kind == Kind::Call {
            let sentence = event.sentence(Lang::En);
            assert!(!matches!(*event.what, Call::None | Call::Other), "{line}");
            assert!(story.contains(&sentence), "{sentence} is not in the story:\n{story}");
        }
    }
}

/// What goes through a ring is no call: it has kinds of its own, and a number that ties its two ends.
#[test]
fn an_operation_of_a_ring_is_a_submit_and_a_complete() {
    let (schema, trace) = (schema(), Trace::new());
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let run = run(&["models", "--delay", "2ms", "-q", "--trace", &trace.name()], b"");
    assert!(run.status.success(), "{run:?}");
    let records = trace.records();
    for record in &records {
        assert!(validator.is_valid(record), "{record:#}");
        for key in record.as_object().unwrap().keys() {
            assert!(schema["properties"][key].is_object(), "the schema has no {key}");
        }
    }
    let of_kind = |kind| records.iter().find(move |record| record["kind"] == kind);
    let Some(submit) = of_kind("submit") else {
        let refused = calls(&records, "io_uring_setup").all(|setup| setup["ret"] == -1);
        assert!(refused, "there is a ring, and no submission");
        return common::skip("no io_uring");
    };
    let complete = of_kind("complete").unwrap();
    assert_eq!(submit["user_data"], complete["user_data"]);
    assert_eq!(submit["start_ns"], complete["start_ns"], "it began with its submission");
    // The message may already be on its way when the submission is made: how long it takes is no matter.
    assert!(complete["dur_ns"].as_u64() > submit["dur_ns"].as_u64(), "{complete:#}");
    assert_eq!(
        (&complete["call"], &complete["bytes"], &complete["data"]),
        (&"recvmsg".into(), &11.into(), &"one message".into())
    );
    for (record, key, value) in [
        (submit, "ret", Value::from(0)),
        (submit, "syscall", "recvmsg".into()),
        (complete, "ret", Value::Null),
        (complete, "text", "done".into()),
        (complete, "user_data", Value::Null),
    ] {
        let mut wrong = record.clone();
        wrong[key] = value;
        assert!(!validator.is_valid(&wrong), "{wrong:#}");
    }
}

#[test]
fn the_schema_is_one_and_describes_every_key() {
    let schema = schema();
    assert!(jsonschema::meta::is_valid(&schema));
    for (key, property) in schema["properties"].as_object().unwrap() {
        assert!(property["description"].is_string(), "{key} is not described");
    }
    let required: Vec<&str> =
        schema["required"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    assert_eq!(required, KEYS);
}

/// The schema forbids what the record never says; a schema that takes everything would prove nothing.
#[test]
fn the_schema_refuses_what_is_no_record() {
    let schema = schema();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let trace = Trace::new();
    let closed =
        run(&["tcp-echo", "client", "127.0.0.1", "1", "-q", "--trace", &trace.name()], b"");
    assert_eq!(closed.status.code(), Some(1), "nobody listens on port 1: {closed:?}");
    let refused = trace.records().into_iter().find(|record| record["call"] == "connect").unwrap();
    assert!(validator.is_valid(&refused), "{refused:#}");
    for (key, value) in [
        ("v", Value::from(2)),
        ("kind", "note".into()),
        ("call", Value::Null),
        ("fd", "3".into()),
        ("ret", 0.into()),
        ("errno", Value::Null),
        ("bytes", 5.into()),
        ("peer", "\x1b[2J".into()),
        ("peer", "\u{9b}2J".into()),
        ("wall", "today".into()),
        ("role", "".into()),
        ("role", "\x1b[2J".into()),
    ] {
        let mut wrong = refused.clone();
        wrong[key] = value;
        assert!(!validator.is_valid(&wrong), "{wrong:#}");
    }
    for key in KEYS {
        let mut wrong = refused.clone();
        wrong.as_object_mut().unwrap().remove(key);
        assert!(!validator.is_valid(&wrong), "{key} may be missing");
    }
    let mut proxy = refused.clone();
    proxy["role"] = "proxy".into();
    assert!(validator.is_valid(&proxy), "a role is any name");
    let mut later = refused;
    later["a_key_of_next_year"] = 1.into();
    assert!(validator.is_valid(&later), "keys may be added");
}

/// Parent, children and clients write into one file at the same time, and no line is torn.
#[test]
fn a_fork_servers_children_and_its_clients_share_the_file() {
    const CLIENTS: usize = 4;
    let trace = Trace::new();
    let server = trace.server(example("fork"), &["-q"]);
    let message = [&b"x"[..].repeat(1000), &b"\n"[..]].concat().repeat(50);
    let place = &server.place;
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| trace.client(example("fork"), place, &["-q"], &message));
        }
    });
    assert!(server.stop().status.success());
    let records = trace.records();
    let processes = |role| -> BTreeSet<i64> {
        let of_role = records.iter().filter(|record| record["role"] == role);
        of_role.map(|record| record["pid"].as_i64().unwrap()).collect()
    };
    assert_eq!(processes("server").len(), 1 + CLIENTS, "the parent, and a child for each client");
    assert_eq!(processes("client").len(), CLIENTS);
    let forked: BTreeSet<i64> =
        calls(&records, "fork").map(|r| r["ret"].as_i64().unwrap()).collect();
    assert!(forked.is_subset(&processes("server")), "{forked:?}");
    assert_eq!(
        calls(&records, "recv").filter(|record| record["bytes"] == 1000).count(),
        CLIENTS * 50
    );
}

/// A server keeps no record back while it sleeps, nor for long while it is busy: whoever looks finds what
/// it has done, and so it is when nothing can be written any more.
#[test]
fn a_server_that_is_killed_has_told_all_that_it_did() {
    for example in examples().filter(|row| row.purpose == Purpose::Echo) {
        let trace = Trace::new();
        let server = trace.server(example, &["-q", "--reply", "echo"]);
        let told = |call: &str| {
            let text = fs::read_to_string(&trace.file).unwrap();
            text.lines()
                .any(|line| line.contains(&format!("\"call\":\"{call}")) && line.contains("before"))
        };
        let client = trace.talk(example, &server.place, "before");
        until(&format!("{} has told what it sent", example.name), || told("send"));
        assert!(told("recv"), "{}", example.name);
        server.signal(nix::sys::signal::Signal::SIGKILL);
        assert!(!server.ended().status.success());
        if example.name == "nonblocking" {
            // It never sleeps, and SIGKILL may end a write in its middle.
            let text = fs::read_to_string(&trace.file).unwrap();
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            fs::write(&trace.file, &text[..whole]).unwrap();
        }
        let records = trace.records();
        assert!(calls(&records, "bind").count() >= 1, "{}", example.name);
        drop(client);
    }
}

/// A child has its parent's memory, and with it what its parent had not told yet.
#[test]
fn a_forked_child_neither_repeats_a_record_nor_loses_one() {
    const CLIENTS: usize = 5;
    const MESSAGES: usize = 200;
    for (name, options) in [
        ("fork", &["-q", "--reply", "echo"][..]),
        ("prefork", &["-q", "--reply", "echo", "--workers", "2"]),
        ("handler", &["-q", "--reply", "echo", "--style", "forking"]),
    ] {
        let trace = Trace::new();
        let server = trace.server(example(name), options);
        let address = server.address();
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(move || {
                    let mut client = common::connect(address);
                    for _ in 0..MESSAGES {
                        ask(&mut client, b"hello", 5);
                    }
                });
            }
        });
        assert!(server.stop().status.success(), "{name}");
        let records = trace.records();
        let of_one_thread_at_one_time: BTreeSet<String> = records
            .iter()
            .map(|r| format!("{} {} {} {}", r["tid"], r["start_ns"], r["dur_ns"], r["call"]))
            .collect();
        assert_eq!(of_one_thread_at_one_time.len(), records.len(), "{name} repeats records");
        for call in ["recv", "send"] {
            let hello = calls(&records, call).filter(|record| record["data"] == "hello").count();
            assert_eq!(hello, CLIENTS * MESSAGES, "{name}, {call}");
        }
        let children: BTreeSet<i64> =
            calls(&records, "fork").map(|record| record["ret"].as_i64().unwrap()).collect();
        let speak: BTreeSet<i64> =
            records.iter().map(|record| record["pid"].as_i64().unwrap()).collect();
        assert!(children.is_subset(&speak), "{name}: {children:?} are not all in {speak:?}");
        assert_eq!(speak.len(), 1 + children.len(), "{name}");
    }
}

#[test]
fn the_file_is_appended_to() {
    let trace = Trace::new();
    fs::write(&trace.file, "{\"earlier\": true}\n").unwrap();
    for turns in 1..=2 {
        let server = trace.server(example("udp-echo"), &["-q"]);
        assert!(server.stop().status.success());
        let records = trace.records();
        assert_eq!(records[0]["earlier"], true);
        assert_eq!(calls(&records, "bind").count(), turns);
    }
}

#[test]
fn what_a_peer_sends_is_shown_up_to_64_bytes_and_escaped() {
    let sent = [&b"\x1b[2J\x07\r\n\0\x7f\xff\xc2\x9b \"\\ \xe2\x80\xae"[..], &[b'x'; 100]].concat();
    let trace = Trace::new();
    let server = trace.server(example("tcp-echo"), &["-q", "--reply", "echo"]);
    ask(&mut server.connect(), &sent, sent.len());
    assert!(server.stop().status.success());
    for call in ["recv", "send"] {
        let records = trace.records();
        let record = calls(&records, call).next().unwrap();
        assert_eq!(record["bytes"], sent.len());
        assert_eq!(record["data"], escape_message(&sent[..64]));
    }
    let text = fs::read_to_string(&trace.file).unwrap();
    let steers = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!text.contains(steers), "{text}");
}

#[test]
fn a_datagram_that_was_cut_tells_both_lengths() {
    let trace = Trace::new();
    let server = trace.server(example("udp-echo"), &["-q", "--bufsize", "4", "--reply", "echo"]);
    let client = udp();
    client.send_to(b"hello, world", server.address()).unwrap();
    assert_eq!(client.recv(&mut [0; 64]).unwrap(), 4);
    assert!(server.stop().status.success());
    let records = trace.records();
    let record = calls(&records, "recvfrom").next().unwrap();
    assert_eq!((&record["bytes"], &record["asked"]), (&4.into(), &12.into()));
    assert_eq!(record["data"], "hell");
    assert_eq!(record["peer"], client.local_addr().unwrap().to_string());
}

/// A lesson says "fd 3"; so it is, whether the run is traced or not.
#[test]
fn descriptors_have_the_same_numbers_with_a_trace_and_without() {
    let trace = Trace::new();
    let traced = trace.server(example("tcp-echo"), &["-q", "--reply", "echo"]);
    let plain = Server::of("tcp-echo").args(["--reply", "echo"]).start();
    for server in [&traced, &plain] {
        assert_eq!(sockets(server), [3]);
        let mut client = server.connect();
        ask(&mut client, b"hello", 5);
        assert_eq!(sockets(server), [3, 4]);
    }
    assert!(traced.stop().status.success());
    let records = trace.records();
    assert_eq!(calls(&records, "socket").next().unwrap()["ret"], 3);
    assert_eq!(calls(&records, "accept").next().unwrap()["ret"], 4);
}

#[test]
fn a_trace_that_cannot_be_written_is_said_once() {
    let nowhere = run(&["udp-echo", "server", "127.0.0.1", "0", "--trace", "/nonexistent/t"], b"");
    let said = common::Said::on("trace_not_written");
    said.ends("--trace /nonexistent/t", &nowhere, 1);
    // The disk is full: the program under study goes on.
    if !Path::new("/dev/full").exists() {
        return common::skip("no /dev/full");
    }
    let server = Server::of("tcp-echo").args(["--reply", "echo", "--trace", "/dev/full"]).start();
    ask(&mut server.connect(), b"hello", 5);
    let ended = server.stop();
    assert_eq!(ended.status.code(), Some(1), "the trace is not what was asked for");
    said.add("--trace /dev/full", &common::uncounted(&common::errors(&ended.stderr)));
}

/// The same for a file, where lines are written many at a time: beyond this limit a write fails.
#[test]
fn a_trace_that_may_grow_no_further_is_said_once() {
    let trace = Trace::new();
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -f 8 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_netplay")]);
    let server = Server::of("tcp-echo").run_by(limited).args(["--reply", "echo", "--trace"]);
    let server = server.arg(&trace.file).start();
    let mut client = server.connect();
    for _ in 0..100 {
        ask(&mut client, b"hello", 5);
    }
    let ended = server.stop();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    let said = common::uncounted(&common::errors(&ended.stderr));
    common::Said::on("trace_too_large").add("ulimit -f 8", &said);
}

// ---- what the tests above run and read ----

fn example(name: &str) -> &'static Example {
    examples().find(|example| example.name == name).expect("a row of the table")
}

fn calls<'a>(records: &'a [Value], name: &'a str) -> impl Iterator<Item = &'a Value> {
    records.iter().filter(move |record| record["call"] == name)
}

/// The numbers of a server's descriptors that are sockets.
fn sockets(server: &Server) -> Vec<i32> {
    let directory = PathBuf::from(format!("/proc/{}/fd", server.child.id()));
    let mut numbers: Vec<i32> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
        })
        .map(|path| path.file_name().unwrap().to_str().unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

/// A file for a trace, and the runs that write into it.
struct Trace {
    directory: TempDir,
    file: PathBuf,
}

impl Trace {
    fn new() -> Trace {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("trace.jsonl");
        Trace { directory, file }
    }

    fn name(&self) -> String {
        self.file.display().to_string()
    }

    fn server(&self, example: &Example, options: &[&str]) -> Server {
        let home = self.directory.path();
        let server = Server::of(example.name).at_home(example, home).aloud().in_folder(home);
        server.arg("--trace").arg(&self.file).args(options).start()
    }

    fn client(
        &self,
        example: &Example,
        place: &str,
        options: &[&str],
        input: &[u8],
    ) -> std::process::Output {
        let trace = self.name();
        let mut args = vec![example.name, "client", "--timeout", "10", "--trace", &trace];
        match place.rsplit_once(':').filter(|_| example.place != Place::Path) {
            Some((host, port)) => args.extend([host, port]),
            None => args.push(place),
        }
        args.extend(options);
        run(&args, input)
    }

    /// Has a conversation begun with a server of any kind, and keeps it.
    fn talk(&self, example: &Example, place: &str, message: &str) -> Box<dyn std::any::Any> {
        match example.place {
            Place::Path => {
                let mut client = std::os::unix::net::UnixStream::connect(place).unwrap();
                std::io::Write::write_all(&mut client, message.as_bytes()).unwrap();
                Box::new(client)
            }
            Place::Internet if ["udp-echo", "iterative"].contains(&example.name) => {
                let client = udp();
                client.send_to(message.as_bytes(), place).unwrap();
                Box::new(client)
            }
            Place::Group { .. } | Place::Host => unreachable!("nobody echoes there"),
            Place::Internet => {
                let mut client = common::connect(place.parse().unwrap());
                ask(&mut client, message.as_bytes(), message.len());
                Box::new(client)
            }
        }
    }

    /// All records, each of which is a whole line.
    fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.file).unwrap();
        assert!(text.ends_with('\n'), "the last line is torn: {text}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// What the option does depends on the socket: a program that reads the trace is told which kind it is.
#[test]
fn a_trace_says_of_an_option_whether_its_socket_is_one_of_datagrams() {
    for (server, datagrams) in [("multicast", true), ("tcp-echo", false)] {
        let trace = Trace::new();
        let host = if datagrams { "239.255.70.1" } else { "127.0.0.1" };
        Server::of(server).at([host, "0"]).args(["--trace", &trace.name()]).start().stop();
        let set = |record: &Value| {
            record["call"] == "setsockopt"
                && record["args"].as_str().unwrap().contains("SO_REUSEADDR")
        };
        let record = trace.records().into_iter().find(set).unwrap();
        assert_eq!(record["value"], "1", "{record:#}");
        assert_eq!(record.get("datagrams").is_some_and(|it| it == true), datagrams, "{record:#}");
    }
}

#[test]
fn a_story_that_nobody_reads_keeps_no_client_waiting_and_counts_what_it_left_out() {
    let (told, left_out) = story_of(true);
    assert_eq!(left_out, 0, "a reader who reads is told everything");
    let (told_late, left_out) = story_of(false);
    assert!(left_out > 1000, "{left_out}");
    assert_eq!(told_late + left_out, told);
}

/// How many lines a server tells of some thousand messages, and how many it says that it left out, if
/// its story is read at once, or not before the last message.
fn story_of(read_at_once: bool) -> (usize, usize) {
    let mut server = netplay()
        .args(["tcp-echo", "server", "127.0.0.1", "0", "--reply", "echo", "--once"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = server.stderr.take().unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let read = {
        let lines = lines.clone();
        move || {
            let each = BufReader::new(stderr).lines().map_while(Result::ok);
            each.for_each(|line| lines.lock().unwrap().push(line));
        }
    };
    let mut read = Some(read);
    let mut reader = read_at_once.then(|| thread::spawn(read.take().unwrap()));
    let mut ready = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let address = ready.trim().strip_prefix("ready: tcp ").unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    for _ in 0..3000 {
        ask(&mut client, b"hello", 5);
    }
    reader = reader.or_else(|| Some(thread::spawn(read.take().unwrap())));
    let mut more = 0;
    until("the reader has read all there is", || {
        more += 1;
        ask(&mut client, b"again", 5);
        lines.lock().unwrap().last().is_some_and(|line: &String| line.contains("again"))
    });
    drop(client);
    assert!(wait(&mut server).success());
    reader.unwrap().join().unwrap();
    let lines = lines.lock().unwrap();
    let left_out = lines.iter().filter_map(|line| {
        let (number, _) = line.strip_prefix("-- ")?.split_once(" line")?;
        Some(number.replace(',', "").parse::<usize>().unwrap())
    });
    let notes = left_out.clone().count();
    // What was asked again, until the reader was there, is not the same in every run: two lines each.
    (lines.len() - notes - 2 * more, left_out.sum())
}
