//! `ping`: both sockets, both versions of IP, what routers and strangers send, and where it is forbidden.
//!
//! Each test has a network of its own, with its own net.ipv4.ping_group_range; so this machine's settings
//! are neither asked nor changed.

use std::io::{BufRead, BufReader, Read};
use std::process::{Output, Stdio};

use crate::common::{
    self, ANYBODY, Said, alone, finish, have, remarks, said_word_for_word, settled, skip, text,
    transcript, wait,
};
use netplay::columns::{width, width_of};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const NETPLAY: &str = env!("CARGO_BIN_EXE_netplay");

/// What a new network allows: nobody's group, and raw sockets for the privileged.
const NOBODY: &str = "echo 1 0 >/proc/sys/net/ipv4/ping_group_range";

/// Takes the privilege of raw sockets away from root.
const ORDINARY: &[&str] = &["setpriv", "--bounding-set=-net_raw"];

/// A neighbour who forwards, and a way through it to hosts that are not there.
const ROUTER: &str = "
    { setpriv --pdeathsig KILL unshare --net sleep 20 >/dev/null & router=$!; } &&
    until [ \"$(readlink /proc/$router/ns/net)\" != \"$(readlink /proc/self/ns/net)\" ]; do :; done &&
    ip link add here type veth peer name there netns $router &&
    ip addr add 192.0.2.1/24 dev here && ip addr add 2001:db8::1/64 dev here nodad &&
    ip link set here up &&
    nsenter -t $router -n sh -c '
        ip link set lo up && ip link set there up &&
        ip addr add 192.0.2.2/24 dev there && ip addr add 2001:db8::2/64 dev there nodad &&
        echo 1 >/proc/sys/net/ipv4/ip_forward && echo 1 >/proc/sys/net/ipv6/conf/all/forwarding &&
        ip route add default via 192.0.2.1 && ip -6 route add default via 2001:db8::1' &&
    ip route add default via 192.0.2.2 && ip -6 route add default via 2001:db8::2";

/// A stranger who answers for a silent kernel: first with a reply to another identifier, one that is
/// damaged and one of four bytes, which no kernel hands on; then with the right one, twice.
const STRANGER: &str = r#"
import socket, struct
def sum_of(b):
    b += bytes(len(b) % 2)
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    while s >> 16: s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
print("ready", flush=True)
while True:
    packet = raw.recv(65535)[20:]
    if len(packet) < 8 or packet[0] != 8: continue
    identifier, sequence = struct.unpack("!HH", packet[4:8])
    def reply(identifier):
        m = struct.pack("!BBHHH", 0, 0, 0, identifier, sequence) + packet[8:]
        return m[:2] + struct.pack("!H", sum_of(m)) + m[4:]
    good = reply(identifier)
    damaged = good[:-1] + bytes([good[-1] ^ 1])
    for m in [reply(identifier ^ 1), damaged, good[:4], good, good]: raw.sendto(m, ("127.0.0.1", 0))
"#;

/// Runs `netplay ping` with these arguments in a network of its own; `who` is what stands before it.
fn ping(lines: &str, who: &[&str], args: &[&str]) -> Option<Output> {
    Some(finish(alone(lines)?.args(who).args([NETPLAY, "ping"]).args(args), b""))
}

#[track_caller]
fn ends(output: &Output, code: i32) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

/// `(bytes, address, sequence, ttl)` of each reply, in our words or in those of ping(8).
fn replies(said: &[u8]) -> Vec<(String, String, String, String)> {
    let plain =
        text(said).replace("icmp_seq=", "seq ").replace("ttl=", "ttl ").replace([',', ':'], " ");
    let lines = plain.lines().filter(|line| line.contains(" bytes from "));
    let read = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |word| words[words.iter().position(|&w| w == word).unwrap() + 1].to_owned();
        (words[0].to_owned(), after("from"), after("seq"), after("ttl"))
    };
    lines.map(read).collect()
}

/// How many requests were sent, how many were answered, and how many percent lost: the numbers of the summary.
#[track_caller]
fn counted(said: &[u8]) -> [u32; 3] {
    let said = text(said);
    let line = said.lines().find(|line| line.contains("% ")).unwrap_or_else(|| panic!("{said}"));
    let numbers = line.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    let [sent, received, lost] =
        numbers.take(3).map(|n| n.parse().unwrap()).collect::<Vec<_>>()[..]
    else {
        panic!("{said}");
    };
    [sent, received, lost]
}

/// What is said of this field, in each table of a header.
fn rows<'a>(said: &'a str, field: &str) -> Vec<&'a str> {
    let rows = said.lines().filter(|line| line.trim_start().starts_with(field));
    rows.map(|line| line.rsplit("  ").next().unwrap()).collect()
}

/// Stands above what only a raw socket shows.
const IP_HEADER: &str = "  IPv4 header ";

const QUICK: &[&str] = &["--count", "3", "--interval", "0.02", "-q"];

/// The short options are those of ping(8).
#[test]
fn the_short_options_are_those_of_ping() {
    let typed = ["127.0.0.1", "-c", "2", "-i", "0.02", "-s", "8", "-t", "7", "-W", "0.5", "-q"];
    let Some(short) = ping(ANYBODY, &[], &typed) else { return };
    let long =
        ["127.0.0.1", "--count=2", "--interval=0.02", "--size=8", "--ttl=7", "--timeout=0.5", "-q"];
    let Some(long) = ping(ANYBODY, &[], &long) else { return };
    for done in [&short, &long] {
        ends(done, 0);
        assert_eq!(counted(&done.stdout), [2, 2, 0]);
        let sizes: Vec<String> = replies(&done.stdout).into_iter().map(|reply| reply.0).collect();
        assert_eq!(sizes, ["16", "16"]); // eight of the header
    }
}

/// In 80 columns and in both languages, each field stands below the others: a wide character takes two columns.
#[test]
fn the_headers_fit_80_columns_and_stand_below_each_other() {
    for lang in ["en", "zh"] {
        for host in ["127.0.0.1", "::1"] {
            let args = [host, "-c", "1", "--raw", "--headers", "-q", "--lang", lang];
            let Some(done) = ping(ANYBODY, &[], &args) else { return };
            ends(&done, 0);
            let said = text(&done.stdout);
            let fields: Vec<&str> = said.lines().filter(|line| line.starts_with("  ")).collect();
            assert!(fields.len() > 6, "{said}");
            for line in fields {
                assert!(width(line) <= 80, "{line}");
                // The columns begin at 2, 18, 31 and 44.
                let before = |at: usize| {
                    let mut used = 0;
                    line.chars().find(|&c| {
                        let here = used + 1 == at;
                        used += width_of(c);
                        here
                    })
                };
                assert!(
                    [18, 31, 44].iter().all(|&at| before(at).is_none_or(|c| c == ' ')),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn both_sockets_get_a_reply_to_every_request_over_both_versions_of_ip() {
    let page = Said::on("ping_both_sockets");
    for host in ["127.0.0.1", "::1", "localhost", "[::1]"] {
        for socket in [&[][..], &["--raw"]] {
            let args = [&[host], QUICK, socket].concat();
            let Some(done) = ping(ANYBODY, &[], &args) else { return };
            ends(&done, 0);
            let said = text(&done.stdout);
            assert_eq!(counted(&done.stdout), [3, 3, 0], "{said}");
            // What localhost stands for is this machine's own affair.
            if host != "localhost" {
                page.add(&format!("{host} {}", socket.concat()), &said);
            }
            assert_eq!(replies(&done.stdout).len(), 3, "{said}");
        }
    }
}

#[test]
fn every_size_of_payload_comes_back_as_it_was() {
    let page = Said::on("ping_payload");
    for (host, largest) in [("127.0.0.1", "65507"), ("::1", "65527")] {
        for size in ["0", "1", "1471", largest] {
            for socket in [&[][..], &["--raw"]] {
                let args = [&[host, "--size", size, "--headers"], QUICK, socket].concat();
                let Some(done) = ping(ANYBODY, &[], &args) else { return };
                ends(&done, 0);
                let said = text(&done.stdout);
                let verdicts = rows(&said, "payload");
                assert_eq!(verdicts.len(), 3, "{args:?}: {said}");
                verdicts.iter().for_each(|verdict| page.add("payload", verdict));
            }
        }
    }
}

/// Two messages come for each request to a raw socket on loopback. A queue that is read once for each
/// request overflows, and what is lost there was lost there only.
#[test]
fn nothing_is_lost_in_the_receive_queue() {
    for host in ["127.0.0.1", "::1"] {
        for size in ["56", "20000"] {
            for socket in [&[][..], &["--raw"]] {
                let fast = [host, "--size", size, "--count", "1000", "--interval", "0", "-q"];
                let Some(done) = ping(ANYBODY, &[], &[&fast, socket].concat()) else { return };
                ends(&done, 0);
                let said = text(&done.stdout);
                assert_eq!(counted(&done.stdout), [1000, 1000, 0], "{host}: {said}");
            }
        }
    }
}

/// A raw socket receives what others ask and are answered: its queue may never be empty.
#[test]
fn a_storm_of_others_holds_nothing_up() {
    let storm = format!(
        "{ANYBODY} && {{ setpriv --pdeathsig KILL {NETPLAY} ping --raw 127.0.0.1 --interval 0 \
         --count 65535 -q >/dev/null & }}"
    );
    let args = ["127.0.0.1", "--raw", "--count", "100", "--interval", "0.001", "--timeout", "1"];
    let Some(done) = ping(&storm, &[], &args) else { return };
    ends(&done, 0);
    let said = text(&done.stdout);
    let [sent, received, _] = counted(&done.stdout);
    assert_eq!((sent, replies(&done.stdout).len()), (100, received as usize), "{said}");
}

#[test]
fn the_demo_works_for_an_ordinary_user_where_groups_may_ping() {
    let Some(done) = ping(ANYBODY, ORDINARY, &["demo"]) else { return };
    ends(&done, 0);
    let told = text(&done.stdout);
    for claim in
        [" socket  ", "64 bytes from 127.0.0.1: seq 2, ttl 64", "ICMP header ", " ffff", " 0% "]
    {
        assert!(told.contains(claim), "no {claim:?} in {told}");
    }
}

#[test]
fn where_nobody_may_ping_exit_4_says_the_line_that_allows_it() {
    let sysctl = "sudo sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"";
    for (args, line) in [
        (&["demo"][..], sysctl),
        (&["demo", "-q"], sysctl),
        (&["127.0.0.1"], sysctl),
        (&["-6", "-q"], sysctl),
        (&["127.0.0.1", "--raw"], "sudo setcap cap_net_raw+ep"),
        (&["::1", "--raw", "-q"], "sudo setcap cap_net_raw+ep"),
    ] {
        let Some(done) = ping(NOBODY, ORDINARY, args) else { return };
        ends(&done, 4);
        assert!(text(&done.stderr).contains(line), "{args:?}: {}", text(&done.stderr));
    }
}

#[test]
fn where_only_a_raw_socket_is_allowed_it_is_taken_and_the_reason_told() {
    let Some(done) = ping(NOBODY, &[], &["127.0.0.1", "--count", "1"]) else { return };
    ends(&done, 0);
    let story = text(&done.stderr);
    let why = remarks(&story)[0];
    assert!(why.contains("ping_group_range"), "{story}");
    Said::on("ping_raw_instead").add("remark", why);
    let sockets: Vec<&str> = story.lines().filter(|line| line.contains(" socket  ")).collect();
    assert!(sockets.len() == 2 && sockets[1].contains(" raw "), "{story}");
}

#[test]
fn a_raw_socket_shows_the_ip_header_and_sees_its_own_request() {
    let args = ["127.0.0.1", "--raw", "--count", "1", "--headers", "--ttl", "9"];
    let Some(done) = ping(ANYBODY, &[], &args) else { return };
    ends(&done, 0);
    let (said, story) = (text(&done.stdout), text(&done.stderr));
    assert!(said.contains("  protocol                     01           1: ICMP"), "{said}");
    assert!(said.contains(IP_HEADER), "{said}");
    let [of_ip, of_icmp] = rows(&said, "checksum")[..] else { panic!("{said}") };
    let [own] = remarks(&story)[..] else { panic!("{story}") };
    let page = Said::on("ping_raw");
    page.add("checksum of IP", of_ip);
    page.add("checksum of ICMP", of_icmp);
    page.add("its own request", own);
    // The request went out with our TTL; the reply has the kernel's own.
    assert!(said.contains("ttl 64"), "{said}");
    assert!(story.lines().any(|line| line.contains(" IP_TTL ") && line.ends_with(" 9")), "{story}");
}

#[test]
fn the_identifier_of_a_datagram_socket_is_its_port() {
    let args = ["127.0.0.1", "--count", "1", "--headers"];
    let Some(done) = ping(ANYBODY, ORDINARY, &args) else { return };
    ends(&done, 0);
    let (said, story) = (text(&done.stdout), text(&done.stderr));
    let (_, port) = story.split_once(" getsockname ").unwrap();
    let (_, port) = port.split_once(" 0.0.0.0:").unwrap();
    let port = port.split_whitespace().next().unwrap();
    assert!(said.contains(&format!("identifier {port}, ")), "{said}");
    assert!(rows(&said, "identifier")[0].starts_with(&format!("{port}: ")), "{said}");
    assert!(!said.contains(IP_HEADER), "{said}");
}

#[test]
fn a_router_that_counts_the_ttl_down_to_zero_is_told() {
    let page = Said::on("ping_ttl");
    for (host, router) in [("198.51.100.7", "192.0.2.2"), ("2001:db8:1::7", "2001:db8::2")] {
        for socket in [&[][..], &["--raw"]] {
            let short = [host, "--ttl", "1", "--count", "2", "--interval", "0.2", "-q"];
            let lines = format!("{ANYBODY} && {ROUTER}");
            let Some(done) = ping(&lines, &[], &[&short, socket].concat()) else { return };
            ends(&done, 1);
            let said = text(&done.stdout);
            for sequence in 1..=2 {
                let line = format!("from {router}: seq {sequence}, ");
                assert!(said.contains(&line), "{socket:?}: {said}");
            }
            assert_eq!(counted(&done.stdout), [2, 0, 100], "{said}");
            // What localhost stands for is this machine's own affair.
            if host != "localhost" {
                page.add(&format!("{host} {}", socket.concat()), &said);
            }
        }
    }
}

#[test]
fn a_silent_host_is_exit_1_and_all_lost() {
    let silent = format!("{ANYBODY} && echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all");
    let page = Said::on("ping_silent");
    for socket in [&[][..], &["--raw"]] {
        let args = ["127.0.0.1", "--timeout", "0.3"];
        let Some(done) = ping(&silent, &[], &[&args, QUICK, socket].concat()) else { return };
        assert_eq!(counted(&done.stdout), [3, 0, 100], "{done:?}");
        page.ends("127.0.0.1", &done, 1);
    }
}

/// Runs a ping beside the [`STRANGER`], who alone answers, and is ready before it begins.
fn beside_a_stranger(args: &[&str]) -> Option<Output> {
    if !have("python3") {
        skip("no python3");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let code = folder.path().join("stranger.py");
    std::fs::write(&code, STRANGER).unwrap();
    let (code, ready) = (code.display(), folder.path().join("ready"));
    let ready = ready.display();
    let lines = format!(
        "{ANYBODY} && echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all &&
         {{ setpriv --pdeathsig KILL python3 {code} >{ready} & }} &&
         until [ -s {ready} ]; do kill -0 $! || exit; done"
    );
    let always = ["127.0.0.1", "--count", "3", "--interval", "0.05", "--timeout", "10"];
    ping(&lines, &[], &[&always, args].concat())
}

#[test]
fn what_strangers_send_is_passed_over_and_what_comes_twice_is_counted() {
    let Some(done) = beside_a_stranger(&["--raw"]) else { return };
    let (said, story) = (text(&done.stdout), text(&done.stderr));
    assert_eq!(counted(&done.stdout), [3, 3, 0], "{said}{story}");
    // The last one may come again when all is over.
    let again = replies(&done.stdout).len() - 3;
    assert!((2..=3).contains(&again), "{said}");
    let page = Said::on("ping_strangers");
    let summary = said.lines().last().unwrap().replace(&format!(", {again} "), ", [n] ");
    page.add("summary", &summary);
    let second = said.lines().filter(|line| line.contains("seq 1,")).nth(1).unwrap();
    page.add("again", second);
    let mut whys: Vec<String> = remarks(&story).into_iter().map(settled).collect();
    whys.sort();
    whys.dedup();
    page.add("remarks", &whys.join("\n"));
}

#[test]
fn a_datagram_socket_is_spared_what_strangers_send() {
    let Some(done) = beside_a_stranger(&[]) else { return };
    let story = text(&done.stderr);
    assert_eq!(counted(&done.stdout), [3, 3, 0], "{story}");
    assert_eq!(remarks(&story), [""; 0], "{story}");
}

/// Every address, size, sequence number and TTL is what ping(8) says of the same host.
#[test]
fn it_says_what_the_other_ping_says() {
    if !have("ping") {
        return skip("no ping");
    }
    for host in ["127.0.0.1", "::1"] {
        let args = [host, "--count", "3", "--interval", "0.2", "--size", "100", "-q"];
        let Some(ours) = ping(ANYBODY, &[], &args) else { return };
        let theirs = ["ping", "-n", "-c", "3", "-i", "0.2", "-s", "100", host];
        let Some(mut command) = alone(ANYBODY) else { return };
        let theirs = finish(command.args(theirs), b"");
        let found = replies(&ours.stdout);
        assert_eq!(found.len(), 3);
        assert_eq!(found, replies(&theirs.stdout), "{}", text(&theirs.stdout));
    }
}

#[test]
fn ctrl_c_ends_it_with_the_statistics() {
    let Some(mut command) = alone(ANYBODY) else { return };
    let args = [NETPLAY, "ping", "127.0.0.1", "--count", "65535", "--interval", "10", "-q"];
    let command = command.args(args).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    while !said.contains("seq 1,") {
        assert_ne!(lines.read_line(&mut said).unwrap(), 0, "{said}");
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    assert!(wait(&mut child).success());
    lines.read_to_string(&mut said).unwrap();
    assert_eq!(counted(said.as_bytes()), [1, 1, 0], "{said}");
}

#[test]
fn what_cannot_be_asked_is_one_clear_sentence() {
    let mut said = String::new();
    for (args, code) in [
        (&["127.0.0.1", "demo"][..], 2),
        (&["--count", "0"], 2),
        (&["--ttl", "256"], 2),
        (&["--message", "x"], 2),
        (&["--size", "65508"], 2),
        (&["::1", "--size", "65528"], 2),
        (&["--size", "large"], 2),
        (&["--interval", "-1"], 2),
        (&["--interval", "soon"], 2),
        (&["192.0.2.1", "--interval", "0.1"], 2),
        (&["224.0.0.1"], 1),
        (&["255.255.255.255"], 1),
        (&["ff02::1"], 1),
        (&["-6", "127.0.0.1"], 2),
    ] {
        let args = [&["ping"], args].concat();
        let done = common::run(&args, b"");
        ends(&done, code);
        said += &transcript(&args, &done);
    }
    said_word_for_word("ping_bad_input", &said);
    // What stands behind this is the resolver's own.
    let nameless = common::run(&["ping", "nobody.invalid"], b"");
    ends(&nameless, 1);
    assert!(text(&nameless.stderr).contains("\"nobody.invalid\""), "{nameless:?}");
}

/// The address of a whole network is known only by its routes: there the kernel refuses.
#[test]
fn a_broadcast_address_is_refused() {
    let lines = format!("{ANYBODY} && ip addr add 192.0.2.1/24 brd + dev lo");
    let page = Said::on("ping_broadcast");
    for socket in [&[][..], &["--raw"]] {
        let args = ["192.0.2.255", "--count", "1"];
        let Some(done) = ping(&lines, &[], &[&args, socket].concat()) else { return };
        page.ends("192.0.2.255", &done, 1);
    }
}
