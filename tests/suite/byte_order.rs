//! Byte order and addresses: against std for any value, against libc for the texts people write.
//!
//! libc is asked through python3, whose `socket` module calls it. Without a python3 on the PATH
//! those tests say so on stderr and check nothing.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};

use netplay::byte_order::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

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
    let cases = [
        (aton(""), "part 1 is \"\", without a digit"),
        (aton("1.2.3.4.5"), "5 parts; write at most four"),
        (aton("1..2"), "part 2 is \"\", without a digit"),
        (aton("08.1"), "part 1 is \"08\", where '8' is no octal digit"),
        (aton("0x"), "part 1 is \"0x\", without a digit"),
        (aton("localhost"), "getaddrinfo is for names"),
        (aton("1.2.65536"), "part 3 is 65536, too much for its 16 bits; write at most 65535"),
        (four("127.1"), "not four parts but 2; write 127.0.0.1, as inet_aton reads it"),
        (
            four("010.0.0.1"),
            "part 1 is \"010\", not a number from 0 to 255 in plain decimal; write 8.0.0.1",
        ),
        (four("127.0.0.1:80"), "part 4 is \"1:80\""),
        (four("::1"), "ask for AF_INET6"),
        (six("127.0.0.1"), "ask for AF_INET, or write ::ffff:127.0.0.1"),
        (six("[::1]"), "brackets are for URLs"),
        (six("fe80::1%eth0"), "sin6_scope_id"),
        (six("1::2::3"), ":: stands twice"),
        (six("12345::"), "12345 has more than four digits"),
        (six("1.2.3.4::"), "write the IPv4 part last"),
        (six("::ffff:1.2.3.256"), "part 4 is \"256\""),
        (six("1:2:3:4:5:6:7::8"), "not eight groups"),
    ];
    for (error, says) in cases {
        assert!(error.contains(says), "{error}\n  does not say: {says}");
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
