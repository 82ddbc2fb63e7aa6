//! Transfers: text, restarts, and how one ends early.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::thread;
use std::time::Instant;

use super::site::{Ftp, LARGE, Site, content};
use crate::common::{DEADLINE, Said, names_in, uncounted, until};

#[test]
fn text_is_converted_both_ways() {
    let site = Site::new(&[]);
    site.write("a", "one\ntwo\r\n");
    let mut ftp = site.client();
    ftp.ask("SIZE a", 213);
    ftp.ask("TYPE A N", 200);
    assert_eq!(ftp.fetch("RETR a"), b"one\r\ntwo\r\r\n");
    ftp.store("STOR b", "one\r\ntwo\r\r\nlone \r and last\r");
    assert_eq!(site.read("b"), b"one\ntwo\r\nlone \r and last\r");
    // A size that would not be what RETR brings is not told, nor counted from.
    ftp.ask("SIZE a", 550);
    ftp.ask("REST 1", 504);
    ftp.ask("TYPE L 8", 200);
    assert_eq!(ftp.ask("SIZE a", 213), "213 9\r\n");
}

#[test]
fn a_transfer_goes_on_where_it_is_told_to() {
    let site = Site::new(&[]);
    site.write("a", "0123456789");
    let mut ftp = site.client();
    ftp.ask("REST 4", 350);
    assert_eq!(ftp.fetch("RETR a"), b"456789"); // the offset outlives EPSV
    assert_eq!(ftp.fetch("RETR a"), b"0123456789"); // and is used once
    ftp.ask("REST 4", 350);
    ftp.ask("RETR nothing", 550);
    assert_eq!(ftp.fetch("RETR a"), b"0123456789"); // it was for that command
    ftp.ask("REST 4", 350);
    ftp.ask("TYPE A", 200);
    assert_eq!(ftp.fetch("RETR a"), b"0123456789");
    ftp.ask("TYPE I", 200);
    ftp.ask("REST 10", 350);
    assert_eq!(ftp.fetch("RETR a"), b"");
    ftp.ask("REST 11", 350);
    ftp.ask("RETR a", 554);
    ftp.ask("REST 3", 350);
    ftp.store("STOR a", "abc");
    assert_eq!(site.read("a"), b"012abc");
    ftp.store("APPE a", "def");
    ftp.store("APPE new", "1");
    assert_eq!((site.read("a"), site.read("new")), (b"012abcdef".to_vec(), b"1".to_vec()));
    ftp.ask("REST 100", 350);
    ftp.ask("STOR a", 554);
    ftp.ask("REST x", 501);
    ftp.ask("REST -1", 501);
    ftp.ask("REST 99999999999999999999999", 501);
}

#[test]
fn offsets_go_beyond_4_gib() {
    let site = Site::new(&[]);
    let file = fs::File::create(site.path("sparse")).unwrap();
    file.set_len((5 << 30) - 3).unwrap();
    drop(file);
    fs::OpenOptions::new()
        .append(true)
        .open(site.path("sparse"))
        .unwrap()
        .write_all(b"end")
        .unwrap();
    let mut ftp = site.client();
    assert_eq!(ftp.ask("SIZE sparse", 213), format!("213 {}\r\n", 5u64 << 30));
    ftp.ask(&format!("REST {}", (5u64 << 30) - 3), 350);
    assert_eq!(ftp.fetch("RETR sparse"), b"end");
}

#[test]
fn a_rest_survives_everything_but_its_transfer() {
    let site = Site::new(&[]);
    site.write("a", "0123456789");
    let mut ftp = site.client();
    ftp.ask("REST 7", 350);
    ftp.list("LIST");
    ftp.list("NLST");
    ftp.list("MLSD");
    for (command, code) in [("CWD .", 250), ("SIZE a", 213), ("STAT", 211), ("nonsense", 500)] {
        ftp.ask(command, code);
    }
    assert_eq!(ftp.fetch("RETR a"), b"789");
    assert_eq!(ftp.fetch("RETR a"), b"0123456789");
    ftp.ask("REST 7", 350);
    ftp.ask("ABOR", 226);
    assert_eq!(ftp.fetch("RETR a"), b"0123456789");
}

#[test]
fn a_file_that_becomes_shorter_on_its_way_does_not_look_whole() {
    let site = Site::new(&[]);
    let mut ftp = site.client();
    for how in ["TYPE I", "TYPE A"] {
        site.write("a", content(LARGE));
        ftp.ask(how, 200);
        let mut data = ftp.begin("RETR a");
        fs::File::options().write(true).open(site.path("a")).unwrap().set_len(1).unwrap();
        assert!(data.read_to_end(&mut Vec::new()).is_err(), "{how}: a reset ends it");
        ftp.expect(451);
    }
}

#[test]
fn retr_sends_the_file_that_it_opened() {
    let site = Site::new(&[]);
    let old = content(LARGE);
    site.write("a", &old);
    let mut ftp = site.client();
    let mut data = ftp.begin("RETR a");
    let mut first = [0; 1];
    data.read_exact(&mut first).unwrap();
    site.client().store("STOR a", "new");
    let mut rest = Vec::new();
    data.read_to_end(&mut rest).unwrap();
    ftp.expect(226);
    assert_eq!([&first[..], &rest].concat(), old);
}

#[test]
fn abor_ends_a_transfer_at_once_and_the_session_goes_on() {
    let site = Site::new(&[]);
    site.write("large", content(LARGE));
    let mut ftp = site.client();
    ftp.ask("ABOR", 226);
    for telnet in [false, true] {
        let mut data = ftp.begin("RETR large");
        ftp.abort(telnet);
        // The end of a file that was cut does not look like the end of a file.
        let cut = data.read_to_end(&mut Vec::new());
        assert!(cut.is_err(), "{cut:?}");
        assert!(ftp.list("NLST").contains(&"large".to_owned()));
    }
    // Also before the first client has connected.
    ftp.passive();
    ftp.ask("RETR large", 150);
    ftp.ask("ABOR", 426);
    ftp.expect(226);
}

/// A transfer that goes on and on, and in which it is the client who waits: for TYPE A the server looks at
/// every byte. How the client's side ends comes later.
fn endless(site: &Site, verb: &str) -> (Ftp, thread::JoinHandle<io::Result<u64>>) {
    File::create(site.path("endless")).unwrap().set_len(1 << 40).unwrap();
    let mut ftp = site.client();
    ftp.ask("TYPE A", 200);
    let mut data = ftp.begin(&format!("{verb} endless"));
    let stores = verb == "STOR";
    let moving = thread::spawn(move || match stores {
        true => io::copy(&mut io::repeat(b'x'), &mut data),
        false => io::copy(&mut data, &mut io::sink()),
    });
    until("bytes move", || !ftp.ask("STAT", 213).contains(" 0 bytes"));
    (ftp, moving)
}

#[test]
fn a_transfer_that_never_has_to_wait_hears_abor() {
    let site = Site::new(&[]);
    for verb in ["RETR", "STOR"] {
        let (mut ftp, moving) = endless(&site, verb);
        let asked = Instant::now();
        ftp.ask("ABOR", 426);
        ftp.expect(226);
        assert!(asked.elapsed() < DEADLINE / 4, "{verb}: {:?}", asked.elapsed());
        let cut = moving.join().unwrap();
        assert!(cut.is_err(), "{verb}: {cut:?}");
    }
}

#[test]
fn an_upload_that_ends_behind_an_abor_is_not_whole() {
    let site = Site::new(&[]);
    for (kind, mib) in [("A", 2), ("I", 2), ("I", 7)] {
        let mut ftp = site.client();
        ftp.ask(&format!("TYPE {kind}"), 200);
        let mut data = ftp.begin("STOR a");
        // The server is still busy with these bytes when it is told that they are not all.
        data.write_all(&vec![b'x'; mib << 20]).unwrap();
        ftp.send("ABOR\r\n");
        drop(data);
        ftp.expect(426);
        ftp.expect(226);
        until("the upload is taken back", || site.names().is_empty());
    }
}

#[test]
fn a_transfer_that_never_has_to_wait_hears_the_stop() {
    for verb in ["RETR", "STOR"] {
        let site = Site::new(&[]);
        let (_ftp, _moving) = endless(&site, verb);
        let Site { server, root } = site;
        let ended = server.stop();
        assert!(ended.status.success(), "{:?} {}", ended.status, ended.stderr);
        assert!(ended.took < DEADLINE / 4, "{verb}: {:?}", ended.took);
        assert_eq!(names_in(root.path()), ["endless"]);
    }
}

#[test]
fn an_abor_behind_thousands_of_commands_is_heard_at_once() {
    let site = Site::new(&[]);
    site.write("large", content(LARGE));
    let mut ftp = site.client();
    let said = Said::on("ftp_stat_in_a_transfer");
    for telnet in [false, true] {
        let mut data = ftp.begin("RETR large");
        ftp.send("NOOP\r\n".repeat(3000));
        said.add("STAT", &uncounted(&ftp.ask("STAT", 213)));
        ftp.abort(telnet);
        assert!(data.read_to_end(&mut Vec::new()).is_err(), "a reset ends it");
        // A client that waits for its turn still gets it.
        (0..3000).for_each(|_| drop(ftp.expect(200)));
    }
    assert_eq!(ftp.list("NLST"), ["large"]);
}

#[test]
fn what_was_said_before_a_transfer_began_is_heard_at_once_too() {
    let site = Site::new(&["--data-wait", "1000"]);
    site.write("large", content(LARGE));
    let mut ftp = site.client();
    ftp.passive();
    ftp.send("RETR large\r\nSTAT\r\nSTAT\r\nABOR\r\n");
    for code in [150, 213, 213, 426, 226] {
        ftp.expect(code);
    }
    let _unread = ftp.begin("RETR large");
    ftp.send("STAT\r\n".repeat(3));
    (0..3).for_each(|_| drop(ftp.expect(213)));
}
