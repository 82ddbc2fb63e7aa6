//! What every page claims, on loopback pairs of the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test is a peer, and may panic"
)]

mod common;

use common::{Server, run};
use netplay::examples::{Place, TABLE};

/// Every row of the table: our client talks to our server, and both end well.
#[test]
fn every_example_answers_its_own_client() {
    for example in TABLE {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket").display().to_string();
        let server = match example.place {
            Place::Internet => Server::start(example.name, &["--reply", "echo"]),
            Place::Path => Server::from(common::netplay().args([
                example.name,
                "server",
                &path,
                "-q",
                "--reply",
                "echo",
            ])),
        };
        let mut args = vec![example.name, "client"];
        let port;
        match example.place {
            Place::Internet => {
                port = server.port();
                args.extend(["127.0.0.1", &port]);
            }
            Place::Path => args.push(&path),
        }
        let client = run(&[&args[..], &["-q", "--timeout", "10"]].concat(), b"one\ntwo\nthree\n");
        let name = example.name;
        assert!(client.status.success(), "{name}: {}", String::from_utf8_lossy(&client.stderr));
        assert_eq!(String::from_utf8_lossy(&client.stdout), "one\ntwo\nthree\n", "{name}");
        let ended = server.stop();
        assert!(ended.status.success(), "{name}: {:?} {}", ended.status, ended.stderr);
    }
}
