//! How `get` and `put` go on where a transfer was cut.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::peer::Peer;
use super::site::content;
use super::stranger::Deed::{Done, Usual};
use super::stranger::{Deed, Session, cutter, stranger};
use super::tool::{get, quiet, tool, url};
use crate::common::{Said, names_in};

#[test]
fn a_cut_download_goes_on_where_it_was_cut() {
    let said = Said::on("ftp_cut_download");
    for site in Peer::all() {
        let here = tempfile::tempdir().unwrap();
        let bytes = content(1_000_000);
        fs::write(site.path("a"), &bytes).unwrap();
        let address = cutter(site.root.path(), 300_000);
        let cut = quiet(here.path(), &["get", &url(address, "a")]).badly(1);
        cut.told(&said, "cut after 300000 bytes");
        assert_eq!(names_in(here.path()), ["a.part"], "no half file has the name of the whole");
        assert_eq!(fs::read(here.path().join("a.part")).unwrap(), bytes[..300_000]);

        let get = tool(here.path(), &["get", "--continue", &site.url("a")]);
        let get = get.well("a: 1000000 bytes downloaded\n");
        assert!(get.err.contains("REST 234464"), "64 KiB are compared: {}", get.err);
        assert_eq!(fs::read(here.path().join("a")).unwrap(), bytes);
        assert_eq!(names_in(here.path()), ["a"]);
    }
}

#[test]
fn a_cut_upload_goes_on_where_it_was_cut() {
    for site in Peer::all() {
        let here = tempfile::tempdir().unwrap();
        let bytes = content(1_000_000);
        fs::write(here.path().join("a"), &bytes).unwrap();
        let address = cutter(site.root.path(), 300_000);
        assert_eq!(tool(here.path(), &["put", "a", &url(address, "a")]).code, 1);
        assert_eq!(fs::read(site.path("a")).unwrap(), bytes[..300_000]);

        let put = tool(here.path(), &["put", "--continue", "a", &site.url("a")]);
        let put = put.well("a: 1000000 bytes uploaded\n");
        assert!(put.err.contains("APPE a") && put.err.contains("REST 234464"), "{}", put.err);
        assert_eq!(fs::read(site.path("a")).unwrap(), bytes);
        let put = tool(here.path(), &["put", "--continue", "a", &site.url("a")]);
        let put = put.well("a: 1000000 bytes uploaded\n");
        assert!(!put.err.contains("STOR"), "it is there already: {}", put.err);
    }
}

#[test]
fn a_file_that_changed_since_the_cut_is_fetched_from_the_start() {
    let (old, new) = (content(500_000), content(500_001)[1..].to_vec());
    let said = Said::on("ftp_get_from_the_start");
    for site in Peer::all() {
        // Another time, and the same bytes at the cut; the same time, and other bytes there.
        for (other_time, have) in [(true, &new), (false, &old)] {
            let here = tempfile::tempdir().unwrap();
            fs::write(site.path("a"), &new).unwrap();
            let day = |n: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(n * 86_400);
            let set = |path: &Path, time| {
                File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
            };
            set(&site.path("a"), day(10_000));
            let mut part = have[..100_000].to_vec();
            part[0] ^= u8::from(other_time);
            fs::write(here.path().join("a.part"), part).unwrap();
            set(&here.path().join("a.part"), day(if other_time { 9_999 } else { 10_000 }));
            let get = quiet(here.path(), &["get", "--continue", &site.url("a")]);
            let get = get.well("a: 500000 bytes downloaded\n");
            get.told(&said, if other_time { "another time" } else { "other bytes" });
            assert_eq!(fs::read(here.path().join("a")).unwrap(), new);
            assert_eq!(names_in(here.path()), ["a"]);
        }
    }
}

#[test]
fn a_file_that_is_no_start_of_ours_is_sent_from_the_start() {
    let bytes = content(300_000);
    let said = Said::on("ftp_put_from_the_start");
    for site in Peer::all() {
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("a"), &bytes).unwrap();
        for there in [content(200_001)[1..].to_vec(), content(400_000)] {
            let length = there.len();
            fs::write(site.path("a"), there).unwrap();
            let put = quiet(here.path(), &["put", "--continue", "a", &site.url("a")]);
            let put = put.well("a: 300000 bytes uploaded\n");
            put.told(&said, &format!("{length} bytes there"));
            assert_eq!(fs::read(site.path("a")).unwrap(), bytes);
        }
    }
}

#[test]
fn an_upload_goes_on_to_the_whole_file_whatever_the_server_does() {
    let whole: Vec<u8> =
        (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    type Odd = fn(&str, &[u8], &mut Session) -> Deed;
    let odd: [(&str, Odd); 8] = [
        ("a good one", |_, _, _| Usual),
        (
            "REST is answered and forgotten, and FEAT does not list it",
            |verb, _, session| match verb {
                "FEAT" => session.say("211-\r\n SIZE\r\n211 end"),
                "REST" => session.say("350 of course"),
                _ => Usual,
            },
        ),
        (
            "there is no FEAT",
            |verb, _, session| if verb == "FEAT" { session.say("500 what?") } else { Usual },
        ),
        ("APPE replaces", |verb, _, session| {
            if verb == "APPE" {
                session.usual("STOR");
                return Done;
            }
            Usual
        }),
        ("APPE puts zeros where the start was", |verb, _, session| {
            if verb == "APPE" {
                session.file.lock().unwrap().fill(0);
            }
            Usual
        }),
        ("no APPE, and REST is kept", |verb, _, session| match verb {
            "APPE" => session.say("502 no"),
            "STOR" if session.rest > 0 => {
                let rest = std::mem::take(&mut session.rest);
                session.file.lock().unwrap().truncate(rest);
                session.usual("APPE");
                Done
            }
            _ => Usual,
        }),
        ("no APPE, and STOR forgets REST", |verb, _, session| {
            if verb == "APPE" { session.say("502 no") } else { Usual }
        }),
        (
            "nothing can be read",
            |verb, _, session| if verb == "RETR" { session.say("550 no") } else { Usual },
        ),
    ];
    let said = Said::on("ftp_put_continue");
    for (what, does) in odd {
        for had in [5, 100_000] {
            let here = tempfile::tempdir().unwrap();
            fs::write(here.path().join("f"), &whole).unwrap();
            let (address, file) = stranger(&whole[..had], does);
            let put = quiet(here.path(), &["put", "--continue", "f", &url(address, "f")]);
            let put = put.is(0, "f: 200000 bytes uploaded\n");
            put.told(&said, &format!("{what}: {had} bytes there"));
            assert!(*file.lock().unwrap() == whole, "{what}, {had}");
        }
    }
}

#[test]
fn a_download_goes_on_only_where_rest_is_announced() {
    let whole: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
    let here = tempfile::tempdir().unwrap();
    let part = here.path().join("f.part");
    fs::write(&part, &whole[..100_000]).unwrap();
    let time = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_580_702_706);
    File::options().write(true).open(&part).unwrap().set_modified(time).unwrap();
    let (address, _) = stranger(&whole, |verb, _, session| match verb {
        "FEAT" => session.say("211-\r\n SIZE\r\n211 end"),
        "REST" => session.say("350 of course"),
        _ => Usual,
    });
    let got = get(here.path(), address, &["--continue"]);
    let got = got.is(0, "f: 200000 bytes downloaded\n");
    got.told(&Said::on("ftp_no_rest"), "get --continue");
    assert!(fs::read(here.path().join("f")).unwrap() == whole);
}
