//! Every example of ours writes its own record, and is watched at the same time: both tell the same.

use std::collections::BTreeMap;
use std::path::Path;

use netplay::examples::{Example, Place};
use netplay::trace::{Event, Kind};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::{by_thread, children, events, may_trace, same, watch};
use crate::common::{Server, finish};
use crate::strace::{ways_to_run, without_addresses, words};

/// Whether a record is compared. Left out are:
///
/// - `sigprocmask`, which is not watched;
/// - what the program does that is no call of its page: its first execve, a look at the standard streams with `poll`, and
///   the questions about queues that its story asks.
fn is_compared(event: &Event) -> bool {
    let call = event.call.as_deref().unwrap_or_default();
    let args = event.args.as_deref().unwrap_or_default();
    event.kind != Kind::Note
        && match call {
            "sigprocmask" | "execve" => false,
            "ioctl" => !args.contains("TIOCOUTQ") && !args.contains("FIONREAD"),
            "poll" => polls_more_than_standard_streams(args),
            // From a pipe into a file: only the page knows that this is half of a transfer.
            "splice" => event.local.is_some(),
            _ => true,
        }
}

fn polls_more_than_standard_streams(args: &str) -> bool {
    let mut polled = args.split("fd=").skip(1);
    polled.any(|fd| !["0,", "1,", "2,"].iter().any(|standard| fd.starts_with(standard)))
}

/// What both records must tell of a call, in the order in which a thread began its calls: a handler runs inside
/// of the call that its signal interrupts.
fn told(mut events: Vec<Event>) -> Vec<String> {
    events.retain(is_compared);
    // What goes through a ring is in no order with the calls: netplay sees it when the program enters the kernel.
    events.sort_by_key(|event| match event.kind {
        Kind::Call => (0, event.start_ns),
        Kind::Submit => (1, 0),
        Kind::Complete | Kind::Note => (2, 0),
    });
    let one = |event: &Event| {
        let mut event = event.clone();
        for text in [&mut event.args, &mut event.out].into_iter().flatten() {
            *text = without_addresses(text).into();
        }
        // The C library keeps to itself how much of the time is left (ppoll(2), C library differences).
        event.out = event.out.map(|out| {
            out.split(", left ").next().unwrap_or_default().trim_end_matches(')').into()
        });
        let Event { kind, call, syscall, fd, args, ret, errno, bytes, user_data, .. } = &event;
        let Event { data, asked, ready, value, local, peer, out, datagrams, .. } = &event;
        format!(
            "{kind:?} {user_data:?} {call:?} {syscall:?} {fd:?} ({args:?}) = {ret:?} {errno:?} {out:?}, bytes {bytes:?} of {asked:?} {data:?}, \
             ready {ready:?}, value {value:?}, {local:?} {peer:?} {datagrams:?}"
        )
    };
    events.iter().map(one).collect()
}

/// Holds the two records of one run against each other, thread by thread.
fn compare(what: &str, seen: &Path, own: &Path) {
    let (mut seen, own) = (by_thread(events(seen)), by_thread(events(own)));
    let threads: BTreeMap<i32, Vec<Event>> = own;
    let mut calls = 0;
    for (thread, own) in threads {
        let seen = told(seen.remove(&thread).unwrap_or_default());
        let own = told(own);
        calls += own.len();
        same(&seen, &own).unwrap_or_else(|why| panic!("{what}, thread {thread}: {why}"));
    }
    for (thread, events) in seen {
        let rest = told(events);
        assert!(rest.is_empty(), "{what}: thread {thread} tells nothing of {rest:?}");
    }
    assert!(calls > 0, "{what} made no calls at all");
}

/// A server under `watch`, and its client under another.
fn run(example: &Example, of_server: &[String], of_client: &[String]) {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let netplay = env!("CARGO_BIN_EXE_netplay");
    let place = match example.place {
        Place::Internet | Place::Host => vec!["127.0.0.1".to_owned(), "0".to_owned()],
        Place::Group { v4, .. } => vec![v4.to_owned(), "0".to_owned()],
        Place::Path => vec![path("socket").display().to_string()],
    };
    let mut server = watch(&path("seen"), &[]);
    server.args([netplay, example.name, "server", "-q"]).args(&place).args(of_server);
    server.arg("--trace").arg(path("own")).current_dir(folder.path());
    let server = Server::from(&mut server);

    let place = match server.place.rsplit_once(':') {
        Some((host, port)) if !server.place.contains('/') => vec![host, port],
        _ => vec![&server.place[..]],
    };
    let mut client = watch(&path("client seen"), &[]);
    client.args([netplay, example.name, "client", "-q", "--timeout", "10"]).args(place);
    client.args(of_client).arg("--trace").arg(path("client own"));
    let client = finish(&mut client, words(example));
    assert!(client.status.success(), "{}: {client:?}", example.name);

    let first = children(server.child.id())[0];
    kill(Pid::from_raw(first), Signal::SIGTERM).unwrap();
    let ended = server.ended();
    assert!(ended.status.success(), "{}: {:?} {}", example.name, ended.status, ended.stderr);
    let what = format!("{} {of_server:?} {of_client:?}", example.name);
    compare(&format!("{what}, client"), &path("client seen"), &path("client own"));
    compare(&format!("{what}, server"), &path("seen"), &path("own"));
}

#[test]
fn every_example_under_watch_gives_the_record_that_it_writes_itself() {
    if !may_trace() {
        return;
    }
    for (example, of_server, of_client) in ways_to_run() {
        run(example, &of_server, &of_client);
    }
}
