//! It holds up: silence, haste and crowds, and what is said ahead.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use super::peer::Peer;
use super::site::{Ftp, LARGE, Site, content, descriptors, memory, reset, threads};
use super::uploads::{half_an_upload, only_the_old_version_is_there};
use crate::common::{self, Server, connect, until};

#[test]
fn a_stop_is_heard_beside_the_only_client() {
    let site = Site::new(&["--once"]);
    let _silent = site.client();
    let ended = site.server.stop();
    assert!(ended.status.success(), "{:?} {}", ended.status, ended.stderr);
    assert!(ended.took < Duration::from_secs(2), "{:?}", ended.took);
}

/// How much memory it took for a client that says more and more while its transfer stands still, and
/// is reset after that, if it shall be.
fn memory_for_much_ahead(and_reset: bool) -> usize {
    let site = Site::new(&[]);
    let large = content(LARGE);
    site.write("large", &large);
    let mut ftp = site.client();
    let mut data = ftp.begin("RETR large"); // not read: no other command has its turn
    let before = memory(&site.server);
    let mut stream = ftp.stream().try_clone().unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut sent = 0;
    // A line of nothing is the dearest to keep.
    while let Ok(n) = stream.write(&[b'\n'; 64 * 1024]) {
        sent += n;
        assert!(sent < 64 << 20, "the server takes lines for ever");
    }
    assert!(sent > 256 * 1024, "{sent}");
    if and_reset {
        reset(stream);
        ftp.leave();
        assert!(data.read_to_end(&mut Vec::new()).is_err(), "its transfer is over, too");
        until("the session is over", || threads(&site.server) == 1);
    } else {
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes).unwrap();
        assert!(bytes == large);
        ftp.expect(226);
        ftp.expect(500);
    }
    memory(&site.server) - before
}

#[test]
fn a_client_that_says_too_much_ahead_is_held_up() {
    let grown = memory_for_much_ahead(false);
    assert!(grown < 1 << 20, "{grown} bytes");
}

#[test]
fn what_a_client_said_that_was_reset_is_not_kept() {
    let grown = memory_for_much_ahead(true);
    assert!(grown < 1 << 20, "{grown} bytes");
}

#[test]
fn a_reader_that_reads_nothing_is_cut_and_holds_up_nobody() {
    let site = Site::new(&["--stall-timeout", "0.3"]);
    site.write("large", content(LARGE));
    let mut ftp = site.client();
    let _unread = ftp.begin("RETR large");
    let mut other = site.client();
    assert_eq!(other.list("NLST"), ["large"]);
    ftp.expect(426);
    ftp.ask("NOOP", 200);
}

#[test]
fn a_writer_that_writes_nothing_is_cut() {
    let site = Site::new(&["--stall-timeout", "0.3"]);
    let (mut ftp, _data) = half_an_upload(&site, "STOR a");
    ftp.expect(426);
    only_the_old_version_is_there(&site);
}

#[test]
fn a_silent_client_is_told_to_go() {
    let site = Site::new(&["--idle-timeout", "0.3"]);
    let mut guest = site.guest();
    guest.send("NOO"); // half a command is no command
    guest.expect(421);
    guest.ended();
}

#[test]
fn a_client_that_reads_no_replies_is_given_up() {
    let site = Site::new(&["--stall-timeout", "0.3"]);
    let ftp = site.client();
    let mut stream = ftp.stream().try_clone().unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    let lines = "HELP\r\n".repeat(10_000);
    let mut sent = 0;
    while stream.write_all(lines.as_bytes()).is_ok() {
        sent += lines.len();
        assert!(sent < 1 << 30, "the server takes lines for ever");
    }
    assert_eq!(site.client().list("NLST"), [""; 0]);
}

#[test]
fn more_clients_than_allowed_are_told_to_come_back() {
    let site = Site::new(&["--max-clients", "3", "--max-per-host", "2"]);
    let mut first = site.client();
    let second = site.client();
    let mut turned_away = Ftp { control: BufReader::new(connect(site.server.address())) };
    turned_away.expect(421);
    turned_away.ended();
    let _over_v6 = site.client_v6();
    let v6 = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), site.port());
    let mut turned_away = Ftp { control: BufReader::new(connect(v6)) };
    turned_away.expect(421);
    first.ask("NOOP", 200);
    drop(second);
    until("the place is given back", || {
        let mut line = String::new();
        let mut stream = BufReader::new(connect(site.server.address()));
        stream.read_line(&mut line).unwrap();
        line.starts_with("220")
    });
}

#[test]
fn resets_and_hasty_clients_leave_nothing_behind() {
    let site = Site::new(&[]);
    site.write("a", content(100_000));
    site.client().ask("QUIT", 221);
    until("the first session is over", || site.descriptors() < 15);
    let before = site.descriptors();
    for round in 0..200 {
        let stream = connect(site.server.address());
        match round % 4 {
            0 => reset(stream),
            1 => drop(stream),
            2 => {
                let mut stream = stream;
                stream.write_all(b"USER u\r\nPASS p\r\nPASV\r\nRETR a\r\nLIST").unwrap();
                reset(stream);
            }
            _ => {
                let mut ftp = site.client();
                let data = ftp.begin("RETR a");
                reset(data);
                ftp.leave();
            }
        }
    }
    until("every descriptor is given back", || site.descriptors() <= before);
    assert_eq!(site.client().fetch("RETR a").len(), 100_000);
}

#[test]
fn thousands_of_clients_leave_nothing_behind() {
    let site = Site::new(&[]);
    site.client().ask("QUIT", 221);
    until("the first session is over", || threads(&site.server) == 1);
    let before = site.descriptors();
    for n in 0..2000 {
        let mut ftp = site.guest();
        if n % 2 == 0 {
            ftp.ask("QUIT", 221);
            ftp.ended();
        }
    }
    until("every session is over", || threads(&site.server) == 1);
    assert_eq!(site.descriptors(), before);

    // 200 at once: as many as may are served, all of them; the others are told to come back.
    let mut crowd: Vec<Ftp> =
        (0..200).map(|_| Ftp { control: BufReader::new(connect(site.server.address())) }).collect();
    let (mut served, mut refused) = (Vec::new(), 0);
    for mut ftp in crowd.drain(..) {
        match &ftp.reply()[..3] {
            "220" => served.push(ftp),
            "421" => {
                ftp.ended();
                refused += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!((served.len(), refused), (64, 136));
    served.iter_mut().for_each(|ftp| drop(ftp.ask("NOOP", 200)));
    drop(served);
    until("the crowd has gone", || threads(&site.server) == 1);
    assert_eq!(site.descriptors(), before);
    assert!(site.client().list("NLST").is_empty());
}

#[test]
fn without_descriptors_the_others_are_still_served() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a"), "hello").unwrap();
    let script = "ulimit -n 24; exec \"$@\"";
    let server = Server::from(Command::new("sh").args(["-c", script, "sh"]).args([
        env!("CARGO_BIN_EXE_netplay"),
        "ftp",
        "server",
        "0",
        "-q",
        "--user",
        "u",
        "--password",
        "p",
        "--root",
        root.path().to_str().unwrap(),
    ]));
    let mut ftp = Ftp::new(server.address()).logged_in();
    let crowd: Vec<TcpStream> = (0..40).map(|_| connect(server.address())).collect();
    until("no descriptor is left", || {
        // A port that could be had is given back at once: the crowd shall have its descriptor.
        let port = ftp.try_to("EPSV");
        ftp.ask("ABOR", 226);
        port.starts_with("425")
    });
    drop(crowd);
    until("the crowd's are given back", || descriptors(&server) < 12);
    assert_eq!(ftp.fetch("RETR a"), b"hello");
}

#[test]
fn there_is_room_for_64_clients_unless_told_otherwise() {
    let default = |example| {
        let help = tool_help(&[example, "server", "--help"]);
        let option = help.split("--max-clients").nth(1).unwrap();
        option.split("[default: ").nth(1).unwrap().split(']').next().unwrap().to_owned()
    };
    assert_eq!([default("ftp"), default("poll")], ["64", "256"]);
    let site = Peer::one();
    let greeting = || {
        let mut stream = site.server.connect();
        let mut code = [0; 3];
        stream.read_exact(&mut code).unwrap();
        (stream, code)
    };
    let guests: Vec<_> = (0..64).map(|_| greeting()).collect();
    assert!(guests.iter().all(|(_, code)| code == b"220"));
    assert_eq!(&greeting().1, b"421");
}

/// A help page, each paragraph in one line.
fn tool_help(args: &[&str]) -> String {
    let text = String::from_utf8(common::run(args, b"").stdout).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
