//! Both versions of IP in every example: ::1, both at once on ::, and names with an address of each.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::Command;

use crate::common::{self, DEADLINE, Server, connect, finish, have, private_mounts, run, skip};
use netplay::examples::{Example, Place, Purpose, examples};

/// Whether this machine has IPv6 at all; if not, that is said.
fn have_ipv6() -> bool {
    let there = TcpListener::bind("[::1]:0").is_ok();
    if !there {
        skip("no IPv6");
    }
    there
}

/// Every example that listens on HOST and PORT.
fn of_the_network() -> impl Iterator<Item = &'static Example> {
    examples().filter(|example| example.place == Place::Internet)
}

fn server(example: &Example, place: &[&str], options: &[&str]) -> Server {
    let more: &[&str] = match example.purpose {
        Purpose::Echo => &["--reply", "echo"],
        _ if example.name == "ftp" => &["--anonymous"],
        _ => &[],
    };
    Server::of(example.name).at(place).args(options).args(more).start()
}

/// Its own client reaches the server at this host, and is answered.
fn is_reached(example: &Example, server: &Server, host: &[&str]) {
    let port = server.port();
    let words: &[u8] = match example.purpose {
        Purpose::Files => b"list\nquit\n",
        _ => b"hello\n",
    };
    let args = [&[example.name, "client", "-q", "--timeout", "10"], host, &[&port[..]]].concat();
    let client = run(&args, words);
    let (name, stderr) = (example.name, String::from_utf8_lossy(&client.stderr));
    assert!(client.status.success(), "{name} {host:?}: {stderr}");
    if example.purpose == Purpose::Echo {
        assert_eq!(String::from_utf8_lossy(&client.stdout), "hello\n", "{name} {host:?}");
    }
}

#[test]
fn every_example_serves_over_ipv6_loopback() {
    if !have_ipv6() {
        return;
    }
    for example in of_the_network() {
        for (place, host) in [
            (&["::1", "0"][..], &["::1"][..]),
            (&["-6", "0"], &["-6", "[::1]"]),
            (&["-6", "[::1]", "0"], &["[::1]"]),
        ] {
            let server = server(example, place, &[]);
            assert!(server.address().ip().is_loopback() && server.address().is_ipv6());
            is_reached(example, &server, host);
        }
    }
}

/// An address that is this machine's and means nothing without a device: `fe80::1%eth0`.
fn link_local() -> Option<String> {
    let devices = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let found = devices.lines().find(|line| line.starts_with("fe80"))?;
    let (address, device) = (found.get(..32)?, found.split_whitespace().last()?);
    let address = std::net::Ipv6Addr::from(u128::from_str_radix(address, 16).ok()?);
    Some(format!("{address}%{device}"))
}

#[test]
fn an_address_with_a_device_is_understood() {
    let Some(host) = link_local() else {
        return skip("no device with a link-local address");
    };
    for example in of_the_network() {
        let server = server(example, &[&host, "0"], &[]);
        is_reached(example, &server, &[&host]);
        is_reached(example, &server, &["-6", &format!("[{host}]")]);
    }
}

#[test]
fn every_example_serves_both_versions_on_the_address_of_all() {
    if !have_ipv6() {
        return;
    }
    for example in of_the_network() {
        let server = server(example, &["::", "0"], &[]);
        for host in ["127.0.0.1", "::1", "localhost"] {
            is_reached(example, &server, &[host]);
        }
    }
}

/// `-6` leaves the port to others for IPv4: `::` and `0.0.0.0` stand side by side.
#[test]
fn with_the_option_6_every_example_leaves_ipv4_to_others() {
    if !have_ipv6() {
        return;
    }
    // Ports that the kernel gives to nobody who asks for any: they are to be free in both.
    let first = 10_000 + std::process::id() % 20_000;
    for (port, example) in (first..).zip(of_the_network()) {
        let port = port.to_string();
        let six = server(example, &["-6", "::", &port], &[]);
        let four = server(example, &["-4", "0.0.0.0", &port], &[]);
        is_reached(example, &six, &["::1"]);
        is_reached(example, &four, &["127.0.0.1"]);
    }
}

#[test]
fn a_client_over_ipv4_is_told_as_such() {
    if !have_ipv6() {
        return;
    }
    let said = common::Said::on("ipv6_client_over_ipv4");
    for name in ["tcp-echo", "udp-echo"] {
        let options = ["--once", "--reply", "echo"];
        let server = Server::of(name).at(["::", "0"]).aloud().args(options).start();
        let port = server.port();
        run(&[name, "client", "127.0.0.1", &port, "-q", "-m", "hello"], b"");
        let story = server.ended().stderr;
        let line = |part: &str| {
            let line = story.lines().find_map(|line| Some(line.split_once(part)?.1));
            let line = line.unwrap_or_else(|| panic!("no {part} in {story}"));
            line.split("  [").next().unwrap() // how long it waited
        };
        said.add("the option", line("IPV6_V6ONLY "));
        said.add(
            name,
            line(" [::ffff:127.0.0.1]:").trim_start_matches(|c: char| c.is_ascii_digit()),
        );
    }
}

/// A name that means both, as `localhost` does on most machines: in a mount namespace of our own.
fn where_a_name_means_both(command: &[&str], input: &[u8]) -> Option<std::process::Output> {
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    fs::write(&hosts, "::1 both\n127.0.0.1 both\n").unwrap();
    let script = "mount --bind \"$0\" /etc/hosts || exit 99; exec \"$@\"";
    let mut private = private_mounts()?;
    private.args(["sh", "-c", script]).arg(hosts).args(command).env("LC_ALL", "C.UTF-8");
    let output = finish(&mut private, input);
    assert_ne!(output.status.code(), Some(99), "{}", String::from_utf8_lossy(&output.stderr));
    Some(output)
}

#[test]
fn a_client_tries_each_address_of_a_name_and_tells_each_refusal() {
    if !have_ipv6() {
        return;
    }
    let stream = |row: &&Example| !["udp-echo", "iterative"].contains(&row.name);
    for example in of_the_network().filter(stream) {
        for host in ["127.0.0.1", "::1"] {
            // On both loopbacks it would stand by itself.
            let family = if host == "::1" { "-6" } else { "-4" };
            let server = server(example, &[family, host, "0"], &[]);
            let port = server.port();
            let words: &[u8] =
                if example.purpose == Purpose::Files { b"list\nquit\n" } else { b"hello\n" };
            let client = env!("CARGO_BIN_EXE_netplay");
            let args = [client, example.name, "client", "both", &port, "--timeout", "10"];
            let Some(client) = where_a_name_means_both(&args, words) else { return };
            let story = String::from_utf8_lossy(&client.stderr);
            assert!(client.status.success(), "{} at {host}: {story}", example.name);
            let refused = story.contains("[::1]:") && story.contains("(ECONNREFUSED)");
            assert_eq!(refused, host == "127.0.0.1", "{} at {host}: {story}", example.name);
        }
    }
}

#[test]
fn who_is_refused_at_every_address_is_told_the_last() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let client = env!("CARGO_BIN_EXE_netplay");
    let args = [client, "tcp-client", "both", &free, "-m", "hello"];
    let Some(client) = where_a_name_means_both(&args, b"") else { return };
    let story = String::from_utf8_lossy(&client.stderr);
    assert_eq!(client.status.code(), Some(1), "{story}");
    assert_eq!(story.matches("(ECONNREFUSED)").count(), 2, "{story}");
    assert!(story.contains(&format!("connect 127.0.0.1:{free}: Connection refused")), "{story}");
}

/// Other people's programs, over either version, at the address of all.
#[test]
fn other_clients_are_served_over_either_version() {
    if !have_ipv6() {
        return;
    }
    let echo = |row: &&Example| row.purpose == Purpose::Echo;
    let datagrams = ["udp-echo", "iterative"];
    for example in of_the_network().filter(echo) {
        let server = server(example, &["::", "0"], &[]);
        let port = server.address().port();
        for host in ["127.0.0.1", "::1"] {
            let address = SocketAddr::new(host.parse().unwrap(), port);
            let mut reply = [0; 5];
            if datagrams.contains(&example.name) {
                let here = if address.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
                let client = UdpSocket::bind(here).unwrap();
                client.set_read_timeout(Some(DEADLINE)).unwrap();
                client.send_to(b"hello", address).unwrap();
                assert_eq!(client.recv_from(&mut reply).unwrap(), (5, address), "{}", example.name);
            } else {
                let mut client = connect(address);
                client.write_all(b"hello").unwrap();
                client.read_exact(&mut reply).unwrap();
                if have("ncat") {
                    let mut ncat = Command::new("ncat");
                    ncat.arg(host).arg(port.to_string());
                    drop(client);
                    let said = finish(&mut ncat, b"hello");
                    assert_eq!(said.stdout, b"hello", "{}: {said:?}", example.name);
                }
            }
            assert_eq!(&reply, b"hello", "{} at {host}", example.name);
        }
    }
}

#[test]
fn every_demo_runs_over_ipv6() {
    if !have_ipv6() {
        return;
    }
    let demos = of_the_network().map(|example| vec![example.name, "demo", "-6"]);
    for args in demos.chain([vec!["demo", "-6"]]) {
        let demo = run(&args, b"");
        let told = String::from_utf8_lossy(&demo.stdout);
        assert!(demo.status.success(), "{args:?}: {told}");
        let (told, _) = told.trim_end().rsplit_once('\n').unwrap();
        assert!(told.contains("[::1]:") && !told.contains("127.0.0.1"), "{told}");
    }
}
