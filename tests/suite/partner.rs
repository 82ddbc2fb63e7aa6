//! A server says what to type in a second terminal, and that can be typed, and goes to it.

use netplay::address::Endpoint;
use netplay::cli::{client_args, command, server_args};
use netplay::examples::{Example, Partner, Place, examples, its_client};

/// Where a server says that it is: a port that was given is known, and this one only where the kernel chose it.
const READY: &str = "127.0.0.1:4711";

/// The client that is proposed beside a server whose command line our own reads.
fn client_of(example: &Example, words: &[&str]) -> Option<Partner> {
    let typed = [&["netplay", example.name, "server"], words].concat();
    let matches = command().try_get_matches_from(typed).unwrap();
    let (_, matches) = matches.subcommand().unwrap();
    let (_, matches) = matches.subcommand().unwrap();
    let args = server_args(example, matches, false).unwrap();
    its_client(example, &args, matches).unwrap()
}

/// Where the client goes whose command line was proposed, as our own command line reads that, and whether
/// it may send to a broadcast address.
fn goes(example: &Example, line: &str) -> (Endpoint, bool) {
    let matches = command().try_get_matches_from(line.split(' ')).unwrap();
    let (name, matches) = matches.subcommand().unwrap();
    assert_eq!(name, format!("{}-client", example.name), "{line}");
    let may = matches!(matches.try_get_one("broadcast"), Ok(Some(true)));
    (client_args(example, matches, false).unwrap().endpoint, may)
}

#[test]
fn the_client_that_a_server_names_can_be_typed_and_goes_to_it() {
    let lo = format!("fe80::7%{}", nix::net::if_::if_nametoindex("lo").unwrap());
    for example in examples().filter(|example| {
        example.server.is_some() && matches!(example.place, Place::Internet | Place::Group { .. })
    }) {
        let group = matches!(example.place, Place::Group { .. });
        for (bound, meant) in [
            ("127.0.0.1", Some("127.0.0.1:7777")),
            ("127.0.0.3", Some("127.0.0.3:7777")),
            ("192.0.2.1", Some("192.0.2.1:7777")),
            ("0.0.0.0", Some("127.0.0.1:7777")),
            ("::1", Some("[::1]:7777")),
            ("[::1]", Some("[::1]:7777")),
            ("::", Some("[::1]:7777")),
            ("2001:db8::1", Some("[2001:db8::1]:7777")),
            (&lo, Some("[fe80::7%1]:7777")),
            ("224.0.0.7", group.then_some("224.0.0.7:7777")),
            ("127.255.255.255", group.then_some("127.255.255.255:7777")),
            ("255.255.255.255", group.then_some("255.255.255.255:7777")),
            ("ff01::7", group.then_some("[ff01::7]:7777")),
        ] {
            let what = format!("{} on {bound}", example.name);
            let line = client_of(example, &[bound, "7777"]).map(|client| client.command(READY));
            let goes = line.as_ref().map(|line| goes(example, line));
            let to = goes.as_ref().map(|(place, _)| place.resolve().unwrap().to_string());
            assert_eq!(to.as_deref(), meant, "{what}: {line:?}");
            let may = goes.is_some_and(|(_, may)| may);
            let broadcast = group && bound.ends_with(".255");
            assert!(may || !broadcast, "{what}: {line:?}");
            let any = client_of(example, &[bound, "0"]).map(|client| client.command(READY));
            assert_eq!(any.is_some(), meant.is_some(), "{what}");
            assert!(any.is_none_or(|any| any.ends_with(" 4711")), "{what}");
        }
    }
}

#[test]
fn the_client_that_a_server_names_has_what_both_must_agree_on_and_no_password() {
    let named = |name: &str| examples().find(|row| row.name == name).unwrap();
    for (name, words, said, asks) in [
        ("iterative", &["--tcp"][..], "netplay iterative-client --tcp 127.0.0.1 5858", false),
        (
            "ftp",
            &["--user", "bob", "--password", "Zq9"],
            "netplay ftp-client --user bob 127.0.0.1 5858",
            true,
        ),
        ("ftp", &["0"], "netplay ftp-client --user netplay 127.0.0.1 4711", true),
        ("ftp", &["--anonymous"], "netplay ftp-client 127.0.0.1 5858", false),
        (
            "ftp",
            &["--password-file", "p"],
            "netplay ftp-client --password-file p 127.0.0.1 5858",
            false,
        ),
        (
            "multicast",
            &["--interface", "127.0.0.3"],
            "netplay multicast-client --interface 127.0.0.3 ",
            false,
        ),
    ] {
        let client = client_of(named(name), words).unwrap();
        let line = client.command(READY);
        assert_eq!(client.asks, asks, "{name}");
        assert!(line.starts_with(said), "{line}");
        goes(named(name), &line);
    }
}
