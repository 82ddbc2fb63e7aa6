//! Multicast and broadcast: who has a copy, who has none. Nothing leaves this machine.

use std::net::UdpSocket;
use std::process::{Command, Output};

use crate::common::{self, Server, finish, have, ipv6_has_a_device, run, skip, udp, until};

const GROUP: &str = "239.255.58.58";

/// A receiver of the group, on any port or on that of another.
fn receiver(place: &[&str], options: &[&str]) -> Server {
    Server::of("multicast").at(place).args(options).start()
}

/// Two receivers at one address.
fn two(group: &str, options: &[&str]) -> (Server, Server) {
    let first = receiver(&[group, "0"], options);
    let second = receiver(&[group, &first.port()], options);
    (first, second)
}

/// Sends this to the address, in one datagram.
fn say(host: &str, port: &str, message: &str, options: &[&str]) -> Output {
    let args = ["multicast", "client", host, port, "-q", "--timeout", "10", "--message", message];
    run(&[&args, options].concat(), b"")
}

fn said(host: &str, port: &str, message: &str, options: &[&str]) {
    let output = say(host, port, message, options);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Waits until the receiver has shown this, and nothing else.
fn hears(receiver: &Server, all: &str) {
    until(&format!("{all:?} is heard"), || receiver.stdout().len() >= all.len());
    assert_eq!(receiver.stdout(), all);
}

/// One host keeps datagrams to a socket in order: what comes before the last was heard, or is not coming.
fn hears_at_last(receiver: &Server, last: &str, all: &str) {
    until(&format!("{last:?} is heard"), || receiver.stdout().ends_with(last));
    assert_eq!(receiver.stdout(), all);
}

#[test]
fn every_member_of_a_group_has_a_copy() {
    let (first, second) = two(GROUP, &[]);
    said(GROUP, &first.port(), "hello", &[]);
    said(GROUP, &first.port(), "", &[]);
    said(GROUP, &first.port(), "\x1b[2J", &[]);
    for receiver in [&first, &second] {
        hears(receiver, "hello\n\n\x1b[2J\n");
    }
}

#[test]
fn every_member_of_an_ipv6_group_has_a_copy_and_with_no_loop_none() {
    if !ipv6_has_a_device() {
        return;
    }
    let (first, second) = two("ff11::5858", &[]);
    said("ff11::5858", &first.port(), "not here", &["--no-loop"]);
    said("ff11::5858", &first.port(), "hello", &[]);
    for receiver in [first, second] {
        hears_at_last(&receiver, "hello\n", "hello\n");
    }
}

/// There is no way into lo but the one that leads out of it.
#[test]
fn over_lo_no_loop_changes_nothing() {
    let receiver = receiver(&[GROUP, "0"], &[]);
    said(GROUP, &receiver.port(), "hello", &["--no-loop", "--ttl", "0"]);
    hears(&receiver, "hello\n");
}

#[test]
fn who_leaves_a_group_hears_no_more_of_it() {
    let (stays, leaves) = two(GROUP, &["--trace", "/dev/stderr"]);
    let port = stays.port();
    said(GROUP, &port, "both", &[]);
    hears(&leaves, "both\n");
    let left = leaves.stop().stderr;
    assert!(left.contains("IP_ADD_MEMBERSHIP") && left.contains("IP_DROP_MEMBERSHIP"), "{left}");
    said(GROUP, &port, "one", &[]);
    hears(&stays, "both\none\n");
}

/// Bound to the port of a group that was not joined: the machine may take it in, the socket has nothing.
#[test]
fn without_joining_a_bound_socket_hears_nothing() {
    let member = receiver(&["239.255.58.59", "0"], &[]);
    let port = member.port();
    let outsider = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    outsider.set_reuse_address(true).unwrap();
    outsider.set_multicast_all_v4(false).unwrap();
    let address: std::net::SocketAddr = format!("0.0.0.0:{port}").parse().unwrap();
    outsider.bind(&address.into()).unwrap();
    let outsider = UdpSocket::from(outsider);
    outsider.set_nonblocking(true).unwrap();
    said("239.255.58.59", &port, "members only", &[]);
    hears(&member, "members only\n");
    assert!(outsider.recv(&mut [0; 100]).is_err(), "an outsider heard it");
    outsider.join_multicast_v4(&[239, 255, 58, 59].into(), &[127, 0, 0, 1].into()).unwrap();
    said("239.255.58.59", &port, "welcome", &[]);
    hears(&member, "members only\nwelcome\n");
    let mut buf = [0; 100];
    let n = outsider.recv(&mut buf).unwrap();
    assert_eq!(&buf[..n], b"welcome");
}

/// What is sent to this machine alone is not the group's: bound to the group, a receiver has none of it;
/// of two that are bound to any address, one.
#[test]
fn a_unicast_goes_to_one_and_only_to_who_binds_any_address() {
    let bound_to_group = receiver(&[GROUP, "0"], &[]);
    let port = bound_to_group.port();
    let any = [receiver(&[GROUP, &port], &["--any"]), receiver(&[GROUP, &port], &["--any"])];
    said("127.0.0.1", &port, "alone", &[]);
    until("one of them hears it", || any.iter().any(|any| any.stdout().contains("alone\n")));
    said(GROUP, &port, "all", &[]);
    hears_at_last(&bound_to_group, "all\n", "all\n");
    any.iter().for_each(|any| until("all is heard", || any.stdout().ends_with("all\n")));
    let alone = any.iter().filter(|any| any.stdout() == "alone\nall\n").count();
    assert_eq!(alone, 1, "{:?}", any.map(|any| any.stdout()));
}

#[test]
fn each_member_answers_the_sender_for_itself() {
    let (first, _second) = two(GROUP, &["--reply", "echo"]);
    let output = say(GROUP, &first.port(), "who is there?", &["--answers", "2"]);
    let answers = String::from_utf8_lossy(&output.stdout);
    assert_eq!(answers, "who is there?\nwho is there?\n", "{output:?}");
}

#[test]
fn to_send_to_everybody_takes_a_right() {
    for everybody in ["127.255.255.255", "255.255.255.255"] {
        let (first, second) = two(everybody, &[]);
        let refused = say(everybody, &first.port(), "unasked", &[]);
        let why = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{why}");
        let errno = nix::errno::Errno::EACCES.desc();
        assert!(why.contains(errno) && why.contains("--broadcast"), "{why}");
        said(everybody, &first.port(), "hear, hear", &["--broadcast"]);
        for receiver in [&first, &second] {
            hears(receiver, "hear, hear\n");
        }
    }
}

/// 192.0.2.0/24 is nobody's (RFC 5737): no device has it.
#[test]
fn a_device_that_is_not_there_is_named() {
    let said = common::Said::on("multicast_devices");
    for (args, code) in [
        (&[GROUP, "--interface", "192.0.2.77"][..], 1),
        (&[GROUP, "--interface", "no address"], 2),
        (&[GROUP, "--interface", "lo"], 2),
        (&["ff15::5858"], 2),
        (&["ff15::5858", "--interface", "nodevice"], 1),
    ] {
        let output = run(&[&["multicast", "server"], args].concat(), b"");
        said.ends(&args.join(" "), &output, code);
    }
}

/// What Python's socket module does, and what ours does, go together.
#[test]
fn python_is_a_member_and_a_sender_as_good_as_ours() {
    if !have("python3") {
        return skip("no python3");
    }
    let ours = receiver(&[GROUP, "0"], &[]);
    let script = "\
import socket, sys
group, port, back = '239.255.58.58', int(sys.argv[1]), int(sys.argv[2])
lo = socket.inet_aton('127.0.0.1')
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((group, port))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + lo)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, lo)
s.sendto(b'joined', (group, port))
while s.recv(100) != b'from netplay':
    pass
s.sendto(b'python heard it', ('127.0.0.1', back))
";
    let (port, back) = (ours.port(), udp());
    let back_port = back.local_addr().unwrap().port().to_string();
    let mut python = Command::new("python3");
    python.args(["-c", script, &port, &back_port]);
    let python = std::thread::spawn(move || finish(&mut python, b""));
    hears(&ours, "joined\n");
    said(GROUP, &port, "from netplay", &[]);
    let mut buf = [0; 100];
    let n = back.recv(&mut buf).unwrap();
    assert_eq!(&buf[..n], b"python heard it");
    let python = python.join().unwrap();
    assert!(python.status.success(), "{python:?}");
}

#[test]
fn in_the_demo_two_hear_the_first_and_one_the_last() {
    for version in ["-4", "-6"] {
        if version == "-6" && !ipv6_has_a_device() {
            return;
        }
        let demo = run(&["multicast", "demo", version, "-v"], b"");
        let told = String::from_utf8_lossy(&demo.stdout);
        assert!(demo.status.success(), "{told}");
        let heard = |words: &str| {
            let recvfrom = |line: &&str| line.contains(" recvfrom  ") && line.contains(words);
            told.lines().filter(recvfrom).count()
        };
        assert_eq!(
            (heard("to whom it may concern"), heard("to all who are left")),
            (2, 1),
            "{told}"
        );
        assert!(told.contains("_DROP_MEMBERSHIP"), "{told}");
    }
}

/// One option, and two effects: the story tells that of the socket at hand.
#[test]
fn the_story_says_what_reuseaddr_does_for_this_socket() {
    let said = common::Said::on("multicast_reuseaddr");
    for (example, host) in [("multicast", GROUP), ("tcp-echo", "127.0.0.1")] {
        let story = Server::of(example).at([host, "0"]).aloud().start().stop().stderr;
        let line = story.lines().find_map(|line| Some(line.split_once(" SO_REUSEADDR ")?.1));
        said.add(example, line.unwrap_or_else(|| panic!("{story}")));
    }
}
