//! What the ftp pages claim, of the server and of the client: to real peers, to those who try to get out of the
//! root, and when things go wrong.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

mod bar;
mod clients;
mod connections;
mod files_here;
mod get_put;
mod limits;
mod listings;
mod login;
mod menu;
mod names;
mod peer;
mod refusals;
mod resume;
mod secrets;
mod session;
mod site;
mod stranger;
mod strangers;
mod tool;
mod transfers;
mod uploads;

fn loopbacks() -> [IpAddr; 2] {
    [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
}

#[test]
fn the_document_names_tests_that_are_there() {
    let document = include_str!("../../../docs/ftp.md");
    let mut tests = include_str!("../../../crates/ftp/src/names.rs").to_owned();
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/ftp")).unwrap() {
        tests += &fs::read_to_string(file.unwrap().path()).unwrap();
    }
    let named: Vec<&str> = document
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.contains('_') && !name.contains('/'))
        .collect();
    assert!(named.len() > 40, "{named:?}");
    for name in named {
        assert!(tests.contains(&format!("fn {name}(")), "docs/ftp.md names {name}");
    }
}
