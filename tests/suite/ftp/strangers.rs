//! What the client does with a server that is a stranger: one that lies, drips, never ends, or is only older
//! than the others.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::stranger::Deed::{Done, Leave, Usual};
use super::stranger::{Deed, GOT, Session, stranger};
use super::tool::{Ended, get, menu, quiet, remarked, url};
use crate::common::{Said, finish, names_in, netplay, until};

#[test]
fn what_has_no_end_is_given_up() {
    let here = tempfile::tempdir().unwrap();
    let said = Said::on("ftp_no_end");
    let cases: [(&str, &[u8]); 3] = [
        ("a line", &[b'A'; 4096]),
        ("a reply of long lines", &[&b"220-"[..], &[b'A'; 2000], b"\r\n"].concat()),
        ("a reply of short lines", b"220-x\r\n"),
    ];
    for (case, piece) in cases {
        let piece = piece.to_vec();
        let (address, _) = stranger(b"", move |verb, _, session| {
            while verb.is_empty() && session.control.write_all(&piece).is_ok() {}
            Leave
        });
        get(here.path(), address, &[]).is(1, "").told(&said, case);
    }
}

#[test]
fn a_timeout_holds_for_a_whole_reply_however_it_drips() {
    let here = tempfile::tempdir().unwrap();
    let said = Said::on("ftp_slow_reply");
    for spot in ["", "USER", "SIZE", "RETR"] {
        let (address, _) = stranger(b"hello", move |verb, _, session| {
            if verb != spot {
                return Usual;
            }
            session.control.set_nodelay(true).unwrap();
            // A byte at a time, until the client has gone.
            while session.control.write_all(b"2").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
            Leave
        });
        let begun = Instant::now();
        let ended = get(here.path(), address, &["--timeout", "1"]).is(1, "");
        let case = if spot.is_empty() { "the greeting" } else { spot };
        // It may end in any of its waits, which adds to the words.
        let words = remarked(&ended.err);
        said.add(case, words.lines().next().unwrap().split(": recv").next().unwrap());
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(9), "{spot}: {took:?}");
        assert!(names_in(here.path()).is_empty());
    }
}

#[test]
fn a_silent_server_is_given_up_wherever_it_falls_silent() {
    let here = tempfile::tempdir().unwrap();
    for spot in ["", "PASS", "PASV", "RETR", "226"] {
        let (address, _) = stranger(b"hello", move |verb, _, session| {
            if verb == "RETR" && spot == "226" {
                session.send(b"hel");
                return Done;
            }
            if verb == spot { Done } else { Usual }
        });
        let ended = get(here.path(), address, &["--timeout", "0.5"]);
        assert_eq!(ended.code, 1, "{spot}: {ended:?}");
    }
}

#[test]
fn more_bytes_than_were_announced_are_not_taken() {
    let said = Said::on("ftp_more_bytes");
    for client in ["get", "-o -", "menu"] {
        let here = tempfile::tempdir().unwrap();
        let taken = Arc::new(Mutex::new(None));
        let told = taken.clone();
        let (address, _) = stranger(b"hello", move |verb, _, session| {
            if verb != "RETR" {
                return Usual;
            }
            session.say("150 here it comes");
            let (mut data, mut n) = (session.data(), 0);
            while n < 300_000_000 && data.write_all(&[b'Z'; 65536]).is_ok() {
                n += 65536;
            }
            *told.lock().unwrap() = Some(n);
            session.say("226 that was it")
        });
        let output = match client {
            "get" => get(here.path(), address, &[]),
            "menu" => menu(here.path(), address, "download f\n"),
            _ => get(here.path(), address, &["-o", "-"]),
        };
        output.is(1, "").told(&said, client);
        until("the server has noticed", || taken.lock().unwrap().is_some());
        assert!(taken.lock().unwrap().unwrap() < 50_000_000, "{taken:?}");
        assert!(names_in(here.path()).is_empty(), "{client}");
    }
}

#[test]
fn what_cannot_be_proven_is_said_in_the_result() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("f"), "hello world").unwrap();
    // It keeps every second byte, and tells no sizes, or wrong ones.
    let said = Said::on("ftp_not_proven");
    for (reply, code) in [("550 no", 0), ("213 7", 1)] {
        let (address, _) = stranger(
            b"",
            move |verb, _, session| {
                if verb == "SIZE" { session.say(reply) } else { Usual }
            },
        );
        let put = quiet(here.path(), &["put", "f", &url(address, "f")]).badly(code);
        said.add(&format!("put, {reply}"), &remarked(&(put.out + &put.err)));
        let put = menu(here.path(), address, "upload f\n").badly(code);
        said.add(&format!("the menu, {reply}"), &remarked(&(put.out + &put.err)));
    }
    // The end of what was there can be seen before, but not afterwards.
    let looks = Mutex::new(0);
    let (address, _) = stranger(b"hello", move |verb, _, session| {
        if verb != "RETR" {
            return Usual;
        }
        *looks.lock().unwrap() += 1;
        if *looks.lock().unwrap() == 1 { Usual } else { session.say("550 no more") }
    });
    let put = quiet(here.path(), &["put", "--continue", "f", &url(address, "f")]);
    let put = put.badly(0);
    said.add("put --continue, 550 no more", &remarked(&(put.out + &put.err)));
}

#[test]
fn a_server_that_leaves_behind_the_last_byte_has_sent_everything() {
    for (bytes, last, code) in [
        (5, Some("226 bye"), 0),
        (5, None, 0),
        (4, Some("226 bye"), 1),
        (4, None, 1),
        (5, Some("426 cut"), 1),
    ] {
        let here = tempfile::tempdir().unwrap();
        let (address, _) = stranger(b"hello", move |verb, _, session| {
            if verb != "RETR" {
                return Usual;
            }
            session.send(&b"hello"[..bytes]);
            last.map(|last| session.say(last));
            Leave
        });
        let out = if code == 0 { GOT } else { "" };
        get(here.path(), address, &[]).is(code, out);
        menu(here.path(), address, "download f g\n").is(code, out);
        let left: &[&str] = if code == 0 { &["f", "g"] } else { &["f.part"] };
        let there = names_in(here.path());
        assert!(there == left || code != 0 && there.is_empty(), "{bytes} {last:?}: {there:?}");
    }
}

#[test]
fn fewer_bytes_than_were_announced_are_no_change_of_the_file() {
    let said = Said::on("ftp_fewer_bytes");
    for bytes in [3, 0] {
        let here = tempfile::tempdir().unwrap();
        let (address, _) = stranger(b"hello", move |verb, _, session| {
            if verb != "RETR" {
                return Usual;
            }
            session.send(&b"hello"[..bytes]);
            session.say("226 that was it")
        });
        let left: &[&str] = if bytes > 0 { &["f.part"] } else { &[] };
        let case = |client| format!("{client}, {bytes} bytes");
        let out = get(here.path(), address, &["-o", "-"]).is(1, &"hello"[..bytes]);
        out.told(&said, &case("get -o -"));
        get(here.path(), address, &[]).is(1, "").told(&said, &case("get"));
        assert_eq!(names_in(here.path()), left);
        menu(here.path(), address, "download f\n").is(1, "").told(&said, &case("the menu"));
        assert_eq!(names_in(here.path()), left);
    }
}

#[test]
fn every_shape_of_greeting_and_of_passive_reply_is_understood() {
    let here = tempfile::tempdir().unwrap();
    type Odd = fn(&str, &[u8], &mut Session) -> Deed;
    let odd: [Odd; 7] = [
        |verb, _, session| match verb {
            "" => session.say(
                "120 ready in 0 minutes\r\n120-soon\r\n120 now\r\n220-hello\r\n 220 x\r\n220 hello",
            ),
            _ => Usual,
        },
        |verb, _, session| if verb == "PASV" { session.pasv("227 =", "") } else { Usual },
        |verb, _, session| {
            if verb == "PASV" { session.pasv("227 at 5 (", "). 3, 4 ok") } else { Usual }
        },
        |verb, _, session| if verb == "USER" { session.say("230 no password") } else { Usual },
        |verb, _, session| match verb {
            "PASV" => session.say("502 no"),
            "EPSV" => {
                let port = session.passive();
                session.say(&format!("229 Extended (|||{port}|)"))
            }
            _ => Usual,
        },
        |verb, _, session| match verb {
            "PASV" => session.say("227 ask EPSV"),
            "EPSV" => {
                let port = session.passive();
                session.say(&format!("229 Extended (!!!{port}!)"))
            }
            _ => Usual,
        },
        // Any server may answer in several lines.
        |verb, _, session| match verb {
            "USER" => session.say("331-a\r\n331-b\r\n 331 c\r\n331 d"),
            _ => Usual,
        },
    ];
    for does in odd {
        let (address, _) = stranger(b"hello", does);
        get(here.path(), address, &[]).is(0, GOT);
    }
}

#[test]
fn a_refusal_comes_in_the_words_of_the_server() {
    let said = Said::on("ftp_refusals");
    let here = tempfile::tempdir().unwrap();
    for (verb, reply) in [
        ("", "421 too many of you"),
        ("USER", "530 not you"),
        ("PASS", "530 not so"),
        ("TYPE", "504 only text"),
        ("PASV", "500 where?"),
        ("RETR", "450 not now"),
        ("RETR", "450 not yet done"), // it ends as the password of a guest begins, which is netplay@
    ] {
        let (address, _) = stranger(b"hello", move |said, _, session| match said {
            "EPSV" => session.say("522 no"),
            said if said == verb => session.say(reply),
            _ => Usual,
        });
        let case = if verb.is_empty() { "the greeting" } else { verb };
        get(here.path(), address, &[]).is(1, "").told(&said, &format!("{case}: {reply}"));
    }
}

#[test]
fn the_time_is_set_or_it_is_said_that_it_is_not() {
    let times = Said::on("ftp_time_not_set");
    for (told, seconds, nanos) in [
        ("19010101000000", -2_177_452_800, 0),
        ("19691231235959.25", -1, 250_000_000),
        ("20200203040506", 1_580_702_706, 0),
        ("20200203040506.123", 1_580_702_706, 123_000_000),
        ("21000101000000", 4_102_444_800, 0),
        ("99991231235959", 253_402_300_799, 0),
        ("20201301000000", 0, 0),
    ] {
        for file in [&b"hello"[..], b""] {
            for facts in [false, true] {
                let here = tempfile::tempdir().unwrap();
                let (address, _) = stranger(file, move |verb, _, session| match verb {
                    "MDTM" if facts => session.say("502 no"),
                    "MDTM" => session.say(&format!("213 {told}")),
                    "MLST" => {
                        session.say(&format!("250-\r\n type=file;modify={told}; f\r\n250 end"))
                    }
                    _ => Usual,
                });
                let got = get(here.path(), address, &[]);
                assert_eq!(got.code, 0, "{got:?}");
                let file = here.path().join("f").metadata().unwrap();
                let set = (file.mtime(), file.mtime_nsec());
                // What is set is worth no word.
                let is_set = set == (seconds, nanos);
                let usual = !got.out.contains(';');
                assert_eq!(is_set, usual, "{told}: {set:?} {got:?}");
                if seconds == 0 {
                    times.add(&format!("{told}, {} bytes", file.len()), &got.out);
                }
            }
        }
    }
}

#[test]
fn names_go_over_the_wire_as_bytes() {
    let here = tempfile::tempdir().unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    let (address, _) = stranger(b"hello", move |verb, name, _| {
        heard.lock().unwrap().push([verb.as_bytes(), b" ", name].concat());
        Usual
    });
    let mut command = netplay();
    command.args(["ftp", "get", "-q"]).current_dir(here.path());
    command.arg(OsStr::from_bytes(&[url(address, "f").as_bytes(), b"%c4\xe3%01%22"].concat()));
    let got = Ended::of(&finish(&mut command, b""));
    got.well("f\\xc4\\xe3\\x01\\\": 5 bytes downloaded\n");
    assert!(here.path().join(OsStr::from_bytes(b"f\xc4\xe3\x01\"")).exists());
    let lines = b"rm \"\\xc4\\xe3\"\nrename \xc4\xe3 \"a\\\\b \\\"\"\nmkdir \\xff\nrm a\\nb\n";
    let port = address.port().to_string();
    let args = ["ftp", "client", "-q", "127.0.0.1", &port];
    let ended = Ended::of(&finish(netplay().args(args), lines)).is(1, "");
    ended.told(&Said::on("ftp_line_end"), "rm a\\nb");
    let said = said.lock().unwrap();
    for command in [
        &b"RETR f\xc4\xe3\x01\""[..],
        b"DELE \xc4\xe3",
        b"RNFR \xc4\xe3",
        b"RNTO a\\b \"",
        b"MKD \xff\xff", // Telnet's own byte
    ] {
        assert!(said.iter().any(|said| said == command), "{command:?}");
    }
}

/// Telnet's own byte is sent twice to a server that reads Telnet, and to the others as it is.
#[test]
fn the_byte_255_arrives_as_it_is_meant() {
    let here = tempfile::tempdir().unwrap();
    for (reply, wire) in [("200 fine", &b"is \xff\xff"[..]), ("500 what?", b"is \xff")] {
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = said.clone();
        let (address, _) = stranger(b"", move |verb, name, session| {
            if verb == "DELE" {
                heard.lock().unwrap().extend_from_slice(name);
            }
            if verb.ends_with("NOOP") { session.say(reply) } else { Usual }
        });
        menu(here.path(), address, "rm \"is \\xff\"\n").is(0, "");
        assert_eq!(*said.lock().unwrap(), wire);
    }
}
