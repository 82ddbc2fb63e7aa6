//! The headers of a ping: any host that can reach this machine can send it packets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netplay::examples::ping::header::{ECHO, Icmp, Ipv4, Meaning, checksum, fields, request, why};
use netplay_shared::address::Family;

fuzz_target!(|bytes: &[u8]| {
    let ip = Ipv4::read(bytes).ok();
    if let Some(ip) = ip {
        assert!(ip.header.len() >= 20 && ip.header.len().is_multiple_of(4));
        assert_eq!([ip.header, ip.data].concat(), bytes);
    }
    for message in [bytes, ip.map_or(&[], |ip| ip.data)] {
        assert_eq!(Icmp::read(message).is_ok(), message.len() >= ECHO);
        if message.len() < ECHO {
            continue;
        }
        look(message);
        // As it came few have a checksum that verifies; so once more with the right one.
        let mut mended = message.to_vec();
        mended[2..4].fill(0);
        let sum = checksum(&mended).to_be_bytes();
        mended[2..4].copy_from_slice(&sum);
        assert_eq!(checksum(&mended), 0);
        look(&mended);
        table(ip, &mended);
        assert_ne!(Icmp::read(&mended).unwrap().means(Family::V4), Meaning::Damaged);
    }
    if let [a, b, c, d, payload @ ..] = bytes {
        ask(u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]), payload);
    }
});

fn look(message: &[u8]) {
    let icmp = Icmp::read(message).unwrap();
    assert_eq!(icmp.bytes().len(), ECHO + icmp.payload().len());
    for family in [Family::V4, Family::V6] {
        match icmp.means(family) {
            Meaning::Damaged => assert!(family == Family::V4 && checksum(message) != 0),
            Meaning::Reply { identifier, sequence } => {
                assert_eq!((identifier, sequence), (icmp.identifier(), icmp.sequence()));
            }
            Meaning::Complaint { .. } => {
                assert!(why(family, icmp.kind(), icmp.code()).is_some());
                assert!(icmp.payload().len() >= 20 + ECHO, "it quotes a whole request");
            }
            Meaning::Request { .. } | Meaning::Other => {}
        }
    }
}

fn table(ip: Option<Ipv4<'_>>, message: &[u8]) {
    let family = if ip.is_some() { Family::V4 } else { Family::V6 };
    let reply = Icmp::read(message).unwrap();
    let text = fields(family, ip, &request(family, 1, 1, b"payload"), reply);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
}

/// A request says what it was made of.
fn ask(identifier: u16, sequence: u16, payload: &[u8]) {
    for family in [Family::V4, Family::V6] {
        let message = request(family, identifier, sequence, payload);
        let icmp = Icmp::read(&message).unwrap();
        assert_eq!(icmp.means(family), Meaning::Request { identifier });
        assert_eq!((icmp.sequence(), icmp.payload()), (sequence, payload));
    }
}
