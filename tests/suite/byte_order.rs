//! Byte order and addresses: against std for any value, against libc for the texts people write; and what the command
//! draws of them.
//!
//! libc is asked through python3, whose `socket` module calls it. Without a python3 on the PATH
//! those tests say so on stderr and check nothing.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};

use crate::common::{Said, run};
use netplay::byte_order::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::Value;

proptest! {
    #[test]
    fn htons_and_htonl_put_the_most_significant_byte_first(short: u16, long: u32) {
        prop_assert_eq!(htons(short), short.to_be());
        prop_assert_eq!(htons(short).to_ne_bytes(), short.to_be_bytes());
        prop_assert_eq!(htonl(long), long.to_be());
        prop_assert_eq!(htonl(long).to_ne_bytes(), long.to_be_bytes());
    }

    #[test]
    fn ntohs_and_ntohl_are_the_way_back(short: u16, long: u32) {
        prop_assert_eq!(ntohs(htons(short)), short);
        prop_assert_eq!(htons(ntohs(short)), short);
        prop_assert_eq!(ntohl(htonl(long)), long);
        prop_assert_eq!(htonl(ntohl(long)), long);
    }

    #[test]
    fn twice_is_as_good_as_never(short: u16, long: u32) {
        prop_assert_eq!(htons(htons(short)), short);
        prop_assert_eq!(htonl(htonl(long)), long);
    }

    #[test]
    fn inet_aton_reads_what_inet_ntoa_writes(address: Ipv4Addr) {
        prop_assert_eq!(inet_ntoa(address), address.to_string());
        prop_assert_eq!(inet_aton(&inet_ntoa(address)), Ok(address));
    }

    #[test]
    fn inet_pton_reads_what_inet_ntop_writes(v4: Ipv4Addr, v6 in ipv6()) {
        prop_assert_eq!(inet_ntop(v4), v4.to_string());
        prop_assert_eq!(inet_ntop(v6), v6.to_string());
        prop_assert_eq!(inet_pton(Family::Inet, &inet_ntop(v4)), Ok(IpAddr::V4(v4)));
        prop_assert_eq!(inet_pton(Family::Inet6, &inet_ntop(v6)), Ok(IpAddr::V6(v6)));
    }

    #[test]
    fn inet_pton_takes_what_std_takes(v4 in ipv4_text(), v6 in ipv6_text()) {
        prop_assert_eq!(inet_pton(Family::Inet, &v4).ok(), v4.parse().ok().map(IpAddr::V4));
        prop_assert_eq!(inet_pton(Family::Inet6, &v6).ok(), v6.parse().ok().map(IpAddr::V6));
    }

    #[test]
    fn inet_aton_takes_all_that_inet_pton_takes(text in ipv4_text()) {
        if let Ok(strict) = inet_pton(Family::Inet, &text) {
            prop_assert_eq!(inet_aton(&text).map(IpAddr::V4), Ok(strict));
        }
    }

    #[test]
    fn inet_aton_knows_one_address_in_every_spelling(
        address: Ipv4Addr, parts in 1usize..=4, bases in [0..3, 0..3, 0..3, 0..3]
    ) {
        let octets = address.octets();
        let (firsts, rest) = octets.split_at(parts - 1);
        let last = rest.iter().fold(0, |number, octet| number << 8 | u32::from(*octet));
        let numbers = firsts.iter().map(|octet| u32::from(*octet)).chain([last]);
        let spelled: Vec<String> = numbers
            .zip(bases)
            .map(|(number, base)| match base {
                0 => format!("{number}"),
                1 => format!("0{number:o}"),
                _ => format!("{number:#x}"),
            })
            .collect();
        prop_assert_eq!(inet_aton(&spelled.join(".")), Ok(address));
    }

    #[test]
    fn an_error_is_one_line_that_quotes_the_text_and_says_what_to_write(text in any::<String>()) {
        let calls = [
            inet_aton(&text).map(IpAddr::V4),
            inet_pton(Family::Inet, &text),
            inet_pton(Family::Inet6, &text),
        ];
        for error in calls.into_iter().filter_map(Result::err) {
            let error = error.to_string();
            prop_assert!(error.contains(&format!("{text:?}: ")), "{}", error);
            prop_assert!(error.contains("; "), "{}", error);
            prop_assert!(!error.chars().any(char::is_control), "{}", error);
        }
    }
}

#[test]
fn errors_name_the_part_and_the_way_out() {
    let four = |text| inet_pton(Family::Inet, text).unwrap_err().to_string();
    let six = |text| inet_pton(Family::Inet6, text).unwrap_err().to_string();
    let aton = |text| inet_aton(text).unwrap_err().to_string();
    let said = Said::on("byte_order_errors");
    for text in ["", "1.2.3.4.5", "1..2", "08.1", "0x", "localhost", "1.2.65536"] {
        said.add(&format!("inet_aton({text:?})"), &aton(text));
    }
    for text in ["127.1", "010.0.0.1", "127.0.0.1:80", "::1"] {
        said.add(&format!("inet_pton(AF_INET, {text:?})"), &four(text));
    }
    for text in [
        "127.0.0.1",
        "[::1]",
        "fe80::1%eth0",
        "1::2::3",
        "12345::",
        "1.2.3.4::",
        "::ffff:1.2.3.256",
        "1:2:3:4:5:6:7::8",
    ] {
        said.add(&format!("inet_pton(AF_INET6, {text:?})"), &six(text));
    }
}

#[test]
fn inet_aton_agrees_with_libc() {
    let mut texts = sample(ipv4_text(), 600);
    texts.extend(
        ["127.1", "0x7f.1", "0177.1", "08", "0x", "0b1", "", "+1", " 1", "1 foo", "1\tfoo", "1foo"]
            .map(String::from),
    );
    let Some(theirs) = libc("inet_aton(text).hex()", &texts) else { return };
    for (text, theirs) in texts.iter().zip(theirs) {
        let ours = inet_aton(text).ok().map(|address| hex(&address.octets()));
        assert_eq!(ours, theirs, "inet_aton({text:?}), ours and libc's");
    }
}

#[test]
fn inet_pton_agrees_with_libc() {
    for (family, name, texts) in [
        (Family::Inet, "AF_INET", sample(ipv4_text(), 400)),
        (Family::Inet6, "AF_INET6", sample(ipv6_text(), 800)),
    ] {
        assert_eq!(family.to_string(), name);
        let Some(theirs) = libc(&format!("inet_pton({name}, text).hex()"), &texts) else { return };
        for (text, theirs) in texts.iter().zip(theirs) {
            let ours = inet_pton(family, text).ok().map(|address| match address {
                IpAddr::V4(address) => hex(&address.octets()),
                IpAddr::V6(address) => hex(&address.octets()),
            });
            assert_eq!(ours, theirs, "inet_pton({name}, {text:?}), ours and libc's");
        }
    }
}

#[test]
fn inet_ntop_agrees_with_libc_but_for_ipv4_compatible_addresses() {
    let addresses = sample(ipv6(), 400);
    let hexes: Vec<String> = addresses.iter().map(|address| hex(&address.octets())).collect();
    let ask = "inet_ntop(AF_INET6, bytes.fromhex(text))";
    let Some(theirs) = libc(ask, &hexes) else { return };
    for (address, theirs) in addresses.iter().zip(theirs) {
        let compatible = matches!(address.segments(), [0, 0, 0, 0, 0, 0, high, _] if high != 0);
        if !compatible {
            assert_eq!(Some(inet_ntop(*address)), theirs, "ours and libc's");
        }
    }
    let theirs = libc(ask, &[hex(&Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0x102, 0x304).octets())]);
    assert_eq!(theirs.unwrap(), [Some("::1.2.3.4".to_string())]);
    assert_eq!(inet_ntop(Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0x102, 0x304)), "::102:304");
}

/// Texts such as people write for IPv4 addresses, right and wrong.
fn ipv4_text() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        4 => 0u64..256,
        1 => prop::sample::select(vec![256, 65535, 65536, 0xff_ffff, 0x100_0000]),
        1 => prop::sample::select(vec![0xffff_ffff, 0x1_0000_0000, u64::MAX]),
    ];
    let part = prop_oneof![
        6 => number.clone().prop_map(|n| format!("{n}")),
        2 => number.clone().prop_map(|n| format!("0{n:o}")),
        1 => number.clone().prop_map(|n| format!("0x{n:x}")),
        1 => number.prop_map(|n| format!("0X{n:X}")),
        1 => "[0189afxX+ -]{0,4}",
    ];
    let tail = prop::sample::select(vec![
        "", "", "", "", "", ".", " ", "\t", "\n", "\x0b", "\x0c", "\r", "\x1c", "\u{a0}", " foo",
        "foo",
    ]);
    (prop::collection::vec(part, 1..=5), tail).prop_map(|(parts, tail)| parts.join(".") + tail)
}

/// Addresses with long runs of zeros, where `::` and the dots of IPv4 have their rules.
fn ipv6() -> impl Strategy<Value = Ipv6Addr> {
    let group = prop_oneof![3 => Just(0u16), 1 => Just(0xffff), 2 => any::<u16>()];
    prop::array::uniform8(group).prop_map(Ipv6Addr::from)
}

/// Texts such as people write for IPv6 addresses, right and wrong.
fn ipv6_text() -> impl Strategy<Value = String> {
    let group = prop_oneof![
        8 => (0u32..0x10000).prop_map(|n| format!("{n:x}")),
        2 => (0u32..0x10000).prop_map(|n| format!("{n:04X}")),
        1 => prop::sample::select(vec!["", "0", "00000", "12345", "+1", "g", "1.2.3.4", "01.2.3.4"])
            .prop_map(String::from),
    ];
    let groups = |most| prop::collection::vec(group.clone(), 0..=most).prop_map(|g| g.join(":"));
    let tail = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        ":1.2.3.4",
        ":1.2.3.256",
        ":1.2.3",
        "%lo",
        ":",
        " ",
    ]);
    let long = (prop::collection::vec(group.clone(), 6..=9), tail.clone())
        .prop_map(|(groups, tail)| groups.join(":") + tail);
    let short =
        (groups(4), groups(4), tail).prop_map(|(head, rest, tail)| head + "::" + &rest + tail);
    prop_oneof![2 => short, 2 => long, 1 => ipv6().prop_map(|address| address.to_string())]
}

/// The same values on every run.
fn sample<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>, count: usize) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What python's `expression` is for each `text`, and `None` where libc refuses the text. The texts
/// travel in hexadecimal: they contain newlines.
fn libc(expression: &str, texts: &[String]) -> Option<Vec<Option<String>>> {
    let program = format!(
        "import sys\n\
         from socket import *\n\
         for line in sys.stdin.read().split('\\n')[:-1]:\n\
         \ttext = bytes.fromhex(line).decode()\n\
         \ttry: print({expression})\n\
         \texcept OSError: print('-')\n"
    );
    let python = Command::new("python3")
        .args(["-c", &program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut python) = python else {
        // Not eprintln!, which the test harness keeps to itself when a test passes.
        let _ = writeln!(std::io::stderr(), "SKIPPED: no python3 to ask libc for {expression}");
        return None;
    };
    // Python reads all of it before it answers, so neither side waits for the other.
    let lines: String = texts.iter().map(|text| hex(text.as_bytes()) + "\n").collect();
    python.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let answer = python.wait_with_output().unwrap();
    assert!(answer.status.success(), "python3 failed on {expression}");
    let answers: Vec<Option<String>> = String::from_utf8(answer.stdout)
        .unwrap()
        .lines()
        .map(|line| (line != "-").then(|| line.to_string()))
        .collect();
    assert_eq!(answers.len(), texts.len());
    Some(answers)
}

// The command.

/// What `netplay byte-order LINE` prints, or its error.
fn byte_order(line: &str) -> Result<String, String> {
    let words: Vec<&str> = ["byte-order"].into_iter().chain(line.split_whitespace()).collect();
    let output = run(&words, b"");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    match output.status.code() {
        Some(0) => Ok(text(output.stdout)),
        Some(2) => Err(text(output.stderr)),
        code => panic!("{line}: {code:?}"),
    }
}

fn facts(line: &str) -> Value {
    serde_json::from_str(&byte_order(&format!("{line} --json")).unwrap()).unwrap()
}

/// Every subcommand, with arguments that make its lines as long as they get.
const LINES: [&str; 16] = [
    "",
    "htons 5858",
    "htons 65535",
    "ntohs 57878",
    "htonl 4294967294",
    "ntohl 0xfeffffff",
    "inet_aton 255.255.255.255",
    "inet-aton 0x7f.1",
    "inet_ntoa 0xfffffffe",
    "inet_pton 255.255.255.255",
    "inet_pton 1111:2222:3333:4444:5555:6666:7777:8888",
    "inet_ntop ff:ff:ff:ff",
    "inet_ntop 11112222333344445555666677778888",
    "show 5858",
    "show 4294967295",
    "show 18446744073709551615",
];

#[test]
fn a_picture_fits_a_projector_and_any_terminal() {
    for line in LINES {
        let picture = byte_order(line).unwrap();
        assert!(picture.is_ascii(), "{picture}");
        for row in picture.lines() {
            assert!(row.len() <= 78 && row == row.trim_end(), "{line}: {row:?}");
        }
    }
}

#[test]
fn what_is_said_to_come_next_works() {
    for line in LINES {
        let picture = byte_order(line).unwrap();
        let commands: Vec<&str> = picture
            .lines()
            .filter_map(|row| row.split_once("netplay byte-order ").map(|(_, command)| command))
            .map(|command| command.split_once("   ").map_or(command, |(command, _)| command))
            .collect();
        assert!(!commands.is_empty(), "{picture}");
        for command in commands {
            byte_order(command).unwrap();
        }
    }
}

#[test]
fn htons_draws_memory_the_wire_and_the_mistake() {
    let picture = byte_order("htons 5858").unwrap();
    let boxes = |bytes: [u8; 2]| format!("| {:02x} | {:02x} |", bytes[0], bytes[1]);
    let drawn: Vec<&str> =
        picture.lines().map(str::trim).filter(|row| row.starts_with('|')).collect();
    assert_eq!(drawn, [boxes(5858_u16.to_ne_bytes()), boxes([0x16, 0xe2])]);
    assert!(picture.contains("5858 = 0x16e2"), "{picture}");
    if cfg!(target_endian = "little") {
        assert!(picture.contains("htons(5858) = 57878 = 0xe216"), "{picture}");
        Said::on("byte_order_htons").add("htons 5858", &picture);
    }
}

#[test]
fn show_marks_the_most_significant_byte_in_both_orders() {
    let picture = byte_order("show 0x12345678").unwrap();
    let rows: Vec<&str> = picture.lines().collect();
    let marked: Vec<&str> = rows
        .windows(3)
        .filter_map(|three| three[2].find("^^").map(|column| &three[0][column..column + 2]))
        .collect();
    assert_eq!(marked, ["12", "12"], "{picture}");
    assert!(picture.contains("| 78 | 56 | 34 | 12 |"), "{picture}");
    assert!(picture.contains("| 12 | 34 | 56 | 78 |"), "{picture}");
    assert!(byte_order("").unwrap().starts_with("0x12345678 = 305419896"));
}

#[test]
fn show_takes_the_width_from_the_value_and_the_zeros_in_front() {
    for (value, bits) in [
        ("0", 16),
        ("65535", 16),
        ("65536", 32),
        ("0o200000", 32),
        ("0x1234", 16),
        ("0x00001234", 32),
        ("0x0000_0000_0000_1234", 64),
        ("0b1", 16),
        ("0b00000000_00000000_00000001", 32),
        ("4294967296", 64),
    ] {
        assert_eq!(facts(&format!("show {value}"))["bits"], bits, "{value}");
    }
}

#[test]
fn json_has_the_facts_of_the_picture() {
    let port = facts("htons 5858");
    assert_eq!(port["wire"], "16 e2");
    assert_eq!(port["memory"], 5858_u16.to_ne_bytes().map(|byte| format!("{byte:02x}")).join(" "));
    assert_eq!(port["result"], htons(5858));
    assert_eq!(port["meaning"], "port 5858");
    assert_eq!(facts("inet_aton 127.1")["bytes"], "7f 00 00 01");
    assert_eq!(facts("inet_aton 127.1")["number"], 0x7f00_0001);
    assert_eq!(facts("inet_ntoa 0x7f000001")["address"], "127.0.0.1");
    assert_eq!(facts("inet_pton ::1")["family"], "AF_INET6");
    assert_eq!(facts("")["big_endian"], "12 34 56 78");
}

#[test]
fn inet_ntop_takes_bytes_together_and_apart() {
    for bytes in
        ["7f000001", "7f 00 00 01", "7f:00:00:01", "0x7f000001", "0x7f 0 0 0x1", "7F,0,0,1"]
    {
        assert_eq!(facts(&format!("inet_ntop {bytes}"))["address"], "127.0.0.1", "{bytes}");
    }
}

#[test]
fn bad_input_gets_one_clear_line() {
    let said = Said::on("byte_order_bad_input");
    for line in [
        "htons 65536",
        "htonl 4294967296",
        "show 18446744073709551616",
        "htons -1",
        "htons 0177",
        "htons +1",
        "show 0x",
        "show 0x+1",
        "inet_aton 08",
        "inet_pton 127.1",
        "inet_ntop ::1",
        "inet_ntop 7f0 0 0 1",
        "inet_ntop 7f 0x 0 0 1",
    ] {
        said.add(line, &byte_order(line).unwrap_err());
    }
}
