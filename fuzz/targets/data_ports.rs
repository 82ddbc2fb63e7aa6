//! Where a data connection goes: PORT, EPRT, and the replies to PASV and EPSV.
#![no_main]

use std::net::{Ipv4Addr, SocketAddrV4};

use libfuzzer_sys::fuzz_target;
use netplay_ftp::data::{read_eprt, read_six_numbers, six_numbers};
use netplay_ftp::{extended_port_in, six_numbers_in};

fuzz_target!(|bytes: &[u8]| {
    if let [a, b, c, d, high, low, ..] = *bytes {
        let port = u16::from_be_bytes([high, low]);
        let address = SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port);
        let text = six_numbers(address);
        assert_eq!(read_six_numbers(&text), Some(address));
        let reply = format!("227 Entering Passive Mode ({text}).");
        assert_eq!(six_numbers_in(&reply[3..]), Some((text, port)));
    }

    let text = String::from_utf8_lossy(bytes);
    if let Some(address) = read_six_numbers(&text) {
        assert_eq!(read_six_numbers(&six_numbers(address)), Some(address));
    }
    if let Some((six, port)) = six_numbers_in(&text) {
        assert_eq!(read_six_numbers(&six).map(|address| address.port()), Some(port));
    }
    if let Ok(address) = read_eprt(&text) {
        let family = if address.is_ipv4() { 1 } else { 2 };
        let again = format!("|{family}|{}|{}|", address.ip(), address.port());
        assert_eq!(read_eprt(&again), Ok(address));
    }
    if let Some(port) = extended_port_in(&text) {
        assert_eq!(extended_port_in(&format!("229 (|||{port}|)")), Some(port));
    }
});
